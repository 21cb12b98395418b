//! Cells of a table, read one by one.

use std::str::FromStr as _;

use chrono::NaiveDate;
use csv::StringRecord;

use super::{Column, CsvCode, CsvFault};
use crate::{
    id::AreaId,
    limit::{Limit, NotALimit},
};

/// A fault whose line and column somebody else knows.
pub(super) struct Wrong(pub(super) CsvCode, pub(super) String, pub(super) String);

impl Wrong {
    pub(super) fn at(self, line: u64, column: &str) -> CsvFault {
        let Self(code, wrong, right) = self;
        CsvFault { line, column: shown(column), code, wrong, right }
    }
}

/// What was given, short enough to be told.
pub(super) fn shown(given: &str) -> String {
    given.chars().take(40).collect()
}

/// The cells of one line; what is wrong with them is noted.
pub(super) struct Cells<'a> {
    pub(super) line: u64,
    pub(super) header: &'a StringRecord,
    pub(super) record: &'a StringRecord,
    pub(super) faults: &'a mut Vec<CsvFault>,
}

impl Cells<'_> {
    /// An empty cell is nothing; so is a wrong one, but then the table is not accepted.
    pub(super) fn optional<T>(
        &mut self,
        column: Column,
        read: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        let place = self.header.iter().position(|name| name == column.name());
        let cell = place.and_then(|place| self.record.get(place)).filter(|cell| !cell.is_empty());
        let read = read(cell?).map_err(|wrong| wrong.at(self.line, column.name()));
        read.map_err(|fault| self.faults.push(fault)).ok()
    }

    pub(super) fn required<T>(
        &mut self,
        column: Column,
        read: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        let mut empty = true;
        let value = self.optional(column, |cell| {
            empty = false;
            read(cell)
        });
        if empty {
            let wrong = "the cell is empty".to_owned();
            let right = format!("every row needs its {} ({})", column.name(), column.label());
            self.faults.push(Wrong(CsvCode::Missing, wrong, right).at(self.line, column.name()));
        }
        value
    }
}

#[expect(clippy::unnecessary_wraps, reason = "read as all other cells are")]
pub(super) fn text(cell: &str) -> Result<String, Wrong> {
    Ok(cell.to_owned())
}

pub(super) fn word<T: Copy>(
    cell: &str,
    all: &[T],
    name: fn(T) -> &'static str,
    label: fn(T) -> &'static str,
) -> Result<T, Wrong> {
    all.iter().copied().find(|one| name(*one) == cell || label(*one) == cell).ok_or_else(|| {
        let possible = all.iter().map(|one| format!("{} ({})", name(*one), label(*one)));
        let possible = possible.collect::<Vec<_>>().join(", ");
        let wrong = format!("`{}` is not known", shown(cell));
        Wrong(CsvCode::UnknownWord, wrong, format!("write one of {possible}"))
    })
}

pub(super) fn area(cell: &str, resolve: impl Fn(&str) -> Option<AreaId>) -> Result<AreaId, Wrong> {
    resolve(cell).ok_or_else(|| {
        let wrong = format!("no area has the code `{}`", shown(cell));
        let right = "write the code of an area, or nothing for everywhere".to_owned();
        Wrong(CsvCode::UnknownArea, wrong, right)
    })
}

pub(super) fn yes_or_no(cell: &str) -> Result<bool, Wrong> {
    match cell {
        "true" | "TRUE" | "是" => Ok(true),
        "false" | "FALSE" | "否" => Ok(false),
        other => {
            let wrong = format!("`{}` is neither yes nor no", shown(other));
            let right = "write true (是) or false (否), or nothing for both".to_owned();
            Err(Wrong(CsvCode::UnknownWord, wrong, right))
        }
    }
}

pub(super) fn day(cell: &str) -> Result<NaiveDate, Wrong> {
    // chrono alone would take any number of digits.
    let day = NaiveDate::from_str(cell).ok().filter(|day| day.to_string() == cell);
    day.ok_or_else(|| {
        let wrong = format!("`{}` is not a day", shown(cell));
        Wrong(CsvCode::BadDate, wrong, "write it as 2026-01-31".to_owned())
    })
}

pub(super) fn limit(cell: &str) -> Result<Limit, Wrong> {
    let right = "write 30min, 2h, 15d, 4wh, 3wd or same_day, or 30分钟, 2紧急工作时, 15自然日, \
                 4工作时, 3个工作日 or 当日";
    let cell_shown = shown(cell);
    cell.parse().map_err(|why| match why {
        NotALimit::UnqualifiedUnit(unit) => {
            let wrong =
                format!("`{cell_shown}`: {unit} says not whether nights and holidays count");
            Wrong(CsvCode::UnqualifiedUnit, wrong, qualified(&unit))
        }
        NotALimit::Malformed => {
            let wrong = format!("`{cell_shown}` is not a whole number with a unit");
            Wrong(CsvCode::BadLimit, wrong, right.to_owned())
        }
        NotALimit::UnknownUnit(unit) => {
            let wrong = format!("`{cell_shown}`: there is no unit {unit}");
            Wrong(CsvCode::BadLimit, wrong, right.to_owned())
        }
        NotALimit::OutOfRange => {
            let wrong = format!("`{cell_shown}` is no amount");
            Wrong(CsvCode::BadLimit, wrong, format!("write 1 to {} of a unit", Limit::MAX))
        }
    })
}

/// What a vague unit may have meant.
fn qualified(unit: &str) -> String {
    let [every, working] = match unit {
        "天" | "日" | "days" => ["自然日 (d)", "工作日 (wd)"],
        _ => ["紧急工作时 (h)", "工作时 (wh)"],
    };
    format!("{unit} must be {every} where holidays count, or {working} where they do not")
}
