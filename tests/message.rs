//! Messages: people are notified once, by the channels they agreed to, and never at night if they
//! said so.

use actix_web::rt::System;
use api::{
    app::config::{Kind, MiniProgram, Provider, Secret, Sms},
    cli::demo::{
        standin::{Said, Standin},
        weixin::{APP_ID, SECRET, Weixin},
    },
    integrations::delivery_worker,
};
use chrono::{Duration, Timelike};
use serde_json::{Value, json};

use crate::harness::{
    City, Engine, callback_body, new_key, on_both_beside, read_text, read_texts, seed,
};

/// A city with WeChat, WeCom and a sender of short messages beside it.
struct Outside {
    weixin: Weixin,
    _sms: Standin,
    sent: std::sync::Arc<std::sync::Mutex<Vec<Value>>>,
}

fn open_city(engine: Engine) -> (City, Outside) {
    let weixin = Weixin::start().expect("a stand-in");
    let sent: std::sync::Arc<std::sync::Mutex<Vec<Value>>> = std::sync::Arc::default();
    let ours = std::sync::Arc::clone(&sent);
    let sms = Standin::serve(move |asked| {
        assert_eq!(asked.headers["authorization"], "Bearer sms-secret");
        let body: Value = serde_json::from_slice(&asked.body).unwrap();
        let status = if body["phone"] == "13800000000" { 422 } else { 200 };
        ours.lock().unwrap().push(body);
        Said::Json(status, json!({ "ok": true }))
    })
    .expect("a stand-in");
    let city = City::open_with(engine, |settings| {
        settings.mini_programs = vec![MiniProgram {
            app_id: APP_ID.to_owned(),
            secret: Secret::from(SECRET),
            tenant: Some(seed::CITY.to_owned()),
            url: weixin.server.base.clone(),
            check_content: false,
            message_token: None,
        }];
        settings.providers = vec![Provider {
            name: "wecom".to_owned(),
            label: "企业微信".to_owned(),
            kind: Kind::Wecom,
            tenant: Some(seed::CITY.to_owned()),
            client_id: "ww1".to_owned(),
            client_secret: Secret::from(SECRET),
            redirect_uri: "https://grid.example/login".to_owned(),
            claim: "userid".to_owned(),
            issuer: None,
            authorize_url: None,
            token_url: None,
            userinfo_url: None,
            api_url: Some(weixin.server.base.clone()),
            agent_id: Some("1000002".to_owned()),
            scope: None,
            ca_file: None,
            second_factor: false,
        }];
        settings.sms = Some(Sms {
            url: format!("{}/send", sms.base),
            authorization: Some(Secret::from("Bearer sms-secret")),
            signature: "【网格哨】".to_owned(),
        });
    });
    (city, Outside { weixin, _sms: sms, sent })
}

on_both_beside! {
    people_are_told_what_comes_up_for_them_once,
    a_subscribe_message_takes_one_of_what_was_agreed_to,
    what_wechat_refuses_for_good_is_not_tried_again,
    a_busy_wechat_is_asked_again,
    staff_are_told_by_wecom_and_not_at_night,
    what_waited_goes_out_together,
    short_messages_need_a_switch_a_consent_and_a_number,
    what_is_wrong_with_wishes_is_told,
    whoever_is_erased_is_forgotten,
    administrators_do_not_learn_who_reported,
    staff_who_report_in_confidence_stay_unknown_outside,
    no_short_message_goes_to_a_number_nobody_checked,
    nothing_anybody_wrote_is_sent_as_a_short_message,
}

fn run_pass(city: &City) -> u64 {
    let app = city.app.clone();
    System::new()
        .block_on(async move { delivery_worker::run_pass(&app).await.expect("it can look") })
}

fn list_messages(city: &City, by: &str) -> Vec<String> {
    let mut kinds =
        read_texts(&city.client(by).get("/api/v1/me/messages?limit=100").expect_success(), "/kind");
    kinds.reverse();
    kinds
}

fn publish_notices(city: &City, document: &Value) {
    let rule = json!({ "document": document, "note": "开通消息" });
    city.client("admin").post("/api/v1/policies/notices", &rule).expect_success();
}

