//! How often a client may try to log in: token buckets in memory.
//!
//! One bucket for an address and an account together stops guessing at one account; a larger one
//! for the address stops guessing at many. A third, for an account from everywhere, slows down
//! those who guess from many addresses. What finds a bucket empty is not refused, because it may be
//! the owner after strangers tried: it waits in a lane, where tries are let through one after the
//! other at a pace that makes guessing hopeless. A lane is as long as a client may be made to wait;
//! only a client that would wait longer is refused, with the time to retry. The tables are bounded,
//! and forget the buckets unused for longest first.

use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::BuildHasher,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::{Mutex, Once, PoisonError},
    time::Duration,
};

use actix_web::{
    HttpRequest,
    http::header::{HeaderName, RETRY_AFTER},
};
use domain::Instant;

use crate::http::problem::{Code, Problem, Reply};

/// How many attempts at once, and how long until one more.
#[derive(Clone, Copy, Debug)]
struct Rate {
    burst: f64,
    every: Duration,
}

/// Ten wrong passwords for one account from one address, then one every half minute.
const ACCOUNT: Rate = Rate { burst: 10.0, every: Duration::from_secs(30) };

/// An office or a mobile network shares an address, so it gets far more.
const ADDRESS: Rate = Rate { burst: 200.0, every: Duration::from_secs(1) };

/// Thirty attempts at an account from anywhere, then one every ten seconds for all strangers.
const SPREAD: Rate = Rate { burst: 30.0, every: Duration::from_secs(10) };

/// How fast a lane lets attempts through, and how long one waits in it at most.
#[derive(Clone, Copy, Debug)]
struct Pace {
    every: Duration,
    longest: Duration,
}

/// Attempts at one account, beyond the buckets.
const SLOW_ACCOUNT: Pace = Pace { every: Duration::from_secs(5), longest: Duration::from_secs(30) };

/// Attempts from one address, beyond its bucket.
const SLOW_ADDRESS: Pace =
    Pace { every: Duration::from_millis(200), longest: Duration::from_secs(10) };

/// Logins that an identity provider vouches for, from one address: nothing is guessed there, and a
/// whole city may come by one proxy.
const VOUCHED: Rate = Rate { burst: 200.0, every: Duration::from_millis(100) };

/// The same, beyond that bucket.
const SLOW_VOUCHED: Pace =
    Pace { every: Duration::from_millis(50), longest: Duration::from_secs(10) };

/// A code of a second factor, beyond the bucket: there are only a million.
const SLOW_CODE: Pace = Pace { every: Duration::from_secs(30), longest: Duration::from_secs(30) };

/// The most buckets kept.
const MOST: usize = 20_000;

/// A bucket: its level when it was last looked at.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    fn current_level(self, rate: Rate, now: Instant) -> f64 {
        // A clock that went back adds nothing, and removes nothing.
        let passed = (now - self.at).to_std().unwrap_or_default();
        let gained = passed.div_duration_f64(rate.every);
        (self.left + gained).min(rate.burst)
    }
}

/// The login attempts of all clients.
#[derive(Debug, Default)]
pub struct Attempts {
    tables: Mutex<Tables>,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Tables {
    buckets: HashMap<u64, Bucket>,
    /// When the next attempt of a lane is let through.
    lanes: HashMap<u64, Instant>,
}

impl Attempts {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts an attempt at an account, unless there were too many; answers whether it was counted.
    /// To be called before the password is checked.
    pub fn count_attempt(&self, address: IpAddr, account: &str, now: Instant) -> bool {
        let (one, all) = self.attempt_keys(address, account);
        let spread = self.spread_key(account);
        self.take_all(&[(one, ACCOUNT), (all, ADDRESS), (spread, SPREAD)], now)
    }

    /// The same for a client at an address where the owner logged in before: attempts of strangers
    /// elsewhere do not count.
    pub fn count_nearby_attempt(&self, address: IpAddr, account: &str, now: Instant) -> bool {
        let (one, all) = self.attempt_keys(address, account);
        self.take_all(&[(one, ACCOUNT), (all, ADDRESS)], now)
    }

