//! Webhooks: signed, in order, until they are accepted or given up, and never to an internal
//! address that was not named.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration as Wait,
};

use actix_web::rt::System;
use api::{
    app::state::App,
    cli::demo::standin::{Asked, Said, Standin},
    integrations::delivery_worker,
};
use chrono::Duration;
use persistence::integrations::delivery::Audience;
use serde_json::{Value, json};

use crate::harness::{City, build_settings, new_key, on_both, read_text, read_texts, seed};

on_both! {
    an_event_is_signed_and_told_once,
    events_of_a_case_come_in_order_and_wait_for_each_other,
    a_receiver_that_fails_for_hours_misses_nothing,
    a_receiver_that_is_gone_is_told_nothing_more,
    a_receiver_that_fails_for_a_day_is_paused_and_goes_on_later,
    two_replicas_tell_everything_once,
    what_was_sent_and_not_written_down_is_sent_again_under_the_same_identity,
    people_are_told_while_a_server_does_not_answer,
    a_secret_is_rotated_without_missing_anything,
    cloudevents_on_request,
    only_the_area_and_the_types_that_were_asked_for,
    a_failed_delivery_is_replayed_on_request,
    addresses_from_inside_are_refused,
    redirects_are_not_followed,
    what_is_wrong_with_a_webhook_is_told,
    nobody_else_manages_webhooks,
}

/// The requests a receiver got, and its next answers.
struct Kept {
    asked: Vec<Asked>,
    answer: u16,
}

/// A server that receives events.
pub(crate) struct Receiver {
    pub(crate) server: Standin,
    kept: Arc<Mutex<Kept>>,
}

impl Receiver {
    pub(crate) fn start() -> Self {
        let kept = Arc::new(Mutex::new(Kept { asked: Vec::new(), answer: 200 }));
        let ours = Arc::clone(&kept);
        let server = Standin::serve(move |asked| {
            let mut kept = ours.lock().unwrap_or_else(PoisonError::into_inner);
            kept.asked.push(asked.clone());
            match kept.answer {
                0 => Said::Nothing,
                1 => Said::Late(Wait::from_secs(4), json!({})),
                301 => Said::Raw(
                    b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/elsewhere\r\n\
                      Content-Length: 0\r\n\r\n"
                        .into(),
                ),
                status => Said::Json(status, json!({ "told": true })),
            }
        });
        Self { server: server.expect("a receiver"), kept }
    }

    fn lock_kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn answer_with(&self, status: u16) {
        self.lock_kept().answer = status;
    }

    pub(crate) fn list_requests(&self) -> Vec<Asked> {
        self.lock_kept().asked.clone()
    }

    fn list_types(&self) -> Vec<String> {
        self.list_requests()
            .iter()
            .map(|asked| asked.body_field("type").as_str().unwrap().to_owned())
            .collect()
    }

    fn list_ids(&self) -> Vec<String> {
        self.list_requests().iter().map(|asked| asked.headers["webhook-id"].clone()).collect()
    }
}

/// One pass of the delivery worker; answers how many deliveries were tried.
pub(crate) fn run_pass(city: &City) -> u64 {
    let app = city.app.clone();
    System::new()
        .block_on(async move { delivery_worker::run_pass(&app).await.expect("it can look") })
}

pub(crate) fn webhook_body(city: &City, url: &str, types: &[&str]) -> Value {
    json!({ "name": "热线平台", "url": url, "area_id": city.area_id(seed::CITY), "types": types })
}

/// Registers a webhook; answers the view.
pub(crate) fn register_webhook(city: &City, receiver: &Receiver, types: &[&str]) -> Value {
    let url = format!("{}/hook", receiver.server.base);
    city.client("admin").post("/api/v1/webhooks", &webhook_body(city, &url, types)).expect_success()
}

/// Whether one of the signatures of a request is by this secret, as the library of Standard
/// Webhooks computes it; the time it carries is that of the story.
fn is_signed_by(asked: &Asked, secret: &str) -> bool {
    let library = standardwebhooks::Webhook::new(secret).unwrap();
    let at = asked.headers["webhook-timestamp"].parse().unwrap();
    let own = library.sign(&asked.headers["webhook-id"], at, &asked.body).unwrap();
    asked.headers["webhook-signature"].split(' ').any(|one| one == own)
}

pub(crate) fn list_deliveries(city: &City, hook: &Value) -> Value {
    let id = read_text(hook, "/id");
    city.client("admin").get(&format!("/api/v1/deliveries?limit=100&target={id}")).expect_success()
}

