//! Programs: registered, given tokens by the standard, held to scopes, areas and quotas, and
//! shut out.

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::Duration;
use serde_json::{Value, json};

use crate::harness::{Answer, City, each, key, on_both, report_at, seed, text};

on_both! {
    a_client_is_registered_once,
    a_client_gets_a_token_by_the_standard,
    errors_are_those_of_the_standard,
    a_token_is_held_to_its_scopes,
    a_client_sees_its_areas_alone,
    an_api_key_works_by_itself,
    secrets_overlap_and_are_revoked,
    a_client_is_shut_out,
    a_quota_is_announced_and_kept,
    clients_are_for_administrators_alone,
    secrets_are_kept_as_digests,
    libraries_find_their_way,
}

fn vendor(city: &City, scopes: &str, area: &str) -> Value {
    json!({ "name": "12345 热线平台", "scopes": scopes, "area_ids": [city.area(area)] })
}

/// A new client: the view, `client_id` and its secret.
fn register(city: &City, scopes: &str, area: &str) -> (Value, String, String) {
    let made = city.by("admin").post("/api/v1/clients", &vendor(city, scopes, area)).done();
    let (id, secret) = (text(&made, "/client_id"), text(&made, "/secrets/0/value"));
    (made, id, secret)
}

fn ask(city: &City, form: &[(&str, &str)], basic: Option<(&str, &str)>) -> Answer {
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let call = city.by("").call("POST", "/oauth/token").without("Idempotency-Key");
    let call = call.header("Content-Type", "application/x-www-form-urlencoded").bytes(form);
    match basic {
        Some((id, secret)) => {
            let pair = BASE64_STANDARD.encode(format!("{id}:{secret}"));
            call.header("Authorization", &format!("Basic {pair}")).send()
        }
        None => call.send(),
    }
}

fn token(city: &City, id: &str, secret: &str, scope: &str) -> Answer {
    ask(city, &[("grant_type", "client_credentials"), ("scope", scope)], Some((id, secret)))
}

fn with(city: &City, bearer: &str, method: &str, path: &str, body: &Value) -> Answer {
    let call = city.by("").call(method, path).header("Authorization", &format!("Bearer {bearer}"));
    call.json(body).send()
}

/// An error as RFC 6749 tells it.
#[track_caller]
fn error(answer: &Answer, status: u16, error: &str) {
    assert_eq!(
        (answer.status, answer.body["error"].as_str()),
        (status, Some(error)),
        "{}",
        answer.text
    );
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    let told = answer.body["error_description"].as_str().unwrap();
    assert!(!told.is_empty() && told.is_ascii());
}

