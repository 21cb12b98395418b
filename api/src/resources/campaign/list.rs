//! The list of a campaign: which households, for which workers, and the outcome of each.

pub mod commands;

use actix_web::{get, post, web::Data};
use chrono::{DateTime, Utc};
use domain::{
    Instant,
    area::tree::Path,
    core::{
        id::{HouseholdId, PersonId},
        text::{Code as Word, Line},
    },
    flows::{
        campaign::Campaign,
        form::Form,
        household::{Household, Standing},
        visit::{Outcome, Visit},
    },
    people::actor::{Actor, Permission},
};
use persistence::{
    Db,
    flows::campaign::{self as campaigns, Filter},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::build_filter;
use crate::{
    app::{caller::Caller, state::App},
    engine::step::{self, Step},
    http::{
        answer::Answer,
        body::Json,
        page::{Cursor, Limit, Page},
        params::{IdPath, Query},
        problem::Reply,
        view,
    },
    resources::{
        form::{FilledViews, fill, render_values},
        household::HouseholdBrief,
        place::find_units,
    },
};

/// A household for the list.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskBody {
    /// Which one. 家庭。
    household_id: Uuid,
    /// The worker who is to go; when left out, `to` decides. 走访人。
    worker_id: Option<Uuid>,
}

/// Who gets the households that have no named worker.
#[derive(Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum To {
    /// The person paired with the household, else the grid.
    #[default]
    Paired,
    /// The grid: any of its workers may go.
    Grid,
}

/// The conditions of households to put on the list.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SelectBody {
    /// Within this area; when left out, that of the campaign. 区域。
    area_id: Option<Uuid>,
    /// Of this group of ten. 十联户。
    #[schema(value_type = Option<String>, max_length = 40)]
    group: Option<Word>,
    /// In this building. 楼栋。
    #[schema(value_type = Option<String>, max_length = 120)]
    building: Option<Line>,
    /// With, or without, a member of a group of special care. 有无特殊群体成员。
    special: Option<bool>,
}

/// The households to put on the list.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AssignBody {
    /// Named households, at most 1000. 指定家庭。
    #[serde(default)]
    #[schema(max_items = 1000)]
    households: Vec<TaskBody>,
    /// Households by conditions, at most 5000. 按条件选择。
    select: Option<SelectBody>,
    /// Who gets households without a named worker. 派给谁。
    #[serde(default)]
    #[schema(inline)]
    to: To,
}

/// Puts households on the list of a campaign, or assigns them to another worker.
///
/// 列入名单：指定家庭或按条件选择；派给指定人员、结对责任人或所在网格。进行中也可以增补和改派。
#[utoipa::path(tag = "campaigns", request_body = AssignBody, responses((status = 200, body = super::CampaignView)))]
#[post("/campaigns/{id}/assign")]
pub(super) async fn assign_campaign(
    step: Step,
    body: Json<AssignBody>,
) -> Reply<Answer<super::CampaignView>> {
    commands::assign_campaign(step, body.0).await
}

/// Which households of a campaign to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListTasks {
    /// How many at most, 1 to 100.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 20)]
    limit: Option<Limit>,
    /// Where the last page ended.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<Uuid>>,
    /// Only those I am to go to, by name or as a worker of the grid; with the known answers filled
    /// in. 只看我要走访的，并带出已知内容。
    mine: Option<bool>,
    /// Only in this grid. 网格。
    grid: Option<Uuid>,
    /// Only for this worker. 走访人。
    worker: Option<Uuid>,
    /// Only those not visited yet. 只看未走访的。
    open: Option<bool>,
    /// Only those with this outcome. 结果。
    #[param(schema_with = view::visit_outcome)]
    outcome: Option<Outcome>,
}

/// A household on the list.
#[derive(Serialize, ToSchema)]
pub struct TaskView {
    /// The household, without sealed data.
    household: HouseholdBrief,
    /// The worker who is to go; none: any worker of the grid.
    worker_id: Option<Uuid>,
    /// The visit that was recorded; none until then. 走访标识。
    visit_id: Option<Uuid>,
    /// The outcome of the visit. 结果。
    #[schema(schema_with = view::visit_outcome_or_null)]
    outcome: Option<&'static str>,
    /// The outcome in Chinese; none until the visit. 结果名称。
    outcome_label: Option<&'static str>,
    /// When the worker was there; none until then. 走访时间。
    visited_at: Option<DateTime<Utc>>,
    /// For those I am to go to: the known answers of the form. 表单已知内容。
    form: Option<PrefilledView>,
}

/// The known answers of a form before a visit.
#[derive(Serialize, ToSchema)]
pub struct PrefilledView {
    /// The known answers, by field. 已知内容。
    #[schema(value_type = std::collections::BTreeMap<String, crate::resources::form::FilledView>)]
    values: FilledViews,
    /// Required fields without a known answer. 还需填写的字段。
    missing: Vec<String>,
}

