//! Tracks (轨迹): what a phone measured on a patrol, stored as it was sent, marked and measured when
//! it is read.
//!
//! A [`Fix`] is stored in fixed point: ten millionths of a degree are a centimetre, tenths of a
//! metre of accuracy and hundredths of a metre a second are far below what any phone can measure.
//! The coordinate is the one that was sent, in the system it was sent in; WGS-84 is computed from
//! it. Nothing is dropped: [`mark`] marks what is odd about each point, by the policy of the day it
//! is read, so that a point that arrives late can change the marks of its neighbours.

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
    /// The source of a position.
    Source {
        /// Satellite positioning of the phone.
        Gps = "gps", "卫星";
        /// Cell towers and wireless networks.
        Network = "network", "网络";
        /// A combination made by the phone.
        Fused = "fused", "融合";
        /// The phone does not say.
        Unknown = "unknown", "未知";
    }
}

/// One point as a phone sent it, in fixed point.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fix {
    /// Its number, counted by the phone.
    pub seq: u32,
    /// The time by the phone's clock, in milliseconds since 1970.
    pub at_ms: i64,
    /// Longitude in ten millionths of a degree, in the system of `coord_type`.
    pub lng: i32,
    /// Latitude in ten millionths of a degree, likewise.
    pub lat: i32,
    /// The coordinate system of both.
    pub coord_type: CoordType,
    /// The accuracy that the phone claims, in tenths of a metre.
    pub accuracy: Option<u32>,
    /// The speed that the phone claims, in hundredths of a metre a second.
    pub speed: Option<u32>,
    /// The source of the position.
    pub source: Source,
    /// Whether the phone says that the position is simulated.
    pub mocked: bool,
}

/// One point as a phone sends it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Sent {
    /// Its number, counted by the phone.
    pub seq: u32,
    /// The time by the phone's clock.
    pub at: Instant,
    /// The position, in the coordinate system the phone names.
    pub raw: RawPoint,
    /// The accuracy, in metres.
    pub accuracy_m: Option<f64>,
    /// The speed, in metres a second.
    pub speed_mps: Option<f64>,
    /// The source of the position.
    pub source: Source,
    /// Whether the position is simulated.
    pub mocked: bool,
}

/// Why a point is refused.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum NotAFix {
    /// The coordinate is impossible.
    Coordinate(CoordinateError),
    /// An accuracy or a speed that is negative or no number.
    Measure(&'static str),
    /// A time outside of the range that a clock shows.
    Time,
}

/// The units in a degree.
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

/// A position in fixed point: longitude and latitude in ten millionths of a degree.
pub fn fixed_point(point: Point) -> (i32, i32) {
    (encode_degrees(point.lng), encode_degrees(point.lat))
}

impl Fix {
    /// The largest accuracy and speed that are stored; larger values mean no more.
    pub const WORST: u32 = 1_000_000;

    /// The latest time that is stored: the beginning of the year 2200.
    pub(crate) const LATEST_MS: i64 = 7_258_118_400_000;

    /// Checks a point and converts it to fixed point.
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

    /// The point with its time corrected by a skew.
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

    /// The position in WGS-84; none of stored bytes that are no valid point.
    pub fn point(&self) -> Option<Point> {
        self.raw().normalise().ok()
    }

    /// The time by the phone's clock.
    pub fn at(&self) -> Instant {
        DateTime::from_timestamp_millis(self.at_ms).unwrap_or_default()
    }

    /// The accuracy, in metres.
    pub fn accuracy_m(&self) -> Option<f64> {
        self.accuracy.map(|tenths| f64::from(tenths) / 10.0)
    }

    /// The speed, in metres a second.
    pub fn speed_mps(&self) -> Option<f64> {
        self.speed.map(|hundredths| f64::from(hundredths) / 100.0)
    }
}

#[cfg(test)]
pub(crate) mod tests;
