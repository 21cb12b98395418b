//! One connection, to either engine, chosen by the URL.

use diesel::{
    Connection, PgConnection, QueryResult, RunQueryDsl, SqliteConnection,
    connection::{AnsiTransactionManager, SimpleConnection, TransactionManager},
};

use crate::kernel::error::StoreError;

/// A connection to SQLite or PostgreSQL. Queries are written once, for this type.
#[derive(diesel::MultiConnection)]
pub enum Db {
    /// PostgreSQL, or Citus.
    Postgres(PgConnection),
    /// An embedded file.
    Sqlite(SqliteConnection),
}

/// Compiles one text once per engine, for the clauses the common backend lacks (`on conflict`,
/// batch insert).
macro_rules! each {
    ($db:expr, $c:ident => $query:expr) => {
        match $db {
            $crate::kernel::connection::Db::Postgres($c) => $query,
            $crate::kernel::connection::Db::Sqlite($c) => $query,
        }
    };
}
pub(crate) use each;

/// Which engine a URL names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Url {
    /// The whole URL, for libpq.
    Postgres(String),
    /// The path of the file.
    Sqlite(String),
}

/// What a connection is used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Use {
    /// Reading lanes: writing is an error.
    Read,
    /// Lanes that load single states by primary key.
    Look,
    /// Writing lanes and migrations.
    Write,
}

impl Url {
    /// Reads a URL; refuses unknown schemes, because a typo must not create an empty file.
    pub(crate) fn parse(url: &str) -> Result<Self, StoreError> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(url.to_owned()));
        }
        match url.strip_prefix("sqlite://") {
            Some("") => {
                Err(unusable_error("sqlite:// needs a path, as in sqlite://gridwhistle.db"))
            }
            Some(path) if path.contains('?') || path.contains(":memory:") => Err(unusable_error(
                "sqlite:// takes a plain file path; several connections share one file",
            )),
            Some(path) => Ok(Self::Sqlite(path.to_owned())),
            None => Err(unusable_error(
                "a database URL begins with sqlite:// or postgres://, as in \
                 sqlite://gridwhistle.db or postgres://user@host/gridwhistle",
            )),
        }
    }

    /// Opens a connection and prepares the session.
    pub(crate) fn connect(&self, purpose: Use) -> Result<Db, StoreError> {
        let unavailable = |error: diesel::ConnectionError| {
            StoreError::Unavailable(strip_password(&error.to_string()))
        };
        match self {
            Self::Postgres(url) => {
                let mut connection =
                    PgConnection::establish(&with_connect_timeout(url)).map_err(unavailable)?;
                connection.batch_execute(
                    "set time zone 'UTC'; set statement_timeout = '30s'; \
                     set idle_in_transaction_session_timeout = '60s'; \
                     set plan_cache_mode = force_generic_plan;",
                )?;
                if purpose != Use::Read {
                    // These lanes read by primary key; a plan made while a table was small must not
                    // scan it when it has grown.
                    connection.batch_execute(
                        "set enable_seqscan = off; set enable_hashjoin = off; \
                         set enable_mergejoin = off;",
                    )?;
                }
                Ok(Db::Postgres(connection))
            }
            Self::Sqlite(path) => {
                create_private_file(path);
                let mut connection = SqliteConnection::establish(path).map_err(unavailable)?;
                connection.batch_execute("pragma busy_timeout = 10000;")?;
                enable_wal(&mut connection)?;
                connection.batch_execute(
                    "pragma synchronous = full; pragma foreign_keys = on; \
                     pragma secure_delete = on; pragma cache_size = -8000; pragma temp_store = memory;",
                )?;
                if purpose != Use::Write {
                    connection.batch_execute("pragma query_only = on;")?;
                }
                Ok(Db::Sqlite(connection))
            }
        }
    }

    /// Whether it is the embedded engine.
    pub(crate) const fn is_embedded(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }
}

/// Creates a missing database as a file that only its owner can read; the files SQLite puts beside
/// it get the same rights. If that fails here, SQLite reports the error.
fn create_private_file(path: &str) {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    drop(options.open(path));
}

/// Lets readers read while another connection writes (WAL). While another process does this to a
/// new file, SQLite does not wait for it but reports at once that the file is locked.
fn enable_wal(connection: &mut SqliteConnection) -> diesel::QueryResult<()> {
    const TRIES: u32 = 200;
    let mut tries = 0;
    loop {
        match connection.batch_execute("pragma journal_mode = wal;") {
            Err(diesel::result::Error::DatabaseError(_, why))
                if tries < TRIES && why.message().contains("locked") =>
            {
                tries += 1;
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
            done => return done,
        }
    }
}

fn unusable_error(why: &str) -> StoreError {
    StoreError::Unusable(why.to_owned())
}

/// Sets a timeout: a server that does not answer must not hold a lane for minutes.
fn with_connect_timeout(url: &str) -> String {
    if url.contains("connect_timeout=") {
        return url.to_owned();
    }
    let joint = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joint}connect_timeout=5")
}

