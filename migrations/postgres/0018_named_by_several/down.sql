delete from media_links later using media_links first
    where later.tenant_id = first.tenant_id and later.media_id = first.media_id
        and later.flow_id = first.flow_id and later.kind = first.kind
        and (later.at, later.by_id) > (first.at, first.by_id);
alter table media_links drop constraint media_links_pkey;
alter table media_links add primary key (tenant_id, media_id, flow_id, kind);
