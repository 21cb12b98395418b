//! People: who can log in, the grants they hold, whether they are on duty. A flow like the others,
//! so that every grant is in the journal with the person who gave it.
//!
//! Duties are owed by units, not by people: a person who leaves takes none along, and a successor
//! finds the work of the appointment in the inbox. Passwords are not here: they belong to no record
//! that is kept for ever.

mod decide;

pub use decide::require_managed;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Instant,
    area::tree::Unit,
    core::{
        disclosure::disclosed,
        id::{AreaId, PersonId, TenantId},
        journal::FlowKind,
        labelled_enum::labelled_enum,
        text::{Code, Line, Prose},
    },
    flows::{
        flow::{Context, Flow},
        lifecycle::{CommandKind, Lifecycle, MoveTable, refuse_unasked},
        stored_event::JournalEvent,
    },
    people::{
        actor::{Actor, Grant, Permission, Powers, Role},
        staffing::Staffing,
    },
    rules::{obligation::Obligation, refusal::Refusal},
};

labelled_enum! {
    /// Whether a person works here.
    Standing {
        /// The person works here and can log in.
        Active = "active", "在岗";
        /// Suspended: no login, no grant has effect.
        Suspended = "suspended", "停用";
        /// Has left; the grants are gone.
        Left = "left", "离岗";
    }
}

labelled_enum! {
    /// The commands for a person that depend on the person's standing.
    Verb {
        /// Grants a role.
        Grant = "grant", "授权";
        /// Receives what another person hands over.
        TakeOver = "take_over", "接任";
        /// Suspends the account.
        Suspend = "suspend", "停用";
        /// Ends the suspension.
        Reinstate = "reinstate", "恢复";
        /// Revokes a role.
        Revoke = "revoke", "收回授权";
        /// Ends every role at once.
        Leave = "leave", "离岗";
    }
}

/// Where each verb leads from each standing; what is not listed is refused.
pub const MOVES: &[(Standing, Verb, Standing)] = &[
    (Standing::Active, Verb::Grant, Standing::Active),
    (Standing::Active, Verb::TakeOver, Standing::Active),
    (Standing::Active, Verb::Revoke, Standing::Active),
    (Standing::Active, Verb::Suspend, Standing::Suspended),
    (Standing::Active, Verb::Leave, Standing::Left),
    (Standing::Suspended, Verb::Reinstate, Standing::Active),
    (Standing::Suspended, Verb::Revoke, Standing::Suspended),
    (Standing::Suspended, Verb::Leave, Standing::Left),
    (Standing::Left, Verb::Grant, Standing::Active),
    (Standing::Left, Verb::Revoke, Standing::Left),
];

/// A person or a program that can log in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Person {
    /// The identity, which never changes.
    pub id: PersonId,
    /// The account, unique in the tenant.
    pub account: Code,
    /// The name others see; for a resident a placeholder, because the name itself is stored where
    /// it can be erased.
    pub name: Line,
    /// Whether the person works here.
    #[serde(default = "default_standing")]
    pub standing: Standing,
    /// The grants that were not revoked.
    pub grants: Vec<Grant>,
    /// Whether it is a program: it authenticates by its secrets and has no password.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub program: bool,
    /// The present shift, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shift: Option<Shift>,
}

const fn default_standing() -> Standing {
    Standing::Active
}

/// A time on duty.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Shift {
    /// The area the person is on duty for.
    pub over: Unit,
    /// When it began, inclusive.
    pub since: Instant,
    /// When it ends by itself, exclusive.
    pub until: Instant,
}

impl Shift {
    /// The longest shift in hours: one that the person forgot to end ends by itself.
    pub const MAX_HOURS: i64 = 16;

    /// Whether it lasts at this moment. It has begun, though a clock may be behind that on which it
    /// did: nobody begins one for later.
    pub fn is_active_at(&self, at: Instant) -> bool {
        at < self.until
    }
}

/// A grant to be made.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NewGrant {
    /// The role to be held.
    pub role: Role,
    /// Over which area.
    pub area: AreaId,
    /// From when; without it, from now.
    pub from: Option<Instant>,
    /// Until when; without it, until revoked.
    pub until: Option<Instant>,
    /// The appointment it belongs to.
    pub post: Option<Line>,
}

