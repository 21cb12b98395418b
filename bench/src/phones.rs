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
    results::{Results, shown},
    stand::{Open, PLAIN, Stand},
    trouble::{Done, count, float, say, trouble},
};

/// The way to a released server.
struct Wire {
    base: String,
    agent: ureq::Agent,
    tokens: HashMap<String, String>,
    clock: Clock,
}

impl Wire {
    fn to(at: &Open) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_mins(1)))
            .build();
        let tokens = at.desk.everybody().into_iter().map(|(account, token, _)| (account, token));
        Self {
            base: format!("http://{}", at.server.address),
            agent: agent.into(),
            tokens: tokens.collect(),
            clock: Clock::default(),
        }
    }

    fn send(&self, ask: &Ask<'_>) -> Result<(u16, Value), ureq::Error> {
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
                    sent = zipped(body)?;
                }
                self.agent.run(request.body(sent)?)?
            }
        };
        let bytes = response.body_mut().read_to_vec()?;
        Ok((response.status().as_u16(), serde_json::from_slice(&bytes).unwrap_or_default()))
    }
}

fn zipped(plain: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain)?;
    encoder.finish()
}

impl Line for Wire {
    fn ask(&self, ask: &Ask<'_>) -> simulator::Done<(u16, Value)> {
        self.send(ask).map_err(|error| error.to_string())
    }

    fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    fn pass(&self, _: chrono::Duration) {}
}

/// Two workers and a desk of each place.
fn carriers(at: &Open, wire: &Wire) -> simulator::Done<Vec<Vec<Carrier>>> {
    let all = at.desk.everybody();
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

/// Every place runs for some time; answers what that amounted to, and how many runs it was.
fn runs(at: &Open, time: Duration) -> Done<(Tally, u64)> {
    let wire = Wire::to(at);
    let carriers = carriers(at, &wire).map_err(trouble)?;
    let (begun, places) = (Instant::now(), count(&carriers));
    let place = |(first, carriers): (u64, &Vec<Carrier>)| -> simulator::Done<(Tally, u64)> {
        simulator::prepare(&wire, carriers)?;
        let (mut tally, mut runs) = (Tally::default(), 0);
        while begun.elapsed() < time {
            // No two places ever run the same number.
            let number = first + places * runs;
            let tell = |wrong| format!("run {number}: {wrong}");
            let (phones, more) = simulator::run(&wire, carriers, number).map_err(tell)?;
            for phone in &phones {
                simulator::settled(&wire, phone).map_err(tell)?;
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
            let ended = one.join().map_err(|_panic| trouble("a phone broke"))?;
            let (tally, runs) = ended.map_err(trouble)?;
            all.0.add(&tally);
            all.1 += runs;
        }
        Ok(all)
    })
}

/// On both engines.
pub(crate) async fn measure(stand: &Stand, results: &mut Results) -> Done {
    let time = stand.options.time() * stand.options.rounds();
    for (engine, at) in
        [("PostgreSQL", stand.postgres(PLAIN).await?), ("SQLite", stand.sqlite().await?)]
    {
        let begun = Instant::now();
        let (tally, runs) = runs(&at, time)?;
        let seconds = begun.elapsed().as_secs_f64();
        say(&format!("phones, {engine}: {runs} runs in {} s: {tally:?}", shown(seconds)));
        results.note(
            &format!("runs of phones that all came out right, {engine}"),
            float(runs),
            "",
            format!(
                "in {} s: {} commands and {} points, each there once; {} requests, {} lost, {} again",
                shown(seconds),
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
