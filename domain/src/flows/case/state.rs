//! The state of a case: what its journal adds up to.

use serde::{Deserialize, Serialize};

use crate::{
    Instant,
    area::tree::Unit,
    calendar::{book::Pause, limit::Limit},
    core::{
        id::{AreaId, CaseId, PersonId, ReportId},
        labelled_enum::labelled_enum,
        text::Prose,
    },
    flows::{
        case::{Answer, Stage, whistle::Call},
        media::Attached,
    },
    people::actor::Role,
    rules::{
        obligation::{Duty, Obligation, Term},
        place::{Place, ReportDetails},
        vocabulary::{Channel, SupervisionKind},
    },
};

/// The file that is worked on.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Case {
    /// The identity of its flow in the journal.
    pub id: CaseId,
    /// Its human-readable number.
    pub number: String,
    /// The details of the matter.
    pub matter: ReportDetails,
    /// The place, with the grid it lies in.
    pub place: Place,
    /// The channel of the first report.
    pub channel: Channel,
    /// When it was filed (立案).
    pub filed_at: Instant,
    /// The unit that decides about it: a community, a street or a district.
    pub holder: Unit,
    /// How far it is.
    pub stage: Stage,
    /// The reports joined to it, and their reporters.
    pub reports: Vec<Reporter>,
    /// Every unit that was ever given the case.
    pub units: Vec<Unit>,
    /// How often things happened to it.
    pub tally: Tally,
    /// The first unit that was given it, or the lead of the first whistle (首接); where the tenant's
    /// rules say so, it must not return what is its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Unit>,
    /// The unit that answers to the citizen for the result: the first receiver, until another unit
    /// signs for the case or for the lead of its whistle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answerable: Option<Unit>,
    /// The open approval requests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asks: Vec<ApprovalRequest>,
    /// The present standstill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standstill: Option<Standstill>,
    /// The supervisions, with their answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub supervisions: Vec<Supervision>,
    /// The files its handlers and verifiers attached; those of its reports are with the reports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<Attached>,
    /// What was late; a breach is never removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub breaches: Vec<Breach>,
    /// The answers of each of several reporters since the last verification.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<ReporterAnswer>,
}

/// A reporter of the case.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reporter {
    /// The report that this person made.
    pub report: ReportId,
    /// The person who made it.
    pub person: PersonId,
    /// Whether it was made in office: the public is called back before staff.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_office: bool,
}

impl Reporter {
    /// The reporter of a report.
    pub fn from_report(report: &crate::flows::report::Report) -> Self {
        let in_office = report.channel == Channel::Worker;
        Self { report: report.id, person: report.reporter, in_office }
    }
}

labelled_enum! {
    /// The kinds of approval requests.
    ApprovalKind {
        /// More time for one clock.
        Extension = "extension", "延期";
        /// A standstill of the clocks.
        Suspension = "suspension", "挂账";
        /// An excuse for a breach.
        Appeal = "appeal", "申诉";
        /// A summons of departments.
        Whistle = "whistle", "吹哨审批";
    }
}

/// The subject of an approval request.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "wish", rename_all = "snake_case")]
pub enum ApprovalSubject {
    /// More time for one duty of the unit; its other clocks run on.
    Extension {
        /// The duty; by default the work itself ([`Case::work_duty`]).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        duty: Option<Duty>,
        /// How much more time.
        limit: Limit,
    },
    /// A standstill of the clocks, for a season or for a missing condition.
    Suspension {
        /// Until when at the latest.
        until: Instant,
    },
    /// An excuse for a breach; the breach stays on record.
    Appeal {
        /// The number of the breach.
        breach: i64,
    },
    /// A summons of departments.
    Whistle {
        /// Rank, topic and departments, as the street names them.
        call: Box<Call>,
    },
}

impl ApprovalSubject {
    /// The kind of request, without its arguments.
    pub const fn kind(&self) -> ApprovalKind {
        match self {
            Self::Extension { .. } => ApprovalKind::Extension,
            Self::Suspension { .. } => ApprovalKind::Suspension,
            Self::Appeal { .. } => ApprovalKind::Appeal,
            Self::Whistle { .. } => ApprovalKind::Whistle,
        }
    }

    /// Whether two requests cannot be open at once: those for one clock, one breach or one rank of
    /// whistle. Another rank is another request, so that a whistle that needs no signature never
    /// waits for one that does.
    pub(crate) fn conflicts_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Appeal { breach }, Self::Appeal { breach: other }) => breach == other,
            (Self::Extension { duty, .. }, Self::Extension { duty: other, .. }) => duty == other,
            (Self::Whistle { call }, Self::Whistle { call: other }) => call.rank == other.rank,
            _ => self.kind() == other.kind(),
        }
    }
}

/// An open approval request.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ApprovalRequest {
    /// Its number: the place in the journal where it was opened.
    pub no: i64,
    /// What is asked for.
    pub wish: ApprovalSubject,
    /// The unit it is for.
    pub unit: Unit,
    /// The person who asked for that unit.
    pub by: PersonId,
    /// The name of that person.
    pub by_name: String,
    /// The reasons, for those who sign.
    pub reason: Prose,
    /// When it was opened.
    pub at: Instant,
    /// The signatures it needs, in order.
    pub signatures: Vec<Signature>,
}

