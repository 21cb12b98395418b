//! Disclosing the data of a household: for a purpose, on the record, only the fields the purpose
//! needs.

use actix_web::{HttpRequest, HttpResponse, post, web::Data};
use chrono::NaiveDate;
use domain::{
    flows::household::{Household, Member},
    people::personal::Field,
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::sealed::{Details, RoomBody, Shown, SpecialView, parse_document, parse_groups};
use crate::{
    app::{caller::Caller, state::App},
    engine::step,
    http::{body::Json, headers::Key, params::IdPath, problem::Reply},
    privacy::disclosure::{Asking, DiscloseBody, DisclosureView, Subject, check_fields},
};

/// A member as it was disclosed.
#[derive(Serialize, ToSchema)]
pub struct MemberDisclosed {
    /// The identity of the member. 成员标识。
    id: Uuid,
    /// 姓名。
    name: Option<String>,
    /// 手机号。
    phone: Option<String>,
    /// 公民身份号码。
    id_number: Option<String>,
    /// 特殊群体。
    groups: Vec<SpecialView>,
    /// 与户主关系。
    relation: Option<String>,
    /// 出生日期。
    birth: Option<NaiveDate>,
    /// 监护人同意。
    guardian_consent: Option<bool>,
}

/// A disclosure with the values, for its caller, in this answer only.
#[derive(Serialize, ToSchema)]
pub struct HouseholdDisclosed {
    /// The record of this disclosure. 查看记录。
    #[serde(flatten)]
    record: DisclosureView,
    /// The room, if it was asked for. 房号。
    room: Option<RoomBody>,
    /// The members, with the fields asked for. 成员。
    members: Vec<MemberDisclosed>,
}

/// Discloses the stored data of a household.
///
/// 查看家庭信息明文：须有权限或与该户结对，选择目的并说明理由；字段可选 name、phone、id_number、room、groups、details；每次留痕，家庭成员本人可查。
#[utoipa::path(tag = "households", request_body = DiscloseBody, responses((status = 201, body = HouseholdDisclosed)))]
#[post("/households/{id}/disclosures")]
pub(super) async fn disclose_household(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    id: IdPath<Uuid>,
    key: Key,
    body: Json<DiscloseBody>,
) -> Reply<HttpResponse> {
    let stored = step::load_visible::<Household>(&app, &caller, id.0).await?;
    let household = &stored.state;
    let world = app.world(caller.tenant)?;
    let allowed = household.require_disclosure(&world.build_context(&caller, app.clock.now()));
    let fields = check_fields(&body.0.fields, Field::OF_HOUSEHOLDS)?;
    let subject = Subject { household: Some(household.id), ..Subject::default() };
    let asking = Asking { operation: "disclose_household", key, subject, body: body.0 };
    let record =
        asking.record_disclosure(&app, &request, &caller, allowed, (&fields, id.0)).await?;
    let shown = Shown::load(&app, caller.tenant, household).await?;
    let members = household.members.iter().map(|member| disclose_member(*member, &shown, &fields));
    Ok(HttpResponse::Created().json(HouseholdDisclosed {
        members: members.collect(),
        room: shown.room().filter(|_| fields.contains(&Field::Room)),
        record: record.into(),
    }))
}

fn disclose_member(member: Member, shown: &Shown, fields: &[Field]) -> MemberDisclosed {
    let values = shown.find_member(member.id);
    let asked = |field: Field| values.filter(|_| fields.contains(&field));
    let value = |field: Field| asked(field)?.get(&field).cloned();
    let details: Details =
        parse_document(asked(Field::Details), Field::Details).unwrap_or_default();
    let special = |group: domain::flows::household::SpecialGroup| SpecialView {
        group: group.name(),
        label: group.label(),
    };
    MemberDisclosed {
        id: member.id,
        name: value(Field::Name),
        phone: value(Field::Phone),
        id_number: value(Field::IdNumber),
        groups: parse_groups(asked(Field::Groups)).into_iter().map(special).collect(),
        relation: details.relation.map(String::from),
        birth: details.birth,
        guardian_consent: details.guardian_consent,
    }
}
