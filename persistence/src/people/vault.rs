//! Personal data as rows: a wrapped key for each subject, and each value, sealed by it.
//!
//! Nothing here can read a value: the caller seals and opens them.

use std::collections::HashMap;

use diesel::{
    prelude::*,
    sql_types::{Binary, Nullable, Text},
};
use domain::{
    Instant,
    core::id::{PersonId, TenantId},
    people::personal::{DataSubject, Field, SubjectKind},
};
use uuid::Uuid;

use crate::kernel::{
    connection::{Db, each},
    error::StoreError,
    feed,
    rows::{self, rows},
    schema::{personal, personal_keys, reports},
    types::{At, Id, sql},
    write_job::WriteJob,
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// The kind of the key for look-ups; its identity is nil.
const LOOK_UP: &str = "look_up";

/// The owner of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyOwner {
    /// The tenant: its values are looked up with this key. Nothing destroys it.
    LookUp,
    /// One subject, whose erasure destroys it.
    Subject(DataSubject),
}

impl KeyOwner {
    /// The identity in the row of the key.
    pub const fn id(self) -> Uuid {
        match self {
            Self::LookUp => Uuid::nil(),
            Self::Subject(subject) => subject.id,
        }
    }

    /// The kind in the row of the key.
    const fn kind(self) -> &'static str {
        match self {
            Self::LookUp => LOOK_UP,
            Self::Subject(subject) => subject.kind.name(),
        }
    }

    fn parse(kind: &str, id: Uuid) -> Result<Self> {
        if kind == LOOK_UP && id.is_nil() {
            return Ok(Self::LookUp);
        }
        let wrong = || StoreError::Inconsistent(format!("personal_keys {id}: kind"));
        let kind = SubjectKind::parse(kind).ok_or_else(wrong)?;
        Ok(Self::Subject(DataSubject { kind, id }))
    }
}

/// The key of one subject, or of the tenant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DataKey {
    /// The owner of the key.
    pub owner: KeyOwner,
    /// The master key that wraps it.
    pub key_id: String,
    /// The key, wrapped; none once it was destroyed.
    pub wrapped: Option<Vec<u8>>,
    /// When it was created.
    pub created_at: Instant,
    /// When it was destroyed.
    pub destroyed_at: Option<Instant>,
}

/// One value of a subject.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedField {
    /// The subject it is about.
    pub subject: DataSubject,
    /// The kind of value.
    pub field: Field,
    /// The value, sealed by the subject's key.
    pub sealed: Vec<u8>,
    /// The keyed digest for look-ups.
    pub blind: Option<Vec<u8>>,
}

/// The stored data of a new subject, written with the change that creates it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewSubject {
    /// The key that seals the values.
    pub key: DataKey,
    /// The values, sealed by that key.
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
    key (tenant_id, subject_id, kind) changes (key_id, wrapped, destroyed_at)
}

#[derive(Debug, Clone)]
pub(crate) struct FieldRow {
    tenant_id: Id,
    subject_id: Id,
    field: String,
    sealed: Vec<u8>,
    blind: Option<Vec<u8>>,
    updated_at: At,
    kind: String,
}

rows! {
    FieldRow in "personal" {
        tenant_id: Id => sql::Uid, "uuid";
        subject_id: Id => sql::Uid, "uuid";
        field: String => Text, "text";
        sealed: Vec<u8> => Binary, "bytea";
        blind: Option<Vec<u8>> => Nullable<Binary>, "bytea";
        updated_at: At => sql::Moment, "timestamptz";
        kind: String => Text, "text";
    }
    key (tenant_id, subject_id, kind, field) changes (sealed, blind, updated_at)
}

impl KeyRow {
    pub(crate) fn new(tenant: TenantId, key: &DataKey) -> Self {
        Self {
            tenant_id: Id(tenant.0),
            subject_id: Id(key.owner.id()),
            kind: key.owner.kind().to_owned(),
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
            subject_id: Id(field.subject.id),
            field: field.field.name().to_owned(),
            sealed: field.sealed.clone(),
            blind: field.blind.clone(),
            updated_at: At(at),
            kind: field.subject.kind.name().to_owned(),
        }
    }
}

type FieldColumns = (Id, String, Vec<u8>, Option<Vec<u8>>);

type KeyColumns = (Id, String, String, Option<Vec<u8>>, At, Option<At>);

pub(crate) fn key_from_row(
    (id, kind, key_id, wrapped, created, destroyed): KeyColumns,
) -> Result<DataKey> {
    Ok(DataKey {
        owner: KeyOwner::parse(&kind, id.0)?,
        key_id,
        wrapped,
        created_at: created.0,
        destroyed_at: destroyed.map(|at| at.0),
    })
}

