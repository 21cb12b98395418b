//! Actors by their logins, kept in memory for a few seconds.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use domain::{
    Instant,
    core::id::{PersonId, TenantId},
    people::actor::Actor,
};
use persistence::people::client::Client;
use uuid::Uuid;

use crate::app::{caller::Restriction, scope::Scopes};

/// A person or program whose token was accepted, as last read from the database.
#[derive(Clone)]
pub struct ActorRecord {
    /// The person or program, with its roles.
    pub actor: Arc<Actor>,
    /// What has to be done before anything else.
    pub restriction: Option<Restriction>,
    /// The limits of a program.
    pub client: Option<Limits>,
}

/// The limits of a program.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The client's identity, under which its requests are counted.
    pub id: Uuid,
    /// How many requests a minute.
    pub per_minute: u32,
    /// The most scopes it may be given.
    pub scopes: Scopes,
}

impl Limits {
    pub(crate) fn from_client(client: &Client) -> Self {
        Self {
            id: client.id.0,
            per_minute: u32::try_from(client.per_minute).unwrap_or(1),
            scopes: Scopes::parse(&client.scopes).unwrap_or_default(),
        }
    }
}

/// Actors by session, for a few seconds.
#[derive(Default)]
pub struct Actors {
    known: Mutex<HashMap<Uuid, (ActorRecord, Instant)>>,
    /// How often an actor was forgotten: an actor read before the last time is not kept.
    forgotten: AtomicU64,
}

impl Actors {
    /// The longest time until a revocation made by another replica is noticed.
    const FOR_MS: i64 = 5_000;
    /// The most sessions remembered.
    const MOST: usize = 50_000;

    pub(crate) fn get(&self, session: Uuid, now: Instant) -> Option<ActorRecord> {
        let known = self.lock();
        let (found, since) = known.get(&session)?;
        ((now - *since).num_milliseconds() < Self::FOR_MS).then(|| found.clone())
    }

    /// The generation for [`Self::put`], to be taken before an actor is read.
    pub(crate) fn current_generation(&self) -> u64 {
        self.forgotten.load(Ordering::Acquire)
    }

    /// Keeps an actor that was read after `before`, unless rights changed since.
    pub(crate) fn put(&self, session: Uuid, who: ActorRecord, now: Instant, before: u64) {
        let mut known = self.lock();
        if self.current_generation() != before {
            return;
        }
        if known.len() >= Self::MOST {
            known.clear();
        }
        known.insert(session, (who, now));
    }

    /// Forgets a session, whose rights ended.
    pub fn forget_session(&self, session: Uuid) {
        self.begin_forgetting().remove(&session);
    }

    /// Forgets a person, whose grants changed.
    pub fn forget_person(&self, person: PersonId) {
        self.begin_forgetting().retain(|_, (known, _)| known.actor.person != person);
    }

    /// Forgets all actors of a tenant, whose areas changed.
    pub fn forget_tenant(&self, tenant: TenantId) {
        self.begin_forgetting().retain(|_, (known, _)| known.actor.tenant != tenant);
    }

    /// The cache, for an entry to be removed: what others are reading now is not kept.
    fn begin_forgetting(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, (ActorRecord, Instant)>> {
        let known = self.lock();
        self.forgotten.fetch_add(1, Ordering::Release);
        known
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, (ActorRecord, Instant)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
