//! Sessions: logins that can be refreshed, listed and ended.

use diesel::prelude::*;
use domain::{
    Instant,
    core::id::{PersonId, TenantId},
    flows::person::Person,
};
use uuid::Uuid;

use crate::{
    kernel::{
        connection::Db,
        error::StoreError,
        schema::sessions,
        types::{At, Id},
        write_job::WriteJob,
    },
    people::person::is_unchanged,
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// A login that can be refreshed and ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    /// Its identity; the tokens name it.
    pub id: Uuid,
    /// The person who logged in.
    pub person: PersonId,
    /// The SHA-256 of the refresh token.
    pub refresh_hash: Vec<u8>,
    /// How it began: `password`, `totp`, `wechat`, `client`, or the name of a provider.
    pub method: String,
    /// The device, by the client's own name.
    pub device: String,
    /// The address of its last use, shortened.
    pub address: String,
    /// When it began.
    pub created_at: Instant,
    /// When it was last used, to within some minutes.
    pub used_at: Instant,
    /// When it ends at the latest.
    pub expires_at: Instant,
    /// What the person has to do before anything else.
    pub restriction: Option<String>,
}

type Row = (Id, Id, Vec<u8>, String, String, String, At, At, At, Option<String>);

fn session_from_row(row: Row) -> Session {
    let (id, person, refresh_hash, method, device, address, created, used, expires, restriction) =
        row;
    Session {
        id: id.0,
        person: PersonId(person.0),
        refresh_hash,
        method,
        device,
        address,
        created_at: created.0,
        used_at: used.0,
        expires_at: expires.0,
        restriction,
    }
}

/// The columns of a [`Row`]; a macro, because their type is too long to write.
macro_rules! columns {
    () => {
        (
            sessions::id,
            sessions::person_id,
            sessions::refresh_hash,
            sessions::method,
            sessions::device,
            sessions::address,
            sessions::created_at,
            sessions::used_at,
            sessions::expires_at,
            sessions::restriction,
        )
    };
}

/// Opens a session; if the person has `most` already, the one unused for longest ends.
pub(crate) fn open(
    db: &mut Db,
    tenant: TenantId,
    session: &Session,
    most: usize,
) -> Result<Vec<Uuid>> {
    let at = session.created_at;
    let open = load_for_person(db, tenant, session.person, at)?;
    let beyond: Vec<Uuid> =
        open.iter().skip(most.saturating_sub(1)).map(|session| session.id).collect();
    for id in &beyond {
        end(db, tenant, *id, "displaced", at)?;
    }
    diesel::insert_into(sessions::table)
        .values((
            sessions::tenant_id.eq(Id(tenant.0)),
            sessions::id.eq(Id(session.id)),
            sessions::person_id.eq(Id(session.person.0)),
            sessions::refresh_hash.eq(session.refresh_hash.clone()),
            sessions::created_at.eq(At(at)),
            sessions::expires_at.eq(At(session.expires_at)),
            sessions::method.eq(session.method.clone()),
            sessions::device.eq(session.device.clone()),
            sessions::address.eq(session.address.clone()),
            sessions::used_at.eq(At(session.used_at)),
            sessions::restriction.eq(session.restriction.clone()),
        ))
        .execute(db)?;
    Ok(beyond)
}

/// The sessions of a person that are not over, last used first; at most 100.
pub fn load_for_person(
    db: &mut Db,
    tenant: TenantId,
    person: PersonId,
    at: Instant,
) -> Result<Vec<Session>> {
    let rows: Vec<Row> = sessions::table
        .filter(sessions::tenant_id.eq(Id(tenant.0)))
        .filter(sessions::person_id.eq(Id(person.0)))
        .filter(sessions::revoked_at.is_null())
        .filter(sessions::expires_at.gt(At(at)))
        .filter(sessions::method.ne("client"))
        .order((sessions::used_at.desc(), sessions::id.desc()))
        .limit(100)
        .select(columns!())
        .load(db)?;
    Ok(rows.into_iter().map(session_from_row).collect())
}

/// A session with its person, when it is neither ended nor over.
pub fn find(
    db: &mut Db,
    tenant: TenantId,
    id: Uuid,
    at: Instant,
) -> Result<Option<(Session, Person)>> {
    let row: Option<Row> = sessions::table
        .find((Id(tenant.0), Id(id)))
        .filter(sessions::revoked_at.is_null())
        .filter(sessions::expires_at.gt(At(at)))
        .select(columns!())
        .first(db)
        .optional()?;
    let Some(found) = row.map(session_from_row) else { return Ok(None) };
    let person = crate::kernel::load::load_state::<Person>(db, tenant, found.person.0)?;
    Ok(person.map(|person| (found, person.state)))
}

/// The result of an attempt to refresh.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refreshed {
    /// The token was exchanged.
    Done(Session),
    /// There is no such session, or it is over.
    Unknown,
    /// The token was exchanged before: another party has a copy. The session has ended.
    Reused(PersonId),
}

