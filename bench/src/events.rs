//! Events: the feed read through, reports beside ten webhooks that receive everything, and five
//! thousand idle streams.

use std::{rc::Rc, time::Duration};

use api::app::clock::new_id;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    cpu,
    http::{Client, get_request, post_request},
    load::{Load, Until, drive_load},
    report::{describe_parts, submit_reports},
    results::{Budget, Results, format_number},
    stand::{Open, PLAIN, Stand},
    trouble::{Done, median, new_trouble, print_line, to_float},
};

/// Webhooks that receive every event.
const HOOKS: usize = 10;

/// Streams that are idle.
const STREAMS: usize = 5000;

/// Starts a receiver of webhooks that accepts everything; answers its address.
async fn start_receiver() -> Done<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(take_requests(stream));
        }
    });
    Ok(format!("http://{address}/hook"))
}

/// Accepts every request that ends with an empty line and a body of its stated length.
async fn take_requests(mut stream: TcpStream) {
    let (mut seen, mut buffer) = (Vec::new(), vec![0; 16 * 1024]);
    while let Ok(read) = stream.read(&mut buffer).await {
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else { return };
        seen.extend_from_slice(bytes);
        while let Some(whole) = request_length(&seen) {
            seen.drain(..whole);
            let answer = b"HTTP/1.1 204 Taken\r\n\r\n";
            if stream.write_all(answer).await.is_err() {
                return;
            }
        }
    }
}

/// How long the first request is, if all of it is there.
fn request_length(seen: &[u8]) -> Option<usize> {
    let head = seen.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(seen.get(..head)?).to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:"))?;
    let whole = head + length.trim().parse::<usize>().ok()?;
    (seen.len() >= whole).then_some(whole)
}

async fn send_request(client: &mut Client, request: &[u8]) -> Done<Value> {
    let status = client.send(request).await?;
    let answer = serde_json::from_slice(client.body()).unwrap_or_default();
    if (200..300).contains(&status) {
        return Ok(answer);
    }
    Err(new_trouble(format!("{status} {answer}")))
}

/// Reports without and with webhooks, turn by turn.
async fn measure_webhooks(at: &Open, stand: &Stand, results: &mut Results) -> Done {
    let mut client = Client::connect(at.server.address).await?;
    let url = start_receiver().await?;
    let admin = at.desk.admin_token();
    let area = at.desk.root_id();
    let mut hooks = Vec::new();
    for number in 0..HOOKS {
        let body = json!({ "name": format!("{number}"), "url": url, "area_id": area });
        let body = body.to_string();
        let made =
            send_request(&mut client, &post_request("/api/v1/webhooks", admin, new_id(), &body))
                .await?;
        hooks.push(made.get("id").and_then(Value::as_str).unwrap_or_default().to_owned());
    }
    let (time, clients) = (stand.options.time(), stand.options.clients);
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for round in 1..=stand.options.rounds() {
        for (verb, loads) in [("pause", &mut without), ("resume", &mut with)] {
            for id in &hooks {
                let path = format!("/api/v1/webhooks/{id}/{verb}");
                send_request(&mut client, &post_request(&path, admin, new_id(), "{}")).await?;
            }
            loads.push(submit_reports(at, clients, time).await?);
        }
        print_line(&format!("reports beside {HOOKS} webhooks, round {round}: done"));
    }
    let of = |loads: &[Load], value: fn(&Load) -> f64| {
        median(&loads.iter().map(value).collect::<Vec<_>>())
    };
    let (alone, told) = (of(&without, Load::request_rate), of(&with, Load::request_rate));
    results.add_against(
        "reports beside ten webhooks that are told everything, by those without",
        (Budget::AtLeast, 0.85, " ×"),
        told / alone,
        format!("{} reports/s beside {}", format_number(told), format_number(alone)),
    );
    for id in &hooks {
        let path = format!("/api/v1/webhooks/{id}/remove");
        send_request(&mut client, &post_request(&path, admin, new_id(), "{}")).await?;
    }
    Ok(())
}

