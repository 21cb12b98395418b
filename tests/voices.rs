//! The capacity people are heard in: of several reporters each for the own report, staff who report
//! like everyone else, the public by their own way, and no one by words or places that did not
//! pass.

use actix_web::rt::System;
use api::integrations::delivery_worker;
use serde_json::{Value, json};

use crate::harness::{
    City, callback_body, new_key, on_both, read_text, read_texts, report_body_at, seed,
};

on_both! {
    co_reporters_see_no_place_that_did_not_pass,
    the_place_of_a_confidential_reporter_is_never_told_to_others,
    reporters_are_told_in_their_own_words,
    what_one_resident_answered_is_not_told_to_the_other,
    a_patrol_does_not_tell_who_reported,
    a_clock_does_not_tell_who_reported,
    who_reported_in_confidence_stays_unknown_after_the_report_is_taken_out,
    a_joined_reporter_answers_for_nobody_else,
    the_worst_of_several_answers_counts,
    only_who_calls_says_that_nobody_was_reached,
    a_resident_does_not_choose_the_channel,
    no_document_lets_the_public_read_others,
    titles_and_names_are_what_is_seen_of_them,
    a_replay_tells_no_more_than_its_caller_may_know,
}

const ADDRESS: &str = "武汉路1号3单元402";

/// A report of the resident with an address, as it is to be kept, joined by the neighbour's; the
/// report, the case, and the neighbour's report.
fn submit_and_join(city: &City, how: &str) -> (String, String, String) {
    let mut body = report_body_at(110.0051, 30.0052);
    body["title"] = json!("楼上张三家漏水");
    body["place"]["address"] = json!(ADDRESS);
    if !how.is_empty() {
        body[how] = json!(true);
    }
    let first =
        read_text(&city.client("resident").post("/api/v1/reports", &body).expect_success(), "/id");
    let case = city.file_report(&first);
    let mut body = report_body_at(110.005, 30.005);
    body["title"] = json!("楼道里有水");
    let second =
        read_text(&city.client("neighbour").post("/api/v1/reports", &body).expect_success(), "/id");
    join_report(city, &second, &case);
    (first, case, second)
}

fn join_report(city: &City, report: &str, case: &str) {
    let path = format!("/api/v1/reports/{report}/join");
    city.client("community").post(&path, &json!({ "case_id": case })).expect_success();
}

/// The reviewer passes what a report says.
fn pass_review(city: &City, report: &str) {
    let list = city.client("dispatcher").get("/api/v1/content_reviews?limit=100").expect_success();
    let items = list["items"].as_array().unwrap();
    let review = items.iter().find(|item| item["about_id"] == report).unwrap();
    assert!(read_text(review, "/text").contains(ADDRESS), "the address is looked at, too");
    let path = format!("/api/v1/content_reviews/{}/decide", read_text(review, "/id"));
    city.client("dispatcher").post(&path, &json!({ "pass": true })).expect_success();
}

/// A case from the community to a verification that passed.
fn verify_case(city: &City, case: &str) {
    city.take_step("community", case, "escalate", &json!({ "reason": "社区没有执法权" }));
    let unit = json!({ "unit_id": city.area_id(seed::COMMUNITY) });
    city.take_step("dispatcher", case, "dispatch", &unit);
    city.take_step("community", case, "sign", &json!({}));
    feed_back_case(city, case);
}

fn feed_back_case(city: &City, case: &str) {
    city.take_step("community", case, "feedback", &json!({ "result": "已清理" }));
    let point = json!({ "lng": 110.0051, "lat": 30.0052, "coord_type": "wgs84" });
    city.take_step("verifier", case, "verify", &json!({ "passed": true, "point": point }));
}

/// Everything this person can read of a case: the case itself and its timeline.
fn read_whole_case(city: &City, by: &str, case: &str) -> String {
    let timeline = city.client(by).get(&format!("/api/v1/cases/{case}/timeline")).text;
    format!("{}{timeline}", city.get_case(by, case))
}

fn tells_place(told: &str) -> bool {
    ["武汉路", "110.0051", "30.0052"].iter().any(|place| told.contains(place))
}

