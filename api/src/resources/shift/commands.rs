//! Going on duty and off.

use chrono::{Duration, Utc};
use domain::{
    core::id::AreaId,
    flows::person::{Command, Person},
};
use serde::Serialize;

use super::{EndShiftBody, StartShiftBody};
use crate::{
    engine::step::{self, OwnStep, Step},
    http::{answer::Answer, problem::Reply},
    resources::person::{self, PersonView},
};

/// Hours a shift lasts when the request does not say how long.
const USUAL_HOURS: i64 = 8;

/// Goes on duty.
pub async fn start_shift(step: OwnStep, body: StartShiftBody) -> Reply<Answer<PersonView>> {
    let OwnStep(step) = step;
    let usual = step.app.clock.now() + Duration::hours(USUAL_HOURS);
    let until = body.until.map_or(usual, |until| until.with_timezone(&Utc));
    let command = Command::StartShift { area: AreaId(body.area_id), until };
    ask(step, "start_shift", &body, command).await
}

/// Goes off duty.
pub async fn end_shift(step: OwnStep, body: EndShiftBody) -> Reply<Answer<PersonView>> {
    ask(step.0, "end_shift", &body, Command::EndShift).await
}

async fn ask(
    step: Step,
    operation: &str,
    body: &impl Serialize,
    command: Command,
) -> Reply<Answer<PersonView>> {
    let asked = step.build_asked(operation, body);
    let stored = step::run_command::<Person>(&step.app, &step.caller, asked, command).await?;
    let view = person::load_view(&step.app, &step.caller, &stored).await?;
    Ok(Answer::of_change(stored.seq, view))
}
