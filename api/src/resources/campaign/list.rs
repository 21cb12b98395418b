//! The list of a campaign: who is put on it and for whom, and what came of each.

use actix_web::{HttpResponse, get, post, web::Data};
use chrono::{DateTime, Utc};
use domain::{
    Instant,
    area::tree::{Path, Unit},
    core::{
        id::{AreaId, HouseholdId, PersonId},
        text::{Code as Word, Line},
    },
    flows::{
        campaign::{Campaign, Command, Listed},
        change::{Stored, act},
        flow::Context,
        form::Form,
        household::{Household, Standing},
        visit::Outcome,
    },
    people::actor::Scope,
    rules::refusal::Refusal,
};
use futures_util::future::try_join_all;
use persistence::{
    Db,
    flows::{campaign as campaigns, household as households},
    kernel::journal::Keyset,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{part, show};
use crate::{
    app::{caller::Caller, state::App},
    engine::step::{self, Step},
    http::{
        body::Json,
        page::{Cursor, Limit, Page},
        params::{IdPath, Query},
        problem::{Code, Problem, Reply},
        view,
    },
    resources::{
        form::{FilledViews, fill, filled},
        household::HouseholdBrief,
        place::known,
    },
};

/// A household for the list.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskBody {
    /// Which. 家庭。
    household_id: Uuid,
    /// Who is to go; left out, as `to` says. 走访人。
    worker_id: Option<Uuid>,
}

/// To whom households are given that are given to nobody in particular.
#[derive(Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum To {
    /// To whoever is paired with the household, else to the grid.
    #[default]
    Paired,
    /// To the grid: whoever of it goes.
    Grid,
}

/// Which households are put on the list without naming them.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SelectBody {
    /// Within this area; left out, that of the campaign. 区域。
    area_id: Option<Uuid>,
    /// Of this group of ten. 十联户。
    #[schema(value_type = Option<String>, max_length = 40)]
    group: Option<Word>,
    /// In this building. 楼栋。
    #[schema(value_type = Option<String>, max_length = 120)]
    building: Option<Line>,
    /// With, or without, somebody cared for in particular. 有无特殊群体成员。
    special: Option<bool>,
}

/// Who is put on the list.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AssignBody {
    /// These, at most 1000. 指定家庭。
    #[serde(default)]
    #[schema(max_items = 1000)]
    households: Vec<TaskBody>,
    /// All of these that live there, at most 5000. 按条件选择。
    select: Option<SelectBody>,
    /// To whom. 派给谁。
    #[serde(default)]
    #[schema(inline)]
    to: To,
}

/// Puts households on the list of a campaign, or gives them to somebody else.
///
/// 列入名单：指定家庭或按条件选择；派给指定人员、结对责任人或所在网格。进行中也可以增补和改派。
#[utoipa::path(tag = "campaigns", request_body = AssignBody, responses((status = 200, body = super::CampaignView)))]
#[post("/campaigns/{id}/assign")]
pub(super) async fn assign_campaign(step: Step, body: Json<AssignBody>) -> Reply<HttpResponse> {
    const MOST: usize = 1000;
    let asked = step.asked("assign_campaign", &body.0);
    let AssignBody { households, select, to } = body.0;
    if households.len() > MOST {
        let (zh, en) = ("一次最多 1000 户", "at most 1000 households at once");
        return Err(Problem::new(Code::InvalidBody).error("/households", "out_of_range", zh, en));
    }
    let campaign = step::look::<Campaign>(&step.app, &step.caller, step.id).await?;
    let mut listed = named(&step, &campaign.state, &households, to).await?;
    if let Some(select) = select {
        listed.extend(selected(&step, &campaign.state, select, to).await?);
    }
    // A named household stands before a selected one; of two namings of one household the first
    // counts.
    let mut seen = std::collections::HashSet::new();
    listed.retain(|one| seen.insert(one.household));
    let command = Command::Assign { listed };
    let decide = |stored: &Stored<Campaign>, context: Context<'_>| {
        Ok((act(Some(stored), &command, asked.request, context)?, Vec::new()))
    };
    let stored = step::step(&step.app, &step.caller, asked, decide).await?;
    Ok(show(&step, &stored))
}

