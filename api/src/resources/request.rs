//! Requests to superiors, and their commands: extension, standstill, appeal; signatures;
//! supervision; arbitration and the final ruling.

pub mod commands;

use actix_web::post;
use chrono::{DateTime, Utc};
use domain::{
    calendar::limit::LimitUnit,
    core::text::Prose,
    flows::case::state::Trigger,
    rules::{obligation::Duty, vocabulary::SupervisionKind},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    engine::step::Step,
    http::{
        answer::Answer,
        body::{
            Json,
            shared::{EmptyBody, ReasonBody},
        },
        problem::Reply,
        register::ServiceConfig,
        view,
    },
    resources::case::CaseView,
};

/// Registers the operations below one case.
pub fn under_case(config: &mut ServiceConfig<'_>) {
    config
        .service(extend_case)
        .service(suspend_case)
        .service(resume_case)
        .service(appeal_case)
        .service(decide_request)
        .service(withdraw_request)
        .service(supervise_case)
        .service(reply_supervision)
        .service(arbitrate_case)
        .service(rule_case);
}

/// The extension that is requested.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtendBody {
    /// The duty whose clock is extended; without it, `handle`, or `feed_back` for a summoned
    /// department. 延期的事项，缺省为处置（吹哨时为反馈）。
    #[schema(schema_with = view::duty_or_null)]
    duty: Option<Duty>,
    /// The amount. 数值。
    #[schema(minimum = 1, maximum = 10000, example = 5)]
    amount: u32,
    /// The unit of the amount. 单位。
    #[schema(schema_with = view::limit_unit)]
    unit: LimitUnit,
    /// The reason. 理由。
    #[schema(value_type = String, min_length = 1, max_length = 4000, example = "需采购专用配件，供货周期五个工作日")]
    reason: Prose,
}

/// Requests more time for one duty, before it is due.
///
/// 申请延期：须在该项到期前提出，写明理由；按规则逐级审批，只顺延所申请的一项时限。
#[utoipa::path(tag = "requests", request_body = ExtendBody, responses((status = 200, body = CaseView)))]
#[post("/extend")]
async fn extend_case(step: Step, body: Json<ExtendBody>) -> Reply<Answer<CaseView>> {
    commands::extend_case(step, body.0).await
}

/// The standstill that is requested.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SuspendBody {
    /// The latest end. 挂账至。
    #[serde(deserialize_with = "crate::http::body::time::read_moment")]
    until: DateTime<Utc>,
    /// The reason. 理由。
    #[schema(value_type = String, min_length = 1, max_length = 4000, example = "冬季无法进行沥青路面施工")]
    reason: Prose,
}

/// Requests that the clocks stand still.
///
/// 申请挂账：因季节或条件不具备暂停计时；有次数和期限，到期自动恢复，超期后不得申请。
#[utoipa::path(tag = "requests", request_body = SuspendBody, responses((status = 200, body = CaseView)))]
#[post("/suspend")]
async fn suspend_case(step: Step, body: Json<SuspendBody>) -> Reply<Answer<CaseView>> {
    commands::suspend_case(step, body.0).await
}

/// Ends a standstill before its time.
///
/// 恢复办理：提前结束挂账，时限继续计算。
#[utoipa::path(tag = "requests", request_body = ReasonBody, responses((status = 200, body = CaseView)))]
#[post("/resume")]
async fn resume_case(step: Step, body: Json<ReasonBody>) -> Reply<Answer<CaseView>> {
    commands::resume_case(step, body.0).await
}

/// The breach an appeal is against.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AppealBody {
    /// The number of the breach in `breaches`. 超期事实编号。
    #[schema(minimum = 1, example = 1)]
    breach: i64,
    /// The reason. 理由。
    #[schema(value_type = String, min_length = 1, max_length = 4000)]
    reason: Prose,
}

/// Appeals against a breach.
///
/// 申诉：对一项超期事实申诉一次，两级复核；事实保留，免责另记。
#[utoipa::path(tag = "requests", request_body = AppealBody, responses((status = 200, body = CaseView)))]
#[post("/appeal")]
async fn appeal_case(step: Step, body: Json<AppealBody>) -> Reply<Answer<CaseView>> {
    commands::appeal_case(step, body.0).await
}

