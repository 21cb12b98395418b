//! Identity tokens of OpenID Connect: signed by the provider, for us, now, and for this login.

use domain::Instant;
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header, errors::ErrorKind, jwk::Jwk,
};
use serde_json::Value;

/// How far the provider's clock may be off, in seconds.
const LEEWAY: i64 = 60;

/// The most bytes of an identity token.
const MAX_LENGTH: usize = 16 * 1024;

/// The accepted algorithms: all with a public key, so that nothing this server knows can sign.
const ALGORITHMS: &[Algorithm] = &[
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// What a token must contain.
pub struct Expected<'a> {
    /// The identifier of the provider, which must be its `iss`.
    pub issuer: &'a str,
    /// Our client id at the provider, which must be in its `aud`.
    pub client_id: &'a str,
    /// The nonce of the login the token was requested in.
    pub nonce: &'a str,
    /// The present time, which its `exp`, `iat` and `nbf` are compared with.
    pub now: Instant,
}

/// The key id a token names; empty when it names none.
pub fn parse_key_id(token: &str) -> Result<String, &'static str> {
    if token.len() > MAX_LENGTH {
        return Err("too_long");
    }
    let header = decode_header(token).map_err(|_malformed| "malformed")?;
    if !ALGORITHMS.contains(&header.alg) {
        return Err("wrong_algorithm");
    }
    Ok(header.kid.unwrap_or_default())
}

/// The claims of a token, when it is valid for this login.
pub fn verify(token: &str, key: &Jwk, expected: &Expected<'_>) -> Result<Value, &'static str> {
    let header = decode_header(token).map_err(|_malformed| "malformed")?;
    // The key decides which algorithms fit; other algorithms are refused with it.
    let key = DecodingKey::from_jwk(key).map_err(|_unfit| "unknown_key")?;
    let mut validation = Validation::new(header.alg);
    validation.validate_exp = false;
    validation.set_required_spec_claims(&["iss", "aud", "exp"]);
    validation.set_issuer(&[expected.issuer]);
    validation.set_audience(&[expected.client_id]);
    let claims =
        decode::<Value>(token, &key, &validation).map_err(|error| classify_error(error.kind()))?;
    let claims = claims.claims;
    let number = |name: &str| claims.get(name).and_then(Value::as_f64);
    let now = expected.now.timestamp();
    let seconds = |at: f64| at.is_finite().then_some(at);
    let later =
        |at: Option<f64>, by: i64| at.and_then(seconds).is_some_and(|at| at > as_float(now + by));
    if !later(number("exp"), -LEEWAY) {
        return Err("expired");
    }
    if later(number("iat"), LEEWAY) || later(number("nbf"), LEEWAY) {
        return Err("not_yet_valid");
    }
    if claims.get("nonce").and_then(Value::as_str) != Some(expected.nonce) {
        return Err("wrong_nonce");
    }
    // Of several audiences one requested the token, and that must be us.
    let party = claims.get("azp").map(|party| party.as_str() == Some(expected.client_id));
    let several = claims.get("aud").and_then(Value::as_array).is_some_and(|all| all.len() > 1);
    if party == Some(false) || (several && party.is_none()) {
        return Err("wrong_audience");
    }
    Ok(claims)
}

/// Seconds since 1970 as a JSON number: exact for any date in question.
fn as_float(second: i64) -> f64 {
    let second = second.clamp(0, i64::from(u32::MAX));
    f64::from(u32::try_from(second).unwrap_or(u32::MAX))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the kinds of errors may grow")]
fn classify_error(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidSignature => "wrong_signature",
        ErrorKind::InvalidIssuer => "wrong_issuer",
        ErrorKind::InvalidAudience => "wrong_audience",
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidKeyFormat => "wrong_algorithm",
        _ => "malformed",
    }
}
