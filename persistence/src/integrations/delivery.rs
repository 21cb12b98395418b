//! Deliveries as rows: made together with advancing in the feed, leased by the replica that sends
//! them, and kept until they are final, with every attempt.

use std::collections::BTreeMap;

use diesel::prelude::*;
use domain::{
    Instant,
    core::{
        delivery::{Channel, Outcome, State},
        id::TenantId,
    },
    flows::event_type::Happening,
    rules::webhook::Status,
};
use uuid::Uuid;

use crate::{
    integrations::webhook::{self, Webhook},
    kernel::{
        connection::{Db, each},
        error::StoreError,
        schema::{attempts, deliveries, webhooks},
        types::{At, Id},
        write_job::WriteJob,
    },
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// A delivery to another party.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// The tenant it belongs to.
    pub tenant: TenantId,
    /// The identity of the delivery, not of the event.
    pub id: Uuid,
    /// The channel it is sent through.
    pub channel: Channel,
    /// The target: a webhook or a person.
    pub target: Uuid,
    /// The identity of the event; the same for every delivery of it.
    pub event: Uuid,
    /// The type of an event, or the kind of a notice.
    pub kind: String,
    /// The flow it is about; deliveries about one flow are sent in order.
    pub flow: Uuid,
    /// The position of the entry in the feed.
    pub position: i64,
    /// The part of that entry.
    pub part: i16,
    /// The content, as JSON.
    pub content: String,
    /// Its state at present.
    pub state: State,
    /// The number of attempts.
    pub attempts: i32,
    /// When it was created.
    pub created_at: Instant,
    /// When it will be tried next; none when it is final.
    pub next_at: Option<Instant>,
    /// When it became final.
    pub ended_at: Option<Instant>,
    /// Why it was not delivered.
    pub why: Option<String>,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = deliveries)]
struct Row {
    tenant_id: Id,
    id: Id,
    channel: String,
    target_id: Id,
    event_id: Id,
    kind: String,
    flow_id: Id,
    position: i64,
    part: i16,
    content: String,
    state: String,
    attempts: i32,
    created_at: At,
    next_at: Option<At>,
    leased_until: Option<At>,
    leased_by: Option<Id>,
    ended_at: Option<At>,
    why: Option<String>,
}

impl From<&Delivery> for Row {
    fn from(one: &Delivery) -> Self {
        Self {
            tenant_id: Id(one.tenant.0),
            id: Id(one.id),
            channel: one.channel.name().to_owned(),
            target_id: Id(one.target),
            event_id: Id(one.event),
            kind: one.kind.clone(),
            flow_id: Id(one.flow),
            position: one.position,
            part: one.part,
            content: one.content.clone(),
            state: one.state.name().to_owned(),
            attempts: one.attempts,
            created_at: At(one.created_at),
            next_at: one.next_at.map(At),
            leased_until: None,
            leased_by: None,
            ended_at: one.ended_at.map(At),
            why: one.why.clone(),
        }
    }
}

impl TryFrom<Row> for Delivery {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        let wrong = |column| StoreError::Inconsistent(format!("deliveries {}: {column}", row.id.0));
        Ok(Self {
            tenant: TenantId(row.tenant_id.0),
            id: row.id.0,
            channel: Channel::parse(&row.channel).ok_or_else(|| wrong("channel"))?,
            target: row.target_id.0,
            event: row.event_id.0,
            flow: row.flow_id.0,
            position: row.position,
            part: row.part,
            state: State::parse(&row.state).ok_or_else(|| wrong("state"))?,
            attempts: row.attempts,
            created_at: row.created_at.0,
            next_at: row.next_at.map(|at| at.0),
            ended_at: row.ended_at.map(|at| at.0),
            kind: row.kind,
            content: row.content,
            why: row.why,
        })
    }
}

/// One attempt to deliver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attempt {
    /// Its number, from 1.
    pub no: i32,
    /// When it was made.
    pub at: Instant,
    /// How long it took, in milliseconds.
    pub took_ms: i32,
    /// The HTTP status of the answer; none when there was no answer.
    pub status: Option<i32>,
    /// The result of the attempt.
    pub outcome: Outcome,
    /// The request, without secrets, cut short.
    pub request: String,
    /// The answer or the error, cut short.
    pub response: String,
}

type AttemptRow = (i32, At, i32, Option<i32>, String, String, String);

