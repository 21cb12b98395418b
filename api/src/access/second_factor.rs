//! The second factor: enrolled with an authenticator app, asked for after the password, replaced
//! by a recovery code when the telephone is lost.

use actix_web::{HttpRequest, HttpResponse, get, post, web::Data};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use domain::{
    core::id::{PersonId, TenantId},
    flows::person::{Person, Standing},
    people::{
        actor::{Actor, Permission},
        audit::{AuditAction, Note},
    },
    rules::refusal::Refusal,
};
use persistence::{
    Db,
    people::second_factor::{self as factors, Factor},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    access::{
        gate,
        identity::{self, EndedIdentities, IdentityView},
        session::{self, LoginView, Opening},
        totp,
    },
    app::{
        caller::{Caller, Incomplete},
        random::random_bytes,
        state::App,
    },
    engine::step,
    http::{
        body::Json,
        headers::Key,
        params::IdPath,
        problem::{Code, Problem, Reply},
        register::ServiceConfig,
    },
    privacy::audit::{self, Noting},
};

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(answer_second_factor)
        .service(get_second_factor)
        .service(enrol_second_factor)
        .service(confirm_second_factor)
        .service(renew_recovery_codes)
        .service(remove_second_factor);
}

/// Registers the operations below one person.
pub fn under_person(config: &mut ServiceConfig<'_>) {
    config.service(reset_second_factor);
}

/// How long a challenge is valid, in seconds.
const CHALLENGE: i64 = 300;

/// How many recovery codes one person gets.
const CODES: usize = 10;

const SEALED_FOR: &str = "totp";

/// A login whose first factor was right.
#[derive(Clone, Copy, Debug)]
pub struct Login {
    /// The tenant that the person logs in to.
    pub tenant: TenantId,
    /// The person who logs in.
    pub person: PersonId,
    /// The version of the person's record: a change of it voids the challenge.
    pub seq: i64,
    /// The external identity that stood in for a password; it has to be linked still.
    pub identity: Option<Uuid>,
    /// Whether the password has to be changed.
    pub stale: bool,
}

/// The content of a challenge once it is opened.
#[derive(Serialize, Deserialize)]
struct Waiting {
    tenant: TenantId,
    person: PersonId,
    seq: i64,
    identity: Option<Uuid>,
    stale: bool,
    until: i64,
}

/// Whether this person has a confirmed second factor.
pub async fn is_confirmed(app: &App, tenant: TenantId, person: PersonId) -> Reply<bool> {
    let found = app.store.read(move |db| factors::find(db, tenant, person)).await?;
    Ok(found.is_some_and(|factor| factor.confirmed_at.is_some()))
}

/// The problem that asks for the second factor.
pub fn challenge_problem(app: &App, login: &Login) -> Reply<Problem> {
    let Login { tenant, person, seq, identity, stale } = *login;
    let until = app.clock.now().timestamp() + CHALLENGE;
    let waiting = serde_json::to_vec(&Waiting { tenant, person, seq, identity, stale, until });
    let waiting = waiting.map_err(|error| Problem::new(Code::Internal).because(error))?;
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(app.seal.seal("challenge", &waiting)?);
    let problem = Problem::new(Code::SecondFactorRequired);
    Ok(problem.with("challenge", challenge).with("expires_in", CHALLENGE))
}

fn open_challenge(app: &App, challenge: &str) -> Option<Waiting> {
    const MAX: usize = 1024;
    let sealed = Some(challenge).filter(|text| text.len() <= MAX)?;
    let sealed = BASE64_URL_SAFE_NO_PAD.decode(sealed).ok()?;
    let waiting: Waiting = serde_json::from_slice(&app.seal.open("challenge", &sealed)?).ok()?;
    (app.clock.now().timestamp() < waiting.until).then_some(waiting)
}

fn sealing_purpose(person: PersonId) -> String {
    format!("{SEALED_FOR} {}", person.0)
}

fn recovery_digest(app: &App, person: PersonId, code: &str) -> Vec<u8> {
    let plain: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
    app.seal.compute_digest(&sealing_purpose(person), plain.to_ascii_lowercase().as_bytes())
}

