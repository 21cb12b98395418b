//! The audit log: acts that matter for security are in it, in a chain; auditors read it, and
//! expired notes are removed.

use std::time::Duration;

use persistence::probe;
use serde_json::{Value, json};

use crate::harness::{City, Engine, on_both, read_text, report_body_at, seed};

on_both! {
    what_matters_for_security_is_noted,
    only_auditors_read_and_they_read_nothing_else,
    the_log_is_filtered_and_paged,
    a_changed_record_is_named,
    a_missing_end_is_noticed,
    a_case_is_verified_by_itself,
    many_logins_at_once_are_one_chain,
}

fn list_audit_log(city: &City, query: &str) -> Vec<Value> {
    let page =
        city.client("auditor").get(&format!("/api/v1/audit?limit=100{query}")).expect_success();
    page["items"].as_array().unwrap().clone()
}

fn log_in(city: &City, account: &str, password: &str) -> u16 {
    let body = json!({ "tenant": "9901", "account": account, "password": password });
    city.client("").post("/api/v1/auth/login", &body).status
}

fn what_matters_for_security_is_noted(city: &City) {
    assert_eq!(log_in(city, "worker", seed::PASSWORD), 200);
    assert_eq!(log_in(city, "worker", "not the password"), 401);
    assert_eq!(log_in(city, "my-password-by-mistake", "x"), 401);
    let person = city.client("nobody").id();
    let role = json!({ "role": "hotline", "area_id": city.area_id(seed::GRID) });
    city.client("admin").post(&format!("/api/v1/people/{person}/grant"), &role).expect_success();
    city.client("admin").post(&format!("/api/v1/people/{person}/revoke"), &role).expect_success();
    let document = json!({ "document": { "reopen_days": 20 }, "note": "调整" });
    city.client("admin").post("/api/v1/policies/conduct", &document).expect_success();
    let fresh = json!({ "password": "a brand new passphrase" });
    city.client("admin")
        .post(&format!("/api/v1/people/{person}/password"), &fresh)
        .expect_success();
    city.client("neighbour").post("/api/v1/auth/logout", &json!({})).expect_success();
    let told: Vec<Value> = list_audit_log(city, "")
        .iter()
        .map(|one| json!([one["act"], one["verdict"], one["actor_name"]]))
        .take(8)
        .collect();
    assert_eq!(
        told,
        [
            json!(["logout", "done", "居民"]),
            json!(["password", "done", "管理员"]),
            json!(["publish", "done", "管理员"]),
            json!(["revoke", "done", "管理员"]),
            json!(["grant", "done", "管理员"]),
            json!(["login", "refused", ""]),
            json!(["login", "refused", "网格员王芳"]),
            json!(["login", "done", "网格员王芳"]),
        ]
    );
    let all = json!(list_audit_log(city, "")).to_string();
    assert!(!all.contains("by-mistake") && all.contains("127.0.0.1"), "{all}");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn only_auditors_read_and_they_read_nothing_else(city: &City) {
    for by in ["admin", "district", "leader", "resident", "worker"] {
        city.client(by).get("/api/v1/audit").expect_problem(403, "not_permitted");
        city.client(by).get("/api/v1/disclosures").expect_problem(403, "not_permitted");
    }
    // They look at cases, and change nothing.
    let case = city.new_filed_case();
    city.post_step("auditor", &case, "escalate", &json!({ "reason": "越级" }))
        .expect_problem(403, "not_permitted");
    let body = report_body_at(110.005, 30.005);
    city.client("auditor").post("/api/v1/reports", &body).expect_problem(403, "not_permitted");
    let role = json!({ "role": "auditor", "area_id": city.area_id(seed::CITY) });
    let path = format!("/api/v1/people/{}/grant", city.client("admin").id());
    city.client("auditor").post(&path, &role).expect_problem(403, "not_permitted");
    let kept = city.client("auditor").get("/api/v1/retention").expect_success();
    let classes = domain::people::privacy::DataClass::ALL.len();
    assert_eq!(kept["items"].as_array().unwrap().len(), classes);
    assert_eq!(city.client("admin").get("/api/v1/retention").expect_success(), kept);
    city.client("worker").get("/api/v1/retention").expect_problem(403, "not_permitted");
}

fn the_log_is_filtered_and_paged(city: &City) {
    for _ in 0..3 {
        city.client("neighbour").get("/api/v1/me/export").expect_success();
    }
    city.client("resident").get("/api/v1/me/export").expect_success();
    let who = city.client("neighbour").id();
    assert_eq!(list_audit_log(city, &format!("&actor={who}&act=export")).len(), 3);
    assert_eq!(list_audit_log(city, &format!("&subject={who}&act=export")).len(), 3);
    assert_eq!(list_audit_log(city, "&until=2020-01-01T00:00:00Z"), Vec::<Value>::new());
    let mut seen = Vec::new();
    let mut path = "/api/v1/audit?limit=2&act=export".to_owned();
    loop {
        let page = city.client("auditor").get(&path).expect_success();
        seen.extend(page["items"].as_array().unwrap().iter().map(|one| one["seq"].as_i64()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/audit?limit=2&act=export&cursor={next}");
    }
    assert_eq!(seen.len(), 4);
    assert!(seen.is_sorted_by(|one, next| one > next), "{seen:?}");
}

fn a_changed_record_is_named(city: &City) {
    assert_eq!(log_in(city, "worker", "not the password"), 401);
    assert_eq!(log_in(city, "worker", seed::PASSWORD), 200);
    assert_eq!(city.verify().broken, Vec::<String>::new());
    let last = "select cast(max(seq) as text) as line from audit where verdict = 'refused'";
    let seq = probe::query_lines(&city.database.url, last).unwrap().remove(0);
    let change = format!("update audit set verdict = 'done' where seq = {seq}");
    probe::execute(&city.database.url, &change).unwrap();
    let broken = city.verify().broken;
    assert_eq!(broken.len(), 1, "{broken:?}");
    assert!(
        broken[0].starts_with("audit ") && broken[0].contains(&format!("entry {seq} ")),
        "{broken:?}"
    );
}

fn a_missing_end_is_noticed(city: &City) {
    assert_eq!(log_in(city, "worker", seed::PASSWORD), 200);
    let cut = "delete from audit where act = 'login'";
    probe::execute(&city.database.url, cut).unwrap();
    let broken = city.verify().broken;
    assert!(broken.iter().any(|why| why.contains("ought to end")), "{broken:?}");
}

fn a_case_is_verified_by_itself(city: &City) {
    let case = city.new_whistled_case();
    let path = format!("/api/v1/cases/{case}/verification");
    let whole = city.client("leader").get(&path).expect_success();
    assert_eq!((&whole["intact"], whole["chains"].as_array().unwrap().len()), (&json!(true), 2));
    assert_eq!(whole["chains"][0]["head"].as_str().unwrap().len(), 64);
    city.client("far_worker").get(&path).expect_problem(404, "not_found");
    let change =
        "update journal set events = replace(events, '多部门', '无部门') where name = 'whistle'";
    probe::execute(&city.database.url, change).unwrap();
    let broken = city.client("leader").get(&path).expect_success();
    let first = &broken["chains"][0];
    assert_eq!(
        json!([broken["intact"], first["intact"], first["broken"]["kind"], first["broken"]["seq"]]),
        json!([false, false, "content", 3]),
        "{broken}"
    );
}

fn many_logins_at_once_are_one_chain(city: &City) {
    std::thread::scope(|scope| {
        for by in ["neighbour", "resident", "volunteer", "worker"] {
            scope.spawn(move || {
                for _ in 0..10 {
                    city.client(by).get("/api/v1/me/export").expect_success();
                }
            });
        }
    });
    assert_eq!(list_audit_log(city, "&act=export").len(), 40);
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

/// Waits for the scheduler to have done something.
fn wait_until(what: &str, done: impl Fn() -> bool) {
    for _ in 0..200 {
        if done() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{what} did not happen");
}

fn what_is_over_is_removed(engine: Engine) {
    let city = City::open_with(engine, |settings| settings.clockwork = true);
    let mut document =
        city.client("admin").get("/api/v1/policies/privacy").expect_success()["document"].clone();
    document["retention"]["reporter_contacts"] = json!(30);
    document["retention"]["audit"] = json!(183);
    let shorter = json!({ "document": document, "note": "缩短保存期限" });
    city.client("admin").post("/api/v1/policies/privacy", &shorter).expect_success();
    let contact = json!({ "phone": "13987654321" });
    let mut body = report_body_at(110.005, 30.005);
    body["contact"] = contact;
    let open =
        read_text(&city.client("hotline").post("/api/v1/reports", &body).expect_success(), "/id");
    let over =
        read_text(&city.client("hotline").post("/api/v1/reports", &body).expect_success(), "/id");
    let refuse = json!({ "reason": "重复", "redirect": "repeat" });
    city.client("community")
        .post(&format!("/api/v1/reports/{over}/refuse"), &refuse)
        .expect_success();
    let seeing = json!({ "fields": ["phone"], "purpose": "callback", "reason": "回访" });
    let path = format!("/api/v1/reports/{open}/reporter/disclosures");
    city.client("hotline").post(&path, &seeing).expect_success();
    let phone = |report: &str| {
        let shown =
            city.client("dispatcher").get(&format!("/api/v1/reports/{report}")).expect_success();
        shown["contact"]["phone"].clone()
    };
    // A day later nothing has expired yet, and that was checked.
    city.advance(chrono::Duration::days(1));
    let ran = || {
        let kept = city.client("auditor").get("/api/v1/retention").expect_success();
        kept["items"].as_array().unwrap().iter().all(|class| class["ran_at"].is_string())
    };
    wait_until("the first look", ran);
    assert_eq!(phone(&over), "139****4321");
    let class = |name: &str| {
        let kept = city.client("auditor").get("/api/v1/retention").expect_success();
        kept["items"].as_array().unwrap().iter().find(|one| one["class"] == name).unwrap().clone()
    };
    city.advance(chrono::Duration::days(40));
    wait_until("the contact's end", || class("reporter_contacts")["total"] == 1);
    let noted = list_audit_log(&city, "&act=retention");
    assert!(noted.iter().any(|one| one["detail"]["class"] == "reporter_contacts"), "{noted:?}");
    assert!(noted.iter().all(|one| one["actor_name"] == "系统"));
    // The contact of an open matter stays.
    assert_eq!((phone(&over), phone(&open)), (Value::Null, json!("139****4321")));
    city.advance(chrono::Duration::days(200));
    wait_until("the log's end", || class("audit")["total"].as_i64() > Some(0));
    assert_eq!(class("disclosures")["total"], 0);
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

mod retention {
    use crate::harness::Engine;

    #[test]
    fn what_is_over_is_removed_on_sqlite() {
        super::what_is_over_is_removed(Engine::Sqlite);
    }

    #[test]
    fn what_is_over_is_removed_on_postgres() {
        super::what_is_over_is_removed(Engine::Postgres);
    }
}
