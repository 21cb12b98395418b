-- A file that somebody names counts when the same person sent it: several may name one.
alter table media_links drop constraint media_links_pkey;
alter table media_links add primary key (tenant_id, media_id, flow_id, kind, by_id);
