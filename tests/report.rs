//! Reports: submitted, filed, joined, refused, handled on the spot.

use chrono::Duration;
use serde_json::{Value, json};

use crate::harness::{City, new_key, on_both, read_text, read_texts, report_body_at, seed};

on_both! {
    a_report_is_located_and_received,
    a_report_without_a_point_names_its_area,
    a_map_point_of_wechat_is_normalised,
    a_phone_makes_its_own_identity,
    a_report_is_owed_by_its_community,
    filing_corrects_what_the_reporter_did_not_know,
    what_was_handled_on_the_spot_is_a_closed_case,
    a_refused_report_names_the_right_channel,
    both_reporters_hear_the_end_of_a_joined_case,
    a_confidential_reporter_is_invisible_to_handlers,
    similar_cases_are_found_nearby,
    a_report_is_decided_once,
    a_closed_case_takes_no_report,
    a_case_nobody_may_see_takes_no_report,
    a_resident_sees_only_the_own_reports,
    a_worker_reports_in_the_own_grid_only,
    a_phone_whose_clock_is_ahead_is_flagged,
    a_phone_whose_clock_is_wrong_is_refused,
    the_same_identity_is_not_taken_twice,
    lists_filter,
}

fn submit_report(city: &City, by: &str, body: &Value) -> Value {
    city.client(by).post("/api/v1/reports", body).expect_success()
}

fn decide_report(
    city: &City,
    by: &str,
    report: &str,
    verb: &str,
    body: &Value,
) -> crate::harness::Answer {
    city.client(by).post(&format!("/api/v1/reports/{report}/{verb}"), body)
}

fn a_report_is_located_and_received(city: &City) {
    let answer = city.client("resident").post("/api/v1/reports", &report_body_at(110.005, 30.005));
    assert_eq!(answer.status, 201);
    assert_eq!(answer.header("etag"), "\"1\"");
    let place = answer.header("location").to_owned();
    let report = answer.expect_success();
    assert_eq!(place, format!("/api/v1/reports/{}", read_text(&report, "/id")));
    assert_eq!(report["status"], "received");
    assert_eq!(report["channel"], "resident");
    assert_eq!(report["place"]["area"]["name"], "枫林一格");
    assert_eq!(report["title"], "餐馆油烟直排，下水道外溢");
    assert_eq!(report["possible"], json!(["file", "join", "refuse"]));
    assert_eq!(city.client("resident").get(&place).expect_success()["number"], report["number"]);
    // Inside both grids, the smaller one counts.
    let micro = submit_report(city, "resident", &report_body_at(110.003, 30.003));
    assert_eq!(micro["place"]["area"]["name"], "枫林微网格");
    assert_eq!(
        submit_report(city, "worker", &report_body_at(110.005, 30.005))["channel"],
        "worker"
    );
}

fn a_report_without_a_point_names_its_area(city: &City) {
    let at = |area: &str| json!({ "text": "楼道灯坏了", "place": { "area_id": area, "address": "3 栋 2 单元" } });
    let report = submit_report(city, "worker", &at(&city.area_id(seed::GRID)));
    assert_eq!(report["place"]["area"]["name"], "枫林一格");
    assert_eq!(
        (&report["place"]["point"], &report["place"]["address"]),
        (&Value::Null, &json!("3 栋 2 单元"))
    );
    let by = city.client("resident");
    by.post("/api/v1/reports", &at(&city.area_id(seed::CG))).expect_problem(422, "not_a_territory");
    let unknown = at(&api::app::clock::new_id().to_string());
    by.post("/api/v1/reports", &unknown).expect_problem(422, "unknown_area");
    let nowhere = json!({ "text": "楼道灯坏了", "place": {} });
    by.post("/api/v1/reports", &nowhere).expect_problem(422, "place_missing");
}

fn a_map_point_of_wechat_is_normalised(city: &City) {
    // GCJ-02 is some hundred metres off: the same numbers are another place.
    let mut body = report_body_at(110.0105, 30.005);
    assert_eq!(submit_report(city, "resident", &body)["place"]["area"]["name"], "竹园一格");
    body["place"]["point"]["coord_type"] = json!("gcj02");
    let report = submit_report(city, "resident", &body);
    assert_eq!(report["place"]["area"]["name"], "枫林一格");
    let lng = report["place"]["point"]["lng"].as_f64().unwrap();
    assert!(lng > 110.003 && lng < 110.0095, "{lng}");
}

