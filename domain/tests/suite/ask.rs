//! What is asked of those above: in time, within bounds, signed by others, and how it ends.

use chrono::Duration;
use domain::{
    calendar::limit::Limit,
    flows::case::{Event, state::Wish},
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
    world::{COMMUNITY, GRID, GRID_NEXT, STREET, WORLD, actor, almighty, conduct, unit},
};

fn days(amount: u32) -> Limit {
    Limit::working_days(amount)
}

fn allowing(times: u32, approvals: u8) -> &'static Rules {
    let most = days(10);
    conduct(|conduct| conduct.extension = Extending { times, most, approvals })
}

/// At work under these rules.
fn handling(rules: &'static Rules) -> Script {
    let script = Script::begun(rules, COMMUNITY).other(&dispatch(GRID));
    script.works(&domain::flows::case::Command::Sign).works(&domain::flows::case::Command::Start)
}

#[test]
fn more_time_is_given_before_it_is_due_and_not_after() {
    let script = Script::handling();
    let due = script.owed(Duty::Handle).term.due_at;
    let last = script.clone().until(due - Duration::milliseconds(1));
    assert!(last.ask(WORKER, &extend(days(3))).is_ok());
    for late in [Duration::zero(), Duration::milliseconds(1), Duration::days(9)] {
        let refusal = script.clone().until(due + late).refusal(WORKER, &extend(days(3)));
        assert_eq!(refusal, Refusal::Overdue { due_at: due });
    }
}

#[test]
fn the_end_moves_by_what_was_given_and_says_so() {
    let script = Script::handling();
    let before = script.owed(Duty::Handle).term;
    let asked = script.works(&extend(days(3)));
    assert_eq!(asked.owed(Duty::Handle).term, before, "a question moves nothing");
    let no = asked.pending();
    let decided = asked.now(&almighty(OTHER), &decide(no, true));
    let (script, change) = decided;
    let term = script.owed(Duty::Handle).term;
    let calendar = WORLD.rules.calendars.value.nearest(&[]);
    assert_eq!(term.due_at, calendar.add(before.due_at, days(3)).at);
    assert!(term.due_at > before.due_at);
    assert_eq!(
        (term.no, term.started_at, term.limit),
        (before.no, before.started_at, before.limit)
    );
    assert_eq!(term.moves, [Move::Extended { limit: days(3) }]);
    assert!(term.next_at > before.next_at, "who has more time is reminded later");
    assert_eq!(change.moved.len(), 1);
    assert!(change.opened.is_empty());
    let signed: Vec<_> = change.settled.iter().map(|s| (s.obligation.duty, s.outcome)).collect();
    assert_eq!(signed, [(Duty::Decide, Outcome::Met)]);
    assert_eq!(script.case().tally.extensions, 1);
}

/// Whoever asked in time does not lose by a slow signature.
#[test]
fn what_was_asked_in_time_may_be_signed_after_the_end() {
    let script = Script::handling();
    let due = script.owed(Duty::Handle).term.due_at;
    let asked = script.until(due - Duration::minutes(1)).now(&almighty(WORKER), &extend(days(2))).0;
    let no = asked.pending();
    let late = asked.until(due + Duration::minutes(1));
    let given = late.other(&decide(no, true));
    assert!(given.owed(Duty::Handle).term.due_at > due);
}

#[test]
fn more_time_moves_the_clock_it_was_asked_for_and_no_other() {
    for (asked, moved, stays) in [
        (extend(days(2)), Duty::Handle, Duty::Sign),
        (extend_one(Duty::Handle, days(2)), Duty::Handle, Duty::Sign),
        (extend_one(Duty::Sign, days(2)), Duty::Sign, Duty::Handle),
    ] {
        let before = Script::dispatched();
        let asked = before.clone().works(&asked);
        let no = asked.pending();
        let given = asked.other(&decide(no, true));
        assert_eq!(given.owed(moved).term.moves, [Move::Extended { limit: days(2) }]);
        assert_eq!(given.owed(stays), before.owed(stays), "{stays:?} runs on");
    }
}

