//! Places as clients give them, and the areas they lie in.

use domain::{
    area::{
        boundary::{bounding_box, box_distance_m, distance_m},
        coordinate::{CoordinateError, Point, RawPoint},
        tree::{Area, Path},
    },
    core::{id::AreaId, text::Line},
    rules::refusal::Refusal,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::world::TenantSnapshot,
    http::{
        problem::{Code, Problem, Reply},
        view::{PointBody, PointView},
    },
};

/// A place: a point, or an area, or both; and an address.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaceBody {
    /// The point, when the phone knows it. 坐标。
    point: Option<PointBody>,
    /// The area, when the phone knows no point: indoors, in the stairwell. 网格或其他区域。
    pub(crate) area_id: Option<Uuid>,
    /// The address in words. 地址。
    #[schema(value_type = Option<String>, max_length = 120, example = "胜阳港街道武汉路餐饮街")]
    pub(crate) address: Option<Line>,
}

/// Finds the area of a place: the one named, or the deepest the point lies in. `offline`: whether a
/// phone had kept it.
pub(crate) fn locate_place<'a>(
    place: &PlaceBody,
    world: &'a TenantSnapshot,
    offline: bool,
) -> Reply<(Option<&'a Area>, Option<RawPoint>)> {
    let raw = place.point.map(RawPoint::from);
    let point = raw
        .map(RawPoint::normalise)
        .transpose()
        .map_err(|error| coordinate_problem("/place/point", &error))?;
    let named = place.area_id.map(AreaId);
    // A phone that kept it knew the area that was there then, and the point is where it is now.
    let ended = named.is_some_and(|id| offline && world.areas.is_retired(id));
    let found = point.filter(|_| ended).and_then(|point| world.locate(point));
    let area = match (named, point) {
        _ if found.is_some() => found,
        (Some(id), _) => world.areas.get(id),
        (None, Some(point)) => world.locate(point),
        (None, None) => None,
    };
    if let (Some(id), None) = (named, area) {
        return Err(Refusal::UnknownArea { id }.into());
    }
    Ok((area, raw))
}

/// How far from the area it is said to lie in a place may be, in metres: receivers err, most of
/// all in stairwells.
pub(crate) const NEAR_M: u32 = 200;

/// Refuses a point that lies farther from an area than that. Of an area that was never drawn, what
/// is drawn in it and around it says where it may be.
pub(crate) fn check_near(
    world: &TenantSnapshot,
    area: AreaId,
    point: Point,
    most: u32,
) -> Result<(), Refusal> {
    let Some(area) = world.areas.get(area) else { return Ok(()) };
    let far = |metres: f64| {
        #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "it saturates")]
        #[expect(clippy::cast_sign_loss, reason = "no distance is negative")]
        let metres = metres.ceil() as u32;
        (metres > most).then(|| Refusal::OutsideArea { area: area.name.clone(), metres, most })
    };
    let own = world.boundaries.get(&area.id);
    let nearest = own.map(|own| distance_m(own, point)).or_else(|| {
        let found = world.locate(point)?;
        let related = area.path.contains(&found.path) || found.path.contains(&area.path);
        related.then_some(0.0)
    });
    let nearest = nearest.or_else(|| find_nearest_within(world, area, point, most));
    let nearest = nearest.or_else(|| {
        let above =
            std::iter::successors(world.areas.parent(area.id), |a| world.areas.parent(a.id));
        let drawn = above.filter_map(|above| world.boundaries.get(&above.id));
        drawn.map(|boundary| distance_m(boundary, point)).next()
    });
    // Nothing near it is drawn: it may lie anywhere but where another area is, or far from all.
    let nearest = nearest.or_else(|| {
        const AWAY_M: f64 = 100_000.0;
        let root = world.areas.root()?;
        let metres = find_nearest_within(world, root, point, most)?;
        (metres > AWAY_M || metres <= 0.0).then_some(metres.max(f64::from(most) + 1.0))
    });
    // Where a receiver says it is that does not know: far from here even where nothing is drawn.
    let unknown = point.lng.abs() < 1e-6 && point.lat.abs() < 1e-6;
    let nearest = nearest.or_else(|| unknown.then_some(f64::INFINITY));
    nearest.and_then(far).map_or(Ok(()), Err)
}

/// Refuses where somebody says to have stood on the spot when it is farther from there than any
/// point of a patrol may be from its area.
pub(crate) fn check_standpoint(
    world: &TenantSnapshot,
    area: AreaId,
    point: Option<Point>,
) -> Result<(), Refusal> {
    let most = world.rules.conduct.tracking.far_m;
    point.map_or(Ok(()), |point| check_near(world, area, point, most))
}

/// How far the nearest of what is drawn in an area is; none where nothing is.
fn find_nearest_within(
    world: &TenantSnapshot,
    area: &Area,
    point: Point,
    most: u32,
) -> Option<f64> {
    let mut nearest: Option<f64> = None;
    for (id, boundary) in &world.boundaries {
        let within = world.areas.get(*id).is_some_and(|one| area.path.contains(&one.path));
        let Some(extent) = bounding_box(boundary).filter(|_| within) else { continue };
        // Boxes are cheap and never farther than what lies in them.
        let least = box_distance_m(extent, point);
        let near_box = least <= f64::from(most) && nearest.is_none_or(|known| least < known);
        let metres = if near_box { distance_m(boundary, point) } else { least };
        nearest = Some(nearest.map_or(metres, |known| known.min(metres)));
    }
    nearest
}

/// The problem of an impossible coordinate.
pub fn coordinate_problem(under: &str, error: &CoordinateError) -> Problem {
    let field = error.axis().field();
    let pointer = format!("{under}/{field}");
    let zh = format!("坐标 {field} 不正确；应在 ±{} 之间。", error.axis().limit());
    Problem::new(Code::InvalidBody).error(pointer, "out_of_range", zh, error.to_string())
}

/// The area a parameter names.
pub fn require_area(world: &TenantSnapshot, id: Uuid) -> Reply<&Area> {
    world.areas.get(AreaId(id)).ok_or_else(|| Refusal::UnknownArea { id: AreaId(id) }.into())
}

/// The places that a filter by an area is about: where it is, where it was, and those of areas that
/// became part of it.
pub fn find_paths(world: &TenantSnapshot, id: Uuid) -> Reply<Vec<Path>> {
    let unit = require_area(world, id)?.unit();
    Ok(world.areas.expand_unit(&unit).into_iter().map(|unit| unit.path).collect())
}

/// The areas that a filter by a unit is about: itself, and those that became part of it.
pub fn find_units(world: &TenantSnapshot, id: Uuid) -> Vec<AreaId> {
    let Some(area) = world.areas.get(AreaId(id)) else { return vec![AreaId(id)] };
    world.areas.expand_unit(&area.unit()).into_iter().map(|unit| unit.id).collect()
}

/// A point of a body, normalised; the pointer of a wrong one is `/point/…`.
pub fn normalise_point(point: Option<PointBody>) -> Reply<Option<Point>> {
    let raw = point.map(RawPoint::from);
    raw.map(RawPoint::normalise).transpose().map_err(|error| coordinate_problem("/point", &error))
}

/// The point of a view.
pub fn point_view(point: Option<Point>) -> Option<PointView> {
    point.map(PointView::from)
}
