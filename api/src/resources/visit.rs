//! Visits over HTTP (入户走访): planned, recorded with the needs that become reports, put right. No
//! place is demanded, and any time of the day is as good as another.

pub mod commands;
pub mod record;

use actix_web::{HttpRequest, HttpResponse, get, post, web::Data};
use chrono::{DateTime, FixedOffset, Utc};
use domain::{
    Instant,
    core::{
        id::{CampaignId, HouseholdId},
        journal::FlowKind,
        text::Prose,
    },
    flows::{
        change::Versioned,
        flow::Flow as _,
        lifecycle::Lifecycle as _,
        visit::{Outcome, Purpose, Status, StatusName, Visit},
    },
    people::actor::{Actor, Permission},
};
use persistence::{Db, flows::visit as visits, kernel::journal::Keyset};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    app::{
        caller::{Caller, is_in_office},
        state::App,
    },
    engine::{
        flows::ServedFlow,
        step::{self, Start, Step},
    },
    http::{
        answer::Answer,
        body::Json,
        page::{Cursor, Limit, Page},
        params::{IdPath, Query},
        problem::Reply,
        register::ServiceConfig,
        view::{self, OwedView, UnitView, render_with_etag, state_tag},
    },
    resources::{
        form::CountsView,
        place::find_paths,
        timeline::{self, TimelineParams, TimelineView},
    },
};

impl ServedFlow for Visit {
    fn is_visible_to(&self, actor: &Actor, at: Instant) -> bool {
        self.visible_to(actor, at)
    }
}

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(record::submit_visit)
        .service(plan_visit)
        .service(list_visits)
        .service(get_visit)
        .service(get_visit_timeline)
        .service(record::record_visit)
        .service(correct_visit)
        .service(cancel_visit);
}

/// A purpose of a visit.
#[derive(Serialize, ToSchema)]
pub struct VisitPurposeView {
    /// The purpose as a code.
    #[schema(schema_with = view::visit_purpose)]
    purpose: &'static str,
    /// The purpose in Chinese.
    label: &'static str,
}

/// A form that was filled in on a visit.
#[derive(Serialize, ToSchema)]
pub struct VisitFormView {
    /// The identity of the form.
    form_id: Uuid,
    /// In which edition.
    edition: i64,
    /// The identity of the answers: `GET /households/{id}/answers`.
    answers_id: Uuid,
    /// What that demanded.
    counts: CountsView,
}

/// A visit to a household, planned or done.
#[derive(Serialize, ToSchema)]
pub struct VisitView {
    /// The identity of the visit. 走访标识。
    id: Uuid,
    /// Its number. 编号。
    number: String,
    /// Its place in the journal; the `ETag`.
    seq: i64,
    /// How it stands.
    #[schema(schema_with = view::visit_status)]
    status: &'static str,
    /// The status in Chinese. 状态名称。
    status_label: &'static str,
    /// To which household.
    household_id: Uuid,
    /// As part of which campaign.
    campaign_id: Option<Uuid>,
    /// In which grid.
    area: UnitView,
    /// Who goes, or went.
    worker_id: Option<Uuid>,
    /// What for. 目的。
    purposes: Vec<VisitPurposeView>,
    /// When it was planned, or recorded without a plan.
    made_at: DateTime<Utc>,
    /// By when it is owed, where somebody said so.
    owed: Vec<OwedView>,
    /// How it went. 结果。
    #[schema(schema_with = view::visit_outcome_or_null)]
    outcome: Option<&'static str>,
    /// The outcome in Chinese; none until somebody went. 结果名称。
    outcome_label: Option<&'static str>,
    /// What was heard. 意见。
    opinions: Option<String>,
    /// When somebody was there. 走访时间。
    visited_at: Option<DateTime<Utc>>,
    /// When it was written down. 记录时间。
    recorded_at: Option<DateTime<Utc>>,
    /// Whether it was written down on another day (补录): allowed.
    late_entry: bool,
    /// Whether the phone's clock was ahead of ours.
    clock_ahead: bool,
    /// The name of who went. 走访人。
    by: Option<String>,
    /// The form that was filled in. 表单。
    form: Option<VisitFormView>,
    /// The reports made of what was found. 转为上报的需求。
    need_ids: Vec<Uuid>,
    /// How often somebody went. 上门次数。
    goes: u16,
    /// Why nobody goes.
    reason: Option<String>,
    /// What may be asked now.
    possible: Vec<&'static str>,
}

