//! Cases (案卷): a matter that was filed and must be brought to an end.
//!
//! A case never moves by itself: deadlines only make it late, a person moves it. What is
//! possible when stands in [`lifecycle`]; what a command does stands in `decide`, what an event
//! does to the state in `evolve`; this file holds the state and what is owed. Beside the stage
//! stand small machines of their own: what is [asked](ask) of those above, a
//! [standstill], [supervision] and breaches.

pub mod ask;
mod decide;
mod event;
mod evolve;
pub mod lifecycle;
pub mod standstill;
pub mod supervision;
pub mod whistle;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Instant,
    actor::{Actor, Permission},
    area::Unit,
    claim::Claim,
    flow::{Context, Flow},
    id::{CaseId, PersonId, ReportId},
    journal::FlowKind,
    named::named,
    obligation::{Duty, Obligation, Term},
    place::{Matter, Place},
    refusal::Refusal,
    report::Channel,
    text::Prose,
};
use ask::Ask;
pub use event::{Callback, Command, Event, Opening};
use lifecycle::{StageName, Verb};
use standstill::Standstill;
use supervision::{Breach, Supervision};
use whistle::Whistle;

/// The file that is worked on.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Case {
    /// Its identity.
    pub id: CaseId,
    /// Its human number.
    pub number: String,
    /// What it is about.
    pub matter: Matter,
    /// Where.
    pub place: Place,
    /// By which way it first came.
    pub channel: Channel,
    /// When it was filed (立案).
    pub filed_at: Instant,
    /// Whoever has to decide about it: a community, a street or a district.
    pub holder: Unit,
    /// How far it is.
    pub stage: Stage,
    /// The reports it answers, and their reporters.
    pub reports: Vec<Reporter>,
    /// Every unit that was ever given the case.
    pub units: Vec<Unit>,
    /// What happened how often.
    pub tally: Tally,
    /// The unit that was given it first, or led the first whistle (首接): it may not shift it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Unit>,
    /// The unit that answers the citizen for what comes of it: the first one, until another one
    /// signed for the case or for the lead of its whistle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answerable: Option<Unit>,
    /// What was asked of those above and is not decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asks: Vec<Ask>,
    /// Why and how long it stands still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standstill: Option<Standstill>,
    /// Who wanted it done, and the answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub supervisions: Vec<Supervision>,
    /// What was late; it stays a fact.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub breaches: Vec<Breach>,
}

/// Who reported it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reporter {
    /// The report.
    pub report: ReportId,
    /// The person.
    pub person: PersonId,
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
    /// Whistles blown.
    pub whistles: u32,
    /// Callbacks that reached nobody, in this round.
    pub missed_callbacks: u32,
    /// Times more time was given.
    #[serde(default)]
    pub extensions: u32,
    /// Times it stood still.
    #[serde(default)]
    pub suspensions: u32,
}

/// How far a case is, with what exists only then.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Stage {
    /// See [`StageName::Filed`].
    Filed {
        /// The holder's clock to dispatch.
        dispatch: Term,
    },
    /// See [`StageName::Disputed`].
    Disputed {
        /// Who decides.
        arbiter: Unit,
        /// The arbiter's clock.
        arbitrate: Term,
    },
    /// See [`StageName::Dispatched`].
    Dispatched {
        /// To whom.
        assignment: Assignment,
        /// The unit's clock to sign; handling runs as well.
        sign: Term,
    },
    /// See [`StageName::Signed`].
    Signed {
        /// To whom.
        assignment: Assignment,
    },
    /// See [`StageName::Handling`].
    Handling {
        /// By whom.
        assignment: Assignment,
    },
    /// See [`StageName::Whistled`].
    Whistled {
        /// Who is summoned.
        whistle: Whistle,
    },
    /// See [`StageName::FedBack`].
    FedBack {
        /// Who did it.
        work: Work,
        /// The grid's clock to verify.
        verify: Term,
        /// Who went to look.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        claim: Option<Claim>,
    },
    /// See [`StageName::Verified`].
    Verified {
        /// Who did it.
        work: Work,
        /// The holder's clock to call back.
        call_back: Term,
    },
    /// See [`StageName::CalledBack`].
    CalledBack {
        /// Who did it.
        work: Work,
        /// What the resident said; none when nobody was reached.
        answer: Option<Answer>,
        /// The holder's clock to close.
        close: Term,
    },
    /// See [`StageName::Ruling`].
    Ruling {
        /// Who did it, so far in vain.
        work: Work,
        /// Who decides.
        over: Unit,
        /// The clock of that.
        rule: Term,
    },
    /// See [`StageName::Closed`].
    Closed {
        /// Who did it.
        work: Work,
        /// How it ended.
        closing: Closing,
    },
}

