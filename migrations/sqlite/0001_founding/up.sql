-- The founding tables. Every key leads with tenant_id. Ids are 16-byte blobs, times are
-- microseconds since 1970, documents are JSON text.

create table signing_keys (
    id blob not null,
    secret blob not null,
    created_at integer not null,
    primary key (id)
) strict, without rowid;

create table tenants (
    tenant_id blob not null,
    code text not null,
    name text not null,
    rules text not null,
    created_at integer not null,
    primary key (tenant_id)
) strict, without rowid;
create unique index tenants_code on tenants (code);

create table areas (
    tenant_id blob not null,
    id blob not null,
    parent_id blob,
    kind text not null,
    code text not null,
    name text not null,
    path text not null,
    boundary text,
    created_at integer not null,
    primary key (tenant_id, id),
    foreign key (tenant_id) references tenants (tenant_id),
    foreign key (tenant_id, parent_id) references areas (tenant_id, id)
) strict, without rowid;
create unique index areas_code on areas (tenant_id, code);

create table journal (
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
    primary key (tenant_id, flow_id, seq)
) strict, without rowid;
create unique index journal_command on journal (tenant_id, command_id, part);

create table reports (
    tenant_id blob not null,
    id blob not null,
    seq integer not null,
    head blob not null,
    number text not null,
    status text not null,
    path text not null,
    reporter_id blob not null,
    case_id blob,
    received_at integer not null,
    state text not null,
    primary key (tenant_id, id)
) strict, without rowid;
create index reports_reporter on reports (tenant_id, reporter_id, received_at, id);
create index reports_received on reports (tenant_id, received_at, id);

create table cases (
    tenant_id blob not null,
    id blob not null,
    seq integer not null,
    head blob not null,
    number text not null,
    stage text not null,
    path text not null,
    holder_id blob not null,
    category text,
    urgency text not null,
    title text not null,
    filed_at integer not null,
    closed_at integer,
    state text not null,
    primary key (tenant_id, id)
) strict, without rowid;
create index cases_filed on cases (tenant_id, filed_at, id);
create index cases_open on cases (tenant_id, path, filed_at, id) where closed_at is null;

create table case_units (
    tenant_id blob not null,
    unit_id blob not null,
    case_id blob not null,
    primary key (tenant_id, unit_id, case_id)
) strict, without rowid;

create table obligations (
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
    primary key (tenant_id, flow_id, no, duty, unit_id)
) strict, without rowid;
create index obligations_open on obligations (tenant_id, unit_id, due_at, flow_id, duty, no)
    where settled_at is null;

create table people (
    tenant_id blob not null,
    id blob not null,
    seq integer not null,
    head blob not null,
    account text not null,
    name text not null,
    state text not null,
    primary key (tenant_id, id),
    foreign key (tenant_id) references tenants (tenant_id)
) strict, without rowid;
create unique index people_account on people (tenant_id, account);

create table passwords (
    tenant_id blob not null,
    person_id blob not null,
    hash text not null,
    changed_at integer not null,
    primary key (tenant_id, person_id),
    foreign key (tenant_id, person_id) references people (tenant_id, id)
) strict, without rowid;

create table sessions (
    tenant_id blob not null,
    id blob not null,
    person_id blob not null,
    refresh_hash blob not null,
    created_at integer not null,
    expires_at integer not null,
    revoked_at integer,
    primary key (tenant_id, id),
    foreign key (tenant_id, person_id) references people (tenant_id, id)
) strict, without rowid;
create unique index sessions_refresh on sessions (tenant_id, refresh_hash);
create index sessions_person on sessions (tenant_id, person_id);
