-- What makes it noticed when something is taken away behind the scenes: from where on the feed has no holes, how many disclosures and consents there are with the sum of their digests, and public halves of signing keys, which outlive the secret ones.

-- Entries that lost a race left holes until now: so many up to this position, and none after it.
alter table feeds add column dense_from integer not null default 0;
alter table feeds add column holes integer not null default 0;
update feeds set dense_from = position, holes = position - (
    select count(*) from journal as j where j.tenant_id = feeds.tenant_id and j.position > 0
);

-- Where the log of a tenant began when removals did not say so yet.
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