/// The key of an owner.
pub fn load_key(db: &mut Db, tenant: TenantId, owner: KeyOwner) -> Result<Option<DataKey>> {
    use personal_keys::dsl as k;
    let row: Option<KeyColumns> = personal_keys::table
        .find((Id(tenant.0), Id(owner.id()), owner.kind()))
        .select((k::subject_id, k::kind, k::key_id, k::wrapped, k::created_at, k::destroyed_at))
        .first(db)
        .optional()?;
    row.map(key_from_row).transpose()
}

/// The keys of some subjects of a kind.
pub fn load_keys(
    db: &mut Db,
    tenant: TenantId,
    (kind, subjects): (SubjectKind, &[Uuid]),
) -> Result<Vec<(Uuid, DataKey)>> {
    use personal_keys::dsl as k;
    let rows: Vec<KeyColumns> = personal_keys::table
        .filter(k::tenant_id.eq(Id(tenant.0)).and(k::kind.eq(kind.name())))
        .filter(k::subject_id.eq_any(subjects.iter().map(|id| Id(*id))))
        .select((k::subject_id, k::kind, k::key_id, k::wrapped, k::created_at, k::destroyed_at))
        .load(db)?;
    rows.into_iter().map(|row| Ok((row.0.0, key_from_row(row)?))).collect()
}

/// The keys of the subjects of a tenant after one of them: for wrapping each with another master
/// key, a page at a time.
pub fn list_keys(
    db: &mut Db,
    tenant: TenantId,
    after: Option<DataSubject>,
    limit: i64,
) -> Result<Vec<(DataSubject, DataKey)>> {
    use personal_keys::dsl as k;
    let (id, kind) = after.map_or((Uuid::nil(), ""), |last| (last.id, last.kind.name()));
    let rows: Vec<KeyColumns> = personal_keys::table
        .filter(k::tenant_id.eq(Id(tenant.0)).and(k::kind.ne(LOOK_UP)))
        .filter(k::subject_id.ge(Id(id)))
        .filter(k::subject_id.gt(Id(id)).or(k::kind.gt(kind)))
        .order((k::subject_id.asc(), k::kind.asc()))
        .select((k::subject_id, k::kind, k::key_id, k::wrapped, k::created_at, k::destroyed_at))
        .limit(limit)
        .load(db)?;
    let mut keys = Vec::with_capacity(rows.len());
    for row in rows {
        let key = key_from_row(row)?;
        if let KeyOwner::Subject(subject) = key.owner {
            keys.push((subject, key));
        }
    }
    Ok(keys)
}

/// The number of keys of a tenant that each master key wraps.
pub fn count_by_master(db: &mut Db, tenant: TenantId) -> Result<Vec<(String, i64)>> {
    use personal_keys::dsl as k;
    Ok(personal_keys::table
        .filter(k::tenant_id.eq(Id(tenant.0)).and(k::wrapped.is_not_null()))
        .group_by(k::key_id)
        .select((k::key_id, diesel::dsl::count_star()))
        .order(k::key_id.asc())
        .load(db)?)
}

/// Stores a key unless its owner has one; returns the stored one.
pub(crate) fn claim_key(db: &mut Db, tenant: TenantId, new: &DataKey) -> Result<DataKey> {
    use personal_keys::dsl as k;
    let values = (
        k::tenant_id.eq(Id(tenant.0)),
        k::subject_id.eq(Id(new.owner.id())),
        k::kind.eq(new.owner.kind()),
        k::key_id.eq(new.key_id.clone()),
        k::wrapped.eq(new.wrapped.clone()),
        k::created_at.eq(At(new.created_at)),
    );
    let insert = diesel::insert_into(personal_keys::table).values(values).on_conflict_do_nothing();
    each!(db, c => insert.execute(c))?;
    let gone = || StoreError::Inconsistent("a key that was just kept".to_owned());
    load_key(db, tenant, new.owner)?.ok_or_else(gone)
}

/// Replaces a lost look-up key: every digest has to be computed again with the new one.
pub(crate) fn replace_lookup_key(db: &mut Db, tenant: TenantId, new: &DataKey) -> Result<()> {
    use personal_keys::dsl as k;
    diesel::update(personal_keys::table.find((Id(tenant.0), Id(Uuid::nil()), LOOK_UP)))
        .set((
            k::key_id.eq(new.key_id.clone()),
            k::wrapped.eq(new.wrapped.clone()),
            k::destroyed_at.eq(None::<At>),
        ))
        .execute(db)?;
    Ok(())
}

/// Stores a key wrapped by another master key, unless it was destroyed meanwhile.
pub(crate) fn rewrap(db: &mut Db, tenant: TenantId, key: &DataKey) -> Result<()> {
    use personal_keys::dsl as k;
    let row = (Id(tenant.0), Id(key.owner.id()), key.owner.kind());
    diesel::update(personal_keys::table.find(row))
        .filter(k::destroyed_at.is_null())
        .set((k::key_id.eq(key.key_id.clone()), k::wrapped.eq(key.wrapped.clone())))
        .execute(db)?;
    Ok(())
}

