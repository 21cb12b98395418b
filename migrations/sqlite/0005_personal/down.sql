drop index sessions_expired;
drop table retention_runs;
drop table audit_heads;
drop table audit;
drop table consents;
drop table disclosures;
drop table personal;
drop table personal_keys;
