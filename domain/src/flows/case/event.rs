//! What may be asked of a case, and what can have happened to it.

use serde::{Deserialize, Serialize};

use super::{
    Answer, Closing, Satisfaction,
    whistle::{Happened, Raised, SummonsCommand, Whistle},
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
            ApprovalRequest, ApprovalSubject, Breach, Given, Moved, Reply, Reporter, Standstill,
            Supervision, Trigger,
        },
        claim::Claim,
        media::{Attached, Attachment},
        stored_event::JournalEvent,
    },
    rules::{
        obligation::{Duty, Term},
        place::{Place, ReportDetails},
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
        /// The reporter, with the report to join.
        reporter: Reporter,
    },
    /// Send it one level up.
    Escalate {
        /// Why this level cannot.
        reason: Prose,
    },
    /// Give it to a unit below the holder.
    Dispatch {
        /// The unit that gets the case.
        unit: AreaId,
        /// What to mind.
        note: Option<Prose>,
    },
    /// Sign for it.
    Sign,
    /// Begin work on a case that was signed for.
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
        /// The summoned department whose step it is.
        unit: AreaId,
        /// The step, with what it says.
        act: SummonsCommand,
    },
    /// Take the look on the spot.
    Claim,
    /// Give the look on the spot back.
    Unclaim {
        /// Who goes instead; without anybody, it is free.
        to: Option<PersonId>,
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
    /// Close the case after the callback.
    Close {
        /// A remark for the record.
        note: Option<Prose>,
    },
    /// Handle a closed case anew, within the window (重开).
    Reopen {
        /// Why it has to be handled again.
        reason: Prose,
    },
    /// Add a remark.
    Comment {
        /// The text of the remark.
        text: Prose,
    },
    /// Take a report out again that was joined by mistake. Only [`crate::flows::intake`] asks it.
    Unjoin {
        /// The report to take out.
        report: ReportId,
    },
    /// Say whose the case is, after it was given back too often.
    Arbitrate {
        /// The unit that has to handle it and cannot give it back.
        unit: AreaId,
        /// The reasons of the arbiter.
        reason: Prose,
    },
    /// Rule for good about a case that was handled again too often (终审).
    Rule {
        /// Whether it is handled once more; otherwise it is over.
        again: bool,
        /// The reasons of the ruling.
        reason: Prose,
    },
    /// Take the whistle back.
    CallOff {
        /// Why the whistle is taken back.
        reason: Prose,
    },
    /// Ask the district to coordinate.
    Raise {
        /// Why the street cannot settle it with the departments alone.
        reason: Prose,
    },
    /// Say what the district arranged.
    Coordinate {
        /// What was arranged, in words.
        note: Prose,
    },
    /// Ask those above for something.
    Ask {
        /// What is asked for: time, a standstill, an excuse or a whistle.
        wish: ApprovalSubject,
        /// The reasons, for those who sign.
        reason: Prose,
    },
    /// Give or refuse a signature.
    Decide {
        /// The number of the question ([`ApprovalRequest::no`]).
        no: i64,
        /// Whether it is given.
        agree: bool,
        /// A remark of the signer.
        note: Option<Prose>,
    },
    /// Take back a question.
    Withdraw {
        /// The number of the question.
        no: i64,
    },
    /// Go on before the standstill is over.
    Resume {
        /// Why the case can go on early.
        reason: Prose,
    },
    /// Urge, supervise or list.
    Supervise {
        /// Whether to urge, supervise or list.
        kind: SupervisionKind,
        /// What gave rise to it.
        trigger: Trigger,
        /// The unit that has to act; the case must involve it.
        unit: AreaId,
        /// The reasons, in words.
        reason: Prose,
    },
    /// Answer a supervision.
    Reply {
        /// The number of the supervision.
        no: i64,
        /// The text of the answer.
        text: Prose,
    },
    /// A command that names files.
    With {
        /// The files that the command names.
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
        /// The unit that owes it.
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
    /// What the resident said besides, in words.
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
    pub matter: ReportDetails,
    /// The place, with the grid it lies in.
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
        /// What it was opened with.
        opening: Box<Opening>,
        /// Its human number.
        number: String,
        /// When it was filed (立案).
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
        /// The reporter, with the report that was joined.
        reporter: Reporter,
    },
    /// It went one level up.
    Escalated {
        /// The unit above, which holds the case now.
        to: Unit,
        /// Why the level below could not decide.
        reason: Prose,
        /// The new holder's clock.
        dispatch: Term,
    },
    /// A unit was given the case.
    Dispatched {
        /// The unit that has to handle it.
        unit: Unit,
        /// What to mind.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<Prose>,
        /// Its clock to sign.
        sign: Term,
        /// Its clock to handle.
        handle: Term,
        /// The person who dispatched it.
        by: PersonId,
        /// The name of that person then.
        by_name: String,
        /// Whether an arbiter said so: it cannot be given back.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        appointed: bool,
    },
    /// The unit signed.
    Signed {
        /// The person who signed for the unit.
        by: PersonId,
    },
    /// The unit began.
    Started {
        /// The person who began for the unit.
        by: PersonId,
    },
    /// The unit gave it back: a fact about the person who dispatched it there.
    Returned {
        /// The unit that gave it back.
        unit: Unit,
        /// Why the unit says it is not its own.
        reason: Prose,
        /// The holder's clock.
        dispatch: Term,
        /// Who had dispatched it.
        dispatcher: PersonId,
        /// The name of that person then.
        dispatcher_name: String,
        /// Whose it is instead, as the unit says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proposed: Option<Unit>,
    },
    /// It was given back too often: an arbiter decides whose it is.
    Disputed {
        /// The unit that has to decide.
        arbiter: Unit,
        /// The arbiter's clock.
        arbitrate: Term,
    },
    /// The unit says it is done.
    FedBack {
        /// The person who said so for the unit.
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
        /// The department whose step it is.
        unit: AreaId,
        /// The person who acted, for the department, the street or the district.
        by: PersonId,
        /// The step, with what it says.
        happened: Happened,
    },
    /// All summoned departments were released.
    WhistleOver {
        /// The grid's clock.
        verify: Term,
    },
    /// A worker took the look on the spot.
    Claimed {
        /// Who took it, and until when others must not go.
        claim: Claim,
    },
    /// The worker who took the look on the spot gave it back.
    Unclaimed,
    /// It was seen on the spot that it is done.
    VerificationPassed {
        /// The person who looked.
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
        /// The person who looked.
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
    /// The callback reached no one.
    CallbackMissed {
        /// The person who called.
        by: PersonId,
        /// When enough attempts were made, the holder's clock to close.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        close: Option<Term>,
    },
    /// The resident says it is solved.
    Answered {
        /// Who wrote it down.
        by: PersonId,
        /// The answer that counts.
        answer: Answer,
        /// The holder's clock.
        close: Term,
    },
    /// One of several reporters answered; what counts is decided when the first one is asked.
    AnswerNoted {
        /// Who wrote it down.
        by: PersonId,
        /// The report whose reporter answered.
        report: ReportId,
        /// What that reporter said.
        answer: Answer,
    },
    /// The resident says it is not solved, or is dissatisfied where that counts.
    AnsweredInVain {
        /// Who wrote it down.
        by: PersonId,
        /// The answer that counts.
        answer: Answer,
        /// The handlers' new clock.
        redo: Term,
    },
    /// It was closed (结案).
    Closed {
        /// The person who closed it, or ruled that it is over.
        by: PersonId,
        /// A remark, or the reasons of the ruling.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<Prose>,
        /// The outcome, the time and the window to reopen.
        closing: Closing,
    },
    /// It began again.
    Reopened {
        /// The person who reopened it.
        by: PersonId,
        /// Why it has to be handled again.
        reason: Prose,
        /// The holder's clock.
        dispatch: Term,
    },
    /// It is not among the cases that are called back.
    NotSampled {
        /// The holder's clock.
        close: Term,
    },
    /// It was handled again too often: an arbiter has to rule.
    RulingAsked {
        /// The unit that has to rule.
        over: Unit,
        /// The clock of that.
        rule: Term,
    },
    /// It was ruled that it is handled once more.
    RuledAgain {
        /// The person who ruled for that unit.
        by: PersonId,
        /// The reasons of the ruling.
        reason: Prose,
        /// The handlers' new clock.
        redo: Term,
    },
    /// A report was taken out again.
    Unjoined {
        /// The report that was taken out.
        report: ReportId,
    },
    /// The whistle was taken back.
    CalledOff {
        /// The person who took it back.
        by: PersonId,
        /// Why it was taken back.
        reason: Prose,
        /// The holder's clock.
        dispatch: Term,
    },
    /// The district was asked to coordinate.
    Raised {
        /// To whom, why and by when.
        raised: Box<Raised>,
    },
    /// The district said what it arranged.
    Coordinated {
        /// The person who said so for the district.
        by: PersonId,
        /// What was arranged, in words.
        note: Prose,
    },
    /// Something was asked of those above.
    Asked {
        /// The question, with the signatures it needs.
        ask: Box<ApprovalRequest>,
    },
    /// A signature was given.
    Agreed {
        /// On which question.
        no: i64,
        /// The signature: who, when and with what remark.
        given: Given,
        /// The clock of the next one; none after the last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<Term>,
    },
    /// A signature was refused, and with it the question.
    Denied {
        /// The number of the question.
        no: i64,
        /// The refusal: who, when and with what remark.
        given: Given,
    },
    /// A question was taken back.
    Withdrawn {
        /// The number of the question.
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
        /// From when until when, for which unit and why.
        standstill: Box<Standstill>,
        /// The clocks as they are now.
        terms: Vec<Moved>,
    },
    /// The case goes on.
    Resumed {
        /// From when on the clocks run again.
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
        /// The number of the overdue fact ([`Breach::no`]).
        breach: i64,
        /// When it was excused.
        at: Instant,
    },
    /// Something was done late, or not yet when it was due.
    Breached {
        /// The duty, the unit and the clock that was late.
        breach: Breach,
    },
    /// A measure about a debt was taken.
    Measured {
        /// What is owed.
        duty: Duty,
        /// The unit that owes it.
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
        /// The level above, which has to answer.
        to: Unit,
    },
    /// A unit was urged or supervised.
    Supervised {
        /// The supervision, with the clock of its answer.
        supervision: Box<Supervision>,
    },
    /// A supervision was answered.
    SupervisionAnswered {
        /// The number of the supervision.
        no: i64,
        /// The answer: who, when and what.
        reply: Reply,
    },
    /// Clocks were computed anew by a calendar that was published since.
    Recomputed {
        /// The edition of that calendar.
        calendar: i64,
        /// The clocks as they are now.
        terms: Vec<Moved>,
    },
    /// A remark was added.
    Commented {
        /// The person who remarked.
        by: PersonId,
        /// The text of the remark.
        text: Prose,
    },
    /// Files were named with what happened before.
    Attached {
        /// The files, with who named them.
        media: Vec<Attached>,
    },
}

impl JournalEvent for Event {}
