//! Bodies that may be compressed: uploads of points, which phones send over weak networks.

use std::{future::Future, io::Read, pin::Pin};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap},
    rt::time::timeout,
};
use flate2::read::MultiGzDecoder;
use futures_util::StreamExt;
use serde::de::DeserializeOwned;

use super::{PATIENCE, json_in_utf8, parse};
use crate::problem::{Code, Problem};

/// The most bytes such a body has, unpacked.
pub const MAX_BYTES: usize = 1024 * 1024;

/// The body of a request as JSON, plain or by gzip.
#[derive(Debug)]
pub struct Zipped<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Zipped<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let typed = json_in_utf8(request.headers());
        let zipped = zipped(request.headers());
        let announced = announced(request.headers());
        let payload = payload.take();
        Box::pin(async move {
            let zipped = zipped?;
            typed?;
            let body = match timeout(PATIENCE, read(payload, announced)).await {
                Ok(body) => body?,
                Err(_) => return Err(Problem::new(Code::Timeout)),
            };
            let body = if zipped { unpacked(&body)? } else { body };
            parse(&body).map(Self)
        })
    }
}

fn zipped(headers: &HeaderMap) -> Result<bool, Problem> {
    let encoding = headers.get(CONTENT_ENCODING).map(|value| value.to_str().unwrap_or_default());
    match encoding.unwrap_or("identity").trim() {
        name if name.eq_ignore_ascii_case("identity") => Ok(false),
        name if name.eq_ignore_ascii_case("gzip") => Ok(true),
        _ => Err(Problem::new(Code::UnsupportedMediaType).in_header(
            "Content-Encoding",
            "unsupported",
            "正文可以不压缩，或用 gzip 压缩。",
            "The body may be plain, or compressed by gzip.",
        )),
    }
}

/// How long the body says it is, as far as that is believed.
fn announced(headers: &HeaderMap) -> usize {
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    length.unwrap_or(0).min(MAX_BYTES / 8)
}

async fn read(mut payload: Payload, announced: usize) -> Result<Vec<u8>, Problem> {
    let mut body = Vec::with_capacity(announced);
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| Problem::new(Code::BadRequest).because(error))?;
        if body.len() + chunk.len() > MAX_BYTES {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What was packed; no more of it than a body may have, however small it arrived.
fn unpacked(packed: &[u8]) -> Result<Vec<u8>, Problem> {
    let most = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
    let mut plain = Vec::new();
    let read = MultiGzDecoder::new(packed).take(most + 1).read_to_end(&mut plain);
    read.map_err(|error| {
        let (zh, en) = ("正文不是完整的 gzip 数据。", "The body is not complete gzip data.");
        Problem::new(Code::InvalidBody).error("", "not_gzip", zh, en).because(error)
    })?;
    if plain.len() > MAX_BYTES { Err(too_large()) } else { Ok(plain) }
}

fn too_large() -> Problem {
    Problem::new(Code::PayloadTooLarge)
        .detail(
            "正文（解压后）超过 1 MiB；请分批上传。",
            "The body exceeds 1 MiB unpacked; send several requests.",
        )
        .with("max_bytes", MAX_BYTES)
}
