//! Patrols (巡查): a worker walks an area for a purpose, within a declared duty window.
//!
//! A patrol is planned, by a [plan](crate::flows::patrol_plan) or by hand, or begun on the spot.
//! The worker who starts it owns it: no one else pauses or ends it. The phone's times are stored
//! beside the server's; what is reported much later is a late entry (补录) and needs a reason. Where
//! the worker walked is not here: tracks are stored separately, for a limited time
//! ([`crate::flows::track`]), and only with consent. A patrol works without one.

mod decide;
mod disclosure;
mod event;

use chrono::Duration;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Instant,
    area::{coordinate::Point, tree::Unit},
    core::{
        arrival::Skew,
        id::{PatrolId, PersonId, PlanId},
        journal::FlowKind,
        labelled_enum::labelled_enum,
        text::{Line, Prose},
    },
    flows::{
        flow::{Context, Flow},
        lifecycle::{CommandKind, Lifecycle, MoveTable, refuse_unasked},
        track::coverage::Target,
    },
    people::actor::{Actor, Permission},
    rules::{
        obligation::{Duty, Obligation, Term},
        refusal::Refusal,
    },
};
pub(crate) use decide::require_territory;
pub use event::{Command, Event, New};

labelled_enum! {
    /// The purpose of a patrol; a track is recorded for nothing else.
    Purpose {
        /// The usual round.
        Routine = "routine", "日常巡查";
        /// To look for hazards.
        Safety = "safety", "安全检查";
        /// To call on people.
        Visit = "visit", "入户走访";
        /// To check whether earlier findings persist.
        Recheck = "recheck", "隐患复查";
        /// Floods, storms, epidemics.
        Emergency = "emergency", "应急值守";
        /// A campaign for one purpose (专项巡查).
        Special = "special", "专项巡查";
    }
}

labelled_enum! {
    /// The status of a patrol.
    StatusName {
        /// A worker is to go.
        Planned = "planned", "待巡查";
        /// The worker walks.
        Started = "started", "巡查中";
        /// The worker rests; no track is recorded.
        Paused = "paused", "已暂停";
        /// It is over.
        Finished = "finished", "已结束";
        /// It will not take place.
        Cancelled = "cancelled", "已取消";
    }
}

labelled_enum! {
    /// The commands for a patrol.
    Verb {
        /// Begins to walk.
        Start = "start", "开始巡查";
        /// Begins a rest.
        Pause = "pause", "暂停巡查";
        /// Ends a rest.
        Resume = "resume", "继续巡查";
        /// Ends the patrol.
        Finish = "finish", "结束巡查";
        /// Cancels the patrol.
        Cancel = "cancel", "取消巡查";
        /// Adds a remark.
        Note = "note", "巡查备注";
    }
}

/// Where each verb leads from each state; what is not listed is refused.
pub const MOVES: &[(StatusName, Verb, StatusName)] = &[
    (StatusName::Planned, Verb::Start, StatusName::Started),
    (StatusName::Planned, Verb::Cancel, StatusName::Cancelled),
    (StatusName::Planned, Verb::Note, StatusName::Planned),
    (StatusName::Started, Verb::Pause, StatusName::Paused),
    (StatusName::Started, Verb::Finish, StatusName::Finished),
    (StatusName::Started, Verb::Note, StatusName::Started),
    (StatusName::Paused, Verb::Resume, StatusName::Started),
    (StatusName::Paused, Verb::Finish, StatusName::Finished),
    (StatusName::Paused, Verb::Note, StatusName::Paused),
    (StatusName::Finished, Verb::Note, StatusName::Finished),
];

/// The commands possible in a state.
pub fn possible_commands(status: StatusName) -> Vec<&'static str> {
    MoveTable::of(MOVES).verbs_in(status).map(Verb::name).collect()
}

/// The time in which the worker is on this duty: points outside of it are not accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Window {
    /// When the duty begins, inclusive.
    pub from: Instant,
    /// When the duty ends; later than it begins.
    pub until: Instant,
}

impl Window {
    /// The longest duration in hours, as of a [shift](crate::flows::person::Shift::MAX_HOURS).
    pub const MAX_HOURS: i64 = 16;

    /// Refuses a window that ends before it begins, or is longer than a shift.
    pub fn check(self) -> Result<Self, Refusal> {
        if self.until <= self.from {
            return Err(Refusal::EmptyPeriod);
        }
        if self.until - self.from > Duration::hours(Self::MAX_HOURS) {
            return Err(Refusal::ShiftTooLong { hours: Self::MAX_HOURS });
        }
        Ok(self)
    }

    /// Whether a moment lies in it; the end is included.
    pub fn contains(self, at: Instant) -> bool {
        (self.from..=self.until).contains(&at)
    }
}

