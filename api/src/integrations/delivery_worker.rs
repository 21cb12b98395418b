//! Delivers events and messages: takes events from the feed for each webhook, sends what is due,
//! and stores every attempt until the outcome is final.
//!
//! The journal is the outbox: an event is on record with the change that caused it, and each
//! webhook has its own place in the feed, moved in the transaction that makes its deliveries. So
//! nothing is lost or made twice, however many replicas run this and wherever one of them dies; a
//! delivery that was sent but not yet recorded is sent again under the same identity.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::web::Data;
use chrono::Duration as Span;
use domain::{
    area::tree::Path,
    core::{
        delivery::{self as rule, Channel, Envelope, Outcome, State},
        id::TenantId,
        journal::Hash,
    },
    people::audit::{AuditAction, Note, Verdict},
    rules::webhook::Status,
};
use futures_util::{StreamExt, stream};
use persistence::{
    StoreError,
    integrations::{
        delivery::{self, Attempt, Audience, Delivery, Lease, Tried},
        webhook::{self as hooks, Webhook},
    },
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    app::{clock::new_id, outbound::hooks::Posted, random::random_bytes, state::App},
    integrations::{
        channel::{self, Sent},
        event::{self, Event},
        notification_worker,
        webhook::{self, sign},
    },
};

/// The reason of a delivery that was tried for days.
pub const GIVEN_UP: &str = "given up after the last attempt";

/// The reason of a delivery to a receiver that refuses more.
pub const GONE: &str = "the receiver answered 410 Gone";

/// How often it looks, when nothing wakes it.
const EVERY: Duration = Duration::from_secs(1);

/// How long it collects wake-ups before it looks.
const PAUSE: Duration = Duration::from_millis(100);

/// How many entries of the feed are read at once for a webhook.
const WINDOW: i64 = 200;

/// The most deliveries that wait for a webhook: more are made later, from the journal.
const BACKLOG: i64 = 500;

/// How many deliveries are leased at once.
const PAGE: i64 = 64;

/// How many deliveries are under way at the same time.
const ABREAST: usize = 16;

/// After how long a lease is taken to have been lost with the replica that held it.
fn lease_timeout() -> Span {
    Span::seconds(60)
}

/// Runs until the store is closed. While callers write much, it runs a part of the time only:
/// events may be sent a little later. Servers and people are served by loops of their own, so that
/// a server which does not answer delays no one's messages.
pub async fn run(app: Data<App>, audience: Audience) {
    let mut stirred = app.store.commit_signal();
    loop {
        if let Ok(Err(_)) = tokio::time::timeout(EVERY, stirred.changed()).await {
            return;
        }
        tokio::time::sleep(PAUSE).await;
        loop {
            let (begun, before) = (Instant::now(), app.store.commit_count());
            match run_step(&app, audience).await {
                Ok(0) => break,
                Ok(_) => {}
                Err(StoreError::Closed) => return,
                Err(error) => {
                    tracing::warn!(%error, "deliveries cannot be made or sent");
                    break;
                }
            }
            let took = begun.elapsed();
            if app.store.commit_count() - before > BUSY {
                tokio::time::sleep(took * SHARE).await;
            }
        }
    }
}

/// The commits during one step that count as many.
const BUSY: u64 = 50;

/// How many times as long as a step took it pauses before the next, while callers write much.
const SHARE: u32 = 9;

/// Makes and sends everything that is due now; answers how many it handled.
pub async fn run_pass(app: &App) -> Result<u64, StoreError> {
    let mut sum = 0;
    loop {
        // Each runs whatever becomes of the other.
        let (people, servers) =
            (run_pass_for(app, Audience::People).await, run_pass_for(app, Audience::Servers).await);
        let done = people? + servers?;
        sum += done;
        if done == 0 {
            return Ok(sum);
        }
    }
}

/// Makes and sends everything that is due now to one audience; answers how many it handled.
pub async fn run_pass_for(app: &App, audience: Audience) -> Result<u64, StoreError> {
    let mut sum = 0;
    loop {
        let done = run_step(app, audience).await?;
        sum += done;
        if done == 0 {
            return Ok(sum);
        }
    }
}

/// Makes and sends a part of what is due; answers how many it handled.
async fn run_step(app: &App, audience: Audience) -> Result<u64, StoreError> {
    // Deliveries that exist are sent, even where none can be made.
    let made = match audience {
        Audience::People => notification_worker::run_pass(app).await,
        Audience::Servers => make_deliveries(app).await,
    };
    let sent = send_due(app, audience).await;
    Ok(made? + sent?)
}

