//! Faults of areas: grids that overlap, leave ground uncovered, are too large or have no worker;
//! no worker, work that nobody does any more; and the notice of a grid, as residents read it.

use std::{collections::HashSet, sync::Arc};

use actix_web::{HttpResponse, get, web, web::Data};
use domain::{
    area::{
        boundary::{Piece, count_corners, find_gaps, find_overlaps},
        locate::MultiPolygon,
        tree::{AreaKind, GridKind, code::begins_with, history::Record},
    },
    core::id::{AreaId, TenantId},
    flows::person::Person,
    people::{
        actor::{Grant, Role},
        personal::{Field, SubjectKind},
    },
    rules::refusal::Refusal,
};
use persistence::{Db, StoreError, people::appointment};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    app::{caller::Caller, state::App, world::TenantSnapshot},
    http::{
        params::{IdPath, Query},
        problem::{Code, Problem, Reply},
        register::ServiceConfig,
        view::{PointView, UnitView},
    },
};

/// Registers the operations below one area.
pub fn under_area(config: &mut ServiceConfig<'_>) {
    config.service(list_area_findings).service(get_grid_notice);
}

/// What to look for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListAreaFindings {
    /// Overlaps and gaps smaller than this, in square metres, are not listed; 50 when left out.
    /// 忽略小于此面积（平方米）的重叠和空隙。
    #[param(minimum = 1, maximum = 1_000_000, example = 50)]
    min_m2: Option<u32>,
}

/// The faults of the areas below an area.
#[derive(Serialize, ToSchema)]
pub struct FindingsView {
    /// The area that was checked.
    area: UnitView,
    /// How many areas directly below it were checked.
    looked_at: usize,
    /// The faults, at most 500.
    items: Vec<FindingView>,
    /// Whether all of it is shown, and all boundaries were compared. 是否完整。
    complete: bool,
}

/// A fault of an area.
#[derive(Serialize, Default, ToSchema)]
pub struct FindingView {
    /// The fault, as a code. 问题代码。
    #[schema(example = "gap")]
    code: &'static str,
    /// The fault in Chinese. 问题名称。
    label: &'static str,
    /// The area; none for ground that belongs to none.
    area_id: Option<Uuid>,
    /// The name of that area, where there is one. 名称。
    area_name: Option<String>,
    /// The other one, of two that overlap.
    other_id: Option<Uuid>,
    /// The name of the other area. 另一区划名称。
    other_name: Option<String>,
    /// The size of the overlap or gap, in square metres. 面积（平方米）。
    square_metres: Option<f64>,
    /// A point inside it. 位置。
    at: Option<PointView>,
    /// The number of households there. 户数。
    households: Option<u32>,
}

/// The most findings of one answer.
const MOST: usize = 500;
/// The most corners of boundaries that are compared.
const MOST_CORNERS: usize = 400_000;

/// Lists the faults of the areas directly below an area.
///
/// 核查：网格重叠、空隙（接边死角）、没有边界、户数不合规定、没有网格员、代码与隶属不符、任职到期而未办事项无人接手，附面积和位置。
#[utoipa::path(tag = "areas", params(ListAreaFindings), responses((status = 200, body = FindingsView)))]
#[get("/findings")]
async fn list_area_findings(
    app: Data<App>,
    caller: Caller,
    id: IdPath<Uuid>,
    params: Query<ListAreaFindings>,
) -> Reply<HttpResponse> {
    let world = app.world(caller.tenant)?;
    let area = world.areas.get(AreaId(id.0)).ok_or_else(|| Problem::new(Code::NotFound))?;
    let least = params.0.min_m2.unwrap_or(50);
    if !(1..=1_000_000).contains(&least) {
        let (zh, en) = ("应在 1 到 1000000 之间。", "Expected 1 to 1000000.");
        return Err(Problem::new(Code::InvalidQuery).parameter("min_m2", "out_of_range", zh, en));
    }
    let (unit, day) = (area.unit(), world.today);
    let posts = load_posts(&app, caller.tenant).await?;
    let undone = load_undone(&app, Arc::clone(&world), unit.id).await?;
    let looked =
        web::block(move || collect_findings(&world, unit.id, day, f64::from(least), &posts));
    let (looked_at, mut items, compared) =
        looked.await.map_err(|error| Problem::new(Code::Internal).because(error))?;
    items.splice(0..0, undone);
    let complete = compared && items.len() <= MOST;
    items.truncate(MOST);
    let area = UnitView::from(&unit);
    Ok(HttpResponse::Ok().json(FindingsView { area, looked_at, items, complete }))
}

