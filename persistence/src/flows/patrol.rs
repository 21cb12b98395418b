//! Patrols as rows.

use crate::flows::track::TrackRow;
use crate::kernel::pending::Inserted;
use diesel::{
    prelude::*,
    sql_types::{Nullable, Text},
};
use domain::{
    Instant,
    area::tree::Path,
    core::id::{PatrolId, PersonId, PlanId, TenantId},
    flows::{
        change::{Change, Versioned},
        patrol::{Patrol, StatusName},
        report::Report,
    },
    people::actor::Scope,
};
use std::borrow::Cow;
use uuid::Uuid;

use crate::kernel::{
    connection::Db,
    error::StoreError,
    flow::{FlowTable, Rows, flow_row, rebuild_state},
    journal::Keyset,
    list::{Narrow as _, flow_list, within_any},
    projection::Projection,
    schema::{patrols, reports},
    types::{At, Doc, Id, sql},
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

flow_row! {
    PatrolRow of Patrol as patrol in "patrols" {
        number: String => Text, "text" = patrol.number.clone();
        status: String => Text, "text" = patrol.status.name().name().to_owned();
        path: String => Text, "text" = patrol.area.path.0.clone();
        worker_id: Option<Id> => Nullable<sql::Uid>, "uuid" =
            patrol.worker().map(|worker| Id(worker.0));
        plan_id: Option<Id> => Nullable<sql::Uid>, "uuid" =
            patrol.occasion.map(|occasion| Id(occasion.plan.0));
        from_at: At => sql::Moment, "timestamptz" = At(patrol.window.from);
    }
    changes (status, worker_id, from_at)
}

impl FlowTable for Patrol {
    const TABLE: &'static str = "patrols";

    fn label(&self) -> (&str, Cow<'_, str>) {
        (&self.number, self.purpose.label().into())
    }

    fn add_rows(change: &Change<Self>, rows: &mut Rows<'_>) -> Result<()> {
        rows.add_own(|| PatrolRow::new(change))?;
        let empty = || Inserted(TrackRow::empty(change.entry.tenant, change.state.id));
        rows.add_besides((change.entry.seq == 1).then(empty));
        Ok(())
    }

    fn expect_tables(projection: &mut Projection) -> Result<()> {
        projection.expect_table::<PatrolRow>()
    }
}

/// Which patrols to list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// Only with this status.
    pub status: Option<StatusName>,
    /// Only the actor's own.
    pub mine: bool,
    /// Only within one of these areas.
    pub within: Option<Vec<Path>>,
    /// Only of this worker.
    pub worker: Option<PersonId>,
    /// Only made by this plan.
    pub plan: Option<PlanId>,
    /// Only those whose window begins after this.
    pub since: Option<Instant>,
    /// Only patrols with these identities.
    pub among: Option<Vec<Uuid>>,
}

flow_list!(Patrol in patrols by from_at);

/// The patrols an actor may see, by the beginning of their windows, latest first: those in the
/// actor's areas and the actor's own.
pub fn list(
    db: &mut Db,
    scope: &Scope,
    filter: &Filter,
    page: Keyset,
) -> Result<Vec<Versioned<Patrol>>> {
    use patrols::dsl as p;
    let own = p::worker_id.eq(Some(Id(scope.person.0)));
    let own = Box::new(own.assume_not_null().and(p::worker_id.is_not_null()));
    let paths = if filter.mine { &[] } else { scope.paths.as_slice() };
    let query = of_tenant(scope.tenant)
        .filter(visible_in(paths, own))
        .only(filter.status.map(|status| p::status.eq(status.name())))
        .only(filter.within.as_deref().map(|paths| within_any!(patrols, paths)))
        .only(filter.worker.map(|worker| p::worker_id.eq(Some(Id(worker.0)))))
        .only(filter.plan.map(|plan| p::plan_id.eq(Some(Id(plan.0)))))
        .only(filter.since.map(|since| p::from_at.ge(At(since))))
        .only(filter.among.as_deref().map(|ids| p::id.eq_any(ids.iter().map(|id| Id(*id)))));
    load_page(query, db, page)
}

/// The reports that were made on a patrol, the latest first, at most `limit`.
pub fn load_reports(
    db: &mut Db,
    tenant: TenantId,
    patrol: PatrolId,
    limit: i64,
) -> Result<Vec<Versioned<Report>>> {
    let rows = reports::table
        .select((reports::id, reports::seq, reports::head, reports::state))
        .filter(reports::tenant_id.eq(Id(tenant.0)))
        .filter(reports::patrol_id.eq(Some(Id(patrol.0))))
        .order((reports::received_at.desc(), reports::id.desc()))
        .limit(limit)
        .load::<(Id, i64, Vec<u8>, Doc)>(db)?;
    rows.into_iter().map(|row| rebuild_state("reports", row)).collect()
}
