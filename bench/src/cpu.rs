//! Processor time of processes, from /proc.

use std::{fs, path::Path, time::Duration};

use crate::quiet;

/// Processor time used until now by the server, the database, and ourselves.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cpu {
    /// The process of the server.
    pub(crate) server: Duration,
    /// Every process of the database's cluster.
    pub(crate) database: Duration,
    /// This process, which makes the load.
    pub(crate) load: Duration,
    /// All processes of the machine.
    pub(crate) busy: Duration,
}

impl Cpu {
    /// The sum of two spans.
    pub(crate) fn combine_with(self, other: Self) -> Self {
        Self {
            server: self.server + other.server,
            database: self.database + other.database,
            load: self.load + other.load,
            busy: self.busy + other.busy,
        }
    }

    /// The time used since `before`.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            server: self.server.saturating_sub(before.server),
            database: self.database.saturating_sub(before.database),
            load: self.load.saturating_sub(before.load),
            busy: self.busy.saturating_sub(before.busy),
        }
    }
}

impl Cpu {
    /// The share of the machine that other programs used in this time.
    pub(crate) fn others_share(self, time: Duration) -> f64 {
        quiet::others_share(self.busy, self.server + self.database + self.load, time)
    }
}

/// A line of /proc/PID/stat.
struct Stat {
    parent: u32,
    own: Duration,
    children: Duration,
}

fn read_stat(pid: &str) -> Option<Stat> {
    let text = fs::read_to_string(Path::new("/proc").join(pid).join("stat")).ok()?;
    // The name stands in parentheses and may contain anything.
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    // Linux counts in hundredths of a second, whatever the kernel's own tick is.
    let ticks = |index: usize| -> Option<Duration> {
        Some(Duration::from_millis(10 * fields.get(index)?.parse::<u64>().ok()?))
    };
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        own: ticks(11)? + ticks(12)?,
        children: ticks(13)? + ticks(14)?,
    })
}

/// What one process used.
pub(crate) fn process_time(pid: u32) -> Duration {
    read_stat(&pid.to_string()).map(|stat| stat.own).unwrap_or_default()
}

/// The time used by ended children of this process.
pub(crate) fn ended_children_time() -> Duration {
    read_stat("self").map(|stat| stat.children).unwrap_or_default()
}

/// The time used by a process, its living children and its ended ones.
pub(crate) fn family_time(pid: u32) -> Duration {
    let Some(root) = read_stat(&pid.to_string()) else { return Duration::ZERO };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let children = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        .filter_map(|name| read_stat(&name))
        .filter(|stat| stat.parent == pid);
    children.fold(root.own + root.children, |sum, child| sum + child.own)
}

/// The resident memory of a process in bytes.
pub(crate) fn resident_memory(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}
