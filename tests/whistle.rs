//! The whistle: a street summons departments, and they report in.

use chrono::Duration;
use serde_json::{Value, json};

use crate::harness::{City, callback_body, on_both, read_texts, seed};

on_both! {
    departments_report_in_and_the_case_goes_on,
    the_lead_answers_last,
    a_department_sent_back_answers_again,
    only_the_last_release_ends_the_whistle,
    a_department_is_rated_once,
    a_case_closed_by_ruling_has_no_department_at_work,
    a_case_without_a_whistle_offers_no_summons,
    both_sides_read_what_they_think_of_each_other_and_nobody_else,
    an_urgent_whistle_is_blown_while_a_hard_one_waits,
    a_department_answers_only_for_itself,
    who_reported_in_does_not_verify,
    a_failed_verification_calls_the_lead_back,
    only_a_street_blows_the_whistle,
    only_departments_that_serve_the_street_are_summoned,
    a_department_is_named_once,
    so_many_departments_and_no_more,
    arrival_records_where_and_how_far,
    clocks_run_from_the_whistle,
    steps_have_an_order,
    a_rating_is_one_to_five,
}

fn release_unit(city: &City, case: &str, unit: &str) -> Value {
    city.post_summons_step("leader", case, unit, "release", &json!({})).expect_success()
}

