//! What a caller may see, as a cursor remembers it.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Instant,
    area::tree::Path,
    core::id::{AreaId, PersonId, TenantId},
    people::actor::{Permission, Scope},
};
use persistence::flows::campaign::Reach;
use serde::{Deserialize, Serialize};

use crate::app::caller::{Caller, is_in_office};

/// What a right over an area makes visible.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Right {
    /// Cases, reports and patrols.
    Work,
    /// Households and visits.
    Homes,
    /// Campaigns that are being prepared, too.
    Organises,
    /// Campaigns that run there, above it or below it.
    Visits,
}

impl Right {
    const fn bit(self) -> u8 {
        match self {
            Self::Work => 1,
            Self::Homes => 2,
            Self::Organises => 4,
            Self::Visits => 8,
        }
    }
}

/// What a caller may see.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Sight {
    /// The areas over which the caller has rights, with the sum of the rights.
    areas: BTreeMap<Path, u8>,
    /// The units whose cases are seen wherever they lie.
    units: BTreeSet<AreaId>,
    /// Whether the caller acts for the administration: others see no households.
    office: bool,
}

impl Sight {
    /// What `caller` may see at an instant.
    pub(super) fn of(caller: &Caller, at: Instant) -> Self {
        let work = caller.scope_for(Permission::ReadCases, at);
        let units = work.units.iter().copied().collect();
        let mut sight = Self { units, office: is_in_office(caller, at), ..Self::default() };
        let rights = [
            (Right::Work, work.paths),
            (Right::Homes, caller.scope_for(Permission::ReadHouseholds, at).paths),
            (Right::Organises, caller.scope_for(Permission::ManageCampaigns, at).paths),
            (Right::Visits, caller.scope_for(Permission::Visit, at).paths),
        ];
        for (right, paths) in rights {
            for path in paths {
                sight.grant(path, right.bit());
            }
        }
        sight
    }

    fn grant(&mut self, path: Path, rights: u8) {
        *self.areas.entry(path).or_default() |= rights;
    }

    /// Adds what another sight makes visible.
    pub(super) fn widen_by(&mut self, other: &Self) {
        for (path, rights) in &other.areas {
            self.grant(path.clone(), *rights);
        }
        self.units.extend(&other.units);
        self.office |= other.office;
    }

    /// Whether it makes nothing visible.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The areas over which there is a right.
    pub(super) fn over(&self, right: Right) -> impl Iterator<Item = &Path> {
        let has = move |rights: u8| rights & right.bit() != 0;
        self.areas.iter().filter(move |(_, rights)| has(**rights)).map(|(path, _)| path)
    }

    /// Whether one of these units is among those whose cases are seen.
    pub(super) fn knows_one_of(&self, units: &[AreaId]) -> bool {
        units.iter().any(|unit| self.units.contains(unit))
    }

    /// The scopes of lists of each kind.
    pub(super) fn scopes_for(&self, (tenant, person): (TenantId, PersonId)) -> Scopes {
        let paths = |right| self.over(right).cloned().collect::<Vec<Path>>();
        let units = self.units.iter().copied().collect();
        let (organises, mut works) = (paths(Right::Organises), paths(Right::Visits));
        let visits = !works.is_empty();
        works.extend(organises.iter().cloned());
        Scopes {
            work: Scope { tenant, person, paths: paths(Right::Work), units },
            homes: Scope { tenant, person, paths: paths(Right::Homes), units: Vec::new() },
            campaigns: Reach { tenant, person: visits.then_some(person), organises, works },
            office: self.office,
        }
    }

    #[cfg(test)]
    pub(super) fn with(path: &str, right: Right) -> Self {
        let mut sight = Self::default();
        sight.grant(Path(path.to_owned()), right.bit());
        sight
    }
}

/// The scopes that queries take.
#[derive(Clone)]
pub(super) struct Scopes {
    /// The scope of lists of cases, reports and patrols.
    pub(super) work: Scope,
    /// The scope of lists of households and visits.
    pub(super) homes: Scope,
    /// The reach of lists of campaigns.
    pub(super) campaigns: Reach,
    /// Whether the own visits and pairings count.
    pub(super) office: bool,
}
