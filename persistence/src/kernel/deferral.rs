//! Failed work of the scheduler: stepped over until it is tried again, later each time.

use chrono::Duration;
use diesel::prelude::*;
use domain::{
    Instant,
    core::id::{AreaId, TenantId},
};
use uuid::Uuid;

use crate::kernel::{
    connection::{Db, each},
    error::StoreError,
    obligation::Lapsing,
    schema::{deferred_debts, obligations, patrol_plans},
    types::{At, Id},
    write_job::WriteJob,
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// The kind under which the next patrol of a plan is deferred.
const PLAN: &str = "patrol_plan";

/// Work that was to be done, and when it was due.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Due {
    /// The tenant of the flow.
    pub tenant: TenantId,
    /// The kind of flow, as it is stored.
    pub flow: String,
    /// The identity of the flow.
    pub flow_id: Uuid,
    /// The duty, as it is stored; empty for a plan.
    pub duty: String,
    /// The unit that owes it.
    pub unit: AreaId,
    /// The number of its clock.
    pub no: i64,
    /// When it was due.
    pub next_at: Instant,
}

impl From<&Lapsing> for Due {
    fn from(debt: &Lapsing) -> Self {
        Self {
            tenant: debt.tenant,
            flow: debt.flow.clone(),
            flow_id: debt.flow_id,
            duty: debt.duty.clone(),
            unit: debt.unit,
            no: debt.no,
            next_at: debt.next_at,
        }
    }
}

impl Due {
    /// The next patrol of a plan.
    pub fn for_plan(tenant: TenantId, plan: Uuid, next_at: Instant) -> Self {
        Self {
            tenant,
            flow: PLAN.to_owned(),
            flow_id: plan,
            duty: String::new(),
            unit: AreaId(Uuid::nil()),
            no: 0,
            next_at,
        }
    }
}

/// The wait after so many failures: a minute, doubled each time, an hour at most.
fn compute_retry_delay(failures: i64) -> Duration {
    let doublings = u32::try_from(failures.clamp(1, 7) - 1).unwrap_or_default();
    Duration::minutes((1_i64 << doublings).min(60))
}

/// Steps over failed work until it is to be tried again; returns how often it has failed.
pub(crate) fn defer(db: &mut Db, due: &Due, why: &str, now: Instant) -> Result<i64> {
    use deferred_debts::dsl as d;
    let key = (
        Id(due.tenant.0),
        Id(due.flow_id),
        due.flow.clone(),
        due.no,
        due.duty.clone(),
        Id(due.unit.0),
    );
    let before: Option<(i64, At)> = deferred_debts::table
        .find(key.clone())
        .select((d::failures, d::next_at))
        .first(db)
        .optional()?;
    let same = before.filter(|(_, next_at)| next_at.0 == due.next_at);
    let failures = same.map_or(0, |(failures, _)| failures).saturating_add(1);
    let why: String = why.chars().take(500).collect();
    diesel::delete(deferred_debts::table.find(key)).execute(db)?;
    let row = diesel::insert_into(deferred_debts::table)
        .values((
            d::tenant_id.eq(Id(due.tenant.0)),
            d::flow_id.eq(Id(due.flow_id)),
            d::flow.eq(due.flow.clone()),
            d::no.eq(due.no),
            d::duty.eq(due.duty.clone()),
            d::unit_id.eq(Id(due.unit.0)),
            d::next_at.eq(At(due.next_at)),
            d::failures.eq(failures),
            d::retry_at.eq(At(now + compute_retry_delay(failures))),
            d::why.eq(why),
        ))
        .on_conflict_do_nothing();
    each!(db, c => row.execute(c))?;
    Ok(failures)
}

/// The work that is stepped over.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Deferred {
    /// How much of it there is.
    pub count: i64,
    /// When the oldest of it was due.
    pub oldest: Option<Instant>,
}

/// The work that is stepped over at the moment.
pub fn count(db: &mut Db) -> Result<Deferred> {
    use deferred_debts as d;
    let (count, oldest): (i64, Option<At>) =
        d::table.select((diesel::dsl::count_star(), diesel::dsl::min(d::next_at))).first(db)?;
    Ok(Deferred { count, oldest: oldest.map(|at| at.0) })
}

/// Removes failures of work that was done, settled or moved since.
pub(crate) fn forget_settled(db: &mut Db) -> Result<()> {
    use deferred_debts as d;
    use obligations as o;
    use patrol_plans as p;
    let debts = o::table
        .filter(o::tenant_id.eq(d::tenant_id).and(o::flow_id.eq(d::flow_id)))
        .filter(o::flow.eq(d::flow).and(o::no.eq(d::no)).and(o::duty.eq(d::duty)))
        .filter(o::unit_id.eq(d::unit_id).and(o::next_at.eq(d::next_at.nullable())))
        .filter(o::settled_at.is_null());
    let plans = p::table
        .filter(p::tenant_id.eq(d::tenant_id).and(p::id.eq(d::flow_id)))
        .filter(p::next_at.eq(d::next_at.nullable()).and(d::flow.eq(PLAN)));
    let open = diesel::dsl::exists(debts).or(diesel::dsl::exists(plans));
    diesel::delete(d::table.filter(diesel::dsl::not(open))).execute(db)?;
    Ok(())
}

/// Defers work that failed until it is to be tried again; returns how often it has failed.
pub fn defer_work(due: Due, why: String, now: Instant) -> WriteJob<i64> {
    WriteJob::new(move |db| defer(db, &due, &why, now))
}

/// Forgets failures of what was done, settled or moved since.
pub fn forget_settled_failures() -> WriteJob<()> {
    WriteJob::new(forget_settled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour() {
        let minutes = |failures| compute_retry_delay(failures).num_minutes();
        assert_eq!([0, 1, 2, 3, 6, 7, 8, i64::MAX].map(minutes), [1, 1, 2, 4, 32, 60, 60, 60]);
    }
}
