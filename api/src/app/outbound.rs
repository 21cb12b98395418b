//! Calls to other services over HTTP: bounded in time, in size and in number, and without secrets
//! in the log.
//!
//! Addresses carry secrets in their query (WeChat wants it so), so neither an address nor what
//! the client library says of it reaches a log; a failure is one of a few words. The library
//! waits for its answers on threads of their own: there are few such calls, and an asynchronous
//! client would compile sixty crates for them.

pub mod hooks;

use std::{path::Path, sync::Arc, time::Duration};

use actix_web::{http::header::RETRY_AFTER, web};
use serde_json::Value;
use tokio::sync::Semaphore;
use ureq::{
    Agent,
    tls::{PemItem, RootCerts, TlsConfig, parse_pem},
};

use crate::http::problem::{Code, Problem};

/// The most bytes of an answer.
const MAX_BYTES: u64 = 256 * 1024;

/// How many calls are under way at once; a call that finds no place within a second fails.
const AT_ONCE: usize = 32;

/// How long a call may take, from the look-up of the host name to the last byte.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// A client for calls to other services, bounded in number and in time.
#[derive(Clone)]
pub struct Outbound {
    agent: Agent,
    places: Arc<Semaphore>,
}

/// The content of a request.
pub enum Content {
    /// Nothing: a GET.
    None,
    /// JSON, as `application/json`.
    Json(Value),
    /// Fields of a form, in order, as `application/x-www-form-urlencoded`.
    Form(Vec<(&'static str, String)>),
}

/// One request to another service.
pub struct Call {
    /// The address with its query.
    pub url: String,
    /// The header `Authorization`.
    pub authorization: Option<String>,
    /// What is sent.
    pub content: Content,
}

impl Call {
    /// A GET of this address, without content and without authorization.
    pub const fn get(url: String) -> Self {
        Self { url, authorization: None, content: Content::None }
    }

    /// A POST of JSON.
    pub const fn post(url: String, body: Value) -> Self {
        Self { url, authorization: None, content: Content::Json(body) }
    }
}

/// The answer of another service.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The HTTP status of the answer.
    pub status: u16,
    /// The body, which is JSON.
    pub body: Value,
}

/// Why there is no usable answer, in words without secrets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Failure(pub(crate) &'static str);

impl std::fmt::Display for Failure {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.0)
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        outside_unavailable(failure.0)
    }
}

/// The problem of another service that does not answer as agreed.
pub fn outside_unavailable(why: impl std::fmt::Display) -> Problem {
    Problem::new(Code::OutsideUnavailable).because(why).header(RETRY_AFTER, "5")
}

impl Default for Outbound {
    fn default() -> Self {
        Self::new(TlsConfig::default())
    }
}

impl Outbound {
    fn new(tls: TlsConfig) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(PATIENCE))
            .timeout_connect(Some(Duration::from_secs(2)))
            .user_agent("gridwhistle")
            .tls_config(tls);
        Self { agent: config.build().into(), places: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// A client that trusts the authorities in this file and no others.
    pub fn with_authorities(file: &Path) -> Result<Self, String> {
        let shown = file.display();
        let text = std::fs::read(file).map_err(|error| format!("{shown}: {error}"))?;
        let mut trusted = Vec::new();
        for item in parse_pem(&text) {
            if let PemItem::Certificate(one) = item.map_err(|error| format!("{shown}: {error}"))? {
                trusted.push(one);
            }
        }
        if trusted.is_empty() {
            return Err(format!("{shown} contains no certificate"));
        }
        let roots = RootCerts::new_with_certs(&trusted);
        Ok(Self::new(TlsConfig::builder().root_certs(roots).build()))
    }

    /// Makes the call; fails when no place is free within a second, or no usable answer comes in
    /// time.
    pub async fn make_call(&self, call: Call) -> Result<Answered, Failure> {
        let full = || Failure("too many calls are waiting");
        let place = Arc::clone(&self.places).acquire_owned();
        let place = tokio::time::timeout(Duration::from_secs(1), place).await;
        let place = place.map_err(|_late| full())?.map_err(|_closed| full())?;
        let agent = self.agent.clone();
        let asked = web::block(move || {
            // Held until the call is over, even if the caller has gone away.
            let _place = place;
            send_call(&agent, call)
        });
        asked.await.map_err(|_cancelled| Failure("the call was interrupted"))?
    }
}

fn send_call(agent: &Agent, call: Call) -> Result<Answered, Failure> {
    let Call { url, authorization, content } = call;
    let method = if matches!(content, Content::None) { "GET" } else { "POST" };
    let mut request =
        ureq::http::Request::builder().method(method).uri(url).header("Accept", "application/json");
    if let Some(authorization) = authorization {
        request = request.header("Authorization", authorization);
    }
    let wrong = |_: ureq::http::Error| Failure("the address is not valid");
    let sent = match content {
        Content::None => agent.run(request.body(()).map_err(wrong)?),
        Content::Json(body) => {
            let request = request.header("Content-Type", "application/json");
            agent.run(request.body(body.to_string()).map_err(wrong)?)
        }
        Content::Form(pairs) => {
            let kind = "application/x-www-form-urlencoded";
            let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
            agent.run(request.header("Content-Type", kind).body(form).map_err(wrong)?)
        }
    };
    let mut response = sent.map_err(|error| classify_error(&error))?;
    let status = response.status().as_u16();
    let body = response.body_mut().with_config().limit(MAX_BYTES).read_to_vec();
    let body = body.map_err(|error| classify_error(&error))?;
    let nonsense = |_: serde_json::Error| Failure("the answer is not JSON");
    Ok(Answered { status, body: serde_json::from_slice(&body).map_err(nonsense)? })
}

/// The kind of an error; the library's own message may quote the address.
#[expect(clippy::wildcard_enum_match_arm, reason = "the kinds of errors may grow")]
fn classify_error(error: &ureq::Error) -> Failure {
    Failure(match error {
        ureq::Error::Timeout(_) => "no answer in time",
        ureq::Error::HostNotFound => "the host name is unknown",
        ureq::Error::Io(_) | ureq::Error::ConnectionFailed => "the connection broke",
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => "the certificate was not accepted",
        ureq::Error::BodyExceedsLimit(_) => "the answer is too long",
        ureq::Error::Protocol(_) => "the answer is not HTTP",
        _ => "the call failed",
    })
}
