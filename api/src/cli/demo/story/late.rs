//! The second story: a case that no unit wants, that is late twice, and whose deadline meets a
//! holiday that was not published before. The clock of the server is moved for it.

use chrono::Duration;
use domain::Instant;
use serde_json::{Value, json};

use super::{
    super::{
        driver::{items_at, text_at},
        say,
    },
    Done, Story, get, post, render_stage,
    working::{
        Year, find_duty, format_full_instant, instant_at, render_breach, render_deadline, say_all,
        say_running,
    },
};
use crate::cli::install::Failed;

/// How often it checks whether the system did its own work.
const LOOKS: usize = 100;

impl Story {
    pub(super) fn tell_late(&mut self) -> Done {
        let (year, case) = self.tell_unpublished_year()?;
        self.tell_dispute(&case)?;
        self.tell_standstill(&case, &year)?;
        self.tell_late_again(&case)?;
        self.tell_appeal(&case)
    }

    /// Moves the clock to `at`; all logins have expired by then.
    fn go_on(&mut self, at: Instant) -> Done {
        self.time.pass_until(at)?;
        self.driver.forget_logins();
        say(&format!("     …… 时间到了 {}", format_full_instant(&self.time.now().to_rfc3339())));
        Ok(())
    }

    fn fetch_case(&mut self, case: &str) -> Done<Value> {
        self.driver.fetch_json("jiedao", &format!("/api/v1/cases/{case}"))
    }

