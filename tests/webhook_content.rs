//! The content of webhooks: the person who set one up need not be allowed to read cases, so it
//! receives identities until a person who may read approves whole events.

use serde_json::{Value, json};

use crate::{
    harness::{City, on_both, read_text, read_texts, report_body_at, seed},
    webhook::{Receiver, list_deliveries, register_webhook, run_pass, webhook_body},
};

on_both! {
    a_webhook_is_told_identities_until_somebody_who_reads_agrees,
    an_agreement_ends_with_the_rights_of_who_gave_it,
    an_agreement_is_about_this_address_and_area,
    who_may_not_read_sees_no_bodies_in_the_record,
    a_district_administrator_sees_the_own_deliveries_alone,
}

const SAID: &str = "楼上张三家每晚打麻将";

/// A confidential report; the identity.
fn submit_report(city: &City) -> String {
    let mut report = report_body_at(110.005, 30.005);
    report["text"] = json!(SAID);
    report["confidential"] = json!(true);
    read_text(&city.client("resident").post("/api/v1/reports", &report).expect_success(), "/id")
}

fn webhook_path(hook: &Value) -> String {
    format!("/api/v1/webhooks/{}", read_text(hook, "/id"))
}

fn approval_body(hook: &Value, approved: bool) -> Value {
    json!({ "approved": approved, "url": hook["url"] })
}

/// The bodies the receiver got since it was asked last.
fn take_new_bodies(receiver: &Receiver, seen: &mut usize) -> Vec<String> {
    let all = receiver.list_requests();
    let new = all.iter().skip(*seen).map(|one| String::from_utf8_lossy(&one.body).into_owned());
    let new = new.collect();
    *seen = all.len();
    new
}

fn a_webhook_is_told_identities_until_somebody_who_reads_agrees(city: &City) {
    let (receiver, mut seen) = (Receiver::start(), 0);
    let hook = register_webhook(city, &receiver, &["report.submitted"]);
    assert_eq!(hook["content"], "ids");
    let report = submit_report(city);
    city.client("admin").get(&format!("/api/v1/reports/{report}")).expect_problem(404, "not_found");
    run_pass(city);
    let bodies = take_new_bodies(&receiver, &mut seen);
    assert!(bodies[0].contains(&report) && !bodies[0].contains("张三"), "{bodies:?}");
    // The person who set it up cannot approve that, nor can anyone without the right over its whole
    // area.
    let approve = format!("{}/approve", webhook_path(&hook));
    let yes = approval_body(&hook, true);
    city.client("admin").post(&approve, &yes).expect_problem(403, "not_permitted");
    for by in ["resident", "client", "dispatcher", "auditor"] {
        city.client(by).post(&approve, &yes).expect_problem(403, "not_permitted");
    }
    let shown = city.client("hotline").get(&webhook_path(&hook)).expect_success();
    assert_eq!(shown["url"], hook["url"], "it is read before it is agreed to");
    let other = json!({ "approved": true, "url": "https://elsewhere.example/" });
    assert_eq!(city.client("hotline").post(&approve, &other).expect_fault("/url"), "url_changed");
    let agreed = city.client("hotline").post(&approve, &yes).expect_success();
    assert_eq!(agreed["content"], "whole");
    assert_eq!(agreed["approved_by"], json!(city.client("hotline").id()));
    submit_report(city);
    run_pass(city);
    let bodies = take_new_bodies(&receiver, &mut seen);
    assert!(bodies[0].contains(SAID), "{bodies:?}");
    assert!(!bodies[0].contains(&city.client("resident").id().to_string()), "never who reported");
    let audit = city.client("auditor").get("/api/v1/audit?limit=5").expect_success();
    assert!(audit.to_string().contains("approve"), "{audit:#}");
    // Withdrawn: the person who manages it may do that, too.
    city.client("admin").post(&approve, &approval_body(&hook, false)).expect_success();
    submit_report(city);
    run_pass(city);
    assert!(!take_new_bodies(&receiver, &mut seen)[0].contains("张三"));
}

fn an_agreement_ends_with_the_rights_of_who_gave_it(city: &City) {
    let (receiver, mut seen) = (Receiver::start(), 0);
    let hook = register_webhook(city, &receiver, &["report.submitted"]);
    city.client("hotline")
        .post(&format!("{}/approve", webhook_path(&hook)), &approval_body(&hook, true))
        .expect_success();
    // An event made while it was approved and sent when it is not is shortened, too.
    receiver.answer_with(500);
    submit_report(city);
    run_pass(city);
    assert!(take_new_bodies(&receiver, &mut seen)[0].contains(SAID));
    let role = json!({ "role": "hotline", "area_id": city.area_id(seed::CITY) });
    let revoke = format!("/api/v1/people/{}/revoke", city.client("hotline").id());
    city.client("admin").post(&revoke, &role).expect_success();
    receiver.answer_with(200);
    city.advance(chrono::Duration::seconds(10));
    submit_report(city);
    run_pass(city);
    let bodies = take_new_bodies(&receiver, &mut seen);
    assert_eq!(bodies.len(), 2);
    assert!(bodies.iter().all(|body| !body.contains("张三")), "{bodies:?}");
    assert_eq!(city.client("admin").get(&webhook_path(&hook)).expect_success()["content"], "ids");
    // It does not come back with the right.
    let grant = revoke.replace("/revoke", "/grant");
    city.client("admin").post(&grant, &role).expect_success();
    submit_report(city);
    run_pass(city);
    assert!(take_new_bodies(&receiver, &mut seen).iter().all(|body| !body.contains("张三")));
    assert_eq!(
        city.client("admin").get(&webhook_path(&hook)).expect_success()["approved_by"],
        Value::Null
    );
}

