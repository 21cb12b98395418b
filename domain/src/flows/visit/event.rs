//! What may be asked of a visit, and what can have happened to it.

use serde::{Deserialize, Serialize};

use super::{Done, Filled, Outcome, Purpose, Status, Visit};
use crate::{
    Instant,
    area::tree::Unit,
    core::{
        id::{CampaignId, HouseholdId, PersonId, ReportId, VisitId},
        text::Prose,
    },
    flows::stored_event::JournalEvent,
};

/// A visit to be planned.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// The identity it will have.
    pub id: VisitId,
    /// To which household.
    pub household: HouseholdId,
    /// In which grid that lies.
    pub area: Unit,
    /// The purposes of the visit, at least one.
    pub purposes: Vec<Purpose>,
    /// Who is to go; without it, any worker of the grid.
    pub worker: Option<PersonId>,
    /// By when the visit is due.
    pub due: Option<Instant>,
    /// Whether the actor is paired with the household.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paired: bool,
}

/// A visit that took place.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Record {
    /// The identity it will have, when it was not planned.
    pub id: VisitId,
    /// To which household.
    pub household: HouseholdId,
    /// As part of which campaign.
    pub campaign: Option<CampaignId>,
    /// In which grid that lies.
    pub area: Unit,
    /// What for; empty: as planned.
    pub purposes: Vec<Purpose>,
    /// How it went.
    pub outcome: Outcome,
    /// What was heard.
    pub opinions: Option<Prose>,
    /// When, by the phone's clock.
    pub visited_at: Option<Instant>,
    /// The form that was filled in.
    pub form: Option<Filled>,
    /// The reports made of what was found.
    pub needs: Vec<ReportId>,
    /// Whether the actor is paired with the household, or was sent by the campaign.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paired: bool,
}

/// It was otherwise.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Correction {
    /// How it really went.
    pub outcome: Option<Outcome>,
    /// What it really was for.
    pub purposes: Option<Vec<Purpose>>,
    /// What really was heard.
    pub opinions: Option<Prose>,
    /// Why that is put right.
    pub reason: Prose,
}

/// What may be asked.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Plan a visit.
    Plan(Box<Plan>),
    /// Say what came of it, planned or not.
    Record(Box<Record>),
    /// Put right what was said; what was said before stays in the journal.
    Correct(Box<Correction>),
    /// Do not go.
    Cancel {
        /// The reasons, in words.
        reason: Prose,
    },
}

/// What can have happened.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A visit was planned.
    Planned {
        /// As it is.
        visit: Box<Visit>,
    },
    /// The visit took place.
    Recorded {
        /// Of one that was not planned: as it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        visit: Option<Box<Visit>>,
        /// Its purposes, each once.
        purposes: Vec<Purpose>,
        /// What came of it.
        done: Box<Done>,
    },
    /// It was otherwise.
    Corrected {
        /// What is different from the record.
        correction: Box<Correction>,
    },
    /// The visit was cancelled.
    Cancelled {
        /// The reasons, in words.
        reason: Prose,
    },
}

impl JournalEvent for Event {}

/// The visit after an event.
pub(super) fn evolve(state: Option<Visit>, event: &Event) -> Option<Visit> {
    match (state, event) {
        (None, Event::Planned { visit } | Event::Recorded { visit: Some(visit), .. }) => {
            Some((**visit).clone())
        }
        (Some(visit), Event::Recorded { visit: None, purposes, done }) => Some(Visit {
            purposes: purposes.clone(),
            worker: Some(done.by),
            status: Status::Done { done: done.clone() },
            ..visit
        }),
        (Some(visit), Event::Cancelled { reason }) => {
            Some(Visit { status: Status::Cancelled { reason: reason.clone() }, ..visit })
        }
        (Some(visit), Event::Corrected { correction }) => apply_correction(visit, correction),
        (None, Event::Recorded { .. } | Event::Corrected { .. } | Event::Cancelled { .. })
        | (Some(_), Event::Planned { .. } | Event::Recorded { .. }) => None,
    }
}

fn apply_correction(mut visit: Visit, correction: &Correction) -> Option<Visit> {
    let Status::Done { done } = &mut visit.status else { return None };
    done.outcome = correction.outcome.unwrap_or(done.outcome);
    if let Some(opinions) = &correction.opinions {
        done.opinions = Some(opinions.clone());
    }
    if let Some(purposes) = &correction.purposes {
        visit.purposes.clone_from(purposes);
    }
    Some(visit)
}
