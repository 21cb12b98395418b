//! What may be asked of a patrol, and what can have happened to it.

use serde::{Deserialize, Serialize};

use super::{Itinerary, Moment, Occasion, Patrol, Purpose, Remark, Run, Window};
use crate::{
    Instant,
    core::{
        id::{AreaId, PatrolId},
        text::Prose,
    },
    flows::stored_event::JournalEvent,
    rules::{obligation::Term, vocabulary::MeasureKind},
};

/// A patrol to be planned or begun.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct New {
    /// The identity it will have.
    pub id: PatrolId,
    /// A grid, or a larger area.
    pub area: AreaId,
    /// The purpose, which binds the track as well.
    pub purpose: Purpose,
    /// The duty window.
    pub window: Window,
    /// What is to be seen.
    pub itinerary: Itinerary,
}

/// What may be asked of a patrol.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Plan a patrol for later.
    Plan {
        /// The patrol to plan.
        new: Box<New>,
        /// The day of the plan it is made for. Only the system says so.
        occasion: Option<Occasion>,
    },
    /// Begin a patrol that was not planned.
    Begin {
        /// The patrol to begin.
        new: Box<New>,
        /// When, by the phone's clock.
        time: Option<Instant>,
        /// Why it is told only now.
        late: Option<Prose>,
    },
    /// Begin one that was planned.
    Start {
        /// Another duty window than the one planned.
        window: Option<Window>,
        /// When, by the phone's clock.
        time: Option<Instant>,
        /// Why it is told only now.
        late: Option<Prose>,
    },
    /// Rest for a while.
    Pause {
        /// When, by the phone's clock.
        time: Option<Instant>,
    },
    /// Go on after a rest.
    Resume {
        /// When, by the phone's clock.
        time: Option<Instant>,
    },
    /// End the patrol.
    Finish {
        /// When, by the phone's clock.
        time: Option<Instant>,
        /// Why it is told only now.
        late: Option<Prose>,
        /// What is to be written down about it.
        note: Option<Prose>,
    },
    /// Say that the patrol will not take place.
    Cancel {
        /// The reasons, in words.
        reason: Prose,
    },
    /// Write something down.
    Note {
        /// The text of the remark.
        text: Prose,
    },
    /// Take the next measure about what is owed. Only the system asks it.
    Lapse {
        /// The number of its clock.
        term: i64,
    },
}

/// What can have happened to a patrol.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// It was planned, or begun unplanned; the whole of it.
    Made {
        /// The patrol as it was made.
        patrol: Box<Patrol>,
    },
    /// A worker began it.
    Started {
        /// Who walks, since when.
        run: Run,
        /// The duty window that was declared.
        window: Window,
    },
    /// The worker rests.
    Paused {
        /// When the rest began.
        at: Moment,
    },
    /// The worker goes on.
    Resumed {
        /// When the rest ended.
        at: Moment,
    },
    /// The worker ended it.
    Finished {
        /// When the worker ended it.
        at: Moment,
        /// Why that was told only later.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        late: Option<Prose>,
    },
    /// It will not take place.
    Cancelled {
        /// The reasons, in words.
        reason: Prose,
        /// The name of who said so.
        by: String,
    },
    /// Something was written down.
    Noted {
        /// The remark: when, by whom and what.
        remark: Remark,
    },
    /// A measure about what is owed was taken.
    Measured {
        /// What was done.
        what: MeasureKind,
        /// The clock as it is now.
        term: Term,
    },
}

impl JournalEvent for Event {}
