//! Areas over HTTP: the tree, and which grid a point lies in. Also the catalogue.

use actix_web::{HttpResponse, get, web::Data};
use domain::{
    area::{Area, AreaKind},
    coordinate::RawPoint,
    id::AreaId,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use crate::{
    auth::Caller,
    page::{Cursor, Limit, Page},
    params::{IdPath, Query},
    problem::{Code, Problem, Reply},
    report::known,
    state::App,
    view::{self, CoordTypeBody, PointBody, UnitView},
    world::World,
};

/// Registers the operations of this file; the literal path before the one with a parameter.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(locate_area).service(list_areas).service(get_area).service(list_categories);
}

/// An area.
#[derive(Serialize, ToSchema)]
pub struct AreaView {
    /// Its identity.
    id: Uuid,
    /// What it is.
    #[schema(schema_with = view::area_kind)]
    kind: &'static str,
    /// In Chinese.
    kind_label: &'static str,
    /// Its code.
    code: String,
    /// Its name.
    name: String,
    /// The area above.
    parent_id: Option<Uuid>,
}

impl From<&Area> for AreaView {
    fn from(area: &Area) -> Self {
        Self {
            id: area.id.0,
            kind: area.kind.name(),
            kind_label: area.kind.label(),
            code: area.code.clone(),
            name: area.name.clone(),
            parent_id: area.parent.map(|parent| parent.0),
        }
    }
}

/// An area with the way to it.
#[derive(Serialize, ToSchema)]
pub struct AreaDetail {
    /// The area.
    #[serde(flatten)]
    area: AreaView,
    /// The areas above, from the root downwards.
    above: Vec<UnitView>,
}

fn detail(area: &Area, world: &World) -> AreaDetail {
    let mut above = Vec::new();
    let mut parent = world.areas.parent(area.id);
    while let Some(area) = parent {
        above.push(UnitView::from(&area.unit()));
        parent = world.areas.parent(area.id);
    }
    above.reverse();
    AreaDetail { area: AreaView::from(area), above }
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
}

/// Lists the areas below an area, or finds one by code.
///
/// 区划与单位：按上级逐级展开，或按代码查找。
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
    let below: Vec<&Area> = match (&params.code, params.parent) {
        (Some(code), _) => world.areas.by_code(code).into_iter().collect(),
        (None, Some(parent)) => world.areas.children(known(&world, parent)?.id).collect(),
        (None, None) => world.areas.root().into_iter().collect(),
    };
    let found: Vec<&Area> = below
        .into_iter()
        .filter(|area| params.kind.is_none_or(|kind| kind == area.kind))
        .filter(|area| after.as_ref().is_none_or(|after| area.code > *after))
        .take(usize::from(limit.get()) + 1)
        .collect();
    Ok(Page::cut(found, limit, |area| area.code.clone(), AreaView::from))
}

/// Shows an area and the way to it.
///
/// 区划详情及其上级。
#[utoipa::path(tag = "areas", responses((status = 200, body = AreaDetail)))]
#[get("/areas/{id}")]
async fn get_area(app: Data<App>, caller: Caller, id: IdPath<Uuid>) -> Reply<HttpResponse> {
    let world = app.world(caller.tenant)?;
    let area = world.areas.get(AreaId(id.0)).ok_or_else(|| Problem::new(Code::NotFound))?;
    Ok(HttpResponse::Ok().json(detail(area, &world)))
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
    /// In which system; WGS-84 when left out. 坐标系。
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
    let point =
        RawPoint::from(PointBody { lng, lat, coord_type }).normalise().map_err(|error| {
            let zh = format!("取值范围 ±{}", error.axis().limit());
            let problem = Problem::new(Code::InvalidQuery);
            problem.parameter(error.axis().field(), "out_of_range", zh, error.to_string())
        })?;
    let world = app.world(caller.tenant)?;
    let area = world.locate(point).ok_or(domain::refusal::Refusal::OutsideTenant)?;
    Ok(HttpResponse::Ok().json(detail(area, &world)))
}

/// A class or sub-class of matters.
#[derive(Serialize, ToSchema)]
pub struct CategoryView {
    /// Its code.
    code: String,
    /// Its name.
    name: String,
    /// The class it belongs to; none for a class.
    parent: Option<String>,
    /// What kind of matter it is.
    kind: String,
}

/// The catalogue.
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
    let view = |category: &domain::catalogue::Category| CategoryView {
        code: category.code.clone(),
        name: category.name.clone(),
        parent: category.parent.clone(),
        kind: category.kind.clone(),
    };
    let items = world.catalogue.categories.iter().map(view).collect();
    Ok(HttpResponse::Ok().json(CatalogueView { items }))
}
