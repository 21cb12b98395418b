//! Simplifies a line: fewer points, and nowhere farther from the track than a tolerance.
//!
//! One pass: from the last point that was kept, the range of directions in which a straight line
//! stays near enough to every point since then narrows with each point; when a point lies outside,
//! or the track turns back, the point before is kept. Linear in the number of points, whatever they
//! are.

use std::f64::consts::PI;

use crate::area::coordinate::Point;

/// Metres in a degree of latitude.
const DEGREE_M: f64 = 111_195.0;

/// Removes points; the first and the last stay. Without a tolerance, all stay.
pub fn simplify_line(line: &[Point], tolerance_m: f64) -> Vec<Point> {
    let (Some(first), Some(last)) = (line.first(), line.last()) else { return Vec::new() };
    if line.len() < 3 || tolerance_m.is_nan() || tolerance_m <= 0.0 {
        return line.to_vec();
    }
    let mut kept = vec![*first];
    let mut sleeve = Sleeve::from_anchor(*first);
    let mut before = *first;
    for point in line.iter().skip(1).copied() {
        if !sleeve.narrow_to(point, tolerance_m) {
            kept.push(before);
            sleeve = Sleeve::from_anchor(before);
            // The first point after a kept one always fits.
            sleeve.narrow_to(point, tolerance_m);
        }
        before = point;
    }
    kept.push(*last);
    kept
}

/// The directions a straight line from a point may take.
struct Sleeve {
    anchor: Point,
    /// The middle direction, and how far the range reaches to either side, in radians.
    open: Option<(f64, f64, f64)>,
    farthest_m: f64,
}

impl Sleeve {
    const fn from_anchor(anchor: Point) -> Self {
        Self { anchor, open: None, farthest_m: 0.0 }
    }

    /// Narrows the sleeve by a point; false when a straight line to it misses an earlier one.
    fn narrow_to(&mut self, point: Point, tolerance_m: f64) -> bool {
        let east = normalise_degrees(point.lng - self.anchor.lng)
            * DEGREE_M
            * self.anchor.lat.to_radians().cos();
        let north = (point.lat - self.anchor.lat) * DEGREE_M;
        let metres = east.hypot(north);
        if metres + tolerance_m < self.farthest_m {
            return false;
        }
        if metres <= tolerance_m {
            return true;
        }
        self.farthest_m = self.farthest_m.max(metres);
        let (towards, wide) = (north.atan2(east), (tolerance_m / metres).min(1.0).asin());
        let Some((middle, low, high)) = self.open else {
            self.open = Some((towards, -wide, wide));
            return true;
        };
        let off = normalise_angle(towards - middle);
        if off < low || off > high {
            return false;
        }
        self.open = Some((middle, low.max(off - wide), high.min(off + wide)));
        true
    }
}

/// An angle between −π and π.
fn normalise_angle(angle: f64) -> f64 {
    angle - (angle / (2.0 * PI)).round() * 2.0 * PI
}

/// Degrees between −180 and 180.
fn normalise_degrees(degrees: f64) -> f64 {
    degrees - (degrees / 360.0).round() * 360.0
}
