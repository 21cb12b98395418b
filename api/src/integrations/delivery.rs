//! Deliveries over HTTP: what became of each event and message that was sent, attempt by attempt.

use actix_web::{HttpResponse, get, post, web::Data};
use chrono::{DateTime, Utc};
use domain::{
    Instant,
    area::tree::Path,
    core::{
        delivery::{Channel, State},
        id::TenantId,
    },
    people::actor::Permission,
    rules::refusal::Refusal,
};
use persistence::{
    Db,
    integrations::{
        delivery::{self, Attempt, Delivery, Filter},
        webhook::{self as hooks, Webhook},
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    app::{caller::Caller, state::App},
    http::{
        headers::Key,
        page::{Cursor, Limit, Page},
        params::{IdPath, Query},
        problem::{Code, Problem, Reply},
        register::ServiceConfig,
        view,
    },
    integrations::delivery_worker::{GIVEN_UP, GONE},
};

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list_deliveries).service(get_delivery).service(replay_delivery);
}

/// One attempt at a delivery.
#[derive(Serialize, ToSchema)]
pub struct AttemptView {
    /// Its number, from 1.
    no: i32,
    /// When the attempt was made. 时间。
    at: DateTime<Utc>,
    /// How long it took, in milliseconds. 耗时毫秒。
    took_ms: i32,
    /// The HTTP status of the answer; null when there was none. 对方状态码。
    status: Option<i32>,
    /// The outcome of the attempt.
    #[schema(schema_with = view::attempt_outcome)]
    outcome: &'static str,
    /// The outcome in Chinese. 结果名称。
    outcome_label: &'static str,
    /// The beginning of the request; null for messages to people, and without the body for a caller
    /// who may not read the cases it is about. 请求摘要。
    request: Option<String>,
    /// The beginning of the answer, or of the error; null for a caller who may not read the
    /// request, since a receiver may repeat it. 响应摘要。
    response: Option<String>,
}

impl AttemptView {
    fn new(one: Attempt, extent: Extent) -> Self {
        let Attempt { no, at, took_ms, status, outcome, request, response } = one;
        let (outcome, outcome_label) = (outcome.name(), outcome.label());
        let head = || request.split("\n\n").next().unwrap_or_default().to_owned();
        let (request, response) = match extent {
            Extent::Whole => (Some(request), Some(response)),
            Extent::Head => (Some(head()), None),
            // The answer is a number here, never a text.
            Extent::Outcome => (None, Some(response)),
        };
        Self { no, at, took_ms, status, outcome, outcome_label, request, response }
    }
}

/// How much of a delivery is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// All of it.
    Whole,
    /// The address, and what became of it.
    Head,
    /// What became of it: the delivery is for a person.
    Outcome,
}

impl Extent {
    /// How much the caller is shown of a delivery to this webhook. A delivery of identities alone
    /// is shown whole.
    fn choose(one: &Delivery, hook: Option<&Webhook>, caller: &Caller, now: Instant) -> Self {
        if one.channel != Channel::Webhook {
            return Self::Outcome;
        }
        let reads = hook.is_some_and(|hook| caller.may(Permission::ReadCases, &hook.path, now));
        let empty = |content: &Value| {
            content.get("data").and_then(Value::as_object).is_some_and(Map::is_empty)
        };
        if reads || serde_json::from_str(&one.content).is_ok_and(|content| empty(&content)) {
            Self::Whole
        } else {
            Self::Head
        }
    }
}

/// An event or message to be sent.
#[derive(Serialize, ToSchema)]
pub struct DeliveryView {
    /// The identity of the delivery. 投递标识。
    id: Uuid,
    /// The channel. 渠道。
    #[schema(schema_with = view::delivery_channel)]
    channel: &'static str,
    /// The webhook; null for messages to people. 对象；发给个人的不显示。
    target_id: Option<Uuid>,
    /// The identity of the event or message; receivers see it as `webhook-id`. 事件标识。
    event_id: Uuid,
    /// The type of the event or message. 类型。
    kind: String,
    /// The state of the delivery. 状态。
    #[schema(schema_with = view::delivery_state)]
    state: &'static str,
    /// The state in Chinese. 状态名称。
    state_label: &'static str,
    /// How often it was tried since it was last ordered. 尝试次数。
    tried: i32,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it is tried next. 下次尝试时间。
    next_at: Option<DateTime<Utc>>,
    /// When it became final. 结束时间。
    ended_at: Option<DateTime<Utc>>,
    /// The reason why it was not delivered. 未送达原因。
    why: Option<String>,
    /// Every attempt; only where one delivery is read. 历次尝试。
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<Vec<AttemptView>>,
}

impl DeliveryView {
    fn new(one: Delivery, extent: Extent, attempts: Option<Vec<Attempt>>) -> Self {
        let attempts = attempts
            .map(|all| all.into_iter().map(|attempt| AttemptView::new(attempt, extent)).collect());
        Self {
            id: one.id,
            channel: one.channel.name(),
            target_id: (extent != Extent::Outcome).then_some(one.target),
            event_id: one.event,
            kind: one.kind,
            state: one.state.name(),
            state_label: one.state.label(),
            tried: one.attempts,
            created_at: one.created_at,
            next_at: one.next_at,
            ended_at: one.ended_at,
            why: one.why,
            attempts,
        }
    }
}

