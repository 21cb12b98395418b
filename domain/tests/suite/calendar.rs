//! Calendars: the examples of the field research, and further promises case by case.

use std::sync::LazyLock;

use chrono::{Duration, FixedOffset, NaiveDateTime, TimeZone as _};
use domain::{
    Instant,
    calendar::{
        book::{
            Basis, Calendar, CalendarBook, Convention, DayKind, DayRule, Due, MAX_DAYS_SHOWN,
            Pause, Schedule, WorkingDayRule,
        },
        limit::Limit,
    },
    core::id::AreaId,
};
use uuid::Uuid;

/// An instant in the local time of China: `2026-09-18 17:30`; the end of a day is `24:00`.
pub(crate) fn instant(text: &str) -> Instant {
    let (date, time) = text.split_once(' ').unwrap();
    let (time, more) = if time == "24:00" { ("00:00", 1) } else { (time, 0) };
    let naive = NaiveDateTime::parse_from_str(&format!("{date} {time}"), "%Y-%m-%d %H:%M").unwrap();
    let local = FixedOffset::east_opt(8 * 3600).unwrap().from_local_datetime(&naive).unwrap();
    local.to_utc() + Duration::days(more)
}

pub(crate) fn limit(text: &str) -> Limit {
    text.parse().unwrap()
}

pub(crate) fn pause(from: &str, until: &str) -> Pause {
    Pause { from: instant(from), until: instant(until) }
}

/// The convention of the civil code in all its parts.
pub(crate) const CIVIL: Convention =
    Convention { working_day: WorkingDayRule::EndOfDay, day: DayRule::Civil { roll: true } };

/// A town with summer hours, half-days, a local holiday and a week of shortened hours.
pub(crate) const SUMMER: &str = r#"{
  "seasons": [
    {"name": "夏季作息", "span": {"yearly": {"from": "06-01", "until": "09-30"}},
     "windows": [{"from": "08:30", "until": "12:00"}, {"from": "15:00", "until": "18:30"}]},
    {"name": "冬季作息", "span": {"yearly": {"from": "12-01", "until": "02-29"}},
     "windows": [{"from": "09:00", "until": "12:00"}, {"from": "13:30", "until": "17:30"}]},
    {"name": "高温作息", "span": {"dated": {"from": "2026-07-20", "until": "2026-07-24"}},
     "windows": [{"from": "07:00", "until": "11:00"}]}
  ],
  "special_days": [
    {"date": "2026-09-30", "name": "国庆前半天", "windows": [{"from": "08:30", "until": "12:00"}]},
    {"date": "2026-04-14", "name": "泼水节", "windows": []},
    {"date": "2026-10-03", "name": "国庆窗口值班", "windows": [{"from": "09:00", "until": "11:00"}]}
  ]
}"#;

pub(crate) fn summer_schedule() -> Schedule {
    serde_json::from_str(SUMMER).unwrap()
}

fn standard_calendar(convention: Convention) -> Calendar {
    let schedule = Schedule { convention, ..Schedule::default() };
    Calendar::compile(&CalendarBook::standard(), &schedule)
}

pub(crate) static ELAPSED: LazyLock<Calendar> =
    LazyLock::new(|| standard_calendar(Convention::default()));
pub(crate) static BY_CIVIL_CODE: LazyLock<Calendar> = LazyLock::new(|| standard_calendar(CIVIL));
pub(crate) static IN_SUMMER: LazyLock<Calendar> =
    LazyLock::new(|| Calendar::compile(&CalendarBook::standard(), &summer_schedule()));

#[test]
fn the_vectors_of_the_field_hold() {
    let vectors = [
        ("2026-09-18 17:30", "4wh", "2026-09-20 11:30"),
        ("2026-03-02 12:30", "4wh", "2026-03-02 18:00"),
        ("2026-04-30 17:50", "1wh", "2026-05-06 08:50"),
        ("2026-09-24 18:00", "4wh", "2026-09-28 12:00"),
        ("2026-10-07 09:00", "1wh", "2026-10-08 09:00"),
        ("2026-02-28 07:00", "8wh", "2026-02-28 18:00"),
        ("2026-10-01 23:30", "2h", "2026-10-02 01:30"),
        ("2026-02-13 15:00", "5wd", "2026-02-27 15:00"),
        ("2026-06-18 09:00", "3wd", "2026-06-24 09:00"),
        ("2026-05-08 10:00", "1wd", "2026-05-09 10:00"),
        ("2026-02-05 10:00", "15d", "2026-02-20 10:00"),
    ];
    for (start, amount, due) in vectors {
        let expected = Due { at: instant(due), provisional: false };
        assert_eq!(
            ELAPSED.compute_due(instant(start), limit(amount)),
            expected,
            "{start} {amount}"
        );
    }
    let civil = [
        ("2026-02-13 15:00", "5wd", "2026-02-27 18:00"),
        ("2026-06-18 09:00", "3wd", "2026-06-24 18:00"),
        ("2026-05-08 10:00", "1wd", "2026-05-09 18:00"),
        ("2026-02-05 10:00", "15d", "2026-02-24 24:00"),
    ];
    for (start, amount, due) in civil {
        let expected = Due { at: instant(due), provisional: false };
        assert_eq!(
            BY_CIVIL_CODE.compute_due(instant(start), limit(amount)),
            expected,
            "{start} {amount}"
        );
    }
    let strict = standard_calendar(Convention { day: DayRule::Civil { roll: false }, ..CIVIL });
    assert_eq!(
        strict.compute_due(instant("2026-02-05 10:00"), limit("15d")).at,
        instant("2026-02-20 24:00")
    );
    let missing = ELAPSED.compute_due(instant("2026-12-31 17:00"), limit("2wh"));
    assert_eq!(missing, Due { at: instant("2027-01-04 09:00"), provisional: true });
}

