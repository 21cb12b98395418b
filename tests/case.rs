//! Cases: from dispatch to closing, and every way back.

use chrono::Duration;
use serde_json::{Value, json};

use crate::harness::{City, callback_body, on_both, read_text, read_texts, seed};

on_both! {
    a_problem_goes_from_report_to_closed,
    every_step_is_in_the_timeline_and_the_chain_is_intact,
    deadlines_count_from_dispatch_and_show_their_working,
    obligations_end_met_late_or_lifted,
    a_return_goes_back_to_the_holder_and_is_counted,
    the_first_receiver_says_whose_it_is_and_answers_until_another_signs,
    what_the_list_names_as_its_own_the_first_receiver_keeps,
    more_time_moves_the_clock_it_was_asked_for,
    a_verification_is_taken_by_one_and_falls_free_again,
    the_third_report_of_a_matter_is_supervised,
    the_third_failure_is_ruled_about,
    escalation_ends_below_the_city,
    dispatch_stays_within_the_jurisdiction,
    a_district_dispatches_to_its_departments,
    who_handled_does_not_verify,
    a_failed_verification_goes_back_to_the_same_unit,
    an_unsolved_answer_goes_back_to_work,
    solved_is_not_satisfied,
    answers_that_contradict_are_refused,
    a_case_nobody_can_be_asked_about_is_closed_after_three_calls,
    a_resident_answers_for_the_own_report,
    a_case_is_reopened_within_the_window,
    a_case_is_not_reopened_after_the_window,
    everybody_involved_comments,
    a_command_that_does_not_fit_names_state_and_what_is_possible,
    a_role_that_may_not_is_told_what_it_lacks,
    a_department_sees_only_its_cases,
    a_sibling_area_sees_nothing,
    another_tenant_sees_nothing,
    lists_filter,
}

fn a_problem_goes_from_report_to_closed(city: &City) {
    let stage = |by: &str, case: &str, verb: &str, body: &Value| {
        read_text(&city.take_step(by, case, verb, body), "/stage")
    };
    let report = city.submit_report();
    let case = city.file_report(&report);
    assert_eq!(stage("community", &case, "escalate", &json!({ "reason": "需街道" })), "filed");
    let unit = json!({ "unit_id": city.area_id(seed::COMMUNITY), "note": "请先行协调" });
    assert_eq!(stage("dispatcher", &case, "dispatch", &unit), "dispatched");
    assert_eq!(stage("community", &case, "sign", &json!({})), "signed");
    assert_eq!(stage("community", &case, "start", &json!({})), "handling");
    let done = json!({ "result": "已清理" });
    assert_eq!(stage("community", &case, "feedback", &done), "fed_back");
    let point = json!({ "lng": 110.005, "lat": 30.005, "coord_type": "wgs84" });
    let seen = json!({ "passed": true, "note": "已消除", "point": point });
    assert_eq!(stage("verifier", &case, "verify", &seen), "verified");
    assert_eq!(stage("hotline", &case, "callback", &callback_body()), "called_back");
    let closed = city.take_step("dispatcher", &case, "close", &json!({ "note": "三项答复齐全" }));
    assert_eq!(closed["stage"], "closed");
    assert_eq!(closed["closing"]["outcome"], "solved");
    assert_eq!(
        closed["answer"],
        json!({ "solved": true, "satisfied": "satisfied", "comment": null })
    );
    assert_eq!(closed["assignment"]["result"], "已清理");
    assert_eq!(closed["owed"], json!([]));
    // The reporter learns how it ended.
    let told = city.client("resident").get(&format!("/api/v1/reports/{report}")).expect_success();
    assert_eq!(told["case"]["id"], case);
    assert_eq!(told["case"]["closing"]["outcome_label"], "已解决");
}

