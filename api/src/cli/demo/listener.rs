//! The receivers in the demo: a stand-in for another organisation's server, which checks every
//! signature with the library receivers would use, and a reader of the event stream.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::TcpStream,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::Value;
use standardwebhooks::Webhook;
use ureq::http::{HeaderMap, HeaderName, HeaderValue};

use super::standin::{Asked, Said, Standin};

/// What a receiver got.
#[derive(Default)]
pub(super) struct Told {
    /// The types of the events whose signatures were right.
    pub(super) types: Vec<String>,
    /// How many had a wrong signature.
    pub(super) wrong: usize,
    secret: String,
}

/// A server that receives events.
pub(super) struct Receiver {
    /// The address to register as a webhook.
    pub(super) url: String,
    told: Arc<Mutex<Told>>,
    _server: Standin,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Receiver {
    pub(super) fn start() -> io::Result<Self> {
        let told: Arc<Mutex<Told>> = Arc::default();
        let ours = Arc::clone(&told);
        let server = Standin::serve(move |asked| {
            let mut told = lock(&ours);
            if has_valid_signature(&told.secret, asked) {
                told.types.push(asked.body_field("type").as_str().unwrap_or_default().to_owned());
                return Said::Json(200, Value::Null);
            }
            told.wrong += 1;
            Said::Json(401, Value::Null)
        })?;
        let url = format!("{}/gridwhistle", server.base);
        Ok(Self { url, told, _server: server })
    }

    /// The secret it checks signatures with.
    pub(super) fn trust_secret(&self, secret: String) {
        lock(&self.told).secret = secret;
    }

    /// What it received, once that is enough; or after ten seconds.
    pub(super) fn wait_until(&self, enough: impl Fn(&Told) -> bool) -> (Vec<String>, usize) {
        for _ in 0..100 {
            if enough(&lock(&self.told)) {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let told = lock(&self.told);
        (told.types.clone(), told.wrong)
    }
}

fn has_valid_signature(secret: &str, asked: &Asked) -> bool {
    let mut headers = HeaderMap::new();
    for (name, value) in &asked.headers {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
    Webhook::new(secret).is_ok_and(|hook| hook.verify(&asked.body, &headers).is_ok())
}

/// A reader of the event stream.
pub(super) struct Stream {
    labels: Arc<Mutex<Vec<String>>>,
}

impl Stream {
    /// Begins to read with the token of a caller.
    pub(super) fn open(base: &str, token: &str) -> io::Result<Self> {
        let address = base.strip_prefix("http://").unwrap_or(base);
        let mut stream = TcpStream::connect(address)?;
        write!(
            stream,
            "GET /api/v1/events/stream HTTP/1.1\r\nHost: {address}\r\n\
             Authorization: Bearer {token}\r\n\r\n"
        )?;
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        // It listens once the stream has begun.
        while !line.starts_with("retry:") {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Err(io::Error::other("the stream ended at once"));
            }
        }
        let labels: Arc<Mutex<Vec<String>>> = Arc::default();
        let ours = Arc::clone(&labels);
        std::thread::spawn(move || {
            for line in reader.lines().map_while(Result::ok) {
                let told = line.strip_prefix("data: ").map(serde_json::from_str::<Value>);
                if let Some(Ok(told)) = told {
                    let said = |at: &str| told.pointer(at).and_then(Value::as_str).unwrap_or("");
                    let label = format!("{} {}", said("/subject/number"), said("/label"));
                    lock(&ours).push(label);
                }
            }
        });
        Ok(Self { labels })
    }

    /// What was read, once it contains this text; or after ten seconds.
    pub(super) fn read_until(&self, last: &str) -> Vec<String> {
        for _ in 0..100 {
            if lock(&self.labels).iter().any(|label| label.ends_with(last)) {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        lock(&self.labels).clone()
    }
}
