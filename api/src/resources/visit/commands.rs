//! Commands on visits, except recording them.

use domain::{
    core::id::{PersonId, VisitId},
    flows::{
        change::{Request, Versioned},
        household::Household,
        visit::{Command, Correction, Plan, Visit},
        visit_commit,
    },
};

use super::{CancelBody, CorrectBody, PlanBody, VisitView};
use crate::{
    app::clock::derive_id,
    engine::step::{self, Start, Step},
    http::{
        answer::Answer,
        problem::{Code, Problem, Reply},
    },
};

/// Plans a visit.
pub async fn plan_visit(start: Start, body: PlanBody) -> Reply<Answer<VisitView>> {
    let Start { app, caller, key } = start;
    let id = body.id.unwrap_or_else(|| derive_id(caller.person, key.0, "visit"));
    let asked = Request::new(key.0, "plan_visit", id, &body);
    let household = step::load_visible::<Household>(&app, &caller, body.household_id).await;
    let household = household.map_err(|_hidden| unknown_household())?;
    let plan = Plan {
        id: VisitId(id),
        household: household.state.id,
        area: household.state.area.clone(),
        purposes: body.purposes,
        worker: body.worker_id.map(PersonId),
        due: body.due.map(|due| due.to_utc()),
        paired: false,
    };
    let (stored, _) = step::begin_flow(&app, &caller, asked, |context| {
        Ok((visit_commit::plan(plan.clone(), &household.state, asked, context)?, Vec::new()))
    })
    .await?;
    Ok(render_creation(&stored))
}

/// Corrects the record of a visit.
pub async fn correct_visit(step: Step, body: CorrectBody) -> Reply<Answer<VisitView>> {
    let asked = step.build_asked("correct_visit", &body);
    let CorrectBody { outcome, purposes, opinions, reason } = body;
    let correction = Correction { outcome, purposes, opinions, reason };
    let command = Command::Correct(Box::new(correction));
    let stored = step::run_command::<Visit>(&step.app, &step.caller, asked, command).await?;
    Ok(render_change(&stored))
}

/// Cancels a visit that was planned.
pub async fn cancel_visit(step: Step, body: CancelBody) -> Reply<Answer<VisitView>> {
    let asked = step.build_asked("cancel_visit", &body);
    let command = Command::Cancel { reason: body.reason };
    let stored = step::run_command::<Visit>(&step.app, &step.caller, asked, command).await?;
    Ok(render_change(&stored))
}

/// The answer to a command on a visit.
pub(super) fn render_change(stored: &Versioned<Visit>) -> Answer<VisitView> {
    Answer::of_change(stored.seq, VisitView::new(stored))
}

/// The answer to a command that makes a visit.
pub(super) fn render_creation(stored: &Versioned<Visit>) -> Answer<VisitView> {
    let location = format!("/api/v1/visits/{}", stored.state.id);
    Answer::of_creation(location, stored.seq, VisitView::new(stored))
}

/// The problem of a household that does not exist, or that the caller must not know of.
pub(super) fn unknown_household() -> Problem {
    let (zh, en) = (
        "没有这户，或您无权走访；请核对编号。",
        "There is no such household, or you are not allowed to visit it; check the id.",
    );
    Problem::new(Code::InvalidBody).error("/household_id", "unknown_household", zh, en)
}
