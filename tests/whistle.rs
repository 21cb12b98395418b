//! The whistle: a street summons departments, and they report in.

use chrono::Duration;
use serde_json::{Value, json};

use crate::harness::{City, each, on_both, seed, solved};

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

fn release(city: &City, case: &str, unit: &str) -> Value {
    city.summons("leader", case, unit, "release", &json!({})).done()
}

fn departments_report_in_and_the_case_goes_on(city: &City) {
    let case = city.whistled();
    let shown = city.case("lead", &case);
    assert_eq!(shown["stage"], "whistled");
    assert_eq!(shown["whistle"]["topic_label"], "综合执法");
    let owing: Vec<_> = shown["owed"].as_array().unwrap().iter().map(|o| &o["duty"]).collect();
    assert_eq!(owing.len(), 8, "{owing:?}");
    city.answers("water", &case, seed::SW);
    city.answers("lead", &case, seed::CG);
    release(city, &case, seed::SW);
    let over = release(city, &case, seed::CG);
    assert_eq!((&over["stage"], &over["whistle"]["over"]), (&json!("fed_back"), &json!(true)));
    city.on("verifier", &case, "verify", &json!({ "passed": true }));
    city.on("resident", &case, "callback", &solved());
    let closed = city.on("dispatcher", &case, "close", &json!({}));
    assert_eq!(closed["closing"]["outcome"], "solved");
    assert_eq!(closed["whistle"]["summonses"][1]["result"], "已整改");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn the_lead_answers_last(city: &City) {
    let case = city.whistled();
    for verb in ["sign", "contact", "arrive"] {
        let body = if verb == "arrive" { json!({ "note": "在楼道内" }) } else { json!({}) };
        city.summons("lead", &case, seed::CG, verb, &body).done();
    }
    let result = json!({ "result": "已整改" });
    let refused = city.summons("lead", &case, seed::CG, "feedback", &result);
    assert_eq!(refused.problem(422, "cooperating_pending")["units"], json!(["西区水务局"]));
    city.answers("water", &case, seed::SW);
    city.summons("lead", &case, seed::CG, "feedback", &result).done();
}

fn a_department_sent_back_answers_again(city: &City) {
    let case = city.whistled();
    city.answers("water", &case, seed::SW);
    let why = json!({ "reason": "一户商户尚未整改" });
    let back = city.summons("leader", &case, seed::SW, "send_back", &why).done();
    assert_eq!(back["whistle"]["summonses"][1]["step"], "arrived");
    let result = json!({ "result": "全部整改" });
    let again = city.summons("water", &case, seed::SW, "feedback", &result).done();
    assert_eq!(again["whistle"]["summonses"][1]["result"], "全部整改");
    release(city, &case, seed::SW);
    city.summons("leader", &case, seed::SW, "send_back", &why).problem(422, "wrong_state");
}

fn only_the_last_release_ends_the_whistle(city: &City) {
    let case = city.whistled();
    city.answers("water", &case, seed::SW);
    city.answers("lead", &case, seed::CG);
    city.ask("verifier", &case, "verify", &json!({ "passed": true })).problem(422, "wrong_state");
    let first = release(city, &case, seed::CG);
    assert_eq!((&first["stage"], &first["whistle"]["over"]), (&json!("whistled"), &json!(false)));
    assert_eq!(release(city, &case, seed::SW)["stage"], "fed_back");
}

fn a_case_closed_by_ruling_has_no_department_at_work(city: &City) {
    let case = city.whistled();
    for (by, unit) in [("water", seed::SW), ("lead", seed::CG)] {
        city.answers(by, &case, unit);
    }
    for unit in [seed::SW, seed::CG] {
        release(city, &case, unit);
    }
    let failed = json!({ "passed": false, "note": "仍有油污" });
    for _ in 0..2 {
        let again = city.on("verifier", &case, "verify", &failed);
        let lead = &again["whistle"]["summonses"][0];
        assert_eq!((&lead["step"], &lead["possible"]), (&json!("arrived"), &json!(["feedback"])));
        let result = json!({ "result": "再次整改" });
        city.summons("lead", &case, seed::CG, "feedback", &result).done();
        release(city, &case, seed::CG);
    }
    let ruling = city.on("verifier", &case, "verify", &failed);
    let closed =
        city.on("district", &case, "rule", &json!({ "again": false, "reason": "三次返工" }));
    for (told, stage) in [(&ruling, "ruling"), (&closed, "closed")] {
        assert_eq!((&told["stage"], &told["whistle"]["over"]), (&json!(stage), &json!(true)));
        for summons in told["whistle"]["summonses"].as_array().unwrap() {
            assert_eq!(summons["step"], "released", "{summons}");
            assert_eq!(summons["possible"], json!(["rate", "rate_street"]), "{summons}");
        }
    }
    let result = json!({ "result": "第四次" });
    let problem = city.summons("lead", &case, seed::CG, "feedback", &result);
    let problem = problem.problem(422, "wrong_state");
    let facts = json!([problem["state"], problem["possible"]]);
    assert_eq!(facts, json!(["released", ["rate", "rate_street"]]));
    let rating = json!({ "response": 2, "quality": 1, "comment": "三次未整改到位" });
    let rated = city.summons("leader", &case, seed::CG, "rate", &rating).done();
    assert_eq!(rated["whistle"]["summonses"][0]["possible"], json!(["rate_street"]));
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

/// Nobody was summoned: there is no summons to ask anything of.
fn a_case_without_a_whistle_offers_no_summons(city: &City) {
    for case in [city.fed_back(), city.closed()] {
        let possible = city.case("dispatcher", &case)["possible"].clone();
        assert!(!possible.as_array().unwrap().contains(&json!("summons")), "{possible}");
    }
}

fn a_department_is_rated_once(city: &City) {
    let case = city.whistled();
    city.answers("water", &case, seed::SW);
    let rating = json!({ "response": 5, "quality": 4, "comment": "响应及时" });
    city.summons("leader", &case, seed::SW, "rate", &rating).problem(422, "wrong_state");
    release(city, &case, seed::SW);
    let rated = city.summons("leader", &case, seed::SW, "rate", &rating).done();
    assert_eq!(rated["whistle"]["summonses"][1]["rating"], rating);
    assert_eq!(rated["whistle"]["summonses"][1]["possible"], json!(["rate_street"]));
    city.summons("leader", &case, seed::SW, "rate", &rating).problem(422, "already_rated");
    // After the whistle, rating is all that is left.
    city.answers("lead", &case, seed::CG);
    release(city, &case, seed::CG);
    city.summons("leader", &case, seed::CG, "rate", &rating).done();
    city.summons("lead", &case, seed::CG, "sign", &json!({})).problem(422, "wrong_state");
}

fn both_sides_read_what_they_think_of_each_other_and_nobody_else(city: &City) {
    let case = city.whistled();
    city.answers("water", &case, seed::SW);
    release(city, &case, seed::SW);
    let rating = json!({ "response": 5, "quality": 4, "comment": "响应及时" });
    let view = json!({ "response": 2, "quality": 3, "comment": "情况说明不清" });
    city.summons("leader", &case, seed::SW, "rate", &rating).done();
    city.summons("water", &case, seed::SW, "rate_street", &view).done();
    let told = |by: &str| {
        let summons = city.case(by, &case)["whistle"]["summonses"][1].clone();
        [summons["rating"].clone(), summons["view"].clone()]
    };
    for by in ["water", "leader", "dispatcher", "district"] {
        assert_eq!(told(by), [rating.clone(), view.clone()], "{by}");
    }
    for by in ["lead", "worker", "community", "resident"] {
        assert_eq!(told(by), [Value::Null, Value::Null], "{by}");
    }
    let on_record = |by: &str| {
        let timeline = city.by(by).get(&format!("/api/v1/cases/{case}/timeline")).done();
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
    let case = city.at_street();
    let call = |rank: &str| {
        let mut call = city.call();
        call["rank"] = json!(rank);
        call
    };
    let waits = city.on("dispatcher", &case, "whistle", &call("hard"));
    assert_eq!(
        (&waits["stage"], &waits["requests"][0]["kind"]),
        (&json!("filed"), &json!("whistle"))
    );
    city.ask("leader", &case, "whistle", &call("hard")).problem(422, "asked_already");
    let blown = city.on("leader", &case, "whistle", &call("urgent"));
    assert_eq!(
        (&blown["stage"], &blown["whistle"]["rank"]),
        (&json!("whistled"), &json!("urgent"))
    );
    assert_eq!(blown["requests"], json!([]));
}

fn a_department_answers_only_for_itself(city: &City) {
    let case = city.whistled();
    let refused = city.summons("water", &case, seed::CG, "sign", &json!({}));
    assert_eq!(refused.problem(403, "not_permitted")["permission"], "answer_whistle");
    city.summons("leader", &case, seed::CG, "sign", &json!({})).problem(403, "not_permitted");
    city.summons("market", &case, seed::SC, "sign", &json!({})).problem(404, "not_found");
    city.summons("leader", &case, seed::SC, "release", &json!({})).problem(422, "not_summoned");
    city.answers("water", &case, seed::SW);
    city.summons("water", &case, seed::SW, "release", &json!({})).problem(403, "not_permitted");
    city.summons("dispatcher", &case, seed::SW, "release", &json!({}))
        .problem(403, "not_permitted");
}

fn who_reported_in_does_not_verify(city: &City) {
    // A person who is both a department's officer and a grid worker.
    let water = city.by("water").id();
    let grant = json!({ "role": "grid_worker", "area_id": city.area(seed::GRID) });
    city.by("admin").post(&format!("/api/v1/people/{water}/grant"), &grant).done();
    let case = city.whistled();
    city.answers("water", &case, seed::SW);
    city.answers("lead", &case, seed::CG);
    release(city, &case, seed::CG);
    release(city, &case, seed::SW);
    city.ask("water", &case, "verify", &json!({ "passed": true })).problem(422, "handler_verifies");
}

fn a_failed_verification_calls_the_lead_back(city: &City) {
    let case = city.whistled();
    city.answers("water", &case, seed::SW);
    city.answers("lead", &case, seed::CG);
    release(city, &case, seed::SW);
    release(city, &case, seed::CG);
    let again = city.on("verifier", &case, "verify", &json!({ "passed": false }));
    assert_eq!(again["stage"], "whistled");
    let steps = each(&json!({ "items": again["whistle"]["summonses"] }), "/step");
    assert_eq!(steps, ["arrived", "released"]);
    city.summons("lead", &case, seed::CG, "feedback", &json!({ "result": "复改" })).done();
    assert_eq!(release(city, &case, seed::CG)["stage"], "fed_back");
}

fn only_a_street_blows_the_whistle(city: &City) {
    let case = city.filed();
    // The leader has the right, over everything in the street; but a community holds the case.
    let refused = city.ask("leader", &case, "whistle", &city.call()).problem(422, "not_a_street");
    assert_eq!(refused["holder"], "枫林社区");
    city.on("community", &case, "escalate", &json!({ "reason": "需街道" }));
    city.on("leader", &case, "whistle", &city.call());
}

fn only_departments_that_serve_the_street_are_summoned(city: &City) {
    let case = city.at_street();
    for (wrong, code) in [
        (city.area(seed::FAR_CG), "not_a_department"),
        (city.area(seed::COMMUNITY), "not_a_department"),
        (city.area("990201-CG"), "unknown_area"),
    ] {
        for member in ["lead_unit_id", "cooperating_unit_ids"] {
            let mut call = city.call();
            call[member] = if member == "lead_unit_id" { json!(wrong) } else { json!([wrong]) };
            city.ask("leader", &case, "whistle", &call).problem(422, code);
        }
    }
}

fn a_department_is_named_once(city: &City) {
    let case = city.at_street();
    for twice in [vec![seed::CG], vec![seed::SW, seed::SW]] {
        let mut call = city.call();
        call["cooperating_unit_ids"] = twice.iter().map(|code| city.area(code)).collect();
        city.ask("leader", &case, "whistle", &call).problem(422, "named_twice");
    }
    let mut alone = city.call();
    alone.as_object_mut().unwrap().remove("cooperating_unit_ids");
    let blown = city.on("leader", &case, "whistle", &alone);
    assert_eq!(blown["whistle"]["summonses"].as_array().unwrap().len(), 1);
}

fn so_many_departments_and_no_more(city: &City) {
    let case = city.at_street();
    let mut call = city.call();
    call["cooperating_unit_ids"] = json!(vec![city.area(seed::SW); 21]);
    let refused = city.ask("leader", &case, "whistle", &call);
    assert_eq!(refused.problem(422, "too_many_departments")["max"], 21);
}

fn arrival_records_where_and_how_far(city: &City) {
    let case = city.whistled();
    city.summons("water", &case, seed::SW, "sign", &json!({})).done();
    // Contact may be skipped: an officer who is there has made contact.
    let here = json!({
        "point": { "lng": 110.006, "lat": 30.005, "coord_type": "wgs84" }, "note": "已到现场",
    });
    let arrived = city.summons("water", &case, seed::SW, "arrive", &here).done();
    let arrival = &arrived["whistle"]["summonses"][1]["arrival"];
    assert_eq!((&arrival["by"], &arrival["note"]), (&json!("水务郑涛"), &json!("已到现场")));
    let metres = arrival["distance_m"].as_f64().unwrap();
    assert!((90.0..105.0).contains(&metres), "{metres}");
}

fn clocks_run_from_the_whistle(city: &City) {
    let case = city.whistled();
    let blown = city.case("lead", &case)["whistle"].clone();
    city.advance(Duration::hours(30));
    city.summons("lead", &case, seed::CG, "sign", &json!({})).done();
    let after = city.case("lead", &case)["whistle"].clone();
    assert_eq!(after["summonses"][0]["clocks"], blown["summonses"][0]["clocks"]);
    let path = format!("/api/v1/cases/{case}/obligations");
    let owed = city.by("leader").get(&path).done();
    let unit = city.area(seed::CG);
    let items = owed["items"].as_array().unwrap();
    let sign = items.iter().find(|item| item["duty"] == "sign_whistle" && item["unit_id"] == *unit);
    assert_eq!(sign.unwrap()["outcome"], "late");
    let todos = city.by("lead").get("/api/v1/me/todos").done();
    assert_eq!(each(&todos, "/duty"), ["contact", "arrive", "feed_back"]);
    assert_eq!(todos["items"][0]["overdue"], true);
    assert_eq!(todos["items"][1]["overdue"], false);
}

fn steps_have_an_order(city: &City) {
    let case = city.whistled();
    for (verb, body) in
        [("contact", json!({})), ("arrive", json!({})), ("feedback", json!({ "result": "x" }))]
    {
        let refused =
            city.summons("lead", &case, seed::CG, verb, &body).problem(422, "wrong_state");
        let facts =
            json!([refused["flow"], refused["state"], refused["command"], refused["possible"]]);
        assert_eq!(facts, json!(["summons", "called", verb, ["sign", "contest"]]));
    }
    city.summons("lead", &case, seed::CG, "sign", &json!({})).done();
    city.summons("lead", &case, seed::CG, "sign", &json!({})).problem(422, "wrong_state");
}

fn a_rating_is_one_to_five(city: &City) {
    let case = city.whistled();
    city.answers("water", &case, seed::SW);
    release(city, &case, seed::SW);
    for wrong in [json!(0), json!(6), json!(-1), json!(256), json!(2.5), json!("5"), Value::Null] {
        let body = json!({ "response": 5, "quality": wrong });
        city.summons("leader", &case, seed::SW, "rate", &body).fault_at("/quality");
    }
}