fn template_body(kind: &str, id: &str) -> Value {
    json!({
        "kind": kind, "template_id": id,
        "fields": [{ "name": "thing1", "value": "title" }, { "name": "thing2", "value": "text" },
                   { "name": "character_string3", "value": "number" }, { "name": "time4", "value": "time" }],
    })
}

/// The resident at WeChat, who agreed to messages of a template.
fn subscribe_resident(city: &City, id: &str, times: usize) {
    let code = format!("code-{}", &new_key()[24..]);
    let proof = json!({ "password": seed::PASSWORD });
    let link = json!({ "app_id": APP_ID, "code": code, "proof": proof });
    city.client("resident").post("/api/v1/me/wechat", &link).expect_success();
    for _ in 0..times {
        let answer = json!({ "results": { id: "accept" } });
        city.client("resident").post("/api/v1/me/wechat/subscriptions", &answer).expect_success();
    }
}

fn count_remaining(city: &City) -> i64 {
    let shown = city.client("resident").get("/api/v1/me/wechat/subscriptions").expect_success();
    shown["items"][0]["remaining"].as_i64().unwrap()
}

/// The deliveries by one channel, with their states.
fn list_deliveries(city: &City, channel: &str) -> Vec<(String, String)> {
    let path = format!("/api/v1/deliveries?limit=100&channel={channel}");
    let shown = city.client("admin").get(&path).expect_success();
    let all = read_texts(&shown, "/channel").into_iter().zip(read_texts(&shown, "/state"));
    let mut all: Vec<_> = all.collect();
    all.reverse();
    all
}

fn people_are_told_what_comes_up_for_them_once(city: &City, _: &Outside) {
    let case = city.new_verified_case();
    city.take_step("hotline", &case, "callback", &callback_body());
    city.take_step("dispatcher", &case, "close", &json!({}));
    run_pass(city);
    run_pass(city);
    assert_eq!(list_messages(city, "resident"), ["report_accepted", "answer_asked", "case_closed"]);
    assert_eq!(list_messages(city, "community"), ["case_given"]);
    assert_eq!(list_messages(city, "sibling"), Vec::<String>::new());
    let shown = city.client("resident").get("/api/v1/me/messages?limit=1").expect_success();
    assert_eq!(shown["items"][0]["flow_id"], json!(case));
    // No one is notified of their own acts, and no one reads another person's messages.
    assert!(!list_messages(city, "dispatcher").contains(&"case_closed".to_owned()));
    let count = |by: &str| {
        city.client(by).get("/api/v1/me/messages/unread").expect_success()["unread"].clone()
    };
    assert_eq!(count("resident"), 3);
    let id = read_text(&shown, "/items/0/id");
    city.client("neighbour")
        .post("/api/v1/me/messages/read", &json!({ "ids": [id] }))
        .expect_success();
    assert_eq!(count("resident"), 3);
    let read = json!({ "ids": [id] });
    assert_eq!(
        city.client("resident").post("/api/v1/me/messages/read", &read).expect_success()["count"],
        1
    );
    assert_eq!(count("resident"), 2);
    let unread = city.client("resident").get("/api/v1/me/messages?unread=true").expect_success();
    assert_eq!(unread["items"].as_array().unwrap().len(), 2);
    city.client("resident").post("/api/v1/me/messages/read", &json!({})).expect_success();
    assert_eq!(count("resident"), 0);
}

