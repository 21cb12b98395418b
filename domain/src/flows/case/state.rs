//! The state of a case: what its journal amounts to.

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
    /// Its human number.
    pub number: String,
    /// What it is about.
    pub matter: ReportDetails,
    /// The place, with the grid it lies in.
    pub place: Place,
    /// By which way it first came.
    pub channel: Channel,
    /// When it was filed (立案).
    pub filed_at: Instant,
    /// The unit that has to decide about it: a community, a street or a district.
    pub holder: Unit,
    /// How far it is.
    pub stage: Stage,
    /// The reports it answers, and their reporters.
    pub reports: Vec<Reporter>,
    /// Every unit that was ever given the case.
    pub units: Vec<Unit>,
    /// What happened how often.
    pub tally: Tally,
    /// The unit that was given it first, or led the first whistle (首接); where the tenant's rules
    /// say so, it must not shift what is its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Unit>,
    /// The unit that answers the citizen for what comes of it: the first one, until another one
    /// signed for the case or for the lead of its whistle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answerable: Option<Unit>,
    /// What was asked of those above and is not decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asks: Vec<ApprovalRequest>,
    /// Why and how long it stands still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standstill: Option<Standstill>,
    /// Who wanted it done, and the answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub supervisions: Vec<Supervision>,
    /// The files its handlers and verifiers named; those of its reports are with the reports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<Attached>,
    /// What was late; it stays a fact.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub breaches: Vec<Breach>,
    /// What each of several reporters answered since it was verified last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<ReporterAnswer>,
}

/// Who reported it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reporter {
    /// The report that names this person.
    pub report: ReportId,
    /// The person who made it.
    pub person: PersonId,
    /// Whether it was made in office: the voice of the public comes before it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_office: bool,
}

impl Reporter {
    /// Who made a report.
    pub fn from_report(report: &crate::flows::report::Report) -> Self {
        let in_office = report.channel == Channel::Worker;
        Self { report: report.id, person: report.reporter, in_office }
    }
}

labelled_enum! {
    /// What can be asked of those above.
    ApprovalKind {
        /// More time for one clock.
        Extension = "extension", "延期";
        /// That the clocks stand still.
        Suspension = "suspension", "挂账";
        /// That an overdue fact be excused.
        Appeal = "appeal", "申诉";
        /// That departments be summoned.
        Whistle = "whistle", "吹哨审批";
    }
}

/// What is asked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "wish", rename_all = "snake_case")]
pub enum ApprovalSubject {
    /// More time for one thing the unit owes; its other clocks run on.
    Extension {
        /// What it owes; when it is not said, the work itself ([`Case::work_duty`]).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        duty: Option<Duty>,
        /// How much more time.
        limit: Limit,
    },
    /// That the clocks stand still, for a season or for missing conditions.
    Suspension {
        /// Until when at the latest.
        until: Instant,
    },
    /// That an overdue fact be excused; the fact stays.
    Appeal {
        /// Which, by its number.
        breach: i64,
    },
    /// That departments be summoned.
    Whistle {
        /// Rank, topic and departments, as the street asks.
        call: Box<Call>,
    },
}

impl ApprovalSubject {
    /// The kind of wish, without its bounds.
    pub const fn kind(&self) -> ApprovalKind {
        match self {
            Self::Extension { .. } => ApprovalKind::Extension,
            Self::Suspension { .. } => ApprovalKind::Suspension,
            Self::Appeal { .. } => ApprovalKind::Appeal,
            Self::Whistle { .. } => ApprovalKind::Whistle,
        }
    }

    /// Whether both cannot wait at once: of one clock, one fact or one rank of whistle. Another
    /// rank is another wish, so that what needs no signature never waits for what does.
    pub(crate) fn conflicts_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Appeal { breach }, Self::Appeal { breach: other }) => breach == other,
            (Self::Extension { duty, .. }, Self::Extension { duty: other, .. }) => duty == other,
            (Self::Whistle { call }, Self::Whistle { call: other }) => call.rank == other.rank,
            _ => self.kind() == other.kind(),
        }
    }
}

/// Something asked that is not decided.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ApprovalRequest {
    /// The place in the journal it was asked at: its number.
    pub no: i64,
    /// What is asked for.
    pub wish: ApprovalSubject,
    /// For which unit.
    pub unit: Unit,
    /// The person who asked for that unit.
    pub by: PersonId,
    /// The name of who asked.
    pub by_name: String,
    /// The reasons, for those who sign.
    pub reason: Prose,
    /// When it was asked.
    pub at: Instant,
    /// The signatures it needs, in order.
    pub signatures: Vec<Signature>,
}