fn departments_report_in_and_the_case_goes_on(city: &City) {
    let case = city.new_whistled_case();
    let shown = city.get_case("lead", &case);
    assert_eq!(shown["stage"], "whistled");
    assert_eq!(shown["whistle"]["topic_label"], "综合执法");
    let owing: Vec<_> = shown["owed"].as_array().unwrap().iter().map(|o| &o["duty"]).collect();
    assert_eq!(owing.len(), 8, "{owing:?}");
    city.answer_summons("water", &case, seed::SW);
    city.answer_summons("lead", &case, seed::CG);
    release_unit(city, &case, seed::SW);
    let over = release_unit(city, &case, seed::CG);
    assert_eq!((&over["stage"], &over["whistle"]["over"]), (&json!("fed_back"), &json!(true)));
    city.take_step("verifier", &case, "verify", &json!({ "passed": true }));
    city.take_step("resident", &case, "callback", &callback_body());
    let closed = city.take_step("dispatcher", &case, "close", &json!({}));
    assert_eq!(closed["closing"]["outcome"], "solved");
    assert_eq!(closed["whistle"]["summonses"][1]["result"], "已整改");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn the_lead_answers_last(city: &City) {
    let case = city.new_whistled_case();
    for verb in ["sign", "contact", "arrive"] {
        let body = if verb == "arrive" { json!({ "note": "在楼道内" }) } else { json!({}) };
        city.post_summons_step("lead", &case, seed::CG, verb, &body).expect_success();
    }
    let result = json!({ "result": "已整改" });
    let refused = city.post_summons_step("lead", &case, seed::CG, "feedback", &result);
    assert_eq!(refused.expect_problem(422, "cooperating_pending")["units"], json!(["西区水务局"]));
    city.answer_summons("water", &case, seed::SW);
    city.post_summons_step("lead", &case, seed::CG, "feedback", &result).expect_success();
}

fn a_department_sent_back_answers_again(city: &City) {
    let case = city.new_whistled_case();
    city.answer_summons("water", &case, seed::SW);
    let why = json!({ "reason": "一户商户尚未整改" });
    let back =
        city.post_summons_step("leader", &case, seed::SW, "send_back", &why).expect_success();
    assert_eq!(back["whistle"]["summonses"][1]["step"], "arrived");
    let result = json!({ "result": "全部整改" });
    let again =
        city.post_summons_step("water", &case, seed::SW, "feedback", &result).expect_success();
    assert_eq!(again["whistle"]["summonses"][1]["result"], "全部整改");
    release_unit(city, &case, seed::SW);
    city.post_summons_step("leader", &case, seed::SW, "send_back", &why)
        .expect_problem(422, "wrong_state");
}

fn only_the_last_release_ends_the_whistle(city: &City) {
    let case = city.new_whistled_case();
    city.answer_summons("water", &case, seed::SW);
    city.answer_summons("lead", &case, seed::CG);
    city.post_step("verifier", &case, "verify", &json!({ "passed": true }))
        .expect_problem(422, "wrong_state");
    let first = release_unit(city, &case, seed::CG);
    assert_eq!((&first["stage"], &first["whistle"]["over"]), (&json!("whistled"), &json!(false)));
    assert_eq!(release_unit(city, &case, seed::SW)["stage"], "fed_back");
}

fn a_case_closed_by_ruling_has_no_department_at_work(city: &City) {
    let case = city.new_whistled_case();
    for (by, unit) in [("water", seed::SW), ("lead", seed::CG)] {
        city.answer_summons(by, &case, unit);
    }
    for unit in [seed::SW, seed::CG] {
        release_unit(city, &case, unit);
    }
    let failed = json!({ "passed": false, "note": "仍有油污" });
    for _ in 0..2 {
        let again = city.take_step("verifier", &case, "verify", &failed);
        let lead = &again["whistle"]["summonses"][0];
        assert_eq!((&lead["step"], &lead["possible"]), (&json!("arrived"), &json!(["feedback"])));
        let result = json!({ "result": "再次整改" });
        city.post_summons_step("lead", &case, seed::CG, "feedback", &result).expect_success();
        release_unit(city, &case, seed::CG);
    }
    let ruling = city.take_step("verifier", &case, "verify", &failed);
    let closed =
        city.take_step("district", &case, "rule", &json!({ "again": false, "reason": "三次返工" }));
    for (told, stage) in [(&ruling, "ruling"), (&closed, "closed")] {
        assert_eq!((&told["stage"], &told["whistle"]["over"]), (&json!(stage), &json!(true)));
        for summons in told["whistle"]["summonses"].as_array().unwrap() {
            assert_eq!(summons["step"], "released", "{summons}");
            assert_eq!(summons["possible"], json!(["rate", "rate_street"]), "{summons}");
        }
    }
    let result = json!({ "result": "第四次" });
    let problem = city.post_summons_step("lead", &case, seed::CG, "feedback", &result);
    let problem = problem.expect_problem(422, "wrong_state");
    let facts = json!([problem["state"], problem["possible"]]);
    assert_eq!(facts, json!(["released", ["rate", "rate_street"]]));
    let rating = json!({ "response": 2, "quality": 1, "comment": "三次未整改到位" });
    let rated = city.post_summons_step("leader", &case, seed::CG, "rate", &rating).expect_success();
    assert_eq!(rated["whistle"]["summonses"][0]["possible"], json!(["rate_street"]));
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

/// No department was summoned: there is no summons to run a command on.
fn a_case_without_a_whistle_offers_no_summons(city: &City) {
    for case in [city.new_feedback_case(), city.new_closed_case()] {
        let possible = city.get_case("dispatcher", &case)["possible"].clone();
        assert!(!possible.as_array().unwrap().contains(&json!("summons")), "{possible}");
    }
}

fn a_department_is_rated_once(city: &City) {
    let case = city.new_whistled_case();
    city.answer_summons("water", &case, seed::SW);
    let rating = json!({ "response": 5, "quality": 4, "comment": "响应及时" });
    city.post_summons_step("leader", &case, seed::SW, "rate", &rating)
        .expect_problem(422, "wrong_state");
    release_unit(city, &case, seed::SW);
    let rated = city.post_summons_step("leader", &case, seed::SW, "rate", &rating).expect_success();
    assert_eq!(rated["whistle"]["summonses"][1]["rating"], rating);
    assert_eq!(rated["whistle"]["summonses"][1]["possible"], json!(["rate_street"]));
    city.post_summons_step("leader", &case, seed::SW, "rate", &rating)
        .expect_problem(422, "already_rated");
    // After the whistle, rating is all that is left.
    city.answer_summons("lead", &case, seed::CG);
    release_unit(city, &case, seed::CG);
    city.post_summons_step("leader", &case, seed::CG, "rate", &rating).expect_success();
    city.post_summons_step("lead", &case, seed::CG, "sign", &json!({}))
        .expect_problem(422, "wrong_state");
}

fn both_sides_read_what_they_think_of_each_other_and_nobody_else(city: &City) {
    let case = city.new_whistled_case();
    city.answer_summons("water", &case, seed::SW);
    release_unit(city, &case, seed::SW);
    let rating = json!({ "response": 5, "quality": 4, "comment": "响应及时" });
    let view = json!({ "response": 2, "quality": 3, "comment": "情况说明不清" });
    city.post_summons_step("leader", &case, seed::SW, "rate", &rating).expect_success();
    city.post_summons_step("water", &case, seed::SW, "rate_street", &view).expect_success();
    let told = |by: &str| {
        let summons = city.get_case(by, &case)["whistle"]["summonses"][1].clone();
        [summons["rating"].clone(), summons["view"].clone()]
    };
    for by in ["water", "leader", "dispatcher", "district"] {
        assert_eq!(told(by), [rating.clone(), view.clone()], "{by}");
    }
    for by in ["lead", "worker", "community", "resident"] {
        assert_eq!(told(by), [Value::Null, Value::Null], "{by}");
    }
    let on_record = |by: &str| {
        let timeline =
            city.client(by).get(&format!("/api/v1/cases/{case}/timeline")).expect_success();
        let of = |command: &str| {
            let items = timeline["items"].as_array().unwrap();
            let item = items.iter().find(|item| item["command"] == command).unwrap();
            item["events"][0]["happened"]["rating"].clone()
        };
        [of("summons_rate"), of("summons_rate_street")]
    };
    for by in ["water", "leader", "dispatcher", "district"] {
        assert_eq!(on_record(by), [rating.clone(), view.clone()], "{by}");
    }
    for by in ["lead", "worker", "community"] {
        assert_eq!(on_record(by), [Value::Null, Value::Null], "{by}");
    }
}

fn an_urgent_whistle_is_blown_while_a_hard_one_waits(city: &City) {
    let case = city.new_street_case();
    let call = |rank: &str| {
        let mut call = city.whistle_body();
        call["rank"] = json!(rank);
        call
    };
    let waits = city.take_step("dispatcher", &case, "whistle", &call("hard"));
    assert_eq!(
        (&waits["stage"], &waits["requests"][0]["kind"]),
        (&json!("filed"), &json!("whistle"))
    );
    city.post_step("leader", &case, "whistle", &call("hard")).expect_problem(422, "asked_already");
    let blown = city.take_step("leader", &case, "whistle", &call("urgent"));
    assert_eq!(
        (&blown["stage"], &blown["whistle"]["rank"]),
        (&json!("whistled"), &json!("urgent"))
    );
    assert_eq!(blown["requests"], json!([]));
}

fn a_department_answers_only_for_itself(city: &City) {
    let case = city.new_whistled_case();
    let refused = city.post_summons_step("water", &case, seed::CG, "sign", &json!({}));
    assert_eq!(refused.expect_problem(403, "not_permitted")["permission"], "answer_whistle");
    city.post_summons_step("leader", &case, seed::CG, "sign", &json!({}))
        .expect_problem(403, "not_permitted");
    city.post_summons_step("market", &case, seed::SC, "sign", &json!({}))
        .expect_problem(404, "not_found");
    city.post_summons_step("leader", &case, seed::SC, "release", &json!({}))
        .expect_problem(422, "not_summoned");
    city.answer_summons("water", &case, seed::SW);
    city.post_summons_step("water", &case, seed::SW, "release", &json!({}))
        .expect_problem(403, "not_permitted");
    city.post_summons_step("dispatcher", &case, seed::SW, "release", &json!({}))
        .expect_problem(403, "not_permitted");
}

fn who_reported_in_does_not_verify(city: &City) {
    // A person who is both a department's officer and a grid worker.
    let water = city.client("water").id();
    let grant = json!({ "role": "grid_worker", "area_id": city.area_id(seed::GRID) });
    city.client("admin").post(&format!("/api/v1/people/{water}/grant"), &grant).expect_success();
    let case = city.new_whistled_case();
    city.answer_summons("water", &case, seed::SW);
    city.answer_summons("lead", &case, seed::CG);
    release_unit(city, &case, seed::CG);
    release_unit(city, &case, seed::SW);
    city.post_step("water", &case, "verify", &json!({ "passed": true }))
        .expect_problem(422, "handler_verifies");
}

fn a_failed_verification_calls_the_lead_back(city: &City) {
    let case = city.new_whistled_case();
    city.answer_summons("water", &case, seed::SW);
    city.answer_summons("lead", &case, seed::CG);
    release_unit(city, &case, seed::SW);
    release_unit(city, &case, seed::CG);
    let again = city.take_step("verifier", &case, "verify", &json!({ "passed": false }));
    assert_eq!(again["stage"], "whistled");
    let steps = read_texts(&json!({ "items": again["whistle"]["summonses"] }), "/step");
    assert_eq!(steps, ["arrived", "released"]);
    city.post_summons_step("lead", &case, seed::CG, "feedback", &json!({ "result": "复改" }))
        .expect_success();
    assert_eq!(release_unit(city, &case, seed::CG)["stage"], "fed_back");
}

fn only_a_street_blows_the_whistle(city: &City) {
    let case = city.new_filed_case();
    // The leader has the right, over everything in the street; but a community holds the case.
    let refused = city
        .post_step("leader", &case, "whistle", &city.whistle_body())
        .expect_problem(422, "not_a_street");
    assert_eq!(refused["holder"], "枫林社区");
    city.take_step("community", &case, "escalate", &json!({ "reason": "需街道" }));
    city.take_step("leader", &case, "whistle", &city.whistle_body());
}

fn only_departments_that_serve_the_street_are_summoned(city: &City) {
    let case = city.new_street_case();
    for (wrong, code) in [
        (city.area_id(seed::FAR_CG), "not_a_department"),
        (city.area_id(seed::COMMUNITY), "not_a_department"),
        (city.area_id("990201-CG"), "unknown_area"),
    ] {
        for member in ["lead_unit_id", "cooperating_unit_ids"] {
            let mut call = city.whistle_body();
            call[member] = if member == "lead_unit_id" { json!(wrong) } else { json!([wrong]) };
            city.post_step("leader", &case, "whistle", &call).expect_problem(422, code);
        }
    }
}

fn a_department_is_named_once(city: &City) {
    let case = city.new_street_case();
    for twice in [vec![seed::CG], vec![seed::SW, seed::SW]] {
        let mut call = city.whistle_body();
        call["cooperating_unit_ids"] = twice.iter().map(|code| city.area_id(code)).collect();
        city.post_step("leader", &case, "whistle", &call).expect_problem(422, "named_twice");
    }
    let mut alone = city.whistle_body();
    alone.as_object_mut().unwrap().remove("cooperating_unit_ids");
    let blown = city.take_step("leader", &case, "whistle", &alone);
    assert_eq!(blown["whistle"]["summonses"].as_array().unwrap().len(), 1);
}

fn so_many_departments_and_no_more(city: &City) {
    let case = city.new_street_case();
    let mut call = city.whistle_body();
    call["cooperating_unit_ids"] = json!(vec![city.area_id(seed::SW); 21]);
    let refused = city.post_step("leader", &case, "whistle", &call);
    assert_eq!(refused.expect_problem(422, "too_many_departments")["max"], 21);
}

fn arrival_records_where_and_how_far(city: &City) {
    let case = city.new_whistled_case();
    city.post_summons_step("water", &case, seed::SW, "sign", &json!({})).expect_success();
    // Contact may be skipped: an officer who is there has made contact.
    let here = json!({
        "point": { "lng": 110.006, "lat": 30.005, "coord_type": "wgs84" }, "note": "已到现场",
    });
    let arrived =
        city.post_summons_step("water", &case, seed::SW, "arrive", &here).expect_success();
    let arrival = &arrived["whistle"]["summonses"][1]["arrival"];
    assert_eq!((&arrival["by"], &arrival["note"]), (&json!("水务郑涛"), &json!("已到现场")));
    let metres = arrival["distance_m"].as_f64().unwrap();
    assert!((90.0..105.0).contains(&metres), "{metres}");
}

fn clocks_run_from_the_whistle(city: &City) {
    let case = city.new_whistled_case();
    let blown = city.get_case("lead", &case)["whistle"].clone();
    city.advance(Duration::hours(30));
    city.post_summons_step("lead", &case, seed::CG, "sign", &json!({})).expect_success();
    let after = city.get_case("lead", &case)["whistle"].clone();
    assert_eq!(after["summonses"][0]["clocks"], blown["summonses"][0]["clocks"]);
    let path = format!("/api/v1/cases/{case}/obligations");
    let owed = city.client("leader").get(&path).expect_success();
    let unit = city.area_id(seed::CG);
    let items = owed["items"].as_array().unwrap();
    let sign = items.iter().find(|item| item["duty"] == "sign_whistle" && item["unit_id"] == *unit);
    assert_eq!(sign.unwrap()["outcome"], "late");
    let todos = city.client("lead").get("/api/v1/me/todos").expect_success();
    assert_eq!(read_texts(&todos, "/duty"), ["contact", "arrive", "feed_back"]);
    assert_eq!(todos["items"][0]["overdue"], true);
    assert_eq!(todos["items"][1]["overdue"], false);
}

fn steps_have_an_order(city: &City) {
    let case = city.new_whistled_case();
    for (verb, body) in
        [("contact", json!({})), ("arrive", json!({})), ("feedback", json!({ "result": "x" }))]
    {
        let refused = city
            .post_summons_step("lead", &case, seed::CG, verb, &body)
            .expect_problem(422, "wrong_state");
        let facts =
            json!([refused["flow"], refused["state"], refused["command"], refused["possible"]]);
        assert_eq!(facts, json!(["summons", "called", verb, ["sign", "contest"]]));
    }
    city.post_summons_step("lead", &case, seed::CG, "sign", &json!({})).expect_success();
    city.post_summons_step("lead", &case, seed::CG, "sign", &json!({}))
        .expect_problem(422, "wrong_state");
}

fn a_rating_is_one_to_five(city: &City) {
    let case = city.new_whistled_case();
    city.answer_summons("water", &case, seed::SW);
    release_unit(city, &case, seed::SW);
    for wrong in [json!(0), json!(6), json!(-1), json!(256), json!(2.5), json!("5"), Value::Null] {
        let body = json!({ "response": 5, "quality": wrong });
        city.post_summons_step("leader", &case, seed::SW, "rate", &body).expect_fault("/quality");
    }
}
