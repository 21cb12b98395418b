//! Programs: registered, given tokens by the standard, limited to scopes, areas and quotas, and
//! disabled.

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::Duration;
use serde_json::{Value, json};

use crate::harness::{Answer, City, new_key, on_both, read_text, read_texts, report_body_at, seed};

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

fn client_body(city: &City, scopes: &str, area: &str) -> Value {
    json!({ "name": "12345 热线平台", "scopes": scopes, "area_ids": [city.area_id(area)] })
}

/// A new client: the view, `client_id` and its secret.
fn register_client(city: &City, scopes: &str, area: &str) -> (Value, String, String) {
    let made = city
        .client("admin")
        .post("/api/v1/clients", &client_body(city, scopes, area))
        .expect_success();
    let (id, secret) = (read_text(&made, "/client_id"), read_text(&made, "/secrets/0/value"));
    (made, id, secret)
}

fn request_token(city: &City, form: &[(&str, &str)], basic: Option<(&str, &str)>) -> Answer {
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let call = city.client("").call("POST", "/oauth/token").without_header("Idempotency-Key");
    let call = call.header("Content-Type", "application/x-www-form-urlencoded").bytes(form);
    match basic {
        Some((id, secret)) => {
            let pair = BASE64_STANDARD.encode(format!("{id}:{secret}"));
            call.header("Authorization", &format!("Basic {pair}")).send()
        }
        None => call.send(),
    }
}

fn request_client_token(city: &City, id: &str, secret: &str, scope: &str) -> Answer {
    request_token(
        city,
        &[("grant_type", "client_credentials"), ("scope", scope)],
        Some((id, secret)),
    )
}

fn send_as(city: &City, bearer: &str, method: &str, path: &str, body: &Value) -> Answer {
    let call =
        city.client("").call(method, path).header("Authorization", &format!("Bearer {bearer}"));
    call.json(body).send()
}

/// An error in the form of RFC 6749.
#[track_caller]
fn expect_oauth_error(answer: &Answer, status: u16, error: &str) {
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
    let (key, body) = (new_key(), client_body(city, "read report", seed::DISTRICT));
    let made = city.client("admin").post_as(&key, "/api/v1/clients", &body);
    assert_eq!(made.status, 201);
    let place = made.header("location").to_owned();
    let made = made.expect_success();
    assert!(read_text(&made, "/secrets/0/value").starts_with("gws_"));
    assert_eq!(made["grants"][0]["role"], "integrator");
    // A retry does not show the secret again.
    let again = city.client("admin").post_as(&key, "/api/v1/clients", &body).expect_success();
    assert_eq!((&again["id"], &again["secrets"][0]["value"]), (&made["id"], &Value::Null));
    let shown = city.client("admin").get(&place).expect_success();
    assert_eq!(shown["secrets"].as_array().unwrap().len(), 1);
    assert_eq!(
        read_texts(&city.client("admin").get("/api/v1/clients").expect_success(), "/name"),
        ["12345 热线平台"]
    );
    // No one logs in as a program.
    let people = city.client("admin").get("/api/v1/people?limit=100").expect_success();
    let account = people["items"].as_array().unwrap().iter().find(|one| one["id"] == made["id"]);
    let login =
        json!({ "tenant": seed::CITY, "account": account.unwrap()["account"], "password": "x" });
    city.client("").post("/api/v1/auth/login", &login).expect_problem(401, "credentials_invalid");
    for (body, pointer) in [
        (json!({ "name": "x", "scopes": "", "area_ids": [city.area_id(seed::CITY)] }), "/scopes"),
        (
            json!({ "name": "x", "scopes": "admin", "area_ids": [city.area_id(seed::CITY)] }),
            "/scopes",
        ),
        (json!({ "name": "x", "scopes": "read", "area_ids": [] }), "/area_ids"),
        (
            json!({ "name": "x", "scopes": "read", "area_ids": [city.area_id(seed::CITY)], "days": 0 }),
            "/days",
        ),
        (
            json!({ "name": "x", "scopes": "read", "area_ids": [city.area_id(seed::CITY)], "per_minute": 0 }),
            "/per_minute",
        ),
    ] {
        city.client("admin").post("/api/v1/clients", &body).expect_fault(pointer);
    }
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn a_client_gets_a_token_by_the_standard(city: &City) {
    let (_, id, secret) = register_client(city, "read report", seed::CITY);
    let answer = request_client_token(city, &id, &secret, "");
    assert_eq!(answer.header("cache-control"), "no-store");
    let got = answer.expect_success();
    assert_eq!((&got["token_type"], &got["expires_in"]), (&json!("Bearer"), &json!(900)));
    assert_eq!(got["scope"], "read report");
    assert_eq!(got["refresh_token"], Value::Null);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", id.as_str()),
        ("client_secret", secret.as_str()),
        ("scope", "read"),
    ];
    let narrow = request_token(city, &form, None).expect_success();
    assert_eq!(narrow["scope"], "read");
    let bearer = read_text(&narrow, "/access_token");
    send_as(city, &bearer, "GET", "/api/v1/cases", &Value::Null).expect_success();
    let shown =
        city.client("admin").get(&format!("/api/v1/clients/{}", id.split('.').nth(1).unwrap()));
    assert_ne!(shown.expect_success()["secrets"][0]["used_at"], Value::Null);
    city.advance(Duration::minutes(16));
    let late = send_as(city, &bearer, "GET", "/api/v1/cases", &Value::Null);
    assert_eq!(late.expect_problem(401, "unauthenticated")["reason"], "expired");
}