fn a_subscribe_message_takes_one_of_what_was_agreed_to(city: &City, outside: &Outside) {
    publish_notices(city, &json!({ "wechat": [template_body("report_accepted", "tmpl-1")] }));
    subscribe_resident(city, "tmpl-1", 1);
    let same = new_key();
    for _ in 0..2 {
        // The same answer sent twice counts once.
        let answer = json!({ "results": { "tmpl-1": "accept" } });
        city.client("resident")
            .post_as(&same, "/api/v1/me/wechat/subscriptions", &answer)
            .expect_success();
    }
    assert_eq!(count_remaining(city), 2);
    let long = json!({
        "title": "这个标题比微信允许的二十个字符要长得多所以必须截断", "text": "路灯不亮", "category": "A02",
        "place": { "point": { "lng": 110.005, "lat": 30.005, "coord_type": "wgs84" } },
    });
    let report =
        read_text(&city.client("resident").post("/api/v1/reports", &long).expect_success(), "/id");
    // The token may end at any time.
    outside.weixin.end_token();
    city.file_report(&report);
    run_pass(city);
    let sent = outside.weixin.with_memory(|memory| memory.messages.clone());
    assert_eq!(sent.len(), 1, "{sent:#?}");
    let title = read_text(&sent[0], "/data/thing1/value");
    assert_eq!((title.chars().count(), title.chars().last()), (20, Some('…')));
    assert_eq!(count_remaining(city), 1);
    for _ in 0..2 {
        city.new_filed_case();
        run_pass(city);
    }
    assert_eq!(outside.weixin.with_memory(|memory| memory.messages.len()), 2);
    let told = list_deliveries(city, "wechat");
    let wechat = |state: &str| ("wechat".to_owned(), state.to_owned());
    assert_eq!(told, [wechat("delivered"), wechat("delivered"), wechat("skipped")]);
}

fn what_wechat_refuses_for_good_is_not_tried_again(city: &City, _: &Outside) {
    publish_notices(city, &json!({ "wechat": [template_body("report_accepted", "tmpl-refused")] }));
    subscribe_resident(city, "tmpl-refused", 3);
    city.new_filed_case();
    run_pass(city);
    city.advance(Duration::days(5));
    run_pass(city);
    assert_eq!(list_deliveries(city, "wechat"), [("wechat".to_owned(), "failed".to_owned())]);
    assert_eq!(count_remaining(city), 0, "whoever refuses has agreed to none");
    let listed = city.client("admin").get("/api/v1/deliveries?channel=wechat").expect_success();
    let path = format!("/api/v1/deliveries/{}", read_text(&listed, "/items/0/id"));
    let shown = city.client("admin").get(&path).expect_success();
    assert_eq!(shown["attempts"].as_array().unwrap().len(), 1);
    assert_eq!(shown["attempts"][0]["response"], "errcode 43101");
    assert!(!shown.to_string().contains(&format!("o{APP_ID}")), "no openid in the record");
}

fn a_busy_wechat_is_asked_again(city: &City, _: &Outside) {
    publish_notices(city, &json!({ "wechat": [template_body("report_accepted", "tmpl-busy")] }));
    subscribe_resident(city, "tmpl-busy", 1);
    city.new_filed_case();
    run_pass(city);
    assert_eq!(list_deliveries(city, "wechat"), [("wechat".to_owned(), "waiting".to_owned())]);
    publish_notices(city, &json!({ "wechat": [template_body("report_accepted", "tmpl-1")] }));
    let answer = json!({ "results": { "tmpl-1": "accept" } });
    city.client("resident").post("/api/v1/me/wechat/subscriptions", &answer).expect_success();
    city.advance(Duration::seconds(10));
    run_pass(city);
    assert_eq!(list_deliveries(city, "wechat"), [("wechat".to_owned(), "delivered".to_owned())]);
}

/// Quiet hours that began an hour ago, by the clock on the wall, and end in two hours.
fn quiet_hours(city: &City) -> Value {
    let hour = |hours: i64| {
        let at = domain::core::time::to_local(city.now() + Duration::hours(hours));
        format!("{:02}:{:02}", at.hour(), at.minute())
    };
    json!({ "quiet": { "from": hour(-1), "until": hour(2) } })
}

fn staff_are_told_by_wecom_and_not_at_night(city: &City, outside: &Outside) {
    city.new_dispatched_case();
    run_pass(city);
    let sent = outside.weixin.with_memory(|memory| memory.messages.clone());
    let to: Vec<String> = sent.iter().map(|one| read_text(one, "/touser")).collect();
    assert_eq!(to, ["community"]);
    assert!(read_text(&sent[0], "/text/content").contains("派给本单位"));
    city.client("community")
        .post("/api/v1/me/message_preferences", &quiet_hours(city))
        .expect_success();
    city.new_dispatched_case();
    run_pass(city);
    assert_eq!(outside.weixin.with_memory(|memory| memory.messages.len()), 1);
    city.advance(Duration::hours(2));
    run_pass(city);
    assert_eq!(outside.weixin.with_memory(|memory| memory.messages.len()), 2);
    let muted = json!({ "muted": ["case_given"] });
    city.client("community").post("/api/v1/me/message_preferences", &muted).expect_success();
    city.new_dispatched_case();
    run_pass(city);
    assert_eq!(outside.weixin.with_memory(|memory| memory.messages.len()), 2);
    assert_eq!(list_messages(city, "community").len(), 3, "the list of messages has all of them");
}

