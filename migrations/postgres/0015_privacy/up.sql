-- Who agreed that a webhook receives texts, and the verified telephone numbers: stored as the
-- digests that numbers are looked up by.
alter table webhooks add column approved_by uuid;
alter table webhooks add column approved_at timestamptz;

create table verified_phones (
    tenant_id uuid not null,
    person_id uuid not null,
    blind bytea not null,
    at timestamptz not null,
    primary key (tenant_id, person_id)
);
