//! Claims (领取): looking on the spot is owed by the grid the place lies in and offered to everyone
//! who may look there; the one who takes it keeps the others from going as well.
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

/// A worker took the look on the spot.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Claim {
    /// The worker who took it.
    pub by: PersonId,
    /// The name of that person then.
    pub by_name: String,
    /// From when on another worker may go.
    pub until: Instant,
}

disclosed! {
    struct Claim { Open: by, by_name, until }
}

impl Claim {
    /// The claim of the actor; refused while another worker's stands.
    pub fn take(before: Option<&Self>, cx: &Context<'_>) -> Result<Self, Refusal> {
        Self::require_free(before, cx)?;
        let kept = Duration::minutes(i64::from(cx.rules.conduct.claim_minutes));
        let (by, by_name) = (cx.by.person, cx.by.name.clone());
        Ok(Self { by, by_name, until: saturating_add(cx.at, kept) })
    }

    /// Refuses while another worker's claim stands.
    pub fn require_free(claim: Option<&Self>, cx: &Context<'_>) -> Result<(), Refusal> {
        match claim.filter(|claim| claim.by != cx.by.person && cx.at < claim.until) {
            Some(claim) => Err(Refusal::Claimed { by: claim.by_name.clone(), until: claim.until }),
            None => Ok(()),
        }
    }
}
