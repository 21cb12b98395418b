//! What decisions need besides the state: rules, areas, catalogue. Kept in memory for each tenant,
//! loaded anew when its areas changed or an edition of its rules was published.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, PoisonError, RwLock},
};

use chrono::NaiveDate;
use domain::{
    Instant,
    area::{
        coordinate::Point,
        locate::{Locator, MultiPolygon, Rings, Shape, from_rings, to_rings, to_written_rings},
        tree::{Area, AreaTree, history::Registry},
    },
    core::{
        id::{AreaId, NumberLength, TenantId},
        journal::FlowKind,
        time::local_day,
    },
    flows::{
        areas::geojson::{System, convert_rings},
        flow::Context,
    },
    people::actor::Actor,
    rules::{catalogue::Catalogue, rulebook::Rules, sla},
};
use persistence::{
    Store, StoreError,
    flows::{area, policy},
    kernel::{journal, tenant},
};
use serde::{Deserialize, Serialize};

use crate::app::{caller::Caller, clock::Clock};

/// A GeoJSON geometry, as boundaries are stored and imported.
#[derive(Serialize, Deserialize, Debug, Clone)]
#[serde(tag = "type")]
pub enum Geometry {
    /// One polygon with its holes.
    Polygon {
        /// Rings of [longitude, latitude].
        coordinates: Vec<Vec<[f64; 2]>>,
        /// The system they are in; WGS-84 when left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        crs: Option<System>,
    },
    /// Several polygons, each with its holes.
    MultiPolygon {
        /// Polygons of rings of [longitude, latitude].
        coordinates: Rings,
        /// The system they are in; WGS-84 when left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        crs: Option<System>,
    },
}

impl Geometry {
    /// The geometry of a boundary.
    pub fn from_boundary(boundary: &MultiPolygon) -> Self {
        Self::MultiPolygon { coordinates: to_rings(boundary), crs: None }
    }

    /// The geometry of a boundary as it is given to others.
    pub fn to_be_read(boundary: &MultiPolygon) -> Self {
        Self::MultiPolygon { coordinates: to_written_rings(boundary), crs: None }
    }

    /// The rings of its polygons, in WGS-84.
    pub fn into_rings(self) -> Rings {
        let (mut rings, crs) = match self {
            Self::Polygon { coordinates, crs } => (vec![coordinates], crs),
            Self::MultiPolygon { coordinates, crs } => (coordinates, crs),
        };
        if let Some(System(system)) = crs {
            convert_rings(&mut rings, system);
        }
        rings
    }

    /// The boundary, or what is wrong with it.
    pub fn into_boundary(self) -> Result<MultiPolygon, String> {
        from_rings(&self.into_rings()).map_err(|error| error.to_string())
    }
}

/// One tenant, as decisions see it.
pub struct TenantSnapshot {
    /// The tenant itself, as it is stored.
    pub tenant: tenant::Tenant,
    /// Its areas as they are today.
    pub areas: AreaTree,
    /// Its areas through time.
    pub registry: Registry,
    /// The boundaries that hold today.
    pub boundaries: HashMap<AreaId, MultiPolygon>,
    /// The boundaries, indexed for locating points.
    pub locator: Locator<AreaId>,
    /// The catalogue of matters, one for all tenants.
    pub catalogue: Arc<Catalogue>,
    /// The rules in force, published or as shipped.
    pub rules: Rules,
    /// The version of the data this was loaded from.
    pub version: Version,
    /// The day its areas are as of.
    pub today: NaiveDate,
    /// The next day on which a decided change takes effect.
    turns: Option<NaiveDate>,
}

/// The seq of the areas in their journal, and how many editions of rules there were.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Version {
    areas: i64,
    rules: i64,
}

impl Version {
    /// Whether the other has something published since; both numbers only grow.
    const fn is_before(self, other: Self) -> bool {
        self.areas < other.areas || self.rules < other.rules
    }

    fn load(db: &mut persistence::Db, tenant: TenantId) -> Result<Self, StoreError> {
        let areas = journal::load_last_seq(db, tenant, (FlowKind::Areas, tenant.0))?;
        Ok(Self { areas, rules: policy::count_editions(db, tenant)? })
    }
}

impl TenantSnapshot {
    /// The context of a decision.
    pub fn build_context<'a>(&'a self, by: &'a Actor, at: Instant) -> Context<'a> {
        Context {
            by,
            at,
            seq: 1,
            rules: &self.rules,
            areas: &self.areas,
            catalogue: &self.catalogue,
            kept: None,
            numbers: NumberLength::default(),
            others: &[],
        }
    }

    /// The same for a caller who asks now, or asked offline.
    pub fn build_caller_context<'a>(&'a self, caller: &'a Caller, at: Instant) -> Context<'a> {
        Context { kept: caller.offline_command(), ..self.build_context(caller, at) }
    }

    /// The deepest area a point lies in.
    pub fn locate(&self, point: Point) -> Option<&Area> {
        self.locator.locate(point).and_then(|id| self.areas.get(id))
    }

    /// The seq of the areas in their journal.
    pub const fn areas_seq(&self) -> i64 {
        self.version.areas
    }

