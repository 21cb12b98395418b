//! Approval requests: in time, within bounds, signed by others, and their results.

use chrono::Duration;
use domain::{
    calendar::limit::Limit,
    flows::case::{Event, state::ApprovalSubject},
    people::actor::Role,
    rules::{
        obligation::{Duty, Move, Outcome},
        refusal::Refusal,
        rulebook::{Extending, Rules},
    },
};

use super::{
    script::{
        OTHER, Script, THIRD, WORKER, decide, dispatch, events, extend, extend_one, suspend,
        withdraw,
    },
    world::{COMMUNITY, GRID, GRID_NEXT, STREET, WORLD, actor, almighty, unit, with_conduct},
};

fn working_days(amount: u32) -> Limit {
    Limit::working_days(amount)
}

fn extension_rules(times: u32, approvals: u8) -> &'static Rules {
    let most = working_days(10);
    with_conduct(|conduct| conduct.extension = Extending { times, most, approvals })
}

/// A case at work under these rules.
fn until_handling(rules: &'static Rules) -> Script {
    let script = Script::with_rules(rules, COMMUNITY).then_other(&dispatch(GRID));
    script
        .then_worker(&domain::flows::case::Command::Sign)
        .then_worker(&domain::flows::case::Command::Start)
}

#[test]
fn more_time_is_given_before_it_is_due_and_not_after() {
    let script = Script::until_handling();
    let due = script.first_obligation(Duty::Handle).term.due_at;
    let last = script.clone().wait_until(due - Duration::milliseconds(1));
    assert!(last.try_command(WORKER, &extend(working_days(3))).is_ok());
    for late in [Duration::zero(), Duration::milliseconds(1), Duration::days(9)] {
        let refusal =
            script.clone().wait_until(due + late).expect_refusal(WORKER, &extend(working_days(3)));
        assert_eq!(refusal, Refusal::Overdue { due_at: due });
    }
}

#[test]
fn the_end_moves_by_what_was_given_and_says_so() {
    let script = Script::until_handling();
    let before = script.first_obligation(Duty::Handle).term;
    let asked = script.then_worker(&extend(working_days(3)));
    assert_eq!(asked.first_obligation(Duty::Handle).term, before, "a question moves nothing");
    let no = asked.last_ask_no();
    let decided = asked.act_now(&almighty(OTHER), &decide(no, true));
    let (script, change) = decided;
    let term = script.first_obligation(Duty::Handle).term;
    let calendar = WORLD.rules.calendars.value.find_nearest(&[]);
    assert_eq!(term.due_at, calendar.add_limit(before.due_at, working_days(3)).at);
    assert!(term.due_at > before.due_at);
    assert_eq!(
        (term.no, term.started_at, term.limit),
        (before.no, before.started_at, before.limit)
    );
    assert_eq!(term.moves, [Move::Extended { limit: working_days(3) }]);
    assert!(term.next_at > before.next_at, "who has more time is reminded later");
    assert_eq!(change.moved.len(), 1);
    assert!(change.opened.is_empty());
    let signed: Vec<_> = change.settled.iter().map(|s| (s.obligation.duty, s.outcome)).collect();
    assert_eq!(signed, [(Duty::Decide, Outcome::Met)]);
    assert_eq!(script.case().tally.extensions, 1);
}

/// A request made in time is not lost because a signature is slow.
#[test]
fn what_was_asked_in_time_may_be_signed_after_the_end() {
    let script = Script::until_handling();
    let due = script.first_obligation(Duty::Handle).term.due_at;
    let asked = script
        .wait_until(due - Duration::minutes(1))
        .act_now(&almighty(WORKER), &extend(working_days(2)))
        .0;
    let no = asked.last_ask_no();
    let late = asked.wait_until(due + Duration::minutes(1));
    let given = late.then_other(&decide(no, true));
    assert!(given.first_obligation(Duty::Handle).term.due_at > due);
}

#[test]
fn more_time_moves_the_clock_it_was_asked_for_and_no_other() {
    for (asked, moved, stays) in [
        (extend(working_days(2)), Duty::Handle, Duty::Sign),
        (extend_one(Duty::Handle, working_days(2)), Duty::Handle, Duty::Sign),
        (extend_one(Duty::Sign, working_days(2)), Duty::Sign, Duty::Handle),
    ] {
        let before = Script::until_dispatched();
        let asked = before.clone().then_worker(&asked);
        let no = asked.last_ask_no();
        let given = asked.then_other(&decide(no, true));
        assert_eq!(
            given.first_obligation(moved).term.moves,
            [Move::Extended { limit: working_days(2) }]
        );
        assert_eq!(
            given.first_obligation(stays),
            before.first_obligation(stays),
            "{stays:?} runs on"
        );
    }
}