impl From<&Versioned<Visit>> for VisitView {
    fn from(stored: &Versioned<Visit>) -> Self {
        let visit = &stored.state;
        let done = visit.status.completion();
        let status = visit.status.name();
        let reason = match &visit.status {
            Status::Cancelled { reason } => Some(reason.as_str().to_owned()),
            Status::Planned { .. } | Status::Done { .. } => None,
        };
        let purpose = |one: &Purpose| VisitPurposeView { purpose: one.name(), label: one.label() };
        Self {
            id: visit.id.0,
            number: visit.number.clone(),
            seq: stored.seq,
            status: status.name(),
            status_label: status.label(),
            household_id: visit.household.0,
            campaign_id: visit.campaign.map(|campaign| campaign.0),
            area: UnitView::from(&visit.area),
            worker_id: visit.worker.map(|worker| worker.0),
            purposes: visit.purposes.iter().map(purpose).collect(),
            made_at: visit.made_at,
            owed: visit.obligations().iter().map(OwedView::from).collect(),
            outcome: done.map(|done| done.outcome.name()),
            outcome_label: done.map(|done| done.outcome.label()),
            opinions: done.and_then(|done| done.opinions.clone()).map(String::from),
            visited_at: done.map(|done| done.visited_at),
            recorded_at: done.map(|done| done.recorded_at),
            late_entry: done.is_some_and(|done| done.late_entry),
            clock_ahead: done.is_some_and(|done| done.clock_ahead),
            by: done.map(|done| done.by_name.clone()),
            form: done.and_then(|done| done.form).map(|form| VisitFormView {
                form_id: form.form.0,
                edition: form.edition,
                answers_id: form.answers,
                counts: form.counts.into(),
            }),
            need_ids: done.map(|d| d.needs.iter().map(|id| id.0).collect()).unwrap_or_default(),
            goes: done.map_or(0, |done| done.goes),
            reason,
            possible: visit.list_possible(),
        }
    }
}

/// Somebody is to go.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanBody {
    /// The identity it will have; else it is made of the `Idempotency-Key`.
    #[serde(default, deserialize_with = "crate::http::body::own_id")]
    id: Option<Uuid>,
    /// To which household. 家庭。
    household_id: Uuid,
    /// What for. 目的。
    #[schema(value_type = Vec<String>, min_items = 1, max_items = 6, example = json!(["assistance"]))]
    purposes: Vec<Purpose>,
    /// Who is to go; left out, whoever of the grid. 走访人。
    worker_id: Option<Uuid>,
    /// By when: the grid owes it then. 期限。
    due: Option<DateTime<FixedOffset>>,
}

/// Plans a visit.
///
/// 计划走访：给出期限的，进入所在网格的待办；不要求定位。
#[utoipa::path(tag = "visits", request_body = PlanBody, responses((status = 201, body = VisitView)))]
#[post("/visits/plan")]
async fn plan_visit(start: Start, body: Json<PlanBody>) -> Reply<Answer<VisitView>> {
    commands::plan_visit(start, body.0).await
}

/// Which visits to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListVisits {
    /// How many at most, 1 to 100.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 20)]
    limit: Option<Limit>,
    /// Where the last page ended.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<(Instant, Uuid)>>,
    /// Only those of this state.
    #[param(schema_with = view::visit_status)]
    status: Option<StatusName>,
    /// Only to this household. 家庭。
    household: Option<Uuid>,
    /// Only of this campaign. 行动。
    campaign: Option<Uuid>,
    /// Only my own. 只看我的。
    mine: Option<bool>,
    /// Only within this area. 区域。
    within: Option<Uuid>,
}

