//! What remains of areas that were moved, split or merged, and who answers for it.
//!
//! Cases stay where they were filed: their paths and the units that owe something about them do not
//! change. So that nothing is left without an owner, rights follow the areas: a grant over an area
//! covers everything that became part of it. A grant over a retired area still covers what was
//! there; it gives nothing over its successors.

use super::{Area, AreaTree, Unit};
use crate::core::id::AreaId;

/// A place in the tree that no area holds any longer, and the area that took it over: the same area
/// under another parent, or a successor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Legacy {
    /// The area as it was at that place.
    pub unit: Unit,
    /// The area that answers for it now.
    pub at: AreaId,
}

impl AreaTree {
    pub(super) fn add_legacy(&mut self, legacy: Legacy) {
        if legacy.unit.id != legacy.at {
            self.retired.entry(legacy.unit.id).or_default().push(legacy.at);
        }
        self.legacies.push(legacy);
    }

    /// Whether the area is retired.
    pub fn is_retired(&self, id: AreaId) -> bool {
        self.retired.contains_key(&id)
    }

    /// The successors of a retired area.
    pub fn successors(&self, id: AreaId) -> impl Iterator<Item = &Area> {
        self.retired.get(&id).into_iter().flatten().filter_map(|id| self.areas.get(id))
    }

    /// The area itself, or its last successor; the first of several.
    pub(super) fn find_heir(&self, id: AreaId) -> AreaId {
        let mut heir = id;
        // A successor is never older than its predecessor, so the loop ends.
        for _ in 0..self.retired.len() {
            match self.retired.get(&heir).and_then(|successors| successors.first()) {
                Some(next) => heir = *next,
                None => break,
            }
        }
        heir
    }

    /// The area itself, or its last successor; none when that is retired, too.
    pub fn find_present(&self, id: AreaId) -> Option<&Area> {
        let heir = self.find_heir(id);
        self.get(heir).filter(|_| !self.is_retired(heir))
    }

    /// Everything that became of an area in the end, or the area itself.
    pub fn find_heirs(&self, id: AreaId) -> Vec<&Area> {
        let mut heirs = vec![id];
        let mut next = 0;
        while let Some(id) = heirs.get(next).copied() {
            let more = self.retired.get(&id).into_iter().flatten();
            let more: Vec<AreaId> = more.filter(|id| !heirs.contains(id)).copied().collect();
            heirs.extend(more);
            next += 1;
        }
        let present = heirs.into_iter().filter(|id| !self.is_retired(*id));
        present.filter_map(|id| self.get(id)).collect()
    }

    /// Whether an area lies in another one as a record stores it: at its old place, at its new
    /// place, or in a successor.
    pub fn unit_contains(&self, outer: &Unit, inner: &Area) -> bool {
        let mut heirs = vec![outer.id];
        let mut next = 0;
        while let Some(id) = heirs.get(next).copied() {
            let more = self.retired.get(&id).into_iter().flatten();
            let more: Vec<AreaId> = more.filter(|id| !heirs.contains(id)).copied().collect();
            heirs.extend(more);
            next += 1;
        }
        let mut heirs = heirs.into_iter().filter_map(|id| self.get(id));
        outer.path.contains(&inner.path) || heirs.any(|heir| heir.path.contains(&inner.path))
    }

    /// The places a grant over `over` covers: the area where it is now, its former places, and what
    /// areas that became part of it left behind.
    pub fn expand_unit(&self, over: &Unit) -> Vec<Unit> {
        let now = self.get(over.id).map_or_else(|| over.clone(), Area::unit);
        let mut reached = vec![now];
        let mut next = 0;
        while let Some(one) = reached.get(next).cloned() {
            for legacy in &self.legacies {
                let Some(at) = self.get(legacy.at).map(|at| &at.path) else { continue };
                let found = if legacy.at == one.id {
                    // The area itself or a predecessor: its own debts are among those taken over.
                    legacy.unit.clone()
                } else if one.path.contains(at) {
                    Unit { path: legacy.unit.path.clone(), ..one.clone() }
                } else if let Some(rest) = one.path.0.strip_prefix(&at.0)
                    && legacy.unit.id == legacy.at
                {
                    // It was moved together with an area above it.
                    let path = super::Path(format!("{}{rest}", legacy.unit.path.0));
                    Unit { path, ..one.clone() }
                } else {
                    continue;
                };
                let known = |unit: &Unit| unit.id == found.id && unit.path.contains(&found.path);
                if !reached.iter().any(known) {
                    reached.push(found);
                }
            }
            next += 1;
        }
        reached
    }
}
