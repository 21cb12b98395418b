//! Dividing a shape into parts of given size.
//!
//! Grids have no public source, so the demo city derives them: county into streets, streets into
//! communities, communities into grids. The shape is cut in two by a straight west–east or
//! north–south line, each half again, until every part has one weight. The clip is our own instead
//! of a general overlay: the cut coordinate is exact on both sides, so siblings share their edge
//! bit for bit and no point falls between them.

use geo::orient::{Direction, Orient};
use geo::{
    Area, BoundingRect, Coord, Intersects, LineString, LinesIter, MapCoords, MultiPolygon, Polygon,
};

/// Divides a shape into `weights.len()` parts with areas in proportion to the weights: no gaps, no
/// overlaps, deterministic. Parts come in the order of the weights, roughly west to east and north
/// to south; a bent shape may give parts of several polygons.
///
/// A weight that is not a positive number counts as zero and gets an empty part; if none is
/// positive, all are equal.
pub fn split(shape: &MultiPolygon<f64>, weights: &[f64]) -> Vec<MultiPolygon<f64>> {
    let mut weights: Vec<f64> =
        weights.iter().map(|w| if w.is_finite() { w.max(0.0) } else { 0.0 }).collect();
    if weights.iter().all(|w| *w <= 0.0) {
        weights.fill(1.0);
    }
    let mut parts = Vec::with_capacity(weights.len());
    divide_shape(shape.orient(Direction::Default), &weights, &mut parts);
    parts
}

fn divide_shape(shape: MultiPolygon<f64>, weights: &[f64], parts: &mut Vec<MultiPolygon<f64>>) {
    if weights.len() < 2 {
        parts.extend(weights.iter().map(|_| shape.clone()));
        return;
    }
    let (first, second) = weights.split_at(find_middle(weights));
    let (one, both) = (first.iter().sum::<f64>(), weights.iter().sum::<f64>());
    let (left, right) = cut_shape(shape, one / both);
    divide_shape(left, first, parts);
    divide_shape(right, second, parts);
}

/// How many weights to take for the first half to come closest to half of the sum.
fn find_middle(weights: &[f64]) -> usize {
    let half = weights.iter().sum::<f64>() / 2.0;
    let mut sum = 0.0;
    let mut best = (f64::INFINITY, 1);
    for (at, weight) in (1..weights.len()).zip(weights) {
        sum += weight;
        let miss = (half - sum).abs();
        if miss < best.0 {
            best = (miss, at);
        }
    }
    best.1
}

/// Cuts off a fraction of the area across the longer side: the west part, or the north part.
fn cut_shape(shape: MultiPolygon<f64>, fraction: f64) -> (MultiPolygon<f64>, MultiPolygon<f64>) {
    let nothing = MultiPolygon(vec![]);
    // The fraction is NaN when all weights of this branch are zero; then the shape is empty.
    let Some(extent) = shape.bounding_rect().filter(|_| fraction > 0.0) else {
        return (nothing, shape);
    };
    if fraction >= 1.0 {
        return (shape, nothing);
    }
    // A degree of longitude is shorter than one of latitude.
    let squeeze = extent.center().y.to_radians().cos().abs();
    if extent.width() * squeeze >= extent.height() {
        let x = find_cut_line(&shape, fraction);
        (clip_west(&shape, x), half_turn(&clip_west(&half_turn(&shape), -x)))
    } else {
        let turned = shape.map_coords(|c| Coord { x: -c.y, y: c.x });
        let x = find_cut_line(&turned, fraction);
        let back = |part: MultiPolygon<f64>| part.map_coords(|c| Coord { x: c.y, y: -c.x });
        (back(clip_west(&turned, x)), back(half_turn(&clip_west(&half_turn(&turned), -x))))
    }
}

/// Turns the shape by 180°, which makes east west. Exact, and keeps the direction of rings.
fn half_turn(shape: &MultiPolygon<f64>) -> MultiPolygon<f64> {
    shape.map_coords(|c| Coord { x: -c.x, y: -c.y })
}

