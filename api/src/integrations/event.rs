//! Events: what happened to reports, cases and patrols, as it is published: in the feed
//! ([`list_events`]), in the stream ([`stream`]), and to webhooks.
//!
//! The journal is the only source. One event of an entry is one event here, with an identity
//! derived from the entry's hash, so that a receiver recognises one that comes twice. No event says
//! who reported, nor what street and departments think of each other; a reader who needs that reads
//! the flow itself.

pub mod cursor;
pub mod stream;
pub mod tail;

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use actix_web::{HttpResponse, get, web::Data};
use chrono::{DateTime, Utc};
use domain::{
    Instant,
    core::{
        disclosure::{Disclosure, Redaction},
        id::TenantId,
        journal::{Entry, FlowKind, Hash},
    },
    flows::{
        change::HIDDEN,
        event_type::{self, Happening},
        labels::labels_of,
    },
    people::actor::Actor,
};
use persistence::{Db, StoreError, kernel::journal};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use self::cursor::Position;
use crate::{
    app::{caller::Caller, state::App},
    engine::{
        reporters::{self, Reporters},
        subject::Subject,
        table::FLOWS,
    },
    http::{
        page::Limit,
        params::Query,
        problem::{Code, Problem, Reply},
        register::ServiceConfig,
        view::{self, UnitView},
    },
    resources::timeline,
};

/// Registers the operations of this file and of the stream.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list_events);
    stream::routes(config);
}

/// What an event is about.
#[derive(Serialize, ToSchema, Clone, Debug)]
pub struct SubjectView {
    /// `report`, `case` or `patrol`.
    kind: &'static str,
    /// The identity of what the event is about.
    id: Uuid,
    /// Its number for people.
    number: String,
    /// Its place in its journal after the event; the `ETag`.
    seq: i64,
    /// The path to read its present state.
    path: String,
}

/// An event of a report, case or patrol.
#[derive(Serialize, ToSchema, Clone, Debug)]
pub struct EventView {
    /// Its identity: the same wherever and however often it is sent. 事件标识，用于去重。
    id: Uuid,
    /// The type of the event. 事件类型。
    #[serde(rename = "type")]
    #[schema(schema_with = view::happening)]
    kind: &'static str,
    /// The type in Chinese. 事件类型名称。
    label: &'static str,
    /// When it happened. 时间。
    at: DateTime<Utc>,
    /// The name of who did it; `上报人` for a reporter; empty where only identities are sent.
    by: String,
    /// The flow the event is about. 对象。
    subject: SubjectView,
    /// The area it belongs to. 区域。
    area: UnitView,
    /// The details: the event as it stands in the timeline; empty for reporters of a case, who read
    /// the case, and for webhooks whose content is not approved. 详情。
    #[schema(value_type = Object)]
    data: Value,
}

impl EventView {
    /// When it happened.
    pub const fn at(&self) -> DateTime<Utc> {
        self.at
    }

    /// The path of its subject.
    pub fn subject(&self) -> String {
        self.subject.path.clone()
    }
}

/// An event with its place and its subject.
#[derive(Clone)]
pub struct Event {
    /// The position of its entry in the feed.
    pub position: i64,
    /// The index of the event among those of the entry, from 0.
    pub part: i16,
    /// The type that lists and webhooks filter by.
    pub kind: Happening,
    /// The report, case or patrol that it happened to.
    pub flow: Uuid,
    /// The hash of that entry.
    pub hash: Hash,
    /// The subject of the event.
    pub about: Arc<dyn Subject>,
    /// The whole event, without what is published to no one.
    pub view: EventView,
    /// The same as JSON.
    pub json: Arc<str>,
}

impl Event {
    /// The part of the event this actor may read; none when the actor must not know of it.
    pub fn render_view(&self, actor: &Actor, at: Instant) -> Option<EventView> {
        if !self.about.is_known_to(actor, at) {
            return None;
        }
        let whole = self.about.is_whole_for(actor, at);
        let data = if whole { self.view.data.clone() } else { json!({}) };
        Some(EventView { data, ..self.view.clone() })
    }

    /// The body for a webhook: the whole event when `reader`, the person who approved that, may
    /// read all of it; otherwise only the type and the identities.
    pub fn render_post(&self, reader: Option<&Actor>, at: Instant) -> Arc<str> {
        let reads =
            |actor: &Actor| self.about.is_known_to(actor, at) && self.about.is_whole_for(actor, at);
        if reader.is_some_and(reads) {
            return Arc::clone(&self.json);
        }
        let view = EventView { by: String::new(), data: json!({}), ..self.view.clone() };
        serde_json::to_string(&view).unwrap_or_default().into()
    }

