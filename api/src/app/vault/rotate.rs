//! Rotating the master key: every subject's key is wrapped anew, a page at a time, while the
//! service runs. The values themselves stay as they are, unless the cipher changed.

use super::{LookUp, Result, Vault, cipher, keyring};
use domain::{
    Instant,
    core::id::TenantId,
    people::{
        audit::{AuditAction, Note, Verdict},
        personal::{DataSubject, Field},
    },
};
use persistence::{
    Db, Store, StoreError,
    kernel::key::{self, Purpose},
    people::{
        audit,
        vault::{self, DataKey, KeyOwner, SealedField},
    },
};

/// What a rotation did in one tenant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rewrapped {
    /// Keys that are under the current master key now and were not before.
    pub keys: u64,
    /// Values that were sealed anew by another cipher.
    pub values: u64,
}

/// How many keys of a tenant each master key wraps.
pub type Masters = Vec<(String, i64)>;

impl Vault {
    /// Adds a new master key in front, where the keys come from a file.
    pub fn prepend_master_key(&self) -> Result<()> {
        let path = self.source.path().ok_or_else(|| {
            StoreError::Unusable(
                "the keys do not come from a file: put the new one in front where they come \
                 from, restart the servers, then run `gridwhistle vault rewrap`"
                    .to_owned(),
            )
        })?;
        let ring = keyring::prepend_key(path)?;
        *self.ring.write().unwrap_or_else(std::sync::PoisonError::into_inner) =
            std::sync::Arc::new(ring);
        Ok(())
    }

    /// The name of the current master key.
    pub fn current_key_id(&self) -> String {
        self.ring().current.id().to_string()
    }

    /// The names of all master keys, the current one first.
    pub fn master_key_ids(&self) -> Vec<String> {
        let ring = self.ring();
        std::iter::once(&ring.current).chain(&ring.older).map(|key| key.id().to_string()).collect()
    }

    /// Rewraps every key of a tenant by the current master key, and reseals every value by the
    /// cipher that is set. When interrupted, it continues with the next run; the tenant's own key
    /// comes last: once it is rewrapped, all the others are.
    pub async fn rewrap_tenant(
        &self,
        store: &Store,
        tenant: TenantId,
        at: Instant,
    ) -> Result<Rewrapped> {
        const PAGE: i64 = 200;
        let renewed = self.renew_look_up(store, tenant, at).await?;
        let (new, all) = if let Some((secret, _)) = &renewed {
            (LookUp { secret: secret.clone(), suite: self.suite }, true)
        } else {
            let old = self.ensure_look_up(store, tenant, at).await?;
            // Values are found by the tenant's own cipher: when that changes, all are sealed anew.
            (LookUp { secret: old.secret.clone(), suite: self.suite }, old.suite != self.suite)
        };
        let (mut done, mut after) = (Rewrapped::default(), None);
        loop {
            let from = after;
            let keys = store.read(move |db| vault::list_keys(db, tenant, from, PAGE)).await?;
            let Some((last, _)) = keys.last() else { break };
            after = Some(*last);
            for key in keys.into_iter().filter(|(_, key)| key.wrapped.is_some()) {
                let one = self.rewrap_subject(store, tenant, key, (&new, all), at).await?;
                done.keys += one.keys;
                done.values += one.values;
            }
        }
        self.rewrap_own_key(store).await?;
        if let Some((_, key)) = renewed {
            store.run(vault::renew_lookup_key(tenant, key)).await?;
            done.keys += 1;
        }
        let own = store.read(move |db| vault::load_key(db, tenant, KeyOwner::LookUp)).await?;
        if let Some(own) = own
            && let Some(own) = self.rewrap_key(tenant, &own)?
        {
            store.run(vault::save_wrapped_key(tenant, own)).await?;
            done.keys += 1;
        }
        self.look_ups.write().unwrap_or_else(std::sync::PoisonError::into_inner).remove(&tenant);
        if done != Rewrapped::default() {
            let note = new_rotation_note(self, done, at);
            store.run(audit::append_note(tenant, note)).await?;
        }
        Ok(done)
    }

    /// A new look-up key in place of one that was destroyed.
    async fn renew_look_up(
        &self,
        store: &Store,
        tenant: TenantId,
        at: Instant,
    ) -> Result<Option<(cipher::Secret, DataKey)>> {
        let kept = store.read(move |db| vault::load_key(db, tenant, KeyOwner::LookUp)).await?;
        if kept.is_none_or(|key| key.wrapped.is_some() && key.destroyed_at.is_none()) {
            return Ok(None);
        }
        self.new_key(tenant, KeyOwner::LookUp, at).map(Some)
    }

