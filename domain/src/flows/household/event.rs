//! The commands and events of a household.

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

/// A household to be registered; its personal data is stored beside it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NewHousehold {
    /// The identity it will have.
    pub id: HouseholdId,
    /// The grid it lies in.
    pub area: AreaId,
    /// The building; unit, floor and room are stored beside it.
    pub building: Option<Line>,
    /// The group of ten.
    pub group: Option<Group>,
    /// The number of people who live there.
    pub size: Option<u16>,
    /// The members known by name.
    pub members: Vec<Member>,
    /// Whether a member belongs to a special-care group.
    pub special: bool,
    /// The people responsible for it.
    pub pairings: Vec<NewPairing>,
}

/// A pairing to be made.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NewPairing {
    /// The person to be responsible.
    pub person: PersonId,
    /// In what way the person is responsible.
    pub kind: PairingKind,
    /// When it begins; without it, now.
    pub from: Option<Instant>,
    /// When it ends; without it, when it is ended by a command.
    pub until: Option<Instant>,
}

/// The changes to a household; absent fields stay.
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
    /// The number of people who live there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u16>,
    /// Members who became known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<Member>,
    /// Members whose data changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<Uuid>,
    /// Members who no longer belong to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<Uuid>,
    /// Whether a member belongs to a special-care group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub special: Option<bool>,
    /// Whether the room changed, which is sealed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub room: bool,
}

/// The commands for households.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Registers a household.
    Register(Box<NewHousehold>),
    /// Changes its data.
    Update(Box<Update>),
    /// Makes a person responsible; a pairing of the same kind begins again.
    Pair {
        /// The person and the kind.
        pairing: NewPairing,
    },
    /// Ends the responsibility of a person.
    Unpair {
        /// The person who was responsible.
        person: PersonId,
        /// In what way the person was responsible.
        kind: PairingKind,
    },
    /// Fills in a form about it; the answers are sealed.
    Answer {
        /// The form that was filled in.
        form: FormId,
        /// The edition of the form.
        edition: i64,
        /// The identity under which the answers are sealed.
        answers: Uuid,
        /// How much work it took.
        counts: Counts,
    },
    /// Records that it moved away.
    Leave,
    /// Records that it came back or never left.
    Return,
    /// Erases its data.
    Erase {
        /// The reasons, in words.
        reason: Prose,
    },
}

/// The events of a household.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// It was registered.
    Registered {
        /// Its initial state.
        household: Box<Household>,
    },
    /// Its data changed.
    Updated {
        /// The changes; the rest stays.
        update: Box<Update>,
        /// The grid, where it changed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        area: Option<Unit>,
    },
    /// A person became responsible.
    Paired {
        /// The person and the kind.
        pairing: Pairing,
    },
    /// A person is no longer responsible.
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
        /// The edition of the form.
        edition: i64,
        /// The identity under which the answers are sealed.
        answers: Uuid,
        /// How much work it took.
        counts: Counts,
    },
    /// It moved away.
    Left,
    /// It is registered again.
    Returned,
    /// Its data was erased.
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
