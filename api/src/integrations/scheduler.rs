//! The scheduler: takes the next measure about every debt when its time has come, as a command of
//! the system on the flow it belongs to.
//!
//! The journal makes each measure happen once: its command is derived from the debt and the
//! measure, so the replica that is second, or this one after a crash, finds it taken. After a
//! standstill of the service the scheduler takes what is due a page at a time, the oldest first,
//! and callers' commands share its commits.

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
    Instant,
    core::{
        id::{NumberLength, PlanId, TenantId},
        journal::FlowKind,
    },
    flows::{
        change::{Request, execute},
        flow::Context,
        patrol::{self, Patrol},
        patrol_plan::{self, PatrolPlan},
    },
    people::actor::Actor,
    rules::refusal::Refusal,
};
use futures_util::{StreamExt, TryStreamExt, stream};
use persistence::{
    Outcome, StoreError, Write,
    flows::patrol_plan as plans,
    kernel::{
        deferral::{self, Due},
        obligation::{self, Lapsing},
    },
};
use uuid::Uuid;

use crate::{
    app::state::App,
    engine::table::find_flow,
    resources::{content_review, retention},
};

/// How often it looks.
const EVERY: Duration = Duration::from_secs(1);

/// How many debts it takes at once.
const PAGE: i64 = 200;

/// How many of them are processed at the same time: they share commits, and leave room for callers.
const ABREAST: usize = 16;

/// How late the oldest measure may be before the server says that it lags.
const LAGGING: chrono::Duration = chrono::Duration::seconds(60);

/// The state of the scheduler, for those who watch the server.
#[derive(Debug)]
pub struct Pulse {
    /// When it last looked for what is due, in milliseconds; the minimum before the first look.
    looked_at: AtomicI64,
    /// When the oldest measure found then was due, in milliseconds; the maximum where none waited.
    oldest: AtomicI64,
    taken: AtomicU64,
    failed: AtomicU64,
    deferred: AtomicI64,
    /// The edition of the calendar each tenant's provisional deadlines were last computed by.
    calendars: Mutex<HashMap<TenantId, i64>>,
}

impl Default for Pulse {
    fn default() -> Self {
        Self {
            looked_at: AtomicI64::new(i64::MIN),
            oldest: AtomicI64::new(i64::MAX),
            taken: AtomicU64::default(),
            failed: AtomicU64::default(),
            deferred: AtomicI64::default(),
            calendars: Mutex::default(),
        }
    }
}

impl Pulse {
    /// How late, in milliseconds, the oldest waiting measure is: since it was due, or since the
    /// scheduler last looked where that is longer than usual; 0 when none waits.
    pub fn lag_ms(&self, now: Instant) -> i64 {
        let looked_at = self.looked_at.load(Ordering::Relaxed);
        if looked_at == i64::MIN {
            return 0;
        }
        let now = now.timestamp_millis();
        let silent = now.saturating_sub(looked_at);
        let silent = if silent > 10_000 { silent } else { 0 };
        let late = now.saturating_sub(self.oldest.load(Ordering::Relaxed));
        silent.max(late).max(0)
    }

    /// Whether measures are later than allowed.
    pub fn is_lagging(&self, now: Instant) -> bool {
        self.lag_ms(now) > LAGGING.num_milliseconds()
    }

    fn record_oldest(&self, now: Instant, oldest: Option<Instant>) {
        let oldest = oldest.map_or(i64::MAX, |at| at.timestamp_millis());
        self.oldest.store(oldest, Ordering::Relaxed);
        self.looked_at.store(now.timestamp_millis(), Ordering::Relaxed);
    }

    fn last_edition(&self, tenant: TenantId) -> i64 {
        let calendars = self.calendars.lock().unwrap_or_else(PoisonError::into_inner);
        calendars.get(&tenant).copied().unwrap_or_default()
    }

    fn record_edition(&self, tenant: TenantId, edition: i64) {
        let mut calendars = self.calendars.lock().unwrap_or_else(PoisonError::into_inner);
        calendars.insert(tenant, edition);
    }

