//! Lists that a city keeps as tables: the faults of one, and how one is read from CSV.
//!
//! Nothing is imported partly: either every row is valid, or all faults come back together.

mod fault;

use chrono::NaiveDate;

use crate::core::{
    id::AreaId,
    text::{self, Code, Line, Prose},
};
pub(crate) use fault::expected_text;
pub use fault::{At, Fault};

/// The largest CSV that is read, in bytes.
pub const MAX_BYTES: usize = 1024 * 1024;

/// The most rows a list has.
pub const MAX_ROWS: usize = 5_000;

/// The most faults that are reported; the search stops there.
pub const MAX_FAULTS: usize = 100;

/// Finds areas and units by their codes.
pub type Resolve<'a> = &'a dyn Fn(&str) -> Option<AreaId>;

/// Faults as they are found, up to [`MAX_FAULTS`], in rows of one list unless they say otherwise.
#[derive(Default)]
pub struct Faults(Vec<Fault>, &'static str);

impl Faults {
    /// Collects faults in the rows of this list.
    pub(crate) const fn for_list(list: &'static str) -> Self {
        Self(Vec::new(), list)
    }

    pub(crate) fn push(&mut self, mut fault: Fault) {
        if fault.list.is_empty() {
            fault.list = self.1;
        }
        if !self.is_full() {
            self.0.push(fault);
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.0.len() >= MAX_FAULTS
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The faults in the order of rows.
    pub(crate) fn into_vec(mut self) -> Vec<Fault> {
        self.0.sort_by_key(|fault| fault.at);
        self.0
    }

    /// Refuses what is not one line of text.
    pub(crate) fn check_line(&mut self, at: At, column: &'static str, text: &str) {
        self.push_text_fault(at, column, text, Line::try_from(text).err());
    }

    /// Refuses what is not some lines of text.
    pub(crate) fn check_prose(&mut self, at: At, column: &'static str, text: &str) {
        self.push_text_fault(at, column, text, Prose::try_from(text).err());
    }

    /// Refuses what is not a code.
    pub(crate) fn check_code(&mut self, at: At, column: &'static str, text: &str) {
        self.push_text_fault(at, column, text, Code::try_from(text).err());
    }

    fn push_text_fault(
        &mut self,
        at: At,
        column: &'static str,
        text: &str,
        fault: Option<text::Fault>,
    ) {
        let Some(fault) = fault else { return };
        let code = match fault {
            text::Fault::Empty => "empty",
            text::Fault::TooLong { .. } => "too_long",
            text::Fault::Control { .. } => "control_character",
        };
        let (zh, en) = expected_text(&fault);
        self.push(Fault::new(at, (column, code), text).with_expected(zh, en));
    }

    /// Refuses a list with too many rows.
    pub(crate) fn check_row_count(&mut self, rows: usize) {
        self.check_at_most(rows, MAX_ROWS);
    }

    fn check_at_most(&mut self, rows: usize, most: usize) {
        if rows > most {
            let fault = Fault::new(At::Whole, ("", "too_many_rows"), &rows.to_string());
            self.push(
                fault.with_expected(format!("最多 {most} 条"), format!("at most {most} rows")),
            );
        }
    }

    /// Refuses a code that an earlier row has.
    pub(crate) fn check_unique_codes(&mut self, codes: &[&str]) {
        let mut seen = std::collections::HashMap::new();
        for (index, code) in codes.iter().enumerate() {
            if let Some(first) = seen.insert(code, index) {
                seen.insert(code, first);
                let fault = Fault::new(At::Row(index), ("code", "duplicate_code"), code);
                let zh = format!("与第 {first} 条（从 0 起）不同的编号");
                self.push(fault.with_expected(
                    zh,
                    format!("a code different from that of row {first} (counted from 0)"),
                ));
            }
        }
    }
}

/// A column: its name in files made by programs, its heading in files made by people, and whether a
/// file may omit it.
pub type Column = (&'static str, &'static str, bool);

/// A row of a table, its cells in the order of the columns asked for.
pub struct Row<'a> {
    pub(crate) line: u64,
    columns: &'a [Column],
    cells: Vec<String>,
}

impl Row<'_> {
    /// The trimmed cell; empty when the file lacks the column.
    pub(crate) fn cell(&self, column: &str) -> &str {
        let place = self.columns.iter().position(|(name, ..)| *name == column);
        let cell = place.and_then(|place| self.cells.get(place)).map_or("", |cell| cell.trim());
        unescape_formula(cell).trim()
    }

    /// The date in a cell; none when the cell is empty or, with a fault, not a date.
    pub(crate) fn parse_date(
        &self,
        column: &'static str,
        faults: &mut Faults,
    ) -> Option<NaiveDate> {
        let cell = self.cell(column);
        if cell.is_empty() {
            return None;
        }
        let date = NaiveDate::parse_from_str(cell, "%Y-%m-%d").ok();
        if date.is_none() {
            faults.push(
                self.new_fault(column, "bad_date")
                    .with_expected("形如 2026-01-31 的日期", "a date such as 2026-01-31"),
            );
        }
        date
    }

    /// The date in a cell that must not be empty.
    pub(crate) fn parse_required_date(
        &self,
        column: &'static str,
        faults: &mut Faults,
    ) -> Option<NaiveDate> {
        if self.cell(column).is_empty() {
            faults.push(
                self.new_fault(column, "empty")
                    .with_expected("形如 2026-01-31 的日期", "a date such as 2026-01-31"),
            );
        }
        self.parse_date(column, faults)
    }

    /// The area whose code is in a cell; none when the cell is empty or, with a fault, unknown.
    pub(crate) fn resolve_area(
        &self,
        column: &'static str,
        resolve: Resolve<'_>,
        faults: &mut Faults,
    ) -> Option<AreaId> {
        let cell = self.cell(column);
        let area = resolve(cell).filter(|_| !cell.is_empty());
        if area.is_none() && !cell.is_empty() {
            faults.push(
                self.new_fault(column, "unknown_area")
                    .with_expected("区域的代码", "the code of an area"),
            );
        }
        area
    }

    /// A fault in a cell of this row.
    pub(crate) fn new_fault(&self, column: &'static str, code: &'static str) -> Fault {
        Fault::new(At::Line(self.line), (column, code), self.cell(column))
    }
}

/// The rows of a CSV with these columns in any order. Without a header or beyond a bound there are
/// no rows; rows of another length become faults and are left out.
pub(crate) fn read<'a>(text: &str, columns: &'a [Column], faults: &mut Faults) -> Vec<Row<'a>> {
    if text.len() > MAX_BYTES {
        let fault = Fault::new(At::Whole, ("", "too_large"), &text.len().to_string());
        faults.push(
            fault.with_expected(
                format!("最多 {MAX_BYTES} 字节"),
                format!("at most {MAX_BYTES} bytes"),
            ),
        );
        return Vec::new();
    }
    read_large(text, columns, MAX_ROWS, faults)
}

