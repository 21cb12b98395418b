//! Logins of staff through identity providers: OpenID Connect, plain OAuth 2.0, WeCom.
//!
//! The page asks where to send the person, keeps the `flow` it was answered, sends the person
//! there, and hands over the parameters of the return address. The flow is sealed and holds state,
//! nonce, PKCE verifier and tenant; nothing is stored here, and a stranger without it can do
//! nothing with a stolen code. An account is matched by one configured claim and never created.

use actix_web::{HttpRequest, HttpResponse, get, post, web::Data};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use domain::{
    core::{id::TenantId, journal::Hash, text::Code as Word},
    flows::{change::Versioned, person::Person},
    people::audit::AuditAction,
};
use persistence::people::person as people;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::{
    access::{
        auth::{self, Admission},
        discovery::{self, Discovered},
        gate, identity_token, service_tokens,
        session::LoginView,
    },
    app::{
        config::{Kind, Provider},
        outbound::{Call, Content, Outbound, outside_unavailable},
        random::random_bytes,
        state::App,
    },
    http::{
        body::Json,
        params::{IdPath, Query},
        problem::{Code, Problem, Reply},
        register::ServiceConfig,
    },
    privacy::audit,
};

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list_providers).service(get_authorization).service(finish_authorization);
}

/// How long a person may take at the provider, in seconds.
const FLOW: i64 = 600;

/// A way to log in.
#[derive(Serialize, ToSchema)]
pub struct ProviderView {
    /// Its name, for the addresses. 名称。
    #[schema(example = "wecom")]
    name: String,
    /// What its button says. 显示名称。
    #[schema(example = "企业微信")]
    label: String,
    /// `oidc`, `oauth2`, `wecom` or `wechat_mini_program`. 类型。
    kind: &'static str,
    /// The AppID, of a mini-program.
    app_id: Option<String>,
}

/// The ways to log in besides a password.
#[derive(Serialize, ToSchema)]
pub struct ProvidersView {
    /// In the order of the configuration.
    items: Vec<ProviderView>,
}

/// The tenant whose providers are listed.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OfTenant {
    /// The city or county, by its code; may be left out where there is only one. 租户代码。
    #[param(value_type = Option<String>, example = "4202")]
    tenant: Option<Word>,
}

/// Lists the ways to log in besides a password.
///
/// 除账号密码以外的登录方式：企业微信、统一认证、微信小程序。
#[utoipa::path(tag = "auth", security(()), params(OfTenant), responses((status = 200, body = ProvidersView)))]
#[get("/auth/providers")]
async fn list_providers(app: Data<App>, params: Query<OfTenant>) -> Reply<HttpResponse> {
    let world = app.worlds.find_by_code(params.0.tenant.as_ref().map(Word::as_str));
    let world = world.ok_or_else(|| Problem::new(Code::NotFound))?;
    let here =
        |tenant: &Option<String>| tenant.as_ref().is_none_or(|tenant| *tenant == world.tenant.code);
    let providers = app.settings.providers.iter().filter(|one| here(&one.tenant));
    let providers = providers.map(|one| ProviderView {
        name: one.name.clone(),
        label: one.label.clone(),
        kind: match one.kind {
            Kind::Oidc => "oidc",
            Kind::Oauth2 => "oauth2",
            Kind::Wecom => "wecom",
        },
        app_id: None,
    });
    let programs = app.settings.mini_programs.iter().filter(|one| here(&one.tenant));
    let programs = programs.map(|one| ProviderView {
        name: "wechat".to_owned(),
        label: "微信小程序".to_owned(),
        kind: "wechat_mini_program",
        app_id: Some(one.app_id.clone()),
    });
    Ok(HttpResponse::Ok().json(ProvidersView { items: providers.chain(programs).collect() }))
}

/// The content of a flow once it is opened.
#[derive(Serialize, Deserialize)]
struct Flow {
    provider: String,
    tenant: TenantId,
    state: String,
    nonce: String,
    verifier: String,
    until: i64,
}

/// Where to send the person.
#[derive(Serialize, ToSchema)]
pub struct AuthorizationView {
    /// The address of the provider. 跳转地址。
    authorization_url: String,
    /// To be kept by the page and handed over with what comes back; it binds the login to the
    /// browser it began in. 由页面保存，回来时一并提交。
    flow: String,
    /// Seconds until it expires.
    expires_in: i64,
}

fn find_provider<'a>(app: &'a App, name: &str, tenant: &str) -> Reply<&'a Provider> {
    let serves =
        |one: &&Provider| one.name == name && one.tenant.as_ref().is_none_or(|code| code == tenant);
    let found = app.settings.providers.iter().find(serves);
    found.ok_or_else(|| Problem::new(Code::NotFound))
}

