//! People: registered, granted, revoked.

use chrono::Duration;
use serde_json::{Value, json};

use crate::harness::{Answer, City, each, on_both, report_at, seed, text};

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

fn register(city: &City, by: &str, body: &Value) -> Answer {
    city.by(by).post("/api/v1/people", body)
}

fn newcomer(city: &City, area: &str) -> Value {
    json!({
        "account": "linshi", "name": "临时巡查员", "password": seed::PASSWORD,
        "grants": [{ "role": "grid_worker", "area_id": city.area(area) }],
    })
}

fn token(city: &City, account: &str, password: &str) -> Answer {
    let body = json!({ "tenant": seed::CITY, "account": account, "password": password });
    city.by("").post("/api/v1/auth/login", &body)
}

fn ask(city: &City, by: &str, person: &str, verb: &str, body: &Value) -> Answer {
    city.by(by).post(&format!("/api/v1/people/{person}/{verb}"), body)
}

fn somebody_new_is_registered_and_logs_in(city: &City) {
    let answer = register(city, "admin", &newcomer(city, seed::GRID));
    assert_eq!((answer.status, answer.header("etag")), (201, "\"1\""));
    let (place, person) = (answer.header("location").to_owned(), answer.done());
    assert_eq!(place, format!("/api/v1/people/{}", text(&person, "/id")));
    assert_eq!(city.by("admin").get(&place).done(), person);
    let access = city.settled("linshi");
    let call = city.by("").call("POST", "/api/v1/reports");
    let call = call.header("Authorization", &format!("Bearer {access}"));
    call.json(&report_at(110.005, 30.005)).send().done();
}

fn an_account_is_unique(city: &City) {
    let mut body = newcomer(city, seed::GRID);
    body["account"] = json!("worker");
    let refused = register(city, "admin", &body).problem(409, "account_taken");
    assert_eq!(refused["what"], "account");
    body["account"] = json!("another");
    body["id"] = json!(city.by("worker").id());
    register(city, "admin", &body).problem(409, "already_exists");
}

fn a_grant_counts_from_the_next_request_on(city: &City) {
    city.by("nobody").get("/api/v1/me").done();
    let report = report_at(110.005, 30.005);
    city.by("nobody").post("/api/v1/reports", &report).problem(403, "not_permitted");
    let person = city.by("nobody").id().to_string();
    let grant = json!({ "role": "grid_worker", "area_id": city.area(seed::GRID) });
    let granted = ask(city, "admin", &person, "grant", &grant).done();
    assert_eq!(
        (&granted["seq"], &granted["grants"][0]["role"]),
        (&json!(2), &json!("grid_worker"))
    );
    city.by("nobody").post("/api/v1/reports", &report).done();
}

fn a_revoked_role_is_gone_at_once(city: &City) {
    let case = city.filed();
    city.case("community", &case);
    let person = city.by("community").id().to_string();
    let role = json!({ "role": "community_officer", "area_id": city.area(seed::COMMUNITY) });
    ask(city, "admin", &person, "revoke", &role).done();
    city.by("community").get(&format!("/api/v1/cases/{case}")).problem(404, "not_found");
    ask(city, "admin", &person, "revoke", &role).problem(422, "no_such_grant");
}

fn a_grant_ends_by_itself(city: &City) {
    let person = city.by("nobody").id().to_string();
    let area = city.area(seed::GRID);
    let until = |at: domain::Instant| json!({ "role": "grid_worker", "area_id": area, "until": at.to_rfc3339() });
    let past = until(city.now() - Duration::minutes(1));
    ask(city, "admin", &person, "grant", &past).problem(422, "empty_period");
    let soon = until(city.now() + Duration::hours(1));
    ask(city, "admin", &person, "grant", &soon).done();
    let report = report_at(110.005, 30.005);
    city.by("nobody").post("/api/v1/reports", &report).done();
    city.advance(Duration::hours(1));
    city.by("nobody").post("/api/v1/reports", &report).problem(403, "not_permitted");
    assert_eq!(city.by("nobody").get("/api/v1/me").done()["grants"], json!([]));
}

