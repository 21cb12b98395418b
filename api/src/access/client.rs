//! Programs as clients: registered by administrators, with a role over areas, scopes, and secrets
//! that are shown once, expire, and overlap while one replaces the other.

use actix_web::{HttpRequest, HttpResponse, get, post, web::Data};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Duration, Utc};
use domain::{
    core::{
        id::{AreaId, PersonId, TenantId},
        journal::Hash,
        text::{Code as Word, Line},
    },
    flows::{
        change::{Request, execute},
        person::{Command, NewGrant, Person},
    },
    people::{
        actor::{Actor, Permission, Role},
        audit::{AuditAction, Note},
    },
    rules::refusal::Refusal,
};
use persistence::people::client::{self as clients, Client, Secret};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    access::session::load_managed_person,
    app::{
        caller::Caller,
        clock::{derive_id, new_id},
        random::random_bytes,
        scope::Scopes,
        state::App,
    },
    engine::step,
    http::{
        body::Json,
        headers::Key,
        page::{Cursor, Limit, Page},
        params::{IdPath, Query},
        problem::{Code, Problem, Reply},
        register::ServiceConfig,
        view::GrantView,
    },
    privacy::audit::Noting,
};

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(register_client)
        .service(list_clients)
        .service(get_client)
        .service(add_client_secret)
        .service(revoke_client_secret)
        .service(disable_client);
}

/// Requests a minute, where the registration does not say otherwise.
const PER_MINUTE: u32 = 600;

/// How many secrets of a kind work at once: two overlap while one replaces the other, and a
/// vendor may want a key for each of a few systems.
const MOST: [(&str, usize); 2] = [("secret", 2), ("key", 5)];

/// How long a secret works at most, in days.
const MOST_DAYS: u16 = 732;

/// What a secret begins with, by its kind; scanners for leaked secrets look for it.
const PREFIXES: [(&str, &str); 2] = [("key", "gw_"), ("secret", "gws_")];

