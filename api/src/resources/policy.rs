//! Rules over HTTP: what a tenant decides for itself, as documents published in editions; lists
//! parsed from CSV, holidays from the yearly notice, presets of places that published their rules;
//! and the unit a matter would be dispatched to by them.

pub(crate) mod import;

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, get, post, web::Data};
use chrono::{DateTime, Utc};
use domain::{
    Instant,
    core::{
        id::AreaId,
        text::{Code as Word, Prose},
        time::local_day,
    },
    flows::{
        change::execute,
        policy::{Command, Document, Policy, PolicyKind},
    },
    people::actor::Actor,
    rules::{
        dispatch_preview::{self, Lists},
        refusal::Refusal,
        sla::PRESETS,
    },
};
use persistence::Write;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::{caller::Caller, state::App},
    engine::{
        flows::ServedFlow,
        step::{self, Asked},
    },
    http::{
        body::Json,
        headers::{IfMatch, Key},
        problem::{Code, Problem, Reply},
        register::ServiceConfig,
        view::{self, UnitView, render_with_etag, state_tag},
    },
};

impl ServedFlow for Policy {
    fn is_visible_to(&self, _: &Actor, _: Instant) -> bool {
        true
    }
}

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(list_policies)
        .service(list_presets)
        .service(get_policy)
        .service(publish_policy)
        .service(import_holidays)
        .service(import_policy)
        .service(preview_dispatch);
}

/// The documents in force.
#[derive(Serialize, ToSchema)]
pub struct PoliciesView {
    /// One of each kind.
    items: Vec<PolicyBrief>,
}

/// A document in force, in short.
#[derive(Serialize, ToSchema)]
pub struct PolicyBrief {
    /// The kind of document.
    #[schema(schema_with = view::policy_kind)]
    kind: &'static str,
    /// The kind in Chinese. 规则种类名称。
    kind_label: &'static str,
    /// Its edition; 0 is the one this program comes with. 版本。
    edition: i64,
    /// Who published it.
    by: Option<String>,
    /// When it was published; none for edition 0. 发布时间。
    at: Option<DateTime<Utc>>,
    /// Why it was published; none for edition 0. 发布说明。
    note: Option<String>,
}

/// A document in force.
#[derive(Serialize, ToSchema)]
pub struct PolicyView {
    /// The kind, the edition, and who published it when.
    #[serde(flatten)]
    brief: PolicyBrief,
    /// The document. 全文。
    #[schema(value_type = Object)]
    document: Value,
}

impl PolicyBrief {
    fn new(kind: PolicyKind, stored: Option<(&Policy, i64)>) -> Self {
        let policy = stored.map(|(policy, _)| policy);
        Self {
            kind: kind.name(),
            kind_label: kind.label(),
            edition: stored.map_or(0, |(_, seq)| seq),
            by: policy.map(|policy| policy.by_name.clone()),
            at: policy.map(|policy| policy.at),
            note: policy.map(|policy| policy.note.as_str().to_owned()),
        }
    }
}

/// Lists the documents in force.
///
/// 现行规则一览：种类、版本、发布人和时间。
#[utoipa::path(tag = "policies", responses((status = 200, body = PoliciesView)))]
#[get("/policies")]
async fn list_policies(app: Data<App>, caller: Caller) -> Reply<HttpResponse> {
    let tenant = caller.tenant;
    let stored = app.store.read(move |db| persistence::flows::policy::load_all(db, tenant)).await?;
    let of = |kind: PolicyKind| {
        let found = stored.iter().find(|stored| stored.state.document.kind() == kind);
        PolicyBrief::new(kind, found.map(|stored| (&stored.state, stored.seq)))
    };
    let items = PolicyKind::ALL.iter().map(|kind| of(*kind)).collect();
    Ok(HttpResponse::Ok().json(PoliciesView { items }))
}

