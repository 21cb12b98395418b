//! The first receiver of a case leads it: it must not return it, and answers for the result.

use domain::{
    core::{id::AreaId, text::Code, time::local_day},
    flows::case::Command,
    rules::{
        condition::Period,
        obligation::Duty,
        refusal::Refusal,
        responsibility::{Item, Lead, Responsibilities},
        rulebook::{Edition, Rules},
    },
};

use super::{
    script::{
        OTHER, Script, WORKER, contest, dispatch, excuse, give_back, give_back_to, opening, whistle,
    },
    world::{
        COMMUNITY, Chain, GRID, MARKET, STREET, TRAFFIC, URBAN, almighty, morning, unit,
        with_conduct,
    },
};

/// Rules under which this unit leads all matters of the street.
fn rules_with_lead(lead: AreaId) -> &'static Rules {
    let item = Item {
        code: "Q-1".to_owned(),
        category: "A01".to_owned(),
        area: None,
        level: None,
        lead: Lead::Unit(lead),
        cooperating: Vec::new(),
        basis: "权责清单".to_owned(),
        owner: "网格中心".to_owned(),
        period: Period { from: local_day(morning()), until: None },
    };
    let mut rules = Rules::standard();
    rules.responsibilities = Edition { no: 1, value: Responsibilities { items: vec![item] } };
    Box::leak(Box::new(rules))
}

/// A case with a category, so that lists can cover it.
fn with_category(rules: &'static Rules, holder: AreaId) -> Script {
    let mut opening = opening(holder);
    opening.matter.category = Some(Code::try_from("A01").unwrap());
    let script = Script { chain: Chain::with_rules(rules), at: morning() };
    script.then(&almighty(OTHER), &Command::Open(Box::new(opening)))
}

#[test]
fn the_first_to_receive_it_says_whose_it_is_instead() {
    let first = Script::until_dispatched();
    let refused = Refusal::FirstReceiver { unit: unit(GRID).name, item: None };
    assert_eq!(first.expect_refusal(WORKER, &give_back_to(None)), refused);
    assert_eq!(
        first.expect_refusal(WORKER, &give_back_to(Some(GRID))),
        refused,
        "itself is nobody else"
    );
    let second = first.then_worker(&give_back()).then_other(&dispatch(COMMUNITY));
    assert!(second.try_command(WORKER, &give_back_to(None)).is_ok(), "the second is not the first");
    let back = second.then_worker(&give_back_to(None)).then_other(&dispatch(GRID));
    assert_eq!(back.expect_refusal(WORKER, &give_back_to(None)), refused, "and stays the first");
    let rules = with_conduct(|conduct| conduct.first_receiver = false);
    let lax = Script::with_rules(rules, COMMUNITY).then_other(&dispatch(GRID));
    assert!(lax.try_command(WORKER, &give_back_to(None)).is_ok(), "where the tenant wants it so");
}

#[test]
fn the_first_to_receive_it_keeps_what_the_list_says_is_its_own() {
    let own = with_category(rules_with_lead(GRID), COMMUNITY).then_other(&dispatch(GRID));
    let item = Some("Q-1".to_owned());
    let refused = Refusal::FirstReceiver { unit: unit(GRID).name, item };
    assert_eq!(own.expect_refusal(WORKER, &give_back()), refused);
    let other = with_category(rules_with_lead(URBAN), COMMUNITY).then_other(&dispatch(GRID));
    assert!(other.try_command(WORKER, &give_back()).is_ok());
}

#[test]
fn a_whistle_has_a_first_receiver_too_and_it_is_the_lead() {
    let summons = |unit, act| Command::Summons { unit, act };
    let blown =
        with_category(rules_with_lead(URBAN), STREET).then_other(&whistle(URBAN, &[MARKET]));
    assert_eq!(blown.case().first, Some(unit(URBAN)));
    let item = Some("Q-1".to_owned());
    let refused = Refusal::FirstReceiver { unit: unit(URBAN).name, item };
    assert_eq!(blown.expect_refusal(WORKER, &summons(URBAN, contest())), refused);
    assert!(
        blown.try_command(WORKER, &summons(MARKET, contest())).is_ok(),
        "who helps may contest"
    );
    let open = Script::until_whistled();
    assert!(open.try_command(WORKER, &summons(URBAN, contest())).is_ok(), "no list names it");
}

#[test]
fn the_first_answers_for_it_until_another_one_signs() {
    let answerable = |script: &Script| script.case().answerable.clone();
    let first = Script::until_dispatched();
    assert_eq!(answerable(&Script::until_filed()), None);
    assert_eq!(answerable(&first), Some(unit(GRID)));
    let passed_on = first.then_worker(&give_back()).then_other(&dispatch(COMMUNITY));
    assert_eq!(answerable(&passed_on), Some(unit(GRID)), "nobody else signed");
    let signed = passed_on.then_worker(&Command::Sign);
    assert_eq!(answerable(&signed), Some(unit(COMMUNITY)));
    assert_eq!(signed.case().first, Some(unit(GRID)), "the first stays the first");
    let replaced = Script::until_whistled().then_acts(URBAN, &[contest(), excuse(Some(TRAFFIC))]);
    assert_eq!(answerable(&replaced), Some(unit(URBAN)));
    let helped = replaced.then_acts(MARKET, &[domain::flows::case::whistle::SummonsCommand::Sign]);
    assert_eq!(answerable(&helped), Some(unit(URBAN)), "who helps does not answer for it");
    let led = helped.then_acts(TRAFFIC, &[domain::flows::case::whistle::SummonsCommand::Sign]);
    assert_eq!(answerable(&led), Some(unit(TRAFFIC)));
    assert!(led.has_obligation(Duty::FeedBack));
}