impl NewGrant {
    /// A role over an area from now until revoked.
    pub const fn new(role: Role, area: AreaId) -> Self {
        Self { role, area, from: None, until: None, post: None }
    }
}

/// The commands for a person.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Registers a person with the first grants.
    Register {
        /// The identity of the person.
        id: PersonId,
        /// The account, unique in the tenant.
        account: Code,
        /// The name others see; that of a resident is not stored here.
        name: Line,
        /// The first grants.
        grants: Vec<NewGrant>,
    },
    /// Corrects the name.
    Rename {
        /// The corrected name.
        name: Line,
    },
    /// Grants a role; one that is held over the same area is renewed.
    Grant {
        /// The role, the area and the period.
        grant: NewGrant,
    },
    /// Revokes a role.
    Revoke {
        /// The role to revoke.
        role: Role,
        /// Over which area.
        area: AreaId,
        /// Who else does the work, looked up by the caller.
        staffing: Staffing,
    },
    /// Revokes a role and gives it to another person at the same moment.
    HandOver {
        /// The role to hand over.
        role: Role,
        /// Over which area.
        area: AreaId,
        /// The person who receives it.
        to: PersonId,
        /// The reasons, in words.
        reason: Prose,
    },
    /// Receives what another person hands over.
    TakeOver {
        /// The grants that are handed over.
        grants: Vec<NewGrant>,
        /// The person who hands them over.
        of: PersonId,
    },
    /// Suspends the account.
    Suspend {
        /// The reasons, in words.
        reason: Prose,
        /// Who else does the work, looked up by the caller.
        staffing: Staffing,
    },
    /// Ends the suspension.
    Reinstate,
    /// Records that the person has left; ends every role.
    Leave {
        /// The reasons, in words.
        reason: Prose,
        /// The person who takes over the appointments.
        to: Option<PersonId>,
        /// Who else does the work, looked up by the caller.
        staffing: Staffing,
    },
    /// Confirms that the actor remains an administrator while the rights of another administrator
    /// are taken: of two who take each other's rights at once, the second is refused.
    Stand {
        /// Over which areas.
        over: Vec<AreaId>,
    },
    /// Goes on duty.
    StartShift {
        /// The area to be on duty for.
        area: AreaId,
        /// When it ends by itself, exclusive.
        until: Instant,
    },
    /// Goes off duty.
    EndShift,
    /// Sets a new password; this flow does not see it.
    ResetPassword,
}

/// The events of a person.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A person was registered.
    Registered {
        /// The person, with the first grants.
        person: Box<Person>,
    },
    /// The name was corrected.
    Renamed {
        /// The new name.
        name: Line,
    },
    /// A role was granted or renewed.
    Granted {
        /// The grant as it is now.
        grant: Grant,
    },
    /// A role was revoked.
    Revoked {
        /// The role that was revoked.
        role: Role,
        /// Over which area.
        area: AreaId,
    },
    /// A role was handed over to another person.
    HandedOver {
        /// The role that was handed over.
        role: Role,
        /// Over which area.
        area: AreaId,
        /// The person who received it.
        to: PersonId,
        /// The reasons, in words.
        reason: Prose,
    },
    /// A role was received from another person.
    TookOver {
        /// The grant as it is now.
        grant: Grant,
        /// The person who handed it over.
        of: PersonId,
    },
    /// The account was suspended.
    Suspended {
        /// The reasons, in words.
        reason: Prose,
    },
    /// The suspension ended.
    Reinstated,
    /// The person left.
    Left {
        /// The reasons, in words.
        reason: Prose,
        /// The person who took over the appointments.
        to: Option<PersonId>,
    },
    /// The actor took the rights of another administrator.
    Stood {
        /// Over which areas.
        over: Vec<AreaId>,
    },
    /// The person went on duty.
    ShiftStarted {
        /// The area and the period.
        shift: Shift,
    },
    /// The person went off duty.
    ShiftEnded,
    /// A new password was set.
    PasswordReset,
}