/// Stores values, new or not.
pub(crate) fn put_fields(
    db: &mut Db,
    tenant: TenantId,
    fields: &[SealedField],
    at: Instant,
) -> Result<()> {
    let fields: Vec<FieldRow> =
        fields.iter().map(|field| FieldRow::new(tenant, field, at)).collect();
    Ok(rows::upsert(db, &fields.iter().collect::<Vec<_>>())?)
}

/// Removes one value of a subject.
pub(crate) fn remove_field(
    db: &mut Db,
    tenant: TenantId,
    subject: DataSubject,
    field: Field,
) -> Result<()> {
    let row = (Id(tenant.0), Id(subject.id), subject.kind.name(), field.name());
    diesel::delete(personal::table.find(row)).execute(db)?;
    Ok(())
}

/// The values of some subjects of a kind with their keys; those whose key was destroyed have none.
pub fn load_sealed(
    db: &mut Db,
    tenant: TenantId,
    (kind, subjects): (SubjectKind, &[Uuid]),
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
        .filter(k::kind.eq(kind.name()))
        .filter(k::wrapped.is_not_null())
        .select((k::subject_id, k::kind, k::key_id, k::wrapped, k::created_at, k::destroyed_at))
        .load(db)?;
    let rows: Vec<FieldColumns> = personal::table
        .filter(p::tenant_id.eq(Id(tenant.0)))
        .filter(p::subject_id.eq_any(subjects.iter().map(|id| Id(*id))))
        .filter(p::kind.eq(kind.name()))
        .filter(p::field.eq_any(fields.iter().map(|field| field.name())))
        .order((p::subject_id.asc(), p::field.asc()))
        .select((p::subject_id, p::field, p::sealed, p::blind))
        .load(db)?;
    let mut found: HashMap<Uuid, (DataKey, Vec<SealedField>)> = HashMap::with_capacity(keys.len());
    for row in keys {
        found.insert(row.0.0, (key_from_row(row)?, Vec::new()));
    }
    for (subject, name, sealed, blind) in rows {
        let wrong = || StoreError::Inconsistent(format!("personal {}: field", subject.0));
        let field = Field::parse(&name).ok_or_else(wrong)?;
        if let Some((_, fields)) = found.get_mut(&subject.0) {
            let subject = DataSubject::new(kind, subject.0);
            fields.push(SealedField { subject, field, sealed, blind });
        }
    }
    Ok(found)
}

/// Whether a tenant has values for look-ups, so that the look-up key must exist.
pub fn has_searchable_values(db: &mut Db, tenant: TenantId) -> Result<bool> {
    use personal::dsl as p;
    let some: Option<Id> = personal::table
        .filter(p::tenant_id.eq(Id(tenant.0)).and(p::blind.is_not_null()))
        .select(p::subject_id)
        .first(db)
        .optional()?;
    Ok(some.is_some())
}

/// The subjects that have a value with this digest, the newest first.
pub fn find_subjects(
    db: &mut Db,
    tenant: TenantId,
    field: Field,
    blind: &[u8],
    limit: i64,
) -> Result<Vec<DataSubject>> {
    use personal::dsl as p;
    let rows: Vec<(Id, String)> = personal::table
        .filter(p::tenant_id.eq(Id(tenant.0)).and(p::field.eq(field.name())))
        .filter(p::blind.eq(Some(blind.to_vec())))
        .order((p::subject_id.desc(), p::kind.desc()))
        .select((p::subject_id, p::kind))
        .limit(limit)
        .load(db)?;
    let subject = |(id, kind): (Id, String)| {
        let wrong = || StoreError::Inconsistent(format!("personal {}: kind", id.0));
        Ok(DataSubject::new(SubjectKind::parse(&kind).ok_or_else(wrong)?, id.0))
    };
    rows.into_iter().map(subject).collect()
}

/// Destroys the key of a subject and removes what it sealed; false when there was none, or it was
/// destroyed already. Keys of a tenant have no subject: nothing destroys them.
pub(crate) fn destroy_key(
    db: &mut Db,
    tenant: TenantId,
    subject: DataSubject,
    at: Instant,
) -> Result<bool> {
    use personal_keys::dsl as k;
    let (id, kind) = (Id(subject.id), subject.kind.name());
    let destroyed = diesel::update(personal_keys::table.find((Id(tenant.0), id, kind)))
        .filter(k::destroyed_at.is_null())
        .set((k::wrapped.eq(None::<Vec<u8>>), k::destroyed_at.eq(Some(At(at)))))
        .execute(db)?;
    diesel::delete(personal::table)
        .filter(personal::tenant_id.eq(Id(tenant.0)))
        .filter(personal::subject_id.eq(id).and(personal::kind.eq(kind)))
        .execute(db)?;
    Ok(destroyed > 0)
}