/// Adds deliveries; one that exists already stays as it is.
pub(crate) fn add(db: &mut Db, new: &[Delivery]) -> Result<()> {
    for chunk in new.chunks(100) {
        let rows: Vec<Row> = chunk.iter().map(Row::from).collect();
        match db {
            Db::Postgres(c) => {
                diesel::insert_into(deliveries::table)
                    .values(&rows)
                    .on_conflict_do_nothing()
                    .execute(c)?;
            }
            Db::Sqlite(c) => {
                for row in &rows {
                    diesel::insert_into(deliveries::table)
                        .values(row)
                        .on_conflict_do_nothing()
                        .execute(c)?;
                }
            }
        }
    }
    Ok(())
}

/// Adds the deliveries of a webhook and advances it in the feed, unless another replica advanced
/// it, or it is no longer active; returns whether it was done.
pub(crate) fn add_and_advance(
    db: &mut Db,
    hook: &Webhook,
    to: i64,
    new: &[Delivery],
) -> Result<bool> {
    if !webhook::advance(db, hook, to)? {
        return Ok(false);
    }
    add(db, new)?;
    Ok(true)
}

/// The number of deliveries to a target that are not final.
pub fn count_waiting(db: &mut Db, tenant: TenantId, target: Uuid) -> Result<i64> {
    use deliveries::dsl as d;
    Ok(deliveries::table
        .filter(d::tenant_id.eq(Id(tenant.0)).and(d::target_id.eq(Id(target))))
        .filter(d::next_at.is_not_null())
        .count()
        .get_result(db)?)
}

/// The lease of a replica: no other replica sends these deliveries until it ends.
#[derive(Clone, Copy, Debug)]
pub struct Lease {
    /// A new identity for each lease.
    pub by: Uuid,
    /// When the lease is taken.
    pub now: Instant,
    /// When the lease ends by itself.
    pub until: Instant,
}

/// The kind of recipients.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Audience {
    /// People, through messages that other services carry.
    People,
    /// Outside servers, through webhooks.
    Servers,
}

/// Leases what is due for one audience, oldest first, at most `limit`. A delivery about a flow
/// waits until earlier ones to the same target about the same flow are final; a delivery to a
/// webhook that is not active waits until it is.
pub(crate) fn lease(
    db: &mut Db,
    lease: Lease,
    audience: Audience,
    limit: i64,
) -> Result<Vec<Delivery>> {
    use deliveries::dsl as d;
    let Lease { by, now, until } = lease;
    let earlier = diesel::alias!(deliveries as earlier);
    let before = earlier
        .filter(earlier.field(d::tenant_id).eq(d::tenant_id))
        .filter(earlier.field(d::target_id).eq(d::target_id))
        .filter(earlier.field(d::flow_id).eq(d::flow_id))
        .filter(earlier.field(d::next_at).is_not_null())
        // Only servers receive in order; messages to people are not held up by anything.
        .filter(earlier.field(d::channel).eq(Channel::Webhook.name()))
        .filter(earlier.field(d::position).lt(d::position).or(
            earlier.field(d::position).eq(d::position).and(earlier.field(d::part).lt(d::part)),
        ));
    let stopped = webhooks::table
        .filter(webhooks::tenant_id.eq(d::tenant_id).and(webhooks::id.eq(d::target_id)))
        .filter(webhooks::status.ne(Status::Active.name()));
    let free = d::leased_until.is_null().or(d::leased_until.le(Some(At(now))));
    let mut query = deliveries::table
        .select((d::tenant_id, d::id))
        .filter(d::next_at.le(Some(At(now))))
        .into_boxed();
    query = match audience {
        Audience::Servers => query.filter(d::channel.eq(Channel::Webhook.name())),
        Audience::People => query.filter(d::channel.ne(Channel::Webhook.name())),
    };
    let due: Vec<(Id, Id)> = query
        .filter(free)
        .filter(diesel::dsl::not(diesel::dsl::exists(before)))
        .filter(diesel::dsl::not(diesel::dsl::exists(stopped)))
        .order((d::next_at.asc(), d::position.asc(), d::part.asc()))
        .limit(limit)
        .load(db)?;
    let mut chosen: BTreeMap<Id, Vec<Id>> = BTreeMap::new();
    for (tenant, id) in due {
        chosen.entry(tenant).or_default().push(id);
    }
    for (tenant, ids) in chosen {
        // Of two replicas that chose the same delivery, one finds it leased.
        diesel::update(deliveries::table)
            .filter(d::tenant_id.eq(tenant).and(d::id.eq_any(ids)))
            .filter(d::next_at.is_not_null())
            .filter(d::leased_until.is_null().or(d::leased_until.le(Some(At(now)))))
            .set((d::leased_until.eq(Some(At(until))), d::leased_by.eq(Some(Id(by)))))
            .execute(db)?;
    }
    let rows: Vec<Row> = deliveries::table
        .filter(d::leased_by.eq(Some(Id(by))))
        .order((d::position.asc(), d::part.asc()))
        .load(db)?;
    rows.into_iter().map(Delivery::try_from).collect()
}

