//! Campaigns: a list for workers, the outcome of each household, asked once.

use chrono::Duration;
use serde_json::{Value, json};

use crate::{
    form::publish_form,
    harness::{City, on_both, read_text, read_texts, report_body_at, seed},
    household::register_household,
};

on_both! {
    a_campaign_goes_from_a_list_to_counts,
    a_household_is_asked_once,
    whoever_is_sent_goes_even_from_another_grid,
    what_is_known_is_filled_in_before_somebody_goes,
    a_draft_is_nobodys_business_but_the_organisers,
    an_unfinished_grid_is_not_called_done,
    nobody_takes_the_place_of_a_visit_of_a_campaign,
    two_grids_done_at_once_are_both_done,
}

/// A campaign over the community, not published; its identity.
pub(crate) fn create_campaign(city: &City, form: Option<&str>) -> String {
    let body = json!({
        "name": "冬季取暖安全敲门行动", "purpose": "check", "area_id": city.area_id(seed::COMMUNITY),
        "until": city.now() + Duration::days(7), "form_id": form,
    });
    read_text(&city.client("community").post("/api/v1/campaigns", &body).expect_success(), "/id")
}

fn campaign_path(id: &str, verb: &str) -> String {
    format!("/api/v1/campaigns/{id}{verb}")
}

/// A campaign that runs over all households of the community.
fn run_campaign(city: &City, form: Option<&str>) -> String {
    let id = create_campaign(city, form);
    let all = json!({ "select": {} });
    city.client("community").post(&campaign_path(&id, "/assign"), &all).expect_success();
    city.client("community").post(&campaign_path(&id, "/publish"), &json!({})).expect_success();
    id
}

fn visit_body(campaign: &str, household: &str, outcome: &str) -> Value {
    json!({ "campaign_id": campaign, "household_id": household, "outcome": outcome })
}

fn get_progress(city: &City, id: &str) -> Value {
    let page = city.client("community").get(&campaign_path(id, "/progress")).expect_success();
    let one = &page["items"][0];
    json!([
        one["name"],
        one["households"],
        one["met"],
        one["nobody_home"],
        one["refused"],
        one["open"]
    ])
}

