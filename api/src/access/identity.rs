//! External identities that log a person in: linked by a caller who proves once more to be the
//! person, listed and unlinked by the person and by administrators. A token alone, which may be
//! stolen, links nothing; the person is notified of every change.

use actix_web::{HttpRequest, HttpResponse, get, post, web::Data};
use chrono::{DateTime, Duration, Utc};
use domain::{
    core::{
        id::{PersonId, TenantId},
        journal::Hash,
    },
    flows::person::Person,
    people::audit::AuditAction,
    rules::notice::NoticeKind,
};
use persistence::{
    Db,
    integrations::message::{self, Message},
    people::{
        identity::{self as identities, Linked},
        person as people, session as sessions,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    access::{
        gate, second_factor,
        session::load_managed_person,
        wechat::{self, UNION, link_identity, provider_name},
    },
    app::{
        caller::{Caller, Incomplete, Restriction},
        clock::new_id,
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
    privacy::audit::Noting,
};

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(link_wechat).service(list_my_identities).service(unlink_my_identity);
}

/// Registers the operations below one person.
pub fn under_person(config: &mut ServiceConfig<'_>) {
    config.service(list_person_identities).service(unlink_person_identity);
}

/// The identity under which a person's external identity is shown; it does not reveal the subject
/// at the provider.
pub fn identity_id(person: PersonId, provider: &str, subject: &str) -> Uuid {
    Hash::digest(format!("identity\n{}\n{provider}\n{subject}", person.0).as_bytes()).to_uuid()
}

/// Whether this external identity is linked to the person.
pub async fn is_linked(app: &App, tenant: TenantId, person: PersonId, id: Uuid) -> Reply<bool> {
    let linked = app.store.read(move |db| identities::load_linked(db, tenant, person)).await?;
    Ok(linked.iter().any(|one| identity_id(person, &one.provider, &one.subject) == id))
}

/// An external identity.
#[derive(Serialize, ToSchema)]
pub struct IdentityView {
    /// Its name here, for unlinking it.
    #[schema(example = "8f14e45f-ceea-867f-a5b4-3c6c5a2d1e0f")]
    id: Uuid,
    /// Of what kind: `wechat_mini_program`. 类型。
    kind: &'static str,
    /// Which mini-program. 小程序 AppID。
    app_id: String,
    /// Since when it logs in here. 绑定时间。
    linked_at: DateTime<Utc>,
}

impl IdentityView {
    /// Those that log the person in; the one that only ties several of them together (unionid) is
    /// left out.
    pub fn from_linked(person: PersonId, linked: &[Linked]) -> Vec<Self> {
        let view = |one: &Linked| {
            Some(Self {
                id: identity_id(person, &one.provider, &one.subject),
                kind: "wechat_mini_program",
                app_id: one.provider.strip_prefix("wechat:")?.to_owned(),
                linked_at: one.at,
            })
        };
        linked.iter().filter_map(view).collect()
    }
}

/// External identities, in the order they were linked.
#[derive(Serialize, ToSchema)]
pub struct IdentitiesView {
    /// At most 100.
    items: Vec<IdentityView>,
}

/// External identities that a reset unlinked.
#[derive(Serialize, ToSchema)]
pub struct EndedIdentities {
    /// The identities that log in no more. 已解除的外部身份。
    pub ended_identities: Vec<IdentityView>,
}

/// A WeChat identity that is linked already, as proof.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkedProof {
    /// Of which mini-program; may be left out where there is only one. 小程序 AppID。
    #[schema(max_length = 40)]
    app_id: Option<String>,
    /// What `wx.login` gives there. wx.login 的 code。
    #[schema(max_length = 512)]
    code: String,
}

/// Proof that the caller is the person; exactly one of them.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// The password. 密码。
    #[schema(max_length = 128, format = Password)]
    password: Option<String>,
    /// A code of the second factor, or a recovery code. 动态口令或恢复码。
    #[schema(max_length = 40, example = "123456")]
    second_factor: Option<String>,
    /// A WeChat identity that is linked already. 已绑定的微信。
    wechat: Option<LinkedProof>,
}

/// An identity to link.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkBody {
    /// Which mini-program; may be left out where there is only one. 小程序 AppID。
    #[schema(max_length = 40)]
    app_id: Option<String>,
    /// What `wx.login` gave; works once, for five minutes. wx.login 的 code。
    #[schema(max_length = 512)]
    code: String,
    /// What proves once more who asks. 再次证明是本人。
    proof: Option<Proof>,
}

