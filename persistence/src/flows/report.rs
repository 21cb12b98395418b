//! Reports as rows.

use diesel::{
    prelude::*,
    sql_types::{BigInt, Binary, Nullable, Text},
};
use domain::{
    Instant,
    area::tree::Path,
    core::id::TenantId,
    flows::{
        change::{Change, Stored},
        report::{Report, StatusName},
    },
    people::{
        actor::Scope,
        personal::{DataSubject, SubjectKind},
    },
};
use uuid::Uuid;

use crate::{
    kernel::{
        connection::{Db, MultiBackend},
        error::StoreError,
        flow::{Moving, document, end, stored},
        journal::Keyset,
        rows::rows,
        schema::reports,
        types::{At, Doc, Id, sql},
    },
    people::vault::{KeyOwner, destroy, key, key_of},
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

impl Moving for ReportRow {
    fn seq(&self) -> i64 {
        self.seq
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

/// Destroys the contacts given with new reports of people who were erased meanwhile.
pub(crate) fn destroy_of_erased(db: &mut Db, reports: &[ReportRow]) -> Result<()> {
    for report in reports {
        let (tenant, reporter) = (TenantId(report.tenant_id.0), report.reporter_id.0);
        let owner = KeyOwner::Subject(DataSubject::new(SubjectKind::Person, reporter));
        let erased = key_of(db, tenant, owner)?.and_then(|key| key.destroyed_at);
        if let Some(at) = erased {
            let contact = DataSubject::new(SubjectKind::Report, report.id.0);
            destroy(db, tenant, contact, at)?;
        }
    }
    Ok(())
}