fn co_reporters_see_no_place_that_did_not_pass(city: &City) {
    let (first, case, _) = submit_and_join(city, "");
    verify_case(city, &case);
    let told = read_whole_case(city, "neighbour", &case);
    assert!(!tells_place(&told) && !told.contains("张三"), "{told}");
    assert_eq!(city.get_case("neighbour", &case)["place"]["area"]["name"], "枫林一格");
    for by in ["resident", "community", "worker"] {
        assert!(tells_place(&read_whole_case(city, by, &case)), "{by}");
    }
    pass_review(city, &first);
    assert!(tells_place(&read_whole_case(city, "neighbour", &case)));
    assert_eq!(city.get_case("neighbour", &case)["place"]["address"], ADDRESS);
}

fn the_place_of_a_confidential_reporter_is_never_told_to_others(city: &City) {
    for how in ["confidential", "anonymous"] {
        let (first, case, _) = submit_and_join(city, how);
        verify_case(city, &case);
        assert!(!tells_place(&read_whole_case(city, "neighbour", &case)), "{how}");
        pass_review(city, &first);
        let told = read_whole_case(city, "neighbour", &case);
        assert!(told.contains("张三"), "the words passed");
        assert!(!tells_place(&told), "{how}: {told}");
        assert!(tells_place(&read_whole_case(city, "community", &case)), "{how}");
    }
}

fn reporters_are_told_in_their_own_words(city: &City) {
    let (_, case, _) = submit_and_join(city, "");
    verify_case(city, &case);
    let app = city.app.clone();
    System::new()
        .block_on(async move { delivery_worker::run_pass(&app).await.expect("it can look") });
    let messages =
        |by: &str| city.client(by).get("/api/v1/me/messages").expect_success().to_string();
    let (own, other) = (messages("resident"), messages("neighbour"));
    assert!(own.contains("张三") && own.contains("answer_asked"), "{own}");
    assert!(other.contains("楼道里有水") && other.contains("answer_asked"), "{other}");
    assert!(!other.contains("张三"), "{other}");
}

fn what_one_resident_answered_is_not_told_to_the_other(city: &City) {
    let (_, case, _) = submit_and_join(city, "");
    verify_case(city, &case);
    // Told over the telephone, written down by another person, and repeated by the closing.
    let mut answer = callback_body();
    answer["comment"] = json!("张三赔了钱");
    city.take_step("hotline", &case, "callback", &answer);
    city.take_step("dispatcher", &case, "close", &json!({}));
    let told = read_whole_case(city, "neighbour", &case);
    assert!(!told.contains("张三"), "{told}");
    let path = format!("/api/v1/cases/{case}/timeline");
    let timeline = city.client("neighbour").get(&path).expect_success();
    let events = timeline["items"].as_array().unwrap().iter();
    let events = events.flat_map(|item| item["events"].as_array().unwrap());
    let noted: Vec<&Value> = events.filter(|event| event["event"] == "answer_noted").collect();
    assert!(!noted.is_empty() && noted.iter().all(|one| one.get("answer").is_none()), "{noted:?}");
    assert!(read_whole_case(city, "community", &case).contains("张三赔了钱"));
}

/// A phone whose clock is wrong sends what it kept.
fn a_clock_does_not_tell_who_reported(city: &City) {
    for how in ["confidential", "anonymous"] {
        let mut body = report_body_at(110.005, 30.005);
        body[how] = json!(true);
        let client_time = "2026-01-01T03:05:00.123Z";
        body["client_time"] = json!(client_time);
        let item = json!({
            "id": new_key(), "operation": "submit_report", "client_time": client_time, "body": body,
        });
        let queue = json!({ "sent_at": "2026-01-01T03:05:09.456Z", "items": [item] });
        let sent = city.client("worker").post("/api/v1/sync", &queue).expect_success();
        let path = format!("/api/v1/reports/{}", read_text(&sent, "/items/0/answer/id"));
        let own = city.client("worker").get(&path).expect_success();
        assert!(own["client_time"].is_string(), "{own}");
        for by in ["verifier", "auditor"] {
            let events = city.client(by).get("/api/v1/events?types=report.submitted").text;
            let shown = [
                city.client(by).get(&path).text,
                city.client(by).get(&format!("{path}/timeline")).text,
            ];
            for told in shown.iter().chain([&events]) {
                assert!(!told.contains("05:00.123"), "{by}, {how}: {told}");
            }
        }
    }
}

