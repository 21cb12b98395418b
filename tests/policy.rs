//! Rules as documents: checked, published in editions, read from tables, and applied.

use domain::flows::policy::PolicyKind;
use serde_json::{Value, json};

use crate::harness::{City, each, on_both, seed};

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

fn publish(city: &City, kind: &str, document: &Value) -> Value {
    let body = json!({ "document": document, "note": "测试" });
    city.by("admin").post(&format!("/api/v1/policies/{kind}"), &body).done()
}

fn import(city: &City, kind: &str, csv: &str) -> crate::harness::Answer {
    let body = json!({ "csv": csv, "note": "导入" });
    city.by("admin").post(&format!("/api/v1/policies/{kind}/import"), &body)
}

fn what_is_shipped_is_edition_zero(city: &City) {
    let list = city.by("worker").get("/api/v1/policies").done();
    assert_eq!(list["items"].as_array().unwrap().len(), PolicyKind::ALL.len());
    assert!(list["items"].as_array().unwrap().iter().all(|item| item["edition"] == 0));
    let calendar = city.by("worker").get("/api/v1/policies/calendar").done();
    assert_eq!(calendar["document"]["years"]["2026"]["year"], 2026);
    city.by("worker").get("/api/v1/policies/nothing").problem(404, "not_found");
}

fn a_published_deadline_applies_to_new_clocks_only(city: &City) {
    let old = city.dispatched();
    let mut matrix = city.by("admin").get("/api/v1/policies/deadlines").done()["document"].clone();
    for row in matrix["rows"].as_array_mut().unwrap() {
        if row["id"] == "STD-05" {
            row["limit"] = json!({ "amount": 2, "unit": "hour" });
        }
    }
    let published = publish(city, "deadlines", &matrix);
    assert_eq!((&published["edition"], &published["by"]), (&json!(1), &json!("管理员")));
    let term = |case: &str| city.case("dispatcher", case)["assignment"]["handle"].clone();
    assert_eq!(term(&old)["rules"], 0, "a clock that runs is not moved");
    let new = term(&city.dispatched());
    assert_eq!(
        (&new["rules"], &new["amount"], &new["unit"]),
        (&json!(1), &json!(2), &json!("hour"))
    );
}

fn a_document_with_a_fault_is_refused_whole(city: &City) {
    let mut matrix = city.by("admin").get("/api/v1/policies/deadlines").done()["document"].clone();
    matrix["rows"][0]["owner"] = json!("");
    matrix["rows"][1]["category"] = json!("NOPE");
    let body = json!({ "document": matrix, "note": "测试" });
    let refused =
        city.by("admin").post("/api/v1/policies/deadlines", &body).problem(422, "unsound");
    let pointers = each(&json!({ "items": refused["errors"] }), "/pointer");
    assert!(pointers.contains(&"/document/rows/0/owner".to_owned()), "{refused}");
    assert!(pointers.contains(&"/document/rows/1/category".to_owned()), "{refused}");
    let wrong = json!({ "document": { "reopen_days": "many" }, "note": "测试" });
    let refused = city.by("admin").post("/api/v1/policies/conduct", &wrong);
    refused.fault_at("/document/reopen_days");
    assert_eq!(city.by("admin").get("/api/v1/policies/deadlines").done()["edition"], 0);
}

const HEAD: &str = "id,duty,area,channel,demand,category,urgency,complexity,rank,redo,limit,valid_from,valid_until,owner,basis\n";

fn a_vague_unit_of_time_is_refused_with_line_and_column(city: &City) {
    let csv = format!("{HEAD}X-1,handle,,,,,,,,,3天,,,网格中心,测试\n");
    let refused = import(city, "deadlines", &csv).problem(400, "invalid_body");
    let error = &refused["errors"][0];
    assert_eq!(error["pointer"], "/csv");
    let detail = error["message"].as_str().unwrap();
    assert!(detail.contains("第 2 行") && detail.contains("自然日"), "{detail}");
}

fn a_preset_is_laid_over_the_standard(city: &City) {
    let presets = city.by("admin").get("/api/v1/policies/deadlines/presets").done();
    let names = each(&presets, "/name");
    assert_eq!(names.len(), 11, "{names:?}");
    for name in names {
        let body = json!({ "preset": name, "note": "套用预设" });
        let answer = city.by("admin").post("/api/v1/policies/deadlines/import", &body);
        // A catalogue may lack a category that a source names; then the answer says which.
        if answer.status == 422 {
            let refused = answer.problem(422, "unsound");
            let codes = each(&json!({ "items": refused["errors"] }), "/code");
            assert!(codes.iter().all(|code| code == "unknown_category"), "{name}: {refused}");
        } else {
            answer.done();
        }
    }
    let body = json!({ "preset": "nowhere", "note": "套用预设" });
    city.by("admin").post("/api/v1/policies/deadlines/import", &body).fault_at("/preset");
}

