//! Cases (案卷): a matter that was filed and must be brought to an end.
//!
//! A case never moves by itself: deadlines only make it late, a person moves it. What is
//! possible when stands in [`lifecycle`]; what a command does stands in `decide`; this file
//! holds the state, the events, and what is owed.

mod decide;
mod event;
pub mod lifecycle;
pub mod whistle;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Instant,
    actor::{Actor, Permission},
    area::Unit,
    flow::{Context, Flow},
    id::{CaseId, PersonId, ReportId},
    journal::FlowKind,
    named::named,
    obligation::{Duty, Obligation, Term},
    place::{Matter, Place},
    refusal::Refusal,
    text::Prose,
};
pub use event::{Callback, Command, Event, Opening};
use lifecycle::{StageName, Verb};
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
            Self::Dispatched { .. } => StageName::Dispatched,
            Self::Signed { .. } => StageName::Signed,
            Self::Handling { .. } => StageName::Handling,
            Self::Whistled { .. } => StageName::Whistled,
            Self::FedBack { .. } => StageName::FedBack,
            Self::Verified { .. } => StageName::Verified,
            Self::CalledBack { .. } => StageName::CalledBack,
            Self::Closed { .. } => StageName::Closed,
        }
    }

    /// The unit the case is dispatched to, while it has it.
    pub const fn assignment(&self) -> Option<&Assignment> {
        match self {
            Self::Dispatched { assignment, .. }
            | Self::Signed { assignment }
            | Self::Handling { assignment } => Some(assignment),
            Self::FedBack { work, .. }
            | Self::Verified { work, .. }
            | Self::CalledBack { work, .. }
            | Self::Closed { work, .. } => match work {
                Work::Unit { assignment } => Some(assignment),
                Work::Whistle { .. } | Work::OnTheSpot { .. } => None,
            },
            Self::Filed { .. } | Self::Whistled { .. } => None,
        }
    }

    /// The whistle of this round, while it is on and afterwards.
    pub const fn whistle(&self) -> Option<&Whistle> {
        match self {
            Self::Whistled { whistle } => Some(whistle),
            Self::FedBack { work, .. }
            | Self::Verified { work, .. }
            | Self::CalledBack { work, .. }
            | Self::Closed { work, .. } => match work {
                Work::Whistle { whistle } => Some(whistle),
                Work::Unit { .. } | Work::OnTheSpot { .. } => None,
            },
            Self::Filed { .. }
            | Self::Dispatched { .. }
            | Self::Signed { .. }
            | Self::Handling { .. } => None,
        }
    }

    fn whistle_mut(&mut self) -> Option<&mut Whistle> {
        match self {
            Self::Whistled { whistle } => Some(whistle),
            Self::FedBack { work, .. }
            | Self::Verified { work, .. }
            | Self::CalledBack { work, .. }
            | Self::Closed { work, .. } => match work {
                Work::Whistle { whistle } => Some(whistle),
                Work::Unit { .. } | Work::OnTheSpot { .. } => None,
            },
            Self::Filed { .. }
            | Self::Dispatched { .. }
            | Self::Signed { .. }
            | Self::Handling { .. } => None,
        }
    }

    /// The work done, once it is done.
    pub const fn work(&self) -> Option<&Work> {
        match self {
            Self::FedBack { work, .. }
            | Self::Verified { work, .. }
            | Self::CalledBack { work, .. }
            | Self::Closed { work, .. } => Some(work),
            Self::Filed { .. }
            | Self::Dispatched { .. }
            | Self::Signed { .. }
            | Self::Handling { .. }
            | Self::Whistled { .. } => None,
        }
    }

    /// The stage while `change` is made to its assignment; others stay as they are.
    fn working(self, by: PersonId, result: Option<&Prose>) -> Option<Assignment> {
        let mut assignment = match self {
            Self::Dispatched { assignment, .. }
            | Self::Signed { assignment }
            | Self::Handling { assignment } => assignment,
            Self::Filed { .. }
            | Self::Whistled { .. }
            | Self::FedBack { .. }
            | Self::Verified { .. }
            | Self::CalledBack { .. }
            | Self::Closed { .. } => return None,
        };
        if !assignment.people.contains(&by) {
            assignment.people.push(by);
        }
        if result.is_some() {
            assignment.result = result.cloned();
        }
        Some(assignment)
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

    /// Back to work: the same unit, or the lead of the same whistle, with a new clock.
    fn again(self, redo: &Term) -> Option<Stage> {
        match self {
            Self::Unit { mut assignment } => {
                assignment.handle = redo.clone();
                Some(Stage::Handling { assignment })
            }
            Self::Whistle { mut whistle } => {
                whistle.redo(redo);
                Some(Stage::Whistled { whistle })
            }
            Self::OnTheSpot { .. } => None,
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
        lifecycle::possible(self.stage.name()).into_iter().map(Verb::name).collect()
    }

    fn involve(&mut self, unit: &Unit) {
        if !self.units.iter().any(|known| known.id == unit.id) {
            self.units.push(unit.clone());
        }
    }

    fn open(opening: &Opening, number: &str, at: Instant, dispatch: &Term) -> Self {
        Self {
            id: opening.id,
            number: number.to_owned(),
            matter: opening.matter.clone(),
            place: opening.place.clone(),
            filed_at: at,
            holder: opening.holder.clone(),
            stage: Stage::Filed { dispatch: dispatch.clone() },
            reports: vec![opening.reporter],
            units: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// The case after one more event; none when the event cannot follow.
    fn after(mut self, event: &Event) -> Option<Self> {
        self.stage = match (self.stage, event) {
            (Stage::Filed { .. }, Event::HandledOnTheSpot { result, closing }) => {
                let person = self.reports.first().map(|reporter| reporter.person)?;
                let work = Work::OnTheSpot { person, result: result.clone() };
                Stage::Closed { work, closing: closing.clone() }
            }
            (stage, Event::Joined { reporter }) => {
                self.reports.push(*reporter);
                stage
            }
            (Stage::Filed { .. }, Event::Escalated { to, dispatch, .. }) => {
                self.holder = to.clone();
                Stage::Filed { dispatch: dispatch.clone() }
            }
            (Stage::Filed { .. }, Event::Dispatched { unit, sign, handle, .. }) => {
                let assignment = Assignment {
                    unit: unit.clone(),
                    handle: handle.clone(),
                    people: Vec::new(),
                    result: None,
                };
                let stage = Stage::Dispatched { assignment, sign: sign.clone() };
                self.stage = stage;
                self.involve(unit);
                return Some(self);
            }
            (stage @ Stage::Dispatched { .. }, Event::Signed { by }) => {
                Stage::Signed { assignment: stage.working(*by, None)? }
            }
            (stage @ Stage::Signed { .. }, Event::Started { by }) => {
                Stage::Handling { assignment: stage.working(*by, None)? }
            }
            (
                Stage::Dispatched { .. } | Stage::Signed { .. } | Stage::Handling { .. },
                Event::Returned { dispatch, .. },
            ) => {
                self.tally.returns += 1;
                Stage::Filed { dispatch: dispatch.clone() }
            }
            (
                stage @ (Stage::Signed { .. } | Stage::Handling { .. }),
                Event::FedBack { by, result, verify },
            ) => Stage::FedBack {
                work: Work::Unit { assignment: stage.working(*by, Some(result))? },
                verify: verify.clone(),
            },
            (Stage::Filed { .. }, Event::WhistleBlown { whistle }) => {
                self.tally.whistles += 1;
                self.stage = Stage::Whistled { whistle: whistle.clone() };
                for summons in &whistle.summonses {
                    self.involve(&summons.unit);
                }
                return Some(self);
            }
            (mut stage, Event::Summoned { unit, by, happened }) => {
                stage.whistle_mut()?.evolve(*unit, *by, happened);
                stage
            }
            (Stage::Whistled { whistle }, Event::WhistleOver { verify }) => {
                Stage::FedBack { work: Work::Whistle { whistle }, verify: verify.clone() }
            }
            (Stage::FedBack { work, .. }, Event::VerificationPassed { call_back, .. }) => {
                self.tally.missed_callbacks = 0;
                Stage::Verified { work, call_back: call_back.clone() }
            }
            (Stage::FedBack { work, .. }, Event::VerificationFailed { redo, .. })
            | (Stage::Verified { work, .. }, Event::AnsweredUnsolved { redo, .. }) => {
                self.tally.reworks += 1;
                work.again(redo)?
            }
            (Stage::Verified { work, call_back }, Event::CallbackMissed { close, .. }) => {
                self.tally.missed_callbacks += 1;
                match close {
                    Some(close) => Stage::CalledBack { work, answer: None, close: close.clone() },
                    None => Stage::Verified { work, call_back },
                }
            }
            (Stage::Verified { work, .. }, Event::Answered { answer, close, .. }) => {
                Stage::CalledBack { work, answer: Some(answer.clone()), close: close.clone() }
            }
            (Stage::CalledBack { work, .. }, Event::Closed { closing, .. }) => {
                Stage::Closed { work, closing: closing.clone() }
            }
            (Stage::Closed { .. }, Event::Reopened { dispatch, .. }) => {
                self.tally.reopenings += 1;
                Stage::Filed { dispatch: dispatch.clone() }
            }
            (stage, Event::Commented { .. }) => stage,
            (
                _,
                Event::Opened { .. }
                | Event::HandledOnTheSpot { .. }
                | Event::Escalated { .. }
                | Event::Dispatched { .. }
                | Event::Signed { .. }
                | Event::Started { .. }
                | Event::Returned { .. }
                | Event::FedBack { .. }
                | Event::WhistleBlown { .. }
                | Event::WhistleOver { .. }
                | Event::VerificationPassed { .. }
                | Event::VerificationFailed { .. }
                | Event::CallbackMissed { .. }
                | Event::Answered { .. }
                | Event::AnsweredUnsolved { .. }
                | Event::Closed { .. }
                | Event::Reopened { .. },
            ) => return None,
        };
        Some(self)
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
            | Command::Whistle(_)
            | Command::Sign
            | Command::Start
            | Command::Return { .. }
            | Command::FeedBack { .. }
            | Command::Verify { .. }
            | Command::CallBack(_)
            | Command::Close { .. }
            | Command::Reopen { .. }
            | Command::Comment { .. } => command.verb().map_or("open", Verb::name),
        }
    }

    fn decide(
        state: Option<&Self>,
        command: &Command,
        context: &Context<'_>,
    ) -> Result<Vec<Event>, Refusal> {
        decide::decide(state, command, context)
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
        let owe = |duty, owed_by: &Unit, term: &Term| Obligation {
            duty,
            owed_by: owed_by.clone(),
            term: term.clone(),
        };
        let mut owed = self.stage.whistle().map(Whistle::obligations).unwrap_or_default();
        match &self.stage {
            Stage::Filed { dispatch } => owed.push(owe(Duty::Dispatch, &self.holder, dispatch)),
            Stage::Dispatched { assignment, sign } => {
                owed.push(owe(Duty::Sign, &assignment.unit, sign));
                owed.push(owe(Duty::Handle, &assignment.unit, &assignment.handle));
            }
            Stage::Signed { assignment } | Stage::Handling { assignment } => {
                owed.push(owe(Duty::Handle, &assignment.unit, &assignment.handle));
            }
            Stage::FedBack { verify, .. } => {
                owed.push(owe(Duty::Verify, &self.place.area, verify));
            }
            Stage::Verified { call_back, .. } => {
                owed.push(owe(Duty::CallBack, &self.holder, call_back));
            }
            Stage::CalledBack { close, .. } => owed.push(owe(Duty::Close, &self.holder, close)),
            Stage::Whistled { .. } | Stage::Closed { .. } => {}
        }
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
                | Event::AnsweredUnsolved { .. },
                Duty::CallBack,
            )
            | (Event::Closed { .. }, Duty::Close) => true,
            _ => false,
        }
    }

    fn id(&self) -> Uuid {
        self.id.0
    }
}
