//! The timeline of a flow: its journal, read. Also whether the chain is whole.

use actix_web::HttpResponse;
use chrono::{DateTime, Utc};
use domain::{
    id::{PersonId, TenantId},
    journal::{self as chain, Entry, FlowKind},
};
use persistence::journal;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{problem::Reply, state::App};

/// Which part of a timeline to show.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TimelineParams {
    /// Only what came after this sequence number. 只返回该序号之后的记录。
    #[param(minimum = 0, example = 0)]
    pub after: Option<i64>,
}

/// One accepted command.
#[derive(Serialize, ToSchema)]
pub struct EntryView {
    /// Its place in the journal.
    seq: i64,
    /// What was asked.
    command: String,
    /// In Chinese.
    label: &'static str,
    /// Who asked.
    by: String,
    /// When.
    at: DateTime<Utc>,
    /// What happened, in detail.
    events: Vec<Value>,
    /// The hash of this entry, which covers the one before.
    hash: String,
}

/// A timeline.
#[derive(Serialize, ToSchema)]
pub struct TimelineView {
    /// In the order they happened; at most 500, the rest with `after`.
    items: Vec<EntryView>,
    /// Whether the chain of hashes is whole from the first entry to the last.
    intact: bool,
    /// The hash at its end.
    head: String,
}

/// The most entries one answer shows.
const MOST: usize = 500;

/// Reads the timeline of a flow, without telling who the people in `unknown` are.
pub async fn show(
    app: &App,
    tenant: TenantId,
    flow: Uuid,
    params: &TimelineParams,
    unknown: &[PersonId],
) -> Reply<HttpResponse> {
    let entries = app.store.read(move |db| journal::chain(db, tenant, flow, None)).await?;
    let head = chain::verify(&entries);
    let after = params.after.unwrap_or(0);
    let items = entries.iter().filter(|entry| entry.seq > after).take(MOST);
    let items = items.map(|entry| view(entry, unknown)).collect();
    Ok(HttpResponse::Ok().json(TimelineView {
        items,
        intact: head.is_ok(),
        head: head.map(|hash| hash.hex()).unwrap_or_default(),
    }))
}

fn view(entry: &Entry, unknown: &[PersonId]) -> EntryView {
    let mut events: Vec<Value> = serde_json::from_str(&entry.events).unwrap_or_default();
    let ids: Vec<String> = unknown.iter().map(ToString::to_string).collect();
    for event in &mut events {
        hide(event, &ids);
    }
    let known = !unknown.contains(&entry.actor);
    EntryView {
        seq: entry.seq,
        command: entry.name.clone(),
        label: of_visits(entry.flow, &entry.name).unwrap_or_else(|| label(&entry.name)),
        by: if known { entry.actor_name.clone() } else { "上报人".to_owned() },
        at: entry.at,
        events,
        hash: entry.hash.hex(),
    }
}

/// Takes out what a timeline does not tell: who reported, and how we file areas.
fn hide(value: &mut Value, ids: &[String]) {
    match value {
        Value::Object(members) => {
            for hidden in ["reporter", "reporter_name", "person", "people", "path", "raw"] {
                members.remove(hidden);
            }
            members
                .retain(|_, value| !value.as_str().is_some_and(|id| ids.iter().any(|i| i == id)));
            members.values_mut().for_each(|value| hide(value, ids));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| hide(item, ids)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What people call a command about households, visits, campaigns and forms.
pub fn of_visits(flow: FlowKind, command: &str) -> Option<&'static str> {
    Some(match (flow, command) {
        (FlowKind::Household, "register") => "登记",
        (FlowKind::Household, "update") => "更新",
        (FlowKind::Household, "pair") => "结对",
        (FlowKind::Household, "unpair") => "解除结对",
        (FlowKind::Household, "answer") => "填表",
        (FlowKind::Household, "leave") => "迁出",
        (FlowKind::Household, "return") => "恢复在册",
        (FlowKind::Household, "erase") => "删除个人信息",
        (FlowKind::Visit, "plan") => "计划走访",
        (FlowKind::Visit, "record") => "记录走访",
        (FlowKind::Visit, "correct") => "更正",
        (FlowKind::Visit, "cancel") => "取消",
        (FlowKind::Campaign, "begin") => "发起",
        (FlowKind::Campaign, "assign") => "分派名单",
        (FlowKind::Campaign, "publish") => "启动",
        (FlowKind::Campaign, "complete") => "网格完成",
        (FlowKind::Campaign, "close") => "结束",
        (FlowKind::Form, "publish") => "发布",
        (FlowKind::Form, "withdraw") => "停用",
        _ => return None,
    })
}

/// What people call a command.
pub fn label(command: &str) -> &'static str {
    use domain::{
        case::lifecycle::{SummonsVerb, Verb},
        report,
    };
    let own = match command {
        "open" => Some("立案"),
        "submit" => Some("上报"),
        "register" => Some("登记"),
        "grant" => Some("授权"),
        "revoke" => Some("撤销授权"),
        "reset_password" => Some("重置密码"),
        "import" => Some("导入区划"),
        "publish" => Some("发布规则"),
        "lapse" => Some("时限到点"),
        "recompute" => Some("重新计算时限"),
        _ => None,
    };
    own.or_else(|| Verb::parse(command).map(Verb::label))
        .or_else(|| report::Verb::parse(command).map(report::Verb::label))
        .or_else(|| {
            let verb = command.strip_prefix("summons_").and_then(SummonsVerb::parse);
            verb.map(SummonsVerb::label)
        })
        .unwrap_or("")
}
