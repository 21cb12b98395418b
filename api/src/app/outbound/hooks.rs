//! Posting to servers that others chose (webhooks): their names are resolved, and every address
//! must belong to the public internet or to a network the operator named. The connection goes to
//! exactly the addresses that were judged, so a name that resolves differently the second time
//! gains nothing; redirects are not followed, and no proxy of the environment stands between.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, TimeDelta};
use domain::{
    Instant,
    rules::webhook::{Network, is_public},
};
use ureq::{
    Agent,
    config::Config,
    http::Uri,
    unversioned::{
        resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver},
        transport::{DefaultConnector, NextTimeout},
    },
};

use super::{Failure, classify_error};
use crate::app::background::Background;

/// How long a receiver may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The most bytes of an answer that are read.
const MAX_BYTES: u64 = 64 * 1024;

/// How many requests run at once, on threads of lower priority than those that answer requests.
const AT_ONCE: usize = 8;

/// The client that posts to receivers of webhooks.
#[derive(Clone)]
pub struct Hooks {
    agent: Agent,
    guard: Guard,
    threads: Background,
}

/// The answer of a receiver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Posted {
    /// The HTTP status of the answer.
    pub status: u16,
    /// When to come back, where the receiver says it (`Retry-After`).
    pub retry_after: Option<RetryAfter>,
    /// The beginning of the answer, as text.
    pub excerpt: String,
}

/// When a receiver wants to be asked again (RFC 9110, 10.2.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RetryAfter {
    /// After so many seconds.
    Seconds(u32),
    /// At an instant, by the clock of the receiver.
    At(Instant),
}

impl RetryAfter {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let date = || DateTime::parse_from_rfc2822(text).ok().map(|at| Self::At(at.to_utc()));
        text.parse().ok().map(Self::Seconds).or_else(date)
    }

    /// How long to wait from now on; none for an instant that has passed.
    pub fn compute_wait(self, now: Instant) -> TimeDelta {
        match self {
            Self::Seconds(seconds) => TimeDelta::seconds(i64::from(seconds)),
            Self::At(at) => at.signed_duration_since(now).max(TimeDelta::zero()),
        }
    }
}

/// Refuses addresses that are not public, except those of allowed networks.
#[derive(Clone, Debug)]
struct Guard {
    allowed: Arc<[Network]>,
}

/// The error for a refused address inside the client library.
#[derive(Debug)]
struct Inside;

impl std::fmt::Display for Inside {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("the address is not a public one")
    }
}

impl std::error::Error for Inside {}

impl Guard {
    fn allows_address(&self, uri: &Uri, address: IpAddr) -> bool {
        let named = self.allowed.iter().any(|network| network.contains(address));
        // Plain HTTP is allowed only in networks the operator named.
        named || (uri.scheme_str() == Some("https") && is_public(address))
    }
}

impl Resolver for Guard {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = DefaultResolver::default().resolve(uri, config, timeout)?;
        if found.iter().all(|address: &SocketAddr| self.allows_address(uri, address.ip())) {
            return Ok(found);
        }
        Err(ureq::Error::Other(Box::new(Inside)))
    }
}

/// The failure for an address that must not be called.
pub const REFUSED: Failure = Failure("the address is not a public one");

impl Hooks {
    /// With the allowed networks besides the public internet.
    pub fn new(allowed: &[Network]) -> std::io::Result<Self> {
        let guard = Guard { allowed: allowed.into() };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_global(Some(PATIENCE))
            .timeout_connect(Some(Duration::from_secs(3)))
            .user_agent("gridwhistle")
            .build();
        let agent = Agent::with_parts(config, DefaultConnector::default(), guard.clone());
        Ok(Self { agent, guard, threads: Background::start("hook", AT_ONCE)? })
    }

    /// Whether a host may be called, as far as can be decided now: addresses are judged here, names
    /// are looked up when something is sent.
    pub fn may_tell(&self, uri: &Uri) -> bool {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        match host.parse::<IpAddr>() {
            Ok(address) => self.guard.allows_address(uri, address),
            Err(_) => match uri.scheme_str() {
                Some("https") => true,
                // Any name could resolve to an address of an allowed network.
                Some("http") => !self.guard.allowed.is_empty(),
                _ => false,
            },
        }
    }