/// A unit that was given the case.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Assignment {
    /// Which.
    pub unit: Unit,
    /// Its clock, from dispatch.
    pub handle: Term,
    /// Who dispatched it there: whether that was right is a fact about the dispatcher.
    pub by: PersonId,
    /// The name of who.
    pub by_name: String,
    /// Whether an arbiter said so: it cannot be given back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub appointed: bool,
    /// Who acted for it.
    pub people: Vec<PersonId>,
    /// What it says it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Prose>,
}

/// The work that was done, by whichever way.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Work {
    /// By one unit.
    Unit {
        /// Which, and what it did.
        assignment: Assignment,
    },
    /// By departments together.
    Whistle {
        /// Which, and what they did.
        whistle: Whistle,
    },
    /// By the reporter, on the spot (自行处置).
    OnTheSpot {
        /// Who.
        person: PersonId,
        /// What was done.
        result: Prose,
    },
}

named! {
    /// How satisfied the resident is; another question than whether it is solved.
    Satisfaction {
        /// 满意.
        Satisfied = "satisfied", "满意";
        /// 基本满意.
        FairlySatisfied = "fairly_satisfied", "基本满意";
        /// 不满意.
        Dissatisfied = "dissatisfied", "不满意";
    }
}

/// What the resident said.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// Whether it is solved.
    pub solved: bool,
    /// How satisfied.
    pub satisfied: Satisfaction,
    /// In words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<Prose>,
}

named! {
    /// How a case ended.
    Outcome {
        /// The resident says it is solved.
        Solved = "solved", "已解决";
        /// Verified on the spot; nobody could be reached for an answer.
        Unanswered = "unanswered", "核查通过、回访未接通";
        /// Verified on the spot; not among the cases that are called back.
        Verified = "verified", "核查通过、未抽中回访";
        /// Handled again too often, and ruled to be over.
        Ruled = "ruled", "终审结案";
        /// Handled by the reporter on the spot.
        SelfHandled = "self_handled", "自行处置";
    }
}

/// The end of a case.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Closing {
    /// How.
    pub outcome: Outcome,
    /// When.
    pub at: Instant,
    /// Until when it can be reopened.
    pub reopen_until: Instant,
    /// What the resident said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
}

impl Stage {
    /// Its name.
    pub const fn name(&self) -> StageName {
        match self {
            Self::Filed { .. } => StageName::Filed,
            Self::Disputed { .. } => StageName::Disputed,
            Self::Dispatched { .. } => StageName::Dispatched,
            Self::Signed { .. } => StageName::Signed,
            Self::Handling { .. } => StageName::Handling,
            Self::Whistled { .. } => StageName::Whistled,
            Self::FedBack { .. } => StageName::FedBack,
            Self::Verified { .. } => StageName::Verified,
            Self::CalledBack { .. } => StageName::CalledBack,
            Self::Ruling { .. } => StageName::Ruling,
            Self::Closed { .. } => StageName::Closed,
        }
    }

    /// The unit the case is dispatched to, while it has it and afterwards.
    pub const fn assignment(&self) -> Option<&Assignment> {
        match self {
            Self::Dispatched { assignment, .. }
            | Self::Signed { assignment }
            | Self::Handling { assignment }
            | Self::FedBack { work: Work::Unit { assignment }, .. }
            | Self::Verified { work: Work::Unit { assignment }, .. }
            | Self::CalledBack { work: Work::Unit { assignment }, .. }
            | Self::Ruling { work: Work::Unit { assignment }, .. }
            | Self::Closed { work: Work::Unit { assignment }, .. } => Some(assignment),
            Self::Filed { .. }
            | Self::Disputed { .. }
            | Self::Whistled { .. }
            | Self::FedBack { .. }
            | Self::Verified { .. }
            | Self::CalledBack { .. }
            | Self::Ruling { .. }
            | Self::Closed { .. } => None,
        }
    }

    /// The whistle of this round, while it is on and afterwards.
    pub const fn whistle(&self) -> Option<&Whistle> {
        match self {
            Self::Whistled { whistle }
            | Self::FedBack { work: Work::Whistle { whistle }, .. }
            | Self::Verified { work: Work::Whistle { whistle }, .. }
            | Self::CalledBack { work: Work::Whistle { whistle }, .. }
            | Self::Ruling { work: Work::Whistle { whistle }, .. }
            | Self::Closed { work: Work::Whistle { whistle }, .. } => Some(whistle),
            Self::Filed { .. }
            | Self::Disputed { .. }
            | Self::Dispatched { .. }
            | Self::Signed { .. }
            | Self::Handling { .. }
            | Self::FedBack { .. }
            | Self::Verified { .. }
            | Self::CalledBack { .. }
            | Self::Ruling { .. }
            | Self::Closed { .. } => None,
        }
    }

    /// Who went to look.
    pub const fn claim(&self) -> Option<&Claim> {
        if let Self::FedBack { claim, .. } = self { claim.as_ref() } else { None }
    }

