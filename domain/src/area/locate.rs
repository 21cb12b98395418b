//! Finds the area a point lies in.
//!
//! Boundaries are kept in memory: one R-tree of bounding boxes per level of the area tree, then an
//! exact test. The answer is defined for every point, so that the same report never lands in two
//! grids or in none: see [`Locator::locate`].

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;

use geo::kernels::{Kernel, Orientation, RobustKernel};
use geo::orient::{Direction, Orient};
use geo::{
    Area, BoundingRect, Coord, CoordsIter, InteriorPoint, Intersects, Line, LineString, LinesIter,
    Polygon,
};
use rstar::primitives::{GeomWithData, Rectangle};
use rstar::{AABB, RTree};

use crate::area::coordinate::Point;

/// A boundary: polygons with holes. Re-exported, so that no other crate depends on `geo`.
pub use geo::MultiPolygon;

/// The coordinates of a GeoJSON `MultiPolygon`: polygons, each a shell and its holes, each a list
/// of `[lng, lat]`.
pub type Rings = Vec<Vec<Vec<[f64; 2]>>>;

/// One area in the index.
#[derive(Debug, Clone)]
pub struct Shape<K> {
    /// The key that [`Locator::locate`] answers.
    pub key: K,
    /// How deep in the area tree: city 1, county 2, … a grid is deepest.
    pub rank: u8,
    /// Its boundary in WGS-84.
    pub boundary: MultiPolygon<f64>,
}

/// The bounding box of one polygon, with the polygon's shape.
type Leaf<K> = GeomWithData<Rectangle<[f64; 2]>, Candidate<K>>;

#[derive(Debug, Clone)]
struct Candidate<K> {
    /// Of two shapes of one rank that cover a point, the one with the smaller number wins.
    precedence: usize,
    key: K,
    outline: Outline,
}

/// An index over the boundaries of one tenant. Immutable: rebuilt when an area changes (some 30 ms
/// for 10,000 grids).
#[derive(Debug, Clone)]
pub struct Locator<K> {
    /// One tree per rank, deepest first.
    layers: Vec<RTree<Leaf<K>>>,
}

impl<K: Copy + Ord> Locator<K> {
    /// Indexes the shapes. A shape without a finite extent is never found.
    pub fn new(shapes: impl IntoIterator<Item = Shape<K>>) -> Self {
        let mut by_rank: BTreeMap<Reverse<u8>, Vec<(K, MultiPolygon<f64>)>> = BTreeMap::new();
        for Shape { key, rank, boundary } in shapes {
            by_rank.entry(Reverse(rank)).or_default().push((key, boundary));
        }
        Self { layers: by_rank.into_values().map(build_layer).collect() }
    }

    /// The area a point belongs to.
    ///
    /// - Outside everything: `None`.
    /// - Inside several: the highest rank; among equals the smallest area (a micro grid set into
    ///   a larger one wins); still equal, the smallest key.
    /// - A boundary belongs to its shape, so a point on the edge of two siblings is in one of them.
    pub fn locate(&self, point: Point) -> Option<K> {
        self.layers.iter().find_map(|layer| find_best(layer, point))
    }

    /// The area of every rank that covers the point, deepest first: grid, community, street, …
    pub fn locate_all(&self, point: Point) -> Vec<K> {
        self.layers.iter().filter_map(|layer| find_best(layer, point)).collect()
    }
}

fn build_layer<K: Copy + Ord>(mut shapes: Vec<(K, MultiPolygon<f64>)>) -> RTree<Leaf<K>> {
    // The bit patterns of non-negative numbers sort as the numbers do.
    shapes.sort_by_cached_key(|(key, shape)| (shape.unsigned_area().to_bits(), *key));
    let leaves = shapes.iter().enumerate().flat_map(|(precedence, (key, shape))| {
        shape.iter().filter_map(move |polygon| build_leaf(precedence, *key, polygon))
    });
    RTree::bulk_load(leaves.collect())
}

fn build_leaf<K>(precedence: usize, key: K, polygon: &Polygon<f64>) -> Option<Leaf<K>> {
    let finite = polygon.coords_iter().all(|c| c.x.is_finite() && c.y.is_finite());
    let extent = polygon.bounding_rect().filter(|_| finite)?;
    let (low, high) = (extent.min(), extent.max());
    let around = Rectangle::from_corners([low.x, low.y], [high.x, high.y]);
    Some(Leaf::new(around, Candidate { precedence, key, outline: Outline::new(polygon) }))
}

