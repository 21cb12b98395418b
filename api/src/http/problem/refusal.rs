//! What the domain refuses, told to people and to programs.
//!
//! Every variant is a sentence of what is wrong this time and what is right or possible instead,
//! with its facts as members. A new refusal breaks this match until it has both.

mod area;
mod asking;
mod patrol;
mod people;
mod state;
mod unsound;
mod visit;
mod whistle;

use domain::{
    Instant,
    core::{id::AreaId, time},
    people::actor::Permission,
    rules::{refusal::Refusal, vocabulary::Channel},
};

use super::{Code, Problem};

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Anonymous => Self::new(Code::Anonymous),
            Refusal::ForeignChannel { channel, own } => foreign_channel(channel, own),
            Refusal::Erased => Self::new(Code::Erased),
            Refusal::InOffice => Self::new(Code::InOffice),
            Refusal::NoSuchPurpose { code } => no_such_purpose(&code),
            Refusal::WrongState { flow, state, command, possible } => {
                state::wrong_state(flow, state, command, &possible)
            }
            Refusal::NotPermitted { permission, area } => not_permitted(permission, &area),
            Refusal::OutsideJurisdiction { holder, unit } => outside_jurisdiction(&holder, &unit),
            Refusal::NoLevelAbove { holder } => no_level_above(&holder),
            Refusal::NotAStreet { holder } => not_a_street(&holder),
            Refusal::NotADepartment { unit } => not_a_department(&unit),
            Refusal::NamedTwice { unit } => named_twice(&unit),
            Refusal::TooManyDepartments { max } => too_many_departments(max),
            Refusal::NotSummoned => Self::new(Code::NotSummoned),
            Refusal::CooperatingPending { units } => cooperating_pending(&units),
            Refusal::AlreadyRated => Self::new(Code::AlreadyRated),
            Refusal::NotClaimed => Self::new(Code::NotClaimed),
            Refusal::NotAVerifier { id } => Self::new(Code::NotAVerifier).with("id", id.0),
            Refusal::Claimed { by, until } => claimed_problem(&by, until),
            Refusal::FirstReceiver { unit, item } => first_receiver(&unit, item.as_deref()),
            Refusal::HandlerVerifies => Self::new(Code::HandlerVerifies),
            Refusal::AnswersContradict { problem } => answers_contradict(problem),
            Refusal::AlreadyAnswered => Self::new(Code::AlreadyAnswered),
            Refusal::WindowOver { ended_at } => window_over(ended_at),
            Refusal::NotJoinable { state } => not_joinable(state),
            Refusal::TooManyReports { max } => too_many_reports(max),
            Refusal::TooManyComments { max } => Self::new(Code::TooManyComments).with("max", max),
            Refusal::AlreadyExists { what } => already_exists(Code::AlreadyExists, what),
            Refusal::TooManyGrants { max } => too_many_grants(max),
            Refusal::NoSuchGrant => Self::new(Code::NoSuchGrant),
            Refusal::UnknownPerson { id } => people::unknown_person(id),
            Refusal::ProgramPassword => Self::new(Code::ProgramPassword),
            Refusal::ProgramRole => Self::new(Code::ProgramRole),
            Refusal::OwnRights => Self::new(Code::OwnRights),
            Refusal::RolesApart { held, asked } => people::roles_apart(held, asked),
            Refusal::LastAdministrator { area } => people::last_administrator(&area),
            Refusal::OpenWork { units } => people::open_work(&units),
            Refusal::NotOnDuty => Self::new(Code::NotOnDuty),
            Refusal::ShiftTooLong { hours } => people::shift_too_long(hours),
            Refusal::OutsideTenant => Self::new(Code::OutsideTenant),
            Refusal::OutsideArea { area, metres, most } => area::outside_area(&area, metres, most),
            Refusal::PlaceMissing => Self::new(Code::PlaceMissing),
            Refusal::NotATerritory { unit } => not_a_territory(&unit),
            Refusal::ClientTime { given, earliest, latest } => client_time(given, earliest, latest),
            Refusal::EmptyPeriod => Self::new(Code::EmptyPeriod),
            Refusal::UnknownCategory { code } => unknown_category(&code),
            Refusal::UnknownArea { id } => unknown_area(id),
            Refusal::AreaRetired { area, successors } => area::retired_problem(&area, &successors),
            Refusal::BadAreaCode { code, expected } => area::bad_code(&code, expected),
            Refusal::WrongLevel { area, parent } => area::wrong_level(&area, &parent),
            Refusal::ChildrenLeft { area, count, example } => {
                area::children_left(&area, count, &example)
            }
            Refusal::DutiesLeft { area, count } => area::duties_left(&area, count),
            Refusal::EffectOutside { earliest, latest } => area::effect_outside(earliest, latest),
            Refusal::BadBoundary { faults } => area::bad_boundary(&faults),
            Refusal::NotAGrid { area } => area::not_a_grid(&area),
            Refusal::Unsound { faults } => unsound::unsound_document(faults),
            Refusal::TooManyAsks { max } => asking::too_many_asks(max),
            Refusal::TooManySupervisions { max } => asking::too_many_supervisions(max),
            Refusal::AskedAlready { what } => asking::asked_already(what),
            Refusal::NoSuchAsk { no } => asking::no_such_ask(no),
            Refusal::NoSuchSupervision { no } => asking::no_such_supervision(no),
            Refusal::SignsTwice => Self::new(Code::SignsTwice),
            Refusal::NotAsker => Self::new(Code::NotAsker),
            Refusal::NothingToExtend { duty } => asking::nothing_to_extend(duty),
            Refusal::Overdue { due_at } => asking::overdue_problem(due_at),
            Refusal::Spent { what, times } => asking::spent_problem(what, times),
            Refusal::TooMuchTime { most } => asking::too_much_time(most),
            Refusal::OutsideWindow { earliest, latest } => asking::outside_window(earliest, latest),
            Refusal::Suspended { until } => asking::suspended_problem(until),
            Refusal::NotSuspended => Self::new(Code::NotSuspended),
            Refusal::NoSuchBreach { no } => asking::no_such_breach(no),
            Refusal::NothingDue => Self::new(Code::NothingDue),
            Refusal::NotInvolved { unit } => not_involved(&unit),
            Refusal::Appointed { unit } => appointed_problem(&unit),
            Refusal::NotAdmitted { unit, category, entry } => {
                not_admitted(&unit, &category, entry.as_deref())
            }
            Refusal::UnknownRank { code } => whistle::unknown_rank(&code),
            Refusal::UnknownTopic { code } => whistle::unknown_topic(&code),
            Refusal::ArrivalUnproven { distance_m, most_m } => {
                whistle::arrival_unproven(distance_m, most_m)
            }
            Refusal::LeadMissing => Self::new(Code::LeadMissing),
            Refusal::NothingRaised => Self::new(Code::NothingRaised),
            Refusal::NotJoined => Self::new(Code::NotJoined),
            Refusal::FirstReport => Self::new(Code::FirstReport),
            Refusal::NotYourPatrol { worker } => patrol::not_yours(&worker),
            Refusal::LateUnexplained { hours } => patrol::late_unexplained(hours),
            Refusal::NoSuchPatrol { id } => Self::new(Code::NoSuchPatrol).with("patrol", id),
            Refusal::NotOnPatrol { from, until } => patrol::not_on_patrol(from, until),
            Refusal::NotInAGrid { area } => visit::not_in_a_grid(&area),
            Refusal::TooMany { what, max } => visit::too_many(what, max),
            Refusal::NoSuchMember => Self::new(Code::NoSuchMember),
            Refusal::NotPaired => Self::new(Code::NotPaired),
            Refusal::GuardianConsentMissing => Self::new(Code::GuardianConsentMissing),
            Refusal::NobodyMet => Self::new(Code::NobodyMet),
            Refusal::PurposeMissing => Self::new(Code::PurposeMissing),
            Refusal::NotOnList => Self::new(Code::NotOnList),
            Refusal::EmptyList => Self::new(Code::EmptyList),
            Refusal::BadAnswers { under, faults } => unsound::bad_answers(under, faults),
            Refusal::SwitchedOff { switch } => visit::switched_off(switch),
            Refusal::EvidenceMissing { category } => evidence_missing(&category),
        }
    }
}