    /// Measures taken since the start.
    pub fn taken_count(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Measures that failed and will be tried again, counted at each try.
    pub fn failed_count(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Work of all replicas that failed and waits for its next try.
    pub fn deferred_count(&self) -> i64 {
        self.deferred.load(Ordering::Relaxed)
    }
}

/// Runs until the store is closed.
pub async fn run(app: Data<App>) {
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        match run_pass(&app).await {
            Ok(_) => {}
            Err(StoreError::Closed) => return,
            Err(error) => tracing::warn!(%error, "the scheduler cannot look for what is due"),
        }
        match retention::run_pass(&app).await {
            Ok(_) => {}
            Err(StoreError::Closed) => return,
            Err(error) => tracing::warn!(%error, "what is over cannot be removed"),
        }
        match content_review::run_pass(&app).await {
            Ok(()) => {}
            Err(StoreError::Closed) => return,
            Err(error) => tracing::warn!(%error, "content reviews cannot be looked for"),
        }
    }
}

/// Takes every measure that is due now, by the newest calendars; answers how many flows it changed.
/// A failure of one part does not stop the others.
pub async fn run_pass(app: &App) -> Result<u64, StoreError> {
    let parts = [
        follow_calendars(app).await,
        make_patrols(app).await,
        take_measures(app).await,
        count_deferred(app).await,
    ];
    parts.into_iter().sum()
}

/// Takes the measures that are due; answers how many flows it changed.
async fn take_measures(app: &App) -> Result<u64, StoreError> {
    let mut sum = 0;
    loop {
        let now = app.clock.now();
        let due = app.store.read(move |db| obligation::load_lapsing(db, now, PAGE)).await?;
        app.memory
            .get_or_default::<Pulse>()
            .record_oldest(now, due.first().map(|first| first.next_at));
        let full = i64::try_from(due.len()).unwrap_or(0) == PAGE;
        let count: u64 = stream::iter(group_by_flow(due))
            .map(|debts| take_flow_measures(app, debts))
            .buffer_unordered(ABREAST)
            .fold(0, |sum, taken| ready(sum + taken))
            .await;
        app.memory.get_or_default::<Pulse>().taken.fetch_add(count, Ordering::Relaxed);
        sum += count;
        // A measure that failed is deferred, so the next page has others.
        if !full {
            app.memory.get_or_default::<Pulse>().record_oldest(app.clock.now(), None);
            return Ok(sum);
        }
    }
}

/// Counts the deferred work, and forgets what was settled since.
async fn count_deferred(app: &App) -> Result<u64, StoreError> {
    let mut left = app.store.read(deferral::count).await?;
    if left.count > 0 {
        app.store.run(deferral::forget_settled_failures()).await?;
        left = app.store.read(deferral::count).await?;
    }
    app.memory.get_or_default::<Pulse>().deferred.store(left.count, Ordering::Relaxed);
    Ok(0)
}

/// Defers work that failed, until it is tried again.
async fn defer_work(app: &App, due: Due, error: StoreError) -> Result<(), StoreError> {
    app.memory.get_or_default::<Pulse>().failed.fetch_add(1, Ordering::Relaxed);
    // Nothing is wrong with the work itself: the next pass tries it.
    if error.is_transient() {
        return Err(error);
    }
    let (now, why, flow) = (app.clock.now(), error.to_string(), due.flow_id);
    let failures = app.store.run(deferral::defer_work(due, why, now)).await?;
    tracing::error!(%error, %flow, failures, "the scheduler steps over what it cannot do");
    Ok(())
}

/// Makes the patrols of today and tomorrow that are due by their plans; answers how many plans it
/// changed.
async fn make_patrols(app: &App) -> Result<u64, StoreError> {
    let mut sum = 0;
    loop {
        let now = app.clock.now();
        let due = app.store.read(move |db| plans::load_due(db, now, PAGE)).await?;
        let made: u64 = stream::iter(due)
            .map(|due| make_patrol(app, due))
            .buffer_unordered(ABREAST)
            .try_fold(0, |sum, made| ready(Ok(sum + u64::from(made))))
            .await?;
        sum += made;
        // A plan that made today's is due again for tomorrow; one that failed is deferred.
        if made == 0 {
            return Ok(sum);
        }
    }
}

/// Makes the next patrol of one plan; false when it was made already, or cannot be now.
async fn make_patrol(
    app: &App,
    (tenant, plan, next_at): (TenantId, PlanId, Instant),
) -> Result<bool, StoreError> {
    match commit_patrol(app, tenant, plan).await {
        Ok(made) => Ok(made),
        Err(error) => {
            defer_work(app, Due::for_plan(tenant, plan.0, next_at), error).await?;
            // The next page has room for others now.
            Ok(true)
        }
    }
}

/// Changes the plan and creates its patrol in one commit: a day is made once, by whichever replica.
async fn commit_patrol(app: &App, tenant: TenantId, plan: PlanId) -> Result<bool, StoreError> {
    let Some(world) = app.worlds.get(tenant) else { return Ok(false) };
    let Some(root) = world.areas.root() else { return Ok(false) };
    let by = Actor::new_system(tenant, root.unit());
    let Some(found) = app.store.look_checked::<PatrolPlan>(tenant, plan.0).await? else {
        return Ok(false);
    };
    let stored = found.into_readable()?;
    let request = Request::for_system(&format!("plan\n{tenant}\n{plan}\n{}", stored.seq));
    let refused = |refusal: &Refusal| {
        StoreError::Inconsistent(format!("patrol plan {plan}: {}", refusal.code()))
    };
    let make = patrol_plan::Command::Make;
    for numbers in NumberLength::ALL {
        let context = Context { numbers, ..world.build_context(&by, app.clock.now()) };
        let change = match execute::<PatrolPlan>(Some(&stored), &make, request, context) {
            Ok(change) => change,
            // A replica was faster, or a caller changed the plan.
            Err(Refusal::NothingDue) => return Ok(false),
            Err(refusal) => return Err(refused(&refusal)),
        };
        let day = change.state.made.filter(|day| stored.state.made != Some(*day));
        let mut writes = Vec::with_capacity(2);
        if let Some(day) = day
            && let Some(new) = stored.state.new_patrol(day)
        {
            let occasion = Some(stored.state.new_occasion(day));
            let plan = patrol::Command::Plan { new: Box::new(new), occasion };
            match execute::<Patrol>(None, &plan, request, context) {
                Ok(patrol) => writes.push(Write::from(patrol)),
                // The area is no more: the plan goes on without making anything there.
                Err(Refusal::AreaRetired { .. } | Refusal::NotATerritory { .. }) => {}
                Err(refusal) => return Err(refused(&refusal)),
            }
        }
        writes.insert(0, Write::from(change));
        match app.store.commit(writes).await? {
            Outcome::Done => return Ok(true),
            Outcome::Stale => return Ok(false),
            // A longer number is tried.
            Outcome::NumberTaken => {}
            // Committed by another replica, together with the plan; or there is something wrong.
            Outcome::Seen => {
                let now = app.store.load_state::<PatrolPlan>(tenant, plan.0).await?;
                if now.is_none_or(|now| now.seq > stored.seq) {
                    return Ok(false);
                }
                let why = "its command was accepted before, and it is still due";
                return Err(StoreError::Inconsistent(format!("patrol plan {plan}: {why}")));
            }
        }
    }
    Ok(false)
}

/// Groups debts by flow: the measures of one flow are taken one after the other, as two at once
/// would only conflict.
fn group_by_flow(due: Vec<Lapsing>) -> Vec<Vec<Lapsing>> {
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

/// Takes the measures that are due on one flow; answers how many it took.
async fn take_flow_measures(app: &App, debts: Vec<Lapsing>) -> u64 {
    let mut taken = 0;
    for debt in debts {
        taken += u64::from(take_measure(app, debt).await);
    }
    taken
}

/// Takes one measure; false when it was taken already, or cannot be taken now.
async fn take_measure(app: &App, debt: Lapsing) -> bool {
    let taken = match run_measure_command(app, &debt).await {
        // A replica was faster; or the row says that it is due, and the flow does not.
        Ok(false) => check_settled(app, &debt).await,
        taken => taken,
    };
    match taken {
        Ok(taken) => taken,
        Err(error) => {
            if let Err(error) = defer_work(app, Due::from(&debt), error).await {
                tracing::warn!(%error, flow = %debt.flow_id, "a measure could not be taken");
            }
            false
        }
    }
}

/// Whether a debt without a measure to take is no longer due by its row: one that stays due would
/// come again at once, and keep others from their turn.
async fn check_settled(app: &App, debt: &Lapsing) -> Result<bool, StoreError> {
    let (now, one) = (app.clock.now(), debt.clone());
    if app.store.read(move |db| obligation::is_lapsing(db, &one, now)).await? {
        let why = "it is due by its row, and its flow knows of nothing that is due";
        return Err(StoreError::Inconsistent(format!("{} {}: {why}", debt.flow, debt.flow_id)));
    }
    Ok(false)
}

/// Runs the command of a measure on the flow its debt belongs to.
async fn run_measure_command(app: &App, debt: &Lapsing) -> Result<bool, StoreError> {
    let flow = FlowKind::parse(&debt.flow).and_then(find_flow);
    let unknown = || StoreError::Inconsistent(format!("{}: no such kind of flow", debt.flow_id));
    flow.ok_or_else(unknown)?.take_measure(app, debt).await
}

/// Recomputes provisional deadlines where a calendar was published since this replica last did;
/// after a start, once for every tenant that ever published one.
async fn follow_calendars(app: &App) -> Result<u64, StoreError> {
    let mut sum = 0;
    for world in app.worlds.all() {
        let (tenant, edition) = (world.tenant.id, world.rules.calendars.no);
        if app.memory.get_or_default::<Pulse>().last_edition(tenant) < edition {
            sum += recompute_deadlines(app, tenant, edition).await?;
            app.memory.get_or_default::<Pulse>().record_edition(tenant, edition);
        }
    }
    Ok(sum)
}

/// Recomputes provisional deadlines by the present calendar; answers how many flows changed.
/// Established facts stay: only what is still owed is recomputed.
async fn recompute_deadlines(app: &App, tenant: TenantId, edition: i64) -> Result<u64, StoreError> {
    const PAGE: i64 = 500;
    let (mut after, mut sum) = (Uuid::nil(), 0);
    loop {
        let from = after;
        let page =
            move |db: &mut persistence::Db| obligation::load_provisional(db, tenant, from, PAGE);
        let page = app.store.read(page).await?;
        let moved = stream::iter(page.flows)
            .map(|(flow, id)| recompute_flow(app, tenant, flow, id, edition))
            .buffer_unordered(ABREAST)
            .try_fold(0, |moved, one| ready(Ok(moved + u64::from(one))));
        sum += moved.await?;
        match page.next {
            Some(next) => after = next,
            None => return Ok(sum),
        }
    }
}

/// The same for one flow; an unreadable one is logged and does not stop the others.
async fn recompute_flow(
    app: &App,
    tenant: TenantId,
    flow: String,
    id: Uuid,
    edition: i64,
) -> Result<bool, StoreError> {
    let Some(kind) = FlowKind::parse(&flow).and_then(find_flow) else { return Ok(false) };
    match kind.recompute_deadlines(app, (tenant, id), edition).await {
        Err(error) if error.is_unreadable() => {
            app.memory.get_or_default::<Pulse>().failed.fetch_add(1, Ordering::Relaxed);
            tracing::error!(%error, flow = %id, "a provisional deadline cannot be computed");
            Ok(false)
        }
        other => other,
    }
}
