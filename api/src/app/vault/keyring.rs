//! The master keys, and where they come from: a setting, a file, a program that prints them.
//!
//! A keyring is text: a key a line, as 64 hexadecimal digits or in base64; the first line is the
//! key that wraps new keys, the others only open older ones. Empty lines and those that begin with
//! `#` are left out.

use std::{
    fs, io,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use persistence::StoreError;
use zeroize::Zeroizing;

use super::cipher::{KeyId, Secret};
use crate::app::config::{DatabaseUrl, Settings};

/// The master keys.
#[derive(Clone, Debug)]
pub struct Keyring {
    /// The key that wraps new keys.
    pub current: Secret,
    /// Keys that older data may be wrapped by.
    pub older: Vec<Secret>,
}

/// The most keys of a keyring.
const MOST: usize = 64;

impl Keyring {
    /// Reads the text of a keyring.
    pub fn parse(text: &str) -> Result<Self, String> {
        let lines = text.lines().map(str::trim).enumerate();
        let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let mut keys = Vec::new();
        for (index, line) in lines {
            // The line itself is a secret.
            let wrong = || format!("line {} is not 32 bytes in base64 or hexadecimal", index + 1);
            keys.push(parse_secret(line).ok_or_else(wrong)?);
            if keys.len() > MOST {
                return Err(format!("there are more than {MOST} keys"));
            }
        }
        let mut keys = keys.into_iter();
        let current = keys.next().ok_or_else(|| "it contains no key".to_owned())?;
        Ok(Self { current, older: keys.collect() })
    }

    /// The key with this name.
    pub fn get(&self, id: KeyId) -> Option<&Secret> {
        std::iter::once(&self.current).chain(&self.older).find(|key| key.id() == id)
    }

    /// The content of a key file: a heading, then one key a line in Base64, the current one first.
    fn to_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::from(
            "# GridWhistle: the first key is for what is new, the others open what is old. Keep a copy apart from\n\
             # the database and its backups: without it nobody can read people's data.\n",
        ));
        for key in std::iter::once(&self.current).chain(&self.older) {
            text.push_str(&BASE64_STANDARD.encode(&key.0[..]));
            text.push('\n');
        }
        text
    }
}

fn parse_secret(line: &str) -> Option<Secret> {
    if line.len() == 64 && line.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(line.get(index * 2..index * 2 + 2)?, 16).ok()?;
        }
        return Secret::from_slice(&bytes[..]);
    }
    Secret::from_slice(&Zeroizing::new(BASE64_STANDARD.decode(line).ok()?))
}

/// Where the master keys come from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// Keys given in the settings themselves.
    Given(crate::app::config::VaultKeys),
    /// A key file that the configuration names.
    File(PathBuf),
    /// A program, and its arguments.
    Command(String),
    /// The file beside an embedded database, made when it is needed.
    Beside(PathBuf),
}

impl Source {
    /// The source the settings name. Where they name none, an embedded database has its key file
    /// beside it; a server that others can reach must be given one, as a key beside its program
    /// would be a different one on every replica.
    pub fn from_settings(settings: &Settings) -> Result<Self, StoreError> {
        let Settings { vault_key, vault_key_file, vault_key_command, .. } = settings;
        match (vault_key, vault_key_file, vault_key_command) {
            (Some(keys), None, None) => Ok(Self::Given(keys.clone())),
            (None, Some(path), None) => Ok(Self::File(path.clone())),
            (None, None, Some(command)) => Ok(Self::Command(command.clone())),
            (None, None, None) => {
                embedded_key_path(&settings.database).map(Self::Beside).ok_or_else(|| {
                    unusable_key(
                        "personal data is encrypted, and with PostgreSQL the key must be given: generate \
                     one with `openssl rand -base64 32`, keep a copy, and set one of \
                     GRIDWHISTLE_VAULT_KEY, GRIDWHISTLE_VAULT_KEY_FILE and \
                     GRIDWHISTLE_VAULT_KEY_COMMAND to the same value on every replica",
                    )
                })
            }
            _ => Err(unusable_key(
                "give only one of vault_key, vault_key_file and vault_key_command",
            )),
        }
    }

