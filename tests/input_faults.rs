//! Times, days and texts that are none, and what is said of them.

use serde_json::json;

use crate::harness::{City, on_both, report_body_at};

on_both! {
    a_time_is_one_that_clocks_show,
    what_is_no_day_is_told_of_days,
    no_deadline_lies_beyond_what_can_be_written,
    what_cannot_be_seen_is_no_text,
    a_title_is_cut_between_what_people_see_as_characters,
    nobody_is_born_tomorrow,
}

fn a_time_is_one_that_clocks_show(city: &City) {
    let mut body = report_body_at(110.005, 30.005);
    let minute = city.now().format("%Y-%m-%dT%H:%M").to_string();
    body["client_time"] = json!(format!("{minute}:60Z"));
    let refused = city.client("resident").post("/api/v1/reports", &body);
    assert_eq!(refused.status, 400);
    assert_eq!(refused.expect_fault("/client_time"), "out_of_range");
    let item = json!({
        "id": crate::harness::new_key(), "operation": "submit_report",
        "body": report_body_at(110.005, 30.005), "client_time": format!("{minute}:60Z"),
    });
    let queue = json!({ "items": [item] });
    let answer = city.client("resident").post("/api/v1/sync", &queue).expect_success();
    assert_eq!(answer["items"][0]["problem"]["status"], 400, "{answer}");
    body["client_time"] = json!(format!("{minute}:00.123987654Z"));
    let made = city.client("resident").post("/api/v1/reports", &body).expect_success();
    assert!(made.to_string().contains(&format!("{minute}:00.123Z")), "{made}");
    assert!(!made.to_string().contains("123987"), "{made}");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn what_is_no_day_is_told_of_days(city: &City) {
    for text in ["2026-02-30", "yesterday", "2026-03-03T00:00:00Z"] {
        let refused = city.client("worker").get(&format!("/api/v1/areas?at={text}"));
        let refused = refused.expect_problem(400, "invalid_query");
        let told = refused["errors"][0].to_string();
        assert!(told.contains("日期"), "{told}");
    }
    let body = json!({ "name": "新名", "effective_on": "2026-13-01" });
    let path = format!("/api/v1/areas/{}/rename", city.area_id(crate::harness::seed::GRID));
    let refused = city.client("admin").post(&path, &body);
    assert!(refused.text.contains("日期"), "{}", refused.text);
}

fn no_deadline_lies_beyond_what_can_be_written(city: &City) {
    let area = city.area_id(crate::harness::seed::GRID);
    for at in ["9999-12-31T23:00:00Z", "+10000-01-01T00:00:00Z", "+262000-01-01T00:00:00Z"] {
        let body = json!({ "area_id": area, "at": at });
        let refused = city.client("worker").post("/api/v1/sla/preview", &body);
        assert_eq!(refused.status, 400, "{at}: {}", refused.text);
        assert_eq!(refused.expect_fault("/at"), "out_of_range");
    }
    let body = json!({ "area_id": area, "at": "9990-01-01T00:00:00Z" });
    city.client("worker").post("/api/v1/sla/preview", &body).expect_success();
}

fn what_cannot_be_seen_is_no_text(city: &City) {
    for blank in ["\u{200b}", "\u{3164}\u{2060}", "\u{2800}"] {
        for field in ["title", "text"] {
            let mut body = report_body_at(110.005, 30.005);
            body[field] = json!(blank);
            let refused = city.client("resident").post("/api/v1/reports", &body);
            assert_eq!(refused.expect_fault(&format!("/{field}")), "empty_text", "{blank:?}");
        }
        let mut body = report_body_at(110.005, 30.005);
        body["place"]["address"] = json!(blank);
        let refused = city.client("resident").post("/api/v1/reports", &body);
        assert_eq!(refused.expect_fault("/place/address"), "empty_text");
    }
    let file = "code,name,level,parent_code\n990101009,\u{200b},4,990101\n";
    let call = city.client("admin").call("POST", "/api/v1/area_imports?what=areas");
    let call = call.key(&crate::harness::new_key()).header("Content-Type", "text/csv");
    let refused = call.bytes(file.as_bytes()).send().expect_success();
    assert_eq!(refused["faults"][0]["code"], "empty", "{refused}");
}

fn a_title_is_cut_between_what_people_see_as_characters(city: &City) {
    let family = "👨\u{200d}👩\u{200d}👧";
    let mut body = report_body_at(110.005, 30.005);
    body["text"] = json!(format!("{}{family}在楼道", "楼".repeat(38)));
    let made = city.client("resident").post("/api/v1/reports", &body).expect_success();
    assert_eq!(made["title"], json!("楼".repeat(38)));
}

fn nobody_is_born_tomorrow(city: &City) {
    let tomorrow = (city.now() + chrono::Duration::days(2)).date_naive();
    let mut body = crate::household::household_body(city);
    body["members"][0]["birth"] = json!(tomorrow);
    body["members"][0]["guardian_consent"] = json!(true);
    let refused = city.client("worker").post("/api/v1/households", &body);
    assert_eq!(refused.expect_fault("/members/0/birth"), "out_of_range");
    let home = crate::household::register_household(city);
    let shown = city.client("worker").get(&format!("/api/v1/households/{home}")).expect_success();
    let member = &shown["members"][0]["id"];
    let change = json!({
        "change_members": [{ "id": member, "birth": tomorrow, "guardian_consent": true }],
    });
    let path = format!("/api/v1/households/{home}/update");
    let refused = city.client("worker").post(&path, &change);
    assert_eq!(refused.expect_fault("/change_members/0/birth"), "out_of_range");
}
