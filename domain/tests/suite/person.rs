//! People: who may register, grant, revoke and reset, and what no one may do.

use std::{cell::RefCell, collections::BTreeSet};

use domain::{
    Instant,
    core::{id::AreaId, text::Code},
    flows::{
        flow::Flow as _,
        person::{Command, NewGrant, Person, Shift, Standing},
    },
    people::{
        actor::{Actor, Grant, Permission, Powers, Role},
        staffing::Staffing,
    },
    rules::{refusal::Refusal, vocabulary::Urgency},
};

use super::chance::{Dice, any_steps, new_cast, new_runner};
use super::ledger::Ledger;
use super::world::{
    CITY, COMMUNITY, Chain, DISTRICT, DISTRICT_BESIDE, GRID, NOWHERE, STREET, actor, all_areas,
    line, minutes, morning, person_id, prose,
};

pub(crate) fn administrator(over: AreaId) -> Actor {
    actor(800, "管理员", &[(Role::Administrator, over)])
}

fn revoke(role: Role, area: AreaId) -> Command {
    Command::Revoke { role, area, staffing: Staffing::default() }
}

pub(crate) fn new_grant(role: Role, area: AreaId) -> NewGrant {
    NewGrant::new(role, area)
}

pub(crate) fn register(number: u128, grants: Vec<NewGrant>) -> Command {
    let account = Code::try_from(format!("account-{number}")).unwrap();
    Command::Register { id: person_id(number), account, name: line("新同事"), grants }
}

pub(crate) fn until_registered(grants: &[(Role, AreaId)]) -> Chain<Person> {
    let grants = grants.iter().map(|(role, area)| new_grant(*role, *area)).collect();
    let mut chain = Chain::default();
    chain
        .commit(&chain.try_command(&administrator(CITY), morning(), &register(1, grants)).unwrap());
    chain
}

fn all_commands() -> Vec<(&'static str, Command)> {
    let until = morning() + minutes(60);
    vec![
        ("register", register(1, Vec::new())),
        ("grant", Command::Grant { grant: new_grant(Role::GridWorker, GRID) }),
        ("revoke", revoke(Role::Hotline, CITY)),
        ("reset_password", Command::ResetPassword),
        ("rename", Command::Rename { name: line("改名") }),
        ("hand_over", hand_over(Role::Hotline, CITY, 2)),
        ("take_over", take_over(new_grant(Role::GridWorker, GRID))),
        ("suspend", Command::Suspend { reason: prose("借调"), staffing: Staffing::default() }),
        ("reinstate", Command::Reinstate),
        ("leave", leave(None)),
        ("stand", Command::Stand { over: vec![CITY] }),
        ("start_shift", Command::StartShift { area: GRID, until }),
        ("end_shift", Command::EndShift),
    ]
}

fn hand_over(role: Role, area: AreaId, to: u128) -> Command {
    Command::HandOver { role, area, to: person_id(to), reason: prose("岗位调整") }
}

fn take_over(grant: NewGrant) -> Command {
    Command::TakeOver { grants: vec![grant], of: person_id(2) }
}

fn leave(to: Option<u128>) -> Command {
    Command::Leave { reason: prose("退休"), to: to.map(person_id), staffing: Staffing::default() }
}

#[test]
fn a_person_begins_once_and_only_by_registering() {
    for (name, command) in all_commands() {
        let nobody = Chain::<Person>::default();
        let asked = nobody.try_command(&administrator(CITY), morning(), &command);
        if name == "register" {
            assert!(asked.is_ok());
        } else {
            let (state, possible) = ("none", vec!["register"]);
            let wrong = Refusal::WrongState { flow: "person", state, command: name, possible };
            assert_eq!(asked.unwrap_err(), wrong);
        }
        let known = until_registered(&[(Role::Hotline, CITY)]);
        match known.try_command(&administrator(CITY), morning(), &command) {
            Ok(change) => assert_eq!(change.entry.name, name),
            Err(refusal) => {
                let expected = match name {
                    "register" => "already_exists",
                    "reinstate" => "wrong_state",
                    "stand" => "last_administrator",
                    "start_shift" => "not_permitted",
                    _ => "not_on_duty",
                };
                assert_eq!(refusal.code(), expected, "{name}");
            }
        }
    }
}

