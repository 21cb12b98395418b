//! Standstills: the clocks of a case stop and go on by themselves.

use chrono::Duration;
use domain::{
    calendar::book::Pause,
    flows::case::{Command, Event, lifecycle::Verb},
    people::actor::Role,
    rules::{
        obligation::{Duty, Outcome},
        refusal::Refusal,
        rulebook::Suspending,
    },
};

use super::{
    ledger::calendar,
    script::{
        OTHER, Script, WORKER, comment, decide, dispatch, extend, feed_back, give_back, resume,
        suspend,
    },
    world::{COMMUNITY, GRID, GRID_NEXT, actor, almighty, system, unit, with_conduct},
};

/// A case at work, where standstills need no signature and are possible so often.
fn until_handling(times: u32) -> Script {
    let rules =
        with_conduct(|conduct| conduct.suspension = Suspending { times, days: 30, approvals: 0 });
    Script::with_rules(rules, COMMUNITY)
        .then_other(&dispatch(GRID))
        .then_worker(&Command::Sign)
        .then_worker(&Command::Start)
}

#[test]
fn the_end_moves_by_exactly_the_working_time_of_the_pause() {
    for days in [1, 2, 7, 20, 29] {
        let script = until_handling(1);
        let before = script.first_obligation(Duty::Handle).term;
        let until = script.at + Duration::days(days);
        let (script, change) = script.act_now(&almighty(WORKER), &suspend(until));
        let after = script.first_obligation(Duty::Handle).term;
        let pause = Pause { from: script.at, until };
        assert_eq!(
            after.due_at,
            calendar().shift_by_pause(before.due_at, pause, before.limit.unit).at
        );
        let moved = calendar().working_time_between(before.due_at, after.due_at);
        assert_eq!(moved, calendar().working_time_between(script.at, until), "{days} days");
        assert_eq!(change.moved.len(), 1);
        let opened: Vec<_> = change.opened.iter().map(|owed| owed.duty).collect();
        assert_eq!(opened, [Duty::Resume]);
        assert_eq!(script.first_obligation(Duty::Resume).term.due_at, until);
    }
}

#[test]
fn who_goes_on_early_gets_only_the_time_that_was_lost() {
    let script = until_handling(1);
    let before = script.first_obligation(Duty::Handle).term;
    let from = script.at;
    let script =
        script.act_now(&almighty(WORKER), &suspend(from + Duration::days(20))).0.wait_days(6);
    let (script, change) = script.act_now(&almighty(WORKER), &resume());
    let pause = Pause { from, until: script.at };
    let due = calendar().shift_by_pause(before.due_at, pause, before.limit.unit).at;
    assert_eq!(script.first_obligation(Duty::Handle).term.due_at, due);
    assert!(script.case().standstill.is_none() && !script.has_obligation(Duty::Resume));
    assert_eq!(change.settled[0].outcome, Outcome::Lifted);
    assert_eq!(script.expect_refusal(WORKER, &resume()), Refusal::NotSuspended);
}

#[test]
fn the_system_lets_it_go_on_when_the_time_has_come_and_nobody_is_late() {
    let script = until_handling(1);
    let until = script.at + Duration::days(20);
    let still = script.then_worker(&suspend(until));
    let due = still.first_obligation(Duty::Handle).term.due_at;
    let owed = still.first_obligation(Duty::Resume);
    let early = still.chain.try_command(
        &system(),
        until - Duration::seconds(1),
        &super::script::lapse(&owed),
    );
    assert_eq!(early.unwrap_err(), Refusal::NothingDue);
    let (script, happened) = still.lapse_duty(Duty::Resume);
    assert_eq!(script.at, until);
    assert!(matches!(happened.as_slice(), [Event::Resumed { at, .. }] if *at == until));
    assert!(script.case().breaches.is_empty(), "a standstill is nobody's debt");
    assert_eq!(script.first_obligation(Duty::Handle).term.due_at, due);
    assert!(script.try_command(WORKER, &feed_back()).is_ok());
}

#[test]
fn a_late_system_gives_no_more_time_than_was_granted() {
    let script = until_handling(1);
    let until = script.at + Duration::days(10);
    let still = script.then_worker(&suspend(until));
    let due = still.first_obligation(Duty::Handle).term.due_at;
    let (script, _) = still.wait_until(until + Duration::days(3)).lapse_duty(Duty::Resume);
    assert_eq!(script.first_obligation(Duty::Handle).term.due_at, due);
    assert!(script.case().breaches.is_empty());
}

