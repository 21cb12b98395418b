//! Holiday years: what the yearly notice of 国务院办公厅 changes about Monday to Friday.

use std::collections::BTreeMap;

use chrono::{Datelike as _, NaiveDate};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fault::{FaultCode, length_fault};
use crate::core::{
    tabular_import::{Fault, expected_text},
    text::{self, Line},
};

/// One year's notice.
///
/// Without days it counts as not published: only weekends and statutory dates are known for that
/// year, and every answer that depends on it is provisional.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HolidayYear {
    /// The year of the notice.
    pub year: i32,
    /// The addresses of the notices.
    #[serde(default)]
    pub papers: Vec<String>,
    /// The days that deviate; some may lie in the December before.
    pub days: Vec<HolidayDay>,
}

/// One day that is not as its weekday says, or is a holiday on a weekend.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HolidayDay {
    /// The holiday it belongs to.
    pub name: Line,
    /// The day that deviates.
    pub date: NaiveDate,
    /// A day off; otherwise a weekend day that is worked (调休上班).
    pub is_off_day: bool,
}

impl HolidayYear {
    /// The most days one year may list.
    pub const MAX_DAYS: usize = 400;
    /// The most notices one year may name.
    pub const MAX_PAPERS: usize = 20;
    /// The years that can be described.
    pub const YEARS: std::ops::RangeInclusive<i32> = 2000..=2100;

    /// Whether the notice is published.
    pub fn is_published(&self) -> bool {
        !self.days.is_empty()
    }

    /// Reads the format of the holiday-cn project; faults point at the entry, as `/days/3/date`.
    pub fn parse(text: &str) -> Result<Self, Vec<Fault>> {
        let value: Value = serde_json::from_str(text)
            .map_err(|error| vec![FaultCode::NotJson.fault_at("").with_fact("given", error)])?;
        let mut faults = Vec::new();
        let year =
            read_field(value.get("year"), "/year", ("整数", "an integer"), parse_year, &mut faults);
        let papers = read_field(
            value.get("papers"),
            "/papers",
            ("文字的列表", "a list of texts"),
            parse_papers,
            &mut faults,
        );
        let days = read_field(
            value.get("days"),
            "/days",
            ("列表", "a list"),
            Value::as_array,
            &mut faults,
        );
        let days = days.map_or(&[][..], Vec::as_slice);
        if let Some(fault) = length_fault("/days", days.len(), Self::MAX_DAYS) {
            return Err(vec![fault]);
        }
        let days = days.iter().enumerate();
        let days = days.filter_map(|(index, entry)| parse_day(index, entry, &mut faults)).collect();
        let (Some(year), Some(papers), true) = (year, papers, faults.is_empty()) else {
            return Err(faults);
        };
        let found = Self { year, papers, days };
        let faults = found.check();
        if faults.is_empty() { Ok(found) } else { Err(faults) }
    }

    /// What is wrong with it; pointers start at the year.
    pub fn check(&self) -> Vec<Fault> {
        let mut faults: Vec<Fault> = length_fault("/days", self.days.len(), Self::MAX_DAYS)
            .into_iter()
            .chain(length_fault("/papers", self.papers.len(), Self::MAX_PAPERS))
            .collect();
        if !Self::YEARS.contains(&self.year) {
            faults.push(range_fault(self.year));
        }
        if faults.is_empty() {
            self.check_days(&mut faults);
        }
        faults
    }

    fn check_days(&self, faults: &mut Vec<Fault>) {
        let mut known = BTreeMap::new();
        for (index, day) in self.days.iter().enumerate() {
            let at = format!("/days/{index}/date");
            let (year, month) = (day.date.year(), day.date.month());
            if year != self.year && (year, month) != (self.year - 1, 12) {
                let fault = FaultCode::OutsideYear.fault_at(at.as_str());
                faults.push(fault.with_fact("date", day.date).with_fact("year", self.year));
            }
            let (first, off) = *known.entry(day.date).or_insert((index, day.is_off_day));
            if off != day.is_off_day {
                let fault = FaultCode::DateContradicts.fault_at(at);
                faults.push(
                    fault.with_fact("date", day.date).with_fact("first", format!("/days/{first}")),
                );
            }
        }
    }
}

fn range_fault(year: i32) -> Fault {
    let (min, max) = (HolidayYear::YEARS.start(), HolidayYear::YEARS.end());
    FaultCode::OutOfRange
        .fault_at("/year")
        .with_fact("given", year)
        .with_fact("min", min)
        .with_fact("max", max)
}

/// Reads one field; otherwise a fault with what was expected.
fn read_field<'a, T>(
    value: Option<&'a Value>,
    at: &str,
    (zh, en): (&str, &str),
    how: impl FnOnce(&'a Value) -> Option<T>,
    faults: &mut Vec<Fault>,
) -> Option<T> {
    let found = value.and_then(how);
    if found.is_none() {
        let given = value.map_or_else(|| "nothing".to_owned(), Value::to_string);
        let fault = FaultCode::WrongType.fault_at(at);
        faults.push(fault.with_fact("given", given).with_expected(zh, en));
    }
    found
}

fn parse_year(value: &Value) -> Option<i32> {
    value.as_i64().and_then(|year| i32::try_from(year).ok())
}

fn parse_papers(value: &Value) -> Option<Vec<String>> {
    let text = |paper: &Value| paper.as_str().map(str::to_owned);
    value.as_array()?.iter().map(text).collect()
}

const TEXT: (&str, &str) = ("文字", "text");

fn parse_day(index: usize, entry: &Value, faults: &mut Vec<Fault>) -> Option<HolidayDay> {
    let at = |field: &str| format!("/days/{index}/{field}");
    let name = read_field(entry.get("name"), &at("name"), TEXT, Value::as_str, faults);
    let date = read_field(entry.get("date"), &at("date"), TEXT, Value::as_str, faults);
    let off = read_field(
        entry.get("isOffDay"),
        &at("isOffDay"),
        ("true 或 false", "true or false"),
        Value::as_bool,
        faults,
    );
    let name = name.and_then(|name| {
        let fault = |why: text::Fault| {
            let (zh, en) = expected_text(&why);
            FaultCode::BadName.fault_at(at("name")).with_fact("given", name).with_expected(zh, en)
        };
        Line::try_from(name).map_err(|why| faults.push(fault(why))).ok()
    });
    let date = date.and_then(|date| {
        let right = ("形如 2026-01-31 的日期", "a date such as 2026-01-31");
        let fault = || FaultCode::NotADate.fault_at(at("date")).with_fact("given", date);
        let wrong = |_: chrono::ParseError| faults.push(fault().with_expected(right.0, right.1));
        date.parse().map_err(wrong).ok()
    });
    Some(HolidayDay { name: name?, date: date?, is_off_day: off? })
}
