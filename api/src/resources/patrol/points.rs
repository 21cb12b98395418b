//! Points of a track, in batches: late, out of order, twice, plain or compressed.
//!
//! A point is identified by its number from the phone: the same point again is known already,
//! another point under a known number is refused. So an upload may be repeated in any pieces, and
//! its `Idempotency-Key` is not used.

pub mod commands;

use std::{
    collections::{BTreeMap, HashMap, btree_map::Entry},
    sync::Arc,
};

use actix_web::post;
use chrono::{DateTime, Duration, Utc};
use domain::{
    Instant,
    area::coordinate::{CoordType, RawPoint},
    core::{
        arrival::Skew,
        id::{PatrolId, PersonId, TenantId},
        time::saturating_add,
    },
    flows::{
        change::Versioned,
        lifecycle::Lifecycle as _,
        patrol::Patrol,
        track::{
            Fix, Sent, Source,
            admit::{Answers, Gate, Refused},
            codec,
        },
    },
    people::privacy::{DataClass, Privacy},
    rules::refusal::Refusal,
};
use persistence::{
    StoreError,
    flows::track::{Landed, Upload, load_batches},
    people::privacy,
};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::sealed::{Here, load_keys, open_batch};
use crate::{
    app::{
        caller::Caller,
        state::App,
        vault::walks::{WalkKey, WalkKeys, Walked},
        world::TenantSnapshot,
    },
    engine::step,
    http::{
        answer::Answer,
        body::zipped::Zipped,
        problem::{Code, Problem, Reply},
        register::ServiceConfig,
        view::{self, CoordTypeBody},
    },
};

/// Registers the operations of this file.
pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(upload_points);
}

/// A point of a track, as the phone took it.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FixBody {
    /// Its number in the phone's own count for this patrol. 序号。
    #[schema(minimum = 0, example = 17)]
    seq: u32,
    /// When it was measured, by the phone's clock. 手机时间。
    #[serde(deserialize_with = "crate::http::body::time::instant")]
    time: DateTime<Utc>,
    /// Degrees east. 经度。
    #[schema(minimum = -180.0, maximum = 180.0, example = 115.0584)]
    lng: Option<f64>,
    /// Degrees north. 纬度。
    #[schema(minimum = -90.0, maximum = 90.0, example = 30.2289)]
    lat: Option<f64>,
    /// The coordinate system, if it differs from that of the upload. 坐标系。
    coord_type: Option<CoordTypeBody>,
    /// The accuracy, in metres. 精度（米）。
    #[schema(minimum = 0.0, example = 6.5)]
    accuracy: Option<f64>,
    /// The speed, in metres a second. 速度（米/秒）。
    #[schema(minimum = 0.0, example = 1.3)]
    speed: Option<f64>,
    /// The source of the position; `unknown` when left out. 来源。
    #[schema(schema_with = view::fix_source)]
    source: Option<Source>,
    /// Whether the phone marks it as mocked. 是否模拟位置。
    #[serde(default)]
    mocked: bool,
}

/// Points of one patrol.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PointsBody {
    /// Their coordinate system; WGS-84 when left out. 坐标系。
    coord_type: Option<CoordTypeBody>,
    /// The points, at most 2000, in any order. 轨迹点。
    #[schema(max_items = 2000)]
    points: Vec<FixBody>,
}

/// The result of one point.
#[derive(Clone, Copy, Serialize, ToSchema)]
pub struct PointResult {
    /// The `seq` of the point, as it was sent.
    seq: u32,
    /// `stored`, `already` when it was known, `refused`, or `later`: the same point may be accepted
    /// once the command that ended a rest has arrived.
    #[schema(example = "stored")]
    result: &'static str,
    /// The reason why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = view::point_refusal_or_null)]
    reason: Option<&'static str>,
    /// That reason in Chinese.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason_label: Option<&'static str>,
}

/// The results of an upload.
#[derive(Serialize, ToSchema)]
pub struct PointsView {
    /// How many points were stored.
    stored: usize,
    /// How many were known already.
    already: usize,
    /// How many were refused; they need not be sent again.
    refused: usize,
    /// How many are to be sent again, after the command that ended the rest.
    later: usize,
    /// Each point, in the order it was sent.
    items: Vec<PointResult>,
}

/// The result of a point, while it is being determined.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Stored,
    Already,
    Refused(Refused),
}

