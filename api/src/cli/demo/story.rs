//! The main story: a problem goes from a grid worker's report through filing, a whistle, three
//! departments reporting in, verification and the resident's answer to a closed case.

mod areas;
mod late;
mod offline;
mod patrols;
mod people;
mod personal;
mod photos;
mod rules;
mod telling;
mod visits;
mod ways;
mod working;

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{
    city::{City, PEOPLE},
    driver::{Call, Driver, items_at, text_at},
    say,
    time::Time,
};
use crate::cli::{install::Failed, seed};

type Done<T = ()> = Result<T, Failed>;

/// Plays both stories against the server at `base`, whose time is `time`.
pub(super) fn tell_stories(base: &str, city: &City, record: Option<PathBuf>, time: Time) -> Done {
    let mut driver = Driver::new(base, &city.password);
    for person in PEOPLE {
        driver.log_in(person.account, &city.password)?;
    }
    let mut story = Story { driver, units: Vec::new(), time };
    story.find_units()?;
    let listeners = story.start_listening(base)?;
    let case = story.report_and_file()?;
    story.blow_and_answer(&case)?;
    story.verify_and_close(&case)?;
    story.show_case_file(&case)?;
    story.verify_case(&case)?;
    story.tell_listeners(&listeners)?;
    story.tell_second_way()?;
    story.submit_rest()?;
    story.show_desks()?;
    story.tell_administration(city)?;
    story.tell_ways_in(city)?;
    story.tell_personal_data(city)?;
    story.tell_offline()?;
    story.tell_visits()?;
    story.tell_photos()?;
    story.tell_late()?;
    story.tell_rules()?;
    story.tell_areas()?;
    story.tell_patrols(city)?;
    story.record_events()?;
    say(&format!(
        "\n全部 {} 步成立。 / All {} steps held.",
        story.driver.steps(),
        story.driver.steps()
    ));
    match record {
        Some(file) => story.driver.save_examples(&file),
        None => Ok(()),
    }
}

struct Story {
    driver: Driver,
    units: Vec<(String, String)>,
    time: Time,
}

fn get<'a>(by: &'a str, operation: &'a str, path: String) -> Call<'a> {
    Call { by, operation, method: "GET", path, body: Value::Null, expect: 200, key: None }
}

fn post<'a>(by: &'a str, operation: &'a str, path: String, body: Value) -> Call<'a> {
    Call { by, operation, method: "POST", path, body, expect: 200, key: None }
}

fn render_stage(answer: &Value) -> String {
    let due = answer.pointer("/owed/0").map(|owed| {
        let due = text_at(owed, "/term/due_at");
        format!(
            "，{} 须于 {} 前{}",
            text_at(owed, "/owed_by/name"),
            format_instant(&due),
            text_at(owed, "/duty_label")
        )
    });
    format!(
        "{} {}{}",
        text_at(answer, "/number"),
        text_at(answer, "/stage_label"),
        due.unwrap_or_default()
    )
}

/// An instant as people read it.
fn format_instant(instant: &str) -> String {
    chrono::DateTime::parse_from_rfc3339(instant)
        .map(|at| domain::core::time::to_local(at.to_utc()).format("%m-%d %H:%M").to_string())
        .unwrap_or_default()
}

fn render_refusal(answer: &Value) -> String {
    format!("按规则拒绝：{}——{}", text_at(answer, "/title"), text_at(answer, "/detail"))
}

impl Story {
    fn find_unit(&self, code: &str) -> String {
        self.units
            .iter()
            .find(|(known, _)| known == code)
            .map(|(_, id)| id.clone())
            .unwrap_or_default()
    }

    fn find_units(&mut self) -> Done {
        say("\n—— 准备 / Before ——");
        for code in ["4202", "420202", "420202-CG", "420202-SW", "420202-SC", "420202-HB"] {
            let call = get("jiedao", "list_areas", format!("/api/v1/areas?code={code}"));
            let answer = self.driver.run_step(call, |a| text_at(a, "/items/0/name"))?;
            self.units.push((code.to_owned(), text_at(&answer, "/items/0/id")));
        }
        let path = format!("/api/v1/areas/{}", self.find_unit("420202"));
        self.driver.run_step(get("jiedao", "get_area", path), |_| String::new())?;
        let me = self.driver.run_step(get("wangge-1", "get_me", "/api/v1/me".to_owned()), |a| {
            format!("{}，{}", text_at(a, "/grants/0/role_label"), text_at(a, "/grants/0/area/name"))
        })?;
        self.units.push(("@grid".to_owned(), text_at(&me, "/grants/0/area/id")));
        let call = get("wangge-1", "list_categories", "/api/v1/categories".to_owned());
        self.driver.run_step(call, |a| format!("{} 个分类", items_at(a, "/items").len()))?;
        Ok(())
    }

