//! A small HTTP server that stands in for another service, in the demo and in the tests: one answer
//! a connection, made by the function it is given.

use std::{
    collections::BTreeMap,
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::Value;

/// A request as the stand-in read it.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// `GET` or `POST`.
    pub method: String,
    /// The path without its query.
    pub path: String,
    /// The parameters of the query, decoded.
    pub query: BTreeMap<String, String>,
    /// The headers, by their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body as it came; empty when there is none.
    pub body: Vec<u8>,
}

impl Asked {
    /// A field of the body, which is JSON; null when there is none.
    pub fn body_field(&self, name: &str) -> Value {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body.get(name).cloned().unwrap_or_default()
    }

    /// The body as a form.
    pub fn parse_form(&self) -> BTreeMap<String, String> {
        form_urlencoded::parse(&self.body).into_owned().collect()
    }

    /// A parameter of the query; empty when it is not there.
    pub fn query_param(&self, name: &str) -> &str {
        self.query.get(name).map(String::as_str).unwrap_or_default()
    }
}

/// The answer of a stand-in.
#[derive(Clone, Debug)]
pub enum Said {
    /// JSON with a status.
    Json(u16, Value),
    /// These bytes, whatever they are.
    Raw(Vec<u8>),
    /// JSON, after a delay.
    Late(Duration, Value),
    /// The connection breaks.
    Nothing,
}

/// A server that stands in for another one; it stops when dropped.
pub struct Standin {
    /// Its address, as `http://127.0.0.1:…`.
    pub base: String,
    address: SocketAddr,
    over: Arc<AtomicBool>,
}

impl Standin {
    /// Starts one on a free port of this host.
    pub fn serve(answer: impl Fn(&Asked) -> Said + Send + Sync + 'static) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let over = Arc::new(AtomicBool::new(false));
        let (ended, answer) = (Arc::clone(&over), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let answer = Arc::clone(&answer);
                if let Ok(stream) = stream {
                    // The client notices when it fails.
                    std::thread::spawn(move || drop(respond(&stream, &*answer)));
                }
            }
        });
        Ok(Self { base: format!("http://{address}"), address, over })
    }
}

impl Drop for Standin {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for a connection.
        drop(TcpStream::connect(self.address));
    }
}

fn respond(mut stream: &TcpStream, answer: &dyn Fn(&Asked) -> Said) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let (status, body) = match answer(&read_request(stream)?) {
        Said::Nothing => return Ok(()),
        Said::Raw(bytes) => return stream.write_all(&bytes),
        Said::Json(status, body) => (status, body),
        Said::Late(wait, body) => {
            std::thread::sleep(wait);
            (200, body)
        }
    };
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 {status} Answer\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())
}

fn read_request(stream: &TcpStream) -> io::Result<Asked> {
    const MAX_BYTES: usize = 16 * 1024 * 1024;
    let mut reader = BufReader::new(stream);
    let mut asked = Asked::default();
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split(' ');
    words.next().unwrap_or_default().clone_into(&mut asked.method);
    let target = words.next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    path.clone_into(&mut asked.path);
    asked.query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        asked.headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = asked.headers.get("content-length").and_then(|length| length.parse().ok());
    asked.body = vec![0; length.unwrap_or(0).min(MAX_BYTES)];
    reader.read_exact(&mut asked.body)?;
    Ok(asked)
}