fn choose_outbound<'a>(app: &'a App, provider: &Provider) -> &'a Outbound {
    app.trusting.get(&provider.name).unwrap_or(&app.outbound)
}

fn random_text() -> Reply<String> {
    Ok(BASE64_URL_SAFE_NO_PAD.encode(random_bytes::<32>()?))
}

/// Begins a login at a provider.
///
/// 开始统一认证登录：返回跳转地址和 flow（含 state、nonce、PKCE，已加密）。
#[utoipa::path(tag = "auth", security(()), params(OfTenant), responses((status = 200, body = AuthorizationView)))]
#[get("/auth/oidc/{provider}/start")]
async fn get_authorization(
    app: Data<App>,
    request: HttpRequest,
    name: IdPath<String>,
    params: Query<OfTenant>,
) -> Reply<HttpResponse> {
    gate::enter_vouched_login(&app, &request, None).await?;
    let world = app.worlds.find_by_code(params.0.tenant.as_ref().map(Word::as_str));
    let world = world.ok_or_else(|| Problem::new(Code::NotFound))?;
    let provider = find_provider(&app, &name.0, &world.tenant.code)?;
    let flow = Flow {
        provider: provider.name.clone(),
        tenant: world.tenant.id,
        state: random_text()?,
        nonce: random_text()?,
        verifier: random_text()?,
        until: app.clock.now().timestamp() + FLOW,
    };
    let authorization_url = build_authorization_url(&app, provider, &flow).await?;
    let flow = serde_json::to_vec(&flow).map_err(|e| Problem::new(Code::Internal).because(e))?;
    let flow = BASE64_URL_SAFE_NO_PAD.encode(app.seal.seal("login flow", &flow)?);
    Ok(HttpResponse::Ok().json(AuthorizationView { authorization_url, flow, expires_in: FLOW }))
}

/// An address with more parameters.
fn append_query(base: &str, pairs: &[(&str, &str)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let joint = if base.contains('?') { '&' } else { '?' };
    format!("{base}{joint}{query}")
}

async fn build_authorization_url(app: &App, provider: &Provider, flow: &Flow) -> Reply<String> {
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(Hash::digest(flow.verifier.as_bytes()).0);
    let wanted = |default: &str| provider.scope.clone().unwrap_or_else(|| default.to_owned());
    let mut pairs = vec![
        ("response_type", "code"),
        ("redirect_uri", provider.redirect_uri.as_str()),
        ("state", flow.state.as_str()),
    ];
    match provider.kind {
        Kind::Wecom => {
            let (scope, agent) = (wanted("snsapi_base"), provider.agent_id.as_deref());
            // Their order is the documented one; WeCom reads nothing behind the fragment.
            pairs.insert(0, ("appid", provider.client_id.as_str()));
            pairs.push(("scope", &scope));
            pairs.extend(agent.map(|agent| ("agentid", agent)));
            let default = "https://open.weixin.qq.com/connect/oauth2/authorize";
            let base = provider.authorize_url.as_deref().unwrap_or(default);
            Ok(format!("{}#wechat_redirect", append_query(base, &pairs)))
        }
        Kind::Oidc | Kind::Oauth2 => {
            let oidc = provider.kind == Kind::Oidc;
            let scope = wanted(if oidc { "openid profile" } else { "" });
            pairs.push(("client_id", provider.client_id.as_str()));
            pairs.push(("code_challenge", &challenge));
            pairs.push(("code_challenge_method", "S256"));
            if !scope.is_empty() {
                pairs.push(("scope", &scope));
            }
            if oidc {
                pairs.push(("nonce", &flow.nonce));
                let discovered =
                    discovery::discover_provider(app, choose_outbound(app, provider), provider)
                        .await?;
                return Ok(append_query(&discovered.authorization_endpoint, &pairs));
            }
            Ok(append_query(provider.authorize_url.as_deref().unwrap_or_default(), &pairs))
        }
    }
}

/// What the person came back with.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthorizedBody {
    /// What the page kept. 页面保存的 flow。
    #[schema(max_length = 2048)]
    flow: String,
    /// `code` of the address they came back to. 回调地址中的 code。
    #[schema(max_length = 2048)]
    code: String,
    /// `state` of that address. 回调地址中的 state。
    #[schema(max_length = 200)]
    state: String,
}

fn login_problem(reason: &'static str) -> Problem {
    Problem::new(Code::CredentialsInvalid).with("reason", reason).detail(
        "统一认证没有通过，或已过期；请重新登录。",
        "The identity provider did not confirm this login, or it has expired; log in again.",
    )
}

fn open_flow(app: &App, flow: &str) -> Option<Flow> {
    const MAX: usize = 2048;
    let sealed = Some(flow).filter(|text| text.len() <= MAX)?;
    let sealed = BASE64_URL_SAFE_NO_PAD.decode(sealed).ok()?;
    let flow: Flow = serde_json::from_slice(&app.seal.open("login flow", &sealed)?).ok()?;
    (app.clock.now().timestamp() < flow.until).then_some(flow)
}

