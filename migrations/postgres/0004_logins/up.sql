-- Logins: keys with a life cycle, sessions that can be listed, second factors, identities at
-- providers, and clients that are programs.

drop table signing_keys;
create table signing_keys (
    id uuid not null,
    purpose text not null,
    secret bytea not null,
    created_at timestamptz not null,
    activated_at timestamptz not null,
    retired_at timestamptz,
    primary key (id)
);

alter table sessions add column method text not null default 'password';
alter table sessions add column device text not null default '';
alter table sessions add column address text not null default '';
alter table sessions add column used_at timestamptz not null default 'epoch';
alter table sessions add column previous_hash bytea;
alter table sessions add column rotated_at timestamptz;
alter table sessions add column restriction text;
alter table sessions add column ended text;
update sessions set used_at = created_at;

create table second_factors (
    tenant_id uuid not null,
    person_id uuid not null,
    secret bytea not null,
    created_at timestamptz not null,
    confirmed_at timestamptz,
    last_step bigint not null,
    primary key (tenant_id, person_id),
    foreign key (tenant_id, person_id) references people (tenant_id, id)
);

create table recovery_codes (
    tenant_id uuid not null,
    person_id uuid not null,
    digest bytea not null,
    used_at timestamptz,
    primary key (tenant_id, person_id, digest),
    foreign key (tenant_id, person_id) references people (tenant_id, id)
);

create table identities (
    tenant_id uuid not null,
    provider text collate "C" not null,
    subject text collate "C" not null,
    person_id uuid not null,
    secret bytea,
    linked_at timestamptz not null,
    primary key (tenant_id, provider, subject),
    foreign key (tenant_id, person_id) references people (tenant_id, id)
);
create index identities_person on identities (tenant_id, person_id);

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

create table outside_tokens (
    id text not null,
    token bytea,
    expires_at timestamptz,
    leased_until timestamptz,
    primary key (id)
);

create table clients (
    tenant_id uuid not null,
    id uuid not null,
    name text not null,
    scopes text not null,
    per_minute bigint not null,
    created_at timestamptz not null,
    created_by uuid not null,
    disabled_at timestamptz,
    primary key (tenant_id, id),
    foreign key (tenant_id, id) references people (tenant_id, id)
);

create table client_secrets (
    tenant_id uuid not null,
    id uuid not null,
    client_id uuid not null,
    kind text not null,
    digest bytea not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    used_at timestamptz,
    revoked_at timestamptz,
    primary key (tenant_id, id),
    foreign key (tenant_id, client_id) references clients (tenant_id, id)
);
create index client_secrets_client on client_secrets (tenant_id, client_id, id);
