//! Buckets that fill evenly, and the headers that announce them: those of the draft standard and
//! the common ones.

use std::{borrow::Cow, collections::HashMap, hash::Hash};

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use domain::Instant;

use crate::{
    app::config::Rate,
    http::problem::{Code, Problem},
};

/// What is left in a bucket after a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Allowance {
    /// The name of what is counted, as headers and problems write it.
    name: &'static str,
    /// How many a full bucket holds.
    limit: u32,
    /// In how many seconds an empty bucket is full.
    window: u32,
    /// How many could follow at once.
    pub(crate) remaining: u32,
    /// Seconds until the bucket is full again.
    pub(crate) reset: u32,
}

/// Thousandths in one: the unit for goods counted in parts, such as bytes.
pub const THOUSAND: i64 = 1000;

/// Units in one: with these, the refill per millisecond is a whole number of them (as many as the
/// refill per hour).
const ONE: i64 = 3_600_000;

/// The level of one bucket, as of a time.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: i64,
    at: Instant,
}

impl Rate {
    /// A rate of this many a minute, and no more at once.
    pub fn per_minute(number: u32) -> Self {
        let number = number.max(1);
        Self { at_once: number, an_hour: number.saturating_mul(60) }
    }

    fn capacity(self) -> i64 {
        i64::from(self.at_once) * ONE
    }

    /// In how many seconds this many units are refilled.
    fn seconds_to_refill(self, units: i64) -> u32 {
        let a_second = (i64::from(self.an_hour) * 1000).max(1);
        u32::try_from((units + a_second - 1) / a_second).unwrap_or(u32::MAX)
    }
}

impl Bucket {
    /// The present level. A clock that went back fills nothing.
    fn current_level(self, rate: Rate, now: Instant) -> i64 {
        const MONTH: i64 = 31 * 24 * 3_600_000;
        let passed = (now - self.at).num_milliseconds().clamp(0, MONTH);
        self.left.saturating_add(passed.saturating_mul(rate.an_hour.into())).min(rate.capacity())
    }
}

/// Buckets by owner and kind. When room is needed, the buckets unused for longest are removed: they
/// are the fullest.
#[derive(Debug)]
pub struct Buckets<K> {
    buckets: HashMap<K, Bucket>,
    most: usize,
}

impl<K: Hash + Eq> Buckets<K> {
    /// Buckets for at most this many keys.
    pub fn new(most: usize) -> Self {
        Self { buckets: HashMap::new(), most: most.max(2) }
    }

    /// Takes this many thousandths, or says in how many seconds they would be there. A request
    /// larger than a full bucket needs a full one, and leaves a debt.
    pub fn take(
        &mut self,
        key: K,
        (name, rate): (&'static str, Rate),
        thousandths: i64,
        now: Instant,
    ) -> Result<Allowance, (Allowance, u32)> {
        if self.buckets.len() >= self.most && !self.buckets.contains_key(&key) {
            self.evict_oldest();
        }
        let bucket = self.buckets.entry(key).or_insert(Bucket { left: rate.capacity(), at: now });
        let left = bucket.current_level(rate, now);
        let wanted = thousandths.max(0).saturating_mul(ONE / THOUSAND);
        let needed = wanted.min(rate.capacity());
        let enough = left >= needed;
        *bucket = Bucket { left: if enough { left - wanted } else { left }, at: now };
        let allowance = Allowance {
            name,
            limit: rate.at_once,
            window: rate.seconds_to_refill(rate.capacity()),
            remaining: u32::try_from((bucket.left / ONE).max(0)).unwrap_or_default(),
            reset: rate.seconds_to_refill(rate.capacity() - bucket.left),
        };
        if enough {
            Ok(allowance)
        } else {
            Err((allowance, rate.seconds_to_refill(needed - left).max(1)))
        }
    }

    /// Gives back this many thousandths.
    pub fn give_back(&mut self, key: &K, rate: Rate, thousandths: i64, now: Instant) {
        if let Some(bucket) = self.buckets.get_mut(key) {
            let more = thousandths.max(0).saturating_mul(ONE / THOUSAND);
            let left = bucket.current_level(rate, now).saturating_add(more).min(rate.capacity());
            *bucket = Bucket { left, at: now };
        }
    }

    /// Makes room: removes the half that was unused for longest.
    fn evict_oldest(&mut self) {
        let mut times: Vec<Instant> = self.buckets.values().map(|bucket| bucket.at).collect();
        let middle = times.len() / 2;
        let (_, median, _) = times.select_nth_unstable(middle);
        let median = *median;
        self.buckets.retain(|_, bucket| bucket.at > median);
    }

    /// How many there are.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.buckets.len()
    }
}

