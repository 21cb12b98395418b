//! The contract at its edges: what every operation does alike with methods, queries, bodies, cursors
//! and tags.

use serde_json::{Value, json};

use crate::harness::{City, new_key, on_both, read_text, read_texts, report_body_at, seed};

on_both! {
    a_query_that_is_no_text_is_refused,
    head_answers_what_get_answers_without_a_body,
    every_fault_of_a_body_is_told_at_once,
    no_array_is_taken_for_an_object,
    a_cursor_of_another_list_is_refused,
    a_write_insists_on_one_of_several_versions,
    the_name_of_a_file_is_never_looked_at,
    a_body_that_is_left_out_replaces_nothing,
    similar_texts_are_found_without_a_place_and_say_why,
}

fn a_query_that_is_no_text_is_refused(city: &City) {
    for (path, parameter) in [
        ("/api/v1/cases?category=", "category"),
        ("/api/v1/areas?code=", "code"),
        ("/api/v1/privacy?tenant=", "tenant"),
        ("/api/v1/events?types=", "types"),
        ("/api/v1/households?building=", "building"),
    ] {
        for (text, code) in [("a%00b", "control_character"), ("a%ff", "not_utf8")] {
            let refused = city.client("admin").get(&format!("{path}{text}"));
            let problem = refused.expect_problem(400, "invalid_query");
            let fault = &problem["errors"][0];
            assert_eq!((&fault["parameter"], &fault["code"]), (&json!(parameter), &json!(code)));
        }
    }
    // The character that stands for what could not be read can itself be sent.
    city.client("admin").get("/api/v1/cases?category=%EF%BF%BD").expect_success();
    let body = json!({ "account": "a\u{0}b", "password": "x" });
    city.client("").post("/api/v1/auth/login", &body).expect_problem(400, "invalid_body");
}

fn head_answers_what_get_answers_without_a_body(city: &City) {
    let case = city.new_filed_case();
    for path in [format!("/api/v1/cases/{case}"), "/api/v1/cases".to_owned(), "/healthz".to_owned()]
    {
        let (get, head) = (city.client("community").get(&path), {
            city.client("community").call("HEAD", &path).send()
        });
        assert_eq!((head.status, head.bytes.len()), (200, 0), "{path}");
        for name in ["content-type", "content-length", "etag"] {
            assert_eq!(head.header(name), get.header(name), "{path} {name}");
        }
    }
    let unknown = format!("/api/v1/cases/{}", new_key());
    assert_eq!(city.client("community").call("HEAD", &unknown).send().status, 404);
    let stream = city.client("community").call("HEAD", "/api/v1/events/stream").send();
    assert_eq!((stream.status, stream.header("allow")), (405, "GET"));
}

fn list_faults(problem: &Value) -> Vec<(String, String)> {
    let text = |fault: &Value, name: &str| fault[name].as_str().unwrap_or_default().to_owned();
    let faults = problem["errors"].as_array().unwrap().iter();
    let mut faults: Vec<_> = faults.map(|one| (text(one, "pointer"), text(one, "code"))).collect();
    faults.sort_unstable();
    faults
}

fn every_fault_of_a_body_is_told_at_once(city: &City) {
    let body = json!({
        "text": " ", "urgency": "at once", "place": { "lng": "x" }, "media": ["7", new_key(), 8], "lgn": 1,
    });
    let refused = city.client("resident").post("/api/v1/reports", &body);
    let faults = list_faults(&refused.expect_problem(400, "invalid_body"));
    for expected in ["/text", "/urgency", "/media/0", "/media/2", "/lgn"] {
        assert!(faults.iter().any(|(pointer, _)| pointer == expected), "{expected}: {faults:?}");
    }
    let refused = city.client("admin").post("/api/v1/people", &json!({ "nmae": "x" }));
    let faults = list_faults(&refused.expect_problem(400, "invalid_body"));
    let missing = faults.iter().filter(|(_, code)| code == "missing_field").count();
    assert!(missing >= 2, "{faults:?}");
}

fn no_array_is_taken_for_an_object(city: &City) {
    let mut body = report_body_at(110.005, 30.005);
    body["place"] = json!([110.005, 30.005]);
    let refused = city.client("resident").post("/api/v1/reports", &body);
    assert_eq!(list_faults(&refused.expect_problem(400, "invalid_body"))[0].1, "wrong_type");
}