// Events of people appear in no timeline and no feed.
disclosed! {
    enum Event by "event" {
        Registered { Withheld: person }
        Renamed { Withheld: name }
        Granted { Withheld: grant }
        Revoked { Withheld: role, area }
        HandedOver { Withheld: role, area, to, reason }
        TookOver { Withheld: grant, of }
        Suspended { Withheld: reason }
        Reinstated {}
        Left { Withheld: reason, to }
        Stood { Withheld: over }
        ShiftStarted { Withheld: shift }
        ShiftEnded {}
        PasswordReset {}
    }

    struct Person { Open: id, account, name, standing, grants, program, shift }
    struct Shift { Open: over, since, until }
}
impl JournalEvent for Event {}

impl Person {
    /// The most grants one person holds.
    pub const MAX_GRANTS: usize = 50;

    /// The placeholder for a resident's name in the journal.
    pub const RESIDENT: &'static str = "居民";

    /// Whether the name is stored elsewhere.
    pub fn is_nameless(&self) -> bool {
        self.name.as_str() == Self::RESIDENT
    }

    /// Whether the person is staff: the names of staff are part of the record.
    pub fn is_staff(&self) -> bool {
        self.grants.iter().any(|grant| grant.role.is_office())
    }

    /// Whether this is a program. One registered before programs were marked as such has the role
    /// of a program and no other.
    pub fn is_program(&self) -> bool {
        let of_program = |grant: &Grant| grant.role == Role::Integrator;
        self.program || (!self.grants.is_empty() && self.grants.iter().all(of_program))
    }

    /// Refuses a password for a program: logging in with one would bypass its scopes and quota.
    pub fn require_password(&self) -> Result<(), Refusal> {
        if self.is_program() { Err(Refusal::ProgramPassword) } else { Ok(()) }
    }

    /// Whether the person holds an office at this moment, or will.
    pub fn holds_office(&self, at: Instant) -> bool {
        let open = |grant: &&Grant| grant.until.is_none_or(|until| at < until);
        self.grants.iter().filter(open).any(|grant| grant.role.is_office())
    }

    /// Whether `by` manages this person: one of the areas of the person's grants, or any area when
    /// there are none.
    pub fn is_managed_by(&self, by: &Actor, at: Instant) -> bool {
        let manages = Permission::ManagePeople;
        (self.grants.is_empty() && by.may_somewhere(manages, at))
            || self.grants.iter().any(|grant| by.may(manages, &grant.over.path, at))
    }

    /// Whether `by` manages the areas of all grants this person has, or will have.
    pub fn is_wholly_managed_by(&self, by: &Actor, at: Instant) -> bool {
        let mut kept = self.grants.iter().filter(|g| g.until.is_none_or(|until| at < until));
        self.is_managed_by(by, at)
            && kept.all(|grant| by.may(Permission::ManagePeople, &grant.over.path, at))
    }

    /// This person as an actor. Only authentication calls it. An account that is not active yields
    /// none.
    pub fn to_actor(&self, tenant: TenantId, powers: &Arc<Powers>) -> Option<Actor> {
        // A program acts only as a program, even with a role from before that was refused.
        let program = self.is_program();
        let held = |grant: &&Grant| !program || grant.role == Role::Integrator;
        (self.standing == Standing::Active).then(|| Actor {
            tenant,
            person: self.id,
            name: self.name.as_str().to_owned(),
            grants: self.grants.iter().filter(held).cloned().collect(),
            powers: Arc::clone(powers),
        })
    }

    /// Whether the person holds a role at this moment.
    pub fn is_working(&self, at: Instant) -> bool {
        self.standing == Standing::Active && self.grants.iter().any(|grant| grant.holds_at(at))
    }

    /// The shift that lasts at this moment.
    pub fn current_shift(&self, at: Instant) -> Option<&Shift> {
        self.shift.as_ref().filter(|shift| shift.is_active_at(at))
    }

    /// Adds a grant in place of those of the same kind that it overlaps.
    fn add_grant(&mut self, grant: &Grant) {
        let same = |held: &Grant| held.is_for(grant.role, grant.over.id) && held.overlaps(grant);
        self.grants.retain(|held| !same(held));
        self.grants.push(grant.clone());
    }

    /// Removes a grant, and ends a shift that depended on it.
    fn remove_grant(&mut self, role: Role, area: AreaId) {
        self.grants.retain(|grant| !grant.is_for(role, area));
        let covers = |shift: &Shift| {
            self.grants.iter().any(|grant| grant.over.path.contains(&shift.over.path))
        };
        if !self.shift.as_ref().is_some_and(covers) {
            self.shift = None;
        }
    }
}

