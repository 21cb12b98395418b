//! Calendars: laws that hold for any instant, and a slow walk over minutes that must agree.

use chrono::Duration;
use domain::{
    Instant,
    calendar::{
        book::{Calendar, Pause, Schedule},
        limit::{Limit, LimitUnit},
    },
};
use proptest::prelude::{Strategy, prop_oneof};

use super::{
    calendar::{BY_CIVIL_CODE, CIVIL, ELAPSED, IN_SUMMER, at, summer},
    chance::runner,
    clerk::Clerk,
};

/// A minute between the winter before and the winter after 2026.
fn minutes() -> impl Strategy<Value = Instant> {
    (0..700_000_i64).prop_map(|minute| at("2025-11-01 00:00") + Duration::minutes(minute))
}

/// A millisecond in the same months, often one at which doors open or close.
fn moments() -> impl Strategy<Value = Instant> {
    let odd = (minutes(), 0..60_000_i64).prop_map(|(at, more)| at + Duration::milliseconds(more));
    let doors = (0..486_i64, 0..24_i64).prop_map(|(day, hour)| {
        at("2025-11-01 00:00") + Duration::days(day) + Duration::hours(hour)
    });
    prop_oneof![odd, doors]
}

fn limits() -> impl Strategy<Value = Limit> {
    (0..LimitUnit::ALL.len(), 1..40_u32)
        .prop_map(|(unit, amount)| Limit { amount, unit: LimitUnit::ALL[unit] })
}

fn pauses() -> impl Strategy<Value = Vec<Pause>> {
    let one = (minutes(), 0..6000_i64)
        .prop_map(|(from, length)| Pause { from, until: from + Duration::minutes(length) });
    proptest::collection::vec(one, 0..4)
}

fn calendars() -> [&'static Calendar; 3] {
    [&ELAPSED, &BY_CIVIL_CODE, &IN_SUMMER]
}

const fn stops(unit: LimitUnit) -> bool {
    matches!(unit, LimitUnit::WorkingHour | LimitUnit::WorkingDay)
}

