-- A file that somebody names counts when the same person sent it: several may name one. SQLite
-- changes no primary key in place: the table is made anew.
create table media_links_new (
    tenant_id blob not null,
    media_id blob not null,
    flow_id blob not null,
    kind text not null,
    by_id blob not null,
    at integer not null,
    primary key (tenant_id, media_id, flow_id, kind, by_id)
) strict, without rowid;
insert into media_links_new (tenant_id, media_id, flow_id, kind, by_id, at) select tenant_id, media_id, flow_id, kind, by_id, at from media_links;
drop table media_links;
alter table media_links_new rename to media_links;
