//! Identities of people at WeChat and other providers, and the tokens that all replicas share for
//! calling those providers.

use diesel::prelude::*;
use domain::{
    Instant,
    core::id::{PersonId, TenantId},
    flows::{change::Versioned, person::Person},
};
use uuid::Uuid;

use crate::{
    integrations::message::{self, Message},
    kernel::{
        connection::Db,
        error::StoreError,
        schema::{identities, outside_tokens},
        types::{At, Id},
        write_job::WriteJob,
    },
    people::session,
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// The identity of a person at a provider.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The provider, by name.
    pub provider: String,
    /// The identity of the person there.
    pub subject: String,
    /// The person who logs in with it here.
    pub person: PersonId,
    /// The secret agreed on at the last login, sealed.
    pub secret: Option<Vec<u8>>,
}

/// The person with an identity.
pub fn find(
    db: &mut Db,
    tenant: TenantId,
    provider: &str,
    subject: &str,
) -> Result<Option<Versioned<Person>>> {
    let person: Option<Id> = identities::table
        .find((Id(tenant.0), provider.to_owned(), subject.to_owned()))
        .select(identities::person_id)
        .first(db)
        .optional()?;
    let Some(person) = person else { return Ok(None) };
    crate::kernel::load::load_state::<Person>(db, tenant, person.0)
}

/// Links an identity to a person; returns the person it is linked to then. The first link stays.
pub(crate) fn link(
    db: &mut Db,
    tenant: TenantId,
    identity: &Identity,
    at: Instant,
) -> Result<PersonId> {
    let key = (Id(tenant.0), identity.provider.clone(), identity.subject.clone());
    let known: Option<Id> =
        identities::table.find(key.clone()).select(identities::person_id).first(db).optional()?;
    if let Some(known) = known {
        if known.0 == identity.person.0 && identity.secret.is_some() {
            diesel::update(identities::table.find(key))
                .set(identities::secret.eq(identity.secret.clone()))
                .execute(db)?;
        }
        return Ok(PersonId(known.0));
    }
    diesel::insert_into(identities::table)
        .values((
            identities::tenant_id.eq(key.0),
            identities::provider.eq(key.1),
            identities::subject.eq(key.2),
            identities::person_id.eq(Id(identity.person.0)),
            identities::secret.eq(identity.secret.clone()),
            identities::linked_at.eq(At(at)),
        ))
        .execute(db)?;
    Ok(identity.person)
}

/// Removes all identities of a person.
pub(crate) fn unlink(db: &mut Db, tenant: TenantId, person: PersonId) -> Result<()> {
    diesel::delete(identities::table)
        .filter(identities::tenant_id.eq(Id(tenant.0)))
        .filter(identities::person_id.eq(Id(person.0)))
        .execute(db)?;
    Ok(())
}

/// An identity of a person, with when it was linked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Linked {
    /// The provider, by name.
    pub provider: String,
    /// The identity of the person there.
    pub subject: String,
    /// When it was linked.
    pub at: Instant,
}

/// The identities of a person in the order they were linked; at most 100.
pub fn load_linked(db: &mut Db, tenant: TenantId, person: PersonId) -> Result<Vec<Linked>> {
    let rows: Vec<(String, String, At)> = identities::table
        .filter(identities::tenant_id.eq(Id(tenant.0)))
        .filter(identities::person_id.eq(Id(person.0)))
        .order((identities::linked_at.asc(), identities::provider.asc(), identities::subject.asc()))
        .select((identities::provider, identities::subject, identities::linked_at))
        .limit(100)
        .load(db)?;
    let linked =
        |(provider, subject, at): (String, String, At)| Linked { provider, subject, at: at.0 };
    Ok(rows.into_iter().map(linked).collect())
}

/// Removes one identity of a person, and with it the one at `common`: an identity that several
/// providers share would link the removed one again. Returns whether there was one.
pub(crate) fn unlink_one(
    db: &mut Db,
    tenant: TenantId,
    person: PersonId,
    (provider, subject): (&str, &str),
    common: &str,
) -> Result<bool> {
    let key = (Id(tenant.0), provider.to_owned(), subject.to_owned());
    let gone = diesel::delete(identities::table.find(key))
        .filter(identities::person_id.eq(Id(person.0)))
        .execute(db)?;
    if gone == 0 {
        return Ok(false);
    }
    diesel::delete(identities::table)
        .filter(identities::tenant_id.eq(Id(tenant.0)))
        .filter(identities::person_id.eq(Id(person.0)))
        .filter(identities::provider.eq(common.to_owned()))
        .execute(db)?;
    Ok(true)
}

/// A token that replicas share.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shared {
    /// The token, sealed.
    pub token: Vec<u8>,
    /// Until when it is valid.
    pub expires_at: Instant,
}

