//! Residents log in with a mini-program, bind their number, and are asked to retry when WeChat does
//! not answer as it should.

use std::{
    io::{BufRead, BufReader, Read},
    process::Stdio,
    time::Instant,
};

use api::{
    app::config::{MiniProgram, Secret},
    cli::demo::weixin::{APP_ID, SECRET, SESSION_KEY, Weixin},
};
use chrono::Duration;
use serde_json::{Value, json};

use crate::harness::{
    Answer, City, Engine, Site, new_key, on_both_beside, read_text, report_body_at, seed,
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
    let city = City::open_with(engine, |settings| {
        settings.mini_programs = vec![program(APP_ID), program("wxsecond")];
        settings.mini_programs.push(MiniProgram {
            tenant: Some(seed::OTHER.to_owned()),
            secret: Secret::from("wrong"),
            ..program("wxwrong")
        });
    });
    (city, weixin)
}

on_both_beside! {
    the_first_login_makes_a_resident,
    one_person_has_several_openids,
    two_first_logins_at_once_are_one_person,
    a_code_works_once,
    what_wechat_refuses_is_told,
    wechat_down_is_no_error_of_ours,
    a_phone_is_bound_sealed_and_masked,
    the_access_token_is_fetched_once_for_all_replicas,
    an_access_token_that_ended_is_replaced,
    staff_link_their_account,
    secrets_reach_nobody,
}

fn log_in_at(city: &City, app: &str, code: &str) -> Answer {
    let body = json!({ "tenant": seed::CITY, "app_id": app, "code": code });
    city.client("").post("/api/v1/auth/wechat", &body)
}

fn log_in(city: &City, code: &str) -> Answer {
    log_in_at(city, APP_ID, code)
}

fn send_as(city: &City, tokens: &Value, method: &str, path: &str, body: &Value) -> Answer {
    let token = format!("Bearer {}", read_text(tokens, "/access_token"));
    city.client("").call(method, path).header("Authorization", &token).json(body).send()
}

fn get_me(city: &City, tokens: &Value) -> Value {
    send_as(city, tokens, "GET", "/api/v1/me", &Value::Null).expect_success()
}

fn bind_phone(city: &City, tokens: &Value, code: &str) -> Answer {
    send_as(city, tokens, "POST", "/api/v1/me/phone", &json!({ "app_id": APP_ID, "code": code }))
}