fn find_best<K: Copy>(layer: &RTree<Leaf<K>>, point: Point) -> Option<K> {
    let here = AABB::from_point([point.lng, point.lat]);
    let mut best: Option<&Candidate<K>> = None;
    for Leaf { data, .. } in layer.locate_in_envelope_intersecting(&here) {
        let better = best.is_none_or(|found| data.precedence < found.precedence);
        if better && data.outline.covers(point) {
            best = Some(data);
        }
    }
    best.map(|found| found.key)
}

/// The edges of a polygon in slabs from south to north, so that a test looks at a handful of them
/// and a county with a thousand corners costs as little as a grid with ten.
#[derive(Debug, Clone)]
struct Outline {
    /// Slabs by ascending floor. An edge is in every slab it touches.
    slabs: Vec<(f64, Vec<Line<f64>>)>,
}

impl Outline {
    fn new(polygon: &Polygon<f64>) -> Self {
        // Fewer corners a slab cost more in memory look-ups than they save in edges (measured).
        const CORNERS_A_SLAB: usize = 16;
        let mut heights: Vec<f64> = polygon.coords_iter().map(|c| c.y).collect();
        heights.sort_by(f64::total_cmp);
        heights.dedup();
        let floors = heights.into_iter().step_by(CORNERS_A_SLAB);
        let mut outline = Self { slabs: floors.map(|floor| (floor, Vec::new())).collect() };
        for edge in polygon.lines_iter() {
            let (a, b) = (edge.start.y, edge.end.y);
            let slabs = outline.floor_of(a.min(b))..=outline.floor_of(a.max(b));
            for (_, edges) in outline.slabs.get_mut(slabs).into_iter().flatten() {
                edges.push(edge);
            }
        }
        outline
    }

    fn floor_of(&self, y: f64) -> usize {
        self.slabs.partition_point(|(floor, _)| *floor <= y).saturating_sub(1)
    }

    /// Counts the edges a ray to the east crosses: odd means inside. Exact, edges included.
    fn covers(&self, point: Point) -> bool {
        let p = Coord { x: point.lng, y: point.lat };
        let mut inside = false;
        for Line { start: a, end: b } in
            self.slabs.get(self.floor_of(p.y)).iter().flat_map(|s| &s.1)
        {
            if p.x > a.x.max(b.x) || p.y < a.y.min(b.y) || p.y > a.y.max(b.y) {
                continue;
            }
            let crosses = (a.y > p.y) != (b.y > p.y);
            if p.x < a.x.min(b.x) {
                inside ^= crosses;
                continue;
            }
            // Only an edge whose box holds the point needs the exact predicate.
            match RobustKernel::orient2d(*a, *b, p) {
                Orientation::Collinear => return true,
                Orientation::CounterClockwise => inside ^= crosses && b.y > a.y,
                Orientation::Clockwise => inside ^= crosses && b.y < a.y,
            }
        }
        inside
    }
}

/// Whether the point is inside or on the edge.
pub fn covers(boundary: &MultiPolygon<f64>, point: Point) -> bool {
    boundary.intersects(&Coord { x: point.lng, y: point.lat })
}

/// A point inside the shape, however bent it is: the place for its label.
pub fn inner_point(boundary: &MultiPolygon<f64>) -> Option<Point> {
    let inside = boundary.interior_point()?;
    Some(Point { lng: inside.x(), lat: inside.y() })
}

/// Why a list of rings is not a boundary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BoundaryError {
    /// No polygon, or a polygon without a shell.
    Empty,
    /// A ring needs three corners and its first point again at the end.
    TooShort,
    /// A ring whose last point is not its first.
    Open,
    /// A number that is no WGS-84 longitude or latitude.
    OutOfRange,
}

impl fmt::Display for BoundaryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "a boundary needs at least one polygon with a shell",
            Self::TooShort => "a ring needs at least four points, the last equal to the first",
            Self::Open => "a ring must end where it began",
            Self::OutOfRange => "a ring holds a point outside lng -180..180, lat -90..90",
        })
    }
}

impl std::error::Error for BoundaryError {}

/// Builds a boundary from the coordinates of a GeoJSON `MultiPolygon`.
pub fn from_rings(rings: &Rings) -> Result<MultiPolygon<f64>, BoundaryError> {
    if rings.is_empty() {
        return Err(BoundaryError::Empty);
    }
    let polygons = rings.iter().map(|polygon| {
        let (shell, holes) = polygon.split_first().ok_or(BoundaryError::Empty)?;
        let holes = holes.iter().map(|ring| build_ring(ring)).collect::<Result<_, _>>()?;
        Ok(Polygon::new(build_ring(shell)?, holes))
    });
    Ok(MultiPolygon(polygons.collect::<Result<_, _>>()?))
}

