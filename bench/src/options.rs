//! What can be asked for on the command line.

use std::{path::PathBuf, time::Duration};

use clap::Parser;

/// Measures GridWhistle against its budgets, beside what PostgreSQL itself can do.
///
/// Needs a PostgreSQL in GRIDWHISTLE_TEST_POSTGRES, as `scripts/postgres.sh run` gives one, its
/// programs psql and pgbench, and the release binary `gridwhistle` beside this one.
#[derive(Parser, Clone, Debug)]
#[command(name = "bench", version)]
pub(crate) struct Options {
    /// Try everything in a minute or two, with 20,000 closed cases for a million
    #[arg(long)]
    pub(crate) quick: bool,
    /// Ten million closed cases
    #[arg(long, conflicts_with = "quick")]
    pub(crate) full: bool,
    /// Closed cases to load [default: 1000000]
    #[arg(long, value_name = "N")]
    pub(crate) history: Option<u64>,
    /// Rounds of each comparison; the median counts [default: 5]
    #[arg(long, value_name = "N")]
    pub(crate) rounds: Option<u32>,
    /// Seconds of each measurement [default: 4]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) seconds: Option<f64>,
    /// Clients at once
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub(crate) clients: u32,
    /// Measure only these parts, separated by commas
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    pub(crate) only: Vec<Part>,
    /// Measure once, for this many seconds, so that a profiler can look: prints the process ids
    #[arg(long, value_name = "SECONDS")]
    pub(crate) hold: Option<f64>,
    /// Seconds to wait, over everything, for a quiet machine [default: 120]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) patience: Option<u64>,
    /// The file to write the results to; nothing is written with --quick or --only unless it
    /// is named
    #[arg(long, value_name = "FILE")]
    pub(crate) results: Option<PathBuf>,
}

/// A part of the measurements.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    /// Starting, idling, the size of the binary
    Start,
    /// Reports on both engines beside pgbench
    Report,
    /// Every step of the loop, and a case by its id
    Step,
    /// Whole loops, without and with closed cases
    Loop,
    /// The inbox beside pgbench
    Inbox,
    /// Points among grids, in memory
    Locate,
    /// Deadlines by a calendar, in memory
    Deadlines,
    /// Measures about many debts at once, among callers
    Clockwork,
    /// Access tokens checked, and reads while people log in
    Auth,
    /// Points of tracks in batches of sixty, and a track read back
    Tracks,
    /// A phone's queue, and phones that ask what changed
    Sync,
    /// The feed, reports beside webhooks, idle streams
    Events,
    /// Photos, and the memory of many large ones at once
    Media,
    /// A campaign of five thousand households
    Campaign,
    /// The simulator of phones, over real connections
    Phones,
    /// One resident who does everything a resident can, and what a worker notices
    Attacker,
}

impl Options {
    /// Whether to measure this part.
    pub(crate) fn wants_part(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    pub(crate) fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { 3 } else { 5 }).max(1)
    }

    pub(crate) fn time(&self) -> Duration {
        let seconds = self.seconds.unwrap_or(if self.quick { 1.5 } else { 4.0 });
        Duration::from_secs_f64(seconds.clamp(0.2, 600.0))
    }

    pub(crate) fn patience(&self) -> Duration {
        Duration::from_secs(self.patience.unwrap_or(if self.quick { 20 } else { 120 }))
    }

    /// Closed cases in the tables of the crowded database.
    pub(crate) fn history(&self) -> u64 {
        let usual = if self.full { 10_000_000 } else { 1_000_000 };
        self.history.unwrap_or(if self.quick { 20_000 } else { usual })
    }

    /// Open cases beside them.
    pub(crate) fn open_cases(&self) -> u64 {
        (self.history() / 10).clamp(1_000, 100_000)
    }

    /// Of as many open obligations, those about which a measure is due.
    pub(crate) fn due_debts(&self) -> u64 {
        self.open_cases() / 10
    }

    /// Cases that walk through each step in turn.
    pub(crate) fn walk_count(&self) -> u64 {
        if self.quick { 1_000 } else { 4_000 }
    }
}
