//! The journal as rows.

use diesel::{
    prelude::*,
    sql_types::{BigInt, Binary, SmallInt, Text},
};
use domain::{
    Instant,
    core::{
        id::{CommandId, PersonId, TenantId},
        journal::{Entry, FlowKind, Hash},
    },
    flows::{
        change::{Request, Versioned},
        flow::Flow,
        stored_event::read_events,
    },
};
use uuid::Uuid;

use crate::kernel::{
    connection::Db,
    error::StoreError,
    rows::{Keyed, rows},
    schema::journal,
    types::{At, Id, sql},
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

#[derive(Queryable, Debug, Clone)]
pub(crate) struct EntryRow {
    pub(crate) tenant_id: Id,
    pub(crate) flow_id: Id,
    pub(crate) seq: i64,
    pub(crate) flow: String,
    pub(crate) command_id: Id,
    part: i16,
    name: String,
    digest: Vec<u8>,
    pub(crate) actor_id: Id,
    actor_name: String,
    at: At,
    events: String,
    hash: Vec<u8>,
    /// The position in the feed of the tenant; set when it is written.
    pub(crate) position: i64,
}

rows! {
    EntryRow in "journal" {
        tenant_id: Id => sql::Uid, "uuid";
        flow_id: Id => sql::Uid, "uuid";
        seq: i64 => BigInt, "bigint";
        flow: String => Text, "text";
        command_id: Id => sql::Uid, "uuid";
        part: i16 => SmallInt, "smallint";
        name: String => Text, "text";
        digest: Vec<u8> => Binary, "bytea";
        actor_id: Id => sql::Uid, "uuid";
        actor_name: String => Text, "text";
        at: At => sql::Moment, "timestamptz";
        events: String => Text, "text";
        hash: Vec<u8> => Binary, "bytea";
        position: i64 => BigInt, "bigint";
    }
    key (tenant_id, flow_id, flow, seq) changes ()
}

impl Keyed for EntryRow {
    type KeyType = (sql::Uid, sql::Uid, sql::Uid, sql::Uid, Text, BigInt);
    type Key = EntryKey;

    fn key(&self) -> EntryKey {
        let (flow, id) = (self.flow.clone(), self.flow_id);
        (self.tenant_id, self.command_id, self.actor_id, id, flow, self.seq)
    }
}

/// What distinguishes an entry from every other: tenant, command, actor, flow with its kind, place.
pub(crate) type EntryKey = (Id, Id, Id, Id, String, i64);

impl EntryRow {
    pub(crate) fn new(entry: &Entry) -> Self {
        Self {
            tenant_id: Id(entry.tenant.0),
            flow_id: Id(entry.flow_id),
            seq: entry.seq,
            flow: entry.flow.name().to_owned(),
            command_id: Id(entry.command.0),
            part: entry.part,
            name: entry.name.clone(),
            digest: entry.digest.0.to_vec(),
            actor_id: Id(entry.actor.0),
            actor_name: entry.actor_name.clone(),
            at: At(entry.at),
            events: entry.events.clone(),
            hash: entry.hash.0.to_vec(),
            position: 0,
        }
    }

    fn into_entry(self, before: Hash) -> Result<Entry> {
        let wrong = |column| {
            let (flow, seq) = (self.flow_id.0, self.seq);
            StoreError::Inconsistent(format!("journal {flow}/{seq}: {column}"))
        };
        Ok(Entry {
            tenant: TenantId(self.tenant_id.0),
            flow: FlowKind::parse(&self.flow).ok_or_else(|| wrong("flow"))?,
            flow_id: self.flow_id.0,
            seq: self.seq,
            command: CommandId(self.command_id.0),
            part: self.part,
            digest: Hash::from_bytes(&self.digest).ok_or_else(|| wrong("digest"))?,
            actor: PersonId(self.actor_id.0),
            at: self.at.0,
            hash: Hash::from_bytes(&self.hash).ok_or_else(|| wrong("hash"))?,
            name: self.name,
            actor_name: self.actor_name,
            events: self.events,
            before,
        })
    }
}

/// The whole chain of one flow, or its beginning up to `last`, in order.
pub fn load_chain(
    db: &mut Db,
    tenant: TenantId,
    (kind, flow): (FlowKind, Uuid),
    last: Option<i64>,
) -> Result<Vec<Entry>> {
    let rows: Vec<EntryRow> = journal::table
        .filter(journal::tenant_id.eq(Id(tenant.0)).and(journal::flow_id.eq(Id(flow))))
        .filter(journal::flow.eq(kind.name()))
        .filter(journal::seq.le(last.unwrap_or(i64::MAX)))
        .order(journal::seq.asc())
        .load(db)?;
    let mut before = Hash::default();
    rows.into_iter()
        .map(|row| {
            let entry = row.into_entry(before)?;
            before = entry.hash;
            Ok(entry)
        })
        .collect()
}

/// The entries of some flows with these names, each flow's in order. The entries before them are
/// not read: their `before` is empty.
pub fn load_by_name(
    db: &mut Db,
    tenant: TenantId,
    flows: &[Uuid],
    names: &[&str],
) -> Result<Vec<Entry>> {
    let rows: Vec<EntryRow> = journal::table
        .filter(journal::tenant_id.eq(Id(tenant.0)))
        .filter(journal::flow_id.eq_any(flows.iter().map(|id| Id(*id)).collect::<Vec<_>>()))
        .filter(journal::name.eq_any(names.iter().map(|name| (*name).to_owned())))
        .order((journal::flow_id.asc(), journal::seq.asc()))
        .load(db)?;
    rows.into_iter().map(|row| row.into_entry(Hash::default())).collect()
}

/// The entries of one flow before the place `below`, latest first. The entries before them are not
/// read: their `before` is empty.
pub fn load_before(
    db: &mut Db,
    tenant: TenantId,
    (kind, flow): (FlowKind, Uuid),
    below: i64,
    limit: i64,
) -> Result<Vec<Entry>> {
    let rows: Vec<EntryRow> = journal::table
        .filter(journal::tenant_id.eq(Id(tenant.0)).and(journal::flow_id.eq(Id(flow))))
        .filter(journal::flow.eq(kind.name()))
        .filter(journal::seq.lt(below))
        .order(journal::seq.desc())
        .limit(limit)
        .load(db)?;
    rows.into_iter().map(|row| row.into_entry(Hash::default())).collect()
}

/// The entries of a tenant after a position in its feed, in the order of the feed, with their
/// positions; without those of flows this program does not know. The entries before each in its
/// chain are not read: their `before` is empty.
pub fn load_after(
    db: &mut Db,
    tenant: TenantId,
    position: i64,
    limit: i64,
) -> Result<Vec<(i64, Entry)>> {
    let rows: Vec<EntryRow> = journal::table
        .filter(journal::tenant_id.eq(Id(tenant.0)).and(journal::position.gt(position)))
        .filter(journal::flow.eq_any(known_kinds()))
        .order(journal::position.asc())
        .limit(limit)
        .load(db)?;
    rows.into_iter().map(|row| Ok((row.position, row.into_entry(Hash::default())?))).collect()
}

/// A command that was accepted before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    /// The request that was accepted.
    pub request: Request,
    /// The flow it moved.
    pub flow: Uuid,
    /// The place in its journal.
    pub seq: i64,
}

