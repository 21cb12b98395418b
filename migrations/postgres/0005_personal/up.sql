-- Personal data: each subject has a key of its own, stored wrapped by a master key that is not in
-- the database; erasing is destroying that key. Actions that matter for security stand in a chain
-- per tenant.

create table personal_keys (
    tenant_id uuid not null,
    subject_id uuid not null,
    kind text collate "C" not null,
    key_id text collate "C" not null,
    wrapped bytea,
    created_at timestamptz not null,
    destroyed_at timestamptz,
    primary key (tenant_id, subject_id)
);

create table personal (
    tenant_id uuid not null,
    subject_id uuid not null,
    field text collate "C" not null,
    sealed bytea not null,
    blind bytea,
    updated_at timestamptz not null,
    primary key (tenant_id, subject_id, field)
);
create index personal_blind on personal (tenant_id, field, blind) where blind is not null;

create table disclosures (
    tenant_id uuid not null,
    id uuid not null,
    person_id uuid,
    report_id uuid,
    by_id uuid not null,
    by_name text not null,
    fields text not null,
    purpose text collate "C" not null,
    reason text not null,
    at timestamptz not null,
    digest bytea not null,
    primary key (tenant_id, id)
);
create index disclosures_at on disclosures (tenant_id, at, id);
create index disclosures_person on disclosures (tenant_id, person_id, at, id) where person_id is not null;

create table consents (
    tenant_id uuid not null,
    id uuid not null,
    person_id uuid not null,
    purpose text collate "C" not null,
    answer text collate "C" not null,
    version text collate "C" not null,
    edition bigint not null,
    at timestamptz not null,
    digest bytea not null,
    primary key (tenant_id, id)
);
create index consents_person on consents (tenant_id, person_id, at, id);

create table audit (
    tenant_id uuid not null,
    seq bigint not null,
    at timestamptz not null,
    act text collate "C" not null,
    verdict text collate "C" not null,
    actor_id uuid,
    actor_name text not null,
    subject_id uuid,
    address text not null,
    detail text not null,
    hash bytea not null,
    primary key (tenant_id, seq)
);
create index audit_actor on audit (tenant_id, actor_id, seq) where actor_id is not null;
create index audit_subject on audit (tenant_id, subject_id, seq) where subject_id is not null;

create table audit_heads (
    tenant_id uuid not null,
    seq bigint not null,
    head bytea not null,
    base_seq bigint not null,
    base_head bytea not null,
    primary key (tenant_id)
);

create table retention_runs (
    tenant_id uuid not null,
    class text collate "C" not null,
    ran_at timestamptz not null,
    cutoff timestamptz not null,
    removed bigint not null,
    total bigint not null,
    primary key (tenant_id, class)
);

create index sessions_expired on sessions (tenant_id, expires_at);

-- Telephone numbers bound by WeChat are stored in personal.
drop table person_phones;
