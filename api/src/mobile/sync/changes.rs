//! What a phone may see and what of it changed: first everything that is open, then what moved
//! since, by the feed of the tenant.
//!
//! A cursor remembers up to where the feed was read, the hash of the entry there, and what its
//! owner could see then. Another owner's cursor, or one of a database that was restored to an
//! earlier day, does not fit and is told to start over; when the owner may see less than before,
//! what left the view is told, item by item.

use std::collections::{BTreeSet, HashSet};

use actix_web::{HttpResponse, get, web::Data};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Duration, Utc};
use domain::{
    Instant,
    area::tree::Path,
    core::{
        id::{AreaId, TenantId},
        journal::{FlowKind, Hash},
    },
    flows::{case::state::Case, change::Stored, patrol::Patrol, report::Report, visit::Visit},
    people::actor::{Permission, Scope},
};
use persistence::{
    Db, StoreError,
    flows::{case as cases, patrol as patrols, report as reports, visit as visits},
    kernel::{feed, journal::Keyset},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    app::{
        caller::{Caller, in_office},
        state::App,
    },
    http::{
        page::Limit,
        params::Query,
        problem::{Code, Problem, Reply},
        register::ServiceConfig,
    },
    mobile::sync::recent::{Recent, Recents, Stretch},
    privacy::names::Known,
    resources::{case::CaseView, patrol::view::PatrolView, report::ReportView, visit::VisitView},
};

/// Registers the operation of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list_changes);
}

/// What the cursor is sealed for.
const PURPOSE: &str = "sync cursor";

/// The longest cursor.
const MAX_LENGTH: usize = 32_768;

/// How many days back what is not open any more is part of the first picture.
const DAYS: i64 = 30;

/// How many entries of the feed are looked at for one page.
const WINDOW: i64 = 1000;

/// Which changes to read.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SyncParams {
    /// `next` of the last answer; without it everything that is open is told first. 上次返回的 next。
    #[param(max_length = 32_768)]
    since: Option<String>,
    /// How many at most, 1 to 100.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 50)]
    limit: Option<Limit>,
}

/// What changed since a place in the feed.
#[derive(Serialize, ToSchema)]
pub struct ChangesView {
    /// In an order in which later ones replace earlier ones of the same `id`.
    items: Vec<ChangedView>,
    /// Where to go on, now or later. 下次的 since。
    next: String,
    /// Whether there is more already. 是否还有。
    more: bool,
    /// What our clock shows. 服务器时间。
    server_time: DateTime<Utc>,
}

/// One thing that changed.
#[derive(Serialize, ToSchema)]
pub struct ChangedView {
    /// `case`, `report`, `patrol` or `visit`.
    kind: &'static str,
    /// The identity of what changed. 标识。
    id: Uuid,
    /// Its place in its journal; a lower one than the phone has is old news. 0 of what is gone.
    seq: i64,
    /// Whether it left the view of who asks: forget it. 已移出可见范围。
    gone: bool,
    /// How it is now; as the operation that reads it answers, without files: their links would be
    /// over before somebody follows them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    state: Option<Value>,
}

/// What a caller may see.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Default)]
pub(super) struct Sight {
    /// Where cases, reports and patrols are seen.
    pub(super) paths: Vec<Path>,
    /// The units whose cases are seen wherever they lie.
    pub(super) units: Vec<AreaId>,
    /// Where households are seen.
    pub(super) homes: Vec<Path>,
}

impl Sight {
    fn of(caller: &Caller, at: Instant) -> Self {
        let scope = caller.scope(Permission::ReadCases, at);
        let homes = caller.scope(Permission::ReadHouseholds, at).paths;
        let mut sight = Self { paths: scope.paths, units: scope.units, homes };
        sight.paths.sort_by(|a, b| a.0.cmp(&b.0));
        sight.homes.sort_by(|a, b| a.0.cmp(&b.0));
        sight.units.sort();
        sight
    }

