//! What may be done about households, and by whom.

use super::{
    Command, Event, Household, Member, NewHousehold, NewPairing, Pairing, Standing, Update,
};
use crate::{
    area::tree::{AreaKind, Unit},
    core::id::{AreaId, number},
    flows::flow::Context,
    people::actor::Permission,
    rules::refusal::Refusal,
};

/// The grid a household lies in.
fn grid(id: AreaId, cx: &Context<'_>) -> Result<Unit, Refusal> {
    let area = cx.area(id)?;
    if area.kind != AreaKind::Grid {
        return Err(Refusal::NotInAGrid { area: area.name.clone() });
    }
    cx.require(Permission::ManageHouseholds, &area.path, &area.name)?;
    Ok(area.unit())
}

/// Registers a household.
pub(super) fn register(new: &NewHousehold, cx: &Context<'_>) -> Result<Vec<Event>, Refusal> {
    let area = grid(new.area, cx)?;
    let mut household = Household {
        id: new.id,
        number: number('H', new.id.0, cx.at),
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
    sized(new.size)?;
    distinct(&household.members)?;
    for one in &new.pairings {
        let pairing = pairing(&household, one, cx)?;
        household.pairings.push(pairing);
    }
    Ok(vec![Event::Registered { household: Box::new(household) }])
}

/// Everything that is asked of one that exists.
pub(super) fn about(
    household: &Household,
    command: &Command,
    cx: &Context<'_>,
) -> Result<Vec<Event>, Refusal> {
    let manage =
        || cx.require(Permission::ManageHouseholds, &household.area.path, &household.area.name);
    match command {
        Command::Register(_) => Err(Refusal::AlreadyExists { what: "household" }),
        Command::Update(update) => {
            manage()?;
            let area = update.area.map(|id| grid(id, cx)).transpose()?;
            sized(update.size)?;
            updated(household, update)?;
            Ok(vec![Event::Updated { update: update.clone(), area }])
        }
        Command::Pair { pairing: new } => {
            manage()?;
            Ok(vec![Event::Paired { pairing: pairing(household, new, cx)? }])
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
            household.require(Permission::Visit, cx)?;
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

/// Refuses changes to members it does not have, and more members than it can have.
fn updated(household: &Household, update: &Update) -> Result<(), Refusal> {
    let known = |id: &uuid::Uuid| household.members.iter().any(|member| member.id == *id);
    if !update.changed.iter().chain(&update.removed).all(known) {
        return Err(Refusal::NoSuchMember);
    }
    let stay = household.members.iter().filter(|member| !update.removed.contains(&member.id));
    let after: Vec<Member> = stay.chain(&update.added).copied().collect();
    distinct(&after)
}

fn sized(size: Option<u16>) -> Result<(), Refusal> {
    if size.is_some_and(|size| size > Household::MAX_SIZE) {
        return Err(Refusal::TooMany { what: "persons", max: Household::MAX_SIZE.into() });
    }
    Ok(())
}

fn distinct(members: &[Member]) -> Result<(), Refusal> {
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

/// The pairing that is made of what is asked.
fn pairing(household: &Household, new: &NewPairing, cx: &Context<'_>) -> Result<Pairing, Refusal> {
    let from = new.from.unwrap_or(cx.at);
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
