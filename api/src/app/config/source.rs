//! Where settings come from besides the command line: the environment and a TOML file.

use std::{ffi::OsString, fmt::Display, fs, io, path::Path, str::FromStr};

use serde::de::DeserializeOwned;

use super::{Fault, Partial, Secret};

const PREFIX: &str = "GRIDWHISTLE_";

/// The settings that the environment can hold.
const NAMES: &[&str] = &[
    "DATABASE_URL",
    "LISTEN",
    "LOG",
    "LOG_LEVEL",
    "WORKERS",
    "READERS",
    "WRITERS",
    "WAITING",
    "ACCESS_MINUTES",
    "REFRESH_DAYS",
    "PROXIES",
    "CLOCKWORK",
    "IDLE_HOURS",
    "PASSWORD_DAYS",
    "SECOND_FACTOR",
    "PUBLIC_URL",
    "KEY",
    "MINI_PROGRAMS",
    "PROVIDERS",
    "SMS",
    "WEBHOOK_NETWORKS",
    "VAULT_CIPHER",
    "VAULT_KEY",
    "VAULT_KEY_FILE",
    "VAULT_KEY_COMMAND",
    "MEDIA",
    "MEDIA_ACCESS_KEY",
    "MEDIA_SECRET_KEY",
    "SPOOL",
    "LIMITS",
];

/// The variables `GRIDWHISTLE_…`; an empty one counts as absent.
pub(super) fn read_environment(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Partial, Fault> {
    let mut given = Partial::default();
    for (name, value) in variables {
        let Some(name) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else { continue };
        if is_kubernetes_variable(name) || name.starts_with("TEST_") {
            continue;
        }
        let value = value.to_str().ok_or_else(|| {
            Fault(format!("the environment variable {PREFIX}{name} is not UTF-8 text"))
        })?;
        if !value.trim().is_empty() || !NAMES.contains(&name) {
            set_variable(&mut given, name, value.trim())?;
        }
    }
    Ok(given)
}

/// Whether it is a variable that Kubernetes sets for a service called `gridwhistle`.
fn is_kubernetes_variable(name: &str) -> bool {
    name == "PORT" || name.starts_with("PORT_") || name.starts_with("SERVICE_")
}

fn set_variable(given: &mut Partial, name: &str, value: &str) -> Result<(), Fault> {
    match name {
        "DATABASE_URL" => given.database = Some(parse_variable(name, value)?),
        "LISTEN" => given.listen = Some(parse_variable(name, value)?),
        "LOG" => given.log = Some(parse_choice(name, value)?),
        "LOG_LEVEL" => given.log_level = Some(parse_choice(name, value)?),
        "WORKERS" => given.workers = Some(parse_variable(name, value)?),
        "READERS" => given.readers = Some(parse_variable(name, value)?),
        "WRITERS" => given.writers = Some(parse_variable(name, value)?),
        "WAITING" => given.waiting = Some(parse_variable(name, value)?),
        "ACCESS_MINUTES" => given.access_minutes = Some(parse_variable(name, value)?),
        "REFRESH_DAYS" => given.refresh_days = Some(parse_variable(name, value)?),
        "PROXIES" => given.proxies = Some(parse_variable(name, value)?),
        "CLOCKWORK" => given.clockwork = Some(parse_variable(name, value)?),
        "IDLE_HOURS" => given.idle_hours = Some(parse_variable(name, value)?),
        "PASSWORD_DAYS" => given.password_days = Some(parse_variable(name, value)?),
        "SECOND_FACTOR" => given.second_factor = Some(parse_choice(name, value)?),
        "PUBLIC_URL" => given.public_url = Some(value.to_owned()),
        "KEY" => given.key = Some(Secret::from(value)),
        "MINI_PROGRAMS" => given.mini_programs = Some(parse_list(name, value)?),
        "PROVIDERS" => given.providers = Some(parse_list(name, value)?),
        "SMS" => given.sms = Some(parse_json(name, value)?),
        "WEBHOOK_NETWORKS" => given.webhook_networks = Some(parse_variable(name, value)?),
        "VAULT_CIPHER" => given.vault_cipher = Some(parse_choice(name, value)?),
        "VAULT_KEY" => given.vault_key = Some(parse_variable(name, value)?),
        "VAULT_KEY_FILE" => given.vault_key_file = Some(parse_variable(name, value)?),
        "VAULT_KEY_COMMAND" => given.vault_key_command = Some(value.to_owned()),
        "MEDIA" => given.media = Some(parse_variable(name, value)?),
        "MEDIA_ACCESS_KEY" => given.media_access_key = Some(Secret::from(value)),
        "MEDIA_SECRET_KEY" => given.media_secret_key = Some(Secret::from(value)),
        "SPOOL" => given.spool = Some(parse_variable(name, value)?),
        "LIMITS" => given.limits = Some(parse_json(name, value)?),
        _ => {
            return Err(Fault(format!(
                "the environment variable {PREFIX}{name} is unknown; available: {}",
                NAMES.iter().map(|name| format!("{PREFIX}{name}")).collect::<Vec<_>>().join(", ")
            )));
        }
    }
    Ok(())
}

fn parse_variable<T: FromStr<Err: Display>>(name: &str, value: &str) -> Result<T, Fault> {
    value.parse().map_err(|error| {
        Fault(format!("the environment variable {PREFIX}{name} is {value:?}: {error}"))
    })
}

fn parse_choice<T: clap::ValueEnum>(name: &str, value: &str) -> Result<T, Fault> {
    T::from_str(value, true).map_err(|_unknown| {
        let all = T::value_variants().iter().filter_map(T::to_possible_value);
        let all: Vec<_> = all.map(|one| one.get_name().to_owned()).collect();
        let all = all.join(", ");
        Fault(format!(
            "the environment variable {PREFIX}{name} is {value:?}; expected one of {all}"
        ))
    })
}

/// Parses a list of tables, as JSON. The error does not quote it: it holds secrets.
fn parse_list<T: DeserializeOwned>(name: &str, value: &str) -> Result<Vec<T>, Fault> {
    parse_json(name, value)
}

/// Parses JSON; the error does not quote it either.
fn parse_json<T: DeserializeOwned>(name: &str, value: &str) -> Result<T, Fault> {
    serde_json::from_str(value).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Fault(format!(
            "the environment variable {PREFIX}{name} is not valid JSON for this setting (line {line}, \
             column {column}); docs/logins.md and docs/api.md have examples"
        ))
    })
}

