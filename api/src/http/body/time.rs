//! Times and days as clients write them: RFC 3339, to the millisecond, in years of four digits, and
//! without the 61st second that no clock of a phone shows.
//!
//! In bodies that have thousands of them they are read in a tenth of the time ([`instant`]);
//! whatever is written in another way is left to chrono, which also says what is wrong.

use std::fmt;

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, Timelike, Utc};
use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};

/// Of a text that is no day.
pub(crate) const NOT_A_DAY: &str = "a day is written as 2026-08-21";

/// Of a second that no clock shows.
pub(crate) const NO_SECOND: &str = "seconds are from 0 to 59";

/// Of a year that RFC 3339 cannot write.
pub(crate) const NO_YEAR: &str = "a year has four digits";

/// A time, checked and cut to milliseconds.
struct Moment(DateTime<FixedOffset>);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(given: D) -> Result<Self, D::Error> {
        let at = DateTime::<FixedOffset>::deserialize(given)?;
        cut_moment(at).map(Self).map_err(D::Error::custom)
    }
}

/// A time in a year of four digits, cut to the milliseconds that are kept.
fn cut_moment(at: DateTime<FixedOffset>) -> Result<DateTime<FixedOffset>, &'static str> {
    const MILLISECOND: u32 = 1_000_000;
    if at.nanosecond() >= 1000 * MILLISECOND {
        return Err(NO_SECOND);
    }
    if !(1..=9999).contains(&at.year()) || !(1..=9999).contains(&at.to_utc().year()) {
        return Err(NO_YEAR);
    }
    Ok(at.with_nanosecond(at.nanosecond() / MILLISECOND * MILLISECOND).unwrap_or(at))
}

/// Reads a time with its offset.
pub(crate) fn read_moment<'de, D, T>(given: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: From<DateTime<FixedOffset>>,
{
    Moment::deserialize(given).map(|moment| moment.0.into())
}

/// Reads a time with its offset, where there is one.
pub(crate) fn read_optional_moment<'de, D, T>(given: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: From<DateTime<FixedOffset>>,
{
    Ok(Option::<Moment>::deserialize(given)?.map(|moment| moment.0.into()))
}

/// A day, as it is written.
struct Day(NaiveDate);

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(given: D) -> Result<Self, D::Error> {
        let text = String::deserialize(given)?;
        let day = text.parse::<NaiveDate>().ok().filter(|day| (1..=9999).contains(&day.year()));
        day.map(Self).ok_or_else(|| D::Error::custom(NOT_A_DAY))
    }
}

/// Reads a day.
pub(crate) fn read_date<'de, D: Deserializer<'de>>(given: D) -> Result<NaiveDate, D::Error> {
    Day::deserialize(given).map(|day| day.0)
}

/// Reads a day, where there is one.
pub(crate) fn read_optional_date<'de, D: Deserializer<'de>>(
    given: D,
) -> Result<Option<NaiveDate>, D::Error> {
    Ok(Option::<Day>::deserialize(given)?.map(|day| day.0))
}

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
        if let Some(at) = parse_plain(text.as_bytes()) {
            return Ok(at);
        }
        let at = text.parse::<DateTime<FixedOffset>>().map_err(E::custom)?;
        Ok(cut_moment(at).map_err(E::custom)?.to_utc())
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

    #[test]
    fn a_time_is_one_that_clocks_show_to_the_millisecond() {
        let read = |text: &str| -> Result<DateTime<Utc>, String> {
            read_moment(serde_json::Value::from(text)).map_err(|error| error.to_string())
        };
        let cut = read("2026-03-03T08:31:00.123987654+08:00").unwrap();
        assert_eq!(cut.to_rfc3339(), "2026-03-03T00:31:00.123+00:00");
        for leap in ["2026-12-31T23:59:60Z", "2026-12-31T23:59:60.5Z", "2027-01-01T07:59:60+08:00"]
        {
            assert_eq!(read(leap), Err(NO_SECOND.to_owned()));
            assert!(instant(serde_json::Value::from(leap)).is_err());
        }
        for year in ["+10000-01-01T00:00:00Z", "9999-12-31T23:59:59-01:00"] {
            assert_eq!(read(year), Err(NO_YEAR.to_owned()));
        }
        assert!(read("9999-12-31T23:59:59Z").is_ok());
    }

    #[test]
    fn a_day_is_a_day() {
        let read = |text: &str| read_date(serde_json::Value::from(text)).ok();
        assert_eq!(read("2026-03-03"), NaiveDate::from_ymd_opt(2026, 3, 3));
        for text in
            ["2026-02-29", "2026-13-01", "03/03/2026", "", "+12026-03-03", "2026-03-03T00:00:00Z"]
        {
            let wrong = read_date(serde_json::Value::from(text)).unwrap_err();
            assert_eq!(wrong.to_string(), NOT_A_DAY, "{text}");
        }
        let none: Option<NaiveDate> = read_optional_date(serde_json::Value::Null).unwrap();
        assert_eq!(none, None);
    }
}
