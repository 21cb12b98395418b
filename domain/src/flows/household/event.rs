//! What may be asked of a household, and what can have happened to it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Group, Household, Member, Pairing, PairingKind, Standing};
use crate::{
    Instant,
    area::tree::Unit,
    core::{
        id::{AreaId, FormId, HouseholdId, PersonId},
        text::{Line, Prose},
    },
    flows::stored_event::JournalEvent,
    rules::burden::Counts,
};

/// A household to be registered; what is personal is kept beside it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NewHousehold {
    /// The identity it will have.
    pub id: HouseholdId,
    /// The grid it lies in.
    pub area: AreaId,
    /// The building; unit, floor and room are kept beside it.
    pub building: Option<Line>,
    /// The group of ten.
    pub group: Option<Group>,
    /// How many live there.
    pub size: Option<u16>,
    /// Those who are known by name.
    pub members: Vec<Member>,
    /// Whether one of them is cared for in particular.
    pub special: bool,
    /// Who is responsible for it.
    pub pairings: Vec<NewPairing>,
}

/// A person to be made responsible.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NewPairing {
    /// The person to be responsible.
    pub person: PersonId,
    /// In what way the person is responsible.
    pub kind: PairingKind,
    /// From when; without it, from now.
    pub from: Option<Instant>,
    /// Until when; without it, until it is ended.
    pub until: Option<Instant>,
}

/// What changed of a household; what is not said stays.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Update {
    /// Another grid: boundaries moved, or it was registered in the wrong one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area: Option<AreaId>,
    /// Another building, or the right one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub building: Option<Line>,
    /// The group of ten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Group>,
    /// How many live there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u16>,
    /// Members who came to be known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<Member>,
    /// Members of whom something else is known now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<Uuid>,
    /// Members who are no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<Uuid>,
    /// Whether one of them is cared for in particular.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub special: Option<bool>,
    /// Whether the room is another; which is sealed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub room: bool,
}

/// What may be asked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Register a household.
    Register(Box<NewHousehold>),
    /// Change what is known of it.
    Update(Box<Update>),
    /// Make a person responsible; a pairing of the same kind begins anew.
    Pair {
        /// Who, and how.
        pairing: NewPairing,
    },
    /// End the responsibility of a person.
    Unpair {
        /// The person who was responsible.
        person: PersonId,
        /// In what way the person was responsible.
        kind: PairingKind,
    },
    /// Fill in a form about it; what was answered is sealed.
    Answer {
        /// The form that was filled in.
        form: FormId,
        /// In which edition.
        edition: i64,
        /// Under which identity the answers are sealed.
        answers: Uuid,
        /// What that demanded.
        counts: Counts,
    },
    /// It moved away.
    Leave,
    /// It is back, or never left.
    Return,
    /// Erase what is kept of it.
    Erase {
        /// The reasons, in words.
        reason: Prose,
    },
}

/// What can have happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// It was registered.
    Registered {
        /// As it is.
        household: Box<Household>,
    },
    /// Something is known otherwise.
    Updated {
        /// What is different; the rest stays.
        update: Box<Update>,
        /// The grid, where that is another.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        area: Option<Unit>,
    },
    /// A person became responsible.
    Paired {
        /// Who, and how.
        pairing: Pairing,
    },
    /// A person is responsible no more.
    Unpaired {
        /// The person who was responsible.
        person: PersonId,
        /// In what way the person was responsible.
        kind: PairingKind,
    },
    /// A form was filled in.
    Answered {
        /// The form that was filled in.
        form: FormId,
        /// In which edition.
        edition: i64,
        /// Under which identity the answers are sealed.
        answers: Uuid,
        /// What that demanded.
        counts: Counts,
    },
    /// It moved away.
    Left,
    /// It is there again.
    Returned,
    /// What was kept of it is no more.
    Erased {
        /// The reasons, in words.
        reason: Prose,
    },
}

impl JournalEvent for Event {}

/// The household after an event.
pub(super) fn evolve(state: Option<Household>, event: &Event) -> Option<Household> {
    let Some(mut household) = state else {
        let Event::Registered { household } = event else { return None };
        return Some((**household).clone());
    };
    match event {
        Event::Registered { .. } => return None,
        Event::Updated { update, area } => {
            update.apply(&mut household);
            household.area = area.clone().unwrap_or(household.area);
        }
        Event::Paired { pairing } => {
            household
                .pairings
                .retain(|one| (one.person, one.kind) != (pairing.person, pairing.kind));
            household.pairings.push(pairing.clone());
        }
        Event::Unpaired { person, kind } => {
            household.pairings.retain(|one| (one.person, one.kind) != (*person, *kind));
        }
        Event::Answered { .. } => {}
        Event::Left => household.standing = Standing::Gone,
        Event::Returned => household.standing = Standing::Present,
        Event::Erased { .. } => {
            household.standing = Standing::Erased;
            household.members.clear();
            household.pairings.clear();
            household.special = false;
        }
    }
    Some(household)
}

impl Update {
    fn apply(&self, household: &mut Household) {
        if let Some(building) = &self.building {
            household.building = Some(building.clone());
        }
        if let Some(group) = &self.group {
            household.group = Some(group.clone());
        }
        household.size = self.size.or(household.size);
        household.special = self.special.unwrap_or(household.special);
        household.members.retain(|member| !self.removed.contains(&member.id));
        household.members.extend(self.added.iter().copied());
    }
}
