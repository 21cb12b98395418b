//! The real server in this process, on a database of its own, and people who use it.

mod client;
mod database;
pub(crate) mod seed;
mod steps;

use std::{
    collections::HashMap,
    net::TcpListener,
    sync::{Mutex, PoisonError, mpsc},
    thread::JoinHandle,
};

use actix_web::{dev::ServerHandle, rt::System, web::Data};
use api::{
    app::{
        clock::Clock,
        config::{Limits, LogFormat, LogLevel, MediaUrl, SecondFactor, Settings, VaultKeys},
        state::App,
        vault::Suite,
    },
    server,
};
use chrono::Duration;
use persistence::Store;
use serde_json::json;

pub(crate) use client::{Answer, Client, new_key, read_text, read_texts};
pub(crate) use database::{Database, Engine, shared_template};
pub(crate) use steps::{callback_body, password_proof, report_body_at};

/// Makes one test per engine of each story: a function that is given a city.
macro_rules! on_both {
    ($($story:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test]
            fn $story() {
                super::$story(&$crate::harness::City::open($crate::harness::Engine::Sqlite));
            })+
        }
        mod postgres {
            $(#[test]
            fn $story() {
                super::$story(&$crate::harness::City::open($crate::harness::Engine::Postgres));
            })+
        }
    };
}
pub(crate) use on_both;

/// The same for stories that are also given what `open` of their file makes beside the city, such
/// as another party's server.
macro_rules! on_both_beside {
    ($($story:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test]
            fn $story() {
                let (city, beside) = super::open_city($crate::harness::Engine::Sqlite);
                super::$story(&city, &beside);
            })+
        }
        mod postgres {
            $(#[test]
            fn $story() {
                let (city, beside) = super::open_city($crate::harness::Engine::Postgres);
                super::$story(&city, &beside);
            })+
        }
    };
}
pub(crate) use on_both_beside;

/// Where a server with 测试市 in it answers, and everyone's tokens.
pub(crate) struct Site {
    /// The address of the server, without a path.
    pub(crate) base: String,
    engine: Engine,
    agent: ureq::Agent,
    tokens: Mutex<HashMap<String, Tokens>>,
    /// One at a time: a refresh token works once.
    refreshing: Mutex<()>,
}

/// Such a server in this process.
pub(crate) struct City {
    site: Site,
    /// Its store, for looking behind the scenes.
    pub(crate) store: Store,
    /// The application itself, for the same purpose.
    pub(crate) app: Data<App>,
    /// The database the server stands on.
    pub(crate) database: Database,
    clock: Clock,
    handle: ServerHandle,
    server: Option<JoinHandle<()>>,
}

#[derive(Clone)]
struct Tokens {
    access: String,
    refresh: String,
    stale: bool,
}

/// The root of the workspace.
pub(crate) fn workspace_root() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The master key under which all databases of the tests are filled.
pub(crate) const VAULT_KEY: &str =
    "7465737465737465737465737465737465737465737465737465737465737465";

fn vault_key() -> VaultKeys {
    let Ok(keys) = VAULT_KEY.parse();
    keys
}

/// The settings of a server on this database.
pub(crate) fn build_settings(url: &str) -> Settings {
    let Ok(database) = url.parse();
    Settings {
        database,
        listen: ([127, 0, 0, 1], 0).into(),
        log: LogFormat::Text,
        log_level: LogLevel::Off,
        workers: Some(2),
        readers: None,
        writers: None,
        waiting: 4096,
        access_minutes: 15,
        refresh_days: 30,
        proxies: 0,
        // Tests do the work of the scheduler themselves; those about it start it.
        clockwork: false,
        idle_hours: 10_000,
        password_days: 0,
        second_factor: SecondFactor::Off,
        public_url: None,
        key: None,
        mini_programs: Vec::new(),
        providers: Vec::new(),
        sms: None,
        webhook_networks: "127.0.0.0/8".parse().unwrap(),
        vault_cipher: Suite::Aes,
        vault_key: Some(vault_key()),
        vault_key_file: None,
        vault_key_command: None,
        // Identities tell files of different cities apart.
        media: Some(MediaUrl::Folder(concat!(env!("CARGO_TARGET_TMPDIR"), "/media").into())),
        media_access_key: None,
        media_secret_key: None,
        spool: None,
        // One resident does in a story what many do in a city; stories about limits use the shipped
        // ones.
        limits: Limits { residents: Limits::default().staff, ..Limits::default() },
    }
}

impl City {
    /// Serves a fresh copy of the city.
    pub(crate) fn open(engine: Engine) -> Self {
        Self::open_with(engine, |_| ())
    }

