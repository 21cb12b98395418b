//! The commands for people: what they do, and who may give them.

use chrono::Duration;

use super::{Command, Event, NewGrant, Person, Shift, Standing};
use crate::{
    Instant,
    core::{
        id::AreaId,
        text::Line,
        time::{saturating_add, saturating_sub},
    },
    flows::flow::Context,
    people::{
        actor::{Grant, Permission, Role},
        role::APART,
        staffing::Staffing,
    },
    rules::refusal::Refusal,
};

/// Registers a person with the first grants.
pub(super) fn register_person(
    mut person: Person,
    grants: &[NewGrant],
    cx: &Context<'_>,
) -> Result<Vec<Event>, Refusal> {
    if !cx.by.may_somewhere(Permission::ManagePeople, cx.at) {
        let area = cx.areas.root().map(|a| a.name.clone()).unwrap_or_default();
        return Err(Refusal::NotPermitted { permission: Permission::ManagePeople, area });
    }
    person.program = grants.iter().any(|grant| grant.role == Role::Integrator);
    for grant in grants {
        let grant = new_grant(&person, grant, cx)?;
        person.add_grant(&grant);
    }
    if !person.is_staff() {
        person.name = Line::from_static(Person::RESIDENT);
    }
    Ok(vec![Event::Registered { person: Box::new(person) }])
}

/// Refuses an actor who does not manage a person, before the actor is told the person's standing.
pub(super) fn authorize(
    person: &Person,
    command: &Command,
    cx: &Context<'_>,
) -> Result<(), Refusal> {
    match command {
        Command::Grant { .. } => {
            require_managed(person, cx)?;
            require_other(person, cx)
        }
        Command::TakeOver { .. } => require_other(person, cx),
        Command::Suspend { .. } | Command::Reinstate | Command::Leave { .. } => {
            require_all_managed(person, cx)?;
            require_other(person, cx)
        }
        Command::Register { .. }
        | Command::Rename { .. }
        | Command::Revoke { .. }
        | Command::HandOver { .. }
        | Command::Stand { .. }
        | Command::StartShift { .. }
        | Command::EndShift
        | Command::ResetPassword => Ok(()),
    }
}

/// Decides a command on a person that exists.
pub(super) fn decide_existing(
    person: &Person,
    command: &Command,
    cx: &Context<'_>,
) -> Result<Vec<Event>, Refusal> {
    match command {
        Command::Register { .. } => Err(Refusal::AlreadyExists { what: "person" }),
        Command::Rename { name } => {
            require_managed(person, cx)?;
            // The name of a resident is stored where it can be erased.
            let hidden = person.is_nameless().then(|| Line::from_static(Person::RESIDENT));
            Ok(vec![Event::Renamed { name: hidden.unwrap_or_else(|| name.clone()) }])
        }
        Command::Grant { grant } => {
            let grant = new_grant(person, grant, cx)?;
            // A person who left and comes back begins with the new grants only.
            let back = (person.standing == Standing::Left).then_some(Event::Reinstated);
            Ok(back.into_iter().chain([Event::Granted { grant }]).collect())
        }
        Command::Revoke { role, area, staffing } => {
            require_grant_permission(find_grant(person, *role, *area)?, cx)?;
            require_other(person, cx)?;
            let lost = |grant: &Grant| grant.is_for(*role, *area);
            require_staffed(person, lost, staffing, cx)?;
            Ok(vec![Event::Revoked { role: *role, area: *area }])
        }
        Command::HandOver { role, area, to, reason } => {
            let grant = find_grant(person, *role, *area)?;
            require_grant_permission(grant, cx)?;
            require_other(person, cx)?;
            if !grant.holds_at(cx.at) || *to == person.id {
                return Err(Refusal::NoSuchGrant);
            }
            let (role, area, to, reason) = (*role, *area, *to, reason.clone());
            Ok(vec![Event::HandedOver { role, area, to, reason }])
        }
        Command::TakeOver { grants, of } => {
            let mut after = person.clone();
            let mut events = Vec::with_capacity(grants.len());
            for grant in grants {
                let grant = new_grant(&after, grant, cx)?;
                after.add_grant(&grant);
                events.push(Event::TookOver { grant, of: *of });
            }
            Ok(events)
        }
        Command::Suspend { reason, staffing } => {
            require_staffed(person, |_| true, staffing, cx)?;
            Ok(vec![Event::Suspended { reason: reason.clone() }])
        }
        Command::Reinstate => Ok(vec![Event::Reinstated]),
        Command::Leave { reason, to, staffing } => {
            if to.is_none() {
                require_staffed(person, |_| true, staffing, cx)?;
            }
            if *to == Some(person.id) {
                return Err(Refusal::NoSuchGrant);
            }
            Ok(vec![Event::Left { reason: reason.clone(), to: *to }])
        }
        Command::Stand { over } => stand_as_administrator(person, over, cx),
        Command::StartShift { area, until } => start_shift(person, *area, *until, cx),
        Command::EndShift => {
            if person.id != cx.by.person {
                require_managed(person, cx)?;
            }
            match person.current_shift(cx.at) {
                Some(_) => Ok(vec![Event::ShiftEnded]),
                None => Err(Refusal::NotOnDuty),
            }
        }
        Command::ResetPassword => {
            person.require_password()?;
            if person.id != cx.by.person {
                require_all_managed(person, cx)?;
            }
            Ok(vec![Event::PasswordReset])
        }
    }
}

