alter table signing_keys drop column public;
drop table tallies;
alter table audit_heads drop column unsaid_seq;
alter table feeds drop column holes;
alter table feeds drop column dense_from;
