//! The program itself: how fast it starts, its memory when idle, its size.

use std::time::Duration;

use crate::{
    cpu,
    results::{Budget, Results, format_number},
    server::{Server, find_binary},
    trouble::{Done, median, print_line, to_float},
};

/// Measures starts on empty embedded databases.
pub(crate) fn measure(rounds: u32, results: &mut Results) -> Done {
    let (mut starts, mut idle) = (Vec::new(), 0);
    for _ in 0..rounds {
        let dir = tempfile::Builder::new().prefix("gridwhistle-bench-").tempdir()?;
        let url = format!("sqlite://{}", dir.path().join("empty.db").display());
        let server = Server::start(&url, None)?;
        starts.push(server.started_in.as_secs_f64());
        std::thread::sleep(Duration::from_millis(1500));
        idle = cpu::resident_memory(server.pid()).unwrap_or_default();
    }
    let slowest = starts.iter().copied().fold(0.0, f64::max);
    let detail = format!(
        "to the first 200 of /readyz; the slowest of {rounds} {} s",
        format_number(slowest)
    );
    results.add_against(
        "start on an empty embedded database",
        (Budget::AtMost, 0.3, " s"),
        median(&starts),
        detail,
    );
    let mib = |bytes: u64| to_float(bytes) / to_float(1 << 20);
    results.add_against(
        "memory of that server, idle",
        (Budget::AtMost, 40.0, " MiB"),
        mib(idle),
        "resident, after a second and a half".to_owned(),
    );
    let size = std::fs::metadata(find_binary()?)?.len();
    results.add_against("the binary", (Budget::AtMost, 40.0, " MiB"), mib(size), String::new());
    print_line(&format!(
        "start {} s, idle {} MiB",
        format_number(median(&starts)),
        format_number(mib(idle))
    ));
    Ok(())
}
