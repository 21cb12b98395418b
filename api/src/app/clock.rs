//! The one place that reads the clock. All other code takes the time as an argument.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, Duration, Utc};
use domain::{
    Instant,
    core::id::{CommandId, PersonId},
};

/// The time of this server; tests move it.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    ahead_ms: Arc<AtomicI64>,
}

impl Clock {
    /// Now, cut to milliseconds: what PostgreSQL, SQLite and JSON all keep.
    pub fn now(&self) -> Instant {
        #[expect(clippy::disallowed_methods, reason = "this is the clock")]
        let now = Utc::now();
        let ms = now.timestamp_millis() + self.ahead_ms.load(Ordering::Relaxed);
        DateTime::from_timestamp_millis(ms).unwrap_or(now)
    }

    /// Moves this clock forward.
    pub fn advance(&self, by: Duration) {
        self.ahead_ms.fetch_add(by.num_milliseconds(), Ordering::Relaxed);
    }
}

/// An identifier that sorts by time.
pub fn new_id() -> uuid::Uuid {
    #[expect(clippy::disallowed_methods, reason = "this is where identifiers are made")]
    uuid::Uuid::now_v7()
}

/// The identifier of what a command creates, when the client names none: the same for every retry,
/// because it is derived from the command's id and the caller, so that the same key of another
/// caller makes something else. The time in front is kept, so that it sorts.
pub fn derive_id(by: PersonId, command: CommandId, purpose: &str) -> uuid::Uuid {
    let hash = domain::core::journal::Hash::digest(format!("{purpose}:{command}:{by}").as_bytes());
    let mut bytes = *command.0.as_bytes();
    bytes.iter_mut().zip(hash.0).skip(6).for_each(|(byte, new)| *byte = new);
    uuid::Builder::from_bytes(bytes)
        .with_variant(uuid::Variant::RFC4122)
        .with_version(uuid::Version::SortRand)
        .into_uuid()
}