/// A place to be seen on a patrol (巡查点).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Checkpoint {
    /// What it is called.
    pub name: Line,
    /// Where, in WGS-84.
    pub point: Point,
    /// How far away a visit still counts, in metres.
    pub radius_m: u32,
    /// The shortest stay, in seconds; 0: passing by is enough.
    #[serde(default)]
    pub dwell_s: u32,
}

impl Checkpoint {
    /// The smallest and the largest radius, in metres: less is below the error of a phone, more
    /// reaches another street.
    pub const RADIUS_M: (u32, u32) = (10, 500);

    /// The longest stay that can be required, in seconds.
    pub const MOST_DWELL_S: u32 = 3600;

    /// The checkpoint as a target for measuring a track.
    pub const fn target(&self) -> Target {
        Target { point: self.point, radius_m: self.radius_m, dwell_s: self.dwell_s }
    }
}

/// What a patrol covers: checkpoints, a route, its usual duration.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Itinerary {
    /// Places to be seen, at most [`Itinerary::MOST`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checkpoints: Vec<Checkpoint>,
    /// The route, as a line; empty where the plan has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub route: Vec<Point>,
    /// Its usual duration in minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minutes: Option<u32>,
}

impl Itinerary {
    /// The most checkpoints.
    pub const MOST: usize = 100;

    /// The most points of the route.
    pub const MOST_ROUTE: usize = 500;
}

/// The plan and day that a patrol was made for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Occasion {
    /// The plan it was made by.
    pub plan: PlanId,
    /// The day of that plan.
    pub day: chrono::NaiveDate,
}

/// A moment as the phone reported it, and when the server heard of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Moment {
    /// When it was: by the phone's clock where the phone says so, corrected by its known error.
    pub at: Instant,
    /// When it reached the server.
    pub received_at: Instant,
    /// Whether the phone's clock was ahead of the server's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub clock_ahead: bool,
    /// The skew that was added to the phone's time.
    #[serde(default, skip_serializing_if = "Skew::is_none")]
    pub skew: Skew,
}

/// The walk of a worker, under way or over.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Run {
    /// The worker who walks or walked.
    pub worker: PersonId,
    /// The name of that person at that time.
    pub worker_name: String,
    /// When it began.
    pub started: Moment,
    /// Rests, in order; the last one may not have ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pauses: Vec<Rest>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Moment>,
    /// Why its start or its end was reported late (补录).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_entry: Option<Prose>,
}

/// A rest on a patrol.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rest {
    /// When it began.
    pub from: Instant,
    /// When it ended; none while it lasts.
    pub until: Option<Instant>,
}

impl Run {
    /// The most rests of one patrol.
    pub const MOST_PAUSES: usize = 50;

    /// The last known moment of it.
    fn last_moment(&self) -> Instant {
        let rest = self.pauses.last().map(|rest| rest.until.unwrap_or(rest.from));
        rest.unwrap_or(self.started.at)
    }
}

/// A remark made on the way.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Remark {
    /// When it was written down.
    pub at: Instant,
    /// The name of the person who wrote it.
    pub by: String,
    /// The text of the remark.
    pub text: Prose,
}

/// The status of a patrol.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Status {
    /// See [`StatusName::Planned`].
    Planned {
        /// The clock of the duty to walk.
        term: Term,
    },
    /// See [`StatusName::Started`].
    Started {
        /// The run: who, and since when.
        run: Run,
        /// The clock of the duty, where it was planned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        term: Option<Term>,
    },
    /// See [`StatusName::Paused`].
    Paused {
        /// The run: who, and since when.
        run: Run,
        /// The clock of the duty, where it was planned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        term: Option<Term>,
    },
    /// See [`StatusName::Finished`].
    Finished {
        /// The run: who, and from when until when.
        run: Run,
    },
    /// See [`StatusName::Cancelled`].
    Cancelled {
        /// The reasons, in words.
        reason: Prose,
        /// The name of the person who cancelled it.
        by: String,
    },
}

/// A patrol of one worker.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Patrol {
    /// Its identity, often made by a phone.
    pub id: PatrolId,
    /// Its human-readable number.
    pub number: String,
    /// A grid, or a larger area.
    pub area: Unit,
    /// The purpose, which binds the track as well.
    pub purpose: Purpose,
    /// The duty window.
    pub window: Window,
    /// What it covers.
    pub itinerary: Itinerary,
    /// The plan and day it was made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occasion: Option<Occasion>,
    /// Whether it was planned before it began.
    pub planned: bool,
    /// When the server first heard of it.
    pub created_at: Instant,
    /// Its remarks, at most [`Patrol::MOST_REMARKS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<Remark>,
    /// Its status at present.
    pub status: Status,
}

