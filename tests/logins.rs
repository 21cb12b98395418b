//! Strangers who guess, copy or forge cannot harm those who log in.

use std::{
    io::{BufRead, BufReader, Read},
    process::Stdio,
    time::{Duration as Span, Instant},
};

use actix_web::rt::System;
use api::access::totp;
use chrono::Duration;
use persistence::people::session::Session;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{
    Answer, City, Database, Engine, Site, new_key, on_both, password_proof, read_text, seed,
};

on_both! {
    a_stranger_does_not_lock_the_owner_out,
    a_device_that_logged_in_before_is_not_held_up,
    a_lost_device_is_no_proof,
    one_address_does_not_lock_all_logins,
    a_new_account_is_not_used_up_by_strangers,
    what_was_never_issued_ends_nothing,
    tokens_of_before_there_was_a_proof_work_on,
    a_program_has_no_password,
    the_role_of_programs_is_for_programs,
    a_challenge_ends_with_what_it_rests_on,
    wrong_codes_of_others_do_not_use_up_the_owners,
    metadata_names_no_host_of_the_caller,
    a_password_somebody_else_set_is_changed_first,
    the_scheme_is_known_however_it_is_written,
    no_password_takes_long_to_judge,
}

const HERE: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn credentials(account: &str, password: &str) -> Value {
    json!({ "tenant": seed::CITY, "account": account, "password": password })
}

fn log_in(city: &City, account: &str, password: &str) -> Answer {
    city.client("").post("/api/v1/auth/login", &credentials(account, password))
}

fn send_as(city: &City, token: &str, method: &str, path: &str, body: &Value) -> Answer {
    let call =
        city.client("").call(method, path).header("Authorization", &format!("Bearer {token}"));
    call.json(body).send()
}

fn guess_password(city: &City, account: &str, times: usize) {
    for _ in 0..times {
        log_in(city, account, "wrong password").expect_problem(401, "credentials_invalid");
    }
}

fn a_stranger_does_not_lock_the_owner_out(city: &City) {
    // Everyone has the same address here, as behind a proxy that is not configured.
    guess_password(city, "leader", 11);
    let begun = Instant::now();
    log_in(city, "leader", seed::PASSWORD).expect_success();
    assert!(begun.elapsed() < Span::from_secs(30), "{:?}", begun.elapsed());
    // Others were not slowed down.
    log_in(city, "worker", seed::PASSWORD).expect_success();
}

/// Lets as many strangers as may wait at a time try an account.
pub(crate) fn crowd_account(city: &City, account: &str) {
    let (tried, now) = (format!("{}/{account}", seed::CITY), city.now());
    while city.app.logins.count_nearby_attempt(HERE, &tried, now) {}
    while city.app.logins.queue_attempt(HERE, &tried, true, now).is_ok() {}
}

