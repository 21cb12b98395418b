//! Access tokens: signed by keys that come and go, refused with the reason when they are none.

use actix_web::rt::System;
use api::app::{
    ring::{self, Ring, SigningKey},
    token::{AUDIENCE, Claims, Keys},
};
use chrono::Duration;
use domain::core::id::{PersonId, TenantId};
use serde_json::{Value, json};

use crate::harness::{Answer, City, on_both, seed, text};

on_both! {
    every_bad_token_is_refused_with_its_reason,
    the_public_keys_are_published,
    a_rotation_logs_nobody_out,
    replicas_take_a_new_key_without_a_restart,
    a_stolen_key_is_worth_nothing_at_once,
}

fn me(city: &City, token: &str) -> Answer {
    let call = city.by("").call("GET", "/api/v1/me");
    call.header("Authorization", &format!("Bearer {token}")).send()
}

fn refused(city: &City, token: &str) -> String {
    text(&me(city, token).problem(401, "unauthenticated"), "/reason")
}

fn claims(city: &City, account: &str) -> Claims {
    let now = city.now();
    let token = city.token(account).unwrap();
    let known = city.app.keys.verify(&token, now).unwrap();
    Claims { iat: now.timestamp(), exp: now.timestamp() + 900, ..known }
}

/// The same token without its signature, with another header.
fn unsigned(city: &City, header: &Value) -> String {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    let token = city.token("worker").unwrap();
    let body = token.split('.').nth(1).unwrap();
    format!("{}.{body}.", BASE64_URL_SAFE_NO_PAD.encode(header.to_string()))
}

fn every_bad_token_is_refused_with_its_reason(city: &City) {
    let good = city.token("worker").unwrap();
    me(city, &good).done();
    let claims = claims(city, "worker");
    let issue = |claims: Claims| city.app.keys.issue(&claims).unwrap();
    let past = city.now().timestamp() - 1;
    assert_eq!(refused(city, &issue(Claims { exp: past, ..claims })), "expired");
    // A key of another server, with the name of ours or with its own.
    let jwks = city.by("").get("/.well-known/jwks.json").done();
    let kid = text(&jwks, "/keys/0/kid").parse().unwrap();
    let stranger = |id, issuer: &str| {
        let key = SigningKey::new(id, &[7; 32], city.now() - Duration::days(1), None);
        Keys::new(Ring::new(vec![key]), issuer).issue(&claims).unwrap()
    };
    assert_eq!(refused(city, &stranger(kid, "gridwhistle")), "wrong_signature");
    let nobody = stranger(api::app::clock::new_id(), "gridwhistle");
    assert_eq!(refused(city, &nobody), "unknown_key");
    let none = unsigned(city, &json!({ "alg": "none", "typ": "JWT", "kid": kid }));
    assert_eq!(refused(city, &none), "malformed");
    let symmetric = unsigned(city, &json!({ "alg": "HS256", "typ": "JWT", "kid": kid }));
    assert_eq!(refused(city, &format!("{symmetric}AAAA")), "wrong_algorithm");
    assert_eq!(refused(city, &"x".repeat(10_000)), "too_long");
    assert_eq!(refused(city, "x"), "malformed");
    // A session of another tenant, and none at all.
    let other = city.seeded().people["worker@9902"].id;
    let border = Claims { sub: PersonId(other), ..claims };
    assert_eq!(refused(city, &issue(border)), "ended");
    let nowhere = Claims { tid: TenantId(api::app::clock::new_id()), ..claims };
    assert_eq!(refused(city, &issue(nowhere)), "ended");
    let unborn = Claims { sid: api::app::clock::new_id(), ..claims };
    assert_eq!(refused(city, &issue(unborn)), "ended");
    city.by("worker").post("/api/v1/auth/logout", &json!({})).done();
    assert_eq!(refused(city, &good), "ended");
    assert_eq!(AUDIENCE, "gridwhistle-api");
}

fn the_public_keys_are_published(city: &City) {
    let answer = city.by("").get("/.well-known/jwks.json");
    assert_eq!(answer.header("cache-control"), "public, max-age=60");
    let jwks = answer.done();
    let key = &jwks["keys"][0];
    assert_eq!(
        (&key["kty"], &key["crv"], &key["alg"], &key["use"]),
        (&json!("OKP"), &json!("Ed25519"), &json!("EdDSA"), &json!("sig"))
    );
    assert_eq!((text(key, "/x").len(), jwks["keys"].as_array().unwrap().len()), (43, 1));
}

fn rotate(city: &City, at_once: bool) {
    let (store, now) = (city.store.clone(), city.now());
    let made = System::new().block_on(ring::rotate(&store, &city.app.seal, now, at_once));
    made.expect("a new key");
}

fn login(city: &City) -> String {
    let body = json!({ "tenant": seed::CITY, "account": "worker", "password": seed::PASSWORD });
    text(&city.by("").post("/api/v1/auth/login", &body).done(), "/access_token")
}

fn kid(token: &str) -> String {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    let head = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    text(&serde_json::from_slice(&head).unwrap(), "/kid")
}

fn a_rotation_logs_nobody_out(city: &City) {
    let old = login(city);
    rotate(city, false);
    // The new key is shown before it signs.
    let same = login(city);
    assert_eq!(kid(&old), kid(&same));
    let looked = System::new().block_on(city.app.keys.ring().refresh(&city.store, &city.app.seal));
    looked.unwrap();
    let jwks = city.by("").get("/.well-known/jwks.json").done();
    assert_eq!(jwks["keys"].as_array().unwrap().len(), 2);
    city.advance(Duration::minutes(3));
    let new = login(city);
    assert_ne!(kid(&old), kid(&new));
    me(city, &old).done();
    me(city, &new).done();
    city.by("worker").get("/api/v1/me").done();
    // Long after, the old one is gone from the list, and the next rotation wipes its secret.
    city.advance(Duration::hours(25));
    let jwks = city.by("").get("/.well-known/jwks.json").done();
    assert_eq!(jwks["keys"].as_array().unwrap().len(), 1);
    city.by("worker").get("/api/v1/me").done();
}

fn replicas_take_a_new_key_without_a_restart(city: &City) {
    let replica = System::new().block_on(async {
        let settings = crate::harness::settings(&city.database.url);
        api::app::state::App::open(settings, city.clock()).await.expect("another replica")
    });
    rotate(city, true);
    System::new().block_on(replica.keys.ring().refresh(&replica.store, &replica.seal)).unwrap();
    let claims = claims(city, "worker@9902");
    let token = replica.keys.issue(&claims).unwrap();
    // A replica that did not see the key yet looks for it when a token names it.
    me(city, &token).done();
    replica.store.close();
}

fn a_stolen_key_is_worth_nothing_at_once(city: &City) {
    let stolen = login(city);
    rotate(city, true);
    let fresh = System::new().block_on(city.app.keys.ring().refresh(&city.store, &city.app.seal));
    fresh.unwrap();
    assert_eq!(refused(city, &stolen), "unknown_key");
    // The login itself goes on: the refresh token is no JWT.
    city.advance(Duration::seconds(1));
    city.by("worker").get("/api/v1/me").done();
}
