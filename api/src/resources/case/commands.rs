//! What may be asked of a case, from dispatch to closing.

use domain::{
    core::id::{AreaId, PersonId, ReportId},
    flows::{
        case::{Callback, Command, state::Case},
        change::{Versioned, execute},
        flow::Context,
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

/// Asks a command of the case in the path and answers the case as it is afterwards.
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

/// The same for a look on the spot, which depends on the rights of who took it, and of who is to go
/// instead.
async fn run_look(
    step: Step,
    operation: &str,
    body: &impl Serialize,
    to: Option<PersonId>,
    command: Command,
) -> Reply<Answer<CaseView>> {
    let asked = step.build_asked(operation, body);
    let (app, caller) = (&step.app, &step.caller);
    let known = app.store.load_state::<Case>(caller.tenant, step.id).await?;
    let claim = known.as_ref().and_then(|case| case.state.stage.claim());
    let others = claim::load_others(app, caller, claim, to).await?;
    let decide = |case: &Versioned<Case>, context: Context<'_>| {
        let context = Context { others: &others, ..context };
        Ok((execute::<Case>(Some(case), &command, asked.request, context)?, Vec::new()))
    };
    let stored = step::run_step(app, caller, asked, decide).await?;
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

/// Sends a case one level up.
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

/// Returns a case to whoever dispatched it.
pub async fn return_case(step: Step, body: ReturnBody) -> Reply<Answer<CaseView>> {
    let (reason, proposed) = (body.reason.clone(), body.proposed_unit_id.map(AreaId));
    let command = Command::Return { reason, proposed };
    run_command(step, "return_case", &body, command).await
}

/// Says that a dispatched case is done.
pub async fn feed_back_case(step: Step, body: ResultBody) -> Reply<Answer<CaseView>> {
    let command = Command::FeedBack { result: body.result.clone() };
    let command = with_media(body.attachments(), command);
    run_command(step, "feed_back_case", &body, command).await
}

/// Takes a verification, so that nobody else goes.
pub async fn claim_case(step: Step, body: EmptyBody) -> Reply<Answer<CaseView>> {
    run_look(step, "claim_case", &body, None, Command::Claim).await
}

/// Gives a verification back, or passes it on.
pub async fn unclaim_case(step: Step, body: UnclaimBody) -> Reply<Answer<CaseView>> {
    let to = body.successor();
    run_look(step, "unclaim_case", &body, to, Command::Unclaim { to }).await
}

/// Verifies on the spot.
pub async fn verify_case(step: Step, body: VerifyBody) -> Reply<Answer<CaseView>> {
    let VerifyBody { passed, note, point, media } = &body;
    let point = normalise_point(*point)?;
    let command = Command::Verify { passed: *passed, note: note.clone(), point };
    let command = with_media(media::build_attachments(&[(media, MediaRole::After)]), command);
    run_look(step, "verify_case", &body, None, command).await
}

/// Asks the resident, or lets the resident answer.
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
