//! What decisions look at besides the state: rules, areas, catalogue. Kept in memory for each
//! tenant, loaded anew when the journal says that its areas changed.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use domain::{
    Instant,
    actor::Actor,
    area::{Area, AreaTree},
    catalogue::Catalogue,
    coordinate::Point,
    flow::Context,
    id::{AreaId, TenantId},
    locate::{Locator, MultiPolygon, Rings, Shape, from_rings, to_rings},
};
use persistence::{Store, StoreError, area, journal, tenant};
use serde::{Deserialize, Serialize};

/// A GeoJSON geometry, as boundaries are stored and imported.
#[derive(Serialize, Deserialize, Debug, Clone)]
#[serde(tag = "type")]
pub enum Geometry {
    /// One polygon with its holes.
    Polygon {
        /// Rings of [longitude, latitude].
        coordinates: Vec<Vec<[f64; 2]>>,
    },
    /// Several polygons.
    MultiPolygon {
        /// Polygons of rings of [longitude, latitude].
        coordinates: Rings,
    },
}

impl Geometry {
    /// The geometry of a boundary.
    pub fn of(boundary: &MultiPolygon) -> Self {
        Self::MultiPolygon { coordinates: to_rings(boundary) }
    }

    /// The boundary, or what is wrong with it.
    pub fn boundary(&self) -> Result<MultiPolygon, String> {
        let rings = match self {
            Self::Polygon { coordinates } => &vec![coordinates.clone()],
            Self::MultiPolygon { coordinates } => coordinates,
        };
        from_rings(rings).map_err(|error| error.to_string())
    }
}

/// One tenant, as decisions see it.
pub struct World {
    /// The tenant.
    pub tenant: tenant::Tenant,
    /// Its areas.
    pub areas: AreaTree,
    /// Its boundaries.
    pub locator: Locator<AreaId>,
    /// Its catalogue.
    pub catalogue: Arc<Catalogue>,
    /// The place in the journal of the areas that this was loaded at.
    pub version: i64,
}

impl World {
    /// The context of a decision.
    pub fn context<'a>(&'a self, by: &'a Actor, at: Instant) -> Context<'a> {
        Context {
            by,
            at,
            seq: 1,
            rules: &self.tenant.rules,
            areas: &self.areas,
            catalogue: &self.catalogue,
        }
    }

    /// The deepest area a point lies in.
    pub fn locate(&self, point: Point) -> Option<&Area> {
        self.locator.locate(point).and_then(|id| self.areas.get(id))
    }

    fn load(
        db: &mut persistence::Db,
        tenant: tenant::Tenant,
        catalogue: Arc<Catalogue>,
    ) -> Result<Self, StoreError> {
        let version = journal::last_seq(db, tenant.id, tenant.id.0)?;
        let rows = area::all(db, tenant.id)?;
        let mut shapes = Vec::new();
        for (area, boundary) in &rows {
            let Some(text) = boundary else { continue };
            let wrong = |why: String| {
                StoreError::Inconsistent(format!("areas {}: boundary: {why}", area.id))
            };
            let geometry: Geometry =
                serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
            let boundary = geometry.boundary().map_err(wrong)?;
            shapes.push(Shape { key: area.id, rank: area.kind.rank(), boundary });
        }
        let areas = AreaTree::new(rows.into_iter().map(|(area, _)| area));
        Ok(Self { tenant, areas, locator: Locator::new(shapes), catalogue, version })
    }
}

/// All tenants of this database.
pub struct Worlds {
    worlds: RwLock<HashMap<TenantId, Arc<World>>>,
    catalogue: Arc<Catalogue>,
}

impl Worlds {
    /// Loads every tenant.
    pub async fn load(store: &Store, catalogue: Catalogue) -> Result<Self, StoreError> {
        let worlds = Self { worlds: RwLock::default(), catalogue: Arc::new(catalogue) };
        worlds.refresh(store).await?;
        Ok(worlds)
    }

    /// The tenant with this identity.
    pub fn get(&self, tenant: TenantId) -> Option<Arc<World>> {
        self.read(|worlds| worlds.get(&tenant).cloned())
    }

    /// The tenant with this code; without a code, the only one there is.
    pub fn by_code(&self, code: Option<&str>) -> Option<Arc<World>> {
        self.read(|worlds| match code {
            Some(code) => worlds.values().find(|world| world.tenant.code == code).cloned(),
            None if worlds.len() == 1 => worlds.values().next().cloned(),
            None => None,
        })
    }

    /// Loads what is new: tenants that were added, areas that changed, by us or by a replica.
    pub async fn refresh(&self, store: &Store) -> Result<(), StoreError> {
        let known: HashMap<TenantId, (i64, tenant::Tenant)> = self.read(|worlds| {
            worlds.iter().map(|(id, w)| (*id, (w.version, w.tenant.clone()))).collect()
        });
        let catalogue = Arc::clone(&self.catalogue);
        let fresh = store
            .read(move |db| {
                let mut fresh = Vec::new();
                for tenant in tenant::all(db)? {
                    let version = journal::last_seq(db, tenant.id, tenant.id.0)?;
                    let same =
                        known.get(&tenant.id).is_some_and(|(v, t)| *v == version && *t == tenant);
                    if !same {
                        fresh.push(World::load(db, tenant, Arc::clone(&catalogue))?);
                    }
                }
                Ok(fresh)
            })
            .await?;
        if !fresh.is_empty() {
            let mut worlds = self.worlds.write().unwrap_or_else(PoisonError::into_inner);
            for world in fresh {
                worlds.insert(world.tenant.id, Arc::new(world));
            }
        }
        Ok(())
    }

    fn read<R>(&self, look: impl FnOnce(&HashMap<TenantId, Arc<World>>) -> R) -> R {
        look(&self.worlds.read().unwrap_or_else(PoisonError::into_inner))
    }
}
