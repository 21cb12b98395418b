//! What may be asked of a patrol, and what can have happened to it.

use serde::{Deserialize, Serialize};

use super::{Itinerary, Moment, Occasion, Patrol, Purpose, Remark, Run, Window};
use crate::{
    Instant,
    core::{
        id::{AreaId, PatrolId},
        text::Prose,
    },
    rules::{obligation::Term, vocabulary::MeasureKind},
};

/// A patrol somebody plans or begins.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct New {
    /// The identity it will have.
    pub id: PatrolId,
    /// Where.
    pub area: AreaId,
    /// What for.
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
    /// Plan it.
    Plan {
        /// What.
        new: Box<New>,
        /// The day of the plan it is made for. Only the system says so.
        occasion: Option<Occasion>,
    },
    /// Begin one that nobody planned.
    Begin {
        /// What.
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
    /// Rest.
    Pause {
        /// When, by the phone's clock.
        time: Option<Instant>,
    },
    /// Go on.
    Resume {
        /// When, by the phone's clock.
        time: Option<Instant>,
    },
    /// End it.
    Finish {
        /// When, by the phone's clock.
        time: Option<Instant>,
        /// Why it is told only now.
        late: Option<Prose>,
        /// What is to be written down about it.
        note: Option<Prose>,
    },
    /// Say that nobody will go.
    Cancel {
        /// Why.
        reason: Prose,
    },
    /// Write something down.
    Note {
        /// What.
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
        /// The patrol.
        patrol: Box<Patrol>,
    },
    /// Somebody began it.
    Started {
        /// Who, when.
        run: Run,
        /// The duty window that was declared.
        window: Window,
    },
    /// Whoever walks rests.
    Paused {
        /// Since when.
        at: Moment,
    },
    /// Whoever walks goes on.
    Resumed {
        /// Since when.
        at: Moment,
    },
    /// It ended.
    Finished {
        /// When.
        at: Moment,
        /// Why that was told only later.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        late: Option<Prose>,
    },
    /// Nobody will go.
    Cancelled {
        /// Why.
        reason: Prose,
        /// The name of who said so.
        by: String,
    },
    /// Something was written down.
    Noted {
        /// What.
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
