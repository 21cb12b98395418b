//! Larger files in pieces: begun with their size, sent from the offset the server names, complete
//! with the last byte. A piece that was cut off is sent again from there.
//!
//! `wx.request` has no PATCH but shows every status, so this is the offset protocol of
//! resumable uploads with the methods phones have.

use actix_web::{
    HttpRequest, HttpResponse, get, http::header::HeaderMap, post, web::Data, web::Payload,
};
use chrono::{DateTime, FixedOffset, Utc};
use domain::{
    core::id::{CommandId, MediaId},
    flows::media::{Kind, Media, Unfit},
    rules::refusal::Refusal,
};
use futures_util::TryStreamExt;
use persistence::flows::{
    media::Unused,
    media_upload::{self as uploads, Part, Upload},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    keep::{self, IncomingFile},
    receive::{Received, Said, Sink, Way, pour_into, too_large, unfit_problem},
};
use crate::{
    access::auth,
    app::{caller::Caller, state::App},
    http::{
        body::Json,
        headers::Key,
        params::IdPath,
        problem::{Code, Problem, Reply},
        register::ServiceConfig,
    },
};

/// Registers the operations of this file.
pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(begin_media_upload).service(get_media_upload).service(append_media_upload);
}

/// The most uploads one person has under way.
const MOST_UNDER_WAY: i64 = 20;

/// The most bytes of one piece.
const PIECE: u64 = 8 * 1024 * 1024;

/// A file that will come in pieces.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BeginUploadBody {
    /// The identity the file will have; left out, the `Idempotency-Key` is it. 文件编号。
    #[serde(default, deserialize_with = "crate::http::body::own_id")]
    id: Option<Uuid>,
    /// How many bytes it has. 字节数。
    #[schema(minimum = 1, maximum = 209_715_200, example = 34_603_008)]
    bytes: u64,
    /// The SHA-256 of all of it, in hexadecimal. 校验值。
    #[schema(max_length = 64)]
    sha256: Option<String>,
    /// The case it is for. 所属案卷。
    case_id: Option<Uuid>,
    /// When it was taken, by the phone's clock. 拍摄时间。
    #[serde(default, deserialize_with = "crate::http::body::time::read_optional_moment")]
    taken_at: Option<DateTime<FixedOffset>>,
}

/// The progress of an upload.
#[derive(Serialize, ToSchema)]
pub(super) struct UploadView {
    /// The identity the file will have.
    id: Uuid,
    /// How many bytes it has.
    bytes: u64,
    /// How many bytes have arrived: the offset of the next piece. 已收到的字节数，即下一段的起点。
    offset: u64,
    /// The most bytes of one piece. 每段最多字节数。
    piece: u64,
    /// Whether it is complete and the file exists. 是否已完成。
    complete: bool,
    /// When it expires, if it is not complete by then. 逾期时间。
    expires_at: Option<DateTime<Utc>>,
}

/// Days after which an incomplete upload expires.
const DAYS: i64 = 1;

impl UploadView {
    fn from_upload(upload: &Upload) -> Self {
        let count = |number: i64| u64::try_from(number).unwrap_or_default();
        Self {
            id: upload.id.0,
            bytes: count(upload.bytes),
            offset: count(upload.received),
            piece: PIECE,
            complete: false,
            expires_at: Some(upload.begun_at + chrono::Duration::days(DAYS)),
        }
    }

    fn from_media(media: &Media) -> Self {
        let (id, bytes) = (media.id.0, media.bytes);
        Self { id, bytes, offset: bytes, piece: PIECE, complete: true, expires_at: None }
    }

    fn into_response(self, mut answer: actix_web::HttpResponseBuilder) -> HttpResponse {
        answer
            .insert_header(("Upload-Offset", self.offset))
            .insert_header(("Upload-Complete", if self.complete { "?1" } else { "?0" }))
            .json(self)
    }
}

/// Uploads begun before this time have expired.
pub(super) fn cutoff(now: domain::Instant) -> domain::Instant {
    now - chrono::Duration::days(DAYS)
}

