//! Points and positions as they are stored: sealed by the key of the worker.

use std::collections::HashMap;

use domain::{
    Instant,
    core::id::{PatrolId, PersonId, TenantId},
    flows::track::{Fix, codec},
};
use persistence::{
    StoreError,
    flows::track::{self, Batch, Position, load_batches},
};

use crate::{
    app::{
        state::App,
        vault::{
            Vault,
            walks::{WalkKey, Walked, inconsistent_value},
        },
    },
    resources::patrol::points::Walkers,
};

/// The keys that open some batches.
pub(super) async fn load_keys(
    app: &App,
    tenant: TenantId,
    batches: &[Batch],
) -> Result<HashMap<PersonId, WalkKey>, StoreError> {
    let people = batches.iter().filter_map(|batch| batch.person);
    app.memory
        .get_or_default::<Walkers>()
        .keys
        .load_keys((&app.vault, &app.store), tenant, people)
        .await
}

/// The points of a stored batch; none of a person whose key was destroyed.
pub(super) fn open_batch(
    patrol: PatrolId,
    batch: &Batch,
    keys: &HashMap<PersonId, WalkKey>,
) -> Result<Vec<Fix>, StoreError> {
    let wrong = || StoreError::Inconsistent(format!("track_batches: batch {}", batch.first_seq));
    let Some(person) = batch.person else {
        return codec::decode(&batch.blob).ok_or_else(wrong);
    };
    let Some(key) = keys.get(&person) else { return Ok(Vec::new()) };
    let opened = key.open(Walked::Batch(patrol, batch.first_seq), &batch.blob)?;
    codec::decode(&opened).ok_or_else(wrong)
}

/// All stored points of a patrol, in the order of their batches.
pub async fn load_fixes(
    app: &App,
    tenant: TenantId,
    patrol: PatrolId,
) -> Result<Vec<Fix>, StoreError> {
    let found = app.store.read(move |db| load_batches(db, tenant, patrol, None)).await?;
    let keys = load_keys(app, tenant, &found).await?;
    let parts = found.iter().map(|batch| open_batch(patrol, batch, &keys));
    Ok(parts.collect::<Result<Vec<_>, _>>()?.concat())
}

/// Seals batches that were stored unsealed by older versions; one page; answers how many.
pub async fn seal_open_batches(app: &App, tenant: TenantId, limit: i64) -> Result<i64, StoreError> {
    let now = app.clock.now();
    let found = app.store.read(move |db| track::load_open(db, tenant, limit)).await?;
    let mut sealed = Vec::with_capacity(found.len());
    for batch in found {
        let key = match batch.walker {
            Some(walker) => {
                app.memory
                    .get_or_default::<Walkers>()
                    .keys
                    .ensure_key((&app.vault, &app.store), tenant, walker, now)
                    .await?
            }
            None => None,
        };
        let walked = Walked::Batch(batch.patrol, batch.first_seq);
        let blob = key.map(|key| key.seal(&app.vault, walked, &batch.blob)).transpose()?;
        sealed.push((batch.walker.zip(blob), batch));
    }
    if sealed.is_empty() {
        return Ok(0);
    }
    app.store.run(track::seal_batches(tenant, sealed)).await
}

/// The position of a person, in WGS-84.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Here {
    /// Longitude in ten millionths of a degree.
    pub lng: i32,
    /// Latitude in ten millionths of a degree.
    pub lat: i32,
    /// The accuracy, in tenths of a metre.
    pub accuracy: Option<u32>,
    /// When the position was measured, by the corrected time of the point.
    pub at: Instant,
}

impl Here {
    pub(super) fn seal(self, vault: &Vault, key: &WalkKey) -> Result<Position, StoreError> {
        let accuracy = self.accuracy.unwrap_or(u32::MAX);
        let bytes =
            [self.lng.to_be_bytes(), self.lat.to_be_bytes(), accuracy.to_be_bytes()].concat();
        Ok(Position { at: self.at, sealed: key.seal(vault, Walked::Position, &bytes)? })
    }

    fn open(position: &Position, key: &WalkKey) -> Result<Self, StoreError> {
        let bytes = key.open(Walked::Position, &position.sealed)?;
        let part = |at: usize| bytes.get(at..at + 4)?.first_chunk::<4>().copied();
        let parts = part(0).zip(part(4)).zip(part(8));
        let ((lng, lat), accuracy) = parts.ok_or_else(|| inconsistent_value("positions"))?;
        let accuracy = u32::from_be_bytes(accuracy);
        Ok(Self {
            lng: i32::from_be_bytes(lng),
            lat: i32::from_be_bytes(lat),
            accuracy: (accuracy != u32::MAX).then_some(accuracy),
            at: position.at,
        })
    }
}

/// A person on duty, with the position.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WorkerPosition {
    /// The person on duty whose key opened the position.
    pub person: PersonId,
    /// The last known position, opened.
    pub position: Here,
}

/// The positions of some people, as far as their keys are there.
pub async fn open_positions(
    app: &App,
    tenant: TenantId,
    found: Vec<track::SealedPosition>,
) -> Result<Vec<WorkerPosition>, StoreError> {
    let people = found.iter().map(|one| one.person);
    let keys = app
        .memory
        .get_or_default::<Walkers>()
        .keys
        .load_keys((&app.vault, &app.store), tenant, people)
        .await?;
    let open = |one: &track::SealedPosition| {
        let key = keys.get(&one.person)?;
        let position = Here::open(&one.position, key);
        Some(position.map(|position| WorkerPosition { person: one.person, position }))
    };
    found.iter().filter_map(open).collect()
}