impl Fate {
    /// Whether it may be different after a change of the patrol or a consent.
    fn rests_on_state(self) -> bool {
        use Refused as R;
        let moving = [R::OutsideWindow, R::Paused, R::Resting, R::NoConsent, R::ConsentWithdrawn];
        matches!(self, Self::Refused(why) if moving.contains(&why))
    }
}

impl PointsView {
    fn new(sent: &[FixBody], fates: &[Fate]) -> Self {
        let result = |(fix, fate): (&FixBody, &Fate)| {
            let (result, reason) = match fate {
                Fate::Stored => ("stored", None),
                Fate::Already => ("already", None),
                Fate::Refused(why) if why.is_final() => ("refused", Some(*why)),
                Fate::Refused(why) => ("later", Some(*why)),
            };
            let (reason, reason_label) = (reason.map(Refused::name), reason.map(Refused::label));
            PointResult { seq: fix.seq, result, reason, reason_label }
        };
        let items: Vec<PointResult> = sent.iter().zip(fates).map(result).collect();
        let count = |result| items.iter().filter(|item| item.result == result).count();
        Self {
            stored: count("stored"),
            already: count("already"),
            refused: count("refused"),
            later: count("later"),
            items,
        }
    }
}

/// The consents of workers to tracks, cached. The store checks at each upload whether the newest
/// answer is still the one that is cached here.
pub struct Walkers {
    known: Cache<(TenantId, PersonId), Arc<ConsentAnswers>>,
    /// The keys that seal their points.
    pub keys: WalkKeys,
}

/// One person's answers on consent, and the newest of them.
#[derive(Debug, Default)]
struct ConsentAnswers {
    answers: Answers,
    newest: Uuid,
}

impl Default for Walkers {
    fn default() -> Self {
        Self { known: Cache::new(20_000), keys: WalkKeys::default() }
    }
}

impl Walkers {
    async fn load_consents(
        &self,
        app: &App,
        tenant: TenantId,
        person: PersonId,
        fresh: bool,
    ) -> Reply<Arc<ConsentAnswers>> {
        if let Some(known) = self.known.get(&(tenant, person)).filter(|_| !fresh) {
            return Ok(known);
        }
        let look = move |db: &mut _| privacy::load_answers(db, tenant, person, Privacy::TRACK);
        let found = app.store.read(look).await?;
        let newest = found.last().map_or(Uuid::nil(), |(id, ..)| *id);
        let answers = found.into_iter().map(|(_, at, given)| (at, given)).collect();
        let known = Arc::new(ConsentAnswers { answers: Answers(answers), newest });
        self.known.insert((tenant, person), Arc::clone(&known));
        Ok(known)
    }
}

/// Takes points of one's own patrol.
///
/// 上传轨迹点：每批最多 2000 点，可以迟到、乱序、重复，可用 gzip 压缩；按序号去重，逐点回答
/// stored / already / refused / later（暂停尚未结束，继续后再传）。只接受声明时段内、本人同意期间的点；异常点照存，读取时标记原因。
#[utoipa::path(
    tag = "patrols",
    request_body(content = PointsBody, content_type = "application/json"),
    responses((status = 200, body = PointsView)),
)]
#[post("/patrols/{id}/points")]
async fn upload_points(
    context: commands::PointsContext,
    body: Zipped<PointsBody>,
) -> Reply<Answer<PointsView>> {
    commands::upload_points(context, body.0).await
}

/// One request of the caller that sends points of a patrol.
struct Sending<'a> {
    app: &'a App,
    caller: &'a Caller,
    world: &'a TenantSnapshot,
    id: Uuid,
}

