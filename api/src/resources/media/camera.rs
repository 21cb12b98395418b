//! What a camera wrote into a photo (Exif, XMP): when and where it was taken, and how it lies. The
//! rest is left behind.
//!
//! Places are read as telephones write them, which is not always as the standard says: degrees with
//! decimals and nothing after them, zero of zero where there are no seconds, numbers with a sign or
//! as text, sides missing, in small letters or as words.

use chrono::{FixedOffset, NaiveDate, TimeZone, Utc};
use domain::Instant;
use exif::{DateTime, Exif, In, Reader, Tag, Value};

/// What is read.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(super) struct Notes {
    /// When it was taken, by the camera's clock; none where it cannot be read.
    pub(super) taken_at: Option<Instant>,
    /// Where: longitude and latitude in degrees.
    pub(super) place: Option<(f64, f64)>,
    /// How it is to be turned, 1 to 8.
    pub(super) orientation: Option<u8>,
}

/// Reads a block of Exif; what cannot be read is left out.
pub(super) fn read(mut block: Vec<u8>) -> Notes {
    /// What stands before the block in a JPEG, and before that of a WebP by mistake.
    const MARK: &[u8] = b"Exif\0\0";
    if block.starts_with(MARK) {
        block.drain(..MARK.len());
    }
    let read = Reader::new().continue_on_error(true).read_raw(block);
    // One entry that makes no sense does not spoil the others.
    let read = read.or_else(|error| error.distill_partial_result(drop));
    let Ok(exif) = read else { return Notes::default() };
    let orientation = exif.get_field(Tag::Orientation, In::PRIMARY);
    let orientation = orientation.and_then(|field| field.value.get_uint(0));
    let orientation = orientation.and_then(|way| u8::try_from(way).ok());
    Notes { taken_at: read_time(&exif), place: read_place(&exif), orientation }
}

/// Where a photo was taken, as its XMP says it: programs that change photos write it there alone.
pub(super) fn read_xmp_place(xmp: &[u8]) -> Option<(f64, f64)> {
    let text = String::from_utf8_lossy(xmp);
    let angle = |name: &str| {
        let after = text.split_once(&format!("exif:{name}"))?.1.trim_start();
        let value = match after.strip_prefix('=') {
            Some(quoted) => {
                let quoted = quoted.trim_start();
                let quote = quoted.chars().next().filter(|c| matches!(c, '"' | '\''))?;
                quoted.get(1..)?.split(quote).next()?
            }
            None => after.strip_prefix('>')?.split('<').next()?,
        };
        Angle::from_text(value.as_bytes())
    };
    join_place(angle("GPSLatitude")?.degrees(None)?, angle("GPSLongitude")?.degrees(None)?)
}

fn read_ascii(exif: &Exif, tag: Tag) -> Option<&[u8]> {
    let Value::Ascii(lines) = &exif.get_field(tag, In::PRIMARY)?.value else { return None };
    lines.first().map(Vec::as_slice)
}

fn read_time(exif: &Exif) -> Option<Instant> {
    /// Cameras that name no zone mean the one they are in.
    const CHINA_S: i32 = 8 * 3600;
    let text =
        read_ascii(exif, Tag::DateTimeOriginal).or_else(|| read_ascii(exif, Tag::DateTime))?;
    let mut taken = DateTime::from_ascii(text).ok()?;
    if let Some(zone) = read_ascii(exif, Tag::OffsetTimeOriginal) {
        // A zone that cannot be read is none.
        let _ = taken.parse_offset(zone);
    }
    let day = NaiveDate::from_ymd_opt(taken.year.into(), taken.month.into(), taken.day.into())?;
    let local = day.and_hms_opt(taken.hour.into(), taken.minute.into(), taken.second.into())?;
    let zone = taken.offset.map_or(CHINA_S, |minutes| i32::from(minutes) * 60);
    let local = FixedOffset::east_opt(zone)?.from_local_datetime(&local).single()?;
    // Before there were such cameras the clock was never set.
    (taken.year >= 1990).then(|| local.with_timezone(&Utc))
}

