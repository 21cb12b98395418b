//! The policy about whistles: ranks and topics.

use domain::{
    area::tree::AreaKind,
    core::tabular_import::At,
    people::actor::Role,
    rules::whistle_policy::{Approval, Rank, Topic, Whistling},
};

use super::lists::locate_faults;

fn find_faults(change: impl Fn(&mut Whistling)) -> Vec<(At, &'static str, &'static str)> {
    let mut whistling = Whistling::standard();
    change(&mut whistling);
    locate_faults(&whistling.check())
}

/// Changes the second rank, the one that needs two signatures.
fn find_rank_faults(change: impl Fn(&mut Rank)) -> Vec<(At, &'static str, &'static str)> {
    find_faults(|whistling| change(&mut whistling.ranks[1]))
}

fn rank_fault(column: &'static str, code: &'static str) -> Vec<(At, &'static str, &'static str)> {
    vec![(At::Row(1), column, code)]
}

#[test]
fn the_standard_is_without_fault() {
    assert_eq!(find_faults(|_| {}), vec![]);
    let standard = Whistling::standard();
    let hard = standard.find_rank("hard").unwrap();
    assert_eq!(hard.label, "攻坚克难哨");
    assert_eq!(hard.approvals.len(), 2);
    assert!(hard.to_district_leader);
    assert!(standard.find_rank("advance").unwrap().approvals.is_empty());
    assert!(standard.find_rank("urgent").unwrap().approvals.is_empty());
    assert_eq!(standard.find_topic("emergency").unwrap().label, "应急处置");
    assert!(standard.find_rank("soft").is_none() && standard.find_topic("weather").is_none());
}

#[test]
fn every_fault_of_the_whole_is_named() {
    let whole = |column, code| vec![(At::Whole, column, code)];
    assert_eq!(find_faults(|all| all.ranks.clear()), whole("ranks", "empty"));
    assert_eq!(find_faults(|all| all.topics.clear()), whole("topics", "empty"));
    assert_eq!(
        find_faults(|all| all.ranks[1].code = "advance".into()),
        rank_fault("code", "duplicate_code")
    );
    assert_eq!(
        find_faults(|all| all.topics[1].code = "resident_demand".into()),
        rank_fault("code", "duplicate_code")
    );
    assert_eq!(find_faults(|all| all.topics[1].label.clear()), rank_fault("label", "empty"));
    let out = |column| whole(column, "out_of_range");
    assert_eq!(find_faults(|all| all.repeat_window_days = 0), out("repeat_window_days"));
    assert_eq!(find_faults(|all| all.repeat_metres = 5_001), out("repeat_metres"));
    assert_eq!(find_faults(|all| all.arrival_metres = 0), out("arrival_metres"));
    let topic = Topic { code: String::new(), label: "x".into() };
    assert_eq!(find_faults(|all| all.topics[1] = topic.clone()), rank_fault("code", "empty"));
    let mut wrong = Whistling::standard();
    wrong.topics[1].label.clear();
    wrong.ranks[2].code = "hard".into();
    let pointers: Vec<String> =
        wrong.check().iter().map(domain::core::tabular_import::Fault::pointer).collect();
    assert_eq!(pointers, ["/ranks/2/code", "/topics/1/label"], "each in its own list");
}

#[test]
fn every_fault_of_a_rank_is_named() {
    assert_eq!(find_rank_faults(|rank| rank.code = "x".repeat(41)), rank_fault("code", "too_long"));
    assert_eq!(find_rank_faults(|rank| rank.label.clear()), rank_fault("label", "empty"));
    assert_eq!(find_rank_faults(|rank| rank.blowers.clear()), rank_fault("blowers", "empty"));
    assert_eq!(
        find_rank_faults(|rank| rank.blowers.push(Role::Resident)),
        rank_fault("blowers", "unfit_role")
    );
    assert_eq!(
        find_rank_faults(|rank| rank.level = AreaKind::District),
        rank_fault("level", "unknown_level")
    );
    assert_eq!(
        find_rank_faults(|rank| rank.approvals[0].roles.clear()),
        rank_fault("approvals", "empty")
    );
    let administrator = vec![Role::Administrator];
    assert_eq!(
        find_rank_faults(|rank| rank.approvals[0].roles.clone_from(&administrator)),
        rank_fault("approvals", "unfit_role")
    );
    let third = Approval { roles: vec![Role::StreetLeader], after: None };
    assert_eq!(
        find_rank_faults(|rank| rank.approvals.push(third.clone())),
        rank_fault("approvals", "too_many_approvals")
    );
}

#[test]
fn signatures_wait_for_each_other_in_some_order() {
    let after = |first, second| {
        find_rank_faults(|rank| {
            rank.approvals[0].after = first;
            rank.approvals[1].after = second;
        })
    };
    assert_eq!(after(None, None), vec![]);
    assert_eq!(after(Some(1), None), vec![]);
    let cycle = rank_fault("approvals", "approval_cycle");
    assert_eq!(after(Some(0), None), cycle);
    assert_eq!(after(Some(1), Some(0)), [cycle.clone(), cycle].concat());
    assert_eq!(after(None, Some(2)), rank_fault("approvals", "unknown_approval"));
}

#[test]
fn an_unknown_role_or_field_is_refused_when_read() {
    let text = serde_json::to_string(&Whistling::standard()).unwrap();
    assert_eq!(serde_json::from_str::<Whistling>(&text).unwrap(), Whistling::standard());
    let mayor = text.replace("street_dispatcher", "mayor");
    let error = serde_json::from_str::<Whistling>(&mayor).unwrap_err().to_string();
    assert!(error.contains("mayor") && error.contains("street_leader"), "{error}");
    let field = text.replace("\"label\"", "\"colour\":1,\"label\"");
    assert!(serde_json::from_str::<Whistling>(&field).is_err());
}
