//! Lists of divisions against what is known: a code is not handed to a neighbour, and what goes
//! out as a table comes in unchanged.

use std::io::Write;

use serde_json::{Value, json};

use crate::{
    crash::build_command,
    harness::{City, new_key, on_both, seed},
};

on_both! {
    a_code_is_not_handed_to_a_neighbour,
    an_area_is_renamed_where_the_row_says_so,
    a_dry_run_shows_names_codes_namesakes_and_what_is_lacking,
    a_municipality_is_a_tenant,
    a_table_goes_out_and_in_unchanged,
}

const HEAD: &str = "code,name,level,parent_code,former_name\n";

#[track_caller]
fn import(city: &City, query: &str, rows: &str) -> Value {
    let call = city.client("admin").call("POST", &format!("/api/v1/area_imports?{query}"));
    let call = call.key(&new_key()).header("Content-Type", "text/csv");
    let file = if rows.contains("code,") { rows.to_owned() } else { format!("{HEAD}{rows}") };
    call.bytes(file.as_bytes()).send().expect_success()
}

fn find_name(city: &City, code: &str) -> Value {
    let path = format!("/api/v1/areas?code={code}");
    city.client("worker").get(&path).expect_success()["items"][0]["name"].clone()
}

const TOWNS: &str = "990101103,三伏潭镇,4,990101,\n990101104,胡场镇,4,990101,\n";
const SHIFTED: &str = "990101104,三伏潭镇,4,990101,\n990101105,胡场镇,4,990101,\n";

fn a_code_is_not_handed_to_a_neighbour(city: &City) {
    assert_eq!(import(city, "what=areas", TOWNS)["added"], 2);
    let refused = import(city, "what=areas", SHIFTED);
    assert_eq!((&refused["status"], &refused["updated"]), (&json!("refused"), &json!(0)));
    let fault = &refused["faults"][0];
    assert_eq!((&fault["line"], &fault["column"]), (&json!(2), &json!("name")), "{fault}");
    assert_eq!(fault["code"], "other_name");
    for message in ["message", "message_en"] {
        let message = fault[message].as_str().unwrap();
        assert!(message.contains("三伏潭镇") && message.contains("胡场镇"), "{message}");
    }
    assert_eq!(find_name(city, "990101104"), "胡场镇");
    // Of units and of the tenant's own area likewise.
    let units = format!("code,name,parent_code\n{},另一个局,990101\n", seed::CG);
    let refused = import(city, "what=units", &units);
    assert_eq!(refused["faults"][0]["code"], "other_name", "{refused}");
    let root = format!("{},市辖区一,2,99,测试市\n", seed::CITY);
    let refused = import(city, "what=areas", &root);
    assert_eq!(refused["faults"][0]["code"], "other_name", "{refused}");
}

fn an_area_is_renamed_where_the_row_says_so(city: &City) {
    import(city, "what=areas", TOWNS);
    let wrong = import(city, "what=areas", "990101104,胡场街道,4,990101,三伏潭镇\n");
    assert_eq!(wrong["faults"][0]["column"], "former_name", "{wrong}");
    let done = import(city, "what=areas", "990101104,胡场街道,4,990101,胡场镇\n");
    assert_eq!((&done["status"], &done["updated"]), (&json!("done"), &json!(1)), "{done}");
    assert_eq!(find_name(city, "990101104"), "胡场街道");
    let named = &done["comparison"]["other_names"][0];
    assert_eq!(
        (&named["known_name"], &named["given_name"]),
        (&json!("胡场镇"), &json!("胡场街道"))
    );
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn a_dry_run_shows_names_codes_namesakes_and_what_is_lacking(city: &City) {
    import(city, "what=areas", TOWNS);
    let rows = format!("{SHIFTED}990101106,胡场镇,4,990101,\n");
    let checked = import(city, "what=areas&dry_run=true", &rows);
    let found = &checked["comparison"];
    assert_eq!(
        found["other_names"],
        json!([{ "line": 2, "code": "990101104", "known_name": "胡场镇", "given_name": "三伏潭镇" }])
    );
    let moved = json!({
        "line": 2, "name": "三伏潭镇", "known_code": "990101103", "given_code": "990101104",
    });
    assert_eq!(found["moved_codes"][0], moved, "{found}");
    let namesakes = found["namesakes"].as_array().unwrap();
    let twice = json!({
        "parent_code": "990101", "name": "胡场镇", "codes": ["990101105", "990101106"],
    });
    assert!(namesakes.contains(&twice), "{found}");
    let lacking = found["lacking"].as_array().unwrap();
    assert!(lacking.contains(&json!({ "code": "990101103", "name": "三伏潭镇" })), "{found}");
    assert_eq!(found["lacking_count"], json!(lacking.len()));
}

fn a_municipality_is_a_tenant(city: &City) {
    let url = city.database.url.as_str();
    let run = |arguments: &[&str]| {
        let output = build_command(arguments).output().expect("it runs");
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{complaint}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    run(&["tenant", "create", "--code", "11", "--name", "北京市", "--database", url]);
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    let rows =
        "code,name,level,parent_code\n11,北京市,1,\n1101,市辖区,2,11\n110101,东城区,3,1101\n";
    file.write_all(rows.as_bytes()).expect("it can be written");
    let path = file.path().to_str().expect("its name is text");
    let said = run(&["import", "areas", path, "--tenant", "11", "--database", url]);
    assert!(said.contains("1 new, 0 updated"), "{said}");
    let looked = run(&["import", "areas", path, "--tenant", "11", "--database", url, "--dry-run"]);
    assert!(looked.contains("0 new, 0 updated"), "{looked}");
}

fn a_table_goes_out_and_in_unchanged(city: &City) {
    let names = ["+86小区", "-3号楼", "@街", "=1+1", "'+86小区", "'老街"];
    let rows = names.iter().zip(101..).map(|(name, n)| format!("990101{n},'{name},4,990101,\n"));
    let rows: String = rows.map(|row| row.replace(",''老街", ",'老街")).collect();
    assert_eq!(import(city, "what=areas", &rows)["added"], names.len());
    let table = city.client("worker").get("/api/v1/areas/table").text;
    let again = import(city, "what=areas", table.trim_start_matches('\u{feff}'));
    assert_eq!((&again["updated"], &again["faults"]), (&json!(0), &json!([])), "{again}");
    for (name, n) in names.iter().zip(101..) {
        assert_eq!(find_name(city, &format!("990101{n}")), *name);
    }
}
