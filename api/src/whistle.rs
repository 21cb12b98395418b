//! The whistle over HTTP: a street summons departments; each signs, contacts, arrives, feeds
//! back; the street sends back, releases, rates.

use actix_web::{HttpResponse, post};
use chrono::{DateTime, Utc};
use domain::{
    case::{
        Command,
        lifecycle::{SummonsVerb, possible_steps},
        whistle::{Act, Call, Rating, Score, Step as SummonsStep, Summons, Topic, Whistle},
    },
    id::AreaId,
    text::Prose,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use crate::{
    body::Json,
    case::{CaseView, EmptyBody, NoteBody, ReasonBody, ResultBody, ask, normalised, point_view},
    engine::{Step, segment},
    problem::Reply,
    view::{self, PointBody, PointView, TermView, UnitView},
};

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(blow_whistle)
        .service(sign_summons)
        .service(contact_summons)
        .service(arrive_summons)
        .service(feed_back_summons)
        .service(send_back_summons)
        .service(release_summons)
        .service(rate_summons);
}

/// A whistle with everybody it summoned.
#[derive(Serialize, ToSchema)]
pub struct WhistleView {
    /// What it is about.
    #[schema(schema_with = view::topic)]
    topic: &'static str,
    /// In Chinese.
    topic_label: &'static str,
    /// Why.
    reason: String,
    /// The street that blew it.
    street: UnitView,
    /// When.
    blown_at: DateTime<Utc>,
    /// Whether all were released.
    over: bool,
    /// Lead first.
    summonses: Vec<SummonsView>,
}

/// One summoned department.
#[derive(Serialize, ToSchema)]
pub struct SummonsView {
    /// Which.
    unit: UnitView,
    /// Whether it leads. 是否主办。
    lead: bool,
    /// How far it is.
    #[schema(schema_with = view::summons_step)]
    step: &'static str,
    /// In Chinese.
    step_label: &'static str,
    /// When, where and who arrived. 到场。
    arrival: Option<ArrivalView>,
    /// What it says it did.
    result: Option<String>,
    /// What the street thinks of it.
    rating: Option<RatingView>,
    /// Its clocks; all run from the whistle.
    clocks: ClocksView,
    /// What may be asked now.
    possible: Vec<&'static str>,
}

/// The clocks of a summons.
#[derive(Serialize, ToSchema)]
pub struct ClocksView {
    /// 签收。
    sign: TermView,
    /// 联系。
    contact: TermView,
    /// 到场。
    arrive: TermView,
    /// 反馈。
    feed_back: TermView,
}

/// Somebody on the spot.
#[derive(Serialize, ToSchema)]
pub struct ArrivalView {
    /// When.
    at: DateTime<Utc>,
    /// Who.
    by: String,
    /// Where.
    point: Option<PointView>,
    /// How far from the place of the case, in metres.
    distance_m: Option<f64>,
    /// In words.
    note: Option<String>,
}

/// The street's opinion.
#[derive(Serialize, ToSchema)]
pub struct RatingView {
    /// 响应，1 至 5。
    response: u8,
    /// 质量，1 至 5。
    quality: u8,
    /// 评语。
    comment: Option<String>,
}

impl From<&Whistle> for WhistleView {
    fn from(whistle: &Whistle) -> Self {
        Self {
            topic: whistle.topic.name(),
            topic_label: whistle.topic.label(),
            reason: whistle.reason.as_str().to_owned(),
            street: UnitView::from(&whistle.street),
            blown_at: whistle.blown_at,
            over: whistle.over(),
            summonses: whistle.summonses.iter().map(SummonsView::from).collect(),
        }
    }
}

impl From<&Summons> for SummonsView {
    fn from(summons: &Summons) -> Self {
        let text = |prose: &Prose| prose.as_str().to_owned();
        let clocks = &summons.clocks;
        let rated =
            matches!(summons.step, SummonsStep::Released { .. }) && summons.rating.is_some();
        let possible =
            possible_steps(summons.step.name()).into_iter().map(SummonsVerb::name).collect();
        Self {
            unit: UnitView::from(&summons.unit),
            lead: summons.lead,
            step: summons.step.name().name(),
            step_label: summons.step.name().label(),
            arrival: summons.arrival.as_ref().map(|arrival| ArrivalView {
                at: arrival.at,
                by: arrival.by_name.clone(),
                point: point_view(arrival.point),
                distance_m: arrival.distance_m,
                note: arrival.note.as_ref().map(text),
            }),
            result: summons.result.as_ref().map(text),
            rating: summons.rating.as_ref().map(|rating| RatingView {
                response: rating.response.into(),
                quality: rating.quality.into(),
                comment: rating.comment.as_ref().map(text),
            }),
            clocks: ClocksView {
                sign: TermView::from(&clocks.sign),
                contact: TermView::from(&clocks.contact),
                arrive: TermView::from(&clocks.arrive),
                feed_back: TermView::from(&clocks.feed_back),
            },
            possible: if rated { Vec::new() } else { possible },
        }
    }
}

