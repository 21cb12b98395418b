//! The commands for patrols: who may give them, and which times are accepted.

use chrono::Duration;

use super::{
    Command, Event, Moment, New, Occasion, Patrol, Remark, Run, Status, StatusName, Window,
};
use crate::{
    Instant,
    area::tree::{Area, AreaKind},
    calendar::limit::Limit,
    core::{
        arrival::Skew,
        text::Prose,
        time::{saturating_add, saturating_sub},
    },
    flows::{flow::Context, lifecycle::refuse_unasked},
    people::actor::Permission,
    rules::{obligation::Term, refusal::Refusal, vocabulary::MeasureKind},
};

/// A territory small enough to be walked, as the area of a patrol.
pub(crate) fn require_territory<'a>(
    id: crate::core::id::AreaId,
    cx: &Context<'a>,
) -> Result<&'a Area, Refusal> {
    let area = cx.require_area(id)?;
    if area.kind == AreaKind::Department {
        return Err(Refusal::NotATerritory { unit: area.name.clone() });
    }
    Ok(area)
}

/// Plans a patrol: by hand, or by the system for a day of a plan.
pub(super) fn plan_patrol(
    new: &New,
    occasion: Option<Occasion>,
    cx: &Context<'_>,
) -> Result<Vec<Event>, Refusal> {
    let area = require_territory(new.area, cx)?;
    if !(cx.by.is_system() && occasion.is_some()) {
        cx.require_permission(Permission::ManagePatrols, &area.path, &area.name)?;
        let latest = saturating_add(cx.at, Duration::days(MOST_AHEAD_DAYS));
        if new.window.until <= cx.at || new.window.from > latest {
            return Err(Refusal::OutsideWindow { earliest: cx.at, latest });
        }
    }
    let window = new.window.check()?;
    let term = new_term(window, cx, area);
    Ok(vec![new_patrol_event(new, area, Status::Planned { term }, (true, occasion), cx)])
}

/// The most days ahead a patrol is planned.
const MOST_AHEAD_DAYS: i64 = 92;

/// The obligation: a walk by the end of the window. Its clock comes from the plan, not from the
/// matrix of deadlines.
fn new_term(window: Window, cx: &Context<'_>, area: &Area) -> Term {
    let minutes = (window.until - window.from).num_minutes();
    let mut term = Term {
        no: cx.seq,
        started_at: window.from,
        limit: Limit::minutes(u32::try_from(minutes).unwrap_or(0)),
        due_at: window.until,
        rule: "patrol".to_owned(),
        rules: 0,
        calendar: cx.rules.calendars.no,
        provisional: false,
        moves: Vec::new(),
        taken: 0,
        next_at: None,
    };
    term.next_at = cx.rules.next_measure(&term, cx.find_calendar(area.id));
    term
}

fn new_patrol_event(
    new: &New,
    area: &Area,
    status: Status,
    (planned, occasion): (bool, Option<Occasion>),
    cx: &Context<'_>,
) -> Event {
    let patrol = Patrol {
        id: new.id,
        number: cx.new_number('P', new.id.0, new.window.from),
        area: area.unit(),
        purpose: new.purpose,
        window: new.window,
        itinerary: new.itinerary.clone(),
        occasion,
        planned,
        created_at: cx.at,
        remarks: Vec::new(),
        status,
    };
    Event::Made { patrol: Box::new(patrol) }
}

/// Begins a patrol that was not planned.
pub(super) fn begin_patrol(
    new: &New,
    time: Option<Instant>,
    late: Option<&Prose>,
    cx: &Context<'_>,
) -> Result<Vec<Event>, Refusal> {
    let area = require_territory(new.area, cx)?;
    cx.require_permission(Permission::Patrol, &area.path, &area.name)?;
    let run = start_run(new.window.check()?, time, late, cx)?;
    Ok(vec![new_patrol_event(new, area, Status::Started { run, term: None }, (false, None), cx)])
}

/// Starts the run of the actor.
fn start_run(
    window: Window,
    time: Option<Instant>,
    late: Option<&Prose>,
    cx: &Context<'_>,
) -> Result<Run, Refusal> {
    let started = check_moment(time, cx.skew(), cx)?;
    if !window.contains(started.at) {
        return Err(Refusal::OutsideWindow { earliest: window.from, latest: window.until });
    }
    require_explanation(started, late, cx)?;
    Ok(Run {
        worker: cx.by.person,
        worker_name: cx.by.name.clone(),
        started,
        pauses: Vec::new(),
        finished: None,
        late_entry: late.cloned(),
    })
}

/// A moment by the phone's clock, corrected by its skew; refused outside the bounds of a clock that
/// is merely wrong (as for reports).
fn check_moment(time: Option<Instant>, skew: Skew, cx: &Context<'_>) -> Result<Moment, Refusal> {
    const SLACK_S: i64 = 120;
    let received_at = cx.at;
    let Some(given) = cx.find_client_time(time) else {
        return Ok(Moment { at: received_at, received_at, clock_ahead: false, skew });
    };
    let at = skew.correct_time(given);
    let latest =
        saturating_add(cx.at, Duration::hours(i64::from(cx.rules.conduct.clock_ahead_hours)));
    let earliest =
        saturating_sub(cx.at, Duration::days(i64::from(cx.rules.conduct.report_age_days)));
    if at > latest || at < earliest {
        return Err(Refusal::ClientTime { given, earliest, latest });
    }
    let clock_ahead = given > saturating_add(cx.at, Duration::seconds(SLACK_S));
    Ok(Moment { at, received_at, clock_ahead, skew })
}