/// A new secret: the text for its owner, and what is stored.
fn new_secret(
    tenant: TenantId,
    client: PersonId,
    kind: &str,
    (now, days): (DateTime<Utc>, u16),
) -> Reply<(String, Secret)> {
    let id = new_id();
    let bytes = [&tenant.0.as_bytes()[..], id.as_bytes(), &random_bytes::<24>()?].concat();
    let prefix = PREFIXES.iter().find(|(known, _)| *known == kind);
    let prefix = prefix.map(|(_, prefix)| *prefix).unwrap_or_default();
    let text = format!("{prefix}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes));
    let digest = Hash::digest(text.as_bytes()).0.to_vec();
    let stored = Secret {
        id,
        client,
        kind: kind.to_owned(),
        digest,
        created_at: now,
        expires_at: now + Duration::days(i64::from(days)),
        used_at: None,
        revoked_at: None,
    };
    Ok((text, stored))
}

/// A secret sent by a client, in its parts.
pub struct Presented {
    /// The tenant that the secret names.
    pub tenant: TenantId,
    id: Uuid,
    kind: &'static str,
    digest: [u8; 32],
}

impl Presented {
    /// Parses a secret; none when the text cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        const LENGTH: usize = 75;
        let (kind, rest) =
            PREFIXES.iter().find_map(|(kind, prefix)| Some((*kind, text.strip_prefix(prefix)?)))?;
        if rest.len() != LENGTH {
            return None;
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(rest).ok()?;
        let tenant = TenantId(Uuid::from_slice(bytes.get(..16)?).ok()?);
        let id = Uuid::from_slice(bytes.get(16..32)?).ok()?;
        Some(Self { tenant, id, kind, digest: Hash::digest(text.as_bytes()).0 })
    }

    /// The client the secret belongs to, when it works and is of this kind.
    pub async fn load_client(&self, app: &App, kind: &str) -> Reply<Option<(Client, Uuid)>> {
        /// How often at most the time of a secret's last use is written.
        const SEEN: Duration = Duration::minutes(5);
        if self.kind != kind {
            return Ok(None);
        }
        let (tenant, id, now) = (self.tenant, self.id, app.clock.now());
        let found =
            app.store.read(move |db| clients::find_live_secret(db, tenant, id, now)).await?;
        // Digests of long random texts: a timing attack on the comparison gains nothing.
        let found = found.filter(|(secret, _)| {
            secret.kind == kind && secret.digest.as_slice() == self.digest.as_slice()
        });
        let Some((secret, client)) = found else { return Ok(None) };
        if secret.used_at.is_none_or(|used| used < now - SEEN) {
            app.store.run(clients::record_secret_use(tenant, id, now)).await?;
        }
        Ok(Some((client, id)))
    }

    /// The key under which an actor of this secret is cached.
    pub fn cache_key(&self) -> Uuid {
        self.digest.first_chunk().map_or(Uuid::nil(), |bytes| Uuid::from_bytes(*bytes))
    }
}

/// A secret as administrators see it.
#[derive(Serialize, ToSchema)]
pub struct SecretView {
    /// The identity of the secret, for revoking it. 密钥标识。
    id: Uuid,
    /// `secret` to be exchanged for tokens, `key` to be sent itself. 种类。
    kind: String,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it ends. 到期时间。
    expires_at: DateTime<Utc>,
    /// When it was last used, within some minutes. 最近使用。
    used_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    revoked_at: Option<DateTime<Utc>>,
    /// The secret itself, only in the answer that made it. 密钥原文，只显示一次。
    #[schema(example = json!(null))]
    value: Option<String>,
}

impl SecretView {
    fn new(secret: Secret, value: Option<String>) -> Self {
        Self {
            id: secret.id,
            kind: secret.kind,
            created_at: secret.created_at,
            expires_at: secret.expires_at,
            used_at: secret.used_at,
            revoked_at: secret.revoked_at,
            value,
        }
    }
}

/// A client as administrators see it.
#[derive(Serialize, ToSchema)]
pub struct ClientView {
    /// The identity, also as a person.
    id: Uuid,
    /// What it calls itself at `/oauth/token`. client_id。
    client_id: String,
    /// The name. 名称。
    name: String,
    /// What its tokens are limited to, separated by spaces. 权限范围。
    scopes: String,
    /// Requests a minute. 每分钟请求数。
    per_minute: i64,
    /// Its role over areas. 授权。
    grants: Vec<GrantView>,
    /// Its secrets, the newest first. 密钥。
    secrets: Vec<SecretView>,
    /// When it was registered.
    created_at: DateTime<Utc>,
    /// When it was disabled. 停用时间。
    disabled_at: Option<DateTime<Utc>>,
}

/// The `client_id`: the tenant's code and the client's identity.
pub fn client_id(code: &str, id: PersonId) -> String {
    format!("{code}.{}", id.0)
}

async fn client_view(
    app: &App,
    tenant: TenantId,
    client: Client,
    value: Option<(Uuid, String)>,
) -> Reply<ClientView> {
    let id = client.id;
    let person = app.store.load_state::<Person>(tenant, id.0).await?;
    let secrets = app.store.read(move |db| clients::load_secrets(db, tenant, id)).await?;
    let code = app.world(tenant)?.tenant.code.clone();
    let with_value = |secret: Secret| {
        let text = value.as_ref().filter(|(new, _)| *new == secret.id);
        let text = text.map(|(_, text)| text.clone());
        SecretView::new(secret, text)
    };
    Ok(ClientView {
        id: id.0,
        client_id: client_id(&code, id),
        name: client.name,
        scopes: client.scopes,
        per_minute: client.per_minute,
        grants: person.iter().flat_map(|p| p.state.grants.iter().map(GrantView::from)).collect(),
        secrets: secrets.into_iter().map(with_value).collect(),
        created_at: client.created_at,
        disabled_at: client.disabled_at,
    })
}

/// A client to register.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientBody {
    /// The name. 名称。
    #[schema(value_type = String, min_length = 1, max_length = 120, example = "12345 热线平台")]
    name: Line,
    /// What its tokens may do: `read`, `report` or both. 权限范围。
    #[schema(value_type = String, example = "read report")]
    scopes: Scopes,
    /// Over which areas, with everything in them, 1 to 50. 辖区。
    #[schema(min_items = 1, max_items = 50)]
    area_ids: Vec<Uuid>,
    /// Requests a minute, 1 to 60,000; 600 where it is left out. 每分钟请求数。
    #[schema(minimum = 1, maximum = 60000, example = 600)]
    per_minute: Option<u32>,
    /// How many days its first secret works, 1 to 732; a year where it is left out. 有效天数。
    #[schema(minimum = 1, maximum = 732, example = 365)]
    days: Option<u16>,
}

