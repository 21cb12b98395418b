//! Imports the list of matters that communities may be given from a table.

use super::{Admissions, Entry, EntryKind};
use crate::{
    area::tree::AreaTree,
    core::tabular_import::{Column, Fault, Faults, Resolve, Row},
    rules::{catalogue::Catalogue, condition::Period, listed::Listed},
};

impl Listed for Admissions {
    type Item = Entry;

    const ROWS: &'static str = "entries";

    const COLUMNS: &'static [Column] = &[
        ("code", "编码", false),
        ("kind", "类型", false),
        ("category", "类别", false),
        ("area", "区域", true),
        ("basis", "依据", false),
        ("valid_from", "生效日期", false),
        ("valid_until", "失效日期", true),
    ];

    fn parse_row(row: &Row<'_>, resolve: Resolve<'_>, faults: &mut Faults) -> Option<Entry> {
        let kind = parse_kind(row, faults);
        let area = row.resolve_area("area", resolve, faults);
        let from = row.parse_required_date("valid_from", faults);
        let until = row.parse_date("valid_until", faults);
        Some(Entry {
            code: row.cell("code").to_owned(),
            kind: kind?,
            category: row.cell("category").to_owned(),
            area,
            basis: row.cell("basis").to_owned(),
            period: Period { from: from?, until },
        })
    }

    /// An imported list is not applied yet.
    fn from_items(entries: Vec<Entry>) -> Self {
        Self { entries, enforced: false }
    }

    fn find_faults(&self, catalogue: &Catalogue, tree: &AreaTree) -> Vec<Fault> {
        self.check(catalogue, tree)
    }
}

fn parse_kind(row: &Row<'_>, faults: &mut Faults) -> Option<EntryKind> {
    let cell = row.cell("kind");
    let is = |kind: &EntryKind| kind.name() == cell || kind.label() == cell;
    let kind = EntryKind::ALL.iter().copied().find(is);
    if kind.is_none() {
        let names: Vec<_> = EntryKind::ALL.iter().map(|kind| kind.name()).collect();
        faults.push(
            row.new_fault("kind", "unknown_kind").with_expected(names.join("、"), names.join(", ")),
        );
    }
    kind
}
