//! A case that no unit accepts: returned too often, then assigned for good by an arbiter.

use domain::{
    flows::case::{Command, Event, Stage, lifecycle::StageName},
    rules::{
        obligation::{Duty, Outcome},
        refusal::Refusal,
    },
};

use super::{
    script::{OTHER, Script, WORKER, arbitrate, dispatch, events, give_back, verify},
    world::{
        CITY, COMMUNITY, COMMUNITY_BESIDE, DISTRICT, GRID, URBAN, almighty, person_id, unit,
        with_conduct,
    },
};

#[test]
fn one_return_too_many_puts_it_before_the_arbiter() {
    for allowed in [0_u32, 1, 2, 4] {
        let rules = with_conduct(|conduct| conduct.returns = allowed);
        let mut script = Script::with_rules(rules, COMMUNITY);
        for count in 1..=allowed {
            script = script.then_other(&dispatch(GRID)).then_worker(&give_back());
            assert_eq!(script.case().stage.name(), StageName::Filed, "{count} of {allowed}");
            assert_eq!(script.case().tally.returns, count);
        }
        let script = script.then_other(&dispatch(GRID)).then_worker(&give_back());
        let Stage::Disputed { arbiter, .. } = &script.case().stage else { panic!("not disputed") };
        assert_eq!(*arbiter, unit(DISTRICT));
        assert_eq!(script.first_obligation(Duty::Arbitrate).owed_by, unit(DISTRICT));
        assert!(!script.has_obligation(Duty::Dispatch), "it is no longer the holder's");
    }
}

#[test]
fn whose_it_is_by_ruling_cannot_be_given_back() {
    let script = Script::until_disputed();
    let (script, change) = script.act_now(&almighty(OTHER), &arbitrate(URBAN));
    assert_eq!(
        (change.settled[0].obligation.duty, change.settled[0].outcome),
        (Duty::Arbitrate, Outcome::Met)
    );
    let appointed = Refusal::Appointed { unit: unit(URBAN).name };
    assert_eq!(script.expect_refusal(WORKER, &give_back()), appointed);
    let signed = script.then_worker(&Command::Sign);
    assert_eq!(signed.expect_refusal(WORKER, &give_back()), appointed);
    let handling = signed.then_worker(&Command::Start);
    assert_eq!(handling.expect_refusal(WORKER, &give_back()), appointed);
    let again = handling.then_worker(&super::script::feed_back()).then_other(&verify(false));
    assert_eq!(again.expect_refusal(WORKER, &give_back()), appointed, "not after rework either");
}

#[test]
fn an_arbiter_appoints_within_the_own_district() {
    let script = Script::until_disputed();
    for outside in [CITY, COMMUNITY_BESIDE] {
        let (holder, name) = (unit(DISTRICT).name, unit(outside).name);
        let refusal = script.expect_refusal(OTHER, &arbitrate(outside));
        assert_eq!(refusal, Refusal::OutsideJurisdiction { holder, unit: name });
    }
    for inside in [URBAN, GRID, DISTRICT] {
        assert!(script.try_command(OTHER, &arbitrate(inside)).is_ok());
    }
}

#[test]
fn the_clock_of_whoever_is_appointed_starts_with_the_ruling() {
    let script = Script::until_disputed().wait_days(2);
    let (script, _) = script.act_now(&almighty(OTHER), &arbitrate(URBAN));
    for duty in [Duty::Sign, Duty::Handle] {
        assert_eq!(script.first_obligation(duty).term.started_at, script.at);
    }
}

/// A wrong dispatch is a fact about the person who dispatched.
#[test]
fn a_return_names_who_dispatched() {
    let script = Script::until_filed().then(&almighty(77), &dispatch(GRID));
    let (_, change) = script.act_now(&almighty(WORKER), &give_back());
    let happened = events(&change);
    let Some(Event::Returned { dispatcher, dispatcher_name, unit: by, .. }) = happened.first()
    else {
        panic!("{happened:?}")
    };
    assert_eq!((*dispatcher, dispatcher_name.as_str()), (person_id(77), "全能"));
    assert_eq!(*by, unit(GRID));
}

#[test]
fn who_had_it_first_stays_known() {
    let script = Script::until_appointed();
    assert_eq!(script.case().first, Some(unit(GRID)));
    assert_eq!(script.case().stage.assignment().unwrap().unit, unit(URBAN));
}
