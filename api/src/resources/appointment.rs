//! Appointments over HTTP: revoking a role, handing it over, suspending an account, leaving.
//!
//! A command that takes rights from an administrator is also written to the record of the
//! administrator who gives it, so that of two who take each other's rights one is left; and what
//! the successor gets is in the same commit.

pub mod commands;

use actix_web::post;
use domain::{core::text::Prose, people::actor::Role};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    engine::step::Step,
    http::{
        answer::Answer,
        body::Json,
        problem::Reply,
        register::ServiceConfig,
        view::{self},
    },
    resources::person::PersonView,
};

/// Registers the operations below one person.
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
    /// Which one. 角色。
    #[schema(schema_with = view::role)]
    role: Role,
    /// The area it is granted over. 辖区或单位。
    area_id: Uuid,
}

/// Takes a role back.
///
/// 撤销授权，立即生效。
#[utoipa::path(tag = "people", request_body = RevokeBody, responses((status = 200, body = PersonView)))]
#[post("/revoke")]
async fn revoke_role(step: Step, body: Json<RevokeBody>) -> Reply<Answer<PersonView>> {
    commands::revoke_role(step, body.0).await
}

/// A role for another person.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandOverBody {
    /// Which one. 角色。
    #[schema(schema_with = view::role)]
    role: Role,
    /// The area it is granted over. 辖区或单位。
    area_id: Uuid,
    /// The successor. 接任者。
    to_person_id: Uuid,
    /// The reason. 原因。
    #[schema(value_type = String, min_length = 1, max_length = 4000, example = "岗位调整")]
    reason: Prose,
}

/// Hands a role over.
///
/// 移交岗位：一次操作完成收回与授予；待办属于单位，接任者在收件箱里直接看到。
#[utoipa::path(tag = "people", request_body = HandOverBody, responses((status = 200, body = PersonView)))]
#[post("/hand_over")]
async fn hand_over_role(step: Step, body: Json<HandOverBody>) -> Reply<Answer<PersonView>> {
    commands::hand_over_role(step, body.0).await
}

/// The reason to suspend an account.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SuspendPersonBody {
    /// The reason. 原因。
    #[schema(value_type = String, min_length = 1, max_length = 4000, example = "借调期间停用")]
    reason: Prose,
}

/// Suspends an account.
///
/// 停用账号：立即退出全部登录，授权保留但不起作用。
#[utoipa::path(tag = "people", request_body = SuspendPersonBody, responses((status = 200, body = PersonView)))]
#[post("/suspend")]
async fn suspend_person(step: Step, body: Json<SuspendPersonBody>) -> Reply<Answer<PersonView>> {
    commands::suspend_person(step, body.0).await
}

/// An empty body.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReinstateBody {}

/// Reinstates a suspended account.
///
/// 恢复停用的账号。
#[utoipa::path(tag = "people", request_body = ReinstateBody, responses((status = 200, body = PersonView)))]
#[post("/reinstate")]
async fn reinstate_person(step: Step, body: Json<ReinstateBody>) -> Reply<Answer<PersonView>> {
    commands::reinstate_person(step, body.0).await
}

/// A person who leaves, and the successor.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LeaveBody {
    /// The reason. 原因。
    #[schema(value_type = String, min_length = 1, max_length = 4000, example = "退休")]
    reason: Prose,
    /// The successor in all roles; required where no one else could do the open work. 接任者。
    to_person_id: Option<Uuid>,
}

/// Ends all roles of a person.
///
/// 离岗：授权立即终止、登录立即失效；有接任者时岗位一并移交。仍有待办而无人能办时必须指定接任者。
#[utoipa::path(tag = "people", request_body = LeaveBody, responses((status = 200, body = PersonView)))]
#[post("/leave")]
async fn leave_person(step: Step, body: Json<LeaveBody>) -> Reply<Answer<PersonView>> {
    commands::leave_person(step, body.0).await
}
