//! Identities of files: those that something names are for the person who named them first, and
//! those the server makes are for no one.

use serde_json::{Value, json};

use crate::harness::{Answer, City, key, on_both, report_at, text};

on_both! {
    an_awaited_file_belongs_to_whoever_named_it,
    an_upload_begun_by_somebody_else_gives_way_to_whoever_named_it,
    identities_of_the_server_are_not_for_files,
    a_report_names_no_file_that_can_never_arrive,
}

fn photo() -> Vec<u8> {
    [crate::media::image("ok/hopper.jpg").as_slice(), key().as_bytes()].concat()
}

fn raw(city: &City, by: &str, id: &str, bytes: &[u8]) -> Answer {
    let path = format!("/api/v1/media?id={id}");
    city.by(by).call("POST", &path).header("Content-Type", "image/jpeg").bytes(bytes).send()
}

fn form(city: &City, by: &str, id: &str) -> Answer {
    let head = "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\n";
    let part =
        format!("\r\n--x\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n{id}\r\n--x--\r\n");
    let body = [head.as_bytes(), &photo(), part.as_bytes()].concat();
    let call = city.by(by).call("POST", "/api/v1/media");
    call.header("Content-Type", "multipart/form-data; boundary=x").bytes(body).send()
}

fn begin(city: &City, by: &str, id: &str) -> Answer {
    city.by(by).post("/api/v1/media_uploads", &json!({ "id": id, "bytes": 100 }))
}

/// A report that names a file which has not arrived; their identities.
fn awaiting(city: &City) -> (String, String) {
    let (id, mut body) = (key(), report_at(110.005, 30.005));
    body["media"] = json!([id]);
    let report = city.by("resident").post("/api/v1/reports", &body).done();
    (text(&report, "/id"), id)
}

fn state(city: &City, report: &str) -> Value {
    city.by("community").get(&format!("/api/v1/reports/{report}")).done()["media"][0]["state"]
        .take()
}

fn an_awaited_file_belongs_to_whoever_named_it(city: &City) {
    let (report, id) = awaiting(city);
    // Others read it in the report, and name it too.
    let mut body = report_at(110.005, 30.005);
    body["media"] = json!([id]);
    city.by("worker").post("/api/v1/reports", &body).done();
    for by in ["worker", "community", "neighbour"] {
        raw(city, by, &id, &photo()).problem(422, "idempotency_key_reused");
        form(city, by, &id).problem(422, "idempotency_key_reused");
        begin(city, by, &id).problem(422, "idempotency_key_reused");
        let call = city.by(by).call("POST", "/api/v1/media").key(&id).bytes(photo());
        call.send().problem(422, "idempotency_key_reused");
    }
    assert_eq!(state(city, &report), "awaited");
    raw(city, "resident", &id, &photo()).done();
    assert_eq!(state(city, &report), "present");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn an_upload_begun_by_somebody_else_gives_way_to_whoever_named_it(city: &City) {
    let (id, mut body) = (key(), report_at(110.005, 30.005));
    begin(city, "neighbour", &id).done();
    body["media"] = json!([id]);
    city.by("resident").post("/api/v1/reports", &body).done();
    begin(city, "resident", &id).done();
    let path = format!("/api/v1/media_uploads/{id}");
    city.by("neighbour").get(&path).problem(404, "not_found");
    let own = city.by("resident").get(&path).done();
    assert_eq!((&own["offset"], &own["bytes"]), (&json!(0), &json!(100)));
}

fn identities_of_the_server_are_not_for_files(city: &City) {
    let reserved = [
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "018f3f5e-9c4b-1d2a-8e21-5b0c6f1a2d3e",
        "018f3f5e-9c4b-5d2a-8e21-5b0c6f1a2d3e",
        "018f3f5e-9c4b-8d2a-8e21-5b0c6f1a2d3e",
        // However it is written.
        "018F3F5E9C4B8D2A8E215B0C6F1A2D3E",
        "urn:uuid:018f3f5e-9c4b-8d2a-8e21-5b0c6f1a2d3e",
        "{018f3f5e-9c4b-8d2a-8e21-5b0c6f1a2d3e}",
    ];
    for id in reserved {
        assert_eq!(form(city, "worker", id).fault_at("/id"), "reserved_id", "{id}");
        assert_eq!(begin(city, "worker", id).fault_at("/id"), "reserved_id", "{id}");
        let encoded = id.replace('{', "%7B").replace('}', "%7D");
        let refused = raw(city, "worker", &encoded, &photo()).problem(400, "invalid_query");
        assert_eq!(refused["errors"][0]["code"], "reserved_id", "{id}");
    }
    // What is one's own is one's own, however it is written.
    let id = key();
    form(city, "worker", &id.to_uppercase()).done();
    city.by("worker").get(&format!("/api/v1/media/{id}")).done();
}

fn a_report_names_no_file_that_can_never_arrive(city: &City) {
    for id in crate::idempotency::UNFIT {
        let mut body = report_at(110.005, 30.005);
        body["media"] = json!([key(), id]);
        let refused = city.by("resident").post("/api/v1/reports", &body);
        assert_eq!(refused.fault_at("/media/1"), "reserved_id", "{id}");
    }
}
