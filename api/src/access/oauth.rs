//! OAuth 2.0 for programs: a client exchanges its secret for an access token (RFC 6749, 4.4), and
//! finds the endpoint by the document of RFC 8414. Errors are those of that standard, sent as
//! problems too.

use actix_web::{
    HttpRequest, HttpResponse, get,
    http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE},
    post,
    web::Data,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::Duration;
use domain::{
    core::id::{PersonId, TenantId},
    people::audit::AuditAction,
};
use persistence::people::{
    client::{self as clients, Client},
    session::Session,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    access::{
        client::{Presented, client_id},
        session,
    },
    app::{clock::new_id, limits, random::random_bytes, scope::Scopes, state::App, token::Claims},
    http::{
        body::StrangerBytes,
        problem::{Code, Problem, Reply},
        register::ServiceConfig,
    },
    privacy::audit::{self, Noting},
};

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(get_authorization_server).service(issue_token);
}

/// The server metadata, for libraries (RFC 8414).
#[derive(Serialize, ToSchema)]
pub struct ServerView {
    /// Who issues tokens.
    issuer: String,
    /// Where tokens are issued: a URL.
    token_endpoint: String,
    /// Where the keys are that tokens are signed with.
    jwks_uri: String,
    /// How a token may be asked for: always `client_credentials`.
    grant_types_supported: [&'static str; 1],
    /// In the header or in the form.
    token_endpoint_auth_methods_supported: [&'static str; 2],
    /// What can be asked for.
    scopes_supported: &'static [&'static str],
    /// None: there is no authorization endpoint.
    response_types_supported: [&'static str; 0],
}

/// The address of this server. What a request says about it (`Host`, `X-Forwarded-Host`) may be
/// forged by its sender, and a cache in between would serve it to others: where no address is
/// configured, it is the one this server listens at, when only this machine can reach it.
fn base_url(app: &App, request: &HttpRequest) -> Reply<String> {
    if let Some(url) = &app.settings.public_url {
        return Ok(url.clone());
    }
    let own = request.app_config().local_addr();
    if own.ip().is_loopback() {
        return Ok(format!("http://{own}"));
    }
    Err(Problem::new(Code::NotFound).detail(
        "没有配置公开地址（GRIDWHISTLE_PUBLIC_URL），无法给出元数据；令牌在 /oauth/token 换取。",
        "No public address is configured (GRIDWHISTLE_PUBLIC_URL), so no metadata can be given; \
         tokens are issued at /oauth/token.",
    ))
}

/// Shows where programs get their tokens.
///
/// OAuth 2.0 授权服务器元数据（RFC 8414）。
#[utoipa::path(tag = "clients", security(()), responses((status = 200, body = ServerView)))]
#[get("/.well-known/oauth-authorization-server")]
async fn get_authorization_server(app: Data<App>, request: HttpRequest) -> Reply<HttpResponse> {
    let base = base_url(&app, &request)?;
    Ok(HttpResponse::Ok().json(ServerView {
        token_endpoint: format!("{base}/oauth/token"),
        jwks_uri: format!("{base}/.well-known/jwks.json"),
        issuer: base,
        grant_types_supported: ["client_credentials"],
        token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post"],
        scopes_supported: Scopes::NAMES,
        response_types_supported: [],
    }))
}

/// What a client sends, as a form.
#[derive(Deserialize, ToSchema)]
pub struct TokenForm {
    /// How the token is asked for: always `client_credentials`. 授权方式。
    #[schema(example = "client_credentials")]
    pub grant_type: String,
    /// The scopes wanted; all of the client's when left out. 权限范围。
    pub scope: Option<String>,
    /// When it is not in the header. client_id。
    pub client_id: Option<String>,
    /// When it is not in the header. 密钥。
    pub client_secret: Option<String>,
}

/// An access token of a client.
#[derive(Serialize, ToSchema)]
pub struct TokenView {
    /// To be sent as `Authorization: Bearer …`. 访问令牌。
    access_token: String,
    /// How the token is sent: always `Bearer`. 令牌类型。
    token_type: &'static str,
    /// Seconds it works. 有效秒数。
    expires_in: i64,
    /// What it is limited to.
    scope: String,
}

/// An error of the standard.
fn oauth_problem(error: &'static str, description: &'static str) -> Problem {
    Problem::new(Code::TokenRefused).oauth(error, description)
}

fn unknown_client() -> Problem {
    Problem::new(Code::ClientUnknown)
        .oauth("invalid_client", "The client is unknown, or its secret is wrong or has expired.")
        .header(WWW_AUTHENTICATE, "Basic realm=\"gridwhistle\"")
}

/// Parses the form; refuses a parameter given twice, and any other format.
fn parse_form(request: &HttpRequest, body: &[u8]) -> Reply<TokenForm> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(oauth_problem(
            "invalid_request",
            "The body must be application/x-www-form-urlencoded.",
        ));
    }
    serde_urlencoded::from_bytes(body).map_err(|_malformed| {
        oauth_problem("invalid_request", "grant_type is missing, or a parameter is given twice.")
    })
}

