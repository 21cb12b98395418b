//! Settings: what can be configured, and the only place that reads the environment.
//!
//! A flag of the command line stands above an environment variable, which stands above the
//! configuration file, which stands above the default. An unknown name is refused in the file and
//! in the environment alike: a typo in `GRIDWHISTLE_DATABASE_URL` must not open an empty database.
//! Passwords inside a database's address are never printed.

mod address;
pub mod limits;
mod media;
mod network;
mod outside;
mod secret;
mod source;
mod vault;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::Deserialize;

pub use address::DatabaseUrl;
pub use limits::{Limits, Rate, Rations};
pub use media::MediaUrl;
pub use network::Networks;
pub use outside::{Kind, MiniProgram, Provider, Sms};
pub use secret::Secret;
pub use vault::VaultKeys;

use crate::app::vault::Suite;

/// The file read when `--config` names none and it exists.
pub const FILE: &str = "gridwhistle.toml";

/// The settings of the server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// The database: `GRIDWHISTLE_DATABASE_URL`, by default `sqlite://gridwhistle.db`.
    pub database: DatabaseUrl,
    /// Where to listen: `GRIDWHISTLE_LISTEN`, by default `127.0.0.1:8080`.
    pub listen: SocketAddr,
    /// How to write the log: `GRIDWHISTLE_LOG`, by default `text`.
    pub log: LogFormat,
    /// What to write to the log: `GRIDWHISTLE_LOG_LEVEL`, by default `info`.
    pub log_level: LogLevel,
    /// Threads that answer requests: `GRIDWHISTLE_WORKERS`, by default one a core.
    pub workers: Option<usize>,
    /// Connections that read: `GRIDWHISTLE_READERS`, by default what suits the database.
    pub readers: Option<usize>,
    /// Connections that write: `GRIDWHISTLE_WRITERS`, by default what suits the database.
    pub writers: Option<usize>,
    /// How many may wait for each kind of connection before callers are refused with a time to
    /// retry: `GRIDWHISTLE_WAITING`, by default 4096.
    pub waiting: usize,
    /// Minutes an access token is valid: `GRIDWHISTLE_ACCESS_MINUTES`, by default 15.
    pub access_minutes: u32,
    /// Days a refresh token is valid: `GRIDWHISTLE_REFRESH_DAYS`, by default 30.
    pub refresh_days: u32,
    /// Reverse proxies in front that add to `X-Forwarded-For`: `GRIDWHISTLE_PROXIES`, by
    /// default 0.
    pub proxies: u8,
    /// Whether this replica runs the scheduler, which takes the measures about debts that become
    /// late: `GRIDWHISTLE_CLOCKWORK`, by default `true`. Every replica may; at least one must.
    pub clockwork: bool,
    /// Hours after which an unused login is over: `GRIDWHISTLE_IDLE_HOURS`, by default 168.
    pub idle_hours: u32,
    /// Days after which a password has to be changed, 0 for never: `GRIDWHISTLE_PASSWORD_DAYS`,
    /// by default 0.
    pub password_days: u32,
    /// Who needs a second factor: `GRIDWHISTLE_SECOND_FACTOR`, by default `administrators`.
    pub second_factor: SecondFactor,
    /// The address callers use, such as `https://grid.example.gov.cn`: `GRIDWHISTLE_PUBLIC_URL`.
    pub public_url: Option<String>,
    /// Seals stored secrets, 32 bytes in base64: `GRIDWHISTLE_KEY`, by default a key in the
    /// database.
    pub key: Option<Secret>,
    /// WeChat mini-programs residents log in with: `GRIDWHISTLE_MINI_PROGRAMS`, by default none.
    pub mini_programs: Vec<MiniProgram>,
    /// Identity providers for staff: `GRIDWHISTLE_PROVIDERS`, by default none.
    pub providers: Vec<Provider>,
    /// The gateway for short messages: `GRIDWHISTLE_SMS`, by default none.
    pub sms: Option<Sms>,
    /// Networks that webhooks may be sent to besides the public internet, such as `10.0.0.0/8`,
    /// also over plain HTTP: `GRIDWHISTLE_WEBHOOK_NETWORKS`, by default none.
    pub webhook_networks: Networks,
    /// What people's data is encrypted with: `GRIDWHISTLE_VAULT_CIPHER`, by default `aes`.
    pub vault_cipher: Suite,
    /// The master keys, base64 or hexadecimal, the current one first: `GRIDWHISTLE_VAULT_KEY`.
    pub vault_key: Option<VaultKeys>,
    /// A file with them: `GRIDWHISTLE_VAULT_KEY_FILE`; with SQLite by default the database's
    /// name and `.key`.
    pub vault_key_file: Option<PathBuf>,
    /// A program that prints the master keys: `GRIDWHISTLE_VAULT_KEY_COMMAND`.
    pub vault_key_command: Option<String>,
    /// Where photos and other files are kept: `GRIDWHISTLE_MEDIA`, by default a folder; see
    /// [`Settings::media`].
    pub media: Option<MediaUrl>,
    /// The access key of a bucket: `GRIDWHISTLE_MEDIA_ACCESS_KEY`.
    pub media_access_key: Option<Secret>,
    /// The secret key of that bucket: `GRIDWHISTLE_MEDIA_SECRET_KEY`.
    pub media_secret_key: Option<Secret>,
    /// Where files lie while they arrive: `GRIDWHISTLE_SPOOL`, by default beside the files that are
    /// kept; see [`Settings::spool`].
    pub spool: Option<PathBuf>,
    /// The limits for one person: `GRIDWHISTLE_LIMITS`.
    pub limits: Limits,
}