/// The result of an attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tried {
    /// The delivery as it is now.
    pub delivery: Delivery,
    /// The attempt; none when nothing was sent.
    pub attempt: Option<Attempt>,
    /// Whether it changes the state of a webhook: it began to fail, or works again.
    pub news: bool,
}

/// Stores the results of leased deliveries. A delivery that another replica leased meanwhile,
/// because this one took too long, is left to that replica: only the attempt is stored then.
pub(crate) fn settle(db: &mut Db, by: Uuid, tried: &[Tried]) -> Result<()> {
    use deliveries::dsl as d;
    for Tried { delivery, attempt, news } in tried {
        let (tenant, id) = (Id(delivery.tenant.0), Id(delivery.id));
        let ours = diesel::update(deliveries::table.find((tenant, id)))
            .filter(d::leased_by.eq(Some(Id(by))))
            .set((
                d::state.eq(delivery.state.name()),
                d::attempts.eq(delivery.attempts),
                d::next_at.eq(delivery.next_at.map(At)),
                d::ended_at.eq(delivery.ended_at.map(At)),
                d::why.eq(delivery.why.clone()),
                d::leased_until.eq(None::<At>),
                d::leased_by.eq(None::<Id>),
            ))
            .execute(db)?;
        let Some(attempt) = attempt else { continue };
        let no = if ours == 1 { attempt.no } else { load_next_no(db, tenant, id)? };
        insert_attempt(db, (tenant, id), no, attempt)?;
        if *news {
            let failing = (attempt.outcome != Outcome::Taken).then_some(At(attempt.at));
            webhook::record_outcome(db, tenant, Id(delivery.target), failing)?;
        }
    }
    Ok(())
}

fn load_next_no(db: &mut Db, tenant: Id, delivery: Id) -> Result<i32> {
    use attempts::dsl as a;
    let last: Option<i32> = attempts::table
        .filter(a::tenant_id.eq(tenant).and(a::delivery_id.eq(delivery)))
        .select(diesel::dsl::max(a::no))
        .first(db)?;
    Ok(last.unwrap_or(0) + 1)
}

fn insert_attempt(
    db: &mut Db,
    (tenant, delivery): (Id, Id),
    no: i32,
    attempt: &Attempt,
) -> Result<()> {
    use attempts::dsl as a;
    let mut no = no;
    // Another number when another replica, which gave this one up for lost, has used it.
    for _ in 0..2 {
        let insert = diesel::insert_into(attempts::table)
            .values((
                a::tenant_id.eq(tenant),
                a::delivery_id.eq(delivery),
                a::no.eq(no),
                a::at.eq(At(attempt.at)),
                a::took_ms.eq(attempt.took_ms),
                a::status.eq(attempt.status),
                a::outcome.eq(attempt.outcome.name()),
                a::request.eq(attempt.request.clone()),
                a::response.eq(attempt.response.clone()),
            ))
            .on_conflict_do_nothing();
        if each!(db, c => insert.execute(c))? == 1 {
            break;
        }
        no = load_next_no(db, tenant, delivery)?;
    }
    Ok(())
}