/// A signature that was given or refused.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Given {
    /// The person who signed.
    pub by: PersonId,
    /// The name of that person then.
    pub by_name: String,
    /// When it was signed.
    pub at: Instant,
    /// A remark of the signer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Prose>,
}

impl ApprovalRequest {
    /// The most that wait at once on one case.
    pub const MOST: usize = 20;

    /// The signature whose turn it is.
    pub fn next_signature(&self) -> Option<&Signature> {
        self.signatures.iter().find(|signature| signature.given.is_none())
    }

    /// What is owed because of it.
    pub(super) fn obligation(&self) -> Option<Obligation> {
        let next = self.next_signature()?;
        let term = next.term.clone()?;
        Some(Obligation { duty: Duty::Decide, owed_by: next.over.clone(), term })
    }

    /// Takes a signature; the next one's clock starts.
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

/// A case that stands still.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Standstill {
    /// From when until when.
    pub pause: Pause,
    /// Which unit asked for it.
    pub unit: Unit,
    /// The reasons of the unit.
    pub reason: Prose,
    /// The clock at whose end it goes on.
    pub term: Term,
}

impl Standstill {
    pub(super) fn obligation(&self, holder: &Unit) -> Obligation {
        Obligation { duty: Duty::Resume, owed_by: holder.clone(), term: self.term.clone() }
    }
}

/// A clock that was moved: whose it is and how it stands now.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Moved {
    /// What is owed.
    pub duty: Duty,
    /// The unit that owes it.
    pub unit: AreaId,
    /// The clock as it is now.
    pub term: Term,
}

labelled_enum! {
    /// What gives rise to a supervision.
    Trigger {
        /// Something is late.
        Overdue = "overdue", "超期";
        /// The same came up again.
        Repeated = "repeated", "重复发生";
        /// The resident is not satisfied.
        Unsatisfied = "unsatisfied", "不满意";
        /// A leader wants it.
        Order = "order", "领导交办";
    }
}

/// A demand from above that the case be done (督办).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Supervision {
    /// The place in the journal it began at: its number.
    pub no: i64,
    /// Urged, supervised or listed.
    pub kind: SupervisionKind,
    /// What gave rise to it.
    pub trigger: Trigger,
    /// Who has to answer.
    pub addressee: Unit,
    /// Who began it.
    pub by: PersonId,
    /// The name of that person then.
    pub by_name: String,
    /// The reasons, in words; none where the rules wanted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Prose>,
    /// When it began.
    pub at: Instant,
    /// The clock of the answer; none where none is asked for.
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
    /// The name of that person then.
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
    /// What was owed.
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
    /// Excused since; the fact and the excuse are both reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exempted_at: Option<Instant>,
}

impl Supervision {
    /// The most of one case.
    pub const MOST: usize = 50;

    /// Whether an answer is still asked for.
    pub fn waits_for_reply(&self) -> bool {
        self.term.is_some() && self.reply.is_none()
    }

    /// What is owed because of it.
    pub(super) fn obligation(&self) -> Option<Obligation> {
        let term = self.term.clone().filter(|_| self.reply.is_none())?;
        Some(Obligation { duty: Duty::AnswerSupervision, owed_by: self.addressee.clone(), term })
    }
}

/// What one of several reporters answered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReporterAnswer {
    /// Whose: the report.
    pub report: ReportId,
    /// What that reporter said.
    pub answer: Answer,
}

/// What happened how often.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Returned by a unit (退单).
    pub returns: u32,
    /// Sent back by a verifier or a resident (返工).
    pub reworks: u32,
    /// Reopened after closing.
    pub reopenings: u32,
    /// Times departments were summoned (吹哨).
    pub whistles: u32,
    /// Callbacks that reached no one, in this round.
    pub missed_callbacks: u32,
    /// Times more time was given.
    #[serde(default)]
    pub extensions: u32,
    /// Times it stood still.
    #[serde(default)]
    pub suspensions: u32,
}

/// One signature of those that a question needs.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Signature {
    /// Who owes it.
    pub over: Unit,
    /// Only these roles, where the rules say so; otherwise everyone who may decide requests there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<Role>,
    /// The clock, once it is its turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<Term>,
    /// Who gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<Given>,
}
