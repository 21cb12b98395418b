//! The vault: people's data, sealed before it reaches the database.
//!
//! Each subject has a key of its own, kept in the database wrapped by a master key that is not.
//! Erasing a person destroys that key: what it sealed, in tables and in every copy of them, can
//! never be read again, and no chain of hashes is touched. Values that people are looked up by also
//! have a keyed digest beside them (a blind index), by a key of the tenant.

pub mod cipher;
pub mod keyring;
pub mod rotate;
pub mod walks;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, Instant as Ticks},
};

use domain::{
    Instant,
    core::id::TenantId,
    people::personal::{Contact, DataSubject, Field, SubjectKind},
};
use persistence::{
    Db, Store, StoreError,
    kernel::{
        key::{self, Purpose},
        tenant::Tenant,
    },
    people::vault::{self, DataKey, KeyOwner, NewSubject, SealedField},
};
use uuid::Uuid;
use zeroize::Zeroizing;

pub use self::cipher::Suite;
use self::{
    cipher::{KeyId, Secret},
    keyring::{Keyring, Source},
};
use crate::app::config::Settings;

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Values of a subject by field.
pub type Values = BTreeMap<Field, String>;

/// The key and the cipher of the look-up digests of one tenant.
#[derive(Debug)]
pub struct LookUp {
    secret: Secret,
    suite: Suite,
}

impl LookUp {
    /// The digest a value is found by.
    pub fn digest_value(&self, field: Field, value: &str) -> Vec<u8> {
        self.suite.digest(&self.secret, &[field.name().as_bytes(), value.as_bytes()]).to_vec()
    }

    /// A digest of a whole contact, for distinguishing a replayed request from another: the journal
    /// must not keep anything from which the values could be guessed.
    pub fn fingerprint_contact(&self, contact: &Contact) -> Vec<u8> {
        let values = contact.values();
        let parts = values.iter().flat_map(|(field, value)| [field.name(), value]);
        self.fingerprint_texts(&parts.collect::<Vec<_>>())
    }

    /// The same for any texts, in their order.
    pub fn fingerprint_texts(&self, parts: &[&str]) -> Vec<u8> {
        let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
        let key = Secret(self.suite.digest(&self.secret, &[b"fingerprint"]));
        self.suite.digest(&key, &parts).to_vec()
    }
}

/// The vault of this server.
pub struct Vault {
    source: Source,
    suite: Suite,
    ring: RwLock<Arc<Keyring>>,
    looked: Mutex<Ticks>,
    look_ups: RwLock<HashMap<TenantId, Arc<LookUp>>>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Vault({:?}, current {})", self.suite, self.ring().current.id())
    }
}

/// The place of the installation's own key.
const OWN: &[u8] = b"sealing key";

/// The place of a subject's key.
fn place_of_key(tenant: TenantId, subject: Uuid) -> Vec<u8> {
    [tenant.0.as_bytes(), subject.as_bytes(), b"key".as_slice()].concat()
}

/// The place of a value.
fn place_of_value(tenant: TenantId, subject: Uuid, field: Field) -> Vec<u8> {
    [tenant.0.as_bytes(), subject.as_bytes(), field.name().as_bytes()].concat()
}

impl Vault {
    /// How long a source that lacked a key is not asked again.
    const PATIENCE: Duration = Duration::from_secs(5);

    /// Reads the master keys and checks that they open what the database holds.
    pub async fn open(settings: &Settings, store: &Store) -> Result<Self> {
        let tenants = store.read(persistence::kernel::tenant::load_all).await?;
        let keys = store
            .read(move |db| {
                let key = |tenant: Tenant| {
                    let key = vault::load_key(db, tenant.id, KeyOwner::LookUp)?;
                    Ok((tenant, key))
                };
                tenants.into_iter().map(key).collect::<Result<Vec<_>>>()
            })
            .await?;
        let source = Source::from_settings(settings)?;
        let own = store.read(|db| key::load_all(db, Purpose::Seal)).await?;
        let fresh = own.is_empty() && keys.iter().all(|(_, key)| key.is_none());
        let ring = source.read(fresh)?;
        let vault = Self {
            source,
            suite: settings.vault_cipher,
            ring: RwLock::new(Arc::new(ring)),
            looked: Mutex::new(Ticks::now()),
            look_ups: RwLock::default(),
        };
        vault.check_keys(keys)?;
        Ok(vault)
    }