    /// What this lets `caller` see in lists.
    fn scopes(&self, caller: &Caller) -> Scopes {
        let (tenant, person) = (caller.tenant, caller.person);
        let (paths, units) = (self.paths.clone(), self.units.clone());
        let homes = Scope { tenant, person, paths: self.homes.clone(), units: Vec::new() };
        Scopes { work: Scope { tenant, person, paths, units }, homes }
    }

    fn add(&mut self, other: &Self) {
        join(&mut self.paths, &other.paths);
        join(&mut self.units, &other.units);
        join(&mut self.homes, &other.homes);
    }
}

fn join<T: Clone + PartialEq>(own: &mut Vec<T>, others: &[T]) {
    for other in others {
        if !own.contains(other) {
            own.push(other.clone());
        }
    }
}

/// The same as queries take it.
#[derive(Clone)]
struct Scopes {
    work: Scope,
    homes: Scope,
}

/// Where a phone is.
#[derive(Serialize, Deserialize)]
struct Position {
    /// Whose it is.
    owner: (TenantId, Uuid),
    /// What the owner could see.
    sight: Sight,
    /// Up to where the feed was read.
    read: i64,
    /// The hash of the entry there.
    hash: String,
    /// When its owner began to read.
    begun: Instant,
    /// When this was told.
    told: Instant,
    /// What of the whole picture was told, while it is being told.
    filling: Option<Filling>,
}

/// How far the whole picture was told.
#[derive(Serialize, Deserialize, Default)]
struct Filling {
    /// Which kind is being told; the first to begin with.
    kind: Kind,
    /// The last that was told.
    after: Option<(Instant, Uuid)>,
    /// What could be seen before and may have to be forgotten.
    before: Sight,
}

impl Position {
    /// The beginning: everything that is open, then what moves from now on.
    fn begin(
        owner: (TenantId, Uuid),
        sight: Sight,
        (read, hash): (i64, Hash),
        now: Instant,
    ) -> Self {
        let (hash, filling) = (hash.hex(), Some(Filling::default()));
        Self { owner, sight, read, hash, begun: now, told: now, filling }
    }

    /// The same after what the owner may see has changed: the picture is told anew, with what is
    /// to be forgotten.
    fn seeing(mut self, sight: &Sight) -> Self {
        if self.sight != *sight {
            let mut before = self.filling.map(|filling| filling.before).unwrap_or_default();
            before.add(&self.sight);
            self.filling = Some(Filling { before, ..Filling::default() });
            self.sight = sight.clone();
        }
        self
    }

    /// The feed was read up to this entry.
    fn stands_at(&mut self, last: Option<(i64, Hash)>) {
        if let Some((position, hash)) = last {
            (self.read, self.hash) = (position, hash.hex());
        }
    }

    fn text(&self, app: &App) -> Reply<String> {
        let bytes =
            serde_json::to_vec(self).map_err(|e| Problem::new(Code::Internal).because(e))?;
        Ok(BASE64_URL_SAFE_NO_PAD.encode(app.seal.seal(PURPOSE, &bytes)?))
    }

    fn parse(text: &str, app: &App) -> Option<Self> {
        if text.len() > MAX_LENGTH {
            return None;
        }
        let sealed = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        serde_json::from_slice(&app.seal.open(PURPOSE, &sealed)?).ok()
    }
}

fn outdated() -> Problem {
    Problem::new(Code::CursorOutdated)
}

