//! Every refusal as it is read aloud.

use std::collections::BTreeSet;

use domain::{
    calendar::limit::{Limit, LimitUnit},
    core::{
        id::PatrolId,
        tabular_import::{At, Fault},
    },
    people::actor::Role,
};

use super::*;
use crate::http::{language::Language, problem::render_problem};

/// One of each variant; those of the table that only the domain can say are all here.
fn all_refusals() -> Vec<Refusal> {
    let at = chrono::DateTime::from_timestamp(1_790_000_000, 0).unwrap();
    let text = || "青龙街道".to_owned();
    let all = vec![
        Refusal::WrongState {
            flow: "case",
            state: "dispatched",
            command: "close",
            possible: vec!["sign", "return", "join", "comment"],
        },
        Refusal::NotPermitted { permission: Permission::BlowWhistle, area: text() },
        Refusal::OutsideJurisdiction { holder: text(), unit: "市政所".to_owned() },
        Refusal::NoLevelAbove { holder: text() },
        Refusal::NotAStreet { holder: text() },
        Refusal::NotADepartment { unit: text() },
        Refusal::NamedTwice { unit: text() },
        Refusal::TooManyDepartments { max: 21 },
        Refusal::NotSummoned,
        Refusal::CooperatingPending { units: vec!["城管局".to_owned(), "水务局".to_owned()] },
        Refusal::AlreadyRated,
        Refusal::Claimed { by: "李明".to_owned(), until: at },
        Refusal::NotClaimed,
        Refusal::NotAVerifier { id: domain::core::id::PersonId(uuid::Uuid::nil()) },
        Refusal::FirstReceiver { unit: text(), item: Some("Q-1".to_owned()) },
        Refusal::Anonymous,
        Refusal::ForeignChannel { channel: Channel::Worker, own: Channel::Resident },
        Refusal::Erased,
        Refusal::InOffice,
        Refusal::NoSuchPurpose { code: "x".to_owned() },
        Refusal::HandlerVerifies,
        Refusal::AnswersContradict { problem: "reached_but_not_answered" },
        Refusal::AlreadyAnswered,
        Refusal::WindowOver { ended_at: at },
        Refusal::NotJoinable { state: "closed" },
        Refusal::TooManyReports { max: 500 },
        Refusal::TooManyComments { max: 2000 },
        Refusal::AlreadyExists { what: "person" },
        Refusal::TooManyGrants { max: 50 },
        Refusal::NoSuchGrant,
        Refusal::UnknownPerson { id: domain::core::id::PersonId(uuid::Uuid::nil()) },
        Refusal::ProgramPassword,
        Refusal::ProgramRole,
        Refusal::OwnRights,
        Refusal::RolesApart { held: Role::Administrator, asked: Role::Auditor },
        Refusal::LastAdministrator { area: text() },
        Refusal::OpenWork { units: vec![text()] },
        Refusal::NotOnDuty,
        Refusal::ShiftTooLong { hours: 16 },
        Refusal::OutsideTenant,
        Refusal::OutsideArea { area: text(), metres: 900, most: 200 },
        Refusal::PlaceMissing,
        Refusal::NotATerritory { unit: text() },
        Refusal::ClientTime { given: at, earliest: at, latest: at },
        Refusal::EmptyPeriod,
        Refusal::UnknownCategory { code: "Z99".to_owned() },
        Refusal::UnknownArea { id: AreaId(uuid::Uuid::nil()) },
        Refusal::AreaRetired { area: text(), successors: vec!["白龙街道".to_owned()] },
        Refusal::BadAreaCode { code: "42".to_owned(), expected: ("9 位数字", "9 digits") },
        Refusal::WrongLevel { area: text(), parent: "枫林社区".to_owned() },
        Refusal::ChildrenLeft { area: text(), count: 3, example: "枫林社区".to_owned() },
        Refusal::DutiesLeft { area: text(), count: 2 },
        Refusal::EffectOutside { earliest: Some(at.date_naive()), latest: at.date_naive() },
        Refusal::BadBoundary {
            faults: vec![domain::area::boundary::Fault {
                code: domain::core::boundary_fault::FaultCode::SelfIntersection,
                polygon: 0,
                ring: 0,
                at: Some(domain::area::coordinate::Point { lng: 110.5, lat: 30.5 }),
            }],
        },
        Refusal::NotAGrid { area: text() },
        Refusal::NotInAGrid { area: text() },
        Refusal::TooMany { what: "members", max: 30 },
        Refusal::NoSuchMember,
        Refusal::NotPaired,
        Refusal::GuardianConsentMissing,
        Refusal::NobodyMet,
        Refusal::PurposeMissing,
        Refusal::NotOnList,
        Refusal::EmptyList,
        Refusal::BadAnswers { under: "/changes", faults: sample_faults() },
        Refusal::SwitchedOff { switch: domain::rules::vocabulary::Switch::Rankings },
        Refusal::EvidenceMissing { category: "A02".to_owned() },
        Refusal::Unsound { faults: sample_faults() },
        Refusal::TooManyAsks { max: 20 },
        Refusal::TooManySupervisions { max: 50 },
        Refusal::AskedAlready { what: "extension" },
        Refusal::NoSuchAsk { no: 7 },
        Refusal::NoSuchSupervision { no: 7 },
        Refusal::SignsTwice,
        Refusal::NotAsker,
        Refusal::NothingToExtend { duty: None },
        Refusal::Overdue { due_at: at },
        Refusal::Spent { what: "suspension", times: 2 },
        Refusal::TooMuchTime { most: Limit::working_days(3) },
        Refusal::OutsideWindow { earliest: at, latest: at },
        Refusal::Suspended { until: at },
        Refusal::NotSuspended,
        Refusal::NoSuchBreach { no: 3 },
        Refusal::NothingDue,
        Refusal::NotInvolved { unit: text() },
        Refusal::Appointed { unit: text() },
        Refusal::NotAdmitted {
            unit: "苹果园社区".to_owned(),
            category: "A0101".to_owned(),
            entry: Some("N-7".to_owned()),
        },
        Refusal::UnknownRank { code: "loud".to_owned() },
        Refusal::UnknownTopic { code: "party".to_owned() },
        Refusal::ArrivalUnproven { distance_m: Some(731.0), most_m: 200 },
        Refusal::LeadMissing,
        Refusal::NothingRaised,
        Refusal::NotJoined,
        Refusal::FirstReport,
        Refusal::NotYourPatrol { worker: text() },
        Refusal::LateUnexplained { hours: 24 },
        Refusal::NoSuchPatrol { id: PatrolId(uuid::Uuid::nil()) },
        Refusal::NotOnPatrol { from: at, until: at },
    ];
    let codes: BTreeSet<_> = all.iter().map(Refusal::code).collect();
    let first = Code::ALL.iter().position(|code| *code == Code::WrongState).unwrap();
    let elsewhere = [Code::NotPermitted, Code::AlreadyExists];
    let table: BTreeSet<_> =
        Code::ALL[first..].iter().chain(&elsewhere).map(|code| code.name()).collect();
    assert_eq!(codes, table);
    assert_eq!(codes.len(), all.len());
    all
}

