//! Files of areas: checked row by row, imported whole or not at all, and exported.

use serde_json::{Value, json};

use crate::harness::{Answer, City, new_key, on_both, read_text, seed, workspace_root};

on_both! {
    a_file_of_a_whole_county_is_taken_over,
    every_fault_has_its_line_and_nothing_is_imported,
    a_file_in_gbk_is_read,
    grids_come_with_their_boundaries,
    what_is_wrong_with_a_boundary_is_said,
    a_dry_run_says_what_would_happen,
    a_file_sent_again_is_not_taken_over_twice,
    a_table_comes_back_without_formulas,
    what_is_no_file_is_refused,
}

const HEAD: &str = "code,name,level,parent_code\n";

fn send_import(city: &City, by: &str, query: &str, kind: &str, bytes: &[u8], key: &str) -> Answer {
    let path = format!("/api/v1/area_imports?{query}");
    let call = city.client(by).call("POST", &path).key(key).header("Content-Type", kind);
    call.bytes(bytes).send()
}

#[track_caller]
fn import_csv(city: &City, query: &str, text: &str) -> Value {
    let answer = send_import(city, "admin", query, "text/csv", text.as_bytes(), &new_key());
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.expect_success()
}

fn list_faults(import: &Value) -> Vec<(Option<u64>, String, String)> {
    let faults = import["faults"].as_array().expect("faults").iter();
    let fault = |fault: &Value| {
        (fault["line"].as_u64(), read_text(fault, "/column"), read_text(fault, "/code"))
    };
    faults.map(fault).collect()
}

fn area_exists(city: &City, code: &str) -> bool {
    let found = city.client("worker").get(&format!("/api/v1/areas?code={code}")).expect_success();
    found["items"].as_array().is_some_and(|items| !items.is_empty())
}

