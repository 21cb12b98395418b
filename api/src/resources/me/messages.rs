//! The caller's own messages, and how the caller wants to receive them.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, get, post, web::Data};
use chrono::{DateTime, NaiveTime, Utc};
use domain::{
    Instant,
    rules::notice::{NoticeKind, Preferences, Quiet},
};
use persistence::{
    Db,
    integrations::message::{self, Message},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    access::wechat,
    app::{caller::Caller, state::App},
    http::{
        body::{Json, replacing},
        headers::Key,
        page::{Cursor, Limit, Page},
        params::Query,
        problem::{Code, Problem, Reply},
        register::ServiceConfig,
        view,
    },
};

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(list_messages)
        .service(get_unread_count)
        .service(read_messages)
        .service(get_message_preferences)
        .service(set_message_preferences)
        .service(list_subscriptions)
        .service(answer_subscriptions);
}

/// A message to the caller.
#[derive(Serialize, ToSchema)]
pub struct MessageView {
    /// The identity of the message. 消息标识。
    id: Uuid,
    /// What it is about. 类型。
    #[schema(schema_with = view::notice_kind)]
    kind: &'static str,
    /// The kind in Chinese. 类型名称。
    kind_label: &'static str,
    /// The number and title of what it is about.
    title: String,
    /// The text of the message.
    text: String,
    /// `report`, `case`, `person` or `webhook`: what it is about.
    flow: String,
    /// Which of them.
    flow_id: Uuid,
    /// When the message was made. 消息时间。
    at: DateTime<Utc>,
    /// When it was read. 已读时间。
    read_at: Option<DateTime<Utc>>,
}

impl From<Message> for MessageView {
    fn from(one: Message) -> Self {
        Self {
            id: one.id,
            kind: one.kind.name(),
            kind_label: one.kind.label(),
            title: one.title,
            text: one.body,
            flow: one.flow,
            flow_id: one.flow_id,
            at: one.at,
            read_at: one.read_at,
        }
    }
}

/// Which messages to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListMessages {
    /// How many at most, 1 to 100.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 20)]
    limit: Option<Limit>,
    /// Where the last page ended.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<(Instant, Uuid)>>,
    /// Only those not read. 只看未读。
    unread: Option<bool>,
}

/// Lists the caller's messages, the newest first.
///
/// 我的消息，最新的在前。
#[utoipa::path(tag = "me", params(ListMessages), responses((status = 200, body = Page<MessageView>)))]
#[get("/me/messages")]
async fn list_messages(
    app: Data<App>,
    caller: Caller,
    params: Query<ListMessages>,
) -> Reply<Page<MessageView>> {
    let ListMessages { limit, cursor, unread } = params.0;
    let (tenant, person, limit) = (caller.tenant, caller.person, limit.unwrap_or_default());
    let (unread, before) = (unread.unwrap_or_default(), cursor.map(|cursor| cursor.0));
    let look = move |db: &mut Db| message::list(db, tenant, person, unread, before, limit.probe());
    let found = app.store.read(look).await?;
    Ok(Page::from_rows(found, limit, |one| (one.at, one.id), MessageView::from))
}

/// How many messages were not read.
#[derive(Serialize, ToSchema)]
pub struct UnreadView {
    /// The number, counted up to `most`. 未读数。
    unread: i64,
    /// The number at which counting ends.
    most: i64,
}

/// The number at which counting ends: the badge of an app shows 99+.
const COUNTED: i64 = 100;

/// Counts the caller's messages that were not read.
///
/// 未读消息数（最多数到 100）。
#[utoipa::path(tag = "me", responses((status = 200, body = UnreadView)))]
#[get("/me/messages/unread")]
async fn get_unread_count(app: Data<App>, caller: Caller) -> Reply<HttpResponse> {
    let (tenant, person) = (caller.tenant, caller.person);
    let count = move |db: &mut Db| message::count_unread(db, tenant, person, COUNTED);
    let unread = app.store.read(count).await?;
    Ok(HttpResponse::Ok().json(UnreadView { unread, most: COUNTED }))
}

/// Which messages were read.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadBody {
    /// These, at most 200; all of them when left out. 消息标识；不填为全部。
    #[schema(max_items = 200)]
    ids: Option<Vec<Uuid>>,
}

/// How many were marked.
#[derive(Serialize, ToSchema)]
pub struct MarkedView {
    /// The number, at most 1000 at once.
    count: i64,
}

