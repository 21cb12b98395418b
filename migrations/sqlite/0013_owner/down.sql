drop table deferred_debts;

create table personal_keys_new (
    tenant_id blob not null,
    subject_id blob not null,
    kind text not null,
    key_id text not null,
    wrapped blob,
    created_at integer not null,
    destroyed_at integer,
    primary key (tenant_id, subject_id)
) strict, without rowid;
insert into personal_keys_new (tenant_id, subject_id, kind, key_id, wrapped, created_at, destroyed_at) select tenant_id, subject_id, kind, key_id, wrapped, created_at, destroyed_at from personal_keys;
drop table personal_keys;
alter table personal_keys_new rename to personal_keys;

create table personal_new (
    tenant_id blob not null,
    subject_id blob not null,
    field text not null,
    sealed blob not null,
    blind blob,
    updated_at integer not null,
    primary key (tenant_id, subject_id, field)
) strict, without rowid;
insert into personal_new (tenant_id, subject_id, field, sealed, blind, updated_at) select tenant_id, subject_id, field, sealed, blind, updated_at from personal;
drop table personal;
alter table personal_new rename to personal;
create index personal_blind on personal (tenant_id, field, blind) where blind is not null;

create table media_links_new (
    tenant_id blob not null,
    media_id blob not null,
    flow_id blob not null,
    kind text not null,
    by_id blob not null,
    at integer not null,
    primary key (tenant_id, media_id, flow_id)
) strict, without rowid;
insert into media_links_new (tenant_id, media_id, flow_id, kind, by_id, at) select tenant_id, media_id, flow_id, kind, by_id, at from media_links;
drop table media_links;
alter table media_links_new rename to media_links;

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
    primary key (tenant_id, flow_id, seq)
) strict, without rowid;
insert into burden_new (tenant_id, flow_id, seq, person_id, path, what, at, required, typed, reused, repeated, photos) select tenant_id, flow_id, seq, person_id, path, what, at, required, typed, reused, repeated, photos from burden;
drop table burden;
alter table burden_new rename to burden;
create index burden_person on burden (tenant_id, person_id, at);

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
    primary key (tenant_id, flow_id, no, duty, unit_id)
) strict, without rowid;
insert into obligations_new (tenant_id, flow_id, no, duty, unit_id, flow, number, title, unit_name, started_at, due_at, term, settled_at, outcome, next_at) select tenant_id, flow_id, no, duty, unit_id, flow, number, title, unit_name, started_at, due_at, term, settled_at, outcome, next_at from obligations;
drop table obligations;
alter table obligations_new rename to obligations;
create index obligations_open on obligations (tenant_id, unit_id, due_at, flow_id, duty, no)
    where settled_at is null;
create index obligations_next on obligations (next_at, tenant_id, flow_id)
    where settled_at is null and next_at is not null;

create table arrivals_new (
    tenant_id blob not null,
    command_id blob not null,
    client_at integer not null,
    happened_at integer not null,
    skew_ms integer not null,
    received_at integer not null,
    flags text not null,
    primary key (tenant_id, command_id)
) strict, without rowid;
insert into arrivals_new (tenant_id, command_id, client_at, happened_at, skew_ms, received_at, flags) select tenant_id, command_id, client_at, happened_at, skew_ms, received_at, flags from arrivals;
drop table arrivals;
alter table arrivals_new rename to arrivals;

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
    primary key (tenant_id, flow_id, seq)
) strict, without rowid;
insert into journal_new (tenant_id, flow_id, seq, flow, command_id, part, name, digest, actor_id, actor_name, at, events, hash, position) select tenant_id, flow_id, seq, flow, command_id, part, name, digest, actor_id, actor_name, at, events, hash, position from journal;
drop table journal;
alter table journal_new rename to journal;
create unique index journal_command on journal (tenant_id, command_id, part);
create unique index journal_position on journal (tenant_id, position);
