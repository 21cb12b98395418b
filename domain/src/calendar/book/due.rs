//! Deadlines: adds limits to instants.

use chrono::Duration;

use super::{
    Calendar, Due, Pause,
    schedule::{DayRule, WorkingDayRule},
    table::{DAY, END, MINUTE, day_of, merge_stretches, start_of},
};
use crate::{
    Instant,
    calendar::limit::{Limit, LimitUnit},
};

/// The offset of China from UTC, in milliseconds.
const EAST: i64 = 8 * 60 * MINUTE;

/// The local time of China, in milliseconds.
pub(super) fn to_local_millis(at: Instant) -> i64 {
    at.timestamp_millis().saturating_add(EAST)
}

/// The instant of a local time, clamped to the representable range.
pub(super) fn to_instant(time: i64) -> Instant {
    let nearest = if time < 0 { Instant::MIN_UTC } else { Instant::MAX_UTC };
    Instant::from_timestamp_millis(time.saturating_sub(EAST)).unwrap_or(nearest)
}

/// An end, and the days that had to be examined to find it.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub(super) at: i64,
    /// The first and the last day examined; none for continuous time.
    pub(super) looked: Option<(i64, i64)>,
    /// Whether it lies beyond the years that can be computed.
    pub(super) beyond: bool,
}

impl Found {
    fn from_time(at: i64) -> Self {
        let beyond = Instant::from_timestamp_millis(at.saturating_sub(EAST)).is_none();
        Self { at, looked: None, beyond }
    }

    fn from_days(at: i64, first: i64) -> Self {
        Self { at, looked: Some((first, day_of(at.saturating_sub(1)).max(first))), beyond: false }
    }

    /// The result beyond the span: its end, or `start` where that is later.
    fn past_span(start: i64) -> Self {
        Self { at: start.max(END), looked: None, beyond: true }
    }
}

/// Whether a unit stops outside working hours.
const fn is_working_unit(unit: LimitUnit) -> bool {
    match unit {
        LimitUnit::WorkingHour | LimitUnit::WorkingDay => true,
        LimitUnit::Minute | LimitUnit::Hour | LimitUnit::Day | LimitUnit::SameDay => false,
    }
}

impl Calendar {
    /// When something begun at `start` is late.
    ///
    /// Working time ends at the earliest instant by which enough was worked: at closing, not at the
    /// next opening. A limit of zero ends at once. [`LimitUnit::SameDay`] ends at 24:00 of the day
    /// of `start`, whatever the amount; if that is no working day, or `start` is at or after its
    /// closing, at 24:00 of the next working day.
    pub fn compute_due(&self, start: Instant, limit: Limit) -> Due {
        let time = to_local_millis(start);
        self.to_due(&self.find_end(time, time, limit))
    }

    /// When something begun at `start` is late, with pauses of the clock.
    ///
    /// Each pause moves the end by the counted time it covers: by its working time for working
    /// units, by its plain length for the others, even where the end is that of a day. Pauses may
    /// come in any order and overlap; what lies before `start` or after the end does not count.
    /// Pass a pause that is still running as ending now.
    pub fn compute_paused_due(&self, start: Instant, limit: Limit, pauses: &[Pause]) -> Due {
        self.to_due(&self.find_paused_end(to_local_millis(start), limit, pauses).0)
    }

    /// Adds another limit to an end: an extension.
    ///
    /// It differs from [`Calendar::compute_due`] where days are counted whole: an end at 24:00
    /// belongs to the day that ends there, and that day is the one not counted.
    pub fn add_limit(&self, from: Instant, limit: Limit) -> Due {
        let time = to_local_millis(from);
        self.to_due(&self.find_end(time, time.saturating_sub(1), limit))
    }