    fn submit_report(&mut self, by: &str, index: usize, extra: &Value) -> Done<Value> {
        let reports = seed::reports();
        let report = reports.get(index).ok_or_else(|| Failed(format!("no report {index}")))?;
        let mut body = json!({
            "title": report.title, "text": report.text, "category": report.category,
            "urgency": report.urgency.name(),
            "place": {
                "point": { "lng": report.lng, "lat": report.lat, "coord_type": "wgs84" },
                "address": report.address,
            },
        });
        if let (Some(body), Some(extra)) = (body.as_object_mut(), extra.as_object()) {
            body.extend(extra.clone());
        }
        let mut call = post(by, "submit_report", "/api/v1/reports".to_owned(), body);
        call.expect = 201;
        self.driver.run_step(call, |a| {
            format!(
                "{} {}（{}）{}",
                text_at(a, "/number"),
                text_at(a, "/title"),
                text_at(a, "/place/area/name"),
                text_at(a, "/status_label")
            )
        })
    }

    /// Makes both reports, files one and joins the other; answers the case.
    fn report_and_file(&mut self) -> Done<String> {
        say("\n—— 一、上报与受理 / Report and intake ——");
        let first = self.submit_report("wangge-1", 0, &json!({}))?;
        let second = self.submit_report("jumin", 1, &json!({ "confidential": true }))?;
        self.submit_report("wangge-1", 0, &json!({
            "title": "沿街散落共享单车", "text": "沿街有共享单车倒伏占道", "category": "C01", "urgency": "normal",
            "handled": { "result": "已当场扶正摆放整齐" },
        }))?;
        let todos = get("shequ", "list_todos", "/api/v1/me/todos?limit=5".to_owned());
        self.driver.run_step(todos, |a| {
            format!(
                "待办 {} 件，最早 {} 前{}",
                items_at(a, "/items").len(),
                format_instant(&text_at(a, "/items/0/term/due_at")),
                text_at(a, "/items/0/duty_label")
            )
        })?;
        let id = text_at(&first, "/id");
        let file = post("shequ", "file_report", format!("/api/v1/reports/{id}/file"), json!({}));
        let filed = self.driver.run_step(file, |a| text_at(a, "/status_label"))?;
        let case = text_at(&filed, "/case_id");
        let other = text_at(&second, "/id");
        let similar =
            get("shequ", "list_similar_cases", format!("/api/v1/reports/{other}/similar"));
        self.driver.run_step(similar, |a| {
            format!(
                "疑似重复：{}，相距 {} 米",
                text_at(a, "/items/0/case/number"),
                a.pointer("/items/0/distance_m").unwrap_or(&Value::Null)
            )
        })?;
        let join = post(
            "shequ",
            "join_report",
            format!("/api/v1/reports/{other}/join"),
            json!({ "case_id": case }),
        );
        self.driver.run_step(join, |a| {
            format!("{}：两位上报人都将得到结果", text_at(a, "/status_label"))
        })?;
        let third = self.submit_report("jumin", 0, &json!({
            "title": "与邻居的借款纠纷已起诉", "text": "与邻居的借款纠纷，法院已受理，请社区出面", "category": null, "urgency": "normal",
        }))?;
        let path = format!("/api/v1/reports/{}/refuse", text_at(&third, "/id"));
        let body = json!({ "reason": "已进入诉讼程序，请通过法院途径解决", "redirect": "court" });
        self.driver.run_step(post("shequ", "refuse_report", path, body), |a| {
            format!("{}，正确渠道：{}", text_at(a, "/status_label"), text_at(a, "/redirect_label"))
        })?;
        Ok(case)
    }

    /// A step of one summoned department; shows the state afterwards.
    fn step_summons(
        &mut self,
        by: &str,
        operation: &str,
        case: &str,
        unit: &str,
        asked: (&str, Value),
    ) -> Done<Value> {
        let (verb, body) = asked;
        let path = format!("/api/v1/cases/{case}/summonses/{unit}/{verb}");
        self.driver.run_step(post(by, operation, path, body), |answer| {
            let summonses = answer.pointer("/whistle/summonses").and_then(Value::as_array);
            let own = summonses.into_iter().flatten().find(|s| text_at(s, "/unit/id") == unit);
            let own = own.map(|s| {
                let lead = s.get("lead").and_then(Value::as_bool).unwrap_or(false);
                let role = if lead { "主办" } else { "协办" };
                format!("{}（{role}）{}", text_at(s, "/unit/name"), text_at(s, "/step_label"))
            });
            format!("{}，案卷{}", own.unwrap_or_default(), text_at(answer, "/stage_label"))
        })
    }

