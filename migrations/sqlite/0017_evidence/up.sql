-- Evidence of removed records: from which position on the feed has no holes, the number of
-- disclosures and consents with the sum of their digests, and public halves of signing keys, which
-- outlive the secret ones.

-- Entries that lost a race left holes until now: so many up to this position, and none after it.
alter table feeds add column dense_from integer not null default 0;
alter table feeds add column holes integer not null default 0;
update feeds set dense_from = position, holes = position - (
    select count(*) from journal as j where j.tenant_id = feeds.tenant_id and j.position > 0
);

-- Where the log of a tenant began at the time when removals did not say so yet.
alter table audit_heads add column unsaid_seq integer not null default 0;
update audit_heads set unsaid_seq = base_seq;

create table tallies (
    tenant_id blob not null,
    class text not null,
    count integer not null,
    sum blob not null,
    primary key (tenant_id, class)
) strict, without rowid;

alter table signing_keys add column public blob;

-- The person whose key seals the points of a batch; none where they are unsealed, until they are
-- sealed.
alter table track_batches add column person_id blob;
create index track_batches_open on track_batches (tenant_id, patrol_id) where person_id is null;

-- Positions are kept for a shift at most: from now on they are stored again, sealed.
drop table positions;
create table positions (
    tenant_id blob not null,
    person_id blob not null,
    patrol_id blob not null,
    at integer not null,
    sealed blob not null,
    primary key (tenant_id, person_id)
) strict, without rowid;
create index positions_at on positions (tenant_id, at);
