//! Flows: anything that moves through steps by commands.
//!
//! A pure function decides, another applies the events; obligations are derived from the state.
//! Everything else (replay, concurrency, audit, timeline, inbox) is written once for all flows.

use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::{
    Instant,
    area::tree::{Area, AreaKind, AreaTree, Path, Unit},
    calendar::{book::Calendar, limit::Limit},
    core::{
        arrival::{OfflineTime, Skew},
        disclosure::Disclosed,
        id::{AreaId, NumberLength, format_number},
        journal::{Entry, FlowKind},
        labelled_enum::Named as _,
        text::Code,
        time::local_day,
    },
    flows::{
        lifecycle::{self, Lifecycle},
        stored_event::JournalEvent,
    },
    people::actor::{Actor, Permission},
    rules::{
        catalogue::Catalogue,
        obligation::{Duty, Obligation, Term},
        refusal::Refusal,
        rulebook::{Rules, Subject},
        sla::{self, ancestry},
    },
};

/// The inputs of a decision besides the state and the command.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The actor, with the actor's grants.
    pub by: &'a Actor,
    /// The time by the server's clock, cut to milliseconds.
    pub at: Instant,
    /// The place in the journal that this command would take.
    pub seq: i64,
    /// The tenant's rules.
    pub rules: &'a Rules,
    /// The tenant's areas.
    pub areas: &'a AreaTree,
    /// The tenant's catalogue.
    pub catalogue: &'a Catalogue,
    /// The offline times of a command that a phone had kept; none for a command that is sent when
    /// it is entered.
    pub kept: Option<OfflineTime>,
    /// How long the number is of what begins.
    pub numbers: NumberLength,
    /// Other people whose rights the decision asks about, as far as the caller looked them up: as
    /// they are now, without any grant when the account is closed.
    pub others: &'a [Actor],
}

impl<'a> Context<'a> {
    /// The number of something that begins at that time.
    pub fn new_number(&self, prefix: char, id: Uuid, at: Instant) -> String {
        format_number(prefix, id, at, self.numbers)
    }

    /// When the command was entered, by the server's clock.
    pub fn typed_at(&self) -> Instant {
        self.kept.map_or(self.at, |kept| kept.happened_at().min(self.at))
    }

    /// The skew of the clock that the times in the command come from.
    pub fn skew(&self) -> Skew {
        self.kept.map(|kept| kept.skew).unwrap_or_default()
    }

    /// A time in the command, or else the time it was entered, by the client's clock; none when
    /// neither is known.
    pub fn find_client_time(&self, given: Option<Instant>) -> Option<Instant> {
        given.or(self.kept.map(|kept| kept.client_at))
    }

    /// Refuses unless the actor has `permission` over the area at `path`.
    pub fn require_permission(
        &self,
        permission: Permission,
        path: &Path,
        name: &str,
    ) -> Result<(), Refusal> {
        if self.by.may(permission, path, self.at) {
            Ok(())
        } else {
            Err(Refusal::NotPermitted { permission, area: name.to_owned() })
        }
    }

    /// The area a command names, for something new: one that is no more takes nothing. A phone
    /// without a signal could not know: what it was told goes to what became of the area.
    pub fn require_area(&self, id: AreaId) -> Result<&'a Area, Refusal> {
        let area = self.areas.get(id).ok_or(Refusal::UnknownArea { id })?;
        if self.areas.is_retired(id) {
            if let Some(present) = self.areas.find_present(id).filter(|_| self.kept.is_some()) {
                return Ok(present);
            }
            let successors = self.areas.successors(id).map(|area| area.name.clone()).collect();
            return Err(Refusal::AreaRetired { area: area.name.clone(), successors });
        }
        Ok(area)
    }

    /// Starts the clock of a duty now.
    pub fn start_term(&self, duty: Duty, subject: &Subject<'_>) -> Term {
        self.rules.start_term(duty, subject, self)
    }

    /// The arbiter of a holder: the district above it, or the holder itself where there is none.
    pub fn find_arbiter(&self, holder: &Unit) -> Unit {
        self.areas
            .nearest_of_kind(holder.id, AreaKind::District)
            .map_or_else(|| holder.clone(), Area::unit)
    }

    /// The calendar of an area.
    pub fn find_calendar(&self, area: AreaId) -> &Calendar {
        self.rules.calendars.value.find_nearest(&ancestry(self.areas, area))
    }

    /// The same context for another flow, whose next place in the journal is `seq`.
    #[must_use]
    pub fn with_seq(self, seq: i64) -> Self {
        Self { seq, ..self }
    }
}

/// One kind of flow. Pure: no I/O, no clock, no randomness.
pub trait Flow: Lifecycle<Command: Serialize> + Clone + Serialize + DeserializeOwned {
    /// The kind of flow.
    const KIND: FlowKind;
    /// Its name, in Chinese and English.
    const NAMES: (&'static str, &'static str);
    /// Chinese labels of the commands that are not verbs of the table, by name.
    const OTHER_LABELS: &'static [(&'static str, &'static str)] = &[];
    /// Its events, with the disclosure of their fields.
    type Event: JournalEvent + Disclosed;

