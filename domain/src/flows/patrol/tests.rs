//! Patrols without a store: which command follows which, and which points are accepted when.

use crate::core::id::PersonId;

use super::*;

#[test]
fn every_move_is_one_of_those_that_are_told() {
    for (from, verb, _) in MOVES {
        assert!(possible_commands(*from).contains(&verb.name()));
    }
    assert!(possible_commands(StatusName::Cancelled).is_empty());
    assert_eq!(possible_commands(StatusName::Finished), ["note"]);
}

fn instant_at(minutes: i64) -> Instant {
    chrono::DateTime::from_timestamp(1_772_496_000 + minutes * 60, 0).unwrap()
}

fn moment_at(minutes: i64) -> Moment {
    Moment {
        at: instant_at(minutes),
        received_at: instant_at(minutes + 300),
        clock_ahead: false,
        skew: Skew::default(),
    }
}

fn started_patrol() -> Patrol {
    let unit = Unit {
        id: crate::core::id::AreaId(Uuid::from_u128(3)),
        kind: crate::area::tree::AreaKind::Grid,
        name: "枫林一格".to_owned(),
        path: crate::area::tree::Path("1/2/".to_owned()),
    };
    let run = Run {
        worker: PersonId(Uuid::from_u128(7)),
        worker_name: "王芳".to_owned(),
        started: moment_at(0),
        pauses: Vec::new(),
        finished: None,
        late_entry: None,
    };
    Patrol {
        id: PatrolId(Uuid::from_u128(1)),
        number: "P20260303-00000001".to_owned(),
        area: unit,
        purpose: Purpose::Routine,
        window: Window { from: instant_at(-10), until: instant_at(240) },
        itinerary: Itinerary::default(),
        occasion: None,
        planned: false,
        created_at: instant_at(300),
        remarks: Vec::new(),
        status: Status::Started { run, term: None },
    }
}

fn apply_event(patrol: Patrol, event: &Event) -> Patrol {
    Patrol::evolve(Some(patrol), event).unwrap()
}

#[test]
fn points_are_taken_while_it_is_under_way_and_not_in_rests() {
    let paused = apply_event(started_patrol(), &Event::Paused { at: moment_at(60) });
    assert_eq!(paused.check_point(instant_at(59)), Ok(()));
    assert_eq!(
        paused.check_point(instant_at(61)),
        Err(Outside::Resting),
        "its end may be on its way"
    );
    let resumed = apply_event(paused, &Event::Resumed { at: moment_at(90) });
    assert_eq!(resumed.check_point(instant_at(75)), Err(Outside::Paused));
    assert_eq!(resumed.check_point(instant_at(91)), Ok(()));
    assert_eq!(resumed.check_point(instant_at(-1)), Err(Outside::Window));
    assert_eq!(resumed.check_point(instant_at(241)), Err(Outside::Window));
    assert_eq!(resumed.active_s(instant_at(120)), 90 * 60);
    let finished = apply_event(resumed, &Event::Finished { at: moment_at(150), late: None });
    assert_eq!(finished.check_point(instant_at(149)), Ok(()));
    assert_eq!(finished.check_point(instant_at(151)), Err(Outside::Window));
    assert_eq!(finished.active_s(instant_at(10_000)), 120 * 60);
    let by = finished.worker().unwrap();
    assert_eq!(finished.check_report(by, instant_at(75)), Ok(()));
    assert!(finished.check_report(by, instant_at(151)).is_err());
    assert!(finished.check_report(PersonId(Uuid::from_u128(8)), instant_at(75)).is_err());
}

#[test]
fn a_rest_that_nobody_ended_ends_with_the_patrol() {
    let paused = apply_event(started_patrol(), &Event::Paused { at: moment_at(60) });
    let finished = apply_event(paused, &Event::Finished { at: moment_at(100), late: None });
    let run = finished.status.run().unwrap();
    assert_eq!(run.pauses[0].until, Some(instant_at(100)));
    assert_eq!(finished.active_s(instant_at(10_000)), 60 * 60);
}

#[test]
fn a_window_is_bounded() {
    let window = |from, until| Window { from: instant_at(from), until: instant_at(until) }.check();
    assert!(window(0, 1).is_ok() && window(0, 960).is_ok());
    assert_eq!(window(5, 5), Err(Refusal::EmptyPeriod));
    assert_eq!(window(0, 961), Err(Refusal::ShiftTooLong { hours: 16 }));
}

#[test]
fn what_cannot_follow_does_not() {
    let finished =
        apply_event(started_patrol(), &Event::Finished { at: moment_at(100), late: None });
    for event in [Event::Paused { at: moment_at(101) }, Event::Resumed { at: moment_at(101) }] {
        assert_eq!(Patrol::evolve(Some(finished.clone()), &event), None);
    }
    assert_eq!(Patrol::evolve(None, &Event::Paused { at: moment_at(1) }), None);
}

proptest::proptest! {
    /// Whatever a phone sends in whatever order, the accepted times are in order and within the
    /// window, and a point is accepted exactly when it lies in one of the periods.
    #[test]
    fn times_under_way_are_in_order_and_apart(
        steps in proptest::collection::vec((0..400_i64, 0..3_u8), 0..30), point in -60..500_i64
    ) {
        let mut patrol = started_patrol();
        let mut last = 0;
        for (minutes, what) in steps {
            last = (last + minutes % 40).min(600);
            let event = match what {
                0 => Event::Paused { at: moment_at(last) },
                1 => Event::Resumed { at: moment_at(last) },
                _ => Event::Finished { at: moment_at(last), late: None },
            };
            if let Some(after) = Patrol::evolve(Some(patrol.clone()), &event) {
                patrol = after;
            }
        }
        let times = patrol.active_periods();
        for (from, until) in &times {
            proptest::prop_assert!(from <= until && patrol.window.from <= *from);
            proptest::prop_assert!(*until <= patrol.window.until);
        }
        proptest::prop_assert!(times.is_sorted_by(|a, b| a.1 <= b.0));
        let inside = times.iter().any(|(from, until)| (*from..=*until).contains(&instant_at(point)));
        proptest::prop_assert_eq!(patrol.check_point(instant_at(point)).is_ok(), inside);
        proptest::prop_assert!(patrol.active_s(instant_at(10_000)) <= 240 * 60);
    }
}
