//! Residents log in with a mini-program, bind their number, and are told to come back when
//! WeChat does not answer as it should.

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

use crate::harness::{Answer, City, Engine, Site, key, on_both_beside, report_at, seed, text};

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
    let city = City::with(engine, |settings| {
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

fn login_at(city: &City, app: &str, code: &str) -> Answer {
    let body = json!({ "tenant": seed::CITY, "app_id": app, "code": code });
    city.by("").post("/api/v1/auth/wechat", &body)
}

fn login(city: &City, code: &str) -> Answer {
    login_at(city, APP_ID, code)
}

fn with(city: &City, tokens: &Value, method: &str, path: &str, body: &Value) -> Answer {
    let token = format!("Bearer {}", text(tokens, "/access_token"));
    city.by("").call(method, path).header("Authorization", &token).json(body).send()
}

fn me(city: &City, tokens: &Value) -> Value {
    with(city, tokens, "GET", "/api/v1/me", &Value::Null).done()
}

fn phone(city: &City, tokens: &Value, code: &str) -> Answer {
    with(city, tokens, "POST", "/api/v1/me/phone", &json!({ "app_id": APP_ID, "code": code }))
}

fn the_first_login_makes_a_resident(city: &City, _: &Weixin) {
    let tokens = login(city, "code-zhang").done();
    assert_eq!(tokens["restriction"], Value::Null);
    let who = me(city, &tokens);
    assert_eq!(who["grants"][0]["role"], "resident");
    assert_eq!(who["grants"][0]["area"]["name"], "测试市");
    with(city, &tokens, "POST", "/api/v1/reports", &report_at(110.005, 30.005)).done();
    // The next time it is the same person, and another resident is another person.
    let again = login(city, "code-zhang-0-2").done();
    assert_eq!(me(city, &again)["id"], who["id"]);
    assert_ne!(me(city, &login(city, "code-li").done())["id"], who["id"]);
    // Such an account has no password to be guessed.
    let people = city.by("admin").get("/api/v1/people?limit=100").done();
    let people = people["items"].as_array().unwrap();
    let made = people.iter().find(|person| person["id"] == who["id"]).unwrap();
    let body = json!({ "tenant": seed::CITY, "account": made["account"], "password": "" });
    city.by("").post("/api/v1/auth/login", &body).problem(401, "credentials_invalid");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn one_person_has_several_openids(city: &City, _: &Weixin) {
    let one = me(city, &login(city, "code-zhang-union").done());
    let other = me(city, &login_at(city, "wxsecond", "code-zhang-union-2").done());
    assert_eq!(one["id"], other["id"]);
    // Without a `unionid` the same resident at another mini-program is another person.
    let apart = me(city, &login_at(city, "wxsecond", "code-apart").done());
    assert_ne!(me(city, &login(city, "code-apart-0-2").done())["id"], apart["id"]);
    // With several mini-programs the caller has to name one.
    let body = json!({ "tenant": seed::CITY, "code": "code-x" });
    let unsaid = city.by("").post("/api/v1/auth/wechat", &body);
    assert_eq!(unsaid.fault_at("/app_id"), "missing_field");
    login_at(city, "wxwrong", "code-x").problem(404, "not_found");
    login_at(city, "wxnobody", "code-x").problem(404, "not_found");
}

fn two_first_logins_at_once_are_one_person(city: &City, _: &Weixin) {
    let ids: Vec<Value> = std::thread::scope(|scope| {
        let logins: Vec<_> = (1..6)
            .map(|n| scope.spawn(move || login(city, &format!("code-wang-0-{n}")).done()))
            .collect();
        logins.into_iter().map(|login| me(city, &login.join().unwrap())["id"].clone()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

fn a_code_works_once(city: &City, _: &Weixin) {
    login(city, "code-zhang").done();
    let used = login(city, "code-zhang").problem(401, "credentials_invalid");
    assert_eq!(used["reason"], "code");
    for garbage in ["", " ", "a b", "💥", "code\n", &"c".repeat(513), &"c".repeat(10_000)] {
        login(city, garbage).problem(401, "credentials_invalid");
    }
}

fn what_wechat_refuses_is_told(city: &City, _: &Weixin) {
    login(city, "invalid").problem(401, "credentials_invalid");
    assert_eq!(login(city, "blocked").problem(403, "outside_refused")["reason"], "high_risk");
    let often = login(city, "often");
    assert_eq!(often.header("retry-after"), "60");
    often.problem(429, "too_many_requests");
    // A wrong setting here is not the caller's fault.
    let body = json!({ "tenant": seed::OTHER, "code": "code-x" });
    city.by("").post("/api/v1/auth/wechat", &body).problem(503, "outside_unavailable");
}

fn wechat_down_is_no_error_of_ours(city: &City, _: &Weixin) {
    for code in [
        "busy", "unknown", "drop", "empty", "strange", "html", "half", "rubbish", "huge", "gateway",
    ] {
        let answer = login(city, code);
        assert_eq!(answer.header("retry-after"), "5", "{code}: {}", answer.text);
        answer.problem(503, "outside_unavailable");
    }
    let started = Instant::now();
    login(city, "slow").problem(503, "outside_unavailable");
    assert!(started.elapsed().as_secs() < 7, "{:?}", started.elapsed());
    // Everything else goes on.
    login(city, "code-zhang").done();
}

fn wechat_gone(engine: Engine) {
    let (city, weixin) = open(engine);
    drop(weixin);
    std::thread::sleep(std::time::Duration::from_millis(100));
    let gone = login(&city, "code-zhang");
    assert_eq!(gone.header("retry-after"), "5");
    gone.problem(503, "outside_unavailable");
    city.by("worker").get("/api/v1/me").done();
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
    let tokens = login(city, "code-zhang").done();
    let get = || with(city, &tokens, "GET", "/api/v1/me/phone", &Value::Null).done();
    assert_eq!(get()["phone"], Value::Null);
    let bound = phone(city, &tokens, "phone-13812345678").done();
    assert_eq!(bound["phone"], "138****5678");
    assert_eq!(get()["phone"], "138****5678");
    // A code works once, and one of wx.login is no code of the button.
    phone(city, &tokens, "phone-13812345678").problem(401, "credentials_invalid");
    phone(city, &tokens, "code-zhang-0-9").problem(401, "credentials_invalid");
    phone(city, &tokens, "phone-13900001111@wxother").problem(503, "outside_unavailable");
    phone(city, &tokens, "drop").problem(503, "outside_unavailable");
    assert_eq!(get()["phone"], "138****5678");
    let another = phone(city, &tokens, "phone-13900001111").done();
    assert_eq!(another["phone"], "139****1111");
    // It can be found, disclosed and erased like every other.
    let found =
        city.by("admin").post("/api/v1/contacts/search", &json!({ "phone": "13900001111" }));
    assert_eq!(found.done()["items"].as_array().map(Vec::len), Some(1));
    let shown = if city.database.url.starts_with("sqlite") {
        "select hex(sealed) || hex(blind) as line from personal where field = 'phone'"
    } else {
        "select upper(encode(sealed, 'hex') || encode(blind, 'hex')) as line from personal where field = 'phone'"
    };
    let rows = persistence::probe::lines(&city.database.url, shown).unwrap();
    let plain = "3133393030303031313131";
    assert!(rows.len() == 1 && !rows[0].contains(plain), "{rows:?}");
    with(city, &tokens, "POST", "/api/v1/me/phone/unbind", &json!({})).done();
    assert_eq!(get()["phone"], Value::Null);
    let found =
        city.by("admin").post("/api/v1/contacts/search", &json!({ "phone": "13900001111" }));
    assert_eq!(found.done()["items"], json!([]));
}

fn the_access_token_is_fetched_once_for_all_replicas(city: &City, weixin: &Weixin) {
    let settings = city.app.settings.clone();
    let replica = crate::harness::Replica::open(city, settings);
    let tokens: Vec<Value> =
        (1..9).map(|n| login(city, &format!("code-person{n}")).done()).collect();
    std::thread::scope(|scope| {
        for (n, tokens) in tokens.iter().enumerate() {
            let base = if n % 2 == 0 { None } else { Some(replica.base.as_str()) };
            scope.spawn(move || {
                let path = "/api/v1/me/phone";
                let code = format!("phone-1380000000{n}");
                let token = format!("Bearer {}", text(tokens, "/access_token"));
                let call = city.by("").call("POST", path).header("Authorization", &token);
                let call = match base {
                    Some(base) => call.at(base),
                    None => call,
                };
                call.json(&json!({ "app_id": APP_ID, "code": code })).send().done();
            });
        }
    });
    assert_eq!(weixin.memory(|memory| memory.fetched), 1);
    // Two hours later it is fetched again, once.
    city.advance(Duration::minutes(121));
    let late = login(city, "code-late").done();
    phone(city, &late, "phone-13700000000").done();
    assert_eq!(weixin.memory(|memory| (memory.fetched, memory.forced)), (2, 0));
}

fn an_access_token_that_ended_is_replaced(city: &City, weixin: &Weixin) {
    let tokens = login(city, "code-zhang").done();
    phone(city, &tokens, "phone-13800000001").done();
    weixin.end_token();
    phone(city, &tokens, "phone-13800000002").done();
    assert_eq!(weixin.memory(|memory| (memory.fetched, memory.forced)), (2, 0));
}

fn staff_link_their_account(city: &City, _: &Weixin) {
    let link = |by: &str, code: &str| {
        let proof = json!({ "password": seed::PASSWORD });
        let body = json!({ "app_id": APP_ID, "code": code, "proof": proof });
        city.by(by).post("/api/v1/me/wechat", &body)
    };
    link("worker", "code-wangfang").done();
    let who = me(city, &login(city, "code-wangfang-0-2").done());
    assert_eq!(who["id"], city.by("worker").id().to_string());
    link("worker", "code-wangfang-0-3").done();
    assert_eq!(
        link("verifier", "code-wangfang-0-4").problem(409, "already_exists")["what"],
        "identity"
    );
    link("verifier", "invalid").problem(401, "credentials_invalid");
    link("worker@9902", "code-x").problem(404, "not_found");
}

fn secrets_reach_nobody(city: &City, _: &Weixin) {
    let mut told = String::new();
    let tokens = login(city, "code-zhang").done();
    told += &tokens.to_string();
    told += &phone(city, &tokens, "phone-13812345678").text;
    for code in ["invalid", "strange", "drop", "html", "rubbish", "gateway"] {
        told += &login(city, code).text;
        told += &phone(city, &tokens, code).text;
    }
    for secret in [SECRET, SESSION_KEY, "access-token-", "13812345678"] {
        assert!(!told.contains(secret), "{secret}: {told}");
    }
    let dump = |sql: &str| persistence::probe::lines(&city.database.url, sql).unwrap().join("\n");
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
    assert_ne!(key(), key());
}

/// The program itself, at its most talkative, with everything that goes wrong.
fn the_log_of(engine: Engine) -> String {
    let weixin = Weixin::start().expect("a stand-in");
    let database = crate::harness::Database::seeded(engine);
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
    let mut child = crate::crash::command(&arguments)
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
        site.by("").post("/api/v1/auth/wechat", &body)
    };
    let tokens = login("code-zhang").done();
    let token = format!("Bearer {}", text(&tokens, "/access_token"));
    for code in ["busy", "drop", "half", "html", "rubbish", "strange", "slow"] {
        login(code).problem(503, "outside_unavailable");
    }
    for code in ["phone-13812345678", "drop", "html"] {
        let call = site.by("").call("POST", "/api/v1/me/phone").header("Authorization", &token);
        call.json(&json!({ "app_id": APP_ID, "code": code })).send();
    }
    drop(weixin);
    login("code-li").problem(503, "outside_unavailable");
    child.kill().expect("it ends");
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).expect("a log");
    child.wait().expect("it ended");
    assert!(!log.contains(&text(&tokens, "/refresh_token")), "{log}");
    assert!(!log.contains(&text(&tokens, "/access_token")), "{log}");
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
