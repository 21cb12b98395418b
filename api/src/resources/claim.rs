//! People beside the caller who have to do with a check on the spot: who claimed it, and who is to go
//! instead.

use domain::{
    core::id::PersonId,
    flows::{claim::Claim, person::Person},
    people::actor::Actor,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::{caller::Caller, state::App},
    http::problem::Reply,
};

/// A check on the spot that is given back.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UnclaimBody {
    /// Who goes instead; left out, whoever may look takes it. 转交给谁。
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to_person_id: Option<Uuid>,
}

impl UnclaimBody {
    /// Who goes instead.
    pub fn successor(&self) -> Option<PersonId> {
        self.to_person_id.map(PersonId)
    }
}

/// The holder of a claim and the person it goes to, where they are others than the caller, with the
/// rights they have now.
pub async fn load_others(
    app: &App,
    caller: &Caller,
    claim: Option<&Claim>,
    to: Option<PersonId>,
) -> Reply<Vec<Actor>> {
    let now = app.clock.now();
    let holder = claim.filter(|claim| now < claim.until).map(|claim| claim.by);
    let others = [holder, to].into_iter().flatten().filter(|person| *person != caller.person);
    load_actors(app, caller, others).await
}

/// People as actors with the rights they have now: none where the account is closed.
pub async fn load_actors(
    app: &App,
    caller: &Caller,
    people: impl IntoIterator<Item = PersonId>,
) -> Reply<Vec<Actor>> {
    let (tenant, world) = (caller.tenant, app.world(caller.tenant)?);
    let ids: Vec<Uuid> = people.into_iter().map(|person| person.0).collect();
    let mut actors = Vec::with_capacity(ids.len());
    for found in app.store.load_states::<Person>(tenant, &ids).await {
        let Some(found) = found? else { continue };
        let (person, powers) = (&found.state, &world.rules.powers);
        let closed = || Actor {
            tenant,
            person: person.id,
            name: person.name.as_str().to_owned(),
            grants: Vec::new(),
            powers: std::sync::Arc::clone(powers),
        };
        let mut actor = person.to_actor(tenant, powers).unwrap_or_else(closed);
        actor.grants = world.areas.expand_grants(&actor.grants);
        actors.push(actor);
    }
    Ok(actors)
}
