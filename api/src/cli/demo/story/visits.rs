//! Visits in the demonstration: six households, a form that is prefilled, a campaign from door to
//! door, a need that becomes a report, and the burden of all of it on the worker.

use serde_json::{Value, json};

use super::{
    super::{
        driver::{Call, items_at, text_at},
        say,
    },
    Done, Story, get, post,
};

/// A step that creates something.
fn post_new<'a>(by: &'a str, operation: &'a str, path: &str, body: Value) -> Call<'a> {
    let mut call = post(by, operation, format!("/api/v1/{path}"), body);
    call.expect = 201;
    call
}

fn post_to<'a>(by: &'a str, operation: &'a str, path: &str, body: Value) -> Call<'a> {
    post(by, operation, format!("/api/v1/{path}"), body)
}

fn get_from<'a>(by: &'a str, operation: &'a str, path: &str) -> Call<'a> {
    get(by, operation, format!("/api/v1/{path}"))
}

fn say_nothing(_: &Value) -> String {
    String::new()
}

/// The number at a JSON pointer, as text.
fn number_at(answer: &Value, pointer: &str) -> String {
    answer.pointer(pointer).unwrap_or(&Value::Null).to_string()
}

/// A body with one more member.
fn with_member(mut body: Value, name: &str, value: Value) -> Value {
    if let Some(members) = body.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
    body
}

/// The form of the campaign: two of five fields are required, once.
fn build_form() -> Value {
    json!({
        "type": "object", "title": "冬季取暖安全排查表",
        "x-order": ["grid", "building", "head", "heating", "alarm"],
        "required": ["grid", "building", "head", "heating", "alarm"],
        "properties": {
            "grid": { "type": "string", "title": "所属网格", "x-source": "grid" },
            "building": { "type": "string", "title": "楼栋", "x-source": "building" },
            "head": { "type": "string", "title": "户主", "x-source": "head_name" },
            "heating": { "type": "string", "title": "取暖方式", "enum": ["煤", "电", "燃气", "集中供暖"] },
            "alarm": { "type": "boolean", "title": "是否安装报警器" },
        },
    })
}

impl Story {
    /// From registering households to the burden of their worker.
    pub(super) fn tell_visits(&mut self) -> Done {
        say("\n—— 入户走访与敲门行动 / Visits and a campaign ——");
        let me = self.driver.fetch_json("wangge-1", "/api/v1/me")?;
        let (grid, worker) = (text_at(&me, "/grants/0/area/id"), text_at(&me, "/id"));
        let homes = self.register_households(&grid)?;
        let Some((first, rest)) = homes.split_first() else { return Ok(()) };
        self.tell_household(first, &worker)?;
        self.tell_planned_visits(first)?;
        let form = self.tell_form(first)?;
        let campaign = self.tell_campaign(&form, &homes)?;
        self.visit_doors(&campaign, first, rest)?;
        self.tell_counts(&campaign, &grid)?;
        self.tell_endings(&campaign, &form, rest)
    }

    /// Six households of the grid: one by itself, five at once.
    fn register_households(&mut self, grid: &str) -> Done<Vec<String>> {
        let body = json!({
            "area_id": grid, "building": "3栋", "size": 1, "group": { "code": "S01" },
            "room": { "unit": "2单元", "floor": "3层", "room": "301" },
            "members": [{
                "name": "周奶奶", "phone": "13800001234", "relation": "户主", "groups": ["elderly_alone"],
            }],
        });
        let first = post_new("wangge-1", "register_household", "households", body);
        let first = self.driver.run_step(first, |a| {
            format!("{} {}，姓名加密保存", text_at(a, "/number"), text_at(a, "/members/0/name"))
        })?;
        let home = |no: usize| {
            json!({
                "area_id": grid, "building": "3栋", "group": { "code": "S01" },
                "members": [{ "name": format!("户主{no}"), "relation": "户主" }],
            })
        };
        let items: Vec<Value> = (2..=6).map(home).collect();
        let body = json!({ "items": items });
        let many = post_to("wangge-1", "import_households", "household_imports", body);
        let many = self.driver.run_step(many, |a| {
            format!("批量登记 {} 户，逐户返回结果", number_at(a, "/registered"))
        })?;
        let mut homes = vec![text_at(&first, "/id")];
        homes.extend(items_at(&many, "/items").iter().map(|item| text_at(item, "/id")));
        Ok(homes)
    }

