//! Cases over HTTP: list, read, and every step from dispatch to closing.

mod case_view;
pub mod commands;
pub(crate) mod request_view;
pub(crate) mod whistle_view;

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, get, post, web::Data};
use chrono::{DateTime, Utc};
use domain::{
    Instant,
    area::tree::Unit,
    core::{id::AreaId, journal::FlowKind, text::Prose},
    flows::{
        case::{self, Satisfaction, lifecycle::StageName, state::Case},
        change::Versioned,
        media::{Attachment, MediaRole},
        notice::{self, Notice},
    },
    people::actor::{Actor, Permission},
    rules::obligation::Duty,
};
use persistence::{
    flows::case as cases,
    kernel::{journal::Keyset, obligation},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    app::{caller::Caller, state::App},
    engine::{
        flows::ServedFlow,
        reporters::Reporters,
        step::{self, Step},
        subject::{Published, Subject},
    },
    http::{
        answer::Answer,
        body::{
            Json,
            shared::{EmptyBody, NoteBody, ReasonBody},
        },
        page::{Cursor, Limit, Page},
        params::{IdPath, Query},
        problem::Reply,
        register::ServiceConfig,
        view::{self, PointBody, TermView, render_with_etag},
    },
    resources::{
        claim::UnclaimBody,
        media,
        place::{find_paths, find_units},
        timeline::{self, TimelineParams, TimelineView},
    },
};

pub use case_view::{
    AnswerView, AssignmentView, CaseBrief, CaseView, ClosingView, ReporterAnswerView, TallyView,
};

impl ServedFlow for Case {
    const PUBLISHED: bool = true;
    const NOTIFIES: bool = true;

    fn is_visible_to(&self, actor: &Actor, at: Instant) -> bool {
        self.visible_to(actor, at)
    }

    fn measure_command(duty: Duty, unit: AreaId, term: i64) -> Option<case::Command> {
        Some(case::Command::Lapse { duty, unit, term })
    }

    fn recompute_command() -> Option<case::Command> {
        Some(case::Command::Recompute)
    }

    fn event_notices(&self, event: &case::Event) -> Vec<Notice> {
        notice::from_case_event(self, event)
    }

    fn event_subject(stored: Arc<Versioned<Self>>) -> Option<Arc<dyn Subject>> {
        Some(stored)
    }
}

impl Published for Case {
    const PATH: &'static str = "cases";

    fn is_known_to(&self, actor: &Actor, at: Instant) -> bool {
        self.visible_to(actor, at)
    }

    /// A reporter of a case learns that something happened, and reads the case for the rest: what
    /// others of the public wrote may not have passed the review yet.
    fn is_whole_for(&self, actor: &Actor, at: Instant) -> bool {
        let reads = |unit: &Unit| actor.may(Permission::ReadCases, &unit.path, at);
        reads(&self.place.area) || self.units.iter().any(reads)
    }

    fn area(&self) -> &Unit {
        &self.place.area
    }

    fn units(&self) -> &[Unit] {
        &self.units
    }

    fn number(&self) -> &str {
        &self.number
    }

    fn reporters(&self) -> Reporters {
        Reporters::from_reports(self.reports.iter().map(|one| (one.report, one.person)))
    }
}

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list_cases);
}

/// Registers the operations below one case.
pub fn under_case(config: &mut ServiceConfig<'_>) {
    config
        .service(get_case)
        .service(get_case_timeline)
        .service(list_case_obligations)
        .service(escalate_case)
        .service(dispatch_case)
        .service(sign_case)
        .service(start_case)
        .service(return_case)
        .service(feed_back_case)
        .service(claim_case)
        .service(unclaim_case)
        .service(verify_case)
        .service(call_back_case)
        .service(close_case)
        .service(reopen_case)
        .service(comment_case);
}

/// Which cases to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListCases {
    /// How many at most, 1 to 100.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 20)]
    limit: Option<Limit>,
    /// Where the last page ended.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<(Instant, Uuid)>>,
    /// Only those not closed. 只看未结案。
    open: Option<bool>,
    /// Only in this stage.
    #[param(schema_with = view::stage)]
    stage: Option<StageName>,
    /// Only of this category.
    category: Option<String>,
    /// Only within this area.
    within: Option<Uuid>,
    /// Only those held by this area.
    holder: Option<Uuid>,
}

