//! The kinds of flows that are stored, one line each.

use domain::flows::{
    campaign::Campaign, case::state::Case, content_review::Review, form::Form,
    household::Household, media::Media, patrol::Patrol, patrol_plan::PatrolPlan, person::Person,
    policy::Policy, report::Report, visit::Visit,
};

use crate::{
    StoreError,
    kernel::{
        load::{KnownFlow, RegisteredFlow},
        obligation,
        projection::Projection,
    },
};

/// Every kind of flow with a table of its own.
pub static FLOWS: [&dyn KnownFlow; 12] = [
    &RegisteredFlow::<Report>::NEW,
    &RegisteredFlow::<Case>::NEW,
    &RegisteredFlow::<Person>::NEW,
    &RegisteredFlow::<Policy>::NEW,
    &RegisteredFlow::<Patrol>::NEW,
    &RegisteredFlow::<PatrolPlan>::NEW,
    &RegisteredFlow::<Household>::NEW,
    &RegisteredFlow::<Visit>::NEW,
    &RegisteredFlow::<Campaign>::NEW,
    &RegisteredFlow::<Form>::NEW,
    &RegisteredFlow::<Media>::NEW,
    &RegisteredFlow::<Review>::NEW,
];

/// A projection that expects rows of every kind of flow.
pub fn new_projection() -> Result<Projection, StoreError> {
    let mut projection = Projection::default();
    obligation::expect_table(&mut projection)?;
    FLOWS.iter().try_for_each(|flow| flow.expect_tables(&mut projection))?;
    Ok(projection)
}
