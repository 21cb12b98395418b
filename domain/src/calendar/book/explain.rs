//! The derivation of a deadline, for people who ask how it came about.

use chrono::NaiveDate;
use serde::Serialize;

use super::{
    Calendar, Pause,
    clock::Weekday,
    compile::{DayKind, notice_days},
    due::{Found, to_instant, to_local_millis},
    schedule::Basis,
    table::{DAY, FIRST_DAY, day_of, merge_stretches, start_of},
};
use crate::{
    Instant,
    calendar::limit::{Limit, LimitUnit},
};

/// The most days listed one by one.
pub const MAX_DAYS_SHOWN: usize = 62;
/// The most pauses listed one by one.
pub const MAX_PAUSES_SHOWN: usize = 100;

/// How a deadline was computed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Working {
    /// When the clock started.
    pub started_at: Instant,
    /// How long it runs.
    pub limit: Limit,
    /// When it is late.
    pub due_at: Instant,
    /// Whether the deadline may move.
    pub provisional: bool,
    /// The years whose missing notice makes it provisional.
    pub provisional_years: Vec<i32>,
    /// The rule by which the limit ends.
    pub basis: Basis,
    /// That rule in words.
    pub rule: &'static str,
    /// The days from the start to the end, the first [`MAX_DAYS_SHOWN`].
    pub days: Vec<DayShown>,
    /// A summary of the days after those.
    pub rest: Option<Rest>,
    /// The pauses that moved the end, overlapping ones as one; the first [`MAX_PAUSES_SHOWN`].
    pub pauses: Vec<CountedPause>,
    /// How many pauses there are besides.
    pub more_pauses: usize,
    /// How much counted time all pauses took together, in seconds.
    pub paused_seconds: i64,
}

/// One day of a working.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct DayShown {
    /// The date, in China.
    pub date: NaiveDate,
    /// Its day of the week.
    pub weekday: Weekday,
    /// Why it is a working day or not.
    pub kind: DayKind,
    /// The name of the holiday, or the reason for special hours.
    pub name: Option<String>,
    /// Whether the notice that decides about it is missing.
    pub provisional: bool,
    /// The time that counted, without pauses.
    pub stretches: Vec<Stretch>,
    /// The time that counted, in seconds.
    pub seconds: i64,
}

/// A range of time that counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Stretch {
    /// Where it begins, inclusive.
    pub from: Instant,
    /// Where it ends, exclusive.
    pub until: Instant,
    /// Its whole minutes.
    pub minutes: i64,
}

/// A summary of the days that are not listed one by one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Rest {
    /// How many days they are.
    pub days: i64,
    /// How many of them are worked.
    pub working_days: i64,
    /// The time that counted on them, in seconds.
    pub seconds: i64,
}

/// A pause and the counted time it took.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct CountedPause {
    /// When the clock stopped.
    pub from: Instant,
    /// When it went on.
    pub until: Instant,
    /// The counted time it took, in seconds.
    pub seconds: i64,
}

impl Calendar {
    /// Explains [`Calendar::compute_paused_due`]. The listed time is what counts towards the unit;
    /// where the limit ends with a day, the list explains the end but does not determine it.
    pub fn explain_due(&self, start: Instant, limit: Limit, pauses: &[Pause]) -> Working {
        let (found, stops) = self.find_paused_end(to_local_millis(start), limit, pauses);
        self.build_working(start, limit, &found, &stops)
    }

    /// Explains a deadline that more than pauses changed: the time counted from its start to its
    /// present end.
    pub fn explain_until(
        &self,
        start: Instant,
        limit: Limit,
        due: Instant,
        pauses: &[Pause],
    ) -> Working {
        let (from, until) =
            (to_local_millis(start), to_local_millis(due).max(to_local_millis(start)));
        let looked = match limit.unit {
            LimitUnit::WorkingHour | LimitUnit::WorkingDay | LimitUnit::SameDay => {
                Some((day_of(from), day_of(until.saturating_sub(1)).max(day_of(from))))
            }
            LimitUnit::Minute | LimitUnit::Hour | LimitUnit::Day => None,
        };
        let clipped = |pause: &Pause| {
            (to_local_millis(pause.from).max(from), to_local_millis(pause.until).min(until))
        };
        let stops = merge_stretches(pauses.iter().map(clipped).collect());
        self.build_working(start, limit, &Found { at: until, looked, beyond: false }, &stops)
    }

    fn build_working(
        &self,
        start: Instant,
        limit: Limit,
        found: &Found,
        stops: &[(i64, i64)],
    ) -> Working {
        let due = self.to_due(found);
        let view = View { calendar: self, unit: limit.unit, paused: stops, end: found.at };
        let basis = self.convention.basis(limit.unit);
        let years = if due.provisional { found.looked } else { None };
        let (days, rest) = view.build_days(to_local_millis(start));
        let stopped: i64 = stops.iter().map(|stop| self.count_time(*stop, limit.unit)).sum();
        Working {
            started_at: to_instant(to_local_millis(start)),
            limit,
            due_at: due.at,
            provisional: due.provisional,
            provisional_years: years.map_or_else(Vec::new, |days| self.find_missing_years(days)),
            basis,
            rule: basis.label(),
            days,
            rest,
            pauses: stops
                .iter()
                .take(MAX_PAUSES_SHOWN)
                .map(|stop| view.count_pause(*stop))
                .collect(),
            more_pauses: stops.len().saturating_sub(MAX_PAUSES_SHOWN),
            paused_seconds: stopped / 1000,
        }
    }

