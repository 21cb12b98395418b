//! The second factor: enrolled, requested, spent once, lost and replaced.

use api::{access::totp, app::config::SecondFactor};
use chrono::Duration;
use serde_json::{Value, json};

use crate::harness::{Answer, City, Engine, on_both, password_proof, read_text, seed};

on_both! {
    a_second_factor_is_enrolled_and_asked_for,
    a_code_works_once,
    a_recovery_code_works_once,
    codes_are_not_guessed,
    a_lost_telephone_is_reset_by_an_administrator,
    who_need_not_have_one_can_remove_it,
    secrets_are_sealed,
}

fn log_in(city: &City, account: &str) -> Answer {
    let body = json!({ "tenant": seed::CITY, "account": account, "password": seed::PASSWORD });
    city.client("").post("/api/v1/auth/login", &body)
}

fn answer_challenge(city: &City, challenge: &str, code: &str) -> Answer {
    let body = json!({ "challenge": challenge, "code": code });
    city.client("").post("/api/v1/auth/second_factor", &body)
}

fn request_challenge(city: &City, account: &str) -> String {
    let asked = log_in(city, account).expect_problem(401, "second_factor_required");
    assert_eq!(asked["expires_in"], 300);
    read_text(&asked, "/challenge")
}

fn as_whom(city: &City, tokens: &Value, method: &str, path: &str, body: &Value) -> Answer {
    let token = format!("Bearer {}", read_text(tokens, "/access_token"));
    city.client("").call(method, path).header("Authorization", &token).json(body).send()
}

/// Enrols a second factor for a person: the secret, and the recovery codes.
fn enrol_factor(city: &City, account: &str) -> (Vec<u8>, Vec<String>) {
    let by = city.client(account);
    let shown = by.post("/api/v1/me/second_factor/enrol", &password_proof()).expect_success();
    let secret = read_text(&shown, "/secret");
    let uri = read_text(&shown, "/uri");
    assert!(uri.starts_with(&format!("otpauth://totp/GridWhistle:{account}?secret={secret}&")));
    let secret = decode_base32(&secret);
    let body = json!({ "code": totp::render_code(&secret, city.now()) });
    let codes = by.post("/api/v1/me/second_factor/confirm", &body).expect_success();
    let codes = codes["recovery_codes"].as_array().unwrap().iter();
    let codes: Vec<_> = codes.map(|code| code.as_str().unwrap().to_owned()).collect();
    assert_eq!(codes.len(), 10);
    // The code that confirmed is spent.
    city.advance(Duration::seconds(30));
    (secret, codes)
}

fn decode_base32(text: &str) -> Vec<u8> {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits: Vec<String> =
        text.chars().map(|c| format!("{:05b}", alphabet.find(c).unwrap())).collect();
    let bits = bits.concat();
    let bytes = bits.as_bytes().chunks_exact(8);
    bytes.map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap()).collect()
}

fn get_factor_state(city: &City, account: &str) -> String {
    read_text(&city.client(account).get("/api/v1/me/second_factor").expect_success(), "/state")
}

fn a_second_factor_is_enrolled_and_asked_for(city: &City) {
    assert_eq!(get_factor_state(city, "worker"), "none");
    let first = city
        .client("worker")
        .post("/api/v1/me/second_factor/enrol", &password_proof())
        .expect_success();
    assert_eq!(get_factor_state(city, "worker"), "pending");
    log_in(city, "worker").expect_success();
    // One that was not confirmed gives way to the next.
    let (secret, _) = enrol_factor(city, "worker");
    assert_ne!(decode_base32(&read_text(&first, "/secret")), secret);
    assert_eq!(get_factor_state(city, "worker"), "confirmed");
    let again = city.client("worker").post("/api/v1/me/second_factor/enrol", &password_proof());
    assert_eq!(again.expect_problem(422, "second_factor_state")["state"], "confirmed");
    let waiting = request_challenge(city, "worker");
    let code = totp::render_code(&secret, city.now());
    for garbage in ["", "x", "💥", &"A".repeat(5000), &format!("{waiting}x")] {
        answer_challenge(city, garbage, &code).expect_problem(401, "credentials_invalid");
    }
    for garbage in ["", "x", "💥", "1234567", &"9".repeat(5000)] {
        answer_challenge(city, &waiting, garbage).expect_problem(422, "code_invalid");
    }
    let tokens = answer_challenge(city, &waiting, &code).expect_success();
    let sessions =
        as_whom(city, &tokens, "GET", "/api/v1/me/sessions", &Value::Null).expect_success();
    assert_eq!(sessions["items"][0]["method"], "totp");
    let waiting = request_challenge(city, "worker");
    city.advance(Duration::minutes(5));
    let code = totp::render_code(&secret, city.now());
    answer_challenge(city, &waiting, &code).expect_problem(401, "credentials_invalid");
}

