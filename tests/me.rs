//! The one to-do list.

use chrono::Duration;
use serde_json::json;

use crate::harness::{City, on_both, read_text, read_texts, seed};

on_both! {
    the_list_shows_what_the_own_units_owe,
    the_earliest_deadline_comes_first,
    what_is_done_leaves_the_list,
    what_is_late_is_marked,
    a_duty_is_picked_out,
    somebody_with_several_roles_sees_one_list,
}

fn list_duties(city: &City, by: &str) -> Vec<String> {
    read_texts(&city.client(by).get("/api/v1/me/todos").expect_success(), "/duty")
}

fn the_list_shows_what_the_own_units_owe(city: &City) {
    city.new_whistled_case();
    assert_eq!(list_duties(city, "water"), ["sign_whistle", "contact", "arrive", "feed_back"]);
    let todos = city.client("water").get("/api/v1/me/todos").expect_success();
    assert!(read_texts(&todos, "/unit_name").iter().all(|name| name == "西区水务局"));
    for by in ["market", "community", "dispatcher", "resident", "nobody"] {
        assert_eq!(list_duties(city, by), Vec::<String>::new(), "{by}");
    }
}

fn the_earliest_deadline_comes_first(city: &City) {
    city.new_whistled_case();
    city.advance(Duration::days(1));
    city.new_whistled_case();
    let todos = city.client("lead").get("/api/v1/me/todos").expect_success();
    let due = read_texts(&todos, "/term/due_at");
    let mut sorted = due.clone();
    sorted.sort_unstable();
    assert_eq!((due.len(), &due), (8, &sorted));
}

fn what_is_done_leaves_the_list(city: &City) {
    let case = city.new_whistled_case();
    city.answer_summons("water", &case, seed::SW);
    assert_eq!(list_duties(city, "water"), Vec::<String>::new());
    assert_eq!(list_duties(city, "leader"), ["release"]);
    city.answer_summons("lead", &case, seed::CG);
    for unit in [seed::SW, seed::CG] {
        city.post_summons_step("leader", &case, unit, "release", &json!({})).expect_success();
    }
    assert_eq!(list_duties(city, "leader"), ["rate", "rate"]);
    assert_eq!(list_duties(city, "verifier"), ["verify"]);
}

fn what_is_late_is_marked(city: &City) {
    let report = city.submit_report();
    let todos = city.client("community").get("/api/v1/me/todos").expect_success();
    assert_eq!(todos["items"][0]["overdue"], false);
    city.advance(Duration::hours(2));
    let todos = city.client("community").get("/api/v1/me/todos").expect_success();
    assert_eq!(todos["items"][0]["overdue"], true);
    city.file_report(&report);
    // Late is a fact of the record, not a reason to refuse.
    assert_eq!(list_duties(city, "community"), ["dispatch"]);
}

fn a_duty_is_picked_out(city: &City) {
    let case = city.new_whistled_case();
    let found = city.client("lead").get("/api/v1/me/todos?duty=arrive").expect_success();
    assert_eq!(read_texts(&found, "/duty"), ["arrive"]);
    assert_eq!(read_text(&found, "/items/0/flow_id"), case);
    let refused =
        city.client("lead").get("/api/v1/me/todos?duty=dance").expect_problem(400, "invalid_query");
    assert_eq!(refused["errors"][0]["parameter"], "duty");
    assert_eq!(
        city.client("lead").get("/api/v1/me/todos?duty=accept").expect_success()["items"],
        json!([])
    );
}

fn somebody_with_several_roles_sees_one_list(city: &City) {
    let person = city.client("water").id();
    let grant = json!({ "role": "community_officer", "area_id": city.area_id(seed::COMMUNITY) });
    city.client("admin").post(&format!("/api/v1/people/{person}/grant"), &grant).expect_success();
    city.new_whistled_case();
    city.submit_report();
    assert_eq!(
        list_duties(city, "water"),
        ["sign_whistle", "accept", "contact", "arrive", "feed_back"]
    );
}
