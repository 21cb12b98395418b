//! Campaigns as rows, and their lists: each household once, with its result.

use diesel::{
    dsl::count_star,
    prelude::*,
    sql_types::{Bool, Nullable, Text},
};
use domain::{
    Instant,
    area::tree::Path,
    core::{
        id::{AreaId, CampaignId, HouseholdId, PersonId, TenantId, VisitId},
        journal::FlowKind,
    },
    flows::{
        campaign::{Campaign, Event, StatusName},
        change::{Change, Versioned},
        stored_event::{Unreadable, read_events},
        visit::{Outcome, Visit},
    },
};
use std::{borrow::Cow, collections::HashMap};
use uuid::Uuid;

use crate::kernel::{
    connection::{Db, MultiBackend},
    error::StoreError,
    flow::{FlowTable, Rows, flow_row, prefix_end},
    journal::Keyset,
    list::{Narrow as _, flow_list},
    projection::{Derived, Projection},
    rows::rows,
    schema::{campaign_households, campaigns},
    types::{At, Id, sql},
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

flow_row! {
    CampaignRow of Campaign as campaign in "campaigns" {
        path: String => Text, "text" = campaign.area.path.0.clone();
        status: String => Text, "text" = campaign.status.name().to_owned();
        made_at: At => sql::Moment, "timestamptz" = At(campaign.made_at);
    }
    changes (status)
}

impl FlowTable for Campaign {
    const TABLE: &'static str = "campaigns";
    /// A campaign takes up to a megabyte.
    const CACHED: usize = 16;

    fn label(&self) -> (&str, Cow<'_, str>) {
        (&self.number, self.name.as_str().into())
    }

    fn add_rows(change: &Change<Self>, rows: &mut Rows<'_>) -> Result<()> {
        rows.add_own(|| CampaignRow::new(change))?;
        rows.add_derived(TaskRow::from_change(change)?)
    }

    fn expect_tables(projection: &mut Projection) -> Result<()> {
        projection.expect_table::<CampaignRow>()?;
        projection.expect_table::<TaskRow>()
    }
}

/// A household on the list of a running campaign.
#[derive(Debug, Clone)]
pub(crate) struct TaskRow {
    tenant_id: Id,
    pub(crate) campaign_id: Id,
    pub(crate) household_id: Id,
    grid_id: Id,
    path: String,
    worker_id: Option<Id>,
    asked_at: At,
}

rows! {
    TaskRow in "campaign_households" {
        tenant_id: Id => sql::Uid, "uuid";
        campaign_id: Id => sql::Uid, "uuid";
        household_id: Id => sql::Uid, "uuid";
        grid_id: Id => sql::Uid, "uuid";
        path: String => Text, "text";
        worker_id: Option<Id> => Nullable<sql::Uid>, "uuid";
        asked_at: At => sql::Moment, "timestamptz";
    }
    key (tenant_id, campaign_id, household_id) changes (grid_id, path, worker_id)
}

impl Derived for TaskRow {
    const FLOW: &'static str = "campaign_id";
    const KIND: Result<FlowKind, &'static str> = Ok(FlowKind::Campaign);

    fn flow(&self) -> (&str, Uuid) {
        (FlowKind::Campaign.name(), self.campaign_id.0)
    }

    fn row_name(&self) -> String {
        self.household_id.0.to_string()
    }
}

/// The result for a household on such a list.
#[derive(Debug, Clone)]
pub(crate) struct GoneRow {
    tenant_id: Id,
    campaign_id: Id,
    household_id: Id,
    visit_id: Option<Id>,
    outcome: Option<String>,
    visited_at: Option<At>,
}

rows! {
    GoneRow in "campaign_households" {
        tenant_id: Id => sql::Uid, "uuid";
        campaign_id: Id => sql::Uid, "uuid";
        household_id: Id => sql::Uid, "uuid";
        visit_id: Option<Id> => Nullable<sql::Uid>, "uuid";
        outcome: Option<String> => Nullable<Text>, "text";
        visited_at: Option<At> => Nullable<sql::Moment>, "timestamptz";
    }
    key (tenant_id, campaign_id, household_id) changes (visit_id, outcome, visited_at)
}

impl TaskRow {
    /// The rows that follow from a change: all of them when it is published, and those that are
    /// listed while it runs.
    pub(crate) fn from_change(change: &Change<Campaign>) -> Result<Vec<Self>> {
        let campaign = &change.state;
        if campaign.status != StatusName::Running {
            return Ok(Vec::new());
        }
        let wrong = |error: Unreadable| StoreError::Inconsistent(error.to_string());
        let events: Vec<Event> = read_events(&change.entry.events).map_err(wrong)?;
        let mut touched: Vec<HouseholdId> = Vec::new();
        for event in &events {
            match event {
                Event::Published { .. } => touched.extend(campaign.tasks.keys()),
                Event::Assigned { listed, .. } => {
                    touched.extend(listed.iter().map(|one| one.household));
                }
                Event::Begun { .. } | Event::Completed { .. } | Event::Closed { .. } => {}
            }
        }
        touched.sort_unstable();
        touched.dedup();
        let path = |grid: AreaId| {
            let known = campaign.grids.iter().find(|one| one.unit.id == grid);
            known.map_or_else(|| campaign.area.path.0.clone(), |one| one.unit.path.0.clone())
        };
        let row = |household: HouseholdId| {
            let task = campaign.tasks.get(&household)?;
            Some(Self {
                tenant_id: Id(change.entry.tenant.0),
                campaign_id: Id(campaign.id.0),
                household_id: Id(household.0),
                grid_id: Id(task.grid.0),
                path: path(task.grid),
                worker_id: task.worker.map(|worker| Id(worker.0)),
                asked_at: At(change.entry.at),
            })
        };
        Ok(touched.into_iter().filter_map(row).collect())
    }
}

impl GoneRow {
    /// The result that a visit means for its campaign.
    pub(crate) fn new(change: &Change<Visit>) -> Option<Self> {
        let (visit, campaign) = (&change.state, change.state.campaign?);
        let done = visit.status.completion()?;
        Some(Self {
            tenant_id: Id(change.entry.tenant.0),
            campaign_id: Id(campaign.0),
            household_id: Id(visit.household.0),
            visit_id: Some(Id(visit.id.0)),
            outcome: Some(done.outcome.name().to_owned()),
            visited_at: Some(At(done.visited_at)),
        })
    }
}

/// Which campaigns a person may know of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reach {
    /// The tenant of the campaigns.
    pub tenant: TenantId,
    /// The person who asks, where that person may visit at all.
    pub person: Option<PersonId>,
    /// The areas over which the person manages campaigns: drafts are visible, too.
    pub organises: Vec<Path>,
    /// The areas in which the person visits or manages campaigns.
    pub works: Vec<Path>,
}

