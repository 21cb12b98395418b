//! Commands on forms, and filling one in for a household.

use actix_web::{FromRequest, HttpRequest, dev::Payload, web::Data};
use domain::{
    core::{id::FormId, journal::FlowKind},
    flows::{
        change::{Request, Versioned, execute},
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

use super::{
    AnswerBody, AnsweredView, FormView, PublishFormBody, WithdrawBody, fill, render_values,
};
use crate::{
    app::{caller::Caller, state::App},
    engine::step::{self, Asked, CommandContext, Extracting, Origin, Step, extract},
    http::{
        answer::Answer,
        headers::{IfMatch, Key},
        problem::{Code, Problem, Reply},
    },
};

/// The context of a command that publishes a form: the first edition begins it, later ones change
/// it.
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
    let stored = if app.store.load_state::<Form>(tenant, id).await?.is_some() {
        let asked = Asked { id, request: asked, if_match };
        step::run_command::<Form>(&app, &caller, asked, command).await?
    } else {
        let begin = |context: Context<'_>| {
            Ok((execute::<Form>(None, &command, asked, context)?, Vec::new()))
        };
        step::begin_flow(&app, &caller, asked, begin).await?.0
    };
    let location = format!("/api/v1/forms/{id}");
    Ok(Answer::of_creation(location, stored.seq, FormView::from(&stored)))
}

/// Withdraws a form.
pub async fn withdraw_form(step: Step, body: WithdrawBody) -> Reply<Answer<FormView>> {
    let asked = step.build_asked("withdraw_form", &body);
    let command = Command::Withdraw { reason: body.reason };
    let stored = step::run_command::<Form>(&step.app, &step.caller, asked, command).await?;
    Ok(Answer::of_change(stored.seq, FormView::from(&stored)))
}

/// Answers a form for a household.
pub async fn answer_household_form(step: Step, body: AnswerBody) -> Reply<Answer<AnsweredView>> {
    let form = step.segment("form_id")?;
    let household = step::load_visible::<Household>(&step.app, &step.caller, step.id).await?;
    let changes = &body.changes;
    let sent = fill::fingerprint_changes(&step.app, &step.caller, changes).await?;
    let asked = step.build_asked("answer_household_form", &(form, &sent));
    let stored = match answer_form(&step, asked, &household.state, (FormId(form), changes)).await {
        Ok(stored) => stored,
        Err(problem) => {
            let seen = step::load_answer(&step.app, &step.caller, asked.request).await?;
            seen.ok_or(problem)?
        }
    };
    Ok(Answer::of_account(load_answer_view(&step, form, stored.seq).await?))
}

/// Fills in a form, seals it, and records that in the journal of the household.
async fn answer_form(
    step: &Step,
    asked: Asked,
    household: &Household,
    (form, changes): (FormId, &Map<String, Value>),
) -> Reply<Versioned<Household>> {
    let subject = fill::Subject { household, visit: None };
    let what = fill::Filling { form, changes, under: "/changes" };
    let done = fill::complete_form(&step.app, &step.caller, step.key(), subject, what).await?;
    let filled_in = done.filled;
    let command = household::Command::Answer {
        form: filled_in.form,
        edition: filled_in.edition,
        answers: filled_in.answers,
        counts: filled_in.counts,
    };
    let decide = |stored: &Versioned<Household>, context: Context<'_>| {
        let change = execute(Some(stored), &command, asked.request, context)?;
        let (person, path) = (context.by.person, change.state.area.path.clone());
        let (at, counts) = (context.at, filled_in.counts);
        let entered = Entered { person, path, what: What::Form, at, counts };
        let entered = Write::Entered(Box::new(entered));
        Ok((change, done.writes.iter().cloned().chain([entered]).collect()))
    };
    step::run_step(&step.app, &step.caller, asked, decide).await
}

/// The answer recorded at a place in the journal of a household, the first time and on a retry.
async fn load_answer_view(step: &Step, form: Uuid, seq: i64) -> Reply<AnsweredView> {
    let (tenant, id) = (step.caller.tenant, step.id);
    let look = move |db: &mut persistence::Db| {
        journal::load_before(db, tenant, (FlowKind::Household, id), seq + 1, 1)
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
    let schema = step
        .app
        .store
        .load_state::<Form>(tenant, form)
        .await?
        .map(|form| form.state.parse_schema());
    let personal = |name: &str| {
        schema
            .as_ref()
            .and_then(|schema| schema.find_field(name))
            .is_none_or(|field| field.personal)
    };
    let kept = fill::load_documents(&step.app, tenant, vec![answers]).await?;
    let values = kept.get(&answers).map(|document| render_values(&document.values, personal));
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
