//! The keys of an installation: those that sign access tokens, and the one that seals secrets where
//! the configuration has none. All replicas of one database share them.

use diesel::prelude::*;
use domain::Instant;
use uuid::Uuid;

use crate::kernel::{
    connection::Db,
    error::StoreError,
    schema::signing_keys,
    types::{At, Id},
    write_job::WriteJob,
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// The purpose of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// Signs access tokens.
    Sign,
    /// Seals secrets that are stored.
    Seal,
}

impl Purpose {
    const fn name(self) -> &'static str {
        match self {
            Self::Sign => "sign",
            Self::Seal => "seal",
        }
    }
}

/// A key as stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredKey {
    /// Its identity; for a signing key the `kid`.
    pub id: Uuid,
    /// The secret; empty once it was retired and wiped.
    pub secret: Vec<u8>,
    /// When it was created.
    pub created_at: Instant,
    /// From when it is used.
    pub activated_at: Instant,
    /// From when nothing it signed is accepted.
    pub retired_at: Option<Instant>,
    /// The public half of a signing key, sealed so that another cannot be put in its place; it
    /// stays when the secret is wiped.
    pub public: Option<Vec<u8>>,
}

/// The keys for a purpose, newest first.
pub fn load_all(db: &mut Db, purpose: Purpose) -> Result<Vec<StoredKey>> {
    type Row = (Id, Vec<u8>, At, At, Option<At>, Option<Vec<u8>>);
    let rows: Vec<Row> = signing_keys::table
        .filter(signing_keys::purpose.eq(purpose.name()))
        .order((signing_keys::activated_at.desc(), signing_keys::id.desc()))
        .select((
            signing_keys::id,
            signing_keys::secret,
            signing_keys::created_at,
            signing_keys::activated_at,
            signing_keys::retired_at,
            signing_keys::public,
        ))
        .load(db)?;
    let key = |(id, secret, created, activated, retired, public): Row| StoredKey {
        id: id.0,
        secret,
        created_at: created.0,
        activated_at: activated.0,
        retired_at: retired.map(|at| at.0),
        public,
    };
    Ok(rows.into_iter().map(key).collect())
}

/// Adds a key.
pub(crate) fn add(db: &mut Db, purpose: Purpose, key: &StoredKey) -> Result<()> {
    diesel::insert_into(signing_keys::table)
        .values((
            signing_keys::id.eq(Id(key.id)),
            signing_keys::purpose.eq(purpose.name()),
            signing_keys::secret.eq(key.secret.clone()),
            signing_keys::created_at.eq(At(key.created_at)),
            signing_keys::activated_at.eq(At(key.activated_at)),
            signing_keys::retired_at.eq(key.retired_at.map(At)),
            signing_keys::public.eq(key.public.clone()),
        ))
        .execute(db)?;
    Ok(())
}

/// The keys for a purpose; `fresh` becomes the first where there is none.
pub(crate) fn ensure(db: &mut Db, purpose: Purpose, fresh: &StoredKey) -> Result<Vec<StoredKey>> {
    if load_all(db, purpose)?.is_empty() {
        add(db, purpose, fresh)?;
    }
    load_all(db, purpose)
}

/// Replaces a stored secret, wrapped by another key.
pub(crate) fn replace_secret(db: &mut Db, id: Uuid, secret: &[u8]) -> Result<()> {
    diesel::update(signing_keys::table.find(Id(id)))
        .set(signing_keys::secret.eq(secret.to_vec()))
        .execute(db)?;
    Ok(())
}

/// Stores the public half of a key, unless one is stored.
pub(crate) fn put_public(db: &mut Db, id: Uuid, public: &[u8]) -> Result<()> {
    diesel::update(signing_keys::table.find(Id(id)))
        .filter(signing_keys::public.is_null())
        .set(signing_keys::public.eq(Some(public.to_vec())))
        .execute(db)?;
    Ok(())
}

/// Adds a signing key and retires the others at `retire`; secrets of keys that were retired before
/// `now` are wiped.
pub(crate) fn rotate(db: &mut Db, fresh: &StoredKey, retire: Instant, now: Instant) -> Result<()> {
    let sign = Purpose::Sign.name();
    diesel::update(signing_keys::table)
        .filter(signing_keys::purpose.eq(sign))
        .filter(
            signing_keys::retired_at.is_null().or(signing_keys::retired_at.gt(Some(At(retire)))),
        )
        .set(signing_keys::retired_at.eq(Some(At(retire))))
        .execute(db)?;
    diesel::update(signing_keys::table)
        .filter(signing_keys::purpose.eq(sign))
        .filter(signing_keys::retired_at.le(Some(At(now))))
        .set(signing_keys::secret.eq(Vec::<u8>::new()))
        .execute(db)?;
    add(db, Purpose::Sign, fresh)
}

/// Adds `fresh` unless there is a key for this purpose; returns the keys there are then.
pub fn ensure_key(purpose: Purpose, fresh: StoredKey) -> WriteJob<Vec<StoredKey>> {
    WriteJob::new(move |db| ensure(db, purpose, &fresh))
}

/// Replaces a secret by the same secret under another wrapping.
pub fn rewrap_secret(id: Uuid, secret: Vec<u8>) -> WriteJob<()> {
    WriteJob::new(move |db| replace_secret(db, id, &secret))
}

/// Saves the public half of a key, unless it is stored.
pub fn save_public_key(id: Uuid, public: Vec<u8>) -> WriteJob<()> {
    WriteJob::new(move |db| put_public(db, id, &public))
}

/// Adds a signing key; the keys before it retire at `retire`.
pub fn rotate_keys(fresh: StoredKey, retire: Instant, now: Instant) -> WriteJob<()> {
    WriteJob::new(move |db| rotate(db, &fresh, retire, now))
}