/// Tells what changed since the last time.
///
/// 离线增量下载：首次返回全部未结案卷、待办走访，以及近 30 天的上报、巡查和走访，之后只返回变化；`gone` 表示已移出可见范围，应从手机上删除。
#[utoipa::path(tag = "sync", params(SyncParams), responses((status = 200, body = ChangesView)))]
#[get("/sync")]
async fn list_changes(
    app: Data<App>,
    caller: Caller,
    params: Query<SyncParams>,
) -> Reply<HttpResponse> {
    let limit = usize::from(params.0.limit.unwrap_or_default().get());
    let now = app.clock.now();
    let (owner, sight) = ((caller.tenant, caller.person.0), Sight::of(&caller, now));
    let recent = app.memory.of::<Recents>().of(&app.store, caller.tenant).await?;
    let position = match params.0.since {
        None => {
            let tenant = caller.tenant;
            let end = app.store.read(move |db| end(db, tenant)).await?;
            Position::begin(owner, sight, end, now)
        }
        Some(text) => {
            let position = Position::parse(&text, &app).ok_or_else(outdated)?;
            if position.owner != owner || !still_there(&app, &recent, &position).await? {
                return Err(outdated());
            }
            position.seeing(&sight)
        }
    };
    let page = match position.filling {
        Some(_) => fill(&app, &caller, position, limit).await?,
        None => follow(&app, &caller, &recent, (position, limit)).await?,
    };
    let mut position = page.position;
    let items = shown(&app, &caller, page.found, position.told).await?;
    // What was lost is told as of when it could be seen last, however many pages it takes.
    if !position.filling.as_ref().is_some_and(|filling| filling.before != Sight::default()) {
        position.told = now;
    }
    let next = position.text(&app)?;
    Ok(HttpResponse::Ok().json(ChangesView { items, next, more: page.more, server_time: now }))
}

/// The last entry of the feed.
fn end(db: &mut Db, tenant: TenantId) -> Result<(i64, Hash), StoreError> {
    let end = feed::end(db, tenant)?;
    Ok(feed::last_until(db, tenant, end)?.unwrap_or_default())
}

/// Whether the entry a cursor stands at is the one it stood at.
async fn still_there(app: &App, recent: &Recent, position: &Position) -> Reply<bool> {
    let (tenant, read) = (position.owner.0, position.read);
    if read == 0 {
        return Ok(true);
    }
    let hash = match recent.hash_at(read) {
        Some(hash) => Some(hash),
        None => app.store.read(move |db| feed::hash_at(db, tenant, read)).await?,
    };
    Ok(hash.is_some_and(|hash| hash.hex() == position.hash))
}

/// A kind of thing a phone has, in the order the first picture tells them.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Default)]
#[serde(rename_all = "snake_case")]
enum Kind {
    #[default]
    Case,
    Report,
    Patrol,
    Visit,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Case, Self::Report, Self::Patrol, Self::Visit];

    const fn next(self) -> Option<Self> {
        match self {
            Self::Case => Some(Self::Report),
            Self::Report => Some(Self::Patrol),
            Self::Patrol => Some(Self::Visit),
            Self::Visit => None,
        }
    }

    const fn flow(self) -> FlowKind {
        match self {
            Self::Case => FlowKind::Case,
            Self::Report => FlowKind::Report,
            Self::Patrol => FlowKind::Patrol,
            Self::Visit => FlowKind::Visit,
        }
    }
}

/// What is told of one thing.
enum Found {
    Case(Box<Stored<Case>>),
    Report(Box<Stored<Report>>),
    Patrol(Box<Stored<Patrol>>),
    Visit(Box<Stored<Visit>>),
}

/// A page before it is shown.
struct Page {
    found: Vec<Found>,
    position: Position,
    more: bool,
}

/// The next part of the whole picture.
async fn fill(app: &App, caller: &Caller, mut position: Position, limit: usize) -> Reply<Page> {
    let Filling { kind, after, before } = position.filling.take().unwrap_or_default();
    let mut wide = position.sight.clone();
    wide.add(&before);
    let scopes = wide.scopes(caller);
    let probe = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let keyset = Keyset { after, limit: probe };
    let now = app.clock.now();
    // What is to be forgotten may be closed by now, and as old as the first picture.
    let lost = (before != Sight::default()).then_some(position.begun);
    let since = lost.unwrap_or(now) - Duration::days(DAYS);
    let which = Which::Since { since, lost, office: in_office(caller, now) };
    let found = app.store.read(move |db| list(db, &scopes, kind, which, keyset)).await?;
    let whole = found.len() <= limit;
    let found: Vec<Found> = found.into_iter().take(limit).collect();
    position.filling = if whole {
        kind.next().map(|kind| Filling { kind, after: None, before })
    } else {
        Some(Filling { kind, after: found.last().map(place), before })
    };
    Ok(Page { found, position, more: true })
}

