//! People, their passwords and sessions as rows.

use diesel::{
    prelude::*,
    sql_types::{Nullable, Text},
};
use domain::{
    Instant,
    core::{
        fold::fold_account,
        id::{PersonId, TenantId},
        journal::Entry,
        text::Code,
    },
    flows::{
        change::{Change, Versioned},
        person::Person,
    },
    people::audit::AuditAction,
};

use crate::{
    kernel::{
        connection::Db,
        error::StoreError,
        flow::{FlowTable, Rows, flow_row, rebuild_state},
        pending::{Saved, Turn},
        projection::Projection,
        rows::{self, Row, rows},
        schema::{passwords, people, positions},
        types::{At, Doc, Id, sql},
    },
    people::{
        appointment::{GrantRow, Holding},
        identity,
        session::end_sessions,
    },
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

flow_row! {
    PersonRow of Person as person in "people" {
        account: String => Text, "text" = person.account.clone().into();
        account_key: String => Text, "text" = fold_account(person.account.as_str());
        name: String => Text, "text" = person.name.clone().into();
        standing: String => Text, "text" = person.standing.name().to_owned();
        shift_path: Option<String> => Nullable<Text>, "text" =
            person.shift.as_ref().map(|shift| shift.over.path.0.clone());
        shift_until: Option<At> => Nullable<sql::Moment>, "timestamptz" =
            person.shift.as_ref().map(|shift| At(shift.until));
    }
    changes (name, standing, shift_path, shift_until)
}

impl FlowTable for Person {
    const TABLE: &'static str = "people";

    fn audit_action(entry: &Entry) -> Option<AuditAction> {
        match entry.name.as_str() {
            "register" => Some(AuditAction::Register),
            "grant" | "take_over" => Some(AuditAction::Grant),
            "revoke" | "hand_over" => Some(AuditAction::Revoke),
            "reset_password" => Some(AuditAction::Password),
            // Commands that do not change rights.
            "stand" | "start_shift" | "end_shift" => None,
            _ => Some(AuditAction::Person),
        }
    }

    fn add_rows(change: &Change<Self>, rows: &mut Rows<'_>) -> Result<()> {
        rows.add_own(|| PersonRow::new(change))?;
        rows.replace_derived(|| Holding::new(change))?;
        let (person, tenant) = (&change.state, change.entry.tenant);
        let off_duty = person.shift.is_none() && change.entry.seq > 1;
        rows.add_besides(off_duty.then_some(OffDuty(tenant, person.id)));
        Ok(())
    }

    fn expect_tables(projection: &mut Projection) -> Result<()> {
        projection.expect_table::<PersonRow>()?;
        projection.expect_table::<GrantRow>()
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

impl Saved for PasswordRow {
    /// Written after the person and before everything that depends on it.
    const TURN: Turn = (PersonRow::TABLE, 5);

    fn save(db: &mut Db, all: &[&Self]) -> Result<()> {
        rows::upsert(db, all)?;
        for row in all {
            end_sessions(db, row.tenant_id, row.person_id, row.changed_at, "password")?;
            if row.origin == Origin::Other.name() {
                // A thief who had got into the account may have linked an identity of their own.
                identity::unlink(db, TenantId(row.tenant_id.0), PersonId(row.person_id.0))?;
            }
        }
        Ok(())
    }
}

/// A person off duty, whose position is removed.
struct OffDuty(TenantId, PersonId);

impl Saved for OffDuty {
    const TURN: Turn = (PersonRow::TABLE, 6);

    fn save(db: &mut Db, all: &[&Self]) -> Result<()> {
        let mut all: Vec<_> = all.iter().map(|one| (one.0, one.1)).collect();
        all.sort_unstable();
        for (tenant, person) in all {
            diesel::delete(positions::table.find((Id(tenant.0), Id(person.0)))).execute(db)?;
        }
        Ok(())
    }
}

/// Who set a password.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// The person whose password it is.
    Owner,
    /// Another person, who hands it over: the owner has to change it.
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

/// Whether the record of a person is unchanged. Nothing changes it until the end of the
/// transaction, so what was decided by it, such as that a password is right, still holds.
pub fn is_unchanged(db: &mut Db, tenant: TenantId, person: PersonId, seq: i64) -> Result<bool> {
    let query = people::table.find((Id(tenant.0), Id(person.0))).select(people::seq);
    let found: Option<i64> = match db {
        Db::Postgres(connection) => query.for_share().first(connection).optional()?,
        // A transaction that writes is alone.
        Db::Sqlite(connection) => query.first(connection).optional()?,
    };
    Ok(found == Some(seq))
}

/// The password of a person.
#[derive(Clone, Debug)]
pub struct Password {
    /// Its hash, in PHC format.
    pub hash: String,
    /// When it was set.
    pub changed_at: Instant,
    /// The person who set it.
    pub origin: Origin,
}

/// Whether a person has a password.
pub fn has_password(db: &mut Db, tenant: TenantId, person: PersonId) -> Result<bool> {
    let row = passwords::table.find((Id(tenant.0), Id(person.0)));
    let found: Option<At> = row.select(passwords::changed_at).first(db).optional()?;
    Ok(found.is_some())
}

/// A person with the password, for logging in: the one whose account it is, whatever its case and
/// width. Of several that differ in nothing else, which were registered before that was looked at,
/// the one that is written so, and else none.
pub fn find_by_account(
    db: &mut Db,
    tenant: TenantId,
    account: &str,
) -> Result<Option<(Versioned<Person>, Option<Password>)>> {
    type Row = ((Id, i64, Vec<u8>, Doc), Option<String>, Option<At>, Option<String>);
    const MOST: i64 = 100;
    let rows: Vec<Row> = people::table
        .left_join(passwords::table.on(
            passwords::tenant_id.eq(people::tenant_id).and(passwords::person_id.eq(people::id)),
        ))
        .filter(people::tenant_id.eq(Id(tenant.0)))
        .filter(people::account_key.eq(fold_account(account)))
        .select((
            (people::id, people::seq, people::head, people::state),
            passwords::hash.nullable(),
            passwords::changed_at.nullable(),
            passwords::origin.nullable(),
        ))
        .limit(MOST)
        .load(db)?;
    let known = |(row, hash, at, origin): Row| {
        let own = origin.as_deref() == Some(Origin::Owner.name());
        let origin = if own { Origin::Owner } else { Origin::Other };
        let password = hash.zip(at).map(|(hash, at)| Password { hash, changed_at: at.0, origin });
        let person: Versioned<Person> = rebuild_state("people", row)?;
        Ok((person, password))
    };
    let mut found = rows.into_iter().map(known).collect::<Result<Vec<_>>>()?;
    if found.len() > 1 {
        found.retain(|(person, _)| person.state.account.as_str() == account);
    }
    Ok(found.pop())
}

/// Whether another person has an account that differs from this one in case, width or what cannot be
/// seen alone.
pub fn is_account_taken(
    db: &mut Db,
    tenant: TenantId,
    account: &Code,
    but: PersonId,
) -> Result<bool> {
    let one: Option<Id> = people::table
        .filter(people::tenant_id.eq(Id(tenant.0)).and(people::id.ne(Id(but.0))))
        .filter(people::account_key.eq(fold_account(account.as_str())))
        .select(people::id)
        .first(db)
        .optional()?;
    Ok(one.is_some())
}

/// Accounts of a tenant that differ in case, width or what cannot be seen alone, together: their
/// owners log in only by writing them as they are.
pub fn load_account_collisions(db: &mut Db, tenant: TenantId) -> Result<Vec<Vec<String>>> {
    let keys: Vec<String> = people::table
        .filter(people::tenant_id.eq(Id(tenant.0)))
        .group_by(people::account_key)
        .having(diesel::dsl::count_star().gt(1))
        .select(people::account_key)
        .order(people::account_key.asc())
        .limit(MOST_COLLISIONS)
        .load(db)?;
    let accounts = |key: String| {
        let of = people::table
            .filter(people::tenant_id.eq(Id(tenant.0)).and(people::account_key.eq(key)));
        Ok(of.select(people::account).order(people::account.asc()).load(db)?)
    };
    keys.into_iter().map(accounts).collect()
}

/// The most of them that are named.
const MOST_COLLISIONS: i64 = 100;

/// The relation of a member of the household among all relations.
pub(crate) const MEMBER: &str = "member";