#[test]
fn a_clock_that_is_due_or_does_not_run_is_not_extended() {
    let late = Script::dispatched().later(1);
    let due_at = late.owed(Duty::Sign).term.due_at;
    let refusal = late.refusal(WORKER, &extend_one(Duty::Sign, days(1)));
    assert_eq!(refusal, Refusal::Overdue { due_at });
    assert!(late.ask(WORKER, &extend(days(1))).is_ok(), "the work is not late");
    for duty in [Duty::Sign, Duty::FeedBack, Duty::Close] {
        let refusal = Script::handling().refusal(WORKER, &extend_one(duty, days(1)));
        assert_eq!(refusal, Refusal::NothingToExtend { duty: Some(duty) });
    }
}

#[test]
fn what_was_asked_of_a_clock_ends_with_it() {
    let asked = Script::dispatched().works(&extend_one(Duty::Sign, days(1)));
    let both = asked.works(&extend(days(1)));
    assert_eq!(both.case().asks.len(), 2, "of two clocks at once");
    let signed = both.works(&domain::flows::case::Command::Sign);
    let kept: Vec<_> = signed.case().asks.iter().map(|ask| &ask.wish).collect();
    assert_eq!(kept, [&Wish::Extension { duty: Some(Duty::Handle), limit: days(1) }]);
}

#[test]
fn more_time_is_bounded_each_time_and_in_number() {
    let script = handling(allowing(2, 0));
    for limit in [days(11), Limit::days(60), Limit { amount: 0, ..days(1) }] {
        let refusal = script.refusal(WORKER, &extend(limit));
        assert_eq!(refusal, Refusal::TooMuchTime { most: days(10) }, "{limit}");
    }
    let twice = script.works(&extend(days(10))).works(&extend(Limit::hours(2)));
    assert_eq!(twice.owed(Duty::Handle).term.moves.len(), 2);
    let refusal = twice.refusal(WORKER, &extend(days(1)));
    assert_eq!(refusal, Refusal::Spent { what: "extension", times: 2 });
    let never = handling(allowing(0, 0)).refusal(WORKER, &extend(days(1)));
    assert_eq!(never, Refusal::Spent { what: "extension", times: 0 });
}

#[test]
fn without_signatures_it_happens_at_once() {
    let script = handling(allowing(1, 0));
    let (script, change) = script.now(&almighty(WORKER), &extend(days(2)));
    assert!(matches!(events(&change).as_slice(), [Event::Extended { .. }]));
    assert!(script.case().asks.is_empty() && !script.owes(Duty::Decide));
}

#[test]
fn two_signatures_are_given_one_after_another_by_the_holder_and_the_level_above() {
    let asked = handling(allowing(1, 2)).works(&extend(days(2)));
    let (no, first) = (asked.pending(), asked.owed(Duty::Decide));
    assert_eq!(first.owed_by, unit(COMMUNITY));
    let (once, change) = asked.now(&almighty(OTHER), &decide(no, true));
    let second = once.owed(Duty::Decide);
    assert_eq!(second.owed_by, unit(STREET));
    assert_eq!(second.term.started_at, once.at, "its own clock, from now");
    assert_eq!((change.opened.len(), change.settled.len(), change.moved.len()), (1, 1, 0));
    assert_eq!(once.case().tally.extensions, 0, "one signature gives nothing");
    let leader = actor(70, "书记", &[(Role::StreetLeader, COMMUNITY)]);
    let below = once.chain.ask(&leader, once.at, &decide(no, true)).unwrap_err();
    assert!(matches!(below, Refusal::NotPermitted { .. }), "not over the level above");
    let twice = once.then(&almighty(THIRD), &decide(no, true));
    assert_eq!(twice.case().tally.extensions, 1);
    assert!(!twice.owes(Duty::Decide));
}

