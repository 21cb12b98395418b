//! Measures of a track: distance, duration, stops and gaps. Only points without a mark count, and
//! nothing is interpolated in a gap.

use super::{Mark, Seen, mark::is_walkable};
use crate::{
    Instant,
    area::coordinate::{Point, distance_m},
    rules::track_policy::Tracking,
};

/// A stay of the worker at one place.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Stop {
    /// The first moment of the stay.
    pub from: Instant,
    /// The last moment of the stay.
    pub until: Instant,
    /// The middle of the stay.
    pub point: Point,
}

/// A period without points.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gap {
    /// The time of the last point before it.
    pub from: Instant,
    /// The time of the first point after it.
    pub until: Instant,
}

/// The measures of a track.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Measures {
    /// How many points there are.
    pub points: usize,
    /// The number of points with a mark.
    pub marked: usize,
    /// The number of points for each mark.
    pub marks: Vec<(Mark, usize)>,
    /// The distance in metres, outside of stops and without gaps.
    pub distance_m: f64,
    /// How long the worker was seen to move, in seconds.
    pub moving_s: i64,
    /// How long the worker was seen at all, in seconds.
    pub seen_s: i64,
    /// The stops of the worker.
    pub stops: Vec<Stop>,
    /// The gaps in the track.
    pub gaps: Vec<Gap>,
}

/// The most stops and gaps that are listed one by one.
pub const MOST_TOLD: usize = 500;

/// Stretches of points without a mark, with no gap and no impossible step in between.
pub fn split_stretches(track: &[Seen], policy: &Tracking) -> Vec<Vec<Seen>> {
    let gap_ms = i64::from(policy.gap_s) * 1000;
    let mut stretches: Vec<Vec<Seen>> = Vec::new();
    for one in track.iter().filter(|one| one.mark.is_none()) {
        match stretches.last_mut() {
            Some(stretch)
                if stretch.last().is_some_and(|last| {
                    one.fix.at_ms - last.fix.at_ms <= gap_ms && is_walkable(last, one, policy)
                }) =>
            {
                stretch.push(*one);
            }
            _ => stretches.push(vec![*one]),
        }
    }
    stretches
}

/// Measures a track, which is in order of time, as [`super::mark_track`] returns it.
pub fn measure_track(track: &[Seen], policy: &Tracking) -> Measures {
    let marks = Mark::ALL.iter().filter_map(|mark| {
        let count = track.iter().filter(|one| one.mark == Some(*mark)).count();
        (count > 0).then_some((*mark, count))
    });
    let marks: Vec<(Mark, usize)> = marks.collect();
    let stretches = split_stretches(track, policy);
    let mut measures = Measures {
        points: track.len(),
        marked: marks.iter().map(|(_, count)| count).sum(),
        marks,
        gaps: find_gaps(&stretches),
        ..Measures::default()
    };
    for stretch in &stretches {
        measures.add_stretch(stretch, policy);
    }
    measures
}

fn find_gaps(stretches: &[Vec<Seen>]) -> Vec<Gap> {
    let pairs = stretches.iter().zip(stretches.iter().skip(1));
    let gap = |(before, after): (&Vec<Seen>, &Vec<Seen>)| {
        Some(Gap { from: before.last()?.fix.at(), until: after.first()?.fix.at() })
    };
    pairs.filter_map(gap).take(MOST_TOLD).collect()
}

impl Measures {
    fn add_stretch(&mut self, stretch: &[Seen], policy: &Tracking) {
        let stays = find_stays(stretch, policy);
        let mut stays = stays.into_iter().peekable();
        let mut moving_ms = 0;
        for (at, (before, after)) in stretch.iter().zip(stretch.iter().skip(1)).enumerate() {
            while stays.peek().is_some_and(|stay| stay.last <= at) {
                if let Some(stay) = stays.next() {
                    self.stops.extend((self.stops.len() < MOST_TOLD).then_some(stay.stop));
                }
            }
            let stays = stays.peek().is_some_and(|stay| stay.first <= at);
            if !stays {
                self.distance_m += distance_m(before.point, after.point);
                moving_ms += after.fix.at_ms - before.fix.at_ms;
            }
        }
        for stay in stays {
            self.stops.extend((self.stops.len() < MOST_TOLD).then_some(stay.stop));
        }
        self.moving_s += moving_ms / 1000;
        if let (Some(first), Some(last)) = (stretch.first(), stretch.last()) {
            self.seen_s += (last.fix.at_ms - first.fix.at_ms) / 1000;
        }
    }
}

/// A stop, and the points of the stretch it consists of.
struct Stay {
    first: usize,
    last: usize,
    stop: Stop,
}

/// The stops of a stretch: points around the first of them, for long enough. At most one point a
/// second is tried as the start of a stop, so that a flood of points costs no more.
fn find_stays(stretch: &[Seen], policy: &Tracking) -> Vec<Stay> {
    let (near_m, long_ms) = (f64::from(policy.stop_m), i64::from(policy.stop_s) * 1000);
    let thinned = thin_points(stretch);
    let (mut stays, mut at) = (Vec::new(), 0);
    while let Some((first, anchor)) = thinned.get(at).copied() {
        let near = |one: &&(usize, Seen)| distance_m(anchor.point, one.1.point) <= near_m;
        let around: Vec<&(usize, Seen)> =
            thinned.iter().skip(at).take_while(|one| near(one)).collect();
        let lasts =
            around.last().is_some_and(|(_, last)| last.fix.at_ms - anchor.fix.at_ms >= long_ms);
        if let (true, Some((last, end))) = (lasts, around.last()) {
            let point = mean_point(around.iter().map(|(_, one)| one.point));
            let stop = Stop { from: anchor.fix.at(), until: end.fix.at(), point };
            stays.push(Stay { first, last: *last, stop });
            at += around.len().max(1);
        } else {
            at += 1;
        }
    }
    stays
}

/// At most one point a second, each with its index.
fn thin_points(stretch: &[Seen]) -> Vec<(usize, Seen)> {
    let mut second = None;
    let new = |one: &Seen| {
        let this = one.fix.at_ms.div_euclid(1000);
        let new = second != Some(this);
        second = Some(this);
        new
    };
    let mut new = new;
    stretch.iter().copied().enumerate().filter(|(_, one)| new(one)).collect()
}

/// The mean of positions that are near each other.
fn mean_point(points: impl Iterator<Item = Point> + Clone) -> Point {
    let count = f64::from(u32::try_from(points.clone().count()).unwrap_or(u32::MAX)).max(1.0);
    let sum = points.fold((0.0, 0.0), |(lng, lat), one| (lng + one.lng, lat + one.lat));
    Point { lng: sum.0 / count, lat: sum.1 / count }
}
