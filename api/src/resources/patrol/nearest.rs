//! The nearest workers: the last known positions of those on duty, and of no one else.

use actix_web::{HttpRequest, HttpResponse, get, web::Data};
use chrono::{DateTime, Duration, Utc};
use domain::{
    area::coordinate::{Point, RawPoint, distance_m},
    core::id::AreaId,
    people::{actor::Permission, audit::AuditAction},
};
use persistence::flows::track::load_positions;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::sealed::{WorkerPosition, open_positions};
use crate::{
    app::{caller::Caller, state::App},
    http::{
        page::Limit,
        params::{IdPath, Query},
        problem::{Code, Problem, Reply},
        register::ServiceConfig,
        view::CoordTypeBody,
    },
    privacy::{
        audit::{self, Noting},
        names,
    },
};

/// Registers the operations of this file.
pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list_nearest_workers);
}

/// The point to look near, and how many to show.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListNearestWorkers {
    /// Degrees east. 经度。
    #[param(minimum = -180.0, maximum = 180.0, example = 115.0701)]
    lng: f64,
    /// Degrees north. 纬度。
    #[param(minimum = -90.0, maximum = 90.0, example = 30.2105)]
    lat: f64,
    /// The coordinate system; WGS-84 when left out. 坐标系。
    #[param(inline)]
    coord_type: Option<CoordTypeBody>,
    /// How many at most, 1 to 100.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 5)]
    limit: Option<Limit>,
}

/// The nearest workers on duty.
#[derive(Serialize, ToSchema)]
pub struct NearestView {
    /// The nearest first.
    items: Vec<NearWorker>,
}

/// A person on duty near by; the exact position is not shown.
#[derive(Serialize, ToSchema)]
pub struct NearWorker {
    /// The identity of the worker. 人员标识。
    person_id: Uuid,
    /// The name. 姓名。
    name: String,
    /// The distance in a straight line, in metres. 距离（米）。
    distance_m: f64,
    /// The accuracy of the position, in metres. 精度（米）。
    accuracy_m: Option<f64>,
    /// When the position was measured. 定位时间。
    at: DateTime<Utc>,
}

/// The most positions that are read.
const MOST: i64 = 2000;

/// Lists the workers on duty in an area who are nearest to a point.
///
/// 就近人员：只在本人上岗、巡查并同意采集位置期间可查，30 分钟内的位置有效；只给距离，不给坐标，每次查询留痕。
#[utoipa::path(tag = "areas", params(ListNearestWorkers), responses((status = 200, body = NearestView)))]
#[get("/areas/{id}/nearest_workers")]
async fn list_nearest_workers(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    id: IdPath<Uuid>,
    params: Query<ListNearestWorkers>,
) -> Reply<HttpResponse> {
    let ListNearestWorkers { lng, lat, coord_type, limit } = params.0;
    let coord_type = coord_type.unwrap_or(CoordTypeBody::Wgs84).into();
    let from = RawPoint { lng, lat, coord_type }.normalise().map_err(|error| {
        let (name, zh) =
            (error.axis().field(), "坐标不正确；经度应在 ±180 之间，纬度应在 ±90 之间。");
        Problem::new(Code::InvalidQuery).parameter(name, "out_of_range", zh, error.to_string())
    })?;
    let (tenant, now, world) = (caller.tenant, app.clock.now(), app.world(caller.tenant)?);
    let area = world.areas.get(AreaId(id.0)).ok_or_else(|| Problem::new(Code::NotFound))?;
    world.build_context(&caller, now).require_permission(
        Permission::ReadTracks,
        &area.path,
        &area.name,
    )?;
    let noting = Noting::of_caller(&app, &caller, &request);
    let note = noting.note(AuditAction::Track, Some(id.0), &json!({ "nearest": area.name }));
    audit::append_note(&app, tenant, note).await?;
    let (path, since) = (area.path.clone(), now - Duration::minutes(30));
    let find = move |db: &mut _| load_positions(db, tenant, &path, (since, now), MOST);
    let there = open_positions(&app, tenant, app.store.read(find).await?).await?;
    let mut near: Vec<(f64, WorkerPosition)> =
        there.into_iter().map(|one| (distance_from(&one, from), one)).collect();
    near.sort_by(|a, b| a.0.total_cmp(&b.0));
    near.truncate(limit.unwrap_or_default().get().into());
    let names = names::load_display(&app, tenant, near.iter().map(|(_, one)| one.person)).await?;
    let worker = |(metres, one): (f64, WorkerPosition)| NearWorker {
        person_id: one.person.0,
        name: names.get(&one.person).cloned().unwrap_or_default(),
        distance_m: metres.round(),
        accuracy_m: one.position.accuracy.map(|tenths| f64::from(tenths) / 10.0),
        at: one.position.at,
    };
    Ok(HttpResponse::Ok().json(NearestView { items: near.into_iter().map(worker).collect() }))
}

fn distance_from(one: &WorkerPosition, from: Point) -> f64 {
    let (lng, lat) = (f64::from(one.position.lng) / 1e7, f64::from(one.position.lat) / 1e7);
    distance_m(from, Point { lng, lat })
}
