//! The way to a server, and time.

use chrono::{DateTime, Duration, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::Done;

/// A request as it goes over the line.
#[derive(Clone, Debug)]
pub struct Ask<'a> {
    /// By whom: an account.
    pub by: &'a str,
    /// Where it goes: the path of an operation.
    pub path: &'a str,
    /// Under which key, and with what, where it writes.
    pub writes: Option<(Uuid, &'a [u8])>,
    /// Whether the body is packed by gzip.
    pub zipped: bool,
}

/// The way to a server.
pub trait Line: Sync {
    /// Asks; answers the status and the body. The caller is logged in, anew when that is needed.
    fn ask(&self, ask: &Ask<'_>) -> Done<(u16, Value)>;

    /// What a clock that is right shows.
    fn now(&self) -> DateTime<Utc>;

    /// Lets time pass, where that can be done.
    fn pass_time(&self, by: Duration);
}

/// Reads what must be there.
pub(crate) fn read_json(line: &impl Line, by: &str, path: &str) -> Done<Value> {
    let (status, body) = line.ask(&Ask { by, path, writes: None, zipped: false })?;
    if status == 200 { Ok(body) } else { Err(format!("{by} GET {path}: {status} {body}")) }
}
