drop table verified_phones;
alter table webhooks drop column approved_at;
alter table webhooks drop column approved_by;