fn a_device_that_logged_in_before_is_not_held_up(city: &City) {
    let first = log_in(city, "leader", seed::PASSWORD);
    let cookie = first.header("set-cookie").to_owned();
    for part in ["gridwhistle_device=", "HttpOnly", "SameSite=Strict", "Path=/api/v1/auth"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let device = read_text(&first.expect_success(), "/device_token");
    let other =
        read_text(&log_in(city, "worker", seed::PASSWORD).expect_success(), "/device_token");
    crowd_account(city, "leader");
    let refused = log_in(city, "leader", seed::PASSWORD);
    let wait: i64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    refused.expect_problem(429, "too_many_requests");
    let from = |token: &str, password: &str| {
        let mut body = credentials("leader", password);
        body["device_token"] = json!(token);
        city.client("").post("/api/v1/auth/login", &body)
    };
    from(&device, seed::PASSWORD).expect_success();
    // It is no password, and not valid for another account.
    for _ in 0..3 {
        from(&device, "wrong password").expect_problem(401, "credentials_invalid");
    }
    let shouted = device.to_uppercase();
    for garbage in [other.as_str(), "", "x", "💥", &"A".repeat(64), &shouted] {
        crowd_account(city, "leader");
        from(garbage, seed::PASSWORD).expect_problem(429, "too_many_requests");
    }
    city.advance(Duration::seconds(60));
    crowd_account(city, "leader");
    // A page need not store it: its browser keeps the cookie, together with those of others.
    let kept = cookie.split(';').next().unwrap();
    let call = city.client("").call("POST", "/api/v1/auth/login");
    let call = call.header("Cookie", &format!("theme=dark; {kept}.{other}"));
    let again = call.json(&credentials("leader", seed::PASSWORD)).send();
    assert_eq!(again.header("set-cookie").split(';').next().unwrap().split('.').count(), 3);
    again.expect_success();
}

fn a_lost_device_is_no_proof(city: &City) {
    let lost = log_in(city, "leader", seed::PASSWORD).expect_success();
    let path = format!("/api/v1/people/{}/sessions/revoke", city.client("leader").id());
    city.client("admin").post(&path, &json!({})).expect_success();
    crowd_account(city, "leader");
    let mut body = credentials("leader", seed::PASSWORD);
    body["device_token"] = lost["device_token"].clone();
    city.client("").post("/api/v1/auth/login", &body).expect_problem(429, "too_many_requests");
}

fn one_address_does_not_lock_all_logins(city: &City) {
    let area = json!([city.area_id(seed::CITY)]);
    let client = json!({ "name": "热线", "scopes": "read", "area_ids": area });
    let client = city.client("admin").post("/api/v1/clients", &client).expect_success();
    while city.app.logins.count_failure(HERE, city.now()).is_ok() {}
    for account in ["worker", "leader", "admin"] {
        log_in(city, account, seed::PASSWORD).expect_success();
    }
    let (id, secret) = (read_text(&client, "/client_id"), read_text(&client, "/secrets/0/value"));
    let ask = |secret: &str| {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &id)
            .append_pair("client_secret", secret)
            .finish();
        let call = city.client("").call("POST", "/oauth/token").without_header("Idempotency-Key");
        call.header("Content-Type", "application/x-www-form-urlencoded").bytes(form).send()
    };
    // A program that has the secret is not delayed by those that have not, and those are.
    while city.app.logins.count_failure(HERE, city.now()).is_ok() {}
    ask(&secret).expect_success();
    ask(&secret.replace("gws_", "gws_A")).expect_problem(429, "too_many_requests");
    ask(&secret).expect_success();
}

fn a_new_account_is_not_used_up_by_strangers(city: &City) {
    guess_password(city, "linshi", 10);
    let body = json!({ "account": "linshi", "name": "临时", "password": seed::PASSWORD });
    city.client("admin").post("/api/v1/people", &body).expect_success();
    log_in(city, "linshi", seed::PASSWORD).expect_success();
}

fn refresh_login(city: &City, token: &str) -> Answer {
    let body = json!({ "tenant": seed::CITY, "refresh_token": token });
    city.client("").post("/api/v1/auth/refresh", &body)
}

