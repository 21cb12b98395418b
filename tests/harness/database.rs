//! A database for each test: a copy of a template that was migrated and seeded once a run.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Receiver, SyncSender},
    },
};

use persistence::probe;
use tempfile::TempDir;
use uuid::Uuid;

use super::seed::{self, Seeded};

/// The two engines every story runs on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// A database of its own, dropped with this value.
pub(crate) struct Database {
    /// Where it is.
    pub(crate) url: String,
    kept: Kept,
}

enum Kept {
    Directory { _dir: TempDir },
    Name,
}

/// The seeded database every test copies, and its content.
pub(crate) struct Template {
    source: Source,
    /// What is in it.
    pub(crate) seeded: Seeded,
}

enum Source {
    File { path: PathBuf, _dir: TempDir },
    Name(String),
}

/// The template of an engine, made by the first test that needs it.
pub(crate) fn shared_template(engine: Engine) -> &'static Template {
    static SQLITE: OnceLock<Template> = OnceLock::new();
    static POSTGRES: OnceLock<Template> = OnceLock::new();
    match engine {
        Engine::Sqlite => SQLITE.get_or_init(|| {
            let dir = make_temp_dir();
            let path = dir.path().join("template.db");
            let seeded = seed::fill_database(&format!("sqlite://{}", path.display()));
            Template { source: Source::File { path, _dir: dir }, seeded }
        }),
        Engine::Postgres => POSTGRES.get_or_init(|| {
            sweep_leftovers();
            let name = fresh_name();
            create_database(&name, None);
            let seeded = seed::fill_database(&database_url(&name));
            Template { source: Source::Name(name), seeded }
        }),
    }
}

impl Database {
    /// A copy of the template.
    pub(crate) fn new_seeded(engine: Engine) -> Self {
        match &shared_template(engine).source {
            Source::File { path, .. } => {
                let dir = make_temp_dir();
                let copy = dir.path().join("city.db");
                std::fs::copy(path, &copy).expect("the template can be copied");
                Self {
                    url: format!("sqlite://{}", copy.display()),
                    kept: Kept::Directory { _dir: dir },
                }
            }
            Source::Name(template) => {
                Self { url: database_url(&take_ready_copy(template)), kept: Kept::Name }
            }
        }
    }

    /// A copy of the template that forgets nothing when the power fails.
    pub(crate) fn new_durable(engine: Engine) -> Self {
        match &shared_template(engine).source {
            Source::File { .. } => Self::new_seeded(engine),
            Source::Name(template) => Self::create_postgres(Some(template)),
        }
    }

    /// An empty database, without tables.
    pub(crate) fn new_empty(engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => {
                let dir = make_temp_dir();
                let url = format!("sqlite://{}", dir.path().join("empty.db").display());
                Self { url, kept: Kept::Directory { _dir: dir } }
            }
            Engine::Postgres => Self::create_postgres(None),
        }
    }

    fn create_postgres(template: Option<&str>) -> Self {
        let name = fresh_name();
        create_database(&name, template);
        Self { url: database_url(&name), kept: Kept::Name }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Kept::Name = self.kept {
            let name = self.url.rsplit('/').next().and_then(|name| name.split('?').next());
            discard_database(name.unwrap_or_default());
        }
    }
}

fn make_temp_dir() -> TempDir {
    tempfile::Builder::new().prefix("gridwhistle-test-").tempdir().expect("a temporary directory")
}

/// The URL of a server on which databases may be created.
fn admin_url() -> &'static str {
    static ADMIN: OnceLock<String> = OnceLock::new();
    ADMIN.get_or_init(|| {
        #[expect(clippy::disallowed_methods, reason = "tests are told where PostgreSQL is")]
        let url = std::env::var("GRIDWHISTLE_TEST_POSTGRES");
        url.expect(
            "GRIDWHISTLE_TEST_POSTGRES is not set: run `make test`, or `scripts/postgres.sh run \
             cargo test --workspace`, so that these stories have a PostgreSQL to run on",
        )
    })
}

/// The same server, another database.
fn database_url(name: &str) -> String {
    let (head, tail) = admin_url().split_once("://").expect("a URL has a scheme");
    let (place, options) = tail.split_once('?').map_or((tail, None), |(p, o)| (p, Some(o)));
    let host = place.split('/').next().unwrap_or_default();
    let options = options.map(|options| format!("?{options}")).unwrap_or_default();
    format!("{head}://{host}/{name}{options}")
}

const PREFIX: &str = "gridwhistle_test_";

fn fresh_name() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let chance = api::app::clock::new_id().as_u128() & 0xffff;
    format!("{PREFIX}{}_{chance:04x}_{count}", std::process::id())
}

fn create_database(name: &str, template: Option<&str>) {
    // template0 has no collation of its own that another person chose.
    let template = template.unwrap_or("template0");
    let sql = format!("create database {name} template {template}");
    probe::execute(admin_url(), &sql).expect("databases can be created on the test server");
}

/// A copy of the template. PostgreSQL takes its time to make one, so the next ones are made
/// while a test runs; a power failure may lose them.
fn take_ready_copy(template: &'static str) -> String {
    static READY: OnceLock<Mutex<Receiver<String>>> = OnceLock::new();
    let ready = READY.get_or_init(|| {
        let (give, take) = mpsc::sync_channel(2);
        std::thread::spawn(move || {
            loop {
                let name = fresh_name();
                create_database(&name, Some(template));
                let relaxed = format!("alter database {name} set synchronous_commit = off");
                probe::execute(admin_url(), &relaxed).expect("a database has settings");
                if give.send(name).is_err() {
                    return;
                }
            }
        });
        Mutex::new(take)
    });
    let ready = ready.lock().unwrap_or_else(PoisonError::into_inner);
    ready.recv().expect("databases can be created on the test server")
}

/// Drops a database while other tests run. Each drop makes PostgreSQL write a checkpoint, so
/// several are dropped at a time; the next run sweeps the last few.
fn discard_database(name: &str) {
    static DISCARD: OnceLock<SyncSender<String>> = OnceLock::new();
    let discard = DISCARD.get_or_init(|| {
        let (give, take) = mpsc::sync_channel::<String>(8);
        std::thread::spawn(move || {
            loop {
                let several: Vec<String> = take.iter().take(8).collect();
                for name in &several {
                    let sql = format!("drop database if exists {name} with (force)");
                    let _ = probe::execute(admin_url(), &sql);
                }
            }
        });
        give
    });
    let _ = discard.send(name.to_owned());
}

/// Drops what runs left behind that were killed.
fn sweep_leftovers() {
    let sql =
        format!("select datname::text as line from pg_database where datname like '{PREFIX}%'");
    for name in probe::query_lines(admin_url(), &sql).expect("the test server answers") {
        let pid = name.trim_start_matches(PREFIX).split('_').next().unwrap_or_default();
        let processes = std::path::Path::new("/proc");
        if processes.join("self").exists() && !processes.join(pid).exists() {
            let _ = probe::execute(admin_url(), &format!("drop database if exists {name}"));
        }
    }
}

/// Things by name, for looking up.
pub(crate) type Names = HashMap<String, Uuid>;
