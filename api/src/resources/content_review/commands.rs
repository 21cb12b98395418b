//! What a person decides about what the public sent.

use domain::flows::content_review::{Command, Review};

use super::{DecideReviewBody, ReviewView, told};
use crate::{
    engine::step::{self, Step},
    http::{answer::Answer, problem::Reply},
};

/// Decides a content review, or decides it anew.
pub async fn decide_content_review(
    step: Step,
    body: DecideReviewBody,
) -> Reply<Answer<ReviewView>> {
    let asked = step.asked("decide_content_review", &body);
    let DecideReviewBody { pass, note } = body;
    let command = Command::Decide { pass, note };
    let stored = step::command::<Review>(&step.app, &step.caller, asked, command).await?;
    let world = step.app.world(step.caller.tenant)?;
    let view = told(&step.app, &world, &stored).await?;
    Ok(Answer::changed(stored.seq, view))
}
