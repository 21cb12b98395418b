//! Instants and days: arithmetic that does not overflow, and the local time of China.

use chrono::{DateTime, Duration, FixedOffset, NaiveDate, Utc};

/// A moment in UTC, cut to milliseconds by the caller that makes it.
pub type Instant = DateTime<Utc>;

/// `start` plus `length`, at most the latest instant.
pub fn saturating_add(start: Instant, length: Duration) -> Instant {
    start.checked_add_signed(length).unwrap_or(Instant::MAX_UTC)
}

/// `start` minus `length`, at least the earliest instant.
pub fn saturating_sub(start: Instant, length: Duration) -> Instant {
    start.checked_sub_signed(length).unwrap_or(Instant::MIN_UTC)
}

/// The calendar day of an instant in China, which has one time zone and no summer time.
pub fn local_day(at: Instant) -> NaiveDate {
    to_local(at).date_naive()
}

/// An instant in the local time of China.
pub fn to_local(at: Instant) -> DateTime<FixedOffset> {
    const EAST: i32 = 8 * 3600;
    match FixedOffset::east_opt(EAST) {
        Some(offset) => at.with_timezone(&offset),
        None => at.fixed_offset(),
    }
}
