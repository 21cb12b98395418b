//! Intake: the commands that move a report and its case together, in one commit.

use crate::{
    area::tree::Unit,
    core::{
        id::CaseId,
        text::{Code, Line},
    },
    flows::{
        case::{
            self, Opening,
            state::{Case, Reporter},
        },
        change::{Change, Request, Versioned, execute},
        flow::Context,
        report::{self, Draft, Report},
    },
    people::actor::Permission,
    rules::{
        refusal::Refusal,
        vocabulary::{Complexity, Demand, Urgency},
    },
};

/// Submits a report. When its reporter handled the matter on the spot, a closed case documents
/// that.
pub fn submit_report(
    draft: Draft,
    request: Request,
    context: Context<'_>,
) -> Result<(Change<Report>, Option<Change<Case>>), Refusal> {
    let handled = draft.handled.clone();
    let submit = report::Command::Submit(Box::new(draft));
    let change = execute::<Report>(None, &submit, request, context)?;
    let Some(handled) = handled else { return Ok((change, None)) };
    let report = &change.state;
    let opening = Opening {
        handled: Some(handled.result),
        ..new_opening(report, handled.case, report.find_receiver(&context))
    };
    let open = case::Command::Open(Box::new(opening));
    let case = execute::<Case>(None, &open, request, context)?;
    Ok((change, Some(case)))
}

/// Corrections by the person who accepts a report.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Correction {
    /// A better category.
    pub category: Option<Code>,
    /// A better title.
    pub title: Option<Line>,
    /// A better urgency.
    pub urgency: Option<Urgency>,
    /// The kind of demand.
    pub demand: Option<Demand>,
    /// The amount of work.
    pub complexity: Option<Complexity>,
}

/// Files a report: opens a case for it, held by the community (or larger area) that received it.
pub fn file_report(
    report: &Versioned<Report>,
    case: CaseId,
    correction: Correction,
    request: Request,
    context: Context<'_>,
) -> Result<(Change<Report>, Change<Case>), Refusal> {
    let Correction { category, title, urgency, demand, complexity } = correction;
    let command =
        report::Command::File { case, category: category.clone(), title: title.clone(), urgency };
    let change = execute(Some(report), &command, request, context)?;
    let mut opening = new_opening(&report.state, case, report.state.find_receiver(&context));
    opening.matter.category = category.or(opening.matter.category);
    opening.matter.title = title.unwrap_or(opening.matter.title);
    opening.matter.urgency = urgency.unwrap_or(opening.matter.urgency);
    opening.matter.demand = demand.or(opening.matter.demand);
    opening.matter.complexity = complexity.or(opening.matter.complexity);
    let open = case::Command::Open(Box::new(opening));
    Ok((change, execute::<Case>(None, &open, request, context)?))
}

/// Joins a report to a case that is open already: both reporters learn the result.
pub fn join_report(
    report: &Versioned<Report>,
    case: &Versioned<Case>,
    request: Request,
    context: Context<'_>,
) -> Result<(Change<Report>, Change<Case>), Refusal> {
    let command = report::Command::Join { case: case.state.id };
    let change = execute(Some(report), &command, request, context)?;
    // The person who joins decides for both: the report's community and the place of the case.
    let place = &case.state.place.area;
    context.require_permission(Permission::AcceptReport, &place.path, &place.name)?;
    let reporter = Reporter::from_report(&report.state);
    let join = case::Command::Join { reporter };
    let joined = execute(Some(case), &join, request, context).map_err(|refusal| {
        if let Refusal::WrongState { state, .. } = refusal {
            return Refusal::NotJoinable { state };
        }
        refusal
    })?;
    Ok((change, joined))
}

/// Takes a report out of the case it was joined to: it waits for a decision again, and both
/// reporters still learn the result of their matter.
pub fn unjoin_report(
    report: &Versioned<Report>,
    case: &Versioned<Case>,
    request: Request,
    context: Context<'_>,
) -> Result<(Change<Report>, Change<Case>), Refusal> {
    let change = execute(Some(report), &report::Command::Unjoin, request, context)?;
    let unjoin = case::Command::Unjoin { report: report.state.id };
    Ok((change, execute(Some(case), &unjoin, request, context)?))
}

fn new_opening(report: &Report, case: CaseId, holder: Unit) -> Opening {
    Opening {
        id: case,
        matter: report.matter.clone(),
        place: report.place.clone(),
        channel: report.channel,
        holder,
        reporter: Reporter::from_report(report),
        handled: None,
    }
}