    /// One household: updated, paired, disclosed on the record.
    fn tell_household(&mut self, home: &str, worker: &str) -> Done {
        let path = |verb: &str| format!("households/{home}{verb}");
        let update = json!({ "size": 2 });
        self.driver.run_step(
            post_to("wangge-1", "update_household", &path("/update"), update),
            say_nothing,
        )?;
        let pair = json!({ "person_id": worker, "kind": "worker" });
        self.driver.run_step(post_to("wangge-1", "pair_household", &path("/pair"), pair), |a| {
            format!("{}：{}", text_at(a, "/pairings/0/kind_label"), text_at(a, "/pairings/0/name"))
        })?;
        self.driver.run_step(get_from("shequ", "get_household", &path("")), |a| {
            format!("社区看到的是脱敏值 {}", text_at(a, "/members/0/phone"))
        })?;
        let seeing =
            json!({ "fields": ["phone", "room"], "purpose": "visit", "reason": "上门前联系" });
        let seen = post_new("wangge-1", "disclose_household", &path("/disclosures"), seeing);
        self.driver
            .run_step(seen, |a| format!("明文查看留痕：{}", text_at(a, "/members/0/phone")))?;
        self.driver.run_step(
            get_from("wangge-1", "list_households", "households?mine=true"),
            say_nothing,
        )?;
        self.driver.run_step(
            get_from("wangge-1", "get_household_timeline", &path("/timeline")),
            say_nothing,
        )?;
        Ok(())
    }

    /// Planned visits: recorded, corrected, cancelled.
    fn tell_planned_visits(&mut self, home: &str) -> Done {
        let plan = || json!({ "household_id": home, "purposes": ["assistance"] });
        let first = post_new("shequ", "plan_visit", "visits/plan", plan());
        let first = self.driver.run_step(first, |a| text_at(a, "/status_label"))?;
        let path = format!("visits/{}", text_at(&first, "/id"));
        let went = json!({ "outcome": "nobody_home" });
        let record = post_to("wangge-1", "record_visit", &format!("{path}/record"), went);
        self.driver.run_step(record, |a| text_at(a, "/outcome_label"))?;
        let right = json!({ "outcome": "met", "opinions": "希望加装电梯", "reason": "选错了结果" });
        let correct = post_to("wangge-1", "correct_visit", &format!("{path}/correct"), right);
        self.driver
            .run_step(correct, |a| format!("更正为{}，原记录保留", text_at(a, "/outcome_label")))?;
        self.driver.run_step(get_from("wangge-1", "get_visit", &path), say_nothing)?;
        let timeline = format!("{path}/timeline");
        self.driver.run_step(get_from("wangge-1", "get_visit_timeline", &timeline), say_nothing)?;
        let second =
            self.driver.run_step(post_new("shequ", "", "visits/plan", plan()), say_nothing)?;
        let cancel = format!("visits/{}/cancel", text_at(&second, "/id"));
        let why = json!({ "reason": "已电话联系，无需上门" });
        self.driver.run_step(post_to("wangge-1", "cancel_visit", &cancel, why), say_nothing)?;
        Ok(())
    }