/// Builds a grant: within what the giver manages, for a period that has not ended, and without two
/// roles that must be held apart.
fn new_grant(person: &Person, asked: &NewGrant, cx: &Context<'_>) -> Result<Grant, Refusal> {
    let area = cx.require_area(asked.area)?;
    cx.require_permission(Permission::ManagePeople, &area.path, &area.name)?;
    // A person with a password would have the rights of a program without its scopes and quota. And
    // a program with an office would have its rights with one key, without a second factor.
    if (asked.role == Role::Integrator) != person.is_program() {
        return Err(Refusal::ProgramRole);
    }
    let from = asked.from.map_or(cx.at, |from| from.max(cx.at));
    if asked.until.is_some_and(|until| until <= from) {
        return Err(Refusal::EmptyPeriod);
    }
    let (until, post) = (asked.until, asked.post.clone());
    let mut grant = Grant { role: asked.role, over: area.unit(), from, until, post };
    let others = || person.grants.iter().filter(|held| held.overlaps(&grant));
    let apart = |held: &&Grant| {
        let pair = (held.role, grant.role);
        APART.iter().any(|(a, b)| pair == (*a, *b) || pair == (*b, *a))
    };
    if let Some(held) = others().find(apart) {
        return Err(Refusal::RolesApart { held: held.role, asked: grant.role });
    }
    let same: Vec<Instant> =
        others().filter(|held| held.is_for(grant.role, area.id)).map(|held| held.from).collect();
    // A renewal does not begin later than what it renews.
    match same.iter().min() {
        Some(since) => grant.from = grant.from.min(*since),
        None if person.grants.len() >= Person::MAX_GRANTS => {
            return Err(Refusal::TooManyGrants { max: Person::MAX_GRANTS });
        }
        None => {}
    }
    // What is granted at once holds at once, by the clock of every replica.
    if grant.from == cx.at {
        grant.from = saturating_sub(cx.at, Duration::seconds(Grant::CLOCK_SLACK_S));
    }
    Ok(grant)
}

/// Refuses actors who give themselves rights or take their own.
fn require_other(person: &Person, cx: &Context<'_>) -> Result<(), Refusal> {
    if person.id == cx.by.person { Err(Refusal::OwnRights) } else { Ok(()) }
}

/// Refuses to end rights without which nobody could do what a unit owes. Whoever takes a role over
/// gets it in the same commit, so that handing over leaves nothing undone.
fn require_staffed(
    person: &Person,
    is_lost: impl Fn(&Grant) -> bool,
    staffing: &Staffing,
    cx: &Context<'_>,
) -> Result<(), Refusal> {
    let held = person.grants.iter().filter(|grant| grant.holds_at(cx.at));
    let (lost, kept): (Vec<&Grant>, Vec<&Grant>) = held.partition(|grant| is_lost(grant));
    match staffing.find_abandoned_units(&lost, &kept, cx.areas) {
        units if units.is_empty() => Ok(()),
        units => Err(Refusal::OpenWork { units }),
    }
}

fn find_grant(person: &Person, role: Role, area: AreaId) -> Result<&Grant, Refusal> {
    person.grants.iter().find(|grant| grant.is_for(role, area)).ok_or(Refusal::NoSuchGrant)
}

fn require_grant_permission(grant: &Grant, cx: &Context<'_>) -> Result<(), Refusal> {
    cx.require_permission(Permission::ManagePeople, &grant.over.path, &grant.over.name)
}

/// Refuses an actor who manages none of the areas the person works in.
pub fn require_managed(person: &Person, cx: &Context<'_>) -> Result<(), Refusal> {
    if person.is_managed_by(cx.by, cx.at) {
        Ok(())
    } else {
        let area = person.grants.first().map(|g| g.over.name.clone()).unwrap_or_default();
        Err(Refusal::NotPermitted { permission: Permission::ManagePeople, area })
    }
}

/// Setting a password gives access to the account, and closing it takes everything: the actor must
/// manage the areas of all grants the person has, or will have.
fn require_all_managed(person: &Person, cx: &Context<'_>) -> Result<(), Refusal> {
    require_managed(person, cx)?;
    let to_come = |grant: &&Grant| grant.until.is_none_or(|until| cx.at < until);
    person.grants.iter().filter(to_come).try_for_each(|grant| require_grant_permission(grant, cx))
}

/// Only an administrator whose own right does not end by itself may take another's: so one remains.
fn stand_as_administrator(
    person: &Person,
    over: &[AreaId],
    cx: &Context<'_>,
) -> Result<Vec<Event>, Refusal> {
    let own = person.id == cx.by.person && person.standing == Standing::Active;
    for id in over {
        let area = cx.require_area(*id)?;
        let stays = |grant: &Grant| {
            grant.role == Role::Administrator
                && grant.holds_at(cx.at)
                && grant.until.is_none()
                && grant.over.path.contains(&area.path)
        };
        if !(own && person.grants.iter().any(stays)) {
            return Err(Refusal::LastAdministrator { area: area.name.clone() });
        }
    }
    Ok(vec![Event::Stood { over: over.to_vec() }])
}

fn start_shift(
    person: &Person,
    area: AreaId,
    until: Instant,
    cx: &Context<'_>,
) -> Result<Vec<Event>, Refusal> {
    let area = cx.require_area(area)?;
    if person.id != cx.by.person {
        return Err(Refusal::NotPermitted {
            permission: Permission::GoOnDuty,
            area: area.name.clone(),
        });
    }
    cx.require_permission(Permission::GoOnDuty, &area.path, &area.name)?;
    if until <= cx.at {
        return Err(Refusal::EmptyPeriod);
    }
    if until > saturating_add(cx.at, Duration::hours(Shift::MAX_HOURS)) {
        return Err(Refusal::ShiftTooLong { hours: Shift::MAX_HOURS });
    }
    Ok(vec![Event::ShiftStarted { shift: Shift { over: area.unit(), since: cx.at, until } }])
}
