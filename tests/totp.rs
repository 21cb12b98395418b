//! The second factor: enrolled, asked for, spent once, lost and replaced.

use api::{access::totp, app::config::SecondFactor};
use chrono::Duration;
use serde_json::{Value, json};

use crate::harness::{Answer, City, Engine, on_both, proven, seed, text};

on_both! {
    a_second_factor_is_enrolled_and_asked_for,
    a_code_works_once,
    a_recovery_code_works_once,
    codes_are_not_guessed,
    a_lost_telephone_is_reset_by_an_administrator,
    who_need_not_have_one_can_remove_it,
    secrets_are_sealed,
}

fn login(city: &City, account: &str) -> Answer {
    let body = json!({ "tenant": seed::CITY, "account": account, "password": seed::PASSWORD });
    city.by("").post("/api/v1/auth/login", &body)
}

fn answer(city: &City, challenge: &str, code: &str) -> Answer {
    let body = json!({ "challenge": challenge, "code": code });
    city.by("").post("/api/v1/auth/second_factor", &body)
}

fn challenge(city: &City, account: &str) -> String {
    let asked = login(city, account).problem(401, "second_factor_required");
    assert_eq!(asked["expires_in"], 300);
    text(&asked, "/challenge")
}

fn as_whom(city: &City, tokens: &Value, method: &str, path: &str, body: &Value) -> Answer {
    let token = format!("Bearer {}", text(tokens, "/access_token"));
    city.by("").call(method, path).header("Authorization", &token).json(body).send()
}

/// Enrols a second factor for a person: the secret, and the recovery codes.
fn enrol(city: &City, account: &str) -> (Vec<u8>, Vec<String>) {
    let by = city.by(account);
    let shown = by.post("/api/v1/me/second_factor/enrol", &proven()).done();
    let secret = text(&shown, "/secret");
    let uri = text(&shown, "/uri");
    assert!(uri.starts_with(&format!("otpauth://totp/GridWhistle:{account}?secret={secret}&")));
    let secret = base32(&secret);
    let body = json!({ "code": totp::shown(&secret, city.now()) });
    let codes = by.post("/api/v1/me/second_factor/confirm", &body).done();
    let codes = codes["recovery_codes"].as_array().unwrap().iter();
    let codes: Vec<_> = codes.map(|code| code.as_str().unwrap().to_owned()).collect();
    assert_eq!(codes.len(), 10);
    // The code that confirmed is spent.
    city.advance(Duration::seconds(30));
    (secret, codes)
}

fn base32(text: &str) -> Vec<u8> {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits: Vec<String> =
        text.chars().map(|c| format!("{:05b}", alphabet.find(c).unwrap())).collect();
    let bits = bits.concat();
    let bytes = bits.as_bytes().chunks_exact(8);
    bytes.map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap()).collect()
}

fn state(city: &City, account: &str) -> String {
    text(&city.by(account).get("/api/v1/me/second_factor").done(), "/state")
}

fn a_second_factor_is_enrolled_and_asked_for(city: &City) {
    assert_eq!(state(city, "worker"), "none");
    let first = city.by("worker").post("/api/v1/me/second_factor/enrol", &proven()).done();
    assert_eq!(state(city, "worker"), "pending");
    login(city, "worker").done();
    // One that was not confirmed gives way to the next.
    let (secret, _) = enrol(city, "worker");
    assert_ne!(base32(&text(&first, "/secret")), secret);
    assert_eq!(state(city, "worker"), "confirmed");
    let again = city.by("worker").post("/api/v1/me/second_factor/enrol", &proven());
    assert_eq!(again.problem(422, "second_factor_state")["state"], "confirmed");
    let waiting = challenge(city, "worker");
    let code = totp::shown(&secret, city.now());
    for garbage in ["", "x", "💥", &"A".repeat(5000), &format!("{waiting}x")] {
        answer(city, garbage, &code).problem(401, "credentials_invalid");
    }
    for garbage in ["", "x", "💥", "1234567", &"9".repeat(5000)] {
        answer(city, &waiting, garbage).problem(422, "code_invalid");
    }
    let tokens = answer(city, &waiting, &code).done();
    let sessions = as_whom(city, &tokens, "GET", "/api/v1/me/sessions", &Value::Null).done();
    assert_eq!(sessions["items"][0]["method"], "totp");
    let waiting = challenge(city, "worker");
    city.advance(Duration::minutes(5));
    let code = totp::shown(&secret, city.now());
    answer(city, &waiting, &code).problem(401, "credentials_invalid");
}