fn a_client_is_registered_once(city: &City) {
    let (key, body) = (key(), vendor(city, "read report", seed::DISTRICT));
    let made = city.by("admin").post_as(&key, "/api/v1/clients", &body);
    assert_eq!(made.status, 201);
    let place = made.header("location").to_owned();
    let made = made.done();
    assert!(text(&made, "/secrets/0/value").starts_with("gws_"));
    assert_eq!(made["grants"][0]["role"], "integrator");
    // A retry does not show the secret again.
    let again = city.by("admin").post_as(&key, "/api/v1/clients", &body).done();
    assert_eq!((&again["id"], &again["secrets"][0]["value"]), (&made["id"], &Value::Null));
    let shown = city.by("admin").get(&place).done();
    assert_eq!(shown["secrets"].as_array().unwrap().len(), 1);
    assert_eq!(each(&city.by("admin").get("/api/v1/clients").done(), "/name"), ["12345 热线平台"]);
    // No one logs in as a program.
    let people = city.by("admin").get("/api/v1/people?limit=100").done();
    let account = people["items"].as_array().unwrap().iter().find(|one| one["id"] == made["id"]);
    let login =
        json!({ "tenant": seed::CITY, "account": account.unwrap()["account"], "password": "x" });
    city.by("").post("/api/v1/auth/login", &login).problem(401, "credentials_invalid");
    for (body, pointer) in [
        (json!({ "name": "x", "scopes": "", "area_ids": [city.area(seed::CITY)] }), "/scopes"),
        (json!({ "name": "x", "scopes": "admin", "area_ids": [city.area(seed::CITY)] }), "/scopes"),
        (json!({ "name": "x", "scopes": "read", "area_ids": [] }), "/area_ids"),
        (
            json!({ "name": "x", "scopes": "read", "area_ids": [city.area(seed::CITY)], "days": 0 }),
            "/days",
        ),
        (
            json!({ "name": "x", "scopes": "read", "area_ids": [city.area(seed::CITY)], "per_minute": 0 }),
            "/per_minute",
        ),
    ] {
        city.by("admin").post("/api/v1/clients", &body).fault_at(pointer);
    }
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn a_client_gets_a_token_by_the_standard(city: &City) {
    let (_, id, secret) = register(city, "read report", seed::CITY);
    let answer = token(city, &id, &secret, "");
    assert_eq!(answer.header("cache-control"), "no-store");
    let got = answer.done();
    assert_eq!((&got["token_type"], &got["expires_in"]), (&json!("Bearer"), &json!(900)));
    assert_eq!(got["scope"], "read report");
    assert_eq!(got["refresh_token"], Value::Null);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", id.as_str()),
        ("client_secret", secret.as_str()),
        ("scope", "read"),
    ];
    let narrow = ask(city, &form, None).done();
    assert_eq!(narrow["scope"], "read");
    let bearer = text(&narrow, "/access_token");
    with(city, &bearer, "GET", "/api/v1/cases", &Value::Null).done();
    let shown = city.by("admin").get(&format!("/api/v1/clients/{}", id.split('.').nth(1).unwrap()));
    assert_ne!(shown.done()["secrets"][0]["used_at"], Value::Null);
    city.advance(Duration::minutes(16));
    let late = with(city, &bearer, "GET", "/api/v1/cases", &Value::Null);
    assert_eq!(late.problem(401, "unauthenticated")["reason"], "expired");
}

fn errors_are_those_of_the_standard(city: &City) {
    let (_, id, secret) = register(city, "read", seed::CITY);
    let credentials = Some((id.as_str(), secret.as_str()));
    error(&ask(city, &[], credentials), 400, "invalid_request");
    error(&ask(city, &[("grant_type", "password")], credentials), 400, "unsupported_grant_type");
    let twice = [("grant_type", "client_credentials"), ("grant_type", "client_credentials")];
    error(&ask(city, &twice, credentials), 400, "invalid_request");
    let both = [("grant_type", "client_credentials"), ("client_secret", secret.as_str())];
    error(&ask(city, &both, credentials), 400, "invalid_request");
    for scope in ["report", "read report", "admin", "READ"] {
        error(&token(city, &id, &secret, scope), 400, "invalid_scope");
    }
    let other = register(city, "read", seed::CITY);
    for (id, secret) in [
        (id.as_str(), "wrong"),
        (id.as_str(), ""),
        ("nobody", secret.as_str()),
        (other.1.as_str(), secret.as_str()),
        ("", ""),
    ] {
        let refused = token(city, id, secret, "");
        error(&refused, 401, "invalid_client");
        assert_eq!(refused.header("www-authenticate"), "Basic realm=\"gridwhistle\"");
    }
    error(&ask(city, &[("grant_type", "client_credentials")], None), 401, "invalid_client");
    let json = city.by("").post("/oauth/token", &json!({ "grant_type": "client_credentials" }));
    error(&json, 400, "invalid_request");
    city.by("").get("/oauth/token").problem(405, "method_not_allowed");
}

