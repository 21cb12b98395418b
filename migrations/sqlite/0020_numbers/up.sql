-- Which numbers a tenant has: no two of its reports, cases, patrols, visits, households and campaigns have the same. Of those that had before, the first keeps it here, so that no later one gets it.

create table numbers (
    tenant_id blob not null,
    number text not null,
    flow_id blob not null,
    primary key (tenant_id, number)
) strict, without rowid;
insert or ignore into numbers (tenant_id, number, flow_id) select tenant_id, number, id from reports where number is not null order by id;
insert or ignore into numbers (tenant_id, number, flow_id) select tenant_id, number, id from cases where number is not null order by id;
insert or ignore into numbers (tenant_id, number, flow_id) select tenant_id, number, id from patrols where number is not null order by id;
insert or ignore into numbers (tenant_id, number, flow_id) select tenant_id, json_extract(state, '$.number'), id from visits where json_extract(state, '$.number') is not null order by id;
insert or ignore into numbers (tenant_id, number, flow_id) select tenant_id, json_extract(state, '$.number'), id from households where json_extract(state, '$.number') is not null order by id;
insert or ignore into numbers (tenant_id, number, flow_id) select tenant_id, json_extract(state, '$.number'), id from campaigns where json_extract(state, '$.number') is not null order by id;
