//! Reports as rows.

use crate::flows::media::LinkRow;
use diesel::{
    prelude::*,
    sql_types::{Nullable, Text},
};
use domain::{
    Instant,
    area::tree::Path,
    core::id::{PersonId, ReportId, TenantId},
    flows::{
        change::{Change, Versioned},
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
        connection::Db,
        error::StoreError,
        flow::{FlowTable, FlowWrite, Rows, flow_row},
        journal::Keyset,
        list::{Narrow as _, flow_list, within_any},
        pending::{Saved, Turn},
        projection::Projection,
        rows::Row,
        schema::reports,
        types::{At, Id, sql},
    },
    people::vault::{KeyOwner, KeyRow, destroy_key, load_key},
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

flow_row! {
    ReportRow of Report as report in "reports" {
        number: String => Text, "text" = report.number.clone();
        status: String => Text, "text" = report.status.name().name().to_owned();
        path: String => Text, "text" = report.place.area.path.0.clone();
        reporter_id: Id => sql::Uid, "uuid" = Id(report.reporter.0);
        case_id: Option<Id> => Nullable<sql::Uid>, "uuid" =
            report.status.case().map(|case| Id(case.0));
        received_at: At => sql::Moment, "timestamptz" = At(report.received_at);
        patrol_id: Option<Id> => Nullable<sql::Uid>, "uuid" =
            report.patrol.map(|patrol| Id(patrol.0));
    }
    changes (status, case_id)
}

impl FlowTable for Report {
    const TABLE: &'static str = "reports";

    fn label(&self) -> (&str, Cow<'_, str>) {
        (&self.number, self.matter.title.as_str().into())
    }

    fn add_rows(change: &Change<Self>, rows: &mut Rows<'_>) -> Result<()> {
        rows.add_own(|| ReportRow::new(change))?;
        rows.add_derived(LinkRow::from_change(change, &change.state.media))
    }

    fn expect_tables(projection: &mut Projection) -> Result<()> {
        projection.expect_table::<ReportRow>()?;
        projection.expect_table::<LinkRow>()
    }
}

/// Which reports to list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// Only with this status.
    pub status: Option<StatusName>,
    /// Only the actor's own.
    pub mine: bool,
    /// Only within one of these areas.
    pub within: Option<Vec<Path>>,
    /// Only those received since.
    pub since: Option<Instant>,
    /// Only reports with these identities.
    pub among: Option<Vec<Uuid>>,
}

flow_list!(Report in reports by received_at);

/// The reports an actor may see, newest first: those in the actor's areas and the actor's own.
pub fn list(
    db: &mut Db,
    scope: &Scope,
    filter: &Filter,
    page: Keyset,
) -> Result<Vec<Versioned<Report>>> {
    use reports::dsl as r;
    let own = Box::new(r::reporter_id.eq(Id(scope.person.0)));
    let paths = if filter.mine { &[] } else { scope.paths.as_slice() };
    let query = of_tenant(scope.tenant)
        .filter(visible_in(paths, own))
        .only(filter.status.map(|status| r::status.eq(status.name())))
        .only(filter.within.as_deref().map(|paths| within_any!(reports, paths)))
        .only(filter.since.map(|since| r::received_at.ge(At(since))))
        .only(filter.among.as_deref().map(|ids| r::id.eq_any(ids.iter().map(|id| Id(*id)))));
    load_page(query, db, page)
}

/// The contact of a new report; it is destroyed where the reporter was erased meanwhile.
pub(crate) struct Contact {
    tenant: TenantId,
    report: ReportId,
    reporter: PersonId,
}

impl Contact {
    /// The contact of a report.
    pub(crate) fn from_change(change: &dyn FlowWrite) -> Option<Self> {
        let Change { entry, state, .. } = change.as_any().downcast_ref::<Change<Report>>()?;
        Some(Self { tenant: entry.tenant, report: state.id, reporter: state.reporter })
    }
}

impl Saved for Contact {
    /// Written after the key of the contact.
    const TURN: Turn = (KeyRow::TABLE, 9);

    fn save(db: &mut Db, all: &[&Self]) -> Result<()> {
        for Self { tenant, report, reporter } in all {
            let owner = KeyOwner::Subject(DataSubject::new(SubjectKind::Person, reporter.0));
            let erased = load_key(db, *tenant, owner)?.and_then(|key| key.destroyed_at);
            if let Some(at) = erased {
                destroy_key(db, *tenant, DataSubject::new(SubjectKind::Report, report.0), at)?;
            }
        }
        Ok(())
    }
}
