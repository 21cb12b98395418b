//! The events of cases.

use chrono::Duration;
use serde_json::{Value, json};

use super::{HARD, RANK, Story};
use crate::harness::seed;

impl Story<'_> {
    /// Makes a request to superiors, and has each of them answer.
    fn ask_and_sign(
        &self,
        (by, case): (&str, &str),
        verb: &str,
        body: &Value,
        signers: &[&str],
        agree: bool,
    ) {
        self.on(by, case, verb, body);
        for signer in signers {
            let no = self.city.get_case("district", case)["requests"][0]["no"].clone();
            let verb = format!("requests/{no}/decide");
            self.on(signer, case, &verb, &json!({ "agree": agree, "note": "?" }));
        }
    }

    /// The events of a case that is handled, from its filing to its reopening.
    pub(super) fn handle_case(&self) {
        let city = self.city;
        let case = self.escalate_case();
        for by in ["resident", "neighbour", "community"] {
            self.on(by, &case, "comment", &json!({ "text": "?" }));
        }
        self.dispatch_case(&case);
        let proposed = city.area_id(seed::CG);
        let body = json!({ "reason": "?", "proposed_unit_id": proposed });
        self.on("community", &case, "return", &body);
        self.dispatch_case(&case);
        self.on("community", &case, "sign", &json!({}));
        let more = json!({ "amount": 2, "unit": "working_day", "reason": "?" });
        let community = ("community", case.as_str());
        self.ask_and_sign(community, "extend", &more, &["leader"], false);
        self.ask_and_sign(community, "extend", &more, &["leader"], true);
        let pause = json!({ "until": city.now() + Duration::days(10), "reason": "?" });
        self.ask_and_sign(community, "suspend", &pause, &["leader", "district"], true);
        self.on("community", &case, "resume", &json!({ "reason": "?" }));
        let unit = city.area_id(seed::COMMUNITY);
        let order =
            json!({ "kind": "supervise", "trigger": "order", "unit_id": unit, "reason": "?" });
        let shown = self.on("leader", &case, "supervise", &order);
        let reply = format!("supervisions/{}/reply", shown["supervisions"][0]["no"]);
        self.on("community", &case, &reply, &json!({ "text": "?" }));
        self.on("community", &case, "start", &json!({}));
        self.verify_case(&case, false);
        self.verify_case(&case, true);
        // The neighbour answers for the own report, then the resident is asked: not solved.
        let answer = |solved: bool| {
            let satisfied = if solved { "satisfied" } else { "dissatisfied" };
            json!({ "reached": true, "solved": solved, "satisfied": satisfied, "comment": "?" })
        };
        self.on("neighbour", &case, "callback", &answer(true));
        self.on("hotline", &case, "callback", &answer(false));
        self.verify_case(&case, true);
        self.on("hotline", &case, "callback", &answer(true));
        self.on("dispatcher", &case, "close", &json!({ "note": "?" }));
        self.on("dispatcher", &case, "reopen", &json!({ "reason": "?" }));
        // A breach is appealed against.
        let case = self.escalate_case();
        self.dispatch_case(&case);
        city.advance(Duration::hours(2));
        self.on("community", &case, "sign", &json!({}));
        let appeal = json!({ "breach": 1, "reason": "?" });
        self.ask_and_sign(("community", &case), "appeal", &appeal, &["leader"], true);
    }

    /// Fed back and verified on the spot.
    pub(super) fn verify_case(&self, case: &str, passed: bool) {
        self.on("community", case, "feedback", &json!({ "result": "?" }));
        self.on("verifier", case, "claim", &json!({}));
        self.on("verifier", case, "verify", &json!({ "passed": passed, "note": "?" }));
    }

    pub(super) fn blow_whistles(&self) {
        let (case, rank) = (self.escalate_case(), RANK);
        self.on("leader", &case, "whistle", &self.whistle_body(rank));
        self.on("leader", &case, "raise", &json!({ "reason": "?" }));
        self.on("district", &case, "coordinate", &json!({ "note": "?" }));
        let said = |upheld: bool| json!({ "upheld": upheld, "reason": "?" });
        self.summons("water", &case, seed::SW, "contest", &json!({ "reason": "?" }));
        self.summons("district", &case, seed::SW, "rule", &said(false));
        self.summons("lead", &case, seed::CG, "contest", &json!({ "reason": "?" }));
        self.summons("district", &case, seed::CG, "rule", &said(true));
        self.summons("lead", &case, seed::CG, "sign", &json!({}));
        self.summons("lead", &case, seed::CG, "contact", &json!({ "note": "?" }));
        self.summons("lead", &case, seed::CG, "arrive", &json!({ "note": "?" }));
        self.summons("lead", &case, seed::CG, "feedback", &json!({ "result": "?" }));
        self.summons("leader", &case, seed::CG, "send_back", &json!({ "reason": "?" }));
        self.summons("lead", &case, seed::CG, "feedback", &json!({ "result": "?" }));
        self.summons("leader", &case, seed::CG, "release", &json!({}));
        let rating = json!({ "response": 5, "quality": 5, "comment": "?" });
        self.summons("leader", &case, seed::CG, "rate", &rating);
        self.summons("lead", &case, seed::CG, "rate_street", &rating);
        // A request is withdrawn.
        let case = self.escalate_case();
        self.on("leader", &case, "whistle", &self.whistle_body(rank));
        self.on("leader", &case, "call_off", &json!({ "reason": "?" }));
        // The lead is replaced.
        let case = self.escalate_case();
        self.on("leader", &case, "whistle", &self.whistle_body(rank));
        self.summons("lead", &case, seed::CG, "contest", &json!({ "reason": "?" }));
        let mut other = said(false);
        other["replacement_unit_id"] = json!(self.city.area_id(seed::SC));
        self.summons("district", &case, seed::CG, "rule", &other);
        // A whistle that needs signatures.
        let case = self.escalate_case();
        self.on("dispatcher", &case, "whistle", &self.whistle_body(HARD));
    }

    /// Disputes about the unit and about the end of a case.
    pub(super) fn settle_disputes(&self) {
        let (case, unit) = (self.escalate_case(), self.city.area_id(seed::COMMUNITY));
        for _ in 0..3 {
            self.dispatch_case(&case);
            let body = json!({ "reason": "?", "proposed_unit_id": self.city.area_id(seed::CG) });
            self.on("community", &case, "return", &body);
        }
        self.on("district", &case, "arbitrate", &json!({ "unit_id": unit, "reason": "?" }));
        let case = self.sign_case();
        for again in [true, false] {
            let mut stage = Value::Null;
            while stage != "disputed" && stage != "ruling" {
                self.verify_case(&case, false);
                stage = self.city.get_case("district", &case)["stage"].clone();
                assert_ne!(stage, "closed");
            }
            self.on("district", &case, "rule", &json!({ "again": again, "reason": "?" }));
        }
    }
}
