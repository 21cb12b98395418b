//! The only access to the database: `read` runs queries, `commit` writes changes of flows, `run`
//! does a named job for everything else (logins, deliveries, consents).

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use domain::{core::id::TenantId, flows::change::Versioned};
use tokio::sync::{Mutex, oneshot, watch};
use uuid::Uuid;

use crate::{
    batch::{self, Commit, Outcome, Write},
    flows::track::{self, Landed, Upload},
    kernel::{
        connection::{self, Db, Url, Use, transaction},
        error::{NUMBER, StoreError},
        flow::FlowTable,
        flow::rebuild_state,
        lane::{Lane, Size},
        load::{self, Found, LoadKey, LoadRequest, Memory, query_states},
        migrate,
        types::Id,
        write_job::WriteJob,
    },
    registry::FLOWS,
};

type Result<T, E = StoreError> = std::result::Result<T, E>;
type Job = Box<dyn FnOnce(&mut Result<Db>) + Send>;

/// What a writing lane does.
enum Task {
    Commit(Box<Commit>, oneshot::Sender<Result<Outcome>>),
    Track(Box<Upload>, oneshot::Sender<Result<Landed>>),
    Run(Job),
}

/// The options of a store.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Reading lanes for queries; none for the engine's default.
    pub readers: Option<usize>,
    /// Writing lanes; none for the engine's default. SQLite always has one.
    pub writers: Option<usize>,
    /// The number of requests that may wait in each queue before others are refused.
    pub waiting: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { readers: None, writers: None, waiting: 4096 }
    }
}

/// The database, shared by all who hold a copy.
#[derive(Clone)]
pub struct Store {
    lanes: Arc<Lanes>,
}

struct Lanes {
    reads: Lane<Job>,
    looks: Lane<LoadRequest>,
    writes: Lane<Task>,
    /// The lane for points of tracks on PostgreSQL: one lane, so that more of them share a
    /// transaction. SQLite has one writer for everything.
    tracks: Option<Lane<Task>>,
    memory: Memory,
    /// Signals every commit made through this store.
    stirred: watch::Sender<u64>,
    remains: Remains,
    /// Whether it is the embedded engine.
    embedded: bool,
}

/// Erased data that may still be on disk.
#[derive(Default)]
struct Remains {
    /// The number of erasures.
    erased: AtomicU64,
    /// The number of erasures of which nothing is left on disk.
    scrubbed: AtomicU64,
    /// Only one cleans up at a time.
    one: Mutex<()>,
}

/// A worker's connection, reopened when it broke.
struct Worker {
    url: Url,
    purpose: Use,
    db: Result<Db>,
}

impl Worker {
    fn new(url: &Url, purpose: Use) -> Result<Self> {
        Ok(Self { url: url.clone(), purpose, db: Ok(url.connect(purpose)?) })
    }

    fn ensure_connection(&mut self) -> &mut Result<Db> {
        if self.db.is_err() {
            self.db = self.url.connect(self.purpose);
        }
        &mut self.db
    }

    fn drop_connection(&mut self) {
        self.db = Err(StoreError::Unavailable("the connection broke".to_owned()));
    }
}

impl Store {
    /// The most changes that share one transaction.
    const BATCH: usize = 64;

    /// The most uploads of points that share one transaction.
    const TRACKS: usize = 128;

    /// The number of lanes that load single states.
    const LOOKING: usize = 2;

