drop index sessions_expired;
drop table retention_runs;
drop table audit_heads;
drop table audit;
drop table consents;
drop table disclosures;
drop table personal;
drop table personal_keys;
create table person_phones (
    tenant_id uuid not null,
    person_id uuid not null,
    sealed bytea not null,
    blind bytea not null,
    bound_at timestamptz not null,
    primary key (tenant_id, person_id),
    foreign key (tenant_id, person_id) references people (tenant_id, id)
);
create index person_phones_blind on person_phones (tenant_id, blind);
