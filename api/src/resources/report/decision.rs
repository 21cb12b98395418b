//! What is decided on a report: filed, joined to a case or taken out of one, refused, looked at.

use actix_web::{HttpResponse, post};
use domain::{
    core::{
        id::CaseId,
        text::{Code as Word, Line, Prose},
    },
    flows::{
        case::state::Case,
        change::{Stored, act},
        flow::Context,
        intake::{self, Correction},
        report::{self, Redirect, Report},
    },
    rules::vocabulary::{Complexity, Demand, Urgency},
};
use persistence::{Db, Write, find};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::ReportView;
use crate::{
    app::clock::derived_id,
    engine::step::{self, Step},
    http::{
        body::Json,
        problem::{Code, Problem, Reply},
        view::{self, PointBody, tag, tagged},
    },
    privacy::names::Known,
};

/// What an acceptor corrects while filing.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FileBody {
    /// The identity the case will have; else it is made of the `Idempotency-Key`.
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
    /// What is wanted. 诉求类型。
    #[schema(schema_with = view::demand)]
    demand: Option<Demand>,
    /// How much work it is. 难易程度。
    #[schema(schema_with = view::complexity)]
    complexity: Option<Complexity>,
}

/// Files a report as a case.
///
/// 受理立案：形成案卷，由受理社区持有。
#[utoipa::path(tag = "reports", request_body = FileBody, responses((status = 200, body = ReportView)))]
#[post("/file")]
pub(super) async fn file_report(step: Step, body: Json<FileBody>) -> Reply<HttpResponse> {
    let asked = step.asked("file_report", &body.0);
    let FileBody { case_id, category, title, urgency, demand, complexity } = body.0;
    let case =
        CaseId(case_id.unwrap_or_else(|| derived_id(step.caller.person, step.key(), "case")));
    let correction = Correction { category, title, urgency, demand, complexity };
    let decide = |report: &Stored<Report>, context: Context<'_>| {
        let (change, opened) =
            intake::file(report, case, correction.clone(), asked.request, context)?;
        Ok((change, vec![Write::from(opened)]))
    };
    let stored = step::step(&step.app, &step.caller, asked, decide).await?;
    show(&step, &stored).await
}

/// The answer to a step of a report.
async fn show(step: &Step, stored: &Stored<Report>) -> Reply<HttpResponse> {
    let known = Known::of(&step.app, &step.caller, &[&stored.state]).await?;
    let view = ReportView::new(stored, &step.caller, &step.app, &known);
    Ok(tagged(&step.request, HttpResponse::Ok(), &tag(stored.seq), &view))
}

/// Which case a report joins.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct JoinBody {
    /// The case. 案卷 id。
    case_id: Uuid,
}

/// Joins a report to a case that is open already.
///
/// 并案：并入已有案卷，两位上报人都得到结果。
#[utoipa::path(tag = "reports", request_body = JoinBody, responses((status = 200, body = ReportView)))]
#[post("/join")]
pub(super) async fn join_report(step: Step, body: Json<JoinBody>) -> Reply<HttpResponse> {
    let asked = step.asked("join_report", &body.0);
    let (tenant, case) = (step.caller.tenant, CaseId(body.0.case_id));
    let load = move |db: &mut Db| find::<Case>(db, tenant, case.0);
    let decide = |report: &Stored<Report>, case: &Option<Stored<Case>>, context: Context<'_>| {
        let case = case.as_ref().filter(|case| case.state.visible_to(context.by, context.at));
        let (change, joined) =
            intake::join(report, case.ok_or_else(unknown_case)?, asked.request, context)?;
        Ok((change, vec![Write::from(joined)]))
    };
    let stored = step::step_with(&step.app, &step.caller, asked, load, decide).await?;
    show(&step, &stored).await
}

fn unknown_case() -> Problem {
    let (zh, en) = ("没有这个案卷，或您无权查看", "there is no such case, or none you may see");
    Problem::new(Code::InvalidBody).error("/case_id", "unknown_case", zh, en)
}

