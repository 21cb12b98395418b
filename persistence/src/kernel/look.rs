//! Looking at one flow by its identity: all who look at the same moment share one query, and
//! states that were read or written lately are kept, so that only what changed is read again.
//!
//! What is kept may be stale where several replicas write. It is never answered without asking
//! the database whether it still holds ([`Store::look`](crate::Store::look)); to decide on it unasked
//! ([`Store::recall`](crate::Store::recall)) is safe because the journal admits only one successor of a state.

use std::{marker::PhantomData, sync::Arc};

use diesel::{
    QueryResult, RunQueryDsl,
    pg::Pg,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{Array, BigInt, Binary, Nullable},
    sqlite::Sqlite,
};
use domain::{
    core::id::TenantId,
    flows::{
        campaign::Campaign, case::state::Case, change::Stored, content_review::Review, flow::Flow,
        form::Form, household::Household, media::Media, patrol::Patrol, patrol_plan::PatrolPlan,
        person::Person, policy::Policy, report::Report, visit::Visit,
    },
};
use quick_cache::sync::Cache;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::kernel::{
    connection::Db,
    error::StoreError,
    flow::stored,
    types::{Doc, Id, sql},
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// A flow with a table of its own.
pub trait Tabled: Flow + Send + Sync + 'static {
    /// Its table.
    const TABLE: &'static str;

    /// Where its states are kept.
    fn states(memory: &Memory) -> &States<Self>;
}

/// States by tenant and identity.
pub type States<F> = Cache<(TenantId, Uuid), Arc<Stored<F>>>;

/// States that were read or written lately.
#[derive(Debug)]
pub struct Memory {
    reports: States<Report>,
    cases: States<Case>,
    people: States<Person>,
    policies: States<Policy>,
    patrols: States<Patrol>,
    plans: States<PatrolPlan>,
    households: States<Household>,
    visits: States<Visit>,
    campaigns: States<Campaign>,
    forms: States<Form>,
    media: States<Media>,
    reviews: States<Review>,
}

impl Memory {
    /// How many of each kind are kept; a case takes about 4 kB.
    const MOST: usize = 4096;

    pub(crate) fn new() -> Self {
        Self {
            reports: Cache::new(Self::MOST),
            cases: Cache::new(Self::MOST),
            people: Cache::new(Self::MOST),
            policies: Cache::new(64),
            patrols: Cache::new(Self::MOST),
            plans: Cache::new(256),
            households: Cache::new(Self::MOST),
            visits: Cache::new(Self::MOST),
            // A campaign takes up to a megabyte.
            campaigns: Cache::new(16),
            forms: Cache::new(256),
            media: Cache::new(Self::MOST),
            reviews: Cache::new(Self::MOST),
        }
    }

    /// Keeps a state, unless a later one is kept already.
    pub(crate) fn keep<F: Tabled>(&self, tenant: TenantId, state: &Arc<Stored<F>>) {
        let (states, key) = (F::states(self), (tenant, state.state.id()));
        if states.get(&key).is_none_or(|known| known.seq < state.seq) {
            states.insert(key, Arc::clone(state));
        }
    }
}

impl Tabled for Report {
    const TABLE: &'static str = "reports";
    fn states(memory: &Memory) -> &States<Self> {
        &memory.reports
    }
}

impl Tabled for Case {
    const TABLE: &'static str = "cases";
    fn states(memory: &Memory) -> &States<Self> {
        &memory.cases
    }
}

impl Tabled for Person {
    const TABLE: &'static str = "people";
    fn states(memory: &Memory) -> &States<Self> {
        &memory.people
    }
}

impl Tabled for Policy {
    const TABLE: &'static str = "policies";
    fn states(memory: &Memory) -> &States<Self> {
        &memory.policies
    }
}

impl Tabled for Patrol {
    const TABLE: &'static str = "patrols";
    fn states(memory: &Memory) -> &States<Self> {
        &memory.patrols
    }
}

impl Tabled for PatrolPlan {
    const TABLE: &'static str = "patrol_plans";
    fn states(memory: &Memory) -> &States<Self> {
        &memory.plans
    }
}

impl Tabled for Household {
    const TABLE: &'static str = "households";
    fn states(memory: &Memory) -> &States<Self> {
        &memory.households
    }
}

impl Tabled for Visit {
    const TABLE: &'static str = "visits";
    fn states(memory: &Memory) -> &States<Self> {
        &memory.visits
    }
}

impl Tabled for Campaign {
    const TABLE: &'static str = "campaigns";
    fn states(memory: &Memory) -> &States<Self> {
        &memory.campaigns
    }
}

impl Tabled for Form {
    const TABLE: &'static str = "forms";
    fn states(memory: &Memory) -> &States<Self> {
        &memory.forms
    }
}

impl Tabled for Media {
    const TABLE: &'static str = "media";
    fn states(memory: &Memory) -> &States<Self> {
        &memory.media
    }
}