/// The findings about the areas below one: how many there are, what was found, and whether their
/// boundaries were compared.
fn collect_findings(
    world: &TenantSnapshot,
    id: AreaId,
    day: chrono::NaiveDate,
    least: f64,
    posts: &Posts,
) -> (usize, Vec<FindingView>, bool) {
    let mut below: Vec<&Record> = world
        .registry
        .children_on(id, day)
        .filter(|record| record.kind != AreaKind::Department)
        .collect();
    below.sort_by(|one, other| one.code.cmp(&other.code));
    let mut items = Vec::new();
    for record in &below {
        inspect_record(world, record, day, posts, &mut items);
    }
    let shapes: Vec<(AreaId, &MultiPolygon)> = below
        .iter()
        .filter_map(|record| Some((record.id, world.boundaries.get(&record.id)?)))
        .collect();
    let whole = world.boundaries.get(&id);
    let sum: usize = shapes.iter().map(|(_, shape)| count_corners(shape)).sum();
    let compared = sum + whole.map_or(0, count_corners) <= MOST_CORNERS;
    if compared {
        let micro = |id: AreaId| grid_kind(world, id, day) == Some(GridKind::Micro);
        // A micro grid lies in another grid.
        let may = |one, other| micro(one) != micro(other);
        for (one, other, piece) in find_overlaps(&shapes, least, may) {
            let (id, name) = id_and_name(world, one);
            let (other_id, other_name) = id_and_name(world, other);
            items.push(FindingView {
                area_id: id,
                area_name: name,
                other_id,
                other_name,
                ..ground_finding("overlap", "网格重叠", &piece)
            });
        }
        let parts: Vec<&MultiPolygon> = shapes.iter().map(|(_, shape)| *shape).collect();
        let gaps = find_gaps(whole, &parts, least, MOST);
        items.extend(gaps.iter().map(|piece| ground_finding("gap", "接边死角（无人负责）", piece)));
    }
    (below.len(), items, compared)
}

fn grid_kind(world: &TenantSnapshot, id: AreaId, day: chrono::NaiveDate) -> Option<GridKind> {
    world.registry.get(id)?.version_on(day)?.grid
}

fn id_and_name(world: &TenantSnapshot, id: AreaId) -> (Option<Uuid>, Option<String>) {
    (Some(id.0), world.areas.get(id).map(|area| area.name.clone()))
}

fn ground_finding(code: &'static str, label: &'static str, piece: &Piece) -> FindingView {
    FindingView {
        code,
        label,
        square_metres: Some((piece.square_metres * 10.0).round() / 10.0),
        at: Some(PointView::from(piece.at)),
        ..FindingView::default()
    }
}

/// The findings about one area that need no comparison with others.
fn inspect_record(
    world: &TenantSnapshot,
    record: &Record,
    day: chrono::NaiveDate,
    posts: &Posts,
    items: &mut Vec<FindingView>,
) {
    let Some(version) = record.version_on(day) else { return };
    let finding = |code, label| FindingView {
        code,
        label,
        area_id: Some(record.id.0),
        area_name: Some(version.name.clone()),
        households: version.households,
        ..FindingView::default()
    };
    if !world.boundaries.contains_key(&record.id) {
        items.push(finding("no_boundary", "没有边界"));
    }
    let above = version.parent.and_then(|parent| world.registry.get(parent));
    if above.is_some_and(|above| !begins_with(record.scheme, &record.code, &above.code)) {
        items.push(finding("code_elsewhere", "代码与隶属不符"));
    }
    if record.kind != AreaKind::Grid {
        return;
    }
    let rule = world.rules.conduct.households;
    // Markets and micro grids are of any size.
    if matches!(version.grid, None | Some(GridKind::Comprehensive)) {
        match version.households {
            None => items.push(finding("households_unknown", "户数未登记")),
            Some(count) if count < rule.least => {
                items.push(finding("households_few", "户数少于规定"));
            }
            Some(count) if count > rule.most => {
                items.push(finding("households_many", "户数多于规定"));
            }
            Some(_) => {}
        }
    }
    if !posts.contains(&(record.id, Role::GridWorker)) {
        items.push(finding("no_worker", "没有网格员"));
    }
}

/// The areas that have a person in a role, by a grant over the area itself that holds now.
type Posts = HashSet<(AreaId, Role)>;

async fn load_posts(app: &App, tenant: TenantId) -> Result<Posts, StoreError> {
    let now = app.clock.now();
    let roles = [Role::GridLeader, Role::GridWorker];
    let held =
        app.store.read(move |db| appointment::load_held_roles(db, tenant, &roles, now)).await?;
    Ok(held.into_iter().collect())
}

