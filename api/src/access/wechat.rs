//! WeChat mini-programs: residents log in with the code of `wx.login` and bind their telephone
//! number with the code of the button.
//!
//! What WeChat answers stays here: the `session_key` is sealed, the access token is shared among
//! replicas, and neither is sent to clients. When WeChat does not answer, or answers nonsense, the
//! caller is asked to retry.

use actix_web::{HttpRequest, HttpResponse, get, http::header::RETRY_AFTER, post, web::Data};
use domain::{
    core::{
        id::{CommandId, PersonId, TenantId},
        text::{Code as Word, Line},
    },
    flows::{
        change::{Request, Versioned, execute},
        content_review::{Cause, Suggestion},
        person::{Command, NewGrant, Person},
    },
    people::{
        actor::{Actor, Role},
        audit::AuditAction,
        personal::{Contact, Field, Phone, SubjectKind},
    },
};
use persistence::{
    Db, Outcome, StoreError, Write,
    integrations::message,
    people::{
        identity::{self, Identity},
        person as people,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::{
    access::{
        auth::{self, Admission},
        gate,
        identity::identity_id,
        service_tokens,
        session::LoginView,
    },
    app::{
        caller::Caller,
        clock::new_id,
        config::MiniProgram,
        outbound::{Call, outside_unavailable},
        state::App,
        world::TenantSnapshot,
    },
    http::{
        body::Json,
        headers::Key,
        problem::{Code, Problem, Reply},
        register::ServiceConfig,
    },
    privacy::{
        audit,
        contact::{self, Extent},
    },
};

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(login_wechat).service(bind_phone).service(get_phone).service(unbind_phone);
}

/// The provider name under which a person's unionid is kept: one for all mini-programs of one
/// owner.
pub(crate) const UNION: &str = "wechat";

/// A code of WeChat.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WechatBody {
    /// The city or county, by its code; may be left out where there is only one. 租户代码。
    #[schema(value_type = Option<String>, example = "4202")]
    tenant: Option<Word>,
    /// Which mini-program; may be left out where there is only one. 小程序 AppID。
    #[schema(max_length = 40)]
    app_id: Option<String>,
    /// What `wx.login` gave; works once, for five minutes. wx.login 的 code。
    #[schema(max_length = 512)]
    code: String,
    /// What this device was given at its last login. 上次登录返回的 device_token。
    #[schema(max_length = 200)]
    device_token: Option<String>,
}

/// A code of WeChat, from a caller who is logged in.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WechatCodeBody {
    /// Which mini-program; may be left out where there is only one. 小程序 AppID。
    #[schema(max_length = 40)]
    app_id: Option<String>,
    /// The code; works once, for five minutes. code。
    #[schema(max_length = 512)]
    code: String,
}

/// The mini-program a caller means, of those that serve the tenant.
pub(crate) fn find_program<'a>(
    app: &'a App,
    world: &TenantSnapshot,
    app_id: Option<&str>,
) -> Reply<&'a MiniProgram> {
    let serves = |program: &&MiniProgram| {
        program.tenant.as_ref().is_none_or(|tenant| *tenant == world.tenant.code)
            && app_id.is_none_or(|wanted| wanted == program.app_id)
    };
    let mut fitting = app.settings.mini_programs.iter().filter(serves);
    match (fitting.next(), fitting.next()) {
        (Some(program), None) => Ok(program),
        (None, _) => Err(Problem::new(Code::NotFound).detail(
            "没有配置这个小程序；请核对 app_id，或联系管理员。",
            "This mini-program is not configured; check `app_id`, or ask an administrator.",
        )),
        (Some(_), Some(_)) => Err(Problem::new(Code::InvalidBody).error(
            "/app_id",
            "missing_field",
            "配置了多个小程序；请填写 app_id。",
            "Several mini-programs are configured; give `app_id`.",
        )),
    }
}

