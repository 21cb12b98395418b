//! Plans of patrols (巡查计划): which area is walked on which days, and what each patrol covers.
//!
//! The scheduler makes the patrols of today and tomorrow. The plan itself records the days that
//! were made, so that only one of several replicas makes a day, and a later change of the plan
//! changes no patrol that was made.

use chrono::{DateTime, Datelike, Days, Duration, NaiveDate, NaiveTime, Weekday};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Instant,
    area::tree::Unit,
    calendar::book::Calendar,
    core::{
        disclosure::disclosed,
        id::{AreaId, PatrolId, PlanId},
        journal::{FlowKind, Hash},
        labelled_enum::labelled_enum,
        text::{Line, Prose},
        time::local_day,
    },
    flows::{
        flow::{Context, Flow},
        lifecycle::{CommandKind, Lifecycle, MoveTable, refuse_unasked},
        patrol::{Itinerary, New, Occasion, Purpose, Window},
        stored_event::JournalEvent,
    },
    people::actor::{Actor, Permission},
    rules::{obligation::Obligation, refusal::Refusal},
};

/// The days on which patrols take place.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "on", rename_all = "snake_case", deny_unknown_fields)]
pub enum Recurrence {
    /// Every day, holidays included.
    Daily {},
    /// Monday to Friday, whatever the calendar says.
    Weekdays {},
    /// On days on which offices are open by the calendar of the area.
    WorkingDays {},
    /// On some days of the week.
    Weekly {
        /// The weekdays: 1 is Monday, 7 Sunday.
        days: Vec<u8>,
    },
    /// Every so many days, beginning with the first day.
    EveryDays {
        /// The interval, from 1 to [`Recurrence::MOST_DAYS`].
        days: u32,
    },
}

impl Recurrence {
    /// The longest interval in days.
    pub const MOST_DAYS: u32 = 92;

    /// What is wrong with it, if anything.
    pub fn find_fault(&self) -> Option<&'static str> {
        match self {
            Self::Weekly { days } => {
                let mut distinct = days.clone();
                distinct.sort_unstable();
                distinct.dedup();
                let good = !days.is_empty()
                    && distinct.len() == days.len()
                    && days.iter().all(|day| (1..=7).contains(day));
                (!good).then_some("weekdays")
            }
            Self::EveryDays { days } => {
                (!(1..=Self::MOST_DAYS).contains(days)).then_some("every_days")
            }
            Self::Daily {} | Self::Weekdays {} | Self::WorkingDays {} => None,
        }
    }

    fn falls_on(&self, day: NaiveDate, first: NaiveDate, calendar: &Calendar) -> bool {
        let weekday = day.weekday();
        match self {
            Self::Daily {} => true,
            Self::Weekdays {} => !matches!(weekday, Weekday::Sat | Weekday::Sun),
            Self::WorkingDays {} => calendar.is_working_day(day),
            Self::Weekly { days } => {
                days.iter().any(|one| u32::from(*one) == weekday.number_from_monday())
            }
            Self::EveryDays { days } => {
                (day - first).num_days().rem_euclid(i64::from((*days).max(1))) == 0
            }
        }
    }
}

/// The content of a plan.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Content {
    /// Its name, for people.
    pub name: Line,
    /// The purpose of the patrols it makes.
    pub purpose: Purpose,
    /// The days of the patrols.
    pub recurrence: Recurrence,
    /// When the duty window begins, in the local time of China.
    pub at: NaiveTime,
    /// The length of the duty window, in minutes.
    pub window_minutes: u32,
    /// The first day.
    pub from: NaiveDate,
    /// The last day; without it, the plan holds until it is retired.
    pub until: Option<NaiveDate>,
    /// What each patrol covers.
    pub itinerary: Itinerary,
}

labelled_enum! {
    /// The status of a plan.
    Standing {
        /// Patrols are made by it.
        Active = "active", "执行中";
        /// It makes no more patrols.
        Retired = "retired", "已停用";
    }
}

labelled_enum! {
    /// The commands for a plan that exists.
    Verb {
        /// Changes its content.
        Amend = "amend", "修改";
        /// Ends the plan.
        Retire = "retire", "停用";
    }
}

/// Where each verb leads from each state; what is not listed is refused.
pub const MOVES: &[(Standing, Verb, Standing)] = &[
    (Standing::Active, Verb::Amend, Standing::Active),
    (Standing::Active, Verb::Retire, Standing::Retired),
];

/// A plan of patrols.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PatrolPlan {
    /// Its identity, given at its creation.
    pub id: PlanId,
    /// The area in which the patrols walk.
    pub area: Unit,
    /// Its content at present.
    pub content: Content,
    /// Its status at present.
    pub standing: Standing,
    /// When it was created.
    pub created_at: Instant,
    /// The last day a patrol was made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<NaiveDate>,
    /// The next day to make a patrol for, as far as is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<NaiveDate>,
}

