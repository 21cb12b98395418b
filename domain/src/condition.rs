//! When a row of a list applies: to which matters, where, at which level, and for how long.
//!
//! One row is more specific than another when its conditions imply the other's: a sub-class
//! implies its class, an area the areas around it, a level set one not set. The most specific
//! row wins. Two rows that can meet, neither more specific, are a tie unless rows with exactly
//! what both ask for settle it on every day on which they meet.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::{
    area::{AreaKind, AreaTree},
    catalogue::Catalogue,
    id::AreaId,
    sheet::{At, Fault, Faults},
};

/// From which day, and until which, something is in force.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Period {
    /// The first day.
    pub from: NaiveDate,
    /// The first day after it; without it, until further notice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<NaiveDate>,
}

impl Period {
    /// Whether it holds on this day.
    pub fn holds(self, on: NaiveDate) -> bool {
        self.from <= on && self.until.is_none_or(|until| on < until)
    }

    /// Whether it ends before it begins, or at once.
    pub fn is_empty(self) -> bool {
        self.until.is_some_and(|until| until <= self.from)
    }

    /// The days in both; none when there are none.
    pub fn meet(self, other: Self) -> Option<Self> {
        let until = match (self.until, other.until) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        let both = Self { from: self.from.max(other.from), until };
        (!both.is_empty()).then_some(both)
    }

    /// Whether every day of it is in one of `others`.
    fn covered(self, others: &[Self]) -> bool {
        let mut day = self.from;
        loop {
            if self.until.is_some_and(|until| day >= until) {
                return true;
            }
            let Some(holds) = others.iter().find(|other| other.holds(day)) else { return false };
            match holds.until {
                Some(until) => day = until,
                None => return true,
            }
        }
    }
}

/// What is asked of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Query {
    /// The sub-class, then its class; empty for a matter nobody has classed yet.
    pub categories: Vec<String>,
    /// The area, then everything above it up to the root.
    pub areas: Vec<AreaId>,
    /// The level that would handle; without it, whichever the list names.
    pub level: Option<AreaKind>,
    /// On which local day.
    pub on: NaiveDate,
}

impl Query {
    /// The question for a matter of this category in this area.
    pub fn new(
        (category, catalogue): (Option<&str>, &Catalogue),
        (area, tree): (AreaId, &AreaTree),
        on: NaiveDate,
    ) -> Self {
        let categories = category.map_or_else(Vec::new, |code| classes(code, catalogue));
        let categories = categories.into_iter().map(str::to_owned).collect();
        Self { categories, areas: areas(area, tree), level: None, on }
    }

    /// The same at this level.
    #[must_use]
    pub fn at(&self, level: AreaKind) -> Self {
        Self { level: Some(level), ..self.clone() }
    }
}

/// A code and the classes above it; a code the catalogue lacks stands alone.
fn classes<'a>(code: &'a str, catalogue: &'a Catalogue) -> Vec<&'a str> {
    let mut found = vec![code];
    let mut above = catalogue.get(code).and_then(|category| category.parent.as_deref());
    while let Some(parent) = above.filter(|parent| !found.contains(parent)) {
        found.push(parent);
        above = catalogue.get(parent).and_then(|category| category.parent.as_deref());
    }
    found
}

/// An area and those above it.
fn areas(id: AreaId, tree: &AreaTree) -> Vec<AreaId> {
    let mut found = vec![id];
    let mut above = tree.parent(id).map(|area| area.id);
    while let Some(parent) = above.filter(|parent| !found.contains(parent)) {
        found.push(parent);
        above = tree.parent(parent).map(|area| area.id);
    }
    found
}

/// What a row asks for before it applies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Condition<'a> {
    pub(crate) category: &'a str,
    pub(crate) area: Option<AreaId>,
    pub(crate) level: Option<AreaKind>,
    pub(crate) period: Period,
}

/// How far from what was asked the conditions of a row are: the smaller, the more specific.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Distance {
    category: usize,
    area: usize,
    unset: bool,
}

