//! Visits (入户走访): to a household, for a purpose, at any hour. No position is required, because no
//! satellite knows the floor. Needs that are found become reports in the same step.

mod decide;
mod disclosure;
mod event;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Instant,
    area::tree::Unit,
    core::{
        id::{CampaignId, FormId, HouseholdId, PersonId, ReportId, VisitId},
        journal::{FlowKind, Hash},
        labelled_enum::labelled_enum,
        text::Prose,
    },
    flows::{
        flow::{Context, Flow},
        lifecycle::{CommandKind, Lifecycle, MoveTable, refuse_unasked},
    },
    people::actor::{Actor, Permission},
    rules::{
        burden::Counts,
        obligation::{Duty, Obligation, Term},
        refusal::Refusal,
    },
};
pub use event::{Command, Correction, Event, Plan, Record};

labelled_enum! {
    /// The purpose of a visit: the four of 四到户 (AD17), collecting opinions (HS13), and checks from
    /// door to door (AS6).
    Purpose {
        /// To explain policies at the door (宣传到户).
        Publicity = "publicity", "宣传到户";
        /// To bring help to the door (扶助到户).
        Assistance = "assistance", "扶助到户";
        /// To assist and counsel at the door (帮教到户).
        Guidance = "guidance", "帮教到户";
        /// To guide civil conduct at the door (文明指导到户).
        Civility = "civility", "文明指导到户";
        /// To hear what people think (收集意见).
        Opinions = "opinions", "收集意见";
        /// To check from door to door (逐户排查).
        Check = "check", "逐户排查";
    }
}

labelled_enum! {
    /// The result of a visit.
    Outcome {
        /// The worker met the household.
        Met = "met", "已入户";
        /// No one was at home.
        NobodyHome = "nobody_home", "家中无人";
        /// The household declined the visit.
        Refused = "refused", "拒访";
        /// The household no longer lives there.
        MovedAway = "moved_away", "已搬离";
    }
}

labelled_enum! {
    /// The status of a visit.
    StatusName {
        /// A worker is to go.
        Planned = "planned", "待走访";
        /// A worker went.
        Done = "done", "已走访";
        /// It will not take place.
        Cancelled = "cancelled", "已取消";
    }
}

labelled_enum! {
    /// The commands for a visit that exists.
    Verb {
        /// Records the result.
        Record = "record", "记录走访";
        /// Cancels the visit.
        Cancel = "cancel", "取消";
        /// Corrects the record.
        Correct = "correct", "更正";
    }
}

/// Where each verb leads from each state; what is not listed is refused. Only the visit of a
/// campaign, where a household stands on the list once, is recorded again.
pub const MOVES: &[(StatusName, Verb, StatusName)] = &[
    (StatusName::Planned, Verb::Record, StatusName::Done),
    (StatusName::Planned, Verb::Cancel, StatusName::Cancelled),
    (StatusName::Done, Verb::Record, StatusName::Done),
    (StatusName::Done, Verb::Correct, StatusName::Done),
];

/// A visit to one household (走访).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Visit {
    /// Its identity; that of a campaign's visit is derived from the campaign and the household.
    pub id: VisitId,
    /// Its human-readable number.
    pub number: String,
    /// The household to visit.
    pub household: HouseholdId,
    /// The campaign it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<CampaignId>,
    /// The grid the household lies in.
    pub area: Unit,
    /// The worker who goes, or went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<PersonId>,
    /// The purposes, each once.
    pub purposes: Vec<Purpose>,
    /// When it was planned, or recorded without a plan.
    pub made_at: Instant,
    /// Its status at present.
    pub status: Status,
}

/// The status of a visit.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Status {
    /// See [`StatusName::Planned`].
    Planned {
        /// The deadline, where the plan has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due: Option<Term>,
    },
    /// See [`StatusName::Done`].
    Done {
        /// The record of the visit.
        done: Box<Done>,
    },
    /// See [`StatusName::Cancelled`].
    Cancelled {
        /// The reasons, in words.
        reason: Prose,
    },
}

/// The record of a visit.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Done {
    /// How it went.
    pub outcome: Outcome,
    /// The opinions that were heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opinions: Option<Prose>,
    /// When the worker was there, by the phone's clock where it was given, corrected by its known
    /// error.
    pub visited_at: Instant,
    /// When the record reached the server.
    pub recorded_at: Instant,
    /// Whether the phone's clock was ahead of the server's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub clock_ahead: bool,
    /// Whether it was recorded on a later day (补录): allowed, and marked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub late_entry: bool,
    /// The worker who went.
    pub by: PersonId,
    /// The name of that worker.
    pub by_name: String,
    /// The form that was filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<Filled>,
    /// The reports made of the needs that were found, over all times the worker went.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<ReportId>,
    /// How many times a worker went.
    pub goes: u16,
}

