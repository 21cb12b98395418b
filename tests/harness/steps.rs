//! Steps that many stories begin with, named after the state they lead to.

use serde_json::{Value, json};

use super::{Answer, Site, read_text, seed};

/// A report at a place of the map.
pub(crate) fn report_body_at(lng: f64, lat: f64) -> Value {
    json!({
        "text": "餐馆油烟直排，下水道外溢",
        "category": "A02",
        "place": { "point": { "lng": lng, "lat": lat, "coord_type": "wgs84" } },
    })
}

impl Site {
    /// Logs in a person who was just registered and chooses a new password; answers the access
    /// token.
    #[track_caller]
    pub(crate) fn log_in_newcomer(&self, account: &str) -> String {
        const OWN: &str = "a passphrase of my own";
        let login = |password: &str| {
            let body = json!({ "tenant": seed::CITY, "account": account, "password": password });
            let tokens = self.client("").post("/api/v1/auth/login", &body).expect_success();
            read_text(&tokens, "/access_token")
        };
        let token = format!("Bearer {}", login(seed::PASSWORD));
        let body = json!({ "old_password": seed::PASSWORD, "password": OWN });
        let call = self.client("").call("POST", "/api/v1/me/password");
        call.header("Authorization", &token).json(&body).send().expect_success();
        login(OWN)
    }

    /// A step of a case.
    #[track_caller]
    pub(crate) fn post_step(&self, by: &str, case: &str, verb: &str, body: &Value) -> Answer {
        self.client(by).post(&format!("/api/v1/cases/{case}/{verb}"), body)
    }

    /// A step of a case that is done; answers the case.
    #[track_caller]
    pub(crate) fn take_step(&self, by: &str, case: &str, verb: &str, body: &Value) -> Value {
        self.post_step(by, case, verb, body).expect_success()
    }

    /// A step of a summons.
    #[track_caller]
    pub(crate) fn post_summons_step(
        &self,
        by: &str,
        case: &str,
        unit: &str,
        verb: &str,
        body: &Value,
    ) -> Answer {
        self.post_step(by, case, &format!("summonses/{}/{verb}", self.area_id(unit)), body)
    }

    /// A case as this person sees it.
    #[track_caller]
    pub(crate) fn get_case(&self, by: &str, case: &str) -> Value {
        self.client(by).get(&format!("/api/v1/cases/{case}")).expect_success()
    }

    /// A resident's report in the grid; its identity.
    #[track_caller]
    pub(crate) fn submit_report(&self) -> String {
        self.submit_report_as("resident")
    }

    /// A report by this person in the grid; its identity.
    #[track_caller]
    pub(crate) fn submit_report_as(&self, by: &str) -> String {
        read_text(
            &self
                .client(by)
                .post("/api/v1/reports", &report_body_at(110.005, 30.005))
                .expect_success(),
            "/id",
        )
    }

    /// A case held by the community.
    #[track_caller]
    pub(crate) fn new_filed_case(&self) -> String {
        self.file_report(&self.submit_report())
    }

    /// The case of a report.
    #[track_caller]
    pub(crate) fn file_report(&self, report: &str) -> String {
        let path = format!("/api/v1/reports/{report}/file");
        read_text(&self.client("community").post(&path, &json!({})).expect_success(), "/case_id")
    }

    /// A case held by the street.
    #[track_caller]
    pub(crate) fn new_street_case(&self) -> String {
        let case = self.new_filed_case();
        self.take_step("community", &case, "escalate", &json!({ "reason": "社区没有执法权" }));
        case
    }

    /// A case the street dispatched to the community.
    #[track_caller]
    pub(crate) fn new_dispatched_case(&self) -> String {
        let case = self.new_street_case();
        let unit = json!({ "unit_id": self.area_id(seed::COMMUNITY) });
        self.take_step("dispatcher", &case, "dispatch", &unit);
        case
    }

    /// The same, signed.
    #[track_caller]
    pub(crate) fn new_signed_case(&self) -> String {
        let case = self.new_dispatched_case();
        self.take_step("community", &case, "sign", &json!({}));
        case
    }

    /// The body of a return: why the community returns a case, and the unit it belongs to.
    pub(crate) fn not_ours(&self) -> Value {
        json!({ "reason": "涉及管网，社区无法处置", "proposed_unit_id": self.area_id(seed::CG) })
    }

    /// The same, fed back by the community.
    #[track_caller]
    pub(crate) fn new_feedback_case(&self) -> String {
        let case = self.new_signed_case();
        self.take_step("community", &case, "feedback", &json!({ "result": "已清理" }));
        case
    }

    /// The same, verified.
    #[track_caller]
    pub(crate) fn new_verified_case(&self) -> String {
        let case = self.new_feedback_case();
        self.take_step("verifier", &case, "verify", &json!({ "passed": true }));
        case
    }

    /// The same, solved as the resident says.
    #[track_caller]
    pub(crate) fn new_callback_case(&self) -> String {
        let case = self.new_verified_case();
        self.take_step("hotline", &case, "callback", &callback_body());
        case
    }

    /// The same, closed.
    #[track_caller]
    pub(crate) fn new_closed_case(&self) -> String {
        let case = self.new_callback_case();
        self.take_step("dispatcher", &case, "close", &json!({}));
        case
    }

    /// A case on which the street summoned two departments, 城管 to lead.
    #[track_caller]
    pub(crate) fn new_whistled_case(&self) -> String {
        let case = self.new_street_case();
        self.take_step("leader", &case, "whistle", &self.whistle_body());
        case
    }

    /// What the street leader asks of them.
    pub(crate) fn whistle_body(&self) -> Value {
        json!({
            "topic": "joint_enforcement", "reason": "涉及多部门执法权限",
            "lead_unit_id": self.area_id(seed::CG), "cooperating_unit_ids": [self.area_id(seed::SW)],
        })
    }

    /// A summoned department does everything up to its feedback.
    #[track_caller]
    pub(crate) fn answer_summons(&self, by: &str, case: &str, unit: &str) {
        let asked = [
            ("sign", json!({})),
            ("contact", json!({ "note": "已电话联系" })),
            ("arrive", json!({ "note": "已在楼道内" })),
            ("feedback", json!({ "result": "已整改" })),
        ];
        for (verb, body) in asked {
            self.post_summons_step(by, case, unit, verb, &body).expect_success();
        }
    }
}

/// The password once more, as enrolling a second factor takes it.
pub(crate) fn password_proof() -> Value {
    json!({ "proof": { "password": super::seed::PASSWORD } })
}

/// The answer that lets a case close.
pub(crate) fn callback_body() -> Value {
    json!({ "reached": true, "solved": true, "satisfied": "satisfied" })
}
