//! People's data in the demonstration: masked, disclosed on the record, copied, erased.

use serde_json::{Value, json};

use super::{
    super::{
        city::City,
        driver::{Call, text_at},
        say,
    },
    Done, Story, get, post,
};

/// A step that creates something.
fn post_new<'a>(by: &'a str, operation: &'a str, path: String, body: Value) -> Call<'a> {
    let mut call = post(by, operation, path, body);
    call.expect = 201;
    call
}

impl Story {
    /// Shows which personal data is stored, and which requests people can make.
    pub(super) fn tell_personal_data(&mut self, city: &City) -> Done {
        say("\n—— 个人信息 / People's data ——");
        let quiet = |_: &Value| String::new();
        let notice = get("jumin", "get_privacy_notice", "/api/v1/privacy?tenant=4202".to_owned());
        let version = text_at(&self.driver.run_step(notice, |a| text_at(a, "/title"))?, "/version");
        let body = json!({ "purpose": "notification", "given": true, "version": version });
        let consent = post_new("jumin", "answer_consent", "/api/v1/me/consents".to_owned(), body);
        self.driver.run_step(consent, |_| "已同意消息通知".to_owned())?;
        let me = text_at(&self.driver.fetch_json("jumin", "/api/v1/me")?, "/id");
        let contact = format!("/api/v1/people/{me}/contact");
        let body = json!({
            "name": "张阿姨", "phone": "13800005678", "address": "黄石港区胜阳港街道 1 号",
        });
        self.driver.run_step(post("jumin", "", contact.clone(), body.clone()), quiet)?;
        self.driver.run_step(post("admin", "set_contact", contact.clone(), body), |a| {
            text_at(a, "/phone")
        })?;
        self.driver.run_step(get("admin", "get_contact", contact), |a| text_at(a, "/name"))?;
        let body = json!({ "phone": "13800005678" });
        let search = post("admin", "search_contacts", "/api/v1/contacts/search".to_owned(), body);
        self.driver.run_step(search, quiet)?;
        self.tell_disclosures(&me)?;
        for (by, operation, path) in [
            ("jumin", "list_consents", "me/consents"),
            ("jumin", "list_my_disclosures", "me/disclosures"),
            ("jumin", "get_my_export", "me/export"),
            ("shenji", "list_disclosures", "disclosures?limit=3"),
            ("shenji", "list_audit", "audit?limit=3"),
            ("shenji", "get_retention", "retention"),
            ("shenji", "get_checkpoint", "checkpoint"),
        ] {
            self.driver.run_step(get(by, operation, format!("/api/v1/{path}")), quiet)?;
        }
        self.tell_erasures(city)
    }

    fn tell_disclosures(&mut self, person: &str) -> Done {
        let seeing = |fields: Value| json!({ "fields": fields, "purpose": "callback", "reason": "回访核实是否解决" });
        let path = format!("/api/v1/people/{person}/disclosures");
        let whole = post_new("admin", "disclose_person", path, seeing(json!(["phone"])));
        self.driver.run_step(whole, |a| text_at(a, "/contact/phone"))?;
        let mine = self.driver.fetch_json("jumin", "/api/v1/reports?mine=true&limit=1")?;
        let report = text_at(&mine, "/items/0/id");
        let path = format!("/api/v1/reports/{report}/reporter/disclosures");
        let body = seeing(json!(["name", "phone"]));
        let whole = post_new("rexian", "disclose_reporter", path, body);
        self.driver.run_step(whole, |a| text_at(a, "/contact/name"))?;
        Ok(())
    }

    /// Erases two residents.
    fn tell_erasures(&mut self, city: &City) -> Done {
        let root = self.driver.fetch_json("admin", "/api/v1/me")?;
        let area = text_at(&root, "/grants/0/area/id");
        let register = |account: &str| {
            let body = json!({
                "account": account, "name": "某居民", "password": city.password,
                "grants": [{ "role": "resident", "area_id": area }],
            });
            post_new("admin", "", "/api/v1/people".to_owned(), body)
        };
        let first = text_at(&self.driver.run_step(register("jumin-2"), |_| String::new())?, "/id");
        let path = format!("/api/v1/people/{first}/erasure");
        let body = json!({ "reason": "本人书面申请" });
        self.driver
            .run_step(post("admin", "erase_person", path, body), |_| "密钥已销毁".to_owned())?;
        self.driver.run_step(register("jumin-3"), |_| String::new())?;
        self.settle_account("jumin-3", city)?;
        let body = json!({ "reason": "本人申请注销账号" });
        let erase = post("jumin-3", "erase_me", "/api/v1/me/erasure".to_owned(), body);
        self.driver.run_step(erase, |_| "密钥已销毁".to_owned())?;
        Ok(())
    }

    /// Verifies the chain of a case.
    pub(super) fn verify_case(&mut self, case: &str) -> Done {
        let path = format!("/api/v1/cases/{case}/verification");
        let check = get("lingdao", "get_case_verification", path);
        self.driver.run_step(check, |_| "逐条核对无误".to_owned())?;
        Ok(())
    }
}
