//! The bodies of commands on patrols and plans, checked field by field.

use chrono::{DateTime, FixedOffset, Utc};
use domain::{
    Instant,
    area::coordinate::{Point, RawPoint},
    core::{
        arrival::{OfflineTime, Skew},
        id::{AreaId, PatrolId},
        text::{Line, Prose},
    },
    flows::patrol::{Checkpoint, Itinerary, New, Purpose, Window},
    rules::refusal::Refusal,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::world::TenantSnapshot,
    http::{
        problem::{Code, Problem, Reply},
        view::{self, CoordTypeBody, PointBody},
    },
    resources::place::{check_standpoint, coordinate_problem},
};

/// A time of a phone.
pub(super) fn to_utc(time: Option<DateTime<FixedOffset>>) -> Option<Instant> {
    time.map(|time| time.with_timezone(&Utc))
}

/// A duty window.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WindowBody {
    /// The beginning. 开始时间。
    #[serde(deserialize_with = "crate::http::body::time::read_moment")]
    from: DateTime<FixedOffset>,
    /// The end, at most 16 hours later. 结束时间。
    #[serde(deserialize_with = "crate::http::body::time::read_moment")]
    until: DateTime<FixedOffset>,
}

impl WindowBody {
    /// The same by the server's clock.
    pub(super) fn correct_by(self, skew: Skew) -> Window {
        let Window { from, until } = self.into();
        Window { from: skew.correct_time(from), until: skew.correct_time(until) }
    }
}

impl From<WindowBody> for Window {
    fn from(body: WindowBody) -> Self {
        let utc = |time: DateTime<FixedOffset>| time.with_timezone(&Utc);
        Self { from: utc(body.from), until: utc(body.until) }
    }
}

/// A place to be seen.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckpointBody {
    /// The name it is called by. 点位名称。
    #[schema(value_type = String, min_length = 1, max_length = 120, example = "小学门口")]
    name: Line,
    /// The position. 位置。
    point: PointBody,
    /// The radius within which a point counts, in metres; 30 when left out. 有效半径（米）。
    #[schema(minimum = 10, maximum = 500, example = 30)]
    radius_m: Option<u32>,
    /// The shortest stay that counts, in seconds; when left out, passing by is enough. 最短停留（秒）。
    #[schema(minimum = 0, maximum = 3600, example = 60)]
    dwell_s: Option<u32>,
}

/// What is to be seen.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ItineraryBody {
    /// Places to be seen, at most 100. 巡查点。
    #[schema(max_items = 100)]
    checkpoints: Vec<CheckpointBody>,
    /// The route, as points of [longitude, latitude], at most 500. 巡查路线。
    #[schema(max_items = 500, example = json!([[115.0584, 30.2289], [115.0601, 30.2295]]))]
    route: Vec<[f64; 2]>,
    /// The coordinate system of the route; WGS-84 when left out. 路线坐标系。
    coord_type: Option<CoordTypeBody>,
    /// How many minutes it usually takes. 预计时长（分钟）。
    #[schema(minimum = 1, maximum = 960, example = 90)]
    minutes: Option<u32>,
}

/// The problem of a number beyond its bounds.
fn out_of_range(pointer: String, least: u32, most: u32) -> Problem {
    let zh = format!("应为 {least} 到 {most}。");
    let en = format!("Expected {least} to {most}.");
    Problem::new(Code::InvalidBody).error(pointer, "out_of_range", zh, en)
}

fn too_many(pointer: String, most: usize) -> Problem {
    let (zh, en) = (format!("最多 {most} 项。"), format!("Expected at most {most} items."));
    Problem::new(Code::InvalidBody).error(pointer, "too_many_items", zh, en)
}

fn check_range(value: u32, (least, most): (u32, u32), pointer: String) -> Reply<u32> {
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        Err(out_of_range(pointer, least, most))
    }
}