    /// The work done, once it is done.
    pub const fn work(&self) -> Option<&Work> {
        match self {
            Self::FedBack { work, .. }
            | Self::Verified { work, .. }
            | Self::CalledBack { work, .. }
            | Self::Ruling { work, .. }
            | Self::Closed { work, .. } => Some(work),
            Self::Filed { .. }
            | Self::Disputed { .. }
            | Self::Dispatched { .. }
            | Self::Signed { .. }
            | Self::Handling { .. }
            | Self::Whistled { .. } => None,
        }
    }
}

impl Work {
    /// Everybody who handled; none of them verifies.
    pub fn people(&self) -> Vec<PersonId> {
        match self {
            Self::Unit { assignment } => assignment.people.clone(),
            Self::Whistle { whistle } => {
                whistle.summonses.iter().flat_map(|summons| summons.people.clone()).collect()
            }
            Self::OnTheSpot { person, .. } => vec![*person],
        }
    }
}

impl Case {
    /// The most reports one case answers.
    pub const MAX_REPORTS: usize = 500;

    /// The entries in a case's journal up to which remarks are taken: the record stays one that
    /// can be read and checked as a whole.
    pub const MAX_ENTRIES: i64 = 2000;

    /// Whether this actor may know that the case exists: over its place, over a unit that was
    /// given it, or as one of its reporters.
    pub fn visible_to(&self, actor: &Actor, at: Instant) -> bool {
        actor.may(Permission::ReadCases, &self.place.area.path, at)
            || self.units.iter().any(|unit| actor.may(Permission::ReadCases, &unit.path, at))
            || self.reports.iter().any(|reporter| reporter.person == actor.person)
    }

    /// The commands possible now, by name; which of them an actor may give is another question.
    pub fn possible(&self) -> Vec<&'static str> {
        let verbs = lifecycle::possible(self.stage.name()).into_iter();
        verbs.filter(|verb| self.has_what_it_needs(*verb)).map(Verb::name).collect()
    }

    /// Whether there is something to resume, decide, answer, appeal against or take out.
    fn has_what_it_needs(&self, verb: Verb) -> bool {
        match verb {
            Verb::Resume => self.standstill.is_some(),
            Verb::Decide | Verb::Withdraw => !self.asks.is_empty(),
            Verb::Reply => self.supervisions.iter().any(|one| one.obligation().is_some()),
            Verb::Appeal => self.breaches.iter().any(|breach| !breach.appealed),
            Verb::Unjoin => self.reports.len() > 1,
            Verb::Coordinate => self.stage.whistle().is_some_and(Whistle::waits_for_district),
            Verb::Raise => self.stage.whistle().is_some_and(|whistle| whistle.raised.is_none()),
            Verb::Escalate
            | Verb::Dispatch
            | Verb::Whistle
            | Verb::Sign
            | Verb::Start
            | Verb::Return
            | Verb::FeedBack
            | Verb::Summons
            | Verb::Claim
            | Verb::Verify
            | Verb::CallBack
            | Verb::Close
            | Verb::Reopen
            | Verb::Join
            | Verb::Arbitrate
            | Verb::Rule
            | Verb::CallOff
            | Verb::Extend
            | Verb::Suspend
            | Verb::Supervise
            | Verb::Comment => true,
        }
    }

    /// The most overdue facts one case keeps.
    pub const MOST_BREACHES: usize = 99;

    /// When it ended, if it has.
    pub const fn closed_at(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Closed { closing, .. } => Some(closing.at),
            Stage::Filed { .. }
            | Stage::Disputed { .. }
            | Stage::Dispatched { .. }
            | Stage::Signed { .. }
            | Stage::Handling { .. }
            | Stage::Whistled { .. }
            | Stage::FedBack { .. }
            | Stage::Verified { .. }
            | Stage::CalledBack { .. }
            | Stage::Ruling { .. } => None,
        }
    }

    /// What is owed of the work itself: the clocks that can be extended and stopped.
    pub fn work_owed(&self) -> Vec<Obligation> {
        self.stage_owed().into_iter().filter(|owed| owed.duty.work()).collect()
    }

    /// What is owed because of the stage alone.
    fn stage_owed(&self) -> Vec<Obligation> {
        let owe = |duty, owed_by: &Unit, term: &Term| Obligation {
            duty,
            owed_by: owed_by.clone(),
            term: term.clone(),
        };
        let mut owed = self.stage.whistle().map(Whistle::obligations).unwrap_or_default();
        if !matches!(self.stage, Stage::Whistled { .. }) {
            // When the whistle is over, only the street's opinion is still owed.
            owed.retain(|owed| owed.duty == Duty::Rate);
        }
        match &self.stage {
            Stage::Filed { dispatch } => owed.push(owe(Duty::Dispatch, &self.holder, dispatch)),
            Stage::Disputed { arbiter, arbitrate } => {
                owed.push(owe(Duty::Arbitrate, arbiter, arbitrate));
            }
            Stage::Dispatched { assignment, sign } => {
                owed.push(owe(Duty::Sign, &assignment.unit, sign));
                owed.push(owe(Duty::Handle, &assignment.unit, &assignment.handle));
            }
            Stage::Signed { assignment } | Stage::Handling { assignment } => {
                owed.push(owe(Duty::Handle, &assignment.unit, &assignment.handle));
            }
            // Of the grid the place lies in: whoever may look there can take it.
            Stage::FedBack { verify, .. } => {
                owed.push(owe(Duty::Verify, &self.place.area, verify));
            }
            Stage::Verified { call_back, .. } => {
                owed.push(owe(Duty::CallBack, &self.holder, call_back));
            }
            Stage::CalledBack { close, .. } => owed.push(owe(Duty::Close, &self.holder, close)),
            Stage::Ruling { over, rule, .. } => owed.push(owe(Duty::Rule, over, rule)),
            Stage::Whistled { .. } | Stage::Closed { .. } => {}
        }
        owed
    }
}

