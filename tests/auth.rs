//! Logging in, staying logged in, and being locked out.

use chrono::Duration;
use serde_json::{Value, json};

use crate::harness::{Answer, City, Engine, on_both, read_text, seed};

on_both! {
    a_login_gives_tokens_that_work,
    a_wrong_login_tells_nothing,
    an_account_belongs_to_its_tenant,
    a_refresh_token_works_once,
    an_access_token_expires,
    a_logout_ends_the_session_at_once,
    guessing_is_slowed_down,
    an_unknown_account_costs_as_much_as_a_known_one,
    garbage_is_no_token,
    me_shows_who_and_what,
}

fn log_in(city: &City, body: &Value) -> Answer {
    city.client("").post("/api/v1/auth/login", body)
}

fn credentials(account: &str, password: &str) -> Value {
    json!({ "tenant": seed::CITY, "account": account, "password": password })
}

fn get_me(city: &City, token: &str) -> Answer {
    city.client("").call("GET", "/api/v1/me").header("Authorization", token).send()
}

fn a_login_gives_tokens_that_work(city: &City) {
    let tokens = log_in(city, &credentials("worker", seed::PASSWORD)).expect_success();
    assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("Bearer"), &json!(900)));
    let token = read_text(&tokens, "/access_token");
    assert_eq!(get_me(city, &format!("Bearer {token}")).expect_success()["name"], "网格员王芳");
    assert_eq!(get_me(city, &format!("bearer {token}")).expect_success()["name"], "网格员王芳");
}

fn a_wrong_login_tells_nothing(city: &City) {
    let mut told = Vec::new();
    for body in [
        credentials("worker", "wrong password"),
        credentials("nobody-of-this-name", seed::PASSWORD),
        json!({ "tenant": "0000", "account": "worker", "password": seed::PASSWORD }),
        // Two tenants, so the tenant must be named.
        json!({ "account": "worker", "password": seed::PASSWORD }),
    ] {
        let mut problem = log_in(city, &body).expect_problem(401, "credentials_invalid");
        problem.as_object_mut().unwrap().remove("trace_id");
        told.push(problem);
    }
    assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
}

fn an_account_belongs_to_its_tenant(city: &City) {
    let body = json!({ "tenant": seed::OTHER, "account": "worker", "password": seed::PASSWORD });
    let token = read_text(&log_in(city, &body).expect_success(), "/access_token");
    let me = get_me(city, &format!("Bearer {token}")).expect_success();
    assert_eq!((&me["name"], &me["tenant"]["code"]), (&json!("邻市全能者"), &json!("9902")));
    let body = json!({ "tenant": seed::OTHER, "account": "resident", "password": seed::PASSWORD });
    log_in(city, &body).expect_problem(401, "credentials_invalid");
}

fn a_refresh_token_works_once(city: &City) {
    let first = city.seed_data().people["worker"].refresh.clone();
    let refresh = |tenant: &str, token: &str| {
        let body = json!({ "tenant": tenant, "refresh_token": token });
        city.client("").post("/api/v1/auth/refresh", &body)
    };
    refresh(seed::OTHER, &first).expect_problem(401, "credentials_invalid");
    let second = read_text(&refresh(seed::CITY, &first).expect_success(), "/refresh_token");
    refresh(seed::CITY, &second).expect_success();
    for garbage in ["", "x", "💥", &"A".repeat(43), &"A".repeat(10_000)] {
        refresh(seed::CITY, garbage).expect_problem(401, "credentials_invalid");
    }
}

fn an_access_token_expires(city: &City) {
    let tokens = log_in(city, &credentials("worker", seed::PASSWORD)).expect_success();
    let token = format!("Bearer {}", read_text(&tokens, "/access_token"));
    city.advance(Duration::minutes(14));
    get_me(city, &token).expect_success();
    city.advance(Duration::minutes(2));
    get_me(city, &token).expect_problem(401, "unauthenticated");
    let body =
        json!({ "tenant": seed::CITY, "refresh_token": read_text(&tokens, "/refresh_token") });
    city.client("").post("/api/v1/auth/refresh", &body).expect_success();
    city.advance(Duration::days(31));
    city.client("").post("/api/v1/auth/refresh", &body).expect_problem(401, "credentials_invalid");
}

fn a_logout_ends_the_session_at_once(city: &City) {
    let by = city.client("worker");
    by.get("/api/v1/me").expect_success();
    let answer = by.post("/api/v1/auth/logout", &json!({}));
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    by.get("/api/v1/me").expect_problem(401, "unauthenticated");
    let report = crate::harness::report_body_at(110.005, 30.005);
    by.post("/api/v1/reports", &report).expect_problem(401, "unauthenticated");
    let refresh = city.seed_data().people["worker"].refresh.clone();
    let body = json!({ "tenant": seed::CITY, "refresh_token": refresh });
    city.client("").post("/api/v1/auth/refresh", &body).expect_problem(401, "credentials_invalid");
    city.client("verifier").get("/api/v1/me").expect_success();
}

