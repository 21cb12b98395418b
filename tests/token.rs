//! Access tokens: signed by rotating keys, refused with the reason when they are invalid.

use actix_web::rt::System;
use api::app::{
    signing_keys::{self, SigningKey, SigningKeys},
    token::{AUDIENCE, Claims, Keys},
};
use chrono::Duration;
use domain::core::id::{PersonId, TenantId};
use serde_json::{Value, json};

use crate::harness::{Answer, City, on_both, read_text, seed};

on_both! {
    every_bad_token_is_refused_with_its_reason,
    the_public_keys_are_published,
    a_rotation_logs_nobody_out,
    replicas_take_a_new_key_without_a_restart,
    a_stolen_key_is_worth_nothing_at_once,
}

fn get_me(city: &City, token: &str) -> Answer {
    let call = city.client("").call("GET", "/api/v1/me");
    call.header("Authorization", &format!("Bearer {token}")).send()
}

fn expect_refusal(city: &City, token: &str) -> String {
    read_text(&get_me(city, token).expect_problem(401, "unauthenticated"), "/reason")
}

fn token_claims(city: &City, account: &str) -> Claims {
    let now = city.now();
    let token = city.access_token(account).unwrap();
    let known = city.app.keys.verify_token(&token, now).unwrap();
    Claims { iat: now.timestamp(), exp: now.timestamp() + 900, ..known }
}

/// The same token without its signature, with another header.
fn strip_signature(city: &City, header: &Value) -> String {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    let token = city.access_token("worker").unwrap();
    let body = token.split('.').nth(1).unwrap();
    format!("{}.{body}.", BASE64_URL_SAFE_NO_PAD.encode(header.to_string()))
}

fn every_bad_token_is_refused_with_its_reason(city: &City) {
    let good = city.access_token("worker").unwrap();
    get_me(city, &good).expect_success();
    let claims = token_claims(city, "worker");
    let issue = |claims: Claims| city.app.keys.issue_token(&claims).unwrap();
    let past = city.now().timestamp() - 1;
    assert_eq!(expect_refusal(city, &issue(Claims { exp: past, ..claims })), "expired");
    // A key of another server, with the name of ours or with its own.
    let jwks = city.client("").get("/.well-known/jwks.json").expect_success();
    let kid = read_text(&jwks, "/keys/0/kid").parse().unwrap();
    let stranger = |id, issuer: &str| {
        let key = SigningKey::new(id, &[7; 32], city.now() - Duration::days(1), None);
        Keys::new(SigningKeys::new(vec![key]), issuer).issue_token(&claims).unwrap()
    };
    assert_eq!(expect_refusal(city, &stranger(kid, "gridwhistle")), "wrong_signature");
    let nobody = stranger(api::app::clock::new_id(), "gridwhistle");
    assert_eq!(expect_refusal(city, &nobody), "unknown_key");
    let none = strip_signature(city, &json!({ "alg": "none", "typ": "JWT", "kid": kid }));
    assert_eq!(expect_refusal(city, &none), "malformed");
    let symmetric = strip_signature(city, &json!({ "alg": "HS256", "typ": "JWT", "kid": kid }));
    assert_eq!(expect_refusal(city, &format!("{symmetric}AAAA")), "wrong_algorithm");
    assert_eq!(expect_refusal(city, &"x".repeat(10_000)), "too_long");
    assert_eq!(expect_refusal(city, "x"), "malformed");
    // A session of another tenant, and none at all.
    let other = city.seed_data().people["worker@9902"].id;
    let border = Claims { sub: PersonId(other), ..claims };
    assert_eq!(expect_refusal(city, &issue(border)), "ended");
    let nowhere = Claims { tid: TenantId(api::app::clock::new_id()), ..claims };
    assert_eq!(expect_refusal(city, &issue(nowhere)), "ended");
    let unborn = Claims { sid: api::app::clock::new_id(), ..claims };
    assert_eq!(expect_refusal(city, &issue(unborn)), "ended");
    city.client("worker").post("/api/v1/auth/logout", &json!({})).expect_success();
    assert_eq!(expect_refusal(city, &good), "ended");
    assert_eq!(AUDIENCE, "gridwhistle-api");
}

