//! The settings of a webhook, and its view.

use chrono::{DateTime, Utc};
use domain::{
    area::tree::Path,
    core::{delivery::Envelope, id::AreaId, text::Line},
    flows::event_type::Happening,
    people::actor::Permission,
};
use persistence::integrations::webhook::Webhook;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::{caller::Caller, state::App},
    http::{
        problem::{Code, Problem, Reply},
        view,
    },
};

/// The settings of a webhook.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WebhookBody {
    /// The name. 名称。
    #[schema(value_type = String, min_length = 1, max_length = 120, example = "12345 热线平台")]
    name: Line,
    /// Where events are posted, over HTTPS; plain HTTP and addresses inside only where the operator
    /// allows that network. 接收地址。
    #[schema(
        min_length = 8,
        max_length = 2000,
        example = "https://hotline.example.gov.cn/gridwhistle"
    )]
    url: String,
    /// The area, with everything in it. 辖区。
    area_id: Uuid,
    /// The types of events; every one when left out. 事件类型。
    #[serde(default)]
    #[schema(max_items = 100, example = json!(["case.opened", "case.closed"]))]
    types: Vec<String>,
    /// How events are wrapped; `standard` where it is left out. 信封格式。
    #[schema(schema_with = view::envelope)]
    envelope: Option<String>,
}

/// A webhook, with its state.
#[derive(Serialize, ToSchema)]
pub(super) struct WebhookView {
    /// The identity of the webhook. 标识。
    id: Uuid,
    /// The name of the webhook.
    name: String,
    /// Where events are posted.
    url: String,
    /// The area, with everything in it.
    area_id: Uuid,
    /// The types of events; every one when it is empty.
    types: Vec<&'static str>,
    /// How events are wrapped.
    #[schema(schema_with = view::envelope)]
    envelope: &'static str,
    /// Whether events are sent. 状态。
    #[schema(schema_with = view::webhook_status)]
    status: &'static str,
    /// The reason, when this program stopped it. 停用原因。
    why: Option<String>,
    /// Since when every attempt has failed. 持续失败起始时间。
    failing_since: Option<DateTime<Utc>>,
    /// How many entries of the feed are still ahead of it. 待推送条数（上限近似）。
    behind: i64,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it was changed last.
    changed_at: DateTime<Utc>,
    /// What it receives: `ids`, or `whole` while a person who reads the cases of its area approves
    /// that. 推送内容：仅标识，或全文（须有权阅读案卷的人批准）。
    content: Content,
    /// The identity of the person who approved. 批准人。
    approved_by: Option<Uuid>,
    /// When it was approved. 批准时间。
    approved_at: Option<DateTime<Utc>>,
    /// The secret events are signed with, only in the answer that made it. 签名密钥，只显示一次。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: Option<String>,
}

/// What a webhook receives.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Content {
    /// The types and the identities of the subjects.
    Ids,
    /// Whole events, with what people said.
    Whole,
}

/// An approval of a webhook's content.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ApproveBody {
    /// Whether it may receive whole events. 是否批准推送全文。
    pub(super) approved: bool,
    /// The address that is approved, as it was read; a changed one is refused. 批准的接收地址。
    #[schema(max_length = 2000, example = "https://hotline.example.gov.cn/gridwhistle")]
    pub(super) url: String,
}

impl WebhookView {
    pub(super) fn new(hook: Webhook, end: i64, whole: bool, secret: Option<String>) -> Self {
        Self {
            id: hook.id,
            name: hook.name,
            url: hook.url,
            area_id: hook.area.0,
            types: hook.types.iter().map(|one| one.name()).collect(),
            envelope: hook.envelope.name(),
            status: hook.status.name(),
            why: hook.why,
            failing_since: hook.failing_since,
            behind: (end - hook.position).max(0),
            created_at: hook.created_at,
            changed_at: hook.changed_at,
            content: if whole { Content::Whole } else { Content::Ids },
            approved_by: hook.approval.map(|(by, _)| by.0),
            approved_at: hook.approval.map(|(_, at)| at),
            secret,
        }
    }
}

