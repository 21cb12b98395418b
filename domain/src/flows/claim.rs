//! Claims (领取): looking on the spot is owed by the grid the place lies in and offered to everybody
//! who may look there; whoever takes it keeps the others from going as well.
//!
//! A claim ends by itself, so that nothing waits for somebody who does not come. Whoever offers a
//! task to one worker before all others makes the claim in that worker's name.

use chrono::Duration;
use serde::{Deserialize, Serialize};

use crate::{
    Instant,
    core::{id::PersonId, time::later},
    flows::flow::Context,
    rules::refusal::Refusal,
};

/// Somebody went to look.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Claim {
    /// Who.
    pub by: PersonId,
    /// The name of who.
    pub by_name: String,
    /// From when on somebody else may go.
    pub until: Instant,
}

impl Claim {
    /// The claim of whoever asks; refused while somebody else's stands.
    pub fn take(before: Option<&Self>, cx: &Context<'_>) -> Result<Self, Refusal> {
        Self::require_free(before, cx)?;
        let kept = Duration::minutes(i64::from(cx.rules.conduct.claim_minutes));
        let (by, by_name) = (cx.by.person, cx.by.name.clone());
        Ok(Self { by, by_name, until: later(cx.at, kept) })
    }

    /// Refuses while somebody else's claim stands.
    pub fn require_free(claim: Option<&Self>, cx: &Context<'_>) -> Result<(), Refusal> {
        match claim.filter(|claim| claim.by != cx.by.person && cx.at < claim.until) {
            Some(claim) => Err(Refusal::Claimed { by: claim.by_name.clone(), until: claim.until }),
            None => Ok(()),
        }
    }
}
