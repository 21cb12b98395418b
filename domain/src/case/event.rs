//! What may be asked of a case, and what can have happened to it.

use serde::{Deserialize, Serialize};

use super::{
    Answer, Closing, Reporter, Satisfaction,
    whistle::{Act, Call, Happened, Whistle},
};
use crate::{
    Instant,
    area::Unit,
    coordinate::Point,
    id::{AreaId, CaseId, PersonId},
    obligation::Term,
    place::{Matter, Place},
    text::Prose,
};

/// What may be asked of a case.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// File a matter (立案). Only [`crate::intake`] asks it.
    Open(Box<Opening>),
    /// Add a report of the same thing. Only [`crate::intake`] asks it.
    Join {
        /// The report.
        reporter: Reporter,
    },
    /// Send it one level up.
    Escalate {
        /// Why this level cannot.
        reason: Prose,
    },
    /// Give it to a unit below the holder.
    Dispatch {
        /// Which.
        unit: AreaId,
        /// What to mind.
        note: Option<Prose>,
    },
    /// Summon departments.
    Whistle(Call),
    /// Sign for it.
    Sign,
    /// Begin work.
    Start,
    /// Give it back.
    Return {
        /// Why it is not this unit's.
        reason: Prose,
    },
    /// Say that it is done.
    FeedBack {
        /// What was done.
        result: Prose,
    },
    /// A step of one summoned department.
    Summons {
        /// Which department.
        unit: AreaId,
        /// Which step.
        act: Act,
    },
    /// Say what was seen on the spot.
    Verify {
        /// Whether it is done.
        passed: bool,
        /// What was seen.
        note: Option<Prose>,
        /// Where the verifier stood.
        point: Option<Point>,
    },
    /// Say what the resident said.
    CallBack(Callback),
    /// End it.
    Close {
        /// In words.
        note: Option<Prose>,
    },
    /// Begin again.
    Reopen {
        /// Why.
        reason: Prose,
    },
    /// Add a remark.
    Comment {
        /// What.
        text: Prose,
    },
}

/// What came of asking the resident: three separate answers (H.3.9).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Callback {
    /// Whether anybody was reached.
    pub reached: bool,
    /// Whether it is solved; asked only of those reached.
    pub solved: Option<bool>,
    /// How satisfied; asked only of those reached.
    pub satisfied: Option<Satisfaction>,
    /// In words.
    pub comment: Option<Prose>,
}

/// What a case begins with.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Opening {
    /// The identity it will have.
    pub id: CaseId,
    /// What it is about.
    pub matter: Matter,
    /// Where.
    pub place: Place,
    /// Who will have to decide.
    pub holder: Unit,
    /// The first report.
    pub reporter: Reporter,
    /// What was done on the spot, when the reporter handled it there and then.
    pub handled: Option<Prose>,
}

/// What can have happened to a case.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// It was filed.
    Opened {
        /// With what.
        opening: Box<Opening>,
        /// Its human number.
        number: String,
        /// When.
        at: Instant,
        /// The holder's clock.
        dispatch: Term,
    },
    /// The reporter handled it on the spot.
    HandledOnTheSpot {
        /// What was done.
        result: Prose,
        /// How it ended.
        closing: Closing,
    },
    /// Another report of the same thing.
    Joined {
        /// Which.
        reporter: Reporter,
    },
    /// It went one level up.
    Escalated {
        /// To whom.
        to: Unit,
        /// Why.
        reason: Prose,
        /// The new holder's clock.
        dispatch: Term,
    },
    /// A unit was given the case.
    Dispatched {
        /// Which.
        unit: Unit,
        /// What to mind.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<Prose>,
        /// Its clock to sign.
        sign: Term,
        /// Its clock to handle.
        handle: Term,
    },
    /// The unit signed.
    Signed {
        /// Who.
        by: PersonId,
    },
    /// The unit began.
    Started {
        /// Who.
        by: PersonId,
    },
    /// The unit gave it back.
    Returned {
        /// Which unit.
        unit: Unit,
        /// Why.
        reason: Prose,
        /// The holder's clock.
        dispatch: Term,
    },
    /// The unit says it is done.
    FedBack {
        /// Who.
        by: PersonId,
        /// What was done.
        result: Prose,
        /// The grid's clock.
        verify: Term,
    },
    /// Departments were summoned.
    WhistleBlown {
        /// All about it.
        whistle: Whistle,
    },
    /// A step of one summoned department.
    Summoned {
        /// Which department.
        unit: AreaId,
        /// Who acted.
        by: PersonId,
        /// What.
        happened: Happened,
    },
    /// All summoned departments were released.
    WhistleOver {
        /// The grid's clock.
        verify: Term,
    },
    /// It was seen on the spot that it is done.
    VerificationPassed {
        /// Who.
        by: PersonId,
        /// What was seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<Prose>,
        /// Where the verifier stood.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        point: Option<Point>,
        /// The holder's clock.
        call_back: Term,
    },
    /// It was seen on the spot that it is not.
    VerificationFailed {
        /// Who.
        by: PersonId,
        /// What was seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<Prose>,
        /// Where the verifier stood.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        point: Option<Point>,
        /// The handlers' new clock.
        redo: Term,
    },
    /// Nobody was reached.
    CallbackMissed {
        /// Who tried.
        by: PersonId,
        /// When enough attempts were made, the holder's clock to close.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        close: Option<Term>,
    },
    /// The resident says it is solved.
    Answered {
        /// Who wrote it down.
        by: PersonId,
        /// What.
        answer: Answer,
        /// The holder's clock.
        close: Term,
    },
    /// The resident says it is not solved.
    AnsweredUnsolved {
        /// Who wrote it down.
        by: PersonId,
        /// What.
        answer: Answer,
        /// The handlers' new clock.
        redo: Term,
    },
    /// It ended.
    Closed {
        /// Who.
        by: PersonId,
        /// In words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<Prose>,
        /// How.
        closing: Closing,
    },
    /// It began again.
    Reopened {
        /// Who.
        by: PersonId,
        /// Why.
        reason: Prose,
        /// The holder's clock.
        dispatch: Term,
    },
    /// Somebody remarked.
    Commented {
        /// Who.
        by: PersonId,
        /// What.
        text: Prose,
    },
}
