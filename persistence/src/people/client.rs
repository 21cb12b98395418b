//! Programs as clients: their scopes and quota, and the digests of their secrets. A client is a
//! person without a password, so that its grants are in the journal like any other.

use diesel::prelude::*;
use domain::{
    Instant,
    core::id::{PersonId, TenantId},
};
use uuid::Uuid;

use crate::kernel::{
    connection::Db,
    error::StoreError,
    schema::{client_secrets, clients, sessions},
    types::{At, Id},
    write_job::WriteJob,
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// A program that may call the API.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Client {
    /// Its identity, also as a person.
    pub id: PersonId,
    /// Its name, for people.
    pub name: String,
    /// Its scopes, separated by spaces.
    pub scopes: String,
    /// The number of requests allowed a minute.
    pub per_minute: i64,
    /// When it was registered.
    pub created_at: Instant,
    /// The person who registered it.
    pub created_by: PersonId,
    /// Since when it is disabled.
    pub disabled_at: Option<Instant>,
}

/// A secret of a client, without the secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Secret {
    /// Its identity; the secret begins with it.
    pub id: Uuid,
    /// The client it belongs to.
    pub client: PersonId,
    /// `secret` to be exchanged for tokens, `key` to be sent itself.
    pub kind: String,
    /// The SHA-256 of the whole secret.
    pub digest: Vec<u8>,
    /// When it was created.
    pub created_at: Instant,
    /// When it ends.
    pub expires_at: Instant,
    /// When it was last used, to within some minutes.
    pub used_at: Option<Instant>,
    /// When it was revoked.
    pub revoked_at: Option<Instant>,
}

type ClientRow = (Id, String, String, i64, At, Id, Option<At>);

macro_rules! client_columns {
    () => {
        (
            clients::id,
            clients::name,
            clients::scopes,
            clients::per_minute,
            clients::created_at,
            clients::created_by,
            clients::disabled_at,
        )
    };
}

fn client_from_row((id, name, scopes, per_minute, created, by, disabled): ClientRow) -> Client {
    Client {
        id: PersonId(id.0),
        name,
        scopes,
        per_minute,
        created_at: created.0,
        created_by: PersonId(by.0),
        disabled_at: disabled.map(|at| at.0),
    }
}

type SecretRow = (Id, Id, String, Vec<u8>, At, At, Option<At>, Option<At>);

macro_rules! secret_columns {
    () => {
        (
            client_secrets::id,
            client_secrets::client_id,
            client_secrets::kind,
            client_secrets::digest,
            client_secrets::created_at,
            client_secrets::expires_at,
            client_secrets::used_at,
            client_secrets::revoked_at,
        )
    };
}

fn secret_from_row(
    (id, whose, kind, digest, created, expires, used, revoked): SecretRow,
) -> Secret {
    Secret {
        id: id.0,
        client: PersonId(whose.0),
        kind,
        digest,
        created_at: created.0,
        expires_at: expires.0,
        used_at: used.map(|at| at.0),
        revoked_at: revoked.map(|at| at.0),
    }
}

/// The client of this identity.
pub fn find(db: &mut Db, tenant: TenantId, id: PersonId) -> Result<Option<Client>> {
    let row: Option<ClientRow> = clients::table
        .find((Id(tenant.0), Id(id.0)))
        .select(client_columns!())
        .first(db)
        .optional()?;
    Ok(row.map(client_from_row))
}

/// The clients of a tenant by identity, after `after`.
pub fn list(db: &mut Db, tenant: TenantId, after: Option<Uuid>, limit: i64) -> Result<Vec<Client>> {
    let rows: Vec<ClientRow> = clients::table
        .filter(clients::tenant_id.eq(Id(tenant.0)))
        .filter(clients::id.gt(Id(after.unwrap_or_default())))
        .order(clients::id.asc())
        .limit(limit)
        .select(client_columns!())
        .load(db)?;
    Ok(rows.into_iter().map(client_from_row).collect())
}

