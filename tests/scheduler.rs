//! The scheduler continues even if single items fail, and reports what it steps over and that it is
//! late.

use chrono::Duration;
use persistence::probe;
use serde_json::Value;

use crate::{
    harness::{City, on_both},
    ownership::with_reopened,
};

on_both! {
    debts_that_cannot_be_processed_stop_no_clock,
    what_was_stepped_over_is_tried_again_later_each_time,
    readiness_says_that_measures_are_late,
    debts_due_by_their_row_alone_stop_no_clock,
}

/// Runs a pass, as the server does every second; the city's own server reports what it saw.
fn run_pass(city: &City) {
    let app = city.app.clone();
    actix_web::rt::System::new().block_on(async move {
        api::integrations::scheduler::run_pass(&app).await.expect("the pass goes through");
    });
}

fn get_readiness(city: &City) -> Value {
    city.client("").get("/readyz").expect_success()
}

/// Gives every open debt of reports a flow without a known measure.
fn break_debts(city: &City) {
    let sql = "update obligations set flow = 'no_such_flow' where flow = 'report'";
    probe::execute(&city.database.url, sql).unwrap();
}

fn mend_debts(city: &City) {
    let sql = "update obligations set flow = 'report' where flow = 'no_such_flow'";
    probe::execute(&city.database.url, sql).unwrap();
}

fn list_measures(city: &City, report: &str) -> Vec<String> {
    let path = format!("/api/v1/reports/{report}/timeline");
    let shown = city.client("community").get(&path).expect_success();
    let commands = shown["items"].as_array().unwrap().iter().map(|item| item["command"].as_str());
    commands.flatten().filter(|command| *command == "lapse").map(str::to_owned).collect()
}

fn debts_that_cannot_be_processed_stop_no_clock(city: &City) {
    // More than a page of them, all due before the one that can be processed.
    for _ in 0..205 {
        city.submit_report();
    }
    break_debts(city);
    city.advance(Duration::minutes(1));
    let report = city.submit_report();
    city.advance(Duration::days(10));
    run_pass(city);
    assert!(!list_measures(city, &report).is_empty(), "its measure was taken");
    let ready = get_readiness(city);
    assert_eq!(ready["clockwork"]["deferred"], 205, "{ready}");
    assert!(ready["clockwork"]["failed"].as_u64().unwrap() >= 205, "{ready}");
    assert_eq!(ready["status"], "ok", "nothing that can be processed waits: {ready}");
}

fn what_was_stepped_over_is_tried_again_later_each_time(city: &City) {
    let report = city.submit_report();
    break_debts(city);
    city.advance(Duration::days(10));
    run_pass(city);
    let tried = || get_readiness(city)["clockwork"]["failed"].as_u64().unwrap();
    let first = tried();
    run_pass(city);
    assert_eq!(tried(), first, "not before a minute has passed");
    city.advance(Duration::seconds(61));
    run_pass(city);
    assert_eq!(tried(), first + 1);
    city.advance(Duration::seconds(61));
    run_pass(city);
    assert_eq!(tried(), first + 1, "two minutes the second time");
    city.advance(Duration::seconds(61));
    run_pass(city);
    assert_eq!(tried(), first + 2);
    // Once it can be processed, it is, and the deferral is forgotten.
    mend_debts(city);
    city.advance(Duration::hours(1));
    run_pass(city);
    assert!(!list_measures(city, &report).is_empty());
    assert_eq!(get_readiness(city)["clockwork"]["deferred"], 0);
    let left = "select count(*) || '' as line from deferred_debts";
    assert_eq!(probe::query_lines(&city.database.url, left).unwrap(), ["0"]);
}

fn readiness_says_that_measures_are_late(city: &City) {
    city.submit_report();
    assert_eq!(get_readiness(city)["status"], "ok", "before the first look");
    run_pass(city);
    assert_eq!(get_readiness(city)["status"], "ok");
    city.advance(Duration::seconds(30));
    let ready = get_readiness(city);
    assert_eq!(ready["status"], "ok", "{ready}");
    // A scheduler that no longer looks is late, whatever it found the last time.
    city.advance(Duration::seconds(40));
    let ready = get_readiness(city);
    assert_eq!(ready["status"], "lagging", "{ready}");
    assert!(ready["clockwork"]["lag_ms"].as_i64().unwrap() >= 70_000, "{ready}");
    run_pass(city);
    assert_eq!(get_readiness(city)["status"], "ok");
    // Another replica takes measures of its own: this one says what it saw.
    let taken =
        with_reopened(city, async |app| api::integrations::scheduler::run_pass(app).await.unwrap());
    assert_eq!(taken, 0);
}

fn debts_due_by_their_row_alone_stop_no_clock(city: &City) {
    for _ in 0..205 {
        city.submit_report();
    }
    let earlier = match city.engine() {
        crate::harness::Engine::Sqlite => "update obligations set next_at = 1",
        crate::harness::Engine::Postgres => {
            "update obligations set next_at = timestamptz '1970-01-02'"
        }
    };
    probe::execute(&city.database.url, earlier).unwrap();
    let report = city.submit_report();
    // Late enough for a reminder of the newest, and of no other.
    city.advance(Duration::minutes(1));
    run_pass(city);
    let ready = get_readiness(city);
    assert_eq!(ready["clockwork"]["deferred"], 205, "{ready}");
    assert_eq!(ready["status"], "ok", "{ready}");
    city.advance(Duration::days(10));
    run_pass(city);
    assert!(!list_measures(city, &report).is_empty(), "its measure was taken");
}