/// A signature, given or refused.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DecideBody {
    /// Whether it is given. 是否同意。
    agree: bool,
    /// A comment in words. 意见。
    #[schema(value_type = Option<String>, max_length = 4000)]
    note: Option<Prose>,
}

/// Gives or refuses a signature.
///
/// 审批：逐级签批，每级由不同的人签；不同意即终止。
#[utoipa::path(tag = "requests", request_body = DecideBody, responses((status = 200, body = CaseView)))]
#[post("/requests/{no}/decide")]
async fn decide_request(step: Step, body: Json<DecideBody>) -> Reply<Answer<CaseView>> {
    commands::decide_request(step, body.0).await
}

/// Withdraws a request.
///
/// 撤回申请：由申请人撤回。
#[utoipa::path(tag = "requests", request_body = EmptyBody, responses((status = 200, body = CaseView)))]
#[post("/requests/{no}/withdraw")]
async fn withdraw_request(step: Step, body: Json<EmptyBody>) -> Reply<Answer<CaseView>> {
    commands::withdraw_request(step, body.0).await
}

/// A supervision to begin.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SuperviseBody {
    /// The kind of supervision. 督办形式。
    #[schema(schema_with = view::supervision_kind)]
    kind: SupervisionKind,
    /// The reason. 触发原因。
    #[schema(schema_with = view::supervision_trigger)]
    trigger: Trigger,
    /// The unit: one that has to do with the case. 督办对象。
    unit_id: Uuid,
    /// The instructions in words. 督办意见。
    #[schema(value_type = String, min_length = 1, max_length = 4000, example = "请于一个工作日内说明办理进展")]
    reason: Prose,
}

/// Urges or supervises a unit, or lists the case.
///
/// 催办、督办、挂牌督办：有对象、有时限、有答复。
#[utoipa::path(tag = "requests", request_body = SuperviseBody, responses((status = 200, body = CaseView)))]
#[post("/supervise")]
async fn supervise_case(step: Step, body: Json<SuperviseBody>) -> Reply<Answer<CaseView>> {
    commands::supervise_case(step, body.0).await
}

/// An answer to a supervision.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplyBody {
    /// The answer. 答复内容。
    #[schema(value_type = String, min_length = 1, max_length = 4000)]
    text: Prose,
}

/// Answers a supervision.
///
/// 答复督办。
#[utoipa::path(tag = "requests", request_body = ReplyBody, responses((status = 200, body = CaseView)))]
#[post("/supervisions/{no}/reply")]
async fn reply_supervision(step: Step, body: Json<ReplyBody>) -> Reply<Answer<CaseView>> {
    commands::reply_supervision(step, body.0).await
}

/// The unit that gets a disputed case.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ArbitrateBody {
    /// The unit. 指定承办单位。
    unit_id: Uuid,
    /// The reason. 裁定理由。
    #[schema(value_type = String, min_length = 1, max_length = 4000)]
    reason: Prose,
}

/// Decides which unit gets a case that was returned too often.
///
/// 争议裁定：指定承办单位，不得再退单。
#[utoipa::path(tag = "requests", request_body = ArbitrateBody, responses((status = 200, body = CaseView)))]
#[post("/arbitrate")]
async fn arbitrate_case(step: Step, body: Json<ArbitrateBody>) -> Reply<Answer<CaseView>> {
    commands::arbitrate_case(step, body.0).await
}

/// The final ruling.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleBody {
    /// Whether it is handled once more; otherwise it is closed. 是否再次办理。
    again: bool,
    /// The reason. 终审理由。
    #[schema(value_type = String, min_length = 1, max_length = 4000)]
    reason: Prose,
}

/// Gives the final ruling on a case that was handled again too often.
///
/// 终审：返工超过次数后由上级终审。
#[utoipa::path(tag = "requests", request_body = RuleBody, responses((status = 200, body = CaseView)))]
#[post("/rule")]
async fn rule_case(step: Step, body: Json<RuleBody>) -> Reply<Answer<CaseView>> {
    commands::rule_case(step, body.0).await
}
