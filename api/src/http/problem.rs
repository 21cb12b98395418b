//! Problems: the one answer that is not a view (RFC 9457, `application/problem+json`).
//!
//! A problem is built wherever something is wrong and returned as the error of the handler; it
//! carries both languages. [`crate::app::telemetry`] renders it once, at the edge, in the language
//! of the caller and with the trace id. What the caller must not read (the database's own words)
//! stands in a field of its own and only reaches the log.

pub mod code;
mod foreign;
mod page;
mod refusal;
mod render;
mod store;

use std::borrow::Cow;

use actix_web::{
    HttpResponse, ResponseError,
    body::BoxBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE},
    },
};
use serde::Serialize;
use serde_json::Value;

pub use code::Code;
pub(crate) use foreign::foreign_problem;
pub use page::{explain_code, problems_markdown};
pub(crate) use render::render_problem;
pub use render::{FaultView, ProblemView};

/// What a handler answers.
pub type Reply<T> = Result<T, Problem>;

type Text = Cow<'static, str>;

/// Why a request was not done.
pub struct Problem(Box<Parts>);

struct Parts {
    code: Code,
    detail: Option<(Text, Text)>,
    faults: Vec<Fault>,
    members: Vec<(&'static str, Value)>,
    headers: Vec<(HeaderName, HeaderValue)>,
    cause: Option<String>,
    oauth: bool,
}

/// One thing that is wrong, and where.
struct Fault {
    place: Place,
    code: &'static str,
    message: (Text, Text),
}

/// Where something is wrong.
enum Place {
    /// In the body, as a JSON pointer.
    Body(Text),
    /// In the query or the path, by name.
    Parameter(Text),
    /// In a header, by name.
    Header(&'static str),
}

impl Problem {
    /// The problem of this code; its detail is the general explanation until one is given.
    pub fn new(code: Code) -> Self {
        Self(Box::new(Parts {
            code,
            detail: None,
            faults: Vec::new(),
            members: Vec::new(),
            headers: Vec::new(),
            cause: None,
            oauth: false,
        }))
    }

    /// What is wrong this time, in a sentence of Chinese and of English.
    #[must_use]
    pub fn detail(mut self, zh: impl Into<Text>, en: impl Into<Text>) -> Self {
        self.0.detail = Some((zh.into(), en.into()));
        self
    }

    /// One thing wrong in the body, at a JSON pointer.
    #[must_use]
    pub fn error(
        self,
        pointer: impl Into<Text>,
        code: &'static str,
        zh: impl Into<Text>,
        en: impl Into<Text>,
    ) -> Self {
        self.fault(Place::Body(pointer.into()), code, zh, en)
    }

    /// One thing wrong with a query or path parameter.
    #[must_use]
    pub fn parameter(
        self,
        name: impl Into<Text>,
        code: &'static str,
        zh: impl Into<Text>,
        en: impl Into<Text>,
    ) -> Self {
        self.fault(Place::Parameter(name.into()), code, zh, en)
    }

    /// One thing wrong with a header of the request.
    #[must_use]
    pub fn in_header(
        self,
        name: &'static str,
        code: &'static str,
        zh: impl Into<Text>,
        en: impl Into<Text>,
    ) -> Self {
        self.fault(Place::Header(name), code, zh, en)
    }

    fn fault(
        mut self,
        place: Place,
        code: &'static str,
        zh: impl Into<Text>,
        en: impl Into<Text>,
    ) -> Self {
        self.0.faults.push(Fault { place, code, message: (zh.into(), en.into()) });
        self
    }

    /// A fact for programs, as a member of its own.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Serialize) -> Self {
        // What cannot be represented in JSON is left out: the sentences say it too.
        if let Ok(value) = serde_json::to_value(value) {
            self.0.members.push((key, value));
        }
        self
    }