impl ItineraryBody {
    /// The checked itinerary, in WGS-84; `under` is its JSON pointer in the body.
    pub(super) fn read(&self, under: &str) -> Reply<Itinerary> {
        if self.checkpoints.len() > Itinerary::MOST {
            return Err(too_many(format!("{under}/checkpoints"), Itinerary::MOST));
        }
        if self.route.len() > Itinerary::MOST_ROUTE {
            return Err(too_many(format!("{under}/route"), Itinerary::MOST_ROUTE));
        }
        let checkpoint = |(at, one): (usize, &CheckpointBody)| -> Reply<Checkpoint> {
            let place = format!("{under}/checkpoints/{at}");
            let point = RawPoint::from(one.point).normalise();
            let radius = one.radius_m.unwrap_or(30);
            let dwell = one.dwell_s.unwrap_or(0);
            let most = Checkpoint::MOST_DWELL_S;
            Ok(Checkpoint {
                name: one.name.clone(),
                point: point
                    .map_err(|error| coordinate_problem(&format!("{place}/point"), &error))?,
                radius_m: check_range(radius, Checkpoint::RADIUS_M, format!("{place}/radius_m"))?,
                dwell_s: check_range(dwell, (0, most), format!("{place}/dwell_s"))?,
            })
        };
        let coord_type = self.coord_type.unwrap_or(CoordTypeBody::Wgs84).into();
        let place = |(at, [lng, lat]): (usize, &[f64; 2])| -> Reply<Point> {
            let point = RawPoint { lng: *lng, lat: *lat, coord_type }.normalise();
            point.map_err(|error| coordinate_problem(&format!("{under}/route/{at}"), &error))
        };
        let minutes = self.minutes.map(|n| check_range(n, (1, 960), format!("{under}/minutes")));
        Ok(Itinerary {
            checkpoints: self
                .checkpoints
                .iter()
                .enumerate()
                .map(checkpoint)
                .collect::<Reply<_>>()?,
            route: self.route.iter().enumerate().map(place).collect::<Reply<_>>()?,
            minutes: minutes.transpose()?,
        })
    }
}

/// Refuses places that lie where every point of a patrol is marked as far from its area: nobody
/// could ever be seen there.
pub(super) fn check_itinerary(
    world: &TenantSnapshot,
    area: AreaId,
    itinerary: &Itinerary,
) -> Result<(), Refusal> {
    let checkpoints = itinerary.checkpoints.iter().map(|checkpoint| checkpoint.point);
    let mut places = checkpoints.chain(itinerary.route.iter().copied());
    places.try_for_each(|place| check_standpoint(world, area, Some(place)))
}

/// A patrol to be planned.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanPatrolBody {
    /// The identity it will have; else it is made of the `Idempotency-Key`.
    #[serde(default, deserialize_with = "crate::http::body::own_id")]
    pub(super) id: Option<Uuid>,
    /// The area: a grid, or a larger one. 巡查区域。
    area_id: Uuid,
    /// The purpose. 巡查目的。
    #[schema(schema_with = view::patrol_purpose)]
    purpose: Purpose,
    /// The duty window. 巡查时段。
    window: WindowBody,
    /// What is to be seen. 巡查内容。
    #[serde(default)]
    itinerary: ItineraryBody,
}

impl PlanPatrolBody {
    pub(super) fn draft(&self, id: PatrolId) -> Reply<New> {
        Ok(New {
            id,
            area: AreaId(self.area_id),
            purpose: self.purpose,
            window: self.window.into(),
            itinerary: self.itinerary.read("/itinerary")?,
        })
    }
}

/// A patrol that begins now, or began.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BeginBody {
    /// The identity it will have, when the phone made one; else it is made of the
    /// `Idempotency-Key`.
    #[serde(default, deserialize_with = "crate::http::body::own_id")]
    pub(super) id: Option<Uuid>,
    /// The area: a grid, or a larger one. 巡查区域。
    area_id: Uuid,
    /// The purpose. 巡查目的。
    #[schema(schema_with = view::patrol_purpose)]
    purpose: Purpose,
    /// The end of the duty window, at most 16 hours after the start, which begins it. 时段结束时间。
    #[serde(deserialize_with = "crate::http::body::time::read_moment")]
    until: DateTime<FixedOffset>,
    /// When it began, by the phone's clock. 手机时间。
    #[serde(default, deserialize_with = "crate::http::body::time::read_optional_moment")]
    pub(super) client_time: Option<DateTime<FixedOffset>>,
    /// The reason for a late entry; required long afterwards. 补录原因。
    #[schema(value_type = Option<String>, max_length = 4000)]
    pub(super) late_reason: Option<Prose>,
}

impl BeginBody {
    /// The draft of the patrol, with the phone's times corrected by the known error of its clock.
    pub(super) fn draft(&self, id: PatrolId, kept: Option<OfflineTime>, now: Instant) -> New {
        let skew = kept.map(|kept| kept.skew).unwrap_or_default();
        let told = to_utc(self.client_time).or(kept.map(|kept| kept.client_at));
        let from = told.map_or(now, |at| skew.correct_time(at));
        let until = skew.correct_time(self.until.with_timezone(&Utc));
        New {
            id,
            area: AreaId(self.area_id),
            purpose: self.purpose,
            window: Window { from, until },
            itinerary: Itinerary::default(),
        }
    }
}
