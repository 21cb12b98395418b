//! Receiving files: streamed to a temporary file, counted, hashed and inspected as they come, so
//! that an upload takes no more memory than one piece of it. The temporary file lies on the volume
//! of the files that are kept ([`crate::app::object_storage`]), and how much of it one person
//! takes, and for how long, is bounded ([`Way`]).

use std::{cell::Cell, time::Duration};

use actix_multipart::{Field, Multipart};
use actix_web::{
    HttpMessage, HttpRequest,
    http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue},
    web::{Bytes, Payload},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, FixedOffset};
use domain::{
    flows::media::{Format, Kind, Unfit, sniff_format},
    people::actor::Actor,
};
use futures_util::{Stream, StreamExt};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::{
    fs::File,
    io::AsyncWriteExt,
    time::{Instant, timeout_at},
};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    app::{
        caller::Caller,
        ration::{Good, Sending},
        state::App,
    },
    http::{
        body::own_id,
        problem::{Code, Problem, Reply},
        wording::{Noun, translate_message},
    },
};

/// How long the next piece may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many of the first bytes determine what a file is.
const HEAD: usize = 64;

/// The details of a file beside its bytes: in the query where the body is the file, as fields of
/// the form where it is a form.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Said {
    /// The identity it will have; when left out, the `Idempotency-Key`. 文件编号。
    #[serde(default, deserialize_with = "own_id")]
    pub(super) id: Option<Uuid>,
    /// The case it is for: where the standard of its category demands evidence, the bytes are kept
    /// as they were sent. 所属案卷。
    pub(super) case_id: Option<Uuid>,
    /// When it was taken, by the phone's clock; the camera's own data takes precedence. 拍摄时间。
    #[serde(default, deserialize_with = "crate::http::body::time::read_optional_moment")]
    pub(super) taken_at: Option<DateTime<FixedOffset>>,
    /// The SHA-256 of the file, in hexadecimal. 校验值。
    #[param(max_length = 64)]
    pub(super) sha256: Option<String>,
}

/// The form `wx.uploadFile` sends.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form for the document")]
pub(super) struct UploadForm {
    /// The file; the name of the field is free. 文件。
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// The identity it will have; when left out, the `Idempotency-Key`. 文件编号。
    id: Option<Uuid>,
    /// The case it is for. 所属案卷。
    case_id: Option<Uuid>,
    /// When it was taken, by the phone's clock. 拍摄时间。
    taken_at: Option<DateTime<FixedOffset>>,
    /// The SHA-256 of the file, in hexadecimal. 校验值。
    sha256: Option<String>,
}

/// A file that has arrived.
pub(super) struct Received {
    /// Its bytes, in an unnamed temporary file that nothing else can open.
    pub(super) file: std::fs::File,
    /// How many bytes the file has.
    pub(super) bytes: u64,
    /// The SHA-256 of them, in hexadecimal.
    pub(super) sha256: String,
    /// What it is.
    pub(super) format: Format,
}