fn a_patrol_does_not_tell_who_reported(city: &City) {
    let patrol = crate::patrol::begin_patrol(city);
    for how in ["confidential", "anonymous"] {
        let mut body = report_body_at(110.005, 30.005);
        body[how] = json!(true);
        body["patrol_id"] = json!(patrol);
        let report = read_text(
            &city.client("worker").post("/api/v1/reports", &body).expect_success(),
            "/id",
        );
        let path = format!("/api/v1/reports/{report}");
        assert_eq!(city.client("worker").get(&path).expect_success()["patrol_id"], json!(patrol));
        for by in ["community", "grid_leader", "auditor"] {
            let events = city.client(by).get("/api/v1/events?types=report.submitted").text;
            let walked = city.client(by).get(&format!("/api/v1/patrols/{patrol}"));
            for told in [
                city.client(by).get(&path).text,
                city.client(by).get(&format!("{path}/timeline")).text,
                events,
            ] {
                assert!(told.contains(&report) && !told.contains(&patrol), "{by}, {how}: {told}");
            }
            assert!(!walked.text.contains(&report), "{by}, {how}: {}", walked.text);
        }
    }
    // Facts that are no secret are shown.
    let mut body = report_body_at(110.005, 30.005);
    body["patrol_id"] = json!(patrol);
    let report =
        read_text(&city.client("worker").post("/api/v1/reports", &body).expect_success(), "/id");
    let shown = city.client("community").get(&format!("/api/v1/reports/{report}")).expect_success();
    assert_eq!(shown["patrol_id"], json!(patrol));
    let walked =
        city.client("community").get(&format!("/api/v1/patrols/{patrol}")).expect_success();
    assert_eq!(walked["reports"][0]["id"], json!(report));
}

/// The actors in the timeline of a case, as this person sees it.
fn list_actors(city: &City, by: &str, case: &str) -> Vec<(String, String)> {
    let told = city.client(by).get(&format!("/api/v1/cases/{case}/timeline")).expect_success();
    read_texts(&told, "/command").into_iter().zip(read_texts(&told, "/by")).collect()
}

fn who_reported_in_confidence_stays_unknown_after_the_report_is_taken_out(city: &City) {
    let case = city.new_filed_case();
    // In office, before anything was reported.
    city.take_step("worker", &case, "comment", &json!({ "text": "已到现场" }));
    let mut body = report_body_at(110.005, 30.005);
    body["confidential"] = json!(true);
    let report =
        read_text(&city.client("worker").post("/api/v1/reports", &body).expect_success(), "/id");
    join_report(city, &report, &case);
    city.take_step("worker", &case, "comment", &json!({ "text": "还在冒烟" }));
    let said = |name: &str, who: &str| (name.to_owned(), who.to_owned());
    let before = list_actors(city, "community", &case);
    let id = city.client("worker").id().to_string();
    let expected = [
        said("open", "社区陈静"),
        said("comment", "网格员王芳"),
        said("join", "社区陈静"),
        said("comment", "上报人"),
    ];
    assert_eq!(before, expected);
    let path = format!("/api/v1/reports/{report}/unjoin");
    city.client("community").post(&path, &json!({})).expect_success();
    let after = list_actors(city, "community", &case);
    assert_eq!(after[..4], expected, "what was said does not change its speaker");
    let timeline =
        city.client("community").get(&format!("/api/v1/cases/{case}/timeline")).expect_success();
    assert!(!timeline["items"][3].to_string().contains(&id), "{timeline:#}");
    // What is done in office is done by name, now as before.
    city.take_step("worker", &case, "comment", &json!({ "text": "复查" }));
    assert_eq!(list_actors(city, "community", &case).last(), Some(&said("comment", "网格员王芳")));
    let events =
        city.client("community").get("/api/v1/events?types=case.commented").expect_success();
    assert_eq!(read_texts(&events, "/by"), ["网格员王芳", "上报人", "网格员王芳"]);
    assert!(!events["items"][1].to_string().contains(&id), "{events:#}");
}

/// What a reporter answers.
fn callback_answer(solved: bool, satisfied: &str) -> Value {
    json!({ "reached": true, "solved": solved, "satisfied": satisfied })
}

