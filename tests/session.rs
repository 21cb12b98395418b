//! Sessions: listed, ended, expired, and ended for a thief who copied a refresh token.

use chrono::Duration;
use serde_json::{Value, json};

use crate::harness::{Answer, City, Engine, on_both, read_text, seed};

on_both! {
    somebody_sees_the_own_logins,
    one_login_is_ended_and_the_others_go_on,
    all_other_logins_are_ended,
    an_administrator_ends_the_logins_of_those_managed,
    a_copied_refresh_token_ends_the_login,
    a_lost_answer_is_forgiven_for_a_minute,
    two_tabs_that_refresh_at_once_both_go_on,
    another_device_is_not_forgiven,
    only_so_many_logins_at_a_time,
}

fn log_in(city: &City, account: &str, device: &str) -> Value {
    let body = json!({ "tenant": seed::CITY, "account": account, "password": seed::PASSWORD });
    city.client("")
        .call("POST", "/api/v1/auth/login")
        .header("User-Agent", device)
        .json(&body)
        .send()
        .expect_success()
}

fn refresh_login(city: &City, token: &str, device: &str) -> Answer {
    let body = json!({ "tenant": seed::CITY, "refresh_token": token });
    city.client("")
        .call("POST", "/api/v1/auth/refresh")
        .header("User-Agent", device)
        .json(&body)
        .send()
}

fn send_as(city: &City, tokens: &Value, method: &str, path: &str) -> Answer {
    let call = city.client("").call(method, path);
    call.header("Authorization", &format!("Bearer {}", read_text(tokens, "/access_token"))).send()
}

fn list_devices(city: &City, tokens: &Value) -> Vec<(String, bool)> {
    let list = send_as(city, tokens, "GET", "/api/v1/me/sessions").expect_success();
    let items = list["items"].as_array().unwrap().iter();
    items.map(|item| (read_text(item, "/device"), item["current"] == true)).collect()
}

fn somebody_sees_the_own_logins(city: &City) {
    city.advance(Duration::seconds(1));
    let phone = log_in(city, "worker", "MicroMessenger 8.0 小米");
    let list = send_as(city, &phone, "GET", "/api/v1/me/sessions").expect_success();
    let mine = &list["items"][0];
    assert_eq!(
        (read_text(mine, "/device"), &mine["current"]),
        ("MicroMessenger 8.0 小米".to_owned(), &json!(true))
    );
    assert_eq!(
        (read_text(mine, "/address"), read_text(mine, "/method")),
        ("127.0.*.*".into(), "password".into())
    );
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    assert!(!list.to_string().contains("127.0.0.1"), "{list}");
    let plain = log_in(city, "worker", &format!("{}!", "a".repeat(1000)));
    assert_eq!(list_devices(city, &plain)[0].0.len(), 160);
}

fn one_login_is_ended_and_the_others_go_on(city: &City) {
    let (phone, desk) = (log_in(city, "worker", "phone"), log_in(city, "worker", "desk"));
    let list = send_as(city, &desk, "GET", "/api/v1/me/sessions").expect_success();
    let items = list["items"].as_array().unwrap();
    let other = items.iter().find(|item| item["device"] == "phone").unwrap();
    let path = format!("/api/v1/me/sessions/{}/revoke", read_text(other, "/id"));
    send_as(city, &phone, "GET", "/api/v1/me").expect_success();
    // No one else can.
    city.client("neighbour").post(&path, &json!({})).expect_problem(404, "not_found");
    city.client("worker@9902").post(&path, &json!({})).expect_problem(404, "not_found");
    send_as(city, &desk, "POST", &path).expect_success();
    let ended = send_as(city, &phone, "GET", "/api/v1/me").expect_problem(401, "unauthenticated");
    assert_eq!(ended["reason"], "ended");
    refresh_login(city, &read_text(&phone, "/refresh_token"), "phone")
        .expect_problem(401, "credentials_invalid");
    send_as(city, &desk, "GET", "/api/v1/me").expect_success();
}

fn all_other_logins_are_ended(city: &City) {
    let (phone, desk) = (log_in(city, "worker", "phone"), log_in(city, "worker", "desk"));
    send_as(city, &desk, "POST", "/api/v1/me/sessions/revoke").expect_success();
    send_as(city, &phone, "GET", "/api/v1/me").expect_problem(401, "unauthenticated");
    city.client("worker").get("/api/v1/me").expect_problem(401, "unauthenticated");
    assert_eq!(list_devices(city, &desk), [("desk".to_owned(), true)]);
}

fn an_administrator_ends_the_logins_of_those_managed(city: &City) {
    let phone = log_in(city, "worker", "phone");
    let path = format!("/api/v1/people/{}/sessions", city.client("worker").id());
    let revoke = format!("{path}/revoke");
    assert_eq!(
        city.client("admin").get(&path).expect_success()["items"].as_array().unwrap().len(),
        2
    );
    city.client("far_admin").post(&revoke, &json!({})).expect_problem(403, "not_permitted");
    city.client("leader").post(&revoke, &json!({})).expect_problem(403, "not_permitted");
    city.client("neighbour").post(&revoke, &json!({})).expect_problem(404, "not_found");
    city.client("admin").post(&revoke, &json!({})).expect_success();
    send_as(city, &phone, "GET", "/api/v1/me").expect_problem(401, "unauthenticated");
    assert_eq!(city.client("admin").get(&path).expect_success()["items"], json!([]));
}

