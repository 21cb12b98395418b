//! Nothing a client sends is a failure of the server: whatever is wrong comes back as a problem
//! that says what and where.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::{Value, json};

use crate::harness::{Answer, City, Engine, on_both, report_at, seed, text};

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

fn submit(city: &City, body: &Value) -> Answer {
    city.by("resident").post("/api/v1/reports", body)
}

fn raw(city: &City, body: &[u8]) -> Answer {
    let call = city.by("resident").call("POST", "/api/v1/reports");
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
        let refused = raw(city, body).problem(400, "invalid_body");
        let shown = String::from_utf8_lossy(body);
        assert_eq!(refused["errors"][0]["pointer"], "", "{shown}");
        assert_eq!(refused["errors"][0]["code"], code, "{shown}: {refused}");
    }
    for nest in ["[", "{\"text\":"] {
        raw(city, nest.repeat(20_000).as_bytes()).problem(400, "invalid_body");
    }
    let huge = format!("{{\"text\":\"{}\"}}", "x".repeat(300 * 1024));
    let refused = raw(city, huge.as_bytes()).problem(413, "payload_too_large");
    assert_eq!(refused["max_bytes"], 256 * 1024);
    // What a stranger may have the server keep is less.
    for path in ["/api/v1/auth/login", "/api/v1/auth/refresh", "/oauth/token"] {
        let call = city.by("").call("POST", path).header("Content-Type", "application/json");
        let refused = call.bytes(vec![b' '; 17 * 1024]).send().problem(413, "payload_too_large");
        assert_eq!(refused["max_bytes"], 16 * 1024, "{path}");
    }
    let body = report_at(110.005, 30.005).to_string();
    for kind in [
        "text/plain",
        "application/xml",
        "application/json; charset=gbk",
        "",
        "multipart/form-data",
    ] {
        let call = city.by("resident").call("POST", "/api/v1/reports");
        let refused = call.header("Content-Type", kind).bytes(body.clone()).send();
        let refused = refused.problem(415, "unsupported_media_type");
        assert_eq!(refused["errors"][0]["header"], "Content-Type", "{kind}");
    }
    let call =
        city.by("resident").call("POST", "/api/v1/reports").json(&report_at(110.005, 30.005));
    call.header("Content-Encoding", "gzip").send().problem(415, "unsupported_media_type");
    let call = city.by("resident").call("POST", "/api/v1/reports");
    let kind = "application/JSON; charset=UTF-8";
    assert_eq!(call.header("Content-Type", kind).bytes(body).send().status, 201);
}

fn a_field_nobody_knows_is_named(city: &City) {
    let mut body = report_at(110.005, 30.005);
    body["txet"] = json!("x");
    assert_eq!(submit(city, &body).fault_at("/txet"), "unknown_field");
    let mut body = report_at(110.005, 30.005);
    body["place"]["point"]["alt"] = json!(3);
    assert_eq!(submit(city, &body).fault_at("/place/point/alt"), "unknown_field");
    let case = city.filed();
    let refused = city.ask("community", &case, "escalate", &json!({ "reason": "x", "to": 1 }));
    assert_eq!(refused.fault_at("/to"), "unknown_field");
    let refused = city.ask("community", &case, "sign", &json!({ "a/b~c": 1 }));
    assert_eq!(refused.fault_at("/a~1b~0c"), "unknown_field");
}

fn a_missing_field_is_named(city: &City) {
    assert_eq!(submit(city, &json!({})).fault_at("/text"), "missing_field");
    assert_eq!(submit(city, &json!({ "text": "x" })).fault_at("/place"), "missing_field");
    let mut body = report_at(110.005, 30.005);
    body["place"]["point"].as_object_mut().unwrap().remove("lat");
    assert_eq!(submit(city, &body).fault_at("/place/point/lat"), "missing_field");
    // A body that is not there at all is an empty one.
    let case = city.filed();
    let call = city.by("community").call("POST", &format!("/api/v1/cases/{case}/escalate"));
    assert_eq!(call.send().fault_at("/reason"), "missing_field");
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
        let mut body = report_at(110.005, 30.005);
        body["handled"] = json!({ "result": "x" });
        let mut at = &mut body;
        for part in pointer.trim_start_matches('/').split('/') {
            at = &mut at[part];
        }
        *at = value.clone();
        let code = submit(city, &body).fault_at(pointer);
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
        let mut body = report_at(110.005, 30.005);
        body["text"] = json!(given);
        let id = text(&submit(city, &body).done(), "/id");
        let shown = city.by("resident").get(&format!("/api/v1/reports/{id}")).done();
        assert_eq!(shown["text"], given);
        let case = city.filed_from(&id);
        assert_eq!(city.case("community", &case)["text"], given);
        let remark = json!({ "text": given });
        city.on("community", &case, "comment", &remark);
        let path = format!("/api/v1/cases/{case}/timeline?after=1");
        let timeline = city.by("community").get(&path).done();
        assert_eq!(
            (&timeline["items"][0]["events"][0]["text"], &timeline["intact"]),
            (&json!(given), &json!(true))
        );
    }
}

