//! The whistle of a case, as a view.

use chrono::{DateTime, Utc};
use domain::{
    area::tree::Unit,
    core::text::Prose,
    flows::case::{
        lifecycle::SummonsVerb,
        whistle::{Rating, Step as SummonsStep, Summons, Whistle},
    },
    rules::whistle_policy::Whistling,
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    http::view::{PointView, TermView, UnitView},
    resources::place::point_view,
};

/// A whistle with all its summonses.
#[derive(Serialize, ToSchema)]
pub(crate) struct WhistleView {
    /// How weighty it is: a rank of the tenant. 哨级。
    #[schema(example = "advance")]
    rank: String,
    /// The rank in Chinese, by the rules of today. 哨级名称。
    rank_label: String,
    /// What it is about: a topic of the tenant. 事由。
    #[schema(example = "resident_demand")]
    topic: String,
    /// The topic in Chinese, by the rules of today. 事由名称。
    topic_label: String,
    /// Earlier whistles at the same place about the same matter, by case. 重复吹哨。
    repeats: Vec<Uuid>,
    /// Whether a leader of the district has to be informed.
    to_district_leader: bool,
    /// What the district was asked to coordinate. 区级协调。
    raised: Option<RaisedView>,
    /// Why the street cannot solve it alone. 吹哨理由。
    reason: String,
    /// The street that blew it.
    street: UnitView,
    /// When the whistle was blown; the clocks of the summonses run from then. 吹哨时间。
    blown_at: DateTime<Utc>,
    /// Whether all were released.
    over: bool,
    /// The departments it summoned, the lead first. 应哨部门。
    summonses: Vec<SummonsView>,
}

/// What a street asked the district to coordinate.
#[derive(Serialize, ToSchema)]
pub(crate) struct RaisedView {
    /// The district that was asked.
    to: UnitView,
    /// Why the street asked for it.
    reason: String,
    /// The clock of the district.
    term: TermView,
    /// What the district arranged.
    note: Option<String>,
}

/// One summoned department.
#[derive(Serialize, ToSchema)]
pub(crate) struct SummonsView {
    /// The department that was summoned. 应哨部门。
    unit: UnitView,
    /// Whether it leads. 是否主办。
    lead: bool,
    /// The present stage or step.
    #[schema(schema_with = crate::http::view::summons_step)]
    step: &'static str,
    /// The step in Chinese. 环节名称。
    step_label: &'static str,
    /// When, where and who arrived. 到场。
    arrival: Option<ArrivalView>,
    /// The result it fed back.
    result: Option<String>,
    /// The street's rating of it; visible to the two of them only. 街道对部门的评价。
    rating: Option<RatingView>,
    /// Its rating of the street; visible to the two of them only. 部门对街道的评价。
    view: Option<RatingView>,
    /// Whether the district ruled that the matter is this department's.
    appointed: bool,
    /// Why it contests the summons, until that is decided. 异议。
    contested: Option<String>,
    /// Its clocks; all run from the whistle.
    clocks: ClocksView,
    /// The operations that are possible now.
    possible: Vec<&'static str>,
}

/// The clocks of a summons.
#[derive(Serialize, ToSchema)]
pub(crate) struct ClocksView {
    /// 签收。
    sign: TermView,
    /// 联系。
    contact: TermView,
    /// 到场。
    arrive: TermView,
    /// 反馈。
    feed_back: TermView,
}

/// The arrival of a department.
#[derive(Serialize, ToSchema)]
pub(crate) struct ArrivalView {
    /// When a person of the department arrived.
    at: DateTime<Utc>,
    /// The name of who arrived.
    by: String,
    /// Where the phone was, in WGS-84; none where it did not say.
    point: Option<PointView>,
    /// How far from the place of the case, in metres.
    distance_m: Option<f64>,
    /// Whether the point proves it; otherwise the note says why not.
    proven: bool,
    /// What was noted on arriving, in words.
    note: Option<String>,
}