/// Waits until no deliveries are left: they would be measured as well.
async fn await_rest(at: &Open) -> Done {
    const LOOK: Duration = Duration::from_millis(500);
    for _ in 0..240 {
        let before = at.server.cpu();
        tokio::time::sleep(LOOK).await;
        let used = at.server.cpu().since(before);
        if (used.server + used.database) * 20 < LOOK {
            return Ok(());
        }
    }
    Err(new_trouble("people are told things for two minutes after the last report".to_owned()))
}

/// Measures the feed from its beginning, with several readers at once.
async fn measure_feed(at: &Open, stand: &Stand, results: &mut Results) -> Done {
    let mut client = Client::connect(at.server.address).await?;
    let token = at.desk.reader_token().to_owned();
    let mut pages = vec![get_request("/api/v1/events?limit=100", &token)];
    for _ in 0..20 {
        let last = pages.last().cloned().unwrap_or_default();
        let page = send_request(&mut client, &last).await?;
        let next = page.get("next").and_then(Value::as_str).unwrap_or_default();
        pages.push(get_request(&format!("/api/v1/events?limit=100&cursor={next}"), &token));
        if page.get("more") != Some(&Value::Bool(true)) {
            break;
        }
    }
    let pages = Rc::new(pages);
    let make = Rc::new(move |number: u64| {
        let index = usize::try_from(number).unwrap_or_default() % pages.len().max(1);
        pages.get(index).cloned().into_iter().collect()
    });
    let load = drive_load(&at.server, 4, Until::Time(stand.options.time()), make).await?;
    results.add_note(
        "the feed of events, read in pages of 100",
        load.request_rate() * 100.0,
        " events/s",
        format!(
            "{} µs of the processor a page: {}; p99 {} ms",
            format_number(load.cost_us()),
            describe_parts(std::slice::from_ref(&load)),
            format_number(load.latency_ms(99))
        ),
    );
    Ok(())
}

/// Measures the memory of idle streams.
async fn measure_streams(at: &Open, results: &mut Results) -> Done {
    let before = cpu::resident_memory(at.server.pid()).unwrap_or_default();
    let mut open = Vec::with_capacity(STREAMS);
    let token = at.desk.reader_token().to_owned();
    let request = get_request("/api/v1/events/stream", &token);
    for _ in 0..STREAMS {
        let mut stream = TcpStream::connect(at.server.address).await?;
        stream.write_all(&request).await?;
        open.push(stream);
    }
    let mut greeted = 0_u64;
    for stream in &mut open {
        let mut buffer = vec![0; 1024];
        let read = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut buffer)).await;
        let read = read.map_err(|_late| new_trouble("a stream was not greeted".to_owned()))??;
        let head = String::from_utf8_lossy(buffer.get(..read).unwrap_or_default()).into_owned();
        greeted += u64::from(head.starts_with("HTTP/1.1 200"));
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let after = cpu::resident_memory(at.server.pid()).unwrap_or_default();
    let each = to_float(after.saturating_sub(before)) / to_float(greeted.max(1)) / 1024.0;
    results.add_note(
        "memory of an idle event stream",
        each,
        " KiB",
        format!(
            "{greeted} streams at once; {} MiB in all",
            format_number(to_float(after) / to_float(1 << 20))
        ),
    );
    Ok(())
}

/// Measures all three, on PostgreSQL.
pub(crate) async fn measure(stand: &Stand, results: &mut Results) -> Done {
    let at = stand.serve_postgres(PLAIN).await?;
    submit_reports(&at, stand.options.clients, Duration::from_secs(1)).await?;
    await_rest(&at).await?;
    measure_feed(&at, stand, results).await?;
    measure_webhooks(&at, stand, results).await?;
    measure_streams(&at, results).await
}