fn errors_are_those_of_the_standard(city: &City) {
    let (_, id, secret) = register_client(city, "read", seed::CITY);
    let credentials = Some((id.as_str(), secret.as_str()));
    expect_oauth_error(&request_token(city, &[], credentials), 400, "invalid_request");
    expect_oauth_error(
        &request_token(city, &[("grant_type", "password")], credentials),
        400,
        "unsupported_grant_type",
    );
    let twice = [("grant_type", "client_credentials"), ("grant_type", "client_credentials")];
    expect_oauth_error(&request_token(city, &twice, credentials), 400, "invalid_request");
    let both = [("grant_type", "client_credentials"), ("client_secret", secret.as_str())];
    expect_oauth_error(&request_token(city, &both, credentials), 400, "invalid_request");
    for scope in ["report", "read report", "admin", "READ"] {
        expect_oauth_error(&request_client_token(city, &id, &secret, scope), 400, "invalid_scope");
    }
    let other = register_client(city, "read", seed::CITY);
    for (id, secret) in [
        (id.as_str(), "wrong"),
        (id.as_str(), ""),
        ("nobody", secret.as_str()),
        (other.1.as_str(), secret.as_str()),
        ("", ""),
    ] {
        let refused = request_client_token(city, id, secret, "");
        expect_oauth_error(&refused, 401, "invalid_client");
        assert_eq!(refused.header("www-authenticate"), "Basic realm=\"gridwhistle\"");
    }
    expect_oauth_error(
        &request_token(city, &[("grant_type", "client_credentials")], None),
        401,
        "invalid_client",
    );
    let json = city.client("").post("/oauth/token", &json!({ "grant_type": "client_credentials" }));
    expect_oauth_error(&json, 400, "invalid_request");
    city.client("").get("/oauth/token").expect_problem(405, "method_not_allowed");
}

fn a_token_is_held_to_its_scopes(city: &City) {
    let (_, id, secret) = register_client(city, "read report", seed::CITY);
    let bearer = |scope: &str| {
        read_text(
            &request_client_token(city, &id, &secret, scope).expect_success(),
            "/access_token",
        )
    };
    let (read, report) = (bearer("read"), bearer("report"));
    let body = report_body_at(110.005, 30.005);
    send_as(city, &read, "GET", "/api/v1/cases", &Value::Null).expect_success();
    let narrow = send_as(city, &read, "POST", "/api/v1/reports", &body);
    assert_eq!(narrow.header("www-authenticate"), "Bearer error=\"insufficient_scope\"");
    assert_eq!(narrow.expect_problem(403, "insufficient_scope")["scope"], "read");
    send_as(city, &report, "POST", "/api/v1/reports", &body).expect_success();
    send_as(city, &report, "GET", "/api/v1/cases", &Value::Null)
        .expect_problem(403, "insufficient_scope");
    // No scope lets a program do anything to its own account, or make itself secrets.
    let own = format!("/api/v1/clients/{}/secrets", id.split('.').nth(1).unwrap());
    for path in ["/api/v1/me/wechat", "/api/v1/me/second_factor/enrol", "/api/v1/auth/logout", &own]
    {
        send_as(city, &report, "POST", path, &json!({})).expect_problem(403, "insufficient_scope");
    }
    // No scope gives what the role does not allow.
    let both = bearer("read report");
    send_as(city, &both, "GET", "/api/v1/people", &Value::Null)
        .expect_problem(403, "not_permitted");
    let file = format!("/api/v1/reports/{}/file", city.submit_report());
    assert!((403..=404).contains(&send_as(city, &both, "POST", &file, &json!({})).status));
}