/// Which of a kind are read.
enum Which {
    /// What is open, or not older than `since`; of cases also those closed after `lost`.
    Since { since: Instant, lost: Option<Instant>, office: bool },
    /// Only these; and whether the caller is in office.
    These(Vec<Uuid>, bool),
}

fn list(
    db: &mut Db,
    scopes: &Scopes,
    kind: Kind,
    which: Which,
    keyset: Keyset,
) -> Result<Vec<Found>, StoreError> {
    let (since, closed_since, among, office) = match which {
        Which::Since { since, lost, office } => (Some(since), lost, None, office),
        Which::These(ids, office) => (None, None, Some(ids), office),
    };
    Ok(match kind {
        Kind::Case => {
            let open = since.is_some() && closed_since.is_none();
            let filter = cases::Filter { open, closed_since, among, ..Default::default() };
            let found = cases::list(db, &scopes.work, &filter, keyset)?;
            found.into_iter().map(|case| Found::Case(Box::new(case))).collect()
        }
        Kind::Report => {
            let filter = reports::Filter { since, among, ..Default::default() };
            let found = reports::list(db, &scopes.work, &filter, keyset)?;
            found.into_iter().map(|report| Found::Report(Box::new(report))).collect()
        }
        Kind::Patrol => {
            let filter = patrols::Filter { since, among, ..Default::default() };
            let found = patrols::list(db, &scopes.work, &filter, keyset)?;
            found.into_iter().map(|patrol| Found::Patrol(Box::new(patrol))).collect()
        }
        Kind::Visit => {
            let filter = visits::Filter { since, among, ..Default::default() };
            let found = visits::list(db, (&scopes.homes, office), &filter, keyset)?;
            found.into_iter().map(|visit| Found::Visit(Box::new(visit))).collect()
        }
    })
}

fn place(found: &Found) -> (Instant, Uuid) {
    match found {
        Found::Case(case) => (case.state.filed_at, case.state.id.0),
        Found::Report(report) => (report.state.received_at, report.state.id.0),
        Found::Patrol(patrol) => (patrol.state.window.from, patrol.state.id.0),
        Found::Visit(visit) => (visit.state.made_at, visit.state.id.0),
    }
}

/// What moved after the position, as far as it is the caller's to see.
async fn follow(
    app: &App,
    caller: &Caller,
    recent: &Recent,
    (mut position, limit): (Position, usize),
) -> Reply<Page> {
    let concerned = (&position.sight, caller.person);
    let Some(stretch) = recent.after(position.read, concerned, limit) else {
        return follow_far(app, caller, position, limit).await;
    };
    let Stretch { flows, last, more } = stretch;
    let found = if flows.is_empty() {
        Vec::new()
    } else {
        let scopes = position.sight.scopes(caller);
        let office = in_office(caller, app.clock.now());
        app.store.read(move |db| these(db, &scopes, office, &flows)).await?
    };
    position.stands_at(last);
    Ok(Page { found, position, more })
}

/// The same of what lies further back than what is kept in memory.
async fn follow_far(
    app: &App,
    caller: &Caller,
    mut position: Position,
    limit: usize,
) -> Reply<Page> {
    let (tenant, read, scopes) = (caller.tenant, position.read, position.sight.scopes(caller));
    let office = in_office(caller, app.clock.now());
    let look = move |db: &mut Db| {
        let entries = feed::after(db, tenant, read, WINDOW)?;
        let full = i64::try_from(entries.len()) == Ok(WINDOW);
        let (taken, cut) = taken(&entries, limit);
        let flows: Vec<_> = taken.iter().map(|moved| (moved.kind, moved.flow)).collect();
        let last = taken.last().map(|moved| (moved.position, moved.hash));
        Ok((these(db, &scopes, office, &flows)?, last, full || cut))
    };
    let (found, last, more) = app.store.read(look).await?;
    position.stands_at(last);
    Ok(Page { found, position, more })
}

