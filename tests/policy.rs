//! Rules as documents: checked, published in editions, read from tables, and applied.

use domain::flows::policy::PolicyKind;
use serde_json::{Value, json};

use crate::harness::{City, on_both, read_texts, seed};

on_both! {
    what_is_shipped_is_edition_zero,
    a_published_deadline_applies_to_new_clocks_only,
    a_document_with_a_fault_is_refused_whole,
    a_vague_unit_of_time_is_refused_with_line_and_column,
    a_preset_is_laid_over_the_standard,
    a_year_given_twice_is_refused,
    overlapping_windows_are_refused,
    only_administrators_publish,
    a_stale_edition_does_not_overwrite,
    the_preview_says_which_rule_and_why,
    a_community_is_given_only_what_is_on_its_list,
    the_list_of_duties_says_where_a_matter_goes,
}

fn publish_policy(city: &City, kind: &str, document: &Value) -> Value {
    let body = json!({ "document": document, "note": "测试" });
    city.client("admin").post(&format!("/api/v1/policies/{kind}"), &body).expect_success()
}

fn import_policy(city: &City, kind: &str, csv: &str) -> crate::harness::Answer {
    let body = json!({ "csv": csv, "note": "导入" });
    city.client("admin").post(&format!("/api/v1/policies/{kind}/import"), &body)
}

fn what_is_shipped_is_edition_zero(city: &City) {
    let list = city.client("worker").get("/api/v1/policies").expect_success();
    assert_eq!(list["items"].as_array().unwrap().len(), PolicyKind::ALL.len());
    assert!(list["items"].as_array().unwrap().iter().all(|item| item["edition"] == 0));
    let calendar = city.client("worker").get("/api/v1/policies/calendar").expect_success();
    assert_eq!(calendar["document"]["years"]["2026"]["year"], 2026);
    city.client("worker").get("/api/v1/policies/nothing").expect_problem(404, "not_found");
}

fn a_published_deadline_applies_to_new_clocks_only(city: &City) {
    let old = city.new_dispatched_case();
    let mut matrix =
        city.client("admin").get("/api/v1/policies/deadlines").expect_success()["document"].clone();
    for row in matrix["rows"].as_array_mut().unwrap() {
        if row["id"] == "STD-05" {
            row["limit"] = json!({ "amount": 2, "unit": "hour" });
        }
    }
    let published = publish_policy(city, "deadlines", &matrix);
    assert_eq!((&published["edition"], &published["by"]), (&json!(1), &json!("管理员")));
    let term = |case: &str| city.get_case("dispatcher", case)["assignment"]["handle"].clone();
    assert_eq!(term(&old)["rules"], 0, "a clock that runs is not moved");
    let new = term(&city.new_dispatched_case());
    assert_eq!(
        (&new["rules"], &new["amount"], &new["unit"]),
        (&json!(1), &json!(2), &json!("hour"))
    );
}

fn a_document_with_a_fault_is_refused_whole(city: &City) {
    let mut matrix =
        city.client("admin").get("/api/v1/policies/deadlines").expect_success()["document"].clone();
    matrix["rows"][0]["owner"] = json!("");
    matrix["rows"][1]["category"] = json!("NOPE");
    let body = json!({ "document": matrix, "note": "测试" });
    let refused = city
        .client("admin")
        .post("/api/v1/policies/deadlines", &body)
        .expect_problem(422, "unsound");
    let pointers = read_texts(&json!({ "items": refused["errors"] }), "/pointer");
    assert!(pointers.contains(&"/document/rows/0/owner".to_owned()), "{refused}");
    assert!(pointers.contains(&"/document/rows/1/category".to_owned()), "{refused}");
    let wrong = json!({ "document": { "reopen_days": "many" }, "note": "测试" });
    let refused = city.client("admin").post("/api/v1/policies/conduct", &wrong);
    refused.expect_fault("/document/reopen_days");
    assert_eq!(
        city.client("admin").get("/api/v1/policies/deadlines").expect_success()["edition"],
        0
    );
}

const HEAD: &str = "id,duty,area,channel,demand,category,urgency,complexity,rank,redo,limit,valid_from,valid_until,owner,basis\n";

fn a_vague_unit_of_time_is_refused_with_line_and_column(city: &City) {
    let csv = format!("{HEAD}X-1,handle,,,,,,,,,3天,,,网格中心,测试\n");
    let refused = import_policy(city, "deadlines", &csv).expect_problem(400, "invalid_body");
    let error = &refused["errors"][0];
    assert_eq!(error["pointer"], "/csv");
    let detail = error["message"].as_str().unwrap();
    assert!(detail.contains("第 2 行") && detail.contains("自然日"), "{detail}");
}

fn a_preset_is_laid_over_the_standard(city: &City) {
    let presets = city.client("admin").get("/api/v1/policies/deadlines/presets").expect_success();
    let names = read_texts(&presets, "/name");
    assert_eq!(names.len(), 11, "{names:?}");
    for name in names {
        let body = json!({ "preset": name, "note": "套用预设" });
        let answer = city.client("admin").post("/api/v1/policies/deadlines/import", &body);
        // A catalogue may lack a category that a source names; then the answer says which.
        if answer.status == 422 {
            let refused = answer.expect_problem(422, "unsound");
            let codes = read_texts(&json!({ "items": refused["errors"] }), "/code");
            assert!(codes.iter().all(|code| code == "unknown_category"), "{name}: {refused}");
        } else {
            answer.expect_success();
        }
    }
    let body = json!({ "preset": "nowhere", "note": "套用预设" });
    city.client("admin").post("/api/v1/policies/deadlines/import", &body).expect_fault("/preset");
}

