//! Places that contradict themselves, and boundaries in other systems of coordinates.

use std::io::Write;

use serde_json::{Value, json};

use crate::{
    crash::build_command,
    harness::{City, new_key, on_both, read_text, report_body_at, seed, workspace_root},
};

on_both! {
    a_point_elsewhere_than_its_area_is_refused,
    whoever_says_to_have_been_there_was_near,
    what_a_patrol_is_to_see_lies_near_its_area,
    boundaries_are_converted_or_refused,
    boundaries_are_written_as_the_standard_says,
    territories_and_units_come_as_geojson,
    every_file_that_is_named_as_an_example_imports,
}

fn report_in(city: &City, code: &str, lng: f64, lat: f64) -> Value {
    let mut body = report_body_at(lng, lat);
    body["place"]["area_id"] = json!(city.area_id(code));
    body
}

const ELSEWHERE: [(f64, f64); 3] = [(0.0, 0.0), (116.4, 39.9), (110.025, 30.005)];

fn a_point_elsewhere_than_its_area_is_refused(city: &City) {
    for code in [seed::GRID, seed::COMMUNITY] {
        for (lng, lat) in ELSEWHERE {
            let body = report_in(city, code, lng, lat);
            let refused = city.client("resident").post("/api/v1/reports", &body);
            let refused = refused.expect_problem(422, "outside_area");
            assert!(refused["metres"].as_u64().unwrap() > refused["most"].as_u64().unwrap());
            let item = json!({ "id": new_key(), "operation": "submit_report", "body": body });
            let queue = json!({ "items": [item] });
            let answer = city.client("resident").post("/api/v1/sync", &queue).expect_success();
            assert_eq!(answer["items"][0]["problem"]["code"], "outside_area", "{answer}");
        }
        // A receiver errs by some metres.
        for (lng, lat) in [(110.005, 30.005), (110.0105, 30.005)] {
            let body = report_in(city, code, lng, lat);
            let made = city.client("resident").post("/api/v1/reports", &body).expect_success();
            assert_eq!(made["place"]["area"]["id"], city.area_id(code));
        }
    }
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn whoever_says_to_have_been_there_was_near(city: &City) {
    let case = city.new_feedback_case();
    for (lng, lat) in [(0.0, 0.0), (116.4, 39.9)] {
        let point = json!({ "lng": lng, "lat": lat, "coord_type": "wgs84" });
        let body = json!({ "passed": true, "point": point });
        let refused = city.post_step("verifier", &case, "verify", &body);
        refused.expect_problem(422, "outside_area");
    }
    let point = json!({ "lng": 110.012, "lat": 30.005, "coord_type": "wgs84" });
    city.take_step("verifier", &case, "verify", &json!({ "passed": true, "point": point }));
}

fn what_a_patrol_is_to_see_lies_near_its_area(city: &City) {
    let path = "/api/v1/patrol_plans";
    let body = |lng: f64| {
        let mut body = crate::patrol::plan_body(city);
        let point = json!({ "lng": lng, "lat": 30.005, "coord_type": "wgs84" });
        body["content"]["itinerary"]["checkpoints"] = json!([{ "name": "泵站", "point": point }]);
        body
    };
    let refused = city.client("grid_leader").post(path, &body(116.4));
    refused.expect_problem(422, "outside_area");
    let plan = city.client("grid_leader").post(path, &body(110.012)).expect_success();
    let amend = format!("{path}/{}/amend", read_text(&plan, "/id"));
    let content = json!({ "content": body(116.4)["content"] });
    city.client("grid_leader").post(&amend, &content).expect_problem(422, "outside_area");
}

/// A clockwise square of a grid.
fn build_file(crs: &Value) -> Value {
    let ring = json!([
        [110.0, 30.02],
        [110.0, 30.03],
        [110.012_345_678_9, 30.03],
        [110.012_345_678_9, 30.02],
        [110.0, 30.02],
    ]);
    let properties =
        json!({ "code": "990101001001009", "name": "新网格", "parent_code": seed::COMMUNITY });
    let geometry = json!({ "type": "Polygon", "coordinates": [ring] });
    let feature = json!({ "type": "Feature", "properties": properties, "geometry": geometry });
    let mut file = json!({ "type": "FeatureCollection", "features": [feature] });
    if !crs.is_null() {
        file["crs"] = json!({ "type": "name", "properties": { "name": crs } });
    }
    file
}

fn import(city: &City, query: &str, file: &Value) -> Value {
    let call = city.client("admin").call("POST", &format!("/api/v1/area_imports?{query}"));
    let call = call.key(&new_key()).header("Content-Type", "application/geo+json");
    call.bytes(file.to_string().as_bytes()).send().expect_success()
}

fn read_ring(city: &City, code: &str) -> Vec<[f64; 2]> {
    let path = "/api/v1/areas/geojson?bbox=109.9,29.9,110.2,30.2";
    let map = city.client("worker").get(path).expect_success();
    let features = map["features"].as_array().unwrap();
    let feature = features.iter().find(|one| one["properties"]["code"] == code).unwrap();
    serde_json::from_value(feature["geometry"]["coordinates"][0][0].clone()).unwrap()
}

fn boundaries_are_converted_or_refused(city: &City) {
    for crs in ["EPSG:3857", "urn:ogc:def:crs:EPSG::4547"] {
        let refused = import(city, "what=grids", &build_file(&json!(crs)));
        assert_eq!(refused["faults"][0]["code"], "unknown_crs", "{refused}");
    }
    let refused = import(city, "what=grids&coord_type=wgs84", &build_file(&json!("GCJ-02")));
    assert_eq!(refused["faults"][0]["code"], "unknown_crs", "{refused}");
    let done = import(city, "what=grids", &build_file(&json!("urn:ogc:def:crs:OGC:1.3:CRS84")));
    assert_eq!(done["added"], 1, "{done}");
    let west = |ring: &[[f64; 2]]| ring.iter().map(|[lng, _]| *lng).fold(f64::INFINITY, f64::min);
    assert!((west(&read_ring(city, "990101001001009")) - 110.0).abs() < 1e-9);
    for (query, crs) in
        [("what=grids", json!("GCJ02")), ("what=grids&coord_type=gcj02", Value::Null)]
    {
        let done = import(city, query, &build_file(&crs));
        assert_eq!(done["status"], "done", "{done}");
        let moved = west(&read_ring(city, "990101001001009"));
        assert!((0.001..0.01).contains(&(110.0 - moved)), "{moved}");
    }
    // Of one area likewise.
    let geometry = |crs: &str| {
        let mut geometry = build_file(&Value::Null)["features"][0]["geometry"].clone();
        geometry["crs"] = json!({ "type": "name", "properties": { "name": crs } });
        json!({ "boundary": geometry })
    };
    let found = city.client("admin").get("/api/v1/areas?code=990101001001009").expect_success();
    let path = format!("/api/v1/areas/{}/redraw", read_text(&found, "/items/0/id"));
    let refused = city.client("admin").post(&path, &geometry("EPSG:3857"));
    assert_eq!(refused.status, 400, "{}", refused.text);
    city.client("admin").post(&path, &geometry("EPSG:4326")).expect_success();
    assert!((west(&read_ring(city, "990101001001009")) - 110.0).abs() < 1e-9);
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn boundaries_are_written_as_the_standard_says(city: &City) {
    import(city, "what=grids", &build_file(&Value::Null));
    let ring = read_ring(city, "990101001001009");
    let pairs = ring.iter().zip(ring.iter().skip(1));
    let doubled: f64 =
        pairs.map(|([x, y], [u, v])| (x - 110.0) * (v - 30.0) - (u - 110.0) * (y - 30.0)).sum();
    assert!(doubled > 0.0, "counter-clockwise: {ring:?}");
    for degrees in ring.into_iter().flatten() {
        let text = degrees.to_string();
        let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        assert!(decimals <= 6, "{text}");
    }
}

fn territories_and_units_come_as_geojson(city: &City) {
    let feature = |properties: Value, geometry: Value| json!({ "type": "Feature", "properties": properties, "geometry": geometry });
    let square = build_file(&Value::Null)["features"][0]["geometry"].clone();
    let file = |features: &[Value]| json!({ "type": "FeatureCollection", "features": features });
    // What is known needs no more than its code and its name.
    let areas = file(&[
        feature(json!({ "adcode": 990_101, "name": "西区" }), square.clone()),
        feature(
            json!({ "code": "990101009", "name": "新街道", "level": "street", "parent_code": 990_101 }),
            Value::Null,
        ),
    ]);
    let done = import(city, "what=areas", &areas);
    assert_eq!((&done["added"], &done["updated"]), (&json!(1), &json!(1)), "{done}");
    let unit = json!({ "code": "990101-HB", "name": "西区环保局", "parent_code": seed::DISTRICT });
    let done = import(city, "what=units", &file(&[feature(unit, square)]));
    assert_eq!((&done["status"], &done["added"]), (&json!("done"), &json!(1)), "{done}");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn every_file_that_is_named_as_an_example_imports(city: &City) {
    let url = city.database.url.as_str();
    let run = |arguments: &[&str]| {
        let output = build_command(arguments).output().expect("it runs");
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {complaint}");
    };
    run(&["tenant", "create", "--code", "4202", "--name", "黄石市", "--database", url]);
    let import = |what: &str, file: &str, more: &[&str]| {
        let path = workspace_root().join(file);
        let path = path.to_str().expect("its name is text");
        let arguments = ["import", what, path, "--tenant", "4202", "--database", url];
        run(&[&arguments[..], more].concat());
    };
    import("areas", "api/data/huangshi/divisions.csv", &[]);
    import("units", "api/data/huangshi/departments.csv", &[]);
    import("areas", "api/data/huangshi/boundaries.geojson", &["--coord-type", "gcj02"]);
    import("deadlines", "domain/data/presets/standard.csv", &["--dry-run"]);
    let holidays = workspace_root().join("domain/data/holidays");
    let files = std::fs::read_dir(holidays).expect("it is shipped");
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let years: Vec<String> = names.filter(|name| name.starts_with("holiday-cn-")).collect();
    assert!(!years.is_empty());
    for year in years {
        import("holidays", &format!("domain/data/holidays/{year}"), &["--dry-run"]);
    }
    // Grids come as the format says.
    let ring =
        json!([[115.0, 30.2], [115.01, 30.2], [115.01, 30.21], [115.0, 30.21], [115.0, 30.2]]);
    let known = std::fs::read_to_string(workspace_root().join("api/data/huangshi/divisions.csv"));
    let known = known.expect("it is shipped");
    let community = known.lines().find(|line| line.contains(",5,")).expect("it has communities");
    let community = community.split(',').next().unwrap();
    let properties =
        json!({ "code": format!("{community}001"), "name": "一格", "parent_code": community });
    let geometry = json!({ "type": "Polygon", "coordinates": [ring] });
    let feature = json!({ "type": "Feature", "properties": properties, "geometry": geometry });
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    let text = json!({ "type": "FeatureCollection", "features": [feature] }).to_string();
    file.write_all(text.as_bytes()).expect("it can be written");
    let path = file.path().to_str().expect("its name is text");
    run(&["import", "grids", path, "--tenant", "4202", "--database", url]);
}
