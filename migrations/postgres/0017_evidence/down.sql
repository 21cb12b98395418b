drop table positions;
create table positions (
    tenant_id uuid not null,
    person_id uuid not null,
    patrol_id uuid not null,
    lng bigint not null,
    lat bigint not null,
    accuracy bigint,
    at timestamptz not null,
    primary key (tenant_id, person_id)
) with (fillfactor = 50);
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
