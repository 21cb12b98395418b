//! Views that several resources share. Made from domain values, never stored; a field that leaves
//! the system is named here or in a `…View` beside its handlers.

use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, http::header};
use chrono::{DateTime, Utc};
use domain::{
    area::{
        coordinate::{CoordType, Point, RawPoint},
        tree::Unit,
    },
    core::text::Line,
    people::actor::Grant,
    rules::{
        obligation::{Move, Obligation, Term},
        place::Place,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{
    ToSchema,
    openapi::{
        ObjectBuilder,
        schema::{ArrayBuilder, SchemaType, Type},
    },
};
use uuid::Uuid;

use crate::http::headers::{IfNoneMatch, etag};

/// Answers a view with its `ETag`; 304 on a conditional read of a client that has it.
pub fn render_with_etag(
    request: &HttpRequest,
    mut answer: HttpResponseBuilder,
    tag: &str,
    view: &impl Serialize,
) -> HttpResponse {
    if request.method() == actix_web::http::Method::GET
        && IfNoneMatch::from_headers(request.headers()).has_tag(tag)
    {
        return HttpResponse::NotModified().insert_header((header::ETAG, tag)).finish();
    }
    answer.insert_header((header::ETAG, tag)).json(view)
}

/// The tag of a state: its place in the journal.
pub fn state_tag(seq: i64) -> String {
    etag(seq)
}

macro_rules! enum_schemas {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty;)+) => {$(
        $(#[doc = $doc])+
        pub fn $name() -> utoipa::openapi::schema::Object {
            let names = <$type>::ALL.iter().map(|one| one.name());
            let labels: Vec<String> =
                <$type>::ALL.iter().map(|one| format!("`{}` {}", one.name(), one.label())).collect();
            ObjectBuilder::new()
                .schema_type(Type::String)
                .enum_values(Some(names))
                .description(Some(labels.join(", ")))
                .build()
        }
    )+};
}

enum_schemas! {
    /// How pressing a matter is.
    urgency: domain::rules::vocabulary::Urgency;
    /// The unit of a limit.
    limit_unit: domain::calendar::limit::LimitUnit;
    /// Kinds of areas.
    area_kind: domain::area::tree::AreaKind;
    /// How codes of areas are made up.
    area_scheme: domain::area::tree::Scheme;
    /// What speaks for two reports being about one matter.
    duplicate_reason: domain::rules::duplicate::DuplicateReason;
    /// Stages of a case.
    stage: domain::flows::case::lifecycle::StageName;
    /// Steps of a summoned department.
    summons_step: domain::flows::case::lifecycle::StepName;
    /// How hard a unit is supervised.
    supervision_kind: domain::rules::vocabulary::SupervisionKind;
    /// What gave rise to the supervision of a unit.
    supervision_trigger: domain::flows::case::state::Trigger;
    /// What can be asked of those above.
    wish: domain::flows::case::state::ApprovalKind;
    /// What the reporter wants.
    demand: domain::rules::vocabulary::Demand;
    /// How much work a matter is.
    complexity: domain::rules::vocabulary::Complexity;
    /// Documents of rules.
    policy_kind: domain::flows::policy::PolicyKind;
    /// Answers to whether the reporter is satisfied.
    satisfaction: domain::flows::case::Satisfaction;
    /// How cases end.
    case_outcome: domain::flows::case::Outcome;
    /// Ways a report comes.
    channel: domain::rules::vocabulary::Channel;
    /// States of a report.
    report_status: domain::flows::report::StatusName;
    /// Where a refused report belongs.
    redirect: domain::flows::report::Redirect;
    /// Kinds of personal data.
    field: domain::people::personal::Field;
    /// Why personal data is seen whole.
    disclosure_purpose: domain::people::personal::Purpose;
    /// Whose personal data it is.
    subject_kind: domain::people::personal::SubjectKind;
    /// On which ground data is processed.
    basis: domain::people::privacy::Basis;
    /// Classes of data that are kept for a time.
    data_class: domain::people::privacy::DataClass;
    /// What became of a command that a phone had kept.
    fate: domain::core::arrival::Fate;
    /// Acts in the audit log.
    act: domain::people::audit::AuditAction;
    /// How acts in the audit log ended.
    verdict: domain::people::audit::Verdict;
    /// Roles that a grant gives over an area.
    role: domain::people::actor::Role;
    /// Whether a person works here.
    standing: domain::flows::person::Standing;
    /// The duty that is owed.
    duty: domain::rules::obligation::Duty;
    /// How an obligation ended.
    obligation_outcome: domain::rules::obligation::Outcome;
    /// How a patrol stands.
    patrol_status: domain::flows::patrol::StatusName;
    /// What a patrol is for.
    patrol_purpose: domain::flows::patrol::Purpose;
    /// How a plan of patrols stands.
    plan_standing: domain::flows::patrol_plan::Standing;
    /// What a position came from.
    fix_source: domain::flows::track::Source;
    /// Groups of people who are cared for in particular.
    special_group: domain::flows::household::SpecialGroup;
    /// How a worker is responsible for a household.
    pairing_kind: domain::flows::household::PairingKind;
    /// Whether a household is there.
    household_standing: domain::flows::household::Standing;
    /// What a visit is for.
    visit_purpose: domain::flows::visit::Purpose;
    /// How a visit stands.
    visit_status: domain::flows::visit::StatusName;
    /// How a visit went.
    visit_outcome: domain::flows::visit::Outcome;
    /// How a campaign stands.
    campaign_status: domain::flows::campaign::StatusName;
    /// How a field came to its value.
    answer_how: domain::flows::form::How;
    /// What is done only with a published reason.
    switch: domain::rules::vocabulary::Switch;
    /// Types of events.
    happening: domain::flows::event_type::Happening;
    /// Whether events are sent to a webhook.
    webhook_status: domain::rules::webhook::Status;
    /// How events are wrapped.
    envelope: domain::core::delivery::Envelope;
    /// Ways of telling.
    delivery_channel: domain::core::delivery::Channel;
    /// How far a delivery is.
    delivery_state: domain::core::delivery::State;
    /// What a notice is about.
    notice_kind: domain::rules::notice::NoticeKind;
    /// What an attempt came to.
    attempt_outcome: domain::core::delivery::Outcome;
    /// Kinds of files.
    media_kind: domain::flows::media::Kind;
    /// Formats of files.
    media_format: domain::flows::media::Format;
    /// Whether a file is there.
    media_status: domain::flows::media::StatusName;
    /// What a file shows.
    media_role: domain::flows::media::MediaRole;
    /// How a file stands that something names.
    attached_state: domain::flows::media::AttachedState;
    /// How a content review stands.
    review_status: domain::flows::content_review::StatusName;
    /// What a content review is about.
    review_subject: domain::flows::content_review::Subject;
}

/// Why two reports may be about one matter.
pub fn duplicate_reasons() -> utoipa::openapi::schema::Array {
    ArrayBuilder::new().items(duplicate_reason()).build()
}

macro_rules! nullable_schemas {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty;)+) => {$(
        $(#[doc = $doc])+
        pub fn $name() -> utoipa::openapi::schema::Object {
            let names = <$type>::ALL.iter().map(|one| Value::from(one.name()));
            let labels: Vec<String> =
                <$type>::ALL.iter().map(|one| format!("`{}` {}", one.name(), one.label())).collect();
            ObjectBuilder::new()
                .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
                .enum_values(Some(names.chain([Value::Null])))
                .description(Some(labels.join(", ")))
                .build()
        }
    )+};
}

