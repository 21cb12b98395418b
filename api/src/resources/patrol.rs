//! Patrols over HTTP: planned or unplanned, started, paused, ended; and the reports and visits made
//! on them.

pub mod body;
pub mod commands;
pub mod nearest;
pub mod plan;
pub mod points;
pub mod read;
pub mod sealed;
pub mod view;

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, get, post, web::Data};
use chrono::{DateTime, Duration, FixedOffset};
use domain::{
    Instant,
    area::tree::Unit,
    core::{
        id::{AreaId, PatrolId, PersonId, PlanId},
        journal::FlowKind,
        text::Prose,
    },
    flows::{
        change::Versioned,
        patrol::{self, Patrol, StatusName},
        visit::{self, Visit},
    },
    people::actor::{Actor, Permission},
    rules::obligation::Duty,
};
use persistence::{
    Db,
    flows::{
        patrol::{self as patrols, load_reports},
        visit as visits,
    },
    kernel::journal::Keyset,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use self::{
    body::{BeginBody, PlanPatrolBody},
    view::{PatrolView, SamplingView},
};
use crate::{
    app::{
        caller::{Caller, is_in_office},
        state::App,
    },
    engine::{
        flows::ServedFlow,
        step::{self, Start, Step},
        subject::{Published, Subject},
    },
    http::{
        answer::Answer,
        body::Json,
        page::{Cursor, Limit, Page},
        params::{IdPath, Query},
        problem::Reply,
        register::ServiceConfig,
        view::{self as views, render_with_etag},
    },
    resources::{
        place::find_paths,
        timeline::{self, TimelineParams, TimelineView},
    },
};

pub use points::Walkers;
pub use sealed::load_fixes;

impl ServedFlow for Patrol {
    const PUBLISHED: bool = true;

    fn is_visible_to(&self, actor: &Actor, at: Instant) -> bool {
        self.visible_to(actor, at)
    }

    fn measure_command(_: Duty, _: AreaId, term: i64) -> Option<patrol::Command> {
        Some(patrol::Command::Lapse { term })
    }

    fn event_subject(stored: Arc<Versioned<Self>>) -> Option<Arc<dyn Subject>> {
        Some(stored)
    }
}

impl Published for Patrol {
    const PATH: &'static str = "patrols";

    fn is_known_to(&self, actor: &Actor, at: Instant) -> bool {
        self.visible_to(actor, at)
    }

    fn is_whole_for(&self, _: &Actor, _: Instant) -> bool {
        true
    }

    fn area(&self) -> &Unit {
        &self.area
    }

    fn number(&self) -> &str {
        &self.number
    }
}

/// Registers the operations of this file and those below it.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(list_patrols)
        .service(plan_patrol)
        .service(begin_patrol)
        .service(get_patrol_sampling)
        .service(get_patrol)
        .service(get_patrol_timeline)
        .service(start_patrol)
        .service(pause_patrol)
        .service(resume_patrol)
        .service(finish_patrol)
        .service(cancel_patrol)
        .service(note_patrol);
    points::routes(config);
    read::routes(config);
    nearest::routes(config);
    plan::routes(config);
}

/// Which patrols to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListPatrols {
    /// How many at most, 1 to 100.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 20)]
    limit: Option<Limit>,
    /// Where the last page ended.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<(Instant, Uuid)>>,
    /// Only in this state.
    #[param(schema_with = views::patrol_status)]
    status: Option<StatusName>,
    /// Only the own ones. 只看自己的巡查。
    mine: Option<bool>,
    /// Only within this area. 区域。
    within: Option<Uuid>,
    /// Only of this worker. 巡查人。
    worker: Option<Uuid>,
    /// Only made by this plan. 巡查计划。
    plan: Option<Uuid>,
}

