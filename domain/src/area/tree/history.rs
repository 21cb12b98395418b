//! The history of areas: from which day each had which name, place and parent, and what became of
//! it.

use std::collections::{BTreeSet, HashMap};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{Area, AreaKind, AreaTree, Legacy, Path, Scheme, Unit};
use crate::core::{disclosure::disclosed, id::AreaId, labelled_enum::labelled_enum};

labelled_enum! {
    /// The purpose of a grid.
    GridKind {
        /// All matters of its households.
        Comprehensive = "comprehensive", "综合网格";
        /// A market, a school, a park: a place with its own manager.
        Dedicated = "dedicated", "专属网格";
        /// Some buildings or a group of ten households within a grid.
        Micro = "micro", "微网格";
    }
}

/// The properties of an area from one day on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Version {
    /// The first day.
    pub from: NaiveDate,
    /// What people call it.
    pub name: String,
    /// The area above; none for the root.
    pub parent: Option<AreaId>,
    /// The path from the root.
    pub path: Path,
    /// For a grid: its purpose, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grid: Option<GridKind>,
    /// How many households live there, where they were counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub households: Option<u32>,
    /// Its boundary; none when it was never drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boundary: Option<Outline>,
}

/// A reference to the boundary of an area: the text itself is stored beside the records.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Outline {
    /// The place in the tenant's journal where it was drawn.
    pub no: i64,
    /// The SHA-256 of its text; empty for boundaries drawn before digests were kept.
    pub digest: String,
}

/// One area with its whole history, from its first day to its successors.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Record {
    /// The identity, never given to another area.
    pub id: AreaId,
    /// Its kind; an area of another kind is another area.
    pub kind: AreaKind,
    /// Its code, never given to another area.
    pub code: String,
    /// The scheme of the code.
    pub scheme: Scheme,
    /// Its versions, oldest first; never empty.
    pub versions: Vec<Version>,
    /// The first day on which it is retired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<NaiveDate>,
    /// The areas it was made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub predecessors: Vec<AreaId>,
    /// The areas that took its place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub successors: Vec<AreaId>,
    /// The place in the tenant's journal of its last change.
    pub seq: i64,
}

disclosed! {
    struct Version { Open: from, name, parent, path, grid, households, boundary }
    struct Outline { Open: no, digest }
    struct Record {
        Open: id, kind, code, scheme, versions, until, predecessors, successors, seq;
    }
}

impl Record {
    /// The version on a day; none before its first day. After its last day, the last version.
    pub fn version_on(&self, day: NaiveDate) -> Option<&Version> {
        self.versions.iter().rev().find(|version| version.from <= day)
    }

    /// The last version, including one decided for a later day.
    pub fn newest_version(&self) -> Option<&Version> {
        self.versions.last()
    }

    /// Whether it is retired on that day.
    pub fn is_retired_on(&self, day: NaiveDate) -> bool {
        self.until.is_some_and(|until| until <= day)
    }

    /// Whether it is in force on that day.
    pub fn exists_on(&self, day: NaiveDate) -> bool {
        self.version_on(day).is_some() && !self.is_retired_on(day)
    }

    /// The earliest day from which it can be changed: the past is not rewritten.
    pub fn changeable_from(&self) -> Option<NaiveDate> {
        self.newest_version().map(|version| version.from)
    }

    /// The area on a day.
    pub fn area_on(&self, day: NaiveDate) -> Option<Area> {
        let version = self.version_on(day)?;
        Some(Area {
            id: self.id,
            parent: version.parent,
            kind: self.kind,
            code: self.code.clone(),
            name: version.name.clone(),
            path: version.path.clone(),
        })
    }
}

/// All areas of a tenant with their history.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    records: HashMap<AreaId, Record>,
    by_code: HashMap<String, AreaId>,
    below: HashMap<AreaId, BTreeSet<AreaId>>,
}

impl Registry {
    /// A registry of these records.
    pub fn new(records: impl IntoIterator<Item = Record>) -> Self {
        let mut registry = Self::default();
        for record in records {
            registry.put(record);
        }
        registry
    }

    /// Adds a record, or puts a newer one in its place.
    pub fn put(&mut self, record: Record) {
        self.by_code.insert(record.code.clone(), record.id);
        for parent in record.versions.iter().filter_map(|version| version.parent) {
            self.below.entry(parent).or_default().insert(record.id);
        }
        self.records.insert(record.id, record);
    }

    /// The record of an area.
    pub fn get(&self, id: AreaId) -> Option<&Record> {
        self.records.get(&id)
    }

    /// The record with this code.
    pub fn find_by_code(&self, code: &str) -> Option<&Record> {
        self.by_code.get(code).and_then(|id| self.records.get(id))
    }

    /// All records, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Record> {
        self.records.values()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The areas directly below an area on a day, in no particular order.
    pub fn children_on(&self, id: AreaId, day: NaiveDate) -> impl Iterator<Item = &Record> {
        let below = self.below.get(&id).into_iter().flatten();
        below.filter_map(|child| self.records.get(child)).filter(move |record| {
            record.exists_on(day)
                && record.version_on(day).is_some_and(|version| version.parent == Some(id))
        })
    }

    /// Everything below an area on a day, parents before their children.
    pub fn descendants_on(&self, id: AreaId, day: NaiveDate) -> Vec<AreaId> {
        let mut all: Vec<AreaId> = self.children_on(id, day).map(|record| record.id).collect();
        let mut next = 0;
        while let Some(one) = all.get(next).copied() {
            all.extend(self.children_on(one, day).map(|record| record.id));
            next += 1;
        }
        all
    }

    /// The areas as they are on a day: future areas are missing; retired ones are found but are no
    /// area's children.
    pub fn build_tree(&self, day: NaiveDate) -> AreaTree {
        let known = self.records.values().filter_map(|record| Some((record, record.area_on(day)?)));
        let mut tree = AreaTree::default();
        for (record, area) in known {
            let unit = area.unit();
            tree.add_area(area, record.is_retired_on(day));
            for former in record.versions.iter().filter(|version| version.from <= day) {
                if former.path != unit.path {
                    let unit = Unit { path: former.path.clone(), ..unit.clone() };
                    tree.add_legacy(Legacy { unit, at: record.id });
                }
            }
            if record.is_retired_on(day) {
                for successor in &record.successors {
                    tree.add_legacy(Legacy { unit: unit.clone(), at: *successor });
                }
            }
        }
        tree.sort_children();
        tree
    }

    /// Whether any area changed on a day or later, up to `today`.
    pub fn has_changed_since(&self, day: NaiveDate, today: NaiveDate) -> bool {
        let turns = self.records.values().flat_map(|record| {
            record.versions.iter().map(|version| version.from).chain(record.until)
        });
        turns.into_iter().any(|turn| turn >= day && turn <= today)
    }

    /// The next day after this one on which a change that was decided already takes effect.
    pub fn next_change_day(&self, day: NaiveDate) -> Option<NaiveDate> {
        let turns = self.records.values().flat_map(|record| {
            record.versions.iter().map(|version| version.from).chain(record.until)
        });
        turns.filter(|turn| *turn > day).min()
    }
}
