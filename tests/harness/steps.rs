//! Steps that many stories begin with, named after where they lead.

use serde_json::{Value, json};

use super::{Answer, Site, seed, text};

/// A report at a place of the map.
pub(crate) fn report_at(lng: f64, lat: f64) -> Value {
    json!({
        "text": "餐馆油烟直排，下水道外溢",
        "category": "A02",
        "place": { "point": { "lng": lng, "lat": lat, "coord_type": "wgs84" } },
    })
}

impl Site {
    /// A person who was just registered logs in and chooses a password of their own; the access
    /// token they have then.
    #[track_caller]
    pub(crate) fn settled(&self, account: &str) -> String {
        const OWN: &str = "a passphrase of my own";
        let login = |password: &str| {
            let body = json!({ "tenant": seed::CITY, "account": account, "password": password });
            let tokens = self.by("").post("/api/v1/auth/login", &body).done();
            text(&tokens, "/access_token")
        };
        let token = format!("Bearer {}", login(seed::PASSWORD));
        let body = json!({ "old_password": seed::PASSWORD, "password": OWN });
        let call = self.by("").call("POST", "/api/v1/me/password");
        call.header("Authorization", &token).json(&body).send().done();
        login(OWN)
    }

    /// A step of a case.
    #[track_caller]
    pub(crate) fn ask(&self, by: &str, case: &str, verb: &str, body: &Value) -> Answer {
        self.by(by).post(&format!("/api/v1/cases/{case}/{verb}"), body)
    }

    /// A step of a case that is done; answers the case.
    #[track_caller]
    pub(crate) fn on(&self, by: &str, case: &str, verb: &str, body: &Value) -> Value {
        self.ask(by, case, verb, body).done()
    }

    /// A step of a summons.
    #[track_caller]
    pub(crate) fn summons(
        &self,
        by: &str,
        case: &str,
        unit: &str,
        verb: &str,
        body: &Value,
    ) -> Answer {
        self.ask(by, case, &format!("summonses/{}/{verb}", self.area(unit)), body)
    }

    /// A case as this person sees it.
    #[track_caller]
    pub(crate) fn case(&self, by: &str, case: &str) -> Value {
        self.by(by).get(&format!("/api/v1/cases/{case}")).done()
    }

    /// A resident's report in the grid; its identity.
    #[track_caller]
    pub(crate) fn received(&self) -> String {
        self.received_from("resident")
    }

    /// A report by this person in the grid; its identity.
    #[track_caller]
    pub(crate) fn received_from(&self, by: &str) -> String {
        text(&self.by(by).post("/api/v1/reports", &report_at(110.005, 30.005)).done(), "/id")
    }

    /// A case held by the community.
    #[track_caller]
    pub(crate) fn filed(&self) -> String {
        self.filed_from(&self.received())
    }

    /// The case of a report.
    #[track_caller]
    pub(crate) fn filed_from(&self, report: &str) -> String {
        let path = format!("/api/v1/reports/{report}/file");
        text(&self.by("community").post(&path, &json!({})).done(), "/case_id")
    }

    /// A case held by the street.
    #[track_caller]
    pub(crate) fn at_street(&self) -> String {
        let case = self.filed();
        self.on("community", &case, "escalate", &json!({ "reason": "社区没有执法权" }));
        case
    }

    /// A case the street dispatched to the community.
    #[track_caller]
    pub(crate) fn dispatched(&self) -> String {
        let case = self.at_street();
        let unit = json!({ "unit_id": self.area(seed::COMMUNITY) });
        self.on("dispatcher", &case, "dispatch", &unit);
        case
    }

    /// The same, signed.
    #[track_caller]
    pub(crate) fn signed(&self) -> String {
        let case = self.dispatched();
        self.on("community", &case, "sign", &json!({}));
        case
    }

    /// Why the community gives a case back, and whose it is instead.
    pub(crate) fn not_ours(&self) -> Value {
        json!({ "reason": "涉及管网，社区无法处置", "proposed_unit_id": self.area(seed::CG) })
    }

    /// The same, done as the community says.
    #[track_caller]
    pub(crate) fn fed_back(&self) -> String {
        let case = self.signed();
        self.on("community", &case, "feedback", &json!({ "result": "已清理" }));
        case
    }

    /// The same, verified.
    #[track_caller]
    pub(crate) fn verified(&self) -> String {
        let case = self.fed_back();
        self.on("verifier", &case, "verify", &json!({ "passed": true }));
        case
    }

    /// The same, solved as the resident says.
    #[track_caller]
    pub(crate) fn called_back(&self) -> String {
        let case = self.verified();
        self.on("hotline", &case, "callback", &solved());
        case
    }

    /// The same, closed.
    #[track_caller]
    pub(crate) fn closed(&self) -> String {
        let case = self.called_back();
        self.on("dispatcher", &case, "close", &json!({}));
        case
    }

    /// A case on which the street summoned two departments, 城管 to lead.
    #[track_caller]
    pub(crate) fn whistled(&self) -> String {
        let case = self.at_street();
        self.on("leader", &case, "whistle", &self.call());
        case
    }

    /// What the street leader asks of them.
    pub(crate) fn call(&self) -> Value {
        json!({
            "topic": "joint_enforcement", "reason": "涉及多部门执法权限",
            "lead_unit_id": self.area(seed::CG), "cooperating_unit_ids": [self.area(seed::SW)],
        })
    }

    /// A summoned department does everything up to its feedback.
    #[track_caller]
    pub(crate) fn answers(&self, by: &str, case: &str, unit: &str) {
        let asked = [
            ("sign", json!({})),
            ("contact", json!({ "note": "已电话联系" })),
            ("arrive", json!({ "note": "已在楼道内" })),
            ("feedback", json!({ "result": "已整改" })),
        ];
        for (verb, body) in asked {
            self.summons(by, case, unit, verb, &body).done();
        }
    }
}

/// The password once more, as enrolling a second factor takes it.
pub(crate) fn proven() -> Value {
    json!({ "proof": { "password": super::seed::PASSWORD } })
}

/// The answer that lets a case close.
pub(crate) fn solved() -> Value {
    json!({ "reached": true, "solved": true, "satisfied": "satisfied" })
}
