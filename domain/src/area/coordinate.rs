//! Points on the map.
//!
//! Phones and Chinese map services use three coordinate systems: WGS-84 (satellites), GCJ-02 (every
//! public map in China, WeChat included) and BD-09 (Baidu). They differ by up to a kilometre,
//! enough to put a report into the wrong grid. Every incoming position is converted to WGS-84
//! once, here; the rest of the program only knows [`Point`].

use std::f64::consts::PI;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::core::disclosure::{Disclosed, Shape, disclosed};

/// A place in WGS-84 degrees, finite and in range when it came out of [`RawPoint::normalise`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Longitude, −180 to 180, east positive.
    pub lng: f64,
    /// Latitude, −90 to 90, north positive.
    pub lat: f64,
}

/// The coordinate system of a pair of degrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CoordType {
    /// What satellite receivers measure and what the program stores.
    Wgs84,
    /// The national offset system: WeChat, AMap, Tencent maps.
    Gcj02,
    /// Baidu's second offset on top of GCJ-02.
    Bd09,
}

/// A place as a client sent it. Kept beside the normalised point, because it is evidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RawPoint {
    /// Longitude in the system of `coord_type`.
    pub lng: f64,
    /// Latitude in the system of `coord_type`.
    pub lat: f64,
    /// The coordinate system of both numbers.
    pub coord_type: CoordType,
}

disclosed! {
    struct Point { Open: lng, lat }
    struct RawPoint { Open: lng, lat, coord_type }
}

impl Disclosed for CoordType {
    const SHAPE: Shape = Shape::Plain;
}

/// The two numbers of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Axis {
    /// Longitude, from -180 to 180 degrees.
    Longitude,
    /// Latitude, from -90 to 90 degrees.
    Latitude,
}

impl Axis {
    /// The name of the field that carries it.
    pub fn field(self) -> &'static str {
        match self {
            Self::Longitude => "lng",
            Self::Latitude => "lat",
        }
    }

    /// The largest magnitude it may have, in degrees.
    pub fn limit(self) -> f64 {
        match self {
            Self::Longitude => 180.0,
            Self::Latitude => 90.0,
        }
    }
}

/// Why a pair of numbers is not a place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum CoordinateError {
    /// NaN or an infinity. JSON cannot carry these, query strings can.
    NotFinite(Axis),
    /// Outside the globe; the usual cause is longitude and latitude swapped.
    OutOfRange(Axis, f64),
}

impl CoordinateError {
    /// The number that is wrong.
    pub fn axis(self) -> Axis {
        match self {
            Self::NotFinite(axis) | Self::OutOfRange(axis, _) => axis,
        }
    }
}

impl fmt::Display for CoordinateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (axis, limit) = (self.axis(), self.axis().limit());
        match self {
            Self::NotFinite(_) => write!(f, "{} is not a finite number", axis.field())?,
            Self::OutOfRange(_, value) => write!(f, "{} is {value}", axis.field())?,
        }
        write!(f, "; expected degrees from -{limit} to {limit}")?;
        match self {
            Self::OutOfRange(Axis::Latitude, value) if value.abs() <= 180.0 => {
                f.write_str(" (are lng and lat swapped?)")
            }
            Self::OutOfRange(..) | Self::NotFinite(_) => Ok(()),
        }
    }
}

impl std::error::Error for CoordinateError {}

impl RawPoint {
    /// The same place in WGS-84, or what is wrong with the numbers.
    pub fn normalise(self) -> Result<Point, CoordinateError> {
        check_axis(Axis::Longitude, self.lng)?;
        check_axis(Axis::Latitude, self.lat)?;
        let given = Point { lng: self.lng, lat: self.lat };
        Ok(match self.coord_type {
            CoordType::Wgs84 => given,
            CoordType::Gcj02 => gcj02_to_wgs84(given),
            CoordType::Bd09 => gcj02_to_wgs84(bd09_to_gcj02(given)),
        })
    }
}

impl Point {
    /// The same place in another system, for a client whose map needs it.
    #[must_use]
    pub fn convert_to(self, coord_type: CoordType) -> RawPoint {
        let point = match coord_type {
            CoordType::Wgs84 => self,
            CoordType::Gcj02 => wgs84_to_gcj02(self),
            CoordType::Bd09 => gcj02_to_bd09(wgs84_to_gcj02(self)),
        };
        RawPoint { lng: point.lng, lat: point.lat, coord_type }
    }
}

fn check_axis(axis: Axis, value: f64) -> Result<(), CoordinateError> {
    if !value.is_finite() {
        return Err(CoordinateError::NotFinite(axis));
    }
    if value.abs() > axis.limit() {
        return Err(CoordinateError::OutOfRange(axis, value));
    }
    Ok(())
}