/// Client id and secret of the `Authorization` header (RFC 6749, 2.3.1).
fn parse_basic_auth(request: &HttpRequest) -> Option<(String, String)> {
    let header = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") || rest.len() > 1024 {
        return None;
    }
    let pair = String::from_utf8(BASE64_STANDARD.decode(rest.trim()).ok()?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    let decode = |text: &str| {
        let whole = format!("x={text}");
        form_urlencoded::parse(whole.as_bytes()).next().map(|(_, text)| text.into_owned())
    };
    Some((decode(id)?, decode(secret)?))
}

/// Authenticates the client; answers it with the secret it used.
async fn authenticate_client(
    app: &App,
    request: &HttpRequest,
    (id, secret): (String, String),
) -> Reply<(TenantId, Client, Uuid)> {
    // A secret cannot be guessed; a client that has it is never delayed by those that have not.
    let (now, address) = (app.clock.now(), limits::client_address(request, app.settings.proxies));
    let counted = || app.logins.count_failure(address, now);
    let Some(given) = Presented::parse(&secret) else {
        counted()?;
        return Err(unknown_client());
    };
    let world = app.worlds.get(given.tenant).ok_or_else(unknown_client)?;
    let found = given.load_client(app, "secret").await?;
    let found = found.filter(|(client, _)| id == client_id(&world.tenant.code, client.id));
    if let Some((client, by)) = found {
        app.logins.count_frequent_attempt(&format!("token {}", client.id.0), now)?;
        return Ok((given.tenant, client, by));
    }
    counted()?;
    let tried = audit::Tried { act: AuditAction::Token, method: session::CLIENT, reason: None };
    audit::record_refusal(app, request, (given.tenant, None), tried).await?;
    Err(unknown_client())
}

/// Issues a token to a client.
///
/// 接入系统用 client_id 和密钥换取访问令牌（OAuth 2.0 client_credentials，表单提交，错误遵循 RFC 6749）。
#[utoipa::path(
    tag = "clients",
    security(()),
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = TokenView)),
)]
#[post("/oauth/token")]
async fn issue_token(
    app: Data<App>,
    request: HttpRequest,
    body: StrangerBytes,
) -> Reply<HttpResponse> {
    let TokenForm { grant_type, scope, client_id, client_secret } = parse_form(&request, &body.0)?;
    let in_header = request.headers().contains_key(AUTHORIZATION);
    let credentials = match (in_header, client_id.zip(client_secret.clone())) {
        (true, _) if client_secret.is_some() => {
            let twice = "Prove who you are once: in the header or in the form.";
            return Err(oauth_problem("invalid_request", twice));
        }
        (true, _) => parse_basic_auth(&request),
        (false, given) => given,
    };
    let credentials = credentials.ok_or_else(unknown_client)?;
    let (tenant, client, by) = authenticate_client(&app, &request, credentials).await?;
    if grant_type != "client_credentials" {
        return Err(oauth_problem(
            "unsupported_grant_type",
            "Only client_credentials is supported.",
        ));
    }
    let granted = Scopes::parse(&client.scopes).unwrap_or_default();
    let wanted = match scope.as_deref() {
        None | Some("") => Some(granted),
        Some(scope) => Scopes::parse(scope).filter(|wanted| wanted.is_subset_of(granted)),
    };
    let scopes = wanted.filter(|wanted| !wanted.is_empty());
    let scopes = scopes.ok_or_else(|| {
        oauth_problem("invalid_scope", "The client may not have one of these scopes.")
    })?;
    let view = issue_access_token(&app, &request, (tenant, client.id, by), scopes).await?;
    Ok(HttpResponse::Ok().json(view))
}

async fn issue_access_token(
    app: &App,
    request: &HttpRequest,
    (tid, sub, by): (TenantId, PersonId, Uuid),
    scopes: Scopes,
) -> Reply<TokenView> {
    let (now, sid) = (app.clock.now(), new_id());
    let expires_in = i64::from(app.settings.access_minutes) * 60;
    let session = Session {
        id: sid,
        person: sub,
        // A digest of random bytes: there is no refresh token to it.
        refresh_hash: random_bytes::<32>()?.to_vec(),
        method: session::CLIENT.to_owned(),
        device: by.to_string(),
        address: String::new(),
        created_at: now,
        used_at: now,
        expires_at: now + Duration::seconds(expires_in),
        restriction: None,
    };
    let detail = json!({ "secret": by, "scope": scopes.to_string(), "session": sid });
    let noting = Noting::of_person(app, tid, sub, request).await?;
    let note = noting.note(AuditAction::Token, Some(sub.0), &detail);
    app.store.run(clients::open_client_session(tid, session).with_note(tid, note)).await?;
    let iat = now.timestamp();
    let claims = Claims { sub, tid, sid, iat, exp: iat + expires_in, scope: Some(scopes) };
    let access_token = app.keys.issue_token(&claims)?;
    Ok(TokenView { access_token, token_type: "Bearer", expires_in, scope: scopes.to_string() })
}
