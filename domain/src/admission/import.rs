//! The list of what communities may be given, from a table.

use super::{Admissions, Entry, EntryKind};
use crate::{
    area::AreaTree,
    catalogue::Catalogue,
    condition::Period,
    id::AreaId,
    sheet::{Column, Fault, Faults, Row, read},
};

const COLUMNS: &[Column] = &[
    ("code", "编码", false),
    ("kind", "类型", false),
    ("category", "类别", false),
    ("area", "区域", true),
    ("basis", "依据", false),
    ("valid_from", "生效日期", false),
    ("valid_until", "失效日期", true),
];

impl Admissions {
    /// Reads a table, not enforced yet, and the line each entry begins in. `resolve_area` knows
    /// the codes of areas. Whether the entries fit together is for [`Admissions::check`] to say.
    pub fn parse_csv(
        text: &str,
        resolve_area: impl Fn(&str) -> Option<AreaId>,
    ) -> Result<(Self, Vec<u64>), Vec<Fault>> {
        let mut faults = Faults::of("entries");
        let mut entries = Vec::new();
        let mut lines = Vec::new();
        for row in read(text, COLUMNS, &mut faults) {
            if let Some(entry) = entry(&row, &resolve_area, &mut faults) {
                entries.push(entry);
                lines.push(row.line);
            }
        }
        let list = Self { entries, enforced: false };
        if faults.is_empty() { Ok((list, lines)) } else { Err(faults.into_vec()) }
    }

    /// Reads a table and checks it: a list that may come into force, or all that is wrong by line.
    pub fn import_csv(
        text: &str,
        catalogue: &Catalogue,
        tree: &AreaTree,
    ) -> Result<Self, Vec<Fault>> {
        let (list, lines) = Self::parse_csv(text, |code| tree.by_code(code).map(|area| area.id))?;
        let faults = list.check(catalogue, tree);
        if faults.is_empty() {
            return Ok(list);
        }
        Err(faults.into_iter().map(|fault| fault.in_lines(&lines)).collect())
    }
}

fn entry(
    row: &Row<'_>,
    resolve: impl Fn(&str) -> Option<AreaId>,
    faults: &mut Faults,
) -> Option<Entry> {
    let kind = kind(row, faults);
    let area = row.area("area", resolve, faults);
    let from = row.day("valid_from", faults);
    let until = row.date("valid_until", faults);
    Some(Entry {
        code: row.cell("code").to_owned(),
        kind: kind?,
        category: row.cell("category").to_owned(),
        area,
        basis: row.cell("basis").to_owned(),
        period: Period { from: from?, until },
    })
}

fn kind(row: &Row<'_>, faults: &mut Faults) -> Option<EntryKind> {
    let cell = row.cell("kind");
    let is = |kind: &EntryKind| kind.name() == cell || kind.label() == cell;
    let kind = EntryKind::ALL.iter().copied().find(is);
    if kind.is_none() {
        let names: Vec<_> = EntryKind::ALL.iter().map(|kind| kind.name()).collect();
        faults
            .push(row.fault("kind", "unknown_kind").expecting(names.join("、"), names.join(", ")));
    }
    kind
}
