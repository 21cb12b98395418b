drop index sessions_expired;
drop table retention_runs;
drop table audit_heads;
drop table audit;
drop table consents;
drop table disclosures;
drop table personal;
drop table personal_keys;
create table person_phones (
    tenant_id blob not null,
    person_id blob not null,
    sealed blob not null,
    blind blob not null,
    bound_at integer not null,
    primary key (tenant_id, person_id),
    foreign key (tenant_id, person_id) references people (tenant_id, id)
) strict, without rowid;
create index person_phones_blind on person_phones (tenant_id, blind);
