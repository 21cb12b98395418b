//! A client that acts as each of the people over real HTTP, and prints what it does.

use std::{collections::BTreeMap, path::Path, time::Duration};

use serde_json::{Value, json};

use super::{city::PEOPLE, say};
use crate::{app::clock::new_id, cli::install::Failed};

/// One call: who calls which operation.
pub(super) struct Call<'a> {
    /// The account that asks; without a login when it is empty.
    pub(super) by: &'a str,
    /// The operation, by its id in the document.
    pub(super) operation: &'a str,
    /// The HTTP method, `GET` or `POST`.
    pub(super) method: &'a str,
    /// The path with its query.
    pub(super) path: String,
    /// The JSON body; null when there is none.
    pub(super) body: Value,
    /// The status that must come back.
    pub(super) expect: u16,
    /// The `Idempotency-Key`; a new one when none is given.
    pub(super) key: Option<String>,
}

/// The logins of all people and the connection.
pub(super) struct Driver {
    agent: ureq::Agent,
    base: String,
    password: String,
    tokens: BTreeMap<String, String>,
    examples: BTreeMap<String, Value>,
    steps: usize,
}

impl Driver {
    pub(super) fn new(base: &str, password: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(30)))
            .build();
        Self {
            agent: config.into(),
            base: base.to_owned(),
            password: password.to_owned(),
            tokens: BTreeMap::new(),
            examples: BTreeMap::new(),
            steps: 0,
        }
    }

    /// How many steps succeeded so far.
    pub(super) const fn steps(&self) -> usize {
        self.steps
    }

    /// Forgets all logins: they expire when time is moved.
    pub(super) fn forget_logins(&mut self) {
        self.tokens.clear();
    }

    /// Logs an account in; the answer's tokens are kept.
    pub(super) fn log_in(&mut self, account: &str, password: &str) -> Result<Value, Failed> {
        let body = json!({ "tenant": "4202", "account": account, "password": password });
        let (status, answer, _) =
            self.send_request("POST", "/api/v1/auth/login", None, None, &body)?;
        if status != 200 {
            return Err(Failed(format!("{account} cannot log in: {status} {answer}")));
        }
        self.tokens.insert(account.to_owned(), text_at(&answer, "/access_token"));
        let masked = json!({ "tenant": "4202", "account": account, "password": "••••••••••••" });
        self.record_example("login", &masked, &answer);
        Ok(answer)
    }

    /// Keeps a token that an account obtained in another way.
    pub(super) fn keep_token(&mut self, who: &str, answer: &Value) {
        self.tokens.insert(who.to_owned(), text_at(answer, "/access_token"));
    }

    /// Exchanges the credentials of a program for a token.
    pub(super) fn exchange_credentials(&mut self, id: &str, secret: &str) -> Result<Value, Failed> {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", id)
            .append_pair("client_secret", secret)
            .finish();
        let failed = |error: ureq::Error| Failed(format!("POST /oauth/token: {error}"));
        let sent = self
            .agent
            .post(format!("{}/oauth/token", self.base))
            .content_type("application/x-www-form-urlencoded")
            .send(form);
        let mut answer = sent.map_err(failed)?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().read_to_string().map_err(failed)?;
        if status != 200 {
            return Err(Failed(format!("POST /oauth/token → {status}: {body}")));
        }
        let body: Value = serde_json::from_str(&body).map_err(|e| Failed(e.to_string()))?;
        self.steps += 1;
        say(&format!("{:>3}. 接入系统  POST /oauth/token → {status}", self.steps));
        self.record_example("issue_token", &Value::Null, &body);
        Ok(body)
    }

    /// Does one step: prints it, checks the status, and prints the fact `tell` finds.
    pub(super) fn run_step(
        &mut self,
        call: Call<'_>,
        tell: impl Fn(&Value) -> String,
    ) -> Result<Value, Failed> {
        let Call { by, operation, method, path, body, expect, key } = call;
        let key = (method == "POST").then(|| key.unwrap_or_else(|| new_id().to_string()));
        let token = self.ensure_token(by)?;
        let (status, answer, _) =
            self.send_request(method, &path, token.as_deref(), key.as_deref(), &body)?;
        let name = PEOPLE.iter().find(|p| p.account == by).map_or(by, |person| person.name);
        let short = path.strip_prefix("/api/v1").unwrap_or(&path);
        if status != expect {
            return Err(Failed(format!(
                "{name}: {method} {short} → {status}, not {expect}: {answer}"
            )));
        }
        self.steps += 1;
        say(&format!("{:>3}. {name}  {method} {} → {status}", self.steps, shorten_path(short)));
        let fact = tell(&answer);
        if !fact.is_empty() {
            say(&format!("     {fact}"));
        }
        if status < 300 && !operation.is_empty() {
            self.record_example(operation, &body, &answer);
        }
        Ok(answer)
    }

    /// Sends a file as `wx.uploadFile` does.
    pub(super) fn upload_file(&mut self, by: &str, id: &str, bytes: Vec<u8>) -> Result<(), Failed> {
        const EDGE: &str = "gridwhistle";
        let head = format!(
            "--{EDGE}\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n{id}\r\n--{EDGE}\r\n\
             Content-Disposition: form-data; name=\"file\"; filename=\"photo.jpg\"\r\n\
             Content-Type: image/jpeg\r\n\r\n"
        );
        let end = format!("\r\n--{EDGE}--\r\n");
        let body = [head.into_bytes(), bytes, end.into_bytes()].concat();
        let kind = format!("multipart/form-data; boundary={EDGE}");
        let answer = self.send_bytes(by, "/api/v1/media", ("Content-Type", &kind), &body, 201)?;
        self.record_example("upload_media", &Value::Null, &answer);
        Ok(())
    }

    /// Sends a piece of a file.
    pub(super) fn append_piece(
        &mut self,
        by: &str,
        path: &str,
        offset: usize,
        piece: &[u8],
    ) -> Result<(), Failed> {
        let (path, offset) = (format!("{path}/append"), offset.to_string());
        let answer = self.send_bytes(by, &path, ("Upload-Offset", &offset), piece, 200)?;
        self.record_example("append_media_upload", &Value::Null, &answer);
        Ok(())
    }

    /// One step whose body is bytes.
    fn send_bytes(
        &mut self,
        by: &str,
        path: &str,
        (name, value): (&str, &str),
        bytes: &[u8],
        expect: u16,
    ) -> Result<Value, Failed> {
        let token = self.ensure_token(by)?.unwrap_or_default();
        let failed = |error: ureq::Error| Failed(format!("POST {path}: {error}"));
        let sent = self
            .agent
            .post(format!("{}{path}", self.base))
            .header("Authorization", format!("Bearer {token}"))
            .header("Idempotency-Key", new_id().to_string())
            .header(name, value)
            .send(bytes);
        let mut answer = sent.map_err(failed)?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().read_to_string().map_err(failed)?;
        if status != expect {
            return Err(Failed(format!("{by}: POST {path} → {status}, not {expect}: {body}")));
        }
        self.steps += 1;
        let who = PEOPLE.iter().find(|p| p.account == by).map_or(by, |person| person.name);
        let short = path.strip_prefix("/api/v1").unwrap_or(path);
        let kilobytes = bytes.len().div_ceil(1024);
        say(&format!(
            "{:>3}. {who}  POST {} → {status}（{kilobytes} KB）",
            self.steps,
            shorten_path(short)
        ));
        serde_json::from_str(&body).map_err(|error| Failed(error.to_string()))
    }

    /// Follows a link without a login; answers the status.
    pub(super) fn follow_link(&self, link: &str) -> Result<u16, Failed> {
        let failed = |error: ureq::Error| Failed(format!("GET a link: {error}"));
        let answer = self.agent.get(format!("{}{link}", self.base)).call().map_err(failed)?;
        Ok(answer.status().as_u16())
    }

    /// Reads without counting a step.
    pub(super) fn fetch_json(&mut self, by: &str, path: &str) -> Result<Value, Failed> {
        let token = self.ensure_token(by)?;
        let (status, answer, _) =
            self.send_request("GET", path, token.as_deref(), None, &Value::Null)?;
        if status == 200 {
            Ok(answer)
        } else {
            Err(Failed(format!("{by}: GET {path} → {status}: {answer}")))
        }
    }

    /// The token of one of the people, who logs in again where the last one has expired.
    pub(super) fn ensure_token(&mut self, by: &str) -> Result<Option<String>, Failed> {
        if !self.tokens.contains_key(by) && PEOPLE.iter().any(|person| person.account == by) {
            let password = self.password.clone();
            self.log_in(by, &password)?;
        }
        Ok(self.tokens.get(by).cloned())
    }

    pub(super) fn record_example(&mut self, operation: &str, request: &Value, response: &Value) {
        let example = json!({ "request": keep_last_year(&hide_secrets(request)), "response": keep_last_year(&hide_secrets(response)) });
        self.examples.entry(operation.to_owned()).or_insert(example);
    }

    /// Writes the recorded examples.
    pub(super) fn save_examples(&self, file: &Path) -> Result<(), Failed> {
        let text =
            serde_json::to_string_pretty(&self.examples).map_err(|e| Failed(e.to_string()))?;
        std::fs::write(file, text + "\n").map_err(|error| Failed(error.to_string()))
    }

    /// Sends one request; answers the status, the body, and the `ETag`.
    pub(super) fn send_request(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        key: Option<&str>,
        body: &Value,
    ) -> Result<(u16, Value, String), Failed> {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("Accept-Language", "zh-CN");
        if let Some(token) = token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let failed = |error: &dyn std::fmt::Display| Failed(format!("{method} {path}: {error}"));
        let sent = if method == "GET" {
            self.agent.run(request.body(()).map_err(|e| failed(&e))?)
        } else {
            let request = request.header("Content-Type", "application/json");
            self.agent.run(request.body(body.to_string()).map_err(|e| failed(&e))?)
        };
        let mut response = sent.map_err(|error| failed(&error))?;
        let status = response.status().as_u16();
        let tag = response.headers().get("etag").and_then(|tag| tag.to_str().ok());
        let tag = tag.unwrap_or_default().to_owned();
        let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok());
        let json = kind.is_some_and(|kind| kind.contains("json"));
        let text = response.body_mut().read_to_string().map_err(|error| failed(&error))?;
        let answer = if text.is_empty() {
            Value::Null
        } else if !json {
            Value::String(text)
        } else {
            serde_json::from_str(&text).map_err(|error| failed(&error))?
        };
        Ok((status, answer, tag))
    }
}

