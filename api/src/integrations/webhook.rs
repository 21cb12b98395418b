//! Webhooks over HTTP: servers of others that receive signed events, each until it is accepted.
//!
//! A webhook has its own place in the feed of its tenant. While it is paused it stays there, so
//! that nothing is lost, and continues from there later.

mod approval;
mod body;
pub mod sign;

use actix_web::{HttpRequest, HttpResponse, get, post, web::Data};
use chrono::{DateTime, Duration, Utc};
use domain::{
    Instant,
    core::delivery::{Channel, State},
    flows::event_type::Happening,
    people::{
        actor::Permission,
        audit::{AuditAction, Note},
    },
    rules::{refusal::Refusal, webhook::Status},
};
use persistence::{
    Db,
    integrations::{
        delivery::{self, Again, Delivery},
        webhook::{self as hooks, Secret, Webhook},
    },
    kernel::feed,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

pub use self::approval::load_reader;
use self::body::{Given, WebhookBody, WebhookView, check_url};
use crate::{
    app::{
        caller::Caller,
        clock::{derive_id, new_id},
        state::App,
    },
    http::{
        body::Json,
        headers::Key,
        page::{Cursor, Limit, Page},
        params::{IdPath, Query},
        problem::{Code, Problem, Reply},
        register::ServiceConfig,
        view,
    },
    privacy::audit::Noting,
};

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(create_webhook).service(list_webhooks).service(list_event_types);
}

/// Registers the operations below one webhook.
pub fn under_webhook(config: &mut ServiceConfig<'_>) {
    config
        .service(get_webhook)
        .service(approval::approve_webhook)
        .service(update_webhook)
        .service(pause_webhook)
        .service(resume_webhook)
        .service(remove_webhook)
        .service(rotate_webhook_secret)
        .service(test_webhook)
        .service(replay_webhook);
}

/// How long the previous secret works beside the new one.
fn secret_overlap() -> Duration {
    Duration::hours(24)
}

/// The webhook of this identity, if the caller may manage it.
async fn load_managed(app: &App, caller: &Caller, id: Uuid) -> Reply<Webhook> {
    let tenant = caller.tenant;
    let found = app.store.read(move |db| hooks::find(db, tenant, id)).await?;
    let now = app.clock.now();
    if !caller.may_somewhere(Permission::ManageWebhooks, now) {
        return Err(not_permitted(app, caller)?);
    }
    let mine = |hook: &Webhook| caller.may(Permission::ManageWebhooks, &hook.path, now);
    found.filter(mine).ok_or_else(|| Problem::new(Code::NotFound))
}

fn not_permitted(app: &App, caller: &Caller) -> Reply<Problem> {
    let area = app.world(caller.tenant)?.tenant.name.clone();
    Ok(Refusal::NotPermitted { permission: Permission::ManageWebhooks, area }.into())
}

/// The audit note that a webhook was changed.
fn new_note(app: &App, caller: &Caller, request: &HttpRequest, hook: &Webhook, step: &str) -> Note {
    let detail = json!({ "step": step, "url": hook.url, "types": hook.types, "area": hook.area });
    Noting::of_caller(app, caller, request).note(AuditAction::Webhook, Some(hook.id), &detail)
}

async fn load_view(app: &App, hook: Webhook, secret: Option<String>) -> Reply<WebhookView> {
    let tenant = hook.tenant;
    let end = app.store.read(move |db| feed::load_end(db, tenant)).await?;
    let whole = load_reader(app, &hook).await?.is_some();
    Ok(WebhookView::new(hook, end, whole, secret))
}

fn seal_purpose(webhook: Uuid) -> String {
    format!("webhook {webhook}")
}

fn new_secret(app: &App, webhook: Uuid, now: Instant) -> Reply<(Secret, String)> {
    let (bytes, text) = sign::new_secret()?;
    let sealed = app.seal.seal(&seal_purpose(webhook), &bytes)?;
    Ok((Secret { id: new_id(), webhook, sealed, created_at: now, expires_at: None }, text))
}

/// The secrets a webhook signs with at this moment.
pub async fn load_secrets(app: &App, hook: &Webhook) -> Reply<Vec<Vec<u8>>> {
    let (tenant, id, now) = (hook.tenant, hook.id, app.clock.now());
    let kept = app.store.read(move |db| hooks::load_secrets(db, tenant, id, now)).await?;
    Ok(kept.iter().filter_map(|one| app.seal.open(&seal_purpose(id), &one.sealed)).collect())
}

