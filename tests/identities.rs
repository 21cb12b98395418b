//! External identities: linked by a caller who proves to be the person, listed, unlinked, and ended
//! by a reset.

use api::{
    access::totp,
    app::config::{MiniProgram, Secret},
    cli::demo::weixin::{APP_ID, SECRET, Weixin},
};
use chrono::Duration;
use serde_json::{Value, json};

use crate::harness::{
    Answer, City, Engine, on_both_beside, password_proof, read_text, read_texts, seed,
};

/// A city with two mini-programs at the stand-in.
fn open_city(engine: Engine) -> (City, Weixin) {
    let weixin = Weixin::start().expect("a stand-in");
    let program = |app_id: &str| MiniProgram {
        app_id: app_id.to_owned(),
        secret: Secret::from(SECRET),
        tenant: Some(seed::CITY.to_owned()),
        url: weixin.server.base.clone(),
        check_content: false,
        message_token: None,
    };
    let programs = vec![program(APP_ID), program("wxsecond")];
    let city = City::open_with(engine, |settings| settings.mini_programs = programs);
    (city, weixin)
}

on_both_beside! {
    a_token_alone_links_nothing,
    a_code_of_the_second_factor_links,
    who_has_neither_shows_what_is_linked,
    identities_are_listed_and_unlinked,
    an_unlinked_identity_does_not_come_back_by_another,
    administrators_see_and_unlink_those_of_whom_they_manage,
    a_reset_ends_identities_and_says_which,
    a_new_password_of_ones_own_says_what_is_left,
    a_challenge_ends_with_the_identity,
    a_token_alone_enrols_no_second_factor,
    who_was_erased_comes_back_as_somebody_new,
}

fn log_in_at(city: &City, app: &str, code: &str) -> Answer {
    let body = json!({ "tenant": seed::CITY, "app_id": app, "code": code });
    city.client("").post("/api/v1/auth/wechat", &body)
}

fn send_as(city: &City, tokens: &Value, method: &str, path: &str, body: &Value) -> Answer {
    let token = format!("Bearer {}", read_text(tokens, "/access_token"));
    city.client("").call(method, path).header("Authorization", &token).json(body).send()
}

/// The person that a code of WeChat stands for.
fn find_person_of(city: &City, app: &str, code: &str) -> String {
    let tokens = log_in_at(city, app, code).expect_success();
    read_text(&send_as(city, &tokens, "GET", "/api/v1/me", &Value::Null).expect_success(), "/id")
}

fn link_identity(city: &City, by: &str, code: &str, proof: &Value) -> Answer {
    let body = json!({ "app_id": APP_ID, "code": code, "proof": proof });
    city.client(by).post("/api/v1/me/wechat", &body)
}

fn login_proof() -> Value {
    json!({ "password": seed::PASSWORD })
}

fn list_identities(city: &City, by: &str) -> Vec<String> {
    read_texts(&city.client(by).get("/api/v1/me/identities").expect_success(), "/id")
}

fn list_messages(city: &City, by: &str) -> Vec<String> {
    let shown = city.client(by).get("/api/v1/me/messages?limit=100").expect_success();
    read_texts(&shown, "/kind").into_iter().filter(|kind| kind == "identity_changed").collect()
}

fn a_token_alone_links_nothing(city: &City, _: &Weixin) {
    let bare = json!({ "app_id": APP_ID, "code": "code-thief" });
    let asked = city.client("worker").post("/api/v1/me/wechat", &bare);
    let asked = asked.expect_problem(422, "proof_required");
    assert_eq!(asked["accepted"], json!(["password", "second_factor", "wechat"]));
    link_identity(city, "worker", "code-thief", &json!({})).expect_problem(422, "proof_required");
    let wrong = json!({ "password": "not the password" });
    link_identity(city, "worker", "code-thief", &wrong).expect_problem(422, "proof_wrong");
    let nobodys = json!({ "wechat": { "app_id": APP_ID, "code": "code-thief-0-2" } });
    link_identity(city, "worker", "code-thief", &nobodys).expect_problem(422, "proof_wrong");
    let none = json!({ "second_factor": "123456" });
    link_identity(city, "worker", "code-thief", &none).expect_problem(422, "second_factor_state");
    let worker = city.client("worker").id().to_string();
    assert_ne!(find_person_of(city, APP_ID, "code-thief"), worker);
    assert!(list_identities(city, "worker").is_empty() && list_messages(city, "worker").is_empty());
    link_identity(city, "worker", "code-wangfang", &login_proof()).expect_success();
    assert_eq!(find_person_of(city, APP_ID, "code-wangfang-0-2"), worker);
    // The person reads that it was done.
    assert_eq!(list_messages(city, "worker").len(), 1);
    let unread = city.client("worker").get("/api/v1/me/messages/unread").expect_success();
    assert_eq!(unread["unread"], 1);
}

