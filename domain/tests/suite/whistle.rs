//! Whistles in depth: ranks, signatures, objections, proof, coordination and both opinions.

use domain::{
    area::coordinate::Point,
    core::{id::AreaId, text::Code},
    flows::case::{
        Command,
        lifecycle::{StageName, StepName},
        state::Wish,
        whistle::{Act, Whistle},
    },
    people::actor::{Actor, Role},
    rules::{
        obligation::{Duty, Outcome},
        refusal::Refusal,
    },
};

use super::{
    script::{
        OTHER, SPOT, Script, THIRD, WORKER, arrive, blow, call_off, close, contest, coordinate,
        decide, dispatch, escalate, excuse, hard_whistle, raise, rate, rate_street, report_back,
        uphold, verify, whistle,
    },
    world::{
        DISTRICT, GRID, MARKET, SQUAD, STREET, TRAFFIC, URBAN, actor, almighty, minutes, prose,
        unit,
    },
};

fn of(unit: AreaId, act: Act) -> Command {
    Command::Summons { unit, act }
}

fn now(script: &Script) -> &Whistle {
    script.case().stage.whistle().unwrap()
}

fn step(script: &Script, unit: AreaId) -> StepName {
    now(script).summons(unit).unwrap().step.name()
}

fn lead(script: &Script) -> Vec<AreaId> {
    now(script).summonses.iter().filter(|summons| summons.lead).map(|one| one.unit.id).collect()
}

fn street(number: u128, role: Role) -> Actor {
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
            let asked = script.chain.ask(&street(60, role), script.at, &blow(rank, URBAN, &[]));
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
    assert_eq!(script.refusal(OTHER, &blow("soft", URBAN, &[])), Refusal::UnknownRank { code });
    let Command::Ask { wish: Wish::Whistle { mut call }, reason } = whistle(URBAN, &[]) else {
        panic!("no whistle")
    };
    call.topic = Code::try_from("weather").unwrap();
    let command = Command::Ask { wish: Wish::Whistle { call }, reason };
    let code = "weather".to_owned();
    assert_eq!(script.refusal(OTHER, &command), Refusal::UnknownTopic { code });
}

#[test]
fn a_hard_whistle_is_blown_with_the_second_signature_of_two_leaders() {
    let dispatcher = street(61, Role::StreetDispatcher);
    let (first, second) = (street(62, Role::StreetLeader), street(63, Role::StreetLeader));
    let asked = Script::held_by(STREET).then(&dispatcher, &hard_whistle(URBAN, &[MARKET]));
    let no = asked.pending();
    assert_eq!(asked.case().stage.name(), StageName::Filed);
    assert!(asked.owes(Duty::Dispatch), "it is the street's until the whistle is blown");
    let by = |by: &Actor, script: &Script| script.chain.ask(by, script.at, &decide(no, true));
    assert!(matches!(by(&dispatcher, &asked), Err(Refusal::NotPermitted { .. })));
    let district = actor(64, "区", &[(Role::DistrictDispatcher, DISTRICT)]);
    assert!(matches!(by(&district, &asked), Err(Refusal::NotPermitted { .. })), "not the role");
    let once = asked.then(&first, &decide(no, true));
    assert_eq!(once.case().stage.name(), StageName::Filed);
    assert_eq!(by(&first, &once).unwrap_err(), Refusal::SignsTwice);
    let (blown, change) = once.now(&second, &decide(no, true));
    assert_eq!(blown.case().stage.name(), StageName::Whistled);
    assert!(now(&blown).to_district_leader);
    let filed = change.settled.iter().find(|one| one.obligation.duty == Duty::Dispatch);
    assert!(matches!(filed.unwrap().outcome, Outcome::Met | Outcome::Late));
    assert_eq!(blown.owed(Duty::SignWhistle).term.started_at, blown.at, "not since it was asked");
}

#[test]
fn a_leader_who_blows_a_hard_whistle_needs_two_others() {
    let leader = street(62, Role::StreetLeader);
    let asked = Script::held_by(STREET).then(&leader, &hard_whistle(URBAN, &[]));
    let no = asked.pending();
    let own = asked.chain.ask(&leader, asked.at, &decide(no, true));
    assert_eq!(own.unwrap_err(), Refusal::SignsTwice);
}

#[test]
fn what_becomes_of_the_case_meanwhile_ends_the_question() {
    let asked = Script::unsigned();
    let no = asked.pending();
    for other in [dispatch(GRID), escalate()] {
        let (gone, change) = asked.clone().now(&almighty(OTHER), &other);
        assert!(gone.case().asks.is_empty(), "{other:?}");
        assert!(change.settled.iter().any(|one| one.obligation.duty == Duty::Decide));
        assert_eq!(gone.refusal(THIRD, &decide(no, true)), Refusal::NoSuchAsk { no });
    }
    let again = asked.refusal(OTHER, &hard_whistle(MARKET, &[]));
    assert_eq!(again, Refusal::AskedAlready { what: "whistle" });
    let denied = asked.other(&decide(no, false));
    assert_eq!(denied.case().stage.name(), StageName::Filed);
    assert!(denied.ask(OTHER, &hard_whistle(MARKET, &[])).is_ok());
}