/// Refuses a text that cannot be a code; only the rest is sent on.
fn check_code(code: &str) -> Reply<&str> {
    const MAX: usize = 512;
    let fits = (1..=MAX).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(code) } else { Err(wrong_code()) }
}

fn wrong_code() -> Problem {
    Problem::new(Code::CredentialsInvalid).with("reason", "code").detail(
        "微信 code 无效、已用过或已过期；请重新获取后再试。",
        "The WeChat code is wrong, used or expired; get a new one and try again.",
    )
}

/// What an `errcode` means for the caller.
fn check_answer(answer: Value) -> Reply<Value> {
    let code = answer.get("errcode").and_then(Value::as_i64).unwrap_or(0);
    match code {
        0 => Ok(answer),
        40_029 | 40_163 | 41_008 => Err(wrong_code()),
        40_226 => Err(Problem::new(Code::OutsideRefused).with("reason", "high_risk")),
        45_011 => Err(Problem::new(Code::TooManyRequests)
            .with("retry_after_s", 60)
            .header(RETRY_AFTER, "60")),
        // Busy, or a faulty configuration: not the caller's fault either way.
        other => Err(outside_unavailable(format!("WeChat answered errcode {other}"))),
    }
}

fn read_text(answer: &Value, name: &str) -> Option<String> {
    const MAX: usize = 512;
    let text = answer.get(name).and_then(Value::as_str)?;
    let fits = (1..=MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| text.to_owned())
}

