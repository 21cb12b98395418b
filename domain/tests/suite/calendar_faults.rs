//! Calendars with faults: every fault, its place, and its message.

use chrono::NaiveDate;
use domain::{
    calendar::book::{CalendarBook, FaultCode, HolidayDay, HolidayYear, Schedule},
    core::tabular_import::Fault,
};
use serde_json::json;

use super::calendar::summer_schedule;

/// The codes and places of faults.
fn locate_faults(faults: &[Fault]) -> Vec<(&'static str, &'static str)> {
    let pointer = |fault: &Fault| &*Box::leak(fault.pointer().into_boxed_str());
    faults.iter().map(|fault| (fault.code, pointer(fault))).collect()
}

fn parse_faults(text: &str) -> Vec<Fault> {
    HolidayYear::parse(text).unwrap_err()
}

fn find_faults(schedule: serde_json::Value) -> Vec<Fault> {
    let schedule: Schedule = serde_json::from_value(schedule).unwrap();
    CalendarBook { schedules: vec![schedule], ..CalendarBook::default() }.check()
}

fn repeat_day(count: usize, day: &serde_json::Value) -> String {
    json!({"year": 2026, "papers": [], "days": vec![day; count]}).to_string()
}

#[test]
fn a_notice_says_which_entry_is_wrong_and_why() {
    assert_eq!(locate_faults(&parse_faults("{")), [("not_json", "")]);
    assert_eq!(
        locate_faults(&parse_faults("[]")),
        [("wrong_type", "/year"), ("wrong_type", "/papers"), ("wrong_type", "/days")]
    );
    let text = r#"{"year": 2026, "papers": [], "days": [
        {"name": "元旦", "date": "2026-01-01", "isOffDay": true},
        {"name": " ", "date": "2026-02-30", "isOffDay": "no"},
        {"date": 5}]}"#;
    let faults = parse_faults(text);
    assert_eq!(
        locate_faults(&faults),
        [
            ("wrong_type", "/days/1/isOffDay"),
            ("bad_name", "/days/1/name"),
            ("not_a_date", "/days/1/date"),
            ("wrong_type", "/days/2/name"),
            ("wrong_type", "/days/2/date"),
            ("wrong_type", "/days/2/isOffDay"),
        ]
    );
    assert_eq!(faults[0].find_fact("given"), Some("\"no\""));
    assert_eq!(faults[2].find_fact("given"), Some("2026-02-30"));
}

#[test]
fn a_notice_is_about_its_year_and_the_december_before() {
    let text = r#"{"year": 2026, "papers": [], "days": [
        {"name": "元旦", "date": "2025-12-31", "isOffDay": true},
        {"name": "元旦", "date": "2025-11-30", "isOffDay": true},
        {"name": "元旦", "date": "2026-01-01", "isOffDay": true},
        {"name": "元旦", "date": "2026-01-01", "isOffDay": true},
        {"name": "元旦", "date": "2026-01-01", "isOffDay": false},
        {"name": "元旦", "date": "2027-01-01", "isOffDay": true}]}"#;
    let faults = parse_faults(text);
    assert_eq!(
        locate_faults(&faults),
        [
            ("outside_year", "/days/1/date"),
            ("date_contradicts", "/days/4/date"),
            ("outside_year", "/days/5/date"),
        ]
    );
    assert_eq!(faults[1].find_fact("first"), Some("/days/2"));
    let ancient = r#"{"year": 1066, "papers": [], "days": []}"#;
    assert_eq!(locate_faults(&parse_faults(ancient)), [("out_of_range", "/year")]);
}

#[test]
fn a_notice_is_bounded() {
    let day = json!({"name": "元旦", "date": "2026-01-01", "isOffDay": true});
    assert!(HolidayYear::parse(&repeat_day(400, &day)).is_ok());
    assert_eq!(locate_faults(&parse_faults(&repeat_day(401, &day))), [("too_many", "/days")]);
    let papers = json!({"year": 2026, "papers": vec!["x"; 21], "days": []}).to_string();
    assert_eq!(locate_faults(&parse_faults(&papers)), [("too_many", "/papers")]);
    let mut book = CalendarBook::default();
    let wrong = repeat_day(150, &json!({}));
    assert_eq!(book.import_years(&[&wrong]).unwrap_err().len(), 100);
}

#[test]
fn an_import_takes_all_files_or_none() {
    let mut book = CalendarBook::standard();
    let published = r#"{"year": 2027, "papers": [],
        "days": [{"name": "元旦", "date": "2027-01-01", "isOffDay": true}]}"#;
    let empty = r#"{"year": 2026, "papers": [], "days": []}"#;
    let faults = book.import_years(&[published, empty, published, "x"]).unwrap_err();
    assert_eq!(locate_faults(&faults), [("year_twice", "/2/year"), ("not_json", "/3")]);
    assert_eq!(faults[0].find_fact("first"), Some("/0/year"));
    assert_eq!(book, CalendarBook::standard());
    book.import_years(&[published, empty]).unwrap();
    assert!(book.years[&2027].is_published());
    assert!(book.years[&2026].is_published(), "an empty notice replaces none");
}

#[test]
fn years_stand_under_their_own_key_and_agree() {
    let mut book = CalendarBook::standard();
    let year = book.years.remove(&2026).unwrap();
    book.years.insert(2028, year);
    assert_eq!(locate_faults(&book.check()), [("year_mismatch", "/years/2028/year")]);
    let mut book = CalendarBook::standard();
    let date = NaiveDate::from_ymd_opt(2025, 12, 31).unwrap();
    for (year, is_off_day) in [(2025, true), (2026, false)] {
        let name = "元旦".try_into().unwrap();
        book.years.get_mut(&year).unwrap().days.push(HolidayDay { name, date, is_off_day });
    }
    let faults = book.check();
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].code, FaultCode::DateContradicts.name());
    assert_eq!(faults[0].find_fact("first"), Some("/years/2025"));
}

