//! What was typed without a signal counts by the rights and areas of the time it was typed, and
//! goes to where it lies when it arrives.

use chrono::Duration;
use serde_json::{Value, json};

use crate::harness::{City, new_key, on_both, read_text, report_body_at, seed};

on_both! {
    what_was_typed_before_a_post_was_handed_over_is_taken,
    what_was_typed_before_a_grid_was_merged_is_filed_in_its_successor,
    what_was_typed_before_a_grid_moved_is_filed_where_it_lies_now,
    what_was_typed_after_the_right_ended_is_refused,
    what_was_typed_long_ago_is_judged_as_if_it_were_typed_now,
    a_right_that_was_revoked_counts_no_more_whatever_a_phone_says,
    rights_of_before_move_nothing_that_began_later,
    a_step_whose_case_moved_on_is_a_conflict_and_the_remark_behind_it_goes_through,
}

/// An item that was typed at this moment.
fn item(at: domain::Instant, operation: &str, path: &Value, body: &Value) -> Value {
    json!({
        "id": new_key(), "operation": operation, "path": path, "body": body,
        "client_time": at.to_rfc3339(),
    })
}

#[track_caller]
fn send_queue(city: &City, by: &str, items: &[Value]) -> Vec<Value> {
    let body = json!({ "items": items, "answers": "full" });
    let answer = city.client(by).post("/api/v1/sync", &body).expect_success();
    answer["items"].as_array().expect("one for each").clone()
}

fn list_outcomes(items: &[Value]) -> Vec<String> {
    items.iter().map(|item| read_text(item, "/outcome")).collect()
}

fn post(city: &City, path: &str, body: &Value) -> Value {
    city.client("admin").post(path, body).expect_success()
}

fn hand_over(city: &City, from: &str, role: &str, area: &str) {
    let path = format!("/api/v1/people/{}/hand_over", city.client(from).id());
    let (area, to) = (city.area_id(area), city.client("nobody").id());
    let body = json!({ "role": role, "area_id": area, "to_person_id": to, "reason": "岗位调整" });
    post(city, &path, &body);
}

/// A report in the stairwell, by its grid alone.
fn indoors(city: &City, grid: &str) -> Value {
    let mut body = report_body_at(110.005, 30.005);
    body["place"] = json!({ "area_id": city.area_id(grid), "address": "3 号楼 2 单元" });
    body
}

