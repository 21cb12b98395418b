//! The audit log: what matters for security is in it, in a chain; auditors read it, and what is
//! over is removed.

use std::time::Duration;

use persistence::probe;
use serde_json::{Value, json};

use crate::harness::{City, Engine, on_both, report_at, seed, text};

on_both! {
    what_matters_for_security_is_noted,
    only_auditors_read_and_they_read_nothing_else,
    the_log_is_filtered_and_paged,
    a_changed_record_is_named,
    a_missing_end_is_noticed,
    a_case_is_verified_by_itself,
    many_logins_at_once_are_one_chain,
}

fn log(city: &City, query: &str) -> Vec<Value> {
    let page = city.by("auditor").get(&format!("/api/v1/audit?limit=100{query}")).done();
    page["items"].as_array().unwrap().clone()
}

fn login(city: &City, account: &str, password: &str) -> u16 {
    let body = json!({ "tenant": "9901", "account": account, "password": password });
    city.by("").post("/api/v1/auth/login", &body).status
}

fn what_matters_for_security_is_noted(city: &City) {
    assert_eq!(login(city, "worker", seed::PASSWORD), 200);
    assert_eq!(login(city, "worker", "not the password"), 401);
    assert_eq!(login(city, "my-password-by-mistake", "x"), 401);
    let person = city.by("nobody").id();
    let role = json!({ "role": "hotline", "area_id": city.area(seed::GRID) });
    city.by("admin").post(&format!("/api/v1/people/{person}/grant"), &role).done();
    city.by("admin").post(&format!("/api/v1/people/{person}/revoke"), &role).done();
    let document = json!({ "document": { "reopen_days": 20 }, "note": "调整" });
    city.by("admin").post("/api/v1/policies/conduct", &document).done();
    let fresh = json!({ "password": "a brand new passphrase" });
    city.by("admin").post(&format!("/api/v1/people/{person}/password"), &fresh).done();
    city.by("neighbour").post("/api/v1/auth/logout", &json!({})).done();
    let told: Vec<Value> = log(city, "")
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
    let all = json!(log(city, "")).to_string();
    assert!(!all.contains("by-mistake") && all.contains("127.0.0.1"), "{all}");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn only_auditors_read_and_they_read_nothing_else(city: &City) {
    for by in ["admin", "district", "leader", "resident", "worker"] {
        city.by(by).get("/api/v1/audit").problem(403, "not_permitted");
        city.by(by).get("/api/v1/disclosures").problem(403, "not_permitted");
    }
    // They look at cases, and change nothing.
    let case = city.filed();
    city.ask("auditor", &case, "escalate", &json!({ "reason": "越级" }))
        .problem(403, "not_permitted");
    let body = report_at(110.005, 30.005);
    city.by("auditor").post("/api/v1/reports", &body).problem(403, "not_permitted");
    let role = json!({ "role": "auditor", "area_id": city.area(seed::CITY) });
    let path = format!("/api/v1/people/{}/grant", city.by("admin").id());
    city.by("auditor").post(&path, &role).problem(403, "not_permitted");
    let kept = city.by("auditor").get("/api/v1/retention").done();
    let classes = domain::people::privacy::DataClass::ALL.len();
    assert_eq!(kept["items"].as_array().unwrap().len(), classes);
    assert_eq!(city.by("admin").get("/api/v1/retention").done(), kept);
    city.by("worker").get("/api/v1/retention").problem(403, "not_permitted");
}

fn the_log_is_filtered_and_paged(city: &City) {
    for _ in 0..3 {
        city.by("neighbour").get("/api/v1/me/export").done();
    }
    city.by("resident").get("/api/v1/me/export").done();
    let who = city.by("neighbour").id();
    assert_eq!(log(city, &format!("&actor={who}&act=export")).len(), 3);
    assert_eq!(log(city, &format!("&subject={who}&act=export")).len(), 3);
    assert_eq!(log(city, "&until=2020-01-01T00:00:00Z"), Vec::<Value>::new());
    let mut seen = Vec::new();
    let mut path = "/api/v1/audit?limit=2&act=export".to_owned();
    loop {
        let page = city.by("auditor").get(&path).done();
        seen.extend(page["items"].as_array().unwrap().iter().map(|one| one["seq"].as_i64()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/audit?limit=2&act=export&cursor={next}");
    }
    assert_eq!(seen.len(), 4);
    assert!(seen.is_sorted_by(|one, next| one > next), "{seen:?}");
}

fn a_changed_record_is_named(city: &City) {
    assert_eq!(login(city, "worker", "not the password"), 401);
    assert_eq!(login(city, "worker", seed::PASSWORD), 200);
    assert_eq!(city.verify().broken, Vec::<String>::new());
    let last = "select cast(max(seq) as text) as line from audit where verdict = 'refused'";
    let seq = probe::lines(&city.database.url, last).unwrap().remove(0);
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
    assert_eq!(login(city, "worker", seed::PASSWORD), 200);
    let cut = "delete from audit where act = 'login'";
    probe::execute(&city.database.url, cut).unwrap();
    let broken = city.verify().broken;
    assert!(broken.iter().any(|why| why.contains("ought to end")), "{broken:?}");
}

fn a_case_is_verified_by_itself(city: &City) {
    let case = city.whistled();
    let path = format!("/api/v1/cases/{case}/verification");
    let whole = city.by("leader").get(&path).done();
    assert_eq!((&whole["intact"], whole["chains"].as_array().unwrap().len()), (&json!(true), 2));
    assert_eq!(whole["chains"][0]["head"].as_str().unwrap().len(), 64);
    city.by("far_worker").get(&path).problem(404, "not_found");
    let change =
        "update journal set events = replace(events, '多部门', '无部门') where name = 'whistle'";
    probe::execute(&city.database.url, change).unwrap();
    let broken = city.by("leader").get(&path).done();
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
                    city.by(by).get("/api/v1/me/export").done();
                }
            });
        }
    });
    assert_eq!(log(city, "&act=export").len(), 40);
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

