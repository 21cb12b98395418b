//! Limits of one person on a server that all share: a share, announced with every answer; a caller
//! who asks more waits, loses nothing, and delays no one.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    path::Path,
    time::{Duration as Time, Instant},
};

use api::app::config::{Limits, MediaUrl, Settings};
use chrono::Duration;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{
    Answer, City, Engine, new_key, on_both_beside, read_text, report_body_at, seed,
};

on_both_beside! {
    a_resident_who_reports_without_end_is_told_to_wait,
    a_queue_that_is_too_long_goes_through_in_parts,
    a_phone_of_staff_sends_what_a_day_left_at_once,
    an_answer_once_given_is_given_again_for_nothing,
    copies_of_ones_own_data_are_counted,
    one_more_stream_ends_the_oldest,
    thousands_of_packed_parts_are_refused,
    a_resident_asks_no_more_than_a_share,
    a_share_that_is_used_up_keeps_nobody_from_ending_logins,
    nonsense_beyond_the_share_is_refused_no_sooner,
}

/// The same for stories with limits of their own, and a folder of their own for files.
macro_rules! within {
    ($($story:ident: $adjust:expr),+ $(,)?) => {
        mod narrow {
            mod sqlite {
                $(#[test]
                fn $story() {
                    let (city, files) = crate::limits::open_narrow_city(crate::harness::Engine::Sqlite, $adjust);
                    crate::limits::$story(&city, files.path());
                })+
            }
            mod postgres {
                $(#[test]
                fn $story() {
                    let (city, files) = crate::limits::open_narrow_city(crate::harness::Engine::Postgres, $adjust);
                    crate::limits::$story(&city, files.path());
                })+
            }
        }
    };
}

within! {
    files_that_drip_take_seats_and_end: |settings: &mut api::app::config::Settings| {
        settings.limits.residents.sending = 3;
        settings.limits.upload_seconds = 3;
    },
    bytes_are_counted_as_they_come: |settings: &mut api::app::config::Settings| {
        settings.limits.residents.megabytes = api::app::config::Rate { at_once: 2, an_hour: 60 };
        settings.limits.residents.uploads = api::app::config::Rate { at_once: 5, an_hour: 3600 };
    },
    what_waits_to_be_named_is_bounded: |settings: &mut api::app::config::Settings| {
        settings.limits.residents.waiting_megabytes = 2;
    },
}

/// With the limits as shipped.
fn open_city(engine: Engine) -> (City, TempDir) {
    open_narrow_city(engine, |_| ())
}

/// With narrower ones.
fn open_narrow_city(engine: Engine, adjust: impl FnOnce(&mut Settings)) -> (City, TempDir) {
    let files = tempfile::tempdir().unwrap();
    let folder = files.path().join("media");
    let city = City::open_with(engine, |settings| {
        settings.media = Some(MediaUrl::Folder(folder));
        settings.limits = Limits::default();
        adjust(settings);
    });
    (city, files)
}

fn submit_report(city: &City, by: &str) -> Answer {
    city.client(by).post("/api/v1/reports", &report_body_at(110.005, 30.005))
}

/// The time to retry of a refusal.
#[track_caller]
fn read_retry_after(answer: Answer, limit: &str) -> i64 {
    let wait = answer.header("retry-after").parse().expect("seconds");
    assert_eq!(answer.header("x-ratelimit-remaining"), "0");
    assert!(answer.header("ratelimit").starts_with(&format!("\"{limit}\";r=0;t=")));
    let problem = answer.expect_problem(429, "too_many_requests");
    assert_eq!((&problem["limit"], &problem["retry_after_s"]), (&json!(limit), &json!(wait)));
    wait
}

