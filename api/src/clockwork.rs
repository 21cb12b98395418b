//! The clockwork: takes the next measure about every debt when its time has come, as commands of
//! the system on the flow it belongs to.
//!
//! The journal makes each measure happen once: its command is made of the debt and the measure,
//! so whoever is second, another replica or this one after a crash, finds it taken. After a
//! standstill of the service the clockwork works off what is due a page at a time, the oldest
//! first, and callers' commands share its commits.

use std::{
    collections::HashMap,
    future::ready,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use actix_web::web::Data;
use domain::{
    actor::Actor,
    case::{self, Case},
    change::{Request, act},
    id::{PlanId, TenantId},
    patrol::{self, Patrol},
    patrol_plan::{self, PatrolPlan},
    refusal::Refusal,
    report::{self, Report},
};
use futures_util::{StreamExt, TryStreamExt, stream};
use persistence::{
    Outcome, StoreError,
    obligation::{self, Lapsing},
    patrol_plan as plans,
};
use uuid::Uuid;

use crate::{content_review, engine::Kept, retention, state::App};

/// How often it looks.
const EVERY: Duration = Duration::from_secs(1);

/// How many debts it takes at once.
const PAGE: i64 = 200;

/// How many of them move at the same time: they share commits, and leave room for callers.
const ABREAST: usize = 16;

/// What the clockwork did, for whoever watches it.
#[derive(Debug, Default)]
pub struct Pulse {
    lag_ms: AtomicI64,
    taken: AtomicU64,
    failed: AtomicU64,
    /// The edition of the calendar each tenant's provisional deadlines were last computed by.
    calendars: Mutex<HashMap<TenantId, i64>>,
}

impl Pulse {
    /// How late, in milliseconds, the oldest measure was that was found at the last look; 0 when
    /// none waited.
    pub fn lag_ms(&self) -> i64 {
        self.lag_ms.load(Ordering::Relaxed)
    }

    fn followed(&self, tenant: TenantId) -> i64 {
        let calendars = self.calendars.lock().unwrap_or_else(PoisonError::into_inner);
        calendars.get(&tenant).copied().unwrap_or_default()
    }

    fn follow(&self, tenant: TenantId, edition: i64) {
        let mut calendars = self.calendars.lock().unwrap_or_else(PoisonError::into_inner);
        calendars.insert(tenant, edition);
    }

    /// Measures taken since the start.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Measures that could not be taken and will be tried again.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }
}

/// Runs until the store is closed.
pub async fn run(app: Data<App>) {
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        match pass(&app).await {
            Ok(_) => {}
            Err(StoreError::Closed) => return,
            Err(error) => tracing::warn!(%error, "the clockwork cannot look for what is due"),
        }
        match retention::pass(&app).await {
            Ok(_) => {}
            Err(StoreError::Closed) => return,
            Err(error) => tracing::warn!(%error, "what is over cannot be removed"),
        }
        match content_review::pass(&app).await {
            Ok(()) => {}
            Err(StoreError::Closed) => return,
            Err(error) => tracing::warn!(%error, "content reviews cannot be looked for"),
        }
    }
}

/// Takes every measure that is due now, by the newest calendars; answers how many flows it moved.
pub async fn pass(app: &App) -> Result<u64, StoreError> {
    let now = app.clock.now();
    let mut sum = follow_calendars(app).await? + make_patrols(app).await?;
    loop {
        let due = app.store.read(move |db| obligation::lapsing(db, now, PAGE)).await?;
        let oldest = due.first().map_or(now, |first| first.next_at);
        app.pulse.lag_ms.store((now - oldest).num_milliseconds().max(0), Ordering::Relaxed);
        let full = i64::try_from(due.len()).unwrap_or(0) == PAGE;
        let count: u64 = stream::iter(by_flow(due))
            .map(|debts| measures(app, debts))
            .buffer_unordered(ABREAST)
            .fold(0, |sum, taken| ready(sum + taken))
            .await;
        app.pulse.taken.fetch_add(count, Ordering::Relaxed);
        sum += count;
        // A page of which nothing could be taken comes again; it must not keep the loop busy.
        if !full || count == 0 {
            return Ok(sum);
        }
    }
}