fn read_place(exif: &Exif) -> Option<(f64, f64)> {
    let lat = read_degrees(exif, Tag::GPSLatitude, Tag::GPSLatitudeRef)?;
    let lng = read_degrees(exif, Tag::GPSLongitude, Tag::GPSLongitudeRef)?;
    join_place(lat, lng)
}

/// Longitude and latitude; none of what lies nowhere. Zero and zero is what a camera writes that
/// did not know where it was.
fn join_place(lat: f64, lng: f64) -> Option<(f64, f64)> {
    let known = lat.abs() > 1e-6 || lng.abs() > 1e-6;
    (known && lat.abs() <= 90.0 && lng.abs() <= 180.0).then_some((lng, lat))
}

fn read_degrees(exif: &Exif, tag: Tag, side: Tag) -> Option<f64> {
    let side = exif.get_field(side, In::PRIMARY).and_then(|field| match &field.value {
        Value::Ascii(lines) => find_side(lines.first()?),
        Value::Byte(bytes) | Value::Undefined(bytes, _) => find_side(bytes),
        Value::Short(_)
        | Value::Long(_)
        | Value::Rational(_)
        | Value::SByte(_)
        | Value::SShort(_)
        | Value::SLong(_)
        | Value::SRational(_)
        | Value::Float(_)
        | Value::Double(_)
        | Value::Unknown(..) => None,
    });
    Angle::from_value(&exif.get_field(tag, In::PRIMARY)?.value)?.degrees(side)
}

/// Whether a side is south or west; none where it is no side.
fn find_side(text: &[u8]) -> Option<bool> {
    let text = String::from_utf8_lossy(text);
    match text.trim_matches(|c: char| c.is_whitespace() || c == '\0').chars().next()? {
        'S' | 's' | 'W' | 'w' | '南' | '西' => Some(true),
        'N' | 'n' | 'E' | 'e' | '北' | '东' => Some(false),
        _ => None,
    }
}

/// An angle as it was written: degrees, minutes and seconds as far as there are any, and its side.
struct Angle {
    parts: Vec<f64>,
    side: Option<bool>,
}

impl Angle {
    fn from_value(value: &Value) -> Option<Self> {
        // Zero seconds are often written as zero of zero; of degrees that says nothing.
        let quotient = |(at, over, under): (usize, f64, f64)| match (at, under == 0.0) {
            (_, false) => over / under,
            (0, true) => f64::NAN,
            (_, true) => 0.0,
        };
        let parts: Vec<f64> = match value {
            Value::Rational(parts) => parts
                .iter()
                .enumerate()
                .map(|(at, part)| quotient((at, part.num.into(), part.denom.into())))
                .collect(),
            Value::SRational(parts) => parts
                .iter()
                .enumerate()
                .map(|(at, part)| quotient((at, part.num.into(), part.denom.into())))
                .collect(),
            Value::Float(parts) => parts.iter().map(|part| f64::from(*part)).collect(),
            Value::Double(parts) => parts.clone(),
            Value::Byte(parts) => parts.iter().map(|part| f64::from(*part)).collect(),
            Value::Short(parts) => parts.iter().map(|part| f64::from(*part)).collect(),
            Value::Long(parts) => parts.iter().map(|part| f64::from(*part)).collect(),
            Value::SLong(parts) => parts.iter().map(|part| f64::from(*part)).collect(),
            Value::Ascii(lines) => return Self::from_text(&lines.join(&b' ')),
            Value::SByte(_) | Value::Undefined(..) | Value::SShort(_) | Value::Unknown(..) => {
                return None;
            }
        };
        Some(Self { parts, side: None })
    }

    /// Of text: numbers and fractions with anything between them, a sign before or a side beside.
    fn from_text(text: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(text);
        let number = |c: char| c.is_ascii_digit() || matches!(c, '.' | '/' | '-' | '+');
        let words = text.split(|c: char| !number(c));
        let words = words.filter(|word| word.contains(|c: char| c.is_ascii_digit()));
        let value = |(at, word): (usize, &str)| -> Option<f64> {
            let Some((over, under)) = word.split_once('/') else { return word.parse().ok() };
            let (over, under): (f64, f64) = (over.parse().ok()?, under.parse().ok()?);
            if under == 0.0 && at > 0 { Some(0.0) } else { Some(over / under) }
        };
        let parts = words.take(4).enumerate().map(value).collect::<Option<Vec<f64>>>()?;
        let letters: Vec<char> = text.chars().filter(|c| c.is_alphabetic()).collect();
        let ends = [letters.first(), letters.last()].into_iter().flatten();
        let side = ends.copied().find_map(|letter| find_side(letter.to_string().as_bytes()));
        Some(Self { parts, side })
    }

