//! What can go wrong with the database. Rules that say no are not among it.

use diesel::result::{DatabaseErrorKind, Error};
use domain::{
    core::journal::{Entry, FlowKind},
    flows::stored_event::Unreadable,
};
use uuid::Uuid;

/// Why the store could not do what was asked.
#[derive(Debug)]
pub enum StoreError {
    /// Too much is waiting; try again in a moment.
    Overloaded,
    /// The store is shutting down.
    Closed,
    /// The database cannot be reached, or the connection broke. Whether the last commit
    /// happened is unknown; asking again with the same command id is safe.
    Unavailable(String),
    /// A row that the model cannot represent.
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
    /// Anything else the database said.
    Database(Error),
}

impl StoreError {
    /// The events of this entry cannot be read.
    pub fn unreadable(entry: &Entry, error: &Unreadable) -> Self {
        let why = format!("entry {}: {error}", entry.seq);
        Self::Unreadable { flow: entry.flow, id: entry.flow_id, why }
    }

    /// Whether nothing is wrong with what was asked: the same may succeed in a moment.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Overloaded | Self::Closed | Self::Unavailable(_))
    }

    /// Whether it is about stored data that cannot be read: what does not need these goes on.
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
            Self::Exists(what) => write!(out, "{what} exists already"),
            Self::Unusable(why) => write!(out, "{why}"),
            Self::Database(error) => write!(out, "database error: {error}"),
        }
    }
}

impl std::error::Error for StoreError {}

/// What a number is called that another has.
pub(crate) const NUMBER: &str = "number";

/// What a violated unique index means. PostgreSQL names the index (with a shard suffix on
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

/// What passes by itself, in the words of the engines; diesel has no kinds for it.
const PASSING: &[&str] = &["locked", "disk", "timeout"];

/// Whether the connection may be unusable after this error, or no request can be served for now.
/// Anything else is about one statement, and no reason to refuse those that share its batch.
pub(crate) fn breaks_connection(error: &Error) -> bool {
    use DatabaseErrorKind::{ClosedConnection, UnableToSendCommand, Unknown};
    if let Error::DatabaseError(kind, info) = error {
        let passing = || PASSING.iter().any(|word| info.message().contains(word));
        return matches!(kind, UnableToSendCommand | ClosedConnection)
            || (matches!(kind, Unknown) && passing());
    }
    matches!(error, Error::BrokenTransactionManager)
}
