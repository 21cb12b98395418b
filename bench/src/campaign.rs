//! A campaign of five thousand households: listed, published, counted, visited.

use std::{
    rc::Rc,
    sync::Mutex,
    time::{Duration, Instant},
};

use api::app::clock::{Clock, new_id};
use serde_json::{Value, json};

use crate::{
    desk::Campaigners,
    http::{Client, get_request, post_request},
    load::{Load, Until, drive_load},
    report::describe_parts,
    results::{Budget, Results, format_number},
    stand::{Open, PLAIN, Stand},
    trouble::{Done, median, new_trouble, print_line},
};

/// The most households of a campaign.
const HOUSEHOLDS: usize = 5_000;
/// The most households of one import.
const AT_ONCE: usize = 1_000;

/// A campaign that runs, and how long its steps took, in milliseconds.
struct Running {
    by: Campaigners,
    id: String,
    households: Vec<String>,
    steps: Vec<(&'static str, f64)>,
}

async fn post_json(client: &mut Client, path: &str, token: &str, body: &Value) -> Done<Value> {
    let status = client.send(&post_request(path, token, new_id(), &body.to_string())).await?;
    let answer: Value = serde_json::from_slice(client.body())?;
    if (200..300).contains(&status) {
        Ok(answer)
    } else {
        Err(new_trouble(format!("{path}: {status} {answer}")))
    }
}

fn read_id(answer: &Value) -> Done<String> {
    let id = answer.get("id").and_then(Value::as_str).map(str::to_owned);
    id.ok_or_else(|| new_trouble(format!("no identity in {answer}")))
}

impl Running {
    /// Registers households, puts all of them on the list, and publishes the campaign.
    async fn begin(at: &Open) -> Done<Self> {
        let by = at.desk.campaigners().ok_or_else(|| new_trouble("nobody works here"))?;
        let mut client = Client::connect(at.server.address).await?;
        let mut households = Vec::with_capacity(HOUSEHOLDS);
        for first in (0..HOUSEHOLDS).step_by(AT_ONCE) {
            let body = |number| {
                let building = format!("{}栋", number / 100);
                json!({ "area_id": by.grid, "building": building, "size": 3 })
            };
            let items: Vec<Value> = (first..first + AT_ONCE).map(body).collect();
            let body = json!({ "items": items });
            let made =
                post_json(&mut client, "/api/v1/household_imports", &by.worker, &body).await?;
            for one in made.get("items").and_then(Value::as_array).into_iter().flatten() {
                households.push(read_id(one)?);
            }
        }
        let until = Clock::default().now() + chrono::Duration::days(30);
        let body = json!({
            "name": "冬季取暖安全敲门行动", "purpose": "check", "area_id": by.community,
            "until": until,
        });
        let id = read_id(&post_json(&mut client, "/api/v1/campaigns", &by.officer, &body).await?)?;
        let mut steps = Vec::new();
        let asked = [("assign", json!({ "select": {} })), ("publish", json!({}))];
        for (verb, body) in asked {
            let path = format!("/api/v1/campaigns/{id}/{verb}");
            let begun = Instant::now();
            post_json(&mut client, &path, &by.officer, &body).await?;
            steps.push((verb, begun.elapsed().as_secs_f64() * 1000.0));
        }
        Ok(Self { by, id, households, steps })
    }

    /// One client reads a page again and again.
    async fn drive_page(
        &self,
        at: &Open,
        (path, token): (&str, &str),
        time: Duration,
    ) -> Done<Load> {
        let request = get_request(path, token);
        let make = Rc::new(move |_| vec![request.clone()]);
        drive_load(&at.server, 1, Until::Time(time), make).await
    }

    /// Workers go from door to door.
    async fn visit_households(&self, at: &Open, clients: u32, time: Duration) -> Done<Load> {
        let next = Mutex::new(self.households.clone());
        let (token, id) = (self.by.worker.clone(), self.id.clone());
        let make = Rc::new(move |_| {
            let home = next.lock().ok().and_then(|mut left| left.pop());
            let body =
                json!({ "campaign_id": id, "household_id": home?, "outcome": "nobody_home" });
            Some(post_request("/api/v1/visits", &token, new_id(), &body.to_string()))
        });
        let make = Rc::new(move |number| make(number).into_iter().collect());
        drive_load(&at.server, clients, Until::Time(time), make).await
    }
}

/// The pages that are read of a campaign.
fn list_pages(id: &str) -> [(&'static str, String); 5] {
    let of = |rest: &str| format!("/api/v1/campaigns/{id}{rest}");
    [
        ("progress by grid", of("/progress")),
        ("progress by worker", of("/progress?by=worker")),
        ("a page of its list", of("/households?limit=20")),
        ("a page of what is open to whoever walks", of("/households?mine=true&open=true&limit=20")),
        ("a page of campaigns", "/api/v1/campaigns?limit=20".to_owned()),
    ]
}

/// Measures on both engines.
pub(crate) async fn measure(stand: &Stand, results: &mut Results) -> Done {
    for (engine, at) in [
        ("PostgreSQL", stand.serve_postgres(PLAIN).await?),
        ("SQLite", stand.serve_sqlite().await?),
    ] {
        measure_engine(stand, (engine, &at), results).await?;
    }
    Ok(())
}

async fn measure_engine(stand: &Stand, (engine, at): (&str, &Open), results: &mut Results) -> Done {
    let (time, clients) = (stand.options.time() / 4, stand.options.clients);
    let running = Running::begin(at).await?;
    if engine == "PostgreSQL" {
        stand.settle_tables(PLAIN)?;
    }
    for (verb, ms) in &running.steps {
        let what = format!("a campaign of {HOUSEHOLDS} households: {verb}, {engine}");
        results.add_note(&what, *ms, " ms", String::new());
    }
    let walked = running.visit_households(at, clients, time).await?;
    for (what, path) in list_pages(&running.id) {
        let token = if what.contains("whoever") { &running.by.worker } else { &running.by.officer };
        let mut loads = Vec::new();
        for _ in 0..stand.options.rounds() {
            loads.push(running.drive_page(at, (&path, token), time).await?);
        }
        let ms = median(&loads.iter().map(|load| load.latency_ms(50)).collect::<Vec<_>>());
        print_line(&format!("campaign, {engine}: {what} in {} ms", format_number(ms)));
        let what = format!("{what} of a campaign of {HOUSEHOLDS}, {engine}");
        results.add_against(&what, (Budget::AtMost, 20.0, " ms"), ms, describe_parts(&loads));
    }
    let (rate, slowest) = (walked.request_rate(), format_number(walked.latency_ms(99)));
    let cost = format_number(walked.cost_us());
    results.add_note(
        &format!("visits of such a campaign, {engine}"),
        rate,
        "/s",
        format!("p99 {slowest} ms; {cost} µs each: {}", describe_parts(&[walked])),
    );
    Ok(())
}
