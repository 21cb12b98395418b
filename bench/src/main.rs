//! Measures GridWhistle against its budgets, beside what PostgreSQL itself can do.
//!
//! README.md says what is measured and how; RESULTS.md is what it wrote last.

mod attacker;
mod auth;
mod campaign;
mod cpu;
mod crowd;
mod deadlines;
mod desk;
mod events;
mod hold;
mod http;
mod inbox;
mod load;
mod locate;
mod loops;
mod machine;
mod media;
mod options;
mod pgbench;
mod phones;
mod postgres;
mod quiet;
mod report;
mod results;
mod scheduler;
mod server;
mod stand;
mod start;
mod steps;
mod sync;
mod town;
mod tracks;
mod trouble;

use std::{path::PathBuf, process::ExitCode, time::Instant};

use clap::Parser;

use crate::{
    options::{Options, Part},
    postgres::Cluster,
    results::{Results, format_number},
    stand::Stand,
    trouble::{Done, print_line},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match measure_parts(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            print_line(&format!("bench: {trouble}"));
            ExitCode::FAILURE
        }
    }
}

async fn measure_parts(options: Options) -> Done {
    let begun = Instant::now();
    let cluster = Cluster::find()?;
    let about = machine::describe(&cluster, &options)?;
    let mut results = Results::with_about(about);
    if options.wants_part(Part::Start) && options.hold.is_none() {
        start::measure(options.rounds(), &mut results)?;
    }
    if options.wants_part(Part::Locate) && options.hold.is_none() {
        locate::measure(options.rounds(), &mut results)?;
    }
    if options.wants_part(Part::Deadlines) && options.hold.is_none() {
        deadlines::measure(options.rounds(), &mut results)?;
    }
    if options.wants_part(Part::Auth) && options.hold.is_none() {
        auth::measure_checks(options.rounds(), &mut results)?;
    }
    let stand = Stand::build(options.clone(), cluster).await?;
    let done = match options.hold {
        Some(seconds) => hold::hold_load(&stand, seconds).await,
        None => measure_stand(&stand, &mut results).await,
    };
    stand.drop_databases()?;
    done?;
    if options.hold.is_some() {
        return Ok(());
    }
    results.add_circumstance(format!(
        "other programs used up to {} % of the processors while something counted",
        format_number(stand.patience.worst_share() * 100.0)
    ));
    print_line(&format!("\n{}", results.render_markdown()));
    print_line(&format!(
        "{} s; {} budgets missed",
        format_number(begun.elapsed().as_secs_f64()),
        results.count_misses()
    ));
    let whole = !options.quick && options.only.is_empty();
    let usual = || whole.then(|| PathBuf::from("bench/RESULTS.md"));
    if let Some(file) = options.results.clone().or_else(usual) {
        results.save(&file)?;
    }
    Ok(())
}

/// Measures everything that needs a city.
async fn measure_stand(stand: &Stand, results: &mut Results) -> Done {
    let wants = |part| stand.options.wants_part(part);
    if wants(Part::Report) {
        report::measure(stand, results).await?;
    }
    if wants(Part::Auth) {
        auth::measure(stand, results).await?;
    }
    if wants(Part::Step) {
        steps::measure(stand, results).await?;
    }
    if wants(Part::Loop) || wants(Part::Inbox) {
        let loaded = crowd::crowd_database(stand).await?;
        if wants(Part::Inbox) {
            inbox::measure(stand, &loaded, results).await?;
        }
        if wants(Part::Loop) {
            loops::measure(stand, &loaded, results).await?;
        }
    }
    if wants(Part::Clockwork) {
        scheduler::measure(stand, results).await?;
    }
    if wants(Part::Tracks) {
        tracks::measure(stand, results).await?;
    }
    if wants(Part::Sync) {
        sync::measure(stand, results).await?;
    }
    if wants(Part::Events) {
        events::measure(stand, results).await?;
    }
    if wants(Part::Media) {
        media::measure(stand, results).await?;
    }
    if wants(Part::Campaign) {
        campaign::measure(stand, results).await?;
    }
    if wants(Part::Phones) {
        phones::measure(stand, results).await?;
    }
    if wants(Part::Attacker) {
        attacker::measure(stand, results).await?;
    }
    Ok(())
}
