drop index people_account_key;
alter table people drop column account_key;
