//! Whistles in depth: ranks, signatures, objections, proof, coordination and both ratings.

use domain::{
    area::coordinate::Point,
    core::{id::AreaId, text::Code},
    flows::case::{
        Command,
        lifecycle::{StageName, StepName},
        state::ApprovalSubject,
        whistle::{SummonsCommand, Whistle},
    },
    people::actor::{Actor, Role},
    rules::{
        obligation::{Duty, Outcome},
        refusal::Refusal,
    },
};

use super::{
    script::{
        OTHER, SPOT, Script, THIRD, WORKER, arrive, blow_whistle, call_off, close, contest,
        coordinate, decide, dispatch, escalate, excuse, hard_whistle, raise, rate, rate_street,
        report_back, uphold, verify, whistle,
    },
    world::{
        DISTRICT, GRID, MARKET, SQUAD, STREET, TRAFFIC, URBAN, actor, almighty, minutes, prose,
        unit,
    },
};

fn summons_command(unit: AreaId, act: SummonsCommand) -> Command {
    Command::Summons { unit, act }
}

fn current_whistle(script: &Script) -> &Whistle {
    script.case().stage.whistle().unwrap()
}

fn step_name(script: &Script, unit: AreaId) -> StepName {
    current_whistle(script).find_summons(unit).unwrap().step.name()
}

fn list_leads(script: &Script) -> Vec<AreaId> {
    current_whistle(script)
        .summonses
        .iter()
        .filter(|summons| summons.lead)
        .map(|one| one.unit.id)
        .collect()
}

fn street_actor(number: u128, role: Role) -> Actor {
    actor(number, "街道", &[(role, STREET)])
}

#[test]
fn the_rank_says_who_blows() {
    let script = Script::held_by(STREET);
    for (rank, blowers) in [
        ("advance", &[Role::StreetLeader][..]),
        ("urgent", &[Role::StreetLeader]),
        ("hard", &[Role::StreetDispatcher, Role::StreetLeader]),
    ] {
        for role in Role::ALL.iter().copied() {
            let asked = script.chain.try_command(
                &street_actor(60, role),
                script.at,
                &blow_whistle(rank, URBAN, &[]),
            );
            if blowers.contains(&role) {
                assert!(asked.is_ok(), "{role:?} blows {rank}");
            } else {
                assert!(matches!(asked, Err(Refusal::NotPermitted { .. })), "{role:?} {rank}");
            }
        }
    }
}

#[test]
fn a_rank_or_topic_the_tenant_has_not_is_refused() {
    let script = Script::held_by(STREET);
    let code = "soft".to_owned();
    assert_eq!(
        script.expect_refusal(OTHER, &blow_whistle("soft", URBAN, &[])),
        Refusal::UnknownRank { code }
    );
    let Command::Ask { wish: ApprovalSubject::Whistle { mut call }, reason } = whistle(URBAN, &[])
    else {
        panic!("no whistle")
    };
    call.topic = Code::try_from("weather").unwrap();
    let command = Command::Ask { wish: ApprovalSubject::Whistle { call }, reason };
    let code = "weather".to_owned();
    assert_eq!(script.expect_refusal(OTHER, &command), Refusal::UnknownTopic { code });
}

#[test]
fn a_hard_whistle_is_blown_with_the_second_signature_of_two_leaders() {
    let dispatcher = street_actor(61, Role::StreetDispatcher);
    let (first, second) =
        (street_actor(62, Role::StreetLeader), street_actor(63, Role::StreetLeader));
    let asked = Script::held_by(STREET).then(&dispatcher, &hard_whistle(URBAN, &[MARKET]));
    let no = asked.last_ask_no();
    assert_eq!(asked.case().stage.name(), StageName::Filed);
    assert!(asked.has_obligation(Duty::Dispatch), "it is the street's until the whistle is blown");
    let by =
        |by: &Actor, script: &Script| script.chain.try_command(by, script.at, &decide(no, true));
    assert!(matches!(by(&dispatcher, &asked), Err(Refusal::NotPermitted { .. })));
    let district = actor(64, "区", &[(Role::DistrictDispatcher, DISTRICT)]);
    assert!(matches!(by(&district, &asked), Err(Refusal::NotPermitted { .. })), "not the role");
    let once = asked.then(&first, &decide(no, true));
    assert_eq!(once.case().stage.name(), StageName::Filed);
    assert_eq!(by(&first, &once).unwrap_err(), Refusal::SignsTwice);
    let (blown, change) = once.act_now(&second, &decide(no, true));
    assert_eq!(blown.case().stage.name(), StageName::Whistled);
    assert!(current_whistle(&blown).to_district_leader);
    let filed = change.settled.iter().find(|one| one.obligation.duty == Duty::Dispatch);
    assert!(matches!(filed.unwrap().outcome, Outcome::Met | Outcome::Late));
    assert_eq!(
        blown.first_obligation(Duty::SignWhistle).term.started_at,
        blown.at,
        "not since it was asked"
    );
}