/// Marks the caller's messages as read.
///
/// 标为已读：按标识，或全部。
#[utoipa::path(tag = "me", request_body = ReadBody, responses((status = 200, body = MarkedView)))]
#[post("/me/messages/read")]
async fn read_messages(
    app: Data<App>,
    caller: Caller,
    _key: Key,
    body: Json<ReadBody>,
) -> Reply<HttpResponse> {
    const MOST: usize = 200;
    let ids = body.0.ids;
    if ids.as_ref().is_some_and(|ids| ids.len() > MOST) {
        return Err(Problem::new(Code::InvalidBody).error(
            "/ids",
            "too_many",
            format!("一次最多 {MOST} 条。"),
            format!("Expected at most {MOST} items at a time."),
        ));
    }
    let (tenant, person, now) = (caller.tenant, caller.person, app.clock.now());
    let count = app.store.run(message::mark_messages_read(tenant, person, ids, now)).await?;
    Ok(HttpResponse::Ok().json(MarkedView { count }))
}

/// The preferences of a person for messages.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreferencesBody {
    /// Kinds that are not sent beyond the list of messages. 不外发的类型。
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 20, example = json!(["case_given"]))]
    muted: Vec<NoticeKind>,
    /// Whether short messages are sent; needs the consent `notification`. 是否接收短信。
    #[serde(default)]
    sms: bool,
    /// Between these hours nothing is sent. 免打扰时段。
    #[serde(default)]
    quiet: Option<QuietBody>,
    /// Once a day at this hour, everything together; at once when left out. 每日汇总时间。
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "18:00")]
    digest: Option<String>,
}

/// Hours of the day in China; they may pass midnight.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuietBody {
    /// The beginning. 开始。
    #[schema(example = "22:00")]
    from: String,
    /// The end. 结束。
    #[schema(example = "07:00")]
    until: String,
}

const SHAPE: &str = "%H:%M";

fn parse_hour(pointer: &'static str, text: &str) -> Reply<NaiveTime> {
    NaiveTime::parse_from_str(text, SHAPE).map_err(|_malformed| {
        let (zh, en) =
            ("应为 24 小时制的时间，例如 22:00。", "Expected a 24-hour time such as 22:00.");
        Problem::new(Code::InvalidBody).error(pointer, "not_an_hour", zh, en)
    })
}

impl PreferencesBody {
    fn read(self) -> Reply<Preferences> {
        let quiet = match self.quiet {
            None => None,
            Some(QuietBody { from, until }) => {
                let from = parse_hour("/quiet/from", &from)?;
                Some(Quiet { from, until: parse_hour("/quiet/until", &until)? })
            }
        };
        let mut muted = self.muted;
        muted.sort_unstable();
        muted.dedup();
        let digest = self.digest.map(|text| parse_hour("/digest", &text)).transpose()?;
        Ok(Preferences { muted, sms: self.sms, quiet, digest })
    }
}

impl From<Preferences> for PreferencesBody {
    fn from(wants: Preferences) -> Self {
        let shown = |time: NaiveTime| time.format(SHAPE).to_string();
        let quiet = wants
            .quiet
            .map(|quiet| QuietBody { from: shown(quiet.from), until: shown(quiet.until) });
        Self { muted: wants.muted, sms: wants.sms, quiet, digest: wants.digest.map(shown) }
    }
}

/// Shows the caller's preferences for messages.
///
/// 我的消息设置。
#[utoipa::path(tag = "me", responses((status = 200, body = PreferencesBody)))]
#[get("/me/message_preferences")]
async fn get_message_preferences(app: Data<App>, caller: Caller) -> Reply<HttpResponse> {
    let (tenant, person) = (caller.tenant, caller.person);
    let look = move |db: &mut Db| message::load_preferences(db, tenant, person);
    Ok(HttpResponse::Ok().json(PreferencesBody::from(app.store.read(look).await?)))
}

/// Sets the caller's preferences for messages, in place of those before.
///
/// 设置消息：哪些类型不外发、免打扰时段、每日汇总、是否收短信；站内消息始终都有。
#[utoipa::path(tag = "me", request_body = PreferencesBody, responses((status = 200, body = PreferencesBody)))]
#[post("/me/message_preferences")]
async fn set_message_preferences(
    app: Data<App>,
    caller: Caller,
    _key: Key,
    body: replacing::Json<PreferencesBody>,
) -> Reply<HttpResponse> {
    let wants = body.0.read()?;
    let (tenant, person, now) = (caller.tenant, caller.person, app.clock.now());
    app.store.run(message::replace_preferences(tenant, person, wants.clone(), now)).await?;
    Ok(HttpResponse::Ok().json(PreferencesBody::from(wants)))
}

/// A subscribe message of WeChat.
#[derive(Serialize, ToSchema)]
pub struct SubscriptionView {
    /// The identity of the template, for `wx.requestSubscribeMessage`. 模板 ID。
    template_id: String,
    /// The kind of message. 消息类型。
    #[schema(schema_with = view::notice_kind)]
    kind: &'static str,
    /// The kind in Chinese. 消息类型名称。
    kind_label: &'static str,
    /// How many the caller agreed to and did not get yet. 剩余次数。
    remaining: i32,
}