#[test]
fn a_clerk_with_a_watch_finds_the_same() {
    let plain = Clerk::new(Schedule::default());
    let civil = Clerk::new(Schedule { convention: CIVIL, ..Schedule::default() });
    let seasons = Clerk::new(summer());
    let cases = (minutes(), limits());
    runner(150)
        .run(&cases, |(start, limit)| {
            for (clerk, calendar, by_civil_code) in [
                (&plain, &*ELAPSED, false),
                (&civil, &*BY_CIVIL_CODE, true),
                (&seasons, &*IN_SUMMER, false),
            ] {
                assert_eq!(calendar.is_open(start), clerk.is_open(start), "{start}");
                let found = calendar.due(start, limit).at;
                assert_eq!(found, clerk.due(start, limit, by_civil_code), "{start} {limit}");
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_clerk_with_a_watch_pauses_the_same() {
    let clerk = Clerk::new(summer());
    let near = proptest::collection::vec((0..4000_i64, 0..3000_i64), 0..4);
    runner(150)
        .run(&(minutes(), 1..30_u32, near), |(start, hours, near)| {
            let pause = |(from, length): (i64, i64)| {
                let from = start + Duration::minutes(from - 500);
                Pause { from, until: from + Duration::minutes(length) }
            };
            let pauses: Vec<Pause> = near.into_iter().map(pause).collect();
            for limit in [Limit::working_hours(hours), Limit::hours(hours)] {
                let found = IN_SUMMER.due_after(start, limit, &pauses).at;
                let walked = clerk.walk(start, hours * 60, stops(limit.unit), &pauses);
                assert_eq!(found, walked, "{start} {limit} {pauses:?}");
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn later_or_more_is_never_due_earlier() {
    runner(2000)
        .run(
            &(moments(), moments(), limits(), 0..20_u32, pauses()),
            |(one, two, limit, more, pauses)| {
                let (early, late) = (one.min(two), one.max(two));
                let longer = Limit { amount: limit.amount + more, ..limit };
                for calendar in calendars() {
                    assert!(calendar.due(early, limit).at <= calendar.due(late, limit).at);
                    assert!(calendar.due(early, limit).at <= calendar.due(early, longer).at);
                    let paused = |limit| calendar.due_after(early, limit, &pauses).at;
                    assert!(paused(limit) <= paused(longer));
                    assert!(calendar.due(early, limit).at > early);
                    assert_eq!(calendar.due(early, limit), calendar.due(early, limit));
                    assert_eq!(calendar.due(early, limit), calendar.due_after(early, limit, &[]));
                }
                Ok(())
            },
        )
        .unwrap();
}

#[test]
fn working_units_end_while_open_or_at_closing() {
    runner(2000)
        .run(&(moments(), limits(), pauses()), |(start, limit, pauses)| {
            if stops(limit.unit) {
                for calendar in calendars() {
                    let due = calendar.due_after(start, limit, &pauses).at;
                    assert!(
                        calendar.is_open(due - Duration::milliseconds(1)),
                        "{start} {limit} {due}"
                    );
                }
            }
            Ok(())
        })
        .unwrap();
}

/// It does not hold for civil days that roll (each part may roll anew), for the same day, and for
/// `due` of civil days, which begins to count after the day of the start: hence `add`.
#[test]
fn an_amount_in_two_parts_ends_with_the_whole() {
    runner(2000)
        .run(&(moments(), limits(), 1..20_u32), |(start, limit, more)| {
            let whole = Limit { amount: limit.amount + more, ..limit };
            let part = Limit { amount: more, ..limit };
            for calendar in calendars() {
                let rolls = std::ptr::eq(calendar, &raw const *BY_CIVIL_CODE)
                    && limit.unit == LimitUnit::Day;
                if limit.unit != LimitUnit::SameDay && !rolls {
                    let first = calendar.due(start, limit).at;
                    assert_eq!(calendar.add(first, part).at, calendar.due(start, whole).at);
                }
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_pause_moves_the_end_by_what_it_took() {
    runner(2000)
        .run(&(moments(), limits(), 0..3000_i64, 0..9000_i64), |(start, limit, after, length)| {
            let from = start + Duration::minutes(after);
            let pause = Pause { from, until: from + Duration::minutes(length) };
            for calendar in calendars() {
                let (base, moved) =
                    (calendar.due(start, limit).at, calendar.due_after(start, limit, &[pause]).at);
                let took = |from, until| {
                    if stops(limit.unit) {
                        calendar.working_between(from, until)
                    } else {
                        until - from
                    }
                };
                let counts = if from < base { took(from, pause.until) } else { Duration::zero() };
                assert_eq!(took(base, moved), counts, "{start} {limit} {pause:?}");
                assert_eq!(moved == base, counts.is_zero());
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn the_working_adds_up() {
    runner(500)
        .run(&(moments(), limits(), pauses()), |(start, limit, pauses)| {
            for calendar in calendars() {
                let working = calendar.explain(start, limit, &pauses);
                let due = calendar.due_after(start, limit, &pauses);
                assert_eq!((working.due_at, working.provisional), (due.at, due.provisional));
                assert_eq!(working.provisional, !working.provisional_years.is_empty());
                let shown: i64 = working
                    .days
                    .iter()
                    .flat_map(|day| &day.stretches)
                    .map(|stretch| (stretch.until - stretch.from).num_milliseconds())
                    .sum();
                let took = if stops(limit.unit) {
                    calendar.working_between(start, due.at)
                } else {
                    due.at - start
                };
                if working.rest.is_none() {
                    let counted = shown / 1000 + working.paused_seconds;
                    assert!(
                        (took.num_seconds() - counted).abs() <= 1,
                        "{start} {limit} {pauses:?}"
                    );
                }
                let half = calendar.near(start, due.at, 50, limit.unit);
                assert!(start <= half && half <= due.at);
            }
            Ok(())
        })
        .unwrap();
}