/// What a code is given for.
#[derive(Clone, Copy)]
struct Spending<'a> {
    request: &'a HttpRequest,
    tenant: TenantId,
    person: PersonId,
    /// The login in which the code is asked for; none while the person logs in. Attempts are
    /// counted apart, so that a stranger who knows the password, or has a token, does not use up
    /// the owner's attempts.
    session: Option<Uuid>,
    /// The device token that came with it.
    device: Option<&'a str>,
}

impl Spending<'_> {
    /// The key under which attempts are counted.
    fn attempt_name(&self) -> String {
        let session = self.session.map(|session| session.to_string()).unwrap_or_default();
        format!("{} {session}", sealing_purpose(self.person))
    }
}

/// Accepts a code of the app or a recovery code, once.
async fn spend_code(app: &App, spending: Spending<'_>, factor: &Factor, code: &str) -> Reply<()> {
    let Spending { request, tenant, person, device, .. } = spending;
    let (now, what, code) = (app.clock.now(), spending.attempt_name(), code.trim());
    let wrong = || Problem::new(Code::CodeInvalid);
    if code.len() > 6 && code.len() <= 40 {
        // Fifty random bits are not guessed, so these codes work however often strangers tried
        // before.
        let digest = recovery_digest(app, person, code);
        let look = {
            let digest = digest.clone();
            move |db: &mut Db| factors::has_unused_code(db, tenant, person, &digest)
        };
        let spend = factors::use_recovery_code(tenant, person, digest, now);
        if app.store.read(look).await? && app.store.run(spend).await? {
            return Ok(());
        }
        app.codes.count_named_attempt(&what, now)?;
        return Err(wrong());
    }
    // Judged by the time of arrival: waiting may take longer than a code is valid.
    let step = find_step(app, person, factor, code)?;
    gate::enter_code(app, request, (&what, (tenant, person)), device).await?;
    let Some(step) = step else { return Err(wrong()) };
    let spent = app.store.run(factors::use_time_step(tenant, person, step)).await?;
    if !spent {
        return Err(wrong());
    }
    app.codes.forget_named_attempts(&what);
    Ok(())
}

fn find_step(app: &App, person: PersonId, factor: &Factor, code: &str) -> Reply<Option<i64>> {
    let lost = || Problem::new(Code::Internal).because("a second factor cannot be opened");
    let secret = app.seal.open(&sealing_purpose(person), &factor.secret).ok_or_else(lost)?;
    Ok(totp::find_step(&secret, code, app.clock.now()).filter(|step| *step > factor.last_step))
}

/// A code for a challenge.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChallengeBody {
    /// What the login answered. 登录返回的 challenge。
    #[schema(max_length = 1024)]
    challenge: String,
    /// Six digits of the app, or a recovery code. 动态口令或恢复码。
    #[schema(max_length = 40, example = "123456")]
    code: String,
    /// What this device was given at its last login. 上次登录返回的 device_token。
    #[schema(max_length = 200)]
    device_token: Option<String>,
}

/// Refuses a challenge when what it rests on has changed: the account was closed, the password set
/// anew, or the identity unlinked.
async fn require_unchanged(app: &App, waiting: &Waiting) -> Reply<()> {
    let Waiting { tenant, person, seq, identity, .. } = *waiting;
    let wrong = || Problem::new(Code::CredentialsInvalid);
    let stored = app.store.load_state::<Person>(tenant, person.0).await?.ok_or_else(wrong)?;
    if stored.seq != seq || stored.state.standing != Standing::Active {
        return Err(wrong());
    }
    match identity {
        Some(id) if !identity::is_linked(app, tenant, person, id).await? => Err(wrong()),
        Some(_) | None => Ok(()),
    }
}