fn every_step_is_in_the_timeline_and_the_chain_is_intact(city: &City) {
    let case = city.new_closed_case();
    let timeline =
        city.client("dispatcher").get(&format!("/api/v1/cases/{case}/timeline")).expect_success();
    let commands = read_texts(&timeline, "/command");
    let expected =
        ["open", "escalate", "dispatch", "sign", "feedback", "verify", "callback", "close"];
    assert_eq!(commands, expected);
    assert_eq!(timeline["intact"], true);
    assert_eq!(timeline["items"][7]["hash"], timeline["head"]);
    assert_eq!(timeline["items"][2]["by"], "街道刘洋");
    for item in timeline["items"].as_array().unwrap() {
        assert!(!item["label"].as_str().unwrap().is_empty(), "{item}");
    }
    let path = format!("/api/v1/cases/{case}/timeline?after=6");
    assert_eq!(
        read_texts(&city.client("dispatcher").get(&path).expect_success(), "/command"),
        ["callback", "close"]
    );
    let verified = city.verify();
    assert_eq!(verified.broken, Vec::<String>::new());
}

fn deadlines_count_from_dispatch_and_show_their_working(city: &City) {
    let case = city.new_dispatched_case();
    let before = city.get_case("dispatcher", &case);
    city.advance(Duration::minutes(30));
    let after = city.take_step("community", &case, "sign", &json!({}));
    let handle = &after["assignment"]["handle"];
    assert_eq!(handle["due_at"], before["assignment"]["handle"]["due_at"]);
    let instant = |pointer: &str| read_text(handle, pointer).parse::<domain::Instant>().unwrap();
    // Five working days: from a Sunday night at least until Friday evening.
    assert!(instant("/due_at") - instant("/started_at") > Duration::days(4));
    assert_eq!((&handle["amount"], &handle["unit"]), (&json!(5), &json!("working_day")));
    assert_eq!((&handle["rule"], &handle["rules"]), (&json!("STD-05"), &json!(0)));
}

fn obligations_end_met_late_or_lifted(city: &City) {
    let case = city.new_dispatched_case();
    city.advance(Duration::hours(2));
    city.take_step("community", &case, "sign", &json!({}));
    city.take_step("community", &case, "return", &city.not_ours());
    let path = format!("/api/v1/cases/{case}/obligations");
    let owed = city.client("dispatcher").get(&path).expect_success();
    let find = |duty: &str, unit: &str| {
        let unit = city.area_id(unit);
        let items = owed["items"].as_array().unwrap();
        let one = items.iter().find(|item| item["duty"] == duty && item["unit_id"] == *unit);
        one.unwrap_or_else(|| panic!("no {duty} in {owed}"))["outcome"].clone()
    };
    assert_eq!(find("dispatch", seed::COMMUNITY), "met");
    assert_eq!(find("sign", seed::COMMUNITY), "late");
    assert_eq!(find("handle", seed::COMMUNITY), "lifted");
}

fn a_return_goes_back_to_the_holder_and_is_counted(city: &City) {
    let case = city.new_signed_case();
    let returned = city.take_step("community", &case, "return", &city.not_ours());
    assert_eq!(returned["stage"], "filed");
    assert_eq!(returned["holder"]["id"], city.area_id(seed::STREET));
    assert_eq!(returned["tally"]["returns"], 1);
    let unit = json!({ "unit_id": city.area_id(seed::GRID) });
    city.take_step("dispatcher", &case, "dispatch", &unit);
    let again = city.take_step("worker", &case, "return", &json!({ "reason": "网格无法处置" }));
    assert_eq!(again["tally"]["returns"], 2);
}

fn the_first_receiver_says_whose_it_is_and_answers_until_another_signs(city: &City) {
    let case = city.new_signed_case();
    let reason = json!({ "reason": "不属于社区" });
    let refused =
        city.post_step("community", &case, "return", &reason).expect_problem(422, "first_receiver");
    assert_eq!(refused["unit"], "枫林社区");
    let returned = city.take_step("community", &case, "return", &city.not_ours());
    for member in ["first_receiver", "answerable"] {
        assert_eq!(returned[member]["id"], city.area_id(seed::COMMUNITY), "{member}");
    }
    let timeline =
        city.client("dispatcher").get(&format!("/api/v1/cases/{case}/timeline")).expect_success();
    let event = &timeline["items"][4]["events"][0];
    assert_eq!(
        (&event["event"], &event["proposed"]["name"]),
        (&json!("returned"), &json!("西区城管局"))
    );
    city.take_step(
        "dispatcher",
        &case,
        "dispatch",
        &json!({ "unit_id": city.area_id(seed::GRID) }),
    );
    let signed = city.take_step("worker", &case, "sign", &json!({}));
    assert_eq!(signed["answerable"]["id"], city.area_id(seed::GRID));
    assert_eq!(signed["first_receiver"]["id"], city.area_id(seed::COMMUNITY));
}

