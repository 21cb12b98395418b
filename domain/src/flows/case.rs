//! Cases (案卷): a matter that was filed and must be brought to an end.
//!
//! A case never moves by itself: deadlines only make it late, a person moves it. [`lifecycle`] says
//! which command is possible when; `decide` says what a command does, `evolve` what an event does
//! to the state; this file holds visibility, obligations and the place in the engine. Beside the
//! stage there are small state machines of their own: [approval requests](approval_request), a
//! [standstill], [supervision] and breaches.

mod answers;
pub mod approval_request;
mod decide;
mod disclosure;
mod event;
mod evolve;
pub mod lifecycle;
mod stage;
pub mod standstill;
pub mod state;
pub mod supervision;
pub mod whistle;

use uuid::Uuid;

use crate::flows::case::state::ApprovalRequest;
pub use crate::flows::case::state::ReporterAnswer;
use crate::flows::case::state::Supervision;
use crate::{
    Instant,
    area::tree::Unit,
    core::journal::{Entry, FlowKind},
    flows::{
        case::state::Case,
        flow::{Context, Flow},
        lifecycle::{CommandKind, Lifecycle, MoveTable, refuse_unasked},
    },
    people::actor::{Actor, Permission},
    rules::{
        obligation::{Duty, Obligation, Term},
        refusal::Refusal,
    },
};
pub use event::{Callback, Command, Event, Opening};
use lifecycle::{StageName, SummonsVerb, Verb};
pub use stage::{Answer, Assignment, Closing, Outcome, Satisfaction, Stage, Work};
use whistle::Whistle;

impl Case {
    /// The most files attached to one case.
    pub const MAX_MEDIA: usize = 300;

    /// The most reports of one case.
    pub const MAX_REPORTS: usize = 500;

    /// The number of entries in a case's journal up to which remarks are accepted, so that the
    /// record can still be read and checked as a whole.
    pub const MAX_ENTRIES: i64 = 2000;

    /// Whether this actor may know that the case exists: over its place, over a unit that was ever
    /// given it, or as one of its reporters.
    pub fn visible_to(&self, actor: &Actor, at: Instant) -> bool {
        self.may_read_in_office(actor, at)
            || self.reports.iter().any(|reporter| reporter.person == actor.person)
    }

    /// Whether this actor reads it through a right over an area or a unit, not as a reporter.
    pub fn may_read_in_office(&self, actor: &Actor, at: Instant) -> bool {
        actor.may(Permission::ReadCases, &self.place.area.path, at)
            || self.units.iter().any(|unit| actor.may(Permission::ReadCases, &unit.path, at))
    }

