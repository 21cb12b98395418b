//! A story in which every text that a person can say, and every name, is a word of its own.

mod cases;
mod others;

use std::cell::RefCell;

use chrono::Duration;
use serde_json::{Value, json};

use crate::harness::{City, read_text, seed};

/// What stands in a body in the place of a word to be planted.
const BLANK: &str = "?";

/// A city in which words are planted.
pub(crate) struct Story<'c> {
    pub(super) city: &'c City,
    planted: RefCell<Vec<Secret>>,
}

/// A word that stands for one text.
#[derive(Clone)]
pub(super) struct Secret {
    pub(super) word: String,
    /// A name for it, where the field it stands in does not give one.
    pub(super) what: Option<&'static str>,
}

/// Codes that the story plants and uses.
const RANK: &str = "rank of a whistle";
const HARD: &str = "rank of a whistle that needs signatures";
const TOPIC: &str = "topic of a whistle";

impl<'c> Story<'c> {
    pub(super) fn new(city: &'c City) -> Self {
        Self { city, planted: RefCell::default() }
    }

    pub(super) fn secrets(&self) -> Vec<Secret> {
        self.planted.borrow().clone()
    }

    fn plant_word(&self, what: Option<&'static str>) -> String {
        let mut planted = self.planted.borrow_mut();
        let word = format!("zq{:04}z", planted.len());
        planted.push(Secret { word: word.clone(), what });
        word
    }

    /// The same body with a word of its own in the place of every blank.
    fn fill_blanks(&self, body: &Value) -> Value {
        match body {
            Value::String(text) if text == BLANK => json!(self.plant_word(None)),
            Value::Array(items) => items.iter().map(|item| self.fill_blanks(item)).collect(),
            Value::Object(members) => members
                .iter()
                .map(|(name, value)| (name.clone(), self.fill_blanks(value)))
                .collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => body.clone(),
        }
    }

    #[track_caller]
    fn post(&self, by: &str, path: &str, body: &Value) -> Value {
        let path = format!("/api/v1/{path}");
        self.city.client(by).post(&path, &self.fill_blanks(body)).expect_success()
    }

    /// What is made, by its identity.
    #[track_caller]
    fn make(&self, by: &str, path: &str, body: &Value) -> String {
        read_text(&self.post(by, path, body), "/id")
    }

    #[track_caller]
    fn on(&self, by: &str, case: &str, verb: &str, body: &Value) -> Value {
        self.post(by, &format!("cases/{case}/{verb}"), body)
    }

    #[track_caller]
    fn summons(&self, by: &str, case: &str, unit: &str, verb: &str, body: &Value) {
        let unit = self.city.area_id(unit);
        self.on(by, case, &format!("summonses/{unit}/{verb}"), body);
    }

    fn person_id(&self, account: &str) -> String {
        self.city.client(account).id().to_string()
    }

    /// Plays the whole story, in an order in which later parts find what they need.
    pub(super) fn play(&self) {
        self.name_everybody();
        self.publish_rules();
        self.handle_case();
        self.blow_whistles();
        self.settle_disputes();
        self.make_reports();
        self.walk_patrols();
        self.visit_households();
        self.run_campaign();
        self.publish_form();
        self.manage_people();
        self.change_areas();
        self.let_clocks_run();
    }

    /// Names every unit and every actor by a word.
    fn name_everybody(&self) {
        for (code, what) in [
            (seed::CITY, "name of the city"),
            (seed::DISTRICT, "name of the district"),
            (seed::STREET, "name of the street"),
            (seed::COMMUNITY, "name of the community"),
            (seed::GRID, "name of the grid"),
            (seed::CG, "name of the lead department"),
            (seed::SW, "name of the second department"),
            (seed::SC, "name of the third department"),
        ] {
            let body = json!({ "name": self.plant_word(Some(what)) });
            self.post("admin", &format!("areas/{}/rename", self.city.area_id(code)), &body);
        }
        for (account, what) in [
            ("worker", "name of the worker"),
            ("verifier", "name of the verifier"),
            ("community", "name of the community officer"),
            ("dispatcher", "name of the dispatcher"),
            ("leader", "name of the street leader"),
            ("district", "name of the district dispatcher"),
            ("lead", "name of the officer of the lead department"),
            ("water", "name of the officer of the second department"),
            ("market", "name of the officer of the third department"),
            ("hotline", "name of the hotline agent"),
            ("grid_leader", "name of the grid leader"),
            ("admin", "name of the administrator"),
            ("resident", "name of the reporter (sealed, in no event)"),
            ("neighbour", "name of the other reporter (sealed, in no event)"),
        ] {
            let body = json!({ "name": self.plant_word(Some(what)) });
            self.post("admin", &format!("people/{}/rename", self.person_id(account)), &body);
        }
        // Names of actors are cached for seconds.
        self.city.advance(Duration::minutes(1));
    }