/// The problem of a file that is refused.
pub(super) fn unfit_problem(why: Unfit) -> Problem {
    const ACCEPTED: [&str; 11] =
        ["jpeg", "png", "webp", "gif", "mp4", "mov", "mp3", "m4a", "amr", "aac", "wav"];
    let (zh, en) = match why {
        Unfit::Empty => {
            ("文件是空的；请重新选择文件。", "The file is empty; choose the file again.")
        }
        Unfit::Heic => (
            "这是 HEIC 照片，服务器不能处理；请在 iPhone 的“设置-相机-格式”中选择“兼容性最佳”，或转换为 JPEG 后上传。",
            "This is a HEIC photo, which the server cannot process; choose Most Compatible in \
             Settings, Camera, Formats of the iPhone, or convert it to JPEG before uploading.",
        ),
        Unfit::Avif => (
            "这是 AVIF 图片，服务器不能处理；请转换为 JPEG、PNG 或 WebP 后上传。",
            "This is an AVIF picture, which the server cannot process; convert it to JPEG, PNG or \
             WebP before uploading.",
        ),
        Unfit::Unknown => (
            "不支持这种文件；照片请用 JPEG、PNG 或 WebP，视频用 MP4，录音用 MP3 或 M4A。",
            "This kind of file is not supported; use JPEG, PNG or WebP for photos, MP4 for \
             videos, MP3 or M4A for sound.",
        ),
        Unfit::Truncated => (
            "文件不完整，可能没有传完；请用同一个编号重新上传。",
            "The file is incomplete, perhaps the upload was cut off; upload it again with the \
             same id.",
        ),
        Unfit::Broken => (
            "文件已损坏，不能打开；请重新拍摄或选择另一个文件。",
            "The file is damaged and cannot be opened; take the photo again or choose another \
             file.",
        ),
        Unfit::TooManyPixels => (
            "照片超过 5000 万像素；请缩小后上传。",
            "The photo has more than 50 million pixels; reduce its size before uploading.",
        ),
        Unfit::TooMuchWork => (
            "照片的编码过于复杂，处理时间过长；请另存为普通的 JPEG 后上传。",
            "The photo is encoded in a way that takes too long to process; save it as an ordinary \
             JPEG before uploading.",
        ),
        Unfit::TooLarge => (
            "文件太大：照片不超过 20 MB，录音 50 MB，视频 200 MB；超过 20 MB 的请分段上传。",
            "The file is too large: at most 20 MB for photos, 50 MB for sound, 200 MB for videos; \
             upload more than 20 MB in pieces.",
        ),
    };
    Problem::new(Code::MediaUnacceptable)
        .detail(zh, en)
        .with("reason", why.name())
        .with("reason_label", why.label())
        .with("accepted", ACCEPTED)
}

/// The transfer of one file, or of a piece of one: it takes a seat, draws on the sender's buckets,
/// and ends after a fixed time.
pub(super) struct Way<'a> {
    app: &'a App,
    by: &'a Actor,
    until: Instant,
    /// Bytes that were taken from the bucket.
    taken: Cell<u64>,
    /// Bytes that arrived.
    came: Cell<u64>,
    _seat: Sending,
}

impl<'a> Way<'a> {
    /// Opens the transfer; the length that the request states is taken from the bucket at once, so
    /// that no client sends a file in vain.
    pub(super) fn open(
        app: &'a App,
        caller: &'a Caller,
        request: &HttpRequest,
        most: u64,
    ) -> Reply<Self> {
        let now = app.clock.now();
        let seat = app.rationed.begin_sending(caller, now)?;
        let allowance = app.rationed.take_one(caller, Good::Uploads, now)?;
        request.extensions_mut().insert(allowance);
        let length = request.headers().get(CONTENT_LENGTH);
        let length = length.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        let length = length.unwrap_or(0).min(most);
        app.rationed.take_parts(caller, Good::Megabytes, to_kilobytes(length), now)?;
        let patience = Duration::from_secs(app.settings.limits.upload_seconds.into());
        Ok(Self {
            app,
            by: caller,
            until: Instant::now() + patience,
            taken: Cell::new(length),
            came: Cell::new(0),
            _seat: seat,
        })
    }

    /// The next item of a stream: within the patience, and before the time is over.
    async fn next_item<S: Stream + Unpin>(&self, from: &mut S) -> Reply<Option<S::Item>> {
        let until = self.until.min(Instant::now() + PATIENCE);
        timeout_at(until, from.next()).await.map_err(|_late| Problem::new(Code::Timeout))
    }

    /// Counts bytes that arrived, and waits until more may.
    async fn count_bytes(&self, bytes: u64) -> Reply<()> {
        const STEP: u64 = 1_000_000;
        self.came.set(self.came.get() + bytes);
        while self.came.get() > self.taken.get() {
            let now = self.app.clock.now();
            self.app.rationed.take_parts(self.by, Good::Megabytes, to_kilobytes(STEP), now)?;
            self.taken.set(self.taken.get() + STEP);
        }
        self.app.rationed.pace_upload(self.by, bytes).await;
        Ok(())
    }
}

impl Drop for Way<'_> {
    /// The share of bytes that did not arrive is given back: a client that is cut off tries again.
    fn drop(&mut self) {
        let left = self.taken.get().saturating_sub(self.came.get());
        let now = self.app.clock.now();
        self.app.rationed.give_back(self.by, Good::Megabytes, to_kilobytes(left), now);
    }
}

