//! The quota of programs: one bucket a client, filled evenly, announced with every answer.

use std::sync::{Mutex, PoisonError};

use domain::Instant;
use uuid::Uuid;

use crate::{
    app::{
        allowance::{Allowance, Buckets, THOUSAND},
        config::Rate,
    },
    http::problem::Reply,
};

/// The buckets, by client.
pub struct Quotas(Mutex<Buckets<Uuid>>);

/// The most buckets kept; each belongs to a registered client.
const MOST: usize = 10_000;

impl Default for Quotas {
    fn default() -> Self {
        Self(Mutex::new(Buckets::new(MOST)))
    }
}

impl Quotas {
    /// Takes one request of this client, or refuses it with the time to retry.
    pub fn take_request(&self, client: Uuid, per_minute: u32, now: Instant) -> Reply<Allowance> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = buckets.take(client, ("client", Rate::per_minute(per_minute)), THOUSAND, now);
        taken.map_err(|(allowance, wait)| {
            allowance.into_problem(
                wait,
                &format!("超过每分钟 {per_minute} 次的限额"),
                &format!("The limit of {per_minute} requests a minute is exceeded"),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::http::problem::Code;

    #[test]
    fn a_bucket_empties_and_fills_evenly() {
        let (quotas, start) = (Quotas::default(), Instant::UNIX_EPOCH);
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        for left in (0..60).rev() {
            assert_eq!(quotas.take_request(one, 60, start).unwrap().remaining, left);
        }
        let problem = quotas.take_request(one, 60, start).unwrap_err();
        assert_eq!(problem.code(), Code::TooManyRequests);
        assert_eq!(quotas.take_request(other, 2, start).unwrap().remaining, 1);
        assert!(quotas.take_request(one, 60, start + Duration::from_millis(999)).is_err());
        let after = quotas.take_request(one, 60, start + Duration::from_secs(1)).unwrap();
        assert_eq!((after.remaining, after.reset), (0, 60));
        let rested = quotas.take_request(one, 60, start + Duration::from_mins(5)).unwrap();
        assert_eq!((rested.remaining, rested.reset), (59, 1));
    }
}
