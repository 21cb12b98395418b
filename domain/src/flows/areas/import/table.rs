//! Tables of areas, as CSV.

use super::{Given, MAX_ROWS};
use crate::{
    area::tree::{AreaKind, GridKind},
    core::tabular_import::{At, Column, Fault, Faults, Row, read_large},
};

const AREAS: &[Column] = &[
    ("code", "代码", false),
    ("name", "名称", false),
    ("level", "级别", false),
    ("parent_code", "上级代码", false),
    ("grid_kind", "网格类型", true),
    ("households", "户数", true),
    ("former_name", "原名", true),
];

const UNITS: &[Column] = &[
    ("code", "代码", false),
    ("name", "名称", false),
    ("parent_code", "上级代码", false),
    ("former_name", "原名", true),
];

/// Reads a CSV of territories. Levels are 1 municipality, 2 city, 3 county or district, 4 street,
/// 5 community, 6 grid, as the statistics bureau numbers them, or their names.
pub fn parse_territories(text: &str) -> Result<Vec<Given>, Vec<Fault>> {
    let mut faults = Faults::default();
    let rows = read_large(text, AREAS, MAX_ROWS, &mut faults);
    let given: Vec<Given> =
        rows.iter().filter_map(|row| parse_territory(row, &mut faults)).collect();
    if faults.is_empty() { Ok(given) } else { Err(faults.into_vec()) }
}

/// The kind of territory a level means: its number, its name or its label.
pub(crate) fn parse_level(level: &str) -> Option<AreaKind> {
    match level {
        "1" | "2" => Some(AreaKind::City),
        "3" => Some(AreaKind::District),
        "4" => Some(AreaKind::Street),
        "5" => Some(AreaKind::Community),
        "6" => Some(AreaKind::Grid),
        name => {
            let is = |kind: &&AreaKind| kind.name() == name || kind.label() == name;
            let kind = AreaKind::ALL.iter().find(is).copied();
            kind.filter(|kind| *kind != AreaKind::Department)
        }
    }
}

fn parse_territory(row: &Row<'_>, faults: &mut Faults) -> Option<Given> {
    let kind = parse_level(row.cell("level"));
    if kind.is_none() {
        faults.push(
            row.new_fault("level", "unknown_level")
                .with_expected("1、2、3、4、5 或 6", "1, 2, 3, 4, 5 or 6"),
        );
    }
    let grid = parse_grid_kind(row, faults);
    let cell = row.cell("households");
    let households = cell.parse::<u32>().ok();
    if households.is_none() && !cell.is_empty() {
        faults.push(
            row.new_fault("households", "not_a_number")
                .with_expected("户数（整数）", "the number of households (an integer)"),
        );
    }
    let parent = Some(row.cell("parent_code").to_owned()).filter(|code| !code.is_empty());
    Some(Given { kind: kind?, parent, grid, households, boundary: None, ..parse_unit(row) })
}

/// The kinds of grids, in Chinese and English.
pub(crate) const GRID_KINDS: (&str, &str) = (
    "综合（comprehensive）、专属（dedicated）或微（micro）网格",
    "comprehensive, dedicated or micro",
);

fn parse_grid_kind(row: &Row<'_>, faults: &mut Faults) -> Option<GridKind> {
    let cell = row.cell("grid_kind");
    let kind = GridKind::ALL.iter().find(|kind| kind.name() == cell || kind.label() == cell);
    if kind.is_none() && !cell.is_empty() {
        let (zh, en) = GRID_KINDS;
        faults.push(row.new_fault("grid_kind", "unknown_grid_kind").with_expected(zh, en));
    }
    kind.copied()
}

fn parse_unit(row: &Row<'_>) -> Given {
    Given {
        at: At::Line(row.line),
        code: row.cell("code").to_owned(),
        name: row.cell("name").to_owned(),
        kind: AreaKind::Department,
        parent: Some(row.cell("parent_code").to_owned()),
        grid: None,
        households: None,
        boundary: None,
        former_name: Some(row.cell("former_name").to_owned()).filter(|name| !name.is_empty()),
    }
}

/// Reads a CSV of departments and other units.
pub fn parse_units(text: &str) -> Result<Vec<Given>, Vec<Fault>> {
    let mut faults = Faults::default();
    let rows = read_large(text, UNITS, MAX_ROWS, &mut faults);
    if faults.is_empty() {
        Ok(rows.iter().map(parse_unit).collect())
    } else {
        Err(faults.into_vec())
    }
}