fn a_phone_makes_its_own_identity(city: &City) {
    let (id, case) = (new_key(), new_key());
    let mut body = report_body_at(110.005, 30.005);
    body["id"] = json!(id);
    assert_eq!(submit_report(city, "worker", &body)["id"], id);
    let filed =
        decide_report(city, "community", &id, "file", &json!({ "case_id": case })).expect_success();
    assert_eq!(filed["case_id"], case);
    assert_eq!(city.get_case("community", &case)["reports"], 1);
}

fn a_report_is_owed_by_its_community(city: &City) {
    let report = city.submit_report();
    let todos = city.client("community").get("/api/v1/me/todos").expect_success();
    let todo = &todos["items"][0];
    assert_eq!(
        (&todo["duty"], &todo["flow"], &todo["flow_id"]),
        (&json!("accept"), &json!("report"), &json!(report))
    );
    assert_eq!(todo["unit_name"], "枫林社区");
    decide_report(city, "community", &report, "file", &json!({})).expect_success();
    let after = city.client("community").get("/api/v1/me/todos").expect_success();
    assert_eq!(read_texts(&after, "/duty"), ["dispatch"]);
}

fn filing_corrects_what_the_reporter_did_not_know(city: &City) {
    let report = city.submit_report();
    let unknown = json!({ "category": "Z99" });
    let refused = decide_report(city, "community", &report, "file", &unknown)
        .expect_problem(422, "unknown_category");
    assert_eq!(refused["category"], "Z99");
    let better = json!({ "category": "B04", "title": "下水道冒溢", "urgency": "critical" });
    let filed = decide_report(city, "community", &report, "file", &better).expect_success();
    let case = city.get_case("community", &read_text(&filed, "/case_id"));
    assert_eq!(
        (&case["category"], &case["category_name"]),
        (&json!("B04"), &json!("下水道堵塞冒溢"))
    );
    assert_eq!((&case["title"], &case["urgency"]), (&json!("下水道冒溢"), &json!("critical")));
    // The report stays as it was submitted.
    let told = city.client("resident").get(&format!("/api/v1/reports/{report}")).expect_success();
    assert_eq!((&told["category"], &told["urgency"]), (&json!("A02"), &json!("normal")));
}

fn what_was_handled_on_the_spot_is_a_closed_case(city: &City) {
    let mut body = report_body_at(110.005, 30.005);
    body["handled"] = json!({ "result": "已当场扶正摆放" });
    let report = submit_report(city, "worker", &body);
    assert_eq!(report["status"], "handled_on_the_spot");
    let case = city.get_case("community", &read_text(&report, "/case_id"));
    assert_eq!(
        (&case["stage"], &case["closing"]["outcome"]),
        (&json!("closed"), &json!("self_handled"))
    );
    assert_eq!(case["on_the_spot"], "已当场扶正摆放");
    assert_eq!(case["owed"], json!([]));
    // Residents report; they do not handle.
    city.client("resident").post("/api/v1/reports", &body).expect_problem(403, "not_permitted");
}

fn a_refused_report_names_the_right_channel(city: &City) {
    let report = city.submit_report();
    let body = json!({ "reason": "已进入诉讼程序", "redirect": "court" });
    let refused = decide_report(city, "community", &report, "refuse", &body).expect_success();
    let told = city.client("resident").get(&format!("/api/v1/reports/{report}")).expect_success();
    for view in [&refused, &told] {
        let facts =
            json!([view["status"], view["reason"], view["redirect"], view["redirect_label"]]);
        assert_eq!(facts, json!(["refused", "已进入诉讼程序", "court", "诉讼"]));
    }
    assert_eq!(told["owed"], json!([]));
    let again = decide_report(city, "community", &report, "file", &json!({}))
        .expect_problem(422, "wrong_state");
    assert_eq!((&again["state"], &again["possible"]), (&json!("refused"), &json!([])));
}

