//! Phones without signal: they keep commands, and send them when they can.
//!
//! A queue is worked off item by item by the very functions that answer a request at once, each
//! under its own command id, so sending it again does nothing twice. Every item has an outcome of
//! its own; one that did not go through holds back only those that need it.

pub mod asked;
pub mod changes;
mod cursor;
pub mod desk;
mod earlier;
mod kinds;
pub mod offline_command;
pub mod operations;
pub mod queue;
pub mod recent;
mod render;
mod sight;
mod whereabouts;

use std::collections::{HashMap, HashSet};

use actix_web::{HttpRequest, HttpResponse, post, web::Data};
use chrono::{DateTime, FixedOffset, Utc};
use domain::{
    Instant,
    core::{
        arrival::{Fate, Skew},
        id::CommandId,
    },
};
use persistence::{Db, kernel::journal, people::session};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::{caller::Caller, ration::Good, state::App, telemetry::Trace},
    http::{
        body::Json,
        language::Language,
        problem::{Code, Problem, Reply},
        register::ServiceConfig,
        view,
    },
};

use asked::Asked;
use desk::Desk;
use earlier::EarlierRights;

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(send_queue);
    changes::routes(config);
}

/// The most items one request carries.
const MOST: usize = 200;

/// Commands a phone kept, in the order they were typed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QueueBody {
    /// The time of the phone's clock now; its times are corrected by the difference to the
    /// server's. 手机当前时间。
    #[serde(default, deserialize_with = "crate::http::body::time::read_optional_moment")]
    sent_at: Option<DateTime<FixedOffset>>,
    /// How much of each answer is wanted. 返回内容：brief 只含编号、序号与可执行操作，full 为完整内容。
    #[serde(default)]
    answers: Answers,
    /// At most 200; a fault of one is reported in its own result. 待办指令。
    #[schema(value_type = Vec<ItemBody>, max_items = 200)]
    items: Vec<Value>,
}

/// How much of each answer is wanted.
#[derive(Deserialize, ToSchema, Clone, Copy, Default, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Answers {
    /// The short form that a list needs.
    #[default]
    Brief,
    /// The whole answer of the operation.
    Full,
}

/// One command that was kept.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ItemBody {
    /// The id of the command, used like an `Idempotency-Key`. 指令编号。
    #[serde(deserialize_with = "crate::http::body::own_key")]
    id: Uuid,
    /// Which operation, by its id in this document. 操作。
    #[schema(max_length = 60, example = "submit_report")]
    operation: String,
    /// The values of the path parameters. 路径参数。
    #[serde(default)]
    #[schema(value_type = HashMap<String, String>)]
    path: HashMap<String, Value>,
    /// Its body. 请求正文。
    #[serde(default = "nothing")]
    #[schema(value_type = Object)]
    body: Value,
    /// When it was typed, by the phone's clock. 填写时的手机时间。
    #[serde(default, deserialize_with = "crate::http::body::time::read_optional_moment")]
    client_time: Option<DateTime<FixedOffset>>,
    /// The sequence number of the state the phone saw. 依据的版本。
    #[schema(minimum = 1)]
    based_on: Option<i64>,
    /// Whether it is meant for that version only. 是否仅限该版本。
    #[serde(default)]
    only: bool,
    /// Commands before it in the queue that it depends on, besides those that create or change what
    /// it names. 前置指令。
    #[serde(default)]
    #[schema(max_items = 20)]
    after: Vec<Uuid>,
}

fn nothing() -> Value {
    json!({})
}

/// What became of a queue.
#[derive(Serialize, ToSchema)]
pub struct QueueView {
    /// The time of the server. 服务器时间。
    server_time: DateTime<Utc>,
    /// The milliseconds that were added to the phone's times. 时钟校正毫秒数。
    skew_ms: i64,
    /// One for each item, in their order.
    items: Vec<ItemView>,
}

