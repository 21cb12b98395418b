//! Decisions on a report: filed, joined to a case or taken out of one, refused, verified.

pub mod commands;

use actix_web::post;
use domain::{
    core::text::{Code as Word, Line, Prose},
    flows::report::Redirect,
    rules::vocabulary::{Complexity, Demand, Urgency},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::ReportView;
use crate::{
    engine::step::Step,
    http::{
        answer::Answer,
        body::{Json, shared::EmptyBody},
        problem::Reply,
        view::{self, PointBody},
    },
    resources::claim::UnclaimBody,
};

/// The corrections made while filing.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FileBody {
    /// The identity the case will have; else derived from the `Idempotency-Key`.
    #[serde(default, deserialize_with = "crate::http::body::own_id")]
    case_id: Option<Uuid>,
    /// A better category. 类别代码。
    #[schema(value_type = Option<String>, max_length = 40, example = "A02")]
    category: Option<Word>,
    /// A better title. 标题。
    #[schema(value_type = Option<String>, max_length = 120)]
    title: Option<Line>,
    /// A better urgency. 紧急程度。
    #[schema(schema_with = view::urgency)]
    urgency: Option<Urgency>,
    /// The demand. 诉求类型。
    #[schema(schema_with = view::demand)]
    demand: Option<Demand>,
    /// The complexity. 难易程度。
    #[schema(schema_with = view::complexity)]
    complexity: Option<Complexity>,
}

/// Files a report as a case.
///
/// 受理立案：形成案卷，由受理社区持有。
#[utoipa::path(tag = "reports", request_body = FileBody, responses((status = 200, body = ReportView)))]
#[post("/file")]
pub(super) async fn file_report(step: Step, body: Json<FileBody>) -> Reply<Answer<ReportView>> {
    commands::file_report(step, body.0).await
}

/// Which case a report joins.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JoinBody {
    /// The case. 案卷 id。
    case_id: Uuid,
}

/// Joins a report to a case that is open already.
///
/// 并案：并入已有案卷，两位上报人都得到结果。
#[utoipa::path(tag = "reports", request_body = JoinBody, responses((status = 200, body = ReportView)))]
#[post("/join")]
pub(super) async fn join_report(step: Step, body: Json<JoinBody>) -> Reply<Answer<ReportView>> {
    commands::join_report(step, body.0).await
}

/// The refusal of a report.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefuseBody {
    /// The reason. 不予受理的理由。
    #[schema(value_type = String, min_length = 1, max_length = 4000, example = "正在诉讼中，请通过法院途径解决")]
    reason: Prose,
    /// The channel it belongs to. 正确渠道。
    #[schema(schema_with = view::redirect)]
    redirect: Redirect,
}

/// Refuses a report and names the right channel.
///
/// 不予受理：写明理由并告知正确渠道（110、信访、法院等）。
#[utoipa::path(tag = "reports", request_body = RefuseBody, responses((status = 200, body = ReportView)))]
#[post("/refuse")]
pub(super) async fn refuse_report(step: Step, body: Json<RefuseBody>) -> Reply<Answer<ReportView>> {
    commands::refuse_report(step, body.0).await
}

/// Claims the verification before filing, so that no one else goes.
///
/// 领取核实：核实任务由所在网格承担，有核查权限的人员均可领取；领取后在规定时间内他人不能核实，逾时自动放开。
#[utoipa::path(tag = "reports", request_body = EmptyBody, responses((status = 200, body = ReportView)))]
#[post("/claim")]
pub(super) async fn claim_report(step: Step, body: Json<EmptyBody>) -> Reply<Answer<ReportView>> {
    commands::claim_report(step, body.0).await
}

/// Gives a check on the spot back, or passes it on.
///
/// 退回或转交核实：领取人不能到场的，退回后他人可领取；指定 to_person_id 的，转由此人核实（须有核查权限）。
#[utoipa::path(tag = "reports", request_body = UnclaimBody, responses((status = 200, body = ReportView)))]
#[post("/unclaim")]
pub(super) async fn unclaim_report(
    step: Step,
    body: Json<UnclaimBody>,
) -> Reply<Answer<ReportView>> {
    commands::unclaim_report(step, body.0).await
}

/// The result of the verification before filing.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmBody {
    /// Whether it is as reported. 是否属实。
    real: bool,
    /// What was seen. 核实情况。
    #[schema(value_type = Option<String>, max_length = 4000)]
    note: Option<Prose>,
    /// The position of the verifier; optional. 核实位置（不强制）。
    point: Option<PointBody>,
}

/// Records the verification on the spot before a report is filed.
///
/// 核实：按规则需要时，公众上报先由网格员现场核实，再受理。
#[utoipa::path(tag = "reports", request_body = ConfirmBody, responses((status = 200, body = ReportView)))]
#[post("/confirm")]
pub(super) async fn confirm_report(
    step: Step,
    body: Json<ConfirmBody>,
) -> Reply<Answer<ReportView>> {
    commands::confirm_report(step, body.0).await
}

/// Takes a report out of the case it was joined to by mistake.
///
/// 拆分：并案有误时取出，重新受理。
#[utoipa::path(tag = "reports", request_body = EmptyBody, responses((status = 200, body = ReportView)))]
#[post("/unjoin")]
pub(super) async fn unjoin_report(step: Step, body: Json<EmptyBody>) -> Reply<Answer<ReportView>> {
    commands::unjoin_report(step, body.0).await
}