    /// The commands possible now, by name; whether an actor may give them is checked in `decide`.
    pub fn possible_commands(&self) -> Vec<&'static str> {
        self.list_possible()
    }

    /// Whether what the command is about exists: a standstill to resume, a request to decide, a
    /// supervision to answer, a breach to appeal against, a report to take out, a whistle to raise
    /// or coordinate, a summons to act on.
    fn has_what_it_needs(&self, verb: Verb) -> bool {
        match verb {
            Verb::Resume => self.standstill.is_some(),
            Verb::Decide | Verb::Withdraw => !self.asks.is_empty(),
            Verb::Unclaim => self.stage.claim().is_some(),
            Verb::Reply => self.supervisions.iter().any(|one| one.obligation().is_some()),
            Verb::Appeal => self.breaches.iter().any(|breach| !breach.appealed),
            Verb::Unjoin => self.reports.len() > 1,
            Verb::Coordinate => self.stage.whistle().is_some_and(Whistle::waits_for_district),
            Verb::Raise => self.stage.whistle().is_some_and(|whistle| whistle.raised.is_none()),
            Verb::Summons => {
                let (on, whistle) = (self.stage.is_whistle_on(), self.stage.whistle());
                let mut summonses = whistle.iter().flat_map(|whistle| &whistle.summonses);
                summonses.any(|summons| !summons.possible(on).is_empty())
            }
            Verb::Escalate
            | Verb::Dispatch
            | Verb::Whistle
            | Verb::Sign
            | Verb::Start
            | Verb::Return
            | Verb::FeedBack
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

    /// The most breaches that one case keeps.
    pub const MOST_BREACHES: usize = 99;

    /// When it was closed, if it is.
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

    /// The obligations of the work itself: their clocks can be extended and stopped.
    pub fn work_obligations(&self) -> Vec<Obligation> {
        self.stage_obligations().into_iter().filter(|owed| owed.duty.is_work()).collect()
    }

    /// The obligations that follow from the stage alone.
    fn stage_obligations(&self) -> Vec<Obligation> {
        let owe = |duty, owed_by: &Unit, term: &Term| Obligation {
            duty,
            owed_by: owed_by.clone(),
            term: term.clone(),
        };
        let mut owed = self.stage.whistle().map(Whistle::obligations).unwrap_or_default();
        if !matches!(self.stage, Stage::Whistled { .. }) {
            // After the whistle only the street's rating is still owed.
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
            // Owed by the grid of the place: each person who may verify there can claim it.
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

impl Lifecycle for Case {
    const NAME: &'static str = Self::KIND.name();
    type Stage = StageName;
    type Verb = Verb;
    type To = &'static [StageName];
    type Command = Command;
    const MOVES: MoveTable<StageName, Verb, &'static [StageName]> = lifecycle::TABLE;
    const REFUSES_BEGINNING_BY_STAGE: bool = true;

    fn stage(&self) -> StageName {
        self.stage.name()
    }

    fn classify_command(command: &Command) -> CommandKind<Verb> {
        let unbound = if matches!(command, Command::Recompute) { "recompute" } else { "lapse" };
        match (command, command.verb()) {
            (Command::With { asked, .. }, _) => Self::classify_command(asked),
            (Command::Open(_), _) => CommandKind::Begins("open"),
            (_, Some(verb)) => CommandKind::Moves(verb),
            (_, None) => CommandKind::Unbound(unbound),
        }
    }

    fn shows_verb(&self, verb: Verb) -> bool {
        self.has_what_it_needs(verb)
    }
}

impl Flow for Case {
    const KIND: FlowKind = FlowKind::Case;
    const NAMES: (&'static str, &'static str) = ("这个案卷", "case");
    type Event = Event;

    fn command_name(command: &Command) -> &'static str {
        if let Command::With { asked, .. } = command {
            return Self::command_name(asked);
        }
        if let Command::Summons { act, .. } = command {
            return act.name();
        }
        Self::classify_command(command).name()
    }

    fn is_said_by_reporters(entry: &Entry) -> bool {
        match entry.name.as_str() {
            // A case is opened by the unit that accepts the report, or by a reporter who handled it
            // on the spot.
            "open" => entry.events.contains("\"handled_on_the_spot\""),
            name => {
                matches!(Verb::parse(name), Some(Verb::CallBack | Verb::Reopen | Verb::Comment))
            }
        }
    }

    fn command_label(command: &str) -> Option<&'static str> {
        match command {
            "open" => Some("立案"),
            "lapse" => Some("时限到点"),
            "recompute" => Some("重新计算时限"),
            _ => {
                let summons = command.strip_prefix("summons_").unwrap_or(command);
                let summons = || SummonsVerb::parse(summons).map(SummonsVerb::label);
                Verb::parse(command).map(Verb::label).or_else(summons)
            }
        }
    }

    fn decide_beginning(command: &Command, cx: &Context<'_>) -> Result<Vec<Event>, Refusal> {
        let Command::Open(opening) = command else { return Err(refuse_unasked::<Self>(command)) };
        decide::open_case(opening, cx)
    }

    fn decide_next(&self, command: &Command, cx: &Context<'_>) -> Result<Vec<Event>, Refusal> {
        let mut events = if let Command::With { media, asked } = command {
            self.decide_with_media(asked, media, cx)?
        } else {
            self.decide_with_media(command, &[], cx)?
        };
        events.extend(self.find_breaches(&events, cx));
        events.extend(self.raise_supervision(&events, cx));
        Ok(events)
    }

    fn evolve(state: Option<Self>, event: &Event) -> Option<Self> {
        match (state, event) {
            (None, Event::Opened { opening, number, at, dispatch }) => {
                Some(Self::from_opening(opening, number, *at, dispatch))
            }
            (None, _) => None,
            (Some(case), event) => case.with_event(event),
        }
    }

    fn obligations(&self) -> Vec<Obligation> {
        let mut owed = self.stage_obligations();
        owed.extend(self.asks.iter().filter_map(ApprovalRequest::obligation));
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