fn to_kilobytes(bytes: u64) -> i64 {
    i64::try_from(bytes / 1000).unwrap_or(i64::MAX)
}

/// The sink for the bytes of one file.
pub(super) struct Sink {
    file: File,
    hash: Sha256,
    bytes: u64,
    most: u64,
    head: Vec<u8>,
    /// Whether it is a whole file, whose format is checked.
    whole: bool,
}

impl Sink {
    /// An empty sink that takes at most this many bytes.
    pub(super) async fn new(app: &App, most: u64) -> Reply<Self> {
        let file = File::from_std(app.object_storage.create_temp_file().await?);
        Ok(Self {
            file,
            hash: Sha256::new(),
            bytes: 0,
            most,
            head: Vec::with_capacity(HEAD),
            whole: true,
        })
    }

    /// An empty sink for a piece of a file, which may hold anything.
    pub(super) async fn new_piece(app: &App, most: u64) -> Reply<Self> {
        let sink = Self::new(app, most).await?;
        Ok(Self { whole: false, ..sink })
    }

    /// Takes the next bytes; a file that cannot be accepted is refused as soon as that is known.
    pub(super) async fn take_piece(&mut self, piece: &[u8]) -> Reply<()> {
        self.bytes += u64::try_from(piece.len()).unwrap_or(u64::MAX);
        if self.head.len() < HEAD {
            let missing = HEAD - self.head.len();
            self.head.extend(piece.iter().take(missing));
            if self.head.len() == HEAD && self.whole {
                let kind = sniff_format(&self.head).map_err(unfit_problem)?.kind();
                self.most = self.most.min(kind.most_bytes());
            }
        }
        if self.bytes > self.most {
            return Err(too_large(self.most));
        }
        self.hash.update(piece);
        self.file.write_all(piece).await.map_err(storage_problem)
    }

    /// The finished piece: its bytes, and how many.
    pub(super) async fn finish_piece(mut self) -> Reply<(std::fs::File, u64)> {
        use std::io::Seek;
        self.file.flush().await.map_err(storage_problem)?;
        let mut file = self.file.into_std().await;
        file.rewind().map_err(storage_problem)?;
        Ok((file, self.bytes))
    }

    /// The finished file.
    pub(super) async fn finish(mut self) -> Reply<Received> {
        let format = sniff_format(&self.head).map_err(unfit_problem)?;
        self.file.flush().await.map_err(storage_problem)?;
        let digest = domain::core::journal::Hash(self.hash.finalize().into());
        let file = self.file.into_std().await;
        Ok(Received { file, bytes: self.bytes, sha256: digest.to_hex(), format })
    }
}

/// The problem of a disk without room for it.
fn storage_problem(error: std::io::Error) -> Problem {
    Problem::new(Code::StorageUnavailable).because(error)
}

pub(super) fn too_large(most: u64) -> Problem {
    Problem::new(Code::PayloadTooLarge)
        .detail(
            format!("文件超过 {most} 字节；照片不超过 20 MB，更大的录音和视频请分段上传（POST /media_uploads）。"),
            format!(
                "The file exceeds {most} bytes; a photo has at most 20 MB, larger sounds and \
                 videos are uploaded in pieces (POST /media_uploads)."
            ),
        )
        .with("max_bytes", most)
}

/// Receives a request that is a file, or a form with one.
pub(super) async fn receive_file(
    way: &Way<'_>,
    request: &HttpRequest,
    payload: Payload,
    mut said: Said,
) -> Reply<(Received, Said)> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let form = kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("multipart/"));
    if form {
        let form = Multipart::new(&loosen_form_type(request.headers()), payload);
        let received = read_form(way, form, &mut said).await?;
        return Ok((received, said));
    }
    let mut sink = Sink::new(way.app, Kind::AT_ONCE).await?;
    pour_into(way, payload, &mut sink, |error| Problem::new(Code::BadRequest).because(error))
        .await?;
    let received = sink.finish().await?;
    check_digest(&received, parse_digest(request.headers())?.as_deref())?;
    Ok((received, said))
}