/// A whistle.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WhistleBody {
    /// What it is about. 吹哨事由。
    #[schema(schema_with = view::topic)]
    topic: Topic,
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
/// 街道吹哨：召集一个主办部门和若干协办部门，各项时限自吹哨起算。
#[utoipa::path(tag = "whistles", request_body = WhistleBody, responses((status = 200, body = CaseView)))]
#[post("/cases/{id}/whistle")]
async fn blow_whistle(step: Step, body: Json<WhistleBody>) -> Reply<HttpResponse> {
    let call = Call {
        topic: body.0.topic,
        reason: body.0.reason.clone(),
        lead: AreaId(body.0.lead_unit_id),
        cooperating: body.0.cooperating_unit_ids.iter().copied().map(AreaId).collect(),
    };
    ask(step, "blow_whistle", &body.0, Command::Whistle(call)).await
}

/// Asks a step of the summons of the unit in the path.
async fn act(step: Step, operation: &str, body: &impl Serialize, act: Act) -> Reply<HttpResponse> {
    let unit = segment(&step.request, "unit_id")?;
    // The unit is part of what is asked: another unit under the same key is another request.
    ask(step, operation, &(unit, body), Command::Summons { unit: AreaId(unit), act }).await
}

/// Signs for a whistle.
///
/// 部门签收哨令。
#[utoipa::path(tag = "whistles", request_body = EmptyBody, responses((status = 200, body = CaseView)))]
#[post("/cases/{id}/summonses/{unit_id}/sign")]
async fn sign_summons(step: Step, body: Json<EmptyBody>) -> Reply<HttpResponse> {
    act(step, "sign_summons", &body.0, Act::Sign).await
}

/// Says how the street was contacted.
///
/// 部门先行联系街道。
#[utoipa::path(tag = "whistles", request_body = NoteBody, responses((status = 200, body = CaseView)))]
#[post("/cases/{id}/summonses/{unit_id}/contact")]
async fn contact_summons(step: Step, body: Json<NoteBody>) -> Reply<HttpResponse> {
    act(step, "contact_summons", &body.0, Act::Contact { note: body.0.note.clone() }).await
}

/// Somebody of a department is on the spot.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ArriveBody {
    /// Where, when the phone knows. 到场位置。
    point: Option<PointBody>,
    /// In words. 到场说明。
    #[schema(value_type = Option<String>, max_length = 4000)]
    note: Option<Prose>,
}

/// Reports in on the spot.
///
/// 部门报到：记录到场时间、位置和人员。
#[utoipa::path(tag = "whistles", request_body = ArriveBody, responses((status = 200, body = CaseView)))]
#[post("/cases/{id}/summonses/{unit_id}/arrive")]
async fn arrive_summons(step: Step, body: Json<ArriveBody>) -> Reply<HttpResponse> {
    let point = normalised(body.0.point)?;
    act(step, "arrive_summons", &body.0, Act::Arrive { point, note: body.0.note.clone() }).await
}

/// Says what the department did.
///
/// 部门反馈办理结果；主办部门最后答复。
#[utoipa::path(tag = "whistles", request_body = ResultBody, responses((status = 200, body = CaseView)))]
#[post("/cases/{id}/summonses/{unit_id}/feedback")]
async fn feed_back_summons(step: Step, body: Json<ResultBody>) -> Reply<HttpResponse> {
    let result = body.0.result.clone();
    act(step, "feed_back_summons", &body.0, Act::FeedBack { result }).await
}

/// Sends a department back to work.
///
/// 街道认为未办结，退回再办。
#[utoipa::path(tag = "whistles", request_body = ReasonBody, responses((status = 200, body = CaseView)))]
#[post("/cases/{id}/summonses/{unit_id}/send_back")]
async fn send_back_summons(step: Step, body: Json<ReasonBody>) -> Reply<HttpResponse> {
    let reason = body.0.reason.clone();
    act(step, "send_back_summons", &body.0, Act::SendBack { reason }).await
}

/// Releases a department.
///
/// 街道放行部门；全部放行后进入核查。
#[utoipa::path(tag = "whistles", request_body = EmptyBody, responses((status = 200, body = CaseView)))]
#[post("/cases/{id}/summonses/{unit_id}/release")]
async fn release_summons(step: Step, body: Json<EmptyBody>) -> Reply<HttpResponse> {
    act(step, "release_summons", &body.0, Act::Release).await
}

/// What the street thinks of a department.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RateBody {
    /// How fast it responded, 1 to 5. 响应速度。
    #[schema(value_type = u8, minimum = 1, maximum = 5, example = 5)]
    response: Score,
    /// How well it was done, 1 to 5. 办理质量。
    #[schema(value_type = u8, minimum = 1, maximum = 5, example = 4)]
    quality: Score,
    /// In words. 评语。
    #[schema(value_type = Option<String>, max_length = 4000)]
    comment: Option<Prose>,
}

/// Rates a released department.
///
/// 街道评价部门的响应和质量，每个部门一次。
#[utoipa::path(tag = "whistles", request_body = RateBody, responses((status = 200, body = CaseView)))]
#[post("/cases/{id}/summonses/{unit_id}/rate")]
async fn rate_summons(step: Step, body: Json<RateBody>) -> Reply<HttpResponse> {
    let RateBody { response, quality, comment } = &body.0;
    let rating = Rating { response: *response, quality: *quality, comment: comment.clone() };
    act(step, "rate_summons", &body.0, Act::Rate { rating }).await
}
