//! Changes of areas over HTTP: created, renamed, redrawn, transferred, split, merged, retired, each
//! from a day on; and the record of them.

use actix_web::{HttpRequest, HttpResponse, get, post, web::Data};
use chrono::{DateTime, NaiveDate, Utc};
use domain::{
    area::{
        boundary,
        locate::to_rings,
        tree::{AreaKind, GridKind},
    },
    core::{
        id::{AreaId, CommandId, PersonId},
        journal::{Entry, FlowKind, Hash},
        text::Line,
        time::local_day,
    },
    flows::{
        areas::{Command, Decided, Drawing, Event, Into, MOST_PARTS, NewArea, decide},
        change::Request,
        flow::Context,
        stored_event::{read_events, write_events},
    },
    people::actor::Permission,
};
use persistence::{
    Db, Outcome, StoreError, Write,
    kernel::{journal, obligation},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    app::{
        caller::Caller,
        clock::derive_id,
        state::App,
        world::{Geometry, TenantSnapshot},
    },
    engine::step::{Asked, Step},
    http::{
        answer::Answer,
        body::{Json, replacing},
        headers::{IfMatch, Key},
        page::{Cursor, Limit, Page},
        params::Query,
        problem::{Code, Problem, Reply},
        register::ServiceConfig,
        view::{self, state_tag},
    },
};

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list_area_changes).service(create_area);
}

/// Registers the operations below one area.
pub fn under_area(config: &mut ServiceConfig<'_>) {
    config
        .service(rename_area)
        .service(describe_area)
        .service(redraw_area)
        .service(split_area)
        .service(merge_areas)
        .service(retire_area)
        .service(transfer_area);
}

/// A decision about areas as a write, with the entry that records it.
pub(crate) fn build_write(
    decided: Decided,
    name: &str,
    request: Request,
    before: Hash,
    context: &Context<'_>,
) -> Write {
    let flow = (FlowKind::Areas, context.by.tenant.0);
    let happened = write_events(&decided.events);
    let entry = request.entry(flow, (name, happened), before, context).with_computed_hash();
    Write::Areas { entry: Box::new(entry), areas: decided.changed, drawn: decided.drawn }
}

/// A change of areas, as it stands in the record.
#[derive(Serialize, ToSchema)]
pub struct AreaChangeView {
    /// Its number in the record. 序号。
    no: i64,
    /// The command that was given.
    #[schema(example = "merge")]
    what: String,
    /// When it was decided.
    at: DateTime<Utc>,
    /// Who decided it.
    by: String,
    /// The events, area by area.
    items: Vec<AreaEventView>,
}

/// An event of one area.
#[derive(Serialize, Default, ToSchema)]
pub struct AreaEventView {
    /// What was done to the area. 变更类型。
    #[schema(example = "retired")]
    event: &'static str,
    /// The change in Chinese. 变更类型名称。
    event_label: &'static str,
    /// The area; none for an imported file.
    area_id: Option<Uuid>,
    /// The day of effect. 生效日期。
    from: Option<NaiveDate>,
    /// Its code, where it is new.
    code: Option<String>,
    /// Its name, where it is new.
    name: Option<String>,
    /// The area above, where it is new.
    parent_id: Option<Uuid>,
    /// How many households, where they were counted.
    households: Option<u32>,
    /// The SHA-256 of the boundary, where it was drawn.
    boundary: Option<String>,
    /// Whether crossings of the boundary were resolved.
    repaired: bool,
    /// The areas that succeed it. 承接区划。
    successor_ids: Vec<Uuid>,
    /// The name of an imported file.
    source: Option<String>,
    /// How many areas of the file were new.
    added: Option<usize>,
    /// How many areas of the file were changed.
    updated: Option<usize>,
}

