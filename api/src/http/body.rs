//! Bodies: JSON, strictly.
//!
//! `application/json` in UTF-8, at most 256 KiB, no field unknown (the types say
//! `deny_unknown_fields`); every fault is reported with its place. An empty body is `{}`, because many
//! steps need nothing but their address, but not where it replaces something: [`replacing`]. Uploads
//! of points may be larger, and compressed: [`zipped`]. A body that needs no login has at most
//! 16 KiB.

mod faults;
pub mod shared;
mod strict;
pub(crate) mod time;
pub mod zipped;

use std::{
    future::Future,
    pin::Pin,
    time::{Duration, Instant},
};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::Payload,
    http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap},
    rt::time::timeout,
    web::{Bytes, BytesMut},
};
use domain::core::id::is_client_made;
use futures_util::StreamExt;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error},
};
use serde_json::Value;
use serde_path_to_error::{Path, Segment};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::{
    body::strict::Strict,
    problem::{Code, Problem},
    wording::{Noun, RESERVED, translate_message},
};

/// The most bytes a JSON body has.
pub const MAX_BYTES: usize = 256 * 1024;

/// The most bytes of a body that needs no login: bodies of strangers are buffered until they are
/// complete.
pub const MAX_STRANGER_BYTES: usize = 16 * 1024;

/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a body may take before the rights of its sender are checked again.
const AT_ONCE: Duration = Duration::from_millis(500);

/// The function that checks again whether the sender of a request may still do what it asks.
/// Attached to the request by authentication.
#[derive(Clone, Copy)]
pub struct Recheck(pub fn(HttpRequest) -> Rechecking);

/// The result of a recheck.
pub type Rechecking = Pin<Box<dyn Future<Output = Result<(), Problem>>>>;

/// The body of a request, as JSON.
///
/// The name is utoipa's: an argument of type `Json<T>` documents itself.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned + ToSchema + 'static> FromRequest for Json<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let read = read_json(request, payload);
        Box::pin(async move {
            let body = read.await?;
            parse(body.as_deref().unwrap_or(b"{}")).map(Self)
        })
    }
}

/// Bodies that take the place of something: one that is left out would empty it.
pub mod replacing {
    use std::pin::Pin;

    use actix_web::{FromRequest, HttpRequest, dev::Payload};
    use serde::de::DeserializeOwned;
    use utoipa::ToSchema;

    use super::{parse, read_json};
    use crate::http::problem::{Code, Problem};

    /// The body of a request, as JSON; it cannot be left out.
    #[derive(Debug)]
    pub struct Json<T>(pub T);

    impl<T: DeserializeOwned + ToSchema + 'static> FromRequest for Json<T> {
        type Error = Problem;
        type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

        fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
            let read = read_json(request, payload);
            Box::pin(async move {
                let body = read.await?.ok_or_else(|| {
                    Problem::new(Code::InvalidBody).error(
                        "",
                        "missing_body",
                        "缺少正文：它会替换原有内容；要清空请发送 {}。",
                        "The body is missing. It replaces what is there; send {} to empty that.",
                    )
                })?;
                parse(&body).map(Self)
            })
        }
    }
}

/// Reads a body of JSON; none where there is none.
fn read_json(
    request: &HttpRequest,
    payload: &mut Payload,
) -> impl Future<Output = Result<Option<Bytes>, Problem>> + use<> {
    let typed = check_plain_json(request.headers());
    let strange = request.path().starts_with("/api/v1/auth/");
    let max = if strange { MAX_STRANGER_BYTES } else { MAX_BYTES };
    let body = read_body(request, payload, max);
    let request = request.clone();
    async move {
        let body = read_then_recheck(&request, body).await?;
        if body.is_empty() {
            return Ok(None);
        }
        typed?;
        Ok(Some(body))
    }
}

/// The body of a request that needs no login, as it was sent.
#[derive(Debug)]
pub struct StrangerBytes(pub Bytes);

impl FromRequest for StrangerBytes {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = read_body(request, payload, MAX_STRANGER_BYTES);
        Box::pin(async move { Ok(Self(body.await?)) })
    }
}

