//! Liveness and readiness: for supervisors and load balancers.

use actix_web::{HttpResponse, get, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::state::App,
    http::{problem::Reply, register::ServiceConfig},
    integrations::scheduler::Pulse,
};

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(get_health).service(get_readiness);
}

/// The answer that the process runs.
#[derive(Serialize, ToSchema)]
pub struct HealthView {
    /// The status: always `ok`.
    status: &'static str,
    /// The version of the program.
    version: &'static str,
}

const OK: HealthView = HealthView { status: "ok", version: env!("CARGO_PKG_VERSION") };

/// The answer that requests are served, and how late the scheduler is.
#[derive(Serialize, ToSchema)]
pub struct ReadinessView {
    /// `ok`, or `lagging` when measures about deadlines are more than a minute late; requests are
    /// served all the same. ok 正常；lagging 时限引擎滞后超过一分钟，请求仍照常受理。
    #[schema(example = "ok")]
    status: &'static str,
    /// The version of the program.
    version: &'static str,
    /// The scheduler of this replica. 时限引擎。
    clockwork: ClockworkView,
}

/// The state of the scheduler of a replica.
#[derive(Serialize, ToSchema)]
pub struct ClockworkView {
    /// How late the oldest waiting measure is, in milliseconds. 滞后毫秒。
    lag_ms: i64,
    /// Measures it took since its start. 已执行次数。
    taken: u64,
    /// Measures it could not take and will try again. 失败次数。
    failed: u64,
    /// Work of all replicas that failed and is stepped over until it is tried again; the log names
    /// each. 暂缓重试的事项数。
    deferred: i64,
}

/// Shows that the process runs.
///
/// 存活检查：进程在运行。
#[utoipa::path(tag = "service", security(()), responses((status = 200, body = HealthView)))]
#[get("/healthz")]
async fn get_health() -> HttpResponse {
    HttpResponse::Ok().json(OK)
}

/// Shows that requests can be served: the database answers.
///
/// 就绪检查：数据库可用；附时限引擎的滞后。
#[utoipa::path(tag = "service", security(()), responses((status = 200, body = ReadinessView)))]
#[get("/readyz")]
async fn get_readiness(app: Data<App>) -> Reply<HttpResponse> {
    app.store.read(|db| persistence::kernel::tenant::load_all(db).map(|_| ())).await?;
    let (pulse, now) = (&app.memory.get_or_default::<Pulse>(), app.clock.now());
    let clockwork = ClockworkView {
        lag_ms: pulse.lag_ms(now),
        taken: pulse.taken_count(),
        failed: pulse.failed_count(),
        deferred: pulse.deferred_count(),
    };
    let HealthView { status, version } = OK;
    let status = if pulse.is_lagging(now) { "lagging" } else { status };
    Ok(HttpResponse::Ok().json(ReadinessView { status, version, clockwork }))
}