    /// The same as JSON, which is prepared for most readers.
    pub fn render_json(&self, actor: &Actor, at: Instant) -> Option<Arc<str>> {
        if self.about.is_known_to(actor, at) && self.about.is_whole_for(actor, at) {
            return Some(Arc::clone(&self.json));
        }
        let view = self.render_view(actor, at)?;
        serde_json::to_string(&view).ok().map(Arc::from)
    }

    /// The identity that a receiver knows a repeated event by.
    pub const fn id(&self) -> Uuid {
        self.view.id
    }
}

/// A part of the feed.
pub struct Stretch {
    /// The events in it.
    pub events: Vec<Arc<Event>>,
    /// The position of the last entry that was read, whatever it was; none when there was none.
    pub until: Option<i64>,
    /// Whether there may be more behind it.
    pub more: bool,
}

/// The events after a place in the feed: of at most `window` entries.
pub async fn load_after(
    app: &App,
    tenant: TenantId,
    position: i64,
    window: i64,
) -> Result<Stretch, StoreError> {
    let entries =
        app.store.read(move |db| journal::load_after(db, tenant, position, window)).await?;
    let until = entries.last().map(|(position, _)| *position);
    let more = i64::try_from(entries.len()) == Ok(window);
    let mut subjects = HashMap::new();
    for flow in FLOWS {
        let found = flow.load_subjects(app, tenant, &entries).await?;
        subjects.extend(found.into_iter().map(|(id, about)| ((flow.kind(), id), about)));
    }
    let reported = load_reporters(app, tenant, &entries).await?;
    let told = |(position, entry): &(i64, Entry)| {
        let about = subjects.get(&(entry.flow, entry.flow_id))?;
        let before = reported.get(&entry.flow_id).filter(|_| entry.flow == FlowKind::Case);
        let reporters = before.cloned().unwrap_or_else(|| about.reporters());
        Some(build_events(*position, entry, about, &reporters))
    };
    let events = entries.iter().filter_map(told).flatten().collect();
    Ok(Stretch { events, until, more })
}

/// The reporters of the cases some entries are about, where that makes a difference: where a person
/// could have said something as a reporter.
async fn load_reporters(
    app: &App,
    tenant: TenantId,
    entries: &[(i64, Entry)],
) -> Result<HashMap<Uuid, Reporters>, StoreError> {
    let said = entries.iter().map(|(_, entry)| entry).filter(|entry| {
        entry.flow == FlowKind::Case && entry.name != "open" && reporters::is_sayable(entry)
    });
    let cases: BTreeSet<Uuid> = said.map(|entry| entry.flow_id).collect();
    if cases.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<Uuid> = cases.iter().copied().collect();
    let look = move |db: &mut Db| journal::load_by_name(db, tenant, &ids, &reporters::TELLING);
    let telling = app.store.read(look).await?;
    // Each flow's entries are adjacent.
    let of = |part: &[Entry]| Some((part.first()?.flow_id, Reporters::from_entries(part)));
    Ok(telling.chunk_by(|a, b| a.flow_id == b.flow_id).filter_map(of).collect())
}

/// The events of one entry.
fn build_events(
    position: i64,
    entry: &Entry,
    about: &Arc<dyn Subject>,
    reporters: &Reporters,
) -> Vec<Arc<Event>> {
    let happened = match (labels_of(entry.flow).read_events)(&entry.events) {
        Ok(happened) => happened,
        Err(error) => {
            let (flow, seq) = (entry.flow_id, entry.seq);
            tracing::error!(%flow, seq, %error, "an entry cannot be read; it is no event");
            return Vec::new();
        }
    };
    let mut hidden = vec![Disclosure::Opinion];
    if timeline::is_in_confidence(entry) {
        hidden.push(Disclosure::Trace);
    }
    let redaction = Redaction { hidden, strangers: timeline::find_strangers(reporters, entry) };
    let by = if reporters.has_said(entry) { HIDDEN } else { &entry.actor_name };
    let mut events = Vec::with_capacity(happened.len());
    for (part, mut data) in happened.into_iter().enumerate() {
        let name = data.get("event").and_then(Value::as_str);
        let kind = name.and_then(|name| Happening::from_event(entry.flow, name));
        let Some((kind, place)) = kind.zip(i16::try_from(part).ok()) else { continue };
        redaction.redact(labels_of(entry.flow).event, &mut data);
        if let Value::Object(members) = &mut data {
            members.remove("event");
        }
        let subject = SubjectView {
            kind: entry.flow.name(),
            id: entry.flow_id,
            number: about.number().to_owned(),
            seq: entry.seq,
            path: format!("/api/v1/{}/{}", about.path(), entry.flow_id),
        };
        let view = EventView {
            id: event_type::event_id(entry, part),
            kind: kind.name(),
            label: kind.label(),
            at: entry.at,
            by: by.to_owned(),
            subject,
            area: UnitView::from(about.area()),
            data,
        };
        let json = serde_json::to_string(&view).unwrap_or_default().into();
        let (flow, hash, about) = (entry.flow_id, entry.hash, Arc::clone(about));
        let part = place;
        events.push(Arc::new(Event { position, part, kind, flow, hash, about, view, json }));
    }
    events
}

