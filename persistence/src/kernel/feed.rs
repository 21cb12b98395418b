//! The feed: the journal of a tenant in the order of its commits.
//!
//! Every entry has a position. A transaction that writes takes positions first, by one update of
//! the tenant's row, and holds that row until the commit: of two transactions the one with the
//! lower positions becomes visible first. So a reader that has read up to a position has missed
//! nothing before it, which neither times nor sequences can promise. Positions of entries that lost
//! a race are given to those behind them before the commit, so that a missing position shows that
//! an entry was removed.

use std::collections::{BTreeMap, HashSet};

use diesel::{
    QueryResult, RunQueryDsl,
    pg::Pg,
    prelude::*,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::BigInt,
    sqlite::Sqlite,
};
use domain::core::{
    id::TenantId,
    journal::{FlowKind, Hash},
};
use uuid::Uuid;

use crate::kernel::{
    connection::Db,
    error::StoreError,
    journal::{EntryKey, EntryRow, known_kinds},
    rows::Keyed,
    schema::{feeds, journal},
    types::{Id, sql},
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// The tenants that records refer to and that are not among `known`.
pub fn find_unknown_tenants(db: &mut Db, known: &[TenantId]) -> Result<Vec<TenantId>> {
    use crate::kernel::schema::audit_heads;
    let known: Vec<Id> = known.iter().map(|tenant| Id(tenant.0)).collect();
    let mut found: Vec<Id> = feeds::table.select(feeds::tenant_id).load(db)?;
    let audited: Vec<Id> = audit_heads::table.select(audit_heads::tenant_id).load(db)?;
    found.extend(audited);
    found.retain(|tenant| !known.contains(tenant));
    found.sort_unstable();
    found.dedup();
    Ok(found.into_iter().map(|tenant| TenantId(tenant.0)).collect())
}

/// Gives entries the next positions of their tenants, in the order given.
pub(crate) fn number_entries(db: &mut Db, entries: &mut [EntryRow]) -> Result<()> {
    let mut next: BTreeMap<Id, i64> = BTreeMap::new();
    for entry in entries.iter() {
        *next.entry(entry.tenant_id).or_default() += 1;
    }
    // By tenant: two writers for several tenants wait for each other in the same order.
    for (tenant, count) in &mut next {
        let last = take_positions(db, *tenant, *count)?;
        *count = last - *count;
    }
    for entry in entries {
        let position = next.entry(entry.tenant_id).or_default();
        *position += 1;
        entry.position = *position;
    }
    Ok(())
}

/// Waits for the commands of a tenant that are being written, so that later reads of this
/// transaction see them.
pub(crate) fn await_commands(db: &mut Db, tenant: TenantId) -> Result<()> {
    let row = feeds::table.find(Id(tenant.0));
    diesel::update(row).set(feeds::position.eq(feeds::position)).execute(db)?;
    Ok(())
}

/// Takes the next positions of a tenant; returns the last of them.
fn take_positions(db: &mut Db, tenant: Id, count: i64) -> Result<i64> {
    let take = Take { tenant, count };
    Ok(match db {
        Db::Postgres(c) => take.get_result(c)?,
        Db::Sqlite(c) => take.get_result(c)?,
    })
}

/// Closes the holes left by entries that were numbered but not written: those behind move up. The
/// feeds are still locked by this transaction, so no reader has seen the earlier positions.
pub(crate) fn close_holes(
    db: &mut Db,
    numbered: &[EntryRow],
    written: &HashSet<EntryKey>,
) -> Result<()> {
    // Of one command that was sent twice at once, the first was written.
    let mut written = written.clone();
    let mut feeds: BTreeMap<Id, (i64, Vec<i64>)> = BTreeMap::new();
    for entry in numbered {
        let (base, kept) =
            feeds.entry(entry.tenant_id).or_insert_with(|| (entry.position - 1, Vec::new()));
        *base = (*base).min(entry.position - 1);
        if written.remove(&entry.key()) {
            kept.push(entry.position);
        }
    }
    for (tenant, (base, mut kept)) in feeds {
        kept.sort_unstable();
        let mut end = base;
        for position in kept {
            end += 1;
            if end == position {
                continue;
            }
            diesel::update(journal::table)
                .filter(journal::tenant_id.eq(tenant).and(journal::position.eq(position)))
                .set(journal::position.eq(end))
                .execute(db)?;
        }
        diesel::update(feeds::table.find(tenant)).set(feeds::position.eq(end)).execute(db)?;
    }
    Ok(())
}

/// The expected length of a feed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Extent {
    /// Its last position.
    pub end: i64,
    /// Up to this position there are holes, left by entries that lost a race.
    pub dense_from: i64,
    /// How many holes there are.
    pub holes: i64,
}

/// The expected length of a tenant's feed.
pub fn load_extent(db: &mut Db, tenant: TenantId) -> Result<Extent> {
    let found: Option<(i64, i64, i64)> = feeds::table
        .find(Id(tenant.0))
        .select((feeds::position, feeds::dense_from, feeds::holes))
        .first(db)
        .optional()?;
    let (end, dense_from, holes) = found.unwrap_or_default();
    Ok(Extent { end, dense_from, holes })
}

/// The stored hashes of the entries after a position, in the order of the feed.
pub fn load_hashes(
    db: &mut Db,
    tenant: TenantId,
    after: i64,
    limit: i64,
) -> Result<Vec<(i64, Vec<u8>)>> {
    Ok(journal::table
        .filter(journal::tenant_id.eq(Id(tenant.0)).and(journal::position.gt(after)))
        .order(journal::position.asc())
        .select((journal::position, journal::hash))
        .limit(limit)
        .load(db)?)
}

