-- Accounts are compared without regard to case, width and what cannot be seen. The program fills in
-- the keys of those there are when it starts: no database folds text as it does.
alter table people add column account_key text not null default '';
create index people_account_key on people (tenant_id, account_key);