fn a_code_works_once(city: &City) {
    let (secret, _) = enrol(city, "worker");
    let waiting = challenge(city, "worker");
    let code = totp::shown(&secret, city.now());
    let early = totp::shown(&secret, city.now() - Duration::seconds(30));
    answer(city, &waiting, &code).done();
    answer(city, &waiting, &code).problem(422, "code_invalid");
    answer(city, &challenge(city, "worker"), &code).problem(422, "code_invalid");
    // An earlier code does not work, either.
    answer(city, &waiting, &early).problem(422, "code_invalid");
    city.advance(Duration::seconds(30));
    answer(city, &waiting, &totp::shown(&secret, city.now())).done();
}

fn a_recovery_code_works_once(city: &City) {
    let (secret, codes) = enrol(city, "worker");
    let waiting = challenge(city, "worker");
    answer(city, &waiting, &codes[0]).done();
    answer(city, &waiting, &codes[0]).problem(422, "code_invalid");
    answer(city, &waiting, &codes[1].to_uppercase().replace('-', " ")).done();
    let me = city.by("worker").get("/api/v1/me/second_factor").done();
    assert_eq!(me["recovery_codes_left"], 8);
    // Another person's codes are worth nothing.
    let (_, others) = enrol(city, "verifier");
    answer(city, &waiting, &others[0]).problem(422, "code_invalid");
    let body = json!({ "code": totp::shown(&secret, city.now()) });
    let path = "/api/v1/me/second_factor/recovery_codes";
    let new = city.by("worker").post(path, &body).done();
    answer(city, &waiting, &codes[2]).problem(422, "code_invalid");
    answer(city, &waiting, &text(&new, "/recovery_codes/0")).done();
}

fn codes_are_not_guessed(city: &City) {
    let (secret, _) = enrol(city, "worker");
    let waiting = challenge(city, "worker");
    let right = totp::shown(&secret, city.now());
    let wrong = if right == "000000" { "000001" } else { "000000" };
    for _ in 0..10 {
        answer(city, &waiting, wrong).problem(422, "code_invalid");
    }
    // From then on they wait for their turns, one in half a minute; a new challenge does not help.
    answer(city, &challenge(city, "worker"), wrong).problem(422, "code_invalid");
    let what = format!("totp {} ", city.by("worker").id());
    assert!(city.app.codes.queue_code(&what, city.now()).is_ok());
    let refused = answer(city, &challenge(city, "worker"), &right);
    refused.problem(429, "too_many_requests");
    city.advance(Duration::seconds(61));
    answer(city, &waiting, &totp::shown(&secret, city.now())).done();
}

fn a_lost_telephone_is_reset_by_an_administrator(city: &City) {
    enrol(city, "worker");
    let path = format!("/api/v1/people/{}/second_factor/reset", city.by("worker").id());
    city.by("far_admin").post(&path, &json!({})).problem(403, "not_permitted");
    city.by("leader").post(&path, &json!({})).problem(403, "not_permitted");
    city.by("neighbour").post(&path, &json!({})).problem(404, "not_found");
    city.by("worker").post(&path, &json!({})).problem(403, "not_permitted");
    city.by("admin").post(&path, &json!({})).done();
    city.by("worker").get("/api/v1/me").problem(401, "unauthenticated");
    login(city, "worker").done();
}

