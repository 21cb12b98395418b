-- Output to other parties: webhooks with their own position in the feed, deliveries until they are
-- final, every attempt, messages to people, and the position up to which the feed was read for
-- these.

create table webhooks (
    tenant_id uuid not null,
    id uuid not null,
    name text not null,
    url text not null,
    area_id uuid not null,
    path text collate "C" not null,
    types text not null,
    envelope text collate "C" not null,
    status text collate "C" not null,
    why text,
    position bigint not null,
    failing_since timestamptz,
    created_at timestamptz not null,
    created_by uuid not null,
    changed_at timestamptz not null,
    primary key (tenant_id, id)
);

create table webhook_secrets (
    tenant_id uuid not null,
    id uuid not null,
    webhook_id uuid not null,
    sealed bytea not null,
    created_at timestamptz not null,
    expires_at timestamptz,
    primary key (tenant_id, id)
);
create index webhook_secrets_webhook on webhook_secrets (tenant_id, webhook_id, id);

create table deliveries (
    tenant_id uuid not null,
    id uuid not null,
    channel text collate "C" not null,
    target_id uuid not null,
    event_id uuid not null,
    kind text collate "C" not null,
    flow_id uuid not null,
    position bigint not null,
    part smallint not null,
    content text not null,
    state text collate "C" not null,
    attempts integer not null,
    created_at timestamptz not null,
    next_at timestamptz,
    leased_until timestamptz,
    leased_by uuid,
    ended_at timestamptz,
    why text,
    primary key (tenant_id, id)
);
create index deliveries_due on deliveries (next_at) where next_at is not null;
create index deliveries_order on deliveries (tenant_id, target_id, flow_id, position, part) where next_at is not null;
create index deliveries_target on deliveries (tenant_id, target_id, created_at, id);
create index deliveries_leased on deliveries (leased_by) where leased_by is not null;
create index deliveries_ended on deliveries (tenant_id, ended_at) where ended_at is not null;

create table attempts (
    tenant_id uuid not null,
    delivery_id uuid not null,
    no integer not null,
    at timestamptz not null,
    took_ms integer not null,
    status integer,
    outcome text collate "C" not null,
    request text not null,
    response text not null,
    primary key (tenant_id, delivery_id, no)
);

create table feed_readers (
    tenant_id uuid not null,
    id text collate "C" not null,
    position bigint not null,
    primary key (tenant_id, id)
);
insert into feed_readers (tenant_id, id, position) select tenant_id, 'notices', position from feeds;

create table messages (
    tenant_id uuid not null,
    person_id uuid not null,
    id uuid not null,
    kind text collate "C" not null,
    title text not null,
    body text not null,
    flow text collate "C" not null,
    flow_id uuid not null,
    at timestamptz not null,
    read_at timestamptz,
    primary key (tenant_id, person_id, id)
);
create index messages_unread on messages (tenant_id, person_id) where read_at is null;
create index messages_at on messages (tenant_id, at);

create table message_preferences (
    tenant_id uuid not null,
    person_id uuid not null,
    document text not null,
    changed_at timestamptz not null,
    primary key (tenant_id, person_id)
);

create table wechat_quotas (
    tenant_id uuid not null,
    person_id uuid not null,
    id text collate "C" not null,
    remaining integer not null,
    changed_at timestamptz not null,
    primary key (tenant_id, person_id, id)
);