fn an_agreement_is_about_this_address_and_area(city: &City) {
    let receiver = Receiver::start();
    let url = format!("{}/hook", receiver.server.base);
    let mut wanted = webhook_body(city, &url, &["report.submitted"]);
    wanted["area_id"] = json!(city.area_id(seed::STREET));
    let hook = city.client("admin").post("/api/v1/webhooks", &wanted).expect_success();
    let approve = format!("{}/approve", webhook_path(&hook));
    let update = format!("{}/update", webhook_path(&hook));
    let agree =
        || city.client("dispatcher").post(&approve, &approval_body(&hook, true)).expect_success();
    let after = |change: (&str, Value)| {
        let mut changed = wanted.clone();
        changed[change.0] = change.1;
        let content =
            city.client("admin").post(&update, &changed).expect_success()["content"].clone();
        city.client("admin").post(&update, &wanted).expect_success();
        content
    };
    for change in [
        ("url", json!(format!("{url}/other"))),
        ("area_id", json!(city.area_id(seed::DISTRICT))),
        ("types", json!(["report.submitted", "case.commented"])),
    ] {
        agree();
        assert_eq!(after(change.clone()), "ids", "{change:?}");
    }
    agree();
    assert_eq!(after(("name", json!("热线平台二"))), "whole");
    city.client("admin")
        .post(&format!("{}/pause", webhook_path(&hook)), &json!({}))
        .expect_success();
    let resumed = city
        .client("admin")
        .post(&format!("{}/resume", webhook_path(&hook)), &json!({}))
        .expect_success();
    assert_eq!(resumed["content"], "whole");
}

fn who_may_not_read_sees_no_bodies_in_the_record(city: &City) {
    let receiver = Receiver::start();
    let hook = register_webhook(city, &receiver, &["report.submitted"]);
    city.client("hotline")
        .post(&format!("{}/approve", webhook_path(&hook)), &approval_body(&hook, true))
        .expect_success();
    let report = submit_report(city);
    run_pass(city);
    let id = read_text(&list_deliveries(city, &hook), "/items/0/id");
    let shown = city.client("admin").get(&format!("/api/v1/deliveries/{id}"));
    assert!(!shown.text.contains("张三") && !shown.text.contains(&report), "{}", shown.text);
    let attempt = &shown.expect_success()["attempts"][0];
    assert_eq!((&attempt["status"], &attempt["response"]), (&json!(200), &Value::Null));
    assert!(read_text(attempt, "/request").starts_with("POST "));
    // Where it is identities alone, nothing has to be hidden.
    city.client("admin")
        .post(&format!("{}/approve", webhook_path(&hook)), &approval_body(&hook, false))
        .expect_success();
    submit_report(city);
    run_pass(city);
    let id = read_text(&list_deliveries(city, &hook), "/items/0/id");
    let shown = city.client("admin").get(&format!("/api/v1/deliveries/{id}")).expect_success();
    assert!(read_text(&shown, "/attempts/0/response").contains("told"));
}

fn a_district_administrator_sees_the_own_deliveries_alone(city: &City) {
    let (near, far) = (Receiver::start(), Receiver::start());
    register_webhook(city, &near, &["report.submitted"]);
    let mut wanted = webhook_body(city, &far.server.base, &["report.submitted"]);
    wanted["area_id"] = json!(city.area_id(seed::FAR_DISTRICT));
    let own = city.client("far_admin").post("/api/v1/webhooks", &wanted).expect_success();
    let east = report_body_at(110.025, 30.005);
    for _ in 0..2 {
        city.client("resident").post("/api/v1/reports", &east).expect_success();
    }
    for _ in 0..3 {
        city.submit_report();
    }
    run_pass(city);
    let read = |path: &str| city.client("far_admin").get(path).expect_success();
    let first = read("/api/v1/deliveries?limit=1");
    assert_eq!(read_texts(&first, "/target_id"), [read_text(&own, "/id")]);
    let next = read_text(&first, "/next");
    let second = read(&format!("/api/v1/deliveries?limit=1&cursor={next}"));
    assert_eq!(read_texts(&second, "/target_id"), [read_text(&own, "/id")]);
    assert_eq!(second["next"], Value::Null, "what is not theirs leads nowhere");
    assert_eq!(read("/api/v1/deliveries?limit=100")["items"].as_array().unwrap().len(), 2);
    let all = city.client("admin").get("/api/v1/deliveries?limit=100").expect_success();
    let foreign = read_texts(&all, "/id").into_iter().find(|id| {
        !read_texts(&first, "/id").contains(id) && !read_texts(&second, "/id").contains(id)
    });
    let path = format!("/api/v1/deliveries/{}", foreign.unwrap());
    city.client("far_admin").get(&path).expect_problem(404, "not_found");
}
