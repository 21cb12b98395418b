drop table positions;
create table positions (
    tenant_id blob not null,
    person_id blob not null,
    patrol_id blob not null,
    lng integer not null,
    lat integer not null,
    accuracy integer,
    at integer not null,
    primary key (tenant_id, person_id)
) strict, without rowid;
create index positions_at on positions (tenant_id, at);
drop index track_batches_open;
-- The earlier version of the program cannot read sealed batches.
delete from track_batches where person_id is not null;
alter table track_batches drop column person_id;
alter table signing_keys drop column public;
drop table tallies;
alter table audit_heads drop column unsaid_seq;
alter table feeds drop column holes;
alter table feeds drop column dense_from;
