//! Plans of patrols (巡查计划): which area is walked on which days, and what is to be seen.
//!
//! The clockwork makes the patrols of today and tomorrow. That a day was made stands in the plan
//! itself, so that of several replicas one makes it, and what a plan becomes later changes no
//! patrol that was made.

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

/// On which days.
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
        /// Which: 1 is Monday, 7 Sunday.
        days: Vec<u8>,
    },
    /// Every so many days from the first on.
    EveryDays {
        /// From 1 to [`Recurrence::MOST_DAYS`].
        days: u32,
    },
}

impl Recurrence {
    /// The most days between two.
    pub const MOST_DAYS: u32 = 92;

    /// What is wrong with it, if anything is.
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

/// What a plan says.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Content {
    /// What it is called.
    pub name: Line,
    /// The purpose of the patrols it makes.
    pub purpose: Purpose,
    /// On which days.
    pub recurrence: Recurrence,
    /// When the duty window begins, on the clocks of China.
    pub at: NaiveTime,
    /// How long it is, in minutes.
    pub window_minutes: u32,
    /// From which day on.
    pub from: NaiveDate,
    /// Until which day; without it, until it is retired.
    pub until: Option<NaiveDate>,
    /// What is to be seen.
    pub itinerary: Itinerary,
}

labelled_enum! {
    /// How a plan stands.
    Standing {
        /// Patrols are made by it.
        Active = "active", "执行中";
        /// It makes no more patrols.
        Retired = "retired", "已停用";
    }
}

labelled_enum! {
    /// What may be asked of a plan that exists.
    Verb {
        /// Change what it says.
        Amend = "amend", "修改";
        /// Make no more patrols by it.
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
    /// The identity the plan got when it was made.
    pub id: PlanId,
    /// The area in which the patrols walk.
    pub area: Unit,
    /// What it says.
    pub content: Content,
    /// How it stands.
    pub standing: Standing,
    /// When it was made.
    pub created_at: Instant,
    /// The last day a patrol was made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<NaiveDate>,
    /// The next day a patrol is to be made for, as far as is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<NaiveDate>,
}

/// What may be asked of a plan.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Make a plan of patrols.
    Create {
        /// The identity it will have.
        id: PlanId,
        /// The area in which the patrols walk.
        area: AreaId,
        /// What it says.
        content: Box<Content>,
    },
    /// Change what it says, as a whole.
    Amend {
        /// What it says from now on.
        content: Box<Content>,
    },
    /// Make no more patrols by it.
    Retire {
        /// The reasons, in words.
        reason: Prose,
    },
    /// Make the next patrol. Only the system asks it.
    Make,
}

/// What can have happened to a plan.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// It was made; the whole of it.
    Created {
        /// The plan as it began.
        plan: Box<PatrolPlan>,
    },
    /// It says something else.
    Amended {
        /// What it says from now on, as a whole.
        content: Box<Content>,
        /// The next day a patrol is to be made for.
        next: Option<NaiveDate>,
    },
    /// It is over.
    Retired {
        /// The reasons, in words.
        reason: Prose,
    },
    /// A patrol was made, or a day went by.
    Made {
        /// For which day; none when every day that was due went by before the system looked.
        day: Option<NaiveDate>,
        /// The next day.
        next: Option<NaiveDate>,
    },
}

// No timeline and no feed tells of plans.
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

    /// The identity of the patrol of a day: the same, no matter which replica makes it.
    pub fn patrol_id(&self, day: NaiveDate) -> PatrolId {
        PatrolId(Hash::digest(format!("patrol\n{}\n{day}", self.id).as_bytes()).to_uuid())
    }

    /// The occasion of a day.
    pub const fn new_occasion(&self, day: NaiveDate) -> Occasion {
        Occasion { plan: self.id, day }
    }

    /// Makes what is due: the first day from today on that was not made, when that is today or
    /// tomorrow. Days that went by unseen are not made up.
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

/// The first day after the last that was made on which the plan holds and can still be walked;
/// none when the plan is over, or no such day comes within a year.
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

/// A time of a day on the clocks of China.
fn to_instant(day: NaiveDate, time: NaiveTime) -> Option<Instant> {
    const EAST_H: i64 = 8;
    let utc = day.and_time(time).checked_sub_signed(Duration::hours(EAST_H))?;
    Some(DateTime::from_naive_utc_and_offset(utc, chrono::Utc))
}

/// Refuses a plan that can never be walked.
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
