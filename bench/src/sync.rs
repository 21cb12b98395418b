//! Phones that come back: a queue of two hundred commands in one request, and ten thousand phones
//! that ask every minute whether anything changed.

use std::{
    cell::RefCell,
    rc::Rc,
    time::{Duration, Instant},
};

use api::app::clock::new_id;
use serde_json::{Value, json};
use tokio::{
    task::{JoinSet, LocalSet},
    time::sleep,
};

use crate::{
    cpu::Cpu,
    http::{Client, get_request, post_request},
    load::{Load, Until, drive_load},
    report::describe_parts,
    results::{Results, format_number},
    stand::{Open, PLAIN, Stand},
    trouble::{Done, count_items, median, new_trouble, percentile, print_line, to_float},
};

/// Commands of one queue.
const QUEUE: usize = 200;

/// Phones, and how often each asks.
const PHONES: usize = 10_000;
const EVERY: Duration = Duration::from_mins(1);

/// A queue of reports from one grid.
fn build_queue(grid: uuid::Uuid, reports: usize) -> String {
    let item = |_| {
        json!({
            "id": new_id(), "operation": "submit_report",
            "body": { "text": "楼道堆放杂物，影响通行", "place": { "area_id": grid } },
        })
    };
    json!({ "items": (0..reports).map(item).collect::<Vec<Value>>() }).to_string()
}

/// One phone after the other sends its queue.
async fn send_queues(at: &Open, stand: &Stand) -> Done<Load> {
    let workers: Vec<(String, uuid::Uuid)> =
        at.desk.list_workers().into_iter().map(|(token, grid)| (token.to_owned(), grid)).collect();
    let make = Rc::new(move |number: u64| {
        let index = usize::try_from(number).unwrap_or_default() % workers.len().max(1);
        let of = |(token, grid): &(String, uuid::Uuid)| {
            post_request("/api/v1/sync", token, new_id(), &build_queue(*grid, QUEUE))
        };
        workers.get(index).map(of).into_iter().collect()
    });
    drive_load(&at.server, 1, Until::Time(stand.options.time()), make).await
}

/// Phones that are up to date ask again.
pub(crate) async fn send_polls(at: &Open, clients: u32, time: Duration) -> Done<Load> {
    let mut client = Client::connect(at.server.address).await?;
    let mut asking = Vec::new();
    for (token, _) in at.desk.list_workers() {
        let since = find_cursor(&mut client, token).await?;
        asking.push(get_request(&format!("/api/v1/sync?limit=100&since={since}"), token));
    }
    let make = Rc::new(move |number: u64| {
        let index = usize::try_from(number).unwrap_or_default() % asking.len().max(1);
        asking.get(index).cloned().into_iter().collect()
    });
    drive_load(&at.server, clients, Until::Time(time), make).await
}

/// A phone of a city: its owner, and its cursor.
struct Phone {
    token: String,
    grid: uuid::Uuid,
    since: String,
}

/// The cost of a minute of all phones.
struct Minute {
    /// The measured time.
    time: Duration,
    cpu: Cpu,
    /// From when a phone should have asked to when it had its answers, in microseconds, sorted.
    latencies: Vec<u32>,
}

/// Connections the phones share.
const LINES: u64 = 16;

/// One in this many phones has something to send when it asks.
const TYPING: u64 = 10;

/// The place from which a phone that is up to date continues.
async fn find_cursor(client: &mut Client, token: &str) -> Done<String> {
    let mut path = "/api/v1/sync?limit=100".to_owned();
    loop {
        let page = send_request(client, &get_request(&path, token)).await?;
        let next = page.get("next").and_then(Value::as_str);
        let next = next.ok_or_else(|| new_trouble(format!("{path}: {page}")))?.to_owned();
        if page.get("more") == Some(&Value::Bool(false)) {
            return Ok(next);
        }
        path = format!("/api/v1/sync?limit=100&since={next}");
    }
}

async fn send_request(client: &mut Client, request: &[u8]) -> Done<Value> {
    let status = client.send(request).await?;
    let answer: Value = serde_json::from_slice(client.body())?;
    if status == 200 { Ok(answer) } else { Err(new_trouble(format!("{status} {answer}"))) }
}

/// Ten thousand phones, each every minute, one in ten with a report: at their pace, not as fast as
/// can be. The first minute warms up: after it every phone is as far behind as they will be.
async fn run_minute(at: &Open, warm: Duration, time: Duration) -> Done<Minute> {
    let mut client = Client::connect(at.server.address).await?;
    let mut known = Vec::new();
    for (token, grid) in at.desk.list_workers() {
        known.push((token.to_owned(), grid, find_cursor(&mut client, token).await?));
    }
    let phones: Vec<RefCell<Phone>> = (known.iter().cycle().take(PHONES))
        .map(|(token, grid, since)| {
            let (token, since) = (token.clone(), since.clone());
            RefCell::new(Phone { token, grid: *grid, since })
        })
        .collect();
    let phones = Rc::new(phones);
    let (begun, latencies) = (Instant::now(), Rc::new(RefCell::new(Vec::new())));
    let mut asking = JoinSet::new();
    let local = LocalSet::new();
    for line in 0..LINES {
        let client = Client::connect(at.server.address).await?;
        let (phones, latencies) = (Rc::clone(&phones), Rc::clone(&latencies));
        asking.spawn_local_on(
            line_of(client, (line, begun), phones, (warm, warm + time), latencies),
            &local,
        );
    }
    let measured: Done<(Cpu, Duration)> = local
        .run_until(async {
            sleep(warm.saturating_sub(begun.elapsed())).await;
            let (before, from) = (at.server.cpu(), Instant::now());
            while let Some(ended) = asking.join_next().await {
                ended??;
            }
            Ok((at.server.cpu().since(before), from.elapsed()))
        })
        .await;
    let (cpu, time) = measured?;
    let mut latencies = latencies.take();
    latencies.sort_unstable();
    Ok(Minute { time, cpu, latencies })
}