fn a_code_of_the_second_factor_links(city: &City, _: &Weixin) {
    let enrolled = city
        .client("worker")
        .post("/api/v1/me/second_factor/enrol", &password_proof())
        .expect_success();
    let secret = totp::decode_base32(&read_text(&enrolled, "/secret")).unwrap();
    let code = || json!({ "code": totp::render_code(&secret, city.now()) });
    city.client("worker").post("/api/v1/me/second_factor/confirm", &code()).expect_success();
    city.advance(Duration::seconds(30));
    let wrong = json!({ "second_factor": "12345x" });
    link_identity(city, "worker", "code-wangfang", &wrong).expect_problem(422, "code_invalid");
    let right = json!({ "second_factor": totp::render_code(&secret, city.now()) });
    link_identity(city, "worker", "code-wangfang", &right).expect_success();
    assert_eq!(list_identities(city, "worker").len(), 1);
}

fn who_has_neither_shows_what_is_linked(city: &City, _: &Weixin) {
    let tokens = log_in_at(city, APP_ID, "code-zhang").expect_success();
    let linking = |code: &str, by: &str| {
        let proof = json!({ "wechat": { "app_id": APP_ID, "code": by } });
        let body = json!({ "app_id": "wxsecond", "code": code, "proof": proof });
        send_as(city, &tokens, "POST", "/api/v1/me/wechat", &body)
    };
    linking("code-elsewhere", "code-li").expect_problem(422, "proof_wrong");
    linking("code-elsewhere", "invalid").expect_problem(401, "credentials_invalid");
    linking("code-elsewhere", "code-zhang-0-2").expect_success();
    let me = read_text(
        &send_as(city, &tokens, "GET", "/api/v1/me", &Value::Null).expect_success(),
        "/id",
    );
    assert_eq!(find_person_of(city, "wxsecond", "code-elsewhere-0-2"), me);
}

fn identities_are_listed_and_unlinked(city: &City, _: &Weixin) {
    link_identity(city, "worker", "code-wangfang", &login_proof()).expect_success();
    let shown = city.client("worker").get("/api/v1/me/identities").expect_success();
    assert_eq!(shown["items"][0]["app_id"], APP_ID);
    assert_eq!(shown["items"][0]["kind"], "wechat_mini_program");
    assert!(!shown.to_string().contains("wangfang"), "who one is there is nobody's business");
    let inside = log_in_at(city, APP_ID, "code-wangfang-0-2").expect_success();
    let path = format!("/api/v1/me/identities/{}/unlink", read_text(&shown, "/items/0/id"));
    // Another person's is not taken.
    city.client("verifier").post(&path, &json!({})).expect_problem(404, "not_found");
    city.client("worker").post(&path, &json!({})).expect_success();
    city.client("worker").post(&path, &json!({})).expect_problem(404, "not_found");
    assert!(list_identities(city, "worker").is_empty());
    // A login that was made by it is over, and the login that asked stays open.
    send_as(city, &inside, "GET", "/api/v1/me", &Value::Null)
        .expect_problem(401, "unauthenticated");
    assert_ne!(
        find_person_of(city, APP_ID, "code-wangfang-0-3"),
        city.client("worker").id().to_string()
    );
    assert_eq!(list_messages(city, "worker").len(), 2);
    let log = city.client("auditor").get("/api/v1/audit?act=unlink").expect_success();
    assert_eq!(log["items"][0]["subject_id"], json!(city.client("worker").id()));
}

