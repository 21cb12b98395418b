//! Checks on the spot are offered to everyone who may do them; one claims, the others stay.

use chrono::Duration;
use domain::{
    flows::{
        case::{Command, state::Case},
        flow::{Context, Flow as _},
        report,
    },
    people::actor::{Actor, Role},
    rules::{obligation::Duty, refusal::Refusal},
};

use super::{
    report::{confirm, until_confirming},
    script::{Script, WORKER, verify},
    world::{COMMUNITY, GRID, GRID_NEXT, actor, almighty, context, minutes, morning, unit},
};

fn worker(number: u128, name: &str) -> Actor {
    actor(number, name, &[(Role::GridWorker, GRID)])
}

#[test]
fn a_verification_is_owed_by_the_grid_and_taken_by_one_of_its_workers() {
    let script = Script::fed_back();
    assert_eq!(script.first_obligation(Duty::Verify).owed_by, unit(GRID));
    let (one, two) = (worker(60, "甲"), worker(61, "乙"));
    let elsewhere = actor(62, "丙", &[(Role::GridWorker, GRID_NEXT)]);
    let asked = script.chain.try_command(&elsewhere, script.at, &Command::Claim);
    assert!(matches!(asked, Err(Refusal::NotPermitted { .. })), "{asked:?}");
    let handler = script.chain.try_command(&almighty(WORKER), script.at, &Command::Claim);
    assert_eq!(handler.unwrap_err(), Refusal::HandlerVerifies);
    let (script, change) = script.act_now(&one, &Command::Claim);
    assert!(change.opened.is_empty() && change.settled.is_empty(), "the grid owes it all along");
    let until = script.at + Duration::hours(2);
    let claimed = Refusal::Claimed { by: "甲".to_owned(), until };
    for command in [Command::Claim, verify(true), verify(false)] {
        let asked = script.chain.try_command(&two, script.at, &command);
        assert_eq!(asked.unwrap_err(), claimed);
        let asked = script.chain.try_command(&two, until - minutes(1), &command);
        assert_eq!(asked.unwrap_err(), claimed);
        assert!(script.chain.try_command(&two, until, &command).is_ok(), "a claim ends by itself");
        assert!(script.chain.try_command(&one, script.at, &command).is_ok());
    }
}

#[test]
fn a_claim_binds_as_long_as_its_holder_may_look() {
    let (script, _) = Script::fed_back().act_now(&worker(60, "甲"), &Command::Claim);
    let two = worker(61, "乙");
    let closed = actor(60, "甲", &[]);
    let moved = actor(60, "甲", &[(Role::GridWorker, GRID_NEXT)]);
    for (holder, free) in [(closed, true), (moved, true), (worker(60, "甲"), false)] {
        let others = [holder];
        let context = Context { others: &others, ..context(&two, script.at) };
        for command in [Command::Claim, verify(true), verify(false)] {
            let decided = Case::decide(Some(script.chain.state()), &command, &context);
            assert_eq!(decided.is_ok(), free, "{decided:?}");
        }
    }
}

#[test]
fn a_claim_ends_with_its_round() {
    let (script, _) = Script::fed_back().act_now(&worker(60, "甲"), &Command::Claim);
    let again = script.then(&worker(60, "甲"), &verify(false));
    let again = again.then_worker(&super::script::feed_back());
    assert!(again.chain.try_command(&worker(61, "乙"), again.at, &verify(true)).is_ok());
}

#[test]
fn a_look_before_filing_is_offered_in_the_same_way() {
    let mut chain = until_confirming();
    let (one, two) = (worker(60, "甲"), worker(61, "乙"));
    chain.commit(&chain.try_command(&one, morning(), &report::Command::Claim).unwrap());
    let claimed = Refusal::Claimed { by: "甲".to_owned(), until: morning() + Duration::hours(2) };
    for command in [report::Command::Claim, confirm(true)] {
        assert_eq!(chain.try_command(&two, morning(), &command).unwrap_err(), claimed);
        assert!(chain.try_command(&one, morning(), &command).is_ok());
    }
    let community = actor(63, "社区", &[(Role::CommunityOfficer, COMMUNITY)]);
    let refuse = super::report::refuse();
    assert!(chain.try_command(&community, morning(), &refuse).is_ok(), "refusing needs no look");
}
