//! Visits as rows.

use crate::flows::campaign::GoneRow;
use crate::kernel::pending::Updated;
use diesel::{
    prelude::*,
    sql_types::{BigInt, Binary, Bool, Nullable, Text},
};
use domain::{
    Instant,
    area::tree::Path,
    core::id::{CampaignId, HouseholdId, PersonId},
    flows::{
        change::{Change, Stored},
        visit::{StatusName, Visit},
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
    schema::visits,
    types::{At, Doc, Id, sql},
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

#[derive(Debug, Clone)]
pub(crate) struct VisitRow {
    tenant_id: Id,
    pub(crate) id: Id,
    seq: i64,
    head: Vec<u8>,
    household_id: Id,
    campaign_id: Option<Id>,
    worker_id: Option<Id>,
    path: String,
    status: String,
    outcome: Option<String>,
    made_at: At,
    pub(crate) state: Doc,
}

rows! {
    VisitRow in "visits" {
        tenant_id: Id => sql::Uid, "uuid";
        id: Id => sql::Uid, "uuid";
        seq: i64 => BigInt, "bigint";
        head: Vec<u8> => Binary, "bytea";
        household_id: Id => sql::Uid, "uuid";
        campaign_id: Option<Id> => Nullable<sql::Uid>, "uuid";
        worker_id: Option<Id> => Nullable<sql::Uid>, "uuid";
        path: String => Text, "text";
        status: String => Text, "text";
        outcome: Option<String> => Nullable<Text>, "text";
        made_at: At => sql::Moment, "timestamptz";
        state: Doc => sql::Doc, "text";
    }
    key (tenant_id, id) changes (seq, head, worker_id, status, outcome, state)
}

flow_row!(VisitRow of Visit);

impl FlowTable for Visit {
    const TABLE: &'static str = "visits";

    fn label(&self) -> (&str, Cow<'_, str>) {
        let labels: Vec<&str> = self.purposes.iter().map(|purpose| purpose.label()).collect();
        (&self.number, labels.join("、").into())
    }

    fn rows(change: &Change<Self>, rows: &mut Rows<'_>) -> Result<()> {
        rows.own(|| VisitRow::new(change))?;
        rows.besides(GoneRow::new(change).map(Updated));
        Ok(())
    }

    fn expect(projection: &mut Projection) -> Result<()> {
        projection.expect::<VisitRow>()
    }
}

impl VisitRow {
    pub(crate) fn new(change: &Change<Visit>) -> Result<Self> {
        let (visit, entry) = (&change.state, &change.entry);
        Ok(Self {
            tenant_id: Id(entry.tenant.0),
            id: Id(visit.id.0),
            seq: entry.seq,
            head: entry.hash.0.to_vec(),
            household_id: Id(visit.household.0),
            campaign_id: visit.campaign.map(|campaign| Id(campaign.0)),
            worker_id: visit.worker.map(|worker| Id(worker.0)),
            path: visit.area.path.0.clone(),
            status: visit.status.name().name().to_owned(),
            outcome: visit.status.done().map(|done| done.outcome.name().to_owned()),
            made_at: At(visit.made_at),
            state: document(visit)?,
        })
    }
}

/// Which visits to list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// Only in this state.
    pub status: Option<StatusName>,
    /// Only to this household.
    pub household: Option<HouseholdId>,
    /// Only of this campaign.
    pub campaign: Option<CampaignId>,
    /// Only by this worker.
    pub worker: Option<PersonId>,
    /// Only within this area.
    pub within: Option<Path>,
    /// Only those made after this, and those that are planned still.
    pub since: Option<Instant>,
    /// Only of these.
    pub among: Option<Vec<Uuid>>,
}

type Condition = Box<dyn BoxableExpression<visits::table, MultiBackend, SqlType = Bool>>;

/// The visits an actor may see, newest first: those in the actor's areas, and those the actor made,
/// if the actor holds an office.
pub fn list(
    db: &mut Db,
    (scope, office): (&Scope, bool),
    filter: &Filter,
    page: Keyset,
) -> Result<Vec<Stored<Visit>>> {
    use visits::dsl as v;
    let mut query = visits::table
        .select((v::id, v::seq, v::head, v::state))
        .filter(v::tenant_id.eq(Id(scope.tenant.0)))
        .into_boxed();
    let within = |path: &Path| v::path.ge(path.0.clone()).and(v::path.lt(end(path)));
    let own = if office { scope.person.0 } else { uuid::Uuid::nil() };
    let mut visible: Condition = Box::new(v::worker_id.eq(Some(Id(own))).assume_not_null());
    for path in &scope.paths {
        visible = Box::new(visible.or(within(path)));
    }
    query = query.filter(visible);
    if let Some(status) = filter.status {
        query = query.filter(v::status.eq(status.name()));
    }
    if let Some(household) = filter.household {
        query = query.filter(v::household_id.eq(Id(household.0)));
    }
    if let Some(campaign) = filter.campaign {
        query = query.filter(v::campaign_id.eq(Some(Id(campaign.0))));
    }
    if let Some(worker) = filter.worker {
        query = query.filter(v::worker_id.eq(Some(Id(worker.0))));
    }
    if let Some(path) = &filter.within {
        query = query.filter(within(path));
    }
    if let Some(since) = filter.since {
        let planned = v::status.eq(StatusName::Planned.name());
        query = query.filter(planned.or(v::made_at.ge(At(since))));
    }
    if let Some(ids) = &filter.among {
        query = query.filter(v::id.eq_any(ids.iter().map(|id| Id(*id))));
    }
    if let Some((at, id)) = page.after {
        let (at, id) = (At(at), Id(id));
        query = query.filter(v::made_at.lt(at).or(v::made_at.eq(at).and(v::id.lt(id))));
    }
    let rows =
        query
            .order((v::made_at.desc(), v::id.desc()))
            .limit(page.limit)
            .load::<(Id, i64, Vec<u8>, Doc)>(db)?;
    rows.into_iter().map(|row| stored("visits", row)).collect()
}