nullable_schemas! {
    /// The unit of a limit, where there may be none.
    limit_unit_or_null: domain::calendar::limit::LimitUnit;
    /// What is owed, where it is a matter of one duty.
    duty_or_null: domain::rules::obligation::Duty;
    /// What the reporter wants, once it is known.
    demand_or_null: domain::rules::vocabulary::Demand;
    /// What a grid is for, where it is one.
    grid_kind_or_null: domain::area::tree::GridKind;
    /// How much work a matter is, once it was judged.
    complexity_or_null: domain::rules::vocabulary::Complexity;
    /// Why a point was refused, if it was.
    point_refusal_or_null: domain::flows::track::admit::Refused;
    /// How a visit went, once it took place.
    visit_outcome_or_null: domain::flows::visit::Outcome;
    /// What a kind of file is, once it arrived.
    media_kind_or_null: domain::flows::media::Kind;
    /// How a content review stands, where there is one.
    review_status_or_null: domain::flows::content_review::StatusName;
    /// Why a person has to decide, where one has to.
    review_cause_or_null: domain::flows::content_review::Cause;
    /// What a program suggests, once it did.
    suggestion_or_null: domain::flows::content_review::Suggestion;
}

/// A city or county.
#[derive(Serialize, ToSchema)]
pub struct TenantView {
    /// The code used at login.
    pub code: String,
    /// The name of the city or county.
    pub name: String,
}

