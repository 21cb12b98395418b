//! Visits as rows.

use crate::flows::campaign::GoneRow;
use crate::kernel::pending::Updated;
use diesel::{
    prelude::*,
    sql_types::{Nullable, Text},
};
use domain::{
    Instant,
    area::tree::Path,
    core::id::{CampaignId, HouseholdId, PersonId},
    flows::{
        change::{Change, Versioned},
        visit::{StatusName, Visit},
    },
    people::actor::Scope,
};
use std::borrow::Cow;
use uuid::Uuid;

use crate::kernel::{
    connection::Db,
    error::StoreError,
    flow::{FlowTable, Rows, flow_row},
    journal::Keyset,
    list::{Narrow as _, flow_list, within_any},
    projection::Projection,
    schema::visits,
    types::{At, Id, sql},
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

flow_row! {
    VisitRow of Visit as visit in "visits" {
        household_id: Id => sql::Uid, "uuid" = Id(visit.household.0);
        campaign_id: Option<Id> => Nullable<sql::Uid>, "uuid" =
            visit.campaign.map(|campaign| Id(campaign.0));
        worker_id: Option<Id> => Nullable<sql::Uid>, "uuid" =
            visit.worker.map(|worker| Id(worker.0));
        path: String => Text, "text" = visit.area.path.0.clone();
        status: String => Text, "text" = visit.status.name().name().to_owned();
        outcome: Option<String> => Nullable<Text>, "text" =
            visit.status.completion().map(|done| done.outcome.name().to_owned());
        made_at: At => sql::Moment, "timestamptz" = At(visit.made_at);
    }
    changes (worker_id, status, outcome)
}

impl FlowTable for Visit {
    const TABLE: &'static str = "visits";

    fn label(&self) -> (&str, Cow<'_, str>) {
        let labels: Vec<&str> = self.purposes.iter().map(|purpose| purpose.label()).collect();
        (&self.number, labels.join("、").into())
    }

    fn add_rows(change: &Change<Self>, rows: &mut Rows<'_>) -> Result<()> {
        rows.add_own(|| VisitRow::new(change))?;
        rows.add_besides(GoneRow::new(change).map(Updated));
        Ok(())
    }

    fn expect_tables(projection: &mut Projection) -> Result<()> {
        projection.expect_table::<VisitRow>()
    }
}

/// Which visits to list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// Only with this status.
    pub status: Option<StatusName>,
    /// Only to this household.
    pub household: Option<HouseholdId>,
    /// Only of this campaign.
    pub campaign: Option<CampaignId>,
    /// Only by this worker.
    pub worker: Option<PersonId>,
    /// Only within one of these areas.
    pub within: Option<Vec<Path>>,
    /// Only those made after this, and those still planned.
    pub since: Option<Instant>,
    /// Only visits with these identities.
    pub among: Option<Vec<Uuid>>,
}

flow_list!(Visit in visits by made_at);

/// The visits an actor may see, newest first: those in the actor's areas, and those with the actor
/// as the worker, if the actor holds an office.
pub fn list(
    db: &mut Db,
    (scope, office): (&Scope, bool),
    filter: &Filter,
    page: Keyset,
) -> Result<Vec<Versioned<Visit>>> {
    use visits::dsl as v;
    let worker = if office { scope.person.0 } else { Uuid::nil() };
    let own = Box::new(v::worker_id.eq(Some(Id(worker))).assume_not_null());
    let since = |at| v::status.eq(StatusName::Planned.name()).or(v::made_at.ge(At(at)));
    let query = of_tenant(scope.tenant)
        .filter(visible_in(&scope.paths, own))
        .only(filter.status.map(|status| v::status.eq(status.name())))
        .only(filter.household.map(|household| v::household_id.eq(Id(household.0))))
        .only(filter.campaign.map(|campaign| v::campaign_id.eq(Some(Id(campaign.0)))))
        .only(filter.worker.map(|worker| v::worker_id.eq(Some(Id(worker.0)))))
        .only(filter.within.as_deref().map(|paths| within_any!(visits, paths)))
        .only(filter.since.map(since))
        .only(filter.among.as_deref().map(|ids| v::id.eq_any(ids.iter().map(|id| Id(*id)))));
    load_page(query, db, page)
}