/// Adds a client with its first secret; returns whether it is new.
pub(crate) fn add(db: &mut Db, tenant: TenantId, client: &Client, first: &Secret) -> Result<bool> {
    if find(db, tenant, client.id)?.is_some() {
        return Ok(false);
    }
    diesel::insert_into(clients::table)
        .values((
            clients::tenant_id.eq(Id(tenant.0)),
            clients::id.eq(Id(client.id.0)),
            clients::name.eq(client.name.clone()),
            clients::scopes.eq(client.scopes.clone()),
            clients::per_minute.eq(client.per_minute),
            clients::created_at.eq(At(client.created_at)),
            clients::created_by.eq(Id(client.created_by.0)),
            clients::disabled_at.eq(client.disabled_at.map(At)),
        ))
        .execute(db)?;
    add_secret(db, tenant, first, usize::MAX)
}

/// The secrets of a client, newest first; at most 100.
pub fn load_secrets(db: &mut Db, tenant: TenantId, client: PersonId) -> Result<Vec<Secret>> {
    let rows: Vec<SecretRow> = client_secrets::table
        .filter(client_secrets::tenant_id.eq(Id(tenant.0)))
        .filter(client_secrets::client_id.eq(Id(client.0)))
        .order(client_secrets::id.desc())
        .limit(100)
        .select(secret_columns!())
        .load(db)?;
    Ok(rows.into_iter().map(secret_from_row).collect())
}

/// Adds a secret, unless its client has `most` valid ones of this kind; returns whether it was
/// added.
pub(crate) fn add_secret(db: &mut Db, tenant: TenantId, new: &Secret, most: usize) -> Result<bool> {
    let known = load_secrets(db, tenant, new.client)?;
    let live = |one: &&Secret| {
        one.kind == new.kind && one.revoked_at.is_none() && one.expires_at > new.created_at
    };
    if known.iter().filter(live).count() >= most {
        return Ok(false);
    }
    diesel::insert_into(client_secrets::table)
        .values((
            client_secrets::tenant_id.eq(Id(tenant.0)),
            client_secrets::id.eq(Id(new.id)),
            client_secrets::client_id.eq(Id(new.client.0)),
            client_secrets::kind.eq(new.kind.clone()),
            client_secrets::digest.eq(new.digest.clone()),
            client_secrets::created_at.eq(At(new.created_at)),
            client_secrets::expires_at.eq(At(new.expires_at)),
        ))
        .execute(db)?;
    Ok(true)
}

/// A secret that is valid at this moment, with its client, unless that is disabled.
pub fn find_live_secret(
    db: &mut Db,
    tenant: TenantId,
    id: Uuid,
    at: Instant,
) -> Result<Option<(Secret, Client)>> {
    let row: Option<SecretRow> = client_secrets::table
        .find((Id(tenant.0), Id(id)))
        .filter(client_secrets::revoked_at.is_null())
        .filter(client_secrets::expires_at.gt(At(at)))
        .select(secret_columns!())
        .first(db)
        .optional()?;
    let Some(found) = row.map(secret_from_row) else { return Ok(None) };
    let client = find(db, tenant, found.client)?.filter(|client| client.disabled_at.is_none());
    Ok(client.map(|client| (found, client)))
}

/// Notes that a secret was used.
pub(crate) fn touch_secret(db: &mut Db, tenant: TenantId, id: Uuid, at: Instant) -> Result<()> {
    diesel::update(client_secrets::table.find((Id(tenant.0), Id(id))))
        .set(client_secrets::used_at.eq(Some(At(at))))
        .execute(db)?;
    Ok(())
}