/// Shows a document in force.
///
/// 查看一项规则全文；未发布过的为系统自带版本（版本 0）。
#[utoipa::path(tag = "policies", responses((status = 200, body = PolicyView)))]
#[get("/policies/{kind}")]
async fn get_policy(app: Data<App>, caller: Caller, request: HttpRequest) -> Reply<HttpResponse> {
    let kind = parse_kind(&request)?;
    let id = Policy::id_of(caller.tenant, kind);
    let stored = app.store.load_state::<Policy>(caller.tenant, id).await?;
    let seq = stored.as_ref().map_or(0, |stored| stored.seq);
    let document = match &stored {
        Some(stored) => stored.state.document.clone(),
        None => Document::standard(kind),
    };
    let brief = PolicyBrief::new(kind, stored.as_ref().map(|stored| (&stored.state, stored.seq)));
    let view = PolicyView { brief, document: render_content(&document) };
    Ok(render_with_etag(&request, HttpResponse::Ok(), &state_tag(seq), &view))
}

/// The content of a document, without its kind.
fn render_content(document: &Document) -> Value {
    let mut value = serde_json::to_value(document).unwrap_or_default();
    value.get_mut("document").map(Value::take).unwrap_or_default()
}

fn parse_kind(request: &HttpRequest) -> Reply<PolicyKind> {
    let text = request.match_info().get("kind").unwrap_or_default();
    PolicyKind::parse(text).ok_or_else(|| Problem::new(Code::NotFound))
}

/// A document to bring into force.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishBody {
    /// The whole document; nothing is carried over from the edition before. 全文。
    #[schema(value_type = Object)]
    document: Value,
    /// The reason. 发布说明。
    #[schema(value_type = String, min_length = 1, max_length = 4000, example = "按市政府2026年第12号文调整")]
    note: Prose,
}

/// Brings a document into force.
///
/// 发布规则：整份替换，先检查后生效，有一处错误则全部不生效；新案按新版计算，已有时限不变。
#[utoipa::path(tag = "policies", request_body = PublishBody, responses((status = 200, body = PolicyView)))]
#[post("/policies/{kind}")]
async fn publish_policy(
    app: Data<App>,
    caller: Caller,
    request: HttpRequest,
    body: Json<PublishBody>,
) -> Reply<HttpResponse> {
    let kind = parse_kind(&request)?;
    let document = parse_document(kind, body.0.document.clone())?;
    let publishing = Publishing::new(&request, "publish_policy", &body.0)?;
    publishing.publish(&app, &caller, document, body.0.note).await
}

/// Parses a document of a kind.
fn parse_document(kind: PolicyKind, value: Value) -> Reply<Document> {
    Ok(match kind {
        PolicyKind::Conduct => Document::Conduct(parse_content(value)?),
        PolicyKind::Calendar => Document::Calendar(parse_content(value)?),
        PolicyKind::Deadlines => Document::Deadlines(parse_content(value)?),
        PolicyKind::Responsibilities => Document::Responsibilities(parse_content(value)?),
        PolicyKind::Admissions => Document::Admissions(parse_content(value)?),
        PolicyKind::Whistling => Document::Whistling(parse_content(value)?),
        PolicyKind::Roles => Document::Roles(parse_content(value)?),
        PolicyKind::Privacy => Document::Privacy(parse_content(value)?),
        PolicyKind::Notices => Document::Notices(parse_content(value)?),
    })
}

fn parse_content<T: DeserializeOwned>(value: Value) -> Reply<T> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let pointer = crate::http::body::json_pointer(error.path());
        let wording = crate::http::wording::translate_message(
            &error.inner().to_string(),
            crate::http::wording::Noun::Field,
        );
        let pointer = format!("/document{pointer}");
        Problem::new(Code::InvalidBody).error(pointer, wording.code, wording.zh, wording.en)
    })
}

/// A request to bring a document into force.
struct Publishing {
    request: HttpRequest,
    key: Key,
    if_match: IfMatch,
    digest: String,
    operation: &'static str,
}

impl Publishing {
    fn new(request: &HttpRequest, operation: &'static str, body: &impl Serialize) -> Reply<Self> {
        Ok(Self {
            request: request.clone(),
            key: Key::from_headers(request.headers())?,
            if_match: IfMatch::from_headers(request.headers())?,
            digest: serde_json::to_string(body).unwrap_or_default(),
            operation,
        })
    }

