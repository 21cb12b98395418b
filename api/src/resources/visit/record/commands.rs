//! Recording a visit, with what goes with it: the reports of needs, the filled-in form, the
//! completed grid of a campaign.

use std::sync::Arc;

use chrono::{DateTime, FixedOffset};
use domain::{
    core::{
        id::{CampaignId, FormId, HouseholdId, PersonId, ReportId, VisitId},
        text::Prose,
    },
    flows::{
        campaign::Campaign,
        change::{Change, Request, Versioned},
        flow::Context,
        household::Household,
        report::Draft,
        visit::{Outcome, Purpose, Record, Visit},
        visit_commit,
    },
    people::actor::Actor,
    rules::{
        burden::{Counts, Entered, What},
        refusal::Refusal,
        vocabulary::{Channel, Urgency},
    },
};
use persistence::Write;
use serde_json::{Map, Value};

use super::{NeedBody, RecordBody, VisitBody, VisitFormBody};
use crate::{
    app::{caller::Caller, clock::derive_id, state::App},
    engine::step::{self, Asked, Start, Step},
    http::{
        answer::Answer,
        headers::{IfMatch, Key},
        problem::{Code, Problem, Reply},
    },
    resources::{
        campaign,
        form::fill,
        visit::{
            VisitView,
            commands::{render_change, render_creation, unknown_household},
        },
    },
};

/// Records an unplanned visit, or one of a campaign.
pub async fn submit_visit(start: Start, body: VisitBody) -> Reply<Answer<VisitView>> {
    let Start { app, caller, key } = start;
    let household = HouseholdId(body.household_id);
    let campaign = body.campaign_id.map(CampaignId);
    let own = || VisitId(body.id.unwrap_or_else(|| derive_id(caller.person, key.0, "visit")));
    let id = campaign.map_or_else(own, |campaign| Visit::id_of(campaign, household));
    let digest = Request::new(key.0, "submit_visit", id.0, &body);
    let VisitBody { purposes, outcome, opinions, visited_at, form, needs, .. } = body;
    let went = Went { purposes, outcome, opinions, visited_at, form, needs };
    let asked = add_fingerprint(digest, &fingerprint_form(&app, &caller, &went).await?);
    let going =
        match prepare_record(&app, &caller, key, (id, household, campaign, false), went).await {
            Ok(going) => going,
            Err(problem) => {
                let seen = step::load_answer::<Visit>(&app, &caller, asked).await?;
                return Ok(render_creation(&seen.ok_or(problem)?));
            }
        };
    let (again, again_asked) = (
        app.store.load_state::<Visit>(caller.tenant, id.0).await?,
        Asked { id: id.0, request: asked, if_match: IfMatch::ANY },
    );
    let stored = if campaign.is_some() && again.is_some() {
        commit_record(&app, &caller, again_asked, &going).await?
    } else {
        let begun =
            step::begin_flow(&app, &caller, asked, |context| decide(&going, None, asked, context));
        match begun.await {
            // Two went at the same moment: the second one's visit is recorded as going again.
            Err(problem) if campaign.is_some() && problem.code() == Code::AlreadyExists => {
                commit_record(&app, &caller, again_asked, &going).await?
            }
            begun => begun?.0,
        }
    };
    campaign::commands::complete_grid(&app, caller.tenant, &stored.state).await;
    Ok(render_creation(&stored))
}

/// Records a planned visit.
pub async fn record_visit(step: Step, body: RecordBody) -> Reply<Answer<VisitView>> {
    let visit = step::load_visible::<Visit>(&step.app, &step.caller, step.id).await?;
    let digest = step.build_asked("record_visit", &body);
    let RecordBody { purposes, outcome, opinions, visited_at, form, needs } = body;
    let went = Went { purposes, outcome, opinions, visited_at, form, needs };
    let request =
        add_fingerprint(digest.request, &fingerprint_form(&step.app, &step.caller, &went).await?);
    let sent = visit.state.worker == Some(step.caller.person);
    let of = (visit.state.id, visit.state.household, visit.state.campaign, sent);
    let going = match prepare_record(&step.app, &step.caller, Key(step.key()), of, went).await {
        Ok(going) => going,
        Err(problem) => {
            let seen = step::load_answer::<Visit>(&step.app, &step.caller, request).await?;
            return Ok(render_change(&seen.ok_or(problem)?));
        }
    };
    let asked = Asked { request, ..digest };
    let stored = self::commit_record(&step.app, &step.caller, asked, &going).await?;
    campaign::commands::complete_grid(&step.app, step.caller.tenant, &stored.state).await;
    Ok(render_change(&stored))
}

