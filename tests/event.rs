//! Events: the feed misses and doubles nothing, the stream continues where it was, and both show
//! only what the caller may see.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use serde_json::{Value, json};

use crate::harness::{
    City, Replica, build_settings, new_key, on_both, read_text, read_texts, report_body_at,
};

on_both! {
    a_loop_is_told_in_order_and_page_by_page,
    everybody_sees_the_events_of_what_they_may_see,
    nothing_is_missed_or_doubled_while_many_write,
    a_cursor_that_does_not_fit_is_refused,
    only_the_types_that_were_asked_for,
    a_stream_goes_on_where_it_was,
    a_stream_tells_what_another_replica_committed,
    a_stream_ends_with_the_rights_of_its_reader,
    an_idle_stream_gives_signs_of_life,
    a_slow_reader_is_cut_off_and_goes_on_where_it_was,
}

/// The feed to its end, in pages of this many.
fn fetch_events(city: &City, by: &str, limit: u32, more: &str) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/v1/events?limit={limit}{more}{cursor}");
        let page = city.client(by).get(&path).expect_success();
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        cursor = format!("&cursor={}", read_text(&page, "/next"));
        if page["more"] == false {
            return items;
        }
    }
}

fn list_types(events: &[Value]) -> Vec<String> {
    events.iter().map(|event| read_text(event, "/type")).collect()
}

fn list_ids(events: &[Value]) -> Vec<String> {
    events.iter().map(|event| read_text(event, "/id")).collect()
}

fn a_loop_is_told_in_order_and_page_by_page(city: &City) {
    let case = city.new_feedback_case();
    let events = fetch_events(city, "dispatcher", 100, "");
    let told = list_types(&events);
    let expected = [
        "report.submitted",
        "report.filed",
        "case.opened",
        "case.escalated",
        "case.dispatched",
        "case.signed",
        "case.fed_back",
    ];
    let of_it: Vec<&String> = told.iter().filter(|one| expected.contains(&one.as_str())).collect();
    assert_eq!(of_it, expected.iter().collect::<Vec<_>>());
    for limit in [1, 2, 3] {
        assert_eq!(
            list_ids(&fetch_events(city, "dispatcher", limit, "")),
            list_ids(&events),
            "pages of {limit}"
        );
    }
    let whole: BTreeSet<String> = list_ids(&events).into_iter().collect();
    assert_eq!(whole.len(), events.len(), "each has an identity of its own");
    let opened = events.iter().find(|event| event["type"] == "case.opened").unwrap();
    assert_eq!(opened["subject"]["id"], json!(case));
    assert_eq!(opened["label"], "立案");
    let read = city.client("dispatcher").get(&read_text(opened, "/subject/path")).expect_success();
    assert_eq!(read["id"], json!(case));
    // The event does not say who reported.
    let reporter = city.client("resident").id().to_string();
    for event in &events {
        assert!(!event.to_string().contains(&reporter), "{event:#}");
    }
    assert_eq!(events[0]["by"], "上报人");
}

fn everybody_sees_the_events_of_what_they_may_see(city: &City) {
    city.new_feedback_case();
    let whole = fetch_events(city, "dispatcher", 100, "");
    assert_eq!(fetch_events(city, "far_dispatcher", 100, ""), Vec::<Value>::new());
    assert_eq!(fetch_events(city, "worker@9902", 100, ""), Vec::<Value>::new());
    assert_eq!(fetch_events(city, "neighbour", 100, ""), Vec::<Value>::new());
    let own = fetch_events(city, "resident", 100, "");
    assert!(!own.is_empty() && own.len() <= whole.len());
    // Everything about the own report; about the case only that something happened.
    for event in &own {
        assert_eq!(event["data"] == json!({}), event["subject"]["kind"] == "case", "{event:#}");
    }
    city.client("").get("/api/v1/events").expect_problem(401, "unauthenticated");
}

fn nothing_is_missed_or_doubled_while_many_write(city: &City) {
    const WRITERS: usize = 6;
    const EACH: usize = 25;
    let over = AtomicBool::new(false);
    let (sent, read) = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (mut seen, mut cursor) = (Vec::new(), String::new());
            loop {
                // The end is noted before reading: what was sent until then must be there.
                let last = over.load(Ordering::SeqCst);
                let path = format!("/api/v1/events?limit=7&types=report.submitted{cursor}");
                let page = city.client("dispatcher").get(&path).expect_success();
                seen.extend(read_texts(&page, "/subject/id"));
                cursor = format!("&cursor={}", read_text(&page, "/next"));
                if last && page["more"] == false {
                    return seen;
                }
            }
        });
        let write = || (0..EACH).map(|_| city.submit_report()).collect::<Vec<_>>();
        let writers: Vec<_> = (0..WRITERS).map(|_| scope.spawn(write)).collect();
        let sent: Vec<String> =
            writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
        over.store(true, Ordering::SeqCst);
        (sent, reader.join().unwrap())
    });
    assert_eq!(read.len(), WRITERS * EACH);
    let (sent, told): (BTreeSet<_>, BTreeSet<_>) =
        (sent.into_iter().collect(), read.iter().cloned().collect());
    assert_eq!(told, sent);
}

