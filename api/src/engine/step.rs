//! How every command runs, whatever its flow: find an earlier answer, load, decide, commit, and
//! answer; or rebuild the answer that was given the first time.

use std::{
    collections::{BTreeSet, HashMap},
    pin::Pin,
    sync::Arc,
};

use actix_web::{FromRequest, HttpRequest, dev::Payload, web::Data};
use domain::{
    Instant,
    core::{
        id::{CommandId, NumberLength, TenantId},
        journal::Entry,
    },
    flows::{
        change::{Change, Request, Versioned, execute},
        flow::Context,
    },
    people::actor::Actor,
    rules::refusal::Refusal,
};
use persistence::{CheckedState, Db, FlowTable, Outcome, StoreError, Write, kernel::journal};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    app::{caller::Caller, state::App},
    engine::flows::ServedFlow,
    http::{
        body::MAX_BYTES,
        headers::{IfMatch, Key},
        problem::{Code, Problem, Reply},
    },
};

/// The state of a flow the caller may know of, whether or not its journal can be read: for the
/// check that reports that.
pub async fn look_at_row<F: ServedFlow>(
    app: &App,
    caller: &Caller,
    id: Uuid,
) -> Reply<Arc<Versioned<F>>> {
    let stored = app.store.load_state::<F>(caller.tenant, id).await?;
    require_visible(stored, caller, app.clock.now())
}

/// Loads a flow the caller may know of; for all others the answer is 404.
pub async fn load_visible<F: ServedFlow>(
    app: &App,
    caller: &Caller,
    id: Uuid,
) -> Reply<Arc<Versioned<F>>> {
    let found = app.store.look_checked::<F>(caller.tenant, id).await?;
    readable_by(found, caller, app.clock.now())
}

/// A caller who may not know of a flow does not learn that it cannot be read either.
fn readable_by<F: ServedFlow>(
    found: Option<CheckedState<F>>,
    by: &Actor,
    at: Instant,
) -> Reply<Arc<Versioned<F>>> {
    match found.filter(|found| found.state.state.is_visible_to(by, at)) {
        Some(found) => Ok(found.into_readable()?),
        None => Err(Problem::new(Code::NotFound)),
    }
}

fn require_visible<F: ServedFlow>(
    stored: Option<Arc<Versioned<F>>>,
    by: &Actor,
    at: Instant,
) -> Reply<Arc<Versioned<F>>> {
    stored
        .filter(|stored| stored.state.is_visible_to(by, at))
        .ok_or_else(|| Problem::new(Code::NotFound))
}

/// How often a command is decided anew after another one was faster.
pub const ATTEMPTS: usize = 4;