fn a_year_given_twice_is_refused(city: &City) {
    let day = json!({ "name": "元旦", "date": "2029-01-01", "isOffDay": true });
    let year = json!({ "year": 2029, "papers": [], "days": [day] });
    let body = json!({ "years": [year, year], "note": "安排" });
    let refused = city.by("admin").post("/api/v1/policies/calendar/holidays", &body);
    refused.fault_at("/years/1/year");
    assert_eq!(city.by("admin").get("/api/v1/policies/calendar").done()["edition"], 0);
}

fn overlapping_windows_are_refused(city: &City) {
    let mut book = city.by("admin").get("/api/v1/policies/calendar").done()["document"].clone();
    let window = |from: &str, until: &str| json!({ "from": from, "until": until });
    book["schedules"][0]["windows"] = json!([window("08:00", "12:00"), window("11:00", "18:00")]);
    let body = json!({ "document": book, "note": "测试" });
    city.by("admin").post("/api/v1/policies/calendar", &body).problem(422, "unsound");
}

fn only_administrators_publish(city: &City) {
    let body = json!({ "document": {}, "note": "测试" });
    for by in ["leader", "district", "worker", "resident"] {
        let refused = city.by(by).post("/api/v1/policies/conduct", &body);
        assert_eq!(refused.problem(403, "not_permitted")["permission"], "manage_rules");
    }
}

fn a_stale_edition_does_not_overwrite(city: &City) {
    publish(city, "conduct", &json!({ "reopen_days": 20 }));
    publish(city, "conduct", &json!({ "reopen_days": 25 }));
    let body = json!({ "document": {}, "note": "测试" });
    let path = "/api/v1/policies/conduct";
    let stale = city.by("admin").call("POST", path).header("If-Match", "\"1\"").json(&body).send();
    assert_eq!(stale.status, 412, "{}", stale.text);
    assert_eq!(city.by("admin").get(path).done()["document"]["reopen_days"], 25);
}

fn the_preview_says_which_rule_and_why(city: &City) {
    let body = json!({
        "area_id": city.area(seed::GRID), "urgency": "urgent", "duty": "handle",
        "at": "2026-09-18T17:30:00+08:00",
    });
    let shown = city.by("worker").post("/api/v1/sla/preview", &body).done();
    let item = &shown["items"][0];
    assert_eq!((&item["term"]["rule"], &item["basis"]), (&json!("STD-06"), &json!("默认规则")));
    let considered = item["considered"].as_array().unwrap();
    let verdicts: Vec<_> = considered.iter().map(|one| one["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts.iter().filter(|verdict| **verdict == "wins").count(), 1);
    assert!(considered.iter().any(|one| one["unmet"][0]["column"] == "urgency"), "{item}");
    let nowhere = json!({ "area_id": "01900000-0000-7000-8000-000000000000" });
    city.by("worker").post("/api/v1/sla/preview", &nowhere).problem(422, "unknown_area");
}

fn a_community_is_given_only_what_is_on_its_list(city: &City) {
    let csv = "code,kind,category,area,basis,valid_from,valid_until\nA-1,statutory,B01,,测试依据,2020-01-01,\n";
    let case = city.at_street();
    let unit = json!({ "unit_id": city.area(seed::COMMUNITY) });
    import(city, "admissions", csv).done();
    let refused = city.ask("dispatcher", &case, "dispatch", &unit).problem(422, "not_admitted");
    assert_eq!(refused["category"], "A02");
    let csv = format!("{csv}A-2,assist,A02,,测试依据,2020-01-01,\n");
    import(city, "admissions", &csv).done();
    city.on("dispatcher", &case, "dispatch", &unit);
}

fn the_list_of_duties_says_where_a_matter_goes(city: &City) {
    let ask = json!({ "area_id": city.area(seed::GRID), "category": "A02" });
    let shown = city.by("dispatcher").post("/api/v1/dispatch/preview", &ask).done();
    assert_eq!(shown["way"], "backstop");
    let csv = format!(
        "code,category,area,level,lead,cooperating,basis,owner,valid_from,valid_until\nQ-1,A02,,,{},,测试依据,网格中心,2020-01-01,\n",
        seed::CG
    );
    import(city, "responsibilities", &csv).done();
    let shown = city.by("dispatcher").post("/api/v1/dispatch/preview", &ask).done();
    assert_eq!(
        (&shown["rule"], &shown["lead"]["id"]),
        (&json!("Q-1"), &json!(city.area(seed::CG)))
    );
    assert!(!shown["steps"].as_array().unwrap().is_empty());
}