/// Who needs a second factor to log in with a password.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum SecondFactor {
    /// No one has to; a person who enrolled one is still asked for it.
    Off,
    /// Administrators and auditors.
    #[default]
    Administrators,
    /// Everybody with a password.
    Everybody,
}

/// How the log is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// How much is logged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// No lines at all.
    Off,
    /// Errors that need attention.
    Error,
    /// And warnings of the server.
    Warn,
    /// And a line a request.
    #[default]
    Info,
    /// And details that help to find a fault.
    Debug,
}

/// The settings of one source; the rest is left to the next. Its fields are the names in the file.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize, clap::Args)]
#[serde(deny_unknown_fields)]
pub struct Partial {
    /// The database, as sqlite://PATH or postgres://USER@HOST/NAME [default: sqlite://gridwhistle.db]
    ///
    /// A password is better given in GRIDWHISTLE_DATABASE_URL: others can see command lines.
    #[arg(long, value_name = "URL")]
    pub database: Option<DatabaseUrl>,
    /// Where to listen [default: 127.0.0.1:8080]
    #[arg(long, value_name = "HOST:PORT")]
    pub listen: Option<SocketAddr>,
    /// How to write the log, on stderr [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub log: Option<LogFormat>,
    /// How much to log [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<LogLevel>,
    /// Threads that answer requests [default: one a core]
    #[arg(long, value_name = "N")]
    pub workers: Option<usize>,
    /// Connections that read [default: 4 on SQLite, 8 on PostgreSQL]
    #[arg(long, value_name = "N")]
    pub readers: Option<usize>,
    /// Connections that write; SQLite always has one [default: 2 on PostgreSQL]
    #[arg(long, value_name = "N")]
    pub writers: Option<usize>,
    /// How many requests may wait for a connection [default: 4096]
    #[arg(long, value_name = "N")]
    pub waiting: Option<usize>,
    /// Minutes an access token is valid [default: 15]
    #[arg(long, value_name = "MINUTES")]
    pub access_minutes: Option<u32>,
    /// Days a refresh token is valid [default: 30]
    #[arg(long, value_name = "DAYS")]
    pub refresh_days: Option<u32>,
    /// Reverse proxies in front that add to X-Forwarded-For [default: 0]
    #[arg(long, value_name = "N")]
    pub proxies: Option<u8>,
    /// Whether this replica reminds, urges and escalates; at least one must [default: true]
    #[arg(long, value_name = "BOOL")]
    pub clockwork: Option<bool>,
    /// Hours after which an unused login is over [default: 168]
    #[arg(long, value_name = "HOURS")]
    pub idle_hours: Option<u32>,
    /// Days after which a password has to be changed, 0 for never [default: 0]
    #[arg(long, value_name = "DAYS")]
    pub password_days: Option<u32>,
    /// Who needs a second factor [default: administrators]
    #[arg(long, value_name = "WHO")]
    pub second_factor: Option<SecondFactor>,
    /// The address callers use, such as `https://grid.example.gov.cn`
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// Not a flag, because others can see command lines: it stands in the environment or the file.
    #[arg(skip)]
    pub key: Option<Secret>,
    /// The WeChat mini-programs; not a flag, because they have secrets.
    #[arg(skip)]
    pub mini_programs: Option<Vec<MiniProgram>>,
    /// The identity providers; not a flag, because they have secrets.
    #[arg(skip)]
    pub providers: Option<Vec<Provider>>,
    /// The SMS gateway; not a flag, because it has a secret.
    #[arg(skip)]
    pub sms: Option<Sms>,
    /// Networks that webhooks may be sent to besides the public internet, such as
    /// 10.0.0.0/8,fd00::/8
    #[arg(long, value_name = "NETWORKS")]
    pub webhook_networks: Option<Networks>,
    /// What people's data is encrypted with: aes, or sm4 with SM3 (国密) [default: aes]
    #[arg(long, value_name = "SUITE")]
    pub vault_cipher: Option<Suite>,
    /// The master keys; not a flag, because others can see command lines.
    #[arg(skip)]
    pub vault_key: Option<VaultKeys>,
    /// The file with the master keys [default with SQLite: the database's name and .key]
    #[arg(long, value_name = "FILE")]
    pub vault_key_file: Option<PathBuf>,
    /// A program that prints the master keys, run at start
    #[arg(long, value_name = "PROGRAM")]
    pub vault_key_command: Option<String>,
    /// Where photos are kept, as file:///FOLDER or s3://BUCKET [default with SQLite: the database's name and .media]
    #[arg(long, value_name = "URL")]
    pub media: Option<MediaUrl>,
    /// Not a flag, because others can see command lines: it stands in the environment or the file.
    #[arg(skip)]
    pub media_access_key: Option<Secret>,
    /// The secret key of the bucket; not a flag either.
    #[arg(skip)]
    pub media_secret_key: Option<Secret>,
    /// Where files lie while they arrive [default: beside the files that are kept]
    #[arg(long, value_name = "FOLDER")]
    pub spool: Option<PathBuf>,
    /// The limits for one person: a table, so it stands in the environment or the file.
    #[arg(skip)]
    pub limits: Option<limits::Given>,
}

