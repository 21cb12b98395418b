//! What every request may use: the store, the clock, the keys, and what is kept in memory.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use domain::{
    Instant,
    actor::Actor,
    id::{PersonId, TenantId},
};
use persistence::{Store, StoreError, person, tenant};
use uuid::Uuid;

use crate::{
    clock::{Clock, new_id},
    clockwork::Pulse,
    config::Settings,
    limits::Attempts,
    password::Passwords,
    problem::{Code, Problem, Reply},
    seed,
    token::{Claims, Fault, Keys, random},
    world::{World, Worlds},
};

/// The application.
pub struct App {
    /// The database.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// What tokens are signed with.
    pub keys: Keys,
    /// The tenants.
    pub worlds: Worlds,
    /// Who was authenticated lately.
    pub actors: Actors,
    /// How often somebody may try to log in.
    pub logins: Attempts,
    /// Hashes and checks passwords, a few at once.
    pub passwords: Passwords,
    /// What the clockwork does.
    pub pulse: Pulse,
    /// How this server was started.
    pub settings: Settings,
}

impl App {
    /// Opens the database and loads what is kept in memory.
    pub async fn open(settings: Settings, clock: Clock) -> Result<Self, StoreError> {
        let store = Store::open(settings.database.expose(), settings.store_options())?;
        let keys = keys(&store, &clock).await?;
        let worlds = Worlds::load(&store, seed::catalogue()).await?;
        Ok(Self {
            store,
            clock,
            keys,
            worlds,
            actors: Actors::default(),
            logins: Attempts::new(),
            passwords: Passwords::new(2),
            pulse: Pulse::default(),
            settings,
        })
    }

    /// The tenant of an actor.
    pub fn world(&self, tenant: TenantId) -> Reply<Arc<World>> {
        self.worlds.get(tenant).ok_or_else(|| Problem::new(Code::Unauthenticated))
    }

    /// Who carries these claims, unless the session was revoked. Asked of the database at most
    /// every few seconds for each session.
    pub async fn actor(&self, claims: Claims) -> Reply<Arc<Actor>> {
        let now = self.clock.now();
        let powers = Arc::clone(&self.world(claims.tid)?.rules.powers);
        if let Some(actor) = self.actors.get(claims.sid, now)
            && Arc::ptr_eq(&actor.powers, &powers)
        {
            return Ok(actor);
        }
        let (tenant, session) = (claims.tid, claims.sid);
        let person =
            self.store.read(move |db| person::of_session(db, tenant, session, now)).await?;
        let person = person.filter(|person| person.id == claims.sub);
        let actor = person.and_then(|person| person.actor(tenant, &powers));
        let actor = Arc::new(actor.ok_or(Fault::Ended)?);
        self.actors.put(session, Arc::clone(&actor), now);
        Ok(actor)
    }
}

/// The key this database signs with; made at the first start and kept.
async fn keys(store: &Store, clock: &Clock) -> Result<Keys, StoreError> {
    let failed = |why: &str| StoreError::Unusable(format!("the signing key: {why}"));
    let secret = random::<32>().map_err(|error| failed(&error.to_string()))?;
    let (fresh, now) = ((new_id(), secret.to_vec()), clock.now());
    let (_, secret) = store.run(move |db| tenant::signing_key(db, fresh, now)).await?;
    let secret: [u8; 32] = secret.try_into().map_err(|_other| failed("it has not 32 bytes"))?;
    Ok(Keys::new(&secret))
}

/// Actors by session, for a few seconds.
#[derive(Default)]
pub struct Actors {
    known: Mutex<HashMap<Uuid, (Arc<Actor>, Instant)>>,
}

impl Actors {
    /// How long a revocation made by another replica may take to be noticed.
    const FOR_MS: i64 = 5_000;
    /// How many sessions are remembered.
    const MOST: usize = 50_000;

    fn get(&self, session: Uuid, now: Instant) -> Option<Arc<Actor>> {
        let known = self.lock();
        let (actor, since) = known.get(&session)?;
        ((now - *since).num_milliseconds() < Self::FOR_MS).then(|| Arc::clone(actor))
    }

    fn put(&self, session: Uuid, actor: Arc<Actor>, now: Instant) {
        let mut known = self.lock();
        if known.len() >= Self::MOST {
            known.clear();
        }
        known.insert(session, (actor, now));
    }

    /// Forgets a session at once.
    pub fn forget_session(&self, session: Uuid) {
        self.lock().remove(&session);
    }

    /// Forgets a person at once: grants changed.
    pub fn forget_person(&self, person: PersonId) {
        self.lock().retain(|_, (actor, _)| actor.person != person);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, (Arc<Actor>, Instant)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
