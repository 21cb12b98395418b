//! People: who may register, grant, revoke and reset, and what nobody may.

use std::{cell::RefCell, collections::HashSet};

use domain::{
    actor::{Actor, Permission, Role},
    flow::Flow as _,
    id::AreaId,
    person::{Command, NewGrant, Person},
    refusal::Refusal,
    rules::Urgency,
    text::Code,
};

use super::chance::{Dice, cast, runner, steps};
use super::ledger::Ledger;
use super::world::{
    CITY, COMMUNITY, Chain, DISTRICT, DISTRICT_BESIDE, GRID, NOWHERE, STREET, actor, all_areas,
    line, minutes, morning, person,
};

pub(crate) fn administrator(over: AreaId) -> Actor {
    actor(800, "管理员", &[(Role::Administrator, over)])
}

pub(crate) fn new_grant(role: Role, area: AreaId) -> NewGrant {
    NewGrant { role, area, until: None }
}

pub(crate) fn register(number: u128, grants: Vec<NewGrant>) -> Command {
    let account = Code::try_from(format!("account-{number}")).unwrap();
    Command::Register { id: person(number), account, name: line("新同事"), grants }
}

pub(crate) fn registered(grants: &[(Role, AreaId)]) -> Chain<Person> {
    let grants = grants.iter().map(|(role, area)| new_grant(*role, *area)).collect();
    let mut chain = Chain::default();
    chain.commit(&chain.ask(&administrator(CITY), morning(), &register(1, grants)).unwrap());
    chain
}

