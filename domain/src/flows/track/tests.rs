//! Tracks made by hand and tracks of real receivers.

use proptest::prelude::*;
use serde_json::Value;

use super::{
    Fix, Frame, Mark, NotAFix, Seen, Sent, Source,
    codec::{decode, encode},
    coverage::{Target, measure_cells, measure_inside_s, measure_route, measure_visits},
    gpx, mark_track,
    measure::split_stretches,
    measure_track,
    simplify::simplify_line,
};
use crate::{
    Instant,
    area::{
        coordinate::{CoordType, Point, RawPoint, distance_m},
        locate::{MultiPolygon, from_rings},
    },
    rules::track_policy::Tracking,
};

/// 08:00 on a spring morning in Huangshi.
pub(crate) const MORNING_MS: i64 = 1_772_496_000_000;

const HOME: Point = Point { lng: 115.0, lat: 30.0 };

/// A metre in degrees there.
const NORTH: f64 = 1.0 / 111_195.0;
const EAST: f64 = NORTH / 0.866_025_403_8;

fn instant_at(seconds: i64) -> Instant {
    chrono::DateTime::from_timestamp_millis(MORNING_MS + seconds * 1000).unwrap()
}

/// A point so many seconds later, so many metres east and north.
pub(crate) fn fix_at(seq: u32, seconds: i64, east: f64, north: f64) -> Fix {
    let raw = RawPoint {
        lng: HOME.lng + east * EAST,
        lat: HOME.lat + north * NORTH,
        coord_type: CoordType::Wgs84,
    };
    let (accuracy_m, speed_mps, source) = (Some(5.0), None, Source::Gps);
    let at = instant_at(seconds);
    Fix::new(&Sent { seq, at, raw, accuracy_m, speed_mps, source, mocked: false }).unwrap()
}

fn all_day_frame<'a>() -> Frame<'a> {
    Frame { boundary: None, under_way: vec![(instant_at(-40_000), instant_at(2_000_000))] }
}

fn mark_all_day(fixes: Vec<Fix>) -> Vec<Seen> {
    mark_track(fixes, &all_day_frame(), &Tracking::default())
}

/// A walk north at 1.4 m/s, a point every five seconds.
fn walk_north(points: u32) -> Vec<Fix> {
    let one = |n: u32| fix_at(n, i64::from(n) * 5, 0.0, f64::from(n) * 7.0);
    (0..points).map(one).collect()
}

/// The points of a shipped track.
fn parse_shipped(text: &str) -> Vec<Fix> {
    let points: Vec<Value> = serde_json::from_str(text).unwrap();
    let fix = |(seq, point): (u32, &Value)| {
        let raw = RawPoint {
            lng: point["lon"].as_f64().unwrap(),
            lat: point["lat"].as_f64().unwrap(),
            coord_type: CoordType::Wgs84,
        };
        let at = point["t"].as_str().unwrap().parse().unwrap();
        let (accuracy_m, speed_mps, source) = (None, None, Source::Gps);
        Fix::new(&Sent { seq, at, raw, accuracy_m, speed_mps, source, mocked: false }).unwrap()
    };
    (0..).zip(&points).map(fix).collect()
}

const SHIPPED: [&str; 3] = [
    include_str!("../../../tests/data/gps/patrol_01.json"),
    include_str!("../../../tests/data/gps/patrol_02.json"),
    include_str!("../../../tests/data/gps/patrol_05.json"),
];

#[test]
fn shipped_tracks_take_less_than_six_bytes_a_point_in_batches_of_sixty() {
    for text in SHIPPED {
        let track = parse_shipped(text);
        let bytes: usize = track.chunks(60).map(|batch| encode(batch).len()).sum();
        #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "small numbers")]
        let each = bytes as f64 / track.len() as f64;
        assert!(each <= 6.0, "{each} bytes a point");
        let back: Vec<Fix> =
            track.chunks(60).flat_map(|batch| decode(&encode(batch)).unwrap()).collect();
        assert_eq!(back, track);
    }
}

