//! Plans of patrols as rows.

use diesel::{
    prelude::*,
    sql_types::{BigInt, Binary, Nullable, Text},
};
use domain::{
    Instant,
    area::tree::Path,
    core::{
        id::{PlanId, TenantId},
        journal::FlowKind,
    },
    flows::{
        change::{Change, Stored},
        patrol_plan::{PatrolPlan, Standing},
    },
    people::actor::Scope,
};

use crate::kernel::{
    connection::{Db, MultiBackend},
    error::StoreError,
    flow::{FlowTable, Rows, document, end, flow_row, stored},
    journal::Keyset,
    projection::Projection,
    rows::rows,
    schema::patrol_plans,
    types::{At, Doc, Id, sql},
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

#[derive(Debug, Clone)]
pub(crate) struct PlanRow {
    tenant_id: Id,
    pub(crate) id: Id,
    seq: i64,
    head: Vec<u8>,
    standing: String,
    path: String,
    created_at: At,
    next_at: Option<At>,
    pub(crate) state: Doc,
}

rows! {
    PlanRow in "patrol_plans" {
        tenant_id: Id => sql::Uid, "uuid";
        id: Id => sql::Uid, "uuid";
        seq: i64 => BigInt, "bigint";
        head: Vec<u8> => Binary, "bytea";
        standing: String => Text, "text";
        path: String => Text, "text";
        created_at: At => sql::Moment, "timestamptz";
        next_at: Option<At> => Nullable<sql::Moment>, "timestamptz";
        state: Doc => sql::Doc, "text";
    }
    key (tenant_id, id) changes (seq, head, standing, next_at, state)
}

flow_row!(PlanRow of PatrolPlan);

impl FlowTable for PatrolPlan {
    const TABLE: &'static str = "patrol_plans";
    const CACHED: usize = 256;

    fn rows(change: &Change<Self>, rows: &mut Rows<'_>) -> Result<()> {
        rows.own(|| PlanRow::new(change))
    }

    fn expect(projection: &mut Projection) -> Result<()> {
        projection.expect::<PlanRow>()
    }
}

impl PlanRow {
    pub(crate) fn new(change: &Change<PatrolPlan>) -> Result<Self> {
        let (plan, entry) = (&change.state, &change.entry);
        Ok(Self {
            tenant_id: Id(entry.tenant.0),
            id: Id(plan.id.0),
            seq: entry.seq,
            head: entry.hash.0.to_vec(),
            standing: plan.standing.name().to_owned(),
            path: plan.area.path.0.clone(),
            created_at: At(plan.created_at),
            next_at: plan.next_at().map(At),
            state: document(plan)?,
        })
    }
}

/// A condition put together at run time.
type Condition = Box<
    dyn BoxableExpression<patrol_plans::table, MultiBackend, SqlType = diesel::sql_types::Bool>,
>;

/// The plans of an actor's areas, the newest first; only within one area, and only of one
/// standing, where they are named.
pub fn list(
    db: &mut Db,
    scope: &Scope,
    within: Option<&Path>,
    standing: Option<Standing>,
    page: Keyset,
) -> Result<Vec<Stored<PatrolPlan>>> {
    use patrol_plans as p;
    let mut query = p::table
        .select((p::id, p::seq, p::head, p::state))
        .filter(p::tenant_id.eq(Id(scope.tenant.0)))
        .into_boxed();
    let inside = |path: &Path| p::path.ge(path.0.clone()).and(p::path.lt(end(path)));
    let mut visible: Condition = Box::new(p::id.eq(Id(uuid::Uuid::nil())));
    for path in &scope.paths {
        visible = Box::new(visible.or(inside(path)));
    }
    query = query.filter(visible);
    if let Some(path) = within {
        query = query.filter(inside(path));
    }
    if let Some(standing) = standing {
        query = query.filter(p::standing.eq(standing.name()));
    }
    if let Some((at, id)) = page.after {
        let (at, id) = (At(at), Id(id));
        query = query.filter(p::created_at.lt(at).or(p::created_at.eq(at).and(p::id.lt(id))));
    }
    let rows = query.order((p::created_at.desc(), p::id.desc())).limit(page.limit).load::<(
        Id,
        i64,
        Vec<u8>,
        Doc,
    )>(db)?;
    rows.into_iter().map(|row| stored("patrol_plans", row)).collect()
}

/// The plans of all tenants whose next patrol is to be made now, with when it was due; those that
/// failed are left out until they are to be tried again.
pub fn due(db: &mut Db, now: Instant, limit: i64) -> Result<Vec<(TenantId, PlanId, Instant)>> {
    use crate::kernel::schema::deferred_debts as d;
    use patrol_plans as p;
    let deferred = d::table
        .filter(d::tenant_id.eq(p::tenant_id).and(d::flow_id.eq(p::id)))
        .filter(d::flow.eq(FlowKind::PatrolPlan.name()))
        .filter(d::next_at.nullable().eq(p::next_at).and(d::retry_at.gt(At(now))));
    let rows: Vec<(Id, Id, Option<At>)> = p::table
        .filter(p::next_at.le(Some(At(now))))
        .filter(diesel::dsl::not(diesel::dsl::exists(deferred)))
        .order((p::next_at.asc(), p::tenant_id.asc(), p::id.asc()))
        .limit(limit)
        .select((p::tenant_id, p::id, p::next_at))
        .load(db)?;
    let due = |(tenant, plan, at): (Id, Id, Option<At>)| {
        (TenantId(tenant.0), PlanId(plan.0), at.map_or(now, |at| at.0))
    };
    Ok(rows.into_iter().map(due).collect())
}
