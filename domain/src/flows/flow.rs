//! Flows: anything that moves through steps by commands.
//!
//! A pure function decides what happens, another applies it; what is owed is read off the state.
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
        id::AreaId,
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

/// Everything a decision may look at besides the state and the command.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The actor who asks, with the grants.
    pub by: &'a Actor,
    /// When, by our clock, cut to milliseconds.
    pub at: Instant,
    /// The place in the journal this command would take.
    pub seq: i64,
    /// The tenant's rules.
    pub rules: &'a Rules,
    /// The tenant's areas.
    pub areas: &'a AreaTree,
    /// The tenant's catalogue.
    pub catalogue: &'a Catalogue,
    /// What is known of a command that a phone had kept; none when it is asked as it is typed.
    pub kept: Option<OfflineTime>,
    /// Other people whose rights the decision asks about, as far as the caller looked them up: as
    /// they are now, without any grant when the account is closed.
    pub others: &'a [Actor],
}

impl<'a> Context<'a> {
    /// When the command was typed, by our clock.
    pub fn typed_at(&self) -> Instant {
        self.kept.map_or(self.at, |kept| kept.happened_at().min(self.at))
    }

    /// By how much the clock differs by which the times in the command were told.
    pub fn skew(&self) -> Skew {
        self.kept.map(|kept| kept.skew).unwrap_or_default()
    }

    /// A time in the command, or when it was typed, by the clock on which it was typed; none when
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

    /// Who decides whose a matter is: the district above, or the holder itself where none is.
    pub fn find_arbiter(&self, holder: &Unit) -> Unit {
        self.areas
            .nearest_of_kind(holder.id, AreaKind::District)
            .map_or_else(|| holder.clone(), Area::unit)
    }

    /// The calendar by which clocks run in an area.
    pub fn find_calendar(&self, area: AreaId) -> &Calendar {
        self.rules.calendars.value.find_nearest(&ancestry(self.areas, area))
    }

    /// The same context for another flow, whose next place in the journal is `seq`.
    #[must_use]
    pub fn with_seq(self, seq: i64) -> Self {
        Self { seq, ..self }
    }
}

/// One kind of thing that moves through steps. Pure: no I/O, no clock, no chance.
pub trait Flow: Lifecycle<Command: Serialize> + Clone + Serialize + DeserializeOwned {
    /// Which flow this is.
    const KIND: FlowKind;
    /// One of it, in Chinese and English.
    const NAMES: (&'static str, &'static str);
    /// What people call the commands that are not verbs of the table, by their names.
    const OTHER_LABELS: &'static [(&'static str, &'static str)] = &[];
    /// What can have happened, with who reads which part of it.
    type Event: JournalEvent + Disclosed;

    /// The name of a command, as in the URL and the journal.
    fn command_name(command: &Self::Command) -> &'static str {
        Self::classify_command(command).name()
    }

    /// Whether a reporter could have given a command as one; everything else is done in office alone.
    fn is_said_by_reporters(_: &Entry) -> bool {
        false
    }

    /// What people call a state, by its code.
    fn state_label(state: &str) -> Option<&'static str> {
        Self::Stage::label_of(state)
    }

    /// What people call a command, by its name in the journal.
    fn command_label(command: &str) -> Option<&'static str> {
        let other = Self::OTHER_LABELS.iter().find(|(name, _)| *name == command);
        other.map(|(_, label)| *label).or_else(|| Self::Verb::label_of(command))
    }

    /// Whether the journal does not name who asked, only the identity.
    fn hides_actor(_: &Self::Command) -> bool {
        false
    }

    /// What happens when `command` is asked of `state`, or why it does not.
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

    /// What an actor needs before being told how it stands; most flows ask for permission beside
    /// the rule.
    fn authorize(_: Option<&Self>, _: &Self::Command, _: &Context<'_>) -> Result<(), Refusal> {
        Ok(())
    }

    /// What happens when a command begins one; only those are asked that do.
    fn decide_beginning(
        command: &Self::Command,
        context: &Context<'_>,
    ) -> Result<Vec<Self::Event>, Refusal>;

    /// What happens to one that exists; only commands are asked that fit its stage.
    fn decide_next(
        &self,
        command: &Self::Command,
        context: &Context<'_>,
    ) -> Result<Vec<Self::Event>, Refusal>;

    /// The state after `event`; none when the event cannot follow the state, which a journal
    /// written by [`Flow::decide`] never contains.
    fn evolve(state: Option<Self>, event: &Self::Event) -> Option<Self>;

    /// What is owed in this state.
    fn obligations(&self) -> Vec<Obligation>;

    /// Whether `event` is the doing of `obligation`, not merely its end.
    fn fulfils(event: &Self::Event, obligation: &Obligation) -> bool;

    /// The identity under which the journal keeps it.
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
    /// The row of the matrix that says how long `duty` may take, and the calendar it runs by.
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
        // A matrix without a row for everything is not published; a day is what is left should
        // one be.
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
