//! The language of an answer: Chinese, unless the caller prefers English.

use std::{convert::Infallible, future::Ready};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{ACCEPT_LANGUAGE, HeaderMap},
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
    /// What `Accept-Language` asks for.
    pub fn of(headers: &HeaderMap) -> Self {
        let Some(value) = headers.get(ACCEPT_LANGUAGE) else { return Self::Zh };
        value.to_str().map_or(Self::Zh, Self::preferred)
    }

    /// The best of a list of ranges by weight; of equal ones, the first. A range we do not
    /// speak is passed over, and `*` is Chinese.
    fn preferred(ranges: &str) -> Self {
        let mut best = (0, Self::Zh);
        for range in ranges.split(',') {
            let mut parts = range.split(';');
            let tag = parts.next().unwrap_or_default().trim();
            let primary = tag.split('-').next().unwrap_or_default();
            let language = if primary.eq_ignore_ascii_case("en") {
                Self::En
            } else if primary.eq_ignore_ascii_case("zh") || primary == "*" {
                Self::Zh
            } else {
                continue;
            };
            let weight = parts.find_map(|part| part.trim().strip_prefix("q=")).map_or(1000, weight);
            if weight > best.0 {
                best = (weight, language);
            }
        }
        best.1
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

/// A `qvalue` in thousandths; one that cannot be read counts as refused.
fn weight(text: &str) -> u16 {
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let thousandths = fraction.bytes().chain(*b"000").take(3).try_fold(0, |sum: u16, digit| {
        digit.is_ascii_digit().then(|| sum * 10 + u16::from(digit - b'0'))
    });
    match (whole, thousandths) {
        ("1", Some(0)) => 1000,
        ("0", Some(thousandths)) if fraction.len() <= 3 => thousandths,
        _ => 0,
    }
}

impl FromRequest for Language {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(Ok(Self::of(request.headers())))
    }
}

#[cfg(test)]
mod tests {
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
            assert_eq!(Language::preferred(ranges), expected, "{ranges}");
        }
    }
}