fn what_the_list_names_as_its_own_the_first_receiver_keeps(city: &City) {
    let item = json!({
        "code": "Q-1", "category": "A02", "level": "community", "lead": "territory",
        "cooperating": [], "basis": "权责清单", "owner": "网格中心",
        "period": { "from": "2020-01-01" },
    });
    let body = json!({ "document": { "items": [item] }, "note": "属地负责" });
    city.client("admin").post("/api/v1/policies/responsibilities", &body).expect_success();
    let case = city.new_signed_case();
    let refused = city.post_step("community", &case, "return", &city.not_ours());
    assert_eq!(refused.expect_problem(422, "first_receiver")["item"], "Q-1");
    assert_eq!(city.get_case("dispatcher", &case)["stage"], "signed");
}

fn more_time_moves_the_clock_it_was_asked_for(city: &City) {
    let case = city.new_dispatched_case();
    let body = |duty: Value| json!({ "duty": duty, "amount": 2, "unit": "working_day", "reason": "等待配件" });
    let due = |shown: &Value, duty: &str| {
        let owed = shown["owed"].as_array().unwrap().iter();
        owed.clone().find(|one| one["duty"] == duty).unwrap()["term"]["due_at"].clone()
    };
    let before = city.get_case("dispatcher", &case);
    let asked = city.take_step("community", &case, "extend", &body(json!("sign")));
    assert_eq!(asked["requests"][0]["duty"], "sign");
    let asked = city.take_step("community", &case, "extend", &body(Value::Null));
    assert_eq!(asked["requests"][1]["duty"], "handle", "the work, when nothing else is said");
    let sign = format!("requests/{}/decide", asked["requests"][0]["no"]);
    let given = city.take_step("leader", &case, &sign, &json!({ "agree": true }));
    assert_ne!(due(&given, "sign"), due(&before, "sign"));
    assert_eq!(due(&given, "handle"), due(&before, "handle"));
    let handle = format!("requests/{}/decide", given["requests"][0]["no"]);
    let both = city.take_step("leader", &case, &handle, &json!({ "agree": true }));
    assert_ne!(due(&both, "handle"), due(&before, "handle"));
    assert_eq!(due(&both, "sign"), due(&given, "sign"));
    let refused = city.post_step("community", &case, "extend", &body(json!("feed_back")));
    assert_eq!(refused.expect_problem(422, "nothing_to_extend")["duty"], "feed_back");
    city.advance(Duration::days(30));
    let refused = city.post_step("community", &case, "extend", &body(json!("sign")));
    assert_eq!(refused.expect_problem(422, "overdue")["due_at"], due(&both, "sign"));
}

fn a_verification_is_taken_by_one_and_falls_free_again(city: &City) {
    let case = city.new_feedback_case();
    let owed = &city.get_case("dispatcher", &case)["owed"][0].clone();
    assert_eq!((&owed["duty"], &owed["owed_by"]["name"]), (&json!("verify"), &json!("枫林一格")));
    city.post_step("community", &case, "claim", &json!({})).expect_problem(403, "not_permitted");
    let claimed = city.take_step("verifier", &case, "claim", &json!({}));
    assert_eq!(claimed["claim"]["by"], "网格员李强");
    let passed = json!({ "passed": true });
    for (verb, body) in [("claim", json!({})), ("verify", passed.clone())] {
        let refused = city.post_step("worker", &case, verb, &body).expect_problem(422, "claimed");
        assert_eq!(
            (&refused["by"], &refused["until"]),
            (&json!("网格员李强"), &claimed["claim"]["until"])
        );
    }
    city.advance(Duration::hours(2));
    let seen = city.take_step("worker", &case, "verify", &passed);
    assert_eq!((&seen["stage"], &seen["claim"]), (&json!("verified"), &Value::Null));
}

