//! Looks on the spot that somebody took: free again when the right of whoever took them ends, given
//! back, or passed on.

use serde_json::{Value, json};

use crate::harness::{Answer, City, on_both, seed};

on_both! {
    a_claim_ends_with_the_right_of_its_holder,
    a_claim_before_filing_ends_with_the_right_of_its_holder,
    a_claim_is_given_back_by_its_holder_alone,
    a_claim_is_passed_on_to_somebody_who_may_look,
}

fn change_rights(city: &City, account: &str, verb: &str, body: &Value) -> Answer {
    let person = city.client(account).id();
    city.client("admin").post(&format!("/api/v1/people/{person}/{verb}"), body)
}

fn worker_grant(city: &City) -> Value {
    json!({ "role": "grid_worker", "area_id": city.area_id(seed::GRID) })
}

/// What ends the right of a worker over the grid, and whose: all may look there.
fn endings(city: &City) -> [(&'static str, &'static str, Value); 3] {
    for newcomer in ["nobody", "lead"] {
        change_rights(city, newcomer, "grant", &worker_grant(city)).expect_success();
    }
    [
        ("verifier", "suspend", json!({ "reason": "借调" })),
        ("nobody", "revoke", worker_grant(city)),
        ("lead", "leave", json!({ "reason": "辞职" })),
    ]
}

fn read_claim(city: &City, by: &str, case: &str) -> Value {
    let todos = city.client(by).get("/api/v1/me/todos").expect_success();
    let items = todos["items"].as_array().expect("a list").clone();
    let look = items.iter().find(|item| item["flow_id"] == case);
    look.map_or(Value::Null, |item| item["look"]["claim"]["by"].clone())
}

fn a_claim_ends_with_the_right_of_its_holder(city: &City) {
    for (holder, verb, body) in endings(city) {
        let case = city.new_feedback_case();
        city.take_step(holder, &case, "claim", &json!({}));
        city.post_step("worker", &case, "claim", &json!({})).expect_problem(422, "claimed");
        change_rights(city, holder, verb, &body).expect_success();
        assert_eq!(read_claim(city, "worker", &case), Value::Null, "{verb}");
        let taken = city.take_step("worker", &case, "claim", &json!({}));
        assert_eq!(taken["claim"]["by"], "网格员王芳", "{verb}");
        let passed = json!({ "passed": true });
        assert_eq!(city.take_step("worker", &case, "verify", &passed)["stage"], "verified");
    }
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn a_claim_before_filing_ends_with_the_right_of_its_holder(city: &City) {
    let rule = json!({ "document": { "verify_before_filing": true }, "note": "先核实" });
    city.client("admin").post("/api/v1/policies/conduct", &rule).expect_success();
    for (holder, verb, body) in endings(city) {
        let path = format!("/api/v1/reports/{}", city.submit_report());
        let post = |by: &str, verb: &str, body: &Value| {
            city.client(by).post(&format!("{path}/{verb}"), body)
        };
        post(holder, "claim", &json!({})).expect_success();
        let real = json!({ "real": true });
        post("worker", "confirm", &real).expect_problem(422, "claimed");
        change_rights(city, holder, verb, &body).expect_success();
        assert_eq!(post("worker", "confirm", &real).expect_success()["status"], "received");
    }
}

fn a_claim_is_given_back_by_its_holder_alone(city: &City) {
    let case = city.new_feedback_case();
    city.post_step("worker", &case, "unclaim", &json!({})).expect_problem(422, "not_claimed");
    let claimed = city.take_step("verifier", &case, "claim", &json!({}));
    assert!(claimed["possible"].as_array().expect("a list").contains(&json!("unclaim")));
    city.post_step("worker", &case, "unclaim", &json!({})).expect_problem(422, "claimed");
    assert_eq!(city.take_step("verifier", &case, "unclaim", &json!({}))["claim"], Value::Null);
    city.post_step("verifier", &case, "unclaim", &json!({})).expect_problem(422, "not_claimed");
    let taken = city.take_step("worker", &case, "claim", &json!({}));
    assert_eq!(taken["claim"]["by"], "网格员王芳");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn a_claim_is_passed_on_to_somebody_who_may_look(city: &City) {
    let case = city.new_feedback_case();
    city.take_step("verifier", &case, "claim", &json!({}));
    let pass_on = |by: &str, to: &str| {
        let body = json!({ "to_person_id": city.client(to).id() });
        city.post_step(by, &case, "unclaim", &body)
    };
    for to in ["next_worker", "nobody", "community"] {
        pass_on("verifier", to).expect_problem(422, "not_a_verifier");
    }
    change_rights(city, "nobody", "grant", &worker_grant(city)).expect_success();
    change_rights(city, "nobody", "suspend", &json!({ "reason": "借调" })).expect_success();
    pass_on("verifier", "nobody").expect_problem(422, "not_a_verifier");
    let unknown = json!({ "to_person_id": city.area_id(seed::GRID) });
    city.post_step("verifier", &case, "unclaim", &unknown).expect_problem(422, "unknown_person");
    let passed = pass_on("verifier", "worker").expect_success();
    assert_eq!(passed["claim"]["by"], "网格员王芳");
    pass_on("verifier", "worker").expect_problem(422, "claimed");
    let verify = json!({ "passed": true });
    city.post_step("verifier", &case, "verify", &verify).expect_problem(422, "claimed");
    city.take_step("worker", &case, "verify", &verify);
}