impl Sending<'_> {
    /// How often an upload is put together again after something it depends on has changed.
    const ATTEMPTS: usize = 8;

    async fn store_points(&self, points: &[FixBody], coord_type: CoordType) -> Reply<Vec<Fate>> {
        let (tenant, person) = (self.caller.tenant, self.caller.person);
        let vault = (&self.app.vault, &self.app.store);
        let key = self
            .app
            .memory
            .get_or_default::<Walkers>()
            .keys
            .ensure_key(vault, tenant, person, self.app.clock.now())
            .await?;
        let key = key.ok_or(Refusal::Erased)?;
        for attempt in 0..Self::ATTEMPTS {
            // The first time with the cached state: mostly it is still valid, and the store checks
            // that.
            let fresh = attempt > 0;
            let patrol = self.load_patrol(fresh).await?;
            let known = self
                .app
                .memory
                .get_or_default::<Walkers>()
                .load_consents(self.app, tenant, person, fresh)
                .await?;
            let mut fates = vec![Fate::Stored; points.len()];
            let mut new = self.admit_points(points, coord_type, &patrol.state, &known, &mut fates);
            // A refusal is given only on a state that was read for it.
            if !fresh && fates.iter().any(|fate| fate.rests_on_state()) {
                continue;
            }
            let mut stored = Vec::new();
            if let (true, Some(numbers)) = (fresh, number_range(&new)) {
                stored = self.load_batches(patrol.state.id, numbers).await?;
                remove_known(&mut new, &stored, &mut fates);
            }
            let Some(numbers) = number_range(&new) else { return Ok(fates) };
            let upload = self.build_upload((&patrol, &known, &key), &new, numbers, &stored)?;
            match self.app.store.store_track(upload).await? {
                Landed::Stored => return Ok(fates),
                // Points that are known already need no room: they are separated first.
                Landed::Full if fresh => {
                    for (_, places) in new.values() {
                        refuse_points(&mut fates, places, Refused::TrackFull);
                    }
                    return Ok(fates);
                }
                Landed::Full | Landed::Stale => {}
            }
        }
        Err(Problem::new(Code::LostRace))
    }

    /// The caller's own patrol, if it has begun.
    async fn load_patrol(&self, fresh: bool) -> Reply<Arc<Versioned<Patrol>>> {
        let kept = self.app.store.recall_state::<Patrol>(self.caller.tenant, self.id);
        let own = |patrol: &Patrol| patrol.worker() == Some(self.caller.person);
        let patrol = match kept.filter(|kept| !fresh && own(&kept.state)) {
            Some(kept) => kept,
            None => step::load_visible::<Patrol>(self.app, self.caller, self.id).await?,
        };
        let Some(run) = patrol.state.status.run() else {
            return Err(patrol.state.wrong_state("upload").into());
        };
        if run.worker == self.caller.person {
            Ok(patrol)
        } else {
            Err(Refusal::NotYourPatrol { worker: run.worker_name.clone() }.into())
        }
    }

    /// The points that may be accepted, by number, each with the indexes it was sent at.
    fn admit_points(
        &self,
        points: &[FixBody],
        coord_type: CoordType,
        patrol: &Patrol,
        known: &ConsentAnswers,
        fates: &mut [Fate],
    ) -> New {
        let now = self.app.clock.now();
        let rules = &self.world.rules;
        let ahead = Duration::hours(i64::from(rules.conduct.clock_ahead_hours));
        let kept = rules.privacy.value.retention;
        let (earliest, latest) =
            (kept.cutoff_for(DataClass::Tracks, now), saturating_add(now, ahead));
        let gate = Gate { patrol, answers: &known.answers, earliest, latest };
        let passes = gate.open();
        let mut new = New::new();
        for ((place, point), fate) in points.iter().enumerate().zip(fates.iter_mut()) {
            let fix =
                match parse_point(point, coord_type).and_then(|sent| passes.admit_point(&sent)) {
                    Ok(fix) => fix,
                    Err(why) => {
                        *fate = Fate::Refused(why);
                        continue;
                    }
                };
            match new.entry(fix.seq) {
                Entry::Vacant(free) => _ = free.insert((fix, vec![place])),
                Entry::Occupied(mut taken) if taken.get().0 == fix => {
                    taken.get_mut().1.push(place);
                    *fate = Fate::Already;
                }
                Entry::Occupied(_) => *fate = Fate::Refused(Refused::SeqReused),
            }
        }
        new
    }

    /// The stored batches that overlap with some numbers, unpacked.
    async fn load_batches(
        &self,
        patrol: PatrolId,
        numbers: (i64, i64),
    ) -> Reply<Vec<(i64, Vec<Fix>)>> {
        let tenant = self.caller.tenant;
        let find = move |db: &mut _| load_batches(db, tenant, patrol, Some(numbers));
        let found = self.app.store.read(find).await?;
        let keys = load_keys(self.app, tenant, &found).await?;
        Ok(found
            .iter()
            .map(|batch| Ok((batch.first_seq, open_batch(patrol, batch, &keys)?)))
            .collect::<Result<_, StoreError>>()?)
    }

    fn build_upload(
        &self,
        (patrol, known, key): (&Versioned<Patrol>, &ConsentAnswers, &WalkKey),
        new: &New,
        (first_seq, last_seq): (i64, i64),
        stored: &[(i64, Vec<Fix>)],
    ) -> Result<Upload, StoreError> {
        let fixes: Vec<Fix> = new.values().map(|(fix, _)| *fix).collect();
        let overlaps = |(first, fixes): &&(i64, Vec<Fix>)| {
            let last = fixes.iter().map(|fix| i64::from(fix.seq)).max().unwrap_or(*first);
            *first <= last_seq && last >= first_seq
        };
        let received_at = self.app.clock.now();
        let here = find_position(&fixes, patrol.state.skew(), self.world, received_at);
        let vault = &self.app.vault;
        let batch = Walked::Batch(patrol.state.id, first_seq);
        Ok(Upload {
            tenant: self.caller.tenant,
            patrol: patrol.state.id,
            seq: patrol.seq,
            person: self.caller.person,
            consent: known.newest,
            first_seq,
            last_seq,
            points: i64::try_from(fixes.len()).unwrap_or(i64::MAX),
            known: stored.iter().filter(overlaps).map(|(first, _)| *first).collect(),
            received_at,
            position: here.map(|here| here.seal(vault, key)).transpose()?,
            blob: key.seal(vault, batch, &codec::encode(&fixes))?,
        })
    }
}

