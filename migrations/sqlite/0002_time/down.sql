drop index obligations_next;
alter table obligations drop column next_at;
alter table tenants add column rules text not null default '{}';
drop table policies;