fn a_resident_who_reports_without_end_is_told_to_wait(city: &City, _: &TempDir) {
    let first = submit_report(city, "resident");
    assert_eq!(first.header("ratelimit-policy"), "\"commands\";q=100;w=1200");
    assert_eq!(first.header("ratelimit"), "\"commands\";r=99;t=12");
    assert_eq!(first.header("x-ratelimit-limit"), "100");
    let mut taken = 1;
    let refused = loop {
        let answer = submit_report(city, "resident");
        if answer.status == 429 {
            break answer;
        }
        answer.expect_success();
        taken += 1;
        assert!(taken < 150, "no end");
    };
    assert!((100..=103).contains(&taken), "{taken}");
    let wait = read_retry_after(refused, "commands");
    assert!((1..=12).contains(&wait), "{wait}");
    // All writes count alike, reads do not.
    let read = json!({ "purpose": "track", "given": true, "version": "1" });
    read_retry_after(city.client("resident").post("/api/v1/me/consents", &read), "commands");
    city.client("resident").get("/api/v1/reports").expect_success();
    // No one else is affected.
    submit_report(city, "neighbour").expect_success();
    submit_report(city, "worker").expect_success();
    // And the wait is over when the refusal said so.
    city.advance(Duration::seconds(wait));
    submit_report(city, "resident").expect_success();
}

fn send_queue(city: &City, by: &str, items: &[Value]) -> Vec<Value> {
    let answer = city.client(by).post("/api/v1/sync", &json!({ "items": items })).expect_success();
    answer["items"].as_array().unwrap().clone()
}

fn queue_items(count: usize) -> Vec<Value> {
    let item = |number| {
        let mut body = report_body_at(110.005, 30.005);
        body["text"] = json!(format!("楼道堆放杂物（{number}）"));
        json!({ "id": new_key(), "operation": "submit_report", "body": body })
    };
    (0..count).map(item).collect()
}

fn count_outcomes(views: &[Value], outcome: &str) -> usize {
    views.iter().filter(|view| view["outcome"] == outcome).count()
}

fn a_queue_that_is_too_long_goes_through_in_parts(city: &City, _: &TempDir) {
    let mut items = queue_items(200);
    let views = send_queue(city, "resident", &items);
    let done = count_outcomes(&views, "done");
    assert!((100..=105).contains(&done), "{done}");
    assert_eq!(done + count_outcomes(&views, "later"), 200);
    let later = views.iter().find(|view| view["outcome"] == "later").unwrap();
    assert_eq!(later["problem"]["code"], "too_many_requests");
    let mut wait = later["retry_after"].as_i64().unwrap();
    assert!((1..=12).contains(&wait), "{wait}");
    // Sent again unchanged, after the announced time, they all go through.
    for _ in 0..200 {
        city.advance(Duration::seconds(wait.max(300)));
        let views = send_queue(city, "resident", &items);
        assert_eq!(count_outcomes(&views, "refused") + count_outcomes(&views, "conflict"), 0);
        let later = |view: &Value| view["outcome"] == "later";
        wait = views.iter().find_map(|view| view["retry_after"].as_i64()).unwrap_or(0);
        let left = items.iter().zip(&views).filter(|(_, view)| later(view));
        items = left.map(|(item, _)| item.clone()).collect();
        if items.is_empty() {
            return;
        }
    }
    panic!("{} items never went through", items.len());
}

fn a_phone_of_staff_sends_what_a_day_left_at_once(city: &City, _: &TempDir) {
    for _ in 0..3 {
        let views = send_queue(city, "worker", &queue_items(200));
        assert_eq!(count_outcomes(&views, "done"), 200);
    }
    let photo = crate::media::load_image("ok/hopper.jpg");
    for _ in 0..27 {
        let own = [photo.as_slice(), new_key().as_bytes()].concat();
        let path = format!("/api/v1/media?id={}", new_key());
        let sent = city.client("worker").call("POST", &path).header("Content-Type", "image/jpeg");
        sent.bytes(own).send().expect_success();
    }
    submit_report(city, "worker").expect_success();
}

fn an_answer_once_given_is_given_again_for_nothing(city: &City, _: &TempDir) {
    // The answer to a long queue got lost, twice.
    let items = queue_items(90);
    assert_eq!(count_outcomes(&send_queue(city, "resident", &items), "done"), 90);
    for _ in 0..2 {
        assert_eq!(count_outcomes(&send_queue(city, "resident", &items), "already"), 90);
    }
    submit_report(city, "resident").expect_success();
}

