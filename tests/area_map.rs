//! Areas on a map: boundaries in a box, grids near a point, findings, and the notice.

use serde_json::{Value, json};

use crate::harness::{City, on_both, read_texts, seed};

on_both! {
    boundaries_in_a_box_are_geojson,
    grids_near_a_point_come_by_distance,
    overlaps_and_gaps_are_found_with_their_size,
    households_and_workers_are_looked_at,
    a_grid_has_a_notice,
}

fn list_codes(map: &Value) -> Vec<String> {
    let features = map["features"].as_array().expect("features").iter();
    features.map(|one| one["properties"]["code"].as_str().unwrap().to_owned()).collect()
}

fn boundaries_in_a_box_are_geojson(city: &City) {
    let ask = |query: &str| city.client("worker").get(&format!("/api/v1/areas/geojson?{query}"));
    let whole = ask("bbox=109,29,111,31");
    assert_eq!(whole.header("content-type"), "application/geo+json");
    let whole: Value = serde_json::from_str(&whole.text).unwrap();
    assert_eq!(list_codes(&whole), [seed::GRID, seed::MICRO, seed::NEXT, seed::EAST]);
    assert_eq!((&whole["type"], &whole["truncated"]), (&json!("FeatureCollection"), &json!(false)));
    assert_eq!(whole["features"][0]["geometry"]["type"], "MultiPolygon");
    let part: Value =
        serde_json::from_str(&ask("bbox=110.025,30.005,110.026,30.006").text).unwrap();
    assert_eq!(list_codes(&part), [seed::EAST]);
    let streets: Value = serde_json::from_str(&ask("bbox=109,29,111,31&kind=street").text).unwrap();
    assert_eq!(list_codes(&streets), Vec::<String>::new());
    for bad in
        ["1,2,3", "a,b,c,d", "111,29,109,31", "109,29,111,NaN", "109,29,111,95", "", "1,1,1,1,1"]
    {
        let refused = ask(&format!("bbox={bad}")).expect_problem(400, "invalid_query");
        assert_eq!(refused["errors"][0]["parameter"], "bbox", "{bad}");
    }
    ask("kind=grid").expect_problem(400, "invalid_query");
}

fn grids_near_a_point_come_by_distance(city: &City) {
    let near = |query: &str| {
        city.client("worker").get(&format!("/api/v1/areas/neighbours?{query}")).expect_success()
    };
    let found = near("lng=110.016&lat=30.005");
    assert_eq!(
        read_texts(&found, "/grid/name"),
        ["竹园一格", "荷塘一格", "枫林一格", "枫林微网格"]
    );
    let metres = |index: usize| found["items"][index]["distance_m"].as_f64().unwrap();
    assert!(metres(0).abs() < f64::EPSILON);
    // Four and six thousandths of a degree at 30° north.
    assert!((metres(1) - 385.2).abs() < 2.0 && (metres(2) - 577.8).abs() < 2.0, "{found}");
    assert_eq!(read_texts(&near("lng=111&lat=30.005&limit=1"), "/grid/name"), ["荷塘一格"]);
    let path = "/api/v1/areas/neighbours?lng=30&lat=110";
    city.client("worker").get(path).expect_problem(400, "invalid_query");
}

/// A square as GeoJSON.
fn build_square(west: f64, south: f64, east: f64, north: f64) -> Value {
    let ring = json!([[west, south], [east, south], [east, north], [west, north], [west, south]]);
    json!({ "type": "Polygon", "coordinates": [ring] })
}

fn list_findings(city: &City, area: &str) -> Vec<Value> {
    let path = format!("/api/v1/areas/{area}/findings");
    let found = city.client("admin").get(&path).expect_success();
    assert_eq!(found["complete"], true);
    found["items"].as_array().unwrap().clone()
}

fn find_feature<'f>(found: &'f [Value], code: &str) -> Vec<&'f Value> {
    found.iter().filter(|one| one["code"] == code).collect()
}