/// The `x` that has the given fraction of the area to its west, by bisection.
fn find_cut_line(shape: &MultiPolygon<f64>, fraction: f64) -> f64 {
    let Some(extent) = shape.bounding_rect() else { return 0.0 };
    let (mut low, mut high) = (extent.min().x, extent.max().x);
    let edges: Vec<_> = shape.lines_iter().collect();
    // Green's theorem: the area west of c is the integral of min(x, c) along the boundary, over y.
    // Measured from the western end to keep precision.
    let origin = low;
    let area_west_of = |c: f64| -> f64 {
        let strip = |edge: &geo::Line<f64>| {
            let (a, b) = (edge.start.x, edge.end.x);
            let (near, far) = (a.min(b), a.max(b));
            let mean = if far <= c {
                f64::midpoint(near, far)
            } else if near >= c {
                c
            } else {
                let inside = (c - near) / (far - near);
                inside * f64::midpoint(near, c) + (1.0 - inside) * c
            };
            (mean - origin) * (edge.end.y - edge.start.y)
        };
        edges.iter().map(strip).sum()
    };
    let whole = area_west_of(high);
    let wanted = fraction * whole;
    loop {
        let x = f64::midpoint(low, high);
        let miss = area_west_of(x) - wanted;
        // The second half ends the search when no floating-point number is left in between.
        if miss.abs() <= 1e-12 * whole || x <= low || x >= high {
            return x;
        }
        if miss < 0.0 {
            low = x;
        } else {
            high = x;
        }
    }
}

/// The part west of the line `x`. Rings must run with the inside on their left.
fn clip_west(shape: &MultiPolygon<f64>, x: f64) -> MultiPolygon<f64> {
    let mut parts = Vec::new();
    for polygon in shape {
        let shell = polygon.exterior();
        if shell.coords().all(|c| c.x <= x) {
            parts.push(polygon.clone());
        } else if shell.coords().any(|c| c.x < x) {
            parts.extend(clip_polygon_west(polygon, x));
        }
    }
    MultiPolygon(parts)
}

fn clip_polygon_west(polygon: &Polygon<f64>, x: f64) -> Vec<Polygon<f64>> {
    let mut rings = Vec::new();
    let mut chains = Vec::new();
    for ring in std::iter::once(polygon.exterior()).chain(polygon.interiors()) {
        if ring.coords().all(|c| c.x < x) {
            rings.push(ring.clone());
        } else {
            chains.extend(chains_west_of(ring, x));
        }
    }
    rings.extend(join_chains(chains));
    assemble_polygons(rings)
}

/// A part of a ring that lies west of the line and begins and ends on it.
type Chain = Vec<Coord<f64>>;

fn chains_west_of(ring: &LineString<f64>, x: f64) -> Vec<Chain> {
    let enters = |edge: &geo::Line<f64>| edge.start.x >= x && edge.end.x < x;
    let edges = ring.lines().len();
    let from_entry = ring.lines().collect::<Vec<_>>().into_iter().cycle();
    let mut chains: Vec<Chain> = Vec::new();
    // For a ring that never enters, the search would not end.
    if !ring.lines().any(|edge| enters(&edge)) {
        return chains;
    }
    for edge in from_entry.skip_while(|edge| !enters(edge)).take(edges) {
        if enters(&edge) {
            chains.push(vec![find_crossing(edge, x), edge.end]);
        } else if let Some(chain) = chains.last_mut().filter(|_| edge.start.x < x) {
            chain.push(if edge.end.x < x { edge.end } else { find_crossing(edge, x) });
        }
    }
    chains
}

#[expect(clippy::float_cmp, reason = "a corner exactly on the line stays that corner")]
fn find_crossing(edge: geo::Line<f64>, x: f64) -> Coord<f64> {
    for corner in [edge.start, edge.end] {
        if corner.x == x {
            return corner;
        }
    }
    let share = (x - edge.start.x) / edge.dx();
    Coord { x, y: edge.start.y + share * edge.dy() }
}

