//! Campaigns over HTTP (敲门行动): a list of households for a list of workers, the outcome of each, and
//! the known answers for the worker who goes.

pub mod commands;
pub mod list;

use std::collections::HashMap;

use actix_web::{HttpRequest, HttpResponse, get, post, web::Data};
use chrono::{DateTime, FixedOffset, Utc};
use domain::{
    Instant,
    area::tree::Path,
    core::text::{Line, Prose},
    flows::{
        campaign::{Campaign, StatusName},
        change::Versioned,
        flow::Flow as _,
        visit::{Outcome, Purpose},
    },
    people::actor::{Actor, Permission},
};
use persistence::{
    Db,
    flows::campaign::{self as campaigns, By, Filter, Reach, Selection},
    kernel::journal::Keyset,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    app::{caller::Caller, state::App},
    engine::{
        flows::ServedFlow,
        step::{self, Start, Step},
    },
    http::{
        answer::Answer,
        body::{Json, shared::EmptyBody},
        flow_view::flow_view,
        page::{Cursor, Limit, Page},
        params::{IdPath, Query},
        problem::Reply,
        register::ServiceConfig,
        view::{self, OwedView, UnitView, render_with_etag, state_tag},
    },
    privacy::names,
};

/// The most grids that are named as owing their part.
const MOST_OWED: usize = 100;

impl ServedFlow for Campaign {
    fn is_visible_to(&self, actor: &Actor, at: Instant) -> bool {
        self.visible_to(actor, at)
    }
}

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(begin_campaign)
        .service(list_campaigns)
        .service(get_campaign)
        .service(list::assign_campaign)
        .service(publish_campaign)
        .service(close_campaign)
        .service(get_campaign_progress)
        .service(list::list_campaign_households);
}

/// A campaign to be prepared.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CampaignBody {
    /// The identity it will have; else it is made of the `Idempotency-Key`.
    #[serde(default, deserialize_with = "crate::http::body::own_id")]
    id: Option<Uuid>,
    /// Its name. 名称。
    #[schema(value_type = String, min_length = 1, max_length = 120, example = "冬季取暖安全敲门行动")]
    name: Line,
    /// The purpose of the visits. 目的。
    #[schema(schema_with = view::visit_purpose)]
    purpose: Purpose,
    /// What to do at each household. 要求。
    #[schema(value_type = Option<String>, max_length = 4000)]
    text: Option<Prose>,
    /// The area whose households are visited. 范围。
    area_id: Uuid,
    /// The form to fill in. 表单。
    form_id: Option<Uuid>,
    /// The beginning; when left out, the publication. 开始时间。
    #[serde(default, deserialize_with = "crate::http::body::time::read_optional_moment")]
    from: Option<DateTime<FixedOffset>>,
    /// The end of the campaign. 结束时间。
    #[serde(deserialize_with = "crate::http::body::time::read_moment")]
    until: DateTime<FixedOffset>,
}

flow_view! {
    /// A campaign: households of an area that workers are to visit in some time.
    CampaignView of Campaign as campaign, given () {
        /// The identity of the campaign. 行动标识。
        id;
        /// Its number. 编号。
        number;
        /// Its place in the journal; the `ETag`.
        seq;
        /// Its name. 名称。
        name: String = campaign.name.as_str().to_owned();
        /// The present status.
        #[schema(schema_with = view::campaign_status)]
        status;
        /// The status in Chinese. 状态名称。
        status_label;
        /// The purpose of the visits.
        #[schema(schema_with = view::visit_purpose)]
        purpose: &'static str = campaign.purpose.name();
        /// The purpose in Chinese. 目的名称。
        purpose_label: &'static str = campaign.purpose.label();
        /// What to do at each household.
        text: Option<String> = campaign.text.clone().map(String::from);
        /// The area whose households are visited. 行动区域。
        area: UnitView = UnitView::from(&campaign.area);
        /// The form to fill in.
        form_id: Option<Uuid> = campaign.form.map(|form| form.0);
        /// When the campaign begins. 开始时间。
        from: DateTime<Utc> = campaign.from;
        /// When the campaign is to be over. 截止时间。
        until: DateTime<Utc> = campaign.until;
        /// How many households are on the list. 户数。
        households: usize = campaign.tasks.len();
        /// The number of their grids. 网格数。
        grids: usize = campaign.grids.len();
        /// The grids that owe their part. 未完成的网格。
        owed: Vec<OwedView> =
            campaign.obligations().iter().take(MOST_OWED).map(OwedView::from).collect();
        /// When it was published.
        published_at: Option<DateTime<Utc>> = campaign.published_at;
        /// When it ended.
        closed_at: Option<DateTime<Utc>> = campaign.closed_at;
        /// The operations that are possible now.
        possible;
    }
}

