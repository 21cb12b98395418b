-- Who agreed that a webhook receives texts, and the verified telephone numbers: stored as the
-- digests that numbers are looked up by.
alter table webhooks add column approved_by blob;
alter table webhooks add column approved_at integer;

create table verified_phones (
    tenant_id blob not null,
    person_id blob not null,
    blind blob not null,
    at integer not null,
    primary key (tenant_id, person_id)
) strict, without rowid;