    /// A document of the tenant as it is now.
    fn read_document(&self, kind: &str) -> Value {
        self.city.client("admin").get(&format!("/api/v1/policies/{kind}")).expect_success()["document"].clone()
    }

    /// Codes that a tenant chooses.
    fn publish_rules(&self) {
        let mut matrix = self.read_document("deadlines");
        let rule = self.plant_word(Some("name of the rules of deadlines"));
        let rows = matrix["rows"].as_array_mut().unwrap();
        let in_days = |row: &&Value| row["limit"]["unit"] == "working_day";
        let days = rows.iter().find(in_days).unwrap()["limit"].clone();
        for (no, row) in rows.iter_mut().enumerate() {
            row["id"] = json!(format!("{rule}-{no}"));
            // A deadline in days is moved when holidays are published.
            if row["duty"] == "accept" {
                row["limit"] = days.clone();
            }
        }
        self.post("admin", "policies/deadlines", &json!({ "document": matrix, "note": "?" }));
        let mut whistling = self.read_document("whistling");
        for (code, what) in [("urgent", RANK), ("hard", HARD)] {
            let ranks = whistling["ranks"].as_array_mut().unwrap();
            let rank = ranks.iter().find(|rank| rank["code"] == code).unwrap();
            let mut rank = rank.clone();
            rank["code"] = json!(self.plant_word(Some(what)));
            ranks.push(rank);
        }
        let topic = json!({ "code": self.plant_word(Some(TOPIC)), "label": "专题" });
        whistling["topics"].as_array_mut().unwrap().push(topic);
        self.post("admin", "policies/whistling", &json!({ "document": whistling, "note": "?" }));
    }

    fn find_word(&self, what: &str) -> String {
        let planted = self.planted.borrow();
        planted.iter().find(|secret| secret.what == Some(what)).unwrap().word.clone()
    }

    fn whistle_body(&self, rank: &str) -> Value {
        json!({
            "rank": self.find_word(rank), "topic": self.find_word(TOPIC), "reason": "?",
            "lead_unit_id": self.city.area_id(seed::CG),
            "cooperating_unit_ids": [self.city.area_id(seed::SW)],
        })
    }

    /// A report of a resident in the grid.
    fn report_matter(&self, by: &str) -> String {
        self.make(
            by,
            "reports",
            &json!({
                "title": "?", "text": "?", "category": "A02",
                "place": {
                    "address": "?",
                    "point": { "lng": 110.0051, "lat": 30.0052, "coord_type": "wgs84" },
                },
            }),
        )
    }

    /// A case of the resident, which the neighbour joined.
    fn open_joined_case(&self) -> String {
        let first = self.report_matter("resident");
        let filed = self.post("community", &format!("reports/{first}/file"), &json!({}));
        let case = read_text(&filed, "/case_id");
        let second = self.report_matter("neighbour");
        let body = json!({ "case_id": case });
        self.post("community", &format!("reports/{second}/join"), &body);
        case
    }

    fn escalate_case(&self) -> String {
        let case = self.open_joined_case();
        self.on("community", &case, "escalate", &json!({ "reason": "?" }));
        case
    }

    fn dispatch_case(&self, case: &str) {
        let body = json!({ "unit_id": self.city.area_id(seed::COMMUNITY), "note": "?" });
        self.on("dispatcher", case, "dispatch", &body);
    }

    fn sign_case(&self) -> String {
        let case = self.escalate_case();
        self.dispatch_case(&case);
        self.on("community", &case, "sign", &json!({}));
        case
    }

    /// Uses every login, so that none expires while time moves on.
    fn keep_logins(&self) {
        for account in self.city.seed_data().people.keys() {
            self.city.client(account).get("/api/v1/me");
        }
    }
}
