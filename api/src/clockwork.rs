//! The clockwork: takes the next measure about every debt when its time has come, as commands of
//! the system on the flow it belongs to.
//!
//! The journal makes each measure happen once: its command is made of the debt and the measure,
//! so whoever is second, another replica or this one after a crash, finds it taken. After a
//! standstill of the service the clockwork works off what is due a page at a time, the oldest
//! first, and callers' commands share its commits.

use std::{
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
    time::Duration,
};

use actix_web::web::Data;
use domain::{
    Instant,
    actor::Actor,
    case::{self, Case},
    change::{Request, act},
    id::{CommandId, TenantId},
    journal::Hash,
    obligation::Duty,
    refusal::Refusal,
    report::{self, Report},
};
use futures_util::{StreamExt, stream};
use persistence::{
    Outcome, StoreError,
    obligation::{self, Lapsing},
};
use uuid::Uuid;

use crate::{engine::Kept, state::App};

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
}

impl Pulse {
    /// How late the oldest measure was that was found at the last look; 0 when none waited.
    pub fn lag(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.lag_ms.load(Ordering::Relaxed)).unwrap_or(0))
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
    }
}

/// Takes every measure that is due now; answers how many it took.
pub async fn pass(app: &App) -> Result<u64, StoreError> {
    let now = app.clock.now();
    let mut sum = 0;
    loop {
        let due = app.store.read(move |db| obligation::lapsing(db, now, PAGE)).await?;
        let oldest = due.first().map_or(now, |first| first.next_at);
        app.pulse.lag_ms.store((now - oldest).num_milliseconds().max(0), Ordering::Relaxed);
        let full = i64::try_from(due.len()).unwrap_or(0) == PAGE;
        let taken: Vec<bool> = stream::iter(due)
            .map(|debt| measure(app, debt))
            .buffer_unordered(ABREAST)
            .collect()
            .await;
        let count = taken.into_iter().filter(|taken| *taken).count();
        app.pulse.taken.fetch_add(u64::try_from(count).unwrap_or(0), Ordering::Relaxed);
        sum += u64::try_from(count).unwrap_or(0);
        // A page of which nothing could be taken comes again; it must not keep the loop busy.
        if !full || count == 0 {
            return Ok(sum);
        }
    }
}

/// Takes one measure; false when it was taken already, or cannot be now.
async fn measure(app: &App, debt: Lapsing) -> bool {
    let Lapsing { duty, unit, no, .. } = debt;
    let result = if debt.flow == "report" {
        command_of::<Report>(app, &debt, report::Command::Lapse { term: no }).await
    } else {
        command_of::<Case>(app, &debt, case::Command::Lapse { duty, unit, term: no }).await
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
    let Some(world) = app.worlds.get(debt.tenant) else { return Ok(false) };
    let Some(root) = world.areas.root() else { return Ok(false) };
    let by = Actor::system(debt.tenant, root.unit());
    let Some(stored) = app.store.look::<F>(debt.tenant, debt.flow_id).await? else {
        return Ok(false);
    };
    let request =
        request(debt.tenant, debt.flow_id, (debt.duty, debt.unit.0, debt.no), debt.next_at);
    let context = world.context(&by, app.clock.now());
    match act::<F>(Some(&stored), &command, request, 0, context) {
        Ok(change) => Ok(app.store.commit(vec![F::write(change)]).await? == Outcome::Done),
        // Somebody settled it, or a replica was faster.
        Err(Refusal::NothingDue) => Ok(false),
        Err(refusal) => {
            let why = format!("{} {}: {}", debt.flow, debt.flow_id, refusal.code());
            Err(StoreError::Inconsistent(why))
        }
    }
}

/// The command of a measure: the same for whoever takes it.
fn request(
    tenant: TenantId,
    flow: Uuid,
    (duty, unit, no): (Duty, Uuid, i64),
    at: Instant,
) -> Request {
    let what = format!(
        "measure\n{tenant}\n{flow}\n{}\n{unit}\n{no}\n{}",
        duty.name(),
        at.timestamp_millis()
    );
    let digest = Hash::of(what.as_bytes());
    let bytes = digest.0.first_chunk::<16>().copied().unwrap_or_default();
    let command = CommandId(uuid::Builder::from_custom_bytes(bytes).into_uuid());
    Request { command, digest }
}

/// Computes deadlines anew that were provisional, by the calendar of now; answers how many flows
/// moved. Facts that are established stay: only what is still owed moves.
pub async fn recompute(app: &App, tenant: TenantId) -> Result<u64, StoreError> {
    const PAGE: i64 = 500;
    let (mut after, mut sum) = (Uuid::nil(), 0);
    loop {
        let from = after;
        let page = move |db: &mut persistence::Db| obligation::provisional(db, tenant, from, PAGE);
        let page = app.store.read(page).await?;
        for (flow, id) in page.flows {
            let moved = if flow == "report" {
                anew::<Report>(app, tenant, id, report::Command::Recompute).await?
            } else {
                anew::<Case>(app, tenant, id, case::Command::Recompute).await?
            };
            sum += u64::from(moved);
        }
        match page.next {
            Some(next) => after = next,
            None => return Ok(sum),
        }
    }
}

async fn anew<F: Kept>(
    app: &App,
    tenant: TenantId,
    id: Uuid,
    command: F::Command,
) -> Result<bool, StoreError> {
    const ATTEMPTS: usize = 4;
    let Some(world) = app.worlds.get(tenant) else { return Ok(false) };
    let Some(root) = world.areas.root() else { return Ok(false) };
    let by = Actor::system(tenant, root.unit());
    for _ in 0..ATTEMPTS {
        let Some(stored) = app.store.look::<F>(tenant, id).await? else { return Ok(false) };
        let edition = world.rules.calendars.no;
        let what = format!("recompute\n{tenant}\n{id}\n{edition}\n{}", stored.seq);
        let digest = Hash::of(what.as_bytes());
        let bytes = digest.0.first_chunk::<16>().copied().unwrap_or_default();
        let command_id = CommandId(uuid::Builder::from_custom_bytes(bytes).into_uuid());
        let request = Request { command: command_id, digest };
        let context = world.context(&by, app.clock.now());
        match act::<F>(Some(&stored), &command, request, 0, context) {
            Ok(change) => {
                if app.store.commit(vec![F::write(change)]).await? == Outcome::Done {
                    return Ok(true);
                }
            }
            Err(_nothing_to_move) => return Ok(false),
        }
    }
    Ok(false)
}
