//! The kinds of flows that are kept, a line each.

use domain::flows::{
    campaign::Campaign, case::state::Case, content_review::Review, form::Form,
    household::Household, media::Media, patrol::Patrol, patrol_plan::PatrolPlan, person::Person,
    policy::Policy, report::Report, visit::Visit,
};

use crate::{
    StoreError,
    kernel::{
        look::{Known, KnownFlow},
        obligation,
        projection::Projection,
    },
};

/// Every kind of flow with a table of its own.
pub static FLOWS: [&dyn KnownFlow; 12] = [
    &Known::<Report>::NEW,
    &Known::<Case>::NEW,
    &Known::<Person>::NEW,
    &Known::<Policy>::NEW,
    &Known::<Patrol>::NEW,
    &Known::<PatrolPlan>::NEW,
    &Known::<Household>::NEW,
    &Known::<Visit>::NEW,
    &Known::<Campaign>::NEW,
    &Known::<Form>::NEW,
    &Known::<Media>::NEW,
    &Known::<Review>::NEW,
];

/// A projection that expects rows of every kind of flow.
pub fn new_projection() -> Result<Projection, StoreError> {
    let mut projection = Projection::default();
    obligation::expect(&mut projection)?;
    FLOWS.iter().try_for_each(|flow| flow.expect(&mut projection))?;
    Ok(projection)
}
