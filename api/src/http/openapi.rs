//! The OpenAPI document: generated from the handlers, completed here with what every operation
//! shares, so that no handler repeats it.

use serde_json::{Map, Value, json};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        OpenApi as Document,
        security::{Http, HttpAuthScheme, SecurityScheme},
    },
};

use domain::flows::event_type::Happening;

use crate::http::problem::{FaultView, ProblemView};

const DESCRIPTION: &str = "\
网格哨（GridWhistle）：网格化管理后端。网格员或居民上报，社区受理立案，街道派遣或吹哨，部门报到办理，\
网格员现场核查，居民评价，最后结案。\n\n\
GridWhistle is the backend of grid management: a report becomes a case, a street dispatches it or \
blows the whistle, departments report in, a grid worker verifies on the spot, the resident answers, \
the case closes.\n\n\
**约定 Conventions**\n\n\
- 每次写操作带 `Idempotency-Key`（版本 4 或 7 的 UUID，建议 7）；断网后用同一个键重发，不会重复办理，得到原来的回答。\n\
- 读取得到 `ETag`；写入时带 `If-Match` 可确保没有别人先改动；`If-None-Match` 未变返回 304。\n\
- 列表用 `limit` 和 `cursor` 翻页，下一页见 `next` 和 `Link`。\n\
- 登录后的请求按人限量，余量见 `RateLimit` 和 `X-RateLimit-*` 响应头；用完返回 429，见 `Retry-After`。\n\
- 错误一律是 `application/problem+json`（RFC 9457），`code` 稳定，`errors` 指出位置；`Accept-Language` 选择中文或英文。\n\
- 时间为 RFC 3339（UTC），坐标输出为 WGS-84。";

/// The parts that the handlers do not give.
#[derive(OpenApi)]
#[openapi(
    info(title = "GridWhistle 网格哨", license(name = "Apache-2.0", identifier = "Apache-2.0"), contact(name = "GridWhistle")),
    servers((url = "/", description = "this server")),
    tags(
        (name = "auth", description = "登录与令牌 · logging in"),
        (name = "me", description = "我的身份与待办 · who I am and what I owe"),
        (name = "reports", description = "上报：受理、并案、不予受理 · reports and their intake"),
        (name = "cases", description = "案卷：派遣、签收、处置、反馈、核查、回访、结案 · cases from filing to closing"),
        (name = "sync", description = "离线：队列上传与增量下载 · phones without signal: sending what they kept, reading what changed"),
        (name = "whistles", description = "街道吹哨、部门报到 · whistles and reporting in"),
        (name = "requests", description = "延期、挂账、申诉、审批、督办、裁定、终审 · asking those above, and being asked by them"),
        (name = "clocks", description = "时限：计算依据与预览 · deadlines: their working, and what would apply"),
        (name = "policies", description = "规则：日历、时限标准、权责清单、准入清单、吹哨规则 · what a tenant decides for itself"),
        (name = "areas", description = "区划、单位、网格定位与分类目录 · areas, units, locating, catalogue"),
        (name = "households", description = "家庭：登记、结对、特殊群体、明文查看 · households, pairings, disclosure"),
        (name = "visits", description = "入户走访：计划、记录、需求转上报 · visits, and needs that become reports"),
        (name = "campaigns", description = "敲门行动：名单、分派、进度 · campaigns of visits with lists and progress"),
        (name = "forms", description = "一表通：表单、自动带出、只填变化 · forms that are prefilled, and change-only entry"),
        (name = "stats", description = "负担统计与开关 · what is demanded of workers, and what is switched on"),
        (name = "clients", description = "接入系统：登记、密钥、令牌 · programs as clients: secrets and tokens"),
        (name = "people", description = "人员与授权 · people and grants"),
        (name = "privacy", description = "个人信息：联系方式、明文查看、同意、导出、删除 · people's data and their rights"),
        (name = "audit", description = "审计日志、明文查看记录、保存期限 · the audit log, disclosures, retention"),
        (name = "media", description = "照片、视频、录音与内容审核 · photos, videos, sounds, and whether they may be shown"),
        (name = "patrols", description = "巡查：计划、起止、轨迹、覆盖 · patrols, their plans and tracks"),
        (name = "events", description = "事件：拉取、实时流、类型目录 · what happened, as a feed and as a stream"),
        (name = "webhooks", description = "事件推送：登记、签名、投递记录、重放 · telling servers of others"),
        (name = "service", description = "运行状况 · health of the service"),
    ),
    components(schemas(ProblemView<'_>, FaultView<'_>)),
    modifiers(&Scheme),
)]
pub struct Base;

struct Scheme;

impl Modify for Scheme {
    fn modify(&self, document: &mut Document) {
        let mut bearer = Http::new(HttpAuthScheme::Bearer);
        bearer.bearer_format = Some("JWT".to_owned());
        bearer.description = Some("登录得到的访问令牌 · the access token of a login".to_owned());
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("bearer", SecurityScheme::Http(bearer));
    }
}

