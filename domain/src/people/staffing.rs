//! Who is left to do the work of a unit when a right over it ends: one rule, whether its holder
//! leaves, is suspended or loses a role, or the right was for a time only.

use serde::{Deserialize, Serialize};

use crate::{
    area::tree::{Area, AreaTree, Path},
    core::id::AreaId,
    people::actor::{Grant, Role},
};

/// Which units owe something, and which roles other people hold. What is not looked up owes
/// nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Staffing {
    /// The units with open obligations.
    pub owing: Vec<AreaId>,
    /// The roles that other active people hold at this moment, and over which areas.
    pub held: Vec<(AreaId, Role)>,
}

impl Staffing {
    /// The names of the units whose open work nobody could do any more without the grants in
    /// `lost`: no other person holds the same role over the unit, over what it became part of, or
    /// over what is above either. `remaining` are the grants that the person keeps.
    pub fn find_abandoned_units(
        &self,
        lost: &[&Grant],
        remaining: &[&Grant],
        areas: &AreaTree,
    ) -> Vec<String> {
        let mut abandoned: Vec<String> = Vec::new();
        for grant in lost.iter().filter(|grant| !grant.role.is_outsider()) {
            for unit in areas.expand_unit(&grant.over) {
                let path = areas.get(unit.id).map_or(&unit.path, |area| &area.path);
                if self.owing.contains(&unit.id)
                    && !self.is_held(grant.role, path, areas)
                    && !remaining
                        .iter()
                        .any(|kept| kept.role == grant.role && reaches(areas, kept.over.id, path))
                    && !abandoned.contains(&unit.name)
                {
                    abandoned.push(unit.name);
                }
            }
        }
        abandoned
    }

    fn is_held(&self, role: Role, path: &Path, areas: &AreaTree) -> bool {
        self.held.iter().any(|(over, held)| *held == role && reaches(areas, *over, path))
    }
}

/// Whether a grant over an area is one over the place at `path`.
fn reaches(areas: &AreaTree, over: AreaId, path: &Path) -> bool {
    let over = areas.get(over).map(Area::unit);
    over.is_some_and(|over| areas.expand_unit(&over).iter().any(|unit| unit.path.contains(path)))
}
