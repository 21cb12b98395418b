//! One resident who does everything the API lets a resident do, as fast as possible, on several
//! connections at once: reports, queues, files of every kind, files that drip, streams, copies,
//! searches, wrong logins, made-up tokens, packed nothing. It ends by itself: by the time, and by
//! the number of requests of each kind.

use std::{
    io::{Cursor, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use api::app::clock::new_id;
use flate2::{Compression, write::GzEncoder};
use image::{DynamicImage, GrayImage, ImageFormat, RgbImage};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{Chance, Done};

/// An attacker with a login of a resident, and where the server is.
#[derive(Clone, Debug)]
pub struct Attacker {
    /// The server; this machine, or nothing is sent.
    pub address: SocketAddr,
    /// The access token.
    pub token: String,
    /// The tenant, for logins.
    pub tenant: String,
    /// An account whose password is guessed.
    pub guessed: String,
    /// A place to report.
    pub place: Value,
}

/// The results of the attack.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Haul {
    /// Requests that were accepted.
    pub taken: u64,
    /// Requests that were put off (429).
    pub put_off: u64,
    /// Requests that were refused otherwise.
    pub refused: u64,
    /// Requests that broke the server (5xx, except 503).
    pub broken: u64,
    /// Requests the server was too busy for (503), or did not answer.
    pub unanswered: u64,
    /// Streams that were open at the same moment, at most.
    pub streams: u64,
}

/// The most requests of one kind.
const MOST: u64 = 100_000;

/// Files that drip at the same moment, and streams that are opened.
const DRIPS: usize = 40;
const STREAMS: usize = 200;

/// The bytes of a large file.
const LARGE: usize = 19 * 1024 * 1024;

#[derive(Default)]
struct Counts {
    taken: AtomicU64,
    put_off: AtomicU64,
    refused: AtomicU64,
    broken: AtomicU64,
    unanswered: AtomicU64,
    streams: AtomicU64,
}

impl Counts {
    fn count_answer(&self, status: Option<u16>) {
        let of = match status {
            Some(200..=399) => &self.taken,
            Some(429) => &self.put_off,
            Some(503) | None => &self.unanswered,
            Some(400..=499) => &self.refused,
            Some(_) => &self.broken,
        };
        of.fetch_add(1, Ordering::Relaxed);
    }

    fn sum_haul(&self) -> Haul {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Haul {
            taken: of(&self.taken),
            put_off: of(&self.put_off),
            refused: of(&self.refused),
            broken: of(&self.broken),
            unanswered: of(&self.unanswered),
            streams: of(&self.streams),
        }
    }
}

/// The files that are sent again and again.
pub struct Files {
    /// A small photo.
    photo: Vec<u8>,
    /// A small file that unpacks to a large photo.
    slow: Vec<u8>,
    /// A large one that looks like a video.
    video: Vec<u8>,
    /// Empty gzip members, in large numbers.
    members: Vec<u8>,
}

impl Files {
    /// Makes them, which takes some time.
    pub fn make() -> Done<Self> {
        let packed = |picture: DynamicImage, format| {
            let mut bytes = Cursor::new(Vec::new());
            let written = picture.write_to(&mut bytes, format);
            written.map_err(|error| error.to_string())?;
            Done::Ok(bytes.into_inner())
        };
        let mut video = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom".to_vec();
        video.resize(LARGE, 7);
        let nothing = GzEncoder::new(Vec::new(), Compression::fast()).finish();
        Ok(Self {
            photo: packed(DynamicImage::ImageRgb8(RgbImage::new(320, 240)), ImageFormat::Jpeg)?,
            slow: packed(DynamicImage::ImageLuma8(GrayImage::new(4800, 4800)), ImageFormat::Png)?,
            video,
            members: nothing.map_err(|error| error.to_string())?.repeat(20_000),
        })
    }
}

/// A connection, reopened when it broke.
struct Wire<'a> {
    by: &'a Attacker,
    counts: &'a Counts,
    until: Instant,
    left: u64,
    stream: Option<TcpStream>,
}

impl<'a> Wire<'a> {
    fn new(by: &'a Attacker, counts: &'a Counts, until: Instant) -> Self {
        Self { by, counts, until, left: MOST, stream: None }
    }

    /// Whether to go on; counts a request.
    fn goes_on(&mut self) -> bool {
        self.left = self.left.saturating_sub(1);
        self.left > 0 && Instant::now() < self.until
    }