/// The settings given, parsed.
pub(super) struct Given {
    pub(super) name: String,
    pub(super) url: String,
    pub(super) area: AreaId,
    pub(super) path: Path,
    pub(super) types: Vec<Happening>,
    pub(super) envelope: Envelope,
}

impl Given {
    pub(super) fn read(app: &App, caller: &Caller, body: WebhookBody) -> Reply<Self> {
        let WebhookBody { name, url, area_id, types, envelope } = body;
        let world = app.world(caller.tenant)?;
        let context = world.build_context(caller, app.clock.now());
        let area = context.require_area(AreaId(area_id))?;
        context.require_permission(Permission::ManageWebhooks, &area.path, &area.name)?;
        check_url(app, &url)?;
        let mut known = Vec::new();
        for (at, name) in types.iter().enumerate().take(Happening::ALL.len() + 1) {
            let kind = Happening::parse(name).ok_or_else(|| unknown_type(at))?;
            if !known.contains(&kind) {
                known.push(kind);
            }
        }
        let envelope = match envelope.as_deref() {
            None => Envelope::Standard,
            Some(name) => Envelope::parse(name).ok_or_else(unknown_envelope)?,
        };
        let (area, path) = (area.id, area.path.clone());
        Ok(Self { name: name.as_str().to_owned(), url, area, path, types: known, envelope })
    }

    pub(super) fn matches(&self, hook: &Webhook) -> bool {
        self.name == hook.name
            && self.url == hook.url
            && self.area == hook.area
            && self.types == hook.types
            && self.envelope == hook.envelope
    }
}

fn unknown_type(at: usize) -> Problem {
    Problem::new(Code::InvalidBody).error(
        format!("/types/{at}"),
        "unknown_type",
        "没有这种事件；可用的见 GET /api/v1/event_types。",
        "There is no such event type; GET /api/v1/event_types lists the available ones.",
    )
}

fn unknown_envelope() -> Problem {
    let names = Envelope::ALL.iter().map(|one| one.name()).collect::<Vec<_>>().join(", ");
    Problem::new(Code::InvalidBody).error(
        "/envelope",
        "unknown_envelope",
        format!("应为其中之一：{names}。"),
        format!("Expected one of {names}."),
    )
}

/// Refuses addresses that must not be called, as far as can be decided before sending.
pub(super) fn check_url(app: &App, url: &str) -> Reply<()> {
    let wrong = |code, zh: &'static str, en: &'static str| {
        Err(Problem::new(Code::InvalidBody).error("/url", code, zh, en))
    };
    let uri: Option<ureq::http::Uri> = (url.len() <= 2000).then(|| url.parse().ok()).flatten();
    let web = |uri: &ureq::http::Uri| {
        let scheme = matches!(uri.scheme_str(), Some("http" | "https"));
        let plain = uri.authority().is_some_and(|name| !name.as_str().contains('@'));
        scheme && plain && uri.host().is_some_and(|host| !host.is_empty())
    };
    match uri {
        Some(uri) if web(&uri) => {
            if app.hooks.may_tell(&uri) {
                return Ok(());
            }
            wrong(
                "address_not_allowed",
                "只能推送到公网 HTTPS 地址；内网地址或 HTTP 需由运维在 GRIDWHISTLE_WEBHOOK_NETWORKS 中放行。",
                "Events can be pushed only to public HTTPS addresses; an internal address or plain HTTP \
                 must be allowed by the operator in GRIDWHISTLE_WEBHOOK_NETWORKS.",
            )
        }
        _ => wrong(
            "not_a_url",
            "应为 https:// 开头的网址，最多 2000 个字符，不带用户名和密码。",
            "Expected an address of at most 2000 characters that begins with https://, without \
             user name and password.",
        ),
    }
}