fn both_reporters_hear_the_end_of_a_joined_case(city: &City) {
    let (first, second) = (city.submit_report_as("resident"), city.submit_report_as("neighbour"));
    let case = city.file_report(&first);
    let joined = decide_report(city, "community", &second, "join", &json!({ "case_id": case }))
        .expect_success();
    assert_eq!((&joined["status"], &joined["case_id"]), (&json!("joined"), &json!(case)));
    assert_eq!(city.get_case("neighbour", &case)["reports"], 2);
    city.take_step("community", &case, "dispatch", &json!({ "unit_id": city.area_id(seed::GRID) }));
    city.take_step("worker", &case, "sign", &json!({}));
    city.take_step("worker", &case, "feedback", &json!({ "result": "已清理" }));
    city.take_step("verifier", &case, "verify", &json!({ "passed": true }));
    // Each of them answers for their own report.
    city.take_step("neighbour", &case, "callback", &crate::harness::callback_body());
    city.take_step("resident", &case, "callback", &crate::harness::callback_body());
    city.take_step("community", &case, "close", &json!({}));
    for (by, report) in [("resident", first), ("neighbour", second)] {
        let told = city.client(by).get(&format!("/api/v1/reports/{report}")).expect_success();
        assert_eq!(told["case"]["closing"]["outcome"], "solved", "{by}");
    }
}

fn a_confidential_reporter_is_invisible_to_handlers(city: &City) {
    let mut body = report_body_at(110.005, 30.005);
    body["confidential"] = json!(true);
    let report = read_text(&submit_report(city, "resident", &body), "/id");
    let open = city.submit_report_as("neighbour");
    let who = city.client("resident").id().to_string();
    let reporter = |by: &str, report: &str| {
        city.client(by).get(&format!("/api/v1/reports/{report}")).expect_success()["reporter"]["name"].clone()
    };
    for by in ["worker", "community", "district"] {
        assert_eq!(reporter(by, &report), Value::Null, "{by}");
    }
    assert_eq!(reporter("resident", &report), "本人");
    for by in ["dispatcher", "hotline"] {
        assert_eq!(reporter(by, &report), "居***姨", "{by}");
    }
    assert_eq!(reporter("community", &open), "居**许");
    assert_eq!(reporter("worker", &open), Value::Null);
    // Nor does any other view reveal it: not the case, not a timeline, not a list.
    let case = city.file_report(&report);
    city.take_step("resident", &case, "comment", &json!({ "text": "匿名补充" }));
    for path in [
        format!("/api/v1/cases/{case}"),
        format!("/api/v1/cases/{case}/timeline"),
        format!("/api/v1/reports/{report}/timeline"),
        "/api/v1/reports".to_owned(),
        "/api/v1/cases".to_owned(),
        format!("/api/v1/reports/{open}/similar"),
    ] {
        let shown = city.client("community").get(&path);
        assert_eq!(shown.status, 200, "{path}");
        let told = shown.text.contains(&who) || shown.text.contains("张阿姨");
        assert!(!told, "{path} tells who reported: {}", shown.text);
    }
}

fn similar_cases_are_found_nearby(city: &City) {
    let near =
        read_text(&submit_report(city, "resident", &report_body_at(110.0051, 30.005)), "/id");
    let case = city.new_filed_case();
    let mut far = report_body_at(110.009, 30.009);
    far["text"] = json!("顶楼漏水，物业一直不修");
    let far = submit_report(city, "neighbour", &far);
    city.file_report(&read_text(&far, "/id"));
    let similar =
        city.client("community").get(&format!("/api/v1/reports/{near}/similar")).expect_success();
    assert_eq!(read_texts(&similar, "/case/id"), [case.as_str()]);
    let metres = similar["items"][0]["distance_m"].as_f64().unwrap();
    assert!((5.0..15.0).contains(&metres), "{metres}");
    // The same text of the same reporter is found wherever it lies, after what is near.
    let again = submit_report(city, "resident", &report_body_at(110.009, 30.009));
    let again = city.file_report(&read_text(&again, "/id"));
    let similar =
        city.client("community").get(&format!("/api/v1/reports/{near}/similar")).expect_success();
    assert_eq!(read_texts(&similar, "/case/id"), [case, again]);
    assert_eq!(similar["items"][1]["reasons"][0], "identical_text");
}

fn a_report_is_decided_once(city: &City) {
    let report = city.submit_report();
    let case = city.file_report(&report);
    for (verb, body) in [
        ("file", json!({})),
        ("join", json!({ "case_id": case })),
        ("refuse", json!({ "reason": "重复", "redirect": "repeat" })),
    ] {
        decide_report(city, "community", &report, verb, &body).expect_problem(422, "wrong_state");
    }
}

fn a_closed_case_takes_no_report(city: &City) {
    let (case, report) = (city.new_closed_case(), city.submit_report_as("neighbour"));
    let body = json!({ "case_id": case });
    let refused = decide_report(city, "community", &report, "join", &body)
        .expect_problem(422, "not_joinable");
    assert_eq!(refused["state"], "closed");
    let shown = city.client("community").get(&format!("/api/v1/reports/{report}")).expect_success();
    assert_eq!(shown["status"], "received");
}

