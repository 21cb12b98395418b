//! Sessions: seen, ended, over by themselves, and ended for a thief who copied a refresh token.

use chrono::Duration;
use serde_json::{Value, json};

use crate::harness::{Answer, City, Engine, on_both, seed, text};

on_both! {
    somebody_sees_the_own_logins,
    one_login_is_ended_and_the_others_go_on,
    all_other_logins_are_ended,
    an_administrator_ends_the_logins_of_those_managed,
    a_copied_refresh_token_ends_the_login,
    a_lost_answer_is_forgiven_for_a_minute,
    another_device_is_not_forgiven,
    only_so_many_logins_at_a_time,
}

fn login(city: &City, account: &str, device: &str) -> Value {
    let body = json!({ "tenant": seed::CITY, "account": account, "password": seed::PASSWORD });
    city.by("")
        .call("POST", "/api/v1/auth/login")
        .header("User-Agent", device)
        .json(&body)
        .send()
        .done()
}

fn refresh(city: &City, token: &str, device: &str) -> Answer {
    let body = json!({ "tenant": seed::CITY, "refresh_token": token });
    city.by("").call("POST", "/api/v1/auth/refresh").header("User-Agent", device).json(&body).send()
}

fn with(city: &City, tokens: &Value, method: &str, path: &str) -> Answer {
    let call = city.by("").call(method, path);
    call.header("Authorization", &format!("Bearer {}", text(tokens, "/access_token"))).send()
}

fn devices(city: &City, tokens: &Value) -> Vec<(String, bool)> {
    let list = with(city, tokens, "GET", "/api/v1/me/sessions").done();
    let items = list["items"].as_array().unwrap().iter();
    items.map(|item| (text(item, "/device"), item["current"] == true)).collect()
}

fn somebody_sees_the_own_logins(city: &City) {
    city.advance(Duration::seconds(1));
    let phone = login(city, "worker", "MicroMessenger 8.0 小米");
    let list = with(city, &phone, "GET", "/api/v1/me/sessions").done();
    let mine = &list["items"][0];
    assert_eq!(
        (text(mine, "/device"), &mine["current"]),
        ("MicroMessenger 8.0 小米".to_owned(), &json!(true))
    );
    assert_eq!(
        (text(mine, "/address"), text(mine, "/method")),
        ("127.0.*.*".into(), "password".into())
    );
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    assert!(!list.to_string().contains("127.0.0.1"), "{list}");
    let plain = login(city, "worker", &format!("{}!", "a".repeat(1000)));
    assert_eq!(devices(city, &plain)[0].0.len(), 160);
}

fn one_login_is_ended_and_the_others_go_on(city: &City) {
    let (phone, desk) = (login(city, "worker", "phone"), login(city, "worker", "desk"));
    let list = with(city, &desk, "GET", "/api/v1/me/sessions").done();
    let items = list["items"].as_array().unwrap();
    let other = items.iter().find(|item| item["device"] == "phone").unwrap();
    let path = format!("/api/v1/me/sessions/{}/revoke", text(other, "/id"));
    with(city, &phone, "GET", "/api/v1/me").done();
    // No one else can.
    city.by("neighbour").post(&path, &json!({})).problem(404, "not_found");
    city.by("worker@9902").post(&path, &json!({})).problem(404, "not_found");
    with(city, &desk, "POST", &path).done();
    let ended = with(city, &phone, "GET", "/api/v1/me").problem(401, "unauthenticated");
    assert_eq!(ended["reason"], "ended");
    refresh(city, &text(&phone, "/refresh_token"), "phone").problem(401, "credentials_invalid");
    with(city, &desk, "GET", "/api/v1/me").done();
}

fn all_other_logins_are_ended(city: &City) {
    let (phone, desk) = (login(city, "worker", "phone"), login(city, "worker", "desk"));
    with(city, &desk, "POST", "/api/v1/me/sessions/revoke").done();
    with(city, &phone, "GET", "/api/v1/me").problem(401, "unauthenticated");
    city.by("worker").get("/api/v1/me").problem(401, "unauthenticated");
    assert_eq!(devices(city, &desk), [("desk".to_owned(), true)]);
}