fn an_unlinked_identity_does_not_come_back_by_another(city: &City, _: &Weixin) {
    let worker = city.client("worker").id().to_string();
    link_identity(city, "worker", "code-wangfang-union", &login_proof()).expect_success();
    assert_eq!(find_person_of(city, "wxsecond", "code-wangfang-union-2"), worker);
    for id in list_identities(city, "worker") {
        let path = format!("/api/v1/me/identities/{id}/unlink");
        city.client("worker").post(&path, &json!({})).expect_success();
    }
    assert_ne!(find_person_of(city, "wxsecond", "code-wangfang-union-3"), worker);
    assert_ne!(find_person_of(city, APP_ID, "code-wangfang-union-4"), worker);
}

fn administrators_see_and_unlink_those_of_whom_they_manage(city: &City, _: &Weixin) {
    link_identity(city, "worker", "code-wangfang", &login_proof()).expect_success();
    let path = format!("/api/v1/people/{}/identities", city.client("worker").id());
    let shown = city.client("admin").get(&path).expect_success();
    let unlink = format!("{path}/{}/unlink", read_text(&shown, "/items/0/id"));
    for by in ["far_admin", "leader"] {
        city.client(by).get(&path).expect_problem(403, "not_permitted");
        city.client(by).post(&unlink, &json!({})).expect_problem(403, "not_permitted");
    }
    city.client("neighbour").get(&path).expect_problem(404, "not_found");
    city.client("neighbour").post(&unlink, &json!({})).expect_problem(404, "not_found");
    city.client("admin").post(&unlink, &json!({})).expect_success();
    assert_eq!(city.client("admin").get(&path).expect_success()["items"], json!([]));
    city.client("worker").get("/api/v1/me").expect_problem(401, "unauthenticated");
}

fn a_reset_ends_identities_and_says_which(city: &City, _: &Weixin) {
    for (verb, body) in [
        ("password", json!({ "password": "a brand new passphrase" })),
        ("second_factor/reset", json!({})),
    ] {
        let account = if verb == "password" { "worker" } else { "verifier" };
        let person = city.client(account).id().to_string();
        link_identity(city, account, &format!("code-thief{account}"), &login_proof())
            .expect_success();
        let id = list_identities(city, account);
        let inside = log_in_at(city, APP_ID, &format!("code-thief{account}-0-2")).expect_success();
        let path = format!("/api/v1/people/{person}/{verb}");
        let reset = city.client("admin").post(&path, &body).expect_success();
        assert_eq!(read_texts(&json!({ "items": reset["ended_identities"] }), "/id"), id);
        send_as(city, &inside, "GET", "/api/v1/me", &Value::Null)
            .expect_problem(401, "unauthenticated");
        assert_ne!(find_person_of(city, APP_ID, &format!("code-thief{account}-0-3")), person);
    }
}

fn a_new_password_of_ones_own_says_what_is_left(city: &City, _: &Weixin) {
    link_identity(city, "worker", "code-wangfang", &login_proof()).expect_success();
    let change = |tokens: &Value, old: &str, new: &str, end: bool| {
        let body = json!({ "old_password": old, "password": new, "end_identities": end });
        send_as(city, tokens, "POST", "/api/v1/me/password", &body).expect_success()
    };
    let login = |password: &str| {
        let body = json!({ "tenant": seed::CITY, "account": "worker", "password": password });
        city.client("").post("/api/v1/auth/login", &body).expect_success()
    };
    let count = |shown: &Value, name: &str| shown[name].as_array().unwrap().len();
    let (second, third) = ("a brand new passphrase", "and yet another passphrase");
    let kept = change(&login(seed::PASSWORD), seed::PASSWORD, second, false);
    assert_eq!((count(&kept, "identities"), count(&kept, "ended_identities")), (1, 0));
    let worker = city.client("worker").id().to_string();
    assert_eq!(find_person_of(city, APP_ID, "code-wangfang-0-2"), worker);
    let ended = change(&login(second), second, third, true);
    assert_eq!((count(&ended, "identities"), count(&ended, "ended_identities")), (0, 1));
    assert_ne!(find_person_of(city, APP_ID, "code-wangfang-0-3"), worker);
}

