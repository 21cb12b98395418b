//! What every request may use: the store, the clock, the keys, and what is kept in memory.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use chrono::Duration;
use domain::{
    Instant,
    core::id::{PersonId, TenantId},
    flows::person::Person,
    people::actor::Actor,
};
use persistence::{
    Store, StoreError,
    kernel::key::{self, Purpose, StoredKey},
    people::{
        client::{self, Client},
        session::{self, Session},
    },
};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    access::{auth::Restriction, client::Presented, discovery::Discoveries, session::CLIENT},
    app::{
        clock::Clock,
        config::{Provider, SecondFactor, Secret, Settings},
        depot::Depot,
        limits::Attempts,
        outbound::{Outbound, hooks::Hooks},
        password::Passwords,
        quota::Quotas,
        ration::Rationed,
        ring::{self, Ring},
        scope::Scopes,
        seal::Seal,
        token::{Claims, Fault, ISSUER, Keys},
        vault::{Vault, cipher},
        world::{World, Worlds},
    },
    cli::seed,
    engine::checkpoint::Checkpoints,
    http::problem::{Code, Problem, Reply},
    integrations::{clockwork::Pulse, event::tail::Tails},
    mobile::sync::recent::Recents,
    privacy::names::{self, Names},
    resources::{content_review::Checks, media::Darkroom, patrol::Walkers, retention::Sweep},
};

/// The application.
pub struct App {
    /// The database.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// What tokens are signed with.
    pub keys: Keys,
    /// What seals secrets that are stored.
    pub seal: Seal,
    /// People's data.
    pub vault: Vault,
    /// The tenants.
    pub worlds: Worlds,
    /// What people are called.
    pub names: Names,
    /// Who was authenticated lately.
    pub actors: Actors,
    /// How often somebody may try to log in.
    pub logins: Attempts,
    /// How often somebody may try a code or an old password.
    pub codes: Attempts,
    /// Hashes and checks passwords, a few at once.
    pub passwords: Passwords,
    /// How much programs asked lately.
    pub quotas: Quotas,
    /// What people asked lately, and what they hold.
    pub rationed: Rationed,
    /// Asks other services.
    pub outbound: Outbound,
    /// Tells servers that others chose.
    pub hooks: Hooks,
    /// The same, for providers that other authorities vouch for, by their names.
    pub trusting: HashMap<String, Outbound>,
    /// What providers say about themselves.
    pub discoveries: Discoveries,
    /// What the clockwork does.
    pub pulse: Pulse,
    /// What those answered who walk, to whether tracks may be taken.
    pub walkers: Walkers,
    /// When what is over is looked for again.
    pub sweep: Sweep,
    /// The ends of the feeds somebody listens to.
    pub tails: Tails,
    /// What moved lately, for phones that ask.
    pub recents: Recents,
    /// Whether the server is about to end: streams end first.
    pub closing: watch::Sender<bool>,
    /// The bytes of files.
    pub depot: Depot,
    /// Content reviews that wait to be asked about.
    pub checks: Checks,
    /// How far the feeds were read for checkpoints.
    pub checkpoints: Checkpoints,
    /// Looks at photos, a few at once.
    pub darkroom: Darkroom,
    /// How this server was started.
    pub settings: Settings,
    /// When somebody last looked for new signing keys, in milliseconds.
    looked: AtomicI64,
}

/// How many passwords are hashed at once: half of the cores, so that a storm of logins leaves the
/// other half to whoever is logged in.
fn hashing() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    (cores / 2).clamp(1, 8)
}