impl Condition<'_> {
    /// How specifically it applies; none when it does not.
    pub(crate) fn applies(&self, query: &Query) -> Option<Distance> {
        if !self.period.holds(query.on) {
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
    pub(crate) fn conditions(
        &mut self,
        at: At,
        condition: &Condition<'_>,
        (catalogue, tree): (&Catalogue, &AreaTree),
    ) {
        if catalogue.get(condition.category).is_none() {
            let fault = Fault::new(at, ("category", "unknown_category"), condition.category);
            self.push(
                fault.expecting("目录中的大类或小类", "a class or sub-class of the catalogue"),
            );
        }
        let territory = |id| tree.get(id).is_some_and(|area| area.kind != AreaKind::Department);
        if let Some(area) = condition.area.filter(|id| !territory(*id)) {
            let fault = Fault::new(at, ("area", "unknown_area"), &area.to_string());
            self.push(fault.expecting("本地的区域", "a territory of this tenant"));
        }
        if condition.period.is_empty() {
            let until = condition.period.until.map(|day| day.to_string()).unwrap_or_default();
            let fault = Fault::new(at, ("valid_until", "empty_period"), &until);
            let from = condition.period.from;
            let (zh, en) = (format!("{from} 之后的日期"), format!("a day after {from}"));
            self.push(fault.expecting(zh, en));
        }
    }
}

impl Distance {
    /// Whether a row at this distance is more specific than one at `other`.
    pub(crate) fn beats(self, other: Self) -> bool {
        self != other && self.place_within(other) && self.unset <= other.unset
    }

    /// The same, whatever the levels.
    pub(crate) fn place_beats(self, other: Self) -> bool {
        self.place_within(other) && (self.category, self.area) != (other.category, other.area)
    }

    fn place_within(self, other: Self) -> bool {
        self.category <= other.category && self.area <= other.area
    }
}

/// The rows than which none is more specific: one, where the list has no ties.
pub(crate) fn most_specific<T: Copy>(rows: &[(T, Distance)]) -> Vec<(T, Distance)> {
    let beaten = |one: Distance| rows.iter().any(|(_, other)| other.beats(one));
    rows.iter().filter(|(_, distance)| !beaten(*distance)).copied().collect()
}

/// A condition with everything it implies.
struct Implied<'a> {
    row: usize,
    condition: Condition<'a>,
    classes: Vec<&'a str>,
    areas: Vec<AreaId>,
}

type Exactly<'a> = (&'a str, Option<AreaId>, Option<AreaKind>);

impl<'a> Implied<'a> {
    fn exactly(&self) -> Exactly<'a> {
        (self.condition.category, self.condition.area, self.condition.level)
    }

    fn implies(&self, other: &Self) -> bool {
        self.classes.contains(&other.condition.category)
            && other.condition.area.is_none_or(|area| self.areas.contains(&area))
            && (other.condition.level.is_none() || self.condition.level == other.condition.level)
    }

    /// What both ask for together; none when nothing can satisfy both.
    fn meet(&self, other: &Self) -> Option<Exactly<'a>> {
        let (one, two) = (&self.condition, &other.condition);
        let category = if self.classes.contains(&two.category) {
            one.category
        } else {
            other.classes.contains(&one.category).then_some(two.category)?
        };
        let area = match (one.area, two.area) {
            (Some(a), Some(b)) if self.areas.contains(&b) => Some(a),
            (Some(a), Some(b)) => other.areas.contains(&a).then_some(Some(b))?,
            (a, b) => a.or(b),
        };
        let level = match (one.level, two.level) {
            (Some(a), Some(b)) if a != b => return None,
            (a, b) => a.or(b),
        };
        Some((category, area, level))
    }
}

/// Pairs of rows of which neither wins where both apply, the earlier row first; at most `most`.
pub(crate) fn ties<'a>(
    conditions: impl Iterator<Item = Condition<'a>>,
    (catalogue, tree): (&'a Catalogue, &AreaTree),
    allowed: impl Fn(usize, usize) -> bool,
    most: usize,
) -> Vec<(usize, usize)> {
    let mut families: BTreeMap<&str, Vec<Implied<'a>>> = BTreeMap::new();
    let mut exactly: HashMap<Exactly<'a>, Vec<Period>> = HashMap::new();
    for (row, condition) in conditions.enumerate() {
        let classes = classes(condition.category, catalogue);
        let areas = condition.area.map_or_else(Vec::new, |area| areas(area, tree));
        let implied = Implied { row, condition, classes, areas };
        exactly.entry(implied.exactly()).or_default().push(condition.period);
        let family = implied.classes.last().copied().unwrap_or(condition.category);
        families.entry(family).or_default().push(implied);
    }
    let settled = |meet: Exactly<'a>, one: &Implied<'a>, two: &Implied<'a>, days: Period| {
        meet != one.exactly()
            && meet != two.exactly()
            && exactly.get(&meet).is_some_and(|periods| days.covered(periods))
    };
    let tie = |one: &Implied<'a>, two: &Implied<'a>| {
        let Some(days) = one.condition.period.meet(two.condition.period) else { return false };
        let Some(meet) = one.meet(two) else { return false };
        one.implies(two) == two.implies(one) && !settled(meet, one, two, days)
    };
    let mut found: Vec<(usize, usize)> = families
        .values()
        .flat_map(|family| family.iter().enumerate().map(move |(at, one)| (one, family, at)))
        .flat_map(|(one, family, at)| family.iter().skip(at + 1).map(move |two| (one, two)))
        .filter(|(one, two)| !allowed(one.row, two.row) && tie(one, two))
        .map(|(one, two)| (one.row, two.row))
        .take(most)
        .collect();
    found.sort_unstable();
    found
}