/// Waits for the clockwork to have done something.
fn eventually(what: &str, done: impl Fn() -> bool) {
    for _ in 0..200 {
        if done() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{what} did not happen");
}

fn what_is_over_is_removed(engine: Engine) {
    let city = City::with(engine, |settings| settings.clockwork = true);
    let mut document = city.by("admin").get("/api/v1/policies/privacy").done()["document"].clone();
    document["retention"]["reporter_contacts"] = json!(30);
    document["retention"]["audit"] = json!(183);
    let shorter = json!({ "document": document, "note": "缩短保存期限" });
    city.by("admin").post("/api/v1/policies/privacy", &shorter).done();
    let contact = json!({ "phone": "13987654321" });
    let mut body = report_at(110.005, 30.005);
    body["contact"] = contact;
    let open = text(&city.by("hotline").post("/api/v1/reports", &body).done(), "/id");
    let over = text(&city.by("hotline").post("/api/v1/reports", &body).done(), "/id");
    let refuse = json!({ "reason": "重复", "redirect": "repeat" });
    city.by("community").post(&format!("/api/v1/reports/{over}/refuse"), &refuse).done();
    let seeing = json!({ "fields": ["phone"], "purpose": "callback", "reason": "回访" });
    let path = format!("/api/v1/reports/{open}/reporter/disclosures");
    city.by("hotline").post(&path, &seeing).done();
    let phone = |report: &str| {
        let shown = city.by("dispatcher").get(&format!("/api/v1/reports/{report}")).done();
        shown["contact"]["phone"].clone()
    };
    // A day later nothing is over yet, and that was looked at.
    city.advance(chrono::Duration::days(1));
    let ran = || {
        let kept = city.by("auditor").get("/api/v1/retention").done();
        kept["items"].as_array().unwrap().iter().all(|class| class["ran_at"].is_string())
    };
    eventually("the first look", ran);
    assert_eq!(phone(&over), "139****4321");
    let class = |name: &str| {
        let kept = city.by("auditor").get("/api/v1/retention").done();
        kept["items"].as_array().unwrap().iter().find(|one| one["class"] == name).unwrap().clone()
    };
    city.advance(chrono::Duration::days(40));
    eventually("the contact's end", || class("reporter_contacts")["total"] == 1);
    let noted = log(&city, "&act=retention");
    assert!(noted.iter().any(|one| one["detail"]["class"] == "reporter_contacts"), "{noted:?}");
    assert!(noted.iter().all(|one| one["actor_name"] == "系统"));
    // Of the matter that is not over the contact stays.
    assert_eq!((phone(&over), phone(&open)), (Value::Null, json!("139****4321")));
    city.advance(chrono::Duration::days(200));
    eventually("the log's end", || class("audit")["total"].as_i64() > Some(0));
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