fn build_ring(ring: &[[f64; 2]]) -> Result<LineString<f64>, BoundaryError> {
    // False for NaN, too.
    let placed = |[lng, lat]: &[f64; 2]| lng.abs() <= 180.0 && lat.abs() <= 90.0;
    if ring.len() < 4 {
        return Err(BoundaryError::TooShort);
    }
    if !ring.iter().all(placed) {
        return Err(BoundaryError::OutOfRange);
    }
    if ring.first() != ring.last() {
        return Err(BoundaryError::Open);
    }
    Ok(ring.iter().map(|[lng, lat]| Coord { x: *lng, y: *lat }).collect())
}

/// The coordinates of a boundary as GeoJSON writes a `MultiPolygon`; undoes [`from_rings`].
pub fn to_rings(boundary: &MultiPolygon<f64>) -> Rings {
    let ring = |line: &LineString<f64>| line.coords().map(|c| [c.x, c.y]).collect();
    boundary
        .iter()
        .map(|polygon| {
            std::iter::once(polygon.exterior()).chain(polygon.interiors()).map(ring).collect()
        })
        .collect()
}

/// The coordinates of a boundary as RFC 7946 wants them written: shells counter-clockwise, holes
/// clockwise, six decimals.
pub fn to_written_rings(boundary: &MultiPolygon<f64>) -> Rings {
    let mut rings = to_rings(&boundary.orient(Direction::Default));
    for corner in rings.iter_mut().flatten().flatten() {
        *corner = corner.map(round_degrees);
    }
    rings
}