fn copies_of_ones_own_data_are_counted(city: &City, _: &TempDir) {
    let copy = || city.client("resident").get("/api/v1/me/export");
    for _ in 0..10 {
        copy().expect_success();
    }
    let wait = read_retry_after(copy(), "exports");
    // The later pages of a copy are not counted as copies.
    let next = city.client("neighbour").get("/api/v1/me/export").expect_success();
    let next = next["next"].as_str().unwrap();
    for _ in 0..20 {
        city.client("neighbour").get(&format!("/api/v1/me/export?cursor={next}")).expect_success();
    }
    let noted = city.client("auditor").get("/api/v1/audit?act=export&limit=100").expect_success();
    assert_eq!(noted["items"].as_array().unwrap().len(), 11);
    city.advance(Duration::seconds(wait));
    copy().expect_success();
}

/// A connection on which a request was sent.
fn open_request(city: &City, by: &str, head: &str) -> TcpStream {
    let address = city.base.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Time::from_secs(10))).unwrap();
    let token = city.access_token(by).unwrap();
    let text = format!("{head} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {token}\r\n");
    stream.write_all(text.as_bytes()).unwrap();
    stream
}

fn open_stream(city: &City, by: &str) -> TcpStream {
    let mut stream = open_request(city, by, "GET /api/v1/events/stream?heartbeat=1");
    stream.write_all(b"\r\n").unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"retry: 2000\n\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        seen.push(byte[0]);
    }
    assert!(seen.starts_with(b"HTTP/1.1 200"));
    stream
}

/// Whether a stream ends; one that goes on gives a sign of life within a second.
fn stream_ends(stream: &mut TcpStream) -> bool {
    let mut seen = Vec::new();
    let mut buffer = [0; 256];
    let begun = Instant::now();
    while begun.elapsed() < Time::from_secs(4) {
        match stream.read(&mut buffer) {
            Ok(0) => return true,
            Ok(read) => seen.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(error) => panic!("{error}"),
        }
        if seen.ends_with(b"0\r\n\r\n") {
            return true;
        }
    }
    false
}

fn one_more_stream_ends_the_oldest(city: &City, _: &TempDir) {
    let mut neighbour = open_stream(city, "neighbour");
    let mut open: Vec<TcpStream> = (0..8).map(|_| open_stream(city, "resident")).collect();
    for old in &mut open[..3] {
        assert!(stream_ends(old));
    }
    for new in &mut open[3..] {
        assert!(!stream_ends(new));
    }
    assert!(!stream_ends(&mut neighbour));
    // Closing one makes room for another.
    drop(open.remove(3));
    std::thread::sleep(Time::from_secs(2));
    open.push(open_stream(city, "resident"));
    assert!(!stream_ends(&mut open[3]));
}

fn thousands_of_packed_parts_are_refused(city: &City, _: &TempDir) {
    let nothing = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let members = nothing.finish().unwrap().repeat(20_000);
    let call = || {
        let path = format!("/api/v1/patrols/{}/points", new_key());
        let call = city.client("worker").call("POST", &path).header("Content-Encoding", "gzip");
        call.header("Content-Type", "application/json").bytes(members.clone()).send()
    };
    let begun = Instant::now();
    for _ in 0..5 {
        assert_eq!(call().expect_fault(""), "too_many_members");
    }
    assert!(begun.elapsed() < Time::from_secs(5), "{:?}", begun.elapsed());
}

fn a_resident_asks_no_more_than_a_share(city: &City, _: &TempDir) {
    let ask = || city.client("resident").get("/api/v1/me");
    let mut asked = 0;
    let refused = loop {
        let answer = ask();
        if answer.status == 429 {
            break answer;
        }
        answer.expect_success();
        asked += 1;
        assert!(asked < 400, "no end");
    };
    // For each second that this took, one more is allowed.
    assert!(asked >= 300, "{asked}");
    let wait = read_retry_after(refused, "reads");
    // A caller who is refused can still report, and is answered at the announced time.
    submit_report(city, "resident").expect_success();
    city.client("neighbour").get("/api/v1/me").expect_success();
    city.advance(Duration::seconds(wait));
    ask().expect_success();
}

/// A body that is no photo and is accepted as it is.
fn make_sound(bytes: usize) -> Vec<u8> {
    let mut sound = b"ID3\x04\0\0\0\0\0\0".to_vec();
    sound.extend_from_slice(new_key().as_bytes());
    sound.resize(bytes, 0);
    sound
}

fn send_sound(city: &City, by: &str, bytes: &[u8]) -> Answer {
    let path = format!("/api/v1/media?id={}", new_key());
    city.client(by).call("POST", &path).header("Content-Type", "audio/mpeg").bytes(bytes).send()
}