    /// Opens a database after bringing it up to date.
    pub fn open(url: &str, options: Options) -> Result<Self> {
        migrate::up(url)?;
        let url = Url::parse(url)?;
        let (reading, writing) = if url.is_embedded() { (4, 1) } else { (8, 2) };
        let reading = options.readers.unwrap_or(reading).max(1);
        let writing = if url.is_embedded() { 1 } else { options.writers.unwrap_or(writing).max(1) };
        let workers = |count, purpose| {
            (0..count).map(|_| Worker::new(&url, purpose)).collect::<Result<Vec<_>>>()
        };
        let size = |batch| Size { batch, waiting: options.waiting };
        let failed = |error: std::io::Error| StoreError::Unavailable(error.to_string());
        let read_lane = Lane::start("read", size(1), workers(reading, Use::Read)?, run_reads);
        let look_lane =
            Lane::start("look", size(Self::BATCH), workers(Self::LOOKING, Use::Look)?, run_loads);
        let write_lane =
            Lane::start("write", size(Self::BATCH), workers(writing, Use::Write)?, run_writes);
        let (reads, looks) = (read_lane.map_err(failed)?, look_lane.map_err(failed)?);
        let (writes, memory) = (write_lane.map_err(failed)?, Memory::new(&FLOWS));
        let tracks = if url.is_embedded() {
            None
        } else {
            let lane =
                Lane::start("track", size(Self::TRACKS), workers(1, Use::Write)?, run_writes);
            Some(lane.map_err(failed)?)
        };
        let stirred = watch::Sender::new(0);
        let (remains, embedded) = (Remains::default(), url.is_embedded());
        let lanes = Lanes { reads, looks, writes, tracks, memory, stirred, remains, embedded };
        Ok(Self { lanes: Arc::new(lanes) })
    }

    /// Runs a query on a reading lane.
    pub async fn read<R: Send + 'static>(
        &self,
        query: impl FnOnce(&mut Db) -> Result<R> + Send + 'static,
    ) -> Result<R> {
        let (reply, answer) = oneshot::channel();
        self.lanes.reads.push(new_job(query, reply))?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Runs queries on a reading lane that all see the database as it is at the first of them,
    /// whatever is written meanwhile.
    pub async fn read_snapshot<R: Send + 'static>(
        &self,
        query: impl FnOnce(&mut Db) -> Result<R> + Send + 'static,
    ) -> Result<R> {
        self.read(move |db| connection::read_snapshot(db, query)).await
    }

    /// Makes changes durable together, or none of them; commits that wait at the same time share
    /// the transaction. Of the changes of one command, that of the flow it addressed comes first:
    /// their entries are numbered in this order.
    pub async fn commit(&self, mut writes: Vec<Write>) -> Result<Outcome> {
        batch::number_parts(&mut writes);
        let commit = Box::new(Commit::new(&writes)?);
        let erases = |write: &Write| matches!(write, Write::Forgotten(gone) if !gone.is_empty());
        let erases = writes.iter().any(erases);
        let (reply, answer) = oneshot::channel();
        self.lanes.writes.push(Task::Commit(commit, reply))?;
        let outcome = match answer.await.unwrap_or(Err(StoreError::Closed)) {
            Err(StoreError::Exists(NUMBER)) => Outcome::NumberTaken,
            answer => answer?,
        };
        if outcome == Outcome::Done {
            self.remember_states(writes);
            self.lanes.stirred.send_modify(|count| *count += 1);
            if erases {
                self.scrub().await;
            }
        }
        Ok(outcome)
    }

    /// Removes erased data from disk: to be called after every erasure. It takes a moment, keeps
    /// others waiting no longer than that, and gives up for now when a reader still sees the old
    /// data ([`Store::has_remains`]).
    pub async fn scrub(&self) {
        const TRIES: usize = 20;
        const PAUSE: Duration = Duration::from_millis(50);
        let remains = &self.lanes.remains;
        let mine = remains.erased.fetch_add(1, Ordering::SeqCst) + 1;
        let _one = remains.one.lock().await;
        for _ in 0..TRIES {
            if remains.scrubbed.load(Ordering::SeqCst) >= mine {
                return;
            }
            let all = remains.erased.load(Ordering::SeqCst);
            match self.run_outside_transaction(connection::scrub).await {
                Ok(true) => {
                    remains.scrubbed.store(all, Ordering::SeqCst);
                    return;
                }
                Ok(false) => tokio::time::sleep(PAUSE).await,
                Err(error) => {
                    tracing::warn!(%error, "what was erased is still on disk, for now");
                    return;
                }
            }
        }
        tracing::warn!("what was erased is still in the log of the database, for now: it is read");
    }

    /// Whether erased data may still be on disk.
    pub fn has_remains(&self) -> bool {
        let remains = &self.lanes.remains;
        remains.scrubbed.load(Ordering::SeqCst) < remains.erased.load(Ordering::SeqCst)
    }

    /// Runs `work` outside of any transaction: on the writing lane of SQLite, which writes nothing
    /// else meanwhile; on a reading lane of PostgreSQL, where nothing waits for it.
    async fn run_outside_transaction<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Db) -> Result<R> + Send + 'static,
    ) -> Result<R> {
        let (reply, answer) = oneshot::channel();
        let work = new_job(work, reply);
        if self.lanes.embedded {
            self.lanes.writes.push(Task::Run(work))?;
        } else {
            self.lanes.reads.push(work)?;
        }
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Signals every commit through this store; commits of other replicas are not signalled.
    pub fn commit_signal(&self) -> watch::Receiver<u64> {
        self.lanes.stirred.subscribe()
    }

    /// The number of commits that moved flows through this store since it was opened.
    pub fn commit_count(&self) -> u64 {
        *self.lanes.stirred.borrow()
    }

    /// Keeps the states that were written.
    fn remember_states(&self, writes: Vec<Write>) {
        for write in writes {
            if let Write::Flow(change) = write {
                change.keep_state(&self.lanes.memory);
            }
        }
    }

    /// Queues a request for a state.
    pub(crate) fn queue_load(&self, look: LoadRequest) -> Result<()> {
        self.lanes.looks.push(look)
    }

    /// The states that were read or written lately.
    pub(crate) fn memory(&self) -> &Memory {
        &self.lanes.memory
    }

    /// Makes points of a track durable; those that wait at the same time share a transaction.
    pub async fn store_track(&self, upload: Upload) -> Result<Landed> {
        let (reply, answer) = oneshot::channel();
        let lane = self.lanes.tracks.as_ref().unwrap_or(&self.lanes.writes);
        lane.push(Task::Track(Box::new(upload), reply))?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Does a job in a transaction of its own on a writing lane.
    pub async fn run<R: Send + 'static>(&self, work: WriteJob<R>) -> Result<R> {
        let (reply, answer) = oneshot::channel();
        let work = new_job(move |db| transaction(db, |db| work.run_within(db)), reply);
        self.lanes.writes.push(Task::Run(work))?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Finishes what waits and closes every connection. Blocks.
    ///
    /// SQLite folds its log into the file when the last connection closes, unless two close at the
    /// same moment and each takes the other for the last: so the writing one closes last, alone.
    pub fn close(&self) {
        self.lanes.looks.close();
        self.lanes.reads.close();
        if let Some(tracks) = &self.lanes.tracks {
            tracks.close();
        }
        self.lanes.writes.close();
    }
}

/// Wraps a query so that a lane can run it and its caller gets the result.
fn new_job<R: Send + 'static>(
    query: impl FnOnce(&mut Db) -> Result<R> + Send + 'static,
    reply: oneshot::Sender<Result<R>>,
) -> Job {
    Box::new(move |db| {
        let result = match db {
            Ok(db) => query(db),
            Err(error) => Err(StoreError::Unavailable(error.to_string())),
        };
        if let Err(StoreError::Unavailable(why)) = &result {
            *db = Err(StoreError::Unavailable(why.clone()));
        }
        // The caller may have gone away.
        let _ = reply.send(result);
    })
}

