//! Sessions: opened by a login of any kind, refreshed, looked at, ended.
//!
//! A refresh token is the session's identity, 32 random bytes and a digest over both that only this
//! server can make; only its digest is stored. A text that was never issued is recognised before
//! anything is looked up, and ends nothing. A token works once. One that comes again after its
//! successor was used, or from another device, has been copied: the session ends for everyone who
//! has it. Only for [`GRACE`] may the same device send its last token again, because the answer may
//! have been lost on the way, or two tabs sent it at once: it is then answered with the same
//! successor, which follows from the token and a secret of this server and is kept nowhere.

use actix_web::{
    HttpRequest, HttpResponse, get,
    http::header::{HeaderValue, SET_COOKIE, USER_AGENT},
    post,
    web::Data,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Duration, Utc};
use domain::{
    core::{
        id::{PersonId, TenantId},
        journal::Hash,
        text::Code as Word,
    },
    flows::person::Person,
    people::{actor::Permission, audit::AuditAction},
    rules::refusal::Refusal,
};
use persistence::{
    Db,
    people::session::{self, Exchange, Refreshable, Refreshed, Session},
};
use rand::rngs::SysError;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::net::IpAddr;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    access::device::{self, Device},
    app::{
        caller::{Caller, Incomplete, Restriction},
        clock::new_id,
        limits,
        random::random_bytes,
        secret_box::SecretBox,
        state::App,
        token::Claims,
    },
    engine::step,
    http::{
        body::Json,
        headers::Key,
        params::IdPath,
        problem::{Code, Problem, Reply},
        register::ServiceConfig,
    },
    privacy::audit::{Noting, append_note},
};

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(refresh_login)
        .service(logout)
        .service(list_my_sessions)
        .service(revoke_my_sessions)
        .service(revoke_my_session);
}

/// Registers the operations below one person.
pub fn under_person(config: &mut ServiceConfig<'_>) {
    config.service(list_person_sessions).service(revoke_person_sessions);
}

/// How long a device may send its last refresh token again.
pub const GRACE: Duration = Duration::seconds(60);

/// How the sessions of programs began: see [`Session::method`].
pub const CLIENT: &str = "client";

/// How many logins one person has at a time; the one unused for longest is ended for a new one.
pub const MOST: usize = 10;

/// How many bytes of a refresh token are identity and random bytes.
const NAMED: usize = 48;

/// The digest by which a refresh token is recognised as issued here.
fn compute_proof(seal: &SecretBox, tenant: TenantId, named: &[u8]) -> Vec<u8> {
    let mut proof = seal.compute_digest(&format!("refresh token {}", tenant.0), named);
    proof.truncate(16);
    proof
}

/// A new refresh token of a session: the text for its owner, and the digest to store.
pub fn new_refresh_token(
    seal: &SecretBox,
    tenant: TenantId,
    session: Uuid,
) -> Result<(String, Hash), SysError> {
    let mut bytes = [&session.as_bytes()[..], &random_bytes::<32>()?].concat();
    bytes.extend(compute_proof(seal, tenant, &bytes));
    Ok((BASE64_URL_SAFE_NO_PAD.encode(&bytes), Hash::digest(&bytes)))
}

/// The token that follows another one, which is known by its digest: the same each time it is asked
/// for, and only by this server.
fn derive_successor(
    seal: &SecretBox,
    tenant: TenantId,
    session: Uuid,
    before: Hash,
) -> (String, Hash) {
    let chance = seal.compute_digest(&format!("refresh successor {}", tenant.0), &before.0);
    let mut bytes = [&session.as_bytes()[..], &chance].concat();
    bytes.extend(compute_proof(seal, tenant, &bytes));
    (BASE64_URL_SAFE_NO_PAD.encode(&bytes), Hash::digest(&bytes))
}

/// A text that a client sent as a refresh token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Presented {
    /// The session it names.
    session: Uuid,
    /// The digest under which it is stored.
    digest: Hash,
    /// Whether it carries this server's proof. Older tokens without one are known by their digest.
    issued: bool,
}

