//! Areas through time: what changes them, what stays, and who continues the work that was begun.

use actix_web::rt::System;
use api::app::state::App;
use chrono::{Days, NaiveDate};
use serde_json::{Value, json};

use crate::harness::{
    City, build_settings, new_key, on_both, read_text, read_texts, report_body_at, seed,
};

on_both! {
    an_area_is_as_it_was_on_a_day,
    a_future_change_comes_into_effect_on_its_day,
    new_reports_are_located_by_the_boundary_that_holds,
    what_a_merged_grid_owes_is_worked_by_its_successor,
    what_a_split_community_owes_is_worked_by_every_part,
    a_case_stays_where_it_was_when_its_community_moves,
    an_area_with_open_duties_needs_a_successor,
    nothing_new_happens_in_an_area_that_is_no_more,
    changes_of_areas_are_replayed_and_recorded,
    a_boundary_that_crosses_itself_is_refused_with_the_place,
    a_replica_follows_when_areas_change,
}

fn today(city: &City) -> NaiveDate {
    domain::core::time::local_day(city.now())
}

fn days_later(city: &City, days: u64) -> NaiveDate {
    today(city).checked_add_days(Days::new(days)).unwrap()
}

#[track_caller]
fn change_area(city: &City, area: &str, verb: &str, body: &Value) -> Value {
    city.client("admin").post(&format!("/api/v1/areas/{area}/{verb}"), body).expect_success()
}

#[track_caller]
fn get_area(city: &City, area: &str, query: &str) -> Value {
    city.client("nobody").get(&format!("/api/v1/areas/{area}{query}")).expect_success()
}

/// A new person with a role over an area, logged in.
fn register_login(city: &City, role: &str, area: &str) -> Login {
    let account = new_key().get(24..).unwrap_or_default().to_owned();
    let body = json!({
        "account": account, "name": format!("新{role}"), "password": seed::PASSWORD,
        "grants": [{ "role": role, "area_id": area }],
    });
    city.client("admin").post("/api/v1/people", &body).expect_success();
    Login { token: city.log_in_newcomer(&account) }
}

/// A person who logged in.
struct Login {
    token: String,
}

impl Login {
    fn get(&self, city: &City, path: &str) -> crate::harness::Answer {
        city.client("").call("GET", path).header("Authorization", &self.bearer_header()).send()
    }

    fn post(&self, city: &City, path: &str, body: &Value) -> crate::harness::Answer {
        let call =
            city.client("").call("POST", path).header("Authorization", &self.bearer_header());
        call.key(&new_key()).json(body).send()
    }

    fn bearer_header(&self) -> String {
        format!("Bearer {}", self.token)
    }
}

/// A square as GeoJSON.
fn build_square(west: f64, south: f64, east: f64, north: f64) -> Value {
    let ring = json!([[west, south], [east, south], [east, north], [west, north], [west, south]]);
    json!({ "type": "Polygon", "coordinates": [ring] })
}

fn an_area_is_as_it_was_on_a_day(city: &City) {
    let grid = city.area_id(seed::GRID);
    let before = today(city);
    city.advance(chrono::Duration::days(3));
    change_area(city, &grid, "rename", &json!({ "name": "枫林甲格" }));
    assert_eq!(get_area(city, &grid, "")["name"], "枫林甲格");
    assert_eq!(get_area(city, &grid, &format!("?at={before}"))["name"], "枫林一格");
    let parent = city.area_id(seed::COMMUNITY);
    let listed = |at: NaiveDate| {
        let path = format!("/api/v1/areas?parent={parent}&at={at}");
        read_texts(&city.client("worker").get(&path).expect_success(), "/name")
    };
    assert_eq!(listed(before), ["枫林一格", "枫林微网格"]);
    assert_eq!(listed(today(city)), ["枫林甲格", "枫林微网格"]);
    assert_eq!(listed(before.pred_opt().unwrap()), Vec::<String>::new(), "it was not there");
    let long_ago = format!("/api/v1/areas/{grid}?at=2000-01-01");
    city.client("worker").get(&long_ago).expect_problem(404, "not_found");
    let history =
        city.client("worker").get(&format!("/api/v1/areas/{grid}/history")).expect_success();
    assert_eq!(read_texts(&history, "/name"), ["枫林一格", "枫林甲格"]);
    city.client("worker").get("/api/v1/areas?at=yesterday").expect_problem(400, "invalid_query");
}

