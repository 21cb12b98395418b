//! Commands on a whistle and its summonses.

use domain::{
    core::{
        id::{AreaId, CaseId},
        text::Code as Word,
        time::saturating_sub,
    },
    flows::case::{
        Command,
        state::{ApprovalSubject, Case},
        whistle::{Call, Rating, SummonsCommand},
    },
};
use persistence::{Db, flows::case as cases};
use serde::Serialize;

use super::{ArriveBody, CoordinateBody, RateBody, RuleSummonsBody, WhistleBody};
use crate::{
    engine::step::{self, Step},
    http::{
        answer::Answer,
        body::shared::{EmptyBody, NoteBody, ReasonBody},
        problem::Reply,
    },
    resources::{
        case::{
            CaseView, ResultBody,
            commands::{render_case, run_command, with_media},
        },
        place::normalise_point,
    },
};

/// Earlier cases of the same category with a whistle at the same place, within the tenant's window.
pub(crate) async fn load_repeats(step: &Step) -> Reply<Vec<CaseId>> {
    let case = step::load_visible::<Case>(&step.app, &step.caller, step.id).await?;
    let Some(category) = case.state.matter.category.clone() else { return Ok(Vec::new()) };
    let world = step.app.world(step.caller.tenant)?;
    let whistling = &world.rules.whistling;
    let window = chrono::Duration::days(i64::from(whistling.repeat_window_days));
    let since = saturating_sub(step.app.clock.now(), window);
    let (tenant, path) = (step.caller.tenant, case.state.place.area.path.clone());
    let alike = move |db: &mut Db| cases::load_similar(db, tenant, &path, category.as_str(), since);
    let found = step.app.store.read(alike).await?;
    let others: Vec<&Case> = found.iter().map(|stored| &stored.state).collect();
    Ok(whistling.find_repeats(&case.state, &others))
}

/// Runs a command on the summons of the unit in the path.
async fn run_summons_command(
    step: Step,
    operation: &str,
    body: &impl Serialize,
    act: SummonsCommand,
) -> Reply<Answer<CaseView>> {
    let unit = step.segment("unit_id")?;
    // The unit is part of the request: another unit under the same key is another request.
    run_command(step, operation, &(unit, body), Command::Summons { unit: AreaId(unit), act }).await
}

/// Blows the whistle: a street summons departments.
pub async fn blow_whistle(step: Step, body: WhistleBody) -> Reply<Answer<CaseView>> {
    let asked = step.build_asked("blow_whistle", &body);
    let WhistleBody { rank, topic, reason, lead_unit_id, cooperating_unit_ids } = body;
    let world = step.app.world(step.caller.tenant)?;
    let first = world.rules.whistling.ranks.first().map(|rank| rank.code.clone());
    let rank = rank.or_else(|| first.and_then(|code| Word::try_from(code).ok()));
    let repeats = load_repeats(&step).await?;
    let call = Call {
        rank: rank.unwrap_or_else(|| topic.clone()),
        topic,
        repeats,
        reason: reason.clone(),
        lead: AreaId(lead_unit_id),
        cooperating: cooperating_unit_ids.into_iter().map(AreaId).collect(),
    };
    let command = Command::Ask { wish: ApprovalSubject::Whistle { call: Box::new(call) }, reason };
    let stored = step::run_command::<Case>(&step.app, &step.caller, asked, command).await?;
    render_case(&step, &stored)
}

/// Signs for a whistle.
pub async fn sign_summons(step: Step, body: EmptyBody) -> Reply<Answer<CaseView>> {
    run_summons_command(step, "sign_summons", &body, SummonsCommand::Sign).await
}

/// Records that a department contacted the street.
pub async fn contact_summons(step: Step, body: NoteBody) -> Reply<Answer<CaseView>> {
    run_summons_command(
        step,
        "contact_summons",
        &body,
        SummonsCommand::Contact { note: body.note.clone() },
    )
    .await
}

/// Records that a department arrived on the spot.
pub async fn arrive_summons(step: Step, body: ArriveBody) -> Reply<Answer<CaseView>> {
    let point = normalise_point(body.point)?;
    run_summons_command(
        step,
        "arrive_summons",
        &body,
        SummonsCommand::Arrive { point, note: body.note.clone() },
    )
    .await
}

/// Feeds back the result of a department.
pub async fn feed_back_summons(step: Step, body: ResultBody) -> Reply<Answer<CaseView>> {
    let result = body.result.clone();
    let unit = step.segment("unit_id")?;
    let command = Command::Summons { unit: AreaId(unit), act: SummonsCommand::FeedBack { result } };
    run_command(step, "feed_back_summons", &(unit, &body), with_media(body.attachments(), command))
        .await
}

/// Sends a department back to work.
pub async fn send_back_summons(step: Step, body: ReasonBody) -> Reply<Answer<CaseView>> {
    let reason = body.reason.clone();
    run_summons_command(step, "send_back_summons", &body, SummonsCommand::SendBack { reason }).await
}

/// Releases a department.
pub async fn release_summons(step: Step, body: EmptyBody) -> Reply<Answer<CaseView>> {
    run_summons_command(step, "release_summons", &body, SummonsCommand::Release).await
}

/// Rates a released department.
pub async fn rate_summons(step: Step, body: RateBody) -> Reply<Answer<CaseView>> {
    let RateBody { response, quality, comment } = &body;
    let rating = Rating { response: *response, quality: *quality, comment: comment.clone() };
    run_summons_command(step, "rate_summons", &body, SummonsCommand::Rate { rating }).await
}

/// Contests a summons: the matter is not the department's.
pub async fn contest_summons(step: Step, body: ReasonBody) -> Reply<Answer<CaseView>> {
    let reason = body.reason.clone();
    run_summons_command(step, "contest_summons", &body, SummonsCommand::Contest { reason }).await
}

/// Rules on a contested summons.
pub async fn rule_summons(step: Step, body: RuleSummonsBody) -> Reply<Answer<CaseView>> {
    let RuleSummonsBody { upheld, replacement_unit_id, reason } = &body;
    let replacement = replacement_unit_id.map(AreaId);
    let rule = SummonsCommand::Rule { upheld: *upheld, replacement, reason: reason.clone() };
    run_summons_command(step, "rule_summons", &body, rule).await
}

/// Rates the street, as a released department.
pub async fn rate_street(step: Step, body: RateBody) -> Reply<Answer<CaseView>> {
    let RateBody { response, quality, comment } = &body;
    let rating = Rating { response: *response, quality: *quality, comment: comment.clone() };
    run_summons_command(step, "rate_street", &body, SummonsCommand::RateStreet { rating }).await
}

/// Calls the whistle off.
pub async fn call_off_whistle(step: Step, body: ReasonBody) -> Reply<Answer<CaseView>> {
    let command = Command::CallOff { reason: body.reason.clone() };
    run_command(step, "call_off_whistle", &body, command).await
}

/// Asks the district to coordinate.
pub async fn raise_whistle(step: Step, body: ReasonBody) -> Reply<Answer<CaseView>> {
    let command = Command::Raise { reason: body.reason.clone() };
    run_command(step, "raise_whistle", &body, command).await
}

/// Records the arrangement of the district.
pub async fn coordinate_whistle(step: Step, body: CoordinateBody) -> Reply<Answer<CaseView>> {
    let command = Command::Coordinate { note: body.note.clone() };
    run_command(step, "coordinate_whistle", &body, command).await
}