/// A command on something that exists: load, decide, commit; look for an earlier answer only
/// when that does not succeed.
///
/// `decide` answers the change of the flow that was asked and the changes of other flows that go
/// with it. The first time it may see a cached state that is out of date: the journal rejects a
/// change of it, and a refusal is given only on a state that was read for it.
pub async fn run_step<F: ServedFlow>(
    app: &App,
    caller: &Caller,
    asked: Asked,
    decide: impl Fn(&Versioned<F>, Context<'_>) -> Reply<(Change<F>, Vec<Write>)>,
) -> Reply<Versioned<F>> {
    let kept = app.store.recall_state::<F>(caller.tenant, asked.id);
    let stored = match kept {
        Some(kept) => Some(kept),
        // A flow that cannot be read, or must not be known, is handled below.
        None => app
            .store
            .look_checked::<F>(caller.tenant, asked.id)
            .await?
            .and_then(|found| found.into_readable().ok()),
    };
    let now = app.clock.now();
    if let Some(stored) = stored.filter(|stored| stored.state.is_visible_to(caller, now))
        && asked.if_match.check_seq(stored.seq).is_ok()
        && let Ok((change, more)) =
            decide(&stored, app.world(caller.tenant)?.build_caller_context(caller, now))
        && let (after, Outcome::Done) = commit_change(app, caller, change, more).await?
    {
        return Ok(after);
    }
    run_step_with(app, caller, asked, |_| Ok(()), |stored, (), context| decide(stored, context))
        .await
}

async fn commit_change<F: ServedFlow>(
    app: &App,
    caller: &Caller,
    change: Change<F>,
    more: Vec<Write>,
) -> Reply<(Versioned<F>, Outcome)> {
    // It comes first, so that its part and its hash are those assumed here.
    let after = change.to_stored();
    let kept = caller.arrival.iter().filter(|arrival| arrival.command == change.entry.command);
    let arrived = kept.map(|arrival| Write::Arrived(Box::new((**arrival).clone())));
    let arrived: Vec<Write> = arrived.collect();
    let writes = std::iter::once(Write::from(change)).chain(more).chain(arrived).collect();
    Ok((after, app.store.commit(writes).await?))
}

/// A command whose decision needs more than the flow itself: find an earlier answer, load, decide,
/// commit. `also` loads the rest.
pub async fn run_step_with<F: ServedFlow, T: Send + 'static>(
    app: &App,
    caller: &Caller,
    asked: Asked,
    also: impl Fn(&mut Db) -> Result<T, StoreError> + Clone + Send + 'static,
    decide: impl Fn(&Versioned<F>, &T, Context<'_>) -> Reply<(Change<F>, Vec<Write>)>,
) -> Reply<Versioned<F>> {
    let (tenant, id, request) = (caller.tenant, asked.id, asked.request);
    let by = caller.person;
    let world = app.world(tenant)?;
    let mut lengths = NumberLength::ALL.into_iter();
    let mut numbers = lengths.next().unwrap_or_default();
    for _ in 0..ATTEMPTS {
        let also = also.clone();
        // The state is read before the earlier answer: a twin of this command that is not found now
        // had not changed the state either, and a refusal is given on a state without it.
        let found = app.store.look_checked::<F>(tenant, id).await?;
        let load = move |db: &mut Db| {
            Ok((journal::find_command(db, tenant, by, request.command)?, also(db)?))
        };
        let (seen, extra) = app.store.read(load).await?;
        if let Some(seen) = seen {
            return rebuild_answer(app, caller, request, seen).await;
        }
        let now = app.clock.now();
        let stored = readable_by(found, caller, now)?;
        asked.if_match.check_seq(stored.seq)?;
        let context = Context { numbers, ..world.build_caller_context(caller, now) };
        let (change, more) = decide(&stored, &extra, context)?;
        match commit_change(app, caller, change, more).await? {
            (after, Outcome::Done) => return Ok(after),
            // Seen: the next round finds it. Stale: the next round decides on the new state, unless
            // the client insisted on a version.
            (_, Outcome::Seen | Outcome::Stale) => {}
            (_, Outcome::NumberTaken) => numbers = lengths.next().unwrap_or_default(),
        }
    }
    Err(Problem::new(Code::LostRace))
}

/// What a request asks, and of which flow.
#[derive(Clone, Copy)]
pub struct Asked {
    /// The identity of the flow.
    pub id: Uuid,
    /// The key of the command, and the digest of what it asks.
    pub request: Request,
    /// The version of the flow that the client insists on, if any.
    pub if_match: IfMatch,
}

/// The origin of a command: a request, or a command kept by a phone. Each part is read when it is
/// needed, with the same problems.
pub trait Origin {
    /// The segments of the path, by name and in order.
    fn segments(&self) -> Vec<(String, String)>;

    /// The key of the command (`Idempotency-Key`).
    fn key(&self) -> Reply<Key>;

    /// The version the client insists on (`If-Match`).
    fn if_match(&self) -> Reply<IfMatch>;
}

impl Origin for HttpRequest {
    fn segments(&self) -> Vec<(String, String)> {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        self.match_info().iter().map(owned).collect()
    }

    fn key(&self) -> Reply<Key> {
        Key::from_headers(self.headers())
    }

    fn if_match(&self) -> Reply<IfMatch> {
        IfMatch::from_headers(self.headers())
    }
}

/// Everything that a command needs besides its body.
pub trait CommandContext: Sized {
    /// The most bytes that the body of such a command has.
    const MAX_BODY: usize = MAX_BYTES;

    /// Reads it from the origin of the command; the caller is authenticated.
    fn read(app: Data<App>, caller: Caller, origin: &impl Origin) -> Reply<Self>;
}

/// The context of a command that begins a flow.
pub struct Start {
    /// The state of the server, for reading and committing.
    pub app: Data<App>,
    /// The person or program that asks, and whose rights decide.
    pub caller: Caller,
    /// The key of the command.
    pub key: Key,
}

impl CommandContext for Start {
    fn read(app: Data<App>, caller: Caller, origin: &impl Origin) -> Reply<Self> {
        Ok(Self { app, caller, key: origin.key()? })
    }
}

/// The context of a command on a flow: caller, flow, key and version.
pub struct Step {
    /// The state of the server, for reading and committing.
    pub app: Data<App>,
    /// The person or program that asks, and whose rights decide.
    pub caller: Caller,
    /// The identity of the flow.
    pub id: Uuid,
    key: Key,
    if_match: IfMatch,
    segments: Vec<(String, String)>,
}

impl CommandContext for Step {
    fn read(app: Data<App>, caller: Caller, origin: &impl Origin) -> Reply<Self> {
        let segments = origin.segments();
        let id = read_segment(&segments, "id")?;
        let (key, if_match) = (origin.key()?, origin.if_match()?);
        Ok(Self { app, caller, id, key, if_match, segments })
    }
}

impl Step {
    /// The key of the command.
    pub fn key(&self) -> CommandId {
        self.key.0
    }

    /// What is asked, for the journal.
    pub fn build_asked(&self, operation: &str, body: &impl Serialize) -> Asked {
        let request = Request::new(self.key.0, operation, self.id, body);
        Asked { id: self.id, request, if_match: self.if_match }
    }

    /// An identifier in the path, by name.
    pub fn segment(&self, name: &'static str) -> Reply<Uuid> {
        read_segment(&self.segments, name)
    }

    /// A number in the path, by name.
    pub fn number(&self, name: &'static str) -> Reply<i64> {
        let text = find_segment(&self.segments, name);
        text.parse().map_err(|_not_a_number: std::num::ParseIntError| {
            let (zh, en) = ("应为整数编号。", "Expected an integer.");
            Problem::new(Code::InvalidPath).parameter(name, "not_a_number", zh, en)
        })
    }
}

/// The context of a command on the caller.
pub struct OwnStep(pub Step);

impl CommandContext for OwnStep {
    fn read(app: Data<App>, caller: Caller, origin: &impl Origin) -> Reply<Self> {
        let (id, key, if_match) = (caller.person.0, origin.key()?, origin.if_match()?);
        Ok(Self(Step { app, caller, id, key, if_match, segments: Vec::new() }))
    }
}

fn find_segment<'a>(segments: &'a [(String, String)], name: &str) -> &'a str {
    let found = segments.iter().find(|(own, _)| own == name);
    found.map(|(_, value)| value.as_str()).unwrap_or_default()
}