/// The areas whose webhooks the caller manages; refused where there are none.
fn require_manager_paths(app: &App, caller: &Caller, now: Instant) -> Reply<Vec<Path>> {
    let paths = caller.scope_for(Permission::ManageWebhooks, now).paths;
    if paths.is_empty() {
        let area = app.world(caller.tenant)?.tenant.name.clone();
        return Err(Refusal::NotPermitted { permission: Permission::ManageWebhooks, area }.into());
    }
    Ok(paths)
}

/// The webhooks whose deliveries the caller sees; none for a caller who sees all of the tenant,
/// with the messages to people.
fn load_webhook_ids(
    db: &mut Db,
    tenant: TenantId,
    paths: &[Path],
) -> Result<Option<Vec<Uuid>>, persistence::StoreError> {
    if paths.iter().any(|path| path.lineage().len() == 1) {
        return Ok(None);
    }
    let hooks = hooks::list(db, tenant, paths, None, hooks::MOST)?;
    Ok(Some(hooks.into_iter().map(|hook| hook.id).collect()))
}

/// Which deliveries to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListDeliveries {
    /// How many at most, 1 to 100.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 20)]
    limit: Option<Limit>,
    /// Where the last page ended.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<(Instant, Uuid)>>,
    /// Only to this webhook. 对象（事件推送）。
    target: Option<Uuid>,
    /// Only by this channel. 渠道。
    #[param(value_type = Option<String>, example = "webhook")]
    channel: Option<Channel>,
    /// Only those in this state. 状态。
    #[param(value_type = Option<String>, example = "failed")]
    state: Option<State>,
}

/// Lists deliveries, the newest first.
///
/// 投递记录：推送、微信、企业微信、短信的每一条及其状态，最新的在前。
#[utoipa::path(tag = "webhooks", params(ListDeliveries), responses((status = 200, body = Page<DeliveryView>)))]
#[get("/deliveries")]
async fn list_deliveries(
    app: Data<App>,
    caller: Caller,
    params: Query<ListDeliveries>,
) -> Reply<Page<DeliveryView>> {
    let paths = require_manager_paths(&app, &caller, app.clock.now())?;
    let ListDeliveries { limit, cursor, target, channel, state } = params.0;
    let (tenant, limit) = (caller.tenant, limit.unwrap_or_default());
    let before = cursor.map(|cursor| cursor.0);
    let look = move |db: &mut Db| {
        let webhooks = load_webhook_ids(db, tenant, &paths)?;
        let filter = Filter { target, channel, state, kind: None, webhooks };
        delivery::list(db, tenant, &filter, before, limit.probe())
    };
    let found = app.store.read(look).await?;
    let view = |one: Delivery| {
        let extent = if one.channel == Channel::Webhook { Extent::Head } else { Extent::Outcome };
        DeliveryView::new(one, extent, None)
    };
    Ok(Page::from_rows(found, limit, |one| (one.created_at, one.id), view))
}

async fn load_delivery(
    app: &App,
    caller: &Caller,
    id: Uuid,
) -> Reply<(Delivery, Extent, Vec<Attempt>)> {
    let now = app.clock.now();
    let paths = require_manager_paths(app, caller, now)?;
    let tenant = caller.tenant;
    let look = move |db: &mut Db| {
        let Some((one, attempts)) = delivery::find(db, tenant, id)? else { return Ok(None) };
        let webhooks = load_webhook_ids(db, tenant, &paths)?;
        let of_webhook = one.channel == Channel::Webhook;
        if webhooks.is_some_and(|known| !of_webhook || !known.contains(&one.target)) {
            return Ok(None);
        }
        let hook = if of_webhook { hooks::find(db, tenant, one.target)? } else { None };
        Ok(Some((one, hook, attempts)))
    };
    let found = app.store.read(look).await?.ok_or_else(|| Problem::new(Code::NotFound))?;
    let (mut one, hook, attempts) = found;
    let extent = Extent::choose(&one, hook.as_ref(), caller, now);
    if extent == Extent::Head && one.state == State::Failed {
        // The reason may repeat the answer.
        one.why = one.why.filter(|why| why == GIVEN_UP || why == GONE);
    }
    Ok((one, extent, attempts))
}

/// Shows a delivery with every attempt.
///
/// 一条投递及其历次尝试。
#[utoipa::path(tag = "webhooks", responses((status = 200, body = DeliveryView)))]
#[get("/deliveries/{id}")]
async fn get_delivery(app: Data<App>, caller: Caller, id: IdPath<Uuid>) -> Reply<HttpResponse> {
    let (one, extent, attempts) = load_delivery(&app, &caller, id.0).await?;
    Ok(HttpResponse::Ok().json(DeliveryView::new(one, extent, Some(attempts))))
}

/// Orders a final delivery again.
///
/// 重新投递一条已结束的记录，事件标识不变；仍在重试中的不需要。
#[utoipa::path(tag = "webhooks", responses((status = 202, body = DeliveryView)))]
#[post("/deliveries/{id}/replay")]
async fn replay_delivery(
    app: Data<App>,
    caller: Caller,
    _key: Key,
    id: IdPath<Uuid>,
) -> Reply<HttpResponse> {
    load_delivery(&app, &caller, id.0).await?;
    let (tenant, id, now) = (caller.tenant, id.0, app.clock.now());
    app.store.run(delivery::retry_delivery(tenant, id, now)).await?;
    let (one, extent, attempts) = load_delivery(&app, &caller, id).await?;
    Ok(HttpResponse::Accepted().json(DeliveryView::new(one, extent, Some(attempts))))
}
