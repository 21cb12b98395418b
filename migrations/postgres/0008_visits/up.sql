-- Households, visits, campaigns and forms. Their personal data is stored in personal, under keys of
-- its own; these tables have what they are listed and counted by.

create table households (
    tenant_id uuid not null,
    id uuid not null,
    seq bigint not null,
    head bytea not null,
    path text collate "C" not null,
    building text,
    group_code text collate "C",
    special smallint not null,
    standing text collate "C" not null,
    registered_at timestamptz not null,
    state text not null,
    primary key (tenant_id, id)
);
create index households_at on households (tenant_id, registered_at, id);
create index households_path on households (tenant_id, path, id);

-- The people who live there and can log in, and those who are responsible.
create table household_people (
    tenant_id uuid not null,
    household_id uuid not null,
    person_id uuid not null,
    role text collate "C" not null,
    from_at timestamptz not null,
    until_at timestamptz,
    primary key (tenant_id, household_id, person_id, role)
);
create index household_people_person on household_people (tenant_id, person_id, household_id);

create table visits (
    tenant_id uuid not null,
    id uuid not null,
    seq bigint not null,
    head bytea not null,
    household_id uuid not null,
    campaign_id uuid,
    worker_id uuid,
    path text collate "C" not null,
    status text collate "C" not null,
    outcome text collate "C",
    made_at timestamptz not null,
    state text not null,
    primary key (tenant_id, id)
);
create index visits_at on visits (tenant_id, made_at, id);
create index visits_household on visits (tenant_id, household_id, made_at, id);
create index visits_worker on visits (tenant_id, worker_id, made_at, id) where worker_id is not null;
create index visits_planned on visits (tenant_id, path, made_at, id) where status = 'planned';

create table campaigns (
    tenant_id uuid not null,
    id uuid not null,
    seq bigint not null,
    head bytea not null,
    path text collate "C" not null,
    status text collate "C" not null,
    made_at timestamptz not null,
    state text not null,
    primary key (tenant_id, id)
);
create index campaigns_at on campaigns (tenant_id, made_at, id);

-- The lists of published campaigns, each household once.
create table campaign_households (
    tenant_id uuid not null,
    campaign_id uuid not null,
    household_id uuid not null,
    grid_id uuid not null,
    path text collate "C" not null,
    worker_id uuid,
    asked_at timestamptz not null,
    visit_id uuid,
    outcome text collate "C",
    visited_at timestamptz,
    primary key (tenant_id, campaign_id, household_id)
);
create index campaign_households_open on campaign_households (tenant_id, campaign_id, grid_id) where outcome is null;
create index campaign_households_worker on campaign_households (tenant_id, worker_id, asked_at) where worker_id is not null;

create table forms (
    tenant_id uuid not null,
    id uuid not null,
    seq bigint not null,
    head bytea not null,
    code text collate "C" not null,
    withdrawn smallint not null,
    state text not null,
    primary key (tenant_id, id)
);
create unique index forms_code on forms (tenant_id, code);

-- The forms that a household answered; the answers are sealed under the identity of the row.
create table form_answers (
    tenant_id uuid not null,
    id uuid not null,
    household_id uuid not null,
    form_id uuid not null,
    edition bigint not null,
    visit_id uuid,
    by_id uuid not null,
    at timestamptz not null,
    primary key (tenant_id, id)
);
create index form_answers_household on form_answers (tenant_id, household_id, at, id);

-- The work that every entry took the person who made it.
create table burden (
    tenant_id uuid not null,
    flow_id uuid not null,
    seq bigint not null,
    person_id uuid not null,
    path text collate "C" not null,
    what text collate "C" not null,
    at timestamptz not null,
    required smallint not null,
    typed smallint not null,
    reused smallint not null,
    repeated smallint not null,
    photos smallint not null,
    primary key (tenant_id, flow_id, seq)
);
create index burden_person on burden (tenant_id, person_id, at);

alter table disclosures add column household_id uuid;
