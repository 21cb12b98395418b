drop table arrivals;
drop index journal_position;
alter table journal drop column position;
drop table feeds;