fn a_token_is_held_to_its_scopes(city: &City) {
    let (_, id, secret) = register(city, "read report", seed::CITY);
    let bearer = |scope: &str| text(&token(city, &id, &secret, scope).done(), "/access_token");
    let (read, report) = (bearer("read"), bearer("report"));
    let body = report_at(110.005, 30.005);
    with(city, &read, "GET", "/api/v1/cases", &Value::Null).done();
    let narrow = with(city, &read, "POST", "/api/v1/reports", &body);
    assert_eq!(narrow.header("www-authenticate"), "Bearer error=\"insufficient_scope\"");
    assert_eq!(narrow.problem(403, "insufficient_scope")["scope"], "read");
    with(city, &report, "POST", "/api/v1/reports", &body).done();
    with(city, &report, "GET", "/api/v1/cases", &Value::Null).problem(403, "insufficient_scope");
    // No scope lets a program do anything to its own account, or make itself secrets.
    let own = format!("/api/v1/clients/{}/secrets", id.split('.').nth(1).unwrap());
    for path in ["/api/v1/me/wechat", "/api/v1/me/second_factor/enrol", "/api/v1/auth/logout", &own]
    {
        with(city, &report, "POST", path, &json!({})).problem(403, "insufficient_scope");
    }
    // No scope gives what the role does not allow.
    let both = bearer("read report");
    with(city, &both, "GET", "/api/v1/people", &Value::Null).problem(403, "not_permitted");
    let file = format!("/api/v1/reports/{}/file", city.received());
    assert!((403..=404).contains(&with(city, &both, "POST", &file, &json!({})).status));
}

fn a_client_sees_its_areas_alone(city: &City) {
    let case = city.filed();
    let see = |area: &str| {
        let (_, id, secret) = register(city, "read", area);
        let bearer = text(&token(city, &id, &secret, "").done(), "/access_token");
        with(city, &bearer, "GET", &format!("/api/v1/cases/{case}"), &Value::Null).status
    };
    assert_eq!(see(seed::DISTRICT), 200);
    assert_eq!(see(seed::FAR_DISTRICT), 404);
}

fn an_api_key_works_by_itself(city: &City) {
    let (made, _, secret) = register(city, "read", seed::CITY);
    let path = format!("/api/v1/clients/{}/secrets", text(&made, "/id"));
    let made = city.by("admin").post(&path, &json!({ "kind": "key", "days": 10 })).done();
    let value = text(&made, "/value");
    assert!(value.starts_with("gw_"));
    with(city, &value, "GET", "/api/v1/cases", &Value::Null).done();
    let body = report_at(110.005, 30.005);
    with(city, &value, "POST", "/api/v1/reports", &body).problem(403, "insufficient_scope");
    // Each kind is good for its own purpose.
    with(city, &secret, "GET", "/api/v1/cases", &Value::Null).problem(401, "unauthenticated");
    let cut = value.get(..value.len() - 1).unwrap();
    for wrong in [cut, &format!("{cut}~"), "gw_", &format!("gw_{}", "A".repeat(75))] {
        with(city, wrong, "GET", "/api/v1/cases", &Value::Null).problem(401, "unauthenticated");
    }
    city.advance(Duration::days(11));
    with(city, &value, "GET", "/api/v1/cases", &Value::Null).problem(401, "unauthenticated");
}

fn secrets_overlap_and_are_revoked(city: &City) {
    let (made, id, old) = register(city, "read", seed::CITY);
    let path = format!("/api/v1/clients/{}/secrets", text(&made, "/id"));
    let another = |kind: &str| city.by("admin").post(&path, &json!({ "kind": kind }));
    let second = another("secret").done();
    let new = text(&second, "/value");
    assert_eq!(another("secret").problem(422, "too_many_secrets")["max"], 2);
    let by_old = text(&token(city, &id, &old, "").done(), "/access_token");
    let by_new = text(&token(city, &id, &new, "").done(), "/access_token");
    let revoke = |id: &str| city.by("admin").post(&format!("{path}/{id}/revoke"), &json!({}));
    revoke(&text(&made, "/secrets/0/id")).done();
    error(&token(city, &id, &old, ""), 401, "invalid_client");
    // Its tokens end with it, those of the other go on.
    with(city, &by_old, "GET", "/api/v1/cases", &Value::Null).problem(401, "unauthenticated");
    with(city, &by_new, "GET", "/api/v1/cases", &Value::Null).done();
    another("secret").done();
    revoke(&key()).problem(404, "not_found");
    let api_key = another("key").done();
    let bearer = text(&api_key, "/value");
    with(city, &bearer, "GET", "/api/v1/cases", &Value::Null).done();
    revoke(&text(&api_key, "/id")).done();
    with(city, &bearer, "GET", "/api/v1/cases", &Value::Null).problem(401, "unauthenticated");
}

