//! Boundaries as people draw them: what is wrong with one and where, and how neighbours fit.
//!
//! Nothing is repaired unless `repair` is set. Lengths and areas are in metres and square metres on
//! the sphere; within a city that is right to a few parts in a thousand.

use geo::{
    BooleanOps, BoundingRect, ChamberlainDuquetteArea, Coord, CoordsIter, Distance, Euclidean,
    InteriorPoint, Line, LineIntersection, LinesIter, MultiPolygon, Polygon,
    bool_ops::{FillRule, OpType},
    line_intersection::line_intersection,
    unary_union,
};
use rstar::{
    AABB, RTree,
    primitives::{GeomWithData, Rectangle},
};
use serde::{Deserialize, Serialize};

use crate::{
    area::{
        coordinate::Point,
        locate::{Rings, to_rings},
    },
    core::boundary_fault::FaultCode,
};

/// The most corners of one boundary.
pub const MAX_CORNERS: usize = 100_000;

/// The most faults reported for one boundary; the search stops there.
pub const MAX_FAULTS: usize = 20;

/// The most pairs of neighbours that are compared.
const MAX_PAIRS: usize = 20_000;

/// The most pairs of edges that are compared, far more than any real boundary needs.
const MAX_COMPARED: usize = 20_000_000;

/// One thing that is wrong, and where.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Fault {
    /// The kind of fault.
    pub code: FaultCode,
    /// The index of the polygon, from 0.
    pub polygon: usize,
    /// The index of the ring in its polygon; 0 is the shell.
    pub ring: usize,
    /// Where: for a crossing the crossing point, otherwise the corner that is wrong.
    pub at: Option<Point>,
}

/// Reads rings as people draw them; returns all that is wrong with them, up to [`MAX_FAULTS`].
pub fn read(rings: &Rings) -> Result<MultiPolygon<f64>, Vec<Fault>> {
    let mut faults = Vec::new();
    let corners: usize = rings.iter().flatten().map(Vec::len).sum();
    let whole = |code| Fault { code, polygon: 0, ring: 0, at: None };
    if rings.is_empty() {
        return Err(vec![whole(FaultCode::Empty)]);
    }
    if corners > MAX_CORNERS {
        return Err(vec![whole(FaultCode::TooManyCorners)]);
    }
    if is_swapped(rings) {
        let first = rings.iter().flatten().flatten().next();
        let at = first.map(|[lng, lat]| Point { lng: *lng, lat: *lat });
        return Err(vec![Fault { at, ..whole(FaultCode::Swapped) }]);
    }
    for (polygon, parts) in rings.iter().enumerate() {
        if parts.is_empty() {
            faults.push(Fault { polygon, ..whole(FaultCode::Empty) });
        }
        for (ring, corners) in parts.iter().enumerate() {
            if let Some((code, at)) = find_ring_fault(corners) {
                faults.push(Fault { code, polygon, ring, at });
            }
        }
    }
    if !faults.is_empty() {
        faults.truncate(MAX_FAULTS);
        return Err(faults);
    }
    crate::area::locate::from_rings(rings).map_err(|_unsound| vec![whole(FaultCode::Empty)])
}

/// Reads rings and checks whether their edges cross. Crossings are resolved only when `repair` is
/// set; the answer then says whether there were any.
pub fn read_sound(rings: &Rings, repair: bool) -> Result<(MultiPolygon<f64>, bool), Vec<Fault>> {
    let boundary = read(rings)?;
    let faults = find_crossings(&boundary);
    let (boundary, mended) = match (faults.is_empty(), repair) {
        (true, _) => (boundary, false),
        (false, false) => return Err(faults),
        (false, true) => (resolve_crossings(&boundary).ok_or(faults)?, true),
    };
    if square_metres(&boundary) < 1.0 {
        return Err(vec![Fault { code: FaultCode::NoExtent, polygon: 0, ring: 0, at: None }]);
    }
    Ok((boundary, mended))
}

/// What is wrong with one ring, and at which corner.
fn find_ring_fault(corners: &[[f64; 2]]) -> Option<(FaultCode, Option<Point>)> {
    let point = |[lng, lat]: &[f64; 2]| Point { lng: *lng, lat: *lat };
    // False for NaN, too.
    let placed = |[lng, lat]: &[f64; 2]| lng.abs() <= 180.0 && lat.abs() <= 90.0;
    if let Some(bad) = corners.iter().find(|corner| !placed(corner)) {
        return Some((FaultCode::OutOfRange, Some(point(bad))));
    }
    let (first, last) = (corners.first(), corners.last());
    if first != last {
        return Some((FaultCode::Open, last.map(point)));
    }
    if corners.len() < 4 {
        return Some((FaultCode::TooShort, first.map(point)));
    }
    let west = corners.iter().map(|[lng, _]| *lng).fold(f64::INFINITY, f64::min);
    let east = corners.iter().map(|[lng, _]| *lng).fold(f64::NEG_INFINITY, f64::max);
    (east - west > 180.0).then(|| (FaultCode::Antimeridian, first.map(point)))
}

