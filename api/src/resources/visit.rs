//! Visits over HTTP (入户走访): planned, recorded with the needs that become reports, corrected. No
//! place is demanded, and any time of the day is accepted.

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
        flow_view::flow_view,
        page::{Cursor, Limit, Page},
        params::{IdPath, Query},
        problem::Reply,
        register::ServiceConfig,
        view::{self, UnitView, render_with_etag, state_tag},
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
    /// The edition of the form.
    edition: i64,
    /// The identity of the answers: `GET /households/{id}/answers`.
    answers_id: Uuid,
    /// How much the form demanded.
    counts: CountsView,
}

flow_view! {
    /// A visit to a household, planned or done.
    VisitView of Visit as visit, given () {
        /// The identity of the visit. 走访标识。
        id;
        /// Its number. 编号。
        number;
        /// Its place in the journal; the `ETag`.
        seq;
        /// The present status.
        #[schema(schema_with = view::visit_status)]
        status;
        /// The status in Chinese. 状态名称。
        status_label;
        /// The household that is visited.
        household_id: Uuid = visit.household.0;
        /// The campaign it is part of.
        campaign_id: Option<Uuid> = visit.campaign.map(|campaign| campaign.0);
        /// The grid of the household.
        area: UnitView = UnitView::from(&visit.area);
        /// The worker who goes, or went.
        worker_id: Option<Uuid> = visit.worker.map(|worker| worker.0);
        /// The purpose. 目的。
        purposes: Vec<VisitPurposeView> = visit.purposes.iter().map(purpose).collect();
        /// When it was planned, or recorded without a plan.
        made_at: DateTime<Utc> = visit.made_at;
        /// The obligation to go, where a due time was given.
        owed;
        /// The outcome. 结果。
        #[schema(schema_with = view::visit_outcome_or_null)]
        outcome: Option<&'static str> = done.map(|done| done.outcome.name());
        /// The outcome in Chinese; none until the visit. 结果名称。
        outcome_label: Option<&'static str> = done.map(|done| done.outcome.label());
        /// The opinions of the household. 意见。
        opinions: Option<String> = done.and_then(|done| done.opinions.clone()).map(String::from);
        /// When the worker was there. 走访时间。
        visited_at: Option<DateTime<Utc>> = done.map(|done| done.visited_at);
        /// When it was recorded. 记录时间。
        recorded_at: Option<DateTime<Utc>> = done.map(|done| done.recorded_at);
        /// Whether it was recorded on another day (补录), which is allowed.
        late_entry: bool = done.is_some_and(|done| done.late_entry);
        /// Whether the phone's clock was ahead of the server's.
        clock_ahead: bool = done.is_some_and(|done| done.clock_ahead);
        /// The name of who went. 走访人。
        by: Option<String> = done.map(|done| done.by_name.clone());
        /// The form that was filled in. 表单。
        form: Option<VisitFormView> = done.and_then(|done| done.form).map(|form| VisitFormView {
            form_id: form.form.0,
            edition: form.edition,
            answers_id: form.answers,
            counts: form.counts.into(),
        });
        /// The reports made of the needs found. 转为上报的需求。
        need_ids: Vec<Uuid> =
            done.map(|d| d.needs.iter().map(|id| id.0).collect()).unwrap_or_default();
        /// How often a worker went. 上门次数。
        goes: u16 = done.map_or(0, |done| done.goes);
        /// The reason why it was cancelled.
        reason: Option<String> = reason;
        /// The operations that are possible now.
        possible;
    }
    where {
        let done = visit.status.completion();
        let reason = match &visit.status {
            Status::Cancelled { reason } => Some(reason.as_str().to_owned()),
            Status::Planned { .. } | Status::Done { .. } => None,
        };
        let purpose = |one: &Purpose| VisitPurposeView { purpose: one.name(), label: one.label() };
    }
}

/// A visit to be planned.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanBody {
    /// The identity it will have; else derived from the `Idempotency-Key`.
    #[serde(default, deserialize_with = "crate::http::body::own_id")]
    id: Option<Uuid>,
    /// The household to visit. 家庭。
    household_id: Uuid,
    /// The purpose. 目的。
    #[schema(value_type = Vec<String>, min_items = 1, max_items = 6, example = json!(["assistance"]))]
    purposes: Vec<Purpose>,
    /// The worker who is to go; when left out, any worker of the grid. 走访人。
    worker_id: Option<Uuid>,
    /// The due time: the grid owes the visit by then. 期限。
    #[serde(default, deserialize_with = "crate::http::body::time::read_optional_moment")]
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
    Ok(Page::from_rows(found, limit, position, |stored| VisitView::new(&stored)))
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
    Ok((state_tag(stored.seq), VisitView::new(&stored)))
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

/// The correction of a visit.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CorrectBody {
    /// The real outcome. 结果。
    #[schema(schema_with = view::visit_outcome)]
    outcome: Option<Outcome>,
    /// The real purposes. 目的。
    #[schema(value_type = Option<Vec<String>>, max_items = 6)]
    purposes: Option<Vec<Purpose>>,
    /// The real opinions. 意见。
    #[schema(value_type = Option<String>, max_length = 4000)]
    opinions: Option<Prose>,
    /// The reason for the correction. 更正理由。
    #[schema(value_type = String, min_length = 1, max_length = 4000, example = "结果选错")]
    reason: Prose,
}

/// Corrects the record of a visit.
///
/// 更正走访记录：原记录保留在全过程记录中。
#[utoipa::path(tag = "visits", request_body = CorrectBody, responses((status = 200, body = VisitView)))]
#[post("/visits/{id}/correct")]
async fn correct_visit(step: Step, body: Json<CorrectBody>) -> Reply<Answer<VisitView>> {
    commands::correct_visit(step, body.0).await
}

/// The cancellation of a visit.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelBody {
    /// The reason. 取消理由。
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
