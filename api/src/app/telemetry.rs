//! The edge every request passes once: ids, the log, common headers, and the rendering of
//! problems.
//!
//! The log has one line a request with method, route, status, duration, bytes and ids: never a path
//! with its identifiers, a query, a body, or the caller. It runs for everything, so it allocates
//! little: one box for an extension, the route's name, and what the headers need.

mod trace;

use std::{io::IsTerminal, time::Instant};

use actix_web::{
    Error, HttpMessage, HttpRequest, HttpResponse,
    body::{BodySize, BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::header::{
        CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_TYPE, HeaderName, HeaderValue,
        X_CONTENT_TYPE_OPTIONS,
    },
    middleware::Next,
};
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::{
    app::{
        allowance::Allowance,
        config::{LogFormat, LogLevel},
    },
    http::{
        language::Language,
        problem::{Problem, foreign_problem, render_problem},
    },
};

pub use trace::Trace;

/// The media type of problems.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Starts the log, on stderr. A second call changes nothing.
pub fn init(format: LogFormat, level: LogLevel) {
    let level = match level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    // The web server announces itself in three lines; this program says where it listens in one. It
    // also logs an error of its own when a client sends what is not HTTP.
    let parser = if level < LevelFilter::DEBUG { LevelFilter::OFF } else { level };
    let targets = Targets::new()
        .with_default(level)
        .with_target("actix_server", level.min(LevelFilter::WARN))
        .with_target("actix_http", parser);
    let line = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Text => {
            let line = line.with_ansi(std::io::stderr().is_terminal());
            tracing_subscriber::registry().with(line).with(targets).try_init()
        }
        LogFormat::Json => {
            let line = line.json().flatten_event(true);
            let line = line.with_current_span(false).with_span_list(false);
            tracing_subscriber::registry().with(line).with(targets).try_init()
        }
    };
    // Fails when a log was started before; that one stays, with its panic hook.
    if started.is_ok() {
        std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    }
}

/// The middleware: `App::new().wrap(from_fn(telemetry::observe_request))`, outermost.
pub async fn observe_request<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let trace = Trace::from_headers(request.headers());
    request.extensions_mut().insert(trace.clone());
    // Handlers and the router answer responses, errors included; nothing inside answers `Err`.
    let (request, response) = next.call(request).await?.into_parts();
    let mut response = finish_response(&request, response.map_into_boxed_body(), &trace);
    if let Some(allowance) = request.extensions().get::<Allowance>() {
        allowance.write_headers(response.headers_mut());
    }
    set_default_headers(&mut response, &trace);
    log_request(&request, &response, &trace, started);
    Ok(ServiceResponse::new(request, response))
}

/// The problem an error response stands for.
fn find_problem(response: &HttpResponse) -> Option<&Problem> {
    response.error().and_then(Error::as_error)
}

/// The response to send: every failure is a problem with a body, whichever layer noticed it.
fn finish_response(request: &HttpRequest, response: HttpResponse, trace: &Trace) -> HttpResponse {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let response = match find_problem(&response) {
        Some(_) => response,
        None => HttpResponse::from_error(foreign_problem(&response)),
    };
    let language = Language::from_headers(request.headers());
    let body =
        find_problem(&response).map(|problem| render_problem(problem, language, trace.trace_id()));
    let plain = find_problem(&response).is_some_and(Problem::is_oauth);
    let kind = if plain { "application/json" } else { PROBLEM_JSON };
    let mut response = response.set_body(BoxBody::new(body.unwrap_or_default()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
    response
}

/// Sets the headers every response has, unless the handler set them.
fn set_default_headers(response: &mut HttpResponse, trace: &Trace) {
    let headers = response.headers_mut();
    let mut default = |name: HeaderName, value: &'static str| {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    };
    default(X_CONTENT_TYPE_OPTIONS, "nosniff");
    default(CACHE_CONTROL, "no-store");
    // The texts of people and the labels of the catalogue are Chinese.
    default(CONTENT_LANGUAGE, Language::Zh.tag());
    if let Some(id) = trace.header() {
        headers.insert(trace::REQUEST_ID, id);
    }
}

/// Logs a request; a failure of this server with its cause.
fn log_request(request: &HttpRequest, response: &HttpResponse, trace: &Trace, started: Instant) {
    let route = request.match_pattern();
    let line = Line {
        method: request.method().as_str(),
        route: route.as_deref().unwrap_or("-"),
        status: response.status().as_u16(),
        bytes: match response.body().size() {
            BodySize::None => Some(0),
            BodySize::Sized(bytes) => Some(bytes),
            BodySize::Stream => None,
        },
        problem: find_problem(response),
        request_id: trace.given_request_id(),
        trace_id: trace.trace_id(),
        started,
    };
    line.write();
}

/// Logs a command that came in the queue of a phone, like a request of its own.
pub fn log_kept(
    route: &str,
    (status, problem): (u16, Option<&Problem>),
    trace_id: &str,
    started: Instant,
) {
    let (method, bytes, request_id) = ("POST", None, None);
    Line { method, route, status, bytes, problem, request_id, trace_id, started }.write();
}

/// The fields of a line of the log.
struct Line<'a> {
    method: &'a str,
    route: &'a str,
    status: u16,
    bytes: Option<u64>,
    problem: Option<&'a Problem>,
    request_id: Option<&'a str>,
    trace_id: &'a str,
    started: Instant,
}

impl Line<'_> {
    fn write(self) {
        let Line { method, route, status, bytes, problem, request_id, trace_id, started } = self;
        if !tracing::enabled!(target: "request", tracing::Level::INFO) && status < 500 {
            return;
        }
        let micros = u32::try_from(started.elapsed().as_micros()).unwrap_or(u32::MAX);
        let ms = f64::from(micros) / 1000.0;
        let (code, cause) =
            (problem.map(|one| one.code().name()), problem.and_then(Problem::cause));
        if status >= 500 {
            tracing::error!(
                target: "request", method, route, status, ms, bytes, code, cause, request_id, trace_id
            );
        } else {
            tracing::info!(
                target: "request", method, route, status, ms, bytes, code, cause, request_id, trace_id
            );
        }
    }
}

#[cfg(test)]
mod tests;