fn power_is_given_only_within_the_own_area(city: &City) {
    register(city, "far_admin", &newcomer(city, seed::GRID)).problem(403, "not_permitted");
    let person = text(&register(city, "far_admin", &newcomer(city, seed::EAST)).done(), "/id");
    let grant = json!({ "role": "administrator", "area_id": city.area(seed::CITY) });
    ask(city, "far_admin", &person, "grant", &grant).problem(403, "not_permitted");
    // Nor over people elsewhere, however harmless.
    let worker = city.by("worker").id().to_string();
    let grant = json!({ "role": "resident", "area_id": city.area(seed::EAST) });
    ask(city, "far_admin", &worker, "grant", &grant).problem(403, "not_permitted");
    let password = json!({ "password": "a brand new passphrase" });
    ask(city, "far_admin", &worker, "password", &password).problem(403, "not_permitted");
    let admin = city.by("admin").id().to_string();
    ask(city, "far_admin", &admin, "password", &password).problem(403, "not_permitted");
    // People without the role at all.
    for by in ["leader", "district", "worker", "nobody"] {
        register(city, by, &newcomer(city, seed::GRID)).problem(403, "not_permitted");
    }
    let unknown = json!({ "role": "hotline", "area_id": city.area("990201") });
    ask(city, "admin", &worker, "grant", &unknown).problem(422, "unknown_area");
}

fn a_new_password_ends_every_login(city: &City) {
    let person = city.by("worker").id().to_string();
    city.by("worker").get("/api/v1/me").done();
    let body = json!({ "password": "a brand new passphrase" });
    ask(city, "admin", &person, "password", &body).done();
    city.by("worker").get("/api/v1/me").problem(401, "unauthenticated");
    token(city, "worker", seed::PASSWORD).problem(401, "credentials_invalid");
    token(city, "worker", "a brand new passphrase").done();
}

fn everybody_changes_the_own_password(city: &City) {
    let me = city.by("resident").id().to_string();
    let change = |old: &str, new: &str| {
        let body = json!({ "old_password": old, "password": new });
        city.by("resident").post("/api/v1/me/password", &body)
    };
    change("not the old one", "a brand new passphrase").problem(422, "old_password_wrong");
    change(seed::PASSWORD, seed::PASSWORD).problem(422, "password_unacceptable");
    let easy = change(seed::PASSWORD, "password2024").problem(422, "password_unacceptable");
    assert_eq!(easy["reason"], "guessable");
    change(seed::PASSWORD, "a brand new passphrase").done();
    city.by("resident").get("/api/v1/me").problem(401, "unauthenticated");
    token(city, "resident", "a brand new passphrase").done();
    // A token alone is not enough, no matter who has it.
    let body = json!({ "password": "another brand new one" });
    let admin = city.by("admin").id().to_string();
    ask(city, "admin", &admin, "password", &body).problem(422, "old_password_wrong");
    let other = city.by("neighbour").id().to_string();
    ask(city, "neighbour", &me, "password", &body).problem(403, "not_permitted");
    city.by("neighbour").get(&format!("/api/v1/people/{other}")).done();
    city.by("neighbour").get(&format!("/api/v1/people/{me}")).problem(404, "not_found");
}

fn a_password_has_bounds(city: &City) {
    let mut body = newcomer(city, seed::GRID);
    for wrong in ["short", "", "linshi", &"长".repeat(129)] {
        body["password"] = json!(wrong);
        register(city, "admin", &body).problem(422, "password_unacceptable");
    }
    body["password"] = json!("密码短语足够长就可以");
    register(city, "admin", &body).done();
    // Administrators need a longer password.
    let grant = json!([{ "role": "administrator", "area_id": city.area(seed::GRID) }]);
    let mut body = json!({
        "account": "guanli", "name": "管理", "password": "Xk7#pQ2vLm9", "grants": grant,
    });
    let short = register(city, "admin", &body).problem(422, "password_unacceptable");
    assert_eq!((&short["reason"], &short["min"]), (&json!("too_short"), &json!(12)));
    body["password"] = json!("Xk7#pQ2vLm9-8w");
    register(city, "admin", &body).done();
}

