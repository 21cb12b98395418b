//! Deliveries over HTTP: what became of everything that was told others, attempt by attempt.

use actix_web::{HttpResponse, get, post, web::Data};
use chrono::{DateTime, Utc};
use domain::{
    Instant,
    actor::Permission,
    area::Path,
    delivery::{Channel, State},
    refusal::Refusal,
};
use persistence::{
    Db,
    delivery::{self, Attempt, Delivery, Filter},
    webhook as hooks,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    auth::Caller,
    headers::Key,
    page::{Cursor, Limit, Page},
    params::{IdPath, Query},
    problem::{Code, Problem, Reply},
    register::ServiceConfig,
    state::App,
    view,
};

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list_deliveries).service(get_delivery).service(replay_delivery);
}

/// One attempt.
#[derive(Serialize, ToSchema)]
pub struct AttemptView {
    /// Its number, from 1.
    no: i32,
    /// When.
    at: DateTime<Utc>,
    /// How long it took, in milliseconds. 耗时毫秒。
    took_ms: i32,
    /// The status that was answered; null when nothing was. 对方状态码。
    status: Option<i32>,
    /// What it came to.
    #[schema(schema_with = view::attempt_outcome)]
    outcome: &'static str,
    /// In Chinese.
    outcome_label: &'static str,
    /// What was sent, cut short. 请求摘要。
    request: String,
    /// What was answered, or what went wrong, cut short. 响应摘要。
    response: String,
}

impl From<Attempt> for AttemptView {
    fn from(one: Attempt) -> Self {
        let Attempt { no, at, took_ms, status, outcome, request, response } = one;
        let (outcome, outcome_label) = (outcome.name(), outcome.label());
        Self { no, at, took_ms, status, outcome, outcome_label, request, response }
    }
}

/// Something others are told.
#[derive(Serialize, ToSchema)]
pub struct DeliveryView {
    /// Its identity.
    id: Uuid,
    /// By which way. 渠道。
    #[schema(schema_with = view::delivery_channel)]
    channel: &'static str,
    /// To which webhook or person. 对象。
    target_id: Uuid,
    /// The identity of what is told; receivers see it as `webhook-id`. 事件标识。
    event_id: Uuid,
    /// What kind of thing. 类型。
    kind: String,
    /// How far it is. 状态。
    #[schema(schema_with = view::delivery_state)]
    state: &'static str,
    /// In Chinese.
    state_label: &'static str,
    /// How often it was tried since it was ordered last. 尝试次数。
    tried: i32,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it is tried next. 下次尝试时间。
    next_at: Option<DateTime<Utc>>,
    /// When it became final. 结束时间。
    ended_at: Option<DateTime<Utc>>,
    /// Why it was not delivered. 未送达原因。
    why: Option<String>,
    /// Every attempt; only where one delivery is read. 历次尝试。
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<Vec<AttemptView>>,
}

impl DeliveryView {
    fn new(one: Delivery, attempts: Option<Vec<Attempt>>) -> Self {
        Self {
            id: one.id,
            channel: one.channel.name(),
            target_id: one.target,
            event_id: one.event,
            kind: one.kind,
            state: one.state.name(),
            state_label: one.state.label(),
            tried: one.attempts,
            created_at: one.created_at,
            next_at: one.next_at,
            ended_at: one.ended_at,
            why: one.why,
            attempts: attempts.map(|all| all.into_iter().map(AttemptView::from).collect()),
        }
    }
}

/// The areas whose webhooks the caller manages; refused where there are none.
fn managed(app: &App, caller: &Caller, now: Instant) -> Reply<Vec<Path>> {
    let paths = caller.scope(Permission::ManageWebhooks, now).paths;
    if paths.is_empty() {
        let area = app.world(caller.tenant)?.tenant.name.clone();
        return Err(Refusal::NotPermitted { permission: Permission::ManageWebhooks, area }.into());
    }
    Ok(paths)
}

/// Whether a delivery is one of those the caller manages: those of webhooks by their area, those
/// to people by whoever manages the whole tenant.
fn theirs(db: &mut Db, paths: &[Path], one: &Delivery) -> Result<bool, persistence::StoreError> {
    if one.channel != Channel::Webhook {
        return Ok(paths.iter().any(|path| path.lineage().len() == 1));
    }
    let hook = hooks::find(db, one.tenant, one.target)?;
    Ok(match hook {
        Some(hook) => paths.iter().any(|path| path.contains(&hook.path)),
        None => paths.iter().any(|path| path.lineage().len() == 1),
    })
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
    /// Only to this webhook or person. 对象。
    target: Option<Uuid>,
    /// Only by this way. 渠道。
    #[param(value_type = Option<String>, example = "webhook")]
    channel: Option<Channel>,
    /// Only those this far. 状态。
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
    let paths = managed(&app, &caller, app.clock.now())?;
    let ListDeliveries { limit, cursor, target, channel, state } = params.0;
    let (tenant, limit) = (caller.tenant, limit.unwrap_or_default());
    let filter = Filter { target, channel, state, kind: None };
    let before = cursor.map(|cursor| cursor.0);
    let look = move |db: &mut Db| {
        let found = delivery::list(db, tenant, &filter, before, limit.probe())?;
        let theirs =
            found.iter().map(|one| theirs(db, &paths, one)).collect::<Result<Vec<_>, _>>()?;
        Ok((found, theirs))
    };
    let (found, theirs) = app.store.read(look).await?;
    let most = usize::from(limit.get());
    let next = found.get(most.saturating_sub(1)).filter(|_| found.len() > most);
    let next = next.map(|one| (one.created_at, one.id));
    let shown = found.into_iter().zip(theirs).take(most).filter(|(_, theirs)| *theirs);
    Ok(Page::new(shown.map(|(one, _)| DeliveryView::new(one, None)).collect(), next))
}

async fn look(app: &App, caller: &Caller, id: Uuid) -> Reply<(Delivery, Vec<Attempt>)> {
    let paths = managed(app, caller, app.clock.now())?;
    let tenant = caller.tenant;
    let look = move |db: &mut Db| {
        let Some((one, attempts)) = delivery::find(db, tenant, id)? else { return Ok(None) };
        Ok(theirs(db, &paths, &one)?.then_some((one, attempts)))
    };
    app.store.read(look).await?.ok_or_else(|| Problem::new(Code::NotFound))
}

/// Shows a delivery with every attempt.
///
/// 一条投递及其历次尝试。
#[utoipa::path(tag = "webhooks", responses((status = 200, body = DeliveryView)))]
#[get("/deliveries/{id}")]
async fn get_delivery(app: Data<App>, caller: Caller, id: IdPath<Uuid>) -> Reply<HttpResponse> {
    let (one, attempts) = look(&app, &caller, id.0).await?;
    Ok(HttpResponse::Ok().json(DeliveryView::new(one, Some(attempts))))
}

/// Tries a delivery anew that is final.
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
    look(&app, &caller, id.0).await?;
    let (tenant, id, now) = (caller.tenant, id.0, app.clock.now());
    app.store.run(move |db| delivery::retry(db, tenant, id, now)).await?;
    let (one, attempts) = look(&app, &caller, id).await?;
    Ok(HttpResponse::Accepted().json(DeliveryView::new(one, Some(attempts))))
}
