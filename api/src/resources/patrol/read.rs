//! Tracks read back: as GeoJSON with the odd points marked, as GPX, and as coverage.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse, get,
    web::{self, Data},
};
use chrono::{DateTime, Utc};
use domain::{
    area::{coordinate::Point, locate::round_degrees},
    flows::{
        change::Versioned,
        flow::Context,
        patrol::{Checkpoint, Patrol},
        track::{
            Fix, Frame, Mark, Measures, Seen,
            coverage::{self, Share},
            gpx, mark_track,
            measure::split_stretches,
            measure_track,
            simplify::simplify_line,
        },
    },
    people::{actor::Permission, audit::AuditAction},
};
use persistence::{StoreError, flows::track::load_batches};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::sealed::{load_keys, open_batch};
use crate::{
    app::{caller::Caller, state::App, world::TenantSnapshot},
    engine::step,
    http::{
        params::{IdPath, Query},
        problem::{Code, Problem, Reply},
        register::ServiceConfig,
    },
    privacy::audit::{self, Noting},
};

/// Registers the operations of this file.
pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(get_patrol_track).service(get_patrol_gpx).service(get_patrol_coverage);
}

/// A point as GeoJSON writes it.
pub(super) fn coordinate_pair(point: Point) -> [f64; 2] {
    [round_degrees(point.lng), round_degrees(point.lat)]
}

/// Refuses a caller who may not see the track; true when it is the caller's own.
fn require_reader(patrol: &Patrol, context: &Context<'_>) -> Reply<bool> {
    if patrol.worker() == Some(context.by.person) {
        return Ok(true);
    }
    context.require_permission(Permission::ReadTracks, &patrol.area.path, &patrol.area.name)?;
    Ok(false)
}

/// A patrol with the points of its track.
struct Track {
    patrol: Arc<Versioned<Patrol>>,
    world: Arc<TenantSnapshot>,
    seen: Vec<Seen>,
}

impl Track {
    /// Loads the track for a caller who may see it. When it is another person's, that is written
    /// into the audit log before the track is shown.
    async fn load(app: &App, request: &HttpRequest, caller: &Caller, id: Uuid) -> Reply<Self> {
        let patrol = step::load_visible::<Patrol>(app, caller, id).await?;
        let world = app.world(caller.tenant)?;
        let allowed = require_reader(&patrol.state, &world.build_context(caller, app.clock.now()));
        let (tenant, noting) = (caller.tenant, Noting::of_caller(app, caller, request));
        let worker = patrol.state.worker().map(|worker| worker.0);
        let detail = json!({ "patrol": id, "number": patrol.state.number });
        match allowed {
            Ok(true) => {}
            Ok(false) => {
                audit::append_note(app, tenant, noting.note(AuditAction::Track, worker, &detail))
                    .await?;
            }
            Err(refused) => {
                audit::append_note(
                    app,
                    tenant,
                    noting.note_refusal(AuditAction::Track, worker, &detail),
                )
                .await?;
                return Err(refused);
            }
        }
        let of = patrol.state.id;
        let found = app.store.read(move |db| load_batches(db, tenant, of, None)).await?;
        let keys = load_keys(app, tenant, &found).await?;
        let judge = move || -> Result<Self, StoreError> {
            let (mut fixes, skew): (Vec<Fix>, _) = (Vec::new(), patrol.state.skew());
            for batch in &found {
                let stored = open_batch(of, batch, &keys)?;
                fixes.extend(stored.into_iter().map(|fix| fix.correct_skew(skew)));
            }
            let boundary = world.boundaries.get(&patrol.state.area.id);
            let frame = Frame { boundary, under_way: patrol.state.active_periods() };
            let seen = mark_track(fixes, &frame, &world.rules.conduct.tracking);
            Ok(Self { patrol, world, seen })
        };
        // A whole day is tens of thousands of points: this runs on another thread than those that
        // answer requests.
        Ok(web::block(judge).await??)
    }

    fn stretches(&self) -> Vec<Vec<Seen>> {
        split_stretches(&self.seen, &self.world.rules.conduct.tracking)
    }
}

/// How a track is simplified.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct GetPatrolTrack {
    /// How far, in metres, the line may be from the track; without it, it has every point.
    /// 简化容差（米）。
    #[param(minimum = 0.0, maximum = 1000.0, example = 5.0)]
    tolerance: Option<f64>,
}

