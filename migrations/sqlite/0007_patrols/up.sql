-- Patrols, the plans they are made by, and tracks: one blob a batch of points, outside the journal
-- and kept for a limited time.

create table patrols (
    tenant_id blob not null,
    id blob not null,
    seq integer not null,
    head blob not null,
    number text not null,
    status text not null,
    path text not null,
    worker_id blob,
    plan_id blob,
    from_at integer not null,
    state text not null,
    primary key (tenant_id, id)
) strict, without rowid;
create index patrols_from on patrols (tenant_id, from_at, id);
create index patrols_worker on patrols (tenant_id, worker_id, from_at, id);

create table patrol_plans (
    tenant_id blob not null,
    id blob not null,
    seq integer not null,
    head blob not null,
    standing text not null,
    path text not null,
    created_at integer not null,
    next_at integer,
    state text not null,
    primary key (tenant_id, id)
) strict, without rowid;
create index patrol_plans_created on patrol_plans (tenant_id, created_at, id);
create index patrol_plans_next on patrol_plans (next_at) where next_at is not null;

create table tracks (
    tenant_id blob not null,
    patrol_id blob not null,
    points integer not null,
    last_seq integer not null,
    primary key (tenant_id, patrol_id)
) strict, without rowid;

create table track_batches (
    tenant_id blob not null,
    patrol_id blob not null,
    first_seq integer not null,
    last_seq integer not null,
    points integer not null,
    received_at integer not null,
    blob blob not null,
    primary key (tenant_id, patrol_id, first_seq)
) strict, without rowid;
create index track_batches_received on track_batches (tenant_id, received_at);

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

alter table reports add column patrol_id blob;
create index reports_patrol on reports (tenant_id, patrol_id, received_at, id) where patrol_id is not null;
