//! Campaigns: who organises them, which grids owe them, and how they end.

use chrono::Duration;
use domain::{
    core::id::{CampaignId, HouseholdId},
    flows::{
        campaign::{Campaign, Command, Listed, NewCampaign, StatusName},
        flow::Flow as _,
        visit::Purpose,
    },
    people::actor::{Actor, Role},
    rules::{
        obligation::{Duty, Outcome},
        refusal::Refusal,
    },
};
use proptest::prelude::*;
use uuid::Uuid;

use super::{
    visit::{new_campaign, organiser},
    world::{
        COMMUNITY, COMMUNITY_BESIDE, Chain, GRID, GRID_NEXT, STREET, STREET_BESIDE, actor, line,
        morning, system, unit,
    },
};

fn new_listed(number: u128, grid: domain::core::id::AreaId) -> Listed {
    Listed { household: HouseholdId(Uuid::from_u128(number)), grid: unit(grid), worker: None }
}

fn assign(listed: Vec<Listed>) -> Command {
    Command::Assign { listed }
}

#[test]
fn every_grid_owes_its_part_until_it_is_done() {
    let mut chain = new_campaign(true);
    let owed = chain.state().obligations();
    assert_eq!((owed.len(), owed[0].duty, &owed[0].owed_by), (1, Duty::Visit, &unit(GRID)));
    assert_eq!(owed[0].term.due_at, chain.state().until);
    let more = chain
        .try_command(&organiser(), morning(), &assign(vec![new_listed(2, GRID_NEXT)]))
        .unwrap();
    assert_eq!(more.opened[0].owed_by, unit(GRID_NEXT));
    chain.commit(&more);
    let complete = Command::Complete { grid: GRID };
    let asked = chain.try_command(&organiser(), morning(), &complete);
    assert_eq!(asked.unwrap_err(), Refusal::NothingDue, "only the system counts");
    let done = chain.try_command(&system(), morning(), &complete).unwrap();
    assert_eq!(done.settled[0].outcome, Outcome::Met);
    chain.commit(&done);
    assert_eq!(
        chain.try_command(&system(), morning(), &complete).unwrap_err(),
        Refusal::NothingDue
    );
    let close = Command::Close { note: None, open: vec![GRID_NEXT] };
    let closed = chain.try_command(&organiser(), morning() + Duration::days(8), &close).unwrap();
    assert_eq!(closed.settled[0].outcome, Outcome::Lifted, "what was not done is not called done");
    assert!(closed.state.obligations().is_empty());
}

#[test]
fn a_campaign_stays_within_its_area_and_its_bounds() {
    let chain = new_campaign(false);
    let ask = |command: &Command| chain.try_command(&organiser(), morning(), command);
    assert_eq!(ask(&assign(Vec::new())).unwrap_err(), Refusal::EmptyList);
    let outside = ask(&assign(vec![new_listed(3, COMMUNITY_BESIDE)])).unwrap_err();
    assert!(matches!(outside, Refusal::OutsideJurisdiction { .. }));
    let many = (0..5001).map(|number| new_listed(number, GRID)).collect();
    assert_eq!(ask(&assign(many)).unwrap_err(), Refusal::TooMany { what: "households", max: 5000 });
    let new = |area, until| NewCampaign {
        id: CampaignId(Uuid::from_u128(9)),
        name: line("行动"),
        purpose: Purpose::Check,
        text: None,
        area,
        form: None,
        from: None,
        until,
    };
    let begin = |area, until| {
        let command = Command::Begin(Box::new(new(area, until)));
        Chain::<Campaign>::default().try_command(&organiser(), morning(), &command).map(|_| ())
    };
    let week = morning() + Duration::days(7);
    assert_eq!(begin(COMMUNITY, week), Ok(()));
    assert_eq!(begin(COMMUNITY, morning()), Err(Refusal::EmptyPeriod));
    assert!(matches!(begin(STREET, week), Err(Refusal::NotPermitted { .. })));
    let years = morning() + Duration::days(400);
    assert!(matches!(begin(COMMUNITY, years), Err(Refusal::OutsideWindow { .. })));
}

#[test]
fn an_empty_list_is_not_published_and_what_ended_stays_so() {
    let mut chain = Chain::<Campaign>::default();
    let other = new_campaign(false);
    let entry = other.state();
    let begin = Command::Begin(Box::new(NewCampaign {
        id: entry.id,
        name: entry.name.clone(),
        purpose: entry.purpose,
        text: None,
        area: COMMUNITY,
        form: None,
        from: None,
        until: entry.until,
    }));
    chain.commit(&chain.try_command(&organiser(), morning(), &begin).unwrap());
    assert_eq!(
        chain.try_command(&organiser(), morning(), &Command::Publish).unwrap_err(),
        Refusal::EmptyList
    );
    let close = Command::Close { note: None, open: Vec::new() };
    chain.commit(&chain.try_command(&organiser(), morning(), &close).unwrap());
    assert_eq!(chain.state().status, StatusName::Closed);
    for command in [Command::Publish, close, assign(vec![new_listed(1, GRID)])] {
        let asked = chain.try_command(&organiser(), morning(), &command);
        assert!(matches!(asked, Err(Refusal::WrongState { .. })), "{command:?}");
    }
}

#[test]
fn a_draft_is_known_to_those_who_make_it() {
    let sees = |chain: &Chain<Campaign>, by: &Actor| chain.state().visible_to(by, morning());
    let worker = actor(60, "网格员", &[(Role::GridWorker, GRID)]);
    let above = actor(61, "街道", &[(Role::StreetLeader, STREET)]);
    let beside = actor(62, "外街道", &[(Role::StreetLeader, STREET_BESIDE)]);
    let outside = actor(63, "系统", &[(Role::Integrator, COMMUNITY)]);
    let (draft, running) = (new_campaign(false), new_campaign(true));
    assert_eq!(
        [&worker, &above, &beside, &outside].map(|by| sees(&draft, by)),
        [false, true, false, false]
    );
    assert_eq!(
        [&worker, &above, &beside, &outside].map(|by| sees(&running, by)),
        [true, true, false, false]
    );
}

proptest! {
    /// However lists overlap, each household is listed once and every grid that has one owes it.
    #[test]
    fn a_household_stands_there_once(lists in prop::collection::vec(prop::collection::vec((0_u128..20, any::<bool>()), 1..20), 1..5)) {
        let mut chain = new_campaign(false);
        let mut last = std::collections::BTreeMap::new();
        last.insert(chain.state().tasks.keys().next().copied().unwrap(), GRID);
        for list in lists {
            let list: Vec<Listed> = list.into_iter().map(|(number, next)| new_listed(number, if next { GRID_NEXT } else { GRID })).collect();
            last.extend(list.iter().map(|one| (one.household, one.grid.id)));
            chain.commit(&chain.try_command(&organiser(), morning(), &assign(list)).unwrap());
        }
        chain.commit(&chain.try_command(&organiser(), morning(), &Command::Publish).unwrap());
        let tasks: std::collections::BTreeMap<_, _> = chain.state().tasks.iter().map(|(household, task)| (*household, task.grid)).collect();
        prop_assert_eq!(&tasks, &last);
        let owing: std::collections::BTreeSet<_> = chain.state().obligations().iter().map(|owed| owed.owed_by.id).collect();
        prop_assert_eq!(owing, last.values().copied().collect());
    }
}