/// Shows the track of a patrol, as GeoJSON.
///
/// 巡查轨迹（GeoJSON）：分段的线、前后都中断的单点、停留点，以及被标记的异常点和原因；里程、时长只计正常点，中断不连直线。
/// 本人可看自己的；他人须有查看轨迹的权限，每次留痕。
#[utoipa::path(tag = "patrols", params(GetPatrolTrack), responses((status = 200, body = Object, content_type = "application/geo+json")))]
#[get("/patrols/{id}/track")]
async fn get_patrol_track(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    id: IdPath<Uuid>,
    params: Query<GetPatrolTrack>,
) -> Reply<HttpResponse> {
    let tolerance = params.0.tolerance.unwrap_or(0.0);
    if !(0.0..=1000.0).contains(&tolerance) {
        let (zh, en) = ("应为 0 到 1000 米。", "Expected 0 to 1000 metres.");
        return Err(Problem::new(Code::InvalidQuery).parameter(
            "tolerance",
            "out_of_range",
            zh,
            en,
        ));
    }
    let track = Track::load(&app, &request, &caller, id.0).await?;
    let text = web::block(move || render_geojson(&track, tolerance).to_string()).await?;
    Ok(HttpResponse::Ok().content_type("application/geo+json").body(text))
}

fn render_geojson(track: &Track, tolerance: f64) -> Value {
    let measures = measure_track(&track.seen, &track.world.rules.conduct.tracking);
    let stretches = track.stretches();
    let points =
        |stretch: &Vec<Seen>| -> Vec<Point> { stretch.iter().map(|one| one.point).collect() };
    let line = |stretch: &Vec<Seen>| -> Vec<[f64; 2]> {
        simplify_line(&points(stretch), tolerance).into_iter().map(coordinate_pair).collect()
    };
    // A stretch of a single point is no line; it is told apart.
    let lines = stretches.iter().filter(|stretch| stretch.len() > 1);
    let coordinates: Vec<Vec<[f64; 2]>> = lines.clone().map(line).collect();
    let mut properties = render_summary(track, &measures);
    if tolerance <= 0.0
        && let Some(members) = properties.as_object_mut()
    {
        let at = |one: &Seen| one.fix.at();
        let times: Vec<Vec<DateTime<Utc>>> =
            lines.map(|stretch| stretch.iter().map(at).collect()).collect();
        members.insert("times".to_owned(), json!(times));
    }
    let geometry = json!({ "type": "MultiLineString", "coordinates": coordinates });
    let mut features =
        vec![json!({ "type": "Feature", "geometry": geometry, "properties": properties })];
    features.extend(stretches.iter().filter(|stretch| stretch.len() == 1).flatten().map(|one| {
        let point = json!({ "type": "Point", "coordinates": coordinate_pair(one.point) });
        let told = json!({ "kind": "single", "seq": one.fix.seq, "at": one.fix.at() });
        json!({ "type": "Feature", "geometry": point, "properties": told })
    }));
    features.extend(measures.stops.iter().map(|stop| {
        let point = json!({ "type": "Point", "coordinates": coordinate_pair(stop.point) });
        let seconds = (stop.until - stop.from).num_seconds();
        let told =
            json!({ "kind": "stop", "from": stop.from, "until": stop.until, "seconds": seconds });
        json!({ "type": "Feature", "geometry": point, "properties": told })
    }));
    features.extend(measures.marks.iter().map(|(mark, _)| render_marked_points(track, *mark)));
    json!({ "type": "FeatureCollection", "features": features })
}

/// The measures of a track, as JSON.
fn render_summary(track: &Track, measures: &Measures) -> Value {
    let patrol = &track.patrol.state;
    let gaps: Vec<Value> =
        measures.gaps.iter().map(|gap| json!({ "from": gap.from, "until": gap.until })).collect();
    let marks: serde_json::Map<String, Value> =
        measures.marks.iter().map(|(mark, n)| (mark.name().to_owned(), json!(n))).collect();
    json!({
        "kind": "track", "patrol_id": patrol.id, "number": patrol.number,
        "points": measures.points, "marked": measures.marked, "marks": marks,
        "distance_m": measures.distance_m.round(), "moving_s": measures.moving_s,
        "seen_s": measures.seen_s, "stops": measures.stops.len(), "gaps": gaps,
    })
}

/// The points with one mark, as sent: numbers and times in the same order.
fn render_marked_points(track: &Track, mark: Mark) -> Value {
    let these = || track.seen.iter().filter(move |one| one.mark == Some(mark));
    let coordinates: Vec<[f64; 2]> = these().map(|one| coordinate_pair(one.point)).collect();
    let seqs: Vec<u32> = these().map(|one| one.fix.seq).collect();
    let times: Vec<DateTime<Utc>> = these().map(|one| one.fix.at()).collect();
    json!({
        "type": "Feature",
        "geometry": { "type": "MultiPoint", "coordinates": coordinates },
        "properties": {
            "kind": "marked", "mark": mark.name(), "label": mark.label(), "seqs": seqs, "times": times,
        },
    })
}

/// Shows the track of a patrol, as GPX.
///
/// 巡查轨迹（GPX 1.1）：每段一个 trkseg，不含被标记的点；权限与留痕同上。
#[utoipa::path(tag = "patrols", responses((status = 200, body = String, content_type = "application/gpx+xml")))]
#[get("/patrols/{id}/gpx")]
async fn get_patrol_gpx(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    id: IdPath<Uuid>,
) -> Reply<HttpResponse> {
    let track = Track::load(&app, &request, &caller, id.0).await?;
    let name = track.patrol.state.number.clone();
    let file = format!("attachment; filename=\"{name}.gpx\"");
    let text = web::block(move || gpx::render_document(&name, &track.stretches())).await?;
    let mut answer = HttpResponse::Ok();
    answer.content_type("application/gpx+xml").insert_header(("Content-Disposition", file));
    Ok(answer.body(text))
}

