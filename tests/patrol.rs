//! Patrols: planned or unplanned, walked by one person, settled like every other debt.

use actix_web::rt::System;
use api::{app::state::App, integrations::scheduler};
use chrono::Duration;
use domain::Instant;
use serde_json::{Value, json};

use crate::harness::{
    City, build_settings, new_key, on_both, read_text, read_texts, report_body_at, seed,
};

on_both! {
    a_patrol_is_begun_paused_and_ended_by_one_person,
    reports_made_on_the_way_hang_on_it,
    a_planned_patrol_is_owed_until_somebody_went,
    what_is_told_days_later_is_a_late_entry_with_a_reason,
    plans_make_today_and_tomorrow_once,
    a_walk_not_taken_is_reminded_and_urged_and_no_more,
    what_cannot_be_is_refused_where_it_is,
}

/// A patrol of the worker over the grid, begun now.
pub(crate) fn begin_patrol(city: &City) -> String {
    let until = city.now() + Duration::hours(8);
    let body = json!({
        "area_id": city.area_id(seed::GRID), "purpose": "routine", "until": until,
    });
    read_text(&city.client("worker").post("/api/v1/patrols/begin", &body).expect_success(), "/id")
}

/// A patrol of the grid, planned from now on.
pub(crate) fn patrol_body(city: &City, from: Instant) -> Value {
    json!({
        "area_id": city.area_id(seed::GRID), "purpose": "safety",
        "window": { "from": from, "until": from + Duration::hours(2) },
        "itinerary": {
            "checkpoints": [{
                "name": "小学门口", "dwell_s": 0, "radius_m": 30,
                "point": { "lng": 110.005, "lat": 30.005, "coord_type": "wgs84" },
            }],
            "minutes": 60,
        },
    })
}

fn take_step(city: &City, by: &str, id: &str, verb: &str, body: &Value) -> Value {
    city.client(by).post(&format!("/api/v1/patrols/{id}/{verb}"), body).expect_success()
}

