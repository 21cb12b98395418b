//! People as clients: what they send, and what they read from the answer.

use std::{panic::Location, time::Duration};

use serde_json::Value;
use ureq::http::{HeaderMap, Request};
use uuid::Uuid;

use super::Site;

/// A person who sends requests.
#[derive(Clone, Copy)]
pub(crate) struct Client<'c> {
    pub(super) site: &'c Site,
    pub(super) account: &'c str,
}

/// A request being written.
pub(crate) struct Call<'c> {
    client: Client<'c>,
    base: String,
    method: String,
    path: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

/// The answer to a request.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The request, for messages.
    pub(crate) asked: String,
    /// The status of the answer.
    pub(crate) status: u16,
    /// The headers of the answer.
    pub(crate) headers: HeaderMap,
    /// The body as it came.
    pub(crate) bytes: Vec<u8>,
    /// The body as text.
    pub(crate) text: String,
    /// The body as JSON; null when it is none.
    pub(crate) body: Value,
}

/// The `User-Agent` of every client.
pub(crate) const DEVICE: &str = "gridwhistle-tests";

/// An agent that takes every status as an answer.
pub(crate) fn new_agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .user_agent(DEVICE)
        .max_redirects(0)
        .timeout_global(Some(Duration::from_mins(1)))
        .allow_non_standard_methods(true)
        .build()
        .into()
}

/// A key that was not used before.
pub(crate) fn new_key() -> String {
    api::app::clock::new_id().to_string()
}

impl<'c> Client<'c> {
    /// A request without anything but who asks; a POST gets a key.
    pub(crate) fn call(self, method: &str, path: &str) -> Call<'c> {
        let mut call = Call {
            client: self,
            base: self.site.base.clone(),
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        };
        if let Some(token) = self.site.access_token(self.account) {
            call = call.header("Authorization", &format!("Bearer {token}"));
        }
        if method == "POST" { call.key(&new_key()) } else { call }
    }

    /// Reads a path.
    #[track_caller]
    pub(crate) fn get(self, path: &str) -> Answer {
        self.call("GET", path).send()
    }

    /// Writes under a key of its own.
    #[track_caller]
    pub(crate) fn post(self, path: &str, body: &Value) -> Answer {
        self.call("POST", path).json(body).send()
    }

    /// Writes under this key.
    #[track_caller]
    pub(crate) fn post_as(self, key: &str, path: &str, body: &Value) -> Answer {
        self.call("POST", path).key(key).json(body).send()
    }

    /// The identity of this person.
    pub(crate) fn id(self) -> Uuid {
        self.site.seed_data().people[self.account].id
    }
}

impl Call<'_> {
    /// Sets a header, in place of what it was.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.as_bytes().to_vec()));
        self
    }

    /// Sends the request to another server.
    pub(crate) fn on_server(mut self, base: &str) -> Self {
        base.clone_into(&mut self.base);
        self
    }

    /// Leaves a header out.
    pub(crate) fn without_header(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self
    }

    /// Sets the `Idempotency-Key`.
    pub(crate) fn key(self, key: &str) -> Self {
        self.header("Idempotency-Key", key)
    }

    /// Sets the body.
    pub(crate) fn json(self, body: &Value) -> Self {
        self.header("Content-Type", "application/json").bytes(body.to_string().into_bytes())
    }

    /// Sets the body to anything at all.
    pub(crate) fn bytes(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends the request, and fails where no answer comes.
    #[track_caller]
    pub(crate) fn send(self) -> Answer {
        let asked = format!("{} {} {}", self.client.account, self.method, self.path);
        match self.try_send() {
            Ok(answer) => answer,
            Err(error) => panic!("{asked}: {error} ({})", Location::caller()),
        }
    }

    /// Sends it; the server may be gone.
    pub(crate) fn try_send(self) -> Result<Answer, ureq::Error> {
        let Self { client, base, method, path, headers, body } = self;
        let asked = format!("{} {method} {path}", client.account);
        let uri = format!("{base}{path}");
        let mut request = Request::builder().method(method.as_str()).uri(uri);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let agent = &client.site.agent;
        let mut response = if matches!(method.as_str(), "POST" | "PUT" | "PATCH") {
            agent.run(request.body(body)?)?
        } else {
            agent.run(request.body(())?)?
        };
        let bytes = response.body_mut().read_to_vec()?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok(Answer {
            asked,
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: serde_json::from_str(&text).unwrap_or_default(),
            text,
            bytes,
        })
    }
}

impl Answer {
    /// A header; empty when there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body of a success.
    #[track_caller]
    pub(crate) fn expect_success(self) -> Value {
        assert!((200..300).contains(&self.status), "{}: {} {}", self.asked, self.status, self.text);
        self.body
    }

    /// The body of the problem, which must be this one, in the form every problem has.
    #[track_caller]
    pub(crate) fn expect_problem(self, status: u16, code: &str) -> Value {
        let Self { asked, text, body, .. } = &self;
        assert_eq!((self.status, body["code"].as_str()), (status, Some(code)), "{asked}: {text}");
        self.expect_complete_problem();
        self.body
    }

    /// A problem is complete, whatever it is.
    #[track_caller]
    pub(crate) fn expect_complete_problem(&self) {
        let Self { asked, text, body, .. } = self;
        let kind = self.header("content-type");
        // OAuth has a format of its own, and both are sent at once.
        let oauth = body["error"].is_string();
        let expected = if oauth { "application/json" } else { "application/problem+json" };
        assert_eq!(kind, expected, "{asked}: {} {text}", self.status);
        assert_eq!(body["status"], self.status, "{asked}: {text}");
        for member in ["type", "code", "title", "detail", "trace_id"] {
            let said = body[member].as_str().is_some_and(|text| !text.is_empty());
            assert!(said, "{asked}: no {member} in {text}");
        }
        let code = body["code"].as_str().unwrap_or_default();
        assert_eq!(body["type"], format!("/problems/{code}"), "{asked}: {text}");
        assert_eq!(self.header("x-content-type-options"), "nosniff", "{asked}");
        if self.status == 401 {
            let scheme = if oauth { "Basic" } else { "Bearer" };
            assert!(self.header("www-authenticate").starts_with(scheme), "{asked}");
        }
    }

    /// The fault at a place of the body: its code.
    #[track_caller]
    pub(crate) fn expect_fault(self, pointer: &str) -> String {
        assert_eq!(self.status, 400, "{}: {}", self.asked, self.text);
        self.expect_complete_problem();
        let fault = &self.body["errors"][0];
        assert_eq!(fault["pointer"], pointer, "{}: {}", self.asked, self.text);
        fault["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// The text at a JSON pointer.
#[track_caller]
pub(crate) fn read_text(value: &Value, pointer: &str) -> String {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no text at {pointer} in {value}")).to_owned()
}

/// The texts at `pointer` of every item of a list.
#[track_caller]
pub(crate) fn read_texts(value: &Value, pointer: &str) -> Vec<String> {
    let items = value["items"].as_array().unwrap_or_else(|| panic!("no items in {value}"));
    items.iter().map(|item| read_text(item, pointer)).collect()
}
