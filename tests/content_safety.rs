//! What the public writes and photographs is reviewed before others of the public see it: by WeChat
//! where it is configured, by people otherwise; and nothing is lost by that.

use std::time::{Duration, Instant};

use api::{
    app::config::{MiniProgram, Secret},
    cli::demo::weixin::{APP_ID, SECRET, TOKEN, Weixin, build_verdict_event, sign_query},
};
use serde_json::{Value, json};

use crate::harness::{
    Answer, City, Engine, new_key, on_both_beside, read_text, report_body_at, seed,
};

/// The public address of the server: links for WeChat begin with it.
const SERVER: &str = "https://grid.example";

/// A city whose mini-program checks what residents write, at the stand-in.
fn open_city(engine: Engine) -> (City, Weixin) {
    let weixin = Weixin::start().expect("a stand-in");
    let city = City::open_with(engine, |settings| {
        settings.public_url = Some(SERVER.to_owned());
        settings.mini_programs = vec![MiniProgram {
            app_id: APP_ID.to_owned(),
            secret: Secret::from(SECRET),
            tenant: Some(seed::CITY.to_owned()),
            url: weixin.server.base.clone(),
            check_content: true,
            message_token: Some(Secret::from(TOKEN)),
        }];
    });
    // Tokens name the server: all of them are fetched anew.
    city.advance(chrono::Duration::seconds(1));
    (city, weixin)
}

on_both_beside! {
    a_text_is_checked_and_a_risky_one_is_left_to_people,
    wechat_that_fails_never_fails_a_report,
    a_photo_is_judged_by_a_message_that_comes_later,
    a_message_may_come_before_our_own_record,
    messages_are_signed_and_fresh,
    an_answer_that_never_comes_is_left_to_people,
    who_is_not_to_be_known_is_named_to_nobody_outside,
    without_wechat_people_decide,
    others_of_the_public_see_what_passed,
}

/// A resident who came with the mini-program.
struct Resident {
    token: String,
}

impl Resident {
    fn new(city: &City, who: &str) -> Self {
        let body = json!({ "tenant": seed::CITY, "app_id": APP_ID, "code": format!("code-{who}") });
        let tokens = city.client("").post("/api/v1/auth/wechat", &body).expect_success();
        Self { token: format!("Bearer {}", read_text(&tokens, "/access_token")) }
    }

    fn post(&self, city: &City, path: &str, body: &Value) -> Answer {
        city.client("").call("POST", path).header("Authorization", &self.token).json(body).send()
    }

    fn get(&self, city: &City, path: &str) -> Answer {
        city.client("").call("GET", path).header("Authorization", &self.token).send()
    }

    /// Reports something; the identity.
    fn submit_report(&self, city: &City, said: &str, more: Value) -> String {
        let mut body = report_body_at(110.005, 30.005);
        body["text"] = json!(said);
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        read_text(&self.post(city, "/api/v1/reports", &body).expect_success(), "/id")
    }

    /// Sends a photo; the identity.
    fn send_photo(&self, city: &City, id: &str) {
        let path = format!("/api/v1/media?id={id}");
        let call = city.client("").call("POST", &path).header("Authorization", &self.token);
        call.bytes(crate::media::load_image("ok/hopper.jpg")).send().expect_success();
    }
}

/// The review of something, as the reviewer sees it.
fn find_review(city: &City, about: &str) -> Option<Value> {
    let list = city.client("dispatcher").get("/api/v1/content_reviews?limit=100").expect_success();
    let items = list["items"].as_array().unwrap();
    items.iter().find(|item| item["about_id"] == about).cloned()
}

/// The same once it is no longer waiting for a program.
#[track_caller]
pub(crate) fn await_review(city: &City, about: &str) -> Value {
    let begun = Instant::now();
    loop {
        if let Some(found) = find_review(city, about)
            && found["status"] != "waiting"
        {
            return found;
        }
        assert!(begun.elapsed().as_secs() < 20, "nobody looked at {about}");
        std::thread::sleep(Duration::from_millis(30));
    }
}

pub(crate) fn decide_review(city: &City, by: &str, review: &Value, pass: bool) -> Answer {
    let path = format!("/api/v1/content_reviews/{}/decide", read_text(review, "/id"));
    city.client(by).post(&path, &json!({ "pass": pass, "note": "已看过" }))
}

/// A message of WeChat, as it signs them.
fn post_event(city: &City, message: &Value) -> Answer {
    let query = sign_query(TOKEN, city.now().timestamp());
    let path = format!("/api/v1/wechat/{APP_ID}/events?{query}&openid=o1");
    city.client("").call("POST", &path).without_header("Idempotency-Key").json(message).send()
}