    /// Reports what is wrong with the keys of tenants. A tenant whose key is damaged is named, and
    /// the others are served; where no key can be opened because its master key is not given, the
    /// server does not start.
    fn check_keys(&self, keys: Vec<(Tenant, Option<DataKey>)>) -> Result<()> {
        let (mut opened, mut missing) = (false, None);
        for (tenant, key) in keys {
            let Some(key) = key else { continue };
            let named = key.wrapped.as_deref().and_then(cipher::parse_header);
            if self.unwrap_key(tenant.id, &key).is_ok() {
                opened = true;
                continue;
            }
            let why = match named {
                None => {
                    "it was destroyed: `gridwhistle vault rewrap` makes a new one and what people \
                         are found by anew"
                        .to_owned()
                }
                Some((_, master)) if self.find_master_key(master).is_ok() => {
                    format!(
                        "it was altered: the master key {master}, which wraps it, does not open it"
                    )
                }
                Some((_, master)) => {
                    missing = Some(master);
                    format!("it is wrapped by the master key {master}, which is not given")
                }
            };
            let code = &tenant.code;
            tracing::error!(
                tenant = code,
                why,
                "the key that people are looked up with cannot be used"
            );
        }
        match missing.filter(|_| !opened) {
            Some(master) => Err(StoreError::Unusable(format!(
                "personal data was encrypted under the master key {master}, which is not among \
                 the given keys; add it again, with the current key first"
            ))),
            None => Ok(()),
        }
    }

    fn ring(&self) -> Arc<Keyring> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The master key with this name; reads the source again when it is new, for the keys may have
    /// been rotated while this server ran.
    fn find_master_key(&self, id: KeyId) -> Result<Secret> {
        if let Some(key) = self.ring().get(id) {
            return Ok(key.clone());
        }
        let missing = || StoreError::Inconsistent(format!("the master key {id} is not given"));
        if !self.source.may_change() {
            return Err(missing());
        }
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if self.ring().get(id).is_none() && looked.elapsed() >= Self::PATIENCE {
            *looked = Ticks::now();
            let ring = self.source.read(false)?;
            *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
        }
        self.ring().get(id).cloned().ok_or_else(missing)
    }

    /// Wraps a subject's key for storing it.
    fn wrap_key(
        &self,
        tenant: TenantId,
        owner: KeyOwner,
        secret: &Secret,
    ) -> Result<(String, Option<Vec<u8>>)> {
        let ring = self.ring();
        let place = place_of_key(tenant, owner.id());
        let wrapped = cipher::seal(self.suite, &ring.current, &place, &secret.0[..])?;
        Ok((ring.current.id().to_string(), Some(wrapped)))
    }

    /// Wraps the key of this installation that seals secrets of logins.
    pub fn wrap_own_key(&self, secret: &Secret) -> Result<Vec<u8>> {
        cipher::seal(self.suite, &self.ring().current, OWN, &secret.0[..])
    }

    /// Unwraps the key of this installation.
    pub fn unwrap_own_key(&self, wrapped: &[u8]) -> Result<Secret> {
        let wrong = |why: &str| StoreError::Unusable(format!("the sealing key: {why}"));
        let (_, id) =
            cipher::parse_header(wrapped).ok_or_else(|| wrong("it is not a wrapped key"))?;
        let master = self.find_master_key(id).map_err(|_missing| {
            wrong(&format!("it is wrapped by the master key {id}, which is not given"))
        })?;
        let secret = cipher::open(&master, OWN, wrapped)?;
        Secret::from_slice(&secret).ok_or_else(|| wrong("it has not 32 bytes"))
    }

    /// A new key of an owner.
    fn new_key(&self, tenant: TenantId, owner: KeyOwner, at: Instant) -> Result<(Secret, DataKey)> {
        let secret = Secret::generate()?;
        let (key_id, wrapped) = self.wrap_key(tenant, owner, &secret)?;
        let key = DataKey { owner, key_id, wrapped, created_at: at, destroyed_at: None };
        Ok((secret, key))
    }

    /// Unwraps the key of a subject.
    fn unwrap_key(&self, tenant: TenantId, key: &DataKey) -> Result<Secret> {
        let id = key.owner.id();
        let wrong = |why: &str| StoreError::Inconsistent(format!("key {id}: {why}"));
        let wrapped = key.wrapped.as_deref().ok_or_else(|| wrong("it was destroyed"))?;
        let (_, master) =
            cipher::parse_header(wrapped).ok_or_else(|| wrong("it is not a wrapped key"))?;
        let secret =
            cipher::open(&self.find_master_key(master)?, &place_of_key(tenant, id), wrapped)?;
        Secret::from_slice(&secret).ok_or_else(|| wrong("it has not 32 bytes"))
    }

