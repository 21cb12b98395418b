-- Documents that a tenant publishes for itself, in editions; the time of the next measure about
-- each debt.

create table policies (
    tenant_id blob not null,
    id blob not null,
    seq integer not null,
    head blob not null,
    kind text not null,
    published_at integer not null,
    state text not null,
    primary key (tenant_id, id),
    foreign key (tenant_id) references tenants (tenant_id)
) strict, without rowid;
create unique index policies_kind on policies (tenant_id, kind);

alter table tenants drop column rules;

alter table obligations add column next_at integer;
create index obligations_next on obligations (next_at, tenant_id, flow_id)
    where settled_at is null and next_at is not null;
