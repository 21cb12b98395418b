//! Calendars: laws that hold for any instant, and a slow reference by minutes that must agree.

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
    calendar::{BY_CIVIL_CODE, CIVIL, ELAPSED, IN_SUMMER, instant, summer_schedule},
    chance::new_runner,
    clerk::Clerk,
};

/// A minute between the winter before and the winter after 2026.
fn any_minute() -> impl Strategy<Value = Instant> {
    (0..700_000_i64).prop_map(|minute| instant("2025-11-01 00:00") + Duration::minutes(minute))
}

/// A millisecond in the same months, often at an opening or closing.
fn any_moment() -> impl Strategy<Value = Instant> {
    let odd =
        (any_minute(), 0..60_000_i64).prop_map(|(at, more)| at + Duration::milliseconds(more));
    let doors = (0..486_i64, 0..24_i64).prop_map(|(day, hour)| {
        instant("2025-11-01 00:00") + Duration::days(day) + Duration::hours(hour)
    });
    prop_oneof![odd, doors]
}

fn any_limit() -> impl Strategy<Value = Limit> {
    (0..LimitUnit::ALL.len(), 1..40_u32)
        .prop_map(|(unit, amount)| Limit { amount, unit: LimitUnit::ALL[unit] })
}

fn any_pauses() -> impl Strategy<Value = Vec<Pause>> {
    let one = (any_minute(), 0..6000_i64)
        .prop_map(|(from, length)| Pause { from, until: from + Duration::minutes(length) });
    proptest::collection::vec(one, 0..4)
}

fn all_calendars() -> [&'static Calendar; 3] {
    [&ELAPSED, &BY_CIVIL_CODE, &IN_SUMMER]
}

const fn is_working(unit: LimitUnit) -> bool {
    matches!(unit, LimitUnit::WorkingHour | LimitUnit::WorkingDay)
}