/// Why the settings could not be read, as a sentence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault(String);

impl std::fmt::Display for Fault {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}

impl Settings {
    /// The settings of this process: `flags` first, then the environment, then the file.
    pub fn load(flags: Partial, file: Option<&Path>) -> Result<Self, Fault> {
        let environment = source::read_environment(std::env::vars_os())?;
        let file = match file {
            Some(path) => source::read_file(path)?,
            None if Path::new(FILE).exists() => source::read_file(&PathBuf::from(FILE))?,
            None => Partial::default(),
        };
        Self::from_partial(flags.or(environment).or(file))
    }

    /// How the store is laid out.
    pub fn store_options(&self) -> persistence::Options {
        persistence::Options { readers: self.readers, writers: self.writers, waiting: self.waiting }
    }

    /// Where files are kept: the setting, or else a folder beside the SQLite file, or one of this
    /// directory where the database is elsewhere.
    pub fn media(&self) -> MediaUrl {
        let folder = |path: String| MediaUrl::Folder(PathBuf::from(path));
        self.media.clone().unwrap_or_else(|| {
            match self.database.expose().strip_prefix("sqlite://") {
                Some(path) => folder(format!("{path}.media")),
                None => folder("gridwhistle.media".to_owned()),
            }
        })
    }

    /// Where files lie while they arrive: the setting, or else a folder among the files that are
    /// kept. With a bucket that is beside the SQLite file, or the folder for temporary files.
    pub fn spool(&self) -> PathBuf {
        self.spool.clone().unwrap_or_else(|| match self.media() {
            MediaUrl::Folder(folder) => folder.join(".spool"),
            MediaUrl::Bucket { .. } => match self.database.expose().strip_prefix("sqlite://") {
                Some(path) => PathBuf::from(format!("{path}.spool")),
                None => std::env::temp_dir(),
            },
        })
    }

