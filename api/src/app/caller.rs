//! The caller of a request: an actor, the login, and what has to be done first.

use std::{ops::Deref, sync::Arc};

use domain::{
    Instant,
    core::arrival::{Arrival, OfflineTime},
    people::actor::Actor,
};
use uuid::Uuid;

/// What a person who logged in has to do before anything else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Restriction {
    /// Enrol a second factor.
    SecondFactor,
    /// Choose a new password.
    Password,
}

impl Restriction {
    /// The stable machine code.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SecondFactor => "second_factor",
            Self::Password => "password",
        }
    }

    /// Parses the machine code.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::SecondFactor, Self::Password].into_iter().find(|one| one.name() == name)
    }
}

/// The person or program that asks, proven by an access token.
#[derive(Clone)]
pub struct Caller {
    pub(crate) actor: Arc<Actor>,
    /// The login the token belongs to.
    pub session: Uuid,
    /// What the phone said about the command, when it was kept offline.
    pub arrival: Option<Arc<Arrival>>,
}

impl Caller {
    /// When the command was typed, if a phone had kept it offline.
    pub fn offline_command(&self) -> Option<OfflineTime> {
        self.arrival.as_ref().map(|arrival| arrival.offline_time())
    }
}

impl Deref for Caller {
    type Target = Actor;
    fn deref(&self) -> &Actor {
        &self.actor
    }
}

/// A caller who may have to do something before anything else: for the operations that do it.
pub struct Incomplete {
    pub(crate) caller: Caller,
    /// What has to be done.
    pub restriction: Option<Restriction>,
}

impl Deref for Incomplete {
    type Target = Caller;
    fn deref(&self) -> &Caller {
        &self.caller
    }
}

/// Whether the actor holds an office now: others cannot see households.
pub fn is_in_office(actor: &Actor, at: Instant) -> bool {
    actor.grants.iter().any(|grant| grant.holds_at(at) && !grant.role.is_outsider())
}