fn a_code_works_once(city: &City) {
    let (secret, _) = enrol_factor(city, "worker");
    let waiting = request_challenge(city, "worker");
    let code = totp::render_code(&secret, city.now());
    let early = totp::render_code(&secret, city.now() - Duration::seconds(30));
    answer_challenge(city, &waiting, &code).expect_success();
    answer_challenge(city, &waiting, &code).expect_problem(422, "code_invalid");
    answer_challenge(city, &request_challenge(city, "worker"), &code)
        .expect_problem(422, "code_invalid");
    // An earlier code does not work, either.
    answer_challenge(city, &waiting, &early).expect_problem(422, "code_invalid");
    city.advance(Duration::seconds(30));
    answer_challenge(city, &waiting, &totp::render_code(&secret, city.now())).expect_success();
}

fn a_recovery_code_works_once(city: &City) {
    let (secret, codes) = enrol_factor(city, "worker");
    let waiting = request_challenge(city, "worker");
    answer_challenge(city, &waiting, &codes[0]).expect_success();
    answer_challenge(city, &waiting, &codes[0]).expect_problem(422, "code_invalid");
    answer_challenge(city, &waiting, &codes[1].to_uppercase().replace('-', " ")).expect_success();
    let me = city.client("worker").get("/api/v1/me/second_factor").expect_success();
    assert_eq!(me["recovery_codes_left"], 8);
    // Another person's codes are worth nothing.
    let (_, others) = enrol_factor(city, "verifier");
    answer_challenge(city, &waiting, &others[0]).expect_problem(422, "code_invalid");
    let body = json!({ "code": totp::render_code(&secret, city.now()) });
    let path = "/api/v1/me/second_factor/recovery_codes";
    let new = city.client("worker").post(path, &body).expect_success();
    answer_challenge(city, &waiting, &codes[2]).expect_problem(422, "code_invalid");
    answer_challenge(city, &waiting, &read_text(&new, "/recovery_codes/0")).expect_success();
}

fn codes_are_not_guessed(city: &City) {
    let (secret, _) = enrol_factor(city, "worker");
    let waiting = request_challenge(city, "worker");
    let right = totp::render_code(&secret, city.now());
    let wrong = if right == "000000" { "000001" } else { "000000" };
    for _ in 0..10 {
        answer_challenge(city, &waiting, wrong).expect_problem(422, "code_invalid");
    }
    // From then on they wait for their turns, one in half a minute; a new challenge does not help.
    answer_challenge(city, &request_challenge(city, "worker"), wrong)
        .expect_problem(422, "code_invalid");
    let what = format!("totp {} ", city.client("worker").id());
    assert!(city.app.codes.queue_code(&what, city.now()).is_ok());
    let refused = answer_challenge(city, &request_challenge(city, "worker"), &right);
    refused.expect_problem(429, "too_many_requests");
    city.advance(Duration::seconds(61));
    answer_challenge(city, &waiting, &totp::render_code(&secret, city.now())).expect_success();
}

fn a_lost_telephone_is_reset_by_an_administrator(city: &City) {
    enrol_factor(city, "worker");
    let path = format!("/api/v1/people/{}/second_factor/reset", city.client("worker").id());
    city.client("far_admin").post(&path, &json!({})).expect_problem(403, "not_permitted");
    city.client("leader").post(&path, &json!({})).expect_problem(403, "not_permitted");
    city.client("neighbour").post(&path, &json!({})).expect_problem(404, "not_found");
    city.client("worker").post(&path, &json!({})).expect_problem(403, "not_permitted");
    city.client("admin").post(&path, &json!({})).expect_success();
    city.client("worker").get("/api/v1/me").expect_problem(401, "unauthenticated");
    log_in(city, "worker").expect_success();
}

