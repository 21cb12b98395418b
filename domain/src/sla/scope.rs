//! What a row asks for, and where two rows meet.

use chrono::NaiveDate;

use super::{Column, Complexity, Demand, Row};
use crate::{id::AreaId, report::Channel, rules::Urgency};

/// The conditions of a row.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Conditions<'a> {
    pub(super) area: Option<AreaId>,
    pub(super) channel: Option<Channel>,
    pub(super) demand: Option<Demand>,
    pub(super) category: Option<&'a str>,
    pub(super) urgency: Option<Urgency>,
    pub(super) complexity: Option<Complexity>,
    pub(super) rank: Option<&'a str>,
    pub(super) redo: Option<bool>,
}

impl Conditions<'_> {
    /// Whether it holds for everything.
    pub(super) fn none(&self) -> bool {
        self.area.is_none() && self.category.is_none() && self.flat() == 0
    }

    /// How many conditions are set on things that contain nothing else.
    pub(super) fn flat(&self) -> usize {
        usize::from(self.channel.is_some())
            + usize::from(self.demand.is_some())
            + usize::from(self.urgency.is_some())
            + usize::from(self.complexity.is_some())
            + usize::from(self.rank.is_some())
            + usize::from(self.redo.is_some())
    }

    /// What is set, as written in a table.
    pub(super) fn written(&self) -> Vec<(Column, String)> {
        let cells = [
            (Column::Area, self.area.map(|area| area.to_string())),
            (Column::Channel, self.channel.map(|one| one.name().to_owned())),
            (Column::Demand, self.demand.map(|one| one.name().to_owned())),
            (Column::Category, self.category.map(str::to_owned)),
            (Column::Urgency, self.urgency.map(|one| one.name().to_owned())),
            (Column::Complexity, self.complexity.map(|one| one.name().to_owned())),
            (Column::Rank, self.rank.map(str::to_owned)),
            (Column::Redo, self.redo.map(|one| one.to_string())),
        ];
        cells.into_iter().filter_map(|(column, cell)| Some((column, cell?))).collect()
    }
}

/// Conditions with what lies above their area and their category.
#[derive(Debug)]
pub(super) struct Scope<'a> {
    pub(super) conditions: Conditions<'a>,
    /// The area and those above; empty when none is asked for.
    pub(super) areas: Vec<AreaId>,
    /// The category and those above; empty when none is asked for.
    pub(super) categories: Vec<&'a str>,
}

impl<'a> Scope<'a> {
    /// How much it asks: of two that imply one another the one that implies has more.
    pub(super) fn weight(&self) -> usize {
        self.areas.len() + self.categories.len() + self.conditions.flat()
    }

    /// What holds exactly where both hold; nothing where they exclude one another.
    pub(super) fn meet(&self, other: &Self) -> Option<Conditions<'a>> {
        let (a, b) = (&self.conditions, &other.conditions);
        Some(Conditions {
            urgency: same(a.urgency, b.urgency)?,
            demand: same(a.demand, b.demand)?,
            channel: same(a.channel, b.channel)?,
            complexity: same(a.complexity, b.complexity)?,
            rank: same(a.rank, b.rank)?,
            redo: same(a.redo, b.redo)?,
            category: nested(&self.categories, &other.categories)?,
            area: nested(&self.areas, &other.areas)?,
        })
    }
}

/// The value both ask for; `None` inside when neither does, outside when they differ.
#[expect(clippy::option_option, reason = "no value and no meeting are two things")]
fn same<T: PartialEq>(a: Option<T>, b: Option<T>) -> Option<Option<T>> {
    match (a, b) {
        (None, any) | (any, None) => Some(any),
        (Some(a), Some(b)) => (a == b).then_some(Some(a)),
    }
}

/// The deeper of two of which one lies in the other.
#[expect(clippy::option_option, reason = "no value and no meeting are two things")]
fn nested<T: PartialEq + Copy>(a: &[T], b: &[T]) -> Option<Option<T>> {
    match (a.first().copied(), b.first().copied()) {
        (None, any) | (any, None) => Some(any),
        (Some(own), Some(other)) if a.contains(&other) => Some(Some(own)),
        (Some(own), Some(other)) => b.contains(&own).then_some(Some(other)),
    }
}

/// The days from one to another, both included.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Span {
    pub(super) from: NaiveDate,
    pub(super) until: NaiveDate,
}

impl Span {
    /// All days there are.
    pub(super) const EVER: Self = Self { from: NaiveDate::MIN, until: NaiveDate::MAX };

    /// The days a row is in force.
    pub(super) fn of(row: &Row) -> Self {
        Self {
            from: row.valid_from.unwrap_or(Self::EVER.from),
            until: row.valid_until.unwrap_or(Self::EVER.until),
        }
    }

    /// The first day, where there is one.
    pub(super) fn begins(self) -> Option<NaiveDate> {
        (self.from != Self::EVER.from).then_some(self.from)
    }

    /// The last day, where there is one.
    pub(super) fn ends(self) -> Option<NaiveDate> {
        (self.until != Self::EVER.until).then_some(self.until)
    }

    /// The days in both.
    pub(super) fn meet(self, other: Self) -> Option<Self> {
        let both = Self { from: self.from.max(other.from), until: self.until.min(other.until) };
        (both.from <= both.until).then_some(both)
    }

    /// The first days of it that none of the others has.
    pub(super) fn gap(self, others: &[Self]) -> Option<Self> {
        let mut others: Vec<Self> = others.iter().filter_map(|one| one.meet(self)).collect();
        others.sort_unstable();
        let mut from = self.from;
        for other in others {
            if other.from > from {
                return Some(Self { from, until: other.from.pred_opt().unwrap_or(from) });
            }
            if other.until >= from {
                from = other.until.succ_opt().filter(|next| *next <= self.until)?;
            }
        }
        Some(Self { from, until: self.until })
    }
}
