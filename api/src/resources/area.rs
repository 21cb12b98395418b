//! Areas over HTTP: the tree as it is or was on a day, and which grid a point lies in. Also the
//! catalogue. Changes of areas are in [`change`] and [`import`], maps in [`map`], faults of areas
//! in [`finding`].

pub mod change;
pub mod comparison;
pub mod finding;
pub mod import;
pub mod map;

use actix_web::{HttpRequest, HttpResponse, get, web::Data};
use chrono::NaiveDate;
use domain::{
    area::tree::{
        AreaKind,
        history::{Record, Version},
    },
    core::id::AreaId,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    app::{caller::Caller, state::App, world::TenantSnapshot},
    http::{
        page::{Cursor, Limit, Page},
        params::{IdPath, Query},
        problem::{Code, Problem, Reply},
        register::ServiceConfig,
        view::{self, CoordTypeBody, PointBody, UnitView, render_with_etag, state_tag},
    },
};

/// Registers the operations of this file; the literal path before the one with a parameter.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(locate_area).configure(map::routes).configure(import::routes);
    config.configure(change::routes).service(list_areas).service(list_categories);
}

/// Registers the operations below one area.
pub fn under_area(config: &mut ServiceConfig<'_>) {
    config.service(get_area).service(get_area_history);
    config.configure(change::under_area).configure(finding::under_area);
}

/// An area or unit as it is on a day.
#[derive(Serialize, ToSchema)]
pub struct AreaView {
    /// The identity of the area. 区划标识。
    id: Uuid,
    /// What it is.
    #[schema(schema_with = view::area_kind)]
    kind: &'static str,
    /// The kind in Chinese. 类型名称。
    kind_label: &'static str,
    /// The code of the area, unique in the tenant. 区划代码。
    code: String,
    /// The name of the area on that day. 名称。
    name: String,
    /// The area above.
    parent_id: Option<Uuid>,
    /// The scheme of its code. 代码规则。
    #[schema(schema_with = view::area_scheme)]
    scheme: &'static str,
    /// The kind of a grid. 网格类型。
    #[schema(schema_with = view::grid_kind_or_null)]
    grid_kind: Option<&'static str>,
    /// The number of households there. 户数。
    households: Option<u32>,
    /// Since when this version is in effect. 自何日起如此。
    valid_from: NaiveDate,
    /// The day from which it is retired. 撤销日期。
    valid_until: Option<NaiveDate>,
    /// The areas that succeeded it. 承接区划。
    successor_ids: Vec<Uuid>,
}

impl AreaView {
    /// An area as it is on a day; none before its first.
    fn on_day(record: &Record, day: NaiveDate) -> Option<Self> {
        let version = record.version_on(day)?;
        Some(Self {
            id: record.id.0,
            kind: record.kind.name(),
            kind_label: record.kind.label(),
            code: record.code.clone(),
            name: version.name.clone(),
            parent_id: version.parent.map(|parent| parent.0),
            scheme: record.scheme.name(),
            grid_kind: version.grid.map(domain::area::tree::GridKind::name),
            households: version.households,
            valid_from: version.from,
            valid_until: record.until,
            successor_ids: record.successors.iter().map(|id| id.0).collect(),
        })
    }
}

/// An area with those above it.
#[derive(Serialize, ToSchema)]
pub struct AreaDetail {
    /// The area itself, as in lists.
    #[serde(flatten)]
    area: AreaView,
    /// The areas above, from the root downwards.
    above: Vec<UnitView>,
}

fn build_detail(record: &Record, world: &TenantSnapshot, day: NaiveDate) -> Option<AreaDetail> {
    let mut above = Vec::new();
    let mut parent = record.version_on(day)?.parent;
    // The tree has only a few levels, and micro grids below.
    while let Some(area) = parent.and_then(|id| world.registry.get(id)?.area_on(day)) {
        parent = area.parent;
        above.push(UnitView::from(&area.unit()));
    }
    above.reverse();
    Some(AreaDetail { area: AreaView::on_day(record, day)?, above })
}

/// Which areas to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListAreas {
    /// How many at most, 1 to 100.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 20)]
    limit: Option<Limit>,
    /// Where the last page ended.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<String>>,
    /// Those directly below this area; the root's when left out.
    parent: Option<Uuid>,
    /// Only of this kind.
    #[param(schema_with = view::area_kind)]
    kind: Option<AreaKind>,
    /// The one with this code, wherever it is.
    code: Option<String>,
    /// As of this day; today when left out. 截至某日。
    #[param(example = "2026-03-01")]
    #[serde(default, deserialize_with = "crate::http::body::time::read_optional_date")]
    at: Option<NaiveDate>,
}