/// Makes the patrols of today and tomorrow that are due by their plans; answers how many plans it
/// moved.
async fn make_patrols(app: &App) -> Result<u64, StoreError> {
    let mut sum = 0;
    loop {
        let now = app.clock.now();
        let due = app.store.read(move |db| plans::due(db, now, PAGE)).await?;
        let made: u64 = stream::iter(due)
            .map(|(tenant, plan)| make_patrol(app, tenant, plan))
            .buffer_unordered(ABREAST)
            .fold(0, |sum, made| ready(sum + u64::from(made)))
            .await;
        sum += made;
        // A plan that made today's is due again for tomorrow; one of which nothing came waits.
        if made == 0 {
            return Ok(sum);
        }
    }
}

/// Makes the next patrol of one plan; false when it was made already, or cannot be now.
async fn make_patrol(app: &App, tenant: TenantId, plan: PlanId) -> bool {
    match made(app, tenant, plan).await {
        Ok(made) => made,
        Err(error) => {
            app.pulse.failed.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(%error, plan = %plan, "a planned patrol could not be made");
            false
        }
    }
}

/// The plan and its patrol move in one commit: a day is made once, by whichever replica.
async fn made(app: &App, tenant: TenantId, plan: PlanId) -> Result<bool, StoreError> {
    let Some(world) = app.worlds.get(tenant) else { return Ok(false) };
    let Some(root) = world.areas.root() else { return Ok(false) };
    let by = Actor::system(tenant, root.unit());
    let Some(stored) = app.store.look::<PatrolPlan>(tenant, plan.0).await? else {
        return Ok(false);
    };
    let context = world.context(&by, app.clock.now());
    let request = Request::of_system(&format!("plan\n{tenant}\n{plan}\n{}", stored.seq));
    let refused = |refusal: &Refusal| {
        StoreError::Inconsistent(format!("patrol plan {plan}: {}", refusal.code()))
    };
    let make = patrol_plan::Command::Make;
    let change = match act::<PatrolPlan>(Some(&stored), &make, request, 0, context) {
        Ok(change) => change,
        // A replica was faster, or somebody changed it.
        Err(Refusal::NothingDue) => return Ok(false),
        Err(refusal) => return Err(refused(&refusal)),
    };
    let day = change.state.made.filter(|day| stored.state.made != Some(*day));
    let mut writes = Vec::with_capacity(2);
    if let Some(day) = day
        && let Some(new) = stored.state.patrol(day)
    {
        let occasion = Some(stored.state.occasion(day));
        let plan = patrol::Command::Plan { new: Box::new(new), occasion };
        match act::<Patrol>(None, &plan, request, 1, context) {
            Ok(patrol) => writes.push(Patrol::write(patrol)),
            // The area is no more: the plan goes on without making anything there.
            Err(Refusal::AreaRetired { .. } | Refusal::NotATerritory { .. }) => {}
            Err(refusal) => return Err(refused(&refusal)),
        }
    }
    writes.insert(0, PatrolPlan::write(change));
    Ok(app.store.commit(writes).await? == Outcome::Done)
}

/// Debts of one flow next to each other: their measures are taken one after the other, as two at
/// once would only lose to each other.
fn by_flow(due: Vec<Lapsing>) -> Vec<Vec<Lapsing>> {
    let (mut flows, mut places) = (Vec::<Vec<Lapsing>>::new(), HashMap::new());
    for debt in due {
        let place = *places.entry((debt.tenant, debt.flow_id)).or_insert(flows.len());
        match flows.get_mut(place) {
            Some(flow) => flow.push(debt),
            None => flows.push(vec![debt]),
        }
    }
    flows
}

/// Takes the measures that are due on one flow; how many it took.
async fn measures(app: &App, debts: Vec<Lapsing>) -> u64 {
    let mut taken = 0;
    for debt in debts {
        taken += u64::from(measure(app, debt).await);
    }
    taken
}

/// Takes one measure; false when it was taken already, or cannot be now.
async fn measure(app: &App, debt: Lapsing) -> bool {
    let Lapsing { duty, unit, no, .. } = debt;
    let result = match debt.flow.as_str() {
        "report" => command_of::<Report>(app, &debt, report::Command::Lapse { term: no }).await,
        "patrol" => command_of::<Patrol>(app, &debt, patrol::Command::Lapse { term: no }).await,
        _ => command_of::<Case>(app, &debt, case::Command::Lapse { duty, unit, term: no }).await,
    };
    match result {
        Ok(taken) => taken,
        Err(error) => {
            app.pulse.failed.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(%error, flow = %debt.flow_id, "a measure could not be taken");
            false
        }
    }
}

