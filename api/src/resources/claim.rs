//! People beside the caller who have to do with a check on the spot: who claimed it, and who is to go
//! instead.

use domain::{
    area::coordinate::Point,
    core::id::PersonId,
    flows::{
        case::state::Case,
        change::{Versioned, execute},
        claim::Claim,
        flow::Context,
        person::Person,
        report::Report,
    },
    people::actor::Actor,
    rules::place::Place,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::{caller::Caller, state::App},
    engine::{
        flows::ServedFlow,
        step::{self, Step},
    },
    http::problem::Reply,
    resources::place::check_standpoint,
};

/// A flow with a check on the spot that somebody claims.
pub trait Claimable: ServedFlow {
    /// Who goes, if anybody said so.
    fn claim(&self) -> Option<&Claim>;
    /// Where it is.
    fn place(&self) -> &Place;
}

impl Claimable for Case {
    fn claim(&self) -> Option<&Claim> {
        self.stage.claim()
    }

    fn place(&self) -> &Place {
        &self.place
    }
}

impl Claimable for Report {
    fn claim(&self) -> Option<&Claim> {
        self.claim()
    }

    fn place(&self) -> &Place {
        &self.place
    }
}

/// Runs a command about a check on the spot, which depends on the rights of the person who claimed
/// it and of the one who is to go instead (`to`); `standpoint` is where the caller stands.
pub async fn run_check<F: Claimable>(
    step: &Step,
    operation: &str,
    body: &impl Serialize,
    (to, standpoint): (Option<PersonId>, Option<Point>),
    command: F::Command,
) -> Reply<Versioned<F>> {
    let asked = step.build_asked(operation, body);
    let (app, caller) = (&step.app, &step.caller);
    let known = app.store.load_state::<F>(caller.tenant, step.id).await?;
    let claim = known.as_ref().and_then(|flow| Claimable::claim(&flow.state));
    let others = load_others(app, caller, claim, to).await?;
    let world = app.world(caller.tenant)?;
    let decide = |flow: &Versioned<F>, context: Context<'_>| {
        let context = Context { others: &others, ..context };
        let change = execute::<F>(Some(flow), &command, asked.request, context)?;
        check_standpoint(&world, flow.state.place().area.id, standpoint)?;
        Ok((change, Vec::new()))
    };
    step::run_step(app, caller, asked, decide).await
}

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
async fn load_others(
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