/// Identifiers are long; the line shows their end.
fn shorten_path(path: &str) -> String {
    path.split('/')
        .map(|part| match uuid::Uuid::try_parse(part) {
            Ok(_) => format!("…{}", part.chars().skip(30).collect::<String>()),
            Err(_) => part.to_owned(),
        })
        .collect::<Vec<_>>()
        .join("/")
}

/// Replacements of secrets in examples: the secrets worked in a demo that is over, and would look
/// like something to copy.
const HIDDEN: [(&str, &str); 10] = [
    ("access_token", "eyJ…"),
    ("refresh_token", "AZ…"),
    ("device_token", "AZ…"),
    ("password", "••••••••••••"),
    ("old_password", "••••••••••••"),
    ("challenge", "AX…"),
    ("flow", "AX…"),
    ("secret", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"),
    (
        "uri",
        "otpauth://totp/GridWhistle:admin?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=GridWhistle&algorithm=SHA1&digits=6&period=30",
    ),
    ("value", "gws_…"),
];

/// The replacement of a secret; none for a value that only has the name of one.
fn mask_secret(value: &Value, shown: &str) -> Option<Value> {
    /// The shortest secret: names of things are shorter.
    const LONG: usize = 8;
    let given = value.as_str().filter(|given| given.len() > LONG)?;
    let webhook = given.starts_with("whsec_");
    Some(Value::from(if webhook { "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" } else { shown }))
}

fn hide_secrets(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| {
                let known = HIDDEN.iter().find(|(secret, _)| secret == name);
                let known = known.map(|(_, shown)| *shown);
                (
                    name.clone(),
                    known
                        .and_then(|shown| mask_secret(value, shown))
                        .unwrap_or_else(|| hide_secrets(value)),
                )
            };
            Value::Object(members.iter().map(member).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(hide_secrets).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// Of a calendar the last year is example enough.
fn keep_last_year(value: &Value) -> Value {
    let mut shown = value.clone();
    if let Some(years) = shown.pointer_mut("/document/years").and_then(Value::as_object_mut) {
        let last = years.keys().max().cloned();
        years.retain(|year, _| Some(year) == last.as_ref());
    }
    shown
}

/// The text at a JSON pointer.
pub(super) fn text_at(answer: &Value, pointer: &str) -> String {
    answer.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The array at a JSON pointer.
pub(super) fn items_at<'a>(answer: &'a Value, pointer: &str) -> &'a [Value] {
    answer.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