    /// A form: published, prefilled, answered with the missing fields.
    fn tell_form(&mut self, home: &str) -> Done<String> {
        let body = json!({ "code": "winter_safety", "schema": build_form(), "note": "列入区级报表准入清单" });
        let form = post_new("admin", "publish_form", "forms", body);
        let form = self.driver.run_step(form, |a| {
            format!("{} 个字段，{} 个自动带出", number_at(a, "/fields"), number_at(a, "/prefilled"))
        })?;
        let id = text_at(&form, "/id");
        self.driver.run_step(get_from("wangge-1", "list_forms", "forms"), say_nothing)?;
        self.driver
            .run_step(get_from("wangge-1", "get_form", &format!("forms/{id}")), say_nothing)?;
        let path = format!("households/{home}/forms/{id}");
        self.driver.run_step(get_from("wangge-1", "get_household_form", &path), |a| {
            format!("已知内容带出，只需填写：{}", number_at(a, "/missing"))
        })?;
        let body = json!({ "changes": { "heating": "电", "alarm": true } });
        self.driver.run_step(post_to("wangge-1", "answer_household_form", &path, body), |a| {
            let (typed, reused) = (number_at(a, "/counts/typed"), number_at(a, "/counts/reused"));
            format!("填写 {typed} 项，带出 {reused} 项")
        })?;
        let answers = format!("households/{home}/answers");
        self.driver
            .run_step(get_from("wangge-1", "list_household_answers", &answers), say_nothing)?;
        Ok(id)
    }

    /// A campaign over all six.
    fn tell_campaign(&mut self, form: &str, homes: &[String]) -> Done<String> {
        let community = self.driver.fetch_json("shequ", "/api/v1/me")?;
        let until = self.time.now() + chrono::Duration::days(7);
        let body = json!({
            "name": "冬季取暖安全敲门行动", "purpose": "check", "form_id": form,
            "area_id": text_at(&community, "/grants/0/area/id"), "until": until,
        });
        let campaign = post_new("shequ", "begin_campaign", "campaigns", body);
        let campaign = self.driver.run_step(campaign, |a| text_at(a, "/number"))?;
        let id = text_at(&campaign, "/id");
        let path = |verb: &str| format!("campaigns/{id}{verb}");
        let task = |home: &String| json!({ "household_id": home });
        let all: Vec<Value> = homes.iter().map(task).collect();
        let body = json!({ "households": all });
        self.driver.run_step(post_to("shequ", "assign_campaign", &path("/assign"), body), |a| {
            format!("{} 户", number_at(a, "/households"))
        })?;
        let publish = post_to("shequ", "publish_campaign", &path("/publish"), json!({}));
        self.driver.run_step(publish, |a| text_at(a, "/status_label"))?;
        self.driver.run_step(get_from("wangge-1", "list_campaigns", "campaigns"), say_nothing)?;
        self.driver.run_step(get_from("wangge-1", "get_campaign", &path("")), say_nothing)?;
        let mine = path("/households?mine=true&limit=2");
        self.driver
            .run_step(get_from("wangge-1", "list_campaign_households", &mine), say_nothing)?;
        Ok(id)
    }

    /// From door to door: known answers of the first need not be given, and one need is found.
    fn visit_doors(&mut self, campaign: &str, first: &str, rest: &[String]) -> Done {
        let go = |home: &str, outcome: &str| json!({ "campaign_id": campaign, "household_id": home, "outcome": outcome });
        let need = json!({ "text": "楼道灯不亮，老人夜里下楼不安全", "category": "A02" });
        let body = with_member(go(first, "met"), "needs", json!([need]));
        let visit = post_new("wangge-1", "submit_visit", "visits", body);
        let visit = self.driver.run_step(visit, |a| {
            let typed = number_at(a, "/form/counts/typed");
            format!(
                "表单填写 {typed} 项：内容已知；发现的需求转为上报 {} 件",
                items_at(a, "/need_ids").len()
            )
        })?;
        let report = format!("reports/{}", text_at(&visit, "/need_ids/0"));
        self.driver.run_step(get_from("shequ", "", &report), |a| {
            format!("{} {}", text_at(a, "/number"), text_at(a, "/status_label"))
        })?;
        for (home, outcome) in rest.iter().zip(["met", "met", "nobody_home", "refused", "met"]) {
            let form = json!({ "changes": { "heating": "燃气", "alarm": false } });
            let met = outcome == "met";
            let body = go(home, outcome);
            let body = if met { with_member(body, "form", form) } else { body };
            self.driver.run_step(post_new("wangge-2", "", "visits", body), |a| {
                text_at(a, "/outcome_label")
            })?;
        }
        self.driver.run_step(get_from("wangge-1", "list_visits", "visits?limit=2"), say_nothing)?;
        Ok(())
    }

