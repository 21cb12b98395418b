//! Rules as documents, and a whistle under changed rules: verified before filing, contested,
//! coordinated, handled again too often, ruled upon. In the end the rules are as they were.

use serde_json::{Value, json};

use super::{
    super::{
        driver::{items_at, text_at},
        say,
    },
    Done, Story, get, post,
};

/// The responsibility list, as a city keeps it in a table.
const RESPONSIBILITIES: &str = "\
code,category,area,level,lead,cooperating,basis,owner,valid_from,valid_until
QZ-A02,A02,,district,CG,SW;SC,街道权责清单,区委编办,2020-01-01,
";

/// The admission list of communities.
const ADMISSIONS: &str = "\
code,kind,category,area,basis,valid_from,valid_until
ZR-D04,assist,D04,,社区协助事项清单,2020-01-01,
";

/// The documents that are changed and brought back.
const CHANGED: [&str; 4] = ["conduct", "deadlines", "responsibilities", "admissions"];

impl Story {
    pub(super) fn tell_rules(&mut self) -> Done {
        let before = self.change_rules()?;
        let case = self.tell_contest()?;
        self.tell_ruling(&case)?;
        say("\n—— 十七、恢复原规则 / The rules as they were ——");
        for (kind, document) in CHANGED.iter().zip(before) {
            self.publish_policy(kind, &document, "演示结束，恢复原规则")?;
        }
        Ok(())
    }

    fn publish_policy(&mut self, kind: &str, document: &Value, note: &str) -> Done {
        let body = json!({ "document": document, "note": note });
        let path = format!("/api/v1/policies/{kind}");
        self.driver.run_step(post("admin", "publish_policy", path, body), render_edition)?;
        Ok(())
    }

    fn import_policy(&mut self, kind: &str, body: Value) -> Done {
        let path = format!("/api/v1/policies/{kind}/import");
        self.driver.run_step(post("admin", "import_policy", path, body), render_edition)?;
        Ok(())
    }

    fn change_rules(&mut self) -> Done<Vec<Value>> {
        say("\n—— 十五、规则即数据 / Rules are data ——");
        let mut before = Vec::new();
        for kind in CHANGED {
            let call = get("admin", "get_policy", format!("/api/v1/policies/{kind}"));
            let shown = self.driver.run_step(call, render_edition)?;
            before.push(shown.get("document").cloned().unwrap_or_default());
        }
        let mut conduct = before.first().cloned().unwrap_or_default();
        if let Some(conduct) = conduct.as_object_mut() {
            conduct.insert("reworks".to_owned(), json!(1));
            conduct.insert("verify_before_filing".to_owned(), json!(true));
        }
        self.publish_policy("conduct", &conduct, "居民上报先核实；返工一次后仍不合格即终审")?;
        let body = json!({ "csv": RESPONSIBILITIES, "note": "按权责清单调整" });
        self.import_policy("responsibilities", body)?;
        let body = json!({ "csv": ADMISSIONS, "enforced": true, "note": "社区事项准入" });
        self.import_policy("admissions", body)?;
        let call = get("admin", "list_presets", "/api/v1/policies/deadlines/presets".to_owned());
        self.driver.run_step(call, |a| {
            let places = items_at(a, "/items").iter().map(|one| text_at(one, "/place"));
            places.collect::<Vec<_>>().join("、")
        })?;
        let body = json!({ "preset": "nanjing-gulou", "note": "参照南京鼓楼公开的时限" });
        self.import_policy("deadlines", body)?;
        Ok(before)
    }

    /// A resident's report is verified, filed and whistled for; a department contests.
    fn tell_contest(&mut self) -> Done<String> {
        say("\n—— 十六、核实、异议、协调、终审 / Looked at, contested, coordinated, ruled ——");
        let report = self.submit_report(
            "jumin",
            0,
            &json!({
                "title": "餐饮油烟又起", "text": "整改过的餐馆又直排油烟，污水外溢",
            }),
        )?;
        let path = format!("/api/v1/reports/{}/claim", text_at(&report, "/id"));
        let call = post("wangge-2", "claim_report", path, json!({}));
        self.driver.run_step(call, |a| format!("{}领取核实", text_at(a, "/claim/by")))?;
        let path = format!("/api/v1/reports/{}/unclaim", text_at(&report, "/id"));
        let call = post("wangge-2", "unclaim_report", path, json!({}));
        self.driver.run_step(call, |_| "退回现场任务，他人可领取".to_owned())?;
        let path = format!("/api/v1/reports/{}/confirm", text_at(&report, "/id"));
        let call =
            post("wangge-2", "confirm_report", path, json!({ "real": true, "note": "属实" }));
        self.driver.run_step(call, |a| format!("现场核实属实，{}", text_at(a, "/status_label")))?;
        let case = self.file_and_escalate(&report)?;
        self.tell_wrong_join(&case)?;
        let grid = text_at(&report, "/place/area/id");
        let path = "/api/v1/dispatch/preview".to_owned();
        let body = json!({ "area_id": grid, "category": "A02" });
        self.driver.run_step(post("jiedao", "preview_dispatch", path, body), |a| {
            let helpers = items_at(a, "/cooperating").iter().map(|unit| text_at(unit, "/name"));
            format!(
                "建议{}：主办 {}，协办 {}，依据 {}",
                text_at(a, "/way_label"),
                text_at(a, "/lead/name"),
                helpers.collect::<Vec<_>>().join("、"),
                text_at(a, "/rule")
            )
        })?;
        let community = self.parent_of(&grid)?;
        self.expect_refusal("jiedao", &case, "dispatch", json!({ "unit_id": community }))?;
        let (lead, water) = (self.find_unit("420202-CG"), self.find_unit("420202-SW"));
        let body = |rank: &str| {
            json!({
                "rank": rank, "topic": "joint_enforcement",
                "reason": "油烟污水反复，需执法与水务共同处置",
                "lead_unit_id": lead, "cooperating_unit_ids": [water],
            })
        };
        self.step_case("lingdao", "blow_whistle", &case, "whistle", body("urgent"))?;
        let reason = json!({ "reason": "不属应急事项，改吹工作推进哨" });
        self.step_case("lingdao", "call_off_whistle", &case, "call_off", reason)?;
        self.step_case("lingdao", "blow_whistle", &case, "whistle", body("advance"))?;
        let reason = json!({ "reason": "店内管道由产权人负责" });
        self.step_summons("shuiwu", "contest_summons", &case, &water, ("contest", reason.clone()))?;
        let ruled = json!({ "upheld": true, "reason": "外溢点在市政管网，由水务公司负责" });
        self.step_summons("quji", "rule_summons", &case, &water, ("rule", ruled))?;
        self.expect_refusal("shuiwu", &case, &format!("summonses/{water}/contest"), reason)?;
        let reason = json!({ "reason": "涉及管网改造资金，街道无法协调" });
        self.step_case("lingdao", "raise_whistle", &case, "raise", reason)?;
        let note = json!({ "note": "区级专班协调，改造资金由水务专项列支" });
        self.step_case("quji", "coordinate_whistle", &case, "coordinate", note)?;
        self.tell_resumption(&case)?;
        Ok(case)
    }