/// The files that are arriving, as far as this process has them open, below a folder.
fn under_way(folder: &Path) -> usize {
    let Ok(open) = std::fs::read_dir("/proc/self/fd") else { return 0 };
    let links = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    links.filter(|link| link.starts_with(folder)).count()
}

fn files_that_drip_take_seats_and_end(city: &City, files: &Path) {
    let drip = || {
        let path = format!("POST /api/v1/media?id={}", new_key());
        let mut stream = open_request(city, "resident", &path);
        stream.write_all(b"Content-Length: 1000000\r\n\r\n").unwrap();
        stream.write_all(&make_sound(100_000)).unwrap();
        stream
    };
    let mut dripping: Vec<TcpStream> = (0..3).map(|_| drip()).collect();
    let spool = files.join("media/.spool");
    for _ in 0..100 {
        if under_way(&spool) == 3 {
            break;
        }
        std::thread::sleep(Time::from_millis(20));
    }
    // They lie beside the files that are kept, where there is room.
    assert_eq!(under_way(&spool), 3);
    let refused = send_sound(city, "resident", &make_sound(1000));
    assert_eq!(refused.header("retry-after"), "5");
    assert_eq!(refused.expect_problem(429, "too_many_requests")["limit"], "sending");
    send_sound(city, "neighbour", &make_sound(1000)).expect_success();
    // However often a byte arrives, the upload ends.
    let begun = Instant::now();
    let mut answers = Vec::new();
    while answers.len() < 3 {
        assert!(begun.elapsed() < Time::from_secs(15), "it goes on for ever");
        for stream in &mut dripping {
            let _ = stream.write_all(b"x");
        }
        std::thread::sleep(Time::from_millis(300));
        dripping.retain_mut(|stream| {
            stream.set_read_timeout(Some(Time::from_millis(10))).unwrap();
            let mut text = [0; 64];
            let Ok(read) = stream.read(&mut text) else { return true };
            answers.push(String::from_utf8_lossy(&text[..read]).into_owned());
            false
        });
    }
    assert!(answers.iter().all(|text| text.starts_with("HTTP/1.1 408")), "{answers:?}");
    assert_eq!(under_way(&spool), 0);
    send_sound(city, "resident", &make_sound(1000)).expect_success();
}

fn bytes_are_counted_as_they_come(city: &City, _: &Path) {
    let first = send_sound(city, "resident", &make_sound(900_000));
    assert_eq!(first.header("ratelimit-policy"), "\"uploads\";q=5;w=5");
    first.expect_success();
    send_sound(city, "resident", &make_sound(900_000)).expect_success();
    let wait = read_retry_after(send_sound(city, "resident", &make_sound(900_000)), "megabytes");
    assert!((30..=42).contains(&wait), "{wait}");
    send_sound(city, "neighbour", &make_sound(900_000)).expect_success();
    // Refused bytes and bytes that did not arrive cost nothing.
    city.advance(Duration::seconds(wait));
    let path = format!("POST /api/v1/media?id={}", new_key());
    let mut broken = open_request(city, "resident", &path);
    broken.write_all(b"Content-Length: 900000\r\n\r\n").unwrap();
    std::thread::sleep(Time::from_millis(300));
    drop(broken);
    std::thread::sleep(Time::from_millis(700));
    send_sound(city, "resident", &make_sound(900_000)).expect_success();
    // How many files there are counts as well.
    let begin = json!({ "bytes": 100 });
    let upload = city.client("resident").post("/api/v1/media_uploads", &begin).expect_success();
    let path = format!("/api/v1/media_uploads/{}/append", upload["id"].as_str().unwrap());
    let piece =
        || city.client("resident").call("POST", &path).header("Upload-Offset", "7").bytes("x");
    let refused = (0..8).map(|_| piece().send()).find(|answer| answer.status == 429);
    read_retry_after(refused.expect("an end"), "uploads");
}

