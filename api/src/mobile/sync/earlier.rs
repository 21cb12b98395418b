//! The rights of earlier: what was typed without a signal counts by the rights and areas of that
//! time, however late it arrives. Whatever is allowed now is allowed too.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::NaiveDate;
use domain::{
    Instant,
    area::tree::AreaTree,
    core::{arrival::Arrival, journal::FlowKind, time::local_day},
    flows::person::Person,
    people::actor::{Actor, Grant, Role},
};
use persistence::{Db, kernel::journal};

use crate::{
    app::{caller::Caller, state::App, world::TenantSnapshot},
    http::problem::Reply,
};

/// What ends rights for cause: what was typed before counts no more than what is typed now.
const REMOVES: [&str; 3] = ["revoke", "suspend", "leave"];

/// What takes rights from a person, or shortens them.
const TAKES: [&str; 6] = ["grant", "take_over", "revoke", "hand_over", "suspend", "leave"];

/// What was granted, by the day and the place in the journal of a person.
type Known = HashMap<(NaiveDate, i64), Arc<Vec<Grant>>>;

/// What changed since the first item of a queue was typed.
pub struct EarlierRights {
    /// Whether rights of the caller were given or taken.
    rights: bool,
    /// Whether rights of the caller were removed: revoked, or the account closed.
    removed: bool,
    /// Whether areas changed.
    areas: bool,
    /// Items that were typed on one day share it.
    known: Mutex<Known>,
}

impl EarlierRights {
    /// For a queue whose first item was typed at this moment, if any says when.
    pub async fn load(app: &App, caller: &Caller, typed: Option<Instant>) -> Reply<Self> {
        let now = app.clock.now();
        let (mut rights, mut removed_since, mut areas) = (false, false, false);
        let oldest = now - chrono::Duration::days(Arrival::LONG_AGO_DAYS);
        if let Some(typed) = typed.filter(|typed| *typed < now).map(|typed| typed.max(oldest)) {
            let (tenant, person) = (caller.tenant, caller.person.0);
            let taken = move |db: &mut Db| {
                journal::has_since(db, tenant, (FlowKind::Person, person), &TAKES, typed)
            };
            rights = app.store.read(taken).await?;
            let removed = move |db: &mut Db| {
                journal::has_since(db, tenant, (FlowKind::Person, person), &REMOVES, typed)
            };
            removed_since = rights && app.store.read(removed).await?;
            let world = app.world(tenant)?;
            areas = world.registry.has_changed_since(local_day(typed), world.today);
        }
        Ok(Self { rights, removed: removed_since, areas, known: Mutex::default() })
    }

    /// The caller with the rights of then beside those of now; none where they come to the same.
    pub async fn load_actor(
        &self,
        app: &App,
        caller: &Caller,
        typed: Instant,
    ) -> Reply<Option<Arc<Actor>>> {
        // What a program may do is bounded by what its secret opens now.
        if self.removed || caller.grants.iter().any(|grant| grant.role == Role::Integrator) {
            return Ok(None);
        }
        let (granted, now) = (self.load_grants(app, caller, typed).await?, app.clock.now());
        let known = |grant: &Grant| {
            caller.grants.iter().any(|held| {
                held.role == grant.role
                    && held.holds_at(now)
                    && held.over.path.contains(&grant.over.path)
            })
        };
        let more = granted.iter().filter(|grant| grant.holds_at(typed) && !known(grant));
        // They hold until what was typed is decided on.
        let more: Vec<Grant> = more.map(|grant| Grant { until: None, ..grant.clone() }).collect();
        if more.is_empty() {
            return Ok(None);
        }
        let mut actor = Actor::clone(caller);
        actor.grants.extend(more);
        Ok(Some(Arc::new(actor)))
    }

    /// What the caller had been granted when something was typed, over where it lies now.
    async fn load_grants(
        &self,
        app: &App,
        caller: &Caller,
        typed: Instant,
    ) -> Reply<Arc<Vec<Grant>>> {
        let (tenant, person) = (caller.tenant, caller.person.0);
        let world = app.world(tenant)?;
        let flow = (FlowKind::Person, person);
        let seq = if self.rights {
            app.store.read(move |db| journal::load_seq_at(db, tenant, flow, typed)).await?
        } else {
            0
        };
        let key = (local_day(typed), seq);
        if let Some(known) = self.lock().get(&key) {
            return Ok(Arc::clone(known));
        }
        let granted = if self.rights {
            let load = move |db: &mut Db| journal::load_state_at::<Person>(db, tenant, person, seq);
            let then = app.store.read(load).await?;
            let actor = then.and_then(|then| then.state.to_actor(tenant, &world.rules.powers));
            actor.map(|actor| actor.grants).unwrap_or_default()
        } else {
            caller.grants.clone()
        };
        let then = if self.areas { build_trees(&world, typed) } else { Vec::new() };
        let carried = Arc::new(world.areas.carry_grants(&granted, &then));
        self.lock().insert(key, Arc::clone(&carried));
        Ok(carried)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The areas as they were when something was typed: of a change on that very day the hour is not
/// known, so that they count as before it and after it.
fn build_trees(world: &TenantSnapshot, typed: Instant) -> Vec<AreaTree> {
    let day = local_day(typed);
    let days = day.pred_opt().into_iter().chain([day]);
    days.map(|day| world.registry.build_tree(day)).collect()
}