impl App {
    /// Opens the database and loads what is kept in memory.
    pub async fn open(settings: Settings, clock: Clock) -> Result<Self, StoreError> {
        let store = Store::open(settings.database.expose(), settings.store_options())?;
        let trusting = trusting(&settings)?;
        let vault = Vault::open(&settings, &store).await?;
        let seal = sealing(&store, &settings, &vault, clock.now()).await?;
        let keys = keys(&store, &seal, &settings, clock.now()).await?;
        let depot = Depot::open(&settings).map_err(StoreError::Unusable)?;
        let worlds = Worlds::load(&store, seed::catalogue(), &clock).await?;
        Ok(Self {
            store,
            clock,
            keys,
            seal,
            looked: AtomicI64::new(i64::MIN),
            vault,
            worlds,
            names: Names::default(),
            actors: Actors::default(),
            logins: Attempts::new(),
            codes: Attempts::new(),
            quotas: Quotas::default(),
            rationed: Rationed::new(settings.limits),
            outbound: Outbound::default(),
            hooks: Hooks::new(&settings.webhook_networks.0)
                .map_err(|error| StoreError::Unavailable(error.to_string()))?,
            trusting,
            discoveries: Discoveries::default(),
            passwords: Passwords::new(hashing())
                .map_err(|error| StoreError::Unavailable(error.to_string()))?,
            pulse: Pulse::default(),
            walkers: Walkers::default(),
            sweep: Sweep::default(),
            tails: Tails::default(),
            recents: Recents::default(),
            closing: watch::Sender::new(false),
            depot,
            checks: Checks::default(),
            checkpoints: Checkpoints::default(),
            darkroom: Darkroom::new()
                .map_err(|error| StoreError::Unavailable(error.to_string()))?,
            settings,
        })
    }

    /// The tenant of an actor.
    pub fn world(&self, tenant: TenantId) -> Reply<Arc<World>> {
        self.worlds.get(tenant).ok_or_else(|| Problem::new(Code::Unauthenticated))
    }

    /// Who an API key belongs to. Asked of the database as seldom as for sessions.
    pub async fn actor_of_key(&self, key: &Presented) -> Reply<Known> {
        let now = self.clock.now();
        let tenant = key.tenant;
        let Some(world) = self.worlds.get(tenant) else { return Err(Fault::Key.into()) };
        let powers = &world.rules.powers;
        if let Some(known) = self.actors.get(key.known_as(), now)
            && Arc::ptr_eq(&known.actor.powers, powers)
        {
            return Ok(known);
        }
        let before = self.actors.before();
        let (found, _) = key.client(self, "key").await?.ok_or(Fault::Key)?;
        let whose = found.id.0;
        let person = self.store.look::<Person>(tenant, whose).await?.ok_or(Fault::Key)?;
        let actor = self.acting(&person.state, &world).await?.ok_or(Fault::Key)?;
        let known = Known { actor, restriction: None, client: Some(Limits::of(&found)) };
        self.actors.put(key.known_as(), known.clone(), now, before);
        Ok(known)
    }

    /// After how long an unused login is over.
    pub fn idle(&self) -> Duration {
        Duration::hours(i64::from(self.settings.idle_hours))
    }

    /// Looks for signing keys that another replica made, at most once a second: what names an
    /// unknown key is often only forged. Whether it looked.
    pub async fn look_for_keys(&self) -> Result<bool, StoreError> {
        let now = self.clock.now().timestamp_millis();
        let last = self.looked.load(Ordering::Relaxed);
        let mine = now.saturating_sub(last) >= 1000
            && self
                .looked
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if mine {
            self.keys.ring().refresh(&self.store, &self.seal).await?;
        }
        Ok(mine)
    }

    /// Whether the settings want a second factor of this person.
    pub fn wants_factor(&self, person: &Person) -> bool {
        let now = self.clock.now();
        match self.settings.second_factor {
            SecondFactor::Off => false,
            SecondFactor::Administrators => {
                person.grants.iter().any(|grant| grant.holds(now) && grant.role.administers())
            }
            SecondFactor::Everybody => true,
        }
    }

    /// Whether somebody who logged in this way did so with one factor where two are wanted. A
    /// program has no telephone to look at; its secret is long and made here. What residents have
    /// is one factor, and enough for them.
    pub fn lacks_factor(&self, person: &Person, method: &str) -> bool {
        let enough = match method {
            "totp" | CLIENT => true,
            "password" => false,
            "wechat" => !person.grants.iter().any(|grant| grant.role.administers()),
            provider => {
                let known = self.settings.providers.iter().find(|one| one.name == provider);
                known.is_some_and(|provider| provider.second_factor)
            }
        };
        !enough && self.wants_factor(person)
    }

