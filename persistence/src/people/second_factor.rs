//! Second factors: the sealed secret of a person's authenticator, and the digests of recovery
//! codes.

use diesel::prelude::*;
use domain::{
    Instant,
    core::id::{PersonId, TenantId},
};
use uuid::Uuid;

use crate::{
    kernel::{
        connection::Db,
        error::StoreError,
        schema::{recovery_codes, second_factors},
        types::{At, Id},
        write_job::WriteJob,
    },
    people::{
        identity::{self, Linked},
        session,
    },
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// The second factor of a person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Factor {
    /// The secret, sealed.
    pub secret: Vec<u8>,
    /// Since when it is in force; none until the person has shown that the authenticator works.
    pub confirmed_at: Option<Instant>,
    /// The time step of the last accepted code: no code works twice.
    pub last_step: i64,
    /// The number of unused recovery codes.
    pub codes_left: i64,
}

/// The second factor of a person.
pub fn find(db: &mut Db, tenant: TenantId, person: PersonId) -> Result<Option<Factor>> {
    let row: Option<(Vec<u8>, Option<At>, i64)> = second_factors::table
        .find((Id(tenant.0), Id(person.0)))
        .select((second_factors::secret, second_factors::confirmed_at, second_factors::last_step))
        .first(db)
        .optional()?;
    let Some((secret, confirmed, last_step)) = row else { return Ok(None) };
    let codes_left = recovery_codes::table
        .filter(recovery_codes::tenant_id.eq(Id(tenant.0)))
        .filter(recovery_codes::person_id.eq(Id(person.0)))
        .filter(recovery_codes::used_at.is_null())
        .count()
        .get_result(db)?;
    let confirmed_at = confirmed.map(|at| at.0);
    Ok(Some(Factor { secret, confirmed_at, last_step, codes_left }))
}

/// Enrols a new secret, in place of one that was never confirmed; returns whether it could.
pub(crate) fn enrol(
    db: &mut Db,
    tenant: TenantId,
    person: PersonId,
    secret: &[u8],
    at: Instant,
) -> Result<bool> {
    let key = (Id(tenant.0), Id(person.0));
    diesel::delete(second_factors::table.find(key))
        .filter(second_factors::confirmed_at.is_null())
        .execute(db)?;
    let there: i64 = second_factors::table.find(key).count().get_result(db)?;
    if there > 0 {
        return Ok(false);
    }
    diesel::insert_into(second_factors::table)
        .values((
            second_factors::tenant_id.eq(key.0),
            second_factors::person_id.eq(key.1),
            second_factors::secret.eq(secret.to_vec()),
            second_factors::created_at.eq(At(at)),
            second_factors::last_step.eq(0_i64),
        ))
        .execute(db)?;
    Ok(true)
}

/// Confirms a second factor, with its recovery codes; returns whether it waited for that.
pub(crate) fn confirm(
    db: &mut Db,
    tenant: TenantId,
    person: PersonId,
    step: i64,
    codes: &[Vec<u8>],
    at: Instant,
) -> Result<bool> {
    let waited = diesel::update(second_factors::table.find((Id(tenant.0), Id(person.0))))
        .filter(second_factors::confirmed_at.is_null())
        .set((second_factors::confirmed_at.eq(Some(At(at))), second_factors::last_step.eq(step)))
        .execute(db)?;
    if waited == 1 {
        renew_codes(db, tenant, person, codes)?;
    }
    Ok(waited == 1)
}

/// Replaces the recovery codes.
pub(crate) fn renew_codes(
    db: &mut Db,
    tenant: TenantId,
    person: PersonId,
    codes: &[Vec<u8>],
) -> Result<()> {
    forget_codes(db, tenant, person)?;
    for code in codes {
        diesel::insert_into(recovery_codes::table)
            .values((
                recovery_codes::tenant_id.eq(Id(tenant.0)),
                recovery_codes::person_id.eq(Id(person.0)),
                recovery_codes::digest.eq(code.clone()),
            ))
            .execute(db)?;
    }
    Ok(())
}

fn forget_codes(db: &mut Db, tenant: TenantId, person: PersonId) -> Result<()> {
    diesel::delete(recovery_codes::table)
        .filter(recovery_codes::tenant_id.eq(Id(tenant.0)))
        .filter(recovery_codes::person_id.eq(Id(person.0)))
        .execute(db)?;
    Ok(())
}

