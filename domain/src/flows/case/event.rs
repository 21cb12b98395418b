//! The commands and events of a case.

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

/// The commands for a case.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Files a matter (立案). Only [`crate::flows::intake`] gives this command.
    Open(Box<Opening>),
    /// Adds a report of the same matter. Only [`crate::flows::intake`] gives this command.
    Join {
        /// The reporter, with the report to join.
        reporter: Reporter,
    },
    /// Sends the case one level up.
    Escalate {
        /// Why this level cannot decide.
        reason: Prose,
    },
    /// Gives the case to a unit below the holder.
    Dispatch {
        /// The unit that gets the case.
        unit: AreaId,
        /// Instructions for the unit.
        note: Option<Prose>,
    },
    /// Signs for the case.
    Sign,
    /// Begins work on a case that was signed for.
    Start,
    /// Returns the case.
    Return {
        /// Why it does not belong to this unit.
        reason: Prose,
        /// The unit it belongs to instead; the first receiver has to name one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proposed: Option<AreaId>,
    },
    /// Reports the work as done.
    FeedBack {
        /// What was done.
        result: Prose,
    },
    /// A step of one summoned department.
    Summons {
        /// The summoned department whose step it is.
        unit: AreaId,
        /// The command, with its arguments.
        act: SummonsCommand,
    },
    /// Claims the verification on the spot.
    Claim,
    /// Give the check on the spot back.
    Unclaim {
        /// Who goes instead; without anybody, it is free.
        to: Option<PersonId>,
    },
    /// Reports the result of the verification on the spot.
    Verify {
        /// Whether it is done.
        passed: bool,
        /// What was seen.
        note: Option<Prose>,
        /// Where the verifier stood.
        point: Option<Point>,
    },
    /// Records the resident's answers.
    CallBack(Callback),
    /// Closes the case after the callback.
    Close {
        /// A remark for the record.
        note: Option<Prose>,
    },
    /// Reopens a closed case within the window (重开).
    Reopen {
        /// Why it has to be handled again.
        reason: Prose,
    },
    /// Adds a remark.
    Comment {
        /// The text of the remark.
        text: Prose,
    },
    /// Takes a report out again that was joined by mistake. Only [`crate::flows::intake`] gives
    /// this command.
    Unjoin {
        /// The report to take out.
        report: ReportId,
    },
    /// Assigns the case after it was returned too often.
    Arbitrate {
        /// The unit that has to handle it and cannot return it.
        unit: AreaId,
        /// The reasons of the arbiter.
        reason: Prose,
    },
    /// Gives the final ruling about a case with too much rework (终审).
    Rule {
        /// Whether it is handled once more; otherwise it is closed.
        again: bool,
        /// The reasons of the ruling.
        reason: Prose,
    },
    /// Withdraws the whistle.
    CallOff {
        /// Why the whistle is withdrawn.
        reason: Prose,
    },
    /// Asks the district to coordinate.
    Raise {
        /// Why the street cannot settle it with the departments alone.
        reason: Prose,
    },
    /// Records what the district arranged.
    Coordinate {
        /// What was arranged, in words.
        note: Prose,
    },
    /// Opens an approval request.
    Ask {
        /// The subject: time, a standstill, an excuse or a whistle.
        wish: ApprovalSubject,
        /// The reasons, for those who sign.
        reason: Prose,
    },
    /// Gives or refuses a signature.
    Decide {
        /// The number of the request ([`ApprovalRequest::no`]).
        no: i64,
        /// Whether it is given.
        agree: bool,
        /// A remark of the signer.
        note: Option<Prose>,
    },
    /// Withdraws a request.
    Withdraw {
        /// The number of the request.
        no: i64,
    },
    /// Ends the standstill before its time.
    Resume {
        /// Why the case can continue early.
        reason: Prose,
    },
    /// Urges, supervises or lists a unit.
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
    /// Answers a supervision.
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
        /// The command itself.
        asked: Box<Command>,
    },
    /// Recomputes provisional deadlines by the present calendar. Only the system gives this
    /// command.
    Recompute,
    /// Takes the next measure about a debt. Only the system gives this command.
    Lapse {
        /// What is owed.
        duty: Duty,
        /// The unit that owes it.
        unit: AreaId,
        /// The number of its clock.
        term: i64,
    },
}

/// The result of calling the resident: three separate answers (H.3.9).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Callback {
    /// Whether anyone was reached.
    pub reached: bool,
    /// Whether it is solved; asked only of those reached.
    pub solved: Option<bool>,
    /// How satisfied the resident is; asked only of those reached.
    pub satisfied: Option<Satisfaction>,
    /// The resident's other remarks.
    pub comment: Option<Prose>,
    /// The report whose reporter answered, where there are several; by default the caller's own, or
    /// else that of the deciding reporter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<ReportId>,
}

/// The initial facts of a case.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Opening {
    /// The identity it will have.
    pub id: CaseId,
    /// The details of the matter.
    pub matter: ReportDetails,
    /// The place, with the grid it lies in.
    pub place: Place,
    /// The channel of the first report.
    pub channel: Channel,
    /// The unit that has to decide.
    pub holder: Unit,
    /// The first report.
    pub reporter: Reporter,
    /// What was done on the spot, when the reporter handled the matter there and then.
    pub handled: Option<Prose>,
}

