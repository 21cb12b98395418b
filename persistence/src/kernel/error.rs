//! Errors of the database. Refusals by rules are not among them.

use diesel::result::{DatabaseErrorKind, Error};
use domain::{
    core::journal::{Entry, FlowKind},
    flows::stored_event::Unreadable,
};
use uuid::Uuid;

/// Why the store could not do what was asked.
#[derive(Debug)]
pub enum StoreError {
    /// Too much is waiting; the caller should try again in a moment.
    Overloaded,
    /// The store is shutting down.
    Closed,
    /// The database cannot be reached, or the connection broke. Whether the last commit happened is
    /// unknown; repeating it with the same command id is safe.
    Unavailable(String),
    /// A row that does not fit the model.
    Inconsistent(String),
    /// A flow whose journal this program cannot read.
    Unreadable {
        /// The kind of flow.
        flow: FlowKind,
        /// The identity of the flow.
        id: Uuid,
        /// Which entry cannot be read, and why.
        why: String,
    },
    /// Something that must be unique exists already.
    Exists(&'static str),
    /// The database is not one this program can work on.
    Unusable(String),
    /// Any other error of the database.
    Database(Error),
}

impl StoreError {
    /// The events of this entry cannot be read.
    pub fn unreadable(entry: &Entry, error: &Unreadable) -> Self {
        let why = format!("entry {}: {error}", entry.seq);
        Self::Unreadable { flow: entry.flow, id: entry.flow_id, why }
    }

    /// Whether the request itself is fine: the same may succeed in a moment.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Overloaded | Self::Closed | Self::Unavailable(_))
    }

    /// Whether stored data cannot be read: requests that do not need it go on.
    pub const fn is_unreadable(&self) -> bool {
        matches!(self, Self::Inconsistent(_) | Self::Unreadable { .. })
    }
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Overloaded => write!(out, "too much is waiting for the database"),
            Self::Closed => write!(out, "the store is shutting down"),
            Self::Unavailable(why) => write!(out, "the database is unavailable: {why}"),
            Self::Inconsistent(what) => write!(out, "inconsistent data: {what}"),
            Self::Unreadable { flow, id, why } => write!(out, "{} {id}: {why}", flow.name()),
            Self::Exists(what) => write!(out, "{what} already exists"),
            Self::Unusable(why) => write!(out, "{why}"),
            Self::Database(error) => write!(out, "database error: {error}"),
        }
    }
}

impl std::error::Error for StoreError {}

/// What a number is called that another has.
pub(crate) const NUMBER: &str = "number";

/// The meaning of a violated unique index. PostgreSQL names the index (with a shard suffix on
/// Citus), SQLite the columns.
const UNIQUE: &[(&str, &str, &str)] = &[
    ("people_account", "people.account", "account"),
    ("areas_code", "areas.code", "area code"),
    ("tenants_code", "tenants.code", "tenant code"),
    ("people_pkey", "people.id", "person"),
    ("signing_keys_pkey", "signing_keys.id", "key"),
    ("outside_tokens_pkey", "outside_tokens.id", "token"),
    ("identities_pkey", "identities.", "identity"),
    ("numbers_pkey", "numbers.", NUMBER),
    ("journal_", "journal.", "command"),
];

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        if breaks_connection(&error) {
            return Self::Unavailable(error.to_string());
        }
        if let Error::DatabaseError(DatabaseErrorKind::UniqueViolation, info) = &error {
            let (name, message) = (info.constraint_name().unwrap_or_default(), info.message());
            for (index, columns, meaning) in UNIQUE {
                if name.starts_with(index) || message.contains(columns) {
                    return Self::Exists(meaning);
                }
            }
        }
        Self::Database(error)
    }
}

/// Words of the engines for errors that pass by themselves; diesel has no kinds for them.
const PASSING: &[&str] = &["locked", "disk", "timeout"];

/// Whether the connection may be unusable after this error, or no request can be served for now.
/// Any other error is about one statement, and no reason to refuse those that share its batch.
pub(crate) fn breaks_connection(error: &Error) -> bool {
    use DatabaseErrorKind::{ClosedConnection, UnableToSendCommand, Unknown};
    if let Error::DatabaseError(kind, info) = error {
        let passing = || PASSING.iter().any(|word| info.message().contains(word));
        return matches!(kind, UnableToSendCommand | ClosedConnection)
            || (matches!(kind, Unknown) && passing());
    }
    matches!(error, Error::BrokenTransactionManager)
}
