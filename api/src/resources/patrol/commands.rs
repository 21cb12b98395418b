//! Commands on patrols.

use domain::{
    core::id::PatrolId,
    flows::{
        change::{Request, execute},
        patrol::{Command, Patrol},
    },
};
use persistence::Write;
use serde::Serialize;

use super::{
    CancelPatrolBody, FinishBody, MomentBody, PatrolNoteBody, StartBody,
    body::{self, BeginBody, PlanPatrolBody, check_itinerary},
    view::PatrolView,
};
use crate::{
    app::{caller::Caller, clock::derive_id, state::App},
    engine::step::{self, Start, Step},
    http::{answer::Answer, problem::Reply},
};

/// Plans a patrol by hand.
pub async fn plan_patrol(start: Start, body: PlanPatrolBody) -> Reply<Answer<PatrolView>> {
    let Start { app, caller, key } = start;
    let id = body.id.unwrap_or_else(|| derive_id(caller.person, key.0, "patrol"));
    let asked = Request::new(key.0, "plan_patrol", id, &body);
    let new = Box::new(body.draft(PatrolId(id))?);
    create_patrol(&app, &caller, asked, Command::Plan { new, occasion: None }).await
}

/// Begins an unplanned patrol.
pub async fn begin_patrol(start: Start, body: BeginBody) -> Reply<Answer<PatrolView>> {
    let Start { app, caller, key } = start;
    let id = body.id.unwrap_or_else(|| derive_id(caller.person, key.0, "patrol"));
    let asked = Request::new(key.0, "begin_patrol", id, &body);
    let (time, late) = (body::to_utc(body.client_time), body.late_reason.clone());
    let new = Box::new(body.draft(PatrolId(id), caller.offline_command(), app.clock.now()));
    create_patrol(&app, &caller, asked, Command::Begin { new, time, late }).await
}

/// Begins a planned patrol.
pub async fn start_patrol(step: Step, body: StartBody) -> Reply<Answer<PatrolView>> {
    let skew = step.caller.offline_command().map(|typed| typed.skew).unwrap_or_default();
    let window = body.window.map(|window| window.correct_by(skew));
    let (time, late) = (body::to_utc(body.client_time), body.late_reason.clone());
    run_command(step, "start_patrol", &body, Command::Start { window, time, late }).await
}

/// Pauses a patrol.
pub async fn pause_patrol(step: Step, body: MomentBody) -> Reply<Answer<PatrolView>> {
    let time = body::to_utc(body.client_time);
    run_command(step, "pause_patrol", &body, Command::Pause { time }).await
}

/// Resumes a patrol.
pub async fn resume_patrol(step: Step, body: MomentBody) -> Reply<Answer<PatrolView>> {
    let time = body::to_utc(body.client_time);
    run_command(step, "resume_patrol", &body, Command::Resume { time }).await
}

/// Ends a patrol.
pub async fn finish_patrol(step: Step, body: FinishBody) -> Reply<Answer<PatrolView>> {
    let (late, note) = (body.late_reason.clone(), body.note.clone());
    let time = body::to_utc(body.client_time);
    run_command(step, "finish_patrol", &body, Command::Finish { time, late, note }).await
}

/// Cancels a planned patrol.
pub async fn cancel_patrol(step: Step, body: CancelPatrolBody) -> Reply<Answer<PatrolView>> {
    let reason = body.reason.clone();
    run_command(step, "cancel_patrol", &body, Command::Cancel { reason }).await
}

/// Adds a remark to a patrol.
pub async fn note_patrol(step: Step, body: PatrolNoteBody) -> Reply<Answer<PatrolView>> {
    let text = body.text.clone();
    run_command(step, "note_patrol", &body, Command::Note { text }).await
}

async fn create_patrol(
    app: &App,
    caller: &Caller,
    asked: Request,
    command: Command,
) -> Reply<Answer<PatrolView>> {
    let world = app.world(caller.tenant)?;
    let (stored, _) = step::begin_flow(app, caller, asked, |context| {
        let change = execute::<Patrol>(None, &command, asked, context)?;
        if let Command::Plan { new, .. } = &command {
            check_itinerary(&world, new.area, &new.itinerary)?;
        }
        Ok((change, Vec::<Write>::new()))
    })
    .await?;
    let location = format!("/api/v1/patrols/{}", stored.state.id);
    Ok(Answer::of_creation(location, stored.seq, PatrolView::new(&stored, app.clock.now())))
}

async fn run_command(
    step: Step,
    operation: &str,
    body: &impl Serialize,
    command: Command,
) -> Reply<Answer<PatrolView>> {
    let asked = step.build_asked(operation, body);
    let stored = step::run_command::<Patrol>(&step.app, &step.caller, asked, command).await?;
    let view = PatrolView::new(&stored, step.app.clock.now());
    Ok(Answer::of_change(stored.seq, view))
}