/// Runs a job; a panic in it costs its connection, not the lane.
fn run_safely(worker: &mut Worker, work: impl FnOnce(&mut Result<Db>)) {
    let run = AssertUnwindSafe(|| work(worker.ensure_connection()));
    if catch_unwind(run).is_err() {
        tracing::error!("a database job panicked");
        worker.drop_connection();
    }
}

fn run_reads(worker: &mut Worker, jobs: Vec<Job>) {
    for job in jobs {
        run_safely(worker, job);
    }
}

fn run_loads(worker: &mut Worker, looks: Vec<LoadRequest>) {
    run_safely(worker, |db| load::answer_all(db, looks));
}

/// Commits everything that waits in one transaction; other tasks run each on its own.
fn run_writes(worker: &mut Worker, tasks: Vec<Task>) {
    let (mut commits, mut replies) = (Vec::new(), Vec::new());
    let (mut uploads, mut walkers) = (Vec::new(), Vec::new());
    for task in tasks {
        match task {
            Task::Commit(commit, reply) => {
                commits.push(commit);
                replies.push(reply);
            }
            Task::Track(upload, reply) => {
                uploads.push(upload);
                walkers.push(reply);
            }
            Task::Run(job) => run_safely(worker, job),
        }
    }
    run_uploads(worker, &uploads, walkers);
    if commits.is_empty() {
        return;
    }
    let mut outcomes = Vec::new();
    run_safely(worker, |db| outcomes = commit_together(db, &commits));
    let mut outcomes = outcomes.into_iter();
    for reply in replies {
        let interrupted = || Err(StoreError::Unavailable("the write was interrupted".to_owned()));
        let outcome = outcomes.next().unwrap_or_else(interrupted);
        // The caller may have gone away; the change is durable all the same.
        let _ = reply.send(outcome);
    }
}