/// Whether every corner would lie in China with its two numbers swapped, and none does as given.
fn is_swapped(rings: &Rings) -> bool {
    let china = |lng: f64, lat: f64| (73.0..=136.0).contains(&lng) && (3.0..=54.0).contains(&lat);
    let mut corners = rings.iter().flatten().flatten().peekable();
    corners.peek().is_some()
        && corners.all(|[first, second]| china(*second, *first) && !china(*first, *second))
}

/// Where edges of a boundary cross, up to a bound. A boundary that touches itself is no fault:
/// every point still has one answer.
pub fn find_crossings(boundary: &MultiPolygon<f64>) -> Vec<Fault> {
    type Edge = GeomWithData<Rectangle<[f64; 2]>, (usize, usize, usize, Line<f64>)>;
    let mut edges: Vec<Edge> = Vec::new();
    for (polygon, parts) in boundary.iter().enumerate() {
        let rings = std::iter::once(parts.exterior()).chain(parts.interiors());
        for (ring, line) in rings.enumerate() {
            for edge in line.lines_iter() {
                let (a, b) = (edge.start, edge.end);
                let around = Rectangle::from_corners([a.x, a.y], [b.x, b.y]);
                edges.push(Edge::new(around, (edges.len(), polygon, ring, edge)));
            }
        }
    }
    let tree = RTree::bulk_load(edges.clone());
    let (mut faults, mut compared) = (Vec::new(), 0);
    for edge in &edges {
        let (number, polygon, ring, line) = edge.data;
        let (low, high) = (line.bounding_rect().min(), line.bounding_rect().max());
        let near = AABB::from_corners([low.x, low.y], [high.x, high.y]);
        for other in tree.locate_in_envelope_intersecting(&near) {
            let (later, .., against) = other.data;
            compared += 1;
            if compared > MAX_COMPARED {
                let code = FaultCode::TooManyCorners;
                return vec![Fault { code, polygon, ring, at: None }];
            }
            if later > number
                && let Some(at) = find_crossing(line, against)
            {
                faults.push(Fault {
                    code: FaultCode::SelfIntersection,
                    polygon,
                    ring,
                    at: Some(at),
                });
                if faults.len() >= MAX_FAULTS {
                    return faults;
                }
            }
        }
    }
    faults
}

/// Where two edges cross or run along each other.
fn find_crossing(one: Line<f64>, other: Line<f64>) -> Option<Point> {
    let point = |at: Coord<f64>| Point { lng: at.x, lat: at.y };
    match line_intersection(one, other)? {
        LineIntersection::SinglePoint { intersection, is_proper } => {
            is_proper.then(|| point(intersection))
        }
        LineIntersection::Collinear { intersection } => {
            (intersection.start != intersection.end).then(|| point(intersection.start))
        }
    }
}

/// The same ground with its crossings resolved by the even-odd rule; none when nothing is left.
pub fn resolve_crossings(boundary: &MultiPolygon<f64>) -> Option<MultiPolygon<f64>> {
    let nothing = MultiPolygon(Vec::new());
    let even = FillRule::EvenOdd;
    let sound = boundary.boolean_op_with_fill_rule(&nothing, OpType::Union, even);
    (!sound.0.is_empty() && find_crossings(&sound).is_empty()).then_some(sound)
}

/// Merges several boundaries into one; shared borders disappear.
pub fn unite_all(boundaries: &[&MultiPolygon<f64>]) -> MultiPolygon<f64> {
    unary_union(boundaries.iter().copied())
}

/// The area in square metres.
pub fn square_metres(boundary: &MultiPolygon<f64>) -> f64 {
    boundary.chamberlain_duquette_unsigned_area()
}

/// How many corners it has.
pub fn count_corners(boundary: &MultiPolygon<f64>) -> usize {
    boundary.coords_count()
}

/// The bounding box: west, south, east, north.
pub fn bounding_box(boundary: &MultiPolygon<f64>) -> Option<[f64; 4]> {
    let extent = boundary.bounding_rect()?;
    Some([extent.min().x, extent.min().y, extent.max().x, extent.max().y])
}

/// The distance of a point from the boundary in metres; 0 inside.
pub fn distance_m(boundary: &MultiPolygon<f64>, from: Point) -> f64 {
    if crate::area::locate::covers(boundary, from) {
        return 0.0;
    }
    let edges = boundary.lines_iter().map(|edge| distance_to_edge(edge, from));
    edges.fold(f64::INFINITY, f64::min)
}

