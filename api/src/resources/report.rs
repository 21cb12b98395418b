//! Reports over HTTP: submit, list, read; decisions on them are in `decision`.

pub mod commands;
pub mod decision;

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, get, post, web::Data};
use chrono::{DateTime, FixedOffset, Utc};
use domain::{
    Instant,
    area::tree::Unit,
    core::{
        id::AreaId,
        journal::FlowKind,
        text::{Code as Word, Line, Prose},
    },
    flows::{
        case::state::Case,
        change::Versioned,
        notice::{self, Notice},
        report::{self, Redirect, Report, StatusName},
    },
    people::actor::{Actor, Permission},
    rules::{
        duplicate::{DuplicateReason, Existing, Sighting},
        obligation::Duty,
        vocabulary::{Channel, Demand, Urgency},
    },
};
use persistence::{
    flows::{case as cases, report as reports},
    kernel::journal::Keyset,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    app::{caller::Caller, state::App},
    engine::{
        flows::ServedFlow,
        reporters::Reporters,
        step::{self, Start},
        subject::{Published, Subject},
    },
    http::{
        answer::Answer,
        body::Json,
        flow_view::flow_view,
        page::{Cursor, Limit, Page},
        params::{IdPath, Query},
        problem::Reply,
        register::ServiceConfig,
        view::{self, PlaceView, render_with_etag},
    },
    privacy::{
        contact::{ContactView, ReporterContact},
        names::ContactNames,
    },
    resources::{
        case::{CaseBrief, CaseView},
        media::{self, AttachedView},
        place::{PlaceBody, find_paths},
        timeline::{self, TimelineParams, TimelineView},
    },
};

impl ServedFlow for Report {
    const PUBLISHED: bool = true;
    const NOTIFIES: bool = true;

    fn is_visible_to(&self, actor: &Actor, at: Instant) -> bool {
        self.visible_to(actor, at)
    }

    fn measure_command(_: Duty, _: AreaId, term: i64) -> Option<report::Command> {
        Some(report::Command::Lapse { term })
    }

    fn recompute_command() -> Option<report::Command> {
        Some(report::Command::Recompute)
    }

    fn event_notices(&self, event: &report::Event) -> Vec<Notice> {
        notice::from_report_event(self, event)
    }

    fn event_subject(stored: Arc<Versioned<Self>>) -> Option<Arc<dyn Subject>> {
        Some(stored)
    }
}

impl Published for Report {
    const PATH: &'static str = "reports";

    fn is_known_to(&self, actor: &Actor, at: Instant) -> bool {
        self.visible_to(actor, at)
    }

    fn is_whole_for(&self, actor: &Actor, at: Instant) -> bool {
        self.reporter == actor.person || actor.may(Permission::ReadCases, &self.place.area.path, at)
    }

    fn area(&self) -> &Unit {
        &self.place.area
    }

    fn number(&self) -> &str {
        &self.number
    }

    fn reporters(&self) -> Reporters {
        Reporters::from_reports([(self.id, self.reporter)])
    }
}

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(submit_report).service(list_reports);
}

/// Registers the operations below one report.
pub fn under_report(config: &mut ServiceConfig<'_>) {
    config
        .service(get_report)
        .service(list_similar_cases)
        .service(get_report_timeline)
        .service(decision::file_report)
        .service(decision::join_report)
        .service(decision::refuse_report)
        .service(decision::claim_report)
        .service(decision::unclaim_report)
        .service(decision::confirm_report)
        .service(decision::unjoin_report);
}