/// The commands for a plan.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Creates a plan.
    Create {
        /// The identity it will have.
        id: PlanId,
        /// The area in which the patrols walk.
        area: AreaId,
        /// The content of the plan.
        content: Box<Content>,
    },
    /// Replaces the content.
    Amend {
        /// The new content.
        content: Box<Content>,
    },
    /// Ends the plan.
    Retire {
        /// The reasons, in words.
        reason: Prose,
    },
    /// Makes the next patrol. Only the system gives this command.
    Make,
}

/// The events of a plan.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// It was created.
    Created {
        /// Its initial state.
        plan: Box<PatrolPlan>,
    },
    /// Its content changed.
    Amended {
        /// The new content.
        content: Box<Content>,
        /// The next day to make a patrol for.
        next: Option<NaiveDate>,
    },
    /// It was retired.
    Retired {
        /// The reasons, in words.
        reason: Prose,
    },
    /// A patrol was made, or days were missed.
    Made {
        /// The day of the patrol; none when every day that was due passed before the system looked.
        day: Option<NaiveDate>,
        /// The next day.
        next: Option<NaiveDate>,
    },
}

// Events of plans appear in no timeline and no feed.
disclosed! {
    enum Event by "event" {
        Created { Withheld: plan }
        Amended { Withheld: content, next }
        Retired { Withheld: reason }
        Made { Withheld: day, next }
    }

    struct PatrolPlan { Open: id, area, content, standing, created_at, made, next }
    struct Content { Open: name, purpose, recurrence, at, window_minutes, from, until, itinerary }

    enum Recurrence by "on" {
        Daily {}
        Weekdays {}
        WorkingDays {}
        Weekly { Open: days }
        EveryDays { Open: days }
    }
}

impl JournalEvent for Event {}

impl PatrolPlan {
    /// Whether this actor may know of it.
    pub fn visible_to(&self, actor: &Actor, at: Instant) -> bool {
        [Permission::ManagePatrols, Permission::Patrol, Permission::ReadCases]
            .into_iter()
            .any(|permission| actor.may(permission, &self.area.path, at))
    }

    /// When the next patrol is to be made: at the beginning of the day before it, in China.
    pub fn next_at(&self) -> Option<Instant> {
        let next = self.next.filter(|_| self.standing == Standing::Active)?;
        next.checked_sub_days(Days::new(1)).and_then(|day| to_instant(day, NaiveTime::MIN))
    }

    /// The patrol of a day.
    pub fn new_patrol(&self, day: NaiveDate) -> Option<New> {
        let from = to_instant(day, self.content.at)?;
        let minutes = Duration::minutes(i64::from(self.content.window_minutes));
        let until = from.checked_add_signed(minutes)?;
        Some(New {
            id: self.patrol_id(day),
            area: self.area.id,
            purpose: self.content.purpose,
            window: Window { from, until },
            itinerary: self.content.itinerary.clone(),
        })
    }

    /// The identity of the patrol of a day, the same on every replica.
    pub fn patrol_id(&self, day: NaiveDate) -> PatrolId {
        PatrolId(Hash::digest(format!("patrol\n{}\n{day}", self.id).as_bytes()).to_uuid())
    }

    /// The occasion of a day.
    pub const fn new_occasion(&self, day: NaiveDate) -> Occasion {
        Occasion { plan: self.id, day }
    }

    /// Makes the patrol that is due: of the first day from today on that was not made, when that is
    /// today or tomorrow. Missed days are not made up.
    fn make_patrol(&self, cx: &Context<'_>) -> Result<Vec<Event>, Refusal> {
        let due = self.next_at().is_some_and(|at| at <= cx.at);
        if !cx.by.is_system() || self.standing != Standing::Active || !due {
            return Err(Refusal::NothingDue);
        }
        let today = local_day(cx.at);
        let calendar = cx.find_calendar(self.area.id);
        let day = find_next_day(&self.content, self.made, cx.at, calendar);
        let tomorrow = today.checked_add_days(Days::new(1)).unwrap_or(today);
        let day = match day {
            Some(day) if day <= tomorrow => day,
            later => return Ok(vec![Event::Made { day: None, next: later }]),
        };
        let next = find_next_day(&self.content, Some(day), cx.at, calendar);
        Ok(vec![Event::Made { day: Some(day), next }])
    }
}

/// The first day after the last one made on which the plan holds and its window is not over; none
/// when the plan has ended, or no such day comes within a year.
fn find_next_day(
    content: &Content,
    made: Option<NaiveDate>,
    now: Instant,
    calendar: &Calendar,
) -> Option<NaiveDate> {
    const MOST: usize = 400;
    let after = made.and_then(|day| day.succ_opt());
    let today = local_day(now);
    let minutes = Duration::minutes(i64::from(content.window_minutes));
    let end = to_instant(today, content.at).and_then(|from| from.checked_add_signed(minutes));
    // A window that is over cannot be walked.
    let over = end.is_some_and(|end| end <= now);
    let soonest = if over { today.succ_opt().unwrap_or(today) } else { today };
    let first = content.from.max(soonest).max(after.unwrap_or(soonest));
    first
        .iter_days()
        .take(MOST)
        .take_while(|day| content.until.is_none_or(|until| *day <= until))
        .find(|day| content.recurrence.falls_on(*day, content.from, calendar))
}