impl From<&Event> for AreaEventView {
    fn from(event: &Event) -> Self {
        let named = |event, event_label| Self { event, event_label, ..Self::default() };
        let of = |view: Self, id: &AreaId, from: &NaiveDate| Self {
            area_id: Some(id.0),
            from: Some(*from),
            ..view
        };
        match event {
            Event::Created { area, repaired } => {
                let version = area.versions.first();
                Self {
                    area_id: Some(area.id.0),
                    from: version.map(|version| version.from),
                    code: Some(area.code.clone()),
                    name: version.map(|version| version.name.clone()),
                    parent_id: version.and_then(|version| version.parent).map(|id| id.0),
                    households: version.and_then(|version| version.households),
                    boundary: version
                        .and_then(|version| version.boundary.as_ref())
                        .map(|outline| outline.digest.clone()),
                    repaired: *repaired,
                    ..named("created", "设立")
                }
            }
            Event::Renamed { id, name, from } => {
                Self { name: Some(name.clone()), ..of(named("renamed", "更名"), id, from) }
            }
            Event::Described { id, households, from, .. } => {
                Self { households: *households, ..of(named("described", "登记"), id, from) }
            }
            Event::Redrawn { id, boundary, repaired, from } => Self {
                boundary: Some(boundary.clone()),
                repaired: *repaired,
                ..of(named("redrawn", "重划边界"), id, from)
            },
            Event::Transferred { id, parent, from } => {
                Self { parent_id: Some(parent.0), ..of(named("transferred", "划转"), id, from) }
            }
            Event::Retired { id, successors, from } => Self {
                successor_ids: successors.iter().map(|id| id.0).collect(),
                ..of(named("retired", "撤销"), id, from)
            },
            Event::Imported { source, added, updated, from, .. } => Self {
                from: *from,
                source: Some(source.clone()),
                added: Some(*added),
                updated: Some(*updated),
                ..named("imported", "导入")
            },
        }
    }
}

impl AreaChangeView {
    fn new(entry: &Entry) -> Reply<Self> {
        let events = read_events::<Event>(&entry.events)
            .map_err(|error| StoreError::unreadable(entry, &error))?;
        Ok(Self {
            no: entry.seq,
            what: entry.name.clone(),
            at: entry.at,
            by: entry.actor_name.clone(),
            items: events.iter().map(AreaEventView::from).collect(),
        })
    }
}

/// Which changes to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListAreaChanges {
    /// How many at most, 1 to 100.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 20)]
    limit: Option<Limit>,
    /// Where the last page ended.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<i64>>,
}

/// Lists the changes of areas, the latest first.
///
/// 区划变更记录：谁在何时决定、何日生效、涉及哪些区划。
#[utoipa::path(tag = "areas", params(ListAreaChanges), responses((status = 200, body = Page<AreaChangeView>)))]
#[get("/areas/changes")]
async fn list_area_changes(
    app: Data<App>,
    caller: Caller,
    params: Query<ListAreaChanges>,
) -> Reply<Page<AreaChangeView>> {
    let tenant = caller.tenant;
    let limit = params.0.limit.unwrap_or_default();
    let below = params.0.cursor.map_or(i64::MAX, |cursor| cursor.0);
    let most = i64::from(limit.get()) + 1;
    let entries = app
        .store
        .read(move |db| journal::load_before(db, tenant, (FlowKind::Areas, tenant.0), below, most))
        .await?;
    let shown = entries.iter().map(AreaChangeView::new).collect::<Reply<Vec<_>>>()?;
    Ok(Page::from_rows(shown, limit, |view| view.no, |view| view))
}

/// How often a change is decided anew after another writer was faster.
const ATTEMPTS: usize = 4;

/// One request to change areas.
pub(super) struct Changing<'a> {
    pub(super) app: &'a App,
    pub(super) caller: &'a Caller,
    pub(super) name: &'static str,
    pub(super) request: Request,
    /// The area whose state the client named.
    pub(super) known: Option<(AreaId, IfMatch)>,
    pub(super) from: Option<NaiveDate>,
}

/// What a change was decided on: the tenant as it was, and what the area in the path still owes.
pub(super) struct Basis<'a> {
    pub(super) world: &'a TenantSnapshot,
    owes: i64,
}

