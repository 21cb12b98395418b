//! The timeline of a flow: its journal, read. Also whether the chain is whole.

use actix_web::HttpResponse;
use chrono::{DateTime, Utc};
use domain::{
    core::{
        id::{AreaId, CommandId, PersonId, ReportId},
        journal::{self as chain, Entry, FlowKind},
    },
    flows::{case::state::Case, labels::labels_of, report::Report},
    people::actor::Permission,
};
use persistence::{
    Db, StoreError,
    kernel::{
        arrival::{self, Kept},
        journal,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    app::{caller::Caller, state::App},
    engine::reporters::Reporters,
    http::problem::Reply,
    resources::content_review::{self, Passed},
};

/// Which part of a timeline to show.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TimelineParams {
    /// Only what came after this sequence number. 只返回该序号之后的记录。
    #[param(minimum = 0, example = 0)]
    pub after: Option<i64>,
}

/// One accepted command.
#[derive(Serialize, ToSchema)]
pub struct EntryView {
    /// Its place in the journal.
    seq: i64,
    /// What was asked.
    command: String,
    /// The command in Chinese. 操作名称。
    label: &'static str,
    /// The name of who asked; `上报人` where the caller may not know. 操作人。
    by: String,
    /// When it reached us.
    at: DateTime<Utc>,
    /// When it was typed on a phone without signal, by our clock. 离线填写时间（已校正）。
    #[serde(skip_serializing_if = "Option::is_none")]
    happened_at: Option<DateTime<Utc>>,
    /// The same as the phone's clock showed it. 手机时间。
    #[serde(skip_serializing_if = "Option::is_none")]
    client_time: Option<DateTime<Utc>>,
    /// What is odd about that time. 时间异常标记。
    #[serde(skip_serializing_if = "Vec::is_empty")]
    oddities: Vec<&'static str>,
    /// What happened, in detail.
    events: Vec<Value>,
    /// The hash of this entry, which covers the one before.
    hash: String,
}

/// The timeline of a report, a case or another flow.
#[derive(Serialize, ToSchema)]
pub struct TimelineView {
    /// In the order they happened; at most 500, the rest with `after`.
    items: Vec<EntryView>,
    /// Whether the chain of hashes is whole from the first entry to the last.
    intact: bool,
    /// The hash at its end.
    head: String,
}

/// The most entries one answer shows.
const MOST: usize = 500;

/// Reads the timeline of a flow, without telling who reported to a caller who must not know, nor
/// what street and departments think of each other to a caller who works for neither.
pub async fn show(
    app: &App,
    caller: &Caller,
    flow: (FlowKind, Uuid),
    params: &TimelineParams,
) -> Reply<HttpResponse> {
    show_to(app, caller, flow, params, &Hidden::default()).await
}

/// What others of the public wrote and no review passed yet.
#[derive(Default)]
pub struct Hidden {
    /// Whose words are left out.
    of: Vec<PersonId>,
    /// Whether what the case is about is left out.
    matter: bool,
    /// Whether the address and every point are left out.
    place: bool,
    /// Who reads; what another person noted of an answer is left out.
    reader: Option<PersonId>,
}

impl Hidden {
    /// What is hidden of a case: nothing from staff; from a reporter what the other reporters
    /// wrote.
    pub async fn of_case(app: &App, caller: &Caller, case: &Case) -> Reply<Self> {
        if case.read_in_office(caller, app.clock.now()) {
            return Ok(Self::default());
        }
        let others = case.reports.iter().filter(|one| one.person != caller.person);
        let of: Vec<PersonId> = others.map(|one| one.person).collect();
        let first = case.reports.first().filter(|first| first.person != caller.person);
        let passed = match first {
            Some(first) => content_review::passed(app, caller.tenant, first.report.0).await?,
            None => Passed { words: true, place: true },
        };
        let reader = (!of.is_empty()).then_some(caller.person);
        Ok(Self { of, matter: !passed.words, place: !passed.place, reader })
    }

    fn hide(&self, actor: PersonId, events: &mut [Value]) {
        let words = self.of.contains(&actor);
        let relayed = self.reader.is_some_and(|reader| reader != actor);
        if words || relayed || self.matter || self.place {
            for event in events {
                self.within(event, words);
                if relayed {
                    without_comments(event);
                }
            }
        }
    }

