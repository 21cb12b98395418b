//! Events and messages: another organisation's server receives them by webhook, a desk by the event
//! stream, the hotline by the feed, people by messages.

use chrono::Duration;
use serde_json::{Value, json};

use super::{
    super::{
        driver::{items_at, text_at},
        listener::{Receiver, Stream},
        say,
    },
    Done, Story, get, post,
};
use crate::cli::install::Failed;

/// Folds repetitions of a line into one with their number.
fn fold_lines(lines: &[String]) -> Vec<String> {
    let mut folded: Vec<(&str, usize)> = Vec::new();
    for line in lines {
        match folded.last_mut() {
            Some((last, count)) if last == line => *count += 1,
            _ => folded.push((line, 1)),
        }
    }
    let shown = |(line, count): (&str, usize)| match count {
        1 => line.to_owned(),
        _ => format!("{line}×{count}"),
    };
    folded.into_iter().map(shown).collect()
}

/// The receivers that listen during the main story.
pub(super) struct Listeners {
    receiver: Receiver,
    stream: Stream,
    webhook: String,
}

impl Story {
    /// Starts the receiver and the stream before anything happens.
    pub(super) fn start_listening(&mut self, base: &str) -> Done<Listeners> {
        say("\n—— 谁在听 / Who listens ——");
        let failed = |error: std::io::Error| Failed(error.to_string());
        let receiver = Receiver::start().map_err(failed)?;
        let body = json!({
            "name": "12345 热线平台", "url": receiver.url, "area_id": self.find_unit("4202"),
            "types": ["report.submitted", "case.opened", "case.whistle_blown", "case.closed"],
        });
        let mut call = post("admin", "create_webhook", "/api/v1/webhooks".to_owned(), body);
        call.expect = 201;
        let hook = self.driver.run_step(call, |_| "密钥只显示这一次".to_owned())?;
        receiver.trust_secret(text_at(&hook, "/secret"));
        let approve = format!("/api/v1/webhooks/{}/approve", text_at(&hook, "/id"));
        let agreed = json!({ "approved": true, "url": receiver.url });
        self.driver.run_step(post("rexian", "approve_webhook", approve, agreed), |a| {
            format!("有权阅读案卷的人批准推送全文：{}", text_at(a, "/content"))
        })?;
        let token = self.driver.ensure_token("jiedao")?.unwrap_or_default();
        let stream = Stream::open(base, &token).map_err(failed)?;
        Ok(Listeners { receiver, stream, webhook: text_at(&hook, "/id") })
    }

    /// Shows what they received, and the other operations on webhooks and events.
    pub(super) fn tell_listeners(&mut self, listeners: &Listeners) -> Done {
        say("\n—— 谁听到了什么 / What they heard ——");
        let read = listeners.stream.read_until("结案");
        say(&format!("     事件流：{}", fold_lines(&read).join(" → ")));
        let closed = |types: &[String]| types.iter().any(|one| one == "case.closed");
        let (types, wrong) = listeners.receiver.wait_until(|told| closed(&told.types));
        if wrong > 0 || !closed(&types) {
            return Err(Failed(format!("the receiver was told {types:?}, {wrong} wrongly signed")));
        }
        say(&format!("     推送到对方服务器，签名逐个验证通过：{}", types.join("、")));
        self.tell_feed()?;
        self.tell_webhooks(&listeners.webhook, &listeners.receiver.url)?;
        self.tell_messages()
    }

    fn tell_feed(&mut self) -> Done {
        let path = "/api/v1/events?limit=5".to_owned();
        let page = self.driver.run_step(get("jiedao", "list_events", path), |a| {
            format!("事件拉取：{} 条，之后从 next 继续", items_at(a, "/items").len())
        })?;
        let path = format!("/api/v1/events?limit=5&cursor={}", text_at(&page, "/next"));
        self.driver.run_step(get("jiedao", "", path), |a| {
            items_at(a, "/items")
                .iter()
                .map(|one| text_at(one, "/label"))
                .collect::<Vec<_>>()
                .join(" → ")
        })?;
        let types = get("jiedao", "list_event_types", "/api/v1/event_types".to_owned());
        self.driver.run_step(types, |a| format!("{} 种事件", a.as_array().map_or(0, Vec::len)))?;
        Ok(())
    }

