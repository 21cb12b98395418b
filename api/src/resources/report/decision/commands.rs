//! Decisions on a report, with the changes of the case that opens, grows or shrinks.

use domain::{
    area::coordinate::Point,
    core::id::{CaseId, PersonId},
    flows::{
        case::state::Case,
        change::{Versioned, execute},
        flow::Context,
        intake::{self, Correction},
        report::{self, Report},
    },
};
use persistence::{Db, Write, load_state};
use serde::Serialize;

use super::{ConfirmBody, FileBody, JoinBody, RefuseBody};
use crate::{
    app::clock::derive_id,
    engine::step::{self, Step},
    http::{
        answer::Answer,
        body::shared::EmptyBody,
        problem::{Code, Problem, Reply},
    },
    privacy::names::ContactNames,
    resources::{
        claim::{self, UnclaimBody},
        place::normalise_point,
        report::ReportView,
    },
};

/// Files a report as a case.
pub async fn file_report(step: Step, body: FileBody) -> Reply<Answer<ReportView>> {
    let asked = step.build_asked("file_report", &body);
    let FileBody { case_id, category, title, urgency, demand, complexity } = body;
    let case = CaseId(case_id.unwrap_or_else(|| derive_id(step.caller.person, step.key(), "case")));
    let correction = Correction { category, title, urgency, demand, complexity };
    let decide = |report: &Versioned<Report>, context: Context<'_>| {
        let (change, opened) =
            intake::file_report(report, case, correction.clone(), asked.request, context)?;
        Ok((change, vec![Write::from(opened)]))
    };
    let stored = step::run_step(&step.app, &step.caller, asked, decide).await?;
    render_report(&step, &stored).await
}

/// Joins a report to a case that is open already.
pub async fn join_report(step: Step, body: JoinBody) -> Reply<Answer<ReportView>> {
    let asked = step.build_asked("join_report", &body);
    let (tenant, case) = (step.caller.tenant, CaseId(body.case_id));
    let load = move |db: &mut Db| load_state::<Case>(db, tenant, case.0);
    let decide = |report: &Versioned<Report>,
                  case: &Option<Versioned<Case>>,
                  context: Context<'_>| {
        let case = case.as_ref().filter(|case| case.state.visible_to(context.by, context.at));
        let (change, joined) =
            intake::join_report(report, case.ok_or_else(unknown_case)?, asked.request, context)?;
        Ok((change, vec![Write::from(joined)]))
    };
    let stored = step::run_step_with(&step.app, &step.caller, asked, load, decide).await?;
    render_report(&step, &stored).await
}

/// Refuses a report and names the right channel.
pub async fn refuse_report(step: Step, body: RefuseBody) -> Reply<Answer<ReportView>> {
    let asked = step.build_asked("refuse_report", &body);
    let RefuseBody { reason, redirect } = body;
    let command = report::Command::Refuse { reason, redirect };
    let stored = step::run_command::<Report>(&step.app, &step.caller, asked, command).await?;
    render_report(&step, &stored).await
}

/// Claims the verification before filing, so that no one else goes.
pub async fn claim_report(step: Step, body: EmptyBody) -> Reply<Answer<ReportView>> {
    run_check(step, "claim_report", &body, (None, None), report::Command::Claim).await
}

/// Gives a check on the spot back, or passes it on.
pub async fn unclaim_report(step: Step, body: UnclaimBody) -> Reply<Answer<ReportView>> {
    let to = body.successor();
    run_check(step, "unclaim_report", &body, (to, None), report::Command::Unclaim { to }).await
}

/// Records the verification on the spot before a report is filed.
pub async fn confirm_report(step: Step, body: ConfirmBody) -> Reply<Answer<ReportView>> {
    let point = normalise_point(body.point)?;
    let command = report::Command::Confirm { real: body.real, note: body.note.clone(), point };
    run_check(step, "confirm_report", &body, (None, point), command).await
}

/// Runs a command about a check on the spot ([`claim::run_check`]).
async fn run_check(
    step: Step,
    operation: &str,
    body: &impl Serialize,
    parties: (Option<PersonId>, Option<Point>),
    command: report::Command,
) -> Reply<Answer<ReportView>> {
    let stored = claim::run_check::<Report>(&step, operation, body, parties, command).await?;
    render_report(&step, &stored).await
}

/// Takes a report out of the case it was joined to by mistake.
pub async fn unjoin_report(step: Step, body: EmptyBody) -> Reply<Answer<ReportView>> {
    let asked = step.build_asked("unjoin_report", &body);
    let (tenant, report) = (step.caller.tenant, step.id);
    let load = move |db: &mut Db| {
        let case =
            load_state::<Report>(db, tenant, report)?.and_then(|report| report.state.status.case());
        case.map_or(Ok(None), |case| load_state::<Case>(db, tenant, case.0))
    };
    let decide =
        |report: &Versioned<Report>, case: &Option<Versioned<Case>>, context: Context<'_>| {
            let Some(case) = case else {
                let unjoin = report::Command::Unjoin;
                return Ok((execute(Some(report), &unjoin, asked.request, context)?, Vec::new()));
            };
            let (change, left) = intake::unjoin_report(report, case, asked.request, context)?;
            Ok((change, vec![Write::from(left)]))
        };
    let stored = step::run_step_with(&step.app, &step.caller, asked, load, decide).await?;
    render_report(&step, &stored).await
}

/// The answer to a command on a report.
async fn render_report(step: &Step, stored: &Versioned<Report>) -> Reply<Answer<ReportView>> {
    let known = ContactNames::load(&step.app, &step.caller, &[&stored.state]).await?;
    let view = ReportView::new(stored, &step.caller, &step.app, &known);
    Ok(Answer::of_change(stored.seq, view))
}

fn unknown_case() -> Problem {
    let (zh, en) = (
        "没有这个案卷，或您无权查看；请核对编号。",
        "There is no such case, or you are not allowed to see it; check the id.",
    );
    Problem::new(Code::InvalidBody).error("/case_id", "unknown_case", zh, en)
}