#[test]
fn the_rank_says_how_long_it_takes_to_arrive() {
    let days = |rank: &str| {
        let script = Script::held_by(STREET).other(&blow(rank, URBAN, &[]));
        let no = script.case().asks.first().map(|ask| ask.no);
        let script = no.into_iter().fold(script, |script, no| {
            script.works(&decide(no, true)).then(&almighty(THIRD), &decide(no, true))
        });
        script.owed(Duty::Arrive).term.limit.to_string()
    };
    assert_eq!((days("advance"), days("hard")), ("3wd".to_owned(), "5wd".to_owned()));
}

#[test]
fn a_department_objects_and_the_district_upholds_for_good() {
    let before = Script::whistled().steps(MARKET, &[Act::Sign]);
    let clocks = now(&before).summons(MARKET).unwrap().clocks.clone();
    let contested = before.steps(MARKET, &[contest()]);
    assert_eq!(step(&contested, MARKET), StepName::Contested);
    assert_eq!(contested.owed(Duty::Arbitrate).owed_by, unit(DISTRICT));
    let own = |script: &Script| {
        let owed = script.case().work_owed().into_iter();
        owed.filter(|owed| owed.owed_by.id == MARKET).map(|owed| owed.duty).collect::<Vec<_>>()
    };
    let still = [Duty::Contact, Duty::Arrive, Duty::FeedBack];
    assert_eq!(own(&contested), still, "whoever objects is not let off meanwhile");
    let (upheld, change) = contested.now(&almighty(OTHER), &of(MARKET, uphold()));
    assert_eq!(step(&upheld, MARKET), StepName::Signed, "back to where it was");
    assert_eq!(now(&upheld).summons(MARKET).unwrap().clocks, clocks, "the clocks ran on");
    assert_eq!(change.settled.len(), 1);
    assert!(change.opened.is_empty() && change.moved.is_empty());
    let again = upheld.refusal(WORKER, &of(MARKET, contest()));
    assert_eq!(again, Refusal::Appointed { unit: unit(MARKET).name });
}

#[test]
fn who_arrived_no_longer_objects() {
    let arrived = Script::whistled().steps(MARKET, &[Act::Sign, arrive()]);
    let refusal = arrived.refusal(WORKER, &of(MARKET, contest()));
    assert!(matches!(refusal, Refusal::WrongState { flow: "summons", .. }));
}

#[test]
fn who_is_let_off_owes_nothing_and_another_may_take_the_place() {
    let contested = Script::contested();
    let (off, change) = contested.clone().now(&almighty(OTHER), &of(MARKET, excuse(None)));
    assert_eq!(step(&off, MARKET), StepName::Excused);
    assert!(off.case().work_owed().iter().all(|owed| owed.owed_by.id != MARKET));
    let lifted = change.settled.iter().filter(|one| one.outcome == Outcome::Lifted).count();
    assert_eq!(lifted, 4, "sign, contact, arrive, feed back");
    let (other, _) = contested.now(&almighty(OTHER), &of(MARKET, excuse(Some(SQUAD))));
    let squad = now(&other).summons(SQUAD).unwrap();
    assert!(squad.appointed && !squad.lead);
    assert_eq!(squad.clocks.sign.started_at, other.at, "its clocks start now");
    let appointed = Refusal::Appointed { unit: unit(SQUAD).name };
    assert_eq!(other.refusal(WORKER, &of(SQUAD, contest())), appointed);
    assert!(other.case().units.iter().any(|known| known.id == SQUAD), "it may look it up");
}

#[test]
fn a_whistle_is_never_without_exactly_one_lead() {
    let contested = Script::whistled().steps(URBAN, &[contest()]);
    assert_eq!(contested.refusal(OTHER, &of(URBAN, excuse(None))), Refusal::LeadMissing);
    let twice = contested.refusal(OTHER, &of(URBAN, excuse(Some(MARKET))));
    assert_eq!(twice, Refusal::NamedTwice { unit: unit(MARKET).name });
    let stranger = contested.refusal(OTHER, &of(URBAN, excuse(Some(GRID))));
    assert_eq!(stranger, Refusal::NotADepartment { unit: unit(GRID).name });
    let replaced = contested.other(&of(URBAN, excuse(Some(TRAFFIC))));
    assert_eq!(lead(&replaced), [TRAFFIC]);
    assert_eq!(now(&replaced).summonses[0].unit.id, TRAFFIC, "the lead stands first");
    let alone = Script::held_by(STREET).other(&whistle(URBAN, &[])).steps(URBAN, &[contest()]);
    assert_eq!(alone.refusal(OTHER, &of(URBAN, excuse(None))), Refusal::LeadMissing);
}

