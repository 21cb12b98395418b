//! Messages to people, their preferences, and the number of WeChat subscribe messages each person
//! has agreed to.

use diesel::prelude::*;
use domain::{
    Instant,
    core::id::{PersonId, TenantId},
    rules::notice::{NoticeKind, Preferences},
};
use uuid::Uuid;

use crate::{
    integrations::delivery::{self, Delivery},
    kernel::{
        connection::{Db, each},
        error::StoreError,
        schema::{
            deliveries, feed_readers, identities, message_preferences, messages, verified_phones,
            wechat_quotas,
        },
        types::{At, Id},
        write_job::WriteJob,
    },
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// A message to a person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// The person who reads it.
    pub person: PersonId,
    /// Its identity, derived from the event and the person.
    pub id: Uuid,
    /// The kind of notice.
    pub kind: NoticeKind,
    /// The title of what it is about, with its number.
    pub title: String,
    /// The text of the message.
    pub body: String,
    /// The kind of flow it is about.
    pub flow: String,
    /// The flow it is about.
    pub flow_id: Uuid,
    /// When it was created.
    pub at: Instant,
    /// When it was read.
    pub read_at: Option<Instant>,
}

/// The name under which the progress in the feed is stored.
const READER: &str = "notices";

/// The position in a tenant's feed up to which messages were made.
pub fn load_position(db: &mut Db, tenant: TenantId) -> Result<i64> {
    let position: Option<i64> = feed_readers::table
        .find((Id(tenant.0), READER))
        .select(feed_readers::position)
        .first(db)
        .optional()?;
    Ok(position.unwrap_or(0))
}

/// The messages and deliveries of a part of the feed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Made {
    /// Messages for the message lists of people.
    pub messages: Vec<Message>,
    /// What is sent through other services.
    pub deliveries: Vec<Delivery>,
}

/// Stores messages and the position in the feed, unless another replica was faster; returns whether
/// it was done.
pub(crate) fn add_and_advance(
    db: &mut Db,
    tenant: TenantId,
    (from, to): (i64, i64),
    made: &Made,
) -> Result<bool> {
    let row = feed_readers::table.find((Id(tenant.0), READER));
    let moved = diesel::update(row)
        .filter(feed_readers::position.eq(from))
        .set(feed_readers::position.eq(to))
        .execute(db)?;
    if moved == 0 {
        let known: i64 = row.count().get_result(db)?;
        if known != 0 || from != 0 {
            return Ok(false);
        }
        let first = diesel::insert_into(feed_readers::table)
            .values((
                feed_readers::tenant_id.eq(Id(tenant.0)),
                feed_readers::id.eq(READER),
                feed_readers::position.eq(to),
            ))
            .on_conflict_do_nothing();
        if each!(db, c => first.execute(c))? == 0 {
            return Ok(false);
        }
    }
    for message in &made.messages {
        add(db, tenant, message)?;
    }
    delivery::add(db, &made.deliveries).map(|()| true)
}

/// Adds a message; one that exists already stays as it is.
pub(crate) fn add(db: &mut Db, tenant: TenantId, message: &Message) -> Result<()> {
    use messages::dsl as m;
    let insert = diesel::insert_into(messages::table)
        .values((
            m::tenant_id.eq(Id(tenant.0)),
            m::person_id.eq(Id(message.person.0)),
            m::id.eq(Id(message.id)),
            m::kind.eq(message.kind.name()),
            m::title.eq(message.title.clone()),
            m::body.eq(message.body.clone()),
            m::flow.eq(message.flow.clone()),
            m::flow_id.eq(Id(message.flow_id)),
            m::at.eq(At(message.at)),
            m::read_at.eq(message.read_at.map(At)),
        ))
        .on_conflict_do_nothing();
    each!(db, c => insert.execute(c))?;
    Ok(())
}

type Row = (Id, Id, String, String, String, String, Id, At, Option<At>);

fn message_from_row(row: Row) -> Result<Message> {
    let (person, id, kind, title, body, flow, flow_id, at, read) = row;
    let wrong = || StoreError::Inconsistent(format!("messages {}: kind", id.0));
    let kind = NoticeKind::parse(&kind).ok_or_else(wrong)?;
    let (person, id, flow_id) = (PersonId(person.0), id.0, flow_id.0);
    Ok(Message {
        person,
        id,
        kind,
        title,
        body,
        flow,
        flow_id,
        at: at.0,
        read_at: read.map(|at| at.0),
    })
}

