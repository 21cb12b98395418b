//! Tracks (轨迹): what a phone measured on a patrol, kept as it was sent, marked and measured when
//! it is read.
//!
//! A [`Fix`] is kept in fixed point: ten millionths of a degree are a centimetre, tenths of a metre
//! of accuracy and hundredths of a metre a second are far below what any phone knows. The
//! coordinate is the one that was sent, in the system it was sent in; WGS-84 is computed from it.
//! Nothing is dropped: [`mark`] says of each point what is odd about it, by the policy of the day
//! it is read, so that a point that arrives late changes what is thought of its neighbours.

pub mod admit;
pub mod codec;
pub mod coverage;
pub mod gpx;
pub mod mark;
pub mod measure;
pub mod simplify;

use chrono::DateTime;
use serde::{Deserialize, Serialize};

use crate::{
    Instant,
    area::coordinate::{CoordType, CoordinateError, Point, RawPoint},
    core::{arrival::Skew, labelled_enum::labelled_enum},
};

pub use self::{
    mark::{Frame, Mark, Seen, mark_track},
    measure::{Gap, Measures, Stop, measure_track},
};

/// The most points of one upload, and of one stored batch.
pub const MOST_AT_ONCE: usize = 2000;

/// The most points of one patrol: sixteen hours at one a second, and half as many again.
pub const MOST: i64 = 86_400;

labelled_enum! {
    /// What a position came from.
    Source {
        /// Satellite positioning of the phone.
        Gps = "gps", "卫星";
        /// Cells and wireless networks.
        Network = "network", "网络";
        /// Whatever the phone fused.
        Fused = "fused", "融合";
        /// The phone does not say.
        Unknown = "unknown", "未知";
    }
}

/// One point as a phone sent it, in fixed point.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fix {
    /// Its place in the phone's own count.
    pub seq: u32,
    /// When, by the phone's clock, in milliseconds since 1970.
    pub at_ms: i64,
    /// Longitude in ten millionths of a degree, in the system of `coord_type`.
    pub lng: i32,
    /// Latitude in ten millionths of a degree, likewise.
    pub lat: i32,
    /// The coordinate system of both.
    pub coord_type: CoordType,
    /// How accurate the phone says it is, in tenths of a metre.
    pub accuracy: Option<u32>,
    /// How fast the phone says it moves, in hundredths of a metre a second.
    pub speed: Option<u32>,
    /// What it came from.
    pub source: Source,
    /// Whether the phone says that it was made up.
    pub mocked: bool,
}

/// What a phone says of one point.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Sent {
    /// Its place in the phone's own count.
    pub seq: u32,
    /// When, by the phone's clock.
    pub at: Instant,
    /// Where, in the system the phone says.
    pub raw: RawPoint,
    /// How accurate, in metres.
    pub accuracy_m: Option<f64>,
    /// How fast, in metres a second.
    pub speed_mps: Option<f64>,
    /// What it came from.
    pub source: Source,
    /// Whether it was made up.
    pub mocked: bool,
}

/// Why something is no point.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum NotAFix {
    /// The coordinate cannot be.
    Coordinate(CoordinateError),
    /// An accuracy or a speed that is negative or no number.
    Measure(&'static str),
    /// A time outside of what a clock shows.
    Time,
}

/// Ten millionths of a degree in a degree.
const FINE: f64 = 1e7;

/// The nearest whole number, bounded.
fn round_bounded(value: f64, most: u32) -> u32 {
    let bounded = value.round().clamp(0.0, f64::from(most));
    #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "it is bounded")]
    #[expect(clippy::cast_sign_loss, reason = "it is not negative")]
    let whole = bounded as u32;
    whole
}

/// Degrees in fixed point; they are in range.
fn encode_degrees(degrees: f64) -> i32 {
    #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "180e7 fits")]
    let fixed = (degrees * FINE).round() as i32;
    fixed
}

/// A place in fixed point: longitude and latitude in ten millionths of a degree.
pub fn fixed_point(point: Point) -> (i32, i32) {
    (encode_degrees(point.lng), encode_degrees(point.lat))
}

impl Fix {
    /// The largest accuracy and speed that are kept; beyond it every value says as little.
    pub const WORST: u32 = 1_000_000;

    /// The latest time that is kept: the year 2200.
    pub(crate) const LATEST_MS: i64 = 7_258_118_400_000;

    /// What a phone sent, checked and in fixed point.
    pub fn new(sent: &Sent) -> Result<Self, NotAFix> {
        sent.raw.normalise().map_err(NotAFix::Coordinate)?;
        let at_ms = sent.at.timestamp_millis();
        if !(0..=Self::LATEST_MS).contains(&at_ms) {
            return Err(NotAFix::Time);
        }
        let measure = |value: Option<f64>, scale: f64, name| match value {
            None => Ok(None),
            Some(value) if value.is_finite() && value >= 0.0 => {
                Ok(Some(round_bounded(value * scale, Self::WORST)))
            }
            Some(_) => Err(NotAFix::Measure(name)),
        };
        Ok(Self {
            seq: sent.seq,
            at_ms,
            lng: encode_degrees(sent.raw.lng),
            lat: encode_degrees(sent.raw.lat),
            coord_type: sent.raw.coord_type,
            accuracy: measure(sent.accuracy_m, 10.0, "accuracy")?,
            speed: measure(sent.speed_mps, 100.0, "speed")?,
            source: sent.source,
            mocked: sent.mocked,
        })
    }

    /// The same by a clock that was right.
    #[must_use]
    pub fn correct_skew(mut self, skew: Skew) -> Self {
        self.at_ms = self.at_ms.saturating_add(skew.ms());
        self
    }

    /// The coordinate as it was sent.
    pub fn raw(&self) -> RawPoint {
        let (lng, lat) = (f64::from(self.lng) / FINE, f64::from(self.lat) / FINE);
        RawPoint { lng, lat, coord_type: self.coord_type }
    }

    /// The same place in WGS-84; none of bytes that never were a point.
    pub fn point(&self) -> Option<Point> {
        self.raw().normalise().ok()
    }

    /// When it was, by the phone's clock.
    pub fn at(&self) -> Instant {
        DateTime::from_timestamp_millis(self.at_ms).unwrap_or_default()
    }

    /// How accurate, in metres.
    pub fn accuracy_m(&self) -> Option<f64> {
        self.accuracy.map(|tenths| f64::from(tenths) / 10.0)
    }

    /// How fast, in metres a second.
    pub fn speed_mps(&self) -> Option<f64> {
        self.speed.map(|hundredths| f64::from(hundredths) / 100.0)
    }
}

#[cfg(test)]
pub(crate) mod tests;