/// Great-circle distance in metres on a sphere; within 0.6 % of the ellipsoid, far below GPS noise
/// over the distances that matter here (the same pothole, still near the grid).
pub fn distance_m(a: Point, b: Point) -> f64 {
    const MEAN_RADIUS_M: f64 = 6_371_008.8;
    let half_lat = ((b.lat - a.lat).to_radians() / 2.0).sin();
    let half_lng = ((b.lng - a.lng).to_radians() / 2.0).sin();
    let chord =
        half_lat.powi(2) + a.lat.to_radians().cos() * b.lat.to_radians().cos() * half_lng.powi(2);
    2.0 * MEAN_RADIUS_M * chord.sqrt().min(1.0).asin()
}

/// The rectangle in which the offsets are applied; coarse, but map services agree on it.
fn is_in_china(p: Point) -> bool {
    (72.004..=137.8347).contains(&p.lng) && (0.8293..=55.8271).contains(&p.lat)
}

/// Half of what map services add to the published formula, in metres east and north.
///
/// The offset is a secret. The published formula lacks the terms of the original for height, time
/// and randomness; the answers of services lie 0.475 m east and 0.47 m north of it, at every place
/// and whatever the offset there is (all 56 rows of gcoord in the test below: 0.44 to 0.53 m east,
/// 0.44 to 0.50 m north). A phone does not say which of the two it used, so the middle is taken:
/// never farther than 0.4 m from either.
const SERVICES_ADD: (f64, f64) = (0.475 / 2.0, 0.47 / 2.0);

fn wgs84_to_gcj02(p: Point) -> Point {
    /// Krasovsky 1940: half axis and squared eccentricity.
    const AXIS: f64 = 6_378_245.0;
    const ECCENTRICITY_SQUARED: f64 = 0.006_693_421_622_965_943;
    if !is_in_china(p) {
        return p;
    }
    let (more_east, more_north) = SERVICES_ADD;
    let (x, y) = (p.lng - 105.0, p.lat - 35.0);
    let sin_lat = p.lat.to_radians().sin();
    let magic = 1.0 - ECCENTRICITY_SQUARED * sin_lat * sin_lat;
    let metres_north = AXIS * (1.0 - ECCENTRICITY_SQUARED) / (magic * magic.sqrt());
    let metres_east = AXIS / magic.sqrt() * p.lat.to_radians().cos();
    Point {
        lng: p.lng + ((shift_east(x, y) + more_east) / metres_east).to_degrees(),
        lat: p.lat + ((shift_north(x, y) + more_north) / metres_north).to_degrees(),
    }
}

/// The waves that both shifts share.
fn ripple(x: f64) -> f64 {
    (20.0 * (6.0 * x * PI).sin() + 20.0 * (2.0 * x * PI).sin()) * 2.0 / 3.0
}

fn shift_north(x: f64, y: f64) -> f64 {
    -100.0
        + 2.0 * x
        + 3.0 * y
        + 0.2 * y * y
        + 0.1 * x * y
        + 0.2 * x.abs().sqrt()
        + ripple(x)
        + (20.0 * (y * PI).sin() + 40.0 * (y / 3.0 * PI).sin()) * 2.0 / 3.0
        + (160.0 * (y / 12.0 * PI).sin() + 320.0 * (y * PI / 30.0).sin()) * 2.0 / 3.0
}

fn shift_east(x: f64, y: f64) -> f64 {
    300.0
        + x
        + 2.0 * y
        + 0.1 * x * x
        + 0.1 * x * y
        + 0.1 * x.abs().sqrt()
        + ripple(x)
        + (20.0 * (x * PI).sin() + 40.0 * (x / 3.0 * PI).sin()) * 2.0 / 3.0
        + (150.0 * (x / 12.0 * PI).sin() + 300.0 * (x / 30.0 * PI).sin()) * 2.0 / 3.0
}

/// There is no closed inverse: the error that is left is subtracted step by step; it shrinks about
/// a hundredfold a step.
fn gcj02_to_wgs84(p: Point) -> Point {
    /// About 0.1 mm.
    const CLOSE_ENOUGH: f64 = 1e-9;
    if !is_in_china(p) {
        return p;
    }
    let mut guess = p;
    for _ in 0..10 {
        let seen = wgs84_to_gcj02(guess);
        let (east, north) = (seen.lng - p.lng, seen.lat - p.lat);
        guess = Point { lng: guess.lng - east, lat: guess.lat - north };
        if east.abs().max(north.abs()) < CLOSE_ENOUGH {
            break;
        }
    }
    guess
}

