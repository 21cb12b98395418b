//! No retried write is done twice: a replay gets the first answer, for ever.

use domain::{core::journal::FlowKind, flows::content_review::Review};
use persistence::probe;
use serde_json::{Value, json};

use crate::{
    harness::{City, callback_body, new_key, on_both, read_text, report_body_at, seed},
    ownership::sql_literal,
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

/// A write as it was sent, and its answer.
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
    fn send_logged(&mut self, by: &'static str, path: &str, body: Value) -> Value {
        let key = new_key();
        let answer = self.city.client(by).post_as(&key, path, &body);
        let header = |name: &str| answer.header(name).to_owned();
        let (status, tag, location) = (answer.status, header("etag"), header("location"));
        let answer = answer.expect_success();
        let path = path.to_owned();
        self.sent.push(Sent { by, path, body, key, status, tag, location, answer: answer.clone() });
        answer
    }

    #[track_caller]
    fn take_step(&mut self, by: &'static str, case: &str, verb: &str, body: Value) {
        self.send_logged(by, &format!("/api/v1/cases/{case}/{verb}"), body);
    }

    /// Sends everything again, twice, the latest first.
    fn replay_requests(&self) {
        for sent in self.sent.iter().rev().chain(&self.sent) {
            let again = self.city.client(sent.by).post_as(&sent.key, &sent.path, &sent.body);
            assert_eq!(again.status, sent.status, "{}: {}", sent.path, again.text);
            assert_eq!(again.header("etag"), sent.tag, "{}", sent.path);
            assert_eq!(again.header("location"), sent.location, "{}", sent.path);
            assert_eq!(again.body, sent.answer, "{}", sent.path);
        }
    }
}

