//! Tracks: taken with consent and on duty only, kept whole, marked and measured when read.

use std::{fmt::Write as _, io::Write as _};

use actix_web::rt::System;
use chrono::Duration;
use domain::{Instant, flows::track::codec};
use persistence::probe;
use serde_json::{Value, json};

use crate::{
    harness::{Answer, City, each, on_both, seed, text},
    patrol::begun,
};

on_both! {
    points_are_taken_with_consent_in_the_window_and_refused_one_by_one_otherwise,
    points_may_come_twice_late_in_any_order_and_compressed,
    a_number_belongs_to_one_point_for_ever,
    racing_uploads_store_every_point_once,
    a_track_is_read_with_its_marks_and_its_gaps,
    who_may_see_a_track_and_that_somebody_did,
    bad_batches_are_told_what_is_wrong,
    the_nearest_are_those_on_duty_and_nobody_else,
    a_look_is_offered_to_the_nearest_on_duty,
    coverage_is_told_by_places_and_time,
    points_go_when_their_time_is_over,
    points_and_positions_are_sealed_by_the_walkers_key,
    points_from_before_they_were_sealed_are_sealed_later,
}

pub(crate) fn consent(city: &City, given: bool) {
    let body = json!({ "purpose": "track", "given": given, "version": "1" });
    city.by("worker").post("/api/v1/me/consents", &body).done();
}

/// A patrol with consent, an hour on its way; when it began.
fn on_the_way(city: &City) -> (String, Instant) {
    consent(city, true);
    let (id, began) = (begun(city), city.now());
    city.advance(Duration::hours(1));
    (id, began)
}

/// A point north of the corner of the grid, seven metres every five seconds.
fn point(seq: i64, began: Instant) -> Value {
    let time = began + Duration::seconds(5 * seq + 1);
    let lat = 30.001 + 0.000_063 * f64::from(i32::try_from(seq).unwrap());
    json!({ "seq": seq, "time": time, "lng": 110.005, "lat": lat, "accuracy": 5.0, "source": "gps" })
}

fn points(seqs: impl IntoIterator<Item = i64>, began: Instant) -> Vec<Value> {
    seqs.into_iter().map(|seq| point(seq, began)).collect()
}

fn send(city: &City, id: &str, points: &[Value]) -> Answer {
    city.by("worker").post(&format!("/api/v1/patrols/{id}/points"), &json!({ "points": points }))
}

/// How many were stored, known already, refused.
fn counts(answer: Answer) -> (i64, i64, i64) {
    let shown = answer.done();
    let count = |name: &str| shown[name].as_i64().unwrap();
    (count("stored"), count("already"), count("refused"))
}

/// Why points were refused.
fn reasons(shown: &Value) -> Vec<&str> {
    let items = shown["items"].as_array().unwrap().iter();
    items.filter_map(|item| item["reason"].as_str()).collect()
}

fn read(city: &City, by: &str, id: &str, query: &str) -> Value {
    let answer = city.by(by).get(&format!("/api/v1/patrols/{id}/track{query}"));
    assert_eq!(answer.header("content-type"), "application/geo+json");
    answer.done()
}

fn points_are_taken_with_consent_in_the_window_and_refused_one_by_one_otherwise(city: &City) {
    let (id, before) = (begun(city), city.now());
    city.advance(Duration::minutes(5));
    let none = send(city, &id, &points(0..3, before)).done();
    assert_eq!(reasons(&none), ["no_consent"; 3], "a patrol works without a track");
    consent(city, true);
    let began = city.now();
    city.advance(Duration::minutes(10));
    let mut mixed = points(0..4, began);
    mixed.push(point(4, before));
    mixed.push(point(5, before - Duration::hours(2)));
    mixed.push(json!({ "seq": 6, "time": began, "lng": null, "lat": 30.0 }));
    mixed.push(json!({ "seq": 7, "time": began, "lng": 30.0, "lat": 110.0 }));
    mixed.push(point(8, city.now() + Duration::days(3)));
    let shown = send(city, &id, &mixed).done();
    assert_eq!(
        reasons(&shown),
        ["no_consent", "outside_window", "coordinate_missing", "bad_coordinate", "bad_time"]
    );
    assert_eq!(shown["stored"], 4, "one bad point does not sink the rest: {shown}");
    consent(city, false);
    let withdrawn = city.now();
    city.advance(Duration::minutes(1));
    let late = send(city, &id, &[point(20, began), point(21, withdrawn)]).done();
    assert_eq!(each(&late, "/result"), ["stored", "refused"]);
    assert_eq!(reasons(&late), ["consent_withdrawn"]);
    city.by("worker").post(&format!("/api/v1/patrols/{id}/pause"), &json!({})).done();
    consent(city, true);
    let paused = city.now();
    city.advance(Duration::minutes(1));
    let resting = send(city, &id, &[point(30, paused)]).done();
    assert_eq!((&resting["items"][0]["result"], &resting["later"]), (&json!("later"), &json!(1)));
    assert_eq!(reasons(&resting), ["resting"], "what ended the rest may still be on its way");
    city.advance(Duration::minutes(5));
    city.by("worker").post(&format!("/api/v1/patrols/{id}/resume"), &json!({})).done();
    let rested = send(city, &id, &[point(30, paused), point(31, city.now())]).done();
    assert_eq!(each(&rested, "/result"), ["refused", "stored"]);
    assert_eq!(reasons(&rested), ["paused"]);
    let path = format!("/api/v1/patrols/{id}/points");
    let body = json!({ "points": points(40..41, began) });
    city.by("verifier").post(&path, &body).problem(422, "not_your_patrol");
    city.by("far_worker").post(&path, &body).problem(404, "not_found");
}

