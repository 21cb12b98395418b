-- The founding tables. Rows that are updated often leave room for it in their page, and are neither
-- compressed nor moved out of it. Every key leads with tenant_id; text that orders or scopes is in
-- C order.

create table signing_keys (
    id uuid not null,
    secret bytea not null,
    created_at timestamptz not null,
    primary key (id)
);

create table tenants (
    tenant_id uuid not null,
    code text collate "C" not null,
    name text not null,
    rules text not null,
    created_at timestamptz not null,
    primary key (tenant_id)
);
create unique index tenants_code on tenants (code);

create table areas (
    tenant_id uuid not null,
    id uuid not null,
    parent_id uuid,
    kind text collate "C" not null,
    code text collate "C" not null,
    name text not null,
    path text collate "C" not null,
    boundary text,
    created_at timestamptz not null,
    primary key (tenant_id, id),
    foreign key (tenant_id) references tenants (tenant_id),
    foreign key (tenant_id, parent_id) references areas (tenant_id, id)
);
create unique index areas_code on areas (tenant_id, code);

create table journal (
    tenant_id uuid not null,
    flow_id uuid not null,
    seq bigint not null,
    flow text collate "C" not null,
    command_id uuid not null,
    part smallint not null,
    name text collate "C" not null,
    digest bytea not null,
    actor_id uuid not null,
    actor_name text not null,
    at timestamptz not null,
    events text not null,
    hash bytea not null,
    primary key (tenant_id, flow_id, seq)
);
create unique index journal_command on journal (tenant_id, command_id, part);

create table reports (
    tenant_id uuid not null,
    id uuid not null,
    seq bigint not null,
    head bytea not null,
    number text collate "C" not null,
    status text collate "C" not null,
    path text collate "C" not null,
    reporter_id uuid not null,
    case_id uuid,
    received_at timestamptz not null,
    state text not null,
    primary key (tenant_id, id)
) with (fillfactor = 75, toast_tuple_target = 8160);
create index reports_reporter on reports (tenant_id, reporter_id, received_at, id);
create index reports_received on reports (tenant_id, received_at, id);

create table cases (
    tenant_id uuid not null,
    id uuid not null,
    seq bigint not null,
    head bytea not null,
    number text collate "C" not null,
    stage text collate "C" not null,
    path text collate "C" not null,
    holder_id uuid not null,
    category text collate "C",
    urgency text collate "C" not null,
    title text not null,
    filed_at timestamptz not null,
    closed_at timestamptz,
    state text not null,
    primary key (tenant_id, id)
) with (fillfactor = 75, toast_tuple_target = 8160);
create index cases_filed on cases (tenant_id, filed_at, id);
create index cases_open on cases (tenant_id, path, filed_at, id) where closed_at is null;

create table case_units (
    tenant_id uuid not null,
    unit_id uuid not null,
    case_id uuid not null,
    primary key (tenant_id, unit_id, case_id)
);

create table obligations (
    tenant_id uuid not null,
    flow_id uuid not null,
    no bigint not null,
    duty text collate "C" not null,
    unit_id uuid not null,
    flow text collate "C" not null,
    number text collate "C" not null,
    title text not null,
    unit_name text not null,
    started_at timestamptz not null,
    due_at timestamptz not null,
    term text not null,
    settled_at timestamptz,
    outcome text collate "C",
    primary key (tenant_id, flow_id, no, duty, unit_id)
) with (fillfactor = 75, toast_tuple_target = 8160);
create index obligations_open on obligations (tenant_id, unit_id, due_at, flow_id, duty, no)
    where settled_at is null;

create table people (
    tenant_id uuid not null,
    id uuid not null,
    seq bigint not null,
    head bytea not null,
    account text collate "C" not null,
    name text not null,
    state text not null,
    primary key (tenant_id, id),
    foreign key (tenant_id) references tenants (tenant_id)
);
create unique index people_account on people (tenant_id, account);

create table passwords (
    tenant_id uuid not null,
    person_id uuid not null,
    hash text not null,
    changed_at timestamptz not null,
    primary key (tenant_id, person_id),
    foreign key (tenant_id, person_id) references people (tenant_id, id)
);

create table sessions (
    tenant_id uuid not null,
    id uuid not null,
    person_id uuid not null,
    refresh_hash bytea not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    revoked_at timestamptz,
    primary key (tenant_id, id),
    foreign key (tenant_id, person_id) references people (tenant_id, id)
);
create unique index sessions_refresh on sessions (tenant_id, refresh_hash);
create index sessions_person on sessions (tenant_id, person_id);
