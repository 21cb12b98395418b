//! A case with too much rework: an arbiter gives the final ruling.

use domain::{
    flows::{
        case::{Outcome as End, Stage, lifecycle::StageName},
        flow::Flow as _,
    },
    rules::obligation::{Duty, Outcome},
};

use super::{
    script::{
        OTHER, Script, answer, answer_dissatisfied, dispatch, feed_back, reopen, rule, verify,
    },
    world::{COMMUNITY, DISTRICT, GRID, URBAN, almighty, unit, with_conduct},
};

/// A case after feedback, where so much rework is allowed.
fn fed_back(reworks: u32) -> Script {
    let rules = with_conduct(|conduct| conduct.reworks = reworks);
    let script = Script::with_rules(rules, COMMUNITY).then_other(&dispatch(GRID));
    script.then_worker(&domain::flows::case::Command::Sign).then_worker(&feed_back())
}

#[test]
fn one_rework_too_many_is_ruled_about() {
    for allowed in [0_u32, 1, 2, 3] {
        let mut script = fed_back(allowed);
        for _ in 0..allowed {
            script = script.then_other(&verify(false));
            assert_eq!(script.case().stage.name(), StageName::Handling);
            script = script.then_worker(&feed_back());
        }
        let seen = script.clone().then_other(&verify(false));
        let told = script.then_other(&verify(true)).then_other(&answer(false));
        for script in [seen, told] {
            assert_eq!(script.case().stage.name(), StageName::Ruling, "after {allowed}");
            assert_eq!(script.case().tally.reworks, allowed + 1);
            let mut owed = script.case().obligations();
            owed.retain(|owed| owed.duty != Duty::AnswerSupervision);
            let owed: Vec<_> = owed.into_iter().map(|o| (o.duty, o.owed_by)).collect();
            assert_eq!(owed, [(Duty::Rule, unit(DISTRICT))]);
        }
    }
}

/// Solved and dissatisfied: handled again up to the same limit, where the tenant wants it.
#[test]
fn who_is_dissatisfied_is_heard_as_often_and_then_it_is_ruled_about() {
    let told = |script: Script| script.then_other(&verify(true)).then_other(&answer_dissatisfied());
    let mut script = told(Script::fed_back());
    for _ in 0..2 {
        assert_eq!(script.case().stage.name(), StageName::Handling);
        script = told(script.then_worker(&feed_back()));
    }
    assert_eq!(script.case().stage.name(), StageName::Ruling, "the third time, as shipped");
    let rules = with_conduct(|conduct| conduct.redo_dissatisfied = false);
    let script = Script::with_rules(rules, COMMUNITY).then_other(&dispatch(GRID));
    let script =
        told(script.then_worker(&domain::flows::case::Command::Sign).then_worker(&feed_back()));
    assert_eq!(script.case().stage.name(), StageName::CalledBack);
    assert_eq!(
        script.first_obligation(Duty::AnswerSupervision).owed_by,
        unit(GRID),
        "supervised all the same"
    );
}

#[test]
fn it_is_over_by_ruling_and_can_be_reopened() {
    let (script, change) = Script::until_ruling().act_now(&almighty(OTHER), &rule(false));
    let Stage::Closed { closing, .. } = &script.case().stage else { panic!("not closed") };
    assert_eq!((closing.outcome, &closing.answer), (End::Ruled, &None));
    assert_eq!(change.settled[0].outcome, Outcome::Met);
    assert!(script.case().obligations().is_empty());
    assert!(script.try_command(OTHER, &reopen()).is_ok());
}

#[test]
fn or_it_is_handled_once_more_with_a_new_clock() {
    let script = Script::until_ruling();
    let (script, _) = script.act_now(&almighty(OTHER), &rule(true));
    assert_eq!(script.first_obligation(Duty::Handle).term.started_at, script.at);
    let again = script.then_worker(&feed_back()).then_other(&verify(false));
    assert_eq!(again.case().stage.name(), StageName::Ruling, "and then ruled about again");
    let solved = Script::until_ruling()
        .then_other(&rule(true))
        .then_worker(&feed_back())
        .then_other(&verify(true));
    assert_eq!(solved.case().stage.name(), StageName::Verified);
}

/// While a ruling is pending, the lead owes nothing that it could not do.
#[test]
fn departments_owe_no_work_while_it_is_ruled_about_nor_after() {
    let ruling = Script::whistle_ruling();
    let work = |script: &Script| {
        script.case().obligations().iter().filter(|owed| owed.duty.is_work()).count()
    };
    assert_eq!(work(&ruling), 0);
    assert_eq!(work(&ruling.clone().then_other(&rule(false))), 0);
    let again = ruling.then_other(&rule(true));
    assert_eq!(again.first_obligation(Duty::FeedBack).owed_by, unit(URBAN));
    assert_eq!(work(&again), 1);
}
