//! Before a case and around it: checks before filing, taking a report out again, and measures about
//! reports that wait for a decision.

use domain::{
    flows::{
        case::{Outcome as End, Stage, lifecycle::StageName, state::Case},
        change::Versioned,
        flow::Flow as _,
        intake,
        report::{Command, Draft, Report, StatusName},
    },
    people::actor::Role,
    rules::{
        obligation::{Duty, Outcome},
        refusal::Refusal,
        vocabulary::{Channel, MeasureKind},
    },
};

use super::{
    report::{confirm, draft, file, refuse, until_confirming, until_submitted},
    script::{OTHER, Script, WORKER, close, verify},
    world::{
        CITY, COMMUNITY, Chain, GRID, GRID_NEXT, actor, almighty, context, context_under, minutes,
        morning, request, system, unit, with_conduct,
    },
};

#[test]
fn what_residents_say_is_looked_at_before_it_is_filed() {
    let chain = until_confirming();
    let owed = chain.state().obligations();
    assert_eq!((owed[0].duty, &owed[0].owed_by), (Duty::Confirm, &unit(GRID)));
    for command in [file(), super::report::join()] {
        let refusal = chain.try_command(&almighty(OTHER), morning(), &command).unwrap_err();
        assert!(matches!(refusal, Refusal::WrongState { state: "confirming", .. }));
    }
    let worker = actor(40, "王网格", &[(Role::GridWorker, GRID)]);
    let at = morning() + minutes(30);
    let change = chain.try_command(&worker, at, &confirm(true)).unwrap();
    assert_eq!(change.settled[0].outcome, Outcome::Met);
    assert_eq!(
        (change.opened[0].duty, &change.opened[0].owed_by),
        (Duty::Accept, &unit(COMMUNITY))
    );
    assert_eq!(change.opened[0].term.started_at, at, "whoever accepts has all the time");
    let sight = change.state.sight.as_ref().unwrap();
    assert!(sight.real && sight.by == worker.person && sight.at == at);
    let mut seen = chain;
    seen.commit(&change);
    assert!(seen.try_command(&almighty(OTHER), at, &file()).is_ok());
    assert!(seen.try_command(&worker, at, &confirm(true)).is_err(), "once");
}

#[test]
fn only_whoever_walks_there_says_what_is_to_be_seen() {
    let chain = until_confirming();
    for (role, over) in [
        (Role::GridWorker, GRID_NEXT),
        (Role::CommunityOfficer, COMMUNITY),
        (Role::StreetDispatcher, CITY),
    ] {
        let asked =
            chain.try_command(&actor(41, "某人", &[(role, over)]), morning(), &confirm(true));
        assert!(matches!(asked, Err(Refusal::NotPermitted { .. })), "{role:?}");
    }
}

#[test]
fn what_a_grid_worker_saw_is_not_looked_at_again() {
    let rules = with_conduct(|conduct| conduct.verify_before_filing = true);
    for channel in Channel::ALL.iter().copied() {
        let draft = Draft { channel, ..draft(0) };
        let by = almighty(WORKER);
        let cx = context_under(rules, &by, morning());
        let (change, _) = intake::submit_report(draft, request(1), cx).unwrap();
        let looked = change.state.status.name() == StatusName::Confirming;
        assert_eq!(looked, channel != Channel::Worker, "{channel:?}");
    }
}

/// Refusing a report is not checking it: the grid's debt is lifted, not done.
#[test]
fn a_report_may_be_refused_unseen_which_is_not_looking() {
    let chain = until_confirming();
    let change = chain.try_command(&almighty(OTHER), morning() + minutes(1), &refuse()).unwrap();
    assert_eq!(change.settled[0].outcome, Outcome::Lifted);
}

