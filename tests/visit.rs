//! Visits: spontaneous or planned, with needs that become reports in the same step.

use actix_web::rt::System;
use chrono::Duration;
use serde_json::{Value, json};

use crate::{
    form::publish_form,
    harness::{City, new_key, on_both, read_text, read_texts, seed},
    household::register_household,
};

on_both! {
    a_need_found_on_a_visit_is_a_report_in_the_same_step,
    a_visit_that_is_refused_leaves_no_report,
    a_planned_visit_is_in_the_inbox_until_somebody_went,
    an_evening_visit_written_down_next_day_is_taken_and_marked,
    what_was_put_right_can_still_be_read,
    a_replayed_visit_is_one_visit_with_its_reports,
    nobody_visits_next_door,
    of_an_erased_household_no_form_is_taken,
    a_replay_is_answered_when_its_form_is_asked_no_more,
    what_is_written_down_while_a_household_is_erased_is_erased_with_it,
    answers_go_when_their_time_is_over,
}

fn visit_body(household: &str) -> Value {
    json!({
        "household_id": household, "purposes": ["opinions", "assistance"], "outcome": "met",
        "opinions": "希望加装电梯",
        "needs": [
            { "text": "楼道灯不亮，老人夜里下楼不安全", "category": "A02" },
            { "text": "想申请高龄津贴，不知道怎么办", "urgency": "urgent" },
        ],
    })
}

