//! The right to be erased, over HTTP.
//!
//! Erasing destroys the subject's key. The records of public matters stay, under an identity that
//! names no one any more, and their chains stay valid.

use actix_web::{HttpRequest, HttpResponse, post, web::Data};
use chrono::{DateTime, Utc};
use domain::{
    core::{
        id::{PersonId, TenantId},
        text::Prose,
    },
    flows::{household::Household, person::Person},
    people::{
        actor::Permission,
        audit::AuditAction,
        personal::{DataSubject, SubjectKind},
    },
    rules::refusal::Refusal,
};
use persistence::{
    flows::{household as households, retention},
    people::vault,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::{caller::Caller, state::App},
    engine::step,
    http::{body::Json, headers::Key, params::IdPath, problem::Reply, register::ServiceConfig},
    privacy::{audit::Noting, names::Names},
    resources::{media, patrol::points::Walkers},
};

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(erase_me);
}

/// Registers the operations below one person.
pub fn under_person(config: &mut ServiceConfig<'_>) {
    config.service(erase_person);
}

/// The household members that are this person by the account that staff linked. An identification
/// number or phone was only typed by someone: it links a person to nothing.
async fn load_memberships(app: &App, caller: &Caller, person: PersonId) -> Reply<Vec<DataSubject>> {
    const MOST: i64 = 200;
    let tenant = caller.tenant;
    let look = move |db: &mut persistence::Db| {
        households::list_for_member(db, tenant, person, Uuid::nil(), MOST)
    };
    let mut found = Vec::new();
    for id in app.store.read(look).await? {
        let stored = app.store.load_state::<Household>(tenant, id.0).await?;
        let members = stored.iter().flat_map(|stored| &stored.state.members);
        let linked = members.filter(|one| one.person == Some(person));
        found.extend(linked.map(|one| DataSubject::new(SubjectKind::Member, one.id)));
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Destroys the contacts given with the reports of a person; answers how many there were.
async fn destroy_contacts(app: &App, tenant: TenantId, person: PersonId) -> Reply<i64> {
    const PAGE: i64 = 200;
    let now = app.clock.now();
    let mut reports = 0;
    loop {
        let destroy = vault::destroy_contact_keys(tenant, person, PAGE, now);
        let page = app.store.run(destroy).await?;
        reports += page;
        if page < PAGE {
            return Ok(reports);
        }
    }
}

/// The confirmation of an erasure.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EraseBody {
    /// Why; from an administrator, who asked for it and how. 理由。
    #[schema(value_type = String, min_length = 1, max_length = 4000, example = "本人申请注销账号")]
    reason: Prose,
}

/// The result of an erasure.
#[derive(Serialize, ToSchema)]
pub struct ErasedView {
    /// The person whose data was erased. 人员标识。
    person_id: Uuid,
    /// When it was erased. 删除时间。
    erased_at: DateTime<Utc>,
    /// Contacts given with reports that were also erased.
    reports: i64,
    /// Photos and other files that nothing named, also removed. 未使用的文件。
    files: usize,
}

/// Erases my personal data and closes my account.
///
/// 注销账号并删除我的个人信息：销毁密钥，不可恢复，登录随即失效；公共事项的办理记录保留但不再指向任何人。
#[utoipa::path(tag = "privacy", request_body = EraseBody, responses((status = 200, body = ErasedView)))]
#[post("/me/erasure")]
async fn erase_me(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    _key: Key,
    body: Json<EraseBody>,
) -> Reply<HttpResponse> {
    let stored = step::load_visible::<Person>(&app, &caller, caller.person.0).await?;
    erase_data(&app, &request, &caller, &stored.state, &body.0).await
}

/// Erases a person's data on request.
///
/// 应本人要求删除其个人信息；管理员代办，须说明理由。
#[utoipa::path(tag = "privacy", request_body = EraseBody, responses((status = 200, body = ErasedView)))]
#[post("/erasure")]
async fn erase_person(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    id: IdPath<Uuid>,
    _key: Key,
    body: Json<EraseBody>,
) -> Reply<HttpResponse> {
    let stored = step::load_visible::<Person>(&app, &caller, id.0).await?;
    let person = &stored.state;
    let world = app.world(caller.tenant)?;
    let context = world.build_context(&caller, app.clock.now());
    let root = world.areas.root().ok_or(Refusal::OutsideTenant)?;
    if person.id != caller.person {
        // An erasure takes everything: all areas of the person must be the administrator's to
        // manage.
        let paths = person.grants.iter().map(|grant| (&grant.over.path, &grant.over.name));
        let all = paths.clone().next().is_none().then_some((&root.path, &root.name));
        for (path, name) in paths.chain(all) {
            context.require_permission(Permission::ManagePeople, path, name)?;
        }
    }
    erase_data(&app, &request, &caller, person, &body.0).await
}

async fn erase_data(
    app: &App,
    request: &HttpRequest,
    caller: &Caller,
    person: &Person,
    body: &EraseBody,
) -> Reply<HttpResponse> {
    let (tenant, id, now) = (caller.tenant, person.id, app.clock.now());
    if person.holds_office(now) {
        return Err(Refusal::InOffice.into());
    }
    let files = media::removal::erase_files(app, &*app.world(tenant)?, id).await?;
    let members = load_memberships(app, caller, id).await?;
    // Before the account is closed, so that a caller who is interrupted can retry.
    let before = destroy_contacts(app, tenant, id).await?;
    let detail = serde_json::json!({ "members": members.len(), "reports": before, "files": files, "reason": body.reason.as_str() });
    let note =
        Noting::of_caller(app, caller, request).note(AuditAction::Erase, Some(id.0), &detail);
    let erase = retention::erase_person(tenant, id, members, now);
    let erase = erase.with_note_from(tenant, move |(destroyed, _)| destroyed.then_some(note));
    let (_, erased_at) = app.store.run(erase).await?;
    forget_person(app, caller, id);
    // And after it, for reports made meanwhile. The key of a later contact is destroyed by its own
    // commit.
    let reports = before + destroy_contacts(app, tenant, id).await?;
    app.store.scrub().await;
    Ok(HttpResponse::Ok().json(ErasedView { person_id: id.0, erased_at, reports, files }))
}

fn forget_person(app: &App, caller: &Caller, person: PersonId) {
    app.actors.forget_person(person);
    app.memory.get_or_default::<Names>().forget(caller.tenant, person);
    app.memory.get_or_default::<Walkers>().keys.forget(caller.tenant, person);
}