/// Completes a login at a provider.
///
/// 完成统一认证登录：提交 flow、code 和 state；按配置的字段对应已有账号，不会自动建立账号。
#[utoipa::path(tag = "auth", security(()), request_body = AuthorizedBody, responses((status = 200, body = LoginView)))]
#[post("/auth/oidc/{provider}/callback")]
async fn finish_authorization(
    app: Data<App>,
    request: HttpRequest,
    name: IdPath<String>,
    body: Json<AuthorizedBody>,
) -> Reply<HttpResponse> {
    const MAX: usize = 2048;
    gate::enter_vouched_login(&app, &request, None).await?;
    let AuthorizedBody { flow, code, state } = body.0;
    let flow = open_flow(&app, &flow).ok_or_else(|| login_problem("flow"))?;
    if flow.provider != name.0 || flow.state != state {
        return Err(login_problem("state"));
    }
    let plain = code.bytes().all(|byte| byte.is_ascii_graphic());
    if code.is_empty() || code.len() > MAX || !plain {
        return Err(login_problem("code"));
    }
    let world = app.world(flow.tenant)?;
    let provider = find_provider(&app, &name.0, &world.tenant.code)?;
    let (tenant, method) = (flow.tenant, provider.name.as_str());
    let person = match identify_person(&app, provider, &flow, &code).await {
        Ok(person) => person,
        Err(problem) => {
            if problem.code().row().status.is_client_error() {
                let reason = Some(problem.code().name());
                let tried = audit::Tried { act: AuditAction::Login, method, reason };
                audit::record_refusal(&app, &request, (tenant, None), tried).await?;
            }
            return Err(problem);
        }
    };
    if auth::is_program(&app, tenant, &person.state).await? {
        return Err(Problem::new(Code::NoSuchAccount));
    }
    let admission = Admission {
        request: &request,
        tenant,
        person: &person,
        method,
        identity: None,
        stale: false,
    };
    auth::admit_person(&app, admission).await
}

/// The person the provider vouches for.
async fn identify_person(
    app: &App,
    provider: &Provider,
    flow: &Flow,
    code: &str,
) -> Reply<Versioned<Person>> {
    let account = match provider.kind {
        Kind::Oidc => account_from_token(app, provider, flow, code).await?,
        Kind::Oauth2 => account_from_userinfo(app, provider, flow, code).await?,
        Kind::Wecom => account_from_wecom(app, provider, code).await?,
    };
    let nobody = || Problem::new(Code::NoSuchAccount);
    let account = Word::try_from(account.as_str()).map_err(|_fault| nobody())?;
    let tenant = flow.tenant;
    let found =
        app.store.read(move |db| people::find_by_account(db, tenant, account.as_str())).await?;
    found.map(|(person, _)| person).ok_or_else(nobody)
}

/// Exchanges a code for the provider's answer.
async fn exchange_code(
    app: &App,
    provider: &Provider,
    flow: &Flow,
    code: &str,
    (endpoint, basic): (&str, bool),
) -> Reply<Value> {
    let mut form = vec![
        ("grant_type", "authorization_code".to_owned()),
        ("code", code.to_owned()),
        ("redirect_uri", provider.redirect_uri.clone()),
        ("code_verifier", flow.verifier.clone()),
        ("client_id", provider.client_id.clone()),
    ];
    let secret = provider.client_secret.expose();
    let authorization = basic.then(|| {
        let encode =
            |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!("{}:{}", encode(&provider.client_id), encode(secret));
        format!("Basic {}", BASE64_STANDARD.encode(pair))
    });
    if !basic {
        form.push(("client_secret", secret.to_owned()));
    }
    let call = Call { url: endpoint.to_owned(), authorization, content: Content::Form(form) };
    let answer = choose_outbound(app, provider).make_call(call).await?;
    match answer.status {
        200..300 => Ok(answer.body),
        // Either the code or this server's configuration is wrong: the provider says which.
        400 if answer.body.get("error").and_then(Value::as_str) == Some("invalid_grant") => {
            Err(login_problem("code"))
        }
        status => Err(outside_unavailable(format!("the token endpoint answered {status}"))),
    }
}

fn read_claim(claims: &Value, name: &str) -> Reply<String> {
    let claim = claims.get(name).and_then(Value::as_str).unwrap_or_default();
    if claim.is_empty() { Err(login_problem("claim")) } else { Ok(claim.to_owned()) }
}

