//! Areas: the tree city → district → street → community → grid, with departments beside it.
//!
//! Everything happens in an area and every right is a right over an area. A unit that can owe
//! something (a department, a street, a grid) is an area too, so that one tree answers both "where"
//! and "who". Codes are text with a scheme, never keys: communities split and are renumbered, but
//! identifiers stay.

pub mod code;
mod heritage;
pub mod history;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

pub use self::{code::Scheme, heritage::Legacy, history::GridKind};
use crate::core::{
    disclosure::{Disclosed, Shape, disclosed},
    id::AreaId,
    labelled_enum::labelled_enum,
};

labelled_enum! {
    /// What kind of node an area is, from the root downwards.
    AreaKind {
        /// A city, the root (市).
        City = "city", "市";
        /// A district, county or county-level city (区、县、县级市).
        District = "district", "区县";
        /// A subdistrict, town or township (街道、镇、乡).
        Street = "street", "街道";
        /// An urban community or a village (社区、村).
        Community = "community", "社区";
        /// 200–300 households walked by one worker.
        Grid = "grid", "网格";
        /// A department or an enterprise (委办局、企事业单位): stands beside the territory it serves.
        Department = "department", "部门";
    }
}

impl AreaKind {
    /// How deep the kind lies: the most specific territory of a point is the deepest.
    pub const fn rank(self) -> u8 {
        match self {
            Self::City => 0,
            Self::District => 1,
            Self::Street => 2,
            Self::Community => 3,
            Self::Grid => 4,
            Self::Department => 5,
        }
    }
}

/// The path from the root to an area: codes, each closed by `/`.
///
/// An area contains another when its path is a prefix of the other's. A path stored on a case never
/// changes: when an area is moved, the area gets another path, its cases keep theirs, and rights
/// over the area reach its old path too ([`AreaTree::expand_unit`]).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Path(pub String);

impl Path {
    /// The path of a child with this code; without a parent, the path of a root.
    pub fn child(parent: Option<&Self>, code: &str) -> Self {
        Self(format!("{}{code}/", parent.map_or("", |path| path.0.as_str())))
    }

    /// Whether `other` is this area or lies in it.
    pub fn contains(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The paths of all ancestors, from the root, with this one last.
    pub fn lineage(&self) -> Vec<Self> {
        let ends = self.0.match_indices('/');
        ends.filter_map(|(at, _)| self.0.get(..=at)).map(|path| Self(path.to_owned())).collect()
    }
}

impl Disclosed for Path {
    const SHAPE: Shape = Shape::Text;
}

/// An area as an event or a state stores it: enough to be read without a look-up.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Unit {
    /// The identity of the area.
    pub id: AreaId,
    /// What kind of area it is.
    pub kind: AreaKind,
    /// Its name at that time.
    pub name: String,
    /// Its place in the tree.
    pub path: Path,
}

disclosed! {
    struct Unit {
        Open: id, kind, name;
        Withheld: path;
    }
}

/// A node of the tree.
#[derive(Clone, PartialEq, Debug)]
pub struct Area {
    /// Its identity, which renaming and renumbering do not change.
    pub id: AreaId,
    /// The area above; none for the root.
    pub parent: Option<AreaId>,
    /// The kind of node it is.
    pub kind: AreaKind,
    /// Its code in the scheme of its level (4/6/9/12/15 digits for territories).
    pub code: String,
    /// Its name in Chinese.
    pub name: String,
    /// Its path from the root.
    pub path: Path,
}

impl Area {
    /// The part of it that events and states store.
    pub fn unit(&self) -> Unit {
        Unit { id: self.id, kind: self.kind, name: self.name.clone(), path: self.path.clone() }
    }
}

/// All areas of one tenant, for look-ups and walks towards the root.
#[derive(Clone, Debug, Default)]
pub struct AreaTree {
    areas: HashMap<AreaId, Area>,
    by_code: HashMap<String, AreaId>,
    children: HashMap<AreaId, Vec<AreaId>>,
    root: Option<AreaId>,
    retired: HashMap<AreaId, Vec<AreaId>>,
    pub(crate) legacies: Vec<Legacy>,
}

impl AreaTree {
    /// Builds the tree; children are in the order of their codes.
    pub fn new(areas: impl IntoIterator<Item = Area>) -> Self {
        let mut tree = Self::default();
        for area in areas {
            tree.add_area(area, false);
        }
        tree.sort_children();
        tree
    }

    fn add_area(&mut self, area: Area, retired: bool) {
        self.by_code.insert(area.code.clone(), area.id);
        match area.parent {
            // A retired area is found, but is no area's child.
            _ if retired => _ = self.retired.entry(area.id).or_default(),
            Some(parent) => self.children.entry(parent).or_default().push(area.id),
            None => self.root = Some(area.id),
        }
        self.areas.insert(area.id, area);
    }

    fn sort_children(&mut self) {
        let areas = &self.areas;
        for children in self.children.values_mut() {
            children.sort_by_key(|id| areas.get(id).map(|area| area.code.clone()));
        }
    }

    /// The area with this identity.
    pub fn get(&self, id: AreaId) -> Option<&Area> {
        self.areas.get(&id)
    }

    /// The area with this code.
    pub fn find_by_code(&self, code: &str) -> Option<&Area> {
        self.by_code.get(code).and_then(|id| self.areas.get(id))
    }

    /// The tenant's own area.
    pub fn root(&self) -> Option<&Area> {
        self.root.and_then(|id| self.areas.get(&id))
    }

    /// The area above; where that is retired, its successor.
    pub fn parent(&self, id: AreaId) -> Option<&Area> {
        self.get(id)?
            .parent
            .map(|parent| self.find_heir(parent))
            .and_then(|parent| self.get(parent))
    }

    /// The nearest area at or above `id` of this kind.
    pub fn nearest_of_kind(&self, id: AreaId, kind: AreaKind) -> Option<&Area> {
        let mut area = self.get(id)?;
        while area.kind != kind {
            area = self.parent(area.id)?;
        }
        Some(area)
    }

    /// The areas directly below, by code.
    pub fn children(&self, id: AreaId) -> impl Iterator<Item = &Area> {
        self.children.get(&id).into_iter().flatten().filter_map(|child| self.areas.get(child))
    }

    /// How many areas there are.
    pub fn len(&self) -> usize {
        self.areas.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.areas.is_empty()
    }

    /// All areas, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Area> {
        self.areas.values()
    }
}
