//! The commands for households: what they do, and who may give them.

use chrono::Duration;

use super::{
    Command, Event, Household, Member, NewHousehold, NewPairing, Pairing, Standing, Update,
};
use crate::{
    area::tree::{AreaKind, Unit},
    core::{id::AreaId, time::saturating_sub},
    flows::flow::Context,
    people::actor::{Grant, Permission},
    rules::refusal::Refusal,
};

/// The grid a household lies in.
fn require_grid(id: AreaId, cx: &Context<'_>) -> Result<Unit, Refusal> {
    let area = cx.require_area(id)?;
    if area.kind != AreaKind::Grid {
        return Err(Refusal::NotInAGrid { area: area.name.clone() });
    }
    cx.require_permission(Permission::ManageHouseholds, &area.path, &area.name)?;
    Ok(area.unit())
}

/// Registers a household.
pub(super) fn register_household(
    new: &NewHousehold,
    cx: &Context<'_>,
) -> Result<Vec<Event>, Refusal> {
    let area = require_grid(new.area, cx)?;
    let mut household = Household {
        id: new.id,
        number: cx.new_number('H', new.id.0, cx.at),
        area,
        building: new.building.clone(),
        group: new.group.clone(),
        size: new.size,
        members: Vec::new(),
        special: new.special,
        pairings: Vec::new(),
        standing: Standing::Present,
        registered_at: cx.at,
    };
    household.members.clone_from(&new.members);
    check_size(new.size)?;
    check_members(&household.members)?;
    for one in &new.pairings {
        let pairing = new_pairing(&household, one, cx)?;
        household.pairings.push(pairing);
    }
    Ok(vec![Event::Registered { household: Box::new(household) }])
}

/// Decides a command on a household that exists.
pub(super) fn decide_existing(
    household: &Household,
    command: &Command,
    cx: &Context<'_>,
) -> Result<Vec<Event>, Refusal> {
    let manage = || {
        cx.require_permission(
            Permission::ManageHouseholds,
            &household.area.path,
            &household.area.name,
        )
    };
    match command {
        Command::Register(_) => Err(Refusal::AlreadyExists { what: "household" }),
        Command::Update(update) => {
            manage()?;
            let area = update.area.map(|id| require_grid(id, cx)).transpose()?;
            check_size(update.size)?;
            check_update(household, update)?;
            Ok(vec![Event::Updated { update: update.clone(), area }])
        }
        Command::Pair { pairing: new } => {
            manage()?;
            Ok(vec![Event::Paired { pairing: new_pairing(household, new, cx)? }])
        }
        Command::Unpair { person, kind } => {
            manage()?;
            let held = |one: &Pairing| one.person == *person && one.kind == *kind;
            if !household.pairings.iter().any(held) {
                return Err(Refusal::NotPaired);
            }
            Ok(vec![Event::Unpaired { person: *person, kind: *kind }])
        }
        Command::Answer { form, edition, answers, counts } => {
            household.require_permission(Permission::Visit, cx)?;
            let (form, edition, answers, counts) = (*form, *edition, *answers, *counts);
            Ok(vec![Event::Answered { form, edition, answers, counts }])
        }
        Command::Leave => manage().map(|()| vec![Event::Left]),
        Command::Return => manage().map(|()| vec![Event::Returned]),
        Command::Erase { reason } => {
            manage()?;
            Ok(vec![Event::Erased { reason: reason.clone() }])
        }
    }
}

/// Refuses changes to members that the household lacks, and more members than it can have.
fn check_update(household: &Household, update: &Update) -> Result<(), Refusal> {
    let known = |id: &uuid::Uuid| household.members.iter().any(|member| member.id == *id);
    if !update.changed.iter().chain(&update.removed).all(known) {
        return Err(Refusal::NoSuchMember);
    }
    let stay = household.members.iter().filter(|member| !update.removed.contains(&member.id));
    let after: Vec<Member> = stay.chain(&update.added).copied().collect();
    check_members(&after)
}

fn check_size(size: Option<u16>) -> Result<(), Refusal> {
    if size.is_some_and(|size| size > Household::MAX_SIZE) {
        return Err(Refusal::TooMany { what: "persons", max: Household::MAX_SIZE.into() });
    }
    Ok(())
}

fn check_members(members: &[Member]) -> Result<(), Refusal> {
    if members.len() > Household::MAX_MEMBERS {
        return Err(Refusal::TooMany { what: "members", max: Household::MAX_MEMBERS });
    }
    let twice =
        |(index, one): (usize, &Member)| members.iter().take(index).any(|other| other.id == one.id);
    if members.iter().enumerate().any(twice) {
        return Err(Refusal::AlreadyExists { what: "member" });
    }
    Ok(())
}

/// Builds the pairing of a command.
fn new_pairing(
    household: &Household,
    new: &NewPairing,
    cx: &Context<'_>,
) -> Result<Pairing, Refusal> {
    // Like a grant, it holds at once by the clock of every replica.
    let slack = Duration::seconds(Grant::CLOCK_SLACK_S);
    let from = new.from.unwrap_or_else(|| saturating_sub(cx.at, slack));
    if new.until.is_some_and(|until| until <= from || until <= cx.at) {
        return Err(Refusal::EmptyPeriod);
    }
    let others = household.pairings.iter();
    let others = others.filter(|one| (one.person, one.kind) != (new.person, new.kind)).count();
    if others >= Household::MAX_PAIRINGS {
        return Err(Refusal::TooMany { what: "pairings", max: Household::MAX_PAIRINGS });
    }
    Ok(Pairing { person: new.person, kind: new.kind, from, until: new.until })
}
