//! The named invariants of the field that no table shows, one by one.

use domain::{
    flows::{
        case::{Callback, Command, Satisfaction, Stage},
        flow::Flow as _,
    },
    rules::{
        obligation::{Duty, Outcome},
        refusal::Refusal,
    },
};

use super::{
    script::{
        OTHER, Script, answer, close, dispatch, escalate, feed_back, give_back, miss_callback,
        reopen, verify, whistle,
    },
    world::{
        CITY, COMMUNITY, COMMUNITY_BESIDE, DISTRICT, GRID, STREET, URBAN, almighty, minutes, unit,
    },
};

#[test]
fn the_clock_to_handle_starts_at_dispatch_whenever_it_is_signed() {
    let dispatched = Script::until_dispatched();
    let (start, late) = (dispatched.at, dispatched.wait_days(3));
    let handling = late.then_worker(&Command::Sign).then_worker(&Command::Start);
    let owed = handling.case().obligations();
    assert_eq!(owed.len(), 1);
    assert_eq!((owed[0].duty, owed[0].term.started_at), (Duty::Handle, start));
    // Five working days after a Friday; the holidays of Qingming last until Monday.
    assert_eq!(owed[0].term.due_at, start + minutes(10 * 24 * 60));
}

#[test]
fn on_time_ends_the_instant_before_it_is_due() {
    for (millisecond, outcome) in [(-1, Outcome::Met), (0, Outcome::Late), (1, Outcome::Late)] {
        let script = Script::until_dispatched();
        let due = script.case().obligations()[0].term.due_at;
        let at = due + chrono::Duration::milliseconds(millisecond);
        let change = script.chain.try_command(&almighty(OTHER), at, &Command::Sign).unwrap();
        let sign = &change.settled[0];
        assert_eq!((sign.obligation.duty, sign.outcome), (Duty::Sign, outcome));
    }
}

#[test]
fn a_return_is_counted_and_lifts_what_the_unit_owed() {
    let mut script = Script::until_dispatched();
    let change = script.run_command(&almighty(OTHER), &give_back());
    assert_eq!(change.state.tally.returns, 1);
    assert_eq!(change.settled.len(), 2);
    assert!(change.settled.iter().all(|settled| settled.outcome == Outcome::Lifted));
    let again = script.then_other(&dispatch(GRID)).then_worker(&give_back());
    assert_eq!(again.case().tally.returns, 2);
}

#[test]
fn escalation_climbs_to_the_district_and_no_further() {
    let mut script = Script::until_filed();
    for level in [STREET, DISTRICT] {
        let change = script.run_command(&almighty(OTHER), &escalate());
        assert_eq!(change.state.holder, unit(level));
        assert_eq!(change.opened[0].owed_by, unit(level));
    }
    let asked = script.chain.try_command(&almighty(OTHER), script.at, &escalate());
    assert_eq!(asked.unwrap_err(), Refusal::NoLevelAbove { holder: "东区".to_owned() });
}

#[test]
fn dispatching_stays_within_the_holders_area() {
    let outside = |script: &Script, to| {
        script.chain.try_command(&almighty(OTHER), script.at, &dispatch(to)).map(|_| ())
    };
    let community = Script::until_filed();
    for to in [STREET, COMMUNITY_BESIDE, URBAN, CITY] {
        let (holder, unit) = ("柳岸社区".to_owned(), unit(to).name);
        let refusal = Refusal::OutsideJurisdiction { holder, unit };
        assert_eq!(outside(&community, to), Err(refusal));
    }
    assert_eq!(outside(&community, COMMUNITY), Ok(()), "it may handle it itself");
    let district = Script::held_by(DISTRICT);
    assert_eq!(outside(&district, URBAN), Ok(()));
    assert!(outside(&district, COMMUNITY_BESIDE).is_err());
}

#[test]
fn only_a_street_blows_the_whistle() {
    for holder in [COMMUNITY, DISTRICT] {
        let script = Script::held_by(holder);
        let asked = script.chain.try_command(&almighty(OTHER), script.at, &whistle(URBAN, &[]));
        assert_eq!(asked.unwrap_err(), Refusal::NotAStreet { holder: unit(holder).name });
    }
}