/// Lists the households of a campaign in the order of their identities.
///
/// 行动名单：组织者看全部，走访人看本网格的和派给自己的；mine=true 时带出表单的已知内容。
#[utoipa::path(tag = "campaigns", params(ListTasks), responses((status = 200, body = Page<TaskView>)))]
#[get("/campaigns/{id}/households")]
pub(super) async fn list_campaign_households(
    app: Data<App>,
    caller: Caller,
    id: IdPath<Uuid>,
    params: Query<ListTasks>,
) -> Reply<Page<TaskView>> {
    let stored = step::load_visible::<Campaign>(&app, &caller, id.0).await?;
    let campaign = &stored.state;
    let (limit, now) = (params.0.limit.unwrap_or_default(), app.clock.now());
    let mine = params.0.mine.unwrap_or_default();
    let mut filter = build_filter(&caller, campaign, now);
    if mine {
        filter = assigned_to(&caller, campaign, now);
    }
    let world = app.world(caller.tenant)?;
    filter.grids = params.0.grid.map(|id| find_units(&world, id));
    filter.of = params.0.worker.map(PersonId);
    filter.open = params.0.open.unwrap_or_default();
    filter.outcome = params.0.outcome;
    let (of, after) =
        ((caller.tenant, campaign.id), params.0.cursor.map_or(Uuid::nil(), |cursor| cursor.0));
    let look = move |db: &mut Db| campaigns::list_households(db, of, &filter, after, limit.probe());
    let found = app.store.read(look).await?;
    let page = Page::from_rows(found, limit, |one| one.household.0, |one| one);
    let mut items = Vec::with_capacity(page.items.len());
    for one in page.items {
        items.extend(load_task(&app, &caller, campaign, one, mine).await?);
    }
    Ok(Page { items, next: page.next })
}

/// The households an actor is to visit: those with the actor's name, and those in the actor's grids
/// without a name.
fn assigned_to(by: &Actor, campaign: &Campaign, at: Instant) -> Filter {
    let visits = by.scope_for(Permission::Visit, at).paths;
    let within = visits.into_iter().filter(|path| is_grid(path, campaign)).collect();
    Filter { within, unassigned: true, worker: Some(by.person), ..Filter::default() }
}

/// A household that the caller is to visit for a campaign.
#[derive(Serialize)]
pub struct AssignmentView {
    /// The identity the visit will have.
    id: Uuid,
    /// 0: an assignment has no journal of its own.
    seq: i64,
    campaign_id: Uuid,
    /// The household, without sealed data.
    household: HouseholdBrief,
    /// The worker who is to go; none: any worker of the grid.
    worker_id: Option<Uuid>,
}

impl AssignmentView {
    /// The identity the visit will have.
    pub const fn id(&self) -> Uuid {
        self.id
    }

    /// The household that is to be visited.
    pub const fn household_id(&self) -> Uuid {
        self.household.id()
    }
}

/// The households that the caller is to visit for a campaign and that no worker has visited, in
/// the order of their identities, after one; and whether there are more.
pub async fn load_assignments(
    app: &App,
    caller: &Caller,
    campaign: &Campaign,
    (after, limit): (Uuid, usize),
) -> Reply<(Vec<AssignmentView>, bool)> {
    let filter = Filter { open: true, ..assigned_to(caller, campaign, app.clock.now()) };
    let (of, probe) = ((caller.tenant, campaign.id), limit.saturating_add(1));
    let probe = i64::try_from(probe).unwrap_or(i64::MAX);
    let look = move |db: &mut Db| campaigns::list_households(db, of, &filter, after, probe);
    let found = app.store.read(look).await?;
    let (more, ids) = (found.len() > limit, found.iter().map(|one| one.household.0));
    let ids: Vec<Uuid> = ids.take(limit).collect();
    let households = app.store.load_states::<Household>(caller.tenant, &ids).await;
    let mut assignments = Vec::with_capacity(ids.len());
    for (one, household) in found.iter().zip(households) {
        let Some(household) = household? else { continue };
        assignments.push(AssignmentView {
            id: Visit::id_of(campaign.id, one.household).0,
            seq: 0,
            campaign_id: campaign.id.0,
            household: HouseholdBrief::new(&household),
            worker_id: one.worker.map(|worker| worker.0),
        });
    }
    Ok((assignments, more))
}

/// Whether an area is a grid of the campaign, or lies in one.
fn is_grid(path: &Path, campaign: &Campaign) -> bool {
    campaign.grids.iter().any(|grid| grid.unit.path.contains(path))
}

async fn load_task(
    app: &App,
    caller: &Caller,
    campaign: &Campaign,
    one: campaigns::Listed,
    mine: bool,
) -> Reply<Option<TaskView>> {
    let HouseholdId(id) = one.household;
    let Some(household) = app.store.load_state::<Household>(caller.tenant, id).await? else {
        return Ok(None);
    };
    let form = match campaign.form.filter(|_| mine && household.state.standing == Standing::Present)
    {
        Some(form) => app.store.load_state::<Form>(caller.tenant, form.0).await?,
        None => None,
    };
    let form = match form {
        Some(form) => Some(prefill_form(app, caller, &form.state, &household.state).await?),
        None => None,
    };
    Ok(Some(TaskView {
        household: HouseholdBrief::new(&household),
        worker_id: one.worker.map(|worker| worker.0),
        visit_id: one.visit.map(|visit| visit.0),
        outcome: one.outcome.map(Outcome::name),
        outcome_label: one.outcome.map(Outcome::label),
        visited_at: one.visited_at,
        form,
    }))
}

async fn prefill_form(
    app: &App,
    caller: &Caller,
    form: &Form,
    household: &Household,
) -> Reply<PrefilledView> {
    let schema = form.parse_schema();
    let known = schema.prefill(&fill::load_facts(app, caller, household).await?);
    let personal = |name: &str| schema.find_field(name).is_none_or(|field| field.personal);
    let missing = schema.fields.iter().filter(|field| field.required);
    let missing = missing.filter(|field| !known.contains_key(&field.name));
    let missing = missing.map(|field| field.name.clone()).collect();
    Ok(PrefilledView { values: render_values(&known, personal), missing })
}
