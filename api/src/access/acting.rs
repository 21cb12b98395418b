//! The person behind a login or a key, and what a person who logged in has to do first.

use std::sync::Arc;

use chrono::Duration;
use domain::{flows::person::Person, people::actor::Actor};
use persistence::people::{
    client,
    session::{self, Session},
};

use crate::{
    access::{client::Presented, session::CLIENT},
    app::{
        actors::{ActorRecord, Limits},
        caller::Restriction,
        config::SecondFactor,
        state::App,
        token::{Claims, Fault},
        world::TenantSnapshot,
    },
    http::problem::Reply,
    privacy::names,
};

impl App {
    /// The actor an API key belongs to. Reads the database as seldom as for sessions.
    pub async fn load_key_actor(&self, key: &Presented) -> Reply<ActorRecord> {
        let now = self.clock.now();
        let tenant = key.tenant;
        let Some(world) = self.worlds.get(tenant) else { return Err(Fault::Key.into()) };
        let powers = &world.rules.powers;
        if let Some(known) = self.actors.get(key.cache_key(), now)
            && Arc::ptr_eq(&known.actor.powers, powers)
        {
            return Ok(known);
        }
        let before = self.actors.current_generation();
        let (found, _) = key.load_client(self, "key").await?.ok_or(Fault::Key)?;
        let whose = found.id.0;
        let person = self.store.load_state::<Person>(tenant, whose).await?.ok_or(Fault::Key)?;
        let actor = self.build_actor(&person.state, &world).await?.ok_or(Fault::Key)?;
        let known =
            ActorRecord { actor, restriction: None, client: Some(Limits::from_client(&found)) };
        self.actors.put(key.cache_key(), known.clone(), now, before);
        Ok(known)
    }

    /// Whether the settings want a second factor of this person.
    pub fn wants_factor(&self, person: &Person) -> bool {
        let now = self.clock.now();
        match self.settings.second_factor {
            SecondFactor::Off => false,
            SecondFactor::Administrators => person
                .grants
                .iter()
                .any(|grant| grant.holds_at(now) && grant.role.is_administrative()),
            SecondFactor::Everybody => true,
        }
    }

    /// Whether a person who logged in by this method did so with one factor where two are required.
    /// A program has no telephone to look at; its secret is long and made here. Residents have one
    /// factor, and that is enough for them.
    pub fn lacks_factor(&self, person: &Person, method: &str) -> bool {
        let enough = match method {
            "totp" | CLIENT => true,
            "password" => false,
            "wechat" => !person.grants.iter().any(|grant| grant.role.is_administrative()),
            provider => {
                let known = self.settings.providers.iter().find(|one| one.name == provider);
                known.is_some_and(|provider| provider.second_factor)
            }
        };
        !enough && self.wants_factor(person)
    }

    /// What has to be done in this session before anything else.
    pub fn find_restriction(&self, person: &Person, session: &Session) -> Option<Restriction> {
        if self.lacks_factor(person, &session.method) {
            return Some(Restriction::SecondFactor);
        }
        session.restriction.as_deref().and_then(Restriction::parse)
    }

    /// The actor of a person, with rights that follow areas which were moved, split or merged; none
    /// for an account that is closed.
    async fn build_actor(
        &self,
        person: &Person,
        world: &TenantSnapshot,
    ) -> Reply<Option<Arc<Actor>>> {
        let tenant = world.tenant.id;
        let Some(mut actor) = person.to_actor(tenant, &world.rules.powers) else { return Ok(None) };
        if person.is_nameless() && person.is_staff() {
            // Registered as a resident, in office since: acts under the person's own name.
            actor.name = names::load_own(self, tenant, person).await?;
        }
        actor.grants = world.areas.expand_grants(&actor.grants);
        Ok(Some(Arc::new(actor)))
    }

    /// The actor of these claims, unless the session has ended. Reads the database at most every
    /// few seconds for each session.
    pub async fn load_actor(&self, claims: Claims) -> Reply<ActorRecord> {
        /// How often at most the time of a session's last use is written.
        const SEEN: Duration = Duration::minutes(5);
        let now = self.clock.now();
        let world = self.worlds.get(claims.tid).ok_or(Fault::Ended)?;
        if let Some(known) = self.actors.get(claims.sid, now)
            && Arc::ptr_eq(&known.actor.powers, &world.rules.powers)
        {
            // A session belongs to one person of one tenant, whatever a token says.
            let same = known.actor.person == claims.sub && known.actor.tenant == claims.tid;
            return if same { Ok(known) } else { Err(Fault::Ended.into()) };
        }
        let (tenant, id, before) = (claims.tid, claims.sid, self.actors.current_generation());
        let found = self.store.read(move |db| session::find(db, tenant, id, now)).await?;
        let (session, person) = found.ok_or(Fault::Ended)?;
        let idle = session.used_at <= now - self.idle_limit();
        if person.id != claims.sub || (idle && session.method != CLIENT) {
            return Err(Fault::Ended.into());
        }
        if session.used_at < now - SEEN {
            self.store.run(session::record_session_use(tenant, id, now)).await?;
        }
        let restriction = self.find_restriction(&person, &session);
        let client = if session.method == CLIENT {
            let (whose, now) = (person.id, self.clock.now());
            let found = self.store.read(move |db| client::find(db, tenant, whose)).await?;
            let found = found.filter(|client| client.disabled_at.is_none_or(|at| now < at));
            Some(Limits::from_client(&found.ok_or(Fault::Ended)?))
        } else {
            None
        };
        let actor = self.build_actor(&person, &world).await?.ok_or(Fault::Ended)?;
        let known = ActorRecord { actor, restriction, client };
        self.actors.put(id, known.clone(), now, before);
        Ok(known)
    }
}