/// Those of these flows that are the caller's to see.
fn these(
    db: &mut Db,
    scopes: &Scopes,
    office: bool,
    flows: &[(FlowKind, Uuid)],
) -> Result<Vec<Found>, StoreError> {
    let mut found = Vec::new();
    for kind in Kind::ALL {
        let of_kind = flows.iter().filter(|(flow, _)| *flow == kind.flow());
        let ids: BTreeSet<Uuid> = of_kind.map(|(_, id)| *id).collect();
        if !ids.is_empty() {
            let limit = i64::try_from(ids.len()).unwrap_or(i64::MAX);
            let which = Which::These(ids.into_iter().collect(), office);
            found.extend(list(db, scopes, kind, which, Keyset { after: None, limit })?);
        }
    }
    Ok(found)
}

/// As many entries as make one page, and whether some were left.
fn taken(entries: &[feed::Moved], limit: usize) -> (&[feed::Moved], bool) {
    let mut flows = HashSet::new();
    let fits = |moved: &feed::Moved| {
        flows.insert(moved.flow);
        flows.len() <= limit
    };
    let count = entries.iter().copied().take_while(fits).count();
    entries.get(..count).map_or((entries, false), |taken| (taken, count < entries.len()))
}

/// What the phone is told: the state where the caller may see it, and that it is gone where the
/// caller may not any more. What is younger than what was `told` last never reached the phone, so
/// its end is not told.
async fn shown(
    app: &App,
    caller: &Caller,
    found: Vec<Found>,
    told: Instant,
) -> Reply<Vec<ChangedView>> {
    let (world, now) = (app.world(caller.tenant)?, app.clock.now());
    let reports: Vec<&Report> = found.iter().filter_map(report).collect();
    let known = Known::of(app, caller, &reports).await?;
    let view = |found: &Found| match found {
        Found::Case(case) => {
            let visible = case.state.visible_to(caller, now);
            let state = visible.then(|| json(CaseView::new(case, &world, caller, now)));
            changed("case", case.state.id.0, case.seq, state)
        }
        Found::Report(report) => {
            let visible = report.state.visible_to(caller, now);
            let state = visible.then(|| json(ReportView::new(report, caller, app, &known)));
            changed("report", report.state.id.0, report.seq, state)
        }
        Found::Patrol(patrol) => {
            let visible = patrol.state.visible_to(caller, now);
            let state = visible.then(|| json(PatrolView::new(patrol, now)));
            changed("patrol", patrol.state.id.0, patrol.seq, state)
        }
        Found::Visit(visit) => {
            let visible = visit.state.visible_to(caller, now);
            let state = visible.then(|| json(VisitView::from(&**visit)));
            changed("visit", visit.state.id.0, visit.seq, state)
        }
    };
    let known = |one: &Found, view: &ChangedView| !view.gone || made(one) <= told;
    let views = found.iter().map(|one| (one, view(one)));
    Ok(views.filter(|(one, view)| known(one, view)).map(|(_, view)| view).collect())
}

/// When there was something to be told for the first time.
fn made(found: &Found) -> Instant {
    match found {
        Found::Case(case) => case.state.filed_at,
        Found::Report(report) => report.state.received_at,
        Found::Patrol(patrol) => patrol.state.created_at,
        Found::Visit(visit) => visit.state.made_at,
    }
}

fn report(found: &Found) -> Option<&Report> {
    match found {
        Found::Report(report) => Some(&report.state),
        Found::Case(_) | Found::Patrol(_) | Found::Visit(_) => None,
    }
}

fn json(view: impl Serialize) -> Value {
    serde_json::to_value(view).unwrap_or_default()
}

fn changed(kind: &'static str, id: Uuid, seq: i64, state: Option<Value>) -> ChangedView {
    let gone = state.is_none();
    ChangedView { kind, id, seq: if gone { 0 } else { seq }, gone, state }
}