fn who_need_not_have_one_can_remove_it(city: &City) {
    let (secret, _) = enrol(city, "worker");
    let remove = |code: &str| {
        city.by("worker").post("/api/v1/me/second_factor/remove", &json!({ "code": code }))
    };
    remove("123").problem(422, "code_invalid");
    remove(&totp::shown(&secret, city.now())).done();
    login(city, "worker").done();
}

fn secrets_are_sealed(city: &City) {
    let (secret, codes) = enrol(city, "worker");
    let hex =
        |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    let embedded = city.database.url.starts_with("sqlite");
    let column = |name: &str, table: &str| {
        let shown =
            if embedded { format!("lower(hex({name}))") } else { format!("encode({name}, 'hex')") };
        format!("select {shown} as line from {table}")
    };
    let rows = |sql: String| persistence::probe::lines(&city.database.url, &sql).unwrap();
    let stored = rows(column("secret", "second_factors"));
    assert!(stored.len() == 1 && !stored[0].contains(&hex(&secret)), "{stored:?}");
    let digests = rows(column("digest", "recovery_codes")).join(" ");
    assert!(codes.iter().all(|code| !digests.contains(&hex(code.as_bytes()))));
}

fn administrators_enrol_first(engine: Engine) {
    let city = City::with(engine, |s| s.second_factor = SecondFactor::Administrators);
    assert_eq!(login(&city, "worker").done()["restriction"], Value::Null);
    city.by("worker").get("/api/v1/me").done();
    let tokens = login(&city, "admin").done();
    assert_eq!(tokens["restriction"], "second_factor");
    let call = |method: &str, path: &str, body: &Value| as_whom(&city, &tokens, method, path, body);
    let held = call("GET", "/api/v1/people", &Value::Null).problem(403, "login_incomplete");
    assert_eq!(held["required"], "second_factor");
    assert_eq!(call("GET", "/api/v1/me/second_factor", &Value::Null).done()["required"], true);
    // A person who had logged in before the rule is held up, too.
    city.by("admin").get("/api/v1/people").problem(403, "login_incomplete");
    let shown = call("POST", "/api/v1/me/second_factor/enrol", &json!({})).done();
    let secret = base32(&text(&shown, "/secret"));
    let wrong = json!({ "code": "12345x" });
    call("POST", "/api/v1/me/second_factor/confirm", &wrong).problem(422, "code_invalid");
    let code = json!({ "code": totp::shown(&secret, city.now()) });
    call("POST", "/api/v1/me/second_factor/confirm", &code).done();
    // The login goes on, now complete.
    call("GET", "/api/v1/people", &Value::Null).done();
    city.advance(Duration::seconds(30));
    let code = json!({ "code": totp::shown(&secret, city.now()) });
    let kept = call("POST", "/api/v1/me/second_factor/remove", &code);
    assert_eq!(kept.problem(422, "second_factor_state")["state"], "required");
    // A person who becomes an administrator needs one from then on.
    let path = format!("/api/v1/people/{}/grant", city.by("worker").id());
    let grant = json!({ "role": "administrator", "area_id": city.area(seed::GRID) });
    call("POST", &path, &grant).done();
    city.by("worker").get("/api/v1/me/todos").problem(403, "login_incomplete");
    // Their old login, which may be stolen by now, needs the password to enrol it.
    let enrol = |body: &Value| city.by("worker").post("/api/v1/me/second_factor/enrol", body);
    city.advance(Duration::minutes(11));
    enrol(&json!({})).problem(422, "proof_required");
    enrol(&proven()).done();
}

#[test]
fn administrators_enrol_first_on_sqlite() {
    administrators_enrol_first(Engine::Sqlite);
}

#[test]
fn administrators_enrol_first_on_postgres() {
    administrators_enrol_first(Engine::Postgres);
}
