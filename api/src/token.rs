//! Tokens: short-lived signed access tokens, and refresh tokens that only their owner knows.
//!
//! An access token is a JWT (HS256) that names person, tenant and session; it is never stored
//! and cannot be revoked, so it is short. A refresh token is 32 random bytes, kept here only as
//! a digest, so that a stolen database opens no session.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{
    Instant,
    id::{PersonId, TenantId},
    journal::Hash,
};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use rand::{
    TryRng,
    rngs::{SysError, SysRng},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::problem::{Code, Problem, Reply};
use actix_web::http::header::WWW_AUTHENTICATE;

/// Bytes of pure chance.
pub fn random<const N: usize>() -> Result<[u8; N], SysError> {
    let mut bytes = [0; N];
    SysRng.try_fill_bytes(&mut bytes)?;
    Ok(bytes)
}

/// What an access token says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Claims {
    /// Which person.
    pub sub: PersonId,
    /// Of which tenant.
    pub tid: TenantId,
    /// In which session; it ends with the session.
    pub sid: Uuid,
    /// When it was issued, in seconds.
    pub iat: i64,
    /// From when on it is refused, in seconds.
    pub exp: i64,
}

/// Why an access token was not accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// There is none.
    Missing,
    /// It is not a token this server signed.
    Invalid,
    /// It was one.
    Expired,
    /// Its session has ended.
    Ended,
}

impl Fault {
    /// The stable machine code.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Invalid => "invalid",
            Self::Expired => "expired",
            Self::Ended => "ended",
        }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        let (zh, en, challenge) = match fault {
            Fault::Missing => (
                "请求没有带访问令牌；请先登录，并使用 Authorization: Bearer 请求头。",
                "There is no access token; log in and send it as Authorization: Bearer.",
                "Bearer",
            ),
            Fault::Invalid => (
                "访问令牌无效；请重新登录。",
                "The access token is not valid; log in again.",
                "Bearer error=\"invalid_token\"",
            ),
            Fault::Expired => (
                "访问令牌已过期；请用刷新令牌换取新的。",
                "The access token has expired; use the refresh token to get a new one.",
                "Bearer error=\"invalid_token\"",
            ),
            Fault::Ended => (
                "登录已结束（已退出，或密码已重置）；请重新登录。",
                "The session has ended (logged out, or the password was reset); log in again.",
                "Bearer error=\"invalid_token\"",
            ),
        };
        Self::new(Code::Unauthenticated)
            .detail(zh, en)
            .with("reason", fault.name())
            .header(WWW_AUTHENTICATE, challenge)
    }
}

/// The secret that signs access tokens.
pub struct Keys {
    sign: EncodingKey,
    check: DecodingKey,
    validation: Validation,
}

impl Keys {
    /// From 32 secret bytes.
    pub fn new(secret: &[u8; 32]) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        // Time is checked with the request's clock, below.
        validation.validate_exp = false;
        validation.required_spec_claims.clear();
        validation.validate_aud = false;
        Self {
            sign: EncodingKey::from_secret(secret),
            check: DecodingKey::from_secret(secret),
            validation,
        }
    }

    /// Signs a token.
    pub fn issue(&self, claims: &Claims) -> Reply<String> {
        encode(&Header::new(Algorithm::HS256), claims, &self.sign)
            .map_err(|error| Problem::new(Code::Internal).because(error))
    }

    /// What a token says, when this server signed it and it is not over.
    pub fn verify(&self, token: &str, now: Instant) -> Result<Claims, Fault> {
        const MAX_LENGTH: usize = 1024;
        if token.len() > MAX_LENGTH {
            return Err(Fault::Invalid);
        }
        let decoded = decode::<Claims>(token, &self.check, &self.validation);
        let claims = decoded.map_err(|_forged| Fault::Invalid)?.claims;
        if now.timestamp() < claims.exp { Ok(claims) } else { Err(Fault::Expired) }
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Keys(…)")
    }
}

/// A new refresh token: the text for its owner, and the digest to store.
pub fn refresh() -> Result<(String, Hash), SysError> {
    let bytes = random::<32>()?;
    Ok((BASE64_URL_SAFE_NO_PAD.encode(bytes), Hash::of(&bytes)))
}

/// The digest under which a refresh token is stored; none when it cannot be one.
pub fn refresh_digest(text: &str) -> Option<Hash> {
    const LENGTH: usize = 43;
    if text.len() != LENGTH {
        return None;
    }
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
    Some(Hash::of(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Instant {
        chrono::DateTime::from_timestamp(second, 0).unwrap()
    }

    fn claims() -> Claims {
        Claims {
            sub: PersonId(Uuid::from_u128(1)),
            tid: TenantId(Uuid::from_u128(2)),
            sid: Uuid::from_u128(3),
            iat: 1_000,
            exp: 1_900,
        }
    }

    #[test]
    fn a_token_says_what_was_signed_until_it_is_over() {
        let keys = Keys::new(&[7; 32]);
        let token = keys.issue(&claims()).unwrap();
        assert_eq!(keys.verify(&token, at(1_899)), Ok(claims()));
        assert_eq!(keys.verify(&token, at(1_900)), Err(Fault::Expired));
        assert_eq!(Keys::new(&[8; 32]).verify(&token, at(1_000)), Err(Fault::Invalid));
    }

    #[test]
    fn forged_tokens_are_refused() {
        let keys = Keys::new(&[7; 32]);
        let token = keys.issue(&claims()).unwrap();
        let (head, rest) = token.split_once('.').unwrap();
        let (body, signature) = rest.split_once('.').unwrap();
        let none = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        let strong = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"HS512","typ":"JWT"}"#);
        let other = BASE64_URL_SAFE_NO_PAD
            .encode(serde_json::to_vec(&Claims { exp: i64::MAX, ..claims() }).unwrap());
        for forged in [
            String::new(),
            "a.b.c".to_owned(),
            format!("{none}.{body}."),
            format!("{none}.{body}.{signature}"),
            format!("{strong}.{body}.{signature}"),
            format!("{head}.{other}.{signature}"),
            format!("{head}.{body}"),
            format!("{token}x"),
            "x".repeat(5_000),
        ] {
            assert_eq!(keys.verify(&forged, at(1_000)), Err(Fault::Invalid), "{forged}");
        }
    }

    #[test]
    fn only_the_digest_of_a_refresh_token_is_known_here() {
        let (text, digest) = refresh().unwrap();
        assert_eq!(refresh_digest(&text), Some(digest));
        assert_ne!(refresh().unwrap().1, digest);
        for bad in ["", "x", &text[1..], &format!("{text}A"), &"=".repeat(43)] {
            assert_eq!(refresh_digest(bad), None);
        }
    }
}
