//! Appointments: handed over, suspended, left; the rights of roles; shifts.

use chrono::Duration;
use serde_json::{Value, json};

use crate::harness::{Answer, City, new_key, on_both, read_texts, report_body_at, seed};

on_both! {
    a_post_is_handed_over_in_one_step,
    who_leaves_with_open_work_names_a_successor,
    who_left_is_out_at_once_and_may_come_back,
    a_suspended_account_is_closed_until_it_is_opened,
    nobody_changes_the_own_rights,
    of_two_administrators_who_take_each_others_rights_one_is_left,
    who_grants_does_not_audit,
    a_tenant_says_what_its_roles_allow,
    roles_that_mix_power_are_refused_with_their_places,
    a_shift_is_seen_by_the_own_desk_and_ends_by_itself,
}

fn post_step(city: &City, by: &str, account: &str, verb: &str, body: &Value) -> Answer {
    let person = city.client(account).id();
    city.client(by).post(&format!("/api/v1/people/{person}/{verb}"), body)
}

fn transfer_body(city: &City, role: &str, area: &str, to: &str) -> Value {
    let to = city.client(to).id();
    json!({ "role": role, "area_id": city.area_id(area), "to_person_id": to, "reason": "岗位调整" })
}

fn count_todos(city: &City, by: &str) -> usize {
    city.client(by).get("/api/v1/me/todos").expect_success()["items"].as_array().unwrap().len()
}

fn log_in(city: &City, account: &str) -> Answer {
    let body = json!({ "tenant": seed::CITY, "account": account, "password": seed::PASSWORD });
    city.client("").post("/api/v1/auth/login", &body)
}

