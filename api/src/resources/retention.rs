//! Retention: data is removed when its time is over, and a report says what was removed.
//!
//! A class is swept once a day, by whichever replica comes first. Removal depends on age alone, so
//! that doing it twice removes nothing twice, and a crash leaves nothing half done.

use std::sync::atomic::{AtomicI64, Ordering};

use actix_web::{HttpResponse, get, web::Data};
use chrono::{DateTime, Duration, Utc};
use domain::{
    people::{
        actor::Permission,
        audit::{AuditAction, Note, Verdict},
        evidence::Tallies,
        privacy::DataClass,
    },
    rules::refusal::Refusal,
};
use persistence::{
    StoreError,
    flows::retention::{self, Run},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::{caller::Caller, state::App, world::TenantSnapshot},
    http::{problem::Reply, register::ServiceConfig, view},
    resources::{media, patrol},
};

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(get_retention);
}

/// How often a class is swept.
fn class_interval() -> Duration {
    Duration::days(1)
}

/// Rows removed in one transaction, and transactions in a row: the rest waits for the next pass,
/// so that callers are not kept waiting.
const PAGE: i64 = 200;
const PAGES: usize = 20;

/// When this replica looks again.
#[derive(Debug, Default)]
pub struct Sweep(AtomicI64);

impl Sweep {
    const EVERY_MS: i64 = 10 * 60 * 1000;

    /// Whether it is time; sets the time of the next pass.
    fn start_if_due(&self, now: DateTime<Utc>) -> bool {
        let (now, next) = (now.timestamp_millis(), self.0.load(Ordering::Relaxed));
        if now < next {
            return false;
        }
        self.0.store(now + Self::EVERY_MS, Ordering::Relaxed);
        true
    }
}

/// Removes what is over, in every tenant; answers how many rows it removed.
pub async fn run_pass(app: &App) -> Result<i64, StoreError> {
    if !app.memory.get_or_default::<Sweep>().start_if_due(app.clock.now()) {
        return Ok(0);
    }
    let mut sum = 0;
    for world in app.worlds.all() {
        sum += remove_expired(app, &world).await?;
    }
    if sum > 0 || app.store.has_remains() {
        app.store.scrub().await;
    }
    Ok(sum)
}

/// Removes what is over in a tenant, class by class; a fault of one class does not stop the others.
async fn remove_expired(app: &App, world: &TenantSnapshot) -> Result<i64, StoreError> {
    let (tenant, now) = (world.tenant.id, app.clock.now());
    let runs = app.store.read(move |db| retention::load_runs(db, tenant)).await?;
    let mut sum = 0;
    for _ in 0..PAGES {
        let page = patrol::sealed::seal_open_batches(app, tenant, PAGE).await?;
        sum += page;
        if page < PAGE {
            break;
        }
    }
    for class in DataClass::ALL.iter().copied() {
        let last = runs.iter().find(|run| run.class == class);
        if last.is_some_and(|run| now < run.at + class_interval()) {
            continue;
        }
        match remove_class(app, world, class, now).await {
            Ok(removed) => sum += removed,
            Err(error) if error.is_transient() => return Err(error),
            Err(error) => {
                let (class, tenant) = (class.name(), &world.tenant.code);
                tracing::error!(%error, class, tenant, "what is over cannot be removed");
            }
        }
    }
    Ok(sum)
}

async fn remove_class(
    app: &App,
    world: &TenantSnapshot,
    class: DataClass,
    now: DateTime<Utc>,
) -> Result<i64, StoreError> {
    let tenant = world.tenant.id;
    let cutoff = world.rules.privacy.value.retention.cutoff_for(class, now);
    let (mut removed, mut done) = (0, false);
    for _ in 0..PAGES {
        let page = if class == DataClass::Uploads {
            media::removal::expire_files(app, world, cutoff, PAGE).await?
        } else {
            app.store.run(retention::purge_class(tenant, class, (cutoff, now), PAGE)).await?
        };
        removed += page;
        done = page < PAGE;
        if done {
            break;
        }
    }
    // A class that is not finished is swept again at the next pass.
    let at = if done { now } else { now - class_interval() };
    let run = Run { class, at, cutoff, removed, total: removed };
    // For these the note of each removal says what is left.
    let said = class == DataClass::Audit || Tallies::CLASSES.contains(&class);
    let note = (run.removed > 0 && !said).then(|| new_note(&run, now));
    app.store.run(retention::record_removal(tenant, run).with_note_from(tenant, |()| note)).await?;
    Ok(removed)
}

fn new_note(run: &Run, at: DateTime<Utc>) -> Note {
    Note {
        at,
        act: AuditAction::Retention,
        verdict: Verdict::Done,
        actor: None,
        actor_name: "系统".to_owned(),
        subject: None,
        address: String::new(),
        detail: serde_json::json!({
            "class": run.class.name(), "removed": run.removed, "before": run.cutoff,
        })
        .to_string(),
    }
}

/// The times of retention, and what was removed.
#[derive(Serialize, ToSchema)]
pub struct RetentionView {
    /// The edition of the rules.
    edition: i64,
    /// One of each class.
    items: Vec<ClassView>,
}

/// A class of data.
#[derive(Serialize, ToSchema)]
pub struct ClassView {
    /// The class of data. 数据类别。
    #[schema(schema_with = view::data_class)]
    class: &'static str,
    /// The class in Chinese. 数据类别名称。
    class_label: &'static str,
    /// The days it is kept. 保存天数。
    days: u32,
    /// The fewest days the rules may set. 最短天数。
    least_days: u32,
    /// The law or rule behind the fewest days. 依据。
    because: &'static str,
    /// When it was last swept. 最近清理时间。
    ran_at: Option<DateTime<Utc>>,
    /// Data older than this was removed.
    cutoff: Option<DateTime<Utc>>,
    /// How many rows were removed then. 最近清理条数。
    removed: i64,
    /// How many rows were removed since the beginning. 累计清理条数。
    total: i64,
}

/// Shows how long data is kept, and what was removed.
///
/// 保存期限与清理情况：各类数据的保存天数、依据、最近一次清理的时间和条数；管理员和审计员可读。
#[utoipa::path(tag = "audit", responses((status = 200, body = RetentionView)))]
#[get("/retention")]
async fn get_retention(app: Data<App>, caller: Caller) -> Reply<HttpResponse> {
    let (tenant, now, world) = (caller.tenant, app.clock.now(), app.world(caller.tenant)?);
    let root = world.areas.root().ok_or(Refusal::OutsideTenant)?;
    let may = |permission| caller.may(permission, &root.path, now);
    if !may(Permission::ReadAudit) && !may(Permission::ManageRules) {
        let (permission, area) = (Permission::ReadAudit, root.name.clone());
        return Err(Refusal::NotPermitted { permission, area }.into());
    }
    let runs = app.store.read(move |db| retention::load_runs(db, tenant)).await?;
    let rules = &world.rules.privacy;
    let class = |class: &DataClass| {
        let run = runs.iter().find(|run| run.class == *class);
        let (least_days, _, because) = class.bounds();
        ClassView {
            class: class.name(),
            class_label: class.label(),
            days: rules.value.retention.days(*class),
            least_days,
            because,
            ran_at: run.map(|run| run.at),
            cutoff: run.map(|run| run.cutoff),
            removed: run.map_or(0, |run| run.removed),
            total: run.map_or(0, |run| run.total),
        }
    };
    let items = DataClass::ALL.iter().map(class).collect();
    Ok(HttpResponse::Ok().json(RetentionView { edition: rules.no, items }))
}