fn evidence_missing(category: &str) -> Problem {
    Problem::new(Code::EvidenceMissing)
        .detail(
            format!("类别“{category}”的办理标准要求附处置后的照片；请在 media 中带上 role 为 after 的照片，照片可以稍后上传。"),
            format!(
                "The standard of the category `{category}` requires a photo taken after the \
                 handling; attach one with the role `after` in `media`, the photo can be uploaded \
                 later."
            ),
        )
        .with("category", category)
}

fn no_such_purpose(code: &str) -> Problem {
    Problem::new(Code::NoSuchPurpose)
        .detail(
            format!("目的“{code}”不存在，或者不需要同意；请从 GET /privacy 的 purposes 中选择。"),
            format!(
                "The purpose `{code}` does not exist or needs no consent; choose from `purposes` \
                 in GET /privacy."
            ),
        )
        .with("purpose", code)
}

fn not_permitted(permission: Permission, area: &str) -> Problem {
    let (label, name) = (permission.label(), permission.name());
    let problem = Problem::new(Code::NotPermitted).with("permission", name).with("area", area);
    if area.is_empty() {
        return problem.detail(
            format!("您没有“{label}”的权限。"),
            format!("You do not have the permission `{name}`."),
        );
    }
    problem.detail(
        format!("您在“{area}”没有“{label}”的权限。"),
        format!("You do not have the permission `{name}` over {area}."),
    )
}

