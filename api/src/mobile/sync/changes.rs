//! What a phone may see, and what of it changed: first everything that is open, then what changed
//! since, by the feed of the tenant.
//!
//! A cursor remembers the position up to which the feed was read, the hash of the entry there, and
//! what its owner could see then. Another owner's cursor, or one of a database that was restored to
//! an earlier day, is refused: the phone starts over. When the owner may see less than before, what
//! left the view is reported, item by item.
//!
//! A campaign is followed by the assignments of the caller: the households to go to for it.

use actix_web::{HttpResponse, get, web::Data};
use chrono::{DateTime, Utc};
use domain::{
    Instant,
    core::{id::TenantId, journal::Hash},
    flows::campaign::{Campaign, StatusName},
};
use persistence::{
    Db, StoreError,
    kernel::{feed, journal::Keyset},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    cursor::{Filling, Listing, Position},
    kinds::{Found, Kind, Which, list_flows, list_these, load_turn},
    recent::{Recent, Recents, Stretch, load_stretch},
    render::{changed_view, render_all},
    sight::Sight,
};
use crate::{
    app::{caller::Caller, state::App},
    engine::step,
    http::{
        page::Limit,
        params::Query,
        problem::{Code, Problem, Reply},
        register::ServiceConfig,
    },
    resources::campaign::list::{AssignmentView, load_assignments},
};

/// Registers the operation of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list_changes);
}

/// Which changes to read.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SyncParams {
    /// `next` of the last answer; without it the answer begins with everything that is open. 上次返回的
    /// next。
    #[param(max_length = 32_768)]
    since: Option<String>,
    /// How many at most, 1 to 100.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 50)]
    limit: Option<Limit>,
}

/// What changed since a place in the feed.
#[derive(Serialize, ToSchema)]
pub struct ChangesView {
    /// The changes; a later one replaces an earlier one of the same `id`.
    items: Vec<ChangedView>,
    /// Where to go on, now or later. 下次的 since。
    next: String,
    /// Whether there is more already. 是否还有。
    more: bool,
    /// The time of the server. 服务器时间。
    server_time: DateTime<Utc>,
}

/// One thing that changed.
#[derive(Serialize, ToSchema)]
pub struct ChangedView {
    /// `case` 案卷, `report` 上报, `patrol` 巡查, `visit` 走访, `household` 家庭, `form` 表单,
    /// `campaign` 走访行动, `assignment` 行动中派给本人、尚未走访的家庭; others may come. A `campaign`
    /// ends the assignments of it that were sent before: the present ones follow it. An assignment
    /// has the `id` that its visit will have, so that the visit takes its place. 类型。
    #[schema(example = "household")]
    pub(super) kind: &'static str,
    /// The identity of what changed. 标识。
    pub(super) id: Uuid,
    /// Its place in its journal; a lower one than the phone has is out of date. 0 for an assignment
    /// and for what is gone.
    #[schema(example = 3)]
    pub(super) seq: i64,
    /// Whether it left the view of the caller: forget it. 已移出可见范围。
    pub(super) gone: bool,
    /// Its present state, as the operation that reads it answers, with personal data masked. The
    /// files of reports and cases come without links, which would expire before they are followed;
    /// a report or case is sent again when a file of it arrives, is reviewed or is removed.
    /// 当前内容，个人信息脱敏。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, example = json!({
        "id": "0196f0a2-7c1e-7b3a-9d52-3f6f5b0c8e11", "number": "H20260920-7K2M4Q", "seq": 3,
        "area": { "id": "0196f0a2-0000-7000-8000-000000000011", "kind": "grid", "name": "枫林社区第一网格" },
        "building": "3栋", "group": "S03", "group_name": null, "size": 3, "known": 1, "special": false,
        "standing": "present", "standing_label": "在册", "registered_at": "2026-09-20T01:12:08Z",
        "room": "***", "members": [], "pairings": [],
        "possible": ["update", "pair", "unpair", "answer", "leave", "erase"]
    }))]
    pub(super) state: Option<Value>,
}

fn outdated_cursor() -> Problem {
    Problem::new(Code::CursorOutdated)
}

/// Lists what changed since the last time.
///
/// 离线增量下载：首次返回全部未结案卷、待办走访，近 30 天的上报、巡查和走访，以及可见的在册家庭、现行表单和未结束的走访行动（含派给本人的家庭），之后只返回变化；`gone` 表示已移出可见范围，应从手机上删除。
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
    let recent =
        app.memory.get_or_default::<Recents>().load_recent(&app.store, caller.tenant).await?;
    let position = match params.0.since {
        None => {
            let tenant = caller.tenant;
            let end = app.store.read(move |db| load_end(db, tenant)).await?;
            Position::begin(owner, sight, end, now)
        }
        Some(text) => {
            let position = Position::parse(&text, &app).ok_or_else(outdated_cursor)?;
            if position.owner != owner || !still_there(&app, &recent, &position).await? {
                return Err(outdated_cursor());
            }
            position.at(&sight, now)
        }
    };
    let told = position.told;
    let page = if !position.listings.is_empty() {
        list_assignments(&app, &caller, position, limit).await?
    } else if position.filling.is_some() {
        fill_page(&app, &caller, position, (limit, now)).await?
    } else {
        follow_feed(&app, &caller, &recent, (position, limit, now)).await?
    };
    let Page { found, assignments, mut position, more } = page;
    position.listings.extend(found.iter().filter_map(begin_listing));
    let more = more || !position.listings.is_empty();
    let mut items = render_all(&app, &caller, found, told).await?;
    items.extend(assignments);
    // What the owner lost is read as of when it could be seen last, however many pages it takes.
    if position.filling.as_ref().is_none_or(|filling| filling.before.is_empty()) {
        position.told = now;
    }
    let next = position.seal(&app)?;
    Ok(HttpResponse::Ok().json(ChangesView { items, next, more, server_time: now }))
}

