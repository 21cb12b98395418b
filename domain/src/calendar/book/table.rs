//! The compiled table: prefix sums over all days of the span, so that no query iterates over days.
//!
//! Times here are milliseconds since 1970-01-01 00:00 local time in China; days are counted from
//! 2000-01-01.

use super::clock::Window;

/// A minute in milliseconds.
pub(super) const MINUTE: i64 = 60_000;
/// A day in milliseconds.
pub(super) const DAY: i64 = 24 * 60 * MINUTE;
/// Days from 1970-01-01 to 2000-01-01.
pub(super) const FIRST_DAY: i64 = 10_957;
/// Days from 2000-01-01 to 2100-12-31, both included.
pub(super) const DAYS: usize = 36_890;
/// The end of the span: 2101-01-01 00:00.
pub(super) const END: i64 = (FIRST_DAY + 36_890) * DAY;

/// The day of a time.
pub(super) const fn day_of(time: i64) -> i64 {
    time.div_euclid(DAY) - FIRST_DAY
}

/// The time at which a day begins.
pub(super) const fn start_of(day: i64) -> i64 {
    day.saturating_add(FIRST_DAY).saturating_mul(DAY)
}

/// The working hours of a kind of day, as offsets from its midnight.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Hours {
    windows: Vec<(i64, i64)>,
    total: i64,
}

impl Hours {
    /// Sorts and merges the windows.
    pub(super) fn new(windows: &[Window]) -> Self {
        let length = |window: &Window| {
            let (from, until) = (window.from.minutes(), window.until.minutes());
            (i64::from(from) * MINUTE, i64::from(until) * MINUTE)
        };
        let windows = merge_stretches(windows.iter().map(length).collect());
        let total = windows.iter().map(|(from, until)| until - from).sum();
        Self { windows, total }
    }

    /// The opening and closing times.
    pub(super) fn windows(&self) -> &[(i64, i64)] {
        &self.windows
    }

    fn working_time_until(&self, within: i64) -> i64 {
        let part = |(from, until): &(i64, i64)| (within.min(*until) - from).max(0);
        self.windows.iter().map(part).sum()
    }

    /// The earliest time by which so much was worked.
    fn find_work_end(&self, mut work: i64) -> i64 {
        for (from, until) in &self.windows {
            if work <= until - from {
                return from + work;
            }
            work -= until - from;
        }
        self.closing_time()
    }

    fn closing_time(&self) -> i64 {
        self.windows.last().map_or(0, |(_, until)| *until)
    }

    fn is_open(&self, within: i64) -> bool {
        self.windows.iter().any(|(from, until)| (*from..*until).contains(&within))
    }

    fn next_opening(&self, within: i64) -> Option<i64> {
        let window = self.windows.iter().find(|(_, until)| within < *until);
        window.map(|(from, _)| within.max(*from))
    }
}

/// Sorts ranges, drops empty ones, and merges those that touch.
pub(super) fn merge_stretches(mut stretches: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    stretches.retain(|(from, until)| from < until);
    stretches.sort_unstable();
    let mut found: Vec<(i64, i64)> = Vec::with_capacity(stretches.len());
    for (from, until) in stretches {
        match found.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(until),
            Some(_) | None => found.push((from, until)),
        }
    }
    found
}

/// Prefix sums over all days of the span.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Table {
    hours: Vec<Hours>,
    /// The index of the hours of each day.
    of_day: Vec<u16>,
    /// Minutes worked before each day, and at the end of the span.
    before: Vec<u32>,
    /// Working days before each day, and in the span.
    rank: Vec<u32>,
    /// The working days, as numbers of days in the span.
    working: Vec<u32>,
}

impl Table {
    /// Computes the sums; `of_day` has the index of the hours of each day of the span.
    pub(super) fn new(hours: Vec<Hours>, of_day: Vec<u16>) -> Self {
        let (mut before, mut rank) = (vec![0], vec![0]);
        let (mut minutes, mut days, mut working) = (0, 0, Vec::new());
        for (day, kind) in (0_u32..).zip(&of_day) {
            let total = hours.get(usize::from(*kind)).map_or(0, |hours| hours.total);
            if total > 0 {
                minutes += u32::try_from(total / MINUTE).unwrap_or(0);
                days += 1;
                working.push(day);
            }
            before.push(minutes);
            rank.push(days);
        }
        Self { hours, of_day, before, rank, working }
    }

    /// The hours of a day of the span.
    pub(super) fn hours(&self, day: i64) -> Option<&Hours> {
        let kind = self.of_day.get(usize::try_from(day).ok()?)?;
        self.hours.get(usize::from(*kind))
    }

    /// Whether a day of the span is worked.
    pub(super) fn is_working_day(&self, day: i64) -> Option<bool> {
        self.hours(day).map(|hours| hours.total > 0)
    }

    /// Working time from the beginning of the span until `time`.
    pub(super) fn working_time_until(&self, time: i64) -> i64 {
        let Ok(day) = usize::try_from(day_of(time)) else { return 0 };
        let (before, hours) = (self.before.get(day), self.hours(day_of(time)));
        match (before, hours) {
            (Some(before), Some(hours)) => {
                i64::from(*before) * MINUTE + hours.working_time_until(time.rem_euclid(DAY))
            }
            (Some(_) | None, _) => self.total_work(),
        }
    }

    fn total_work(&self) -> i64 {
        self.before.last().map_or(0, |minutes| i64::from(*minutes) * MINUTE)
    }

    /// The earliest time by which so much was worked since the beginning of the span.
    pub(super) fn find_work_end(&self, work: i64) -> Option<i64> {
        let ended = self.before.partition_point(|minutes| i64::from(*minutes) * MINUTE < work);
        let day = ended.checked_sub(1)?;
        let before = i64::from(*self.before.get(day)?) * MINUTE;
        let day = i64::try_from(day).ok()?;
        Some(start_of(day) + self.hours(day)?.find_work_end(work - before))
    }

    /// The number of working days before a day; of all at the end of the span.
    pub(super) fn working_days_before(&self, day: i64) -> i64 {
        let Ok(index) = usize::try_from(day) else { return 0 };
        self.rank.get(index).or(self.rank.last()).map_or(0, |days| i64::from(*days))
    }

    /// The n-th working day after a day, from 1.
    pub(super) fn working_day_after(&self, day: i64, nth: i64) -> Option<i64> {
        let place = self.working_days_before(day.saturating_add(1)).saturating_add(nth);
        let index = usize::try_from(place.checked_sub(1)?).ok()?;
        self.working.get(index).map(|day| i64::from(*day))
    }

    /// The closing time of a day of the span.
    pub(super) fn closing_time(&self, day: i64) -> Option<i64> {
        self.hours(day).map(|hours| start_of(day) + hours.closing_time())
    }

    /// Whether offices are open at `time`.
    pub(super) fn is_open(&self, time: i64) -> bool {
        self.hours(day_of(time)).is_some_and(|hours| hours.is_open(time.rem_euclid(DAY)))
    }

    /// The earliest time from `time` on at which offices are open.
    pub(super) fn next_opening(&self, time: i64) -> Option<i64> {
        let day = day_of(time);
        let today = self.hours(day).and_then(|hours| hours.next_opening(time.rem_euclid(DAY)));
        if let Some(within) = today {
            return Some(start_of(day) + within);
        }
        let day = self.working_day_after(day, 1)?;
        self.hours(day)?.next_opening(0).map(|within| start_of(day) + within)
    }
}