/// The places a webhook is told of: where its area is, where it was, and those of areas that became
/// part of it.
fn find_reach(app: &App, hook: &Webhook) -> Vec<Path> {
    let world = app.worlds.get(hook.tenant);
    let area = world.as_ref().and_then(|world| Some((world, world.areas.get(hook.area)?.unit())));
    area.map_or_else(
        || vec![hook.path.clone()],
        |(world, unit)| world.areas.expand_unit(&unit).into_iter().map(|unit| unit.path).collect(),
    )
}

/// Makes the deliveries of the events since each webhook's place in the feed; answers how many
/// webhooks moved on.
async fn make_deliveries(app: &App) -> Result<u64, StoreError> {
    let mut moved = 0;
    // Webhooks of a tenant that stand at the same place share one reading.
    let mut read: HashMap<(TenantId, i64), Arc<event::Stretch>> = HashMap::new();
    for hook in app.store.read(hooks::load_active).await? {
        let place = (hook.tenant, hook.position);
        let stretch = if let Some(stretch) = read.get(&place) {
            Arc::clone(stretch)
        } else {
            let stretch = event::load_after(app, hook.tenant, hook.position, WINDOW).await?;
            Arc::clone(read.entry(place).or_insert(Arc::new(stretch)))
        };
        let Some(until) = stretch.until else { continue };
        let now = app.clock.now();
        let paths = find_reach(app, &hook);
        let wanted = |event: &&Arc<Event>| {
            (hook.types.is_empty() || hook.types.contains(&event.kind))
                && paths.iter().any(|path| event.about.is_within(path))
        };
        let reader = webhook::load_reader(app, &hook).await?;
        let made = |event: &Arc<Event>| {
            new_delivery(&hook, event, event.render_post(reader.as_ref(), now), now)
        };
        let new: Vec<Delivery> = stretch.events.iter().filter(wanted).map(made).collect();
        let take = delivery::add_event_deliveries(hook, until, new, BACKLOG);
        moved += u64::from(app.store.run(take).await?);
    }
    Ok(moved)
}

/// The delivery of an event to a webhook; its identity is derived from both.
fn new_delivery(
    hook: &Webhook,
    event: &Event,
    content: Arc<str>,
    now: domain::Instant,
) -> Delivery {
    let id = Hash::digest(format!("delivery\n{}\n{}", hook.id, event.id()).as_bytes()).to_uuid();
    Delivery {
        tenant: hook.tenant,
        id,
        channel: Channel::Webhook,
        target: hook.id,
        event: event.id(),
        kind: event.kind.name().to_owned(),
        flow: event.flow,
        position: event.position,
        part: event.part,
        content: content.to_string(),
        state: State::Waiting,
        attempts: 0,
        created_at: now,
        next_at: Some(now),
        ended_at: None,
        why: None,
    }
}

/// Sends what is due; answers how many were tried.
async fn send_due(app: &App, audience: Audience) -> Result<u64, StoreError> {
    let now = app.clock.now();
    let lease = Lease { by: new_id(), now, until: now + lease_timeout() };
    let due = app.store.run(delivery::lease_deliveries(lease, audience, PAGE)).await?;
    if due.is_empty() {
        return Ok(0);
    }
    let receivers = load_receivers(app, &due).await?;
    let mut done = stream::iter(group_parcels(due))
        .map(|parcel| send_parcel(app, parcel, &receivers))
        .buffer_unordered(ABREAST)
        .ready_chunks(ABREAST)
        .map(|done| done.into_iter().flatten().collect::<Vec<Tried>>());
    let mut sum = 0;
    while let Some(tried) = done.next().await {
        sum += u64::try_from(tried.len()).unwrap_or(u64::MAX);
        for one in &tried {
            stop_failing_webhook(app, one, &receivers).await?;
        }
        app.store.run(delivery::settle_attempts(lease.by, tried)).await?;
    }
    Ok(sum)
}

/// A webhook with the secrets it signs with, and whether it may get whole events.
type Receiver = Arc<(Webhook, Vec<Vec<u8>>, bool)>;
type Receivers = HashMap<(TenantId, Uuid), Receiver>;

async fn load_receivers(app: &App, due: &[Delivery]) -> Result<Receivers, StoreError> {
    let mut known = Receivers::new();
    for one in due.iter().filter(|one| one.channel == Channel::Webhook) {
        let (tenant, id) = (one.tenant, one.target);
        if known.contains_key(&(tenant, id)) {
            continue;
        }
        if let Some(hook) = app.store.read(move |db| hooks::find(db, tenant, id)).await? {
            let failed = |problem| StoreError::Inconsistent(format!("webhook {id}: {problem:?}"));
            let secrets = webhook::load_secrets(app, &hook).await.map_err(failed)?;
            let whole = webhook::load_reader(app, &hook).await?.is_some();
            known.insert((tenant, id), Arc::new((hook, secrets, whole)));
        }
    }
    Ok(known)
}

