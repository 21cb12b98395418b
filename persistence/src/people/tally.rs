//! Tallies as rows: the number of disclosures and consents of a tenant, with the sum of their
//! digests. A transaction that writes or removes such a record locks the row of its class until the
//! commit, before it locks the head of the audit log.

use diesel::prelude::*;
use domain::{
    Instant,
    core::{id::TenantId, journal::Hash, tally::Tally},
    people::{
        evidence::{Said, Tallies},
        privacy::DataClass,
    },
};

use crate::{
    kernel::{
        connection::{Db, each},
        error::StoreError,
        schema::tallies,
        types::Id,
    },
    people::{audit, privacy},
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

fn tally_from_row((count, sum): (i64, Vec<u8>)) -> Result<Tally> {
    let wrong = || StoreError::Inconsistent("tallies: a sum has not 32 bytes".to_owned());
    Ok(Tally { count, sum: Hash::from_bytes(&sum).ok_or_else(wrong)? })
}

/// The tally of a class; none before the first count.
pub fn load(db: &mut Db, tenant: TenantId, class: DataClass) -> Result<Option<Tally>> {
    let row: Option<(i64, Vec<u8>)> = tallies::table
        .find((Id(tenant.0), class.name()))
        .select((tallies::count, tallies::sum))
        .first(db)
        .optional()?;
    row.map(tally_from_row).transpose()
}

/// The tally of a class, locked until the commit. The first time, existing records are counted, and
/// the result is recorded in the audit log.
pub(crate) fn hold(db: &mut Db, tenant: TenantId, class: DataClass, at: Instant) -> Result<Tally> {
    let (tally, counted) = hold_or_count(db, tenant, class)?;
    note_count(db, tenant, (class, counted), at)?;
    Ok(tally)
}

/// The tally of a class, locked; with the count where it was counted just now.
fn hold_or_count(
    db: &mut Db,
    tenant: TenantId,
    class: DataClass,
) -> Result<(Tally, Option<Tally>)> {
    let held = |db: &mut Db| {
        diesel::update(tallies::table.find((Id(tenant.0), class.name())))
            .set(tallies::count.eq(tallies::count))
            .returning((tallies::count, tallies::sum))
            .get_result::<(i64, Vec<u8>)>(db)
            .optional()
    };
    if let Some(row) = held(db)? {
        return Ok((tally_from_row(row)?, None));
    }
    let counted = count(db, tenant, class)?;
    let first = diesel::insert_into(tallies::table)
        .values((
            tallies::tenant_id.eq(Id(tenant.0)),
            tallies::class.eq(class.name()),
            tallies::count.eq(counted.count),
            tallies::sum.eq(counted.sum.0.to_vec()),
        ))
        .on_conflict_do_nothing();
    let added = each!(db, c => first.execute(c))?;
    let row = held(db)?;
    let row =
        row.ok_or_else(|| StoreError::Inconsistent("tallies: it was just kept".to_owned()))?;
    Ok((tally_from_row(row)?, (added > 0 && counted.count > 0).then_some(counted)))
}

/// Records a count in the audit log.
fn note_count(
    db: &mut Db,
    tenant: TenantId,
    (class, counted): (DataClass, Option<Tally>),
    at: Instant,
) -> Result<()> {
    if counted.is_some() {
        let tallies = Some(Tallies::default().with_tally(class, counted));
        let said = Said { class: Some(class), tallies, ..Said::default() };
        audit::append(db, tenant, said.to_note(at))?;
    }
    Ok(())
}

/// Stores a locked tally.
pub(crate) fn put(db: &mut Db, tenant: TenantId, class: DataClass, tally: Tally) -> Result<()> {
    diesel::update(tallies::table.find((Id(tenant.0), class.name())))
        .set((tallies::count.eq(tally.count), tallies::sum.eq(tally.sum.0.to_vec())))
        .execute(db)?;
    Ok(())
}

/// The tallies of all classes, locked until the commit.
pub(crate) fn hold_all(db: &mut Db, tenant: TenantId, at: Instant) -> Result<Tallies> {
    let (mut tallies, mut said) = (Tallies::default(), Vec::new());
    for class in Tallies::CLASSES.iter().copied() {
        let (tally, counted) = hold_or_count(db, tenant, class)?;
        tallies = tallies.with_tally(class, Some(tally));
        said.push((class, counted));
    }
    // Only when all of them are locked: the head of the audit log comes last, as everywhere.
    for counted in said {
        note_count(db, tenant, counted, at)?;
    }
    Ok(tallies)
}

/// Counts the records of a class, a page at a time.
pub fn count(db: &mut Db, tenant: TenantId, class: DataClass) -> Result<Tally> {
    const PAGE: i64 = 500;
    let (mut tally, mut after) = (Tally::default(), uuid::Uuid::nil());
    loop {
        let page = privacy::load_digests_after(db, tenant, class, after, PAGE)?;
        let Some((last, _)) = page.last() else { return Ok(tally) };
        after = *last;
        tally = page.iter().fold(tally, |tally, (_, digest)| tally.with_record(*digest));
    }
}
