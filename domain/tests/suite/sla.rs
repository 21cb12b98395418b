//! The SLA matrix: what is found, what is refused, what is read, and what presets say.

mod chance;
mod import;
mod presets;
mod refused;
mod specific;

use std::sync::LazyLock;

use chrono::NaiveDate;
use domain::{
    calendar::limit::Limit,
    core::{id::AreaId, tabular_import::Fault},
    rules::{
        catalogue::{Catalogue, Category},
        obligation::Duty,
        sla::{Matrix, Query, References, Row, STANDARD, Tie, ancestry},
        vocabulary::Urgency,
    },
};

use super::world::{CITY, COMMUNITY, DISTRICT, GRID, STREET, WORLD};

/// The areas from the grid to the city.
const HERE: &[AreaId] = &[GRID, COMMUNITY, STREET, DISTRICT, CITY];

/// The catalogue shipped with the server, which presets refer to.
static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    let text = include_str!("../../../api/data/categories.csv");
    let category = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        Category {
            code: cells[0].to_owned(),
            name: cells[1].to_owned(),
            parent: Some(cells[2].to_owned()).filter(|code| !code.is_empty()),
            kind: cells[3].to_owned(),
            lead: cells[4].to_owned(),
        }
    };
    Catalogue { categories: text.lines().skip(1).map(category).collect() }
});

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// A query for an ordinary matter in a grid.
fn query(duty: Duty) -> Query<'static> {
    Query {
        duty,
        area: HERE,
        channel: None,
        demand: None,
        category: &[],
        urgency: Urgency::Normal,
        complexity: None,
        rank: None,
        redo: false,
        on: day("2026-06-01"),
    }
}

/// A row without conditions.
fn new_row(id: &str, duty: Duty, limit: &str) -> Row {
    Row {
        id: id.to_owned(),
        duty,
        area: None,
        channel: None,
        demand: None,
        category: None,
        urgency: None,
        complexity: None,
        rank: None,
        redo: None,
        limit: limit.parse::<Limit>().unwrap(),
        valid_from: None,
        valid_until: None,
        owner: "网格中心".to_owned(),
        basis: "测试".to_owned(),
    }
}

fn parse_matrix(text: &str) -> Matrix {
    let resolve = |code: &str| WORLD.areas.find_by_code(code).map(|area| area.id);
    Matrix::parse_csv(text, resolve).unwrap()
}

/// The standard with further rows.
fn with_rows(rows: impl IntoIterator<Item = Row>) -> Matrix {
    let mut matrix = parse_matrix(STANDARD);
    matrix.rows.extend(rows);
    matrix
}

/// Runs a closure with the references of the demo city.
fn with_known<T>(ask: impl FnOnce(&References<'_>) -> T) -> T {
    let areas = |id| ancestry(&WORLD.areas, id);
    ask(&References { areas: &areas, catalogue: &CATALOGUE, ranks: &["advance", "hard"] })
}

fn find_faults(matrix: &Matrix) -> Vec<Fault> {
    with_known(|known| matrix.check(known))
}

/// The ties of a matrix, with the same references.
fn find_ties(matrix: &Matrix) -> Vec<Tie> {
    with_known(|known| matrix.find_ties(known))
}