fn outside_jurisdiction(holder: &str, unit: &str) -> Problem {
    Problem::new(Code::OutsideJurisdiction)
        .detail(
            format!("“{unit}”不在“{holder}”的辖区内，不能派遣；请派给辖区内的单位、吹哨或上呈。"),
            format!(
                "{unit} is outside the area of {holder} and cannot be given the case; dispatch it \
                 within the area, blow the whistle, or escalate."
            ),
        )
        .with("holder", holder)
        .with("unit", unit)
}

fn no_level_above(holder: &str) -> Problem {
    Problem::new(Code::NoLevelAbove)
        .detail(
            format!("案卷由“{holder}”持有，没有可以上呈的上一级；请在本级派遣。"),
            format!(
                "The case is held by {holder}, which has no higher level to escalate to; dispatch \
                 it there."
            ),
        )
        .with("holder", holder)
}

fn not_a_street(holder: &str) -> Problem {
    Problem::new(Code::NotAStreet)
        .detail(
            format!("案卷现由“{holder}”持有，只有街道（镇）可以吹哨；请先上呈到街道。"),
            format!(
                "The case is held by {holder}; only a street or town can blow the whistle, so \
                 escalate it to the street first."
            ),
        )
        .with("holder", holder)
}

fn not_a_department(unit: &str) -> Problem {
    Problem::new(Code::NotADepartment)
        .detail(
            format!("“{unit}”不是服务本街道的部门，不能吹哨点名；请选择服务本街道的部门。"),
            format!(
                "{unit} is not a department that serves this street and cannot be summoned; \
                 choose one that does."
            ),
        )
        .with("unit", unit)
}

fn named_twice(unit: &str) -> Problem {
    Problem::new(Code::NamedTwice)
        .detail(
            format!("“{unit}”被点名了两次；每个部门只能点名一次。"),
            format!("{unit} is named twice; name each department once."),
        )
        .with("unit", unit)
}

fn too_many_departments(max: usize) -> Problem {
    Problem::new(Code::TooManyDepartments)
        .detail(
            format!("一次吹哨最多点名 {max} 个部门（含主办）；请只点名确实需要到场的。"),
            format!(
                "A whistle names at most {max} departments, the lead included; name only those \
                 that have to be on the spot."
            ),
        )
        .with("max", max)
}

fn cooperating_pending(units: &[String]) -> Problem {
    Problem::new(Code::CooperatingPending)
        .detail(
            format!("还没有反馈的协办部门：{}；请等它们反馈后再由主办部门反馈。", units.join("、")),
            format!(
                "These cooperating departments have not given feedback: {}; the lead gives \
                 feedback after them.",
                units.join(", ")
            ),
        )
        .with("units", units)
}