flow_list!(Campaign in campaigns by made_at);

/// Which campaigns to list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Selection {
    /// Only of this status.
    pub status: Option<StatusName>,
    /// Only those that are not closed.
    pub open: bool,
    /// Only of these.
    pub among: Option<Vec<Uuid>>,
}

/// The campaigns a person may know of, newest first.
pub fn list(
    db: &mut Db,
    reach: &Reach,
    selection: &Selection,
    page: Keyset,
) -> Result<Vec<Versioned<Campaign>>> {
    use campaign_households::dsl as t;
    use campaigns::dsl as c;
    let begun = || c::status.ne(StatusName::Draft.name());
    let sent = campaign_households::table
        .select(t::campaign_id)
        .filter(t::tenant_id.eq(Id(reach.tenant.0)))
        .filter(t::worker_id.eq(Some(Id(reach.person.map_or(Uuid::nil(), |one| one.0)))));
    let mut known = visible_in(&reach.organises, Box::new(begun().and(c::id.eq_any(sent))));
    for path in &reach.works {
        let above: Vec<String> = path.lineage().into_iter().map(|path| path.0).collect();
        let near = begun().and(within(path).or(c::path.eq_any(above)));
        known = Box::new(known.or(near));
    }
    let query = of_tenant(reach.tenant)
        .filter(known)
        .only(selection.status.map(|status| c::status.eq(status.name())))
        .only(selection.open.then(|| c::status.ne(StatusName::Closed.name())))
        .only(selection.among.as_ref().map(|ids| c::id.eq_any(ids.iter().map(|id| Id(*id)))));
    load_page(query, db, page)
}

