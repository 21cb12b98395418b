//! People's data as rows: a key for each subject, wrapped; and each value, sealed by it.
//!
//! Nothing here can read a value: sealing and opening is the caller's.

use std::collections::HashMap;

use diesel::{
    prelude::*,
    sql_types::{Binary, Nullable, Text},
};
use domain::{
    Instant,
    id::{PersonId, TenantId},
    personal::{Field, SubjectKind},
};
use uuid::Uuid;

use crate::{
    connection::{Db, each},
    error::StoreError,
    rows::{self, rows},
    schema::{personal, personal_keys, reports},
    types::{At, Id, sql},
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// The kind of the key that values are looked up with; its subject is the nil identity.
const LOOK_UP: &str = "look_up";

/// The key of one subject.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DataKey {
    /// Whose.
    pub subject: Uuid,
    /// What the subject is; none for the key that values are looked up with.
    pub kind: Option<SubjectKind>,
    /// Which master key wraps it.
    pub key_id: String,
    /// The key, wrapped; none once it was destroyed.
    pub wrapped: Option<Vec<u8>>,
    /// Since when.
    pub created_at: Instant,
    /// When it was destroyed.
    pub destroyed_at: Option<Instant>,
}

/// One value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedField {
    /// Whose.
    pub subject: Uuid,
    /// Which.
    pub field: Field,
    /// The value, sealed by the subject's key.
    pub sealed: Vec<u8>,
    /// The keyed digest it is found by.
    pub blind: Option<Vec<u8>>,
}

/// What is stored of a new subject, together with the change that begins it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewSubject {
    /// The key.
    pub key: DataKey,
    /// The values.
    pub fields: Vec<SealedField>,
}

#[derive(Debug, Clone)]
pub(crate) struct KeyRow {
    tenant_id: Id,
    subject_id: Id,
    kind: String,
    key_id: String,
    wrapped: Option<Vec<u8>>,
    created_at: At,
    destroyed_at: Option<At>,
}

rows! {
    KeyRow in "personal_keys" {
        tenant_id: Id => sql::Uid, "uuid";
        subject_id: Id => sql::Uid, "uuid";
        kind: String => Text, "text";
        key_id: String => Text, "text";
        wrapped: Option<Vec<u8>> => Nullable<Binary>, "bytea";
        created_at: At => sql::Moment, "timestamptz";
        destroyed_at: Option<At> => Nullable<sql::Moment>, "timestamptz";
    }
    key (tenant_id, subject_id) changes (key_id, wrapped, destroyed_at)
}

#[derive(Debug, Clone)]
pub(crate) struct FieldRow {
    tenant_id: Id,
    subject_id: Id,
    field: String,
    sealed: Vec<u8>,
    blind: Option<Vec<u8>>,
    updated_at: At,
}

rows! {
    FieldRow in "personal" {
        tenant_id: Id => sql::Uid, "uuid";
        subject_id: Id => sql::Uid, "uuid";
        field: String => Text, "text";
        sealed: Vec<u8> => Binary, "bytea";
        blind: Option<Vec<u8>> => Nullable<Binary>, "bytea";
        updated_at: At => sql::Moment, "timestamptz";
    }
    key (tenant_id, subject_id, field) changes (sealed, blind, updated_at)
}

impl KeyRow {
    pub(crate) fn new(tenant: TenantId, key: &DataKey) -> Self {
        Self {
            tenant_id: Id(tenant.0),
            subject_id: Id(key.subject),
            kind: key.kind.map_or(LOOK_UP, SubjectKind::name).to_owned(),
            key_id: key.key_id.clone(),
            wrapped: key.wrapped.clone(),
            created_at: At(key.created_at),
            destroyed_at: key.destroyed_at.map(At),
        }
    }
}

impl FieldRow {
    pub(crate) fn new(tenant: TenantId, field: &SealedField, at: Instant) -> Self {
        Self {
            tenant_id: Id(tenant.0),
            subject_id: Id(field.subject),
            field: field.field.name().to_owned(),
            sealed: field.sealed.clone(),
            blind: field.blind.clone(),
            updated_at: At(at),
        }
    }
}

type FieldColumns = (Id, String, Vec<u8>, Option<Vec<u8>>);

type KeyColumns = (Id, String, String, Option<Vec<u8>>, At, Option<At>);

fn key((subject, kind, key_id, wrapped, created, destroyed): KeyColumns) -> DataKey {
    DataKey {
        subject: subject.0,
        kind: SubjectKind::parse(&kind),
        key_id,
        wrapped,
        created_at: created.0,
        destroyed_at: destroyed.map(|at| at.0),
    }
}