/// The published divisions of 黄石市, as those of another city.
fn a_file_of_a_whole_county_is_taken_over(city: &City) {
    let published = workspace_root().join("api/data/huangshi/divisions.csv");
    let published = std::fs::read_to_string(published).expect("it is shipped");
    // The city and one of the districts are there under other names.
    let known = |line: &&str| line.starts_with("4202,") || line.starts_with("420202,");
    let rows = published.lines().skip(1).filter(|line| !known(line));
    let rows: Vec<String> = rows.map(|line| line.replace("4202", "9901")).collect();
    let file =
        format!("\u{feff}{}\r\n{}\r\n", published.lines().next().unwrap(), rows.join("\r\n"));
    let import = import_csv(city, "what=areas&source=divisions.csv", &file);
    assert_eq!((&import["status"], &import["faults"]), (&json!("done"), &json!([])), "{import}");
    let count = |name: &str| import[name].as_u64().unwrap();
    // One of them has the code of a community of 测试市.
    assert_eq!(count("added") + count("updated"), u64::try_from(rows.len()).unwrap());
    assert!(area_exists(city, "990202003001") || area_exists(city, "990102001001"));
    let again = import_csv(city, "what=areas", &file);
    assert_eq!((&again["added"], &again["unchanged"]), (&json!(0), &json!(rows.len())));
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn every_fault_has_its_line_and_nothing_is_imported(city: &City) {
    let file = format!(
        "{HEAD}990101009,好街道,4,990101\n\n\
         9901010,短,4,990101\n\
         990101010,\"带,逗号\n的街道\",4,990101\n\
         990101011,无上级,4,990199\n\
         990101012,级别,9,990101\n\
         990101001001,枫林社区,5,990102001\n\
         990101013,少一列,4\n\
         990101009,重复,4,990101\n"
    );
    let refused = import_csv(city, "what=areas", &file);
    assert_eq!(refused["status"], "refused");
    // A fault of the table itself is reported before its rows are read.
    let found = list_faults(&refused);
    assert!(
        found.contains(&(Some(8), "level".to_owned(), "unknown_level".to_owned())),
        "{found:?}"
    );
    assert!(found.contains(&(Some(10), String::new(), "field_count".to_owned())), "{found:?}");
    let file: String = file
        .lines()
        .filter(|line| !line.contains("级别") && !line.contains("少一列"))
        .fold(String::new(), |text, line| text + line + "\n");
    let refused = import_csv(city, "what=areas", &file);
    let found = list_faults(&refused);
    for (line, column, code) in [
        (4, "code", "bad_code"),
        (5, "name", "control_character"),
        (7, "parent_code", "unknown_parent"),
        (8, "parent_code", "other_parent"),
        (9, "code", "duplicate_code"),
    ] {
        let expected = (Some(line), column.to_owned(), code.to_owned());
        assert!(found.contains(&expected), "{expected:?} in {found:?}");
    }
    let fault = &refused["faults"][0];
    assert_ne!((&fault["given"], &fault["expected"]), (&json!(""), &json!("")), "{fault}");
    assert!(!area_exists(city, "990101009"));
    let path = format!("/api/v1/area_imports/{}", read_text(&refused, "/id"));
    assert_eq!(city.client("admin").get(&path).expect_success(), refused);
    city.client("worker").get(&path).expect_problem(403, "not_permitted");
}

fn a_file_in_gbk_is_read(city: &City) {
    // 代码,名称,级别,上级代码 and 鼓楼街道 as Chinese spreadsheets save them.
    let head: &[u8] =
        b"\xb4\xfa\xc2\xeb,\xc3\xfb\xb3\xc6,\xbc\xb6\xb1\xf0,\xc9\xcf\xbc\xb6\xb4\xfa\xc2\xeb\r\n";
    let row: &[u8] = b"990101009,\xb9\xc4\xc2\xa5\xbd\xd6\xb5\xc0,4,990101\r\n";
    let file = [head, row].concat();
    let done =
        send_import(city, "admin", "what=areas", "text/csv", &file, &new_key()).expect_success();
    assert_eq!(done["added"], 1, "{done}");
    let found = city.client("worker").get("/api/v1/areas?code=990101009").expect_success();
    assert_eq!(found["items"][0]["name"], "鼓楼街道");
    let row: &[u8] = b"990101008,\xb9\xc4\xc2\xa5,4,990101\r\n";
    let file = [head, row].concat();
    let named =
        send_import(city, "admin", "what=areas", "text/csv; charset=GBK", &file, &new_key())
            .expect_success();
    assert_eq!(named["added"], 1, "{named}");
    let wrong =
        send_import(city, "admin", "what=areas", "text/csv; charset=utf-8", &file, &new_key())
            .expect_success();
    assert_eq!(list_faults(&wrong)[0].2, "not_csv");
}

fn build_feature(code: &str, ring: &Value) -> Value {
    json!({
        "type": "Feature",
        "properties": {
            "code": code, "name": format!("网格{code}"), "parent_code": seed::COMMUNITY,
            "households": 250, "grid_kind": "comprehensive",
        },
        "geometry": { "type": "Polygon", "coordinates": [ring] },
    })
}

fn encode_collection(features: &[Value]) -> Vec<u8> {
    json!({ "type": "FeatureCollection", "features": features }).to_string().into_bytes()
}

fn build_ring(west: f64, south: f64, east: f64, north: f64) -> Value {
    json!([[west, south], [east, south], [east, north], [west, north], [west, south]])
}

#[track_caller]
fn import_grids(city: &City, features: &[Value]) -> Value {
    let bytes = encode_collection(features);
    send_import(city, "admin", "what=grids", "application/geo+json", &bytes, &new_key())
        .expect_success()
}

fn grids_come_with_their_boundaries(city: &City) {
    let done = import_grids(
        city,
        &[build_feature("990101001001009", &build_ring(110.0, 30.02, 110.01, 30.03))],
    );
    assert_eq!((&done["status"], &done["added"]), (&json!("done"), &json!(1)), "{done}");
    let located =
        city.client("worker").get("/api/v1/areas/locate?lng=110.005&lat=30.025").expect_success();
    assert_eq!(located["code"], "990101001001009");
    // The same boundary again is no change; another boundary is one.
    let same = import_grids(
        city,
        &[build_feature("990101001001009", &build_ring(110.0, 30.02, 110.01, 30.03))],
    );
    assert_eq!(same["unchanged"], 1);
    let other = import_grids(
        city,
        &[build_feature("990101001001009", &build_ring(110.0, 30.02, 110.02, 30.03))],
    );
    assert_eq!(other["updated"], 1);
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn what_is_wrong_with_a_boundary_is_said(city: &City) {
    let good = build_feature("990101001001009", &build_ring(110.0, 30.02, 110.01, 30.03));
    let open = json!([[110.0, 30.0], [110.1, 30.0], [110.1, 30.1], [110.0, 30.1]]);
    let bowtie =
        json!([[110.0, 30.0], [110.01, 30.01], [110.01, 30.0], [110.0, 30.01], [110.0, 30.0]]);
    let bad = [
        ("open_ring", open),
        ("self_intersection", bowtie),
        ("swapped", build_ring(30.0, 110.0, 30.01, 110.01)),
        ("antimeridian", build_ring(-179.0, 30.0, 179.0, 31.0)),
        ("out_of_range", build_ring(110.0, 30.0, 110.1, 130.0)),
    ];
    let features: Vec<Value> = std::iter::once(good)
        .chain(
            bad.iter()
                .enumerate()
                .map(|(index, (_, ring))| build_feature(&format!("99010100100102{index}"), ring)),
        )
        .collect();
    let refused = import_grids(city, &features);
    assert_eq!(refused["status"], "refused");
    let found = list_faults(&refused);
    for (index, (code, _)) in bad.iter().enumerate() {
        let feature = u64::try_from(index + 2).unwrap();
        let expected = (Some(feature), "geometry".to_owned(), (*code).to_owned());
        assert!(found.contains(&expected), "{expected:?} in {found:?}");
    }
    assert!(!area_exists(city, "990101001001009"));
    let bytes = encode_collection(&features[2..3]);
    let query = "what=grids&repair=true";
    let repaired = send_import(city, "admin", query, "application/geo+json", &bytes, &new_key())
        .expect_success();
    assert_eq!(repaired["status"], "done", "{repaired}");
}

fn a_dry_run_says_what_would_happen(city: &City) {
    let file = format!(
        "{},former_name\n990101009,新街道,4,990101,\n{},枫林一格改,6,{},枫林一格\n",
        HEAD.trim_end(),
        seed::GRID,
        seed::COMMUNITY
    );
    let checked = import_csv(city, "what=areas&dry_run=true", &file);
    assert_eq!(checked["status"], "checked");
    assert_eq!((&checked["added"], &checked["updated"]), (&json!(1), &json!(1)));
    assert_eq!(
        (&checked["rows"][1]["line"], &checked["rows"][1]["doing"]),
        (&json!(3), &json!("updated"))
    );
    assert!(!area_exists(city, "990101009"));
    let changes = city.client("worker").get("/api/v1/areas/changes").expect_success();
    assert_eq!(changes["items"].as_array().map(Vec::len), Some(1), "only the seed");
}

fn a_file_sent_again_is_not_taken_over_twice(city: &City) {
    let file = format!("{HEAD}990101009,新街道,4,990101\n");
    let (one, query) = (new_key(), "what=areas");
    let first = send_import(city, "admin", query, "text/csv", file.as_bytes(), &one);
    let again = send_import(city, "admin", query, "text/csv", file.as_bytes(), &one);
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(first.body, again.body);
    let other = format!("{HEAD}990101010,别的街道,4,990101\n");
    let reused = send_import(city, "admin", query, "text/csv", other.as_bytes(), &one);
    reused.expect_problem(422, "idempotency_key_reused");
    for by in ["worker", "leader", "resident"] {
        let denied = send_import(city, by, query, "text/csv", file.as_bytes(), &new_key());
        assert_eq!(denied.expect_problem(403, "not_permitted")["permission"], "manage_areas");
    }
}

fn a_table_comes_back_without_formulas(city: &City) {
    let file =
        format!("{HEAD}990101009,\"=HYPERLINK(\"\"x\"\",1)\",4,990101\n990101010,@街,4,990101\n");
    assert_eq!(import_csv(city, "what=areas", &file)["status"], "done");
    let table = city.client("worker").get("/api/v1/areas/table");
    assert_eq!(table.header("content-type"), "text/csv; charset=utf-8");
    assert!(
        table.text.contains("990101009,\"'=HYPERLINK(\"\"x\"\",1)\",street,990101,,"),
        "{}",
        table.text
    );
    assert!(table.text.contains("990101010,'@街,"), "{}", table.text);
    assert!(table.text.contains(&format!("{},枫林一格,grid,{}", seed::GRID, seed::COMMUNITY)));
    let below = format!("/api/v1/areas/table?below={}", city.area_id(seed::FAR_DISTRICT));
    let part = city.client("worker").get(&below).text;
    assert!(part.contains("荷塘") && !part.contains("枫林"), "{part}");
}

fn what_is_no_file_is_refused(city: &City) {
    let post = |query: &str, kind: &str, bytes: &[u8]| {
        send_import(city, "admin", query, kind, bytes, &new_key())
    };
    post("what=areas", "image/png", b"x").expect_problem(415, "unsupported_media_type");
    post("what=streets", "text/csv", b"x").expect_problem(400, "invalid_query");
    post("dry_run=true", "text/csv", b"x").expect_problem(400, "invalid_query");
    for (query, kind, bytes) in [
        ("what=areas", "text/csv", &b""[..]),
        ("what=areas", "text/csv", b"\xff\xfe\x00"),
        ("what=units", "text/csv", b"code,name\nx,y\n"),
        ("what=grids", "application/geo+json", b"[1,2"),
        ("what=grids", "application/geo+json", b"{\"features\":[{\"geometry\":7}]}"),
        ("what=grids", "application/geo+json", b"[[[[[[[[[[[[[[[[["),
    ] {
        let refused = post(query, kind, bytes);
        assert_eq!(refused.status, 201, "{}", refused.text);
        assert_eq!(refused.body["status"], "refused", "{}", refused.text);
    }
    let rows = "990101009,街道,4,990101\n".repeat(100_001);
    let many = post("what=areas", "text/csv", format!("{HEAD}{rows}").as_bytes()).expect_success();
    assert_eq!(list_faults(&many)[0].2, "too_many_rows");
}