/// Begins a file that comes in pieces.
///
/// 分段上传（一）：先说明文件大小，再逐段上传；同一编号重复开始得到当前进度。一天内未完成的自动清除。
#[utoipa::path(tag = "media", request_body = BeginUploadBody, responses((status = 201, body = UploadView)))]
#[post("/media_uploads")]
async fn begin_media_upload(
    app: Data<App>,
    caller: Caller,
    key: Key,
    body: Json<BeginUploadBody>,
) -> Reply<HttpResponse> {
    keep::require_permission(&app, &caller)?;
    let BeginUploadBody { id, bytes, sha256, case_id, taken_at } = body.0;
    if bytes == 0 {
        return Err(unfit_problem(Unfit::Empty));
    }
    if bytes > Kind::LARGEST {
        return Err(too_large(Kind::LARGEST));
    }
    let id = MediaId(id.unwrap_or(key.0.0));
    let (tenant, person) = (caller.tenant, caller.person);
    let details = Details { command: key.0.0, case_id, taken_at };
    let details = serde_json::to_string(&details).unwrap_or_default();
    let new = Upload {
        id,
        by: person,
        bytes: i64::try_from(bytes).unwrap_or(i64::MAX),
        received: 0,
        sha256: sha256.map(|text| text.to_ascii_lowercase()),
        details,
        begun_at: app.clock.now(),
    };
    if let Some(known) = load_media(&app, &caller, id).await? {
        return Ok(UploadView::from_media(&known).into_response(HttpResponse::Created()));
    }
    if let Some(first) = keep::check_owner(&app, &caller, id).await? {
        // A stranger began it before the owner named it: the stranger has no right to it.
        let squatted = move |db: &mut persistence::Db| uploads::find(db, tenant, id);
        let squatted = app.store.read(squatted).await?;
        if squatted.is_some_and(|upload| upload.by != first) {
            super::removal::forget_upload(&app, tenant, id).await?;
        }
    }
    let wanted = new.clone();
    let most = keep::most_waiting(&app, &caller);
    let admit = move |under_way: &[i64], unused: &Unused| {
        if i64::try_from(under_way.len()).unwrap_or(i64::MAX) >= MOST_UNDER_WAY {
            let max = usize::try_from(MOST_UNDER_WAY).unwrap_or_default();
            return Err(Refusal::TooMany { what: "uploads", max });
        }
        let all = under_way.iter().map(|bytes| u64::try_from(*bytes).unwrap_or_default());
        if all.sum::<u64>() + unused.bytes + bytes > most {
            return Err(keep::too_much_waiting(most));
        }
        Ok(())
    };
    let begin = uploads::begin_upload(tenant, new, Media::MOST_UNUSED, admit);
    let upload = app.store.run(begin).await??;
    if upload.by != person || upload.bytes != wanted.bytes || upload.sha256 != wanted.sha256 {
        return Err(Problem::new(Code::IdempotencyKeyReused));
    }
    let location = format!("/api/v1/media_uploads/{id}");
    let mut answer = HttpResponse::Created();
    answer.insert_header(("Location", location));
    Ok(UploadView::from_upload(&upload).into_response(answer))
}

/// The details given when an upload was begun.
#[derive(Serialize, Deserialize)]
struct Details {
    command: Uuid,
    case_id: Option<Uuid>,
    taken_at: Option<DateTime<FixedOffset>>,
}

/// The caller's own file, when it is complete.
async fn load_media(app: &App, caller: &Caller, id: MediaId) -> Reply<Option<Media>> {
    let stored = app.store.load_state::<Media>(caller.tenant, id.0).await?;
    let own = stored.filter(|stored| stored.state.by == caller.person);
    Ok(own.map(|stored| stored.state.clone()))
}

/// The caller's own upload; others' do not exist.
async fn load_upload(app: &App, caller: &Caller, id: MediaId) -> Reply<Option<Upload>> {
    let tenant = caller.tenant;
    let found = app.store.read(move |db| uploads::find(db, tenant, id)).await?;
    Ok(found.filter(|upload| upload.by == caller.person))
}

