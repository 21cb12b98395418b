//! How often somebody may try: token buckets in memory, for logins.
//!
//! One bucket for an address and an account together stops guessing at one account; a larger one
//! for the address stops guessing at many. A third, for an account from everywhere, slows down
//! those who guess from many addresses; who comes from where the owner logged in before is not
//! held up by it, so nobody is locked out by strangers. The table is bounded, and forgets those
//! first who have waited longest.

use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::BuildHasher,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use actix_web::{
    HttpRequest,
    http::header::{HeaderName, RETRY_AFTER},
};
use domain::Instant;

use crate::problem::{Code, Problem, Reply};

/// How many tries at once, and how long until one more.
#[derive(Clone, Copy, Debug)]
struct Rate {
    burst: f64,
    every: Duration,
}

/// Ten wrong passwords for one account from one address, then one every half minute.
const ACCOUNT: Rate = Rate { burst: 10.0, every: Duration::from_secs(30) };

/// An office or a mobile network shares an address, so it gets far more.
const ADDRESS: Rate = Rate { burst: 200.0, every: Duration::from_secs(1) };

/// Thirty tries at an account from anywhere, then one every ten seconds for all strangers.
const SPREAD: Rate = Rate { burst: 30.0, every: Duration::from_secs(10) };

/// The most buckets kept.
const MOST: usize = 20_000;

/// A bucket: what was left in it when it was last looked at.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    fn filled(self, rate: Rate, now: Instant) -> f64 {
        // A clock that went back gives nothing, and takes nothing.
        let passed = (now - self.at).to_std().unwrap_or_default();
        let gained = passed.div_duration_f64(rate.every);
        (self.left + gained).min(rate.burst)
    }
}

/// The tries of everybody.
#[derive(Debug, Default)]
pub struct Attempts {
    buckets: Mutex<HashMap<u64, Bucket>>,
    hasher: RandomState,
}

impl Attempts {
    /// A table without anybody in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a try, or says how long to wait. Call it before the password is looked at.
    pub fn attempt(&self, address: IpAddr, account: &str, now: Instant) -> Reply<()> {
        let (one, all) = self.keys(address, account);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = wait(&buckets, one, ACCOUNT, now).max(wait(&buckets, all, ADDRESS, now));
        if wait > Duration::ZERO {
            return Err(too_many(wait));
        }
        for (key, rate) in [(one, ACCOUNT), (all, ADDRESS)] {
            put(&mut buckets, key, rate, now);
        }
        Ok(())
    }

    /// Counts a try from an address, whoever it is for.
    pub fn from_address(&self, address: IpAddr, now: Instant) -> Reply<()> {
        let (_, all) = self.keys(address, "");
        self.take(all, ADDRESS, now)
    }

    /// Counts a try at an account from wherever it comes, or says how long strangers wait.
    pub fn spread(&self, account: &str, now: Instant) -> Reply<()> {
        self.take(self.hasher.hash_one(("spread", folded(account))), SPREAD, now)
    }

    /// Counts a try at something that is guessed at from within, such as a code.
    pub fn attempt_alone(&self, what: &str, now: Instant) -> Reply<()> {
        self.take(self.hasher.hash_one(("alone", what)), ACCOUNT, now)
    }

    fn take(&self, key: u64, rate: Rate, now: Instant) -> Reply<()> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = wait(&buckets, key, rate, now);
        if wait > Duration::ZERO {
            return Err(too_many(wait));
        }
        put(&mut buckets, key, rate, now);
        Ok(())
    }

    /// Forgets the tries at an account from an address: the password was right.
    pub fn succeeded(&self, address: IpAddr, account: &str) {
        let (one, _) = self.keys(address, account);
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner).remove(&one);
    }

    /// Accounts are not kept, only keyed digests of them.
    fn keys(&self, address: IpAddr, account: &str) -> (u64, u64) {
        let network = network(address);
        let account = folded(account);
        (
            self.hasher.hash_one((network, Some(account))),
            self.hasher.hash_one((network, None::<&str>)),
        )
    }
}

fn folded(account: &str) -> String {
    account.trim().to_lowercase()
}

fn put(buckets: &mut HashMap<u64, Bucket>, key: u64, rate: Rate, now: Instant) {
    let left = left(buckets, key, rate, now) - 1.0;
    if buckets.len() >= MOST && !buckets.contains_key(&key) {
        forget(buckets);
    }
    buckets.insert(key, Bucket { left, at: now });
}

fn left(buckets: &HashMap<u64, Bucket>, key: u64, rate: Rate, now: Instant) -> f64 {
    buckets.get(&key).map_or(rate.burst, |bucket| bucket.filled(rate, now))
}

/// How long until there is one more try.
fn wait(buckets: &HashMap<u64, Bucket>, key: u64, rate: Rate, now: Instant) -> Duration {
    let left = left(buckets, key, rate, now);
    if left >= 1.0 { Duration::ZERO } else { rate.every.mul_f64(1.0 - left) }
}

