//! The machine and the versions, in words that do not reveal its owner.

use std::{fs, process::Command};

use api::app::clock::Clock;

use crate::{
    options::Options,
    postgres::{Cluster, measure_fsync},
    results::format_number,
    trouble::{Done, to_float},
};

/// The description, a line each.
pub(crate) fn describe(cluster: &Cluster, options: &Options) -> Done<Vec<String>> {
    let cores = std::thread::available_parallelism()?;
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok())
        .unwrap_or(0_u64);
    let disk = measure_fsync(&cluster.data).or_else(|| measure_fsync(&std::env::temp_dir()));
    let busy = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let busy = busy.split(' ').next().unwrap_or("unknown").to_owned();
    let at = Clock::default().now().format("%Y-%m-%d");
    let version = |name: &str| {
        let said = Command::new(name).arg("--version").output().ok()?;
        let text = String::from_utf8(said.stdout).ok()?;
        Some(text.split(" (").next()?.trim().to_owned())
    };
    let size = format!(
        "{} rounds of {} s, {} clients",
        options.rounds(),
        options.time().as_secs_f64(),
        options.clients
    );
    Ok(vec![
        format!("{at}, `{}`; {size}", command_line()),
        format!(
            "{cores} processor cores, shared by the server, the database and the load; {} GiB of memory; {}; \
             load average at the start {busy}",
            format_number(to_float(memory) / to_float(1 << 20)),
            disk.unwrap_or_else(|| "the disk was not measured".to_owned()),
        ),
        format!(
            "PostgreSQL {}, fsync {}; SQLite embedded, `synchronous = full`; {}; Linux {}",
            cluster.server_version()?,
            cluster.run_sql("postgres", "show fsync")?,
            version("rustc").unwrap_or_else(|| "rustc unknown".to_owned()),
            fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim(),
        ),
    ])
}

/// The command line, without the path of the program.
fn command_line() -> String {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    format!("bench {}", arguments.join(" ")).trim().to_owned()
}