/// Uses up the code of a time step; returns whether no later one was used before.
pub(crate) fn spend_step(
    db: &mut Db,
    tenant: TenantId,
    person: PersonId,
    step: i64,
) -> Result<bool> {
    let spent = diesel::update(second_factors::table.find((Id(tenant.0), Id(person.0))))
        .filter(second_factors::last_step.lt(step))
        .set(second_factors::last_step.eq(step))
        .execute(db)?;
    Ok(spent == 1)
}

/// Whether a recovery code is valid and unused.
pub fn has_unused_code(
    db: &mut Db,
    tenant: TenantId,
    person: PersonId,
    digest: &[u8],
) -> Result<bool> {
    let known: i64 = recovery_codes::table
        .find((Id(tenant.0), Id(person.0), digest.to_vec()))
        .filter(recovery_codes::used_at.is_null())
        .count()
        .get_result(db)?;
    Ok(known > 0)
}

/// Uses up a recovery code; returns whether there was one.
pub(crate) fn spend_code(
    db: &mut Db,
    tenant: TenantId,
    person: PersonId,
    digest: &[u8],
    at: Instant,
) -> Result<bool> {
    let key = (Id(tenant.0), Id(person.0), digest.to_vec());
    let spent = diesel::update(recovery_codes::table.find(key))
        .filter(recovery_codes::used_at.is_null())
        .set(recovery_codes::used_at.eq(Some(At(at))))
        .execute(db)?;
    Ok(spent == 1)
}

/// Removes a second factor with its codes.
pub(crate) fn remove(db: &mut Db, tenant: TenantId, person: PersonId) -> Result<()> {
    forget_codes(db, tenant, person)?;
    diesel::delete(second_factors::table.find((Id(tenant.0), Id(person.0)))).execute(db)?;
    Ok(())
}

/// Begins to enrol a factor; false where a factor is confirmed.
pub fn enrol_factor(
    tenant: TenantId,
    person: PersonId,
    secret: Vec<u8>,
    at: Instant,
) -> WriteJob<bool> {
    WriteJob::new(move |db| enrol(db, tenant, person, &secret, at))
}

/// Confirms a factor by the code of `step`, and strengthens the session; false where the factor was
/// confirmed before.
pub fn confirm_factor(
    tenant: TenantId,
    (person, session): (PersonId, Uuid),
    step: i64,
    codes: Vec<Vec<u8>>,
    at: Instant,
) -> WriteJob<bool> {
    WriteJob::new(move |db| {
        let done = confirm(db, tenant, person, step, &codes, at)?;
        if done {
            session::strengthen(db, tenant, session)?;
        }
        Ok(done)
    })
}

/// Puts new recovery codes in the place of the old ones.
pub fn replace_recovery_codes(
    tenant: TenantId,
    person: PersonId,
    codes: Vec<Vec<u8>>,
) -> WriteJob<()> {
    WriteJob::new(move |db| renew_codes(db, tenant, person, &codes))
}

/// Uses up the code of a time step; false where it was used before.
pub fn use_time_step(tenant: TenantId, person: PersonId, step: i64) -> WriteJob<bool> {
    WriteJob::new(move |db| spend_step(db, tenant, person, step))
}

/// Uses up a recovery code; false where it is unknown or was used before.
pub fn use_recovery_code(
    tenant: TenantId,
    person: PersonId,
    digest: Vec<u8>,
    at: Instant,
) -> WriteJob<bool> {
    WriteJob::new(move |db| spend_code(db, tenant, person, &digest, at))
}

/// Removes the factor of a person.
pub fn remove_factor(tenant: TenantId, person: PersonId) -> WriteJob<()> {
    WriteJob::new(move |db| remove(db, tenant, person))
}

/// Removes the factor, every identity and every session of a person; returns the identities that
/// were linked.
pub fn reset_factor(tenant: TenantId, person: PersonId, at: Instant) -> WriteJob<Vec<Linked>> {
    WriteJob::new(move |db| {
        remove(db, tenant, person)?;
        let ended = identity::load_linked(db, tenant, person)?;
        identity::unlink(db, tenant, person)?;
        session::end_all(db, tenant, person, None, at)?;
        Ok(ended)
    })
}