/// Any point at all.
fn any_fix() -> impl Strategy<Value = Fix> {
    let measure = || proptest::option::of(0..=Fix::WORST);
    let place = (-1_800_000_000..=1_800_000_000_i32, -900_000_000..=900_000_000_i32);
    let when = (any::<u32>(), 0..=Fix::LATEST_MS);
    (when, place, 0..3_usize, measure(), measure(), 0..4_usize, any::<bool>()).prop_map(
        |((seq, at_ms), (lng, lat), system, accuracy, speed, source, mocked)| Fix {
            seq,
            at_ms,
            lng,
            lat,
            coord_type: [CoordType::Wgs84, CoordType::Gcj02, CoordType::Bd09][system],
            accuracy,
            speed,
            source: Source::ALL[source],
            mocked,
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(fixes in proptest::collection::vec(any_fix(), 0..200)) {
        prop_assert_eq!(decode(&encode(&fixes)), Some(fixes));
    }

    #[test]
    fn bytes_of_somebody_else_are_refused_not_believed(
        bytes in proptest::collection::vec(any::<u8>(), 0..400)
    ) {
        let _ = decode(&bytes);
        let mut ours = vec![1];
        ours.extend(bytes);
        let _ = decode(&ours);
    }

    #[test]
    fn a_changed_byte_gives_points_or_nothing(
        fixes in proptest::collection::vec(any_fix(), 1..50), at in any::<usize>(), to in any::<u8>()
    ) {
        let mut bytes = encode(&fixes);
        let place = at % bytes.len();
        bytes[place] = to;
        if let Some(fixes) = decode(&bytes) {
            prop_assert!(fixes.iter().all(|fix| fix.point().is_some()));
        }
        bytes.truncate(place);
        prop_assert_eq!(decode(&bytes), None);
    }

    #[test]
    fn no_point_is_lost_and_the_order_they_came_in_is_nothing(
        mut fixes in proptest::collection::vec(any_fix(), 0..60), turn in 0..60_usize
    ) {
        fixes.iter_mut().zip(0..).for_each(|(fix, seq)| fix.seq = seq);
        let once = mark_all_day(fixes.clone());
        prop_assert_eq!(once.len(), fixes.len());
        let turn = turn % fixes.len().max(1);
        fixes.rotate_left(turn);
        prop_assert_eq!(once, mark_all_day(fixes));
    }

    #[test]
    fn a_simpler_line_is_nowhere_far_from_the_track(
        steps in proptest::collection::vec((-50.0..50.0_f64, -50.0..50.0_f64), 3..200),
        tolerance in 1.0..30.0_f64
    ) {
        let mut here = HOME;
        let line: Vec<Point> = steps.into_iter().map(|(east, north)| {
            here = Point { lng: here.lng + east * EAST, lat: here.lat + north * NORTH };
            here
        }).collect();
        let simple = simplify_line(&line, tolerance);
        prop_assert_eq!((simple.first(), simple.last()), (line.first(), line.last()));
        for point in &line {
            let near = simple.windows(2).map(|edge| distance_to_line(*point, edge[0], edge[1]));
            prop_assert!(near.fold(f64::INFINITY, f64::min) <= tolerance * 2.0 + 0.1);
        }
    }
}

/// Metres from a point to a straight line between two others.
fn distance_to_line(point: Point, from: Point, to: Point) -> f64 {
    let flat = |p: Point| ((p.lng - from.lng) / EAST, (p.lat - from.lat) / NORTH);
    let ((x, y), (u, v)) = (flat(point), flat(to));
    let length = u * u + v * v;
    let part = if length > 0.0 { ((x * u + y * v) / length).clamp(0.0, 1.0) } else { 0.0 };
    (x - part * u).hypot(y - part * v)
}

#[test]
fn a_point_is_checked_when_it_comes() {
    let raw = |lng, lat| RawPoint { lng, lat, coord_type: CoordType::Gcj02 };
    let sent = |raw, accuracy_m, speed_mps, at| Sent {
        seq: 1,
        at,
        raw,
        accuracy_m,
        speed_mps,
        source: Source::Gps,
        mocked: false,
    };
    let good = Fix::new(&sent(raw(115.123_456_789, 30.0), Some(3.84), Some(1.237), instant_at(0)))
        .unwrap();
    assert_eq!((good.lng, good.accuracy, good.speed), (1_151_234_568, Some(38), Some(124)));
    assert!(matches!(
        Fix::new(&sent(raw(f64::NAN, 30.0), None, None, instant_at(0))),
        Err(NotAFix::Coordinate(_))
    ));
    for (accuracy, speed, name) in [
        (Some(-1.0), None, "accuracy"),
        (Some(f64::NAN), None, "accuracy"),
        (None, Some(f64::INFINITY), "speed"),
    ] {
        let refused = Fix::new(&sent(raw(115.0, 30.0), accuracy, speed, instant_at(0)));
        assert_eq!(refused, Err(NotAFix::Measure(name)));
    }
    let long_ago = Instant::MIN_UTC;
    assert_eq!(Fix::new(&sent(raw(115.0, 30.0), None, None, long_ago)), Err(NotAFix::Time));
    let huge = Fix::new(&sent(raw(115.0, 30.0), Some(1e300), None, instant_at(0))).unwrap();
    assert_eq!(huge.accuracy, Some(Fix::WORST));
}

#[test]
fn odd_points_are_marked_with_the_reason_and_count_for_nothing() {
    let mut fixes = walk_north(20);
    let clean = measure_track(&mark_all_day(fixes.clone()), &Tracking::default());
    fixes.push(Fix { mocked: true, ..fix_at(100, 11, 0.0, 15.0) });
    fixes.push(Fix { accuracy: Some(900), ..fix_at(101, 12, 60.0, 15.0) });
    fixes.push(fix_at(102, 15, 3.0, 20.0));
    fixes.push(fix_at(103, 17, 2000.0, 20.0));
    fixes.push(fix_at(104, 9_000_000, 0.0, 0.0));
    let track = mark_all_day(fixes);
    let of = |seq: u32| track.iter().find(|one| one.fix.seq == seq).unwrap().mark;
    assert_eq!(of(100), Some(Mark::Mocked));
    assert_eq!(of(101), Some(Mark::PoorAccuracy));
    assert_eq!(of(102), Some(Mark::DuplicateTime));
    assert_eq!(of(103), Some(Mark::ImpossibleSpeed));
    assert_eq!(of(104), Some(Mark::OffPatrol));
    assert!((0..20).all(|seq| of(seq).is_none()));
    let after = measure_track(&track, &Tracking::default());
    assert_eq!((after.points, after.marked), (25, 5));
    assert!((after.distance_m - clean.distance_m).abs() < 1e-6);
    assert_eq!(after.moving_s, clean.moving_s);
}

#[test]
fn of_a_first_point_elsewhere_and_a_long_walk_the_first_point_is_odd() {
    let mut fixes = walk_north(30);
    fixes.push(fix_at(90, -1, 50_000.0, 0.0));
    let track = mark_all_day(fixes);
    assert_eq!(track[0].mark, Some(Mark::ImpossibleSpeed));
    assert!(track.iter().skip(1).all(|one| one.mark.is_none()));
}

/// A point a second, north at 1 m/s, `offset` metres further from the point `step` on.
fn walk_with_step(points: u32, step: u32, offset: f64) -> Vec<Fix> {
    let north = |n: u32| f64::from(n) + if n >= step { offset } else { 0.0 };
    (0..points).map(|n| fix_at(n, i64::from(n), 0.0, north(n))).collect()
}

#[test]
fn a_step_costs_the_step_and_not_the_rest_of_the_patrol() {
    for offset in [50.0, 5000.0] {
        let track = mark_all_day(walk_with_step(1000, 600, offset));
        let measures = measure_track(&track, &Tracking::default());
        assert!(measures.marked <= 1, "{:?}", measures.marks);
        assert!((980.0..1060.0).contains(&measures.distance_m), "{}", measures.distance_m);
    }
    // Two steps lose no more than two steps, there and back or on.
    for sign in [1.0, -1.0] {
        let mut fixes = walk_with_step(900, 300, 50.0);
        for fix in fixes.iter_mut().skip(600) {
            let north = f64::from(fix.seq) + 50.0 + sign * 50.0;
            *fix = fix_at(fix.seq, i64::from(fix.seq), 0.0, north);
        }
        let measures = measure_track(&mark_all_day(fixes), &Tracking::default());
        assert!(measures.marked <= 2, "{:?}", measures.marks);
        assert!((880.0..1000.0).contains(&measures.distance_m), "{}", measures.distance_m);
    }
}

#[test]
fn who_is_far_away_and_back_at_once_went_nowhere() {
    let mut fixes = walk_north(200);
    for fix in fixes.iter_mut().skip(60).take(60) {
        *fix = fix_at(fix.seq, i64::from(fix.seq) * 5, 20_000.0, f64::from(fix.seq) * 7.0);
    }
    let track = mark_all_day(fixes);
    let odd: Vec<u32> = track.iter().filter(|s| s.mark.is_some()).map(|s| s.fix.seq).collect();
    assert_eq!(odd, (60..120).collect::<Vec<_>>());
}

#[test]
fn a_good_point_alone_between_gaps_stays_in_the_track() {
    let alone = fix_at(500, 2000, 300.0, 0.0);
    let after =
        (0..10).map(|n| fix_at(600 + n, 4000 + i64::from(n) * 5, 900.0, f64::from(n) * 7.0));
    let fixes = walk_north(10).into_iter().chain([alone]).chain(after).collect();
    let track = mark_all_day(fixes);
    assert!(track.iter().all(|one| one.mark.is_none()));
    let stretches = split_stretches(&track, &Tracking::default());
    assert_eq!(stretches.iter().map(Vec::len).collect::<Vec<_>>(), [10, 1, 10]);
}

#[test]
fn a_late_point_changes_what_is_thought_of_its_neighbours() {
    // Without the middle, the end is reachable; a point in between shows how fast it was.
    let (start, end) = (fix_at(0, 0, 0.0, 0.0), fix_at(2, 100, 2000.0, 0.0));
    assert!(mark_all_day(vec![start, end]).iter().all(|one| one.mark.is_none()));
    let late = fix_at(1, 99, 0.0, 10.0);
    let track = mark_all_day(vec![end, start, late]);
    assert_eq!(track[2].mark, Some(Mark::ImpossibleSpeed));
}

#[test]
fn what_is_far_from_the_area_is_marked_even_across_the_sea() {
    let square = rectangle_boundary(0.0, 0.0, 500.0, 500.0);
    let frame = Frame { boundary: Some(&square), ..all_day_frame() };
    let raw = RawPoint { lng: 121.5, lat: 25.0, coord_type: CoordType::Wgs84 };
    let mut far = fix_at(50, 500_000, 0.0, 0.0);
    (far.lng, far.lat) = (1_215_000_000, 250_000_000);
    assert_eq!(far.raw(), raw);
    let track = mark_track([walk_north(10), vec![far]].concat(), &frame, &Tracking::default());
    assert_eq!(track.last().unwrap().mark, Some(Mark::FarOutside));
    assert_eq!(track.iter().filter(|one| one.mark.is_some()).count(), 1);
}

#[test]
fn a_gap_is_a_gap_and_not_a_straight_line() {
    let second =
        (0..10).map(|n| fix_at(20 + n, 4000 + i64::from(n) * 5, 900.0, f64::from(n) * 7.0));
    let track = mark_all_day(walk_north(10).into_iter().chain(second).collect());
    let measures = measure_track(&track, &Tracking::default());
    assert_eq!(measures.gaps.len(), 1);
    assert_eq!((measures.gaps[0].from, measures.gaps[0].until), (instant_at(45), instant_at(4000)));
    assert!((measures.distance_m - 126.0).abs() < 1.0, "{}", measures.distance_m);
    assert_eq!(measures.seen_s, 90);
    let text = gpx::render_document("P1 <&>", &split_stretches(&track, &Tracking::default()));
    assert_eq!(text.matches("<trkseg>").count(), 2);
    assert_eq!(text.matches("<trkpt").count(), 20);
    assert!(text.contains("P1 &lt;&amp;&gt;") && text.contains("2026-03-03T00:00:45Z"));
}

#[test]
fn a_stop_is_told_and_its_trembling_is_no_distance() {
    let walking = walk_north(20);
    let trembling = |n: u32| {
        let (east, north) = (f64::from(n % 5) * 4.0, 133.0 + f64::from(n % 3) * 4.0);
        fix_at(100 + n, 95 + i64::from(n) * 5, east, north)
    };
    let on =
        (0..20).map(|n| fix_at(300 + n, 700 + i64::from(n) * 5, 0.0, 140.0 + f64::from(n) * 7.0));
    let fixes = walking.into_iter().chain((1..100).map(trembling)).chain(on).collect();
    let measures = measure_track(&mark_all_day(fixes), &Tracking::default());
    assert_eq!(measures.stops.len(), 1, "{measures:?}");
    let stop = measures.stops[0];
    assert!((stop.until - stop.from).num_seconds() >= 400);
    assert!((200.0..330.0).contains(&measures.distance_m), "{}", measures.distance_m);
}

/// A rectangle so many metres east and north of the home point.
fn rectangle_boundary(west: f64, south: f64, east: f64, north: f64) -> MultiPolygon {
    let corner = |x: f64, y: f64| [HOME.lng + x * EAST, HOME.lat + y * NORTH];
    let ring = vec![
        corner(west, south),
        corner(east, south),
        corner(east, north),
        corner(west, north),
        corner(west, south),
    ];
    from_rings(&vec![vec![ring]]).unwrap()
}

#[test]
fn coverage_is_told_by_places_and_time() {
    let policy = Tracking::default();
    let track = mark_all_day(walk_north(100));
    let target = |east: f64, north: f64, dwell_s| Target {
        point: Point { lng: HOME.lng + east * EAST, lat: HOME.lat + north * NORTH },
        radius_m: 20,
        dwell_s,
    };
    let visits = measure_visits(
        &track,
        &[target(10.0, 100.0, 0), target(0.0, 300.0, 600), target(500.0, 0.0, 0)],
        &policy,
    );
    assert!(visits[0].visited && visits[0].dwell_s > 0 && visits[0].first_at.is_some());
    assert!(!visits[1].visited && visits[1].first_at.is_some());
    assert!(!visits[2].visited && visits[2].first_at.is_none());
    // North through the western half of a square of 400 m: 8 of 64 cells.
    let square = rectangle_boundary(-100.0, 0.0, 300.0, 400.0);
    let seen_cells = measure_cells(&track, &square, &policy);
    assert_eq!(seen_cells.side_m, 50);
    assert_eq!((seen_cells.share.of, seen_cells.share.all), (8, 64));
    let inside = measure_inside_s(&track, &square, &policy);
    assert!((280..=295).contains(&inside), "{inside}");
    let line =
        [target(5.0, 0.0, 0).point, target(5.0, 200.0, 0).point, target(205.0, 200.0, 0).point];
    let along = measure_route(&track, &line, &policy);
    assert!((0.5..0.7).contains(&along.to_ratio().unwrap()), "{along:?}");
    assert_eq!(measure_route(&track, &[], &policy).to_ratio(), None);
}

#[test]
fn a_million_points_at_one_place_are_read_in_time() {
    let fixes: Vec<Fix> = (0..1_000_000).map(|n| fix_at(n, i64::from(n), 0.0, 0.0)).collect();
    let track = mark_all_day(fixes);
    let measures = measure_track(&track, &Tracking::default());
    assert_eq!((measures.points, measures.marked, measures.stops.len()), (1_000_000, 0, 1));
    let line: Vec<Point> = track.iter().map(|one| one.point).collect();
    assert_eq!(simplify_line(&line, 5.0).len(), 2);
    let square = rectangle_boundary(-100.0, -100.0, 100.0, 100.0);
    assert_eq!(measure_cells(&track, &square, &Tracking::default()).share.of, 1);
}

#[test]
fn shipped_tracks_are_measured_as_walks() {
    for text in SHIPPED {
        let track = mark_all_day(parse_shipped(text));
        let measures = measure_track(&track, &Tracking::default());
        assert!(measures.marked * 20 < measures.points, "{:?}", measures.marks);
        assert!((500.0..20_000.0).contains(&measures.distance_m), "{}", measures.distance_m);
        let line: Vec<Point> = track.iter().map(|one| one.point).collect();
        let simple = simplify_line(&line, 5.0);
        assert!(simple.len() * 2 < line.len());
        let long = |line: &[Point]| -> f64 {
            line.windows(2).map(|pair| distance_m(pair[0], pair[1])).sum()
        };
        assert!(long(&simple) > long(&line) * 0.8);
    }
}