/// An area or unit, as it was called at the time.
#[derive(Serialize, ToSchema, Clone, Debug)]
pub struct UnitView {
    /// The identity of the area or unit.
    pub id: Uuid,
    /// What it is.
    #[schema(schema_with = area_kind)]
    pub kind: &'static str,
    /// The name it had then.
    #[schema(example = "胜阳港街道")]
    pub name: String,
}

impl From<&Unit> for UnitView {
    fn from(unit: &Unit) -> Self {
        Self { id: unit.id.0, kind: unit.kind.name(), name: unit.name.clone() }
    }
}

/// A role over an area.
#[derive(Serialize, ToSchema)]
pub struct GrantView {
    /// The role that is granted. 角色。
    #[schema(schema_with = role)]
    pub role: &'static str,
    /// The role in Chinese. 角色名称。
    pub role_label: &'static str,
    /// Over which area.
    pub area: UnitView,
    /// When the grant begins; it may lie ahead. 起始时间。
    pub from: DateTime<Utc>,
    /// Until when; without it, until revoked.
    pub until: Option<DateTime<Utc>>,
    /// The post it goes with. 岗位。
    #[schema(example = "枫林社区第一网格专职网格员")]
    pub post: Option<String>,
}

impl From<&Grant> for GrantView {
    fn from(grant: &Grant) -> Self {
        Self {
            role: grant.role.name(),
            role_label: grant.role.label(),
            area: UnitView::from(&grant.over),
            from: grant.from,
            until: grant.until,
            post: grant.post.as_ref().map(|post| post.as_str().to_owned()),
        }
    }
}

/// A deadline and its working: the start, the limit, when it is late.
#[derive(Serialize, ToSchema)]
pub struct TermView {
    /// When the clock started. 起算时间。
    pub started_at: DateTime<Utc>,
    /// The length of the limit, in `unit`. 时限数值。
    pub amount: u32,
    /// The unit of `amount`. 时限单位。
    #[schema(schema_with = limit_unit)]
    pub unit: &'static str,
    /// From when on it is late. 到期时间。
    pub due_at: DateTime<Utc>,
    /// The row of the matrix of deadlines that gave the limit. 时限依据编号。
    #[schema(example = "STD-05")]
    pub rule: String,
    /// The edition of that matrix; 0 is the one shipped. 时限标准版本。
    pub rules: i64,
    /// The edition of the calendar. 日历版本。
    pub calendar: i64,
    /// Whether a year without a published notice had to be looked at. 是否暂定。
    pub provisional: bool,
    /// Its extensions and pauses, in order. 延期与挂账。
    pub moves: Vec<MoveView>,
}

/// An extension or a pause of a deadline.
#[derive(Serialize, ToSchema)]
pub struct MoveView {
    /// `extended` or `paused`.
    #[schema(example = "extended")]
    pub what: &'static str,
    /// The length of an extension.
    pub amount: Option<u32>,
    /// The unit of that length.
    #[schema(schema_with = limit_unit_or_null)]
    pub unit: Option<&'static str>,
    /// The beginning of a pause.
    pub from: Option<DateTime<Utc>>,
    /// The end of a pause.
    pub until: Option<DateTime<Utc>>,
}

impl From<&Move> for MoveView {
    fn from(moved: &Move) -> Self {
        match moved {
            Move::Extended { limit } => Self {
                what: "extended",
                amount: Some(limit.amount),
                unit: Some(limit.unit.name()),
                from: None,
                until: None,
            },
            Move::Paused { pause } => Self {
                what: "paused",
                amount: None,
                unit: None,
                from: Some(pause.from),
                until: Some(pause.until),
            },
        }
    }
}