/// Registers a webhook and makes its first secret.
///
/// 登记事件推送：接收地址、辖区、事件类型；返回签名密钥（Standard Webhooks），只显示这一次。从登记时起推送。
#[utoipa::path(tag = "webhooks", request_body = WebhookBody, responses((status = 201, body = WebhookView)))]
#[post("/webhooks")]
async fn create_webhook(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    key: Key,
    body: Json<WebhookBody>,
) -> Reply<HttpResponse> {
    let given = Given::read(&app, &caller, body.0)?;
    let (tenant, id, now) =
        (caller.tenant, derive_id(caller.person, key.0, "webhook"), app.clock.now());
    let position = app.store.read(move |db| feed::load_end(db, tenant)).await?;
    let hook = Webhook {
        tenant,
        id,
        name: given.name.clone(),
        url: given.url.clone(),
        area: given.area,
        path: given.path.clone(),
        types: given.types.clone(),
        envelope: given.envelope,
        status: Status::Active,
        why: None,
        position,
        failing_since: None,
        created_at: now,
        created_by: caller.person,
        changed_at: now,
        approval: None,
    };
    let (secret, text) = new_secret(&app, id, now)?;
    let note = new_note(&app, &caller, &request, &hook, "create");
    let new = hook.clone();
    let add = hooks::register_webhook(new, secret);
    let add = add.with_note_from(tenant, move |(added, _)| added.then_some(note));
    match app.store.run(add).await? {
        (true, _) => Ok(HttpResponse::Created().json(load_view(&app, hook, Some(text)).await?)),
        (false, None) => {
            Err(Problem::new(Code::TooMany).with("what", "webhooks").with("max", hooks::MOST))
        }
        (false, Some(known)) if known.created_by != caller.person || !given.matches(&known) => {
            Err(Problem::new(Code::IdempotencyKeyReused))
        }
        // A replay: the answer it was given, with the first secret.
        (false, Some(known)) => {
            let first =
                load_secrets(&app, &known).await?.pop().map(|bytes| sign::encode_secret(&bytes));
            Ok(HttpResponse::Created().json(load_view(&app, known, first).await?))
        }
    }
}

/// Which webhooks to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListWebhooks {
    /// How many at most, 1 to 100.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 20)]
    limit: Option<Limit>,
    /// Where the last page ended.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<Uuid>>,
}

/// Lists webhooks.
///
/// 事件推送列表。
#[utoipa::path(tag = "webhooks", params(ListWebhooks), responses((status = 200, body = Page<WebhookView>)))]
#[get("/webhooks")]
async fn list_webhooks(
    app: Data<App>,
    caller: Caller,
    params: Query<ListWebhooks>,
) -> Reply<Page<WebhookView>> {
    let now = app.clock.now();
    if !caller.may_somewhere(Permission::ManageWebhooks, now) {
        return Err(not_permitted(&app, &caller)?);
    }
    let paths = caller.scope_for(Permission::ManageWebhooks, now).paths;
    let (tenant, limit) = (caller.tenant, params.0.limit.unwrap_or_default());
    let after = params.0.cursor.map(|cursor| cursor.0);
    let look = move |db: &mut Db| {
        Ok((feed::load_end(db, tenant)?, hooks::list(db, tenant, &paths, after, limit.probe())?))
    };
    let (end, found) = app.store.read(look).await?;
    let mut shown = Vec::with_capacity(found.len());
    for hook in found {
        let whole = load_reader(&app, &hook).await?.is_some();
        shown.push((hook.id, WebhookView::new(hook, end, whole, None)));
    }
    Ok(Page::from_rows(shown, limit, |(id, _)| *id, |(_, view)| view))
}

/// Shows a webhook.
///
/// 事件推送详情；有权阅读该辖区案卷的人也能看到，以便决定是否批准推送全文。
#[utoipa::path(tag = "webhooks", responses((status = 200, body = WebhookView)))]
#[get("")]
async fn get_webhook(app: Data<App>, caller: Caller, id: IdPath<Uuid>) -> Reply<HttpResponse> {
    let hook = approval::load_visible(&app, &caller, id.0).await?;
    Ok(HttpResponse::Ok().json(load_view(&app, hook, None).await?))
}

