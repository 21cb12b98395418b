//! The whistle over HTTP: a street summons departments; each signs, contacts, arrives, feeds back;
//! the street sends departments back to work, releases and rates them.

pub mod commands;

use actix_web::post;
use domain::{
    core::text::{Code as Word, Prose},
    flows::case::whistle::Score,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    engine::step::Step,
    http::{
        answer::Answer,
        body::{
            Json,
            shared::{EmptyBody, NoteBody, ReasonBody},
        },
        problem::Reply,
        register::ServiceConfig,
        view::PointBody,
    },
    resources::case::{CaseView, ResultBody},
};

/// Registers the operations below one case.
pub fn under_case(config: &mut ServiceConfig<'_>) {
    config
        .service(blow_whistle)
        .service(call_off_whistle)
        .service(raise_whistle)
        .service(coordinate_whistle)
        .scope("/summonses/{unit_id}", |config| {
            config
                .service(sign_summons)
                .service(contact_summons)
                .service(arrive_summons)
                .service(feed_back_summons)
                .service(send_back_summons)
                .service(release_summons)
                .service(rate_summons)
                .service(contest_summons)
                .service(rule_summons)
                .service(rate_street);
        });
}

/// A whistle that a street blows.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WhistleBody {
    /// The rank: one of `GET /policies/whistling`. 哨级；缺省为第一级。
    #[schema(value_type = Option<String>, example = "advance")]
    rank: Option<Word>,
    /// The topic: one of the same document. 吹哨事由。
    #[schema(value_type = String, example = "resident_demand")]
    topic: Word,
    /// Why the street cannot solve it alone. 理由。
    #[schema(value_type = String, min_length = 1, max_length = 4000, example = "油烟与排水涉及多部门执法权限，街道无法单独解决")]
    reason: Prose,
    /// The lead department. 主办部门。
    lead_unit_id: Uuid,
    /// The others, at most 20. 协办部门。
    #[serde(default)]
    #[schema(max_items = 20)]
    cooperating_unit_ids: Vec<Uuid>,
}

/// Blows the whistle: a street summons departments.
///
/// 街道吹哨：召集一个主办部门和若干协办部门，各项时限自吹哨起算。按哨级规定需审批的，先形成审批事项，
/// 签批齐备即吹响。同一地点同类事项再次吹哨会自动关联。
#[utoipa::path(tag = "whistles", request_body = WhistleBody, responses((status = 200, body = CaseView)))]
#[post("/whistle")]
async fn blow_whistle(step: Step, body: Json<WhistleBody>) -> Reply<Answer<CaseView>> {
    commands::blow_whistle(step, body.0).await
}

/// Signs for a whistle.
///
/// 部门签收哨令。
#[utoipa::path(tag = "whistles", request_body = EmptyBody, responses((status = 200, body = CaseView)))]
#[post("/sign")]
async fn sign_summons(step: Step, body: Json<EmptyBody>) -> Reply<Answer<CaseView>> {
    commands::sign_summons(step, body.0).await
}

/// Records that a department contacted the street.
///
/// 部门先行联系街道。
#[utoipa::path(tag = "whistles", request_body = NoteBody, responses((status = 200, body = CaseView)))]
#[post("/contact")]
async fn contact_summons(step: Step, body: Json<NoteBody>) -> Reply<Answer<CaseView>> {
    commands::contact_summons(step, body.0).await
}

/// The arrival of a department.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ArriveBody {
    /// The position, when the phone knows it. 到场位置。
    point: Option<PointBody>,
    /// A note in words. 到场说明。
    #[schema(value_type = Option<String>, max_length = 4000)]
    note: Option<Prose>,
}

/// Records that a department arrived on the spot.
///
/// 部门报到：记录到场时间、位置和人员。
#[utoipa::path(tag = "whistles", request_body = ArriveBody, responses((status = 200, body = CaseView)))]
#[post("/arrive")]
async fn arrive_summons(step: Step, body: Json<ArriveBody>) -> Reply<Answer<CaseView>> {
    commands::arrive_summons(step, body.0).await
}

/// Feeds back the result of a department.
///
/// 部门反馈办理结果；主办部门最后答复。
#[utoipa::path(tag = "whistles", request_body = ResultBody, responses((status = 200, body = CaseView)))]
#[post("/feedback")]
async fn feed_back_summons(step: Step, body: Json<ResultBody>) -> Reply<Answer<CaseView>> {
    commands::feed_back_summons(step, body.0).await
}