impl Allowance {
    fn headers(self) -> [(HeaderName, String); 5] {
        let Self { name, limit, window, remaining, reset } = self;
        [
            (
                HeaderName::from_static("ratelimit-policy"),
                format!("\"{name}\";q={limit};w={window}"),
            ),
            (HeaderName::from_static("ratelimit"), format!("\"{name}\";r={remaining};t={reset}")),
            (HeaderName::from_static("x-ratelimit-limit"), limit.to_string()),
            (HeaderName::from_static("x-ratelimit-remaining"), remaining.to_string()),
            (HeaderName::from_static("x-ratelimit-reset"), reset.to_string()),
        ]
    }

    /// Writes the headers, unless a refusal wrote its own.
    pub fn write_headers(self, headers: &mut HeaderMap) {
        if headers.contains_key("ratelimit") {
            return;
        }
        for (name, value) in self.headers() {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
    }

    /// The refusal when the bucket is empty, for this many seconds; `zh` and `en` name what is
    /// counted.
    pub fn into_problem(self, wait: u32, zh: &str, en: &str) -> Problem {
        let problem = too_many_requests(
            wait,
            format!("{zh}，请在 {wait} 秒后再试。"),
            format!("{en}; try again in {wait} seconds."),
        );
        let named = problem.with("limit", self.name);
        self.headers()
            .iter()
            .fold(named, |problem, (name, value)| problem.header(name.clone(), value))
    }
}

/// Refusal for this many seconds.
pub fn too_many_requests(
    seconds: u32,
    zh: impl Into<Cow<'static, str>>,
    en: impl Into<Cow<'static, str>>,
) -> Problem {
    Problem::new(Code::TooManyRequests)
        .detail(zh.into(), en.into())
        .with("retry_after_s", seconds)
        .header(RETRY_AFTER, &seconds.to_string())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const RATE: Rate = Rate { at_once: 3, an_hour: 7 };

    #[test]
    fn little_comes_back_however_often_somebody_asks() {
        let (mut buckets, start) = (Buckets::new(10), Instant::UNIX_EPOCH);
        for _ in 0..3 {
            buckets.take((), ("x", RATE), THOUSAND, start).unwrap();
        }
        let mut taken = 0;
        // Every 700 ms for an hour.
        for step in 1..=5142 {
            let now = start + Duration::from_millis(step * 700);
            taken += u32::from(buckets.take((), ("x", RATE), THOUSAND, now).is_ok());
        }
        assert_eq!(taken, 6);
        let now = start + Duration::from_hours(1);
        assert!(buckets.take((), ("x", RATE), THOUSAND, now).is_ok());
        let (allowance, wait) = buckets.take((), ("x", RATE), THOUSAND, now).unwrap_err();
        assert_eq!((allowance.remaining, wait), (0, 515));
    }

    #[test]
    fn what_is_more_than_a_bucket_needs_a_full_one() {
        let (mut buckets, start) = (Buckets::new(10), Instant::UNIX_EPOCH);
        let rate = Rate { at_once: 1, an_hour: 60 };
        buckets.take((), ("x", rate), 2500, start).unwrap();
        let (_, wait) = buckets.take((), ("x", rate), 1, start).unwrap_err();
        assert_eq!(wait, 91);
        let later = start + Duration::from_mins(2);
        assert!(buckets.take((), ("x", rate), 2500, later).is_err());
        assert!(buckets.take((), ("x", rate), 2500, later + Duration::from_secs(30)).is_ok());
    }

    #[test]
    fn there_are_no_more_buckets_than_were_said() {
        let (mut buckets, start) = (Buckets::new(100), Instant::UNIX_EPOCH);
        for number in 0..1000_u64 {
            let now = start + Duration::from_millis(number);
            buckets.take(number, ("x", RATE), THOUSAND, now).unwrap();
            assert!(buckets.len() <= 100);
        }
    }
}