/// Waits until WeChat was asked about this many files; answers the address of the last.
#[track_caller]
fn await_file_check(weixin: &Weixin, count: usize) -> String {
    let begun = Instant::now();
    loop {
        let files = weixin.with_memory(|memory| memory.files.clone());
        if files.len() >= count {
            return files.last().cloned().unwrap_or_default();
        }
        assert!(begun.elapsed().as_secs() < 20, "WeChat was not asked");
        std::thread::sleep(Duration::from_millis(30));
    }
}

fn a_text_is_checked_and_a_risky_one_is_left_to_people(city: &City, weixin: &Weixin) {
    let zhang = Resident::new(city, "zhang");
    let plain = zhang.submit_report(city, "路灯不亮", json!({}));
    let passed = await_review(city, &plain);
    assert_eq!((&passed["status"], &passed["label"]), (&json!("passed"), &json!(100)));
    assert_eq!(passed["decided"], Value::Null);
    for (said, suggestion, label) in
        [("楼下有人赌博", "risky", 20_006), ("墙上贴着代开发票", "review", 10_001)]
    {
        let report = zhang.submit_report(city, said, json!({}));
        let queued = await_review(city, &report);
        assert_eq!(queued["status"], "queued");
        assert_eq!(queued["cause"], "doubtful");
        assert_eq!((&queued["suggestion"], &queued["label"]), (&json!(suggestion), &json!(label)));
        assert!(read_text(&queued, "/text").contains(said));
        // Staff see it all the time, and work on it.
        let path = format!("/api/v1/reports/{report}");
        assert_eq!(read_text(&city.client("community").get(&path).expect_success(), "/text"), said);
        city.file_report(&report);
        let decided = decide_review(city, "hotline", &queued, true).expect_success();
        assert_eq!(
            (&decided["status"], &decided["decided"]["by"]),
            (&json!("passed"), &json!("热线何敏"))
        );
        // A reviewer may change the decision.
        assert_eq!(
            decide_review(city, "dispatcher", &queued, false).expect_success()["status"],
            "withheld"
        );
    }
    // A long text is checked in parts, and the worst part counts.
    let before = weixin.with_memory(|memory| memory.texts);
    let long = format!("{}赌博", "路".repeat(3000));
    let report = zhang.submit_report(city, &long, json!({}));
    assert_eq!(await_review(city, &report)["suggestion"], "risky");
    assert_eq!(weixin.with_memory(|memory| memory.texts) - before, 2);
    // What staff write is not reviewed.
    let own = city.submit_report_as("worker");
    assert!(find_review(city, &own).is_none());
    // Other people decide nothing.
    let queued = await_review(city, &report);
    decide_review(city, "worker", &queued, true).expect_problem(404, "not_found");
    decide_review(city, "far_dispatcher", &queued, true).expect_problem(404, "not_found");
    decide_review(city, "resident", &queued, true).expect_problem(404, "not_found");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn wechat_that_fails_never_fails_a_report(city: &City, weixin: &Weixin) {
    let zhang = Resident::new(city, "zhang");
    for (said, cause) in [
        ("许久未用", "refused"),
        ("接口繁忙", "unavailable"),
        ("额度用完", "unavailable"),
        ("没有回音", "unavailable"),
        ("胡言乱语", "unavailable"),
        ("慢慢来", "unavailable"),
    ] {
        let started = Instant::now();
        let report = zhang.submit_report(city, said, json!({}));
        assert!(started.elapsed().as_secs() < 4, "{said}: {:?}", started.elapsed());
        let queued = await_review(city, &report);
        assert_eq!(
            (&queued["status"], &queued["cause"]),
            (&json!("queued"), &json!(cause)),
            "{said}"
        );
        assert_eq!(queued["suggestion"], Value::Null);
    }
    // An access token that ended is replaced.
    weixin.end_token();
    let report = zhang.submit_report(city, "路灯不亮", json!({}));
    assert_eq!(await_review(city, &report)["status"], "passed");
}

fn a_photo_is_judged_by_a_message_that_comes_later(city: &City, weixin: &Weixin) {
    let zhang = Resident::new(city, "zhang");
    let photo = new_key();
    let report = zhang.submit_report(city, "路面坑洼", json!({ "media": [photo] }));
    zhang.send_photo(city, &photo);
    // WeChat fetches it by a link that needs no login.
    let address = await_file_check(weixin, 1);
    let path = address.strip_prefix(SERVER).unwrap();
    let fetched = city.client("").get(path);
    assert_eq!((fetched.status, fetched.header("content-type")), (200, "image/jpeg"));
    let path = format!("/api/v1/media/{photo}");
    assert_eq!(zhang.get(city, &path).expect_success()["review"], "waiting");
    let answer = post_event(city, &build_verdict_event("trace-1", "pass", 100));
    assert_eq!((answer.status, answer.text.as_str()), (200, "success"));
    assert_eq!(await_review(city, &photo)["status"], "passed");
    // WeChat repeats it until it is answered; it counts once.
    assert_eq!(post_event(city, &build_verdict_event("trace-1", "pass", 100)).status, 200);
    // Another one is risky: staff see it with that.
    let second = new_key();
    let second_report = zhang.submit_report(city, "路面坑洼", json!({ "media": [second] }));
    zhang.send_photo(city, &second);
    await_file_check(weixin, 2);
    post_event(city, &build_verdict_event("trace-2", "risky", 20_002));
    let queued = await_review(city, &second);
    assert_eq!((&queued["status"], &queued["suggestion"]), (&json!("queued"), &json!("risky")));
    assert!(queued["links"]["full"].is_string());
    let shown =
        city.client("community").get(&format!("/api/v1/reports/{second_report}")).expect_success();
    assert_eq!(
        (&shown["media"][0]["state"], &shown["media"][0]["review"]),
        (&json!("present"), &json!("queued"))
    );
    // No program overrules a decision of a person.
    assert_eq!(
        decide_review(city, "dispatcher", &queued, false).expect_success()["status"],
        "withheld"
    );
    post_event(city, &build_verdict_event("trace-2", "pass", 100));
    assert_eq!(await_review(city, &second)["status"], "withheld");
    let _ = report;
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn a_message_may_come_before_our_own_record(city: &City, weixin: &Weixin) {
    let zhang = Resident::new(city, "zhang");
    // The first number WeChat will give: its answer arrives before the question is stored.
    assert_eq!(post_event(city, &build_verdict_event("trace-1", "review", 20_003)).status, 200);
    let photo = new_key();
    zhang.submit_report(city, "路面坑洼", json!({ "media": [photo] }));
    zhang.send_photo(city, &photo);
    await_file_check(weixin, 1);
    let queued = await_review(city, &photo);
    assert_eq!((&queued["cause"], &queued["suggestion"]), (&json!("doubtful"), &json!("review")));
    assert_eq!(queued["label"], 20_003);
    // So may one that says it could not check.
    let mut failed = build_verdict_event("trace-2", "pass", 100);
    failed["errcode"] = json!(-1008);
    post_event(city, &failed);
    let photo = new_key();
    zhang.send_photo(city, &photo);
    zhang.submit_report(city, "路面坑洼", json!({ "media": [photo] }));
    await_file_check(weixin, 2);
    assert_eq!(await_review(city, &photo)["cause"], "unavailable");
}

fn messages_are_signed_and_fresh(city: &City, _: &Weixin) {
    let at = city.now().timestamp();
    let path = |query: &str| format!("/api/v1/wechat/{APP_ID}/events?{query}");
    let right = sign_query(TOKEN, at);
    let greeting = city.client("").get(&path(&format!("{right}&echostr=4711")));
    assert_eq!((greeting.status, greeting.text.as_str()), (200, "4711"));
    assert!(greeting.header("content-type").starts_with("text/plain"));
    let post = |query: &str| city.client("").call("POST", &path(query)).bytes("{}").send();
    for wrong in [
        sign_query("another token", at),
        sign_query(TOKEN, at - 3600),
        sign_query(TOKEN, at + 3600),
        right.replace("nonce=4711", "nonce=4712"),
        right.replace("signature=", "signature=0"),
        format!("signature=&timestamp={at}&nonce="),
    ] {
        assert_eq!(post(&wrong).status, 401, "{wrong}");
        assert_eq!(city.client("").get(&path(&wrong)).status, 401, "{wrong}");
    }
    assert_eq!(post("").status, 400);
    let elsewhere = format!("/api/v1/wechat/wxnobody/events?{right}");
    assert_eq!(city.client("").call("POST", &elsewhere).bytes("{}").send().status, 404);
    // A message that is not understood is acknowledged, so that it is not sent again.
    for body in ["", "nonsense", "<xml></xml>", "[]", r#"{"Event":"wxa_media_check"}"#] {
        let answer = city.client("").call("POST", &path(&right)).bytes(body).send();
        assert_eq!((answer.status, answer.text.as_str()), (200, "success"), "{body}");
    }
}

/// The part of the scheduler that handles reviews.
fn run_review_pass(city: &City) {
    actix_web::rt::System::new()
        .block_on(api::resources::content_review::run_pass(&city.app))
        .expect("reviews can be looked for");
}

fn an_answer_that_never_comes_is_left_to_people(city: &City, weixin: &Weixin) {
    let zhang = Resident::new(city, "zhang");
    let photo = new_key();
    zhang.submit_report(city, "路面坑洼", json!({ "media": [photo] }));
    zhang.send_photo(city, &photo);
    await_file_check(weixin, 1);
    run_review_pass(city);
    assert_eq!(find_review(city, &photo).unwrap()["status"], "waiting");
    city.advance(chrono::Duration::minutes(40));
    run_review_pass(city);
    let queued = await_review(city, &photo);
    assert_eq!((&queued["status"], &queued["cause"]), (&json!("queued"), &json!("late")));
    // When it comes after all, it still helps.
    post_event(city, &build_verdict_event("trace-1", "pass", 100));
    assert_eq!(await_review(city, &photo)["status"], "passed");
}

fn who_is_not_to_be_known_is_named_to_nobody_outside(city: &City, weixin: &Weixin) {
    let zhang = Resident::new(city, "zhang");
    for how in ["confidential", "anonymous"] {
        let photo = new_key();
        let mut more = json!({ "media": [photo] });
        more[how] = json!(true);
        let report = zhang.submit_report(city, "有人乱收费", more);
        zhang.send_photo(city, &photo);
        for about in [&report, &photo] {
            let queued = await_review(city, about);
            assert_eq!(
                (&queued["status"], &queued["cause"]),
                (&json!("queued"), &json!("not_configured"))
            );
        }
    }
    let asked = weixin.with_memory(|memory| (memory.texts, memory.files.len()));
    assert_eq!(asked, (0, 0));
}

fn without_wechat_people_decide(city: &City, weixin: &Weixin) {
    // This resident has an account of another kind.
    let (report, photo) = crate::media::submit_with_photo(city, "resident");
    for about in [&report, &photo] {
        let queued = await_review(city, about);
        assert_eq!(
            (&queued["status"], &queued["cause"]),
            (&json!("queued"), &json!("not_configured"))
        );
    }
    let queue =
        city.client("community").get("/api/v1/content_reviews?status=queued").expect_success();
    assert_eq!(queue["items"].as_array().unwrap().len(), 2);
    let beside = city.client("sibling").get("/api/v1/content_reviews").expect_success();
    assert_eq!(beside["items"], json!([]));
    // A page at a time.
    let first = city.client("community").get("/api/v1/content_reviews?limit=1").expect_success();
    let next = format!("/api/v1/content_reviews?limit=1&cursor={}", read_text(&first, "/next"));
    let second = city.client("community").get(&next).expect_success();
    assert_ne!(first["items"][0]["id"], second["items"][0]["id"]);
    assert_eq!(weixin.with_memory(|memory| memory.texts), 0);
    decide_review(city, "community", &await_review(city, &photo), true).expect_success();
    let passed =
        city.client("community").get("/api/v1/content_reviews?status=passed").expect_success();
    assert_eq!(passed["items"][0]["about_id"], photo);
}

fn others_of_the_public_see_what_passed(city: &City, _: &Weixin) {
    let (first, photo) = crate::media::submit_with_photo(city, "resident");
    let case = city.file_report(&first);
    let second = city.submit_report_as("neighbour");
    let join = format!("/api/v1/reports/{second}/join");
    city.client("community").post(&join, &json!({ "case_id": case })).expect_success();
    let path = format!("/api/v1/cases/{case}");
    let seen = |by: &str| city.client(by).get(&path).expect_success();
    let told = |by: &str| city.client(by).get(&format!("{path}/timeline")).text;
    let hidden = "餐馆油烟直排";
    // Both learn the progress; the words and photos of the other are not shown yet.
    let shown = seen("neighbour");
    assert_eq!((&shown["withheld"], &shown["text"]), (&json!(true), &json!("内容待审核")));
    assert_eq!(shown["media"][0]["state"], "withheld");
    assert_eq!(shown["media"][0]["links"], Value::Null);
    assert!(!told("neighbour").contains(hidden));
    let of_photo = city.client("neighbour").get(&format!("/api/v1/media/{photo}")).expect_success();
    assert_eq!((&of_photo["links"], &of_photo["taken_at"]), (&Value::Null, &Value::Null));
    for by in ["resident", "community", "worker"] {
        assert_eq!(seen(by)["withheld"], false, "{by}");
        assert_eq!(seen(by)["media"][0]["state"], "present", "{by}");
        assert!(told(by).contains(hidden), "{by}");
    }
    // A remark of one resident is not for the other.
    city.take_step("resident", &case, "comment", &json!({ "text": "张三家的油烟" }));
    assert!(!told("neighbour").contains("张三家"));
    assert!(told("community").contains("张三家"));
    decide_review(city, "community", &await_review(city, &first), true).expect_success();
    decide_review(city, "community", &await_review(city, &photo), true).expect_success();
    let shown = seen("neighbour");
    assert_eq!(shown["withheld"], false);
    assert!(read_text(&shown, "/text").contains(hidden));
    assert_eq!(shown["media"][0]["state"], "present");
    assert!(told("neighbour").contains(hidden));
    // And no longer when a reviewer changes the decision.
    decide_review(city, "community", &await_review(city, &photo), false).expect_success();
    assert_eq!(seen("neighbour")["media"][0]["state"], "withheld");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}