    /// The counts of the campaign, and the burden of its worker.
    fn tell_counts(&mut self, campaign: &str, grid: &str) -> Done {
        let path = format!("campaigns/{campaign}/progress");
        self.driver.run_step(get_from("shequ", "get_campaign_progress", &path), |a| {
            format!(
                "{}：{} 户，已入户 {}，家中无人 {}，拒访 {}，未走访 {}",
                text_at(a, "/items/0/name"),
                number_at(a, "/items/0/households"),
                number_at(a, "/items/0/met"),
                number_at(a, "/items/0/nobody_home"),
                number_at(a, "/items/0/refused"),
                number_at(a, "/items/0/open"),
            )
        })?;
        let burden = format!("stats/burden?within={grid}");
        self.driver.run_step(get_from("shequ", "get_burden", &burden), |a| {
            let told = |one: &Value| {
                format!(
                    "{}：填报 {} 次，填写 {} 项，自动带出 {} 项，重复 {} 项，照片 {} 张",
                    text_at(one, "/name"),
                    number_at(one, "/entries"),
                    number_at(one, "/typed"),
                    number_at(one, "/reused"),
                    number_at(one, "/repeated"),
                    number_at(one, "/photos"),
                )
            };
            let all: Vec<String> = items_at(a, "/items").iter().map(told).collect();
            all.join("\n     ")
        })?;
        let switches = get_from("jumin", "list_switches", "public/switches?tenant=4202");
        self.driver.run_step(switches, |a| {
            let on = items_at(a, "/items").iter().filter(|one| one["on"] == true).count();
            format!("打卡、里程、排名：开启 {on} 项")
        })?;
        let mut ranked = get_from("shequ", "", "stats/burden?order=entries");
        ranked.expect = 422;
        self.driver.run_step(ranked, super::render_refusal)?;
        Ok(())
    }

    /// How things end: the campaign, the form, households that go.
    fn tell_endings(&mut self, campaign: &str, form: &str, rest: &[String]) -> Done {
        let close = format!("campaigns/{campaign}/close");
        let note = json!({ "note": "全部走访完毕" });
        self.driver.run_step(post_to("shequ", "close_campaign", &close, note), |a| {
            text_at(a, "/status_label")
        })?;
        let withdraw = format!("forms/{form}/withdraw");
        let why = json!({ "reason": "本季排查结束" });
        self.driver.run_step(post_to("admin", "withdraw_form", &withdraw, why), say_nothing)?;
        let Some(home) = rest.first() else { return Ok(()) };
        let path = |verb: &str| format!("households/{home}/{verb}");
        let paired = self.driver.fetch_json("shequ", "/api/v1/me")?;
        let pair = json!({ "person_id": text_at(&paired, "/id"), "kind": "cadre" });
        self.driver.run_step(post_to("shequ", "", &path("pair"), pair.clone()), say_nothing)?;
        self.driver
            .run_step(post_to("shequ", "unpair_household", &path("unpair"), pair), say_nothing)?;
        let nothing = json!({});
        self.driver.run_step(
            post_to("shequ", "leave_household", &path("leave"), nothing.clone()),
            |a| text_at(a, "/standing_label"),
        )?;
        self.driver.run_step(
            post_to("shequ", "return_household", &path("return"), nothing),
            say_nothing,
        )?;
        let why = json!({ "reason": "户主申请删除家庭信息" });
        self.driver.run_step(post_to("shequ", "erase_household", &path("erasure"), why), |a| {
            format!("{}：密钥已销毁", text_at(a, "/standing_label"))
        })?;
        Ok(())
    }
}