fn a_case_nobody_may_see_takes_no_report(city: &City) {
    let case = city.new_filed_case();
    let body = report_body_at(110.015, 30.005);
    let report = read_text(&submit_report(city, "resident", &body), "/id");
    // The sibling community files its own reports and does not learn of the neighbour's case.
    for hidden in [case, new_key()] {
        let refused =
            decide_report(city, "sibling", &report, "join", &json!({ "case_id": hidden }));
        assert_eq!(refused.expect_fault("/case_id"), "unknown_case");
    }
    decide_report(city, "community", &report, "file", &json!({})).expect_problem(404, "not_found");
}

fn a_resident_sees_only_the_own_reports(city: &City) {
    let (own, other) = (city.submit_report_as("resident"), city.submit_report_as("neighbour"));
    let by = city.client("resident");
    assert_eq!(read_texts(&by.get("/api/v1/reports").expect_success(), "/id"), [own]);
    by.get(&format!("/api/v1/reports/{other}")).expect_problem(404, "not_found");
}

fn a_worker_reports_in_the_own_grid_only(city: &City) {
    let by = city.client("worker");
    by.post("/api/v1/reports", &report_body_at(110.015, 30.005))
        .expect_problem(403, "not_permitted");
    for by in ["lead", "leader", "district", "admin", "nobody"] {
        let refused = city.client(by).post("/api/v1/reports", &report_body_at(110.005, 30.005));
        assert_eq!(
            refused.expect_problem(403, "not_permitted")["permission"],
            "report_problem",
            "{by}"
        );
    }
}

fn past_report_body(city: &City, ago: Duration) -> Value {
    let mut body = report_body_at(110.005, 30.005);
    body["client_time"] = json!((city.now() - ago).to_rfc3339());
    body
}

fn a_phone_whose_clock_is_ahead_is_flagged(city: &City) {
    let ahead = submit_report(city, "worker", &past_report_body(city, -Duration::hours(3)));
    assert_eq!(ahead["clock_ahead"], true);
    let offline = submit_report(city, "worker", &past_report_body(city, Duration::days(80)));
    assert_eq!(offline["clock_ahead"], false);
    let typed_at = read_text(&offline, "/client_time").parse::<domain::Instant>().unwrap();
    assert!(city.now() - typed_at > Duration::days(79));
}

fn a_phone_whose_clock_is_wrong_is_refused(city: &City) {
    for ago in [-Duration::hours(25), Duration::days(91), Duration::days(20_000)] {
        let refused = city.client("worker").post("/api/v1/reports", &past_report_body(city, ago));
        let refused = refused.expect_problem(422, "client_time_out_of_range");
        assert!(refused["earliest"].is_string() && refused["latest"].is_string());
    }
}

fn the_same_identity_is_not_taken_twice(city: &City) {
    let mut body = report_body_at(110.005, 30.005);
    body["id"] = json!(city.submit_report());
    city.client("resident").post("/api/v1/reports", &body).expect_problem(409, "already_exists");
    // A case's identity is no report's either.
    let report = city.submit_report();
    let taken = json!({ "case_id": city.new_filed_case() });
    let answer = decide_report(city, "community", &report, "file", &taken);
    assert_eq!(answer.status / 100, 4, "{}", answer.text);
    answer.expect_complete_problem();
    let shown = city.client("community").get(&format!("/api/v1/reports/{report}")).expect_success();
    assert_eq!(shown["status"], "received");
}

fn lists_filter(city: &City) {
    let (first, second) = (city.submit_report_as("resident"), city.submit_report_as("worker"));
    city.file_report(&first);
    let list = |by: &str, query: &str| {
        read_texts(&city.client(by).get(&format!("/api/v1/reports{query}")).expect_success(), "/id")
    };
    assert_eq!(list("community", ""), [second.clone(), first.clone()]);
    assert_eq!(list("community", "?status=received"), std::slice::from_ref(&second));
    assert_eq!(list("community", "?mine=true"), Vec::<String>::new());
    assert_eq!(list("worker", "?mine=true"), std::slice::from_ref(&second));
    assert_eq!(list("worker", "?mine=false"), [second.clone(), first.clone()]);
    let within = |area: &str| format!("?within={}", city.area_id(area));
    assert_eq!(list("hotline", &within(seed::STREET)), [second, first]);
    assert_eq!(list("hotline", &within(seed::FAR_STREET)), Vec::<String>::new());
}
