//! Compiles a book into the table of one area.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{Datelike as _, NaiveDate};

use serde::{Deserialize, Serialize};

use super::{
    Calendar, CalendarBook,
    clock::Weekday,
    schedule::{Schedule, Span},
    table::{DAYS, FIRST_DAY, Hours, Table, merge_stretches},
};
use crate::core::{labelled_enum::labelled_enum, text::Line};

labelled_enum! {
    /// Why a day is a working day or not.
    DayKind {
        /// A working day by its weekday.
        Working = "working", "工作日";
        /// A weekend day that is worked.
        MakeUp = "make_up", "调休上班";
        /// A day off by its weekday.
        Weekend = "weekend", "周末";
        /// Off by law or notice.
        Holiday = "holiday", "节假日";
        /// A day with its own hours, or a day off in this area alone.
        Special = "special", "另行安排";
    }
}

/// The statutory holidays on fixed dates, whatever the notice says.
const STATUTORY: [(u32, u32, &str); 6] = [
    (1, 1, "元旦"),
    (5, 1, "劳动节"),
    (5, 2, "劳动节"),
    (10, 1, "国庆节"),
    (10, 2, "国庆节"),
    (10, 3, "国庆节"),
];

/// Days from this one to the end of December may be listed in the next year's notice.
const TURN_OF_YEAR: (u32, u32) = (12, 25);

/// Why a day differs from its weekday.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Note {
    pub(super) kind: DayKind,
    pub(super) name: String,
}

/// The number of a date in the table.
pub(super) fn day_number(date: NaiveDate) -> i64 {
    let epoch = date.signed_duration_since(NaiveDate::default()).num_days();
    epoch - FIRST_DAY
}

/// The days listed in the notices of all years, by date.
fn collect_notices(book: &CalendarBook) -> HashMap<NaiveDate, (bool, &Line)> {
    let days = book.years.values().flat_map(|year| &year.days);
    days.map(|day| (day.date, (day.is_off_day, &day.name))).collect()
}

struct Compiler<'a> {
    schedule: &'a Schedule,
    published: BTreeSet<i32>,
    notices: HashMap<NaiveDate, (bool, &'a Line)>,
    special: HashMap<NaiveDate, (u16, &'a Line)>,
    hours: Vec<Hours>,
    notes: BTreeMap<i64, Note>,
}

/// The index of the empty hours in every table.
const CLOSED: u16 = 0;
/// The index of the usual hours.
const USUAL: u16 = 1;

impl<'a> Compiler<'a> {
    fn new(book: &'a CalendarBook, schedule: &'a Schedule) -> Self {
        let mut hours = vec![Hours::default(), Hours::new(&schedule.windows)];
        hours.extend(schedule.seasons.iter().map(|season| Hours::new(&season.windows)));
        let mut special = HashMap::new();
        for day in &schedule.special_days {
            special.insert(day.date, (u16::try_from(hours.len()).unwrap_or(CLOSED), &day.name));
            hours.push(Hours::new(&day.windows));
        }
        let published = book.years.values().filter(|year| year.is_published());
        let published = published.map(|year| year.year).collect();
        let notices = collect_notices(book);
        Self { schedule, published, notices, special, hours, notes: BTreeMap::new() }
    }

    /// The index of the hours of a date; adds a note if the day differs from its weekday.
    fn compile_day(&mut self, date: NaiveDate) -> u16 {
        if let Some((hours, name)) = self.special.get(&date).copied() {
            self.add_note(date, DayKind::Special, name.as_str());
            return hours;
        }
        match self.notices.get(&date).copied() {
            Some((true, name)) => return self.close_day(date, name.as_str()),
            Some((false, name)) => self.add_note(date, DayKind::MakeUp, name.as_str()),
            None => {
                if let Some(name) = self.statutory_name(date) {
                    return self.close_day(date, name);
                }
                if !self.schedule.weekdays.contains(&Weekday::from_date(date)) {
                    return CLOSED;
                }
            }
        }
        self.find_season_hours(date)
    }

    fn close_day(&mut self, date: NaiveDate, name: &str) -> u16 {
        self.add_note(date, DayKind::Holiday, name);
        CLOSED
    }

    fn add_note(&mut self, date: NaiveDate, kind: DayKind, name: &str) {
        self.notes.insert(day_number(date), Note { kind, name: name.to_owned() });
    }

    fn statutory_name(&self, date: NaiveDate) -> Option<&'static str> {
        if self.published.contains(&date.year()) {
            return None;
        }
        let fixed =
            |(month, day, _): &&(u32, u32, &str)| (*month, *day) == (date.month(), date.day());
        STATUTORY.iter().find(fixed).map(|(_, _, name)| *name)
    }

    /// The hours of a working day: a dated season takes precedence over a yearly one.
    fn find_season_hours(&self, date: NaiveDate) -> u16 {
        let find = |dated: bool| {
            let mut seasons = (USUAL + 1..).zip(&self.schedule.seasons);
            seasons.find(|(_, season)| {
                matches!(season.span, Span::Dated { .. }) == dated && season.span.contains(date)
            })
        };
        find(true).or_else(|| find(false)).map_or(USUAL, |(hours, _)| hours)
    }
}

/// The days that a year's notice decides: its own, and the last days of the December before.
pub(super) fn notice_days(year: i32) -> Option<(i64, i64)> {
    let (month, day) = TURN_OF_YEAR;
    let first = NaiveDate::from_ymd_opt(year.checked_sub(1)?, month, day)?;
    let after = NaiveDate::from_ymd_opt(year.checked_add(1)?, 1, 1)?;
    Some((day_number(first), day_number(after)))
}

/// The ranges of days whose notice is missing.
fn find_unknown_days(published: &BTreeSet<i32>) -> Vec<(i64, i64)> {
    let missing = (2000..=2101).filter(|year| !published.contains(year));
    let mut days: Vec<(i64, i64)> = missing.filter_map(notice_days).collect();
    days.push((i64::MIN, 0));
    days.push((i64::try_from(DAYS).unwrap_or(i64::MAX), i64::MAX));
    merge_stretches(days)
}

impl Calendar {
    /// Compiles a schedule with the holidays of a book.
    pub fn compile(book: &CalendarBook, schedule: &Schedule) -> Self {
        let mut compiler = Compiler::new(book, schedule);
        let first = NaiveDate::from_ymd_opt(2000, 1, 1).unwrap_or_default();
        let of_day = first.iter_days().take(DAYS).map(|date| compiler.compile_day(date)).collect();
        let Compiler { published, hours, notes, .. } = compiler;
        Self {
            table: Table::new(hours, of_day),
            convention: schedule.convention,
            weekdays: schedule.weekdays.clone(),
            unknown: find_unknown_days(&published),
            published,
            notes,
        }
    }

    /// The kind of a day of the table, and its name if it has one.
    pub(super) fn day_kind(&self, day: i64, date: NaiveDate) -> (DayKind, Option<String>) {
        if let Some(note) = self.notes.get(&day) {
            return (note.kind, Some(note.name.clone()));
        }
        let worked = self.weekdays.contains(&Weekday::from_date(date));
        (if worked { DayKind::Working } else { DayKind::Weekend }, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_span_of_the_table_is_a_hundred_and_one_years() {
        let date = |year, month, day| NaiveDate::from_ymd_opt(year, month, day).unwrap();
        assert_eq!(day_number(date(2000, 1, 1)), 0);
        assert_eq!(day_number(date(2101, 1, 1)), i64::try_from(DAYS).unwrap());
    }
}
