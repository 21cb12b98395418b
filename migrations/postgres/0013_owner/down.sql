drop table deferred_debts;

alter table personal_keys drop constraint personal_keys_pkey;
alter table personal_keys add primary key (tenant_id, subject_id);
alter table personal drop constraint personal_pkey;
alter table personal drop column kind;
alter table personal add primary key (tenant_id, subject_id, field);

alter table media_links drop constraint media_links_pkey;
alter table media_links add primary key (tenant_id, media_id, flow_id);

alter table burden drop constraint burden_pkey;
alter table burden drop column flow;
alter table burden add primary key (tenant_id, flow_id, seq);

alter table obligations drop constraint obligations_pkey;
alter table obligations add primary key (tenant_id, flow_id, no, duty, unit_id);

alter table arrivals drop constraint arrivals_pkey;
alter table arrivals drop column actor_id;
alter table arrivals add primary key (tenant_id, command_id);

drop index journal_command;
create unique index journal_command on journal (tenant_id, command_id, part);
alter table journal drop constraint journal_pkey;
alter table journal add primary key (tenant_id, flow_id, seq);