    fn tell_webhooks(&mut self, id: &str, url: &str) -> Done {
        let at = |verb: &str| format!("/api/v1/webhooks/{id}{verb}");
        let list_all = get("admin", "list_webhooks", "/api/v1/webhooks".to_owned());
        self.driver.run_step(list_all, |_| String::new())?;
        self.driver.run_step(get("admin", "get_webhook", at("")), |a| text_at(a, "/status"))?;
        let rotate = post("admin", "rotate_webhook_secret", at("/rotate_secret"), json!({}));
        self.driver.run_step(rotate, |_| "新旧密钥并用一天".to_owned())?;
        let mut test = post("admin", "test_webhook", at("/test"), json!({}));
        test.expect = 202;
        let ordered = self.driver.run_step(test, |_| String::new())?;
        let path = format!("/api/v1/deliveries?limit=3&target={id}");
        self.driver.run_step(get("admin", "list_deliveries", path), |a| {
            items_at(a, "/items")
                .iter()
                .map(|one| text_at(one, "/state_label"))
                .collect::<Vec<_>>()
                .join("、")
        })?;
        let delivery = format!("/api/v1/deliveries/{}", text_at(&ordered, "/delivery_id"));
        self.driver.run_step(get("admin", "get_delivery", delivery.clone()), |_| String::new())?;
        let again = format!("{delivery}/replay");
        let mut again = post("admin", "replay_delivery", again, json!({}));
        again.expect = 202;
        self.driver.run_step(again, |_| "同一事件标识".to_owned())?;
        let from = self.time.now() - Duration::hours(1);
        let mut range = post("admin", "replay_webhook", at("/replay"), json!({ "from": from }));
        range.expect = 202;
        self.driver.run_step(range, |a| format!("重放 {} 条", a["count"]))?;
        self.driver.run_step(post("admin", "pause_webhook", at("/pause"), json!({})), |a| {
            text_at(a, "/status")
        })?;
        let resume = post("admin", "resume_webhook", at("/resume"), json!({}));
        self.driver.run_step(resume, |a| text_at(a, "/status"))?;
        let change = json!({
            "name": "12345 热线平台", "url": url, "area_id": self.find_unit("4202"),
            "types": ["case.closed"], "envelope": "cloudevents",
        });
        let change = post("admin", "update_webhook", at("/update"), change);
        self.driver.run_step(change, |a| text_at(a, "/envelope"))?;
        let inside = json!({
            "name": "内网", "url": "https://169.254.169.254/latest", "area_id": self.find_unit("4202"),
        });
        let mut refused = post("admin", "", "/api/v1/webhooks".to_owned(), inside);
        refused.expect = 400;
        self.driver.run_step(refused, |a| format!("拒绝：{}", text_at(a, "/errors/0/detail")))?;
        let mut remove = post("admin", "remove_webhook", at("/remove"), json!({}));
        remove.expect = 204;
        self.driver.run_step(remove, |_| "不再推送".to_owned())?;
        Ok(())
    }

    fn tell_messages(&mut self) -> Done {
        let path = "/api/v1/me/messages?limit=3".to_owned();
        self.driver.run_step(get("chengguan", "list_messages", path), |a| {
            items_at(a, "/items")
                .iter()
                .map(|one| format!("{}：{}", text_at(one, "/kind_label"), text_at(one, "/text")))
                .collect::<Vec<_>>()
                .join("；")
        })?;
        let count = get("chengguan", "get_unread_count", "/api/v1/me/messages/unread".to_owned());
        self.driver.run_step(count, |a| format!("未读 {}", a["unread"]))?;
        let read = "/api/v1/me/messages/read".to_owned();
        self.driver
            .run_step(post("chengguan", "read_messages", read, json!({})), |_| String::new())?;
        let path = "/api/v1/me/message_preferences".to_owned();
        let wants = json!({
            "muted": ["case_given"], "sms": false, "digest": "18:00",
            "quiet": { "from": "22:00", "until": "07:00" },
        });
        let call = post("chengguan", "set_message_preferences", path.clone(), wants);
        self.driver.run_step(call, |_| "夜间免打扰，每日 18 点汇总".to_owned())?;
        let call = get("chengguan", "get_message_preferences", path);
        self.driver.run_step(call, |_| String::new())?;
        Ok(())
    }

    /// One event of each type that happened, for the document.
    pub(super) fn record_events(&mut self) -> Done {
        let mut cursor = String::new();
        loop {
            let path = format!("/api/v1/events?limit=100{cursor}");
            let page = self.driver.fetch_json("quji", &path)?;
            for event in items_at(&page, "/items") {
                let kind = format!("event {}", text_at(event, "/type"));
                self.driver.record_example(&kind, &Value::Null, event);
            }
            if page.get("more") == Some(&Value::Bool(false)) {
                return Ok(());
            }
            cursor = format!("&cursor={}", text_at(&page, "/next"));
        }
    }
}