/// Completes a login with the second factor.
///
/// 提交动态口令（或恢复码）完成登录；每个口令只能用一次。
#[utoipa::path(tag = "auth", security(()), request_body = ChallengeBody, responses((status = 200, body = LoginView)))]
#[post("/auth/second_factor")]
async fn answer_second_factor(
    app: Data<App>,
    request: HttpRequest,
    body: Json<ChallengeBody>,
) -> Reply<HttpResponse> {
    let ChallengeBody { challenge, code, device_token } = body.0;
    let wrong = || Problem::new(Code::CredentialsInvalid);
    let waiting = open_challenge(&app, &challenge).ok_or_else(wrong)?;
    let Waiting { tenant, person, stale, .. } = waiting;
    require_unchanged(&app, &waiting).await?;
    let found = app.store.read(move |db| factors::find(db, tenant, person)).await?;
    let found = found.filter(|factor| factor.confirmed_at.is_some()).ok_or_else(wrong)?;
    let device = device_token.as_deref();
    let spending = Spending { request: &request, tenant, person, session: None, device };
    if let Err(problem) = spend_code(&app, spending, &found, &code).await {
        if problem.code() == Code::CodeInvalid {
            let stored = app.store.load_state::<Person>(tenant, person.0).await?;
            let known = stored.as_ref().map(|stored| &stored.state);
            let tried = audit::Tried { act: AuditAction::Login, method: "totp", reason: None };
            audit::record_refusal(&app, &request, (tenant, known), tried).await?;
        }
        return Err(problem);
    }
    // The code may have waited; meanwhile an administrator may have closed the account.
    require_unchanged(&app, &waiting).await?;
    let opening = Opening {
        request: &request,
        tenant,
        person,
        seq: waiting.seq,
        method: "totp",
        lacking: false,
        stale,
    };
    session::open(&app, opening).await
}

/// The audit note that a second factor was changed.
fn new_change_note(
    app: &App,
    caller: &Actor,
    request: &HttpRequest,
    (person, step): (PersonId, &str),
) -> Note {
    let noting = Noting::of_caller(app, caller, request);
    noting.note(AuditAction::SecondFactor, Some(person.0), &json!({ "step": step }))
}

/// The state of the caller's second factor.
#[derive(Serialize, ToSchema)]
pub struct SecondFactorView {
    /// `none`, `pending` until a code was shown, or `confirmed`. 状态。
    state: &'static str,
    /// Since when it counts.
    confirmed_at: Option<DateTime<Utc>>,
    /// Recovery codes that were not used. 剩余恢复码。
    recovery_codes_left: i64,
    /// Whether the caller has to have one. 是否必须。
    required: bool,
}

fn factor_state(factor: Option<&Factor>) -> &'static str {
    match factor.map(|factor| factor.confirmed_at) {
        None => "none",
        Some(None) => "pending",
        Some(Some(_)) => "confirmed",
    }
}

fn not_possible(state: &'static str) -> Problem {
    Problem::new(Code::SecondFactorState).with("state", state)
}

/// Shows the state of the caller's second factor.
///
/// 我的动态口令：状态、剩余恢复码、是否必须启用。
#[utoipa::path(tag = "me", responses((status = 200, body = SecondFactorView)))]
#[get("/me/second_factor")]
async fn get_second_factor(app: Data<App>, caller: Incomplete) -> Reply<HttpResponse> {
    let (tenant, person) = (caller.tenant, caller.person);
    let found = app.store.read(move |db| factors::find(db, tenant, person)).await?;
    let known = step::load_visible::<Person>(&app, &caller, person.0).await?;
    Ok(HttpResponse::Ok().json(SecondFactorView {
        state: factor_state(found.as_ref()),
        confirmed_at: found.as_ref().and_then(|factor| factor.confirmed_at),
        recovery_codes_left: found.map_or(0, |factor| factor.codes_left),
        required: app.wants_factor(&known.state),
    }))
}

/// A secret, shown once.
#[derive(Serialize, ToSchema)]
pub struct EnrolmentView {
    /// The secret in base32, to be typed into the app. 密钥。
    #[schema(example = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")]
    secret: String,
    /// The same as an address, to be shown as a QR code. 二维码内容。
    uri: String,
}

/// Who enrols a second factor.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnrolBody {
    /// What proves once more who asks: the password, or a linked WeChat identity. 再次证明是本人。
    proof: Option<identity::Proof>,
}