/// The finished document, as JSON: the same for the command, the server and the tests.
pub fn finish_document(document: &Document) -> Value {
    let mut document = serde_json::to_value(document).unwrap_or_default();
    if let Some(info) = document.get_mut("info").and_then(Value::as_object_mut) {
        info.insert("description".to_owned(), json!(DESCRIPTION));
        info.insert("version".to_owned(), json!(env!("CARGO_PKG_VERSION")));
    }
    let examples: Value =
        serde_json::from_str(include_str!("../../data/examples.json")).unwrap_or_default();
    if let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) {
        for (path, item) in paths.iter_mut() {
            let Some(item) = item.as_object_mut() else { continue };
            for (method, operation) in item.iter_mut() {
                let Some(operation) = operation.as_object_mut() else { continue };
                complete_operation(path, method, operation, &examples);
            }
        }
    }
    if let Some(members) = document.as_object_mut() {
        members.insert("webhooks".to_owned(), describe_webhooks(&examples));
    }
    if let Some(schemas) =
        document.pointer_mut("/components/schemas").and_then(Value::as_object_mut)
    {
        name_items(schemas);
    }
    document
}

/// The webhooks: one entry for each type of event.
fn describe_webhooks(examples: &Value) -> Value {
    let entry = |kind: &Happening| {
        let name = kind.name();
        let told = examples.pointer(&format!("/event {name}/response")).cloned();
        let data = told.unwrap_or_else(|| build_example(*kind));
        let example = json!({ "type": name, "timestamp": data.get("at"), "data": data });
        let header = |name: &str, text: &str, example: &str| {
            json!({
                "name": name, "in": "header", "required": true, "description": text,
                "schema": { "type": "string" }, "example": example,
            })
        };
        let operation = json!({
            "operationId": format!("on_{}", name.replace('.', "_")),
            "summary": kind.label(),
            "description": format!(
                "{}。按 Standard Webhooks 签名；返回 2xx 表示收到，410 表示不再接收，其余稍后重试。",
                kind.label()
            ),
            "tags": ["webhooks"],
            "security": [],
            "parameters": [
                header("webhook-id", "The identity of the event, for telling repetitions. 事件标识。",
                    "0190c5a2-7d3e-8f10-9a54-2f1b6c7d8e9f"),
                header("webhook-timestamp", "When it was sent, in seconds since 1970. 发送时间。",
                    "1793000000"),
                header("webhook-signature", "`v1,` and HMAC-SHA256 of `id.timestamp.body` in base64, one \
                    for each secret in use, separated by spaces. 签名。",
                    "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
            ],
            "requestBody": { "required": true, "content": { "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["type", "timestamp", "data"],
                    "properties": {
                        "type": { "type": "string", "const": name },
                        "timestamp": { "type": "string", "format": "date-time" },
                        "data": { "$ref": "#/components/schemas/EventView" },
                    },
                },
                "example": example,
            } } },
            "responses": {
                "2XX": { "description": "收到 · taken" },
                "410": { "description": "不再接收 · gone for good" },
                "default": { "description": "稍后重试 · tried again later" },
            },
        });
        (name.to_owned(), json!({ "post": operation }))
    };
    Value::Object(Happening::ALL.iter().map(entry).collect())
}

/// An example of an event that the demonstration does not produce: the common shape, without
/// details.
fn build_example(kind: Happening) -> Value {
    let flow = kind.name().split('.').next().unwrap_or_default();
    let id = "0190c5a2-7d3e-7f10-9a54-2f1b6c7d8e90";
    json!({
        "id": "0190c5a2-7d3e-8f10-9a54-2f1b6c7d8e9f", "type": kind.name(), "label": kind.label(),
        "at": "2026-10-09T01:30:00Z", "by": "街道调度员刘洋",
        "subject": {
            "kind": flow, "id": id, "number": "AJ20261009000012", "seq": 7,
            "path": format!("/api/v1/{flow}s/{id}"),
        },
        "area": { "id": "0190c5a2-7d3e-7f10-9a54-2f1b6c7d8e91", "kind": "grid", "name": "枫林一格" },
        "data": {},
    })
}

/// Lets the schema of a page refer to that of its items, instead of repeating it.
fn name_items(schemas: &mut Map<String, Value>) {
    let names: Vec<String> = schemas.keys().cloned().collect();
    for (page, schema) in schemas.iter_mut() {
        let item = page.strip_prefix("Page_").filter(|item| names.iter().any(|n| n == item));
        if let (Some(item), Some(items)) = (item, schema.pointer_mut("/properties/items/items")) {
            *items = json!({ "$ref": format!("#/components/schemas/{item}") });
        }
    }
}