pub(crate) fn encode_query(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// The identity WeChat vouches for.
pub(crate) struct Vouched {
    pub(crate) openid: String,
    union: Option<String>,
    session_key: String,
}

pub(crate) async fn exchange_code(app: &App, program: &MiniProgram, code: &str) -> Reply<Vouched> {
    let query = encode_query(&[
        ("appid", &program.app_id),
        ("secret", program.secret.expose()),
        ("js_code", check_code(code)?),
        ("grant_type", "authorization_code"),
    ]);
    let call = Call::get(format!("{}/sns/jscode2session?{query}", program.url));
    let answer = check_answer(app.outbound.make_call(call).await?.body)?;
    let nonsense = || outside_unavailable("WeChat answered no openid");
    Ok(Vouched {
        openid: read_text(&answer, "openid").ok_or_else(nonsense)?,
        session_key: read_text(&answer, "session_key").ok_or_else(nonsense)?,
        union: read_text(&answer, "unionid"),
    })
}

pub(crate) fn provider_name(program: &MiniProgram) -> String {
    format!("wechat:{}", program.app_id)
}

/// Links the person to this identity at WeChat; answers the person the identity belongs to.
pub(crate) async fn link_identity(
    app: &App,
    tenant: TenantId,
    program: &MiniProgram,
    found: &Vouched,
    person: PersonId,
) -> Reply<PersonId> {
    let (now, provider) = (app.clock.now(), provider_name(program));
    let key = app.seal.seal(&format!("session_key {provider}"), found.session_key.as_bytes())?;
    let subject = found.openid.clone();
    let here = Identity { provider, subject, person, secret: Some(key) };
    let there = found.union.clone().map(|subject| Identity {
        provider: UNION.to_owned(),
        subject,
        person,
        secret: None,
    });
    let link = || identity::link_identities(tenant, here.clone(), there.clone(), now);
    match app.store.run(link()).await {
        // Two at the same moment: the second finds the link of the first.
        Err(StoreError::Exists(_)) => Ok(app.store.run(link()).await?),
        whose => Ok(whose?),
    }
}

/// Logs a resident in with the code of a mini-program.
///
/// 居民用微信小程序登录（wx.login 的 code）；第一次登录自动建立居民账号。
#[utoipa::path(tag = "auth", security(()), request_body = WechatBody, responses((status = 200, body = LoginView)))]
#[post("/auth/wechat")]
async fn login_wechat(
    app: Data<App>,
    request: HttpRequest,
    body: Json<WechatBody>,
) -> Reply<HttpResponse> {
    let WechatBody { tenant, app_id, code, device_token } = body.0;
    gate::enter_vouched_login(&app, &request, device_token.as_deref()).await?;
    let wrong = || Problem::new(Code::CredentialsInvalid);
    let world = app.worlds.find_by_code(tenant.as_ref().map(Word::as_str)).ok_or_else(wrong)?;
    let program = find_program(&app, &world, app_id.as_deref())?;
    let id = world.tenant.id;
    let found = match exchange_code(&app, program, &code).await {
        Ok(found) => found,
        Err(problem) => {
            if problem.code() == Code::CredentialsInvalid {
                let tried =
                    audit::Tried { act: AuditAction::Login, method: "wechat", reason: None };
                audit::record_refusal(&app, &request, (id, None), tried).await?;
            }
            return Err(problem);
        }
    };
    let (here, subject, union) =
        (provider_name(program), found.openid.clone(), found.union.clone());
    let look = move |db: &mut Db| {
        let known = identity::find(db, id, &here, &subject)?;
        match (known, union) {
            (None, Some(union)) => identity::find(db, id, UNION, &union),
            (known, _) => Ok(known),
        }
    };
    let person = match app.store.read(look).await? {
        Some(person) => person,
        None => ensure_resident(&app, &world, program, &found).await?,
    };
    if auth::is_program(&app, id, &person.state).await? {
        return Err(wrong());
    }
    let whose = link_identity(&app, id, program, &found, person.state.id).await?;
    if whose != person.state.id {
        return Err(wrong());
    }
    let admission = Admission {
        request: &request,
        tenant: id,
        person: &person,
        method: "wechat",
        identity: Some(identity_id(whose, &provider_name(program), &found.openid)),
        stale: false,
    };
    auth::admit_person(&app, admission).await
}

/// A new resident. The account is derived from the openid, so that two first logins at the same
/// moment make the same person.
async fn ensure_resident(
    app: &App,
    world: &TenantSnapshot,
    program: &MiniProgram,
    found: &Vouched,
) -> Reply<Versioned<Person>> {
    /// The most erasures of one identity.
    const ROUNDS: u32 = 100;
    for round in 0..ROUNDS {
        let person = register_resident(app, world, program, found, round).await?;
        // A person who was erased and comes back is a new one, unconnected to the record before.
        if !contact::is_erased(app, world.tenant.id, person.state.id).await? {
            return Ok(person);
        }
    }
    Err(Problem::new(Code::AccountClosed).with("standing", "erased"))
}

/// The person of an identity after this many erasures, registered if new.
async fn register_resident(
    app: &App,
    world: &TenantSnapshot,
    program: &MiniProgram,
    found: &Vouched,
    round: u32,
) -> Reply<Versioned<Person>> {
    let internal = |why: &str| Problem::new(Code::Internal).because(why);
    let subject = match round {
        0 => format!("{} {}", program.app_id, found.openid),
        round => format!("{} {} {round}", program.app_id, found.openid),
    };
    let digest = app.seal.compute_digest("wechat account", subject.as_bytes());
    let short: String =
        digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    let account = Word::try_from(format!("wx-{short}").as_str());
    let account = account.map_err(|_fault| internal("an account name"))?;
    let name = Line::try_from(Person::RESIDENT).map_err(|_fault| internal("a name"))?;
    let root = world.areas.root().ok_or_else(|| internal("a tenant without areas"))?;
    let system = Actor::new_system(world.tenant.id, root.unit());
    let id = PersonId(new_id());
    let grants = vec![NewGrant::new(Role::Resident, root.id)];
    let command = Command::Register { id, account: account.clone(), name, grants };
    let asked = Request::new(CommandId(new_id()), "register", id.0, &command);
    let context = world.build_context(&system, app.clock.now());
    let change = execute::<Person>(None, &command, asked, context)?;
    let (seq, head) = (change.entry.seq, change.entry.hash);
    let made = Versioned { state: change.state.clone(), seq, head };
    match app.store.commit(vec![Write::from(change)]).await {
        Ok(Outcome::Done) => Ok(made),
        Ok(Outcome::Stale | Outcome::Seen | Outcome::NumberTaken) => {
            Err(Problem::new(Code::LostRace))
        }
        Err(StoreError::Exists(_)) => {
            let (tenant, account) = (world.tenant.id, account.as_str().to_owned());
            let known =
                app.store.read(move |db| people::find_by_account(db, tenant, &account)).await?;
            known.map(|(person, _)| person).ok_or_else(|| Problem::new(Code::LostRace))
        }
        Err(error) => Err(error.into()),
    }
}

/// The access token of a mini-program; `stale` is one WeChat refused.
pub(crate) async fn obtain_access_token(
    app: &App,
    program: &MiniProgram,
    stale: Option<&str>,
) -> Reply<String> {
    let fetch = async |force: bool| {
        let body = json!({
            "grant_type": "client_credential", "appid": program.app_id,
            "secret": program.secret.expose(), "force_refresh": force,
        });
        let call = Call::post(format!("{}/cgi-bin/stable_token", program.url), body);
        let answer = check_answer(app.outbound.make_call(call).await?.body)?;
        let token = answer.get("access_token").and_then(Value::as_str);
        let seconds = answer.get("expires_in").and_then(Value::as_i64);
        let fetched = token.zip(seconds).filter(|(token, _)| token.len() <= 4096);
        let (token, seconds) =
            fetched.ok_or_else(|| outside_unavailable("WeChat answered no access token"))?;
        Ok((token.to_owned(), seconds))
    };
    service_tokens::obtain_token(app, &provider_name(program), stale, fetch).await
}

/// Whether WeChat refused the access token itself.
pub(crate) fn is_token_refused(answer: &Value) -> bool {
    matches!(answer.get("errcode").and_then(Value::as_i64), Some(40_001 | 40_014 | 42_001))
}

/// The extent of contact data that binding a telephone number changes.
const PHONE: Extent = Extent::One(Field::Phone);

/// A telephone number, masked.
#[derive(Serialize, ToSchema)]
pub struct PhoneView {
    /// The number without its middle; null when none is bound. 已遮盖的手机号。
    #[schema(example = "138****5678")]
    phone: Option<String>,
}

/// Binds the caller's telephone number, as WeChat verified it.
///
/// 绑定手机号：提交手机号按钮得到的 code（不是 wx.login 的 code）；号码加密保存，只显示遮盖后的。
#[utoipa::path(tag = "me", request_body = WechatCodeBody, responses((status = 200, body = PhoneView)))]
#[post("/me/phone")]
async fn bind_phone(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    _key: Key,
    body: Json<WechatCodeBody>,
) -> Reply<HttpResponse> {
    let world = app.world(caller.tenant)?;
    let program = find_program(&app, &world, body.0.app_id.as_deref())?;
    app.codes.count_named_attempt(&format!("phone {}", caller.session), app.clock.now())?;
    let code = check_code(&body.0.code)?;
    let ask = async |token: &str| {
        let query = encode_query(&[("access_token", token)]);
        let url = format!("{}/wxa/business/getuserphonenumber?{query}", program.url);
        Reply::Ok(app.outbound.make_call(Call::post(url, json!({ "code": code }))).await?.body)
    };
    let token = obtain_access_token(&app, program, None).await?;
    let mut answer = ask(&token).await?;
    if is_token_refused(&answer) {
        answer = ask(&obtain_access_token(&app, program, Some(&token)).await?).await?;
    }
    let answer = check_answer(answer)?;
    let info = answer.get("phone_info").unwrap_or(&Value::Null);
    let pure = read_text(info, "purePhoneNumber").filter(|phone| phone.len() <= 20);
    let phone = pure.ok_or_else(|| outside_unavailable("WeChat answered no telephone number"))?;
    let from = info.pointer("/watermark/appid").and_then(Value::as_str);
    if from.is_some_and(|from| from != program.app_id) {
        return Err(outside_unavailable("WeChat answered for another mini-program"));
    }
    let foreign = |_fault| Problem::new(Code::OutsideRefused).with("reason", "foreign_phone");
    let phone = Phone::try_from(phone).map_err(foreign)?;
    let shown = Field::Phone.mask_value(phone.as_str());
    let (tenant, person, now) = (caller.tenant, caller.person, app.clock.now());
    let look_up = app.vault.ensure_look_up(&app.store, tenant, now).await?;
    let blind = look_up.digest_value(Field::Phone, phone.as_str());
    let known = Contact { phone: Some(phone), ..Contact::default() };
    contact::save(&app, &request, &caller, (person, PHONE), known).await?;
    app.store.run(message::save_verified_phone(tenant, person, blind, now)).await?;
    Ok(HttpResponse::Ok().json(PhoneView { phone: Some(shown) }))
}

/// Shows the caller's telephone number, masked.
///
/// 我绑定的手机号（已遮盖）。
#[utoipa::path(tag = "me", responses((status = 200, body = PhoneView)))]
#[get("/me/phone")]
async fn get_phone(app: Data<App>, caller: Caller) -> Reply<HttpResponse> {
    let (tenant, person) = (caller.tenant, caller.person);
    let kept = app
        .vault
        .load_values(&app.store, tenant, (SubjectKind::Person, vec![person.0]), &[Field::Phone])
        .await?;
    let phone = kept.get(&person.0).and_then(|values| values.get(&Field::Phone));
    Ok(HttpResponse::Ok()
        .json(PhoneView { phone: phone.map(|phone| Field::Phone.mask_value(phone)) }))
}

/// Deletes the caller's telephone number.
///
/// 解绑并删除我的手机号。
#[utoipa::path(tag = "me", responses((status = 204, description = "Forgotten 已删除")))]
#[post("/me/phone/unbind")]
async fn unbind_phone(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    _key: Key,
) -> Reply<HttpResponse> {
    let none = Contact::default();
    let (tenant, person) = (caller.tenant, caller.person);
    contact::save(&app, &request, &caller, (person, PHONE), none).await?;
    app.store.run(message::unbind_phone(tenant, person)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The result of a content check: its suggestion, and its own code for the reason.
pub(crate) type Checked = (Suggestion, Option<i64>);

/// The mini-program that checks what a person of this tenant writes, and the person's openid there;
/// none where none is configured or the person never used it.
pub(crate) async fn find_checker<'a>(
    app: &'a App,
    world: &TenantSnapshot,
    person: PersonId,
) -> Reply<Option<(&'a MiniProgram, String)>> {
    let serves = |program: &&MiniProgram| {
        program.check_content
            && program.tenant.as_ref().is_none_or(|tenant| *tenant == world.tenant.code)
    };
    let checking: Vec<&MiniProgram> = app.settings.mini_programs.iter().filter(serves).collect();
    if checking.is_empty() {
        return Ok(None);
    }
    let tenant = world.tenant.id;
    let known = app.store.read(move |db| identity::load_for_person(db, tenant, person)).await?;
    let openid = |program: &MiniProgram| {
        let here = provider_name(program);
        known.iter().find(|(provider, _)| *provider == here).map(|(_, subject)| subject.clone())
    };
    Ok(checking.into_iter().find_map(|program| openid(program).map(|openid| (program, openid))))
}

/// Calls a content check, again with another token when the first was refused.
async fn request_check(
    app: &App,
    program: &MiniProgram,
    interface: &str,
    body: &Value,
) -> Result<Value, Cause> {
    let unavailable = |problem: Problem| {
        tracing::warn!(?problem, interface, "a content check did not answer");
        Cause::Unavailable
    };
    let mut stale: Option<String> = None;
    for _ in 0..2 {
        let token =
            obtain_access_token(app, program, stale.as_deref()).await.map_err(unavailable)?;
        // The token is in the address only.
        let query = encode_query(&[("access_token", token.as_str())]);
        let url = format!("{}/wxa/{interface}?{query}", program.url);
        let answered = app.outbound.make_call(Call::post(url, body.clone())).await;
        let answer = answered.map_err(|failure| unavailable(failure.into()))?.body;
        if is_token_refused(&answer) {
            stale = Some(token);
            continue;
        }
        return match answer.get("errcode").and_then(Value::as_i64) {
            Some(0) | None => Ok(answer),
            // The user has not been there for two hours, or is none of its users.
            Some(61_010 | 40_003 | 40_001) => Err(Cause::Refused),
            Some(other) => {
                tracing::warn!(errcode = other, interface, "a content check failed");
                Err(Cause::Unavailable)
            }
        };
    }
    Err(Cause::Unavailable)
}

/// Parses the answer of a content check, or an event about one.
pub(crate) fn parse_checked(answer: &Value) -> Option<Checked> {
    let result = answer.get("result")?;
    let suggestion = result.get("suggest").and_then(Value::as_str).and_then(Suggestion::parse)?;
    Some((suggestion, result.get("label").and_then(Value::as_i64)))
}

/// Checks a text (`msg_sec_check`, version 2): the worst of its parts counts.
pub(crate) async fn check_text(
    app: &App,
    program: &MiniProgram,
    openid: &str,
    text: &str,
) -> Result<Checked, Cause> {
    /// The most characters of one question.
    const MOST: usize = 2500;
    /// 评论: a comment.
    const SCENE: i64 = 2;
    let letters: Vec<char> = text.chars().collect();
    let mut worst = (Suggestion::Pass, None);
    for part in letters.chunks(MOST) {
        let content: String = part.iter().collect();
        let body = json!({ "version": 2, "openid": openid, "scene": SCENE, "content": content });
        let answer = request_check(app, program, "msg_sec_check", &body).await?;
        let said = parse_checked(&answer).ok_or(Cause::Unavailable)?;
        if said.0 >= worst.0 {
            worst = said;
        }
    }
    Ok(worst)
}

/// Submits a picture or a sound to the check (`media_check_async`); answers the trace id under
/// which the result comes later.
pub(crate) async fn check_media(
    app: &App,
    program: &MiniProgram,
    openid: &str,
    (address, sound): (&str, bool),
) -> Result<String, Cause> {
    const SCENE: i64 = 2;
    let kind = if sound { 1 } else { 2 };
    let body = json!({
        "version": 2, "openid": openid, "scene": SCENE, "media_url": address, "media_type": kind,
    });
    let answer = request_check(app, program, "media_check_async", &body).await?;
    let trace = answer.get("trace_id").and_then(Value::as_str);
    trace.filter(|trace| is_trace(trace)).map(str::to_owned).ok_or(Cause::Unavailable)
}

/// Whether a text can be a trace id of a check.
pub(crate) fn is_trace(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The name of the quota of subscribe messages a person agreed to, for a template of a
/// mini-program.
pub fn quota_name(program: &MiniProgram, template: &str) -> String {
    format!("{} {template}", program.app_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_errcode_has_its_answer() {
        for (errcode, code) in [
            (40_029, Code::CredentialsInvalid),
            (40_163, Code::CredentialsInvalid),
            (40_226, Code::OutsideRefused),
            (45_011, Code::TooManyRequests),
            (-1, Code::OutsideUnavailable),
            (40_013, Code::OutsideUnavailable),
            (40_125, Code::OutsideUnavailable),
            (99_999, Code::OutsideUnavailable),
        ] {
            let answer = json!({ "errcode": errcode, "errmsg": "secret words" });
            assert_eq!(check_answer(answer).unwrap_err().code(), code, "{errcode}");
        }
        assert!(check_answer(json!({ "openid": "o" })).is_ok());
        assert!(check_answer(json!({ "errcode": 0, "openid": "o" })).is_ok());
    }
}
