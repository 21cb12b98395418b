//! Commands that make requests to superiors, and those by which superiors decide.

use chrono::DateTime;
use domain::{
    calendar::limit::Limit,
    core::id::AreaId,
    flows::case::{Command, state::ApprovalSubject},
};

use super::{
    AppealBody, ArbitrateBody, DecideBody, ExtendBody, ReplyBody, RuleBody, SuperviseBody,
    SuspendBody,
};
use crate::{
    engine::step::Step,
    http::{
        answer::Answer,
        body::shared::{EmptyBody, ReasonBody},
        problem::{Code, Problem, Reply},
    },
    resources::case::{CaseView, commands::run_command},
};

/// Requests more time for one duty, before it is due.
pub async fn extend_case(step: Step, body: ExtendBody) -> Reply<Answer<CaseView>> {
    let limit = Limit { amount: body.amount, unit: body.unit };
    if !(1..=Limit::MAX).contains(&limit.amount) {
        let (zh, en) = ("应为 1 到 10000。", "Expected 1 to 10000.");
        return Err(Problem::new(Code::InvalidBody).error("/amount", "out_of_range", zh, en));
    }
    let (wish, reason) =
        (ApprovalSubject::Extension { duty: body.duty, limit }, body.reason.clone());
    run_command(step, "extend_case", &body, Command::Ask { wish, reason }).await
}

/// Requests that the clocks stand still.
pub async fn suspend_case(step: Step, body: SuspendBody) -> Reply<Answer<CaseView>> {
    // Stored times are cut to milliseconds.
    let until = DateTime::from_timestamp_millis(body.until.timestamp_millis());
    let wish = ApprovalSubject::Suspension { until: until.unwrap_or(body.until) };
    let reason = body.reason.clone();
    run_command(step, "suspend_case", &body, Command::Ask { wish, reason }).await
}

/// Ends a standstill before its time.
pub async fn resume_case(step: Step, body: ReasonBody) -> Reply<Answer<CaseView>> {
    let command = Command::Resume { reason: body.reason.clone() };
    run_command(step, "resume_case", &body, command).await
}

/// Appeals against a breach.
pub async fn appeal_case(step: Step, body: AppealBody) -> Reply<Answer<CaseView>> {
    let (wish, reason) = (ApprovalSubject::Appeal { breach: body.breach }, body.reason.clone());
    run_command(step, "appeal_case", &body, Command::Ask { wish, reason }).await
}

/// Gives or refuses a signature.
pub async fn decide_request(step: Step, body: DecideBody) -> Reply<Answer<CaseView>> {
    let no = step.number("no")?;
    let command = Command::Decide { no, agree: body.agree, note: body.note.clone() };
    run_command(step, "decide_request", &(no, &body), command).await
}

/// Withdraws a request.
pub async fn withdraw_request(step: Step, body: EmptyBody) -> Reply<Answer<CaseView>> {
    let no = step.number("no")?;
    run_command(step, "withdraw_request", &(no, &body), Command::Withdraw { no }).await
}

/// Urges or supervises a unit, or lists the case.
pub async fn supervise_case(step: Step, body: SuperviseBody) -> Reply<Answer<CaseView>> {
    let SuperviseBody { kind, trigger, unit_id, reason } = &body;
    let unit = AreaId(*unit_id);
    let command =
        Command::Supervise { kind: *kind, trigger: *trigger, unit, reason: reason.clone() };
    run_command(step, "supervise_case", &body, command).await
}

/// Answers a supervision.
pub async fn reply_supervision(step: Step, body: ReplyBody) -> Reply<Answer<CaseView>> {
    let no = step.number("no")?;
    let command = Command::Reply { no, text: body.text.clone() };
    run_command(step, "reply_supervision", &(no, &body), command).await
}

/// Decides which unit gets a case that was returned too often.
pub async fn arbitrate_case(step: Step, body: ArbitrateBody) -> Reply<Answer<CaseView>> {
    let (unit, reason) = (AreaId(body.unit_id), body.reason.clone());
    run_command(step, "arbitrate_case", &body, Command::Arbitrate { unit, reason }).await
}

/// Gives the final ruling on a case that was handled again too often.
pub async fn rule_case(step: Step, body: RuleBody) -> Reply<Answer<CaseView>> {
    let command = Command::Rule { again: body.again, reason: body.reason.clone() };
    run_command(step, "rule_case", &body, command).await
}
