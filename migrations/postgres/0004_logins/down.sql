drop table client_secrets;
drop table clients;
drop table outside_tokens;
drop table person_phones;
drop table identities;
drop table recovery_codes;
drop table second_factors;

alter table sessions drop column ended;
alter table sessions drop column restriction;
alter table sessions drop column rotated_at;
alter table sessions drop column previous_hash;
alter table sessions drop column used_at;
alter table sessions drop column address;
alter table sessions drop column device;
alter table sessions drop column method;

drop table signing_keys;
create table signing_keys (
    id uuid not null,
    secret bytea not null,
    created_at timestamptz not null,
    primary key (id)
);