fn read_segment(segments: &[(String, String)], name: &'static str) -> Reply<Uuid> {
    Uuid::try_parse(find_segment(segments, name)).map_err(|_malformed| {
        let (zh, en) = ("应为 UUID。", "Expected a UUID.");
        Problem::new(Code::InvalidPath).parameter(name, "not_a_uuid", zh, en)
    })
}

/// A value that is extracted from a request asynchronously.
pub type Extracting<T> = Pin<Box<dyn Future<Output = Reply<T>>>>;

/// Reads the context of a command from a request.
pub fn extract<C: CommandContext>(request: &HttpRequest, payload: &mut Payload) -> Extracting<C> {
    let app = request.app_data::<Data<App>>().cloned();
    let caller = Caller::from_request(request, payload);
    let request = request.clone();
    Box::pin(async move {
        let app = app.ok_or_else(|| Problem::new(Code::Internal))?;
        // The caller is authenticated first: strangers learn nothing from faults of the rest.
        C::read(app, caller.await?, &request)
    })
}

macro_rules! extracted {
    ($($context:ty),+) => {$(
        impl FromRequest for $context {
            type Error = Problem;
            type Future = Extracting<Self>;

            fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
                extract(request, payload)
            }
        }
    )+};
}

extracted!(Start, Step, OwnStep);

/// A command that changes only the flow it names.
pub async fn run_command<F: ServedFlow>(
    app: &App,
    caller: &Caller,
    asked: Asked,
    command: F::Command,
) -> Reply<Versioned<F>> {
    let decide = |stored: &Versioned<F>, context: Context<'_>| {
        Ok((execute::<F>(Some(stored), &command, asked.request, context)?, Vec::new()))
    };
    run_step(app, caller, asked, decide).await
}