fn every_step_replayed_gives_the_original_answer(city: &City) {
    let mut log = Log::new(city);
    let report = read_text(
        &log.send_logged("resident", "/api/v1/reports", report_body_at(110.005, 30.005)),
        "/id",
    );
    let filed = log.send_logged("community", &format!("/api/v1/reports/{report}/file"), json!({}));
    let case = read_text(&filed, "/case_id");
    let second = city.submit_report_as("neighbour");
    log.send_logged(
        "community",
        &format!("/api/v1/reports/{second}/join"),
        json!({ "case_id": case }),
    );
    let third = city.submit_report();
    let refuse = json!({ "reason": "重复", "redirect": "repeat" });
    log.send_logged("community", &format!("/api/v1/reports/{third}/refuse"), refuse);
    log.take_step("community", &case, "escalate", json!({ "reason": "需街道" }));
    for round in 0..2 {
        let unit = json!({ "unit_id": city.area_id(seed::COMMUNITY) });
        log.take_step("dispatcher", &case, "dispatch", unit);
        log.take_step("community", &case, "sign", json!({}));
        log.take_step("community", &case, "start", json!({}));
        if round == 0 {
            log.take_step("community", &case, "return", city.not_ours());
        }
    }
    log.take_step("community", &case, "feedback", json!({ "result": "已清理" }));
    log.take_step("verifier", &case, "claim", json!({}));
    log.take_step("verifier", &case, "verify", json!({ "passed": false }));
    log.take_step("community", &case, "feedback", json!({ "result": "再次清理" }));
    log.take_step("verifier", &case, "verify", json!({ "passed": true, "note": "已消除" }));
    log.take_step("hotline", &case, "callback", json!({ "reached": false }));
    log.take_step("resident", &case, "callback", callback_body());
    log.take_step("dispatcher", &case, "comment", json!({ "text": "三项答复齐全" }));
    log.take_step("dispatcher", &case, "close", json!({ "note": "办结" }));
    log.take_step("resident", &case, "reopen", json!({ "reason": "又来了" }));
    let path = format!("/api/v1/cases/{case}/timeline");
    let before = city.client("dispatcher").get(&path).expect_success();
    log.replay_requests();
    assert_eq!(city.client("dispatcher").get(&path).expect_success(), before);
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn every_creation_replayed_gives_the_original_answer(city: &City) {
    let mut log = Log::new(city);
    let mut handled = report_body_at(110.005, 30.005);
    handled["handled"] = json!({ "result": "已当场扶正" });
    let first = log.send_logged("worker", "/api/v1/reports", handled);
    let mut own = report_body_at(110.005, 30.005);
    own["id"] = json!(new_key());
    log.send_logged("worker", "/api/v1/reports", own);
    let person = json!({
        "account": "linshi", "name": "临时", "password": seed::PASSWORD,
        "grants": [{ "role": "hotline", "area_id": city.area_id(seed::CITY) }],
    });
    let person = read_text(&log.send_logged("admin", "/api/v1/people", person), "/id");
    let at = |verb: &str| format!("/api/v1/people/{person}/{verb}");
    let role = json!({ "role": "grid_worker", "area_id": city.area_id(seed::GRID) });
    log.send_logged("admin", &at("grant"), role.clone());
    log.send_logged("admin", &at("revoke"), role);
    log.send_logged("admin", &at("password"), json!({ "password": "a brand new passphrase" }));
    log.replay_requests();
    let mine = city.client("worker").get("/api/v1/reports?mine=true").expect_success();
    assert_eq!(mine["items"].as_array().unwrap().len(), 2);
    let case = city.get_case("worker", &read_text(&first, "/case_id"));
    assert_eq!(case["seq"], 1);
    assert_eq!(
        city.client("admin").get(&format!("/api/v1/people/{person}")).expect_success()["seq"],
        4
    );
}

fn a_whistle_and_its_steps_replayed_give_the_original_answer(city: &City) {
    let mut log = Log::new(city);
    let case = city.new_street_case();
    log.take_step("leader", &case, "whistle", city.whistle_body());
    let unit = city.area_id(seed::SW);
    let at = |verb: &str| format!("summonses/{unit}/{verb}");
    log.take_step("water", &case, &at("sign"), json!({}));
    log.take_step("water", &case, &at("contact"), json!({ "note": "已联系" }));
    let point = json!({ "lng": 110.005, "lat": 30.005, "coord_type": "gcj02" });
    let here = json!({ "point": point, "note": "车停在路口" });
    log.take_step("water", &case, &at("arrive"), here);
    log.take_step("water", &case, &at("feedback"), json!({ "result": "已整改" }));
    log.take_step("leader", &case, &at("send_back"), json!({ "reason": "未完" }));
    log.take_step("water", &case, &at("feedback"), json!({ "result": "全部整改" }));
    log.take_step("leader", &case, &at("release"), json!({}));
    log.take_step("leader", &case, &at("rate"), json!({ "response": 5, "quality": 4 }));
    log.replay_requests();
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

/// Older versions numbered the review of a report as the third entry of its command, with or
/// without a second one.
fn a_command_is_found_whatever_numbers_its_entries_have(city: &City) {
    let (command, body) = (new_key(), report_body_at(110.005, 30.005));
    let send =
        || city.client("resident").post_as(&command, "/api/v1/reports", &body).expect_success();
    let first = send();
    let review = Review::id_of(first["id"].as_str().unwrap().parse().unwrap()).to_string();
    let mut entry = entries(city, (FlowKind::ContentReview, &review)).remove(0);
    assert_eq!((entry.command.0.to_string(), entry.part), (command.clone(), 1));
    entry.take_part(2);
    let (id, hash) = (sql_literal(city, &review), bytes(city, &entry.hash.to_hex()));
    let sql = format!(
        "update journal set part = 2, hash = {hash} where flow_id = {id}; \
         update content_reviews set head = {hash} where id = {id};"
    );
    probe::execute(&city.database.url, &sql).unwrap();
    let count = || {
        city.client("resident").get("/api/v1/reports").expect_success()["items"]
            .as_array()
            .unwrap()
            .len()
    };
    let before = count();
    assert_eq!(send(), first);
    assert_eq!(count(), before);
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn a_key_is_not_reused_for_another_request(city: &City) {
    let case = city.new_whistled_case();
    let key = new_key();
    let comment = format!("/api/v1/cases/{case}/comment");
    let by = city.client("lead");
    by.post_as(&key, &comment, &json!({ "text": "一" })).expect_success();
    let reused = |path: &str, body: &Value| {
        by.post_as(&key, path, body).expect_problem(422, "idempotency_key_reused");
    };
    reused(&comment, &json!({ "text": "二" }));
    let sign = format!("/api/v1/cases/{case}/summonses/{}/sign", city.area_id(seed::CG));
    reused(&sign, &json!({}));
    // The same step of another case, and of another department.
    let other = city.new_whistled_case();
    reused(&format!("/api/v1/cases/{other}/comment"), &json!({ "text": "一" }));
    assert_eq!(city.get_case("lead", &case)["seq"].as_i64(), Some(4));
    assert_eq!(city.get_case("lead", &other)["seq"].as_i64(), Some(3));
    // A creation, too.
    let key = crate::harness::new_key();
    let by = city.client("resident");
    by.post_as(&key, "/api/v1/reports", &report_body_at(110.005, 30.005)).expect_success();
    let again = by.post_as(&key, "/api/v1/reports", &report_body_at(110.006, 30.005));
    again.expect_problem(422, "idempotency_key_reused");
}

fn a_key_of_another_caller_is_another_key(city: &City) {
    let (case, key) = (city.new_street_case(), new_key());
    let (path, body) = (format!("/api/v1/cases/{case}/comment"), json!({ "text": "一" }));
    let first = city.client("dispatcher").post_as(&key, &path, &body).expect_success();
    let second = city.client("leader").post_as(&key, &path, &body).expect_success();
    assert_eq!(second["seq"], json!(first["seq"].as_i64().unwrap() + 1));
    let (key, body) = (crate::harness::new_key(), report_body_at(110.005, 30.005));
    let mut ids = Vec::new();
    for by in ["resident", "neighbour", "worker"] {
        let made = city.client(by).post_as(&key, "/api/v1/reports", &body).expect_success();
        // Each gets the own answer again.
        let again = city.client(by).post_as(&key, "/api/v1/reports", &body).expect_success();
        assert_eq!(made, again);
        ids.push(read_text(&made, "/id"));
    }
    // In one batch of a phone's queue, too: no one takes the key of another caller.
    let item = json!({ "id": key, "operation": "submit_report", "body": body });
    let queue = json!({ "items": [item] });
    let answer = city.client("verifier").post("/api/v1/sync", &queue).expect_success();
    assert_eq!(answer["items"][0]["outcome"], "done", "{answer}");
    ids.push(read_text(&answer, "/items/0/answer/id"));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 4);
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn a_key_is_one_uuid(city: &City) {
    let by = city.client("resident");
    let call = || by.call("POST", "/api/v1/reports").json(&report_body_at(110.005, 30.005));
    call().without_header("Idempotency-Key").send().expect_problem(400, "idempotency_key_required");
    for garbage in ["", "1", "not-a-uuid", "💥"].into_iter().chain(UNFIT) {
        call().key(garbage).send().expect_problem(400, "idempotency_key_invalid");
        let item = json!({ "id": garbage, "operation": "submit_report", "body": {} });
        let answer = by.post("/api/v1/sync", &json!({ "items": [item] })).expect_success();
        assert_eq!(answer["items"][0]["outcome"], "refused", "{garbage}: {answer}");
        assert_eq!(answer["items"][0]["problem"]["errors"][0]["pointer"], "/id", "{answer}");
    }
    let case = city.new_filed_case();
    let step = city.client("community").call("POST", &format!("/api/v1/cases/{case}/comment"));
    let step = step.json(&json!({ "text": "x" })).without_header("Idempotency-Key").send();
    step.expect_problem(400, "idempotency_key_required");
    assert_eq!(
        by.get("/api/v1/reports?mine=true").expect_success()["items"].as_array().unwrap().len(),
        1
    );
}

fn a_refused_request_does_not_use_up_its_key(city: &City) {
    let (case, key) = (city.new_dispatched_case(), new_key());
    let path = format!("/api/v1/cases/{case}/feedback");
    let body = json!({ "result": "已清理" });
    let by = city.client("community");
    by.post_as(&key, &path, &body).expect_problem(422, "wrong_state");
    city.take_step("community", &case, "sign", &json!({}));
    assert_eq!(by.post_as(&key, &path, &body).expect_success()["stage"], "fed_back");
    assert_eq!(by.post_as(&key, &path, &body).expect_success()["stage"], "fed_back");
}

fn a_replay_ignores_the_state_it_named(city: &City) {
    let (case, key) = (city.new_dispatched_case(), new_key());
    let path = format!("/api/v1/cases/{case}/sign");
    let send = || {
        let call =
            city.client("community").call("POST", &path).key(&key).header("If-Match", "\"3\"");
        call.json(&json!({})).send()
    };
    let first = send().expect_success();
    assert_eq!(first["seq"], 4);
    // Sent again because the answer was lost: the version has moved on, by this very request.
    assert_eq!(send().expect_success(), first);
}

fn the_same_key_in_another_tenant_is_another_key(city: &City) {
    let (key, body) = (new_key(), report_body_at(110.005, 30.005));
    let one = city.client("resident").post_as(&key, "/api/v1/reports", &body).expect_success();
    let two = city.client("worker@9902").post_as(&key, "/api/v1/reports", &body).expect_success();
    assert_eq!(one["place"]["area"]["name"], "枫林一格");
    assert_eq!(two["place"]["area"]["name"], "邻网格");
}

fn an_equal_body_written_differently_is_a_replay(city: &City) {
    let (case, key) = (city.new_verified_case(), new_key());
    let path = format!("/api/v1/cases/{case}/callback");
    let send = |body: &str| {
        let call = city.client("hotline").call("POST", &path).key(&key);
        call.header("Content-Type", "application/json").bytes(body).send().expect_success()
    };
    let first = send(r#"{"reached":true,"solved":true,"satisfied":"satisfied"}"#);
    let again = send(
        "{ \"satisfied\": \"\\u0073atisfied\",\n \"solved\": true, \"reached\": true, \"comment\": null }",
    );
    assert_eq!(first, again);
}