    /// A header of the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.0.headers.push((name, value));
        }
        self
    }

    /// What the log may know and the caller may not.
    #[must_use]
    pub fn because(mut self, cause: impl std::fmt::Display) -> Self {
        self.0.cause = Some(cause.to_string());
        self
    }

    /// The members RFC 6749 wants, for `/oauth/token`: it is told as plain JSON.
    #[must_use]
    pub fn oauth(self, error: &'static str, description: &'static str) -> Self {
        let mut problem = self.with("error", error).with("error_description", description);
        problem.0.oauth = true;
        problem
    }

    /// Whether it is told as RFC 6749 wants it.
    pub const fn is_oauth(&self) -> bool {
        self.0.oauth
    }

    /// The code that status, titles and type follow from.
    pub const fn code(&self) -> Code {
        self.0.code
    }

    /// Everything that is wrong, in English, each with its place in the body unless its words
    /// say it.
    pub fn sentences(&self) -> Vec<String> {
        let sentence = |fault: &Fault| match &fault.place {
            Place::Body(pointer) if pointer != "/csv" => format!("{pointer}: {}", fault.message.1),
            Place::Body(_) | Place::Parameter(_) | Place::Header(_) => fault.message.1.to_string(),
        };
        self.0.faults.iter().map(sentence).collect()
    }

    /// When to come back, in seconds, where that is known: what `Retry-After` says.
    pub fn retry_after(&self) -> Option<u32> {
        let given = self.0.headers.iter().rev().find(|(name, _)| *name == RETRY_AFTER);
        match given {
            Some((_, value)) => value.to_str().ok()?.parse().ok(),
            None => (self.status_code() == StatusCode::SERVICE_UNAVAILABLE).then_some(1),
        }
    }

    /// What only the log may know.
    pub fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Row { name, help, .. } = self.0.code.row();
        let detail = self.0.detail.as_ref().map_or(help.1, |(_, en)| en.as_ref());
        write!(out, "{name}: {detail}")
    }
}

use code::Row;

impl std::fmt::Debug for Problem {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{self}")?;
        for fault in &self.0.faults {
            write!(out, "; {}", fault.message.1)?;
        }
        self.cause().map_or(Ok(()), |cause| write!(out, " ({cause})"))
    }
}

impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.0.code.row().status
    }

    /// The head only: actix keeps the problem beside it (`HttpResponse::error`), and the
    /// middleware writes the body once the language and the trace id are known.
    fn error_response(&self) -> HttpResponse<BoxBody> {
        let mut response = HttpResponse::new(self.status_code());
        let headers = response.headers_mut();
        // HTTP demands the first, and clients live by the second; no caller has to remember them.
        let status = self.status_code();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        for (name, value) in &self.0.headers {
            headers.insert(name.clone(), value.clone());
        }
        response
    }
}

/// Answers a request before it reaches its handler. `ServiceRequest::into_response` would lose the
/// problem, and with it the sentence and headers.
pub fn refuse_request(request: ServiceRequest, problem: Problem) -> ServiceResponse<BoxBody> {
    let (request, _) = request.into_parts();
    ServiceResponse::new(request, HttpResponse::from_error(problem))
}

impl From<rand::rngs::SysError> for Problem {
    fn from(error: rand::rngs::SysError) -> Self {
        Self::new(Code::Internal).because(error)
    }
}

impl From<actix_web::error::BlockingError> for Problem {
    fn from(error: actix_web::error::BlockingError) -> Self {
        Self::new(Code::Unavailable).because(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_explained_in_both_languages() {
        let mut names: Vec<_> = Code::ALL.iter().map(|code| code.name()).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        for code in Code::ALL {
            let Row { name, status, title, help } = code.row();
            assert_eq!(Code::parse(name), Some(*code));
            assert_eq!(code.uri().strip_prefix("/problems/"), Some(name));
            assert!(status.is_client_error() || status.is_server_error());
            for text in [title.0, title.1, help.0, help.1] {
                assert!(!text.trim().is_empty(), "{name} lacks a text");
            }
            assert!(help.0.ends_with('。') && help.1.ends_with('.'), "{name} is no sentence");
        }
    }

    #[test]
    fn a_cause_is_for_the_log_only() {
        let problem = Problem::new(Code::Internal).because("password=secret");
        assert!(!problem.to_string().contains("secret"));
        assert!(format!("{problem:?}").contains("secret"));
    }
}