/// Lists the areas below an area, or finds one by code.
///
/// 区划与单位：按上级逐级展开，或按代码查找（撤销的也能查到）；`at` 查看某日的区划。
#[utoipa::path(tag = "areas", params(ListAreas), responses((status = 200, body = Page<AreaView>)))]
#[get("/areas")]
async fn list_areas(
    app: Data<App>,
    caller: Caller,
    params: Query<ListAreas>,
) -> Reply<Page<AreaView>> {
    let params = params.0;
    let limit = params.limit.unwrap_or_default();
    let after = params.cursor.map(|cursor| cursor.0);
    let world = app.world(caller.tenant)?;
    let day = params.at.unwrap_or(world.today);
    let registry = &world.registry;
    let mut below: Vec<&Record> = match (&params.code, params.parent.map(AreaId)) {
        (Some(code), _) => registry.find_by_code(code).into_iter().collect(),
        (None, Some(id)) => {
            let unknown = domain::rules::refusal::Refusal::UnknownArea { id };
            let parent = registry.get(id).ok_or(unknown)?;
            registry.children_on(parent.id, day).collect()
        }
        (None, None) => {
            world.areas.root().and_then(|root| registry.get(root.id)).into_iter().collect()
        }
    };
    below.sort_by(|one, other| one.code.cmp(&other.code));
    let found: Vec<&Record> = below
        .into_iter()
        .filter(|area| area.version_on(day).is_some())
        .filter(|area| params.kind.is_none_or(|kind| kind == area.kind))
        .filter(|area| after.as_ref().is_none_or(|after| area.code > *after))
        .take(usize::from(limit.get()) + 1)
        .collect();
    let page =
        Page::from_rows(found, limit, |area| area.code.clone(), |area| AreaView::on_day(area, day));
    Ok(Page { items: page.items.into_iter().flatten().collect(), next: page.next })
}

/// The day the answer is as of.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AsOf {
    /// As of this day; today when left out. 截至某日。
    #[param(example = "2026-03-01")]
    #[serde(default, deserialize_with = "crate::http::body::time::read_optional_date")]
    at: Option<NaiveDate>,
}

/// Shows an area and those above it.
///
/// 区划详情及其上级；`at` 查看某日的名称和隶属，撤销的区划仍可查看并指明承接区划。
#[utoipa::path(tag = "areas", params(AsOf), responses((status = 200, body = AreaDetail)))]
#[get("")]
async fn get_area(
    app: Data<App>,
    caller: Caller,
    request: HttpRequest,
    id: IdPath<Uuid>,
    params: Query<AsOf>,
) -> Reply<HttpResponse> {
    let world = app.world(caller.tenant)?;
    let record = world.registry.get(AreaId(id.0)).ok_or_else(|| Problem::new(Code::NotFound))?;
    let day = params.0.at.unwrap_or(world.today);
    let shown = build_detail(record, &world, day).ok_or_else(|| Problem::new(Code::NotFound))?;
    let Some(day) = params.0.at else {
        return Ok(render_with_etag(&request, HttpResponse::Ok(), &state_tag(record.seq), &shown));
    };
    let name = format!("\"{}-{day}\"", record.seq);
    Ok(render_with_etag(&request, HttpResponse::Ok(), &name, &shown))
}

/// An area through time.
#[derive(Serialize, ToSchema)]
pub struct AreaHistoryView {
    /// The identity of the area. 区划标识。
    id: Uuid,
    /// The code of the area; it never changes. 区划代码。
    code: String,
    /// Its versions, the oldest first.
    items: Vec<AreaVersionView>,
    /// The day from which it is retired. 撤销日期。
    valid_until: Option<NaiveDate>,
    /// The areas it was made of. 前身。
    predecessors: Vec<UnitView>,
    /// The areas that succeeded it. 承接。
    successors: Vec<UnitView>,
}

/// A version of an area, from a day on.
#[derive(Serialize, ToSchema)]
pub struct AreaVersionView {
    /// The day of effect.
    from: NaiveDate,
    /// The name of the area from that day on.
    name: String,
    /// The area above.
    parent_id: Option<Uuid>,
    /// The kind of a grid.
    #[schema(schema_with = view::grid_kind_or_null)]
    grid_kind: Option<&'static str>,
    /// The number of households there.
    households: Option<u32>,
    /// The SHA-256 of its boundary.
    boundary: Option<String>,
}