fn the_third_report_of_a_matter_is_supervised(city: &City) {
    let case = city.new_dispatched_case();
    for by in ["neighbour", "resident"] {
        assert_eq!(city.get_case("dispatcher", &case)["supervisions"], json!([]), "before {by}");
        let path = format!("/api/v1/reports/{}/join", city.submit_report_as(by));
        city.client("community").post(&path, &json!({ "case_id": case })).expect_success();
    }
    let raised = city.get_case("dispatcher", &case)["supervisions"][0].clone();
    assert_eq!((&raised["trigger"], &raised["kind"]), (&json!("repeated"), &json!("supervise")));
    assert_eq!((&raised["by"], &raised["addressee"]["name"]), (&json!("系统"), &json!("枫林社区")));
    let todos =
        city.client("community").get("/api/v1/me/todos?duty=answer_supervision").expect_success();
    assert_eq!(read_texts(&todos, "/flow_id"), [case]);
}

fn escalation_ends_below_the_city(city: &City) {
    let case = city.new_street_case();
    let why = json!({ "reason": "权属在区" });
    let held = city.take_step("dispatcher", &case, "escalate", &why);
    assert_eq!(held["holder"]["id"], city.area_id(seed::DISTRICT));
    let refused =
        city.post_step("district", &case, "escalate", &why).expect_problem(422, "no_level_above");
    assert_eq!(refused["holder"], "西区");
    assert_eq!(city.get_case("district", &case)["seq"], held["seq"]);
}

fn dispatch_stays_within_the_jurisdiction(city: &City) {
    let case = city.new_street_case();
    for outside in [seed::CG, seed::FAR_STREET, seed::DISTRICT, seed::EAST] {
        let unit = json!({ "unit_id": city.area_id(outside) });
        city.post_step("dispatcher", &case, "dispatch", &unit)
            .expect_problem(422, "outside_jurisdiction");
    }
    let nowhere = json!({ "unit_id": api::app::clock::new_id() });
    city.post_step("dispatcher", &case, "dispatch", &nowhere).expect_problem(422, "unknown_area");
    let foreign = json!({ "unit_id": city.area_id("990201-CG") });
    city.post_step("dispatcher", &case, "dispatch", &foreign).expect_problem(422, "unknown_area");
    assert_eq!(city.get_case("dispatcher", &case)["stage"], "filed");
}

fn a_district_dispatches_to_its_departments(city: &City) {
    let case = city.new_street_case();
    city.take_step("dispatcher", &case, "escalate", &json!({ "reason": "权属在区城管局" }));
    let far = json!({ "unit_id": city.area_id(seed::FAR_CG) });
    city.post_step("district", &case, "dispatch", &far).expect_problem(422, "outside_jurisdiction");
    city.take_step("district", &case, "dispatch", &json!({ "unit_id": city.area_id(seed::CG) }));
    // The street dispatched it; only the department signs.
    city.post_step("community", &case, "sign", &json!({})).expect_problem(403, "not_permitted");
    city.take_step("lead", &case, "sign", &json!({}));
    city.take_step("lead", &case, "start", &json!({}));
    let done = city.take_step("lead", &case, "feedback", &json!({ "result": "已修复" }));
    assert_eq!(done["assignment"]["unit"]["name"], "西区城管局");
}

fn who_handled_does_not_verify(city: &City) {
    let case = city.new_street_case();
    city.take_step(
        "dispatcher",
        &case,
        "dispatch",
        &json!({ "unit_id": city.area_id(seed::GRID) }),
    );
    city.take_step("worker", &case, "sign", &json!({}));
    city.take_step("worker", &case, "feedback", &json!({ "result": "已清理" }));
    let passed = json!({ "passed": true });
    city.post_step("worker", &case, "verify", &passed).expect_problem(422, "handler_verifies");
    city.post_step("next_worker", &case, "verify", &passed).expect_problem(404, "not_found");
    assert_eq!(city.take_step("verifier", &case, "verify", &passed)["stage"], "verified");
}