fn what_waited_goes_out_together(city: &City, outside: &Outside) {
    city.client("community")
        .post("/api/v1/me/message_preferences", &quiet_hours(city))
        .expect_success();
    for _ in 0..3 {
        city.new_dispatched_case();
    }
    run_pass(city);
    assert_eq!(outside.weixin.with_memory(|memory| memory.messages.len()), 0);
    city.advance(Duration::hours(2) + Duration::minutes(1));
    run_pass(city);
    let sent = outside.weixin.with_memory(|memory| memory.messages.clone());
    assert_eq!(sent.len(), 1);
    assert_eq!(read_text(&sent[0], "/text/content").matches("派给本单位").count(), 3);
    assert!(list_deliveries(city, "wecom").iter().all(|(_, state)| state == "delivered"));
}

fn short_messages_need_a_switch_a_consent_and_a_number(city: &City, outside: &Outside) {
    let sent = || outside.sent.lock().unwrap().clone();
    publish_notices(city, &json!({ "sms": ["report_accepted"] }));
    city.new_filed_case();
    run_pass(city);
    let wants = json!({ "sms": true });
    city.client("resident").post("/api/v1/me/message_preferences", &wants).expect_success();
    city.new_filed_case();
    run_pass(city);
    assert_eq!(sent(), Vec::<Value>::new(), "nobody agreed to that");
    let consent = json!({ "purpose": "notification", "given": true, "version": "1" });
    city.client("resident").post("/api/v1/me/consents", &consent).expect_success();
    city.new_filed_case();
    run_pass(city);
    assert_eq!(list_deliveries(city, "sms"), [("sms".to_owned(), "skipped".to_owned())]);
    let bind = json!({ "app_id": APP_ID, "code": "phone-13900001111" });
    city.client("resident").post("/api/v1/me/phone", &bind).expect_success();
    city.new_filed_case();
    run_pass(city);
    let told = sent();
    assert_eq!((told.len(), told[0]["phone"].as_str()), (1, Some("13900001111")));
    assert!(read_text(&told[0], "/text").starts_with("【网格哨】"));
    // A number the sender refuses is not tried again.
    let bind = json!({ "app_id": APP_ID, "code": "phone-13800000000" });
    city.client("resident").post("/api/v1/me/phone", &bind).expect_success();
    city.new_filed_case();
    run_pass(city);
    city.advance(Duration::days(1));
    run_pass(city);
    assert_eq!(sent().len(), 2);
    let states: Vec<String> = list_deliveries(city, "sms").into_iter().map(|(_, s)| s).collect();
    assert_eq!(states, ["skipped", "delivered", "failed"]);
}

fn what_is_wrong_with_wishes_is_told(city: &City, _: &Outside) {
    let asked =
        |body: &Value| city.client("community").post("/api/v1/me/message_preferences", body);
    let wrong = json!({ "quiet": { "from": "25:00", "until": "07:00" } });
    assert_eq!(asked(&wrong).expect_fault("/quiet/from"), "not_an_hour");
    assert_eq!(asked(&json!({ "digest": "noon" })).expect_fault("/digest"), "not_an_hour");
    asked(&json!({ "muted": ["everything"] })).expect_problem(400, "invalid_body");
    publish_notices(city, &json!({ "wechat": [template_body("report_accepted", "tmpl-1")] }));
    let subscribe =
        |body: &Value| city.client("resident").post("/api/v1/me/wechat/subscriptions", body);
    let unknown = json!({ "results": { "tmpl-9": "accept" } });
    assert_eq!(subscribe(&unknown).expect_fault("/results/tmpl-9"), "unknown_template");
    let odd = json!({ "results": { "tmpl-1": "perhaps" } });
    assert_eq!(subscribe(&odd).expect_fault("/results/tmpl-1"), "unknown_answer");
    let rule = json!({ "document": { "wechat": [{ "kind": "report_accepted", "template_id": "t",
        "fields": [{ "name": "headline1", "value": "title" }] }] }, "note": "试" });
    let told =
        city.client("admin").post("/api/v1/policies/notices", &rule).expect_problem(422, "unsound");
    assert!(told.to_string().contains("thing1"), "{told:#}");
}

