//! The timeline of a flow: its journal, rendered for a reader. Also whether the chain is whole.

use actix_web::HttpResponse;
use chrono::{DateTime, Utc};
use domain::{
    core::{
        disclosure::{Disclosure, Redaction},
        id::{AreaId, CommandId, PersonId, ReportId},
        journal::{self as chain, Entry, FlowKind},
    },
    flows::{
        case::{self, state::Case},
        labels::labels_of,
        report::{self, Report},
        stored_event::read_events,
    },
    people::actor::Permission,
};
use persistence::{
    Db, StoreError,
    kernel::{
        arrival::{self, OfflineCommand},
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

/// The part of a timeline to show.
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
    /// The command that was given.
    command: String,
    /// The command in Chinese. 操作名称。
    label: &'static str,
    /// The name of the actor; `上报人` where the caller must not know it. 操作人。
    by: String,
    /// When the server received it.
    at: DateTime<Utc>,
    /// When it was typed on a phone without signal, by the server's clock. 离线填写时间（已校正）。
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

/// Renders the timeline of a flow, without the reporters for a caller who must not know them, and
/// without the mutual ratings of street and departments for a caller who works for neither.
pub async fn render(
    app: &App,
    caller: &Caller,
    flow: (FlowKind, Uuid),
    params: &TimelineParams,
) -> Reply<HttpResponse> {
    render_without(app, caller, flow, params, &Hidden::default()).await
}

/// What others of the public wrote and no review has passed yet.
#[derive(Default)]
pub struct Hidden {
    /// The people whose words are left out.
    of: Vec<PersonId>,
    /// Whether the words of the matter are left out.
    matter: bool,
    /// Whether the address and every point are left out.
    place: bool,
    /// The reader; what another person noted of an answer is left out.
    reader: Option<PersonId>,
}

impl Hidden {
    /// What is hidden of a case: nothing from staff; from a reporter the words of the other
    /// reporters.
    pub async fn load(app: &App, caller: &Caller, case: &Case) -> Reply<Self> {
        if case.may_read_in_office(caller, app.clock.now()) {
            return Ok(Self::default());
        }
        let others = case.reports.iter().filter(|one| one.person != caller.person);
        let of: Vec<PersonId> = others.map(|one| one.person).collect();
        let first = case.reports.first().filter(|first| first.person != caller.person);
        let passed = match first {
            Some(first) => content_review::load_passed(app, caller.tenant, first.report.0).await?,
            None => Passed { words: true, place: true },
        };
        let reader = (!of.is_empty()).then_some(caller.person);
        Ok(Self { of, matter: !passed.words, place: !passed.place, reader })
    }

    /// The disclosures that the reader must not read in an entry by this actor.
    fn list_hidden(&self, actor: PersonId) -> Vec<Disclosure> {
        let hidden = [
            (self.of.contains(&actor), Disclosure::Words),
            // With several reporters, the answer of one of them is for the staff who handle the
            // case.
            (self.reader.is_some_and(|reader| reader != actor), Disclosure::Answer),
            (self.matter, Disclosure::Matter),
            (self.place, Disclosure::Location),
        ];
        hidden.into_iter().filter_map(|(is_hidden, what)| is_hidden.then_some(what)).collect()
    }
}

/// The same, without what is hidden from the reader.
pub async fn render_without(
    app: &App,
    caller: &Caller,
    flow: (FlowKind, Uuid),
    params: &TimelineParams,
    hidden: &Hidden,
) -> Reply<HttpResponse> {
    let tenant = caller.tenant;
    let look = move |db: &mut Db| {
        let entries = journal::load_chain(db, tenant, flow, None)?;
        let commands: Vec<CommandId> = entries.iter().map(|entry| entry.command).collect();
        let arrivals = arrival::load_for_commands(db, tenant, &commands)?;
        Ok((entries, arrivals))
    };
    let (entries, arrivals) = app.store.read(look).await?;
    let reporters = Reporters::from_entries(&entries);
    let unknown = load_unknown_reports(app, caller, reporters.reports()).await?;
    let unknown = reporters.filter_reports(&unknown);
    let head = chain::verify_chain(&entries);
    let after = params.after.unwrap_or(0);
    let world = app.world(tenant)?;
    let now = app.clock.now();
    let mut opinions = Opinions {
        street: None,
        works_for: |unit: AreaId| {
            let unit = world.areas.get(unit);
            unit.is_some_and(|unit| caller.may(Permission::ReadCases, &unit.path, now))
        },
    };
    let mut items = Vec::new();
    for entry in &entries {
        let events = parse_events(entry)?;
        let told = opinions.check_entry(entry);
        if entry.seq > after && items.len() < MOST {
            let kept = arrivals
                .iter()
                .find(|arrival| arrival.command == entry.command && arrival.actor == entry.actor);
            let hidden = hidden.list_hidden(entry.actor);
            items.push(entry_view(entry, events, kept, &unknown, (&hidden, &told)));
        }
    }
    Ok(HttpResponse::Ok().json(TimelineView {
        items,
        intact: head.is_ok(),
        head: head.map(|hash| hash.to_hex()).unwrap_or_default(),
    }))
}

fn parse_events(entry: &Entry) -> Result<Vec<Value>, StoreError> {
    (labels_of(entry.flow).read_events)(&entry.events)
        .map_err(|error| StoreError::unreadable(entry, &error))
}

/// Mutual ratings of street and departments, which are for the two of them (双评议).
struct Opinions<W> {
    /// The street that blew the whistle the entries are about.
    street: Option<AreaId>,
    /// Whether the reader works for a unit.
    works_for: W,
}

impl<W: Fn(AreaId) -> bool> Opinions<W> {
    /// Whether the reader may read the ratings, for each event of the next entry.
    fn check_entry(&mut self, entry: &Entry) -> Vec<bool> {
        if entry.flow != FlowKind::Case {
            return Vec::new();
        }
        let events: Vec<case::Event> = read_events(&entry.events).unwrap_or_default();
        let told = |event: &case::Event| {
            let mut department = None;
            if let case::Event::WhistleBlown { whistle } = event {
                self.street = Some(whistle.street.id);
            }
            if let case::Event::Summoned { unit, .. } = event {
                department = Some(*unit);
            }
            [self.street, department].into_iter().flatten().any(&self.works_for)
        };
        events.iter().map(told).collect()
    }
}

fn entry_view(
    entry: &Entry,
    mut events: Vec<Value>,
    kept: Option<&OfflineCommand>,
    unknown: &Reporters,
    (hidden, opinions): (&[Disclosure], &[bool]),
) -> EntryView {
    let known = !unknown.has_said(entry);
    let mut redaction =
        Redaction { hidden: hidden.to_vec(), strangers: find_strangers(unknown, entry) };
    if !known && is_in_confidence(entry) {
        redaction.hidden.push(Disclosure::Trace);
    }
    for (at, event) in events.iter_mut().enumerate() {
        let mut redaction = redaction.clone();
        if !opinions.get(at).is_some_and(|told| *told) {
            redaction.hidden.push(Disclosure::Opinion);
        }
        redaction.redact(labels_of(entry.flow).event, event);
    }
    EntryView {
        seq: entry.seq,
        command: entry.name.clone(),
        label: (labels_of(entry.flow).command)(&entry.name).unwrap_or(""),
        by: if known { entry.actor_name.clone() } else { "上报人".to_owned() },
        at: entry.at,
        happened_at: kept.map(|kept| kept.happened_at),
        // The error of a clock distinguishes one phone from every other.
        client_time: kept.filter(|_| known).map(|kept| kept.client_at),
        oddities: kept
            .filter(|_| known)
            .into_iter()
            .flat_map(|kept| &kept.oddities)
            .map(|one| one.name())
            .collect(),
        events,
        hash: entry.hash.to_hex(),
    }
}

/// The reporters who must stay hidden in an entry: all who must not be known, except the actor of
/// an entry made in office, whose identity would be missing where it always stands.
pub fn find_strangers(unknown: &Reporters, entry: &Entry) -> Vec<PersonId> {
    let people = unknown.people().into_iter();
    people.filter(|person| *person != entry.actor || unknown.has_said(entry)).collect()
}

/// Whether an entry is a report whose reporter must not be known: its patrol and its clock would
/// reveal who that is.
pub fn is_in_confidence(entry: &Entry) -> bool {
    if entry.flow != FlowKind::Report || entry.name != "submit" {
        return false;
    }
    let events = read_events::<report::Event>(&entry.events);
    events.map_or(true, |events| events.iter().any(report::Event::is_in_confidence))
}

/// Those of some reports whose reporters the caller must not know.
pub async fn load_unknown_reports(
    app: &App,
    caller: &Caller,
    ids: Vec<ReportId>,
) -> Reply<Vec<ReportId>> {
    let (tenant, now) = (caller.tenant, app.clock.now());
    let look = ids.iter().map(|id| id.0).collect::<Vec<_>>();
    let mut unknown = Vec::new();
    for (id, found) in ids.into_iter().zip(app.store.load_states::<Report>(tenant, &look).await) {
        if !found?.is_some_and(|report| report.state.reporter_visible_to(caller, now)) {
            unknown.push(id);
        }
    }
    Ok(unknown)
}