fn a_failed_verification_goes_back_to_the_same_unit(city: &City) {
    let case = city.new_feedback_case();
    let failed = json!({ "passed": false, "note": "油污仍在" });
    let again = city.take_step("verifier", &case, "verify", &failed);
    assert_eq!(again["stage"], "handling");
    assert_eq!(again["assignment"]["unit"]["id"], city.area_id(seed::COMMUNITY));
    assert_eq!(again["tally"]["reworks"], 1);
    assert_eq!(again["owed"][0]["duty"], "handle");
    city.take_step("community", &case, "feedback", &json!({ "result": "再次清理" }));
    city.take_step("verifier", &case, "verify", &json!({ "passed": true }));
}

fn an_unsolved_answer_goes_back_to_work(city: &City) {
    let case = city.new_verified_case();
    let body = json!({ "reached": true, "solved": false, "satisfied": "dissatisfied" });
    let again = city.take_step("hotline", &case, "callback", &body);
    assert_eq!(again["stage"], "handling");
    assert_eq!(again["tally"]["reworks"], 1);
}

fn solved_is_not_satisfied(city: &City) {
    let case = city.new_verified_case();
    let body = json!({
        "reached": true, "solved": true, "satisfied": "dissatisfied", "comment": "太慢",
    });
    let again = city.take_step("hotline", &case, "callback", &body);
    assert_eq!((&again["stage"], &again["tally"]["reworks"]), (&json!("handling"), &json!(1)));
    let raised = &again["supervisions"][0];
    assert_eq!(
        (&raised["trigger"], &raised["addressee"]),
        (&json!("unsatisfied"), &again["answerable"])
    );
    let rule = json!({ "document": { "redo_dissatisfied": false }, "note": "不满意不返工" });
    city.client("admin").post("/api/v1/policies/conduct", &rule).expect_success();
    let other = city.new_verified_case();
    let answered = city.take_step("hotline", &other, "callback", &body);
    assert_eq!(answered["stage"], "called_back");
    let said = json!({ "solved": true, "satisfied": "dissatisfied", "comment": "太慢" });
    assert_eq!(answered["answer"], said);
}

fn the_third_failure_is_ruled_about(city: &City) {
    let case = city.new_feedback_case();
    let failed = json!({ "passed": false });
    for _ in 0..2 {
        assert_eq!(city.take_step("verifier", &case, "verify", &failed)["stage"], "handling");
        city.take_step("community", &case, "feedback", &json!({ "result": "再次清理" }));
    }
    assert_eq!(city.take_step("verifier", &case, "verify", &failed)["stage"], "ruling");
}

fn answers_that_contradict_are_refused(city: &City) {
    let case = city.new_verified_case();
    for (body, how) in [
        (json!({ "reached": false, "solved": true }), "nobody_reached_but_answered"),
        (json!({ "reached": false, "satisfied": "satisfied" }), "nobody_reached_but_answered"),
        (json!({ "reached": true }), "reached_but_not_answered"),
        (json!({ "reached": true, "solved": true }), "reached_but_not_answered"),
        (json!({ "reached": true, "satisfied": "satisfied" }), "reached_but_not_answered"),
    ] {
        let refused = city.post_step("hotline", &case, "callback", &body);
        assert_eq!(refused.expect_problem(422, "answers_contradict")["problem"], how);
    }
}

fn a_case_nobody_can_be_asked_about_is_closed_after_three_calls(city: &City) {
    let case = city.new_verified_case();
    let missed = json!({ "reached": false });
    for count in 1..=2 {
        let still = city.take_step("hotline", &case, "callback", &missed);
        assert_eq!(
            (&still["stage"], &still["tally"]["missed_callbacks"]),
            (&json!("verified"), &json!(count))
        );
        city.post_step("dispatcher", &case, "close", &json!({})).expect_problem(422, "wrong_state");
    }
    assert_eq!(city.take_step("hotline", &case, "callback", &missed)["stage"], "called_back");
    let closed = city.take_step("dispatcher", &case, "close", &json!({}));
    assert_eq!(closed["closing"]["outcome"], "unanswered");
    assert_eq!(closed["answer"], Value::Null);
}