/// The instant of a local time in China.
fn to_instant(day: NaiveDate, time: NaiveTime) -> Option<Instant> {
    const EAST_H: i64 = 8;
    let utc = day.and_time(time).checked_sub_signed(Duration::hours(EAST_H))?;
    Some(DateTime::from_naive_utc_and_offset(utc, chrono::Utc))
}

/// Refuses a plan under which no patrol can ever take place.
fn check_content(content: &Content, cx: &Context<'_>) -> Result<(), Refusal> {
    const MOST_MINUTES: u32 = 16 * 60;
    if content.window_minutes == 0 {
        return Err(Refusal::EmptyPeriod);
    }
    if content.window_minutes > MOST_MINUTES {
        return Err(Refusal::ShiftTooLong { hours: Window::MAX_HOURS });
    }
    let over = content.until.is_some_and(|until| until < content.from.max(local_day(cx.at)));
    if over { Err(Refusal::EmptyPeriod) } else { Ok(()) }
}

impl Lifecycle for PatrolPlan {
    const NAME: &'static str = Self::KIND.name();
    type Stage = Standing;
    type Verb = Verb;
    type To = Standing;
    type Command = Command;
    const MOVES: MoveTable<Standing, Verb> = MoveTable::of(MOVES);
    const BEGINNINGS: &'static [&'static str] = &["create"];
    const REFUSES_BEGINNING_BY_STAGE: bool = true;

    fn stage(&self) -> Standing {
        self.standing
    }

    fn classify_command(command: &Command) -> CommandKind<Verb> {
        match command {
            Command::Create { .. } => CommandKind::Begins("create"),
            Command::Amend { .. } => CommandKind::Moves(Verb::Amend),
            Command::Retire { .. } => CommandKind::Moves(Verb::Retire),
            Command::Make => CommandKind::Unbound("make"),
        }
    }
}

impl Flow for PatrolPlan {
    const KIND: FlowKind = FlowKind::PatrolPlan;
    const NAMES: (&'static str, &'static str) = ("这个巡查计划", "plan of patrols");
    const OTHER_LABELS: &'static [(&'static str, &'static str)] = &[("create", "新建")];
    type Event = Event;

    fn decide_beginning(command: &Command, cx: &Context<'_>) -> Result<Vec<Event>, Refusal> {
        let Command::Create { id, area, content } = command else {
            return Err(refuse_unasked::<Self>(command));
        };
        create_plan(*id, *area, content, cx)
    }

    fn decide_next(&self, command: &Command, cx: &Context<'_>) -> Result<Vec<Event>, Refusal> {
        if matches!(command, Command::Make) {
            return self.make_patrol(cx);
        }
        cx.require_permission(Permission::ManagePatrols, &self.area.path, &self.area.name)?;
        Ok(vec![match command {
            Command::Amend { content } => {
                check_content(content, cx)?;
                let calendar = cx.find_calendar(self.area.id);
                let next = find_next_day(content, self.made, cx.at, calendar);
                Event::Amended { content: content.clone(), next }
            }
            Command::Retire { reason } => Event::Retired { reason: reason.clone() },
            Command::Create { .. } | Command::Make => return Err(refuse_unasked::<Self>(command)),
        }])
    }

    fn evolve(state: Option<Self>, event: &Event) -> Option<Self> {
        let Some(mut plan) = state else {
            let Event::Created { plan } = event else { return None };
            return Some((**plan).clone());
        };
        match event {
            Event::Created { .. } => return None,
            Event::Amended { content, next } => {
                plan.content = (**content).clone();
                plan.next = *next;
            }
            Event::Retired { .. } => {
                plan.standing = Standing::Retired;
                plan.next = None;
            }
            Event::Made { day, next } => {
                plan.made = day.or(plan.made);
                plan.next = *next;
            }
        }
        Some(plan)
    }

    fn obligations(&self) -> Vec<Obligation> {
        Vec::new()
    }

    fn fulfils(_: &Event, _: &Obligation) -> bool {
        false
    }

    fn id(&self) -> Uuid {
        self.id.0
    }
}

fn create_plan(
    id: PlanId,
    area: AreaId,
    content: &Content,
    cx: &Context<'_>,
) -> Result<Vec<Event>, Refusal> {
    let area = crate::flows::patrol::require_territory(area, cx)?;
    cx.require_permission(Permission::ManagePatrols, &area.path, &area.name)?;
    check_content(content, cx)?;
    let next = find_next_day(content, None, cx.at, cx.find_calendar(area.id));
    let plan = PatrolPlan {
        id,
        area: area.unit(),
        content: content.clone(),
        standing: Standing::Active,
        created_at: cx.at,
        made: None,
        next,
    };
    Ok(vec![Event::Created { plan: Box::new(plan) }])
}