/// Like [`read`], for a table of up to `most` rows whose size the caller has bounded.
pub(crate) fn read_large<'a>(
    text: &str,
    columns: &'a [Column],
    most: usize,
    faults: &mut Faults,
) -> Vec<Row<'a>> {
    let text = text.trim_start_matches('\u{FEFF}');
    let mut records = parse_records(text, faults).into_iter();
    let header = records.next().map(|(_, record)| record).unwrap_or_default();
    let Some(places) = find_columns(&header, columns, faults) else { return Vec::new() };
    let mut rows = Vec::new();
    for (line, record) in records {
        if record.len() != header.len() {
            let found = record.len().to_string();
            let fault = Fault::new(At::Line(line), ("", "field_count"), &found);
            let wanted = header.len();
            let zh = format!("与表头相同的 {wanted} 列");
            faults.push(fault.with_expected(zh, format!("{wanted} fields, as in the header")));
            continue;
        }
        let cell = |place: &Option<usize>| place.and_then(|place| record.get(place));
        let cells = places.iter().map(|place| cell(place).unwrap_or_default().to_owned());
        rows.push(Row { line, columns, cells: cells.collect() });
    }
    faults.check_at_most(rows.len(), most);
    if rows.len() > most { Vec::new() } else { rows }
}

/// Whether a spreadsheet would take a cell for a formula, but for the marks before it.
fn is_formula(cell: &str) -> bool {
    cell.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r'])
}

