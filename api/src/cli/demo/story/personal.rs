//! People's data in the demonstration: masked, seen whole on the record, copied, erased.

use serde_json::{Value, json};

use super::{
    super::{
        city::City,
        driver::{Call, text},
        say,
    },
    Done, Story, get, post,
};

/// A step that makes something.
fn made<'a>(by: &'a str, operation: &'a str, path: String, body: Value) -> Call<'a> {
    let mut call = post(by, operation, path, body);
    call.expect = 201;
    call
}

impl Story {
    /// What is kept of people, and what they may ask for.
    pub(super) fn personal(&mut self, city: &City) -> Done {
        say("\n—— 个人信息 / People's data ——");
        let quiet = |_: &Value| String::new();
        let notice = get("jumin", "get_privacy_notice", "/api/v1/privacy?tenant=4202".to_owned());
        let version = text(&self.driver.step(notice, |a| text(a, "/title"))?, "/version");
        let body = json!({ "purpose": "notification", "given": true, "version": version });
        let consent = made("jumin", "answer_consent", "/api/v1/me/consents".to_owned(), body);
        self.driver.step(consent, |_| "已同意消息通知".to_owned())?;
        let me = text(&self.driver.look("jumin", "/api/v1/me")?, "/id");
        let contact = format!("/api/v1/people/{me}/contact");
        let body = json!({
            "name": "张阿姨", "phone": "13800005678", "address": "黄石港区胜阳港街道 1 号",
        });
        self.driver.step(post("jumin", "", contact.clone(), body.clone()), quiet)?;
        self.driver
            .step(post("admin", "set_contact", contact.clone(), body), |a| text(a, "/phone"))?;
        self.driver.step(get("admin", "get_contact", contact), |a| text(a, "/name"))?;
        let body = json!({ "phone": "13800005678" });
        let search = post("admin", "search_contacts", "/api/v1/contacts/search".to_owned(), body);
        self.driver.step(search, quiet)?;
        self.disclosures(&me)?;
        for (by, operation, path) in [
            ("jumin", "list_consents", "me/consents"),
            ("jumin", "list_my_disclosures", "me/disclosures"),
            ("jumin", "get_my_export", "me/export"),
            ("shenji", "list_disclosures", "disclosures?limit=3"),
            ("shenji", "list_audit", "audit?limit=3"),
            ("shenji", "get_retention", "retention"),
            ("shenji", "get_checkpoint", "checkpoint"),
        ] {
            self.driver.step(get(by, operation, format!("/api/v1/{path}")), quiet)?;
        }
        self.erasures(city)
    }

    fn disclosures(&mut self, person: &str) -> Done {
        let seeing = |fields: Value| json!({ "fields": fields, "purpose": "callback", "reason": "回访核实是否解决" });
        let path = format!("/api/v1/people/{person}/disclosures");
        let whole = made("admin", "disclose_person", path, seeing(json!(["phone"])));
        self.driver.step(whole, |a| text(a, "/contact/phone"))?;
        let mine = self.driver.look("jumin", "/api/v1/reports?mine=true&limit=1")?;
        let report = text(&mine, "/items/0/id");
        let path = format!("/api/v1/reports/{report}/reporter/disclosures");
        let body = seeing(json!(["name", "phone"]));
        let whole = made("rexian", "disclose_reporter", path, body);
        self.driver.step(whole, |a| text(a, "/contact/name"))?;
        Ok(())
    }

    /// Two residents who want to be forgotten.
    fn erasures(&mut self, city: &City) -> Done {
        let root = self.driver.look("admin", "/api/v1/me")?;
        let area = text(&root, "/grants/0/area/id");
        let register = |account: &str| {
            let body = json!({
                "account": account, "name": "某居民", "password": city.password,
                "grants": [{ "role": "resident", "area_id": area }],
            });
            made("admin", "", "/api/v1/people".to_owned(), body)
        };
        let first = text(&self.driver.step(register("jumin-2"), |_| String::new())?, "/id");
        let path = format!("/api/v1/people/{first}/erasure");
        let body = json!({ "reason": "本人书面申请" });
        self.driver.step(post("admin", "erase_person", path, body), |_| "密钥已销毁".to_owned())?;
        self.driver.step(register("jumin-3"), |_| String::new())?;
        self.settle("jumin-3", city)?;
        let body = json!({ "reason": "本人申请注销账号" });
        let erase = post("jumin-3", "erase_me", "/api/v1/me/erasure".to_owned(), body);
        self.driver.step(erase, |_| "密钥已销毁".to_owned())?;
        Ok(())
    }

    /// Whether a case is as it was written.
    pub(super) fn verified(&mut self, case: &str) -> Done {
        let path = format!("/api/v1/cases/{case}/verification");
        let check = get("lingdao", "get_case_verification", path);
        self.driver.step(check, |_| "逐条核对无误".to_owned())?;
        Ok(())
    }
}
