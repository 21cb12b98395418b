//! Commands on a case, from dispatch to closing.

use domain::{
    area::coordinate::Point,
    core::id::{AreaId, PersonId, ReportId},
    flows::{
        case::{Callback, Command, state::Case},
        change::Versioned,
        media::{Attachment, MediaRole},
    },
};
use serde::Serialize;

use super::{
    CallbackBody, CaseView, CommentBody, DispatchBody, ResultBody, ReturnBody, VerifyBody,
};
use crate::{
    engine::step::{self, Step},
    http::{
        answer::Answer,
        body::shared::{EmptyBody, NoteBody, ReasonBody},
        problem::Reply,
    },
    resources::{
        claim::{self, UnclaimBody},
        media,
        place::normalise_point,
    },
};

/// Runs a command on the case in the path and answers the case as it is afterwards.
pub async fn run_command(
    step: Step,
    operation: &str,
    body: &impl Serialize,
    command: Command,
) -> Reply<Answer<CaseView>> {
    let asked = step.build_asked(operation, body);
    let stored = step::run_command::<Case>(&step.app, &step.caller, asked, command).await?;
    render_case(&step, &stored)
}

/// The same for a check on the spot ([`claim::run_check`]).
async fn run_check(
    step: Step,
    operation: &str,
    body: &impl Serialize,
    parties: (Option<PersonId>, Option<Point>),
    command: Command,
) -> Reply<Answer<CaseView>> {
    let stored = claim::run_check::<Case>(&step, operation, body, parties, command).await?;
    render_case(&step, &stored)
}

/// The case as it is afterwards.
pub fn render_case(step: &Step, stored: &Versioned<Case>) -> Reply<Answer<CaseView>> {
    let world = step.app.world(step.caller.tenant)?;
    let view = CaseView::new(stored, &world, &step.caller, step.app.clock.now());
    Ok(Answer::of_change(stored.seq, view))
}

/// A command with the files it names.
pub fn with_media(media: Vec<Attachment>, command: Command) -> Command {
    if media.is_empty() {
        return command;
    }
    Command::With { media, asked: Box::new(command) }
}

/// Escalates a case by one level.
pub async fn escalate_case(step: Step, body: ReasonBody) -> Reply<Answer<CaseView>> {
    let command = Command::Escalate { reason: body.reason.clone() };
    run_command(step, "escalate_case", &body, command).await
}

/// Dispatches a case to a unit.
pub async fn dispatch_case(step: Step, body: DispatchBody) -> Reply<Answer<CaseView>> {
    let (unit, note) = (AreaId(body.unit_id), body.note.clone());
    run_command(step, "dispatch_case", &body, Command::Dispatch { unit, note }).await
}

/// Signs for a dispatched case.
pub async fn sign_case(step: Step, body: EmptyBody) -> Reply<Answer<CaseView>> {
    run_command(step, "sign_case", &body, Command::Sign).await
}

/// Begins work on a signed case.
pub async fn start_case(step: Step, body: EmptyBody) -> Reply<Answer<CaseView>> {
    run_command(step, "start_case", &body, Command::Start).await
}

/// Returns a case to the unit that dispatched it.
pub async fn return_case(step: Step, body: ReturnBody) -> Reply<Answer<CaseView>> {
    let (reason, proposed) = (body.reason.clone(), body.proposed_unit_id.map(AreaId));
    let command = Command::Return { reason, proposed };
    run_command(step, "return_case", &body, command).await
}

/// Feeds back that a dispatched case is done.
pub async fn feed_back_case(step: Step, body: ResultBody) -> Reply<Answer<CaseView>> {
    let command = Command::FeedBack { result: body.result.clone() };
    let command = with_media(body.attachments(), command);
    run_command(step, "feed_back_case", &body, command).await
}

/// Claims a verification, so that no one else goes.
pub async fn claim_case(step: Step, body: EmptyBody) -> Reply<Answer<CaseView>> {
    run_check(step, "claim_case", &body, (None, None), Command::Claim).await
}

/// Gives a verification back, or passes it on.
pub async fn unclaim_case(step: Step, body: UnclaimBody) -> Reply<Answer<CaseView>> {
    let to = body.successor();
    run_check(step, "unclaim_case", &body, (to, None), Command::Unclaim { to }).await
}

/// Verifies the result on the spot.
pub async fn verify_case(step: Step, body: VerifyBody) -> Reply<Answer<CaseView>> {
    let VerifyBody { passed, note, point, media } = &body;
    let point = normalise_point(*point)?;
    let command = Command::Verify { passed: *passed, note: note.clone(), point };
    let command = with_media(media::build_attachments(&[(media, MediaRole::After)]), command);
    run_check(step, "verify_case", &body, (None, point), command).await
}

/// Records the answer of the resident, asked by staff or given directly.
pub async fn call_back_case(step: Step, body: CallbackBody) -> Reply<Answer<CaseView>> {
    let CallbackBody { reached, solved, satisfied, comment, report_id } = &body;
    let callback = Callback {
        reached: *reached,
        solved: *solved,
        satisfied: *satisfied,
        comment: comment.clone(),
        report: report_id.map(ReportId),
    };
    run_command(step, "call_back_case", &body, Command::CallBack(callback)).await
}

/// Closes a case.
pub async fn close_case(step: Step, body: NoteBody) -> Reply<Answer<CaseView>> {
    let command = Command::Close { note: body.note.clone() };
    run_command(step, "close_case", &body, command).await
}

/// Reopens a closed case within the window.
pub async fn reopen_case(step: Step, body: ReasonBody) -> Reply<Answer<CaseView>> {
    let command = Command::Reopen { reason: body.reason.clone() };
    run_command(step, "reopen_case", &body, command).await
}

/// Adds a remark to a case.
pub async fn comment_case(step: Step, body: CommentBody) -> Reply<Answer<CaseView>> {
    let command = Command::Comment { text: body.text.clone() };
    let command = with_media(media::build_attachments(&[(&body.media, MediaRole::Other)]), command);
    run_command(step, "comment_case", &body, command).await
}