/// The messages of a person, newest first, before one; only unread ones, if wanted.
pub fn list(
    db: &mut Db,
    tenant: TenantId,
    person: PersonId,
    unread: bool,
    before: Option<(Instant, Uuid)>,
    limit: i64,
) -> Result<Vec<Message>> {
    use messages::dsl as m;
    let mut query = messages::table
        .filter(m::tenant_id.eq(Id(tenant.0)).and(m::person_id.eq(Id(person.0))))
        .into_boxed();
    if unread {
        query = query.filter(m::read_at.is_null());
    }
    if let Some((at, id)) = before {
        let (at, id) = (At(at), Id(id));
        query = query.filter(m::at.lt(at).or(m::at.eq(at).and(m::id.lt(id))));
    }
    let rows: Vec<Row> = query
        .order((m::at.desc(), m::id.desc()))
        .limit(limit)
        .select((
            m::person_id,
            m::id,
            m::kind,
            m::title,
            m::body,
            m::flow,
            m::flow_id,
            m::at,
            m::read_at,
        ))
        .load(db)?;
    rows.into_iter().map(message_from_row).collect()
}

/// The number of unread messages of a person, counted up to `most`.
pub fn count_unread(db: &mut Db, tenant: TenantId, person: PersonId, most: i64) -> Result<i64> {
    use messages::dsl as m;
    let ids: Vec<Id> = messages::table
        .filter(m::tenant_id.eq(Id(tenant.0)).and(m::person_id.eq(Id(person.0))))
        .filter(m::read_at.is_null())
        .select(m::id)
        .limit(most)
        .load(db)?;
    Ok(i64::try_from(ids.len()).unwrap_or(most))
}

/// Marks messages of a person as read: these, or all of them made until now; returns how many.
pub(crate) fn mark_read(
    db: &mut Db,
    tenant: TenantId,
    person: PersonId,
    ids: Option<&[Uuid]>,
    at: Instant,
) -> Result<i64> {
    use messages::dsl as m;
    let mut which = messages::table
        .filter(m::tenant_id.eq(Id(tenant.0)).and(m::person_id.eq(Id(person.0))))
        .filter(m::read_at.is_null().and(m::at.le(At(at))))
        .select(m::id)
        .into_boxed();
    if let Some(ids) = ids {
        which = which.filter(m::id.eq_any(ids.iter().map(|id| Id(*id)).collect::<Vec<_>>()));
    }
    let found: Vec<Id> = which.limit(1000).load(db)?;
    let marked = diesel::update(messages::table)
        .filter(m::tenant_id.eq(Id(tenant.0)).and(m::person_id.eq(Id(person.0))))
        .filter(m::id.eq_any(found))
        .set(m::read_at.eq(Some(At(at))))
        .execute(db)?;
    Ok(i64::try_from(marked).unwrap_or(i64::MAX))
}

/// Removes messages older than `cutoff`; returns how many.
pub(crate) fn purge(db: &mut Db, tenant: TenantId, cutoff: Instant, limit: i64) -> Result<i64> {
    use messages::dsl as m;
    let old: Vec<(Id, Id)> = messages::table
        .filter(m::tenant_id.eq(Id(tenant.0)).and(m::at.lt(At(cutoff))))
        .select((m::person_id, m::id))
        .limit(limit)
        .load(db)?;
    let mut gone = 0;
    for (person, id) in old {
        let row = messages::table.find((Id(tenant.0), person, id));
        gone += diesel::delete(row).execute(db)?;
    }
    Ok(i64::try_from(gone).unwrap_or(i64::MAX))
}

/// The preferences of a person about notices.
pub fn load_preferences(db: &mut Db, tenant: TenantId, person: PersonId) -> Result<Preferences> {
    let text: Option<String> = message_preferences::table
        .find((Id(tenant.0), Id(person.0)))
        .select(message_preferences::document)
        .first(db)
        .optional()?;
    let wrong = |_| StoreError::Inconsistent(format!("message_preferences {person}: document"));
    text.map_or(Ok(Preferences::default()), |text| serde_json::from_str(&text).map_err(wrong))
}

/// Stores the preferences of a person about notices.
pub(crate) fn save_preferences(
    db: &mut Db,
    tenant: TenantId,
    person: PersonId,
    wants: &Preferences,
    at: Instant,
) -> Result<()> {
    use message_preferences::dsl as p;
    let text = serde_json::to_string(wants).unwrap_or_default();
    let row = message_preferences::table.find((Id(tenant.0), Id(person.0)));
    let changed = diesel::update(row)
        .set((p::document.eq(text.clone()), p::changed_at.eq(At(at))))
        .execute(db)?;
    if changed == 0 {
        let insert = diesel::insert_into(message_preferences::table)
            .values((
                p::tenant_id.eq(Id(tenant.0)),
                p::person_id.eq(Id(person.0)),
                p::document.eq(text),
                p::changed_at.eq(At(at)),
            ))
            .on_conflict_do_nothing();
        each!(db, c => insert.execute(c))?;
    }
    Ok(())
}

