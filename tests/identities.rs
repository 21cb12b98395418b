//! Identities elsewhere: linked by a caller who proves to be the person, seen, taken back, and
//! ended by a reset.

use api::{
    access::totp,
    app::config::{MiniProgram, Secret},
    cli::demo::weixin::{APP_ID, SECRET, Weixin},
};
use chrono::Duration;
use serde_json::{Value, json};

use crate::harness::{Answer, City, Engine, each, on_both_beside, proven, seed, text};

/// A city with two mini-programs at the stand-in.
fn open(engine: Engine) -> (City, Weixin) {
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
    let city = City::with(engine, |settings| settings.mini_programs = programs);
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

fn login_at(city: &City, app: &str, code: &str) -> Answer {
    let body = json!({ "tenant": seed::CITY, "app_id": app, "code": code });
    city.by("").post("/api/v1/auth/wechat", &body)
}

fn with(city: &City, tokens: &Value, method: &str, path: &str, body: &Value) -> Answer {
    let token = format!("Bearer {}", text(tokens, "/access_token"));
    city.by("").call(method, path).header("Authorization", &token).json(body).send()
}

/// Which person a code of WeChat stands for.
fn whom(city: &City, app: &str, code: &str) -> String {
    let tokens = login_at(city, app, code).done();
    text(&with(city, &tokens, "GET", "/api/v1/me", &Value::Null).done(), "/id")
}

fn link(city: &City, by: &str, code: &str, proof: &Value) -> Answer {
    let body = json!({ "app_id": APP_ID, "code": code, "proof": proof });
    city.by(by).post("/api/v1/me/wechat", &body)
}

fn known() -> Value {
    json!({ "password": seed::PASSWORD })
}

fn mine(city: &City, by: &str) -> Vec<String> {
    each(&city.by(by).get("/api/v1/me/identities").done(), "/id")
}

fn told(city: &City, by: &str) -> Vec<String> {
    let shown = city.by(by).get("/api/v1/me/messages?limit=100").done();
    each(&shown, "/kind").into_iter().filter(|kind| kind == "identity_changed").collect()
}

fn a_token_alone_links_nothing(city: &City, _: &Weixin) {
    let bare = json!({ "app_id": APP_ID, "code": "code-thief" });
    let asked = city.by("worker").post("/api/v1/me/wechat", &bare);
    let asked = asked.problem(422, "proof_required");
    assert_eq!(asked["accepted"], json!(["password", "second_factor", "wechat"]));
    link(city, "worker", "code-thief", &json!({})).problem(422, "proof_required");
    let wrong = json!({ "password": "not the password" });
    link(city, "worker", "code-thief", &wrong).problem(422, "proof_wrong");
    let nobodys = json!({ "wechat": { "app_id": APP_ID, "code": "code-thief-0-2" } });
    link(city, "worker", "code-thief", &nobodys).problem(422, "proof_wrong");
    let none = json!({ "second_factor": "123456" });
    link(city, "worker", "code-thief", &none).problem(422, "second_factor_state");
    let worker = city.by("worker").id().to_string();
    assert_ne!(whom(city, APP_ID, "code-thief"), worker);
    assert!(mine(city, "worker").is_empty() && told(city, "worker").is_empty());
    link(city, "worker", "code-wangfang", &known()).done();
    assert_eq!(whom(city, APP_ID, "code-wangfang-0-2"), worker);
    // The person reads that it was done.
    assert_eq!(told(city, "worker").len(), 1);
    let unread = city.by("worker").get("/api/v1/me/messages/unread").done();
    assert_eq!(unread["unread"], 1);
}

fn a_code_of_the_second_factor_links(city: &City, _: &Weixin) {
    let enrolled = city.by("worker").post("/api/v1/me/second_factor/enrol", &proven()).done();
    let secret = totp::from_base32(&text(&enrolled, "/secret")).unwrap();
    let code = || json!({ "code": totp::shown(&secret, city.now()) });
    city.by("worker").post("/api/v1/me/second_factor/confirm", &code()).done();
    city.advance(Duration::seconds(30));
    let wrong = json!({ "second_factor": "12345x" });
    link(city, "worker", "code-wangfang", &wrong).problem(422, "code_invalid");
    let right = json!({ "second_factor": totp::shown(&secret, city.now()) });
    link(city, "worker", "code-wangfang", &right).done();
    assert_eq!(mine(city, "worker").len(), 1);
}

fn who_has_neither_shows_what_is_linked(city: &City, _: &Weixin) {
    let tokens = login_at(city, APP_ID, "code-zhang").done();
    let linking = |code: &str, by: &str| {
        let proof = json!({ "wechat": { "app_id": APP_ID, "code": by } });
        let body = json!({ "app_id": "wxsecond", "code": code, "proof": proof });
        with(city, &tokens, "POST", "/api/v1/me/wechat", &body)
    };
    linking("code-elsewhere", "code-li").problem(422, "proof_wrong");
    linking("code-elsewhere", "invalid").problem(401, "credentials_invalid");
    linking("code-elsewhere", "code-zhang-0-2").done();
    let me = text(&with(city, &tokens, "GET", "/api/v1/me", &Value::Null).done(), "/id");
    assert_eq!(whom(city, "wxsecond", "code-elsewhere-0-2"), me);
}

fn identities_are_listed_and_unlinked(city: &City, _: &Weixin) {
    link(city, "worker", "code-wangfang", &known()).done();
    let shown = city.by("worker").get("/api/v1/me/identities").done();
    assert_eq!(shown["items"][0]["app_id"], APP_ID);
    assert_eq!(shown["items"][0]["kind"], "wechat_mini_program");
    assert!(!shown.to_string().contains("wangfang"), "who one is there is nobody's business");
    let inside = login_at(city, APP_ID, "code-wangfang-0-2").done();
    let path = format!("/api/v1/me/identities/{}/unlink", text(&shown, "/items/0/id"));
    // Another person's is not taken.
    city.by("verifier").post(&path, &json!({})).problem(404, "not_found");
    city.by("worker").post(&path, &json!({})).done();
    city.by("worker").post(&path, &json!({})).problem(404, "not_found");
    assert!(mine(city, "worker").is_empty());
    // A login that was made by it is over, and the login that asked goes on.
    with(city, &inside, "GET", "/api/v1/me", &Value::Null).problem(401, "unauthenticated");
    assert_ne!(whom(city, APP_ID, "code-wangfang-0-3"), city.by("worker").id().to_string());
    assert_eq!(told(city, "worker").len(), 2);
    let log = city.by("auditor").get("/api/v1/audit?act=unlink").done();
    assert_eq!(log["items"][0]["subject_id"], json!(city.by("worker").id()));
}

fn an_unlinked_identity_does_not_come_back_by_another(city: &City, _: &Weixin) {
    let worker = city.by("worker").id().to_string();
    link(city, "worker", "code-wangfang-union", &known()).done();
    assert_eq!(whom(city, "wxsecond", "code-wangfang-union-2"), worker);
    for id in mine(city, "worker") {
        let path = format!("/api/v1/me/identities/{id}/unlink");
        city.by("worker").post(&path, &json!({})).done();
    }
    assert_ne!(whom(city, "wxsecond", "code-wangfang-union-3"), worker);
    assert_ne!(whom(city, APP_ID, "code-wangfang-union-4"), worker);
}

fn administrators_see_and_unlink_those_of_whom_they_manage(city: &City, _: &Weixin) {
    link(city, "worker", "code-wangfang", &known()).done();
    let path = format!("/api/v1/people/{}/identities", city.by("worker").id());
    let shown = city.by("admin").get(&path).done();
    let unlink = format!("{path}/{}/unlink", text(&shown, "/items/0/id"));
    for by in ["far_admin", "leader"] {
        city.by(by).get(&path).problem(403, "not_permitted");
        city.by(by).post(&unlink, &json!({})).problem(403, "not_permitted");
    }
    city.by("neighbour").get(&path).problem(404, "not_found");
    city.by("neighbour").post(&unlink, &json!({})).problem(404, "not_found");
    city.by("admin").post(&unlink, &json!({})).done();
    assert_eq!(city.by("admin").get(&path).done()["items"], json!([]));
    city.by("worker").get("/api/v1/me").problem(401, "unauthenticated");
}

fn a_reset_ends_identities_and_says_which(city: &City, _: &Weixin) {
    for (verb, body) in [
        ("password", json!({ "password": "a brand new passphrase" })),
        ("second_factor/reset", json!({})),
    ] {
        let account = if verb == "password" { "worker" } else { "verifier" };
        let person = city.by(account).id().to_string();
        link(city, account, &format!("code-thief{account}"), &known()).done();
        let id = mine(city, account);
        let inside = login_at(city, APP_ID, &format!("code-thief{account}-0-2")).done();
        let path = format!("/api/v1/people/{person}/{verb}");
        let reset = city.by("admin").post(&path, &body).done();
        assert_eq!(each(&json!({ "items": reset["ended_identities"] }), "/id"), id);
        with(city, &inside, "GET", "/api/v1/me", &Value::Null).problem(401, "unauthenticated");
        assert_ne!(whom(city, APP_ID, &format!("code-thief{account}-0-3")), person);
    }
}

fn a_new_password_of_ones_own_says_what_is_left(city: &City, _: &Weixin) {
    link(city, "worker", "code-wangfang", &known()).done();
    let change = |tokens: &Value, old: &str, new: &str, end: bool| {
        let body = json!({ "old_password": old, "password": new, "end_identities": end });
        with(city, tokens, "POST", "/api/v1/me/password", &body).done()
    };
    let login = |password: &str| {
        let body = json!({ "tenant": seed::CITY, "account": "worker", "password": password });
        city.by("").post("/api/v1/auth/login", &body).done()
    };
    let count = |shown: &Value, name: &str| shown[name].as_array().unwrap().len();
    let (second, third) = ("a brand new passphrase", "and yet another passphrase");
    let kept = change(&login(seed::PASSWORD), seed::PASSWORD, second, false);
    assert_eq!((count(&kept, "identities"), count(&kept, "ended_identities")), (1, 0));
    let worker = city.by("worker").id().to_string();
    assert_eq!(whom(city, APP_ID, "code-wangfang-0-2"), worker);
    let ended = change(&login(second), second, third, true);
    assert_eq!((count(&ended, "identities"), count(&ended, "ended_identities")), (0, 1));
    assert_ne!(whom(city, APP_ID, "code-wangfang-0-3"), worker);
}

fn a_challenge_ends_with_the_identity(city: &City, _: &Weixin) {
    link(city, "worker", "code-wangfang", &known()).done();
    let enrolled = city.by("worker").post("/api/v1/me/second_factor/enrol", &proven()).done();
    let secret = totp::from_base32(&text(&enrolled, "/secret")).unwrap();
    let code = json!({ "code": totp::shown(&secret, city.now()) });
    city.by("worker").post("/api/v1/me/second_factor/confirm", &code).done();
    city.advance(Duration::seconds(30));
    let asked = login_at(city, APP_ID, "code-wangfang-0-2").problem(401, "second_factor_required");
    for id in mine(city, "worker") {
        let path = format!("/api/v1/me/identities/{id}/unlink");
        city.by("worker").post(&path, &json!({})).done();
    }
    let code = totp::shown(&secret, city.now());
    let body = json!({ "challenge": asked["challenge"], "code": code });
    let refused = city.by("").post("/api/v1/auth/second_factor", &body);
    refused.problem(401, "credentials_invalid");
}

fn a_token_alone_enrols_no_second_factor(city: &City, _: &Weixin) {
    let enrol = |body: Value| city.by("worker").post("/api/v1/me/second_factor/enrol", &body);
    enrol(json!({})).problem(422, "proof_required");
    enrol(json!({ "proof": { "password": "not the password" } })).problem(422, "proof_wrong");
    // A code proves nothing before there is a factor, nor one that waits to be confirmed.
    enrol(json!({ "proof": { "second_factor": "123456" } })).problem(422, "proof_required");
    assert_eq!(text(&city.by("worker").get("/api/v1/me/second_factor").done(), "/state"), "none");
    enrol(proven()).done();
    // A person without a password shows what is linked.
    let tokens = login_at(city, APP_ID, "code-resident").done();
    let ask = |body: &Value| with(city, &tokens, "POST", "/api/v1/me/second_factor/enrol", body);
    ask(&json!({})).problem(422, "proof_required");
    let linked = json!({ "wechat": { "app_id": APP_ID, "code": "code-resident-0-2" } });
    ask(&json!({ "proof": linked })).done();
}

fn who_was_erased_comes_back_as_somebody_new(city: &City, _: &Weixin) {
    let tokens = login_at(city, APP_ID, "code-back").done();
    let body = crate::harness::report_at(110.005, 30.005);
    let report = with(city, &tokens, "POST", "/api/v1/reports", &body).done();
    let path = format!("/api/v1/reports/{}", text(&report, "/id"));
    let first = text(&with(city, &tokens, "GET", "/api/v1/me", &Value::Null).done(), "/id");
    let reason = json!({ "reason": "注销" });
    with(city, &tokens, "POST", "/api/v1/me/erasure", &reason).done();
    for round in ["code-back-0-2", "code-back-0-3"] {
        let again = login_at(city, APP_ID, round).done();
        let me = with(city, &again, "GET", "/api/v1/me", &Value::Null).done();
        assert_ne!(text(&me, "/id"), first);
        with(city, &again, "GET", &path, &Value::Null).problem(404, "not_found");
        // A resident who comes back has an account that keeps things.
        let contact = format!("/api/v1/people/{}/contact", text(&me, "/id"));
        with(city, &again, "POST", &contact, &json!({ "phone": "13987654321" })).done();
    }
    let password = json!({ "password": "a brand new passphrase" });
    let reset = city.by("admin").post(&format!("/api/v1/people/{first}/password"), &password);
    reset.problem(422, "erased");
}
