//! How much a program may ask: one bucket a client, filled evenly, announced with every answer.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use domain::Instant;
use uuid::Uuid;

use crate::problem::{Code, Problem, Reply};

/// What is left after a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Allowance {
    /// Requests a minute.
    limit: u32,
    /// Requests that could follow at once.
    remaining: u32,
    /// Seconds until the bucket is full again.
    reset: u32,
}

/// The buckets, by client.
#[derive(Default)]
pub struct Quotas(Mutex<HashMap<Uuid, Bucket>>);

/// Thousandths of requests, so that filling it evenly needs no fractions.
struct Bucket {
    left: i64,
    at: Instant,
}

/// The most buckets kept; each belongs to a registered client.
const MOST: usize = 10_000;

impl Quotas {
    /// Takes one request of this client's, or says when there is one again.
    pub fn take(&self, client: Uuid, per_minute: u32, now: Instant) -> Reply<Allowance> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let full = i64::from(per_minute.max(1)) * 1000;
        if buckets.len() >= MOST && !buckets.contains_key(&client) {
            buckets.clear();
        }
        let bucket = buckets.entry(client).or_insert(Bucket { left: full, at: now });
        // A minute fills it; a clock that went back fills nothing.
        let passed = (now - bucket.at).num_milliseconds().clamp(0, 60_000);
        bucket.left = (bucket.left + full * passed / 60_000).min(full);
        bucket.at = now;
        let enough = bucket.left >= 1000;
        if enough {
            bucket.left -= 1000;
        }
        let seconds = |missing: i64| u32::try_from((missing * 60 + full - 1) / full).unwrap_or(60);
        let allowance = Allowance {
            limit: per_minute,
            remaining: u32::try_from(bucket.left / 1000).unwrap_or_default(),
            reset: seconds(full - bucket.left),
        };
        if enough {
            return Ok(allowance);
        }
        let wait = seconds(1000 - bucket.left).max(1);
        let mut problem = Problem::new(Code::TooManyRequests)
            .detail(
                format!("超过每分钟 {per_minute} 次的限额，请在 {wait} 秒后再试。"),
                format!("More than {per_minute} requests a minute; try again in {wait} seconds."),
            )
            .with("retry_after_s", wait)
            .header(RETRY_AFTER, &wait.to_string());
        for (name, value) in allowance.headers() {
            problem = problem.header(name, &value);
        }
        Err(problem)
    }
}

impl Allowance {
    /// The draft standard's headers and those everybody knows.
    fn headers(self) -> [(HeaderName, String); 5] {
        let Self { limit, remaining, reset } = self;
        [
            (HeaderName::from_static("ratelimit-policy"), format!("\"client\";q={limit};w=60")),
            (HeaderName::from_static("ratelimit"), format!("\"client\";r={remaining};t={reset}")),
            (HeaderName::from_static("x-ratelimit-limit"), limit.to_string()),
            (HeaderName::from_static("x-ratelimit-remaining"), remaining.to_string()),
            (HeaderName::from_static("x-ratelimit-reset"), reset.to_string()),
        ]
    }

    /// Announces it.
    pub fn announce(self, headers: &mut HeaderMap) {
        for (name, value) in self.headers() {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_evenly() {
        let (quotas, start) = (Quotas::default(), Instant::UNIX_EPOCH);
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        for left in (0..60).rev() {
            assert_eq!(quotas.take(one, 60, start).unwrap().remaining, left);
        }
        let problem = quotas.take(one, 60, start).unwrap_err();
        assert_eq!(problem.code(), Code::TooManyRequests);
        assert_eq!(quotas.take(other, 2, start).unwrap().remaining, 1);
        assert!(quotas.take(one, 60, start + Duration::from_millis(999)).is_err());
        let after = quotas.take(one, 60, start + Duration::from_secs(1)).unwrap();
        assert_eq!((after.remaining, after.reset), (0, 60));
        let rested = quotas.take(one, 60, start + Duration::from_mins(5)).unwrap();
        assert_eq!((rested.remaining, rested.reset), (59, 1));
    }
}