impl Status {
    /// The name of the status.
    pub const fn name(&self) -> StatusName {
        match self {
            Self::Planned { .. } => StatusName::Planned,
            Self::Started { .. } => StatusName::Started,
            Self::Paused { .. } => StatusName::Paused,
            Self::Finished { .. } => StatusName::Finished,
            Self::Cancelled { .. } => StatusName::Cancelled,
        }
    }

    /// The run, once it was started.
    pub const fn run(&self) -> Option<&Run> {
        match self {
            Self::Started { run, .. } | Self::Paused { run, .. } | Self::Finished { run } => {
                Some(run)
            }
            Self::Planned { .. } | Self::Cancelled { .. } => None,
        }
    }

    /// The clock of the duty.
    pub const fn term(&self) -> Option<&Term> {
        match self {
            Self::Planned { term } => Some(term),
            Self::Started { term, .. } | Self::Paused { term, .. } => term.as_ref(),
            Self::Finished { .. } | Self::Cancelled { .. } => None,
        }
    }
}

/// Why a point is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outside {
    /// It lies outside the duty window, or before the start or after the end.
    Window,
    /// The worker rested.
    Paused,
    /// The worker rests, as far as is known; the command that ended the rest may still arrive.
    Resting,
}

impl Patrol {
    /// The most remarks of one patrol.
    pub const MOST_REMARKS: usize = 50;

    /// The worker who owns it.
    pub fn worker(&self) -> Option<PersonId> {
        self.status.run().map(|run| run.worker)
    }

    /// The skew of the worker's clock, which the times of the points come from.
    pub fn skew(&self) -> Skew {
        self.status.run().map(|run| run.started.skew).unwrap_or_default()
    }

    /// Whether this actor may know of it: over its area, or as the worker who walks.
    pub fn visible_to(&self, actor: &Actor, at: Instant) -> bool {
        self.worker() == Some(actor.person)
            || actor.may(Permission::ReadCases, &self.area.path, at)
            || actor.may(Permission::Patrol, &self.area.path, at)
    }

    /// The periods in which it was under way, in order: from its start to its end, without rests.
    pub fn active_periods(&self) -> Vec<(Instant, Instant)> {
        let Some(run) = self.status.run() else { return Vec::new() };
        let end = run.finished.map_or(self.window.until, |end| end.at.min(self.window.until));
        let (mut times, mut from) = (Vec::new(), run.started.at.max(self.window.from));
        for rest in &run.pauses {
            times.push((from, rest.from.min(end)));
            from = rest.until.unwrap_or(Instant::MAX_UTC);
        }
        times.push((from, end));
        times.retain(|(from, until)| from <= until);
        times
    }

    /// How long it was under way, in seconds; until now where it still is.
    pub fn active_s(&self, now: Instant) -> i64 {
        let length = |(from, until): (Instant, Instant)| (until.min(now) - from).num_seconds();
        self.active_periods().into_iter().map(|stretch| length(stretch).max(0)).sum()
    }

    /// Checks that a point of this moment belongs to it.
    pub fn check_point(&self, at: Instant) -> Result<(), Outside> {
        self.check_point_within(&self.active_periods(), at)
    }

    /// Like [`Self::check_point`], with these periods of the patrol.
    pub(crate) fn check_point_within(
        &self,
        times: &[(Instant, Instant)],
        at: Instant,
    ) -> Result<(), Outside> {
        if times.iter().any(|(from, until)| (*from..=*until).contains(&at)) {
            return Ok(());
        }
        let within = times.first().zip(times.last());
        match within {
            Some(((from, _), (_, until))) if (*from..=*until).contains(&at) => Err(Outside::Paused),
            _ if self.status.name() == StatusName::Paused
                && self.window.contains(at)
                && self.status.run().is_some_and(|run| run.last_moment() <= at) =>
            {
                Err(Outside::Resting)
            }
            _ => Err(Outside::Window),
        }
    }

    /// Refuses a report that was not made on it: it must be by its worker, while it was under way.
    pub fn check_report(&self, by: PersonId, at: Instant) -> Result<(), Refusal> {
        let Some(run) = self.status.run().filter(|run| run.worker == by) else {
            return Err(Refusal::NoSuchPatrol { id: self.id });
        };
        let until = run.finished.map_or(self.window.until, |end| end.at);
        if (run.started.at..=until).contains(&at) {
            Ok(())
        } else {
            Err(Refusal::NotOnPatrol { from: run.started.at, until })
        }
    }
}

