//! Posts over HTTP: taking a role back, handing it over, closing an account, leaving.
//!
//! What takes rights from an administrator is also written to the record of the administrator who
//! takes them, so that of two who take each other's one is left; and what the heir gets from it is
//! in the same commit.

use actix_web::{HttpResponse, post};
use domain::{
    core::{
        id::{AreaId, PersonId},
        text::Prose,
    },
    flows::{
        change::{Change, Stored, act},
        flow::Context,
        person::{Command, NewGrant, Person, Standing},
    },
    people::actor::{Grant, Role},
    rules::{refusal::Refusal, sla::ancestry},
};
use persistence::{Db, StoreError, Write, find, people::post as posts};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::world::World,
    engine::step::{self, Asked, Step},
    http::{
        body::Json,
        problem::Reply,
        register::ServiceConfig,
        view::{self, tag, tagged},
    },
    resources::person::{self, PersonView},
};

/// Registers what is asked about one person.
pub fn under_person(config: &mut ServiceConfig<'_>) {
    config
        .service(revoke_role)
        .service(hand_over_role)
        .service(suspend_person)
        .service(reinstate_person)
        .service(leave_person);
}

/// A role to take back.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeBody {
    /// Which. 角色。
    #[schema(schema_with = view::role)]
    role: Role,
    /// Over which area. 辖区或单位。
    area_id: Uuid,
}

/// Takes a role back.
///
/// 撤销授权，立即生效。
#[utoipa::path(tag = "people", request_body = RevokeBody, responses((status = 200, body = PersonView)))]
#[post("/revoke")]
async fn revoke_role(step: Step, body: Json<RevokeBody>) -> Reply<HttpResponse> {
    let RevokeBody { role, area_id } = body.0;
    let command = move |_: &Others| Command::Revoke { role, area: AreaId(area_id) };
    take(step, "revoke_role", &body.0, None, command).await
}

/// A role for somebody else.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandOverBody {
    /// Which. 角色。
    #[schema(schema_with = view::role)]
    role: Role,
    /// Over which area. 辖区或单位。
    area_id: Uuid,
    /// To whom. 接任者。
    to_person_id: Uuid,
    /// Why. 原因。
    #[schema(value_type = String, min_length = 1, max_length = 4000, example = "岗位调整")]
    reason: Prose,
}

/// Hands a role over.
///
/// 移交岗位：一次操作完成收回与授予；待办属于单位，接任者在收件箱里直接看到。
#[utoipa::path(tag = "people", request_body = HandOverBody, responses((status = 200, body = PersonView)))]
#[post("/hand_over")]
async fn hand_over_role(step: Step, body: Json<HandOverBody>) -> Reply<HttpResponse> {
    let HandOverBody { role, area_id, to_person_id, reason } = &body.0;
    let (role, area, to) = (*role, AreaId(*area_id), PersonId(*to_person_id));
    let reason = reason.clone();
    let command = move |_: &Others| Command::HandOver { role, area, to, reason: reason.clone() };
    take(step, "hand_over_role", &body.0, Some(to), command).await
}

/// Why an account is closed for now.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SuspendPersonBody {
    /// Why. 原因。
    #[schema(value_type = String, min_length = 1, max_length = 4000, example = "借调期间停用")]
    reason: Prose,
}

/// Closes an account for now.
///
/// 停用账号：立即退出全部登录，授权保留但不起作用。
#[utoipa::path(tag = "people", request_body = SuspendPersonBody, responses((status = 200, body = PersonView)))]
#[post("/suspend")]
async fn suspend_person(step: Step, body: Json<SuspendPersonBody>) -> Reply<HttpResponse> {
    let reason = body.0.reason.clone();
    let command = move |_: &Others| Command::Suspend { reason: reason.clone() };
    take(step, "suspend_person", &body.0, None, command).await
}

/// Nothing to add.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReinstateBody {}

/// Opens an account again.
///
/// 恢复停用的账号。
#[utoipa::path(tag = "people", request_body = ReinstateBody, responses((status = 200, body = PersonView)))]
#[post("/reinstate")]
async fn reinstate_person(step: Step, body: Json<ReinstateBody>) -> Reply<HttpResponse> {
    person::ask(step, "reinstate_person", &body.0, Command::Reinstate).await
}

/// That somebody leaves, and who takes over.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LeaveBody {
    /// Why. 原因。
    #[schema(value_type = String, min_length = 1, max_length = 4000, example = "退休")]
    reason: Prose,
    /// Who takes all posts over; needed where open work would be left to nobody. 接任者。
    to_person_id: Option<Uuid>,
}

