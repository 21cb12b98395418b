//! A small tenant to test in: a city with two districts, their streets and communities, two
//! grids and five departments; and the people in it.

use std::sync::LazyLock;

use chrono::{Duration, TimeZone as _, Utc};
use domain::{
    Instant,
    area::tree::{Area, AreaKind, AreaTree, Path, Unit},
    core::{
        id::{AreaId, CommandId, PersonId, TenantId},
        journal::{Entry, Hash},
        text::{Line, Prose},
    },
    flows::{
        change::{Change, Request, Versioned, execute},
        flow::{Context, Flow},
    },
    people::actor::{Actor, Grant, Powers, Role},
    rules::{
        catalogue::{Catalogue, Category},
        refusal::Refusal,
        rulebook::{HandlingRules, Rules},
    },
};
use uuid::Uuid;

pub(crate) const CITY: AreaId = area_id(1);
pub(crate) const DISTRICT: AreaId = area_id(2);
pub(crate) const STREET: AreaId = area_id(3);
pub(crate) const COMMUNITY: AreaId = area_id(4);
pub(crate) const GRID: AreaId = area_id(5);
pub(crate) const GRID_NEXT: AreaId = area_id(6);
/// 城管局 of the district: leads.
pub(crate) const URBAN: AreaId = area_id(7);
/// 市场监管局 of the district: co-operates.
pub(crate) const MARKET: AreaId = area_id(8);
/// 综合执法队 of the street.
pub(crate) const SQUAD: AreaId = area_id(9);
/// 交通局 of the city.
pub(crate) const TRAFFIC: AreaId = area_id(10);
/// Areas named `…_BESIDE` lie in the other district.
pub(crate) const DISTRICT_BESIDE: AreaId = area_id(11);
pub(crate) const STREET_BESIDE: AreaId = area_id(12);
pub(crate) const COMMUNITY_BESIDE: AreaId = area_id(13);
pub(crate) const URBAN_BESIDE: AreaId = area_id(14);
/// In no tree.
pub(crate) const NOWHERE: AreaId = area_id(99);

const fn area_id(number: u128) -> AreaId {
    AreaId(Uuid::from_u128(number))
}

/// Code, parent, kind and name of every area; the first has no parent.
const AREAS: &[(AreaId, AreaId, AreaKind, &str, &str)] = &[
    (CITY, NOWHERE, AreaKind::City, "3201", "示范市"),
    (DISTRICT, CITY, AreaKind::District, "320102", "东区"),
    (STREET, DISTRICT, AreaKind::Street, "320102001", "湖滨街道"),
    (COMMUNITY, STREET, AreaKind::Community, "320102001001", "柳岸社区"),
    (GRID, COMMUNITY, AreaKind::Grid, "320102001001001", "柳岸第一网格"),
    (GRID_NEXT, COMMUNITY, AreaKind::Grid, "320102001001002", "柳岸第二网格"),
    (URBAN, DISTRICT, AreaKind::Department, "320102-cg", "东区城管局"),
    (MARKET, DISTRICT, AreaKind::Department, "320102-sc", "东区市场监管局"),
    (SQUAD, STREET, AreaKind::Department, "320102001-zf", "湖滨综合执法队"),
    (TRAFFIC, CITY, AreaKind::Department, "3201-jt", "市交通局"),
    (DISTRICT_BESIDE, CITY, AreaKind::District, "320104", "西区"),
    (STREET_BESIDE, DISTRICT_BESIDE, AreaKind::Street, "320104001", "石桥街道"),
    (COMMUNITY_BESIDE, STREET_BESIDE, AreaKind::Community, "320104001001", "石桥社区"),
    (URBAN_BESIDE, DISTRICT_BESIDE, AreaKind::Department, "320104-cg", "西区城管局"),
];

/// Every area of the tenant, and one that does not exist.
pub(crate) fn all_areas() -> Vec<AreaId> {
    AREAS.iter().map(|(id, ..)| *id).chain([NOWHERE]).collect()
}

/// The inputs of decisions besides the state, the command and the actor.
pub(crate) struct World {
    pub(crate) areas: AreaTree,
    pub(crate) rules: Rules,
    pub(crate) catalogue: Catalogue,
}

pub(crate) static WORLD: LazyLock<World> = LazyLock::new(|| {
    let mut areas: Vec<Area> = Vec::new();
    for (id, parent, kind, code, name) in AREAS {
        let above = areas.iter().find(|area| area.id == *parent);
        areas.push(Area {
            id: *id,
            parent: above.map(|area| area.id),
            kind: *kind,
            code: (*code).to_owned(),
            name: (*name).to_owned(),
            path: Path::child(above.map(|area| &area.path), code),
        });
    }
    let category = Category {
        code: "A01".to_owned(),
        name: "占道经营".to_owned(),
        parent: None,
        kind: "event".to_owned(),
        lead: "cg".to_owned(),
    };
    World {
        areas: AreaTree::new(areas),
        rules: Rules::standard(),
        catalogue: Catalogue { categories: vec![category] },
    }
});

