//! The keys that sign access tokens: made, taken into use, retired. All replicas of a database
//! share them and see a new one within seconds; a token names its key by `kid`.

use std::sync::{Arc, PoisonError, RwLock};

use chrono::Duration;
use domain::{
    Instant,
    people::audit::{AuditAction, Note, Verdict},
};
use jsonwebtoken::{DecodingKey, EncodingKey};
use persistence::{
    Store, StoreError,
    kernel::key::{self, Purpose, StoredKey},
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    app::{
        clock::new_id,
        random::{derive_key_pair, random_bytes},
        secret_box::SecretBox,
    },
    http::problem::Problem,
};

/// How long a new key is published before it signs: longer than a copy of the list is cached.
pub const LEAD: Duration = Duration::minutes(2);

/// How long a key that signs no more is accepted: no access token is valid for longer.
pub const TRAIL: Duration = Duration::hours(24);

/// A key that signs.
pub struct SigningKey {
    /// The key's identity in the database.
    pub id: Uuid,
    /// The identity as tokens write it.
    pub kid: String,
    pub(crate) sign: EncodingKey,
    pub(crate) check: DecodingKey,
    pub(crate) public: [u8; 32],
    from: Instant,
    pub(crate) until: Option<Instant>,
}

impl SigningKey {
    /// A key from its 32 secret bytes.
    pub fn new(id: Uuid, seed: &[u8; 32], from: Instant, until: Option<Instant>) -> Self {
        let (sign, check, public) = derive_key_pair(seed);
        Self { id, kid: id.to_string(), sign, check, public, from, until }
    }
}

/// The keys in use, the newest first.
#[derive(Default)]
pub struct SigningKeys(RwLock<Arc<Vec<Arc<SigningKey>>>>);

impl SigningKeys {
    /// A set of these keys.
    pub fn new(keys: Vec<SigningKey>) -> Self {
        let ring = Self::default();
        ring.replace_keys(keys);
        ring
    }

    fn replace_keys(&self, keys: Vec<SigningKey>) {
        let mut keys: Vec<_> = keys.into_iter().map(Arc::new).collect();
        keys.sort_by_key(|key| std::cmp::Reverse((key.from, key.id)));
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }

    pub(crate) fn keys(&self) -> Arc<Vec<Arc<SigningKey>>> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The key that signs at this second: the newest that is in use by then.
    pub fn signing_key_at(&self, second: i64) -> Option<Arc<SigningKey>> {
        let keys = self.keys();
        let begun = keys.iter().find(|key| key.from.timestamp() <= second);
        begun.or_else(|| keys.last()).map(Arc::clone)
    }

    /// The key with the `kid` that a token names.
    pub fn find_by_kid(&self, kid: &str) -> Option<Arc<SigningKey>> {
        self.keys().iter().find(|key| key.kid == kid).map(Arc::clone)
    }

    /// Whether what this key signed is accepted now.
    pub fn accepts_key(&self, id: Uuid, now: Instant) -> bool {
        let accepted = |key: &Arc<SigningKey>| key.until.is_none_or(|until| now < until);
        self.keys().iter().any(|key| key.id == id && accepted(key))
    }

    /// Loads the stored keys: at the start, and whenever another replica may have rotated.
    pub async fn refresh(&self, store: &Store, seal: &SecretBox) -> Result<(), StoreError> {
        let stored = store.read(|db| key::load_all(db, Purpose::Sign)).await?;
        let known = self.keys();
        let same = |key: &StoredKey| {
            known.iter().any(|old| old.id == key.id && old.until == key.retired_at)
        };
        let live: Vec<_> = stored.into_iter().filter(|key| !key.secret.is_empty()).collect();
        if live.len() == known.len() && live.iter().all(same) {
            return Ok(());
        }
        let open = |key: StoredKey| {
            let seed = seal.open(SEALED_FOR, &key.secret).and_then(|seed| seed.try_into().ok());
            let seed: [u8; 32] = seed.ok_or_else(|| {
                let why = "a signing key cannot be opened: GRIDWHISTLE_KEY is not what it was";
                StoreError::Unusable(why.to_owned())
            })?;
            Ok(SigningKey::new(key.id, &seed, key.activated_at, key.retired_at))
        };
        let keys = live.into_iter().map(open).collect::<Result<_, StoreError>>()?;
        self.replace_keys(keys);
        Ok(())
    }
}