    /// A report about another matter is joined, and taken out again.
    fn tell_wrong_join(&mut self, case: &str) -> Done {
        let other = self.submit_report(
            "wangge-1",
            0,
            &json!({
                "title": "楼道堆放杂物", "text": "楼道堆放旧家具", "category": "A01",
            }),
        )?;
        let at = |verb: &str| format!("/api/v1/reports/{}/{verb}", text_at(&other, "/id"));
        let join = post("shequ", "join_report", at("join"), json!({ "case_id": case }));
        self.driver.run_step(join, |a| text_at(a, "/status_label"))?;
        let unjoin = post("shequ", "unjoin_report", at("unjoin"), json!({}));
        let told = |a: &Value| format!("并案有误，拆分后{}", text_at(a, "/status_label"));
        self.driver.run_step(unjoin, told)?;
        let body = json!({ "reason": "楼道杂物由物业服务企业清理", "redirect": "beyond_duty" });
        let refuse = post("shequ", "refuse_report", at("refuse"), body);
        self.driver.run_step(refuse, |a| text_at(a, "/status_label"))?;
        Ok(())
    }

    /// The case stands still, and is resumed before its time.
    fn tell_resumption(&mut self, case: &str) -> Done {
        let until = self.time.now() + chrono::Duration::days(10);
        let body = json!({ "until": until, "reason": "等待管材到货" });
        let asked = self.step_case_with(
            "chengguan",
            "suspend_case",
            (case, "suspend", body),
            super::render_stage,
        )?;
        let no = Self::last_request_number(&asked);
        self.sign_request("lingdao", case, no)?;
        self.sign_request("quji", case, no)?;
        let reason = json!({ "reason": "管材提前到货" });
        self.step_case("chengguan", "resume_case", case, "resume", reason)?;
        Ok(())
    }

    /// Handled, handled again, and ruled upon.
    fn tell_ruling(&mut self, case: &str) -> Done {
        let (lead, water) = (self.find_unit("420202-CG"), self.find_unit("420202-SW"));
        let done = || json!({ "result": "已清洗净化器、疏通管网" });
        for (by, unit) in [("shuiwu", &water), ("chengguan", &lead)] {
            self.step_summons(by, "sign_summons", case, unit, ("sign", json!({})))?;
            let arrive = json!({ "note": "现场无定位信号，已与街道会合" });
            self.step_summons(by, "arrive_summons", case, unit, ("arrive", arrive))?;
            self.step_summons(by, "feed_back_summons", case, unit, ("feedback", done()))?;
        }
        for unit in [&water, &lead] {
            self.step_summons("lingdao", "release_summons", case, unit, ("release", json!({})))?;
        }
        let view = json!({ "response": 4, "quality": 4, "comment": "街道现场组织有序" });
        self.step_summons("shuiwu", "rate_street", case, &water, ("rate_street", view))?;
        let failed = || json!({ "passed": false, "note": "晚高峰仍有油烟" });
        self.step_case("wangge-2", "verify_case", case, "verify", failed())?;
        self.step_summons("chengguan", "feed_back_summons", case, &lead, ("feedback", done()))?;
        self.step_summons("lingdao", "release_summons", case, &lead, ("release", json!({})))?;
        self.step_case("wangge-2", "verify_case", case, "verify", failed())?;
        let body = json!({ "again": false, "reason": "商户已立案处罚并停业整顿，本案终结" });
        self.step_case("quji", "rule_case", case, "rule", body)?;
        Ok(())
    }
}

/// The edition in force of a document, and its note.
fn render_edition(answer: &Value) -> String {
    let edition = answer.get("edition").unwrap_or(&Value::Null);
    let (kind, note) = (text_at(answer, "/kind_label"), text_at(answer, "/note"));
    format!("{kind}第 {edition} 版{}{note}", if note.is_empty() { "" } else { "：" })
}
