//! Reads a matrix from a table that a tenant keeps in a spreadsheet.
//!
//! Either the whole table is read or nothing of it; all faults are reported at once, each with its
//! line, its column and what would be right.

use csv::StringRecord;
use serde::{Deserialize, Serialize};

use super::{
    Column, Matrix, Row,
    cell::{
        Cells, Wrong, parse_area, parse_bool, parse_day, parse_limit, parse_text, parse_word,
        shorten_given,
    },
};
use crate::{
    core::{id::AreaId, labelled_enum::labelled_enum, tabular_import::Fault},
    rules::{
        obligation::Duty,
        vocabulary::{Channel, Complexity, Demand, Urgency},
    },
};

labelled_enum! {
    /// What is wrong with a cell or a table.
    CsvCode {
        /// More text than a matrix can have.
        TooLarge = "too_large", "文件过大";
        /// More rows than a matrix may have.
        TooManyRows = "too_many_rows", "行数过多";
        /// Not a table.
        Malformed = "malformed", "格式错误";
        /// A column the matrix does not have.
        UnknownColumn = "unknown_column", "未知列";
        /// A column is missing.
        MissingColumn = "missing_column", "缺少列";
        /// A column appears twice.
        DuplicateColumn = "duplicate_column", "重复列";
        /// A row with more or fewer cells than the header.
        WrongLength = "wrong_length", "列数不符";
        /// A cell that must not be empty.
        Missing = "missing", "必填";
        /// A word that is not one of those possible.
        UnknownWord = "unknown_word", "未知取值";
        /// No area has this code.
        UnknownArea = "unknown_area", "未知区域";
        /// Not a day.
        BadDate = "bad_date", "日期错误";
        /// Not a limit.
        BadLimit = "bad_limit", "时限错误";
        /// The unit does not say whether nights and holidays count.
        UnqualifiedUnit = "unqualified_unit", "时限单位不明";
    }
}

impl Matrix {
    /// The most bytes of a table.
    pub const MAX_CSV: usize = 1024 * 1024;

    /// Reads a table with the columns of [`Column::ALL`], in any order. Values may be written by
    /// name (`complaint`) or label (`投诉`), areas by their code; what [`Matrix::check`] checks is
    /// not checked here.
    pub fn parse_csv(
        text: &str,
        resolve_area: impl Fn(&str) -> Option<AreaId>,
    ) -> Result<Self, Vec<Fault>> {
        if text.len() > Self::MAX_CSV {
            let max = Self::MAX_CSV;
            let right = (format!("最多 {max} 字节"), format!("at most {max} bytes"));
            let fault = Wrong(CsvCode::TooLarge, text.len().to_string(), right);
            return Err(vec![fault.into_fault(1, "")]);
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut table = csv::ReaderBuilder::new()
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let header = table.headers().cloned().map_err(|error| vec![malformed_fault(1, &error)])?;
        let faults = check_header(&header);
        if !faults.is_empty() {
            return Err(faults);
        }
        let lines = Lines { text, at: 0, line: 1 };
        Reading { header, resolve_area, lines, rows: Vec::new(), faults }.read_all(table.records())
    }
}

fn malformed_fault(line: u64, error: &csv::Error) -> Fault {
    let right = ("以逗号分隔、UTF-8 编码的表格", "a table separated by commas, in UTF-8");
    let right = (right.0.to_owned(), right.1.to_owned());
    Wrong(CsvCode::Malformed, error.to_string(), right).into_fault(line, "")
}

fn check_header(header: &StringRecord) -> Vec<Fault> {
    let all =
        |comma| Column::ALL.iter().map(|column| column.name()).collect::<Vec<_>>().join(comma);
    let unknown = header.iter().filter(|name| Column::parse(name).is_none()).map(|name| {
        let right = (all("、"), format!("one of {}", all(", ")));
        Wrong(CsvCode::UnknownColumn, shorten_given(name), right).into_fault(1, name)
    });
    let counted = Column::ALL.iter().filter_map(|column| {
        let name = column.name();
        let code = match header.iter().filter(|one| *one == name).count() {
            0 => CsvCode::MissingColumn,
            1 => return None,
            _ => CsvCode::DuplicateColumn,
        };
        let right = (format!("恰好一列“{name}”"), format!("exactly one column {name}"));
        Some(Wrong(code, String::new(), right).into_fault(1, name))
    });
    unknown.take(Matrix::MAX_FAULTS).chain(counted).collect()
}

/// Counts lines. The reader lets a record begin before the line feed that ends the last one, and so
/// does not count the blank lines between.
struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line of the record that begins at this byte; to be called from the first record to the
    /// last.
    fn line_at(&mut self, byte: u64) -> u64 {
        let byte = usize::try_from(byte).unwrap_or(usize::MAX);
        let rest = self.text.get(byte..).unwrap_or("");
        let begins = byte + rest.len() - rest.trim_start_matches(['\r', '\n']).len();
        let passed = self.text.get(self.at..begins).map_or(0, |text| text.matches('\n').count());
        self.line += u64::try_from(passed).unwrap_or(0);
        self.at = begins;
        self.line
    }
}

