//! Removal of data whose time is over, and the record of it.

use diesel::prelude::*;
use domain::{
    Instant,
    core::id::{PersonId, TenantId},
    people::{
        personal::{DataSubject, SubjectKind},
        privacy::DataClass,
    },
};

use crate::{
    integrations::message,
    kernel::{
        connection::{Db, each},
        error::StoreError,
        schema::{cases, passwords, personal_keys, reports, retention_runs, sessions},
        types::{At, Id},
        write_job::WriteJob,
    },
    people::{
        privacy::{purge_consents, purge_disclosures},
        vault::{self, KeyOwner},
    },
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Removes the password, the second factor, the identities at providers and every login of a
/// person: part of erasing a person.
pub(crate) fn lock_out(db: &mut Db, tenant: TenantId, person: PersonId, at: Instant) -> Result<()> {
    diesel::delete(passwords::table.find((Id(tenant.0), Id(person.0)))).execute(db)?;
    crate::flows::track::erase_points(db, tenant, person)?;
    crate::flows::media::forget_places(db, tenant, person)?;
    crate::people::second_factor::remove(db, tenant, person)?;
    crate::people::identity::unlink(db, tenant, person)?;
    crate::people::session::end_sessions(db, Id(tenant.0), Id(person.0), At(at), "erased")
}

/// Removes what is older than `cutoff`, at most `limit` rows; returns how many were removed.
pub(crate) fn purge(
    db: &mut Db,
    tenant: TenantId,
    class: DataClass,
    cutoff: Instant,
    at: Instant,
    limit: i64,
) -> Result<i64> {
    let count = |rows: usize| i64::try_from(rows).unwrap_or(i64::MAX);
    let (t, before) = (Id(tenant.0), At(cutoff));
    Ok(match class {
        DataClass::Audit => crate::people::audit::prune(db, tenant, (cutoff, at), limit)?,
        DataClass::Disclosures => purge_disclosures(db, tenant, (cutoff, at), limit)?,
        DataClass::Consents => purge_consents(db, tenant, (cutoff, at), limit)?,
        DataClass::Tracks => crate::flows::track::purge(db, tenant, cutoff, limit)?,
        DataClass::Positions => {
            crate::flows::track::purge_positions(db, tenant, (cutoff, at), limit)?
        }
        DataClass::Deliveries => crate::integrations::delivery::purge(db, tenant, cutoff, limit)?,
        DataClass::Messages => crate::integrations::message::purge(db, tenant, cutoff, limit)?,
        // Files are flows whose bytes are elsewhere: the server removes them by commands.
        DataClass::Uploads => 0,
        DataClass::FormAnswers => crate::flows::form::purge(db, tenant, (cutoff, at), limit)?,
        DataClass::ReporterContacts => {
            let old = find_expired_contacts(db, tenant, cutoff, limit)?;
            for report in &old {
                let report = DataSubject::new(SubjectKind::Report, report.0);
                crate::people::vault::destroy_key(db, tenant, report, at)?;
            }
            count(old.len())
        }
        DataClass::Sessions => {
            let old: Vec<Id> = sessions::table
                .filter(sessions::tenant_id.eq(t).and(sessions::expires_at.lt(before)))
                .select(sessions::id)
                .limit(limit)
                .load(db)?;
            count(
                diesel::delete(sessions::table)
                    .filter(sessions::tenant_id.eq(t).and(sessions::id.eq_any(old)))
                    .execute(db)?,
            )
        }
    })
}

/// Reports whose matter was over before `cutoff` and whose contact is still kept.
fn find_expired_contacts(
    db: &mut Db,
    tenant: TenantId,
    cutoff: Instant,
    limit: i64,
) -> Result<Vec<Id>> {
    use personal_keys::dsl as k;
    let before = At(cutoff);
    let kept =
        personal_keys::table
            .inner_join(
                reports::table
                    .on(reports::tenant_id.eq(k::tenant_id).and(reports::id.eq(k::subject_id))),
            )
            .left_join(cases::table.on(
                cases::tenant_id.eq(k::tenant_id).and(cases::id.nullable().eq(reports::case_id)),
            ))
            .filter(k::tenant_id.eq(Id(tenant.0)).and(k::destroyed_at.is_null()))
            .filter(k::kind.eq(SubjectKind::Report.name()));
    let refused = reports::status
        .eq(domain::flows::report::StatusName::Refused.name())
        .and(reports::received_at.lt(before));
    Ok(kept
        .filter(cases::closed_at.lt(Some(before)).or(refused.nullable()))
        .select(k::subject_id)
        .order(k::subject_id.asc())
        .limit(limit)
        .load(db)?)
}

/// The last removal of a class.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Run {
    /// The class of the removed records.
    pub class: DataClass,
    /// When it ran.
    pub at: Instant,
    /// Records older than this were removed.
    pub cutoff: Instant,
    /// How many were removed then.
    pub removed: i64,
    /// How many were removed since the beginning.
    pub total: i64,
}

