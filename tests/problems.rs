//! No request is a failure of the server: whatever is wrong comes back as a problem that says what
//! and where.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::{Value, json};

use crate::harness::{Answer, City, Engine, on_both, read_text, report_body_at, seed};

on_both! {
    a_body_that_is_no_json_is_refused,
    a_field_nobody_knows_is_named,
    a_missing_field_is_named,
    a_wrong_value_is_named,
    a_text_survives_unchanged,
    a_text_has_bounds,
    a_place_that_cannot_be_is_refused,
    a_path_that_is_no_identity_is_refused,
    an_address_that_does_not_exist_is_refused,
    a_method_that_does_not_fit_names_those_that_do,
    strangers_are_sent_to_log_in,
    a_problem_speaks_the_language_of_the_caller,
    a_problem_carries_the_trace_of_its_request,
    nothing_random_is_a_failure_of_the_server,
}

fn submit_report(city: &City, body: &Value) -> Answer {
    city.client("resident").post("/api/v1/reports", body)
}

fn submit_raw(city: &City, body: &[u8]) -> Answer {
    let call = city.client("resident").call("POST", "/api/v1/reports");
    call.header("Content-Type", "application/json").bytes(body).send()
}

fn a_body_that_is_no_json_is_refused(city: &City) {
    for (body, code) in [
        (&b"{"[..], "syntax"),
        (b"{\"text\":\"x\"", "syntax"),
        (b"{\"text\":\"x\",}", "syntax"),
        (b"nonsense", "syntax"),
        (br#"{"text":"x","place":{}} {}"#, "syntax"),
        (b"{\"text\":\"\xff\xfe\"}", "not_utf8"),
        (b"[]", "wrong_type"),
        (b"null", "wrong_type"),
        (b"\"text\"", "wrong_type"),
        (b"7", "wrong_type"),
    ] {
        let refused = submit_raw(city, body).expect_problem(400, "invalid_body");
        let shown = String::from_utf8_lossy(body);
        assert_eq!(refused["errors"][0]["pointer"], "", "{shown}");
        assert_eq!(refused["errors"][0]["code"], code, "{shown}: {refused}");
    }
    for nest in ["[", "{\"text\":"] {
        submit_raw(city, nest.repeat(20_000).as_bytes()).expect_problem(400, "invalid_body");
    }
    let huge = format!("{{\"text\":\"{}\"}}", "x".repeat(300 * 1024));
    let refused = submit_raw(city, huge.as_bytes()).expect_problem(413, "payload_too_large");
    assert_eq!(refused["max_bytes"], 256 * 1024);
    // Bodies of strangers have a lower limit.
    for path in ["/api/v1/auth/login", "/api/v1/auth/refresh", "/oauth/token"] {
        let call = city.client("").call("POST", path).header("Content-Type", "application/json");
        let refused =
            call.bytes(vec![b' '; 17 * 1024]).send().expect_problem(413, "payload_too_large");
        assert_eq!(refused["max_bytes"], 16 * 1024, "{path}");
    }
    let body = report_body_at(110.005, 30.005).to_string();
    for kind in [
        "text/plain",
        "application/xml",
        "application/json; charset=gbk",
        "",
        "multipart/form-data",
    ] {
        let call = city.client("resident").call("POST", "/api/v1/reports");
        let refused = call.header("Content-Type", kind).bytes(body.clone()).send();
        let refused = refused.expect_problem(415, "unsupported_media_type");
        assert_eq!(refused["errors"][0]["header"], "Content-Type", "{kind}");
    }
    let call = city
        .client("resident")
        .call("POST", "/api/v1/reports")
        .json(&report_body_at(110.005, 30.005));
    call.header("Content-Encoding", "gzip").send().expect_problem(415, "unsupported_media_type");
    let call = city.client("resident").call("POST", "/api/v1/reports");
    let kind = "application/JSON; charset=UTF-8";
    assert_eq!(call.header("Content-Type", kind).bytes(body).send().status, 201);
}

fn a_field_nobody_knows_is_named(city: &City) {
    let mut body = report_body_at(110.005, 30.005);
    body["txet"] = json!("x");
    assert_eq!(submit_report(city, &body).expect_fault("/txet"), "unknown_field");
    let mut body = report_body_at(110.005, 30.005);
    body["place"]["point"]["alt"] = json!(3);
    assert_eq!(submit_report(city, &body).expect_fault("/place/point/alt"), "unknown_field");
    let case = city.new_filed_case();
    let refused =
        city.post_step("community", &case, "escalate", &json!({ "reason": "x", "to": 1 }));
    assert_eq!(refused.expect_fault("/to"), "unknown_field");
    let refused = city.post_step("community", &case, "sign", &json!({ "a/b~c": 1 }));
    assert_eq!(refused.expect_fault("/a~1b~0c"), "unknown_field");
}

fn a_missing_field_is_named(city: &City) {
    assert_eq!(submit_report(city, &json!({})).expect_fault("/text"), "missing_field");
    assert_eq!(
        submit_report(city, &json!({ "text": "x" })).expect_fault("/place"),
        "missing_field"
    );
    let mut body = report_body_at(110.005, 30.005);
    body["place"]["point"].as_object_mut().unwrap().remove("lat");
    assert_eq!(submit_report(city, &body).expect_fault("/place/point/lat"), "missing_field");
    // A body that is not there at all is an empty one.
    let case = city.new_filed_case();
    let call = city.client("community").call("POST", &format!("/api/v1/cases/{case}/escalate"));
    assert_eq!(call.send().expect_fault("/reason"), "missing_field");
}

fn a_wrong_value_is_named(city: &City) {
    for (pointer, value) in [
        ("/text", json!(7)),
        ("/text", Value::Null),
        ("/text", json!(["x"])),
        ("/urgency", json!("soon")),
        ("/channel", json!("pigeon")),
        ("/id", json!("7")),
        ("/confidential", json!("yes")),
        ("/client_time", json!("yesterday")),
        ("/client_time", json!("2026-08-21T10:00:00")),
        ("/place/area_id", json!(7)),
        ("/place/point/lng", json!("110")),
        ("/place/point/coord_type", json!("bd10")),
        ("/handled/result", json!("")),
    ] {
        let mut body = report_body_at(110.005, 30.005);
        body["handled"] = json!({ "result": "x" });
        let mut at = &mut body;
        for part in pointer.trim_start_matches('/').split('/') {
            at = &mut at[part];
        }
        *at = value.clone();
        let code = submit_report(city, &body).expect_fault(pointer);
        assert!(!code.is_empty(), "{pointer} {value}");
    }
}

fn a_text_survives_unchanged(city: &City) {
    for given in [
        "油烟扰民，㐂𠮷㙍",
        "😷👨‍👩‍👧‍👦🏴‍☠️",
        "第一行\n第二行\r\n\t缩进",
        "<script>alert('x')</script> & \"quoted\" \\ back",
        "'; drop table reports; --",
        "%s %00 {{7*7}} ${jndi:ldap://x}",
        "\u{2067}反向\u{2069}\u{feff}",
        &"长".repeat(4000),
    ] {
        let mut body = report_body_at(110.005, 30.005);
        body["text"] = json!(given);
        let id = read_text(&submit_report(city, &body).expect_success(), "/id");
        let shown = city.client("resident").get(&format!("/api/v1/reports/{id}")).expect_success();
        assert_eq!(shown["text"], given);
        let case = city.file_report(&id);
        assert_eq!(city.get_case("community", &case)["text"], given);
        let remark = json!({ "text": given });
        city.take_step("community", &case, "comment", &remark);
        let path = format!("/api/v1/cases/{case}/timeline?after=1");
        let timeline = city.client("community").get(&path).expect_success();
        assert_eq!(
            (&timeline["items"][0]["events"][0]["text"], &timeline["intact"]),
            (&json!(given), &json!(true))
        );
    }
}

fn a_text_has_bounds(city: &City) {
    for (member, max) in [("text", 4000), ("title", 120), ("category", 40)] {
        for wrong in ["", "  \n ", "a\0b", "\u{7}", "\u{9f}", &"长".repeat(max + 1)] {
            let mut body = report_body_at(110.005, 30.005);
            body[member] = json!(wrong);
            submit_report(city, &body).expect_fault(&format!("/{member}"));
        }
    }
    for wrong in ["两\n行", "制\t表", &"长".repeat(121)] {
        let mut body = report_body_at(110.005, 30.005);
        body["place"]["address"] = json!(wrong);
        submit_report(city, &body).expect_fault("/place/address");
    }
}

fn a_place_that_cannot_be_is_refused(city: &City) {
    // Swapped longitude and latitude are the usual mistake, and the answer says so.
    submit_report(city, &report_body_at(30.005, 110.005)).expect_fault("/place/point/lat");
    submit_report(city, &report_body_at(181.0, 30.005)).expect_fault("/place/point/lng");
    submit_report(city, &report_body_at(-180.1, 30.005)).expect_fault("/place/point/lng");
    submit_report(city, &report_body_at(1e300, 30.005)).expect_fault("/place/point/lng");
    submit_raw(
        city,
        br#"{"text":"x","place":{"point":{"lng":1e999,"lat":1,"coord_type":"wgs84"}}}"#,
    )
    .expect_problem(400, "invalid_body");
    submit_report(city, &report_body_at(116.4, 39.9)).expect_problem(422, "outside_tenant");
    submit_report(city, &report_body_at(0.0, 0.0)).expect_problem(422, "outside_tenant");
    let case = city.new_whistled_case();
    city.post_summons_step("water", &case, seed::SW, "sign", &json!({})).expect_success();
    let there = json!({ "point": { "lng": 30.0, "lat": 110.0, "coord_type": "wgs84" } });
    city.post_summons_step("water", &case, seed::SW, "arrive", &there).expect_fault("/point/lat");
}

fn a_path_that_is_no_identity_is_refused(city: &City) {
    for id in
        ["7", "x", "018f3f5e-9c4b-7d2a-8e21-5b0c6f1a2d3", "%00", "%F0%9F%92%A5", "..%2F..", "'--"]
    {
        for path in [
            format!("/api/v1/cases/{id}"),
            format!("/api/v1/reports/{id}/timeline"),
            format!("/api/v1/people/{id}"),
        ] {
            let refused = city.client("admin").get(&path).expect_problem(400, "invalid_path");
            assert_eq!(refused["errors"][0]["parameter"], "id", "{path}");
        }
        let refused = city.post_step("leader", id, "comment", &json!({ "text": "x" }));
        refused.expect_problem(400, "invalid_path");
        let case = city.area_id(seed::CG);
        let refused = city.post_step("leader", &case, &format!("summonses/{id}/sign"), &json!({}));
        assert_eq!(
            refused.expect_problem(400, "invalid_path")["errors"][0]["parameter"],
            "unit_id"
        );
    }
}

fn an_address_that_does_not_exist_is_refused(city: &City) {
    let id = city.area_id(seed::CG);
    for path in [
        "/api",
        "/api/v1",
        "/api/v1/",
        "/api/v2/cases",
        "/api/v1/case",
        "/api/v1/cases/",
        "//api/v1/cases",
        "/docs/nothing-like-this.js",
        "/problems/none",
        "/.env",
        "/api/v1/../../etc/passwd",
        &format!("/api/v1/cases/{id}/"),
        &format!("/api/v1/cases/{id}/explode"),
    ] {
        city.client("leader").get(path).expect_problem(404, "not_found");
        city.client("").get(path).expect_problem(404, "not_found");
    }
    city.post_step("leader", &id, "explode", &json!({})).expect_problem(404, "not_found");
}

fn a_method_that_does_not_fit_names_those_that_do(city: &City) {
    let id = city.area_id(seed::CG);
    for (method, path, allow) in [
        ("PUT", "/api/v1/reports".to_owned(), "GET, HEAD, POST"),
        ("DELETE", format!("/api/v1/cases/{id}"), "GET, HEAD"),
        ("PATCH", format!("/api/v1/cases/{id}"), "GET, HEAD"),
        ("GET", format!("/api/v1/cases/{id}/close"), "POST"),
        ("POST", "/api/v1/me".to_owned(), "GET, HEAD"),
        ("GET", "/api/v1/auth/login".to_owned(), "POST"),
        ("POST", "/healthz".to_owned(), "GET, HEAD"),
        ("DELETE", "/openapi.json".to_owned(), "GET, HEAD"),
        ("TRACE", "/api/v1/areas/locate".to_owned(), "GET, HEAD"),
    ] {
        let answer = city.client("leader").call(method, &path).send();
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
        answer.expect_problem(405, "method_not_allowed");
    }
    let options = city.client("").call("OPTIONS", "/api/v1/reports").send();
    assert_eq!((options.status, options.header("allow")), (204, "GET, HEAD, POST"));
}

fn strangers_are_sent_to_log_in(city: &City) {
    let id = city.area_id(seed::CG);
    for path in [
        "/api/v1/me",
        "/api/v1/cases",
        "/api/v1/areas",
        &format!("/api/v1/cases/{id}"),
        "/api/v1/cases/7",
        "/api/v1/cases?x=1",
    ] {
        city.client("").get(path).expect_problem(401, "unauthenticated");
    }
    // Strangers do not learn what else is wrong.
    let call = city
        .client("")
        .call("POST", &format!("/api/v1/cases/{id}/close"))
        .without_header("Idempotency-Key");
    call.bytes("nonsense").send().expect_problem(401, "unauthenticated");
    let call = city.client("").call("POST", "/api/v1/reports").without_header("Idempotency-Key");
    call.bytes("nonsense").send().expect_problem(401, "unauthenticated");
    city.client("").get("/healthz").expect_success();
    city.client("").get("/readyz").expect_success();
}

fn a_problem_speaks_the_language_of_the_caller(city: &City) {
    let case = city.new_dispatched_case();
    let ask = |language: Option<&str>| {
        let call = city.client("dispatcher").call("POST", &format!("/api/v1/cases/{case}/close"));
        let call = call.json(&json!({}));
        let call = match language {
            Some(language) => call.header("Accept-Language", language),
            None => call,
        };
        let answer = call.send();
        let tag = answer.header("content-language").to_owned();
        (tag, read_text(&answer.expect_problem(422, "wrong_state"), "/detail"))
    };
    for chinese in
        [None, Some("zh-CN"), Some("zh-CN,zh;q=0.9,en;q=0.8"), Some("fr"), Some("\u{1f4a5}")]
    {
        let (tag, detail) = ask(chinese);
        assert_eq!(tag, "zh-CN");
        assert_eq!(
            detail,
            "这个案卷当前是“已派遣”，不能“结案”；现在可以：签收、退单、并入上报、申请延期、申请挂账、督办、批注。"
        );
    }
    for english in ["en", "en-GB,zh;q=0.5"] {
        let (tag, detail) = ask(Some(english));
        assert_eq!(tag, "en");
        assert!(detail.is_ascii() && detail.contains("sign, return"), "{detail}");
    }
}

fn a_problem_carries_the_trace_of_its_request(city: &City) {
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let call = city.client("worker").call("GET", "/api/v1/nothing");
    let call = call.header("traceparent", &format!("00-{trace}-b7ad6b7169203331-01"));
    let answer = call.header("x-request-id", "from-the-proxy-1").send();
    assert_eq!(answer.header("x-request-id"), "from-the-proxy-1");
    assert_eq!(answer.expect_problem(404, "not_found")["trace_id"], trace);
    for garbage in
        ["00-0-0-01", "x", "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\u{1f4a5}"]
    {
        let call =
            city.client("worker").call("GET", "/api/v1/nothing").header("traceparent", garbage);
        let id = read_text(&call.send().expect_problem(404, "not_found"), "/trace_id");
        assert_eq!(id.len(), 32);
    }
}

/// Random numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll_dice(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn pick_one<'a, T: ?Sized>(&mut self, some: &[&'a T]) -> &'a T {
        some[self.roll_dice(some.len())]
    }

    fn random_value(&mut self, ids: &[&str], depth: usize) -> Value {
        let texts = [
            "",
            "x",
            "油烟",
            "\0",
            "A02",
            "satisfied",
            "wgs84",
            "2026-01-01T00:00:00Z",
            "urgent",
            "😷",
        ];
        match self.roll_dice(if depth == 0 { 8 } else { 10 }) {
            0 => Value::Null,
            1 => json!(self.roll_dice(2) == 0),
            2 => json!(self.roll_dice(7)),
            3 => json!(-1.5e300),
            4 => json!(u64::MAX),
            5 | 6 => json!(self.pick_one(&texts)),
            7 => json!(self.pick_one(ids)),
            8 => (0..self.roll_dice(4)).map(|_| self.random_value(ids, depth - 1)).collect(),
            _ => self.random_object(ids, depth - 1),
        }
    }

    fn random_object(&mut self, ids: &[&str], depth: usize) -> Value {
        let names = [
            "text",
            "place",
            "point",
            "lng",
            "lat",
            "coord_type",
            "area_id",
            "unit_id",
            "reason",
            "result",
            "passed",
            "reached",
            "solved",
            "satisfied",
            "case_id",
            "id",
            "client_time",
            "handled",
            "note",
            "topic",
            "lead_unit_id",
            "cooperating_unit_ids",
            "response",
            "quality",
            "redirect",
            "role",
            "account",
            "name",
            "password",
            "grants",
            "tenant",
            "refresh_token",
            "urgency",
            "category",
        ];
        let count = self.roll_dice(6);
        let members =
            (0..count).map(|_| (self.pick_one(&names).to_owned(), self.random_value(ids, depth)));
        Value::Object(members.collect())
    }
}