/// The events of a case.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// It was filed.
    Opened {
        /// What it was opened with.
        opening: Box<Opening>,
        /// Its human-readable number.
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
        /// The outcome, the time and the window to reopen.
        closing: Closing,
    },
    /// Another report of the same matter was joined.
    Joined {
        /// The reporter, with the report that was joined.
        reporter: Reporter,
    },
    /// It was sent one level up.
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
        /// Instructions for the unit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<Prose>,
        /// Its clock to sign.
        sign: Term,
        /// Its clock to handle.
        handle: Term,
        /// The person who dispatched it.
        by: PersonId,
        /// The name of that person at that time.
        by_name: String,
        /// Whether an arbiter assigned it: it cannot be returned.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        appointed: bool,
    },
    /// The unit signed.
    Signed {
        /// The person who signed for the unit.
        by: PersonId,
    },
    /// The unit began work.
    Started {
        /// The person who began for the unit.
        by: PersonId,
    },
    /// The unit returned it: a fact about the person who dispatched it there.
    Returned {
        /// The unit that returned it.
        unit: Unit,
        /// Why the unit says it is not responsible.
        reason: Prose,
        /// The holder's clock.
        dispatch: Term,
        /// The person who had dispatched it.
        dispatcher: PersonId,
        /// The name of that person at that time.
        dispatcher_name: String,
        /// The unit it belongs to, according to the unit that returned it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proposed: Option<Unit>,
    },
    /// It was returned too often: an arbiter decides who handles it.
    Disputed {
        /// The unit that has to decide.
        arbiter: Unit,
        /// The arbiter's clock.
        arbitrate: Term,
    },
    /// The unit reported the work as done.
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
        /// The whistle in full.
        whistle: Whistle,
    },
    /// A step of one summoned department was taken.
    Summoned {
        /// The department whose step it is.
        unit: AreaId,
        /// The person who acted, for the department, the street or the district.
        by: PersonId,
        /// The step, with its facts.
        happened: Happened,
    },
    /// All summoned departments were released.
    WhistleOver {
        /// The grid's clock.
        verify: Term,
    },
    /// A worker claimed the verification on the spot.
    Claimed {
        /// The worker, and until when no one else may claim it.
        claim: Claim,
    },
    /// The worker who claimed the check on the spot gave it back.
    Unclaimed,
    /// The verification on the spot passed.
    VerificationPassed {
        /// The person who verified.
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
    /// The verification on the spot failed.
    VerificationFailed {
        /// The person who verified.
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
        /// The holder's clock to close, when enough attempts were made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        close: Option<Term>,
    },
    /// The resident says it is solved.
    Answered {
        /// The person who recorded it.
        by: PersonId,
        /// The answer that counts.
        answer: Answer,
        /// The holder's clock.
        close: Term,
    },
    /// One of several reporters answered; the result is decided when the deciding reporter answers.
    AnswerNoted {
        /// The person who recorded it.
        by: PersonId,
        /// The report whose reporter answered.
        report: ReportId,
        /// What that reporter said.
        answer: Answer,
    },
    /// The resident says it is not solved, or is dissatisfied where that counts.
    AnsweredInVain {
        /// The person who recorded it.
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
    /// It was reopened.
    Reopened {
        /// The person who reopened it.
        by: PersonId,
        /// Why it has to be handled again.
        reason: Prose,
        /// The holder's clock.
        dispatch: Term,
    },
    /// It is not in the sample of cases that are called back.
    NotSampled {
        /// The holder's clock.
        close: Term,
    },
    /// There was too much rework: an arbiter has to rule.
    RulingAsked {
        /// The unit that has to rule.
        over: Unit,
        /// The clock of that duty.
        rule: Term,
    },
    /// The ruling: it is handled once more.
    RuledAgain {
        /// The person who ruled for the unit.
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
    /// The whistle was withdrawn.
    CalledOff {
        /// The person who withdrew it.
        by: PersonId,
        /// Why it was withdrawn.
        reason: Prose,
        /// The holder's clock.
        dispatch: Term,
    },
    /// The district was asked to coordinate.
    Raised {
        /// The district, the reason and the deadline.
        raised: Box<Raised>,
    },
    /// The district reported what it arranged.
    Coordinated {
        /// The person who said so for the district.
        by: PersonId,
        /// What was arranged, in words.
        note: Prose,
    },
    /// An approval request was opened.
    Asked {
        /// The request, with the signatures it needs.
        ask: Box<ApprovalRequest>,
    },
    /// A signature was given.
    Agreed {
        /// The number of the request.
        no: i64,
        /// The signature: who, when and with what remark.
        given: Given,
        /// The clock of the next one; none after the last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<Term>,
    },
    /// A signature was refused, which ends the request.
    Denied {
        /// The number of the request.
        no: i64,
        /// The refusal: who, when and with what remark.
        given: Given,
    },
    /// A request was withdrawn.
    Withdrawn {
        /// The number of the request.
        no: i64,
    },
    /// More time was given.
    Extended {
        /// The number of the request.
        no: i64,
        /// The clocks as they are now.
        terms: Vec<Moved>,
    },
    /// The case began to stand still.
    Suspended {
        /// The number of the request.
        no: i64,
        /// The period, the unit and the reason.
        standstill: Box<Standstill>,
        /// The clocks as they are now.
        terms: Vec<Moved>,
    },
    /// The standstill ended.
    Resumed {
        /// From when the clocks run again.
        at: Instant,
        /// The reason, when it ended before its time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Prose>,
        /// The clocks as they are now.
        terms: Vec<Moved>,
    },
    /// A breach was excused.
    Exempted {
        /// The number of the request.
        no: i64,
        /// The number of the breach ([`Breach::no`]).
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
        /// The kind of measure.
        what: MeasureKind,
        /// How many measures have been taken.
        taken: u8,
        /// When the next one is to be taken.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next_at: Option<Instant>,
    },
    /// A debt was reported to the level above, which has to answer.
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
    /// Clocks were recomputed by a calendar that was published since.
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
    /// Files were attached to the previous event.
    Attached {
        /// The files, with who named them.
        media: Vec<Attached>,
    },
}

impl JournalEvent for Event {}
