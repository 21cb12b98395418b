//! What each event does to a whistle and its clocks. Nothing here decides.

#![expect(clippy::wildcard_enum_match_arm, reason = "most steps have nothing of it")]

use super::{Clocks, Happened, Step, Whistle};
use crate::{
    core::id::{AreaId, PersonId},
    flows::case::lifecycle::StepName,
    rules::obligation::{Duty, Term},
};

impl Whistle {
    /// The whistle after an event of the summons of `unit`.
    pub(in crate::flows::case) fn with_event(
        &self,
        unit: AreaId,
        by: PersonId,
        happened: &Happened,
    ) -> Self {
        let mut after = self.clone();
        after.evolve(unit, by, happened);
        after
    }

    /// Applies an event of the summons of `unit`.
    pub(in crate::flows::case) fn evolve(
        &mut self,
        unit: AreaId,
        by: PersonId,
        happened: &Happened,
    ) {
        let Some(summons) = self.summonses.iter_mut().find(|s| s.unit.id == unit) else { return };
        let acted = match happened {
            Happened::Signed => {
                summons.step = Step::Signed;
                true
            }
            Happened::Contacted { .. } => {
                summons.step = Step::Contacted;
                true
            }
            Happened::Arrived { arrival } => {
                summons.step = Step::Arrived;
                summons.arrival = Some(arrival.clone());
                true
            }
            Happened::FedBack { result, release } => {
                summons.step = Step::FedBack { release: release.clone() };
                summons.result = Some(result.clone());
                true
            }
            Happened::SentBack { feed_back, .. } => {
                summons.step = Step::Arrived;
                summons.clocks.feed_back = feed_back.clone();
                false
            }
            Happened::Released { rate } => {
                summons.step = Step::Released { rate: rate.clone() };
                false
            }
            Happened::Rated { rating } => {
                summons.rating = Some(rating.clone());
                false
            }
            Happened::StreetRated { rating } => {
                summons.view = Some(rating.clone());
                false
            }
            Happened::Contested { reason, arbiter, arbitrate } => {
                let (reason, arbiter) = (reason.clone(), arbiter.clone());
                let (was, arbitrate) = (summons.step.name(), arbitrate.clone());
                summons.step = Step::Contested { was, reason, arbiter, arbitrate };
                false
            }
            Happened::Upheld { .. } => {
                if let Step::Contested { was, .. } = &summons.step {
                    summons.step = match was {
                        StepName::Signed => Step::Signed,
                        StepName::Contacted => Step::Contacted,
                        _ => Step::Called,
                    };
                }
                summons.appointed = true;
                false
            }
            Happened::Excused { .. } => {
                summons.step = Step::Excused;
                summons.lead = false;
                false
            }
        };
        if acted && !summons.people.contains(&by) {
            summons.people.push(by);
        }
        if let Some(replacement) = happened.replacement() {
            let place = if replacement.lead { 0 } else { self.summonses.len() };
            self.summonses.insert(place, replacement.clone());
        }
    }

    /// Every clock that may run, with its duty and debtor.
    pub(in crate::flows::case) fn terms_mut(&mut self) -> Vec<(Duty, AreaId, &mut Term)> {
        let street = self.street.id;
        let mut all = Vec::new();
        if let Some(raised) = &mut self.raised {
            all.push((Duty::Coordinate, raised.to.id, &mut raised.term));
        }
        for summons in &mut self.summonses {
            let unit = summons.unit.id;
            let Clocks { sign, contact, arrive, feed_back } = &mut summons.clocks;
            all.push((Duty::SignWhistle, unit, sign));
            all.push((Duty::Contact, unit, contact));
            all.push((Duty::Arrive, unit, arrive));
            all.push((Duty::FeedBack, unit, feed_back));
            match &mut summons.step {
                Step::FedBack { release } => all.push((Duty::Release, street, release)),
                Step::Released { rate } => all.push((Duty::Rate, street, rate)),
                Step::Contested { arbiter, arbitrate, .. } => {
                    all.push((Duty::Arbitrate, arbiter.id, arbitrate));
                }
                Step::Called | Step::Signed | Step::Contacted | Step::Arrived | Step::Excused => {}
            }
        }
        all
    }

    /// The lead starts work again, because its result did not pass the verification.
    pub(in crate::flows::case) fn restart_lead(&mut self, feed_back: &Term) {
        for summons in self.summonses.iter_mut().filter(|summons| summons.lead) {
            summons.step = Step::Arrived;
            summons.clocks.feed_back = feed_back.clone();
            summons.rating = None;
        }
    }
}