#[test]
fn letting_the_last_one_off_ends_the_whistle() {
    let done = [Act::Sign, arrive(), report_back()];
    let script = Script::whistled().steps(MARKET, &[contest()]);
    let waiting = script.clone().steps(URBAN, &[Act::Sign, arrive()]);
    let refusal = waiting.refusal(WORKER, &of(URBAN, report_back()));
    assert_eq!(refusal, Refusal::CooperatingPending { units: vec![unit(MARKET).name] });
    let off = script.steps(MARKET, &[excuse(None)]).steps(URBAN, &done);
    let over = off.steps(URBAN, &[Act::Release]);
    assert_eq!(over.case().stage.name(), StageName::FedBack);
}

#[test]
fn an_arrival_is_proven_by_the_place_or_explained_in_words() {
    let signed = Script::whistled().steps(MARKET, &[Act::Sign]);
    let far = Point { lng: SPOT.lng + 0.01, lat: SPOT.lat };
    let near = Point { lng: SPOT.lng + 0.004, lat: SPOT.lat };
    let come = |point, note: Option<&str>| {
        let act = Act::Arrive { point, note: note.map(prose) };
        signed.ask(WORKER, &of(MARKET, act)).map(|change| {
            let whistle = change.state.stage.whistle().unwrap();
            whistle.summons(MARKET).unwrap().arrival.clone().unwrap()
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
    let script = Script::raised().steps(MARKET, &[contest()]);
    let (off, change) = script.now(&almighty(OTHER), &call_off());
    assert_eq!(off.case().stage.name(), StageName::Filed);
    assert!(change.settled.iter().all(|one| one.outcome == Outcome::Lifted));
    assert_eq!(change.opened.len(), 1);
    assert_eq!(off.owed(Duty::Dispatch).owed_by, unit(STREET));
    let again = off.other(&whistle(URBAN, &[MARKET]));
    assert_eq!(again.case().tally.whistles, 2);
}

#[test]
fn the_district_is_asked_to_coordinate_once_and_answers_once() {
    let raised = Script::raised();
    assert_eq!(raised.owed(Duty::Coordinate).owed_by, unit(DISTRICT));
    assert_eq!(raised.refusal(OTHER, &raise()), Refusal::AskedAlready { what: "raise" });
    let (done, change) = raised.now(&almighty(OTHER), &coordinate());
    assert_eq!(change.settled[0].outcome, Outcome::Met);
    assert_eq!(done.refusal(OTHER, &coordinate()), Refusal::NothingRaised);
    assert_eq!(Script::whistled().refusal(OTHER, &coordinate()), Refusal::NothingRaised);
}

/// What nobody can do any more nobody owes, and it does not come back with the next round.
#[test]
fn what_the_district_was_asked_ends_with_the_whistle() {
    let done = [Act::Sign, arrive(), report_back(), Act::Release];
    let raised = Script::raised().steps(MARKET, &done).steps(URBAN, &done);
    assert_eq!(raised.case().stage.name(), StageName::FedBack);
    assert!(!raised.owes(Duty::Coordinate));
    let again = raised.other(&verify(false));
    assert!(!again.owes(Duty::Coordinate));
    assert!(again.ask(OTHER, &raise()).is_ok());
}

#[test]
fn both_sides_rate_each_other_once_even_after_the_end() {
    for over in [Script::whistle_over(), Script::whistle_closed()] {
        for department in [URBAN, MARKET] {
            let rated = over.clone().steps(department, &[rate_street(), rate()]);
            let summons = now(&rated).summons(department).unwrap();
            assert!(summons.view.is_some() && summons.rating.is_some());
            for act in [rate(), rate_street()] {
                let again = rated.refusal(WORKER, &of(department, act));
                assert_eq!(again, Refusal::AlreadyRated);
            }
        }
        let officer = actor(66, "李城管", &[(Role::DepartmentOfficer, URBAN)]);
        let leader = street(67, Role::StreetLeader);
        let asked = |by: &Actor, act| over.chain.ask(by, over.at, &of(URBAN, act)).is_ok();
        assert!(asked(&officer, rate_street()) && !asked(&officer, rate()));
        assert!(asked(&leader, rate()) && !asked(&leader, rate_street()));
    }
}

#[test]
fn who_was_let_off_has_no_say() {
    let off = Script::contested().other(&of(MARKET, excuse(None)));
    for act in [rate(), rate_street(), Act::Sign] {
        let refusal = off.refusal(WORKER, &of(MARKET, act));
        assert!(matches!(refusal, Refusal::WrongState { flow: "summons", .. }));
    }
    let later = off.chain.ask(&almighty(OTHER), off.at + minutes(5), &close());
    assert!(later.is_err());
}

/// What needs no signature does not wait for what does.
#[test]
fn an_urgent_whistle_is_blown_while_a_hard_one_waits_for_signatures() {
    let waiting = Script::unsigned();
    let again = waiting.refusal(OTHER, &hard_whistle(URBAN, &[]));
    assert_eq!(again, Refusal::AskedAlready { what: "whistle" });
    for rank in ["urgent", "advance"] {
        let blown = waiting.clone().other(&blow(rank, URBAN, &[]));
        let whistle = blown.case().stage.whistle().unwrap();
        assert_eq!(whistle.rank.as_str(), rank);
        assert!(blown.case().asks.is_empty(), "what waited is overtaken");
        assert!(!blown.owes(Duty::Decide));
    }
}
