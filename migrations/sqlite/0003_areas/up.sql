-- The history of areas: their versions, every boundary that was ever drawn, and the files that were
-- imported.

alter table areas add column seq integer not null default 0;
alter table areas add column state text;

create table area_boundaries (
    tenant_id blob not null,
    area_id blob not null,
    no integer not null,
    boundary text not null,
    primary key (tenant_id, area_id, no),
    foreign key (tenant_id, area_id) references areas (tenant_id, id)
) strict, without rowid;
-- The old column is no longer read and will be dropped in a later release.
insert into area_boundaries (tenant_id, area_id, no, boundary)
    select tenant_id, id, 0, boundary from areas where boundary is not null;

create table area_imports (
    tenant_id blob not null,
    id blob not null,
    at integer not null,
    digest blob not null,
    state text not null,
    primary key (tenant_id, id),
    foreign key (tenant_id) references tenants (tenant_id)
) strict, without rowid;
