//! Reports over HTTP: submit, list, look; what is decided on them stands in `decision`.

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
        duplicate::Sighting,
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

/// Registers what is asked of one report.
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
    /// The identity it will have, when the phone made one; else it is made of the
    /// `Idempotency-Key`.
    #[serde(default, deserialize_with = "crate::http::body::own_id")]
    id: Option<Uuid>,
    /// By which way; left out, it follows from who reports. Only staff and systems name another than
    /// their own. 上报渠道。
    #[schema(schema_with = view::channel)]
    channel: Option<Channel>,
    /// In a line; left out, the first words of the text. 标题。
    #[schema(value_type = Option<String>, max_length = 120)]
    title: Option<Line>,
    /// In full. 内容。
    #[schema(value_type = String, min_length = 1, max_length = 4000, example = "餐馆油烟直排，下水道外溢，居民多次反映")]
    text: Prose,
    /// The code in the catalogue, when known. 类别代码。
    #[schema(value_type = Option<String>, max_length = 40, example = "A02")]
    category: Option<Word>,
    /// How pressing; `normal` when left out. 紧急程度。
    #[schema(schema_with = view::urgency)]
    urgency: Option<Urgency>,
    /// What is wanted, when known. 诉求类型。
    #[schema(schema_with = view::demand)]
    demand: Option<Demand>,
    /// Where it is. 地点。
    place: PlaceBody,
    /// When it was typed, by the phone's clock. 手机时间。
    client_time: Option<DateTime<FixedOffset>>,
    /// Whether handlers may not know who reported. 是否保密。
    #[serde(default)]
    confidential: bool,
    /// Whether nobody may know who reported; the own list still has it. 是否匿名。
    #[serde(default)]
    anonymous: bool,
    /// Whom to reach: of somebody a report is made for by the hotline or a grid worker, or the
    /// resident's own phone. Kept encrypted. 联系人。
    #[serde(serialize_with = "crate::privacy::contact::hide_value")]
    contact: Option<ReporterContact>,
    /// What was done, when it was handled there and then. 自行处置。
    handled: Option<HandledBody>,
    /// On which patrol of one's own, under way then. 所属巡查。
    #[serde(default, skip_serializing_if = "Option::is_none")]
    patrol_id: Option<Uuid>,
    /// Photos, videos and sounds of how it is, by the identities the phone made; they may arrive
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
    /// What. 处置结果。
    #[schema(value_type = String, min_length = 1, max_length = 4000)]
    result: Prose,
}