fn a_year_given_twice_is_refused(city: &City) {
    let day = json!({ "name": "元旦", "date": "2029-01-01", "isOffDay": true });
    let year = json!({ "year": 2029, "papers": [], "days": [day] });
    let body = json!({ "years": [year, year], "note": "安排" });
    let refused = city.client("admin").post("/api/v1/policies/calendar/holidays", &body);
    refused.expect_fault("/years/1/year");
    assert_eq!(
        city.client("admin").get("/api/v1/policies/calendar").expect_success()["edition"],
        0
    );
}

fn overlapping_windows_are_refused(city: &City) {
    let mut book =
        city.client("admin").get("/api/v1/policies/calendar").expect_success()["document"].clone();
    let window = |from: &str, until: &str| json!({ "from": from, "until": until });
    book["schedules"][0]["windows"] = json!([window("08:00", "12:00"), window("11:00", "18:00")]);
    let body = json!({ "document": book, "note": "测试" });
    city.client("admin").post("/api/v1/policies/calendar", &body).expect_problem(422, "unsound");
}

fn only_administrators_publish(city: &City) {
    let body = json!({ "document": {}, "note": "测试" });
    for by in ["leader", "district", "worker", "resident"] {
        let refused = city.client(by).post("/api/v1/policies/conduct", &body);
        assert_eq!(refused.expect_problem(403, "not_permitted")["permission"], "manage_rules");
    }
}

fn a_stale_edition_does_not_overwrite(city: &City) {
    publish_policy(city, "conduct", &json!({ "reopen_days": 20 }));
    publish_policy(city, "conduct", &json!({ "reopen_days": 25 }));
    let body = json!({ "document": {}, "note": "测试" });
    let path = "/api/v1/policies/conduct";
    let stale =
        city.client("admin").call("POST", path).header("If-Match", "\"1\"").json(&body).send();
    assert_eq!(stale.status, 412, "{}", stale.text);
    assert_eq!(city.client("admin").get(path).expect_success()["document"]["reopen_days"], 25);
}

fn the_preview_says_which_rule_and_why(city: &City) {
    let body = json!({
        "area_id": city.area_id(seed::GRID), "urgency": "urgent", "duty": "handle",
        "at": "2026-09-18T17:30:00+08:00",
    });
    let shown = city.client("worker").post("/api/v1/sla/preview", &body).expect_success();
    let item = &shown["items"][0];
    assert_eq!((&item["term"]["rule"], &item["basis"]), (&json!("STD-06"), &json!("默认规则")));
    let considered = item["considered"].as_array().unwrap();
    let verdicts: Vec<_> = considered.iter().map(|one| one["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts.iter().filter(|verdict| **verdict == "wins").count(), 1);
    assert!(considered.iter().any(|one| one["unmet"][0]["column"] == "urgency"), "{item}");
    let nowhere = json!({ "area_id": "01900000-0000-7000-8000-000000000000" });
    city.client("worker").post("/api/v1/sla/preview", &nowhere).expect_problem(422, "unknown_area");
}

fn a_community_is_given_only_what_is_on_its_list(city: &City) {
    let csv = "code,kind,category,area,basis,valid_from,valid_until\nA-1,statutory,B01,,测试依据,2020-01-01,\n";
    let case = city.new_street_case();
    let unit = json!({ "unit_id": city.area_id(seed::COMMUNITY) });
    import_policy(city, "admissions", csv).expect_success();
    let refused =
        city.post_step("dispatcher", &case, "dispatch", &unit).expect_problem(422, "not_admitted");
    assert_eq!(refused["category"], "A02");
    let csv = format!("{csv}A-2,assist,A02,,测试依据,2020-01-01,\n");
    import_policy(city, "admissions", &csv).expect_success();
    city.take_step("dispatcher", &case, "dispatch", &unit);
}

fn the_list_of_duties_says_where_a_matter_goes(city: &City) {
    let ask = json!({ "area_id": city.area_id(seed::GRID), "category": "A02" });
    let shown = city.client("dispatcher").post("/api/v1/dispatch/preview", &ask).expect_success();
    assert_eq!(shown["way"], "backstop");
    let csv = format!(
        "code,category,area,level,lead,cooperating,basis,owner,valid_from,valid_until\nQ-1,A02,,,{},,测试依据,网格中心,2020-01-01,\n",
        seed::CG
    );
    import_policy(city, "responsibilities", &csv).expect_success();
    let shown = city.client("dispatcher").post("/api/v1/dispatch/preview", &ask).expect_success();
    assert_eq!(
        (&shown["rule"], &shown["lead"]["id"]),
        (&json!("Q-1"), &json!(city.area_id(seed::CG)))
    );
    assert!(!shown["steps"].as_array().unwrap().is_empty());
}