#[test]
fn an_administrator_grants_and_revokes_within_the_own_area() {
    let outside =
        Refusal::NotPermitted { permission: Permission::ManagePeople, area: "西区".to_owned() };
    let by = administrator(DISTRICT);
    let known = until_registered(&[(Role::GridWorker, GRID), (Role::Hotline, DISTRICT_BESIDE)]);
    let ask = |command: Command| known.try_command(&by, morning(), &command);
    let there = new_grant(Role::GridWorker, DISTRICT_BESIDE);
    assert_eq!(ask(Command::Grant { grant: there.clone() }).unwrap_err(), outside);
    assert!(ask(Command::Grant { grant: new_grant(Role::GridWorker, STREET) }).is_ok());
    let elsewhere = revoke(Role::Hotline, DISTRICT_BESIDE);
    assert_eq!(ask(elsewhere).unwrap_err(), outside);
    let revoked = ask(revoke(Role::GridWorker, GRID)).unwrap();
    assert_eq!(revoked.state.grants.len(), 1);
    assert_eq!(revoked.state.grants[0].role, Role::Hotline);
    let nobody = Chain::<Person>::default();
    let asked = nobody.try_command(&by, morning(), &register(2, vec![there]));
    assert_eq!(asked.unwrap_err(), outside);
    let unknown = ask(revoke(Role::Resident, CITY));
    assert_eq!(unknown.unwrap_err(), Refusal::NoSuchGrant);
    let nowhere = Command::Grant { grant: new_grant(Role::GridWorker, NOWHERE) };
    assert_eq!(ask(nowhere).unwrap_err(), Refusal::UnknownArea { id: NOWHERE });
}

/// Resetting a password gives access to the account, so the actor must manage all grants of that
/// person.
#[test]
fn nobody_resets_the_password_of_somebody_with_power_beyond_the_own_area() {
    let chief = until_registered(&[(Role::GridWorker, GRID), (Role::Administrator, CITY)]);
    let asked = chief.try_command(&administrator(DISTRICT), morning(), &Command::ResetPassword);
    let (permission, area) = (Permission::ManagePeople, "示范市".to_owned());
    assert_eq!(asked.unwrap_err(), Refusal::NotPermitted { permission, area });
    assert!(chief.try_command(&administrator(CITY), morning(), &Command::ResetPassword).is_ok());
    let oneself = actor(1, "本人", &[]);
    assert!(chief.try_command(&oneself, morning(), &Command::ResetPassword).is_ok());
    let worker = until_registered(&[(Role::GridWorker, GRID), (Role::CommunityOfficer, COMMUNITY)]);
    assert!(
        worker.try_command(&administrator(DISTRICT), morning(), &Command::ResetPassword).is_ok()
    );
    let stranger =
        worker.try_command(&administrator(DISTRICT_BESIDE), morning(), &Command::ResetPassword);
    assert!(matches!(stranger, Err(Refusal::NotPermitted { .. })));
}

#[test]
fn a_period_ends_after_it_begins_and_grants_are_bounded() {
    let known = until_registered(&[(Role::Hotline, CITY)]);
    let by = administrator(CITY);
    let until = |at| {
        let grant = NewGrant { until: Some(at), ..new_grant(Role::GridWorker, GRID) };
        known.try_command(&by, morning(), &Command::Grant { grant })
    };
    assert_eq!(until(morning()).unwrap_err(), Refusal::EmptyPeriod);
    let change = until(morning() + minutes(1)).unwrap();
    assert!(change.state.grants[1].holds_at(morning()));
    assert!(!change.state.grants[1].holds_at(morning() + minutes(1)), "the end is exclusive");
    let each = || all_areas().into_iter().flat_map(|area| FIELD.map(|role| (role, area)));
    let many: Vec<_> = each().take(Person::MAX_GRANTS).collect();
    let grant = Command::Grant { grant: new_grant(Role::Hotline, CITY) };
    let full = Refusal::TooManyGrants { max: Person::MAX_GRANTS };
    assert_eq!(until_registered(&many).try_command(&by, morning(), &grant).unwrap_err(), full);
    let more = each().take(Person::MAX_GRANTS + 1);
    let more: Vec<_> = more.map(|(role, area)| new_grant(role, area)).collect();
    let asked = Chain::<Person>::default().try_command(&by, morning(), &register(2, more));
    assert_eq!(asked.unwrap_err(), full);
}