/// One in a row of a list, one of the whole of it, one deep in a document with the days it is
/// about, and one without any facts.
fn sample_faults() -> Vec<Fault> {
    let row = Fault::new(At::Row(2), ("id", "duplicate_id"), "R-1").in_list("rows");
    let whole = Fault::new(At::Whole, ("", "too_many_rows"), "5001");
    let year = Fault::new(At::Whole, ("years/2026/days/3/date", "bad_date"), "02-30");
    vec![
        row.with_expected("各不相同的编号", "an id of its own"),
        whole.with_expected("最多 5000 条", "at most 5000 rows"),
        year.with_fact("year", 2026),
        Fault::new(At::Whole, ("measures", "empty"), ""),
    ]
}

fn render_refusal(refusal: Refusal, language: Language) -> serde_json::Value {
    let body =
        render_problem(&Problem::from(refusal), language, "0af7651916cd43dd8448eb211c80319c");
    serde_json::from_slice(&body).unwrap()
}

/// Those that are told otherwise with other facts.
fn other_refusals() -> Vec<Refusal> {
    vec![
        Refusal::AskedAlready { what: "raise" },
        Refusal::NothingToExtend { duty: Some(domain::rules::obligation::Duty::Handle) },
        Refusal::Spent { what: "appeal", times: 1 },
        Refusal::Spent { what: "extension", times: 0 },
        Refusal::TooMuchTime { most: Limit { amount: 1, unit: LimitUnit::SameDay } },
        Refusal::NotAdmitted {
            unit: "苹果园社区".to_owned(),
            category: "A".to_owned(),
            entry: None,
        },
        Refusal::ArrivalUnproven { distance_m: None, most_m: 200 },
        Refusal::FirstReceiver { unit: "青龙街道".to_owned(), item: None },
    ]
}

#[test]
fn a_refusal_keeps_its_code_and_has_both_languages() {
    for refusal in all_refusals().into_iter().chain(other_refusals()) {
        let code = refusal.code();
        let (zh, en) =
            (render_refusal(refusal.clone(), Language::Zh), render_refusal(refusal, Language::En));
        assert_eq!(zh["code"], code);
        assert_eq!(zh["type"], format!("/problems/{code}"));
        let (zh, en) = (zh["detail"].as_str().unwrap(), en["detail"].as_str().unwrap());
        assert!(zh.ends_with('。'), "{zh}");
        assert!(en.ends_with('.') && en.is_char_boundary(en.len()), "{en}");
        assert_ne!(zh, en);
    }
}