#[test]
fn the_year_2026_has_248_working_days() {
    let year =
        ELAPSED.working_time_between(instant("2026-01-01 00:00"), instant("2026-12-31 24:00"));
    assert_eq!(year, Duration::hours(248 * 8));
    let back =
        ELAPSED.working_time_between(instant("2026-12-31 24:00"), instant("2026-01-01 00:00"));
    assert_eq!(back, Duration::zero());
}

#[test]
fn offices_open_and_close_at_the_minute() {
    let shut = Duration::milliseconds(1);
    assert!(ELAPSED.is_open(instant("2026-02-14 08:00")), "a make-up Saturday");
    assert!(!ELAPSED.is_open(instant("2026-02-14 08:00") - shut));
    assert!(!ELAPSED.is_open(instant("2026-02-14 12:00")));
    assert!(!ELAPSED.is_open(instant("2026-02-16 10:00")), "a Monday in Spring Festival");
    let next = |text| ELAPSED.next_opening(instant(text)).at;
    assert_eq!(next("2026-02-14 18:00"), instant("2026-02-24 08:00"));
    assert_eq!(next("2026-02-24 13:00"), instant("2026-02-24 14:00"));
    assert_eq!(next("2026-02-24 15:00"), instant("2026-02-24 15:00"));
    assert!(ELAPSED.next_opening(instant("2026-12-31 18:00")).provisional);
    assert!(!ELAPSED.next_opening(instant("2026-10-01 00:00")).provisional);
}

#[test]
fn only_what_looked_at_an_unpublished_year_is_provisional() {
    let asked = |calendar: &Calendar, start, amount| {
        calendar.compute_due(instant(start), limit(amount)).provisional
    };
    assert!(!asked(&ELAPSED, "2026-12-31 17:00", "30d"), "it runs through whatever is off");
    assert!(asked(&BY_CIVIL_CODE, "2026-12-20 17:00", "30d"), "is the last day worked?");
    assert!(!asked(&ELAPSED, "2026-12-24 10:00", "1wh"));
    assert!(asked(&ELAPSED, "2026-12-30 10:00", "1wh"), "next year's notice may take the 30th");
    assert!(asked(&ELAPSED, "2018-06-01 10:00", "1wh"), "before the first notice");
    assert!(!asked(&ELAPSED, "2019-01-02 10:00", "1wh"));
}

#[test]
fn a_december_day_may_stand_in_the_next_years_notice() {
    assert!(ELAPSED.is_open(instant("2018-12-29 10:00")), "a Saturday worked for New Year 2019");
    assert!(!ELAPSED.is_open(instant("2018-12-31 10:00")));
}

#[test]
fn an_extension_begins_after_the_day_that_ends() {
    let due = BY_CIVIL_CODE.compute_due(instant("2026-03-02 10:00"), limit("3d")).at;
    assert_eq!(due, instant("2026-03-05 24:00"));
    assert_eq!(BY_CIVIL_CODE.add_limit(due, limit("1d")).at, instant("2026-03-06 24:00"));
    let due = BY_CIVIL_CODE.compute_due(instant("2026-03-02 10:00"), limit("3wd")).at;
    assert_eq!(BY_CIVIL_CODE.add_limit(due, limit("1wd")).at, instant("2026-03-06 18:00"));
    assert_eq!(ELAPSED.add_limit(due, limit("2wh")).at, instant("2026-03-06 10:00"));
}

#[test]
fn reminders_count_working_time_for_working_units() {
    let (start, amount) = (instant("2026-03-06 16:00"), limit("4wh"));
    let due = ELAPSED.compute_due(start, amount).at;
    assert_eq!(due, instant("2026-03-09 10:00"));
    let near = |percent| ELAPSED.instant_at_percent(start, due, percent, amount.unit);
    assert_eq!(near(0), start);
    assert_eq!(near(50), instant("2026-03-06 18:00"));
    assert_eq!(near(75), instant("2026-03-09 09:00"));
    assert_eq!(near(100), due);
    assert_eq!(near(150), instant("2026-03-09 12:00"));
    let plain =
        ELAPSED.instant_at_percent(start, start + Duration::hours(10), 75, limit("10h").unit);
    assert_eq!(plain, start + Duration::minutes(450));
}