impl Presented {
    /// Parses a refresh token; none when the text cannot be one of this tenant.
    fn parse(seal: &SecretBox, tenant: TenantId, text: &str) -> Option<Self> {
        /// With a proof, and without.
        const LENGTHS: [usize; 2] = [86, 64];
        if !LENGTHS.contains(&text.len()) {
            return None;
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let (named, given) = bytes.split_at_checked(NAMED)?;
        let session = Uuid::from_slice(named.get(..16)?).ok()?;
        let issued = compute_proof(seal, tenant, named) == given;
        let known = issued || given.is_empty();
        known.then(|| Self { session, digest: Hash::digest(&bytes), issued })
    }

    /// Whether it is, or was, a token of the session it names.
    fn belongs_to(&self, stored: &Refreshable) -> bool {
        let digest = self.digest.0;
        self.issued || stored.current == digest || stored.previous.as_deref() == Some(&digest)
    }
}

/// A login that was opened or refreshed.
#[derive(Serialize, ToSchema)]
pub struct LoginView {
    /// To be sent as `Authorization: Bearer …`. 访问令牌。
    access_token: String,
    /// How the access token is sent: always `Bearer`. 令牌类型。
    token_type: &'static str,
    /// Seconds the access token works. 有效秒数。
    expires_in: i64,
    /// To get the next access token, once. 刷新令牌。
    refresh_token: String,
    /// What has to be done before anything else works: `second_factor` to enrol one, `password`
    /// to choose a new one; null when nothing. 登录后必须先完成的事项。
    #[schema(example = json!(null))]
    restriction: Option<&'static str>,
    /// To be kept by the device beyond logging out and sent with its next login: strangers who try
    /// at the account then do not hold it up. It opens nothing. Pages need not keep it, they are
    /// given a cookie. 设备凭证，下次登录时带上。
    device_token: String,
}

/// A login to be opened.
pub struct Opening<'a> {
    /// The request that logs in.
    pub request: &'a HttpRequest,
    /// The tenant that the person logs in to.
    pub tenant: TenantId,
    /// The person who logs in, and whose session it becomes.
    pub person: PersonId,
    /// The version of the person's record when the proof was checked.
    pub seq: i64,
    /// The method of the login, as in [`Session::method`].
    pub method: &'a str,
    /// Whether a second factor has to be enrolled first.
    pub lacking: bool,
    /// Whether the password has to be changed first.
    pub stale: bool,
}

/// Opens a session and answers its tokens.
pub async fn open(app: &App, opening: Opening<'_>) -> Reply<HttpResponse> {
    let Opening { request, tenant, person, seq, method, lacking, stale } = opening;
    let stale = stale.then_some(Restriction::Password);
    let restriction = if lacking { Some(Restriction::SecondFactor) } else { stale };
    let (now, id) = (app.clock.now(), new_id());
    let (refresh, digest) = new_refresh_token(&app.seal, tenant, id)?;
    let session = Session {
        id,
        person,
        refresh_hash: digest.0.to_vec(),
        method: method.to_owned(),
        device: device_name(request),
        address: mask_address(limits::client_address(request, app.settings.proxies)),
        created_at: now,
        used_at: now,
        expires_at: now + Duration::days(i64::from(app.settings.refresh_days)),
        // Whether a factor is lacking is checked each time; whether the password is too old is not.
        restriction: stale.map(|restriction| restriction.name().to_owned()),
    };
    let noting = Noting::of_person(app, tenant, person, request).await?;
    let detail = json!({ "method": method, "session": id });
    let note = noting.note(AuditAction::Login, Some(person.0), &detail);
    let open = session::open_login_session(tenant, session, seq, MOST);
    let open = open.with_note_from(tenant, |displaced| displaced.as_ref().map(|_| note));
    let displaced = app.store.run(open).await?;
    let displaced = displaced.ok_or_else(|| Problem::new(Code::LostRace))?;
    for session in displaced {
        app.actors.forget_session(session);
    }
    let cookie = device::build_cookie(app, request, Device { tenant, session: id });
    let view = login_view(app, (tenant, person, id), refresh, restriction)?;
    Ok(HttpResponse::Ok().insert_header((SET_COOKIE, cookie)).json(view))
}