fn people_are_listed_to_whom_they_concern(city: &City) {
    let list = |by: &str, query: &str| {
        let answer = city.by(by).get(&format!("/api/v1/people?limit=100{query}")).done();
        each(&answer, "/account")
    };
    let accounts = list("admin", "");
    let mut sorted = accounts.clone();
    sorted.sort_unstable();
    assert_eq!((accounts.len(), &accounts), (seed::EVERYBODY, &sorted));
    let names = list("community", "");
    assert_eq!(names, ["community", "grid_leader", "verifier", "worker"], "the own staff");
    let street = list("leader", "&role=grid_worker");
    assert_eq!(street, ["next_worker", "verifier", "worker"]);
    let beside = format!("&area_id={}", city.area(seed::EAST));
    assert_eq!(list("community", &beside), Vec::<String>::new());
    assert_eq!(list("admin", &beside), ["far_grid_leader", "far_worker"]);
    assert_eq!(list("leader", "&role=resident"), Vec::<String>::new(), "residents are no staff");
    for by in ["resident", "nobody", "hotline", "client"] {
        city.by(by).get("/api/v1/people").problem(403, "not_permitted");
    }
    let worker = format!("/api/v1/people/{}", city.by("worker").id());
    city.by("community").get(&worker).done();
    city.by("sibling").get(&worker).problem(404, "not_found");
    let resident = format!("/api/v1/people/{}", city.by("resident").id());
    city.by("district").get(&resident).problem(404, "not_found");
    let unknown = format!("/api/v1/people?area_id={}", city.by("worker").id());
    city.by("admin").get(&unknown).problem(422, "unknown_area");
}

fn a_name_is_corrected(city: &City) {
    let worker = city.by("worker").id().to_string();
    let body = json!({ "name": "王芳芳" });
    let shown = ask(city, "admin", &worker, "rename", &body).done();
    assert_eq!(shown["name"], "王芳芳");
    assert_eq!(city.by("worker").get("/api/v1/me").done()["name"], "王芳芳");
    ask(city, "worker", &worker, "rename", &body).problem(403, "not_permitted");
    ask(city, "admin", &worker, "rename", &json!({ "name": "" })).problem(400, "invalid_body");
}

/// Roles over places, each only once.
fn places(city: &City) -> Vec<Value> {
    let roles = ["hotline", "grid_worker", "resident", "volunteer"];
    let here = |code: &&String| code.starts_with(seed::CITY);
    let areas = city.seeded().areas.iter().filter(|(code, _)| here(code)).map(|(_, id)| id);
    let each = areas
        .flat_map(|area| roles.map(|role| json!({ "role": role, "area_id": area.to_string() })));
    each.take(51).collect()
}

fn a_person_holds_so_many_grants(city: &City) {
    let mut all = places(city);
    let mut body = newcomer(city, seed::GRID);
    body["grants"] = json!(all);
    assert_eq!(register(city, "admin", &body).problem(422, "too_many_grants")["max"], 50);
    let last = all.pop().unwrap();
    body["grants"] = json!(all);
    let person = text(&register(city, "admin", &body).done(), "/id");
    ask(city, "admin", &person, "grant", &last).problem(422, "too_many_grants");
    let renewed = ask(city, "admin", &person, "grant", &all[0]).done();
    assert_eq!(renewed["grants"].as_array().unwrap().len(), 50, "a renewal is no further grant");
}

fn passwords_leave_no_trace(city: &City) {
    let answer = register(city, "admin", &newcomer(city, seed::GRID));
    assert!(!answer.text.contains(seed::PASSWORD) && !answer.text.contains("argon2"));
    let rows = persistence::probe::lines(&city.database.url, "select events as line from journal");
    assert!(
        rows.unwrap().iter().all(|row| !row.contains(seed::PASSWORD) && !row.contains("argon2"))
    );
}