fn a_client_is_shut_out(city: &City) {
    let (made, id, secret) = register(city, "read", seed::CITY);
    let bearer = text(&token(city, &id, &secret, "").done(), "/access_token");
    with(city, &bearer, "GET", "/api/v1/cases", &Value::Null).done();
    let path = format!("/api/v1/clients/{}/disable", text(&made, "/id"));
    city.by("admin").post(&path, &json!({})).done();
    with(city, &bearer, "GET", "/api/v1/cases", &Value::Null).problem(401, "unauthenticated");
    error(&token(city, &id, &secret, ""), 401, "invalid_client");
}

fn a_quota_is_announced_and_kept(city: &City) {
    let mut body = vendor(city, "read", seed::CITY);
    body["per_minute"] = json!(5);
    let made = city.by("admin").post("/api/v1/clients", &body).done();
    let (id, secret) = (text(&made, "/client_id"), text(&made, "/secrets/0/value"));
    let bearer = text(&token(city, &id, &secret, "").done(), "/access_token");
    let get = || with(city, &bearer, "GET", "/api/v1/me", &Value::Null);
    let first = get();
    assert_eq!(first.header("x-ratelimit-limit"), "5");
    assert_eq!(first.header("x-ratelimit-remaining"), "4");
    assert_eq!(first.header("ratelimit-policy"), "\"client\";q=5;w=60");
    assert!(first.header("ratelimit").starts_with("\"client\";r=4;t="), "{:?}", first.headers);
    let refused = (0..6).map(|_| get()).find(|answer| answer.status == 429).expect("a limit");
    let wait: i64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=12).contains(&wait), "{wait}");
    assert_eq!(refused.header("x-ratelimit-remaining"), "0");
    refused.problem(429, "too_many_requests");
    city.advance(Duration::seconds(wait));
    get().done();
    // What people may ask is counted apart, and announced in the same way.
    let person = city.by("worker").get("/api/v1/me");
    assert!(person.header("ratelimit").starts_with("\"reads\";r="), "{:?}", person.headers);
}

fn clients_are_for_administrators_alone(city: &City) {
    let (made, _, _) = register(city, "read", seed::DISTRICT);
    let path = format!("/api/v1/clients/{}", text(&made, "/id"));
    for by in ["leader", "worker", "nobody"] {
        city.by(by).get("/api/v1/clients").problem(403, "not_permitted");
        city.by(by)
            .post("/api/v1/clients", &vendor(city, "read", seed::GRID))
            .problem(403, "not_permitted");
        assert_eq!(city.by(by).get(&path).status, 403);
    }
    // No administrator gives a program power over an area that is not theirs.
    let beyond = vendor(city, "read", seed::DISTRICT);
    city.by("far_admin").post("/api/v1/clients", &beyond).problem(403, "not_permitted");
    city.by("far_admin").post(&format!("{path}/disable"), &json!({})).problem(403, "not_permitted");
    city.by("worker@9902").get(&path).problem(404, "not_found");
    city.by("admin")
        .get(&format!("/api/v1/clients/{}", city.by("worker").id()))
        .problem(404, "not_found");
}

fn secrets_are_kept_as_digests(city: &City) {
    let (_, _, secret) = register(city, "read", seed::CITY);
    let shown = if city.database.url.starts_with("sqlite") {
        "select hex(digest) as line from client_secrets"
    } else {
        "select encode(digest, 'hex') as line from client_secrets"
    };
    let rows = persistence::probe::lines(&city.database.url, shown).unwrap();
    let hex: Vec<_> = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    assert!(rows.len() == 1 && rows[0].len() == 64 && !rows[0].contains(&hex.concat()));
    let journal =
        persistence::probe::lines(&city.database.url, "select events as line from journal");
    assert!(journal.unwrap().iter().all(|line| !line.contains("gws_")));
}

fn libraries_find_their_way(city: &City) {
    let found = city.by("").get("/.well-known/oauth-authorization-server").done();
    let endpoint = text(&found, "/token_endpoint");
    assert_eq!(endpoint, format!("{}/oauth/token", text(&found, "/issuer")));
    assert_eq!(found["grant_types_supported"], json!(["client_credentials"]));
    assert_eq!(found["scopes_supported"], json!(["read", "report"]));
}