#[test]
fn a_leader_who_blows_a_hard_whistle_needs_two_others() {
    let leader = street_actor(62, Role::StreetLeader);
    let asked = Script::held_by(STREET).then(&leader, &hard_whistle(URBAN, &[]));
    let no = asked.last_ask_no();
    let own = asked.chain.try_command(&leader, asked.at, &decide(no, true));
    assert_eq!(own.unwrap_err(), Refusal::SignsTwice);
}

#[test]
fn what_becomes_of_the_case_meanwhile_ends_the_question() {
    let asked = Script::until_signatures_asked();
    let no = asked.last_ask_no();
    for other in [dispatch(GRID), escalate()] {
        let (gone, change) = asked.clone().act_now(&almighty(OTHER), &other);
        assert!(gone.case().asks.is_empty(), "{other:?}");
        assert!(change.settled.iter().any(|one| one.obligation.duty == Duty::Decide));
        assert_eq!(gone.expect_refusal(THIRD, &decide(no, true)), Refusal::NoSuchAsk { no });
    }
    let again = asked.expect_refusal(OTHER, &hard_whistle(MARKET, &[]));
    assert_eq!(again, Refusal::AskedAlready { what: "whistle" });
    let denied = asked.then_other(&decide(no, false));
    assert_eq!(denied.case().stage.name(), StageName::Filed);
    assert!(denied.try_command(OTHER, &hard_whistle(MARKET, &[])).is_ok());
}

#[test]
fn the_rank_says_how_long_it_takes_to_arrive() {
    let days = |rank: &str| {
        let script = Script::held_by(STREET).then_other(&blow_whistle(rank, URBAN, &[]));
        let no = script.case().asks.first().map(|ask| ask.no);
        let script = no.into_iter().fold(script, |script, no| {
            script.then_worker(&decide(no, true)).then(&almighty(THIRD), &decide(no, true))
        });
        script.first_obligation(Duty::Arrive).term.limit.to_string()
    };
    assert_eq!((days("advance"), days("hard")), ("3wd".to_owned(), "5wd".to_owned()));
}

#[test]
fn a_department_objects_and_the_district_upholds_for_good() {
    let before = Script::until_whistled().then_acts(MARKET, &[SummonsCommand::Sign]);
    let clocks = current_whistle(&before).find_summons(MARKET).unwrap().clocks.clone();
    let contested = before.then_acts(MARKET, &[contest()]);
    assert_eq!(step_name(&contested, MARKET), StepName::Contested);
    assert_eq!(contested.first_obligation(Duty::Arbitrate).owed_by, unit(DISTRICT));
    let own = |script: &Script| {
        let owed = script.case().work_obligations().into_iter();
        owed.filter(|owed| owed.owed_by.id == MARKET).map(|owed| owed.duty).collect::<Vec<_>>()
    };
    let still = [Duty::Contact, Duty::Arrive, Duty::FeedBack];
    assert_eq!(own(&contested), still, "whoever objects is not let off meanwhile");
    let (upheld, change) = contested.act_now(&almighty(OTHER), &summons_command(MARKET, uphold()));
    assert_eq!(step_name(&upheld, MARKET), StepName::Signed, "back to where it was");
    assert_eq!(
        current_whistle(&upheld).find_summons(MARKET).unwrap().clocks,
        clocks,
        "the clocks ran on"
    );
    assert_eq!(change.settled.len(), 1);
    assert!(change.opened.is_empty() && change.moved.is_empty());
    let again = upheld.expect_refusal(WORKER, &summons_command(MARKET, contest()));
    assert_eq!(again, Refusal::Appointed { unit: unit(MARKET).name });
}

#[test]
fn who_arrived_no_longer_objects() {
    let arrived = Script::until_whistled().then_acts(MARKET, &[SummonsCommand::Sign, arrive()]);
    let refusal = arrived.expect_refusal(WORKER, &summons_command(MARKET, contest()));
    assert!(matches!(refusal, Refusal::WrongState { flow: "summons", .. }));
}

