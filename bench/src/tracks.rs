//! Points of tracks in batches of sixty, on PostgreSQL and on SQLite; their stored size; a track
//! read back.

use std::{
    fmt::Write,
    rc::Rc,
    time::{Duration, Instant},
};

use api::{
    app::{
        clock::{Clock, new_id},
        vault::{
            Suite,
            cipher::{self, Secret},
        },
    },
    cli::seed,
};
use chrono::SecondsFormat;
use domain::{
    area::coordinate::{CoordType, RawPoint},
    flows::track::{Fix, Sent, Source, codec},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    http::{Client, get_request, post_request},
    load::{Load, Until, drive_load},
    report::describe_parts,
    results::{Budget, Results, format_number},
    stand::{Open, PLAIN, Stand},
    trouble::{Done, median, new_trouble, print_line, to_float},
};

/// Points of a batch, as phones send them.
const BATCH: usize = 60;
/// Patrols of each worker at once.
const EACH: usize = 8;
/// Batches of one patrol: fifteen hours at a point a second.
const BATCHES: usize = 900;

/// Patrols under way and their batches.
pub(crate) struct Walks {
    patrols: Vec<(Uuid, String)>,
    bodies: Vec<String>,
}

/// A request that must succeed; answers its body.
async fn post_json(client: &mut Client, path: &str, token: &str, body: &Value) -> Done<Value> {
    let status = client.send(&post_request(path, token, new_id(), &body.to_string())).await?;
    let answer: Value = serde_json::from_slice(client.body())?;
    if (200..300).contains(&status) {
        Ok(answer)
    } else {
        Err(new_trouble(format!("{path}: {status} {answer}")))
    }
}

impl Walks {
    /// All workers consent and begin patrols.
    async fn begin(at: &Open) -> Done<Self> {
        let mut client = Client::connect(at.server.address).await?;
        let until = Clock::default().now() + chrono::Duration::minutes(15 * 60 + 30);
        let mut patrols = Vec::new();
        let consent = json!({ "purpose": "track", "given": true, "version": "1" });
        let workers = at.desk.list_workers();
        for (token, _) in &workers {
            post_json(&mut client, "/api/v1/me/consents", token, &consent).await?;
        }
        // Phones run a little ahead of the server here: points after the consents.
        let began = Clock::default().now() + chrono::Duration::seconds(1);
        for _ in 0..EACH {
            for (token, grid) in &workers {
                let body = json!({ "area_id": grid, "purpose": "routine", "until": until });
                let made = post_json(&mut client, "/api/v1/patrols/begin", token, &body).await?;
                let id = made.get("id").and_then(Value::as_str).unwrap_or_default();
                patrols.push((Uuid::parse_str(id)?, (*token).to_owned()));
            }
        }
        Ok(Self { patrols, bodies: build_bodies(began)? })
    }

    /// The request with this number: the next batch of one patrol after the other.
    fn batch_request(&self, number: u64) -> Option<Vec<u8>> {
        let number = usize::try_from(number).ok()?;
        let (patrol, token) = self.patrols.get(number % self.patrols.len().max(1))?;
        let body = self.bodies.get(number / self.patrols.len().max(1))?;
        Some(post_request(&format!("/api/v1/patrols/{patrol}/points"), token, new_id(), body))
    }
}