fn check_range<T: PartialOrd + std::fmt::Display + Copy>(
    pointer: &'static str,
    given: T,
    (least, most): (T, T),
) -> Reply<T> {
    if given >= least && given <= most {
        return Ok(given);
    }
    Err(Problem::new(Code::InvalidBody).error(
        pointer,
        "out_of_range",
        format!("应在 {least} 到 {most} 之间。"),
        format!("Expected {least} to {most}."),
    ))
}

fn require_manager(actor: &Actor, app: &App) -> Reply<()> {
    if actor.may_somewhere(Permission::ManagePeople, app.clock.now()) {
        return Ok(());
    }
    let area = app.world(actor.tenant)?.tenant.name.clone();
    Err(Refusal::NotPermitted { permission: Permission::ManagePeople, area }.into())
}

/// The audit note that a client was changed.
fn new_change_note(
    app: &App,
    caller: &Actor,
    request: &HttpRequest,
    (client, step, secret): (PersonId, &str, Option<Uuid>),
) -> Note {
    let detail = json!({ "step": step, "secret": secret });
    Noting::of_caller(app, caller, request).note(AuditAction::Client, Some(client.0), &detail)
}

/// Registers a client and makes its first secret.
///
/// 登记接入系统（集成方）：名称、权限范围、辖区；返回 client_id 和第一个密钥，密钥只显示这一次。
#[utoipa::path(tag = "clients", request_body = ClientBody, responses((status = 201, body = ClientView)))]
#[post("/clients")]
async fn register_client(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    key: Key,
    body: Json<ClientBody>,
) -> Reply<HttpResponse> {
    require_manager(&caller, &app)?;
    let id = PersonId(derive_id(caller.person, key.0, "client"));
    let asked = Request::new(key.0, "register_client", id.0, &body.0);
    let ClientBody { name, scopes, area_ids, per_minute, days } = body.0;
    if scopes.is_empty() {
        return Err(Problem::new(Code::InvalidBody).error(
            "/scopes",
            "empty",
            "应至少给出一个权限范围。",
            "Expected at least one scope.",
        ));
    }
    check_range("/area_ids", area_ids.len(), (1, Person::MAX_GRANTS))?;
    let per_minute = check_range("/per_minute", per_minute.unwrap_or(PER_MINUTE), (1, 60_000))?;
    let days = check_range("/days", days.unwrap_or(365), (1, MOST_DAYS))?;
    let account: String = id.0.simple().to_string().chars().skip(12).collect();
    let account = Word::try_from(format!("client-{account}").as_str())
        .map_err(|_fault| Problem::new(Code::Internal).because("an account name"))?;
    let grant = |area| NewGrant::new(Role::Integrator, AreaId(area));
    let grants = area_ids.into_iter().map(grant).collect();
    let command = Command::Register { id, account, name: name.clone(), grants };
    step::begin_flow(&app, &caller, asked, |context| {
        Ok((execute::<Person>(None, &command, asked, context)?, Vec::new()))
    })
    .await?;
    let (tenant, now) = (caller.tenant, app.clock.now());
    let (text, secret) = new_secret(tenant, id, "secret", (now, days))?;
    let client = Client {
        id,
        name: name.as_str().to_owned(),
        scopes: scopes.to_string(),
        per_minute: i64::from(per_minute),
        created_at: now,
        created_by: caller.person,
        disabled_at: None,
    };
    let (value, added) = ((secret.id, text), client.clone());
    let note = new_change_note(&app, &caller, &request, (id, "registered", Some(secret.id)));
    let add = clients::register_client(tenant, added, secret).with_note_if_done(tenant, note);
    // A retry finds it stored; its secret was shown, or is lost and another one can be made.
    let value = app.store.run(add).await?.then_some(value);
    let stored = app.store.read(move |db| clients::find(db, tenant, id)).await?;
    let view = client_view(&app, tenant, stored.unwrap_or(client), value).await?;
    let place = format!("/api/v1/clients/{}", id.0);
    Ok(HttpResponse::Created().insert_header(("Location", place)).json(view))
}

