-- Identities and keys have an owner: a journal belongs to one kind of flow, a command to its actor,
-- a key of personal data to one kind of subject. So what one caller names takes nothing from
-- another.

alter table journal drop constraint journal_pkey;
alter table journal add primary key (tenant_id, flow_id, flow, seq);
drop index journal_command;
create unique index journal_command on journal (tenant_id, command_id, actor_id, part);

alter table arrivals add column actor_id uuid;
update arrivals a set actor_id = j.actor_id from journal j
    where j.tenant_id = a.tenant_id and j.command_id = a.command_id;
delete from arrivals where actor_id is null;
alter table arrivals alter column actor_id set not null;
alter table arrivals drop constraint arrivals_pkey;
alter table arrivals add primary key (tenant_id, command_id, actor_id);

alter table obligations drop constraint obligations_pkey;
alter table obligations add primary key (tenant_id, flow_id, flow, no, duty, unit_id);

alter table burden add column flow text;
update burden b set flow = j.flow from journal j
    where j.tenant_id = b.tenant_id and j.flow_id = b.flow_id and j.seq = b.seq;
delete from burden where flow is null;
alter table burden alter column flow set not null;
alter table burden drop constraint burden_pkey;
alter table burden add primary key (tenant_id, flow_id, flow, seq);

alter table media_links drop constraint media_links_pkey;
alter table media_links add primary key (tenant_id, media_id, flow_id, kind);

alter table personal add column kind text;
update personal p set kind = k.kind from personal_keys k
    where k.tenant_id = p.tenant_id and k.subject_id = p.subject_id;
delete from personal where kind is null;
alter table personal alter column kind set not null;
alter table personal drop constraint personal_pkey;
alter table personal add primary key (tenant_id, subject_id, kind, field);
alter table personal_keys drop constraint personal_keys_pkey;
alter table personal_keys add primary key (tenant_id, subject_id, kind);

-- Debts whose measure failed: stepped over until they are tried again.
create table deferred_debts (
    tenant_id uuid not null,
    flow_id uuid not null,
    flow text not null,
    no bigint not null,
    duty text not null,
    unit_id uuid not null,
    next_at timestamptz not null,
    failures bigint not null,
    retry_at timestamptz not null,
    why text not null,
    primary key (tenant_id, flow_id, flow, no, duty, unit_id)
);
