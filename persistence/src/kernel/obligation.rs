//! Obligations as rows: the inbox, and the record of how each one ended.

use diesel::{
    prelude::*,
    sql_types::{BigInt, Nullable, Text},
};
use domain::{
    Instant,
    core::{
        id::{AreaId, TenantId},
        journal::{Entry, FlowKind},
    },
    rules::obligation::{Duty, Obligation, Settled, Term},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::kernel::{
    connection::Db,
    error::StoreError,
    flow::{is_same_document, to_document},
    projection::{Derived, Projection},
    rows::rows,
    schema::obligations,
    types::{At, Doc, Id, sql},
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

#[derive(Queryable, Debug, Clone)]
pub(crate) struct ObligationRow {
    tenant_id: Id,
    pub(crate) flow_id: Id,
    pub(crate) no: i64,
    pub(crate) duty: String,
    pub(crate) unit_id: Id,
    pub(crate) flow: String,
    number: String,
    title: String,
    unit_name: String,
    started_at: At,
    due_at: At,
    pub(crate) term: Doc,
    settled_at: Option<At>,
    outcome: Option<String>,
    next_at: Option<At>,
}

rows! {
    ObligationRow in "obligations" {
        tenant_id: Id => sql::Uid, "uuid";
        flow_id: Id => sql::Uid, "uuid";
        no: i64 => BigInt, "bigint";
        duty: String => Text, "text";
        unit_id: Id => sql::Uid, "uuid";
        flow: String => Text, "text";
        number: String => Text, "text";
        title: String => Text, "text";
        unit_name: String => Text, "text";
        started_at: At => sql::Moment, "timestamptz";
        due_at: At => sql::Moment, "timestamptz";
        term: Doc => sql::Doc, "text";
        settled_at: Option<At> => Nullable<sql::Moment>, "timestamptz";
        outcome: Option<String> => Nullable<Text>, "text";
        next_at: Option<At> => Nullable<sql::Moment>, "timestamptz";
    }
    key (tenant_id, flow_id, flow, no, duty, unit_id)
    changes (due_at, term, settled_at, outcome, next_at)
}

impl Derived for ObligationRow {
    const FLOW: &'static str = "flow_id";
    const KIND: Result<FlowKind, &'static str> = Err("flow");
    const DOCUMENT: Option<&'static str> = Some("term");

    fn flow(&self) -> (&str, Uuid) {
        (&self.flow, self.flow_id.0)
    }

    fn says_same(&self, there: &str) -> bool {
        is_same_document::<Term>(&self.term.0, there)
    }

    fn row_name(&self) -> String {
        format!("{} no {} of {}", self.duty, self.no, self.unit_id.0)
    }
}

/// Names the table, so that a check also covers it when it is empty.
pub(crate) fn expect_table(projection: &mut Projection) -> Result<()> {
    projection.expect_table::<ObligationRow>()
}

impl ObligationRow {
    pub(crate) fn new(
        entry: &Entry,
        number: &str,
        title: &str,
        obligation: &Obligation,
        settled: Option<&Settled>,
    ) -> Result<Self> {
        Ok(Self {
            tenant_id: Id(entry.tenant.0),
            flow_id: Id(entry.flow_id),
            no: obligation.term.no,
            duty: obligation.duty.name().to_owned(),
            unit_id: Id(obligation.owed_by.id.0),
            flow: entry.flow.name().to_owned(),
            number: number.to_owned(),
            title: title.to_owned(),
            unit_name: obligation.owed_by.name.clone(),
            started_at: At(obligation.term.started_at),
            due_at: At(obligation.term.due_at),
            term: to_document(&obligation.term)?,
            settled_at: settled.map(|settled| At(settled.at)),
            outcome: settled.map(|settled| settled.outcome.name().to_owned()),
            next_at: obligation.term.next_at.filter(|_| settled.is_none()).map(At),
        })
    }
}

/// An obligation as stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Owed {
    /// The flow it belongs to.
    pub flow_id: Uuid,
    /// The kind of that flow, by name.
    pub flow: String,
    /// The human-readable number of that flow.
    pub number: String,
    /// The title of that flow.
    pub title: String,
    /// The duty that is owed.
    pub duty: Duty,
    /// The unit that owes it.
    pub unit: AreaId,
    /// Its name at that time.
    pub unit_name: String,
    /// The deadline and its derivation.
    pub term: Term,
    /// When it ended.
    pub settled_at: Option<Instant>,
    /// How it ended.
    pub outcome: Option<String>,
}

impl TryFrom<ObligationRow> for Owed {
    type Error = StoreError;
    fn try_from(row: ObligationRow) -> Result<Self> {
        let wrong = |column: &str| {
            StoreError::Inconsistent(format!("obligations {}/{}: {column}", row.flow_id.0, row.no))
        };
        Ok(Self {
            flow_id: row.flow_id.0,
            duty: Duty::parse(&row.duty).ok_or_else(|| wrong("duty"))?,
            unit: AreaId(row.unit_id.0),
            term: serde_json::from_str(&row.term.0).map_err(|_ignored| wrong("term"))?,
            settled_at: row.settled_at.map(|at| at.0),
            flow: row.flow,
            number: row.number,
            title: row.title,
            unit_name: row.unit_name,
            outcome: row.outcome,
        })
    }
}

/// Where a page of the inbox ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Position {
    /// The deadline of the last item.
    pub due_at: Instant,
    /// The flow of the last item.
    pub flow: Uuid,
    /// The duty of the last item.
    pub duty: String,
    /// The number of the clock of the last item.
    pub no: i64,
    /// The unit of the last item.
    pub unit: Uuid,
}

