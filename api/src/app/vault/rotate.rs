//! Rotating the master key: every subject's key is wrapped anew, a page at a time, while the
//! service runs. The values themselves stay as they are, unless the cipher changed.

use super::{LookUp, Result, Vault, cipher, keyring};
use domain::{
    Instant,
    core::id::TenantId,
    people::{
        audit::{Act, Note, Verdict},
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

/// How many keys each master key wraps in a tenant.
pub type Masters = Vec<(String, i64)>;

impl Vault {
    /// Puts a new master key in front, where the keys come from a file.
    pub fn prepend(&self) -> Result<()> {
        let path = self.source.path().ok_or_else(|| {
            StoreError::Unusable(
                "the keys do not come from a file: put the new one in front where they come \
                 from, restart the servers, then run `gridwhistle vault rewrap`"
                    .to_owned(),
            )
        })?;
        let ring = keyring::prepend(path)?;
        *self.ring.write().unwrap_or_else(std::sync::PoisonError::into_inner) =
            std::sync::Arc::new(ring);
        Ok(())
    }

    /// The name of the master key for what is new.
    pub fn current(&self) -> String {
        self.ring().current.id().to_string()
    }

    /// The names of all master keys, the current one first.
    pub fn given(&self) -> Vec<String> {
        let ring = self.ring();
        std::iter::once(&ring.current).chain(&ring.older).map(|key| key.id().to_string()).collect()
    }

    /// Brings every key of a tenant under the current master key, and every value under the
    /// cipher that is set. Interrupted, it goes on where it is run again; the tenant's own key
    /// comes last, so that it tells that all the others are done.
    pub async fn rewrap(&self, store: &Store, tenant: TenantId, at: Instant) -> Result<Rewrapped> {
        const PAGE: i64 = 200;
        let renewed = self.renew_look_up(store, tenant, at).await?;
        let (new, all) = if let Some((secret, _)) = &renewed {
            (LookUp { secret: secret.clone(), suite: self.suite }, true)
        } else {
            let old = self.look_up(store, tenant, at).await?;
            // Values are found by the tenant's own cipher: when that changes, all are sealed anew.
            (LookUp { secret: old.secret.clone(), suite: self.suite }, old.suite != self.suite)
        };
        let (mut done, mut after) = (Rewrapped::default(), None);
        loop {
            let from = after;
            let keys = store.read(move |db| vault::keys_after(db, tenant, from, PAGE)).await?;
            let Some((last, _)) = keys.last() else { break };
            after = Some(*last);
            for key in keys.into_iter().filter(|(_, key)| key.wrapped.is_some()) {
                let one = self.rewrap_one(store, tenant, key, (&new, all), at).await?;
                done.keys += one.keys;
                done.values += one.values;
            }
        }
        self.rewrap_own(store).await?;
        if let Some((_, key)) = renewed {
            store.run(move |db| vault::replace_look_up(db, tenant, &key)).await?;
            done.keys += 1;
        }
        let own = store.read(move |db| vault::key_of(db, tenant, KeyOwner::LookUp)).await?;
        if let Some(own) = own
            && let Some(own) = self.under_current(tenant, &own)?
        {
            store.run(move |db| vault::rewrap(db, tenant, &own)).await?;
            done.keys += 1;
        }
        self.look_ups.write().unwrap_or_else(std::sync::PoisonError::into_inner).remove(&tenant);
        if done != Rewrapped::default() {
            let note = note(self, done, at);
            store.run(move |db| audit::append(db, tenant, note)).await?;
        }
        Ok(done)
    }

    /// A key in the place of the one that people are looked up with, where that was destroyed.
    async fn renew_look_up(
        &self,
        store: &Store,
        tenant: TenantId,
        at: Instant,
    ) -> Result<Option<(cipher::Secret, DataKey)>> {
        let kept = store.read(move |db| vault::key_of(db, tenant, KeyOwner::LookUp)).await?;
        if kept.is_none_or(|key| key.wrapped.is_some() && key.destroyed_at.is_none()) {
            return Ok(None);
        }
        self.new_key(tenant, KeyOwner::LookUp, at).map(Some)
    }

    /// Brings the installation's own key under the current master key; whether it was not.
    pub async fn rewrap_own(&self, store: &Store) -> Result<bool> {
        let kept = store.read(|db| key::all(db, Purpose::Seal)).await?;
        let now = Some((self.suite, self.ring().current.id()));
        let mut moved = false;
        for one in kept.into_iter().filter(|one| cipher::named(&one.secret) != now) {
            let wrapped = self.wrap_own(&self.unwrap_own(&one.secret)?)?;
            store.run(move |db| key::put(db, one.id, &wrapped)).await?;
            moved = true;
        }
        Ok(moved)
    }

    /// A key wrapped anew; none when it is as it should be.
    fn under_current(&self, tenant: TenantId, key: &DataKey) -> Result<Option<DataKey>> {
        let named = key.wrapped.as_deref().and_then(cipher::named);
        if named == Some((self.suite, self.ring().current.id())) {
            return Ok(None);
        }
        let secret = self.unwrap(tenant, key)?;
        let (key_id, wrapped) = self.wrap(tenant, key.owner, &secret)?;
        Ok(Some(DataKey { key_id, wrapped, ..key.clone() }))
    }

    async fn rewrap_one(
        &self,
        store: &Store,
        tenant: TenantId,
        (subject, key): (DataSubject, DataKey),
        (look_up, all): (&LookUp, bool),
        at: Instant,
    ) -> Result<Rewrapped> {
        let of =
            move |db: &mut Db| vault::sealed(db, tenant, (subject.kind, &[subject.id]), Field::ALL);
        let found = store.read(of).await?;
        let fields = found.into_values().next().map(|(_, fields)| fields).unwrap_or_default();
        let stale: Vec<SealedField> = fields
            .into_iter()
            .filter(|one| {
                all || cipher::named(&one.sealed).is_none_or(|(suite, _)| suite != self.suite)
            })
            .collect();
        let fresh = self.anew(tenant, (subject, &key), &stale, look_up)?;
        let moved = self.under_current(tenant, &key)?;
        let done = Rewrapped {
            keys: u64::from(moved.is_some()),
            values: u64::try_from(fresh.len()).unwrap_or(u64::MAX),
        };
        if done == Rewrapped::default() {
            return Ok(done);
        }
        store
            .run(move |db| {
                // A row that another writer erased or changed meanwhile stays as it is.
                let now = of(db)?;
                let now = now.get(&subject.id).map(|(_, fields)| fields.as_slice());
                let same = |one: &SealedField| {
                    now.is_some_and(|now| {
                        stale.iter().any(|old| old.field == one.field && now.contains(old))
                    })
                };
                let fresh: Vec<SealedField> = fresh.into_iter().filter(|one| same(one)).collect();
                vault::put(db, tenant, &fresh, at)?;
                moved.map_or(Ok(()), |key| vault::rewrap(db, tenant, &key))
            })
            .await?;
        Ok(done)
    }

    /// Values sealed anew by the cipher that is set.
    fn anew(
        &self,
        tenant: TenantId,
        (subject, key): (DataSubject, &DataKey),
        stale: &[SealedField],
        look_up: &LookUp,
    ) -> Result<Vec<SealedField>> {
        if stale.is_empty() {
            return Ok(Vec::new());
        }
        let values = self.reveal(tenant, key, stale)?;
        let secret = self.unwrap(tenant, key)?;
        let values: Vec<(Field, &str)> =
            values.iter().map(|(field, value)| (*field, value.as_str())).collect();
        self.sealed(tenant, subject, &secret, &values, look_up)
    }
}

fn note(vault: &Vault, done: Rewrapped, at: Instant) -> Note {
    Note {
        at,
        act: Act::Rotate,
        verdict: Verdict::Done,
        actor: None,
        actor_name: "系统".to_owned(),
        subject: None,
        address: String::new(),
        detail: serde_json::json!({
            "master_key": vault.current(), "cipher": vault.suite.name(),
            "keys": done.keys, "values": done.values,
        })
        .to_string(),
    }
}

/// Which master key wraps the installation's own key.
pub async fn own_master(store: &Store) -> Result<Option<String>> {
    let kept = store.read(|db| key::all(db, Purpose::Seal)).await?;
    let named = kept.first().and_then(|key| cipher::named(&key.secret));
    Ok(named.map(|(_, id)| id.to_string()))
}

/// How many keys each master key wraps.
pub async fn masters(store: &Store, tenant: TenantId) -> Result<Masters> {
    store.read(move |db| vault::masters(db, tenant)).await
}