    /// Queues an attempt at an account that found a bucket empty; answers how long it waits before
    /// the password is checked. `nearby` as in [`Self::count_nearby_attempt`].
    pub fn queue_attempt(
        &self,
        address: IpAddr,
        account: &str,
        nearby: bool,
        now: Instant,
    ) -> Reply<Duration> {
        let (one, all) = self.attempt_keys(address, account);
        let spread = self.spread_key(account);
        // A client at an address where the owner was before does not queue behind clients from
        // elsewhere.
        let place = nearby.then(|| network_of(address));
        let lane = self.hasher.hash_one(("account lane", normalize_account(account), place));
        let near = [(one, ACCOUNT), (all, ADDRESS)];
        let everywhere = [(one, ACCOUNT), (spread, SPREAD), (all, ADDRESS)];
        let buckets: &[(u64, Rate)] = if nearby { &near } else { &everywhere };
        let mut tables = self.lock();
        let empty = |tables: &Tables, key: u64, rate: Rate| {
            compute_wait(&tables.buckets, key, rate, now) > Duration::ZERO
        };
        let mut lanes = Vec::with_capacity(2);
        let crowded = empty(&tables, all, ADDRESS);
        let tried = buckets.iter().any(|(key, rate)| *key != all && empty(&tables, *key, *rate));
        // At an address where the owner was before, attempts at other accounts do not delay the
        // owner.
        if tried || (crowded && nearby) {
            lanes.push((lane, SLOW_ACCOUNT));
        }
        if crowded && !nearby {
            lanes.push((self.address_lane_key(address), SLOW_ADDRESS));
        }
        let waited = tables.join_lanes(&lanes, now)?;
        for (key, rate) in buckets {
            if !empty(&tables, *key, *rate) {
                charge_bucket(&mut tables.buckets, *key, *rate, now);
            }
        }
        Ok(waited)
    }

    /// Counts a login from an address that an identity provider vouches for; answers whether there
    /// was one left. Passwords are counted apart: neither uses up the other's.
    pub fn count_vouched_login(&self, address: IpAddr, now: Instant) -> bool {
        let key = self.hasher.hash_one(("vouched", network_of(address)));
        self.take_all(&[(key, VOUCHED)], now)
    }

    /// Queues such a login when the bucket is empty; answers how long it waits.
    pub fn queue_vouched_login(&self, address: IpAddr, now: Instant) -> Reply<Duration> {
        let lane = self.hasher.hash_one(("vouched lane", network_of(address)));
        self.lock().join_lanes(&[(lane, SLOW_VOUCHED)], now)
    }

    /// Counts a failure at something that cannot be guessed, from an address, or answers how long
    /// to wait: only failures are counted.
    pub fn count_failure(&self, address: IpAddr, now: Instant) -> Reply<()> {
        let (_, all) = self.attempt_keys(address, "");
        self.take_one(all, ADDRESS, now)
    }

    /// Counts an attempt at something a logged-in caller may guess at, such as a code.
    pub fn count_named_attempt(&self, what: &str, now: Instant) -> Reply<()> {
        self.take_one(self.hasher.hash_one(("alone", what)), ACCOUNT, now)
    }

    /// Counts one of frequent requests, such as those for tokens of a program.
    pub fn count_frequent_attempt(&self, what: &str, now: Instant) -> Reply<()> {
        self.take_one(self.hasher.hash_one(("often", what)), ADDRESS, now)
    }

    /// Queues an attempt beyond what [`Self::count_named_attempt`] allows; answers how long it
    /// waits.
    pub fn queue_code(&self, what: &str, now: Instant) -> Reply<Duration> {
        self.lock().join_lanes(&[(self.hasher.hash_one(("code lane", what)), SLOW_CODE)], now)
    }

    fn take_one(&self, key: u64, rate: Rate, now: Instant) -> Reply<()> {
        let mut tables = self.lock();
        let wait = compute_wait(&tables.buckets, key, rate, now);
        if wait > Duration::ZERO {
            return Err(too_many_attempts(wait));
        }
        charge_bucket(&mut tables.buckets, key, rate, now);
        Ok(())
    }

    /// Takes from all of these buckets, or from none when one is empty.
    fn take_all(&self, buckets: &[(u64, Rate)], now: Instant) -> bool {
        let mut tables = self.lock();
        let left = |(key, rate): &(u64, Rate)| {
            compute_wait(&tables.buckets, *key, *rate, now) == Duration::ZERO
        };
        if !buckets.iter().all(left) {
            return false;
        }
        for (key, rate) in buckets {
            charge_bucket(&mut tables.buckets, *key, *rate, now);
        }
        true
    }