/// Lists patrols, by the beginning of their duty windows, the latest first.
///
/// 巡查列表：本辖区内的和自己的，按巡查时段倒序；不统计、不排名。
#[utoipa::path(tag = "patrols", params(ListPatrols), responses((status = 200, body = Page<PatrolView>)))]
#[get("/patrols")]
async fn list_patrols(
    app: Data<App>,
    caller: Caller,
    params: Query<ListPatrols>,
) -> Reply<Page<PatrolView>> {
    let ListPatrols { limit, cursor, status, mine, within, worker, plan } = params.0;
    let (limit, now) = (limit.unwrap_or_default(), app.clock.now());
    let world = app.world(caller.tenant)?;
    let within = within.map(|id| find_paths(&world, id)).transpose()?;
    let filter = patrols::Filter {
        status,
        mine: mine.unwrap_or(false),
        within,
        worker: worker.map(PersonId),
        plan: plan.map(PlanId),
        ..patrols::Filter::default()
    };
    let scope = caller.scope_for(Permission::ReadCases, now);
    let keyset = Keyset { after: cursor.map(|cursor| cursor.0), limit: limit.probe() };
    let found = app.store.read(move |db| patrols::list(db, &scope, &filter, keyset)).await?;
    let position = |stored: &Versioned<Patrol>| (stored.state.window.from, stored.state.id.0);
    Ok(Page::from_rows(found, limit, position, |stored| PatrolView::new(&stored, now)))
}

/// Shows a patrol, and the reports that were made on it.
///
/// 巡查详情：时段、起止、暂停、备注，以及途中的上报和走访（各最多 100 件）。
#[utoipa::path(tag = "patrols", responses((status = 200, body = PatrolView)))]
#[get("/patrols/{id}")]
async fn get_patrol(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    id: IdPath<Uuid>,
) -> Reply<HttpResponse> {
    let (tag, view) = load_view(&app, &caller, id.0).await?;
    Ok(render_with_etag(&request, HttpResponse::Ok(), &tag, &view))
}

/// A patrol with its reports and visits, and the tag of all of them.
pub async fn load_view(app: &App, caller: &Caller, id: Uuid) -> Reply<(String, PatrolView)> {
    let stored = step::load_visible::<Patrol>(app, caller, id).await?;
    let (tenant, patrol, now) = (caller.tenant, stored.state.id, app.clock.now());
    let found = app.store.read(move |db| load_reports(db, tenant, patrol, view::MOST_REPORTS));
    let reports = found.await?;
    let seen = |report: &&Versioned<domain::flows::report::Report>| {
        let report = &report.state;
        report.visible_to(caller, now) && report.patrol_visible_to(caller, now)
    };
    let seen: Vec<_> = reports.iter().filter(seen).collect();
    let visits = load_visits(app, caller, &stored.state).await?;
    let view = PatrolView::new(&stored, now).with_activity(&seen, &visits);
    // Reports and visits change without the patrol: the tag covers all three.
    let newest = seen.first().map_or(0, |report| report.seq);
    let gone: i64 = visits.iter().map(|visit| visit.seq).sum();
    Ok((format!("\"{}.{}.{newest}.{gone}\"", stored.seq, seen.len()), view))
}

