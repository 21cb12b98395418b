//! Areas on a map: boundaries in a box as GeoJSON, and the grids near a point.

use actix_web::{HttpResponse, get, web::Data};
use domain::{
    area::{
        boundary::{bounding_box, box_distance_m, count_corners, distance_m},
        coordinate::{Point, RawPoint},
        tree::AreaKind,
    },
    core::id::AreaId,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::{
        caller::Caller,
        state::App,
        world::{Geometry, TenantSnapshot},
    },
    http::{
        page::Limit,
        params::Query,
        problem::{Code, Problem, Reply},
        register::ServiceConfig,
        view::{self, CoordTypeBody, PointBody, UnitView},
    },
};

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(get_area_map).service(list_neighbours);
}

/// Which boundaries to draw.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct GetAreaMap {
    /// West, south, east, north, in WGS-84, separated by commas. 范围：西,南,东,北。
    #[param(example = "115.05,30.19,115.10,30.23")]
    bbox: String,
    /// Only of this kind.
    #[param(schema_with = view::area_kind)]
    kind: Option<AreaKind>,
}

/// The most areas on a map.
const MOST_AREAS: usize = 1_000;
/// The most corners on a map.
const MOST_CORNERS: usize = 100_000;

fn parse_bbox(text: &str) -> Reply<[f64; 4]> {
    let numbers: Vec<f64> = text.split(',').filter_map(|part| part.trim().parse().ok()).collect();
    let sides: Option<[f64; 4]> = numbers.try_into().ok();
    let sound = |sides: &[f64; 4]| {
        let [west, south, east, north] = *sides;
        west <= east
            && south <= north
            && [west, east].iter().all(|lng| lng.abs() <= 180.0)
            && [south, north].iter().all(|lat| lat.abs() <= 90.0)
    };
    sides.filter(sound).ok_or_else(|| {
        let (zh, en) =
            ("应为“西,南,东,北”四个数。", "Expected four numbers: west,south,east,north.");
        Problem::new(Code::InvalidQuery).parameter("bbox", "bad_bbox", zh, en)
    })
}

/// Shows the boundaries of areas in a box, as GeoJSON.
///
/// 地图：范围内的区划边界（GeoJSON）；最多 1000 个区划、10 万个点，超出时 `truncated` 为真。
#[utoipa::path(tag = "areas", params(GetAreaMap), responses((status = 200, body = Object, content_type = "application/geo+json")))]
#[get("/areas/geojson")]
async fn get_area_map(
    app: Data<App>,
    caller: Caller,
    params: Query<GetAreaMap>,
) -> Reply<HttpResponse> {
    let [west, south, east, north] = parse_bbox(&params.0.bbox)?;
    let world = app.world(caller.tenant)?;
    let mut found: Vec<AreaId> = Vec::new();
    for (id, boundary) in &world.boundaries {
        let Some([w, s, e, n]) = bounding_box(boundary) else { continue };
        let kind = world.areas.get(*id).map(|area| area.kind);
        let wanted = params.0.kind.is_none() || params.0.kind == kind;
        if wanted && w <= east && e >= west && s <= north && n >= south {
            found.push(*id);
        }
    }
    found.sort_by_key(|id| world.areas.get(*id).map(|area| area.code.clone()));
    let (mut features, mut sum, all) = (Vec::new(), 0, found.len());
    for id in found.into_iter().take(MOST_AREAS) {
        let Some(boundary) = world.boundaries.get(&id) else { continue };
        sum += count_corners(boundary);
        if sum > MOST_CORNERS {
            break;
        }
        features.extend(render_feature(id, &world));
    }
    let truncated = features.len() < all;
    let collection =
        json!({ "type": "FeatureCollection", "features": features, "truncated": truncated });
    Ok(HttpResponse::Ok().content_type("application/geo+json").body(collection.to_string()))
}

fn render_feature(id: AreaId, world: &TenantSnapshot) -> Option<serde_json::Value> {
    let (area, boundary) = (world.areas.get(id)?, world.boundaries.get(&id)?);
    let parent = world.areas.parent(id).map(|parent| parent.code.clone());
    Some(json!({
        "type": "Feature",
        "id": id,
        "properties": {
            "code": area.code, "name": area.name, "kind": area.kind.name(), "parent_code": parent,
        },
        "geometry": Geometry::to_be_read(boundary),
    }))
}

/// Near which point to look.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListNeighbours {
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
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 20)]
    limit: Option<Limit>,
}

/// The grids near a point.
#[derive(Serialize, ToSchema)]
pub struct NeighboursView {
    /// The nearest first.
    items: Vec<NeighbourView>,
}

/// A grid near a point.
#[derive(Serialize, ToSchema)]
pub struct NeighbourView {
    /// The grid that is near. 网格。
    grid: UnitView,
    /// How far away its edge is, in metres; 0 inside. 距离（米）。
    distance_m: f64,
}

/// Lists the grids near a point, the nearest first.
///
/// 周边网格：按到边界的距离由近到远；点在网格内时距离为 0。
#[utoipa::path(tag = "areas", params(ListNeighbours), responses((status = 200, body = NeighboursView)))]
#[get("/areas/neighbours")]
async fn list_neighbours(
    app: Data<App>,
    caller: Caller,
    params: Query<ListNeighbours>,
) -> Reply<HttpResponse> {
    let ListNeighbours { lng, lat, coord_type, limit } = params.0;
    let coord_type = coord_type.unwrap_or(CoordTypeBody::Wgs84);
    let point = normalise_point(PointBody { lng, lat, coord_type })?;
    let world = app.world(caller.tenant)?;
    let most = usize::from(limit.unwrap_or_default().get());
    let items = find_nearest(&world, point, most);
    Ok(HttpResponse::Ok().json(NeighboursView { items }))
}

/// The grids nearest to a point. The distance to a bounding box is cheap and never larger than that
/// to the grid: the exact one is computed only where it may still matter.
fn find_nearest(world: &TenantSnapshot, point: Point, most: usize) -> Vec<NeighbourView> {
    let grids = world.boundaries.iter().filter_map(|(id, boundary)| {
        let area = world.areas.get(*id).filter(|area| area.kind == AreaKind::Grid)?;
        Some((box_distance_m(bounding_box(boundary)?, point), area, boundary))
    });
    let mut boxes: Vec<_> = grids.collect();
    boxes.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut found: Vec<(f64, UnitView)> = Vec::new();
    for (least, area, boundary) in boxes {
        let farthest = found.last().map_or(f64::INFINITY, |(distance, _)| *distance);
        if found.len() >= most && least > farthest {
            break;
        }
        found.push((distance_m(boundary, point), UnitView::from(&area.unit())));
        found.sort_by(|one, other| one.0.total_cmp(&other.0));
        found.truncate(most);
    }
    let view = |(distance, grid): (f64, UnitView)| NeighbourView {
        grid,
        distance_m: (distance * 10.0).round() / 10.0,
    };
    found.into_iter().map(view).collect()
}

/// The normalised point of a query.
pub(super) fn normalise_point(body: PointBody) -> Reply<Point> {
    RawPoint::from(body).normalise().map_err(|error| {
        let zh = format!("应在 ±{} 之间。", error.axis().limit());
        let problem = Problem::new(Code::InvalidQuery);
        problem.parameter(error.axis().field(), "out_of_range", zh, error.to_string())
    })
}
