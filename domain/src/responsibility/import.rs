//! The list of powers and duties from a table.

use super::{Item, Lead, Responsibilities};
use crate::{
    area::{AreaKind, AreaTree},
    catalogue::Catalogue,
    condition::Period,
    id::AreaId,
    sheet::{Column, Fault, Faults, Row, read},
};

const COLUMNS: &[Column] = &[
    ("code", "编码", false),
    ("category", "类别", false),
    ("area", "区域", true),
    ("level", "层级", true),
    ("lead", "主办", false),
    ("cooperating", "协办", true),
    ("basis", "依据", false),
    ("owner", "责任人", false),
    ("valid_from", "生效日期", false),
    ("valid_until", "失效日期", true),
];

/// What stands between several units in one cell.
const BETWEEN: [char; 4] = [';', '；', '、', '|'];

impl Responsibilities {
    /// Reads a table and the line each item begins in. `resolve_area` knows the codes of areas
    /// and units; what it does not know as a lead is taken for a suffix. Whether categories,
    /// suffixes and items fit together is for [`Responsibilities::check`] to say.
    pub fn parse_csv(
        text: &str,
        resolve_area: impl Fn(&str) -> Option<AreaId>,
    ) -> Result<(Self, Vec<u64>), Vec<Fault>> {
        let mut faults = Faults::of("items");
        let mut items = Vec::new();
        let mut lines = Vec::new();
        for row in read(text, COLUMNS, &mut faults) {
            if let Some(item) = item(&row, &resolve_area, &mut faults) {
                items.push(item);
                lines.push(row.line);
            }
        }
        if faults.is_empty() { Ok((Self { items }, lines)) } else { Err(faults.into_vec()) }
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

fn item(
    row: &Row<'_>,
    resolve: &impl Fn(&str) -> Option<AreaId>,
    faults: &mut Faults,
) -> Option<Item> {
    let area = row.area("area", resolve, faults);
    let level = level(row, faults);
    let lead = sole_lead(row, resolve, faults);
    let from = row.day("valid_from", faults);
    let until = row.date("valid_until", faults);
    let cooperating = leads(row.cell("cooperating"), resolve);
    Some(Item {
        code: row.cell("code").to_owned(),
        category: row.cell("category").to_owned(),
        area,
        level,
        lead: lead?,
        cooperating,
        basis: row.cell("basis").to_owned(),
        owner: row.cell("owner").to_owned(),
        period: Period { from: from?, until },
    })
}

fn level(row: &Row<'_>, faults: &mut Faults) -> Option<AreaKind> {
    let cell = row.cell("level");
    let is = |kind: &AreaKind| kind.name() == cell || kind.label() == cell;
    let level = AreaKind::ALL.iter().copied().find(is);
    if level.is_none() && !cell.is_empty() {
        let fault = row.fault("level", "unknown_level");
        faults.push(fault.expecting("社区、街道、区县或市", "community, street, district or city"));
    }
    level
}

/// Exactly one unit leads.
fn sole_lead(
    row: &Row<'_>,
    resolve: &impl Fn(&str) -> Option<AreaId>,
    faults: &mut Faults,
) -> Option<Lead> {
    let mut leads = leads(row.cell("lead"), resolve);
    let code = match leads.len() {
        1 => return leads.pop(),
        0 => "lead_missing",
        _ => "lead_twice",
    };
    faults
        .push(row.fault("lead", code).expecting("恰好一个主办单位", "exactly one unit that leads"));
    None
}

fn leads(cell: &str, resolve: &impl Fn(&str) -> Option<AreaId>) -> Vec<Lead> {
    let lead = |name: &str| match name {
        "territory" | "属地" => Lead::Territory,
        _ => resolve(name).map_or_else(|| Lead::Suffix(name.to_owned()), Lead::Unit),
    };
    cell.split(BETWEEN).map(str::trim).filter(|name| !name.is_empty()).map(lead).collect()
}