    /// Moves an end by a pause: by its working time for working units, by its plain length for the
    /// others.
    pub fn shift_by_pause(&self, due: Instant, pause: Pause, unit: LimitUnit) -> Due {
        let (from, until) = (
            to_local_millis(pause.from),
            to_local_millis(pause.until).max(to_local_millis(pause.from)),
        );
        let end = to_local_millis(due);
        self.to_due(&if is_working_unit(unit) {
            self.add_working_time(
                end,
                self.table.working_time_until(until) - self.table.working_time_until(from),
            )
        } else {
            Found::from_time(end.saturating_add(until - from))
        })
    }

    /// When so many percent of the time from `start` to `due` have passed: of working time for
    /// working units. More than a hundred percent lies after the end.
    pub fn instant_at_percent(
        &self,
        start: Instant,
        due: Instant,
        percent: u8,
        unit: LimitUnit,
    ) -> Instant {
        let (from, until) =
            (to_local_millis(start), to_local_millis(due).max(to_local_millis(start)));
        if percent == 100 {
            return to_instant(until);
        }
        let part = |whole: i64| whole.saturating_mul(i64::from(percent)) / 100;
        if is_working_unit(unit) {
            let work = self.table.working_time_until(until) - self.table.working_time_until(from);
            to_instant(self.add_working_time(from, part(work)).at)
        } else {
            to_instant(from.saturating_add(part(until.saturating_sub(from))))
        }
    }

    /// The working time from one instant to another; zero if they are in the wrong order.
    pub fn working_time_between(&self, from: Instant, until: Instant) -> Duration {
        let work = self.table.working_time_until(to_local_millis(until))
            - self.table.working_time_until(to_local_millis(from));
        Duration::milliseconds(work.max(0))
    }

    /// Whether a day is a working day; false outside the known years.
    pub fn is_working_day(&self, day: chrono::NaiveDate) -> bool {
        let days = (day - chrono::DateTime::UNIX_EPOCH.date_naive()).num_days();
        self.table.is_working_day(day_of(days.saturating_mul(DAY))).unwrap_or(false)
    }

    /// Whether offices are open.
    pub fn is_open(&self, at: Instant) -> bool {
        self.table.is_open(to_local_millis(at))
    }

    /// The earliest instant from `at` on at which offices are open.
    pub fn next_opening(&self, at: Instant) -> Due {
        let time = to_local_millis(at);
        let opening = self.table.next_opening(time);
        // The day of an opening itself must be examined, hence the extra millisecond.
        let found =
            opening.map(|open| Found { at: open, ..Found::from_days(open + 1, day_of(time)) });
        self.to_due(&found.unwrap_or_else(|| Found::past_span(time)))
    }

    pub(super) fn to_due(&self, found: &Found) -> Due {
        let provisional =
            found.beyond || found.looked.is_some_and(|days| self.has_unknown_day(days));
        Due { at: to_instant(found.at), provisional }
    }

    /// Whether a notice is missing for one of the days from the first to the last.
    pub(super) fn has_unknown_day(&self, (first, last): (i64, i64)) -> bool {
        let next = self.unknown.partition_point(|(_, until)| *until <= first);
        self.unknown.get(next).is_some_and(|(from, _)| *from <= last)
    }

    /// The end of a limit without pauses. `counted` is the day that counts as the day of the start.
    fn find_end(&self, start: i64, counted: i64, limit: Limit) -> Found {
        let amount = i64::from(limit.amount);
        let plain = |unit: i64| Found::from_time(start.saturating_add(amount.saturating_mul(unit)));
        match limit.unit {
            LimitUnit::Minute => plain(MINUTE),
            LimitUnit::Hour => plain(60 * MINUTE),
            LimitUnit::WorkingHour => {
                self.add_working_time(start, amount.saturating_mul(60 * MINUTE))
            }
            LimitUnit::Day => match self.convention.day {
                DayRule::Elapsed => plain(DAY),
                DayRule::Civil { roll } => {
                    self.add_civil_days(start, day_of(counted), amount, roll)
                }
            },
            LimitUnit::WorkingDay => match self.convention.working_day {
                WorkingDayRule::Elapsed { minutes_per_day } => {
                    let day = i64::from(minutes_per_day).saturating_mul(MINUTE);
                    self.add_working_time(start, amount.saturating_mul(day))
                }
                WorkingDayRule::EndOfDay => self.add_working_days(start, day_of(counted), amount),
            },
            LimitUnit::SameDay => self.find_same_day_end(start, counted),
        }
    }