    async fn publish(
        self,
        app: &App,
        caller: &Caller,
        document: Document,
        note: Prose,
    ) -> Reply<HttpResponse> {
        let kind = document.kind();
        let id = Policy::id_of(caller.tenant, kind);
        let request =
            domain::flows::change::Request::new(self.key.0, self.operation, id, &self.digest);
        let command =
            Command::Publish { tenant: caller.tenant, document: Box::new(document), note };
        let known = app.store.load_state::<Policy>(caller.tenant, id).await?;
        let stored = if known.is_some() {
            let asked = Asked { id, request, if_match: self.if_match };
            step::run_command::<Policy>(app, caller, asked, command).await?
        } else {
            self.if_match.check_seq(0)?;
            let first = |context: domain::flows::flow::Context<'_>| {
                let change = execute::<Policy>(None, &command, request, context)?;
                Ok((change, Vec::<Write>::new()))
            };
            step::begin_flow::<Policy>(app, caller, request, first).await?.0
        };
        app.worlds.refresh(&app.store).await?;
        let brief = PolicyBrief::new(kind, Some((&stored.state, stored.seq)));
        let view = PolicyView { brief, document: render_content(&stored.state.document) };
        Ok(render_with_etag(&self.request, HttpResponse::Ok(), &state_tag(stored.seq), &view))
    }
}

/// Yearly notices of holidays and make-up working days.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HolidaysBody {
    /// Files in the holiday-cn format, each a year. 节假日安排（每年一份）。
    #[schema(value_type = Vec<Object>, min_items = 1, max_items = 20)]
    years: Vec<Value>,
    /// The reason. 说明。
    #[schema(value_type = String, min_length = 1, max_length = 4000, example = "国务院办公厅关于2027年部分节假日安排的通知")]
    note: Prose,
}

/// Imports holidays and make-up working days.
///
/// 导入节假日与调休安排：成为新一版日历；此前暂定的时限由系统重新计算，已成事实的不变。
#[utoipa::path(tag = "policies", request_body = HolidaysBody, responses((status = 200, body = PolicyView)))]
#[post("/policies/calendar/holidays")]
async fn import_holidays(
    app: Data<App>,
    caller: Caller,
    request: HttpRequest,
    body: Json<HolidaysBody>,
) -> Reply<HttpResponse> {
    let publishing = Publishing::new(&request, "import_holidays", &body.0)?;
    let id = Policy::id_of(caller.tenant, PolicyKind::Calendar);
    let known = app.store.load_state::<Policy>(caller.tenant, id).await?;
    let known = known.as_deref().map(|stored| &stored.state.document);
    let document = import::merge_holidays(known, &body.0.years)?;
    // The scheduler recomputes provisional deadlines.
    publishing.publish(&app, &caller, document, body.0.note).await
}

/// A table, or a preset.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportBody {
    /// The table as CSV, areas by their codes. CSV 文本，区域用代码。
    #[schema(max_length = 200_000)]
    csv: Option<String>,
    /// The name of a preset of deadlines, laid over the standard. 预设名称。
    #[schema(example = "nanjing-gulou")]
    preset: Option<String>,
    /// Whether a list of admissions is enforced. 是否强制执行。
    enforced: Option<bool>,
    /// The reason. 说明。
    #[schema(value_type = String, min_length = 1, max_length = 4000)]
    note: Prose,
}

/// Imports a document from a table.
///
/// 从 CSV 导入时限标准、权责清单或准入清单，或套用时限预设；错误按行列指出，有错则全部不导入。
#[utoipa::path(tag = "policies", request_body = ImportBody, responses((status = 200, body = PolicyView)))]
#[post("/policies/{kind}/import")]
async fn import_policy(
    app: Data<App>,
    caller: Caller,
    request: HttpRequest,
    body: Json<ImportBody>,
) -> Reply<HttpResponse> {
    let kind = parse_kind(&request)?;
    let publishing = Publishing::new(&request, "import_policy", &body.0)?;
    let world = app.world(caller.tenant)?;
    let ImportBody { csv, preset, enforced, .. } = &body.0;
    let document = match (kind, preset) {
        (PolicyKind::Deadlines, Some(name)) => import::read_preset(name, &world)?,
        _ => import::read_table(kind, csv.as_deref(), enforced.unwrap_or(true), &world)?,
    };
    publishing.publish(&app, &caller, document, body.0.note).await
}

/// Presets of deadlines.
#[derive(Serialize, ToSchema)]
pub struct PresetsView {
    /// One for each place.
    items: Vec<PresetView>,
}