    /// Posts a body.
    pub async fn post(
        &self,
        url: String,
        headers: Vec<(&'static str, String)>,
        body: String,
    ) -> Result<Posted, Failure> {
        let agent = self.agent.clone();
        let posted = self.threads.run(move || send_request(&agent, &url, headers, body)).await;
        posted.unwrap_or(Err(Failure("the call was interrupted")))
    }
}

fn send_request(
    agent: &Agent,
    url: &str,
    headers: Vec<(&'static str, String)>,
    body: String,
) -> Result<Posted, Failure> {
    let mut request = ureq::http::Request::builder().method("POST").uri(url);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let request = request.body(body).map_err(|_malformed| Failure("the address is not valid"))?;
    let mut response = agent.run(request).map_err(|error| {
        if let ureq::Error::Other(inner) = &error
            && inner.is::<Inside>()
        {
            return REFUSED;
        }
        classify_error(&error)
    })?;
    let status = response.status().as_u16();
    let wait = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
    let retry_after = wait.and_then(RetryAfter::parse);
    // An unreadable body does not change what the status means.
    let bytes = response.body_mut().with_config().limit(MAX_BYTES).read_to_vec();
    let excerpt = String::from_utf8_lossy(&bytes.unwrap_or_default()).chars().take(500).collect();
    Ok(Posted { status, retry_after, excerpt })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_from_inside_are_refused_unless_they_are_named() {
        let strict = Hooks::new(&[]).unwrap();
        let uri = |text: &str| text.parse::<Uri>().unwrap();
        for inside in [
            "https://127.0.0.1/x",
            "https://[::1]/x",
            "https://169.254.169.254/latest",
            "https://10.0.0.1/",
            "http://8.8.8.8/",
            "http://example.org/",
            "ftp://8.8.8.8/",
        ] {
            assert!(!strict.may_tell(&uri(inside)), "{inside}");
        }
        assert!(strict.may_tell(&uri("https://8.8.8.8/x")));
        assert!(strict.may_tell(&uri("https://example.org/x")));
        let wide = Hooks::new(&["10.0.0.0/8".parse().unwrap()]).unwrap();
        assert!(wide.may_tell(&uri("http://10.1.2.3:8080/x")));
        assert!(!wide.may_tell(&uri("http://8.8.8.8/x")));
        assert!(!wide.may_tell(&uri("https://192.168.0.1/x")));
    }

    #[test]
    fn a_receiver_says_when_to_come_back_in_seconds_or_as_a_date() {
        let now = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
        let wait = |text: &str| RetryAfter::parse(text).map(|asked| asked.compute_wait(now));
        let date = |at: Instant| at.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        assert_eq!(wait(" 120 "), Some(TimeDelta::seconds(120)));
        let later = now + TimeDelta::seconds(90);
        assert_eq!(wait(&date(later)), Some(TimeDelta::seconds(90)));
        assert_eq!(wait(&date(now - TimeDelta::days(1))), Some(TimeDelta::zero()));
        for nothing in ["", "-1", "soon", "99999999999999999999", "1.5"] {
            assert_eq!(wait(nothing), None, "{nothing}");
        }
    }

    #[actix_web::test]
    async fn a_name_is_judged_by_what_it_resolves_to_when_something_is_sent() {
        let post = async |hooks: &Hooks, url: &str| {
            hooks.post(url.to_owned(), Vec::new(), "{}".to_owned()).await.unwrap_err()
        };
        // A harmless-looking name that leads to an internal address.
        let strict = Hooks::new(&[]).unwrap();
        assert!(strict.may_tell(&"https://localhost:1/x".parse().unwrap()));
        assert_eq!(post(&strict, "https://localhost:1/x").await, REFUSED);
        assert_eq!(post(&strict, "http://127.0.0.1:1/x").await, REFUSED);
        // An allowed address is tried, and nothing listens there.
        let named = Hooks::new(&["127.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()]).unwrap();
        assert_ne!(post(&named, "http://localhost:1/x").await, REFUSED);
    }
}