impl Changing<'_> {
    /// Decides and commits, or rebuilds the answer that was given the first time.
    async fn decide_and_commit(
        self,
        command: impl Fn(&Basis<'_>) -> Reply<Command>,
    ) -> Reply<(i64, AreaChangeView)> {
        let (app, caller, request) = (self.app, self.caller, self.request);
        let (tenant, by, asked) = (caller.tenant, caller.person, request.command);
        let about = self.known.map(|(id, _)| id);
        for _ in 0..ATTEMPTS {
            let load = move |db: &mut Db| {
                let last =
                    journal::load_before(db, tenant, (FlowKind::Areas, tenant.0), i64::MAX, 1)?
                        .pop();
                let owes =
                    about.map(|id| obligation::count_open(db, tenant, id, 1000)).transpose()?;
                // Read last: a command that is not found now had no part in the state either.
                let seen = journal::find_command(db, tenant, by, asked)?;
                Ok((seen, last, owes.unwrap_or(0)))
            };
            let (seen, last, owes) = app.store.read(load).await?;
            if let Some(seen) = seen {
                if seen.request != request {
                    return Err(Problem::new(Code::IdempotencyKeyReused));
                }
                let next = seen.seq + 1;
                let entry = app.store.read(move |db| {
                    journal::load_before(db, tenant, (FlowKind::Areas, seen.flow), next, 1)
                });
                let entry = entry.await?.pop().ok_or_else(|| Problem::new(Code::NotFound))?;
                return Ok((entry.seq, AreaChangeView::new(&entry)?));
            }
            let (seq, before) = last.map_or((0, Hash::default()), |last| (last.seq, last.hash));
            let world = app.world(tenant)?;
            if world.areas_seq() != seq {
                app.worlds.refresh(&app.store).await?;
                continue;
            }
            if let Some((id, if_match)) = self.known {
                let record = world.registry.get(id).ok_or_else(|| Problem::new(Code::NotFound))?;
                if_match.check_seq(record.seq)?;
            }
            let now = app.clock.now();
            let context = world.build_context(caller, now).with_seq(seq + 1);
            let from = self.from.unwrap_or_else(|| local_day(now));
            let command = command(&Basis { world: &world, owes })?;
            let decided = decide(&world.registry, command, from, &context)?;
            let write = build_write(decided, self.name, request, before, &context);
            let Write::Areas { entry, .. } = &write else {
                return Err(Problem::new(Code::Internal));
            };
            let view = AreaChangeView::new(entry)?;
            if app.store.commit(vec![write]).await? == Outcome::Done {
                app.worlds.refresh(&app.store).await?;
                app.actors.forget_tenant(tenant);
                return Ok((seq + 1, view));
            }
        }
        Err(Problem::new(Code::LostRace))
    }
}

/// Runs a change of the area in the path.
async fn change_area(
    step: Step,
    name: &'static str,
    (operation, body): (&str, &impl Serialize),
    from: Option<NaiveDate>,
    command: impl Fn(AreaId, &Basis<'_>) -> Reply<Command>,
) -> Reply<Answer<AreaChangeView>> {
    let Asked { request, if_match, .. } = step.build_asked(operation, body);
    let id = AreaId(step.id);
    let (app, caller, known) = (&step.app, &step.caller, Some((id, if_match)));
    if app.world(caller.tenant)?.registry.get(id).is_none() {
        return Err(Problem::new(Code::NotFound));
    }
    let changing = Changing { app, caller, name, request, known, from };
    let (seq, view) = changing.decide_and_commit(|basis| command(id, basis)).await?;
    Ok(Answer::of_change(seq, view))
}

/// A new area.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAreaBody {
    /// The identity it will have; derived from the command when left out.
    #[serde(default, deserialize_with = "crate::http::body::own_id")]
    id: Option<Uuid>,
    /// Its code, in a scheme of its kind; never given to another afterwards. 代码，按级别校验。
    #[schema(example = "420202001001009")]
    code: String,
    /// The name of the area. 名称。
    #[schema(value_type = String, min_length = 1, max_length = 100, example = "天方百货第九网格")]
    name: Line,
    /// The kind of a grid. 网格类型。
    #[schema(schema_with = view::grid_kind_or_null)]
    grid_kind: Option<GridKind>,
    /// The number of households there. 户数。
    #[schema(maximum = 1_000_000)]
    households: Option<u32>,
    /// Where it is: a GeoJSON Polygon or MultiPolygon in WGS-84. 边界。
    #[schema(value_type = Option<Object>)]
    boundary: Option<Geometry>,
    /// Whether a boundary that crosses itself may be repaired; without it, it is refused. 自动修复自相交。
    #[serde(default)]
    repair: bool,
}

impl NewAreaBody {
    /// The area, with an identity derived from the command's own when none is given.
    fn build_area(
        &self,
        kind: AreaKind,
        (by, key): (PersonId, CommandId),
        purpose: &str,
    ) -> NewArea {
        NewArea {
            id: AreaId(self.id.unwrap_or_else(|| derive_id(by, key, purpose))),
            kind,
            code: self.code.clone(),
            name: self.name.clone(),
            grid: self.grid_kind,
            households: self.households,
            boundary: new_drawing(self.boundary.as_ref(), self.repair),
        }
    }
}