/// The last entry of the feed.
fn load_end(db: &mut Db, tenant: TenantId) -> Result<(i64, Hash), StoreError> {
    let end = feed::load_end(db, tenant)?;
    Ok(feed::load_last_until(db, tenant, end)?.unwrap_or_default())
}

/// Whether the entry at the cursor's position is still the same.
async fn still_there(app: &App, recent: &Recent, position: &Position) -> Reply<bool> {
    let (tenant, read) = (position.owner.0, position.read);
    if read == 0 {
        return Ok(true);
    }
    let hash = match recent.hash_at(read) {
        Some(hash) => Some(hash),
        None => app.store.read(move |db| feed::load_hash(db, tenant, read)).await?,
    };
    Ok(hash.is_some_and(|hash| hash.to_hex() == position.hash))
}

/// A page before it is rendered.
struct Page {
    found: Vec<Found>,
    assignments: Vec<ChangedView>,
    position: Position,
    more: bool,
}

/// A running campaign is followed by the assignments of the caller.
fn begin_listing(found: &Found) -> Option<Listing> {
    match found {
        Found::Campaign(campaign) if campaign.state.status == StatusName::Running => {
            Some(Listing { campaign: campaign.state.id.0, after: Uuid::nil() })
        }
        Found::Campaign(_)
        | Found::Case(_)
        | Found::Report(_)
        | Found::Patrol(_)
        | Found::Visit(_)
        | Found::Household(_)
        | Found::Form(_)
        | Found::Left(..) => None,
    }
}

/// The next assignments of the campaigns on the page.
async fn list_assignments(
    app: &App,
    caller: &Caller,
    mut position: Position,
    limit: usize,
) -> Reply<Page> {
    let mut assignments = Vec::new();
    while let Some(listing) = position.listings.first().copied()
        && assignments.len() < limit
    {
        let campaign = step::load_visible::<Campaign>(app, caller, listing.campaign).await;
        // A change meanwhile is sent when its entry is read.
        let running = campaign.ok().filter(|stored| stored.state.status == StatusName::Running);
        let part = (listing.after, limit - assignments.len());
        let (found, more) = match running {
            Some(stored) => load_assignments(app, caller, &stored.state, part).await?,
            None => (Vec::new(), false),
        };
        match (found.last(), position.listings.first_mut()) {
            (Some(last), Some(listing)) if more => listing.after = last.household_id(),
            _ => drop(position.listings.remove(0)),
        }
        let view = |one: &AssignmentView| changed_view("assignment", one.id(), 0, Some(json!(one)));
        assignments.extend(found.iter().map(view));
    }
    Ok(Page { found: Vec::new(), assignments, position, more: true })
}

/// The next part of the first picture.
async fn fill_page(
    app: &App,
    caller: &Caller,
    mut position: Position,
    (limit, now): (usize, Instant),
) -> Reply<Page> {
    let Filling { kind, after, before } = position.filling.take().unwrap_or_default();
    let limit = kind.page(limit);
    let mut wide = position.sight.clone();
    wide.widen_by(&before);
    let of = (caller.tenant, caller.person);
    let scopes = wide.scopes_for(of);
    let probe = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let keyset = Keyset { after, limit: probe };
    let lost = (!before.is_empty()).then_some(position.begun);
    let which = Which::Picture { now, lost };
    // As of the first page: a pairing that begins or ends while the others are sent is sent after
    // them.
    let turns = matches!(kind, Kind::Household | Kind::Pairing { .. }) && after.is_none();
    let look = move |db: &mut Db| {
        let turn = if turns { load_turn(db, of, now)? } else { None };
        Ok((list_flows(db, &scopes, kind, which, keyset)?, turn))
    };
    let (found, turn) = app.store.read(look).await?;
    if turns {
        position.turn = turn;
    }
    let whole = found.len() <= limit;
    let found: Vec<Found> = found.into_iter().take(limit).collect();
    position.filling = if whole {
        kind.next().map(|kind| Filling { kind, after: None, before })
    } else {
        Some(Filling { kind, after: found.last().map(Found::place), before })
    };
    Ok(Page { found, assignments: Vec::new(), position, more: true })
}

/// The flows that changed after the position, as far as the caller may see them.
async fn follow_feed(
    app: &App,
    caller: &Caller,
    recent: &Recent,
    (mut position, limit, now): (Position, usize, Instant),
) -> Reply<Page> {
    let (tenant, person) = (caller.tenant, caller.person);
    let concerned = (&position.sight, person);
    let (mut flows, more) = if position.rest.is_empty() {
        let stretch = match recent.read_after(position.read, concerned, limit) {
            Some(stretch) => stretch,
            None => load_stretch(&app.store, tenant, position.read, concerned, limit).await?,
        };
        let Stretch { flows, last, more } = stretch;
        position.move_to(last);
        (flows, more)
    } else {
        (std::mem::take(&mut position.rest), true)
    };
    position.rest = flows.split_off(limit.min(flows.len()));
    let more = more || !position.rest.is_empty();
    let found = if flows.is_empty() {
        Vec::new()
    } else {
        let scopes = position.sight.scopes_for((tenant, person));
        let turns = flows.iter().any(|one| one.kind == Kind::Household.flow_kind());
        let look = move |db: &mut Db| {
            let turn = if turns { load_turn(db, (tenant, person), now)? } else { None };
            Ok((list_these(db, &scopes, now, &flows)?, turn))
        };
        let (found, turn) = app.store.read(look).await?;
        if turns {
            position.turn = turn;
        }
        found
    };
    Ok(Page { found, assignments: Vec::new(), position, more })
}