fn a_cursor_that_does_not_fit_is_refused(city: &City) {
    city.submit_report();
    let page = city.client("dispatcher").get("/api/v1/events").expect_success();
    let next = read_text(&page, "/next");
    city.client("worker@9902")
        .get(&format!("/api/v1/events?cursor={next}"))
        .expect_problem(410, "cursor_outdated");
    for wrong in ["x", "AAAA", &"A".repeat(150), &format!("{next}A")] {
        let path = format!("/api/v1/events?cursor={wrong}");
        city.client("dispatcher").get(&path).expect_problem(410, "cursor_outdated");
    }
    let long = format!("/api/v1/events?cursor={}", "A".repeat(3000));
    city.client("dispatcher").get(&long).expect_problem(410, "cursor_outdated");
    // From now on there is nothing yet; then there is.
    let now = city.client("dispatcher").get("/api/v1/events?from_now=true").expect_success();
    assert_eq!(now["items"], json!([]));
    let report = city.submit_report();
    let path = format!("/api/v1/events?cursor={}", read_text(&now, "/next"));
    assert_eq!(
        read_texts(&city.client("dispatcher").get(&path).expect_success(), "/subject/id"),
        [report]
    );
}

fn only_the_types_that_were_asked_for(city: &City) {
    city.new_filed_case();
    let told = list_types(&fetch_events(city, "dispatcher", 2, "&types=case.opened,report.filed"));
    assert_eq!(told, ["report.filed", "case.opened"]);
    let answer = city.client("dispatcher").get("/api/v1/events?types=case.exploded");
    answer.expect_problem(400, "invalid_query");
    let known = city.client("worker").get("/api/v1/event_types").expect_success();
    let known = known.as_array().unwrap();
    assert!(known.iter().any(|one| one["type"] == "case.opened" && one["label"] == "立案"));
}

/// A reader of the stream, line by line.
struct Reader(BufReader<TcpStream>);

impl Reader {
    fn open(city: &City, base: &str, by: &str, path: &str, last: Option<&str>) -> Self {
        let address = base.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let token = city.access_token(by).unwrap();
        let last = last.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {token}\r\n{last}\r\n"
        )
        .unwrap();
        let mut reader = Self(BufReader::new(stream));
        let status = reader.read_line().unwrap();
        assert!(status.starts_with("HTTP/1.1 200"), "{status}");
        while reader.read_line().unwrap() != "retry: 2000" {}
        reader
    }

    /// The next line; none at the end.
    fn read_line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.0.read_line(&mut line).expect("the stream goes on");
        // The last chunk is an empty one; the connection could be used again.
        (read > 0 && line != "0\r\n").then(|| line.trim_end().to_owned())
    }

    /// The next event: its id, its type and its data.
    fn read_event(&mut self) -> Option<(String, String, Value)> {
        let (mut id, mut kind) = (String::new(), String::new());
        loop {
            let line = self.read_line()?;
            if let Some(text) = line.strip_prefix("id: ") {
                text.clone_into(&mut id);
            } else if let Some(text) = line.strip_prefix("event: ") {
                text.clone_into(&mut kind);
            } else if let Some(text) = line.strip_prefix("data: ") {
                return Some((id, kind, serde_json::from_str(text).unwrap()));
            }
        }
    }
}

const STREAM: &str = "/api/v1/events/stream";

fn a_stream_goes_on_where_it_was(city: &City) {
    city.submit_report();
    let mut reader = Reader::open(city, &city.base, "dispatcher", STREAM, None);
    let first = city.submit_report();
    let (id, kind, told) = reader.read_event().unwrap();
    assert_eq!(
        (kind.as_str(), read_text(&told, "/subject/id")),
        ("report.submitted", first.clone())
    );
    drop(reader);
    // Missed while no one listened; a filing makes three events in two entries.
    let case = city.file_report(&first);
    let mut reader = Reader::open(city, &city.base, "dispatcher", STREAM, Some(&id));
    let (_, filed, _) = reader.read_event().unwrap();
    let (id, opened, told) = reader.read_event().unwrap();
    assert_eq!([filed, opened], ["report.filed", "case.opened"]);
    assert_eq!(read_text(&told, "/subject/id"), case);
    drop(reader);
    // The same cursor serves the feed, and from the beginning everything is there once.
    let page =
        city.client("dispatcher").get(&format!("/api/v1/events?cursor={id}")).expect_success();
    assert_eq!(page["items"], json!([]));
    let now = read_text(
        &city.client("dispatcher").get("/api/v1/events?limit=1").expect_success(),
        "/next",
    );
    let path = format!("{STREAM}?seconds=0&cursor={now}");
    let mut reader = Reader::open(city, &city.base, "dispatcher", &path, None);
    let mut rest = Vec::new();
    while let Some((_, _, told)) = reader.read_event() {
        rest.push(read_text(&told, "/id"));
    }
    assert_eq!(rest, list_ids(&fetch_events(city, "dispatcher", 100, ""))[1..]);
    let gone = city.client("dispatcher").call("GET", STREAM).header("Last-Event-ID", "x").send();
    gone.expect_problem(410, "cursor_outdated");
}