    fn open_stream(&self) -> Option<TcpStream> {
        let stream = TcpStream::connect_timeout(&self.by.address, Duration::from_secs(2)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
        stream.set_write_timeout(Some(Duration::from_secs(5))).ok()?;
        Some(stream)
    }

    fn request_head(&self, method: &str, path: &str, more: &str, length: usize) -> String {
        let (token, key) = (&self.by.token, new_id());
        format!(
            "{method} {path} HTTP/1.1\r\nHost: attacked\r\nAuthorization: Bearer {token}\r\n\
             Idempotency-Key: {key}\r\nContent-Length: {length}\r\n{more}\r\n"
        )
    }

    /// Sends a request; answers the status and the body, if there was an answer.
    fn send_request(
        &mut self,
        method: &str,
        path: &str,
        more: &str,
        body: &[u8],
    ) -> Option<(u16, Value)> {
        let head = self.request_head(method, path, more, body.len());
        let stream = self.stream.take().or_else(|| self.open_stream());
        let answer = stream.and_then(|mut stream| {
            // A server that does not read the whole body may have answered all the same.
            let sent = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
            let (status, text, whole) = read_answer(&mut stream)?;
            if sent.is_ok() && whole {
                self.stream = Some(stream);
            }
            Some((status, serde_json::from_slice(&text).unwrap_or_default()))
        });
        self.counts.count_answer(answer.as_ref().map(|(status, _)| *status));
        answer
    }

    fn post_json(&mut self, path: &str, body: &Value) -> Option<(u16, Value)> {
        let more = "Content-Type: application/json\r\n";
        self.send_request("POST", path, more, body.to_string().as_bytes())
    }

    fn send_media(&mut self, bytes: &[u8]) -> Option<(u16, Value)> {
        let path = format!("/api/v1/media?id={}", new_id());
        self.send_request("POST", &path, "Content-Type: image/jpeg\r\n", bytes)
    }
}

/// The status of an answer, its body, and whether all of it was read.
fn read_answer(stream: &mut TcpStream) -> Option<(u16, Vec<u8>, bool)> {
    const MOST_BYTES: usize = 4 * 1024 * 1024;
    let (mut seen, mut buffer) = (Vec::new(), vec![0; 16 * 1024]);
    let mut more = |seen: &mut Vec<u8>| {
        let read = stream.read(&mut buffer).ok().filter(|read| *read > 0)?;
        seen.extend_from_slice(buffer.get(..read)?);
        (seen.len() < MOST_BYTES).then_some(())
    };
    let end = loop {
        if let Some(end) = seen.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        more(&mut seen)?;
    };
    let head = String::from_utf8_lossy(seen.get(..end)?).to_ascii_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let Some(length) = length.and_then(|length| length.trim().parse::<usize>().ok()) else {
        return Some((status, Vec::new(), false));
    };
    while seen.len() < end + length {
        if more(&mut seen).is_none() {
            return Some((status, Vec::new(), false));
        }
    }
    let kept = !head.contains("connection: close");
    Some((status, seen.get(end..)?.to_vec(), kept))
}

/// Does all of it for some time, with prepared files; on this machine only.
pub fn attack(attacker: &Attacker, files: &Files, time: Duration) -> Done<Haul> {
    if !attacker.address.ip().is_loopback() {
        return Err("nothing is sent to another machine".to_owned());
    }
    let counts = Counts::default();
    let until = Instant::now() + time;
    let kinds: [fn(Wire<'_>, &Files); 12] = [
        send_reports,
        send_queues,
        send_photos,
        send_slow_photos,
        send_videos,
        send_pieces,
        drip_files,
        open_streams,
        fetch_copies,
        run_searches,
        guess_passwords,
        send_gzip_members,
    ];
    thread::scope(|scope| {
        let counts = &counts;
        let running =
            kinds.map(|kind| scope.spawn(move || kind(Wire::new(attacker, counts, until), files)));
        for one in running {
            one.join().map_err(|_panic| "the attacker broke".to_owned())?;
        }
        Ok(counts.sum_haul())
    })
}

fn send_reports(mut wire: Wire<'_>, _: &Files) {
    while wire.goes_on() {
        let body = json!({ "text": "又来了", "place": wire.by.place });
        wire.post_json("/api/v1/reports", &body);
    }
}

fn send_queues(mut wire: Wire<'_>, _: &Files) {
    while wire.goes_on() {
        let item = |_| {
            let body = json!({ "text": "又来了", "place": wire.by.place });
            json!({ "id": new_id(), "operation": "submit_report", "body": body })
        };
        let items: Vec<Value> = (0..200).map(item).collect();
        wire.post_json("/api/v1/sync", &json!({ "items": items }));
    }
}

fn send_photos(mut wire: Wire<'_>, files: &Files) {
    while wire.goes_on() {
        let own = [files.photo.as_slice(), new_id().as_bytes()].concat();
        wire.send_media(&own);
    }
}

fn send_slow_photos(Wire { by, counts, until, .. }: Wire<'_>, files: &Files) {
    // Several at once: one alone would only keep itself waiting.
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(move || {
                let mut wire = Wire::new(by, counts, until);
                while wire.goes_on() {
                    wire.send_media(&files.slow);
                }
            });
        }
    });
}

fn send_videos(mut wire: Wire<'_>, files: &Files) {
    while wire.goes_on() {
        wire.send_media(&files.video);
    }
}

