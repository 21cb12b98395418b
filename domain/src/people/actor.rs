//! Actors: who asks, and over which areas.
//!
//! A grant is a [`Role`] over an area for a period; [`Powers`] says what a role allows. An actor is
//! made only by authentication (or by a test): without one no command runs, and without its
//! [`Scope`] no list can be read.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    Instant,
    area::tree::{Area, AreaTree, Path, Unit},
    core::{
        disclosure::disclosed,
        id::{AreaId, PersonId, TenantId},
        text::Line,
    },
};

pub use crate::people::role::{Permission, Powers, Role};

/// A role over an area for a period.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Grant {
    /// The role that is held.
    pub role: Role,
    /// Over which area, with everything in it.
    pub over: Unit,
    /// From when, inclusive.
    pub from: Instant,
    /// Until when, exclusive; without it, until revoked.
    pub until: Option<Instant>,
    /// The appointment it belongs to, as people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post: Option<Line>,
}

disclosed! {
    struct Grant { Open: role, over, from, until, post }
}

impl Grant {
    /// By so many seconds the clocks of replicas may differ: a grant that is to hold at once begins so
    /// much earlier.
    pub const CLOCK_SLACK_S: i64 = 60;

    /// Whether it is in force at this moment.
    pub fn holds_at(&self, at: Instant) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }

    /// Whether there is a moment at which both are in force.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.until.is_none_or(|until| other.from < until)
            && other.until.is_none_or(|until| self.from < until)
    }

    /// Whether it is this role over this area.
    pub fn is_for(&self, role: Role, area: AreaId) -> bool {
        self.role == role && self.over.id == area
    }
}

/// The person or program that asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Actor {
    /// The tenant the actor belongs to; nothing of another tenant is ever visible.
    pub tenant: TenantId,
    /// The person or program itself.
    pub person: PersonId,
    /// The name written into the journal: for staff, who act in office; residents have none there.
    pub name: String,
    /// All grants, of the past and the future too.
    pub grants: Vec<Grant>,
    /// What roles allow in this tenant.
    pub powers: Arc<Powers>,
}

impl Actor {
    /// The identity of the system itself.
    pub const SYSTEM: PersonId = PersonId(uuid::Uuid::nil());

    /// The name of the system itself.
    pub const SYSTEM_NAME: &str = "系统";

    /// The system itself, which installs a tenant and its first administrator.
    pub fn new_system(tenant: TenantId, root: Unit) -> Self {
        let (from, until, post) = (Instant::MIN_UTC, None, None);
        let grant = |role| Grant { role, over: root.clone(), from, until, post };
        Self {
            tenant,
            person: Self::SYSTEM,
            name: Self::SYSTEM_NAME.to_owned(),
            grants: vec![grant(Role::Administrator)],
            powers: Powers::built_in(),
        }
    }

    /// Whether a grant in force allows `permission` over the area at `path`.
    pub fn may(&self, permission: Permission, path: &Path, at: Instant) -> bool {
        self.grants.iter().any(|grant| {
            grant.holds_at(at)
                && self.grant_allows(grant, permission)
                && grant.over.path.contains(path)
        })
    }

    /// Whether the role of a grant allows `permission`.
    pub fn grant_allows(&self, grant: &Grant, permission: Permission) -> bool {
        self.powers.allows(grant.role, permission)
    }

    /// Whether this is the system itself, which no one can log in as.
    pub fn is_system(&self) -> bool {
        self.person.0.is_nil()
    }

    /// Whether the actor now holds one of these roles over the area at `path`.
    pub fn has_any_role(&self, roles: &[Role], path: &Path, at: Instant) -> bool {
        self.grants.iter().any(|grant| {
            grant.holds_at(at) && roles.contains(&grant.role) && grant.over.path.contains(path)
        })
    }

    /// Whether a grant in force allows `permission` anywhere.
    pub fn may_somewhere(&self, permission: Permission, at: Instant) -> bool {
        self.grants.iter().any(|grant| grant.holds_at(at) && self.grant_allows(grant, permission))
    }

    /// What `permission` lets this actor see in lists.
    pub fn scope_for(&self, permission: Permission, at: Instant) -> Scope {
        let mut paths: Vec<Path> = Vec::new();
        let mut units: Vec<AreaId> = Vec::new();
        for grant in
            self.grants.iter().filter(|g| g.holds_at(at) && self.grant_allows(g, permission))
        {
            if !paths.contains(&grant.over.path) {
                paths.push(grant.over.path.clone());
            }
            if !units.contains(&grant.over.id) {
                units.push(grant.over.id);
            }
        }
        Scope { tenant: self.tenant, person: self.person, paths, units }
    }
}

/// What an actor may see in a list: the tenant, the areas, and the actor's own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scope {
    /// The tenant; always set, because nothing crosses it.
    pub tenant: TenantId,
    /// The actor; the actor's own reports are visible whatever the areas say.
    pub person: PersonId,
    /// Everything in these areas.
    pub paths: Vec<Path>,
    /// Everything that involves these units, wherever it happened.
    pub units: Vec<AreaId>,
}

impl AreaTree {
    /// The grants, extended to all areas they reach.
    pub fn expand_grants(&self, grants: &[Grant]) -> Vec<Grant> {
        let reach = |grant: &Grant| {
            let grant = grant.clone();
            let units = self.expand_unit(&grant.over).into_iter();
            units.map(move |over| Grant { over, ..grant.clone() }).collect::<Vec<_>>()
        };
        if self.legacies.is_empty() {
            return grants.to_vec();
        }
        grants.iter().flat_map(reach).collect()
    }

    /// Grants of an earlier time, over where what they reached `then` lies now: areas that moved
    /// since, and what became of those that are no more.
    pub fn carry_grants(&self, grants: &[Grant], then: &[Self]) -> Vec<Grant> {
        let mut carried = Vec::new();
        for grant in grants {
            let mut units = self.expand_unit(&grant.over);
            for tree in then {
                let over = tree.expand_unit(&grant.over);
                let within = |area: &&Area| {
                    !tree.is_retired(area.id) && over.iter().any(|u| u.path.contains(&area.path))
                };
                let mut inside: Vec<&Area> = tree.iter().filter(within).collect();
                inside.sort_by_key(|area| area.path.as_str().len());
                for heir in inside.iter().flat_map(|area| self.find_heirs(area.id)) {
                    if !units.iter().any(|unit| unit.path.contains(&heir.path)) {
                        units.push(heir.unit());
                    }
                }
            }
            carried.extend(units.into_iter().map(|over| Grant { over, ..grant.clone() }));
        }
        carried
    }
}