const BAIDU_WAVE: f64 = PI * 3000.0 / 180.0;
const BAIDU_EAST: f64 = 0.0065;
const BAIDU_NORTH: f64 = 0.006;

fn gcj02_to_bd09(p: Point) -> Point {
    if !is_in_china(p) {
        return p;
    }
    let radius = p.lng.hypot(p.lat) + 0.000_02 * (p.lat * BAIDU_WAVE).sin();
    let angle = p.lat.atan2(p.lng) + 0.000_003 * (p.lng * BAIDU_WAVE).cos();
    Point { lng: radius * angle.cos() + BAIDU_EAST, lat: radius * angle.sin() + BAIDU_NORTH }
}

fn bd09_to_gcj02(p: Point) -> Point {
    if !is_in_china(p) {
        return p;
    }
    let (x, y) = (p.lng - BAIDU_EAST, p.lat - BAIDU_NORTH);
    let radius = x.hypot(y) - 0.000_02 * (y * BAIDU_WAVE).sin();
    let angle = y.atan2(x) - 0.000_003 * (x * BAIDU_WAVE).cos();
    Point { lng: radius * angle.cos(), lat: radius * angle.sin() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the test fixture of hujiulong/gcoord (MIT): WGS-84, GCJ-02, BD-09.
    const VECTORS: [[(f64, f64); 3]; 6] = [
        [(115.033_461_8, 30.202_466_1), (115.038_839, 30.200_035_3), (115.045_372_2, 30.205_840_5)],
        [(114.052_753_4, 22.545_823_6), (114.057_865_9, 22.543_103_1), (114.064_418, 22.548_758_4)],
        [(75.986_808_9, 39.470_184), (75.989_760_2, 39.470_406_4), (75.996_250_2, 39.476_404_8)],
        [(129.464_779, 42.906_818), (129.471_869, 42.909_413_2), (129.478_242_8, 42.915_764)],
        [(91.170_641_4, 29.655_277), (91.172_116_7, 29.652_495_4), (91.178_618_4, 29.658_529_4)],
        [(113.109_734, 36.195_237_3), (113.116_407_3, 36.195_412_3), (113.122_964_5, 36.201_186_3)],
    ];

    /// From the tests of googollee/eviltransform (MIT): Beijing in WGS-84 and GCJ-02.
    const BEIJING: [(f64, f64); 2] =
        [(116.377_817, 39.911_954), (116.384_047_224_556_57, 39.913_345_455_360_69)];

    fn raw((lng, lat): (f64, f64), coord_type: CoordType) -> RawPoint {
        RawPoint { lng, lat, coord_type }
    }

    fn metres(a: RawPoint, b: RawPoint) -> f64 {
        distance_m(Point { lng: a.lng, lat: a.lat }, Point { lng: b.lng, lat: b.lat })
    }

    #[test]
    fn published_vectors_agree() {
        use CoordType::{Bd09, Gcj02, Wgs84};
        for (row, [wgs, gcj, bd]) in VECTORS.into_iter().enumerate() {
            let point = raw(wgs, Wgs84).normalise().unwrap();
            assert!(metres(point.convert_to(Gcj02), raw(gcj, Gcj02)) < 2.0, "row {row}");
            let back = raw(gcj, Gcj02).normalise().unwrap();
            assert!(distance_m(point, back) < 2.0, "row {row}");
            assert!(metres(point.convert_to(Bd09), raw(bd, Bd09)) < 2.0, "row {row}");
            assert!(distance_m(point, raw(bd, Bd09).normalise().unwrap()) < 2.0, "row {row}");
        }
        let [wgs, gcj] = BEIJING;
        let point = raw(wgs, Wgs84).normalise().unwrap();
        assert!(metres(point.convert_to(Gcj02), raw(gcj, Gcj02)) < 0.5);
    }

    /// Every row of the file; `tests/data/README.md` says where they come from. The three rows of
    /// eviltransform were computed by the published formula; those of gcoord come from a map
    /// service, and are 0.67 m from it, all in the same direction ([`SERVICES_ADD`]).
    #[test]
    fn all_vectors_agree_within_half_a_metre() {
        use CoordType::{Bd09, Gcj02, Wgs84};
        let text = include_str!("../../tests/data/coords/wgs84_gcj02_bd09_cities.csv");
        let (mut computed, mut asked) = (0.0_f64, Vec::new());
        for line in text.lines().skip(1) {
            let cells: Vec<&str> = line.split(',').collect();
            let pair = |at: usize| -> Option<(f64, f64)> {
                Some((cells[at].parse().ok()?, cells[at + 1].parse().ok()?))
            };
            let point = raw(pair(1).unwrap(), Wgs84).normalise().unwrap();
            let gcj = raw(pair(3).unwrap(), Gcj02);
            assert!(metres(point.convert_to(Gcj02), gcj) < 0.4, "{line}");
            assert!(distance_m(point, gcj.normalise().unwrap()) < 0.4, "{line}");
            // The rest is the same everywhere: half of what services add, or of what the formula
            // lacks.
            let ours = point.convert_to(Gcj02);
            let east = (gcj.lng - ours.lng) * 111_320.0 * point.lat.to_radians().cos();
            let north = (gcj.lat - ours.lat) * 110_950.0;
            if cells[0].starts_with("eviltransform") {
                let off = (east + SERVICES_ADD.0).hypot(north + SERVICES_ADD.1);
                computed = computed.max(off);
            } else {
                asked.push((east - SERVICES_ADD.0).hypot(north - SERVICES_ADD.1));
            }
            if let Some(bd) = pair(5) {
                let bd = raw(bd, Bd09);
                assert!(metres(point.convert_to(Bd09), bd) < 0.5, "{line}");
                assert!(distance_m(point, bd.normalise().unwrap()) < 0.5, "{line}");
            }
        }
        assert!(computed < 0.01 && asked.iter().all(|off| *off < 0.07), "{computed} {asked:?}");
        assert_eq!((asked.len(), text.lines().count()), (56, 60));
    }

    #[test]
    fn there_and_back_is_the_same_place() {
        for step in 0..2000 {
            let step = f64::from(step);
            let point =
                Point { lng: 74.0 + (step * 0.618).fract() * 60.0, lat: 18.0 + step * 0.0175 };
            for (coord_type, allowed) in
                [(CoordType::Wgs84, 0.0), (CoordType::Gcj02, 0.01), (CoordType::Bd09, 0.5)]
            {
                let back = point.convert_to(coord_type).normalise().unwrap();
                assert!(distance_m(point, back) <= allowed, "{point:?} {coord_type:?}");
            }
        }
    }

    #[test]
    fn outside_china_nothing_moves() {
        let london = (-0.1276, 51.5072);
        for coord_type in [CoordType::Wgs84, CoordType::Gcj02, CoordType::Bd09] {
            let point = raw(london, coord_type).normalise().unwrap();
            assert_eq!((point.lng, point.lat), london);
            assert_eq!(point.convert_to(coord_type), raw(london, coord_type));
        }
    }

    #[test]
    fn nonsense_is_refused_with_the_reason() {
        let said = |at| raw(at, CoordType::Gcj02).normalise().unwrap_err().to_string();
        assert_eq!(
            said((30.2, 115.06)),
            "lat is 115.06; expected degrees from -90 to 90 (are lng and lat swapped?)"
        );
        assert_eq!(said((180.5, 0.0)), "lng is 180.5; expected degrees from -180 to 180");
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(
                said((bad, 0.0)),
                "lng is not a finite number; expected degrees from -180 to 180"
            );
            let refused = raw((0.0, bad), CoordType::Wgs84).normalise();
            assert_eq!(refused, Err(CoordinateError::NotFinite(Axis::Latitude)));
        }
        assert!(raw((-180.0, 90.0), CoordType::Wgs84).normalise().is_ok());
    }

    #[test]
    fn distances_are_metres() {
        let a = Point { lng: 115.0, lat: 30.0 };
        assert!(distance_m(a, a) < 1e-9);
        // One thousandth of a degree north is 111 m; east it is cos(30°) of that.
        assert!((distance_m(a, Point { lng: 115.0, lat: 30.001 }) - 111.2).abs() < 0.1);
        assert!((distance_m(a, Point { lng: 115.001, lat: 30.0 }) - 96.3).abs() < 0.1);
        assert!((distance_m(a, Point { lng: -65.0, lat: -30.0 }) - 20_015_115.0).abs() < 1.0);
    }

    #[test]
    fn the_wire_names_are_the_contract() {
        let json = r#"{"lng":115.0,"lat":30.0,"coord_type":"gcj02"}"#;
        let point: RawPoint = serde_json::from_str(json).unwrap();
        assert_eq!(point, raw((115.0, 30.0), CoordType::Gcj02));
        assert_eq!(serde_json::to_string(&CoordType::Wgs84).unwrap(), r#""wgs84""#);
        assert_eq!(serde_json::to_string(&CoordType::Bd09).unwrap(), r#""bd09""#);
    }
}