/// Makes room: whoever has not tried for longest has the fullest bucket.
fn forget(buckets: &mut HashMap<u64, Bucket>) {
    let mut times: Vec<Instant> = buckets.values().map(|bucket| bucket.at).collect();
    let middle = times.len() / 2;
    let (_, median, _) = times.select_nth_unstable(middle);
    let median = *median;
    buckets.retain(|_, bucket| bucket.at > median);
}

fn too_many(wait: Duration) -> Problem {
    let seconds = wait.as_secs() + 1;
    Problem::new(Code::TooManyRequests)
        .detail(
            format!("尝试太频繁，请在 {seconds} 秒后再试。"),
            format!("Too many attempts; try again in {seconds} seconds."),
        )
        .with("retry_after_s", seconds)
        .header(RETRY_AFTER, &seconds.to_string())
}

/// Whoever has one IPv6 address has the other 2⁶⁴ of its network too.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => {
            let [a, b, c, d, ..] = six.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        four @ IpAddr::V4(_) => four,
    }
}

/// Where a request comes from: past `proxies` reverse proxies that add to `X-Forwarded-For`.
///
/// What stands left of what our own proxies wrote is the caller's invention and is not looked at.
pub fn address(request: &HttpRequest, proxies: u8) -> IpAddr {
    const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-for");
    let peer = request.peer_addr().map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |peer| peer.ip());
    let Some(hops) = usize::from(proxies).checked_sub(1) else { return peer };
    let lists = request.headers().get_all(&FORWARDED).filter_map(|value| value.to_str().ok());
    let hosts: Vec<_> = lists.flat_map(|list| list.split(',')).map(str::trim).collect();
    let host = hosts.iter().rev().nth(hops).or(hosts.first());
    host.and_then(|host| host.parse().ok()).unwrap_or(peer)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn guessing_is_slowed_down_and_forgiven() {
        let (attempts, start) = (Attempts::new(), Instant::UNIX_EPOCH);
        for _ in 0..10 {
            attempts.attempt(HOME, "admin", start).unwrap();
        }
        assert_eq!(
            attempts.attempt(HOME, "ADMIN ", start).unwrap_err().code(),
            Code::TooManyRequests
        );
        attempts.attempt(HOME, "other", start).unwrap();
        attempts.attempt("192.0.2.2".parse().unwrap(), "admin", start).unwrap();
        let later = start + Duration::from_secs(30);
        attempts.attempt(HOME, "admin", later).unwrap();
        assert!(attempts.attempt(HOME, "admin", later).is_err());
        attempts.succeeded(HOME, "admin");
        attempts.attempt(HOME, "admin", later).unwrap();
    }

    #[test]
    fn an_address_has_a_bound_of_its_own() {
        let (attempts, start) = (Attempts::new(), Instant::UNIX_EPOCH);
        let tried = (0..300).filter(|n| attempts.attempt(HOME, &n.to_string(), start).is_ok());
        assert_eq!(tried.count(), 200);
    }

    #[test]
    fn guessing_from_everywhere_is_slowed_down_for_strangers() {
        let (attempts, start) = (Attempts::new(), Instant::UNIX_EPOCH);
        let tried = (0..100).filter(|_| attempts.spread("admin", start).is_ok());
        assert_eq!(tried.count(), 30);
        assert!(attempts.spread("other", start).is_ok());
        assert!(attempts.spread("ADMIN", start + Duration::from_secs(10)).is_ok());
        assert!((0..10).all(|_| attempts.attempt_alone("code", start).is_ok()));
        assert!(attempts.attempt_alone("code", start).is_err());
    }

    #[test]
    fn the_table_is_bounded() {
        let (attempts, mut now) = (Attempts::new(), Instant::UNIX_EPOCH);
        for n in 0..30_000_u32 {
            now += Duration::from_millis(1);
            attempts.attempt(IpAddr::V4(n.into()), "x", now).unwrap();
            assert!(attempts.buckets.lock().unwrap().len() <= MOST);
        }
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let one: IpAddr = "2001:db8:1:2::1".parse().unwrap();
        let two: IpAddr = "2001:db8:1:2:ffff::2".parse().unwrap();
        let far: IpAddr = "2001:db8:1:3::1".parse().unwrap();
        assert_eq!(network(one), network(two));
        assert_ne!(network(one), network(far));
        assert_eq!(network("::ffff:192.0.2.1".parse().unwrap()), HOME);
    }

    #[test]
    fn only_our_own_proxies_are_believed() {
        let peer = "10.0.0.9:1234".parse().unwrap();
        let request = |list: &'static str| {
            TestRequest::default()
                .peer_addr(peer)
                .insert_header(("X-Forwarded-For", list))
                .to_http_request()
        };
        let lied = request("1.1.1.1, 192.0.2.1");
        assert_eq!(address(&lied, 0), peer.ip());
        assert_eq!(address(&lied, 1), HOME);
        assert_eq!(address(&request("192.0.2.1, 10.0.0.8"), 2), HOME);
        assert_eq!(address(&request("192.0.2.1"), 2), HOME);
        assert_eq!(address(&request("unknown"), 1), peer.ip());
    }
}