/// Commits a change of a webhook.
async fn save_change(
    app: &App,
    request: &HttpRequest,
    caller: &Caller,
    hook: Webhook,
    step: &str,
) -> Reply<HttpResponse> {
    let (tenant, note) = (caller.tenant, new_note(app, caller, request, &hook, step));
    let new = hook.clone();
    let change = hooks::change_webhook(new).with_note_if_done(tenant, note);
    if !app.store.run(change).await? {
        return Err(Problem::new(Code::NotFound));
    }
    Ok(HttpResponse::Ok().json(load_view(app, hook, None).await?))
}

/// Changes a webhook.
///
/// 修改事件推送：整体替换名称、地址、辖区、类型和格式；未送出的事件按新的设置继续。地址、辖区或类型变了，推送全文须重新批准。
#[utoipa::path(tag = "webhooks", request_body = WebhookBody, responses((status = 200, body = WebhookView)))]
#[post("/update")]
async fn update_webhook(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    _key: Key,
    id: IdPath<Uuid>,
    body: Json<WebhookBody>,
) -> Reply<HttpResponse> {
    let hook = load_managed(&app, &caller, id.0).await?;
    let Given { name, url, area, path, types, envelope } = Given::read(&app, &caller, body.0)?;
    let changed_at = app.clock.now();
    // The approval was for exactly these.
    let same = (&url, area, &types) == (&hook.url, hook.area, &hook.types);
    let approval = hook.approval.filter(|_| same);
    let hook = Webhook { name, url, area, path, types, envelope, changed_at, approval, ..hook };
    save_change(&app, &request, &caller, hook, "update").await
}

/// Lets events wait.
///
/// 暂停推送：事件不丢，恢复后从暂停处继续。
#[utoipa::path(tag = "webhooks", responses((status = 200, body = WebhookView)))]
#[post("/pause")]
async fn pause_webhook(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    _key: Key,
    id: IdPath<Uuid>,
) -> Reply<HttpResponse> {
    let hook = load_managed(&app, &caller, id.0).await?;
    let hook = Webhook { status: Status::Paused, changed_at: app.clock.now(), ..hook };
    save_change(&app, &request, &caller, hook, "pause").await
}

/// Lets events flow again, from where they stopped.
///
/// 恢复推送：从暂停处继续，不漏事件；停用（对方返回 410）的也可以恢复。
#[utoipa::path(tag = "webhooks", responses((status = 200, body = WebhookView)))]
#[post("/resume")]
async fn resume_webhook(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    _key: Key,
    id: IdPath<Uuid>,
) -> Reply<HttpResponse> {
    let hook = load_managed(&app, &caller, id.0).await?;
    check_url(&app, &hook.url)?;
    let changed_at = app.clock.now();
    let (status, failing_since, why) = (Status::Active, None, None);
    let hook = Webhook { status, failing_since, why, changed_at, ..hook };
    save_change(&app, &request, &caller, hook, "resume").await
}

