//! The PostgreSQL cluster the measurements run on, through its own programs.

use std::{
    ffi::OsString,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::trouble::{Done, new_trouble};

/// The PostgreSQL cluster the measurements run on.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    admin: String,
    /// Its first process, when it runs on this machine.
    pub(crate) postmaster: Option<u32>,
    /// Where its data is.
    pub(crate) data: PathBuf,
}

/// One of PostgreSQL's programs: those of the server's own version, else whatever is in PATH.
pub(crate) fn find_program(name: &str) -> PathBuf {
    let asked = Command::new("pg_config").arg("--bindir").output().ok();
    let bin = asked.and_then(|output| String::from_utf8(output.stdout).ok());
    let mut candidates: Vec<PathBuf> = bin.iter().map(|bin| PathBuf::from(bin.trim())).collect();
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut installed: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
    installed.sort();
    candidates.extend(installed.into_iter().rev());
    let found = candidates.into_iter().map(|bin| bin.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| PathBuf::from(name))
}

impl Cluster {
    /// The cluster that the environment names.
    pub(crate) fn find() -> Done<Self> {
        let url: Option<OsString> = std::env::var_os("GRIDWHISTLE_TEST_POSTGRES");
        let admin = url.and_then(|url| url.into_string().ok()).ok_or_else(|| {
            new_trouble("GRIDWHISTLE_TEST_POSTGRES is not set; run scripts/postgres.sh run target/release/bench")
        })?;
        let mut cluster = Self { admin, postmaster: None, data: PathBuf::new() };
        cluster.data = PathBuf::from(cluster.run_sql("postgres", "show data_directory")?);
        let pids = std::fs::read_to_string(cluster.data.join("postmaster.pid"));
        cluster.postmaster = pids.ok().and_then(|text| text.lines().next()?.parse().ok());
        Ok(cluster)
    }

    /// The address of one of its databases.
    pub(crate) fn database_url(&self, database: &str) -> String {
        let (address, query) = match self.admin.split_once('?') {
            Some((address, query)) => (address, format!("?{query}")),
            None => (self.admin.as_str(), String::new()),
        };
        let server = address.rsplit_once('/').map_or(address, |(server, _)| server);
        format!("{server}/{database}{query}")
    }

    /// Runs a script in a database; answers what it printed.
    pub(crate) fn run_sql(&self, database: &str, sql: &str) -> Done<String> {
        let mut child = Command::new(find_program("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d"])
            .arg(self.database_url(database))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| new_trouble(format!("psql: {error}")))?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(sql.as_bytes())?;
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            return Err(new_trouble(format!("psql: {}", String::from_utf8_lossy(&output.stderr))));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Runs a query for one JSON value.
    pub(crate) fn query_json(&self, database: &str, sql: &str) -> Done<Value> {
        Ok(serde_json::from_str(&self.run_sql(database, sql)?)?)
    }

    /// Makes a database, as a copy of another one when that is named; an old one is dropped.
    pub(crate) fn create_database(&self, database: &str, template: Option<&str>) -> Done {
        let from = template.map(|name| format!(" template {name}")).unwrap_or_default();
        self.drop_database(database)?;
        self.run_sql("postgres", &format!("create database {database}{from}")).map(|_| ())
    }

    /// Drops a database.
    pub(crate) fn drop_database(&self, database: &str) -> Done {
        self.run_sql("postgres", &format!("drop database if exists {database} with (force)"))
            .map(|_| ())
    }

    /// The version of the server, in short.
    pub(crate) fn server_version(&self) -> Done<String> {
        self.run_sql("postgres", "select split_part(current_setting('server_version'), ' ', 1)")
    }
}

/// How long the disk under `dir` takes to make a page durable, as PostgreSQL's own test says.
pub(crate) fn measure_fsync(dir: &Path) -> Option<String> {
    let file = dir.join("bench-fsync");
    let output =
        Command::new(find_program("pg_test_fsync")).args(["-s", "1", "-f"]).arg(&file).output();
    // The test removes its file when all goes well.
    let _ = std::fs::remove_file(&file);
    let text = String::from_utf8(output.ok()?.stdout).ok()?;
    let line = text.lines().find(|line| line.trim_start().starts_with("fdatasync"))?;
    let micros = line.split_whitespace().rev().nth(1)?;
    Some(format!("fdatasync of 8 kB {micros} µs"))
}
