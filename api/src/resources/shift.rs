//! Shifts over HTTP: going on duty and off, and who is on duty where.

pub mod commands;

use actix_web::{HttpResponse, get, post, web::Data};
use chrono::{DateTime, FixedOffset};
use domain::{core::id::AreaId, flows::person::Person, people::actor::Permission};
use persistence::people::appointment as posts;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::{caller::Caller, state::App},
    engine::step::OwnStep,
    http::{
        answer::Answer,
        body::Json,
        params::IdPath,
        problem::{Code, Problem, Reply},
        register::ServiceConfig,
    },
    privacy::names,
    resources::person::{PersonView, ShiftView},
};

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(start_shift).service(end_shift);
}

/// Registers the operations below one area.
pub fn under_area(config: &mut ServiceConfig<'_>) {
    config.service(list_on_duty);
}

/// The most people one answer names.
const MOST: i64 = 200;

/// Going on duty.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartShiftBody {
    /// The area of the shift. 值班区域。
    area_id: Uuid,
    /// When it ends by itself, at most 16 hours from now; in 8 hours when left out. 自动离岗时间。
    #[serde(default, deserialize_with = "crate::http::body::time::read_optional_moment")]
    until: Option<DateTime<FixedOffset>>,
}

/// Goes on duty.
///
/// 上岗：只有在岗期间才会被就近派发现场任务；到时自动离岗，不需要打卡。
#[utoipa::path(tag = "me", request_body = StartShiftBody, responses((status = 200, body = PersonView)))]
#[post("/me/shift/start")]
async fn start_shift(step: OwnStep, body: Json<StartShiftBody>) -> Reply<Answer<PersonView>> {
    commands::start_shift(step, body.0).await
}

/// An empty body.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndShiftBody {}

/// Goes off duty.
///
/// 离岗：结束本次值班。
#[utoipa::path(tag = "me", request_body = EndShiftBody, responses((status = 200, body = PersonView)))]
#[post("/me/shift/end")]
async fn end_shift(step: OwnStep, body: Json<EndShiftBody>) -> Reply<Answer<PersonView>> {
    commands::end_shift(step, body.0).await
}

/// Who is on duty.
#[derive(Serialize, ToSchema)]
pub struct OnDutyView {
    /// At most 200, those whose shift lasts longest first.
    items: Vec<OnDuty>,
}

/// A person on duty.
#[derive(Serialize, ToSchema)]
pub struct OnDuty {
    /// The identity of the person.
    person_id: Uuid,
    /// The person's name: of staff as it is, of residents masked.
    name: String,
    /// The area and the times of the shift.
    shift: ShiftView,
}

/// Lists who is on duty in an area.
///
/// 当前在岗人员：该区域及其下级的值班人员。
#[utoipa::path(tag = "areas", responses((status = 200, body = OnDutyView)))]
#[get("/on_duty")]
async fn list_on_duty(app: Data<App>, caller: Caller, id: IdPath<Uuid>) -> Reply<HttpResponse> {
    let world = app.world(caller.tenant)?;
    let area = world.areas.get(AreaId(id.0)).ok_or_else(|| Problem::new(Code::NotFound))?;
    let (tenant, path, now) = (caller.tenant, area.path.clone(), app.clock.now());
    world.build_context(&caller, now).require_permission(
        Permission::ReadPeople,
        &area.path,
        &area.name,
    )?;
    let look = move |db: &mut persistence::Db| posts::load_on_duty(db, tenant, &path, now, MOST);
    let found = app.store.read(look).await?;
    let nameless = found.iter().filter(|stored| stored.state.is_nameless());
    let names = names::load_display(&app, tenant, nameless.map(|stored| stored.state.id)).await?;
    let on_duty = |person: &Person| {
        let shift = ShiftView::from(person.current_shift(now)?);
        let name = names.get(&person.id).map_or(person.name.as_str(), String::as_str).to_owned();
        Some(OnDuty { person_id: person.id.0, name, shift })
    };
    let items = found.iter().filter_map(|stored| on_duty(&stored.state)).collect();
    Ok(HttpResponse::Ok().json(OnDutyView { items }))
}
