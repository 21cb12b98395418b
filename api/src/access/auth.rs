//! Logins with account and password, and the authentication of every request: an access token gives
//! an actor. Without an actor no command runs.

use std::sync::Arc;

use actix_web::{
    FromRequest, HttpMessage, HttpRequest, HttpResponse,
    body::BoxBody,
    dev::{Payload, ServiceRequest, ServiceResponse},
    get,
    http::header::{AUTHORIZATION, WWW_AUTHENTICATE},
    middleware::Next,
    post,
    web::Data,
};
use chrono::Duration;
use domain::{
    Instant,
    core::{fold::fold_account, id::TenantId, text::Code as Word},
    flows::{
        change::Versioned,
        person::{Person, Standing},
    },
    people::{actor::Grant, audit::AuditAction},
};
use persistence::{
    Db,
    people::{
        client as clients,
        person::{self as people, Origin},
    },
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    access::{
        client::Presented,
        gate::{self, Entering, Passed},
        second_factor::{self, Login},
        session::{self, LoginView, Opening},
    },
    app::{
        actors::ActorRecord,
        caller::{Caller, Incomplete},
        limits,
        scope::Scopes,
        state::App,
        token,
    },
    engine::step,
    http::{
        body::{Json, Recheck},
        problem::{Code, Problem, Reply, refuse_request},
        register::ServiceConfig,
        view::{GrantView, TenantView},
    },
    privacy::{audit, contact, names},
};

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(login).service(me);
}

type Extracting<T> = std::pin::Pin<Box<dyn Future<Output = Reply<T>>>>;

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let asked = authenticate(request);
        Box::pin(async move {
            let Incomplete { caller, restriction } = asked.await?;
            match restriction {
                None => Ok(caller),
                Some(restriction) => {
                    Err(Problem::new(Code::LoginIncomplete).with("required", restriction.name()))
                }
            }
        })
    }
}

impl FromRequest for Incomplete {
    type Error = Problem;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        Box::pin(authenticate(request))
    }
}

/// Authenticates the sender of this request.
fn authenticate(request: &HttpRequest) -> impl Future<Output = Reply<Incomplete>> + use<> {
    let app = request.app_data::<Data<App>>().cloned();
    let request = request.clone();
    async move {
        let app = app.ok_or_else(|| Problem::new(Code::Internal))?;
        let first = request.extensions_mut().remove::<First>();
        let asker = if let Some(First(asker)) = first {
            asker
        } else {
            // A stream authenticates its reader again and again: that is looked up anew, and counts
            // once.
            let asker = find_asker(&app, &request).await?;
            let is_counted = request.extensions().contains::<Asker>();
            if is_counted { asker } else { count_request(&app, &request, asker).await? }
        };
        let Asker { known, session, scope, .. } = asker;
        if let Some(client) = known.client {
            require_scope(&request, scope.unwrap_or(client.scopes))?;
        }
        let caller = Caller { actor: known.actor, session, arrival: None };
        Ok(Incomplete { caller, restriction: known.restriction })
    }
}

/// The middleware: counts a request of a caller who is logged in, and refuses it if there were too
/// many, before its address, parameters or body are read. Operations without login are served
/// whatever login comes with them, so an invalid login is refused by the operation that needs one.
pub async fn ration_request(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    // Compared as the router does: an address with percent-encoding is the same address.
    if !is_public(request.match_info().unprocessed())
        && let Some(app) = request.app_data::<Data<App>>().cloned()
        && let Ok(asker) = find_asker(&app, request.request()).await
    {
        match count_request(&app, request.request(), asker).await {
            Ok(asker) => drop(request.extensions_mut().insert(First(asker))),
            Err(problem) => return Ok(refuse_request(request, problem)),
        }
    }
    next.call(request).await
}

/// Whether an address is served to everyone, with or without a login.
pub fn is_public(path: &str) -> bool {
    let Some(rest) = path.strip_prefix("/api/v1/") else { return true };
    let is_link = rest.starts_with("media/") && rest.ends_with("/content");
    let mut folders = ["auth/", "public/", "wechat/"].iter();
    is_link || rest == "privacy" || folders.any(|begin| rest.starts_with(begin))
}

/// The caller at the beginning of the request, by which login, and when that was.
#[derive(Clone)]
struct Asker {
    known: ActorRecord,
    session: Uuid,
    scope: Option<Scopes>,
    at: Instant,
}

/// The caller, for those parts of the request that need to know it first.
struct First(Asker);

async fn find_asker(app: &App, request: &HttpRequest) -> Reply<Asker> {
    let token = bearer_token(request).ok_or(token::Fault::Missing)?;
    let at = app.clock.now();
    let (known, session, scope) = identify_caller(app, &token, at).await?;
    Ok(Asker { known, session, scope, at })
}