/// What is owed by an area, or by those directly below it, and done by nobody since the right of
/// whoever did it came to its end.
async fn load_undone(
    app: &App,
    world: Arc<TenantSnapshot>,
    id: AreaId,
) -> Result<Vec<FindingView>, StoreError> {
    let (tenant, now) = (world.tenant.id, app.clock.now());
    let mut over = vec![id];
    over.extend(world.areas.children(id).map(|area| area.id));
    let load = move |db: &mut Db| {
        let (ended, staffing) =
            appointment::load_ended_grants(db, tenant, &over, &world.areas, now)?;
        let undone = over.iter().filter(|area| {
            let theirs = ended.iter().filter(|grant| grant.over.id == **area);
            let theirs: Vec<&Grant> = theirs.collect();
            !staffing.find_abandoned_units(&theirs, &[], &world.areas).is_empty()
        });
        let finding = |area: &AreaId| {
            let (area_id, area_name) = id_and_name(&world, *area);
            let (code, label) = ("work_left", "任职到期，未办事项无人接手");
            FindingView { code, label, area_id, area_name, ..FindingView::default() }
        };
        Ok(undone.map(finding).collect())
    };
    app.store.read(load).await
}

/// The notice of a grid, as it is posted in the stairwell.
#[derive(Serialize, ToSchema)]
pub struct GridNoticeView {
    /// The grid whose notice it is. 网格。
    grid: UnitView,
    /// The code of the grid. 网格代码。
    code: String,
    /// The kind of the grid. 网格类型。
    grid_kind: Option<&'static str>,
    /// The kind in Chinese. 网格类型名称。
    grid_kind_label: Option<&'static str>,
    /// The community the grid belongs to. 所属社区。
    community: Option<UnitView>,
    /// The number of households there. 户数。
    households: Option<u32>,
    /// Its leader and workers. 网格长和网格员。
    workers: Vec<NoticePersonView>,
    /// The telephone number for supervision of the work. 监督电话。
    supervision_phone: Option<String>,
}

/// A person named in a notice.
#[derive(Serialize, ToSchema)]
pub struct NoticePersonView {
    /// The name of the worker. 姓名。
    name: String,
    /// The role over the grid, in Chinese. 角色名称。
    role_label: &'static str,
    /// The number for residents; absent where none is published. 公开电话。
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
}

/// Shows the public notice of a grid.
///
/// 网格公示牌：网格名称、类型、所属社区、户数、网格员和监督电话（监督电话在办理规则中设置）。
#[utoipa::path(tag = "areas", responses((status = 200, body = GridNoticeView)))]
#[get("/notice")]
async fn get_grid_notice(app: Data<App>, caller: Caller, id: IdPath<Uuid>) -> Reply<HttpResponse> {
    let world = app.world(caller.tenant)?;
    let id = AreaId(id.0);
    let area = world.areas.get(id).ok_or_else(|| Problem::new(Code::NotFound))?;
    if area.kind != AreaKind::Grid {
        return Err(Refusal::NotAGrid { area: area.name.clone() }.into());
    }
    let version = world.registry.get(id).and_then(|record| record.version_on(world.today));
    let (tenant, now) = (caller.tenant, app.clock.now());
    let named = app.store.read(move |db| appointment::load_grantees(db, tenant, id, 50)).await?;
    let people = named.iter().map(|person| person.id.0).collect();
    let kept = app
        .vault
        .load_values(&app.store, tenant, (SubjectKind::Person, people), &[Field::OfficePhone])
        .await?;
    let phone = |person: &Person| kept.get(&person.id.0)?.get(&Field::OfficePhone).cloned();
    let holds = |grant: &Grant, role| grant.is_for(role, id) && grant.holds_at(now);
    let phone = &phone;
    let of = |role: Role| {
        let held = named.iter().filter(move |person| person.grants.iter().any(|g| holds(g, role)));
        held.map(move |person| NoticePersonView {
            name: person.name.as_str().to_owned(),
            role_label: role.label(),
            phone: phone(person),
        })
    };
    let workers = of(Role::GridLeader).chain(of(Role::GridWorker)).collect();
    let kind = version.and_then(|version| version.grid);
    Ok(HttpResponse::Ok().json(GridNoticeView {
        grid: UnitView::from(&area.unit()),
        code: area.code.clone(),
        grid_kind: kind.map(GridKind::name),
        grid_kind_label: kind.map(GridKind::label),
        community: world
            .areas
            .nearest_of_kind(id, AreaKind::Community)
            .map(|area| UnitView::from(&area.unit())),
        households: version.and_then(|version| version.households),
        workers,
        supervision_phone: world
            .rules
            .conduct
            .supervision_phone
            .as_ref()
            .map(|phone| phone.as_str().to_owned()),
    }))
}
