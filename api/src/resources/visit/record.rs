//! Recording a visit: the outcome, the opinions, a form, and the needs, each of which becomes a
//! report in the same commit.

pub mod commands;

use actix_web::post;
use chrono::{DateTime, FixedOffset};
use domain::{
    core::text::{Code as Word, Line, Prose},
    flows::visit::{Outcome, Purpose},
    rules::vocabulary::Urgency,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::VisitView;
use crate::{
    engine::step::{Start, Step},
    http::{answer::Answer, body::Json, problem::Reply, view},
};

/// A need of the household: it becomes a report in the grid.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NeedBody {
    /// The full text. 内容。
    #[schema(value_type = String, min_length = 1, max_length = 4000, example = "楼道灯不亮，老人夜里下楼不安全")]
    text: Prose,
    /// The title, in a line; left out, the first words of the text. 标题。
    #[schema(value_type = Option<String>, max_length = 120)]
    title: Option<Line>,
    /// The code in the catalogue. 类别代码。
    #[schema(value_type = Option<String>, max_length = 40, example = "A02")]
    category: Option<Word>,
    /// The urgency; `normal` when left out. 紧急程度。
    #[schema(schema_with = view::urgency)]
    urgency: Option<Urgency>,
    /// The address in words; the building when left out. 地址。
    #[schema(value_type = Option<String>, max_length = 120)]
    address: Option<Line>,
}

/// A form that is filled in on the visit.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VisitFormBody {
    /// The form; when left out, that of the campaign. 表单。
    id: Option<Uuid>,
    /// Only what changed, by field. 只填变化。
    #[serde(default, serialize_with = "crate::privacy::contact::hide_value")]
    #[schema(value_type = Object)]
    changes: Map<String, Value>,
}

/// A visit that took place.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VisitBody {
    /// The identity it will have; else derived from the `Idempotency-Key`. In a campaign it is
    /// derived from the campaign and the household, which is visited once.
    #[serde(default, deserialize_with = "crate::http::body::own_id")]
    id: Option<Uuid>,
    /// The household that was visited. 家庭。
    household_id: Uuid,
    /// The campaign it is part of. 行动。
    campaign_id: Option<Uuid>,
    /// The purpose; in a campaign it may be left out. 目的。
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 6, example = json!(["opinions"]))]
    purposes: Vec<Purpose>,
    /// The outcome. 结果。
    #[schema(schema_with = view::visit_outcome)]
    outcome: Outcome,
    /// The opinions of the household. 意见。
    #[schema(value_type = Option<String>, max_length = 4000)]
    opinions: Option<Prose>,
    /// When, by the phone's clock; left out, now. Any hour; another day is marked as 补录. 走访时间。
    #[serde(default, deserialize_with = "crate::http::body::time::read_optional_moment")]
    visited_at: Option<DateTime<FixedOffset>>,
    /// A form that was filled in. 表单。
    form: Option<VisitFormBody>,
    /// The needs found; each becomes a report. 发现的需求，逐条转为上报。
    #[serde(default)]
    #[schema(max_items = 10)]
    needs: Vec<NeedBody>,
}

/// The record of a planned visit.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordBody {
    /// The purpose; as planned when left out. 目的。
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 6)]
    purposes: Vec<Purpose>,
    /// The outcome. 结果。
    #[schema(schema_with = view::visit_outcome)]
    outcome: Outcome,
    /// The opinions of the household. 意见。
    #[schema(value_type = Option<String>, max_length = 4000)]
    opinions: Option<Prose>,
    /// When it took place, by the phone's clock. 走访时间。
    #[serde(default, deserialize_with = "crate::http::body::time::read_optional_moment")]
    visited_at: Option<DateTime<FixedOffset>>,
    /// A form that was filled in. 表单。
    form: Option<VisitFormBody>,
    /// The needs found. 发现的需求。
    #[serde(default)]
    #[schema(max_items = 10)]
    needs: Vec<NeedBody>,
}

/// Records an unplanned visit, or one of a campaign.
///
/// 记录走访：一步完成；发现的需求同时转为上报，不必再填一遍；不要求定位和照片，任何时间均可，隔日补录有标记。
#[utoipa::path(tag = "visits", request_body = VisitBody, responses((status = 201, body = VisitView)))]
#[post("/visits")]
pub(super) async fn submit_visit(start: Start, body: Json<VisitBody>) -> Reply<Answer<VisitView>> {
    commands::submit_visit(start, body.0).await
}

/// Records a planned visit.
///
/// 完成走访计划：内容同记录走访。
#[utoipa::path(tag = "visits", request_body = RecordBody, responses((status = 200, body = VisitView)))]
#[post("/visits/{id}/record")]
pub(super) async fn record_visit(step: Step, body: Json<RecordBody>) -> Reply<Answer<VisitView>> {
    commands::record_visit(step, body.0).await
}