/// Finds a command of an actor; for a command that moved several flows, the one it addressed. The
/// same key of another actor is another command.
pub fn find_command(
    db: &mut Db,
    tenant: TenantId,
    actor: PersonId,
    command: CommandId,
) -> Result<Option<Seen>> {
    type Row = (Vec<u8>, Id, i64);
    let row: Option<Row> = journal::table
        .filter(journal::tenant_id.eq(Id(tenant.0)).and(journal::command_id.eq(Id(command.0))))
        .filter(journal::actor_id.eq(Id(actor.0)))
        .order(journal::part.asc())
        .select((journal::digest, journal::flow_id, journal::seq))
        .first(db)
        .optional()?;
    row.map(|(digest, flow, seq)| {
        let digest = Hash::from_bytes(&digest)
            .ok_or_else(|| StoreError::Inconsistent(format!("journal {}: digest", flow.0)))?;
        let request = Request { command, digest };
        Ok(Seen { request, flow: flow.0, seq })
    })
    .transpose()
}

/// Which of these commands of an actor were accepted before.
pub fn find_accepted(
    db: &mut Db,
    tenant: TenantId,
    actor: PersonId,
    commands: &[CommandId],
) -> Result<Vec<CommandId>> {
    let ids: Vec<Id> = journal::table
        .filter(journal::tenant_id.eq(Id(tenant.0)).and(journal::actor_id.eq(Id(actor.0))))
        .filter(journal::command_id.eq_any(commands.iter().map(|command| Id(command.0))))
        .select(journal::command_id)
        .load(db)?;
    Ok(ids.into_iter().map(|id| CommandId(id.0)).collect())
}