fn login_view(
    app: &App,
    (tid, sub, sid): (TenantId, PersonId, Uuid),
    refresh_token: String,
    restriction: Option<Restriction>,
) -> Reply<LoginView> {
    let expires_in = i64::from(app.settings.access_minutes) * 60;
    let iat = app.clock.now().timestamp();
    let access_token =
        app.keys.issue_token(&Claims { sub, tid, sid, iat, exp: iat + expires_in, scope: None })?;
    let restriction = restriction.map(Restriction::name);
    let device_token = Device { tenant: tid, session: sid }.to_token(&app.seal);
    let token_type = "Bearer";
    Ok(LoginView { access_token, token_type, expires_in, refresh_token, restriction, device_token })
}

/// The `User-Agent` of the client, cut to what a list can show.
fn device_name(request: &HttpRequest) -> String {
    let named = request.headers().get(USER_AGENT).map_or(&[][..], HeaderValue::as_bytes);
    String::from_utf8_lossy(named).chars().filter(|c| !c.is_control()).take(160).collect()
}

/// An address without its end: enough to recognise a place, too little to find a person.
pub fn mask_address(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(four) => {
            let [a, b, _, _] = four.octets();
            format!("{a}.{b}.*.*")
        }
        IpAddr::V6(six) => {
            let [a, b, ..] = six.segments();
            format!("{a:x}:{b:x}:*")
        }
    }
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

/// Exchanges a refresh token for new tokens.
///
/// 用刷新令牌换取新令牌；旧的刷新令牌随即失效，再次出现视为泄露，整个登录立即结束（60 秒内同一设备重发除外，得到同一个新令牌）。
#[utoipa::path(tag = "auth", security(()), request_body = RefreshBody, responses((status = 200, body = LoginView)))]
#[post("/auth/refresh")]
async fn refresh_login(
    app: Data<App>,
    request: HttpRequest,
    body: Json<RefreshBody>,
) -> Reply<HttpResponse> {
    let wrong = || Problem::new(Code::CredentialsInvalid);
    let world =
        app.worlds.find_by_code(body.0.tenant.as_ref().map(Word::as_str)).ok_or_else(wrong)?;
    let (tenant, now) = (world.tenant.id, app.clock.now());
    let given = Presented::parse(&app.seal, tenant, &body.0.refresh_token).ok_or_else(wrong)?;
    let (session, idle_since) = (given.session, now - app.idle_limit());
    // Read first: a client that sends a token that was never issued takes no writing connection.
    let look = move |db: &mut Db| session::find_refreshable(db, tenant, session, (now, idle_since));
    let stored = app.store.read(look).await?.filter(|stored| given.belongs_to(stored));
    if stored.is_none() {
        return Err(wrong());
    }
    let (next, new) = derive_successor(&app.seal, tenant, session, given.digest);
    let asked = Exchange {
        session,
        old: given.digest.0.to_vec(),
        new: new.0.to_vec(),
        device: device_name(&request),
        address: mask_address(limits::client_address(&request, app.settings.proxies)),
        idle_since,
        grace_since: now - GRACE,
        at: now,
    };
    match app.store.run(session::exchange_token(tenant, asked)).await? {
        Refreshed::Done(found) => {
            let again = move |db: &mut Db| session::find(db, tenant, session, now);
            let (_, person) = app.store.read(again).await?.ok_or_else(wrong)?;
            let restriction = app.find_restriction(&person, &found);
            let whose = (tenant, found.person, session);
            Ok(HttpResponse::Ok().json(login_view(&app, whose, next, restriction)?))
        }
        Refreshed::Unknown => Err(wrong()),
        Refreshed::Reused(person) => {
            app.actors.forget_session(session);
            tracing::warn!(%session, person = %person.0, "a refresh token came twice: the login was ended");
            let noting = Noting::of_person(&app, tenant, person, &request).await?;
            let detail = json!({ "session": session, "reason": "reused" });
            append_note(
                &app,
                tenant,
                noting.note_refusal(AuditAction::EndSession, Some(person.0), &detail),
            )
            .await?;
            Err(wrong().with("reason", "reused").detail(
                "这个刷新令牌已经用过，可能被他人复制；登录已结束，请重新登录。",
                "This refresh token was used before and may have been copied; the login has ended, log in again.",
            ))
        }
    }
}

