//! Forms over HTTP (一表通): published in editions as JSON Schema, prefilled for a household with the
//! known values, and answered by the changes.

pub mod commands;
pub mod fill;

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, get, post, web::Data};
use chrono::{DateTime, Utc};
use domain::{
    Instant,
    core::text::{Code as Word, Prose},
    flows::{
        change::Versioned,
        form::{Form, KnownValue},
        household::Household,
    },
    people::actor::Actor,
    rules::burden::Counts,
};
use persistence::flows::form as forms;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    app::{caller::Caller, state::App},
    engine::{
        flows::ServedFlow,
        step::{self, Step},
    },
    http::{
        answer::Answer,
        body::Json,
        page::{Cursor, Limit, Page},
        params::{IdPath, Query},
        problem::{Code, Problem, Reply},
        register::ServiceConfig,
        view::{self, render_with_etag, state_tag},
    },
};

impl ServedFlow for Form {
    fn is_visible_to(&self, _: &Actor, _: Instant) -> bool {
        true
    }
}

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(publish_form)
        .service(list_forms)
        .service(get_form)
        .service(withdraw_form)
        .service(get_household_form)
        .service(answer_household_form)
        .service(list_household_answers);
}

/// A form to bring into force.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishFormBody {
    /// Its code; the same code again is the next edition. 表单代码。
    #[schema(value_type = String, max_length = 40, example = "winter_safety")]
    code: Word,
    /// The JSON Schema (2020-12, a subset): at most 64 kB, 100 fields, 4 levels. Fields at the root
    /// may have `x-source` (prefilled from a fact: household_number, grid, community, building,
    /// room, size, group, head_name, head_phone, special_groups, worker), `x-personal` (shown
    /// masked) and `x-ask: each_time` (not carried over); the root may have `x-order`, the names
    /// of the fields as they are asked. 表单结构。
    #[schema(value_type = Object)]
    schema: Value,
    /// The ground on which it is asked. 依据。
    #[schema(value_type = String, min_length = 1, max_length = 4000, example = "列入区级报表准入清单")]
    note: Prose,
}

/// A form in its newest edition.
#[derive(Serialize, ToSchema)]
pub struct FormView {
    /// The identity of the form. 表单标识。
    id: Uuid,
    /// The code of the form, the same in every edition. 表单代码。
    code: String,
    /// The title of the form, from its schema. 标题。
    title: String,
    /// Its place in the journal; the `ETag`.
    seq: i64,
    /// The edition. 版本。
    edition: i64,
    /// The JSON Schema. 表单结构。
    #[schema(value_type = Object)]
    schema: Value,
    /// How many fields it has. 字段数。
    fields: usize,
    /// How many of them are filled in from known facts. 自动带出字段数。
    prefilled: usize,
    /// Whether it is withdrawn. 是否停用。
    withdrawn: bool,
    /// Who published it.
    by: String,
    /// When that edition was published. 发布时间。
    at: DateTime<Utc>,
    /// The ground on which it is asked.
    note: String,
}

impl From<&Versioned<Form>> for FormView {
    fn from(stored: &Versioned<Form>) -> Self {
        let form = &stored.state;
        let asked = form.parse_schema();
        Self {
            id: form.id.0,
            code: form.code.as_str().to_owned(),
            prefilled: asked.fields.iter().filter(|field| field.source.is_some()).count(),
            fields: asked.fields.len(),
            title: asked.title,
            seq: stored.seq,
            edition: stored.seq,
            schema: form.schema.clone(),
            withdrawn: form.withdrawn,
            by: form.by_name.clone(),
            at: form.at,
            note: form.note.as_str().to_owned(),
        }
    }
}

/// Brings an edition of a form into force.
///
/// 发布表单：先检查后生效，不支持的关键字一律拒绝；同一代码再次发布即新版本，已填内容按字段名沿用。
#[utoipa::path(tag = "forms", request_body = PublishFormBody, responses((status = 201, body = FormView)))]
#[post("/forms")]
async fn publish_form(
    start: commands::Publishing,
    body: Json<PublishFormBody>,
) -> Reply<Answer<FormView>> {
    commands::publish_form(start, body.0).await
}

/// Which forms to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListForms {
    /// How many at most, 1 to 100.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 20)]
    limit: Option<Limit>,
    /// Where the last page ended.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<String>>,
    /// Whether withdrawn forms are listed too. 含已停用的。
    withdrawn: Option<bool>,
}