/// Which clients to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListClients {
    /// How many at most, 1 to 100.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 20)]
    limit: Option<Limit>,
    /// Where the last page ended.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<Uuid>>,
}

/// A client in a list.
#[derive(Serialize, ToSchema)]
pub struct ClientLine {
    /// The identity of the client. 接入系统标识。
    id: Uuid,
    /// The name. 名称。
    name: String,
    /// What its tokens are limited to.
    scopes: String,
    /// When it was registered.
    created_at: DateTime<Utc>,
    /// When it was disabled.
    disabled_at: Option<DateTime<Utc>>,
}

/// Lists clients.
///
/// 接入系统列表；仅管理员可用。
#[utoipa::path(tag = "clients", params(ListClients), responses((status = 200, body = Page<ClientLine>)))]
#[get("/clients")]
async fn list_clients(
    app: Data<App>,
    caller: Caller,
    params: Query<ListClients>,
) -> Reply<Page<ClientLine>> {
    require_manager(&caller, &app)?;
    let limit = params.0.limit.unwrap_or_default();
    let after = params.0.cursor.map(|cursor| cursor.0);
    let (tenant, most) = (caller.tenant, limit.probe());
    let found = app.store.read(move |db| clients::list(db, tenant, after, most)).await?;
    let line = |client: Client| ClientLine {
        id: client.id.0,
        name: client.name,
        scopes: client.scopes,
        created_at: client.created_at,
        disabled_at: client.disabled_at,
    };
    Ok(Page::from_rows(found, limit, |client: &Client| client.id.0, line))
}

/// The client, for a caller who manages it.
async fn load_managed_client(app: &App, caller: &Caller, id: Uuid) -> Reply<Client> {
    // A client must not administer itself.
    require_manager(caller, app)?;
    let person = load_managed_person(app, caller, id).await?;
    let tenant = caller.tenant;
    let found = app.store.read(move |db| clients::find(db, tenant, person)).await?;
    found.ok_or_else(|| Problem::new(Code::NotFound))
}

/// Shows a client.
///
/// 接入系统详情：授权、密钥（不含原文）、最近使用。
#[utoipa::path(tag = "clients", responses((status = 200, body = ClientView)))]
#[get("/clients/{id}")]
async fn get_client(app: Data<App>, caller: Caller, id: IdPath<Uuid>) -> Reply<HttpResponse> {
    let client = load_managed_client(&app, &caller, id.0).await?;
    Ok(HttpResponse::Ok().json(client_view(&app, caller.tenant, client, None).await?))
}

/// What kind of secret.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecretKind {
    /// Exchanged for tokens at `/oauth/token`.
    Secret,
    /// Sent itself as `Authorization: Bearer gw_…`.
    Key,
}

/// A secret to make.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretBody {
    /// `secret` or `key`. 种类。
    kind: SecretKind,
    /// How many days it works, 1 to 732; a year where it is left out. 有效天数。
    #[schema(minimum = 1, maximum = 732, example = 365)]
    days: Option<u16>,
}