impl Tabled for Review {
    const TABLE: &'static str = "content_reviews";
    fn states(memory: &Memory) -> &States<Self> {
        &memory.reviews
    }
}

/// Somebody who waits for a state.
pub(crate) struct Look {
    table: &'static str,
    query: fn(&mut Db, &[Wanted]) -> Result<Vec<Found>>,
    wanted: Wanted,
    reply: oneshot::Sender<Result<Option<Found>>>,
}

/// Which state is looked for, and at which place in the journal it is known.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    tenant: Id,
    id: Id,
    seq: i64,
}

/// Where a flow is, and its state unless that was known.
#[derive(Clone)]
pub(crate) struct Found {
    tenant: Id,
    id: Id,
    seq: i64,
    head: Vec<u8>,
    state: Option<Doc>,
}

/// Answers all who wait, one query a table.
pub(crate) fn together(db: &mut Result<Db>, mut looks: Vec<Look>) {
    while let Some(table) = looks.last().map(|look| look.table) {
        let (these, others): (Vec<_>, Vec<_>) =
            looks.into_iter().partition(|look| look.table == table);
        looks = others;
        let wanted: Vec<Wanted> = these.iter().map(|look| look.wanted).collect();
        let found = match (db.as_mut(), these.first()) {
            (Ok(db), Some(look)) => (look.query)(db, &wanted),
            (Ok(_), None) => Ok(Vec::new()),
            (Err(error), _) => Err(StoreError::Unavailable(error.to_string())),
        };
        if let Err(StoreError::Unavailable(why)) = &found {
            *db = Err(StoreError::Unavailable(why.clone()));
        }
        for look in these {
            let Wanted { tenant, id, .. } = look.wanted;
            let own = |found: &&Found| found.tenant == tenant && found.id == id;
            let answer = match &found {
                // Two may look for the same, one knowing it and one not: whoever lacks the state
                // gets the row that carries it.
                Ok(found) => Ok(found
                    .iter()
                    .filter(own)
                    .find(|found| found.state.is_some() || found.seq == look.wanted.seq)
                    .cloned()),
                Err(error) => Err(StoreError::Unavailable(error.to_string())),
            };
            // Who asked may have gone away.
            let _ = look.reply.send(answer);
        }
    }
}

/// The present state of a flow, read within other work on a lane.
pub fn find<F: Tabled>(db: &mut Db, tenant: TenantId, id: Uuid) -> Result<Option<Stored<F>>> {
    let wanted = Wanted { tenant: Id(tenant.0), id: Id(id), seq: 0 };
    let Some(found) = query::<F>(db, &[wanted])?.pop() else { return Ok(None) };
    let state = found.state.unwrap_or_else(|| Doc(String::new()));
    stored(F::TABLE, (found.id, found.seq, found.head, state)).map(Some)
}

pub(crate) fn query<F: Tabled>(db: &mut Db, wanted: &[Wanted]) -> Result<Vec<Found>> {
    type Row = (Id, Id, i64, Vec<u8>, Option<Doc>);
    let found = |(tenant, id, seq, head, state): Row| Found { tenant, id, seq, head, state };
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

/// All that is wanted of a table, for PostgreSQL.
struct All<F> {
    tenants: Vec<Id>,
    ids: Vec<Id>,
    seqs: Vec<i64>,
    flow: PhantomData<F>,
}

/// One state of a table, for SQLite.
struct One<F> {
    wanted: Wanted,
    flow: PhantomData<F>,
}

impl<F: Tabled> QueryFragment<Pg> for All<F> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            "select t.tenant_id, t.id, t.seq, t.head, \
             case when t.seq = u.seq then null else t.state end from unnest(",
        );
        out.push_bind_param::<Array<sql::Uid>, _>(&self.tenants)?;
        out.push_sql("::uuid[], ");
        out.push_bind_param::<Array<sql::Uid>, _>(&self.ids)?;
        out.push_sql("::uuid[], ");
        out.push_bind_param::<Array<BigInt>, _>(&self.seqs)?;
        out.push_sql("::bigint[]) as u (tenant_id, id, seq) join ");
        out.push_sql(F::TABLE);
        out.push_sql(" as t on t.tenant_id = u.tenant_id and t.id = u.id");
        Ok(())
    }
}

impl<F: Tabled> QueryFragment<Sqlite> for One<F> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("select tenant_id, id, seq, head, case when seq = ");
        out.push_bind_param::<BigInt, _>(&self.wanted.seq)?;
        out.push_sql(" then null else state end from ");
        out.push_sql(F::TABLE);
        out.push_sql(" where tenant_id = ");
        out.push_bind_param::<sql::Uid, _>(&self.wanted.tenant)?;
        out.push_sql(" and id = ");
        out.push_bind_param::<sql::Uid, _>(&self.wanted.id)?;
        Ok(())
    }
}

/// What a row looks like.
type Columns = (sql::Uid, sql::Uid, BigInt, Binary, Nullable<sql::Doc>);

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