fn new_drawing(geometry: Option<&Geometry>, repair: bool) -> Option<Drawing> {
    geometry.cloned().map(|geometry| Drawing { rings: geometry.into_rings(), repair })
}

/// An area to make.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateAreaBody {
    /// What it is.
    #[schema(schema_with = view::area_kind)]
    kind: AreaKind,
    /// The area it lies directly below. 上级区划。
    parent_id: Uuid,
    /// The area. 区划。
    area: NewAreaBody,
    /// The day of effect; today when left out. 生效日期。
    #[serde(default, deserialize_with = "crate::http::body::time::read_optional_date")]
    effective_on: Option<NaiveDate>,
}

/// Creates an area below another.
///
/// 设立区划、网格或单位：代码按级别校验、终身不重用，可指定生效日期；边界自相交时指出位置。
#[utoipa::path(tag = "areas", request_body = CreateAreaBody, responses((status = 201, body = AreaChangeView)))]
#[post("/areas")]
async fn create_area(
    app: Data<App>,
    caller: Caller,
    request: HttpRequest,
    body: Json<CreateAreaBody>,
) -> Reply<HttpResponse> {
    let key = Key::from_headers(request.headers())?;
    let body = body.0;
    let asked = Request::new(key.0, "create_area", caller.tenant.0, &body);
    let area = body.area.build_area(body.kind, (caller.person, key.0), "area");
    let (id, parent) = (area.id, AreaId(body.parent_id));
    let changing = Changing {
        app: &app,
        caller: &caller,
        name: "create",
        request: asked,
        known: None,
        from: body.effective_on,
    };
    let command = |_: &Basis<'_>| Ok(Command::Create { area: Box::new(area.clone()), parent });
    let (seq, view) = changing.decide_and_commit(command).await?;
    let mut answer = HttpResponse::Created();
    answer.insert_header(("Location", format!("/api/v1/areas/{id}")));
    Ok(view::render_with_etag(&request, answer, &state_tag(seq), &view))
}

/// A new name of an area, and from when on.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenameAreaBody {
    /// The new name. 新名称。
    #[schema(value_type = String, min_length = 1, max_length = 100, example = "天方社区")]
    name: Line,
    /// The day of effect; today when left out. 生效日期。
    #[serde(default, deserialize_with = "crate::http::body::time::read_optional_date")]
    effective_on: Option<NaiveDate>,
}

/// Renames an area.
///
/// 更名：自生效日起用新名称，此前的记录仍是原名。
#[utoipa::path(tag = "areas", request_body = RenameAreaBody, responses((status = 200, body = AreaChangeView)))]
#[post("/rename")]
async fn rename_area(at: Step, body: Json<RenameAreaBody>) -> Reply<Answer<AreaChangeView>> {
    let (body, from) = (&body.0, body.0.effective_on);
    change_area(at, "rename", ("rename_area", body), from, |id, _| {
        Ok(Command::Rename { id, name: body.name.clone() })
    })
    .await
}

/// The kind of a grid, and its households.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DescribeAreaBody {
    /// The kind of a grid; unchanged when left out. 网格类型。
    #[schema(schema_with = view::grid_kind_or_null)]
    grid_kind: Option<GridKind>,
    /// The number of households there; unchanged when left out. 户数。
    #[schema(maximum = 1_000_000)]
    households: Option<u32>,
    /// The day of effect; today when left out. 生效日期。
    #[serde(default, deserialize_with = "crate::http::body::time::read_optional_date")]
    effective_on: Option<NaiveDate>,
}

/// Sets the kind of a grid and its number of households.
///
/// 登记网格类型（综合、专属、微网格）和户数。
#[utoipa::path(tag = "areas", request_body = DescribeAreaBody, responses((status = 200, body = AreaChangeView)))]
#[post("/describe")]
async fn describe_area(
    at: Step,
    body: replacing::Json<DescribeAreaBody>,
) -> Reply<Answer<AreaChangeView>> {
    let (body, from) = (&body.0, body.0.effective_on);
    let (grid, households) = (body.grid_kind, body.households);
    change_area(at, "describe", ("describe_area", body), from, |id, _| {
        Ok(Command::Describe { id, grid, households })
    })
    .await
}

/// A new boundary of an area, and from when on.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RedrawAreaBody {
    /// Where it is: a GeoJSON Polygon or MultiPolygon in WGS-84. 边界。
    #[schema(value_type = Object)]
    boundary: Geometry,
    /// Whether a boundary that crosses itself may be repaired; without it, it is refused. 自动修复自相交。
    #[serde(default)]
    repair: bool,
    /// The day of effect; today when left out. 生效日期。
    #[serde(default, deserialize_with = "crate::http::body::time::read_optional_date")]
    effective_on: Option<NaiveDate>,
}

