//! Pages: a bounded number of items and an opaque cursor to the next.
//!
//! A cursor is the position of the last item shown, so what is new or gone in between shifts
//! nothing. It is bound to its list, by the address and the order asked for: one of another list, or
//! one that was altered, is refused. Filters may change from page to page.

use std::cell::Cell;

use actix_web::{
    HttpRequest, HttpResponse, Responder,
    body::BoxBody,
    http::header::{HeaderValue, LINK},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

/// How many items a page has: 1 to 100, 20 when nothing is said.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "u64")]
pub struct Limit(u8);

impl Limit {
    /// The most items a page has.
    pub const MAX: u8 = 100;

    /// The number itself.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// One more than a page shows: when a query finds that many, there is a next page.
    pub fn probe(self) -> i64 {
        i64::from(self.0) + 1
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(20)
    }
}

impl TryFrom<u64> for Limit {
    type Error = &'static str;

    fn try_from(limit: u64) -> Result<Self, Self::Error> {
        u8::try_from(limit)
            .ok()
            .filter(|limit| (1..=Self::MAX).contains(limit))
            .map(Self)
            .ok_or("a limit is from 1 to 100")
    }
}

/// The cursor of a list: where its next page begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cursor<P>(pub P);

/// Distinguishes it from cursors of later editions of this program.
const EDITION: u8 = 1;

impl<P: Serialize> Cursor<P> {
    /// The text clients send back.
    pub fn text(&self) -> String {
        let json = serde_json::to_vec(&(EDITION, &self.0)).unwrap_or_default();
        BASE64_URL_SAFE_NO_PAD.encode(json)
    }
}

impl<P: DeserializeOwned> Cursor<P> {
    /// Parses a cursor; none when this program did not write it for this list.
    pub fn parse(text: &str) -> Option<Self> {
        const MAX_LENGTH: usize = 512;
        if text.len() > MAX_LENGTH {
            return None;
        }
        let json = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let (edition, position): (u8, P) = serde_json::from_slice(&json).ok()?;
        (edition == EDITION).then_some(Self(position))
    }
}

impl<'de, P: DeserializeOwned> Deserialize<'de> for Cursor<P> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let position = text.rsplit_once(LIST_SIGN);
        let ours = position.filter(|(_, list)| {
            CURRENT_LIST.get().is_some_and(|current| list.as_bytes() == current)
        });
        ours.and_then(|(position, _)| Self::parse(position))
            .ok_or_else(|| serde::de::Error::custom("the cursor is not from this list"))
    }
}

/// A list, as its cursors name it.
type ListName = [u8; 8];

/// Stands between a position and the name of its list.
const LIST_SIGN: char = '.';

thread_local! {
    /// The list whose query is being read on this thread.
    static CURRENT_LIST: Cell<Option<ListName>> = const { Cell::new(None) };
}

/// The name of the list a request reads: made of the address and of what gives its order.
fn name_list(request: &HttpRequest) -> ListName {
    let mut hash = Sha256::new_with_prefix(request.path());
    for (name, value) in form_urlencoded::parse(request.query_string().as_bytes()) {
        if matches!(name.as_ref(), "sort" | "order" | "by") {
            hash.update([b"\0", name.as_bytes(), b"=", value.as_bytes()].concat());
        }
    }
    let mut list = ListName::default();
    let digest = hash.finalize();
    let start = digest.first_chunk::<6>().copied().unwrap_or_default();
    // Six bytes are eight letters.
    let _ = BASE64_URL_SAFE_NO_PAD.encode_slice(start, &mut list);
    list
}

/// Reads the query of a request; cursors in it must be from the list it reads.
pub fn read_for_list<T>(request: &HttpRequest, read: impl FnOnce() -> T) -> T {
    let paged = request.query_string().contains("cursor=");
    CURRENT_LIST.set(paged.then(|| name_list(request)));
    let value = read();
    CURRENT_LIST.set(None);
    value
}

/// A position in a list, bound to the list a request reads.
pub fn bind_cursor(request: &HttpRequest, position: &str) -> String {
    let list = name_list(request);
    format!("{position}{LIST_SIGN}{}", std::str::from_utf8(&list).unwrap_or_default())
}

/// One page of a list.
#[derive(Serialize, ToSchema, Debug)]
pub struct Page<T> {
    /// The items, at most `limit`.
    pub items: Vec<T>,
    /// The `cursor` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "WzEsWzE3ODcyMzQ1Njc4OTAsIjAxOGYzZjVlIl1d")]
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// A page, and the position after which the next begins.
    pub fn new<P: Serialize>(items: Vec<T>, next: Option<P>) -> Self {
        Self { items, next: next.map(|position| Cursor(position).text()) }
    }

    /// Makes a page of up to `limit.probe()` rows: `position` gives the position of a row, `view`
    /// its view.
    pub fn from_rows<R, P: Serialize>(
        mut rows: Vec<R>,
        limit: Limit,
        position: impl FnOnce(&R) -> P,
        view: impl FnMut(R) -> T,
    ) -> Self {
        let most = usize::from(limit.get());
        let more = rows.len() > most;
        rows.truncate(most);
        let next = if more { rows.last().map(position) } else { None };
        Self::new(rows.into_iter().map(view).collect(), next)
    }
}

