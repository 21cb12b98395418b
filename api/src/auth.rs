//! Logins: account and password give an access token and a refresh token; an access token gives
//! an actor. Without an actor no command runs.

use std::{ops::Deref, sync::Arc};

use actix_web::{
    FromRequest, HttpRequest, HttpResponse, dev::Payload, get, http::header::AUTHORIZATION, post,
    web::Data,
};
use chrono::Duration;
use domain::{
    actor::Actor,
    id::{PersonId, TenantId},
    person::Standing,
    text::Code as Word,
};
use persistence::person::{self, Session};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use crate::{
    body::Json,
    clock::new_id,
    limits,
    problem::{Code, Problem, Reply},
    state::App,
    token::{self, Claims},
    view::{GrantView, TenantView},
    world::World,
};

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(login).service(refresh_login).service(logout).service(me);
}

/// Whoever is asking, proven by an access token.
#[derive(Clone)]
pub struct Caller {
    actor: Arc<Actor>,
    /// The login the token belongs to.
    pub session: Uuid,
}

impl Deref for Caller {
    type Target = Actor;
    fn deref(&self) -> &Actor {
        &self.actor
    }
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = std::pin::Pin<Box<dyn Future<Output = Reply<Self>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let app = request.app_data::<Data<App>>().cloned();
        let token = request
            .headers()
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| {
                value.strip_prefix("Bearer ").or_else(|| value.strip_prefix("bearer "))
            })
            .map(|token| token.trim().to_owned());
        Box::pin(async move {
            let app = app.ok_or_else(|| Problem::new(Code::Internal))?;
            let token = token.ok_or(token::Fault::Missing)?;
            let claims = app.keys.verify(&token, app.clock.now())?;
            let session = claims.sid;
            Ok(Self { actor: app.actor(claims).await?, session })
        })
    }
}

/// What is needed to log in.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginBody {
    /// The city or county, by its code; may be left out where there is only one. 租户代码。
    #[schema(value_type = Option<String>, example = "4202")]
    tenant: Option<Word>,
    /// 账号。
    #[schema(value_type = String, max_length = 40, example = "wangge-1")]
    account: Word,
    /// 密码。
    #[schema(max_length = 128, format = Password)]
    password: String,
}

/// What is needed to stay logged in.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshBody {
    /// The city or county, as at login. 租户代码。
    #[schema(value_type = Option<String>, example = "4202")]
    tenant: Option<Word>,
    /// The refresh token of the last answer; it works once. 刷新令牌，只能使用一次。
    #[schema(max_length = 200)]
    refresh_token: String,
}

/// A login.
#[derive(Serialize, ToSchema)]
pub struct LoginView {
    /// To be sent as `Authorization: Bearer …`. 访问令牌。
    access_token: String,
    /// Always `Bearer`.
    token_type: &'static str,
    /// Seconds the access token works. 有效秒数。
    expires_in: i64,
    /// To get the next access token, once. 刷新令牌。
    refresh_token: String,
}

/// Logs in with account and password.
///
/// 用账号和密码登录，得到短期访问令牌和可撤销的刷新令牌。
#[utoipa::path(tag = "auth", security(()), request_body = LoginBody, responses((status = 200, body = LoginView)))]
#[post("/auth/login")]
async fn login(app: Data<App>, request: HttpRequest, body: Json<LoginBody>) -> Reply<HttpResponse> {
    let LoginBody { tenant, account, password } = body.0;
    let now = app.clock.now();
    let address = limits::address(&request, app.settings.proxies);
    app.logins.attempt(address, account.as_str(), now)?;
    let world = app.worlds.by_code(tenant.as_ref().map(Word::as_str));
    let found = match &world {
        Some(world) => {
            let (tenant, name) = (world.tenant.id, account.as_str().to_owned());
            app.store.read(move |db| person::by_account(db, tenant, &name)).await?
        }
        None => None,
    };
    let (person, hash) = found.map_or((None, None), |(person, hash)| (Some(person), hash));
    let right = app.passwords.verify(password, hash).await?;
    let wrong = || Problem::new(Code::CredentialsInvalid);
    let (Some(world), Some(person), true) = (world, person, right) else { return Err(wrong()) };
    app.logins.succeeded(address, account.as_str());
    if person.standing != Standing::Active {
        return Err(Problem::new(Code::AccountClosed).with("standing", person.standing.name()));
    }
    let (refresh, digest) = token::refresh()?;
    let session = Session {
        id: new_id(),
        person: person.id,
        refresh_hash: digest.0.to_vec(),
        created_at: now,
        expires_at: now + Duration::days(i64::from(app.settings.refresh_days)),
    };
    let (tenant, id) = (world.tenant.id, session.id);
    app.store.run(move |db| person::open_session(db, tenant, &session)).await?;
    Ok(HttpResponse::Ok().json(login_view(&app, tenant, person.id, id, refresh)?))
}