fn an_event_is_signed_and_told_once(city: &City) {
    let receiver = Receiver::start();
    let hook = register_webhook(city, &receiver, &["report.submitted"]);
    let report = city.submit_report();
    run_pass(city);
    run_pass(city);
    let told = receiver.list_requests();
    assert_eq!(receiver.list_types(), ["report.submitted"]);
    assert_eq!(told[0].path, "/hook");
    assert_eq!(told[0].headers["content-type"], "application/json");
    assert!(is_signed_by(&told[0], &read_text(&hook, "/secret")));
    assert!(!is_signed_by(&told[0], "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="));
    let data = told[0].body_field("data");
    assert_eq!(read_text(&data, "/subject/id"), report);
    assert_eq!(read_text(&data, "/id"), told[0].headers["webhook-id"]);
    // The same event in the feed has the same identity.
    let feed =
        city.client("dispatcher").get("/api/v1/events?types=report.submitted").expect_success();
    assert_eq!(read_texts(&feed, "/id"), receiver.list_ids());
    let listed = list_deliveries(city, &hook);
    assert_eq!(read_texts(&listed, "/state"), ["delivered"]);
    let path = format!("/api/v1/deliveries/{}", read_text(&listed, "/items/0/id"));
    let shown = city.client("admin").get(&path).expect_success();
    let attempt = &shown["attempts"][0];
    assert_eq!(json!([attempt["status"], attempt["outcome"]]), json!([200, "taken"]));
    assert!(read_text(attempt, "/response").contains("told"));
    assert!(!shown.to_string().contains("whsec_"));
}

fn events_of_a_case_come_in_order_and_wait_for_each_other(city: &City) {
    let receiver = Receiver::start();
    register_webhook(city, &receiver, &["case.opened", "case.escalated", "case.dispatched"]);
    receiver.answer_with(500);
    let case = city.new_dispatched_case();
    run_pass(city);
    assert_eq!(receiver.list_types(), ["case.opened"], "the next one waits for it");
    // An event of another case does not wait.
    let other = city.new_filed_case();
    run_pass(city);
    let about = |asked: &Asked| read_text(&asked.body_field("data"), "/subject/id");
    assert_eq!(receiver.list_requests().iter().map(about).collect::<Vec<_>>(), [case, other]);
    receiver.answer_with(200);
    city.advance(Duration::seconds(10));
    run_pass(city);
    let told = receiver.list_types();
    let of_first = ["case.opened", "case.escalated", "case.dispatched"];
    assert_eq!(told.iter().filter(|one| of_first.contains(&one.as_str())).count(), 6);
    let at = |kind| told.iter().rposition(|one| one == kind).unwrap();
    assert!(at("case.escalated") < at("case.dispatched"));
}

fn a_receiver_that_fails_for_hours_misses_nothing(city: &City) {
    let receiver = Receiver::start();
    let hook = register_webhook(city, &receiver, &["report.submitted"]);
    let mut sent = BTreeSet::new();
    for (hour, answer) in [500, 0, 429, 503, 404].into_iter().enumerate() {
        receiver.answer_with(answer);
        sent.insert(city.submit_report());
        run_pass(city);
        assert!(!receiver.list_requests().is_empty(), "hour {hour}");
        city.advance(Duration::hours(1));
        run_pass(city);
    }
    receiver.answer_with(200);
    receiver.lock_kept().asked.clear();
    for _ in 0..24 {
        city.advance(Duration::hours(1));
        run_pass(city);
    }
    let about = |asked: &Asked| read_text(&asked.body_field("data"), "/subject/id");
    let told: Vec<String> = receiver.list_requests().iter().map(about).collect();
    assert_eq!(told.len(), 5, "each was taken once");
    assert_eq!(told.into_iter().collect::<BTreeSet<_>>(), sent);
    assert!(
        read_texts(&list_deliveries(city, &hook), "/state")
            .iter()
            .all(|state| state == "delivered")
    );
    let id = read_text(&list_deliveries(city, &hook), "/items/4/id");
    let shown = city.client("admin").get(&format!("/api/v1/deliveries/{id}")).expect_success();
    let tried = shown["attempts"].as_array().unwrap();
    assert!(tried.len() > 3, "every attempt is on record: {shown:#}");
    assert_eq!(tried[0]["status"], 500);
    assert!(tried.iter().any(|one| one["status"] == Value::Null && one["response"] != ""));
}