fn a_resident_answers_for_the_own_report(city: &City) {
    let case = city.new_verified_case();
    // Another resident's case does not exist for a resident.
    city.post_step("neighbour", &case, "callback", &callback_body())
        .expect_problem(404, "not_found");
    assert_eq!(
        city.take_step("resident", &case, "callback", &callback_body())["stage"],
        "called_back"
    );
}

fn a_case_is_reopened_within_the_window(city: &City) {
    let case = city.new_closed_case();
    city.advance(Duration::days(15) - Duration::minutes(1));
    let why = json!({ "reason": "又开始冒油烟" });
    let again = city.take_step("resident", &case, "reopen", &why);
    assert_eq!((&again["stage"], &again["tally"]["reopenings"]), (&json!("filed"), &json!(1)));
    assert_eq!(again["closing"], Value::Null);
    assert_eq!(again["number"], city.get_case("dispatcher", &case)["number"]);
}

fn a_case_is_not_reopened_after_the_window(city: &City) {
    let case = city.new_closed_case();
    let until = read_text(&city.get_case("dispatcher", &case), "/closing/reopen_until");
    city.advance(Duration::days(15));
    let why = json!({ "reason": "又开始冒油烟" });
    let refused =
        city.post_step("resident", &case, "reopen", &why).expect_problem(422, "window_over");
    assert_eq!(refused["ended_at"], until);
    city.post_step("dispatcher", &case, "reopen", &why).expect_problem(422, "window_over");
}

fn everybody_involved_comments(city: &City) {
    let case = city.new_whistled_case();
    let remark = json!({ "text": "已电话告知商户负责人" });
    let mut seq = city.get_case("leader", &case)["seq"].as_i64().unwrap();
    for by in
        ["resident", "worker", "community", "dispatcher", "leader", "lead", "water", "district"]
    {
        seq += 1;
        assert_eq!(city.take_step(by, &case, "comment", &remark)["seq"], seq, "{by}");
    }
    city.post_step("market", &case, "comment", &remark).expect_problem(404, "not_found");
}

fn a_command_that_does_not_fit_names_state_and_what_is_possible(city: &City) {
    let case = city.new_dispatched_case();
    let answer = city.post_step("dispatcher", &case, "close", &json!({}));
    let refused = answer.expect_problem(422, "wrong_state");
    let facts = json!([refused["flow"], refused["state"], refused["command"], refused["possible"]]);
    let expected = json!([
        "case",
        "dispatched",
        "close",
        ["sign", "return", "join", "extend", "suspend", "supervise", "comment"]
    ]);
    assert_eq!(facts, expected);
    assert_eq!(city.get_case("dispatcher", &case)["possible"], expected[3]);
}

fn a_role_that_may_not_is_told_what_it_lacks(city: &City) {
    let case = city.new_street_case();
    let refused = city.post_step("dispatcher", &case, "whistle", &city.whistle_body());
    let refused = refused.expect_problem(403, "not_permitted");
    assert_eq!(
        (&refused["permission"], &refused["area"]),
        (&json!("blow_whistle"), &json!("青山街道"))
    );
    city.post_step("worker", &case, "escalate", &json!({ "reason": "x" }))
        .expect_problem(403, "not_permitted");
}

fn a_department_sees_only_its_cases(city: &City) {
    let (mine, other) = (city.new_whistled_case(), city.new_street_case());
    assert_eq!(city.get_case("lead", &mine)["id"], mine);
    let listed = city.client("lead").get("/api/v1/cases").expect_success();
    assert_eq!(read_texts(&listed, "/id"), [mine]);
    city.client("lead").get(&format!("/api/v1/cases/{other}")).expect_problem(404, "not_found");
    assert_eq!(
        read_texts(&city.client("market").get("/api/v1/cases").expect_success(), "/id"),
        Vec::<String>::new()
    );
}