#[test]
fn a_report_nobody_decides_has_its_measures_once_each() {
    let mut chain = until_confirming();
    let lapse =
        |chain: &Chain<Report>| Command::Lapse { term: chain.state().obligations()[0].term.no };
    let mut taken = Vec::new();
    while let Some(next) = chain.state().obligations()[0].term.next_at {
        let early = chain.try_command(&system(), next - minutes(1), &lapse(&chain));
        assert_eq!(early.unwrap_err(), Refusal::NothingDue);
        let nobody = chain.try_command(&almighty(OTHER), next, &lapse(&chain));
        assert!(matches!(nobody, Err(Refusal::NotPermitted { .. })));
        let change = chain.try_command(&system(), next, &lapse(&chain)).unwrap();
        assert!(change.opened.is_empty() && change.settled.is_empty());
        assert_eq!(change.moved.len(), 1);
        chain.commit(&change);
        taken.push(change.state.obligations()[0].term.taken);
    }
    assert_eq!(taken, [1, 2, 3, 4, 5]);
    assert_eq!(
        context_under(chain.rules, &system(), morning()).rules.measure_kind(0),
        Some(MeasureKind::Remind)
    );
}

/// A second report joined to a case that is at work.
fn until_joined() -> (Versioned<Report>, Versioned<Case>) {
    let resident = actor(42, "李居民", &[(Role::Resident, CITY)]);
    let report = until_submitted(&resident, draft(9));
    let script = Script::until_handling();
    let by = almighty(OTHER);
    let cx = context(&by, script.at);
    let case = script.chain.stored.as_ref().unwrap();
    let (told, case) =
        intake::join_report(report.stored.as_ref().unwrap(), case, request(1), cx).unwrap();
    (told.to_stored(), case.to_stored())
}

#[test]
fn what_was_joined_by_mistake_is_taken_out_and_decided_anew() {
    let (report, case) = until_joined();
    let by = almighty(OTHER);
    let at = morning() + minutes(500);
    let (told, left) = intake::unjoin_report(&report, &case, request(2), context(&by, at)).unwrap();
    assert_eq!(told.state.status.name(), StatusName::Received);
    let accept = &told.opened[0];
    assert_eq!((accept.duty, accept.term.started_at), (Duty::Accept, at));
    assert_eq!(left.state.reports.len(), 1);
    assert!(left.state.reports.iter().all(|one| one.report != report.state.id));
    assert_eq!(left.state.stage, case.state.stage);
    assert_eq!(told.entry.command, left.entry.command, "in one commit");
    let again =
        intake::unjoin_report(&told.to_stored(), &left.to_stored(), request(3), context(&by, at));
    assert!(matches!(again, Err(Refusal::WrongState { flow: "report", .. })));
}

#[test]
fn what_a_case_was_opened_for_stays_with_it() {
    let script = Script::until_filed();
    let first = script.case().reports[0].report;
    let unjoin = domain::flows::case::Command::Unjoin { report: first };
    assert_eq!(script.expect_refusal(OTHER, &unjoin), Refusal::FirstReport);
    let (report, case) = until_joined();
    let by = almighty(OTHER);
    let elsewhere = Script::until_signed().chain.stored.unwrap();
    let asked = intake::unjoin_report(&report, &elsewhere, request(2), context(&by, morning()));
    assert_eq!(asked.unwrap_err(), Refusal::NotJoined, "it is part of another case");
    let nobody = actor(43, "王网格", &[(Role::GridWorker, GRID)]);
    let asked = intake::unjoin_report(&report, &case, request(2), context(&nobody, morning()));
    assert!(matches!(asked, Err(Refusal::NotPermitted { .. })));
}

#[test]
fn who_is_not_in_the_sample_is_closed_as_verified() {
    let script = Script::without_callback().then_other(&verify(true));
    assert_eq!(script.case().stage.name(), StageName::CalledBack);
    assert!(!script.has_obligation(Duty::CallBack) && script.has_obligation(Duty::Close));
    let closed = script.then_other(&close());
    let Stage::Closed { closing, .. } = &closed.case().stage else { panic!("not closed") };
    assert_eq!((closing.outcome, &closing.answer), (End::Verified, &None));
    assert_eq!(closed.case().tally.missed_callbacks, 0);
}
