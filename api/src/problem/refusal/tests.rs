//! Every refusal as it is read aloud.

use std::collections::BTreeSet;

use super::*;
use crate::{language::Language, problem::render};

/// One of each variant; those of the table that only the domain can say are all here.
fn all() -> Vec<Refusal> {
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
        Refusal::HandlerVerifies,
        Refusal::AnswersContradict { problem: "reached_but_not_answered" },
        Refusal::WindowOver { ended_at: at },
        Refusal::NotJoinable { state: "closed" },
        Refusal::TooManyReports { max: 500 },
        Refusal::TooManyComments { max: 2000 },
        Refusal::AlreadyExists { what: "person" },
        Refusal::TooManyGrants { max: 50 },
        Refusal::NoSuchGrant,
        Refusal::OutsideTenant,
        Refusal::PlaceMissing,
        Refusal::NotATerritory { unit: text() },
        Refusal::ClientTime { given: at, earliest: at, latest: at },
        Refusal::EmptyPeriod,
        Refusal::UnknownCategory { code: "Z99".to_owned() },
        Refusal::UnknownArea { id: AreaId(uuid::Uuid::nil()) },
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

fn read(refusal: Refusal, language: Language) -> serde_json::Value {
    let body = render(&Problem::from(refusal), language, "0af7651916cd43dd8448eb211c80319c");
    serde_json::from_slice(&body).unwrap()
}

#[test]
fn a_refusal_keeps_its_code_and_has_both_languages() {
    for refusal in all() {
        let code = refusal.code();
        let (zh, en) = (read(refusal.clone(), Language::Zh), read(refusal, Language::En));
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
    for refusal in all() {
        let expected = match refusal.code() {
            "not_permitted" => 403,
            "already_exists" => 409,
            _ => 422,
        };
        assert_eq!(read(refusal, Language::Zh)["status"], expected);
    }
}

#[test]
fn wrong_state_says_what_is_possible() {
    let refusal = all().swap_remove(0);
    let zh = read(refusal.clone(), Language::Zh);
    assert_eq!(
        zh["detail"],
        "这个案卷当前是“已派遣”，不能“结案”；现在可以：签收、退单、并入上报、批注。"
    );
    assert_eq!(zh["possible"], serde_json::json!(["sign", "return", "join", "comment"]));
    assert_eq!((&zh["state"], &zh["command"]), (&"dispatched".into(), &"close".into()));
    let en = read(refusal, Language::En);
    assert_eq!(
        en["detail"],
        "This case is `dispatched`, not fit for `close`; possible now: sign, return, join, comment."
    );
}

#[test]
fn times_are_read_in_china() {
    let refusal = all().into_iter().find(|r| r.code() == "window_over").unwrap();
    let zh = read(refusal, Language::Zh);
    assert_eq!(zh["detail"], "重开期限已于 2026-09-21 22:13 +08:00 结束；请重新上报。");
    assert_eq!(zh["ended_at"], "2026-09-21T14:13:20Z");
}