fn guessing_is_slowed_down(city: &City) {
    for _ in 0..10 {
        log_in(city, &credentials("leader", "wrong password"))
            .expect_problem(401, "credentials_invalid");
    }
    // From then on they wait for their turns, and only a few may wait.
    let begun = std::time::Instant::now();
    let slowed: Vec<Answer> = std::thread::scope(|scope| {
        let wrong = || log_in(city, &credentials("leader", "wrong password"));
        let tries: Vec<_> = (0..9).map(|_| scope.spawn(wrong)).collect();
        tries.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(begun.elapsed().as_secs() >= 25, "{:?}", begun.elapsed());
    let refused: Vec<&Answer> = slowed.iter().filter(|one| one.status == 429).collect();
    assert_eq!(refused.len(), 2);
    let wait: i64 = refused[0].header("retry-after").parse().unwrap();
    assert!((1..=31).contains(&wait), "{wait}");
    assert_eq!(refused[0].clone().expect_problem(429, "too_many_requests")["retry_after_s"], wait);
    // Others are not locked out, and neither is the owner.
    log_in(city, &credentials("worker", seed::PASSWORD)).expect_success();
    log_in(city, &credentials("leader", seed::PASSWORD)).expect_success();
}

fn an_unknown_account_costs_as_much_as_a_known_one(city: &City) {
    let cost = |body: &Value| {
        let before = city.app.passwords.hash_count();
        log_in(city, body);
        city.app.passwords.hash_count() - before
    };
    assert_eq!(cost(&credentials("worker", seed::PASSWORD)), 1);
    assert_eq!(cost(&credentials("worker", "wrong password")), 1);
    assert_eq!(cost(&credentials("nobody-of-this-name", seed::PASSWORD)), 1);
    let nowhere = json!({ "tenant": "0000", "account": "worker", "password": seed::PASSWORD });
    assert_eq!(cost(&nowhere), 1);
}

fn guessing_from_many_addresses(engine: Engine) {
    let city = City::open_with(engine, |settings| settings.proxies = 1);
    let from = |address: &str, password: &str| {
        let call = city.client("").call("POST", "/api/v1/auth/login");
        call.header("X-Forwarded-For", address).json(&credentials("leader", password)).send()
    };
    from("198.51.100.7", seed::PASSWORD).expect_success();
    for n in 0..30 {
        from(&format!("203.0.{n}.1"), "wrong password").expect_problem(401, "credentials_invalid");
    }
    // They wait for each other; the owner waits for none of them.
    let (tried, now) = (format!("{}/leader", seed::CITY), city.now());
    let stranger = "203.0.113.8".parse().unwrap();
    while city.app.logins.queue_attempt(stranger, &tried, false, now).is_ok() {}
    from("203.0.113.9", seed::PASSWORD).expect_problem(429, "too_many_requests");
    from("198.51.100.99", seed::PASSWORD).expect_success();
    // And gets in from elsewhere when fewer try.
    city.advance(Duration::seconds(40));
    from("203.0.113.9", seed::PASSWORD).expect_success();
}

#[test]
fn guessing_from_many_addresses_does_not_lock_the_owner_out_on_sqlite() {
    guessing_from_many_addresses(Engine::Sqlite);
}

#[test]
fn guessing_from_many_addresses_does_not_lock_the_owner_out_on_postgres() {
    guessing_from_many_addresses(Engine::Postgres);
}

fn an_old_password(engine: Engine) {
    let city = City::open_with(engine, |settings| settings.password_days = 90);
    assert_eq!(
        log_in(&city, &credentials("worker", seed::PASSWORD)).expect_success()["restriction"],
        Value::Null
    );
    city.advance(Duration::days(91));
    let tokens = log_in(&city, &credentials("worker", seed::PASSWORD)).expect_success();
    assert_eq!(tokens["restriction"], "password");
    let token = format!("Bearer {}", read_text(&tokens, "/access_token"));
    let call = |method: &str, path: &str, body: &Value| {
        city.client("").call(method, path).header("Authorization", &token).json(body).send()
    };
    get_me(&city, &token).expect_success();
    let held =
        call("GET", "/api/v1/me/todos", &Value::Null).expect_problem(403, "login_incomplete");
    assert_eq!(held["required"], "password");
    let body = json!({ "old_password": seed::PASSWORD, "password": "a brand new passphrase" });
    call("POST", "/api/v1/me/password", &body).expect_success();
    let tokens = log_in(&city, &credentials("worker", "a brand new passphrase")).expect_success();
    assert_eq!(tokens["restriction"], Value::Null);
}

#[test]
fn an_old_password_has_to_be_changed_first_on_sqlite() {
    an_old_password(Engine::Sqlite);
}

#[test]
fn an_old_password_has_to_be_changed_first_on_postgres() {
    an_old_password(Engine::Postgres);
}

fn garbage_is_no_token(city: &City) {
    let good = city.access_token("worker").unwrap();
    let (head, tail) = good.rsplit_once('.').unwrap();
    let long = "x".repeat(4000);
    for token in [
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Basic d29ya2VyOng=",
        "Token abc",
        good.as_str(),
        &format!("Bearer {head}."),
        &format!("Bearer {head}.{}", tail.to_uppercase()),
        &format!("Bearer {good}x"),
        &format!("Bearer {long}"),
    ] {
        get_me(city, token).expect_problem(401, "unauthenticated");
    }
    city.client("").get("/api/v1/me").expect_problem(401, "unauthenticated");
}

fn me_shows_who_and_what(city: &City) {
    let me = city.client("leader").get("/api/v1/me").expect_success();
    assert_eq!(me["id"], city.client("leader").id().to_string());
    assert_eq!(me["tenant"], json!({ "code": "9901", "name": "测试市" }));
    assert_eq!(me["grants"][0]["role"], "street_leader");
    assert_eq!(me["grants"][0]["role_label"], "街道领导");
    assert_eq!(me["grants"][0]["area"]["name"], "青山街道");
    assert_eq!(city.client("nobody").get("/api/v1/me").expect_success()["grants"], json!([]));
}