/// Shows the progress of an upload.
///
/// 分段上传（二）：查询进度，断网后从 `offset` 继续。
#[utoipa::path(tag = "media", responses((status = 200, body = UploadView)))]
#[get("/media_uploads/{id}")]
async fn get_media_upload(app: Data<App>, caller: Caller, id: IdPath<Uuid>) -> Reply<HttpResponse> {
    let id = MediaId(id.0);
    if let Some(upload) = load_upload(&app, &caller, id).await? {
        return Ok(UploadView::from_upload(&upload).into_response(HttpResponse::Ok()));
    }
    let known = load_media(&app, &caller, id).await?.ok_or_else(|| Problem::new(Code::NotFound))?;
    Ok(UploadView::from_media(&known).into_response(HttpResponse::Ok()))
}

/// Where a piece begins.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes the header for the document")]
pub(super) struct OffsetHeader {
    /// The offset of the piece: how many bytes have arrived before. 本段起点。
    #[param(rename = "Upload-Offset", value_type = u64, minimum = 0)]
    offset: u64,
}

fn parse_offset(headers: &HeaderMap) -> Reply<i64> {
    let text = headers.get("Upload-Offset").and_then(|value| value.to_str().ok());
    let number = text.and_then(|text| text.trim().parse::<i64>().ok()).filter(|n| *n >= 0);
    number.ok_or_else(|| {
        let (zh, en) = (
            "应为本段起点的字节数，例如 0。",
            "Expected the number of bytes before this piece, such as 0.",
        );
        Problem::new(Code::InvalidHeader).in_header("Upload-Offset", "invalid_offset", zh, en)
    })
}

/// Sends the next piece of a file.
///
/// 分段上传（三）：正文为一段字节，`Upload-Offset` 为起点，每段不超过 8 MiB；起点不对时返回 409 和应从哪里继续。
/// 最后一段到齐后校验并生成文件。
#[utoipa::path(tag = "media", params(OffsetHeader), request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses((status = 200, body = UploadView)))]
#[post("/media_uploads/{id}/append")]
async fn append_media_upload(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    id: IdPath<Uuid>,
    _key: Key,
    payload: Payload,
) -> Reply<HttpResponse> {
    let id = MediaId(id.0);
    let Some(upload) = load_upload(&app, &caller, id).await? else {
        // A retry of the last piece: the file is there.
        let known = load_media(&app, &caller, id).await?;
        let known = known.ok_or_else(|| Problem::new(Code::NotFound))?;
        return Ok(UploadView::from_media(&known).into_response(HttpResponse::Ok()));
    };
    let way = Way::open(&app, &caller, &request, PIECE)?;
    let first = parse_offset(request.headers())?;
    let left = upload.bytes - upload.received;
    if first != upload.received {
        return Err(wrong_offset(upload.received));
    }
    let received = if left > 0 {
        let piece = pour_piece(&app, &way, &upload, payload).await?;
        auth::require_unchanged(&request).await?;
        add_piece(&app, &caller, &upload, piece).await?
    } else {
        first
    };
    if received < upload.bytes {
        return Ok(UploadView::from_upload(&Upload { received, ..upload })
            .into_response(HttpResponse::Ok()));
    }
    let media = match complete_upload(&app, &caller, &upload).await {
        Ok(media) => media,
        // The same request came twice, and the other was faster.
        Err(problem) => load_media(&app, &caller, id).await?.ok_or(problem)?,
    };
    Ok(UploadView::from_media(&media).into_response(HttpResponse::Ok()))
}

fn wrong_offset(offset: i64) -> Problem {
    Problem::new(Code::UploadOffset)
        .detail(
            format!("服务器已收到 {offset} 字节，请从这里继续。"),
            format!("The server has received {offset} bytes; continue from there."),
        )
        .with("offset", offset)
}

/// Receives the bytes of a piece into a temporary file.
async fn pour_piece(
    app: &App,
    way: &Way<'_>,
    upload: &Upload,
    payload: Payload,
) -> Reply<(std::fs::File, i64)> {
    let most = u64::try_from(upload.bytes - upload.received).unwrap_or_default().min(PIECE);
    let mut piece = Sink::new_piece(app, most).await?;
    let broken = |error| Problem::new(Code::BadRequest).because(error);
    pour_into(way, payload, &mut piece, broken).await?;
    let (file, bytes) = piece.finish_piece().await?;
    if bytes == 0 {
        return Err(unfit_problem(Unfit::Empty));
    }
    Ok((file, i64::try_from(bytes).unwrap_or_default()))
}

