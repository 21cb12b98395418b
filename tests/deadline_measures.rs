//! The scheduler: debts that become late are reminded, urged and supervised, each measure once, by
//! whichever replica takes it.

use actix_web::rt::System;
use api::{app::state::App, integrations::scheduler};
use chrono::Duration;
use serde_json::{Value, json};

use crate::harness::{City, build_settings, on_both, read_texts, seed};

on_both! {
    measures_come_in_order_and_each_once,
    two_replicas_take_each_measure_once,
    what_was_missed_while_nobody_looked_is_made_up,
    a_debt_that_was_settled_is_left_alone,
    what_is_lifted_late_was_late_whoever_looks_first,
    the_level_above_answers_for_a_debt,
    a_standstill_ends_by_itself,
    a_late_debt_is_a_fact_an_exemption_stands_beside_it,
    a_provisional_deadline_moves_when_the_year_is_published,
}

/// One pass of another replica; how many measures it took.
fn run_pass(city: &City) -> u64 {
    System::new().block_on(async {
        let app = open_replica(city).await;
        let taken = scheduler::run_pass(&app).await.expect("it can look");
        app.store.close();
        taken
    })
}

async fn open_replica(city: &City) -> App {
    App::open(build_settings(&city.database.url), city.clock()).await.expect("another replica")
}

/// The measures taken about a case, by name.
fn list_measures(city: &City, case: &str) -> Vec<String> {
    let path = format!("/api/v1/cases/{case}/timeline");
    let shown = city.client("dispatcher").get(&path).expect_success();
    let events = shown["items"].as_array().unwrap().iter();
    let events = events.flat_map(|item| item["events"].as_array().unwrap());
    let measured = events.filter(|event| event["event"] == "measured" && event["duty"] == "sign");
    measured.map(|event| event["what"].as_str().unwrap().to_owned()).collect()
}

