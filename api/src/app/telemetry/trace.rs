//! The ids of a request: the trace id (W3C `traceparent`) and the request id.
//!
//! Without either header there is one id for both, so that the id a caller reads out is the id in
//! the log.

use rand::{TryRng, rngs::SysRng};
use std::{
    cell::Cell,
    future::{Ready, ready},
};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::Payload,
    http::header::{HeaderMap, HeaderName, HeaderValue},
};

/// The header with the id of a request, both ways.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The ids of one request.
#[derive(Clone, Debug)]
pub struct Trace {
    trace: [u8; 32],
    request: Option<HeaderValue>,
}

impl Trace {
    /// The ids given with a request, and new ones for those that are missing or malformed.
    pub(super) fn from_headers(headers: &HeaderMap) -> Self {
        let parent = headers.get(TRACEPARENT).and_then(|value| parse_traceparent(value.as_bytes()));
        let request = headers.get(REQUEST_ID).filter(|value| is_acceptable(value.as_bytes()));
        Self { trace: parent.unwrap_or_else(new_trace_id), request: request.cloned() }
    }

    /// The trace id: 32 hexadecimal digits.
    pub fn trace_id(&self) -> &str {
        std::str::from_utf8(&self.trace).unwrap_or_default()
    }

    /// The request id: the caller's, or the trace id.
    pub fn request_id(&self) -> &str {
        self.given_request_id().unwrap_or_else(|| self.trace_id())
    }

    /// The request id the caller gave.
    pub(super) fn given_request_id(&self) -> Option<&str> {
        self.request.as_ref().and_then(|value| value.to_str().ok())
    }

    /// The request id as a header.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        self.request.clone().or_else(|| HeaderValue::from_bytes(&self.trace).ok())
    }
}

/// The trace id of `00-<trace>-<span>-<flags>`; none when it is not one. Later versions may say
/// more after it.
fn parse_traceparent(text: &[u8]) -> Option<[u8; 32]> {
    let hex = |bytes: &[u8]| bytes.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let (version, rest) = text.split_at_checked(2)?;
    let rest = rest.strip_prefix(b"-")?;
    let (trace, rest) = rest.split_first_chunk::<32>()?;
    let rest = rest.strip_prefix(b"-")?;
    let (span, rest) = rest.split_at_checked(16)?;
    let rest = rest.strip_prefix(b"-")?;
    let (flags, rest) = rest.split_at_checked(2)?;
    let longer = version != b"00" && rest.starts_with(b"-");
    let sound = hex(version) && hex(trace) && hex(span) && hex(flags) && version != b"ff";
    let zero = trace == &[b'0'; 32] || span == [b'0'; 16];
    (sound && !zero && (rest.is_empty() || longer)).then_some(*trace)
}

/// Whether an id made by a caller may stand in the log.
fn is_acceptable(id: &[u8]) -> bool {
    const MAX_LENGTH: usize = 64;
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-_.:".contains(b);
    !id.is_empty() && id.len() <= MAX_LENGTH && id.iter().all(plain)
}

/// A new trace id. It has to be unique, not secret, so one true random number a thread is enough.
fn new_trace_id() -> [u8; 32] {
    thread_local!(static STATE: Cell<u64> = Cell::new(SysRng.try_next_u64().unwrap_or_default()));
    // SplitMix64.
    let next = || {
        let state = STATE.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        STATE.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    };
    let bits = (u128::from(next()) << 64) | u128::from(next());
    let mut id = [b'0'; 32];
    for (digit, shift) in id.iter_mut().rev().zip((0..128).step_by(4)) {
        let nibble = u8::try_from((bits >> shift) & 15).unwrap_or_default();
        *digit = if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
    }
    id
}

impl FromRequest for Trace {
    type Error = std::convert::Infallible;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let known = request.extensions().get::<Self>().cloned();
        ready(Ok(known.unwrap_or_else(|| Self::from_headers(request.headers()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn trace(name: HeaderName, value: &str) -> Trace {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        Trace::from_headers(&headers)
    }

    #[test]
    fn a_trace_is_continued() {
        assert_eq!(trace(TRACEPARENT, PARENT).trace_id(), "0af7651916cd43dd8448eb211c80319c");
        let later = PARENT.replacen("00", "cc", 1) + "-what-comes";
        assert_eq!(trace(TRACEPARENT, &later).trace_id(), "0af7651916cd43dd8448eb211c80319c");
        for bad in [
            "",
            "00",
            "00-0",
            &PARENT[..54],
            &format!("{PARENT}0"),
            &format!("{PARENT}-x"),
            &PARENT.replacen("00", "ff", 1),
            &PARENT.to_uppercase(),
            &PARENT.replace('-', "_"),
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        ] {
            assert_ne!(
                trace(TRACEPARENT, bad).trace_id(),
                "0af7651916cd43dd8448eb211c80319c",
                "{bad}"
            );
        }
    }

    #[test]
    fn a_callers_id_is_kept_when_it_is_harmless() {
        assert_eq!(trace(REQUEST_ID, "phone-7.42").request_id(), "phone-7.42");
        for bad in ["", "a b", "a\"b", "é", &"x".repeat(65)] {
            let trace = trace(REQUEST_ID, bad);
            assert_eq!(trace.request_id(), trace.trace_id());
        }
    }

    #[test]
    fn new_ids_are_ids_and_differ() {
        let ids: std::collections::BTreeSet<_> = (0..1000).map(|_| new_trace_id()).collect();
        assert_eq!(ids.len(), 1000);
        let whole =
            |id: &[u8; 32]| format!("00-{}-b7ad6b7169203331-01", std::str::from_utf8(id).unwrap());
        assert!(ids.iter().all(|id| parse_traceparent(whole(id).as_bytes()) == Some(*id)));
    }
}