/// A part of a whole.
#[derive(Serialize, ToSchema)]
pub struct ShareView {
    /// How many of the whole were seen.
    of: u32,
    /// The size of the whole.
    all: u32,
    /// The share, between 0 and 1; none when the whole is empty.
    share: Option<f64>,
}

impl From<Share> for ShareView {
    fn from(share: Share) -> Self {
        let part = share.to_ratio().map(|part| (part * 1000.0).round() / 1000.0);
        Self { of: share.of, all: share.all, share: part }
    }
}

/// The result of a place to be seen.
#[derive(Serialize, ToSchema)]
pub struct CheckpointVisitView {
    /// The name it is called by.
    name: String,
    /// Whether it was seen for long enough. 是否到点。
    visited: bool,
    /// When the worker was first there; none where it was not seen. 首次到达时间。
    first_at: Option<DateTime<Utc>>,
    /// The total stay, in seconds. 停留（秒）。
    dwell_s: i64,
}

/// The coverage of a patrol's area and plan.
#[derive(Serialize, ToSchema)]
pub struct CoverageView {
    /// How long it was under way, in seconds, without rests. 有效时长（秒）。
    active_s: i64,
    /// How long it usually takes, in seconds. 计划时长（秒）。
    planned_s: Option<u32>,
    /// The share of the planned time, at most 1. 时长占计划的比例。
    time_share: Option<f64>,
    /// Whether there is a track at all: without consent there is none, and the fields below have no
    /// meaning. 是否有轨迹。
    tracked: bool,
    /// The time within the area of the patrol, in seconds. 在本区域内的时长（秒）。
    inside_s: Option<i64>,
    /// The places to be seen. 点位。
    checkpoints: Vec<CheckpointVisitView>,
    /// The share of places that were seen. 到点比例。
    checkpoint_share: ShareView,
    /// The share of places along the route that were seen. 路线比例。
    route_share: ShareView,
    /// The side of a cell, in metres. 栅格边长（米）。
    cell_m: Option<u32>,
    /// The share of the area's cells that were walked through. 走过的栅格。
    cell_share: ShareView,
}

/// Shows the coverage of a patrol.
///
/// 巡查覆盖：按时长和到过的点位、栅格计算，不按里程；没有轨迹时只有时长。
#[utoipa::path(tag = "patrols", responses((status = 200, body = CoverageView)))]
#[get("/patrols/{id}/coverage")]
async fn get_patrol_coverage(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    id: IdPath<Uuid>,
) -> Reply<HttpResponse> {
    let track = Track::load(&app, &request, &caller, id.0).await?;
    let now = app.clock.now();
    let view = web::block(move || coverage_view(&track, now)).await?;
    Ok(HttpResponse::Ok().json(view))
}

fn coverage_view(track: &Track, now: DateTime<Utc>) -> CoverageView {
    let (patrol, policy) = (&track.patrol.state, &track.world.rules.conduct.tracking);
    let itinerary = &patrol.itinerary;
    let boundary = track.world.boundaries.get(&patrol.area.id);
    let targets: Vec<_> = itinerary.checkpoints.iter().map(Checkpoint::target).collect();
    let visits = coverage::measure_visits(&track.seen, &targets, policy);
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let visited = count(visits.iter().filter(|visit| visit.visited).count());
    let checkpoints = itinerary.checkpoints.iter().zip(&visits);
    let visit = |(checkpoint, visit): (&Checkpoint, &coverage::Visit)| CheckpointVisitView {
        name: checkpoint.name.as_str().to_owned(),
        visited: visit.visited,
        first_at: visit.first_at,
        dwell_s: visit.dwell_s,
    };
    let cells = boundary.map(|boundary| coverage::measure_cells(&track.seen, boundary, policy));
    let active_s = patrol.active_s(now);
    let planned_s = itinerary.minutes.map(|minutes| minutes * 60);
    let part = |planned: u32| {
        let active = f64::from(u32::try_from(active_s).unwrap_or(0));
        ((active / f64::from(planned)).min(1.0) * 1000.0).round() / 1000.0
    };
    CoverageView {
        active_s,
        planned_s,
        time_share: planned_s.map(part),
        tracked: !track.seen.is_empty(),
        inside_s: boundary
            .map(|boundary| coverage::measure_inside_s(&track.seen, boundary, policy)),
        checkpoint_share: Share { of: visited, all: count(visits.len()) }.into(),
        checkpoints: checkpoints.map(visit).collect(),
        route_share: coverage::measure_route(&track.seen, &itinerary.route, policy).into(),
        cell_m: cells.map(|cells| cells.side_m),
        cell_share: cells.unwrap_or_default().share.into(),
    }
}
