-- Evidence of removed records: from which position on the feed has no holes, the number of
-- disclosures and consents with the sum of their digests, and public halves of signing keys, which
-- outlive the secret ones.

-- Entries that lost a race left holes until now: so many up to this position, and none after it.
alter table feeds add column dense_from bigint not null default 0;
alter table feeds add column holes bigint not null default 0;
update feeds set dense_from = position, holes = position - (
    select count(*) from journal as j where j.tenant_id = feeds.tenant_id and j.position > 0
);

-- Where the log of a tenant began at the time when removals did not say so yet.
alter table audit_heads add column unsaid_seq bigint not null default 0;
update audit_heads set unsaid_seq = base_seq;

create table tallies (
    tenant_id uuid not null,
    class text collate "C" not null,
    count bigint not null,
    sum bytea not null,
    primary key (tenant_id, class)
);

alter table signing_keys add column public bytea;

-- The person whose key seals the points of a batch; none where they are unsealed, until they are
-- sealed.
alter table track_batches add column person_id uuid;
create index track_batches_open on track_batches (tenant_id, patrol_id) where person_id is null;

-- Positions are kept for a shift at most: from now on they are stored again, sealed.
drop table positions;
create table positions (
    tenant_id uuid not null,
    person_id uuid not null,
    patrol_id uuid not null,
    at timestamptz not null,
    sealed bytea not null,
    primary key (tenant_id, person_id)
) with (fillfactor = 50);
create index positions_at on positions (tenant_id, at);