/// The deadlines of a place that published them.
#[derive(Serialize, ToSchema)]
pub struct PresetView {
    /// The name of the preset, for importing it.
    #[schema(example = "nanjing-gulou")]
    name: &'static str,
    /// The title of what the place published, in Chinese.
    title: &'static str,
    /// The place that published it, in Chinese.
    place: &'static str,
    /// Remarks of its source that are no limits.
    remarks: Vec<&'static str>,
}

/// Lists the presets of deadlines.
///
/// 时限预设：各地公开发布的时限规定，可直接套用。
#[utoipa::path(tag = "policies", responses((status = 200, body = PresetsView)))]
#[get("/policies/deadlines/presets")]
async fn list_presets(_caller: Caller) -> Reply<HttpResponse> {
    let items = PRESETS.iter().map(|preset| PresetView {
        name: preset.name,
        title: preset.title,
        place: preset.place,
        remarks: preset.remarks.to_vec(),
    });
    Ok(HttpResponse::Ok().json(PresetsView { items: items.collect() }))
}

/// A matter to be dispatched.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DispatchPreviewBody {
    /// The area it lies in. 地点所在区域。
    area_id: Uuid,
    /// The code of its category. 类别代码。
    #[schema(value_type = Option<String>, example = "A02")]
    category: Option<Word>,
}

/// The unit a matter would be dispatched to.
#[derive(Serialize, ToSchema)]
pub struct DispatchView {
    /// The unit that would get it. 建议单位。
    target: UnitView,
    /// How it would be dispatched. 方式。
    #[schema(example = "whistle")]
    way: &'static str,
    /// The same in Chinese. 方式名称。
    way_label: &'static str,
    /// The lead unit. 主办。
    lead: Option<UnitView>,
    /// The cooperating units. 协办。
    cooperating: Vec<UnitView>,
    /// The item of the list that decides. 依据条目。
    rule: Option<String>,
    /// Why it must not be dispatched there.
    refusal: Option<String>,
    /// The reasons, in order. 理由。
    steps: Vec<DispatchStep>,
}

/// One reason for the proposal.
#[derive(Serialize, ToSchema)]
pub struct DispatchStep {
    /// Which reason it is, as a code.
    #[schema(example = "item_found")]
    name: &'static str,
    /// The reason in Chinese.
    label: &'static str,
    /// The facts, by name.
    facts: BTreeMap<&'static str, String>,
}

/// Shows the unit a matter would be dispatched to, and by which rule.
///
/// 派遣预览：按权责清单和准入清单说明应派给谁、为什么；不产生任何记录。
#[utoipa::path(tag = "policies", request_body = DispatchPreviewBody, responses((status = 200, body = DispatchView)))]
#[post("/dispatch/preview")]
async fn preview_dispatch(
    app: Data<App>,
    caller: Caller,
    body: Json<DispatchPreviewBody>,
) -> Reply<HttpResponse> {
    let world = app.world(caller.tenant)?;
    let area = AreaId(body.0.area_id);
    let category = body.0.category.as_ref().map(Word::as_str);
    if let Some(code) = category {
        world.catalogue.require_category(code)?;
    }
    let lists = Lists {
        catalogue: &world.catalogue,
        areas: &world.areas,
        responsibilities: &world.rules.responsibilities.value,
        admissions: &world.rules.admissions.value,
    };
    let on = local_day(app.clock.now());
    let preview = dispatch_preview::preview_dispatch(category, area, &lists, on);
    let preview = preview.ok_or_else(|| Problem::from(Refusal::UnknownArea { id: area }))?;
    let steps = preview.steps.into_iter().map(|step| DispatchStep {
        name: step.name.name(),
        label: step.name.label(),
        facts: step.facts.into_iter().collect(),
    });
    Ok(HttpResponse::Ok().json(DispatchView {
        target: UnitView::from(&preview.target),
        way: preview.way.name(),
        way_label: preview.way.label(),
        lead: preview.lead.as_ref().map(UnitView::from),
        cooperating: preview.cooperating.iter().map(UnitView::from).collect(),
        rule: preview.rule.map(|rule| rule.code.clone()),
        refusal: preview.refusal.map(str::to_owned),
        steps: steps.collect(),
    }))
}
