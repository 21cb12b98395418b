//! Marks of odd points. A mark is never a reason to drop a point.
//!
//! Marks are made when a track is read, over the whole of it in order of time, so that points which
//! arrive late, out of order or in another batch are judged as if they had arrived in time.

use serde::{Deserialize, Serialize};

use super::Fix;
use crate::{
    Instant,
    area::{
        boundary::{bounding_box, box_distance_m, distance_m as to_boundary_m},
        coordinate::{Point, distance_m},
        locate::MultiPolygon,
    },
    core::labelled_enum::labelled_enum,
    rules::track_policy::Tracking,
};

labelled_enum! {
    /// Why a point is not counted.
    Mark {
        /// The phone says that the position is simulated.
        Mocked = "mocked", "模拟位置";
        /// It is less accurate than the policy requires.
        PoorAccuracy = "poor_accuracy", "精度不足";
        /// Another point has the same time.
        DuplicateTime = "duplicate_time", "时间重复";
        /// It implies a speed that no person reaches.
        ImpossibleSpeed = "impossible_speed", "速度异常";
        /// It is far from the area of the patrol.
        FarOutside = "far_outside", "远离辖区";
        /// It was measured while the patrol was not under way.
        OffPatrol = "off_patrol", "不在巡查时段";
    }
}

/// The inputs of marking besides the policy.
#[derive(Clone, Debug, Default)]
pub struct Frame<'a> {
    /// The boundary of the area of the patrol.
    pub boundary: Option<&'a MultiPolygon>,
    /// The periods in which the patrol was under way, in order.
    pub under_way: Vec<(Instant, Instant)>,
}

impl Frame<'_> {
    fn is_under_way(&self, at: Instant) -> bool {
        self.under_way.iter().any(|(from, until)| (*from..=*until).contains(&at))
    }
}

/// A point as it is read, with its mark.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Seen {
    /// The point as it was sent.
    pub fix: Fix,
    /// Its position in WGS-84.
    pub point: Point,
    /// What is odd about it.
    pub mark: Option<Mark>,
}

/// The best accuracy that is believed, in metres, whatever a phone claims.
const NOISE_M: f64 = 10.0;

/// All points in order of time, each with its mark.
pub fn mark_track(mut fixes: Vec<Fix>, frame: &Frame<'_>, policy: &Tracking) -> Vec<Seen> {
    fixes.sort_unstable_by_key(|fix| (fix.at_ms, fix.seq));
    let far = Far::new(frame.boundary, policy);
    let mut last = None;
    let mut track: Vec<Seen> = fixes
        .into_iter()
        .filter_map(|fix| {
            let point = fix.point()?;
            let mut mark = find_own_mark(&fix, frame, policy);
            // Of two points with the same time the first good one counts.
            if mark.is_none() && last == Some(fix.at_ms) {
                mark = Some(Mark::DuplicateTime);
            }
            if mark.is_none() && far.is_far(point) {
                mark = Some(Mark::FarOutside);
            }
            if mark.is_none() {
                last = Some(fix.at_ms);
            }
            Some(Seen { fix, point, mark })
        })
        .collect();
    mark_jumps(&mut track, policy);
    track
}

/// The mark of a point that depends on no other point.
fn find_own_mark(fix: &Fix, frame: &Frame<'_>, policy: &Tracking) -> Option<Mark> {
    if fix.mocked {
        Some(Mark::Mocked)
    } else if !frame.is_under_way(fix.at()) {
        Some(Mark::OffPatrol)
    } else if fix.accuracy_m().is_some_and(|metres| metres > f64::from(policy.accuracy_m)) {
        Some(Mark::PoorAccuracy)
    } else {
        None
    }
}

/// The test for points far from the area of a patrol.
struct Far<'a> {
    area: Option<(&'a MultiPolygon, [f64; 4])>,
    most_m: f64,
}

impl<'a> Far<'a> {
    fn new(boundary: Option<&'a MultiPolygon>, policy: &Tracking) -> Self {
        let area = boundary.and_then(|area| Some((area, bounding_box(area)?)));
        Self { area, most_m: f64::from(policy.far_m) }
    }

    fn is_far(&self, point: Point) -> bool {
        let Some((boundary, extent)) = self.area else { return false };
        let near_box = box_distance_m(extent, point);
        // The box is no farther away than the area; most points lie in it.
        near_box > self.most_m || (near_box > 0.0 && to_boundary_m(boundary, point) > self.most_m)
    }
}

/// Marks points between which no person can have moved: of two parts of a track that do not fit
/// together, the one with fewer points is odd.
fn mark_jumps(track: &mut [Seen], policy: &Tracking) {
    let fastest = f64::from(policy.speed_kmh) / 3.6;
    let good: Vec<usize> =
        track.iter().enumerate().filter(|(_, one)| one.mark.is_none()).map(|(at, _)| at).collect();
    let fits = |from: usize, to: usize| match (track.get(from), track.get(to)) {
        (Some(from), Some(to)) => is_reachable(from, to, fastest),
        _ => true,
    };
    // First parts of points that fit together, then which of them stay.
    let mut stretches: Vec<Vec<usize>> = Vec::new();
    for at in good {
        match stretches.last_mut() {
            Some(stretch) if stretch.last().is_some_and(|last| fits(*last, at)) => stretch.push(at),
            _ => stretches.push(vec![at]),
        }
    }
    let (mut stay, mut odd): (Vec<Vec<usize>>, Vec<usize>) = (Vec::new(), Vec::new());
    for mut stretch in stretches {
        loop {
            let Some(mut before) = stay.pop() else {
                stay.push(stretch);
                break;
            };
            let joined = before.last().zip(stretch.first()).is_none_or(|(a, b)| fits(*a, *b));
            if joined {
                // Points are appended only in order of time.
                before.append(&mut stretch);
                stay.push(before);
                break;
            }
            if stretch.len() <= before.len() {
                odd.append(&mut stretch);
                stay.push(before);
                break;
            }
            odd.append(&mut before);
        }
    }
    for at in odd {
        if let Some(one) = track.get_mut(at) {
            one.mark = Some(Mark::ImpossibleSpeed);
        }
    }
}

/// Whether a person can have moved from one point to the other, within the accuracy of the phone.
fn is_reachable(from: &Seen, to: &Seen, fastest: f64) -> bool {
    let noise = |one: &Seen| one.fix.accuracy_m().map_or(NOISE_M, |metres| metres.max(NOISE_M));
    let metres = distance_m(from.point, to.point) - noise(from) - noise(to);
    #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "milliseconds of days")]
    let seconds = (to.fix.at_ms - from.fix.at_ms) as f64 / 1000.0;
    metres <= fastest * seconds
}
