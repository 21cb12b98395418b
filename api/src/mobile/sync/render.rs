//! The views of found flows, as the caller may see them.

use std::collections::HashMap;

use domain::{
    Instant,
    core::journal::FlowKind,
    flows::{case::state::Case, change::Versioned, household::Household, report::Report},
};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::{changes::ChangedView, kinds::Found};
use crate::{
    app::{caller::Caller, state::App},
    http::problem::Reply,
    privacy::names::ContactNames,
    resources::{
        campaign::CampaignView, case::CaseView, form::FormView, household, media,
        patrol::view::PatrolView, report::ReportView, visit::VisitView,
    },
};

/// The items for the phone: the state where the caller may see it, and `gone` where the caller may
/// not any more. A flow younger than `told`, the last time something was sent, never reached the
/// phone, so its end is left out.
pub(super) async fn render_all(
    app: &App,
    caller: &Caller,
    found: Vec<Found>,
    told: Instant,
) -> Reply<Vec<ChangedView>> {
    let mut states = render_states(app, caller, &found).await?;
    let mut view = |one: &Found| {
        let (kind, id, seq) = name(one);
        changed_view(kind, id, seq, states.remove(&id))
    };
    let views: Vec<(&Found, ChangedView)> = found.iter().map(|one| (one, view(one))).collect();
    let known = |one: &Found, view: &ChangedView| !view.gone || one.made_at() <= told;
    let views = views.into_iter().filter(|(one, view)| known(one, view));
    Ok(views.map(|(_, view)| view).collect())
}

/// One thing that changed; without a state it is gone.
pub(super) fn changed_view(
    kind: &'static str,
    id: Uuid,
    seq: i64,
    state: Option<Value>,
) -> ChangedView {
    let gone = state.is_none();
    ChangedView { kind, id, seq: if gone { 0 } else { seq }, gone, state }
}

/// The name of the kind, the identity and the seq of a flow.
fn name(found: &Found) -> (&'static str, Uuid, i64) {
    let name = |kind: FlowKind, id, seq| (kind.name(), id, seq);
    match found {
        Found::Case(case) => name(FlowKind::Case, case.state.id.0, case.seq),
        Found::Report(report) => name(FlowKind::Report, report.state.id.0, report.seq),
        Found::Patrol(patrol) => name(FlowKind::Patrol, patrol.state.id.0, patrol.seq),
        Found::Visit(visit) => name(FlowKind::Visit, visit.state.id.0, visit.seq),
        Found::Household(one) => name(FlowKind::Household, one.state.id.0, one.seq),
        Found::Form(form) => name(FlowKind::Form, form.state.id.0, form.seq),
        Found::Campaign(one) => name(FlowKind::Campaign, one.state.id.0, one.seq),
        Found::Left(kind, id) => name(*kind, *id, 0),
    }
}

/// The states of those the caller may see, by identity.
async fn render_states(app: &App, caller: &Caller, found: &[Found]) -> Reply<HashMap<Uuid, Value>> {
    let (mut states, now) = (HashMap::with_capacity(found.len()), app.clock.now());
    let (mut cases, mut reports, mut households) = (Vec::new(), Vec::new(), Vec::new());
    for one in found {
        match one {
            Found::Case(case) if case.state.visible_to(caller, now) => cases.push(&**case),
            Found::Report(one) if one.state.visible_to(caller, now) => reports.push(&**one),
            Found::Household(one) if one.state.visible_to(caller, now) => households.push(&**one),
            Found::Patrol(patrol) if patrol.state.visible_to(caller, now) => {
                states.insert(patrol.state.id.0, to_json(PatrolView::new(patrol, now)));
            }
            Found::Visit(visit) if visit.state.visible_to(caller, now) => {
                states.insert(visit.state.id.0, to_json(VisitView::new(visit)));
            }
            Found::Form(form) => {
                states.insert(form.state.id.0, to_json(FormView::from(&**form)));
            }
            Found::Campaign(one) if one.state.visible_to(caller, now) => {
                states.insert(one.state.id.0, to_json(CampaignView::new(one)));
            }
            Found::Case(_)
            | Found::Report(_)
            | Found::Patrol(_)
            | Found::Visit(_)
            | Found::Household(_)
            | Found::Campaign(_)
            | Found::Left(..) => {}
        }
    }
    states.extend(render_cases(app, caller, &cases).await?);
    states.extend(render_reports(app, caller, &reports).await?);
    states.extend(render_households(app, caller, &households).await?);
    Ok(states)
}

fn to_json(view: impl Serialize) -> Value {
    serde_json::to_value(view).unwrap_or_default()
}

async fn render_cases(
    app: &App,
    caller: &Caller,
    cases: &[&Versioned<Case>],
) -> Reply<Vec<(Uuid, Value)>> {
    let (world, now) = (app.world(caller.tenant)?, app.clock.now());
    let states: Vec<&Case> = cases.iter().map(|case| &case.state).collect();
    let files = media::list_of_cases(app, caller, &states).await?;
    let view = |(case, files): (&&Versioned<Case>, media::Files)| {
        let view = CaseView::new(case, &world, caller, now).with_media(files);
        (case.state.id.0, to_json(view))
    };
    Ok(cases.iter().zip(files).map(view).collect())
}

async fn render_reports(
    app: &App,
    caller: &Caller,
    reports: &[&Versioned<Report>],
) -> Reply<Vec<(Uuid, Value)>> {
    let states: Vec<&Report> = reports.iter().map(|report| &report.state).collect();
    let known = ContactNames::load(app, caller, &states).await?;
    let files = media::list_of_reports(app, caller, &states).await?;
    let view = |(report, files): (&&Versioned<Report>, media::Files)| {
        let view = ReportView::new(report, caller, app, &known).with_media(files);
        (report.state.id.0, to_json(view))
    };
    Ok(reports.iter().zip(files).map(view).collect())
}

async fn render_households(
    app: &App,
    caller: &Caller,
    households: &[&Versioned<Household>],
) -> Reply<Vec<(Uuid, Value)>> {
    let views = household::render_all(app, caller, households).await?;
    let ids = households.iter().map(|household| household.state.id.0);
    Ok(ids.zip(views.into_iter().map(to_json)).collect())
}