/// Degrees to six decimals, a tenth of a metre: more says nothing of a place.
pub fn round_degrees(degrees: f64) -> f64 {
    (degrees * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    fn at(lng: f64, lat: f64) -> Point {
        Point { lng, lat }
    }

    fn ring(west: f64, south: f64, east: f64, north: f64) -> Vec<[f64; 2]> {
        vec![[west, south], [east, south], [east, north], [west, north], [west, south]]
    }

    fn shape(key: u32, rank: u8, rings: Rings) -> Shape<u32> {
        Shape { key, rank, boundary: from_rings(&rings).unwrap() }
    }

    fn square(key: u32, rank: u8, west: f64, south: f64, size: f64) -> Shape<u32> {
        shape(key, rank, vec![vec![ring(west, south, west + size, south + size)]])
    }

    #[test]
    fn outside_everything_is_nowhere() {
        let locator = Locator::new([square(1, 1, 0.0, 0.0, 4.0)]);
        assert_eq!(locator.locate(at(4.5, 2.0)), None);
        assert_eq!(locator.locate(at(f64::NAN, 2.0)), None);
        assert_eq!(Locator::<u32>::new([]).locate(at(0.0, 0.0)), None);
    }

    #[test]
    fn the_deepest_level_answers() {
        let locator = Locator::new([
            square(1, 2, 0.0, 0.0, 4.0),
            // Deeper, though larger.
            square(2, 5, 0.0, 0.0, 8.0),
            square(3, 1, 1.0, 1.0, 1.0),
        ]);
        assert_eq!(locator.locate(at(1.5, 1.5)), Some(2));
        assert_eq!(locator.locate_all(at(1.5, 1.5)), [2, 1, 3]);
        assert_eq!(locator.locate_all(at(7.0, 7.0)), [2]);
    }

    #[test]
    fn of_one_level_the_smallest_area_answers() {
        let locator = Locator::new([
            square(1, 5, 0.0, 0.0, 4.0),
            square(2, 5, 1.0, 1.0, 1.0),
            square(3, 5, 0.0, 0.0, 3.0),
        ]);
        assert_eq!(locator.locate(at(1.5, 1.5)), Some(2));
        assert_eq!(locator.locate(at(2.5, 2.5)), Some(3));
        assert_eq!(locator.locate(at(3.5, 3.5)), Some(1));
    }

    #[test]
    fn edges_belong_and_siblings_share_by_key() {
        let mut siblings = vec![
            square(9, 5, 0.0, 0.0, 1.0),
            square(4, 5, 1.0, 0.0, 1.0),
            square(7, 5, 0.0, 1.0, 1.0),
            square(5, 5, 1.0, 1.0, 1.0),
        ];
        for _ in 0..siblings.len() {
            siblings.rotate_left(1);
            let locator = Locator::new(siblings.clone());
            assert_eq!(locator.locate(at(1.0, 0.5)), Some(4));
            assert_eq!(locator.locate(at(0.5, 1.0)), Some(7));
            assert_eq!(locator.locate(at(1.0, 1.0)), Some(4));
            assert_eq!(locator.locate(at(0.0, 0.0)), Some(9));
            assert_eq!(locator.locate(at(2.0, 1.5)), Some(5));
        }
    }

    #[test]
    fn holes_are_outside_but_their_edges_are_not() {
        let ringed = shape(1, 5, vec![vec![ring(0.0, 0.0, 4.0, 4.0), ring(1.0, 1.0, 3.0, 3.0)]]);
        let locator = Locator::new([ringed.clone()]);
        assert_eq!(locator.locate(at(2.0, 2.0)), None);
        assert_eq!(locator.locate(at(1.0, 2.0)), Some(1));
        assert_eq!(locator.locate(at(0.5, 0.5)), Some(1));
        // A city wall with its own grid inside.
        let locator = Locator::new([ringed, square(2, 5, 1.0, 1.0, 2.0)]);
        assert_eq!(locator.locate(at(2.0, 2.0)), Some(2));
    }

    #[test]
    fn an_area_may_have_exclaves() {
        let split = vec![vec![ring(0.0, 0.0, 1.0, 1.0)], vec![ring(5.0, 5.0, 6.0, 6.0)]];
        let locator = Locator::new([shape(1, 5, split), square(2, 4, 0.0, 0.0, 6.0)]);
        assert_eq!(locator.locate(at(0.5, 0.5)), Some(1));
        assert_eq!(locator.locate(at(5.5, 5.5)), Some(1));
        assert_eq!(locator.locate(at(3.0, 3.0)), Some(2));
    }

    #[test]
    fn the_fast_test_agrees_with_the_slow_one() {
        // A star of many corners with a star-shaped hole, probed everywhere and at each corner.
        let star = |corners: u32, size: f64| -> Vec<[f64; 2]> {
            let corner = |n: u32| {
                let turn = f64::from(n % corners) / f64::from(corners);
                let reach = size * (1.0 + 0.4 * (turn * 60.0).sin());
                [reach * (turn * TAU).cos(), reach * (turn * TAU).sin()]
            };
            (0..=corners).map(corner).collect()
        };
        let star = shape(1, 1, vec![vec![star(300, 2.0), star(50, 0.5)]]);
        let locator = Locator::new([star.clone()]);
        let spread = |n: f64, step: f64| 6.0 * (n * step).fract() - 3.0;
        let probes =
            (0..5000).map(|n| at(spread(f64::from(n), 0.754_9), spread(f64::from(n), 0.569_8)));
        let corners = star.boundary.coords_iter().map(|c| at(c.x, c.y));
        for point in probes.chain(corners) {
            assert_eq!(locator.locate(point).is_some(), covers(&star.boundary, point), "{point:?}");
        }
    }

    #[test]
    fn a_shape_without_extent_is_never_found() {
        let hollow = Shape { key: 1, rank: 9, boundary: MultiPolygon(vec![]) };
        let locator = Locator::new([hollow, square(2, 1, 0.0, 0.0, 1.0)]);
        assert_eq!(locator.locate(at(0.5, 0.5)), Some(2));
    }

    #[test]
    fn rings_are_checked_and_come_back_as_they_went_in() {
        let rings = vec![vec![ring(0.0, 0.0, 4.0, 4.0), ring(1.0, 1.0, 3.0, 3.0)]];
        let boundary = from_rings(&rings).unwrap();
        assert_eq!(to_rings(&boundary), rings);
        assert!(covers(&boundary, inner_point(&boundary).unwrap()));

        let refused = |rings: Rings| from_rings(&rings).unwrap_err();
        let triangle = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]];
        assert_eq!(refused(vec![]), BoundaryError::Empty);
        assert_eq!(refused(vec![vec![]]), BoundaryError::Empty);
        assert_eq!(refused(vec![vec![triangle.to_vec()]]), BoundaryError::TooShort);
        let ending = |last| vec![vec![[&triangle[..], &[last]].concat()]];
        assert_eq!(refused(ending([2.0, 2.0])), BoundaryError::Open);
        for bad in [[f64::NAN, 0.0], [181.0, 0.0], [0.0, 90.5]] {
            assert_eq!(refused(ending(bad)), BoundaryError::OutOfRange);
        }
    }
}