fn what_waits_to_be_named_is_bounded(city: &City, _: &Path) {
    let begin = |bytes: u32| {
        let path = "/api/v1/media_uploads";
        city.client("resident").post(path, &json!({ "id": new_key(), "bytes": bytes }))
    };
    let id = new_key();
    let path = format!("/api/v1/media?id={id}");
    city.client("resident").call("POST", &path).bytes(make_sound(900_000)).send().expect_success();
    begin(900_000).expect_success();
    let refused = begin(900_000).expect_problem(422, "too_many");
    assert_eq!((&refused["what"], &refused["max"]), (&json!("waiting_megabytes"), &json!(2)));
    send_sound(city, "resident", &make_sound(900_000)).expect_success();
    send_sound(city, "resident", &make_sound(900_000)).expect_problem(422, "too_many");
    // A file that is named waits no longer.
    let mut body = report_body_at(110.005, 30.005);
    body["media"] = json!([id]);
    city.client("resident").post("/api/v1/reports", &body).expect_success();
    send_sound(city, "resident", &make_sound(900_000)).expect_success();
    send_sound(city, "neighbour", &make_sound(900_000)).expect_success();
}

fn a_share_that_is_used_up_keeps_nobody_from_ending_logins<T>(city: &City, _: &T) {
    let by = city.client("resident");
    let body = report_body_at(110.005, 30.005);
    let refused = (0..500).find(|_| by.post("/api/v1/reports", &body).status == 429);
    assert!(refused.is_some(), "the share has an end");
    let refused = (0..2000).find(|_| by.get("/api/v1/reports").status == 429);
    assert!(refused.is_some(), "of what is read, too");
    // A thief who uses up the reserve does so for that login only.
    let body = json!({ "tenant": seed::CITY, "account": "resident", "password": seed::PASSWORD });
    let thief = city.client("").post("/api/v1/auth/login", &body).expect_success();
    let thief = format!("Bearer {}", read_text(&thief, "/access_token"));
    let look = || {
        let call = city.client("").call("GET", "/api/v1/me/sessions");
        call.header("Authorization", &thief).send().status
    };
    assert!((0..200).any(|_| look() == 429), "the reserve has an end");
    // Whichever login used it up: the owner can list the logins, and end all others.
    by.get("/api/v1/me/sessions").expect_success();
    by.post("/api/v1/me/sessions/revoke", &json!({})).expect_success();
    by.get("/api/v1/me/identities").expect_success();
    by.post("/api/v1/me/erasure", &json!({ "reason": "注销" })).expect_success();
}

fn nonsense_beyond_the_share_is_refused_no_sooner<T>(city: &City, _: &T) {
    let body = report_body_at(110.005, 30.005);
    let refused =
        (0..500).find(|_| city.client("resident").post("/api/v1/reports", &body).status == 429);
    assert!(refused.is_some(), "the share has an end");
    let points = format!("/api/v1/patrols/{}/points", new_key());
    let nonsense = [
        ("/api/v1/reports", "identity"),
        ("/api/v1/reports?what=this", "identity"),
        ("/api/v1/reports/not-an-id/withdraw", "identity"),
        ("/api/v1/nothing/here", "identity"),
        ("/%61pi/v1/nothing/here", "identity"),
        (points.as_str(), "gzip"),
    ];
    for (path, encoding) in nonsense {
        let call = city.client("resident").call("POST", path).header("Content-Encoding", encoding);
        let call = call.header("Content-Type", "application/json").bytes(b"{".to_vec());
        let begun = Instant::now();
        call.send().expect_problem(429, "too_many_requests");
        assert!(begun.elapsed() >= Time::from_millis(200), "{path}: {:?}", begun.elapsed());
    }
    // Operations without login are open to all.
    for path in ["/readyz".to_owned(), format!("/api/v1/privacy?tenant={}", seed::CITY)] {
        assert_eq!(city.client("resident").get(&path).status, 200, "{path}");
    }
}

#[test]
fn what_needs_no_login_is_counted_for_no_one() {
    let document = api::server::build_openapi();
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().values().map(move |operation| (path, operation))
    });
    let mut public = 0;
    for (path, operation) in operations {
        let needs_none = operation["security"] == json!([{}]) || operation["security"] == json!([]);
        // Ending the own login is always possible: it is counted where it is done.
        if path == "/api/v1/auth/logout" {
            continue;
        }
        assert_eq!(api::access::auth::is_public(path), needs_none, "{path}");
        public += usize::from(needs_none);
    }
    assert!(public > 10, "{public}");
}
