-- Documents that a tenant publishes for itself, in editions; the time of the next measure about
-- each debt.

create table policies (
    tenant_id uuid not null,
    id uuid not null,
    seq bigint not null,
    head bytea not null,
    kind text collate "C" not null,
    published_at timestamptz not null,
    state text not null,
    primary key (tenant_id, id),
    foreign key (tenant_id) references tenants (tenant_id)
);
create unique index policies_kind on policies (tenant_id, kind);

alter table tenants drop column rules;

alter table obligations add column next_at timestamptz;
create index obligations_next on obligations (next_at, tenant_id, flow_id)
    where settled_at is null and next_at is not null;
