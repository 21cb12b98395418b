//! Phones that come back: a queue of two hundred commands in one request, and ten thousand phones
//! that ask every minute whether anything changed.

use std::{rc::Rc, time::Duration};

use api::clock::new_id;
use serde_json::{Value, json};

use crate::{
    http::{Client, get, post},
    load::{Load, Until, drive},
    report::parts,
    results::{Results, shown},
    stand::{Open, PLAIN, Stand},
    trouble::{Done, float, median, say, trouble},
};

/// Commands of one queue.
const QUEUE: usize = 200;

/// Phones, and how often each asks.
const PHONES: f64 = 10_000.0;
const EVERY_S: f64 = 60.0;

/// A queue of reports from one grid.
fn queue(grid: uuid::Uuid) -> String {
    let item = |_| {
        json!({
            "id": new_id(), "operation": "submit_report",
            "body": { "text": "楼道堆放杂物，影响通行", "place": { "area_id": grid } },
        })
    };
    json!({ "items": (0..QUEUE).map(item).collect::<Vec<Value>>() }).to_string()
}

/// One phone after the other sends its queue.
async fn queues(at: &Open, stand: &Stand) -> Done<Load> {
    let workers: Vec<(String, uuid::Uuid)> =
        at.desk.workers().into_iter().map(|(token, grid)| (token.to_owned(), grid)).collect();
    let make = Rc::new(move |number: u64| {
        let index = usize::try_from(number).unwrap_or_default() % workers.len().max(1);
        let of = |(token, grid): &(String, uuid::Uuid)| {
            post("/api/v1/sync", token, new_id(), &queue(*grid))
        };
        workers.get(index).map(of).into_iter().collect()
    });
    drive(&at.server, 1, Until::Time(stand.options.time()), make).await
}

/// Phones that are up to date ask again.
pub(crate) async fn polls(at: &Open, clients: u32, time: Duration) -> Done<Load> {
    let mut client = Client::connect(at.server.address).await?;
    let mut asking = Vec::new();
    for (token, _) in at.desk.workers() {
        let mut path = "/api/v1/sync?limit=100".to_owned();
        loop {
            let status = client.send(&get(&path, token)).await?;
            let page: Value = serde_json::from_slice(client.body())?;
            let next = page.get("next").and_then(Value::as_str);
            let next = next.ok_or_else(|| trouble(format!("{path}: {status} {page}")))?;
            path = format!("/api/v1/sync?limit=100&since={next}");
            if page.get("more") == Some(&Value::Bool(false)) {
                break;
            }
        }
        asking.push(get(&path, token));
    }
    let make = Rc::new(move |number: u64| {
        let index = usize::try_from(number).unwrap_or_default() % asking.len().max(1);
        asking.get(index).cloned().into_iter().collect()
    });
    drive(&at.server, clients, Until::Time(time), make).await
}

/// Rounds on PostgreSQL.
pub(crate) async fn measure(stand: &Stand, results: &mut Results) -> Done {
    let at = stand.postgres(PLAIN).await?;
    let (mut sent, mut asked) = (Vec::new(), Vec::new());
    for round in 1..=stand.options.rounds() {
        let (queue, poll) = (
            queues(&at, stand).await?,
            polls(&at, stand.options.clients, stand.options.time()).await?,
        );
        say(&format!(
            "sync, round {round}: a queue of {QUEUE} in {} ms; {} polls/s, {} µs",
            shown(queue.latency_ms(50)),
            shown(poll.rate()),
            shown(poll.cost_us()),
        ));
        sent.push(queue);
        asked.push(poll);
    }
    let of = |loads: &[Load], value: fn(&Load) -> f64| {
        median(&loads.iter().map(value).collect::<Vec<_>>())
    };
    let each = of(&sent, Load::cost_us) / float(u64::try_from(QUEUE)?);
    results.note(
        &format!("a queue of {QUEUE} reports, PostgreSQL"),
        of(&sent, |load| load.latency_ms(50)),
        " ms",
        format!("one phone at a time; {} µs of the processor a report", shown(each)),
    );
    let cores = float(u64::try_from(std::thread::available_parallelism()?.get())?);
    let share = PHONES / EVERY_S * of(&asked, Load::cost_us) / (cores * 1e6) * 100.0;
    results.note(
        "ten thousand phones asking every minute",
        share,
        " % of the processors",
        format!(
            "{} polls/s are possible; {} µs each: {}",
            shown(of(&asked, Load::rate)),
            shown(of(&asked, Load::cost_us)),
            parts(&asked)
        ),
    );
    Ok(())
}