/// An exchange of a refresh token.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The session that the token names.
    pub session: Uuid,
    /// The digest of the token given.
    pub old: Vec<u8>,
    /// The digest of the token that replaces it.
    pub new: Vec<u8>,
    /// The device, as at [`Session::device`].
    pub device: String,
    /// The address, shortened.
    pub address: String,
    /// Sessions unused since then are over.
    pub idle_since: Instant,
    /// A token exchanged after this may be exchanged again by the same device: its answer may have
    /// been lost.
    pub grace_since: Instant,
    /// The moment of the exchange.
    pub at: Instant,
}

/// The refresh tokens of a session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refreshable {
    /// The digest of the valid token.
    pub current: Vec<u8>,
    /// The digest of the one before it.
    pub previous: Option<Vec<u8>>,
}

/// The refresh tokens of a session; none when there is no such session, or it is over.
pub fn find_refreshable(
    db: &mut Db,
    tenant: TenantId,
    id: Uuid,
    (at, idle_since): (Instant, Instant),
) -> Result<Option<Refreshable>> {
    let row: Option<(Vec<u8>, Option<Vec<u8>>)> = sessions::table
        .find((Id(tenant.0), Id(id)))
        .filter(sessions::revoked_at.is_null())
        .filter(sessions::expires_at.gt(At(at)))
        .filter(sessions::used_at.gt(At(idle_since)))
        .select((sessions::refresh_hash, sessions::previous_hash))
        .first(db)
        .optional()?;
    Ok(row.map(|(current, previous)| Refreshable { current, previous }))
}

/// The person of a session, present or past; none if it was ended because it may be in the wrong
/// hands.
pub fn find_owner(db: &mut Db, tenant: TenantId, id: Uuid) -> Result<Option<PersonId>> {
    /// The reasons for which a session is ended as distrusted.
    const DISTRUSTED: [&str; 4] = ["revoked", "reused", "closed", "erased"];
    let row: Option<(Id, Option<String>)> = sessions::table
        .find((Id(tenant.0), Id(id)))
        .select((sessions::person_id, sessions::ended))
        .first(db)
        .optional()?;
    let trusted =
        row.filter(|(_, ended)| ended.as_deref().is_none_or(|why| !DISTRUSTED.contains(&why)));
    Ok(trusted.map(|(person, _)| PersonId(person.0)))
}

/// Exchanges a refresh token for a new one.
pub(crate) fn refresh(db: &mut Db, tenant: TenantId, asked: &Exchange) -> Result<Refreshed> {
    type Hashes = (Vec<u8>, Option<Vec<u8>>, Option<At>);
    let key = (Id(tenant.0), Id(asked.session));
    // The row is locked by writing to it first, so that two exchanges at the same moment run one
    // after the other.
    let taken = diesel::update(sessions::table.find(key))
        .filter(sessions::revoked_at.is_null())
        .filter(sessions::expires_at.gt(At(asked.at)))
        .filter(sessions::used_at.gt(At(asked.idle_since)))
        .set(sessions::used_at.eq(At(asked.at)))
        .execute(db)?;
    if taken == 0 {
        return Ok(Refreshed::Unknown);
    }
    let (current, previous, rotated): Hashes = sessions::table
        .find(key)
        .select((sessions::refresh_hash, sessions::previous_hash, sessions::rotated_at))
        .first(db)?;
    let row: Row = sessions::table.find(key).select(columns!()).first(db)?;
    let found = session_from_row(row);
    let now = current == asked.old;
    let lost = previous.is_some_and(|previous| previous == asked.old)
        && rotated.is_some_and(|at| at.0 > asked.grace_since)
        && found.device == asked.device;
    if !now && !lost {
        end(db, tenant, asked.session, "reused", asked.at)?;
        return Ok(Refreshed::Reused(found.person));
    }
    diesel::update(sessions::table.find(key))
        .set((
            sessions::refresh_hash.eq(asked.new.clone()),
            sessions::address.eq(asked.address.clone()),
        ))
        .execute(db)?;
    if now {
        diesel::update(sessions::table.find(key))
            .set((
                sessions::previous_hash.eq(Some(asked.old.clone())),
                sessions::rotated_at.eq(Some(At(asked.at))),
            ))
            .execute(db)?;
    }
    Ok(Refreshed::Done(found))
}

/// Records that a session is in use.
pub(crate) fn touch(db: &mut Db, tenant: TenantId, id: Uuid, at: Instant) -> Result<()> {
    diesel::update(sessions::table.find((Id(tenant.0), Id(id))))
        .set(sessions::used_at.eq(At(at)))
        .execute(db)?;
    Ok(())
}

/// Records that the person in this session has shown a second factor.
pub(crate) fn strengthen(db: &mut Db, tenant: TenantId, id: Uuid) -> Result<()> {
    diesel::update(sessions::table.find((Id(tenant.0), Id(id))))
        .set(sessions::method.eq("totp"))
        .execute(db)?;
    Ok(())
}

