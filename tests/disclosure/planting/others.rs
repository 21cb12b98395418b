//! The events of all other flows, and those of the system.

use actix_web::rt::System;
use api::integrations::scheduler;
use chrono::{Datelike, Duration};
use serde_json::{Value, json};

use super::Story;
use crate::harness::{read_text, seed};

impl Story<'_> {
    pub(super) fn make_reports(&self) {
        let refused = self.report_matter("resident");
        let refusal = json!({ "reason": "?", "redirect": "petition" });
        self.post("community", &format!("reports/{refused}/refuse"), &refusal);
        let rule = json!({ "document": { "verify_before_filing": true }, "note": "?" });
        self.post("admin", "policies/conduct", &rule);
        let looked_at = self.report_matter("resident");
        self.post("worker", &format!("reports/{looked_at}/claim"), &json!({}));
        let seen = json!({ "real": true, "note": "?" });
        self.post("worker", &format!("reports/{looked_at}/confirm"), &seen);
        let rule = json!({ "document": {}, "note": "?" });
        self.post("admin", "policies/conduct", &rule);
        let unjoined = self.report_matter("resident");
        let body = json!({ "case_id": self.open_joined_case() });
        self.post("community", &format!("reports/{unjoined}/join"), &body);
        self.post("community", &format!("reports/{unjoined}/unjoin"), &json!({}));
        for how in ["confidential", "anonymous"] {
            let mut body = json!({
                "title": "?", "text": "?", "category": "A02",
                "place": { "address": "?", "point": { "lng": 110.005, "lat": 30.005, "coord_type": "wgs84" } },
            });
            body[how] = json!(true);
            self.post("resident", "reports", &body);
        }
        // Handled on the spot.
        let mut body = json!({
            "title": "?", "text": "?", "category": "A02", "handled": { "result": "?" },
            "place": { "address": "?", "point": { "lng": 110.005, "lat": 30.005, "coord_type": "wgs84" } },
        });
        body["channel"] = Value::Null;
        self.post("worker", "reports", &body);
        let list =
            self.city.client("dispatcher").get("/api/v1/content_reviews?limit=2").expect_success();
        for (one, pass) in list["items"].as_array().unwrap().iter().zip([true, false]) {
            let path = format!("content_reviews/{}/decide", read_text(one, "/id"));
            self.post("dispatcher", &path, &json!({ "pass": pass, "note": "?" }));
        }
    }

    pub(super) fn walk_patrols(&self) {
        let city = self.city;
        let (grid, now) = (city.area_id(seed::GRID), city.now());
        let point = json!({ "lng": 110.005, "lat": 30.005, "coord_type": "wgs84" });
        let itinerary = json!({ "checkpoints": [{ "name": "?", "point": point }] });
        let planned = || {
            let window = json!({ "from": now, "until": now + Duration::hours(2) });
            let body = json!({
                "area_id": grid, "purpose": "safety", "window": window, "itinerary": itinerary,
            });
            self.make("grid_leader", "patrols", &body)
        };
        let cancelled = planned();
        self.post("grid_leader", &format!("patrols/{cancelled}/cancel"), &json!({ "reason": "?" }));
        let walked = planned();
        self.post("grid_leader", &format!("patrols/{walked}/note"), &json!({ "text": "?" }));
        self.post("worker", &format!("patrols/{walked}/start"), &json!({ "late_reason": "?" }));
        let over = json!({ "late_reason": "?", "note": "?" });
        self.post("worker", &format!("patrols/{walked}/finish"), &over);
        let body = json!({
            "area_id": grid, "purpose": "visit", "until": now - Duration::hours(40),
            "client_time": now - Duration::hours(48), "late_reason": "?",
        });
        self.post("worker", "patrols/begin", &body);
        let content = json!({
            "name": "?", "purpose": "routine", "recurrence": { "on": "daily" }, "at": "09:00:00",
            "window_minutes": 60, "from": now.date_naive(), "until": null, "itinerary": itinerary,
        });
        let body = json!({ "area_id": grid, "content": content });
        let plan = self.make("grid_leader", "patrol_plans", &body);
        let body = json!({ "content": content });
        self.post("grid_leader", &format!("patrol_plans/{plan}/amend"), &body);
        self.post("grid_leader", &format!("patrol_plans/{plan}/retire"), &json!({ "reason": "?" }));
    }

    fn register_household(&self) -> String {
        let body = json!({
            "area_id": self.city.area_id(seed::GRID), "building": "?",
            "group": { "code": "?", "name": "?" },
        });
        self.make("worker", "households", &body)
    }

    pub(super) fn visit_households(&self) {
        let household = self.register_household();
        let update = json!({
            "area_id": self.city.area_id(seed::GRID), "building": "?",
            "group": { "code": "?", "name": "?" },
        });
        self.post("worker", &format!("households/{household}/update"), &update);
        let went = json!({
            "household_id": household, "purposes": ["opinions"], "outcome": "met", "opinions": "?",
            "needs": [{ "title": "?", "text": "?", "category": "A02", "address": "?" }],
        });
        let visit = self.make("worker", "visits", &went);
        let otherwise = json!({ "outcome": "met", "opinions": "?", "reason": "?" });
        self.post("worker", &format!("visits/{visit}/correct"), &otherwise);
        let plan = json!({ "household_id": household, "purposes": ["check"] });
        let planned = self.make("worker", "visits/plan", &plan);
        let record = json!({ "outcome": "met", "opinions": "?" });
        self.post("worker", &format!("visits/{planned}/record"), &record);
        let planned = self.make("worker", "visits/plan", &plan);
        self.post("worker", &format!("visits/{planned}/cancel"), &json!({ "reason": "?" }));
        let erased = self.register_household();
        self.post("worker", &format!("households/{erased}/erasure"), &json!({ "reason": "?" }));
    }

    pub(super) fn run_campaign(&self) {
        let home = self.register_household();
        let body = json!({
            "name": "?", "text": "?", "purpose": "check",
            "area_id": self.city.area_id(seed::COMMUNITY), "until": self.city.now() + Duration::days(7),
        });
        let campaign = self.make("community", "campaigns", &body);
        let path = |verb: &str| format!("campaigns/{campaign}/{verb}");
        let listed = json!({ "households": [{ "household_id": home }] });
        self.post("community", &path("assign"), &listed);
        self.post("community", &path("publish"), &json!({}));
        self.post("community", &path("close"), &json!({ "note": "?" }));
    }

    pub(super) fn publish_form(&self) {
        let properties = json!({ "note": { "type": "string", "title": "?" } });
        let schema = json!({ "type": "object", "title": "?", "properties": properties });
        let form =
            self.make("admin", "forms", &json!({ "code": "?", "schema": schema, "note": "?" }));
        self.post("admin", &format!("forms/{form}/withdraw"), &json!({ "reason": "?" }));
    }

    pub(super) fn manage_people(&self) {
        let grid = self.city.area_id(seed::GRID);
        let grant = || json!({ "role": "hotline", "area_id": grid, "post": "?" });
        let register = || {
            let body = json!({
                "account": "?", "name": "?", "password": seed::PASSWORD, "grants": [grant()],
            });
            self.make("admin", "people", &body)
        };
        let (one, other) = (register(), register());
        let on = |id: &str, verb: &str, body: Value| {
            self.post("admin", &format!("people/{id}/{verb}"), &body);
        };
        on(&one, "rename", json!({ "name": "?" }));
        on(&one, "grant", grant());
        let mut over = json!({ "role": "hotline", "area_id": grid, "reason": "?" });
        over["to_person_id"] = json!(other);
        on(&one, "hand_over", over);
        on(&one, "suspend", json!({ "reason": "?" }));
        on(&one, "reinstate", json!({}));
        on(&other, "leave", json!({ "reason": "?", "to_person_id": one }));
        self.post("worker", "me/shift/start", &json!({ "area_id": grid }));
    }

    pub(super) fn change_areas(&self) {
        let area = json!({ "code": "990101001900001", "name": "?" });
        let parent = self.city.area_id(seed::COMMUNITY);
        let body = json!({ "kind": "grid", "parent_id": parent, "area": area });
        self.post("admin", "areas", &body);
        let source = self.plant_word(Some("name of an imported file"));
        let file = format!("code,name,level,parent_code\n990101009,新街道,4,{}\n", seed::DISTRICT);
        let path = format!("/api/v1/area_imports?what=areas&source={source}");
        let call = self.city.client("admin").call("POST", &path).header("Content-Type", "text/csv");
        let import = call.bytes(file.into_bytes()).send().expect_success();
        assert_eq!(import["status"], "done", "{import}");
    }

    /// Events without a command of a person: calls that reach no one, samples, clocks that run out
    /// or are recomputed.
    pub(super) fn let_clocks_run(&self) {
        let city = self.city;
        let case = self.sign_case();
        self.verify_case(&case, true);
        for _ in 0..3 {
            self.on("hotline", &case, "callback", &json!({ "reached": false }));
        }
        let rule = json!({ "document": { "callback": { "percent": 0 } }, "note": "?" });
        self.post("admin", "policies/conduct", &rule);
        let case = self.sign_case();
        self.verify_case(&case, true);
        // A calendar without years makes provisional deadlines; they move when a year is published.
        let mut calendar = self.read_document("calendar");
        calendar["years"] = json!({});
        self.post("admin", "policies/calendar", &json!({ "document": calendar, "note": "?" }));
        city.submit_report();
        self.sign_case();
        let year = |year: i32| {
            let day = json!({ "name": "元旦", "date": format!("{year}-01-01"), "isOffDay": true });
            json!({ "year": year, "papers": [], "days": [day] })
        };
        let now = city.now().year();
        let body = json!({ "years": [year(now), year(now + 1)], "note": "?" });
        self.post("admin", "policies/calendar/holidays", &body);
        for days in [0, 3, 14] {
            city.advance(Duration::days(days));
            self.keep_logins();
            let app = city.app.clone();
            let passes =
                async move { while scheduler::run_pass(&app).await.expect("it can look") > 0 {} };
            System::new().block_on(passes);
        }
    }
}