/// A report that is submitted.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitBody {
    /// The identity it will have, when the phone made one; else derived from the `Idempotency-Key`.
    #[serde(default, deserialize_with = "crate::http::body::own_id")]
    id: Option<Uuid>,
    /// The channel; when left out, it follows from who reports. Only staff and systems may name
    /// another than their own. 上报渠道。
    #[schema(schema_with = view::channel)]
    channel: Option<Channel>,
    /// The title, in a line; left out, the first words of the text. 标题。
    #[schema(value_type = Option<String>, max_length = 120)]
    title: Option<Line>,
    /// The full text. 内容。
    #[schema(value_type = String, min_length = 1, max_length = 4000, example = "餐馆油烟直排，下水道外溢，居民多次反映")]
    text: Prose,
    /// The code in the catalogue, when known. 类别代码。
    #[schema(value_type = Option<String>, max_length = 40, example = "A02")]
    category: Option<Word>,
    /// The urgency; `normal` when left out. 紧急程度。
    #[schema(schema_with = view::urgency)]
    urgency: Option<Urgency>,
    /// The demand, when known. 诉求类型。
    #[schema(schema_with = view::demand)]
    demand: Option<Demand>,
    /// The place. 地点。
    place: PlaceBody,
    /// When it was typed, by the phone's clock. 手机时间。
    #[serde(default, deserialize_with = "crate::http::body::time::read_optional_moment")]
    client_time: Option<DateTime<FixedOffset>>,
    /// Whether handlers must not know who reported. 是否保密。
    #[serde(default)]
    confidential: bool,
    /// Whether no one may know who reported; the reporter's own list still has it. 是否匿名。
    #[serde(default)]
    anonymous: bool,
    /// The contact: of the person the hotline or a grid worker makes the report for, or the
    /// resident's own phone. Kept encrypted. 联系人。
    #[serde(serialize_with = "crate::privacy::contact::hide_value")]
    contact: Option<ReporterContact>,
    /// What was done, when it was handled on the spot. 自行处置。
    handled: Option<HandledBody>,
    /// The caller's own patrol it was made on, under way at that time. 所属巡查。
    #[serde(default, skip_serializing_if = "Option::is_none")]
    patrol_id: Option<Uuid>,
    /// Photos, videos and sounds of the matter, by the identities the phone made; they may arrive
    /// before or after. 照片等文件的编号，可先上报、后上传。
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "crate::http::body::own_ids"
    )]
    #[schema(max_items = 9)]
    media: Vec<Uuid>,
}

/// What was done on the spot.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandledBody {
    /// The result. 处置结果。
    #[schema(value_type = String, min_length = 1, max_length = 4000)]
    result: Prose,
}

flow_view! {
    /// A report, as far as the caller may see it.
    ReportView of Report as report, given (by: &Actor, app: &App, known: &ContactNames) {
        /// The identity of the report. 上报标识。
        id;
        /// Its number, as read over the telephone. 编号。
        number;
        /// Its place in the journal; the `ETag`.
        seq;
        /// The status of the report.
        #[schema(schema_with = view::report_status)]
        status;
        /// The status in Chinese. 状态名称。
        status_label;
        /// The channel it came by.
        #[schema(schema_with = view::channel)]
        channel: &'static str = report.channel.name();
        /// The title, in a line.
        title: String = report.matter.title.as_str().to_owned();
        /// The matter in full. 内容。
        text: String = report.matter.text.as_str().to_owned();
        /// The code in the catalogue.
        category: Option<String> =
            report.matter.category.as_ref().map(|code| code.as_str().to_owned());
        /// The urgency of the matter. 紧急程度。
        #[schema(schema_with = view::urgency)]
        urgency: &'static str = report.matter.urgency.name();
        /// The place. 地点。
        place: PlaceView = PlaceView::from(&report.place);
        /// The reporter; none for callers who must not know. 上报人。
        reporter: Option<ReporterView> = told.then(|| ReporterView {
            id: report.reporter.0,
            name: known.reporter_name(by, report.reporter),
        });
        /// The contact, masked; none for callers who must not know it, and where none was given.
        /// 联系人（脱敏）。
        contact: Option<ContactView> = told.then(|| known.contact_view(report)).flatten();
        /// Whether no one may know who reported.
        anonymous: bool = report.anonymous;
        /// Whether handlers must not know who reported.
        confidential: bool = report.confidential;
        /// When the server received it.
        received_at: DateTime<Utc> = report.received_at;
        /// When it was typed, by the phone's clock.
        // The error of a clock distinguishes one phone from every other.
        client_time: Option<DateTime<Utc>> = report.client_at.filter(|_| told);
        /// Whether that clock was ahead of the server's.
        clock_ahead: bool = report.clock_ahead && told;
        /// The obligation to decide on it, while it is undecided.
        owed;
        /// Who claimed the verification on the spot. 核实领取人。
        claim: Option<view::ClaimView> = report.claim().map(view::ClaimView::from);
        /// Why it was refused.
        reason: Option<String> = reason;
        /// The channel it belongs to instead.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(schema_with = view::redirect)]
        redirect: Option<&'static str> = redirect.map(Redirect::name);
        /// That channel in Chinese; none unless it was refused. 转办去向名称。
        redirect_label: Option<&'static str> = redirect.map(Redirect::label);
        /// The patrol it was made on; none for callers who must not know who reported in confidence.
        /// 所属巡查。
        patrol_id: Option<Uuid> = report.patrol.map(|patrol| patrol.0).filter(|_| walked);
        /// The case it led to. 关联案卷。
        case_id: Option<Uuid> = report.status.case().map(|case| case.0);
        /// That case in short; shown when one report is read.
        case: Option<CaseBrief> = None;
        /// The operations that are possible now.
        possible;
        /// The files it names, with links when one report is read and without in `GET /sync`; null
        /// elsewhere and where there are none. 照片等文件。
        media: Option<Vec<AttachedView>> = None;
    }
    where {
        let now = app.clock.now();
        let told = report.reporter_visible_to(by, now);
        let walked = report.patrol_visible_to(by, now);
        let (reason, redirect) = match &report.status {
            report::Status::Refused { reason, redirect } => {
                (Some(reason.as_str().to_owned()), Some(*redirect))
            }
            report::Status::Confirming { .. }
            | report::Status::Received { .. }
            | report::Status::Filed { .. }
            | report::Status::Joined { .. }
            | report::Status::HandledOnTheSpot { .. } => (None, None),
        };
    }
}

