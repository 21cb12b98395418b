//! Phones without signal: commands they kept are done once, whatever happens on the line; and
//! changes reach them, no more and no less.

use chrono::{Duration, SecondsFormat};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{
    City, Replica, build_settings, new_key, on_both, read_text, read_texts, report_body_at, seed,
};

on_both! {
    a_queue_is_done_in_its_order_and_once,
    one_bad_item_stops_only_what_needs_it,
    an_item_that_cannot_be_read_is_told_at_its_place,
    who_was_faster_is_a_conflict_with_what_is_still_possible,
    a_clock_that_is_wrong_is_corrected_and_nothing_is_refused_for_it,
    a_login_that_expired_meanwhile_does_not_lose_the_queue,
    a_queue_too_long_is_refused_whole,
    what_may_not_be_kept_is_refused,
    the_first_picture_and_what_changes_after_it_make_what_is,
    what_leaves_the_view_is_told,
    a_cursor_that_does_not_fit_is_told_to_start_over,
    a_phone_that_is_far_behind_misses_nothing,
    pages_lose_nothing_while_others_write,
    a_walk_without_signal_is_told_whole,
    a_walk_by_a_wrong_clock_is_told_whole,
    what_was_typed_at_the_time_is_no_late_entry,
    an_item_is_answered_as_the_request_would_be,
}

/// Sends a queue; answers the result of each item.
#[track_caller]
fn send_queue(city: &City, by: &str, items: &[Value]) -> Vec<Value> {
    let answer = city.client(by).post("/api/v1/sync", &json!({ "items": items })).expect_success();
    answer["items"].as_array().unwrap().clone()
}

fn list_outcomes(items: &[Value]) -> Vec<String> {
    items.iter().map(|item| read_text(item, "/outcome")).collect()
}

fn queue_item(operation: &str, path: &Value, body: &Value) -> Value {
    json!({ "id": new_key(), "operation": operation, "path": path, "body": body })
}

fn report_item(id: &str) -> Value {
    let mut body = report_body_at(110.005, 30.005);
    body["id"] = json!(id);
    queue_item("submit_report", &json!({}), &body)
}

