//! How tracks are taken and judged (巡查轨迹): what a phone is told to do, and which points are
//! marked when a track is read.

use serde::{Deserialize, Serialize};

use crate::core::tabular_import::{At, Fault};

/// What a tenant says about tracks; part of [`crate::rules::rulebook::HandlingRules`].
///
/// The sampling is sent to phones. The interval is configurable and leaves a budget for the
/// battery (at least a fifth left after twelve hours), the gap follows the interval, and odd
/// points are marked by the server, never deleted (domain.md G, background GPS).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tracking {
    /// A phone takes a point every so many seconds.
    pub interval_s: u32,
    /// Every so many seconds once the battery is below the floor.
    pub saving_interval_s: u32,
    /// Below so many percent of battery a phone saves.
    pub battery_floor: u32,
    /// A point less accurate than so many metres is marked.
    pub accuracy_m: u32,
    /// No worker moves faster than so many kilometres an hour: a point that says so is marked.
    pub speed_kmh: u32,
    /// A point farther than so many metres from the area of the patrol is marked.
    pub far_m: u32,
    /// So many seconds without a point are a gap: what was in between is unknown.
    pub gap_s: u32,
    /// A worker who stays within so many metres …
    pub stop_m: u32,
    /// … for so many seconds stopped there.
    pub stop_s: u32,
    /// The side of the cells, in metres, by which it is told how much of a grid was seen.
    pub cell_m: u32,
    /// A place of a route is seen from so many metres.
    pub corridor_m: u32,
    /// A start or an end told more than so many hours afterwards is a late entry (补录), and says
    /// why.
    pub late_hours: u32,
}

impl Default for Tracking {
    fn default() -> Self {
        Self {
            interval_s: 10,
            saving_interval_s: 300,
            battery_floor: 20,
            accuracy_m: 50,
            speed_kmh: 90,
            far_m: 5000,
            // Twice the interval of a phone that saves (600 s for 300 s) [GUARD].
            gap_s: 600,
            stop_m: 30,
            stop_s: 120,
            cell_m: 50,
            corridor_m: 30,
            late_hours: 24,
        }
    }
}

impl Tracking {
    /// What is wrong with it.
    pub fn check(&self) -> Vec<Fault> {
        let numbers = [
            ("interval_s", self.interval_s, 1, 600),
            ("saving_interval_s", self.saving_interval_s, self.interval_s, 3600),
            ("battery_floor", self.battery_floor, 0, 90),
            ("accuracy_m", self.accuracy_m, 5, 1000),
            ("speed_kmh", self.speed_kmh, 5, 300),
            ("far_m", self.far_m, 100, 100_000),
            ("gap_s", self.gap_s, self.interval_s.saturating_mul(2), 7200),
            ("stop_m", self.stop_m, 5, 500),
            ("stop_s", self.stop_s, 30, 3600),
            ("cell_m", self.cell_m, 20, 500),
            ("corridor_m", self.corridor_m, 5, 500),
            ("late_hours", self.late_hours, 1, 168),
        ];
        let outside =
            numbers.into_iter().filter(|(_, n, least, most)| !(least..=most).contains(&n));
        outside
            .map(|(name, given, least, most)| {
                let fault = Fault::new(At::Whole, (name, "out_of_range"), &given.to_string());
                fault.with_expected(format!(" {least} 到 {most}"), format!("{least} to {most}"))
            })
            .collect()
    }
}