/// The person who reported.
#[derive(Serialize, ToSchema)]
pub struct ReporterView {
    /// The identity of the reporter.
    id: Uuid,
    /// The name: of staff as it is, of residents masked.
    name: String,
}

impl ReportView {
    /// The same with these files.
    #[must_use]
    pub(crate) fn with_media(self, media: media::Files) -> Self {
        Self { media, ..self }
    }
}

/// Submits a report.
///
/// 上报问题：网格员或居民上报；`handled` 表示当场自行处置，直接形成已结案案卷。
#[utoipa::path(tag = "reports", request_body = SubmitBody, responses((status = 201, body = ReportView)))]
#[post("/reports")]
async fn submit_report(start: Start, body: Json<SubmitBody>) -> Reply<Answer<ReportView>> {
    commands::submit_report(start, body.0).await
}

/// Which reports to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListReports {
    /// How many at most, 1 to 100.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 20)]
    limit: Option<Limit>,
    /// Where the last page ended.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<(Instant, Uuid)>>,
    /// Only in this state.
    #[param(schema_with = view::report_status)]
    status: Option<StatusName>,
    /// Only the own ones. 只看自己上报的。
    mine: Option<bool>,
    /// Only within this area.
    within: Option<Uuid>,
}

/// Lists reports, newest first.
///
/// 上报列表：本辖区内的和自己上报的，按收到时间倒序。
#[utoipa::path(tag = "reports", params(ListReports), responses((status = 200, body = Page<ReportView>)))]
#[get("/reports")]
async fn list_reports(
    app: Data<App>,
    caller: Caller,
    params: Query<ListReports>,
) -> Reply<Page<ReportView>> {
    let params = params.0;
    let limit = params.limit.unwrap_or_default();
    let after = params.cursor.map(|cursor| cursor.0);
    let world = app.world(caller.tenant)?;
    let within = params.within.map(|id| find_paths(&world, id)).transpose()?;
    let filter = reports::Filter {
        status: params.status,
        mine: params.mine.unwrap_or(false),
        within,
        ..reports::Filter::default()
    };
    let scope = caller.scope_for(Permission::ReadCases, app.clock.now());
    let keyset = Keyset { after, limit: limit.probe() };
    let found = app.store.read(move |db| reports::list(db, &scope, &filter, keyset)).await?;
    let shown: Vec<&Report> =
        found.iter().take(limit.get().into()).map(|stored| &stored.state).collect();
    let known = ContactNames::load(&app, &caller, &shown).await?;
    let position = |stored: &Versioned<Report>| (stored.state.received_at, stored.state.id.0);
    Ok(Page::from_rows(found, limit, position, |stored| {
        ReportView::new(&stored, &caller, &app, &known)
    }))
}

/// Shows a report and the progress of its case.
///
/// 上报详情，含关联案卷的进展；并案的上报人同样看到结果。
#[utoipa::path(tag = "reports", responses((status = 200, body = ReportView)))]
#[get("")]
async fn get_report(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    id: IdPath<Uuid>,
) -> Reply<HttpResponse> {
    let (version, view) = load_view(&app, &caller, id.0).await?;
    Ok(render_with_etag(&request, HttpResponse::Ok(), &version, &view))
}

