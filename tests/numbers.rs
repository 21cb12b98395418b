//! Numbers that are read over the telephone: in a tenant one number is one thing.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::harness::{City, on_both, read_text, report_body_at};

on_both! {
    two_things_have_two_numbers,
    those_who_come_at_once_have_numbers_of_their_own,
    what_is_planned_by_the_clock_has_a_number_of_its_own,
}

/// Identities that phones may make and that end alike.
fn alike(number: u32) -> String {
    format!("{number:08x}-0000-4000-8000-00badc0ffee5")
}

fn submit(city: &City, id: &str) -> Value {
    let mut body = report_body_at(110.005, 30.005);
    body["id"] = json!(id);
    city.client("resident").post_as(id, "/api/v1/reports", &body).expect_success()
}

fn two_things_have_two_numbers(city: &City) {
    let first = submit(city, &alike(1));
    let second = submit(city, &alike(2));
    let (one, other) = (read_text(&first, "/number"), read_text(&second, "/number"));
    assert_ne!(one, other);
    // As short as ever, where it can be.
    assert_eq!(one.len(), "R20260101-01234567".len(), "{one}");
    // Asked again, it is what it was.
    assert_eq!(read_text(&submit(city, &alike(2)), "/number"), other);
    // Cases and households likewise.
    let file = |report: &Value, case: &str| {
        let path = format!("/api/v1/reports/{}/file", read_text(report, "/id"));
        city.client("community").post(&path, &json!({ "case_id": case })).expect_success();
        let path = format!("/api/v1/cases/{case}");
        read_text(&city.client("community").get(&path).expect_success(), "/number")
    };
    assert_ne!(file(&first, &alike(11)), file(&second, &alike(12)));
    let household = |id: &str| {
        let mut body = crate::household::household_body(city);
        body["id"] = json!(id);
        body["members"] = json!([]);
        read_text(
            &city.client("worker").post("/api/v1/households", &body).expect_success(),
            "/number",
        )
    };
    assert_ne!(household(&alike(21)), household(&alike(22)));
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn those_who_come_at_once_have_numbers_of_their_own(city: &City) {
    let numbers: HashSet<String> = std::thread::scope(|scope| {
        let submits: Vec<_> = (1..=8)
            .map(|number| scope.spawn(move || read_text(&submit(city, &alike(number)), "/number")))
            .collect();
        submits.into_iter().map(|submit| submit.join().unwrap()).collect()
    });
    assert_eq!(numbers.len(), 8, "{numbers:?}");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn what_is_planned_by_the_clock_has_a_number_of_its_own(city: &City) {
    let plan = crate::patrol::plan_body(city);
    for _ in 0..2 {
        city.client("grid_leader").post("/api/v1/patrol_plans", &plan).expect_success();
    }
    crate::patrol::run_scheduler(city);
    let list = city.client("grid_leader").get("/api/v1/patrols").expect_success();
    let items = list["items"].as_array().unwrap();
    let numbers: HashSet<String> = items.iter().map(|one| read_text(one, "/number")).collect();
    assert!(!items.is_empty() && numbers.len() == items.len(), "{list}");
}