fn a_post_is_handed_over_in_one_step(city: &City) {
    city.new_dispatched_case();
    assert_eq!((count_todos(city, "community"), count_todos(city, "nobody")), (2, 0));
    let grant = json!({
        "role": "hotline", "area_id": city.area_id(seed::COMMUNITY), "post": "枫林社区副主任",
    });
    post_step(city, "admin", "community", "grant", &grant).expect_success();
    let body = transfer_body(city, "community_officer", seed::COMMUNITY, "nobody");
    let path = format!("/api/v1/people/{}/hand_over", city.client("community").id());
    let key = new_key();
    let send = || {
        let call = city.client("admin").call("POST", &path).header("Idempotency-Key", &key);
        call.json(&body).send()
    };
    let shown = send().expect_success();
    assert_eq!(shown["grants"].as_array().unwrap().len(), 1, "the other role stays");
    assert_eq!(send().expect_success(), shown, "sent again it is answered again");
    assert_eq!(
        (count_todos(city, "community"), count_todos(city, "nobody")),
        (0, 2),
        "the work stays there"
    );
    let held = city.client("nobody").get("/api/v1/me").expect_success();
    assert_eq!(held["grants"][0]["role"], "community_officer");
    let again = post_step(city, "admin", "community", "hand_over", &body);
    again.expect_problem(422, "no_such_grant");
    let mut unknown = transfer_body(city, "hotline", seed::COMMUNITY, "nobody");
    unknown["to_person_id"] = json!(city.area_id(seed::GRID));
    post_step(city, "admin", "community", "hand_over", &unknown)
        .expect_problem(422, "unknown_person");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn who_leaves_with_open_work_names_a_successor(city: &City) {
    city.new_dispatched_case();
    let mut body = json!({ "reason": "退休" });
    let refused =
        post_step(city, "admin", "community", "leave", &body).expect_problem(422, "open_work");
    assert_eq!(refused["units"], json!(["枫林社区"]));
    body["to_person_id"] = json!(city.client("nobody").id());
    let left = post_step(city, "admin", "community", "leave", &body).expect_success();
    assert_eq!((&left["standing"], &left["grants"]), (&json!("left"), &json!([])));
    assert_eq!(count_todos(city, "nobody"), 2);
    // No one else dispatches for the street, but nothing is open there.
    post_step(city, "admin", "far_dispatcher", "leave", &json!({ "reason": "调离" }))
        .expect_success();
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn who_left_is_out_at_once_and_may_come_back(city: &City) {
    let report = report_body_at(110.005, 30.005);
    city.client("worker").post("/api/v1/reports", &report).expect_success();
    post_step(city, "admin", "worker", "leave", &json!({ "reason": "辞职" })).expect_success();
    city.client("worker").post("/api/v1/reports", &report).expect_problem(401, "unauthenticated");
    let refresh =
        json!({ "tenant": seed::CITY, "refresh_token": city.seed_data().people["worker"].refresh });
    city.client("")
        .post("/api/v1/auth/refresh", &refresh)
        .expect_problem(401, "credentials_invalid");
    let closed = log_in(city, "worker").expect_problem(403, "account_closed");
    assert_eq!(closed["standing"], "left");
    post_step(city, "admin", "worker", "suspend", &json!({ "reason": "x" }))
        .expect_problem(422, "wrong_state");
    let grant = json!({ "role": "grid_worker", "area_id": city.area_id(seed::NEXT) });
    let back = post_step(city, "admin", "worker", "grant", &grant).expect_success();
    assert_eq!(back["standing"], "active");
    log_in(city, "worker").expect_success();
    city.client("worker").get("/api/v1/me").expect_problem(401, "unauthenticated");
}

fn a_suspended_account_is_closed_until_it_is_opened(city: &City) {
    post_step(city, "admin", "worker", "suspend", &json!({ "reason": "借调" })).expect_success();
    city.client("worker").get("/api/v1/me").expect_problem(401, "unauthenticated");
    log_in(city, "worker").expect_problem(403, "account_closed");
    let body =
        json!({ "tenant": seed::CITY, "account": "worker", "password": "wrong wrong wrong" });
    let guessed = city.client("").post("/api/v1/auth/login", &body);
    guessed.expect_problem(401, "credentials_invalid");
    let opened = post_step(city, "admin", "worker", "reinstate", &json!({})).expect_success();
    assert_eq!(opened["grants"].as_array().unwrap().len(), 1, "nothing was lost");
    log_in(city, "worker").expect_success();
    post_step(city, "far_admin", "worker", "suspend", &json!({ "reason": "x" }))
        .expect_problem(403, "not_permitted");
}

fn nobody_changes_the_own_rights(city: &City) {
    let role = json!({ "role": "street_leader", "area_id": city.area_id(seed::STREET) });
    post_step(city, "admin", "admin", "grant", &role).expect_problem(422, "own_rights");
    let own = json!({ "role": "administrator", "area_id": city.area_id(seed::CITY) });
    post_step(city, "admin", "admin", "revoke", &own).expect_problem(422, "own_rights");
    post_step(city, "admin", "admin", "leave", &json!({ "reason": "走" }))
        .expect_problem(422, "own_rights");
    let body = transfer_body(city, "grid_worker", seed::GRID, "admin");
    post_step(city, "admin", "worker", "hand_over", &body).expect_problem(422, "own_rights");
    let held = city.client("worker").get("/api/v1/me").expect_success();
    assert_eq!(held["grants"].as_array().unwrap().len(), 1, "nothing happened halfway");
}

fn of_two_administrators_who_take_each_others_rights_one_is_left(city: &City) {
    let role = json!({ "role": "administrator", "area_id": city.area_id(seed::CITY) });
    post_step(city, "admin", "nobody", "grant", &role).expect_success();
    let take = |by: &str, of: &str| post_step(city, by, of, "revoke", &role).status;
    let statuses = std::thread::scope(|scope| {
        let one = scope.spawn(|| take("admin", "nobody"));
        let other = scope.spawn(|| take("nobody", "admin"));
        [one.join().unwrap(), other.join().unwrap()]
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    let administers = |account: &str| {
        let answer = city.client(account).get("/api/v1/me").expect_success();
        answer["grants"].as_array().unwrap().iter().any(|grant| grant["role"] == "administrator")
    };
    assert!(administers("admin") != administers("nobody"));
    // A person whose own role ends by itself takes no one else's.
    let (left, other) =
        if administers("admin") { ("admin", "nobody") } else { ("nobody", "admin") };
    let mut passing = role.clone();
    passing["until"] = json!((city.now() + Duration::days(1)).to_rfc3339());
    post_step(city, left, other, "grant", &passing).expect_success();
    let refused =
        post_step(city, other, left, "revoke", &role).expect_problem(422, "last_administrator");
    assert_eq!(refused["area"], "测试市");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn who_grants_does_not_audit(city: &City) {
    let audit = json!({ "role": "auditor", "area_id": city.area_id(seed::GRID) });
    let refused =
        post_step(city, "admin", "far_admin", "grant", &audit).expect_problem(422, "roles_apart");
    assert_eq!((&refused["held"], &refused["asked"]), (&json!("administrator"), &json!("auditor")));
    let administer = json!({ "role": "administrator", "area_id": city.area_id(seed::GRID) });
    post_step(city, "admin", "auditor", "grant", &administer).expect_problem(422, "roles_apart");
    let body = transfer_body(city, "administrator", seed::FAR_DISTRICT, "auditor");
    post_step(city, "admin", "far_admin", "hand_over", &body).expect_problem(422, "roles_apart");
}

fn publish_roles(city: &City, roles: &Value) -> Answer {
    let body = json!({ "document": { "roles": roles }, "note": "权限调整" });
    city.client("admin").post("/api/v1/policies/roles", &body)
}

fn a_tenant_says_what_its_roles_allow(city: &City) {
    let shipped = city.client("admin").get("/api/v1/policies/roles").expect_success();
    assert_eq!(shipped["document"]["roles"].as_array().unwrap().len(), 15);
    let report = report_body_at(110.005, 30.005);
    city.client("leader").post("/api/v1/reports", &report).expect_problem(403, "not_permitted");
    let leader =
        json!({ "role": "street_leader", "permissions": ["report_problem", "read_cases"] });
    publish_roles(city, &json!([leader])).expect_success();
    city.client("leader").post("/api/v1/reports", &report).expect_success();
    let street = city.new_street_case();
    let unit = json!({ "unit_id": city.area_id(seed::COMMUNITY) });
    let dispatch = || city.post_step("leader", &street, "dispatch", &unit);
    assert_eq!(dispatch().expect_problem(403, "not_permitted")["permission"], "dispatch_case");
    publish_roles(city, &json!([])).expect_success();
    dispatch().expect_success();
}

fn roles_that_mix_power_are_refused_with_their_places(city: &City) {
    let entry = |role: &str, all: &[&str]| json!({ "role": role, "permissions": all });
    let refused = publish_roles(
        city,
        &json!([
            entry("resident", &["report_problem", "close_case"]),
            entry("administrator", &["manage_people", "manage_areas", "handle_case"]),
            entry("street_leader", &["read_audit"]),
            entry("resident", &["report_problem"]),
        ]),
    )
    .expect_problem(422, "unsound");
    let faults = refused["errors"].as_array().unwrap();
    let at: Vec<(&str, &str)> = faults
        .iter()
        .map(|fault| (fault["pointer"].as_str().unwrap(), fault["code"].as_str().unwrap()))
        .collect();
    assert_eq!(
        at,
        [
            ("/document/roles/0/permissions/1", "separated"),
            ("/document/roles/1/permissions/2", "separated"),
            ("/document/roles/1/permissions", "permission_missing"),
            ("/document/roles/2/permissions/0", "separated"),
            ("/document/roles/3/role", "role_twice"),
        ]
    );
    publish_roles(city, &json!([entry("mayor", &[])])).expect_problem(400, "invalid_body");
}

fn a_shift_is_seen_by_the_own_desk_and_ends_by_itself(city: &City) {
    let start = |by: &str, area: &str, until: Option<domain::Instant>| {
        let mut body = json!({ "area_id": city.area_id(area) });
        if let Some(until) = until {
            body["until"] = json!(until.to_rfc3339());
        }
        city.client(by).post("/api/v1/me/shift/start", &body)
    };
    let shown = start("worker", seed::GRID, None).expect_success();
    assert_eq!(shown["shift"]["area"]["name"], "枫林一格");
    let late = city.now() + Duration::hours(17);
    assert_eq!(
        start("worker", seed::GRID, Some(late)).expect_problem(422, "shift_too_long")["hours"],
        16
    );
    start("worker", seed::NEXT, None).expect_problem(403, "not_permitted");
    start("resident", seed::GRID, None).expect_problem(403, "not_permitted");
    let list = |by: &str, area: &str| {
        city.client(by).get(&format!("/api/v1/areas/{}/on_duty", city.area_id(area)))
    };
    let on_duty = |area: &str| read_texts(&list("leader", area).expect_success(), "/name").len();
    assert_eq!((on_duty(seed::STREET), on_duty(seed::GRID), on_duty(seed::NEXT)), (1, 1, 0));
    list("sibling", seed::GRID).expect_problem(403, "not_permitted");
    let listed = city.client("admin").get("/api/v1/people?on_duty=true").expect_success();
    assert_eq!(read_texts(&listed, "/account"), ["worker"]);
    city.client("worker").post("/api/v1/me/shift/end", &json!({})).expect_success();
    assert_eq!(on_duty(seed::STREET), 0);
    city.client("worker")
        .post("/api/v1/me/shift/end", &json!({}))
        .expect_problem(422, "not_on_duty");
    start("worker", seed::GRID, None).expect_success();
    city.advance(Duration::hours(8));
    assert_eq!(on_duty(seed::STREET), 0, "nobody has to remember to end it");
    start("worker", seed::GRID, None).expect_success();
    let role = json!({ "role": "grid_worker", "area_id": city.area_id(seed::GRID) });
    let revoked = post_step(city, "admin", "worker", "revoke", &role).expect_success();
    assert_eq!(revoked["shift"], Value::Null);
    assert_eq!(on_duty(seed::STREET), 0);
}
