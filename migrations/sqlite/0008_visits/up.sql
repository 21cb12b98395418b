-- Households, visits, campaigns and forms. Their personal data is stored in personal, under keys of
-- its own; these tables have what they are listed and counted by.

create table households (
    tenant_id blob not null,
    id blob not null,
    seq integer not null,
    head blob not null,
    path text not null,
    building text,
    group_code text,
    special integer not null,
    standing text not null,
    registered_at integer not null,
    state text not null,
    primary key (tenant_id, id)
) strict, without rowid;
create index households_at on households (tenant_id, registered_at, id);
create index households_path on households (tenant_id, path, id);

-- The people who live there and can log in, and those who are responsible.
create table household_people (
    tenant_id blob not null,
    household_id blob not null,
    person_id blob not null,
    role text not null,
    from_at integer not null,
    until_at integer,
    primary key (tenant_id, household_id, person_id, role)
) strict, without rowid;
create index household_people_person on household_people (tenant_id, person_id, household_id);

create table visits (
    tenant_id blob not null,
    id blob not null,
    seq integer not null,
    head blob not null,
    household_id blob not null,
    campaign_id blob,
    worker_id blob,
    path text not null,
    status text not null,
    outcome text,
    made_at integer not null,
    state text not null,
    primary key (tenant_id, id)
) strict, without rowid;
create index visits_at on visits (tenant_id, made_at, id);
create index visits_household on visits (tenant_id, household_id, made_at, id);
create index visits_worker on visits (tenant_id, worker_id, made_at, id) where worker_id is not null;
create index visits_planned on visits (tenant_id, path, made_at, id) where status = 'planned';

create table campaigns (
    tenant_id blob not null,
    id blob not null,
    seq integer not null,
    head blob not null,
    path text not null,
    status text not null,
    made_at integer not null,
    state text not null,
    primary key (tenant_id, id)
) strict, without rowid;
create index campaigns_at on campaigns (tenant_id, made_at, id);

-- The lists of published campaigns, each household once.
create table campaign_households (
    tenant_id blob not null,
    campaign_id blob not null,
    household_id blob not null,
    grid_id blob not null,
    path text not null,
    worker_id blob,
    asked_at integer not null,
    visit_id blob,
    outcome text,
    visited_at integer,
    primary key (tenant_id, campaign_id, household_id)
) strict, without rowid;
create index campaign_households_open on campaign_households (tenant_id, campaign_id, grid_id) where outcome is null;
create index campaign_households_worker on campaign_households (tenant_id, worker_id, asked_at) where worker_id is not null;

create table forms (
    tenant_id blob not null,
    id blob not null,
    seq integer not null,
    head blob not null,
    code text not null,
    withdrawn integer not null,
    state text not null,
    primary key (tenant_id, id)
) strict, without rowid;
create unique index forms_code on forms (tenant_id, code);

-- The forms that a household answered; the answers are sealed under the identity of the row.
create table form_answers (
    tenant_id blob not null,
    id blob not null,
    household_id blob not null,
    form_id blob not null,
    edition integer not null,
    visit_id blob,
    by_id blob not null,
    at integer not null,
    primary key (tenant_id, id)
) strict, without rowid;
create index form_answers_household on form_answers (tenant_id, household_id, at, id);

-- The work that every entry took the person who made it.
create table burden (
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
create index burden_person on burden (tenant_id, person_id, at);

alter table disclosures add column household_id blob;