fn a_need_found_on_a_visit_is_a_report_in_the_same_step(city: &City) {
    let household = register_household(city);
    let made =
        city.client("worker").post("/api/v1/visits", &visit_body(&household)).expect_success();
    let needs = made["need_ids"].as_array().unwrap();
    assert_eq!(json!([made["status"], made["goes"], needs.len()]), json!(["done", 1, 2]));
    for need in needs {
        let report = city
            .client("community")
            .get(&format!("/api/v1/reports/{}", need.as_str().unwrap()))
            .expect_success();
        assert_eq!(json!([report["status"], report["channel"]]), json!(["received", "worker"]));
        assert_eq!(report["place"]["address"], "3栋", "the building, not the room");
    }
    let todos = city.client("community").get("/api/v1/me/todos?duty=accept").expect_success();
    assert_eq!(todos["items"].as_array().unwrap().len(), 2);
    let listed = city
        .client("community")
        .get(&format!("/api/v1/visits?household={household}"))
        .expect_success();
    assert_eq!(read_texts(&listed, "/id"), [read_text(&made, "/id")]);
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn a_visit_that_is_refused_leaves_no_report(city: &City) {
    let household = register_household(city);
    let mut bad = visit_body(&household);
    bad["needs"][1]["category"] = json!("Z99");
    city.client("worker").post("/api/v1/visits", &bad).expect_problem(422, "unknown_category");
    let mut empty = visit_body(&household);
    empty["outcome"] = json!("nobody_home");
    city.client("worker").post("/api/v1/visits", &empty).expect_problem(422, "nobody_met");
    let mut aimless = visit_body(&household);
    aimless["purposes"] = json!([]);
    city.client("worker").post("/api/v1/visits", &aimless).expect_problem(422, "purpose_missing");
    let mut many = visit_body(&household);
    many["needs"] = json!(vec![json!({ "text": "需求" }); 11]);
    city.client("worker").post("/api/v1/visits", &many).expect_problem(422, "too_many");
    let unknown = json!({ "household_id": new_key(), "purposes": ["check"], "outcome": "met" });
    assert_eq!(
        city.client("worker").post("/api/v1/visits", &unknown).expect_fault("/household_id"),
        "unknown_household"
    );
    assert_eq!(city.client("worker").get("/api/v1/visits").expect_success()["items"], json!([]));
    assert_eq!(
        city.client("community").get("/api/v1/reports").expect_success()["items"],
        json!([])
    );
}

fn a_planned_visit_is_in_the_inbox_until_somebody_went(city: &City) {
    let household = register_household(city);
    let plan = json!({
        "household_id": household, "purposes": ["assistance"],
        "due": city.now() + Duration::days(3),
    });
    let planned = city.client("worker").post("/api/v1/visits/plan", &plan).expect_success();
    let id = read_text(&planned, "/id");
    assert_eq!(planned["owed"][0]["term"]["rule"], "named");
    let todos = city.client("verifier").get("/api/v1/me/todos?duty=visit").expect_success();
    assert_eq!(read_texts(&todos, "/flow_id"), std::slice::from_ref(&id));
    assert_eq!(read_texts(&todos, "/title"), ["扶助到户"]);
    let record = format!("/api/v1/visits/{id}/record");
    city.client("lead")
        .post(&record, &json!({ "outcome": "met" }))
        .expect_problem(404, "not_found");
    let done = city
        .client("verifier")
        .post(&record, &json!({ "outcome": "nobody_home" }))
        .expect_success();
    assert_eq!(
        json!([done["status"], done["by"], done["possible"]]),
        json!(["done", "网格员李强", ["correct"]])
    );
    city.client("verifier")
        .post(&record, &json!({ "outcome": "met" }))
        .expect_problem(422, "wrong_state");
    assert_eq!(
        city.client("worker").get("/api/v1/me/todos?duty=visit").expect_success()["items"],
        json!([])
    );
    let again = city.client("worker").post("/api/v1/visits/plan", &plan).expect_success();
    let cancel = format!("/api/v1/visits/{}/cancel", read_text(&again, "/id"));
    let cancelled =
        city.client("worker").post(&cancel, &json!({ "reason": "已电话联系" })).expect_success();
    assert_eq!(
        json!([cancelled["status"], cancelled["reason"]]),
        json!(["cancelled", "已电话联系"])
    );
    let past = json!({ "household_id": household, "purposes": ["check"], "due": city.now() - Duration::days(1) });
    city.client("worker").post("/api/v1/visits/plan", &past).expect_problem(422, "outside_window");
}

fn an_evening_visit_written_down_next_day_is_taken_and_marked(city: &City) {
    let household = register_household(city);
    let mut body = json!({
        "household_id": household, "purposes": ["opinions"], "outcome": "met",
        "visited_at": city.now() - Duration::days(1),
    });
    let late = city.client("worker").post("/api/v1/visits", &body).expect_success();
    assert_eq!(late["late_entry"], true);
    body["visited_at"] = json!(city.now() - Duration::days(100));
    city.client("worker")
        .post("/api/v1/visits", &body)
        .expect_problem(422, "client_time_out_of_range");
}

fn what_was_put_right_can_still_be_read(city: &City) {
    let household = register_household(city);
    let body = json!({ "household_id": household, "purposes": ["opinions"], "outcome": "refused" });
    let id =
        read_text(&city.client("worker").post("/api/v1/visits", &body).expect_success(), "/id");
    let correct = json!({ "outcome": "met", "opinions": "希望加装电梯", "reason": "选错了结果" });
    let path = format!("/api/v1/visits/{id}/correct");
    let after = city.client("worker").post(&path, &correct).expect_success();
    assert_eq!(json!([after["outcome"], after["opinions"]]), json!(["met", "希望加装电梯"]));
    let timeline =
        city.client("community").get(&format!("/api/v1/visits/{id}/timeline")).expect_success();
    assert_eq!(read_texts(&timeline, "/label"), ["记录走访", "更正"]);
    assert!(timeline["items"][0].to_string().contains("refused"));
    city.client("next_worker").post(&path, &correct).expect_problem(404, "not_found");
}

fn a_replayed_visit_is_one_visit_with_its_reports(city: &City) {
    let household = register_household(city);
    let id = new_key();
    let first = city
        .client("worker")
        .post_as(&id, "/api/v1/visits", &visit_body(&household))
        .expect_success();
    let again = city
        .client("worker")
        .post_as(&id, "/api/v1/visits", &visit_body(&household))
        .expect_success();
    assert_eq!(first, again);
    let mut other = visit_body(&household);
    other["outcome"] = json!("met");
    other["opinions"] = json!("别的");
    city.client("worker")
        .post_as(&id, "/api/v1/visits", &other)
        .expect_problem(422, "idempotency_key_reused");
    assert_eq!(
        city.client("community").get("/api/v1/reports").expect_success()["items"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

fn nobody_visits_next_door(city: &City) {
    let household = register_household(city);
    for by in ["next_worker", "far_worker", "client", "resident", "lead"] {
        let asked = city.client(by).post("/api/v1/visits", &visit_body(&household));
        assert_eq!(asked.expect_fault("/household_id"), "unknown_household", "{by}");
    }
    // A person who may see the household but not visit it gets a refusal that says so.
    city.client("dispatcher")
        .post("/api/v1/visits", &visit_body(&household))
        .expect_problem(403, "not_permitted");
    let other = json!({ "area_id": city.area_id(seed::NEXT) });
    city.client("worker").post("/api/v1/households", &other).expect_problem(403, "not_permitted");
}

fn note_schema() -> Value {
    let note = json!({ "type": "string", "title": "备注", "maxLength": 40 });
    json!({ "type": "object", "title": "表", "properties": { "note": note } })
}

fn of_an_erased_household_no_form_is_taken(city: &City) {
    let (household, form) = (register_household(city), publish_form(city, "note", &note_schema()));
    let plan = json!({ "household_id": household, "purposes": ["assistance"] });
    let planned = city.client("worker").post("/api/v1/visits/plan", &plan).expect_success();
    let why = json!({ "reason": "户主申请删除" });
    city.client("worker")
        .post(&format!("/api/v1/households/{household}/erasure"), &why)
        .expect_success();
    let met =
        json!({ "outcome": "met", "form": { "id": form, "changes": { "note": "说过的话" } } });
    let record = format!("/api/v1/visits/{}/record", read_text(&planned, "/id"));
    city.client("worker").post(&record, &met).expect_problem(422, "erased");
    let kept = "select 'one' as line from form_answers";
    assert_eq!(
        persistence::probe::query_lines(&city.database.url, kept).unwrap(),
        Vec::<String>::new()
    );
    let cancel = format!("/api/v1/visits/{}/cancel", read_text(&planned, "/id"));
    city.client("worker").post(&cancel, &why).expect_success();
}

fn a_replay_is_answered_when_its_form_is_asked_no_more(city: &City) {
    let (household, form) = (register_household(city), publish_form(city, "note", &note_schema()));
    let plan = json!({ "household_id": household, "purposes": ["assistance"] });
    let planned = city.client("worker").post("/api/v1/visits/plan", &plan).expect_success();
    let record = format!("/api/v1/visits/{}/record", read_text(&planned, "/id"));
    let filled = json!({ "id": form, "changes": { "note": "说过的话" } });
    let met = json!({ "outcome": "met", "form": filled });
    let mut unplanned = visit_body(&household);
    unplanned["form"] = filled;
    let keys = [new_key(), new_key()];
    let go = || {
        [
            city.client("worker").post_as(&keys[0], &record, &met).expect_success(),
            city.client("worker").post_as(&keys[1], "/api/v1/visits", &unplanned).expect_success(),
        ]
    };
    let first = go();
    let why = json!({ "reason": "与年报重复" });
    city.client("admin").post(&format!("/api/v1/forms/{form}/withdraw"), &why).expect_success();
    assert_eq!(go(), first);
    unplanned["form"]["changes"]["note"] = json!("别的话");
    let other = city.client("worker").post_as(&keys[1], "/api/v1/visits", &unplanned);
    other.expect_problem(422, "idempotency_key_reused");
}

/// Answers whose key is still there.
fn count_readable(city: &City) -> usize {
    let kept = "select 'one' as line from form_answers a join personal_keys k \
        on k.tenant_id = a.tenant_id and k.subject_id = a.id where k.wrapped is not null";
    persistence::probe::query_lines(&city.database.url, kept).unwrap().len()
}

fn what_is_written_down_while_a_household_is_erased_is_erased_with_it(city: &City) {
    let form = publish_form(city, "note", &note_schema());
    let why = json!({ "reason": "户主申请删除" });
    for _ in 0..8 {
        let household = register_household(city);
        let met = json!({
            "household_id": household, "purposes": ["opinions"], "outcome": "met",
            "form": { "id": form, "changes": { "note": "说过的话" } },
        });
        std::thread::scope(|scope| {
            for by in ["worker", "verifier", "worker"] {
                let met = &met;
                scope.spawn(move || {
                    let answer = city.client(by).post("/api/v1/visits", met);
                    assert!([201, 422].contains(&answer.status), "{}", answer.text);
                });
            }
            scope.spawn(|| {
                let path = format!("/api/v1/households/{household}/erasure");
                city.client("worker").post(&path, &why).expect_success()
            });
        });
        assert_eq!(count_readable(city), 0, "erased once is erased");
    }
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn answers_go_when_their_time_is_over(city: &City) {
    let (household, form) = (register_household(city), publish_form(city, "note", &note_schema()));
    let mut met = visit_body(&household);
    met["form"] = json!({ "id": form, "changes": { "note": "说过的话" } });
    let made = city.client("worker").post("/api/v1/visits", &met).expect_success();
    let pass = || {
        let app = city.app.clone();
        System::new().block_on(api::resources::retention::run_pass(&app)).expect("it removes");
    };
    city.advance(Duration::days(40));
    pass();
    assert_eq!(count_readable(city), 1);
    let retention =
        json!({ "document": { "retention": { "form_answers": 30 } }, "note": "表单保存三十天" });
    city.client("admin").post("/api/v1/policies/privacy", &retention).expect_success();
    city.advance(Duration::days(2));
    pass();
    let kept = "select 'one' as line from form_answers union all \
        select 'two' from personal p join personal_keys k \
        on k.tenant_id = p.tenant_id and k.subject_id = p.subject_id where k.kind = 'form'";
    assert_eq!(
        persistence::probe::query_lines(&city.database.url, kept).unwrap(),
        Vec::<String>::new()
    );
    let report = city.client("auditor").get("/api/v1/retention").expect_success();
    let classes = report["items"].as_array().unwrap().iter();
    let removed = classes.filter(|item| item["class"] == "form_answers");
    assert_eq!(removed.map(|item| &item["removed"]).collect::<Vec<_>>(), [&json!(1)]);
    // That a worker went, and filled in a form, stays; the answers are asked anew.
    let shown = city
        .client("worker")
        .get(&format!("/api/v1/visits/{}", read_text(&made, "/id")))
        .expect_success();
    assert_eq!(shown["form"]["form_id"], json!(form));
    let path = format!("/api/v1/households/{household}/forms/{form}");
    assert_eq!(city.client("worker").get(&path).expect_success()["values"]["note"], json!(null));
    assert_eq!(city.verify().broken, Vec::<String>::new());
}
