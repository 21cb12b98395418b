//! Burden: the demands on workers, never a ranking of people; switches that are off until a
//! reason is published.

use chrono::Duration;
use serde_json::{Value, json};

use crate::{
    harness::{City, on_both, read_texts, report_body_at, seed},
    household::register_household,
};

on_both! {
    every_entry_counts_what_it_demanded,
    each_sees_the_own_and_leaders_their_area,
    nobody_is_ranked_until_a_reason_is_published,
    pages_go_by_identity,
}

fn get_burden(city: &City, by: &str, query: &str) -> Value {
    city.client(by).get(&format!("/api/v1/stats/burden{query}")).expect_success()["items"].clone()
}

fn every_entry_counts_what_it_demanded(city: &City) {
    assert_eq!(get_burden(city, "worker", ""), json!([]));
    city.client("worker")
        .post("/api/v1/reports", &report_body_at(110.005, 30.005))
        .expect_success();
    let only = get_burden(city, "worker", "");
    let facts = |item: &Value| {
        json!([item["entries"], item["required"], item["typed"], item["reused"], item["photos"]])
    };
    // Text, place and category were given; title, channel and grid follow.
    assert_eq!(facts(&only[0]), json!([1, 2, 3, 3, 0]));
    let home = register_household(city);
    let visit = json!({ "household_id": home, "purposes": ["opinions"], "outcome": "met", "needs": [{ "text": "灯不亮" }] });
    city.client("worker").post("/api/v1/visits", &visit).expect_success();
    assert_eq!(get_burden(city, "worker", "")[0]["entries"], 3, "the need is no entry of its own");
    // Nothing is demanded of residents and other systems.
    city.submit_report();
    city.client("client")
        .post("/api/v1/reports", &report_body_at(110.005, 30.005))
        .expect_success();
    assert_eq!(get_burden(city, "resident", ""), json!([]));
    let past = city.now() - Duration::days(1);
    let query = format!("?until={}", past.format("%Y-%m-%dT%H:%M:%SZ"));
    assert_eq!(get_burden(city, "worker", &query), json!([]));
    let empty = city
        .client("worker")
        .get("/api/v1/stats/burden?from=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z");
    empty.expect_problem(422, "empty_period");
    let long = city.client("worker").get("/api/v1/stats/burden?from=2020-01-02T00:00:00Z");
    assert_eq!(long.expect_problem(400, "invalid_query")["errors"][0]["parameter"], "from");
}

fn each_sees_the_own_and_leaders_their_area(city: &City) {
    for by in ["worker", "verifier"] {
        city.client(by).post("/api/v1/reports", &report_body_at(110.005, 30.005)).expect_success();
    }
    city.client("next_worker")
        .post("/api/v1/reports", &report_body_at(110.015, 30.005))
        .expect_success();
    let names = |by: &str, query: &str| {
        let mut names = read_texts(&json!({ "items": get_burden(city, by, query) }), "/name");
        names.sort();
        names
    };
    assert_eq!(names("worker", ""), ["网格员王芳"]);
    assert_eq!(names("grid_leader", ""), ["网格员李强", "网格员王芳"]);
    assert_eq!(names("leader", ""), ["网格员周平", "网格员李强", "网格员王芳"]);
    let grid = format!("?within={}", city.area_id(seed::NEXT));
    assert_eq!(names("leader", &grid), ["网格员周平"]);
    let refused = city.client("worker").get(&format!("/api/v1/stats/burden{grid}"));
    refused.expect_problem(403, "not_permitted");
    assert_eq!(names("far_leader", ""), Vec::<String>::new());
    assert_eq!(names("worker@9902", ""), Vec::<String>::new());
}

fn nobody_is_ranked_until_a_reason_is_published(city: &City) {
    city.client("worker")
        .post("/api/v1/reports", &report_body_at(110.005, 30.005))
        .expect_success();
    let switches = city.client("").get("/api/v1/public/switches?tenant=9901").expect_success();
    assert!(
        switches["items"].as_array().unwrap().iter().all(|one| one["on"] == false),
        "{switches}"
    );
    assert_eq!(read_texts(&switches, "/switch"), ["check_ins", "mileage", "rankings"]);
    let ranked = "/api/v1/stats/burden?order=entries";
    city.client("leader").get(ranked).expect_problem(422, "switched_off");
    let plain = city.client("leader").get("/api/v1/stats/burden").expect_success();
    assert!(plain["note"].as_str().unwrap().contains("不排名"), "{plain}");
    assert_eq!(json!([plain["ranked"], plain["items"][0]["first_at"]]), json!([false, null]));
    let publish = |performance: Value| {
        let rule = json!({ "document": { "performance": performance }, "note": "应急期间" });
        city.client("admin").post("/api/v1/policies/conduct", &rule)
    };
    let grounds = |reason: &str| json!({ "reason": reason, "published": "2026-07-01" });
    let short = publish(json!({ "rankings": grounds("需要") })).expect_problem(422, "unsound");
    assert_eq!(short["errors"][0]["pointer"], "/document/performance/rankings/reason", "{short}");
    let why = "防汛应急值守期间，经区委批准并公示";
    publish(json!({ "rankings": grounds(why), "check_ins": grounds(why) })).expect_success();
    let shown = city.client("").get("/api/v1/public/switches?tenant=9901").expect_success();
    let on: Vec<&Value> = shown["items"].as_array().unwrap().iter().map(|one| &one["on"]).collect();
    assert_eq!(on, [true, false, true]);
    assert_eq!(shown["items"][2]["reason"], why);
    let list = city.client("leader").get(ranked).expect_success();
    assert_eq!(list["ranked"], true);
    assert!(list["items"][0]["first_at"].is_string(), "{list}");
    publish(json!({})).expect_success();
    city.client("leader").get(ranked).expect_problem(422, "switched_off");
}

fn pages_go_by_identity(city: &City) {
    for by in ["worker", "verifier", "community"] {
        city.client(by).post("/api/v1/reports", &report_body_at(110.005, 30.005)).expect_success();
    }
    let (mut ids, mut next) = (Vec::new(), Some("/api/v1/stats/burden?limit=1".to_owned()));
    while let Some(path) = next {
        let page = city.client("leader").get(&path).expect_success();
        ids.extend(read_texts(&page, "/person_id"));
        next = page["next"].as_str().map(|c| format!("/api/v1/stats/burden?limit=1&cursor={c}"));
    }
    assert_eq!(ids.len(), 3);
    assert!(ids.is_sorted(), "{ids:?}");
}
