//! Commits of visits: a visit changes together with the reports made of the needs that were found.

use crate::{
    flows::{
        campaign::Campaign,
        change::{Change, Request, Versioned, execute},
        flow::Context,
        household::{Household, Standing},
        lifecycle::Lifecycle as _,
        report::{self, Draft, Report},
        visit::{Command, Plan, Record, Visit},
    },
    people::actor::Permission,
    rules::refusal::Refusal,
};

/// The changes of a visit and of its reports.
pub type Visited = (Change<Visit>, Vec<Change<Report>>);

/// Refuses a household that no longer lives there.
fn require_present(household: &Household, command: &'static str) -> Result<(), Refusal> {
    match household.standing {
        Standing::Present => Ok(()),
        Standing::Erased => Err(Refusal::Erased),
        Standing::Gone => Err(household.wrong_state(command)),
    }
}

/// Plans a visit to a household.
pub fn plan(
    mut plan: Plan,
    household: &Household,
    request: Request,
    context: Context<'_>,
) -> Result<Change<Visit>, Refusal> {
    require_present(household, "plan")?;
    plan.area = household.area.clone();
    plan.paired = household.is_paired_with(context.by, context.at);
    execute(None, &Command::Plan(Box::new(plan)), request, context)
}

/// Records the result of a visit, planned or not; every need becomes a report.
pub fn record(
    mut record: Record,
    (visit, household): (Option<&Versioned<Visit>>, &Household),
    campaign: Option<&Campaign>,
    drafts: Vec<Draft>,
    request: Request,
    context: Context<'_>,
) -> Result<Visited, Refusal> {
    // A planned visit is recorded even if the household moved away meanwhile; nothing new is stored
    // about an erased one.
    if visit.is_none() || household.standing == Standing::Erased {
        require_present(household, "record")?;
    }
    record.area = household.area.clone();
    record.paired = household.is_paired_with(context.by, context.at);
    if let Some(campaign) = campaign {
        let task = campaign.require_task(household.id, "record")?;
        record.paired |= task.worker == Some(context.by.person) && may_visit_somewhere(&context);
        if record.purposes.is_empty() {
            record.purposes.push(campaign.purpose);
        }
    }
    record.needs = drafts.iter().map(|draft| draft.id).collect();
    let change = execute(visit, &Command::Record(Box::new(record)), request, context)?;
    let mut reports = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let submit = report::Command::Submit(Box::new(draft));
        reports.push(execute::<Report>(None, &submit, request, context)?);
    }
    Ok((change, reports))
}

fn may_visit_somewhere(cx: &Context<'_>) -> bool {
    cx.by.may_somewhere(Permission::Visit, cx.at)
}