/// Whether this person has logged in from such an address before.
pub fn knows_address(
    db: &mut Db,
    tenant: TenantId,
    person: PersonId,
    address: &str,
) -> Result<bool> {
    let known: Option<Id> = sessions::table
        .filter(sessions::tenant_id.eq(Id(tenant.0)))
        .filter(sessions::person_id.eq(Id(person.0)))
        .filter(sessions::address.eq(address.to_owned()))
        .select(sessions::id)
        .first(db)
        .optional()?;
    Ok(known.is_some())
}

/// Ends a session; `why` is `logout`, `revoked`, `reused`, `displaced` or `password`.
pub(crate) fn end(db: &mut Db, tenant: TenantId, id: Uuid, why: &str, at: Instant) -> Result<()> {
    diesel::update(sessions::table.find((Id(tenant.0), Id(id))))
        .filter(sessions::revoked_at.is_null())
        .set((sessions::revoked_at.eq(Some(At(at))), sessions::ended.eq(Some(why.to_owned()))))
        .execute(db)?;
    Ok(())
}

/// Ends a session of this person; returns whether there was one.
pub(crate) fn end_for_person(
    db: &mut Db,
    tenant: TenantId,
    person: PersonId,
    id: Uuid,
    at: Instant,
) -> Result<bool> {
    let whose: Option<Id> = sessions::table
        .find((Id(tenant.0), Id(id)))
        .select(sessions::person_id)
        .first(db)
        .optional()?;
    if whose != Some(Id(person.0)) {
        return Ok(false);
    }
    end(db, tenant, id, "revoked", at)?;
    Ok(true)
}

/// Ends every session of a person but one; returns how many there were.
pub(crate) fn end_all(
    db: &mut Db,
    tenant: TenantId,
    person: PersonId,
    but: Option<Uuid>,
    at: Instant,
) -> Result<usize> {
    let but = but.unwrap_or_default();
    Ok(diesel::update(sessions::table)
        .filter(sessions::tenant_id.eq(Id(tenant.0)))
        .filter(sessions::person_id.eq(Id(person.0)))
        .filter(sessions::id.ne(Id(but)))
        .filter(sessions::revoked_at.is_null())
        .filter(sessions::expires_at.gt(At(at)))
        .set((
            sessions::revoked_at.eq(Some(At(at))),
            sessions::ended.eq(Some("revoked".to_owned())),
        ))
        .execute(db)?)
}

/// Ends every session of a person: after a new password, and when an account is closed.
pub(crate) fn end_sessions(
    db: &mut Db,
    tenant: Id,
    person: Id,
    at: At,
    why: &'static str,
) -> Result<()> {
    diesel::update(sessions::table)
        .filter(sessions::tenant_id.eq(tenant))
        .filter(sessions::person_id.eq(person))
        .filter(sessions::revoked_at.is_null())
        .set((sessions::revoked_at.eq(Some(at)), sessions::ended.eq(Some(why))))
        .execute(db)?;
    Ok(())
}

/// Begins a session whatever happened to its person; returns the sessions it displaced.
pub fn open_session(tenant: TenantId, session: Session, most: usize) -> WriteJob<Vec<Uuid>> {
    WriteJob::new(move |db| open(db, tenant, &session, most))
}

/// Begins a session of a person whose state is still that of `seq`; returns the sessions it
/// displaced, or none where the state has changed. A password that was set meanwhile ended every
/// login, and a closed account has none: this one would be missed by that.
pub fn open_login_session(
    tenant: TenantId,
    session: Session,
    seq: i64,
    most: usize,
) -> WriteJob<Option<Vec<Uuid>>> {
    WriteJob::new(move |db| {
        let unchanged = is_unchanged(db, tenant, session.person, seq)?;
        unchanged.then(|| open(db, tenant, &session, most)).transpose()
    })
}

/// Exchanges a refresh token for a new one.
pub fn exchange_token(tenant: TenantId, asked: Exchange) -> WriteJob<Refreshed> {
    WriteJob::new(move |db| refresh(db, tenant, &asked))
}

/// Notes that a session is in use.
pub fn record_session_use(tenant: TenantId, id: Uuid, at: Instant) -> WriteJob<()> {
    WriteJob::new(move |db| touch(db, tenant, id, at))
}

/// Ends a session because the person logs out.
pub fn log_out_session(tenant: TenantId, id: Uuid, at: Instant) -> WriteJob<()> {
    WriteJob::new(move |db| end(db, tenant, id, "logout", at))
}

/// Ends a session of this person; whether there was one.
pub fn revoke_session(tenant: TenantId, person: PersonId, id: Uuid, at: Instant) -> WriteJob<bool> {
    WriteJob::new(move |db| end_for_person(db, tenant, person, id, at))
}

/// Ends every session of a person but one; how many there were.
pub fn revoke_sessions(
    tenant: TenantId,
    person: PersonId,
    but: Option<Uuid>,
    at: Instant,
) -> WriteJob<usize> {
    WriteJob::new(move |db| end_all(db, tenant, person, but, at))
}