impl Lifecycle for Person {
    const NAME: &'static str = Self::KIND.name();
    type Stage = Standing;
    type Verb = Verb;
    type To = Standing;
    type Command = Command;
    const MOVES: MoveTable<Standing, Verb> = MoveTable::of(MOVES);
    const BEGINNINGS: &'static [&'static str] = &["register"];

    fn stage(&self) -> Standing {
        self.standing
    }

    fn classify_command(command: &Command) -> CommandKind<Verb> {
        match command {
            Command::Register { .. } => CommandKind::Begins("register"),
            Command::Grant { .. } => CommandKind::Moves(Verb::Grant),
            Command::Revoke { .. } => CommandKind::Moves(Verb::Revoke),
            Command::TakeOver { .. } => CommandKind::Moves(Verb::TakeOver),
            Command::Suspend { .. } => CommandKind::Moves(Verb::Suspend),
            Command::Reinstate => CommandKind::Moves(Verb::Reinstate),
            Command::Leave { .. } => CommandKind::Moves(Verb::Leave),
            Command::Rename { .. } => CommandKind::Unbound("rename"),
            Command::HandOver { .. } => CommandKind::Unbound("hand_over"),
            Command::Stand { .. } => CommandKind::Unbound("stand"),
            Command::StartShift { .. } => CommandKind::Unbound("start_shift"),
            Command::EndShift => CommandKind::Unbound("end_shift"),
            Command::ResetPassword => CommandKind::Unbound("reset_password"),
        }
    }

    /// Receiving roles is part of handing over and not offered; revoking is offered only while the
    /// person is suspended.
    fn shows_verb(&self, verb: Verb) -> bool {
        verb != Verb::TakeOver && (verb != Verb::Revoke || self.standing == Standing::Suspended)
    }
}

impl Flow for Person {
    const KIND: FlowKind = FlowKind::Person;
    const NAMES: (&'static str, &'static str) = ("此人", "person");
    const OTHER_LABELS: &'static [(&'static str, &'static str)] =
        &[("register", "登记"), ("reset_password", "重置密码")];
    type Event = Event;

    fn authorize(state: Option<&Self>, command: &Command, cx: &Context<'_>) -> Result<(), Refusal> {
        state.map_or(Ok(()), |person| decide::authorize(person, command, cx))
    }

    fn decide_beginning(command: &Command, cx: &Context<'_>) -> Result<Vec<Event>, Refusal> {
        let Command::Register { id, account, name, grants } = command else {
            return Err(refuse_unasked::<Self>(command));
        };
        decide::register_person(Self::new(*id, account.clone(), name.clone()), grants, cx)
    }

    fn decide_next(&self, command: &Command, cx: &Context<'_>) -> Result<Vec<Event>, Refusal> {
        decide::decide_existing(self, command, cx)
    }

    fn evolve(state: Option<Self>, event: &Event) -> Option<Self> {
        let Some(mut person) = state else {
            let Event::Registered { person } = event else { return None };
            return Some((**person).clone());
        };
        match event {
            Event::Registered { .. } => return None,
            Event::Renamed { name } => person.name = name.clone(),
            Event::Granted { grant } | Event::TookOver { grant, .. } => person.add_grant(grant),
            Event::Revoked { role, area } | Event::HandedOver { role, area, .. } => {
                person.remove_grant(*role, *area);
            }
            Event::Suspended { .. } => {
                person.standing = Standing::Suspended;
                person.shift = None;
            }
            Event::Reinstated => person.standing = Standing::Active,
            Event::Left { .. } => {
                person.standing = Standing::Left;
                person.grants.clear();
                person.shift = None;
            }
            Event::ShiftStarted { shift } => person.shift = Some(shift.clone()),
            Event::ShiftEnded => person.shift = None,
            Event::Stood { .. } | Event::PasswordReset => {}
        }
        Some(person)
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

impl Person {
    const fn new(id: PersonId, account: Code, name: Line) -> Self {
        Self {
            id,
            account,
            name,
            standing: Standing::Active,
            grants: Vec::new(),
            program: false,
            shift: None,
        }
    }
}
