-- Output to other parties: webhooks with their own position in the feed, deliveries until they are
-- final, every attempt, messages to people, and the position up to which the feed was read for
-- these.

create table webhooks (
    tenant_id blob not null,
    id blob not null,
    name text not null,
    url text not null,
    area_id blob not null,
    path text not null,
    types text not null,
    envelope text not null,
    status text not null,
    why text,
    position integer not null,
    failing_since integer,
    created_at integer not null,
    created_by blob not null,
    changed_at integer not null,
    primary key (tenant_id, id)
) strict, without rowid;

create table webhook_secrets (
    tenant_id blob not null,
    id blob not null,
    webhook_id blob not null,
    sealed blob not null,
    created_at integer not null,
    expires_at integer,
    primary key (tenant_id, id)
) strict, without rowid;
create index webhook_secrets_webhook on webhook_secrets (tenant_id, webhook_id, id);

create table deliveries (
    tenant_id blob not null,
    id blob not null,
    channel text not null,
    target_id blob not null,
    event_id blob not null,
    kind text not null,
    flow_id blob not null,
    position integer not null,
    part integer not null,
    content text not null,
    state text not null,
    attempts integer not null,
    created_at integer not null,
    next_at integer,
    leased_until integer,
    leased_by blob,
    ended_at integer,
    why text,
    primary key (tenant_id, id)
) strict, without rowid;
create index deliveries_due on deliveries (next_at) where next_at is not null;
create index deliveries_order on deliveries (tenant_id, target_id, flow_id, position, part) where next_at is not null;
create index deliveries_target on deliveries (tenant_id, target_id, created_at, id);
create index deliveries_leased on deliveries (leased_by) where leased_by is not null;
create index deliveries_ended on deliveries (tenant_id, ended_at) where ended_at is not null;

create table attempts (
    tenant_id blob not null,
    delivery_id blob not null,
    no integer not null,
    at integer not null,
    took_ms integer not null,
    status integer,
    outcome text not null,
    request text not null,
    response text not null,
    primary key (tenant_id, delivery_id, no)
) strict, without rowid;

create table feed_readers (
    tenant_id blob not null,
    id text not null,
    position integer not null,
    primary key (tenant_id, id)
) strict, without rowid;
insert into feed_readers (tenant_id, id, position) select tenant_id, 'notices', position from feeds;

create table messages (
    tenant_id blob not null,
    person_id blob not null,
    id blob not null,
    kind text not null,
    title text not null,
    body text not null,
    flow text not null,
    flow_id blob not null,
    at integer not null,
    read_at integer,
    primary key (tenant_id, person_id, id)
) strict, without rowid;
create index messages_unread on messages (tenant_id, person_id) where read_at is null;
create index messages_at on messages (tenant_id, at);

create table message_preferences (
    tenant_id blob not null,
    person_id blob not null,
    document text not null,
    changed_at integer not null,
    primary key (tenant_id, person_id)
) strict, without rowid;

create table wechat_quotas (
    tenant_id blob not null,
    person_id blob not null,
    id text not null,
    remaining integer not null,
    changed_at integer not null,
    primary key (tenant_id, person_id, id)
) strict, without rowid;