    /// The same, with other settings.
    pub(crate) fn open_with(engine: Engine, adjust: impl FnOnce(&mut Settings)) -> Self {
        let database = Database::new_seeded(engine);
        let mut settings = build_settings(&database.url);
        adjust(&mut settings);
        let (clock, listener) = (Clock::default(), TcpListener::bind(settings.listen));
        let listener = listener.expect("a free port");
        let (tell, told) = mpsc::channel();
        let time = clock.clone();
        let server = std::thread::spawn(move || {
            System::new().block_on(async move {
                let app = App::open(settings, time).await.expect("the database opens");
                let store = app.store.clone();
                let app = Data::new(app);
                let running = server::start(app.clone(), listener, false).expect("it serves");
                let _ = tell.send((running.handle, running.address, app));
                running.server.await.expect("it served");
                store.close();
            });
        });
        let (handle, address, app) = told.recv().expect("the server started");
        let store = app.store.clone();
        let site = Site::new(engine, &format!("http://{address}"));
        Self { site, store, app, database, clock, handle, server: Some(server) }
    }

    /// Moves time forward, for the server and for everyone's tokens.
    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
        self.lock_tokens().values_mut().for_each(|one| one.stale = true);
    }

    /// The time there.
    pub(crate) fn now(&self) -> domain::Instant {
        self.clock.now()
    }

    /// The clock itself, for another replica.
    pub(crate) fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// Checks every chain and every state, as `gridwhistle verify` does.
    pub(crate) fn verify(&self) -> api::engine::verify::Findings {
        let store = self.store.clone();
        System::new()
            .block_on(api::engine::verify::check_tenants(&store, None))
            .expect("the journal can be read")
    }
}

/// Another server on the database of a city.
pub(crate) struct Replica {
    /// The address of the server, without a path.
    pub(crate) base: String,
    handle: ServerHandle,
    server: Option<JoinHandle<()>>,
}

impl Replica {
    /// Serves the same database under the same clock.
    pub(crate) fn open(city: &City, settings: Settings) -> Self {
        Self::open_by(city.clock(), settings)
    }

    /// Serves the same database by a clock of its own.
    pub(crate) fn open_by(time: Clock, settings: Settings) -> Self {
        let listener = TcpListener::bind(settings.listen).expect("a free port");
        let (tell, told) = mpsc::channel();
        let server = std::thread::spawn(move || {
            System::new().block_on(async move {
                let app = App::open(settings, time).await.expect("the database opens");
                let store = app.store.clone();
                let running = server::start(Data::new(app), listener, false).expect("it serves");
                let _ = tell.send((running.handle, running.address));
                running.server.await.expect("it served");
                store.close();
            });
        });
        let (handle, address) = told.recv().expect("the replica started");
        Self { base: format!("http://{address}"), handle, server: Some(server) }
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
        if let Some(server) = self.server.take() {
            let ended = server.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the replica panicked");
        }
    }
}

impl std::ops::Deref for City {
    type Target = Site;
    fn deref(&self) -> &Site {
        &self.site
    }
}

impl Site {
    /// A server on a copy of the template.
    pub(crate) fn new(engine: Engine, base: &str) -> Self {
        let people = &shared_template(engine).seeded.people;
        let tokens = people.iter().map(|(account, login)| {
            let (access, refresh) = (login.access.clone(), login.refresh.clone());
            (account.clone(), Tokens { access, refresh, stale: false })
        });
        let (agent, tokens) = (client::new_agent(), Mutex::new(tokens.collect()));
        Self { base: base.to_owned(), engine, agent, tokens, refreshing: Mutex::new(()) }
    }

    /// Which engine its database is on.
    pub(crate) fn engine(&self) -> Engine {
        self.engine
    }

    /// The seeded people and areas.
    pub(crate) fn seed_data(&self) -> &'static seed::Seeded {
        &shared_template(self.engine).seeded
    }

    /// The identity of an area.
    pub(crate) fn area_id(&self, code: &str) -> String {
        self.seed_data().areas[code].to_string()
    }

    /// A client for a person, by account; `""` is a caller who is not logged in.
    pub(crate) const fn client<'c>(&'c self, account: &'c str) -> Client<'c> {
        Client { site: self, account }
    }

    /// The access token of a person, exchanged for a new one when time has moved on.
    pub(crate) fn access_token(&self, account: &str) -> Option<String> {
        let fresh = |known: &Tokens| !known.stale;
        let known = self.lock_tokens().get(account).cloned()?;
        if fresh(&known) {
            return Some(known.access);
        }
        let _one = self.refreshing.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.lock_tokens().get(account).cloned()?;
        if fresh(&known) {
            return Some(known.access);
        }
        let tenant = self.seed_data().people.get(account)?.tenant;
        let body = json!({ "tenant": tenant, "refresh_token": known.refresh });
        let fresh = self.client("").post("/api/v1/auth/refresh", &body).expect_success();
        let (access, refresh) =
            (read_text(&fresh, "/access_token"), read_text(&fresh, "/refresh_token"));
        let tokens = Tokens { access: access.clone(), refresh, stale: false };
        self.lock_tokens().insert(account.to_owned(), tokens);
        Some(access)
    }

    fn lock_tokens(&self) -> std::sync::MutexGuard<'_, HashMap<String, Tokens>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for City {
    fn drop(&mut self) {
        // The command is sent at once; the thread ends when the server has.
        drop(self.handle.stop(false));
        if let Some(server) = self.server.take() {
            let ended = server.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the server panicked");
        }
    }
}