/// Removes the password: libpq repeats the whole connection string in some messages.
fn strip_password(message: &str) -> String {
    match (message.find("://"), message.find('@')) {
        (Some(start), Some(end)) if start < end => {
            let (head, _) = message.split_at(start + 3);
            let (_, tail) = message.split_at(end);
            format!("{head}…{tail}")
        }
        _ => message.to_owned(),
    }
}

/// Runs `work` in a transaction. SQLite takes its write lock up front, so that a read snapshot
/// never has to upgrade.
pub(crate) fn transaction<R, E: From<diesel::result::Error>>(
    db: &mut Db,
    work: impl FnOnce(&mut Db) -> Result<R, E>,
) -> Result<R, E> {
    match db {
        Db::Sqlite(c) => AnsiTransactionManager::begin_transaction_sql(c, "BEGIN IMMEDIATE")?,
        Db::Postgres(c) => AnsiTransactionManager::begin_transaction(c)?,
    }
    match work(db) {
        Ok(result) => {
            let committed: QueryResult<()> =
                <Db as Connection>::TransactionManager::commit_transaction(db);
            committed?;
            Ok(result)
        }
        Err(error) => {
            // The first error is the one that matters; a broken connection is dropped anyway.
            let _ = <Db as Connection>::TransactionManager::rollback_transaction(db);
            Err(error)
        }
    }
}

#[derive(diesel::QueryableByName)]
struct Checkpointed {
    #[diesel(sql_type = diesel::sql_types::Integer)]
    busy: i32,
}

/// Removes deleted data from disk, as far as the engine can; returns whether it is done.
///
/// SQLite overwrites what it deletes in the file, and keeps older pages in its log: the log is
/// folded into the file and truncated. That is impossible while a reader sees older data, and
/// nothing is kept waiting for it. PostgreSQL frees what no transaction sees any more.
pub(crate) fn scrub(db: &mut Db) -> Result<bool, StoreError> {
    /// The tables with personal data, and with its keys.
    const TABLES: [&str; 8] = [
        "personal",
        "personal_keys",
        "track_batches",
        "positions",
        "passwords",
        "second_factors",
        "identities",
        "media_marks",
    ];
    match db {
        Db::Sqlite(c) => {
            c.batch_execute("pragma busy_timeout = 25;")?;
            let folded: QueryResult<Checkpointed> =
                diesel::sql_query("pragma wal_checkpoint(truncate)").get_result(c);
            c.batch_execute("pragma busy_timeout = 10000;")?;
            Ok(folded?.busy == 0)
        }
        Db::Postgres(c) => {
            // Each table by itself, outside of any transaction; no reader or writer waits for it.
            for table in TABLES {
                c.batch_execute(&format!("vacuum (truncate false) {table}"))?;
            }
            Ok(true)
        }
    }
}

/// Runs queries that all see the database as it is at the first of them.
pub(crate) fn read_snapshot<R>(
    db: &mut Db,
    work: impl FnOnce(&mut Db) -> Result<R, StoreError>,
) -> Result<R, StoreError> {
    match db {
        // In a transaction SQLite keeps what the first query saw until the end.
        Db::Sqlite(c) => AnsiTransactionManager::begin_transaction_sql(c, "BEGIN")?,
        Db::Postgres(c) => {
            let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
            AnsiTransactionManager::begin_transaction_sql(c, begin)?;
        }
    }
    let result = work(db);
    // Nothing was written.
    let ended: QueryResult<()> = <Db as Connection>::TransactionManager::rollback_transaction(db);
    let result = result?;
    ended?;
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_schemes_are_accepted() {
        assert!(Url::parse("sqlite://a.db").is_ok());
        assert!(Url::parse("postgres://u@h/d").is_ok());
        for wrong in ["sqlite:a.db", "mysql://h/d", "a.db", "", "sqlite://", "sqlite://:memory:"] {
            assert!(matches!(Url::parse(wrong), Err(StoreError::Unusable(_))), "{wrong}");
        }
    }

    #[test]
    fn passwords_do_not_reach_messages() {
        let shown = strip_password("bad postgres://u:secret@h/d here");
        assert_eq!(shown, "bad postgres://…@h/d here");
    }
}
