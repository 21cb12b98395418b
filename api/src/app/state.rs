//! The state that every request may use: the store, the clock, the keys, and the caches.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use chrono::Duration;
use domain::{Instant, core::id::TenantId};
use persistence::{
    Store, StoreError,
    kernel::key::{self, Purpose, StoredKey},
    people::person::load_account_collisions,
};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    app::{
        actors::Actors,
        catalogue,
        clock::Clock,
        config::{Provider, Secret, Settings},
        limits::Attempts,
        memory::Memory,
        object_storage::ObjectStorage,
        outbound::{Outbound, hooks::Hooks},
        password::Passwords,
        quota::Quotas,
        ration::Rationed,
        secret_box::SecretBox,
        signing_keys::{self, SigningKeys},
        token::{ISSUER, Keys},
        vault::{Vault, cipher},
        world::{TenantSnapshot, TenantSnapshots},
    },
    http::problem::{Code, Problem, Reply},
};

/// Everything the handlers and the background tasks of one server share.
pub struct App {
    /// The database, with the data of all tenants.
    pub store: Store,
    /// The time that decisions and tokens use; tests and the demo can move it.
    pub clock: Clock,
    /// The keys that sign and verify tokens.
    pub keys: Keys,
    /// Seals secrets that are stored.
    pub seal: SecretBox,
    /// Seals and opens people's data.
    pub vault: Vault,
    /// The tenants in memory, each with its areas and rules.
    pub worlds: TenantSnapshots,
    /// The caches of capabilities.
    pub memory: Memory,
    /// Actors that were authenticated lately.
    pub actors: Actors,
    /// How often a client may try to log in.
    pub logins: Attempts,
    /// How often a code or an old password may be tried.
    pub codes: Attempts,
    /// Hashes and verifies passwords, a few at once.
    pub passwords: Passwords,
    /// The quotas of programs.
    pub quotas: Quotas,
    /// The shares that people took lately, and what they hold.
    pub rationed: Rationed,
    /// Calls other services.
    pub outbound: Outbound,
    /// Posts to servers that others chose.
    pub hooks: Hooks,
    /// Calls providers that other authorities vouch for, by their names.
    pub trusting: HashMap<String, Outbound>,
    /// Whether the server is about to end: streams end first.
    pub closing: watch::Sender<bool>,
    /// The bytes of files.
    pub object_storage: ObjectStorage,
    /// How this server was started.
    pub settings: Settings,
    /// When this server last looked for new signing keys, in milliseconds.
    looked: AtomicI64,
}

/// How many passwords are hashed at once: half of the cores, so that a storm of logins leaves the
/// other half to those who are logged in.
fn count_hash_threads() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    (cores / 2).clamp(1, 8)
}

impl App {
    /// Opens the database and loads the caches.
    pub async fn open(settings: Settings, clock: Clock) -> Result<Self, StoreError> {
        let store = Store::open(settings.database.expose(), settings.store_options())?;
        let trusting = build_outbounds(&settings)?;
        let vault = Vault::open(&settings, &store).await?;
        let seal = ensure_seal(&store, &settings, &vault, clock.now()).await?;
        let keys = ensure_keys(&store, &seal, &settings, clock.now()).await?;
        let object_storage = ObjectStorage::open(&settings).map_err(StoreError::Unusable)?;
        let worlds = TenantSnapshots::load(&store, catalogue::build_default(), &clock).await?;
        for tenant in worlds.all().iter().map(|world| &world.tenant) {
            let id = tenant.id;
            for accounts in store.read(move |db| load_account_collisions(db, id)).await? {
                tracing::warn!(
                    tenant = tenant.code,
                    ?accounts,
                    "accounts differ in case or width alone"
                );
            }
        }
        Ok(Self {
            store,
            clock,
            keys,
            seal,
            looked: AtomicI64::new(i64::MIN),
            vault,
            worlds,
            memory: Memory::default(),
            actors: Actors::default(),
            logins: Attempts::new(),
            codes: Attempts::new(),
            quotas: Quotas::default(),
            rationed: Rationed::new(settings.limits),
            outbound: Outbound::default(),
            hooks: Hooks::new(&settings.webhook_networks.0)
                .map_err(|error| StoreError::Unavailable(error.to_string()))?,
            trusting,
            passwords: Passwords::new(count_hash_threads())
                .map_err(|error| StoreError::Unavailable(error.to_string()))?,
            closing: watch::Sender::new(false),
            object_storage,
            settings,
        })
    }

