-- The journal in the order of its commits: every entry has its position in the feed of its tenant.
-- A writer takes positions first and holds the row until the commit, so no position becomes visible
-- after a higher one.

create table feeds (
    tenant_id uuid not null,
    position bigint not null,
    primary key (tenant_id)
) with (fillfactor = 50);

alter table journal add column position bigint not null default 0;
update journal as j set position = o.position
    from (
        select tenant_id, flow_id, seq,
            row_number() over (partition by tenant_id order by at, command_id, part, seq) as position
        from journal
    ) as o
    where j.tenant_id = o.tenant_id and j.flow_id = o.flow_id and j.seq = o.seq;
alter table journal alter column position drop default;
create unique index journal_position on journal (tenant_id, position);
insert into feeds (tenant_id, position) select tenant_id, max(position) from journal group by tenant_id;

-- What a phone said about a command it kept while it had no signal.
create table arrivals (
    tenant_id uuid not null,
    command_id uuid not null,
    client_at timestamptz not null,
    happened_at timestamptz not null,
    skew_ms bigint not null,
    received_at timestamptz not null,
    flags text collate "C" not null,
    primary key (tenant_id, command_id)
);
