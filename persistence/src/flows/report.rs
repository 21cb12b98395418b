//! Reports as rows.

use crate::flows::media::LinkRow;
use diesel::{
    prelude::*,
    sql_types::{BigInt, Binary, Nullable, Text},
};
use domain::{
    Instant,
    area::tree::Path,
    core::id::{PersonId, ReportId, TenantId},
    flows::{
        change::{Change, Stored},
        report::{Report, StatusName},
    },
    people::{
        actor::Scope,
        personal::{DataSubject, SubjectKind},
    },
};
use std::borrow::Cow;
use uuid::Uuid;

use crate::{
    kernel::{
        connection::{Db, MultiBackend},
        error::StoreError,
        flow::{FlowTable, FlowWrite, Rows, document, end, flow_row, stored},
        journal::Keyset,
        pending::{Saved, Turn},
        projection::Projection,
        rows::{Row, rows},
        schema::reports,
        types::{At, Doc, Id, sql},
    },
    people::vault::{KeyOwner, KeyRow, destroy, key_of},
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

#[derive(Debug, Clone)]
pub(crate) struct ReportRow {
    pub(crate) tenant_id: Id,
    pub(crate) id: Id,
    seq: i64,
    head: Vec<u8>,
    number: String,
    status: String,
    path: String,
    pub(crate) reporter_id: Id,
    case_id: Option<Id>,
    received_at: At,
    pub(crate) state: Doc,
    patrol_id: Option<Id>,
}

rows! {
    ReportRow in "reports" {
        tenant_id: Id => sql::Uid, "uuid";
        id: Id => sql::Uid, "uuid";
        seq: i64 => BigInt, "bigint";
        head: Vec<u8> => Binary, "bytea";
        number: String => Text, "text";
        status: String => Text, "text";
        path: String => Text, "text";
        reporter_id: Id => sql::Uid, "uuid";
        case_id: Option<Id> => Nullable<sql::Uid>, "uuid";
        received_at: At => sql::Moment, "timestamptz";
        state: Doc => sql::Doc, "text";
        patrol_id: Option<Id> => Nullable<sql::Uid>, "uuid";
    }
    key (tenant_id, id) changes (seq, head, status, case_id, state)
}

flow_row!(ReportRow of Report);

impl FlowTable for Report {
    const TABLE: &'static str = "reports";

    fn label(&self) -> (&str, Cow<'_, str>) {
        (&self.number, self.matter.title.as_str().into())
    }

    fn rows(change: &Change<Self>, rows: &mut Rows<'_>) -> Result<()> {
        rows.own(|| ReportRow::new(change))?;
        rows.derived(LinkRow::all(change, &change.state.media))
    }

    fn expect(projection: &mut Projection) -> Result<()> {
        projection.expect::<ReportRow>()?;
        projection.expect::<LinkRow>()
    }
}

impl ReportRow {
    pub(crate) fn new(change: &Change<Report>) -> Result<Self> {
        let (report, entry) = (&change.state, &change.entry);
        Ok(Self {
            tenant_id: Id(entry.tenant.0),
            id: Id(report.id.0),
            seq: entry.seq,
            head: entry.hash.0.to_vec(),
            number: report.number.clone(),
            status: report.status.name().name().to_owned(),
            path: report.place.area.path.0.clone(),
            reporter_id: Id(report.reporter.0),
            case_id: report.status.case().map(|case| Id(case.0)),
            received_at: At(report.received_at),
            state: document(report)?,
            patrol_id: report.patrol.map(|patrol| Id(patrol.0)),
        })
    }
}

/// Which reports a list shows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// Only in this state.
    pub status: Option<StatusName>,
    /// Only the own ones.
    pub mine: bool,
    /// Only within this area.
    pub within: Option<Path>,
    /// Only those received since.
    pub since: Option<Instant>,
    /// Only of these.
    pub among: Option<Vec<Uuid>>,
}

/// A condition put together at run time.
type Condition =
    Box<dyn BoxableExpression<reports::table, MultiBackend, SqlType = diesel::sql_types::Bool>>;

/// The reports an actor may see, newest first: those in the actor's areas and the own ones.
pub fn list(
    db: &mut Db,
    scope: &Scope,
    filter: &Filter,
    page: Keyset,
) -> Result<Vec<Stored<Report>>> {
    let mut query = reports::table
        .select((reports::id, reports::seq, reports::head, reports::state))
        .filter(reports::tenant_id.eq(Id(scope.tenant.0)))
        .into_boxed();
    let within = |path: &Path| reports::path.ge(path.0.clone()).and(reports::path.lt(end(path)));
    let mut visible: Condition = Box::new(reports::reporter_id.eq(Id(scope.person.0)));
    if !filter.mine {
        for path in &scope.paths {
            visible = Box::new(visible.or(within(path)));
        }
    }
    query = query.filter(visible);
    if let Some(status) = filter.status {
        query = query.filter(reports::status.eq(status.name()));
    }
    if let Some(path) = &filter.within {
        query = query.filter(within(path));
    }
    if let Some(since) = filter.since {
        query = query.filter(reports::received_at.ge(At(since)));
    }
    if let Some(ids) = &filter.among {
        query = query.filter(reports::id.eq_any(ids.iter().map(|id| Id(*id))));
    }
    if let Some((at, id)) = page.after {
        let (at, id) = (At(at), Id(id));
        query = query.filter(
            reports::received_at.lt(at).or(reports::received_at.eq(at).and(reports::id.lt(id))),
        );
    }
    let rows = query
        .order((reports::received_at.desc(), reports::id.desc()))
        .limit(page.limit)
        .load::<(Id, i64, Vec<u8>, Doc)>(db)?;
    rows.into_iter().map(|row| stored("reports", row)).collect()
}

/// A report that comes with its reporter's contact, which is destroyed where the reporter was erased
/// meanwhile.
pub(crate) struct Contact {
    tenant: TenantId,
    report: ReportId,
    reporter: PersonId,
}

impl Contact {
    /// That of a report.
    pub(crate) fn of(change: &dyn FlowWrite) -> Option<Self> {
        let Change { entry, state, .. } = change.as_any().downcast_ref::<Change<Report>>()?;
        Some(Self { tenant: entry.tenant, report: state.id, reporter: state.reporter })
    }
}

impl Saved for Contact {
    /// After the key of the contact.
    const TURN: Turn = (KeyRow::TABLE, 9);

    fn save(db: &mut Db, all: &[&Self]) -> Result<()> {
        for Self { tenant, report, reporter } in all {
            let owner = KeyOwner::Subject(DataSubject::new(SubjectKind::Person, reporter.0));
            let erased = key_of(db, *tenant, owner)?.and_then(|key| key.destroyed_at);
            if let Some(at) = erased {
                destroy(db, *tenant, DataSubject::new(SubjectKind::Report, report.0), at)?;
            }
        }
        Ok(())
    }
}
