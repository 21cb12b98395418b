//! What may be asked of a case, and what can have happened to it.

use serde::{Deserialize, Serialize};

use super::{
    Answer, Closing, Satisfaction,
    whistle::{Act, Happened, Raised, Whistle},
};
use crate::{
    Instant,
    area::{coordinate::Point, tree::Unit},
    core::{
        id::{AreaId, CaseId, PersonId, ReportId},
        text::Prose,
    },
    flows::{
        case::state::{
            Ask, Breach, Given, Moved, Reply, Reporter, Standstill, Supervision, Trigger, Wish,
        },
        claim::Claim,
        media::{Attached, Attachment},
    },
    rules::{
        obligation::{Duty, Term},
        place::{Matter, Place},
        vocabulary::{Channel, MeasureKind, SupervisionKind},
    },
};

/// What may be asked of a case.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// File a matter (立案). Only [`crate::flows::intake`] asks it.
    Open(Box<Opening>),
    /// Add a report of the same thing. Only [`crate::flows::intake`] asks it.
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
    /// Sign for it.
    Sign,
    /// Begin work.
    Start,
    /// Give it back.
    Return {
        /// Why it is not this unit's.
        reason: Prose,
        /// Whose it is instead; the unit that was given it first has to say so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proposed: Option<AreaId>,
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
    /// Take the look on the spot.
    Claim,
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
    /// Take a report out again that was joined by mistake. Only [`crate::flows::intake`] asks it.
    Unjoin {
        /// Which.
        report: ReportId,
    },
    /// Say whose the case is, after it was given back too often.
    Arbitrate {
        /// Whose.
        unit: AreaId,
        /// Why.
        reason: Prose,
    },
    /// Rule for good about a case that was handled again too often (终审).
    Rule {
        /// Whether it is handled once more; otherwise it is over.
        again: bool,
        /// Why.
        reason: Prose,
    },
    /// Take the whistle back.
    CallOff {
        /// Why.
        reason: Prose,
    },
    /// Ask the district to coordinate.
    Raise {
        /// Why.
        reason: Prose,
    },
    /// Say what the district arranged.
    Coordinate {
        /// What.
        note: Prose,
    },
    /// Ask those above for something.
    Ask {
        /// For what.
        wish: Wish,
        /// Why.
        reason: Prose,
    },
    /// Give or refuse a signature.
    Decide {
        /// Which question.
        no: i64,
        /// Whether it is given.
        agree: bool,
        /// In words.
        note: Option<Prose>,
    },
    /// Take back a question.
    Withdraw {
        /// Which.
        no: i64,
    },
    /// Go on before the standstill is over.
    Resume {
        /// Why.
        reason: Prose,
    },
    /// Urge, supervise or list.
    Supervise {
        /// How hard.
        kind: SupervisionKind,
        /// Why.
        trigger: Trigger,
        /// Whom.
        unit: AreaId,
        /// In words.
        reason: Prose,
    },
    /// Answer a supervision.
    Reply {
        /// Which.
        no: i64,
        /// What.
        text: Prose,
    },
    /// A command that names files.
    With {
        /// Which.
        media: Vec<Attachment>,
        /// What is asked.
        asked: Box<Command>,
    },
    /// Compute provisional deadlines anew by the calendar of now. Only the system asks it.
    Recompute,
    /// Take the next measure about a debt. Only the system asks it.
    Lapse {
        /// What is owed.
        duty: Duty,
        /// By whom.
        unit: AreaId,
        /// The number of its clock.
        term: i64,
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
    /// Whose answer it is, of several reports: left out, the own, or the one that is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<ReportId>,
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
    /// By which way it first came.
    pub channel: Channel,
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
        /// Who dispatched.
        by: PersonId,
        /// The name of who.
        by_name: String,
        /// Whether an arbiter said so: it cannot be given back.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        appointed: bool,
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
    /// The unit gave it back: a fact about whoever dispatched it there.
    Returned {
        /// Which unit.
        unit: Unit,
        /// Why.
        reason: Prose,
        /// The holder's clock.
        dispatch: Term,
        /// Who had dispatched it.
        dispatcher: PersonId,
        /// The name of who.
        dispatcher_name: String,
        /// Whose it is instead, as the unit says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proposed: Option<Unit>,
    },
    /// It was given back too often: somebody above decides whose it is.
    Disputed {
        /// Who.
        arbiter: Unit,
        /// The arbiter's clock.
        arbitrate: Term,
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
    /// Somebody went to look.
    Claimed {
        /// Who, and until when nobody else does.
        claim: Claim,
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
    /// One of several reporters answered; what counts is decided when the first one is asked.
    AnswerNoted {
        /// Who wrote it down.
        by: PersonId,
        /// Whose answer.
        report: ReportId,
        /// What.
        answer: Answer,
    },
    /// The resident says it is not solved, or is dissatisfied where that counts.
    AnsweredInVain {
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
    /// It is not among the cases that are called back.
    NotSampled {
        /// The holder's clock.
        close: Term,
    },
    /// It was handled again too often: somebody above rules.
    RulingAsked {
        /// Who.
        over: Unit,
        /// The clock of that.
        rule: Term,
    },
    /// It was ruled that it is handled once more.
    RuledAgain {
        /// Who.
        by: PersonId,
        /// Why.
        reason: Prose,
        /// The handlers' new clock.
        redo: Term,
    },
    /// A report was taken out again.
    Unjoined {
        /// Which.
        report: ReportId,
    },
    /// The whistle was taken back.
    CalledOff {
        /// Who.
        by: PersonId,
        /// Why.
        reason: Prose,
        /// The holder's clock.
        dispatch: Term,
    },
    /// The district was asked to coordinate.
    Raised {
        /// How.
        raised: Box<Raised>,
    },
    /// The district said what it arranged.
    Coordinated {
        /// Who.
        by: PersonId,
        /// What.
        note: Prose,
    },
    /// Something was asked of those above.
    Asked {
        /// What.
        ask: Box<Ask>,
    },
    /// A signature was given.
    Agreed {
        /// On which question.
        no: i64,
        /// By whom.
        given: Given,
        /// The clock of the next one; none after the last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<Term>,
    },
    /// A signature was refused, and with it the question.
    Denied {
        /// Which.
        no: i64,
        /// By whom.
        given: Given,
    },
    /// A question was taken back.
    Withdrawn {
        /// Which.
        no: i64,
    },
    /// More time was given.
    Extended {
        /// On which question.
        no: i64,
        /// The clocks as they are now.
        terms: Vec<Moved>,
    },
    /// The case stands still.
    Suspended {
        /// On which question.
        no: i64,
        /// How long.
        standstill: Box<Standstill>,
        /// The clocks as they are now.
        terms: Vec<Moved>,
    },
    /// The case goes on.
    Resumed {
        /// Since when.
        at: Instant,
        /// Why before its time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Prose>,
        /// The clocks as they are now.
        terms: Vec<Moved>,
    },
    /// An overdue fact was excused.
    Exempted {
        /// On which question.
        no: i64,
        /// Which fact.
        breach: i64,
        /// When.
        at: Instant,
    },
    /// Something was done late, or not yet when it was due.
    Breached {
        /// The fact.
        breach: Breach,
    },
    /// A measure about a debt was taken.
    Measured {
        /// What is owed.
        duty: Duty,
        /// By whom.
        unit: AreaId,
        /// The number of its clock.
        term: i64,
        /// What was done.
        what: MeasureKind,
        /// How many were taken now.
        taken: u8,
        /// When the next one is to be taken.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next_at: Option<Instant>,
    },
    /// The level above learnt of a debt, and has to answer.
    ReportedUp {
        /// Who.
        to: Unit,
    },
    /// Somebody was urged or supervised.
    Supervised {
        /// How.
        supervision: Box<Supervision>,
    },
    /// A supervision was answered.
    SupervisionAnswered {
        /// Which.
        no: i64,
        /// How.
        reply: Reply,
    },
    /// Clocks were computed anew by a calendar that was published since.
    Recomputed {
        /// The edition.
        calendar: i64,
        /// The clocks as they are now.
        terms: Vec<Moved>,
    },
    /// Somebody remarked.
    Commented {
        /// Who.
        by: PersonId,
        /// What.
        text: Prose,
    },
    /// Files were named with what happened before.
    Attached {
        /// Which.
        media: Vec<Attached>,
    },
}