/// Sends a department back to work.
///
/// 街道认为未办结，退回再办。
#[utoipa::path(tag = "whistles", request_body = ReasonBody, responses((status = 200, body = CaseView)))]
#[post("/send_back")]
async fn send_back_summons(step: Step, body: Json<ReasonBody>) -> Reply<Answer<CaseView>> {
    commands::send_back_summons(step, body.0).await
}

/// Releases a department.
///
/// 街道放行部门；全部放行后进入核查。
#[utoipa::path(tag = "whistles", request_body = EmptyBody, responses((status = 200, body = CaseView)))]
#[post("/release")]
async fn release_summons(step: Step, body: Json<EmptyBody>) -> Reply<Answer<CaseView>> {
    commands::release_summons(step, body.0).await
}

/// A rating of a department by the street, or of the street by a department.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RateBody {
    /// How fast it responded, 1 to 5. 响应速度。
    #[schema(value_type = u8, minimum = 1, maximum = 5, example = 5)]
    response: Score,
    /// How well it was done, 1 to 5. 办理质量。
    #[schema(value_type = u8, minimum = 1, maximum = 5, example = 4)]
    quality: Score,
    /// A comment in words. 评语。
    #[schema(value_type = Option<String>, max_length = 4000)]
    comment: Option<Prose>,
}

/// Rates a released department.
///
/// 街道评价部门的响应和质量，每个部门一次。
#[utoipa::path(tag = "whistles", request_body = RateBody, responses((status = 200, body = CaseView)))]
#[post("/rate")]
async fn rate_summons(step: Step, body: Json<RateBody>) -> Reply<Answer<CaseView>> {
    commands::rate_summons(step, body.0).await
}

/// Contests a summons: the matter is not the department's.
///
/// 部门提出异议：由区级裁定，裁定期间原时限继续计算。
#[utoipa::path(tag = "whistles", request_body = ReasonBody, responses((status = 200, body = CaseView)))]
#[post("/contest")]
async fn contest_summons(step: Step, body: Json<ReasonBody>) -> Reply<Answer<CaseView>> {
    commands::contest_summons(step, body.0).await
}

/// The ruling on a contested summons.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleSummonsBody {
    /// Whether the matter is this department's. 是否属于该部门。
    upheld: bool,
    /// The department that takes its place; required when the lead is excused. 替换部门。
    replacement_unit_id: Option<Uuid>,
    /// The reason. 裁定理由。
    #[schema(value_type = String, min_length = 1, max_length = 4000)]
    reason: Prose,
}

/// Rules on a contested summons.
///
/// 区级裁定：指定后不得再提异议；免除主办部门时必须另行指定。
#[utoipa::path(tag = "whistles", request_body = RuleSummonsBody, responses((status = 200, body = CaseView)))]
#[post("/rule")]
async fn rule_summons(step: Step, body: Json<RuleSummonsBody>) -> Reply<Answer<CaseView>> {
    commands::rule_summons(step, body.0).await
}

/// Rates the street, as a released department.
///
/// 双评议：部门评价街道，每个部门一次，自愿。
#[utoipa::path(tag = "whistles", request_body = RateBody, responses((status = 200, body = CaseView)))]
#[post("/rate_street")]
async fn rate_street(step: Step, body: Json<RateBody>) -> Reply<Answer<CaseView>> {
    commands::rate_street(step, body.0).await
}

/// Calls the whistle off.
///
/// 撤哨：案卷回到街道。
#[utoipa::path(tag = "whistles", request_body = ReasonBody, responses((status = 200, body = CaseView)))]
#[post("/call_off")]
async fn call_off_whistle(step: Step, body: Json<ReasonBody>) -> Reply<Answer<CaseView>> {
    commands::call_off_whistle(step, body.0).await
}

/// Asks the district to coordinate.
///
/// 提请区级领导协调。
#[utoipa::path(tag = "whistles", request_body = ReasonBody, responses((status = 200, body = CaseView)))]
#[post("/raise")]
async fn raise_whistle(step: Step, body: Json<ReasonBody>) -> Reply<Answer<CaseView>> {
    commands::raise_whistle(step, body.0).await
}

/// The arrangement of the district.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CoordinateBody {
    /// The arrangement in words. 协调意见。
    #[schema(value_type = String, min_length = 1, max_length = 4000)]
    note: Prose,
}

/// Records the arrangement of the district.
///
/// 区级协调意见。
#[utoipa::path(tag = "whistles", request_body = CoordinateBody, responses((status = 200, body = CaseView)))]
#[post("/coordinate")]
async fn coordinate_whistle(step: Step, body: Json<CoordinateBody>) -> Reply<Answer<CaseView>> {
    commands::coordinate_whistle(step, body.0).await
}
