//! A steady load for a profiler to look at.

use std::time::Duration;

use crate::{
    crowd, inbox,
    load::Until,
    loops,
    options::Part,
    report::{self, parts},
    results::shown,
    stand::{CROWDED, PLAIN, Stand},
    sync, tracks,
    trouble::{Done, say},
};

/// Keeps one part busy on PostgreSQL, reports unless another part is asked for.
pub(crate) async fn hold(stand: &Stand, seconds: f64) -> Done {
    let (time, clients) = (Duration::from_secs_f64(seconds), stand.options.clients);
    let part = stand.options.only.first().copied().unwrap_or(Part::Report);
    let database = if part == Part::Inbox { CROWDED } else { PLAIN };
    if part == Part::Inbox {
        crowd::crowd(stand).await?;
    }
    let at = stand.postgres(database).await?;
    if part != Part::Inbox {
        loops::go(&at, clients, Until::Turns(300)).await?;
        stand.settle(database)?;
    }
    let url = stand.cluster.url(database);
    let postmaster = stand.cluster.postmaster.map_or_else(String::new, |pid| pid.to_string());
    say(&format!("server {}, postmaster {postmaster}, database {url}", at.server.pid()));
    let load = match part {
        Part::Inbox => inbox::look(&at, clients, time).await?,
        Part::Loop | Part::Step => loops::go(&at, clients, Until::Time(time)).await?,
        Part::Tracks => tracks::send(&at, clients, time).await?.0,
        Part::Sync => sync::polls(&at, clients, time).await?,
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
        | Part::Attacker => report::submit(&at, clients, time).await?,
    };
    say(&format!(
        "{}/s, p99 {} ms, {} µs: {}",
        shown(load.rate()),
        shown(load.latency_ms(99)),
        shown(load.cost_us()),
        parts(&[load])
    ));
    Ok(())
}
