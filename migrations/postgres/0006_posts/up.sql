-- Who holds which role where, and who is on duty: for look-ups by area.

create table grants (
    tenant_id uuid not null,
    person_id uuid not null,
    no bigint not null,
    role text collate "C" not null,
    area_id uuid not null,
    path text collate "C" not null,
    from_at timestamptz not null,
    until_at timestamptz,
    primary key (tenant_id, person_id, no),
    foreign key (tenant_id, person_id) references people (tenant_id, id)
);
create index grants_area on grants (tenant_id, area_id);
create index grants_path on grants (tenant_id, path, role);

alter table people add column standing text collate "C" not null default 'active';
alter table people add column shift_path text collate "C";
alter table people add column shift_until timestamptz;
create index people_shift on people (tenant_id, shift_path) where shift_path is not null;