/// A form that was filled in on a visit; the answers are sealed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Filled {
    /// The form that was filled in.
    pub form: FormId,
    /// The edition of the form.
    pub edition: i64,
    /// The identity under which the answers are sealed.
    pub answers: Uuid,
    /// How much work it took.
    pub counts: Counts,
}

impl Status {
    /// The name of the status.
    pub const fn name(&self) -> StatusName {
        match self {
            Self::Planned { .. } => StatusName::Planned,
            Self::Done { .. } => StatusName::Done,
            Self::Cancelled { .. } => StatusName::Cancelled,
        }
    }

    /// The record, when a worker went.
    pub fn completion(&self) -> Option<&Done> {
        match self {
            Self::Done { done } => Some(done),
            Self::Planned { .. } | Self::Cancelled { .. } => None,
        }
    }
}

impl Visit {
    /// The most purposes of one visit.
    pub const MAX_PURPOSES: usize = Purpose::ALL.len();
    /// The most needs that become reports at once.
    pub const MAX_NEEDS: usize = 10;
    /// The most reports of one visit, however often a worker goes.
    pub const MAX_REPORTS: usize = 50;

    /// The identity of the visit to a household in a campaign; there is one.
    pub fn id_of(campaign: CampaignId, household: HouseholdId) -> VisitId {
        VisitId(Hash::digest(format!("visit\n{campaign}\n{household}").as_bytes()).to_uuid())
    }

    /// Whether this actor may know of it: over its grid, or as the worker.
    pub fn visible_to(&self, actor: &Actor, at: Instant) -> bool {
        actor.may(Permission::ReadHouseholds, &self.area.path, at)
            || (self.worker == Some(actor.person)
                && actor.grants.iter().any(|g| g.holds_at(at) && !g.role.is_outsider()))
    }
}

impl Lifecycle for Visit {
    const NAME: &'static str = Self::KIND.name();
    type Stage = StatusName;
    type Verb = Verb;
    type To = StatusName;
    type Command = Command;
    const MOVES: MoveTable<StatusName, Verb> = MoveTable::of(MOVES);
    const BEGINNINGS: &'static [&'static str] = &["plan", "record"];

    fn stage(&self) -> StatusName {
        self.status.name()
    }

    fn classify_command(command: &Command) -> CommandKind<Verb> {
        match command {
            Command::Plan(_) => CommandKind::Begins("plan"),
            Command::Record(_) => CommandKind::BeginsOrMoves(Verb::Record),
            Command::Correct(_) => CommandKind::Moves(Verb::Correct),
            Command::Cancel { .. } => CommandKind::Moves(Verb::Cancel),
        }
    }

    fn admits_verb(&self, verb: Verb) -> bool {
        let again = self.stage() == StatusName::Done && verb == Verb::Record;
        !Self::MOVES.targets(self.stage(), verb).is_empty() && (!again || self.campaign.is_some())
    }
}

impl Flow for Visit {
    const KIND: FlowKind = FlowKind::Visit;
    const NAMES: (&'static str, &'static str) = ("这次走访", "visit");
    const OTHER_LABELS: &'static [(&'static str, &'static str)] = &[("plan", "计划走访")];
    type Event = Event;

    fn decide_beginning(command: &Command, cx: &Context<'_>) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::Plan(plan) => decide::plan_visit(plan, cx),
            Command::Record(record) => decide::record_unplanned(record, cx),
            Command::Correct(_) | Command::Cancel { .. } => Err(refuse_unasked::<Self>(command)),
        }
    }

    fn decide_next(&self, command: &Command, cx: &Context<'_>) -> Result<Vec<Event>, Refusal> {
        decide::decide_existing(self, command, cx)
    }

    fn evolve(state: Option<Self>, event: &Event) -> Option<Self> {
        event::evolve(state, event)
    }

    fn obligations(&self) -> Vec<Obligation> {
        let Status::Planned { due: Some(term) } = &self.status else { return Vec::new() };
        let (owed_by, term) = (self.area.clone(), term.clone());
        vec![Obligation { duty: Duty::Visit, owed_by, term }]
    }

    fn fulfils(event: &Event, _: &Obligation) -> bool {
        matches!(event, Event::Recorded { .. })
    }

    fn id(&self) -> Uuid {
        self.id.0
    }
}
