//! People: registered, granted, revoked.

use chrono::Duration;
use serde_json::{Value, json};

use crate::harness::{Answer, City, on_both, read_text, read_texts, report_body_at, seed};

on_both! {
    somebody_new_is_registered_and_logs_in,
    an_account_is_unique,
    a_grant_counts_from_the_next_request_on,
    a_revoked_role_is_gone_at_once,
    a_grant_ends_by_itself,
    power_is_given_only_within_the_own_area,
    a_new_password_ends_every_login,
    everybody_changes_the_own_password,
    a_password_has_bounds,
    people_are_listed_to_whom_they_concern,
    a_name_is_corrected,
    a_person_holds_so_many_grants,
    passwords_leave_no_trace,
}

fn register_person(city: &City, by: &str, body: &Value) -> Answer {
    city.client(by).post("/api/v1/people", body)
}

fn newcomer_body(city: &City, area: &str) -> Value {
    json!({
        "account": "linshi", "name": "临时巡查员", "password": seed::PASSWORD,
        "grants": [{ "role": "grid_worker", "area_id": city.area_id(area) }],
    })
}

fn log_in(city: &City, account: &str, password: &str) -> Answer {
    let body = json!({ "tenant": seed::CITY, "account": account, "password": password });
    city.client("").post("/api/v1/auth/login", &body)
}

fn post_step(city: &City, by: &str, person: &str, verb: &str, body: &Value) -> Answer {
    city.client(by).post(&format!("/api/v1/people/{person}/{verb}"), body)
}

fn somebody_new_is_registered_and_logs_in(city: &City) {
    let answer = register_person(city, "admin", &newcomer_body(city, seed::GRID));
    assert_eq!((answer.status, answer.header("etag")), (201, "\"1\""));
    let (place, person) = (answer.header("location").to_owned(), answer.expect_success());
    assert_eq!(place, format!("/api/v1/people/{}", read_text(&person, "/id")));
    assert_eq!(city.client("admin").get(&place).expect_success(), person);
    let access = city.log_in_newcomer("linshi");
    let call = city.client("").call("POST", "/api/v1/reports");
    let call = call.header("Authorization", &format!("Bearer {access}"));
    call.json(&report_body_at(110.005, 30.005)).send().expect_success();
}

fn an_account_is_unique(city: &City) {
    let mut body = newcomer_body(city, seed::GRID);
    body["account"] = json!("worker");
    let refused = register_person(city, "admin", &body).expect_problem(409, "account_taken");
    assert_eq!(refused["what"], "account");
    body["account"] = json!("another");
    body["id"] = json!(city.client("worker").id());
    register_person(city, "admin", &body).expect_problem(409, "already_exists");
}

fn a_grant_counts_from_the_next_request_on(city: &City) {
    city.client("nobody").get("/api/v1/me").expect_success();
    let report = report_body_at(110.005, 30.005);
    city.client("nobody").post("/api/v1/reports", &report).expect_problem(403, "not_permitted");
    let person = city.client("nobody").id().to_string();
    let grant = json!({ "role": "grid_worker", "area_id": city.area_id(seed::GRID) });
    let granted = post_step(city, "admin", &person, "grant", &grant).expect_success();
    assert_eq!(
        (&granted["seq"], &granted["grants"][0]["role"]),
        (&json!(2), &json!("grid_worker"))
    );
    city.client("nobody").post("/api/v1/reports", &report).expect_success();
}

fn a_revoked_role_is_gone_at_once(city: &City) {
    let case = city.new_filed_case();
    city.get_case("community", &case);
    let person = city.client("community").id().to_string();
    let nobody = city.client("nobody").id().to_string();
    let role = json!({ "role": "community_officer", "area_id": city.area_id(seed::COMMUNITY) });
    post_step(city, "admin", &nobody, "grant", &role).expect_success();
    post_step(city, "admin", &person, "revoke", &role).expect_success();
    city.client("community").get(&format!("/api/v1/cases/{case}")).expect_problem(404, "not_found");
    post_step(city, "admin", &person, "revoke", &role).expect_problem(422, "no_such_grant");
}