fn encode_base64(bytes: &[u8]) -> String {
    use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn what_was_never_issued_ends_nothing(city: &City) {
    let tokens = log_in(city, "worker", seed::PASSWORD).expect_success();
    let access = read_text(&tokens, "/access_token");
    let sessions =
        send_as(city, &access, "GET", "/api/v1/me/sessions", &Value::Null).expect_success();
    let items = sessions["items"].as_array().unwrap();
    let current = items.iter().find(|one| one["current"] == true).unwrap();
    let session: Uuid = read_text(current, "/id").parse().unwrap();
    let log = || {
        let shown =
            city.client("auditor").get("/api/v1/audit?act=end_session&limit=100").expect_success();
        shown["items"].as_array().unwrap().len()
    };
    let before = log();
    for length in [32, 48] {
        for byte in [0, 255] {
            let forged = [&session.as_bytes()[..], &vec![byte; length]].concat();
            let refused = refresh_login(city, &encode_base64(&forged))
                .expect_problem(401, "credentials_invalid");
            assert_eq!(refused["reason"], Value::Null, "it was never issued");
        }
    }
    // Nor does a genuine one with another ending.
    let own = read_text(&tokens, "/refresh_token");
    let cut = own.get(..60).unwrap();
    refresh_login(city, &format!("{cut}{}", "A".repeat(own.len() - 60)))
        .expect_problem(401, "credentials_invalid");
    assert_eq!(log(), before);
    send_as(city, &access, "GET", "/api/v1/me", &Value::Null).expect_success();
    refresh_login(city, &own).expect_success();
}

fn tokens_of_before_there_was_a_proof_work_on(city: &City) {
    let (id, now) = (api::app::clock::new_id(), city.now());
    let person = domain::core::id::PersonId(city.client("worker").id());
    let old = [&id.as_bytes()[..], &[7; 32]].concat();
    let session = Session {
        id,
        person,
        refresh_hash: domain::core::journal::Hash::digest(&old).0.to_vec(),
        method: "password".to_owned(),
        device: "phone".to_owned(),
        address: "127.0.*.*".to_owned(),
        created_at: now,
        used_at: now,
        expires_at: now + Duration::days(30),
        restriction: None,
    };
    let store = city.store.clone();
    System::new().block_on(async move {
        let tenants = store.read(persistence::kernel::tenant::load_all).await.expect("tenants");
        let here = tenants.into_iter().find(|one| one.code == seed::CITY).expect("the city").id;
        let open = persistence::people::session::open_session(here, session, 10);
        store.run(open).await.expect("a session");
    });
    let new =
        read_text(&refresh_login(city, &encode_base64(&old)).expect_success(), "/refresh_token");
    assert!(new.len() > encode_base64(&old).len());
    let newer = read_text(&refresh_login(city, &new).expect_success(), "/refresh_token");
    // It works once, like every other; then the answer is that it was copied or is unknown.
    refresh_login(city, &encode_base64(&old)).expect_problem(401, "credentials_invalid");
    refresh_login(city, &newer).expect_success();
}

fn a_program_has_no_password(city: &City) {
    let area = json!([city.area_id(seed::CITY)]);
    let client = json!({ "name": "热线", "scopes": "read", "area_ids": area });
    let made = city.client("admin").post("/api/v1/clients", &client).expect_success();
    let path = format!("/api/v1/people/{}", read_text(&made, "/id"));
    let body = json!({ "password": "a brand new passphrase" });
    let set = city.client("admin").post(&format!("{path}/password"), &body);
    set.expect_problem(422, "program_password");
    // Nor does a password that it got in another way log it in.
    let account = read_text(&city.client("admin").get(&path).expect_success(), "/account");
    let from = city.client("worker").id();
    let embedded = city.database.url.starts_with("sqlite");
    let bytes = |id: Uuid| if embedded { format!("x'{}'", id.simple()) } else { format!("'{id}'") };
    let whose = bytes(read_text(&made, "/id").parse().unwrap());
    let copy = format!(
        "insert into passwords (tenant_id, person_id, hash, changed_at) \
         select tenant_id, {whose}, hash, changed_at from passwords where person_id = {}",
        bytes(from)
    );
    persistence::probe::execute(&city.database.url, &copy).unwrap();
    log_in(city, &account, seed::PASSWORD).expect_problem(401, "credentials_invalid");
    log_in(city, "worker", seed::PASSWORD).expect_success();
}

fn the_role_of_programs_is_for_programs(city: &City) {
    let grant = json!({ "role": "integrator", "area_id": city.area_id(seed::CITY) });
    let worker = format!("/api/v1/people/{}/grant", city.client("worker").id());
    city.client("admin").post(&worker, &grant).expect_problem(422, "program_role");
    let body = json!({
        "account": "xitong", "name": "系统", "password": seed::PASSWORD, "grants": [grant],
    });
    city.client("admin").post("/api/v1/people", &body).expect_problem(422, "program_password");
    let mut both = body;
    both["grants"] = json!([{ "role": "hotline", "area_id": city.area_id(seed::CITY) }, grant]);
    city.client("admin").post("/api/v1/people", &both).expect_problem(422, "program_role");
    // A program is given further areas as a person is.
    let area = json!([city.area_id(seed::DISTRICT)]);
    let client = json!({ "name": "热线", "scopes": "read", "area_ids": area });
    let made = city.client("admin").post("/api/v1/clients", &client).expect_success();
    let path = format!("/api/v1/people/{}/grant", read_text(&made, "/id"));
    city.client("admin").post(&path, &grant).expect_success();
    // And no office, nor another person's post.
    for role in ["street_dispatcher", "auditor", "resident"] {
        let office = json!({ "role": role, "area_id": city.area_id(seed::STREET) });
        city.client("admin").post(&path, &office).expect_problem(422, "program_role");
    }
    let post = json!({
        "role": "grid_worker", "area_id": city.area_id(seed::GRID), "to_person_id": made["id"],
        "reason": "岗位调整",
    });
    let path = format!("/api/v1/people/{}/hand_over", city.client("verifier").id());
    city.client("admin").post(&path, &post).expect_problem(422, "program_role");
}

fn enrol_factor(city: &City, account: &str) -> (Vec<u8>, Vec<String>) {
    let by = city.client(account);
    let shown = by.post("/api/v1/me/second_factor/enrol", &password_proof()).expect_success();
    let secret = totp::decode_base32(&read_text(&shown, "/secret")).unwrap();
    let code = json!({ "code": totp::render_code(&secret, city.now()) });
    let codes = by.post("/api/v1/me/second_factor/confirm", &code).expect_success();
    city.advance(Duration::seconds(30));
    (secret, crate::harness::read_texts(&json!({ "items": codes["recovery_codes"] }), ""))
}

fn request_challenge(city: &City, password: &str) -> String {
    let asked = log_in(city, "worker", password).expect_problem(401, "second_factor_required");
    read_text(&asked, "/challenge")
}

fn answer_challenge(city: &City, challenge: &str, code: &str) -> Answer {
    let body = json!({ "challenge": challenge, "code": code });
    city.client("").post("/api/v1/auth/second_factor", &body)
}

fn a_challenge_ends_with_what_it_rests_on(city: &City) {
    let (secret, _) = enrol_factor(city, "worker");
    let code = || totp::render_code(&secret, city.now());
    let ask = |verb: &str, body: &Value| {
        let path = format!("/api/v1/people/{}/{verb}", city.client("worker").id());
        city.client("admin").post(&path, body).expect_success()
    };
    let old = request_challenge(city, seed::PASSWORD);
    let new = "a brand new passphrase";
    ask("password", &json!({ "password": new }));
    answer_challenge(city, &old, &code()).expect_problem(401, "credentials_invalid");
    let closed = request_challenge(city, new);
    ask("suspend", &json!({ "reason": "借调" }));
    answer_challenge(city, &closed, &code()).expect_problem(401, "credentials_invalid");
    ask("reinstate", &json!({}));
    answer_challenge(city, &closed, &code()).expect_problem(401, "credentials_invalid");
    let tokens = answer_challenge(city, &request_challenge(city, new), &code()).expect_success();
    assert_eq!(tokens["restriction"], "password");
}

fn wrong_codes_of_others_do_not_use_up_the_owners(city: &City) {
    let (secret, recovery) = enrol_factor(city, "worker");
    let own = request_challenge(city, seed::PASSWORD);
    let first =
        answer_challenge(city, &own, &totp::render_code(&secret, city.now())).expect_success();
    city.advance(Duration::seconds(30));
    // A thief has the password, but not the telephone.
    let theirs = request_challenge(city, seed::PASSWORD);
    for _ in 0..10 {
        answer_challenge(city, &theirs, "12345x").expect_problem(422, "code_invalid");
    }
    let own = request_challenge(city, seed::PASSWORD);
    answer_challenge(city, &own, &totp::render_code(&secret, city.now())).expect_success();
    city.advance(Duration::seconds(30));
    // However many wait, the owner has a device, or a recovery code.
    let what = format!("totp {} ", city.client("worker").id());
    while city.app.codes.count_named_attempt(&what, city.now()).is_ok() {}
    while city.app.codes.queue_code(&what, city.now()).is_ok() {}
    let code = totp::render_code(&secret, city.now());
    answer_challenge(city, &own, &code).expect_problem(429, "too_many_requests");
    let body = json!({
        "challenge": own, "code": code, "device_token": first["device_token"],
    });
    city.client("").post("/api/v1/auth/second_factor", &body).expect_success();
    while city.app.codes.queue_code(&what, city.now()).is_ok() {}
    answer_challenge(city, &own, recovery.first().unwrap()).expect_success();
    // And attempts of a thief with a stolen token do not count for the owner's logins.
    let token = read_text(&first, "/access_token");
    for _ in 0..10 {
        let wrong = json!({ "code": "12345x" });
        let path = "/api/v1/me/second_factor/recovery_codes";
        send_as(city, &token, "POST", path, &wrong).expect_problem(422, "code_invalid");
    }
    city.advance(Duration::seconds(61));
    let own = request_challenge(city, seed::PASSWORD);
    answer_challenge(city, &own, &totp::render_code(&secret, city.now())).expect_success();
}

fn metadata_names_no_host_of_the_caller(city: &City) {
    for (name, value) in [
        ("Host", "evil.example"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Proto", "evil"),
        ("Forwarded", "host=evil.example;proto=evil"),
    ] {
        let call = city.client("").call("GET", "/.well-known/oauth-authorization-server");
        let shown = call.header(name, value).send().expect_success();
        assert!(!shown.to_string().contains("evil"), "{name}: {shown}");
        assert_eq!(shown["issuer"], city.base);
    }
}

fn a_password_somebody_else_set_is_changed_first(city: &City) {
    let body = json!({
        "account": "linshi", "name": "临时", "password": seed::PASSWORD,
        "grants": [{ "role": "grid_worker", "area_id": city.area_id(seed::GRID) }],
    });
    let person =
        read_text(&city.client("admin").post("/api/v1/people", &body).expect_success(), "/id");
    let path = format!("/api/v1/people/{person}/password");
    let given = "what the administrator chose";
    for (old, new) in [(seed::PASSWORD, "my very own passphrase"), (given, "another one of my own")]
    {
        let tokens = log_in(city, "linshi", old).expect_success();
        assert_eq!(tokens["restriction"], "password");
        let token = read_text(&tokens, "/access_token");
        let held = send_as(city, &token, "GET", "/api/v1/me/todos", &Value::Null);
        assert_eq!(held.expect_problem(403, "login_incomplete")["required"], "password");
        // Refreshing is no way around.
        let fresh = refresh_login(city, &read_text(&tokens, "/refresh_token")).expect_success();
        assert_eq!(fresh["restriction"], "password");
        let body = json!({ "old_password": old, "password": new });
        send_as(city, &read_text(&fresh, "/access_token"), "POST", "/api/v1/me/password", &body)
            .expect_success();
        let tokens = log_in(city, "linshi", new).expect_success();
        assert_eq!(tokens["restriction"], Value::Null);
        let token = read_text(&tokens, "/access_token");
        send_as(city, &token, "GET", "/api/v1/me/todos", &Value::Null).expect_success();
        city.client("admin").post(&path, &json!({ "password": given })).expect_success();
    }
}

fn the_scheme_is_known_however_it_is_written(city: &City) {
    let token = city.access_token("worker").unwrap();
    for scheme in ["BEARER", "bearer", "bEaReR"] {
        let call = city.client("").call("GET", "/api/v1/me");
        let me = call.header("Authorization", &format!("{scheme} {token}")).send().expect_success();
        assert_eq!(me["name"], "网格员王芳");
    }
    let call = city.client("").call("GET", "/api/v1/me");
    let other = call.header("Authorization", &format!("Bearerx {token}")).send();
    other.expect_problem(401, "unauthenticated");
}

fn no_password_takes_long_to_judge(city: &City) {
    for part in ["p@$5w0rd", "@4", "20240101"] {
        let password: String = part.chars().cycle().take(128).collect();
        let body = json!({ "account": new_key().get(24..), "name": "某人", "password": password });
        let begun = Instant::now();
        city.client("admin").post("/api/v1/people", &body);
        assert!(begun.elapsed() < Span::from_secs(8), "{part}: {:?}", begun.elapsed());
    }
}

fn an_address_that_is_configured(engine: Engine) {
    let city = City::open_with(engine, |settings| {
        settings.public_url = Some("https://grid.example".to_owned());
    });
    let call = city.client("").call("GET", "/.well-known/oauth-authorization-server");
    let shown = call.header("X-Forwarded-Host", "evil.example").send().expect_success();
    assert_eq!(shown["token_endpoint"], "https://grid.example/oauth/token");
    // Where the public address uses TLS, the cookie is `Secure`.
    assert!(log_in(&city, "worker", seed::PASSWORD).header("set-cookie").ends_with("; Secure"));
}

#[test]
fn an_address_that_is_configured_is_told_on_sqlite() {
    an_address_that_is_configured(Engine::Sqlite);
}

#[test]
fn an_address_that_is_configured_is_told_on_postgres() {
    an_address_that_is_configured(Engine::Postgres);
}

fn no_address_anybody_can_reach(engine: Engine) {
    let city = City::open_with(engine, |settings| settings.listen = ([0, 0, 0, 0], 0).into());
    let port = city.base.rsplit(':').next().unwrap();
    let call = city.client("").call("GET", "/.well-known/oauth-authorization-server");
    let call = call.on_server(&format!("http://127.0.0.1:{port}"));
    let refused = call.send().expect_problem(404, "not_found");
    assert!(read_text(&refused, "/detail").contains("GRIDWHISTLE_PUBLIC_URL"), "{refused}");
}

#[test]
fn an_address_nobody_configured_is_not_made_up_on_sqlite() {
    no_address_anybody_can_reach(Engine::Sqlite);
}

#[test]
fn an_address_nobody_configured_is_not_made_up_on_postgres() {
    no_address_anybody_can_reach(Engine::Postgres);
}

#[test]
fn a_proxy_nobody_announced_is_complained_about_once() {
    let database = Database::new_seeded(Engine::Sqlite);
    let url = database.url.as_str();
    let arguments = ["serve", "--database", url, "--listen", "127.0.0.1:0", "--log-level", "warn"];
    let mut child = crate::crash::build_command(&arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).expect("it says where");
    let base = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
    let site = Site::new(Engine::Sqlite, base);
    for _ in 0..3 {
        let call = site.client("").call("POST", "/api/v1/auth/login");
        let call = call.header("X-Forwarded-For", "192.0.2.7");
        call.json(&credentials("worker", "wrong password")).send();
    }
    child.kill().expect("it ends");
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).expect("a log");
    child.wait().expect("it ended");
    assert_eq!(log.matches("GRIDWHISTLE_PROXIES").count(), 1, "{log}");
}

#[cfg(unix)]
#[test]
fn a_database_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("city.db");
    let url = format!("sqlite://{}", path.display());
    let store = persistence::Store::open(&url, persistence::Options::default()).expect("it opens");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}: {mode:o}", entry.path().display());
        seen += 1;
    }
    assert!(seen >= 2, "the database and its log");
    store.close();
}

/// The files the program writes while it serves, everything below its folder.
#[cfg(unix)]
#[test]
fn whatever_the_program_writes_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let inner = folder.path().join("demo");
    let output = crate::crash::build_command(&["demo", "--once", "--dir", inner.to_str().unwrap()])
        .current_dir(folder.path())
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (mut waiting, mut files) = (vec![inner], 0);
    while let Some(place) = waiting.pop() {
        for entry in std::fs::read_dir(&place).unwrap() {
            let entry = entry.unwrap();
            let metadata = entry.metadata().unwrap();
            let mode = metadata.permissions().mode() & 0o077;
            assert_eq!(mode, 0, "{}", entry.path().display());
            if metadata.is_dir() {
                waiting.push(entry.path());
            } else {
                files += 1;
            }
        }
    }
    assert!(files >= 3, "the database, keys and photos: {files}");
}