fn a_cursor_of_another_list_is_refused(city: &City) {
    city.new_filed_case();
    city.new_filed_case();
    let page = city.client("community").get("/api/v1/cases?limit=1").expect_success();
    let next = read_text(&page, "/next");
    let read = |path: &str| city.client("community").get(&format!("{path}{next}"));
    read("/api/v1/cases?limit=1&cursor=").expect_success();
    read("/api/v1/cases?open=true&cursor=").expect_success();
    for path in ["/api/v1/reports?cursor=", "/api/v1/visits?cursor=", "/api/v1/patrols?cursor="] {
        let refused = read(path).expect_problem(400, "invalid_query");
        assert_eq!(refused["errors"][0]["code"], "invalid_cursor", "{path}");
    }
}

fn a_write_insists_on_one_of_several_versions(city: &City) {
    let case = city.new_filed_case();
    let shown = city.client("community").get(&format!("/api/v1/cases/{case}"));
    let tag = shown.header("etag").to_owned();
    let comment = |tags: &str| {
        let call = city.client("community").call("POST", &format!("/api/v1/cases/{case}/comment"));
        call.header("If-Match", tags).json(&json!({ "text": "看过现场" })).send()
    };
    comment("\"900\", W/\"901\"").expect_problem(412, "stale");
    comment("\"900\", 7").expect_problem(400, "invalid_header");
    comment(&format!("\"900\", W/{tag}")).expect_success();
}

fn the_name_of_a_file_is_never_looked_at(city: &City) {
    const EDGE: &str = "edge";
    let jpeg = crate::media::make_photo(7);
    let kind = format!("multipart/form-data; boundary={EDGE}");
    for name in [
        &b"filename=\"\xc2\xb7\xb5\xc6.jpg\""[..],
        b"filename=\"\xd5\x5c.jpg\"",
        b"filename*=GBK''%C2%B7%B5%C6.jpg",
        b"filename*=UTF-8''%E8%B7%AF%E7%81%AF.jpg; filename=\"x\"",
        b"filename=\"\"",
        b"filename=\"..\\..\\a;b.jpg\"",
    ] {
        let mut body =
            format!("--{EDGE}\r\nContent-Disposition: form-data; name=\"file\"; ").into_bytes();
        body.extend(name);
        body.extend(b"\r\nContent-Type: image/jpeg\r\n\r\n");
        body.extend(&jpeg);
        body.extend(format!("\r\n--{EDGE}--\r\n").into_bytes());
        let call = city.client("worker").call("POST", "/api/v1/media");
        call.header("Content-Type", &kind).bytes(body).send().expect_success();
    }
}

fn a_body_that_is_left_out_replaces_nothing(city: &City) {
    let path = "/api/v1/me/message_preferences";
    city.client("resident").post(path, &json!({ "digest": "08:00" })).expect_success();
    let before = city.client("resident").get(path).expect_success();
    let empty = city.client("resident").call("POST", path).send();
    let refused = empty.expect_problem(400, "invalid_body");
    assert_eq!(refused["errors"][0]["code"], "missing_body");
    assert_eq!(city.client("resident").get(path).expect_success(), before);
    city.client("resident").post(path, &json!({})).expect_success();
}

fn similar_texts_are_found_without_a_place_and_say_why(city: &City) {
    let submit = |by: &str, text: &str| {
        let grid = city.area_id(seed::GRID);
        let body = json!({ "text": text, "place": { "area_id": grid } });
        read_text(&city.client(by).post("/api/v1/reports", &body).expect_success(), "/id")
    };
    let first = submit("resident", "文昌街口的路灯连着三天不亮，老人晚上出门摔了一跤");
    let case = city.file_report(&first);
    let other = submit("neighbour", "顶楼漏水，物业一直不修");
    city.file_report(&other);
    let second = submit("neighbour", "文昌街口路灯不亮三天了，晚上老人走路摔跤");
    let path = format!("/api/v1/reports/{second}/similar");
    let similar = city.client("community").get(&path).expect_success();
    assert_eq!(read_texts(&similar, "/case/id"), [case]);
    let found = &similar["items"][0];
    assert_eq!(found["reasons"][0], "similar_text");
    assert!(found["why"].as_str().unwrap().starts_with("内容相近"), "{found}");
    assert_eq!(found["distance_m"], Value::Null);
}
