//! The commands and events of a visit.

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
    /// The household to visit.
    pub household: HouseholdId,
    /// The grid it lies in.
    pub area: Unit,
    /// The purposes of the visit, at least one.
    pub purposes: Vec<Purpose>,
    /// The worker who is to go; without one, any worker of the grid.
    pub worker: Option<PersonId>,
    /// The deadline of the visit.
    pub due: Option<Instant>,
    /// Whether the actor is paired with the household.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paired: bool,
}

/// The record of a visit.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Record {
    /// The identity it will have, when it was not planned.
    pub id: VisitId,
    /// The household that was visited.
    pub household: HouseholdId,
    /// The campaign it belongs to.
    pub campaign: Option<CampaignId>,
    /// The grid it lies in.
    pub area: Unit,
    /// The purposes; empty: as planned.
    pub purposes: Vec<Purpose>,
    /// The result of the visit.
    pub outcome: Outcome,
    /// The opinions that were heard.
    pub opinions: Option<Prose>,
    /// The time by the phone's clock.
    pub visited_at: Option<Instant>,
    /// The form that was filled in.
    pub form: Option<Filled>,
    /// The reports made of the needs that were found.
    pub needs: Vec<ReportId>,
    /// Whether the actor is paired with the household, or was sent by the campaign.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paired: bool,
}

/// A correction of a record.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Correction {
    /// The correct result.
    pub outcome: Option<Outcome>,
    /// The correct purposes.
    pub purposes: Option<Vec<Purpose>>,
    /// The correct opinions.
    pub opinions: Option<Prose>,
    /// The reason for the correction.
    pub reason: Prose,
}

/// The commands for visits.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Plans a visit.
    Plan(Box<Plan>),
    /// Records the result, of a planned visit or not.
    Record(Box<Record>),
    /// Corrects the record; the earlier one stays in the journal.
    Correct(Box<Correction>),
    /// Cancels the visit.
    Cancel {
        /// The reasons, in words.
        reason: Prose,
    },
}

/// The events of a visit.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A visit was planned.
    Planned {
        /// Its initial state.
        visit: Box<Visit>,
    },
    /// The visit took place.
    Recorded {
        /// The visit itself, where it was not planned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        visit: Option<Box<Visit>>,
        /// Its purposes, each once.
        purposes: Vec<Purpose>,
        /// The record of the visit.
        done: Box<Done>,
    },
    /// The record was corrected.
    Corrected {
        /// The differences from the record.
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