/// A delivery with its attempts.
pub fn find(db: &mut Db, tenant: TenantId, id: Uuid) -> Result<Option<(Delivery, Vec<Attempt>)>> {
    use attempts::dsl as a;
    let row: Option<Row> = deliveries::table.find((Id(tenant.0), Id(id))).first(db).optional()?;
    let Some(row) = row else { return Ok(None) };
    let rows: Vec<AttemptRow> = attempts::table
        .filter(a::tenant_id.eq(Id(tenant.0)).and(a::delivery_id.eq(Id(id))))
        .order(a::no.asc())
        .limit(200)
        .select((a::no, a::at, a::took_ms, a::status, a::outcome, a::request, a::response))
        .load(db)?;
    let wrong = || StoreError::Inconsistent(format!("attempts {id}: outcome"));
    let attempt = |(no, at, took_ms, status, outcome, request, response): AttemptRow| {
        let outcome = Outcome::parse(&outcome).ok_or_else(wrong)?;
        Ok(Attempt { no, at: at.0, took_ms, status, outcome, request, response })
    };
    let attempts = rows.into_iter().map(attempt).collect::<Result<_>>()?;
    Ok(Some((Delivery::try_from(row)?, attempts)))
}

/// Which deliveries to list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// Only to this target.
    pub target: Option<Uuid>,
    /// Only through this channel.
    pub channel: Option<Channel>,
    /// Only in this state.
    pub state: Option<State>,
    /// Only of this type.
    pub kind: Option<Happening>,
    /// Only to these webhooks, and to no people.
    pub webhooks: Option<Vec<Uuid>>,
}

/// The deliveries of a tenant, newest first, before one.
pub fn list(
    db: &mut Db,
    tenant: TenantId,
    filter: &Filter,
    before: Option<(Instant, Uuid)>,
    limit: i64,
) -> Result<Vec<Delivery>> {
    use deliveries::dsl as d;
    let mut query = deliveries::table.filter(d::tenant_id.eq(Id(tenant.0))).into_boxed();
    if let Some(target) = filter.target {
        // Deliveries to people cannot be listed by person.
        query = query.filter(d::target_id.eq(Id(target)));
        query = query.filter(d::channel.eq(Channel::Webhook.name()));
    }
    if let Some(webhooks) = &filter.webhooks {
        let ids: Vec<Id> = webhooks.iter().map(|id| Id(*id)).collect();
        query = query.filter(d::channel.eq(Channel::Webhook.name()).and(d::target_id.eq_any(ids)));
    }
    if let Some(channel) = filter.channel {
        query = query.filter(d::channel.eq(channel.name()));
    }
    if let Some(state) = filter.state {
        query = query.filter(d::state.eq(state.name()));
    }
    if let Some(kind) = filter.kind {
        query = query.filter(d::kind.eq(kind.name()));
    }
    if let Some((at, id)) = before {
        let (at, id) = (At(at), Id(id));
        query = query.filter(d::created_at.lt(at).or(d::created_at.eq(at).and(d::id.lt(id))));
    }
    let rows: Vec<Row> = query.order((d::created_at.desc(), d::id.desc())).limit(limit).load(db)?;
    rows.into_iter().map(Delivery::try_from).collect()
}

/// Which deliveries to retry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Again {
    /// The target of the deliveries.
    pub target: Uuid,
    /// Created at or after this.
    pub from: Instant,
    /// And before this.
    pub until: Instant,
    /// All final ones, whatever their state; otherwise only those that failed.
    pub delivered: bool,
}

/// Retries final deliveries, oldest first; returns how many.
pub(crate) fn retry_all(
    db: &mut Db,
    tenant: TenantId,
    which: Again,
    at: Instant,
    limit: i64,
) -> Result<i64> {
    use deliveries::dsl as d;
    let mut query = deliveries::table
        .filter(d::tenant_id.eq(Id(tenant.0)).and(d::target_id.eq(Id(which.target))))
        .filter(d::next_at.is_null())
        .filter(d::created_at.ge(At(which.from)).and(d::created_at.lt(At(which.until))))
        .into_boxed();
    if !which.delivered {
        query = query.filter(d::state.eq(State::Failed.name()));
    }
    let ids: Vec<Id> =
        query.order((d::created_at.asc(), d::id.asc())).select(d::id).limit(limit).load(db)?;
    let mut count = 0;
    for id in ids {
        count += i64::from(retry(db, tenant, id.0, at)?);
    }
    Ok(count)
}

/// Retries one final delivery, with as many attempts as the first time; returns whether it was
/// final.
pub(crate) fn retry(db: &mut Db, tenant: TenantId, id: Uuid, at: Instant) -> Result<bool> {
    use deliveries::dsl as d;
    let changed = diesel::update(deliveries::table.find((Id(tenant.0), Id(id))))
        .filter(d::next_at.is_null())
        .set((
            d::state.eq(State::Waiting.name()),
            d::attempts.eq(0),
            d::next_at.eq(Some(At(at))),
            d::ended_at.eq(None::<At>),
            d::why.eq(None::<String>),
        ))
        .execute(db)?;
    Ok(changed == 1)
}