/// The area as an event stores it.
pub(crate) fn unit(id: AreaId) -> Unit {
    WORLD.areas.get(id).expect("an area of the test tenant").unit()
}

pub(crate) const TENANT: TenantId = TenantId(Uuid::from_u128(0xC17));

/// When everything begins: a Friday morning before the Qingming holidays.
pub(crate) fn morning() -> Instant {
    Utc.with_ymd_and_hms(2026, 4, 3, 1, 0, 0).unwrap()
}

pub(crate) fn minutes(amount: i64) -> Duration {
    Duration::minutes(amount)
}

pub(crate) fn person_id(number: u128) -> PersonId {
    PersonId(Uuid::from_u128(0xA000 + number))
}

pub(crate) fn prose(text: &str) -> Prose {
    Prose::try_from(text).unwrap()
}

pub(crate) fn line(text: &str) -> Line {
    Line::try_from(text).unwrap()
}

/// An actor with these roles over these areas, for ever.
pub(crate) fn actor(number: u128, name: &str, grants: &[(Role, AreaId)]) -> Actor {
    let grant = |(role, over): &(Role, AreaId)| Grant {
        role: *role,
        over: unit(*over),
        from: morning() - Duration::days(365),
        until: None,
        post: None,
    };
    Actor {
        tenant: TENANT,
        person: person_id(number),
        name: name.to_owned(),
        grants: grants.iter().map(grant).collect(),
        powers: Powers::built_in(),
    }
}

/// An actor who may do everything everywhere.
pub(crate) fn almighty(number: u128) -> Actor {
    almighty_in(number, CITY)
}

/// An actor who may do everything in one area.
pub(crate) fn almighty_in(number: u128, over: AreaId) -> Actor {
    let grants: Vec<_> = Role::ALL.iter().map(|role| (*role, over)).collect();
    actor(number, "全能", &grants)
}

/// The system itself, which no one can log in as.
pub(crate) fn system() -> Actor {
    Actor::new_system(TENANT, unit(CITY))
}

pub(crate) fn context(by: &Actor, at: Instant) -> Context<'_> {
    context_under(&WORLD.rules, by, at)
}

/// A context with other rules than the shipped ones.
pub(crate) fn context_under<'a>(rules: &'a Rules, by: &'a Actor, at: Instant) -> Context<'a> {
    let World { areas, catalogue, .. } = &*WORLD;
    Context {
        by,
        at,
        seq: 0,
        rules,
        areas,
        catalogue,
        kept: None,
        others: &[],
        numbers: domain::core::id::NumberLength::default(),
    }
}

/// The shipped rules with other handling rules.
pub(crate) fn with_conduct(change: impl FnOnce(&mut HandlingRules)) -> &'static Rules {
    let mut rules = Rules::standard();
    change(&mut rules.conduct);
    Box::leak(Box::new(rules))
}

pub(crate) fn request(number: u128) -> Request {
    Request {
        command: CommandId(Uuid::from_u128(number)),
        digest: Hash::digest(&number.to_be_bytes()),
    }
}

/// A flow with its whole journal: what the store would hold.
#[derive(Clone, Debug)]
pub(crate) struct Chain<F: Flow> {
    pub(crate) stored: Option<Versioned<F>>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) rules: &'static Rules,
}

impl<F: Flow> Default for Chain<F> {
    fn default() -> Self {
        Self::with_rules(&WORLD.rules)
    }
}

impl<F: Flow> Chain<F> {
    pub(crate) fn with_rules(rules: &'static Rules) -> Self {
        Self { stored: None, entries: Vec::new(), rules }
    }

    pub(crate) fn state(&self) -> &F {
        &self.stored.as_ref().expect("a flow that began").state
    }

    /// The change that a command would make; nothing is written.
    pub(crate) fn try_command(
        &self,
        by: &Actor,
        at: Instant,
        command: &F::Command,
    ) -> Result<Change<F>, Refusal> {
        let number = u128::try_from(self.entries.len()).unwrap();
        execute(self.stored.as_ref(), command, request(number), context_under(self.rules, by, at))
    }

    pub(crate) fn commit(&mut self, change: &Change<F>) {
        self.entries.push(change.entry.clone());
        self.stored = Some(change.to_stored());
    }
}