fn a_queue_is_done_in_its_order_and_once(city: &City) {
    let (one, two, case) = (new_key(), new_key(), new_key());
    let items = [
        report_item(&one),
        queue_item("file_report", &json!({ "id": one }), &json!({ "case_id": case })),
        queue_item("comment_case", &json!({ "id": case }), &json!({ "text": "已到现场" })),
        report_item(&two),
        queue_item("join_report", &json!({ "id": two }), &json!({ "case_id": case })),
    ];
    let first = send_queue(city, "community", &items);
    assert_eq!(list_outcomes(&first), ["done"; 5], "{first:#?}");
    assert_eq!((&first[0]["answer"]["id"], &first[0]["status"]), (&json!(one), &json!(201)));
    assert_eq!(first[1]["answer"]["case_id"], json!(case));
    let before =
        city.client("community").get(&format!("/api/v1/cases/{case}/timeline")).expect_success();
    let again = send_queue(city, "community", &items);
    assert_eq!(list_outcomes(&again), ["already"; 5]);
    let answers = |items: &[Value]| {
        items.iter().map(|item| item["answer"]["seq"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(answers(&again), answers(&first));
    let after =
        city.client("community").get(&format!("/api/v1/cases/{case}/timeline")).expect_success();
    assert_eq!(after["items"].as_array().unwrap().len(), before["items"].as_array().unwrap().len());
    assert_eq!(city.get_case("community", &case)["reports"], 2);
    // The same commands one by one, as a phone with a signal would send them.
    let online = city.client("community").post_as(
        &read_text(&items[2], "/id"),
        &format!("/api/v1/cases/{case}/comment"),
        &json!({ "text": "已到现场" }),
    );
    assert_eq!(online.expect_success()["seq"], first[2]["answer"]["seq"]);
}

fn one_bad_item_stops_only_what_needs_it(city: &City) {
    let (one, two) = (new_key(), new_key());
    let mut bad = report_item(&one);
    bad["body"]["text"] = json!("");
    let case = city.new_filed_case();
    let nameless =
        json!({ "operation": "comment_case", "path": { "id": case }, "body": { "text": "一" } });
    let after = queue_item("comment_case", &json!({ "id": case }), &json!({ "text": "二" }));
    let answers = send_queue(city, "community", &[nameless, after]);
    assert_eq!(
        list_outcomes(&answers),
        ["refused", "held"],
        "what cannot be named is waited for too"
    );
    let named = json!({ "id": new_key(), "operation": "comment_case", "path": { "id": city.new_filed_case() },
        "body": { "text": "同一处" }, "after": [bad["id"]] });
    let items = [
        bad.clone(),
        queue_item("file_report", &json!({ "id": one }), &json!({})),
        report_item(&two),
        queue_item("file_report", &json!({ "id": two }), &json!({})),
        named,
    ];
    let answers = send_queue(city, "community", &items);
    assert_eq!(
        list_outcomes(&answers),
        ["refused", "held", "done", "done", "held"],
        "{answers:#?}"
    );
    assert_eq!(answers[0]["problem"]["code"], "invalid_body");
    assert_eq!(answers[0]["problem"]["errors"][0]["pointer"], "/text");
    for held in [1, 4] {
        assert_eq!(answers[held]["waits_for"], json!([bad["id"]]));
    }
    // Corrected, under a new command, the rest goes through as it is.
    let mut corrected = report_item(&one);
    corrected["body"]["text"] = json!("餐馆油烟直排");
    let mut named = items[4].clone();
    named["after"] = json!([corrected["id"]]);
    let answers = send_queue(city, "community", &[corrected, items[1].clone(), named]);
    assert_eq!(list_outcomes(&answers), ["done"; 3]);
}

fn an_item_that_cannot_be_read_is_told_at_its_place(city: &City) {
    let good = new_key();
    let mut extra =
        queue_item("comment_case", &json!({ "id": new_key(), "no": 1 }), &json!({ "text": "x" }));
    extra["based_on"] = json!(1);
    let items = [
        json!(7),
        json!({ "operation": "submit_report" }),
        json!({ "id": "no", "operation": "submit_report" }),
        queue_item("submit_nothing", &json!({}), &json!({})),
        queue_item("comment_case", &json!({}), &json!({ "text": "x" })),
        queue_item("comment_case", &json!({ "id": "../people" }), &json!({ "text": "x" })),
        extra,
        queue_item("comment_case", &json!({ "id": new_key() }), &json!({ "text": "x" })),
        queue_item("submit_report", &json!({}), &json!([1, 2])),
        json!({ "id": new_key(), "operation": "submit_report", "client_time": "gestern" }),
        report_item(&good),
    ];
    let answers = send_queue(city, "worker", &items);
    let mut expected = vec!["refused"; 11];
    expected[10] = "done";
    assert_eq!(list_outcomes(&answers), expected, "{answers:#?}");
    let at = |index: usize| read_text(&answers[index], "/problem/errors/0/pointer");
    assert_eq!(
        [1, 2, 3, 4, 5, 6, 9].map(at),
        ["/id", "/id", "/operation", "/path", "/path", "/path", "/client_time"]
    );
    assert_eq!(answers[7]["problem"]["code"], "not_found");
    assert_eq!(answers[2]["id"], Value::Null);
    for refused in &answers[..10] {
        assert!(refused["problem"]["title"].is_string(), "{refused}");
    }
}

fn who_was_faster_is_a_conflict_with_what_is_still_possible(city: &City) {
    let case = city.new_dispatched_case();
    let seen = city.get_case("community", &case)["seq"].clone();
    let sign = |based_on: &Value| {
        let mut sign = queue_item("sign_case", &json!({ "id": case }), &json!({}));
        sign["based_on"] = based_on.clone();
        sign
    };
    // A colleague at the desk signs while the phone is in the stairwell.
    city.take_step("community", &case, "sign", &json!({}));
    let start = queue_item("start_case", &json!({ "id": case }), &json!({}));
    let answers = send_queue(city, "community", &[sign(&seen), start]);
    assert_eq!(list_outcomes(&answers), ["conflict", "held"], "{answers:#?}");
    assert_eq!(answers[0]["problem"]["code"], "wrong_state");
    assert_eq!(answers[0]["present"]["stage"], "signed");
    let possible = answers[0]["present"]["possible"].as_array().unwrap();
    assert!(possible.contains(&json!("start")) && !possible.contains(&json!("sign")));
    // The state is still the one the phone saw: then the command is wrong, and no one was faster.
    let now = city.get_case("community", &case)["seq"].clone();
    assert_eq!(list_outcomes(&send_queue(city, "community", &[sign(&now)])), ["refused"]);
    // Meant for one version only, it is not done on another, even if it could be.
    let comment = |only: bool| {
        let mut comment =
            queue_item("comment_case", &json!({ "id": case }), &json!({ "text": "在途" }));
        (comment["based_on"], comment["only"]) = (seen.clone(), json!(only));
        comment
    };
    let answers = send_queue(city, "community", &[comment(true)]);
    assert_eq!((&answers[0]["outcome"], &answers[0]["status"]), (&json!("conflict"), &json!(412)));
    assert_eq!(list_outcomes(&send_queue(city, "community", &[comment(false)])), ["done"]);
}

fn a_clock_that_is_wrong_is_corrected_and_nothing_is_refused_for_it(city: &City) {
    let written = |at: domain::Instant| at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let case = city.new_filed_case();
    // Three hours ahead; typed an hour before it was sent.
    let wrong = city.now() + Duration::hours(3);
    let mut late =
        queue_item("comment_case", &json!({ "id": case }), &json!({ "text": "楼道里没有信号" }));
    late["client_time"] = json!(written(wrong - Duration::hours(1)));
    let mut ahead =
        queue_item("comment_case", &json!({ "id": case }), &json!({ "text": "时间在将来" }));
    ahead["client_time"] = json!(written(wrong + Duration::hours(5)));
    let before = city.now();
    let body = json!({ "sent_at": written(wrong), "items": [late, ahead] });
    let answer = city.client("community").post("/api/v1/sync", &body).expect_success();
    let off = answer["skew_ms"].as_i64().unwrap() + 3 * 3_600_000;
    assert!((0..60_000).contains(&off), "{answer}");
    let items = answer["items"].as_array().unwrap();
    assert_eq!(list_outcomes(items), ["done", "done"]);
    let happened: domain::Instant = read_text(&items[0], "/happened_at").parse().unwrap();
    let hour_ago = before - Duration::hours(1);
    assert!((happened - hour_ago).num_seconds().abs() < 60, "{happened} {hour_ago}");
    let odd = |index: usize| items[index]["oddities"].clone();
    assert_eq!(odd(0), json!(["skewed_clock", "before_login"]));
    assert_eq!(odd(1), json!(["skewed_clock", "in_future"]));
    // Both times stand in the record.
    let timeline =
        city.client("community").get(&format!("/api/v1/cases/{case}/timeline")).expect_success();
    let entries = timeline["items"].as_array().unwrap();
    let entry = &entries[entries.len() - 2];
    assert_eq!((&entry["happened_at"], &entry["oddities"]), (&items[0]["happened_at"], &odd(0)));
    let typed: domain::Instant = read_text(entry, "/client_time").parse().unwrap();
    assert_eq!(typed, wrong - Duration::hours(1));
    assert_eq!(timeline["intact"], true);
    assert!(entries[0].get("happened_at").is_none());
}

fn a_login_that_expired_meanwhile_does_not_lose_the_queue(city: &City) {
    let items = [report_item(&new_key()), report_item(&new_key())];
    let expired = city.access_token("worker").unwrap();
    city.advance(Duration::days(3));
    let sent = city
        .client("")
        .call("POST", "/api/v1/sync")
        .header("Authorization", &format!("Bearer {expired}"))
        .json(&json!({ "items": items }));
    sent.send().expect_problem(401, "unauthenticated");
    let answers = send_queue(city, "worker", &items);
    assert_eq!(list_outcomes(&answers), ["done", "done"]);
}

fn a_queue_too_long_is_refused_whole(city: &City) {
    let items: Vec<Value> = (0..201).map(|_| json!({})).collect();
    let refused = city.client("worker").post("/api/v1/sync", &json!({ "items": items }));
    assert_eq!(refused.expect_problem(400, "invalid_body")["errors"][0]["pointer"], "/items");
    let items: Vec<Value> = (0..10_000).map(|_| report_item(&new_key())).collect();
    let refused = city.client("worker").post("/api/v1/sync", &json!({ "items": items }));
    refused.expect_problem(413, "payload_too_large");
    assert_eq!(send_queue(city, "worker", &[]).len(), 0);
    let listed = city.client("worker").get("/api/v1/reports").expect_success();
    assert_eq!(listed["items"], json!([]));
}

fn what_may_not_be_kept_is_refused(city: &City) {
    let person = city.client("worker").id();
    let grant = json!({ "role": "street_leader", "area_id": city.area_id(seed::GRID) });
    let items = [
        queue_item("grant_role", &json!({ "id": person }), &grant),
        queue_item("login", &json!({}), &json!({})),
        queue_item("send_queue", &json!({}), &json!({ "items": [] })),
        queue_item("erase_me", &json!({}), &json!({})),
    ];
    let answers = send_queue(city, "admin", &items);
    assert_eq!(list_outcomes(&answers), ["refused"; 4]);
    assert!(answers.iter().all(|one| one["problem"]["errors"][0]["pointer"] == "/operation"));
}

fn a_walk_without_signal_is_told_whole(city: &City) {
    let written = |ago: i64| {
        (city.now() - Duration::minutes(ago)).to_rfc3339_opts(SecondsFormat::Millis, true)
    };
    let consent = json!({ "purpose": "track", "given": true, "version": "1" });
    city.client("worker").post("/api/v1/me/consents", &consent).expect_success();
    city.advance(Duration::hours(3));
    let (patrol, report, household, visit) = (new_key(), new_key(), new_key(), new_key());
    let grid = city.area_id(seed::GRID);
    let on = json!({ "id": patrol });
    let begin = json!({
        "id": patrol, "area_id": grid, "purpose": "routine", "client_time": written(60),
        "until": city.now() + Duration::hours(4),
    });
    let point = |seq: i64| {
        let lat = 30.001 + 0.000_063 * f64::from(i32::try_from(seq).unwrap());
        json!({ "seq": seq, "time": city.now() - Duration::minutes(50) + Duration::seconds(5 * seq),
            "lng": 110.005, "lat": lat, "accuracy": 5.0, "source": "gps" })
    };
    let points: Vec<Value> = (0..40).map(point).collect();
    let mut seen = report_body_at(110.005, 30.003);
    (seen["id"], seen["patrol_id"]) = (json!(report), json!(patrol));
    seen["client_time"] = json!(written(45));
    let called = json!({
        "id": visit, "household_id": household, "outcome": "met", "purposes": ["assistance"],
        "visited_at": written(30),
    });
    let items = [
        queue_item("begin_patrol", &json!({}), &begin),
        queue_item("upload_points", &on, &json!({ "points": points })),
        queue_item("submit_report", &json!({}), &seen),
        queue_item("register_household", &json!({}), &json!({ "id": household, "area_id": grid })),
        queue_item("submit_visit", &json!({}), &called),
        queue_item("finish_patrol", &on, &json!({ "client_time": written(10) })),
    ];
    let answers = send_queue(city, "worker", &items);
    assert_eq!(list_outcomes(&answers), ["done"; 6], "{answers:#?}");
    let again = list_outcomes(&send_queue(city, "worker", &items));
    // Points are known by their numbers, not by a command.
    assert_eq!(again, ["already", "done", "already", "already", "already", "already"]);
    let shown = city.client("worker").get(&format!("/api/v1/patrols/{patrol}")).expect_success();
    assert_eq!(shown["status"], "finished", "{shown}");
    assert_eq!(shown["reports"][0]["id"], json!(report));
    assert_eq!(shown["visits"][0]["id"], json!(visit), "what was made on the way hangs on it");
    let elsewhere = city.client("lead").get(&format!("/api/v1/patrols/{patrol}"));
    assert!(!elsewhere.text.contains(&visit), "households are not everybody's to know");
    let track =
        city.client("worker").get(&format!("/api/v1/patrols/{patrol}/track")).expect_success();
    assert_eq!(track["features"][0]["properties"]["points"], 40, "{track}");
    let mut phone = Phone::default();
    phone.read_changes(city, "worker", 5);
    for id in [&patrol, &report, &visit] {
        assert!(phone.known.contains_key(id), "{id}");
    }
    let mut elsewhere = Phone::default();
    elsewhere.read_changes(city, "far_worker", 5);
    assert_eq!(elsewhere.known.len(), 0);
}

/// A queue of a phone whose clock shows `off` too much; each item with when it was typed, in
/// minutes before now.
fn build_skewed_queue(city: &City, off: Duration, items: &[(i64, Value)]) -> Value {
    let written = |at: domain::Instant| at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let typed = |(ago, item): &(i64, Value)| {
        let mut item = item.clone();
        item["client_time"] = json!(written(city.now() + off - Duration::minutes(*ago)));
        item
    };
    let items: Vec<Value> = items.iter().map(typed).collect();
    let body = json!({ "sent_at": written(city.now() + off), "items": items });
    city.client("worker").post("/api/v1/sync", &body).expect_success()
}

fn a_walk_by_a_wrong_clock_is_told_whole(city: &City) {
    let consent = json!({ "purpose": "track", "given": true, "version": "1" });
    city.client("worker").post("/api/v1/me/consents", &consent).expect_success();
    city.advance(Duration::hours(3));
    // A battery that was taken out, and a year that was set wrong.
    for off in [Duration::days(-2000), Duration::hours(-5), Duration::days(365)] {
        let (patrol, report, household, visit) = (new_key(), new_key(), new_key(), new_key());
        let now = city.now();
        let grid = city.area_id(seed::GRID);
        let on = json!({ "id": patrol });
        let clock = |ago: i64| json!(now + off - Duration::minutes(ago));
        let begin = json!({
            "id": patrol, "area_id": grid, "purpose": "routine", "client_time": clock(60),
            "until": clock(-240),
        });
        let point = |seq: i64| {
            let time = now + off - Duration::minutes(50) + Duration::seconds(5 * seq);
            let lat = 30.001 + 0.000_063 * f64::from(i32::try_from(seq).unwrap());
            json!({ "seq": seq, "time": time, "lng": 110.005, "lat": lat, "source": "gps" })
        };
        let points = |seqs: std::ops::Range<i64>| json!({ "points": seqs.map(point).collect::<Vec<Value>>() });
        let mut seen = report_body_at(110.005, 30.003);
        (seen["id"], seen["patrol_id"]) = (json!(report), json!(patrol));
        seen["client_time"] = clock(45);
        let called = json!({
            "id": visit, "household_id": household, "outcome": "met", "purposes": ["assistance"],
            "visited_at": clock(30),
        });
        let place = json!({ "id": household, "area_id": grid });
        let items = [
            (60, queue_item("begin_patrol", &json!({}), &begin)),
            (49, queue_item("upload_points", &on, &points(0..40))),
            (45, queue_item("submit_report", &json!({}), &seen)),
            (31, queue_item("register_household", &json!({}), &place)),
            (30, queue_item("submit_visit", &json!({}), &called)),
            (10, queue_item("finish_patrol", &on, &json!({ "client_time": clock(10) }))),
        ];
        let answer = build_skewed_queue(city, off, &items);
        let items = answer["items"].as_array().unwrap();
        assert_eq!(list_outcomes(items), ["done"; 6], "{off}: {answer:#}");
        assert_eq!(items[1]["answer"]["stored"], 40, "{off}: {answer:#}");
        // Later, and by itself: the patrol knows the error of the clock it was begun by.
        let path = format!("/api/v1/patrols/{patrol}");
        let more =
            city.client("worker").post(&format!("{path}/points"), &points(20..60)).expect_success();
        let counts = json!([more["stored"], more["already"], more["refused"]]);
        assert_eq!(counts, json!([20, 20, 0]), "{off}: {more}");
        let shown = city.client("worker").get(&path).expect_success();
        assert_eq!(shown["reports"][0]["id"], json!(report), "{off}");
        assert_eq!(read_texts(&json!({ "items": shown["visits"] }), "/id"), [visit], "{off}");
        let started: domain::Instant = read_text(&shown, "/started/at").parse().unwrap();
        let hour_ago = now - Duration::hours(1);
        assert!((started - hour_ago).num_seconds().abs() < 60, "{off}: by our clock: {started}");
        let skew = shown["started"]["skew_ms"].as_i64().unwrap();
        assert!((skew + off.num_milliseconds()).abs() < 60_000, "{off}: {skew}");
        let track = city.client("worker").get(&format!("{path}/track")).expect_success();
        let about = &track["features"][0]["properties"];
        assert_eq!(json!([about["points"], about["marked"]]), json!([60, 0]), "{off}: {track}");
        let first: domain::Instant = read_text(about, "/times/0/0").parse().unwrap();
        assert!((first - started - Duration::minutes(10)).num_seconds().abs() < 60, "{first}");
        city.advance(Duration::hours(2));
    }
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn what_was_typed_at_the_time_is_no_late_entry(city: &City) {
    city.advance(Duration::days(3));
    let days: i64 = 2 * 24 * 60;
    let (patrol, at) = (new_key(), |ago: i64| json!(city.now() - Duration::minutes(days + ago)));
    let begin = json!({
        "id": patrol, "area_id": city.area_id(seed::GRID), "purpose": "routine",
        "client_time": at(60), "until": at(-240),
    });
    let direct = city.client("worker").post("/api/v1/patrols/begin", &begin);
    direct.expect_problem(422, "late_unexplained");
    // A phone in a cellar for two days is not asked for a reason.
    let on = json!({ "id": patrol });
    let items = [
        (days + 60, queue_item("begin_patrol", &json!({}), &begin)),
        (days, queue_item("finish_patrol", &on, &json!({}))),
    ];
    let answer = build_skewed_queue(city, Duration::zero(), &items);
    assert_eq!(list_outcomes(answer["items"].as_array().unwrap()), ["done"; 2], "{answer:#}");
    let shown = city.client("worker").get(&format!("/api/v1/patrols/{patrol}")).expect_success();
    assert_eq!(shown["late_entry"], false);
    let active = shown["active_s"].as_i64().unwrap();
    assert!((3595..3605).contains(&active), "an hour, as it was typed: {active}");
}

/// Sends the same command as a request and as an item of a queue, whole answers wanted; both have
/// to answer the same, but for the identity of the request. Answers that answer.
#[track_caller]
fn both(city: &City, by: &str, path: &str, item: &Value) -> Value {
    let online = city.client(by).post_as(&read_text(item, "/id"), path, &item["body"]);
    let queue = json!({ "items": [item], "answers": "full" });
    let sent = city.client(by).post("/api/v1/sync", &queue).expect_success()["items"][0].clone();
    assert_eq!(sent["status"], online.status, "{path}: {sent}");
    let mut expected = online.body.clone();
    let (mut told, name) = if online.status < 300 {
        (sent["answer"].clone(), "answer")
    } else {
        (sent["problem"].clone(), "problem")
    };
    for answer in [&mut told, &mut expected] {
        answer.as_object_mut().unwrap().remove("trace_id");
    }
    assert_eq!(told, expected, "{path}: {name}");
    expected
}

fn an_item_is_answered_as_the_request_would_be(city: &City) {
    let none = json!({});
    let (one, case, home, patrol) = (new_key(), new_key(), new_key(), new_key());
    let grid = city.area_id(seed::GRID);
    let mut body = report_body_at(110.005, 30.005);
    body["id"] = json!(one);
    both(city, "worker", "/api/v1/reports", &queue_item("submit_report", &none, &body));
    let file = queue_item("file_report", &json!({ "id": one }), &json!({ "case_id": case }));
    both(city, "community", &format!("/api/v1/reports/{one}/file"), &file);
    let on = json!({ "id": case });
    let of = |verb: &str| format!("/api/v1/cases/{case}/{verb}");
    let comment = |text: &Value| queue_item("comment_case", &on, &json!({ "text": text }));
    both(city, "community", &of("comment"), &comment(&json!("一")));
    both(
        city,
        "community",
        "/api/v1/households",
        &queue_item("register_household", &none, &json!({ "id": home, "area_id": grid })),
    );
    let visit = json!({ "household_id": home, "purposes": ["opinions"], "outcome": "met", "needs": [{ "text": "楼道灯不亮" }] });
    both(city, "worker", "/api/v1/visits", &queue_item("submit_visit", &none, &visit));
    let tomorrow = city.now() + Duration::days(1);
    let window = json!({ "from": tomorrow, "until": tomorrow + Duration::hours(2) });
    let plan = json!({ "id": patrol, "area_id": grid, "purpose": "routine", "window": window });
    both(city, "community", "/api/v1/patrols", &queue_item("plan_patrol", &none, &plan));
    both(
        city,
        "worker",
        "/api/v1/me/shift/start",
        &queue_item("start_shift", &none, &json!({ "area_id": grid })),
    );
    // A fault is reported in the same words: in the body, in the path, in the state, by the rules.
    let bad = both(city, "community", &of("comment"), &comment(&json!(7)));
    assert_eq!(bad["errors"][0]["pointer"], "/text");
    let pointless = both(
        city,
        "community",
        &of("comment"),
        &queue_item("comment_case", &on, &json!({ "text": "一", "texts": 1 })),
    );
    assert_eq!(pointless["errors"][0]["pointer"], "/texts");
    let far = "/api/v1/cases/x/comment";
    both(
        city,
        "community",
        far,
        &queue_item("comment_case", &json!({ "id": "x" }), &json!({ "text": "一" })),
    );
    let points = json!({ "points": [] });
    both(
        city,
        "worker",
        "/api/v1/patrols/x/points",
        &queue_item("upload_points", &json!({ "id": "x" }), &points),
    );
    let no = both(
        city,
        "leader",
        &of("requests/x/decide"),
        &queue_item("decide_request", &json!({ "id": case, "no": "x" }), &json!({ "agree": true })),
    );
    assert_eq!(no["code"], "invalid_path");
    both(
        city,
        "community",
        &of("summonses/y/sign"),
        &queue_item("sign_summons", &json!({ "id": case, "unit_id": "y" }), &none),
    );
    both(city, "community", &of("sign"), &queue_item("sign_case", &on, &none));
    both(city, "sibling", &of("comment"), &comment(&json!("一")));
    both(
        city,
        "worker",
        &of("dispatch"),
        &queue_item("dispatch_case", &on, &json!({ "unit_id": city.area_id(seed::CG) })),
    );
    // A version that cannot be is refused where one may be insisted on, and only there.
    let mut odd = comment(&json!("二"));
    (odd["based_on"], odd["only"]) = (json!(-5), json!(true));
    let told = send_queue(city, "community", &[odd]);
    assert_eq!(read_text(&told[0], "/problem/code"), "invalid_header");
    let mut new = report_item(&new_key());
    (new["based_on"], new["only"]) = (json!(-5), json!(true));
    assert_eq!(list_outcomes(&send_queue(city, "community", &[new])), ["done"]);
}

/// The content of a phone: everything it was sent, the latest of each.
#[derive(Default)]
pub(crate) struct Phone {
    pub(crate) known: std::collections::BTreeMap<String, Value>,
    /// The kind of each, by its id.
    kinds: std::collections::BTreeMap<String, String>,
    cursor: Option<String>,
    pub(crate) told: usize,
}

impl Phone {
    /// Reads until there is no more.
    #[track_caller]
    pub(crate) fn read_changes(&mut self, city: &City, by: &str, limit: u8) {
        self.read_from(limit, |path| city.client(by).get(path).expect_success());
    }

    /// The same from another server.
    #[track_caller]
    pub(crate) fn read_at(&mut self, city: &City, (by, base): (&str, &str), limit: u8) {
        self.read_from(limit, |path| {
            city.client(by).call("GET", path).on_server(base).send().expect_success()
        });
    }

    #[track_caller]
    fn read_from(&mut self, limit: u8, ask: impl Fn(&str) -> Value) {
        for _ in 0..1000 {
            let mut path = format!("/api/v1/sync?limit={limit}");
            if let Some(cursor) = &self.cursor {
                path = format!("{path}&since={cursor}");
            }
            let page = ask(&path);
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= usize::from(limit), "{page}");
            self.told += items.len();
            for item in items {
                let id = read_text(item, "/id");
                if item["kind"] == "campaign" {
                    self.drop_assignments(&id);
                }
                if item["gone"] == true {
                    self.known.remove(&id);
                    self.kinds.remove(&id);
                } else {
                    assert_eq!(item["state"]["seq"], item["seq"]);
                    let older = self
                        .known
                        .get(&id)
                        .is_some_and(|known| known["seq"].as_i64() > item["seq"].as_i64());
                    if !older {
                        self.kinds.insert(id.clone(), read_text(item, "/kind"));
                        self.known.insert(id, item["state"].clone());
                    }
                }
            }
            self.cursor = Some(read_text(&page, "/next"));
            if page["more"] == false {
                return;
            }
        }
        panic!("there is always more");
    }

    /// The assignments of a campaign end when it is sent: the present ones follow it.
    fn drop_assignments(&mut self, campaign: &str) {
        let kinds = self.kinds.clone();
        self.known.retain(|id, state| {
            kinds.get(id).is_none_or(|kind| kind != "assignment")
                || state["campaign_id"] != json!(campaign)
        });
    }

    /// The ids of everything of one kind.
    pub(crate) fn of_kind(&self, kind: &str) -> Vec<&String> {
        self.known.keys().filter(|id| self.kinds.get(*id).is_some_and(|own| own == kind)).collect()
    }

    fn find_seq(&self, id: &str) -> Option<i64> {
        self.known.get(id).and_then(|known| known["seq"].as_i64())
    }
}

fn the_first_picture_and_what_changes_after_it_make_what_is(city: &City) {
    let (open, closed) = (city.new_filed_case(), city.new_closed_case());
    let report = city.submit_report();
    let mut phone = Phone::default();
    phone.read_changes(city, "community", 2);
    assert!(phone.known.contains_key(&open) && phone.known.contains_key(&report));
    assert!(!phone.known.contains_key(&closed), "what is closed is history");
    let (first, seq) = (phone.told, phone.find_seq(&open));
    phone.read_changes(city, "community", 2);
    assert_eq!(phone.told, first, "nothing happened");
    city.take_step("community", &open, "comment", &json!({ "text": "一" }));
    city.take_step("community", &open, "comment", &json!({ "text": "二" }));
    let new = city.submit_report_as("worker");
    phone.read_changes(city, "community", 2);
    assert_eq!(phone.told, first + 2, "one state of each, however often it moved");
    assert_eq!(phone.find_seq(&open), seq.map(|seq| seq + 2));
    assert_eq!(phone.known[&open], city.get_case("community", &open));
    assert_eq!(read_text(&phone.known[&new], "/status"), "received");
    // A person elsewhere receives nothing of it.
    let mut elsewhere = Phone::default();
    elsewhere.read_changes(city, "neighbour", 50);
    assert!(elsewhere.known.is_empty(), "{:?}", elsewhere.known);
    // A resident: the own reports, and nothing of how they are handled.
    let mut resident = Phone::default();
    resident.read_changes(city, "resident", 50);
    assert!(resident.known.values().all(|state| state.get("stage").is_none()));
    assert!(resident.known.contains_key(&report) && !resident.known.contains_key(&new));
}

fn what_leaves_the_view_is_told(city: &City) {
    let (case, ended) = (city.new_filed_case(), city.new_callback_case());
    let mut phone = Phone::default();
    phone.read_changes(city, "verifier", 10);
    assert!(phone.known.contains_key(&case) && phone.known.contains_key(&ended));
    city.take_step("dispatcher", &ended, "close", &json!({}));
    let person = city.client("verifier").id();
    let grants = city.client("admin").get(&format!("/api/v1/people/{person}")).expect_success();
    for grant in grants["grants"].as_array().unwrap() {
        let body = json!({ "role": grant["role"], "area_id": grant["area"]["id"] });
        city.client("admin")
            .post(&format!("/api/v1/people/{person}/revoke"), &body)
            .expect_success();
    }
    let mut told = phone.told;
    // A case closed meanwhile is on the phone as well; a later one was never visible.
    let secret = city.new_filed_case();
    let page = city
        .client("verifier")
        .get(&format!("/api/v1/sync?limit=50&since={}", phone.cursor.clone().unwrap()));
    assert!(
        !page.expect_success().to_string().contains(&secret),
        "nobody tells of what was never seen"
    );
    phone.read_changes(city, "verifier", 1);
    assert_eq!(phone.known.keys().collect::<Vec<_>>(), Vec::<&String>::new());
    assert!(phone.told > told);
    told = phone.told;
    phone.read_changes(city, "verifier", 10);
    assert_eq!(phone.told, told, "it is told once");
    // And back again: what becomes visible again is sent without starting over.
    let body = json!({ "role": "grid_worker", "area_id": city.area_id(seed::GRID) });
    city.client("admin").post(&format!("/api/v1/people/{person}/grant"), &body).expect_success();
    phone.read_changes(city, "verifier", 10);
    assert!(phone.known.contains_key(&case));
}

fn a_cursor_that_does_not_fit_is_told_to_start_over(city: &City) {
    city.new_filed_case();
    let mut phone = Phone::default();
    phone.read_changes(city, "community", 10);
    let cursor = phone.cursor.clone().unwrap();
    let since =
        |by: &str, cursor: &str| city.client(by).get(&format!("/api/v1/sync?since={cursor}"));
    since("community", &cursor).expect_success();
    let told = since("worker", &cursor).expect_problem(410, "cursor_outdated");
    assert!(read_text(&told, "/detail").contains("since"), "{told}");
    for bad in ["x", "", &cursor[1..], &"A".repeat(9000), &"A".repeat(500)] {
        since("community", bad).expect_problem(410, "cursor_outdated");
    }
    city.client("community").get("/api/v1/sync?limit=0").expect_problem(400, "invalid_query");
    city.client("community").get("/api/v1/sync?cursor=x").expect_problem(400, "invalid_query");
    // A database restored to an earlier day, and then used: the same position is another entry.
    let tampered = format!(
        "update journal set hash = {} where position = (select max(position) from journal)",
        if city.database.url.starts_with("sqlite") {
            "zeroblob(32)"
        } else {
            "decode(repeat('00', 32), 'hex')"
        }
    );
    persistence::probe::execute(&city.database.url, &tampered).unwrap();
    since("community", &cursor).expect_problem(410, "cursor_outdated");
    let gone = "delete from journal where position = (select max(position) from journal)";
    persistence::probe::execute(&city.database.url, gone).unwrap();
    since("community", &cursor).expect_problem(410, "cursor_outdated");
}

fn pages_lose_nothing_while_others_write(city: &City) {
    let reports: Vec<String> = (0..24).map(|_| new_key()).collect();
    let mut phone = Phone::default();
    phone.read_changes(city, "community", 3);
    std::thread::scope(|scope| {
        for part in reports.chunks(6) {
            scope.spawn(move || {
                for id in part {
                    assert_eq!(
                        list_outcomes(&send_queue(city, "worker", &[report_item(id)])),
                        ["done"]
                    );
                }
            });
        }
        for _ in 0..10 {
            phone.read_changes(city, "community", 3);
        }
    });
    phone.read_changes(city, "community", 3);
    for id in &reports {
        assert_eq!(phone.find_seq(id), Some(1), "{id}");
        assert!(Uuid::try_parse(id).is_ok());
    }
}

/// A server that just began keeps the last entries of the feed in memory, and not all of them.
fn a_phone_that_is_far_behind_misses_nothing(city: &City) {
    let mut phone = Phone::default();
    phone.read_changes(city, "community", 10);
    let first = city.new_filed_case();
    // Assume that this much happened since: positions grow without being dense.
    let far = "update feeds set position = position + 100000";
    persistence::probe::execute(&city.database.url, far).unwrap();
    let second = city.new_filed_case();
    let replica = Replica::open(city, build_settings(&city.database.url));
    let mut told = Vec::new();
    let mut since = phone.cursor.unwrap();
    for _ in 0..20 {
        let path = format!("/api/v1/sync?limit=1&since={since}");
        let page = city
            .client("community")
            .call("GET", &path)
            .on_server(&replica.base)
            .send()
            .expect_success();
        told.extend(read_texts(&page, "/id"));
        since = read_text(&page, "/next");
        if page["more"] == false {
            break;
        }
    }
    let cases: Vec<&String> = told.iter().filter(|id| [&first, &second].contains(id)).collect();
    assert_eq!(cases, [&first, &second]);
}