fn a_receiver_that_is_gone_is_told_nothing_more(city: &City) {
    let receiver = Receiver::start();
    let hook = register_webhook(city, &receiver, &["report.submitted"]);
    receiver.answer_with(410);
    city.submit_report();
    run_pass(city);
    city.submit_report();
    run_pass(city);
    assert_eq!(receiver.list_requests().len(), 1);
    let path = format!("/api/v1/webhooks/{}", read_text(&hook, "/id"));
    let shown = city.client("admin").get(&path).expect_success();
    assert_eq!(shown["status"], "disabled");
    assert!(shown["why"].as_str().unwrap().contains("410"));
    let told = city.client("admin").get("/api/v1/me/messages").expect_success();
    assert_eq!(read_texts(&told, "/kind"), ["webhook_stopped"]);
    let audit = city.client("auditor").get("/api/v1/audit?limit=5").expect_success();
    assert!(audit.to_string().contains("disabled"), "{audit:#}");
    // When it is back, it receives what happened meanwhile.
    receiver.answer_with(200);
    city.client("admin").post(&format!("{path}/resume"), &json!({})).expect_success();
    run_pass(city);
    assert_eq!(receiver.list_requests().len(), 2);
}

fn a_receiver_that_fails_for_a_day_is_paused_and_goes_on_later(city: &City) {
    let receiver = Receiver::start();
    let hook = register_webhook(city, &receiver, &["report.submitted"]);
    let path = format!("/api/v1/webhooks/{}", read_text(&hook, "/id"));
    receiver.answer_with(500);
    let first = city.submit_report();
    for _ in 0..60 {
        run_pass(city);
        city.advance(Duration::hours(1));
    }
    let shown = city.client("admin").get(&path).expect_success();
    assert_eq!(shown["status"], "paused", "{shown:#}");
    let tried = receiver.list_requests().len();
    let second = city.submit_report();
    city.advance(Duration::hours(30));
    run_pass(city);
    assert_eq!(receiver.list_requests().len(), tried, "paused is paused");
    receiver.answer_with(200);
    receiver.lock_kept().asked.clear();
    city.client("admin").post(&format!("{path}/resume"), &json!({})).expect_success();
    run_pass(city);
    let about = |asked: &Asked| read_text(&asked.body_field("data"), "/subject/id");
    let told: BTreeSet<String> = receiver.list_requests().iter().map(about).collect();
    assert_eq!(told, BTreeSet::from([first, second]));
}

fn two_replicas_tell_everything_once(city: &City) {
    let receiver = Receiver::start();
    register_webhook(city, &receiver, &[]);
    for _ in 0..10 {
        city.new_filed_case();
    }
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                System::new().block_on(async {
                    let settings = build_settings(&city.database.url);
                    let app = App::open(settings, city.clock()).await.expect("another replica");
                    for _ in 0..20 {
                        delivery_worker::run_pass(&app).await.expect("it can look");
                        tokio::time::sleep(Wait::from_millis(10)).await;
                    }
                    app.store.close();
                });
            });
        }
    });
    run_pass(city);
    let ids = receiver.list_ids();
    let whole: BTreeSet<&String> = ids.iter().collect();
    assert_eq!(whole.len(), ids.len(), "nothing twice");
    let feed = city.client("admin").get("/api/v1/events?limit=1").expect_success();
    assert_eq!(feed["items"], json!([]), "administrators see no cases");
    assert_eq!(ids.len(), 30, "submitted, filed, opened");
}

fn what_was_sent_and_not_written_down_is_sent_again_under_the_same_identity(city: &City) {
    let receiver = Receiver::start();
    register_webhook(city, &receiver, &["report.submitted"]);
    city.submit_report();
    // A replica that leases, sends and dies before it can write that down.
    receiver.answer_with(1);
    System::new().block_on(async {
        let app =
            App::open(build_settings(&city.database.url), city.clock()).await.expect("a replica");
        let dying =
            tokio::time::timeout(Wait::from_millis(1500), delivery_worker::run_pass(&app)).await;
        assert!(dying.is_err(), "it died while it waited for the answer");
        app.store.close();
    });
    receiver.answer_with(200);
    assert_eq!(receiver.list_requests().len(), 1);
    run_pass(city);
    assert_eq!(receiver.list_requests().len(), 1, "somebody may still be sending it");
    city.advance(Duration::minutes(2));
    run_pass(city);
    let ids = receiver.list_ids();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1]);
    city.advance(Duration::hours(1));
    run_pass(city);
    assert_eq!(receiver.list_requests().len(), 2);
}