    fn step_case(
        &mut self,
        by: &str,
        operation: &str,
        case: &str,
        verb: &str,
        body: Value,
    ) -> Done<Value> {
        let path = format!("/api/v1/cases/{case}/{verb}");
        self.driver.run_step(post(by, operation, path, body), render_stage)
    }

    /// A step that a rule refuses, to show the problem.
    fn expect_refusal(&mut self, by: &str, case: &str, verb: &str, body: Value) -> Done<Value> {
        let mut call = post(by, "", format!("/api/v1/cases/{case}/{verb}"), body);
        call.expect = 422;
        self.driver.run_step(call, render_refusal)
    }

    fn blow_and_answer(&mut self, case: &str) -> Done {
        say("\n—— 二、上呈、退单、吹哨 / Escalate, return, whistle ——");
        self.step_case(
            "shequ",
            "escalate_case",
            case,
            "escalate",
            json!({ "reason": "社区没有执法权，需街道协调" }),
        )?;
        let community = self
            .driver
            .run_step(get("jiedao", "", format!("/api/v1/cases/{case}")), |_| String::new())?;
        let community = self.parent_of(&text_at(&community, "/place/area/id"))?;
        self.step_case(
            "jiedao",
            "dispatch_case",
            case,
            "dispatch",
            json!({ "unit_id": community, "note": "请社区先行协调" }),
        )?;
        self.step_case("shequ", "sign_case", case, "sign", json!({}))?;
        self.step_case(
            "shequ",
            "return_case",
            case,
            "return",
            json!({
                "reason": "涉及油烟净化与排水管网，社区无法处置",
                "proposed_unit_id": self.find_unit("420202-CG"),
            }),
        )?;
        self.expect_refusal(
            "jiedao",
            case,
            "dispatch",
            json!({ "unit_id": self.find_unit("420202-CG") }),
        )?;
        let (lead, water, market) =
            (self.find_unit("420202-CG"), self.find_unit("420202-SW"), self.find_unit("420202-SC"));
        let body = json!({
            "topic": "joint_enforcement", "reason": "餐饮油烟、污水外溢涉及多部门执法权限",
            "lead_unit_id": lead, "cooperating_unit_ids": [water, market],
        });
        self.step_case("lingdao", "blow_whistle", case, "whistle", body)?;
        say("\n—— 三、部门报到 / Departments report in ——");
        let departments = [("chengguan", lead), ("shuiwu", water), ("shijian", market)];
        for (by, unit) in &departments {
            let contact = json!({ "note": "已电话联系街道" });
            self.step_summons(by, "sign_summons", case, unit, ("sign", json!({})))?;
            self.step_summons(by, "contact_summons", case, unit, ("contact", contact))?;
            let report = seed::reports().into_iter().next();
            let point =
                report.map(|r| json!({ "lng": r.lng, "lat": r.lat, "coord_type": "wgs84" }));
            let arrive = json!({ "point": point, "note": "已到现场" });
            self.step_summons(by, "arrive_summons", case, unit, ("arrive", arrive))?;
        }
        let done = json!({ "result": "已责令商户清洗净化器、加装隔油池，疏通管网并复查" });
        let answer = |unit: &str| format!("summonses/{unit}/feedback");
        let [(lead_by, lead), others @ ..] = &departments;
        self.expect_refusal(lead_by, case, &answer(lead), done.clone())?;
        for (by, unit) in others {
            let asked = ("feedback", done.clone());
            self.step_summons(by, "feed_back_summons", case, unit, asked)?;
        }
        let again = ("feedback", done.clone());
        self.step_summons(lead_by, "feed_back_summons", case, lead, again)?;
        let back = ("send_back", json!({ "reason": "一户商户尚未整改" }));
        self.step_summons("lingdao", "send_back_summons", case, lead, back)?;
        self.step_summons(lead_by, "feed_back_summons", case, lead, ("feedback", done))?;
        for (_, unit) in &departments {
            let release = ("release", json!({}));
            self.step_summons("lingdao", "release_summons", case, unit, release)?;
        }
        for (_, unit) in &departments {
            let body = json!({ "response": 5, "quality": 4, "comment": "响应及时" });
            self.step_summons("lingdao", "rate_summons", case, unit, ("rate", body))?;
        }
        Ok(())
    }