/// Groups deliveries that are sent at once: to a person by one channel all that are due together,
/// except for the templates of WeChat, which carry one notice each; to servers one event at a time.
fn group_parcels(due: Vec<Delivery>) -> Vec<Vec<Delivery>> {
    let mut parcels: Vec<Vec<Delivery>> = Vec::new();
    let mut known: HashMap<(TenantId, Uuid, Channel), usize> = HashMap::new();
    for one in due {
        let joins = matches!(one.channel, Channel::Wecom | Channel::Sms);
        let key = (one.tenant, one.target, one.channel);
        let place = known.get(&key).and_then(|place| parcels.get_mut(*place));
        if let Some(parcel) = place.filter(|_| joins) {
            parcel.push(one);
        } else {
            known.insert(key, parcels.len());
            parcels.push(vec![one]);
        }
    }
    parcels
}

/// Tries to send a group.
async fn send_parcel(app: &App, parcel: Vec<Delivery>, receivers: &Receivers) -> Vec<Tried> {
    let mut tried = Vec::with_capacity(parcel.len());
    if parcel.first().is_some_and(|one| one.channel == Channel::Webhook) {
        for one in parcel {
            let receiver = receivers.get(&(one.tenant, one.target)).cloned();
            tried.push(post_event(app, one, receiver).await);
        }
        return tried;
    }
    let (at, begun) = (app.clock.now(), Instant::now());
    let sent = channel::send(app, &parcel).await;
    let took_ms = i32::try_from(begun.elapsed().as_millis()).unwrap_or(i32::MAX);
    for one in parcel {
        let (outcome, status, request, response) = match &sent {
            Ok(Sent::Skipped(why)) => {
                tried.push(skip_delivery(one, at, why));
                continue;
            }
            Ok(Sent::Tried(outcome, status, response)) => {
                (*outcome, *status, String::new(), truncate_text(response))
            }
            Err(problem) => {
                let why = problem.code().name().to_owned();
                (Outcome::Again, None, String::new(), why)
            }
        };
        let status = status.map(i32::from);
        let no = one.attempts + 1;
        let attempt = Attempt { no, at, took_ms, status, outcome, request, response };
        let delivery = apply_attempt(one, &attempt, None);
        tried.push(Tried { delivery, attempt: Some(attempt), news: false });
    }
    tried
}

/// Posts one event to a webhook.
async fn post_event(app: &App, one: Delivery, receiver: Option<Receiver>) -> Tried {
    let Some(receiver) = receiver else {
        return skip_delivery(one, app.clock.now(), "there is nobody to tell any more");
    };
    let (hook, secrets, whole) = &*receiver;
    let (at, begun) = (app.clock.now(), Instant::now());
    let id = one.event.to_string();
    let (kind, body) = wrap_delivery(app, (hook, *whole), &one, at);
    let timestamp = at.timestamp();
    let headers = vec![
        ("content-type", kind.to_owned()),
        ("webhook-id", id.clone()),
        ("webhook-timestamp", timestamp.to_string()),
        ("webhook-signature", sign::sign_message(secrets, &id, timestamp, &body)),
    ];
    let request = truncate_text(&format!("POST {}\nwebhook-id: {id}\n\n{body}", hook.url));
    let answer = app.hooks.post(hook.url.clone(), headers, body).await;
    let took = i32::try_from(begun.elapsed().as_millis()).unwrap_or(i32::MAX);
    let (status, asked, response) = match answer {
        Ok(Posted { status, retry_after, excerpt }) => (Some(status), retry_after, excerpt),
        Err(failure) => (None, None, failure.to_string()),
    };
    let outcome = rule::classify_status(status);
    let attempt = Attempt {
        no: one.attempts + 1,
        at,
        took_ms: took,
        status: status.map(i32::from),
        outcome,
        request,
        response: truncate_text(&response),
    };
    let asked = asked.map(|asked| asked.compute_wait(at));
    // What is known of the webhook changes when it begins to fail, and when it stops.
    let news = (outcome == Outcome::Taken) == hook.failing_since.is_some();
    Tried { delivery: apply_attempt(one, &attempt, asked), attempt: Some(attempt), news }
}

/// A delivery that is not sent.
fn skip_delivery(one: Delivery, at: domain::Instant, why: &str) -> Tried {
    let (state, why) = (State::Skipped, Some(why.to_owned()));
    let delivery = Delivery { state, next_at: None, ended_at: Some(at), why, ..one };
    Tried { delivery, attempt: None, news: false }
}