    /// The tenant of an actor.
    pub fn world(&self, tenant: TenantId) -> Reply<Arc<TenantSnapshot>> {
        self.worlds.get(tenant).ok_or_else(|| Problem::new(Code::Unauthenticated))
    }

    /// After how long an unused login is over.
    pub fn idle_limit(&self) -> Duration {
        Duration::hours(i64::from(self.settings.idle_hours))
    }

    /// Looks for signing keys that another replica made, at most once a second: a token that names
    /// an unknown key is often only forged. Answers whether it looked.
    pub async fn refresh_keys(&self) -> Result<bool, StoreError> {
        let now = self.clock.now().timestamp_millis();
        let last = self.looked.load(Ordering::Relaxed);
        let mine = now.saturating_sub(last) >= 1000
            && self
                .looked
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if mine {
            self.keys.signing_keys().refresh(&self.store, &self.seal).await?;
        }
        Ok(mine)
    }
}

/// The clients that trust authorities of their own, by the names of the providers.
fn build_outbounds(settings: &Settings) -> Result<HashMap<String, Outbound>, StoreError> {
    let with_file = |provider: &Provider| {
        let outbound = Outbound::with_authorities(provider.ca_file.as_deref()?);
        let name = provider.name.clone();
        Some(outbound.map(|outbound| (name, outbound)).map_err(StoreError::Unusable))
    };
    settings.providers.iter().filter_map(with_file).collect()
}

/// The key that seals: the setting, or one that was made at the first start and stored, wrapped by
/// the master key of the vault.
pub async fn ensure_seal(
    store: &Store,
    settings: &Settings,
    vault: &Vault,
    now: Instant,
) -> Result<SecretBox, StoreError> {
    let suite = settings.vault_cipher;
    if let Some(given) = settings.key.as_ref().and_then(Secret::bytes)
        && let Some(secret) = cipher::Secret::from_slice(&given)
    {
        return Ok(SecretBox::new(secret, suite));
    }
    let secret = vault.wrap_own_key(&cipher::Secret::generate()?)?;
    // It has a fixed identity: of two servers that start together one makes it and both use it.
    let id = Uuid::from_u128(1);
    let fresh = StoredKey {
        id,
        secret,
        created_at: now,
        activated_at: now,
        retired_at: None,
        public: None,
    };
    let keys = match store.run(key::ensure_key(Purpose::Seal, fresh)).await {
        Err(StoreError::Exists(_)) => store.read(|db| key::load_all(db, Purpose::Seal)).await?,
        made => made?,
    };
    let kept = keys.first().map(|key| key.secret.as_slice()).unwrap_or_default();
    Ok(SecretBox::new(vault.unwrap_own_key(kept)?, suite))
}

/// The signing keys of this database; the first is made at the first start.
async fn ensure_keys(
    store: &Store,
    seal: &SecretBox,
    settings: &Settings,
    now: Instant,
) -> Result<Keys, StoreError> {
    let fresh = signing_keys::new_key(seal, now, now)?;
    store.run(key::ensure_key(Purpose::Sign, fresh)).await?;
    let keys = Keys::new(SigningKeys::default(), settings.public_url.as_deref().unwrap_or(ISSUER));
    keys.signing_keys().refresh(store, seal).await?;
    signing_keys::store_public_keys(store, seal).await?;
    Ok(keys)
}