    fn parent_of(&mut self, area: &str) -> Done<String> {
        let call = get("jiedao", "", format!("/api/v1/areas/{area}"));
        Ok(text_at(&self.driver.run_step(call, |_| String::new())?, "/parent_id"))
    }

    fn verify_and_close(&mut self, case: &str) -> Done {
        say("\n—— 四、核查、回访、结案 / Verify, call back, close ——");
        let claimed = |a: &Value| format!("{}领取核查，他人不再前往", text_at(a, "/claim/by"));
        let path = format!("/api/v1/cases/{case}/claim");
        self.driver.run_step(post("wangge-2", "claim_case", path.clone(), json!({})), claimed)?;
        let back = format!("/api/v1/cases/{case}/unclaim");
        let free = |_: &Value| "一时不能到场，退回现场任务，他人可领取".to_owned();
        self.driver.run_step(post("wangge-2", "unclaim_case", back, json!({})), free)?;
        self.driver.run_step(post("wangge-2", "claim_case", path, json!({})), claimed)?;
        self.step_case(
            "wangge-2",
            "verify_case",
            case,
            "verify",
            json!({ "passed": true, "note": "现场油烟、污水已消除" }),
        )?;
        let body = json!({ "reached": true, "solved": true, "satisfied": "satisfied", "comment": "解决得很快" });
        self.step_case("jumin", "call_back_case", case, "callback", body)?;
        let key = crate::app::clock::new_id().to_string();
        for told in ["", "断网重发，同一个键：没有办第二次"] {
            let path = format!("/api/v1/cases/{case}/close");
            let mut call = post("jiedao", "close_case", path, json!({ "note": "三项答复齐全" }));
            call.key = Some(key.clone());
            self.driver.run_step(call, |a| {
                if told.is_empty() { render_stage(a) } else { told.to_owned() }
            })?;
        }
        for by in ["wangge-1", "jumin"] {
            let mine = get(by, "list_reports", "/api/v1/reports?mine=true&limit=100".to_owned());
            let mine = self
                .driver
                .run_step(mine, |a| format!("我的上报 {} 件", items_at(a, "/items").len()))?;
            let items = items_at(&mine, "/items");
            let own = items.iter().find(|report| text_at(report, "/case_id") == case);
            let path =
                format!("/api/v1/reports/{}", own.map(|r| text_at(r, "/id")).unwrap_or_default());
            self.driver.run_step(get(by, "get_report", path), |a| {
                format!(
                    "上报人得知：{} {}",
                    text_at(a, "/case/stage_label"),
                    text_at(a, "/case/closing/outcome_label")
                )
            })?;
        }
        Ok(())
    }

    /// Shows the case file at the end: its timeline, and who met which obligation.
    fn show_case_file(&mut self, case: &str) -> Done {
        say("\n—— 五、案卷 / The case file ——");
        let call = get("jiedao", "get_case", format!("/api/v1/cases/{case}"));
        self.driver.run_step(call, render_stage)?;
        let call = get("jiedao", "get_case_timeline", format!("/api/v1/cases/{case}/timeline"));
        let timeline = self.driver.run_step(call, |a| {
            format!(
                "记录链完整：{}",
                if a.get("intact") == Some(&json!(true)) { "是" } else { "否" }
            )
        })?;
        for entry in items_at(&timeline, "/items") {
            say(&format!(
                "       {:>2} {} {} {}",
                entry.get("seq").unwrap_or(&Value::Null).to_string(),
                format_instant(&text_at(entry, "/at")),
                text_at(entry, "/by"),
                text_at(entry, "/label")
            ));
        }
        let call =
            get("jiedao", "list_case_obligations", format!("/api/v1/cases/{case}/obligations"));
        let owed = self.driver.run_step(call, |_| String::new())?;
        for one in items_at(&owed, "/items") {
            say(&format!(
                "       {} {}：{}前，{}",
                text_at(one, "/unit_name"),
                text_at(one, "/duty_label"),
                format_instant(&text_at(one, "/term/due_at")),
                text_at(one, "/outcome")
            ));
        }
        Ok(())
    }