#[test]
fn windows_run_forwards_and_apart() {
    let window = |from: &str, until: &str| json!({"from": from, "until": until});
    let windows = [
        window("14:00", "18:00"),
        window("08:00", "08:00"),
        window("12:00", "09:00"),
        window("08:00", "14:00"),
        window("17:59", "24:00"),
    ];
    let faults = find_faults(json!({"windows": windows}));
    assert_eq!(
        locate_faults(&faults),
        [
            ("empty_window", "/schedules/0/windows/1"),
            ("empty_window", "/schedules/0/windows/2"),
            ("windows_overlap", "/schedules/0/windows/4"),
        ]
    );
    assert_eq!(
        (faults[2].find_fact("from").unwrap(), faults[2].find_fact("until").unwrap()),
        ("17:59", "24:00")
    );
    let nine = vec![window("08:00", "09:00"); 9];
    assert_eq!(
        locate_faults(&find_faults(json!({"windows": nine}))),
        [("too_many", "/schedules/0/windows")]
    );
    for bad in ["8:00", "24:01", "12:60", "noon"] {
        let schedule = json!({"windows": [window(bad, "24:00")]});
        assert!(serde_json::from_value::<Schedule>(schedule).is_err(), "{bad}");
    }
}

#[test]
fn seasons_share_no_day_with_their_like() {
    let yearly = |from: &str, until: &str| json!({"yearly": {"from": from, "until": until}});
    let dated = |from: &str, until: &str| json!({"dated": {"from": from, "until": until}});
    let of = |spans: &[serde_json::Value]| {
        let windows = json!([{"from": "08:00", "until": "12:00"}]);
        let season = |span| json!({"name": "时令", "span": span, "windows": windows});
        find_faults(json!({"seasons": spans.iter().map(season).collect::<Vec<_>>()}))
    };
    let overlap = [("seasons_overlap", "/schedules/0/seasons/1/span")];
    assert_eq!(locate_faults(&of(&[yearly("11-01", "03-01"), yearly("03-01", "05-31")])), overlap);
    assert_eq!(locate_faults(&of(&[yearly("11-01", "03-01"), yearly("12-01", "01-05")])), overlap);
    assert_eq!(of(&[yearly("11-01", "03-01"), yearly("03-02", "10-31")]), []);
    assert_eq!(
        locate_faults(&of(&[dated("2026-07-01", "2026-07-31"), dated("2026-07-31", "2026-08-01")])),
        overlap
    );
    assert_eq!(of(&[yearly("07-01", "07-31"), dated("2026-07-31", "2026-08-01")]), []);
    let backwards = [("season_backwards", "/schedules/0/seasons/0/span")];
    assert_eq!(locate_faults(&of(&[dated("2026-07-02", "2026-07-01")])), backwards);
    let many = vec![dated("2026-07-01", "2026-07-01"); 21];
    assert_eq!(locate_faults(&of(&many)), [("too_many", "/schedules/0/seasons")]);
    for bad in ["02-30", "13-01", "6-1"] {
        let season = json!({"name": "x", "span": yearly(bad, "12-31"), "windows": []});
        assert!(serde_json::from_value::<Schedule>(json!({"seasons": [season]})).is_err(), "{bad}");
    }
}

#[test]
fn somebody_works_at_some_time() {
    let none =
        [("no_working_time", "/schedules/0/weekdays"), ("no_working_time", "/schedules/0/windows")];
    assert_eq!(locate_faults(&find_faults(json!({"weekdays": [], "windows": []}))), none);
    let season = json!({"name": "停工", "span": {"yearly": {"from": "01-01", "until": "12-31"}}, "windows": []});
    let none = [("no_working_time", "/schedules/0/seasons/0/windows")];
    assert_eq!(locate_faults(&find_faults(json!({"seasons": [season]}))), none);
    for minutes in [0, 1441] {
        let rule = json!({"working_day": {"elapsed": {"minutes_per_day": minutes}}});
        let at = "/schedules/0/convention/working_day/elapsed/minutes_per_day";
        assert_eq!(
            locate_faults(&find_faults(json!({"convention": rule}))),
            [("out_of_range", at)]
        );
    }
}

#[test]
fn schedules_and_special_days_are_each_given_once() {
    let mut book = CalendarBook {
        schedules: vec![summer_schedule(), summer_schedule()],
        ..CalendarBook::default()
    };
    assert_eq!(locate_faults(&book.check()), [("area_twice", "/schedules/1/area")]);
    book.schedules = vec![summer_schedule(); 51];
    assert_eq!(locate_faults(&book.check()), [("too_many", "/schedules")]);
    let mut schedule = summer_schedule();
    schedule.special_days.push(schedule.special_days[0].clone());
    book.schedules = vec![schedule.clone()];
    assert_eq!(locate_faults(&book.check()), [("date_twice", "/schedules/0/special_days/3/date")]);
    schedule.special_days = vec![schedule.special_days[0].clone(); 401];
    book.schedules = vec![schedule];
    assert_eq!(locate_faults(&book.check()), [("too_many", "/schedules/0/special_days")]);
    let year =
        book.years.entry(2026).or_insert(HolidayYear { year: 2026, papers: vec![], days: vec![] });
    let year = year.clone();
    book.years = (1..=102).map(|key| (key, year.clone())).collect();
    assert_eq!(locate_faults(&book.check()), [("too_many", "/years")]);
}