fn a_client_sees_its_areas_alone(city: &City) {
    let case = city.new_filed_case();
    let see = |area: &str| {
        let (_, id, secret) = register_client(city, "read", area);
        let bearer = read_text(
            &request_client_token(city, &id, &secret, "").expect_success(),
            "/access_token",
        );
        send_as(city, &bearer, "GET", &format!("/api/v1/cases/{case}"), &Value::Null).status
    };
    assert_eq!(see(seed::DISTRICT), 200);
    assert_eq!(see(seed::FAR_DISTRICT), 404);
}

fn an_api_key_works_by_itself(city: &City) {
    let (made, _, secret) = register_client(city, "read", seed::CITY);
    let path = format!("/api/v1/clients/{}/secrets", read_text(&made, "/id"));
    let made =
        city.client("admin").post(&path, &json!({ "kind": "key", "days": 10 })).expect_success();
    let value = read_text(&made, "/value");
    assert!(value.starts_with("gw_"));
    send_as(city, &value, "GET", "/api/v1/cases", &Value::Null).expect_success();
    let body = report_body_at(110.005, 30.005);
    send_as(city, &value, "POST", "/api/v1/reports", &body)
        .expect_problem(403, "insufficient_scope");
    // Each kind is good for its own purpose.
    send_as(city, &secret, "GET", "/api/v1/cases", &Value::Null)
        .expect_problem(401, "unauthenticated");
    let cut = value.get(..value.len() - 1).unwrap();
    for wrong in [cut, &format!("{cut}~"), "gw_", &format!("gw_{}", "A".repeat(75))] {
        send_as(city, wrong, "GET", "/api/v1/cases", &Value::Null)
            .expect_problem(401, "unauthenticated");
    }
    city.advance(Duration::days(11));
    send_as(city, &value, "GET", "/api/v1/cases", &Value::Null)
        .expect_problem(401, "unauthenticated");
}

fn secrets_overlap_and_are_revoked(city: &City) {
    let (made, id, old) = register_client(city, "read", seed::CITY);
    let path = format!("/api/v1/clients/{}/secrets", read_text(&made, "/id"));
    let another = |kind: &str| city.client("admin").post(&path, &json!({ "kind": kind }));
    let second = another("secret").expect_success();
    let new = read_text(&second, "/value");
    assert_eq!(another("secret").expect_problem(422, "too_many_secrets")["max"], 2);
    let by_old =
        read_text(&request_client_token(city, &id, &old, "").expect_success(), "/access_token");
    let by_new =
        read_text(&request_client_token(city, &id, &new, "").expect_success(), "/access_token");
    let revoke = |id: &str| city.client("admin").post(&format!("{path}/{id}/revoke"), &json!({}));
    revoke(&read_text(&made, "/secrets/0/id")).expect_success();
    expect_oauth_error(&request_client_token(city, &id, &old, ""), 401, "invalid_client");
    // Its tokens end with it, those of the other go on.
    send_as(city, &by_old, "GET", "/api/v1/cases", &Value::Null)
        .expect_problem(401, "unauthenticated");
    send_as(city, &by_new, "GET", "/api/v1/cases", &Value::Null).expect_success();
    another("secret").expect_success();
    revoke(&new_key()).expect_problem(404, "not_found");
    let api_key = another("key").expect_success();
    let bearer = read_text(&api_key, "/value");
    send_as(city, &bearer, "GET", "/api/v1/cases", &Value::Null).expect_success();
    revoke(&read_text(&api_key, "/id")).expect_success();
    send_as(city, &bearer, "GET", "/api/v1/cases", &Value::Null)
        .expect_problem(401, "unauthenticated");
}

