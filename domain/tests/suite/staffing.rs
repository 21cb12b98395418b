//! No right ends that alone lets somebody do what a unit owes, however it is to end.

use domain::{
    core::id::AreaId,
    flows::person::Command,
    people::{actor::Role, staffing::Staffing},
    rules::refusal::Refusal,
};

use super::{
    person::{administrator, until_registered},
    world::{CITY, COMMUNITY, GRID, GRID_NEXT, STREET, morning, person_id, prose, unit},
};

fn owing(unit: AreaId, held: &[(AreaId, Role)]) -> Staffing {
    Staffing { owing: vec![unit], held: held.to_vec() }
}

/// Every way in which a worker of the grid loses the right over it.
fn endings(staffing: &Staffing) -> [Command; 3] {
    let staffing = || staffing.clone();
    [
        Command::Leave { reason: prose("退休"), to: None, staffing: staffing() },
        Command::Suspend { reason: prose("借调"), staffing: staffing() },
        Command::Revoke { role: Role::GridWorker, area: GRID, staffing: staffing() },
    ]
}

#[test]
fn no_way_of_ending_a_right_leaves_open_work_to_nobody() {
    let known = until_registered(&[(Role::GridWorker, GRID)]);
    let ask = |staffing: &Staffing| {
        endings(staffing)
            .map(|command| known.try_command(&administrator(CITY), morning(), &command).err())
    };
    let refused = Some(Refusal::OpenWork { units: vec![unit(GRID).name] });
    let elsewhere = [(GRID_NEXT, Role::GridWorker), (GRID, Role::GridLeader)];
    for held in [&[][..], &elsewhere] {
        assert_eq!(ask(&owing(GRID, held)), [(); 3].map(|()| refused.clone()));
    }
    for over in [GRID, COMMUNITY, STREET] {
        let held = [(over, Role::GridWorker)];
        assert_eq!(ask(&owing(GRID, &held)), [None, None, None], "another does it");
    }
    assert_eq!(ask(&owing(GRID_NEXT, &[])), [None, None, None], "nothing is owed here");
}

#[test]
fn whoever_keeps_the_role_over_what_is_above_keeps_the_work() {
    let known = until_registered(&[(Role::GridWorker, GRID), (Role::GridWorker, COMMUNITY)]);
    let by = administrator(CITY);
    let [leave, suspend, revoke] = endings(&owing(GRID, &[]));
    assert!(known.try_command(&by, morning(), &revoke).is_ok());
    for command in [leave, suspend] {
        let refused = known.try_command(&by, morning(), &command).unwrap_err();
        assert_eq!(refused, Refusal::OpenWork { units: vec![unit(GRID).name] });
    }
}

#[test]
fn whoever_leaves_to_a_successor_leaves_nothing_undone() {
    let known = until_registered(&[(Role::GridWorker, GRID)]);
    let (reason, to) = (prose("退休"), Some(person_id(2)));
    let leave = Command::Leave { reason, to, staffing: owing(GRID, &[]) };
    assert!(known.try_command(&administrator(CITY), morning(), &leave).is_ok());
}
