//! Patrols as others see them.

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

/// A time from and until when.
#[derive(Serialize, ToSchema)]
pub struct WindowView {
    /// When the time begins.
    from: DateTime<Utc>,
    /// Until when; none while it lasts.
    until: Option<DateTime<Utc>>,
}

/// A place to be seen.
#[derive(Serialize, ToSchema)]
pub struct CheckpointView {
    /// What it is called.
    name: String,
    /// Where, in WGS-84.
    point: PointView,
    /// From how far it counts, in metres.
    radius_m: u32,
    /// For how long at least, in seconds.
    dwell_s: u32,
}

/// What is to be seen.
#[derive(Serialize, ToSchema)]
pub struct ItineraryView {
    /// Places to be seen.
    checkpoints: Vec<CheckpointView>,
    /// The way, as points of [longitude, latitude] in WGS-84.
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

/// A moment as the phone told it.
#[derive(Serialize, ToSchema)]
pub struct MomentView {
    /// When it was, by the phone's clock where it says so, corrected where that is known to be
    /// wrong. 手机时间（已校正）。
    at: DateTime<Utc>,
    /// When it reached us. 收到时间。
    received_at: DateTime<Utc>,
    /// Whether the phone's clock was ahead of ours.
    clock_ahead: bool,
    /// So many milliseconds were added to the phone's time. 时钟校正毫秒数。
    skew_ms: i64,
}

impl From<patrol::Moment> for MomentView {
    fn from(moment: patrol::Moment) -> Self {
        let patrol::Moment { at, received_at, clock_ahead, skew } = moment;
        Self { at, received_at, clock_ahead, skew_ms: skew.ms() }
    }
}

/// Something written down on the way.
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
    /// In a line.
    title: String,
    /// What became of it.
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
        /// How it stands.
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
        /// Who walks or walked.
        worker_id: Option<Uuid> = run.map(|run| run.worker.0);
        /// The name of who. 巡查人。
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
        /// Why. 补录原因。
        late_reason: Option<String> =
            run.and_then(|run| Some(run.late_entry.as_ref()?.as_str().to_owned()));
        /// How long it was under way, in seconds, without rests; until now where it still is. 有效时长。
        active_s: i64 = patrol.active_s(now);
        /// Why nobody went.
        cancelled_because: Option<String> = cancelled;
        /// What was written down.
        remarks: Vec<RemarkView> = patrol.remarks.iter().map(remark).collect();
        /// What is owed.
        owed;
        /// Reports made on the way, the latest first; shown when one patrol is looked at. 途中上报。
        reports: Vec<PatrolReport> = Vec::new();
        /// The households that were visited meanwhile, of those who may know of them. 途中的走访。
        visits: Vec<PatrolVisit> = Vec::new();
        /// What may be asked now.
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
    /// When somebody was there.
    visited_at: DateTime<Utc>,
    /// How it went.
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

/// What a phone is to do on a patrol.
#[derive(Serialize, ToSchema)]
pub struct SamplingView {
    /// Take a point every so many seconds. 采样间隔（秒）。
    interval_s: u32,
    /// The same once the battery is below the floor. 省电时的间隔（秒）。
    saving_interval_s: u32,
    /// Below so many percent of battery, save. 电量下限（%）。
    battery_floor: u32,
    /// Points less accurate than so many metres will be marked. 精度要求（米）。
    accuracy_m: u32,
    /// So many seconds without a point are a gap. 视为中断的间隔（秒）。
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
