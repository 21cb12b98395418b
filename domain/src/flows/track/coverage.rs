//! How much of a plan was covered: by time and by places, never by distance, which only makes
//! people walk in circles (section G of the field research, track assessment).

use std::collections::HashSet;

use super::{Seen, measure::split_stretches};
use crate::{
    Instant,
    area::{
        boundary::bounding_box,
        coordinate::{Point, distance_m},
        locate::{MultiPolygon, covers},
    },
    rules::track_policy::Tracking,
};

/// A place to be visited.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Target {
    /// The middle of the place.
    pub point: Point,
    /// How far away the worker still counts as there, in metres.
    pub radius_m: u32,
    /// The shortest stay, in seconds; 0: passing by is enough.
    pub dwell_s: u32,
}

/// The visit of a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Visit {
    /// Whether the worker stayed long enough.
    pub visited: bool,
    /// When the place was first reached; none when it was not.
    pub first_at: Option<Instant>,
    /// The whole stay, in seconds.
    pub dwell_s: i64,
}

/// A part of a whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Share {
    /// How many there are in the part.
    pub of: u32,
    /// How many there are in all.
    pub all: u32,
}

impl Share {
    /// Between 0 and 1; none when the whole is 0.
    pub fn to_ratio(self) -> Option<f64> {
        (self.all > 0).then(|| f64::from(self.of) / f64::from(self.all))
    }
}

/// How long the worker was near each place.
pub fn measure_visits(track: &[Seen], targets: &[Target], policy: &Tracking) -> Vec<Visit> {
    let stretches = split_stretches(track, policy);
    targets.iter().map(|target| measure_visit(&stretches, target)).collect()
}

fn measure_visit(stretches: &[Vec<Seen>], target: &Target) -> Visit {
    /// A lower bound for the length of a degree of latitude, in metres.
    const DEGREE_M: f64 = 110_500.0;
    let radius = f64::from(target.radius_m);
    let near = |one: &Seen| {
        (one.point.lat - target.point.lat).abs() * DEGREE_M <= radius
            && distance_m(one.point, target.point) <= radius
    };
    let (mut visit, mut dwell_ms) = (Visit::default(), 0);
    for stretch in stretches {
        let mut since: Option<&Seen> = None;
        for one in stretch {
            if !near(one) {
                since = None;
                continue;
            }
            visit.first_at.get_or_insert(one.fix.at());
            if let Some(since) = since {
                dwell_ms += one.fix.at_ms - since.fix.at_ms;
            }
            since = Some(one);
        }
    }
    visit.dwell_s = dwell_ms / 1000;
    visit.visited = visit.first_at.is_some() && visit.dwell_s >= i64::from(target.dwell_s);
    visit
}

/// How long the worker was seen within a boundary, in seconds.
pub fn measure_inside_s(track: &[Seen], boundary: &MultiPolygon, policy: &Tracking) -> i64 {
    let mut inside_ms = 0;
    for stretch in split_stretches(track, policy) {
        let mut before: Option<(i64, bool)> = None;
        for one in &stretch {
            let inside = covers(boundary, one.point);
            if let Some((at_ms, was)) = before {
                // A step across the boundary counts half.
                let halves = i64::from(was) + i64::from(inside);
                inside_ms += (one.fix.at_ms - at_ms) * halves / 2;
            }
            before = Some((one.fix.at_ms, inside));
        }
    }
    inside_ms / 1000
}

/// The most cells of one area; a larger area gets larger cells.
pub const MOST_CELLS: f64 = 40_000.0;

/// How many cells of an area were walked through.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Cells {
    /// The side of a cell, in metres.
    pub side_m: u32,
    /// The cells walked through, and all cells.
    pub share: Share,
}

/// Counts the cells whose middle lies in an area, and those of them that the track crosses.
pub fn measure_cells(track: &[Seen], boundary: &MultiPolygon, policy: &Tracking) -> Cells {
    let Some([west, south, east, north]) = bounding_box(boundary) else { return Cells::default() };
    let middle = Point { lng: f64::midpoint(west, east), lat: f64::midpoint(south, north) };
    let (wide, high) = measure_extent(middle, [west, south, east, north]);
    // Keeps the number of cells at most MOST_CELLS.
    let least = (wide * high / MOST_CELLS).sqrt().ceil();
    let side = f64::from(policy.cell_m).max(least);
    let raster = Raster::new(Point { lng: west, lat: south }, middle.lat, side);
    let (columns, rows) = raster.find_cell(Point { lng: east, lat: north });
    let mut inside = HashSet::new();
    for column in 0..=columns {
        for row in 0..=rows {
            if covers(boundary, raster.find_middle((column, row))) {
                inside.insert((column, row));
            }
        }
    }
    let mut seen = HashSet::new();
    for stretch in split_stretches(track, policy) {
        for point in interpolate_points(&stretch, side / 2.0) {
            let cell = raster.find_cell(point);
            if inside.contains(&cell) {
                seen.insert(cell);
            }
        }
    }
    let count = |cells: &HashSet<_>| u32::try_from(cells.len()).unwrap_or(u32::MAX);
    #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "metres of a cell")]
    #[expect(clippy::cast_sign_loss, reason = "metres of a cell")]
    let side_m = side as u32;
    Cells { side_m, share: Share { of: count(&seen), all: count(&inside) } }
}