/// A lower bound, in metres, for the distance of a point from anything that lies in a box.
pub fn box_distance_m([west, south, east, north]: [f64; 4], from: Point) -> f64 {
    let at = Coord { x: from.lng.clamp(west, east), y: from.lat.clamp(south, north) };
    let flat = project_flat(at, from);
    flat.x.hypot(flat.y)
}

/// A place as metres east and north of `from`, on a plane.
fn project_flat(at: Coord<f64>, from: Point) -> Coord<f64> {
    const DEGREE: f64 = 111_195.0;
    Coord {
        x: (at.x - from.lng) * DEGREE * from.lat.to_radians().cos(),
        y: (at.y - from.lat) * DEGREE,
    }
}

fn distance_to_edge(edge: Line<f64>, from: Point) -> f64 {
    let here = geo::Point::new(0.0, 0.0);
    Euclidean
        .distance(&here, &Line::new(project_flat(edge.start, from), project_flat(edge.end, from)))
}

/// A piece of ground that belongs to two neighbours, or to none.
#[derive(Clone, PartialEq, Debug)]
pub struct Piece {
    /// Its area in square metres.
    pub square_metres: f64,
    /// A point inside it.
    pub at: Point,
}

/// The pieces of at least `least` square metres, largest first, up to `most`.
fn find_pieces(ground: &MultiPolygon<f64>, least: f64, most: usize) -> Vec<Piece> {
    let piece = |polygon: &Polygon<f64>| {
        let square_metres = polygon.chamberlain_duquette_unsigned_area();
        let inside = polygon.interior_point()?;
        let at = Point { lng: inside.x(), lat: inside.y() };
        (square_metres >= least).then_some(Piece { square_metres, at })
    };
    let mut all: Vec<Piece> = ground.iter().filter_map(piece).collect();
    all.sort_by(|a, b| b.square_metres.total_cmp(&a.square_metres));
    all.truncate(most);
    all
}

/// Where neighbours overlap by at least `least` square metres: each pair with its largest overlap.
pub fn find_overlaps<K: Copy>(
    shapes: &[(K, &MultiPolygon<f64>)],
    least: f64,
    may: impl Fn(K, K) -> bool,
) -> Vec<(K, K, Piece)> {
    type Leaf = GeomWithData<Rectangle<[f64; 2]>, usize>;
    let boxes: Vec<Option<[f64; 4]>> =
        shapes.iter().map(|(_, shape)| bounding_box(shape)).collect();
    let leaf = |(index, extent): (usize, &Option<[f64; 4]>)| {
        let [west, south, east, north] = (*extent)?;
        Some(Leaf::new(Rectangle::from_corners([west, south], [east, north]), index))
    };
    let tree = RTree::bulk_load(boxes.iter().enumerate().filter_map(leaf).collect());
    let (mut found, mut pairs) = (Vec::new(), 0);
    for (index, ((key, shape), extent)) in shapes.iter().zip(&boxes).enumerate() {
        let Some([west, south, east, north]) = *extent else { continue };
        let near = AABB::from_corners([west, south], [east, north]);
        for other in tree.locate_in_envelope_intersecting(&near) {
            let Some((against, theirs)) = shapes.get(other.data) else { continue };
            if other.data <= index || may(*key, *against) {
                continue;
            }
            pairs += 1;
            if pairs > MAX_PAIRS {
                return found;
            }
            let shared = find_pieces(&shape.intersection(*theirs), least, 1);
            found.extend(shared.into_iter().map(|piece| (*key, *against, piece)));
        }
    }
    found
}

/// Ground that belongs to none of the parts: within the boundary of the whole, where it has one,
/// otherwise within what the parts enclose. At least `least` square metres each, largest first, up
/// to `most`.
pub fn find_gaps(
    whole: Option<&MultiPolygon<f64>>,
    parts: &[&MultiPolygon<f64>],
    least: f64,
    most: usize,
) -> Vec<Piece> {
    if parts.is_empty() {
        return Vec::new();
    }
    let together = unite_all(parts);
    let ground = whole.map_or_else(
        || {
            let holes = together.iter().flat_map(|polygon| polygon.interiors().to_vec());
            MultiPolygon(holes.map(|ring| Polygon::new(ring, Vec::new())).collect())
        },
        |whole| whole.difference(&together),
    );
    find_pieces(&ground, least, most)
}

/// A boundary as stored: the GeoJSON of a `MultiPolygon`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Drawn {
    /// The GeoJSON type: always `MultiPolygon`.
    #[serde(rename = "type")]
    kind: String,
    /// Polygons of rings of [longitude, latitude].
    pub coordinates: Rings,
}

impl Drawn {
    /// The stored form of a boundary.
    pub fn new(boundary: &MultiPolygon<f64>) -> Self {
        Self { kind: "MultiPolygon".to_owned(), coordinates: to_rings(boundary) }
    }

    /// The text that is stored and hashed.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