/// Roles that one person may hold beside each other.
const FIELD: [Role; 6] = [
    Role::GridWorker,
    Role::GridLeader,
    Role::CommunityOfficer,
    Role::StreetDispatcher,
    Role::DepartmentOfficer,
    Role::Inspector,
];

#[test]
fn nobody_changes_the_own_rights() {
    let oneself = until_registered(&[(Role::Administrator, CITY), (Role::GridWorker, GRID)]);
    let by = actor(1, "本人", &[(Role::Administrator, CITY)]);
    for command in [
        Command::Grant { grant: new_grant(Role::StreetLeader, STREET) },
        revoke(Role::GridWorker, GRID),
        hand_over(Role::GridWorker, GRID, 2),
        take_over(new_grant(Role::Hotline, CITY)),
        Command::Suspend { reason: prose("休假"), staffing: Staffing::default() },
        leave(Some(2)),
    ] {
        let asked = oneself.try_command(&by, morning(), &command);
        assert_eq!(asked.unwrap_err(), Refusal::OwnRights, "{command:?}");
    }
}

#[test]
fn who_grants_does_not_audit() {
    let by = administrator(CITY);
    let known = until_registered(&[(Role::Administrator, DISTRICT)]);
    let audit = |grant: NewGrant| known.try_command(&by, morning(), &Command::Grant { grant });
    let refused = audit(new_grant(Role::Auditor, CITY)).unwrap_err();
    let (held, asked) = (Role::Administrator, Role::Auditor);
    assert_eq!(refused, Refusal::RolesApart { held, asked });
    let both = register(2, vec![new_grant(asked, GRID), new_grant(held, DISTRICT_BESIDE)]);
    let begun = Chain::<Person>::default().try_command(&by, morning(), &both);
    assert_eq!(begun.unwrap_err(), Refusal::RolesApart { held: asked, asked: held });
    // One after the other is no conflict.
    let day = morning() + minutes(1440);
    let short = Command::Grant {
        grant: NewGrant { until: Some(day), ..new_grant(Role::Administrator, CITY) },
    };
    let mut chain = until_registered(&[(Role::Hotline, CITY)]);
    chain.commit(&chain.try_command(&by, morning(), &short).unwrap());
    let later = NewGrant { from: Some(day), ..new_grant(Role::Auditor, CITY) };
    assert!(chain.try_command(&by, morning(), &Command::Grant { grant: later }).is_ok());
}

#[test]
fn a_role_is_renewed_not_doubled() {
    let by = administrator(CITY);
    let day = |n: i64| morning() + minutes(1440 * n);
    let grant = |from, until| NewGrant { from, until, ..new_grant(Role::GridWorker, GRID) };
    let mut chain = until_registered(&[]);
    let mut give = |asked: NewGrant| {
        let change = chain.try_command(&by, morning(), &Command::Grant { grant: asked }).unwrap();
        chain.commit(&change);
        let periods = change.state.grants.iter().map(|held| (held.from, held.until));
        periods.collect::<Vec<_>>()
    };
    // By the clock of every replica.
    let at_once = morning() - minutes(1);
    assert_eq!(give(grant(None, Some(day(10)))), [(at_once, Some(day(10)))]);
    assert_eq!(give(grant(Some(day(5)), Some(day(20)))), [(at_once, Some(day(20)))]);
    let apart = give(grant(Some(day(30)), None));
    assert_eq!(apart, [(at_once, Some(day(20))), (day(30), None)], "a later time of its own");
}

#[test]
fn leaving_ends_everything() {
    let by = administrator(CITY);
    let known = until_registered(&[(Role::GridWorker, GRID), (Role::CommunityOfficer, COMMUNITY)]);
    let left = known.try_command(&by, morning(), &leave(Some(2))).unwrap().state;
    assert_eq!((left.standing, left.grants.len()), (Standing::Left, 0));
    assert!(left.to_actor(by.tenant, &Powers::built_in()).is_none());
    let beside = known.try_command(&administrator(DISTRICT_BESIDE), morning(), &leave(None));
    assert!(matches!(beside, Err(Refusal::NotPermitted { .. })));
}