/// The available subscribe messages, and how many the caller agreed to.
#[derive(Serialize, ToSchema)]
pub struct SubscriptionsView {
    /// In the order of the rules.
    items: Vec<SubscriptionView>,
}

async fn render_subscriptions(
    app: &App,
    caller: &Caller,
    app_id: Option<&str>,
) -> Reply<HttpResponse> {
    let world = app.world(caller.tenant)?;
    let program = wechat::find_program(app, &world, app_id)?;
    let (tenant, person) = (caller.tenant, caller.person);
    let look = move |db: &mut Db| message::load_quotas(db, tenant, person);
    let left: BTreeMap<String, i32> = app.store.read(look).await?.into_iter().collect();
    let view = |one: &domain::rules::notice::Template| SubscriptionView {
        template_id: one.template_id.as_str().to_owned(),
        kind: one.kind.name(),
        kind_label: one.kind.label(),
        remaining: left
            .get(&wechat::quota_name(program, one.template_id.as_str()))
            .copied()
            .unwrap_or_default(),
    };
    let items = world.rules.notices.value.wechat.iter().map(view).collect();
    Ok(HttpResponse::Ok().json(SubscriptionsView { items }))
}

/// The mini-program whose messages are listed.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListSubscriptions {
    /// Its AppID; needed where there are several. 小程序 AppID。
    #[param(max_length = 64)]
    app_id: Option<String>,
}

/// Lists the available subscribe messages of WeChat.
///
/// 可订阅的微信消息模板，以及我还剩几次。
#[utoipa::path(tag = "me", params(ListSubscriptions), responses((status = 200, body = SubscriptionsView)))]
#[get("/me/wechat/subscriptions")]
async fn list_subscriptions(
    app: Data<App>,
    caller: Caller,
    params: Query<ListSubscriptions>,
) -> Reply<HttpResponse> {
    render_subscriptions(&app, &caller, params.0.app_id.as_deref()).await
}

/// The answers of a person to `wx.requestSubscribeMessage`.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubscribeBody {
    /// The AppID; needed where there are several. 小程序 AppID。
    #[serde(default)]
    #[schema(max_length = 64)]
    app_id: Option<String>,
    /// What `wx.requestSubscribeMessage` answered, by template: `accept`, `reject`, `ban` or
    /// `filter`; at most 3, as many as it asks at once. 微信返回的结果。
    #[schema(value_type = Object, example = json!({ "tmpl_closed": "accept" }))]
    results: BTreeMap<String, String>,
}

/// Records the caller's answers to `wx.requestSubscribeMessage`.
///
/// 登记订阅结果：用户在小程序里同意一次，就能收到一条对应模板的消息。
#[utoipa::path(tag = "me", request_body = SubscribeBody, responses((status = 200, body = SubscriptionsView)))]
#[post("/me/wechat/subscriptions")]
async fn answer_subscriptions(
    app: Data<App>,
    caller: Caller,
    key: Key,
    body: Json<SubscribeBody>,
) -> Reply<HttpResponse> {
    const MOST: usize = 3;
    let SubscribeBody { app_id, results } = body.0;
    let world = app.world(caller.tenant)?;
    let program = wechat::find_program(&app, &world, app_id.as_deref())?;
    let wrong = |pointer: String, code, zh: &'static str, en: &'static str| {
        Problem::new(Code::InvalidBody).error(pointer, code, zh, en)
    };
    if results.len() > MOST {
        let (zh, en) = ("一次最多 3 个模板。", "Expected at most 3 templates at a time.");
        return Err(wrong("/results".to_owned(), "too_many", zh, en));
    }
    let mut agreed = Vec::new();
    for (template, answer) in &results {
        let shown: String = template.chars().take(64).collect();
        let at = format!("/results/{}", shown.replace('~', "~0").replace('/', "~1"));
        if !["accept", "reject", "ban", "filter"].contains(&answer.as_str()) {
            let (zh, en) =
                ("应为 accept、reject、ban 或 filter。", "Expected accept, reject, ban or filter.");
            return Err(wrong(at, "unknown_answer", zh, en));
        }
        let known = world.rules.notices.value.wechat.iter();
        if !known.into_iter().any(|one| one.template_id.as_str() == template) {
            let (zh, en) = (
                "没有这个模板；请核对模板编号。",
                "There is no such template; check the template id.",
            );
            return Err(wrong(at, "unknown_template", zh, en));
        }
        if answer == "accept" {
            agreed.push(wechat::quota_name(program, template));
        }
    }
    let (tenant, person, now) = (caller.tenant, caller.person, app.clock.now());
    app.store.run(message::record_agreements(tenant, (person, key.0.0), agreed, now)).await?;
    render_subscriptions(&app, &caller, app_id.as_deref()).await
}