/// Ends everything somebody holds.
///
/// 离岗：授权立即终止、登录立即失效；有接任者时岗位一并移交。仍有待办而无人能办时必须指定接任者。
#[utoipa::path(tag = "people", request_body = LeaveBody, responses((status = 200, body = PersonView)))]
#[post("/leave")]
async fn leave_person(step: Step, body: Json<LeaveBody>) -> Reply<HttpResponse> {
    let (to, reason) = (body.0.to_person_id.map(PersonId), body.0.reason.clone());
    let command = move |others: &Others| {
        let (reason, alone) = (reason.clone(), others.alone.clone());
        Command::Leave { reason, to, alone }
    };
    take(step, "leave_person", &body.0, to, command).await
}

/// Who else is touched when a person's rights are taken.
struct Others {
    /// Who gets them.
    heir: Option<Stored<Person>>,
    /// Who takes them.
    own: Option<Stored<Person>>,
    /// Units whose open work no other person could do.
    alone: Vec<String>,
}

impl Others {
    fn load(
        db: &mut Db,
        world: &World,
        (of, heir, own): (Uuid, Option<PersonId>, PersonId),
        at: domain::Instant,
    ) -> Result<Self, StoreError> {
        let tenant = world.tenant.id;
        let above = |area| ancestry(&world.areas, area);
        let heir = match heir {
            Some(heir) => find::<Person>(db, tenant, heir.0)?,
            None => None,
        };
        let alone = match find::<Person>(db, tenant, of)? {
            Some(person) => posts::left_alone(db, &person.state, tenant, at, above)?,
            None => Vec::new(),
        };
        Ok(Self { heir, own: find::<Person>(db, tenant, own.0)?, alone })
    }
}

/// Asks a command that takes rights from a person, and writes with it what others get by it.
async fn take(
    step: Step,
    operation: &str,
    body: &impl Serialize,
    to: Option<PersonId>,
    command: impl Fn(&Others) -> Command,
) -> Reply<HttpResponse> {
    let asked = step.asked(operation, body);
    let (own, now) = (step.caller.person, step.app.clock.now());
    let (whom, world) = ((step.id, to, own), step.app.world(step.caller.tenant)?);
    let also = move |db: &mut Db| Others::load(db, &world, whom, now);
    let stored = step::step_with::<Person, Others>(
        &step.app,
        &step.caller,
        asked,
        also,
        |stored, others, context| {
            let command = command(others);
            let change = act::<Person>(Some(stored), &command, asked.request, context)?;
            let lost = lost(&stored.state, &change.state, context.at);
            let mut more = Vec::new();
            if let Some(heir) = to {
                more.push(given(heir, &lost, stored.state.id, others, asked, context)?);
            }
            more.extend(guarded(&lost, others, asked, context)?);
            Ok((change, more.into_iter().map(Write::from).collect()))
        },
    )
    .await?;
    for person in [Some(stored.state.id), to].into_iter().flatten() {
        step.app.actors.forget_person(person);
    }
    let view = person::view(&step.app, &step.caller, &stored).await?;
    Ok(tagged(&step.request, HttpResponse::Ok(), &tag(stored.seq), &view))
}

/// The grants that a person had and has no more, those of now and of the time to come.
fn lost(before: &Person, after: &Person, at: domain::Instant) -> Vec<Grant> {
    let kept = |grant: &Grant| {
        after.standing == Standing::Active && after.grants.iter().any(|other| other == grant)
    };
    let over = |grant: &Grant| grant.until.is_some_and(|until| until <= at);
    before.grants.iter().filter(|grant| !kept(grant) && !over(grant)).cloned().collect()
}

/// What the heir gets.
fn given(
    to: PersonId,
    lost: &[Grant],
    of: PersonId,
    others: &Others,
    asked: Asked,
    context: Context<'_>,
) -> Reply<Change<Person>> {
    let heir = others.heir.as_ref().ok_or(Refusal::UnknownPerson { id: to })?;
    let grants = lost.iter().map(|grant| NewGrant {
        role: grant.role,
        area: grant.over.id,
        from: Some(grant.from),
        until: grant.until,
        post: grant.post.clone(),
    });
    let command = Command::TakeOver { grants: grants.collect(), of };
    Ok(act::<Person>(Some(heir), &command, asked.request, context)?)
}

/// Makes sure that the caller who takes an administrator's rights is an administrator and stays
/// one.
fn guarded(
    lost: &[Grant],
    others: &Others,
    asked: Asked,
    context: Context<'_>,
) -> Reply<Option<Change<Person>>> {
    let administered = lost.iter().filter(|grant| grant.role == Role::Administrator);
    let over: Vec<AreaId> = administered.map(|grant| grant.over.id).collect();
    match (&others.own, over.is_empty()) {
        (_, true) | (None, false) => Ok(None),
        (Some(own), false) => {
            let command = Command::Stand { over };
            Ok(Some(act::<Person>(Some(own), &command, asked.request, context)?))
        }
    }
}
