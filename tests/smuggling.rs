//! Requests hidden behind a body: even if a proxy and this server disagree about where a body
//! ends, nothing after it is executed.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use serde_json::json;

use crate::harness::{City, new_key, on_both, report_body_at};

on_both! {
    nothing_is_executed_after_a_body_in_chunks,
    a_body_of_two_lengths_is_refused,
    what_follows_a_length_is_a_request_of_its_own,
    a_client_that_sends_chunks_is_served,
}

/// Sends bytes as they are over one connection; everything that is answered until it is closed.
fn exchange_bytes(city: &City, bytes: &[u8]) -> String {
    let address = city.base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
    // What is refused may be closed before all of it was sent.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    while let Ok(read) = stream.read(&mut part) {
        if read == 0 {
            break;
        }
        answer.extend_from_slice(&part[..read]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// A report as a request: its body is framed by `headers`, and written by `frame`.
fn frame_report(city: &City, headers: &str, frame: impl Fn(&str) -> String) -> String {
    let token = city.access_token("resident").unwrap();
    let body = report_body_at(110.005, 30.005).to_string();
    let headers = headers.replace("{length}", &body.len().to_string());
    format!(
        "POST /api/v1/reports HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nIdempotency-Key: {}\r\n{headers}\r\n{}",
        new_key(),
        frame(&body)
    )
}

/// The same with a length.
fn plain_report(city: &City) -> String {
    frame_report(city, "Content-Length: {length}\r\n", str::to_owned)
}

fn encode_chunk(body: &str) -> String {
    format!("{:x}\r\n{body}\r\n", body.len())
}

fn count_reports(city: &City) -> usize {
    let mine = city.client("resident").get("/api/v1/reports?mine=true&limit=100").expect_success();
    mine["items"].as_array().unwrap().len()
}

/// The status of every answer: one begins where the body of the last ends, in the middle of a line.
fn list_statuses(answer: &str) -> Vec<&str> {
    answer.split("HTTP/1.1 ").skip(1).map(|answer| answer.get(..3).unwrap_or_default()).collect()
}

fn nothing_is_executed_after_a_body_in_chunks(city: &City) {
    let ends = [
        "0\r\n\r\n",
        "0\r\n\n",
        "0\r\nX: 1\r\n\r\n",
        "0\r\n\nX: 1\r\n\r\n",
        "0\r\nX: 1\n\r\n\r\n",
        "0;ext\r\n\r\n",
        "0\n\r\n",
        "0\n\n",
        "00000\r\n\r\n",
    ];
    for end in ends {
        let before = count_reports(city);
        let first =
            frame_report(city, "Transfer-Encoding: chunked\r\n", |body| encode_chunk(body) + end);
        let hidden = "GET /api/v1/me HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let answer = exchange_bytes(
            city,
            format!("{first}{hidden}{}{}", plain_report(city), plain_report(city)).as_bytes(),
        );
        assert!(count_reports(city) <= before + 1, "{end:?}: {answer}");
        let taken = list_statuses(&answer).iter().filter(|status| **status == "201").count();
        assert!(taken <= 1, "{end:?}: {answer}");
        let after = list_statuses(&answer).into_iter().skip(1).filter(|status| *status != "400");
        assert_eq!(after.count(), 0, "{end:?}: {answer}");
        // A refusal says why.
        let refused = answer.matches("HTTP/1.1 400").count();
        if end == "0\r\n\r\n" {
            assert_eq!(answer.matches("分块传输").count(), refused, "{answer}");
        }
    }
}

fn a_body_of_two_lengths_is_refused(city: &City) {
    let framings = [
        "Content-Length: {length}\r\nContent-Length: 4\r\n",
        "Content-Length: +{length}\r\n",
        "Content-Length: {length}, 4\r\n",
        "Content-Length: 0x10\r\n",
        "Content-Length: -1\r\n",
        "Transfer-Encoding: xchunked\r\nContent-Length: {length}\r\n",
        "Transfer-Encoding : chunked\r\nContent-Length: {length}\r\n",
        "Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
    ];
    for framing in framings {
        let before = count_reports(city);
        let first = frame_report(city, framing, str::to_owned);
        let answer = exchange_bytes(city, format!("{first}{}", plain_report(city)).as_bytes());
        assert_eq!(count_reports(city), before, "{framing:?}: {answer}");
        assert!(!list_statuses(&answer).contains(&"201"), "{framing:?}: {answer}");
    }
}

fn what_follows_a_length_is_a_request_of_its_own(city: &City) {
    let both = format!("{}{}", plain_report(city), plain_report(city));
    let answer = exchange_bytes(city, both.as_bytes());
    let statuses = list_statuses(&answer);
    assert_eq!(statuses.len(), 2, "{answer}");
    assert!(statuses.iter().all(|status| *status == "201"), "{answer}");
    assert_eq!(count_reports(city), 2);
}

fn a_client_that_sends_chunks_is_served(city: &City) {
    let framed = |body: &str| {
        let (head, tail) = body.split_at(20);
        format!("{}{}0\r\n\r\n", encode_chunk(head), encode_chunk(tail))
    };
    let answer = exchange_bytes(
        city,
        frame_report(city, "Transfer-Encoding: chunked\r\n", framed).as_bytes(),
    );
    assert!(list_statuses(&answer)[0] == "201", "{answer}");
    assert!(answer.to_ascii_lowercase().contains("connection: close"), "{answer}");
    assert_eq!(count_reports(city), 1);
    // On a new connection the next one is.
    let answer = exchange_bytes(
        city,
        frame_report(city, "Transfer-Encoding: chunked\r\n", framed).as_bytes(),
    );
    assert!(list_statuses(&answer)[0] == "201", "{answer}");
    let refused = json!({ "text": "", "place": {} });
    city.client("resident").post("/api/v1/reports", &refused).expect_complete_problem();
}