/// A signature that was given or refused.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Given {
    /// The person who signed.
    pub by: PersonId,
    /// The name of that person at that time.
    pub by_name: String,
    /// When it was given or refused.
    pub at: Instant,
    /// A remark of the signer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Prose>,
}

impl ApprovalRequest {
    /// The most requests that are open at once on one case.
    pub const MOST: usize = 20;

    /// The next signature that is needed.
    pub fn next_signature(&self) -> Option<&Signature> {
        self.signatures.iter().find(|signature| signature.given.is_none())
    }

    /// The obligation to give that signature.
    pub(super) fn obligation(&self) -> Option<Obligation> {
        let next = self.next_signature()?;
        let term = next.term.clone()?;
        Some(Obligation { duty: Duty::Decide, owed_by: next.over.clone(), term })
    }

    /// Adds a signature; the clock of the next one starts.
    pub(super) fn add_signature(&mut self, given: &Given, next: Option<&Term>) {
        let mut open = self.signatures.iter_mut().filter(|signature| signature.given.is_none());
        if let Some(signature) = open.next() {
            signature.given = Some(given.clone());
        }
        if let Some(signature) = open.next() {
            signature.term = next.cloned();
        }
    }
}

/// A standstill of a case.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Standstill {
    /// From when until when.
    pub pause: Pause,
    /// The unit that asked for it.
    pub unit: Unit,
    /// The reasons of the unit.
    pub reason: Prose,
    /// The clock at whose end the case goes on.
    pub term: Term,
}

impl Standstill {
    pub(super) fn obligation(&self, holder: &Unit) -> Obligation {
        Obligation { duty: Duty::Resume, owed_by: holder.clone(), term: self.term.clone() }
    }
}

/// A clock that was moved: its duty, its debtor and its new state.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Moved {
    /// The duty of the clock.
    pub duty: Duty,
    /// The unit that owes it.
    pub unit: AreaId,
    /// The clock as it is now.
    pub term: Term,
}

labelled_enum! {
    /// The cause of a supervision.
    Trigger {
        /// Something is late.
        Overdue = "overdue", "超期";
        /// The same matter came up again.
        Repeated = "repeated", "重复发生";
        /// The resident is not satisfied.
        Unsatisfied = "unsatisfied", "不满意";
        /// A superior ordered it.
        Order = "order", "领导交办";
    }
}

/// A demand from above that the case be done (督办).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Supervision {
    /// Its number: the place in the journal where it began.
    pub no: i64,
    /// The degree: urged, supervised or listed.
    pub kind: SupervisionKind,
    /// What gave rise to it.
    pub trigger: Trigger,
    /// The unit that has to answer.
    pub addressee: Unit,
    /// The person who began it.
    pub by: PersonId,
    /// The name of that person at that time.
    pub by_name: String,
    /// The reasons; none where the rules caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Prose>,
    /// When it began.
    pub at: Instant,
    /// The clock of the answer; none where no answer is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<Term>,
    /// The answer, once it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Reply>,
}

/// The answer to a supervision.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reply {
    /// The person who answered for the unit.
    pub by: PersonId,
    /// The name of that person at that time.
    pub by_name: String,
    /// When it was answered.
    pub at: Instant,
    /// The text of the answer.
    pub text: Prose,
}

/// A debt that was late. The fact stays whatever is decided about it (H.3.6).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Breach {
    /// Its number, counted from one.
    pub no: i64,
    /// The duty that was late.
    pub duty: Duty,
    /// The unit that owed it.
    pub unit: Unit,
    /// The number of its clock.
    pub term: i64,
    /// When it was due.
    pub due_at: Instant,
    /// Whether it was appealed against, with whatever result.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub appealed: bool,
    /// When it was excused; the breach and the excuse are both reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exempted_at: Option<Instant>,
}

impl Supervision {
    /// The most supervisions of one case.
    pub const MOST: usize = 50;

    /// Whether an answer is still owed.
    pub fn waits_for_reply(&self) -> bool {
        self.term.is_some() && self.reply.is_none()
    }

    /// The obligation to answer.
    pub(super) fn obligation(&self) -> Option<Obligation> {
        let term = self.term.clone().filter(|_| self.reply.is_none())?;
        Some(Obligation { duty: Duty::AnswerSupervision, owed_by: self.addressee.clone(), term })
    }
}

/// The answer of one of several reporters.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReporterAnswer {
    /// The report of that reporter.
    pub report: ReportId,
    /// The answer of that reporter.
    pub answer: Answer,
}

/// Counters of a case.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Returns by a unit (退单).
    pub returns: u32,
    /// Rework demanded by a verifier or a resident (返工).
    pub reworks: u32,
    /// Reopenings after closing.
    pub reopenings: u32,
    /// Times departments were summoned (吹哨).
    pub whistles: u32,
    /// Callbacks that reached no one, in this round.
    pub missed_callbacks: u32,
    /// Extensions that were granted.
    #[serde(default)]
    pub extensions: u32,
    /// How often it stood still.
    #[serde(default)]
    pub suspensions: u32,
}

/// One signature that a request needs.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Signature {
    /// The unit that owes it.
    pub over: Unit,
    /// Only these roles, where the rules say so; otherwise everyone who may decide requests there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<Role>,
    /// The clock, once it is the next signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<Term>,
    /// The signature, once given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<Given>,
}
