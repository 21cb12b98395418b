//! Bodies that arrive slowly: rights are checked again at their end, and a request that was
//! overtaken replaces nothing.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration as Time,
};

use domain::core::journal::Hash;
use serde_json::{Value, json};

use crate::harness::{City, new_key, on_both, read_text, report_body_at};

on_both! {
    rights_that_end_while_a_body_comes_are_gone,
    a_slow_body_of_somebody_who_may_is_taken,
    a_piece_that_was_overtaken_replaces_nothing,
}

/// A request whose last byte is yet to come.
struct Slow(TcpStream, u8);

impl Slow {
    fn begin_request(city: &City, path: &str, headers: &str, body: &[u8]) -> Self {
        let mut stream = TcpStream::connect(city.base.strip_prefix("http://").unwrap()).unwrap();
        stream.set_read_timeout(Some(Time::from_secs(20))).unwrap();
        let (token, length, id) = (city.access_token("worker").unwrap(), body.len(), new_key());
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\
             Authorization: Bearer {token}\r\nIdempotency-Key: {id}\r\n\
             Content-Length: {length}\r\n{headers}\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let (last, before) = body.split_last().unwrap();
        stream.write_all(before).unwrap();
        Self(stream, *last)
    }

    /// Sends the last byte; answers the status and the body.
    fn finish_request(mut self) -> (u16, Value) {
        self.0.write_all(&[self.1]).unwrap();
        let mut answer = String::new();
        self.0.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let from = body.find('{').unwrap();
        let body = &body[from..=body.rfind('}').unwrap()];
        (status, serde_json::from_str(body).unwrap())
    }
}

const JSON: &str = "Content-Type: application/json\r\n";
const JPEG: &str = "Content-Type: image/jpeg\r\n";
const PIECE: &str = "Content-Type: application/octet-stream\r\nUpload-Offset: 0\r\n";

fn make_photo() -> Vec<u8> {
    [crate::media::load_image("ok/hopper.jpg").as_slice(), new_key().as_bytes()].concat()
}

/// An upload that was begun; the path of its pieces.
fn begin_upload(city: &City, id: &str, bytes: &[u8]) -> String {
    let sha256 = Hash::digest(bytes).to_hex();
    let body = json!({ "id": id, "bytes": bytes.len(), "sha256": sha256 });
    city.client("worker").post("/api/v1/media_uploads", &body).expect_success();
    format!("/api/v1/media_uploads/{id}/append")
}

/// A report, a photo and a piece, each without its last byte.
fn begin_three(city: &City) -> (Vec<Slow>, String) {
    let (id, photo) = (new_key(), make_photo());
    let pieces = begin_upload(city, &id, &photo);
    let report = report_body_at(110.005, 30.005).to_string();
    let slow = vec![
        Slow::begin_request(city, "/api/v1/reports", JSON, report.as_bytes()),
        Slow::begin_request(city, &format!("/api/v1/media?id={}", new_key()), JPEG, &photo),
        Slow::begin_request(city, &pieces, PIECE, &photo),
    ];
    std::thread::sleep(Time::from_millis(700));
    (slow, id)
}

fn rights_that_end_while_a_body_comes_are_gone(city: &City) {
    let reports = || {
        let page = city.client("community").get("/api/v1/reports?limit=100").expect_success();
        page["items"].as_array().unwrap().len()
    };
    let before = reports();
    let (slow, _) = begin_three(city);
    let path = format!("/api/v1/people/{}/suspend", city.client("worker").id());
    city.client("admin").post(&path, &json!({ "reason": "借调" })).expect_success();
    for request in slow {
        let (status, problem) = request.finish_request();
        assert!([401, 403].contains(&status), "{status} {problem}");
    }
    assert_eq!(reports(), before);
}

fn a_slow_body_of_somebody_who_may_is_taken(city: &City) {
    let (slow, id) = begin_three(city);
    // A token that expires on the way was good when it was sent.
    city.advance(chrono::Duration::minutes(16));
    for request in slow {
        let (status, answer) = request.finish_request();
        assert!([200, 201].contains(&status), "{status} {answer}");
    }
    city.client("worker").get(&format!("/api/v1/media/{id}")).expect_success();
}

fn a_piece_that_was_overtaken_replaces_nothing(city: &City) {
    let (id, photo) = (new_key(), make_photo());
    let pieces = begin_upload(city, &id, &photo);
    let slow = Slow::begin_request(city, &pieces, PIECE, &photo);
    std::thread::sleep(Time::from_millis(100));
    let send = |from: usize, to: usize| {
        let call = city.client("worker").call("POST", &pieces).key(&new_key());
        let call = call.header("Content-Type", "application/octet-stream");
        call.header("Upload-Offset", &from.to_string()).bytes(photo[from..to].to_vec()).send()
    };
    send(0, 1000).expect_success();
    let (status, problem) = slow.finish_request();
    assert_eq!((status, read_text(&problem, "/code").as_str()), (409, "upload_offset"));
    assert_eq!(problem["offset"], 1000);
    let all = send(1000, photo.len()).expect_success();
    assert_eq!(all["complete"], true);
    city.client("worker").get(&format!("/api/v1/media/{id}")).expect_success();
}