const SEALED_FOR: &str = "signing key";

fn signing_key_error(problem: &Problem) -> StoreError {
    StoreError::Unusable(format!("the signing key: {problem}"))
}

/// A new key, sealed, that signs from `from` on.
pub fn new_key(seal: &SecretBox, now: Instant, from: Instant) -> Result<StoredKey, StoreError> {
    let seed = random_bytes::<32>().map_err(|error| signing_key_error(&Problem::from(error)))?;
    let secret = seal.seal(SEALED_FOR, &seed).map_err(|problem| signing_key_error(&problem))?;
    let id = new_id();
    let public = Some(seal_public_key(seal, id, derive_key_pair(&seed).2)?);
    Ok(StoredKey { id, secret, created_at: now, activated_at: from, retired_at: None, public })
}

/// The purpose a public half is sealed for, which names its key.
fn public_key_purpose(id: Uuid) -> String {
    format!("public half of {id}")
}

fn seal_public_key(seal: &SecretBox, id: Uuid, public: [u8; 32]) -> Result<Vec<u8>, StoreError> {
    seal.seal(&public_key_purpose(id), &public).map_err(|problem| signing_key_error(&problem))
}

/// Stores the public halves of keys from before public halves were stored: a signature of such a
/// key that is valid for years, as that of a checkpoint, is verified with it when the secret is
/// long wiped.
pub async fn store_public_keys(store: &Store, seal: &SecretBox) -> Result<(), StoreError> {
    let keys = store.read(|db| key::load_all(db, Purpose::Sign)).await?;
    for key in keys.into_iter().filter(|key| key.public.is_none() && !key.secret.is_empty()) {
        let seed = seal.open(SEALED_FOR, &key.secret).and_then(|seed| seed.try_into().ok());
        let Some(seed): Option<[u8; 32]> = seed else { continue };
        let public = seal_public_key(seal, key.id, derive_key_pair(&seed).2)?;
        store.run(key::save_public_key(key.id, public)).await?;
    }
    Ok(())
}

/// The public half of a key that signs or signed here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PublicKey {
    /// The identity of the signing key, which tokens name as `kid`.
    pub id: Uuid,
    /// Its 32 bytes.
    pub bytes: [u8; 32],
    /// From when on nothing it signed is accepted.
    pub until: Option<Instant>,
}

/// The public halves of all keys that ever signed here, as far as they are stored.
pub async fn load_public_keys(
    store: &Store,
    seal: &SecretBox,
) -> Result<Vec<PublicKey>, StoreError> {
    let keys = store.read(|db| key::load_all(db, Purpose::Sign)).await?;
    let public = |key: StoredKey| {
        let bytes = seal.open(&public_key_purpose(key.id), &key.public?)?.try_into().ok()?;
        Some(PublicKey { id: key.id, bytes, until: key.retired_at })
    };
    Ok(keys.into_iter().filter_map(public).collect())
}

/// Makes a new key and retires the old ones: when their last token has expired, or at once.
pub async fn rotate_keys(
    store: &Store,
    seal: &SecretBox,
    now: Instant,
    at_once: bool,
) -> Result<StoredKey, StoreError> {
    let from = if at_once { now } else { now + LEAD };
    let until = if at_once { now } else { from + TRAIL };
    let fresh = new_key(seal, now, from)?;
    let added = fresh.clone();
    let note = Note {
        at: now,
        act: AuditAction::Rotate,
        verdict: Verdict::Done,
        actor: None,
        actor_name: "系统".to_owned(),
        subject: None,
        address: String::new(),
        detail: json!({ "signing_key": fresh.id, "at_once": at_once }).to_string(),
    };
    store.run(key::rotate_keys(added, until, now).with_note_everywhere(note)).await?;
    Ok(fresh)
}
