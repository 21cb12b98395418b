//! Whether anything else keeps the machine busy: measurements made beside a compiler mean little,
//! so they are made again, as long as patience lasts, and the results say how much other programs
//! used.

use std::{
    cell::Cell,
    fs,
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{
    results::format_number,
    trouble::{print_line, to_float},
};

/// The share of the machine that others may use without a measurement being repeated.
const TOLERABLE: f64 = 0.08;

/// Processor time of everything on this machine that was not idle, until now.
pub(crate) fn busy_time() -> Duration {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    let ticks: Vec<u64> = line.split_whitespace().skip(1).filter_map(|n| n.parse().ok()).collect();
    // user, nice, system; idle and iowait are none; irq, softirq, and what the host took.
    let busy: u64 =
        ticks.iter().take(8).enumerate().filter(|(i, _)| ![3, 4].contains(i)).map(|(_, n)| n).sum();
    Duration::from_millis(10 * busy)
}

/// The share of all cores that other programs than `ours` used in this time.
pub(crate) fn others_share(busy: Duration, ours: Duration, time: Duration) -> f64 {
    let all = time.as_secs_f64() * count_cores();
    (busy.saturating_sub(ours).as_secs_f64() / all.max(1e-9)).clamp(0.0, 1.0)
}

fn count_cores() -> f64 {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    to_float(u64::try_from(cores).unwrap_or(1))
}

/// How long to wait for quiet, over everything.
#[derive(Debug)]
pub(crate) struct Patience {
    left: Cell<Duration>,
    worst: Cell<f64>,
}

impl Patience {
    pub(crate) const fn new(left: Duration) -> Self {
        Self { left: Cell::new(left), worst: Cell::new(0.0) }
    }

    /// Whether a round counts in which others used this much; if not, waits for quiet.
    pub(crate) fn accepts_round(&self, shares: &[f64], took: Duration) -> bool {
        let worst = shares.iter().copied().fold(0.0, f64::max);
        if worst <= TOLERABLE || self.left.get().is_zero() {
            self.worst.set(self.worst.get().max(worst));
            return true;
        }
        print_line(&format!(
            "  something else used {} % of the machine: once more",
            format_number(worst * 100.0)
        ));
        let begun = Instant::now();
        let left = self.left.get().saturating_sub(took);
        while begun.elapsed() < left {
            let (before, since) = (busy_time(), Instant::now());
            sleep(Duration::from_secs(1));
            let used = busy_time().saturating_sub(before);
            if others_share(used, Duration::ZERO, since.elapsed()) < TOLERABLE {
                break;
            }
        }
        self.left.set(left.saturating_sub(begun.elapsed()));
        false
    }

    /// The largest share that others used in a round that counted.
    pub(crate) fn worst_share(&self) -> f64 {
        self.worst.get()
    }
}