/// Stores a piece; answers how many bytes have arrived then.
///
/// Two requests may bring pieces of different lengths from the same place, such as a phone that
/// gave up waiting and begins again with a smaller one. The length is in the name of a piece, so
/// that the slower one does not replace the piece that was counted.
async fn add_piece(
    app: &App,
    caller: &Caller,
    upload: &Upload,
    (file, bytes): (std::fs::File, i64),
) -> Reply<i64> {
    let (tenant, id, first) = (caller.tenant, upload.id, upload.received);
    let name = piece_key(tenant, id, Part { first, bytes });
    app.object_storage.put_file(&name, file).await?;
    if !app.store.run(uploads::record_piece(tenant, id, first, bytes)).await? {
        // Another request was faster with the same piece.
        let parts = app.store.read(move |db| uploads::load_parts(db, tenant, id)).await?;
        if !parts.contains(&Part { first, bytes }) {
            app.object_storage.remove(vec![name]).await?;
        }
        let known = load_upload(app, caller, id).await?;
        return Err(wrong_offset(known.map_or(upload.bytes, |known| known.received)));
    }
    Ok(first + bytes)
}

pub(super) fn piece_key(tenant: domain::core::id::TenantId, id: MediaId, part: Part) -> String {
    let Part { first, bytes } = part;
    format!("{tenant}/uploads/{id}/{first}-{bytes}")
}

/// Joins the pieces and stores the file.
async fn complete_upload(app: &App, caller: &Caller, upload: &Upload) -> Reply<Media> {
    let (tenant, id) = (caller.tenant, upload.id);
    let parts = app.store.read(move |db| uploads::load_parts(db, tenant, id)).await?;
    let received = match join_pieces(app, caller, id, &parts).await {
        Ok(received) if i64::try_from(received.bytes) == Ok(upload.bytes) => received,
        Ok(_) => {
            let problem = Problem::new(Code::ChecksumMismatch).because("pieces of another length");
            return Err(give_up_upload(app, caller, id, problem).await);
        }
        Err(problem) => return Err(give_up_upload(app, caller, id, problem).await),
    };
    let details: Details = serde_json::from_str(&upload.details)
        .map_err(|error| Problem::new(Code::Internal).because(error))?;
    let Details { command, case_id, taken_at } = details;
    let said = Said { id: Some(id.0), case_id, taken_at, sha256: upload.sha256.clone() };
    let arrival = IncomingFile { id, command: CommandId(command), received, said };
    match keep::keep_file(app, caller, arrival).await {
        Ok(stored) => {
            super::removal::forget_upload(app, tenant, id).await?;
            Ok(stored.state)
        }
        Err(problem) => Err(give_up_upload(app, caller, id, problem).await),
    }
}

/// Removes an upload that can never become a file; one that failed for another reason stays.
async fn give_up_upload(app: &App, caller: &Caller, id: MediaId, problem: Problem) -> Problem {
    let hopeless = [
        Code::MediaUnacceptable,
        Code::ChecksumMismatch,
        Code::PayloadTooLarge,
        Code::IdempotencyKeyReused,
    ];
    if hopeless.contains(&problem.code())
        && let Err(error) = super::removal::forget_upload(app, caller.tenant, id).await
    {
        tracing::warn!(?error, "pieces of a file that is not taken remain");
    }
    problem
}

async fn join_pieces(app: &App, caller: &Caller, id: MediaId, parts: &[Part]) -> Reply<Received> {
    let mut sink = Sink::new(app, Kind::LARGEST).await?;
    for part in parts {
        let found = app.object_storage.get(&piece_key(caller.tenant, id, *part), None).await?;
        let missing = || Problem::new(Code::StorageUnavailable).because("a piece is missing");
        let mut bytes = found.ok_or_else(missing)?.bytes;
        while let Some(piece) = bytes.try_next().await? {
            sink.take_piece(&piece).await?;
        }
    }
    sink.finish().await
}