fn a_text_has_bounds(city: &City) {
    for (member, max) in [("text", 4000), ("title", 120), ("category", 40)] {
        for wrong in ["", "  \n ", "a\0b", "\u{7}", "\u{9f}", &"长".repeat(max + 1)] {
            let mut body = report_at(110.005, 30.005);
            body[member] = json!(wrong);
            submit(city, &body).fault_at(&format!("/{member}"));
        }
    }
    for wrong in ["两\n行", "制\t表", &"长".repeat(121)] {
        let mut body = report_at(110.005, 30.005);
        body["place"]["address"] = json!(wrong);
        submit(city, &body).fault_at("/place/address");
    }
}

fn a_place_that_cannot_be_is_refused(city: &City) {
    // Longitude and latitude swapped is the usual mistake, and is told where.
    submit(city, &report_at(30.005, 110.005)).fault_at("/place/point/lat");
    submit(city, &report_at(181.0, 30.005)).fault_at("/place/point/lng");
    submit(city, &report_at(-180.1, 30.005)).fault_at("/place/point/lng");
    submit(city, &report_at(1e300, 30.005)).fault_at("/place/point/lng");
    raw(city, br#"{"text":"x","place":{"point":{"lng":1e999,"lat":1,"coord_type":"wgs84"}}}"#)
        .problem(400, "invalid_body");
    submit(city, &report_at(116.4, 39.9)).problem(422, "outside_tenant");
    submit(city, &report_at(0.0, 0.0)).problem(422, "outside_tenant");
    let case = city.whistled();
    city.summons("water", &case, seed::SW, "sign", &json!({})).done();
    let there = json!({ "point": { "lng": 30.0, "lat": 110.0, "coord_type": "wgs84" } });
    city.summons("water", &case, seed::SW, "arrive", &there).fault_at("/point/lat");
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
            let refused = city.by("admin").get(&path).problem(400, "invalid_path");
            assert_eq!(refused["errors"][0]["parameter"], "id", "{path}");
        }
        let refused = city.ask("leader", id, "comment", &json!({ "text": "x" }));
        refused.problem(400, "invalid_path");
        let case = city.area(seed::CG);
        let refused = city.ask("leader", &case, &format!("summonses/{id}/sign"), &json!({}));
        assert_eq!(refused.problem(400, "invalid_path")["errors"][0]["parameter"], "unit_id");
    }
}

fn an_address_that_does_not_exist_is_refused(city: &City) {
    let id = city.area(seed::CG);
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
        city.by("leader").get(path).problem(404, "not_found");
        city.by("").get(path).problem(404, "not_found");
    }
    city.ask("leader", &id, "explode", &json!({})).problem(404, "not_found");
}

fn a_method_that_does_not_fit_names_those_that_do(city: &City) {
    let id = city.area(seed::CG);
    for (method, path, allow) in [
        ("PUT", "/api/v1/reports".to_owned(), "GET, POST"),
        ("DELETE", format!("/api/v1/cases/{id}"), "GET"),
        ("PATCH", format!("/api/v1/cases/{id}"), "GET"),
        ("GET", format!("/api/v1/cases/{id}/close"), "POST"),
        ("POST", "/api/v1/me".to_owned(), "GET"),
        ("GET", "/api/v1/auth/login".to_owned(), "POST"),
        ("POST", "/healthz".to_owned(), "GET"),
        ("DELETE", "/openapi.json".to_owned(), "GET"),
        ("TRACE", "/api/v1/areas/locate".to_owned(), "GET"),
    ] {
        let answer = city.by("leader").call(method, &path).send();
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
        answer.problem(405, "method_not_allowed");
    }
    let options = city.by("").call("OPTIONS", "/api/v1/reports").send();
    assert_eq!((options.status, options.header("allow")), (204, "GET, POST"));
}

