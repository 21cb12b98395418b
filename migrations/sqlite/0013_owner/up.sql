-- Identities and keys have an owner: a journal belongs to one kind of flow, a command to its actor,
-- a key of personal data to one kind of subject. So what one caller names takes nothing from
-- another. SQLite changes no primary key in place: each table is created again.

create table journal_new (
    tenant_id blob not null,
    flow_id blob not null,
    seq integer not null,
    flow text not null,
    command_id blob not null,
    part integer not null,
    name text not null,
    digest blob not null,
    actor_id blob not null,
    actor_name text not null,
    at integer not null,
    events text not null,
    hash blob not null,
    position integer not null,
    primary key (tenant_id, flow_id, flow, seq)
) strict, without rowid;
insert into journal_new (tenant_id, flow_id, seq, flow, command_id, part, name, digest, actor_id, actor_name, at, events, hash, position) select tenant_id, flow_id, seq, flow, command_id, part, name, digest, actor_id, actor_name, at, events, hash, position from journal;
drop table journal;
alter table journal_new rename to journal;
create unique index journal_command on journal (tenant_id, command_id, actor_id, part);
create unique index journal_position on journal (tenant_id, position);

create table arrivals_new (
    tenant_id blob not null,
    command_id blob not null,
    client_at integer not null,
    happened_at integer not null,
    skew_ms integer not null,
    received_at integer not null,
    flags text not null,
    actor_id blob not null,
    primary key (tenant_id, command_id, actor_id)
) strict, without rowid;
insert into arrivals_new (tenant_id, command_id, client_at, happened_at, skew_ms, received_at, flags, actor_id)
    select o.tenant_id, o.command_id, o.client_at, o.happened_at, o.skew_ms, o.received_at, o.flags, j.actor_id
    from arrivals as o join (select distinct tenant_id, command_id, actor_id from journal) as j on j.tenant_id = o.tenant_id and j.command_id = o.command_id;
drop table arrivals;
alter table arrivals_new rename to arrivals;

create table obligations_new (
    tenant_id blob not null,
    flow_id blob not null,
    no integer not null,
    duty text not null,
    unit_id blob not null,
    flow text not null,
    number text not null,
    title text not null,
    unit_name text not null,
    started_at integer not null,
    due_at integer not null,
    term text not null,
    settled_at integer,
    outcome text,
    next_at integer,
    primary key (tenant_id, flow_id, flow, no, duty, unit_id)
) strict, without rowid;
insert into obligations_new (tenant_id, flow_id, no, duty, unit_id, flow, number, title, unit_name, started_at, due_at, term, settled_at, outcome, next_at) select tenant_id, flow_id, no, duty, unit_id, flow, number, title, unit_name, started_at, due_at, term, settled_at, outcome, next_at from obligations;
drop table obligations;
alter table obligations_new rename to obligations;
create index obligations_open on obligations (tenant_id, unit_id, due_at, flow_id, duty, no)
    where settled_at is null;
create index obligations_next on obligations (next_at, tenant_id, flow_id)
    where settled_at is null and next_at is not null;

create table burden_new (
    tenant_id blob not null,
    flow_id blob not null,
    seq integer not null,
    person_id blob not null,
    path text not null,
    what text not null,
    at integer not null,
    required integer not null,
    typed integer not null,
    reused integer not null,
    repeated integer not null,
    photos integer not null,
    flow text not null,
    primary key (tenant_id, flow_id, flow, seq)
) strict, without rowid;
insert into burden_new (tenant_id, flow_id, seq, person_id, path, what, at, required, typed, reused, repeated, photos, flow)
    select o.tenant_id, o.flow_id, o.seq, o.person_id, o.path, o.what, o.at, o.required, o.typed, o.reused, o.repeated, o.photos, j.flow
    from burden as o join journal as j on j.tenant_id = o.tenant_id and j.flow_id = o.flow_id and j.seq = o.seq;
drop table burden;
alter table burden_new rename to burden;
create index burden_person on burden (tenant_id, person_id, at);

create table media_links_new (
    tenant_id blob not null,
    media_id blob not null,
    flow_id blob not null,
    kind text not null,
    by_id blob not null,
    at integer not null,
    primary key (tenant_id, media_id, flow_id, kind)
) strict, without rowid;
insert into media_links_new (tenant_id, media_id, flow_id, kind, by_id, at) select tenant_id, media_id, flow_id, kind, by_id, at from media_links;
drop table media_links;
alter table media_links_new rename to media_links;

create table personal_new (
    tenant_id blob not null,
    subject_id blob not null,
    field text not null,
    sealed blob not null,
    blind blob,
    updated_at integer not null,
    kind text not null,
    primary key (tenant_id, subject_id, kind, field)
) strict, without rowid;
insert into personal_new (tenant_id, subject_id, field, sealed, blind, updated_at, kind)
    select o.tenant_id, o.subject_id, o.field, o.sealed, o.blind, o.updated_at, k.kind
    from personal as o join personal_keys as k on k.tenant_id = o.tenant_id and k.subject_id = o.subject_id;
drop table personal;
alter table personal_new rename to personal;
create index personal_blind on personal (tenant_id, field, blind) where blind is not null;

create table personal_keys_new (
    tenant_id blob not null,
    subject_id blob not null,
    kind text not null,
    key_id text not null,
    wrapped blob,
    created_at integer not null,
    destroyed_at integer,
    primary key (tenant_id, subject_id, kind)
) strict, without rowid;
insert into personal_keys_new (tenant_id, subject_id, kind, key_id, wrapped, created_at, destroyed_at) select tenant_id, subject_id, kind, key_id, wrapped, created_at, destroyed_at from personal_keys;
drop table personal_keys;
alter table personal_keys_new rename to personal_keys;

-- Debts whose measure failed: stepped over until they are tried again.
create table deferred_debts (
    tenant_id blob not null,
    flow_id blob not null,
    flow text not null,
    no integer not null,
    duty text not null,
    unit_id blob not null,
    next_at integer not null,
    failures integer not null,
    retry_at integer not null,
    why text not null,
    primary key (tenant_id, flow_id, flow, no, duty, unit_id)
) strict, without rowid;
