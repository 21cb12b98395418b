//! Claims (领取): a check on the spot is owed by the grid the place lies in and offered to everyone
//! who may check there; a claim keeps others from going as well.
//!
//! A claim ends by itself, so that nothing waits for a worker who does not come.

use chrono::Duration;
use serde::{Deserialize, Serialize};

use crate::{
    Instant,
    core::{disclosure::disclosed, id::PersonId, time::saturating_add},
    flows::flow::Context,
    rules::refusal::Refusal,
};

/// A worker claimed a check on the spot.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Claim {
    /// The worker who took it.
    pub by: PersonId,
    /// The name of that person at that time.
    pub by_name: String,
    /// From when another worker may claim it.
    pub until: Instant,
}

disclosed! {
    struct Claim { Open: by, by_name, until }
}

impl Claim {
    /// A claim by the actor; refused while another worker's claim lasts.
    pub fn take(before: Option<&Self>, cx: &Context<'_>) -> Result<Self, Refusal> {
        Self::require_free(before, cx)?;
        let kept = Duration::minutes(i64::from(cx.rules.conduct.claim_minutes));
        let (by, by_name) = (cx.by.person, cx.by.name.clone());
        Ok(Self { by, by_name, until: saturating_add(cx.at, kept) })
    }

    /// Refuses while another worker's claim lasts.
    pub fn require_free(claim: Option<&Self>, cx: &Context<'_>) -> Result<(), Refusal> {
        match claim.filter(|claim| claim.by != cx.by.person && cx.at < claim.until) {
            Some(claim) => Err(Refusal::Claimed { by: claim.by_name.clone(), until: claim.until }),
            None => Ok(()),
        }
    }
}
