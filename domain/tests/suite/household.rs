//! Households: who may know of them, who may change them, and what never stands in their journal.

use chrono::{Duration, NaiveDate};
use domain::{
    core::id::{AreaId, HouseholdId},
    flows::{
        flow::{Flow as _, replay_events},
        household::{
            Command, Event, Household, Member, NewHousehold, NewPairing, PairingKind, Standing,
            Update, is_child, possible_commands,
        },
    },
    people::actor::{Actor, Role},
    rules::refusal::Refusal,
};
use proptest::prelude::*;
use uuid::Uuid;

use super::world::{
    COMMUNITY, Chain, GRID, GRID_NEXT, STREET_BESIDE, URBAN, actor, almighty, line, morning,
    person_id, prose,
};

pub(crate) fn new(area: AreaId) -> NewHousehold {
    NewHousehold {
        id: HouseholdId(Uuid::from_u128(0x11)),
        area,
        building: Some(line("3栋")),
        group: None,
        size: Some(3),
        members: vec![Member { id: Uuid::from_u128(1), person: None }],
        special: true,
        pairings: Vec::new(),
    }
}

pub(crate) fn worker(over: AreaId) -> Actor {
    actor(60, "网格员", &[(Role::GridWorker, over)])
}

pub(crate) fn until_registered() -> Chain<Household> {
    let mut chain = Chain::default();
    let change =
        chain.try_command(&worker(GRID), morning(), &Command::Register(Box::new(new(GRID))));
    chain.commit(&change.unwrap());
    chain
}

pub(crate) fn pair(number: u128, kind: PairingKind) -> Command {
    let pairing = NewPairing { person: person_id(number), kind, from: None, until: None };
    Command::Pair { pairing }
}

fn every_command() -> Vec<Command> {
    vec![
        Command::Update(Box::new(Update { size: Some(4), ..Update::default() })),
        pair(70, PairingKind::Cadre),
        Command::Leave,
        Command::Erase { reason: prose("应本人请求") },
    ]
}

#[test]
fn a_household_lies_in_a_grid_and_is_registered_by_who_works_there() {
    let ask = |by: &Actor, area| {
        Chain::<Household>::default().try_command(
            by,
            morning(),
            &Command::Register(Box::new(new(area))),
        )
    };
    assert!(ask(&worker(GRID), GRID).is_ok());
    assert!(matches!(ask(&worker(GRID_NEXT), GRID), Err(Refusal::NotPermitted { .. })));
    assert!(matches!(ask(&almighty(1), COMMUNITY), Err(Refusal::NotInAGrid { .. })));
    let again = until_registered().try_command(
        &worker(GRID),
        morning(),
        &Command::Register(Box::new(new(GRID))),
    );
    assert_eq!(again.unwrap_err(), Refusal::AlreadyExists { what: "household" });
}

#[test]
fn other_grids_and_other_systems_know_of_none() {
    let chain = until_registered();
    let sees = |by: &Actor| chain.state().visible_to(by, morning());
    assert!(
        sees(&worker(GRID)) && sees(&actor(61, "社区", &[(Role::CommunityOfficer, COMMUNITY)]))
    );
    for (role, over) in [
        (Role::GridWorker, GRID_NEXT),
        (Role::StreetDispatcher, STREET_BESIDE),
        (Role::Integrator, GRID),
        (Role::Resident, GRID),
        (Role::Volunteer, GRID),
        (Role::Administrator, GRID),
        (Role::DepartmentOfficer, URBAN),
    ] {
        assert!(!sees(&actor(62, "他人", &[(role, over)])), "{role:?}");
    }
}

#[test]
fn whoever_is_paired_may_visit_wherever_the_office_is() {
    let mut chain = until_registered();
    let cadre = actor(70, "包保干部", &[(Role::DepartmentOfficer, URBAN)]);
    let resident = actor(71, "联户长", &[(Role::Resident, GRID)]);
    for command in [pair(70, PairingKind::Cadre), pair(71, PairingKind::GroupLeader)] {
        let change = chain.try_command(&worker(GRID), morning(), &command).unwrap();
        chain.commit(&change);
    }
    assert!(chain.state().visible_to(&cadre, morning()));
    // At once is by the clock of every replica.
    assert!(!chain.state().visible_to(&cadre, morning() - Duration::seconds(61)));
    assert!(!chain.state().visible_to(&resident, morning()), "who is no office sees none");
    assert_eq!(chain.state().find_visitor(morning()), Some(person_id(70)));
    let asked = chain.try_command(&cadre, morning(), &Command::Leave);
    assert!(matches!(asked, Err(Refusal::NotPermitted { .. })), "to visit is not to change");
    let unpair = Command::Unpair { person: person_id(70), kind: PairingKind::Cadre };
    chain.commit(&chain.try_command(&worker(GRID), morning(), &unpair).unwrap());
    assert!(!chain.state().visible_to(&cadre, morning()));
    assert_eq!(
        chain.try_command(&worker(GRID), morning(), &unpair).unwrap_err(),
        Refusal::NotPaired
    );
}

