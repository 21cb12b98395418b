//! Obligations as rows: the inbox and the record of who met what.

use diesel::{
    prelude::*,
    sql_types::{BigInt, Nullable, Text},
};
use domain::{
    Instant,
    id::{AreaId, TenantId},
    journal::Entry,
    obligation::{Duty, Obligation, Settled, Term},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    batch::document,
    connection::Db,
    error::StoreError,
    rows::rows,
    schema::obligations,
    types::{At, Doc, Id, sql},
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

#[derive(Queryable, Debug, Clone)]
pub(crate) struct ObligationRow {
    tenant_id: Id,
    flow_id: Id,
    no: i64,
    duty: String,
    unit_id: Id,
    flow: String,
    number: String,
    title: String,
    unit_name: String,
    started_at: At,
    due_at: At,
    term: Doc,
    settled_at: Option<At>,
    outcome: Option<String>,
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
    }
    key (tenant_id, flow_id, no, duty, unit_id) changes (settled_at, outcome)
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
            term: document(&obligation.term)?,
            settled_at: settled.map(|settled| At(settled.at)),
            outcome: settled.map(|settled| settled.outcome.name().to_owned()),
        })
    }
}

/// An obligation as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Owed {
    /// The flow it belongs to.
    pub flow_id: Uuid,
    /// `report` or `case`.
    pub flow: String,
    /// The human number of that.
    pub number: String,
    /// Its title.
    pub title: String,
    /// What is owed.
    pub duty: Duty,
    /// By whom.
    pub unit: AreaId,
    /// Its name at that time.
    pub unit_name: String,
    /// By when, and why then.
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
    /// Its flow.
    pub flow: Uuid,
    /// Its duty.
    pub duty: String,
    /// Its round.
    pub no: i64,
    /// Its unit.
    pub unit: Uuid,
}

/// Whose obligations of which kinds, from where on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inbox {
    /// Owed by these.
    pub units: Vec<AreaId>,
    /// Of these kinds.
    pub duties: Vec<Duty>,
    /// After this one.
    pub after: Option<Position>,
    /// How many at most.
    pub limit: i64,
}

/// What units still owe, the earliest deadline first.
///
/// Each unit is asked by itself, so that its page is read off the index in order; asked for all
/// at once, PostgreSQL sorts everything they owe.
pub fn open(db: &mut Db, tenant: TenantId, inbox: &Inbox) -> Result<Vec<Owed>> {
    let mut rows = Vec::new();
    for unit in &inbox.units {
        rows.extend(of_unit(db, tenant, *unit, inbox)?);
    }
    if inbox.units.len() > 1 {
        let order =
            |row: &ObligationRow| (row.due_at, row.flow_id, row.duty.clone(), row.no, row.unit_id);
        rows.sort_by_cached_key(order);
    }
    rows.truncate(usize::try_from(inbox.limit).unwrap_or_default());
    rows.into_iter().map(Owed::try_from).collect()
}

fn of_unit(
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

/// Everything that was ever owed about one flow, in the order it began.
pub fn of_flow(db: &mut Db, tenant: TenantId, flow: Uuid) -> Result<Vec<Owed>> {
    use obligations as o;
    let rows: Vec<ObligationRow> = o::table
        .filter(o::tenant_id.eq(Id(tenant.0)).and(o::flow_id.eq(Id(flow))))
        .order((o::no.asc(), o::due_at.asc(), o::duty.asc(), o::unit_id.asc()))
        .limit(1000)
        .load(db)?;
    rows.into_iter().map(Owed::try_from).collect()
}