fn who_need_not_have_one_can_remove_it(city: &City) {
    let (secret, _) = enrol_factor(city, "worker");
    let remove = |code: &str| {
        city.client("worker").post("/api/v1/me/second_factor/remove", &json!({ "code": code }))
    };
    remove("123").expect_problem(422, "code_invalid");
    remove(&totp::render_code(&secret, city.now())).expect_success();
    log_in(city, "worker").expect_success();
}

fn secrets_are_sealed(city: &City) {
    let (secret, codes) = enrol_factor(city, "worker");
    let hex =
        |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    let embedded = city.database.url.starts_with("sqlite");
    let column = |name: &str, table: &str| {
        let shown =
            if embedded { format!("lower(hex({name}))") } else { format!("encode({name}, 'hex')") };
        format!("select {shown} as line from {table}")
    };
    let rows = |sql: String| persistence::probe::query_lines(&city.database.url, &sql).unwrap();
    let stored = rows(column("secret", "second_factors"));
    assert!(stored.len() == 1 && !stored[0].contains(&hex(&secret)), "{stored:?}");
    let digests = rows(column("digest", "recovery_codes")).join(" ");
    assert!(codes.iter().all(|code| !digests.contains(&hex(code.as_bytes()))));
}

fn administrators_enrol_first(engine: Engine) {
    let city = City::open_with(engine, |s| s.second_factor = SecondFactor::Administrators);
    assert_eq!(log_in(&city, "worker").expect_success()["restriction"], Value::Null);
    city.client("worker").get("/api/v1/me").expect_success();
    let tokens = log_in(&city, "admin").expect_success();
    assert_eq!(tokens["restriction"], "second_factor");
    let call = |method: &str, path: &str, body: &Value| as_whom(&city, &tokens, method, path, body);
    let held = call("GET", "/api/v1/people", &Value::Null).expect_problem(403, "login_incomplete");
    assert_eq!(held["required"], "second_factor");
    assert_eq!(
        call("GET", "/api/v1/me/second_factor", &Value::Null).expect_success()["required"],
        true
    );
    // A person who had logged in before the rule is restricted, too.
    city.client("admin").get("/api/v1/people").expect_problem(403, "login_incomplete");
    let shown = call("POST", "/api/v1/me/second_factor/enrol", &json!({})).expect_success();
    let secret = decode_base32(&read_text(&shown, "/secret"));
    let wrong = json!({ "code": "12345x" });
    call("POST", "/api/v1/me/second_factor/confirm", &wrong).expect_problem(422, "code_invalid");
    let code = json!({ "code": totp::render_code(&secret, city.now()) });
    call("POST", "/api/v1/me/second_factor/confirm", &code).expect_success();
    // The login continues, now complete.
    call("GET", "/api/v1/people", &Value::Null).expect_success();
    city.advance(Duration::seconds(30));
    let code = json!({ "code": totp::render_code(&secret, city.now()) });
    let kept = call("POST", "/api/v1/me/second_factor/remove", &code);
    assert_eq!(kept.expect_problem(422, "second_factor_state")["state"], "required");
    // A person who becomes an administrator needs one from then on.
    let path = format!("/api/v1/people/{}/grant", city.client("worker").id());
    let grant = json!({ "role": "administrator", "area_id": city.area_id(seed::GRID) });
    call("POST", &path, &grant).expect_success();
    city.client("worker").get("/api/v1/me/todos").expect_problem(403, "login_incomplete");
    // Their old login, which may be stolen by now, needs the password to enrol it.
    let enrol = |body: &Value| city.client("worker").post("/api/v1/me/second_factor/enrol", body);
    city.advance(Duration::minutes(11));
    enrol(&json!({})).expect_problem(422, "proof_required");
    enrol(&password_proof()).expect_success();
}

#[test]
fn administrators_enrol_first_on_sqlite() {
    administrators_enrol_first(Engine::Sqlite);
}

#[test]
fn administrators_enrol_first_on_postgres() {
    administrators_enrol_first(Engine::Postgres);
}