/// Removes a webhook; what was delivered stays on record for its time.
///
/// 删除事件推送：未送出的事件不再推送，投递记录按期保留。
#[utoipa::path(tag = "webhooks", responses((status = 204, description = "Removed 已删除")))]
#[post("/remove")]
async fn remove_webhook(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    _key: Key,
    id: IdPath<Uuid>,
) -> Reply<HttpResponse> {
    let hook = load_managed(&app, &caller, id.0).await?;
    let (tenant, now) = (caller.tenant, app.clock.now());
    let note = new_note(&app, &caller, &request, &hook, "remove");
    let remove = delivery::remove_webhook(tenant, hook.id, now);
    app.store.run(remove.with_note_if_done(tenant, note)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Makes a new secret; the one before works for a day beside it.
///
/// 轮换签名密钥：新旧密钥并用 24 小时（两个签名同时给出），对方换好前不会漏验。
#[utoipa::path(tag = "webhooks", responses((status = 200, body = WebhookView)))]
#[post("/rotate_secret")]
async fn rotate_webhook_secret(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    _key: Key,
    id: IdPath<Uuid>,
) -> Reply<HttpResponse> {
    let hook = load_managed(&app, &caller, id.0).await?;
    let (tenant, now) = (caller.tenant, app.clock.now());
    let (secret, text) = new_secret(&app, hook.id, now)?;
    let note = new_note(&app, &caller, &request, &hook, "rotate_secret");
    let rotate = hooks::rotate_webhook_secret(tenant, secret, now + secret_overlap());
    app.store.run(rotate.with_note(tenant, note)).await?;
    Ok(HttpResponse::Ok().json(load_view(&app, hook, Some(text)).await?))
}

/// A delivery that was ordered.
#[derive(Serialize, ToSchema)]
pub struct OrderedView {
    /// The delivery, to be looked up.
    delivery_id: Uuid,
}

/// The type of the event that tests a webhook.
pub const TEST: &str = "webhook.test";

/// Sends a test event.
///
/// 发送测试事件（webhook.test），结果见投递记录。
#[utoipa::path(tag = "webhooks", responses((status = 202, body = OrderedView)))]
#[post("/test")]
async fn test_webhook(
    app: Data<App>,
    caller: Caller,
    key: Key,
    id: IdPath<Uuid>,
) -> Reply<HttpResponse> {
    let hook = load_managed(&app, &caller, id.0).await?;
    let (now, delivery_id) = (app.clock.now(), derive_id(caller.person, key.0, "webhook test"));
    let content = json!({
        "id": delivery_id, "type": TEST, "label": "测试事件", "at": now, "by": caller.name,
        "subject": { "kind": "webhook", "id": hook.id, "path": format!("/api/v1/webhooks/{}", hook.id) },
        "data": {},
    });
    let new = Delivery {
        tenant: caller.tenant,
        id: delivery_id,
        channel: Channel::Webhook,
        target: hook.id,
        event: delivery_id,
        kind: TEST.to_owned(),
        // It belongs to no flow, so it waits for nothing.
        flow: delivery_id,
        position: 0,
        part: 0,
        content: content.to_string(),
        state: State::Waiting,
        attempts: 0,
        created_at: now,
        next_at: Some(now),
        ended_at: None,
        why: None,
    };
    app.store.run(delivery::add_delivery(new)).await?;
    Ok(HttpResponse::Accepted().json(OrderedView { delivery_id }))
}

/// Which deliveries are sent again.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayBody {
    /// Deliveries made from here on. 起始时间。
    #[serde(deserialize_with = "crate::http::body::time::read_moment")]
    from: DateTime<Utc>,
    /// And before this; now when left out. 截止时间。
    #[serde(default, deserialize_with = "crate::http::body::time::read_optional_moment")]
    until: Option<DateTime<Utc>>,
    /// Also those that were delivered; only those that failed when left out. 含已送达的。
    #[serde(default)]
    delivered: bool,
}

/// How many are sent again.
#[derive(Serialize, ToSchema)]
pub struct ReplayedView {
    /// The number sent again; when it is `most`, ask again for the rest.
    count: i64,
    /// The most one request sends again.
    most: i64,
}

/// The most deliveries one request sends again.
const REPLAYED: i64 = 1000;

/// Sends deliveries again, with the identities they had.
///
/// 重放一段时间的投递：事件标识不变，对方据此去重；默认只重放未送达的。
#[utoipa::path(tag = "webhooks", request_body = ReplayBody, responses((status = 202, body = ReplayedView)))]
#[post("/replay")]
async fn replay_webhook(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    _key: Key,
    id: IdPath<Uuid>,
    body: Json<ReplayBody>,
) -> Reply<HttpResponse> {
    let hook = load_managed(&app, &caller, id.0).await?;
    let (tenant, now) = (caller.tenant, app.clock.now());
    let ReplayBody { from, until, delivered } = body.0;
    let which = Again { target: hook.id, from, until: until.unwrap_or(now), delivered };
    let note = new_note(&app, &caller, &request, &hook, "replay");
    let again = delivery::replay_deliveries(tenant, which, now, REPLAYED);
    let count = app.store.run(again.with_note(tenant, note)).await?;
    Ok(HttpResponse::Accepted().json(ReplayedView { count, most: REPLAYED }))
}

/// A type of event.
#[derive(Serialize, ToSchema)]
pub struct EventTypeView {
    /// The name of the type, as `types` of a webhook lists it.
    #[serde(rename = "type")]
    #[schema(schema_with = view::happening)]
    kind: &'static str,
    /// The type in Chinese.
    label: &'static str,
}

/// Lists the types of events.
///
/// 事件类型目录。
#[utoipa::path(tag = "events", responses((status = 200, body = Vec<EventTypeView>)))]
#[get("/event_types")]
async fn list_event_types(_caller: Caller) -> HttpResponse {
    let view = |one: &Happening| EventTypeView { kind: one.name(), label: one.label() };
    HttpResponse::Ok().json(Happening::ALL.iter().map(view).collect::<Vec<_>>())
}
