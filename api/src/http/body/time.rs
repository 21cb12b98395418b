//! Times in bodies that have thousands of them: RFC 3339 as phones write it, parsed in a tenth of
//! the time; any other form is left to chrono, which also reports what is wrong.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{
    Deserializer,
    de::{Error, Visitor},
};

/// Reads a time with its offset (RFC 3339), as UTC.
pub(crate) fn instant<'de, D: Deserializer<'de>>(given: D) -> Result<DateTime<Utc>, D::Error> {
    given.deserialize_str(Text)
}

struct Text;

impl Visitor<'_> for Text {
    type Value = DateTime<Utc>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an RFC 3339 formatted date and time string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        match parse_plain(text.as_bytes()) {
            Some(at) => Ok(at),
            None => Ok(text.parse::<DateTime<chrono::FixedOffset>>().map_err(E::custom)?.to_utc()),
        }
    }
}

/// `2026-03-03T00:31:00Z`, with or without a fraction of up to nine digits; none of anything else.
fn parse_plain(text: &[u8]) -> Option<DateTime<Utc>> {
    let (
        &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', s1, s2],
        rest,
    ) = text.split_first_chunk::<19>()?
    else {
        return None;
    };
    let year = parse_digits(&[y1, y2, y3, y4])?;
    let date = NaiveDate::from_ymd_opt(
        i32::try_from(year).ok()?,
        parse_digits(&[m1, m2])?,
        parse_digits(&[d1, d2])?,
    )?;
    let nanos = match rest {
        b"Z" => 0,
        [b'.', digits @ .., b'Z'] if (1..=9).contains(&digits.len()) => {
            let missing = u32::try_from(9 - digits.len()).ok()?;
            parse_digits(digits)? * 10_u32.pow(missing)
        }
        _ => return None,
    };
    let (hour, minute) = (parse_digits(&[h1, h2])?, parse_digits(&[n1, n2])?);
    Some(date.and_hms_nano_opt(hour, minute, parse_digits(&[s1, s2])?, nanos)?.and_utc())
}

/// At most nine digits as a number.
fn parse_digits(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0_u32, |sum, digit| {
        digit.is_ascii_digit().then(|| sum * 10 + u32::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slowly(text: &str) -> Option<DateTime<Utc>> {
        text.parse::<DateTime<chrono::FixedOffset>>().ok().map(|at| at.to_utc())
    }

    #[test]
    fn what_is_read_quickly_is_what_chrono_reads() {
        let mut quick = 0;
        let days =
            ["2026-02-28", "2026-02-29", "2028-02-29", "2026-13-01", "2026-00-10", "0001-01-01"];
        let clocks =
            ["00:00:00", "23:59:59", "24:00:00", "12:60:00", "12:00:60", "1:00:00", "-1:00:00"];
        let ends =
            ["Z", ".5Z", ".123Z", ".123456789Z", ".1234567890Z", ".Z", "+08:00", ".250+08:00", ""];
        for text in days.iter().flat_map(|day| {
            clocks.iter().flat_map(move |clock| ends.map(|end| format!("{day}T{clock}{end}")))
        }) {
            if let Some(at) = parse_plain(text.as_bytes()) {
                assert_eq!(Some(at), slowly(&text), "{text}");
                quick += 1;
            }
        }
        assert_eq!(quick, 3 * 2 * 4);
    }

    #[test]
    fn the_rest_is_left_to_chrono() {
        let read = |text: &str| instant(serde_json::Value::from(text));
        assert_eq!(read("2026-03-03T08:31:00+08:00").ok(), slowly("2026-03-03T00:31:00Z"));
        let wrong = read("2026-02-29T00:00:00Z").unwrap_err().to_string();
        assert!(wrong.contains("out of range"), "{wrong}");
        assert!(instant(serde_json::Value::from(7)).is_err());
    }
}