/// Redraws the boundary of an area.
///
/// 重划边界：新上报按生效的边界定位，原有案卷不动；自相交指出位置，只有要求时才修复。
#[utoipa::path(tag = "areas", request_body = RedrawAreaBody, responses((status = 200, body = AreaChangeView)))]
#[post("/redraw")]
async fn redraw_area(at: Step, body: Json<RedrawAreaBody>) -> Reply<Answer<AreaChangeView>> {
    let (body, from) = (&body.0, body.0.effective_on);
    change_area(at, "redraw", ("redraw_area", body), from, |id, _| {
        let boundary = Drawing { rings: body.boundary.clone().into_rings(), repair: body.repair };
        Ok(Command::Redraw { id, boundary })
    })
    .await
}

/// One of the areas that another is split into.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PartBody {
    /// The area. 新区划。
    area: NewAreaBody,
    /// The areas below that move into it. 划入的下级。
    #[serde(default)]
    #[schema(max_items = 1000)]
    child_ids: Vec<Uuid>,
}

/// What an area is split into.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SplitAreaBody {
    /// Two or more.
    #[schema(min_items = 2, max_items = 20)]
    parts: Vec<PartBody>,
    /// The day of effect; today when left out. 生效日期。
    #[serde(default, deserialize_with = "crate::http::body::time::read_optional_date")]
    effective_on: Option<NaiveDate>,
}

/// Splits an area into several; it is retired.
///
/// 拆分：原区划撤销，新区划承接其未了事项；原有案卷不动，下级逐个指定去向。
#[utoipa::path(tag = "areas", request_body = SplitAreaBody, responses((status = 200, body = AreaChangeView)))]
#[post("/split")]
async fn split_area(at: Step, body: Json<SplitAreaBody>) -> Reply<Answer<AreaChangeView>> {
    let (body, from) = (&body.0, body.0.effective_on);
    check_count("/parts", body.parts.len(), 2)?;
    let children: usize = body.parts.iter().map(|part| part.child_ids.len()).sum();
    if children > 1000 {
        return Err(too_many("/parts", 0, 1000));
    }
    let key = (at.caller.person, at.key());
    change_area(at, "split", ("split_area", body), from, |id, basis| {
        // The parts are of the kind of the whole.
        let kind = basis.world.registry.get(id).map_or(AreaKind::Grid, |record| record.kind);
        let part = |(number, part): (usize, &PartBody)| {
            let area = part.area.build_area(kind, key, &format!("part {number}"));
            (area, part.child_ids.iter().copied().map(AreaId).collect())
        };
        Ok(Command::Split { id, parts: body.parts.iter().enumerate().map(part).collect() })
    })
    .await
}

fn check_count(at: &'static str, count: usize, least: usize) -> Reply<()> {
    if (least..=MOST_PARTS).contains(&count) {
        Ok(())
    } else {
        Err(too_many(at, least, MOST_PARTS))
    }
}

fn too_many(at: &'static str, least: usize, most: usize) -> Problem {
    let zh = format!("应有 {least} 到 {most} 项。");
    let en = format!("Expected {least} to {most} items.");
    Problem::new(Code::InvalidBody).error(at, "wrong_count", zh, en)
}

/// Which areas become one.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MergeAreasBody {
    /// The others, of the same kind.
    #[schema(min_items = 1, max_items = 19)]
    with: Vec<Uuid>,
    /// The area they become; when left out, the area in the path stays and takes in the others.
    /// 合并后的新区划，不填则并入本区划。
    new: Option<NewAreaBody>,
    /// Its boundary afterwards; the union of theirs when left out. 合并后的边界。
    #[schema(value_type = Option<Object>)]
    boundary: Option<Geometry>,
    /// The day of effect; today when left out. 生效日期。
    #[serde(default, deserialize_with = "crate::http::body::time::read_optional_date")]
    effective_on: Option<NaiveDate>,
}

