//! What a webhook is told: the person who set it need not be able to read, so it is told identities
//! until a person who may read agrees.

use serde_json::{Value, json};

use crate::{
    harness::{City, each, on_both, report_at, seed, text},
    webhook::{Receiver, body, deliveries, pass, registered},
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
fn reported(city: &City) -> String {
    let mut report = report_at(110.005, 30.005);
    report["text"] = json!(SAID);
    report["confidential"] = json!(true);
    text(&city.by("resident").post("/api/v1/reports", &report).done(), "/id")
}

fn path(hook: &Value) -> String {
    format!("/api/v1/webhooks/{}", text(hook, "/id"))
}

fn approval(hook: &Value, approved: bool) -> Value {
    json!({ "approved": approved, "url": hook["url"] })
}

/// The bodies the receiver got since it was asked last.
fn told(receiver: &Receiver, seen: &mut usize) -> Vec<String> {
    let all = receiver.told();
    let new = all.iter().skip(*seen).map(|one| String::from_utf8_lossy(&one.body).into_owned());
    let new = new.collect();
    *seen = all.len();
    new
}

fn a_webhook_is_told_identities_until_somebody_who_reads_agrees(city: &City) {
    let (receiver, mut seen) = (Receiver::start(), 0);
    let hook = registered(city, &receiver, &["report.submitted"]);
    assert_eq!(hook["content"], "ids");
    let report = reported(city);
    city.by("admin").get(&format!("/api/v1/reports/{report}")).problem(404, "not_found");
    pass(city);
    let bodies = told(&receiver, &mut seen);
    assert!(bodies[0].contains(&report) && !bodies[0].contains("张三"), "{bodies:?}");
    // The person who set it cannot agree to that, nor can anyone without the right over its whole
    // area.
    let approve = format!("{}/approve", path(&hook));
    let yes = approval(&hook, true);
    city.by("admin").post(&approve, &yes).problem(403, "not_permitted");
    for by in ["resident", "client", "dispatcher", "auditor"] {
        city.by(by).post(&approve, &yes).problem(403, "not_permitted");
    }
    let shown = city.by("hotline").get(&path(&hook)).done();
    assert_eq!(shown["url"], hook["url"], "it is read before it is agreed to");
    let other = json!({ "approved": true, "url": "https://elsewhere.example/" });
    assert_eq!(city.by("hotline").post(&approve, &other).fault_at("/url"), "url_changed");
    let agreed = city.by("hotline").post(&approve, &yes).done();
    assert_eq!(agreed["content"], "whole");
    assert_eq!(agreed["approved_by"], json!(city.by("hotline").id()));
    reported(city);
    pass(city);
    let bodies = told(&receiver, &mut seen);
    assert!(bodies[0].contains(SAID), "{bodies:?}");
    assert!(!bodies[0].contains(&city.by("resident").id().to_string()), "never who reported");
    let audit = city.by("auditor").get("/api/v1/audit?limit=5").done();
    assert!(audit.to_string().contains("approve"), "{audit:#}");
    // Taken back: the person who manages it may do that, too.
    city.by("admin").post(&approve, &approval(&hook, false)).done();
    reported(city);
    pass(city);
    assert!(!told(&receiver, &mut seen)[0].contains("张三"));
}

fn an_agreement_ends_with_the_rights_of_who_gave_it(city: &City) {
    let (receiver, mut seen) = (Receiver::start(), 0);
    let hook = registered(city, &receiver, &["report.submitted"]);
    city.by("hotline").post(&format!("{}/approve", path(&hook)), &approval(&hook, true)).done();
    // What was made while a reader agreed and is sent when none does is told in short, too.
    receiver.answers(500);
    reported(city);
    pass(city);
    assert!(told(&receiver, &mut seen)[0].contains(SAID));
    let role = json!({ "role": "hotline", "area_id": city.area(seed::CITY) });
    let revoke = format!("/api/v1/people/{}/revoke", city.by("hotline").id());
    city.by("admin").post(&revoke, &role).done();
    receiver.answers(200);
    city.advance(chrono::Duration::seconds(10));
    reported(city);
    pass(city);
    let bodies = told(&receiver, &mut seen);
    assert_eq!(bodies.len(), 2);
    assert!(bodies.iter().all(|body| !body.contains("张三")), "{bodies:?}");
    assert_eq!(city.by("admin").get(&path(&hook)).done()["content"], "ids");
    // It does not come back with the right.
    let grant = revoke.replace("/revoke", "/grant");
    city.by("admin").post(&grant, &role).done();
    reported(city);
    pass(city);
    assert!(told(&receiver, &mut seen).iter().all(|body| !body.contains("张三")));
    assert_eq!(city.by("admin").get(&path(&hook)).done()["approved_by"], Value::Null);
}

fn an_agreement_is_about_this_address_and_area(city: &City) {
    let receiver = Receiver::start();
    let url = format!("{}/hook", receiver.server.base);
    let mut wanted = body(city, &url, &["report.submitted"]);
    wanted["area_id"] = json!(city.area(seed::STREET));
    let hook = city.by("admin").post("/api/v1/webhooks", &wanted).done();
    let approve = format!("{}/approve", path(&hook));
    let update = format!("{}/update", path(&hook));
    let agree = || city.by("dispatcher").post(&approve, &approval(&hook, true)).done();
    let after = |change: (&str, Value)| {
        let mut changed = wanted.clone();
        changed[change.0] = change.1;
        let content = city.by("admin").post(&update, &changed).done()["content"].clone();
        city.by("admin").post(&update, &wanted).done();
        content
    };
    for change in [
        ("url", json!(format!("{url}/other"))),
        ("area_id", json!(city.area(seed::DISTRICT))),
        ("types", json!(["report.submitted", "case.commented"])),
    ] {
        agree();
        assert_eq!(after(change.clone()), "ids", "{change:?}");
    }
    agree();
    assert_eq!(after(("name", json!("热线平台二"))), "whole");
    city.by("admin").post(&format!("{}/pause", path(&hook)), &json!({})).done();
    let resumed = city.by("admin").post(&format!("{}/resume", path(&hook)), &json!({})).done();
    assert_eq!(resumed["content"], "whole");
}

fn who_may_not_read_sees_no_bodies_in_the_record(city: &City) {
    let receiver = Receiver::start();
    let hook = registered(city, &receiver, &["report.submitted"]);
    city.by("hotline").post(&format!("{}/approve", path(&hook)), &approval(&hook, true)).done();
    let report = reported(city);
    pass(city);
    let id = text(&deliveries(city, &hook), "/items/0/id");
    let shown = city.by("admin").get(&format!("/api/v1/deliveries/{id}"));
    assert!(!shown.text.contains("张三") && !shown.text.contains(&report), "{}", shown.text);
    let attempt = &shown.done()["attempts"][0];
    assert_eq!((&attempt["status"], &attempt["response"]), (&json!(200), &Value::Null));
    assert!(text(attempt, "/request").starts_with("POST "));
    // Where it is identities alone, nothing has to be hidden.
    city.by("admin").post(&format!("{}/approve", path(&hook)), &approval(&hook, false)).done();
    reported(city);
    pass(city);
    let id = text(&deliveries(city, &hook), "/items/0/id");
    let shown = city.by("admin").get(&format!("/api/v1/deliveries/{id}")).done();
    assert!(text(&shown, "/attempts/0/response").contains("told"));
}

fn a_district_administrator_sees_the_own_deliveries_alone(city: &City) {
    let (near, far) = (Receiver::start(), Receiver::start());
    registered(city, &near, &["report.submitted"]);
    let mut wanted = body(city, &far.server.base, &["report.submitted"]);
    wanted["area_id"] = json!(city.area(seed::FAR_DISTRICT));
    let own = city.by("far_admin").post("/api/v1/webhooks", &wanted).done();
    let east = report_at(110.025, 30.005);
    for _ in 0..2 {
        city.by("resident").post("/api/v1/reports", &east).done();
    }
    for _ in 0..3 {
        city.received();
    }
    pass(city);
    let read = |path: &str| city.by("far_admin").get(path).done();
    let first = read("/api/v1/deliveries?limit=1");
    assert_eq!(each(&first, "/target_id"), [text(&own, "/id")]);
    let next = text(&first, "/next");
    let second = read(&format!("/api/v1/deliveries?limit=1&cursor={next}"));
    assert_eq!(each(&second, "/target_id"), [text(&own, "/id")]);
    assert_eq!(second["next"], Value::Null, "what is not theirs leads nowhere");
    assert_eq!(read("/api/v1/deliveries?limit=100")["items"].as_array().unwrap().len(), 2);
    let all = city.by("admin").get("/api/v1/deliveries?limit=100").done();
    let foreign = each(&all, "/id")
        .into_iter()
        .find(|id| !each(&first, "/id").contains(id) && !each(&second, "/id").contains(id));
    let path = format!("/api/v1/deliveries/{}", foreign.unwrap());
    city.by("far_admin").get(&path).problem(404, "not_found");
}