/// Revokes a secret of this client, with every token it was exchanged for; returns whether there
/// was one.
pub(crate) fn revoke_secret(
    db: &mut Db,
    tenant: TenantId,
    client: PersonId,
    id: Uuid,
    at: Instant,
) -> Result<bool> {
    let revoked = diesel::update(client_secrets::table.find((Id(tenant.0), Id(id))))
        .filter(client_secrets::client_id.eq(Id(client.0)))
        .set(client_secrets::revoked_at.eq(Some(At(at))))
        .execute(db)?;
    if revoked == 1 {
        // The session of a token names the secret that opened it.
        end_sessions(db, tenant, client, Some(id), at)?;
    }
    Ok(revoked == 1)
}

/// Disables a client for good; returns whether there was one.
pub(crate) fn disable(db: &mut Db, tenant: TenantId, id: PersonId, at: Instant) -> Result<bool> {
    let disabled = diesel::update(clients::table.find((Id(tenant.0), Id(id.0))))
        .set(clients::disabled_at.eq(Some(At(at))))
        .execute(db)?;
    if disabled == 1 {
        end_sessions(db, tenant, id, None, at)?;
    }
    Ok(disabled == 1)
}

fn end_sessions(
    db: &mut Db,
    tenant: TenantId,
    client: PersonId,
    by: Option<Uuid>,
    at: Instant,
) -> Result<()> {
    let device = by.map(|id| id.to_string());
    let open: Vec<(Id, String)> = sessions::table
        .filter(sessions::tenant_id.eq(Id(tenant.0)))
        .filter(sessions::person_id.eq(Id(client.0)))
        .filter(sessions::revoked_at.is_null())
        .filter(sessions::expires_at.gt(At(at)))
        .select((sessions::id, sessions::device))
        .load(db)?;
    for (id, opened_by) in open {
        if device.as_ref().is_none_or(|device| *device == opened_by) {
            crate::people::session::end(db, tenant, id.0, "revoked", at)?;
        }
    }
    Ok(())
}

/// Opens the session of a token, and removes those of tokens that expired long ago.
pub(crate) fn open_session(
    db: &mut Db,
    tenant: TenantId,
    session: &crate::people::session::Session,
) -> Result<()> {
    let over = session.created_at - chrono::Duration::days(1);
    diesel::delete(sessions::table)
        .filter(sessions::tenant_id.eq(Id(tenant.0)))
        .filter(sessions::person_id.eq(Id(session.person.0)))
        .filter(sessions::expires_at.lt(At(over)))
        .execute(db)?;
    crate::people::session::open(db, tenant, session, usize::MAX)?;
    Ok(())
}

/// Registers a client with its first secret; false where it is there already.
pub fn register_client(tenant: TenantId, client: Client, first: Secret) -> WriteJob<bool> {
    WriteJob::new(move |db| add(db, tenant, &client, &first))
}

/// Adds a secret; false where the client has `most` of this kind that work.
pub fn add_client_secret(tenant: TenantId, new: Secret, most: usize) -> WriteJob<bool> {
    WriteJob::new(move |db| add_secret(db, tenant, &new, most))
}

/// Records that a secret is in use.
pub fn record_secret_use(tenant: TenantId, id: Uuid, at: Instant) -> WriteJob<()> {
    WriteJob::new(move |db| touch_secret(db, tenant, id, at))
}

/// Revokes a secret of a client and ends the sessions it opened; false where there is none.
pub fn revoke_client_secret(
    tenant: TenantId,
    client: PersonId,
    id: Uuid,
    at: Instant,
) -> WriteJob<bool> {
    WriteJob::new(move |db| revoke_secret(db, tenant, client, id, at))
}

/// Shuts a client out for good; false where there is none.
pub fn disable_client(tenant: TenantId, id: PersonId, at: Instant) -> WriteJob<bool> {
    WriteJob::new(move |db| disable(db, tenant, id, at))
}

/// Begins the session of a client, and forgets those of tokens that expired long ago.
pub fn open_client_session(
    tenant: TenantId,
    session: crate::people::session::Session,
) -> WriteJob<()> {
    WriteJob::new(move |db| open_session(db, tenant, &session))
}