/// The shared token of this name.
pub fn load_shared_token(db: &mut Db, name: &str) -> Result<Option<Shared>> {
    let row: Option<(Option<Vec<u8>>, Option<At>)> = outside_tokens::table
        .find(name.to_owned())
        .select((outside_tokens::token, outside_tokens::expires_at))
        .first(db)
        .optional()?;
    Ok(row.and_then(|(token, at)| Some(Shared { token: token?, expires_at: at?.0 })))
}

/// Takes the lease on fetching a token, until `until`; returns whether no other replica has it.
pub(crate) fn take_lease(db: &mut Db, name: &str, now: Instant, until: Instant) -> Result<bool> {
    let there: i64 = outside_tokens::table.find(name.to_owned()).count().get_result(db)?;
    if there == 0 {
        diesel::insert_into(outside_tokens::table)
            .values((
                outside_tokens::id.eq(name.to_owned()),
                outside_tokens::leased_until.eq(Some(At(until))),
            ))
            .execute(db)?;
        return Ok(true);
    }
    let free =
        outside_tokens::leased_until.is_null().or(outside_tokens::leased_until.le(Some(At(now))));
    let taken = diesel::update(outside_tokens::table.find(name.to_owned()))
        .filter(free)
        .set(outside_tokens::leased_until.eq(Some(At(until))))
        .execute(db)?;
    Ok(taken == 1)
}

/// Stores a fetched token and releases the lease; without one, only releases the lease.
pub(crate) fn put_shared_token(db: &mut Db, name: &str, shared: Option<&Shared>) -> Result<()> {
    let row = outside_tokens::table.find(name.to_owned());
    diesel::update(row).set(outside_tokens::leased_until.eq(None::<At>)).execute(db)?;
    if let Some(shared) = shared {
        diesel::update(outside_tokens::table.find(name.to_owned()))
            .set((
                outside_tokens::token.eq(Some(shared.token.clone())),
                outside_tokens::expires_at.eq(Some(At(shared.expires_at))),
            ))
            .execute(db)?;
    }
    Ok(())
}

/// The identities of a person: provider and identity there.
pub fn load_for_person(
    db: &mut Db,
    tenant: TenantId,
    person: PersonId,
) -> Result<Vec<(String, String)>> {
    Ok(identities::table
        .filter(identities::tenant_id.eq(Id(tenant.0)))
        .filter(identities::person_id.eq(Id(person.0)))
        .order((identities::provider.asc(), identities::subject.asc()))
        .select((identities::provider, identities::subject))
        .limit(100)
        .load(db)?)
}

/// Links identities to the person they name, `other` only where `first` is not linked to another
/// person; returns to whom `first` is linked.
pub fn link_identities(
    tenant: TenantId,
    first: Identity,
    other: Option<Identity>,
    at: Instant,
) -> WriteJob<PersonId> {
    WriteJob::new(move |db| {
        let whose = link(db, tenant, &first, at)?;
        if let Some(other) = other.filter(|_| whose == first.person) {
            link(db, tenant, &other, at)?;
        }
        Ok(whose)
    })
}

/// Unlinks every identity of a person.
pub fn unlink_identities(tenant: TenantId, person: PersonId) -> WriteJob<()> {
    WriteJob::new(move |db| unlink(db, tenant, person))
}

/// Unlinks the identity that `is_it` finds, with those at the provider `common`, ends every session
/// but one, and adds the message `told`; false where there is no such identity.
pub fn unlink_identity(
    tenant: TenantId,
    (person, but): (PersonId, Uuid),
    is_it: impl Fn(&Linked) -> bool + Send + 'static,
    common: &'static str,
    told: Message,
) -> WriteJob<bool> {
    WriteJob::new(move |db| {
        let linked = load_linked(db, tenant, person)?;
        let Some(found) = linked.iter().find(|one| is_it(one)) else { return Ok(false) };
        let which = (found.provider.as_str(), found.subject.as_str());
        unlink_one(db, tenant, person, which, common)?;
        session::end_all(db, tenant, person, Some(but), told.at)?;
        message::add(db, tenant, &told)?;
        Ok(true)
    })
}

/// Leases the fetching of a shared token until `until`; false where another replica has the lease.
pub fn lease_shared_token(name: String, now: Instant, until: Instant) -> WriteJob<bool> {
    WriteJob::new(move |db| take_lease(db, &name, now, until))
}

/// Saves a shared token that was fetched and returns the lease; without one, only returns it.
pub fn save_shared_token(name: String, shared: Option<Shared>) -> WriteJob<()> {
    WriteJob::new(move |db| put_shared_token(db, &name, shared.as_ref()))
}
