//! Loads single flows by their identity: all requests at the same moment share one query, and
//! states that were read or written lately are kept in memory, so that only changed ones are read
//! again.
//!
//! A kept state may be stale where several replicas write. It is never returned without asking the
//! database whether it still holds ([`Store::load_state`](crate::Store::load_state)); deciding on
//! it without asking ([`Store::recall_state`](crate::Store::recall_state)) is safe because the
//! journal admits only one successor of a state.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    marker::PhantomData,
    sync::Arc,
};

use diesel::{
    QueryResult, RunQueryDsl,
    pg::Pg,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{Array, BigInt, Binary, Nullable, Text},
    sqlite::Sqlite,
};
use domain::{
    core::{id::TenantId, journal::FlowKind},
    flows::{change::Versioned, stored_event::read_events},
};
use quick_cache::sync::Cache;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::kernel::{
    connection::Db,
    error::StoreError,
    flow::{FlowTable, rebuild_state},
    projection::Projection,
    types::{Doc, Id, sql},
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// States by tenant and identity.
pub(crate) type States<F> = Cache<(TenantId, Uuid), Arc<Versioned<F>>>;

/// States that were read or written lately, by the type of their flow.
pub struct Memory(HashMap<TypeId, Box<dyn Any + Send + Sync>>);

impl Memory {
    /// An empty memory for these flows.
    pub(crate) fn new(flows: &[&dyn KnownFlow]) -> Self {
        Self(flows.iter().map(|flow| flow.new_cache()).collect())
    }

    /// The states of one kind.
    pub(crate) fn states<F: FlowTable>(&self) -> Option<&States<F>> {
        self.0.get(&TypeId::of::<F>())?.downcast_ref()
    }

    /// Keeps a state, unless a later one is kept already.
    pub(crate) fn keep_state<F: FlowTable>(&self, tenant: TenantId, state: &Arc<Versioned<F>>) {
        let Some(states) = self.states::<F>() else { return };
        let key = (tenant, state.state.id());
        if states.get(&key).is_none_or(|known| known.seq < state.seq) {
            states.insert(key, Arc::clone(state));
        }
    }
}

/// A kind of flow in the table of all kinds.
pub trait KnownFlow: Send + Sync {
    /// The kind, as the journal names it.
    fn kind(&self) -> FlowKind;

    /// A new cache for its states.
    #[doc(hidden)]
    fn new_cache(&self) -> (TypeId, Box<dyn Any + Send + Sync>);

    /// Names the tables it fills.
    fn expect_tables(&self, projection: &mut Projection) -> Result<()>;
}

/// A kind of flow as an entry of that table.
pub(crate) struct RegisteredFlow<F>(PhantomData<fn() -> F>);

impl<F> RegisteredFlow<F> {
    /// The entry of this kind of flow.
    pub(crate) const NEW: Self = Self(PhantomData);
}

impl<F: FlowTable> KnownFlow for RegisteredFlow<F> {
    fn kind(&self) -> FlowKind {
        F::KIND
    }

    fn new_cache(&self) -> (TypeId, Box<dyn Any + Send + Sync>) {
        let states: States<F> = Cache::new(F::CACHED);
        (TypeId::of::<F>(), Box::new(states))
    }

    fn expect_tables(&self, projection: &mut Projection) -> Result<()> {
        F::expect_tables(projection)
    }
}

/// A caller that waits for a state.
pub(crate) struct LoadRequest {
    pub(crate) table: &'static str,
    pub(crate) query: fn(&mut Db, &[LoadKey]) -> Result<Vec<Found>>,
    pub(crate) wanted: LoadKey,
    pub(crate) reply: oneshot::Sender<Result<Option<Found>>>,
}

/// The state that is wanted, and the place in the journal at which the caller knows it.
#[derive(Clone, Copy)]
pub(crate) struct LoadKey {
    pub(crate) tenant: Id,
    pub(crate) id: Id,
    pub(crate) seq: i64,
}

/// The place of a flow, and its state unless the caller knew it.
#[derive(Clone)]
pub(crate) struct Found {
    tenant: Id,
    id: Id,
    pub(crate) seq: i64,
    pub(crate) head: Vec<u8>,
    pub(crate) state: Option<Doc>,
    end: Option<End>,
}

/// The last entry of a flow's journal.
#[derive(Clone)]
struct End {
    seq: i64,
    /// Its events, unless the caller knew the state after them.
    events: Option<String>,
}

impl Found {
    /// Refuses a flow whose journal this program cannot read: its last entry is not understood, or
    /// is not the one with which its state was written.
    pub(crate) fn check_readable<F: FlowTable>(&self) -> Result<()> {
        let Some(End { seq, events }) = &self.end else { return Ok(()) };
        let read = events.as_deref().map_or(Ok(Vec::new()), read_events::<F::Event>);
        let why = match read {
            Err(error) => format!("entry {seq}: {error}"),
            Ok(_) if *seq != self.seq => format!("entry {seq}: its state is that of {}", self.seq),
            Ok(_) => return Ok(()),
        };
        Err(StoreError::Unreadable { flow: F::KIND, id: self.id.0, why })
    }
}

/// Answers all waiting requests, with one query a table.
pub(crate) fn answer_all(db: &mut Result<Db>, mut looks: Vec<LoadRequest>) {
    while let Some(table) = looks.last().map(|look| look.table) {
        let (these, others): (Vec<_>, Vec<_>) =
            looks.into_iter().partition(|look| look.table == table);
        looks = others;
        let wanted: Vec<LoadKey> = these.iter().map(|look| look.wanted).collect();
        let found = match (db.as_mut(), these.first()) {
            (Ok(db), Some(look)) => (look.query)(db, &wanted),
            (Ok(_), None) => Ok(Vec::new()),
            (Err(error), _) => Err(StoreError::Unavailable(error.to_string())),
        };
        if let Err(StoreError::Unavailable(why)) = &found {
            *db = Err(StoreError::Unavailable(why.clone()));
        }
        for look in these {
            let LoadKey { tenant, id, .. } = look.wanted;
            let own = |found: &&Found| found.tenant == tenant && found.id == id;
            let answer = match &found {
                // Of two requests for the same state one may know it and one not: the one that
                // lacks it gets the row that has it.
                Ok(found) => Ok(found
                    .iter()
                    .filter(own)
                    .find(|found| found.state.is_some() || found.seq == look.wanted.seq)
                    .cloned()),
                Err(error) => Err(StoreError::Unavailable(error.to_string())),
            };
            // The caller may have gone away.
            let _ = look.reply.send(answer);
        }
    }
}

/// The present state of a flow, read within other work on a lane.
pub fn load_state<F: FlowTable>(
    db: &mut Db,
    tenant: TenantId,
    id: Uuid,
) -> Result<Option<Versioned<F>>> {
    let wanted = LoadKey { tenant: Id(tenant.0), id: Id(id), seq: 0 };
    let Some(found) = query_states::<F>(db, &[wanted])?.pop() else { return Ok(None) };
    found.check_readable::<F>()?;
    let state = found.state.unwrap_or_else(|| Doc(String::new()));
    rebuild_state(F::TABLE, (found.id, found.seq, found.head, state)).map(Some)
}

pub(crate) fn query_states<F: FlowTable>(db: &mut Db, wanted: &[LoadKey]) -> Result<Vec<Found>> {
    type Row = (Id, Id, i64, Vec<u8>, Option<Doc>, Option<i64>, Option<String>);
    let found = |(tenant, id, seq, head, state, last, events): Row| {
        let end = last.map(|seq| End { seq, events });
        Found { tenant, id, seq, head, state, end }
    };
    let rows: Vec<Row> = match db {
        Db::Postgres(c) => {
            let all = All::<F> {
                tenants: wanted.iter().map(|wanted| wanted.tenant).collect(),
                ids: wanted.iter().map(|wanted| wanted.id).collect(),
                seqs: wanted.iter().map(|wanted| wanted.seq).collect(),
                flow: PhantomData,
            };
            all.load(c)?
        }
        Db::Sqlite(c) => {
            let mut rows = Vec::with_capacity(wanted.len());
            for wanted in wanted {
                rows.extend(One::<F> { wanted: *wanted, flow: PhantomData }.load::<Row>(c)?);
            }
            rows
        }
    };
    Ok(rows.into_iter().map(found).collect())
}

/// All requests for one table, for PostgreSQL.
struct All<F> {
    tenants: Vec<Id>,
    ids: Vec<Id>,
    seqs: Vec<i64>,
    flow: PhantomData<F>,
}

/// One request, for SQLite.
struct One<F> {
    wanted: LoadKey,
    flow: PhantomData<F>,
}

impl<F: FlowTable> QueryFragment<Pg> for All<F> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            "select t.tenant_id, t.id, t.seq, t.head, \
             case when t.seq = u.seq then null else t.state end, e.seq, \
             case when t.seq = u.seq and e.seq = u.seq then null else e.events end from unnest(",
        );
        out.push_bind_param::<Array<sql::Uid>, _>(&self.tenants)?;
        out.push_sql("::uuid[], ");
        out.push_bind_param::<Array<sql::Uid>, _>(&self.ids)?;
        out.push_sql("::uuid[], ");
        out.push_bind_param::<Array<BigInt>, _>(&self.seqs)?;
        out.push_sql("::bigint[]) as u (tenant_id, id, seq) join ");
        out.push_sql(F::TABLE);
        out.push_sql(
            " as t on t.tenant_id = u.tenant_id and t.id = u.id \
             left join lateral (select j.seq, j.events from journal as j \
             where j.tenant_id = t.tenant_id and j.flow_id = t.id and j.flow = '",
        );
        out.push_sql(F::KIND.name());
        out.push_sql("' order by j.seq desc limit 1) as e on true");
        Ok(())
    }
}

