//! Claims (领取): a check on the spot is owed by the grid the place lies in and offered to everyone
//! who may check there; a claim keeps others from going as well.
//!
//! A claim ends by itself, so that nothing waits for a worker who does not come, and with the right
//! of its holder to look there. It can be given back, or passed on to another who may look.

use chrono::Duration;
use serde::{Deserialize, Serialize};

use crate::{
    Instant,
    area::tree::Unit,
    core::{disclosure::disclosed, id::PersonId, time::saturating_add},
    flows::flow::Context,
    people::actor::{Actor, Permission},
    rules::refusal::Refusal,
};

/// A worker claimed a check on the spot.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Claim {
    /// The worker who claimed it.
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
    pub fn take(before: Option<&Self>, at: &Unit, cx: &Context<'_>) -> Result<Self, Refusal> {
        Self::require_free(before, at, cx)?;
        Ok(Self::new(cx.by.person, cx.by.name.clone(), cx))
    }

    fn new(by: PersonId, by_name: String, cx: &Context<'_>) -> Self {
        let kept = Duration::minutes(i64::from(cx.rules.conduct.claim_minutes));
        Self { by, by_name, until: saturating_add(cx.at, kept) }
    }

    /// Refuses while another worker's claim to look in this area stands.
    pub fn require_free(
        claim: Option<&Self>,
        area: &Unit,
        cx: &Context<'_>,
    ) -> Result<(), Refusal> {
        match claim.filter(|claim| claim.by != cx.by.person && claim.stands(area, cx)) {
            Some(claim) => Err(Refusal::Claimed { by: claim.by_name.clone(), until: claim.until }),
            None => Ok(()),
        }
    }

    /// Whether it keeps others from going: until its time is over, or the right of its holder.
    fn stands(&self, area: &Unit, cx: &Context<'_>) -> bool {
        let holder = cx.others.iter().find(|other| other.person == self.by);
        cx.at < self.until && holder.is_none_or(|holder| may_look(holder, area, cx.at))
    }

    /// The actor's own claim handed to another worker, who has as long as if they had taken it.
    pub fn pass_on(
        claim: Option<&Self>,
        to: PersonId,
        area: &Unit,
        cx: &Context<'_>,
    ) -> Result<Self, Refusal> {
        Self::require_own(claim, cx)?;
        let other = cx.others.iter().find(|other| other.person == to);
        let other = other.ok_or(Refusal::UnknownPerson { id: to })?;
        if !may_look(other, area, cx.at) {
            return Err(Refusal::NotAVerifier { id: to });
        }
        Ok(Self::new(to, other.name.clone(), cx))
    }

    /// Refuses an actor who did not take the look.
    pub fn require_own(claim: Option<&Self>, cx: &Context<'_>) -> Result<(), Refusal> {
        match claim.filter(|claim| cx.at < claim.until) {
            Some(claim) if claim.by == cx.by.person => Ok(()),
            Some(claim) => Err(Refusal::Claimed { by: claim.by_name.clone(), until: claim.until }),
            None => Err(Refusal::NotClaimed),
        }
    }
}

/// Whether a person may check on the spot in an area: only as long as they may does their claim
/// keep others away.
pub fn may_look(who: &Actor, area: &Unit, at: Instant) -> bool {
    who.may(Permission::VerifyOnSite, &area.path, at)
}