impl From<&Term> for TermView {
    fn from(term: &Term) -> Self {
        Self {
            started_at: term.started_at,
            amount: term.limit.amount,
            unit: term.limit.unit.name(),
            due_at: term.due_at,
            rule: term.rule.clone(),
            rules: term.rules,
            calendar: term.calendar,
            provisional: term.provisional,
            moves: term.moves.iter().map(MoveView::from).collect(),
        }
    }
}

/// An obligation that is owed now.
#[derive(Serialize, ToSchema)]
pub struct OwedView {
    /// The duty that is owed.
    #[schema(schema_with = duty)]
    pub duty: &'static str,
    /// The duty in Chinese.
    pub duty_label: &'static str,
    /// The unit that owes it.
    pub owed_by: UnitView,
    /// The deadline and its working.
    pub term: TermView,
}

impl From<&Obligation> for OwedView {
    fn from(obligation: &Obligation) -> Self {
        Self {
            duty: obligation.duty.name(),
            duty_label: obligation.duty.label(),
            owed_by: UnitView::from(&obligation.owed_by),
            term: TermView::from(&obligation.term),
        }
    }
}

/// A person took a verification on the spot.
#[derive(Serialize, ToSchema)]
pub struct ClaimView {
    /// The name of the person who claimed it. 领取人。
    by: String,
    /// From when on others may go. 他人可领取的时间。
    until: DateTime<Utc>,
}

impl From<&domain::flows::claim::Claim> for ClaimView {
    fn from(claim: &domain::flows::claim::Claim) -> Self {
        Self { by: claim.by_name.clone(), until: claim.until }
    }
}

/// The coordinate system of a point.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CoordTypeBody {
    /// GPS, `wx.getLocation` with `type: 'wgs84'`.
    Wgs84,
    /// Chinese maps, `wx.getLocation` with `type: 'gcj02'`.
    Gcj02,
    /// Baidu maps, the coordinates of BD-09.
    Bd09,
}

/// A point as a phone gives it.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PointBody {
    /// Degrees east. 经度。
    #[schema(minimum = -180.0, maximum = 180.0, example = 115.0701)]
    pub lng: f64,
    /// Degrees north. 纬度。
    #[schema(minimum = -90.0, maximum = 90.0, example = 30.2105)]
    pub lat: f64,
    /// The coordinate system. 坐标系。
    pub coord_type: CoordTypeBody,
}

impl From<PointBody> for RawPoint {
    fn from(body: PointBody) -> Self {
        Self { lng: body.lng, lat: body.lat, coord_type: body.coord_type.into() }
    }
}

impl From<CoordTypeBody> for CoordType {
    fn from(body: CoordTypeBody) -> Self {
        match body {
            CoordTypeBody::Wgs84 => Self::Wgs84,
            CoordTypeBody::Gcj02 => Self::Gcj02,
            CoordTypeBody::Bd09 => Self::Bd09,
        }
    }
}

/// A point in WGS-84.
#[derive(Serialize, ToSchema)]
pub struct PointView {
    /// Degrees east, WGS-84, to seven decimals.
    pub lng: f64,
    /// Degrees north, WGS-84, to seven decimals.
    pub lat: f64,
}

impl From<Point> for PointView {
    fn from(point: Point) -> Self {
        // Seven decimals are a centimetre; more is noise of the conversion.
        let cut = |degrees: f64| (degrees * 1e7).round() / 1e7;
        Self { lng: cut(point.lng), lat: cut(point.lat) }
    }
}

/// The place where something happened.
#[derive(Serialize, ToSchema)]
pub struct PlaceView {
    /// The grid, or the smallest area known.
    pub area: UnitView,
    /// The point, in WGS-84.
    pub point: Option<PointView>,
    /// The address in words.
    pub address: Option<String>,
}

impl From<&Place> for PlaceView {
    fn from(place: &Place) -> Self {
        Self {
            area: UnitView::from(&place.area),
            point: place.point.map(PointView::from),
            address: place.address.as_ref().map(|line: &Line| line.as_str().to_owned()),
        }
    }
}