    /// A second way: escalated to the district, dispatched to a department, returned once.
    fn tell_second_way(&mut self) -> Done {
        say("\n—— 六、另一条路：区级派遣 / The other way: dispatched by the district ——");
        let report = self.submit_report("wangge-1", 0, &json!({
            "title": "路灯多日不亮", "text": "巷口路灯连续三天不亮，晚上老人出行不便", "category": "B01", "urgency": "urgent",
        }))?;
        let path = format!("/api/v1/reports/{}/file", text_at(&report, "/id"));
        let filed = self.driver.run_step(post("shequ", "file_report", path, json!({})), |a| {
            text_at(a, "/status_label")
        })?;
        let case = text_at(&filed, "/case_id");
        self.step_case(
            "shequ",
            "escalate_case",
            &case,
            "escalate",
            json!({ "reason": "非社区管护" }),
        )?;
        self.step_case(
            "jiedao",
            "escalate_case",
            &case,
            "escalate",
            json!({ "reason": "权属在区城管局" }),
        )?;
        self.step_case(
            "quji",
            "dispatch_case",
            &case,
            "dispatch",
            json!({ "unit_id": self.find_unit("420202-CG") }),
        )?;
        self.step_case("chengguan", "sign_case", &case, "sign", json!({}))?;
        self.step_case("chengguan", "start_case", &case, "start", json!({}))?;
        self.step_case(
            "chengguan",
            "comment_case",
            &case,
            "comment",
            json!({ "text": "已安排抢修班组" }),
        )?;
        self.step_case(
            "chengguan",
            "feed_back_case",
            &case,
            "feedback",
            json!({ "result": "已更换灯头" }),
        )?;
        self.step_case(
            "wangge-2",
            "verify_case",
            &case,
            "verify",
            json!({ "passed": false, "note": "现场仍有一盏不亮" }),
        )?;
        self.step_case(
            "chengguan",
            "feed_back_case",
            &case,
            "feedback",
            json!({ "result": "两盏均已更换" }),
        )?;
        self.step_case("wangge-2", "verify_case", &case, "verify", json!({ "passed": true }))?;
        self.step_case("rexian", "call_back_case", &case, "callback", json!({ "reached": false }))?;
        let body = json!({ "reached": true, "solved": true, "satisfied": "fairly_satisfied" });
        self.step_case("rexian", "call_back_case", &case, "callback", body)?;
        self.step_case("quji", "close_case", &case, "close", json!({}))?;
        self.step_case(
            "rexian",
            "reopen_case",
            &case,
            "reopen",
            json!({ "reason": "居民来电，又不亮了" }),
        )?;
        Ok(())
    }

    /// The rest of the sixty reports, so that the desks have something to do.
    fn submit_rest(&mut self) -> Done {
        let reports = seed::reports();
        say(&format!(
            "\n—— 七、其余 {} 件上报 / The other reports ——",
            reports.len().saturating_sub(2)
        ));
        for (index, report) in reports.iter().enumerate().skip(2) {
            let by = match report.channel {
                seed::Channel::Worker => "xuncha",
                seed::Channel::Resident => "jumin",
            };
            self.submit_report(by, index, &json!({}))?;
        }
        Ok(())
    }

    fn show_desks(&mut self) -> Done {
        say("\n—— 八、看板 / Desks ——");
        for (by, path) in [
            ("jiedao", "/api/v1/cases?open=true&limit=5"),
            ("quji", "/api/v1/cases?limit=5"),
            ("chengguan", "/api/v1/cases?limit=5"),
        ] {
            self.driver.run_step(get(by, "list_cases", path.to_owned()), |a| {
                format!("{} 件", items_at(a, "/items").len())
            })?;
        }
        let locate = "/api/v1/areas/locate?lng=115.0701&lat=30.2105&coord_type=wgs84";
        self.driver
            .run_step(get("wangge-1", "locate_area", locate.to_owned()), |a| text_at(a, "/name"))?;
        let newest = get("xuncha", "list_reports", "/api/v1/reports?limit=1".to_owned());
        let newest = self.driver.run_step(newest, |_| String::new())?;
        let path = format!("/api/v1/reports/{}/timeline", text_at(&newest, "/items/0/id"));
        self.driver.run_step(get("xuncha", "get_report_timeline", path), |_| String::new())?;
        for path in ["/healthz", "/readyz"] {
            let operation = if path == "/healthz" { "get_health" } else { "get_readiness" };
            self.driver.run_step(get("", operation, path.to_owned()), |a| text_at(a, "/status"))?;
        }
        Ok(())
    }
}