/// Takes a request from the share of its sender: a program's quota, or what a person may ask.
async fn count_request(app: &App, request: &HttpRequest, asker: Asker) -> Reply<Asker> {
    if let Some(client) = asker.known.client {
        let allowance = app.quotas.take_request(client.id, client.per_minute, asker.at)?;
        request.extensions_mut().insert(allowance);
    } else {
        let by = (&*asker.known.actor, asker.session);
        app.rationed.count_request(request, by, asker.at).await?;
    }
    request.extensions_mut().insert(asker.clone());
    let recheck = |request: HttpRequest| -> Extracting<()> {
        Box::pin(async move { require_unchanged(&request).await })
    };
    request.extensions_mut().insert(Recheck(recheck));
    Ok(asker)
}

/// The bearer token of a request.
fn bearer_token(request: &HttpRequest) -> Option<String> {
    let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    // The scheme is the same however it is written (RFC 9110, 11.1).
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

/// The caller by a token that was good at `at`, as the rights of the caller are now.
async fn identify_caller(
    app: &App,
    token: &str,
    at: Instant,
) -> Reply<(ActorRecord, Uuid, Option<Scopes>)> {
    match Presented::parse(token) {
        Some(key) => identify_by_key(app, &key).await,
        None => identify_by_token(app, token, at).await,
    }
}

/// Refuses a request whose body took long to arrive, when the login ended or the rights changed
/// since it began: rights end at once, also for requests that began before. A token that expired
/// meanwhile was good when it was sent.
pub async fn require_unchanged(request: &HttpRequest) -> Reply<()> {
    let asker = request.extensions().get::<Asker>().cloned();
    let (Some(before), Some(token)) = (asker, bearer_token(request)) else { return Ok(()) };
    let app = request.app_data::<Data<App>>().cloned();
    let app = app.ok_or_else(|| Problem::new(Code::Internal))?;
    let (now, ..) = identify_caller(&app, &token, before.at).await?;
    let before = &before.known.actor;
    if Arc::ptr_eq(&now.actor, before) || *now.actor == **before {
        return Ok(());
    }
    Err(Problem::new(Code::LostRace))
}

async fn identify_by_token(
    app: &App,
    token: &str,
    at: Instant,
) -> Reply<(ActorRecord, Uuid, Option<Scopes>)> {
    let claims = match app.keys.verify_token(token, at) {
        // Another replica may have begun to use a key this one has not seen yet.
        Err(token::Fault::Key) if app.refresh_keys().await? => app.keys.verify_token(token, at),
        verified => verified,
    }?;
    Ok((app.load_actor(claims).await?, claims.sid, claims.scope))
}

async fn identify_by_key(app: &App, key: &Presented) -> Reply<(ActorRecord, Uuid, Option<Scopes>)> {
    Ok((app.load_key_actor(key).await?, key.cache_key(), None))
}

/// Holds a program to its scopes.
fn require_scope(request: &HttpRequest, scope: Scopes) -> Reply<()> {
    let route = request.match_pattern().unwrap_or_default();
    if scope.allows_request(request.method(), &route) {
        return Ok(());
    }
    let challenge = "Bearer error=\"insufficient_scope\"";
    let problem = Problem::new(Code::InsufficientScope).with("scope", scope.to_string());
    Err(problem.header(WWW_AUTHENTICATE, challenge))
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
    /// What this device was given at its last login. 上次登录返回的 device_token。
    #[schema(max_length = 200)]
    device_token: Option<String>,
}

/// Logs in with account and password.
///
/// 用账号和密码登录，得到短期访问令牌和可撤销的刷新令牌；启用了动态口令的，先得到 second_factor_required 和 challenge。
#[utoipa::path(tag = "auth", security(()), request_body = LoginBody, responses((status = 200, body = LoginView)))]
#[post("/auth/login")]
async fn login(app: Data<App>, request: HttpRequest, body: Json<LoginBody>) -> Reply<HttpResponse> {
    let LoginBody { tenant, account, password, device_token } = body.0;
    let now = app.clock.now();
    let world = app.worlds.find_by_code(tenant.as_ref().map(Word::as_str));
    let within = world.as_ref().map(|world| world.tenant.code.as_str()).unwrap_or_default();
    let tried = format!("{within}/{account}", account = fold_account(account.as_str()));
    let found = match &world {
        Some(world) => {
            let (tenant, name) = (world.tenant.id, account.as_str().to_owned());
            app.store.read(move |db| people::find_by_account(db, tenant, &name)).await?
        }
        None => None,
    };
    let (person, stored) = found.map_or((None, None), |(person, hash)| (Some(person), hash));
    let owner = world.as_ref().zip(person.as_ref());
    let passed = gate::enter_account(
        &app,
        Entering {
            request: &request,
            tried: &tried,
            owner: owner.map(|(world, person)| (world.tenant.id, &person.state)),
            device: device_token.as_deref(),
        },
    )
    .await?;
    let hash = stored.as_ref().map(|stored| stored.hash.clone());
    let right = match &passed {
        Passed::Stranger => app.passwords.verify_stranger(password, hash).await?,
        Passed::Device(_) => app.passwords.verify(password, hash).await?,
    };
    let wrong = || Problem::new(Code::CredentialsInvalid);
    // A program proves who it is by its secrets, whatever was set for it.
    let program = match owner.filter(|_| right) {
        Some((world, person)) => is_program(&app, world.tenant.id, &person.state).await?,
        None => false,
    };
    let right = right && !program;
    if !right && let Some(world) = &world {
        let known = person.as_ref().map(|person| &person.state);
        let tried = audit::Tried { act: AuditAction::Login, method: "password", reason: None };
        audit::record_refusal(&app, &request, (world.tenant.id, known), tried).await?;
    }
    let (Some(world), Some(person), Some(stored), true) = (world, person, stored, right) else {
        return Err(wrong());
    };
    app.logins.forget_attempts(limits::client_address(&request, app.settings.proxies), &tried);
    if let Passed::Device(name) = &passed {
        app.logins.forget_named_attempts(name);
    }
    let old = now - Duration::days(i64::from(app.settings.password_days));
    let aged = app.settings.password_days > 0 && stored.changed_at < old;
    let stale = aged || stored.origin != Origin::Owner;
    let tenant = world.tenant.id;
    let admission = Admission {
        request: &request,
        tenant,
        person: &person,
        method: "password",
        identity: None,
        stale,
    };
    admit_person(&app, admission).await
}

/// Whether this is a program, by its record or because it was registered as one.
pub async fn is_program(app: &App, tenant: TenantId, person: &Person) -> Reply<bool> {
    let id = person.id;
    let registered = move |db: &mut Db| Ok(clients::find(db, tenant, id)?.is_some());
    Ok(person.is_program() || app.store.read(registered).await?)
}

/// A login whose first factor was right.
pub struct Admission<'a> {
    /// The request that logs in.
    pub request: &'a HttpRequest,
    /// The tenant that the person logs in to.
    pub tenant: TenantId,
    /// The person as read when the first factor was checked.
    pub person: &'a Versioned<Person>,
    /// The method of the login: `password`, `wechat`, or the name of a provider.
    pub method: &'a str,
    /// The external identity that logged the person in, where it can be unlinked from the account.
    pub identity: Option<Uuid>,
    /// Whether the password has to be changed.
    pub stale: bool,
}