#[test]
fn the_nearest_schedule_counts() {
    let area = |number| AreaId(Uuid::from_u128(number));
    let mut book = CalendarBook::standard();
    book.schedules.push(Schedule { area: Some(area(1)), ..summer_schedule() });
    book.schedules.push(Schedule { area: Some(area(2)), convention: CIVIL, ..Schedule::default() });
    let calendars = book.compile();
    let of = |chain: &[u128]| {
        let chain: Vec<AreaId> = chain.iter().copied().map(area).collect();
        calendars.find_nearest(&chain).compute_due(instant("2026-06-03 18:00"), limit("1wd")).at
    };
    assert_eq!(of(&[3, 1, 2]), instant("2026-06-05 09:00"), "half an hour, 7 hours, half an hour");
    assert_eq!(of(&[3, 2, 1]), instant("2026-06-04 18:00"));
    assert_eq!(of(&[3, 4]), instant("2026-06-04 18:00"));
    assert_eq!(of(&[]), instant("2026-06-04 18:00"));
}

#[test]
fn no_instant_and_no_amount_is_too_much() {
    let instants = [
        Instant::MIN_UTC,
        instant("1999-12-31 10:00"),
        instant("2100-12-31 10:00"),
        Instant::MAX_UTC,
    ];
    for calendar in [&*ELAPSED, &*BY_CIVIL_CODE, &*IN_SUMMER] {
        for unit in domain::calendar::limit::LimitUnit::ALL {
            for start in instants {
                for amount in [0, 1, 10_000, u32::MAX] {
                    let asked = Limit { amount, unit: *unit };
                    let pauses = [Pause { from: Instant::MIN_UTC, until: Instant::MAX_UTC }];
                    let due = calendar.compute_due(start, asked);
                    assert!(
                        due.at >= start || start == Instant::MAX_UTC,
                        "{start} {asked} {due:?}"
                    );
                    let working = calendar.explain_due(start, asked, &pauses);
                    assert!(working.days.len() <= MAX_DAYS_SHOWN);
                    calendar.add_limit(start, asked);
                    calendar.instant_at_percent(start, due.at, 255, *unit);
                }
                calendar.working_time_between(Instant::MIN_UTC, start);
                assert!(calendar.next_opening(start).provisional);
            }
        }
    }
    let beyond = ELAPSED.compute_due(instant("2100-12-30 10:00"), limit("10wd"));
    assert_eq!(beyond, Due { at: instant("2100-12-31 24:00"), provisional: true });
}

#[test]
fn the_working_shows_what_an_officer_would_count() {
    let pauses = [pause("2026-02-14 10:00", "2026-02-24 09:00")];
    let working = ELAPSED.explain_due(instant("2026-02-13 17:00"), limit("6wh"), &pauses);
    assert_eq!((working.due_at, working.basis), (instant("2026-02-24 12:00"), Basis::WorkingTime));
    assert_eq!(working.paused_seconds, 7 * 3600);
    let day = |index: usize| {
        let day = &working.days[index];
        (day.kind, day.name.as_deref(), day.seconds / 60)
    };
    assert_eq!(day(0), (DayKind::Working, None, 60));
    assert_eq!(day(1), (DayKind::MakeUp, Some("春节"), 120));
    assert_eq!(day(2), (DayKind::Holiday, Some("春节"), 0));
    assert_eq!(day(11), (DayKind::Working, None, 180));
    assert_eq!(working.days.len(), 12);
    assert_eq!(working.days[1].stretches[0].until, pauses[0].from);
    let long = ELAPSED.explain_due(instant("2026-11-02 08:00"), limit("60wd"), &[]);
    assert_eq!((long.days.len(), long.provisional_years), (62, vec![2027]));
    let shown: i64 = long.days.iter().map(|day| day.seconds).sum();
    assert_eq!(shown + long.rest.unwrap().seconds, 60 * 8 * 3600);
}

#[test]
fn a_book_survives_being_written_down() {
    let mut book = CalendarBook::standard();
    book.schedules.push(summer_schedule());
    let text = serde_json::to_string(&book).unwrap();
    assert_eq!(serde_json::from_str::<CalendarBook>(&text).unwrap(), book);
    assert!(serde_json::from_str::<CalendarBook>(r#"{"scheduls": []}"#).is_err());
    assert_eq!(CalendarBook::standard().check(), []);
    let years: Vec<_> = book.years.values().filter(|y| y.is_published()).map(|y| y.year).collect();
    assert_eq!(years, (2019..=2026).collect::<Vec<_>>());
}