#[test]
fn a_closed_account_acts_as_nobody_until_it_is_opened_again() {
    let by = administrator(CITY);
    let mut chain = until_registered(&[(Role::GridWorker, GRID)]);
    let powers = Powers::built_in();
    for (command, acts) in [
        (Command::Suspend { reason: prose("借调"), staffing: Staffing::default() }, false),
        (Command::Reinstate, true),
    ] {
        let change = chain.try_command(&by, morning(), &command).unwrap();
        assert_eq!(change.state.to_actor(by.tenant, &powers).is_some(), acts);
        assert_eq!(change.state.grants.len(), 1, "grants rest, they are not lost");
        chain.commit(&change);
        let again = chain.try_command(&by, morning(), &command);
        assert!(matches!(again, Err(Refusal::WrongState { .. })));
    }
}

#[test]
fn only_an_administrator_who_stays_takes_the_rights_of_another() {
    let stand = |over: AreaId| Command::Stand { over: vec![over] };
    let of = |chain: &Chain<Person>, over| {
        let by = actor(1, "本人", &[(Role::Administrator, CITY)]);
        chain.try_command(&by, morning(), &stand(over)).is_ok()
    };
    let chief = until_registered(&[(Role::Administrator, DISTRICT)]);
    assert!(of(&chief, DISTRICT) && of(&chief, GRID));
    assert!(!of(&chief, CITY) && !of(&chief, DISTRICT_BESIDE));
    let until = Some(morning() + minutes(1440));
    let grant = NewGrant { until, ..new_grant(Role::Administrator, CITY) };
    let mut passing = Chain::<Person>::default();
    passing.commit(
        &passing.try_command(&administrator(CITY), morning(), &register(1, vec![grant])).unwrap(),
    );
    assert!(!of(&passing, CITY), "whose own right ends by itself leaves nobody");
    assert!(!of(&until_registered(&[(Role::GridWorker, GRID)]), CITY));
}

#[test]
fn a_shift_is_bounded_and_ends_with_the_right_it_rests_on() {
    let oneself = actor(1, "本人", &[(Role::GridWorker, GRID)]);
    let mut chain = until_registered(&[(Role::GridWorker, GRID)]);
    let start = |area, until| Command::StartShift { area, until: morning() + minutes(until) };
    let ask =
        |chain: &Chain<Person>, command: &Command| chain.try_command(&oneself, morning(), command);
    let most = 60 * Shift::MAX_HOURS;
    let long = ask(&chain, &start(GRID, most + 1)).unwrap_err();
    assert_eq!(long, Refusal::ShiftTooLong { hours: Shift::MAX_HOURS });
    assert_eq!(ask(&chain, &start(GRID, 0)).unwrap_err(), Refusal::EmptyPeriod);
    let above = ask(&chain, &start(COMMUNITY, 60)).unwrap_err();
    assert!(matches!(above, Refusal::NotPermitted { .. }));
    assert_eq!(ask(&chain, &Command::EndShift).unwrap_err(), Refusal::NotOnDuty);
    chain.commit(&ask(&chain, &start(GRID, most)).unwrap());
    let state = &chain.stored.as_ref().unwrap().state;
    assert!(state.current_shift(morning()).is_some());
    assert!(state.current_shift(morning() + minutes(most)).is_none(), "the end is exclusive");
    assert!(ask(&chain, &Command::EndShift).unwrap().state.shift.is_none());
    let revoke = revoke(Role::GridWorker, GRID);
    let revoked = chain.try_command(&administrator(CITY), morning(), &revoke).unwrap();
    assert!(revoked.state.shift.is_none());
}

/// A command about a person, sensible or not.
fn any_command(dice: &mut Dice, number: u128, at: Instant, held: &[Grant]) -> Command {
    let roles = [Role::Administrator, Role::Auditor, Role::GridWorker, dice.pick(Role::ALL)];
    let mut grant = || NewGrant {
        role: dice.pick(&roles),
        area: dice.pick(&all_areas()),
        from: dice.roll_percent(20).then(|| morning() + minutes(dice.pick(&[-10, 60, 500_000]))),
        until: dice.roll_percent(30).then(|| morning() + minutes(dice.pick(&[-10, 60, 500_000]))),
        post: None,
    };
    let (mut one, grants) = (grant(), (0..3).map(|_| grant()).collect());
    if !held.is_empty() && dice.roll_percent(60) {
        let held = dice.pick(held);
        (one.role, one.area) = (held.role, held.over.id);
    }
    let until = at + minutes(dice.pick(&[-1, 900, 900, 5_000]));
    match dice.roll_below(24) {
        0 | 1 => register(number, grants),
        2..=6 => Command::Grant { grant: one },
        7 => revoke(one.role, one.area),
        8 => hand_over(one.role, one.area, 2),
        9 => Command::TakeOver { grants, of: person_id(2) },
        10 => Command::Suspend { reason: prose("借调"), staffing: Staffing::default() },
        11 | 12 => Command::Reinstate,
        13 => leave(dice.roll_percent(50).then_some(2)),
        14 => Command::Stand { over: vec![one.area] },
        15..=18 => Command::StartShift { area: one.area, until },
        19..=21 => Command::EndShift,
        22 => Command::Rename { name: line("改名") },
        _ => Command::ResetPassword,
    }
}