/// A cell as a spreadsheet may be given it: what it would take for a formula is text. What is
/// marked already is marked once more, so that [`unescape_formula`] gives back every text.
pub fn escape_formula(cell: &str) -> String {
    if is_formula(cell) { format!("'{cell}") } else { cell.to_owned() }
}

/// A cell as it was before [`escape_formula`].
pub fn unescape_formula(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|rest| is_formula(rest)).unwrap_or(cell)
}

/// Records with the line each begins in; blank ones, as spreadsheets leave them, are skipped.
fn parse_records(text: &str, faults: &mut Faults) -> Vec<(u64, csv::StringRecord)> {
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut line = Lines { text, byte: 0, line: 1 };
    let mut found = Vec::new();
    for record in reader.records() {
        let Ok(record) = record else {
            faults.push(
                Fault::new(At::Whole, ("", "not_csv"), "")
                    .with_expected("UTF-8 编码的 CSV", "CSV in UTF-8"),
            );
            return Vec::new();
        };
        let byte = record.position().map_or(0, csv::Position::byte);
        let begins = line.line_at(usize::try_from(byte).unwrap_or(usize::MAX));
        if record.iter().any(|cell| !cell.trim().is_empty()) {
            found.push((begins, record));
        }
    }
    found
}

/// Counts lines forwards: the reader takes its own count before the blank lines it skips.
struct Lines<'a> {
    text: &'a str,
    byte: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line of the first character at or after `byte` that is not a line break.
    fn line_at(&mut self, byte: usize) -> u64 {
        let rest = self.text.as_bytes().iter().enumerate().skip(self.byte);
        for (index, found) in rest {
            if index >= byte && !matches!(found, b'\n' | b'\r') {
                break;
            }
            self.byte = index.saturating_add(1);
            self.line = self.line.saturating_add(u64::from(*found == b'\n'));
        }
        self.line
    }
}

/// Where each column stands in the header; none when the header is wrong.
fn find_columns(
    header: &csv::StringRecord,
    columns: &[Column],
    faults: &mut Faults,
) -> Option<Vec<Option<usize>>> {
    let is = |cell: &str, column: &Column| cell.trim() == column.0 || cell.trim() == column.1;
    for cell in header {
        if !columns.iter().any(|column| is(cell, column)) {
            let names: Vec<_> = columns.iter().map(|column| column.0).collect();
            let fault = Fault::new(At::Whole, ("", "unknown_column"), cell);
            faults.push(fault.with_expected(names.join("、"), names.join(", ")));
        }
    }
    for column in columns {
        let code = match header.iter().filter(|cell| is(cell, column)).count() {
            0 if !column.2 => "missing_column",
            0 | 1 => continue,
            _ => "column_twice",
        };
        let zh = format!("恰好一列“{}”（{}）", column.1, column.0);
        let en = format!("exactly one column {} or {}", column.0, column.1);
        faults.push(Fault::new(At::Whole, (column.0, code), "").with_expected(zh, en));
    }
    let place = |column| header.iter().position(|cell| is(cell, column));
    faults.is_empty().then(|| columns.iter().map(place).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_guarded_and_comes_back() {
        for (cell, guarded) in [
            ("+86小区", "'+86小区"),
            ("=1+1", "'=1+1"),
            ("-3号楼", "'-3号楼"),
            ("@街", "'@街"),
            ("'+86小区", "''+86小区"),
            ("''=", "'''="),
            ("'老街", "'老街"),
            ("枫林", "枫林"),
            ("", ""),
        ] {
            assert_eq!(escape_formula(cell), guarded);
            assert_eq!(unescape_formula(guarded), cell);
        }
    }
}
