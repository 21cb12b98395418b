create table media_links_new (
    tenant_id blob not null,
    media_id blob not null,
    flow_id blob not null,
    kind text not null,
    by_id blob not null,
    at integer not null,
    primary key (tenant_id, media_id, flow_id, kind)
) strict, without rowid;
insert or ignore into media_links_new (tenant_id, media_id, flow_id, kind, by_id, at) select tenant_id, media_id, flow_id, kind, by_id, at from media_links order by at, by_id;
drop table media_links;
alter table media_links_new rename to media_links;
