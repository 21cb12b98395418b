//! Lists of what lies in an area name what lay in the areas that became part of it.

use serde_json::json;

use crate::{
    harness::{City, on_both, read_text, read_texts, report_body_at, seed},
    household::register_household,
};

on_both! {
    what_lay_in_a_merged_area_is_listed_within_its_successor,
}

fn list(city: &City, by: &str, path: &str) -> Vec<String> {
    read_texts(&city.client(by).get(path).expect_success(), "/id")
}

fn what_lay_in_a_merged_area_is_listed_within_its_successor(city: &City) {
    let (grid, next) = (city.area_id(seed::GRID), city.area_id(seed::NEXT));
    let (community, sibling) = (city.area_id(seed::COMMUNITY), city.area_id(seed::SIBLING));
    let home = register_household(city);
    let (case, open) = (city.new_filed_case(), city.submit_report());
    let visit = json!({ "household_id": home, "purposes": ["check"], "outcome": "met" });
    let visit = city.client("worker").post("/api/v1/visits", &visit).expect_success();
    let visit = read_text(&visit, "/id");
    let elsewhere = report_body_at(110.015, 30.005);
    let elsewhere = city.client("next_worker").post("/api/v1/reports", &elsewhere);
    let elsewhere = read_text(&elsewhere.expect_success(), "/id");
    let retire = |area: &str, successor: &str| {
        let body = json!({ "successor_ids": [successor] });
        let path = format!("/api/v1/areas/{area}/retire");
        city.client("admin").post(&path, &body).expect_success();
    };
    retire(&grid, &next);
    for area in [&next, &sibling] {
        let within =
            |kind: &str| list(city, "dispatcher", &format!("/api/v1/{kind}?within={area}"));
        let reports = within("reports");
        assert!(reports.contains(&open) && reports.contains(&elsewhere), "{area}: {reports:?}");
        assert!(within("cases").contains(&case), "{area}");
        assert!(within("households").contains(&home), "{area}");
        assert!(within("visits").contains(&visit), "{area}");
    }
    // The area that is no more still names what lay in it, and nothing else.
    let left = list(city, "dispatcher", &format!("/api/v1/reports?within={grid}"));
    assert!(left.contains(&open) && !left.contains(&elsewhere), "{left:?}");
    // What a community held is held by what became of it.
    retire(&city.area_id(seed::MICRO), &next);
    let held = format!("/api/v1/cases?holder={sibling}");
    assert!(!list(city, "dispatcher", &held).contains(&case));
    retire(&community, &sibling);
    assert!(list(city, "dispatcher", &held).contains(&case));
}