/// The key of a subject.
pub fn key_of(db: &mut Db, tenant: TenantId, subject: Uuid) -> Result<Option<DataKey>> {
    use personal_keys::dsl as k;
    let row: Option<KeyColumns> = personal_keys::table
        .find((Id(tenant.0), Id(subject)))
        .select((k::subject_id, k::kind, k::key_id, k::wrapped, k::created_at, k::destroyed_at))
        .first(db)
        .optional()?;
    Ok(row.map(key))
}

/// The keys of some subjects.
pub fn keys_of(db: &mut Db, tenant: TenantId, subjects: &[Uuid]) -> Result<Vec<DataKey>> {
    use personal_keys::dsl as k;
    let rows: Vec<KeyColumns> = personal_keys::table
        .filter(k::tenant_id.eq(Id(tenant.0)))
        .filter(k::subject_id.eq_any(subjects.iter().map(|id| Id(*id))))
        .select((k::subject_id, k::kind, k::key_id, k::wrapped, k::created_at, k::destroyed_at))
        .load(db)?;
    Ok(rows.into_iter().map(key).collect())
}

/// The keys of a tenant after a subject: for giving each another master, a page at a time.
pub fn keys_after(db: &mut Db, tenant: TenantId, after: Uuid, limit: i64) -> Result<Vec<DataKey>> {
    use personal_keys::dsl as k;
    let rows: Vec<KeyColumns> = personal_keys::table
        .filter(k::tenant_id.eq(Id(tenant.0)).and(k::subject_id.gt(Id(after))))
        .order(k::subject_id.asc())
        .select((k::subject_id, k::kind, k::key_id, k::wrapped, k::created_at, k::destroyed_at))
        .limit(limit)
        .load(db)?;
    Ok(rows.into_iter().map(key).collect())
}

/// How many keys of a tenant each master key wraps.
pub fn masters(db: &mut Db, tenant: TenantId) -> Result<Vec<(String, i64)>> {
    use personal_keys::dsl as k;
    Ok(personal_keys::table
        .filter(k::tenant_id.eq(Id(tenant.0)).and(k::wrapped.is_not_null()))
        .group_by(k::key_id)
        .select((k::key_id, diesel::dsl::count_star()))
        .order(k::key_id.asc())
        .load(db)?)
}

/// Keeps a key unless the subject has one; answers the one it has then.
pub fn claim_key(db: &mut Db, tenant: TenantId, new: &DataKey) -> Result<DataKey> {
    use personal_keys::dsl as k;
    let values = (
        k::tenant_id.eq(Id(tenant.0)),
        k::subject_id.eq(Id(new.subject)),
        k::kind.eq(new.kind.map_or(LOOK_UP, SubjectKind::name)),
        k::key_id.eq(new.key_id.clone()),
        k::wrapped.eq(new.wrapped.clone()),
        k::created_at.eq(At(new.created_at)),
    );
    let insert = diesel::insert_into(personal_keys::table).values(values).on_conflict_do_nothing();
    each!(db, c => insert.execute(c))?;
    let gone = || StoreError::Inconsistent("a key that was just kept".to_owned());
    key_of(db, tenant, new.subject)?.ok_or_else(gone)
}

/// Puts a key under another master, unless it was destroyed meanwhile.
pub fn rewrap(db: &mut Db, tenant: TenantId, key: &DataKey) -> Result<()> {
    use personal_keys::dsl as k;
    diesel::update(personal_keys::table.find((Id(tenant.0), Id(key.subject))))
        .filter(k::destroyed_at.is_null())
        .set((k::key_id.eq(key.key_id.clone()), k::wrapped.eq(key.wrapped.clone())))
        .execute(db)?;
    Ok(())
}

/// Keeps values, new or not.
pub fn put(db: &mut Db, tenant: TenantId, fields: &[SealedField], at: Instant) -> Result<()> {
    let fields: Vec<FieldRow> =
        fields.iter().map(|field| FieldRow::new(tenant, field, at)).collect();
    Ok(rows::upsert(db, &fields.iter().collect::<Vec<_>>())?)
}

/// Forgets one value of a subject.
pub fn remove(db: &mut Db, tenant: TenantId, subject: Uuid, field: Field) -> Result<()> {
    diesel::delete(personal::table.find((Id(tenant.0), Id(subject), field.name()))).execute(db)?;
    Ok(())
}

