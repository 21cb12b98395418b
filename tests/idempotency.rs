//! No retried write is done twice: a replay is answered as the first time was, for ever.

use domain::{core::journal::FlowKind, flows::content_review::Review};
use persistence::probe;
use serde_json::{Value, json};

use crate::{
    harness::{City, key, on_both, report_at, seed, solved, text},
    ownership::literal,
    unreadable::{bytes, entries},
};

on_both! {
    every_step_replayed_gives_the_original_answer,
    every_creation_replayed_gives_the_original_answer,
    a_whistle_and_its_steps_replayed_give_the_original_answer,
    a_command_is_found_whatever_numbers_its_entries_have,
    a_key_is_not_reused_for_another_request,
    a_key_of_another_caller_is_another_key,
    a_key_is_one_uuid,
    a_refused_request_does_not_use_up_its_key,
    a_replay_ignores_the_state_it_named,
    the_same_key_in_another_tenant_is_another_key,
    an_equal_body_written_differently_is_a_replay,
}

/// UUIDs that clients do not make: nil, max, of versions 1, 5 and 8, of another variant.
pub(crate) const UNFIT: [&str; 6] = [
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "018f3f5e-9c4b-1d2a-8e21-5b0c6f1a2d3e",
    "018f3f5e-9c4b-5d2a-8e21-5b0c6f1a2d3e",
    "018f3f5e-9c4b-8d2a-8e21-5b0c6f1a2d3e",
    "018f3f5e-9c4b-7d2a-0e21-5b0c6f1a2d3e",
];

/// A write as it was sent, and what it was answered.
struct Sent {
    by: &'static str,
    path: String,
    body: Value,
    key: String,
    status: u16,
    tag: String,
    location: String,
    answer: Value,
}

/// Sends writes and remembers them.
struct Log<'c> {
    city: &'c City,
    sent: Vec<Sent>,
}

impl<'c> Log<'c> {
    const fn new(city: &'c City) -> Self {
        Self { city, sent: Vec::new() }
    }

    #[track_caller]
    fn send(&mut self, by: &'static str, path: &str, body: Value) -> Value {
        let key = key();
        let answer = self.city.by(by).post_as(&key, path, &body);
        let header = |name: &str| answer.header(name).to_owned();
        let (status, tag, location) = (answer.status, header("etag"), header("location"));
        let answer = answer.done();
        let path = path.to_owned();
        self.sent.push(Sent { by, path, body, key, status, tag, location, answer: answer.clone() });
        answer
    }

    #[track_caller]
    fn step(&mut self, by: &'static str, case: &str, verb: &str, body: Value) {
        self.send(by, &format!("/api/v1/cases/{case}/{verb}"), body);
    }

    /// Sends everything again, twice, the latest first.
    fn replay(&self) {
        for sent in self.sent.iter().rev().chain(&self.sent) {
            let again = self.city.by(sent.by).post_as(&sent.key, &sent.path, &sent.body);
            assert_eq!(again.status, sent.status, "{}: {}", sent.path, again.text);
            assert_eq!(again.header("etag"), sent.tag, "{}", sent.path);
            assert_eq!(again.header("location"), sent.location, "{}", sent.path);
            assert_eq!(again.body, sent.answer, "{}", sent.path);
        }
    }
}