fn measures_come_in_order_and_each_once(city: &City) {
    let case = city.new_dispatched_case();
    run_pass(city);
    assert_eq!(list_measures(city, &case), Vec::<String>::new(), "nothing is due yet");
    city.advance(Duration::minutes(46));
    run_pass(city);
    assert_eq!(list_measures(city, &case), ["remind"], "three quarters of an hour are used up");
    assert_eq!(city.get_case("dispatcher", &case)["breaches"], json!([]));
    city.advance(Duration::minutes(14));
    run_pass(city);
    assert_eq!(list_measures(city, &case), ["remind", "urge"]);
    run_pass(city);
    assert_eq!(list_measures(city, &case), ["remind", "urge"], "each once");
    let shown = city.get_case("dispatcher", &case);
    assert_eq!(shown["breaches"][0]["duty"], "sign");
    assert_eq!(shown["supervisions"][0]["kind"], "urge");
    city.advance(Duration::days(30));
    while run_pass(city) > 0 {}
    assert_eq!(list_measures(city, &case), ["remind", "urge", "supervise", "report", "list"]);
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn two_replicas_take_each_measure_once(city: &City) {
    let cases: Vec<String> = (0..12).map(|_| city.new_dispatched_case()).collect();
    city.advance(Duration::hours(2));
    let look = || {
        System::new().block_on(async {
            let app = open_replica(city).await;
            for _ in 0..3 {
                scheduler::run_pass(&app).await.expect("it can look");
            }
            app.store.close();
        });
    };
    std::thread::scope(|scope| {
        scope.spawn(look);
        scope.spawn(look);
    });
    for case in &cases {
        assert_eq!(list_measures(city, case), ["remind", "urge"]);
        let shown = city.get_case("dispatcher", case);
        assert_eq!(shown["breaches"].as_array().unwrap().len(), 1, "{shown}");
    }
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn what_was_missed_while_nobody_looked_is_made_up(city: &City) {
    let case = city.new_dispatched_case();
    city.advance(Duration::days(60));
    while run_pass(city) > 0 {}
    assert_eq!(list_measures(city, &case), ["remind", "urge", "supervise", "report", "list"]);
    let todos =
        city.client("community").get("/api/v1/me/todos?duty=answer_supervision").expect_success();
    assert_eq!(read_texts(&todos, "/duty").len(), 4, "two for signing, two for handling: {todos}");
}

fn a_debt_that_was_settled_is_left_alone(city: &City) {
    let case = city.new_signed_case();
    city.advance(Duration::hours(3));
    run_pass(city);
    assert_eq!(list_measures(city, &case), Vec::<String>::new());
}

fn what_is_lifted_late_was_late_whoever_looks_first(city: &City) {
    let (seen, unseen) = (city.new_dispatched_case(), city.new_dispatched_case());
    city.advance(Duration::hours(2));
    let back = |case: &str| {
        let shown = city.take_step("community", case, "return", &city.not_ours());
        read_texts(&json!({ "items": shown["breaches"] }), "/duty")
    };
    assert_eq!(back(&unseen), ["sign"]);
    run_pass(city);
    assert_eq!(back(&seen), ["sign"]);
}

fn the_level_above_answers_for_a_debt(city: &City) {
    let case = city.new_dispatched_case();
    city.advance(Duration::days(30));
    while run_pass(city) > 0 {}
    let path = "/api/v1/me/todos?duty=answer_supervision";
    let own = |by: &str| read_texts(&city.client(by).get(path).expect_success(), "/unit_id");
    assert_eq!(own("leader"), vec![city.area_id(seed::STREET); 2], "of signing and of handling");
    let shown = city.get_case("dispatcher", &case);
    let up = shown["supervisions"].as_array().unwrap().iter();
    let up: Vec<_> = up.filter(|one| one["addressee"]["name"] == "青山街道").collect();
    assert_eq!(up.len(), 2);
    let reply = format!("supervisions/{}/reply", up[0]["no"]);
    city.take_step("leader", &case, &reply, &json!({ "text": "已约谈社区负责人" }));
    assert_eq!(own("leader").len(), 1);
}

/// Requests something and has it signed at both levels.
fn grant_request(city: &City, case: &str, verb: &str, body: &Value, by: &[&str]) -> Value {
    let mut shown = city.take_step("community", case, verb, body);
    for by in by {
        let no = shown["requests"][0]["no"].clone();
        shown =
            city.take_step(by, case, &format!("requests/{no}/decide"), &json!({ "agree": true }));
    }
    shown
}

fn a_standstill_ends_by_itself(city: &City) {
    let case = city.new_signed_case();
    let before = city.get_case("dispatcher", &case)["assignment"]["handle"]["due_at"].clone();
    let until = city.now() + Duration::days(14);
    let asked = json!({ "until": until, "reason": "雨季不能施工" });
    let still = grant_request(city, &case, "suspend", &asked, &["leader", "district"]);
    assert_eq!(still["assignment"]["handle"]["moves"][0]["what"], "paused");
    assert_ne!(still["assignment"]["handle"]["due_at"], before);
    let done = json!({ "result": "已完成" });
    city.post_step("community", &case, "feedback", &done).expect_problem(422, "suspended");
    city.advance(Duration::days(13));
    run_pass(city);
    assert_ne!(city.get_case("dispatcher", &case)["suspended_until"], Value::Null);
    city.advance(Duration::days(1));
    run_pass(city);
    let after = city.get_case("dispatcher", &case);
    assert_eq!(after["suspended_until"], Value::Null);
    assert_eq!(after["assignment"]["handle"], still["assignment"]["handle"], "as was foreseen");
    city.take_step("community", &case, "feedback", &done);
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn a_late_debt_is_a_fact_an_exemption_stands_beside_it(city: &City) {
    let case = city.new_dispatched_case();
    city.advance(Duration::hours(2));
    let signed = city.take_step("community", &case, "sign", &json!({}));
    assert_eq!(signed["breaches"][0]["duty"], "sign");
    let appeal = json!({ "breach": 1, "reason": "当日全街道停电" });
    let excused = grant_request(city, &case, "appeal", &appeal, &["leader", "district"]);
    let breach = &excused["breaches"][0];
    assert_eq!((&breach["appealed"], &breach["duty"]), (&json!(true), &json!("sign")));
    assert_ne!(breach["exempted_at"], Value::Null);
    city.post_step("community", &case, "appeal", &appeal).expect_problem(422, "spent");
    let owed = city
        .client("dispatcher")
        .get(&format!("/api/v1/cases/{case}/obligations"))
        .expect_success();
    let sign = owed["items"].as_array().unwrap().iter().find(|item| item["duty"] == "sign");
    assert_eq!(sign.unwrap()["outcome"], "late", "the fact stays");
}

fn a_provisional_deadline_moves_when_the_year_is_published(city: &City) {
    // Until a year begins whose notice this program cannot have.
    let mut case = city.new_dispatched_case();
    let handle = |case: &str| city.get_case("dispatcher", case)["assignment"]["handle"].clone();
    while handle(&case)["provisional"] == false {
        city.advance(Duration::days(20));
        city.client("admin").get("/api/v1/me").expect_success();
        case = city.new_dispatched_case();
    }
    let before = handle(&case);
    assert_eq!(before["calendar"], 0);
    let started = city.now();
    // The whole month is off.
    let days: Vec<Value> = (0..30)
        .map(|day| (started + Duration::days(day) + Duration::hours(8)).date_naive())
        .map(|date| json!({ "name": "假", "date": date, "isOffDay": true }))
        .collect();
    let years: std::collections::BTreeSet<String> =
        days.iter().map(|day| day["date"].as_str().unwrap()[..4].to_owned()).collect();
    let notices: Vec<Value> = years
        .iter()
        .map(|year| {
            let own = |day: &&Value| day["date"].as_str().unwrap().starts_with(year.as_str());
            let days: Vec<&Value> = days.iter().filter(own).collect();
            json!({ "year": year.parse::<i32>().unwrap(), "papers": [], "days": days })
        })
        .collect();
    let body = json!({ "years": notices, "note": "放假安排" });
    city.client("admin").post("/api/v1/policies/calendar/holidays", &body).expect_success();
    assert!(run_pass(city) > 0, "the scheduler finds what was provisional");
    let after = handle(&case);
    assert_eq!(after["calendar"], 1);
    assert!(after["due_at"].as_str() > before["due_at"].as_str(), "{after}");
    assert_eq!(after["started_at"], before["started_at"]);
    let unit = city.area_id(seed::COMMUNITY);
    let todos = city.client("community").get("/api/v1/me/todos?duty=handle").expect_success();
    let items = todos["items"].as_array().unwrap();
    let own = items.iter().find(|item| item["flow_id"] == *case).unwrap();
    assert_eq!((&own["term"]["due_at"], &own["unit_id"]), (&after["due_at"], &json!(unit)));
    assert_eq!(city.verify().broken, Vec::<String>::new());
}
