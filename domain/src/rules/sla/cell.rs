//! Reads the cells of a table one by one.

use std::str::FromStr as _;

use chrono::NaiveDate;
use csv::StringRecord;

use super::{Column, CsvCode};
use crate::{
    calendar::limit::{Limit, NotALimit},
    core::{
        id::AreaId,
        tabular_import::{At, Fault},
    },
};

/// A fault whose line and column the caller knows: the code, what was given, and what would be
/// right in Chinese and English.
pub(super) struct Wrong(pub(super) CsvCode, pub(super) String, pub(super) (String, String));

impl Wrong {
    pub(super) fn into_fault(self, line: u64, column: &str) -> Fault {
        let Self(code, given, (zh, en)) = self;
        let at = if line == 0 { At::Whole } else { At::Line(line) };
        let fault = Fault::new_with_label(at, shorten_given(column), (code.name(), code.label()));
        let fault = if given.is_empty() { fault } else { fault.with_fact("given", given) };
        fault.with_expected(zh, en)
    }
}

fn text_pair(zh: impl Into<String>, en: impl Into<String>) -> (String, String) {
    (zh.into(), en.into())
}

/// What was given, cut to a length that can be shown.
pub(super) fn shorten_given(given: &str) -> String {
    given.chars().take(40).collect()
}

/// The cells of one line; collects their faults.
pub(super) struct Cells<'a> {
    pub(super) line: u64,
    pub(super) header: &'a StringRecord,
    pub(super) record: &'a StringRecord,
    pub(super) faults: &'a mut Vec<Fault>,
}

impl Cells<'_> {
    /// The value of a cell; none when it is empty or wrong, in which case a fault is recorded.
    pub(super) fn read_optional<T>(
        &mut self,
        column: Column,
        read: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        let place = self.header.iter().position(|name| name == column.name());
        let cell = place.and_then(|place| self.record.get(place)).filter(|cell| !cell.is_empty());
        let read = read(cell?).map_err(|wrong| wrong.into_fault(self.line, column.name()));
        read.map_err(|fault| self.faults.push(fault)).ok()
    }

    pub(super) fn read_required<T>(
        &mut self,
        column: Column,
        read: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        let mut empty = true;
        let value = self.read_optional(column, |cell| {
            empty = false;
            read(cell)
        });
        if empty {
            let wanted = text_pair(column.label(), column.name());
            let fault = Wrong(CsvCode::Missing, String::new(), wanted);
            self.faults.push(fault.into_fault(self.line, column.name()));
        }
        value
    }
}

#[expect(clippy::unnecessary_wraps, reason = "read as all other cells are")]
pub(super) fn parse_text(cell: &str) -> Result<String, Wrong> {
    Ok(cell.to_owned())
}

pub(super) fn parse_word<T: Copy>(
    cell: &str,
    all: &[T],
    name: fn(T) -> &'static str,
    label: fn(T) -> &'static str,
) -> Result<T, Wrong> {
    all.iter().copied().find(|one| name(*one) == cell || label(*one) == cell).ok_or_else(|| {
        let possible = all.iter().map(|one| format!("{} ({})", name(*one), label(*one)));
        let possible: Vec<String> = possible.collect();
        let wanted = text_pair(possible.join("、"), format!("one of {}", possible.join(", ")));
        Wrong(CsvCode::UnknownWord, shorten_given(cell), wanted)
    })
}

pub(super) fn parse_area(
    cell: &str,
    resolve: impl Fn(&str) -> Option<AreaId>,
) -> Result<AreaId, Wrong> {
    resolve(cell).ok_or_else(|| {
        let (zh, en) =
            ("区域的代码，不限则留空", "the code of an area, or an empty cell for no restriction");
        Wrong(CsvCode::UnknownArea, shorten_given(cell), text_pair(zh, en))
    })
}

pub(super) fn parse_bool(cell: &str) -> Result<bool, Wrong> {
    match cell {
        "true" | "TRUE" | "是" => Ok(true),
        "false" | "FALSE" | "否" => Ok(false),
        other => {
            let wanted = text_pair(
                "是或否，不限则留空",
                "true (是) or false (否), or an empty cell for no restriction",
            );
            Err(Wrong(CsvCode::UnknownWord, shorten_given(other), wanted))
        }
    }
}

pub(super) fn parse_day(cell: &str) -> Result<NaiveDate, Wrong> {
    // chrono alone would accept any number of digits.
    let day = NaiveDate::from_str(cell).ok().filter(|day| day.to_string() == cell);
    day.ok_or_else(|| {
        let wanted = text_pair("形如 2026-01-31 的日期", "a date such as 2026-01-31");
        Wrong(CsvCode::BadDate, shorten_given(cell), wanted)
    })
}

pub(super) fn parse_limit(cell: &str) -> Result<Limit, Wrong> {
    let wanted = || {
        text_pair(
            "30分钟、2紧急工作时、15自然日、4工作时、3个工作日或当日",
            "30min, 2h, 15d, 4wh, 3wd or same_day",
        )
    };
    cell.parse().map_err(|why| match why {
        NotALimit::UnqualifiedUnit(unit) => {
            Wrong(CsvCode::UnqualifiedUnit, shorten_given(cell), possible_units(&unit))
        }
        NotALimit::Malformed | NotALimit::UnknownUnit(_) => {
            Wrong(CsvCode::BadLimit, shorten_given(cell), wanted())
        }
        NotALimit::OutOfRange => {
            let (zh, en) = (format!(" 1 到 {}", Limit::MAX), format!("1 to {}", Limit::MAX));
            Wrong(CsvCode::BadLimit, shorten_given(cell), text_pair(zh, en))
        }
    })
}

/// The units that a vague unit may mean.
fn possible_units(unit: &str) -> (String, String) {
    let [every, working] = match unit {
        "天" | "日" | "days" => ["自然日 (d)", "工作日 (wd)"],
        _ => ["紧急工作时 (h)", "工作时 (wh)"],
    };
    text_pair(
        format!("{every}（节假日也计）或{working}（节假日不计）"),
        format!("{every} (holidays count) or {working} (holidays do not count)"),
    )
}