/// Makes another secret of a client; the existing ones keep working.
///
/// 为接入系统新建密钥，原有密钥继续有效（便于轮换）；同时有效的 secret 最多 2 个、key 最多 5 个。
#[utoipa::path(tag = "clients", request_body = SecretBody, responses((status = 201, body = SecretView)))]
#[post("/clients/{id}/secrets")]
async fn add_client_secret(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    _key: Key,
    id: IdPath<Uuid>,
    body: Json<SecretBody>,
) -> Reply<HttpResponse> {
    let client = load_managed_client(&app, &caller, id.0).await?;
    let days = check_range("/days", body.0.days.unwrap_or(365), (1, MOST_DAYS))?;
    let kind = match body.0.kind {
        SecretKind::Secret => "secret",
        SecretKind::Key => "key",
    };
    let most = MOST.iter().find(|(known, _)| *known == kind).map_or(1, |(_, most)| *most);
    let tenant = caller.tenant;
    let (text, secret) = new_secret(tenant, client.id, kind, (app.clock.now(), days))?;
    let added = secret.clone();
    let note =
        new_change_note(&app, &caller, &request, (client.id, "secret_added", Some(secret.id)));
    let add = clients::add_client_secret(tenant, added, most).with_note_if_done(tenant, note);
    if !app.store.run(add).await? {
        return Err(Problem::new(Code::TooManySecrets).with("max", most));
    }
    Ok(HttpResponse::Created().json(SecretView::new(secret, Some(text))))
}

/// Revokes a secret of a client, with the tokens it was exchanged for.
///
/// 作废接入系统的某个密钥，用它换取的令牌一并失效。
#[utoipa::path(tag = "clients", responses((status = 204, description = "Revoked 已作废")))]
#[post("/clients/{id}/secrets/{secret_id}/revoke")]
async fn revoke_client_secret(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    _key: Key,
    ids: IdPath<(Uuid, Uuid)>,
) -> Reply<HttpResponse> {
    let (id, secret) = ids.0;
    let client = load_managed_client(&app, &caller, id).await?.id;
    let (tenant, now) = (caller.tenant, app.clock.now());
    let note = new_change_note(&app, &caller, &request, (client, "secret_revoked", Some(secret)));
    let revoke = clients::revoke_client_secret(tenant, client, secret, now);
    let revoke = revoke.with_note_if_done(tenant, note);
    if !app.store.run(revoke).await? {
        return Err(Problem::new(Code::NotFound));
    }
    app.actors.forget_person(client);
    Ok(HttpResponse::NoContent().finish())
}

/// Disables a client for good.
///
/// 停用接入系统：全部密钥和令牌立即失效，不可恢复。
#[utoipa::path(tag = "clients", responses((status = 204, description = "Disabled 已停用")))]
#[post("/clients/{id}/disable")]
async fn disable_client(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    _key: Key,
    id: IdPath<Uuid>,
) -> Reply<HttpResponse> {
    let client = load_managed_client(&app, &caller, id.0).await?.id;
    let (tenant, now) = (caller.tenant, app.clock.now());
    let note = new_change_note(&app, &caller, &request, (client, "disabled", None));
    app.store.run(clients::disable_client(tenant, client, now).with_note(tenant, note)).await?;
    app.actors.forget_person(client);
    Ok(HttpResponse::NoContent().finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_says_whose_it_is_and_of_which_kind() {
        let (tenant, client) = (TenantId(new_id()), PersonId(new_id()));
        for (kind, prefix) in PREFIXES {
            let (text, stored) =
                new_secret(tenant, client, kind, (DateTime::UNIX_EPOCH, 1)).unwrap();
            assert!(text.starts_with(prefix), "{text}");
            let given = Presented::parse(&text).unwrap();
            assert_eq!((given.tenant, given.id, given.kind), (tenant, stored.id, kind));
            assert_eq!(given.digest.as_slice(), stored.digest);
            let end = text.len() - 1;
            assert!(Presented::parse(text.get(..end).unwrap()).is_none());
        }
        for wrong in ["", "gw_", "gws_x", "gw_💥", &format!("gw_{}", "A".repeat(10_000))] {
            assert!(Presented::parse(wrong).is_none(), "{wrong}");
        }
    }
}
