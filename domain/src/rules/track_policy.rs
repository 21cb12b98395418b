//! The policy about tracks (巡查轨迹): what phones are told to record, and which points are marked when
//! a track is read.

use serde::{Deserialize, Serialize};

use crate::core::tabular_import::{At, Fault};

/// The policy of a tenant about tracks; part of [`crate::rules::rulebook::HandlingRules`].
///
/// The sampling is sent to phones. The interval is configurable and leaves a budget for the battery
/// (at least a fifth left after twelve hours), the gap follows the interval, and odd points are
/// marked by the server, never deleted (section G of the field research, background GPS).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tracking {
    /// The seconds between two points.
    pub interval_s: u32,
    /// The seconds between two points once the battery is below the floor.
    pub saving_interval_s: u32,
    /// The percentage of battery below which a phone saves power.
    pub battery_floor: u32,
    /// The accuracy in metres beyond which a point is marked.
    pub accuracy_m: u32,
    /// The speed in kilometres an hour that no worker exceeds; a faster point is marked.
    pub speed_kmh: u32,
    /// The distance in metres from the area of the patrol beyond which a point is marked.
    pub far_m: u32,
    /// The seconds without a point that make a gap, in which nothing is known.
    pub gap_s: u32,
    /// The radius in metres within which a worker counts as stopped …
    pub stop_m: u32,
    /// … after so many seconds.
    pub stop_s: u32,
    /// The side in metres of the cells that measure how much of a grid was covered.
    pub cell_m: u32,
    /// The distance in metres from which a place of a route counts as seen.
    pub corridor_m: u32,
    /// The hours after which a reported start or end is a late entry (补录), which needs a reason.
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
            // Twice the interval of a phone that saves power (600 s for 300 s) [GUARD].
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
