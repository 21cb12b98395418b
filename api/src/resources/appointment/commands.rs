//! Taking rights from people and giving them to others: what else moves with it is one commit.

use domain::{
    core::id::{AreaId, PersonId},
    flows::{
        change::{Change, Versioned, execute},
        flow::Context,
        person::{Command, NewGrant, Person, Standing},
    },
    people::{
        actor::{Grant, Role},
        staffing::Staffing,
    },
    rules::refusal::Refusal,
};
use persistence::{Db, StoreError, Write, load_state, people::appointment as posts};
use serde::Serialize;
use uuid::Uuid;

use super::{HandOverBody, LeaveBody, ReinstateBody, RevokeBody, SuspendPersonBody};
use crate::{
    app::world::TenantSnapshot,
    engine::step::{self, Asked, Step},
    http::{answer::Answer, problem::Reply},
    resources::person::{self, PersonView},
};

/// Takes a role back.
pub async fn revoke_role(step: Step, body: RevokeBody) -> Reply<Answer<PersonView>> {
    let RevokeBody { role, area_id } = body;
    let command = move |others: &Others| {
        let staffing = others.staffing.clone();
        Command::Revoke { role, area: AreaId(area_id), staffing }
    };
    take_rights(step, "revoke_role", &body, None, command).await
}

/// Hands a role over.
pub async fn hand_over_role(step: Step, body: HandOverBody) -> Reply<Answer<PersonView>> {
    let HandOverBody { role, area_id, to_person_id, reason } = &body;
    let (role, area, to) = (*role, AreaId(*area_id), PersonId(*to_person_id));
    let reason = reason.clone();
    let command = move |_: &Others| Command::HandOver { role, area, to, reason: reason.clone() };
    take_rights(step, "hand_over_role", &body, Some(to), command).await
}

/// Suspends an account.
pub async fn suspend_person(step: Step, body: SuspendPersonBody) -> Reply<Answer<PersonView>> {
    let reason = body.reason.clone();
    let command = move |others: &Others| {
        let (reason, staffing) = (reason.clone(), others.staffing.clone());
        Command::Suspend { reason, staffing }
    };
    take_rights(step, "suspend_person", &body, None, command).await
}

/// Reinstates a suspended account.
pub async fn reinstate_person(step: Step, body: ReinstateBody) -> Reply<Answer<PersonView>> {
    person::run_command(step, "reinstate_person", &body, Command::Reinstate).await
}

/// Ends all roles of a person.
pub async fn leave_person(step: Step, body: LeaveBody) -> Reply<Answer<PersonView>> {
    let (to, reason) = (body.to_person_id.map(PersonId), body.reason.clone());
    let command = move |others: &Others| {
        let (reason, staffing) = (reason.clone(), others.staffing.clone());
        Command::Leave { reason, to, staffing }
    };
    take_rights(step, "leave_person", &body, to, command).await
}

/// The other records that are written when a person's rights are taken.
struct Others {
    /// The successor, who gets them.
    heir: Option<Versioned<Person>>,
    /// The caller, who takes them.
    own: Option<Versioned<Person>>,
    /// Who else does the work of their units.
    staffing: Staffing,
}

impl Others {
    fn load(
        db: &mut Db,
        world: &TenantSnapshot,
        (of, heir, own): (Uuid, Option<PersonId>, PersonId),
        at: domain::Instant,
    ) -> Result<Self, StoreError> {
        let tenant = world.tenant.id;
        let heir = match heir {
            Some(heir) => load_state::<Person>(db, tenant, heir.0)?,
            None => None,
        };
        let staffing = match load_state::<Person>(db, tenant, of)? {
            Some(person) => posts::load_staffing(db, tenant, &person.state, &world.areas, at)?,
            None => Staffing::default(),
        };
        Ok(Self { heir, own: load_state::<Person>(db, tenant, own.0)?, staffing })
    }
}

/// Runs a command that takes rights from a person, and writes with it what others get by it.
async fn take_rights(
    step: Step,
    operation: &str,
    body: &impl Serialize,
    to: Option<PersonId>,
    command: impl Fn(&Others) -> Command,
) -> Reply<Answer<PersonView>> {
    let asked = step.build_asked(operation, body);
    let (own, now) = (step.caller.person, step.app.clock.now());
    let (whom, world) = ((step.id, to, own), step.app.world(step.caller.tenant)?);
    let also = move |db: &mut Db| Others::load(db, &world, whom, now);
    let stored = step::run_step_with::<Person, Others>(
        &step.app,
        &step.caller,
        asked,
        also,
        |stored, others, context| {
            let command = command(others);
            let change = execute::<Person>(Some(stored), &command, asked.request, context)?;
            let lost = find_lost_grants(&stored.state, &change.state, context.at);
            let mut more = Vec::new();
            if let Some(heir) = to {
                more.push(give_to_heir(heir, &lost, stored.state.id, others, asked, context)?);
            }
            more.extend(check_administrators(&lost, others, asked, context)?);
            Ok((change, more.into_iter().map(Write::from).collect()))
        },
    )
    .await?;
    for person in [Some(stored.state.id), to].into_iter().flatten() {
        step.app.actors.forget_person(person);
    }
    let view = person::load_view(&step.app, &step.caller, &stored).await?;
    Ok(Answer::of_change(stored.seq, view))
}

/// The grants that a person had and has no more, present and future ones.
fn find_lost_grants(before: &Person, after: &Person, at: domain::Instant) -> Vec<Grant> {
    let kept = |grant: &Grant| {
        after.standing == Standing::Active && after.grants.iter().any(|other| other == grant)
    };
    let over = |grant: &Grant| grant.until.is_some_and(|until| until <= at);
    before.grants.iter().filter(|grant| !kept(grant) && !over(grant)).cloned().collect()
}

/// The grants of the successor.
fn give_to_heir(
    to: PersonId,
    lost: &[Grant],
    of: PersonId,
    others: &Others,
    asked: Asked,
    context: Context<'_>,
) -> Reply<Change<Person>> {
    let heir = others.heir.as_ref().ok_or(Refusal::UnknownPerson { id: to })?;
    let grants = lost.iter().map(|grant| NewGrant {
        role: grant.role,
        area: grant.over.id,
        from: Some(grant.from),
        until: grant.until,
        post: grant.post.clone(),
    });
    let command = Command::TakeOver { grants: grants.collect(), of };
    Ok(execute::<Person>(Some(heir), &command, asked.request, context)?)
}

/// Checks that the caller who takes an administrator's rights is an administrator and stays one.
fn check_administrators(
    lost: &[Grant],
    others: &Others,
    asked: Asked,
    context: Context<'_>,
) -> Reply<Option<Change<Person>>> {
    let administered = lost.iter().filter(|grant| grant.role == Role::Administrator);
    let over: Vec<AreaId> = administered.map(|grant| grant.over.id).collect();
    match (&others.own, over.is_empty()) {
        (_, true) | (None, false) => Ok(None),
        (Some(own), false) => {
            let command = Command::Stand { over };
            Ok(Some(execute::<Person>(Some(own), &command, asked.request, context)?))
        }
    }
}