fn whoever_is_erased_is_forgotten(city: &City, _: &Outside) {
    publish_notices(city, &json!({ "wechat": [template_body("report_accepted", "tmpl-busy")] }));
    subscribe_resident(city, "tmpl-busy", 1);
    city.new_filed_case();
    run_pass(city);
    let reason = json!({ "reason": "本人要求" });
    city.client("resident").post("/api/v1/me/erasure", &reason).expect_success();
    let listed = city.client("admin").get("/api/v1/deliveries?channel=wechat").expect_success();
    assert_eq!(read_texts(&listed, "/state"), ["skipped"]);
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

/// A report by this person with a title, kept as `how` says; its identity and its number.
fn submit_titled(city: &City, by: &str, title: &str, how: &str) -> (String, String) {
    let mut body = crate::harness::report_body_at(110.005, 30.005);
    body["title"] = json!(title);
    if !how.is_empty() {
        body[how] = json!(true);
    }
    let report = city.client(by).post("/api/v1/reports", &body).expect_success();
    (read_text(&report, "/id"), read_text(&report, "/number"))
}

fn administrators_do_not_learn_who_reported(city: &City, outside: &Outside) {
    publish_notices(city, &json!({ "wechat": [template_body("report_accepted", "tmpl-1")] }));
    subscribe_resident(city, "tmpl-1", 3);
    let person = city.client("resident").id().to_string();
    for how in ["confidential", "anonymous"] {
        let (report, number) = submit_titled(city, "resident", "楼上张三家漏水", how);
        city.file_report(&report);
        run_pass(city);
        // WeChat says that there is news, and so does the list of messages.
        let sent = outside.weixin.with_memory(|memory| memory.messages.last().cloned()).unwrap();
        let shown = city.client("resident").get("/api/v1/me/messages?limit=1").expect_success();
        for told in [sent.to_string(), shown.to_string()] {
            assert!(!told.contains("张三") && !told.contains(&number), "{how}: {told}");
            assert!(told.contains("新进展"), "{how}: {told}");
        }
        assert_eq!(read_text(&shown, "/items/0/flow_id"), report, "the reporter finds it");
        // The record of deliveries says that it was sent, neither to whom nor what.
        let listed =
            city.client("admin").get("/api/v1/deliveries?limit=1&channel=wechat").expect_success();
        let path = format!("/api/v1/deliveries/{}", read_text(&listed, "/items/0/id"));
        let one = city.client("admin").get(&path).expect_success();
        assert_eq!((&one["state"], &one["target_id"]), (&json!("delivered"), &Value::Null));
        assert_eq!(one["attempts"][0]["request"], Value::Null);
        assert_eq!(one["attempts"][0]["response"], "errcode 0");
        for told in [listed.to_string(), one.to_string()] {
            for secret in [&person, &report, &number, "张三"] {
                assert!(!told.contains(secret), "{how}: {told}");
            }
        }
    }
    // Nor is it found by asking for a person.
    let asked =
        city.client("admin").get(&format!("/api/v1/deliveries?target={person}")).expect_success();
    assert_eq!(asked["items"], json!([]));
    let (report, number) = submit_titled(city, "resident", "路灯不亮", "");
    city.file_report(&report);
    run_pass(city);
    let sent = outside.weixin.with_memory(|memory| memory.messages.last().cloned()).unwrap();
    assert!(sent.to_string().contains(&number) && sent.to_string().contains("路灯不亮"));
}

fn staff_who_report_in_confidence_stay_unknown_outside(city: &City, outside: &Outside) {
    let (report, number) = submit_titled(city, "worker", "所长的亲戚占道经营", "anonymous");
    let case = city.file_report(&report);
    city.take_step("community", &case, "escalate", &json!({ "reason": "社区没有执法权" }));
    let unit = json!({ "unit_id": city.area_id(seed::COMMUNITY) });
    city.take_step("dispatcher", &case, "dispatch", &unit);
    run_pass(city);
    let sent = outside.weixin.with_memory(|memory| memory.messages.clone());
    let mut to: Vec<String> = sent.iter().map(|one| read_text(one, "/touser")).collect();
    to.sort_unstable();
    assert_eq!(to, ["community", "worker"]);
    // The person who works on it reads the title here, and nowhere else.
    let told = Value::from(sent).to_string();
    assert!(!told.contains("占道") && !told.contains(&number), "{told}");
    let shown = city.client("community").get("/api/v1/me/messages?limit=1").expect_success();
    assert!(read_text(&shown, "/items/0/title").contains("占道"));
}

/// The resident agrees to short messages about reports that were accepted.
fn agree_to_sms(city: &City) {
    publish_notices(city, &json!({ "sms": ["report_accepted", "report_refused"] }));
    let wants = json!({ "sms": true });
    city.client("resident").post("/api/v1/me/message_preferences", &wants).expect_success();
    let consent = json!({ "purpose": "notification", "given": true, "version": "1" });
    city.client("resident").post("/api/v1/me/consents", &consent).expect_success();
}

fn no_short_message_goes_to_a_number_nobody_checked(city: &City, outside: &Outside) {
    let sent = || outside.sent.lock().unwrap().len();
    agree_to_sms(city);
    let contact = format!("/api/v1/people/{}/contact", city.client("resident").id());
    let typed = |phone: &str| {
        city.client("resident").post(&contact, &json!({ "phone": phone })).expect_success()
    };
    let bound = |phone: &str| {
        let bind = json!({ "app_id": APP_ID, "code": format!("phone-{phone}") });
        city.client("resident").post("/api/v1/me/phone", &bind).expect_success();
    };
    let told = |count: usize, why: &str| {
        city.new_filed_case();
        run_pass(city);
        assert_eq!(sent(), count, "{why}");
    };
    typed("13700001111");
    told(0, "it was only typed");
    bound("13900001111");
    told(1, "WeChat checked it");
    typed("13700001111");
    told(1, "another one was typed over it");
    typed("13900001111");
    told(2, "the one that was checked");
    city.client("resident").post("/api/v1/me/phone/unbind", &json!({})).expect_success();
    typed("13900001111");
    told(2, "it was given up meanwhile");
    let states: Vec<String> =
        list_deliveries(city, "sms").into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, ["skipped", "delivered", "skipped", "delivered", "skipped"]);
}

