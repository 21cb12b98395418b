//! What is left of areas that were moved, split or merged, and who answers for it.
//!
//! Cases stay where they were filed: their paths and the units that owe something about them do
//! not change. So that nothing is left lying, rights follow the areas: a grant over an area is one
//! over everything that became part of it. A grant over an area that is no more goes on holding
//! over what was there; it gives nothing over its successors.

use super::{Area, AreaTree, Unit};
use crate::core::id::AreaId;

/// A place in the tree that no area holds any longer, and the area that took it over: itself under
/// another parent, or what became of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Legacy {
    /// The area as it was there.
    pub unit: Unit,
    /// Who answers for it.
    pub at: AreaId,
}

impl AreaTree {
    pub(super) fn add_legacy(&mut self, legacy: Legacy) {
        if legacy.unit.id != legacy.at {
            self.retired.entry(legacy.unit.id).or_default().push(legacy.at);
        }
        self.legacies.push(legacy);
    }

    /// Whether it is no more.
    pub fn is_retired(&self, id: AreaId) -> bool {
        self.retired.contains_key(&id)
    }

    /// What became of an area that is no more.
    pub fn successors(&self, id: AreaId) -> impl Iterator<Item = &Area> {
        self.retired.get(&id).into_iter().flatten().filter_map(|id| self.areas.get(id))
    }

    /// Itself, or what became of it in the end; of several, the first.
    pub(super) fn find_heir(&self, id: AreaId) -> AreaId {
        let mut heir = id;
        // A successor is never older than what it follows, so that this ends.
        for _ in 0..self.retired.len() {
            match self.retired.get(&heir).and_then(|successors| successors.first()) {
                Some(next) => heir = *next,
                None => break,
            }
        }
        heir
    }

    /// The area, or what became of it in the end; none when nothing did.
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

    /// Whether an area lies in another one as a record remembers it: there, where that was moved
    /// to, or in what became of it.
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

    /// The places a grant over `over` is a grant over: the area where it is now, where it was
    /// before, and what was left by areas that became part of it.
    pub fn expand_unit(&self, over: &Unit) -> Vec<Unit> {
        let now = self.get(over.id).map_or_else(|| over.clone(), Area::unit);
        let mut reached = vec![now];
        let mut next = 0;
        while let Some(one) = reached.get(next).cloned() {
            for legacy in &self.legacies {
                let Some(at) = self.get(legacy.at).map(|at| &at.path) else { continue };
                let found = if legacy.at == one.id {
                    // It, or what became it: its own debts are among those that are taken over.
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
