//! A checked matrix, compiled for look-ups, and explanations of its answers.

use std::{cmp::Reverse, collections::HashMap};

use super::{Column, Matrix, Query, References, Row, render_conditions};
use crate::{
    core::{id::AreaId, tabular_import::Fault},
    rules::obligation::Duty,
};

/// A matrix that passed its check. Rows stand by duty and area, the most specific first.
#[derive(Clone, Debug)]
pub struct Compiled {
    rows: Vec<Row>,
    /// Indices into `rows`, ascending: the smaller, the more specific.
    places: HashMap<(Duty, Option<AreaId>), Vec<usize>>,
}

/// A row that was considered for a query.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Considered<'a> {
    /// The row of the matrix.
    pub row: &'a Row,
    /// The result for this row.
    pub verdict: Verdict,
}

/// The result of a row that was considered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It decides the limit.
    Wins,
    /// It applies, but another is more specific.
    Applies,
    /// It does not apply.
    Fails {
        /// The conditions that do not hold.
        unmet: Vec<Unmet>,
    },
}

/// A condition that does not hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unmet {
    /// The column of the condition.
    pub column: Column,
    /// The value that the row requires.
    pub wanted: String,
    /// The value of the matter; none when it is not known.
    pub given: Option<String>,
}

impl Compiled {
    /// Checks a matrix and compiles it.
    pub fn new(matrix: Matrix, known: &References<'_>) -> Result<Self, Vec<Fault>> {
        let faults = matrix.check(known);
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Self::from_checked(matrix, known))
    }

    /// Compiles a matrix that was checked before.
    pub fn from_checked(matrix: Matrix, known: &References<'_>) -> Self {
        let Matrix { mut rows } = matrix;
        // Heavier first: a row that implies another weighs more (see `Scope::weight`).
        rows.sort_by_cached_key(|row| (Reverse(known.scope_of(row).weight()), row.id.clone()));
        let mut places: HashMap<_, Vec<usize>> = HashMap::new();
        for (place, row) in rows.iter().enumerate() {
            places.entry((row.duty, row.area)).or_default().push(place);
        }
        Self { rows, places }
    }

    /// The rows, the most specific first.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The row that decides.
    pub fn find(&self, query: &Query<'_>) -> Option<&Row> {
        self.rows.get(self.find_place(query)?)
    }

    fn find_place(&self, query: &Query<'_>) -> Option<usize> {
        let areas = query.area.iter().copied().map(Some).chain([None]);
        let applies =
            |place: &&usize| self.rows.get(**place).is_some_and(|row| row.applies_to(query));
        areas
            .filter_map(|area| self.places.get(&(query.duty, area))?.iter().find(applies))
            .min()
            .copied()
    }

    /// Every row of the duty, the most specific first, with its result.
    pub fn explain_rows(&self, query: &Query<'_>) -> Vec<Considered<'_>> {
        let winner = self.find_place(query);
        let rows = self.rows.iter().enumerate().filter(|(_, row)| row.duty == query.duty);
        rows.map(|(place, row)| {
            let unmet = find_unmet(row, query);
            let verdict = match unmet.is_empty() {
                true if winner == Some(place) => Verdict::Wins,
                true => Verdict::Applies,
                false => Verdict::Fails { unmet },
            };
            Considered { row, verdict }
        })
        .collect()
    }
}

/// The conditions of a row that do not hold; empty exactly when [`Row::applies_to`] holds for a row
/// of the duty.
fn find_unmet(row: &Row, query: &Query<'_>) -> Vec<Unmet> {
    let given = |column| match column {
        Column::Area => query.area.first().map(ToString::to_string),
        Column::Channel => query.channel.map(|one| one.name().to_owned()),
        Column::Demand => query.demand.map(|one| one.name().to_owned()),
        Column::Category => query.category.first().map(|one| (*one).to_owned()),
        Column::Urgency => Some(query.urgency.name().to_owned()),
        Column::Complexity => query.complexity.map(|one| one.name().to_owned()),
        Column::Rank => query.rank.map(str::to_owned),
        Column::Redo => Some(query.redo.to_string()),
        Column::ValidFrom | Column::ValidUntil => Some(query.on.to_string()),
        Column::Id | Column::Duty | Column::Limit | Column::Owner | Column::Basis => None,
    };
    let holds = |column, wanted: &str| {
        let area = || query.area.iter().any(|id| id.to_string() == wanted);
        given(column).as_deref() == Some(wanted)
            || (column == Column::Area && area())
            || (column == Column::Category && query.category.contains(&wanted))
    };
    let early = row.valid_from.filter(|from| query.on < *from);
    let late = row.valid_until.filter(|until| query.on > *until);
    let days = [(Column::ValidFrom, early), (Column::ValidUntil, late)];
    let days = days.into_iter().filter_map(|(column, day)| Some((column, day?.to_string())));
    let conditions = render_conditions(&row.conditions()).into_iter();
    let conditions = conditions.filter(|(column, wanted)| !holds(*column, wanted));
    conditions
        .chain(days)
        .map(|(column, wanted)| Unmet { column, wanted, given: given(column) })
        .collect()
}
