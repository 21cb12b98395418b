-- Logins: keys with a life cycle, sessions that can be listed, second factors, identities at
-- providers, and clients that are programs.

drop table signing_keys;
create table signing_keys (
    id blob not null,
    purpose text not null,
    secret blob not null,
    created_at integer not null,
    activated_at integer not null,
    retired_at integer,
    primary key (id)
) strict, without rowid;

alter table sessions add column method text not null default 'password';
alter table sessions add column device text not null default '';
alter table sessions add column address text not null default '';
alter table sessions add column used_at integer not null default 0;
alter table sessions add column previous_hash blob;
alter table sessions add column rotated_at integer;
alter table sessions add column restriction text;
alter table sessions add column ended text;
update sessions set used_at = created_at;

create table second_factors (
    tenant_id blob not null,
    person_id blob not null,
    secret blob not null,
    created_at integer not null,
    confirmed_at integer,
    last_step integer not null,
    primary key (tenant_id, person_id),
    foreign key (tenant_id, person_id) references people (tenant_id, id)
) strict, without rowid;

create table recovery_codes (
    tenant_id blob not null,
    person_id blob not null,
    digest blob not null,
    used_at integer,
    primary key (tenant_id, person_id, digest),
    foreign key (tenant_id, person_id) references people (tenant_id, id)
) strict, without rowid;

create table identities (
    tenant_id blob not null,
    provider text not null,
    subject text not null,
    person_id blob not null,
    secret blob,
    linked_at integer not null,
    primary key (tenant_id, provider, subject),
    foreign key (tenant_id, person_id) references people (tenant_id, id)
) strict, without rowid;
create index identities_person on identities (tenant_id, person_id);

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

create table outside_tokens (
    id text not null,
    token blob,
    expires_at integer,
    leased_until integer,
    primary key (id)
) strict, without rowid;

create table clients (
    tenant_id blob not null,
    id blob not null,
    name text not null,
    scopes text not null,
    per_minute integer not null,
    created_at integer not null,
    created_by blob not null,
    disabled_at integer,
    primary key (tenant_id, id),
    foreign key (tenant_id, id) references people (tenant_id, id)
) strict, without rowid;

create table client_secrets (
    tenant_id blob not null,
    id blob not null,
    client_id blob not null,
    kind text not null,
    digest blob not null,
    created_at integer not null,
    expires_at integer not null,
    used_at integer,
    revoked_at integer,
    primary key (tenant_id, id),
    foreign key (tenant_id, client_id) references clients (tenant_id, id)
) strict, without rowid;
create index client_secrets_client on client_secrets (tenant_id, client_id, id);