/// The workers assigned to these households, by campaign and household.
pub fn load_workers(
    db: &mut Db,
    tenant: TenantId,
    tasks: &[(CampaignId, HouseholdId)],
) -> Result<HashMap<(CampaignId, HouseholdId), PersonId>> {
    use campaign_households::dsl as t;
    let mut workers = HashMap::new();
    for (campaign, household) in tasks {
        let key = (Id(tenant.0), Id(campaign.0), Id(household.0));
        let worker: Option<Option<Id>> =
            campaign_households::table.find(key).select(t::worker_id).first(db).optional()?;
        if let Some(worker) = worker.flatten() {
            workers.insert((*campaign, *household), PersonId(worker.0));
        }
    }
    Ok(workers)
}

/// A household on the list of a campaign, with its result.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    /// The household to visit.
    pub household: HouseholdId,
    /// The grid it lies in.
    pub grid: AreaId,
    /// The worker who is to go.
    pub worker: Option<PersonId>,
    /// The visit that was recorded; none until then.
    pub visit: Option<VisitId>,
    /// The result of the visit.
    pub outcome: Option<Outcome>,
    /// When the worker was there.
    pub visited_at: Option<Instant>,
}

/// Which households of a campaign to list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// Only in these areas, or for this worker.
    pub within: Vec<Path>,
    /// In these areas, only those without an assigned worker.
    pub unassigned: bool,
    /// Also those of this worker, wherever they are.
    pub worker: Option<PersonId>,
    /// Of these, only those of this worker.
    pub of: Option<PersonId>,
    /// Only in these grids.
    pub grids: Option<Vec<AreaId>>,
    /// Only those that no worker has visited.
    pub open: bool,
    /// Only those with this result.
    pub outcome: Option<Outcome>,
}

type Limit = Box<dyn BoxableExpression<campaign_households::table, MultiBackend, SqlType = Bool>>;

fn build_limit(filter: &Filter) -> Limit {
    use campaign_households::dsl as t;
    let worker = filter.worker.map_or(Uuid::nil(), |worker| worker.0);
    let mut visible: Limit =
        Box::new(t::worker_id.is_not_null().and(t::worker_id.assume_not_null().eq(Id(worker))));
    for path in &filter.within {
        let within = t::path.ge(path.0.clone()).and(t::path.lt(prefix_end(path)));
        visible = if filter.unassigned {
            Box::new(visible.or(within.and(t::worker_id.is_null())))
        } else {
            Box::new(visible.or(within))
        };
    }
    visible
}

/// The households of a campaign in the order of their identities, after one.
pub fn list_households(
    db: &mut Db,
    (tenant, campaign): (TenantId, CampaignId),
    filter: &Filter,
    after: Uuid,
    limit: i64,
) -> Result<Vec<Listed>> {
    use campaign_households::dsl as t;
    type Row = (Id, Id, Option<Id>, Option<Id>, Option<String>, Option<At>);
    let mut query = campaign_households::table
        .filter(t::tenant_id.eq(Id(tenant.0)).and(t::campaign_id.eq(Id(campaign.0))))
        .filter(t::household_id.gt(Id(after)))
        .filter(build_limit(filter))
        .into_boxed();
    if let Some(grids) = &filter.grids {
        let grids: Vec<Id> = grids.iter().map(|grid| Id(grid.0)).collect();
        query = query.filter(t::grid_id.eq_any(grids));
    }
    if let Some(of) = filter.of {
        query = query.filter(t::worker_id.eq(Some(Id(of.0))));
    }
    if filter.open {
        query = query.filter(t::outcome.is_null());
    }
    if let Some(outcome) = filter.outcome {
        query = query.filter(t::outcome.eq(Some(outcome.name())));
    }
    let rows: Vec<Row> = query
        .order(t::household_id.asc())
        .limit(limit)
        .select((t::household_id, t::grid_id, t::worker_id, t::visit_id, t::outcome, t::visited_at))
        .load(db)?;
    let listed = |(household, grid, worker, visit, outcome, at): Row| Listed {
        household: HouseholdId(household.0),
        grid: AreaId(grid.0),
        worker: worker.map(|id| PersonId(id.0)),
        visit: visit.map(|id| VisitId(id.0)),
        outcome: outcome.as_deref().and_then(Outcome::parse),
        visited_at: at.map(|at| at.0),
    };
    Ok(rows.into_iter().map(listed).collect())
}