/// Begins to prepare a campaign.
///
/// 发起走访行动：先列名单，再启动。
#[utoipa::path(tag = "campaigns", request_body = CampaignBody, responses((status = 201, body = CampaignView)))]
#[post("/campaigns")]
async fn begin_campaign(start: Start, body: Json<CampaignBody>) -> Reply<Answer<CampaignView>> {
    commands::begin_campaign(start, body.0).await
}

/// Which campaigns to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListCampaigns {
    /// How many at most, 1 to 100.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 20)]
    limit: Option<Limit>,
    /// Where the last page ended.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<(Instant, Uuid)>>,
    /// Only those of this state.
    #[param(schema_with = view::campaign_status)]
    status: Option<StatusName>,
}

/// The reach of an actor: which campaigns the actor may know of, by the same rule as in the domain.
fn compute_reach(by: &Actor, at: Instant) -> Reach {
    let organises = by.scope_for(Permission::ManageCampaigns, at).paths;
    let mut works = by.scope_for(Permission::Visit, at).paths;
    works.extend(organises.iter().cloned());
    let visits = by.may_somewhere(Permission::Visit, at);
    Reach { tenant: by.tenant, person: visits.then_some(by.person), organises, works }
}

/// Lists campaigns, newest first.
///
/// 走访行动列表：本辖区的和派给本人的；准备中的只有组织者可见。
#[utoipa::path(tag = "campaigns", params(ListCampaigns), responses((status = 200, body = Page<CampaignView>)))]
#[get("/campaigns")]
async fn list_campaigns(
    app: Data<App>,
    caller: Caller,
    params: Query<ListCampaigns>,
) -> Reply<Page<CampaignView>> {
    let ListCampaigns { limit, cursor, status } = params.0;
    let limit = limit.unwrap_or_default();
    let reach = compute_reach(&caller, app.clock.now());
    let keyset = Keyset { after: cursor.map(|cursor| cursor.0), limit: limit.probe() };
    let selection = Selection { status, ..Selection::default() };
    let look = move |db: &mut Db| campaigns::list(db, &reach, &selection, keyset);
    let found = app.store.read(look).await?;
    let position = |stored: &Versioned<Campaign>| (stored.state.made_at, stored.state.id.0);
    Ok(Page::from_rows(found, limit, position, |stored| CampaignView::new(&stored)))
}

/// Shows a campaign.
///
/// 走访行动详情。
#[utoipa::path(tag = "campaigns", responses((status = 200, body = CampaignView)))]
#[get("/campaigns/{id}")]
async fn get_campaign(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    id: IdPath<Uuid>,
) -> Reply<HttpResponse> {
    let stored = step::load_visible::<Campaign>(&app, &caller, id.0).await?;
    Ok(render_with_etag(
        &request,
        HttpResponse::Ok(),
        &state_tag(stored.seq),
        &CampaignView::new(&stored),
    ))
}

/// Publishes a campaign: its workers are asked to go.
///
/// 启动行动：名单派发给走访人，各网格在结束时间前完成。
#[utoipa::path(tag = "campaigns", request_body = EmptyBody, responses((status = 200, body = CampaignView)))]
#[post("/campaigns/{id}/publish")]
async fn publish_campaign(step: Step, body: Json<EmptyBody>) -> Reply<Answer<CampaignView>> {
    commands::publish_campaign(step, body.0).await
}

/// The end of a campaign.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CloseCampaignBody {
    /// The reason, or the result. 说明。
    #[schema(value_type = Option<String>, max_length = 4000)]
    note: Option<Prose>,
}

/// Ends a campaign.
///
/// 结束行动：没有走完的网格不算完成，但不再催办。
#[utoipa::path(tag = "campaigns", request_body = CloseCampaignBody, responses((status = 200, body = CampaignView)))]
#[post("/campaigns/{id}/close")]
async fn close_campaign(step: Step, body: Json<CloseCampaignBody>) -> Reply<Answer<CampaignView>> {
    commands::close_campaign(step, body.0).await
}

/// The unit by which progress is counted.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ByParam {
    /// One count for each grid.
    #[default]
    Grid,
    /// One count for each worker.
    Worker,
}

/// How progress is counted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ProgressParams {
    /// How many grids or workers at most, 1 to 100.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 20)]
    limit: Option<Limit>,
    /// Where the last page ended.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<Uuid>>,
    /// By `grid` or by `worker`. 按网格或走访人。
    #[param(inline)]
    by: Option<ByParam>,
}