fn a_copied_refresh_token_ends_the_login(city: &City) {
    let first = log_in(city, "worker", "phone");
    let stolen = read_text(&first, "/refresh_token");
    let second = refresh_login(city, &stolen, "phone").expect_success();
    city.advance(Duration::seconds(61));
    let reused = refresh_login(city, &stolen, "phone").expect_problem(401, "credentials_invalid");
    assert_eq!(reused["reason"], "reused");
    // The holder of the newer one is out as well: no one can tell which of the two is the owner.
    send_as(city, &second, "GET", "/api/v1/me").expect_problem(401, "unauthenticated");
    let newer = read_text(&second, "/refresh_token");
    refresh_login(city, &newer, "phone").expect_problem(401, "credentials_invalid");
    // Tokens of several exchanges ago are no better.
    let first = log_in(city, "worker", "phone");
    let old = read_text(&first, "/refresh_token");
    let next = read_text(&refresh_login(city, &old, "phone").expect_success(), "/refresh_token");
    let last = read_text(&refresh_login(city, &next, "phone").expect_success(), "/refresh_token");
    assert_eq!(
        refresh_login(city, &old, "phone").expect_problem(401, "credentials_invalid")["reason"],
        "reused"
    );
    refresh_login(city, &last, "phone").expect_problem(401, "credentials_invalid");
}

fn a_lost_answer_is_forgiven_for_a_minute(city: &City) {
    let old = read_text(&log_in(city, "worker", "phone"), "/refresh_token");
    let lost = read_text(&refresh_login(city, &old, "phone").expect_success(), "/refresh_token");
    city.advance(Duration::seconds(50));
    let again = read_text(&refresh_login(city, &old, "phone").expect_success(), "/refresh_token");
    assert_eq!(lost, again, "one successor, answered twice");
    refresh_login(city, &again, "phone").expect_success();
    // Its successor was used: whoever sends it now must have copied it.
    assert_eq!(
        refresh_login(city, &old, "phone").expect_problem(401, "credentials_invalid")["reason"],
        "reused"
    );
}

fn two_tabs_that_refresh_at_once_both_go_on(city: &City) {
    let old = read_text(&log_in(city, "worker", "browser"), "/refresh_token");
    let tabs = std::thread::scope(|scope| {
        let tab = || scope.spawn(|| refresh_login(city, &old, "browser").expect_success());
        let tabs = [tab(), tab()];
        tabs.map(|tab| tab.join().expect("an answer"))
    });
    let [one, two] = tabs.each_ref().map(|tab| read_text(tab, "/refresh_token"));
    assert_eq!(one, two);
    for tab in &tabs {
        send_as(city, tab, "GET", "/api/v1/me").expect_success();
    }
    city.advance(Duration::minutes(10));
    let next = refresh_login(city, &one, "browser").expect_success();
    assert_ne!(read_text(&next, "/refresh_token"), one);
    city.advance(Duration::seconds(61));
    let reused = refresh_login(city, &two, "browser").expect_problem(401, "credentials_invalid");
    assert_eq!(reused["reason"], "reused");
    send_as(city, &next, "GET", "/api/v1/me").expect_problem(401, "unauthenticated");
}

fn another_device_is_not_forgiven(city: &City) {
    let old = read_text(&log_in(city, "worker", "phone"), "/refresh_token");
    refresh_login(city, &old, "phone").expect_success();
    assert_eq!(
        refresh_login(city, &old, "thief").expect_problem(401, "credentials_invalid")["reason"],
        "reused"
    );
}

fn only_so_many_logins_at_a_time(city: &City) {
    let first = log_in(city, "worker", "first");
    for n in 0..10 {
        city.advance(Duration::seconds(1));
        log_in(city, "worker", &format!("device {n}"));
    }
    let ended = send_as(city, &first, "GET", "/api/v1/me").expect_problem(401, "unauthenticated");
    assert_eq!(ended["reason"], "ended");
}

fn an_unused_login_is_over(engine: Engine) {
    let city = City::open_with(engine, |settings| settings.idle_hours = 2);
    let used = log_in(&city, "worker", "phone");
    let mut used = read_text(&used, "/refresh_token");
    let unused = log_in(&city, "worker", "desk");
    for _ in 0..3 {
        city.advance(Duration::minutes(50));
        used = read_text(&refresh_login(&city, &used, "phone").expect_success(), "/refresh_token");
    }
    let unused = read_text(&unused, "/refresh_token");
    refresh_login(&city, &unused, "desk").expect_problem(401, "credentials_invalid");
    // However much it is used, it ends.
    let city = City::open_with(engine, |settings| settings.refresh_days = 1);
    let mut used = read_text(&log_in(&city, "worker", "phone"), "/refresh_token");
    for _ in 0..3 {
        city.advance(Duration::hours(7));
        used = read_text(&refresh_login(&city, &used, "phone").expect_success(), "/refresh_token");
    }
    city.advance(Duration::hours(7));
    refresh_login(&city, &used, "phone").expect_problem(401, "credentials_invalid");
}

#[test]
fn an_unused_login_is_over_on_sqlite() {
    an_unused_login_is_over(Engine::Sqlite);
}

#[test]
fn an_unused_login_is_over_on_postgres() {
    an_unused_login_is_over(Engine::Postgres);
}