/// Stores the waiting points of tracks in one transaction, apart from commits: it locks only
/// tracks, in order.
fn run_uploads(
    worker: &mut Worker,
    uploads: &[Box<Upload>],
    replies: Vec<oneshot::Sender<Result<Landed>>>,
) {
    if uploads.is_empty() {
        return;
    }
    let mut landed = Vec::new();
    run_safely(worker, |db| landed = store_uploads(db, uploads));
    let mut landed = landed.into_iter();
    for reply in replies {
        let interrupted = || Err(StoreError::Unavailable("the write was interrupted".to_owned()));
        // The caller may have gone away.
        let _ = reply.send(landed.next().unwrap_or_else(interrupted));
    }
}

/// Stores all uploads in one transaction; if that fails, each on its own.
fn store_uploads(db: &mut Result<Db>, uploads: &[Box<Upload>]) -> Vec<Result<Landed>> {
    let failed =
        |why: &str| uploads.iter().map(|_| Err(StoreError::Unavailable(why.to_owned()))).collect();
    let connection = match db {
        Ok(connection) => connection,
        Err(error) => return failed(&error.to_string()),
    };
    let all: Vec<&Upload> = uploads.iter().map(AsRef::as_ref).collect();
    match transaction(connection, |db| track::store_points(db, &all)) {
        Ok(landed) => landed.into_iter().map(Ok).collect(),
        Err(StoreError::Unavailable(why)) => {
            *db = Err(StoreError::Unavailable(why.clone()));
            failed(&why)
        }
        Err(_) => {
            let alone = |upload: &&Upload| {
                let landed =
                    transaction(connection, |db| track::store_points(db, &[*upload]))?.pop();
                let none = || StoreError::Inconsistent("an upload without an answer".to_owned());
                landed.ok_or_else(none)
            };
            all.iter().map(alone).collect()
        }
    }
}

/// Commits all in one transaction: first on the assumption that all of them are new, then checking
/// each for replays and lost races; if that fails, too, each on its own.
fn commit_together(db: &mut Result<Db>, commits: &[Box<Commit>]) -> Vec<Result<Outcome>> {
    let failed =
        |why: &str| commits.iter().map(|_| Err(StoreError::Unavailable(why.to_owned()))).collect();
    let connection = match db {
        Ok(connection) => connection,
        Err(error) => return failed(&error.to_string()),
    };
    let all: Vec<&Commit> = commits.iter().map(AsRef::as_ref).collect();
    let hoped = transaction(connection, |db| batch::apply_all(db, &all));
    let applied = match hoped {
        Ok(()) => Ok(vec![Outcome::Done; commits.len()]),
        Err(StoreError::Unavailable(why)) => Err(StoreError::Unavailable(why)),
        Err(_) => transaction(connection, |db| batch::apply(db, &all)),
    };
    match applied {
        Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
        Err(StoreError::Unavailable(why)) => {
            *db = Err(StoreError::Unavailable(why.clone()));
            failed(&why)
        }
        Err(_) => {
            let outcomes: Vec<_> =
                commits.iter().map(|commit| commit_alone(connection, commit)).collect();
            if let Some(Err(StoreError::Unavailable(why))) =
                outcomes.iter().find(|o| matches!(o, Err(StoreError::Unavailable(_))))
            {
                *db = Err(StoreError::Unavailable(why.clone()));
            }
            outcomes
        }
    }
}

fn commit_alone(db: &mut Db, commit: &Commit) -> Result<Outcome> {
    transaction(db, |db| {
        let outcome = batch::apply(db, &[commit])?.pop();
        outcome.ok_or_else(|| StoreError::Inconsistent("a commit without an outcome".to_owned()))
    })
    .or_else(|error| {
        // Part of it was written by another commit: nothing of this one was written.
        let partial = matches!(error, StoreError::Exists("command"));
        if partial { Ok(Outcome::Stale) } else { Err(error) }
    })
}