fn a_future_change_comes_into_effect_on_its_day(city: &City) {
    let grid = city.area_id(seed::NEXT);
    let body = json!({ "name": "竹园甲格", "effective_on": days_later(city, 2) });
    change_area(city, &grid, "rename", &body);
    assert_eq!(get_area(city, &grid, "")["name"], "竹园一格");
    assert_eq!(get_area(city, &grid, &format!("?at={}", days_later(city, 2)))["name"], "竹园甲格");
    city.advance(chrono::Duration::days(2));
    let patience = std::time::Instant::now();
    let located = || {
        let path = "/api/v1/areas/locate?lng=110.015&lat=30.005";
        city.client("admin").get(path).expect_success()["name"].clone()
    };
    // Every replica looks for itself.
    while located() != "竹园甲格" {
        assert!(patience.elapsed().as_secs() < 20, "the day came and nothing happened");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let report = city
        .client("resident")
        .post("/api/v1/reports", &report_body_at(110.015, 30.005))
        .expect_success();
    assert_eq!(report["place"]["area"]["name"], "竹园甲格");
    let body = json!({ "name": "太早", "effective_on": "2020-01-01" });
    let path = format!("/api/v1/areas/{grid}/rename");
    city.client("admin").post(&path, &body).expect_problem(422, "effect_outside");
}

fn new_reports_are_located_by_the_boundary_that_holds(city: &City) {
    let (grid, next) = (city.area_id(seed::GRID), city.area_id(seed::NEXT));
    let old = city
        .client("resident")
        .post("/api/v1/reports", &report_body_at(110.008, 30.005))
        .expect_success();
    assert_eq!(old["place"]["area"]["id"], grid);
    change_area(
        city,
        &grid,
        "redraw",
        &json!({ "boundary": build_square(110.0, 30.0, 110.006, 30.01) }),
    );
    change_area(
        city,
        &next,
        "redraw",
        &json!({ "boundary": build_square(110.006, 30.0, 110.02, 30.01) }),
    );
    let new = city
        .client("resident")
        .post("/api/v1/reports", &report_body_at(110.008, 30.005))
        .expect_success();
    assert_eq!(new["place"]["area"]["id"], next);
    let path = format!("/api/v1/reports/{}", read_text(&old, "/id"));
    let again = city.client("resident").get(&path).expect_success();
    assert_eq!(again["place"], old["place"], "what was reported stays where it was");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

/// A case the community dispatched to its grid, which owes to sign it.
fn owed_by_the_grid(city: &City) -> String {
    let case = city.new_filed_case();
    let unit = json!({ "unit_id": city.area_id(seed::GRID) });
    city.take_step("community", &case, "dispatch", &unit);
    case
}

fn what_a_merged_grid_owes_is_worked_by_its_successor(city: &City) {
    let (grid, next) = (city.area_id(seed::GRID), city.area_id(seed::NEXT));
    let heir = register_login(city, "grid_worker", &next);
    let case = owed_by_the_grid(city);
    let path = format!("/api/v1/cases/{case}");
    heir.get(city, &path).expect_problem(404, "not_found");
    let merged = change_area(city, &next, "merge", &json!({ "with": [grid] }));
    assert_eq!(read_texts(&merged, "/event"), ["redrawn", "retired"]);
    let todos = heir.get(city, "/api/v1/me/todos?duty=sign").expect_success();
    assert_eq!(read_texts(&todos, "/flow_id"), [case.as_str()]);
    let same = heir.get(city, &path).expect_success();
    assert_eq!(same["place"]["area"]["name"], "枫林一格", "the case stays where it was");
    heir.post(city, &format!("{path}/sign"), &json!({})).expect_success();
    heir.post(city, &format!("{path}/feedback"), &json!({ "result": "已清理" })).expect_success();
    let retired = get_area(city, &grid, "");
    assert_eq!(retired["successor_ids"], json!([next]));
    assert_eq!(retired["valid_until"], json!(today(city)));
    // Its ground belongs to the successor now.
    let located =
        city.client("worker").get("/api/v1/areas/locate?lng=110.008&lat=30.005").expect_success();
    assert_eq!(located["id"], json!(next));
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn what_a_split_community_owes_is_worked_by_every_part(city: &City) {
    let old = city.area_id(seed::COMMUNITY);
    let case = city.new_filed_case();
    let (first, second) = (new_key(), new_key());
    let part = |id: &str, code: &str, child: &str| {
        json!({
            "area": { "id": id, "code": code, "name": format!("枫林{code}") },
            "child_ids": [city.area_id(child)],
        })
    };
    let body = json!({ "parts": [
        part(&first, "990101001601", seed::GRID), part(&second, "990101001602", seed::MICRO),
    ] });
    change_area(city, &old, "split", &body);
    let officers = [&first, &second].map(|area| register_login(city, "community_officer", area));
    let path = format!("/api/v1/cases/{case}");
    for officer in &officers {
        let todos = officer.get(city, "/api/v1/me/todos?duty=dispatch").expect_success();
        assert_eq!(read_texts(&todos, "/flow_id"), [case.as_str()]);
    }
    // Either may hand it on to a grid that lies in its part now.
    let unit = json!({ "unit_id": city.area_id(seed::GRID) });
    officers[1].post(city, &format!("{path}/dispatch"), &unit).expect_success();
    let community = city.client("community").get(&path).expect_success();
    assert_eq!(community["id"], json!(case), "whoever held it before still may");
}

fn a_case_stays_where_it_was_when_its_community_moves(city: &City) {
    let (community, far) = (city.area_id(seed::COMMUNITY), city.area_id(seed::FAR_STREET));
    let case = city.new_filed_case();
    let path = format!("/api/v1/cases/{case}");
    let there = register_login(city, "street_dispatcher", &far);
    there.get(city, &path).expect_problem(404, "not_found");
    change_area(city, &community, "transfer", &json!({ "parent_id": far }));
    assert_eq!(get_area(city, &community, "")["above"][2]["name"], "绿水街道");
    assert_eq!(get_area(city, &city.area_id(seed::GRID), "")["above"][2]["name"], "绿水街道");
    there.get(city, &path).expect_success();
    city.client("dispatcher").get(&path).expect_success();
    city.take_step("community", &case, "escalate", &json!({ "reason": "社区没有执法权" }));
    assert_eq!(city.get_case("community", &case)["holder"]["name"], "绿水街道");
    let unit = json!({ "unit_id": city.area_id(seed::GRID) });
    there.post(city, &format!("{path}/dispatch"), &unit).expect_success();
    let new = city.submit_report();
    there.get(city, &format!("/api/v1/reports/{new}")).expect_success();
    // Who may leave depends on where the community is now, not on where it was.
    let leaving = format!("/api/v1/people/{}/leave", city.client("community").id());
    let leave = || city.client("admin").post(&leaving, &json!({ "reason": "调离" }));
    leave().expect_problem(422, "open_work");
    register_login(city, "community_officer", &city.area_id(seed::STREET));
    leave().expect_problem(422, "open_work");
    let staff = |area: &str| {
        let path = format!("/api/v1/people?limit=100&area_id={area}");
        read_texts(&city.client("admin").get(&path).expect_success(), "/account")
    };
    assert!(staff(&far).contains(&"community".to_owned()), "who worked there works there still");
    register_login(city, "community_officer", &far);
    leave().expect_success();
    let far_off = city.client("dispatcher").get(&format!("/api/v1/reports/{new}"));
    far_off.expect_problem(404, "not_found");
}

fn an_area_with_open_duties_needs_a_successor(city: &City) {
    let (grid, next) = (city.area_id(seed::GRID), city.area_id(seed::NEXT));
    owed_by_the_grid(city);
    let path = format!("/api/v1/areas/{grid}/retire");
    let refused = city.client("admin").post(&path, &json!({})).expect_problem(422, "duties_left");
    assert_eq!(refused["count"], 2, "to sign and to handle");
    city.client("admin").post(&path, &json!({ "successor_ids": [next] })).expect_success();
    let community = format!("/api/v1/areas/{}/retire", city.area_id(seed::COMMUNITY));
    city.client("admin").post(&community, &json!({})).expect_problem(422, "children_left");
    let empty = format!("/api/v1/areas/{}/retire", city.area_id(seed::MICRO));
    city.client("admin").post(&empty, &json!({})).expect_success();
}

fn nothing_new_happens_in_an_area_that_is_no_more(city: &City) {
    let (grid, next) = (city.area_id(seed::GRID), city.area_id(seed::NEXT));
    let case = city.new_filed_case();
    change_area(city, &grid, "retire", &json!({ "successor_ids": [next] }));
    let unit = json!({ "unit_id": grid });
    let refused =
        city.post_step("community", &case, "dispatch", &unit).expect_problem(422, "area_retired");
    assert_eq!(refused["successors"], json!(["竹园一格"]));
    let body = json!({ "text": "油烟", "place": { "area_id": grid } });
    city.client("resident").post("/api/v1/reports", &body).expect_problem(422, "area_retired");
    let grant = json!({
        "account": "xinren", "name": "新人", "password": seed::PASSWORD,
        "grants": [{ "role": "grid_worker", "area_id": grid }],
    });
    city.client("admin").post("/api/v1/people", &grant).expect_problem(422, "area_retired");
    assert_eq!(get_area(city, &grid, "")["successor_ids"], json!([next]), "it stays readable");
}

fn changes_of_areas_are_replayed_and_recorded(city: &City) {
    let parent = city.area_id(seed::COMMUNITY);
    let body = json!({
        "kind": "grid", "parent_id": parent,
        "area": {
            "code": "990101001001003", "name": "枫林三格", "households": 240,
            "boundary": build_square(110.0, 30.01, 110.01, 30.02),
        },
    });
    let (made, once) = (new_key(), city.client("admin"));
    let first = once.post_as(&made, "/api/v1/areas", &body);
    assert_eq!(first.status, 201, "{}", first.text);
    let location = first.header("location").to_owned();
    let again = once.post_as(&made, "/api/v1/areas", &body);
    assert_eq!((again.status, again.header("location")), (201, location.as_str()));
    assert_eq!(again.body, first.body);
    let mut other = body;
    other["area"]["name"] = json!("别的");
    once.post_as(&made, "/api/v1/areas", &other).expect_problem(422, "idempotency_key_reused");
    let shown = city.client("worker").get(&location).expect_success();
    assert_eq!((&shown["households"], &shown["scheme"]), (&json!(240), &json!("grid15")));
    let path = format!("{location}/describe");
    let stale = once.call("POST", &path).header("If-Match", "\"0\"").key(&new_key());
    stale.json(&json!({ "households": 250 })).send().expect_problem(412, "stale");
    let counted = json!({ "households": 250, "grid_kind": "comprehensive" });
    once.post(&path, &counted).expect_success();
    let recorded = city.client("worker").get("/api/v1/areas/changes?limit=2").expect_success();
    assert_eq!(read_texts(&recorded, "/what"), ["describe", "create"]);
    assert_eq!(recorded["items"][0]["by"], "管理员");
    let next = recorded["next"].as_str().unwrap();
    let older =
        city.client("worker").get(&format!("/api/v1/areas/changes?cursor={next}")).expect_success();
    assert_eq!(read_texts(&older, "/what"), ["import"]);
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn a_boundary_that_crosses_itself_is_refused_with_the_place(city: &City) {
    let ring =
        json!([[110.0, 30.01], [110.01, 30.02], [110.01, 30.01], [110.0, 30.02], [110.0, 30.01]]);
    let bowtie = json!({ "type": "Polygon", "coordinates": [ring] });
    let path = format!("/api/v1/areas/{}/redraw", city.area_id(seed::GRID));
    let refused = city.client("admin").post(&path, &json!({ "boundary": bowtie }));
    let refused = refused.expect_problem(422, "bad_boundary");
    let error = &refused["errors"][0];
    assert_eq!(error["code"], "self_intersection");
    assert!(error["message"].as_str().unwrap().contains("110.005, 30.015"), "{error}");
    let repaired = json!({ "boundary": bowtie, "repair": true });
    let done = city.client("admin").post(&path, &repaired).expect_success();
    assert_eq!(done["items"][0]["repaired"], true);
    let swapped = json!({ "boundary": build_square(30.0, 110.0, 30.01, 110.01) });
    let refused = city.client("admin").post(&path, &swapped).expect_problem(422, "bad_boundary");
    assert_eq!(refused["errors"][0]["code"], "swapped");
    let line = json!({ "boundary": { "type": "LineString", "coordinates": [] } });
    city.client("admin").post(&path, &line).expect_problem(400, "invalid_body");
}

fn a_replica_follows_when_areas_change(city: &City) {
    let grid = city.area_id(seed::GRID);
    System::new().block_on(async {
        let settings = build_settings(&city.database.url);
        let replica = App::open(settings, city.clock()).await.expect("another replica");
        let name = || {
            let world = replica.worlds.find_by_code(Some(seed::CITY)).expect("the city");
            world.areas.find_by_code(seed::GRID).expect("the grid").name.clone()
        };
        change_area(city, &grid, "rename", &json!({ "name": "枫林甲格" }));
        assert_eq!(name(), "枫林一格");
        replica.worlds.refresh(&replica.store).await.expect("it can look");
        assert_eq!(name(), "枫林甲格");
        replica.store.close();
    });
}