/// Closes chains along the line. Northwards along it, the inside of the shape lies between one
/// chain's end and another's beginning, in turn; so the n-th end joins the n-th beginning.
fn join_chains(chains: Vec<Chain>) -> Vec<LineString<f64>> {
    let height = |at: Option<&Coord<f64>>| at.map_or(0.0, |c| c.y);
    let mut ends: Vec<usize> = (0..chains.len()).collect();
    let mut starts = ends.clone();
    let by = |end: fn(&Chain) -> Option<&Coord<f64>>| {
        let chains = &chains;
        move |a: &usize, b: &usize| {
            let [a, b] = [a, b].map(|at| height(chains.get(*at).and_then(end)));
            a.total_cmp(&b)
        }
    };
    ends.sort_by(by(|chain| chain.last()));
    starts.sort_by(by(|chain| chain.first()));
    let mut next = vec![0; chains.len()];
    for (end, start) in ends.into_iter().zip(starts) {
        if let Some(slot) = next.get_mut(end) {
            *slot = start;
        }
    }
    let mut chains: Vec<Option<Chain>> = chains.into_iter().map(Some).collect();
    let mut rings = Vec::new();
    for first in 0..chains.len() {
        let mut ring: Vec<Coord<f64>> = Vec::new();
        let mut at = first;
        while let Some(chain) = chains.get_mut(at).and_then(Option::take) {
            ring.extend(chain);
            at = next.get(at).copied().unwrap_or(first);
        }
        ring.dedup();
        let mut ring = LineString(ring);
        ring.close();
        if ring.0.len() > 3 {
            rings.push(ring);
        }
    }
    rings
}

