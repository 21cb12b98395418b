-- Personal data: each subject has a key of its own, stored wrapped by a master key that is not in
-- the database; erasing is destroying that key. Actions that matter for security stand in a chain
-- per tenant.

create table personal_keys (
    tenant_id blob not null,
    subject_id blob not null,
    kind text not null,
    key_id text not null,
    wrapped blob,
    created_at integer not null,
    destroyed_at integer,
    primary key (tenant_id, subject_id)
) strict, without rowid;

create table personal (
    tenant_id blob not null,
    subject_id blob not null,
    field text not null,
    sealed blob not null,
    blind blob,
    updated_at integer not null,
    primary key (tenant_id, subject_id, field)
) strict, without rowid;
create index personal_blind on personal (tenant_id, field, blind) where blind is not null;

create table disclosures (
    tenant_id blob not null,
    id blob not null,
    person_id blob,
    report_id blob,
    by_id blob not null,
    by_name text not null,
    fields text not null,
    purpose text not null,
    reason text not null,
    at integer not null,
    digest blob not null,
    primary key (tenant_id, id)
) strict, without rowid;
create index disclosures_at on disclosures (tenant_id, at, id);
create index disclosures_person on disclosures (tenant_id, person_id, at, id) where person_id is not null;

create table consents (
    tenant_id blob not null,
    id blob not null,
    person_id blob not null,
    purpose text not null,
    answer text not null,
    version text not null,
    edition integer not null,
    at integer not null,
    digest blob not null,
    primary key (tenant_id, id)
) strict, without rowid;
create index consents_person on consents (tenant_id, person_id, at, id);

create table audit (
    tenant_id blob not null,
    seq integer not null,
    at integer not null,
    act text not null,
    verdict text not null,
    actor_id blob,
    actor_name text not null,
    subject_id blob,
    address text not null,
    detail text not null,
    hash blob not null,
    primary key (tenant_id, seq)
) strict, without rowid;
create index audit_actor on audit (tenant_id, actor_id, seq) where actor_id is not null;
create index audit_subject on audit (tenant_id, subject_id, seq) where subject_id is not null;

create table audit_heads (
    tenant_id blob not null,
    seq integer not null,
    head blob not null,
    base_seq integer not null,
    base_head blob not null,
    primary key (tenant_id)
) strict, without rowid;

create table retention_runs (
    tenant_id blob not null,
    class text not null,
    ran_at integer not null,
    cutoff integer not null,
    removed integer not null,
    total integer not null,
    primary key (tenant_id, class)
) strict, without rowid;

create index sessions_expired on sessions (tenant_id, expires_at);

-- Telephone numbers bound by WeChat are stored in personal.
drop table person_phones;