fn every_step_replayed_gives_the_original_answer(city: &City) {
    let mut log = Log::new(city);
    let report = text(&log.send("resident", "/api/v1/reports", report_at(110.005, 30.005)), "/id");
    let filed = log.send("community", &format!("/api/v1/reports/{report}/file"), json!({}));
    let case = text(&filed, "/case_id");
    let second = city.received_from("neighbour");
    log.send("community", &format!("/api/v1/reports/{second}/join"), json!({ "case_id": case }));
    let third = city.received();
    let refuse = json!({ "reason": "重复", "redirect": "repeat" });
    log.send("community", &format!("/api/v1/reports/{third}/refuse"), refuse);
    log.step("community", &case, "escalate", json!({ "reason": "需街道" }));
    for round in 0..2 {
        let unit = json!({ "unit_id": city.area(seed::COMMUNITY) });
        log.step("dispatcher", &case, "dispatch", unit);
        log.step("community", &case, "sign", json!({}));
        log.step("community", &case, "start", json!({}));
        if round == 0 {
            log.step("community", &case, "return", city.not_ours());
        }
    }
    log.step("community", &case, "feedback", json!({ "result": "已清理" }));
    log.step("verifier", &case, "claim", json!({}));
    log.step("verifier", &case, "verify", json!({ "passed": false }));
    log.step("community", &case, "feedback", json!({ "result": "再次清理" }));
    log.step("verifier", &case, "verify", json!({ "passed": true, "note": "已消除" }));
    log.step("hotline", &case, "callback", json!({ "reached": false }));
    log.step("resident", &case, "callback", solved());
    log.step("dispatcher", &case, "comment", json!({ "text": "三项答复齐全" }));
    log.step("dispatcher", &case, "close", json!({ "note": "办结" }));
    log.step("resident", &case, "reopen", json!({ "reason": "又来了" }));
    let path = format!("/api/v1/cases/{case}/timeline");
    let before = city.by("dispatcher").get(&path).done();
    log.replay();
    assert_eq!(city.by("dispatcher").get(&path).done(), before);
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn every_creation_replayed_gives_the_original_answer(city: &City) {
    let mut log = Log::new(city);
    let mut handled = report_at(110.005, 30.005);
    handled["handled"] = json!({ "result": "已当场扶正" });
    let first = log.send("worker", "/api/v1/reports", handled);
    let mut own = report_at(110.005, 30.005);
    own["id"] = json!(key());
    log.send("worker", "/api/v1/reports", own);
    let person = json!({
        "account": "linshi", "name": "临时", "password": seed::PASSWORD,
        "grants": [{ "role": "hotline", "area_id": city.area(seed::CITY) }],
    });
    let person = text(&log.send("admin", "/api/v1/people", person), "/id");
    let at = |verb: &str| format!("/api/v1/people/{person}/{verb}");
    let role = json!({ "role": "grid_worker", "area_id": city.area(seed::GRID) });
    log.send("admin", &at("grant"), role.clone());
    log.send("admin", &at("revoke"), role);
    log.send("admin", &at("password"), json!({ "password": "a brand new passphrase" }));
    log.replay();
    let mine = city.by("worker").get("/api/v1/reports?mine=true").done();
    assert_eq!(mine["items"].as_array().unwrap().len(), 2);
    let case = city.case("worker", &text(&first, "/case_id"));
    assert_eq!(case["seq"], 1);
    assert_eq!(city.by("admin").get(&format!("/api/v1/people/{person}")).done()["seq"], 4);
}

fn a_whistle_and_its_steps_replayed_give_the_original_answer(city: &City) {
    let mut log = Log::new(city);
    let case = city.at_street();
    log.step("leader", &case, "whistle", city.call());
    let unit = city.area(seed::SW);
    let at = |verb: &str| format!("summonses/{unit}/{verb}");
    log.step("water", &case, &at("sign"), json!({}));
    log.step("water", &case, &at("contact"), json!({ "note": "已联系" }));
    let point = json!({ "lng": 110.005, "lat": 30.005, "coord_type": "gcj02" });
    let here = json!({ "point": point, "note": "车停在路口" });
    log.step("water", &case, &at("arrive"), here);
    log.step("water", &case, &at("feedback"), json!({ "result": "已整改" }));
    log.step("leader", &case, &at("send_back"), json!({ "reason": "未完" }));
    log.step("water", &case, &at("feedback"), json!({ "result": "全部整改" }));
    log.step("leader", &case, &at("release"), json!({}));
    log.step("leader", &case, &at("rate"), json!({ "response": 5, "quality": 4 }));
    log.replay();
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

/// Older versions numbered the review of a report as the third entry of its command, with or without
/// a second one.
fn a_command_is_found_whatever_numbers_its_entries_have(city: &City) {
    let (command, body) = (key(), report_at(110.005, 30.005));
    let send = || city.by("resident").post_as(&command, "/api/v1/reports", &body).done();
    let first = send();
    let review = Review::id_of(first["id"].as_str().unwrap().parse().unwrap()).to_string();
    let mut entry = entries(city, (FlowKind::ContentReview, &review)).remove(0);
    assert_eq!((entry.command.0.to_string(), entry.part), (command.clone(), 1));
    entry.take_part(2);
    let (id, hash) = (literal(city, &review), bytes(city, &entry.hash.hex()));
    let sql = format!(
        "update journal set part = 2, hash = {hash} where flow_id = {id}; \
         update content_reviews set head = {hash} where id = {id};"
    );
    probe::execute(&city.database.url, &sql).unwrap();
    let count =
        || city.by("resident").get("/api/v1/reports").done()["items"].as_array().unwrap().len();
    let before = count();
    assert_eq!(send(), first);
    assert_eq!(count(), before);
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn a_key_is_not_reused_for_another_request(city: &City) {
    let case = city.whistled();
    let key = key();
    let comment = format!("/api/v1/cases/{case}/comment");
    let by = city.by("lead");
    by.post_as(&key, &comment, &json!({ "text": "一" })).done();
    let reused = |path: &str, body: &Value| {
        by.post_as(&key, path, body).problem(422, "idempotency_key_reused");
    };
    reused(&comment, &json!({ "text": "二" }));
    let sign = format!("/api/v1/cases/{case}/summonses/{}/sign", city.area(seed::CG));
    reused(&sign, &json!({}));
    // The same step of another case, and of another department.
    let other = city.whistled();
    reused(&format!("/api/v1/cases/{other}/comment"), &json!({ "text": "一" }));
    assert_eq!(city.case("lead", &case)["seq"].as_i64(), Some(4));
    assert_eq!(city.case("lead", &other)["seq"].as_i64(), Some(3));
    // A creation, too.
    let key = crate::harness::key();
    let by = city.by("resident");
    by.post_as(&key, "/api/v1/reports", &report_at(110.005, 30.005)).done();
    let again = by.post_as(&key, "/api/v1/reports", &report_at(110.006, 30.005));
    again.problem(422, "idempotency_key_reused");
}

fn a_key_of_another_caller_is_another_key(city: &City) {
    let (case, key) = (city.at_street(), key());
    let (path, body) = (format!("/api/v1/cases/{case}/comment"), json!({ "text": "一" }));
    let first = city.by("dispatcher").post_as(&key, &path, &body).done();
    let second = city.by("leader").post_as(&key, &path, &body).done();
    assert_eq!(second["seq"], json!(first["seq"].as_i64().unwrap() + 1));
    let (key, body) = (crate::harness::key(), report_at(110.005, 30.005));
    let mut ids = Vec::new();
    for by in ["resident", "neighbour", "worker"] {
        let made = city.by(by).post_as(&key, "/api/v1/reports", &body).done();
        // Each gets the own answer again.
        let again = city.by(by).post_as(&key, "/api/v1/reports", &body).done();
        assert_eq!(made, again);
        ids.push(text(&made, "/id"));
    }
    // In one batch of a phone's queue, too: no one takes the key of another caller.
    let item = json!({ "id": key, "operation": "submit_report", "body": body });
    let queue = json!({ "items": [item] });
    let answer = city.by("verifier").post("/api/v1/sync", &queue).done();
    assert_eq!(answer["items"][0]["outcome"], "done", "{answer}");
    ids.push(text(&answer, "/items/0/answer/id"));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 4);
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn a_key_is_one_uuid(city: &City) {
    let by = city.by("resident");
    let call = || by.call("POST", "/api/v1/reports").json(&report_at(110.005, 30.005));
    call().without("Idempotency-Key").send().problem(400, "idempotency_key_required");
    for garbage in ["", "1", "not-a-uuid", "💥"].into_iter().chain(UNFIT) {
        call().key(garbage).send().problem(400, "idempotency_key_invalid");
        let item = json!({ "id": garbage, "operation": "submit_report", "body": {} });
        let answer = by.post("/api/v1/sync", &json!({ "items": [item] })).done();
        assert_eq!(answer["items"][0]["outcome"], "refused", "{garbage}: {answer}");
        assert_eq!(answer["items"][0]["problem"]["errors"][0]["pointer"], "/id", "{answer}");
    }
    let case = city.filed();
    let step = city.by("community").call("POST", &format!("/api/v1/cases/{case}/comment"));
    let step = step.json(&json!({ "text": "x" })).without("Idempotency-Key").send();
    step.problem(400, "idempotency_key_required");
    assert_eq!(by.get("/api/v1/reports?mine=true").done()["items"].as_array().unwrap().len(), 1);
}

fn a_refused_request_does_not_use_up_its_key(city: &City) {
    let (case, key) = (city.dispatched(), key());
    let path = format!("/api/v1/cases/{case}/feedback");
    let body = json!({ "result": "已清理" });
    let by = city.by("community");
    by.post_as(&key, &path, &body).problem(422, "wrong_state");
    city.on("community", &case, "sign", &json!({}));
    assert_eq!(by.post_as(&key, &path, &body).done()["stage"], "fed_back");
    assert_eq!(by.post_as(&key, &path, &body).done()["stage"], "fed_back");
}

fn a_replay_ignores_the_state_it_named(city: &City) {
    let (case, key) = (city.dispatched(), key());
    let path = format!("/api/v1/cases/{case}/sign");
    let send = || {
        let call = city.by("community").call("POST", &path).key(&key).header("If-Match", "\"3\"");
        call.json(&json!({})).send()
    };
    let first = send().done();
    assert_eq!(first["seq"], 4);
    // Sent again because the answer was lost: the version has moved on, by this very request.
    assert_eq!(send().done(), first);
}

fn the_same_key_in_another_tenant_is_another_key(city: &City) {
    let (key, body) = (key(), report_at(110.005, 30.005));
    let one = city.by("resident").post_as(&key, "/api/v1/reports", &body).done();
    let two = city.by("worker@9902").post_as(&key, "/api/v1/reports", &body).done();
    assert_eq!(one["place"]["area"]["name"], "枫林一格");
    assert_eq!(two["place"]["area"]["name"], "邻网格");
}

fn an_equal_body_written_differently_is_a_replay(city: &City) {
    let (case, key) = (city.verified(), key());
    let path = format!("/api/v1/cases/{case}/callback");
    let send = |body: &str| {
        let call = city.by("hotline").call("POST", &path).key(&key);
        call.header("Content-Type", "application/json").bytes(body).send().done()
    };
    let first = send(r#"{"reached":true,"solved":true,"satisfied":"satisfied"}"#);
    let again = send(
        "{ \"satisfied\": \"\\u0073atisfied\",\n \"solved\": true, \"reached\": true, \"comment\": null }",
    );
    assert_eq!(first, again);
}