/// The number of subscribe messages of a template that a person agreed to and that were not sent
/// yet. `id` names the mini-program and the template.
pub fn load_quota(db: &mut Db, tenant: TenantId, person: PersonId, id: &str) -> Result<i32> {
    let left: Option<i32> = wechat_quotas::table
        .find((Id(tenant.0), Id(person.0), id))
        .select(wechat_quotas::remaining)
        .first(db)
        .optional()?;
    Ok(left.unwrap_or(0))
}

/// The largest number kept for one template and person.
const QUOTA: i32 = 1000;

/// Adds to that number, or subtracts from it; returns the new number, never below zero.
pub(crate) fn adjust_quota(
    db: &mut Db,
    tenant: TenantId,
    person: PersonId,
    (id, more): (&str, i32),
    at: Instant,
) -> Result<i32> {
    use wechat_quotas::dsl as q;
    let known = load_quota(db, tenant, person, id)?;
    let now = known.saturating_add(more).clamp(0, QUOTA);
    let row = wechat_quotas::table.find((Id(tenant.0), Id(person.0), id));
    let changed =
        diesel::update(row).set((q::remaining.eq(now), q::changed_at.eq(At(at)))).execute(db)?;
    if changed == 0 {
        let insert = diesel::insert_into(wechat_quotas::table)
            .values((
                q::tenant_id.eq(Id(tenant.0)),
                q::person_id.eq(Id(person.0)),
                q::id.eq(id.to_owned()),
                q::remaining.eq(now),
                q::changed_at.eq(At(at)),
            ))
            .on_conflict_do_nothing();
        each!(db, c => insert.execute(c))?;
    }
    Ok(now)
}

/// Records that a person answered under a key; returns whether it is the first time. Stored as a
/// quota that is never counted and is removed with the person.
pub(crate) fn record_answer(
    db: &mut Db,
    tenant: TenantId,
    person: PersonId,
    key: Uuid,
    at: Instant,
) -> Result<bool> {
    use wechat_quotas::dsl as q;
    let insert = diesel::insert_into(wechat_quotas::table)
        .values((
            q::tenant_id.eq(Id(tenant.0)),
            q::person_id.eq(Id(person.0)),
            q::id.eq(format!("{KEY}{key}")),
            q::remaining.eq(0),
            q::changed_at.eq(At(at)),
        ))
        .on_conflict_do_nothing();
    let first = each!(db, c => insert.execute(c))? == 1;
    // A key is repeated within minutes only, so older ones need not be kept.
    diesel::delete(wechat_quotas::table)
        .filter(q::tenant_id.eq(Id(tenant.0)).and(q::person_id.eq(Id(person.0))))
        .filter(q::id.like(format!("{KEY}%")).and(q::changed_at.lt(At(answer_cutoff(at)))))
        .execute(db)?;
    Ok(first)
}

/// The prefix of the names of keys.
const KEY: &str = "key:";

fn answer_cutoff(at: Instant) -> Instant {
    at - chrono::Duration::days(7)
}

/// The templates a person agreed to, with the number that is left.
pub fn load_quotas(db: &mut Db, tenant: TenantId, person: PersonId) -> Result<Vec<(String, i32)>> {
    Ok(wechat_quotas::table
        .filter(wechat_quotas::tenant_id.eq(Id(tenant.0)))
        .filter(wechat_quotas::person_id.eq(Id(person.0)))
        .filter(wechat_quotas::id.not_like(format!("{KEY}%")))
        .order(wechat_quotas::id.asc())
        .select((wechat_quotas::id, wechat_quotas::remaining))
        .limit(100)
        .load(db)?)
}

/// Records that a telephone number was verified as a person's: by the digest it is looked up by.
/// One number a person.
pub(crate) fn record_verified_phone(
    db: &mut Db,
    tenant: TenantId,
    person: PersonId,
    blind: &[u8],
    at: Instant,
) -> Result<()> {
    use verified_phones::dsl as v;
    forget_phone(db, tenant, person)?;
    diesel::insert_into(verified_phones::table)
        .values((
            v::tenant_id.eq(Id(tenant.0)),
            v::person_id.eq(Id(person.0)),
            v::blind.eq(blind.to_vec()),
            v::at.eq(At(at)),
        ))
        .execute(db)?;
    Ok(())
}

/// Removes the record that a number of a person was verified.
pub(crate) fn forget_phone(db: &mut Db, tenant: TenantId, person: PersonId) -> Result<()> {
    diesel::delete(verified_phones::table.find((Id(tenant.0), Id(person.0)))).execute(db)?;
    Ok(())
}