/// Merges several areas into one.
///
/// 合并：被并区划撤销，其下级和未了事项由合并后的区划承接，原有案卷不动；不填边界则取各边界之并。
#[utoipa::path(tag = "areas", request_body = MergeAreasBody, responses((status = 200, body = AreaChangeView)))]
#[post("/merge")]
async fn merge_areas(at: Step, body: Json<MergeAreasBody>) -> Reply<Answer<AreaChangeView>> {
    let (body, from) = (&body.0, body.0.effective_on);
    check_count("/with", body.with.len() + 1, 2)?;
    let key = (at.caller.person, at.key());
    change_area(at, "merge", ("merge_areas", body), from, |id, basis| {
        let ids: Vec<AreaId> =
            std::iter::once(id).chain(body.with.iter().copied().map(AreaId)).collect();
        let distinct: std::collections::HashSet<&AreaId> = ids.iter().collect();
        if distinct.len() < ids.len() {
            let (zh, en) = (
                "同一区划出现了两次；每个只列一次。",
                "The same area is named twice; name each one once.",
            );
            return Err(Problem::new(Code::InvalidBody).error("/with", "duplicate", zh, en));
        }
        let boundary = new_drawing(body.boundary.as_ref(), false)
            .or_else(|| unite_boundaries(&ids, basis.world));
        let into = match &body.new {
            None => Into::First { boundary },
            Some(new) => {
                let area = new.build_area(AreaKind::Grid, key, "area");
                let boundary = area.boundary.clone().or(boundary);
                Into::New(Box::new(NewArea { boundary, ..area }))
            }
        };
        Ok(Command::Merge { ids, into })
    })
    .await
}

/// The union of the boundaries of areas; none unless each of them has one.
fn unite_boundaries(ids: &[AreaId], world: &TenantSnapshot) -> Option<Drawing> {
    let all: Option<Vec<_>> = ids.iter().map(|id| world.boundaries.get(id)).collect();
    let rings = to_rings(&boundary::unite_all(&all?));
    Some(Drawing { rings, repair: false })
}

/// The successors of a retired area.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetireAreaBody {
    /// The areas that take over what is owed; at least one while anything is. 承接区划。
    #[serde(default)]
    #[schema(max_items = 20)]
    successor_ids: Vec<Uuid>,
    /// The day of effect; today when left out. 生效日期。
    #[serde(default, deserialize_with = "crate::http::body::time::read_optional_date")]
    effective_on: Option<NaiveDate>,
}

/// Retires an area.
///
/// 撤销：还有下级时不能撤销，还有未了事项时须指定承接区划；撤销后仍可查阅。
#[utoipa::path(tag = "areas", request_body = RetireAreaBody, responses((status = 200, body = AreaChangeView)))]
#[post("/retire")]
async fn retire_area(at: Step, body: Json<RetireAreaBody>) -> Reply<Answer<AreaChangeView>> {
    let (body, from) = (&body.0, body.0.effective_on);
    check_count("/successor_ids", body.successor_ids.len(), 0)?;
    change_area(at, "retire", ("retire_area", body), from, |id, basis| {
        let successors = body.successor_ids.iter().copied().map(AreaId).collect();
        Ok(Command::Retire { id, successors, owes: basis.owes })
    })
    .await
}

/// The area it is moved below.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TransferAreaBody {
    /// The area above. 新的上级。
    parent_id: Uuid,
    /// The day of effect; today when left out. 生效日期。
    #[serde(default, deserialize_with = "crate::http::body::time::read_optional_date")]
    effective_on: Option<NaiveDate>,
}

/// Transfers an area, with everything in it, below another.
///
/// 划转：连同下级一起改属新的上级；原有案卷不动，新旧上级都能继续办理。
#[utoipa::path(tag = "areas", request_body = TransferAreaBody, responses((status = 200, body = AreaChangeView)))]
#[post("/transfer")]
async fn transfer_area(at: Step, body: Json<TransferAreaBody>) -> Reply<Answer<AreaChangeView>> {
    let (body, from) = (&body.0, body.0.effective_on);
    let parent = AreaId(body.parent_id);
    change_area(at, "transfer", ("transfer_area", body), from, |id, _| {
        Ok(Command::Transfer { id, parent })
    })
    .await
}

/// Refuses a caller who may not change any area, before anything large is read.
pub(super) fn require_somewhere(app: &App, caller: &Caller) -> Reply<()> {
    if caller.may_somewhere(Permission::ManageAreas, app.clock.now()) {
        return Ok(());
    }
    let world = app.world(caller.tenant)?;
    let area = world.areas.root().map(|area| area.name.clone()).unwrap_or_default();
    let permission = Permission::ManageAreas;
    Err(domain::rules::refusal::Refusal::NotPermitted { permission, area }.into())
}