fn people_are_told_while_a_server_does_not_answer(city: &City) {
    let receiver = Receiver::start();
    register_webhook(city, &receiver, &["report.submitted"]);
    receiver.answer_with(1);
    let wait = |limit: Wait, is_there: &dyn Fn() -> bool| {
        let begun = std::time::Instant::now();
        while !is_there() {
            assert!(begun.elapsed() < limit, "not within {limit:?}");
            std::thread::sleep(Wait::from_millis(20));
        }
    };
    let (over, app) = (AtomicBool::new(false), city.app.clone());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            System::new().block_on(async {
                for audience in [Audience::People, Audience::Servers] {
                    actix_web::rt::spawn(delivery_worker::run(app.clone(), audience));
                }
                while !over.load(Ordering::SeqCst) {
                    tokio::time::sleep(Wait::from_millis(20)).await;
                }
            });
        });
        let report = city.submit_report();
        wait(Wait::from_secs(10), &|| receiver.list_requests().len() == 1);
        // The server answers after four seconds.
        city.file_report(&report);
        let messages = || city.client("resident").get("/api/v1/me/messages").expect_success();
        wait(Wait::from_secs(3), &|| messages()["items"] != json!([]));
        over.store(true, Ordering::SeqCst);
    });
}

fn a_secret_is_rotated_without_missing_anything(city: &City) {
    let receiver = Receiver::start();
    let hook = register_webhook(city, &receiver, &["report.submitted"]);
    let path = format!("/api/v1/webhooks/{}", read_text(&hook, "/id"));
    let old = read_text(&hook, "/secret");
    let new =
        city.client("admin").post(&format!("{path}/rotate_secret"), &json!({})).expect_success();
    let new = read_text(&new, "/secret");
    city.submit_report();
    run_pass(city);
    let told = receiver.list_requests();
    assert!(is_signed_by(&told[0], &old) && is_signed_by(&told[0], &new));
    city.advance(Duration::hours(25));
    city.submit_report();
    run_pass(city);
    let told = receiver.list_requests();
    assert!(!is_signed_by(&told[1], &old) && is_signed_by(&told[1], &new));
    assert_eq!(city.client("admin").get(&path).expect_success()["secret"], Value::Null);
}

fn cloudevents_on_request(city: &City) {
    let receiver = Receiver::start();
    let mut wanted = webhook_body(city, &receiver.server.base, &["report.submitted"]);
    wanted["envelope"] = json!("cloudevents");
    city.client("admin").post("/api/v1/webhooks", &wanted).expect_success();
    city.submit_report();
    run_pass(city);
    let told = receiver.list_requests();
    assert!(told[0].headers["content-type"].starts_with("application/cloudevents+json"));
    for (name, value) in [
        ("specversion", "1.0"),
        ("type", "cn.gridwhistle.report.submitted"),
        ("id", told[0].headers["webhook-id"].as_str()),
        ("datacontenttype", "application/json"),
    ] {
        assert_eq!(told[0].body_field(name), value, "{name}");
    }
    assert!(told[0].body_field("source").as_str().unwrap().contains("tenants"));
    assert!(told[0].body_field("time").is_string());
}

fn only_the_area_and_the_types_that_were_asked_for(city: &City) {
    let (near, far) = (Receiver::start(), Receiver::start());
    for (receiver, area) in [(&near, seed::STREET), (&far, seed::FAR_STREET)] {
        let mut wanted = webhook_body(city, &receiver.server.base, &["report.filed"]);
        wanted["area_id"] = json!(city.area_id(area));
        city.client("admin").post("/api/v1/webhooks", &wanted).expect_success();
    }
    city.new_filed_case();
    run_pass(city);
    assert_eq!(
        (near.list_types(), far.list_types()),
        (vec!["report.filed".to_owned()], Vec::new())
    );
}

fn a_failed_delivery_is_replayed_on_request(city: &City) {
    let receiver = Receiver::start();
    let hook = register_webhook(city, &receiver, &["report.submitted"]);
    let path = format!("/api/v1/webhooks/{}", read_text(&hook, "/id"));
    city.submit_report();
    run_pass(city);
    let id = read_text(&list_deliveries(city, &hook), "/items/0/id");
    let again = city
        .client("admin")
        .post(&format!("/api/v1/deliveries/{id}/replay"), &json!({}))
        .expect_success();
    assert_eq!(again["state"], "waiting");
    run_pass(city);
    assert_eq!(receiver.list_ids().len(), 2);
    assert_eq!(receiver.list_ids()[0], receiver.list_ids()[1]);
    city.advance(Duration::seconds(1));
    let range = json!({ "from": city.now() - Duration::hours(1), "delivered": true });
    let asked = city.client("admin").post(&format!("{path}/replay"), &range).expect_success();
    assert_eq!(asked["count"], 1);
    run_pass(city);
    assert_eq!(receiver.list_ids().len(), 3);
    // A test event is delivered like any other.
    let ordered = city.client("admin").post(&format!("{path}/test"), &json!({})).expect_success();
    run_pass(city);
    assert_eq!(receiver.list_types().last().unwrap(), "webhook.test");
    let shown = format!("/api/v1/deliveries/{}", read_text(&ordered, "/delivery_id"));
    assert_eq!(city.client("admin").get(&shown).expect_success()["state"], "delivered");
}

