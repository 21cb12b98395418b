//! Commands on campaigns, and what a visit changes in them.

use domain::{
    core::id::{AreaId, CampaignId, FormId, TenantId},
    flows::{
        campaign::{Campaign, Command, NewCampaign},
        change::{Request, Versioned, execute},
        flow::{Context, Flow as _},
        form::Form,
        visit::Visit,
    },
};
use persistence::{Db, Outcome, StoreError, flows::campaign as campaigns};

use super::{CampaignBody, CampaignView, CloseCampaignBody};
use crate::{
    app::{clock::derive_id, state::App},
    engine::step::{self, Start, Step},
    http::{answer::Answer, body::shared::EmptyBody, problem::Reply},
    resources::form::unknown_form,
};

/// Begins to prepare a campaign.
pub async fn begin_campaign(start: Start, body: CampaignBody) -> Reply<Answer<CampaignView>> {
    let Start { app, caller, key } = start;
    let id = body.id.unwrap_or_else(|| derive_id(caller.person, key.0, "campaign"));
    let asked = Request::new(key.0, "begin_campaign", id, &body);
    let CampaignBody { name, purpose, text, area_id, form_id, from, until, .. } = body;
    if let Some(form) = form_id {
        let form = app.store.load_state::<Form>(caller.tenant, form).await?;
        form.filter(|form| !form.state.withdrawn).ok_or_else(|| unknown_form("/form_id"))?;
    }
    let new = NewCampaign {
        id: CampaignId(id),
        name,
        purpose,
        text,
        area: AreaId(area_id),
        form: form_id.map(FormId),
        from: from.map(|at| at.to_utc()),
        until: until.to_utc(),
    };
    let (stored, _) = step::begin_flow(&app, &caller, asked, |context| {
        let begin = Command::Begin(Box::new(new.clone()));
        Ok((execute::<Campaign>(None, &begin, asked, context)?, Vec::new()))
    })
    .await?;
    let location = format!("/api/v1/campaigns/{id}");
    Ok(Answer::of_creation(location, stored.seq, CampaignView::new(&stored)))
}

/// Publishes a campaign: its workers are asked to go.
pub async fn publish_campaign(step: Step, body: EmptyBody) -> Reply<Answer<CampaignView>> {
    let asked = step.build_asked("publish_campaign", &body);
    let stored =
        step::run_command::<Campaign>(&step.app, &step.caller, asked, Command::Publish).await?;
    Ok(Answer::of_change(stored.seq, CampaignView::new(&stored)))
}

/// Ends a campaign.
pub async fn close_campaign(step: Step, body: CloseCampaignBody) -> Reply<Answer<CampaignView>> {
    let asked = step.build_asked("close_campaign", &body);
    let (tenant, campaign) = (step.caller.tenant, CampaignId(step.id));
    let load = move |db: &mut Db| campaigns::load_open_grids(db, tenant, campaign);
    let decide = |stored: &Versioned<Campaign>, open: &Vec<AreaId>, context: Context<'_>| {
        let close = Command::Close { note: body.note.clone(), open: open.clone() };
        Ok((execute(Some(stored), &close, asked.request, context)?, Vec::new()))
    };
    let stored = step::run_step_with(&step.app, &step.caller, asked, load, decide).await?;
    Ok(Answer::of_change(stored.seq, CampaignView::new(&stored)))
}

/// Completes a grid of a campaign, when the visit that was just recorded was the last one there. A
/// command of the system: the replica that is second finds it done.
pub async fn complete_grid(app: &App, tenant: TenantId, visit: &Visit) {
    let Some(campaign) = visit.campaign else { return };
    if let Err(error) = try_complete_grid(app, tenant, campaign, visit).await {
        // It is counted when the campaign ends, or after the next visit there.
        tracing::warn!(%error, %campaign, "a grid of a campaign could not be completed");
    }
}

async fn try_complete_grid(
    app: &App,
    tenant: TenantId,
    campaign: CampaignId,
    visit: &Visit,
) -> Result<(), StoreError> {
    for _ in 0..step::ATTEMPTS {
        let Some(stored) = app.store.load_state::<Campaign>(tenant, campaign.0).await? else {
            return Ok(());
        };
        let Some(task) = stored.state.tasks.get(&visit.household) else { return Ok(()) };
        let grid = task.grid;
        let owes = stored.state.obligations().iter().any(|owed| owed.owed_by.id == grid);
        let open = move |db: &mut Db| campaigns::is_open(db, tenant, campaign, grid);
        if !owes || app.store.read(open).await? {
            return Ok(());
        }
        let what = |seq| format!("complete\n{tenant}\n{campaign}\n{grid}\n{seq}");
        let command = Command::Complete { grid };
        match step::run_as_system::<Campaign>(app, tenant, campaign.0, &command, what).await? {
            // Another grid of it was completed at the same moment.
            Some(Outcome::Stale | Outcome::NumberTaken) => {}
            Some(Outcome::Done | Outcome::Seen) | None => return Ok(()),
        }
    }
    Err(StoreError::Inconsistent(format!("campaign {campaign}: never at rest")))
}
