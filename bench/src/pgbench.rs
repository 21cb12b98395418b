//! The reference: the same SQL, run by PostgreSQL's own load generator.

use std::{
    io::Write,
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    cpu::{self, Cpu},
    postgres::{Cluster, find_program},
    quiet,
    trouble::{Done, new_trouble, to_float},
};

/// A script with its variables.
pub(crate) struct Script {
    /// The database it runs in.
    pub(crate) database: String,
    /// What it does; with several texts, each as often as the others.
    pub(crate) texts: Vec<String>,
    /// Values sent as parameters of its statements.
    pub(crate) variables: Vec<(String, String)>,
}

/// What pgbench said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reference {
    /// Transactions a second.
    pub(crate) rate: f64,
    /// The average latency in milliseconds.
    pub(crate) latency_ms: f64,
    /// Processor time of the database for each, in microseconds.
    pub(crate) database_us: f64,
    /// That of pgbench itself.
    pub(crate) load_us: f64,
    /// The share of the machine that something else used.
    pub(crate) others: f64,
}

/// Runs a script with statements prepared and planned as the server's are.
pub(crate) fn run(
    cluster: &Cluster,
    script: &Script,
    clients: u32,
    time: Duration,
) -> Done<Reference> {
    let mut files = Vec::new();
    for text in &script.texts {
        let mut file = tempfile::NamedTempFile::new()?;
        file.write_all(text.as_bytes())?;
        files.push(file);
    }
    let clients = clients.to_string();
    let seconds = time.as_secs().max(1).to_string();
    let mut command = Command::new(find_program("pgbench"));
    command.args(["-n", "-M", "prepared", "-j", "2", "-c", &clients, "-T", &seconds]);
    for file in &files {
        command.arg("-f").arg(file.path());
    }
    command.env("PGOPTIONS", "-c plan_cache_mode=force_generic_plan");
    for (name, value) in &script.variables {
        command.arg("-D").arg(format!("{name}={value}"));
    }
    let used = || Cpu {
        server: Duration::ZERO,
        database: cluster.postmaster.map(cpu::family_time).unwrap_or_default(),
        load: cpu::ended_children_time(),
        busy: quiet::busy_time(),
    };
    let (begun, before) = (Instant::now(), used());
    let output = command.arg(cluster.database_url(&script.database)).output();
    let output = output.map_err(|error| new_trouble(format!("pgbench: {error}")))?;
    let used = used().since(before);
    let text = String::from_utf8_lossy(&output.stdout);
    let found = |name: &str| -> Option<f64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim_start_matches([' ', '=', ':']).split([' ', '/']).next()?.parse().ok()
    };
    let made = found("number of transactions actually processed").unwrap_or_default();
    if !output.status.success() || made < 1.0 {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(new_trouble(format!("pgbench: {text}{}", said.trim())));
    }
    let each = |used: Duration| used.as_secs_f64() * to_float(1_000_000) / made;
    Ok(Reference {
        rate: found("tps").unwrap_or_default(),
        latency_ms: found("latency average").unwrap_or_default(),
        database_us: each(used.database),
        load_us: each(used.load),
        others: used.others_share(begun.elapsed()),
    })
}