impl Lifecycle for Patrol {
    const NAME: &'static str = Self::KIND.name();
    type Stage = StatusName;
    type Verb = Verb;
    type To = StatusName;
    type Command = Command;
    const MOVES: MoveTable<StatusName, Verb> = MoveTable::of(MOVES);
    const BEGINNINGS: &'static [&'static str] = &["plan", "begin"];
    const REFUSES_BEGINNING_BY_STAGE: bool = true;

    fn stage(&self) -> StatusName {
        self.status.name()
    }

    fn classify_command(command: &Command) -> CommandKind<Verb> {
        match command {
            Command::Plan { .. } => CommandKind::Begins("plan"),
            Command::Begin { .. } => CommandKind::Begins("begin"),
            Command::Start { .. } => CommandKind::Moves(Verb::Start),
            Command::Pause { .. } => CommandKind::Moves(Verb::Pause),
            Command::Resume { .. } => CommandKind::Moves(Verb::Resume),
            Command::Finish { .. } => CommandKind::Moves(Verb::Finish),
            Command::Cancel { .. } => CommandKind::Moves(Verb::Cancel),
            Command::Note { .. } => CommandKind::Moves(Verb::Note),
            Command::Lapse { .. } => CommandKind::Unbound("lapse"),
        }
    }
}

impl Flow for Patrol {
    const KIND: FlowKind = FlowKind::Patrol;
    const NAMES: (&'static str, &'static str) = ("这次巡查", "patrol");
    const OTHER_LABELS: &'static [(&'static str, &'static str)] = &[
        ("plan", "安排巡查"),
        ("begin", "临时巡查"),
        ("upload", "上传轨迹"),
        ("lapse", "时限到点"),
    ];
    type Event = Event;

    fn decide_beginning(command: &Command, cx: &Context<'_>) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::Plan { new, occasion } => decide::plan_patrol(new, *occasion, cx),
            Command::Begin { new, time, late } => {
                decide::begin_patrol(new, *time, late.as_ref(), cx)
            }
            Command::Start { .. }
            | Command::Pause { .. }
            | Command::Resume { .. }
            | Command::Finish { .. }
            | Command::Cancel { .. }
            | Command::Note { .. }
            | Command::Lapse { .. } => Err(refuse_unasked::<Self>(command)),
        }
    }

    fn decide_next(&self, command: &Command, cx: &Context<'_>) -> Result<Vec<Event>, Refusal> {
        self.decide_existing(command, cx)
    }

    fn evolve(state: Option<Self>, event: &Event) -> Option<Self> {
        let Some(mut patrol) = state else {
            let Event::Made { patrol } = event else { return None };
            return Some((**patrol).clone());
        };
        if let Event::Noted { remark } = event {
            patrol.remarks.push(remark.clone());
            return Some(patrol);
        }
        if let Event::Started { window, .. } = event {
            patrol.window = *window;
        }
        patrol.status = patrol.status.with_event(event)?;
        Some(patrol)
    }

    fn obligations(&self) -> Vec<Obligation> {
        let owed = |term: &Term| Obligation {
            duty: Duty::Patrol,
            owed_by: self.area.clone(),
            term: term.clone(),
        };
        self.status.term().map(owed).into_iter().collect()
    }

    fn fulfils(event: &Event, obligation: &Obligation) -> bool {
        obligation.duty == Duty::Patrol && matches!(event, Event::Finished { .. })
    }

    fn id(&self) -> Uuid {
        self.id.0
    }
}

impl Status {
    /// The state after an event; none when the event cannot follow it.
    fn with_event(self, event: &Event) -> Option<Self> {
        match (self, event) {
            (Self::Planned { term }, Event::Started { run, .. }) => {
                Some(Self::Started { run: run.clone(), term: Some(term) })
            }
            (Self::Planned { .. }, Event::Cancelled { reason, by }) => {
                Some(Self::Cancelled { reason: reason.clone(), by: by.clone() })
            }
            (Self::Started { mut run, term }, Event::Paused { at }) => {
                run.pauses.push(Rest { from: at.at, until: None });
                Some(Self::Paused { run, term })
            }
            (Self::Paused { mut run, term }, Event::Resumed { at }) => {
                run.pauses.last_mut()?.until = Some(at.at);
                Some(Self::Started { run, term })
            }
            (
                Self::Started { mut run, .. } | Self::Paused { mut run, .. },
                Event::Finished { at, late },
            ) => {
                if let Some(rest) = run.pauses.last_mut() {
                    rest.until.get_or_insert(at.at);
                }
                run.finished = Some(*at);
                run.late_entry = run.late_entry.or_else(|| late.clone());
                Some(Self::Finished { run })
            }
            (Self::Planned { .. }, Event::Measured { term, .. }) => {
                Some(Self::Planned { term: term.clone() })
            }
            (Self::Started { run, .. }, Event::Measured { term, .. }) => {
                Some(Self::Started { run, term: Some(term.clone()) })
            }
            (Self::Paused { run, .. }, Event::Measured { term, .. }) => {
                Some(Self::Paused { run, term: Some(term.clone()) })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