fn commands() -> [(&'static str, Command); 4] {
    [
        ("register", register(1, Vec::new())),
        ("grant", Command::Grant { grant: new_grant(Role::GridWorker, GRID) }),
        ("revoke", Command::Revoke { role: Role::Hotline, area: CITY }),
        ("reset_password", Command::ResetPassword),
    ]
}

#[test]
fn a_person_begins_once_and_only_by_registering() {
    for (name, command) in commands() {
        let nobody = Chain::<Person>::default();
        let asked = nobody.ask(&administrator(CITY), morning(), &command);
        if name == "register" {
            assert!(asked.is_ok());
        } else {
            let (state, possible) = ("none", vec!["register"]);
            let wrong = Refusal::WrongState { flow: "person", state, command: name, possible };
            assert_eq!(asked.unwrap_err(), wrong);
        }
        let known = registered(&[(Role::Hotline, CITY)]);
        match known.ask(&administrator(CITY), morning(), &command) {
            Ok(change) => assert_eq!(change.entry.name, name),
            Err(refusal) => {
                assert_eq!(name, "register");
                assert_eq!(refusal, Refusal::AlreadyExists { what: "person" });
            }
        }
    }
}

#[test]
fn an_administrator_grants_and_revokes_within_the_own_area() {
    let outside =
        Refusal::NotPermitted { permission: Permission::ManagePeople, area: "西区".to_owned() };
    let by = administrator(DISTRICT);
    let known = registered(&[(Role::GridWorker, GRID), (Role::Hotline, DISTRICT_BESIDE)]);
    let ask = |command: Command| known.ask(&by, morning(), &command);
    let there = new_grant(Role::GridWorker, DISTRICT_BESIDE);
    assert_eq!(ask(Command::Grant { grant: there.clone() }).unwrap_err(), outside);
    assert!(ask(Command::Grant { grant: new_grant(Role::GridWorker, STREET) }).is_ok());
    let revoke = Command::Revoke { role: Role::Hotline, area: DISTRICT_BESIDE };
    assert_eq!(ask(revoke).unwrap_err(), outside);
    let revoked = ask(Command::Revoke { role: Role::GridWorker, area: GRID }).unwrap();
    assert_eq!(revoked.state.grants.len(), 1);
    assert_eq!(revoked.state.grants[0].role, Role::Hotline);
    let nobody = Chain::<Person>::default();
    let asked = nobody.ask(&by, morning(), &register(2, vec![there]));
    assert_eq!(asked.unwrap_err(), outside);
    let unknown = ask(Command::Revoke { role: Role::Resident, area: CITY });
    assert_eq!(unknown.unwrap_err(), Refusal::NoSuchGrant);
    let nowhere = Command::Grant { grant: new_grant(Role::GridWorker, NOWHERE) };
    assert_eq!(ask(nowhere).unwrap_err(), Refusal::UnknownArea { id: NOWHERE });
}

/// Whoever resets a password can become that person, so all the person's power must be theirs
/// to give.
#[test]
fn nobody_resets_the_password_of_somebody_with_power_beyond_the_own_area() {
    let chief = registered(&[(Role::GridWorker, GRID), (Role::Administrator, CITY)]);
    let asked = chief.ask(&administrator(DISTRICT), morning(), &Command::ResetPassword);
    let (permission, area) = (Permission::ManagePeople, "示范市".to_owned());
    assert_eq!(asked.unwrap_err(), Refusal::NotPermitted { permission, area });
    assert!(chief.ask(&administrator(CITY), morning(), &Command::ResetPassword).is_ok());
    let oneself = actor(1, "本人", &[]);
    assert!(chief.ask(&oneself, morning(), &Command::ResetPassword).is_ok());
    let worker = registered(&[(Role::GridWorker, GRID), (Role::CommunityOfficer, COMMUNITY)]);
    assert!(worker.ask(&administrator(DISTRICT), morning(), &Command::ResetPassword).is_ok());
    let stranger = worker.ask(&administrator(DISTRICT_BESIDE), morning(), &Command::ResetPassword);
    assert!(matches!(stranger, Err(Refusal::NotPermitted { .. })));
}

#[test]
fn a_period_ends_after_it_begins_and_grants_are_bounded() {
    let known = registered(&[(Role::Hotline, CITY)]);
    let by = administrator(CITY);
    let until = |at| {
        let grant = NewGrant { until: Some(at), ..new_grant(Role::GridWorker, GRID) };
        known.ask(&by, morning(), &Command::Grant { grant })
    };
    assert_eq!(until(morning()).unwrap_err(), Refusal::EmptyPeriod);
    let change = until(morning() + minutes(1)).unwrap();
    assert!(change.state.grants[1].holds(morning()));
    assert!(!change.state.grants[1].holds(morning() + minutes(1)), "the end is exclusive");
    let many = vec![(Role::GridWorker, GRID); Person::MAX_GRANTS];
    let grant = Command::Grant { grant: new_grant(Role::Hotline, CITY) };
    let full = Refusal::TooManyGrants { max: Person::MAX_GRANTS };
    assert_eq!(registered(&many).ask(&by, morning(), &grant).unwrap_err(), full);
    let more = vec![new_grant(Role::GridWorker, GRID); Person::MAX_GRANTS + 1];
    let asked = Chain::<Person>::default().ask(&by, morning(), &register(2, more));
    assert_eq!(asked.unwrap_err(), full);
}

/// Something about a person, sensible or not.
fn any_command(dice: &mut Dice, number: u128) -> Command {
    let mut grant = || NewGrant {
        role: dice.pick(Role::ALL),
        area: dice.pick(&all_areas()),
        until: dice.maybe(30).then(|| morning() + minutes(dice.pick(&[-10, 60, 500_000]))),
    };
    let (one, grants) = (grant(), (0..3).map(|_| grant()).collect());
    match dice.below(6) {
        0 | 1 => register(number, grants),
        2 | 3 => Command::Grant { grant: one },
        4 => Command::Revoke { role: one.role, area: one.area },
        _ => Command::ResetPassword,
    }
}

#[test]
fn people_keep_what_was_granted_and_not_revoked() {
    let accepted = RefCell::new(HashSet::new());
    let walked = runner(100).run(&steps(40), |steps| {
        let mut ledger = Ledger::<Person>::under(&super::world::WORLD.rules);
        let chiefs = [CITY, CITY, DISTRICT, STREET].map(administrator);
        let mut at = morning();
        for (seed, gap) in steps {
            at += minutes(gap);
            let mut dice = Dice(seed);
            let by = if dice.maybe(90) { dice.pick(&chiefs) } else { dice.pick(&cast()) };
            let command = any_command(&mut dice, 7);
            let Ok(change) = ledger.chain.ask(&by, at, &command) else { continue };
            let before = ledger.chain.stored.clone().map_or(0, |stored| stored.state.grants.len());
            ledger.write(&change, Urgency::Normal);
            let after = change.state.grants.len();
            let name = Person::name(&command);
            match name {
                "grant" => assert_eq!(after, before + 1),
                "revoke" => assert!(after < before),
                _ => assert!(name == "register" || after == before),
            }
            assert_eq!(change.state.actor(by.tenant).person, person(7));
            accepted.borrow_mut().insert(name);
        }
        ledger.close();
        Ok(())
    });
    if let Err(failure) = walked {
        panic!("{failure}");
    }
    assert_eq!(accepted.borrow().len(), 4, "{accepted:?}");
}