/// Adds one delivery that no event caused.
pub(crate) fn add_one(db: &mut Db, new: &Delivery) -> Result<()> {
    add(db, std::slice::from_ref(new))
}

/// Ends every waiting delivery to a target, because it is gone.
pub(crate) fn end_all(
    db: &mut Db,
    tenant: TenantId,
    target: Uuid,
    why: &str,
    at: Instant,
) -> Result<()> {
    use deliveries::dsl as d;
    diesel::update(deliveries::table)
        .filter(d::tenant_id.eq(Id(tenant.0)).and(d::target_id.eq(Id(target))))
        .filter(d::next_at.is_not_null())
        .set((
            d::state.eq(State::Skipped.name()),
            d::next_at.eq(None::<At>),
            d::leased_until.eq(None::<At>),
            d::leased_by.eq(None::<Id>),
            d::ended_at.eq(Some(At(at))),
            d::why.eq(Some(why.to_owned())),
        ))
        .execute(db)?;
    Ok(())
}

/// Removes deliveries that became final before `cutoff`, with their attempts; returns how many.
pub(crate) fn purge(db: &mut Db, tenant: TenantId, cutoff: Instant, limit: i64) -> Result<i64> {
    use deliveries::dsl as d;
    let old: Vec<Id> = deliveries::table
        .filter(d::tenant_id.eq(Id(tenant.0)).and(d::ended_at.lt(Some(At(cutoff)))))
        .select(d::id)
        .limit(limit)
        .load(db)?;
    diesel::delete(attempts::table)
        .filter(attempts::tenant_id.eq(Id(tenant.0)))
        .filter(attempts::delivery_id.eq_any(old.clone()))
        .execute(db)?;
    let gone = diesel::delete(deliveries::table)
        .filter(d::tenant_id.eq(Id(tenant.0)).and(d::id.eq_any(old)))
        .execute(db)?;
    Ok(i64::try_from(gone).unwrap_or(i64::MAX))
}

/// Makes the deliveries of a part of the feed and advances the webhook, unless `backlog` deliveries
/// wait already or another replica was faster; returns whether it was done.
pub fn add_event_deliveries(
    hook: Webhook,
    to: i64,
    new: Vec<Delivery>,
    backlog: i64,
) -> WriteJob<bool> {
    WriteJob::new(move |db| {
        if count_waiting(db, hook.tenant, hook.id)? >= backlog {
            return Ok(false);
        }
        add_and_advance(db, &hook, to, &new)
    })
}

/// Leases deliveries that are due.
pub fn lease_deliveries(terms: Lease, audience: Audience, limit: i64) -> WriteJob<Vec<Delivery>> {
    WriteJob::new(move |db| lease(db, terms, audience, limit))
}

/// Records what became of leased deliveries.
pub fn settle_attempts(by: Uuid, tried: Vec<Tried>) -> WriteJob<()> {
    WriteJob::new(move |db| settle(db, by, &tried))
}

/// Adds a delivery that no event causes.
pub fn add_delivery(new: Delivery) -> WriteJob<()> {
    WriteJob::new(move |db| add_one(db, &new))
}

/// Sends final deliveries again, at most `limit`; returns how many.
pub fn replay_deliveries(tenant: TenantId, which: Again, at: Instant, limit: i64) -> WriteJob<i64> {
    WriteJob::new(move |db| retry_all(db, tenant, which, at, limit))
}

/// Sends a final delivery again; false where it is not final.
pub fn retry_delivery(tenant: TenantId, id: Uuid, at: Instant) -> WriteJob<bool> {
    WriteJob::new(move |db| retry(db, tenant, id, at))
}

/// Removes a webhook and ends the deliveries that wait for it; false where there is none.
pub fn remove_webhook(tenant: TenantId, id: Uuid, at: Instant) -> WriteJob<bool> {
    WriteJob::new(move |db| {
        let removed = webhook::remove(db, tenant, id)?;
        if removed {
            end_all(db, tenant, id, "the webhook was removed", at)?;
        }
        Ok(removed)
    })
}
