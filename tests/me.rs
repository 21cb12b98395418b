//! The one to-do list.

use chrono::Duration;
use serde_json::json;

use crate::harness::{City, each, on_both, seed, text};

on_both! {
    the_list_shows_what_the_own_units_owe,
    the_earliest_deadline_comes_first,
    what_is_done_leaves_the_list,
    what_is_late_is_marked,
    a_duty_is_picked_out,
    somebody_with_several_roles_sees_one_list,
}

fn duties(city: &City, by: &str) -> Vec<String> {
    each(&city.by(by).get("/api/v1/me/todos").done(), "/duty")
}

fn the_list_shows_what_the_own_units_owe(city: &City) {
    city.whistled();
    assert_eq!(duties(city, "water"), ["sign_whistle", "contact", "arrive", "feed_back"]);
    let todos = city.by("water").get("/api/v1/me/todos").done();
    assert!(each(&todos, "/unit_name").iter().all(|name| name == "西区水务局"));
    for by in ["market", "community", "dispatcher", "resident", "nobody"] {
        assert_eq!(duties(city, by), Vec::<String>::new(), "{by}");
    }
}

fn the_earliest_deadline_comes_first(city: &City) {
    city.whistled();
    city.advance(Duration::days(1));
    city.whistled();
    let todos = city.by("lead").get("/api/v1/me/todos").done();
    let due = each(&todos, "/term/due_at");
    let mut sorted = due.clone();
    sorted.sort_unstable();
    assert_eq!((due.len(), &due), (8, &sorted));
}

fn what_is_done_leaves_the_list(city: &City) {
    let case = city.whistled();
    city.answers("water", &case, seed::SW);
    assert_eq!(duties(city, "water"), Vec::<String>::new());
    assert_eq!(duties(city, "leader"), ["release"]);
    city.answers("lead", &case, seed::CG);
    for unit in [seed::SW, seed::CG] {
        city.summons("leader", &case, unit, "release", &json!({})).done();
    }
    assert_eq!(duties(city, "leader"), ["rate", "rate"]);
    assert_eq!(duties(city, "verifier"), ["verify"]);
}

fn what_is_late_is_marked(city: &City) {
    let report = city.received();
    let todos = city.by("community").get("/api/v1/me/todos").done();
    assert_eq!(todos["items"][0]["overdue"], false);
    city.advance(Duration::hours(2));
    let todos = city.by("community").get("/api/v1/me/todos").done();
    assert_eq!(todos["items"][0]["overdue"], true);
    city.filed_from(&report);
    // Late is a fact of the record, not a reason to refuse.
    assert_eq!(duties(city, "community"), ["dispatch"]);
}

fn a_duty_is_picked_out(city: &City) {
    let case = city.whistled();
    let found = city.by("lead").get("/api/v1/me/todos?duty=arrive").done();
    assert_eq!(each(&found, "/duty"), ["arrive"]);
    assert_eq!(text(&found, "/items/0/flow_id"), case);
    let refused = city.by("lead").get("/api/v1/me/todos?duty=dance").problem(400, "invalid_query");
    assert_eq!(refused["errors"][0]["parameter"], "duty");
    assert_eq!(city.by("lead").get("/api/v1/me/todos?duty=accept").done()["items"], json!([]));
}

fn somebody_with_several_roles_sees_one_list(city: &City) {
    let person = city.by("water").id();
    let grant = json!({ "role": "community_officer", "area_id": city.area(seed::COMMUNITY) });
    city.by("admin").post(&format!("/api/v1/people/{person}/grant"), &grant).done();
    city.whistled();
    city.received();
    assert_eq!(duties(city, "water"), ["sign_whistle", "accept", "contact", "arrive", "feed_back"]);
}