async fn account_from_token(
    app: &App,
    provider: &Provider,
    flow: &Flow,
    code: &str,
) -> Reply<String> {
    let outbound = choose_outbound(app, provider);
    let discovered: Discovered = discovery::discover_provider(app, outbound, provider).await?;
    let endpoint = (discovered.token_endpoint.as_str(), discovered.basic);
    let answer = exchange_code(app, provider, flow, code, endpoint).await?;
    let token = answer.get("id_token").and_then(Value::as_str);
    let token =
        token.ok_or_else(|| outside_unavailable("the provider answered no identity token"))?;
    let expected = identity_token::Expected {
        issuer: provider.issuer.as_deref().unwrap_or_default(),
        client_id: &provider.client_id,
        nonce: &flow.nonce,
        now: app.clock.now(),
    };
    let key = identity_token::parse_key_id(token).map_err(login_problem)?;
    let jwk = discovery::fetch_key(app, outbound, provider, &discovered, &key).await?;
    let jwk = jwk.ok_or_else(|| login_problem("unknown_key"))?;
    let claims = identity_token::verify(token, &jwk, &expected).map_err(login_problem)?;
    read_claim(&claims, &provider.claim)
}

async fn account_from_userinfo(
    app: &App,
    provider: &Provider,
    flow: &Flow,
    code: &str,
) -> Reply<String> {
    let endpoint = (provider.token_url.as_deref().unwrap_or_default(), false);
    let answer = exchange_code(app, provider, flow, code, endpoint).await?;
    let token = answer.get("access_token").and_then(Value::as_str);
    let token = token.filter(|token| token.bytes().all(|byte| byte.is_ascii_graphic()));
    let token =
        token.ok_or_else(|| outside_unavailable("the provider answered no access token"))?;
    let call = Call {
        url: provider.userinfo_url.clone().unwrap_or_default(),
        authorization: Some(format!("Bearer {token}")),
        content: Content::None,
    };
    let answer = choose_outbound(app, provider).make_call(call).await?;
    if answer.status != 200 {
        return Err(outside_unavailable(format!(
            "the userinfo endpoint answered {}",
            answer.status
        )));
    }
    read_claim(&answer.body, &provider.claim)
}

/// The errors of WeCom that say its access token is invalid.
const TOKEN_ENDED: [i64; 3] = [40_014, 42_001, 40_001];

/// What WeCom says went wrong; 0 when nothing did.
pub(crate) fn read_errcode(answer: &Value) -> i64 {
    answer.get("errcode").and_then(Value::as_i64).unwrap_or(0)
}

/// Calls WeCom with the access token of an application that all replicas share; once more with a
/// new one when that was refused. `call` builds the call from a token and the base address of the
/// interfaces.
pub(crate) async fn ask_wecom(
    app: &App,
    provider: &Provider,
    call: impl Fn(&str, &str) -> Call,
) -> Reply<Value> {
    let api = provider.api_url.as_deref().unwrap_or("https://qyapi.weixin.qq.com");
    let fetch = async |_force: bool| {
        let secret = provider.client_secret.expose();
        let pairs = [("corpid", provider.client_id.as_str()), ("corpsecret", secret)];
        let call = Call::get(append_query(&format!("{api}/cgi-bin/gettoken"), &pairs));
        let answer = choose_outbound(app, provider).make_call(call).await?.body;
        let token = answer.get("access_token").and_then(Value::as_str);
        let seconds = answer.get("expires_in").and_then(Value::as_i64);
        let (token, seconds) = token.zip(seconds).ok_or_else(|| {
            outside_unavailable(format!(
                "WeCom answered no access token, errcode {}",
                read_errcode(&answer)
            ))
        })?;
        Ok((token.to_owned(), seconds))
    };
    let ask = async |token: &str| {
        Reply::Ok(choose_outbound(app, provider).make_call(call(api, token)).await?.body)
    };
    let name = format!("wecom:{}", provider.name);
    let token = service_tokens::obtain_token(app, &name, None, &fetch).await?;
    let mut answer = ask(&token).await?;
    if TOKEN_ENDED.contains(&read_errcode(&answer)) {
        answer =
            ask(&service_tokens::obtain_token(app, &name, Some(&token), &fetch).await?).await?;
    }
    Ok(answer)
}

async fn account_from_wecom(app: &App, provider: &Provider, code: &str) -> Reply<String> {
    let call = |api: &str, token: &str| {
        let pairs = [("access_token", token), ("code", code)];
        Call::get(append_query(&format!("{api}/cgi-bin/auth/getuserinfo"), &pairs))
    };
    let answer = ask_wecom(app, provider, call).await?;
    match read_errcode(&answer) {
        // A person who is no member of the corporation has an openid instead.
        0 => read_claim(&answer, "userid"),
        40_029 | 40_163 => Err(login_problem("code")),
        other => Err(outside_unavailable(format!("WeCom answered errcode {other}"))),
    }
}