fn a_joined_reporter_answers_for_nobody_else(city: &City) {
    let (first, case, second) = submit_and_join(city, "");
    verify_case(city, &case);
    let good = callback_answer(true, "satisfied");
    let shown = city.take_step("neighbour", &case, "callback", &good);
    assert_eq!(shown["stage"], "verified", "the first one is still to be asked");
    assert_eq!(shown["answers"][0]["report_id"], json!(second));
    city.post_step("neighbour", &case, "callback", &good).expect_problem(422, "already_answered");
    let mut foreign = good;
    foreign["report_id"] = json!(first);
    city.post_step("neighbour", &case, "callback", &foreign).expect_problem(403, "not_permitted");
    foreign["report_id"] = json!(new_key());
    city.post_step("hotline", &case, "callback", &foreign).expect_problem(422, "not_joined");
    let shown =
        city.take_step("resident", &case, "callback", &callback_answer(false, "dissatisfied"));
    assert_eq!(shown["stage"], "handling");
    assert_eq!(shown["answers"].as_array().unwrap().len(), 1, "of others nothing is told");
    let kept = city.get_case("dispatcher", &case)["answers"].clone();
    assert_eq!(kept.as_array().unwrap().len(), 2, "{kept:#}");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn the_worst_of_several_answers_counts(city: &City) {
    let (_, case, second) = submit_and_join(city, "");
    verify_case(city, &case);
    // The person who calls may ask each of them.
    let mut asked = callback_answer(false, "fairly_satisfied");
    asked["report_id"] = json!(second);
    city.take_step("hotline", &case, "callback", &asked);
    let shown = city.take_step("hotline", &case, "callback", &callback_body());
    assert_eq!(shown["stage"], "handling", "one says that it is not solved");
    feed_back_case(city, &case);
    city.take_step("neighbour", &case, "callback", &callback_answer(true, "fairly_satisfied"));
    let shown = city.take_step("resident", &case, "callback", &callback_body());
    assert_eq!(shown["stage"], "called_back", "everybody is asked anew");
    assert_eq!(shown["answer"]["satisfied"], "fairly_satisfied");
    city.take_step("dispatcher", &case, "close", &json!({}));
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn only_who_calls_says_that_nobody_was_reached(city: &City) {
    let (_, case, _) = submit_and_join(city, "");
    verify_case(city, &case);
    let missed = json!({ "reached": false });
    city.post_step("neighbour", &case, "callback", &missed).expect_problem(403, "not_permitted");
    city.take_step("neighbour", &case, "callback", &callback_answer(true, "satisfied"));
    for _ in 0..2 {
        assert_eq!(city.take_step("hotline", &case, "callback", &missed)["stage"], "verified");
    }
    // The first was called often enough; what the other one says counts.
    let shown = city.take_step("hotline", &case, "callback", &missed);
    assert_eq!(
        (&shown["stage"], &shown["answer"]["solved"]),
        (&json!("called_back"), &json!(true))
    );
}

fn a_resident_does_not_choose_the_channel(city: &City) {
    let reported = |by: &str, channel: Option<&str>| {
        let mut body = report_body_at(110.005, 30.005);
        if let Some(channel) = channel {
            body["channel"] = json!(channel);
        }
        city.client(by).post("/api/v1/reports", &body)
    };
    for (by, own, foreign) in [
        ("resident", "resident", ["worker", "hotline", "window", "part_time"]),
        ("volunteer", "part_time", ["worker", "hotline", "window", "resident"]),
    ] {
        for channel in foreign {
            let refused = reported(by, Some(channel)).expect_problem(422, "foreign_channel");
            assert_eq!(refused["errors"][0]["pointer"], "/channel");
            assert_eq!(refused["own"], own);
        }
        assert_eq!(reported(by, None).expect_success()["channel"], own, "{by}");
        assert_eq!(reported(by, Some(own)).expect_success()["channel"], own, "{by}");
    }
    assert_eq!(reported("worker", None).expect_success()["channel"], "worker");
    for by in ["worker", "hotline", "client"] {
        for channel in ["hotline", "window", "resident", "part_time"] {
            assert_eq!(reported(by, Some(channel)).expect_success()["channel"], channel, "{by}");
        }
    }
}

fn no_document_lets_the_public_read_others(city: &City) {
    let publish = |role: &str, permissions: Value| {
        let roles = json!([{ "role": role, "permissions": permissions }]);
        let rule = json!({ "document": { "roles": roles }, "note": "权限调整" });
        city.client("admin").post("/api/v1/policies/roles", &rule)
    };
    let shown = city.client("admin").get("/api/v1/policies/roles").expect_success();
    let shipped = &shown["document"]["roles"];
    let every: Vec<Value> = shipped
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["permissions"].clone())
        .flat_map(|all| all.as_array().unwrap().clone())
        .collect();
    for role in ["resident", "volunteer"] {
        for permission in &every {
            let harmless = ["report_problem", "comment"].contains(&permission.as_str().unwrap());
            if !harmless {
                publish(role, json!(["report_problem", permission])).expect_problem(422, "unsound");
            }
        }
        publish(role, json!(["report_problem", "comment"])).expect_success();
    }
    // Auditors decide nothing, either.
    for permission in ["accept_report", "call_back", "disclose_personal", "manage_webhooks"] {
        publish("auditor", json!(["read_audit", permission])).expect_problem(422, "unsound");
    }
    publish("auditor", json!(["read_audit", "read_cases", "read_burden"])).expect_success();
    let report = city.submit_report();
    for by in ["neighbour", "volunteer"] {
        city.client(by).get(&format!("/api/v1/reports/{report}")).expect_problem(404, "not_found");
    }
}

fn titles_and_names_are_what_is_seen_of_them(city: &City) {
    let mut body = report_body_at(110.005, 30.005);
    body["title"] = json!("账单\u{202e}001\u{202c}元\u{200b}\u{feff}");
    body["place"]["address"] = json!("武汉路\u{2066}1号\u{2069}\u{2028}");
    body["text"] = json!("一家人👨\u{200d}👩\u{200d}👧 ئۇيغۇر\u{200f} \u{202e}反着读");
    let report = city.client("resident").post("/api/v1/reports", &body).expect_success();
    assert_eq!(read_text(&report, "/title"), "账单001元");
    assert_eq!(read_text(&report, "/place/address"), "武汉路1号");
    assert_eq!(read_text(&report, "/text"), "一家人👨\u{200d}👩\u{200d}👧 ئۇيغۇر\u{200f} 反着读");
    // A title that is made of the text is a title like any other.
    body["title"] = Value::Null;
    body["text"] = json!("\u{202d}路灯\u{200b}不亮");
    let report = city.client("resident").post("/api/v1/reports", &body).expect_success();
    assert_eq!(read_text(&report, "/title"), "路灯不亮");
    let name = new_key();
    let person = json!({ "account": format!("a\u{200b}{}", &name[24..]), "name": "王\u{202e}芳\u{2067}",
        "password": seed::PASSWORD });
    let person = city.client("admin").post("/api/v1/people", &person).expect_success();
    assert_eq!(
        (read_text(&person, "/name"), read_text(&person, "/account")),
        ("王*".to_owned(), format!("a{}", &name[24..]))
    );
    let body = json!({ "account": "b\u{0}c", "name": "某人", "password": seed::PASSWORD });
    city.client("admin").post("/api/v1/people", &body).expect_problem(400, "invalid_body");
}

fn a_replay_tells_no_more_than_its_caller_may_know(city: &City) {
    let (report, filing) = (city.submit_report(), new_key());
    let file = format!("/api/v1/reports/{report}/file");
    let first = city.client("community").post_as(&filing, &file, &json!({})).expect_success();
    let again = city.client("community").post_as(&filing, &file, &json!({})).expect_success();
    assert_eq!(first["case_id"], again["case_id"]);
    let person = city.client("community").id();
    let role = json!({ "role": "community_officer", "area_id": city.area_id(seed::COMMUNITY) });
    // Another officer takes the open work, so that the role can be revoked.
    let other = city.client("nobody").id();
    city.client("admin").post(&format!("/api/v1/people/{other}/grant"), &role).expect_success();
    city.client("admin").post(&format!("/api/v1/people/{person}/revoke"), &role).expect_success();
    city.client("community")
        .get(&format!("/api/v1/reports/{report}"))
        .expect_problem(404, "not_found");
    city.client("community").post_as(&filing, &file, &json!({})).expect_problem(404, "not_found");
    // A caller who may still know is answered as the first time.
    let (own, body) = (new_key(), report_body_at(110.005, 30.005));
    let reported = city.client("resident").post_as(&own, "/api/v1/reports", &body).expect_success();
    let again = city.client("resident").post_as(&own, "/api/v1/reports", &body).expect_success();
    assert_eq!(reported["id"], again["id"]);
}
