//! Data a camera wrote into a photo (Exif): when and where it was taken. All other data is ignored.

use chrono::{FixedOffset, NaiveDate, TimeZone, Utc};
use domain::Instant;
use exif::{DateTime, Exif, In, Reader, Tag, Value};

/// The data that is read.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(super) struct Notes {
    /// When it was taken, by the camera's clock; none where it cannot be read.
    pub(super) taken_at: Option<Instant>,
    /// Where it was taken: longitude and latitude in degrees.
    pub(super) place: Option<(f64, f64)>,
}

/// Reads a block of Exif; unreadable parts are left out.
pub(super) fn read(block: Vec<u8>) -> Notes {
    let read = Reader::new().continue_on_error(true).read_raw(block);
    // One invalid entry does not spoil the others.
    let read = read.or_else(|error| error.distill_partial_result(drop));
    let Ok(exif) = read else { return Notes::default() };
    Notes { taken_at: read_time(&exif), place: read_place(&exif) }
}

fn read_ascii(exif: &Exif, tag: Tag) -> Option<&[u8]> {
    let Value::Ascii(lines) = &exif.get_field(tag, In::PRIMARY)?.value else { return None };
    lines.first().map(Vec::as_slice)
}

fn read_time(exif: &Exif) -> Option<Instant> {
    /// The time zone of cameras that name none.
    const CHINA_S: i32 = 8 * 3600;
    let text =
        read_ascii(exif, Tag::DateTimeOriginal).or_else(|| read_ascii(exif, Tag::DateTime))?;
    let mut taken = DateTime::from_ascii(text).ok()?;
    if let Some(zone) = read_ascii(exif, Tag::OffsetTimeOriginal) {
        // An unreadable zone counts as none.
        let _ = taken.parse_offset(zone);
    }
    let day = NaiveDate::from_ymd_opt(taken.year.into(), taken.month.into(), taken.day.into())?;
    let local = day.and_hms_opt(taken.hour.into(), taken.minute.into(), taken.second.into())?;
    let zone = taken.offset.map_or(CHINA_S, |minutes| i32::from(minutes) * 60);
    let local = FixedOffset::east_opt(zone)?.from_local_datetime(&local).single()?;
    // A time before there were such cameras means that the clock was never set.
    (taken.year >= 1990).then(|| local.with_timezone(&Utc))
}

fn read_place(exif: &Exif) -> Option<(f64, f64)> {
    let lat = read_degrees(exif, Tag::GPSLatitude, Tag::GPSLatitudeRef, b"S", 90.0)?;
    let lng = read_degrees(exif, Tag::GPSLongitude, Tag::GPSLongitudeRef, b"W", 180.0)?;
    Some((lng, lat))
}

fn read_degrees(exif: &Exif, tag: Tag, side: Tag, negative: &[u8], most: f64) -> Option<f64> {
    let Value::Rational(parts) = &exif.get_field(tag, In::PRIMARY)?.value else { return None };
    let mut sum = 0.0;
    for (part, weight) in parts.iter().zip([1.0, 60.0, 3600.0]) {
        sum += part.to_f64() / weight;
    }
    let sum = if read_ascii(exif, side) == Some(negative) { -sum } else { sum };
    (!parts.is_empty() && sum.is_finite() && sum.abs() <= most).then_some(sum)
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
}
