//! Work that a unit owes is not left to nobody, however a right over the unit ends.

use chrono::Duration;
use serde_json::{Value, json};

use crate::harness::{Answer, City, on_both, seed};

on_both! {
    no_right_is_taken_that_open_work_needs,
    what_is_handed_over_leaves_no_work_undone,
    work_that_an_ended_right_left_is_found,
}

fn post_step(city: &City, account: &str, verb: &str, body: &Value) -> Answer {
    let person = city.client(account).id();
    city.client("admin").post(&format!("/api/v1/people/{person}/{verb}"), body)
}

fn officer(city: &City) -> Value {
    json!({ "role": "community_officer", "area_id": city.area_id(seed::COMMUNITY) })
}

fn no_right_is_taken_that_open_work_needs(city: &City) {
    city.new_dispatched_case();
    let endings = [
        ("revoke", officer(city)),
        ("suspend", json!({ "reason": "借调" })),
        ("leave", json!({ "reason": "退休" })),
    ];
    for (verb, body) in &endings {
        let refused = post_step(city, "community", verb, body).expect_problem(422, "open_work");
        assert_eq!(refused["units"], json!(["枫林社区"]), "{verb}");
    }
    let me = city.client("community").get("/api/v1/me").expect_success();
    assert_eq!(me["grants"].as_array().map(Vec::len), Some(1), "nothing was taken");
    // Another who is suspended does none of it.
    post_step(city, "nobody", "grant", &officer(city)).expect_success();
    post_step(city, "nobody", "suspend", &json!({ "reason": "借调" })).expect_success();
    post_step(city, "community", "revoke", &officer(city)).expect_problem(422, "open_work");
    post_step(city, "nobody", "reinstate", &json!({})).expect_success();
    post_step(city, "community", "suspend", &json!({ "reason": "借调" })).expect_success();
    post_step(city, "nobody", "revoke", &officer(city)).expect_problem(422, "open_work");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn what_is_handed_over_leaves_no_work_undone(city: &City) {
    city.new_dispatched_case();
    let mut body = officer(city);
    body["to_person_id"] = json!(city.client("nobody").id());
    body["reason"] = json!("岗位调整");
    post_step(city, "community", "hand_over", &body).expect_success();
    post_step(city, "community", "leave", &json!({ "reason": "退休" })).expect_success();
    post_step(city, "nobody", "revoke", &officer(city)).expect_problem(422, "open_work");
}

fn work_that_an_ended_right_left_is_found(city: &City) {
    let find = || {
        let path = format!("/api/v1/areas/{}/findings", city.area_id(seed::COMMUNITY));
        let found = city.client("admin").get(&path).expect_success();
        let items = found["items"].as_array().expect("a list");
        let left = items.iter().filter(|item| item["code"] == "work_left");
        left.map(|item| item["area_name"].clone()).collect::<Vec<_>>()
    };
    city.new_dispatched_case();
    let mut renewed = officer(city);
    renewed["until"] = json!((city.now() + Duration::hours(1)).to_rfc3339());
    post_step(city, "community", "grant", &renewed).expect_success();
    assert_eq!(find(), Vec::<Value>::new());
    city.advance(Duration::hours(2));
    assert_eq!(find(), [json!("枫林社区")]);
    post_step(city, "nobody", "grant", &officer(city)).expect_success();
    assert_eq!(find(), Vec::<Value>::new());
}
