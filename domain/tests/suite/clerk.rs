//! A slow reference for calendars: minute by minute, day by day, without sums.

use std::collections::{BTreeSet, HashMap};

use chrono::{Datelike as _, Duration, NaiveDate, Timelike as _, Weekday};
use domain::{
    Instant,
    calendar::{
        book::{CalendarBook, Pause, Schedule, Span},
        limit::{Limit, LimitUnit},
    },
    core::time::{local_day, to_local},
};

/// A calendar as a clerk would use it, with a wall calendar and a watch.
pub(crate) struct Clerk {
    schedule: Schedule,
    notices: HashMap<NaiveDate, bool>,
    published: BTreeSet<i32>,
}

impl Clerk {
    pub(crate) fn new(schedule: Schedule) -> Self {
        let years = CalendarBook::standard().years;
        let published = years.values().filter(|year| !year.days.is_empty()).map(|year| year.year);
        let published = published.collect();
        let days = years.values().flat_map(|year| &year.days);
        let notices = days.map(|day| (day.date, day.is_off_day)).collect();
        Self { schedule, notices, published }
    }

    fn is_off(&self, date: NaiveDate) -> bool {
        let by_law = matches!((date.month(), date.day()), (1, 1) | (5, 1 | 2) | (10, 1..=3));
        let weekend = matches!(date.weekday(), Weekday::Sat | Weekday::Sun);
        let unknown = weekend || (by_law && !self.published.contains(&date.year()));
        self.notices.get(&date).copied().unwrap_or(unknown)
    }

    /// Opening hours in minutes of the day.
    fn opening_hours(&self, date: NaiveDate) -> Vec<(u32, u32)> {
        let special = self.schedule.special_days.iter().find(|day| day.date == date);
        let seasons = || self.schedule.seasons.iter().filter(|season| season.span.contains(date));
        let dated = seasons().find(|season| matches!(season.span, Span::Dated { .. }));
        let windows = match (special, dated.or_else(|| seasons().next())) {
            (Some(day), _) => &day.windows,
            (None, _) if self.is_off(date) => return Vec::new(),
            (None, Some(season)) => &season.windows,
            (None, None) => &self.schedule.windows,
        };
        let minutes = |w: &domain::calendar::book::Window| {
            (w.from.minutes().into(), w.until.minutes().into())
        };
        windows.iter().map(minutes).collect()
    }

    pub(crate) fn is_open(&self, at: Instant) -> bool {
        let minute = to_local(at).hour() * 60 + to_local(at).minute();
        self.opening_hours(local_day(at))
            .iter()
            .any(|(from, until)| (*from..*until).contains(&minute))
    }

    /// Counts minute by minute until so many counted.
    pub(crate) fn count_minutes(
        &self,
        start: Instant,
        minutes: u32,
        working: bool,
        pauses: &[Pause],
    ) -> Instant {
        let (mut now, mut left) = (start, minutes);
        while left > 0 {
            let stopped = pauses.iter().any(|pause| pause.from <= now && now < pause.until);
            if !stopped && (!working || self.is_open(now)) {
                left -= 1;
            }
            now += Duration::minutes(1);
        }
        now
    }

    /// Counts day by day until so many counted, without the first one.
    fn count_days(&self, start: Instant, days: u32, working: bool) -> NaiveDate {
        let (mut date, mut left) = (local_day(start), days);
        while left > 0 {
            date = date.succ_opt().unwrap();
            if !working || !self.opening_hours(date).is_empty() {
                left -= 1;
            }
        }
        date
    }

    pub(crate) fn compute_due(&self, start: Instant, limit: Limit, civil: bool) -> Instant {
        let amount = limit.amount;
        match (limit.unit, civil) {
            (LimitUnit::Minute, _) => self.count_minutes(start, amount, false, &[]),
            (LimitUnit::Hour, _) => self.count_minutes(start, amount * 60, false, &[]),
            (LimitUnit::WorkingHour, _) => self.count_minutes(start, amount * 60, true, &[]),
            (LimitUnit::Day, false) => self.count_minutes(start, amount * 1440, false, &[]),
            (LimitUnit::WorkingDay, false) => self.count_minutes(start, amount * 480, true, &[]),
            (LimitUnit::WorkingDay, true) => {
                let last = self.count_days(start, amount, true);
                minute_of(last, self.opening_hours(last).last().unwrap().1)
            }
            (LimitUnit::Day, true) => {
                let last = self.count_days(start, amount, false);
                let rolled = self.opening_hours(last).is_empty();
                minute_of(
                    if rolled { self.count_days(minute_of(last, 0), 1, true) } else { last },
                    1440,
                )
            }
            (LimitUnit::SameDay, _) => {
                let (today, now) = (local_day(start), to_local(start));
                let closing = self.opening_hours(today).last().map_or(0, |(_, until)| *until);
                let done = now.hour() * 60 + now.minute() >= closing;
                minute_of(if done { self.count_days(start, 1, true) } else { today }, 1440)
            }
        }
    }
}

/// A minute of a date.
fn minute_of(date: NaiveDate, minute: u32) -> Instant {
    let midnight = date.and_hms_opt(0, 0, 0).unwrap().and_utc() - Duration::hours(8);
    midnight + Duration::minutes(i64::from(minute))
}