/// Refuses a caller who does not prove once more to be the person.
async fn require_proof(
    app: &App,
    request: &HttpRequest,
    caller: &Caller,
    (proof, accepted): (Option<Proof>, &[&str]),
) -> Reply<()> {
    let wrong = || Problem::new(Code::ProofWrong);
    let proven = match proof {
        Some(Proof { second_factor: Some(code), .. }) => {
            return second_factor::require_code(app, request, caller, &code).await;
        }
        Some(Proof { password: Some(password), .. }) => {
            let known = step::load_visible::<Person>(app, caller, caller.person.0).await?;
            gate::is_password(app, caller, &known.state, password).await?
        }
        Some(Proof { wechat: Some(linked), .. }) => {
            let world = app.world(caller.tenant)?;
            let program = wechat::find_program(app, &world, linked.app_id.as_deref())?;
            let found = wechat::exchange_code(app, program, &linked.code).await?;
            let id = identity_id(caller.person, &provider_name(program), &found.openid);
            is_linked(app, caller.tenant, caller.person, id).await?
        }
        Some(_) | None => {
            return Err(Problem::new(Code::ProofRequired).with("accepted", accepted));
        }
    };
    if proven { Ok(()) } else { Err(wrong()) }
}

/// How long a fresh login counts as proof.
const FRESH: Duration = Duration::minutes(10);

/// The same for a second factor that is to be enrolled: it is no proof of itself. A login that
/// waits for a factor was proven when it began, and so was any login of a person who has neither a
/// password nor an identity here (OpenID Connect); later they have to log in again.
pub async fn require_factor_proof(
    app: &App,
    request: &HttpRequest,
    caller: &Incomplete,
    proof: Option<Proof>,
) -> Reply<()> {
    let (tenant, person, session) = (caller.tenant, caller.person, caller.session);
    let now = app.clock.now();
    let look = move |db: &mut Db| {
        let password = people::has_password(db, tenant, person)?;
        let linked = !identities::load_linked(db, tenant, person)?.is_empty();
        let begun = sessions::find(db, tenant, session, now)?.map(|(one, _)| one.created_at);
        Ok((password || linked, begun))
    };
    let (provable, begun) = app.store.read(look).await?;
    let waits = caller.restriction == Some(Restriction::SecondFactor);
    let fresh = begun.is_some_and(|begun| begun > now - FRESH);
    if fresh && (waits || !provable) {
        return Ok(());
    }
    app.codes.count_named_attempt(&format!("enrol {session}"), now)?;
    let accepted: &[&str] = if provable { &["password", "wechat"] } else { &["login"] };
    let proof = proof.filter(|_| provable).map(|proof| Proof { second_factor: None, ..proof });
    require_proof(app, request, caller, (proof, accepted)).await
}