fn a_campaign_goes_from_a_list_to_counts(city: &City) {
    let homes: Vec<String> = (0..3).map(|_| register_household(city)).collect();
    let id = run_campaign(city, None);
    let todos = city.client("worker").get("/api/v1/me/todos?duty=visit").expect_success();
    assert_eq!(
        read_texts(&todos, "/flow_id"),
        std::slice::from_ref(&id),
        "one debt a grid, not one a door"
    );
    let listed = city
        .client("worker")
        .get(&campaign_path(&id, "/households?mine=true&open=true"))
        .expect_success();
    assert_eq!(listed["items"].as_array().unwrap().len(), 3);
    assert_eq!(get_progress(city, &id), json!(["枫林一格", 3, 0, 0, 0, 3]));
    for (home, outcome) in homes.iter().zip(["met", "nobody_home", "refused"]) {
        let visit = city
            .client("worker")
            .post("/api/v1/visits", &visit_body(&id, home, outcome))
            .expect_success();
        assert_eq!(visit["purposes"][0]["purpose"], "check");
    }
    assert_eq!(get_progress(city, &id), json!(["枫林一格", 3, 1, 1, 1, 0]));
    let workers =
        city.client("community").get(&campaign_path(&id, "/progress?by=worker")).expect_success();
    assert_eq!(
        json!([workers["items"][0]["id"], workers["items"][0]["households"]]),
        json!([null, 3])
    );
    let drill = city
        .client("community")
        .get(&campaign_path(&id, "/households?outcome=refused"))
        .expect_success();
    assert_eq!(read_texts(&drill, "/household/id"), [homes[2].clone()]);
    assert_eq!(
        city.client("worker").get("/api/v1/me/todos?duty=visit").expect_success()["items"],
        json!([])
    );
    let closed = city
        .client("community")
        .post(&campaign_path(&id, "/close"), &json!({ "note": "全部走访" }))
        .expect_success();
    assert_eq!(closed["status"], "closed");
    let late = city.client("worker").post("/api/v1/visits", &visit_body(&id, &homes[1], "met"));
    late.expect_problem(422, "wrong_state");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn a_household_is_asked_once(city: &City) {
    let home = register_household(city);
    let id = run_campaign(city, None);
    let first = city
        .client("worker")
        .post("/api/v1/visits", &visit_body(&id, &home, "nobody_home"))
        .expect_success();
    let mut again = visit_body(&id, &home, "met");
    again["needs"] = json!([{ "text": "煤炉没有烟道" }]);
    let second = city.client("verifier").post("/api/v1/visits", &again).expect_success();
    assert_eq!(second["id"], first["id"], "the second go is the same visit");
    assert_eq!(
        json!([second["goes"], second["outcome"], second["need_ids"].as_array().unwrap().len()]),
        json!([2, "met", 1])
    );
    assert_eq!(get_progress(city, &id), json!(["枫林一格", 1, 1, 0, 0, 0]));
    let other = register_household(city);
    city.client("worker")
        .post("/api/v1/visits", &visit_body(&id, &other, "met"))
        .expect_problem(422, "not_on_list");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn whoever_is_sent_goes_even_from_another_grid(city: &City) {
    let home = register_household(city);
    let id = create_campaign(city, None);
    let sent = json!({ "households": [{ "household_id": home, "worker_id": city.client("next_worker").id() }] });
    city.client("community").post(&campaign_path(&id, "/assign"), &sent).expect_success();
    city.client("next_worker").get(&campaign_path(&id, "")).expect_problem(404, "not_found");
    city.client("community").post(&campaign_path(&id, "/publish"), &json!({})).expect_success();
    assert_eq!(
        read_texts(&city.client("next_worker").get("/api/v1/campaigns").expect_success(), "/id"),
        std::slice::from_ref(&id)
    );
    let mine = city
        .client("next_worker")
        .get(&campaign_path(&id, "/households?mine=true"))
        .expect_success();
    assert_eq!(read_texts(&mine, "/household/id"), std::slice::from_ref(&home));
    // It is not given to the grid's own worker, who sees it all the same.
    let theirs =
        city.client("worker").get(&campaign_path(&id, "/households?mine=true")).expect_success();
    assert_eq!(theirs["items"], json!([]));
    let seen = city.client("worker").get(&campaign_path(&id, "/households")).expect_success();
    assert_eq!(read_texts(&seen, "/household/id"), std::slice::from_ref(&home));
    city.client("next_worker")
        .post("/api/v1/visits", &visit_body(&id, &home, "met"))
        .expect_success();
    let plain = json!({ "household_id": home, "purposes": ["check"], "outcome": "met" });
    let fault =
        city.client("next_worker").post("/api/v1/visits", &plain).expect_fault("/household_id");
    assert_eq!(fault, "unknown_household", "sent by the campaign, and no further");
    let by_worker =
        city.client("community").get(&campaign_path(&id, "/progress?by=worker")).expect_success();
    assert_eq!(
        json!([by_worker["items"][0]["name"], by_worker["items"][0]["met"]]),
        json!(["网格员周平", 1])
    );
}

fn what_is_known_is_filled_in_before_somebody_goes(city: &City) {
    let schema = json!({
        "type": "object", "title": "取暖安全", "x-order": ["grid", "heating", "alarm"], "required": ["grid", "heating", "alarm"],
        "properties": {
            "grid": { "type": "string", "title": "网格", "x-source": "grid" },
            "heating": { "type": "string", "title": "取暖方式", "enum": ["煤", "电", "气"] },
            "alarm": { "type": "boolean", "title": "有无报警器" },
        },
    });
    let form = publish_form(city, "heating", &schema);
    let home = register_household(city);
    let id = run_campaign(city, Some(&form));
    let listed =
        city.client("worker").get(&campaign_path(&id, "/households?mine=true")).expect_success();
    let known = &listed["items"][0]["form"];
    assert_eq!(
        json!([known["values"]["grid"]["value"], known["missing"]]),
        json!(["枫林一格", ["heating", "alarm"]])
    );
    let bare = city.client("worker").post("/api/v1/visits", &visit_body(&id, &home, "met"));
    let told = bare.expect_problem(422, "bad_answers");
    assert_eq!(told["errors"][0]["pointer"], "/form/changes/heating", "{told}");
    let mut first = visit_body(&id, &home, "met");
    first["form"] = json!({ "changes": { "heating": "煤", "alarm": false } });
    let done = city.client("worker").post("/api/v1/visits", &first).expect_success();
    assert_eq!(
        json!([done["form"]["counts"]["typed"], done["form"]["counts"]["reused"]]),
        json!([2, 1])
    );
    // Next year no known answer is typed again.
    let again = run_campaign(city, Some(&form));
    let done = city
        .client("worker")
        .post("/api/v1/visits", &visit_body(&again, &home, "met"))
        .expect_success();
    assert_eq!(
        json!([done["form"]["counts"]["typed"], done["form"]["counts"]["reused"]]),
        json!([0, 3])
    );
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn a_draft_is_nobodys_business_but_the_organisers(city: &City) {
    register_household(city);
    let id = create_campaign(city, None);
    for by in ["worker", "sibling", "resident", "client", "far_dispatcher", "worker@9902"] {
        city.client(by).get(&campaign_path(&id, "")).expect_problem(404, "not_found");
        assert_eq!(
            city.client(by).get("/api/v1/campaigns").expect_success()["items"],
            json!([]),
            "{by}"
        );
    }
    assert_eq!(
        read_texts(&city.client("dispatcher").get("/api/v1/campaigns").expect_success(), "/id"),
        std::slice::from_ref(&id)
    );
    city.client("community")
        .post(&campaign_path(&id, "/publish"), &json!({}))
        .expect_problem(422, "empty_list");
    let outside = json!({ "select": { "area_id": city.area_id(seed::SIBLING) } });
    city.client("community")
        .post(&campaign_path(&id, "/assign"), &outside)
        .expect_problem(422, "outside_jurisdiction");
    let none = json!({ "select": { "building": "99栋" } });
    city.client("community")
        .post(&campaign_path(&id, "/assign"), &none)
        .expect_problem(422, "empty_list");
    city.client("community")
        .post(&campaign_path(&id, "/assign"), &json!({ "select": { "group": "S03" } }))
        .expect_success();
    city.client("community").post(&campaign_path(&id, "/publish"), &json!({})).expect_success();
    city.client("worker").get(&campaign_path(&id, "")).expect_success();
    city.client("worker")
        .post(&campaign_path(&id, "/close"), &json!({}))
        .expect_problem(403, "not_permitted");
    city.client("sibling").get(&campaign_path(&id, "")).expect_problem(404, "not_found");
}

fn an_unfinished_grid_is_not_called_done(city: &City) {
    register_household(city);
    let id = run_campaign(city, None);
    city.client("community").post(&campaign_path(&id, "/close"), &json!({})).expect_success();
    let outcome = persistence::probe::query_lines(
        &city.database.url,
        "select outcome as line from obligations where duty = 'visit'",
    );
    assert_eq!(outcome.unwrap(), ["lifted"]);
}

fn nobody_takes_the_place_of_a_visit_of_a_campaign(city: &City) {
    let (home, other) = (register_household(city), register_household(city));
    let id = run_campaign(city, None);
    let visit = city
        .client("worker")
        .post("/api/v1/visits", &visit_body(&id, &home, "nobody_home"))
        .expect_success();
    let plain = json!({
        "id": visit["id"], "household_id": other, "purposes": ["check"], "outcome": "met",
    });
    let fault = city.client("worker").post("/api/v1/visits", &plain).expect_fault("/id");
    assert_eq!(fault, "reserved_id");
    // Nor beforehand, by anything that takes the place.
    let uuid = |id: &str| id.parse().unwrap();
    let taken = domain::flows::visit::Visit::id_of(
        domain::core::id::CampaignId(uuid(&id)),
        domain::core::id::HouseholdId(uuid(&other)),
    );
    let beforehand = json!({ "id": taken.0, "household_id": home, "purposes": ["check"] });
    city.client("worker").post("/api/v1/visits/plan", &beforehand).expect_fault("/id");
    let mut report = report_body_at(110.005, 30.005);
    report["id"] = json!(taken.0);
    city.client("worker").post("/api/v1/reports", &report).expect_fault("/id");
    let household = json!({ "id": taken.0, "area_id": city.area_id(seed::GRID) });
    city.client("worker").post("/api/v1/households", &household).expect_fault("/id");
    let case = json!({ "case_id": taken.0 });
    let path = format!("/api/v1/reports/{}/file", city.submit_report());
    city.client("community").post(&path, &case).expect_fault("/case_id");
    city.client("worker").post("/api/v1/visits", &visit_body(&id, &other, "met")).expect_success();
    assert_eq!(get_progress(city, &id), json!(["枫林一格", 2, 1, 1, 0, 0]));
}

fn two_grids_done_at_once_are_both_done(city: &City) {
    let next = json!({ "area_id": city.area_id(seed::NEXT), "building": "5栋" });
    for _ in 0..3 {
        let near = register_household(city);
        let far = read_text(
            &city.client("next_worker").post("/api/v1/households", &next).expect_success(),
            "/id",
        );
        let body = json!({
            "name": "冬季取暖安全敲门行动", "purpose": "check", "area_id": city.area_id(seed::STREET),
            "until": city.now() + Duration::days(7),
        });
        let id = read_text(
            &city.client("dispatcher").post("/api/v1/campaigns", &body).expect_success(),
            "/id",
        );
        let both = json!({ "households": [{ "household_id": near }, { "household_id": far }] });
        city.client("dispatcher").post(&campaign_path(&id, "/assign"), &both).expect_success();
        city.client("dispatcher")
            .post(&campaign_path(&id, "/publish"), &json!({}))
            .expect_success();
        std::thread::scope(|scope| {
            for (by, home) in [("worker", &near), ("next_worker", &far)] {
                let body = visit_body(&id, home, "met");
                scope.spawn(move || city.client(by).post("/api/v1/visits", &body).expect_success());
            }
        });
    }
    let open = "select duty as line from obligations where duty = 'visit' and outcome is null";
    assert_eq!(
        persistence::probe::query_lines(&city.database.url, open).unwrap(),
        Vec::<String>::new()
    );
}
