drop index reports_patrol;
alter table reports drop column patrol_id;
drop table positions;
drop table track_batches;
drop table tracks;
drop table patrol_plans;
drop table patrols;