    /// Rewraps the installation's own key by the current master key; answers whether that was
    /// needed.
    pub async fn rewrap_own_key(&self, store: &Store) -> Result<bool> {
        let kept = store.read(|db| key::load_all(db, Purpose::Seal)).await?;
        let now = Some((self.suite, self.ring().current.id()));
        let mut moved = false;
        for one in kept.into_iter().filter(|one| cipher::parse_header(&one.secret) != now) {
            let wrapped = self.wrap_own_key(&self.unwrap_own_key(&one.secret)?)?;
            store.run(key::rewrap_secret(one.id, wrapped)).await?;
            moved = true;
        }
        Ok(moved)
    }

    /// A key wrapped anew; none when it needs no change.
    fn rewrap_key(&self, tenant: TenantId, key: &DataKey) -> Result<Option<DataKey>> {
        let named = key.wrapped.as_deref().and_then(cipher::parse_header);
        if named == Some((self.suite, self.ring().current.id())) {
            return Ok(None);
        }
        let secret = self.unwrap_key(tenant, key)?;
        let (key_id, wrapped) = self.wrap_key(tenant, key.owner, &secret)?;
        Ok(Some(DataKey { key_id, wrapped, ..key.clone() }))
    }

    async fn rewrap_subject(
        &self,
        store: &Store,
        tenant: TenantId,
        (subject, key): (DataSubject, DataKey),
        (look_up, all): (&LookUp, bool),
        at: Instant,
    ) -> Result<Rewrapped> {
        let of = move |db: &mut Db| {
            vault::load_sealed(db, tenant, (subject.kind, &[subject.id]), Field::ALL)
        };
        let found = store.read(of).await?;
        let fields = found.into_values().next().map(|(_, fields)| fields).unwrap_or_default();
        let stale: Vec<SealedField> = fields
            .into_iter()
            .filter(|one| {
                all || cipher::parse_header(&one.sealed)
                    .is_none_or(|(suite, _)| suite != self.suite)
            })
            .collect();
        let fresh = self.reseal_fields(tenant, (subject, &key), &stale, look_up)?;
        let moved = self.rewrap_key(tenant, &key)?;
        let done = Rewrapped {
            keys: u64::from(moved.is_some()),
            values: u64::try_from(fresh.len()).unwrap_or(u64::MAX),
        };
        if done == Rewrapped::default() {
            return Ok(done);
        }
        let values = (stale, fresh);
        store.run(vault::replace_sealed_values(tenant, subject, values, moved, at)).await?;
        Ok(done)
    }

    /// Values sealed anew by the cipher that is set.
    fn reseal_fields(
        &self,
        tenant: TenantId,
        (subject, key): (DataSubject, &DataKey),
        stale: &[SealedField],
        look_up: &LookUp,
    ) -> Result<Vec<SealedField>> {
        if stale.is_empty() {
            return Ok(Vec::new());
        }
        let values = self.open_values(tenant, key, stale)?;
        let secret = self.unwrap_key(tenant, key)?;
        let values: Vec<(Field, &str)> =
            values.iter().map(|(field, value)| (*field, value.as_str())).collect();
        self.seal_fields(tenant, subject, &secret, &values, look_up)
    }
}

fn new_rotation_note(vault: &Vault, done: Rewrapped, at: Instant) -> Note {
    Note {
        at,
        act: AuditAction::Rotate,
        verdict: Verdict::Done,
        actor: None,
        actor_name: "系统".to_owned(),
        subject: None,
        address: String::new(),
        detail: serde_json::json!({
            "master_key": vault.current_key_id(), "cipher": vault.suite.name(),
            "keys": done.keys, "values": done.values,
        })
        .to_string(),
    }
}

/// The master key that wraps the installation's own key.
pub async fn load_own_master(store: &Store) -> Result<Option<String>> {
    let kept = store.read(|db| key::load_all(db, Purpose::Seal)).await?;
    let named = kept.first().and_then(|key| cipher::parse_header(&key.secret));
    Ok(named.map(|(_, id)| id.to_string()))
}

/// How many keys each master key wraps.
pub async fn count_wrapped_keys(store: &Store, tenant: TenantId) -> Result<Masters> {
    store.read(move |db| vault::count_by_master(db, tenant)).await
}
