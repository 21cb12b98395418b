//! Messages: people are told what comes up for them, once, by the ways they agreed to, and never in
//! the night if they said so.

use actix_web::rt::System;
use api::{
    app::config::{Kind, MiniProgram, Provider, Secret, Sms},
    cli::demo::{
        standin::{Said, Standin},
        weixin::{APP_ID, SECRET, Weixin},
    },
    integrations::delivering,
};
use chrono::{Duration, Timelike};
use serde_json::{Value, json};

use crate::harness::{City, Engine, each, key, on_both_beside, seed, solved, text};

/// A city with WeChat, WeCom and a sender of short messages beside it.
struct Outside {
    weixin: Weixin,
    _sms: Standin,
    sent: std::sync::Arc<std::sync::Mutex<Vec<Value>>>,
}

fn open(engine: Engine) -> (City, Outside) {
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
    let city = City::with(engine, |settings| {
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

fn pass(city: &City) -> u64 {
    let app = city.app.clone();
    System::new().block_on(async move { delivering::pass(&app).await.expect("it can look") })
}

fn messages(city: &City, by: &str) -> Vec<String> {
    let mut kinds = each(&city.by(by).get("/api/v1/me/messages?limit=100").done(), "/kind");
    kinds.reverse();
    kinds
}

fn publish(city: &City, document: &Value) {
    let rule = json!({ "document": document, "note": "开通消息" });
    city.by("admin").post("/api/v1/policies/notices", &rule).done();
}

fn template(kind: &str, id: &str) -> Value {
    json!({
        "kind": kind, "template_id": id,
        "fields": [{ "name": "thing1", "value": "title" }, { "name": "thing2", "value": "text" },
                   { "name": "character_string3", "value": "number" }, { "name": "time4", "value": "time" }],
    })
}

/// The resident at WeChat, who agreed to messages of a template.
fn subscribed(city: &City, id: &str, times: usize) {
    let code = format!("code-{}", &key()[24..]);
    let proof = json!({ "password": seed::PASSWORD });
    let link = json!({ "app_id": APP_ID, "code": code, "proof": proof });
    city.by("resident").post("/api/v1/me/wechat", &link).done();
    for _ in 0..times {
        let answer = json!({ "results": { id: "accept" } });
        city.by("resident").post("/api/v1/me/wechat/subscriptions", &answer).done();
    }
}

fn left(city: &City) -> i64 {
    let shown = city.by("resident").get("/api/v1/me/wechat/subscriptions").done();
    shown["items"][0]["remaining"].as_i64().unwrap()
}

/// The deliveries by one channel, with their states.
fn deliveries(city: &City, channel: &str) -> Vec<(String, String)> {
    let path = format!("/api/v1/deliveries?limit=100&channel={channel}");
    let shown = city.by("admin").get(&path).done();
    let all = each(&shown, "/channel").into_iter().zip(each(&shown, "/state"));
    let mut all: Vec<_> = all.collect();
    all.reverse();
    all
}

fn people_are_told_what_comes_up_for_them_once(city: &City, _: &Outside) {
    let case = city.verified();
    city.on("hotline", &case, "callback", &solved());
    city.on("dispatcher", &case, "close", &json!({}));
    pass(city);
    pass(city);
    assert_eq!(messages(city, "resident"), ["report_accepted", "answer_asked", "case_closed"]);
    assert_eq!(messages(city, "community"), ["case_given"]);
    assert_eq!(messages(city, "sibling"), Vec::<String>::new());
    let shown = city.by("resident").get("/api/v1/me/messages?limit=1").done();
    assert_eq!(shown["items"][0]["flow_id"], json!(case));
    // No one is told of their own acts, and no one reads another person's messages.
    assert!(!messages(city, "dispatcher").contains(&"case_closed".to_owned()));
    let count = |by: &str| city.by(by).get("/api/v1/me/messages/unread").done()["unread"].clone();
    assert_eq!(count("resident"), 3);
    let id = text(&shown, "/items/0/id");
    city.by("neighbour").post("/api/v1/me/messages/read", &json!({ "ids": [id] })).done();
    assert_eq!(count("resident"), 3);
    let read = json!({ "ids": [id] });
    assert_eq!(city.by("resident").post("/api/v1/me/messages/read", &read).done()["count"], 1);
    assert_eq!(count("resident"), 2);
    let unread = city.by("resident").get("/api/v1/me/messages?unread=true").done();
    assert_eq!(unread["items"].as_array().unwrap().len(), 2);
    city.by("resident").post("/api/v1/me/messages/read", &json!({})).done();
    assert_eq!(count("resident"), 0);
}

fn a_subscribe_message_takes_one_of_what_was_agreed_to(city: &City, outside: &Outside) {
    publish(city, &json!({ "wechat": [template("report_accepted", "tmpl-1")] }));
    subscribed(city, "tmpl-1", 1);
    let same = key();
    for _ in 0..2 {
        // The same answer sent twice counts once.
        let answer = json!({ "results": { "tmpl-1": "accept" } });
        city.by("resident").post_as(&same, "/api/v1/me/wechat/subscriptions", &answer).done();
    }
    assert_eq!(left(city), 2);
    let long = json!({
        "title": "这个标题比微信允许的二十个字符要长得多所以必须截断", "text": "路灯不亮", "category": "A02",
        "place": { "point": { "lng": 110.005, "lat": 30.005, "coord_type": "wgs84" } },
    });
    let report = text(&city.by("resident").post("/api/v1/reports", &long).done(), "/id");
    // The token may end at any time.
    outside.weixin.end_token();
    city.filed_from(&report);
    pass(city);
    let sent = outside.weixin.memory(|memory| memory.messages.clone());
    assert_eq!(sent.len(), 1, "{sent:#?}");
    let title = text(&sent[0], "/data/thing1/value");
    assert_eq!((title.chars().count(), title.chars().last()), (20, Some('…')));
    assert_eq!(left(city), 1);
    for _ in 0..2 {
        city.filed();
        pass(city);
    }
    assert_eq!(outside.weixin.memory(|memory| memory.messages.len()), 2);
    let told = deliveries(city, "wechat");
    let wechat = |state: &str| ("wechat".to_owned(), state.to_owned());
    assert_eq!(told, [wechat("delivered"), wechat("delivered"), wechat("skipped")]);
}

fn what_wechat_refuses_for_good_is_not_tried_again(city: &City, _: &Outside) {
    publish(city, &json!({ "wechat": [template("report_accepted", "tmpl-refused")] }));
    subscribed(city, "tmpl-refused", 3);
    city.filed();
    pass(city);
    city.advance(Duration::days(5));
    pass(city);
    assert_eq!(deliveries(city, "wechat"), [("wechat".to_owned(), "failed".to_owned())]);
    assert_eq!(left(city), 0, "whoever refuses has agreed to none");
    let listed = city.by("admin").get("/api/v1/deliveries?channel=wechat").done();
    let path = format!("/api/v1/deliveries/{}", text(&listed, "/items/0/id"));
    let shown = city.by("admin").get(&path).done();
    assert_eq!(shown["attempts"].as_array().unwrap().len(), 1);
    assert_eq!(shown["attempts"][0]["response"], "errcode 43101");
    assert!(!shown.to_string().contains(&format!("o{APP_ID}")), "no openid in the record");
}

fn a_busy_wechat_is_asked_again(city: &City, _: &Outside) {
    publish(city, &json!({ "wechat": [template("report_accepted", "tmpl-busy")] }));
    subscribed(city, "tmpl-busy", 1);
    city.filed();
    pass(city);
    assert_eq!(deliveries(city, "wechat"), [("wechat".to_owned(), "waiting".to_owned())]);
    publish(city, &json!({ "wechat": [template("report_accepted", "tmpl-1")] }));
    let answer = json!({ "results": { "tmpl-1": "accept" } });
    city.by("resident").post("/api/v1/me/wechat/subscriptions", &answer).done();
    city.advance(Duration::seconds(10));
    pass(city);
    assert_eq!(deliveries(city, "wechat"), [("wechat".to_owned(), "delivered".to_owned())]);
}

/// Quiet hours that began an hour ago, by the clock on the wall, and end in two hours.
fn quiet(city: &City) -> Value {
    let hour = |hours: i64| {
        let at = domain::core::time::local(city.now() + Duration::hours(hours));
        format!("{:02}:{:02}", at.hour(), at.minute())
    };
    json!({ "quiet": { "from": hour(-1), "until": hour(2) } })
}

fn staff_are_told_by_wecom_and_not_at_night(city: &City, outside: &Outside) {
    city.dispatched();
    pass(city);
    let sent = outside.weixin.memory(|memory| memory.messages.clone());
    let to: Vec<String> = sent.iter().map(|one| text(one, "/touser")).collect();
    assert_eq!(to, ["community"]);
    assert!(text(&sent[0], "/text/content").contains("派给本单位"));
    city.by("community").post("/api/v1/me/message_preferences", &quiet(city)).done();
    city.dispatched();
    pass(city);
    assert_eq!(outside.weixin.memory(|memory| memory.messages.len()), 1);
    city.advance(Duration::hours(2));
    pass(city);
    assert_eq!(outside.weixin.memory(|memory| memory.messages.len()), 2);
    let muted = json!({ "muted": ["case_given"] });
    city.by("community").post("/api/v1/me/message_preferences", &muted).done();
    city.dispatched();
    pass(city);
    assert_eq!(outside.weixin.memory(|memory| memory.messages.len()), 2);
    assert_eq!(messages(city, "community").len(), 3, "the list of messages has all of them");
}

fn what_waited_goes_out_together(city: &City, outside: &Outside) {
    city.by("community").post("/api/v1/me/message_preferences", &quiet(city)).done();
    for _ in 0..3 {
        city.dispatched();
    }
    pass(city);
    assert_eq!(outside.weixin.memory(|memory| memory.messages.len()), 0);
    city.advance(Duration::hours(2) + Duration::minutes(1));
    pass(city);
    let sent = outside.weixin.memory(|memory| memory.messages.clone());
    assert_eq!(sent.len(), 1);
    assert_eq!(text(&sent[0], "/text/content").matches("派给本单位").count(), 3);
    assert!(deliveries(city, "wecom").iter().all(|(_, state)| state == "delivered"));
}

fn short_messages_need_a_switch_a_consent_and_a_number(city: &City, outside: &Outside) {
    let sent = || outside.sent.lock().unwrap().clone();
    publish(city, &json!({ "sms": ["report_accepted"] }));
    city.filed();
    pass(city);
    let wants = json!({ "sms": true });
    city.by("resident").post("/api/v1/me/message_preferences", &wants).done();
    city.filed();
    pass(city);
    assert_eq!(sent(), Vec::<Value>::new(), "nobody agreed to that");
    let consent = json!({ "purpose": "notification", "given": true, "version": "1" });
    city.by("resident").post("/api/v1/me/consents", &consent).done();
    city.filed();
    pass(city);
    assert_eq!(deliveries(city, "sms"), [("sms".to_owned(), "skipped".to_owned())]);
    let bind = json!({ "app_id": APP_ID, "code": "phone-13900001111" });
    city.by("resident").post("/api/v1/me/phone", &bind).done();
    city.filed();
    pass(city);
    let told = sent();
    assert_eq!((told.len(), told[0]["phone"].as_str()), (1, Some("13900001111")));
    assert!(text(&told[0], "/text").starts_with("【网格哨】"));
    // A number the sender refuses is not tried again.
    let bind = json!({ "app_id": APP_ID, "code": "phone-13800000000" });
    city.by("resident").post("/api/v1/me/phone", &bind).done();
    city.filed();
    pass(city);
    city.advance(Duration::days(1));
    pass(city);
    assert_eq!(sent().len(), 2);
    let states: Vec<String> = deliveries(city, "sms").into_iter().map(|(_, s)| s).collect();
    assert_eq!(states, ["skipped", "delivered", "failed"]);
}

fn what_is_wrong_with_wishes_is_told(city: &City, _: &Outside) {
    let asked = |body: &Value| city.by("community").post("/api/v1/me/message_preferences", body);
    let wrong = json!({ "quiet": { "from": "25:00", "until": "07:00" } });
    assert_eq!(asked(&wrong).fault_at("/quiet/from"), "not_an_hour");
    assert_eq!(asked(&json!({ "digest": "noon" })).fault_at("/digest"), "not_an_hour");
    asked(&json!({ "muted": ["everything"] })).problem(400, "invalid_body");
    publish(city, &json!({ "wechat": [template("report_accepted", "tmpl-1")] }));
    let subscribe =
        |body: &Value| city.by("resident").post("/api/v1/me/wechat/subscriptions", body);
    let unknown = json!({ "results": { "tmpl-9": "accept" } });
    assert_eq!(subscribe(&unknown).fault_at("/results/tmpl-9"), "unknown_template");
    let odd = json!({ "results": { "tmpl-1": "perhaps" } });
    assert_eq!(subscribe(&odd).fault_at("/results/tmpl-1"), "unknown_answer");
    let rule = json!({ "document": { "wechat": [{ "kind": "report_accepted", "template_id": "t",
        "fields": [{ "name": "headline1", "value": "title" }] }] }, "note": "试" });
    let told = city.by("admin").post("/api/v1/policies/notices", &rule).problem(422, "unsound");
    assert!(told.to_string().contains("thing1"), "{told:#}");
}

fn whoever_is_erased_is_forgotten(city: &City, _: &Outside) {
    publish(city, &json!({ "wechat": [template("report_accepted", "tmpl-busy")] }));
    subscribed(city, "tmpl-busy", 1);
    city.filed();
    pass(city);
    let reason = json!({ "reason": "本人要求" });
    city.by("resident").post("/api/v1/me/erasure", &reason).done();
    let listed = city.by("admin").get("/api/v1/deliveries?channel=wechat").done();
    assert_eq!(each(&listed, "/state"), ["skipped"]);
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

/// A report by this person with a title, kept as `how` says; its identity and its number.
fn titled(city: &City, by: &str, title: &str, how: &str) -> (String, String) {
    let mut body = crate::harness::report_at(110.005, 30.005);
    body["title"] = json!(title);
    if !how.is_empty() {
        body[how] = json!(true);
    }
    let report = city.by(by).post("/api/v1/reports", &body).done();
    (text(&report, "/id"), text(&report, "/number"))
}

fn administrators_do_not_learn_who_reported(city: &City, outside: &Outside) {
    publish(city, &json!({ "wechat": [template("report_accepted", "tmpl-1")] }));
    subscribed(city, "tmpl-1", 3);
    let person = city.by("resident").id().to_string();
    for how in ["confidential", "anonymous"] {
        let (report, number) = titled(city, "resident", "楼上张三家漏水", how);
        city.filed_from(&report);
        pass(city);
        // WeChat says that there is news, and so does the list of messages.
        let sent = outside.weixin.memory(|memory| memory.messages.last().cloned()).unwrap();
        let shown = city.by("resident").get("/api/v1/me/messages?limit=1").done();
        for told in [sent.to_string(), shown.to_string()] {
            assert!(!told.contains("张三") && !told.contains(&number), "{how}: {told}");
            assert!(told.contains("新进展"), "{how}: {told}");
        }
        assert_eq!(text(&shown, "/items/0/flow_id"), report, "the reporter finds it");
        // The record of deliveries says that it was sent, neither to whom nor what.
        let listed = city.by("admin").get("/api/v1/deliveries?limit=1&channel=wechat").done();
        let path = format!("/api/v1/deliveries/{}", text(&listed, "/items/0/id"));
        let one = city.by("admin").get(&path).done();
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
    let asked = city.by("admin").get(&format!("/api/v1/deliveries?target={person}")).done();
    assert_eq!(asked["items"], json!([]));
    let (report, number) = titled(city, "resident", "路灯不亮", "");
    city.filed_from(&report);
    pass(city);
    let sent = outside.weixin.memory(|memory| memory.messages.last().cloned()).unwrap();
    assert!(sent.to_string().contains(&number) && sent.to_string().contains("路灯不亮"));
}

fn staff_who_report_in_confidence_stay_unknown_outside(city: &City, outside: &Outside) {
    let (report, number) = titled(city, "worker", "所长的亲戚占道经营", "anonymous");
    let case = city.filed_from(&report);
    city.on("community", &case, "escalate", &json!({ "reason": "社区没有执法权" }));
    let unit = json!({ "unit_id": city.area(seed::COMMUNITY) });
    city.on("dispatcher", &case, "dispatch", &unit);
    pass(city);
    let sent = outside.weixin.memory(|memory| memory.messages.clone());
    let mut to: Vec<String> = sent.iter().map(|one| text(one, "/touser")).collect();
    to.sort_unstable();
    assert_eq!(to, ["community", "worker"]);
    // The person who works on it reads the title here, and nowhere else.
    let told = Value::from(sent).to_string();
    assert!(!told.contains("占道") && !told.contains(&number), "{told}");
    let shown = city.by("community").get("/api/v1/me/messages?limit=1").done();
    assert!(text(&shown, "/items/0/title").contains("占道"));
}

/// The resident agrees to short messages about reports that were accepted.
fn agreed(city: &City) {
    publish(city, &json!({ "sms": ["report_accepted", "report_refused"] }));
    let wants = json!({ "sms": true });
    city.by("resident").post("/api/v1/me/message_preferences", &wants).done();
    let consent = json!({ "purpose": "notification", "given": true, "version": "1" });
    city.by("resident").post("/api/v1/me/consents", &consent).done();
}

fn no_short_message_goes_to_a_number_nobody_checked(city: &City, outside: &Outside) {
    let sent = || outside.sent.lock().unwrap().len();
    agreed(city);
    let contact = format!("/api/v1/people/{}/contact", city.by("resident").id());
    let typed = |phone: &str| city.by("resident").post(&contact, &json!({ "phone": phone })).done();
    let bound = |phone: &str| {
        let bind = json!({ "app_id": APP_ID, "code": format!("phone-{phone}") });
        city.by("resident").post("/api/v1/me/phone", &bind).done();
    };
    let told = |count: usize, why: &str| {
        city.filed();
        pass(city);
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
    city.by("resident").post("/api/v1/me/phone/unbind", &json!({})).done();
    typed("13900001111");
    told(2, "it was given up meanwhile");
    let states: Vec<String> = deliveries(city, "sms").into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, ["skipped", "delivered", "skipped", "delivered", "skipped"]);
}

fn nothing_anybody_wrote_is_sent_as_a_short_message(city: &City, outside: &Outside) {
    agreed(city);
    let bind = json!({ "app_id": APP_ID, "code": "phone-13900001111" });
    city.by("resident").post("/api/v1/me/phone", &bind).done();
    let (report, number) = titled(city, "resident", "中奖请点 evil.example", "");
    city.filed_from(&report);
    let (refused, _) = titled(city, "resident", "转账到 6222", "");
    let why = json!({ "reason": "请登录 evil.example 申诉", "redirect": "petition" });
    city.by("community").post(&format!("/api/v1/reports/{refused}/refuse"), &why).done();
    pass(city);
    let texts: Vec<String> =
        outside.sent.lock().unwrap().iter().map(|one| text(one, "/text")).collect();
    let told = texts.join("\n");
    assert!(told.contains(&number) && told.contains("上报已受理"), "{told}");
    assert!(!told.contains("evil") && !told.contains("6222"), "{told}");
    // Nor does the record repeat to whom it went, though the sender may.
    let listed = city.by("admin").get("/api/v1/deliveries?limit=1&channel=sms").done();
    let path = format!("/api/v1/deliveries/{}", text(&listed, "/items/0/id"));
    assert!(!city.by("admin").get(&path).text.contains("13900001111"));
}