#[test]
fn a_clock_that_is_due_or_does_not_run_is_not_extended() {
    let late = Script::until_dispatched().wait_days(1);
    let due_at = late.first_obligation(Duty::Sign).term.due_at;
    let refusal = late.expect_refusal(WORKER, &extend_one(Duty::Sign, working_days(1)));
    assert_eq!(refusal, Refusal::Overdue { due_at });
    assert!(late.try_command(WORKER, &extend(working_days(1))).is_ok(), "the work is not late");
    for duty in [Duty::Sign, Duty::FeedBack, Duty::Close] {
        let refusal =
            Script::until_handling().expect_refusal(WORKER, &extend_one(duty, working_days(1)));
        assert_eq!(refusal, Refusal::NothingToExtend { duty: Some(duty) });
    }
}

#[test]
fn what_was_asked_of_a_clock_ends_with_it() {
    let asked = Script::until_dispatched().then_worker(&extend_one(Duty::Sign, working_days(1)));
    let both = asked.then_worker(&extend(working_days(1)));
    assert_eq!(both.case().asks.len(), 2, "of two clocks at once");
    let signed = both.then_worker(&domain::flows::case::Command::Sign);
    let kept: Vec<_> = signed.case().asks.iter().map(|ask| &ask.wish).collect();
    assert_eq!(
        kept,
        [&ApprovalSubject::Extension { duty: Some(Duty::Handle), limit: working_days(1) }]
    );
}

#[test]
fn more_time_is_bounded_each_time_and_in_number() {
    let script = until_handling(extension_rules(2, 0));
    for limit in [working_days(11), Limit::days(60), Limit { amount: 0, ..working_days(1) }] {
        let refusal = script.expect_refusal(WORKER, &extend(limit));
        assert_eq!(refusal, Refusal::TooMuchTime { most: working_days(10) }, "{limit}");
    }
    let twice = script.then_worker(&extend(working_days(10))).then_worker(&extend(Limit::hours(2)));
    assert_eq!(twice.first_obligation(Duty::Handle).term.moves.len(), 2);
    let refusal = twice.expect_refusal(WORKER, &extend(working_days(1)));
    assert_eq!(refusal, Refusal::Spent { what: "extension", times: 2 });
    let never =
        until_handling(extension_rules(0, 0)).expect_refusal(WORKER, &extend(working_days(1)));
    assert_eq!(never, Refusal::Spent { what: "extension", times: 0 });
}

#[test]
fn without_signatures_it_happens_at_once() {
    let script = until_handling(extension_rules(1, 0));
    let (script, change) = script.act_now(&almighty(WORKER), &extend(working_days(2)));
    assert!(matches!(events(&change).as_slice(), [Event::Extended { .. }]));
    assert!(script.case().asks.is_empty() && !script.has_obligation(Duty::Decide));
}

#[test]
fn two_signatures_are_given_one_after_another_by_the_holder_and_the_level_above() {
    let asked = until_handling(extension_rules(1, 2)).then_worker(&extend(working_days(2)));
    let (no, first) = (asked.last_ask_no(), asked.first_obligation(Duty::Decide));
    assert_eq!(first.owed_by, unit(COMMUNITY));
    let (once, change) = asked.act_now(&almighty(OTHER), &decide(no, true));
    let second = once.first_obligation(Duty::Decide);
    assert_eq!(second.owed_by, unit(STREET));
    assert_eq!(second.term.started_at, once.at, "its own clock, from now");
    assert_eq!((change.opened.len(), change.settled.len(), change.moved.len()), (1, 1, 0));
    assert_eq!(once.case().tally.extensions, 0, "one signature gives nothing");
    let leader = actor(70, "书记", &[(Role::StreetLeader, COMMUNITY)]);
    let below = once.chain.try_command(&leader, once.at, &decide(no, true)).unwrap_err();
    assert!(matches!(below, Refusal::NotPermitted { .. }), "not over the level above");
    let twice = once.then(&almighty(THIRD), &decide(no, true));
    assert_eq!(twice.case().tally.extensions, 1);
    assert!(!twice.has_obligation(Duty::Decide));
}