fn a_stream_tells_what_another_replica_committed(city: &City) {
    let replica = Replica::open(city, build_settings(&city.database.url));
    let path = format!("{STREAM}?types=report.submitted");
    let mut reader = Reader::open(city, &replica.base, "dispatcher", &path, None);
    let sent: Vec<String> = (0..5).map(|_| city.submit_report()).collect();
    let told: Vec<String> =
        (0..5).map(|_| read_text(&reader.read_event().unwrap().2, "/subject/id")).collect();
    assert_eq!(told, sent);
}

fn a_stream_ends_with_the_rights_of_its_reader(city: &City) {
    let mut reader = Reader::open(city, &city.base, "worker", STREAM, None);
    let report = city.submit_report();
    assert_eq!(read_text(&reader.read_event().unwrap().2, "/subject/id"), report);
    let worker = city.client("worker").id();
    let reason = json!({ "reason": "调离" });
    city.client("admin")
        .post(&format!("/api/v1/people/{worker}/suspend"), &reason)
        .expect_success();
    // The rights of the reader are looked up again after two seconds.
    std::thread::sleep(Duration::from_millis(2200));
    city.client("resident")
        .post("/api/v1/reports", &report_body_at(110.005, 30.005))
        .expect_success();
    assert_eq!(reader.read_event(), None);
}

fn an_idle_stream_gives_signs_of_life(city: &City) {
    let path = format!("{STREAM}?heartbeat=1&seconds=3");
    let mut reader = Reader::open(city, &city.base, "dispatcher", &path, None);
    let lines: Vec<String> = std::iter::from_fn(|| reader.read_line()).collect();
    let signs = lines.iter().filter(|line| line.trim() == ":").count();
    assert!((2..=3).contains(&signs), "{lines:?}");
    for wrong in ["heartbeat=0", "heartbeat=61", "seconds=3601", "seconds=-1", "heartbeat=often"] {
        let path = format!("{STREAM}?{wrong}");
        city.client("dispatcher").get(&path).expect_problem(400, "invalid_query");
    }
}

fn a_slow_reader_is_cut_off_and_goes_on_where_it_was(city: &City) {
    const LONG: usize = 1000;
    let path = format!("{STREAM}?seconds=1");
    let mut reader = Reader::open(city, &city.base, "dispatcher", &path, None);
    let before = fetch_events(city, "dispatcher", 100, "").len();
    // It does not read while more happens than a connection and the server's memory hold.
    for _ in 0..24 {
        let items: Vec<Value> = (0..35)
            .map(|_| {
                let mut body = report_body_at(110.005, 30.005);
                body["text"] = json!("长".repeat(LONG));
                body["handled"] = json!({ "result": "当场清理".repeat(LONG / 4) });
                json!({ "id": new_key(), "operation": "submit_report", "path": {}, "body": body })
            })
            .collect();
        let body = json!({ "sent_at": city.now(), "items": items });
        let answer = city.client("worker").post("/api/v1/sync", &body).expect_success();
        assert_eq!(read_texts(&answer, "/outcome"), ["done"; 35]);
    }
    // The server itself has gone past all of it: another reader heard what came last.
    let mut quick =
        Reader::open(city, &city.base, "dispatcher", &format!("{STREAM}?seconds=30"), None);
    let last = city.submit_report();
    while let Some((_, _, event)) = quick.read_event() {
        if event.to_string().contains(&last) {
            break;
        }
    }
    drop(quick);
    let mut told: Vec<(String, String)> = Vec::new();
    let take = |reader: &mut Reader, told: &mut Vec<(String, String)>| {
        while let Some((cursor, _, event)) = reader.read_event() {
            told.push((cursor, read_text(&event, "/id")));
        }
    };
    take(&mut reader, &mut told);
    let wanted = list_ids(&fetch_events(city, "dispatcher", 100, ""))[before..].to_vec();
    assert!(told.len() < wanted.len(), "it was never cut off: {}", wanted.len());
    let cut = told.len();
    let last = told.last().expect("something was told").0.clone();
    let path = format!("{STREAM}?seconds=0");
    let mut reader = Reader::open(city, &city.base, "dispatcher", &path, Some(&last));
    take(&mut reader, &mut told);
    let told: Vec<String> = told.into_iter().map(|(_, id)| id).collect();
    assert_eq!(told.len(), wanted.len(), "cut off after {cut}");
    assert_eq!(told, wanted);
}