/// The batches of one patrol, walking the shipped track again and again.
fn build_bodies(began: domain::Instant) -> Done<Vec<String>> {
    let track = seed::track();
    let mut points = track.iter().cycle().zip(0_i64..);
    let mut bodies = Vec::with_capacity(BATCHES);
    for _ in 0..BATCHES {
        let mut body = String::from(r#"{"points":["#);
        for (index, (point, seq)) in points.by_ref().take(BATCH).enumerate() {
            let at = began + chrono::Duration::seconds(seq);
            let time = at.to_rfc3339_opts(SecondsFormat::Millis, true);
            let comma = if index == 0 { "" } else { "," };
            write!(
                body,
                r#"{comma}{{"seq":{seq},"time":"{time}","lng":{},"lat":{},"accuracy":{},"source":"gps"}}"#,
                point.lon,
                point.lat,
                4 + seq % 5
            )?;
        }
        body.push_str("]}");
        bodies.push(body);
    }
    Ok(bodies)
}

/// The batches of the shipped track as they are packed.
fn build_batches() -> (Vec<Vec<u8>>, usize) {
    let fix = |(point, seq): (&seed::TrackPoint, u32)| {
        let raw = RawPoint { lng: point.lon, lat: point.lat, coord_type: CoordType::Wgs84 };
        let (at, source) = (point.t, Source::Gps);
        let sent = Sent { seq, at, raw, accuracy_m: None, speed_mps: None, source, mocked: false };
        Fix::new(&sent).ok()
    };
    let track = seed::track();
    let fixes: Vec<Fix> = track.iter().zip(0..).filter_map(fix).collect();
    (fixes.chunks(BATCH).map(codec::encode).collect(), fixes.len())
}

/// The stored size of the shipped track, in bytes a point.
fn measure_packing() -> Done<f64> {
    let (batches, points) = build_batches();
    let bytes: usize = batches.iter().map(Vec::len).sum();
    Ok(to_float(u64::try_from(bytes)?) / to_float(u64::try_from(points)?))
}

/// The cost of sealing one batch, with the position that comes with it, in microseconds.
fn measure_sealing() -> Done<f64> {
    const TIMES: u32 = 200;
    let (batches, key) = (build_batches().0, Secret::generate()?);
    let place = [0; 64];
    let begun = Instant::now();
    for _ in 0..TIMES {
        for batch in &batches {
            std::hint::black_box(cipher::seal(Suite::Aes, &key, &place, batch)?);
            std::hint::black_box(cipher::seal(Suite::Aes, &key, &place, &[0; 12])?);
        }
    }
    let count = u64::from(TIMES) * u64::try_from(batches.len())?;
    Ok(begun.elapsed().as_secs_f64() * 1e6 / to_float(count))
}

pub(crate) async fn send_points(
    at: &Open,
    clients: u32,
    time: Duration,
) -> Done<(Load, Rc<Walks>)> {
    let walks = Rc::new(Walks::begin(at).await?);
    let sent = Rc::clone(&walks);
    let make = Rc::new(move |number| sent.batch_request(number).into_iter().collect());
    Ok((drive_load(&at.server, clients, Until::Time(time), make).await?, walks))
}

/// Reads the track of the first patrol again and again.
async fn read_track(at: &Open, walks: &Walks, time: Duration) -> Done<(Load, usize)> {
    let (patrol, token) = walks.patrols.first().ok_or_else(|| new_trouble("no patrol"))?;
    let request = get_request(&format!("/api/v1/patrols/{patrol}/track?tolerance=5"), token);
    let mut client = Client::connect(at.server.address).await?;
    client.send(&request).await?;
    let answer: Value = serde_json::from_slice(client.body())?;
    let points = answer.pointer("/features/0/properties/points").and_then(Value::as_u64);
    let points = usize::try_from(points.unwrap_or(0))?;
    let make = Rc::new(move |_| vec![request.clone()]);
    Ok((drive_load(&at.server, 1, Until::Time(time), make).await?, points))
}

/// Measures both in rounds.
pub(crate) async fn measure(stand: &Stand, results: &mut Results) -> Done {
    let (time, clients) = (stand.options.time(), stand.options.clients);
    let postgres = stand.serve_postgres(PLAIN).await?;
    let sqlite = stand.serve_sqlite().await?;
    let (mut ours, mut embedded, mut back, mut points) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for round in 1..=stand.options.rounds() {
        let (load, walks) = send_points(&postgres, clients, time).await?;
        let (read, of) = read_track(&postgres, &walks, time / 4).await?;
        let (file, _) = send_points(&sqlite, clients, time).await?;
        let rate = |load: &Load| load.request_rate() * 60.0;
        print_line(&format!(
            "tracks, round {round}: PostgreSQL {} points/s, {} µs a batch; SQLite {} points/s; {of} points read back in {} ms",
            format_number(rate(&load)),
            format_number(load.cost_us()),
            format_number(rate(&file)),
            format_number(read.latency_ms(50)),
        ));
        ours.push(load);
        embedded.push(file);
        back.push(read);
        points = of;
    }
    let of = |loads: &[Load], value: fn(&Load) -> f64| {
        median(&loads.iter().map(value).collect::<Vec<_>>())
    };
    let detail = format!(
        "in batches of 60, p99 {} ms; {} µs a batch: {}; SQLite {} points/s",
        format_number(of(&ours, |load| load.latency_ms(99))),
        format_number(of(&ours, Load::cost_us)),
        describe_parts(&ours),
        format_number(of(&embedded, |load| load.request_rate() * 60.0)),
    );
    let budget = (Budget::AtLeast, 300_000.0, "/s");
    results.add_against(
        "track points, PostgreSQL",
        budget,
        of(&ours, |load| load.request_rate() * 60.0),
        detail,
    );
    let kept = "select sum(octet_length(blob))::float8 / sum(points) from track_batches";
    let kept: f64 = stand.cluster.run_sql(PLAIN, kept)?.trim().parse()?;
    let detail = format!(
        "the shipped track in batches of 60; {} with accuracy, as sent here",
        format_number(kept)
    );
    results.add_against(
        "a track point as it is kept",
        (Budget::AtMost, 6.0, " bytes"),
        measure_packing()?,
        detail,
    );
    let (seal, cost) = (measure_sealing()?, of(&ours, Load::cost_us));
    results.add_against(
        "sealing a batch of points, by what a batch costs",
        (Budget::AtMost, 0.1, " ×"),
        seal / cost,
        format!("{} µs of {} µs of processor", format_number(seal), format_number(cost)),
    );
    let detail =
        format!("{points} points decoded, marked, measured and simplified to 5 m, one client");
    results.add_note("a track read back", of(&back, |load| load.latency_ms(50)), " ms", detail);
    Ok(())
}