/// Moves arriving bytes into a sink.
pub(super) async fn pour_into<E>(
    way: &Way<'_>,
    mut from: impl Stream<Item = Result<Bytes, E>> + Unpin,
    sink: &mut Sink,
    broken: impl Fn(E) -> Problem,
) -> Reply<()> {
    while let Some(piece) = way.next_item(&mut from).await? {
        let piece = piece.map_err(&broken)?;
        way.count_bytes(u64::try_from(piece.len()).unwrap_or(u64::MAX)).await?;
        sink.take_piece(&piece).await?;
    }
    Ok(())
}

/// Refuses a file that does not match its digest.
pub(super) fn check_digest(received: &Received, sha256: Option<&str>) -> Reply<()> {
    match sha256 {
        Some(given) if !given.eq_ignore_ascii_case(&received.sha256) => {
            Err(Problem::new(Code::ChecksumMismatch).with("received", &received.sha256))
        }
        Some(_) | None => Ok(()),
    }
}

fn no_form(error: impl std::fmt::Display) -> Problem {
    Problem::new(Code::InvalidBody).because(error).error(
        "",
        "syntax",
        "正文不是完整的 multipart/form-data 表单。",
        "The body is not a complete multipart/form-data form.",
    )
}

/// The headers of a form, with a type under which its parts may have heads that are not in UTF-8:
/// of a form the reader demands to understand the name of the file, which nothing here needs.
fn loosen_form_type(headers: &HeaderMap) -> HeaderMap {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let boundary = kind.split_once(';').map_or("", |(_, rest)| rest);
    let mut loose = HeaderMap::new();
    if let Ok(kind) = HeaderValue::from_str(&format!("multipart/mixed;{boundary}")) {
        loose.insert(CONTENT_TYPE, kind);
    }
    loose
}

/// What the head of a part of a form says.
struct PartHead {
    /// The name of the field.
    name: String,
    /// Whether it has the name of a file, in whatever form and encoding.
    file: bool,
}

impl PartHead {
    /// Reads `form-data; name="file"; filename="…"`. The name of the file is not looked at: phones
    /// write it in GBK, by RFC 5987 or as they like.
    fn read(headers: &HeaderMap) -> Reply<Self> {
        let raw = headers.get(CONTENT_DISPOSITION).map(HeaderValue::as_bytes).unwrap_or_default();
        let text = String::from_utf8_lossy(raw);
        let mut parameters = text.split(';').map(str::trim);
        if !parameters.next().is_some_and(|kind| kind.eq_ignore_ascii_case("form-data")) {
            return Err(no_form("a part that is no form-data"));
        }
        let (mut name, mut file) = (None, false);
        for (key, value) in parameters.filter_map(|parameter| parameter.split_once('=')) {
            let key = key.trim().to_ascii_lowercase();
            match key.as_str() {
                "name" if name.is_none() => name = Some(value.trim().trim_matches('"').to_owned()),
                "filename" | "filename*" => file = true,
                _ => {}
            }
        }
        let name = name.ok_or_else(|| no_form("a part without a name"))?;
        Ok(Self { name, file })
    }
}

async fn read_form(way: &Way<'_>, mut form: Multipart, said: &mut Said) -> Reply<Received> {
    /// The most fields of a form.
    const FIELDS: usize = 8;
    let mut received = None;
    for _ in 0..=FIELDS {
        let Some(field) = way.next_item(&mut form).await? else { break };
        let mut field = field.map_err(no_form)?;
        let PartHead { name, file } = PartHead::read(field.headers())?;
        if !file {
            said.set_field(&name, &read_short_text(way, &name, &mut field).await?)?;
            continue;
        }
        if received.is_some() {
            let (zh, en) = ("每次只能上传一个文件。", "Expected one file for each request.");
            return Err(Problem::new(Code::InvalidBody).error(
                field_pointer(&name),
                "second_file",
                zh,
                en,
            ));
        }
        let mut sink = Sink::new(way.app, Kind::AT_ONCE).await?;
        pour_into(way, &mut field, &mut sink, no_form).await?;
        received = Some(sink.finish().await?);
    }
    let received = received.ok_or_else(|| {
        let (zh, en) = ("表单里没有文件；请附上一个文件。", "The form has no file; add one.");
        Problem::new(Code::InvalidBody).error("/file", "missing_field", zh, en)
    })?;
    Ok(received)
}

