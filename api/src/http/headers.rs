//! Request headers with a meaning: `Idempotency-Key`, `If-Match`, `If-None-Match`.

use std::future::{Ready, ready};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH},
};
use domain::core::id::{CommandId, is_client_made};
use uuid::Uuid;

use crate::http::problem::{Code, Problem};

/// The entity tag of a state: its place in the journal.
pub fn etag(seq: i64) -> String {
    format!("\"{seq}\"")
}

/// The only value of a header; none when it is absent, the problem when it is there twice.
fn single_value<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    problem: impl Fn() -> Problem,
) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name);
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            value.to_str().ok().map(|text| Some(text.trim())).ok_or_else(problem)
        }
        (Some(_), Some(_)) => Err(problem()),
    }
}

/// The `Idempotency-Key`, which is the id of the command.
///
/// A plain UUID of version 4 or 7, or one in quotes as the draft standard writes it. The nil UUID is
/// refused: a client sends it that forgot to make one, and every write would replay the first. So
/// is version 8: the server makes those for its own commands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Key(pub CommandId);

impl Key {
    /// The header's name.
    pub const NAME: &str = "Idempotency-Key";

    /// Reads the header.
    pub fn from_headers(headers: &HeaderMap) -> Result<Self, Problem> {
        const NAME: HeaderName = HeaderName::from_static("idempotency-key");
        let invalid = || Problem::new(Code::IdempotencyKeyInvalid);
        let text = single_value(headers, &NAME, invalid)?
            .ok_or_else(|| Problem::new(Code::IdempotencyKeyRequired))?;
        let id = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
        match Uuid::try_parse(id) {
            Ok(id) if is_client_made(id) => Ok(Self(CommandId(id))),
            _ => Err(invalid()),
        }
    }
}

impl FromRequest for Key {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::from_headers(request.headers()))
    }
}

/// The versions a write insists on one of (`If-Match`).
///
/// A weak tag is taken like a strong one: proxies that compress weaken ours, and it is a
/// sequence number either way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IfMatch(Option<[i64; Self::MAX_TAGS]>);

impl IfMatch {
    /// Any version will do.
    pub const ANY: Self = Self(None);

    /// The most tags a request lists.
    const MAX_TAGS: usize = 8;