fn listed(household: &Household, worker: Option<PersonId>, to: To, now: Instant) -> Listed {
    let paired = || match to {
        To::Paired => household.visitor(now),
        To::Grid => None,
    };
    let grid: Unit = household.area.clone();
    Listed { household: household.id, grid, worker: worker.or_else(paired) }
}

/// Those that are named: each must live in the area of the campaign.
async fn named(step: &Step, campaign: &Campaign, tasks: &[TaskBody], to: To) -> Reply<Vec<Listed>> {
    let (app, caller) = (&step.app, &step.caller);
    let look = |task: &TaskBody| app.store.look::<Household>(caller.tenant, task.household_id);
    let found = try_join_all(tasks.iter().map(look)).await?;
    let now = app.clock.now();
    let mut all = Vec::with_capacity(tasks.len());
    for (index, (task, household)) in tasks.iter().zip(found).enumerate() {
        let there = |stored: &std::sync::Arc<Stored<Household>>| {
            let household = &stored.state;
            household.standing == Standing::Present
                && campaign.area.path.contains(&household.area.path)
        };
        let household = household.filter(there).ok_or_else(|| {
            let (zh, en) = ("行动范围内没有这户", "there is no such household in the area");
            let at = format!("/households/{index}/household_id");
            Problem::new(Code::InvalidBody).error(at, "unknown_household", zh, en)
        })?;
        if let Some(worker) = task.worker_id {
            crate::resources::household::require_people(app, caller, [worker]).await?;
        }
        all.push(listed(&household.state, task.worker_id.map(PersonId), to, now));
    }
    Ok(all)
}

/// Those that are selected, all of them.
async fn selected(
    step: &Step,
    campaign: &Campaign,
    select: SelectBody,
    to: To,
) -> Reply<Vec<Listed>> {
    const PAGE: i64 = 500;
    let (app, caller) = (&step.app, &step.caller);
    let world = app.world(caller.tenant)?;
    let area = select.area_id.map(|id| known(&world, id)).transpose()?;
    let within = area.map_or(&campaign.area.path, |area| &area.path);
    if !campaign.area.path.contains(within) {
        let unit = area.map(|area| area.name.clone()).unwrap_or_default();
        let holder = campaign.area.name.clone();
        return Err(Refusal::OutsideJurisdiction { holder, unit }.into());
    }
    let filter = households::Filter {
        within: Some(within.clone()),
        building: select.building.map(String::from),
        group: select.group.map(String::from),
        special: select.special,
        standing: Some(Standing::Present),
        mine: false,
    };
    // The organiser may list those who live there, and learns no more of them by it.
    let scope = Scope {
        tenant: caller.tenant,
        person: caller.person,
        paths: vec![within.clone()],
        units: Vec::new(),
    };
    let (now, mut all, mut after) = (app.clock.now(), Vec::new(), None);
    loop {
        let (scope, filter) = (scope.clone(), filter.clone());
        let keyset = Keyset { after, limit: PAGE };
        let look = move |db: &mut Db| households::list(db, (&scope, false), &filter, now, keyset);
        let page = app.store.read(look).await?;
        after = page.last().map(|last| (last.state.registered_at, last.state.id.0));
        let full = i64::try_from(page.len()).unwrap_or_default() == PAGE;
        all.extend(page.iter().map(|stored| listed(&stored.state, None, to, now)));
        if !full || all.len() > Campaign::MAX_HOUSEHOLDS {
            return Ok(all);
        }
    }
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
    /// Only those I am to go to, by name or as somebody of the grid; with what is known filled in.
    /// 只看我要走访的，并带出已知内容。
    mine: Option<bool>,
    /// Only in this grid. 网格。
    grid: Option<Uuid>,
    /// Only for this worker. 走访人。
    worker: Option<Uuid>,
    /// Only where nobody went yet. 只看未走访的。
    open: Option<bool>,
    /// Only where it went like this. 结果。
    #[param(schema_with = view::visit_outcome)]
    outcome: Option<Outcome>,
}

