//! Bodies that may be compressed: uploads of points, which phones send over weak networks.

use std::{future::Future, io::Read, pin::Pin};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap},
    rt::time::timeout,
};
use flate2::bufread::GzDecoder;
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::{PATIENCE, check_json_type, parse, read_then_recheck};
use crate::http::problem::{Code, Problem};

/// The most bytes such a body has, unpacked.
pub const MAX_BYTES: usize = 1024 * 1024;

/// The body of a request as JSON, plain or by gzip.
#[derive(Debug)]
pub struct Zipped<T>(pub T);

impl<T: DeserializeOwned + ToSchema + 'static> FromRequest for Zipped<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let typed = check_json_type(request.headers());
        let zipped = is_gzipped(request.headers());
        let announced = content_length(request.headers());
        let payload = payload.take();
        let request = request.clone();
        Box::pin(async move {
            let read = async {
                let zipped = zipped?;
                typed?;
                let body = timeout(PATIENCE, read_payload(payload, announced)).await;
                Ok((zipped, body.unwrap_or_else(|_| Err(Problem::new(Code::Timeout)))?))
            };
            let (zipped, body) = read_then_recheck(&request, read).await?;
            // It may take milliseconds, in which other requests want to be answered.
            let body = if zipped {
                actix_web::web::block(move || unpack_body(&body)).await??
            } else {
                body
            };
            parse(&body).map(Self)
        })
    }
}

fn is_gzipped(headers: &HeaderMap) -> Result<bool, Problem> {
    let encoding = headers.get(CONTENT_ENCODING).map(|value| value.to_str().unwrap_or_default());
    match encoding.unwrap_or("identity").trim() {
        name if name.eq_ignore_ascii_case("identity") => Ok(false),
        name if name.eq_ignore_ascii_case("gzip") => Ok(true),
        _ => Err(Problem::new(Code::UnsupportedMediaType).in_header(
            "Content-Encoding",
            "unsupported",
            "正文可以不压缩，或用 gzip 压缩。",
            "The body may be uncompressed, or compressed with gzip.",
        )),
    }
}

/// The announced length of the body, as far as it is believed.
fn content_length(headers: &HeaderMap) -> usize {
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    length.unwrap_or(0).min(MAX_BYTES / 8)
}

async fn read_payload(mut payload: Payload, announced: usize) -> Result<Vec<u8>, Problem> {
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

/// The most gzip members of packed data. One is usual; each costs some work, however short it is.
const MOST_PARTS: usize = 64;

/// Unpacks data; at most as much as a body may have, however small it arrived.
fn unpack_body(packed: &[u8]) -> Result<Vec<u8>, Problem> {
    let (mut plain, mut rest) = (Vec::new(), packed);
    for _ in 0..MOST_PARTS {
        let left = u64::try_from(MAX_BYTES + 1 - plain.len()).unwrap_or_default();
        let mut part = GzDecoder::new(rest).take(left);
        part.read_to_end(&mut plain).map_err(|error| {
            let (zh, en) = ("正文不是完整的 gzip 数据。", "The body is not complete gzip data.");
            Problem::new(Code::InvalidBody).error("", "not_gzip", zh, en).because(error)
        })?;
        if plain.len() > MAX_BYTES {
            return Err(too_large());
        }
        rest = part.into_inner().into_inner();
        if rest.is_empty() {
            return Ok(plain);
        }
    }
    let (zh, en) = (
        "gzip 数据超过 64 段；请整体压缩为一段。",
        "The gzip data has more than 64 members; compress it as one member.",
    );
    Err(Problem::new(Code::InvalidBody).error("", "too_many_members", zh, en))
}

fn too_large() -> Problem {
    Problem::new(Code::PayloadTooLarge)
        .detail(
            "正文（解压后）超过 1 MiB；请分批上传。",
            "The body exceeds 1 MiB after decompression; split it into several requests.",
        )
        .with("max_bytes", MAX_BYTES)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn packed(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn several_members_are_one_body_and_very_many_are_none() {
        let two = [packed(b"{\"a\":"), packed(b"1}")].concat();
        assert_eq!(unpack_body(&two).unwrap(), b"{\"a\":1}");
        assert_eq!(unpack_body(&packed(b"").repeat(64)).unwrap(), b"");
        assert_eq!(unpack_body(&packed(b"").repeat(65)).unwrap_err().code(), Code::InvalidBody);
        let cut = &two[..two.len() - 1];
        assert_eq!(unpack_body(cut).unwrap_err().code(), Code::InvalidBody);
        assert_eq!(unpack_body(b"").unwrap_err().code(), Code::InvalidBody);
    }

    #[test]
    fn no_more_is_unpacked_than_a_body_may_have() {
        let full = packed(&vec![b' '; MAX_BYTES]);
        assert_eq!(unpack_body(&full).unwrap().len(), MAX_BYTES);
        let more = [full, packed(b"x")].concat();
        assert_eq!(unpack_body(&more).unwrap_err().code(), Code::PayloadTooLarge);
        let bomb = packed(&vec![b' '; 64 * MAX_BYTES]);
        assert_eq!(unpack_body(&bomb).unwrap_err().code(), Code::PayloadTooLarge);
    }
}