    /// Forgets the attempts at an account from an address: the password was right.
    pub fn forget_attempts(&self, address: IpAddr, account: &str) {
        let (one, _) = self.attempt_keys(address, account);
        self.lock().buckets.remove(&one);
    }

    /// Forgets the attempts counted by [`Self::count_named_attempt`]: the code was right.
    pub fn forget_named_attempts(&self, what: &str) {
        let key = self.hasher.hash_one(("alone", what));
        self.lock().buckets.remove(&key);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spread_key(&self, account: &str) -> u64 {
        self.hasher.hash_one(("spread", normalize_account(account)))
    }

    fn address_lane_key(&self, address: IpAddr) -> u64 {
        self.hasher.hash_one(("address lane", network_of(address)))
    }

    /// The keys of the buckets: keyed digests, so that no account names are kept.
    fn attempt_keys(&self, address: IpAddr, account: &str) -> (u64, u64) {
        let network = network_of(address);
        let account = normalize_account(account);
        (
            self.hasher.hash_one((network, Some(account))),
            self.hasher.hash_one((network, None::<&str>)),
        )
    }
}

impl Tables {
    /// Takes the next place of each of these lanes; answers how long until the last of them comes.
    /// When one lane is full it refuses, and no place is taken.
    fn join_lanes(&mut self, lanes: &[(u64, Pace)], now: Instant) -> Reply<Duration> {
        let mut longest = Duration::ZERO;
        for (key, pace) in lanes {
            let wait = self.lanes.get(key).map_or(Duration::ZERO, |next| time_until(now, *next));
            if wait > pace.longest {
                return Err(too_many_attempts(wait.saturating_sub(pace.longest)));
            }
            longest = longest.max(wait);
        }
        for (key, pace) in lanes {
            let next = self.lanes.get(key).copied().unwrap_or(now).max(now) + pace.every;
            if self.lanes.len() >= MOST && !self.lanes.contains_key(key) {
                // A lane whose next place is free by now delays no one.
                self.lanes.retain(|_, next| *next > now);
                if self.lanes.len() >= MOST {
                    return Err(too_many_attempts(pace.longest));
                }
            }
            self.lanes.insert(*key, next);
        }
        Ok(longest)
    }
}

/// The time until a moment; zero when it is over.
fn time_until(now: Instant, then: Instant) -> Duration {
    (then - now).to_std().unwrap_or_default()
}

fn normalize_account(account: &str) -> String {
    account.trim().to_lowercase()
}

fn charge_bucket(buckets: &mut HashMap<u64, Bucket>, key: u64, rate: Rate, now: Instant) {
    let left = attempts_left(buckets, key, rate, now) - 1.0;
    if buckets.len() >= MOST && !buckets.contains_key(&key) {
        evict_oldest(buckets);
    }
    buckets.insert(key, Bucket { left, at: now });
}

fn attempts_left(buckets: &HashMap<u64, Bucket>, key: u64, rate: Rate, now: Instant) -> f64 {
    buckets.get(&key).map_or(rate.burst, |bucket| bucket.current_level(rate, now))
}

/// The time until one more attempt is allowed.
fn compute_wait(buckets: &HashMap<u64, Bucket>, key: u64, rate: Rate, now: Instant) -> Duration {
    let left = attempts_left(buckets, key, rate, now);
    if left >= 1.0 { Duration::ZERO } else { rate.every.mul_f64(1.0 - left) }
}

/// Makes room: a client that has not tried for longest has the fullest bucket.
fn evict_oldest(buckets: &mut HashMap<u64, Bucket>) {
    let mut times: Vec<Instant> = buckets.values().map(|bucket| bucket.at).collect();
    let middle = times.len() / 2;
    let (_, median, _) = times.select_nth_unstable(middle);
    let median = *median;
    buckets.retain(|_, bucket| bucket.at > median);
}

fn too_many_attempts(wait: Duration) -> Problem {
    let seconds = wait.as_secs() + 1;
    Problem::new(Code::TooManyRequests)
        .detail(
            format!("尝试太频繁，请在 {seconds} 秒后再试。"),
            format!("Too many attempts; try again in {seconds} seconds."),
        )
        .with("retry_after_s", seconds)
        .header(RETRY_AFTER, &seconds.to_string())
}

/// The network an address counts as: a client with one IPv6 address has the other 2⁶⁴ of its
/// network too.
fn network_of(address: IpAddr) -> IpAddr {
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
/// What stands left of the entries of our own proxies may be forged by the caller and is not read.
pub fn client_address(request: &HttpRequest, proxies: u8) -> IpAddr {
    const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-for");
    let peer = request.peer_addr().map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |peer| peer.ip());
    let Some(hops) = usize::from(proxies).checked_sub(1) else {
        if request.headers().contains_key(&FORWARDED) {
            warn_unknown_proxy();
        }
        return peer;
    };
    let lists = request.headers().get_all(&FORWARDED).filter_map(|value| value.to_str().ok());
    let hosts: Vec<_> = lists.flat_map(|list| list.split(',')).map(str::trim).collect();
    let host = hosts.iter().rev().nth(hops).or(hosts.first());
    host.and_then(|host| parse_host(host)).unwrap_or(peer)
}

/// Parses an address as proxies write it: some put the port behind it, and brackets around one of
/// IPv6.
fn parse_host(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let with_port = || host.parse::<SocketAddr>().ok().map(|address| address.ip());
    bare.parse().ok().or_else(with_port)
}

/// Warns once that there seems to be a proxy missing in the configuration: behind it all callers
/// have one address.
fn warn_unknown_proxy() {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        tracing::warn!(
            "a request came with X-Forwarded-For, but GRIDWHISTLE_PROXIES is 0: behind a proxy \
             everybody shares its address; set it to the number of proxies in front"
        );
    });
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn guessing_is_slowed_down_and_forgiven() {
        let (attempts, start) = (Attempts::new(), Instant::UNIX_EPOCH);
        assert!((0..10).all(|_| attempts.count_attempt(HOME, "admin", start)));
        assert!(!attempts.count_attempt(HOME, "ADMIN ", start));
        assert!(attempts.count_attempt(HOME, "other", start));
        assert!(attempts.count_attempt("192.0.2.2".parse().unwrap(), "admin", start));
        let later = start + seconds(30);
        assert!(attempts.count_attempt(HOME, "admin", later));
        assert!(!attempts.count_attempt(HOME, "admin", later));
        attempts.forget_attempts(HOME, "admin");
        assert!(attempts.count_attempt(HOME, "admin", later));
    }