/// Lists cases, newest first.
///
/// 案卷列表：本辖区内的和本单位参与的，按立案时间倒序。
#[utoipa::path(tag = "cases", params(ListCases), responses((status = 200, body = Page<CaseView>)))]
#[get("/cases")]
async fn list_cases(
    app: Data<App>,
    caller: Caller,
    params: Query<ListCases>,
) -> Reply<Page<CaseView>> {
    let params = params.0;
    let (limit, now) = (params.limit.unwrap_or_default(), app.clock.now());
    let after = params.cursor.map(|cursor| cursor.0);
    let world = app.world(caller.tenant)?;
    let within = params.within.map(|id| find_paths(&world, id)).transpose()?;
    let filter = cases::Filter {
        open: params.open.unwrap_or(false),
        stage: params.stage,
        category: params.category,
        within,
        holders: params.holder.map(|id| find_units(&world, id)),
        ..cases::Filter::default()
    };
    let scope = caller.scope_for(Permission::ReadCases, now);
    let keyset = Keyset { after, limit: limit.probe() };
    let found = app.store.read(move |db| cases::list(db, &scope, &filter, keyset)).await?;
    let position = |case: &Versioned<Case>| (case.state.filed_at, case.state.id.0);
    Ok(Page::from_rows(found, limit, position, |case| CaseView::new(&case, &world, &caller, now)))
}

/// Shows a case.
///
/// 案卷详情：阶段、持有人、承办或吹哨单位、时限、可执行的操作。
#[utoipa::path(tag = "cases", responses((status = 200, body = CaseView)))]
#[get("")]
async fn get_case(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    id: IdPath<Uuid>,
) -> Reply<HttpResponse> {
    let (version, view) = load_view(&app, &caller, id.0).await?;
    Ok(render_with_etag(&request, HttpResponse::Ok(), &version, &view))
}

/// A case with its files, and the tag of both.
pub async fn load_view(app: &App, caller: &Caller, id: Uuid) -> Reply<(String, CaseView)> {
    let stored = step::load_visible::<Case>(app, caller, id).await?;
    let world = app.world(caller.tenant)?;
    let mut view = CaseView::new(&stored, &world, caller, app.clock.now());
    view.load_details(app, caller, &stored.state).await?;
    Ok((media::build_tag(stored.seq, 0, view.media()), view))
}

/// Shows the timeline of a case.
///
/// 案卷全过程记录（哈希链），`intact` 表示记录未被改动。
#[utoipa::path(tag = "cases", params(TimelineParams), responses((status = 200, body = TimelineView)))]
#[get("/timeline")]
async fn get_case_timeline(
    app: Data<App>,
    caller: Caller,
    id: IdPath<Uuid>,
    params: Query<TimelineParams>,
) -> Reply<HttpResponse> {
    let case = step::load_visible::<Case>(&app, &caller, id.0).await?;
    let hidden = timeline::Hidden::load(&app, &caller, &case.state).await?;
    timeline::render_without(&app, &caller, (FlowKind::Case, id.0), &params.0, &hidden).await
}

/// All obligations of a case, past and present.
#[derive(Serialize, ToSchema)]
pub struct ObligationsView {
    /// In the order they began.
    items: Vec<ObligationView>,
}

/// A past or present obligation.
#[derive(Serialize, ToSchema)]
pub struct ObligationView {
    /// The duty that is or was owed.
    #[schema(schema_with = view::duty)]
    duty: &'static str,
    /// The duty in Chinese.
    duty_label: &'static str,
    /// The unit that owes or owed it.
    unit_id: Uuid,
    /// Its name at that time.
    unit_name: String,
    /// The deadline and its working.
    term: TermView,
    /// When it ended.
    settled_at: Option<DateTime<Utc>>,
    /// How it ended; none while it is owed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = view::obligation_outcome)]
    outcome: Option<String>,
}

impl From<obligation::Owed> for ObligationView {
    fn from(owed: obligation::Owed) -> Self {
        Self {
            duty: owed.duty.name(),
            duty_label: owed.duty.label(),
            unit_id: owed.unit.0,
            unit_name: owed.unit_name,
            term: TermView::from(&owed.term),
            settled_at: owed.settled_at,
            outcome: owed.outcome,
        }
    }
}

/// Lists all obligations of a case, past and present.
///
/// 案卷的全部责任：谁、何事、何时到期、是否按期履行。
#[utoipa::path(tag = "cases", responses((status = 200, body = ObligationsView)))]
#[get("/obligations")]
async fn list_case_obligations(
    app: Data<App>,
    caller: Caller,
    id: IdPath<Uuid>,
) -> Reply<HttpResponse> {
    step::load_visible::<Case>(&app, &caller, id.0).await?;
    let (tenant, id) = (caller.tenant, id.0);
    let owed = app
        .store
        .read(move |db| obligation::load_for_flow(db, tenant, (FlowKind::Case, id)))
        .await?;
    let items = owed.into_iter().map(ObligationView::from).collect();
    Ok(HttpResponse::Ok().json(ObligationsView { items }))
}

