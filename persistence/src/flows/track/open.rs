//! Unsealed batches from before points were sealed: found, and sealed one after another.

use diesel::prelude::*;
use domain::core::id::{PatrolId, PersonId, TenantId};

use super::Result;
use crate::kernel::{
    connection::Db,
    schema::{patrols, track_batches},
    types::Id,
};

/// An unsealed batch, and the worker of its patrol.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Open {
    /// The patrol of the points.
    pub patrol: PatrolId,
    /// The smallest number among its points.
    pub first_seq: i64,
    /// The worker of the patrol; none when the worker is not known.
    pub walker: Option<PersonId>,
    /// The points, unsealed.
    pub blob: Vec<u8>,
}

/// Unsealed batches, at most `limit`.
pub fn load_open(db: &mut Db, tenant: TenantId, limit: i64) -> Result<Vec<Open>> {
    use track_batches as b;
    let rows: Vec<(Id, i64, Option<Id>, Vec<u8>)> = b::table
        .left_join(
            patrols::table
                .on(patrols::tenant_id.eq(b::tenant_id).and(patrols::id.eq(b::patrol_id))),
        )
        .filter(b::tenant_id.eq(Id(tenant.0)).and(b::person_id.is_null()))
        .order((b::patrol_id.asc(), b::first_seq.asc()))
        .limit(limit)
        .select((b::patrol_id, b::first_seq, patrols::worker_id.nullable(), b::blob))
        .load(db)?;
    let open = |(patrol, first_seq, walker, blob): (Id, i64, Option<Id>, Vec<u8>)| Open {
        patrol: PatrolId(patrol.0),
        first_seq,
        walker: walker.map(|id| PersonId(id.0)),
        blob,
    };
    Ok(rows.into_iter().map(open).collect())
}

/// Replaces an unsealed batch by a sealed one; removes it where no key can seal it any more.
pub(crate) fn seal_batch(
    db: &mut Db,
    tenant: TenantId,
    batch: &Open,
    sealed: Option<(PersonId, Vec<u8>)>,
) -> Result<()> {
    use track_batches as b;
    let one = b::table.find((Id(tenant.0), Id(batch.patrol.0), batch.first_seq));
    match sealed {
        Some((person, blob)) => diesel::update(one)
            .filter(b::person_id.is_null())
            .set((b::person_id.eq(Some(Id(person.0))), b::blob.eq(blob)))
            .execute(db)?,
        None => diesel::delete(one).execute(db)?,
    };
    Ok(())
}