/// A delivery after an attempt.
pub fn apply_attempt(mut one: Delivery, attempt: &Attempt, asked: Option<Span>) -> Delivery {
    one.attempts = attempt.no;
    let number = u32::try_from(attempt.no).unwrap_or(u32::MAX);
    let next = match attempt.outcome {
        Outcome::Again => rule::compute_retry_delay(number, draw_fraction(), asked),
        Outcome::Taken | Outcome::Refused | Outcome::Gone => None,
    };
    one.state = match (attempt.outcome, next) {
        (Outcome::Taken, _) => State::Delivered,
        (_, Some(_)) => State::Waiting,
        (_, None) => State::Failed,
    };
    one.next_at = next.map(|wait| attempt.at + wait);
    one.ended_at = next.is_none().then_some(attempt.at);
    one.why = match one.state {
        State::Failed => Some(match attempt.outcome {
            Outcome::Again => GIVEN_UP.to_owned(),
            Outcome::Gone => GONE.to_owned(),
            Outcome::Taken | Outcome::Refused => attempt.response.clone(),
        }),
        State::Waiting | State::Delivered | State::Skipped => None,
    };
    one
}

/// A random number from 0 to 1.
fn draw_fraction() -> f64 {
    random_bytes::<2>()
        .map_or(0.5, |bytes| f64::from(u16::from_be_bytes(bytes)) / f64::from(u16::MAX))
}

/// The beginning of a text, for the record.
fn truncate_text(text: &str) -> String {
    const MOST: usize = 500;
    text.chars().take(MOST).map(|c| if c == '\0' { '\u{fffd}' } else { c }).collect()
}

/// The body that is posted, with its media type.
fn wrap_delivery(
    app: &App,
    (hook, whole): (&Webhook, bool),
    one: &Delivery,
    at: domain::Instant,
) -> (&'static str, String) {
    let mut content: Value = serde_json::from_str(&one.content).unwrap_or_default();
    // By now the approval may have ended.
    if let Some(members) = content.as_object_mut().filter(|_| !whole && one.kind != webhook::TEST) {
        members.insert("by".to_owned(), Value::from(""));
        members.insert("data".to_owned(), json!({}));
    }
    let content = content;
    let happened = content.get("at").cloned().unwrap_or_else(|| json!(at));
    match hook.envelope {
        Envelope::Standard => {
            let body = json!({ "type": one.kind, "timestamp": happened, "data": content });
            ("application/json", body.to_string())
        }
        Envelope::Cloudevents => {
            let host = app.settings.public_url.as_deref().unwrap_or("urn:gridwhistle");
            let source = format!("{host}/api/v1/tenants/{}", hook.tenant);
            let subject = content.pointer("/subject/path").cloned().unwrap_or_default();
            let body = json!({
                "specversion": "1.0", "id": one.event, "source": source,
                "type": format!("cn.gridwhistle.{}", one.kind), "subject": subject,
                "time": happened, "datacontenttype": "application/json",
                // Events of one case in the order they happened (CloudEvents "partitioning").
                "partitionkey": one.flow, "data": content,
            });
            ("application/cloudevents+json; charset=utf-8", body.to_string())
        }
    }
}

/// Stops a webhook that is gone, or has failed for too long, and writes that into the audit log.
async fn stop_failing_webhook(
    app: &App,
    tried: &Tried,
    receivers: &Receivers,
) -> Result<(), StoreError> {
    let Some(attempt) = &tried.attempt else { return Ok(()) };
    let (tenant, target) = (tried.delivery.tenant, tried.delivery.target);
    let Some(receiver) = receivers.get(&(tenant, target)) else { return Ok(()) };
    let failing = receiver.0.failing_since.filter(|_| attempt.outcome != Outcome::Taken);
    let (status, why) = if attempt.outcome == Outcome::Gone {
        (Status::Disabled, GONE)
    } else if failing.is_some_and(|since| attempt.at - since >= rule::PATIENCE) {
        (Status::Paused, "every attempt has failed for a day")
    } else {
        return Ok(());
    };
    let now = app.clock.now();
    let detail = json!({ "step": status.name(), "why": why });
    let note = Note {
        at: now,
        act: AuditAction::Webhook,
        verdict: Verdict::Done,
        actor: None,
        actor_name: "系统".to_owned(),
        subject: Some(target),
        address: String::new(),
        detail: detail.to_string(),
    };
    let told =
        notification_worker::build_stop_messages(app, tenant, target, (&receiver.0.name, why))
            .await?;
    let stop = hooks::stop_webhook(tenant, target, (status, why), told, now);
    app.store.run(stop.with_note_if_done(tenant, note)).await.map(drop)
}