/// Links the caller to an identity at WeChat.
///
/// 把当前账号与微信绑定（wx.login 的 code），以后可用小程序登录这个账号；须以密码、动态口令或已绑定的微信再次证明是本人，绑定后会告知本人。
#[utoipa::path(tag = "me", request_body = LinkBody, responses((status = 204, description = "Linked 已绑定")))]
#[post("/me/wechat")]
async fn link_wechat(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    _key: Key,
    body: Json<LinkBody>,
) -> Reply<HttpResponse> {
    let LinkBody { app_id, code, proof } = body.0;
    let world = app.world(caller.tenant)?;
    let program = wechat::find_program(&app, &world, app_id.as_deref())?;
    app.codes.count_named_attempt(&format!("wechat {}", caller.session), app.clock.now())?;
    let accepted = ["password", "second_factor", "wechat"];
    require_proof(&app, &request, &caller, (proof, &accepted)).await?;
    let found = wechat::exchange_code(&app, program, &code).await?;
    let whose = link_identity(&app, caller.tenant, program, &found, caller.person).await?;
    if whose != caller.person {
        return Err(Problem::new(Code::AlreadyExists).with("what", "identity").detail(
            "这个微信已经绑定了另一个账号；请先在那个账号解除绑定。",
            "This WeChat identity is linked to another account; unlink it there first.",
        ));
    }
    let detail = json!({ "provider": provider_name(program) });
    let note = Noting::of_caller(&app, &caller, &request);
    let note = note.note(AuditAction::Link, Some(caller.person.0), &detail);
    let text = "一个微信绑定到了您的账号，以后可以用它登录。如果不是您本人操作，请立即解除绑定并修改密码。";
    let (tenant, told) = (caller.tenant, new_message(&app, caller.person, text));
    app.store.run(message::add_message(tenant, told).with_note(tenant, note)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The message that notifies a person of a change.
fn new_message(app: &App, person: PersonId, text: &str) -> Message {
    Message {
        person,
        id: new_id(),
        kind: NoticeKind::IdentityChanged,
        title: NoticeKind::IdentityChanged.label().to_owned(),
        body: text.to_owned(),
        flow: "person".to_owned(),
        flow_id: person.0,
        at: app.clock.now(),
        read_at: None,
    }
}

/// Notifies a person how many identities a reset unlinked.
pub async fn tell_ended_identities(
    app: &App,
    tenant: TenantId,
    person: PersonId,
    ended: &[Linked],
) -> Reply<()> {
    let ended = IdentityView::from_linked(person, ended).len();
    if ended == 0 {
        return Ok(());
    }
    let text = format!("密码或动态口令重置时，绑定的 {ended} 个微信已解除；需要时请重新绑定。");
    let told = new_message(app, person, &text);
    Ok(app.store.run(message::add_message(tenant, told)).await?)
}

async fn list_identities(app: &App, caller: &Caller, person: PersonId) -> Reply<HttpResponse> {
    let tenant = caller.tenant;
    let linked = app.store.read(move |db| identities::load_linked(db, tenant, person)).await?;
    Ok(HttpResponse::Ok()
        .json(IdentitiesView { items: IdentityView::from_linked(person, &linked) }))
}

/// Unlinks an identity from an account, and ends every login but the caller's: they may have been
/// opened by that identity.
async fn unlink_identity(
    app: &App,
    request: &HttpRequest,
    caller: &Caller,
    (person, id): (PersonId, Uuid),
) -> Reply<HttpResponse> {
    let (tenant, but) = (caller.tenant, caller.session);
    let note = Noting::of_caller(app, caller, request);
    let note = note.note(AuditAction::Unlink, Some(person.0), &json!({ "identity": id }));
    let text = "一个微信已从您的账号解除，不能再用它登录；其他登录已结束。";
    let told = new_message(app, person, text);
    let is_it = move |one: &Linked| identity_id(person, &one.provider, &one.subject) == id;
    let unlink = identities::unlink_identity(tenant, (person, but), is_it, UNION, told);
    let unlink = unlink.with_note_if_done(tenant, note);
    if !app.store.run(unlink).await? {
        return Err(Problem::new(Code::NotFound));
    }
    app.actors.forget_person(person);
    Ok(HttpResponse::NoContent().finish())
}

/// Lists the identities elsewhere that log the caller in.
///
/// 绑定到我的账号、可以用来登录的微信。
#[utoipa::path(tag = "me", responses((status = 200, body = IdentitiesView)))]
#[get("/me/identities")]
async fn list_my_identities(app: Data<App>, caller: Caller) -> Reply<HttpResponse> {
    list_identities(&app, &caller, caller.person).await
}

/// Takes an identity elsewhere from the own account; other logins end.
///
/// 解除绑定到我的账号的某个微信；其他登录全部结束。
#[utoipa::path(tag = "me", responses((status = 204, description = "Unlinked 已解除")))]
#[post("/me/identities/{id}/unlink")]
async fn unlink_my_identity(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    _key: Key,
    id: IdPath<Uuid>,
) -> Reply<HttpResponse> {
    unlink_identity(&app, &request, &caller, (caller.person, id.0)).await
}

/// Lists the identities elsewhere that log a person in.
///
/// 绑定到某人账号、可以用来登录的微信；管理员或本人。
#[utoipa::path(tag = "people", responses((status = 200, body = IdentitiesView)))]
#[get("/identities")]
async fn list_person_identities(
    app: Data<App>,
    caller: Caller,
    id: IdPath<Uuid>,
) -> Reply<HttpResponse> {
    let person = load_managed_person(&app, &caller, id.0).await?;
    list_identities(&app, &caller, person).await
}

/// Takes an identity elsewhere from the account of a person; logins end.
///
/// 解除绑定到某人账号的某个微信，其登录全部结束；管理员或本人。
#[utoipa::path(tag = "people", responses((status = 204, description = "Unlinked 已解除")))]
#[post("/identities/{identity_id}/unlink")]
async fn unlink_person_identity(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    _key: Key,
    ids: IdPath<(Uuid, Uuid)>,
) -> Reply<HttpResponse> {
    let (id, identity) = ids.0;
    let person = load_managed_person(&app, &caller, id).await?;
    unlink_identity(&app, &request, &caller, (person, identity)).await
}