/// The largest file there may be, again and again, in pieces of which only some come.
fn send_pieces(mut wire: Wire<'_>, files: &Files) {
    let piece = files.video.get(..8 * 1024 * 1024).unwrap_or_default();
    while wire.goes_on() {
        let begun = wire.post_json("/api/v1/media_uploads", &json!({ "bytes": 209_715_200 }));
        let id = begun.and_then(|(_, body)| body.get("id")?.as_str().map(str::to_owned));
        let Some(id) = id else { continue };
        for number in 0..3 {
            let more = format!("Upload-Offset: {}\r\n", number * 8 * 1024 * 1024);
            wire.send_request("POST", &format!("/api/v1/media_uploads/{id}/append"), &more, piece);
        }
    }
}

/// Files of which nearly all comes at once, and the rest a byte at a time.
fn drip_files(mut wire: Wire<'_>, files: &Files) {
    let mut open = Vec::new();
    let most = files.video.get(..LARGE - 4096).unwrap_or_default();
    let rest = files.video.get(LARGE - 4096..).unwrap_or_default();
    while wire.goes_on() {
        if open.len() < DRIPS
            && let Some(mut stream) = wire.open_stream()
        {
            let path = format!("/api/v1/media?id={}", new_id());
            let head = wire.request_head("POST", &path, "", LARGE);
            let sent = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(most));
            match sent {
                Ok(()) => open.push((stream, rest.chunks(1))),
                Err(_) => {
                    wire.counts.count_answer(read_answer(&mut stream).map(|(status, ..)| status));
                }
            }
        }
        open.retain_mut(|(stream, drops)| {
            drops.next().is_some_and(|drop| stream.write_all(drop).is_ok())
        });
        thread::sleep(Duration::from_millis(20));
    }
}

/// Streams that are opened and kept.
fn open_streams(mut wire: Wire<'_>, _: &Files) {
    let mut open: Vec<TcpStream> = Vec::new();
    let mut opened = 0;
    while wire.goes_on() {
        if opened < STREAMS
            && let Some(mut stream) = wire.open_stream()
        {
            opened += 1;
            let head = wire.request_head("GET", "/api/v1/events/stream?heartbeat=1", "", 0);
            let answered =
                stream.write_all(head.as_bytes()).ok().and_then(|()| read_answer(&mut stream));
            wire.counts.count_answer(answered.as_ref().map(|(status, ..)| *status));
            if answered.is_some_and(|(status, ..)| status == 200) {
                open.push(stream);
            }
        }
        open.retain_mut(is_open);
        let now = u64::try_from(open.len()).unwrap_or_default();
        wire.counts.streams.fetch_max(now, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(20));
    }
}

/// Whether a stream goes on; reads what came.
fn is_open(stream: &mut TcpStream) -> bool {
    let mut buffer = [0; 4096];
    if stream.set_nonblocking(true).is_err() {
        return false;
    }
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return false,
            Ok(read) if buffer.get(..read).is_some_and(|seen| seen.ends_with(b"0\r\n\r\n")) => {
                return false;
            }
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::WouldBlock,
        }
    }
}

fn fetch_copies(mut wire: Wire<'_>, _: &Files) {
    while wire.goes_on() {
        wire.send_request("GET", "/api/v1/me/export?limit=100", "", b"");
    }
}

fn run_searches(mut wire: Wire<'_>, _: &Files) {
    const PATHS: [&str; 7] = [
        "/api/v1/reports?limit=100",
        "/api/v1/cases?limit=100",
        "/api/v1/sync?limit=100",
        "/api/v1/events?limit=100",
        "/api/v1/me/messages?limit=100",
        "/api/v1/areas?limit=100",
        "/api/v1/me",
    ];
    for path in PATHS.iter().cycle() {
        if !wire.goes_on() {
            return;
        }
        wire.send_request("GET", path, "", b"");
    }
}

/// Guesses at a password, and at a refresh token.
fn guess_passwords(mut wire: Wire<'_>, _: &Files) {
    let mut chance = Chance::new(1);
    while wire.goes_on() {
        let (tenant, account) = (wire.by.tenant.clone(), wire.by.guessed.clone());
        let guess = chance.next_id().to_string();
        let body = json!({ "tenant": tenant, "account": account, "password": guess });
        wire.post_json("/api/v1/auth/login", &body);
        let made_up = format!("{}{}", chance.next_id().simple(), chance.next_id().simple());
        let body = json!({ "tenant": wire.by.tenant, "refresh_token": made_up });
        wire.post_json("/api/v1/auth/refresh", &body);
    }
}

/// Points of a patrol that does not exist, as twenty thousand empty gzip members.
fn send_gzip_members(mut wire: Wire<'_>, files: &Files) {
    let path = format!("/api/v1/patrols/{}/points", Uuid::from_u128(7));
    let more = "Content-Type: application/json\r\nContent-Encoding: gzip\r\n";
    while wire.goes_on() {
        wire.send_request("POST", &path, more, &files.members);
    }
}
