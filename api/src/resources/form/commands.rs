//! What may be asked of forms, and filling one in for a household.

use actix_web::{FromRequest, HttpRequest, dev::Payload, web::Data};
use domain::{
    core::{id::FormId, journal::FlowKind},
    flows::{
        change::{Request, Stored, act},
        flow::Context,
        form::{Command, Form},
        household::{self, Household},
        stored_event::read_events,
    },
    rules::burden::{Entered, What},
};
use persistence::{StoreError, Write, kernel::journal};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{AnswerBody, AnsweredView, FormView, PublishFormBody, WithdrawBody, fill, filled};
use crate::{
    app::{caller::Caller, state::App},
    engine::step::{self, Asked, CommandContext, Extracting, Origin, Step, extract},
    http::{
        answer::Answer,
        headers::{IfMatch, Key},
        problem::{Code, Problem, Reply},
    },
};

/// Of a command that publishes a form: the first edition begins it, the next ones move it.
pub struct Publishing {
    app: Data<App>,
    caller: Caller,
    key: Key,
    if_match: IfMatch,
}

impl CommandContext for Publishing {
    fn read(app: Data<App>, caller: Caller, origin: &impl Origin) -> Reply<Self> {
        Ok(Self { app, caller, key: origin.key()?, if_match: origin.if_match()? })
    }
}

impl FromRequest for Publishing {
    type Error = Problem;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        extract(request, payload)
    }
}

/// Brings an edition of a form into force.
pub async fn publish_form(start: Publishing, body: PublishFormBody) -> Reply<Answer<FormView>> {
    let Publishing { app, caller, key, if_match } = start;
    let tenant = caller.tenant;
    let id = Form::id_of(tenant, body.code.as_str()).0;
    let asked = Request::new(key.0, "publish_form", id, &body);
    let PublishFormBody { code, schema, note } = body;
    let command = Command::Publish { tenant, code, schema: Box::new(schema), note };
    let stored = if app.store.look::<Form>(tenant, id).await?.is_some() {
        let asked = Asked { id, request: asked, if_match };
        step::command::<Form>(&app, &caller, asked, command).await?
    } else {
        let begin =
            |context: Context<'_>| Ok((act::<Form>(None, &command, asked, context)?, Vec::new()));
        step::begin(&app, &caller, asked, begin).await?.0
    };
    let location = format!("/api/v1/forms/{id}");
    Ok(Answer::created(location, stored.seq, FormView::from(&stored)))
}

/// Asks a form no more.
pub async fn withdraw_form(step: Step, body: WithdrawBody) -> Reply<Answer<FormView>> {
    let asked = step.asked("withdraw_form", &body);
    let command = Command::Withdraw { reason: body.reason };
    let stored = step::command::<Form>(&step.app, &step.caller, asked, command).await?;
    Ok(Answer::changed(stored.seq, FormView::from(&stored)))
}

/// Answers a form for a household.
pub async fn answer_household_form(step: Step, body: AnswerBody) -> Reply<Answer<AnsweredView>> {
    let form = step.segment("form_id")?;
    let household = step::look::<Household>(&step.app, &step.caller, step.id).await?;
    let changes = &body.changes;
    let sent = fill::sent(&step.app, &step.caller, changes).await?;
    let asked = step.asked("answer_household_form", &(form, &sent));
    let stored = match answer(&step, asked, &household.state, (FormId(form), changes)).await {
        Ok(stored) => stored,
        Err(problem) => {
            let seen = step::answered(&step.app, &step.caller, asked.request).await?;
            seen.ok_or(problem)?
        }
    };
    Ok(Answer::done(told(&step, form, stored.seq).await?))
}

/// Fills in a form, seals it, and says so in the journal of the household.
async fn answer(
    step: &Step,
    asked: Asked,
    household: &Household,
    (form, changes): (FormId, &Map<String, Value>),
) -> Reply<Stored<Household>> {
    let subject = fill::Subject { household, visit: None };
    let what = fill::Filling { form, changes, under: "/changes" };
    let done = fill::fill(&step.app, &step.caller, step.key(), subject, what).await?;
    let filled_in = done.filled;
    let command = household::Command::Answer {
        form: filled_in.form,
        edition: filled_in.edition,
        answers: filled_in.answers,
        counts: filled_in.counts,
    };
    let decide = |stored: &Stored<Household>, context: Context<'_>| {
        let change = act(Some(stored), &command, asked.request, context)?;
        let (person, path) = (context.by.person, change.state.area.path.clone());
        let (at, counts) = (context.at, filled_in.counts);
        let entered = Entered { person, path, what: What::Form, at, counts };
        let entered = Write::Entered(Box::new(entered));
        Ok((change, done.writes.iter().cloned().chain([entered]).collect()))
    };
    step::step(&step.app, &step.caller, asked, decide).await
}

/// What was answered at a place in the journal of a household, the first time and again.
async fn told(step: &Step, form: Uuid, seq: i64) -> Reply<AnsweredView> {
    let (tenant, id) = (step.caller.tenant, step.id);
    let look = move |db: &mut persistence::Db| {
        journal::before(db, tenant, (FlowKind::Household, id), seq + 1, 1)
    };
    let entry = step.app.store.read(look).await?.pop();
    let entry = entry.ok_or_else(|| Problem::new(Code::NotFound))?;
    let events = read_events::<household::Event>(&entry.events)
        .map_err(|error| StoreError::unreadable(&entry, &error))?;
    let said = events.into_iter().find_map(|event| {
        let household::Event::Answered { edition, answers, counts, .. } = event else {
            return None;
        };
        Some((edition, answers, counts))
    });
    let (edition, answers, counts) = said.ok_or_else(|| Problem::new(Code::NotFound))?;
    let schema = step.app.store.look::<Form>(tenant, form).await?.map(|form| form.state.asked());
    let personal = |name: &str| {
        schema.as_ref().and_then(|schema| schema.field(name)).is_none_or(|field| field.personal)
    };
    let kept = fill::read(&step.app, tenant, vec![answers]).await?;
    let values = kept.get(&answers).map(|document| filled(&document.values, personal));
    Ok(AnsweredView {
        id: answers,
        form_id: form,
        edition,
        visit_id: None,
        at: entry.at,
        values: values.unwrap_or_default(),
        counts: Some(counts.into()),
    })
}