/// The worker's visits while the patrol was under way, as far as the caller may know of them. They
/// need no link: the visit's worker and time determine them.
async fn load_visits(app: &App, caller: &Caller, patrol: &Patrol) -> Reply<Vec<Versioned<Visit>>> {
    const DAYS: i64 = 90;
    const AT_ONCE: i64 = 500;
    const MOST: usize = 20_000;
    let (now, times) = (app.clock.now(), patrol.active_periods());
    let (Some(worker), Some((begun, _))) = (patrol.worker(), times.first()) else {
        return Ok(Vec::new());
    };
    let filter = visits::Filter {
        status: Some(visit::StatusName::Done),
        worker: Some(worker),
        since: Some(*begun - Duration::days(DAYS)),
        ..visits::Filter::default()
    };
    let scope = caller.scope_for(Permission::ReadHouseholds, now);
    let office = is_in_office(caller, now);
    // Each time was corrected by what was measured when it arrived; a slow transmission cannot be
    // distinguished from a wrong clock.
    let slack = Duration::seconds(if patrol.skew().is_none() { 0 } else { 60 });
    let meanwhile = move |visit: &Visit| {
        let at = visit.status.completion().map(|done| done.visited_at);
        let during = |(from, until): &(Instant, Instant)| *from - slack..=*until + slack;
        at.is_some_and(|at| times.iter().any(|stretch| during(stretch).contains(&at)))
    };
    // A visit may be planned long before and recorded long after: all since then are read.
    let look = move |db: &mut Db| {
        let (mut found, mut after, mut looked) = (Vec::new(), None, 0);
        loop {
            let keyset = Keyset { after, limit: AT_ONCE };
            let page = visits::list(db, (&scope, office), &filter, keyset)?;
            looked += page.len();
            after = page.last().map(|stored| (stored.state.made_at, stored.state.id.0));
            let full = i64::try_from(page.len()).is_ok_and(|n| n == AT_ONCE);
            found.extend(page.into_iter().filter(|stored| meanwhile(&stored.state)));
            if !full || looked >= MOST {
                return Ok(found);
            }
        }
    };
    let mut found: Vec<Versioned<Visit>> = app.store.read(look).await?;
    found.retain(|stored| stored.state.visible_to(caller, now));
    found.truncate(usize::try_from(view::MOST_REPORTS).unwrap_or_default());
    Ok(found)
}

/// Shows the timeline of a patrol.
///
/// 巡查的全过程记录。
#[utoipa::path(tag = "patrols", params(TimelineParams), responses((status = 200, body = TimelineView)))]
#[get("/patrols/{id}/timeline")]
async fn get_patrol_timeline(
    app: Data<App>,
    caller: Caller,
    id: IdPath<Uuid>,
    params: Query<TimelineParams>,
) -> Reply<HttpResponse> {
    step::load_visible::<Patrol>(&app, &caller, id.0).await?;
    timeline::render(&app, &caller, (FlowKind::Patrol, id.0), &params.0).await
}

/// Shows the sampling settings for phones on a patrol.
///
/// 采集策略：间隔、精度、电量下限由服务器下发；无需打卡，轨迹须先单独同意。
#[utoipa::path(tag = "patrols", responses((status = 200, body = SamplingView)))]
#[get("/patrols/sampling")]
async fn get_patrol_sampling(app: Data<App>, caller: Caller) -> Reply<HttpResponse> {
    let world = app.world(caller.tenant)?;
    Ok(HttpResponse::Ok().json(SamplingView::from(&world.rules.conduct.tracking)))
}

/// Plans a patrol by hand.
///
/// 安排一次巡查：写明目的、时段和要看的点位；由所在网格承担，进入待办。
#[utoipa::path(tag = "patrols", request_body = PlanPatrolBody, responses((status = 201, body = PatrolView)))]
#[post("/patrols")]
async fn plan_patrol(start: Start, body: Json<PlanPatrolBody>) -> Reply<Answer<PatrolView>> {
    commands::plan_patrol(start, body.0).await
}

/// Begins an unplanned patrol.
///
/// 临时巡查：声明目的和时段后开始；事后补录须说明原因。
#[utoipa::path(tag = "patrols", request_body = BeginBody, responses((status = 201, body = PatrolView)))]
#[post("/patrols/begin")]
async fn begin_patrol(start: Start, body: Json<BeginBody>) -> Reply<Answer<PatrolView>> {
    commands::begin_patrol(start, body.0).await
}

/// Beginning a patrol that was planned.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartBody {
    /// Another duty window than the one planned, when it is walked at another time. 另行声明的时段。
    window: Option<body::WindowBody>,
    /// When it began, by the phone's clock. 手机时间。
    #[serde(default, deserialize_with = "crate::http::body::time::read_optional_moment")]
    client_time: Option<DateTime<FixedOffset>>,
    /// The reason for a late entry; required long afterwards. 补录原因。
    #[schema(value_type = Option<String>, max_length = 4000)]
    late_reason: Option<Prose>,
}