impl Store {
    /// The present state of a flow that another flow refers to: as its row says, whether or not its
    /// journal can be read.
    pub async fn load_state<F: FlowTable>(
        &self,
        tenant: TenantId,
        id: Uuid,
    ) -> Result<Option<Arc<Versioned<F>>>> {
        Ok(self.await_state(self.request_state(tenant, id)?).await?.map(|found| found.state))
    }

    /// The present state of a flow that is read or commanded itself, and whether its journal can be
    /// read.
    pub async fn look_checked<F: FlowTable>(
        &self,
        tenant: TenantId,
        id: Uuid,
    ) -> Result<Option<CheckedState<F>>> {
        self.await_state(self.request_state(tenant, id)?).await
    }

    /// The present states of flows, in the order of `ids`, by few queries. One that cannot be read
    /// affects no other.
    pub async fn load_states<F: FlowTable>(
        &self,
        tenant: TenantId,
        ids: &[Uuid],
    ) -> Vec<Result<Option<Arc<Versioned<F>>>>> {
        /// The most requests that wait at once, because others use the same queue.
        const ABREAST: usize = 100;
        let mut states = Vec::with_capacity(ids.len());
        for some in ids.chunks(ABREAST) {
            let asked: Vec<_> =
                some.iter().map(|id| self.request_state::<F>(tenant, *id)).collect();
            for looking in asked {
                states.push(match looking {
                    Ok(looking) => {
                        self.await_state(looking).await.map(|found| found.map(|one| one.state))
                    }
                    Err(error) => Err(error),
                });
            }
        }
        states
    }

    /// Requests a state.
    fn request_state<F: FlowTable>(&self, tenant: TenantId, id: Uuid) -> Result<PendingLoad<F>> {
        let known = self.recall_state::<F>(tenant, id);
        let seq = known.as_ref().map_or(0, |known| known.seq);
        let (reply, answer) = oneshot::channel();
        let wanted = LoadKey { tenant: Id(tenant.0), id: Id(id), seq };
        self.queue_load(LoadRequest { table: F::TABLE, query: query_states::<F>, wanted, reply })?;
        Ok(PendingLoad { tenant, id, known, answer })
    }

    /// Waits for a requested state, and checks whether its journal can be read. Only readable
    /// states are kept in memory, where commands are decided on them without asking the database.
    async fn await_state<F: FlowTable>(
        &self,
        looking: PendingLoad<F>,
    ) -> Result<Option<CheckedState<F>>> {
        let PendingLoad { tenant, id, known, answer } = looking;
        let Some(found) = answer.await.unwrap_or(Err(StoreError::Closed))? else {
            return Ok(None);
        };
        let readable = found.check_readable::<F>();
        let Some(state) = found.state else {
            return Ok(known.map(|state| CheckedState { state, readable }));
        };
        let state = Arc::new(rebuild_state::<F>(F::TABLE, (Id(id), found.seq, found.head, state))?);
        if readable.is_ok() {
            self.memory().keep_state(tenant, &state);
        }
        Ok(Some(CheckedState { state, readable }))
    }

    /// A recent state of the flow, if it is kept in memory.
    pub fn recall_state<F: FlowTable>(
        &self,
        tenant: TenantId,
        id: Uuid,
    ) -> Option<Arc<Versioned<F>>> {
        self.memory().states::<F>()?.get(&(tenant, id))
    }
}

/// A state from its row, and whether this program understands the journal behind it.
pub struct CheckedState<F> {
    /// The state in the row.
    pub state: Arc<Versioned<F>>,
    readable: Result<()>,
}

impl<F> CheckedState<F> {
    /// The state; [`StoreError::Unreadable`] where the end of its journal cannot be read.
    pub fn into_readable(self) -> Result<Arc<Versioned<F>>> {
        self.readable.map(|()| self.state)
    }
}

/// A state that was requested.
struct PendingLoad<F> {
    tenant: TenantId,
    id: Uuid,
    known: Option<Arc<Versioned<F>>>,
    answer: oneshot::Receiver<Result<Option<Found>>>,
}