/// Enrols a second factor; it counts once a code confirmed it.
///
/// 绑定动态口令：返回密钥（只显示一次）和二维码内容；用一个口令确认后生效。须以密码（没有密码的以已绑定的微信）再次证明是本人；登录时被要求绑定的，登录后十分钟内除外；两者都没有的，须在登录后十分钟内绑定。
#[utoipa::path(tag = "me", request_body = EnrolBody, responses((status = 200, body = EnrolmentView)))]
#[post("/me/second_factor/enrol")]
async fn enrol_second_factor(
    app: Data<App>,
    request: HttpRequest,
    caller: Incomplete,
    _key: Key,
    body: Json<EnrolBody>,
) -> Reply<HttpResponse> {
    let (tenant, person, now) = (caller.tenant, caller.person, app.clock.now());
    identity::require_factor_proof(&app, &request, &caller, body.0.proof).await?;
    let secret = random_bytes::<20>()?;
    let sealed = app.seal.seal(&sealing_purpose(person), &secret)?;
    let note = new_change_note(&app, &caller, &request, (person, "enrolled"));
    let enrol = factors::enrol_factor(tenant, person, sealed, now);
    let enrol = enrol.with_note_if_done(tenant, note);
    if !app.store.run(enrol).await? {
        return Err(not_possible("confirmed"));
    }
    let known = step::load_visible::<Person>(&app, &caller, person.0).await?;
    let (account, secret) = (known.state.account.as_str(), totp::encode_base32(&secret));
    let account = form_urlencoded::byte_serialize(account.as_bytes()).collect::<String>();
    let uri = format!(
        "otpauth://totp/GridWhistle:{account}?secret={secret}&issuer=GridWhistle\
         &algorithm=SHA1&digits=6&period={}",
        totp::PERIOD
    );
    Ok(HttpResponse::Ok().json(EnrolmentView { secret, uri }))
}

/// A code of the app.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CodeBody {
    /// Six digits of the app. 动态口令。
    #[schema(max_length = 40, example = "123456")]
    code: String,
}

/// Recovery codes, shown once.
#[derive(Serialize, ToSchema)]
pub struct RecoveryCodesView {
    /// Ten, each for one login without the app; to be kept on paper. 恢复码，每个只能用一次。
    recovery_codes: Vec<String>,
}

/// Codes that can be read off paper: two groups of five without `0`, `1`, `l` and `o`.
fn new_recovery_codes() -> Reply<Vec<String>> {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut codes = Vec::with_capacity(CODES);
    for _ in 0..CODES {
        let letter = |byte: u8| ALPHABET.get(usize::from(byte & 31)).copied().unwrap_or(b'x');
        let mut code: String =
            random_bytes::<10>()?.into_iter().map(|byte| char::from(letter(byte))).collect();
        code.insert(5, '-');
        codes.push(code);
    }
    Ok(codes)
}

/// Confirms a second factor with its first code.
///
/// 用第一个动态口令确认绑定，立即生效；返回十个一次性恢复码，只显示这一次。
#[utoipa::path(tag = "me", request_body = CodeBody, responses((status = 200, body = RecoveryCodesView)))]
#[post("/me/second_factor/confirm")]
async fn confirm_second_factor(
    app: Data<App>,
    request: HttpRequest,
    caller: Incomplete,
    _key: Key,
    body: Json<CodeBody>,
) -> Reply<HttpResponse> {
    let (tenant, person, session) = (caller.tenant, caller.person, caller.session);
    let now = app.clock.now();
    app.codes.count_named_attempt(&format!("{} {session}", sealing_purpose(person)), now)?;
    let found = app.store.read(move |db| factors::find(db, tenant, person)).await?;
    let waiting = found.as_ref().filter(|factor| factor.confirmed_at.is_none());
    let waiting = waiting.ok_or_else(|| not_possible(factor_state(found.as_ref())))?;
    let step = find_step(&app, person, waiting, body.0.code.trim())?;
    let step = step.ok_or_else(|| Problem::new(Code::CodeInvalid))?;
    let codes = new_recovery_codes()?;
    let digests: Vec<_> = codes.iter().map(|code| recovery_digest(&app, person, code)).collect();
    let note = new_change_note(&app, &caller, &request, (person, "confirmed"));
    let confirm = factors::confirm_factor(tenant, (person, session), step, digests, now);
    let confirm = confirm.with_note_if_done(tenant, note);
    if !app.store.run(confirm).await? {
        return Err(not_possible("confirmed"));
    }
    app.actors.forget_session(session);
    Ok(HttpResponse::Ok().json(RecoveryCodesView { recovery_codes: codes }))
}