/// The values of some subjects with their keys; those whose key was destroyed have none.
pub fn sealed(
    db: &mut Db,
    tenant: TenantId,
    subjects: &[Uuid],
    fields: &[Field],
) -> Result<HashMap<Uuid, (DataKey, Vec<SealedField>)>> {
    use personal::dsl as p;
    use personal_keys::dsl as k;
    if subjects.is_empty() {
        return Ok(HashMap::new());
    }
    let keys: Vec<KeyColumns> = personal_keys::table
        .filter(k::tenant_id.eq(Id(tenant.0)))
        .filter(k::subject_id.eq_any(subjects.iter().map(|id| Id(*id))))
        .filter(k::wrapped.is_not_null())
        .select((k::subject_id, k::kind, k::key_id, k::wrapped, k::created_at, k::destroyed_at))
        .load(db)?;
    let rows: Vec<FieldColumns> = personal::table
        .filter(p::tenant_id.eq(Id(tenant.0)))
        .filter(p::subject_id.eq_any(subjects.iter().map(|id| Id(*id))))
        .filter(p::field.eq_any(fields.iter().map(|field| field.name())))
        .order((p::subject_id.asc(), p::field.asc()))
        .select((p::subject_id, p::field, p::sealed, p::blind))
        .load(db)?;
    let mut found: HashMap<Uuid, (DataKey, Vec<SealedField>)> =
        keys.into_iter().map(key).map(|key| (key.subject, (key, Vec::new()))).collect();
    for (subject, name, sealed, blind) in rows {
        let wrong = || StoreError::Inconsistent(format!("personal {}: field", subject.0));
        let field = Field::parse(&name).ok_or_else(wrong)?;
        if let Some((_, fields)) = found.get_mut(&subject.0) {
            fields.push(SealedField { subject: subject.0, field, sealed, blind });
        }
    }
    Ok(found)
}

/// The subjects that have a value with this digest.
pub fn find(
    db: &mut Db,
    tenant: TenantId,
    field: Field,
    blind: &[u8],
    limit: i64,
) -> Result<Vec<(Uuid, SubjectKind)>> {
    use personal::dsl as p;
    let ids: Vec<Id> = personal::table
        .filter(p::tenant_id.eq(Id(tenant.0)).and(p::field.eq(field.name())))
        .filter(p::blind.eq(Some(blind.to_vec())))
        .order(p::subject_id.desc())
        .select(p::subject_id)
        .limit(limit)
        .load(db)?;
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        let kind = key_of(db, tenant, id.0)?.and_then(|key| key.kind);
        found.extend(kind.map(|kind| (id.0, kind)));
    }
    Ok(found)
}

/// Destroys the key of a subject and removes what it sealed; false when there was none, or it
/// was destroyed already. A subject without a key gets a destroyed one where `anyway`, so that
/// nothing is kept about it later.
pub fn destroy(
    db: &mut Db,
    tenant: TenantId,
    subject: Uuid,
    at: Instant,
    anyway: Option<SubjectKind>,
) -> Result<bool> {
    use personal_keys::dsl as k;
    if let Some(kind) = anyway {
        let key_id = String::new();
        let (kind, wrapped, destroyed_at) = (Some(kind), None, None);
        let none = DataKey { subject, kind, key_id, wrapped, created_at: at, destroyed_at };
        claim_key(db, tenant, &none)?;
    }
    let destroyed = diesel::update(personal_keys::table.find((Id(tenant.0), Id(subject))))
        .filter(k::destroyed_at.is_null())
        .set((k::wrapped.eq(None::<Vec<u8>>), k::destroyed_at.eq(Some(At(at)))))
        .execute(db)?;
    diesel::delete(personal::table)
        .filter(personal::tenant_id.eq(Id(tenant.0)))
        .filter(personal::subject_id.eq(Id(subject)))
        .execute(db)?;
    Ok(destroyed > 0)
}

/// The reports of a person whose contact is still kept: at most `limit`.
pub fn contacts_of(
    db: &mut Db,
    tenant: TenantId,
    person: PersonId,
    limit: i64,
) -> Result<Vec<Uuid>> {
    use personal_keys::dsl as k;
    let ids: Vec<Id> = reports::table
        .inner_join(
            personal_keys::table
                .on(k::tenant_id.eq(reports::tenant_id).and(k::subject_id.eq(reports::id))),
        )
        .filter(reports::tenant_id.eq(Id(tenant.0)).and(reports::reporter_id.eq(Id(person.0))))
        .filter(k::destroyed_at.is_null())
        .select(reports::id)
        .order(reports::id.asc())
        .limit(limit)
        .load(db)?;
    Ok(ids.into_iter().map(|id| id.0).collect())
}
