//! The list of matters that communities may be given (社区事项准入清单).
//!
//! Where it is enforced, a case is dispatched to a community, or to a grid in one, only when its
//! matter is listed and not negative; everything else is refused with [`NOT_ADMITTED`]. The list
//! does not decide about a matter without a category: see [`Verdict::NoCategory`].

mod import;

use serde::{Deserialize, Serialize};

use crate::{
    area::tree::{AreaKind, AreaTree},
    core::{
        id::AreaId,
        labelled_enum::labelled_enum,
        tabular_import::{At, Fault, Faults, MAX_FAULTS},
    },
    rules::{
        catalogue::Catalogue,
        condition::{Condition, Distance, Period, Query, find_ties, select_most_specific},
    },
};

/// The machine code with which a dispatch to a community is refused.
pub const NOT_ADMITTED: &str = "not_admitted";

labelled_enum! {
    /// How a matter concerns communities.
    EntryKind {
        /// The law assigns it to them.
        Statutory = "statutory", "依法履职";
        /// They assist the unit whose duty it is.
        Assist = "assist", "协助";
        /// A certificate they issue.
        Certificate = "certificate", "证明";
        /// They must not be given it.
        Negative = "negative", "负面";
    }
}

/// One line of the list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its code in the list.
    pub code: String,
    /// How it concerns communities.
    pub kind: EntryKind,
    /// A sub-class, or a class with all its sub-classes.
    pub category: String,
    /// In this area and all in it; without one, everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area: Option<AreaId>,
    /// The law or decision it is based on.
    pub basis: String,
    /// When it is in force.
    pub period: Period,
}

/// The list as published by a tenant.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admissions {
    /// The entries, in any order.
    pub entries: Vec<Entry>,
    /// Whether the list is applied; one that is still being written is not.
    pub enforced: bool,
}

/// The answer of the list about a matter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict<'a> {
    /// It may go to the community.
    Listed(&'a Entry),
    /// It must not.
    Negative(&'a Entry),
    /// It must not, because nothing lists it.
    NotListed,
    /// The list is not applied.
    NotEnforced,
    /// The matter has no category, so the list cannot decide: staff classify it later.
    NoCategory,
}

impl<'a> Verdict<'a> {
    /// Its name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Listed(_) => "listed",
            Self::Negative(_) => "negative",
            Self::NotListed => "not_listed",
            Self::NotEnforced => "not_enforced",
            Self::NoCategory => "no_category",
        }
    }

    /// Whether a dispatch to a community is refused.
    pub const fn refuses_dispatch(self) -> bool {
        matches!(self, Self::Negative(_) | Self::NotListed)
    }

    /// The entry that decided.
    pub const fn entry(self) -> Option<&'a Entry> {
        match self {
            Self::Listed(entry) | Self::Negative(entry) => Some(entry),
            Self::NotListed | Self::NotEnforced | Self::NoCategory => None,
        }
    }
}

/// Whether the list applies to units of this kind: communities and the grids in them.
pub const fn is_guarded(kind: AreaKind) -> bool {
    matches!(kind, AreaKind::Community | AreaKind::Grid)
}

impl Entry {
    fn condition(&self) -> Condition<'_> {
        let Self { category, area, period, .. } = self;
        Condition { category, area: *area, level: None, period: *period }
    }

    fn is_negative(&self) -> bool {
        self.kind == EntryKind::Negative
    }
}

impl Admissions {
    /// The default of a tenant: an empty list that is not applied.
    pub fn standard() -> Self {
        Self::default()
    }

    /// The answer about a matter in the community's area. The most specific entry decides; where
    /// neither of two is more specific, the negative one.
    pub fn find_verdict(&self, query: &Query) -> Verdict<'_> {
        if !self.enforced {
            return Verdict::NotEnforced;
        }
        if query.categories.is_empty() {
            return Verdict::NoCategory;
        }
        let applies = |entry| Some((entry, Entry::condition(entry).distance_to(query)?));
        let applying: Vec<(&Entry, Distance)> = self.entries.iter().filter_map(applies).collect();
        let best = select_most_specific(&applying).into_iter().map(|(entry, _)| entry);
        match best.min_by_key(|entry| (!entry.is_negative(), &entry.code)) {
            Some(entry) if entry.is_negative() => Verdict::Negative(entry),
            Some(entry) => Verdict::Listed(entry),
            None => Verdict::NotListed,
        }
    }

    /// Everything that is wrong, up to [`MAX_FAULTS`]; empty when it may be published.
    pub fn check(&self, catalogue: &Catalogue, tree: &AreaTree) -> Vec<Fault> {
        let mut faults = Faults::for_list("entries");
        faults.check_row_count(self.entries.len());
        if !faults.is_empty() {
            return faults.into_vec();
        }
        let codes: Vec<&str> = self.entries.iter().map(|entry| entry.code.as_str()).collect();
        faults.check_unique_codes(&codes);
        for (index, entry) in self.entries.iter().enumerate() {
            entry.check(At::Row(index), (catalogue, tree), &mut faults);
        }
        let conditions = self.entries.iter().map(Entry::condition);
        let negative = |index| self.entries.get(index).is_some_and(Entry::is_negative);
        let decided = |one, two| negative(one) != negative(two);
        for (first, second) in find_ties(conditions, (catalogue, tree), decided, MAX_FAULTS) {
            let code =
                |index| self.entries.get(index).map_or("", |entry: &Entry| entry.code.as_str());
            let fault = Fault::new(At::Row(second), ("category", "tie"), code(second));
            let first = code(first);
            let zh = format!("比“{first}”更具体或更一般的条件");
            faults.push(fault.with_expected(
                zh,
                format!("conditions more specific or more general than those of {first}"),
            ));
        }
        faults.into_vec()
    }
}

impl Entry {
    fn check(&self, at: At, (catalogue, tree): (&Catalogue, &AreaTree), faults: &mut Faults) {
        faults.check_code(at, "code", &self.code);
        faults.check_prose(at, "basis", &self.basis);
        faults.check_condition(at, &self.condition(), (catalogue, tree));
    }
}