/// What became of one item.
#[derive(Serialize, ToSchema)]
pub struct ItemView {
    /// The id of the command; none when the item had none.
    id: Option<Uuid>,
    /// 结果。
    #[schema(schema_with = view::fate)]
    outcome: &'static str,
    /// The outcome in Chinese. 结果名称。
    outcome_label: &'static str,
    /// The HTTP status of the operation's answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// The answer of the operation; when it was done before, the answer of that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    answer: Option<Value>,
    /// The reason why it failed, as problem+json.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    problem: Option<Value>,
    /// The present state, and which operations are still possible.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    present: Option<Value>,
    /// The commands it waits for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waits_for: Vec<Uuid>,
    /// When to send it again, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u32>,
    /// When it was typed, by the server's clock. 校正后的时间。
    #[serde(skip_serializing_if = "Option::is_none")]
    happened_at: Option<DateTime<Utc>>,
    /// What is odd about its time; it counts all the same. 时间异常标记。
    #[serde(skip_serializing_if = "Vec::is_empty")]
    oddities: Vec<&'static str>,
}

impl ItemView {
    fn new(id: Option<Uuid>, fate: Fate) -> Self {
        Self {
            id,
            outcome: fate.name(),
            outcome_label: fate.label(),
            status: None,
            answer: None,
            problem: None,
            present: None,
            waits_for: Vec::new(),
            retry_after: None,
            happened_at: None,
            oddities: Vec::new(),
        }
    }

    fn went_through(&self) -> bool {
        [Fate::Done.name(), Fate::Already.name()].contains(&self.outcome)
    }
}

/// Works off what a phone had kept.
///
/// 离线队列上传：逐条办理，逐条返回结果；同一指令重复上传不会重复办理，一条不成只影响依赖它的后续各条。
#[utoipa::path(tag = "sync", request_body = QueueBody, responses((status = 200, body = QueueView)))]
#[post("/sync")]
async fn send_queue(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    trace: Trace,
    body: Json<QueueBody>,
) -> Reply<HttpResponse> {
    let QueueBody { sent_at, answers, items } = body.0;
    let now = app.clock.now();
    if items.len() > MOST {
        return Err(too_many(items.len()));
    }
    // Its new commands are counted one by one; reading a long queue is work too.
    let parts = i64::try_from(items.len()).unwrap_or_default() * 50;
    app.rationed.take_parts(&caller, Good::Reads, parts, now)?;
    let skew = sent_at.map_or_else(Skew::default, |sent| Skew::measure(sent.to_utc(), now));
    let asked: Vec<Result<Asked, Problem>> = items.iter().map(Asked::read).collect();
    let commands = asked.iter().flatten().map(|asked| CommandId(asked.item.id)).collect();
    let (login, seen) = load_accepted_commands(&app, &caller, commands).await?;
    let typed = asked.iter().flatten().filter_map(|asked| asked.item.client_time);
    let typed = typed.map(|typed| skew.correct_time(typed.to_utc())).min();
    let earlier = EarlierRights::load(&app, &caller, typed).await?;
    let desk = Desk {
        app,
        speaks: Language::from_headers(request.headers()),
        trace: trace.trace_id().to_owned(),
        caller,
        skew,
        login,
        earlier,
        received_at: now,
        answers,
    };
    let items = desk.work_off(&items, asked, seen).await;
    Ok(HttpResponse::Ok().json(QueueView { server_time: now, skew_ms: skew.ms(), items }))
}

fn too_many(given: usize) -> Problem {
    let zh = format!("一次最多 {MOST} 条，收到 {given} 条；请按顺序分批上传。");
    let en = format!(
        "At most {MOST} items are accepted at a time, and {given} were sent; upload them in order, in parts."
    );
    Problem::new(Code::InvalidBody).error("/items", "too_many", zh, en)
}

/// When the caller logged in, and which of these commands were accepted before.
async fn load_accepted_commands(
    app: &App,
    caller: &Caller,
    commands: Vec<CommandId>,
) -> Reply<(Option<Instant>, HashSet<Uuid>)> {
    let (tenant, by, login) = (caller.tenant, caller.person, caller.session);
    let now = app.clock.now();
    let look = move |db: &mut Db| {
        let login = session::find(db, tenant, login, now)?.map(|(login, _)| login.created_at);
        Ok((login, journal::find_accepted(db, tenant, by, &commands)?))
    };
    let (login, seen) = app.store.read(look).await?;
    Ok((login, seen.into_iter().map(|command| command.0).collect()))
}