    #[test]
    fn beyond_the_bucket_a_try_waits_its_turn() {
        let (attempts, start) = (Attempts::new(), Instant::UNIX_EPOCH);
        while attempts.count_attempt(HOME, "admin", start) {}
        let queue = |at| attempts.queue_attempt(HOME, "admin", false, at);
        let waits: Vec<_> = (0..7).map(|_| queue(start).unwrap()).collect();
        assert_eq!(waits, [0, 5, 10, 15, 20, 25, 30].map(seconds));
        assert_eq!(queue(start).unwrap_err().code(), Code::TooManyRequests);
        assert_eq!(queue(start + seconds(5)).unwrap(), seconds(30));
        assert!(queue(start + seconds(5)).is_err());
        // Others are not behind them, and after a while no one is.
        assert_eq!(attempts.queue_attempt(HOME, "other", false, start).unwrap(), Duration::ZERO);
        assert_eq!(queue(start + seconds(60)).unwrap(), Duration::ZERO);
    }

    #[test]
    fn who_comes_from_where_the_owner_was_is_not_behind_strangers() {
        let (attempts, start) = (Attempts::new(), Instant::UNIX_EPOCH);
        let from = |n: u32| IpAddr::V4((0xCB00_7100 + n).into());
        assert!((0..30).all(|n| attempts.count_attempt(from(n), "admin", start)));
        assert!(!attempts.count_attempt(from(30), "admin", start));
        for n in 0..100 {
            drop(attempts.queue_attempt(from(n), "admin", false, start));
        }
        assert!(attempts.queue_attempt(from(31), "admin", false, start).is_err());
        assert!(attempts.count_nearby_attempt(HOME, "admin", start));
        while attempts.count_nearby_attempt(HOME, "admin", start) {}
        assert_eq!(attempts.queue_attempt(HOME, "admin", true, start).unwrap(), Duration::ZERO);
    }

