//! Which tokens are accepted, and which are not.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::EncodingKey;
use serde_json::json;

use super::*;
use crate::app::random::derive_key_pair;

fn at(second: i64) -> Instant {
    chrono::DateTime::from_timestamp(second, 0).unwrap()
}

fn sample_claims() -> Claims {
    Claims {
        sub: PersonId(Uuid::from_u128(1)),
        tid: TenantId(Uuid::from_u128(2)),
        sid: Uuid::from_u128(3),
        iat: 1_000,
        exp: 1_900,
        scope: None,
    }
}

fn new_key(id: u128, seed: u8, from: i64, until: Option<i64>) -> SigningKey {
    SigningKey::new(Uuid::from_u128(id), &[seed; 32], at(from), until.map(at))
}

fn new_keys() -> Keys {
    Keys::new(SigningKeys::new(vec![new_key(1, 7, 0, None)]), ISSUER)
}

fn sign_token(header: &serde_json::Value, wire: &serde_json::Value, seed: u8) -> String {
    use ed25519_dalek::Signer;
    let part = |value: &serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(wire));
    let signature = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]).sign(message.as_bytes());
    format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}

#[test]
fn a_token_says_what_was_signed_until_it_is_over() {
    let keys = new_keys();
    let token = keys.issue_token(&sample_claims()).unwrap();
    // The second time the token is in the cache.
    for _ in 0..2 {
        assert_eq!(keys.verify_token(&token, at(1_899)), Ok(sample_claims()));
        assert_eq!(keys.verify_token(&token, at(1_900)), Err(Fault::Expired));
    }
    let scoped = Claims { scope: Scopes::parse("read"), ..sample_claims() };
    assert_eq!(keys.verify_token(&keys.issue_token(&scoped).unwrap(), at(1_000)), Ok(scoped));
}

#[test]
fn forged_tokens_are_refused_with_the_reason() {
    let keys = new_keys();
    let token = keys.issue_token(&sample_claims()).unwrap();
    let (head, rest) = token.split_once('.').unwrap();
    let (body, signature) = rest.split_once('.').unwrap();
    let part = |value: serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let kid = Uuid::from_u128(1).to_string();
    let header = json!({ "alg": "EdDSA", "typ": "JWT", "kid": kid });
    let wire = |change: fn(&mut serde_json::Value)| {
        let mut wire =
            serde_json::to_value(Wire { iss: ISSUER, aud: AUDIENCE, claims: sample_claims() });
        change(wire.as_mut().unwrap());
        wire.unwrap()
    };
    let good = wire(|_| ());
    assert_eq!(keys.verify_token(&sign_token(&header, &good, 7), at(1_000)), Ok(sample_claims()));
    // The public key is no secret: a server that used it as a symmetric key would accept this.
    let public = derive_key_pair(&[7; 32]).2;
    let mut symmetric = Header::new(Algorithm::HS256);
    symmetric.kid = Some(kid.clone());
    let hs256 = encode(&symmetric, &good, &EncodingKey::from_secret(&public).unwrap()).unwrap();
    let none = part(json!({ "alg": "none", "typ": "JWT", "kid": kid }));
    let other = json!({ "alg": "EdDSA", "typ": "JWT", "kid": Uuid::from_u128(9).to_string() });
    let nameless = json!({ "alg": "EdDSA", "typ": "JWT" });
    let more = part(wire(|wire| wire["exp"] = json!(i64::MAX)));
    for (forged, fault) in [
        (String::new(), Fault::Malformed),
        ("a.b.c".to_owned(), Fault::Malformed),
        (format!("{none}.{body}."), Fault::Malformed),
        (format!("{none}.{body}.{signature}"), Fault::Malformed),
        (hs256, Fault::Algorithm),
        (format!("{head}.{more}.{signature}"), Fault::Signature),
        (format!("{head}.{body}"), Fault::Malformed),
        (format!("{token}x"), Fault::Malformed),
        ("x".repeat(10_000), Fault::TooLong),
        (sign_token(&header, &good, 8), Fault::Signature),
        (sign_token(&other, &good, 7), Fault::Key),
        (sign_token(&nameless, &good, 7), Fault::Key),
        (sign_token(&header, &wire(|w| w["aud"] = json!("another-api")), 7), Fault::Audience),
        (sign_token(&header, &wire(|w| w["iss"] = json!("somebody")), 7), Fault::Issuer),
        (sign_token(&header, &wire(|w| drop(w["aud"].take())), 7), Fault::Malformed),
        (sign_token(&header, &wire(|w| w["exp"] = json!("never")), 7), Fault::Malformed),
        (sign_token(&header, &wire(|w| w["scope"] = json!("everything")), 7), Fault::Malformed),
    ] {
        let refused = keys.verify_token(&forged, at(1_000));
        assert!(refused.is_err(), "{forged}");
        assert_eq!(refused, Err(fault), "{forged}");
    }
}

#[test]
fn a_rotation_logs_nobody_out() {
    let ring = SigningKeys::new(vec![new_key(1, 7, 0, Some(5_000)), new_key(2, 8, 1_500, None)]);
    let keys = Keys::new(ring, ISSUER);
    let kid = |token: &str| decode_header(token).unwrap().kid.unwrap();
    let old = keys.issue_token(&sample_claims()).unwrap();
    let new = keys.issue_token(&Claims { iat: 1_500, exp: 9_000, ..sample_claims() }).unwrap();
    assert_eq!(kid(&old), Uuid::from_u128(1).to_string());
    assert_eq!(kid(&new), Uuid::from_u128(2).to_string());
    assert!(
        keys.verify_token(&old, at(1_600)).is_ok() && keys.verify_token(&new, at(1_600)).is_ok()
    );
    // A retired key voids what it signed, cached or not.
    let long = keys.issue_token(&Claims { exp: 9_000, ..sample_claims() }).unwrap();
    assert!(keys.verify_token(&long, at(4_999)).is_ok());
    assert_eq!(keys.verify_token(&long, at(5_000)), Err(Fault::Key));
    assert!(keys.verify_token(&new, at(5_000)).is_ok());
}