/// Reads a body of at most `max` bytes; one that announces more is refused at once.
fn read_body(
    request: &HttpRequest,
    payload: &mut Payload,
    max: usize,
) -> impl Future<Output = Result<Bytes, Problem>> + use<> {
    let length = request.headers().get(CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok()?.parse::<u64>().ok()).unwrap_or(0);
    let mut payload = payload.take();
    let read = async move {
        if usize::try_from(length).map_or(true, |length| length > max) {
            return Err(too_large(max));
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|error| Problem::new(Code::BadRequest).because(error))?;
            if body.len() + chunk.len() > max {
                return Err(too_large(max));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    };
    async move { timeout(PATIENCE, read).await.unwrap_or_else(|_| Err(Problem::new(Code::Timeout))) }
}

/// Reads a body; if it took long, the rights of its sender are checked again.
async fn read_then_recheck<T>(
    request: &HttpRequest,
    read: impl Future<Output = Result<T, Problem>>,
) -> Result<T, Problem> {
    let begun = Instant::now();
    let read = read.await;
    if read.is_ok() && begun.elapsed() > AT_ONCE {
        let recheck = request.extensions().get::<Recheck>().copied();
        if let Some(Recheck(recheck)) = recheck {
            recheck(request.clone()).await?;
        }
    }
    read
}

/// Refuses anything but plain JSON.
fn check_plain_json(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let encoding = text(&CONTENT_ENCODING).unwrap_or("identity");
    if !encoding.eq_ignore_ascii_case("identity") {
        return Err(Problem::new(Code::UnsupportedMediaType).in_header(
            "Content-Encoding",
            "unsupported",
            "正文不能压缩；请去掉 Content-Encoding。",
            "The body must not be compressed; remove Content-Encoding.",
        ));
    }
    check_json_type(headers)
}

/// Refuses anything but JSON.
fn check_json_type(headers: &HeaderMap) -> Result<(), Problem> {
    let full = headers.get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default());
    let full = full.unwrap_or_default();
    let mut parts = full.split(';').map(str::trim);
    let json = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    let utf8 = parts.all(|parameter| {
        let charset =
            parameter.split_once('=').filter(|(key, _)| key.eq_ignore_ascii_case("charset"));
        charset.is_none_or(|(_, value)| {
            let value = value.trim_matches('"');
            value.eq_ignore_ascii_case("utf-8") || value.eq_ignore_ascii_case("utf8")
        })
    });
    if json && utf8 {
        return Ok(());
    }
    Err(Problem::new(Code::UnsupportedMediaType).in_header(
        "Content-Type",
        "unsupported",
        "应为 application/json，编码 UTF-8。",
        "Expected application/json in UTF-8.",
    ))
}

/// Parses a JSON body of at most `max` bytes that has arrived.
pub(crate) fn parse_within<T: DeserializeOwned + ToSchema>(
    body: &[u8],
    max: usize,
) -> Result<T, Problem> {
    if body.len() > max { Err(too_large(max)) } else { parse(body) }
}

fn too_large(max: usize) -> Problem {
    let kib = max / 1024;
    Problem::new(Code::PayloadTooLarge)
        .detail(
            format!("正文超过 {kib} KiB；请缩短内容，或分批提交。"),
            format!("The body exceeds {kib} KiB; shorten it, or split it into several requests."),
        )
        .with("max_bytes", max)
}

/// An identity made by a client, if given. Derived ones (version 8: the visit of a campaign to a
/// household, the patrol of a plan on a day) are refused: they would block what they are derived
/// for.
pub(crate) fn own_id<'de, D: Deserializer<'de>>(given: D) -> Result<Option<Uuid>, D::Error> {
    match Option::<Uuid>::deserialize(given)? {
        Some(id) if !is_client_made(id) => Err(D::Error::custom(RESERVED)),
        id => Ok(id),
    }
}

/// The same for several, such as files that are named before they are sent.
pub(crate) fn own_ids<'de, D: Deserializer<'de>>(given: D) -> Result<Vec<Uuid>, D::Error> {
    /// One of them: its place in the list is reported with its fault.
    struct Own(Uuid);

    impl<'de> Deserialize<'de> for Own {
        fn deserialize<D: Deserializer<'de>>(given: D) -> Result<Self, D::Error> {
            own_key(given).map(Self)
        }
    }

    Ok(Vec::<Own>::deserialize(given)?.into_iter().map(|own| own.0).collect())
}

