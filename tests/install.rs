//! Imports of the command line: the same documents, checks and journal as over HTTP.

use std::{io::Write, process::Output};

use serde_json::json;

use crate::{
    crash::build_command,
    harness::{City, on_both, seed, workspace_root},
};

on_both! {
    a_notice_of_holidays_becomes_an_edition_of_the_calendar,
    lists_and_deadlines_become_editions,
    a_fault_names_its_row_and_column_and_nothing_is_imported,
    a_dry_run_writes_nothing,
}

/// `gridwhistle import` of a text.
fn run_import(city: &City, what: &str, text: &str, more: &[&str]) -> Output {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(text.as_bytes()).expect("it can be written");
    let path = file.path().to_str().expect("its name is text");
    let url = city.database.url.as_str();
    let mut arguments = vec!["import", what, path, "--tenant", seed::CITY, "--database", url];
    arguments.extend(more);
    build_command(&arguments).output().expect("it runs")
}

/// The output of a successful import.
#[track_caller]
fn expect_success(output: &Output) -> String {
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The errors of a refused import.
#[track_caller]
fn expect_refusal(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn get_edition(city: &City, kind: &str) -> i64 {
    let shown = city.client("admin").get(&format!("/api/v1/policies/{kind}")).expect_success();
    shown["edition"].as_i64().expect("an edition")
}

const DUTIES: &str =
    "code,category,area,level,lead,cooperating,basis,owner,valid_from,valid_until\n";
const ADMITTED: &str = "code,kind,category,area,basis,valid_from,valid_until\n";

fn a_notice_of_holidays_becomes_an_edition_of_the_calendar(city: &City) {
    let year = |year: i32| {
        let day = json!({ "name": "元旦", "date": format!("{year}-01-01"), "isOffDay": true });
        json!({ "year": year, "papers": [], "days": [day] })
    };
    let said = expect_success(&run_import(city, "holidays", &year(2028).to_string(), &[]));
    assert!(said.contains("published edition 1 of calendar"), "{said}");
    expect_success(&run_import(
        city,
        "holidays",
        &json!([year(2029), year(2030)]).to_string(),
        &[],
    ));
    let calendar = city.client("worker").get("/api/v1/policies/calendar").expect_success();
    assert_eq!((&calendar["edition"], &calendar["by"]), (&json!(2), &json!("系统")));
    for year in ["2026", "2028", "2029", "2030"] {
        assert_eq!(calendar["document"]["years"][year]["year"].to_string(), year);
    }
    let complaint = expect_refusal(&run_import(city, "holidays", "{ \"year\": 2031,\n ]", &[]));
    assert!(complaint.contains("line 2, column 2"), "{complaint}");
    let twice = json!([year(2031), year(2031)]).to_string();
    let complaint = expect_refusal(&run_import(city, "holidays", &twice, &[]));
    assert!(complaint.contains("/years/1/year"), "{complaint}");
    assert_eq!(get_edition(city, "calendar"), 2);
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn lists_and_deadlines_become_editions(city: &City) {
    let duty = format!("{DUTIES}Q-1,A02,,,{},,测试依据,网格中心,2020-01-01,\n", seed::CG);
    expect_success(&run_import(city, "responsibilities", &duty, &[]));
    // As spreadsheets write it: with a byte order mark, and `enforced` in Chinese.
    let admitted = format!("\u{feff}{ADMITTED}A-1,statutory,B01,,测试依据,2020-01-01,\r\n");
    expect_success(&run_import(city, "admissions", &admitted, &[]));
    let standard = workspace_root().join("domain/data/presets/standard.csv");
    let deadlines = std::fs::read_to_string(standard).expect("the standard is shipped");
    expect_success(&run_import(city, "deadlines", &deadlines, &[]));
    for kind in ["responsibilities", "admissions", "deadlines"] {
        assert_eq!(get_edition(city, kind), 1, "{kind}");
    }
    let list = city.client("worker").get("/api/v1/policies/admissions").expect_success();
    assert_eq!(list["document"]["enforced"], true);
    let shown = city.client("worker").get("/api/v1/policies/responsibilities").expect_success();
    assert_eq!(shown["document"]["items"][0]["lead"]["unit"], city.area_id(seed::CG));
}

fn a_fault_names_its_row_and_column_and_nothing_is_imported(city: &City) {
    let good = format!("Q-1,A02,,,{},,测试依据,网格中心,2020-01-01,\n", seed::CG);
    let bad = "Q-2,A02,000,,territory,,测试依据,网格中心,2020-02-31,\n";
    let complaint =
        expect_refusal(&run_import(city, "responsibilities", &format!("{DUTIES}{good}{bad}"), &[]));
    for words in ["Line 3, column area", "Line 3, column valid_from"] {
        assert!(complaint.contains(words), "{words}: {complaint}");
    }
    let unknown = format!("{ADMITTED}A-1,statutory,NOPE,,测试依据,2020-01-01,\n");
    let complaint = expect_refusal(&run_import(city, "admissions", &unknown, &[]));
    assert!(complaint.contains("Line 2, column category"), "{complaint}");
    let head = "id,duty,area,channel,demand,category,urgency,complexity,rank,redo,limit,valid_from,valid_until,owner,basis";
    let vague = format!("{head}\nX-1,handle,,,,,,,,,3天,,,网格中心,测试\n");
    let complaint = expect_refusal(&run_import(city, "deadlines", &vague, &[]));
    assert!(complaint.contains("Line 2, column limit"), "{complaint}");
    for kind in ["responsibilities", "admissions", "deadlines"] {
        assert_eq!(get_edition(city, kind), 0, "{kind}");
    }
}

fn a_dry_run_writes_nothing(city: &City) {
    let admitted = format!("{ADMITTED}A-1,statutory,B01,,测试依据,2020-01-01,\n");
    let said = expect_success(&run_import(city, "admissions", &admitted, &["--dry-run"]));
    assert!(said.contains("would publish edition 1 of admissions"), "{said}");
    assert_eq!(get_edition(city, "admissions"), 0);
    let unknown = format!("{ADMITTED}A-1,statutory,NOPE,,测试依据,2020-01-01,\n");
    expect_refusal(&run_import(city, "admissions", &unknown, &["--dry-run"]));
}