/// The result of the work.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResultBody {
    /// What was done. 办理结果。
    #[schema(value_type = String, min_length = 1, max_length = 4000, example = "已清洗油烟净化器，疏通下水道并加装隔油池")]
    pub result: Prose,
    /// Photos of the state afterwards, by the identities the phone made; they may arrive later.
    /// Where the standard of the category demands evidence, at least one. 处置后的照片。
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "crate::http::body::own_ids"
    )]
    #[schema(max_items = 9)]
    pub media: Vec<Uuid>,
    /// Photos of the state before. 处置前的照片。
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "crate::http::body::own_ids"
    )]
    #[schema(max_items = 9)]
    pub before_media: Vec<Uuid>,
}

impl ResultBody {
    /// The files it names.
    pub fn attachments(&self) -> Vec<Attachment> {
        let Self { media, before_media, .. } = self;
        media::build_attachments(&[(before_media, MediaRole::Before), (media, MediaRole::After)])
    }
}

/// Escalates a case by one level.
///
/// 上呈：网格→社区→街道→区，由上一级决定派遣。
#[utoipa::path(tag = "cases", request_body = ReasonBody, responses((status = 200, body = CaseView)))]
#[post("/escalate")]
async fn escalate_case(step: Step, body: Json<ReasonBody>) -> Reply<Answer<CaseView>> {
    commands::escalate_case(step, body.0).await
}

/// The unit a case is dispatched to.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DispatchBody {
    /// A unit within the holder's own area. 承办单位。
    unit_id: Uuid,
    /// Instructions for the unit. 转办意见。
    #[schema(value_type = Option<String>, max_length = 4000)]
    note: Option<Prose>,
}

/// Dispatches a case to a unit.
///
/// 派遣：交由本辖区内的单位承办，时限自派遣起算。
#[utoipa::path(tag = "cases", request_body = DispatchBody, responses((status = 200, body = CaseView)))]
#[post("/dispatch")]
async fn dispatch_case(step: Step, body: Json<DispatchBody>) -> Reply<Answer<CaseView>> {
    commands::dispatch_case(step, body.0).await
}

/// Signs for a dispatched case.
///
/// 签收：承办单位确认收到。
#[utoipa::path(tag = "cases", request_body = EmptyBody, responses((status = 200, body = CaseView)))]
#[post("/sign")]
async fn sign_case(step: Step, body: Json<EmptyBody>) -> Reply<Answer<CaseView>> {
    commands::sign_case(step, body.0).await
}

/// Begins work on a signed case.
///
/// 开始处置；也可签收后直接反馈。
#[utoipa::path(tag = "cases", request_body = EmptyBody, responses((status = 200, body = CaseView)))]
#[post("/start")]
async fn start_case(step: Step, body: Json<EmptyBody>) -> Reply<Answer<CaseView>> {
    commands::start_case(step, body.0).await
}

/// The reason to return a case, and the unit it belongs to.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReturnBody {
    /// Why it does not belong to this unit. 退单理由（必填）。
    #[schema(value_type = String, min_length = 1, max_length = 4000, example = "涉及油烟净化与排水管网，社区无法处置")]
    reason: Prose,
    /// The unit it belongs to; required of the first receiver. 建议的承办单位，
    /// 首接单位必填。
    proposed_unit_id: Option<Uuid>,
}

/// Returns a case to the unit that dispatched it.
///
/// 退单：非本单位职责，必须写明理由，计入退单次数。首接负责：首接单位须提出应由谁承办；权责清单规定由其主办的，
/// 不得退单。
#[utoipa::path(tag = "cases", request_body = ReturnBody, responses((status = 200, body = CaseView)))]
#[post("/return")]
async fn return_case(step: Step, body: Json<ReturnBody>) -> Reply<Answer<CaseView>> {
    commands::return_case(step, body.0).await
}

/// Feeds back that a dispatched case is done.
///
/// 反馈：办理完毕，待现场核查。
#[utoipa::path(tag = "cases", request_body = ResultBody, responses((status = 200, body = CaseView)))]
#[post("/feedback")]
async fn feed_back_case(step: Step, body: Json<ResultBody>) -> Reply<Answer<CaseView>> {
    commands::feed_back_case(step, body.0).await
}

/// Claims a verification, so that no one else goes.
///
/// 领取核查：核查任务由案卷所在网格承担，有核查权限且未参与处置的人员均可领取；领取后在规定时间内他人不能核查，逾时自动放开。
#[utoipa::path(tag = "cases", request_body = EmptyBody, responses((status = 200, body = CaseView)))]
#[post("/claim")]
async fn claim_case(step: Step, body: Json<EmptyBody>) -> Reply<Answer<CaseView>> {
    commands::claim_case(step, body.0).await
}

