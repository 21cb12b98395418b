//! Two callers never both win the same step, and no one waits in vain.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Barrier,
};

use serde_json::{Value, json};

use crate::harness::{Answer, City, new_key, on_both, read_text, read_texts, report_body_at, seed};

on_both! {
    of_sixteen_who_sign_one_does,
    of_sixteen_who_decide_on_a_report_one_does,
    remarks_of_many_all_land,
    one_key_sent_sixteen_times_is_one_entry,
    one_queue_sent_by_four_at_once_is_refused_to_none,
    one_new_report_sent_sixteen_times_is_one_report,
    one_account_registered_by_eight_is_one_person,
    a_stale_version_is_refused,
    many_reports_at_once_are_all_kept,
    many_cases_move_at_once,
}

const MANY: usize = 16;

/// Runs `act` on many threads at the same moment.
fn run_at_once<T: Send>(count: usize, act: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(count);
    std::thread::scope(|scope| {
        let racers: Vec<_> = (0..count)
            .map(|index| {
                let (barrier, act) = (&barrier, &act);
                scope.spawn(move || {
                    barrier.wait();
                    act(index)
                })
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    })
}

/// How many answers have which status; every refusal is a proper problem.
fn count_statuses(answers: &[Answer]) -> HashMap<u16, usize> {
    let mut counts = HashMap::new();
    for answer in answers {
        *counts.entry(answer.status).or_default() += 1;
        if answer.status >= 300 {
            answer.expect_complete_problem();
        }
    }
    counts
}

fn of_sixteen_who_sign_one_does(city: &City) {
    let case = city.new_dispatched_case();
    let answers = run_at_once(MANY, |_| city.post_step("community", &case, "sign", &json!({})));
    let counts = count_statuses(&answers);
    assert_eq!(counts.get(&200), Some(&1), "{counts:?}");
    let others: usize = [409, 422].iter().filter_map(|status| counts.get(status)).sum();
    assert_eq!(others, MANY - 1, "{counts:?}");
    let after = city.get_case("community", &case);
    assert_eq!((&after["seq"], &after["stage"]), (&json!(4), &json!("signed")));
}

fn of_sixteen_who_decide_on_a_report_one_does(city: &City) {
    let (report, case) = (city.submit_report(), city.new_filed_case());
    let answers = run_at_once(MANY, |index| {
        let (verb, body) = match index % 3 {
            0 => ("file", json!({})),
            1 => ("join", json!({ "case_id": case })),
            _ => ("refuse", json!({ "reason": "重复", "redirect": "repeat" })),
        };
        city.client("community").post(&format!("/api/v1/reports/{report}/{verb}"), &body)
    });
    let counts = count_statuses(&answers);
    assert_eq!(counts.get(&200), Some(&1), "{counts:?}");
    assert_eq!(counts.keys().filter(|status| **status >= 500).count(), 0, "{counts:?}");
    // No decision is half done: no case without its report, no report counted twice.
    let shown = city.client("community").get(&format!("/api/v1/reports/{report}")).expect_success();
    assert_eq!(shown["seq"], 2);
    let cases = city.client("community").get("/api/v1/cases").expect_success();
    let expected = if shown["status"] == "filed" { 2 } else { 1 };
    assert_eq!(cases["items"].as_array().unwrap().len(), expected);
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn remarks_of_many_all_land(city: &City) {
    let case = city.new_whistled_case();
    let by =
        ["lead", "water", "leader", "dispatcher", "community", "worker", "resident", "district"];
    let answers = run_at_once(MANY, |index| {
        let (path, key) = (format!("/api/v1/cases/{case}/comment"), new_key());
        let body = json!({ "text": format!("批注 {index}") });
        // A caller who learns that another was faster tries again, under the same key.
        loop {
            let answer = city.client(by[index % by.len()]).post_as(&key, &path, &body);
            if answer.status != 409 {
                return answer;
            }
        }
    });
    assert_eq!(count_statuses(&answers), HashMap::from([(200, MANY)]));
    let seqs: BTreeSet<i64> = answers.iter().filter_map(|a| a.body["seq"].as_i64()).collect();
    assert_eq!(seqs.len(), MANY);
    let timeline = city
        .client("leader")
        .get(&format!("/api/v1/cases/{case}/timeline?after=3"))
        .expect_success();
    let texts: BTreeSet<String> = read_texts(&timeline, "/events/0/text").into_iter().collect();
    assert_eq!((texts.len(), &timeline["intact"]), (MANY, &json!(true)));
}

fn one_key_sent_sixteen_times_is_one_entry(city: &City) {
    let (case, key) = (city.new_street_case(), new_key());
    let path = format!("/api/v1/cases/{case}/comment");
    let send = || loop {
        let answer = city.client("leader").post_as(&key, &path, &json!({ "text": "一次" }));
        if answer.status != 409 {
            return answer;
        }
    };
    let answers = run_at_once(MANY, |_| send());
    assert_eq!(count_statuses(&answers), HashMap::from([(200, MANY)]));
    assert!(answers.iter().all(|answer| answer.text == answers[0].text));
    assert_eq!(city.get_case("leader", &case)["seq"], 3);
}

/// Steps that alternate: no copy of one may be refused as not possible any more.
fn one_queue_sent_by_four_at_once_is_refused_to_none(city: &City) {
    let patrol = new_key();
    let item = |operation: &str, path: &Value, body: &Value| json!({ "id": new_key(), "operation": operation, "path": path, "body": body });
    let body = json!({ "id": patrol, "area_id": city.area_id(seed::GRID), "purpose": "routine",
        "until": city.now() + chrono::Duration::hours(2) });
    let mut items = vec![item("begin_patrol", &json!({}), &body)];
    for _ in 0..20 {
        for turn in ["pause_patrol", "resume_patrol"] {
            items.push(item(turn, &json!({ "id": patrol }), &json!({})));
        }
    }
    let body = json!({ "sent_at": city.now(), "items": items });
    let answers =
        run_at_once(4, |_| city.client("worker").post("/api/v1/sync", &body).expect_success());
    for answer in &answers {
        for one in answer["items"].as_array().unwrap() {
            let outcome = read_text(one, "/outcome");
            assert!(["done", "already", "later", "held"].contains(&outcome.as_str()), "{one:#}");
        }
    }
    let last = city.client("worker").post("/api/v1/sync", &body).expect_success();
    assert!(last["items"].as_array().unwrap().iter().all(|one| one["outcome"] == "already"));
    let shown = city.client("worker").get(&format!("/api/v1/patrols/{patrol}")).expect_success();
    assert_eq!(shown["seq"], 41);
}

fn one_new_report_sent_sixteen_times_is_one_report(city: &City) {
    let (key, mut body) = (new_key(), report_body_at(110.005, 30.005));
    body["handled"] = json!({ "result": "已扶正" });
    let answers =
        run_at_once(MANY, |_| city.client("worker").post_as(&key, "/api/v1/reports", &body));
    assert_eq!(count_statuses(&answers), HashMap::from([(201, MANY)]));
    assert!(answers.iter().all(|answer| answer.text == answers[0].text));
    for list in ["/api/v1/reports", "/api/v1/cases"] {
        assert_eq!(
            city.client("worker").get(list).expect_success()["items"].as_array().unwrap().len(),
            1
        );
    }
}

fn one_account_registered_by_eight_is_one_person(city: &City) {
    let body = json!({ "account": "linshi", "name": "临时", "password": seed::PASSWORD });
    let answers = run_at_once(8, |_| city.client("admin").post("/api/v1/people", &body));
    let counts = count_statuses(&answers);
    assert_eq!((counts.get(&201), counts.get(&409)), (Some(&1), Some(&7)), "{counts:?}");
}

fn a_stale_version_is_refused(city: &City) {
    let case = city.new_dispatched_case();
    let shown = city.client("community").get(&format!("/api/v1/cases/{case}"));
    let tag = shown.header("etag").to_owned();
    assert_eq!(tag, "\"3\"");
    let ask = |tag: &str, body: &Value| {
        let call = city.client("community").call("POST", &format!("/api/v1/cases/{case}/comment"));
        call.header("If-Match", tag).json(body).send()
    };
    let remark = json!({ "text": "x" });
    assert_eq!(ask(&tag, &remark).expect_success()["seq"], 4);
    let refused = ask(&tag, &remark).expect_problem(412, "stale");
    assert_eq!((&refused["expected"], &refused["current"]), (&json!("\"3\""), &json!("\"4\"")));
    ask("\"5\"", &remark).expect_problem(412, "stale");
    ask("\"4\"", &remark).expect_success();
    ask("W/\"5\"", &remark).expect_success();
    ask("*", &remark).expect_success();
    for garbage in ["7", "", "\"x\"", "\"1\", 2"] {
        let refused = ask(garbage, &remark).expect_problem(400, "invalid_header");
        assert_eq!(refused["errors"][0]["header"], "If-Match");
    }
    // Of many who saw the same version, one writes.
    let answers = run_at_once(MANY, |_| ask("\"7\"", &remark));
    let counts = count_statuses(&answers);
    assert_eq!(counts, HashMap::from([(200, 1), (412, MANY - 1)]));
}

fn many_reports_at_once_are_all_kept(city: &City) {
    let kept =
        run_at_once(8, |_| (0..12).map(|_| city.submit_report_as("worker")).collect::<Vec<_>>());
    let kept: BTreeSet<String> = kept.into_iter().flatten().collect();
    assert_eq!(kept.len(), 96);
    let listed = city.client("worker").get("/api/v1/reports?limit=100").expect_success();
    assert_eq!(read_texts(&listed, "/id").into_iter().collect::<BTreeSet<_>>(), kept);
}

fn many_cases_move_at_once(city: &City) {
    // Writes that share a transaction must not share its outcome: each of these has a loser in its
    // batch.
    let cases: Vec<String> = (0..6).map(|_| city.new_dispatched_case()).collect();
    let answers = run_at_once(12, |index| {
        let case = &cases[index / 2];
        let signed = city.post_step("community", case, "sign", &json!({}));
        let remark = json!({ "text": format!("{index}") });
        (signed, city.post_step("dispatcher", case, "comment", &remark))
    });
    let (signed, remarks): (Vec<_>, Vec<_>) = answers.into_iter().unzip();
    assert_eq!(count_statuses(&signed).get(&200), Some(&6), "{:?}", count_statuses(&signed));
    assert_eq!(count_statuses(&remarks), HashMap::from([(200, 12)]));
    for case in &cases {
        let shown = city.get_case("community", case);
        assert_eq!((read_text(&shown, "/stage"), &shown["seq"]), ("signed".to_owned(), &json!(6)));
    }
    assert_eq!(city.verify().broken, Vec::<String>::new());
}
