-- Which numbers a tenant has: no two of its reports, cases, patrols, visits, households and campaigns have the same. Of those that had before, the first keeps it here, so that no later one gets it.

create table numbers (
    tenant_id uuid not null,
    number text not null,
    flow_id uuid not null,
    primary key (tenant_id, number)
);
insert into numbers (tenant_id, number, flow_id) select tenant_id, number, id from reports where number is not null order by id on conflict do nothing;
insert into numbers (tenant_id, number, flow_id) select tenant_id, number, id from cases where number is not null order by id on conflict do nothing;
insert into numbers (tenant_id, number, flow_id) select tenant_id, number, id from patrols where number is not null order by id on conflict do nothing;
insert into numbers (tenant_id, number, flow_id) select tenant_id, (state::json)->>'number', id from visits where (state::json)->>'number' is not null order by id on conflict do nothing;
insert into numbers (tenant_id, number, flow_id) select tenant_id, (state::json)->>'number', id from households where (state::json)->>'number' is not null order by id on conflict do nothing;
insert into numbers (tenant_id, number, flow_id) select tenant_id, (state::json)->>'number', id from campaigns where (state::json)->>'number' is not null order by id on conflict do nothing;