/// Selects obligations for an inbox.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inbox {
    /// Owed by one of these units.
    pub units: Vec<AreaId>,
    /// Of one of these duties.
    pub duties: Vec<Duty>,
    /// After this one.
    pub after: Option<Position>,
    /// The most items.
    pub limit: i64,
}

/// What units still owe, earliest deadline first.
///
/// Each unit is queried by itself, so that its page is read off the index in order; in one query
/// for all, PostgreSQL would sort everything they owe.
pub fn load_open(db: &mut Db, tenant: TenantId, inbox: &Inbox) -> Result<Vec<Owed>> {
    let mut rows = Vec::new();
    for unit in &inbox.units {
        rows.extend(load_for_unit(db, tenant, *unit, inbox)?);
    }
    if inbox.units.len() > 1 {
        let order =
            |row: &ObligationRow| (row.due_at, row.flow_id, row.duty.clone(), row.no, row.unit_id);
        rows.sort_by_cached_key(order);
    }
    rows.truncate(usize::try_from(inbox.limit).unwrap_or_default());
    rows.into_iter().map(Owed::try_from).collect()
}

fn load_for_unit(
    db: &mut Db,
    tenant: TenantId,
    unit: AreaId,
    inbox: &Inbox,
) -> QueryResult<Vec<ObligationRow>> {
    use obligations as o;
    let mut query = o::table
        .filter(o::tenant_id.eq(Id(tenant.0)).and(o::settled_at.is_null()))
        .filter(o::unit_id.eq(Id(unit.0)))
        .filter(o::duty.eq_any(inbox.duties.iter().map(|duty| duty.name())))
        .into_boxed();
    if let Some(Position { due_at, flow, duty, no, unit }) = &inbox.after {
        let (at, id, unit) = (At(*due_at), Id(*flow), Id(*unit));
        let round = o::no.gt(*no).or(o::no.eq(*no).and(o::unit_id.gt(unit)));
        let later = o::duty.gt(duty.clone()).or(o::duty.eq(duty.clone()).and(round));
        query = query
            .filter(o::due_at.ge(at))
            .filter(o::due_at.gt(at).or(o::flow_id.gt(id)).or(o::flow_id.eq(id).and(later)));
    }
    query
        .order((o::due_at.asc(), o::flow_id.asc(), o::duty.asc(), o::no.asc()))
        .limit(inbox.limit)
        .load(db)
}

/// The number of open obligations of a unit, counted up to `most`.
pub fn count_open(db: &mut Db, tenant: TenantId, unit: AreaId, most: i64) -> Result<i64> {
    use obligations as o;
    let open: Vec<i64> = o::table
        .filter(o::tenant_id.eq(Id(tenant.0)).and(o::settled_at.is_null()))
        .filter(o::unit_id.eq(Id(unit.0)))
        .limit(most)
        .select(o::no)
        .load(db)?;
    Ok(i64::try_from(open.len()).unwrap_or(most))
}

/// A debt about which a measure is to be taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lapsing {
    /// The tenant of the flow.
    pub tenant: TenantId,
    /// The kind of its flow, as it is stored.
    pub flow: String,
    /// The identity of the flow.
    pub flow_id: Uuid,
    /// The name of the duty, as it is stored.
    pub duty: String,
    /// The unit that owes it.
    pub unit: AreaId,
    /// The number of its clock.
    pub no: i64,
    /// Since when the measure is due.
    pub next_at: Instant,
}