/// The digest of a person's verified number.
pub fn load_verified_phone(
    db: &mut Db,
    tenant: TenantId,
    person: PersonId,
) -> Result<Option<Vec<u8>>> {
    Ok(verified_phones::table
        .find((Id(tenant.0), Id(person.0)))
        .select(verified_phones::blind)
        .first(db)
        .optional()?)
}

/// Removes the messages of a person, the preferences, and what waits to be sent: part of erasing a
/// person.
pub(crate) fn forget_person(
    db: &mut Db,
    tenant: TenantId,
    person: PersonId,
    at: Instant,
) -> Result<()> {
    let (t, p) = (Id(tenant.0), Id(person.0));
    diesel::delete(messages::table)
        .filter(messages::tenant_id.eq(t).and(messages::person_id.eq(p)))
        .execute(db)?;
    diesel::delete(message_preferences::table.find((t, p))).execute(db)?;
    diesel::delete(wechat_quotas::table)
        .filter(wechat_quotas::tenant_id.eq(t).and(wechat_quotas::person_id.eq(p)))
        .execute(db)?;
    delivery::end_all(db, tenant, person.0, "the person was erased", at)?;
    diesel::update(deliveries::table)
        .filter(deliveries::tenant_id.eq(t).and(deliveries::target_id.eq(p)))
        .set(deliveries::content.eq("{}"))
        .execute(db)?;
    forget_phone(db, tenant, person)?;
    Ok(())
}

/// The identities of a person at the providers whose names have this prefix.
pub fn load_identities(
    db: &mut Db,
    tenant: TenantId,
    person: PersonId,
    prefix: &str,
) -> Result<Vec<(String, String)>> {
    let all: Vec<(String, String)> = identities::table
        .filter(identities::tenant_id.eq(Id(tenant.0)))
        .filter(identities::person_id.eq(Id(person.0)))
        .order((identities::provider.asc(), identities::subject.asc()))
        .select((identities::provider, identities::subject))
        .limit(50)
        .load(db)?;
    Ok(all.into_iter().filter(|(provider, _)| provider.starts_with(prefix)).collect())
}

/// Saves the messages of a part of the feed, unless another replica was faster.
pub fn add_event_messages(tenant: TenantId, (from, to): (i64, i64), made: Made) -> WriteJob<bool> {
    WriteJob::new(move |db| add_and_advance(db, tenant, (from, to), &made))
}

/// Adds a message; one that exists already stays as it is.
pub fn add_message(tenant: TenantId, message: Message) -> WriteJob<()> {
    WriteJob::new(move |db| add(db, tenant, &message))
}

/// Marks messages as read: these, or all of them; returns how many were unread.
pub fn mark_messages_read(
    tenant: TenantId,
    person: PersonId,
    ids: Option<Vec<Uuid>>,
    at: Instant,
) -> WriteJob<i64> {
    WriteJob::new(move |db| mark_read(db, tenant, person, ids.as_deref(), at))
}

/// Replaces what a person wants of messages.
pub fn replace_preferences(
    tenant: TenantId,
    person: PersonId,
    wants: Preferences,
    at: Instant,
) -> WriteJob<()> {
    WriteJob::new(move |db| save_preferences(db, tenant, person, &wants, at))
}

/// Adds to the subscribe messages of a template that a person agreed to, or takes from them;
/// returns how many are left.
pub fn change_quota(
    tenant: TenantId,
    person: PersonId,
    (id, more): (String, i32),
    at: Instant,
) -> WriteJob<i32> {
    WriteJob::new(move |db| adjust_quota(db, tenant, person, (&id, more), at))
}

/// Adds one subscribe message of each template, once for each key.
pub fn record_agreements(
    tenant: TenantId,
    (person, key): (PersonId, Uuid),
    agreed: Vec<String>,
    at: Instant,
) -> WriteJob<()> {
    WriteJob::new(move |db| {
        if !record_answer(db, tenant, person, key, at)? {
            return Ok(());
        }
        for id in &agreed {
            adjust_quota(db, tenant, person, (id, 1), at)?;
        }
        Ok(())
    })
}

/// Saves the digest of the telephone number that was checked.
pub fn save_verified_phone(
    tenant: TenantId,
    person: PersonId,
    blind: Vec<u8>,
    at: Instant,
) -> WriteJob<()> {
    WriteJob::new(move |db| record_verified_phone(db, tenant, person, &blind, at))
}

/// Forgets that a telephone number of a person was checked.
pub fn unbind_phone(tenant: TenantId, person: PersonId) -> WriteJob<()> {
    WriteJob::new(move |db| forget_phone(db, tenant, person))
}
