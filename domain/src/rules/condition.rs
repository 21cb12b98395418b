//! The conditions of a row of a list: for which matters, where, at which level, and for how long it
//! applies.
//!
//! The most specific row that applies wins; [`crate::rules::rule_precedence`] defines that, and
//! which rows tie.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::{
    area::tree::{AreaKind, AreaTree},
    core::{
        id::AreaId,
        tabular_import::{At, Fault, Faults},
    },
    rules::{
        catalogue::Catalogue,
        rule_precedence::{self, Entry, Scope, Span},
    },
};

/// The days on which something is in force.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Period {
    /// The first day.
    pub from: NaiveDate,
    /// The first day after the period; without it, until further notice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<NaiveDate>,
}

impl Period {
    /// Whether it holds on this day.
    pub fn holds_on(self, on: NaiveDate) -> bool {
        self.from <= on && self.until.is_none_or(|until| on < until)
    }

    /// Whether it ends on or before its first day.
    pub fn is_empty(self) -> bool {
        self.until.is_some_and(|until| until <= self.from)
    }

    /// The period with its last day, for comparing rows.
    fn span(self) -> Span {
        let last = |until: NaiveDate| until.pred_opt().unwrap_or(until);
        Span { from: self.from, until: self.until.map_or(Span::EVER.until, last) }
    }
}

/// A query to a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Query {
    /// The sub-class, then its class; empty for a matter without a category.
    pub categories: Vec<String>,
    /// The area, then everything above it up to the root.
    pub areas: Vec<AreaId>,
    /// The level that would handle it; without it, any level the list names.
    pub level: Option<AreaKind>,
    /// The local day.
    pub on: NaiveDate,
}

impl Query {
    /// The query for a matter of this category in this area.
    pub fn new(
        (category, catalogue): (Option<&str>, &Catalogue),
        (area, tree): (AreaId, &AreaTree),
        on: NaiveDate,
    ) -> Self {
        let categories = category.map_or_else(Vec::new, |code| collect_classes(code, catalogue));
        let categories = categories.into_iter().map(str::to_owned).collect();
        Self { categories, areas: collect_areas(area, tree), level: None, on }
    }

    /// The same query at this level.
    #[must_use]
    pub fn at_level(&self, level: AreaKind) -> Self {
        Self { level: Some(level), ..self.clone() }
    }
}

/// A code and the classes above it; only the code where the catalogue lacks it.
fn collect_classes<'a>(code: &'a str, catalogue: &'a Catalogue) -> Vec<&'a str> {
    let mut found = vec![code];
    let mut above = catalogue.get(code).and_then(|category| category.parent.as_deref());
    while let Some(parent) = above.filter(|parent| !found.contains(parent)) {
        found.push(parent);
        above = catalogue.get(parent).and_then(|category| category.parent.as_deref());
    }
    found
}

/// An area and those above it.
fn collect_areas(id: AreaId, tree: &AreaTree) -> Vec<AreaId> {
    let mut found = vec![id];
    let mut above = tree.parent(id).map(|area| area.id);
    while let Some(parent) = above.filter(|parent| !found.contains(parent)) {
        found.push(parent);
        above = tree.parent(parent).map(|area| area.id);
    }
    found
}

/// The conditions of a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Condition<'a> {
    pub(crate) category: &'a str,
    pub(crate) area: Option<AreaId>,
    pub(crate) level: Option<AreaKind>,
    pub(crate) period: Period,
}

/// The distance between a query and the conditions of a row: the smaller, the more specific the
/// row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Distance {
    category: usize,
    area: usize,
    unset: bool,
}

impl Condition<'_> {
    /// The distance to a query; none when the row does not apply.
    pub(crate) fn distance_to(&self, query: &Query) -> Option<Distance> {
        if !self.period.holds_on(query.on) {
            return None;
        }
        let category = query.categories.iter().position(|code| code == self.category)?;
        let area = match self.area {
            Some(area) => query.areas.iter().position(|id| *id == area)?,
            None => query.areas.len(),
        };
        match self.level {
            Some(level) if query.level != Some(level) => None,
            level => Some(Distance { category, area, unset: level.is_none() }),
        }
    }
}

impl Faults {
    /// Refuses conditions that name what does not exist, or that never hold.
    pub(crate) fn check_condition(
        &mut self,
        at: At,
        condition: &Condition<'_>,
        (catalogue, tree): (&Catalogue, &AreaTree),
    ) {
        if catalogue.get(condition.category).is_none() {
            let fault = Fault::new(at, ("category", "unknown_category"), condition.category);
            self.push(
                fault.with_expected("目录中的大类或小类", "a class or subclass of the catalogue"),
            );
        }
        let territory = |id| tree.get(id).is_some_and(|area| area.kind != AreaKind::Department);
        if let Some(area) = condition.area.filter(|id| !territory(*id)) {
            let fault = Fault::new(at, ("area", "unknown_area"), &area.to_string());
            self.push(fault.with_expected("本市（县）的区域", "a territory of this tenant"));
        }
        if condition.period.is_empty() {
            let until = condition.period.until.map(|day| day.to_string()).unwrap_or_default();
            let fault = Fault::new(at, ("valid_until", "empty_period"), &until);
            let from = condition.period.from;
            let (zh, en) = (format!("{from} 之后的日期"), format!("a date after {from}"));
            self.push(fault.with_expected(zh, en));
        }
    }
}

impl Distance {
    /// Whether a row at this distance is more specific than one at `other`.
    pub(crate) fn beats(self, other: Self) -> bool {
        self != other && self.place_within(other) && self.unset <= other.unset
    }

    /// Like [`Self::beats`], without regard to levels.
    pub(crate) fn place_beats(self, other: Self) -> bool {
        self.place_within(other) && (self.category, self.area) != (other.category, other.area)
    }

    fn place_within(self, other: Self) -> bool {
        self.category <= other.category && self.area <= other.area
    }
}

/// The rows than which none is more specific: one, where the list has no ties.
pub(crate) fn select_most_specific<T: Copy>(rows: &[(T, Distance)]) -> Vec<(T, Distance)> {
    let beaten = |one: Distance| rows.iter().any(|(_, other)| other.beats(one));
    rows.iter().filter(|(_, distance)| !beaten(*distance)).copied().collect()
}

/// Pairs of rows of which neither wins where both apply, the earlier row first; at most `most`.
pub(crate) fn find_ties<'a>(
    conditions: impl Iterator<Item = Condition<'a>>,
    (catalogue, tree): (&'a Catalogue, &AreaTree),
    allowed: impl Fn(usize, usize) -> bool,
    most: usize,
) -> Vec<(usize, usize)> {
    let held = conditions.enumerate().filter(|(_, condition)| !condition.period.is_empty());
    let entries = held.map(|(index, condition)| {
        let categories = collect_classes(condition.category, catalogue);
        let areas = condition.area.map_or_else(Vec::new, |area| collect_areas(area, tree));
        let level = condition.level.map(AreaKind::name);
        let scope = Scope::new(categories, areas, [level, None, None, None, None, None]);
        (scope.family(), Entry { index, scope, span: condition.period.span() })
    });
    let found = rule_precedence::find_ties(entries, allowed, most);
    found.into_iter().map(|meeting| meeting.rows.into()).collect()
}
