//! Events as they happen: server-sent events, resumed by `Last-Event-ID`.
//!
//! A stream holds a place in the feed and little else: new events are read once for all of them
//! ([`super::tail`]), and nothing is read while the reader's connection is full. A reader that
//! falls back further than what is kept in memory is cut off, and goes on where it was when it
//! comes back.

use std::{fmt::Write, time::Duration};

use actix_web::{
    FromRequest, HttpRequest, HttpResponse,
    dev::Payload,
    get,
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
    web::{Bytes, Data},
};
use futures_util::stream;
use serde::Deserialize;
use tokio::{sync::watch, time::Instant};
use utoipa::IntoParams;

use super::{
    Event, Types,
    cursor::Position,
    load_after,
    tail::{Behind, Listening},
};
use crate::{
    app::{caller::Caller, ration::Streaming, state::App},
    http::{
        params::Query,
        problem::{Code, Problem, Reply},
        register::ServiceConfig,
    },
    integrations::event::tail::Tails,
};

/// How often a line is sent although nothing happened, so that no client or proxy takes the stream
/// for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How long a stream lasts; its reader then reconnects and resumes where it was.
const LIFETIME: Duration = Duration::from_hours(1);

/// How long the rights of the reader are cached before they are read again.
const BELIEVED: Duration = Duration::from_secs(2);

/// How many events are sent at once at most.
const BATCH: usize = 50;

/// How many entries are read from the database at once for a reader that is behind.
const WINDOW: i64 = 200;

/// Registers the operation of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(get_event_stream);
}

/// Which events to stream.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StreamEvents {
    /// The `id` of the last event received, or `next` of the feed; without it and without
    /// `Last-Event-ID` only what happens from now on. 上次收到的事件 id。
    #[param(max_length = 200)]
    cursor: Option<String>,
    /// Only events of these types, separated by commas. 事件类型，逗号分隔。
    #[param(value_type = Option<String>, example = "case.closed,case.dispatched")]
    types: Option<Types>,
    /// How long the stream lasts at most, in seconds, 0 to 3600; with 0 it ends when everything was
    /// sent. 最长秒数。
    #[param(value_type = Option<u32>, minimum = 0, maximum = 3600, example = 600)]
    seconds: Option<Seconds<0, 3600>>,
    /// How often a line without an event is sent while idle, in seconds, 1 to 60; 15 when left out.
    /// 心跳间隔（秒）。
    #[param(value_type = Option<u32>, minimum = 1, maximum = 60, example = 15)]
    heartbeat: Option<Seconds<1, 60>>,
}

/// A duration within bounds.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "u64")]
struct Seconds<const LEAST: u64, const MOST: u64>(Duration);

impl<const LEAST: u64, const MOST: u64> TryFrom<u64> for Seconds<LEAST, MOST> {
    type Error = String;

    fn try_from(seconds: u64) -> Result<Self, String> {
        if (LEAST..=MOST).contains(&seconds) {
            Ok(Self(Duration::from_secs(seconds)))
        } else {
            Err(format!("expected {LEAST} to {MOST} seconds"))
        }
    }
}

/// One open stream: its reader, its place, and its end.
struct Reader {
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    believed: Instant,
    types: Types,
    position: Position,
    listening: Listening,
    /// Whether it has caught up once: a reader that falls behind after that is cut off.
    caught_up: bool,
    until: Instant,
    heartbeat: Duration,
    closing: watch::Receiver<bool>,
    seat: Streaming,
}