#[test]
fn statuses_follow_the_contract() {
    for refusal in all_refusals() {
        let expected = match refusal.code() {
            "not_permitted" => 403,
            "already_exists" => 409,
            _ => 422,
        };
        assert_eq!(render_refusal(refusal, Language::Zh)["status"], expected);
    }
}

#[test]
fn wrong_state_says_what_is_possible() {
    let refusal = all_refusals().swap_remove(0);
    let zh = render_refusal(refusal.clone(), Language::Zh);
    assert_eq!(
        zh["detail"],
        "这个案卷当前是“已派遣”，不能“结案”；现在可以：签收、退单、并入上报、批注。"
    );
    assert_eq!(zh["possible"], serde_json::json!(["sign", "return", "join", "comment"]));
    assert_eq!((&zh["state"], &zh["command"]), (&"dispatched".into(), &"close".into()));
    let en = render_refusal(refusal, Language::En);
    assert_eq!(
        en["detail"],
        "This case is `dispatched`; `close` is not possible. Possible now: sign, return, join, comment."
    );
}

#[test]
fn times_are_read_in_china() {
    let refusal = all_refusals().into_iter().find(|r| r.code() == "window_over").unwrap();
    let zh = render_refusal(refusal, Language::Zh);
    assert_eq!(zh["detail"], "重开期限已于 2026-09-21 22:13 +08:00 结束；请重新上报。");
    assert_eq!(zh["ended_at"], "2026-09-21T14:13:20Z");
}

#[test]
fn every_fault_of_a_document_is_told_with_its_place() {
    let unsound = || Refusal::Unsound { faults: sample_faults() };
    let (zh, en) =
        (render_refusal(unsound(), Language::Zh), render_refusal(unsound(), Language::En));
    assert_eq!(zh["detail"], "查出 4 处错误，整份文件都没有生效；请按 errors 逐处修改后重新发布。");
    assert_eq!(zh["count"], 4);
    let told = |body: &serde_json::Value| -> Vec<String> {
        let errors = body["errors"].as_array().unwrap().iter();
        errors.map(|e| format!("{} {} {}", e["pointer"], e["code"], e["message"])).collect()
    };
    assert_eq!(
        told(&zh),
        [
            r#""/document/rows/2/id" "duplicate_id" "编号重复：所填“R-1”；应为各不相同的编号。""#,
            r#""/document" "too_many_rows" "条目过多：所填“5001”；应为最多 5000 条。""#,
            r#""/document/years/2026/days/3/date" "bad_date" "日期无效：所填“02-30”，年度“2026”。""#,
            r#""/document/measures" "empty" "内容不能为空。""#,
        ]
    );
    assert_eq!(
        told(&en),
        [
            r#""/document/rows/2/id" "duplicate_id" "duplicate id: given “R-1”; expected an id of its own.""#,
            r#""/document" "too_many_rows" "too many rows: given “5001”; expected at most 5000 rows.""#,
            r#""/document/years/2026/days/3/date" "bad_date" "bad date: given “02-30”, year “2026”.""#,
            r#""/document/measures" "empty" "empty.""#,
        ]
    );
}

#[test]
fn facts_are_told_to_people_and_programs() {
    let by_code = |code| all_refusals().into_iter().find(|r| r.code() == code).unwrap();
    let zh = render_refusal(by_code("too_much_time"), Language::Zh);
    assert_eq!(zh["detail"], "申请的时间要大于零，一次最多 3 个工作日；请缩短后重新申请。");
    assert_eq!(zh["most"], serde_json::json!({ "amount": 3, "unit": "working_day" }));
    let en = render_refusal(by_code("too_much_time"), Language::En);
    assert_eq!(
        en["detail"],
        "The requested time must be more than zero and at most 3 working days at a time; request less."
    );
    let zh = render_refusal(by_code("suspended"), Language::Zh);
    assert_eq!(
        zh["detail"],
        "案卷正在挂账，到 2026-09-21 22:13 +08:00 为止；请等到那时，或者先恢复办理。"
    );
    assert_eq!(zh["until"], "2026-09-21T14:13:20Z");
    let zh = render_refusal(by_code("arrival_unproven"), Language::Zh);
    assert_eq!((&zh["distance_m"], &zh["most_m"]), (&731.0.into(), &200.into()));
    let none = Refusal::ArrivalUnproven { distance_m: None, most_m: 200 };
    assert!(render_refusal(none, Language::Zh).get("distance_m").is_none());
}
