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
    core::{id::AreaId, sheet::Fault},
    rules::{
        catalogue::{Catalogue, Category},
        obligation::Duty,
        sla::{Known, Matrix, Query, Row, STANDARD, Tie, ancestry},
        vocabulary::Urgency,
    },
};

use super::world::{CITY, COMMUNITY, DISTRICT, GRID, STREET, WORLD};

/// From the grid to the city.
const HERE: &[AreaId] = &[GRID, COMMUNITY, STREET, DISTRICT, CITY];

/// The catalogue delivered with the server, which presets speak of.
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

/// An ordinary matter in a grid.
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
fn rule(id: &str, duty: Duty, limit: &str) -> Row {
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

fn parsed(text: &str) -> Matrix {
    let resolve = |code: &str| WORLD.areas.by_code(code).map(|area| area.id);
    Matrix::parse_csv(text, resolve).unwrap()
}

/// The standard with one more row and another.
fn with(rows: impl IntoIterator<Item = Row>) -> Matrix {
    let mut matrix = parsed(STANDARD);
    matrix.rows.extend(rows);
    matrix
}

/// What the demo city knows.
fn known<T>(ask: impl FnOnce(&Known<'_>) -> T) -> T {
    let areas = |id| ancestry(&WORLD.areas, id);
    ask(&Known { areas: &areas, catalogue: &CATALOGUE, ranks: &["advance", "hard"] })
}

fn faults(matrix: &Matrix) -> Vec<Fault> {
    known(|known| matrix.check(known))
}

/// What ties in a matrix, by the same.
fn ties(matrix: &Matrix) -> Vec<Tie> {
    known(|known| matrix.ties(known))
}
