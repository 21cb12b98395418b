//! Is it alive, is it ready: for supervisors and load balancers.

use actix_web::{HttpResponse, get, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    register::ServiceConfig,
    {problem::Reply, state::App},
};

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(get_health).service(get_readiness);
}

/// That it runs.
#[derive(Serialize, ToSchema)]
pub struct HealthView {
    /// Always `ok`.
    status: &'static str,
    /// The version of the program.
    version: &'static str,
}

const OK: HealthView = HealthView { status: "ok", version: env!("CARGO_PKG_VERSION") };

/// That it serves, and how its clockwork keeps up.
#[derive(Serialize, ToSchema)]
pub struct ReadinessView {
    /// Always `ok`.
    status: &'static str,
    /// The version of the program.
    version: &'static str,
    /// What the clockwork of this replica does. 时限引擎。
    clockwork: ClockworkView,
}

/// What the clockwork of a replica does.
#[derive(Serialize, ToSchema)]
pub struct ClockworkView {
    /// How late, in milliseconds, the oldest measure was that it found at its last look. 滞后毫秒。
    lag_ms: i64,
    /// Measures it took since its start. 已执行次数。
    taken: u64,
    /// Measures it could not take and will try again. 失败次数。
    failed: u64,
}

/// Tells that the process runs.
///
/// 存活检查：进程在运行。
#[utoipa::path(tag = "service", security(()), responses((status = 200, body = HealthView)))]
#[get("/healthz")]
async fn get_health() -> HttpResponse {
    HttpResponse::Ok().json(OK)
}

/// Tells that requests can be served: the database answers.
///
/// 就绪检查：数据库可用；附时限引擎的滞后。
#[utoipa::path(tag = "service", security(()), responses((status = 200, body = ReadinessView)))]
#[get("/readyz")]
async fn get_readiness(app: Data<App>) -> Reply<HttpResponse> {
    app.store.read(|db| persistence::tenant::all(db).map(|_| ())).await?;
    let pulse = &app.pulse;
    let clockwork =
        ClockworkView { lag_ms: pulse.lag_ms(), taken: pulse.taken(), failed: pulse.failed() };
    let HealthView { status, version } = OK;
    Ok(HttpResponse::Ok().json(ReadinessView { status, version, clockwork }))
}