fn addresses_from_inside_are_refused(city: &City) {
    let refused = |url: &str| {
        city.client("admin")
            .post("/api/v1/webhooks", &webhook_body(city, url, &[]))
            .expect_fault("/url")
    };
    for url in [
        "http://169.254.169.254/latest/meta-data",
        "https://10.1.2.3/",
        "https://[::1]/",
        "https://192.168.1.1/x",
        "https://[fd00::1]/",
        "http://8.8.8.8/",
        "https://0.0.0.0/",
    ] {
        assert_eq!(refused(url), "address_not_allowed", "{url}");
    }
    for url in
        ["ftp://example.org/", "example.org", "https://", "https://user:pw@example.org/", "x"]
    {
        assert_eq!(refused(url), "not_a_url", "{url}");
    }
    // A name that leads to an internal address is found out when it is resolved: nothing is sent.
    let name = "https://localhost.localdomain.invalid/hook";
    let hook = city
        .client("admin")
        .post("/api/v1/webhooks", &webhook_body(city, name, &[]))
        .expect_success();
    city.submit_report();
    run_pass(city);
    assert_eq!(read_text(&list_deliveries(city, &hook), "/items/0/state"), "waiting");
}

fn redirects_are_not_followed(city: &City) {
    let receiver = Receiver::start();
    let hook = register_webhook(city, &receiver, &["report.submitted"]);
    receiver.answer_with(301);
    city.submit_report();
    run_pass(city);
    let id = read_text(&list_deliveries(city, &hook), "/items/0/id");
    let shown = city.client("admin").get(&format!("/api/v1/deliveries/{id}")).expect_success();
    assert_eq!(json!([shown["state"], shown["attempts"][0]["status"]]), json!(["waiting", 301]));
}

fn what_is_wrong_with_a_webhook_is_told(city: &City) {
    let asked = |body: &Value| city.client("admin").post("/api/v1/webhooks", body);
    let good = webhook_body(city, "https://hooks.example.org/x", &[]);
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    assert_eq!(
        asked(&with("types", json!(["case.exploded"]))).expect_fault("/types/0"),
        "unknown_type"
    );
    assert_eq!(
        asked(&with("envelope", json!("soap"))).expect_fault("/envelope"),
        "unknown_envelope"
    );
    asked(&with("area_id", json!(new_key()))).expect_problem(422, "unknown_area");
    let (same, body) = (new_key(), good);
    let first = city.client("admin").post_as(&same, "/api/v1/webhooks", &body).expect_success();
    let again = city.client("admin").post_as(&same, "/api/v1/webhooks", &body).expect_success();
    assert_eq!([&first["id"], &first["secret"]], [&again["id"], &again["secret"]]);
    let mut other = body;
    other["name"] = json!("别的");
    city.client("admin")
        .post_as(&same, "/api/v1/webhooks", &other)
        .expect_problem(422, "idempotency_key_reused");
}

fn nobody_else_manages_webhooks(city: &City) {
    let receiver = Receiver::start();
    let hook = register_webhook(city, &receiver, &[]);
    let path = format!("/api/v1/webhooks/{}", read_text(&hook, "/id"));
    for by in ["dispatcher", "client", "resident", "auditor"] {
        city.client(by).get("/api/v1/webhooks").expect_problem(403, "not_permitted");
        city.client(by).get(&path).expect_problem(403, "not_permitted");
        city.client(by).get("/api/v1/deliveries").expect_problem(403, "not_permitted");
    }
    city.client("far_admin").get(&path).expect_problem(404, "not_found");
    city.client("admin").post(&format!("{path}/remove"), &json!({}));
    city.client("admin").get(&path).expect_problem(404, "not_found");
    city.submit_report();
    run_pass(city);
    assert_eq!(receiver.list_requests().len(), 0);
}