/// Lists forms by their codes.
///
/// 表单目录：本市（县）现行的全部表单，没有列出的不得要求填报。
#[utoipa::path(tag = "forms", params(ListForms), responses((status = 200, body = Page<FormView>)))]
#[get("/forms")]
async fn list_forms(
    app: Data<App>,
    caller: Caller,
    params: Query<ListForms>,
) -> Reply<Page<FormView>> {
    let ListForms { limit, cursor, withdrawn } = params.0;
    let (tenant, limit) = (caller.tenant, limit.unwrap_or_default());
    let (after, withdrawn) = (cursor.map(|cursor| cursor.0), withdrawn.unwrap_or_default());
    let look = move |db: &mut persistence::Db| {
        forms::list(db, tenant, withdrawn, after.as_deref(), limit.probe())
    };
    let found = app.store.read(look).await?;
    let position = |stored: &Versioned<Form>| stored.state.code.as_str().to_owned();
    Ok(Page::from_rows(found, limit, position, |stored| FormView::from(&stored)))
}

/// Shows a form.
///
/// 表单详情。
#[utoipa::path(tag = "forms", responses((status = 200, body = FormView)))]
#[get("/forms/{id}")]
async fn get_form(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    id: IdPath<Uuid>,
) -> Reply<HttpResponse> {
    let stored = step::load_visible::<Form>(&app, &caller, id.0).await?;
    Ok(render_with_etag(
        &request,
        HttpResponse::Ok(),
        &state_tag(stored.seq),
        &FormView::from(&*stored),
    ))
}

/// The withdrawal of a form.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WithdrawBody {
    /// The reason. 理由。
    #[schema(value_type = String, min_length = 1, max_length = 4000, example = "与月报内容重复")]
    reason: Prose,
}

/// Withdraws a form.
///
/// 停用表单：已填内容保留，按字段名供其他表单带出。
#[utoipa::path(tag = "forms", request_body = WithdrawBody, responses((status = 200, body = FormView)))]
#[post("/forms/{id}/withdraw")]
async fn withdraw_form(step: Step, body: Json<WithdrawBody>) -> Reply<Answer<FormView>> {
    commands::withdraw_form(step, body.0).await
}

/// One value of a form, with where it came from.
#[derive(Serialize, ToSchema)]
pub struct FilledView {
    /// The value; `****` where it is personal. 值（个人信息脱敏）。
    #[schema(value_type = Value)]
    value: Value,
    /// Whether it is masked: it is known and need not be given again. 是否脱敏。
    masked: bool,
    /// How the field came to its value. 来源方式。
    #[schema(schema_with = view::answer_how)]
    how: &'static str,
    /// The same in Chinese. 来源方式名称。
    how_label: &'static str,
    /// The fact or the form it comes from. 来源。
    from: Option<String>,
    /// When the value was given. 时间。
    at: DateTime<Utc>,
}

/// Values by the names of their fields.
pub type FilledViews = BTreeMap<String, FilledView>;

/// The views of values: those that are personal by the form, or by the form that asked for them,
/// are masked.
pub fn render_values(
    values: &BTreeMap<String, KnownValue>,
    masked: impl Fn(&str) -> bool,
) -> FilledViews {
    let view = |(name, known): (&String, &KnownValue)| {
        let masked = known.personal || masked(name);
        let value = if masked { Value::from("****") } else { known.value.clone() };
        let shown = FilledView {
            value,
            masked,
            how: known.origin.how.name(),
            how_label: known.origin.how.label(),
            from: known.origin.from.clone(),
            at: known.origin.at,
        };
        (name.clone(), shown)
    };
    values.iter().map(view).collect()
}

/// A form for a household, with the known values.
#[derive(Serialize, ToSchema)]
pub struct HouseholdFormView {
    /// The identity of the form. 表单标识。
    form_id: Uuid,
    /// The code of the form. 表单代码。
    code: String,
    /// The title of the form, from its schema. 标题。
    title: String,
    /// The edition that is shown. 版本。
    edition: i64,
    /// The JSON Schema.
    #[schema(value_type = Object)]
    schema: Value,
    /// The known values, by field: only changes have to be given. 已知内容。
    #[schema(value_type = BTreeMap<String, FilledView>)]
    values: FilledViews,
    /// Required fields without a known value. 还需填写的字段。
    missing: Vec<String>,
}

/// Shows a form for a household, prefilled.
///
/// 预填表单：已知内容自动带出并注明来源和时间，只需填写 missing 和变化的部分。
#[utoipa::path(tag = "forms", responses((status = 200, body = HouseholdFormView)))]
#[get("/households/{id}/forms/{form_id}")]
async fn get_household_form(
    app: Data<App>,
    caller: Caller,
    ids: IdPath<(Uuid, Uuid)>,
) -> Reply<HttpResponse> {
    let (id, form_id) = ids.0;
    let household = step::load_visible::<Household>(&app, &caller, id).await?;
    let form = step::load_visible::<Form>(&app, &caller, form_id).await?;
    let schema = form.state.parse_schema();
    let facts = fill::load_facts(&app, &caller, &household.state).await?;
    let known = schema.prefill(&facts);
    let personal = |name: &str| schema.find_field(name).is_none_or(|field| field.personal);
    let missing = schema.fields.iter().filter(|field| field.required);
    let missing = missing.filter(|field| !known.contains_key(&field.name));
    Ok(HttpResponse::Ok().json(HouseholdFormView {
        form_id,
        code: form.state.code.as_str().to_owned(),
        edition: form.seq,
        schema: form.state.schema.clone(),
        values: render_values(&known, personal),
        missing: missing.map(|field| field.name.clone()).collect(),
        title: schema.title,
    }))
}

