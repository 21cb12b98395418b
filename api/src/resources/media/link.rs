//! Links to the bytes of files: signed, valid for minutes, usable for nothing else.
//!
//! A link does not identify the caller: pictures in pages and players cannot log in. It is only
//! made for a caller who may see the file, and only reads.

use actix_web::{
    HttpRequest, HttpResponse, get,
    http::header::{
        ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
        CONTENT_SECURITY_POLICY, CONTENT_TYPE, RANGE, X_CONTENT_TYPE_OPTIONS,
    },
    web::Data,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{
    Instant,
    core::text::Code as Word,
    flows::media::{Kind, Media},
};
use futures_util::TryStreamExt;
use object_store::GetRange;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::keep::{Variant, object_key};
use crate::{
    app::{state::App, world::TenantSnapshot},
    http::{
        params::{IdPath, Query},
        problem::{Code, Problem, Reply},
        register::ServiceConfig,
    },
};

/// Registers the operation of this file.
pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(get_media_content);
}

/// The step of the expiry of links: a link is valid for ten to twenty minutes, and links made in
/// the same ten minutes are equal, so that clients need not load the same file again.
const STEP_S: i64 = 600;

/// The expiry of links that are made now, in seconds since 1970.
pub fn next_expiry(now: Instant) -> i64 {
    (now.timestamp() / STEP_S + 2) * STEP_S
}

/// Links to the variants of one file. 短时有效的链接。
#[derive(Serialize, ToSchema)]
pub struct LinksView {
    /// At most 240 points a side; of photos only. 小缩略图。
    #[serde(skip_serializing_if = "Option::is_none")]
    thumb_small: Option<String>,
    /// At most 1024 points a side; of photos only. 大缩略图。
    #[serde(skip_serializing_if = "Option::is_none")]
    thumb_large: Option<String>,
    /// In full. 全图，或除去拍摄位置的视频、录音。
    full: String,
    /// Until when they work. 有效期至。
    expires_at: chrono::DateTime<chrono::Utc>,
}

impl LinksView {
    /// The links to a file, for a caller who may see it.
    pub fn new(app: &App, world: &TenantSnapshot, media: &Media) -> Self {
        let expires = next_expiry(app.clock.now());
        let link = |variant: Variant| sign_path(app, world, media.id.0, variant, expires);
        let of = |variant: Variant| variant.applies_to(media).then(|| link(variant));
        Self {
            thumb_small: of(Variant::ThumbSmall),
            thumb_large: of(Variant::ThumbLarge),
            full: link(Variant::Full),
            expires_at: chrono::DateTime::from_timestamp(expires, 0).unwrap_or_default(),
        }
    }
}

/// Signs a link: a path of this server.
pub fn sign_path(
    app: &App,
    world: &TenantSnapshot,
    id: Uuid,
    variant: Variant,
    expires: i64,
) -> String {
    let signature = compute_signature(app, world, id, variant, expires);
    let (tenant, variant) = (&world.tenant.code, variant.name());
    format!(
        "/api/v1/media/{id}/content?tenant={tenant}&variant={variant}&expires={expires}&signature={signature}"
    )
}