/// Lists visits, newest first.
///
/// 走访列表：本辖区内的和本人的。
#[utoipa::path(tag = "visits", params(ListVisits), responses((status = 200, body = Page<VisitView>)))]
#[get("/visits")]
async fn list_visits(
    app: Data<App>,
    caller: Caller,
    params: Query<ListVisits>,
) -> Reply<Page<VisitView>> {
    let params = params.0;
    let (limit, now) = (params.limit.unwrap_or_default(), app.clock.now());
    let world = app.world(caller.tenant)?;
    let within = params.within.map(|id| find_paths(&world, id)).transpose()?;
    let filter = visits::Filter {
        status: params.status,
        household: params.household.map(HouseholdId),
        campaign: params.campaign.map(CampaignId),
        worker: params.mine.unwrap_or_default().then_some(caller.person),
        within,
        ..visits::Filter::default()
    };
    let scope = caller.scope_for(Permission::ReadHouseholds, now);
    let office = is_in_office(&caller, now);
    let keyset = Keyset { after: params.cursor.map(|cursor| cursor.0), limit: limit.probe() };
    let look = move |db: &mut Db| visits::list(db, (&scope, office), &filter, keyset);
    let found = app.store.read(look).await?;
    let position = |stored: &Versioned<Visit>| (stored.state.made_at, stored.state.id.0);
    Ok(Page::from_rows(found, limit, position, |stored| VisitView::from(&stored)))
}

/// Shows a visit.
///
/// 走访详情。
#[utoipa::path(tag = "visits", responses((status = 200, body = VisitView)))]
#[get("/visits/{id}")]
async fn get_visit(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    id: IdPath<Uuid>,
) -> Reply<HttpResponse> {
    let (tag, view) = load_view(&app, &caller, id.0).await?;
    Ok(render_with_etag(&request, HttpResponse::Ok(), &tag, &view))
}

/// A visit, and its tag.
pub async fn load_view(app: &App, caller: &Caller, id: Uuid) -> Reply<(String, VisitView)> {
    let stored = step::load_visible::<Visit>(app, caller, id).await?;
    Ok((state_tag(stored.seq), VisitView::from(&*stored)))
}

/// Shows the timeline of a visit.
///
/// 走访的全过程记录，含更正前的内容。
#[utoipa::path(tag = "visits", params(TimelineParams), responses((status = 200, body = TimelineView)))]
#[get("/visits/{id}/timeline")]
async fn get_visit_timeline(
    app: Data<App>,
    caller: Caller,
    id: IdPath<Uuid>,
    params: Query<TimelineParams>,
) -> Reply<HttpResponse> {
    step::load_visible::<Visit>(&app, &caller, id.0).await?;
    timeline::render(&app, &caller, (FlowKind::Visit, id.0), &params.0).await
}

/// What was otherwise.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CorrectBody {
    /// How it really went. 结果。
    #[schema(schema_with = view::visit_outcome)]
    outcome: Option<Outcome>,
    /// What it really was for. 目的。
    #[schema(value_type = Option<Vec<String>>, max_items = 6)]
    purposes: Option<Vec<Purpose>>,
    /// What really was heard. 意见。
    #[schema(value_type = Option<String>, max_length = 4000)]
    opinions: Option<Prose>,
    /// Why that is put right. 更正理由。
    #[schema(value_type = String, min_length = 1, max_length = 4000, example = "结果选错")]
    reason: Prose,
}

/// Puts right what was said about a visit.
///
/// 更正走访记录：原记录保留在全过程记录中。
#[utoipa::path(tag = "visits", request_body = CorrectBody, responses((status = 200, body = VisitView)))]
#[post("/visits/{id}/correct")]
async fn correct_visit(step: Step, body: Json<CorrectBody>) -> Reply<Answer<VisitView>> {
    commands::correct_visit(step, body.0).await
}

/// Why nobody goes.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelBody {
    /// Why. 取消理由。
    #[schema(value_type = String, min_length = 1, max_length = 4000, example = "已电话联系，无需上门")]
    reason: Prose,
}

/// Cancels a visit that was planned.
///
/// 取消走访计划。
#[utoipa::path(tag = "visits", request_body = CancelBody, responses((status = 200, body = VisitView)))]
#[post("/visits/{id}/cancel")]
async fn cancel_visit(step: Step, body: Json<CancelBody>) -> Reply<Answer<VisitView>> {
    commands::cancel_visit(step, body.0).await
}