    /// Reads the keys; `fresh` says that nothing is encrypted yet, so that a file may be made.
    pub fn read(&self, fresh: bool) -> Result<Keyring, StoreError> {
        let parse = |text: &str, from: &str| {
            Keyring::parse(text)
                .map_err(|why| unusable_key(&format!("the vault key in {from}: {why}")))
        };
        match self {
            Self::Given(keys) => parse(keys.expose(), "GRIDWHISTLE_VAULT_KEY"),
            Self::File(path) => parse(&read_key_file(path)?, &path.display().to_string()),
            Self::Command(line) => parse(&run_key_command(line)?, "what the command printed"),
            Self::Beside(path) => {
                if fresh && !path.exists() {
                    create_key_file(path)?;
                }
                parse(&read_key_file(path)?, &path.display().to_string())
            }
        }
    }

    /// Whether it may give other keys later, in the same process.
    pub const fn may_change(&self) -> bool {
        match self {
            Self::Given(_) => false,
            Self::File(_) | Self::Command(_) | Self::Beside(_) => true,
        }
    }

    /// The key file, where the keys come from one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) | Self::Beside(path) => Some(path),
            Self::Given(_) | Self::Command(_) => None,
        }
    }
}

/// The key file of an embedded database.
fn embedded_key_path(database: &DatabaseUrl) -> Option<PathBuf> {
    let path = database.expose().strip_prefix("sqlite://")?;
    Some(PathBuf::from(format!("{path}.key")))
}

fn unusable_key(why: &str) -> StoreError {
    StoreError::Unusable(why.to_owned())
}

fn file_error(path: &Path, what: &str, error: &io::Error) -> StoreError {
    unusable_key(&format!("the vault key file {} {what}: {error}", path.display()))
}

/// Reads a key file that no other user may read.
fn read_key_file(path: &Path) -> Result<Zeroizing<String>, StoreError> {
    const LONGEST: u64 = 16 * 1024;
    let opened = fs::File::open(path).map_err(|error| {
        file_error(path, "cannot be read; personal data cannot be decrypted without it", &error)
    })?;
    check_private(path, &opened)?;
    let mut text = Zeroizing::new(String::new());
    let mut bounded = opened.take(LONGEST);
    bounded
        .read_to_string(&mut text)
        .map_err(|error| file_error(path, "cannot be read", &error))?;
    Ok(text)
}

/// Refuses a file that others can read. Where the owner is another (a secret mounted into a
/// container), the group may.
#[cfg(unix)]
fn check_private(path: &Path, opened: &fs::File) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = opened.metadata().map_err(|error| file_error(path, "cannot be read", &error))?;
    let mode = metadata.permissions().mode();
    let others = mode & 0o007;
    if others == 0 {
        return Ok(());
    }
    Err(unusable_key(&format!(
        "the vault key file {} can be read by everyone (mode {:03o}); run `chmod 600` on it",
        path.display(),
        mode & 0o777
    )))
}

#[cfg(not(unix))]
fn check_private(_: &Path, _: &fs::File) -> Result<(), StoreError> {
    Ok(())
}

