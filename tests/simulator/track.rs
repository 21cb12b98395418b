//! The shipped tracks, as steps from their beginning.

use std::sync::LazyLock;

use chrono::{DateTime, Duration, Utc};
use serde_json::Value;

/// A step: how long after the beginning, and how far east and north, in degrees.
pub(crate) type Step = (Duration, f64, f64);

static SHIPPED: LazyLock<Vec<Vec<Step>>> = LazyLock::new(|| {
    let files = [
        include_str!("../../domain/tests/data/gps/patrol_01.json"),
        include_str!("../../domain/tests/data/gps/patrol_02.json"),
        include_str!("../../domain/tests/data/gps/patrol_05.json"),
    ];
    files.iter().map(|file| parse_steps(file)).collect()
});

/// The tracks that are shipped, each as its steps.
pub(crate) fn load_tracks() -> &'static [Vec<Step>] {
    &SHIPPED
}

fn parse_steps(file: &str) -> Vec<Step> {
    let points: Vec<Value> = serde_json::from_str(file).unwrap_or_default();
    let read = |point: &Value| -> Option<(DateTime<Utc>, f64, f64)> {
        let at = point.get("t")?.as_str()?.parse().ok()?;
        Some((at, point.get("lon")?.as_f64()?, point.get("lat")?.as_f64()?))
    };
    let points: Vec<_> = points.iter().filter_map(read).collect();
    let Some((begun, lng, lat)) = points.first().copied() else { return Vec::new() };
    points.iter().map(|(at, east, north)| (*at - begun, east - lng, north - lat)).collect()
}
