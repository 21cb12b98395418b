//! Dispatching to communities: only matters on their list.

use domain::{
    core::{id::AreaId, text::Code},
    flows::case::{Command, Opening},
    rules::{
        admission::{Admissions, EntryKind, NOT_ADMITTED},
        refusal::Refusal,
        rulebook::Rules,
    },
};

use super::{
    lists::entry,
    script::{OTHER, Script, arbitrate, dispatch, opening},
    world::{COMMUNITY, Chain, GRID, SQUAD, STREET, almighty, morning, unit},
};

/// Held by the street, under a list that may be enforced.
fn with_admissions(category: Option<&str>, kinds: &[EntryKind], enforced: bool) -> Script {
    let mut rules = Rules::standard();
    let entries = kinds.iter().map(|kind| entry("XC-1", *kind, "A01", None)).collect();
    rules.admissions.value = Admissions { entries, enforced };
    let chain = Chain::with_rules(Box::leak(Box::new(rules)));
    let mut opening: Opening = opening(STREET);
    opening.matter.category = category.map(|code| Code::try_from(code).unwrap());
    let script = Script { chain, at: morning() };
    script.then(&almighty(OTHER), &Command::Open(Box::new(opening)))
}

fn admission_refusal(to: AreaId, entry: Option<&str>) -> Refusal {
    let entry = entry.map(str::to_owned);
    Refusal::NotAdmitted { unit: unit(to).name, category: "A01".to_owned(), entry }
}

#[test]
fn an_unlisted_matter_is_not_handed_down_to_a_community_or_a_grid() {
    let script = with_admissions(Some("A01"), &[], true);
    for to in [COMMUNITY, GRID] {
        let refusal = script.expect_refusal(OTHER, &dispatch(to));
        assert_eq!(refusal, admission_refusal(to, None));
        assert_eq!(refusal.code(), NOT_ADMITTED);
    }
    assert!(script.try_command(OTHER, &dispatch(SQUAD)).is_ok(), "a department is not protected");
}

#[test]
fn a_listed_matter_is_and_a_forbidden_one_names_what_forbids_it() {
    let listed = with_admissions(Some("A01"), &[EntryKind::Assist], true);
    assert!(listed.try_command(OTHER, &dispatch(COMMUNITY)).is_ok());
    let forbidden = with_admissions(Some("A01"), &[EntryKind::Negative], true);
    assert_eq!(
        forbidden.expect_refusal(OTHER, &dispatch(GRID)),
        admission_refusal(GRID, Some("XC-1"))
    );
}

#[test]
fn a_list_that_does_not_count_and_a_matter_nobody_classed_decide_nothing() {
    for script in [with_admissions(Some("A01"), &[], false), with_admissions(None, &[], true)] {
        assert!(script.try_command(OTHER, &dispatch(COMMUNITY)).is_ok());
    }
}

/// An arbiter's decision is final and has taken the list into account.
#[test]
fn an_arbiter_is_above_the_list() {
    let mut script = with_admissions(Some("A01"), &[], true);
    for _ in 0..3 {
        script = script.then_other(&dispatch(SQUAD)).then_worker(&super::script::give_back());
    }
    assert!(script.try_command(OTHER, &arbitrate(COMMUNITY)).is_ok());
}