fn login_view(
    app: &App,
    tenant: TenantId,
    person: PersonId,
    session: Uuid,
    refresh_token: String,
) -> Reply<LoginView> {
    let expires_in = i64::from(app.settings.access_minutes) * 60;
    let iat = app.clock.now().timestamp();
    let claims = Claims { sub: person, tid: tenant, sid: session, iat, exp: iat + expires_in };
    let access_token = app.keys.issue(&claims)?;
    Ok(LoginView { access_token, token_type: "Bearer", expires_in, refresh_token })
}

/// Exchanges a refresh token for new tokens.
///
/// 用刷新令牌换取新令牌；旧的刷新令牌随即失效。
#[utoipa::path(tag = "auth", security(()), request_body = RefreshBody, responses((status = 200, body = LoginView)))]
#[post("/auth/refresh")]
async fn refresh_login(app: Data<App>, body: Json<RefreshBody>) -> Reply<HttpResponse> {
    let wrong = || Problem::new(Code::CredentialsInvalid);
    let world: Arc<World> =
        app.worlds.by_code(body.0.tenant.as_ref().map(Word::as_str)).ok_or_else(wrong)?;
    let (tenant, now) = (world.tenant.id, app.clock.now());
    let old = token::refresh_digest(&body.0.refresh_token).ok_or_else(wrong)?;
    let (next, new) = token::refresh()?;
    let rotated =
        app.store.run(move |db| person::rotate_session(db, tenant, &old.0, &new.0, now)).await?;
    let (session, person) = rotated.ok_or_else(wrong)?;
    Ok(HttpResponse::Ok().json(login_view(&app, tenant, person, session, next)?))
}

/// Ends this login.
///
/// 退出登录：访问令牌和刷新令牌立即失效。
#[utoipa::path(tag = "auth", responses((status = 204, description = "Logged out 已退出")))]
#[post("/auth/logout")]
async fn logout(app: Data<App>, caller: Caller) -> Reply<HttpResponse> {
    let (tenant, session, now) = (caller.tenant, caller.session, app.clock.now());
    app.store.run(move |db| person::revoke_session(db, tenant, session, now)).await?;
    app.actors.forget_session(session);
    Ok(HttpResponse::NoContent().finish())
}

/// Who is logged in.
#[derive(Serialize, ToSchema)]
pub struct MeView {
    /// The person.
    id: Uuid,
    /// The name.
    name: String,
    /// The city or county.
    tenant: TenantView,
    /// What this person may do where, now.
    grants: Vec<GrantView>,
}

/// Shows who is logged in.
///
/// 当前登录人及其授权。
#[utoipa::path(tag = "me", operation_id = "get_me", responses((status = 200, body = MeView)))]
#[get("/me")]
async fn me(app: Data<App>, caller: Caller) -> Reply<HttpResponse> {
    let world = app.world(caller.tenant)?;
    let now = app.clock.now();
    let grants = caller.grants.iter().filter(|grant| grant.holds(now)).map(GrantView::from);
    Ok(HttpResponse::Ok().json(MeView {
        id: caller.person.0,
        name: caller.name.clone(),
        tenant: TenantView { code: world.tenant.code.clone(), name: world.tenant.name.clone() },
        grants: grants.collect(),
    }))
}
