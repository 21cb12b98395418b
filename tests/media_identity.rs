//! Identities of files: an identity that is named is for the person who named it first, and those
//! the server derives are for no one.

use serde_json::{Value, json};

use crate::harness::{Answer, City, new_key, on_both, read_text, report_body_at};

on_both! {
    an_awaited_file_belongs_to_whoever_named_it,
    a_file_that_another_named_first_is_present_when_its_sender_names_it,
    an_upload_begun_by_somebody_else_gives_way_to_whoever_named_it,
    identities_of_the_server_are_not_for_files,
    a_report_names_no_file_that_can_never_arrive,
}

fn make_photo() -> Vec<u8> {
    [crate::media::load_image("ok/hopper.jpg").as_slice(), new_key().as_bytes()].concat()
}

fn send_raw(city: &City, by: &str, id: &str, bytes: &[u8]) -> Answer {
    let path = format!("/api/v1/media?id={id}");
    city.client(by).call("POST", &path).header("Content-Type", "image/jpeg").bytes(bytes).send()
}

fn send_form(city: &City, by: &str, id: &str) -> Answer {
    let head = "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\n";
    let part =
        format!("\r\n--x\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n{id}\r\n--x--\r\n");
    let body = [head.as_bytes(), &make_photo(), part.as_bytes()].concat();
    let call = city.client(by).call("POST", "/api/v1/media");
    call.header("Content-Type", "multipart/form-data; boundary=x").bytes(body).send()
}

fn begin_upload(city: &City, by: &str, id: &str) -> Answer {
    city.client(by).post("/api/v1/media_uploads", &json!({ "id": id, "bytes": 100 }))
}

/// A report that names a file which has not arrived; their identities.
fn submit_awaiting(city: &City) -> (String, String) {
    let (id, mut body) = (new_key(), report_body_at(110.005, 30.005));
    body["media"] = json!([id]);
    let report = city.client("resident").post("/api/v1/reports", &body).expect_success();
    (read_text(&report, "/id"), id)
}

fn get_media_state(city: &City, report: &str) -> Value {
    city.client("community").get(&format!("/api/v1/reports/{report}")).expect_success()["media"][0]
        ["state"]
        .take()
}

fn an_awaited_file_belongs_to_whoever_named_it(city: &City) {
    let (report, id) = submit_awaiting(city);
    // Others read it in the report, and name it too.
    let mut body = report_body_at(110.005, 30.005);
    body["media"] = json!([id]);
    city.client("worker").post("/api/v1/reports", &body).expect_success();
    for by in ["worker", "community", "neighbour"] {
        send_raw(city, by, &id, &make_photo()).expect_problem(422, "idempotency_key_reused");
        send_form(city, by, &id).expect_problem(422, "idempotency_key_reused");
        begin_upload(city, by, &id).expect_problem(422, "idempotency_key_reused");
        let call = city.client(by).call("POST", "/api/v1/media").key(&id).bytes(make_photo());
        call.send().expect_problem(422, "idempotency_key_reused");
    }
    assert_eq!(get_media_state(city, &report), "awaited");
    send_raw(city, "resident", &id, &make_photo()).expect_success();
    assert_eq!(get_media_state(city, &report), "present");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn an_upload_begun_by_somebody_else_gives_way_to_whoever_named_it(city: &City) {
    let (id, mut body) = (new_key(), report_body_at(110.005, 30.005));
    begin_upload(city, "neighbour", &id).expect_success();
    body["media"] = json!([id]);
    city.client("resident").post("/api/v1/reports", &body).expect_success();
    begin_upload(city, "resident", &id).expect_success();
    let path = format!("/api/v1/media_uploads/{id}");
    city.client("neighbour").get(&path).expect_problem(404, "not_found");
    let own = city.client("resident").get(&path).expect_success();
    assert_eq!((&own["offset"], &own["bytes"]), (&json!(0), &json!(100)));
}

fn a_file_that_another_named_first_is_present_when_its_sender_names_it(city: &City) {
    let (case, id) = (city.new_signed_case(), new_key());
    send_raw(city, "community", &id, &make_photo()).expect_success();
    let remark = |by: &str, text: &str| {
        city.take_step(by, &case, "comment", &json!({ "text": text, "media": [id] }));
        let shown = city.get_case("dispatcher", &case)["media"].take();
        let files = shown.as_array().expect("a list").iter();
        files.map(|file| (file["id"].clone(), file["state"].clone())).collect::<Vec<_>>()
    };
    let shown = |state: &str| vec![(json!(id), json!(state))];
    assert_eq!(remark("dispatcher", "见照片"), shown("awaited"), "it is not theirs");
    assert_eq!(remark("community", "现场照片"), shown("present"));
    assert_eq!(remark("leader", "已看"), shown("present"), "others take nothing from it");
    assert_eq!(city.verify().broken, Vec::<String>::new());
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
        assert_eq!(send_form(city, "worker", id).expect_fault("/id"), "reserved_id", "{id}");
        assert_eq!(begin_upload(city, "worker", id).expect_fault("/id"), "reserved_id", "{id}");
        let encoded = id.replace('{', "%7B").replace('}', "%7D");
        let refused =
            send_raw(city, "worker", &encoded, &make_photo()).expect_problem(400, "invalid_query");
        assert_eq!(refused["errors"][0]["code"], "reserved_id", "{id}");
    }
    // What is one's own is one's own, however it is written.
    let id = new_key();
    send_form(city, "worker", &id.to_uppercase()).expect_success();
    city.client("worker").get(&format!("/api/v1/media/{id}")).expect_success();
}

fn a_report_names_no_file_that_can_never_arrive(city: &City) {
    for id in crate::idempotency::UNFIT {
        let mut body = report_body_at(110.005, 30.005);
        body["media"] = json!([new_key(), id]);
        let refused = city.client("resident").post("/api/v1/reports", &body);
        assert_eq!(refused.expect_fault("/media/1"), "reserved_id", "{id}");
    }
}