/// Gives a verification back, or passes it on.
///
/// 退回或转交核查：领取人不能到场的，退回后他人可领取；指定 to_person_id 的，转由此人核查（须有核查权限且未参与处置）。
#[utoipa::path(tag = "cases", request_body = UnclaimBody, responses((status = 200, body = CaseView)))]
#[post("/unclaim")]
async fn unclaim_case(step: Step, body: Json<UnclaimBody>) -> Reply<Answer<CaseView>> {
    commands::unclaim_case(step, body.0).await
}

/// The result of a verification on the spot.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyBody {
    /// Whether it is done. 是否通过。
    passed: bool,
    /// What was seen. 核查情况。
    #[schema(value_type = Option<String>, max_length = 4000)]
    note: Option<Prose>,
    /// The position of the verifier; optional. 核查位置（不强制）。
    point: Option<PointBody>,
    /// Photos of what was seen. 核查照片。
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "crate::http::body::own_ids"
    )]
    #[schema(max_items = 9)]
    media: Vec<Uuid>,
}

/// Verifies the result on the spot.
///
/// 核查：由未参与处置的网格员现场查看；不通过则返工。
#[utoipa::path(tag = "cases", request_body = VerifyBody, responses((status = 200, body = CaseView)))]
#[post("/verify")]
async fn verify_case(step: Step, body: Json<VerifyBody>) -> Reply<Answer<CaseView>> {
    commands::verify_case(step, body.0).await
}

/// The result of asking the resident.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CallbackBody {
    /// Whether the reporter was reached; true when reporters answer for themselves. 是否接通；上报人自行评价的填
    /// true。
    reached: bool,
    /// Whether it is solved; only when reached. 是否解决。
    solved: Option<bool>,
    /// The satisfaction; only when reached. 是否满意。
    #[schema(schema_with = view::satisfaction)]
    satisfied: Option<Satisfaction>,
    /// A comment in words. 意见。
    #[schema(value_type = Option<String>, max_length = 4000)]
    comment: Option<Prose>,
    /// The report it answers for, of several: when left out, the first of the public, or the first
    /// of all where only staff reported; reporters answer for their own.
    /// 哪个上报的回访，不填为首个公众上报，全部由工作人员上报的为首个上报。
    #[serde(default, skip_serializing_if = "Option::is_none")]
    report_id: Option<Uuid>,
}

/// Records the answer of the resident, asked by staff or given directly.
///
/// 回访：是否接通、是否解决、是否满意三项分开记录；上报人也可自行评价。并案的，以首个公众上报人（全部由工作人员上报的为首个上报人）的回访为准，其他上报人在此之前的评价一并记录，取其中最差的；未解决的返工；已解决但不满意的，按办理规则返工或结案。
#[utoipa::path(tag = "cases", request_body = CallbackBody, responses((status = 200, body = CaseView)))]
#[post("/callback")]
async fn call_back_case(step: Step, body: Json<CallbackBody>) -> Reply<Answer<CaseView>> {
    commands::call_back_case(step, body.0).await
}

/// Closes a case.
///
/// 结案：回访已解决，或多次未接通。
#[utoipa::path(tag = "cases", request_body = NoteBody, responses((status = 200, body = CaseView)))]
#[post("/close")]
async fn close_case(step: Step, body: Json<NoteBody>) -> Reply<Answer<CaseView>> {
    commands::close_case(step, body.0).await
}

/// Reopens a closed case within the window.
///
/// 重开：在期限内由上报人或街道提出，案卷号和全部记录不变。
#[utoipa::path(tag = "cases", request_body = ReasonBody, responses((status = 200, body = CaseView)))]
#[post("/reopen")]
async fn reopen_case(step: Step, body: Json<ReasonBody>) -> Reply<Answer<CaseView>> {
    commands::reopen_case(step, body.0).await
}

/// A remark on a case.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CommentBody {
    /// The text. 内容。
    #[schema(value_type = String, min_length = 1, max_length = 4000, example = "已电话告知商户负责人")]
    text: Prose,
    /// Photos and other files. 照片等文件。
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "crate::http::body::own_ids"
    )]
    #[schema(max_items = 9)]
    media: Vec<Uuid>,
}

/// Adds a remark to a case.
///
/// 批注：参与各方均可补充说明。
#[utoipa::path(tag = "cases", request_body = CommentBody, responses((status = 200, body = CaseView)))]
#[post("/comment")]
async fn comment_case(step: Step, body: Json<CommentBody>) -> Reply<Answer<CaseView>> {
    commands::comment_case(step, body.0).await
}