/// The progress of a grid or a worker; never a ranking: grids and workers are ordered by their
/// identities.
#[derive(Serialize, ToSchema)]
pub struct ProgressView {
    /// The grid or the worker; none for households without a named worker.
    id: Option<Uuid>,
    /// The name of the grid or the worker; empty where there is no `id`. 名称。
    name: String,
    /// Households. 户数。
    households: i64,
    /// Households where a person was met. 已入户。
    met: i64,
    /// Households where nobody was at home. 家中无人。
    nobody_home: i64,
    /// Households that refused. 拒访。
    refused: i64,
    /// Households that moved away. 已搬离。
    moved_away: i64,
    /// Households not visited yet. 未走访。
    open: i64,
}

/// The part of a campaign's list that an actor may see: all of it with rights over its whole area,
/// otherwise the households in the actor's own areas and those assigned to the actor by name.
fn build_filter(by: &Actor, campaign: &Campaign, at: Instant) -> Filter {
    let whole = by.may(Permission::ManageCampaigns, &campaign.area.path, at);
    let within: Vec<Path> = if whole {
        vec![campaign.area.path.clone()]
    } else {
        let mut paths = by.scope_for(Permission::ManageCampaigns, at).paths;
        paths.extend(by.scope_for(Permission::Visit, at).paths);
        paths
    };
    Filter { within, worker: Some(by.person), ..Filter::default() }
}

/// Counts the progress of a campaign.
///
/// 行动进度：按网格或走访人统计，不排名；明细见 households。
#[utoipa::path(tag = "campaigns", params(ProgressParams), responses((status = 200, body = Page<ProgressView>)))]
#[get("/campaigns/{id}/progress")]
async fn get_campaign_progress(
    app: Data<App>,
    caller: Caller,
    id: IdPath<Uuid>,
    params: Query<ProgressParams>,
) -> Reply<Page<ProgressView>> {
    let stored = step::load_visible::<Campaign>(&app, &caller, id.0).await?;
    let ProgressParams { limit, cursor, by } = params.0;
    let limit = limit.unwrap_or_default();
    let by = match by.unwrap_or_default() {
        ByParam::Grid => By::Grid,
        ByParam::Worker => By::Worker,
    };
    let of = (caller.tenant, stored.state.id);
    let filter = build_filter(&caller, &stored.state, app.clock.now());
    let after = cursor.map(|cursor| cursor.0);
    let look =
        move |db: &mut Db| campaigns::count_progress(db, of, (by, &filter), after, limit.probe());
    let counts = app.store.read(look).await?;
    let mut views: Vec<ProgressView> = Vec::new();
    for (key, outcome, count) in counts {
        let id = (!key.is_nil()).then_some(key);
        let at = views.iter().position(|view| view.id == id);
        let at = at.unwrap_or_else(|| {
            views.push(ProgressView::new(id));
            views.len() - 1
        });
        if let Some(view) = views.get_mut(at) {
            view.add_count(outcome, count);
        }
    }
    fill_names(&app, &caller, by, &stored.state, &mut views).await?;
    // Households without a named worker stand before the first page, beyond its limit.
    let named: Vec<ProgressView> = views.extract_if(.., |view| view.id.is_some()).collect();
    let mut page = Page::from_rows(named, limit, |view| view.id.unwrap_or_default(), |view| view);
    views.append(&mut page.items);
    Ok(Page { items: views, next: page.next })
}

impl ProgressView {
    const fn new(id: Option<Uuid>) -> Self {
        Self {
            id,
            name: String::new(),
            households: 0,
            met: 0,
            nobody_home: 0,
            refused: 0,
            moved_away: 0,
            open: 0,
        }
    }

    fn add_count(&mut self, outcome: Option<Outcome>, count: i64) {
        self.households += count;
        let place = match outcome {
            None => &mut self.open,
            Some(Outcome::Met) => &mut self.met,
            Some(Outcome::NobodyHome) => &mut self.nobody_home,
            Some(Outcome::Refused) => &mut self.refused,
            Some(Outcome::MovedAway) => &mut self.moved_away,
        };
        *place += count;
    }
}

async fn fill_names(
    app: &App,
    caller: &Caller,
    by: By,
    campaign: &Campaign,
    views: &mut [ProgressView],
) -> Reply<()> {
    let people = views.iter().filter_map(|view| view.id).map(domain::core::id::PersonId);
    let people = match by {
        By::Grid => HashMap::new(),
        By::Worker => names::load_display(app, caller.tenant, people).await?,
    };
    for view in views {
        let Some(id) = view.id else { continue };
        let grid = || campaign.grids.iter().find(|grid| grid.unit.id.0 == id);
        view.name = match by {
            By::Grid => grid().map(|grid| grid.unit.name.clone()).unwrap_or_default(),
            By::Worker => people.get(&domain::core::id::PersonId(id)).cloned().unwrap_or_default(),
        };
    }
    Ok(())
}