    /// What has to be done in this session before anything else.
    pub fn restriction(&self, person: &Person, session: &Session) -> Option<Restriction> {
        if self.lacks_factor(person, &session.method) {
            return Some(Restriction::SecondFactor);
        }
        session.restriction.as_deref().and_then(Restriction::parse)
    }

    /// A person as an actor, with rights that follow areas which were moved, split or merged; none
    /// of an account that is closed.
    async fn acting(&self, person: &Person, world: &World) -> Reply<Option<Arc<Actor>>> {
        let tenant = world.tenant.id;
        let Some(mut actor) = person.actor(tenant, &world.rules.powers) else { return Ok(None) };
        if person.is_nameless() && person.in_office() {
            // Registered as a resident, in office since: acts under the own name.
            actor.name = names::own(self, tenant, person).await?;
        }
        actor.grants = world.areas.reaching(&actor.grants);
        Ok(Some(Arc::new(actor)))
    }

    /// Who carries these claims, unless the session ended. Asked of the database at most every
    /// few seconds for each session.
    pub async fn actor(&self, claims: Claims) -> Reply<Known> {
        /// How exactly it is kept when a session was last used.
        const SEEN: Duration = Duration::minutes(5);
        let now = self.clock.now();
        let world = self.worlds.get(claims.tid).ok_or(Fault::Ended)?;
        if let Some(known) = self.actors.get(claims.sid, now)
            && Arc::ptr_eq(&known.actor.powers, &world.rules.powers)
        {
            // A session belongs to one person of one tenant, whatever a token says.
            let same = known.actor.person == claims.sub && known.actor.tenant == claims.tid;
            return if same { Ok(known) } else { Err(Fault::Ended.into()) };
        }
        let (tenant, id, before) = (claims.tid, claims.sid, self.actors.before());
        let found = self.store.read(move |db| session::find(db, tenant, id, now)).await?;
        let (session, person) = found.ok_or(Fault::Ended)?;
        let idle = session.used_at <= now - self.idle();
        if person.id != claims.sub || (idle && session.method != CLIENT) {
            return Err(Fault::Ended.into());
        }
        if session.used_at < now - SEEN {
            self.store.run(move |db| session::touch(db, tenant, id, now)).await?;
        }
        let restriction = self.restriction(&person, &session);
        let client = if session.method == CLIENT {
            let (whose, now) = (person.id, self.clock.now());
            let found = self.store.read(move |db| client::find(db, tenant, whose)).await?;
            let found = found.filter(|client| client.disabled_at.is_none_or(|at| now < at));
            Some(Limits::of(&found.ok_or(Fault::Ended)?))
        } else {
            None
        };
        let actor = self.acting(&person, &world).await?.ok_or(Fault::Ended)?;
        let known = Known { actor, restriction, client };
        self.actors.put(id, known.clone(), now, before);
        Ok(known)
    }
}

/// Those that trust authorities of their own, by the names of the providers.
fn trusting(settings: &Settings) -> Result<HashMap<String, Outbound>, StoreError> {
    let with_file = |provider: &Provider| {
        let outbound = Outbound::trusting(provider.ca_file.as_deref()?);
        let name = provider.name.clone();
        Some(outbound.map(|outbound| (name, outbound)).map_err(StoreError::Unusable))
    };
    settings.providers.iter().filter_map(with_file).collect()
}

