//! Verifications on the spot among the to-dos: who claimed them, and whether the caller is the
//! nearest of those on duty who may go.
//!
//! Positions of people are known only while they are on duty, on patrol, and consent. Of the
//! others' positions the caller learns only that another worker is nearer.

use std::collections::{BTreeSet, HashMap};

use chrono::Duration;
use domain::{
    area::coordinate::{Point, distance_m},
    core::id::PersonId,
    flows::{
        case::state::Case,
        claim::{Claim, may_look},
        report::Report,
    },
    rules::{obligation::Duty, place::Place},
};
use persistence::{Db, StoreError, flows::track::load_positions, kernel::obligation::Owed};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::{caller::Caller, state::App},
    http::{problem::Reply, view::ClaimView},
    resources::{
        claim,
        patrol::sealed::{WorkerPosition, open_positions},
    },
};

/// The maximal age of a position.
const FRESH_MINUTES: i64 = 30;

/// The most positions that are read for one place.
const MOST: i64 = 500;

/// Who claimed a verification, or should go.
#[derive(Serialize, ToSchema)]
pub struct LookView {
    /// Who claimed it; no one else may verify until then. 领取人。
    claim: Option<ClaimView>,
    /// Whether it is offered to the caller first: on duty, and nearer than all others on duty who
    /// may verify. 就近推荐。
    offered: bool,
    /// How far the caller is, in metres; absent where the own position is not known. 距离（米）。
    #[serde(skip_serializing_if = "Option::is_none")]
    distance_m: Option<f64>,
}

/// A verification to be made.
struct Inspection {
    place: Place,
    claim: Option<Claim>,
    /// The people who handled it, who must not verify it.
    handlers: Vec<PersonId>,
}

/// The views of the verifications among some debts, by the flow they are about.
pub async fn load_views(
    app: &App,
    caller: &Caller,
    owed: &[Owed],
) -> Reply<HashMap<Uuid, LookView>> {
    let now = app.clock.now();
    let mut looks = HashMap::new();
    for owed in owed {
        let look = if owed.duty == Duty::Verify {
            load_case_look(app, caller, owed.flow_id).await?
        } else if owed.duty == Duty::Confirm {
            load_report_look(app, caller, owed.flow_id).await?
        } else {
            None
        };
        if let Some(look) = look {
            looks.insert(owed.flow_id, look);
        }
    }
    drop_ended_claims(app, caller, &mut looks).await?;
    let mut areas: Vec<_> = looks.values().map(|look| look.place.area.path.clone()).collect();
    areas.sort_by(|a, b| a.0.cmp(&b.0));
    areas.dedup();
    let (tenant, since) = (caller.tenant, now - Duration::minutes(FRESH_MINUTES));
    let on_duty = move |db: &mut Db| -> Result<Vec<_>, StoreError> {
        let of = |path| Ok((load_positions(db, tenant, &path, (since, now), MOST)?, path));
        areas.into_iter().map(of).collect()
    };
    let found = if looks.is_empty() { Vec::new() } else { app.store.read(on_duty).await? };
    let mut on_duty = Vec::with_capacity(found.len());
    for (there, path) in found {
        on_duty.push((open_positions(app, tenant, there).await?, path));
    }
    let nobody = Vec::new();
    let view = |(flow, look): (Uuid, Inspection)| {
        let there = on_duty.iter().find(|(_, path)| *path == look.place.area.path);
        let there = there.map_or(&nobody, |(there, _)| there);
        (flow, look_view(&look, there, caller.person))
    };
    Ok(looks.into_iter().map(view).collect())
}

/// A claim ends with its time, and with the right of its holder to look there.
async fn drop_ended_claims(
    app: &App,
    caller: &Caller,
    looks: &mut HashMap<Uuid, Inspection>,
) -> Reply<()> {
    let now = app.clock.now();
    for look in looks.values_mut() {
        look.claim = look.claim.take().filter(|claim| now < claim.until);
    }
    let holders: BTreeSet<_> = looks.values().flat_map(|look| &look.claim).map(|c| c.by).collect();
    let holders = claim::load_actors(app, caller, holders).await?;
    for look in looks.values_mut() {
        let holder = |claim: &Claim| holders.iter().find(|one| one.person == claim.by);
        let ended =
            |claim: &Claim| holder(claim).is_some_and(|one| !may_look(one, &look.place.area, now));
        if look.claim.as_ref().is_some_and(ended) {
            look.claim = None;
        }
    }
    Ok(())
}

async fn load_case_look(app: &App, caller: &Caller, id: Uuid) -> Reply<Option<Inspection>> {
    let found = app.store.load_state::<Case>(caller.tenant, id).await?;
    Ok(found.map(|case| Inspection {
        place: case.state.place.clone(),
        claim: case.state.stage.claim().cloned(),
        handlers: case
            .state
            .stage
            .work()
            .map(domain::flows::case::Work::people)
            .unwrap_or_default(),
    }))
}

async fn load_report_look(app: &App, caller: &Caller, id: Uuid) -> Reply<Option<Inspection>> {
    let found = app.store.load_state::<Report>(caller.tenant, id).await?;
    Ok(found.map(|report| Inspection {
        place: report.state.place.clone(),
        claim: report.state.claim().cloned(),
        handlers: Vec::new(),
    }))
}

fn look_view(look: &Inspection, there: &[WorkerPosition], own: PersonId) -> LookView {
    let claim = look.claim.as_ref();
    let may = there.iter().filter(|one| !look.handlers.contains(&one.person));
    let away =
        |one: &WorkerPosition| look.place.point.map(|point| distance_m(point, point_of(one)));
    let mut near: Vec<(f64, PersonId)> =
        may.filter_map(|one| Some((away(one)?, one.person))).collect();
    near.sort_by(|a, b| a.0.total_cmp(&b.0));
    let distance = near.iter().find(|(_, person)| *person == own).map(|(metres, _)| *metres);
    let nearest = near.first().is_some_and(|(_, person)| *person == own);
    LookView {
        claim: claim.map(ClaimView::from),
        offered: claim.is_none() && nearest,
        distance_m: distance.map(f64::round),
    }
}

fn point_of(one: &WorkerPosition) -> Point {
    Point { lng: f64::from(one.position.lng) / 1e7, lat: f64::from(one.position.lat) / 1e7 }
}