fn the_first_login_makes_a_resident(city: &City, _: &Weixin) {
    let tokens = log_in(city, "code-zhang").expect_success();
    assert_eq!(tokens["restriction"], Value::Null);
    let who = get_me(city, &tokens);
    assert_eq!(who["grants"][0]["role"], "resident");
    assert_eq!(who["grants"][0]["area"]["name"], "测试市");
    send_as(city, &tokens, "POST", "/api/v1/reports", &report_body_at(110.005, 30.005))
        .expect_success();
    // The next time it is the same person, and another resident is another person.
    let again = log_in(city, "code-zhang-0-2").expect_success();
    assert_eq!(get_me(city, &again)["id"], who["id"]);
    assert_ne!(get_me(city, &log_in(city, "code-li").expect_success())["id"], who["id"]);
    // Such an account has no password to be guessed.
    let people = city.client("admin").get("/api/v1/people?limit=100").expect_success();
    let people = people["items"].as_array().unwrap();
    let made = people.iter().find(|person| person["id"] == who["id"]).unwrap();
    let body = json!({ "tenant": seed::CITY, "account": made["account"], "password": "" });
    city.client("").post("/api/v1/auth/login", &body).expect_problem(401, "credentials_invalid");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn one_person_has_several_openids(city: &City, _: &Weixin) {
    let one = get_me(city, &log_in(city, "code-zhang-union").expect_success());
    let other = get_me(city, &log_in_at(city, "wxsecond", "code-zhang-union-2").expect_success());
    assert_eq!(one["id"], other["id"]);
    // Without a `unionid` the same resident at another mini-program is another person.
    let apart = get_me(city, &log_in_at(city, "wxsecond", "code-apart").expect_success());
    assert_ne!(get_me(city, &log_in(city, "code-apart-0-2").expect_success())["id"], apart["id"]);
    // With several mini-programs the caller has to name one.
    let body = json!({ "tenant": seed::CITY, "code": "code-x" });
    let unsaid = city.client("").post("/api/v1/auth/wechat", &body);
    assert_eq!(unsaid.expect_fault("/app_id"), "missing_field");
    log_in_at(city, "wxwrong", "code-x").expect_problem(404, "not_found");
    log_in_at(city, "wxnobody", "code-x").expect_problem(404, "not_found");
}

fn two_first_logins_at_once_are_one_person(city: &City, _: &Weixin) {
    let ids: Vec<Value> = std::thread::scope(|scope| {
        let logins: Vec<_> = (1..6)
            .map(|n| {
                scope.spawn(move || log_in(city, &format!("code-wang-0-{n}")).expect_success())
            })
            .collect();
        logins.into_iter().map(|login| get_me(city, &login.join().unwrap())["id"].clone()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

fn a_code_works_once(city: &City, _: &Weixin) {
    log_in(city, "code-zhang").expect_success();
    let used = log_in(city, "code-zhang").expect_problem(401, "credentials_invalid");
    assert_eq!(used["reason"], "code");
    for garbage in ["", " ", "a b", "💥", "code\n", &"c".repeat(513), &"c".repeat(10_000)] {
        log_in(city, garbage).expect_problem(401, "credentials_invalid");
    }
}

fn what_wechat_refuses_is_told(city: &City, _: &Weixin) {
    log_in(city, "invalid").expect_problem(401, "credentials_invalid");
    assert_eq!(
        log_in(city, "blocked").expect_problem(403, "outside_refused")["reason"],
        "high_risk"
    );
    let often = log_in(city, "often");
    assert_eq!(often.header("retry-after"), "60");
    often.expect_problem(429, "too_many_requests");
    // A wrong setting here is not the caller's fault.
    let body = json!({ "tenant": seed::OTHER, "code": "code-x" });
    city.client("").post("/api/v1/auth/wechat", &body).expect_problem(503, "outside_unavailable");
}

fn wechat_down_is_no_error_of_ours(city: &City, _: &Weixin) {
    for code in [
        "busy", "unknown", "drop", "empty", "strange", "html", "half", "rubbish", "huge", "gateway",
    ] {
        let answer = log_in(city, code);
        assert_eq!(answer.header("retry-after"), "5", "{code}: {}", answer.text);
        answer.expect_problem(503, "outside_unavailable");
    }
    let started = Instant::now();
    log_in(city, "slow").expect_problem(503, "outside_unavailable");
    assert!(started.elapsed().as_secs() < 7, "{:?}", started.elapsed());
    // Everything else goes on.
    log_in(city, "code-zhang").expect_success();
}

fn wechat_gone(engine: Engine) {
    let (city, weixin) = open_city(engine);
    drop(weixin);
    std::thread::sleep(std::time::Duration::from_millis(100));
    let gone = log_in(&city, "code-zhang");
    assert_eq!(gone.header("retry-after"), "5");
    gone.expect_problem(503, "outside_unavailable");
    city.client("worker").get("/api/v1/me").expect_success();
}

#[test]
fn wechat_can_be_gone_on_sqlite() {
    wechat_gone(Engine::Sqlite);
}

#[test]
fn wechat_can_be_gone_on_postgres() {
    wechat_gone(Engine::Postgres);
}

fn a_phone_is_bound_sealed_and_masked(city: &City, _: &Weixin) {
    let tokens = log_in(city, "code-zhang").expect_success();
    let get = || send_as(city, &tokens, "GET", "/api/v1/me/phone", &Value::Null).expect_success();
    assert_eq!(get()["phone"], Value::Null);
    let bound = bind_phone(city, &tokens, "phone-13812345678").expect_success();
    assert_eq!(bound["phone"], "138****5678");
    assert_eq!(get()["phone"], "138****5678");
    // A code works once, and one of wx.login is no code of the button.
    bind_phone(city, &tokens, "phone-13812345678").expect_problem(401, "credentials_invalid");
    bind_phone(city, &tokens, "code-zhang-0-9").expect_problem(401, "credentials_invalid");
    bind_phone(city, &tokens, "phone-13900001111@wxother")
        .expect_problem(503, "outside_unavailable");
    bind_phone(city, &tokens, "drop").expect_problem(503, "outside_unavailable");
    assert_eq!(get()["phone"], "138****5678");
    let another = bind_phone(city, &tokens, "phone-13900001111").expect_success();
    assert_eq!(another["phone"], "139****1111");
    // It can be found, disclosed and erased like every other.
    let found =
        city.client("admin").post("/api/v1/contacts/search", &json!({ "phone": "13900001111" }));
    assert_eq!(found.expect_success()["items"].as_array().map(Vec::len), Some(1));
    let shown = if city.database.url.starts_with("sqlite") {
        "select hex(sealed) || hex(blind) as line from personal where field = 'phone'"
    } else {
        "select upper(encode(sealed, 'hex') || encode(blind, 'hex')) as line from personal where field = 'phone'"
    };
    let rows = persistence::probe::query_lines(&city.database.url, shown).unwrap();
    let plain = "3133393030303031313131";
    assert!(rows.len() == 1 && !rows[0].contains(plain), "{rows:?}");
    send_as(city, &tokens, "POST", "/api/v1/me/phone/unbind", &json!({})).expect_success();
    assert_eq!(get()["phone"], Value::Null);
    let found =
        city.client("admin").post("/api/v1/contacts/search", &json!({ "phone": "13900001111" }));
    assert_eq!(found.expect_success()["items"], json!([]));
}

fn the_access_token_is_fetched_once_for_all_replicas(city: &City, weixin: &Weixin) {
    let settings = city.app.settings.clone();
    let replica = crate::harness::Replica::open(city, settings);
    let tokens: Vec<Value> =
        (1..9).map(|n| log_in(city, &format!("code-person{n}")).expect_success()).collect();
    std::thread::scope(|scope| {
        for (n, tokens) in tokens.iter().enumerate() {
            let base = if n % 2 == 0 { None } else { Some(replica.base.as_str()) };
            scope.spawn(move || {
                let path = "/api/v1/me/phone";
                let code = format!("phone-1380000000{n}");
                let token = format!("Bearer {}", read_text(tokens, "/access_token"));
                let call = city.client("").call("POST", path).header("Authorization", &token);
                let call = match base {
                    Some(base) => call.on_server(base),
                    None => call,
                };
                call.json(&json!({ "app_id": APP_ID, "code": code })).send().expect_success();
            });
        }
    });
    assert_eq!(weixin.with_memory(|memory| memory.fetched), 1);
    // Two hours later it is fetched again, once.
    city.advance(Duration::minutes(121));
    let late = log_in(city, "code-late").expect_success();
    bind_phone(city, &late, "phone-13700000000").expect_success();
    assert_eq!(weixin.with_memory(|memory| (memory.fetched, memory.forced)), (2, 0));
}

fn an_access_token_that_ended_is_replaced(city: &City, weixin: &Weixin) {
    let tokens = log_in(city, "code-zhang").expect_success();
    bind_phone(city, &tokens, "phone-13800000001").expect_success();
    weixin.end_token();
    bind_phone(city, &tokens, "phone-13800000002").expect_success();
    assert_eq!(weixin.with_memory(|memory| (memory.fetched, memory.forced)), (2, 0));
}

fn staff_link_their_account(city: &City, _: &Weixin) {
    let link = |by: &str, code: &str| {
        let proof = json!({ "password": seed::PASSWORD });
        let body = json!({ "app_id": APP_ID, "code": code, "proof": proof });
        city.client(by).post("/api/v1/me/wechat", &body)
    };
    link("worker", "code-wangfang").expect_success();
    let who = get_me(city, &log_in(city, "code-wangfang-0-2").expect_success());
    assert_eq!(who["id"], city.client("worker").id().to_string());
    link("worker", "code-wangfang-0-3").expect_success();
    assert_eq!(
        link("verifier", "code-wangfang-0-4").expect_problem(409, "already_exists")["what"],
        "identity"
    );
    link("verifier", "invalid").expect_problem(401, "credentials_invalid");
    link("worker@9902", "code-x").expect_problem(404, "not_found");
}

fn secrets_reach_nobody(city: &City, _: &Weixin) {
    let mut told = String::new();
    let tokens = log_in(city, "code-zhang").expect_success();
    told += &tokens.to_string();
    told += &bind_phone(city, &tokens, "phone-13812345678").text;
    for code in ["invalid", "strange", "drop", "html", "rubbish", "gateway"] {
        told += &log_in(city, code).text;
        told += &bind_phone(city, &tokens, code).text;
    }
    for secret in [SECRET, SESSION_KEY, "access-token-", "13812345678"] {
        assert!(!told.contains(secret), "{secret}: {told}");
    }
    let dump =
        |sql: &str| persistence::probe::query_lines(&city.database.url, sql).unwrap().join("\n");
    let cast = if city.database.url.starts_with("sqlite") {
        ["hex(secret)", "hex(token)"]
    } else {
        ["encode(secret, 'hex')", "encode(token, 'hex')"]
    };
    let mut stored =
        dump(&format!("select {} as line from identities where secret is not null", cast[0]));
    stored += &dump(&format!("select {} as line from outside_tokens", cast[1]));
    let hex =
        |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    assert!(stored.len() > 100, "{stored}");
    for secret in [SESSION_KEY, "access-token-"] {
        assert!(!stored.to_lowercase().contains(&hex(secret)), "{secret}");
    }
    assert_ne!(new_key(), new_key());
}

/// The log of the program at its most detailed level, with everything that goes wrong.
fn the_log_of(engine: Engine) -> String {
    let weixin = Weixin::start().expect("a stand-in");
    let database = crate::harness::Database::new_seeded(engine);
    let programs = json!([{ "app_id": APP_ID, "secret": SECRET, "url": weixin.server.base }]);
    let arguments = [
        "serve",
        "--database",
        &database.url,
        "--listen",
        "127.0.0.1:0",
        "--log-level",
        "debug",
        "--log",
        "json",
    ];
    let mut child = crate::crash::build_command(&arguments)
        .env("GRIDWHISTLE_MINI_PROGRAMS", programs.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).expect("it says where");
    let base = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
    let site = Site::new(engine, base);
    let login = |code: &str| {
        let body = json!({ "tenant": seed::CITY, "app_id": APP_ID, "code": code });
        site.client("").post("/api/v1/auth/wechat", &body)
    };
    let tokens = login("code-zhang").expect_success();
    let token = format!("Bearer {}", read_text(&tokens, "/access_token"));
    for code in ["busy", "drop", "half", "html", "rubbish", "strange", "slow"] {
        login(code).expect_problem(503, "outside_unavailable");
    }
    for code in ["phone-13812345678", "drop", "html"] {
        let call = site.client("").call("POST", "/api/v1/me/phone").header("Authorization", &token);
        call.json(&json!({ "app_id": APP_ID, "code": code })).send();
    }
    drop(weixin);
    login("code-li").expect_problem(503, "outside_unavailable");
    child.kill().expect("it ends");
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).expect("a log");
    child.wait().expect("it ended");
    assert!(!log.contains(&read_text(&tokens, "/refresh_token")), "{log}");
    assert!(!log.contains(&read_text(&tokens, "/access_token")), "{log}");
    log
}

fn the_log_keeps_secrets(engine: Engine) {
    let log = the_log_of(engine);
    assert!(log.contains("outside_unavailable") && log.contains("no answer in time"), "{log}");
    for secret in [SECRET, SESSION_KEY, "access-token-", "13812345678", "code-zhang", "js_code"] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}

#[test]
fn the_log_keeps_secrets_on_sqlite() {
    the_log_keeps_secrets(Engine::Sqlite);
}

#[test]
fn the_log_keeps_secrets_on_postgres() {
    the_log_keeps_secrets(Engine::Postgres);
}
