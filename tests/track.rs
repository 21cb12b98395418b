//! Tracks: taken with consent and on duty only, stored whole, marked and measured when read.

use std::{fmt::Write as _, io::Write as _};

use actix_web::rt::System;
use chrono::Duration;
use domain::{Instant, flows::track::codec};
use persistence::probe;
use serde_json::{Value, json};

use crate::{
    harness::{Answer, City, on_both, read_text, read_texts, seed},
    patrol::begin_patrol,
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

pub(crate) fn set_consent(city: &City, given: bool) {
    let body = json!({ "purpose": "track", "given": given, "version": "1" });
    city.client("worker").post("/api/v1/me/consents", &body).expect_success();
}

/// A patrol with consent, an hour on its way; answers when it began.
fn on_the_way(city: &City) -> (String, Instant) {
    set_consent(city, true);
    let (id, began) = (begin_patrol(city), city.now());
    city.advance(Duration::hours(1));
    (id, began)
}

/// A point north of the corner of the grid, seven metres every five seconds.
fn point_body(seq: i64, began: Instant) -> Value {
    let time = began + Duration::seconds(5 * seq + 1);
    let lat = 30.001 + 0.000_063 * f64::from(i32::try_from(seq).unwrap());
    json!({ "seq": seq, "time": time, "lng": 110.005, "lat": lat, "accuracy": 5.0, "source": "gps" })
}

fn point_bodies(seqs: impl IntoIterator<Item = i64>, began: Instant) -> Vec<Value> {
    seqs.into_iter().map(|seq| point_body(seq, began)).collect()
}

fn send_points(city: &City, id: &str, points: &[Value]) -> Answer {
    city.client("worker")
        .post(&format!("/api/v1/patrols/{id}/points"), &json!({ "points": points }))
}

/// How many were stored, known already, refused.
fn read_counts(answer: Answer) -> (i64, i64, i64) {
    let shown = answer.expect_success();
    let count = |name: &str| shown[name].as_i64().unwrap();
    (count("stored"), count("already"), count("refused"))
}

/// Why points were refused.
fn list_reasons(shown: &Value) -> Vec<&str> {
    let items = shown["items"].as_array().unwrap().iter();
    items.filter_map(|item| item["reason"].as_str()).collect()
}

fn get_track(city: &City, by: &str, id: &str, query: &str) -> Value {
    let answer = city.client(by).get(&format!("/api/v1/patrols/{id}/track{query}"));
    assert_eq!(answer.header("content-type"), "application/geo+json");
    answer.expect_success()
}

fn points_are_taken_with_consent_in_the_window_and_refused_one_by_one_otherwise(city: &City) {
    let (id, before) = (begin_patrol(city), city.now());
    city.advance(Duration::minutes(5));
    let none = send_points(city, &id, &point_bodies(0..3, before)).expect_success();
    assert_eq!(list_reasons(&none), ["no_consent"; 3], "a patrol works without a track");
    set_consent(city, true);
    let began = city.now();
    city.advance(Duration::minutes(10));
    let mut mixed = point_bodies(0..4, began);
    mixed.push(point_body(4, before));
    mixed.push(point_body(5, before - Duration::hours(2)));
    mixed.push(json!({ "seq": 6, "time": began, "lng": null, "lat": 30.0 }));
    mixed.push(json!({ "seq": 7, "time": began, "lng": 30.0, "lat": 110.0 }));
    mixed.push(point_body(8, city.now() + Duration::days(3)));
    let shown = send_points(city, &id, &mixed).expect_success();
    assert_eq!(
        list_reasons(&shown),
        ["no_consent", "outside_window", "coordinate_missing", "bad_coordinate", "bad_time"]
    );
    assert_eq!(shown["stored"], 4, "one bad point does not sink the rest: {shown}");
    set_consent(city, false);
    let withdrawn = city.now();
    city.advance(Duration::minutes(1));
    let late = send_points(city, &id, &[point_body(20, began), point_body(21, withdrawn)])
        .expect_success();
    assert_eq!(read_texts(&late, "/result"), ["stored", "refused"]);
    assert_eq!(list_reasons(&late), ["consent_withdrawn"]);
    city.client("worker").post(&format!("/api/v1/patrols/{id}/pause"), &json!({})).expect_success();
    set_consent(city, true);
    let paused = city.now();
    city.advance(Duration::minutes(1));
    let resting = send_points(city, &id, &[point_body(30, paused)]).expect_success();
    assert_eq!((&resting["items"][0]["result"], &resting["later"]), (&json!("later"), &json!(1)));
    assert_eq!(list_reasons(&resting), ["resting"], "what ended the rest may still be on its way");
    city.advance(Duration::minutes(5));
    city.client("worker")
        .post(&format!("/api/v1/patrols/{id}/resume"), &json!({}))
        .expect_success();
    let rested = send_points(city, &id, &[point_body(30, paused), point_body(31, city.now())])
        .expect_success();
    assert_eq!(read_texts(&rested, "/result"), ["refused", "stored"]);
    assert_eq!(list_reasons(&rested), ["paused"]);
    let path = format!("/api/v1/patrols/{id}/points");
    let body = json!({ "points": point_bodies(40..41, began) });
    city.client("verifier").post(&path, &body).expect_problem(422, "not_your_patrol");
    city.client("far_worker").post(&path, &body).expect_problem(404, "not_found");
}

fn points_may_come_twice_late_in_any_order_and_compressed(city: &City) {
    let (id, began) = on_the_way(city);
    assert_eq!(read_counts(send_points(city, &id, &point_bodies(0..60, began))), (60, 0, 0));
    assert_eq!(
        read_counts(send_points(city, &id, &point_bodies(0..60, began))),
        (0, 60, 0),
        "twice"
    );
    assert_eq!(
        read_counts(send_points(city, &id, &point_bodies((30..90).rev(), began))),
        (30, 30, 0),
        "overlapping"
    );
    assert_eq!(read_counts(send_points(city, &id, &point_bodies(120..180, began))), (60, 0, 0));
    city.client("worker")
        .post(&format!("/api/v1/patrols/{id}/finish"), &json!({}))
        .expect_success();
    let mut late = point_bodies(90..120, began);
    late.extend(point_bodies(100..105, began));
    let body = json!({ "points": late }).to_string();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(body.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    assert!(packed.len() * 5 < body.len());
    let call = city.client("worker").call("POST", &format!("/api/v1/patrols/{id}/points"));
    let call = call.header("Content-Type", "application/json").header("Content-Encoding", "gzip");
    assert_eq!(read_counts(call.bytes(packed).send()), (30, 5, 0), "late, after the end, by gzip");
    let track = get_track(city, "worker", &id, "");
    let properties = &track["features"][0]["properties"];
    assert_eq!((&properties["points"], &properties["marked"]), (&json!(180), &json!(0)));
    let metres = properties["distance_m"].as_f64().unwrap();
    assert!((metres - 179.0 * 7.0).abs() < 10.0, "{metres}");
}

fn a_number_belongs_to_one_point_for_ever(city: &City) {
    let (id, began) = on_the_way(city);
    assert_eq!(read_counts(send_points(city, &id, &point_bodies(0..10, began))), (10, 0, 0));
    let mut other = point_body(5, began);
    other["lat"] = json!(30.009);
    let shown = send_points(city, &id, &[point_body(4, began), other, point_body(11, began)])
        .expect_success();
    assert_eq!(read_texts(&shown, "/result"), ["already", "refused", "stored"]);
    assert_eq!(list_reasons(&shown), ["seq_reused"]);
    let mut twice = point_body(20, began);
    twice["lng"] = json!(110.006);
    let shown = send_points(city, &id, &[point_body(20, began), twice, point_body(20, began)])
        .expect_success();
    assert_eq!(
        read_texts(&shown, "/result"),
        ["stored", "refused", "already"],
        "within one upload too"
    );
}

fn racing_uploads_store_every_point_once(city: &City) {
    let (id, began) = on_the_way(city);
    let stored: i64 = std::thread::scope(|scope| {
        let uploads: Vec<_> = (0..8)
            .map(|n| {
                let (id, from) = (&id, i64::from(n) * 20);
                scope.spawn(move || {
                    read_counts(send_points(city, id, &point_bodies(from..from + 60, began)))
                })
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
    assert_eq!(get_track(city, "worker", &id, "")["features"][0]["properties"]["points"], 200);
}

fn a_track_is_read_with_its_marks_and_its_gaps(city: &City) {
    let (id, began) = on_the_way(city);
    let mut all = point_bodies(0..60, began);
    all.extend(point_bodies(260..300, began));
    let odd = |seq: i64, at: i64, name: &str, value: Value| {
        let mut odd = point_body(at, began);
        odd["seq"] = json!(seq);
        odd["time"] = json!(began + Duration::seconds(5 * at + 2));
        odd[name] = value;
        odd
    };
    all.push(odd(1000, 10, "mocked", json!(true)));
    all.push(odd(1001, 11, "accuracy", json!(400)));
    all.push(odd(1002, 12, "lng", json!(110.2)));
    all.push(odd(1003, 13, "lng", json!(110.02)));
    let mut same = point_body(14, began);
    same["seq"] = json!(1004);
    all.push(same);
    assert_eq!(read_counts(send_points(city, &id, &all)), (105, 0, 0), "every point is kept");
    let track = get_track(city, "worker", &id, "");
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
    let simple = get_track(city, "worker", &id, "?tolerance=5");
    let lines = simple["features"][0]["geometry"]["coordinates"].as_array().unwrap();
    assert!(lines.iter().all(|line| line.as_array().unwrap().len() < 5), "a straight walk");
    let wrong = city.client("worker").get(&format!("/api/v1/patrols/{id}/track?tolerance=-1"));
    wrong.expect_problem(400, "invalid_query");
    let gpx = city.client("worker").get(&format!("/api/v1/patrols/{id}/gpx"));
    assert_eq!(gpx.header("content-type"), "application/gpx+xml");
    assert_eq!(gpx.text.matches("<trkseg>").count(), 2);
    assert_eq!(gpx.text.matches("<trkpt").count(), 100);
}

fn who_may_see_a_track_and_that_somebody_did(city: &City) {
    let (id, began) = on_the_way(city);
    send_points(city, &id, &point_bodies(0..10, began)).expect_success();
    let seen = || {
        let log = city.client("auditor").get("/api/v1/audit?act=track").expect_success();
        read_texts(&log, "/verdict")
    };
    get_track(city, "worker", &id, "");
    assert!(seen().is_empty(), "one's own");
    for by in ["grid_leader", "community", "dispatcher", "leader"] {
        get_track(city, by, &id, "");
    }
    assert_eq!(seen(), ["done"; 4]);
    let path = format!("/api/v1/patrols/{id}/track");
    for by in ["verifier", "inspector", "district", "auditor"] {
        city.client(by).get(&path).expect_problem(403, "not_permitted");
    }
    assert_eq!(seen().iter().filter(|verdict| *verdict == "refused").count(), 4);
    for by in ["admin", "resident", "far_grid_leader", "sibling", "worker@9902"] {
        city.client(by).get(&path).expect_problem(404, "not_found");
    }
    let log = city.client("auditor").get("/api/v1/audit?act=track&limit=1").expect_success();
    assert_eq!(read_text(&log, "/items/0/subject_id"), city.client("worker").id().to_string());
}

fn bad_batches_are_told_what_is_wrong(city: &City) {
    let (id, began) = on_the_way(city);
    let path = format!("/api/v1/patrols/{id}/points");
    assert_eq!(read_counts(send_points(city, &id, &[])), (0, 0, 0), "nothing is nothing");
    send_points(city, &id, &point_bodies(0..2001, began)).expect_fault("/points");
    let most: Vec<Value> = (0..2000)
        .map(|seq| {
            let mut one = point_body(0, began);
            one["seq"] = json!(seq);
            one["time"] = json!(began + Duration::milliseconds(1000 + seq));
            one
        })
        .collect();
    assert_eq!(
        read_counts(send_points(city, &id, &most)),
        (2000, 0, 0),
        "a crowd of points at one place"
    );
    let by = city.client("worker");
    let raw = |bytes: &[u8]| {
        by.call("POST", &path).header("Content-Type", "application/json").bytes(bytes).send()
    };
    raw(br#"{"points":[{"seq":1,"time":"2026-03-03T08:00:00+08:00","lng":NaN,"lat":1}]}"#)
        .expect_problem(400, "invalid_body");
    raw(br#"{"points":[{"seq":-1,"time":"2026-03-03T08:00:00+08:00","lng":1,"lat":1}]}"#)
        .expect_fault("/points/0/seq");
    raw(br#"{"points":[{"seq":1,"time":"yesterday","lng":1,"lat":1}]}"#)
        .expect_fault("/points/0/time");
    raw(br#"{"points":7}"#).expect_fault("/points");
    raw(&vec![b' '; 1_100_000]).expect_problem(413, "payload_too_large");
    let gzip = |bytes: Vec<u8>| {
        let call = by.call("POST", &path).header("Content-Type", "application/json");
        call.header("Content-Encoding", "gzip").bytes(bytes).send()
    };
    gzip(b"not gzip at all".to_vec()).expect_problem(400, "invalid_body");
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    bomb.write_all(&vec![b' '; 50_000_000]).unwrap();
    gzip(bomb.finish().unwrap()).expect_problem(413, "payload_too_large");
    let call = by.call("POST", &path).header("Content-Type", "application/json");
    call.header("Content-Encoding", "br")
        .bytes(*b"{}")
        .send()
        .expect_problem(415, "unsupported_media_type");
    let nan = json!({ "seq": 9000, "time": began, "lng": 1e308, "lat": 30, "accuracy": -1 });
    let shown = send_points(city, &id, &[nan]).expect_success();
    assert_eq!(list_reasons(&shown), ["bad_coordinate"]);
    let planned = crate::patrol::patrol_body(city, city.now());
    let planned = read_text(
        &city.client("grid_leader").post("/api/v1/patrols", &planned).expect_success(),
        "/id",
    );
    send_points(city, &planned, &point_bodies(0..1, began)).expect_problem(422, "wrong_state");
}

fn find_nearest(city: &City) -> Value {
    let grid = city.area_id(seed::GRID);
    let path = format!("/api/v1/areas/{grid}/nearest_workers?lng=110.005&lat=30.001");
    city.client("dispatcher").get(&path).expect_success()
}

fn the_nearest_are_those_on_duty_and_nobody_else(city: &City) {
    let (id, _) = on_the_way(city);
    let here = |seq: i64| {
        let mut here = point_body(0, city.now());
        here["seq"] = json!(seq);
        here["time"] = json!(city.now() - Duration::seconds(5));
        here
    };
    send_points(city, &id, &[here(0)]).expect_success();
    assert!(read_texts(&find_nearest(city), "/name").is_empty(), "not on duty");
    let shift = json!({ "area_id": city.area_id(seed::GRID) });
    city.client("worker").post("/api/v1/me/shift/start", &shift).expect_success();
    send_points(city, &id, &[here(1)]).expect_success();
    let found = find_nearest(city);
    assert_eq!(read_texts(&found, "/name"), ["网格员王芳"]);
    assert_eq!(found["items"][0]["distance_m"], 0.0);
    assert!(found["items"][0].get("lng").is_none(), "where exactly is nobody's business");
    let grid = city.area_id(seed::GRID);
    let path = format!("/api/v1/areas/{grid}/nearest_workers?lng=110&lat=30");
    city.client("worker").get(&path).expect_problem(403, "not_permitted");
    city.client("dispatcher")
        .get(&path.replace("lat=30", "lat=300"))
        .expect_problem(400, "invalid_query");
    set_consent(city, false);
    assert!(read_texts(&find_nearest(city), "/name").is_empty(), "nor without consent");
    set_consent(city, true);
    city.advance(Duration::seconds(30));
    send_points(city, &id, &[here(2)]).expect_success();
    assert_eq!(read_texts(&find_nearest(city), "/name").len(), 1);
    city.advance(Duration::minutes(31));
    assert!(read_texts(&find_nearest(city), "/name").is_empty(), "nor where somebody was long ago");
    send_points(city, &id, &[here(3)]).expect_success();
    assert_eq!(read_texts(&find_nearest(city), "/name").len(), 1);
    city.client("worker").post("/api/v1/me/shift/end", &json!({})).expect_success();
    assert!(read_texts(&find_nearest(city), "/name").is_empty());
}

/// A worker on duty and on patrol, at this latitude.
fn seen_at(city: &City, by: &str, lat: f64) {
    let body = json!({ "purpose": "track", "given": true, "version": "1" });
    city.client(by).post("/api/v1/me/consents", &body).expect_success();
    let (grid, until) = (city.area_id(seed::GRID), city.now() + Duration::hours(8));
    city.client(by).post("/api/v1/me/shift/start", &json!({ "area_id": grid })).expect_success();
    let body = json!({ "area_id": grid, "purpose": "routine", "until": until });
    let patrol =
        read_text(&city.client(by).post("/api/v1/patrols/begin", &body).expect_success(), "/id");
    city.advance(Duration::seconds(30));
    let mut here = point_body(0, city.now());
    (here["time"], here["lat"]) = (json!(city.now() - Duration::seconds(5)), json!(lat));
    let points = json!({ "points": [here] });
    city.client(by).post(&format!("/api/v1/patrols/{patrol}/points"), &points).expect_success();
}

fn a_look_is_offered_to_the_nearest_on_duty(city: &City) {
    let case = city.new_feedback_case();
    let look = |by: &str| {
        let todos = city.client(by).get("/api/v1/me/todos?duty=verify").expect_success();
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
    // The worker who claims it has it, near or far.
    city.take_step("worker", &case, "claim", &json!({}));
    let taken = look("verifier");
    assert_eq!((&taken["offered"], &taken["claim"]["by"]), (&json!(false), &json!("网格员王芳")));
    city.advance(Duration::hours(3));
    assert_eq!(look("verifier")["claim"], Value::Null, "it fell free");
}

fn coverage_is_told_by_places_and_time(city: &City) {
    set_consent(city, true);
    let mut body = crate::patrol::patrol_body(city, city.now());
    body["itinerary"]["route"] = json!([[110.005, 30.001], [110.005, 30.003]]);
    let id = read_text(
        &city.client("grid_leader").post("/api/v1/patrols", &body).expect_success(),
        "/id",
    );
    city.client("worker").post(&format!("/api/v1/patrols/{id}/start"), &json!({})).expect_success();
    let began = city.now();
    let path = format!("/api/v1/patrols/{id}/coverage");
    let nothing = city.client("worker").get(&path).expect_success();
    assert_eq!(
        (&nothing["tracked"], &nothing["checkpoint_share"]["of"]),
        (&json!(false), &json!(0))
    );
    city.advance(Duration::minutes(30));
    send_points(city, &id, &point_bodies(0..70, began)).expect_success();
    city.client("worker")
        .post(&format!("/api/v1/patrols/{id}/finish"), &json!({}))
        .expect_success();
    let shown = city.client("grid_leader").get(&path).expect_success();
    assert_eq!(shown["checkpoints"][0]["visited"], true, "{shown}");
    assert_eq!(shown["time_share"], 0.5, "{shown}");
    assert!(shown["route_share"]["share"].as_f64().unwrap() > 0.95, "{shown}");
    assert!((340..=346).contains(&shown["inside_s"].as_i64().unwrap()), "{shown}");
    assert!(shown["cell_share"]["of"].as_i64().unwrap() >= 9, "{shown}");
    assert!(shown["cell_share"]["all"].as_i64().unwrap() > 350, "{shown}");
    city.client("verifier").get(&path).expect_problem(403, "not_permitted");
}

fn points_go_when_their_time_is_over(city: &City) {
    let (id, began) = on_the_way(city);
    send_points(city, &id, &point_bodies(0..10, began)).expect_success();
    let count =
        || get_track(city, "worker", &id, "")["features"][0]["properties"]["points"].clone();
    let pass = || {
        let store = city.app.clone();
        System::new().block_on(api::resources::retention::run_pass(&store)).expect("it removes");
    };
    city.advance(Duration::days(100));
    pass();
    assert_eq!(count(), 10);
    let retention =
        json!({ "document": { "retention": { "tracks": 30 } }, "note": "轨迹保存三十天" });
    city.client("admin").post("/api/v1/policies/privacy", &retention).expect_success();
    city.advance(Duration::days(2));
    pass();
    assert_eq!(count(), 0);
    let shown = send_points(city, &id, &point_bodies(0..2, began)).expect_success();
    assert_eq!(list_reasons(&shown), ["expired"; 2]);
    let report = city.client("auditor").get("/api/v1/retention").expect_success();
    let tracks = report["items"].as_array().unwrap().iter();
    let tracks = tracks.filter(|item| item["class"] == "tracks").map(|item| &item["removed"]);
    assert_eq!(tracks.collect::<Vec<_>>(), [&json!(1)]);
}

/// The stored bytes of all batches, as they stand in the database.
fn load_blobs(city: &City) -> Vec<Vec<u8>> {
    let sqlite = city.database.url.starts_with("sqlite");
    let hex = if sqlite { "hex(blob)" } else { "encode(blob, 'hex')" };
    let sql = format!("select {hex} as line from track_batches");
    let byte = |line: &str, at: usize| u8::from_str_radix(&line[at..at + 2], 16).unwrap();
    let lines = probe::query_lines(&city.database.url, &sql).unwrap();
    lines.iter().map(|line| (0..line.len()).step_by(2).map(|at| byte(line, at)).collect()).collect()
}

fn tenant_id(city: &City) -> domain::core::id::TenantId {
    let worlds = city.app.worlds.all();
    worlds.iter().find(|world| world.tenant.code == "9901").unwrap().tenant.id
}

/// How many places a track shows.
fn track_of(city: &City, id: &str) -> usize {
    let track =
        city.client("grid_leader").get(&format!("/api/v1/patrols/{id}/track")).expect_success();
    track.to_string().matches("110.00").count()
}

fn points_and_positions_are_sealed_by_the_walkers_key(city: &City) {
    let (id, began) = on_the_way(city);
    assert_eq!(read_counts(send_points(city, &id, &point_bodies(0..60, began))), (60, 0, 0));
    assert!(load_blobs(city).iter().all(|blob| codec::decode(blob).is_none()), "readable points");
    assert!(track_of(city, &id) > 0);
    assert_eq!(
        read_counts(send_points(city, &id, &point_bodies(0..60, began))),
        (0, 60, 0),
        "known again"
    );
    // A batch does not open in the place of another.
    let backup = "create table backup as select * from track_batches;";
    probe::execute(&city.database.url, backup).unwrap();
    // The worker leaves office and is erased; a backup of the tracks is restored.
    city.client("worker")
        .post(&format!("/api/v1/patrols/{id}/finish"), &json!({}))
        .expect_success();
    let worker = city.client("worker").id();
    let person = city.client("admin").get(&format!("/api/v1/people/{worker}")).expect_success();
    for grant in person["grants"].as_array().unwrap() {
        let role = json!({ "role": grant["role"], "area_id": grant["area"]["id"] });
        city.client("admin")
            .post(&format!("/api/v1/people/{worker}/revoke"), &role)
            .expect_success();
    }
    let why = json!({ "reason": "离职后本人申请" });
    city.client("admin").post(&format!("/api/v1/people/{worker}/erasure"), &why).expect_success();
    assert!(load_blobs(city).is_empty());
    let restored = "insert into track_batches select * from backup;";
    probe::execute(&city.database.url, restored).unwrap();
    assert!(!load_blobs(city).is_empty());
    assert_eq!(track_of(city, &id), 0, "what was restored tells nothing");
    let tenant = tenant_id(city);
    let patrol = domain::core::id::PatrolId(id.parse().unwrap());
    let found = api::resources::patrol::load_fixes(&city.app, tenant, patrol);
    assert_eq!(System::new().block_on(found).unwrap(), Vec::new());
}

fn points_from_before_they_were_sealed_are_sealed_later(city: &City) {
    let (id, began) = on_the_way(city);
    send_points(city, &id, &point_bodies(0..60, began)).expect_success();
    let shown = track_of(city, &id);
    let tenant = tenant_id(city);
    let patrol = domain::core::id::PatrolId(id.parse().unwrap());
    let fixes =
        System::new().block_on(api::resources::patrol::load_fixes(&city.app, tenant, patrol));
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
        let sealing = api::resources::patrol::sealed::seal_open_batches(&city.app, tenant, 100);
        System::new().block_on(sealing).unwrap()
    };
    assert_eq!((seal(), seal()), (1, 0));
    assert!(load_blobs(city).iter().all(|blob| codec::decode(blob).is_none()));
    assert_eq!(track_of(city, &id), shown);
}