/// Why a report is refused, and where it belongs.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RefuseBody {
    /// Why. 不予受理的理由。
    #[schema(value_type = String, min_length = 1, max_length = 4000, example = "正在诉讼中，请通过法院途径解决")]
    reason: Prose,
    /// Where it belongs. 正确渠道。
    #[schema(schema_with = view::redirect)]
    redirect: Redirect,
}

/// Refuses a report and says where it belongs.
///
/// 不予受理：写明理由并告知正确渠道（110、信访、法院等）。
#[utoipa::path(tag = "reports", request_body = RefuseBody, responses((status = 200, body = ReportView)))]
#[post("/refuse")]
pub(super) async fn refuse_report(step: Step, body: Json<RefuseBody>) -> Reply<HttpResponse> {
    let asked = step.asked("refuse_report", &body.0);
    let RefuseBody { reason, redirect } = body.0;
    let command = report::Command::Refuse { reason, redirect };
    let stored = step::command::<Report>(&step.app, &step.caller, asked, command).await?;
    show(&step, &stored).await
}

/// Takes a look on the spot before filing, so that nobody else goes.
///
/// 领取核实：核实任务由所在网格承担，有核查权限的人员均可领取；领取后在规定时间内他人不能核实，逾时自动放开。
#[utoipa::path(tag = "reports", request_body = crate::http::body::shared::EmptyBody, responses((status = 200, body = ReportView)))]
#[post("/claim")]
pub(super) async fn claim_report(
    step: Step,
    body: Json<crate::http::body::shared::EmptyBody>,
) -> Reply<HttpResponse> {
    let asked = step.asked("claim_report", &body.0);
    let command = report::Command::Claim;
    let stored = step::command::<Report>(&step.app, &step.caller, asked, command).await?;
    show(&step, &stored).await
}

/// What was seen on the spot before filing.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfirmBody {
    /// Whether it is as reported. 是否属实。
    real: bool,
    /// What was seen. 核实情况。
    #[schema(value_type = Option<String>, max_length = 4000)]
    note: Option<Prose>,
    /// Where whoever looked stood; not demanded. 核实位置（不强制）。
    point: Option<PointBody>,
}

/// Says what was seen on the spot, before a report is filed.
///
/// 核实：按规则需要时，公众上报先由网格员现场核实，再受理。
#[utoipa::path(tag = "reports", request_body = ConfirmBody, responses((status = 200, body = ReportView)))]
#[post("/confirm")]
pub(super) async fn confirm_report(step: Step, body: Json<ConfirmBody>) -> Reply<HttpResponse> {
    let asked = step.asked("confirm_report", &body.0);
    let point = crate::resources::place::normalised(body.0.point)?;
    let command = report::Command::Confirm { real: body.0.real, note: body.0.note, point };
    let stored = step::command::<Report>(&step.app, &step.caller, asked, command).await?;
    show(&step, &stored).await
}

/// Takes a report out of the case it was joined to by mistake.
///
/// 拆分：并案有误时取出，重新受理。
#[utoipa::path(tag = "reports", request_body = crate::http::body::shared::EmptyBody, responses((status = 200, body = ReportView)))]
#[post("/unjoin")]
pub(super) async fn unjoin_report(
    step: Step,
    body: Json<crate::http::body::shared::EmptyBody>,
) -> Reply<HttpResponse> {
    let asked = step.asked("unjoin_report", &body.0);
    let (tenant, report) = (step.caller.tenant, step.id);
    let load = move |db: &mut Db| {
        let case =
            find::<Report>(db, tenant, report)?.and_then(|report| report.state.status.case());
        case.map_or(Ok(None), |case| find::<Case>(db, tenant, case.0))
    };
    let decide = |report: &Stored<Report>, case: &Option<Stored<Case>>, context: Context<'_>| {
        let Some(case) = case else {
            let unjoin = report::Command::Unjoin;
            return Ok((act(Some(report), &unjoin, asked.request, context)?, Vec::new()));
        };
        let (change, left) = intake::unjoin(report, case, asked.request, context)?;
        Ok((change, vec![Write::from(left)]))
    };
    let stored = step::step_with(&step.app, &step.caller, asked, load, decide).await?;
    show(&step, &stored).await
}