fn strangers_are_sent_to_log_in(city: &City) {
    let id = city.area(seed::CG);
    for path in [
        "/api/v1/me",
        "/api/v1/cases",
        "/api/v1/areas",
        &format!("/api/v1/cases/{id}"),
        "/api/v1/cases/7",
        "/api/v1/cases?x=1",
    ] {
        city.by("").get(path).problem(401, "unauthenticated");
    }
    // What else is wrong is none of a stranger's business.
    let call =
        city.by("").call("POST", &format!("/api/v1/cases/{id}/close")).without("Idempotency-Key");
    call.bytes("nonsense").send().problem(401, "unauthenticated");
    let call = city.by("").call("POST", "/api/v1/reports").without("Idempotency-Key");
    call.bytes("nonsense").send().problem(401, "unauthenticated");
    city.by("").get("/healthz").done();
    city.by("").get("/readyz").done();
}

fn a_problem_speaks_the_language_of_the_caller(city: &City) {
    let case = city.dispatched();
    let ask = |language: Option<&str>| {
        let call = city.by("dispatcher").call("POST", &format!("/api/v1/cases/{case}/close"));
        let call = call.json(&json!({}));
        let call = match language {
            Some(language) => call.header("Accept-Language", language),
            None => call,
        };
        let answer = call.send();
        let tag = answer.header("content-language").to_owned();
        (tag, text(&answer.problem(422, "wrong_state"), "/detail"))
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
    let call = city.by("worker").call("GET", "/api/v1/nothing");
    let call = call.header("traceparent", &format!("00-{trace}-b7ad6b7169203331-01"));
    let answer = call.header("x-request-id", "from-the-proxy-1").send();
    assert_eq!(answer.header("x-request-id"), "from-the-proxy-1");
    assert_eq!(answer.problem(404, "not_found")["trace_id"], trace);
    for garbage in
        ["00-0-0-01", "x", "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\u{1f4a5}"]
    {
        let call = city.by("worker").call("GET", "/api/v1/nothing").header("traceparent", garbage);
        let id = text(&call.send().problem(404, "not_found"), "/trace_id");
        assert_eq!(id.len(), 32);
    }
}

/// A little chance that is the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn pick<'a, T: ?Sized>(&mut self, some: &[&'a T]) -> &'a T {
        some[self.roll(some.len())]
    }

    fn value(&mut self, ids: &[&str], depth: usize) -> Value {
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
        match self.roll(if depth == 0 { 8 } else { 10 }) {
            0 => Value::Null,
            1 => json!(self.roll(2) == 0),
            2 => json!(self.roll(7)),
            3 => json!(-1.5e300),
            4 => json!(u64::MAX),
            5 | 6 => json!(self.pick(&texts)),
            7 => json!(self.pick(ids)),
            8 => (0..self.roll(4)).map(|_| self.value(ids, depth - 1)).collect(),
            _ => self.object(ids, depth - 1),
        }
    }

    fn object(&mut self, ids: &[&str], depth: usize) -> Value {
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
        let count = self.roll(6);
        let members = (0..count).map(|_| (self.pick(&names).to_owned(), self.value(ids, depth)));
        Value::Object(members.collect())
    }
}

fn nothing_random_is_a_failure_of_the_server(city: &City) {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let document = api::server::document();
    let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    let (case, report) = (city.whistled(), city.received());
    let (unit, person) = (city.area(seed::CG), city.by("worker").id().to_string());
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
        let mut path = paths[dice.roll(paths.len())].clone();
        if path.contains("/auth/") && round % 4 != 0 {
            continue;
        }
        for name in ["{id}", "{unit_id}"] {
            path = path.replace(name, dice.pick(&ids));
        }
        if dice.roll(3) == 0 {
            let name = dice
                .pick(&["limit", "cursor", "stage", "open", "within", "lng", "lat", "after", "x%"]);
            let value = dice.pick(&[
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
        let mut call = city.by(dice.pick(&people)).call(dice.pick(&methods), &path);
        if dice.roll(3) == 0 {
            let name = dice.pick(&[
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
                dice.pick(&[
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
        let body = match dice.roll(8) {
            0 => Vec::new(),
            1 => (0..dice.roll(64)).map(|_| u8::try_from(dice.roll(256)).unwrap()).collect(),
            2 => dice.value(&ids, 3).to_string().into_bytes(),
            _ => dice.object(&ids, 3).to_string().into_bytes(),
        };
        let shown = String::from_utf8_lossy(&body).into_owned();
        let typed = dice.roll(10) != 0;
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
            answer.well_told();
        }
    }
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

/// Sends bytes as they are; what comes back within a moment.
fn wire(city: &City, bytes: &[u8]) -> String {
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
        let answer = wire(&city, bytes);
        let fine = answer.is_empty() || answer.starts_with("HTTP/1.1 4");
        assert!(fine, "{}", answer.chars().take(200).collect::<String>());
    }
    city.by("worker").get("/api/v1/me").done();
}
