//! What is refused about people, their posts and their shifts.

use domain::{core::id::PersonId, people::actor::Role};

use super::super::{Code, Problem};

pub(super) fn unknown_person(id: PersonId) -> Problem {
    Problem::new(Code::UnknownPerson)
        .detail(
            format!("没有编号为 {id} 的人员；请检查编号。"),
            format!("There is no person with the id {id}; check the id."),
        )
        .with("person_id", id.0)
}

pub(super) fn roles_apart(held: Role, asked: Role) -> Problem {
    let (has, wants) = (held.label(), asked.label());
    Problem::new(Code::RolesApart)
        .detail(
            format!("此人同期已是“{has}”，不能再任“{wants}”；授权与审计须由不同的人担任。"),
            format!(
                "The person has the role `{}` in the same period and cannot have `{}` as well; \
                 granting and auditing must be done by different people.",
                held.name(),
                asked.name()
            ),
        )
        .with("held", held.name())
        .with("asked", asked.name())
}

pub(super) fn last_administrator(area: &str) -> Problem {
    Problem::new(Code::LastAdministrator)
        .detail(
            format!(
                "您在“{area}”没有长期有效的管理员角色，不能收回别人的管理员角色；否则可能无人管理。"
            ),
            format!(
                "You do not hold the administrator role over {area} permanently, so you cannot \
                 revoke it from another person; otherwise nobody might be left to administer the \
                 area."
            ),
        )
        .with("area", area)
}

pub(super) fn open_work(units: &[String]) -> Problem {
    let zh = units.join("、");
    Problem::new(Code::OpenWork)
        .detail(
            format!("“{zh}”还有未办结的事项，除此人外无人能办；请先移交岗位、指定接任者，或授权他人。"),
            format!(
                "{} still has open work that nobody but this person can do; hand it over, name a successor, or grant the role to another person first.",
                units.join(", ")
            ),
        )
        .with("units", units)
}

pub(super) fn shift_too_long(hours: i64) -> Problem {
    Problem::new(Code::ShiftTooLong)
        .detail(
            format!("一次值班或巡查最长 {hours} 小时；请缩短时间。"),
            format!("A shift or a patrol lasts at most {hours} hours; shorten the time."),
        )
        .with("hours", hours)
}