fn a_patrol_is_begun_paused_and_ended_by_one_person(city: &City) {
    let id = begin_patrol(city);
    let path = format!("/api/v1/patrols/{id}");
    let shown = city.client("grid_leader").get(&path).expect_success();
    assert_eq!((&shown["status"], &shown["worker"]), (&json!("started"), &json!("网格员王芳")));
    assert_eq!((&shown["planned"], &shown["owed"]), (&json!(false), &json!([])));
    let other = city.client("verifier").post(&format!("{path}/pause"), &json!({}));
    other.expect_problem(422, "not_your_patrol");
    city.client("far_worker").get(&path).expect_problem(404, "not_found");
    city.advance(Duration::minutes(30));
    take_step(city, "worker", &id, "pause", &json!({}));
    city.client("worker")
        .post(&format!("{path}/pause"), &json!({}))
        .expect_problem(422, "wrong_state");
    city.advance(Duration::minutes(30));
    take_step(city, "worker", &id, "resume", &json!({}));
    city.advance(Duration::minutes(10));
    let over = take_step(city, "worker", &id, "finish", &json!({ "note": "东侧楼道灯已修复" }));
    assert_eq!(
        (&over["status"], &over["remarks"][0]["text"]),
        (&json!("finished"), &json!("东侧楼道灯已修复"))
    );
    let active = over["active_s"].as_i64().unwrap();
    assert!((2395..2405).contains(&active), "40 minutes without the rest: {active}");
    take_step(city, "grid_leader", &id, "note", &json!({ "text": "已看" }));
    let mine = city.client("worker").get("/api/v1/patrols?mine=true").expect_success();
    assert_eq!(read_texts(&mine, "/id"), [id.as_str()]);
    assert!(
        read_texts(&city.client("far_worker").get("/api/v1/patrols").expect_success(), "/id")
            .is_empty()
    );
    let timeline = city.client("worker").get(&format!("{path}/timeline")).expect_success();
    let names = ["begin", "pause", "resume", "finish", "note"];
    assert_eq!(read_texts(&timeline, "/command"), names);
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn reports_made_on_the_way_hang_on_it(city: &City) {
    let id = begin_patrol(city);
    let mut report = report_body_at(110.005, 30.005);
    report["patrol_id"] = json!(id);
    let again = new_key();
    let made = city.client("worker").post_as(&again, "/api/v1/reports", &report).expect_success();
    assert_eq!(made["patrol_id"], json!(id));
    city.client("verifier").post("/api/v1/reports", &report).expect_problem(422, "no_such_patrol");
    let shown = city.client("grid_leader").get(&format!("/api/v1/patrols/{id}")).expect_success();
    assert_eq!(shown["reports"][0]["number"], made["number"]);
    city.advance(Duration::minutes(5));
    take_step(city, "worker", &id, "finish", &json!({}));
    city.advance(Duration::minutes(5));
    city.client("worker").post("/api/v1/reports", &report).expect_problem(422, "not_on_patrol");
    let replay = city.client("worker").post_as(&again, "/api/v1/reports", &report).expect_success();
    assert_eq!(replay["id"], made["id"], "a retry is answered as it was");
    // Typed on the way, sent when there was a signal again.
    report["client_time"] = json!(city.now() - Duration::minutes(7));
    city.client("worker").post("/api/v1/reports", &report).expect_success();
    report["patrol_id"] = json!(new_key());
    city.client("worker").post("/api/v1/reports", &report).expect_problem(422, "no_such_patrol");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn list_todos(city: &City) -> Vec<Value> {
    let todos = city.client("worker").get("/api/v1/me/todos?duty=patrol").expect_success();
    todos["items"].as_array().unwrap().clone()
}

fn a_planned_patrol_is_owed_until_somebody_went(city: &City) {
    let body = patrol_body(city, city.now());
    let asked = new_key();
    let made =
        city.client("grid_leader").post_as(&asked, "/api/v1/patrols", &body).expect_success();
    let id = read_text(&made, "/id");
    let again =
        city.client("grid_leader").post_as(&asked, "/api/v1/patrols", &body).expect_success();
    assert_eq!(again["id"], made["id"]);
    assert_eq!(list_todos(city).len(), 1);
    assert_eq!(list_todos(city)[0]["term"]["due_at"], made["window"]["until"]);
    city.client("next_worker")
        .get(&format!("/api/v1/patrols/{id}"))
        .expect_problem(404, "not_found");
    take_step(city, "worker", &id, "start", &json!({}));
    assert_eq!(list_todos(city).len(), 1, "to begin is not to have gone");
    take_step(city, "worker", &id, "finish", &json!({}));
    assert!(list_todos(city).is_empty());
    let second = read_text(
        &city.client("grid_leader").post("/api/v1/patrols", &body).expect_success(),
        "/id",
    );
    let reason = json!({ "reason": "暴雨红色预警" });
    let cancelled = take_step(city, "grid_leader", &second, "cancel", &reason);
    assert_eq!(cancelled["cancelled_because"], "暴雨红色预警");
    assert!(list_todos(city).is_empty());
    let start = format!("/api/v1/patrols/{second}/start");
    city.client("worker").post(&start, &json!({})).expect_problem(422, "wrong_state");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn what_is_told_days_later_is_a_late_entry_with_a_reason(city: &City) {
    let began = city.now() - Duration::days(2);
    let mut body = json!({
        "area_id": city.area_id(seed::GRID), "purpose": "visit",
        "client_time": began, "until": began + Duration::hours(3),
    });
    let path = "/api/v1/patrols/begin";
    city.client("worker").post(path, &body).expect_problem(422, "late_unexplained");
    body["late_reason"] = json!("手机没电，事后补录");
    let made = city.client("worker").post(path, &body).expect_success();
    assert_eq!(made["late_entry"], true);
    let id = read_text(&made, "/id");
    let finish = json!({ "client_time": began + Duration::hours(2) });
    let over = take_step(city, "worker", &id, "finish", &finish);
    assert_eq!((&over["late_entry"], &over["active_s"]), (&json!(true), &json!(7200)));
    assert_ne!(over["finished"]["at"], over["finished"]["received_at"], "both times are kept");
    let early = json!({
        "area_id": city.area_id(seed::GRID), "purpose": "visit", "until": city.now(),
        "client_time": city.now() + Duration::days(3),
    });
    city.client("worker").post(path, &early).expect_problem(422, "empty_period");
    body["client_time"] = json!(city.now() - Duration::days(200));
    city.client("worker").post(path, &body).expect_problem(422, "shift_too_long");
    body["until"] = json!(city.now() - Duration::days(200) + Duration::hours(3));
    city.client("worker").post(path, &body).expect_problem(422, "client_time_out_of_range");
}

async fn open_replica(city: &City) -> App {
    App::open(build_settings(&city.database.url), city.clock()).await.expect("another replica")
}

pub(crate) fn run_scheduler(city: &City) {
    let look = || {
        System::new().block_on(async {
            let app = open_replica(city).await;
            while scheduler::run_pass(&app).await.expect("it can look") > 0 {}
            app.store.close();
        });
    };
    std::thread::scope(|scope| {
        scope.spawn(look);
        scope.spawn(look);
    });
}

/// A plan for every day, with a window from midnight on, so that the time of the test is within
/// it or before the next.
pub(crate) fn plan_body(city: &City) -> Value {
    let today = domain::core::time::local_day(city.now());
    json!({
        "area_id": city.area_id(seed::GRID),
        "content": {
            "name": "每日巡查", "purpose": "routine", "recurrence": { "on": "daily" },
            "at": "08:00:00", "window_minutes": 900, "from": today,
            "itinerary": patrol_body(city, city.now())["itinerary"],
        },
    })
}

fn made_by(city: &City, plan: &str) -> Vec<String> {
    let list =
        city.client("grid_leader").get(&format!("/api/v1/patrols?plan={plan}")).expect_success();
    read_texts(&list, "/plan_day")
}

fn plans_make_today_and_tomorrow_once(city: &City) {
    let path = "/api/v1/patrol_plans";
    city.client("worker").post(path, &plan_body(city)).expect_problem(403, "not_permitted");
    let id =
        read_text(&city.client("grid_leader").post(path, &plan_body(city)).expect_success(), "/id");
    run_scheduler(city);
    let before = made_by(city, &id);
    assert!((1..=2).contains(&before.len()), "today, unless it is over, and tomorrow: {before:?}");
    run_scheduler(city);
    assert_eq!(made_by(city, &id), before, "each once");
    city.advance(Duration::days(1));
    run_scheduler(city);
    let after = made_by(city, &id);
    assert_eq!(after.len(), before.len() + 1);
    // Days on which the scheduler did not run are not made up.
    city.advance(Duration::days(10));
    run_scheduler(city);
    let later = made_by(city, &id);
    assert!(later.len() <= after.len() + 2, "{later:?}");
    let shown = city.client("grid_leader").get(&format!("{path}/{id}")).expect_success();
    assert_eq!(shown["made"], json!(later[0]));
    let mut content = plan_body(city)["content"].clone();
    content["recurrence"] = json!({ "on": "weekly", "days": [1, 1] });
    let amend = format!("{path}/{id}/amend");
    let at = city
        .client("grid_leader")
        .post(&amend, &json!({ "content": content }))
        .expect_fault("/content/recurrence/days");
    assert!(!at.is_empty());
    content["recurrence"] = json!({ "on": "working_days" });
    city.client("grid_leader").post(&amend, &json!({ "content": content })).expect_success();
    let retire = format!("{path}/{id}/retire");
    city.client("grid_leader").post(&retire, &json!({ "reason": "网格调整" })).expect_success();
    city.client("grid_leader")
        .post(&retire, &json!({ "reason": "网格调整" }))
        .expect_problem(422, "wrong_state");
    city.advance(Duration::days(3));
    run_scheduler(city);
    assert_eq!(made_by(city, &id), later, "nothing is made by a plan that ended");
    let list = city.client("grid_leader").get(&format!("{path}?standing=retired")).expect_success();
    assert_eq!(read_texts(&list, "/id"), [id.as_str()]);
    assert!(
        read_texts(&city.client("far_grid_leader").get(path).expect_success(), "/id").is_empty()
    );
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn a_walk_not_taken_is_reminded_and_urged_and_no_more(city: &City) {
    let body = patrol_body(city, city.now());
    let id = read_text(
        &city.client("grid_leader").post("/api/v1/patrols", &body).expect_success(),
        "/id",
    );
    city.advance(Duration::days(30));
    run_scheduler(city);
    let timeline =
        city.client("grid_leader").get(&format!("/api/v1/patrols/{id}/timeline")).expect_success();
    let events = timeline["items"].as_array().unwrap().iter();
    let events = events.flat_map(|item| item["events"].as_array().unwrap());
    let what: Vec<&str> = events.filter_map(|event| event["what"].as_str()).collect();
    assert_eq!(what, ["remind", "urge"]);
    assert_eq!(list_todos(city)[0]["overdue"], true);
    // A patrol that was walked late, in a window declared anew, is settled late.
    let now = city.now();
    let start = format!("/api/v1/patrols/{id}/start");
    city.client("worker").post(&start, &json!({})).expect_problem(422, "outside_window");
    let window = json!({ "window": { "from": now, "until": now + Duration::hours(1) } });
    city.client("worker").post(&start, &window).expect_success();
    take_step(city, "worker", &id, "finish", &json!({}));
    assert!(list_todos(city).is_empty());
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn what_cannot_be_is_refused_where_it_is(city: &City) {
    let by = city.client("grid_leader");
    let good = patrol_body(city, city.now());
    let with = |pointer: &str, value: Value| {
        let mut body = good.clone();
        *body.pointer_mut(pointer).unwrap() = value;
        by.post("/api/v1/patrols", &body)
    };
    with("/purpose", json!("fun")).expect_fault("/purpose");
    with("/itinerary/checkpoints/0/radius_m", json!(5))
        .expect_fault("/itinerary/checkpoints/0/radius_m");
    with("/itinerary/checkpoints/0/point/lat", json!(91))
        .expect_fault("/itinerary/checkpoints/0/point/lat");
    with("/itinerary/minutes", json!(0)).expect_fault("/itinerary/minutes");
    let one = good["itinerary"]["checkpoints"][0].clone();
    with("/itinerary/checkpoints", json!(vec![one; 101])).expect_fault("/itinerary/checkpoints");
    with("/area_id", json!(city.area_id(seed::CG))).expect_problem(422, "not_a_territory");
    with("/area_id", json!(new_key())).expect_problem(422, "unknown_area");
    with("/area_id", json!(city.area_id(seed::EAST))).expect_problem(403, "not_permitted");
    with("/window/until", json!(city.now() + Duration::hours(17)))
        .expect_problem(422, "shift_too_long");
    with("/window/until", json!(city.now() - Duration::hours(17)))
        .expect_problem(422, "outside_window");
    with("/window/from", json!(city.now() + Duration::days(400)))
        .expect_problem(422, "outside_window");
}
