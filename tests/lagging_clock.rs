//! Replicas whose clocks are not the same: what begins at once has begun on each of them.

use api::app::clock::Clock;
use chrono::Duration;
use serde_json::json;

use crate::harness::{City, Replica, build_settings, on_both, report_body_at, seed};

on_both! {
    what_begins_at_once_has_begun_on_a_replica_whose_clock_is_behind,
}

fn what_begins_at_once_has_begun_on_a_replica_whose_clock_is_behind(city: &City) {
    // The city is ahead by more than a request takes, and by less than clocks may differ.
    city.advance(Duration::seconds(20));
    let replica = Replica::open_by(Clock::default(), build_settings(&city.database.url));
    let area = city.area_id(seed::GRID);
    let path = format!("/api/v1/people/{}", city.client("nobody").id());
    let grant = json!({ "role": "grid_worker", "area_id": area });
    city.client("admin").post(&format!("{path}/grant"), &grant).expect_success();
    let call = city.client("nobody").call("POST", "/api/v1/reports").on_server(&replica.base);
    call.json(&report_body_at(110.005, 30.005)).send().expect_success();
    // Who takes a post over has it there too.
    let home = format!("/api/v1/people/{}", city.client("worker").id());
    let to = city.client("lead").id();
    let body = json!({
        "role": "grid_worker", "area_id": area, "to_person_id": to, "reason": "岗位调整",
    });
    city.client("admin").post(&format!("{home}/hand_over"), &body).expect_success();
    let call = city.client("lead").call("POST", "/api/v1/reports").on_server(&replica.base);
    call.json(&report_body_at(110.005, 30.005)).send().expect_success();
    let until = (city.now() + Duration::hours(8)).to_rfc3339();
    let shift = json!({ "area_id": area, "until": until });
    city.client("verifier").post("/api/v1/me/shift/start", &shift).expect_success();
    let path_there = format!("/api/v1/areas/{area}/on_duty");
    let seen = city.client("grid_leader").call("GET", &path_there).on_server(&replica.base);
    let seen = seen.send().expect_success();
    assert_eq!(seen["items"][0]["person_id"], json!(city.client("verifier").id()));
    // What is to begin later does not begin earlier.
    let later = (city.now() + Duration::seconds(40)).to_rfc3339();
    let grant = json!({ "role": "community_officer", "area_id": city.area_id(seed::COMMUNITY), "from": later });
    city.client("admin").post(&format!("{path}/grant"), &grant).expect_success();
    city.client("nobody").get("/api/v1/people").expect_problem(403, "not_permitted");
}