/// Reads a file.
pub(super) fn read_file(path: &Path) -> Result<Partial, Fault> {
    let path_text = path.display();
    let failed = |error: io::Error| {
        Fault(format!("cannot read the configuration file {path_text}: {error}"))
    };
    // Checked on the open file: the name may refer to another file by now.
    let opened = fs::File::open(path).map_err(failed)?;
    let mode = read_mode(&opened).map_err(failed)?;
    let text = io::read_to_string(&opened).map_err(failed)?;
    let given: Partial = toml::from_str(&text).map_err(|error| {
        let line = error.span().and_then(|span| text.get(..span.start));
        let line = line.map_or(1, |before| before.matches('\n').count() + 1);
        // Only the message: the line itself may hold a password.
        Fault(format!("the configuration file {path_text}, line {line}: {}", error.message()))
    })?;
    if mode & 0o007 != 0 && given.holds_secrets() {
        return Err(Fault(format!(
            "the configuration file {path_text} holds secrets and can be read by everyone (mode \
             {mode:03o}); run `chmod 600` on it"
        )));
    }
    Ok(given)
}

/// The permissions of a file that count; the group may read it, where the owner is another (a file
/// mounted into a container).
#[cfg(unix)]
fn read_mode(opened: &fs::File) -> io::Result<u32> {
    use std::os::unix::fs::PermissionsExt;
    Ok(opened.metadata()?.permissions().mode() & 0o777)
}

#[cfg(not(unix))]
fn read_mode(_: &fs::File) -> io::Result<u32> {
    Ok(0)
}

impl Partial {
    /// Whether others must not read this.
    fn holds_secrets(&self) -> bool {
        let password = self.database.as_ref().is_some_and(|url| url.to_string() != url.expose());
        let sms = self.sms.as_ref().is_some_and(|sms| sms.authorization.is_some());
        let some = |list: Option<usize>| list.is_some_and(|count| count > 0);
        password
            || sms
            || self.key.is_some()
            || self.vault_key.is_some()
            || self.media_access_key.is_some()
            || self.media_secret_key.is_some()
            || some(self.mini_programs.as_ref().map(Vec::len))
            || some(self.providers.as_ref().map(Vec::len))
    }
}