/// The same, where there must be one.
pub(crate) fn own_key<'de, D: Deserializer<'de>>(given: D) -> Result<Uuid, D::Error> {
    let id = Uuid::deserialize(given)?;
    is_client_made(id).then_some(id).ok_or_else(|| D::Error::custom(RESERVED))
}

/// Parses a body. The place of a fault is only looked for when there is one: keeping track of it
/// costs an allocation per field.
pub(crate) fn parse<T: DeserializeOwned + ToSchema>(body: &[u8]) -> Result<T, Problem> {
    // serde would take an array for an object, field by field in the order of the source code.
    if body.trim_ascii_start().starts_with(b"[") {
        return Err(Problem::new(Code::InvalidBody).error(
            "",
            "wrong_type",
            "正文应为对象（{…}），不能是数组。",
            "The body must be an object ({…}), not an array.",
        ));
    }
    let mut text = serde_json::Deserializer::from_slice(body);
    T::deserialize(Strict(&mut text))
        .and_then(|value| text.end().map(|()| value))
        .map_err(|_fault| explain_error::<T>(body))
}

fn explain_error<T: DeserializeOwned + ToSchema>(body: &[u8]) -> Problem {
    let invalid = Problem::new(Code::InvalidBody);
    if std::str::from_utf8(body).is_err() {
        return invalid.error(
            "",
            "not_utf8",
            "正文不是 UTF-8 文本；请改用 UTF-8 编码。",
            "The body is not UTF-8 text; encode it in UTF-8.",
        );
    }
    let whole = match serde_json::from_slice::<Value>(body) {
        Ok(whole) => whole,
        Err(error) => {
            let (line, column) = (error.line(), error.column());
            return invalid.error(
                "",
                "syntax",
                format!("正文不是完整的 JSON（第 {line} 行第 {column} 列附近）。"),
                format!("The body is not complete JSON ({error})."),
            );
        }
    };
    let mut text = serde_json::Deserializer::from_slice(body);
    let read = serde_path_to_error::deserialize::<_, T>(Strict(&mut text));
    let read = match read {
        // serde_json calls it a fault of syntax when a number stands where an enumeration does.
        Err(error) if !error.inner().is_data() => {
            serde_path_to_error::deserialize::<_, T>(Strict(&whole))
        }
        read => read,
    };
    let Err(error) = read else { return invalid };
    let wording = translate_message(&error.inner().to_string(), Noun::Field);
    let mut pointer = json_pointer(error.path());
    // serde reports the object that lacks a field; people look for the field.
    if let Some(field) =
        wording.field.as_deref().filter(|field| last_key(error.path()) != Some(*field))
    {
        push_token(&mut pointer, field);
    }
    let first = (pointer, wording);
    let faults = if body.len() <= faults::MAX_REREAD {
        faults::list_faults::<T>(&whole, first)
    } else {
        vec![first]
    };
    faults.into_iter().fold(invalid, |problem, (pointer, wording)| {
        problem.error(pointer, wording.code, wording.zh, wording.en)
    })
}

fn last_key(path: &Path) -> Option<&str> {
    match path.iter().next_back()? {
        Segment::Map { key } => Some(key),
        Segment::Seq { .. } | Segment::Enum { .. } | Segment::Unknown => None,
    }
}

/// A path as a JSON pointer (RFC 6901).
pub fn json_pointer(path: &Path) -> String {
    path.iter().fold(String::new(), |mut pointer, segment| {
        match segment {
            Segment::Map { key } => push_token(&mut pointer, key),
            Segment::Enum { variant } => push_token(&mut pointer, variant),
            Segment::Seq { index } => push_token(&mut pointer, &index.to_string()),
            Segment::Unknown => {}
        }
        pointer
    })
}

fn push_token(pointer: &mut String, token: &str) {
    pointer.push('/');
    pointer.push_str(&token.replace('~', "~0").replace('/', "~1"));
}

#[cfg(test)]
mod tests;