#[test]
fn a_clerk_with_a_watch_finds_the_same() {
    let plain = Clerk::new(Schedule::default());
    let civil = Clerk::new(Schedule { convention: CIVIL, ..Schedule::default() });
    let seasons = Clerk::new(summer_schedule());
    let cases = (any_minute(), any_limit());
    new_runner(150)
        .run(&cases, |(start, limit)| {
            for (clerk, calendar, by_civil_code) in [
                (&plain, &*ELAPSED, false),
                (&civil, &*BY_CIVIL_CODE, true),
                (&seasons, &*IN_SUMMER, false),
            ] {
                assert_eq!(calendar.is_open(start), clerk.is_open(start), "{start}");
                let found = calendar.compute_due(start, limit).at;
                assert_eq!(
                    found,
                    clerk.compute_due(start, limit, by_civil_code),
                    "{start} {limit}"
                );
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_clerk_with_a_watch_pauses_the_same() {
    let clerk = Clerk::new(summer_schedule());
    let near = proptest::collection::vec((0..4000_i64, 0..3000_i64), 0..4);
    new_runner(150)
        .run(&(any_minute(), 1..30_u32, near), |(start, hours, near)| {
            let pause = |(from, length): (i64, i64)| {
                let from = start + Duration::minutes(from - 500);
                Pause { from, until: from + Duration::minutes(length) }
            };
            let pauses: Vec<Pause> = near.into_iter().map(pause).collect();
            for limit in [Limit::working_hours(hours), Limit::hours(hours)] {
                let found = IN_SUMMER.compute_paused_due(start, limit, &pauses).at;
                let walked =
                    clerk.count_minutes(start, hours * 60, is_working(limit.unit), &pauses);
                assert_eq!(found, walked, "{start} {limit} {pauses:?}");
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn later_or_more_is_never_due_earlier() {
    new_runner(2000)
        .run(
            &(any_moment(), any_moment(), any_limit(), 0..20_u32, any_pauses()),
            |(one, two, limit, more, pauses)| {
                let (early, late) = (one.min(two), one.max(two));
                let longer = Limit { amount: limit.amount + more, ..limit };
                for calendar in all_calendars() {
                    assert!(
                        calendar.compute_due(early, limit).at
                            <= calendar.compute_due(late, limit).at
                    );
                    assert!(
                        calendar.compute_due(early, limit).at
                            <= calendar.compute_due(early, longer).at
                    );
                    let paused = |limit| calendar.compute_paused_due(early, limit, &pauses).at;
                    assert!(paused(limit) <= paused(longer));
                    assert!(calendar.compute_due(early, limit).at > early);
                    assert_eq!(
                        calendar.compute_due(early, limit),
                        calendar.compute_due(early, limit)
                    );
                    assert_eq!(
                        calendar.compute_due(early, limit),
                        calendar.compute_paused_due(early, limit, &[])
                    );
                }
                Ok(())
            },
        )
        .unwrap();
}

#[test]
fn working_units_end_while_open_or_at_closing() {
    new_runner(2000)
        .run(&(any_moment(), any_limit(), any_pauses()), |(start, limit, pauses)| {
            if is_working(limit.unit) {
                for calendar in all_calendars() {
                    let due = calendar.compute_paused_due(start, limit, &pauses).at;
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

/// It does not hold for civil days that roll (each part may roll again), for the same day, and for
/// `compute_due` of civil days, which begins to count after the day of the start: hence
/// `add_limit`.
#[test]
fn an_amount_in_two_parts_ends_with_the_whole() {
    new_runner(2000)
        .run(&(any_moment(), any_limit(), 1..20_u32), |(start, limit, more)| {
            let whole = Limit { amount: limit.amount + more, ..limit };
            let part = Limit { amount: more, ..limit };
            for calendar in all_calendars() {
                let rolls = std::ptr::eq(calendar, &raw const *BY_CIVIL_CODE)
                    && limit.unit == LimitUnit::Day;
                if limit.unit != LimitUnit::SameDay && !rolls {
                    let first = calendar.compute_due(start, limit).at;
                    assert_eq!(
                        calendar.add_limit(first, part).at,
                        calendar.compute_due(start, whole).at
                    );
                }
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_pause_moves_the_end_by_what_it_took() {
    new_runner(2000)
        .run(
            &(any_moment(), any_limit(), 0..3000_i64, 0..9000_i64),
            |(start, limit, after, length)| {
                let from = start + Duration::minutes(after);
                let pause = Pause { from, until: from + Duration::minutes(length) };
                for calendar in all_calendars() {
                    let (base, moved) = (
                        calendar.compute_due(start, limit).at,
                        calendar.compute_paused_due(start, limit, &[pause]).at,
                    );
                    let took = |from, until| {
                        if is_working(limit.unit) {
                            calendar.working_time_between(from, until)
                        } else {
                            until - from
                        }
                    };
                    let counts =
                        if from < base { took(from, pause.until) } else { Duration::zero() };
                    assert_eq!(took(base, moved), counts, "{start} {limit} {pause:?}");
                    assert_eq!(moved == base, counts.is_zero());
                }
                Ok(())
            },
        )
        .unwrap();
}

#[test]
fn the_working_adds_up() {
    new_runner(500)
        .run(&(any_moment(), any_limit(), any_pauses()), |(start, limit, pauses)| {
            for calendar in all_calendars() {
                let working = calendar.explain_due(start, limit, &pauses);
                let due = calendar.compute_paused_due(start, limit, &pauses);
                assert_eq!((working.due_at, working.provisional), (due.at, due.provisional));
                assert_eq!(working.provisional, !working.provisional_years.is_empty());
                let shown: i64 = working
                    .days
                    .iter()
                    .flat_map(|day| &day.stretches)
                    .map(|stretch| (stretch.until - stretch.from).num_milliseconds())
                    .sum();
                let took = if is_working(limit.unit) {
                    calendar.working_time_between(start, due.at)
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
                let half = calendar.instant_at_percent(start, due.at, 50, limit.unit);
                assert!(start <= half && half <= due.at);
            }
            Ok(())
        })
        .unwrap();
}
