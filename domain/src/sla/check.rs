//! The check of a matrix: nothing unknown, no clock without a limit, none with two.

use std::collections::HashMap;

use super::{
    Column, Fault, Matrix, Row, Tie,
    scope::{Conditions, Scope, Span},
};
use crate::{
    area::AreaTree,
    catalogue::Catalogue,
    id::AreaId,
    limit::{Limit, LimitUnit},
    obligation::Duty,
    text::{self, Code, Line},
};

/// What rows may speak of.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// An area and those above it, deepest first; nothing for one that does not exist.
    pub areas: &'a dyn Fn(AreaId) -> Vec<AreaId>,
    /// The kinds of matter.
    pub catalogue: &'a Catalogue,
    /// The codes of whistle ranks.
    pub ranks: &'a [&'a str],
}

/// An area and those above it, deepest first; nothing for one that is not in the tree.
pub fn ancestry(tree: &AreaTree, area: AreaId) -> Vec<AreaId> {
    std::iter::successors(tree.get(area), |one| tree.parent(one.id)).map(|one| one.id).collect()
}

/// A tenant without categories.
static NO_CATALOGUE: Catalogue = Catalogue { categories: Vec::new() };

impl Known<'static> {
    /// Of a tenant that has nothing yet.
    pub fn nothing() -> Self {
        Self { areas: &|_| Vec::new(), catalogue: &NO_CATALOGUE, ranks: &[] }
    }
}

impl<'a> Known<'a> {
    /// The conditions of a row with what lies above them.
    pub(super) fn scope<'r>(&self, row: &'r Row) -> Scope<'r>
    where
        'a: 'r,
    {
        let above = |code: &&'r str| self.catalogue.get(code)?.parent.as_deref();
        // A catalogue that goes in a circle ends here.
        let categories = std::iter::successors(row.category.as_deref(), above).take(8).collect();
        let areas = row.area.map_or_else(Vec::new, |area| match (self.areas)(area) {
            unknown if unknown.is_empty() => vec![area],
            known => known,
        });
        Scope { conditions: row.conditions(), areas, categories }
    }
}

impl Matrix {
    /// The most rows there may be.
    pub const MAX_ROWS: usize = 5_000;

    /// The most faults that are told at once.
    pub const MAX_FAULTS: usize = 100;

    /// What is wrong with it; nothing when every matter has exactly one limit on every day.
    pub fn check(&self, known: &Known<'_>) -> Vec<Fault> {
        if self.rows.len() > Self::MAX_ROWS {
            return vec![Fault::TooManyRows { count: self.rows.len() }];
        }
        let mut faults = self.duplicates();
        faults.extend(self.numbered().flat_map(|(number, row)| faults_of(number, row, known)));
        let limited = Duty::ALL.iter().filter(|duty| duty.limited());
        faults.extend(limited.filter_map(|duty| self.no_fallback(*duty)));
        for duty in Duty::ALL {
            let most = Self::MAX_FAULTS.saturating_sub(faults.len());
            faults.extend(self.ties(*duty, known, most));
        }
        faults.truncate(Self::MAX_FAULTS);
        faults
    }

    fn numbered(&self) -> impl Iterator<Item = (usize, &Row)> {
        (1..).zip(&self.rows)
    }

    fn duplicates(&self) -> Vec<Fault> {
        let mut first: HashMap<&str, usize> = HashMap::new();
        self.numbered()
            .filter_map(|(number, row)| match *first.entry(&row.id).or_insert(number) {
                earlier if earlier == number => None,
                earlier => Some(Fault::DuplicateId { rows: [earlier, number], id: row.id.clone() }),
            })
            .collect()
    }

    fn no_fallback(&self, duty: Duty) -> Option<Fault> {
        let always = self.rows.iter().filter(|row| row.duty == duty && row.conditions().none());
        let spans: Vec<Span> = always.map(Span::of).collect();
        let gap = Span::EVER.gap(&spans)?;
        Some(Fault::NoFallback { duty, from: gap.begins(), until: gap.ends() })
    }

    fn ties(&self, duty: Duty, known: &Known<'_>, most: usize) -> Vec<Fault> {
        let rows: Vec<Entry<'_>> = self
            .numbered()
            .filter(|(_, row)| row.duty == duty)
            .map(|(number, row)| Entry {
                number,
                row,
                scope: known.scope(row),
                span: Span::of(row),
            })
            .collect();
        let mut by_conditions: HashMap<Conditions<'_>, Vec<Span>> = HashMap::new();
        for entry in &rows {
            by_conditions.entry(entry.scope.conditions).or_default().push(entry.span);
        }
        let pairs = rows
            .iter()
            .enumerate()
            .flat_map(|(index, a)| rows.iter().skip(index + 1).map(move |b| (a, b)));
        pairs.filter_map(|(a, b)| tie(a, b, &by_conditions)).take(most).collect()
    }
}

/// A row, prepared to be compared with all others.
struct Entry<'a> {
    number: usize,
    row: &'a Row,
    scope: Scope<'a>,
    span: Span,
}

/// Whether two rows of one duty tie: they meet, neither implies the other, and on some day of
/// their meeting no row asks for exactly what both ask for.
fn tie(
    a: &Entry<'_>,
    b: &Entry<'_>,
    by_conditions: &HashMap<Conditions<'_>, Vec<Span>>,
) -> Option<Fault> {
    let span = a.span.meet(b.span)?;
    let meeting = a.scope.meet(&b.scope)?;
    let (own, other) = (a.scope.conditions, b.scope.conditions);
    let same = own == other;
    if !same && (meeting == own || meeting == other) {
        return None;
    }
    let between = by_conditions.get(&meeting).map_or(&[][..], Vec::as_slice);
    let gap = if same { span } else { span.gap(between)? };
    Some(Fault::Tie(Box::new(Tie {
        duty: a.row.duty,
        rows: [a.number, b.number],
        ids: [a.row.id.clone(), b.row.id.clone()],
        matter: meeting.written(),
        from: gap.begins(),
        until: gap.ends(),
        same,
    })))
}

/// What is wrong with one row by itself.
fn faults_of(number: usize, row: &Row, known: &Known<'_>) -> Vec<Fault> {
    let text = |column, fault: Option<text::Fault>| {
        fault.map(|fault| Fault::Text { row: number, column, fault })
    };
    let amounts = if row.limit.unit == LimitUnit::SameDay { 1..=1 } else { 1..=Limit::MAX };
    let backward = row.valid_from.zip(row.valid_until).filter(|(from, until)| until < from);
    let area = row.area.filter(|area| (known.areas)(*area).is_empty());
    let category = row.category.as_ref().filter(|code| known.catalogue.get(code).is_none());
    let rank = row.rank.as_ref().filter(|code| !known.ranks.contains(&code.as_str()));
    [
        text(Column::Id, Code::try_from(row.id.as_str()).err()),
        text(Column::Owner, Line::try_from(row.owner.as_str()).err()),
        text(Column::Basis, Line::try_from(row.basis.as_str()).err()),
        (!amounts.contains(&row.limit.amount))
            .then_some(Fault::Limit { row: number, limit: row.limit }),
        backward.map(|(from, until)| Fault::Backward { row: number, from, until }),
        area.map(|area| Fault::UnknownArea { row: number, area }),
        category.map(|code| Fault::UnknownCategory { row: number, code: code.clone() }),
        rank.map(|code| Fault::UnknownRank { row: number, code: code.clone() }),
    ]
    .into_iter()
    .flatten()
    .collect()
}
