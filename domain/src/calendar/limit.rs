//! Limits: how long a duty may take, in one of the units the field distinguishes (C.4, D.3).
//!
//! A limit has a meaning only with a [calendar](crate::calendar::book): three working days from a
//! Friday before National Day end on different days in different years.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::core::{disclosure::disclosed, labelled_enum::labelled_enum};

/// How long a duty may take.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Limit {
    /// The number of units.
    pub amount: u32,
    /// The unit the amount counts.
    pub unit: LimitUnit,
}

labelled_enum! {
    /// The unit of a [`Limit`].
    LimitUnit {
        /// 60 seconds, nights and holidays included.
        Minute = "minute", "分钟";
        /// 60 minutes, nights and holidays included.
        Hour = "hour", "紧急工作时";
        /// A natural day, holidays included; how it ends is a convention of the calendar.
        Day = "day", "自然日";
        /// 60 minutes of opening time.
        WorkingHour = "working_hour", "工作时";
        /// A working day; how it ends is a convention of the calendar.
        WorkingDay = "working_day", "工作日";
        /// The end of the day on which it began; the amount is 1.
        SameDay = "same_day", "当日";
    }
}

disclosed! {
    struct Limit { Open: amount, unit }
}

/// Why a text is not a limit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NotALimit {
    /// It is not a whole number followed by a unit.
    Malformed,
    /// The unit does not say whether nights and holidays count, as `天`, `日` or `小时` alone.
    UnqualifiedUnit(String),
    /// There is no such unit.
    UnknownUnit(String),
    /// The amount is zero or beyond [`Limit::MAX`].
    OutOfRange,
}

impl Limit {
    /// The largest amount of any unit; a larger one is certainly a mistake.
    pub const MAX: u32 = 10_000;

    /// A limit in minutes.
    pub const fn minutes(amount: u32) -> Self {
        Self { amount, unit: LimitUnit::Minute }
    }

    /// A limit in hours, nights and holidays included.
    pub const fn hours(amount: u32) -> Self {
        Self { amount, unit: LimitUnit::Hour }
    }

    /// A limit in natural days.
    pub const fn days(amount: u32) -> Self {
        Self { amount, unit: LimitUnit::Day }
    }

    /// A limit in working hours.
    pub const fn working_hours(amount: u32) -> Self {
        Self { amount, unit: LimitUnit::WorkingHour }
    }

    /// A limit in working days.
    pub const fn working_days(amount: u32) -> Self {
        Self { amount, unit: LimitUnit::WorkingDay }
    }
}

impl std::str::FromStr for Limit {
    type Err = NotALimit;

    /// Reads `30min`, `2h`, `15d`, `4wh`, `3wd`, `same_day`, or the same in Chinese (`30分钟`,
    /// `2紧急工作时`, `15自然日`, `4工作时`, `3个工作日`, `当日`). A unit that does not say whether nights and
    /// holidays count is refused, not guessed.
    fn from_str(text: &str) -> Result<Self, NotALimit> {
        let text = text.trim();
        if matches!(text, "same_day" | "当日") {
            return Ok(Self { amount: 1, unit: LimitUnit::SameDay });
        }
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (amount, unit) = text.split_at_checked(digits).ok_or(NotALimit::Malformed)?;
        if amount.is_empty() || unit.trim().is_empty() {
            return Err(NotALimit::Malformed);
        }
        let unit = match unit.trim().trim_start_matches('个') {
            "min" | "minute" | "分钟" => LimitUnit::Minute,
            "h" | "hour" | "紧急工作时" => LimitUnit::Hour,
            "d" | "day" | "自然日" => LimitUnit::Day,
            "wh" | "working_hour" | "工作时" => LimitUnit::WorkingHour,
            "wd" | "working_day" | "工作日" => LimitUnit::WorkingDay,
            vague @ ("天" | "日" | "小时" | "时" | "days" | "hours") => {
                return Err(NotALimit::UnqualifiedUnit(vague.to_owned()));
            }
            other => return Err(NotALimit::UnknownUnit(other.chars().take(20).collect())),
        };
        let amount =
            amount.parse().map_err(|_too_long: std::num::ParseIntError| NotALimit::OutOfRange)?;
        if (1..=Self::MAX).contains(&amount) {
            Ok(Self { amount, unit })
        } else {
            Err(NotALimit::OutOfRange)
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            LimitUnit::Minute => "min",
            LimitUnit::Hour => "h",
            LimitUnit::Day => "d",
            LimitUnit::WorkingHour => "wh",
            LimitUnit::WorkingDay => "wd",
            LimitUnit::SameDay => return out.write_str("same_day"),
        };
        write!(out, "{}{unit}", self.amount)
    }
}