fn what_was_typed_before_a_post_was_handed_over_is_taken(city: &City) {
    let case = city.new_signed_case();
    city.advance(Duration::minutes(10));
    let typed = city.now();
    city.advance(Duration::minutes(10));
    hand_over(city, "worker", "grid_worker", seed::GRID);
    hand_over(city, "community", "community_officer", seed::COMMUNITY);
    let report = |at| item(at, "submit_report", &json!({}), &report_body_at(110.005, 30.005));
    let answers = send_queue(city, "worker", &[report(typed)]);
    assert_eq!(list_outcomes(&answers), ["done"], "{answers:#?}");
    let path = json!({ "id": case });
    let done = item(typed, "feed_back_case", &path, &json!({ "result": "已清理" }));
    let answers = send_queue(city, "community", std::slice::from_ref(&done));
    assert_eq!(list_outcomes(&answers), ["done"], "{answers:#?}");
    // They see nothing of it any more.
    let told = answers[0]["answer"].as_object().expect("a receipt");
    assert!(told.keys().all(|name| ["id", "seq"].contains(&name.as_str())), "{told:?}");
    city.client("community").get(&format!("/api/v1/cases/{case}")).expect_problem(404, "not_found");
    assert_eq!(city.get_case("nobody", &case)["stage"], "fed_back");
    assert_eq!(list_outcomes(&send_queue(city, "community", &[done])), ["already"]);
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn what_was_typed_before_a_grid_was_merged_is_filed_in_its_successor(city: &City) {
    city.advance(Duration::days(2));
    let typed = city.now();
    city.advance(Duration::minutes(10));
    let (grid, next) = (city.area_id(seed::GRID), city.area_id(seed::NEXT));
    post(city, &format!("/api/v1/areas/{grid}/retire"), &json!({ "successor_ids": [next] }));
    let items = [item(typed, "submit_report", &json!({}), &indoors(city, seed::GRID))];
    let answers = send_queue(city, "worker", &items);
    assert_eq!(list_outcomes(&answers), ["done"], "{answers:#?}");
    assert_eq!(answers[0]["answer"]["place"]["area"]["id"], json!(next));
    let online = city.client("worker").post("/api/v1/reports", &indoors(city, seed::GRID));
    online.expect_problem(422, "area_retired");
}

fn what_was_typed_before_a_grid_moved_is_filed_where_it_lies_now(city: &City) {
    city.advance(Duration::days(2));
    let typed = city.now();
    city.advance(Duration::minutes(10));
    let (grid, sibling) = (city.area_id(seed::GRID), city.area_id(seed::SIBLING));
    post(city, &format!("/api/v1/areas/{grid}/transfer"), &json!({ "parent_id": sibling }));
    let items = [
        item(typed, "submit_report", &json!({}), &report_body_at(110.005, 30.005)),
        item(typed, "submit_report", &json!({}), &indoors(city, seed::GRID)),
    ];
    for by in ["worker", "community"] {
        let items = items.clone().map(|item| {
            let mut item = item;
            item["id"] = json!(new_key());
            item
        });
        let answers = send_queue(city, by, &items);
        assert_eq!(list_outcomes(&answers), ["done", "done"], "{by}: {answers:#?}");
        let id = read_text(&answers[1], "/answer/id");
        let path = format!("/api/v1/reports/{id}");
        city.client("sibling").get(&path).expect_success();
    }
}

fn what_was_typed_after_the_right_ended_is_refused(city: &City) {
    hand_over(city, "worker", "grid_worker", seed::GRID);
    city.advance(Duration::minutes(10));
    let typed = city.now();
    city.advance(Duration::minutes(10));
    let report = report_body_at(110.005, 30.005);
    let answers = send_queue(city, "worker", &[item(typed, "submit_report", &json!({}), &report)]);
    assert_eq!(list_outcomes(&answers), ["refused"]);
    assert_eq!(answers[0]["problem"]["code"], "not_permitted");
}

fn what_was_typed_long_ago_is_judged_as_if_it_were_typed_now(city: &City) {
    let typed = city.now();
    city.advance(Duration::days(8));
    hand_over(city, "worker", "grid_worker", seed::GRID);
    let report = report_body_at(110.005, 30.005);
    let answers = send_queue(city, "worker", &[item(typed, "submit_report", &json!({}), &report)]);
    assert_eq!(list_outcomes(&answers), ["refused"], "{answers:#?}");
    // Nor does a phone whose clock is ahead have the rights of later.
    let ahead = city.now() + Duration::days(1);
    let answers = send_queue(city, "worker", &[item(ahead, "submit_report", &json!({}), &report)]);
    assert_eq!(list_outcomes(&answers), ["refused"]);
}

fn a_right_that_was_revoked_counts_no_more_whatever_a_phone_says(city: &City) {
    let typed = city.now();
    city.advance(Duration::minutes(10));
    let worker = city.client("worker").id();
    let role = json!({ "role": "grid_worker", "area_id": city.area_id(seed::GRID) });
    post(city, &format!("/api/v1/people/{worker}/revoke"), &role);
    let report = report_body_at(110.005, 30.005);
    let answers = send_queue(city, "worker", &[item(typed, "submit_report", &json!({}), &report)]);
    assert_eq!(list_outcomes(&answers), ["refused"], "{answers:#?}");
}

fn rights_of_before_move_nothing_that_began_later(city: &City) {
    let before = city.submit_report();
    city.advance(Duration::minutes(10));
    let typed = city.now();
    city.advance(Duration::minutes(10));
    hand_over(city, "community", "community_officer", seed::COMMUNITY);
    let after = city.submit_report();
    let file = |report: &str| item(typed, "file_report", &json!({ "id": report }), &json!({}));
    let answers = send_queue(city, "community", &[file(&before), file(&after)]);
    assert_eq!(list_outcomes(&answers), ["done", "refused"], "{answers:#?}");
}

fn a_step_whose_case_moved_on_is_a_conflict_and_the_remark_behind_it_goes_through(city: &City) {
    let case = city.new_dispatched_case();
    city.advance(Duration::minutes(10));
    let typed = city.now();
    city.advance(Duration::minutes(10));
    city.take_step("community", &case, "sign", &json!({}));
    let path = json!({ "id": case });
    let items = [
        item(typed, "sign_case", &path, &json!({})),
        item(typed, "start_case", &path, &json!({})),
        item(typed, "comment_case", &path, &json!({ "text": "已到现场" })),
    ];
    let answers = send_queue(city, "community", &items);
    assert_eq!(list_outcomes(&answers), ["conflict", "held", "done"], "{answers:#?}");
    assert_eq!(answers[0]["present"]["stage"], "signed");
    // What waits for a step by name waits for it still.
    let mut named = item(typed, "comment_case", &path, &json!({ "text": "随签收" }));
    let sign = item(typed, "sign_case", &path, &json!({}));
    named["after"] = json!([sign["id"]]);
    assert_eq!(list_outcomes(&send_queue(city, "community", &[sign, named])), ["conflict", "held"]);
    // A step that was never possible is wrong, and nobody was faster.
    city.advance(Duration::minutes(10));
    let close = item(city.now(), "close_case", &path, &json!({}));
    assert_eq!(list_outcomes(&send_queue(city, "community", &[close])), ["refused"]);
}