#[test]
fn only_members_there_are_change_or_go() {
    let chain = until_registered();
    let update = |update: Update| {
        chain.try_command(&worker(GRID), morning(), &Command::Update(Box::new(update)))
    };
    let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let unknown = Update { removed: vec![two], ..Update::default() };
    assert_eq!(update(unknown).unwrap_err(), Refusal::NoSuchMember);
    let twice = Update { added: vec![Member { id: one, person: None }], ..Update::default() };
    assert_eq!(update(twice).unwrap_err(), Refusal::AlreadyExists { what: "member" });
    let added = (10..50).map(|id| Member { id: Uuid::from_u128(id), person: None }).collect();
    let crowd = update(Update { added, ..Update::default() }).unwrap_err();
    assert_eq!(crowd, Refusal::TooMany { what: "members", max: 30 });
    let swap = Update {
        added: vec![Member { id: two, person: Some(person_id(9)) }],
        removed: vec![one],
        ..Update::default()
    };
    let after = update(swap).unwrap().state;
    assert_eq!(after.members, [Member { id: two, person: Some(person_id(9)) }]);
    let large = update(Update { size: Some(201), ..Update::default() }).unwrap_err();
    assert_eq!(large, Refusal::TooMany { what: "persons", max: 200 });
}

#[test]
fn what_is_possible_is_what_the_table_says() {
    let mut chain = until_registered();
    for standing in [Standing::Present, Standing::Gone, Standing::Erased] {
        assert_eq!(chain.state().standing, standing);
        for command in every_command() {
            let asked = chain.try_command(&almighty(1), morning(), &command);
            let listed = possible_commands(standing).contains(&Household::command_name(&command));
            assert_eq!(asked.is_ok(), listed, "{standing:?} {command:?}");
        }
        let next = match standing {
            Standing::Present => Command::Leave,
            Standing::Gone | Standing::Erased => Command::Erase { reason: prose("应请求") },
        };
        if let Ok(change) = chain.try_command(&worker(GRID), morning(), &next) {
            chain.commit(&change);
        }
    }
    assert!(chain.state().members.is_empty() && !chain.state().special);
    let events: Vec<Event> = chain
        .entries
        .iter()
        .flat_map(|entry| serde_json::from_str::<Vec<Event>>(&entry.events).unwrap())
        .collect();
    assert_eq!(replay_events::<Household>(&events).as_ref(), Some(chain.state()));
}

#[test]
fn a_child_is_younger_than_fourteen() {
    let day = |year, month, day| NaiveDate::from_ymd_opt(year, month, day).unwrap();
    let today = day(2026, 4, 3);
    assert!(is_child(day(2012, 4, 4), today) && !is_child(day(2012, 4, 3), today));
    assert!(is_child(day(2026, 4, 3), today) && !is_child(day(1940, 1, 1), today));
}

proptest! {
    /// A pairing is in force exactly within its period.
    #[test]
    fn a_pairing_holds_in_its_period(start in 0_i64..1000, length in 1_i64..1000, at in -10_i64..3000) {
        let from = morning() + Duration::minutes(start);
        let until = from + Duration::minutes(length);
        let pairing = NewPairing { person: person_id(70), kind: PairingKind::Cadre, from: Some(from), until: Some(until) };
        let mut chain = until_registered();
        chain.commit(&chain.try_command(&worker(GRID), morning(), &Command::Pair { pairing }).unwrap());
        let cadre = actor(70, "包保干部", &[(Role::DepartmentOfficer, URBAN)]);
        let now = morning() + Duration::minutes(at);
        prop_assert_eq!(chain.state().visible_to(&cadre, now), from <= now && now < until);
    }
}
