//! People, their passwords and sessions as rows.

use diesel::{
    prelude::*,
    sql_types::{BigInt, Binary, Nullable, Text},
};
use domain::{
    Instant,
    change::Change,
    id::{PersonId, TenantId},
    person::Person,
};
use uuid::Uuid;

use crate::{
    batch::{Moving, document},
    case::stored,
    connection::Db,
    error::StoreError,
    rows::rows,
    schema::{passwords, people, sessions},
    types::{At, Doc, Id, sql},
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

#[derive(Debug, Clone)]
pub(crate) struct PersonRow {
    tenant_id: Id,
    id: Id,
    seq: i64,
    head: Vec<u8>,
    account: String,
    name: String,
    state: Doc,
    standing: String,
    shift_path: Option<String>,
    shift_until: Option<At>,
}

rows! {
    PersonRow in "people" {
        tenant_id: Id => sql::Uid, "uuid";
        id: Id => sql::Uid, "uuid";
        seq: i64 => BigInt, "bigint";
        head: Vec<u8> => Binary, "bytea";
        account: String => Text, "text";
        name: String => Text, "text";
        state: Doc => sql::Doc, "text";
        standing: String => Text, "text";
        shift_path: Option<String> => Nullable<Text>, "text";
        shift_until: Option<At> => Nullable<sql::Moment>, "timestamptz";
    }
    key (tenant_id, id) changes (seq, head, name, state, standing, shift_path, shift_until)
}

impl Moving for PersonRow {
    fn seq(&self) -> i64 {
        self.seq
    }
}

impl PersonRow {
    pub(crate) fn new(change: &Change<Person>) -> Result<Self> {
        let (person, entry) = (&change.state, &change.entry);
        Ok(Self {
            tenant_id: Id(entry.tenant.0),
            id: Id(person.id.0),
            seq: entry.seq,
            head: entry.hash.0.to_vec(),
            account: person.account.clone().into(),
            name: person.name.clone().into(),
            state: document(person)?,
            standing: person.standing.name().to_owned(),
            shift_path: person.shift.as_ref().map(|shift| shift.over.path.0.clone()),
            shift_until: person.shift.as_ref().map(|shift| At(shift.until)),
        })
    }
}

#[derive(Debug, Clone)]
pub(crate) struct PasswordRow {
    pub(crate) tenant_id: Id,
    pub(crate) person_id: Id,
    pub(crate) hash: String,
    pub(crate) changed_at: At,
}

rows! {
    PasswordRow in "passwords" {
        tenant_id: Id => sql::Uid, "uuid";
        person_id: Id => sql::Uid, "uuid";
        hash: String => Text, "text";
        changed_at: At => sql::Moment, "timestamptz";
    }
    key (tenant_id, person_id) changes (hash, changed_at)
}

/// Ends every session of a person: what a new password does, and a closed account.
pub(crate) fn end_sessions(db: &mut Db, tenant: Id, person: Id, at: At) -> Result<()> {
    diesel::update(sessions::table)
        .filter(sessions::tenant_id.eq(tenant))
        .filter(sessions::person_id.eq(person))
        .filter(sessions::revoked_at.is_null())
        .set(sessions::revoked_at.eq(Some(at)))
        .execute(db)?;
    Ok(())
}

/// A person with the hash of the password, for logging in.
pub fn by_account(
    db: &mut Db,
    tenant: TenantId,
    account: &str,
) -> Result<Option<(Person, Option<String>)>> {
    type Row = ((Id, i64, Vec<u8>, Doc), Option<String>);
    let row: Option<Row> = people::table
        .left_join(passwords::table.on(
            passwords::tenant_id.eq(people::tenant_id).and(passwords::person_id.eq(people::id)),
        ))
        .filter(people::tenant_id.eq(Id(tenant.0)).and(people::account.eq(account)))
        .select((
            (people::id, people::seq, people::head, people::state),
            passwords::hash.nullable(),
        ))
        .first(db)
        .optional()?;
    row.map(|(row, hash)| Ok((stored("people", row)?.state, hash))).transpose()
}

/// A login that can be refreshed and revoked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    /// Its identity; the token names it.
    pub id: Uuid,
    /// Whose.
    pub person: PersonId,
    /// The SHA-256 of the refresh token.
    pub refresh_hash: Vec<u8>,
    /// When it began.
    pub created_at: Instant,
    /// When it ends by itself.
    pub expires_at: Instant,
}

/// Begins a session.
pub fn open_session(db: &mut Db, tenant: TenantId, session: &Session) -> Result<()> {
    diesel::insert_into(sessions::table)
        .values((
            sessions::tenant_id.eq(Id(tenant.0)),
            sessions::id.eq(Id(session.id)),
            sessions::person_id.eq(Id(session.person.0)),
            sessions::refresh_hash.eq(session.refresh_hash.clone()),
            sessions::created_at.eq(At(session.created_at)),
            sessions::expires_at.eq(At(session.expires_at)),
        ))
        .execute(db)?;
    Ok(())
}

/// Exchanges a refresh token for a new one; none when it is unknown, used, revoked or too old.
pub fn rotate_session(
    db: &mut Db,
    tenant: TenantId,
    old: &[u8],
    new: &[u8],
    at: Instant,
) -> Result<Option<(Uuid, PersonId)>> {
    let row: Option<(Id, Id)> = diesel::update(
        sessions::table
            .filter(sessions::tenant_id.eq(Id(tenant.0)))
            .filter(sessions::refresh_hash.eq(old.to_vec()))
            .filter(sessions::revoked_at.is_null())
            .filter(sessions::expires_at.gt(At(at))),
    )
    .set(sessions::refresh_hash.eq(new.to_vec()))
    .returning((sessions::id, sessions::person_id))
    .get_result(db)
    .optional()?;
    Ok(row.map(|(session, person)| (session.0, PersonId(person.0))))
}

/// Ends a session.
pub fn revoke_session(db: &mut Db, tenant: TenantId, session: Uuid, at: Instant) -> Result<()> {
    diesel::update(sessions::table.find((Id(tenant.0), Id(session))))
        .filter(sessions::revoked_at.is_null())
        .set(sessions::revoked_at.eq(Some(At(at))))
        .execute(db)?;
    Ok(())
}

/// The person of a session that is neither revoked nor over.
pub fn of_session(
    db: &mut Db,
    tenant: TenantId,
    session: Uuid,
    at: Instant,
) -> Result<Option<Person>> {
    let person: Option<Id> = sessions::table
        .find((Id(tenant.0), Id(session)))
        .filter(sessions::revoked_at.is_null())
        .filter(sessions::expires_at.gt(At(at)))
        .select(sessions::person_id)
        .first(db)
        .optional()?;
    let Some(person) = person else { return Ok(None) };
    Ok(crate::look::find::<Person>(db, tenant, person.0)?.map(|stored| stored.state))
}