/// The state a flow had at `seq`, rebuilt from the journal.
pub fn load_state_at<F: Flow>(
    db: &mut Db,
    tenant: TenantId,
    flow: Uuid,
    seq: i64,
) -> Result<Option<Versioned<F>>> {
    let entries = load_chain(db, tenant, (F::KIND, flow), Some(seq))?;
    let Some(last) = entries.last() else { return Ok(None) };
    let (seq, head) = (last.seq, last.hash);
    let mut state = None;
    for entry in &entries {
        let events = read_events::<F::Event>(&entry.events)
            .map_err(|error| StoreError::unreadable(entry, &error))?;
        for event in &events {
            state = F::evolve(state, event);
        }
    }
    let wrong =
        || StoreError::Inconsistent(format!("journal {flow}: its events contradict each other"));
    let state = state.ok_or_else(wrong)?;
    Ok(Some(Versioned { state, seq, head }))
}

/// The flows of a tenant after `after`, by id and the name of their kind, which this program may
/// not know: for checking every chain, a page at a time.
pub fn list_flows(
    db: &mut Db,
    tenant: TenantId,
    after: Option<(Uuid, &str)>,
    limit: i64,
) -> Result<Vec<(Uuid, String)>> {
    let (id, kind) = after.unwrap_or((Uuid::nil(), ""));
    let rows: Vec<(Id, String)> = journal::table
        .filter(journal::tenant_id.eq(Id(tenant.0)))
        .filter(journal::flow_id.ge(Id(id)))
        .filter(journal::flow_id.gt(Id(id)).or(journal::flow.gt(kind)))
        .order((journal::flow_id.asc(), journal::flow.asc()))
        .select((journal::flow_id, journal::flow))
        // Not only the first entries: a chain that lost its first entry must be found, too.
        .distinct()
        .limit(limit)
        .load(db)?;
    Ok(rows.into_iter().map(|(id, flow)| (id.0, flow)).collect())
}

/// The names of all kinds of flows; the feed steps over entries of other kinds.
pub(crate) fn known_kinds() -> impl Iterator<Item = &'static str> {
    FlowKind::ALL.iter().map(|kind| kind.name())
}

/// The last place in a flow's journal; 0 when it has none.
pub fn load_last_seq(db: &mut Db, tenant: TenantId, (kind, flow): (FlowKind, Uuid)) -> Result<i64> {
    let last: Option<i64> = journal::table
        .filter(journal::tenant_id.eq(Id(tenant.0)).and(journal::flow_id.eq(Id(flow))))
        .filter(journal::flow.eq(kind.name()))
        .select(diesel::dsl::max(journal::seq))
        .first(db)?;
    Ok(last.unwrap_or(0))
}

/// The last place a flow's journal had at a moment; 0 when it had none.
pub fn load_seq_at(
    db: &mut Db,
    tenant: TenantId,
    (kind, flow): (FlowKind, Uuid),
    at: Instant,
) -> Result<i64> {
    let last: Option<i64> = journal::table
        .filter(journal::tenant_id.eq(Id(tenant.0)).and(journal::flow_id.eq(Id(flow))))
        .filter(journal::flow.eq(kind.name()).and(journal::at.le(At(at))))
        .select(diesel::dsl::max(journal::seq))
        .first(db)?;
    Ok(last.unwrap_or(0))
}

/// Whether a flow's journal has an entry with one of these names after a moment.
pub fn has_since(
    db: &mut Db,
    tenant: TenantId,
    (kind, flow): (FlowKind, Uuid),
    names: &[&str],
    after: Instant,
) -> Result<bool> {
    let one: Option<i64> = journal::table
        .filter(journal::tenant_id.eq(Id(tenant.0)).and(journal::flow_id.eq(Id(flow))))
        .filter(journal::flow.eq(kind.name()).and(journal::at.gt(At(after))))
        .filter(journal::name.eq_any(names.iter().map(|name| (*name).to_owned())))
        .select(journal::seq)
        .first(db)
        .optional()?;
    Ok(one.is_some())
}

/// A page of a list ordered by key: what comes after `after`, at most `limit`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Keyset {
    /// The position of the last item seen.
    pub after: Option<(Instant, Uuid)>,
    /// The most items.
    pub limit: i64,
}
