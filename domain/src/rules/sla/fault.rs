//! The faults of a matrix, in words.

use chrono::NaiveDate;

use super::Column;
use crate::{
    core::tabular_import::{At, Fault},
    rules::obligation::Duty,
};

/// The name of the rows in the document.
pub(super) const ROWS: &str = "rows";

/// Two rows that both apply to a matter while neither is more specific.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tie {
    /// The duty of both rows.
    pub duty: Duty,
    /// The indices of the rows.
    pub rows: [usize; 2],
    /// The ids of both, in the same order.
    pub ids: [String; 2],
    /// A matter to which both apply; also the conditions of a row that would settle it.
    pub matter: Vec<(Column, String)>,
    /// The first day on which both apply; none for no beginning.
    pub from: Option<NaiveDate>,
    /// The last day on which both apply; none for no end.
    pub until: Option<NaiveDate>,
    /// Whether both have the same conditions, so that no further row helps: one of them has to end
    /// or be removed.
    pub same: bool,
}

/// A fault in a cell of a row.
pub(super) fn cell_fault(row: usize, column: Column, code: &'static str, given: &str) -> Fault {
    Fault::new(At::Row(row), (column.name(), code), given).in_list(ROWS)
}

/// Adds the days a fault is about, where there are any.
fn with_days(fault: Fault, from: Option<NaiveDate>, until: Option<NaiveDate>) -> Fault {
    let fault = from.into_iter().fold(fault, |fault, day| fault.with_fact("from", day));
    until.into_iter().fold(fault, |fault, day| fault.with_fact("until", day))
}

/// The fault of a duty without an unconditional row on some days: some clock would have no limit.
pub(super) fn fallback_fault(
    duty: Duty,
    from: Option<NaiveDate>,
    until: Option<NaiveDate>,
) -> Fault {
    let named = format!("{} {}", duty.name(), duty.label());
    let fault = Fault::new(At::Whole, (ROWS, "no_fallback"), "").with_fact("duty", named);
    let (zh, en) = ("一条不带条件的时限", "a row without conditions");
    with_days(fault, from, until).with_expected(zh, en)
}

impl From<&Tie> for Fault {
    fn from(tie: &Tie) -> Self {
        let ([_, row], [first, second]) = (tie.rows, &tie.ids);
        let matter = tie.matter.iter().map(|(column, value)| format!("{}={value}", column.name()));
        let matter = matter.collect::<Vec<_>>().join(", ");
        let fault =
            Self::new(At::Row(row), ("", "tie"), second).in_list(ROWS).with_fact("other", first);
        let fault = fault.with_fact("duty", tie.duty.name());
        let fault = if matter.is_empty() { fault } else { fault.with_fact("matter", matter) };
        let (zh, en) = if tie.same {
            (
                "删去其中一条，或让其中一条在另一条之前终止",
                "one of the two to be removed, or to end before the other",
            )
        } else {
            ("另加一条恰好是这些条件的时限", "one more row with exactly these conditions")
        };
        with_days(fault, tie.from, tie.until).with_expected(zh, en)
    }
}