fn foreign_channel(channel: Channel, own: Channel) -> Problem {
    Problem::new(Code::ForeignChannel)
        .error(
            "/channel",
            "foreign_channel",
            format!("应为 {}（{}），或不填。", own.name(), own.label()),
            format!("Expected `{}`, or no value.", own.name()),
        )
        .detail(
            format!("“{}”渠道不是您的上报渠道；您的上报渠道是“{}”。", channel.label(), own.label()),
            format!("Your reporting channel is `{}`, not `{}`.", own.name(), channel.name()),
        )
        .with("channel", channel.name())
        .with("own", own.name())
}

fn answers_contradict(how: &'static str) -> Problem {
    let problem = Problem::new(Code::AnswersContradict).with("problem", how);
    match how {
        "nobody_reached_but_answered" => problem.detail(
            "没有接通（reached 为 false），却填了“是否解决”（solved）或“是否满意”（satisfied）；请去掉这两项，或把 reached 改为 true。",
            "`reached` is false, but `solved` or `satisfied` is given; leave both out, or set \
             `reached` to true.",
        ),
        "reached_but_not_answered" => problem.detail(
            "已经接通（reached 为 true），请同时填写“是否解决”（solved）和“是否满意”（satisfied）。",
            "`reached` is true; give both `solved` and `satisfied`.",
        ),
        _ => problem,
    }
}

fn window_over(ended_at: Instant) -> Problem {
    let ended = format_local(ended_at);
    Problem::new(Code::WindowOver)
        .detail(
            format!("重开期限已于 {ended} 结束；请重新上报。"),
            format!("The window for reopening ended at {ended}; submit a new report."),
        )
        .with("ended_at", ended_at)
}

fn not_joinable(state: &'static str) -> Problem {
    let label = state::state_label("case", state);
    Problem::new(Code::NotJoinable)
        .detail(
            format!("这个案卷当前是“{label}”，不能再并入上报；请立新案，或选择别的案卷。"),
            format!(
                "The case is `{state}` and no more reports can be joined to it; file a new case, \
                 or choose another one."
            ),
        )
        .with("state", state)
}

fn too_many_reports(max: usize) -> Problem {
    Problem::new(Code::TooManyReports)
        .detail(
            format!("一个案卷最多并入 {max} 件上报，已经满了；请为这件上报另立新案。"),
            format!(
                "At most {max} reports can be joined to a case, and this one is full; file a new \
                 case for this report."
            ),
        )
        .with("max", max)
}

fn too_many_grants(max: usize) -> Problem {
    Problem::new(Code::TooManyGrants)
        .detail(
            format!("一个人最多 {max} 项授权，已经满了；请先收回不再需要的。"),
            format!(
                "A person can hold at most {max} grants, and this one does; first revoke grants \
                 that are no longer needed."
            ),
        )
        .with("max", max)
}

/// Something that must be unique exists; the store says it in the same words.
pub(super) fn already_exists(code: Code, what: &'static str) -> Problem {
    let zh = match what {
        "person" => "人员",
        "account" => "账号",
        "area code" => "区域代码",
        "tenant code" => "租户代码",
        "command" => "请求",
        "household" => "家庭",
        "member" => "家庭成员",
        "visit" => "走访",
        "campaign" => "行动",
        _ => "对象",
    };
    Problem::new(code)
        .detail(
            format!("这个{zh}已经存在；请换一个，或使用已有的。"),
            format!("This {what} already exists; choose another one, or use the existing one."),
        )
        .with("what", what)
}

fn not_a_territory(unit: &str) -> Problem {
    Problem::new(Code::NotATerritory)
        .detail(
            format!("“{unit}”是部门，不能作为事发地点；请选择网格、社区或街道。"),
            format!(
                "{unit} is a department and cannot be the place of an incident; choose a grid, a \
                 community or a street."
            ),
        )
        .with("unit", unit)
}

