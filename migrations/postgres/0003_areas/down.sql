update areas set boundary = (
    select b.boundary from area_boundaries b
    where b.tenant_id = areas.tenant_id and b.area_id = areas.id order by b.no desc limit 1
);
drop table area_imports;
drop table area_boundaries;
alter table areas drop column state;
alter table areas drop column seq;
