//! Schedules: when the offices of an area are open, and by which convention its limits end.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::clock::{MonthDay, TimeOfDay, Weekday, Window};
use crate::{
    calendar::limit::LimitUnit,
    core::{id::AreaId, labelled_enum::labelled_enum, text::Line},
};

/// The opening hours and conventions of one area and of all below it that have none of their own.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Schedule {
    /// The area; none for the whole tenant.
    pub area: Option<AreaId>,
    /// The working days of the week where no notice says otherwise.
    pub weekdays: BTreeSet<Weekday>,
    /// The usual hours of a working day.
    pub windows: Vec<Window>,
    /// Parts of the year with other hours. A dated season takes precedence over a yearly one.
    pub seasons: Vec<Season>,
    /// Single days with their own hours: half-days, and local days off, which have none. They take
    /// precedence over seasons, weekends and holidays.
    pub special_days: Vec<SpecialDay>,
    /// How limits in days end.
    pub convention: Convention,
}

/// A part of the year with its own hours.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Season {
    /// What people call it: 夏令时.
    pub name: Line,
    /// The days of the season.
    pub span: Span,
    /// The hours of its working days.
    pub windows: Vec<Window>,
}

/// The days of a season, first and last included.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Span {
    /// Every year; it may run over the turn of the year.
    Yearly {
        /// The first day.
        from: MonthDay,
        /// The last day.
        until: MonthDay,
    },
    /// Once, between two days of the calendar.
    Dated {
        /// The first day.
        from: NaiveDate,
        /// The last day.
        until: NaiveDate,
    },
}

impl Span {
    /// Whether a date is one of its days.
    pub fn contains(self, date: NaiveDate) -> bool {
        match self {
            Self::Yearly { from, until } => {
                let day = MonthDay::from_date(date);
                if from <= until {
                    from <= day && day <= until
                } else {
                    day >= from || day <= until
                }
            }
            Self::Dated { from, until } => from <= date && date <= until,
        }
    }

    /// Whether two spans of the same kind share a day.
    pub(super) fn overlaps(self, other: Self) -> bool {
        match (self, other) {
            (Self::Dated { from, until }, Self::Dated { from: first, until: last }) => {
                from <= last && first <= until
            }
            (Self::Yearly { from, until }, Self::Yearly { from: first, until: last }) => {
                let (mine, others) = (split_stretch(from, until), split_stretch(first, last));
                let mut pairs =
                    mine.iter().flat_map(|one| others.iter().map(move |two| (one, two)));
                pairs.any(|(one, two)| one.0 <= two.1 && two.0 <= one.1)
            }
            (Self::Dated { .. }, Self::Yearly { .. })
            | (Self::Yearly { .. }, Self::Dated { .. }) => false,
        }
    }
}

/// Splits a span over the turn of the year into two within one year.
fn split_stretch(from: MonthDay, until: MonthDay) -> Vec<(MonthDay, MonthDay)> {
    if from <= until {
        vec![(from, until)]
    } else {
        vec![(from, MonthDay::LAST), (MonthDay::FIRST, until)]
    }
}

/// One day with its own hours.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpecialDay {
    /// The day with its own hours.
    pub date: NaiveDate,
    /// Why the day is special, as people say it.
    pub name: Line,
    /// Its hours; empty for a day off.
    pub windows: Vec<Window>,
}

/// How limits in days end. No national rule settles it for case work, so it is a policy.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Convention {
    /// For working days.
    pub working_day: WorkingDayRule,
    /// For natural days.
    pub day: DayRule,
}

/// How a limit in working days ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum WorkingDayRule {
    /// A working day is a fixed amount of working time, counted from the start.
    Elapsed {
        /// How many minutes a working day has, usually 480.
        minutes_per_day: u32,
    },
    /// At closing time of the n-th working day; the day of the start is not counted (民法典 201,
    /// 203).
    EndOfDay,
}

impl Default for WorkingDayRule {
    fn default() -> Self {
        Self::Elapsed { minutes_per_day: 480 }
    }
}

/// How a limit in natural days ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DayRule {
    /// A day is 24 hours, counted from the start.
    #[default]
    Elapsed,
    /// At 24:00 of the n-th day; the day of the start is not counted.
    Civil {
        /// Whether the end moves to 24:00 of the next working day when the last day is not worked
        /// (民法典 203).
        roll: bool,
    },
}

labelled_enum! {
    /// The rule by which a limit ended.
    Basis {
        /// Time runs through nights and holidays.
        Continuous = "continuous", "连续计时，夜间和节假日不停";
        /// Time runs while offices are open.
        WorkingTime = "working_time", "只计工作时间，下班和节假日停止";
        /// Closing time of the last working day.
        WorkingDayEnd = "working_day_end", "当日不计，至最后一个工作日下班时届满";
        /// 24:00 of the last day.
        CivilDay = "civil_day", "当日不计，至最后一日24时届满";
        /// 24:00 of the last day, or of the next working day.
        CivilDayRolled = "civil_day_rolled", "当日不计，至最后一日24时届满，遇休息日顺延至下一工作日24时";
        /// 24:00 of the day, or of the next working day.
        SameDay = "same_day", "当日24时届满；休息日或下班后起算的，至下一工作日24时";
    }
}

impl Convention {
    /// The rule for a unit.
    pub const fn basis(self, unit: LimitUnit) -> Basis {
        match (unit, self.working_day, self.day) {
            (LimitUnit::Minute | LimitUnit::Hour, _, _) | (LimitUnit::Day, _, DayRule::Elapsed) => {
                Basis::Continuous
            }
            (LimitUnit::Day, _, DayRule::Civil { roll: false }) => Basis::CivilDay,
            (LimitUnit::Day, _, DayRule::Civil { roll: true }) => Basis::CivilDayRolled,
            (LimitUnit::WorkingHour, _, _)
            | (LimitUnit::WorkingDay, WorkingDayRule::Elapsed { .. }, _) => Basis::WorkingTime,
            (LimitUnit::WorkingDay, WorkingDayRule::EndOfDay, _) => Basis::WorkingDayEnd,
            (LimitUnit::SameDay, _, _) => Basis::SameDay,
        }
    }
}

impl Default for Schedule {
    fn default() -> Self {
        let window = |from, until| Window {
            from: TimeOfDay::from_hour(from),
            until: TimeOfDay::from_hour(until),
        };
        let weekend = [Weekday::Saturday, Weekday::Sunday];
        let workdays = Weekday::ALL.iter().copied().filter(|day| !weekend.contains(day));
        Self {
            area: None,
            weekdays: workdays.collect(),
            windows: vec![window(8, 12), window(14, 18)],
            seasons: Vec::new(),
            special_days: Vec::new(),
            convention: Convention::default(),
        }
    }
}