/// What was recorded, by whichever operation.
struct Went {
    purposes: Vec<Purpose>,
    outcome: Outcome,
    opinions: Option<Prose>,
    visited_at: Option<DateTime<FixedOffset>>,
    form: Option<VisitFormBody>,
    needs: Vec<NeedBody>,
}

/// Everything the decision on a record needs.
struct Going {
    household: Arc<Versioned<Household>>,
    campaign: Option<Arc<Versioned<Campaign>>>,
    record: Record,
    drafts: Vec<Draft>,
    writes: Vec<Write>,
    counts: Counts,
}

/// The fingerprint of the form that was sent; empty where none was.
async fn fingerprint_form(app: &App, caller: &Caller, went: &Went) -> Reply<Vec<u8>> {
    match &went.form {
        Some(form) => fill::fingerprint_changes(app, caller, &form.changes).await,
        None => Ok(Vec::new()),
    }
}

/// The request, with the fingerprint of its sealed part in its digest.
fn add_fingerprint(request: Request, fingerprint: &[u8]) -> Request {
    if fingerprint.is_empty() {
        return request;
    }
    let bytes = [request.digest.0.as_slice(), fingerprint].concat();
    Request { digest: domain::core::journal::Hash::digest(&bytes), ..request }
}

async fn commit_record(
    app: &App,
    caller: &Caller,
    asked: Asked,
    going: &Going,
) -> Reply<Versioned<Visit>> {
    step::run_step(app, caller, asked, |stored, context| {
        Ok(decide(going, Some(stored), asked.request, context)?)
    })
    .await
}

/// Decides on a visit with its needs; one commit.
fn decide(
    going: &Going,
    visit: Option<&Versioned<Visit>>,
    request: Request,
    context: Context<'_>,
) -> Result<(Change<Visit>, Vec<Write>), Refusal> {
    let campaign = going.campaign.as_ref().map(|campaign| &campaign.state);
    let subject = (visit, &going.household.state);
    let (record, drafts) = (going.record.clone(), going.drafts.clone());
    let (change, reports) =
        visit_commit::record(record, subject, campaign, drafts, request, context)?;
    let mut writes: Vec<Write> = reports.into_iter().map(Write::from).collect();
    writes.extend(going.writes.iter().cloned());
    let (person, path) = (context.by.person, change.state.area.path.clone());
    let entered = Entered { person, path, what: What::Visit, at: context.at, counts: going.counts };
    writes.push(Write::Entered(Box::new(entered)));
    Ok((change, writes))
}

/// Loads what a record needs, fills in its form, and drafts the reports of its needs.
async fn prepare_record(
    app: &App,
    caller: &Caller,
    key: Key,
    (id, household, campaign, sent): (VisitId, HouseholdId, Option<CampaignId>, bool),
    went: Went,
) -> Reply<Going> {
    if went.needs.len() > Visit::MAX_NEEDS {
        return Err(Refusal::TooMany { what: "needs", max: Visit::MAX_NEEDS }.into());
    }
    let campaign = match campaign {
        Some(campaign) => Some(load_campaign(app, caller, campaign).await?),
        None => None,
    };
    let household = load_household(app, caller, household, (campaign.as_deref(), sent)).await?;
    let area = household.state.area.clone();
    let mut counts = count_fields(&went);
    let (mut writes, mut filled) = (Vec::new(), None);
    if let Some((form, changes)) = choose_form(&went, campaign.as_deref())? {
        let subject = fill::Subject { household: &household.state, visit: Some(id) };
        let what = fill::Filling { form, changes: &changes, under: "/form/changes" };
        let done = fill::complete_form(app, caller, key.0, subject, what).await?;
        counts = counts.saturating_add(done.filled.counts);
        (writes, filled) = (done.writes, Some(done.filled));
    }
    let draft = |(index, need): (usize, &NeedBody)| {
        new_draft(need, (caller.person, key, index), &household.state)
    };
    let drafts = went.needs.iter().enumerate().map(draft).collect();
    let record = Record {
        id,
        household: household.state.id,
        campaign: campaign.as_ref().map(|campaign| campaign.state.id),
        area,
        purposes: went.purposes,
        outcome: went.outcome,
        opinions: went.opinions,
        visited_at: went.visited_at.map(|at| at.to_utc()),
        form: filled,
        needs: Vec::new(),
        paired: false,
    };
    Ok(Going { household, campaign, record, drafts, writes, counts })
}

