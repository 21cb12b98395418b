//! Places as they are given, and the areas they lie in.

use domain::{
    area::{
        coordinate::{CoordinateError, RawPoint},
        tree::{Area, Path},
    },
    core::{id::AreaId, text::Line},
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

/// Where it is: a point, or an area, or both; and words.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaceBody {
    /// The point, when the phone knows it. 坐标。
    point: Option<PointBody>,
    /// The area, when it does not: indoors, in the stairwell. 网格或其他区域。
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
        return Err(domain::rules::refusal::Refusal::UnknownArea { id }.into());
    }
    Ok((area, raw))
}

/// The problem of a coordinate that cannot be.
pub fn coordinate_problem(under: &str, error: &CoordinateError) -> Problem {
    let field = error.axis().field();
    let pointer = format!("{under}/{field}");
    let zh = format!("坐标 {field} 不正确，取值范围 ±{}", error.axis().limit());
    Problem::new(Code::InvalidBody).error(pointer, "out_of_range", zh, error.to_string())
}

/// The area a parameter names.
pub fn require_area(world: &TenantSnapshot, id: Uuid) -> Reply<&Area> {
    world
        .areas
        .get(AreaId(id))
        .ok_or_else(|| domain::rules::refusal::Refusal::UnknownArea { id: AreaId(id) }.into())
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
pub fn normalise_point(point: Option<PointBody>) -> Reply<Option<domain::area::coordinate::Point>> {
    let raw = point.map(RawPoint::from);
    raw.map(RawPoint::normalise).transpose().map_err(|error| coordinate_problem("/point", &error))
}

/// The point of a view.
pub fn point_view(point: Option<domain::area::coordinate::Point>) -> Option<PointView> {
    point.map(PointView::from)
}