/// The end of a tenant's feed: nothing will ever be added before it.
pub fn load_end(db: &mut Db, tenant: TenantId) -> Result<i64> {
    let end = feeds::table.find(Id(tenant.0)).select(feeds::position).first(db).optional()?;
    Ok(end.unwrap_or(0))
}

/// The hash of the entry at a position; none when there is none.
pub fn load_hash(db: &mut Db, tenant: TenantId, position: i64) -> Result<Option<Hash>> {
    let hash: Option<Vec<u8>> = journal::table
        .filter(journal::tenant_id.eq(Id(tenant.0)).and(journal::position.eq(position)))
        .select(journal::hash)
        .first(db)
        .optional()?;
    Ok(hash.as_deref().and_then(Hash::from_bytes))
}

/// The last entry at or before a position, with its position.
pub fn load_last_until(
    db: &mut Db,
    tenant: TenantId,
    position: i64,
) -> Result<Option<(i64, Hash)>> {
    let last: Option<(i64, Vec<u8>)> = journal::table
        .filter(journal::tenant_id.eq(Id(tenant.0)).and(journal::position.le(position)))
        .order(journal::position.desc())
        .select((journal::position, journal::hash))
        .first(db)
        .optional()?;
    Ok(last.and_then(|(position, hash)| Some((position, Hash::from_bytes(&hash)?))))
}

/// A flow that moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moved {
    /// The position in the feed.
    pub position: i64,
    /// The kind of flow.
    pub kind: FlowKind,
    /// The identity of the flow.
    pub flow: Uuid,
    /// The place in its own journal.
    pub seq: i64,
    /// The hash of the entry.
    pub hash: Hash,
}

/// The moves after a position, in the order of the feed, at most `limit`; without flows this
/// program does not know.
pub fn load_after(db: &mut Db, tenant: TenantId, position: i64, limit: i64) -> Result<Vec<Moved>> {
    type Row = (i64, String, Id, i64, Vec<u8>);
    let rows: Vec<Row> = journal::table
        .filter(journal::tenant_id.eq(Id(tenant.0)).and(journal::position.gt(position)))
        .filter(journal::flow.eq_any(known_kinds()))
        .order(journal::position.asc())
        .select((journal::position, journal::flow, journal::flow_id, journal::seq, journal::hash))
        .limit(limit)
        .load(db)?;
    rows.into_iter()
        .map(|(position, kind, flow, seq, hash)| {
            let wrong =
                |what| StoreError::Inconsistent(format!("journal {}/{seq}: {what}", flow.0));
            Ok(Moved {
                position,
                kind: FlowKind::parse(&kind).ok_or_else(|| wrong("flow"))?,
                flow: flow.0,
                seq,
                hash: Hash::from_bytes(&hash).ok_or_else(|| wrong("hash"))?,
            })
        })
        .collect()
}

/// The events of an entry in the feed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EntryEvents {
    /// The kind of flow that moved.
    pub kind: FlowKind,
    /// The identity of that flow.
    pub flow: Uuid,
    /// The place of the entry in the journal of the flow.
    pub seq: i64,
    /// The events of the entry, as JSON.
    pub events: String,
}

/// The events of the entries of some kinds at the positions `from` to `to`, both included, in the
/// order of the feed.
pub fn load_events(
    db: &mut Db,
    tenant: TenantId,
    kinds: &[FlowKind],
    (from, to): (i64, i64),
) -> Result<Vec<EntryEvents>> {
    let rows: Vec<(String, Id, i64, String)> = journal::table
        .filter(journal::tenant_id.eq(Id(tenant.0)).and(journal::position.between(from, to)))
        .filter(journal::flow.eq_any(kinds.iter().map(|kind| kind.name())))
        .order(journal::position.asc())
        .select((journal::flow, journal::flow_id, journal::seq, journal::events))
        .load(db)?;
    rows.into_iter()
        .map(|(kind, flow, seq, events)| {
            let wrong = || StoreError::Inconsistent(format!("journal {}/{seq}: flow", flow.0));
            let kind = FlowKind::parse(&kind).ok_or_else(wrong)?;
            Ok(EntryEvents { kind, flow: flow.0, seq, events })
        })
        .collect()
}

/// Takes positions; its text never changes, so it is prepared once.
#[derive(QueryId)]
struct Take {
    tenant: Id,
    count: i64,
}

impl Query for Take {
    type SqlType = BigInt;
}

const BEFORE: &str = "insert into feeds as f (tenant_id, position) values (";
const AFTER: &str = ") on conflict (tenant_id) do update set position = f.position + excluded.position \
     returning position";

impl QueryFragment<Pg> for Take {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(BEFORE);
        out.push_bind_param::<sql::Uid, _>(&self.tenant)?;
        out.push_sql(", ");
        out.push_bind_param::<BigInt, _>(&self.count)?;
        out.push_sql(AFTER);
        Ok(())
    }
}

impl QueryFragment<Sqlite> for Take {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql(BEFORE);
        out.push_bind_param::<sql::Uid, _>(&self.tenant)?;
        out.push_sql(", ");
        out.push_bind_param::<BigInt, _>(&self.count)?;
        out.push_sql(AFTER);
        Ok(())
    }
}

impl<C> RunQueryDsl<C> for Take {}
