//! The public keys that access tokens are verified with, over HTTP.

use actix_web::{HttpResponse, get, http::header, web::Data};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::state::App,
    http::{problem::Reply, register::ServiceConfig},
};

/// Registers the operation of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list_signing_keys);
}

/// A key of a JSON Web Key Set (RFC 7517, RFC 8037).
#[derive(Serialize, ToSchema)]
pub struct JwkView {
    /// The type of the key: always `OKP`.
    kty: &'static str,
    /// The curve of the key: always `Ed25519`.
    crv: &'static str,
    /// What the key signs with: always `EdDSA`.
    alg: &'static str,
    /// What the key is for: always `sig`.
    #[serde(rename = "use")]
    usage: &'static str,
    /// The key id, which tokens name in their header.
    kid: String,
    /// The public key.
    x: String,
}

/// The keys access tokens are verified with.
#[derive(Serialize, ToSchema)]
pub struct JwksView {
    /// The newest first, including one that does not sign yet.
    keys: Vec<JwkView>,
}

/// Lists the public keys access tokens are signed with.
///
/// 访问令牌的公钥（JWKS），供网关和其他系统验签；轮换时新旧并存。
#[utoipa::path(tag = "auth", security(()), responses((status = 200, body = JwksView)))]
#[get("/.well-known/jwks.json")]
async fn list_signing_keys(app: Data<App>) -> Reply<HttpResponse> {
    let now = app.clock.now();
    let keys = app.keys.signing_keys().keys();
    let live = keys.iter().filter(|key| key.until.is_none_or(|until| now < until));
    let keys = live.map(|key| JwkView {
        kty: "OKP",
        crv: "Ed25519",
        alg: "EdDSA",
        usage: "sig",
        kid: key.kid.clone(),
        x: BASE64_URL_SAFE_NO_PAD.encode(key.public),
    });
    let view = JwksView { keys: keys.collect() };
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "public, max-age=60")).json(view))
}
