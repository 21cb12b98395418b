-- Who set a password: one that an administrator set is changed by its owner at the next login.
alter table passwords add column origin text not null default 'owner';

-- A program proves who it is by its secrets alone.
delete from passwords where exists (
    select 1 from clients
    where clients.tenant_id = passwords.tenant_id and clients.id = passwords.person_id
);
delete from identities where exists (
    select 1 from clients
    where clients.tenant_id = identities.tenant_id and clients.id = identities.person_id
);
update sessions set revoked_at = used_at, ended = 'closed'
where method <> 'client' and revoked_at is null and exists (
    select 1 from clients
    where clients.tenant_id = sessions.tenant_id and clients.id = sessions.person_id
);
