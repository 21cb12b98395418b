//! People: who can log in, and the grants they hold. A flow like the others, so that every
//! grant is in the journal with who gave it.
//!
//! Passwords are not here: they are no part of any record that is kept for ever.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Instant,
    actor::{Actor, Grant, Permission, Role},
    flow::{Context, Flow},
    id::{AreaId, PersonId, TenantId},
    journal::FlowKind,
    obligation::Obligation,
    refusal::Refusal,
    text::{Code, Line},
};

/// Somebody who can log in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Person {
    /// The identity.
    pub id: PersonId,
    /// The account, unique in the tenant.
    pub account: Code,
    /// The name others see.
    pub name: Line,
    /// What was granted and not revoked.
    pub grants: Vec<Grant>,
}

/// A grant somebody asks for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NewGrant {
    /// What.
    pub role: Role,
    /// Over which area.
    pub area: AreaId,
    /// Until when; without it, until revoked.
    pub until: Option<Instant>,
}

/// What may be asked about a person.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Add somebody.
    Register {
        /// The identity to have.
        id: PersonId,
        /// The account.
        account: Code,
        /// The name.
        name: Line,
        /// The first grants.
        grants: Vec<NewGrant>,
    },
    /// Grant a role.
    Grant {
        /// Which.
        grant: NewGrant,
    },
    /// Take a role back.
    Revoke {
        /// Which.
        role: Role,
        /// Over which area.
        area: AreaId,
    },
    /// Give a new password; which one is nobody's business here.
    ResetPassword,
}

/// What can have happened to a person.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Somebody was added.
    Registered {
        /// Who.
        person: Box<Person>,
    },
    /// A role was granted.
    Granted {
        /// Which.
        grant: Grant,
    },
    /// A role was taken back.
    Revoked {
        /// Which.
        role: Role,
        /// Over which area.
        area: AreaId,
    },
    /// A new password was given.
    PasswordReset,
}

impl Person {
    /// The most grants one person holds.
    pub const MAX_GRANTS: usize = 50;

    /// This person as an actor. Only authentication calls it.
    pub fn actor(&self, tenant: TenantId) -> Actor {
        Actor {
            tenant,
            person: self.id,
            name: self.name.as_str().to_owned(),
            grants: self.grants.clone(),
        }
    }
}

fn granted(grant: &NewGrant, cx: &Context<'_>) -> Result<Grant, Refusal> {
    let area = cx.area(grant.area)?;
    cx.require(Permission::ManagePeople, &area.path, &area.name)?;
    if grant.until.is_some_and(|until| until <= cx.at) {
        return Err(Refusal::EmptyPeriod);
    }
    Ok(Grant { role: grant.role, over: area.unit(), from: cx.at, until: grant.until })
}

/// A person is managed by whoever manages one of the areas the person works in.
fn require_managed(person: &Person, cx: &Context<'_>) -> Result<(), Refusal> {
    let managed = person.grants.is_empty() && cx.by.may_somewhere(Permission::ManagePeople, cx.at)
        || person
            .grants
            .iter()
            .any(|grant| cx.by.may(Permission::ManagePeople, &grant.over.path, cx.at));
    if managed {
        Ok(())
    } else {
        let area = person.grants.first().map(|g| g.over.name.clone()).unwrap_or_default();
        Err(Refusal::NotPermitted { permission: Permission::ManagePeople, area })
    }
}

/// Whoever sets a password can be that person: all power the person has, or will have, must be
/// theirs to give.
fn require_all_managed(person: &Person, cx: &Context<'_>) -> Result<(), Refusal> {
    require_managed(person, cx)?;
    for grant in person.grants.iter().filter(|g| g.until.is_none_or(|until| cx.at < until)) {
        cx.require(Permission::ManagePeople, &grant.over.path, &grant.over.name)?;
    }
    Ok(())
}

impl Flow for Person {
    const KIND: FlowKind = FlowKind::Person;
    type Command = Command;
    type Event = Event;

    fn name(command: &Command) -> &'static str {
        match command {
            Command::Register { .. } => "register",
            Command::Grant { .. } => "grant",
            Command::Revoke { .. } => "revoke",
            Command::ResetPassword => "reset_password",
        }
    }

    fn decide(
        state: Option<&Self>,
        command: &Command,
        cx: &Context<'_>,
    ) -> Result<Vec<Event>, Refusal> {
        match (state, command) {
            (None, Command::Register { id, account, name, grants }) => {
                if !cx.by.may_somewhere(Permission::ManagePeople, cx.at) {
                    let area = cx.areas.root().map(|a| a.name.clone()).unwrap_or_default();
                    return Err(Refusal::NotPermitted {
                        permission: Permission::ManagePeople,
                        area,
                    });
                }
                if grants.len() > Self::MAX_GRANTS {
                    return Err(Refusal::TooManyGrants { max: Self::MAX_GRANTS });
                }
                let grants = grants.iter().map(|g| granted(g, cx)).collect::<Result<_, _>>()?;
                let (account, name) = (account.clone(), name.clone());
                let person = Box::new(Self { id: *id, account, name, grants });
                Ok(vec![Event::Registered { person }])
            }
            (Some(_), Command::Register { .. }) => Err(Refusal::AlreadyExists { what: "person" }),
            (None, _) => Err(Refusal::WrongState {
                flow: "person",
                state: "none",
                command: Self::name(command),
                possible: vec!["register"],
            }),
            (Some(person), Command::Grant { grant }) => {
                require_managed(person, cx)?;
                if person.grants.len() >= Self::MAX_GRANTS {
                    return Err(Refusal::TooManyGrants { max: Self::MAX_GRANTS });
                }
                Ok(vec![Event::Granted { grant: granted(grant, cx)? }])
            }
            (Some(person), Command::Revoke { role, area }) => {
                let held = |g: &&Grant| g.role == *role && g.over.id == *area;
                let grant = person.grants.iter().find(held).ok_or(Refusal::NoSuchGrant)?;
                cx.require(Permission::ManagePeople, &grant.over.path, &grant.over.name)?;
                Ok(vec![Event::Revoked { role: *role, area: *area }])
            }
            (Some(person), Command::ResetPassword) => {
                if person.id != cx.by.person {
                    require_all_managed(person, cx)?;
                }
                Ok(vec![Event::PasswordReset])
            }
        }
    }

    fn evolve(state: Option<Self>, event: &Event) -> Option<Self> {
        match (state, event) {
            (None, Event::Registered { person }) => Some((**person).clone()),
            (Some(mut person), Event::Granted { grant }) => {
                person.grants.push(grant.clone());
                Some(person)
            }
            (Some(mut person), Event::Revoked { role, area }) => {
                person.grants.retain(|g| !(g.role == *role && g.over.id == *area));
                Some(person)
            }
            (Some(person), Event::PasswordReset) => Some(person),
            (None | Some(_), _) => None,
        }
    }

    fn obligations(&self) -> Vec<Obligation> {
        Vec::new()
    }

    fn fulfils(_: &Event, _: &Obligation) -> bool {
        false
    }

    fn id(&self) -> Uuid {
        self.id.0
    }
}
