//! One patrol on a phone: where the worker walked, which points were sent, and the reports and
//! visits on it.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use domain::{
    area::coordinate::{CoordType, RawPoint},
    flows::track::{Fix, Sent, Source},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{Chance, phone::Carrier, track};

/// Points of one upload.
const BATCH: usize = 60;

/// A patrol as the phone knows it.
#[derive(Debug)]
pub struct Walk {
    /// The identity of the patrol.
    pub patrol: Uuid,
    /// When it began, by the phone's clock.
    pub begun: DateTime<Utc>,
    /// How far it has come, by the phone's clock.
    pub at: DateTime<Utc>,
    /// Whether it was ended.
    pub over: bool,
    /// Reports that were made on the way.
    pub reports: BTreeSet<Uuid>,
    /// Visits that were made on the way.
    pub visits: BTreeSet<Uuid>,
    coord_type: CoordType,
    /// The steps to come, in reverse order.
    ahead: Vec<track::Step>,
    /// The origin the steps are counted from.
    zero: (DateTime<Utc>, f64, f64),
    points: Vec<(Fix, Value)>,
    through: BTreeSet<usize>,
    written: BTreeSet<usize>,
}

/// A time as phones write it.
pub(crate) fn format_time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

impl Walk {
    pub(crate) fn new(
        patrol: Uuid,
        carrier: &Carrier,
        begun: DateTime<Utc>,
        chance: &mut Chance,
    ) -> Self {
        let all = chance.pick_one(track::load_tracks()).map(Vec::as_slice).unwrap_or_default();
        let first = chance.index_below(all.len().saturating_sub(420));
        let some = all.get(first..).unwrap_or_default();
        let mut ahead: Vec<track::Step> =
            some.iter().take(60 + chance.index_below(360)).copied().collect();
        let (after, east, north) = ahead.first().copied().unwrap_or_default();
        let zero = (begun + Duration::seconds(1) - after, carrier.lng - east, carrier.lat - north);
        ahead.reverse();
        let coord_type = if chance.percent(20) { CoordType::Gcj02 } else { CoordType::Wgs84 };
        Self {
            patrol,
            begun,
            at: begun,
            over: false,
            reports: BTreeSet::new(),
            visits: BTreeSet::new(),
            coord_type,
            ahead,
            zero,
            points: Vec::new(),
            through: BTreeSet::new(),
            written: BTreeSet::new(),
        }
    }

    /// How many points were walked.
    pub fn count_points(&self) -> u64 {
        u64::try_from(self.points.len()).unwrap_or(u64::MAX)
    }

    /// The points as they must be stored.
    pub fn fixes(&self) -> impl Iterator<Item = Fix> {
        self.points.iter().map(|(fix, _)| *fix)
    }

    /// Whether all steps are walked.
    pub(crate) const fn is_at_its_end(&self) -> bool {
        self.ahead.is_empty()
    }

    /// Walks some of the steps.
    pub(crate) fn walk_on(&mut self, steps: usize, chance: &mut Chance) {
        for _ in 0..steps {
            let Some((after, east, north)) = self.ahead.pop() else { return };
            let (begun, lng, lat) = self.zero;
            // Rests make the rest of the way later.
            self.at = (begun + after).max(self.at);
            self.add_point(lng + east, lat + north, chance);
        }
    }

    /// Stands still for some time; nothing is recorded.
    pub(crate) fn rest_for(&mut self, time: Duration) {
        self.at += time;
        self.zero.0 += time;
    }

    fn add_point(&mut self, lng: f64, lat: f64, chance: &mut Chance) {
        // As many decimals as phones give.
        let cut = |degrees: f64| (degrees * 1e7).round() / 1e7;
        let tenths = |most: u32, chance: &mut Chance| f64::from(chance.number_below(most)) / 10.0;
        let raw = RawPoint { lng: cut(lng), lat: cut(lat), coord_type: self.coord_type };
        let sent = Sent {
            seq: u32::try_from(self.points.len()).unwrap_or(u32::MAX),
            at: self.at,
            raw,
            accuracy_m: chance.percent(90).then(|| tenths(900, chance)),
            speed_mps: chance.percent(50).then(|| tenths(40, chance)),
            source: if chance.percent(90) { Source::Gps } else { Source::Network },
            mocked: chance.percent(1),
        };
        let Ok(fix) = Fix::new(&sent) else { return };
        let body = json!({
            "seq": sent.seq, "time": format_time(sent.at), "lng": raw.lng, "lat": raw.lat,
            "accuracy": sent.accuracy_m, "speed": sent.speed_mps, "source": sent.source,
            "mocked": sent.mocked,
        });
        self.points.push((fix, body));
    }

    /// Points to send next: the first that are not through, or some others of them, often with
    /// some that are.
    pub(crate) fn pack_points(&self, chance: &mut Chance) -> Option<Vec<usize>> {
        let waiting: Vec<usize> =
            (0..self.points.len()).filter(|index| !self.through.contains(index)).collect();
        let first = *waiting.first()?;
        let from = if chance.percent(60) { first } else { *chance.pick_one(&waiting)? };
        let from =
            from.saturating_sub(if chance.percent(30) { chance.index_below(BATCH) } else { 0 });
        let mut batch: Vec<usize> = (from..self.points.len()).take(BATCH).collect();
        if chance.percent(20) {
            chance.shuffle(&mut batch);
        }
        Some(batch)
    }

    /// The body of an upload of some points.
    pub(crate) fn points_body(&self, batch: &[usize]) -> Value {
        let points: Vec<&Value> = batch
            .iter()
            .filter_map(|index| self.points.get(*index))
            .map(|(_, body)| body)
            .collect();
        json!({ "coord_type": self.coord_type, "points": points })
    }

    /// All points, for one upload.
    pub(crate) fn all_points_body(&self) -> Value {
        self.points_body(&(0..self.points.len()).collect::<Vec<_>>())
    }

    pub(crate) fn mark_through(&mut self, batch: &[usize]) {
        self.through.extend(batch);
    }

    pub(crate) fn write_through(&mut self) {
        self.written.clone_from(&self.through);
    }

    pub(crate) fn forget_unwritten(&mut self) {
        self.through.clone_from(&self.written);
    }

    /// Whether the phone believes that every point is through.
    pub(crate) fn is_through(&self) -> bool {
        self.through.len() == self.points.len()
    }
}