    /// The years without a notice that decide about days from the first to the last.
    fn find_missing_years(&self, (first, last): (i64, i64)) -> Vec<i32> {
        let touched =
            |year: &i32| notice_days(*year).is_some_and(|days| days.0 <= last && first < days.1);
        let missing = (2000..=2101).filter(|year| !self.published.contains(year));
        missing.filter(touched).collect()
    }
}

/// The inputs of one explanation.
struct View<'a> {
    calendar: &'a Calendar,
    unit: LimitUnit,
    paused: &'a [(i64, i64)],
    end: i64,
}

impl View<'_> {
    /// The first days one by one, and a summary of the rest.
    fn build_days(&self, start: i64) -> (Vec<DayShown>, Option<Rest>) {
        let first = day_of(start);
        let last = day_of(self.end.saturating_sub(1)).max(first);
        let next = first.saturating_add(i64::try_from(MAX_DAYS_SHOWN).unwrap_or(0));
        let shown = first..next.min(last.saturating_add(1));
        let days = shown.filter_map(|day| self.build_day(day, start)).collect();
        (days, (next <= last).then(|| self.build_rest(next, last)))
    }

    fn build_day(&self, day: i64, start: i64) -> Option<DayShown> {
        let midnight = start_of(day);
        let date = date_of(day)?;
        let (kind, name) = self.calendar.day_kind(day, date);
        let from = start.max(midnight);
        let until = self.end.min(midnight.saturating_add(DAY));
        let open: Vec<_> =
            self.open_windows(day).into_iter().map(|(a, b)| (a.max(from), b.min(until))).collect();
        let counted: Vec<_> =
            open.into_iter().flat_map(|window| self.subtract_pauses(window)).collect();
        let stretch = |(from, until): &(i64, i64)| Stretch {
            from: to_instant(*from),
            until: to_instant(*until),
            minutes: (until - from) / 60_000,
        };
        Some(DayShown {
            date,
            weekday: Weekday::from_date(date),
            kind,
            name,
            provisional: self.calendar.has_unknown_day((day, day)),
            stretches: counted.iter().map(stretch).collect(),
            seconds: counted.iter().map(|(from, until)| until - from).sum::<i64>() / 1000,
        })
    }

    /// The ranges of a day in which time counts.
    fn open_windows(&self, day: i64) -> Vec<(i64, i64)> {
        let midnight = start_of(day);
        match self.unit {
            LimitUnit::WorkingHour | LimitUnit::WorkingDay => {
                let windows =
                    self.calendar.table.hours(day).map_or(&[][..], |hours| hours.windows());
                windows.iter().map(|(from, until)| (midnight + from, midnight + until)).collect()
            }
            LimitUnit::Minute | LimitUnit::Hour | LimitUnit::Day | LimitUnit::SameDay => {
                vec![(midnight, midnight.saturating_add(DAY))]
            }
        }
    }

    /// A range of time without its pauses.
    fn subtract_pauses(&self, (from, until): (i64, i64)) -> Vec<(i64, i64)> {
        let mut left = Vec::new();
        let mut next = from;
        for pause in self.paused.iter().filter(|pause| pause.0 < until && from < pause.1) {
            left.push((next, pause.0));
            next = pause.1;
        }
        left.push((next, until));
        left.retain(|(from, until)| from < until);
        left
    }

    fn build_rest(&self, first: i64, last: i64) -> Rest {
        let table = &self.calendar.table;
        let whole = (start_of(first), self.end);
        let inside = |pause: &(i64, i64)| (pause.0.max(whole.0), pause.1.min(whole.1));
        let paused = self.paused.iter().map(inside).filter(|(from, until)| from < until);
        let paused: i64 = paused.map(|pause| self.calendar.count_time(pause, self.unit)).sum();
        let after = last.saturating_add(1);
        Rest {
            days: after.saturating_sub(first),
            working_days: table.working_days_before(after) - table.working_days_before(first),
            seconds: (self.calendar.count_time(whole, self.unit) - paused) / 1000,
        }
    }

    fn count_pause(&self, pause: (i64, i64)) -> CountedPause {
        let seconds = self.calendar.count_time(pause, self.unit) / 1000;
        CountedPause { from: to_instant(pause.0), until: to_instant(pause.1), seconds }
    }
}

/// The date of a day of the table; none outside the range of dates.
fn date_of(day: i64) -> Option<NaiveDate> {
    let days = chrono::TimeDelta::try_days(day.checked_add(FIRST_DAY)?)?;
    NaiveDate::default().checked_add_signed(days)
}