fn complete_operation(
    path: &str,
    method: &str,
    operation: &mut Map<String, Value>,
    examples: &Value,
) {
    let open = operation.contains_key("security");
    if !open {
        operation.insert("security".to_owned(), json!([{ "bearer": [] }]));
    }
    let login = path.starts_with("/api/v1/auth/") || path == "/oauth/token";
    // A message that WeChat sends is no command.
    let told = path.starts_with("/api/v1/wechat/");
    let writes = method == "post" && !login && !told;
    add_parameters(path, writes, operation);
    let mut problems = vec!["400", "503"];
    if !open || login {
        problems.push("401");
    }
    if login {
        problems.push("429");
    }
    if path.contains('{') {
        problems.push("404");
    }
    if writes {
        problems.extend(["403", "409", "412", "422"]);
    }
    if let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) {
        for response in responses.values_mut().filter_map(Value::as_object_mut) {
            response.entry("description").or_insert_with(|| json!("成功 · done"));
        }
        for status in problems {
            responses.insert(status.to_owned(), describe_problem(status));
        }
        responses.insert("default".to_owned(), describe_problem("default"));
    }
    let id = operation.get("operationId").and_then(Value::as_str).unwrap_or_default().to_owned();
    if let Some(example) = examples.get(&id) {
        add_example(operation, example);
    }
}

fn describe_problem(status: &str) -> Value {
    let description = match status {
        "400" => "请求不符合要求 · the request is not valid",
        "401" => "未登录或凭据错误 · not logged in, or wrong credentials",
        "403" => "没有权限 · not permitted",
        "404" => "不存在或不可见 · does not exist, or not visible to you",
        "409" => "冲突 · conflict",
        "412" => "If-Match 不是最新版本 · If-Match names an older version",
        "422" => "规则不允许，`code` 说明原因 · not allowed by the rules, `code` says why",
        "429" => "过于频繁，见 Retry-After · too many requests, see Retry-After",
        "503" => "暂时不可用，见 Retry-After · temporarily unavailable, see Retry-After",
        _ => "其他问题 · any other problem",
    };
    json!({
        "description": description,
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    })
}

/// The parameters every operation of a kind has.
fn add_parameters(path: &str, writes: bool, operation: &mut Map<String, Value>) {
    let list = operation.entry("parameters").or_insert_with(|| json!([]));
    let Some(list) = list.as_array_mut() else { return };
    for name in path.split('/').filter_map(|s| s.strip_prefix('{')?.strip_suffix('}')) {
        if list.iter().any(|parameter| parameter["name"] == name) {
            continue;
        }
        let description = match name {
            "unit_id" => "被吹哨的部门 · the summoned department",
            "code" => "问题代码 · the code of a problem",
            "secret_id" => "密钥 · the secret",
            "form_id" => "表单 · the form",
            "provider" => "登录方式的名称 · the name of a provider",
            _ => "标识 · the identity",
        };
        let schema = if ["code", "provider"].contains(&name) {
            json!({ "type": "string" })
        } else {
            json!({ "type": "string", "format": "uuid" })
        };
        list.push(json!({ "name": name, "in": "path", "required": true, "description": description, "schema": schema }));
    }
    // The items of a queue have keys of their own.
    if writes && path != "/api/v1/sync" {
        list.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": true,
            "description": "本次操作的 UUID（版本 4 或 7，建议 7）；重发同一请求用同一个 · a UUID of version 4 or 7 for this action, the same for every retry",
            "schema": { "type": "string", "format": "uuid" },
            "example": "018f3f5e-9c4b-7d2a-8e21-5b0c6f1a2d3e",
        }));
    }
    if writes && path.contains("{id}") {
        list.push(json!({
            "name": "If-Match", "in": "header", "required": false,
            "description": "读取时得到的 ETag；不符返回 412 · the ETag as read; 412 when it changed",
            "schema": { "type": "string" }, "example": "\"3\"",
        }));
    }
    if list.is_empty() {
        operation.remove("parameters");
    }
}

/// Puts a recorded request and answer into an operation.
fn add_example(operation: &mut Map<String, Value>, example: &Value) {
    if let Some(request) = example.get("request").filter(|request| !request.is_null())
        && let Some(body) = operation
            .get_mut("requestBody")
            .and_then(|body| body.pointer_mut("/content/application~1json"))
            .and_then(Value::as_object_mut)
    {
        body.insert("example".to_owned(), request.clone());
    }
    let Some(answer) = example.get("response").filter(|answer| !answer.is_null()) else { return };
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else {
        return;
    };
    for (status, response) in responses.iter_mut() {
        if status.starts_with('2')
            && let Some(content) =
                response.pointer_mut("/content/application~1json").and_then(Value::as_object_mut)
        {
            content.insert("example".to_owned(), answer.clone());
        }
    }
}
