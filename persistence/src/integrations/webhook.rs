//! Webhooks: outside servers that receive events, their secrets, and the position of each in the
//! feed.

use diesel::prelude::*;
use domain::{
    Instant,
    area::tree::Path,
    core::{
        delivery::Envelope,
        id::{AreaId, PersonId, TenantId},
    },
    flows::event_type::Happening,
    rules::webhook::Status,
};
use uuid::Uuid;

use crate::{
    integrations::message::{self, Message},
    kernel::{
        connection::Db,
        error::StoreError,
        schema::{webhook_secrets, webhooks},
        types::{At, Id},
        write_job::WriteJob,
    },
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// A webhook as stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Webhook {
    /// The tenant whose events it is sent.
    pub tenant: TenantId,
    /// The identity it got when it was made.
    pub id: Uuid,
    /// Its name, for people.
    pub name: String,
    /// The address to which events are sent.
    pub url: String,
    /// The area whose events are sent.
    pub area: AreaId,
    /// The path of that area when it was set.
    pub path: Path,
    /// The types of events; all types when empty.
    pub types: Vec<Happening>,
    /// How events are wrapped.
    pub envelope: Envelope,
    /// Whether events are sent.
    pub status: Status,
    /// Why not, when this program decided it.
    pub why: Option<String>,
    /// The position in the feed up to which it was read.
    pub position: i64,
    /// Since when every attempt has failed.
    pub failing_since: Option<Instant>,
    /// When it was created.
    pub created_at: Instant,
    /// The person who made it.
    pub created_by: PersonId,
    /// When it was last changed.
    pub changed_at: Instant,
    /// Who agreed that it receives texts, and when.
    pub approval: Option<(PersonId, Instant)>,
}

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = webhooks, treat_none_as_null = true)]
struct Row {
    tenant_id: Id,
    id: Id,
    name: String,
    url: String,
    area_id: Id,
    path: String,
    types: String,
    envelope: String,
    status: String,
    why: Option<String>,
    position: i64,
    failing_since: Option<At>,
    created_at: At,
    created_by: Id,
    changed_at: At,
    approved_by: Option<Id>,
    approved_at: Option<At>,
}

impl From<&Webhook> for Row {
    fn from(hook: &Webhook) -> Self {
        let types: Vec<&str> = hook.types.iter().map(|one| one.name()).collect();
        Self {
            tenant_id: Id(hook.tenant.0),
            id: Id(hook.id),
            name: hook.name.clone(),
            url: hook.url.clone(),
            area_id: Id(hook.area.0),
            path: hook.path.0.clone(),
            types: types.join(" "),
            envelope: hook.envelope.name().to_owned(),
            status: hook.status.name().to_owned(),
            why: hook.why.clone(),
            position: hook.position,
            failing_since: hook.failing_since.map(At),
            created_at: At(hook.created_at),
            created_by: Id(hook.created_by.0),
            changed_at: At(hook.changed_at),
            approved_by: hook.approval.map(|(by, _)| Id(by.0)),
            approved_at: hook.approval.map(|(_, at)| At(at)),
        }
    }
}

impl TryFrom<Row> for Webhook {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        let wrong = |column| StoreError::Inconsistent(format!("webhooks {}: {column}", row.id.0));
        let types = row.types.split(' ').filter(|name| !name.is_empty()).map(Happening::parse);
        Ok(Self {
            tenant: TenantId(row.tenant_id.0),
            id: row.id.0,
            area: AreaId(row.area_id.0),
            path: Path(row.path),
            types: types.collect::<Option<_>>().ok_or_else(|| wrong("types"))?,
            envelope: Envelope::parse(&row.envelope).ok_or_else(|| wrong("envelope"))?,
            status: Status::parse(&row.status).ok_or_else(|| wrong("status"))?,
            name: row.name,
            url: row.url,
            why: row.why,
            position: row.position,
            failing_since: row.failing_since.map(|at| at.0),
            created_at: row.created_at.0,
            created_by: PersonId(row.created_by.0),
            changed_at: row.changed_at.0,
            approval: row.approved_by.zip(row.approved_at).map(|(by, at)| (PersonId(by.0), at.0)),
        })
    }
}

/// A secret events are signed with, sealed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Secret {
    /// The identity of the secret, not of the webhook.
    pub id: Uuid,
    /// The webhook it belongs to.
    pub webhook: Uuid,
    /// The secret, sealed.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created_at: Instant,
    /// Until when it is still used beside its replacement.
    pub expires_at: Option<Instant>,
}

/// The webhook of this identity.
pub fn find(db: &mut Db, tenant: TenantId, id: Uuid) -> Result<Option<Webhook>> {
    let row: Option<Row> = webhooks::table.find((Id(tenant.0), Id(id))).first(db).optional()?;
    row.map(Webhook::try_from).transpose()
}