#[test]
fn solved_and_satisfied_are_asked_of_whoever_was_reached() {
    let script = Script::until_verified();
    let ask = |reached, solved, satisfied| {
        let answer = Callback { reached, solved, satisfied, comment: None, report: None };
        let command = Command::CallBack(answer);
        script.chain.try_command(&almighty(OTHER), script.at, &command).map(|_| ())
    };
    let contradicts = |problem| Err(Refusal::AnswersContradict { problem });
    let some = Some(Satisfaction::Satisfied);
    for (solved, satisfied) in [(None, None), (Some(true), None), (None, some)] {
        assert_eq!(ask(true, solved, satisfied), contradicts("reached_but_not_answered"));
    }
    for (solved, satisfied) in [(Some(false), None), (None, some), (Some(true), some)] {
        assert_eq!(ask(false, solved, satisfied), contradicts("nobody_reached_but_answered"));
    }
    for satisfied in Satisfaction::ALL {
        for solved in [true, false] {
            assert_eq!(ask(true, Some(solved), Some(*satisfied)), Ok(()), "two questions");
        }
    }
}

#[test]
fn a_case_is_closed_without_an_answer_only_after_enough_attempts() {
    let mut script = Script::until_verified();
    for attempt in 1..=2 {
        let change = script.run_command(&almighty(OTHER), &miss_callback());
        assert!(matches!(change.state.stage, Stage::Verified { .. }));
        assert_eq!(change.state.tally.missed_callbacks, attempt);
        assert!(change.settled.is_empty() && change.opened.is_empty(), "it is still owed");
        assert!(script.chain.try_command(&almighty(OTHER), script.at, &close()).is_err());
    }
    let script = script.then_other(&miss_callback()).then_other(&close());
    let Stage::Closed { closing, .. } = &script.case().stage else { panic!("not closed") };
    assert_eq!(closing.outcome, domain::flows::case::Outcome::Unanswered);
    let again =
        script.then_other(&reopen()).then_other(&dispatch(GRID)).then_worker(&Command::Sign);
    let again = again.then_worker(&feed_back()).then_other(&verify(true));
    assert_eq!(again.case().tally.missed_callbacks, 0, "a new round counts anew");
}

#[test]
fn a_case_is_reopened_within_the_window_with_number_and_history() {
    let closed = Script::until_closed();
    let Stage::Closed { closing, .. } = closed.case().stage.clone() else { panic!("not closed") };
    assert_eq!(closing.reopen_until, closing.at + minutes(15 * 24 * 60));
    let ask = |at| closed.chain.try_command(&almighty(OTHER), at, &reopen());
    let last = closing.reopen_until - chrono::Duration::milliseconds(1);
    let change = ask(last).unwrap();
    let (case, before) = (&change.state, closed.case());
    assert_eq!(
        (&case.number, case.id, case.filed_at),
        (&before.number, before.id, before.filed_at)
    );
    assert_eq!((&case.units, &case.reports), (&before.units, &before.reports));
    assert_eq!(case.tally.reopenings, 1);
    let over = Refusal::WindowOver { ended_at: closing.reopen_until };
    assert_eq!(ask(closing.reopen_until).unwrap_err(), over);
}

#[test]
fn not_solved_goes_back_to_whoever_did_it_with_a_new_clock() {
    let mut unit = Script::until_verified();
    let change = unit.run_command(&almighty(OTHER), &answer(false));
    assert_eq!(change.state.stage.assignment().unwrap().unit.id, GRID);
    let again = &change.opened[0];
    assert_eq!((again.duty, again.term.started_at), (Duty::Handle, unit.at));
    let mut departments = Script::whistle_verified();
    let change = departments.run_command(&almighty(OTHER), &answer(false));
    let work = change.opened.iter().filter(|owed| owed.duty.is_work());
    let back: Vec<_> = work.map(|o| (o.duty, o.owed_by.id)).collect();
    assert_eq!(back, [(Duty::FeedBack, URBAN)]);
    assert_eq!(change.opened[0].term.started_at, departments.at);
    assert_eq!(change.state.tally.reworks, 1);
}

#[test]
fn a_closed_case_owes_ratings_at_most_and_lets_them_go_when_reopened() {
    let mut closed = Script::whistle_closed();
    let duties: Vec<_> = closed.case().obligations().iter().map(|o| o.duty).collect();
    assert_eq!(duties, [Duty::Rate, Duty::Rate]);
    let change = closed.run_command(&almighty(OTHER), &reopen());
    assert_eq!(change.settled.len(), 2);
    assert!(change.settled.iter().all(|settled| settled.outcome == Outcome::Lifted));
}