/// Ends this login.
///
/// 退出登录：访问令牌和刷新令牌立即失效。
#[utoipa::path(tag = "auth", responses((status = 204, description = "Logged out 已退出")))]
#[post("/auth/logout")]
async fn logout(app: Data<App>, request: HttpRequest, caller: Incomplete) -> Reply<HttpResponse> {
    let (tenant, session, now) = (caller.tenant, caller.session, app.clock.now());
    let detail = json!({ "session": session });
    let note = Noting::of_caller(&app, &caller, &request);
    let note = note.note(AuditAction::Logout, Some(caller.person.0), &detail);
    app.store.run(session::log_out_session(tenant, session, now).with_note(tenant, note)).await?;
    app.actors.forget_session(session);
    Ok(HttpResponse::NoContent().finish())
}

/// A login as its owner sees it.
#[derive(Serialize, ToSchema)]
pub struct SessionView {
    /// The identity of the login, for ending it. 登录标识。
    id: Uuid,
    /// What the client calls itself. 设备。
    device: String,
    /// How it began: `password`, `totp`, `wechat` or the name of a provider. 登录方式。
    method: String,
    /// From where it was last refreshed, shortened. 网络地址（已遮盖）。
    address: String,
    /// When it began.
    created_at: DateTime<Utc>,
    /// When it was last used, to some minutes.
    used_at: DateTime<Utc>,
    /// When it ends at the latest.
    expires_at: DateTime<Utc>,
    /// Whether it is the login of this request. 是否本次登录。
    current: bool,
}

/// Logins, the one used last first.
#[derive(Serialize, ToSchema)]
pub struct SessionsView {
    /// At most ten.
    items: Vec<SessionView>,
}

async fn list_sessions(app: &App, caller: &Caller, person: PersonId) -> Reply<HttpResponse> {
    let (tenant, now) = (caller.tenant, app.clock.now());
    let since = now - app.idle_limit();
    let found = app.store.read(move |db| session::load_for_person(db, tenant, person, now)).await?;
    let live = found.into_iter().filter(|session| session.used_at > since);
    let items = live.map(|session| SessionView {
        current: session.id == caller.session,
        id: session.id,
        device: session.device,
        method: session.method,
        address: session.address,
        created_at: session.created_at,
        used_at: session.used_at,
        expires_at: session.expires_at,
    });
    Ok(HttpResponse::Ok().json(SessionsView { items: items.collect() }))
}

/// Lists where the caller is logged in.
///
/// 我的登录：设备、登录方式、时间和已遮盖的地址，标出本次登录。
#[utoipa::path(tag = "me", responses((status = 200, body = SessionsView)))]
#[get("/me/sessions")]
async fn list_my_sessions(app: Data<App>, caller: Caller) -> Reply<HttpResponse> {
    list_sessions(&app, &caller, caller.person).await
}

/// Ends one login of the caller.
///
/// 结束自己的某个登录，立即生效。
#[utoipa::path(tag = "me", responses((status = 204, description = "Ended 已结束")))]
#[post("/me/sessions/{id}/revoke")]
async fn revoke_my_session(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    _key: Key,
    id: IdPath<Uuid>,
) -> Reply<HttpResponse> {
    let (tenant, person, id, now) = (caller.tenant, caller.person, id.0, app.clock.now());
    let note = Noting::of_caller(&app, &caller, &request);
    let note = note.note(AuditAction::EndSession, Some(person.0), &json!({ "session": id }));
    let close = session::revoke_session(tenant, person, id, now).with_note_if_done(tenant, note);
    let known = app.store.run(close).await?;
    if !known {
        return Err(Problem::new(Code::NotFound));
    }
    app.actors.forget_session(id);
    Ok(HttpResponse::NoContent().finish())
}

/// Ends every other login of the caller.
///
/// 结束自己的其他全部登录，只保留本次。
#[utoipa::path(tag = "me", responses((status = 204, description = "Ended 已结束")))]
#[post("/me/sessions/revoke")]
async fn revoke_my_sessions(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    _key: Key,
) -> Reply<HttpResponse> {
    end_sessions(&app, &request, &caller, caller.person, Some(caller.session)).await
}