    fn load(
        db: &mut persistence::Db,
        tenant: tenant::Tenant,
        catalogue: Arc<Catalogue>,
        today: NaiveDate,
    ) -> Result<Self, StoreError> {
        let version = Version::load(db, tenant.id)?;
        let registry = area::load_registry(db, tenant.id)?;
        let (mut boundaries, mut shapes) = (HashMap::new(), Vec::new());
        for (id, no, text) in area::load_boundaries(db, tenant.id)? {
            let Some(record) = registry.get(id).filter(|record| record.exists_on(today)) else {
                continue;
            };
            let outline = record.version_on(today).and_then(|version| version.boundary.as_ref());
            if outline.is_none_or(|outline| outline.no != no) {
                continue;
            }
            let boundary = parse_boundary(id, &text)?;
            shapes.push(Shape { key: id, rank: record.kind.rank(), boundary: boundary.clone() });
            boundaries.insert(id, boundary);
        }
        let areas = registry.build_tree(today);
        let rules = load_rules(db, tenant.id, &areas, &catalogue)?;
        let (locator, turns) = (Locator::new(shapes), registry.next_change_day(today));
        Ok(Self {
            tenant,
            areas,
            registry,
            boundaries,
            locator,
            catalogue,
            rules,
            version,
            today,
            turns,
        })
    }
}

/// Parses a stored boundary.
pub fn parse_boundary(id: AreaId, text: &str) -> Result<MultiPolygon, StoreError> {
    let wrong = |why: String| StoreError::Inconsistent(format!("area_boundaries {id}: {why}"));
    let geometry: Geometry =
        serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
    geometry.into_boundary().map_err(wrong)
}

/// The rules a tenant published, and the shipped ones where it published none.
fn load_rules(
    db: &mut persistence::Db,
    tenant: TenantId,
    areas: &AreaTree,
    catalogue: &Catalogue,
) -> Result<Rules, StoreError> {
    static SHIPPED: LazyLock<Rules> = LazyLock::new(Rules::standard);
    let mut rules = SHIPPED.clone();
    for stored in policy::load_all(db, tenant)? {
        let chain = |id| sla::ancestry(areas, id);
        let known = sla::References { areas: &chain, catalogue, ranks: &[] };
        rules.enact_document(stored.state.document, stored.seq, &known);
    }
    Ok(rules)
}

/// All tenants of this database.
pub struct TenantSnapshots {
    loaded: RwLock<HashMap<TenantId, Arc<TenantSnapshot>>>,
    catalogue: Arc<Catalogue>,
    clock: Clock,
}

impl TenantSnapshots {
    /// Loads every tenant.
    pub async fn load(
        store: &Store,
        catalogue: Catalogue,
        clock: &Clock,
    ) -> Result<Self, StoreError> {
        let (catalogue, clock) = (Arc::new(catalogue), clock.clone());
        let worlds = Self { loaded: RwLock::default(), catalogue, clock };
        worlds.refresh(store).await?;
        Ok(worlds)
    }

    /// The tenant with this identity.
    pub fn get(&self, tenant: TenantId) -> Option<Arc<TenantSnapshot>> {
        self.read(|worlds| worlds.get(&tenant).cloned())
    }

    /// All tenants there are.
    pub fn all(&self) -> Vec<Arc<TenantSnapshot>> {
        self.read(|worlds| worlds.values().cloned().collect())
    }

    /// The tenant with this code; without a code, the only one there is.
    pub fn find_by_code(&self, code: Option<&str>) -> Option<Arc<TenantSnapshot>> {
        self.read(|worlds| match code {
            Some(code) => worlds.values().find(|world| world.tenant.code == code).cloned(),
            None if worlds.len() == 1 => worlds.values().next().cloned(),
            None => None,
        })
    }

    /// Loads what is new: tenants that were added, areas that changed, through this or another
    /// replica, or because the day has come.
    pub async fn refresh(&self, store: &Store) -> Result<(), StoreError> {
        let today = local_day(self.clock.now());
        let known: HashMap<TenantId, (Version, tenant::Tenant)> = self.read(|worlds| {
            let holds =
                |world: &&Arc<TenantSnapshot>| world.turns.is_none_or(|turns| today < turns);
            let known = worlds.values().filter(holds);
            known.map(|w| (w.tenant.id, (w.version, w.tenant.clone()))).collect()
        });
        let catalogue = Arc::clone(&self.catalogue);
        let fresh = store
            .read(move |db| {
                let mut fresh = Vec::new();
                for tenant in tenant::load_all(db)? {
                    let version = Version::load(db, tenant.id)?;
                    let same =
                        known.get(&tenant.id).is_some_and(|(v, t)| *v == version && *t == tenant);
                    if !same {
                        fresh.push(TenantSnapshot::load(
                            db,
                            tenant,
                            Arc::clone(&catalogue),
                            today,
                        )?);
                    }
                }
                Ok(fresh)
            })
            .await?;
        if !fresh.is_empty() {
            let mut worlds = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
            for world in fresh {
                // A reader that began earlier and finishes later must not bring back anything
                // older.
                let known = worlds.get(&world.tenant.id);
                if known.is_none_or(|known| !world.version.is_before(known.version)) {
                    worlds.insert(world.tenant.id, Arc::new(world));
                }
            }
        }
        Ok(())
    }

    fn read<R>(&self, look: impl FnOnce(&HashMap<TenantId, Arc<TenantSnapshot>>) -> R) -> R {
        look(&self.loaded.read().unwrap_or_else(PoisonError::into_inner))
    }
}