    /// Waits until the system did what is expected of it; then one step shows the case.
    fn wait_for_case(
        &mut self,
        case: &str,
        holds: impl Fn(&Value) -> bool,
        tell: impl Fn(&Value) -> String,
    ) -> Done<Value> {
        for _ in 0..LOOKS {
            if holds(&self.fetch_case(case)?) {
                let path = format!("/api/v1/cases/{case}");
                return self.driver.run_step(get("jiedao", "get_case", path), tell);
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        Err(Failed("the system does not do what the story waits for".to_owned()))
    }

    /// A step on the case, its line rendered by `tell`.
    pub(super) fn step_case_with(
        &mut self,
        by: &str,
        operation: &str,
        (case, verb, body): (&str, &str, Value),
        tell: impl Fn(&Value) -> String,
    ) -> Done<Value> {
        let path = format!("/api/v1/cases/{case}/{verb}");
        self.driver.run_step(post(by, operation, path, body), tell)
    }

    /// Signs the pending request.
    pub(super) fn sign_request(&mut self, by: &str, case: &str, no: i64) -> Done<Value> {
        let body = json!({ "agree": true, "note": "情况属实，同意" });
        let verb = format!("requests/{no}/decide");
        self.step_case_with(by, "decide_request", (case, &verb, body), |a| {
            let all = items_at(a, "/requests").iter().flat_map(|ask| items_at(ask, "/signatures"));
            let mut left = all.filter(|one| text_at(one, "/at").is_empty());
            let next = left.next().map(|one| text_at(one, "/over/name"));
            next.map_or("同意，签批齐备".to_owned(), |next| {
                format!("同意，还需{next}一级签批")
            })
        })
    }

    /// The number of the last request.
    pub(super) fn last_request_number(answer: &Value) -> i64 {
        let last = items_at(answer, "/requests").last();
        last.and_then(|ask| ask.get("no")).and_then(Value::as_i64).unwrap_or_default()
    }

    /// Files a report and escalates the case to the street; answers the case.
    pub(super) fn file_and_escalate(&mut self, report: &Value) -> Done<String> {
        let path = format!("/api/v1/reports/{}/file", text_at(report, "/id"));
        let call = post("shequ", "file_report", path, json!({}));
        let filed = self.driver.run_step(call, |a| text_at(a, "/status_label"))?;
        let case = text_at(&filed, "/case_id");
        let reason = json!({ "reason": "社区没有执法权，需街道协调" });
        self.step_case("shequ", "escalate_case", &case, "escalate", reason)?;
        Ok(case)
    }

    fn preview_deadline(&mut self, area: &str, at: Instant) -> Done<Value> {
        let body = json!({
            "area_id": area, "category": "A05", "urgency": "normal", "duty": "handle", "at": at,
        });
        let path = "/api/v1/sla/preview".to_owned();
        self.driver.run_step(post("jiedao", "preview_deadlines", path, body), |a| {
            let (rule, due) =
                (text_at(a, "/items/0/term/rule"), render_deadline(a, "/items", "handle"));
            format!("若在节前的周五派遣：规则 {rule}，{due}")
        })
    }

    fn tell_unpublished_year(&mut self) -> Done<(Year, String)> {
        say(
            "\n—— 十、第二个故事：节假日安排尚未公布 / The second story: a year without a notice ——",
        );
        let call = get("admin", "list_policies", "/api/v1/policies".to_owned());
        self.driver.run_step(call, |a| {
            let all = items_at(a, "/items").iter().map(|one| text_at(one, "/kind_label"));
            all.collect::<Vec<_>>().join("、")
        })?;
        let calendar = self.driver.fetch_json("admin", "/api/v1/policies/calendar")?;
        let year = Year::pick(self.time.now(), &calendar)
            .ok_or_else(|| Failed("every year has its notice".to_owned()))?;
        self.go_on(year.instant_on(0, 9))?;
        let report = self.submit_report(
            "wangge-1",
            0,
            &json!({
                "title": "楼后搭建彩钢棚", "text": "居民楼后新搭彩钢棚，占用消防通道，多户反映",
                "category": "A05", "urgency": "normal",
            }),
        )?;
        let case = self.file_and_escalate(&report)?;
        let grid = text_at(&report, "/place/area/id");
        let community = self.parent_of(&grid)?;
        let body = json!({ "unit_id": community, "note": "请社区先行劝导" });
        self.step_case_with("jiedao", "dispatch_case", (&case, "dispatch", body), |a| {
            render_deadline(a, "/owed", "handle")
        })?;
        self.preview_deadline(&grid, year.instant_on(11, 9))?;
        let body = json!({
            "years": [year.notice()],
            "note": format!("演示用的{}节假日安排，并非正式通知", year.name()),
        });
        let path = "/api/v1/policies/calendar/holidays".to_owned();
        self.driver.run_step(post("admin", "import_holidays", path, body), |a| {
            let edition = a.get("edition").unwrap_or(&Value::Null);
            format!("日历成为第 {edition} 版，暂定的时限由系统重新计算")
        })?;
        self.preview_deadline(&grid, year.instant_on(11, 9))?;
        let firm = |a: &Value| {
            find_duty(a, "/owed", "handle").pointer("/term/provisional") == Some(&json!(false))
        };
        self.wait_for_case(&case, firm, |a| render_deadline(a, "/owed", "handle"))?;
        Ok((year, case))
    }

    fn tell_dispute(&mut self, case: &str) -> Done {
        say("\n—— 十一、超期、退单、裁定 / Late, given back, arbitrated ——");
        let shown = self.fetch_case(case)?;
        let sign = find_duty(&shown, "/owed", "sign");
        let (grid, community) = (text_at(&shown, "/place/area/id"), text_at(sign, "/owed_by/id"));
        let due = instant_at(sign, "/term/due_at");
        let due = due.ok_or_else(|| Failed("nobody has to sign".to_owned()))?;
        self.go_on(due + Duration::minutes(1))?;
        let urged = |a: &Value| {
            !items_at(a, "/breaches").is_empty() && !items_at(a, "/supervisions").is_empty()
        };
        self.wait_for_case(case, urged, |a| {
            format!("{}；系统自动{}", render_breach(a), text_at(a, "/supervisions/0/kind_label"))
        })?;
        self.step_case("shequ", "sign_case", case, "sign", json!({}))?;
        let turns = [
            ("shequ", &community, "违建查处不是社区职责"),
            ("wangge-1", &grid, "网格员没有执法权"),
            ("shequ", &community, "社区再次确认无权处置"),
        ];
        for (turn, (by, unit, reason)) in turns.into_iter().enumerate() {
            if turn > 0 {
                let body = json!({ "unit_id": unit });
                self.step_case("jiedao", "dispatch_case", case, "dispatch", body)?;
            }
            let body = json!({ "reason": reason, "proposed_unit_id": self.find_unit("420202-CG") });
            self.step_case_with(by, "return_case", (case, "return", body), |a| {
                let count = a.pointer("/tally/returns").unwrap_or(&Value::Null);
                format!("第 {count} 次退单：{}", render_stage(a))
            })?;
        }
        let (unit, reason) =
            (self.find_unit("420202-CG"), "违法建设查处由城管执法部门负责，指定承办");
        let body = json!({ "unit_id": unit, "reason": reason });
        self.step_case("quji", "arbitrate_case", case, "arbitrate", body)?;
        self.step_case("chengguan", "sign_case", case, "sign", json!({}))?;
        self.expect_refusal("chengguan", case, "return", json!({ "reason": "应由属地街道牵头" }))?;
        self.step_case("chengguan", "start_case", case, "start", json!({}))?;
        Ok(())
    }

    fn tell_standstill(&mut self, case: &str, year: &Year) -> Done {
        say("\n—— 十二、延期、挂账过节、自动恢复 / More time, and a holiday ——");
        self.go_on(year.instant_on(3, 10))?;
        let body = |days: i64| json!({ "amount": days, "unit": "working_day", "reason": "当事人申请听证，需补充材料" });
        let waits = |a: &Value| {
            let what = text_at(a, "/requests/0/kind_label");
            format!("{what}申请（第 {} 号）待审批", Self::last_request_number(a))
        };
        let asked =
            self.step_case_with("chengguan", "extend_case", (case, "extend", body(10)), waits)?;
        let verb = format!("requests/{}/withdraw", Self::last_request_number(&asked));
        let told = |_: &Value| "申请多了，撤回重报".to_owned();
        self.step_case_with("chengguan", "withdraw_request", (case, &verb, json!({})), told)?;
        let asked =
            self.step_case_with("chengguan", "extend_case", (case, "extend", body(5)), waits)?;
        let given = self.sign_request("lingdao", case, Self::last_request_number(&asked))?;
        say(&format!("     到期前申请，准予延期；{}", render_deadline(&given, "/owed", "handle")));
        self.go_on(year.instant_on(11, 9))?;
        let body = json!({
            "until": year.holiday_over(), "reason": "国庆期间暂停动火拆除作业，节后恢复",
        });
        let asked =
            self.step_case_with("chengguan", "suspend_case", (case, "suspend", body), waits)?;
        let no = Self::last_request_number(&asked);
        self.sign_request("lingdao", case, no)?;
        let still = self.sign_request("quji", case, no)?;
        let (until, due) =
            (text_at(&still, "/suspended_until"), render_deadline(&still, "/owed", "handle"));
        say(&format!("     挂账至 {}；{due}", format_full_instant(&until)));
        self.expect_refusal("chengguan", case, "feedback", json!({ "result": "已拆除一半" }))?;
        self.go_on(year.holiday_over() + Duration::minutes(1))?;
        let goes_on = |a: &Value| text_at(a, "/suspended_until").is_empty();
        self.wait_for_case(case, goes_on, |a| {
            format!("挂账期满，系统自动恢复；{}", render_deadline(a, "/owed", "handle"))
        })?;
        let call = get("jiedao", "get_case_clocks", format!("/api/v1/cases/{case}/clocks"));
        let clocks = self.driver.run_step(call, |_| "正在计时的时限，逐日说明：".to_owned())?;
        say_running(&clocks);
        Ok(())
    }

    fn tell_late_again(&mut self, case: &str) -> Done {
        say("\n—— 十三、再次超期、督办、结案 / Late again, supervised, closed ——");
        let shown = self.fetch_case(case)?;
        let due = instant_at(find_duty(&shown, "/owed", "handle"), "/term/due_at");
        let due = due.ok_or_else(|| Failed("nobody has to handle it".to_owned()))?;
        self.go_on(due + Duration::minutes(1))?;
        let before = items_at(&shown, "/breaches").len();
        self.wait_for_case(case, |a| items_at(a, "/breaches").len() > before, render_breach)?;
        let body = json!({ "amount": 3, "unit": "working_day", "reason": "施工队节后返工晚" });
        self.expect_refusal("chengguan", case, "extend", body)?;
        let body = json!({
            "kind": "supervise", "trigger": "order", "unit_id": self.find_unit("420202-CG"),
            "reason": "消防通道被占，请说明何时拆除",
        });
        let supervised =
            self.step_case_with("quji", "supervise_case", (case, "supervise", body), |a| {
                render_deadline(a, "/owed", "answer_supervision")
            })?;
        self.answer_supervision(case, &supervised)?;
        let clocks = self.driver.fetch_json("jiedao", &format!("/api/v1/cases/{case}/clocks"))?;
        let next = instant_at(find_duty(&clocks, "/running", "handle"), "/next_measure_at");
        let next = next.ok_or_else(|| Failed("no measure follows".to_owned()))?;
        self.go_on(next + Duration::minutes(1))?;
        let open = |a: &Value| find_duty(a, "/owed", "answer_supervision").is_object();
        let supervised = self.wait_for_case(case, open, |a| {
            format!("仍未办结，系统自动督办；{}", render_deadline(a, "/owed", "answer_supervision"))
        })?;
        self.answer_supervision(case, &supervised)?;
        let done = json!({ "result": "彩钢棚已拆除，消防通道恢复畅通" });
        self.step_case("chengguan", "feed_back_case", case, "feedback", done)?;
        let seen = json!({ "passed": true, "note": "现场已拆除" });
        self.step_case("wangge-2", "verify_case", case, "verify", seen)?;
        let body = json!({ "reached": true, "solved": true, "satisfied": "fairly_satisfied" });
        self.step_case("rexian", "call_back_case", case, "callback", body)?;
        self.step_case("jiedao", "close_case", case, "close", json!({}))?;
        Ok(())
    }

    /// The department answers the supervision addressed to it.
    fn answer_supervision(&mut self, case: &str, shown: &Value) -> Done {
        let waits = |one: &&Value| {
            !text_at(one, "/term/due_at").is_empty() && text_at(one, "/replied_at").is_empty()
        };
        let open = items_at(shown, "/supervisions").iter().find(waits);
        let no = open.and_then(|one| one.get("no")).and_then(Value::as_i64).unwrap_or_default();
        let body = json!({ "text": "已约定施工队，明日进场拆除" });
        let verb = format!("supervisions/{no}/reply");
        let told = |_: &Value| "督办已答复".to_owned();
        self.step_case_with("chengguan", "reply_supervision", (case, &verb, body), told)?;
        Ok(())
    }

    fn tell_appeal(&mut self, case: &str) -> Done {
        say("\n—— 十四、申诉与时限说明 / An appeal, and every clock explained ——");
        let shown = self.fetch_case(case)?;
        let late = find_duty(&shown, "/breaches", "handle").get("no").cloned();
        let body = json!({ "breach": late, "reason": "节后连续暴雨，拆除作业被应急部门叫停" });
        let asked =
            self.step_case_with("chengguan", "appeal_case", (case, "appeal", body), |a| {
                format!("{}；申诉经两级复核", render_breach(a))
            })?;
        let no = Self::last_request_number(&asked);
        self.sign_request("lingdao", case, no)?;
        let decided = self.sign_request("quji", case, no)?;
        say(&format!("     {}", render_breach(&decided)));
        let call = get("jiedao", "get_case_clocks", format!("/api/v1/cases/{case}/clocks"));
        let clocks =
            self.driver.run_step(call, |_| "全部时限：起算、规则、期限、到期、结果".to_owned())?;
        say_all(&clocks);
        let path = format!("/api/v1/cases/{case}/obligations");
        self.driver.run_step(get("jiedao", "list_case_obligations", path), |a| {
            let all = items_at(a, "/items");
            let late = all.iter().filter(|one| text_at(one, "/outcome") == "late");
            format!("共 {} 项责任，其中超期 {} 项", all.len(), late.count())
        })?;
        Ok(())
    }
}
