//! What may be asked of a whistle and its summonses.

use domain::{
    core::{
        id::{AreaId, CaseId},
        text::Code as Word,
        time::earlier,
    },
    flows::case::{
        Command,
        state::{Case, Wish},
        whistle::{Act, Call, Rating},
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
            commands::{answer, ask, with},
        },
        place::normalised,
    },
};

/// Cases of the same category whistled for at the same place before, within the tenant's window.
pub(crate) async fn repeats(step: &Step) -> Reply<Vec<CaseId>> {
    let case = step::look::<Case>(&step.app, &step.caller, step.id).await?;
    let Some(category) = case.state.matter.category.clone() else { return Ok(Vec::new()) };
    let world = step.app.world(step.caller.tenant)?;
    let whistling = &world.rules.whistling;
    let window = chrono::Duration::days(i64::from(whistling.repeat_window_days));
    let since = earlier(step.app.clock.now(), window);
    let (tenant, path) = (step.caller.tenant, case.state.place.area.path.clone());
    let alike = move |db: &mut Db| cases::alike(db, tenant, &path, category.as_str(), since);
    let found = step.app.store.read(alike).await?;
    let others: Vec<&Case> = found.iter().map(|stored| &stored.state).collect();
    Ok(whistling.repeats(&case.state, &others))
}

/// Asks a step of the summons of the unit in the path.
async fn act(
    step: Step,
    operation: &str,
    body: &impl Serialize,
    act: Act,
) -> Reply<Answer<CaseView>> {
    let unit = step.segment("unit_id")?;
    // The unit is part of what is asked: another unit under the same key is another request.
    ask(step, operation, &(unit, body), Command::Summons { unit: AreaId(unit), act }).await
}

/// Blows the whistle: a street summons departments.
pub async fn blow_whistle(step: Step, body: WhistleBody) -> Reply<Answer<CaseView>> {
    let asked = step.asked("blow_whistle", &body);
    let WhistleBody { rank, topic, reason, lead_unit_id, cooperating_unit_ids } = body;
    let world = step.app.world(step.caller.tenant)?;
    let first = world.rules.whistling.ranks.first().map(|rank| rank.code.clone());
    let rank = rank.or_else(|| first.and_then(|code| Word::try_from(code).ok()));
    let repeats = repeats(&step).await?;
    let call = Call {
        rank: rank.unwrap_or_else(|| topic.clone()),
        topic,
        repeats,
        reason: reason.clone(),
        lead: AreaId(lead_unit_id),
        cooperating: cooperating_unit_ids.into_iter().map(AreaId).collect(),
    };
    let command = Command::Ask { wish: Wish::Whistle { call: Box::new(call) }, reason };
    let stored = step::command::<Case>(&step.app, &step.caller, asked, command).await?;
    answer(&step, &stored)
}

/// Signs for a whistle.
pub async fn sign_summons(step: Step, body: EmptyBody) -> Reply<Answer<CaseView>> {
    act(step, "sign_summons", &body, Act::Sign).await
}

/// Says how the street was contacted.
pub async fn contact_summons(step: Step, body: NoteBody) -> Reply<Answer<CaseView>> {
    act(step, "contact_summons", &body, Act::Contact { note: body.note.clone() }).await
}

/// Reports in on the spot.
pub async fn arrive_summons(step: Step, body: ArriveBody) -> Reply<Answer<CaseView>> {
    let point = normalised(body.point)?;
    act(step, "arrive_summons", &body, Act::Arrive { point, note: body.note.clone() }).await
}

/// Says what the department did.
pub async fn feed_back_summons(step: Step, body: ResultBody) -> Reply<Answer<CaseView>> {
    let result = body.result.clone();
    let unit = step.segment("unit_id")?;
    let command = Command::Summons { unit: AreaId(unit), act: Act::FeedBack { result } };
    ask(step, "feed_back_summons", &(unit, &body), with(body.named(), command)).await
}

/// Sends a department back to work.
pub async fn send_back_summons(step: Step, body: ReasonBody) -> Reply<Answer<CaseView>> {
    let reason = body.reason.clone();
    act(step, "send_back_summons", &body, Act::SendBack { reason }).await
}

/// Releases a department.
pub async fn release_summons(step: Step, body: EmptyBody) -> Reply<Answer<CaseView>> {
    act(step, "release_summons", &body, Act::Release).await
}

/// Rates a released department.
pub async fn rate_summons(step: Step, body: RateBody) -> Reply<Answer<CaseView>> {
    let RateBody { response, quality, comment } = &body;
    let rating = Rating { response: *response, quality: *quality, comment: comment.clone() };
    act(step, "rate_summons", &body, Act::Rate { rating }).await
}

/// Says that a matter is not the department's own.
pub async fn contest_summons(step: Step, body: ReasonBody) -> Reply<Answer<CaseView>> {
    let reason = body.reason.clone();
    act(step, "contest_summons", &body, Act::Contest { reason }).await
}

/// Rules on a contested summons.
pub async fn rule_summons(step: Step, body: RuleSummonsBody) -> Reply<Answer<CaseView>> {
    let RuleSummonsBody { upheld, replacement_unit_id, reason } = &body;
    let replacement = replacement_unit_id.map(AreaId);
    let rule = Act::Rule { upheld: *upheld, replacement, reason: reason.clone() };
    act(step, "rule_summons", &body, rule).await
}

/// Rates the street, as a released department.
pub async fn rate_street(step: Step, body: RateBody) -> Reply<Answer<CaseView>> {
    let RateBody { response, quality, comment } = &body;
    let rating = Rating { response: *response, quality: *quality, comment: comment.clone() };
    act(step, "rate_street", &body, Act::RateStreet { rating }).await
}

/// Takes the whistle back.
pub async fn call_off_whistle(step: Step, body: ReasonBody) -> Reply<Answer<CaseView>> {
    let command = Command::CallOff { reason: body.reason.clone() };
    ask(step, "call_off_whistle", &body, command).await
}

/// Asks the district to coordinate.
pub async fn raise_whistle(step: Step, body: ReasonBody) -> Reply<Answer<CaseView>> {
    let command = Command::Raise { reason: body.reason.clone() };
    ask(step, "raise_whistle", &body, command).await
}

/// Says what the district arranged.
pub async fn coordinate_whistle(step: Step, body: CoordinateBody) -> Reply<Answer<CaseView>> {
    let command = Command::Coordinate { note: body.note.clone() };
    ask(step, "coordinate_whistle", &body, command).await
}