fn the_public_keys_are_published(city: &City) {
    let answer = city.client("").get("/.well-known/jwks.json");
    assert_eq!(answer.header("cache-control"), "public, max-age=60");
    let jwks = answer.expect_success();
    let key = &jwks["keys"][0];
    assert_eq!(
        (&key["kty"], &key["crv"], &key["alg"], &key["use"]),
        (&json!("OKP"), &json!("Ed25519"), &json!("EdDSA"), &json!("sig"))
    );
    assert_eq!((read_text(key, "/x").len(), jwks["keys"].as_array().unwrap().len()), (43, 1));
}

fn rotate_key(city: &City, at_once: bool) {
    let (store, now) = (city.store.clone(), city.now());
    let made =
        System::new().block_on(signing_keys::rotate_keys(&store, &city.app.seal, now, at_once));
    made.expect("a new key");
}

fn log_in(city: &City) -> String {
    let body = json!({ "tenant": seed::CITY, "account": "worker", "password": seed::PASSWORD });
    read_text(&city.client("").post("/api/v1/auth/login", &body).expect_success(), "/access_token")
}

fn read_kid(token: &str) -> String {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    let head = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    read_text(&serde_json::from_slice(&head).unwrap(), "/kid")
}

fn a_rotation_logs_nobody_out(city: &City) {
    let old = log_in(city);
    rotate_key(city, false);
    // The new key is published before it signs.
    let same = log_in(city);
    assert_eq!(read_kid(&old), read_kid(&same));
    let looked =
        System::new().block_on(city.app.keys.signing_keys().refresh(&city.store, &city.app.seal));
    looked.unwrap();
    let jwks = city.client("").get("/.well-known/jwks.json").expect_success();
    assert_eq!(jwks["keys"].as_array().unwrap().len(), 2);
    city.advance(Duration::minutes(3));
    let new = log_in(city);
    assert_ne!(read_kid(&old), read_kid(&new));
    get_me(city, &old).expect_success();
    get_me(city, &new).expect_success();
    city.client("worker").get("/api/v1/me").expect_success();
    // Long after, the old one is gone from the list, and the next rotation wipes its secret.
    city.advance(Duration::hours(25));
    let jwks = city.client("").get("/.well-known/jwks.json").expect_success();
    assert_eq!(jwks["keys"].as_array().unwrap().len(), 1);
    city.client("worker").get("/api/v1/me").expect_success();
}

fn replicas_take_a_new_key_without_a_restart(city: &City) {
    let replica = System::new().block_on(async {
        let settings = crate::harness::build_settings(&city.database.url);
        api::app::state::App::open(settings, city.clock()).await.expect("another replica")
    });
    rotate_key(city, true);
    System::new()
        .block_on(replica.keys.signing_keys().refresh(&replica.store, &replica.seal))
        .unwrap();
    let claims = token_claims(city, "worker@9902");
    let token = replica.keys.issue_token(&claims).unwrap();
    // A replica that did not see the key yet looks for it when a token names it.
    get_me(city, &token).expect_success();
    replica.store.close();
}

fn a_stolen_key_is_worth_nothing_at_once(city: &City) {
    let stolen = log_in(city);
    rotate_key(city, true);
    let fresh =
        System::new().block_on(city.app.keys.signing_keys().refresh(&city.store, &city.app.seal));
    fresh.unwrap();
    assert_eq!(expect_refusal(city, &stolen), "unknown_key");
    // The login itself goes on: the refresh token is no JWT.
    city.advance(Duration::seconds(1));
    city.client("worker").get("/api/v1/me").expect_success();
}