fn a_challenge_ends_with_the_identity(city: &City, _: &Weixin) {
    link_identity(city, "worker", "code-wangfang", &login_proof()).expect_success();
    let enrolled = city
        .client("worker")
        .post("/api/v1/me/second_factor/enrol", &password_proof())
        .expect_success();
    let secret = totp::decode_base32(&read_text(&enrolled, "/secret")).unwrap();
    let code = json!({ "code": totp::render_code(&secret, city.now()) });
    city.client("worker").post("/api/v1/me/second_factor/confirm", &code).expect_success();
    city.advance(Duration::seconds(30));
    let asked =
        log_in_at(city, APP_ID, "code-wangfang-0-2").expect_problem(401, "second_factor_required");
    for id in list_identities(city, "worker") {
        let path = format!("/api/v1/me/identities/{id}/unlink");
        city.client("worker").post(&path, &json!({})).expect_success();
    }
    let code = totp::render_code(&secret, city.now());
    let body = json!({ "challenge": asked["challenge"], "code": code });
    let refused = city.client("").post("/api/v1/auth/second_factor", &body);
    refused.expect_problem(401, "credentials_invalid");
}

fn a_token_alone_enrols_no_second_factor(city: &City, _: &Weixin) {
    let enrol = |body: Value| city.client("worker").post("/api/v1/me/second_factor/enrol", &body);
    enrol(json!({})).expect_problem(422, "proof_required");
    enrol(json!({ "proof": { "password": "not the password" } }))
        .expect_problem(422, "proof_wrong");
    // A code proves nothing before there is a factor, nor one that waits to be confirmed.
    enrol(json!({ "proof": { "second_factor": "123456" } })).expect_problem(422, "proof_required");
    assert_eq!(
        read_text(
            &city.client("worker").get("/api/v1/me/second_factor").expect_success(),
            "/state"
        ),
        "none"
    );
    enrol(password_proof()).expect_success();
    // A person without a password shows what is linked.
    let tokens = log_in_at(city, APP_ID, "code-resident").expect_success();
    let ask = |body: &Value| send_as(city, &tokens, "POST", "/api/v1/me/second_factor/enrol", body);
    ask(&json!({})).expect_problem(422, "proof_required");
    let linked = json!({ "wechat": { "app_id": APP_ID, "code": "code-resident-0-2" } });
    ask(&json!({ "proof": linked })).expect_success();
}

fn who_was_erased_comes_back_as_somebody_new(city: &City, _: &Weixin) {
    let tokens = log_in_at(city, APP_ID, "code-back").expect_success();
    let body = crate::harness::report_body_at(110.005, 30.005);
    let report = send_as(city, &tokens, "POST", "/api/v1/reports", &body).expect_success();
    let path = format!("/api/v1/reports/{}", read_text(&report, "/id"));
    let first = read_text(
        &send_as(city, &tokens, "GET", "/api/v1/me", &Value::Null).expect_success(),
        "/id",
    );
    let reason = json!({ "reason": "注销" });
    send_as(city, &tokens, "POST", "/api/v1/me/erasure", &reason).expect_success();
    for round in ["code-back-0-2", "code-back-0-3"] {
        let again = log_in_at(city, APP_ID, round).expect_success();
        let me = send_as(city, &again, "GET", "/api/v1/me", &Value::Null).expect_success();
        assert_ne!(read_text(&me, "/id"), first);
        send_as(city, &again, "GET", &path, &Value::Null).expect_problem(404, "not_found");
        // A resident who comes back has an account that keeps things.
        let contact = format!("/api/v1/people/{}/contact", read_text(&me, "/id"));
        send_as(city, &again, "POST", &contact, &json!({ "phone": "13987654321" }))
            .expect_success();
    }
    let password = json!({ "password": "a brand new passphrase" });
    let reset = city.client("admin").post(&format!("/api/v1/people/{first}/password"), &password);
    reset.expect_problem(422, "erased");
}