fn nothing_random_is_a_failure_of_the_server(city: &City) {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let document = api::server::build_openapi();
    let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    let (case, report) = (city.new_whistled_case(), city.submit_report());
    let (unit, person) = (city.area_id(seed::CG), city.client("worker").id().to_string());
    let ids =
        [case.as_str(), &report, &unit, &person, "0", "", "00000000-0000-0000-0000-000000000000"];
    let people = [
        "worker",
        "community",
        "leader",
        "lead",
        "admin",
        "resident",
        "hotline",
        "worker@9902",
        "",
    ];
    let methods = ["GET", "POST", "POST", "POST", "PUT", "DELETE", "PATCH"];
    for round in 0..320 {
        let mut path = paths[dice.roll_dice(paths.len())].clone();
        if path.contains("/auth/") && round % 4 != 0 {
            continue;
        }
        for name in ["{id}", "{unit_id}"] {
            path = path.replace(name, dice.pick_one(&ids));
        }
        if dice.roll_dice(3) == 0 {
            let name = dice.pick_one(&[
                "limit", "cursor", "stage", "open", "within", "lng", "lat", "after", "x%",
            ]);
            let value = dice.pick_one(&[
                "1",
                "-1",
                "%00",
                "true",
                "WzEsW10",
                "%E6%B2%B9",
                "NaN",
                "&&=",
                "99999999999999",
            ]);
            path = format!("{path}?{name}={value}");
        }
        let mut call = city.client(dice.pick_one(&people)).call(dice.pick_one(&methods), &path);
        if dice.roll_dice(3) == 0 {
            let name = dice.pick_one(&[
                "If-Match",
                "If-None-Match",
                "Idempotency-Key",
                "Accept-Language",
                "Content-Type",
                "X-Forwarded-For",
                "Range",
            ]);
            call = call.header(
                name,
                dice.pick_one(&[
                    "\"1\"",
                    "*",
                    "",
                    "x",
                    "💥",
                    ",,,",
                    "\"\"",
                    "W/\"99999999999999999999\"",
                ]),
            );
        }
        let body = match dice.roll_dice(8) {
            0 => Vec::new(),
            1 => (0..dice.roll_dice(64))
                .map(|_| u8::try_from(dice.roll_dice(256)).unwrap())
                .collect(),
            2 => dice.random_value(&ids, 3).to_string().into_bytes(),
            _ => dice.random_object(&ids, 3).to_string().into_bytes(),
        };
        let shown = String::from_utf8_lossy(&body).into_owned();
        let typed = dice.roll_dice(10) != 0;
        call = if typed { call.header("Content-Type", "application/json") } else { call };
        let answer = call.bytes(body).send();
        assert!(
            answer.status < 500,
            "round {round}: {} {shown} → {} {}",
            answer.asked,
            answer.status,
            answer.text
        );
        if answer.status >= 400 {
            answer.expect_complete_problem();
        }
    }
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

/// Sends bytes as they are; answers what comes back within a moment.
fn send_bytes(city: &City, bytes: &[u8]) -> String {
    let address = city.base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    // The server may close before everything is sent.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn what_is_not_http_does_not_disturb_the_server() {
    let city = City::open(Engine::Sqlite);
    let long = "x".repeat(200_000);
    for bytes in [
        &b"\0\0\0\0"[..],
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
        b"GET /healthz HTTP/9.9\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST /api/v1/reports HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes(),
        format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX: {long}\r\n\r\n").as_bytes(),
    ] {
        let answer = send_bytes(&city, bytes);
        let fine = answer.is_empty() || answer.starts_with("HTTP/1.1 4");
        assert!(fine, "{}", answer.chars().take(200).collect::<String>());
    }
    city.client("worker").get("/api/v1/me").expect_success();
}
