//! The commands and events of a patrol.

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
    /// What it covers.
    pub itinerary: Itinerary,
}

/// The commands for a patrol.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Plans a patrol for later.
    Plan {
        /// The patrol to plan.
        new: Box<New>,
        /// The plan and day it is made for. Only the system sets it.
        occasion: Option<Occasion>,
    },
    /// Begins a patrol that was not planned.
    Begin {
        /// The patrol to begin.
        new: Box<New>,
        /// The time by the phone's clock.
        time: Option<Instant>,
        /// Why it is reported late.
        late: Option<Prose>,
    },
    /// Starts a planned patrol.
    Start {
        /// The duty window, where it differs from the planned one.
        window: Option<Window>,
        /// The time by the phone's clock.
        time: Option<Instant>,
        /// Why it is reported late.
        late: Option<Prose>,
    },
    /// Begins a rest.
    Pause {
        /// The time by the phone's clock.
        time: Option<Instant>,
    },
    /// Ends a rest.
    Resume {
        /// The time by the phone's clock.
        time: Option<Instant>,
    },
    /// Ends the patrol.
    Finish {
        /// The time by the phone's clock.
        time: Option<Instant>,
        /// Why it is reported late.
        late: Option<Prose>,
        /// A remark about it.
        note: Option<Prose>,
    },
    /// Cancels the patrol.
    Cancel {
        /// The reasons, in words.
        reason: Prose,
    },
    /// Adds a remark.
    Note {
        /// The text of the remark.
        text: Prose,
    },
    /// Takes the next measure about the obligation. Only the system gives this command.
    Lapse {
        /// The number of its clock.
        term: i64,
    },
}

/// The events of a patrol.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// It was planned, or begun without a plan.
    Made {
        /// The patrol as it was made.
        patrol: Box<Patrol>,
    },
    /// A worker began it.
    Started {
        /// The run: who, and since when.
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
        /// Why that was reported late.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        late: Option<Prose>,
    },
    /// It was cancelled.
    Cancelled {
        /// The reasons, in words.
        reason: Prose,
        /// The name of the person who cancelled it.
        by: String,
    },
    /// A remark was added.
    Noted {
        /// The remark: when, by whom and what.
        remark: Remark,
    },
    /// A measure about the obligation was taken.
    Measured {
        /// The kind of measure.
        what: MeasureKind,
        /// The clock as it is now.
        term: Term,
    },
}

impl JournalEvent for Event {}