impl<T: Serialize> Responder for Page<T> {
    type Body = BoxBody;

    fn respond_to(mut self, request: &HttpRequest) -> HttpResponse<BoxBody> {
        self.next = self.next.map(|position| bind_cursor(request, &position));
        let mut response = HttpResponse::Ok().json(&self);
        let link = self.next.as_deref().map(|next| next_link(request, next));
        if let Some(Ok(link)) = link.map(|link| HeaderValue::from_str(&link)) {
            response.headers_mut().insert(LINK, link);
        }
        response
    }
}

/// The address of the next page: this one, with another cursor.
fn next_link(request: &HttpRequest, next: &str) -> String {
    let others = request
        .query_string()
        .split('&')
        .filter(|pair| !pair.is_empty() && pair.split('=').next() != Some("cursor"));
    let mut link = format!("<{}?", request.path());
    for pair in others {
        link.extend([pair, "&"]);
    }
    link.extend(["cursor=", next, ">; rel=\"next\""]);
    link
}

#[cfg(test)]
mod tests {
    use actix_web::{body::to_bytes, test::TestRequest};

    use super::*;

    type Position = (domain::Instant, uuid::Uuid);

    fn position() -> Position {
        let at = chrono::DateTime::from_timestamp_millis(1_787_234_567_890).unwrap();
        (at, uuid::Uuid::from_u128(7))
    }

    #[test]
    fn a_limit_is_bounded() {
        assert_eq!(Limit::default().get(), 20);
        assert!(Limit::try_from(1).is_ok() && Limit::try_from(100).is_ok());
        for bad in [0, 101, 256, u64::MAX] {
            assert!(Limit::try_from(bad).is_err());
        }
    }

    #[test]
    fn a_cursor_comes_back_as_it_went() {
        let text = Cursor(position()).text();
        assert_eq!(Cursor::parse(&text), Some(Cursor(position())));
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
    }

    #[test]
    fn an_altered_cursor_is_refused() {
        let text = Cursor(position()).text();
        let other = BASE64_URL_SAFE_NO_PAD.encode(r#"[2,["2026-08-21T00:00:00Z","x"]]"#);
        for bad in ["", "x", &text[1..], &text[..text.len() - 2], &other, &"A".repeat(10_000)] {
            assert_eq!(Cursor::<Position>::parse(bad), None, "{bad}");
        }
        assert_eq!(Cursor::<(u64, u64)>::parse(&text), None);
    }

    #[test]
    fn a_cursor_is_read_by_its_own_list_only() {
        let read = |uri: &str, text: &str| {
            let request = TestRequest::get().uri(&format!("{uri}&cursor={text}")).to_http_request();
            let value = serde_json::Value::from(text);
            read_for_list(&request, || serde_json::from_value::<Cursor<Position>>(value).is_ok())
        };
        let request = TestRequest::get().uri("/cases?limit=1&sort=due").to_http_request();
        let text = bind_cursor(&request, &Cursor(position()).text());
        assert!(read("/cases?sort=due", &text));
        assert!(read("/cases?open=true&sort=due", &text), "filters may change");
        let bare = Cursor(position()).text();
        for (uri, text) in [
            ("/reports?sort=due", text.as_str()),
            ("/cases?sort=filed", &text),
            ("/cases?sort=due", &bare),
            ("/cases?sort=due", &text[1..]),
            ("/cases?sort=due", "."),
        ] {
            assert!(!read(uri, text), "{uri} {text}");
        }
    }

    #[test]
    fn a_page_is_cut_where_one_more_was_found() {
        let limit = Limit::try_from(2).unwrap();
        let cut = |rows: Vec<u32>| Page::from_rows(rows, limit, |row| *row, |row| row * 10);
        let page = cut(vec![1, 2, 3]);
        assert_eq!((page.items, page.next), (vec![10, 20], Some(Cursor(2).text())));
        assert_eq!(cut(vec![1, 2]).next, None);
        assert_eq!(cut(vec![]).next, None);
    }

    #[actix_web::test]
    async fn the_next_page_keeps_the_filter() {
        let uri = "/api/v1/cases?limit=2&cursor=old&stage=filed%26";
        let request = TestRequest::get().uri(uri).to_http_request();
        let response = Page::new(vec![1], Some(7)).respond_to(&request);
        let next = bind_cursor(&request, &Cursor(7).text());
        assert_eq!(
            response.headers().get(LINK).unwrap(),
            &format!("</api/v1/cases?limit=2&stage=filed%26&cursor={next}>; rel=\"next\"")
        );
        let body = to_bytes(response.into_body()).await.unwrap();
        assert_eq!(body, format!(r#"{{"items":[1],"next":"{next}"}}"#).as_bytes());
        let last = Page::new(vec![1], None::<u8>).respond_to(&request);
        assert!(last.headers().get(LINK).is_none());
    }
}
