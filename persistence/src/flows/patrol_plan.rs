//! Plans of patrols as rows.

use diesel::{
    prelude::*,
    sql_types::{Nullable, Text},
};
use domain::{
    Instant,
    area::tree::Path,
    core::{
        id::{PlanId, TenantId},
        journal::FlowKind,
    },
    flows::{
        change::{Change, Versioned},
        patrol_plan::{PatrolPlan, Standing},
    },
    people::actor::Scope,
};
use uuid::Uuid;

use crate::kernel::{
    connection::Db,
    error::StoreError,
    flow::{FlowTable, Rows, flow_row},
    journal::Keyset,
    list::{Narrow as _, flow_list, within_any},
    projection::Projection,
    schema::patrol_plans,
    types::{At, Id, sql},
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

flow_row! {
    PlanRow of PatrolPlan as plan in "patrol_plans" {
        standing: String => Text, "text" = plan.standing.name().to_owned();
        path: String => Text, "text" = plan.area.path.0.clone();
        created_at: At => sql::Moment, "timestamptz" = At(plan.created_at);
        next_at: Option<At> => Nullable<sql::Moment>, "timestamptz" = plan.next_at().map(At);
    }
    changes (standing, next_at)
}

impl FlowTable for PatrolPlan {
    const TABLE: &'static str = "patrol_plans";
    const CACHED: usize = 256;

    fn add_rows(change: &Change<Self>, rows: &mut Rows<'_>) -> Result<()> {
        rows.add_own(|| PlanRow::new(change))
    }

    fn expect_tables(projection: &mut Projection) -> Result<()> {
        projection.expect_table::<PlanRow>()
    }
}

flow_list!(PatrolPlan in patrol_plans by created_at);

/// The plans of an actor's areas, the newest first; only within some areas, and only of one
/// where these are given.
pub fn list(
    db: &mut Db,
    scope: &Scope,
    inside: Option<&[Path]>,
    standing: Option<Standing>,
    page: Keyset,
) -> Result<Vec<Versioned<PatrolPlan>>> {
    use patrol_plans::dsl as p;
    let query = of_tenant(scope.tenant)
        .filter(visible_in(&scope.paths, Box::new(p::id.eq(Id(Uuid::nil())))))
        .only(inside.map(|paths| within_any!(patrol_plans, paths)))
        .only(standing.map(|standing| p::standing.eq(standing.name())));
    load_page(query, db, page)
}

/// The plans of all tenants whose next patrol is to be made now, with when it was due; plans that
/// failed are left out until they are to be tried again.
pub fn load_due(db: &mut Db, now: Instant, limit: i64) -> Result<Vec<(TenantId, PlanId, Instant)>> {
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
