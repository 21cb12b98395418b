alter table disclosures drop column household_id;
drop table burden;
drop table form_answers;
drop table forms;
drop table campaign_households;
drop table campaigns;
drop table visits;
drop table household_people;
drop table households;