    /// The settings, with the defaults for what was not given.
    fn from_partial(given: Partial) -> Result<Self, Fault> {
        let settings = Self {
            database: given.database.unwrap_or_default(),
            listen: given.listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8080))),
            log: given.log.unwrap_or_default(),
            log_level: given.log_level.unwrap_or_default(),
            workers: given.workers,
            readers: given.readers,
            writers: given.writers,
            waiting: given.waiting.unwrap_or(4096),
            access_minutes: given.access_minutes.unwrap_or(15),
            refresh_days: given.refresh_days.unwrap_or(30),
            proxies: given.proxies.unwrap_or(0),
            clockwork: given.clockwork.unwrap_or(true),
            idle_hours: given.idle_hours.unwrap_or(168),
            password_days: given.password_days.unwrap_or(0),
            second_factor: given.second_factor.unwrap_or_default(),
            public_url: given.public_url.map(|url| url.trim_end_matches('/').to_owned()),
            key: given.key,
            mini_programs: given.mini_programs.unwrap_or_default(),
            providers: given.providers.unwrap_or_default(),
            sms: given.sms,
            webhook_networks: given.webhook_networks.unwrap_or_default(),
            vault_cipher: given.vault_cipher.unwrap_or_default(),
            vault_key: given.vault_key,
            vault_key_file: given.vault_key_file,
            vault_key_command: given.vault_key_command,
            media: given.media,
            media_access_key: given.media_access_key,
            media_secret_key: given.media_secret_key,
            spool: given.spool,
            limits: given.limits.unwrap_or_default().complete(),
        };
        settings.check_values()
    }

    /// Refuses values with which the server could start but not work.
    fn check_values(self) -> Result<Self, Fault> {
        let amount = |name, given: Option<usize>, most| (name, given, 1, most);
        let minutes = usize::try_from(self.access_minutes).ok();
        let days = usize::try_from(self.refresh_days).ok();
        let idle = usize::try_from(self.idle_hours).ok();
        let age = usize::try_from(self.password_days).ok();
        for (name, given, least, most) in [
            amount("workers", self.workers, 1024),
            amount("readers", self.readers, 256),
            amount("writers", self.writers, 64),
            amount("waiting", Some(self.waiting), 1_000_000),
            amount("access_minutes", minutes, 24 * 60),
            amount("refresh_days", days, 366),
            amount("idle_hours", idle, 366 * 24),
            ("password_days", age, 0, 3660),
        ] {
            if given.is_some_and(|given| given < least || given > most) {
                let given = given.unwrap_or_default();
                return Err(Fault(format!("{name} is {given}; expected {least} to {most}")));
            }
        }
        if let Some(url) = &self.public_url {
            outside::check_address("public_url", url)?;
        }
        if self.key.as_ref().is_some_and(|key| key.bytes().is_none()) {
            let how = "generate one with `head -c 32 /dev/urandom | base64`";
            return Err(Fault(format!("key is not 32 bytes in base64; {how}")));
        }
        if self.media_access_key.is_some() != self.media_secret_key.is_some() {
            let why = "media_access_key and media_secret_key must be given together";
            return Err(Fault(why.to_owned()));
        }
        outside::check(&self.mini_programs, &self.providers)?;
        self.limits.check().map_err(Fault)?;
        if let Some(sms) = &self.sms {
            outside::check_address("url of sms", &sms.url)?;
        }
        Ok(self)
    }
}

impl Partial {
    /// The settings of this source, completed by those of the other.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            database: self.database.or(other.database),
            listen: self.listen.or(other.listen),
            log: self.log.or(other.log),
            log_level: self.log_level.or(other.log_level),
            workers: self.workers.or(other.workers),
            readers: self.readers.or(other.readers),
            writers: self.writers.or(other.writers),
            waiting: self.waiting.or(other.waiting),
            access_minutes: self.access_minutes.or(other.access_minutes),
            refresh_days: self.refresh_days.or(other.refresh_days),
            proxies: self.proxies.or(other.proxies),
            clockwork: self.clockwork.or(other.clockwork),
            idle_hours: self.idle_hours.or(other.idle_hours),
            password_days: self.password_days.or(other.password_days),
            second_factor: self.second_factor.or(other.second_factor),
            public_url: self.public_url.or(other.public_url),
            key: self.key.or(other.key),
            mini_programs: self.mini_programs.or(other.mini_programs),
            providers: self.providers.or(other.providers),
            sms: self.sms.or(other.sms),
            webhook_networks: self.webhook_networks.or(other.webhook_networks),
            vault_cipher: self.vault_cipher.or(other.vault_cipher),
            vault_key: self.vault_key.or(other.vault_key),
            vault_key_file: self.vault_key_file.or(other.vault_key_file),
            vault_key_command: self.vault_key_command.or(other.vault_key_command),
            media: self.media.or(other.media),
            media_access_key: self.media_access_key.or(other.media_access_key),
            media_secret_key: self.media_secret_key.or(other.media_secret_key),
            spool: self.spool.or(other.spool),
            limits: self.limits.or(other.limits),
        }
    }
}

#[cfg(test)]
mod tests;