/// A household on the list.
#[derive(Serialize, ToSchema)]
pub struct TaskView {
    /// The household, without what is sealed.
    household: HouseholdBrief,
    /// Who is to go; none: whoever of the grid.
    worker_id: Option<Uuid>,
    /// The visit that was recorded; none until then. 走访标识。
    visit_id: Option<Uuid>,
    /// How it went. 结果。
    #[schema(schema_with = view::visit_outcome_or_null)]
    outcome: Option<&'static str>,
    /// The outcome in Chinese; none until somebody went. 结果名称。
    outcome_label: Option<&'static str>,
    /// When the worker was there; none until then. 走访时间。
    visited_at: Option<DateTime<Utc>>,
    /// Of those I am to go to: what is known of the form. 表单已知内容。
    form: Option<PrefilledView>,
}

/// What is known of a form before somebody goes.
#[derive(Serialize, ToSchema)]
pub struct PrefilledView {
    /// What is known, by field. 已知内容。
    #[schema(value_type = std::collections::BTreeMap<String, crate::resources::form::FilledView>)]
    values: FilledViews,
    /// Required fields of which nothing is known. 还需填写的字段。
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
    let stored = step::look::<Campaign>(&app, &caller, id.0).await?;
    let campaign = &stored.state;
    let (limit, now) = (params.0.limit.unwrap_or_default(), app.clock.now());
    let mine = params.0.mine.unwrap_or_default();
    let mut filter = part(&caller, campaign, now);
    if mine {
        // Mine are the households on my name, and those in my grids that are on no one's name.
        let visits = caller.scope(domain::people::actor::Permission::Visit, now).paths;
        filter.within = visits.into_iter().filter(|path| is_grid(path, campaign)).collect();
        filter.unassigned = true;
    }
    filter.grid = params.0.grid.map(AreaId);
    filter.of = params.0.worker.map(PersonId);
    filter.open = params.0.open.unwrap_or_default();
    filter.outcome = params.0.outcome;
    let (of, after) =
        ((caller.tenant, campaign.id), params.0.cursor.map_or(Uuid::nil(), |cursor| cursor.0));
    let look = move |db: &mut Db| campaigns::listed(db, of, &filter, after, limit.probe());
    let found = app.store.read(look).await?;
    let page = Page::cut(found, limit, |one| one.household.0, |one| one);
    let mut items = Vec::with_capacity(page.items.len());
    for one in page.items {
        items.extend(task(&app, &caller, campaign, one, mine).await?);
    }
    Ok(Page { items, next: page.next })
}

/// Whether an area is a grid of the campaign, or lies in one.
fn is_grid(path: &Path, campaign: &Campaign) -> bool {
    campaign.grids.iter().any(|grid| grid.unit.path.contains(path))
}

async fn task(
    app: &App,
    caller: &Caller,
    campaign: &Campaign,
    one: campaigns::Listed,
    mine: bool,
) -> Reply<Option<TaskView>> {
    let HouseholdId(id) = one.household;
    let Some(household) = app.store.look::<Household>(caller.tenant, id).await? else {
        return Ok(None);
    };
    let form = match campaign.form.filter(|_| mine && household.state.standing == Standing::Present)
    {
        Some(form) => app.store.look::<Form>(caller.tenant, form.0).await?,
        None => None,
    };
    let form = match form {
        Some(form) => Some(prefilled(app, caller, &form.state, &household.state).await?),
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

async fn prefilled(
    app: &App,
    caller: &Caller,
    form: &Form,
    household: &Household,
) -> Reply<PrefilledView> {
    let schema = form.asked();
    let known = schema.prefill(&fill::facts(app, caller, household).await?);
    let personal = |name: &str| schema.field(name).is_none_or(|field| field.personal);
    let missing = schema.fields.iter().filter(|field| field.required);
    let missing = missing.filter(|field| !known.contains_key(&field.name));
    let missing = missing.map(|field| field.name.clone()).collect();
    Ok(PrefilledView { values: filled(&known, personal), missing })
}