fn client_time(given: Instant, earliest: Instant, latest: Instant) -> Problem {
    let (at, from, to) = (format_local(given), format_local(earliest), format_local(latest));
    Problem::new(Code::ClientTime)
        .detail(
            format!("手机时间 {at} 偏差太大，应在 {from} 到 {to} 之间；请校准手机时间后重发。"),
            format!(
                "The phone's time {at} is too far off: it must lie between {from} and {to}; \
                 correct the clock and send the request again."
            ),
        )
        .with("given", given)
        .with("earliest", earliest)
        .with("latest", latest)
}

fn unknown_category(code: &str) -> Problem {
    Problem::new(Code::UnknownCategory)
        .detail(
            format!("事项目录中没有类别“{code}”；请从目录中选择。"),
            format!("The catalogue has no category `{code}`; choose a code from the catalogue."),
        )
        .with("category", code)
}

fn unknown_area(id: AreaId) -> Problem {
    Problem::new(Code::UnknownArea)
        .detail(
            format!("没有编号为 {id} 的区域；请检查编号。"),
            format!("There is no area with the id {id}; check the id."),
        )
        .with("area", id)
}

fn not_involved(unit: &str) -> Problem {
    Problem::new(Code::NotInvolved)
        .detail(
            format!("“{unit}”没有参与这个案卷，不能督办它；请选择持有或办理过案卷的单位。"),
            format!(
                "{unit} is not involved in the case and cannot be supervised; choose a unit that \
                 holds or handled it."
            ),
        )
        .with("unit", unit)
}

fn appointed_problem(unit: &str) -> Problem {
    Problem::new(Code::Appointed)
        .detail(
            format!("已经裁定由“{unit}”承办，不能退单或提出争议；请继续办理或申请延期。"),
            format!(
                "Arbitration appointed {unit}, so it can be neither returned nor disputed; \
                 continue handling, or request an extension."
            ),
        )
        .with("unit", unit)
}

fn not_admitted(unit: &str, category: &str, entry: Option<&str>) -> Problem {
    let problem = Problem::new(Code::NotAdmitted).with("unit", unit).with("category", category);
    let Some(entry) = entry else {
        return problem.detail(
            format!("类别“{category}”不在社区事项准入清单上，不能派给“{unit}”；请派给街道或部门。"),
            format!(
                "The category `{category}` is not on the admission list and cannot be given to \
                 {unit}; dispatch it to a street or a department."
            ),
        );
    };
    problem
        .detail(
            format!("准入清单“{entry}”条禁止把类别“{category}”派给“{unit}”；请派给街道或部门。"),
            format!(
                "Entry `{entry}` of the admission list forbids giving the category `{category}` \
                 to {unit}; dispatch it to a street or a department."
            ),
        )
        .with("entry", entry)
}

fn claimed_problem(by: &str, until: Instant) -> Problem {
    let free = format_local(until);
    Problem::new(Code::Claimed)
        .detail(
            format!("“{by}”已经领取，在 {free} 之前由其到现场；届时仍未完成的，他人可以领取。"),
            format!(
                "{by} has claimed it and goes to the spot until {free}; if it is not finished \
                 then, others can claim it."
            ),
        )
        .with("by", by)
        .with("until", until)
}

fn first_receiver(unit: &str, item: Option<&str>) -> Problem {
    let problem = Problem::new(Code::FirstReceiver).with("unit", unit);
    let Some(item) = item else {
        return problem.detail(
            format!(
                "“{unit}”是首接单位，退单须提出应由谁承办；请填写 proposed_unit_id，或继续办理。"
            ),
            format!(
                "{unit} is the first receiver and must propose the unit that should handle it; \
                 give `proposed_unit_id`, or continue handling."
            ),
        );
    };
    problem
        .detail(
            format!("权责清单“{item}”条规定由“{unit}”主办，它又是首接单位，不能退单或提出异议；请继续办理。"),
            format!(
                "Item `{item}` of the responsibility list makes {unit} the lead, and it is the \
                 first receiver, so it can neither return nor dispute it; continue handling."
            ),
        )
        .with("item", item)
}

/// A moment as people in China read it.
fn format_local(at: Instant) -> String {
    time::to_local(at).format("%Y-%m-%d %H:%M %:z").to_string()
}

#[cfg(test)]
mod tests;
