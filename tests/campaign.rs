//! Campaigns: a list for workers, what came of each household, asked once.

use chrono::Duration;
use serde_json::{Value, json};

use crate::{
    form::published,
    harness::{City, each, on_both, report_at, seed, text},
    household::registered,
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
pub(crate) fn begun(city: &City, form: Option<&str>) -> String {
    let body = json!({
        "name": "冬季取暖安全敲门行动", "purpose": "check", "area_id": city.area(seed::COMMUNITY),
        "until": city.now() + Duration::days(7), "form_id": form,
    });
    text(&city.by("community").post("/api/v1/campaigns", &body).done(), "/id")
}

fn path(id: &str, verb: &str) -> String {
    format!("/api/v1/campaigns/{id}{verb}")
}

/// A campaign that runs over all households of the community.
fn running(city: &City, form: Option<&str>) -> String {
    let id = begun(city, form);
    let all = json!({ "select": {} });
    city.by("community").post(&path(&id, "/assign"), &all).done();
    city.by("community").post(&path(&id, "/publish"), &json!({})).done();
    id
}

fn go(campaign: &str, household: &str, outcome: &str) -> Value {
    json!({ "campaign_id": campaign, "household_id": household, "outcome": outcome })
}

fn progress(city: &City, id: &str) -> Value {
    let page = city.by("community").get(&path(id, "/progress")).done();
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
    let homes: Vec<String> = (0..3).map(|_| registered(city)).collect();
    let id = running(city, None);
    let todos = city.by("worker").get("/api/v1/me/todos?duty=visit").done();
    assert_eq!(
        each(&todos, "/flow_id"),
        std::slice::from_ref(&id),
        "one debt a grid, not one a door"
    );
    let listed = city.by("worker").get(&path(&id, "/households?mine=true&open=true")).done();
    assert_eq!(listed["items"].as_array().unwrap().len(), 3);
    assert_eq!(progress(city, &id), json!(["枫林一格", 3, 0, 0, 0, 3]));
    for (home, outcome) in homes.iter().zip(["met", "nobody_home", "refused"]) {
        let visit = city.by("worker").post("/api/v1/visits", &go(&id, home, outcome)).done();
        assert_eq!(visit["purposes"][0]["purpose"], "check");
    }
    assert_eq!(progress(city, &id), json!(["枫林一格", 3, 1, 1, 1, 0]));
    let workers = city.by("community").get(&path(&id, "/progress?by=worker")).done();
    assert_eq!(
        json!([workers["items"][0]["id"], workers["items"][0]["households"]]),
        json!([null, 3])
    );
    let drill = city.by("community").get(&path(&id, "/households?outcome=refused")).done();
    assert_eq!(each(&drill, "/household/id"), [homes[2].clone()]);
    assert_eq!(city.by("worker").get("/api/v1/me/todos?duty=visit").done()["items"], json!([]));
    let closed =
        city.by("community").post(&path(&id, "/close"), &json!({ "note": "全部走访" })).done();
    assert_eq!(closed["status"], "closed");
    let late = city.by("worker").post("/api/v1/visits", &go(&id, &homes[1], "met"));
    late.problem(422, "wrong_state");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn a_household_is_asked_once(city: &City) {
    let home = registered(city);
    let id = running(city, None);
    let first = city.by("worker").post("/api/v1/visits", &go(&id, &home, "nobody_home")).done();
    let mut again = go(&id, &home, "met");
    again["needs"] = json!([{ "text": "煤炉没有烟道" }]);
    let second = city.by("verifier").post("/api/v1/visits", &again).done();
    assert_eq!(second["id"], first["id"], "the second go is the same visit");
    assert_eq!(
        json!([second["goes"], second["outcome"], second["need_ids"].as_array().unwrap().len()]),
        json!([2, "met", 1])
    );
    assert_eq!(progress(city, &id), json!(["枫林一格", 1, 1, 0, 0, 0]));
    let other = registered(city);
    city.by("worker").post("/api/v1/visits", &go(&id, &other, "met")).problem(422, "not_on_list");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn whoever_is_sent_goes_even_from_another_grid(city: &City) {
    let home = registered(city);
    let id = begun(city, None);
    let sent = json!({ "households": [{ "household_id": home, "worker_id": city.by("next_worker").id() }] });
    city.by("community").post(&path(&id, "/assign"), &sent).done();
    city.by("next_worker").get(&path(&id, "")).problem(404, "not_found");
    city.by("community").post(&path(&id, "/publish"), &json!({})).done();
    assert_eq!(
        each(&city.by("next_worker").get("/api/v1/campaigns").done(), "/id"),
        std::slice::from_ref(&id)
    );
    let mine = city.by("next_worker").get(&path(&id, "/households?mine=true")).done();
    assert_eq!(each(&mine, "/household/id"), std::slice::from_ref(&home));
    // It is not given to the grid's own worker, who sees it all the same.
    let theirs = city.by("worker").get(&path(&id, "/households?mine=true")).done();
    assert_eq!(theirs["items"], json!([]));
    let seen = city.by("worker").get(&path(&id, "/households")).done();
    assert_eq!(each(&seen, "/household/id"), std::slice::from_ref(&home));
    city.by("next_worker").post("/api/v1/visits", &go(&id, &home, "met")).done();
    let plain = json!({ "household_id": home, "purposes": ["check"], "outcome": "met" });
    let fault = city.by("next_worker").post("/api/v1/visits", &plain).fault_at("/household_id");
    assert_eq!(fault, "unknown_household", "sent by the campaign, and no further");
    let by_worker = city.by("community").get(&path(&id, "/progress?by=worker")).done();
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
    let form = published(city, "heating", &schema);
    let home = registered(city);
    let id = running(city, Some(&form));
    let listed = city.by("worker").get(&path(&id, "/households?mine=true")).done();
    let known = &listed["items"][0]["form"];
    assert_eq!(
        json!([known["values"]["grid"]["value"], known["missing"]]),
        json!(["枫林一格", ["heating", "alarm"]])
    );
    let bare = city.by("worker").post("/api/v1/visits", &go(&id, &home, "met"));
    let told = bare.problem(422, "bad_answers");
    assert_eq!(told["errors"][0]["pointer"], "/form/changes/heating", "{told}");
    let mut first = go(&id, &home, "met");
    first["form"] = json!({ "changes": { "heating": "煤", "alarm": false } });
    let done = city.by("worker").post("/api/v1/visits", &first).done();
    assert_eq!(
        json!([done["form"]["counts"]["typed"], done["form"]["counts"]["reused"]]),
        json!([2, 1])
    );
    // Next year nothing that is known is typed again.
    let again = running(city, Some(&form));
    let done = city.by("worker").post("/api/v1/visits", &go(&again, &home, "met")).done();
    assert_eq!(
        json!([done["form"]["counts"]["typed"], done["form"]["counts"]["reused"]]),
        json!([0, 3])
    );
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn a_draft_is_nobodys_business_but_the_organisers(city: &City) {
    registered(city);
    let id = begun(city, None);
    for by in ["worker", "sibling", "resident", "client", "far_dispatcher", "worker@9902"] {
        city.by(by).get(&path(&id, "")).problem(404, "not_found");
        assert_eq!(city.by(by).get("/api/v1/campaigns").done()["items"], json!([]), "{by}");
    }
    assert_eq!(
        each(&city.by("dispatcher").get("/api/v1/campaigns").done(), "/id"),
        std::slice::from_ref(&id)
    );
    city.by("community").post(&path(&id, "/publish"), &json!({})).problem(422, "empty_list");
    let outside = json!({ "select": { "area_id": city.area(seed::SIBLING) } });
    city.by("community").post(&path(&id, "/assign"), &outside).problem(422, "outside_jurisdiction");
    let none = json!({ "select": { "building": "99栋" } });
    city.by("community").post(&path(&id, "/assign"), &none).problem(422, "empty_list");
    city.by("community")
        .post(&path(&id, "/assign"), &json!({ "select": { "group": "S03" } }))
        .done();
    city.by("community").post(&path(&id, "/publish"), &json!({})).done();
    city.by("worker").get(&path(&id, "")).done();
    city.by("worker").post(&path(&id, "/close"), &json!({})).problem(403, "not_permitted");
    city.by("sibling").get(&path(&id, "")).problem(404, "not_found");
}

fn an_unfinished_grid_is_not_called_done(city: &City) {
    registered(city);
    let id = running(city, None);
    city.by("community").post(&path(&id, "/close"), &json!({})).done();
    let outcome = persistence::probe::lines(
        &city.database.url,
        "select outcome as line from obligations where duty = 'visit'",
    );
    assert_eq!(outcome.unwrap(), ["lifted"]);
}

fn nobody_takes_the_place_of_a_visit_of_a_campaign(city: &City) {
    let (home, other) = (registered(city), registered(city));
    let id = running(city, None);
    let visit = city.by("worker").post("/api/v1/visits", &go(&id, &home, "nobody_home")).done();
    let plain = json!({
        "id": visit["id"], "household_id": other, "purposes": ["check"], "outcome": "met",
    });
    let fault = city.by("worker").post("/api/v1/visits", &plain).fault_at("/id");
    assert_eq!(fault, "reserved_id");
    // Nor beforehand, by whatever it is that takes the place.
    let uuid = |id: &str| id.parse().unwrap();
    let taken = domain::flows::visit::Visit::id_of(
        domain::core::id::CampaignId(uuid(&id)),
        domain::core::id::HouseholdId(uuid(&other)),
    );
    let beforehand = json!({ "id": taken.0, "household_id": home, "purposes": ["check"] });
    city.by("worker").post("/api/v1/visits/plan", &beforehand).fault_at("/id");
    let mut report = report_at(110.005, 30.005);
    report["id"] = json!(taken.0);
    city.by("worker").post("/api/v1/reports", &report).fault_at("/id");
    let household = json!({ "id": taken.0, "area_id": city.area(seed::GRID) });
    city.by("worker").post("/api/v1/households", &household).fault_at("/id");
    let case = json!({ "case_id": taken.0 });
    let path = format!("/api/v1/reports/{}/file", city.received());
    city.by("community").post(&path, &case).fault_at("/case_id");
    city.by("worker").post("/api/v1/visits", &go(&id, &other, "met")).done();
    assert_eq!(progress(city, &id), json!(["枫林一格", 2, 1, 1, 0, 0]));
}

fn two_grids_done_at_once_are_both_done(city: &City) {
    let next = json!({ "area_id": city.area(seed::NEXT), "building": "5栋" });
    for _ in 0..3 {
        let near = registered(city);
        let far = text(&city.by("next_worker").post("/api/v1/households", &next).done(), "/id");
        let body = json!({
            "name": "冬季取暖安全敲门行动", "purpose": "check", "area_id": city.area(seed::STREET),
            "until": city.now() + Duration::days(7),
        });
        let id = text(&city.by("dispatcher").post("/api/v1/campaigns", &body).done(), "/id");
        let both = json!({ "households": [{ "household_id": near }, { "household_id": far }] });
        city.by("dispatcher").post(&path(&id, "/assign"), &both).done();
        city.by("dispatcher").post(&path(&id, "/publish"), &json!({})).done();
        std::thread::scope(|scope| {
            for (by, home) in [("worker", &near), ("next_worker", &far)] {
                let body = go(&id, home, "met");
                scope.spawn(move || city.by(by).post("/api/v1/visits", &body).done());
            }
        });
    }
    let open = "select duty as line from obligations where duty = 'visit' and outcome is null";
    assert_eq!(persistence::probe::lines(&city.database.url, open).unwrap(), Vec::<String>::new());
}