/// Properties of every person at any time.
fn check_person(state: &Person) {
    for (index, one) in state.grants.iter().enumerate() {
        assert!(one.until.is_none_or(|until| one.from < until));
        for other in state.grants.iter().skip(index + 1).filter(|other| other.overlaps(one)) {
            assert!(!other.is_for(one.role, one.over.id), "one role over one area at one time");
            let pair = [one.role, other.role];
            let apart = pair.contains(&Role::Administrator) && pair.contains(&Role::Auditor);
            assert!(!apart, "{pair:?}");
        }
    }
    assert!(state.grants.len() <= Person::MAX_GRANTS);
    assert!(state.standing == Standing::Active || state.shift.is_none());
    assert!(state.standing != Standing::Left || state.grants.is_empty());
}

#[test]
fn people_keep_what_was_granted_and_not_revoked() {
    let accepted = RefCell::new(BTreeSet::new());
    let walked = new_runner(100).run(&any_steps(60), |steps| {
        let mut ledger = Ledger::<Person>::with_rules(&super::world::WORLD.rules);
        let chiefs = [CITY, CITY, DISTRICT, STREET].map(administrator);
        let powers = Powers::built_in();
        let mut at = morning();
        for (seed, gap) in steps {
            at += minutes(gap % 400);
            let mut dice = Dice(seed);
            let state = ledger.chain.stored.as_ref().map(|stored| &stored.state);
            let oneself = state.and_then(|person| person.to_actor(super::world::TENANT, &powers));
            let by = match oneself {
                Some(oneself) if dice.roll_percent(40) => oneself,
                _ if dice.roll_percent(90) => dice.pick(&chiefs),
                _ => dice.pick(&new_cast()),
            };
            let held = state.map(|person| person.grants.clone()).unwrap_or_default();
            let command = any_command(&mut dice, 7, at, &held);
            let Ok(change) = ledger.chain.try_command(&by, at, &command) else { continue };
            let before = state.map_or(0, |person| person.grants.len());
            let name = Person::command_name(&command);
            let (state, after) = (&change.state, change.state.grants.len());
            match name {
                "grant" => assert!(after > 0),
                "revoke" | "hand_over" => assert!(after < before),
                "leave" => assert_eq!(after, 0),
                _ => assert!(["register", "take_over"].contains(&name) || after == before),
            }
            check_person(state);
            if let Some(actor) = state.to_actor(by.tenant, &powers) {
                assert_eq!((actor.person, &actor.grants), (person_id(7), &state.grants));
            }
            ledger.write_change(&change, Urgency::Normal);
            accepted.borrow_mut().insert(name);
        }
        ledger.check_history();
        Ok(())
    });
    if let Err(failure) = walked {
        panic!("{failure}");
    }
    assert_eq!(accepted.borrow().len(), 13, "{accepted:?}");
}

#[test]
fn a_resident_has_no_name_in_the_journal() {
    let registered = |grants| {
        let by = administrator(CITY);
        Chain::<Person>::default().try_command(&by, morning(), &register(1, grants)).unwrap()
    };
    for grants in [Vec::new(), vec![new_grant(Role::Resident, CITY)]] {
        let change = registered(grants);
        assert!(change.state.is_nameless() && !change.state.is_staff());
        assert!(!change.entry.events.contains("新同事"), "{}", change.entry.events);
    }
    let both = vec![new_grant(Role::Resident, CITY), new_grant(Role::GridWorker, GRID)];
    let change = registered(both);
    assert_eq!(change.state.name.as_str(), "新同事");
    assert!(change.state.holds_office(morning()));
}