#[test]
fn who_is_let_off_owes_nothing_and_another_may_take_the_place() {
    let contested = Script::until_contested();
    let (off, change) =
        contested.clone().act_now(&almighty(OTHER), &summons_command(MARKET, excuse(None)));
    assert_eq!(step_name(&off, MARKET), StepName::Excused);
    assert!(off.case().work_obligations().iter().all(|owed| owed.owed_by.id != MARKET));
    let lifted = change.settled.iter().filter(|one| one.outcome == Outcome::Lifted).count();
    assert_eq!(lifted, 4, "sign, contact, arrive, feed back");
    let (other, _) =
        contested.act_now(&almighty(OTHER), &summons_command(MARKET, excuse(Some(SQUAD))));
    let squad = current_whistle(&other).find_summons(SQUAD).unwrap();
    assert!(squad.appointed && !squad.lead);
    assert_eq!(squad.clocks.sign.started_at, other.at, "its clocks start now");
    let appointed = Refusal::Appointed { unit: unit(SQUAD).name };
    assert_eq!(other.expect_refusal(WORKER, &summons_command(SQUAD, contest())), appointed);
    assert!(other.case().units.iter().any(|known| known.id == SQUAD), "it may look it up");
}

#[test]
fn a_whistle_is_never_without_exactly_one_lead() {
    let contested = Script::until_whistled().then_acts(URBAN, &[contest()]);
    assert_eq!(
        contested.expect_refusal(OTHER, &summons_command(URBAN, excuse(None))),
        Refusal::LeadMissing
    );
    let twice = contested.expect_refusal(OTHER, &summons_command(URBAN, excuse(Some(MARKET))));
    assert_eq!(twice, Refusal::NamedTwice { unit: unit(MARKET).name });
    let stranger = contested.expect_refusal(OTHER, &summons_command(URBAN, excuse(Some(GRID))));
    assert_eq!(stranger, Refusal::NotADepartment { unit: unit(GRID).name });
    let replaced = contested.then_other(&summons_command(URBAN, excuse(Some(TRAFFIC))));
    assert_eq!(list_leads(&replaced), [TRAFFIC]);
    assert_eq!(current_whistle(&replaced).summonses[0].unit.id, TRAFFIC, "the lead stands first");
    let alone =
        Script::held_by(STREET).then_other(&whistle(URBAN, &[])).then_acts(URBAN, &[contest()]);
    assert_eq!(
        alone.expect_refusal(OTHER, &summons_command(URBAN, excuse(None))),
        Refusal::LeadMissing
    );
}

#[test]
fn letting_the_last_one_off_ends_the_whistle() {
    let done = [SummonsCommand::Sign, arrive(), report_back()];
    let script = Script::until_whistled().then_acts(MARKET, &[contest()]);
    let waiting = script.clone().then_acts(URBAN, &[SummonsCommand::Sign, arrive()]);
    let refusal = waiting.expect_refusal(WORKER, &summons_command(URBAN, report_back()));
    assert_eq!(refusal, Refusal::CooperatingPending { units: vec![unit(MARKET).name] });
    let off = script.then_acts(MARKET, &[excuse(None)]).then_acts(URBAN, &done);
    let over = off.then_acts(URBAN, &[SummonsCommand::Release]);
    assert_eq!(over.case().stage.name(), StageName::FedBack);
}

#[test]
fn an_arrival_is_proven_by_the_place_or_explained_in_words() {
    let signed = Script::until_whistled().then_acts(MARKET, &[SummonsCommand::Sign]);
    let far = Point { lng: SPOT.lng + 0.01, lat: SPOT.lat };
    let near = Point { lng: SPOT.lng + 0.004, lat: SPOT.lat };
    let come = |point, note: Option<&str>| {
        let act = SummonsCommand::Arrive { point, note: note.map(prose) };
        signed.try_command(WORKER, &summons_command(MARKET, act)).map(|change| {
            let whistle = change.state.stage.whistle().unwrap();
            whistle.find_summons(MARKET).unwrap().arrival.clone().unwrap()
        })
    };
    let unproven = |distance_m| Refusal::ArrivalUnproven { distance_m, most_m: 500 };
    assert_eq!(come(None, None).unwrap_err(), unproven(None));
    let Err(Refusal::ArrivalUnproven { distance_m: Some(metres), .. }) = come(Some(far), None)
    else {
        panic!("too far")
    };
    assert!((940.0..945.0).contains(&metres), "{metres}");
    let close_by = come(Some(near), None).unwrap();
    assert!(close_by.proven && close_by.distance_m.unwrap() < 500.0);
    for point in [None, Some(far)] {
        let explained = come(point, Some("地下室无信号")).unwrap();
        assert!(!explained.proven && explained.note.is_some());
    }
}

