//! People, their passwords and sessions as rows.

use diesel::{
    prelude::*,
    sql_types::{BigInt, Binary, Nullable, Text},
};
use domain::{
    Instant,
    core::id::{PersonId, TenantId},
    flows::{
        change::{Change, Stored},
        person::Person,
    },
};

use crate::kernel::{
    connection::Db,
    error::StoreError,
    flow::{Moving, document, stored},
    rows::rows,
    schema::{passwords, people, sessions},
    types::{At, Doc, Id, sql},
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

#[derive(Debug, Clone)]
pub(crate) struct PersonRow {
    tenant_id: Id,
    pub(crate) id: Id,
    seq: i64,
    head: Vec<u8>,
    account: String,
    name: String,
    pub(crate) state: Doc,
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
    pub(crate) origin: String,
}

rows! {
    PasswordRow in "passwords" {
        tenant_id: Id => sql::Uid, "uuid";
        person_id: Id => sql::Uid, "uuid";
        hash: String => Text, "text";
        changed_at: At => sql::Moment, "timestamptz";
        origin: String => Text, "text";
    }
    key (tenant_id, person_id) changes (hash, changed_at, origin)
}

/// Who set a password.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// Its owner.
    Owner,
    /// Somebody who hands it over: the owner has to change it.
    Other,
}

impl Origin {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Other => "other",
        }
    }
}

/// Ends every session of a person: what a new password does, and a closed account.
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

/// Whether the record of a person is where it was. Until the end of the transaction nobody moves
/// it: what was decided by it, such as that a password is right, still holds.
pub fn is_unmoved(db: &mut Db, tenant: TenantId, person: PersonId, seq: i64) -> Result<bool> {
    let query = people::table.find((Id(tenant.0), Id(person.0))).select(people::seq);
    let found: Option<i64> = match db {
        Db::Postgres(connection) => query.for_share().first(connection).optional()?,
        // Whoever is in a transaction that writes is alone.
        Db::Sqlite(connection) => query.first(connection).optional()?,
    };
    Ok(found == Some(seq))
}

/// The password of a person.
#[derive(Clone, Debug)]
pub struct Password {
    /// Its hash, in PHC format.
    pub hash: String,
    /// Since when it is the password.
    pub changed_at: Instant,
    /// Who set it.
    pub origin: Origin,
}

/// Whether a person has a password.
pub fn has_password(db: &mut Db, tenant: TenantId, person: PersonId) -> Result<bool> {
    let row = passwords::table.find((Id(tenant.0), Id(person.0)));
    let found: Option<At> = row.select(passwords::changed_at).first(db).optional()?;
    Ok(found.is_some())
}

/// A person with the password, for logging in.
pub fn by_account(
    db: &mut Db,
    tenant: TenantId,
    account: &str,
) -> Result<Option<(Stored<Person>, Option<Password>)>> {
    type Row = ((Id, i64, Vec<u8>, Doc), Option<String>, Option<At>, Option<String>);
    let row: Option<Row> = people::table
        .left_join(passwords::table.on(
            passwords::tenant_id.eq(people::tenant_id).and(passwords::person_id.eq(people::id)),
        ))
        .filter(people::tenant_id.eq(Id(tenant.0)).and(people::account.eq(account)))
        .select((
            (people::id, people::seq, people::head, people::state),
            passwords::hash.nullable(),
            passwords::changed_at.nullable(),
            passwords::origin.nullable(),
        ))
        .first(db)
        .optional()?;
    row.map(|(row, hash, at, origin)| {
        let own = origin.as_deref() == Some(Origin::Owner.name());
        let origin = if own { Origin::Owner } else { Origin::Other };
        let password = hash.zip(at).map(|(hash, at)| Password { hash, changed_at: at.0, origin });
        Ok((stored("people", row)?, password))
    })
    .transpose()
}

/// What a member of the household is called among those who have to do with it.
pub(crate) const MEMBER: &str = "member";