/// Puts every hole into the shell around it.
fn assemble_polygons(rings: Vec<LineString<f64>>) -> Vec<Polygon<f64>> {
    let rings = rings.into_iter().map(|ring| Polygon::new(ring, vec![]));
    let (mut shells, holes): (Vec<_>, Vec<_>) =
        rings.filter(|ring| ring.signed_area() != 0.0).partition(|ring| ring.signed_area() > 0.0);
    for hole in holes {
        let (ring, _) = hole.into_inner();
        let around = |shell: &&mut Polygon<f64>| ring.coords().all(|c| shell.intersects(c));
        if let Some(shell) = shells.iter_mut().find(around) {
            shell.interiors_push(ring);
        }
    }
    shells
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::area::coordinate::Point;
    use crate::area::locate::{covers, from_rings};

    fn shape(polygons: &[&[&[[f64; 2]]]]) -> MultiPolygon<f64> {
        let closed = |ring: &&[[f64; 2]]| [ring, &ring[..1]].concat();
        let rings = polygons.iter().map(|p| p.iter().map(closed).collect()).collect();
        from_rings(&rings).unwrap()
    }

    /// A comb with a bent back, a hole beside a tooth, an exclave with a hole; rings in the wrong
    /// direction.
    fn awkward() -> MultiPolygon<f64> {
        shape(&[
            &[
                &[
                    [0.0, 0.0],
                    [9.0, 1.0],
                    [9.0, 7.0],
                    [8.0, 7.0],
                    [8.0, 3.0],
                    [6.0, 3.0],
                    [6.0, 8.0],
                    [5.0, 8.0],
                    [5.0, 3.0],
                    [3.0, 2.5],
                    [3.0, 9.0],
                    [1.0, 6.0],
                ],
                &[[1.5, 2.0], [2.5, 2.0], [2.5, 6.0], [1.5, 5.0]],
                &[[6.0, 1.5], [7.0, 1.5], [6.5, 2.5]],
            ],
            &[
                &[[11.0, 2.0], [11.0, 5.0], [15.0, 5.5], [14.0, 2.0]],
                &[[12.0, 3.0], [13.0, 3.0], [13.0, 4.0], [12.0, 4.0]],
            ],
        ])
    }

    fn area_error(whole: &MultiPolygon<f64>, parts: &[MultiPolygon<f64>]) -> f64 {
        let sum: f64 = parts.iter().map(Area::unsigned_area).sum();
        (sum / whole.unsigned_area() - 1.0).abs()
    }

    /// Every sampled point of the shape is in exactly one part, every other point in none.
    fn assert_partition(whole: &MultiPolygon<f64>, parts: &[MultiPolygon<f64>]) {
        let extent = whole.bounding_rect().unwrap();
        for step in 0..5000 {
            let step = f64::from(step);
            let point = Point {
                lng: extent.min().x + (step * 0.754_877_666).fract() * extent.width(),
                lat: extent.min().y + (step * 0.569_840_291).fract() * extent.height(),
            };
            let hits = parts.iter().filter(|part| covers(part, point)).count();
            assert_eq!(hits, usize::from(covers(whole, point)), "{point:?}");
        }
    }

    #[test]
    fn parts_cover_the_shape_once() {
        let whole = awkward();
        for n in [1, 2, 3, 7, 20, 100] {
            let parts = split(&whole, &vec![1.0; n]);
            assert_eq!(parts.len(), n);
            assert!(area_error(&whole, &parts) < 1e-9);
            assert_partition(&whole, &parts);
        }
    }

    #[test]
    fn areas_follow_the_weights() {
        let whole = awkward();
        let weights = [5.0, 1.0, 0.5, 3.0, 3.0, 8.0, 0.1];
        let sum: f64 = weights.iter().sum();
        for (part, weight) in split(&whole, &weights).iter().zip(weights) {
            let share = part.unsigned_area() / whole.unsigned_area();
            assert!((share - weight / sum).abs() < 1e-9, "{weight}: {share}");
        }
    }

    #[test]
    fn the_same_answer_every_time() {
        assert_eq!(split(&awkward(), &[1.0; 30]), split(&awkward(), &[1.0; 30]));
    }

    #[test]
    fn cuts_along_corners_and_edges() {
        // A castle wall whose middle cuts run along its own edges and through its corners.
        let wall = shape(&[&[
            &[
                [0.0, 0.0],
                [4.0, 0.0],
                [4.0, 2.0],
                [3.0, 2.0],
                [3.0, 1.0],
                [2.0, 1.0],
                [2.0, 2.0],
                [1.0, 2.0],
                [1.0, 1.0],
                [0.0, 1.0],
            ],
            &[[1.5, 0.25], [2.0, 0.25], [2.0, 0.75], [1.5, 0.75]],
        ]]);
        for x in [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0] {
            let oriented = wall.orient(Direction::Default);
            let parts = [clip_west(&oriented, x), half_turn(&clip_west(&half_turn(&oriented), -x))];
            assert!(area_error(&wall, &parts) < 1e-12, "{x}");
            assert_partition(&wall, &parts);
        }
        let parts = split(&wall, &[1.0; 16]);
        assert!(area_error(&wall, &parts) < 1e-9);
        assert_partition(&wall, &parts);
    }

    #[test]
    fn siblings_share_their_edge_exactly() {
        let parts = split(&shape(&[&[&[[115.0, 30.0], [115.3, 30.0], [115.2, 30.1]]]]), &[1.0; 9]);
        for corner in parts.iter().flat_map(geo::CoordsIter::coords_iter) {
            let inside = |c: Coord<f64>| (c.x - 115.15).abs() < 0.04 && (c.y - 30.03).abs() < 0.02;
            let point = Point { lng: corner.x, lat: corner.y };
            let owners = parts.iter().filter(|part| covers(part, point)).count();
            assert!(!inside(corner) || owners >= 2, "{corner:?}");
        }
    }

    #[test]
    fn strange_weights_have_an_answer() {
        let whole = awkward();
        assert!(split(&whole, &[]).is_empty());
        let parts = split(&whole, &[0.0, 1.0, f64::NAN, -3.0, 1.0, f64::INFINITY]);
        let empty: Vec<bool> = parts.iter().map(|part| part.0.is_empty()).collect();
        assert_eq!(empty, [true, false, true, true, false, true]);
        assert!(area_error(&whole, &parts) < 1e-9);
        assert!(area_error(&whole, &split(&whole, &[0.0; 4])) < 1e-9);
        assert_eq!(split(&MultiPolygon(vec![]), &[1.0, 2.0]), vec![MultiPolygon(vec![]); 2]);
    }
}