impl From<&Version> for AreaVersionView {
    fn from(version: &Version) -> Self {
        Self {
            from: version.from,
            name: version.name.clone(),
            parent_id: version.parent.map(|parent| parent.0),
            grid_kind: version.grid.map(domain::area::tree::GridKind::name),
            households: version.households,
            boundary: version.boundary.as_ref().map(|outline| outline.digest.clone()),
        }
    }
}

/// Shows an area through time.
///
/// 区划沿革：历次名称、隶属、边界、户数及其生效日期，前身与承接区划。
#[utoipa::path(tag = "areas", responses((status = 200, body = AreaHistoryView)))]
#[get("/history")]
async fn get_area_history(app: Data<App>, caller: Caller, id: IdPath<Uuid>) -> Reply<HttpResponse> {
    let world = app.world(caller.tenant)?;
    let record = world.registry.get(AreaId(id.0)).ok_or_else(|| Problem::new(Code::NotFound))?;
    let unit = |id: &AreaId| {
        let record = world.registry.get(*id)?;
        Some(UnitView::from(&record.area_on(record.newest_version()?.from)?.unit()))
    };
    Ok(HttpResponse::Ok().json(AreaHistoryView {
        id: record.id.0,
        code: record.code.clone(),
        items: record.versions.iter().map(AreaVersionView::from).collect(),
        valid_until: record.until,
        predecessors: record.predecessors.iter().filter_map(unit).collect(),
        successors: record.successors.iter().filter_map(unit).collect(),
    }))
}

/// Which point to locate.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LocateArea {
    /// Degrees east. 经度。
    #[param(minimum = -180.0, maximum = 180.0, example = 115.0701)]
    lng: f64,
    /// Degrees north. 纬度。
    #[param(minimum = -90.0, maximum = 90.0, example = 30.2105)]
    lat: f64,
    /// The coordinate system; WGS-84 when left out. 坐标系。
    #[param(inline)]
    coord_type: Option<CoordTypeBody>,
}

/// Finds the grid, or the smallest area, a point lies in.
///
/// 坐标定位：返回所在网格；嵌套或在界线上时取面积最小的网格，辖区外返回 422。
#[utoipa::path(tag = "areas", params(LocateArea), responses((status = 200, body = AreaDetail)))]
#[get("/areas/locate")]
async fn locate_area(
    app: Data<App>,
    caller: Caller,
    params: Query<LocateArea>,
) -> Reply<HttpResponse> {
    let LocateArea { lng, lat, coord_type } = params.0;
    let coord_type = coord_type.unwrap_or(CoordTypeBody::Wgs84);
    let point = map::normalise_point(PointBody { lng, lat, coord_type })?;
    let world = app.world(caller.tenant)?;
    let area = world.locate(point).ok_or(domain::rules::refusal::Refusal::OutsideTenant)?;
    let record = world.registry.get(area.id);
    let shown = record.and_then(|record| build_detail(record, &world, world.today));
    Ok(HttpResponse::Ok().json(shown.ok_or_else(|| Problem::new(Code::NotFound))?))
}

/// A class or sub-class of matters.
#[derive(Serialize, ToSchema)]
pub struct CategoryView {
    /// The code of the class, as matters name it.
    code: String,
    /// The name of the class, in Chinese.
    name: String,
    /// The class it belongs to; none for a class.
    parent: Option<String>,
    /// The kind of matter, such as `component`, `event` or `demand`.
    kind: String,
}

/// The catalogue of the kinds of matters.
#[derive(Serialize, ToSchema)]
pub struct CatalogueView {
    /// In the order of their codes.
    items: Vec<CategoryView>,
}

/// Lists the kinds of matters.
///
/// 问题分类目录：大类与小类。
#[utoipa::path(tag = "areas", responses((status = 200, body = CatalogueView)))]
#[get("/categories")]
async fn list_categories(app: Data<App>, caller: Caller) -> Reply<HttpResponse> {
    let world = app.world(caller.tenant)?;
    let view = |category: &domain::rules::catalogue::Category| CategoryView {
        code: category.code.clone(),
        name: category.name.clone(),
        parent: category.parent.clone(),
        kind: category.kind.clone(),
    };
    let items = world.catalogue.categories.iter().map(view).collect();
    Ok(HttpResponse::Ok().json(CatalogueView { items }))
}
