//! The connection to a server, and time.

use chrono::{DateTime, Duration, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::Done;

/// A request as it goes over the line.
#[derive(Clone, Debug)]
pub struct Ask<'a> {
    /// The account that sends it.
    pub by: &'a str,
    /// The path of an operation.
    pub path: &'a str,
    /// The key and the body, of a write.
    pub writes: Option<(Uuid, &'a [u8])>,
    /// Whether the body is packed by gzip.
    pub zipped: bool,
}

/// The connection to a server.
pub trait Line: Sync {
    /// Sends a request; answers the status and the body. The caller is logged in, again when that
    /// is needed.
    fn ask(&self, ask: &Ask<'_>) -> Done<(u16, Value)>;

    /// The time of a clock that is right.
    fn now(&self) -> DateTime<Utc>;

    /// Lets time pass, where that is possible.
    fn pass_time(&self, by: Duration);
}

/// Reads a path that must exist.
pub(crate) fn read_json(line: &impl Line, by: &str, path: &str) -> Done<Value> {
    let (status, body) = line.ask(&Ask { by, path, writes: None, zipped: false })?;
    if status == 200 { Ok(body) } else { Err(format!("{by} GET {path}: {status} {body}")) }
}