/// The key that seals: the setting, or one that was made at the first start and kept, wrapped by
/// the master key of the vault.
pub async fn sealing(
    store: &Store,
    settings: &Settings,
    vault: &Vault,
    now: Instant,
) -> Result<Seal, StoreError> {
    let suite = settings.vault_cipher;
    if let Some(given) = settings.key.as_ref().and_then(Secret::bytes)
        && let Some(secret) = cipher::Secret::from_slice(&given)
    {
        return Ok(Seal::new(secret, suite));
    }
    let secret = vault.wrap_own(&cipher::Secret::generate()?)?;
    // It has one identity, so that of two that start together one makes it and both take it.
    let id = Uuid::from_u128(1);
    let fresh = StoredKey {
        id,
        secret,
        created_at: now,
        activated_at: now,
        retired_at: None,
        public: None,
    };
    let keys = match store.run(move |db| key::ensure(db, Purpose::Seal, &fresh)).await {
        Err(StoreError::Exists(_)) => store.read(|db| key::all(db, Purpose::Seal)).await?,
        made => made?,
    };
    let kept = keys.first().map(|key| key.secret.as_slice()).unwrap_or_default();
    Ok(Seal::new(vault.unwrap_own(kept)?, suite))
}

/// The keys this database signs with; the first is made at the first start.
async fn keys(
    store: &Store,
    seal: &Seal,
    settings: &Settings,
    now: Instant,
) -> Result<Keys, StoreError> {
    let fresh = ring::fresh(seal, now, now)?;
    store.run(move |db| key::ensure(db, Purpose::Sign, &fresh)).await?;
    let keys = Keys::new(Ring::default(), settings.public_url.as_deref().unwrap_or(ISSUER));
    keys.ring().refresh(store, seal).await?;
    ring::keep_public(store, seal).await?;
    Ok(keys)
}

/// Somebody who was authenticated.
#[derive(Clone)]
pub struct Known {
    /// Who.
    pub actor: Arc<Actor>,
    /// What has to be done before anything else.
    pub restriction: Option<Restriction>,
    /// Of a program: what it is held to.
    pub client: Option<Limits>,
}

/// What a program is held to.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Which.
    pub id: Uuid,
    /// How many requests a minute.
    pub per_minute: u32,
    /// What it may be given at most.
    pub scopes: Scopes,
}

impl Limits {
    fn of(client: &Client) -> Self {
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
    known: Mutex<HashMap<Uuid, (Known, Instant)>>,
    /// How often somebody was forgotten: what was read before the last time is not kept.
    forgotten: AtomicU64,
}

impl Actors {
    /// How long a revocation made by another replica may take to be noticed.
    const FOR_MS: i64 = 5_000;
    /// How many sessions are remembered.
    const MOST: usize = 50_000;

    fn get(&self, session: Uuid, now: Instant) -> Option<Known> {
        let known = self.lock();
        let (found, since) = known.get(&session)?;
        ((now - *since).num_milliseconds() < Self::FOR_MS).then(|| found.clone())
    }

    /// To be asked before somebody is read, for [`Self::put`].
    fn before(&self) -> u64 {
        self.forgotten.load(Ordering::Acquire)
    }

    /// Keeps whom was read after `before`, unless rights changed since.
    fn put(&self, session: Uuid, who: Known, now: Instant, before: u64) {
        let mut known = self.lock();
        if self.before() != before {
            return;
        }
        if known.len() >= Self::MOST {
            known.clear();
        }
        known.insert(session, (who, now));
    }

    /// Forgets a session at once.
    pub fn forget_session(&self, session: Uuid) {
        self.forgetting().remove(&session);
    }

    /// Forgets a person at once: grants changed.
    pub fn forget_person(&self, person: PersonId) {
        self.forgetting().retain(|_, (known, _)| known.actor.person != person);
    }

    /// Forgets everybody of a tenant at once: areas changed.
    pub fn forget_tenant(&self, tenant: TenantId) {
        self.forgetting().retain(|_, (known, _)| known.actor.tenant != tenant);
    }

    /// What is known, when some of it is about to be forgotten: what others are reading now they
    /// do not keep.
    fn forgetting(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, (Known, Instant)>> {
        let known = self.lock();
        self.forgotten.fetch_add(1, Ordering::Release);
        known
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, (Known, Instant)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
