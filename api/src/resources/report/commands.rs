//! Submitting a report, with what goes with it: a case where it was handled on the spot, the sealed
//! contact, the content review.

use chrono::Utc;
use domain::{
    Instant,
    core::id::{CaseId, CommandId, PatrolId, ReportId},
    flows::{
        change::Request,
        intake,
        media::MediaRole,
        report::{Draft, Handled, Report},
    },
    people::{
        actor::Actor,
        personal::{DataSubject, SubjectKind},
    },
    rules::{
        burden::{Counts, Entered, What},
        refusal::Refusal,
        vocabulary::{Channel, Urgency},
    },
};
use persistence::Write;
use uuid::Uuid;

use super::{ReportView, SubmitBody};
use crate::{
    app::{caller::Caller, clock::derive_id, state::App, world::TenantSnapshot},
    engine::step::{self, Start},
    http::{answer::Answer, problem::Reply},
    privacy::{contact, names::ContactNames},
    resources::{
        content_review, media, patrol,
        place::{NEAR_M, check_near, locate_place},
    },
};

/// Submits a report.
pub async fn submit_report(start: Start, body: SubmitBody) -> Reply<Answer<ReportView>> {
    let Start { app, caller, key } = start;
    let world = app.world(caller.tenant)?;
    let id = body.id.unwrap_or_else(|| derive_id(caller.person, key.0, "report"));
    let subject = DataSubject::new(SubjectKind::Report, id);
    let sealed =
        contact::seal_reporter_contact(&app, &caller, subject, body.contact.as_ref()).await?;
    let asked = match &sealed {
        Some(sealed) => Request::new(key.0, "submit_report", id, &(&body, &sealed.fingerprint)),
        None => Request::new(key.0, "submit_report", id, &body),
    };
    let counts = count_fields(&body);
    let automatic = content_review::is_automatic(&app, &caller).await?;
    let draft = new_draft(body, id, key.0, &world, &caller, &app)?;
    let patrol = patrol::load_named(&app, &caller, draft.patrol).await?;
    let (stored, _) = step::begin_flow(&app, &caller, asked, |context| {
        if let Some(id) = draft.patrol {
            let patrol = patrol.as_ref().ok_or(Refusal::NoSuchPatrol { id })?;
            let told = context.find_client_time(draft.client_at);
            let at = told.map_or(context.at, |at| patrol.state.skew().correct_time(at));
            patrol.state.check_report(caller.person, at)?;
        }
        let (change, case) = intake::submit_report(draft.clone(), asked, context)?;
        if let Some((area, point)) = draft.area.zip(change.state.place.point) {
            check_near(&world, area, point, NEAR_M)?;
        }
        let case = case.into_iter().map(Write::from);
        let entered = new_entry_write(context.by, &change.state, counts, context.at);
        let review = content_review::open_text(&change.state, automatic, asked, context)?;
        let review = review.map(content_review::into_write);
        let more = case
            .chain(sealed.iter().map(|sealed| sealed.write.clone()))
            .chain(entered)
            .chain(review);
        Ok((change, more.collect()))
    })
    .await?;
    content_review::start_checks(&app, caller.tenant, &stored.state, automatic).await;
    let known = ContactNames::load(&app, &caller, &[&stored.state]).await?;
    let location = format!("/api/v1/reports/{}", stored.state.id);
    let view = ReportView::new(&stored, &caller, &app, &known);
    Ok(Answer::of_creation(location, stored.seq, view))
}

/// The fields a report demands: a text and a place; the channel, the title and the grid are filled
/// in.
fn count_fields(body: &SubmitBody) -> Counts {
    let more = [
        body.title.is_some(),
        body.channel.is_some(),
        body.category.is_some(),
        body.urgency.is_some(),
        body.demand.is_some(),
        body.place.address.is_some(),
        body.client_time.is_some(),
        body.contact.is_some(),
        body.handled.is_some(),
    ];
    let follows = [body.title.is_none(), body.channel.is_none(), body.place.area_id.is_none()];
    let count = |given: &[bool]| given.iter().copied().map(u16::from).sum::<u16>();
    Counts { required: 2, typed: 2 + count(&more), reused: count(&follows), ..Counts::default() }
}

/// Counts the entry of a reporter in office: nothing is demanded of residents.
fn new_entry_write(by: &Actor, report: &Report, counts: Counts, at: Instant) -> Option<Write> {
    let office = by.grants.iter().any(|grant| grant.holds_at(at) && !grant.role.is_outsider());
    let hidden = report.is_hidden();
    let (person, path) = (by.person, report.place.area.path.clone());
    let entered = || Entered { person, path, what: What::Report, at, counts };
    (office && !hidden).then(|| Write::Entered(Box::new(entered())))
}

fn new_draft(
    body: SubmitBody,
    id: Uuid,
    key: CommandId,
    world: &TenantSnapshot,
    caller: &Caller,
    app: &App,
) -> Reply<Draft> {
    let (area, point) = locate_place(&body.place, world, caller.arrival.is_some())?;
    let case = CaseId(derive_id(caller.person, key, "case"));
    Ok(Draft {
        id: ReportId(id),
        channel: body.channel.unwrap_or_else(|| Channel::default_for(caller, app.clock.now())),
        title: body.title,
        text: body.text,
        category: body.category,
        urgency: body.urgency.unwrap_or(Urgency::Normal),
        demand: body.demand,
        area: area.map(|area| area.id),
        point,
        address: body.place.address,
        client_at: body.client_time.map(|time| time.with_timezone(&Utc)),
        confidential: body.confidential,
        anonymous: body.anonymous,
        contact: body.contact.is_some(),
        patrol: body.patrol_id.map(PatrolId),
        media: media::build_attachments(&[(&body.media, MediaRole::Before)]),
        handled: body.handled.map(|handled| Handled { case, result: handled.result }),
    })
}