    /// The name of a command, as in the URL and the journal.
    fn command_name(command: &Self::Command) -> &'static str {
        Self::classify_command(command).name()
    }

    /// Whether an entry can be the command of a reporter; all others are given in office alone.
    fn is_said_by_reporters(_: &Entry) -> bool {
        false
    }

    /// The Chinese label of a state, by its code.
    fn state_label(state: &str) -> Option<&'static str> {
        Self::Stage::label_of(state)
    }

    /// The Chinese label of a command, by its name in the journal.
    fn command_label(command: &str) -> Option<&'static str> {
        let other = Self::OTHER_LABELS.iter().find(|(name, _)| *name == command);
        other.map(|(_, label)| *label).or_else(|| Self::Verb::label_of(command))
    }

    /// Whether the journal keeps only the identity of the actor, not the name.
    fn hides_actor(_: &Self::Command) -> bool {
        false
    }

    /// Decides `command` on `state`: the events, or a refusal.
    fn decide(
        state: Option<&Self>,
        command: &Self::Command,
        context: &Context<'_>,
    ) -> Result<Vec<Self::Event>, Refusal> {
        Self::authorize(state, command, context)?;
        lifecycle::require_possible(state, command)?;
        match state {
            None => Self::decide_beginning(command, context),
            Some(state) => state.decide_next(command, context),
        }
    }

    /// Checks what an actor needs before being told the state; most flows check permission beside
    /// the rule instead.
    fn authorize(_: Option<&Self>, _: &Self::Command, _: &Context<'_>) -> Result<(), Refusal> {
        Ok(())
    }

    /// Decides a command that begins a flow; called for no other command.
    fn decide_beginning(
        command: &Self::Command,
        context: &Context<'_>,
    ) -> Result<Vec<Self::Event>, Refusal>;

    /// Decides a command on an existing flow; called only for commands that fit its stage.
    fn decide_next(
        &self,
        command: &Self::Command,
        context: &Context<'_>,
    ) -> Result<Vec<Self::Event>, Refusal>;

    /// The state after `event`; none when the event cannot follow the state, which a journal
    /// written by [`Flow::decide`] never contains.
    fn evolve(state: Option<Self>, event: &Self::Event) -> Option<Self>;

    /// The obligations in this state.
    fn obligations(&self) -> Vec<Obligation>;

    /// Whether `event` fulfils `obligation`, and does not merely end it.
    fn fulfils(event: &Self::Event, obligation: &Obligation) -> bool;

    /// The identity of the flow in the journal.
    fn id(&self) -> Uuid;
}

/// The state after a whole history; none when it is empty or contradicts itself.
pub fn replay_events<'a, F: Flow + 'a>(
    events: impl IntoIterator<Item = &'a F::Event>,
) -> Option<F> {
    let mut state = None;
    for event in events {
        state = Some(F::evolve(state, event)?);
    }
    state
}

impl Rules {
    /// The row of the matrix that limits `duty`, and the calendar it runs by.
    pub fn find_deadline(
        &self,
        duty: Duty,
        subject: &Subject<'_>,
        context: &Context<'_>,
    ) -> (Option<&sla::Row>, &Calendar) {
        let area = sla::ancestry(context.areas, subject.area);
        let category = subject.matter.category.as_ref().map(Code::as_str);
        let category = context.catalogue.lineage(category);
        let query = sla::Query {
            duty,
            area: &area,
            channel: subject.channel,
            demand: subject.matter.demand,
            category: &category,
            urgency: subject.matter.urgency,
            complexity: subject.matter.complexity,
            rank: subject.rank,
            redo: subject.redo,
            on: local_day(context.at),
        };
        (self.deadlines.value.find(&query), self.calendars.value.find_nearest(&area))
    }

    /// Starts the clock of a duty.
    pub fn start_term(&self, duty: Duty, subject: &Subject<'_>, context: &Context<'_>) -> Term {
        let (row, calendar) = self.find_deadline(duty, subject, context);
        // A matrix without a row for everything cannot be published; one day is the fallback.
        let (rule, limit) = row.map_or(("none", Limit::days(1)), |row| (&row.id, row.limit));
        let due = calendar.compute_due(context.at, limit);
        let mut term = Term {
            no: context.seq,
            started_at: context.at,
            limit,
            due_at: due.at,
            rule: rule.to_owned(),
            rules: self.deadlines.no,
            calendar: self.calendars.no,
            provisional: due.provisional,
            moves: Vec::new(),
            taken: 0,
            next_at: None,
        };
        term.next_at = self.next_measure(&term, calendar);
        term
    }
}

impl Catalogue {
    /// Refuses a code that is not in the catalogue.
    pub fn require_category(&self, code: &str) -> Result<(), Refusal> {
        match self.get(code) {
            Some(_) => Ok(()),
            None => Err(Refusal::UnknownCategory { code: code.to_owned() }),
        }
    }
}