async fn end_sessions(
    app: &App,
    request: &HttpRequest,
    caller: &Caller,
    person: PersonId,
    but: Option<Uuid>,
) -> Reply<HttpResponse> {
    let (tenant, now) = (caller.tenant, app.clock.now());
    let noting = Noting::of_caller(app, caller, request);
    let note = move |ended: &usize| {
        Some(noting.note(AuditAction::EndSession, Some(person.0), &json!({ "sessions": ended })))
    };
    let end = session::revoke_sessions(tenant, person, but, now).with_note_from(tenant, note);
    app.store.run(end).await?;
    app.actors.forget_person(person);
    Ok(HttpResponse::NoContent().finish())
}

/// Loads a person, when the caller is that person or manages them.
pub async fn load_managed_person(app: &App, caller: &Caller, id: Uuid) -> Reply<PersonId> {
    let person = &step::load_visible::<Person>(app, caller, id).await?.state;
    if person.id == caller.person || person.is_managed_by(caller, app.clock.now()) {
        return Ok(person.id);
    }
    let area = person.grants.first().map(|grant| grant.over.name.clone()).unwrap_or_default();
    Err(Refusal::NotPermitted { permission: Permission::ManagePeople, area }.into())
}

/// Lists where a person is logged in.
///
/// 人员的登录列表；管理员或本人。
#[utoipa::path(tag = "people", responses((status = 200, body = SessionsView)))]
#[get("/sessions")]
async fn list_person_sessions(
    app: Data<App>,
    caller: Caller,
    id: IdPath<Uuid>,
) -> Reply<HttpResponse> {
    let person = load_managed_person(&app, &caller, id.0).await?;
    list_sessions(&app, &caller, person).await
}

/// Ends every login of a person.
///
/// 结束某人的全部登录，立即生效；管理员或本人。
#[utoipa::path(tag = "people", responses((status = 204, description = "Ended 已结束")))]
#[post("/sessions/revoke")]
async fn revoke_person_sessions(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    _key: Key,
    id: IdPath<Uuid>,
) -> Reply<HttpResponse> {
    let person = load_managed_person(&app, &caller, id.0).await?;
    end_sessions(&app, &request, &caller, person, None).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::vault::cipher::{Secret, Suite};

    #[test]
    fn a_refresh_token_names_its_session() {
        let seal = SecretBox::new(Secret::from_slice(&[1; 32]).unwrap(), Suite::Aes);
        let (tenant, other) = (TenantId(Uuid::from_u128(1)), TenantId(Uuid::from_u128(2)));
        let session = Uuid::from_u128(7);
        let (text, digest) = new_refresh_token(&seal, tenant, session).unwrap();
        let parse = |text: &str| Presented::parse(&seal, tenant, text);
        assert_eq!(parse(&text), Some(Presented { session, digest, issued: true }));
        assert_eq!(Presented::parse(&seal, other, &text), None);
        let cut = text.get(1..).unwrap();
        let long = "A".repeat(86);
        for wrong in
            ["", "x", cut, &format!("{cut}="), &"💥".repeat(16), &"A".repeat(10_000), &long]
        {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_token_without_a_proof_is_known_by_its_digest_alone() {
        let seal = SecretBox::new(Secret::from_slice(&[1; 32]).unwrap(), Suite::Aes);
        let tenant = TenantId(Uuid::from_u128(1));
        let old = [&Uuid::from_u128(7).as_bytes()[..], &[9; 32]].concat();
        let text = BASE64_URL_SAFE_NO_PAD.encode(&old);
        let given = Presented::parse(&seal, tenant, &text).unwrap();
        assert!(!given.issued);
        let stored = |current: &[u8], previous: Option<&[u8]>| Refreshable {
            current: Hash::digest(current).0.to_vec(),
            previous: previous.map(|bytes| Hash::digest(bytes).0.to_vec()),
        };
        assert!(given.belongs_to(&stored(&old, None)));
        assert!(given.belongs_to(&stored(b"next", Some(&old))));
        assert!(!given.belongs_to(&stored(b"next", Some(b"other"))));
    }

    #[test]
    fn addresses_are_shortened() {
        for (given, shown) in [
            ("192.0.2.7", "192.0.*.*"),
            ("::ffff:192.0.2.7", "192.0.*.*"),
            ("2001:db8:1:2::7", "2001:db8:*"),
        ] {
            assert_eq!(mask_address(given.parse().unwrap()), shown);
        }
    }
}