/// The JSON pointer of a field; its name is the caller's text.
fn field_pointer(name: &str) -> String {
    let name: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// The text of a field.
async fn read_short_text(way: &Way<'_>, name: &str, field: &mut Field) -> Reply<String> {
    const MOST: usize = 200;
    let mut text = Vec::new();
    while let Some(piece) = way.next_item(field).await? {
        text.extend_from_slice(&piece.map_err(no_form)?);
        if text.len() > MOST {
            let name = field_pointer(name);
            let (zh, en) = ("最多 200 个字节。", "Expected at most 200 bytes.");
            return Err(Problem::new(Code::InvalidBody).error(name, "too_long", zh, en));
        }
    }
    String::from_utf8(text).map_err(|_not_text| {
        let name = field_pointer(name);
        Problem::new(Code::InvalidBody).error(
            name,
            "not_utf8",
            "应为 UTF-8 文本。",
            "Expected UTF-8 text.",
        )
    })
}

impl Said {
    /// Takes one field of a form.
    fn set_field(&mut self, name: &str, text: &str) -> Reply<()> {
        let wrong = |code: &'static str, zh: &'static str, en: &'static str| {
            Problem::new(Code::InvalidBody).error(field_pointer(name), code, zh, en)
        };
        let text = text.trim();
        let id = || {
            let wrong = |_| wrong("wrong_type", "应为 UUID。", "Expected a UUID.");
            Uuid::try_parse(text).map(Some).map_err(wrong)
        };
        match name {
            "id" => self.id = check_client_id(text, id()?)?,
            "case_id" => self.case_id = id()?,
            "sha256" => self.sha256 = Some(text.to_owned()),
            "taken_at" => {
                let time = DateTime::parse_from_rfc3339(text).map_err(|_no_time| {
                    wrong("wrong_type", "应为带时区的时间。", "Expected a time with an offset.")
                })?;
                self.taken_at = Some(time);
            }
            _ => {
                return Err(wrong(
                    "unknown_field",
                    "未知字段；可用的有：id、case_id、taken_at、sha256。",
                    "Unknown field; available: id, case_id, taken_at, sha256.",
                ));
            }
        }
        Ok(())
    }
}

/// The identity a form gives, if a client may make it.
fn check_client_id(text: &str, id: Option<Uuid>) -> Reply<Option<Uuid>> {
    own_id(serde_json::Value::from(text)).map(|_own| id).map_err(|error| {
        let wording = translate_message(&error.to_string(), Noun::Field);
        Problem::new(Code::InvalidBody).error("/id", wording.code, wording.zh, wording.en)
    })
}

/// The SHA-256 that `Content-Digest` or `Repr-Digest` (RFC 9530) gives, in hexadecimal.
pub(super) fn parse_digest(headers: &HeaderMap) -> Reply<Option<String>> {
    for name in ["Content-Digest", "Repr-Digest"] {
        let Some(value) = headers.get(name) else { continue };
        let text = value.to_str().unwrap_or_default();
        let sha = text.split(',').find_map(|one| one.trim().strip_prefix("sha-256="));
        // Other algorithms may stand there; they are ignored.
        let Some(sha) = sha else { continue };
        let bytes = sha.strip_prefix(':').and_then(|sha| sha.strip_suffix(':'));
        let bytes = bytes.and_then(|sha| BASE64_STANDARD.decode(sha).ok());
        let hash = bytes.and_then(|bytes| domain::core::journal::Hash::from_bytes(&bytes));
        let hash = hash.ok_or_else(|| {
            let (zh, en) = (
                "应为 sha-256=:BASE64:，即 32 字节摘要的 base64。",
                "Expected sha-256=:BASE64:, the digest of 32 bytes in base64.",
            );
            Problem::new(Code::InvalidHeader).in_header(name, "invalid_digest", zh, en)
        })?;
        return Ok(Some(hash.to_hex()));
    }
    Ok(None)
}
