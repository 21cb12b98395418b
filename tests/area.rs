//! Areas: the tree, and where a point lies.

use serde_json::{Value, json};

use crate::harness::{City, on_both, read_texts, seed};

on_both! {
    the_tree_unfolds_level_by_level,
    an_area_knows_the_way_to_it,
    a_point_lies_in_the_smallest_grid,
    a_point_outside_is_refused,
    a_point_that_cannot_be_is_refused,
    the_catalogue_is_listed,
}

fn the_tree_unfolds_level_by_level(city: &City) {
    let by = city.client("resident");
    let root = by.get("/api/v1/areas").expect_success();
    assert_eq!(read_texts(&root, "/name"), ["测试市"]);
    let below = |code: &str, query: &str| {
        read_texts(
            &by.get(&format!("/api/v1/areas?parent={}{query}", city.area_id(code)))
                .expect_success(),
            "/code",
        )
    };
    assert_eq!(below(seed::CITY, ""), ["990101", "990102"]);
    assert_eq!(below(seed::DISTRICT, ""), ["990101-CG", "990101-SC", "990101-SW", "990101001"]);
    assert_eq!(below(seed::DISTRICT, "&kind=street"), ["990101001"]);
    assert_eq!(below(seed::GRID, ""), Vec::<String>::new());
    let found = by.get("/api/v1/areas?code=990101-CG").expect_success();
    assert_eq!(read_texts(&found, "/name"), ["西区城管局"]);
    assert_eq!(by.get("/api/v1/areas?code=000").expect_success()["items"], json!([]));
    let unknown = format!("/api/v1/areas?parent={}", api::app::clock::new_id());
    by.get(&unknown).expect_problem(422, "unknown_area");
}

fn an_area_knows_the_way_to_it(city: &City) {
    let path = format!("/api/v1/areas/{}", city.area_id(seed::GRID));
    let area = city.client("nobody").get(&path).expect_success();
    let above = read_texts(&json!({ "items": area["above"] }), "/name");
    assert_eq!(above, ["测试市", "西区", "青山街道", "枫林社区"]);
    assert_eq!((&area["kind"], &area["kind_label"]), (&json!("grid"), &json!("网格")));
    assert_eq!(area["parent_id"], city.area_id(seed::COMMUNITY));
    let unknown = format!("/api/v1/areas/{}", api::app::clock::new_id());
    city.client("nobody").get(&unknown).expect_problem(404, "not_found");
}

fn locate_area(city: &City, query: &str) -> crate::harness::Answer {
    city.client("resident").get(&format!("/api/v1/areas/locate?{query}"))
}

fn a_point_lies_in_the_smallest_grid(city: &City) {
    for (query, name) in [
        ("lng=110.005&lat=30.005", "枫林一格"),
        ("lng=110.003&lat=30.003", "枫林微网格"),
        ("lng=110.015&lat=30.005", "竹园一格"),
        ("lng=110.015&lat=30.005&coord_type=wgs84", "竹园一格"),
        ("lng=110.0105&lat=30.005&coord_type=gcj02", "枫林一格"),
    ] {
        assert_eq!(locate_area(city, query).expect_success()["name"], name, "{query}");
    }
    // A point on the border lies in one of the two, and always in the same.
    let border = || locate_area(city, "lng=110.01&lat=30.005").expect_success()["name"].clone();
    assert!(["枫林一格", "竹园一格"].contains(&border().as_str().unwrap()));
    assert_eq!(border(), border());
}

fn a_point_outside_is_refused(city: &City) {
    for query in ["lng=111&lat=30.005", "lng=110.005&lat=31", "lng=30.005&lat=-70", "lng=0&lat=0"] {
        locate_area(city, query).expect_problem(422, "outside_tenant");
    }
}

fn a_point_that_cannot_be_is_refused(city: &City) {
    for (query, name) in [
        ("lng=30.005&lat=110.005", "lat"),
        ("lng=180.1&lat=30", "lng"),
        ("lng=NaN&lat=30", "lng"),
        ("lng=inf&lat=30", "lng"),
        ("lng=110&lat=-91", "lat"),
        ("lng=110", "lat"),
        ("lng=&lat=30", "lng"),
        ("lng=110&lat=30&coord_type=bd10", "coord_type"),
        ("lng=110&lat=30&lat=31", "lat"),
        ("lng=110&lat=30&alt=1", "alt"),
    ] {
        let refused = locate_area(city, query).expect_problem(400, "invalid_query");
        assert_eq!(refused["errors"][0]["parameter"], name, "{query}");
    }
}

fn the_catalogue_is_listed(city: &City) {
    let listed = city.client("worker").get("/api/v1/categories").expect_success();
    let items = listed["items"].as_array().unwrap();
    let one = items.iter().find(|item| item["code"] == "A02").unwrap();
    let expected =
        json!({ "code": "A02", "name": "餐饮油烟与污水外溢", "parent": "A", "kind": "event" });
    assert_eq!(*one, expected);
    assert!(items.iter().any(|item| item["parent"] == Value::Null));
}