#[test]
fn a_whistle_is_taken_back_by_the_street_and_lifts_everything() {
    let script = Script::until_raised().then_acts(MARKET, &[contest()]);
    let (off, change) = script.act_now(&almighty(OTHER), &call_off());
    assert_eq!(off.case().stage.name(), StageName::Filed);
    assert!(change.settled.iter().all(|one| one.outcome == Outcome::Lifted));
    assert_eq!(change.opened.len(), 1);
    assert_eq!(off.first_obligation(Duty::Dispatch).owed_by, unit(STREET));
    let again = off.then_other(&whistle(URBAN, &[MARKET]));
    assert_eq!(again.case().tally.whistles, 2);
}

#[test]
fn the_district_is_asked_to_coordinate_once_and_answers_once() {
    let raised = Script::until_raised();
    assert_eq!(raised.first_obligation(Duty::Coordinate).owed_by, unit(DISTRICT));
    assert_eq!(raised.expect_refusal(OTHER, &raise()), Refusal::AskedAlready { what: "raise" });
    let (done, change) = raised.act_now(&almighty(OTHER), &coordinate());
    assert_eq!(change.settled[0].outcome, Outcome::Met);
    assert_eq!(done.expect_refusal(OTHER, &coordinate()), Refusal::NothingRaised);
    assert_eq!(
        Script::until_whistled().expect_refusal(OTHER, &coordinate()),
        Refusal::NothingRaised
    );
}

/// An open request to the district ends with the whistle and does not come back with the next
/// round.
#[test]
fn what_the_district_was_asked_ends_with_the_whistle() {
    let done = [SummonsCommand::Sign, arrive(), report_back(), SummonsCommand::Release];
    let raised = Script::until_raised().then_acts(MARKET, &done).then_acts(URBAN, &done);
    assert_eq!(raised.case().stage.name(), StageName::FedBack);
    assert!(!raised.has_obligation(Duty::Coordinate));
    let again = raised.then_other(&verify(false));
    assert!(!again.has_obligation(Duty::Coordinate));
    assert!(again.try_command(OTHER, &raise()).is_ok());
}

#[test]
fn both_sides_rate_each_other_once_even_after_the_end() {
    for over in [Script::whistle_over(), Script::whistle_closed()] {
        for department in [URBAN, MARKET] {
            let rated = over.clone().then_acts(department, &[rate_street(), rate()]);
            let summons = current_whistle(&rated).find_summons(department).unwrap();
            assert!(summons.view.is_some() && summons.rating.is_some());
            for act in [rate(), rate_street()] {
                let again = rated.expect_refusal(WORKER, &summons_command(department, act));
                assert_eq!(again, Refusal::AlreadyRated);
            }
        }
        let officer = actor(66, "李城管", &[(Role::DepartmentOfficer, URBAN)]);
        let leader = street_actor(67, Role::StreetLeader);
        let asked = |by: &Actor, act| {
            over.chain.try_command(by, over.at, &summons_command(URBAN, act)).is_ok()
        };
        assert!(asked(&officer, rate_street()) && !asked(&officer, rate()));
        assert!(asked(&leader, rate()) && !asked(&leader, rate_street()));
    }
}

#[test]
fn who_was_let_off_has_no_say() {
    let off = Script::until_contested().then_other(&summons_command(MARKET, excuse(None)));
    for act in [rate(), rate_street(), SummonsCommand::Sign] {
        let refusal = off.expect_refusal(WORKER, &summons_command(MARKET, act));
        assert!(matches!(refusal, Refusal::WrongState { flow: "summons", .. }));
    }
    let later = off.chain.try_command(&almighty(OTHER), off.at + minutes(5), &close());
    assert!(later.is_err());
}

/// A whistle that needs no signature does not wait for one that does.
#[test]
fn an_urgent_whistle_is_blown_while_a_hard_one_waits_for_signatures() {
    let waiting = Script::until_signatures_asked();
    let again = waiting.expect_refusal(OTHER, &hard_whistle(URBAN, &[]));
    assert_eq!(again, Refusal::AskedAlready { what: "whistle" });
    for rank in ["urgent", "advance"] {
        let blown = waiting.clone().then_other(&blow_whistle(rank, URBAN, &[]));
        let whistle = blown.case().stage.whistle().unwrap();
        assert_eq!(whistle.rank.as_str(), rank);
        assert!(blown.case().asks.is_empty(), "what waited is overtaken");
        assert!(!blown.has_obligation(Duty::Decide));
    }
}