/// The same, also for a subject without a key: it gets a destroyed one, so that nothing can be
/// stored about it later.
pub(crate) fn destroy_for_good(
    db: &mut Db,
    tenant: TenantId,
    subject: DataSubject,
    at: Instant,
) -> Result<bool> {
    let none = DataKey {
        owner: KeyOwner::Subject(subject),
        key_id: String::new(),
        wrapped: None,
        created_at: at,
        destroyed_at: None,
    };
    claim_key(db, tenant, &none)?;
    destroy_key(db, tenant, subject, at)
}

/// The reports of a person whose contact is still stored, at most `limit`.
pub fn load_contact_reports(
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
        .filter(k::kind.eq(SubjectKind::Report.name()))
        .filter(reports::tenant_id.eq(Id(tenant.0)).and(reports::reporter_id.eq(Id(person.0))))
        .filter(k::destroyed_at.is_null())
        .select(reports::id)
        .order(reports::id.asc())
        .limit(limit)
        .load(db)?;
    Ok(ids.into_iter().map(|id| id.0).collect())
}

/// Saves a key unless its owner has one; returns the key there is then.
pub fn claim_data_key(tenant: TenantId, new: DataKey) -> WriteJob<DataKey> {
    WriteJob::new(move |db| claim_key(db, tenant, &new))
}

/// Replaces a lost key that values are looked up with: every digest must be computed again.
pub fn renew_lookup_key(tenant: TenantId, new: DataKey) -> WriteJob<()> {
    WriteJob::new(move |db| replace_lookup_key(db, tenant, &new))
}

/// Saves a key under another master, unless it was destroyed meanwhile.
pub fn save_wrapped_key(tenant: TenantId, key: DataKey) -> WriteJob<()> {
    WriteJob::new(move |db| rewrap(db, tenant, &key))
}

/// Replaces `stale` values by `fresh` ones and saves the key that `moved` to another master. What
/// another writer erased or changed meanwhile stays as it is.
pub fn replace_sealed_values(
    tenant: TenantId,
    subject: DataSubject,
    (stale, fresh): (Vec<SealedField>, Vec<SealedField>),
    moved: Option<DataKey>,
    at: Instant,
) -> WriteJob<()> {
    WriteJob::new(move |db| {
        let now = load_sealed(db, tenant, (subject.kind, &[subject.id]), Field::ALL)?;
        let now = now.get(&subject.id).map(|(_, fields)| fields.as_slice());
        let same = |one: &SealedField| {
            now.is_some_and(|now| {
                stale.iter().any(|old| old.field == one.field && now.contains(old))
            })
        };
        let fresh: Vec<SealedField> = fresh.into_iter().filter(|one| same(one)).collect();
        put_fields(db, tenant, &fresh, at)?;
        moved.map_or(Ok(()), |key| rewrap(db, tenant, &key))
    })
}

/// Saves values of a subject and removes those of the fields in `removed`; false where its key was
/// destroyed meanwhile: nothing must be saved after that.
pub fn save_values(
    tenant: TenantId,
    subject: DataSubject,
    fields: Vec<SealedField>,
    removed: Vec<Field>,
    at: Instant,
) -> WriteJob<bool> {
    WriteJob::new(move |db| {
        let key = load_key(db, tenant, KeyOwner::Subject(subject))?;
        if key.is_none_or(|key| key.destroyed_at.is_some()) {
            return Ok(false);
        }
        for field in removed {
            remove_field(db, tenant, subject, field)?;
        }
        put_fields(db, tenant, &fields, at)?;
        Ok(true)
    })
}

/// Destroys the keys of the contacts in reports of a person, at most `limit`; returns how many.
/// It waits for the commands that are being written: their reports may name contacts.
pub fn destroy_contact_keys(
    tenant: TenantId,
    person: PersonId,
    limit: i64,
    at: Instant,
) -> WriteJob<i64> {
    WriteJob::new(move |db| {
        feed::await_commands(db, tenant)?;
        let page = load_contact_reports(db, tenant, person, limit)?;
        for report in &page {
            destroy_key(db, tenant, DataSubject::new(SubjectKind::Report, *report), at)?;
        }
        Ok(i64::try_from(page.len()).unwrap_or(limit))
    })
}

/// Destroys the key of a subject, so that none is ever made for it; false where there was none.
pub fn destroy_key_for_good(tenant: TenantId, subject: DataSubject, at: Instant) -> WriteJob<bool> {
    WriteJob::new(move |db| destroy_for_good(db, tenant, subject, at))
}
