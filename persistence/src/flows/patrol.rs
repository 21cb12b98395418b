//! Patrols as rows.

use crate::flows::track::TrackRow;
use crate::kernel::pending::Inserted;
use diesel::{
    prelude::*,
    sql_types::{BigInt, Binary, Nullable, Text},
};
use domain::{
    Instant,
    area::tree::Path,
    core::id::{PatrolId, PersonId, PlanId, TenantId},
    flows::{
        change::{Change, Stored},
        patrol::{Patrol, StatusName},
        report::Report,
    },
    people::actor::Scope,
};
use std::borrow::Cow;
use uuid::Uuid;

use crate::kernel::{
    connection::{Db, MultiBackend},
    error::StoreError,
    flow::{FlowTable, Rows, document, end, flow_row, stored},
    journal::Keyset,
    projection::Projection,
    rows::rows,
    schema::{patrols, reports},
    types::{At, Doc, Id, sql},
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

#[derive(Debug, Clone)]
pub(crate) struct PatrolRow {
    tenant_id: Id,
    pub(crate) id: Id,
    seq: i64,
    head: Vec<u8>,
    number: String,
    status: String,
    path: String,
    worker_id: Option<Id>,
    plan_id: Option<Id>,
    from_at: At,
    pub(crate) state: Doc,
}

rows! {
    PatrolRow in "patrols" {
        tenant_id: Id => sql::Uid, "uuid";
        id: Id => sql::Uid, "uuid";
        seq: i64 => BigInt, "bigint";
        head: Vec<u8> => Binary, "bytea";
        number: String => Text, "text";
        status: String => Text, "text";
        path: String => Text, "text";
        worker_id: Option<Id> => Nullable<sql::Uid>, "uuid";
        plan_id: Option<Id> => Nullable<sql::Uid>, "uuid";
        from_at: At => sql::Moment, "timestamptz";
        state: Doc => sql::Doc, "text";
    }
    key (tenant_id, id) changes (seq, head, status, worker_id, from_at, state)
}

flow_row!(PatrolRow of Patrol);

impl FlowTable for Patrol {
    const TABLE: &'static str = "patrols";

    fn label(&self) -> (&str, Cow<'_, str>) {
        (&self.number, self.purpose.label().into())
    }

    fn rows(change: &Change<Self>, rows: &mut Rows<'_>) -> Result<()> {
        rows.own(|| PatrolRow::new(change))?;
        let empty = || Inserted(TrackRow::empty(change.entry.tenant, change.state.id));
        rows.besides((change.entry.seq == 1).then(empty));
        Ok(())
    }

    fn expect(projection: &mut Projection) -> Result<()> {
        projection.expect::<PatrolRow>()
    }
}

impl PatrolRow {
    pub(crate) fn new(change: &Change<Patrol>) -> Result<Self> {
        let (patrol, entry) = (&change.state, &change.entry);
        Ok(Self {
            tenant_id: Id(entry.tenant.0),
            id: Id(patrol.id.0),
            seq: entry.seq,
            head: entry.hash.0.to_vec(),
            number: patrol.number.clone(),
            status: patrol.status.name().name().to_owned(),
            path: patrol.area.path.0.clone(),
            worker_id: patrol.worker().map(|worker| Id(worker.0)),
            plan_id: patrol.occasion.map(|occasion| Id(occasion.plan.0)),
            from_at: At(patrol.window.from),
            state: document(patrol)?,
        })
    }
}

/// Which patrols a list shows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// Only in this state.
    pub status: Option<StatusName>,
    /// Only the own ones.
    pub mine: bool,
    /// Only within this area.
    pub within: Option<Path>,
    /// Only of this worker.
    pub worker: Option<PersonId>,
    /// Only made by this plan.
    pub plan: Option<PlanId>,
    /// Only those whose window begins after this.
    pub since: Option<Instant>,
    /// Only of these.
    pub among: Option<Vec<Uuid>>,
}

/// A condition put together at run time.
type Condition =
    Box<dyn BoxableExpression<patrols::table, MultiBackend, SqlType = diesel::sql_types::Bool>>;

/// The patrols an actor may see, by the beginning of their windows, the latest first: those in the
/// actor's areas and the own ones.
pub fn list(
    db: &mut Db,
    scope: &Scope,
    filter: &Filter,
    page: Keyset,
) -> Result<Vec<Stored<Patrol>>> {
    let mut query = patrols::table
        .select((patrols::id, patrols::seq, patrols::head, patrols::state))
        .filter(patrols::tenant_id.eq(Id(scope.tenant.0)))
        .into_boxed();
    let within = |path: &Path| patrols::path.ge(path.0.clone()).and(patrols::path.lt(end(path)));
    let own = patrols::worker_id.eq(Some(Id(scope.person.0)));
    let mut visible: Condition =
        Box::new(own.assume_not_null().and(patrols::worker_id.is_not_null()));
    if !filter.mine {
        for path in &scope.paths {
            visible = Box::new(visible.or(within(path)));
        }
    }
    query = query.filter(visible);
    if let Some(status) = filter.status {
        query = query.filter(patrols::status.eq(status.name()));
    }
    if let Some(path) = &filter.within {
        query = query.filter(within(path));
    }
    if let Some(worker) = filter.worker {
        query = query.filter(patrols::worker_id.eq(Some(Id(worker.0))));
    }
    if let Some(plan) = filter.plan {
        query = query.filter(patrols::plan_id.eq(Some(Id(plan.0))));
    }
    if let Some(since) = filter.since {
        query = query.filter(patrols::from_at.ge(At(since)));
    }
    if let Some(ids) = &filter.among {
        query = query.filter(patrols::id.eq_any(ids.iter().map(|id| Id(*id))));
    }
    if let Some((at, id)) = page.after {
        let (at, id) = (At(at), Id(id));
        query = query
            .filter(patrols::from_at.lt(at).or(patrols::from_at.eq(at).and(patrols::id.lt(id))));
    }
    let rows = query
        .order((patrols::from_at.desc(), patrols::id.desc()))
        .limit(page.limit)
        .load::<(Id, i64, Vec<u8>, Doc)>(db)?;
    rows.into_iter().map(|row| stored("patrols", row)).collect()
}

/// The reports that were made on a patrol, the latest first, at most `limit`.
pub fn reports_of(
    db: &mut Db,
    tenant: TenantId,
    patrol: PatrolId,
    limit: i64,
) -> Result<Vec<Stored<Report>>> {
    let rows = reports::table
        .select((reports::id, reports::seq, reports::head, reports::state))
        .filter(reports::tenant_id.eq(Id(tenant.0)))
        .filter(reports::patrol_id.eq(Some(Id(patrol.0))))
        .order((reports::received_at.desc(), reports::id.desc()))
        .limit(limit)
        .load::<(Id, i64, Vec<u8>, Doc)>(db)?;
    rows.into_iter().map(|row| stored("reports", row)).collect()
}