fn a_grant_ends_by_itself(city: &City) {
    let person = city.client("nobody").id().to_string();
    let area = city.area_id(seed::GRID);
    let until = |at: domain::Instant| json!({ "role": "grid_worker", "area_id": area, "until": at.to_rfc3339() });
    let past = until(city.now() - Duration::minutes(1));
    post_step(city, "admin", &person, "grant", &past).expect_problem(422, "empty_period");
    let soon = until(city.now() + Duration::hours(1));
    post_step(city, "admin", &person, "grant", &soon).expect_success();
    let report = report_body_at(110.005, 30.005);
    city.client("nobody").post("/api/v1/reports", &report).expect_success();
    city.advance(Duration::hours(1));
    city.client("nobody").post("/api/v1/reports", &report).expect_problem(403, "not_permitted");
    assert_eq!(city.client("nobody").get("/api/v1/me").expect_success()["grants"], json!([]));
}

fn power_is_given_only_within_the_own_area(city: &City) {
    register_person(city, "far_admin", &newcomer_body(city, seed::GRID))
        .expect_problem(403, "not_permitted");
    let person = read_text(
        &register_person(city, "far_admin", &newcomer_body(city, seed::EAST)).expect_success(),
        "/id",
    );
    let grant = json!({ "role": "administrator", "area_id": city.area_id(seed::CITY) });
    post_step(city, "far_admin", &person, "grant", &grant).expect_problem(403, "not_permitted");
    // Nor over people elsewhere, however harmless.
    let worker = city.client("worker").id().to_string();
    let grant = json!({ "role": "resident", "area_id": city.area_id(seed::EAST) });
    post_step(city, "far_admin", &worker, "grant", &grant).expect_problem(403, "not_permitted");
    let password = json!({ "password": "a brand new passphrase" });
    post_step(city, "far_admin", &worker, "password", &password)
        .expect_problem(403, "not_permitted");
    let admin = city.client("admin").id().to_string();
    post_step(city, "far_admin", &admin, "password", &password)
        .expect_problem(403, "not_permitted");
    // People without the role at all.
    for by in ["leader", "district", "worker", "nobody"] {
        register_person(city, by, &newcomer_body(city, seed::GRID))
            .expect_problem(403, "not_permitted");
    }
    let unknown = json!({ "role": "hotline", "area_id": city.area_id("990201") });
    post_step(city, "admin", &worker, "grant", &unknown).expect_problem(422, "unknown_area");
}

fn a_new_password_ends_every_login(city: &City) {
    let person = city.client("worker").id().to_string();
    city.client("worker").get("/api/v1/me").expect_success();
    let body = json!({ "password": "a brand new passphrase" });
    post_step(city, "admin", &person, "password", &body).expect_success();
    city.client("worker").get("/api/v1/me").expect_problem(401, "unauthenticated");
    log_in(city, "worker", seed::PASSWORD).expect_problem(401, "credentials_invalid");
    log_in(city, "worker", "a brand new passphrase").expect_success();
}

fn everybody_changes_the_own_password(city: &City) {
    let me = city.client("resident").id().to_string();
    let change = |old: &str, new: &str| {
        let body = json!({ "old_password": old, "password": new });
        city.client("resident").post("/api/v1/me/password", &body)
    };
    change("not the old one", "a brand new passphrase").expect_problem(422, "old_password_wrong");
    change(seed::PASSWORD, seed::PASSWORD).expect_problem(422, "password_unacceptable");
    let easy = change(seed::PASSWORD, "password2024").expect_problem(422, "password_unacceptable");
    assert_eq!(easy["reason"], "guessable");
    change(seed::PASSWORD, "a brand new passphrase").expect_success();
    city.client("resident").get("/api/v1/me").expect_problem(401, "unauthenticated");
    log_in(city, "resident", "a brand new passphrase").expect_success();
    // A token alone is not enough, no matter who has it.
    let body = json!({ "password": "another brand new one" });
    let admin = city.client("admin").id().to_string();
    post_step(city, "admin", &admin, "password", &body).expect_problem(422, "old_password_wrong");
    let other = city.client("neighbour").id().to_string();
    post_step(city, "neighbour", &me, "password", &body).expect_problem(403, "not_permitted");
    city.client("neighbour").get(&format!("/api/v1/people/{other}")).expect_success();
    city.client("neighbour").get(&format!("/api/v1/people/{me}")).expect_problem(404, "not_found");
}

fn a_password_has_bounds(city: &City) {
    let mut body = newcomer_body(city, seed::GRID);
    for wrong in ["short", "", "linshi", &"长".repeat(129)] {
        body["password"] = json!(wrong);
        register_person(city, "admin", &body).expect_problem(422, "password_unacceptable");
    }
    body["password"] = json!("密码短语足够长就可以");
    register_person(city, "admin", &body).expect_success();
    // Administrators need a longer password.
    let grant = json!([{ "role": "administrator", "area_id": city.area_id(seed::GRID) }]);
    let mut body = json!({
        "account": "guanli", "name": "管理", "password": "Xk7#pQ2vLm9", "grants": grant,
    });
    let short = register_person(city, "admin", &body).expect_problem(422, "password_unacceptable");
    assert_eq!((&short["reason"], &short["min"]), (&json!("too_short"), &json!(12)));
    body["password"] = json!("Xk7#pQ2vLm9-8w");
    register_person(city, "admin", &body).expect_success();
}