/// Writes a file with this text that only its owner may read, under a temporary name.
fn write_new_file(path: &Path, text: &str) -> Result<PathBuf, StoreError> {
    let beside = path.with_extension(format!("{}.new", std::process::id()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let write = || -> io::Result<()> {
        let mut file = options.open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|error| file_error(path, "cannot be written", &error))?;
    Ok(beside)
}

/// Makes a key file, unless another process just did.
fn create_key_file(path: &Path) -> Result<(), StoreError> {
    let ring = Keyring { current: Secret::generate()?, older: Vec::new() };
    let new = write_new_file(path, &ring.to_text())?;
    let linked = fs::hard_link(&new, path);
    // Whether it worked or not, the temporary name is not needed.
    let _ = fs::remove_file(&new);
    match linked {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(file_error(path, "cannot be written", &error)),
    }
}

/// Puts a new key in front of those in a file.
pub fn prepend_key(path: &Path) -> Result<Keyring, StoreError> {
    let wrong = |why: String| unusable_key(&format!("the vault key in {}: {why}", path.display()));
    let old = Keyring::parse(&read_key_file(path)?).map_err(wrong)?;
    let mut older = vec![old.current];
    older.extend(old.older);
    if older.len() >= MOST {
        return Err(unusable_key(&format!(
            "{} holds {MOST} keys; remove those that `gridwhistle vault status` calls unused",
            path.display()
        )));
    }
    let ring = Keyring { current: Secret::generate()?, older };
    let new = write_new_file(path, &ring.to_text())?;
    fs::rename(&new, path).map_err(|error| file_error(path, "cannot be written", &error))?;
    Ok(ring)
}

/// The output of a program: at most 16 KiB, within 10 seconds. It is not run by a shell.
fn run_key_command(line: &str) -> Result<Zeroizing<String>, StoreError> {
    const PATIENCE: Duration = Duration::from_secs(10);
    const LONGEST: u64 = 16 * 1024;
    let wrong = |why: &str| unusable_key(&format!("the vault key command {why}"));
    let mut words = line.split_whitespace();
    let program = words.next().ok_or_else(|| wrong("is empty"))?;
    let mut child = Command::new(program)
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| wrong(&format!("cannot be run: {error}")))?;
    let stdout = child.stdout.take();
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut text = Zeroizing::new(String::new());
        let read = stdout.map(|out| out.take(LONGEST).read_to_string(&mut text));
        // The receiver may have given up.
        let _ = tell.send(read.transpose().map(|_| text));
    });
    let start = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if start.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Ok(None) | Err(_) => {
                // It may have ended at this very moment.
                let _ = child.kill();
                let _ = child.wait();
                return Err(wrong("did not end within 10 seconds"));
            }
        }
    };
    if !status.success() {
        return Err(wrong(&format!("failed: {status}")));
    }
    // A child of the program may still hold its output open.
    let text = told.recv_timeout(PATIENCE).map_err(|_silent| wrong("did not close its output"))?;
    text.map_err(|error| wrong(&format!("did not print UTF-8 text: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(byte: u8) -> String {
        BASE64_STANDARD.encode([byte; 32])
    }

    #[test]
    fn a_keyring_is_a_key_a_line() {
        let hex = "02".repeat(32);
        let text = format!("# current\n{}\n\n  {hex}  \n", line(1));
        let ring = Keyring::parse(&text).unwrap();
        assert_eq!(ring.current.id(), Secret::from_slice(&[1; 32]).unwrap().id());
        let second = Secret::from_slice(&[2; 32]).unwrap().id();
        assert!(ring.get(second).is_some());
        assert!(ring.get(Secret::from_slice(&[3; 32]).unwrap().id()).is_none());
        let again = Keyring::parse(&ring.to_text()).unwrap();
        assert_eq!(again.current.id(), ring.current.id());
        for bad in ["", "# nothing", "short", &line(1)[1..]] {
            let why = Keyring::parse(bad).unwrap_err();
            assert!(bad.is_empty() || !why.contains(bad), "{why}");
        }
        assert!(Keyring::parse(&format!("{}\n", line(1)).repeat(65)).is_err());
    }

    #[test]
    fn a_file_is_made_once_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("city.db.key");
        let source = Source::Beside(path.clone());
        assert!(source.read(false).is_err(), "what is encrypted needs the key it had");
        let made = source.read(true).unwrap();
        assert_eq!(source.read(true).unwrap().current.id(), made.current.id());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        let rotated = prepend_key(&path).unwrap();
        assert_ne!(rotated.current.id(), made.current.id());
        assert!(source.read(false).unwrap().get(made.current.id()).is_some());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
            let refused = source.read(false).unwrap_err().to_string();
            assert!(refused.contains("chmod 600"), "{refused}");
        }
    }

    #[test]
    fn a_program_prints_the_key() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        fs::write(&path, line(7)).unwrap();
        let source = Source::Command(format!("cat {}", path.display()));
        let key = Secret::from_slice(&[7; 32]).unwrap();
        assert_eq!(source.read(false).unwrap().current.id(), key.id());
        for bad in ["", "/no/such/program", "false", "echo hello"] {
            assert!(Source::Command(bad.to_owned()).read(true).is_err(), "{bad}");
        }
    }
}