/// The form to fill in: the one that was given, or that of the campaign when the visit met the
/// household.
type RequestedForm = Option<(FormId, Map<String, Value>)>;

fn choose_form(went: &Went, campaign: Option<&Versioned<Campaign>>) -> Reply<RequestedForm> {
    let asked = campaign.and_then(|campaign| campaign.state.form);
    match &went.form {
        Some(form) => {
            let id = form.id.map(FormId).or(asked);
            let id = id.ok_or_else(|| crate::resources::form::unknown_form("/form/id"))?;
            Ok(Some((id, form.changes.clone())))
        }
        None if went.outcome == Outcome::Met => Ok(asked.map(|form| (form, Map::new()))),
        None => Ok(None),
    }
}

/// The fields a visit demands besides its form: the household and the outcome.
fn count_fields(went: &Went) -> Counts {
    let given = [!went.purposes.is_empty(), went.opinions.is_some(), went.visited_at.is_some()];
    let needs = went.needs.iter().map(|need| {
        let given = [
            need.title.is_some(),
            need.category.is_some(),
            need.urgency.is_some(),
            need.address.is_some(),
        ];
        1 + given.into_iter().map(u16::from).sum::<u16>()
    });
    let typed = 2 + given.into_iter().map(u16::from).sum::<u16>() + needs.sum::<u16>();
    let of_needs = u16::try_from(went.needs.len()).unwrap_or_default();
    Counts { required: 2 + of_needs, typed, ..Counts::default() }
}

fn new_draft(
    need: &NeedBody,
    (by, key, index): (PersonId, Key, usize),
    household: &Household,
) -> Draft {
    Draft {
        id: ReportId(derive_id(by, key.0, &format!("need {index}"))),
        channel: Channel::Worker,
        title: need.title.clone(),
        text: need.text.clone(),
        category: need.category.clone(),
        urgency: need.urgency.unwrap_or(Urgency::Normal),
        demand: None,
        area: Some(household.area.id),
        point: None,
        address: need.address.clone().or_else(|| household.building.clone()),
        client_at: None,
        confidential: false,
        anonymous: false,
        contact: false,
        handled: None,
        patrol: None,
        media: Vec::new(),
    }
}

async fn load_campaign(
    app: &App,
    caller: &Caller,
    id: CampaignId,
) -> Reply<Arc<Versioned<Campaign>>> {
    step::load_visible::<Campaign>(app, caller, id.0).await.map_err(|_hidden| {
        let (zh, en) = (
            "没有这个行动，或您无权参加；请核对编号。",
            "There is no such campaign, or you are not allowed to take part in it; check the id.",
        );
        Problem::new(Code::InvalidBody).error("/campaign_id", "unknown_campaign", zh, en)
    })
}

/// A household the caller may know of, or is sent to.
async fn load_household(
    app: &App,
    caller: &Caller,
    id: HouseholdId,
    (campaign, sent): (Option<&Versioned<Campaign>>, bool),
) -> Reply<Arc<Versioned<Household>>> {
    let sent = sent || campaign.is_some_and(|campaign| is_sent(caller, id, &campaign.state));
    let now = app.clock.now();
    let stored = app.store.load_state::<Household>(caller.tenant, id.0).await?;
    let known = stored.filter(|stored| sent || stored.state.visible_to(caller, now));
    known.ok_or_else(unknown_household)
}

/// Whether a campaign sends this actor to a household.
pub fn is_sent(by: &Actor, household: HouseholdId, campaign: &Campaign) -> bool {
    campaign.tasks.get(&household).is_some_and(|task| task.worker == Some(by.person))
}
