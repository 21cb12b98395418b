//! The simulator of phones of `tests`, against a released server over real connections: workers
//! side by side, every run another number. What it finds wrong ends the measurement.
//!
//! Days do not pass here, because the clock of a released server cannot be moved; the suite covers
//! that.

use std::{
    collections::HashMap,
    io::Write,
    thread,
    time::{Duration, Instant},
};

use api::app::clock::Clock;
use chrono::{DateTime, Utc};
use flate2::{Compression, write::GzEncoder};
use serde_json::Value;
use simulator::{Ask, Carrier, Line, Tally};
use ureq::http::Request;

use crate::{
    results::{Results, format_number},
    stand::{Open, PLAIN, Stand},
    trouble::{Done, count_items, new_trouble, print_line, to_float},
};

/// The connection to a released server.
struct Wire {
    base: String,
    agent: ureq::Agent,
    tokens: HashMap<String, String>,
    clock: Clock,
}

impl Wire {
    fn connect_to(at: &Open) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_mins(1)))
            .build();
        let tokens = at.desk.list_people().into_iter().map(|(account, token, _)| (account, token));
        Self {
            base: format!("http://{}", at.server.address),
            agent: agent.into(),
            tokens: tokens.collect(),
            clock: Clock::default(),
        }
    }

    fn send_ask(&self, ask: &Ask<'_>) -> Result<(u16, Value), ureq::Error> {
        let token = self.tokens.get(ask.by).map(String::as_str).unwrap_or_default();
        let request = Request::builder()
            .uri(format!("{}{}", self.base, ask.path))
            .header("Authorization", format!("Bearer {token}"));
        let mut response = match ask.writes {
            None => self.agent.run(request.method("GET").body(())?)?,
            Some((key, body)) => {
                let mut request = request
                    .method("POST")
                    .header("Content-Type", "application/json")
                    .header("Idempotency-Key", key.to_string());
                let mut sent = body.to_vec();
                if ask.zipped {
                    request = request.header("Content-Encoding", "gzip");
                    sent = gzip_bytes(body)?;
                }
                self.agent.run(request.body(sent)?)?
            }
        };
        let bytes = response.body_mut().read_to_vec()?;
        Ok((response.status().as_u16(), serde_json::from_slice(&bytes).unwrap_or_default()))
    }
}

fn gzip_bytes(plain: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain)?;
    encoder.finish()
}

impl Line for Wire {
    fn ask(&self, ask: &Ask<'_>) -> simulator::Done<(u16, Value)> {
        self.send_ask(ask).map_err(|error| error.to_string())
    }

    fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    fn pass_time(&self, _: chrono::Duration) {}
}

/// Two workers and a desk of each place.
fn build_carriers(at: &Open, wire: &Wire) -> simulator::Done<Vec<Vec<Carrier>>> {
    let all = at.desk.list_people();
    let carrier = |(account, _, grid): &(String, String, uuid::Uuid)| {
        Ok(Carrier {
            account: account.clone(),
            person: simulator::person_of(wire, account)?,
            grid: *grid,
            lng: 115.05,
            lat: 30.21,
            files: account.ends_with("-c"),
        })
    };
    all.chunks(3).map(|place| place.iter().map(carrier).collect()).collect()
}

/// Runs every place for some time; answers the tally, and how many runs it was.
fn run_places(at: &Open, time: Duration) -> Done<(Tally, u64)> {
    let wire = Wire::connect_to(at);
    let carriers = build_carriers(at, &wire).map_err(new_trouble)?;
    let (begun, places) = (Instant::now(), count_items(&carriers));
    let place = |(first, carriers): (u64, &Vec<Carrier>)| -> simulator::Done<(Tally, u64)> {
        simulator::prepare_carriers(&wire, carriers)?;
        let (mut tally, mut runs) = (Tally::default(), 0);
        while begun.elapsed() < time {
            // No two places ever run the same number.
            let number = first + places * runs;
            let tell = |wrong| format!("run {number}: {wrong}");
            let (phones, more) = simulator::run_phones(&wire, carriers, number).map_err(tell)?;
            for phone in &phones {
                simulator::check_phone(&wire, phone).map_err(tell)?;
            }
            tally.add(&more);
            runs += 1;
        }
        Ok((tally, runs))
    };
    thread::scope(|scope| {
        let running: Vec<_> =
            (0..).zip(&carriers).map(|one| scope.spawn(move || place(one))).collect();
        let mut all = (Tally::default(), 0);
        for one in running {
            let ended = one.join().map_err(|_panic| new_trouble("a phone broke"))?;
            let (tally, runs) = ended.map_err(new_trouble)?;
            all.0.add(&tally);
            all.1 += runs;
        }
        Ok(all)
    })
}

/// Measures on both engines.
pub(crate) async fn measure(stand: &Stand, results: &mut Results) -> Done {
    let time = stand.options.time() * stand.options.rounds();
    for (engine, at) in [
        ("PostgreSQL", stand.serve_postgres(PLAIN).await?),
        ("SQLite", stand.serve_sqlite().await?),
    ] {
        let begun = Instant::now();
        let (tally, runs) = run_places(&at, time)?;
        let seconds = begun.elapsed().as_secs_f64();
        print_line(&format!(
            "phones, {engine}: {runs} runs in {} s: {tally:?}",
            format_number(seconds)
        ));
        results.add_note(
            &format!("runs of phones that all came out right, {engine}"),
            to_float(runs),
            "",
            format!(
                "in {} s: {} commands and {} points, each there once; {} requests, {} lost, {} again",
                format_number(seconds),
                tally.commands,
                tally.points,
                tally.arrived,
                tally.lost,
                tally.again
            ),
        );
    }
    Ok(())
}
