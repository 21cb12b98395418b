-- Patrols, the plans they are made by, and tracks: one blob a batch of points, outside the journal
-- and kept for a limited time.

create table patrols (
    tenant_id uuid not null,
    id uuid not null,
    seq bigint not null,
    head bytea not null,
    number text collate "C" not null,
    status text collate "C" not null,
    path text collate "C" not null,
    worker_id uuid,
    plan_id uuid,
    from_at timestamptz not null,
    state text not null,
    primary key (tenant_id, id)
) with (fillfactor = 75, toast_tuple_target = 8160);
create index patrols_from on patrols (tenant_id, from_at, id);
create index patrols_worker on patrols (tenant_id, worker_id, from_at, id);

create table patrol_plans (
    tenant_id uuid not null,
    id uuid not null,
    seq bigint not null,
    head bytea not null,
    standing text collate "C" not null,
    path text collate "C" not null,
    created_at timestamptz not null,
    next_at timestamptz,
    state text not null,
    primary key (tenant_id, id)
) with (fillfactor = 75, toast_tuple_target = 8160);
create index patrol_plans_created on patrol_plans (tenant_id, created_at, id);
create index patrol_plans_next on patrol_plans (next_at) where next_at is not null;

create table tracks (
    tenant_id uuid not null,
    patrol_id uuid not null,
    points bigint not null,
    last_seq bigint not null,
    primary key (tenant_id, patrol_id)
) with (fillfactor = 50);

create table track_batches (
    tenant_id uuid not null,
    patrol_id uuid not null,
    first_seq bigint not null,
    last_seq bigint not null,
    points bigint not null,
    received_at timestamptz not null,
    blob bytea not null,
    primary key (tenant_id, patrol_id, first_seq)
);
-- Small, packed data is neither compressed nor moved out of its row.
alter table track_batches alter column blob set storage external;
create index track_batches_received on track_batches (tenant_id, received_at);

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

alter table reports add column patrol_id uuid;
create index reports_patrol on reports (tenant_id, patrol_id, received_at, id) where patrol_id is not null;