    /// The look-up key of a tenant; made at the first use.
    pub async fn ensure_look_up(
        &self,
        store: &Store,
        tenant: TenantId,
        at: Instant,
    ) -> Result<Arc<LookUp>> {
        let known = || {
            let known = self.look_ups.read().unwrap_or_else(PoisonError::into_inner);
            known.get(&tenant).cloned()
        };
        if let Some(known) = known() {
            return Ok(known);
        }
        let kept = store.read(move |db| vault::load_key(db, tenant, KeyOwner::LookUp)).await?;
        let kept = if let Some(kept) = kept {
            kept
        } else {
            let (_, new) = self.new_key(tenant, KeyOwner::LookUp, at)?;
            store.run(vault::claim_data_key(tenant, new)).await?
        };
        // The digests use the cipher that the wrapping names, so that a change of the cipher keeps
        // stored values findable.
        let wrapped = kept.wrapped.as_deref().and_then(cipher::parse_header);
        let suite = wrapped.map_or(self.suite, |(suite, _)| suite);
        let look_up = Arc::new(LookUp { secret: self.unwrap_key(tenant, &kept)?, suite });
        let mut all = self.look_ups.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(tenant, Arc::clone(&look_up));
        Ok(look_up)
    }

    fn seal_fields(
        &self,
        tenant: TenantId,
        subject: DataSubject,
        secret: &Secret,
        values: &[(Field, &str)],
        look_up: &LookUp,
    ) -> Result<Vec<SealedField>> {
        let seal = |(field, value): &(Field, &str)| {
            let (field, value) = (*field, *value);
            let place = place_of_value(tenant, subject.id, field);
            let sealed = cipher::seal(self.suite, secret, &place, value.as_bytes())?;
            let blind = field.is_searchable().then(|| look_up.digest_value(field, value));
            Ok(SealedField { subject, field, sealed, blind })
        };
        values.iter().map(seal).collect()
    }

    /// The data of a subject that is new.
    pub fn new_subject(
        &self,
        tenant: TenantId,
        subject: DataSubject,
        contact: &Contact,
        look_up: &LookUp,
        at: Instant,
    ) -> Result<NewSubject> {
        self.new_subject_with(tenant, subject, &contact.values(), look_up, at)
    }

    /// The same for any fields.
    pub fn new_subject_with(
        &self,
        tenant: TenantId,
        subject: DataSubject,
        values: &[(Field, &str)],
        look_up: &LookUp,
        at: Instant,
    ) -> Result<NewSubject> {
        let (secret, key) = self.new_key(tenant, KeyOwner::Subject(subject), at)?;
        Ok(NewSubject { fields: self.seal_fields(tenant, subject, &secret, values, look_up)?, key })
    }

    /// A key for a subject that may have none yet.
    pub fn new_spare_key(
        &self,
        tenant: TenantId,
        subject: DataSubject,
        at: Instant,
    ) -> Result<DataKey> {
        self.new_key(tenant, KeyOwner::Subject(subject), at).map(|(_, key)| key)
    }

    /// Seals a contact of a subject whose key is stored already.
    pub fn seal_contact(
        &self,
        tenant: TenantId,
        of: (DataSubject, &DataKey),
        contact: &Contact,
        look_up: &LookUp,
    ) -> Result<Vec<SealedField>> {
        self.seal_values(tenant, of, &contact.values(), look_up)
    }

    /// The same for any fields.
    pub fn seal_values(
        &self,
        tenant: TenantId,
        (subject, key): (DataSubject, &DataKey),
        values: &[(Field, &str)],
        look_up: &LookUp,
    ) -> Result<Vec<SealedField>> {
        let secret = self.unwrap_key(tenant, key)?;
        self.seal_fields(tenant, subject, &secret, values, look_up)
    }

    /// Opens the values of a subject.
    pub fn open_values(
        &self,
        tenant: TenantId,
        key: &DataKey,
        fields: &[SealedField],
    ) -> Result<Values> {
        let secret = self.unwrap_key(tenant, key)?;
        let open = |one: &SealedField| {
            let place = place_of_value(tenant, one.subject.id, one.field);
            let text = cipher::open(&secret, &place, &one.sealed)?;
            let text = Zeroizing::new(String::from_utf8_lossy(&text).into_owned());
            Ok((one.field, text.to_string()))
        };
        fields.iter().map(open).collect()
    }

    /// Reads and opens values of some subjects of a kind; those without any, and those that were
    /// erased, are left out.
    pub async fn load_values(
        &self,
        store: &Store,
        tenant: TenantId,
        (kind, subjects): (SubjectKind, Vec<Uuid>),
        fields: &'static [Field],
    ) -> Result<HashMap<Uuid, Values>> {
        if subjects.is_empty() {
            return Ok(HashMap::new());
        }
        let look = move |db: &mut Db| vault::load_sealed(db, tenant, (kind, &subjects), fields);
        let sealed = store.read(look).await?;
        let open = |(subject, (key, fields)): (Uuid, (DataKey, Vec<SealedField>))| {
            Ok((subject, self.open_values(tenant, &key, &fields)?))
        };
        sealed.into_iter().map(open).collect()
    }
}