/// The state of reading a table.
struct Reading<'a, F> {
    header: StringRecord,
    resolve_area: F,
    lines: Lines<'a>,
    rows: Vec<Row>,
    faults: Vec<Fault>,
}

impl<F: Fn(&str) -> Option<AreaId>> Reading<'_, F> {
    fn read_all(
        mut self,
        records: impl Iterator<Item = csv::Result<StringRecord>>,
    ) -> Result<Matrix, Vec<Fault>> {
        let mut line = 1;
        for (count, record) in records.enumerate() {
            if self.faults.len() >= Matrix::MAX_FAULTS {
                break;
            }
            match record {
                Err(error) => self.faults.push(malformed_fault(line + 1, &error)),
                Ok(record) => {
                    line = record.position().map_or(line, |place| self.lines.line_at(place.byte()));
                    if count >= Matrix::MAX_ROWS {
                        self.faults.push(row_limit_fault(line));
                        break;
                    }
                    let row = self.read_row(line, &record);
                    self.rows.extend(row);
                }
            }
        }
        self.faults.truncate(Matrix::MAX_FAULTS);
        if self.faults.is_empty() { Ok(Matrix { rows: self.rows }) } else { Err(self.faults) }
    }

    fn read_row(&mut self, line: u64, record: &StringRecord) -> Option<Row> {
        if record.len() != self.header.len() {
            let wanted = self.header.len();
            let right =
                (format!("与表头相同的 {wanted} 列"), format!("{wanted} cells, as in the header"));
            let fault = Wrong(CsvCode::WrongLength, record.len().to_string(), right);
            self.faults.push(fault.into_fault(line, ""));
            return None;
        }
        let Self { header, resolve_area, faults, .. } = self;
        let mut cells = Cells { line, header, record, faults };
        let id = cells.read_required(Column::Id, parse_text);
        let duty = cells.read_required(Column::Duty, |cell| {
            parse_word(cell, Duty::ALL, Duty::name, Duty::label)
        });
        let area = cells.read_optional(Column::Area, |cell| parse_area(cell, &*resolve_area));
        let channel = cells.read_optional(Column::Channel, |c| {
            parse_word(c, Channel::ALL, Channel::name, Channel::label)
        });
        let demand = cells.read_optional(Column::Demand, |c| {
            parse_word(c, Demand::ALL, Demand::name, Demand::label)
        });
        let category = cells.read_optional(Column::Category, parse_text);
        let urgency = cells.read_optional(Column::Urgency, |c| {
            parse_word(c, Urgency::ALL, Urgency::name, Urgency::label)
        });
        let complexity = cells.read_optional(Column::Complexity, |cell| {
            parse_word(cell, Complexity::ALL, Complexity::name, Complexity::label)
        });
        let rank = cells.read_optional(Column::Rank, parse_text);
        let redo = cells.read_optional(Column::Redo, parse_bool);
        let limit = cells.read_required(Column::Limit, parse_limit);
        let valid_from = cells.read_optional(Column::ValidFrom, parse_day);
        let valid_until = cells.read_optional(Column::ValidUntil, parse_day);
        let owner = cells.read_required(Column::Owner, parse_text);
        let basis = cells.read_required(Column::Basis, parse_text);
        Some(Row {
            id: id?,
            duty: duty?,
            area,
            channel,
            demand,
            category,
            urgency,
            complexity,
            rank,
            redo,
            limit: limit?,
            valid_from,
            valid_until,
            owner: owner?,
            basis: basis?,
        })
    }
}

fn row_limit_fault(line: u64) -> Fault {
    let max = Matrix::MAX_ROWS;
    let right = (format!("最多 {max} 条"), format!("at most {max} rows"));
    Wrong(CsvCode::TooManyRows, String::new(), right).into_fault(line, "")
}