#[test]
fn nothing_on_the_way_happens_while_it_stands_still() {
    let script = until_handling(1);
    let until = script.at + Duration::days(10);
    let still = script.then_worker(&suspend(until)).wait_days(1);
    for command in [feed_back(), give_back()] {
        assert_eq!(still.expect_refusal(WORKER, &command), Refusal::Suspended { until });
    }
    assert!(still.try_command(WORKER, &comment()).is_ok());
    let over = still.wait_until(until);
    assert!(over.try_command(WORKER, &feed_back()).is_ok(), "its time has come, system or not");
    let whistled = Script::until_whistled().until_suspended();
    let end = whistled.case().standstill.as_ref().unwrap().pause.until;
    let sign = Command::Summons {
        unit: super::world::URBAN,
        act: domain::flows::case::whistle::SummonsCommand::Sign,
    };
    assert_eq!(whistled.expect_refusal(WORKER, &sign), Refusal::Suspended { until: end });
}

#[test]
fn what_is_overdue_does_not_stand_still() {
    let script = until_handling(1);
    let due = script.first_obligation(Duty::Handle).term.due_at;
    let late = script.wait_until(due);
    let refusal = late.expect_refusal(WORKER, &suspend(due + Duration::days(5)));
    assert_eq!(refusal, Refusal::Overdue { due_at: due });
}

/// Another department's clock that has run out is not moved back by this standstill.
#[test]
fn a_standstill_does_not_undo_what_is_late() {
    let rules = with_conduct(|conduct| {
        conduct.suspension = Suspending { times: 1, days: 30, approvals: 0 };
    });
    let urban = actor(80, "李城管", &[(Role::DepartmentOfficer, super::world::URBAN)]);
    let street = Script::with_rules(rules, super::world::STREET);
    let whistled =
        street.then_other(&super::script::whistle(super::world::URBAN, &[super::world::MARKET]));
    let sign = Command::Summons {
        unit: super::world::URBAN,
        act: domain::flows::case::whistle::SummonsCommand::Sign,
    };
    let (signed, _) = whistled.act_now(&urban, &sign);
    let late = signed.first_obligation(Duty::SignWhistle).term.due_at;
    let at = signed.at;
    let still =
        signed.wait_until(at + Duration::hours(2)).then(&urban, &suspend(at + Duration::days(9)));
    assert_eq!(
        still.first_obligation(Duty::SignWhistle).term.due_at,
        late,
        "市监 signed nothing in time"
    );
    let paused =
        still.case().work_obligations().iter().filter(|owed| owed.term.moves.len() == 1).count();
    assert_eq!(paused, still.case().work_obligations().len() - 1);
}

#[test]
fn it_stands_still_so_often_and_so_long_and_not_twice_at_once() {
    let script = until_handling(2);
    let latest = script.at + Duration::days(30);
    for until in [script.at, script.at - Duration::days(1), latest + Duration::seconds(1)] {
        let window = Refusal::OutsideWindow { earliest: script.at, latest };
        assert_eq!(script.expect_refusal(WORKER, &suspend(until)), window);
    }
    let first = script.act_now(&almighty(WORKER), &suspend(latest)).0;
    let twice = first.expect_refusal(WORKER, &suspend(latest));
    assert_eq!(twice, Refusal::Suspended { until: latest }, "not twice at once");
    let again = first.wait_days(2).then_worker(&resume());
    let until = again.at + Duration::days(3);
    let third = again.then_worker(&suspend(until)).wait_days(4).then_worker(&resume());
    let refusal = third.expect_refusal(WORKER, &suspend(third.at + Duration::days(3)));
    assert_eq!(refusal, Refusal::Spent { what: "suspension", times: 2 });
    assert_eq!(third.case().tally.suspensions, 2);
}

#[test]
fn more_time_and_a_standstill_add_up() {
    let script = until_handling(1);
    let before = script.first_obligation(Duty::Handle).term;
    let limit = domain::calendar::limit::Limit::working_days(2);
    let extended = script.then_worker(&extend(limit));
    let no = extended.last_ask_no();
    let extended = extended.then_other(&decide(no, true));
    let from = extended.at;
    let until = from + Duration::days(8);
    let still = extended.act_now(&almighty(WORKER), &suspend(until)).0;
    let due = calendar().add_limit(before.due_at, limit).at;
    let due = calendar().shift_by_pause(due, Pause { from, until }, before.limit.unit).at;
    assert_eq!(still.first_obligation(Duty::Handle).term.due_at, due);
}

#[test]
fn the_unit_and_whoever_decides_let_it_go_on_and_nobody_else() {
    let still = Script::until_handling().until_suspended();
    let may = |role, over| {
        let by = actor(81, "某人", &[(role, over)]);
        still.chain.try_command(&by, still.at, &resume()).is_ok()
    };
    assert!(may(Role::GridWorker, GRID) && may(Role::StreetLeader, COMMUNITY));
    assert!(!may(Role::GridWorker, GRID_NEXT) && !may(Role::StreetDispatcher, COMMUNITY));
    assert!(
        still.chain.try_command(&system(), still.at, &resume()).is_err(),
        "not before its time"
    );
    assert_eq!(still.first_obligation(Duty::Resume).owed_by, unit(COMMUNITY));
    assert!(still.case().possible_commands().contains(&Verb::Resume.name()));
    assert_eq!(still.try_command(OTHER, &resume()).unwrap().settled.len(), 1);
}