/// The grids of a campaign with households still to be visited.
pub fn load_open_grids(db: &mut Db, tenant: TenantId, campaign: CampaignId) -> Result<Vec<AreaId>> {
    use campaign_households::dsl as t;
    let ids: Vec<Id> = campaign_households::table
        .filter(t::tenant_id.eq(Id(tenant.0)).and(t::campaign_id.eq(Id(campaign.0))))
        .filter(t::outcome.is_null())
        .select(t::grid_id)
        .distinct()
        .load(db)?;
    Ok(ids.into_iter().map(|id| AreaId(id.0)).collect())
}

/// Whether a grid of a campaign has households still to be visited.
pub fn is_open(db: &mut Db, tenant: TenantId, campaign: CampaignId, grid: AreaId) -> Result<bool> {
    use campaign_households::dsl as t;
    let one: Option<Id> = campaign_households::table
        .filter(t::tenant_id.eq(Id(tenant.0)).and(t::campaign_id.eq(Id(campaign.0))))
        .filter(t::grid_id.eq(Id(grid.0)).and(t::outcome.is_null()))
        .select(t::household_id)
        .first(db)
        .optional()?;
    Ok(one.is_some())
}

/// How progress is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum By {
    /// For each grid.
    Grid,
    /// By worker; households without an assigned worker are under the nil identity.
    Worker,
}

/// The number of households of one grid or worker with a result; none: not visited yet.
pub type Count = (Uuid, Option<Outcome>, i64);

/// The counts of a campaign in the order of grids or workers, after one: those of `limit` of them.
pub fn count_progress(
    db: &mut Db,
    (tenant, campaign): (TenantId, CampaignId),
    (by, filter): (By, &Filter),
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Count>> {
    use campaign_households::dsl as t;
    let of = || {
        campaign_households::table
            .filter(t::tenant_id.eq(Id(tenant.0)).and(t::campaign_id.eq(Id(campaign.0))))
            .filter(build_limit(filter))
    };
    let rows: Vec<(Option<Id>, Option<String>, i64)> = match by {
        By::Grid => {
            let mut keys = of().select(t::grid_id).distinct().into_boxed();
            if let Some(after) = after {
                keys = keys.filter(t::grid_id.gt(Id(after)));
            }
            let keys: Vec<Id> = keys.order(t::grid_id.asc()).limit(limit).load(db)?;
            of().filter(t::grid_id.eq_any(keys))
                .group_by((t::grid_id, t::outcome))
                .select((t::grid_id.nullable(), t::outcome, count_star()))
                .order(t::grid_id.asc())
                .load(db)?
        }
        By::Worker => {
            let mut keys = of().select(t::worker_id).distinct().into_boxed();
            keys = match after {
                Some(after) => keys.filter(t::worker_id.gt(Some(Id(after)))),
                None => keys.filter(t::worker_id.is_not_null()),
            };
            let keys: Vec<Option<Id>> = keys.order(t::worker_id.asc()).limit(limit).load(db)?;
            let keys: Vec<Id> = keys.into_iter().flatten().collect();
            let mut rows: Vec<(Option<Id>, Option<String>, i64)> = Vec::new();
            if after.is_none() {
                rows.extend(
                    of().filter(t::worker_id.is_null())
                        .group_by((t::worker_id, t::outcome))
                        .select((t::worker_id, t::outcome, count_star()))
                        .load::<(Option<Id>, Option<String>, i64)>(db)?,
                );
            }
            rows.extend(
                of().filter(t::worker_id.eq_any(keys.into_iter().map(Some)))
                    .group_by((t::worker_id, t::outcome))
                    .select((t::worker_id, t::outcome, count_star()))
                    .order(t::worker_id.asc())
                    .load::<(Option<Id>, Option<String>, i64)>(db)?,
            );
            rows
        }
    };
    let count = |(key, outcome, count): (Option<Id>, Option<String>, i64)| {
        let outcome = outcome.as_deref().and_then(Outcome::parse);
        (key.map_or(Uuid::nil(), |id| id.0), outcome, count)
    };
    Ok(rows.into_iter().map(count).collect())
}
