//! The views of patrols.

use chrono::{DateTime, NaiveDate, Utc};
use domain::{
    Instant,
    flows::{
        change::Versioned,
        patrol::{self, Patrol, Status},
        report::Report,
        visit::Visit,
    },
    rules::track_policy::Tracking,
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::{
    flow_view::flow_view,
    view::{self, PointView, UnitView},
};

/// The most reports one answer shows.
pub(super) const MOST_REPORTS: i64 = 100;

/// A span of time.
#[derive(Serialize, ToSchema)]
pub struct WindowView {
    /// When the time begins.
    from: DateTime<Utc>,
    /// When it ends; none while it lasts.
    until: Option<DateTime<Utc>>,
}

/// A place to be seen.
#[derive(Serialize, ToSchema)]
pub struct CheckpointView {
    /// The name it is called by.
    name: String,
    /// The position, in WGS-84.
    point: PointView,
    /// The radius within which a point counts, in metres.
    radius_m: u32,
    /// The shortest stay that counts, in seconds.
    dwell_s: u32,
}

/// What is to be seen.
#[derive(Serialize, ToSchema)]
pub struct ItineraryView {
    /// Places to be seen.
    checkpoints: Vec<CheckpointView>,
    /// The route, as points of [longitude, latitude] in WGS-84.
    route: Vec<[f64; 2]>,
    /// How many minutes it usually takes.
    minutes: Option<u32>,
}

impl From<&patrol::Itinerary> for ItineraryView {
    fn from(itinerary: &patrol::Itinerary) -> Self {
        let checkpoint = |one: &patrol::Checkpoint| CheckpointView {
            name: one.name.as_str().to_owned(),
            point: PointView::from(one.point),
            radius_m: one.radius_m,
            dwell_s: one.dwell_s,
        };
        Self {
            checkpoints: itinerary.checkpoints.iter().map(checkpoint).collect(),
            route: itinerary
                .route
                .iter()
                .map(|point| super::read::coordinate_pair(*point))
                .collect(),
            minutes: itinerary.minutes,
        }
    }
}

/// A moment as the phone recorded it.
#[derive(Serialize, ToSchema)]
pub struct MomentView {
    /// When it was, by the phone's clock where it says so, corrected where that is known to be
    /// wrong. 手机时间（已校正）。
    at: DateTime<Utc>,
    /// When the server received it. 收到时间。
    received_at: DateTime<Utc>,
    /// Whether the phone's clock was ahead of the server's.
    clock_ahead: bool,
    /// The milliseconds that were added to the phone's time. 时钟校正毫秒数。
    skew_ms: i64,
}

impl From<patrol::Moment> for MomentView {
    fn from(moment: patrol::Moment) -> Self {
        let patrol::Moment { at, received_at, clock_ahead, skew } = moment;
        Self { at, received_at, clock_ahead, skew_ms: skew.ms() }
    }
}

/// A remark on a patrol.
#[derive(Serialize, ToSchema)]
pub struct RemarkView {
    /// When it was written down.
    at: DateTime<Utc>,
    /// The name of who wrote it.
    by: String,
    /// What was written, in full.
    text: String,
}

/// A report that was made on the way.
#[derive(Serialize, ToSchema)]
pub struct PatrolReport {
    /// The identity of the report.
    id: Uuid,
    /// The number of the report.
    number: String,
    /// The title, in a line.
    title: String,
    /// The status of the report.
    #[schema(schema_with = view::report_status)]
    status: &'static str,
    /// The status in Chinese.
    status_label: &'static str,
}

flow_view! {
    /// A patrol, planned or begun unplanned.
    PatrolView of Patrol as patrol, given (now: Instant) {
        /// The identity of the patrol. 巡查标识。
        id;
        /// Its number. 编号。
        number;
        /// Its place in the journal; the `ETag` begins with it.
        seq;
        /// The present status.
        #[schema(schema_with = view::patrol_status)]
        status;
        /// The status in Chinese. 状态名称。
        status_label;
        /// The area that is patrolled. 巡查区域。
        area: UnitView = UnitView::from(&patrol.area);
        /// What the patrol is for. 巡查目的。
        #[schema(schema_with = view::patrol_purpose)]
        purpose: &'static str = patrol.purpose.name();
        /// The purpose in Chinese. 目的名称。
        purpose_label: &'static str = patrol.purpose.label();
        /// The duty window. 巡查时段。
        window: WindowView =
            WindowView { from: patrol.window.from, until: Some(patrol.window.until) };
        /// What is to be seen.
        itinerary: ItineraryView = ItineraryView::from(&patrol.itinerary);
        /// Whether it was planned before it began.
        planned: bool = patrol.planned;
        /// The plan it was made by.
        plan_id: Option<Uuid> = patrol.occasion.map(|occasion| occasion.plan.0);
        /// The day of that plan.
        plan_day: Option<NaiveDate> = patrol.occasion.map(|occasion| occasion.day);
        /// The worker who walks or walked.
        worker_id: Option<Uuid> = run.map(|run| run.worker.0);
        /// The name of the worker. 巡查人。
        worker: Option<String> = run.map(|run| run.worker_name.clone());
        /// When it began.
        started: Option<MomentView> = run.map(|run| run.started.into());
        /// Rests, in order. 暂停。
        pauses: Vec<WindowView> =
            run.map(|run| run.pauses.iter().map(rest).collect()).unwrap_or_default();
        /// When it ended.
        finished: Option<MomentView> = run.and_then(|run| run.finished).map(Into::into);
        /// Whether it was entered long afterwards. 是否补录。
        late_entry: bool = run.is_some_and(|run| run.late_entry.is_some());
        /// The reason for the late entry. 补录原因。
        late_reason: Option<String> =
            run.and_then(|run| Some(run.late_entry.as_ref()?.as_str().to_owned()));
        /// How long it was under way, in seconds, without rests; until now where it still is. 有效时长。
        active_s: i64 = patrol.active_s(now);
        /// The reason why it was cancelled.
        cancelled_because: Option<String> = cancelled;
        /// The remarks on the patrol.
        remarks: Vec<RemarkView> = patrol.remarks.iter().map(remark).collect();
        /// The duty that is owed.
        owed;
        /// Reports made on the way, the latest first; shown when one patrol is read. 途中上报。
        reports: Vec<PatrolReport> = Vec::new();
        /// Visits made meanwhile, as far as the caller may know of them. 途中的走访。
        visits: Vec<PatrolVisit> = Vec::new();
        /// The operations that are possible now.
        possible;
    }
    where {
        let run = patrol.status.run();
        let remark = |one: &patrol::Remark| RemarkView {
            at: one.at,
            by: one.by.clone(),
            text: one.text.as_str().to_owned(),
        };
        let cancelled = match &patrol.status {
            Status::Cancelled { reason, .. } => Some(reason.as_str().to_owned()),
            Status::Planned { .. }
            | Status::Started { .. }
            | Status::Paused { .. }
            | Status::Finished { .. } => None,
        };
        let rest = |rest: &patrol::Rest| WindowView { from: rest.from, until: rest.until };
    }
}

impl PatrolView {
    /// The same with the reports that were made on the way, and with the visits.
    pub(super) fn with_activity(
        mut self,
        reports: &[&Versioned<Report>],
        visits: &[Versioned<Visit>],
    ) -> Self {
        let report = |stored: &&Versioned<Report>| {
            let (report, status) = (&stored.state, stored.state.status.name());
            PatrolReport {
                id: report.id.0,
                number: report.number.clone(),
                title: report.matter.title.as_str().to_owned(),
                status: status.name(),
                status_label: status.label(),
            }
        };
        self.reports = reports.iter().map(report).collect();
        self.visits = visits.iter().filter_map(PatrolVisit::from_visit).collect();
        self
    }
}

/// A visit that was made on the way.
#[derive(Serialize, ToSchema)]
pub struct PatrolVisit {
    /// The identity of the visit.
    id: Uuid,
    /// The number of the visit.
    number: String,
    /// When the worker was there.
    visited_at: DateTime<Utc>,
    /// The outcome of the visit.
    #[schema(schema_with = view::visit_outcome)]
    outcome: &'static str,
    /// The outcome in Chinese.
    outcome_label: &'static str,
}

impl PatrolVisit {
    fn from_visit(stored: &Versioned<Visit>) -> Option<Self> {
        let (visit, done) = (&stored.state, stored.state.status.completion()?);
        Some(Self {
            id: visit.id.0,
            number: visit.number.clone(),
            visited_at: done.visited_at,
            outcome: done.outcome.name(),
            outcome_label: done.outcome.label(),
        })
    }
}

/// The sampling settings for phones on a patrol.
#[derive(Serialize, ToSchema)]
pub struct SamplingView {
    /// The seconds between two points. 采样间隔（秒）。
    interval_s: u32,
    /// The same once the battery is below the floor. 省电时的间隔（秒）。
    saving_interval_s: u32,
    /// The percentage of battery below which the phone saves. 电量下限（%）。
    battery_floor: u32,
    /// The accuracy in metres beyond which points are marked. 精度要求（米）。
    accuracy_m: u32,
    /// The seconds without a point that count as a gap. 视为中断的间隔（秒）。
    gap_s: u32,
    /// The most points of one upload. 每次上传的最多点数。
    most_points: usize,
}

impl From<&Tracking> for SamplingView {
    fn from(tracking: &Tracking) -> Self {
        Self {
            interval_s: tracking.interval_s,
            saving_interval_s: tracking.saving_interval_s,
            battery_floor: tracking.battery_floor,
            accuracy_m: tracking.accuracy_m,
            gap_s: tracking.gap_s,
            most_points: domain::flows::track::MOST_AT_ONCE,
        }
    }
}
