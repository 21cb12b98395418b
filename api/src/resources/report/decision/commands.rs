//! What is decided on a report, with the case that opens, grows or shrinks by it.

use domain::{
    core::id::CaseId,
    flows::{
        case::state::Case,
        change::{Stored, act},
        flow::Context,
        intake::{self, Correction},
        report::{self, Report},
    },
};
use persistence::{Db, Write, find};

use super::{ConfirmBody, FileBody, JoinBody, RefuseBody};
use crate::{
    app::clock::derived_id,
    engine::step::{self, Step},
    http::{
        answer::Answer,
        body::shared::EmptyBody,
        problem::{Code, Problem, Reply},
    },
    privacy::names::Known,
    resources::{place::normalised, report::ReportView},
};

/// Files a report as a case.
pub async fn file_report(step: Step, body: FileBody) -> Reply<Answer<ReportView>> {
    let asked = step.asked("file_report", &body);
    let FileBody { case_id, category, title, urgency, demand, complexity } = body;
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

/// Joins a report to a case that is open already.
pub async fn join_report(step: Step, body: JoinBody) -> Reply<Answer<ReportView>> {
    let asked = step.asked("join_report", &body);
    let (tenant, case) = (step.caller.tenant, CaseId(body.case_id));
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

/// Refuses a report and says where it belongs.
pub async fn refuse_report(step: Step, body: RefuseBody) -> Reply<Answer<ReportView>> {
    let asked = step.asked("refuse_report", &body);
    let RefuseBody { reason, redirect } = body;
    let command = report::Command::Refuse { reason, redirect };
    let stored = step::command::<Report>(&step.app, &step.caller, asked, command).await?;
    show(&step, &stored).await
}

/// Takes a look on the spot before filing, so that nobody else goes.
pub async fn claim_report(step: Step, body: EmptyBody) -> Reply<Answer<ReportView>> {
    let asked = step.asked("claim_report", &body);
    let command = report::Command::Claim;
    let stored = step::command::<Report>(&step.app, &step.caller, asked, command).await?;
    show(&step, &stored).await
}

/// Says what was seen on the spot, before a report is filed.
pub async fn confirm_report(step: Step, body: ConfirmBody) -> Reply<Answer<ReportView>> {
    let asked = step.asked("confirm_report", &body);
    let point = normalised(body.point)?;
    let command = report::Command::Confirm { real: body.real, note: body.note, point };
    let stored = step::command::<Report>(&step.app, &step.caller, asked, command).await?;
    show(&step, &stored).await
}

/// Takes a report out of the case it was joined to by mistake.
pub async fn unjoin_report(step: Step, body: EmptyBody) -> Reply<Answer<ReportView>> {
    let asked = step.asked("unjoin_report", &body);
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

/// The answer to a step of a report.
async fn show(step: &Step, stored: &Stored<Report>) -> Reply<Answer<ReportView>> {
    let known = Known::of(&step.app, &step.caller, &[&stored.state]).await?;
    let view = ReportView::new(stored, &step.caller, &step.app, &known);
    Ok(Answer::changed(stored.seq, view))
}

fn unknown_case() -> Problem {
    let (zh, en) = ("没有这个案卷，或您无权查看", "there is no such case, or none you may see");
    Problem::new(Code::InvalidBody).error("/case_id", "unknown_case", zh, en)
}
