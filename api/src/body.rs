//! Bodies: JSON, strictly.
//!
//! `application/json` in UTF-8, at most 256 KiB, no field unknown (the types say
//! `deny_unknown_fields`); what is wrong is told with the place where it is. An empty body is
//! `{}`, because many steps need nothing but their address. Uploads of points may be larger, and
//! compressed: [`zipped`].

pub(crate) mod time;
pub mod zipped;

use std::{future::Future, pin::Pin, time::Duration};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    error::PayloadError,
    http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap},
    rt::time::timeout,
    web::Bytes,
};
use domain::id::is_client_made;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error},
};
use serde_path_to_error::{Path, Segment};
use uuid::Uuid;

use crate::{
    problem::{Code, Problem},
    wording::{Noun, RESERVED, wording},
};

/// The most bytes a JSON body has.
///
/// It is actix's own default for bodies; `web::PayloadConfig` in the app's data would change it.
pub const MAX_BYTES: usize = 256 * 1024;

/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// The body of a request, as JSON.
///
/// The name is utoipa's: an argument of type `Json<T>` documents itself.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Json<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let typed = acceptable(request.headers());
        let body = Bytes::from_request(request, payload);
        Box::pin(async move {
            let body = match timeout(PATIENCE, body).await {
                Ok(Ok(body)) => body,
                Ok(Err(error)) => return Err(unread(&error)),
                Err(_) => return Err(Problem::new(Code::Timeout)),
            };
            if body.is_empty() {
                return parse(b"{}").map(Self);
            }
            typed?;
            parse(&body).map(Self)
        })
    }
}

/// Refuses what is not plain JSON.
fn acceptable(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let encoding = text(&CONTENT_ENCODING).unwrap_or("identity");
    if !encoding.eq_ignore_ascii_case("identity") {
        return Err(Problem::new(Code::UnsupportedMediaType).in_header(
            "Content-Encoding",
            "unsupported",
            "正文不能压缩，请去掉 Content-Encoding。",
            "The body must not be compressed; leave Content-Encoding out.",
        ));
    }
    json_in_utf8(headers)
}

/// Refuses what is not JSON.
fn json_in_utf8(headers: &HeaderMap) -> Result<(), Problem> {
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
        "It must be application/json in UTF-8.",
    ))
}

/// Why a body could not be read at all.
fn unread(error: &actix_web::Error) -> Problem {
    if matches!(error.as_error(), Some(PayloadError::Overflow)) {
        return Problem::new(Code::PayloadTooLarge)
            .detail(
                "正文超过 256 KiB；请缩短内容，或分批提交。",
                "The body exceeds 256 KiB; shorten it, or send several requests.",
            )
            .with("max_bytes", MAX_BYTES);
    }
    Problem::new(Code::BadRequest).because(error)
}

/// An identity that a client made, if it did. Those that are made of what they stand for (version 8:
/// the visit of a campaign to a household, the patrol of a plan on a day) are not for clients to
/// give: it would stand in the way of what it is made for.
pub(crate) fn own_id<'de, D: Deserializer<'de>>(given: D) -> Result<Option<Uuid>, D::Error> {
    match Option::<Uuid>::deserialize(given)? {
        Some(id) if !is_client_made(id) => Err(D::Error::custom(RESERVED)),
        id => Ok(id),
    }
}

/// The same, where there must be one.
pub(crate) fn own_key<'de, D: Deserializer<'de>>(given: D) -> Result<Uuid, D::Error> {
    let id = Uuid::deserialize(given)?;
    is_client_made(id).then_some(id).ok_or_else(|| D::Error::custom(RESERVED))
}

/// The value of a body. The place of a fault is only looked for when there is one: keeping
/// track of it costs an allocation per field.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // serde would take an array for an object, field by field in the order of the source code.
    if body.trim_ascii_start().starts_with(b"[") {
        return Err(Problem::new(Code::InvalidBody).error(
            "",
            "wrong_type",
            "正文应当是对象（{…}），不是数组。",
            "The body must be an object, not an array.",
        ));
    }
    serde_json::from_slice(body).map_err(|error| explain::<T>(body, &error))
}

fn explain<T: DeserializeOwned>(body: &[u8], error: &serde_json::Error) -> Problem {
    let invalid = Problem::new(Code::InvalidBody);
    if std::str::from_utf8(body).is_err() {
        return invalid.error("", "not_utf8", "正文不是 UTF-8 文本。", "The body is not UTF-8.");
    }
    if !error.is_data() {
        return invalid.error(
            "",
            "syntax",
            format!("正文不是完整的 JSON（第 {} 行第 {} 列附近）。", error.line(), error.column()),
            format!("The body is not complete JSON ({error})."),
        );
    }
    let mut text = serde_json::Deserializer::from_slice(body);
    let Err(error) = serde_path_to_error::deserialize::<_, T>(&mut text) else { return invalid };
    let wording = wording(&error.inner().to_string(), Noun::Field);
    let mut pointer = pointer(error.path());
    // serde points at the object that lacks a field; people look for the field.
    if let Some(field) = wording.field.filter(|field| last(error.path()) != Some(field.as_str())) {
        push(&mut pointer, &field);
    }
    invalid.error(pointer, wording.code, wording.zh, wording.en)
}

fn last(path: &Path) -> Option<&str> {
    match path.iter().next_back()? {
        Segment::Map { key } => Some(key),
        Segment::Seq { .. } | Segment::Enum { .. } | Segment::Unknown => None,
    }
}

/// A path as a JSON pointer (RFC 6901).
/// The JSON pointer of a place.
pub fn pointer(path: &Path) -> String {
    path.iter().fold(String::new(), |mut pointer, segment| {
        match segment {
            Segment::Map { key } => push(&mut pointer, key),
            Segment::Enum { variant } => push(&mut pointer, variant),
            Segment::Seq { index } => push(&mut pointer, &index.to_string()),
            Segment::Unknown => {}
        }
        pointer
    })
}

fn push(pointer: &mut String, token: &str) {
    pointer.push('/');
    pointer.push_str(&token.replace('~', "~0").replace('/', "~1"));
}

#[cfg(test)]
mod tests;
