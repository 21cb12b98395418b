//! Imports the list of powers and duties from a table.

use super::{Item, Lead, Responsibilities};
use crate::{
    area::tree::{AreaKind, AreaTree},
    core::tabular_import::{Column, Fault, Faults, Resolve, Row},
    rules::{catalogue::Catalogue, condition::Period, listed::Listed},
};

/// Separators of several units in one cell.
const BETWEEN: [char; 4] = [';', '；', '、', '|'];

impl Listed for Responsibilities {
    type Item = Item;

    const ROWS: &'static str = "items";

    const COLUMNS: &'static [Column] = &[
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

    /// A lead that `resolve` does not know is read as a suffix.
    fn parse_row(row: &Row<'_>, resolve: Resolve<'_>, faults: &mut Faults) -> Option<Item> {
        let area = row.resolve_area("area", resolve, faults);
        let level = parse_level(row, faults);
        let lead = parse_sole_lead(row, resolve, faults);
        let from = row.parse_required_date("valid_from", faults);
        let until = row.parse_date("valid_until", faults);
        let cooperating = parse_leads(row.cell("cooperating"), resolve);
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

    fn from_items(items: Vec<Item>) -> Self {
        Self { items }
    }

    fn find_faults(&self, catalogue: &Catalogue, tree: &AreaTree) -> Vec<Fault> {
        self.check(catalogue, tree)
    }
}

fn parse_level(row: &Row<'_>, faults: &mut Faults) -> Option<AreaKind> {
    let cell = row.cell("level");
    let is = |kind: &AreaKind| kind.name() == cell || kind.label() == cell;
    let level = AreaKind::ALL.iter().copied().find(is);
    if level.is_none() && !cell.is_empty() {
        let fault = row.new_fault("level", "unknown_level");
        faults.push(
            fault.with_expected("社区、街道、区县或市", "community, street, district or city"),
        );
    }
    level
}

/// Exactly one unit leads.
fn parse_sole_lead(row: &Row<'_>, resolve: Resolve<'_>, faults: &mut Faults) -> Option<Lead> {
    let mut leads = parse_leads(row.cell("lead"), resolve);
    let code = match leads.len() {
        1 => return leads.pop(),
        0 => "lead_missing",
        _ => "lead_twice",
    };
    faults.push(row.new_fault("lead", code).with_expected("恰好一个主办单位", "exactly one lead"));
    None
}

fn parse_leads(cell: &str, resolve: Resolve<'_>) -> Vec<Lead> {
    let lead = |name: &str| match name {
        "territory" | "属地" => Lead::Territory,
        _ => resolve(name).map_or_else(|| Lead::Suffix(name.to_owned()), Lead::Unit),
    };
    cell.split(BETWEEN).map(str::trim).filter(|name| !name.is_empty()).map(lead).collect()
}
