//! A grid worker in a stairwell: commands that were kept without a signal are sent later, in one
//! request, by a phone whose clock is wrong; and sent again, because the answer was lost.

use chrono::{Duration, SecondsFormat};
use serde_json::{Value, json};

use super::{
    super::{
        driver::{items_at, text_at},
        say,
    },
    Done, Story, get, post,
};
use crate::app::clock::new_id;

impl Story {
    pub(super) fn tell_offline(&mut self) -> Done {
        say("\n—— 楼道里没有信号 / No signal in the stairwell ——");
        let path = "/api/v1/sync?limit=100".to_owned();
        let first = self.driver.run_step(get("wangge-1", "list_changes", path), |a| {
            format!("首次下载 {} 条", items_at(a, "/items").len())
        })?;
        let queue = self.build_queue();
        for told in ["上传离线队列", "回执丢失，原样重发"] {
            let path = "/api/v1/sync".to_owned();
            self.driver.run_step(post("wangge-1", "send_queue", path, queue.clone()), |a| {
                let fates =
                    items_at(a, "/items").iter().map(|item| text_at(item, "/outcome_label"));
                let fates: Vec<String> = fates.collect();
                let skew = a["skew_ms"].as_i64().unwrap_or_default() / 60_000;
                format!("{told}：{}；手机时钟校正 {skew} 分钟", fates.join("、"))
            })?;
        }
        let path = format!("/api/v1/sync?since={}", text_at(&first, "/next"));
        self.driver.run_step(get("wangge-1", "list_changes", path), |a| {
            format!("增量下载 {} 条", items_at(a, "/items").len())
        })?;
        Ok(())
    }

    /// Two reports and commands that depend on one of them, typed forty and thirty minutes ago on a
    /// phone whose clock is two hours behind.
    fn build_queue(&self) -> Value {
        let phone = self.time.now() - Duration::hours(2);
        let typed = |minutes: i64| {
            (phone - Duration::minutes(minutes)).to_rfc3339_opts(SecondsFormat::Secs, true)
        };
        let grid = self.find_unit("@grid");
        let report = |text: &str, minutes: i64| {
            let id = new_id();
            json!({
                "id": new_id(), "operation": "submit_report", "client_time": typed(minutes),
                "body": {
                    "id": id, "text": text, "category": "A02",
                    "place": { "area_id": grid, "address": "3 号楼 2 单元楼道" },
                },
            })
        };
        let refused = json!({
            "id": new_id(), "operation": "comment_case", "path": { "id": new_id() },
            "body": { "text": "这个案卷不在本机" }, "client_time": typed(20),
        });
        let items = [report("楼道堆放杂物，影响通行", 40), report("楼道灯不亮", 30), refused];
        json!({ "sent_at": phone.to_rfc3339_opts(SecondsFormat::Secs, true), "items": items })
    }
}