/// A command that begins a flow: decide, commit; find an earlier answer only when that does not
/// succeed.
pub async fn begin_flow<F: ServedFlow>(
    app: &App,
    caller: &Caller,
    request: Request,
    decide: impl Fn(Context<'_>) -> Result<(Change<F>, Vec<Write>), Refusal>,
) -> Reply<(Versioned<F>, bool)> {
    let world = app.world(caller.tenant)?;
    let mut refused = Problem::new(Code::LostRace);
    for numbers in NumberLength::ALL {
        let context = Context { numbers, ..world.build_caller_context(caller, app.clock.now()) };
        refused = match decide(context) {
            Ok((change, more)) => match commit_change(app, caller, change, more).await {
                Ok((after, Outcome::Done)) => return Ok((after, true)),
                // A longer number is tried.
                Ok((_, Outcome::NumberTaken)) => continue,
                Ok((_, Outcome::Seen)) => Problem::new(Code::LostRace),
                Ok((_, Outcome::Stale)) => Refusal::AlreadyExists { what: F::KIND.name() }.into(),
                Err(problem) => problem,
            },
            Err(refusal) => refusal.into(),
        };
        break;
    }
    let (tenant, by, command) = (caller.tenant, caller.person, request.command);
    match app.store.read(move |db| journal::find_command(db, tenant, by, command)).await? {
        Some(seen) => Ok((rebuild_answer(app, caller, request, seen).await?, false)),
        None => Err(refused),
    }
}

/// The answer a command was given before, if any: used where what the decision needs is gone.
pub async fn load_answer<F: ServedFlow>(
    app: &App,
    caller: &Caller,
    request: Request,
) -> Reply<Option<Versioned<F>>> {
    let (tenant, by, command) = (caller.tenant, caller.person, request.command);
    match app.store.read(move |db| journal::find_command(db, tenant, by, command)).await? {
        Some(seen) => rebuild_answer(app, caller, request, seen).await.map(Some),
        None => Ok(None),
    }
}

/// The answer a command was given the first time, rebuilt from the journal, while the caller may
/// know of the flow.
async fn rebuild_answer<F: ServedFlow>(
    app: &App,
    caller: &Caller,
    request: Request,
    seen: journal::Seen,
) -> Reply<Versioned<F>> {
    if seen.request != request {
        return Err(Problem::new(Code::IdempotencyKeyReused));
    }
    let tenant = caller.tenant;
    // An answer the caller must not know any more is not repeated.
    load_visible::<F>(app, caller, seen.flow).await?;
    let stored = app
        .store
        .read(move |db| journal::load_state_at::<F>(db, tenant, seen.flow, seen.seq))
        .await?;
    stored.ok_or_else(|| Problem::new(Code::NotFound))
}

/// The flows of one kind that some entries are about; unreadable ones are left out.
pub async fn load_flows<F: FlowTable>(
    app: &App,
    tenant: TenantId,
    entries: &[(i64, Entry)],
) -> Result<HashMap<Uuid, Arc<Versioned<F>>>, StoreError> {
    let of_kind = entries.iter().filter(|(_, entry)| entry.flow == F::KIND);
    let ids: BTreeSet<Uuid> = of_kind.map(|(_, entry)| entry.flow_id).collect();
    let ids: Vec<Uuid> = ids.into_iter().collect();
    let mut present = HashMap::with_capacity(ids.len());
    for (id, found) in ids.iter().zip(app.store.load_states::<F>(tenant, &ids).await) {
        match found {
            Ok(found) => present.extend(found.map(|found| (*id, found))),
            Err(error) if error.is_unreadable() => {
                tracing::error!(flow = %id, %error, "a flow cannot be read");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(present)
}

/// Runs a command as the system; answers what became of it, or none when there is nothing to do.
/// `what` names the command at its place in the journal.
pub(crate) async fn run_as_system<F: ServedFlow>(
    app: &App,
    tenant: TenantId,
    id: Uuid,
    command: &F::Command,
    what: impl Fn(i64) -> String,
) -> Result<Option<Outcome>, StoreError> {
    let Some(world) = app.worlds.get(tenant) else { return Ok(None) };
    let Some(root) = world.areas.root() else { return Ok(None) };
    let by = Actor::new_system(tenant, root.unit());
    let Some(found) = app.store.look_checked::<F>(tenant, id).await? else { return Ok(None) };
    let stored = found.into_readable()?;
    let request = Request::for_system(&what(stored.seq));
    match execute::<F>(Some(&stored), command, request, world.build_context(&by, app.clock.now())) {
        Ok(change) => Ok(Some(app.store.commit(vec![Write::from(change)]).await?)),
        // A caller settled it, or another replica was faster.
        Err(Refusal::NothingDue) => Ok(None),
        Err(refusal) => {
            let why = format!("{} {id}: {}", F::KIND.name(), refusal.code());
            Err(StoreError::Inconsistent(why))
        }
    }
}
