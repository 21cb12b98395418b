//! Putting households on the list of a campaign.

use std::{collections::HashSet, sync::Arc};

use domain::{
    Instant,
    area::tree::{Path, Unit},
    core::id::PersonId,
    flows::{
        campaign::{Campaign, Command, Listed},
        change::{Versioned, execute},
        flow::Context,
        household::{Household, Standing},
    },
    people::actor::Scope,
    rules::refusal::Refusal,
};
use futures_util::future::try_join_all;
use persistence::{Db, flows::household as households, kernel::journal::Keyset};

use super::{AssignBody, SelectBody, TaskBody, To};
use crate::{
    engine::step::{self, Step},
    http::{
        answer::Answer,
        problem::{Code, Problem, Reply},
    },
    resources::{
        campaign::CampaignView,
        household::require_people,
        place::{find_paths, require_area},
    },
};

/// Puts households on the list of a campaign, or assigns them to another worker.
pub async fn assign_campaign(step: Step, body: AssignBody) -> Reply<Answer<CampaignView>> {
    const MOST: usize = 1000;
    let asked = step.build_asked("assign_campaign", &body);
    let AssignBody { households, select, to } = body;
    if households.len() > MOST {
        let (zh, en) = ("一次最多 1000 户。", "Expected at most 1000 households at a time.");
        return Err(Problem::new(Code::InvalidBody).error("/households", "out_of_range", zh, en));
    }
    let campaign = step::load_visible::<Campaign>(&step.app, &step.caller, step.id).await?;
    let mut listed = resolve_tasks(&step, &campaign.state, &households, to).await?;
    if let Some(select) = select {
        listed.extend(select_households(&step, &campaign.state, select, to).await?);
    }
    // A named household takes precedence over a selected one; of two namings of one household the
    // first counts.
    let mut seen = HashSet::new();
    listed.retain(|one| seen.insert(one.household));
    let command = Command::Assign { listed };
    let decide = |stored: &Versioned<Campaign>, context: Context<'_>| {
        Ok((execute(Some(stored), &command, asked.request, context)?, Vec::new()))
    };
    let stored = step::run_step(&step.app, &step.caller, asked, decide).await?;
    Ok(Answer::of_change(stored.seq, CampaignView::new(&stored)))
}

fn new_listed(household: &Household, worker: Option<PersonId>, to: To, now: Instant) -> Listed {
    let paired = || match to {
        To::Paired => household.find_visitor(now),
        To::Grid => None,
    };
    let grid: Unit = household.area.clone();
    Listed { household: household.id, grid, worker: worker.or_else(paired) }
}

/// The named households: each must be in the area of the campaign.
async fn resolve_tasks(
    step: &Step,
    campaign: &Campaign,
    tasks: &[TaskBody],
    to: To,
) -> Reply<Vec<Listed>> {
    let (app, caller) = (&step.app, &step.caller);
    let look =
        |task: &TaskBody| app.store.load_state::<Household>(caller.tenant, task.household_id);
    let found = try_join_all(tasks.iter().map(look)).await?;
    let now = app.clock.now();
    let mut all = Vec::with_capacity(tasks.len());
    for (index, (task, household)) in tasks.iter().zip(found).enumerate() {
        let there = |stored: &Arc<Versioned<Household>>| {
            let household = &stored.state;
            household.standing == Standing::Present
                && campaign.area.path.contains(&household.area.path)
        };
        let household = household.filter(there).ok_or_else(|| {
            let (zh, en) = (
                "行动范围内没有这户；请核对编号。",
                "The area of the campaign has no such household; check the id.",
            );
            let at = format!("/households/{index}/household_id");
            Problem::new(Code::InvalidBody).error(at, "unknown_household", zh, en)
        })?;
        if let Some(worker) = task.worker_id {
            require_people(app, caller, [worker]).await?;
        }
        all.push(new_listed(&household.state, task.worker_id.map(PersonId), to, now));
    }
    Ok(all)
}

/// The households that meet the conditions, all of them.
async fn select_households(
    step: &Step,
    campaign: &Campaign,
    select: SelectBody,
    to: To,
) -> Reply<Vec<Listed>> {
    const PAGE: i64 = 500;
    let (app, caller) = (&step.app, &step.caller);
    let world = app.world(caller.tenant)?;
    let area = select.area_id.map(|id| require_area(&world, id)).transpose()?;
    let within = area.map_or(&campaign.area.path, |area| &area.path);
    if !campaign.area.path.contains(within) {
        let unit = area.map(|area| area.name.clone()).unwrap_or_default();
        let holder = campaign.area.name.clone();
        return Err(Refusal::OutsideJurisdiction { holder, unit }.into());
    }
    let reached = match select.area_id {
        Some(id) => find_paths(&world, id)?,
        None => vec![within.clone()],
    };
    let reached: Vec<Path> =
        reached.into_iter().filter(|path| campaign.area.path.contains(path)).collect();
    let filter = households::Filter {
        within: Some(reached.clone()),
        building: select.building.map(String::from),
        group: select.group.map(String::from),
        special: select.special,
        standing: Some(Standing::Present),
        ..households::Filter::default()
    };
    // The organiser may list the households there, and learns no more about them by it.
    let scope =
        Scope { tenant: caller.tenant, person: caller.person, paths: reached, units: Vec::new() };
    let (now, mut all, mut after) = (app.clock.now(), Vec::new(), None);
    loop {
        let (scope, filter) = (scope.clone(), filter.clone());
        let keyset = Keyset { after, limit: PAGE };
        let look = move |db: &mut Db| households::list(db, (&scope, false), &filter, now, keyset);
        let page = app.store.read(look).await?;
        after = page.last().map(|last| (last.state.registered_at, last.state.id.0));
        let full = i64::try_from(page.len()).unwrap_or_default() == PAGE;
        all.extend(page.iter().map(|stored| new_listed(&stored.state, None, to, now)));
        if !full || all.len() > Campaign::MAX_HOUSEHOLDS {
            return Ok(all);
        }
    }
}