impl<F: FlowTable> QueryFragment<Sqlite> for One<F> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("select t.tenant_id, t.id, t.seq, t.head, case when t.seq = ");
        out.push_bind_param::<BigInt, _>(&self.wanted.seq)?;
        out.push_sql(" then null else t.state end, e.seq, case when t.seq = ");
        out.push_bind_param::<BigInt, _>(&self.wanted.seq)?;
        out.push_sql(" and e.seq = t.seq then null else e.events end from ");
        out.push_sql(F::TABLE);
        out.push_sql(
            " as t left join journal as e on e.tenant_id = t.tenant_id and e.flow_id = t.id \
             and e.flow = '",
        );
        out.push_sql(F::KIND.name());
        out.push_sql(
            "' and e.seq = (select max(j.seq) from journal as j where j.tenant_id = t.tenant_id \
             and j.flow_id = t.id and j.flow = '",
        );
        out.push_sql(F::KIND.name());
        out.push_sql("') where t.tenant_id = ");
        out.push_bind_param::<sql::Uid, _>(&self.wanted.tenant)?;
        out.push_sql(" and t.id = ");
        out.push_bind_param::<sql::Uid, _>(&self.wanted.id)?;
        Ok(())
    }
}

/// The columns of a row.
type Columns =
    (sql::Uid, sql::Uid, BigInt, Binary, Nullable<sql::Doc>, Nullable<BigInt>, Nullable<Text>);

impl<F> Query for All<F> {
    type SqlType = Columns;
}

impl<F> Query for One<F> {
    type SqlType = Columns;
}

// The text depends only on the table, so the statement is prepared once.
impl<F: 'static> QueryId for All<F> {
    type QueryId = Self;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<F: 'static> QueryId for One<F> {
    type QueryId = Self;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<F, C> RunQueryDsl<C> for All<F> {}
impl<F, C> RunQueryDsl<C> for One<F> {}