/// Runs every sixteenth of the phones, in turn.
async fn line_of(
    mut client: Client,
    (line, begun): (u64, Instant),
    phones: Rc<Vec<RefCell<Phone>>>,
    (warm, end): (Duration, Duration),
    latencies: Rc<RefCell<Vec<u32>>>,
) -> Done {
    let between = EVERY.div_f64(to_float(count_items(&phones)));
    for number in (line..).step_by(usize::try_from(LINES)?) {
        let due = between.mul_f64(to_float(number));
        if due > end {
            break;
        }
        sleep(due.saturating_sub(begun.elapsed())).await;
        let index = usize::try_from(number % count_items(&phones))?;
        let Some(phone) = phones.get(index) else { continue };
        let (token, grid, since) = {
            let phone = phone.borrow();
            (phone.token.clone(), phone.grid, phone.since.clone())
        };
        if number % TYPING == 0 {
            let body = build_queue(grid, 1);
            send_request(&mut client, &post_request("/api/v1/sync", &token, new_id(), &body))
                .await?;
        }
        let mut since = since;
        loop {
            let path = format!("/api/v1/sync?limit=100&since={since}");
            let page = send_request(&mut client, &get_request(&path, &token)).await?;
            let next = page.get("next").and_then(Value::as_str);
            next.ok_or_else(|| new_trouble(format!("{path}: {page}")))?.clone_into(&mut since);
            if page.get("more") == Some(&Value::Bool(false)) {
                break;
            }
        }
        phone.borrow_mut().since = since;
        if due >= warm {
            let late = begun.elapsed().saturating_sub(due).as_micros();
            latencies.borrow_mut().push(u32::try_from(late).unwrap_or(u32::MAX));
        }
    }
    Ok(())
}

/// Measures in rounds on PostgreSQL.
pub(crate) async fn measure(stand: &Stand, results: &mut Results) -> Done {
    let at = stand.serve_postgres(PLAIN).await?;
    let (mut sent, mut asked) = (Vec::new(), Vec::new());
    for round in 1..=stand.options.rounds() {
        let (queue, poll) = (
            send_queues(&at, stand).await?,
            send_polls(&at, stand.options.clients, stand.options.time()).await?,
        );
        print_line(&format!(
            "sync, round {round}: a queue of {QUEUE} in {} ms; {} polls/s, {} µs",
            format_number(queue.latency_ms(50)),
            format_number(poll.request_rate()),
            format_number(poll.cost_us()),
        ));
        sent.push(queue);
        asked.push(poll);
    }
    let of = |loads: &[Load], value: fn(&Load) -> f64| {
        median(&loads.iter().map(value).collect::<Vec<_>>())
    };
    let each = of(&sent, Load::cost_us) / to_float(u64::try_from(QUEUE)?);
    results.add_note(
        &format!("a queue of {QUEUE} reports, PostgreSQL"),
        of(&sent, |load| load.latency_ms(50)),
        " ms",
        format!("one phone at a time; {} µs of the processor a report", format_number(each)),
    );
    results.add_note(
        "phones that are up to date asking, PostgreSQL",
        of(&asked, Load::request_rate),
        "/s",
        format!("{} µs each: {}", format_number(of(&asked, Load::cost_us)), describe_parts(&asked)),
    );
    let warm = if stand.options.quick { EVERY / 10 } else { EVERY };
    let minute = run_minute(&at, warm, warm / 2).await?;
    let cores = to_float(u64::try_from(std::thread::available_parallelism()?.get())?);
    let share = |used: Duration| used.div_f64(minute.time.as_secs_f64() * cores).as_secs_f64();
    let (server, database) = (share(minute.cpu.server), share(minute.cpu.database));
    let percent = |share: f64| format_number(share * 100.0);
    results.add_note(
        &format!("{PHONES} phones asking every minute, one in {TYPING} with a report"),
        (server + database) * 100.0,
        " % of the processors",
        format!(
            "in {} grids, so that most answers tell {} reports; at {} a second for {} s after {} s; server {} %, database {} %; p50 {} ms, p99 {} ms from when each was due",
            at.desk.list_workers().len(),
            u64::try_from(PHONES)? / TYPING / count_items(&at.desk.list_workers()).max(1),
            format_number(to_float(count_items(&minute.latencies)) / minute.time.as_secs_f64()),
            format_number(minute.time.as_secs_f64()),
            format_number(warm.as_secs_f64()),
            percent(server),
            percent(database),
            format_number(percentile(&minute.latencies, 50) / 1000.0),
            format_number(percentile(&minute.latencies, 99) / 1000.0),
        ),
    );
    Ok(())
}