/// The webhooks of a tenant over these areas, by identity, after one.
pub fn list(
    db: &mut Db,
    tenant: TenantId,
    within: &[Path],
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Webhook>> {
    let rows: Vec<Row> = webhooks::table
        .filter(webhooks::tenant_id.eq(Id(tenant.0)))
        .filter(webhooks::id.gt(Id(after.unwrap_or_default())))
        .order(webhooks::id.asc())
        .load(db)?;
    // There are tens of them, not thousands: [`MOST`].
    let hooks = rows.into_iter().map(Webhook::try_from).collect::<Result<Vec<_>>>()?;
    let seen = |hook: &Webhook| within.iter().any(|path| path.contains(&hook.path));
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    Ok(hooks.into_iter().filter(seen).take(limit).collect())
}

/// The most webhooks of a tenant.
pub const MOST: i64 = 100;

/// Every active webhook, of every tenant.
pub fn load_active(db: &mut Db) -> Result<Vec<Webhook>> {
    let rows: Vec<Row> = webhooks::table
        .filter(webhooks::status.eq(Status::Active.name()))
        .order((webhooks::tenant_id.asc(), webhooks::id.asc()))
        .load(db)?;
    rows.into_iter().map(Webhook::try_from).collect()
}

/// Adds a webhook with its first secret; false when the tenant has its largest number, or the
/// webhook exists.
pub(crate) fn add(db: &mut Db, hook: &Webhook, secret: &Secret) -> Result<bool> {
    let tenant = Id(hook.tenant.0);
    let count: i64 =
        webhooks::table.filter(webhooks::tenant_id.eq(tenant)).count().get_result(db)?;
    if count >= MOST || find(db, hook.tenant, hook.id)?.is_some() {
        return Ok(false);
    }
    diesel::insert_into(webhooks::table).values(Row::from(hook)).execute(db)?;
    add_secret(db, hook.tenant, secret)?;
    Ok(true)
}

/// Changes a webhook; its position in the feed and the agreement about texts stay.
pub(crate) fn change(db: &mut Db, hook: &Webhook) -> Result<bool> {
    let Row {
        name,
        url,
        area_id,
        path,
        types,
        envelope,
        status,
        why,
        failing_since,
        changed_at,
        ..
    } = Row::from(hook);
    let changed = diesel::update(webhooks::table.find((Id(hook.tenant.0), Id(hook.id))))
        .set((
            webhooks::name.eq(name),
            webhooks::url.eq(url),
            webhooks::area_id.eq(area_id),
            webhooks::path.eq(path),
            webhooks::types.eq(types),
            webhooks::envelope.eq(envelope),
            webhooks::status.eq(status),
            webhooks::why.eq(why),
            webhooks::failing_since.eq(failing_since),
            webhooks::changed_at.eq(changed_at),
        ))
        .execute(db)?;
    Ok(changed == 1)
}

/// Records who agreed that a webhook receives texts, or that no one does; false where the webhook
/// no longer has this address.
pub(crate) fn set_approval(
    db: &mut Db,
    hook: &Webhook,
    approval: Option<(PersonId, Instant)>,
) -> Result<bool> {
    let changed = diesel::update(webhooks::table.find((Id(hook.tenant.0), Id(hook.id))))
        .filter(webhooks::url.eq(hook.url.clone()).and(webhooks::area_id.eq(Id(hook.area.0))))
        .set((
            webhooks::approved_by.eq(approval.map(|(by, _)| Id(by.0))),
            webhooks::approved_at.eq(approval.map(|(_, at)| At(at))),
        ))
        .execute(db)?;
    Ok(changed == 1)
}

/// Removes a webhook and its secrets; its deliveries stay on record.
pub(crate) fn remove(db: &mut Db, tenant: TenantId, id: Uuid) -> Result<bool> {
    diesel::delete(webhook_secrets::table)
        .filter(webhook_secrets::tenant_id.eq(Id(tenant.0)))
        .filter(webhook_secrets::webhook_id.eq(Id(id)))
        .execute(db)?;
    let removed = diesel::delete(webhooks::table.find((Id(tenant.0), Id(id)))).execute(db)?;
    Ok(removed == 1)
}

/// Advances a webhook in the feed, if its position is unchanged.
pub(crate) fn advance(db: &mut Db, hook: &Webhook, to: i64) -> Result<bool> {
    let moved = diesel::update(webhooks::table.find((Id(hook.tenant.0), Id(hook.id))))
        .filter(webhooks::position.eq(hook.position))
        .filter(webhooks::status.eq(Status::Active.name()))
        .set(webhooks::position.eq(to))
        .execute(db)?;
    Ok(moved == 1)
}

/// Records that an attempt succeeded, or since when none has.
pub(crate) fn record_outcome(db: &mut Db, tenant: Id, id: Id, failing: Option<At>) -> Result<()> {
    let row = webhooks::table.find((tenant, id));
    match failing {
        None => diesel::update(row)
            .filter(webhooks::failing_since.is_not_null())
            .set(webhooks::failing_since.eq(None::<At>))
            .execute(db)?,
        Some(at) => diesel::update(row)
            .filter(webhooks::failing_since.is_null())
            .set(webhooks::failing_since.eq(Some(at)))
            .execute(db)?,
    };
    Ok(())
}

/// Stops an active webhook; returns whether it was active.
pub(crate) fn stop(
    db: &mut Db,
    tenant: TenantId,
    id: Uuid,
    (status, why): (Status, &str),
    at: Instant,
) -> Result<bool> {
    let stopped = diesel::update(webhooks::table.find((Id(tenant.0), Id(id))))
        .filter(webhooks::status.eq(Status::Active.name()))
        .set((
            webhooks::status.eq(status.name()),
            webhooks::why.eq(Some(why.to_owned())),
            webhooks::changed_at.eq(At(at)),
        ))
        .execute(db)?;
    Ok(stopped == 1)
}

/// The secrets of a webhook in use at this moment, newest first.
pub fn load_secrets(
    db: &mut Db,
    tenant: TenantId,
    webhook: Uuid,
    at: Instant,
) -> Result<Vec<Secret>> {
    use webhook_secrets::dsl as s;
    type Row = (Id, Vec<u8>, At, Option<At>);
    let rows: Vec<Row> = webhook_secrets::table
        .filter(s::tenant_id.eq(Id(tenant.0)).and(s::webhook_id.eq(Id(webhook))))
        .filter(s::expires_at.is_null().or(s::expires_at.gt(Some(At(at)))))
        .order(s::id.desc())
        .limit(10)
        .select((s::id, s::sealed, s::created_at, s::expires_at))
        .load(db)?;
    let secret = |(id, sealed, created, expires): Row| Secret {
        id: id.0,
        webhook,
        sealed,
        created_at: created.0,
        expires_at: expires.map(|at| at.0),
    };
    Ok(rows.into_iter().map(secret).collect())
}

/// Adds a secret in place of the existing ones, which stay valid until `until`.
pub(crate) fn rotate_secret(
    db: &mut Db,
    tenant: TenantId,
    new: &Secret,
    until: Instant,
) -> Result<()> {
    use webhook_secrets::dsl as s;
    diesel::update(webhook_secrets::table)
        .filter(s::tenant_id.eq(Id(tenant.0)).and(s::webhook_id.eq(Id(new.webhook))))
        .filter(s::expires_at.is_null())
        .set(s::expires_at.eq(Some(At(until))))
        .execute(db)?;
    diesel::delete(webhook_secrets::table)
        .filter(s::tenant_id.eq(Id(tenant.0)).and(s::webhook_id.eq(Id(new.webhook))))
        .filter(s::expires_at.le(Some(At(new.created_at))))
        .execute(db)?;
    add_secret(db, tenant, new)
}

fn add_secret(db: &mut Db, tenant: TenantId, new: &Secret) -> Result<()> {
    use webhook_secrets::dsl as s;
    diesel::insert_into(webhook_secrets::table)
        .values((
            s::tenant_id.eq(Id(tenant.0)),
            s::id.eq(Id(new.id)),
            s::webhook_id.eq(Id(new.webhook)),
            s::sealed.eq(new.sealed.clone()),
            s::created_at.eq(At(new.created_at)),
            s::expires_at.eq(new.expires_at.map(At)),
        ))
        .execute(db)?;
    Ok(())
}

/// Registers a webhook with its first secret; returns whether it was added, and the webhook that is
/// there then.
pub fn register_webhook(hook: Webhook, secret: Secret) -> WriteJob<(bool, Option<Webhook>)> {
    WriteJob::new(move |db| Ok((add(db, &hook, &secret)?, find(db, hook.tenant, hook.id)?)))
}

/// Changes a webhook; false where there is none. Without an approval the stored one ends.
pub fn change_webhook(hook: Webhook) -> WriteJob<bool> {
    WriteJob::new(move |db| {
        let changed = change(db, &hook)?;
        if changed && hook.approval.is_none() {
            set_approval(db, &hook, None)?;
        }
        Ok(changed)
    })
}

/// Sets or ends the approval of a webhook; false where its address or area has changed.
pub fn approve_webhook(hook: Webhook, approval: Option<(PersonId, Instant)>) -> WriteJob<bool> {
    WriteJob::new(move |db| set_approval(db, &hook, approval))
}

/// Stops an active webhook and adds the messages that say so; false where it is not active.
pub fn stop_webhook(
    tenant: TenantId,
    id: Uuid,
    (status, why): (Status, &'static str),
    told: Vec<Message>,
    at: Instant,
) -> WriteJob<bool> {
    WriteJob::new(move |db| {
        let stopped = stop(db, tenant, id, (status, why), at)?;
        for message in told.iter().filter(|_| stopped) {
            message::add(db, tenant, message)?;
        }
        Ok(stopped)
    })
}

/// Adds a secret; the secrets before it work until `until`.
pub fn rotate_webhook_secret(tenant: TenantId, new: Secret, until: Instant) -> WriteJob<()> {
    WriteJob::new(move |db| rotate_secret(db, tenant, &new, until))
}