async fn command_of<F: Kept>(
    app: &App,
    debt: &Lapsing,
    command: F::Command,
) -> Result<bool, StoreError> {
    let Lapsing { tenant, flow_id, duty, unit, no, next_at, .. } = debt;
    let (duty, at) = (duty.name(), next_at.timestamp_millis());
    let what = format!("measure\n{tenant}\n{flow_id}\n{duty}\n{unit}\n{no}\n{at}");
    let outcome = as_system::<F>(app, *tenant, *flow_id, &command, |_| what.clone()).await?;
    Ok(outcome == Some(Outcome::Done))
}

/// Asks a command as the system; what became of it, or none when there is nothing to do. `what`
/// names what is asked of the flow at its place in the journal.
pub(crate) async fn as_system<F: Kept>(
    app: &App,
    tenant: TenantId,
    id: Uuid,
    command: &F::Command,
    what: impl Fn(i64) -> String,
) -> Result<Option<Outcome>, StoreError> {
    let Some(world) = app.worlds.get(tenant) else { return Ok(None) };
    let Some(root) = world.areas.root() else { return Ok(None) };
    let by = Actor::system(tenant, root.unit());
    let Some(stored) = app.store.look::<F>(tenant, id).await? else { return Ok(None) };
    let request = Request::of_system(&what(stored.seq));
    match act::<F>(Some(&stored), command, request, 0, world.context(&by, app.clock.now())) {
        Ok(change) => Ok(Some(app.store.commit(vec![F::write(change)]).await?)),
        // Somebody settled it, or a replica was faster.
        Err(Refusal::NothingDue) => Ok(None),
        Err(refusal) => {
            let why = format!("{} {id}: {}", F::KIND.name(), refusal.code());
            Err(StoreError::Inconsistent(why))
        }
    }
}

/// Computes provisional deadlines anew where a calendar was published since this replica last
/// did; after a start, once for every tenant that ever published one.
async fn follow_calendars(app: &App) -> Result<u64, StoreError> {
    let mut sum = 0;
    for world in app.worlds.all() {
        let (tenant, edition) = (world.tenant.id, world.rules.calendars.no);
        if app.pulse.followed(tenant) < edition {
            sum += recompute(app, tenant, edition).await?;
            app.pulse.follow(tenant, edition);
        }
    }
    Ok(sum)
}

/// Computes deadlines anew that were provisional, by the calendar of now; answers how many flows
/// moved. Facts that are established stay: only what is still owed moves.
async fn recompute(app: &App, tenant: TenantId, edition: i64) -> Result<u64, StoreError> {
    const PAGE: i64 = 500;
    let (mut after, mut sum) = (Uuid::nil(), 0);
    loop {
        let from = after;
        let page = move |db: &mut persistence::Db| obligation::provisional(db, tenant, from, PAGE);
        let page = app.store.read(page).await?;
        let moved = stream::iter(page.flows)
            .map(|(flow, id)| anew(app, tenant, flow, id, edition))
            .buffer_unordered(ABREAST)
            .try_fold(0, |moved, one| ready(Ok(moved + u64::from(one))));
        sum += moved.await?;
        match page.next {
            Some(next) => after = next,
            None => return Ok(sum),
        }
    }
}

/// Computes the deadlines of one flow anew; tried again when somebody moved it meanwhile.
async fn anew(
    app: &App,
    tenant: TenantId,
    flow: String,
    id: Uuid,
    edition: i64,
) -> Result<bool, StoreError> {
    const ATTEMPTS: usize = 4;
    let what = |seq| format!("recompute\n{tenant}\n{id}\n{edition}\n{seq}");
    for _ in 0..ATTEMPTS {
        // Patrols have fixed ends: no calendar moves them.
        if flow == "patrol" {
            return Ok(false);
        }
        let outcome = if flow == "report" {
            as_system::<Report>(app, tenant, id, &report::Command::Recompute, what).await?
        } else {
            as_system::<Case>(app, tenant, id, &case::Command::Recompute, what).await?
        };
        match outcome {
            Some(Outcome::Done) => return Ok(true),
            None => return Ok(false),
            Some(Outcome::Stale | Outcome::Seen) => {}
        }
    }
    Ok(false)
}