fn a_sibling_area_sees_nothing(city: &City) {
    let report = city.submit_report();
    let case = city.file_report(&report);
    for by in [
        "sibling",
        "next_worker",
        "far_dispatcher",
        "far_department",
        "nobody",
        "neighbour",
        "admin",
    ] {
        let client = city.client(by);
        for path in [
            format!("/api/v1/cases/{case}"),
            format!("/api/v1/cases/{case}/timeline"),
            format!("/api/v1/cases/{case}/obligations"),
            format!("/api/v1/reports/{report}"),
            format!("/api/v1/reports/{report}/timeline"),
            format!("/api/v1/reports/{report}/similar"),
        ] {
            client.get(&path).expect_problem(404, "not_found");
        }
        city.post_step(by, &case, "escalate", &json!({ "reason": "x" }))
            .expect_problem(404, "not_found");
        for list in ["/api/v1/cases", "/api/v1/reports", "/api/v1/me/todos"] {
            assert_eq!(client.get(list).expect_success()["items"], json!([]), "{by} {list}");
        }
    }
}

fn another_tenant_sees_nothing(city: &City) {
    let report = city.submit_report();
    let case = city.new_whistled_case();
    let stranger = city.client("worker@9902");
    let (person, area) = (city.client("worker").id(), city.area_id(seed::GRID));
    for path in [
        format!("/api/v1/cases/{case}"),
        format!("/api/v1/cases/{case}/timeline"),
        format!("/api/v1/cases/{case}/obligations"),
        format!("/api/v1/reports/{report}"),
        format!("/api/v1/reports/{report}/timeline"),
        format!("/api/v1/reports/{report}/similar"),
        format!("/api/v1/areas/{area}"),
        format!("/api/v1/people/{person}"),
    ] {
        stranger.get(&path).expect_problem(404, "not_found");
    }
    let unit = city.area_id(seed::CG);
    for (path, body) in [
        (format!("/api/v1/cases/{case}/comment"), json!({ "text": "x" })),
        (format!("/api/v1/cases/{case}/summonses/{unit}/sign"), json!({})),
        (format!("/api/v1/reports/{report}/file"), json!({})),
        (format!("/api/v1/people/{person}/password"), json!({ "password": "a new pass phrase" })),
        (format!("/api/v1/people/{person}/grant"), json!({ "role": "hotline", "area_id": area })),
    ] {
        stranger.post(&path, &body).expect_problem(404, "not_found");
    }
    for list in ["/api/v1/cases", "/api/v1/reports", "/api/v1/me/todos"] {
        assert_eq!(stranger.get(list).expect_success()["items"], json!([]), "{list}");
    }
    assert_eq!(
        read_texts(&stranger.get("/api/v1/people").expect_success(), "/account"),
        ["auditor", "worker"]
    );
    // The same place lies in another tenant's grid, too.
    let located = stranger.get("/api/v1/areas/locate?lng=110.005&lat=30.005").expect_success();
    assert_eq!(located["name"], "邻网格");
    let filter = stranger.get(&format!("/api/v1/cases?within={area}"));
    filter.expect_problem(422, "unknown_area");
}

fn lists_filter(city: &City) {
    let (open, closed) = (city.new_street_case(), city.new_closed_case());
    let list = |query: &str| {
        read_texts(
            &city.client("dispatcher").get(&format!("/api/v1/cases{query}")).expect_success(),
            "/id",
        )
    };
    assert_eq!(list(""), [closed.clone(), open.clone()]);
    assert_eq!(list("?open=true"), std::slice::from_ref(&open));
    assert_eq!(list("?stage=closed"), std::slice::from_ref(&closed));
    assert_eq!(list("?category=A02&open=true"), std::slice::from_ref(&open));
    assert_eq!(list("?category=A01"), Vec::<String>::new());
    assert_eq!(list(&format!("?within={}", city.area_id(seed::GRID))), [closed, open]);
    assert_eq!(list(&format!("?within={}", city.area_id(seed::SIBLING))), Vec::<String>::new());
    assert_eq!(
        list(&format!("?holder={}&open=true", city.area_id(seed::COMMUNITY))),
        Vec::<String>::new()
    );
}