#[test]
fn everybody_signs_once_and_nobody_for_themselves() {
    let asked = until_handling(extension_rules(1, 2)).then_worker(&extend(working_days(2)));
    let no = asked.last_ask_no();
    for agree in [true, false] {
        assert_eq!(asked.expect_refusal(WORKER, &decide(no, agree)), Refusal::SignsTwice);
    }
    let once = asked.then_other(&decide(no, true));
    assert_eq!(once.expect_refusal(OTHER, &decide(no, true)), Refusal::SignsTwice);
    assert_eq!(once.expect_refusal(WORKER, &decide(no, true)), Refusal::SignsTwice);
    assert!(once.try_command(THIRD, &decide(no, true)).is_ok());
}

#[test]
fn one_refusal_ends_the_question_and_it_may_be_asked_again() {
    let asked = until_handling(extension_rules(1, 2)).then_worker(&extend(working_days(2)));
    let (no, before) = (asked.last_ask_no(), asked.first_obligation(Duty::Handle));
    let denied = asked.then_other(&decide(no, true)).then(&almighty(THIRD), &decide(no, false));
    assert_eq!(denied.first_obligation(Duty::Handle), before);
    assert!(denied.case().asks.is_empty() && !denied.has_obligation(Duty::Decide));
    assert_eq!(denied.expect_refusal(OTHER, &decide(no, true)), Refusal::NoSuchAsk { no });
    assert!(denied.try_command(WORKER, &extend(working_days(2))).is_ok());
}

#[test]
fn only_who_asked_takes_it_back() {
    let asked = until_handling(extension_rules(1, 2)).then_worker(&extend(working_days(2)));
    let no = asked.last_ask_no();
    assert_eq!(asked.expect_refusal(OTHER, &withdraw(no)), Refusal::NotAsker);
    let (script, change) = asked.act_now(&almighty(WORKER), &withdraw(no));
    assert!(script.case().asks.is_empty());
    let settled: Vec<_> = change.settled.iter().map(|s| (s.obligation.duty, s.outcome)).collect();
    assert_eq!(settled, [(Duty::Decide, Outcome::Lifted)]);
    assert_eq!(script.expect_refusal(WORKER, &withdraw(no)), Refusal::NoSuchAsk { no });
}

#[test]
fn the_same_is_not_asked_twice_at_once_but_something_else_is() {
    let asked = until_handling(extension_rules(1, 1)).then_worker(&extend(working_days(2)));
    let again = asked.expect_refusal(OTHER, &extend(working_days(1)));
    assert_eq!(again, Refusal::AskedAlready { what: "extension" });
    assert!(asked.try_command(WORKER, &suspend(asked.at + Duration::days(5))).is_ok());
}

#[test]
fn each_department_asks_for_itself() {
    let urban = actor(71, "李城管", &[(Role::DepartmentOfficer, super::world::URBAN)]);
    let market = actor(72, "周市监", &[(Role::DepartmentOfficer, super::world::MARKET)]);
    let asked = Script::until_whistled()
        .then(&urban, &extend(working_days(2)))
        .then(&market, &extend(working_days(3)));
    let (first, second) = (asked.case().asks[0].no, asked.case().asks[1].no);
    let given = asked.then_other(&decide(second, true)).then_other(&decide(first, true));
    for owed in given.case().work_obligations() {
        let amount = if owed.owed_by == unit(super::world::URBAN) { 2 } else { 3 };
        let expected = [Move::Extended { limit: working_days(amount) }];
        let of_feedback = if owed.duty == Duty::FeedBack { expected.as_slice() } else { &[] };
        assert_eq!(owed.term.moves, of_feedback, "{:?}", owed.duty);
    }
}

#[test]
fn who_has_no_part_in_it_asks_for_nothing() {
    let script = Script::until_handling();
    let next = actor(73, "邻格", &[(Role::GridWorker, GRID_NEXT)]);
    let refusal = script.chain.try_command(&next, script.at, &extend(working_days(1))).unwrap_err();
    assert!(matches!(refusal, Refusal::NotPermitted { .. }));
    let over = Script::almost_over().expect_refusal(WORKER, &extend(working_days(1)));
    assert_eq!(over, Refusal::NothingToExtend { duty: Some(Duty::FeedBack) });
}

#[test]
fn what_was_asked_about_the_work_ends_with_it() {
    let asked = Script::until_handling().then_worker(&extend(working_days(2)));
    let over = asked.then_worker(&super::script::feed_back());
    assert!(over.case().asks.is_empty() && !over.has_obligation(Duty::Decide));
}