    #[test]
    fn an_address_has_a_bound_of_its_own() {
        let (attempts, start) = (Attempts::new(), Instant::UNIX_EPOCH);
        let tried = (0..300).filter(|n| attempts.count_attempt(HOME, &n.to_string(), start));
        assert_eq!(tried.count(), 200);
        let wait = |name: &str| attempts.queue_attempt(HOME, name, false, start);
        assert_eq!(wait("a").unwrap(), Duration::ZERO);
        assert_eq!(wait("b").unwrap(), Duration::from_millis(200));
        let queued = (0..300).filter(|n| wait(&n.to_string()).is_ok());
        assert_eq!(queued.count(), 49);
        assert!(attempts.count_failure(HOME, start).is_err());
        // The owner of an account, known from there, waits behind no crowd at other accounts.
        assert_eq!(attempts.queue_attempt(HOME, "mine", true, start).unwrap(), Duration::ZERO);
        // Nor does a login that an identity provider vouches for.
        assert!(attempts.count_vouched_login(HOME, start));
    }

    #[test]
    fn a_login_that_is_vouched_for_has_a_bound_of_its_own() {
        let (attempts, start) = (Attempts::new(), Instant::UNIX_EPOCH);
        assert_eq!((0..300).filter(|_| attempts.count_vouched_login(HOME, start)).count(), 200);
        let queued = (0..300).filter(|_| attempts.queue_vouched_login(HOME, start).is_ok());
        assert_eq!(queued.count(), 201);
        let refused = attempts.queue_vouched_login(HOME, start).unwrap_err();
        assert_eq!(refused.code(), Code::TooManyRequests);
        assert!(attempts.count_attempt(HOME, "mine", start), "passwords are counted apart");
    }

    #[test]
    fn an_address_is_understood_with_its_port() {
        let parse = |host: &str| parse_host(host).map(|address| address.to_string());
        assert_eq!(parse("8.8.4.4:555").as_deref(), Some("8.8.4.4"));
        assert_eq!(parse("[2001:db8::1]:555").as_deref(), Some("2001:db8::1"));
        assert_eq!(parse("[2001:db8::1]").as_deref(), Some("2001:db8::1"));
        assert_eq!(parse("2001:db8::1").as_deref(), Some("2001:db8::1"));
        assert_eq!((parse("x"), parse("8.8.4.4:x"), parse("")), (None, None, None));
    }

    #[test]
    fn codes_wait_longer_than_passwords() {
        let (attempts, start) = (Attempts::new(), Instant::UNIX_EPOCH);
        assert!((0..10).all(|_| attempts.count_named_attempt("code", start).is_ok()));
        assert!(attempts.count_named_attempt("code", start).is_err());
        assert_eq!(attempts.queue_code("code", start).unwrap(), Duration::ZERO);
        assert_eq!(attempts.queue_code("code", start).unwrap(), seconds(30));
        assert!(attempts.queue_code("code", start).is_err());
        attempts.forget_named_attempts("code");
        assert!(attempts.count_named_attempt("code", start).is_ok());
    }

    #[test]
    fn the_table_is_bounded() {
        let (attempts, mut now) = (Attempts::new(), Instant::UNIX_EPOCH);
        for n in 0..30_000_u32 {
            now += Duration::from_millis(1);
            attempts.count_attempt(IpAddr::V4(n.into()), &n.to_string(), now);
            drop(attempts.queue_vouched_login(IpAddr::V4(n.into()), now));
            let tables = attempts.lock();
            assert!(tables.buckets.len() <= MOST && tables.lanes.len() <= MOST);
        }
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let one: IpAddr = "2001:db8:1:2::1".parse().unwrap();
        let two: IpAddr = "2001:db8:1:2:ffff::2".parse().unwrap();
        let far: IpAddr = "2001:db8:1:3::1".parse().unwrap();
        assert_eq!(network_of(one), network_of(two));
        assert_ne!(network_of(one), network_of(far));
        assert_eq!(network_of("::ffff:192.0.2.1".parse().unwrap()), HOME);
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
        assert_eq!(client_address(&lied, 0), peer.ip());
        assert_eq!(client_address(&lied, 1), HOME);
        assert_eq!(client_address(&request("192.0.2.1, 10.0.0.8"), 2), HOME);
        assert_eq!(client_address(&request("192.0.2.1"), 2), HOME);
        assert_eq!(client_address(&request("unknown"), 1), peer.ip());
    }
}
