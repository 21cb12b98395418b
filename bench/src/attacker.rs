//! One resident who does everything a resident can, as fast as it goes (`tests/simulator`), for a
//! minute against a released server with the limits as shipped: how much slower workers are, and
//! what the server accepts and stores.
//!
//! The attacker runs on the same machine, at the lowest priority: in reality another machine would
//! do its work; here its processor time and the kernel's copying are part of the measurement.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use simulator::{Attacker, Files, Haul};

use crate::{
    http::Client,
    media::{forget_peak, read_memory},
    results::{Budget, Results, format_number},
    stand::{Open, Stand},
    trouble::{Done, new_trouble, percentile, print_line, to_float},
};

/// The pause of a worker between two commands: of all workers together, since there are several.
const PAUSE: Duration = Duration::from_millis(10);

/// The niceness of the attacker's threads.
const NICENESS: i32 = 19;

/// The bytes below a folder.
fn folder_size(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => folder_size(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

/// Workers report, one after the other; answers how long each waited, sorted, in microseconds. A
/// refused report ends the measurement.
async fn submit_reports(at: &Open, goes_on: impl Fn() -> bool) -> Done<Vec<u32>> {
    let mut client = Client::connect(at.server.address).await?;
    let mut waited = Vec::new();
    let mut number = 0;
    while goes_on() {
        for request in at.desk.report_turn(number) {
            let sent = Instant::now();
            let status = client.send(&request).await?;
            waited.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
            if status != 201 {
                let body = String::from_utf8_lossy(client.body());
                return Err(new_trouble(format!("a worker is not served: {status} {body}")));
            }
        }
        number += 1;
        tokio::time::sleep(PAUSE).await;
    }
    waited.sort_unstable();
    Ok(waited)
}

/// The duration of the attack: a minute, or less to try.
fn attack_time(stand: &Stand) -> Duration {
    if stand.options.quick { Duration::from_secs(15) } else { Duration::from_mins(1) }
}

async fn measure_engine(
    stand: &Stand,
    engine: &str,
    (at, folder): (&Open, &Path),
    results: &mut Results,
) -> Done {
    let time = attack_time(stand);
    let begun = Instant::now();
    let quiet = submit_reports(at, || begun.elapsed() < time / 3).await?;
    let place =
        at.desk.list_workers().first().map(|(_, grid)| serde_json::json!({ "area_id": grid }));
    let attacker = Attacker {
        address: at.server.address,
        token: at.desk.resident_token().to_owned(),
        tenant: "4202".to_owned(),
        guessed: "admin".to_owned(),
        place: place.unwrap_or_default(),
    };
    let before = read_memory(at.server.pid(), "VmRSS")?;
    forget_peak(at.server.pid())?;
    let files = Files::make().map_err(new_trouble)?;
    let attack = std::thread::spawn(move || {
        // In reality the attacker runs elsewhere: here the server takes precedence.
        rustix::process::nice(NICENESS).map_err(|error| error.to_string())?;
        simulator::attack(&attacker, &files, time)
    });
    let busy = submit_reports(at, || !attack.is_finished()).await?;
    let haul: Haul =
        attack.join().map_err(|_panic| new_trouble("the attacker broke"))?.map_err(new_trouble)?;
    if haul.broken > 0 {
        return Err(new_trouble(format!("the server broke: {haul:?}")));
    }
    let peak = read_memory(at.server.pid(), "VmHWM")?;
    let (alone, beside) = (percentile(&quiet, 99) / 1000.0, percentile(&busy, 99) / 1000.0);
    let disk = to_float(folder_size(folder)) / to_float(1 << 20);
    print_line(&format!(
        "attacker, {engine}: p99 {} ms, before {} ms; {} MiB of memory, before {}; {} MiB of files; {haul:?}",
        format_number(beside),
        format_number(alone),
        format_number(peak),
        format_number(before),
        format_number(disk),
    ));
    let detail = format!(
        "p99 of a worker's report {} ms beside {} ms; of the resident {} taken, {} put off, {} refused, {} not answered",
        format_number(beside),
        format_number(alone),
        haul.taken,
        haul.put_off,
        haul.refused,
        haul.unanswered,
    );
    results.add_against(
        &format!("a worker beside one resident at full speed, by the same worker alone, {engine}"),
        (Budget::AtMost, 2.0, " ×"),
        beside / alone.max(1e-3),
        detail,
    );
    results.add_against(
        &format!("memory beside one resident at full speed, {engine}"),
        (Budget::AtMost, 512.0, " MiB"),
        peak,
        format!("{} MiB before", format_number(before)),
    );
    results.add_against(
        &format!("files kept of one resident at full speed, {engine}"),
        (Budget::AtMost, 600.0, " MiB"),
        disk,
        format!("{} streams at most", haul.streams),
    );
    Ok(())
}

/// Measures on both engines.
pub(crate) async fn measure(stand: &Stand, results: &mut Results) -> Done {
    for (engine, embedded) in [("PostgreSQL", false), ("SQLite", true)] {
        let (at, folder) = stand.serve_limited(embedded).await?;
        measure_engine(stand, engine, (&at, &folder), results).await?;
    }
    Ok(())
}