/// Begins a planned patrol.
///
/// 开始巡查：谁开始归谁；时间以手机为准并留存服务器时间，逾 24 小时的为补录，须说明原因。
#[utoipa::path(tag = "patrols", request_body = StartBody, responses((status = 200, body = PatrolView)))]
#[post("/patrols/{id}/start")]
async fn start_patrol(step: Step, body: Json<StartBody>) -> Reply<Answer<PatrolView>> {
    commands::start_patrol(step, body.0).await
}

/// A moment on the way.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MomentBody {
    /// When it was, by the phone's clock. 手机时间。
    #[serde(default, deserialize_with = "crate::http::body::time::read_optional_moment")]
    client_time: Option<DateTime<FixedOffset>>,
}

/// Pauses a patrol.
///
/// 暂停巡查：暂停期间不采集轨迹。
#[utoipa::path(tag = "patrols", request_body = MomentBody, responses((status = 200, body = PatrolView)))]
#[post("/patrols/{id}/pause")]
async fn pause_patrol(step: Step, body: Json<MomentBody>) -> Reply<Answer<PatrolView>> {
    commands::pause_patrol(step, body.0).await
}

/// Resumes a patrol.
///
/// 继续巡查。
#[utoipa::path(tag = "patrols", request_body = MomentBody, responses((status = 200, body = PatrolView)))]
#[post("/patrols/{id}/resume")]
async fn resume_patrol(step: Step, body: Json<MomentBody>) -> Reply<Answer<PatrolView>> {
    commands::resume_patrol(step, body.0).await
}

/// The end of a patrol.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FinishBody {
    /// When it ended, by the phone's clock. 手机时间。
    #[serde(default, deserialize_with = "crate::http::body::time::read_optional_moment")]
    client_time: Option<DateTime<FixedOffset>>,
    /// The reason for a late entry; required long afterwards. 补录原因。
    #[schema(value_type = Option<String>, max_length = 4000)]
    late_reason: Option<Prose>,
    /// A remark on the patrol. 备注。
    #[schema(value_type = Option<String>, max_length = 4000)]
    note: Option<Prose>,
}

/// Ends a patrol.
///
/// 结束巡查：计划的巡查随之办结；没有信号时存下的轨迹点可以之后上传。
#[utoipa::path(tag = "patrols", request_body = FinishBody, responses((status = 200, body = PatrolView)))]
#[post("/patrols/{id}/finish")]
async fn finish_patrol(step: Step, body: Json<FinishBody>) -> Reply<Answer<PatrolView>> {
    commands::finish_patrol(step, body.0).await
}

/// The cancellation of a patrol.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelPatrolBody {
    /// The reason. 取消原因。
    #[schema(value_type = String, min_length = 1, max_length = 4000, example = "暴雨红色预警，停止户外巡查")]
    reason: Prose,
}

/// Cancels a planned patrol.
///
/// 取消尚未开始的巡查，写明原因。
#[utoipa::path(tag = "patrols", request_body = CancelPatrolBody, responses((status = 200, body = PatrolView)))]
#[post("/patrols/{id}/cancel")]
async fn cancel_patrol(step: Step, body: Json<CancelPatrolBody>) -> Reply<Answer<PatrolView>> {
    commands::cancel_patrol(step, body.0).await
}

/// A remark on a patrol.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PatrolNoteBody {
    /// The text. 备注内容。
    #[schema(value_type = String, min_length = 1, max_length = 4000, example = "东侧楼道灯已修复")]
    text: Prose,
}

/// Adds a remark to a patrol.
///
/// 巡查备注：追加，不修改已有的。
#[utoipa::path(tag = "patrols", request_body = PatrolNoteBody, responses((status = 200, body = PatrolView)))]
#[post("/patrols/{id}/note")]
async fn note_patrol(step: Step, body: Json<PatrolNoteBody>) -> Reply<Answer<PatrolView>> {
    commands::note_patrol(step, body.0).await
}

/// Loads the patrol that a report names.
pub async fn load_named(
    app: &App,
    caller: &Caller,
    id: Option<PatrolId>,
) -> Reply<Option<Arc<Versioned<Patrol>>>> {
    let Some(id) = id else { return Ok(None) };
    Ok(app.store.load_state::<Patrol>(caller.tenant, id.0).await?)
}
