-- Who holds which role where, and who is on duty: for look-ups by area.

create table grants (
    tenant_id blob not null,
    person_id blob not null,
    no integer not null,
    role text not null,
    area_id blob not null,
    path text not null,
    from_at integer not null,
    until_at integer,
    primary key (tenant_id, person_id, no),
    foreign key (tenant_id, person_id) references people (tenant_id, id)
) strict, without rowid;
create index grants_area on grants (tenant_id, area_id);
create index grants_path on grants (tenant_id, path, role);

alter table people add column standing text not null default 'active';
alter table people add column shift_path text;
alter table people add column shift_until integer;
create index people_shift on people (tenant_id, shift_path) where shift_path is not null;