/// The debts of all tenants about which a measure is to be taken now, longest waiting first; those
/// whose measure failed are left out until it is to be tried again.
pub fn load_lapsing(db: &mut Db, now: Instant, limit: i64) -> Result<Vec<Lapsing>> {
    use crate::kernel::schema::deferred_debts as d;
    use obligations as o;
    type Row = (Id, String, Id, String, Id, i64, Option<At>);
    let deferred = d::table
        .filter(d::tenant_id.eq(o::tenant_id).and(d::flow_id.eq(o::flow_id)))
        .filter(d::flow.eq(o::flow).and(d::no.eq(o::no)).and(d::duty.eq(o::duty)))
        .filter(d::unit_id.eq(o::unit_id).and(d::next_at.nullable().eq(o::next_at)))
        .filter(d::retry_at.gt(At(now)));
    let rows: Vec<Row> = o::table
        .filter(o::settled_at.is_null().and(o::next_at.le(Some(At(now)))))
        .filter(diesel::dsl::not(diesel::dsl::exists(deferred)))
        .order((o::next_at.asc(), o::tenant_id.asc(), o::flow_id.asc()))
        .limit(limit)
        .select((o::tenant_id, o::flow, o::flow_id, o::duty, o::unit_id, o::no, o::next_at))
        .load(db)?;
    let lapsing = |(tenant, flow, flow_id, duty, unit, no, next_at): Row| Lapsing {
        tenant: TenantId(tenant.0),
        flow,
        flow_id: flow_id.0,
        duty,
        unit: AreaId(unit.0),
        no,
        next_at: next_at.map_or(now, |at| at.0),
    };
    Ok(rows.into_iter().map(lapsing).collect())
}

/// Whether a measure about this debt is still to be taken, according to its row.
pub fn is_lapsing(db: &mut Db, debt: &Lapsing, now: Instant) -> Result<bool> {
    use obligations as o;
    let found: Option<i64> = o::table
        .filter(o::tenant_id.eq(Id(debt.tenant.0)).and(o::flow_id.eq(Id(debt.flow_id))))
        .filter(o::flow.eq(debt.flow.clone()).and(o::duty.eq(debt.duty.clone())))
        .filter(o::unit_id.eq(Id(debt.unit.0)).and(o::no.eq(debt.no)))
        .filter(o::settled_at.is_null().and(o::next_at.eq(Some(At(debt.next_at)))))
        .filter(o::next_at.le(Some(At(now))))
        .select(o::no)
        .first(db)
        .optional()?;
    Ok(found.is_some())
}

/// One page of the open debts of a tenant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Provisional {
    /// The flows whose deadline was computed without the notice of a year.
    pub flows: Vec<(String, Uuid)>,
    /// Where the next page begins; none after the last.
    pub next: Option<Uuid>,
}

/// Finds deadlines that were computed without the notice of a year, a page at a time.
pub fn load_provisional(
    db: &mut Db,
    tenant: TenantId,
    after: Uuid,
    limit: i64,
) -> Result<Provisional> {
    use obligations as o;
    let rows: Vec<(String, Id, Doc)> = o::table
        .filter(o::tenant_id.eq(Id(tenant.0)).and(o::settled_at.is_null()))
        .filter(o::flow_id.gt(Id(after)))
        .order(o::flow_id.asc())
        .limit(limit)
        .select((o::flow, o::flow_id, o::term))
        .load(db)?;
    let next = rows.last().map(|(_, id, _)| id.0);
    let marked = |doc: &Doc| doc.0.contains("\"provisional\":true");
    let mut flows: Vec<(String, Uuid)> = rows
        .into_iter()
        .filter(|(_, _, term)| marked(term))
        .map(|(flow, id, _)| (flow, id.0))
        .collect();
    flows.dedup();
    Ok(Provisional { flows, next })
}

/// Every obligation of one flow, open or ended, in the order it began.
pub fn load_for_flow(
    db: &mut Db,
    tenant: TenantId,
    (kind, flow): (FlowKind, Uuid),
) -> Result<Vec<Owed>> {
    use obligations as o;
    let rows: Vec<ObligationRow> = o::table
        .filter(o::tenant_id.eq(Id(tenant.0)).and(o::flow_id.eq(Id(flow))))
        .filter(o::flow.eq(kind.name()))
        .order((o::no.asc(), o::due_at.asc(), o::duty.asc(), o::unit_id.asc()))
        .limit(1000)
        .load(db)?;
    rows.into_iter().map(Owed::try_from).collect()
}