/// Opens the session, asks for the second factor, or says what has to be done first.
pub async fn admit_person(app: &App, admission: Admission<'_>) -> Reply<HttpResponse> {
    let Admission { request, tenant, person, method, identity, stale } = admission;
    let (seq, person) = (person.seq, &person.state);
    if person.standing != Standing::Active {
        let reason = Some(person.standing.name());
        let tried = audit::Tried { act: AuditAction::Login, method, reason };
        audit::record_refusal(app, request, (tenant, Some(person)), tried).await?;
        return Err(Problem::new(Code::AccountClosed).with("standing", person.standing.name()));
    }
    if contact::is_erased(app, tenant, person.id).await? {
        let tried = audit::Tried { act: AuditAction::Login, method, reason: Some("erased") };
        audit::record_refusal(app, request, (tenant, Some(person)), tried).await?;
        return Err(Problem::new(Code::AccountClosed).with("standing", "erased"));
    }
    let shown = Login { tenant, person: person.id, seq, identity, stale };
    let both = app.settings.providers.iter().any(|one| one.name == method && one.second_factor);
    if !both && second_factor::is_confirmed(app, tenant, person.id).await? {
        return Err(second_factor::challenge_problem(app, &shown)?);
    }
    let (lacking, person) = (app.lacks_factor(person, method), person.id);
    session::open(app, Opening { request, tenant, person, seq, method, lacking, stale }).await
}

/// Who is logged in.
#[derive(Serialize, ToSchema)]
pub struct MeView {
    /// The identity of the person.
    id: Uuid,
    /// The whole name, for the person alone.
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
async fn me(app: Data<App>, caller: Incomplete) -> Reply<HttpResponse> {
    let world = app.world(caller.tenant)?;
    let now = app.clock.now();
    let person = step::load_visible::<Person>(&app, &caller, caller.person.0).await?;
    let name = names::load_own(&app, caller.tenant, &person.state).await?;
    // A grant over an area that was moved reaches several places and is shown once.
    let mut told = std::collections::HashSet::new();
    let once = |grant: &&Grant| grant.holds_at(now) && told.insert((grant.role, grant.over.id));
    let grants = caller.grants.iter().filter(once).map(GrantView::from);
    Ok(HttpResponse::Ok().json(MeView {
        id: caller.person.0,
        name,
        tenant: TenantView { code: world.tenant.code.clone(), name: world.tenant.name.clone() },
        grants: grants.collect(),
    }))
}