    /// Reads the header.
    pub fn from_headers(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut seqs = Vec::new();
        let mut given = false;
        for value in headers.get_all(&IF_MATCH) {
            let text = value.to_str().map_err(|_no_text| invalid_tag())?.trim();
            if text == "*" {
                return Ok(Self::ANY);
            }
            given = true;
            // Empty elements of a list are ignored (RFC 9110, 5.6.1).
            for tag in text.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
                seqs.push(parse_seq(tag).ok_or_else(invalid_tag)?);
            }
        }
        if given { Self::any_of(&seqs) } else { Ok(Self::ANY) }
    }

    /// One of some versions.
    fn any_of(seqs: &[i64]) -> Result<Self, Problem> {
        let last = *seqs.last().ok_or_else(invalid_tag)?;
        let mut all = [last; Self::MAX_TAGS];
        all.get_mut(..seqs.len()).ok_or_else(invalid_tag)?.copy_from_slice(seqs);
        Ok(Self(Some(all)))
    }

    /// The only version a kept command is for, as the phone says.
    pub fn only(seq: i64) -> Result<Self, Problem> {
        Self::any_of(&[parse_seq(&etag(seq)).ok_or_else(invalid_tag)?])
    }

    /// Refuses a state that is not at a version insisted on.
    pub fn check_seq(self, seq: i64) -> Result<(), Problem> {
        match self.0 {
            Some(expected) if !expected.contains(&seq) => {
                let expected = expected.iter().copied().max().unwrap_or_default();
                Err(Problem::new(Code::Stale)
                    .detail(
                        format!(
                            "您看到的是第 {expected} 版，现在已是第 {seq} 版；请重新读取后再操作。"
                        ),
                        format!(
                            "You saw version {expected}, the current one is {seq}; read it again \
                         before you continue."
                        ),
                    )
                    .with("expected", etag(expected))
                    .with("current", etag(seq)))
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl FromRequest for IfMatch {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::from_headers(request.headers()))
    }
}

fn invalid_tag() -> Problem {
    Problem::new(Code::InvalidHeader).in_header(
        "If-Match",
        "invalid_etag",
        "应为 ETag，原样使用读取时得到的值，例如 \"7\"；多个用逗号分隔，最多 8 个；不限版本请用 * 或不带这个请求头。",
        "Expected ETags exactly as they were read, such as \"7\", up to 8 of them, separated by \
         commas; use * or leave the header out for any version.",
    )
}

/// The number in `"7"` or `W/"7"`.
fn parse_seq(tag: &str) -> Option<i64> {
    let digits = tag.strip_prefix("W/").unwrap_or(tag).strip_prefix('"')?.strip_suffix('"')?;
    // A tag of two states, `"7.12"`: the first is the one that is written to.
    let digits = digits.split('.').next().unwrap_or(digits);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

/// The versions a reader has already (`If-None-Match`).
#[derive(Clone, Debug)]
pub struct IfNoneMatch(Option<HeaderValue>);

impl IfNoneMatch {
    /// Reads the header.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        Self(headers.get(IF_NONE_MATCH).cloned())
    }

    /// Whether the reader has the version with this tag, so that 304 is enough. What cannot be
    /// read matches nothing.
    pub fn has_tag(&self, tag: &str) -> bool {
        fn plain(tag: &str) -> &str {
            tag.strip_prefix("W/").unwrap_or(tag)
        }
        let text = self.0.as_ref().and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut tags = text.split(',').map(str::trim).filter(|given| !given.is_empty());
        tags.any(|given| given == "*" || plain(given) == plain(tag))
    }

    /// Whether the reader has the state at this place of the journal.
    pub fn has_seq(&self, seq: i64) -> bool {
        self.0.is_some() && self.has_tag(&etag(seq))
    }
}

impl FromRequest for IfNoneMatch {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::from_headers(request.headers())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name.clone(), HeaderValue::from_static(value));
        }
        headers
    }

    const ID: &str = "018f3f5e-9c4b-7d2a-8e21-5b0c6f1a2d3e";

    #[test]
    fn a_key_is_one_uuid() {
        let name = HeaderName::from_static("idempotency-key");
        let key = |values: &[&'static str]| {
            Key::from_headers(&headers(name.clone(), values)).map_err(|problem| problem.code())
        };
        let id = Key(CommandId(ID.parse().unwrap()));
        assert_eq!(key(&[ID]), Ok(id));
        assert_eq!(key(&["\"018f3f5e-9c4b-7d2a-8e21-5b0c6f1a2d3e\""]), Ok(id));
        assert_eq!(key(&["018F3F5E9C4B7D2A8E215B0C6F1A2D3E"]), Ok(id));
        assert_eq!(key(&[]), Err(Code::IdempotencyKeyRequired));
        for bad in
            [&["7"][..], &[""], &["\"\""], &[ID, ID], &["00000000-0000-0000-0000-000000000000"]]
                .into_iter()
                .chain([
                    &["ffffffff-ffff-ffff-ffff-ffffffffffff"][..],
                    // Versions 1, 5 and 8, and version 7 of another variant.
                    &["018f3f5e-9c4b-1d2a-8e21-5b0c6f1a2d3e"],
                    &["018f3f5e-9c4b-5d2a-8e21-5b0c6f1a2d3e"],
                    &["018f3f5e-9c4b-8d2a-8e21-5b0c6f1a2d3e"],
                    &["018f3f5e-9c4b-7d2a-0e21-5b0c6f1a2d3e"],
                ])
        {
            assert_eq!(key(bad), Err(Code::IdempotencyKeyInvalid), "{bad:?}");
        }
    }

    #[test]
    fn if_match_lists_tags() {
        let given = |values: &[&'static str]| {
            IfMatch::from_headers(&headers(IF_MATCH, values)).map_err(|problem| problem.code())
        };
        let one_of = |seqs: &[i64]| Ok(IfMatch::any_of(seqs).unwrap());
        assert_eq!(given(&[]), Ok(IfMatch::ANY));
        assert_eq!(given(&["*"]), Ok(IfMatch::ANY));
        assert_eq!(given(&["\"7\""]), one_of(&[7]));
        assert_eq!(given(&[" W/\"7\" "]), one_of(&[7]));
        assert_eq!(given(&["\"7\", W/\"8.2\",", "\"9\""]), one_of(&[7, 8, 9]));
        for bad in [
            &["7"][..],
            &["\"\""],
            &["\"-7\""],
            &["\"+7\""],
            &["\"7\", 8"],
            &["\"99999999999999999999\""],
            &["", ","],
            &["\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\""],
        ] {
            assert_eq!(given(bad), Err(Code::InvalidHeader), "{bad:?}");
        }
    }

    #[test]
    fn a_stale_version_is_refused() {
        let one_of = |seqs: &[i64]| IfMatch::any_of(seqs).unwrap();
        assert!(IfMatch::ANY.check_seq(9).is_ok() && one_of(&[7, 9]).check_seq(9).is_ok());
        assert_eq!(one_of(&[7, 8]).check_seq(9).unwrap_err().code(), Code::Stale);
    }

    #[test]
    fn a_known_version_needs_no_body() {
        let known = |value: Option<&'static str>| IfNoneMatch(value.map(HeaderValue::from_static));
        assert!(known(Some("\"7\"")).has_seq(7));
        assert!(known(Some("\"6\", W/\"7\"")).has_seq(7));
        assert!(known(Some("*")).has_seq(7));
        assert!(!known(Some("\"77\"")).has_seq(7));
        assert!(!known(Some("7")).has_seq(7));
        assert!(!known(None).has_seq(7));
        assert!(known(Some("W/\"abc\"")).has_tag("\"abc\""));
    }
}