    /// Adds working time.
    fn add_working_time(&self, start: i64, work: i64) -> Found {
        if work <= 0 {
            return Found::from_time(start);
        }
        let end =
            self.table.find_work_end(self.table.working_time_until(start).saturating_add(work));
        end.map_or_else(|| Found::past_span(start), |at| Found::from_days(at, day_of(start)))
    }

    fn add_working_days(&self, start: i64, day: i64, amount: i64) -> Found {
        if amount == 0 {
            return Found::from_time(start);
        }
        let last = self.table.working_day_after(day, amount);
        let closing = last.and_then(|last| self.table.closing_time(last));
        closing.map_or_else(|| Found::past_span(start), |at| Found::from_days(at, day))
    }

    fn add_civil_days(&self, start: i64, day: i64, amount: i64, roll: bool) -> Found {
        if amount == 0 {
            return Found::from_time(start);
        }
        let last = day.saturating_add(amount);
        let end = start_of(last.saturating_add(1));
        match self.table.is_working_day(last) {
            Some(false) if roll => match self.table.working_day_after(last, 1) {
                Some(next) => Found::from_days(start_of(next + 1), last),
                None => Found::past_span(end),
            },
            Some(true) if roll => Found::from_days(end, last),
            None if roll => Found { beyond: true, ..Found::from_time(end) },
            Some(_) | None => Found::from_time(end),
        }
    }

    fn find_same_day_end(&self, start: i64, counted: i64) -> Found {
        let day = day_of(counted);
        let closing = self.table.closing_time(day);
        let open = self.table.is_working_day(day) == Some(true);
        let last = match closing {
            Some(closing) if open && counted < closing => Some(day),
            Some(_) => self.table.working_day_after(day, 1),
            None => {
                return Found { beyond: true, ..Found::from_time(start_of(day.saturating_add(1))) };
            }
        };
        last.map_or_else(
            || Found::past_span(start),
            |last| Found::from_days(start_of(last + 1), day),
        )
    }

    /// How much of a range of time counts for a unit.
    pub(super) fn count_time(&self, (from, until): (i64, i64), unit: LimitUnit) -> i64 {
        if is_working_unit(unit) {
            self.table.working_time_until(until) - self.table.working_time_until(from)
        } else {
            until.saturating_sub(from)
        }
    }

    /// The end with pauses, and the pauses that moved it, merged.
    pub(super) fn find_paused_end(
        &self,
        start: i64,
        limit: Limit,
        pauses: &[Pause],
    ) -> (Found, Vec<(i64, i64)>) {
        let mut found = self.find_end(start, start, limit);
        let clipped =
            |pause: &Pause| (to_local_millis(pause.from).max(start), to_local_millis(pause.until));
        let mut pauses = merge_stretches(pauses.iter().map(clipped).collect());
        let mut moved = 0;
        for pause in &pauses {
            if pause.0 >= found.at {
                break;
            }
            found = self.shift_end(found, *pause, limit.unit);
            moved += 1;
        }
        pauses.truncate(moved);
        (found, pauses)
    }

    fn shift_end(&self, found: Found, pause: (i64, i64), unit: LimitUnit) -> Found {
        let length = self.count_time(pause, unit);
        if !is_working_unit(unit) {
            let at = found.at.saturating_add(length);
            return Found { at, beyond: found.beyond || Found::from_time(at).beyond, ..found };
        }
        let next = self.add_working_time(found.at, length);
        let first = found.looked.map_or_else(|| day_of(found.at), |(first, _)| first);
        let last = day_of(next.at.max(pause.1).saturating_sub(1));
        let looked = Some((first, last.max(first)));
        Found { at: next.at, looked, beyond: found.beyond || next.beyond }
    }
}