/// The width and height of a box, in metres.
fn measure_extent(middle: Point, [west, south, east, north]: [f64; 4]) -> (f64, f64) {
    let at = |lng, lat| Point { lng, lat };
    (
        distance_m(at(west, middle.lat), at(east, middle.lat)),
        distance_m(at(middle.lng, south), at(middle.lng, north)),
    )
}

/// Square cells counted from a corner.
struct Raster {
    corner: Point,
    /// The width of a cell in degrees.
    lng: f64,
    lat: f64,
}

impl Raster {
    fn new(corner: Point, lat: f64, side_m: f64) -> Self {
        const DEGREE_M: f64 = 111_195.0;
        // Near the poles cells are as wide as they are at this limit.
        let wide = DEGREE_M * lat.to_radians().cos().max(0.01);
        Self { corner, lng: side_m / wide, lat: side_m / DEGREE_M }
    }

    fn find_cell(&self, point: Point) -> (i32, i32) {
        #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "it saturates")]
        let index = |degrees: f64, size: f64| (degrees / size).floor() as i32;
        (index(point.lng - self.corner.lng, self.lng), index(point.lat - self.corner.lat, self.lat))
    }

    fn find_middle(&self, (column, row): (i32, i32)) -> Point {
        Point {
            lng: self.corner.lng + (f64::from(column) + 0.5) * self.lng,
            lat: self.corner.lat + (f64::from(row) + 0.5) * self.lat,
        }
    }
}

/// The points of a stretch, with points in between so that no two are farther apart than `step_m`.
/// Two points more than `MOST_STEPS` steps apart get none in between.
fn interpolate_points(stretch: &[Seen], step_m: f64) -> Vec<Point> {
    /// The most steps between two points; beyond that the way of the worker is unknown.
    const MOST_STEPS: f64 = 20.0;
    let mut points: Vec<Point> = stretch.first().map(|one| one.point).into_iter().collect();
    for (before, after) in stretch.iter().zip(stretch.iter().skip(1)) {
        let steps = (distance_m(before.point, after.point) / step_m).ceil();
        let mut step = 1.0;
        while steps <= MOST_STEPS && step < steps {
            let part = step / steps;
            let between = |from: f64, to: f64| from + (to - from) * part;
            points.push(Point {
                lng: between(before.point.lng, after.point.lng),
                lat: between(before.point.lat, after.point.lat),
            });
            step += 1.0;
        }
        points.push(after.point);
    }
    points
}

/// The distance between two places of a route, in metres.
const ROUTE_STEP_M: f64 = 25.0;

/// The most places of a route that are checked.
const MOST_PLACES: usize = 10_000;

/// How many places along a route were seen from near by.
pub fn measure_route(track: &[Seen], line: &[Point], policy: &Tracking) -> Share {
    let near_m = f64::from(policy.corridor_m);
    let places = sample_route(line);
    let Some(first) = places.first() else { return Share::default() };
    let raster = Raster::new(*first, first.lat, near_m);
    let mut walked_near: std::collections::HashMap<(i32, i32), Vec<Point>> =
        std::collections::HashMap::new();
    for stretch in split_stretches(track, policy) {
        for point in interpolate_points(&stretch, near_m / 2.0) {
            let there = walked_near.entry(raster.find_cell(point)).or_default();
            // A few of many points at one place are enough.
            if there.len() < 32 {
                there.push(point);
            }
        }
    }
    let seen = |place: &&Point| {
        let (column, row) = raster.find_cell(**place);
        let around = (-1..=1).flat_map(|x| (-1..=1).map(move |y| (x, y)));
        around
            .filter_map(|(x, y)| {
                walked_near.get(&(column.saturating_add(x), row.saturating_add(y)))
            })
            .flatten()
            .any(|point| distance_m(*point, **place) <= near_m)
    };
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Share { of: count(places.iter().filter(seen).count()), all: count(places.len()) }
}

fn sample_route(line: &[Point]) -> Vec<Point> {
    let mut places: Vec<Point> = line.first().copied().into_iter().collect();
    for (from, to) in line.iter().zip(line.iter().skip(1)) {
        let steps = (distance_m(*from, *to) / ROUTE_STEP_M).ceil().max(1.0);
        let mut step = 1.0;
        while step <= steps && places.len() < MOST_PLACES {
            let part = step / steps;
            let between = |a: f64, b: f64| a + (b - a) * part;
            places.push(Point { lng: between(from.lng, to.lng), lat: between(from.lat, to.lat) });
            step += 1.0;
        }
    }
    places
}