fn compute_signature(
    app: &App,
    world: &TenantSnapshot,
    id: Uuid,
    variant: Variant,
    expires: i64,
) -> String {
    let text = format!("{}\n{id}\n{}\n{expires}", world.tenant.id, variant.name());
    let digest = app.seal.compute_digest("media link", text.as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(digest.get(..16).unwrap_or_default())
}

/// Compares two texts in a time that does not reveal where they differ.
fn constant_time_eq(one: &str, other: &str) -> bool {
    let differences = one.bytes().zip(other.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
    one.len() == other.len() && differences == 0
}

/// The parameters of a link.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ContentParams {
    /// The city or county, by its code. 租户代码。
    #[param(value_type = String, example = "4202")]
    tenant: Word,
    /// Which form: `thumb_small`, `thumb_large` or `full`. 规格。
    #[param(value_type = String, example = "thumb_small")]
    variant: Variant,
    /// Until when it is valid, in seconds since 1970. 有效期。
    expires: i64,
    /// The signature. 签名。
    signature: String,
}

/// Shows the bytes of a file, by a link.
///
/// 文件内容：用案卷、上报或文件详情中给出的短时链接读取，无须登录；支持断点续传（Range）。
#[utoipa::path(tag = "media", security(()), params(ContentParams), responses((status = 200, body = Vec<u8>, content_type = "image/jpeg")))]
#[get("/media/{id}/content")]
async fn get_media_content(
    app: Data<App>,
    request: HttpRequest,
    id: IdPath<Uuid>,
    params: Query<ContentParams>,
) -> Reply<HttpResponse> {
    let ContentParams { tenant, variant, expires, signature: given } = params.0;
    let invalid = || Problem::new(Code::LinkInvalid);
    let world = app.worlds.find_by_code(Some(tenant.as_str())).ok_or_else(invalid)?;
    let now = app.clock.now().timestamp();
    if !constant_time_eq(&given, &compute_signature(&app, &world, id.0, variant, expires))
        || expires <= now
    {
        return Err(invalid());
    }
    let gone = || Problem::new(Code::NotFound);
    let tenant = world.tenant.id;
    let stored = app.store.load_state::<Media>(tenant, id.0).await?.ok_or_else(gone)?;
    let media = &stored.state;
    // What was sent is sealed, and shown on the record only.
    if media.gone.is_some() || !variant.applies_to(media) || variant == Variant::Original {
        return Err(gone());
    }
    let asked = parse_range(&request);
    let found = app.object_storage.get(&object_key(tenant, media, variant), asked.clone()).await?;
    let found = found.ok_or_else(gone)?;
    let format = variant.format_of(media);
    // A file that is served as it was sent is saved, not opened: only photos are encoded anew here.
    let how = if media.format.kind() == Kind::Photo { "inline" } else { "attachment" };
    let name = format!("{}-{}.{}", id.0, variant.name(), format.extension());
    let mut answer =
        if asked.is_some() { HttpResponse::PartialContent() } else { HttpResponse::Ok() };
    if asked.is_some() {
        let (from, to) = (found.range.start, found.range.end);
        if from >= to {
            let all = format!("bytes */{}", found.size);
            return Err(Problem::new(Code::RangeInvalid)
                .with("bytes", found.size)
                .header(CONTENT_RANGE, &all));
        }
        answer.insert_header((CONTENT_RANGE, format!("bytes {from}-{}/{}", to - 1, found.size)));
    }
    let length = found.range.end.saturating_sub(found.range.start);
    Ok(answer
        .insert_header((CONTENT_TYPE, format.mime()))
        .insert_header((CONTENT_DISPOSITION, format!("{how}; filename=\"{name}\"")))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"))
        .insert_header(("Cross-Origin-Resource-Policy", "cross-origin"))
        .insert_header((CACHE_CONTROL, format!("private, max-age={}", expires - now)))
        .insert_header((ACCEPT_RANGES, "bytes"))
        .insert_header((CONTENT_LENGTH, length))
        .no_chunking(length)
        .streaming(found.bytes.map_err(actix_web::Error::from)))
}

/// The one range of bytes that is asked for; several ranges, and invalid ones, are ignored, and the
/// whole is answered.
fn parse_range(request: &HttpRequest) -> Option<GetRange> {
    let text = request.headers().get(RANGE)?.to_str().ok()?;
    let (from, to) = text.strip_prefix("bytes=")?.split_once('-')?;
    match (from.parse::<u64>().ok(), to.parse::<u64>().ok()) {
        (Some(from), Some(to)) if from <= to => Some(GetRange::Bounded(from..to.saturating_add(1))),
        (Some(from), None) if to.is_empty() => Some(GetRange::Offset(from)),
        (None, Some(last)) if from.is_empty() && last > 0 => Some(GetRange::Suffix(last)),
        _ => None,
    }
}
