//! Decisions of a person on a content review.

use domain::flows::content_review::{Command, Review};

use super::{DecideReviewBody, ReviewView, load_view};
use crate::{
    engine::step::{self, Step},
    http::{answer::Answer, problem::Reply},
};

/// Decides a content review, or changes the decision.
pub async fn decide_content_review(
    step: Step,
    body: DecideReviewBody,
) -> Reply<Answer<ReviewView>> {
    let asked = step.build_asked("decide_content_review", &body);
    let DecideReviewBody { pass, note } = body;
    let command = Command::Decide { pass, note };
    let stored = step::run_command::<Review>(&step.app, &step.caller, asked, command).await?;
    let world = step.app.world(step.caller.tenant)?;
    let view = load_view(&step.app, &world, &stored).await?;
    Ok(Answer::of_change(stored.seq, view))
}