/// The changes to the values of a form.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerBody {
    /// Only what changed, by field; null takes a value away (RFC 7396). 只填变化。
    #[serde(default, serialize_with = "crate::privacy::contact::hide_value")]
    #[schema(value_type = Object)]
    changes: Map<String, Value>,
}

/// A form that was answered.
#[derive(Serialize, ToSchema)]
pub struct AnsweredView {
    /// The identity of the answers.
    id: Uuid,
    /// The identity of the form that was answered. 表单标识。
    form_id: Uuid,
    /// The edition of the form.
    edition: i64,
    /// The visit it was answered on.
    visit_id: Option<Uuid>,
    /// When it was answered. 填写时间。
    at: DateTime<Utc>,
    /// All that was answered, masked where it is personal. 全部内容。
    #[schema(value_type = BTreeMap<String, FilledView>)]
    values: FilledViews,
    /// How much the form demanded; not repeated when answers are listed later. 填写数量。
    counts: Option<CountsView>,
}

/// How much was demanded.
#[derive(Serialize, ToSchema)]
pub struct CountsView {
    /// Fields that had to have a value. 必填。
    pub required: u16,
    /// Fields given. 填写。
    pub typed: u16,
    /// Fields no one had to give. 自动带出和沿用。
    pub reused: u16,
    /// Fields given although they were known with this value. 重复填写。
    pub repeated: u16,
    /// Photos demanded. 要求的照片。
    pub photos: u16,
}

impl From<Counts> for CountsView {
    fn from(counts: Counts) -> Self {
        let Counts { required, typed, reused, repeated, photos } = counts;
        Self { required, typed, reused, repeated, photos }
    }
}

/// Answers a form for a household.
///
/// 填表：只交变化的字段（JSON 合并），其余由系统按已知内容补全；逐字段记录来源，整份加密保存。
#[utoipa::path(tag = "forms", request_body = AnswerBody, responses((status = 200, body = AnsweredView)))]
#[post("/households/{id}/forms/{form_id}")]
async fn answer_household_form(step: Step, body: Json<AnswerBody>) -> Reply<Answer<AnsweredView>> {
    commands::answer_household_form(step, body.0).await
}

/// Which answers to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListAnswers {
    /// How many at most, 1 to 100.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 20)]
    limit: Option<Limit>,
    /// Where the last page ended.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<(domain::Instant, Uuid)>>,
}

/// Lists the answers of a household, newest first.
///
/// 填表记录：每次的全部内容和逐字段来源；个人信息脱敏，已删除的不再显示。
#[utoipa::path(tag = "forms", params(ListAnswers), responses((status = 200, body = Page<AnsweredView>)))]
#[get("/households/{id}/answers")]
async fn list_household_answers(
    app: Data<App>,
    caller: Caller,
    id: IdPath<Uuid>,
    params: Query<ListAnswers>,
) -> Reply<Page<AnsweredView>> {
    let household = step::load_visible::<Household>(&app, &caller, id.0).await?;
    let limit = params.0.limit.unwrap_or_default();
    let (tenant, of) = (caller.tenant, household.state.id);
    let before = params.0.cursor.map(|cursor| cursor.0);
    let look =
        move |db: &mut persistence::Db| forms::list_answers(db, tenant, of, before, limit.probe());
    let found = app.store.read(look).await?;
    let kept = fill::load_answers(&app, tenant, &found).await?;
    let mut schemas = BTreeMap::new();
    for one in &found {
        if let Some(form) = app.store.load_state::<Form>(tenant, one.form.0).await? {
            schemas.insert(one.form, form.state.parse_schema());
        }
    }
    let view = |one: forms::Answered| {
        let schema = schemas.get(&one.form);
        let personal =
            |name: &str| schema.and_then(|s| s.find_field(name)).is_none_or(|field| field.personal);
        let values = kept.get(&one.id).map(|document| render_values(&document.values, personal));
        AnsweredView {
            id: one.id,
            form_id: one.form.0,
            edition: one.edition,
            visit_id: one.visit.map(|visit| visit.0),
            at: one.at,
            values: values.unwrap_or_default(),
            counts: None,
        }
    };
    Ok(Page::from_rows(found, limit, |one| (one.at, one.id), view))
}

/// The problem of a form that is withdrawn, or does not exist.
pub fn unknown_form(under: &'static str) -> Problem {
    let (zh, en) = (
        "没有这张表单，或已停用；请核对编号。",
        "There is no such form, or it is retired; check the id.",
    );
    Problem::new(Code::InvalidBody).error(under, "unknown_form", zh, en)
}
