//! The language of an answer: Chinese, unless the caller prefers English.

use std::{convert::Infallible, future::Ready};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{
        ACCEPT_LANGUAGE, AcceptLanguage, HeaderMap, Preference, Quality, from_comma_delimited,
    },
};

/// A language this program speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Language {
    /// Chinese, the default.
    #[default]
    Zh,
    /// English, where `Accept-Language` prefers it.
    En,
}

impl Language {
    /// The language `Accept-Language` asks for: the best of its ranges by weight; of equal ones,
    /// the first. A language that is not available is skipped, and `*` is Chinese.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let given = from_comma_delimited(headers.get(ACCEPT_LANGUAGE).into_iter());
        let AcceptLanguage(ranges) = AcceptLanguage(given.unwrap_or_default());
        let spoken = ranges.iter().rev().filter(|range| range.quality > Quality::ZERO);
        let spoken = spoken.filter_map(|range| match &range.item {
            Preference::Any => Some((range.quality, Self::Zh)),
            Preference::Specific(tag) => match tag.primary_language() {
                primary if primary.eq_ignore_ascii_case("zh") => Some((range.quality, Self::Zh)),
                primary if primary.eq_ignore_ascii_case("en") => Some((range.quality, Self::En)),
                _ => None,
            },
        });
        // Of equal ones this takes the last, which is the first of the header.
        spoken.max_by_key(|(quality, _)| *quality).map_or(Self::Zh, |(_, language)| language)
    }

    /// The value of `Content-Language`.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Zh => "zh-CN",
            Self::En => "en",
        }
    }

    /// The one of two texts that is in this language.
    pub fn pick<T>(self, (zh, en): (T, T)) -> T {
        match self {
            Self::Zh => zh,
            Self::En => en,
        }
    }
}

impl FromRequest for Language {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(Ok(Self::from_headers(request.headers())))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn chinese_unless_english_is_preferred() {
        for (ranges, expected) in [
            ("", Language::Zh),
            ("zh-CN,zh;q=0.9,en;q=0.8", Language::Zh),
            ("en", Language::En),
            ("en-GB, zh;q=0.9", Language::En),
            ("en;q=0.8, zh-Hans;q=0.81", Language::Zh),
            ("EN-us;q=0.5,zh;q=0.499", Language::En),
            ("fr, de;q=0.9, en;q=0.1", Language::En),
            ("fr", Language::Zh),
            ("*", Language::Zh),
            ("en;q=0", Language::Zh),
            ("en;q=nonsense, *;q=0.1", Language::Zh),
            (";;;,,q=,", Language::Zh),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_static(ranges));
            assert_eq!(Language::from_headers(&headers), expected, "{ranges}");
        }
    }
}