/// Types, separated by commas; every type when empty.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Types(pub Vec<Happening>);

impl Types {
    /// Whether this type is among them.
    pub fn includes(&self, kind: Happening) -> bool {
        self.0.is_empty() || self.0.contains(&kind)
    }
}

impl<'de> Deserialize<'de> for Types {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let names = text.split(',').filter(|name| !name.is_empty()).take(Happening::ALL.len());
        let parse = |name: &str| {
            let wrong = || {
                let name: String = name.chars().take(64).collect();
                serde::de::Error::custom(format!("there is no type of event called {name:?}"))
            };
            Happening::parse(name).ok_or_else(wrong)
        };
        names.map(parse).collect::<Result<_, _>>().map(Self)
    }
}

/// Which events to read.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListEvents {
    /// `next` of the last answer; without it from the first event on. 上次返回的 next。
    #[param(max_length = 200)]
    cursor: Option<String>,
    /// Only from now on; for a first request without `cursor`. 只从现在开始。
    from_now: Option<bool>,
    /// How many at most, 1 to 100.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 50)]
    limit: Option<Limit>,
    /// Only events of these types, separated by commas. 事件类型，逗号分隔。
    #[param(value_type = Option<String>, example = "case.closed,case.dispatched")]
    types: Option<Types>,
}

/// A part of the feed.
#[derive(Serialize, ToSchema)]
pub struct EventsView {
    /// In the order of their commits.
    items: Vec<EventView>,
    /// Where to go on, now or later. 下次的 cursor。
    next: String,
    /// Whether there is more already. 是否还有。
    more: bool,
}

/// How many entries of the feed are read for one answer: first as many as events are wanted, and
/// more each time, because a caller who sees little has to read far.
const WINDOWS: [i64; 4] = [1, 4, 5, 10];

/// Reads the feed of events, complete and in the order of their commits.
///
/// 事件拉取：按提交先后给出辖区内的全部事件，不重不漏；`next` 保存好，下次从那里继续，随时可重读。
#[utoipa::path(tag = "events", params(ListEvents), responses((status = 200, body = EventsView)))]
#[get("/events")]
async fn list_events(
    app: Data<App>,
    caller: Caller,
    params: Query<ListEvents>,
) -> Reply<HttpResponse> {
    let ListEvents { cursor, from_now, limit, types } = params.0;
    let (tenant, types) = (caller.tenant, types.unwrap_or_default());
    let wanted = limit.unwrap_or_default().get();
    let (limit, wanted) = (usize::from(wanted), i64::from(wanted) + 1);
    let mut position = match cursor {
        Some(text) => Position::read(&app, tenant, &text).await?,
        None if from_now == Some(true) => Position::load_end(&app, tenant).await?,
        None => Position::default(),
    };
    let mut items: Vec<EventView> = Vec::new();
    let mut more = true;
    for window in WINDOWS {
        // The entry of the cursor is read again: only a part of its events may have been sent.
        let stretch =
            load_after(&app, tenant, position.last_whole_entry(), window * wanted).await?;
        let now = app.clock.now();
        let (mut full, from) = (false, position);
        for event in stretch.events.iter().filter(|event| from.is_before(event)) {
            if !types.includes(event.kind) {
                continue;
            }
            let Some(view) = event.render_view(&caller, now) else { continue };
            full = items.len() == limit;
            if full {
                break;
            }
            items.push(view);
            position = Position::after_event(event);
        }
        if full {
            break;
        }
        if let Some(until) = stretch.until {
            position = position.max(Position::after_entry(until));
        }
        more = stretch.more;
        if !more {
            break;
        }
    }
    let next = position.seal(&app, tenant).await?;
    Ok(HttpResponse::Ok().json(EventsView { items, next, more }))
}

/// The problem of a cursor that does not belong to this feed.
fn outdated_cursor() -> Problem {
    Problem::new(Code::CursorOutdated)
}