/// Points by number, each with the indexes in the upload at which it was sent.
type New = BTreeMap<u32, (Fix, Vec<usize>)>;

fn number_range(new: &New) -> Option<(i64, i64)> {
    let (first, _) = new.first_key_value()?;
    let (last, _) = new.last_key_value()?;
    Some(((*first).into(), (*last).into()))
}

fn parse_point(point: &FixBody, coord_type: CoordType) -> Result<Sent, Refused> {
    let (lng, lat) = point.lng.zip(point.lat).ok_or(Refused::CoordinateMissing)?;
    let coord_type = point.coord_type.map_or(coord_type, Into::into);
    Ok(Sent {
        seq: point.seq,
        at: point.time,
        raw: RawPoint { lng, lat, coord_type },
        accuracy_m: point.accuracy,
        speed_mps: point.speed,
        source: point.source.unwrap_or(Source::Unknown),
        mocked: point.mocked,
    })
}

/// Removes stored points: equal points are known already, others under a known number refused.
fn remove_known(new: &mut New, stored: &[(i64, Vec<Fix>)], fates: &mut [Fate]) {
    let known: HashMap<u32, &Fix> =
        stored.iter().flat_map(|(_, fixes)| fixes).map(|fix| (fix.seq, fix)).collect();
    new.retain(|seq, (fix, places)| {
        let Some(before) = known.get(seq) else { return true };
        if *before == fix {
            for place in places.iter() {
                if let Some(fate) = fates.get_mut(*place) {
                    *fate = Fate::Already;
                }
            }
        } else {
            refuse_points(fates, places, Refused::SeqReused);
        }
        false
    });
}

fn refuse_points(fates: &mut [Fate], places: &[usize], why: Refused) {
    for place in places {
        if let Some(fate) = fates.get_mut(*place) {
            *fate = Fate::Refused(why);
        }
    }
}

/// The present position of the worker: the last point that is neither odd by itself nor old.
fn find_position(fixes: &[Fix], skew: Skew, world: &TenantSnapshot, now: Instant) -> Option<Here> {
    /// The age in seconds beyond which a position no longer says where the worker is.
    const FRESH_S: i64 = 600;
    let tracking = &world.rules.conduct.tracking;
    let fixes = fixes.iter().map(|fix| fix.correct_skew(skew));
    let good = |fix: &Fix| {
        let accurate =
            fix.accuracy_m().is_none_or(|metres| metres <= f64::from(tracking.accuracy_m));
        !fix.mocked && accurate && fix.at() <= now
    };
    let newest = fixes.filter(good).max_by_key(|fix| fix.at_ms)?;
    if (now - newest.at()).num_seconds() > FRESH_S {
        return None;
    }
    let (lng, lat) = domain::flows::track::fixed_point(newest.point()?);
    Some(Here { lng, lat, accuracy: newest.accuracy, at: newest.at() })
}
