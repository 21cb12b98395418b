//! Tracks, positions and photos as they were sent, sealed by the key of the person they come from:
//! erasing the person makes them unreadable, in every copy too.
//!
//! Points arrive every few seconds from all workers at once, so keys are cached in memory for a
//! minute: by then this replica also forgets a person who was erased through another.

use std::{
    collections::HashMap,
    time::{Duration, Instant as Ticks},
};

use domain::{
    Instant,
    core::id::{MediaId, PatrolId, PersonId, TenantId},
    people::personal::{DataSubject, SubjectKind},
};
use persistence::{
    Db, Store, StoreError,
    people::vault::{self, KeyOwner},
};
use quick_cache::sync::Cache;
use zeroize::Zeroizing;

use super::{Result, Vault, cipher, cipher::Secret};

/// What is sealed by the key of a worker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Walked {
    /// The batch of points of a patrol that begins with this number.
    Batch(PatrolId, i64),
    /// The person's last known position.
    Position,
    /// The bytes of a photo as the person sent it, with where it was taken.
    Photo(MediaId),
}

/// The unwrapped key of a worker.
#[derive(Clone, Debug)]
pub struct WalkKey {
    tenant: TenantId,
    person: PersonId,
    secret: Secret,
}

impl WalkKey {
    fn place_of(&self, what: Walked) -> Vec<u8> {
        let (tenant, person) = (self.tenant.0.as_bytes(), self.person.0.as_bytes());
        match what {
            Walked::Batch(patrol, first) => {
                let patrol = patrol.0.as_bytes().as_slice();
                [tenant, person, b"track".as_slice(), patrol, &first.to_be_bytes()].concat()
            }
            Walked::Position => [tenant, person, b"position".as_slice()].concat(),
            Walked::Photo(media) => {
                [tenant, person, b"photo".as_slice(), media.0.as_bytes().as_slice()].concat()
            }
        }
    }

    /// Seals data of the worker.
    pub fn seal(&self, vault: &Vault, what: Walked, bytes: &[u8]) -> Result<Vec<u8>> {
        cipher::seal(vault.suite, &self.secret, &self.place_of(what), bytes)
    }

    /// Opens what [`Self::seal`] sealed for the same place.
    pub fn open(&self, what: Walked, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        cipher::open(&self.secret, &self.place_of(what), sealed)
    }
}

impl Vault {
    /// The key of a person, made at the first use; none of a person who was erased.
    pub async fn ensure_walk_key(
        &self,
        store: &Store,
        tenant: TenantId,
        person: PersonId,
        at: Instant,
    ) -> Result<Option<WalkKey>> {
        let subject = DataSubject::new(SubjectKind::Person, person.0);
        let owner = KeyOwner::Subject(subject);
        let kept = store.read(move |db| vault::load_key(db, tenant, owner)).await?;
        let kept = if let Some(kept) = kept {
            kept
        } else {
            let spare = self.new_spare_key(tenant, subject, at)?;
            store.run(vault::claim_data_key(tenant, spare)).await?
        };
        if kept.wrapped.is_none() {
            return Ok(None);
        }
        Ok(Some(WalkKey { tenant, person, secret: self.unwrap_key(tenant, &kept)? }))
    }
}

/// The keys of workers, cached.
pub struct WalkKeys(Cache<(TenantId, PersonId), (Ticks, WalkKey)>);

impl Default for WalkKeys {
    fn default() -> Self {
        Self(Cache::new(20_000))
    }
}

impl std::fmt::Debug for WalkKeys {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "WalkKeys({})", self.0.len())
    }
}

impl WalkKeys {
    const FRESH: Duration = Duration::from_mins(1);

    fn find_cached(&self, tenant: TenantId, person: PersonId) -> Option<WalkKey> {
        let (since, key) = self.0.get(&(tenant, person))?;
        (since.elapsed() < Self::FRESH).then_some(key)
    }

    fn cache_key(&self, key: &WalkKey) {
        self.0.insert((key.tenant, key.person), (Ticks::now(), key.clone()));
    }

    /// The key of a person, made at the first use; none for a person who was erased.
    pub async fn ensure_key(
        &self,
        (vault, store): (&Vault, &Store),
        tenant: TenantId,
        person: PersonId,
        at: Instant,
    ) -> Result<Option<WalkKey>> {
        if let Some(key) = self.find_cached(tenant, person) {
            return Ok(Some(key));
        }
        let key = vault.ensure_walk_key(store, tenant, person, at).await?;
        if let Some(key) = &key {
            self.cache_key(key);
        }
        Ok(key)
    }

    /// The keys of some people, as far as they have one.
    pub async fn load_keys(
        &self,
        (vault, store): (&Vault, &Store),
        tenant: TenantId,
        people: impl IntoIterator<Item = PersonId>,
    ) -> Result<HashMap<PersonId, WalkKey>> {
        let (mut keys, mut missing) = (HashMap::new(), Vec::new());
        for person in people {
            match self.find_cached(tenant, person) {
                Some(key) => _ = keys.insert(person, key),
                None => missing.push(person.0),
            }
        }
        missing.sort_unstable();
        missing.dedup();
        if missing.is_empty() {
            return Ok(keys);
        }
        let of = move |db: &mut Db| vault::load_keys(db, tenant, (SubjectKind::Person, &missing));
        let found = store.read(of).await?;
        for (person, kept) in found.iter().filter(|(_, kept)| kept.wrapped.is_some()) {
            let person = PersonId(*person);
            let key = WalkKey { tenant, person, secret: vault.unwrap_key(tenant, kept)? };
            self.cache_key(&key);
            keys.insert(person, key);
        }
        Ok(keys)
    }

    /// Forgets the key of a person who was erased.
    pub fn forget(&self, tenant: TenantId, person: PersonId) {
        self.0.remove(&(tenant, person));
    }
}

/// The error of a sealed value that is not what it ought to be.
pub(crate) fn inconsistent_value(what: &str) -> StoreError {
    StoreError::Inconsistent(format!("{what}: it is not what was sealed"))
}