impl Flow for Case {
    const KIND: FlowKind = FlowKind::Case;
    type Command = Command;
    type Event = Event;

    fn name(command: &Command) -> &'static str {
        match command {
            Command::Open(_) => "open",
            Command::Summons { act, .. } => act.name(),
            Command::Join { .. }
            | Command::Escalate { .. }
            | Command::Dispatch { .. }
            | Command::Sign
            | Command::Start
            | Command::Return { .. }
            | Command::FeedBack { .. }
            | Command::Claim
            | Command::Verify { .. }
            | Command::CallBack(_)
            | Command::Close { .. }
            | Command::Reopen { .. }
            | Command::Comment { .. }
            | Command::Unjoin { .. }
            | Command::Arbitrate { .. }
            | Command::Rule { .. }
            | Command::CallOff { .. }
            | Command::Raise { .. }
            | Command::Coordinate { .. }
            | Command::Ask { .. }
            | Command::Decide { .. }
            | Command::Withdraw { .. }
            | Command::Resume { .. }
            | Command::Supervise { .. }
            | Command::Reply { .. } => command.verb().map_or("open", Verb::name),
            Command::Lapse { .. } => "lapse",
            Command::Recompute => "recompute",
        }
    }

    fn decide(
        state: Option<&Self>,
        command: &Command,
        context: &Context<'_>,
    ) -> Result<Vec<Event>, Refusal> {
        let mut events = decide::decide(state, command, context)?;
        if let Some(case) = state {
            events.extend(case.late_by(&events, context));
            events.extend(case.raised_by(&events, context));
        }
        Ok(events)
    }

    fn evolve(state: Option<Self>, event: &Event) -> Option<Self> {
        match (state, event) {
            (None, Event::Opened { opening, number, at, dispatch }) => {
                Some(Self::open(opening, number, *at, dispatch))
            }
            (None, _) => None,
            (Some(case), event) => case.after(event),
        }
    }

    fn obligations(&self) -> Vec<Obligation> {
        let mut owed = self.stage_owed();
        owed.extend(self.asks.iter().filter_map(Ask::obligation));
        owed.extend(self.supervisions.iter().filter_map(Supervision::obligation));
        owed.extend(self.standstill.as_ref().map(|still| still.obligation(&self.holder)));
        owed
    }

    fn fulfils(event: &Event, obligation: &Obligation) -> bool {
        match (event, obligation.duty) {
            (Event::Summoned { unit, happened, .. }, _) => happened.fulfils(*unit, obligation),
            (
                Event::Escalated { .. } | Event::Dispatched { .. } | Event::WhistleBlown { .. },
                Duty::Dispatch,
            )
            | (Event::Signed { .. }, Duty::Sign)
            | (Event::FedBack { .. }, Duty::Handle)
            | (Event::VerificationPassed { .. } | Event::VerificationFailed { .. }, Duty::Verify)
            | (
                Event::CallbackMissed { .. }
                | Event::Answered { .. }
                | Event::AnsweredInVain { .. },
                Duty::CallBack,
            )
            | (Event::Closed { .. }, Duty::Close)
            | (Event::Agreed { .. } | Event::Denied { .. }, Duty::Decide)
            | (Event::Coordinated { .. }, Duty::Coordinate)
            | (Event::RuledAgain { .. } | Event::Closed { .. }, Duty::Rule)
            | (Event::SupervisionAnswered { .. }, Duty::AnswerSupervision) => true,
            (Event::Dispatched { appointed, .. }, Duty::Arbitrate) => *appointed,
            _ => false,
        }
    }

    fn id(&self) -> Uuid {
        self.id.0
    }
}