/// Refuses a caller who does not present a code of the own second factor.
pub async fn require_code(
    app: &App,
    request: &HttpRequest,
    caller: &Caller,
    code: &str,
) -> Reply<()> {
    let (tenant, person) = (caller.tenant, caller.person);
    let found = app.store.read(move |db| factors::find(db, tenant, person)).await?;
    let counts = found.as_ref().filter(|factor| factor.confirmed_at.is_some());
    let counts = counts.ok_or_else(|| not_possible(factor_state(found.as_ref())))?;
    let session = Some(caller.session);
    let spending = Spending { request, tenant, person, session, device: None };
    spend_code(app, spending, counts, code).await
}

/// Makes new recovery codes; the old ones are void.
///
/// 重新生成恢复码，旧的全部作废；须提供一个动态口令。
#[utoipa::path(tag = "me", request_body = CodeBody, responses((status = 200, body = RecoveryCodesView)))]
#[post("/me/second_factor/recovery_codes")]
async fn renew_recovery_codes(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    _key: Key,
    body: Json<CodeBody>,
) -> Reply<HttpResponse> {
    require_code(&app, &request, &caller, &body.0.code).await?;
    let (tenant, person) = (caller.tenant, caller.person);
    let codes = new_recovery_codes()?;
    let digests: Vec<_> = codes.iter().map(|code| recovery_digest(&app, person, code)).collect();
    let note = new_change_note(&app, &caller, &request, (person, "codes_renewed"));
    app.store
        .run(factors::replace_recovery_codes(tenant, person, digests).with_note(tenant, note))
        .await?;
    Ok(HttpResponse::Ok().json(RecoveryCodesView { recovery_codes: codes }))
}

/// Removes the caller's second factor, where none is required.
///
/// 停用动态口令，须提供一个动态口令；按规定必须启用的不能停用，换手机请管理员清除后重新绑定。
#[utoipa::path(tag = "me", request_body = CodeBody, responses((status = 204, description = "Removed 已停用")))]
#[post("/me/second_factor/remove")]
async fn remove_second_factor(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    _key: Key,
    body: Json<CodeBody>,
) -> Reply<HttpResponse> {
    let (tenant, person) = (caller.tenant, caller.person);
    let known = step::load_visible::<Person>(&app, &caller, person.0).await?;
    if app.wants_factor(&known.state) {
        return Err(not_possible("required"));
    }
    require_code(&app, &request, &caller, &body.0.code).await?;
    let note = new_change_note(&app, &caller, &request, (person, "removed"));
    app.store.run(factors::remove_factor(tenant, person).with_note(tenant, note)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Removes a person's second factor, ends every login, unlinks identities.
///
/// 管理员为丢失手机的人员清除动态口令；其登录全部结束，绑定的微信一并解除（返回解除了哪些），重新登录后再绑定。
#[utoipa::path(tag = "people", responses((status = 200, body = EndedIdentities)))]
#[post("/second_factor/reset")]
async fn reset_second_factor(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    _key: Key,
    id: IdPath<Uuid>,
) -> Reply<HttpResponse> {
    let (tenant, now) = (caller.tenant, app.clock.now());
    let known = step::load_visible::<Person>(&app, &caller, id.0).await?;
    let person = known.state.id;
    // A caller who could remove the factor and reset the password could act as that person.
    if person == caller.person || !known.state.is_wholly_managed_by(&caller, now) {
        let area = known.state.grants.first().map(|grant| grant.over.name.clone());
        let permission = Permission::ManagePeople;
        return Err(Refusal::NotPermitted { permission, area: area.unwrap_or_default() }.into());
    }
    let note = new_change_note(&app, &caller, &request, (person, "reset"));
    let reset = factors::reset_factor(tenant, person, now).with_note(tenant, note);
    let ended = app.store.run(reset).await?;
    app.actors.forget_person(person);
    identity::tell_ended_identities(&app, tenant, person, &ended).await?;
    Ok(HttpResponse::Ok()
        .json(EndedIdentities { ended_identities: IdentityView::from_linked(person, &ended) }))
}