fn a_client_is_shut_out(city: &City) {
    let (made, id, secret) = register_client(city, "read", seed::CITY);
    let bearer =
        read_text(&request_client_token(city, &id, &secret, "").expect_success(), "/access_token");
    send_as(city, &bearer, "GET", "/api/v1/cases", &Value::Null).expect_success();
    let path = format!("/api/v1/clients/{}/disable", read_text(&made, "/id"));
    city.client("admin").post(&path, &json!({})).expect_success();
    send_as(city, &bearer, "GET", "/api/v1/cases", &Value::Null)
        .expect_problem(401, "unauthenticated");
    expect_oauth_error(&request_client_token(city, &id, &secret, ""), 401, "invalid_client");
}

fn a_quota_is_announced_and_kept(city: &City) {
    let mut body = client_body(city, "read", seed::CITY);
    body["per_minute"] = json!(5);
    let made = city.client("admin").post("/api/v1/clients", &body).expect_success();
    let (id, secret) = (read_text(&made, "/client_id"), read_text(&made, "/secrets/0/value"));
    let bearer =
        read_text(&request_client_token(city, &id, &secret, "").expect_success(), "/access_token");
    let get = || send_as(city, &bearer, "GET", "/api/v1/me", &Value::Null);
    let first = get();
    assert_eq!(first.header("x-ratelimit-limit"), "5");
    assert_eq!(first.header("x-ratelimit-remaining"), "4");
    assert_eq!(first.header("ratelimit-policy"), "\"client\";q=5;w=60");
    assert!(first.header("ratelimit").starts_with("\"client\";r=4;t="), "{:?}", first.headers);
    let refused = (0..6).map(|_| get()).find(|answer| answer.status == 429).expect("a limit");
    let wait: i64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=12).contains(&wait), "{wait}");
    assert_eq!(refused.header("x-ratelimit-remaining"), "0");
    refused.expect_problem(429, "too_many_requests");
    city.advance(Duration::seconds(wait));
    get().expect_success();
    // Requests of people are counted apart, and announced in the same way.
    let person = city.client("worker").get("/api/v1/me");
    assert!(person.header("ratelimit").starts_with("\"reads\";r="), "{:?}", person.headers);
}

fn clients_are_for_administrators_alone(city: &City) {
    let (made, _, _) = register_client(city, "read", seed::DISTRICT);
    let path = format!("/api/v1/clients/{}", read_text(&made, "/id"));
    for by in ["leader", "worker", "nobody"] {
        city.client(by).get("/api/v1/clients").expect_problem(403, "not_permitted");
        city.client(by)
            .post("/api/v1/clients", &client_body(city, "read", seed::GRID))
            .expect_problem(403, "not_permitted");
        assert_eq!(city.client(by).get(&path).status, 403);
    }
    // No administrator gives a program power over an area that is not theirs.
    let beyond = client_body(city, "read", seed::DISTRICT);
    city.client("far_admin").post("/api/v1/clients", &beyond).expect_problem(403, "not_permitted");
    city.client("far_admin")
        .post(&format!("{path}/disable"), &json!({}))
        .expect_problem(403, "not_permitted");
    city.client("worker@9902").get(&path).expect_problem(404, "not_found");
    city.client("admin")
        .get(&format!("/api/v1/clients/{}", city.client("worker").id()))
        .expect_problem(404, "not_found");
}

fn secrets_are_kept_as_digests(city: &City) {
    let (_, _, secret) = register_client(city, "read", seed::CITY);
    let shown = if city.database.url.starts_with("sqlite") {
        "select hex(digest) as line from client_secrets"
    } else {
        "select encode(digest, 'hex') as line from client_secrets"
    };
    let rows = persistence::probe::query_lines(&city.database.url, shown).unwrap();
    let hex: Vec<_> = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    assert!(rows.len() == 1 && rows[0].len() == 64 && !rows[0].contains(&hex.concat()));
    let journal =
        persistence::probe::query_lines(&city.database.url, "select events as line from journal");
    assert!(journal.unwrap().iter().all(|line| !line.contains("gws_")));
}

fn libraries_find_their_way(city: &City) {
    let found = city.client("").get("/.well-known/oauth-authorization-server").expect_success();
    let endpoint = read_text(&found, "/token_endpoint");
    assert_eq!(endpoint, format!("{}/oauth/token", read_text(&found, "/issuer")));
    assert_eq!(found["grant_types_supported"], json!(["client_credentials"]));
    assert_eq!(found["scopes_supported"], json!(["read", "report"]));
}
