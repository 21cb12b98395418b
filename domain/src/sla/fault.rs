//! What can be wrong with a matrix, in words.

use std::fmt;

use chrono::NaiveDate;

use super::{Column, Matrix};
use crate::{id::AreaId, limit::Limit, obligation::Duty, text};

/// Why a matrix is refused. Rows are counted from one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// More rows than anybody can survey.
    TooManyRows {
        /// How many.
        count: usize,
    },
    /// The id, the owner or the basis is missing or unreadable.
    Text {
        /// Which row.
        row: usize,
        /// Which of them.
        column: Column,
        /// Why.
        fault: text::Fault,
    },
    /// Two rows with one id.
    DuplicateId {
        /// Which.
        rows: [usize; 2],
        /// The id.
        id: String,
    },
    /// A limit of nothing, or of so much that something else was meant.
    Limit {
        /// Which row.
        row: usize,
        /// Its limit.
        limit: Limit,
    },
    /// In force until before it begins.
    Backward {
        /// Which row.
        row: usize,
        /// Its first day.
        from: NaiveDate,
        /// Its last day.
        until: NaiveDate,
    },
    /// There is no such area.
    UnknownArea {
        /// Which row.
        row: usize,
        /// What it names.
        area: AreaId,
    },
    /// The catalogue has no such category.
    UnknownCategory {
        /// Which row.
        row: usize,
        /// What it names.
        code: String,
    },
    /// There is no such rank of whistle.
    UnknownRank {
        /// Which row.
        row: usize,
        /// What it names.
        code: String,
    },
    /// A duty without a row that holds for everything: some clock would have no limit.
    NoFallback {
        /// Which duty.
        duty: Duty,
        /// The first day without one; none: since ever.
        from: Option<NaiveDate>,
        /// The last day without one; none: for good.
        until: Option<NaiveDate>,
    },
    /// Two rows apply to one matter and neither is more specific.
    Tie(Box<Tie>),
}

/// Two rows that both apply to a matter while neither is more specific.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tie {
    /// Of which duty.
    pub duty: Duty,
    /// The numbers of the rows.
    pub rows: [usize; 2],
    /// Their ids.
    pub ids: [String; 2],
    /// A matter both apply to; also the conditions of the row to add.
    pub matter: Vec<(Column, String)>,
    /// The first day on which both do; none: since ever.
    pub from: Option<NaiveDate>,
    /// The last day on which both do; none: for good.
    pub until: Option<NaiveDate>,
    /// Both ask for the same, so that no further row helps: one of them has to end or go.
    pub same: bool,
}

impl Fault {
    /// Where in the document it is; of a tie, its second row.
    pub fn pointer(&self) -> String {
        let of = |row: usize, column: Column| {
            format!("/rows/{}/{}", row.saturating_sub(1), column.name())
        };
        match self {
            Self::TooManyRows { .. } | Self::NoFallback { .. } => "/rows".to_owned(),
            Self::Text { row, column, .. } => of(*row, *column),
            Self::DuplicateId { rows: [_, row], .. } => of(*row, Column::Id),
            Self::Limit { row, .. } => of(*row, Column::Limit),
            Self::Backward { row, .. } => of(*row, Column::ValidUntil),
            Self::UnknownArea { row, .. } => of(*row, Column::Area),
            Self::UnknownCategory { row, .. } => of(*row, Column::Category),
            Self::UnknownRank { row, .. } => of(*row, Column::Rank),
            Self::Tie(tie) => {
                let [_, row] = tie.rows;
                format!("/rows/{}", row.saturating_sub(1))
            }
        }
    }

    /// The stable machine code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooManyRows { .. } => "too_many_rows",
            Self::Text { fault: text::Fault::Empty, .. } => "missing",
            Self::Text { .. } => "bad_text",
            Self::DuplicateId { .. } => "duplicate_id",
            Self::Limit { .. } => "bad_limit",
            Self::Backward { .. } => "backward",
            Self::UnknownArea { .. } => "unknown_area",
            Self::UnknownCategory { .. } => "unknown_category",
            Self::UnknownRank { .. } => "unknown_rank",
            Self::NoFallback { .. } => "no_fallback",
            Self::Tie(_) => "tie",
        }
    }
}

/// `from..until` in words.
fn days(from: Option<NaiveDate>, until: Option<NaiveDate>) -> String {
    match (from, until) {
        (None, None) => "on any day".to_owned(),
        (Some(from), None) => format!("from {from} on"),
        (None, Some(until)) => format!("until {until}"),
        (Some(from), Some(until)) => format!("from {from} until {until}"),
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyRows { count } => {
                write!(out, "{count} rows; at most {} are allowed", Matrix::MAX_ROWS)
            }
            Self::Text { row, column, fault } => {
                write!(out, "row {row}, {}: {fault}", column.name())
            }
            Self::DuplicateId { rows: [a, b], id } => {
                write!(out, "rows {a} and {b} have one id, {id}")
            }
            Self::Limit { row, limit } => {
                let max = Limit::MAX;
                write!(out, "row {row}: {limit} is no limit; 1 to {max} of a unit is")
            }
            Self::Backward { row, from, until } => {
                write!(out, "row {row} ends on {until}, before it begins on {from}")
            }
            Self::UnknownArea { row, area } => write!(out, "row {row}: there is no area {area}"),
            Self::UnknownCategory { row, code } => {
                write!(out, "row {row}: there is no category {code}")
            }
            Self::UnknownRank { row, code } => {
                write!(out, "row {row}: there is no whistle rank {code}")
            }
            Self::NoFallback { duty, from, until } => write!(
                out,
                "no row without conditions for {} ({}) {}; add one",
                duty.name(),
                duty.label(),
                days(*from, *until)
            ),
            Self::Tie(tie) => tie.fmt(out),
        }
    }
}

impl fmt::Display for Tie {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ([a, b], [id_a, id_b]) = (self.rows, &self.ids);
        let matter = self.matter.iter().map(|(column, value)| format!("{}={value}", column.name()));
        let matter = matter.collect::<Vec<_>>().join(", ");
        let matter = if matter.is_empty() { "any matter" } else { &matter };
        let (duty, days) = (self.duty.name(), days(self.from, self.until));
        write!(out, "rows {a} ({id_a}) and {b} ({id_b}) both limit {duty} of {matter} {days}, ")?;
        if self.same {
            write!(out, "under the same conditions; remove one or let it end before")
        } else {
            write!(out, "and neither is more specific; add a row with exactly these conditions")
        }
    }
}