fn an_administrator_ends_the_logins_of_those_managed(city: &City) {
    let phone = login(city, "worker", "phone");
    let path = format!("/api/v1/people/{}/sessions", city.by("worker").id());
    let revoke = format!("{path}/revoke");
    assert_eq!(city.by("admin").get(&path).done()["items"].as_array().unwrap().len(), 2);
    city.by("far_admin").post(&revoke, &json!({})).problem(403, "not_permitted");
    city.by("leader").post(&revoke, &json!({})).problem(403, "not_permitted");
    city.by("neighbour").post(&revoke, &json!({})).problem(404, "not_found");
    city.by("admin").post(&revoke, &json!({})).done();
    with(city, &phone, "GET", "/api/v1/me").problem(401, "unauthenticated");
    assert_eq!(city.by("admin").get(&path).done()["items"], json!([]));
}

fn a_copied_refresh_token_ends_the_login(city: &City) {
    let first = login(city, "worker", "phone");
    let stolen = text(&first, "/refresh_token");
    let second = refresh(city, &stolen, "phone").done();
    city.advance(Duration::seconds(61));
    let reused = refresh(city, &stolen, "phone").problem(401, "credentials_invalid");
    assert_eq!(reused["reason"], "reused");
    // The holder of the newer one is out as well: no one can tell which of the two is the owner.
    with(city, &second, "GET", "/api/v1/me").problem(401, "unauthenticated");
    let newer = text(&second, "/refresh_token");
    refresh(city, &newer, "phone").problem(401, "credentials_invalid");
    // Tokens of several exchanges ago are no better.
    let first = login(city, "worker", "phone");
    let old = text(&first, "/refresh_token");
    let next = text(&refresh(city, &old, "phone").done(), "/refresh_token");
    let last = text(&refresh(city, &next, "phone").done(), "/refresh_token");
    assert_eq!(
        refresh(city, &old, "phone").problem(401, "credentials_invalid")["reason"],
        "reused"
    );
    refresh(city, &last, "phone").problem(401, "credentials_invalid");
}

fn a_lost_answer_is_forgiven_for_a_minute(city: &City) {
    let old = text(&login(city, "worker", "phone"), "/refresh_token");
    let lost = text(&refresh(city, &old, "phone").done(), "/refresh_token");
    city.advance(Duration::seconds(50));
    let again = text(&refresh(city, &old, "phone").done(), "/refresh_token");
    assert_ne!(lost, again);
    refresh(city, &again, "phone").done();
    // The token of the lost answer is worth nothing: its holder must have copied it.
    assert_eq!(
        refresh(city, &lost, "phone").problem(401, "credentials_invalid")["reason"],
        "reused"
    );
}

fn another_device_is_not_forgiven(city: &City) {
    let old = text(&login(city, "worker", "phone"), "/refresh_token");
    refresh(city, &old, "phone").done();
    assert_eq!(
        refresh(city, &old, "thief").problem(401, "credentials_invalid")["reason"],
        "reused"
    );
}

fn only_so_many_logins_at_a_time(city: &City) {
    let first = login(city, "worker", "first");
    for n in 0..10 {
        city.advance(Duration::seconds(1));
        login(city, "worker", &format!("device {n}"));
    }
    let ended = with(city, &first, "GET", "/api/v1/me").problem(401, "unauthenticated");
    assert_eq!(ended["reason"], "ended");
}

fn an_unused_login_is_over(engine: Engine) {
    let city = City::with(engine, |settings| settings.idle_hours = 2);
    let used = login(&city, "worker", "phone");
    let mut used = text(&used, "/refresh_token");
    let unused = login(&city, "worker", "desk");
    for _ in 0..3 {
        city.advance(Duration::minutes(50));
        used = text(&refresh(&city, &used, "phone").done(), "/refresh_token");
    }
    let unused = text(&unused, "/refresh_token");
    refresh(&city, &unused, "desk").problem(401, "credentials_invalid");
    // However much it is used, it ends.
    let city = City::with(engine, |settings| settings.refresh_days = 1);
    let mut used = text(&login(&city, "worker", "phone"), "/refresh_token");
    for _ in 0..3 {
        city.advance(Duration::hours(7));
        used = text(&refresh(&city, &used, "phone").done(), "/refresh_token");
    }
    city.advance(Duration::hours(7));
    refresh(&city, &used, "phone").problem(401, "credentials_invalid");
}

#[test]
fn an_unused_login_is_over_on_sqlite() {
    an_unused_login_is_over(Engine::Sqlite);
}

#[test]
fn an_unused_login_is_over_on_postgres() {
    an_unused_login_is_over(Engine::Postgres);
}