    fn within(&self, value: &mut Value, words: bool) {
        match value {
            Value::Object(members) => {
                members.retain(|name, _| {
                    let name = name.as_str();
                    let said = ["text", "comment", "reason", "note", "title"].contains(&name);
                    let where_it_is = ["address", "point", "raw"].contains(&name);
                    !(words && said || self.matter && name == "matter" || self.place && where_it_is)
                });
                members.values_mut().for_each(|value| self.within(value, words));
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.within(item, words)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

/// Takes out what a resident answered when asked: with several reporters, it is another one's
/// answer. What one of several answered is for the staff who handle the case.
fn without_comments(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if members.get("event").and_then(Value::as_str) == Some("answer_noted") {
                members.remove("answer");
            }
            if let Some(Value::Object(answer)) = members.get_mut("answer") {
                answer.remove("comment");
            }
            members.values_mut().for_each(without_comments);
        }
        Value::Array(items) => items.iter_mut().for_each(without_comments),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The same, without what is hidden from the reader.
pub async fn show_to(
    app: &App,
    caller: &Caller,
    flow: (FlowKind, Uuid),
    params: &TimelineParams,
    hidden: &Hidden,
) -> Reply<HttpResponse> {
    let tenant = caller.tenant;
    let look = move |db: &mut Db| {
        let entries = journal::chain(db, tenant, flow, None)?;
        let commands: Vec<CommandId> = entries.iter().map(|entry| entry.command).collect();
        let arrivals = arrival::of(db, tenant, &commands)?;
        Ok((entries, arrivals))
    };
    let (entries, arrivals) = app.store.read(look).await?;
    let reporters = Reporters::of(&entries);
    let unknown = unknown_reports(app, caller, reporters.reports()).await?;
    let unknown = reporters.of_reports(&unknown);
    let head = chain::verify(&entries);
    let after = params.after.unwrap_or(0);
    let world = app.world(tenant)?;
    let now = app.clock.now();
    let mut opinions = Opinions {
        street: None,
        works_for: |unit: &str| {
            let unit = unit.parse().ok().and_then(|id| world.areas.get(AreaId(id)));
            unit.is_some_and(|unit| caller.may(Permission::ReadCases, &unit.path, now))
        },
    };
    let mut items = Vec::new();
    for entry in &entries {
        let mut events = events_of(entry)?;
        opinions.hide(&mut events);
        hidden.hide(entry.actor, &mut events);
        if entry.seq > after && items.len() < MOST {
            let kept = arrivals
                .iter()
                .find(|arrival| arrival.command == entry.command && arrival.actor == entry.actor);
            items.push(view(entry, events, kept, &unknown));
        }
    }
    Ok(HttpResponse::Ok().json(TimelineView {
        items,
        intact: head.is_ok(),
        head: head.map(|hash| hash.hex()).unwrap_or_default(),
    }))
}

fn events_of(entry: &Entry) -> Result<Vec<Value>, StoreError> {
    (labels_of(entry.flow).read_events)(&entry.events)
        .map_err(|error| StoreError::unreadable(entry, &error))
}

/// What street and departments think of each other is for the two of them (双评议).
struct Opinions<W> {
    /// Who blew the whistle that the entries are about.
    street: Option<String>,
    /// Whether the reader works for a unit, by its identity.
    works_for: W,
}

impl<W: Fn(&str) -> bool> Opinions<W> {
    /// Takes out of the events of the next entry what is not for the reader.
    fn hide(&mut self, events: &mut [Value]) {
        for event in events {
            if let Some(street) = event.pointer("/whistle/street/id").and_then(Value::as_str) {
                self.street = Some(street.to_owned());
            }
            let department = event.pointer("/unit").and_then(Value::as_str);
            let both = [self.street.as_deref(), department];
            let told = both.into_iter().flatten().any(&self.works_for);
            if let Some(Value::Object(happened)) = event.pointer_mut("/happened")
                && !told
            {
                happened.remove("rating");
            }
        }
    }
}

fn view(
    entry: &Entry,
    mut events: Vec<Value>,
    kept: Option<&Kept>,
    unknown: &Reporters,
) -> EntryView {
    let known = !unknown.said(entry);
    let ids = strangers(unknown, entry);
    for event in &mut events {
        hide(event, &ids);
        if !known {
            without_traces(event);
        }
    }
    EntryView {
        seq: entry.seq,
        command: entry.name.clone(),
        label: (labels_of(entry.flow).command)(&entry.name).unwrap_or(""),
        by: if known { entry.actor_name.clone() } else { "上报人".to_owned() },
        at: entry.at,
        happened_at: kept.map(|kept| kept.happened_at),
        // How wrong a clock is tells one phone from every other.
        client_time: kept.filter(|_| known).map(|kept| kept.client_at),
        oddities: kept
            .filter(|_| known)
            .into_iter()
            .flat_map(|kept| &kept.oddities)
            .map(|one| one.name())
            .collect(),
        events,
        hash: entry.hash.hex(),
    }
}

/// The reporters whose names are left out of an entry: all who must not be known, except the actor
/// of an entry made in office, whose identity would be missed where it always stands.
pub fn strangers(unknown: &Reporters, entry: &Entry) -> Vec<String> {
    let people = unknown.people().into_iter();
    let hidden = people.filter(|person| *person != entry.actor || unknown.said(entry));
    hidden.map(|person| person.to_string()).collect()
}

/// Takes out on which patrol something was reported in confidence, and by which clock: both say who
/// reported it.
pub fn without_traces(event: &mut Value) {
    if let Some(Value::Object(report)) = event.get_mut("report")
        && ["confidential", "anonymous"].iter().any(|how| report.get(*how) == Some(&true.into()))
    {
        for trace in ["patrol", "client_at", "clock_ahead"] {
            report.remove(trace);
        }
    }
}

/// Takes out what a timeline does not tell: who reported, and how we file areas.
pub fn hide(value: &mut Value, ids: &[String]) {
    match value {
        Value::Object(members) => {
            for hidden in ["reporter", "reporter_name", "person", "people", "path", "raw"] {
                members.remove(hidden);
            }
            members
                .retain(|_, value| !value.as_str().is_some_and(|id| ids.iter().any(|i| i == id)));
            members.values_mut().for_each(|value| hide(value, ids));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| hide(item, ids)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Those of some reports whose reporters the caller must not know.
pub async fn unknown_reports(
    app: &App,
    caller: &Caller,
    ids: Vec<ReportId>,
) -> Reply<Vec<ReportId>> {
    let (tenant, now) = (caller.tenant, app.clock.now());
    let look = ids.iter().map(|id| id.0).collect::<Vec<_>>();
    let mut unknown = Vec::new();
    for (id, found) in ids.into_iter().zip(app.store.look_all::<Report>(tenant, &look).await) {
        if !found?.is_some_and(|report| report.state.reporter_visible_to(caller, now)) {
            unknown.push(id);
        }
    }
    Ok(unknown)
}