/// Refuses a late entry without a reason. What was entered in time and only arrived late is no late
/// entry.
fn require_explanation(
    moment: Moment,
    late: Option<&Prose>,
    cx: &Context<'_>,
) -> Result<(), Refusal> {
    let hours = cx.rules.conduct.tracking.late_hours;
    let long = cx.typed_at() - moment.at > Duration::hours(i64::from(hours));
    if long && late.is_none() { Err(Refusal::LateUnexplained { hours }) } else { Ok(()) }
}

/// The next moment of the run: not before the last one.
fn check_next_moment(
    run: &Run,
    time: Option<Instant>,
    cx: &Context<'_>,
) -> Result<Moment, Refusal> {
    // Corrected by the skew at the start: two measurements of one clock never agree to the
    // millisecond.
    let moment = check_moment(time, run.started.skew, cx)?;
    let earliest = run.last_moment();
    if moment.at < earliest {
        return Err(Refusal::OutsideWindow { earliest, latest: cx.at });
    }
    Ok(moment)
}

impl Patrol {
    /// Decides a command on a patrol that exists.
    pub(super) fn decide_existing(
        &self,
        command: &Command,
        cx: &Context<'_>,
    ) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::Start { window, time, late } => {
                cx.require_permission(Permission::Patrol, &self.area.path, &self.area.name)?;
                let window = window.unwrap_or(self.window).check()?;
                Ok(vec![Event::Started {
                    run: start_run(window, *time, late.as_ref(), cx)?,
                    window,
                }])
            }
            Command::Pause { time } => {
                let run = self.require_own_run(cx)?;
                if run.pauses.len() >= Run::MOST_PAUSES {
                    return Err(Refusal::TooMany { what: "pauses", max: Run::MOST_PAUSES });
                }
                Ok(vec![Event::Paused { at: check_next_moment(run, *time, cx)? }])
            }
            Command::Resume { time } => {
                let run = self.require_own_run(cx)?;
                Ok(vec![Event::Resumed { at: check_next_moment(run, *time, cx)? }])
            }
            Command::Finish { time, late, note } => {
                self.finish_run(*time, late.as_ref(), note.as_ref(), cx)
            }
            Command::Cancel { reason } => {
                cx.require_permission(Permission::ManagePatrols, &self.area.path, &self.area.name)?;
                Ok(vec![Event::Cancelled { reason: reason.clone(), by: cx.by.name.clone() }])
            }
            Command::Note { text } => Ok(vec![self.add_remark(text, cx)?]),
            Command::Lapse { term } => self.take_measure(*term, cx),
            Command::Plan { .. } | Command::Begin { .. } => Err(refuse_unasked::<Self>(command)),
        }
    }

    fn finish_run(
        &self,
        time: Option<Instant>,
        late: Option<&Prose>,
        note: Option<&Prose>,
        cx: &Context<'_>,
    ) -> Result<Vec<Event>, Refusal> {
        let run = self.require_own_run(cx)?;
        let at = check_next_moment(run, time, cx)?;
        if run.late_entry.is_none() {
            require_explanation(at, late, cx)?;
        }
        let noted = note.map(|text| self.add_remark(text, cx)).transpose()?;
        let finished = Event::Finished { at, late: late.cloned() };
        Ok(std::iter::once(finished).chain(noted).collect())
    }

    /// The run of the actor; refuses everyone else, and an actor who may no longer walk there.
    fn require_own_run(&self, cx: &Context<'_>) -> Result<&Run, Refusal> {
        cx.require_permission(Permission::Patrol, &self.area.path, &self.area.name)?;
        let run = self.status.run().ok_or(Refusal::NothingDue)?;
        if run.worker == cx.by.person {
            Ok(run)
        } else {
            Err(Refusal::NotYourPatrol { worker: run.worker_name.clone() })
        }
    }

    fn add_remark(&self, text: &Prose, cx: &Context<'_>) -> Result<Event, Refusal> {
        if self.worker() != Some(cx.by.person) {
            cx.require_permission(Permission::ManagePatrols, &self.area.path, &self.area.name)?;
        }
        if self.remarks.len() >= Self::MOST_REMARKS {
            return Err(Refusal::TooMany { what: "remarks", max: Self::MOST_REMARKS });
        }
        let (by, text) = (cx.by.name.clone(), text.clone());
        Ok(Event::Noted { remark: Remark { at: cx.at, by, text } })
    }

    /// Takes the next measure about the obligation: the grid is reminded, then urged. No unit is
    /// supervised or listed for a walk that was not taken (section E.9 of the field research).
    fn take_measure(&self, no: i64, cx: &Context<'_>) -> Result<Vec<Event>, Refusal> {
        if !cx.by.is_system() {
            let area = self.area.name.clone();
            return Err(Refusal::NotPermitted { permission: Permission::Supervise, area });
        }
        let term = self.status.term().filter(|term| term.no == no);
        let mut term = term.ok_or(Refusal::NothingDue)?.clone();
        if term.next_at.is_none_or(|next| cx.at < next) {
            return Err(Refusal::NothingDue);
        }
        let what = cx.rules.measure_kind(term.taken).ok_or(Refusal::NothingDue)?;
        term.taken = term.taken.saturating_add(1);
        let mild = |what| matches!(what, MeasureKind::Remind | MeasureKind::Urge);
        let goes_on = cx.rules.measure_kind(term.taken).is_some_and(mild);
        let next = cx.rules.next_measure(&term, cx.find_calendar(self.area.id));
        term.next_at = next.filter(|_| goes_on);
        let what = if mild(what) { what } else { MeasureKind::Urge };
        Ok(vec![Event::Measured { what, term }])
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        matches!(self.status.name(), StatusName::Finished | StatusName::Cancelled)
    }
}
