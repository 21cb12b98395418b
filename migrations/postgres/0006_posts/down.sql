drop index people_shift;
alter table people drop column shift_until;
alter table people drop column shift_path;
alter table people drop column standing;
drop table grants;
