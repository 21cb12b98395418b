//! A steady load for a profiler to look at.

use std::time::Duration;

use crate::{
    crowd, inbox,
    load::Until,
    loops,
    options::Part,
    report::{self, describe_parts},
    results::format_number,
    stand::{CROWDED, PLAIN, Stand},
    sync, tracks,
    trouble::{Done, print_line},
};

/// Keeps one part busy on PostgreSQL, reports unless another part is asked for.
pub(crate) async fn hold_load(stand: &Stand, seconds: f64) -> Done {
    let (time, clients) = (Duration::from_secs_f64(seconds), stand.options.clients);
    let part = stand.options.only.first().copied().unwrap_or(Part::Report);
    let database = if part == Part::Inbox { CROWDED } else { PLAIN };
    if part == Part::Inbox {
        crowd::crowd_database(stand).await?;
    }
    let at = stand.serve_postgres(database).await?;
    if part != Part::Inbox {
        loops::run_loops(&at, clients, Until::Turns(300)).await?;
        stand.settle_tables(database)?;
    }
    let url = stand.cluster.database_url(database);
    let postmaster = stand.cluster.postmaster.map_or_else(String::new, |pid| pid.to_string());
    print_line(&format!("server {}, postmaster {postmaster}, database {url}", at.server.pid()));
    let load = match part {
        Part::Inbox => inbox::drive_inbox(&at, clients, time).await?,
        Part::Loop | Part::Step => loops::run_loops(&at, clients, Until::Time(time)).await?,
        Part::Tracks => tracks::send_points(&at, clients, time).await?.0,
        Part::Sync => sync::send_polls(&at, clients, time).await?,
        Part::Start
        | Part::Report
        | Part::Locate
        | Part::Deadlines
        | Part::Clockwork
        | Part::Auth
        | Part::Events
        | Part::Media
        | Part::Campaign
        | Part::Phones
        | Part::Attacker => report::submit_reports(&at, clients, time).await?,
    };
    print_line(&format!(
        "{}/s, p99 {} ms, {} µs: {}",
        format_number(load.request_rate()),
        format_number(load.latency_ms(99)),
        format_number(load.cost_us()),
        describe_parts(&[load])
    ));
    Ok(())
}