#[test]
fn everybody_signs_once_and_nobody_for_themselves() {
    let asked = handling(allowing(1, 2)).works(&extend(days(2)));
    let no = asked.pending();
    for agree in [true, false] {
        assert_eq!(asked.refusal(WORKER, &decide(no, agree)), Refusal::SignsTwice);
    }
    let once = asked.other(&decide(no, true));
    assert_eq!(once.refusal(OTHER, &decide(no, true)), Refusal::SignsTwice);
    assert_eq!(once.refusal(WORKER, &decide(no, true)), Refusal::SignsTwice);
    assert!(once.ask(THIRD, &decide(no, true)).is_ok());
}

#[test]
fn one_refusal_ends_the_question_and_it_may_be_asked_again() {
    let asked = handling(allowing(1, 2)).works(&extend(days(2)));
    let (no, before) = (asked.pending(), asked.owed(Duty::Handle));
    let denied = asked.other(&decide(no, true)).then(&almighty(THIRD), &decide(no, false));
    assert_eq!(denied.owed(Duty::Handle), before);
    assert!(denied.case().asks.is_empty() && !denied.owes(Duty::Decide));
    assert_eq!(denied.refusal(OTHER, &decide(no, true)), Refusal::NoSuchAsk { no });
    assert!(denied.ask(WORKER, &extend(days(2))).is_ok());
}

#[test]
fn only_who_asked_takes_it_back() {
    let asked = handling(allowing(1, 2)).works(&extend(days(2)));
    let no = asked.pending();
    assert_eq!(asked.refusal(OTHER, &withdraw(no)), Refusal::NotAsker);
    let (script, change) = asked.now(&almighty(WORKER), &withdraw(no));
    assert!(script.case().asks.is_empty());
    let settled: Vec<_> = change.settled.iter().map(|s| (s.obligation.duty, s.outcome)).collect();
    assert_eq!(settled, [(Duty::Decide, Outcome::Lifted)]);
    assert_eq!(script.refusal(WORKER, &withdraw(no)), Refusal::NoSuchAsk { no });
}

#[test]
fn the_same_is_not_asked_twice_at_once_but_something_else_is() {
    let asked = handling(allowing(1, 1)).works(&extend(days(2)));
    let again = asked.refusal(OTHER, &extend(days(1)));
    assert_eq!(again, Refusal::AskedAlready { what: "extension" });
    assert!(asked.ask(WORKER, &suspend(asked.at + Duration::days(5))).is_ok());
}

#[test]
fn each_department_asks_for_itself() {
    let urban = actor(71, "李城管", &[(Role::DepartmentOfficer, super::world::URBAN)]);
    let market = actor(72, "周市监", &[(Role::DepartmentOfficer, super::world::MARKET)]);
    let asked = Script::whistled().then(&urban, &extend(days(2))).then(&market, &extend(days(3)));
    let (first, second) = (asked.case().asks[0].no, asked.case().asks[1].no);
    let given = asked.other(&decide(second, true)).other(&decide(first, true));
    for owed in given.case().work_owed() {
        let amount = if owed.owed_by == unit(super::world::URBAN) { 2 } else { 3 };
        let expected = [Move::Extended { limit: days(amount) }];
        let of_feedback = if owed.duty == Duty::FeedBack { expected.as_slice() } else { &[] };
        assert_eq!(owed.term.moves, of_feedback, "{:?}", owed.duty);
    }
}

#[test]
fn who_has_no_part_in_it_asks_for_nothing() {
    let script = Script::handling();
    let next = actor(73, "邻格", &[(Role::GridWorker, GRID_NEXT)]);
    let refusal = script.chain.ask(&next, script.at, &extend(days(1))).unwrap_err();
    assert!(matches!(refusal, Refusal::NotPermitted { .. }));
    let over = Script::almost_over().refusal(WORKER, &extend(days(1)));
    assert_eq!(over, Refusal::NothingToExtend { duty: Some(Duty::FeedBack) });
}

#[test]
fn what_was_asked_about_the_work_ends_with_it() {
    let asked = Script::handling().works(&extend(days(2)));
    let over = asked.works(&super::script::feed_back());
    assert!(over.case().asks.is_empty() && !over.owes(Duty::Decide));
}