/// A report as others see it.
#[derive(Serialize, ToSchema)]
pub struct ReportView {
    /// The identity of the report. 上报标识。
    id: Uuid,
    /// Its number, as read over the telephone. 编号。
    number: String,
    /// Its place in the journal; the `ETag`.
    seq: i64,
    /// What became of it.
    #[schema(schema_with = view::report_status)]
    status: &'static str,
    /// The status in Chinese. 状态名称。
    status_label: &'static str,
    /// By which way.
    #[schema(schema_with = view::channel)]
    channel: &'static str,
    /// In a line.
    title: String,
    /// The matter in full. 内容。
    text: String,
    /// The code in the catalogue.
    category: Option<String>,
    /// How pressing the matter is. 紧急程度。
    #[schema(schema_with = view::urgency)]
    urgency: &'static str,
    /// Where it is. 地点。
    place: PlaceView,
    /// Who reported; none for those who may not know. 上报人。
    reporter: Option<ReporterView>,
    /// Whom to reach, masked; none for those who may not know, and where nobody was named.
    /// 联系人（脱敏）。
    contact: Option<ContactView>,
    /// Whether nobody may know who reported.
    anonymous: bool,
    /// Whether handlers may not know who reported.
    confidential: bool,
    /// When it reached us.
    received_at: DateTime<Utc>,
    /// When it was typed, by the phone's clock.
    client_time: Option<DateTime<Utc>>,
    /// Whether that clock was ahead of ours.
    clock_ahead: bool,
    /// Who has to decide, and by when; only while nobody has.
    owed: Vec<view::OwedView>,
    /// Who went to look on the spot. 核实领取人。
    claim: Option<view::ClaimView>,
    /// Why it was refused.
    reason: Option<String>,
    /// Where it belongs instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = view::redirect)]
    redirect: Option<&'static str>,
    /// That place in Chinese; none unless it was refused. 转办去向名称。
    redirect_label: Option<&'static str>,
    /// On which patrol it was made; none for those who may not know who reported in confidence.
    /// 所属巡查。
    patrol_id: Option<Uuid>,
    /// The case it led to. 关联案卷。
    case_id: Option<Uuid>,
    /// How that case stands; shown when one report is looked at.
    case: Option<CaseBrief>,
    /// What may be asked now.
    possible: Vec<&'static str>,
    /// The files it names, with links when one report is looked at and without in `GET /sync`; null
    /// elsewhere and where there are none. 照片等文件。
    media: Option<Vec<AttachedView>>,
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
    pub(crate) fn new(
        stored: &Versioned<Report>,
        by: &Actor,
        app: &App,
        known: &ContactNames,
    ) -> Self {
        use domain::flows::flow::Flow;
        let report = &stored.state;
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
        let status = report.status.name();
        Self {
            id: report.id.0,
            number: report.number.clone(),
            seq: stored.seq,
            status: status.name(),
            status_label: status.label(),
            channel: report.channel.name(),
            title: report.matter.title.as_str().to_owned(),
            text: report.matter.text.as_str().to_owned(),
            category: report.matter.category.as_ref().map(|code| code.as_str().to_owned()),
            urgency: report.matter.urgency.name(),
            place: PlaceView::from(&report.place),
            reporter: told.then(|| ReporterView {
                id: report.reporter.0,
                name: known.reporter_name(by, report.reporter),
            }),
            contact: told.then(|| known.contact_view(report)).flatten(),
            confidential: report.confidential,
            anonymous: report.anonymous,
            received_at: report.received_at,
            // How wrong a clock is tells one phone from every other.
            client_time: report.client_at.filter(|_| told),
            clock_ahead: report.clock_ahead && told,
            owed: report.obligations().iter().map(view::OwedView::from).collect(),
            claim: report.claim().map(view::ClaimView::from),
            reason,
            redirect: redirect.map(Redirect::name),
            redirect_label: redirect.map(Redirect::label),
            patrol_id: report.patrol.map(|patrol| patrol.0).filter(|_| walked),
            case_id: report.status.case().map(|case| case.0),
            case: None,
            possible: report::possible_commands(status),
            media: None,
        }
    }

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

/// Shows a report and how its case stands.
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

/// A report with its files and how its case stands, and the tag of all that.
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
    // All that changes what is shown is in the tag.
    Ok((media::build_tag(stored.seq, case_seq, shown.media.as_deref()), shown))
}

/// Cases near a report.
#[derive(Serialize, ToSchema)]
pub struct SimilarView {
    /// The cases that may be the same, the nearest first.
    items: Vec<SimilarCase>,
}

/// A case near a report.
#[derive(Serialize, ToSchema)]
pub struct SimilarCase {
    /// The case that may be the same.
    case: CaseView,
    /// How far, in metres; none without points.
    distance_m: Option<f64>,
}

/// Lists open cases that may be the same thing.
///
/// 疑似重复：同一社区内按规则（默认 50 米、24 小时、同类）相近的未结案案卷，没有定位的按同一地址，供并案参考。
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
    let seen = found.iter().map(|case| {
        let case = &case.state;
        (case.id, Sighting::new(&case.place, &case.matter, case.filed_at), true)
    });
    let new = Sighting::new(&report.place, &report.matter, report.received_at);
    let items = world
        .rules
        .conduct
        .duplicates
        .find_candidates(&new, seen)
        .into_iter()
        .filter_map(|candidate| {
            let case = found.iter().find(|case| case.state.id == candidate.case)?;
            let distance_m = candidate.metres.map(f64::round);
            Some(SimilarCase { case: CaseView::new(case, &world, &caller, now), distance_m })
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