fn nothing_anybody_wrote_is_sent_as_a_short_message(city: &City, outside: &Outside) {
    agree_to_sms(city);
    let bind = json!({ "app_id": APP_ID, "code": "phone-13900001111" });
    city.client("resident").post("/api/v1/me/phone", &bind).expect_success();
    let (report, number) = submit_titled(city, "resident", "中奖请点 evil.example", "");
    city.file_report(&report);
    let (refused, _) = submit_titled(city, "resident", "转账到 6222", "");
    let why = json!({ "reason": "请登录 evil.example 申诉", "redirect": "petition" });
    city.client("community")
        .post(&format!("/api/v1/reports/{refused}/refuse"), &why)
        .expect_success();
    run_pass(city);
    let texts: Vec<String> =
        outside.sent.lock().unwrap().iter().map(|one| read_text(one, "/text")).collect();
    let told = texts.join("\n");
    assert!(told.contains(&number) && told.contains("上报已受理"), "{told}");
    assert!(!told.contains("evil") && !told.contains("6222"), "{told}");
    // Nor does the record repeat to whom it went, though the sender may.
    let listed =
        city.client("admin").get("/api/v1/deliveries?limit=1&channel=sms").expect_success();
    let path = format!("/api/v1/deliveries/{}", read_text(&listed, "/items/0/id"));
    assert!(!city.client("admin").get(&path).text.contains("13900001111"));
}
