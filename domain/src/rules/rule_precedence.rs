//! Which of two rows is more specific: one mechanism for every list whose rows have conditions.
//!
//! A row requires a category, an area and some plain values, or leaves them open. It implies
//! another when everything that satisfies it satisfies the other: a sub-class implies its class, an
//! area those around it, a value none. Of two rows of which one implies the other, that one wins.
//! Two rows that can both apply, and of which neither implies the other, are a tie, unless rows
//! that require exactly what both together require settle it on every day on which both apply.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
};

use chrono::NaiveDate;

use crate::core::id::AreaId;

/// The most plain values a row can require.
pub(crate) const PLAIN: usize = 6;

/// Values without levels, each by its name and in its place.
pub(crate) type Plain<'a> = [Option<&'a str>; PLAIN];

/// What a row requires.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) category: Option<&'a str>,
    pub(crate) area: Option<AreaId>,
    pub(crate) plain: Plain<'a>,
}

impl Asked<'_> {
    /// Whether it requires nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.area.is_none() && self.category.is_none() && self.count_plain() == 0
    }

    /// The number of plain values it requires.
    pub(crate) fn count_plain(&self) -> usize {
        self.plain.iter().flatten().count()
    }
}

/// What a row requires, with everything above its category and area.
#[derive(Debug)]
pub(crate) struct Scope<'a> {
    asked: Asked<'a>,
    /// The category and those above it; empty when none is required.
    categories: Vec<&'a str>,
    /// The area and those above it; empty when none is required.
    areas: Vec<AreaId>,
}

impl<'a> Scope<'a> {
    /// From a category and an area, each with those above it, deepest first.
    pub(crate) fn new(categories: Vec<&'a str>, areas: Vec<AreaId>, plain: Plain<'a>) -> Self {
        let (category, area) = (categories.first().copied(), areas.first().copied());
        Self { asked: Asked { category, area, plain }, categories, areas }
    }

    /// How much it requires: of two of which one implies the other, that one has the larger weight.
    pub(crate) fn weight(&self) -> usize {
        self.areas.len() + self.categories.len() + self.asked.count_plain()
    }

    /// The outermost category.
    pub(crate) fn family(&self) -> Option<&'a str> {
        self.categories.last().copied()
    }

    /// What both require together; none when nothing satisfies both.
    fn intersect(&self, other: &Self) -> Option<Asked<'a>> {
        let mut plain = self.asked.plain;
        for (own, other) in plain.iter_mut().zip(other.asked.plain) {
            *own = intersect_values(*own, other)?;
        }
        Some(Asked {
            category: intersect_lineages(&self.categories, &other.categories)?,
            area: intersect_lineages(&self.areas, &other.areas)?,
            plain,
        })
    }
}

/// The value both require; `None` inside when neither does, outside when they differ.
#[expect(clippy::option_option, reason = "no value and no meeting are two things")]
fn intersect_values<T: PartialEq>(a: Option<T>, b: Option<T>) -> Option<Option<T>> {
    match (a, b) {
        (None, any) | (any, None) => Some(any),
        (Some(a), Some(b)) => (a == b).then_some(Some(a)),
    }
}

/// The deeper of two of which one lies in the other.
#[expect(clippy::option_option, reason = "no value and no meeting are two things")]
fn intersect_lineages<T: PartialEq + Copy>(a: &[T], b: &[T]) -> Option<Option<T>> {
    match (a.first().copied(), b.first().copied()) {
        (None, any) | (any, None) => Some(any),
        (Some(own), Some(other)) if a.contains(&other) => Some(Some(own)),
        (Some(own), Some(other)) => b.contains(&own).then_some(Some(other)),
    }
}

/// The days from one to another, both included.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Span {
    pub(crate) from: NaiveDate,
    pub(crate) until: NaiveDate,
}

impl Span {
    /// All days, without any bound.
    pub(crate) const EVER: Self = Self { from: NaiveDate::MIN, until: NaiveDate::MAX };

    /// The first day, where there is one.
    pub(crate) fn first_day(self) -> Option<NaiveDate> {
        (self.from != Self::EVER.from).then_some(self.from)
    }

    /// The last day, where there is one.
    pub(crate) fn last_day(self) -> Option<NaiveDate> {
        (self.until != Self::EVER.until).then_some(self.until)
    }

    /// The days in both.
    fn intersect(self, other: Self) -> Option<Self> {
        let both = Self { from: self.from.max(other.from), until: self.until.min(other.until) };
        (both.from <= both.until).then_some(both)
    }

    /// The first days of it that are in none of the others.
    pub(crate) fn find_gap(self, others: &[Self]) -> Option<Self> {
        let mut others: Vec<Self> = others.iter().filter_map(|one| one.intersect(self)).collect();
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

/// A row among others.
pub(crate) struct Entry<'a> {
    pub(crate) index: usize,
    pub(crate) scope: Scope<'a>,
    pub(crate) span: Span,
}

/// Two rows that tie.
pub(crate) struct Meeting<'a> {
    /// The indices of the rows, the earlier first.
    pub(crate) rows: [usize; 2],
    /// What both require together.
    pub(crate) asked: Asked<'a>,
    /// The first days on which neither of them wins.
    pub(crate) days: Span,
    /// Whether both require the same, so that no further row settles it.
    pub(crate) same: bool,
}

/// The rows that tie, at most `most`; only rows of one family can both apply, and pairs that
/// `allowed` accepts are no ties.
pub(crate) fn find_ties<'a, K: Ord>(
    entries: impl Iterator<Item = (K, Entry<'a>)>,
    allowed: impl Fn(usize, usize) -> bool,
    most: usize,
) -> Vec<Meeting<'a>> {
    let mut families: BTreeMap<K, Vec<Entry<'a>>> = BTreeMap::new();
    for (family, entry) in entries {
        families.entry(family).or_default().push(entry);
    }
    let mut found: Vec<Meeting<'a>> = Vec::new();
    for family in families.values() {
        let mut exactly: HashMap<Asked<'a>, Vec<Span>> = HashMap::new();
        for entry in family {
            exactly.entry(entry.scope.asked).or_default().push(entry.span);
        }
        let pairs = family
            .iter()
            .enumerate()
            .flat_map(|(at, one)| family.iter().skip(at + 1).map(move |two| (one, two)))
            .filter(|(one, two)| !allowed(one.index, two.index));
        let open = pairs.filter_map(|(one, two)| find_tie(one, two, &exactly));
        found.extend(open.take(most.saturating_sub(found.len())));
    }
    found.sort_unstable_by_key(|meeting| meeting.rows);
    found
}

/// Whether two rows tie: both can apply, neither implies the other, and on some day on which both
/// apply no row requires exactly what both together require.
fn find_tie<'a>(
    one: &Entry<'a>,
    two: &Entry<'a>,
    exactly: &HashMap<Asked<'a>, Vec<Span>>,
) -> Option<Meeting<'a>> {
    let span = one.span.intersect(two.span)?;
    let asked = one.scope.intersect(&two.scope)?;
    let same = one.scope.asked == two.scope.asked;
    if !same && (asked == one.scope.asked || asked == two.scope.asked) {
        return None;
    }
    let between = exactly.get(&asked).map_or(&[][..], Vec::as_slice);
    let days = if same { span } else { span.find_gap(between)? };
    let rows = [one.index.min(two.index), one.index.max(two.index)];
    Some(Meeting { rows, asked, days, same })
}