/// The street's opinion.
#[derive(Serialize, ToSchema)]
pub(crate) struct RatingView {
    /// 响应，1 至 5。
    response: u8,
    /// 质量，1 至 5。
    quality: u8,
    /// 评语。
    comment: Option<String>,
}

impl From<&Rating> for RatingView {
    fn from(rating: &Rating) -> Self {
        Self {
            response: rating.response.into(),
            quality: rating.quality.into(),
            comment: rating.comment.as_ref().map(|comment| comment.as_str().to_owned()),
        }
    }
}

impl WhistleView {
    /// The view of a whistle, with the labels of today's rules; `on` says whether it is still on.
    /// The reader sees the mutual ratings of the street and the units that `works_for` accepts.
    pub(crate) fn new(
        (whistle, on): (&Whistle, bool),
        whistling: &Whistling,
        works_for: impl Fn(&Unit) -> bool,
    ) -> Self {
        let street = works_for(&whistle.street);
        let told = |summons: &Summons| {
            let both = street || works_for(&summons.unit);
            SummonsView::new(summons, on, both)
        };
        let (rank, topic) = (whistle.rank.as_str(), whistle.topic.as_str());
        Self {
            rank_label: whistling.find_rank(rank).map_or(rank, |rank| &rank.label).to_owned(),
            topic_label: whistling.find_topic(topic).map_or(topic, |topic| &topic.label).to_owned(),
            rank: whistle.rank.as_str().to_owned(),
            topic: whistle.topic.as_str().to_owned(),
            repeats: whistle.repeats.iter().map(|case| case.0).collect(),
            to_district_leader: whistle.to_district_leader,
            raised: whistle.raised.as_ref().map(|raised| RaisedView {
                to: UnitView::from(&raised.to),
                reason: raised.reason.as_str().to_owned(),
                term: TermView::from(&raised.term),
                note: raised.note.as_ref().map(|note| note.as_str().to_owned()),
            }),
            reason: whistle.reason.as_str().to_owned(),
            street: UnitView::from(&whistle.street),
            blown_at: whistle.blown_at,
            over: !on || whistle.is_over(),
            summonses: whistle.summonses.iter().map(told).collect(),
        }
    }
}

impl SummonsView {
    /// The view of a summons; `on` says whether the whistle is still on, `both` whether the reader
    /// sees the mutual ratings.
    fn new(summons: &Summons, on: bool, both: bool) -> Self {
        let opinion =
            |rating: &Option<Rating>| rating.as_ref().filter(|_| both).map(RatingView::from);
        let text = |prose: &Prose| prose.as_str().to_owned();
        let clocks = &summons.clocks;
        let (step, possible) = (summons.step_name(on), summons.possible(on));
        Self {
            unit: UnitView::from(&summons.unit),
            lead: summons.lead,
            step: step.name(),
            step_label: step.label(),
            arrival: summons.arrival.as_ref().map(|arrival| ArrivalView {
                at: arrival.at,
                by: arrival.by_name.clone(),
                point: point_view(arrival.point),
                distance_m: arrival.distance_m,
                proven: arrival.proven,
                note: arrival.note.as_ref().map(text),
            }),
            result: summons.result.as_ref().map(text),
            rating: opinion(&summons.rating),
            view: opinion(&summons.view),
            appointed: summons.appointed,
            contested: match &summons.step {
                SummonsStep::Contested { reason, .. } => Some(text(reason)),
                SummonsStep::Called
                | SummonsStep::Signed
                | SummonsStep::Contacted
                | SummonsStep::Arrived
                | SummonsStep::FedBack { .. }
                | SummonsStep::Released { .. }
                | SummonsStep::Excused => None,
            },
            clocks: ClocksView {
                sign: TermView::from(&clocks.sign),
                contact: TermView::from(&clocks.contact),
                arrive: TermView::from(&clocks.arrive),
                feed_back: TermView::from(&clocks.feed_back),
            },
            possible: possible.into_iter().map(SummonsVerb::name).collect(),
        }
    }
}