fn points_may_come_twice_late_in_any_order_and_compressed(city: &City) {
    let (id, began) = on_the_way(city);
    assert_eq!(counts(send(city, &id, &points(0..60, began))), (60, 0, 0));
    assert_eq!(counts(send(city, &id, &points(0..60, began))), (0, 60, 0), "twice");
    assert_eq!(counts(send(city, &id, &points((30..90).rev(), began))), (30, 30, 0), "overlapping");
    assert_eq!(counts(send(city, &id, &points(120..180, began))), (60, 0, 0));
    city.by("worker").post(&format!("/api/v1/patrols/{id}/finish"), &json!({})).done();
    let mut late = points(90..120, began);
    late.extend(points(100..105, began));
    let body = json!({ "points": late }).to_string();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(body.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    assert!(packed.len() * 5 < body.len());
    let call = city.by("worker").call("POST", &format!("/api/v1/patrols/{id}/points"));
    let call = call.header("Content-Type", "application/json").header("Content-Encoding", "gzip");
    assert_eq!(counts(call.bytes(packed).send()), (30, 5, 0), "late, after the end, by gzip");
    let track = read(city, "worker", &id, "");
    let properties = &track["features"][0]["properties"];
    assert_eq!((&properties["points"], &properties["marked"]), (&json!(180), &json!(0)));
    let metres = properties["distance_m"].as_f64().unwrap();
    assert!((metres - 179.0 * 7.0).abs() < 10.0, "{metres}");
}

fn a_number_belongs_to_one_point_for_ever(city: &City) {
    let (id, began) = on_the_way(city);
    assert_eq!(counts(send(city, &id, &points(0..10, began))), (10, 0, 0));
    let mut other = point(5, began);
    other["lat"] = json!(30.009);
    let shown = send(city, &id, &[point(4, began), other, point(11, began)]).done();
    assert_eq!(each(&shown, "/result"), ["already", "refused", "stored"]);
    assert_eq!(reasons(&shown), ["seq_reused"]);
    let mut twice = point(20, began);
    twice["lng"] = json!(110.006);
    let shown = send(city, &id, &[point(20, began), twice, point(20, began)]).done();
    assert_eq!(each(&shown, "/result"), ["stored", "refused", "already"], "within one upload too");
}

fn racing_uploads_store_every_point_once(city: &City) {
    let (id, began) = on_the_way(city);
    let stored: i64 = std::thread::scope(|scope| {
        let uploads: Vec<_> = (0..8)
            .map(|n| {
                let (id, from) = (&id, i64::from(n) * 20);
                scope.spawn(move || counts(send(city, id, &points(from..from + 60, began))))
            })
            .collect();
        let counts = uploads.into_iter().map(|upload| upload.join().unwrap());
        counts
            .map(|(stored, already, refused)| {
                assert_eq!((stored + already, refused), (60, 0));
                stored
            })
            .sum()
    });
    assert_eq!(stored, 200, "each point was stored by one of them");
    assert_eq!(read(city, "worker", &id, "")["features"][0]["properties"]["points"], 200);
}

fn a_track_is_read_with_its_marks_and_its_gaps(city: &City) {
    let (id, began) = on_the_way(city);
    let mut all = points(0..60, began);
    all.extend(points(260..300, began));
    let odd = |seq: i64, at: i64, name: &str, value: Value| {
        let mut odd = point(at, began);
        odd["seq"] = json!(seq);
        odd["time"] = json!(began + Duration::seconds(5 * at + 2));
        odd[name] = value;
        odd
    };
    all.push(odd(1000, 10, "mocked", json!(true)));
    all.push(odd(1001, 11, "accuracy", json!(400)));
    all.push(odd(1002, 12, "lng", json!(110.2)));
    all.push(odd(1003, 13, "lng", json!(110.02)));
    let mut same = point(14, began);
    same["seq"] = json!(1004);
    all.push(same);
    assert_eq!(counts(send(city, &id, &all)), (105, 0, 0), "every point is kept");
    let track = read(city, "worker", &id, "");
    let properties = &track["features"][0]["properties"];
    assert_eq!(
        properties["marks"],
        json!({
            "mocked": 1, "poor_accuracy": 1, "duplicate_time": 1, "impossible_speed": 1, "far_outside": 1,
        }),
        "{properties}"
    );
    assert_eq!(properties["gaps"].as_array().unwrap().len(), 1);
    let lines = track["features"][0]["geometry"]["coordinates"].as_array().unwrap();
    assert_eq!(
        lines.iter().map(|line| line.as_array().unwrap().len()).collect::<Vec<_>>(),
        [60, 40]
    );
    let marked = track["features"].as_array().unwrap().iter();
    let marked = marked.filter(|feature| feature["properties"]["kind"] == "marked");
    assert_eq!(marked.count(), 5);
    let simple = read(city, "worker", &id, "?tolerance=5");
    let lines = simple["features"][0]["geometry"]["coordinates"].as_array().unwrap();
    assert!(lines.iter().all(|line| line.as_array().unwrap().len() < 5), "a straight walk");
    let wrong = city.by("worker").get(&format!("/api/v1/patrols/{id}/track?tolerance=-1"));
    wrong.problem(400, "invalid_query");
    let gpx = city.by("worker").get(&format!("/api/v1/patrols/{id}/gpx"));
    assert_eq!(gpx.header("content-type"), "application/gpx+xml");
    assert_eq!(gpx.text.matches("<trkseg>").count(), 2);
    assert_eq!(gpx.text.matches("<trkpt").count(), 100);
}

fn who_may_see_a_track_and_that_somebody_did(city: &City) {
    let (id, began) = on_the_way(city);
    send(city, &id, &points(0..10, began)).done();
    let seen = || {
        let log = city.by("auditor").get("/api/v1/audit?act=track").done();
        each(&log, "/verdict")
    };
    read(city, "worker", &id, "");
    assert!(seen().is_empty(), "one's own");
    for by in ["grid_leader", "community", "dispatcher", "leader"] {
        read(city, by, &id, "");
    }
    assert_eq!(seen(), ["done"; 4]);
    let path = format!("/api/v1/patrols/{id}/track");
    for by in ["verifier", "inspector", "district", "auditor"] {
        city.by(by).get(&path).problem(403, "not_permitted");
    }
    assert_eq!(seen().iter().filter(|verdict| *verdict == "refused").count(), 4);
    for by in ["admin", "resident", "far_grid_leader", "sibling", "worker@9902"] {
        city.by(by).get(&path).problem(404, "not_found");
    }
    let log = city.by("auditor").get("/api/v1/audit?act=track&limit=1").done();
    assert_eq!(text(&log, "/items/0/subject_id"), city.by("worker").id().to_string());
}

fn bad_batches_are_told_what_is_wrong(city: &City) {
    let (id, began) = on_the_way(city);
    let path = format!("/api/v1/patrols/{id}/points");
    assert_eq!(counts(send(city, &id, &[])), (0, 0, 0), "nothing is nothing");
    send(city, &id, &points(0..2001, began)).fault_at("/points");
    let most: Vec<Value> = (0..2000)
        .map(|seq| {
            let mut one = point(0, began);
            one["seq"] = json!(seq);
            one["time"] = json!(began + Duration::milliseconds(1000 + seq));
            one
        })
        .collect();
    assert_eq!(counts(send(city, &id, &most)), (2000, 0, 0), "a crowd of points at one place");
    let by = city.by("worker");
    let raw = |bytes: &[u8]| {
        by.call("POST", &path).header("Content-Type", "application/json").bytes(bytes).send()
    };
    raw(br#"{"points":[{"seq":1,"time":"2026-03-03T08:00:00+08:00","lng":NaN,"lat":1}]}"#)
        .problem(400, "invalid_body");
    raw(br#"{"points":[{"seq":-1,"time":"2026-03-03T08:00:00+08:00","lng":1,"lat":1}]}"#)
        .fault_at("/points/0/seq");
    raw(br#"{"points":[{"seq":1,"time":"yesterday","lng":1,"lat":1}]}"#).fault_at("/points/0/time");
    raw(br#"{"points":7}"#).fault_at("/points");
    raw(&vec![b' '; 1_100_000]).problem(413, "payload_too_large");
    let gzip = |bytes: Vec<u8>| {
        let call = by.call("POST", &path).header("Content-Type", "application/json");
        call.header("Content-Encoding", "gzip").bytes(bytes).send()
    };
    gzip(b"not gzip at all".to_vec()).problem(400, "invalid_body");
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    bomb.write_all(&vec![b' '; 50_000_000]).unwrap();
    gzip(bomb.finish().unwrap()).problem(413, "payload_too_large");
    let call = by.call("POST", &path).header("Content-Type", "application/json");
    call.header("Content-Encoding", "br")
        .bytes(*b"{}")
        .send()
        .problem(415, "unsupported_media_type");
    let nan = json!({ "seq": 9000, "time": began, "lng": 1e308, "lat": 30, "accuracy": -1 });
    let shown = send(city, &id, &[nan]).done();
    assert_eq!(reasons(&shown), ["bad_coordinate"]);
    let planned = crate::patrol::planned(city, city.now());
    let planned = text(&city.by("grid_leader").post("/api/v1/patrols", &planned).done(), "/id");
    send(city, &planned, &points(0..1, began)).problem(422, "wrong_state");
}

fn near(city: &City) -> Value {
    let grid = city.area(seed::GRID);
    let path = format!("/api/v1/areas/{grid}/nearest_workers?lng=110.005&lat=30.001");
    city.by("dispatcher").get(&path).done()
}

fn the_nearest_are_those_on_duty_and_nobody_else(city: &City) {
    let (id, _) = on_the_way(city);
    let here = |seq: i64| {
        let mut here = point(0, city.now());
        here["seq"] = json!(seq);
        here["time"] = json!(city.now() - Duration::seconds(5));
        here
    };
    send(city, &id, &[here(0)]).done();
    assert!(each(&near(city), "/name").is_empty(), "not on duty");
    let shift = json!({ "area_id": city.area(seed::GRID) });
    city.by("worker").post("/api/v1/me/shift/start", &shift).done();
    send(city, &id, &[here(1)]).done();
    let found = near(city);
    assert_eq!(each(&found, "/name"), ["网格员王芳"]);
    assert_eq!(found["items"][0]["distance_m"], 0.0);
    assert!(found["items"][0].get("lng").is_none(), "where exactly is nobody's business");
    let grid = city.area(seed::GRID);
    let path = format!("/api/v1/areas/{grid}/nearest_workers?lng=110&lat=30");
    city.by("worker").get(&path).problem(403, "not_permitted");
    city.by("dispatcher").get(&path.replace("lat=30", "lat=300")).problem(400, "invalid_query");
    consent(city, false);
    assert!(each(&near(city), "/name").is_empty(), "nor without consent");
    consent(city, true);
    city.advance(Duration::seconds(30));
    send(city, &id, &[here(2)]).done();
    assert_eq!(each(&near(city), "/name").len(), 1);
    city.advance(Duration::minutes(31));
    assert!(each(&near(city), "/name").is_empty(), "nor where somebody was long ago");
    send(city, &id, &[here(3)]).done();
    assert_eq!(each(&near(city), "/name").len(), 1);
    city.by("worker").post("/api/v1/me/shift/end", &json!({})).done();
    assert!(each(&near(city), "/name").is_empty());
}

/// A worker on duty and on patrol, seen at this latitude.
fn seen_at(city: &City, by: &str, lat: f64) {
    let body = json!({ "purpose": "track", "given": true, "version": "1" });
    city.by(by).post("/api/v1/me/consents", &body).done();
    let (grid, until) = (city.area(seed::GRID), city.now() + Duration::hours(8));
    city.by(by).post("/api/v1/me/shift/start", &json!({ "area_id": grid })).done();
    let body = json!({ "area_id": grid, "purpose": "routine", "until": until });
    let patrol = text(&city.by(by).post("/api/v1/patrols/begin", &body).done(), "/id");
    city.advance(Duration::seconds(30));
    let mut here = point(0, city.now());
    (here["time"], here["lat"]) = (json!(city.now() - Duration::seconds(5)), json!(lat));
    let points = json!({ "points": [here] });
    city.by(by).post(&format!("/api/v1/patrols/{patrol}/points"), &points).done();
}

fn a_look_is_offered_to_the_nearest_on_duty(city: &City) {
    let case = city.fed_back();
    let look = |by: &str| {
        let todos = city.by(by).get("/api/v1/me/todos?duty=verify").done();
        let todo = todos["items"].as_array().unwrap().iter().find(|todo| todo["flow_id"] == case);
        todo.unwrap()["look"].clone()
    };
    assert_eq!(look("verifier"), json!({ "claim": null, "offered": false }), "nobody is seen");
    seen_at(city, "worker", 30.001);
    assert_eq!(look("worker"), json!({ "claim": null, "offered": true, "distance_m": 445.0 }));
    assert_eq!(look("verifier"), json!({ "claim": null, "offered": false }));
    seen_at(city, "verifier", 30.004);
    assert_eq!(look("verifier"), json!({ "claim": null, "offered": true, "distance_m": 111.0 }));
    assert_eq!(look("worker"), json!({ "claim": null, "offered": false, "distance_m": 445.0 }));
    // The worker who takes it has it, near or far.
    city.on("worker", &case, "claim", &json!({}));
    let taken = look("verifier");
    assert_eq!((&taken["offered"], &taken["claim"]["by"]), (&json!(false), &json!("网格员王芳")));
    city.advance(Duration::hours(3));
    assert_eq!(look("verifier")["claim"], Value::Null, "it fell free");
}

fn coverage_is_told_by_places_and_time(city: &City) {
    consent(city, true);
    let mut body = crate::patrol::planned(city, city.now());
    body["itinerary"]["route"] = json!([[110.005, 30.001], [110.005, 30.003]]);
    let id = text(&city.by("grid_leader").post("/api/v1/patrols", &body).done(), "/id");
    city.by("worker").post(&format!("/api/v1/patrols/{id}/start"), &json!({})).done();
    let began = city.now();
    let path = format!("/api/v1/patrols/{id}/coverage");
    let nothing = city.by("worker").get(&path).done();
    assert_eq!(
        (&nothing["tracked"], &nothing["checkpoint_share"]["of"]),
        (&json!(false), &json!(0))
    );
    city.advance(Duration::minutes(30));
    send(city, &id, &points(0..70, began)).done();
    city.by("worker").post(&format!("/api/v1/patrols/{id}/finish"), &json!({})).done();
    let shown = city.by("grid_leader").get(&path).done();
    assert_eq!(shown["checkpoints"][0]["visited"], true, "{shown}");
    assert_eq!(shown["time_share"], 0.5, "{shown}");
    assert!(shown["route_share"]["share"].as_f64().unwrap() > 0.95, "{shown}");
    assert!((340..=346).contains(&shown["inside_s"].as_i64().unwrap()), "{shown}");
    assert!(shown["cell_share"]["of"].as_i64().unwrap() >= 9, "{shown}");
    assert!(shown["cell_share"]["all"].as_i64().unwrap() > 350, "{shown}");
    city.by("verifier").get(&path).problem(403, "not_permitted");
}

fn points_go_when_their_time_is_over(city: &City) {
    let (id, began) = on_the_way(city);
    send(city, &id, &points(0..10, began)).done();
    let count = || read(city, "worker", &id, "")["features"][0]["properties"]["points"].clone();
    let pass = || {
        let store = city.app.clone();
        System::new().block_on(api::resources::retention::pass(&store)).expect("it removes");
    };
    city.advance(Duration::days(100));
    pass();
    assert_eq!(count(), 10);
    let retention =
        json!({ "document": { "retention": { "tracks": 30 } }, "note": "轨迹保存三十天" });
    city.by("admin").post("/api/v1/policies/privacy", &retention).done();
    city.advance(Duration::days(2));
    pass();
    assert_eq!(count(), 0);
    let shown = send(city, &id, &points(0..2, began)).done();
    assert_eq!(reasons(&shown), ["expired"; 2]);
    let report = city.by("auditor").get("/api/v1/retention").done();
    let tracks = report["items"].as_array().unwrap().iter();
    let tracks = tracks.filter(|item| item["class"] == "tracks").map(|item| &item["removed"]);
    assert_eq!(tracks.collect::<Vec<_>>(), [&json!(1)]);
}

/// The stored bytes of all batches, as they stand in the database.
fn blobs(city: &City) -> Vec<Vec<u8>> {
    let sqlite = city.database.url.starts_with("sqlite");
    let hex = if sqlite { "hex(blob)" } else { "encode(blob, 'hex')" };
    let sql = format!("select {hex} as line from track_batches");
    let byte = |line: &str, at: usize| u8::from_str_radix(&line[at..at + 2], 16).unwrap();
    let lines = probe::lines(&city.database.url, &sql).unwrap();
    lines.iter().map(|line| (0..line.len()).step_by(2).map(|at| byte(line, at)).collect()).collect()
}

fn tenant(city: &City) -> domain::core::id::TenantId {
    let worlds = city.app.worlds.all();
    worlds.iter().find(|world| world.tenant.code == "9901").unwrap().tenant.id
}

/// How many places a track shows.
fn track_of(city: &City, id: &str) -> usize {
    let track = city.by("grid_leader").get(&format!("/api/v1/patrols/{id}/track")).done();
    track.to_string().matches("110.00").count()
}

fn points_and_positions_are_sealed_by_the_walkers_key(city: &City) {
    let (id, began) = on_the_way(city);
    assert_eq!(counts(send(city, &id, &points(0..60, began))), (60, 0, 0));
    assert!(blobs(city).iter().all(|blob| codec::decode(blob).is_none()), "readable points");
    assert!(track_of(city, &id) > 0);
    assert_eq!(counts(send(city, &id, &points(0..60, began))), (0, 60, 0), "known again");
    // A batch does not open in the place of another.
    let backup = "create table backup as select * from track_batches;";
    probe::execute(&city.database.url, backup).unwrap();
    // The walker leaves office and is erased; a backup of the tracks is put back.
    city.by("worker").post(&format!("/api/v1/patrols/{id}/finish"), &json!({})).done();
    let worker = city.by("worker").id();
    let person = city.by("admin").get(&format!("/api/v1/people/{worker}")).done();
    for grant in person["grants"].as_array().unwrap() {
        let role = json!({ "role": grant["role"], "area_id": grant["area"]["id"] });
        city.by("admin").post(&format!("/api/v1/people/{worker}/revoke"), &role).done();
    }
    let why = json!({ "reason": "离职后本人申请" });
    city.by("admin").post(&format!("/api/v1/people/{worker}/erasure"), &why).done();
    assert!(blobs(city).is_empty());
    let restored = "insert into track_batches select * from backup;";
    probe::execute(&city.database.url, restored).unwrap();
    assert!(!blobs(city).is_empty());
    assert_eq!(track_of(city, &id), 0, "what was restored tells nothing");
    let tenant = tenant(city);
    let patrol = domain::core::id::PatrolId(id.parse().unwrap());
    let found = api::resources::patrol::stored_fixes(&city.app, tenant, patrol);
    assert_eq!(System::new().block_on(found).unwrap(), Vec::new());
}

fn points_from_before_they_were_sealed_are_sealed_later(city: &City) {
    let (id, began) = on_the_way(city);
    send(city, &id, &points(0..60, began)).done();
    let shown = track_of(city, &id);
    let tenant = tenant(city);
    let patrol = domain::core::id::PatrolId(id.parse().unwrap());
    let fixes =
        System::new().block_on(api::resources::patrol::stored_fixes(&city.app, tenant, patrol));
    let fixes = fixes.unwrap();
    let plain = codec::encode(&fixes).iter().fold(String::new(), |mut plain, byte| {
        let _ = write!(plain, "{byte:02x}");
        plain
    });
    let sqlite = city.database.url.starts_with("sqlite");
    let blob = if sqlite { format!("x'{plain}'") } else { format!("decode('{plain}', 'hex')") };
    let before = format!("update track_batches set blob = {blob}, person_id = null");
    probe::execute(&city.database.url, &before).unwrap();
    assert_eq!(track_of(city, &id), shown, "they are read as they stand");
    let seal = || {
        let sealing = api::resources::patrol::sealed::seal_open(&city.app, tenant, 100);
        System::new().block_on(sealing).unwrap()
    };
    assert_eq!((seal(), seal()), (1, 0));
    assert!(blobs(city).iter().all(|blob| codec::decode(blob).is_none()));
    assert_eq!(track_of(city, &id), shown);
}