/// Streams events as they happen.
///
/// 事件流（SSE）：实时推送辖区内的事件；断线后带上 `Last-Event-ID` 重连即可续传，不重不漏；同一个人的连接过多时最早的一条结束；每 15 秒（`heartbeat`）一次心跳；读得太慢的连接会被断开，重连即续传。
#[utoipa::path(
    tag = "events",
    params(StreamEvents, ("Last-Event-ID" = Option<String>, Header, description = "The `id` of the last event received. 上次收到的事件 id。")),
    responses((status = 200, content_type = "text/event-stream", body = String))
)]
#[get("/events/stream")]
async fn get_event_stream(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    params: Query<StreamEvents>,
) -> Reply<HttpResponse> {
    let StreamEvents { cursor, types, seconds, heartbeat } = params.0;
    let lifetime = seconds.map_or(LIFETIME, |given| given.0);
    let heartbeat = heartbeat.map_or(HEARTBEAT, |given| given.0);
    let tenant = caller.tenant;
    let last = request.headers().get("last-event-id").map(|value| value.to_str());
    let last = last.map(|text| text.map_err(|_opaque| Problem::new(Code::CursorOutdated)));
    // Listening begins before the end is read: no event falls between.
    let listening = app.memory.get_or_default::<Tails>().listen_to(&app, tenant).await?;
    let position = match last.transpose()?.map(str::to_owned).or(cursor) {
        Some(text) => Position::read(&app, tenant, &text).await?,
        None => Position::load_end(&app, tenant).await?,
    };
    let seat = app.rationed.begin_streaming(&caller, app.clock.now());
    let now = Instant::now();
    let reader = Reader {
        seat,
        closing: app.closing.subscribe(),
        types: types.unwrap_or_default(),
        caught_up: false,
        believed: now,
        until: now + lifetime,
        heartbeat,
        app,
        request,
        caller,
        position,
        listening,
    };
    let hello = Bytes::from_static(b"retry: 2000\n\n");
    let body = stream::unfold((reader, Some(hello)), |(mut reader, hello)| async move {
        let text = match hello {
            Some(hello) => hello,
            None => reader.next_chunk().await?,
        };
        Some((Ok::<_, actix_web::Error>(text), (reader, None)))
    });
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-store"))
        // Reverse proxies would buffer it.
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(Box::pin(body)))
}

impl Reader {
    /// The next chunk; none when the stream ends.
    async fn next_chunk(&mut self) -> Option<Bytes> {
        loop {
            if *self.closing.borrow() || self.seat.is_over() {
                return None;
            }
            match self.listening.read_after(self.position, BATCH) {
                Behind::Nothing => {
                    self.caught_up = true;
                    if self.until <= Instant::now() {
                        return None;
                    }
                    if !self.wait_for_news().await {
                        self.refresh_caller().await?;
                        return Some(Bytes::from_static(b": \n\n"));
                    }
                }
                Behind::Events(events, until) => {
                    let text = self.render_events(&events).await?;
                    self.position = until;
                    if let Some(text) = text {
                        return Some(text);
                    }
                }
                Behind::TooMuch if self.caught_up => return None,
                Behind::TooMuch => {
                    let (tenant, place) = (self.caller.tenant, self.position.last_whole_entry());
                    let stretch = load_after(&self.app, tenant, place, WINDOW).await.ok()?;
                    let from = self.position;
                    let new = stretch.events.iter().filter(|event| from.is_before(event));
                    let new: Vec<_> = new.cloned().collect();
                    let text = self.render_events(&new).await?;
                    self.position = self.position.max(Position::after_entry(stretch.until?));
                    if let Some(text) = text {
                        return Some(text);
                    }
                }
            }
        }
    }

    /// Waits for news; false when there was none for so long that a heartbeat is due.
    async fn wait_for_news(&mut self) -> bool {
        tokio::select! {
            () = self.listening.wait_for_news() => true,
            _ = self.closing.changed() => true,
            () = self.seat.wait_until_over() => true,
            () = tokio::time::sleep(self.heartbeat.min(self.until - Instant::now())) => false,
        }
    }

    /// Reads the rights of the reader again, when that is due; none when the reader may not
    /// continue.
    async fn refresh_caller(&mut self) -> Option<()> {
        if self.believed.elapsed() > BELIEVED {
            let caller = Caller::from_request(&self.request, &mut Payload::None);
            self.caller = caller.await.ok()?;
            self.believed = Instant::now();
        }
        Some(())
    }

    /// The text of those events that the reader may see; none when the reader may not continue.
    async fn render_events(&mut self, events: &[std::sync::Arc<Event>]) -> Option<Option<Bytes>> {
        let wanted: Vec<_> =
            events.iter().filter(|event| self.types.includes(event.kind)).collect();
        if wanted.is_empty() {
            return Some(None);
        }
        self.refresh_caller().await?;
        let now = self.app.clock.now();
        let mut text = String::new();
        for event in wanted {
            let Some(json) = event.render_json(&self.caller, now) else { continue };
            let tenant = self.caller.tenant;
            let id =
                Position::after_event(event).seal_with_hash(&self.app, tenant, event.hash).ok()?;
            let kind = event.kind.name();
            // Writing to a String cannot fail.
            let _ = write!(text, "id: {id}\nevent: {kind}\ndata: {json}\n\n");
        }
        Some((!text.is_empty()).then(|| Bytes::from(text)))
    }
}