fn overlaps_and_gaps_are_found_with_their_size(city: &City) {
    let community = city.area_id(seed::COMMUNITY);
    let change = |area: &str, verb: &str, body: &Value| {
        city.client("admin").post(&format!("/api/v1/areas/{area}/{verb}"), body).expect_success()
    };
    let micro = city.area_id(seed::MICRO);
    let found = list_findings(city, &community);
    assert_eq!(find_feature(&found, "overlap").len(), 1, "nobody said that it is a micro grid");
    change(&micro, "describe", &json!({ "grid_kind": "micro" }));
    assert_eq!(find_feature(&list_findings(city, &community), "overlap"), Vec::<&Value>::new());
    let body = json!({
        "kind": "grid", "parent_id": community,
        "area": {
            "code": "990101001001003", "name": "枫林三格",
            "boundary": build_square(110.0, 30.009, 110.01, 30.02),
        },
    });
    city.client("admin").post("/api/v1/areas", &body).expect_success();
    change(&community, "redraw", &json!({ "boundary": build_square(110.0, 30.0, 110.01, 30.03) }));
    let found = list_findings(city, &community);
    let overlap = find_feature(&found, "overlap");
    assert_eq!(overlap.len(), 1, "{found:?}");
    // A thousandth by a hundredth of a degree.
    let size = overlap[0]["square_metres"].as_f64().unwrap();
    assert!((size - 107_100.0).abs() < 1_500.0, "{size}");
    let gap = find_feature(&found, "gap");
    assert_eq!(gap.len(), 1, "{found:?}");
    let (size, at) = (gap[0]["square_metres"].as_f64().unwrap(), &gap[0]["at"]);
    assert!((size - 1_071_000.0).abs() < 15_000.0, "{size}");
    assert!(at["lat"].as_f64().unwrap() > 30.02, "{at}");
    let path = format!("/api/v1/areas/{community}/findings?min_m2=1000000");
    let large = city.client("admin").get(&path).expect_success();
    assert_eq!(find_feature(large["items"].as_array().unwrap(), "overlap"), Vec::<&Value>::new());
    let path = format!("/api/v1/areas/{community}/findings?min_m2=0");
    city.client("admin").get(&path).expect_problem(400, "invalid_query");
}

fn households_and_workers_are_looked_at(city: &City) {
    let (community, sibling) = (city.area_id(seed::COMMUNITY), city.area_id(seed::SIBLING));
    let describe = |area: &str, households: u32| {
        let path = format!("/api/v1/areas/{area}/describe");
        city.client("admin").post(&path, &json!({ "households": households })).expect_success();
    };
    let about = |area: &str| {
        let own = list_findings(city, &sibling).into_iter().chain(list_findings(city, &community));
        let own = own.filter(|one| one["area_id"] == area);
        own.map(|one| one["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (grid, next) = (city.area_id(seed::GRID), city.area_id(seed::NEXT));
    assert!(about(&next).contains(&"households_unknown".to_owned()));
    describe(&grid, 199);
    assert!(about(&grid).contains(&"households_few".to_owned()));
    describe(&grid, 301);
    assert!(about(&grid).contains(&"households_many".to_owned()));
    describe(&grid, 300);
    assert!(about(&grid).iter().all(|code| !code.starts_with("households")));
    // Some provinces say 300 to 500: a rule of the tenant.
    let rule =
        json!({ "document": { "households": { "least": 301, "most": 500 } }, "note": "按省规定" });
    city.client("admin").post("/api/v1/policies/conduct", &rule).expect_success();
    assert!(about(&grid).contains(&"households_few".to_owned()));
    let wrong = json!({ "document": { "households": { "least": 5, "most": 4 } }, "note": "错" });
    city.client("admin").post("/api/v1/policies/conduct", &wrong).expect_problem(422, "unsound");
    assert!(!about(&grid).contains(&"no_worker".to_owned()), "somebody walks it");
    assert!(about(&city.area_id(seed::MICRO)).contains(&"no_worker".to_owned()));
}

fn a_grid_has_a_notice(city: &City) {
    let path = |code: &str| format!("/api/v1/areas/{}/notice", city.area_id(code));
    let notice = city.client("resident").get(&path(seed::GRID)).expect_success();
    assert_eq!(notice["grid"]["name"], "枫林一格");
    assert_eq!(notice["community"]["name"], "枫林社区");
    assert!(!notice["workers"].as_array().unwrap().is_empty(), "{notice}");
    assert_eq!(notice["supervision_phone"], Value::Null);
    let rule = json!({ "document": { "supervision_phone": "0714-12345" }, "note": "公示监督电话" });
    city.client("admin").post("/api/v1/policies/conduct", &rule).expect_success();
    let notice = city.client("resident").get(&path(seed::GRID)).expect_success();
    assert_eq!(notice["supervision_phone"], "0714-12345");
    city.client("resident").get(&path(seed::STREET)).expect_problem(422, "not_a_grid");
    // The number residents call is the worker's to publish; the worker's own stays hidden.
    let worker = city.client("worker").id();
    let contact = format!("/api/v1/people/{worker}/contact");
    let numbers = json!({ "phone": "13812345678", "office_phone": "0714-6512345" });
    city.client("worker").post(&contact, &numbers).expect_success();
    let notice = city.client("resident").get(&path(seed::GRID)).expect_success();
    let phones =
        notice["workers"].as_array().unwrap().iter().filter_map(|one| one["phone"].as_str());
    assert_eq!(phones.collect::<Vec<_>>(), ["0714-6512345"]);
    assert!(!notice.to_string().contains("13812345678"));
    let wrong = json!({ "office_phone": "打给我" });
    let refused = city.client("worker").post(&contact, &wrong).expect_problem(400, "invalid_body");
    assert_eq!(refused["errors"][0]["code"], "invalid_office_phone");
    let resident = format!("/api/v1/people/{}/contact", city.client("resident").id());
    let own = json!({ "office_phone": "0714-6512345" });
    let refused = city.client("resident").post(&resident, &own).expect_problem(400, "invalid_body");
    assert_eq!(refused["errors"][0]["pointer"], "/office_phone");
}