    /// In degrees, negative to the south and the west. Who names no side means the north and the
    /// east, unless there is a sign.
    fn degrees(&self, side: Option<bool>) -> Option<f64> {
        let (first, rest) = self.parts.split_first()?;
        let small = |part: &f64| (0.0..=60.0).contains(part);
        if self.parts.len() > 3 || !rest.iter().all(small) {
            return None;
        }
        let more = rest.iter().zip([60.0, 3600.0]).map(|(part, of)| part / of).sum::<f64>();
        let sum = first.abs() + more;
        let negative = first.is_sign_negative() || side.or(self.side) == Some(true);
        sum.is_finite().then_some(if negative { -sum } else { sum })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_spoils_nothing_else() {
        let file = include_bytes!("../../../../tests/data/images/ok/exif_gps.jpg");
        let at = file.windows(6).position(|six| six == b"Exif\0\0").unwrap() + 6;
        let notes = read(file[at..].to_vec());
        assert_eq!(notes.taken_at.unwrap().to_rfc3339(), "2099-09-29T02:10:10+00:00");
        assert_eq!(notes.place, None);
        for length in 0..400 {
            let _ = read(file[at..at + length].to_vec());
        }
    }

    /// A block with a place in it, each value of a type with its bytes.
    fn block(values: [(u16, u32, &[u8]); 4]) -> Vec<u8> {
        let mut bytes =
            b"MM\0*\0\0\0\x08\0\x01\x88\x25\0\x04\0\0\0\x01\0\0\0\x1a\0\0\0\0\0\x04".to_vec();
        let mut after = 26 + 2 + 4 * 12 + 4;
        let mut data = Vec::new();
        for (tag, (kind, count, value)) in (1_u16..).zip(values) {
            bytes.extend(tag.to_be_bytes());
            bytes.extend(kind.to_be_bytes());
            bytes.extend(count.to_be_bytes());
            if value.len() <= 4 {
                bytes.extend(value);
                bytes.extend(vec![0; 4 - value.len()]);
            } else {
                bytes.extend(u32::try_from(after).unwrap().to_be_bytes());
                after += value.len();
                data.extend(value);
            }
        }
        [bytes, vec![0; 4], data].concat()
    }

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    const ASCII: u16 = 2;
    const RATIONAL: u16 = 5;
    const SIGNED: u16 = 10;

    #[track_caller]
    fn expect_place(values: [(u16, u32, &[u8]); 4], expected: Option<(f64, f64)>) {
        let place = read(block(values)).place;
        let (lng, lat) = place.unwrap_or_default();
        let (east, north) = expected.unwrap_or_default();
        assert_eq!(place.is_some(), expected.is_some(), "{place:?}");
        assert!((lng - east).abs() < 1e-6 && (lat - north).abs() < 1e-6, "{place:?}");
    }

    #[test]
    fn places_are_read_as_telephones_write_them() {
        let (north, east): (&[u8], &[u8]) = (b"N\0", b"E\0");
        let (lat, lng) = (words(&[30, 1, 13, 1, 1620, 100]), words(&[115, 1, 5, 1, 2430, 100]));
        let here = Some((115.090_083_333, 30.221_166_667));
        let usual =
            |n, lat, e, lng| [(ASCII, 2, n), (RATIONAL, 3, lat), (ASCII, 2, e), (RATIONAL, 3, lng)];
        expect_place(usual(north, &lat, east, &lng), here);
        expect_place(usual(b"s\0", &lat, b"w\0", &lng), Some((-115.090_083_333, -30.221_166_667)));
        // No side, or one that says nothing.
        expect_place(usual(b"\0\0", &lat, b" \0", &lng), here);
        let south = [
            (ASCII, 6, &b"South\0"[..]),
            (RATIONAL, 3, &lat),
            (ASCII, 5, b"West\0"),
            (RATIONAL, 3, &lng),
        ];
        expect_place(south, Some((-115.090_083_333, -30.221_166_667)));
        // Zero of zero for what is not there.
        let (lat, lng) = (words(&[30, 1, 1327, 100, 0, 0]), words(&[115, 1, 0, 0, 0, 0]));
        expect_place(usual(north, &lat, east, &lng), Some((115.0, 30.0 + 13.27 / 60.0)));
        // Degrees with decimals in the first number, which may be the only one.
        let (lat, lng) =
            (words(&[302_211, 10_000, 0, 1, 0, 1]), words(&[1_150_902, 10_000, 0, 0, 0, 0]));
        expect_place(usual(north, &lat, east, &lng), Some((115.0902, 30.2211)));
        let alone = [
            (ASCII, 2, north),
            (RATIONAL, 1, &lat[..8]),
            (ASCII, 2, east),
            (RATIONAL, 1, &lng[..8]),
        ];
        expect_place(alone, Some((115.0902, 30.2211)));
        // With a sign.
        let signed = words(&[(-302_211_i32).cast_unsigned(), 10_000]);
        let one = [
            (ASCII, 2, &b"\0\0"[..]),
            (SIGNED, 1, &signed),
            (ASCII, 2, east),
            (RATIONAL, 1, &lng[..8]),
        ];
        expect_place(one, Some((115.0902, -30.2211)));
        // As text.
        for (lat, lng) in [
            ("30.2211\0", "115.0902\0"),
            ("30,13.266N\0", "115,5.412E\0"),
            ("30 deg 13' 15.96\" N\0", "115 deg 5' 24.72\" E\0"),
            ("30/1,13/1,1596/100\0", "115/1,5/1,2472/100\0"),
        ] {
            let count = |text: &str| u32::try_from(text.len()).unwrap();
            let text = [
                (ASCII, 2, north),
                (ASCII, count(lat), lat.as_bytes()),
                (ASCII, 2, east),
                (ASCII, count(lng), lng.as_bytes()),
            ];
            expect_place(text, Some((115.0902, 30.2211)));
        }
    }

    #[test]
    fn a_camera_that_did_not_know_says_nothing() {
        let usual = |lat, lng| {
            [
                (ASCII, 2, &b"N\0"[..]),
                (RATIONAL, 3, lat),
                (ASCII, 2, &b"E\0"[..]),
                (RATIONAL, 3, lng),
            ]
        };
        let zero = words(&[0, 1, 0, 1, 0, 1]);
        expect_place(usual(&zero, &zero), None);
        let nothing = words(&[0, 0, 0, 0, 0, 0]);
        expect_place(usual(&nothing, &nothing), None);
        let far = words(&[300, 1, 0, 1, 0, 1]);
        expect_place(usual(&far, &far), None);
        let odd = words(&[30, 1, 90, 1, 0, 1]);
        expect_place(usual(&odd, &odd), None);
    }

    #[test]
    fn a_place_in_xmp_is_read() {
        for xmp in [
            r#"<rdf:Description exif:GPSLatitude="30,13.266N" exif:GPSLongitude = '115,5.412E'/>"#,
            "<exif:GPSLatitude>30,13,15.96N</exif:GPSLatitude><exif:GPSLongitude>115.0902</exif:GPSLongitude>",
        ] {
            let (lng, lat) = read_xmp_place(xmp.as_bytes()).unwrap();
            assert!((lng - 115.0902).abs() < 1e-6 && (lat - 30.2211).abs() < 1e-6, "{lng} {lat}");
        }
        assert_eq!(read_xmp_place(b"exif:GPSLatitude=\"0,0N\" exif:GPSLongitude=\"0,0E\""), None);
        assert_eq!(read_xmp_place(b"exif:GPSLatitude=\""), None);
    }

    #[test]
    fn a_block_with_its_mark_is_read_like_one_without() {
        let bytes = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0".to_vec();
        assert_eq!(read(bytes.clone()).orientation, Some(6));
        assert_eq!(read([b"Exif\0\0".to_vec(), bytes].concat()).orientation, Some(6));
    }
}