/// A report with its files and its case, and the tag of all of them.
pub async fn load_view(app: &App, caller: &Caller, id: Uuid) -> Reply<(String, ReportView)> {
    let stored = step::load_visible::<Report>(app, caller, id).await?;
    let known = ContactNames::load(app, caller, &[&stored.state]).await?;
    let mut shown = ReportView::new(&stored, caller, app, &known);
    shown.media = media::load_report_files(app, caller, &stored.state).await?;
    let mut case_seq = 0;
    if let Some(case) = stored.state.status.case() {
        let tenant = caller.tenant;
        let case = app.store.load_state::<Case>(tenant, case.0).await?;
        case_seq = case.as_ref().map_or(0, |case| case.seq);
        shown.case = case.as_ref().map(|case| CaseBrief::from(&**case));
    }
    // The tag covers everything that changes the view.
    Ok((media::build_tag(stored.seq, case_seq, shown.media.as_deref()), shown))
}

/// Cases near a report.
#[derive(Serialize, ToSchema)]
pub struct SimilarView {
    /// The cases that may be the same, what most speaks for first.
    items: Vec<SimilarCase>,
}

/// A case that may be about the same as a report.
#[derive(Serialize, ToSchema)]
pub struct SimilarCase {
    /// The case that may be the same.
    case: CaseView,
    /// The distance, in metres; none without points.
    distance_m: Option<f64>,
    /// What speaks for it. 疑似理由。
    #[schema(schema_with = view::duplicate_reasons)]
    reasons: Vec<DuplicateReason>,
    /// The same, for people. 理由说明。
    #[schema(example = "内容相近、位置相近、类别相同")]
    why: String,
    /// How much speaks for it, 0 to 1: for sorting, not a probability to rely on. 相似程度。
    #[schema(minimum = 0, maximum = 1, example = 0.72)]
    score: f64,
}

/// Lists open cases that may be about the same matter.
///
/// 疑似重复：同一社区内的未结案案卷，按内容、位置、楼栋门牌、类别和时间综合排序并说明理由，供并案参考；
/// 距离、时间和类别的规则见 `conduct.duplicates`（默认 50 米、24 小时、同类）。
#[utoipa::path(tag = "reports", responses((status = 200, body = SimilarView)))]
#[get("/similar")]
async fn list_similar_cases(
    app: Data<App>,
    caller: Caller,
    id: IdPath<Uuid>,
) -> Reply<HttpResponse> {
    let stored = step::load_visible::<Report>(&app, &caller, id.0).await?;
    let report = &stored.state;
    let world = app.world(caller.tenant)?;
    let now = app.clock.now();
    let receiver = report.find_receiver(&world.build_context(&caller, now));
    let within = world.areas.expand_unit(&receiver).into_iter().map(|unit| unit.path).collect();
    let filter = cases::Filter { open: true, within: Some(within), ..cases::Filter::default() };
    let scope = caller.scope_for(Permission::ReadCases, now);
    let keyset = Keyset { after: None, limit: 100 };
    let found = app.store.read(move |db| cases::list(db, &scope, &filter, keyset)).await?;
    let existing = found.iter().map(|case| {
        let case = &case.state;
        Existing {
            case: case.id,
            sighting: Sighting::new(&case.place, &case.matter, case.filed_at),
            open: true,
            same_reporter: case.reports.iter().any(|one| one.person == report.reporter),
        }
    });
    let new = Sighting::new(&report.place, &report.matter, report.received_at);
    let items = world
        .rules
        .conduct
        .duplicates
        .find_candidates(&new, existing)
        .into_iter()
        .filter_map(|candidate| {
            let case = found.iter().find(|case| case.state.id == candidate.case)?;
            let labels: Vec<_> = candidate.reasons.iter().map(|reason| reason.label()).collect();
            Some(SimilarCase {
                case: CaseView::new(case, &world, &caller, now),
                distance_m: candidate.metres.map(f64::round),
                why: labels.join("、"),
                reasons: candidate.reasons,
                score: (candidate.score * 100.0).round() / 100.0,
            })
        })
        .collect();
    Ok(HttpResponse::Ok().json(SimilarView { items }))
}

/// Shows the timeline of a report.
///
/// 上报的全过程记录。
#[utoipa::path(tag = "reports", params(TimelineParams), responses((status = 200, body = TimelineView)))]
#[get("/timeline")]
async fn get_report_timeline(
    app: Data<App>,
    caller: Caller,
    id: IdPath<Uuid>,
    params: Query<TimelineParams>,
) -> Reply<HttpResponse> {
    step::load_visible::<Report>(&app, &caller, id.0).await?;
    timeline::render(&app, &caller, (FlowKind::Report, id.0), &params.0).await
}
