//! A case nobody wants: given back so often, then given by an arbiter to whom it is for good.

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
        CITY, COMMUNITY, COMMUNITY_BESIDE, DISTRICT, GRID, URBAN, almighty, conduct, person, unit,
    },
};

#[test]
fn one_return_too_many_puts_it_before_the_arbiter() {
    for allowed in [0_u32, 1, 2, 4] {
        let rules = conduct(|conduct| conduct.returns = allowed);
        let mut script = Script::begun(rules, COMMUNITY);
        for count in 1..=allowed {
            script = script.other(&dispatch(GRID)).works(&give_back());
            assert_eq!(script.case().stage.name(), StageName::Filed, "{count} of {allowed}");
            assert_eq!(script.case().tally.returns, count);
        }
        let script = script.other(&dispatch(GRID)).works(&give_back());
        let Stage::Disputed { arbiter, .. } = &script.case().stage else { panic!("not disputed") };
        assert_eq!(*arbiter, unit(DISTRICT));
        assert_eq!(script.owed(Duty::Arbitrate).owed_by, unit(DISTRICT));
        assert!(!script.owes(Duty::Dispatch), "it is no longer the holder's");
    }
}

#[test]
fn whose_it_is_by_ruling_cannot_be_given_back() {
    let script = Script::disputed();
    let (script, change) = script.now(&almighty(OTHER), &arbitrate(URBAN));
    assert_eq!(
        (change.settled[0].obligation.duty, change.settled[0].outcome),
        (Duty::Arbitrate, Outcome::Met)
    );
    let appointed = Refusal::Appointed { unit: unit(URBAN).name };
    assert_eq!(script.refusal(WORKER, &give_back()), appointed);
    let signed = script.works(&Command::Sign);
    assert_eq!(signed.refusal(WORKER, &give_back()), appointed);
    let handling = signed.works(&Command::Start);
    assert_eq!(handling.refusal(WORKER, &give_back()), appointed);
    let again = handling.works(&super::script::feed_back()).other(&verify(false));
    assert_eq!(again.refusal(WORKER, &give_back()), appointed, "not after rework either");
}

#[test]
fn an_arbiter_appoints_within_the_own_district() {
    let script = Script::disputed();
    for outside in [CITY, COMMUNITY_BESIDE] {
        let (holder, name) = (unit(DISTRICT).name, unit(outside).name);
        let refusal = script.refusal(OTHER, &arbitrate(outside));
        assert_eq!(refusal, Refusal::OutsideJurisdiction { holder, unit: name });
    }
    for inside in [URBAN, GRID, DISTRICT] {
        assert!(script.ask(OTHER, &arbitrate(inside)).is_ok());
    }
}

#[test]
fn the_clock_of_whoever_is_appointed_starts_with_the_ruling() {
    let script = Script::disputed().later(2);
    let (script, _) = script.now(&almighty(OTHER), &arbitrate(URBAN));
    for duty in [Duty::Sign, Duty::Handle] {
        assert_eq!(script.owed(duty).term.started_at, script.at);
    }
}

/// That it was the wrong unit is a fact about whoever dispatched it there.
#[test]
fn a_return_names_who_dispatched() {
    let script = Script::filed().then(&almighty(77), &dispatch(GRID));
    let (_, change) = script.now(&almighty(WORKER), &give_back());
    let happened = events(&change);
    let Some(Event::Returned { dispatcher, dispatcher_name, unit: by, .. }) = happened.first()
    else {
        panic!("{happened:?}")
    };
    assert_eq!((*dispatcher, dispatcher_name.as_str()), (person(77), "全能"));
    assert_eq!(*by, unit(GRID));
}

#[test]
fn who_had_it_first_stays_known() {
    let script = Script::appointed();
    assert_eq!(script.case().first, Some(unit(GRID)));
    assert_eq!(script.case().stage.assignment().unwrap().unit, unit(URBAN));
}