fn people_are_listed_to_whom_they_concern(city: &City) {
    let list = |by: &str, query: &str| {
        let answer =
            city.client(by).get(&format!("/api/v1/people?limit=100{query}")).expect_success();
        read_texts(&answer, "/account")
    };
    let accounts = list("admin", "");
    let mut sorted = accounts.clone();
    sorted.sort_unstable();
    assert_eq!((accounts.len(), &accounts), (seed::EVERYBODY, &sorted));
    let names = list("community", "");
    assert_eq!(names, ["community", "grid_leader", "verifier", "worker"], "the own staff");
    let street = list("leader", "&role=grid_worker");
    assert_eq!(street, ["next_worker", "verifier", "worker"]);
    let beside = format!("&area_id={}", city.area_id(seed::EAST));
    assert_eq!(list("community", &beside), Vec::<String>::new());
    assert_eq!(list("admin", &beside), ["far_grid_leader", "far_worker"]);
    assert_eq!(list("leader", "&role=resident"), Vec::<String>::new(), "residents are no staff");
    for by in ["resident", "nobody", "hotline", "client"] {
        city.client(by).get("/api/v1/people").expect_problem(403, "not_permitted");
    }
    let worker = format!("/api/v1/people/{}", city.client("worker").id());
    city.client("community").get(&worker).expect_success();
    city.client("sibling").get(&worker).expect_problem(404, "not_found");
    let resident = format!("/api/v1/people/{}", city.client("resident").id());
    city.client("district").get(&resident).expect_problem(404, "not_found");
    let unknown = format!("/api/v1/people?area_id={}", city.client("worker").id());
    city.client("admin").get(&unknown).expect_problem(422, "unknown_area");
}

fn a_name_is_corrected(city: &City) {
    let worker = city.client("worker").id().to_string();
    let body = json!({ "name": "王芳芳" });
    let shown = post_step(city, "admin", &worker, "rename", &body).expect_success();
    assert_eq!(shown["name"], "王芳芳");
    assert_eq!(city.client("worker").get("/api/v1/me").expect_success()["name"], "王芳芳");
    post_step(city, "worker", &worker, "rename", &body).expect_problem(403, "not_permitted");
    post_step(city, "admin", &worker, "rename", &json!({ "name": "" }))
        .expect_problem(400, "invalid_body");
}

/// Roles over places, each only once.
fn list_grants(city: &City) -> Vec<Value> {
    let roles = ["hotline", "grid_worker", "resident", "volunteer"];
    let here = |code: &&String| code.starts_with(seed::CITY);
    let areas = city.seed_data().areas.iter().filter(|(code, _)| here(code)).map(|(_, id)| id);
    let each = areas
        .flat_map(|area| roles.map(|role| json!({ "role": role, "area_id": area.to_string() })));
    each.take(51).collect()
}

fn a_person_holds_so_many_grants(city: &City) {
    let mut all = list_grants(city);
    let mut body = newcomer_body(city, seed::GRID);
    body["grants"] = json!(all);
    assert_eq!(
        register_person(city, "admin", &body).expect_problem(422, "too_many_grants")["max"],
        50
    );
    let last = all.pop().unwrap();
    body["grants"] = json!(all);
    let person = read_text(&register_person(city, "admin", &body).expect_success(), "/id");
    post_step(city, "admin", &person, "grant", &last).expect_problem(422, "too_many_grants");
    let renewed = post_step(city, "admin", &person, "grant", &all[0]).expect_success();
    assert_eq!(renewed["grants"].as_array().unwrap().len(), 50, "a renewal is no further grant");
}

fn passwords_leave_no_trace(city: &City) {
    let answer = register_person(city, "admin", &newcomer_body(city, seed::GRID));
    assert!(!answer.text.contains(seed::PASSWORD) && !answer.text.contains("argon2"));
    let rows =
        persistence::probe::query_lines(&city.database.url, "select events as line from journal");
    assert!(
        rows.unwrap().iter().all(|row| !row.contains(seed::PASSWORD) && !row.contains("argon2"))
    );
}
