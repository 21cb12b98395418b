//! Access tokens: short-lived, signed, never stored.
//!
//! An access token is a JWT (EdDSA, Ed25519) that names person, tenant and session; the public
//! half of its key is at `/.well-known/jwks.json`. It cannot be taken back, so it is short, and
//! every request checks whether its session has ended. A verified token is cached under its digest,
//! so that a repeated token costs a hash.

use actix_web::http::header::WWW_AUTHENTICATE;
use domain::{
    Instant,
    core::{
        id::{PersonId, TenantId},
        journal::Hash,
    },
};
use jsonwebtoken::{
    Algorithm, Header, Validation, decode, decode_header, encode, errors::ErrorKind,
};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    app::scope::Scopes,
    http::problem::{Code, Problem, Reply},
};

pub use crate::app::signing_keys::{SigningKey, SigningKeys};
/// The audience of access tokens: this API and nothing else.
pub const AUDIENCE: &str = "gridwhistle-api";

/// The issuer of access tokens, where no public address is configured.
pub const ISSUER: &str = "gridwhistle";

/// The most bytes of a token.
pub const MAX_LENGTH: usize = 2048;

/// The claims of an access token.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Claims {
    /// The person or program it was issued to.
    pub sub: PersonId,
    /// The tenant it is valid in.
    pub tid: TenantId,
    /// The session it belongs to, and ends with.
    pub sid: Uuid,
    /// When it was issued, in seconds.
    pub iat: i64,
    /// From when on it is refused, in seconds.
    pub exp: i64,
    /// The scopes of a program's token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scopes>,
}

/// The claims with those that are the same for every token.
#[derive(Serialize, Deserialize)]
struct Wire<T> {
    iss: T,
    aud: T,
    #[serde(flatten)]
    claims: Claims,
}

/// Why an access token was not accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// There is none.
    Missing,
    /// It is too long to be one.
    TooLong,
    /// It is not made like one.
    Malformed,
    /// It is signed by another algorithm, or not at all.
    Algorithm,
    /// It names a key that never signed here, or is retired.
    Key,
    /// Its signature is wrong.
    Signature,
    /// Its issuer is another server.
    Issuer,
    /// It was made for another audience.
    Audience,
    /// The request came after its `exp`.
    Expired,
    /// Its session has ended.
    Ended,
}

impl Fault {
    /// The stable machine code.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::TooLong => "too_long",
            Self::Malformed => "malformed",
            Self::Algorithm => "wrong_algorithm",
            Self::Key => "unknown_key",
            Self::Signature => "wrong_signature",
            Self::Issuer => "wrong_issuer",
            Self::Audience => "wrong_audience",
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
                "The request has no access token; log in and send the token in the Authorization: \
                 Bearer header.",
                "Bearer",
            ),
            Fault::TooLong
            | Fault::Malformed
            | Fault::Algorithm
            | Fault::Key
            | Fault::Signature
            | Fault::Issuer
            | Fault::Audience => (
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
                "登录已结束（已退出、被收回、长期未用，或密码已重置）；请重新登录。",
                "The login has ended (logged out, revoked, unused for long, or the password was \
                 reset); log in again.",
                "Bearer error=\"invalid_token\"",
            ),
        };
        Self::new(Code::Unauthenticated)
            .detail(zh, en)
            .with("reason", fault.name())
            .header(WWW_AUTHENTICATE, challenge)
    }
}

/// Signs and verifies access tokens.
pub struct Keys {
    signing: SigningKeys,
    issuer: String,
    validation: Validation,
    /// Tokens that were verified, by their digest, with the key that signed them.
    known: Cache<[u8; 32], (Claims, Uuid)>,
}

impl Keys {
    /// How many verified tokens are remembered; one takes some 200 bytes.
    const KNOWN: usize = 50_000;

    /// With the keys of `signing`, for tokens of `issuer`.
    pub fn new(signing: SigningKeys, issuer: &str) -> Self {
        let mut validation = Validation::new(Algorithm::EdDSA);
        // Time is checked with the request's clock, below.
        validation.validate_exp = false;
        validation.set_required_spec_claims(&["aud", "iss"]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[issuer]);
        Self { signing, issuer: issuer.to_owned(), validation, known: Cache::new(Self::KNOWN) }
    }

    /// The keys that sign tokens and verify them.
    pub const fn signing_keys(&self) -> &SigningKeys {
        &self.signing
    }

    /// The `iss` of every token: the public address, or [`ISSUER`].
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Signs a token with the key in use when it was issued.
    pub fn issue_token(&self, claims: &Claims) -> Reply<String> {
        let none = || Problem::new(Code::Internal).because("no key signs tokens");
        let key = self.signing.signing_key_at(claims.iat).ok_or_else(none)?;
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(key.kid.clone());
        let wire = Wire { iss: self.issuer.as_str(), aud: AUDIENCE, claims: *claims };
        encode(&header, &wire, &key.sign).map_err(|e| Problem::new(Code::Internal).because(e))
    }

    /// The claims of a token, when this installation signed it and it has not expired.
    pub fn verify_token(&self, token: &str, now: Instant) -> Result<Claims, Fault> {
        if token.len() > MAX_LENGTH {
            return Err(Fault::TooLong);
        }
        let digest = Hash::digest(token.as_bytes()).0;
        let (claims, key) = match self.known.get(&digest) {
            Some(known) => known,
            None => self.check_signature(token)?,
        };
        if !self.signing.accepts_key(key, now) {
            return Err(Fault::Key);
        }
        if now.timestamp() >= claims.exp {
            return Err(Fault::Expired);
        }
        self.known.insert(digest, (claims, key));
        Ok(claims)
    }

    fn check_signature(&self, token: &str) -> Result<(Claims, Uuid), Fault> {
        let header = decode_header(token).map_err(|error| classify_error(error.kind()))?;
        if header.alg != Algorithm::EdDSA {
            return Err(Fault::Algorithm);
        }
        let key = header.kid.and_then(|kid| self.signing.find_by_kid(&kid)).ok_or(Fault::Key)?;
        let decoded = decode::<Wire<String>>(token, &key.check, &self.validation);
        let claims = decoded.map_err(|error| classify_error(error.kind()))?.claims.claims;
        Ok((claims, key.id))
    }
}

/// An error this version of the library's interface does not know is the token's fault, too.
#[expect(clippy::wildcard_enum_match_arm, reason = "the kinds of errors may grow")]
fn classify_error(kind: &ErrorKind) -> Fault {
    match kind {
        ErrorKind::InvalidSignature => Fault::Signature,
        ErrorKind::InvalidIssuer => Fault::Issuer,
        ErrorKind::InvalidAudience => Fault::Audience,
        ErrorKind::InvalidAlgorithm
        | ErrorKind::InvalidAlgorithmName
        | ErrorKind::UnsupportedAlgorithm
        | ErrorKind::MissingAlgorithm => Fault::Algorithm,
        ErrorKind::MissingRequiredClaim(claim) if claim == "aud" => Fault::Audience,
        ErrorKind::MissingRequiredClaim(claim) if claim == "iss" => Fault::Issuer,
        _ => Fault::Malformed,
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Keys(…)")
    }
}

#[cfg(test)]
mod tests;
