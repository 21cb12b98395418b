//! Is it alive, is it ready: for supervisors and load balancers.

use actix_web::{HttpResponse, get, web::Data};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::{problem::Reply, state::App};

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
/// 就绪检查：数据库可用。
#[utoipa::path(tag = "service", security(()), responses((status = 200, body = HealthView)))]
#[get("/readyz")]
async fn get_readiness(app: Data<App>) -> Reply<HttpResponse> {
    app.store.read(|db| persistence::tenant::all(db).map(|_| ())).await?;
    Ok(HttpResponse::Ok().json(OK))
}