/// Records a removal.
pub(crate) fn record_run(db: &mut Db, tenant: TenantId, run: &Run) -> Result<()> {
    use retention_runs::dsl as r;
    let (id, class) = (Id(tenant.0), run.class.name());
    let changed = diesel::update(retention_runs::table.find((id, class)))
        .set((
            r::ran_at.eq(At(run.at)),
            r::cutoff.eq(At(run.cutoff)),
            r::removed.eq(run.removed),
            r::total.eq(r::total + run.removed),
        ))
        .execute(db)?;
    if changed > 0 {
        return Ok(());
    }
    let first = diesel::insert_into(retention_runs::table)
        .values((
            r::tenant_id.eq(id),
            r::class.eq(class),
            r::ran_at.eq(At(run.at)),
            r::cutoff.eq(At(run.cutoff)),
            r::removed.eq(run.removed),
            r::total.eq(run.removed),
        ))
        .on_conflict_do_nothing();
    each!(db, c => first.execute(c))?;
    Ok(())
}

/// The last removal of every class that was checked.
pub fn load_runs(db: &mut Db, tenant: TenantId) -> Result<Vec<Run>> {
    use retention_runs::dsl as r;
    let rows: Vec<(String, At, At, i64, i64)> = retention_runs::table
        .filter(r::tenant_id.eq(Id(tenant.0)))
        .order(r::class.asc())
        .select((r::class, r::ran_at, r::cutoff, r::removed, r::total))
        .load(db)?;
    let run = |(class, at, cutoff, removed, total): (String, At, At, i64, i64)| {
        let unknown = || StoreError::Inconsistent(format!("retention_runs {class}"));
        let class = DataClass::parse(&class).ok_or_else(unknown)?;
        Ok(Run { class, at: at.0, cutoff: cutoff.0, removed, total })
    };
    rows.into_iter().map(run).collect()
}

/// Removes what is older than `cutoff`, at most `limit` rows; returns how many were removed.
pub fn purge_class(
    tenant: TenantId,
    class: DataClass,
    (cutoff, at): (Instant, Instant),
    limit: i64,
) -> WriteJob<i64> {
    WriteJob::new(move |db| purge(db, tenant, class, cutoff, at, limit))
}

/// Records what a removal did.
pub fn record_removal(tenant: TenantId, run: Run) -> WriteJob<()> {
    WriteJob::new(move |db| record_run(db, tenant, &run))
}

/// Erases a person: the keys of the person's data and of `members`, every login, every message.
/// Returns whether the person's key still existed, and when it was destroyed.
pub fn erase_person(
    tenant: TenantId,
    person: PersonId,
    members: Vec<DataSubject>,
    at: Instant,
) -> WriteJob<(bool, Instant)> {
    WriteJob::new(move |db| {
        for member in &members {
            vault::destroy_key(db, tenant, *member, at)?;
        }
        let whole = DataSubject::new(SubjectKind::Person, person.0);
        let destroyed = vault::destroy_for_good(db, tenant, whole, at)?;
        lock_out(db, tenant, person, at)?;
        message::forget_person(db, tenant, person, at)?;
        let key = vault::load_key(db, tenant, KeyOwner::Subject(whole))?;
        Ok((destroyed, key.and_then(|key| key.destroyed_at).unwrap_or(at)))
    })
}
