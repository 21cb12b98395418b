//! Times of day, days of the year, and windows: the parts of opening hours.

use chrono::{Datelike as _, NaiveDate};
use serde::{Deserialize, Serialize};

use crate::core::labelled_enum::labelled_enum;

/// A time of day in whole minutes, `00:00` to `24:00`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay(u16);

impl TimeOfDay {
    /// The end of the day, `24:00`.
    pub const END: Self = Self(24 * 60);

    /// This hour and minute, if there is such a time.
    pub const fn new(hour: u16, minute: u16) -> Option<Self> {
        if (hour < 24 && minute < 60) || (hour == 24 && minute == 0) {
            Some(Self(hour * 60 + minute))
        } else {
            None
        }
    }

    /// The full hour; the end of the day for every later hour.
    pub(super) const fn from_hour(hour: u16) -> Self {
        if hour < 24 { Self(hour * 60) } else { Self::END }
    }

    /// Minutes since midnight.
    pub const fn minutes(self) -> u16 {
        self.0
    }
}

/// Two numbers of two digits each with `mark` between them.
fn parse_pair(text: &str, mark: char) -> Option<(u16, u16)> {
    let (left, right) = text.split_once(mark)?;
    let number = |part: &str| {
        let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        if digits { part.parse::<u16>().ok() } else { None }
    };
    Some((number(left)?, number(right)?))
}

impl TryFrom<String> for TimeOfDay {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        parse_pair(&text, ':')
            .and_then(|(hour, minute)| Self::new(hour, minute))
            .ok_or_else(|| "a time of day is written 08:30, from 00:00 to 24:00".to_owned())
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> Self {
        time.to_string()
    }
}

impl std::fmt::Display for TimeOfDay {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

/// A day of any year, as `06-15`; `02-29` is one too.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MonthDay {
    month: u16,
    day: u16,
}

impl MonthDay {
    /// The first day of a year, 01-01.
    pub const FIRST: Self = Self { month: 1, day: 1 };
    /// The last day of a year, 12-31.
    pub const LAST: Self = Self { month: 12, day: 31 };

    /// This month and day, if a leap year has it.
    pub fn new(month: u16, day: u16) -> Option<Self> {
        NaiveDate::from_ymd_opt(2024, u32::from(month), u32::from(day))
            .map(|_exists| Self { month, day })
    }

    /// The month and day of a date.
    pub fn from_date(date: NaiveDate) -> Self {
        let small = |number: u32| u16::try_from(number).unwrap_or(1);
        Self { month: small(date.month()), day: small(date.day()) }
    }
}

impl TryFrom<String> for MonthDay {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        parse_pair(&text, '-')
            .and_then(|(month, day)| Self::new(month, day))
            .ok_or_else(|| "a day of the year is written 06-15, from 01-01 to 12-31".to_owned())
    }
}

impl From<MonthDay> for String {
    fn from(day: MonthDay) -> Self {
        day.to_string()
    }
}

impl std::fmt::Display for MonthDay {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{:02}-{:02}", self.month, self.day)
    }
}

/// Open from one time of day until another, the latter not included.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The opening time.
    pub from: TimeOfDay,
    /// The closing time.
    pub until: TimeOfDay,
}

impl Window {
    /// Whether the window contains no time.
    pub fn is_empty(self) -> bool {
        self.from >= self.until
    }

    /// Whether both windows share time.
    pub fn overlaps(self, other: Self) -> bool {
        !self.is_empty() && !other.is_empty() && self.from < other.until && other.from < self.until
    }
}

labelled_enum! {
    /// A day of the week.
    Weekday {
        /// Monday, the first day.
        Monday = "monday", "周一";
        /// Tuesday, the second day.
        Tuesday = "tuesday", "周二";
        /// Wednesday, the third day.
        Wednesday = "wednesday", "周三";
        /// Thursday, the fourth day.
        Thursday = "thursday", "周四";
        /// Friday, the fifth day.
        Friday = "friday", "周五";
        /// Saturday, the sixth day.
        Saturday = "saturday", "周六";
        /// Sunday, the seventh day.
        Sunday = "sunday", "周日";
    }
}

impl Weekday {
    /// The day of the week of a date.
    pub fn from_date(date: NaiveDate) -> Self {
        match date.weekday() {
            chrono::Weekday::Mon => Self::Monday,
            chrono::Weekday::Tue => Self::Tuesday,
            chrono::Weekday::Wed => Self::Wednesday,
            chrono::Weekday::Thu => Self::Thursday,
            chrono::Weekday::Fri => Self::Friday,
            chrono::Weekday::Sat => Self::Saturday,
            chrono::Weekday::Sun => Self::Sunday,
        }
    }
}
