//! Phones as they are: requests that never arrive, answers that get lost, everything sent twice and
//! late, apps that are killed, clocks that are wrong. Whatever happens on the way, in the end the
//! server has what was typed, once and in its order.
//!
//! A run is made of a number, so that one that failed can be seen again:
//! `GRIDWHISTLE_PHONES=17` runs the seventeenth, `GRIDWHISTLE_PHONES=0..5000` five thousand.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Range,
};

use chrono::{Duration, SecondsFormat};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{City, on_both, report_at, text};

on_both! { what_phones_meant_is_what_the_server_has }

/// How many runs are made when nobody says.
const RUNS: Range<u64> = 0..40;

/// Who carries a phone, and where.
const CARRIERS: [(&str, f64); 4] =
    [("worker", 110.005), ("verifier", 110.006), ("next_worker", 110.015), ("community", 110.007)];

/// Chance that can be had again.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, most: u64) -> u64 {
        self.next() % most.max(1)
    }

    /// One of so many.
    fn among(&mut self, many: usize) -> usize {
        usize::try_from(self.below(u64::try_from(many).unwrap())).unwrap()
    }

    fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn id(&mut self) -> Uuid {
        let (high, low) = (self.next(), self.next());
        uuid::Builder::from_random_bytes(((u128::from(high) << 64) | u128::from(low)).to_be_bytes())
            .into_uuid()
    }
}

/// A phone: what was typed on it, what of it is known to be through, and how wrong its clock is.
struct Phone {
    by: &'static str,
    skew: Duration,
    /// In the order it was typed, kept on the phone's disk.
    queue: Vec<Value>,
    /// What it believes is through; lost when the app is killed before it is written down.
    through: BTreeSet<Uuid>,
    written: BTreeSet<Uuid>,
    /// What every command meant: text by command.
    meant: Vec<(Uuid, Uuid, String)>,
    own: Vec<(Uuid, Uuid)>,
}

impl Phone {
    fn new(by: &'static str, chance: &mut Chance) -> Self {
        let skew = Duration::minutes(i64::try_from(chance.below(2000)).unwrap() - 1000);
        let skew = if chance.percent(50) { Duration::zero() } else { skew };
        Self {
            by,
            skew,
            queue: Vec::new(),
            through: BTreeSet::new(),
            written: BTreeSet::new(),
            meant: Vec::new(),
            own: Vec::new(),
        }
    }

    /// Somebody types something, with or without a signal.
    fn types(&mut self, city: &City, lng: f64, chance: &mut Chance) {
        let (command, typed) = (chance.id(), city.now() + self.skew);
        let filed = self.by == "community";
        let told = format!("{} {}", self.by, self.meant.len());
        let mut item = if self.own.is_empty() || chance.percent(40) {
            let report = chance.id();
            // What was handled there and then has a case made of the command.
            let case = if filed { chance.id() } else { api::clock::derived_id(command, "case") };
            let mut body = report_at(lng, 30.005);
            body["id"] = json!(report);
            body["text"] = json!(told);
            if !filed {
                body["handled"] = json!({ "result": "当场清理" });
            }
            self.own.push((report, case));
            self.meant.push((command, report, told));
            json!({ "operation": "submit_report", "body": body })
        } else if filed {
            // Of the last report: file it, then remark on the case it became.
            let (report, case) = self.own[self.own.len() - 1];
            let filing = self.queue.iter().any(|item| {
                item["operation"] == "file_report" && item["path"]["id"] == json!(report)
            });
            self.meant.push((command, if filing { case } else { report }, told.clone()));
            if filing {
                json!({ "operation": "comment_case", "path": { "id": case }, "body": { "text": told } })
            } else {
                json!({ "operation": "file_report", "path": { "id": report }, "body": { "case_id": case } })
            }
        } else {
            let (_, case) = self.own[chance.among(self.own.len())];
            self.meant.push((command, case, told.clone()));
            json!({ "operation": "comment_case", "path": { "id": case }, "body": { "text": told } })
        };
        item["id"] = json!(command);
        item["client_time"] = json!(typed.to_rfc3339_opts(SecondsFormat::Millis, true));
        self.queue.push(item);
    }

    /// Sends a part of what is not through; the line does with it what it wants.
    fn sends(&mut self, city: &City, chance: &mut Chance) -> Vec<Value> {
        let waiting: Vec<Value> = self
            .queue
            .iter()
            .filter(|item| !self.through.contains(&id(item)))
            .take(1 + usize::try_from(chance.below(8)).unwrap())
            .cloned()
            .collect();
        if waiting.is_empty() || chance.percent(15) {
            // Lost before it arrived.
            return Vec::new();
        }
        let mut answer = self.asks(city, &waiting);
        if chance.percent(20) {
            // The network repeats it.
            answer = self.asks(city, &waiting);
        }
        if chance.percent(25) {
            // The answer is lost: the phone knows nothing of it.
            return waiting;
        }
        for item in answer["items"].as_array().unwrap() {
            let outcome = text(item, "/outcome");
            assert!(["done", "already"].contains(&outcome.as_str()), "{}: {item:#}", self.by);
            self.through.insert(id(item));
        }
        if chance.percent(70) {
            self.written = self.through.clone();
        }
        waiting
    }

    fn asks(&self, city: &City, items: &[Value]) -> Value {
        let shows = (city.now() + self.skew).to_rfc3339_opts(SecondsFormat::Millis, true);
        city.by(self.by).post("/api/v1/sync", &json!({ "sent_at": shows, "items": items })).done()
    }

    /// The app is killed: what it had not written down it forgets.
    fn is_killed(&mut self) {
        self.through = self.written.clone();
    }
}

fn id(item: &Value) -> Uuid {
    text(item, "/id").parse().unwrap()
}

fn runs() -> Range<u64> {
    #[expect(clippy::disallowed_methods, reason = "asked for by whoever runs the tests")]
    let asked = std::env::var("GRIDWHISTLE_PHONES");
    let Ok(asked) = asked else { return RUNS };
    if let Some((from, to)) = asked.split_once("..") {
        return from.parse().unwrap()..to.parse().unwrap();
    }
    let one: u64 = asked.parse().unwrap();
    one..one + 1
}

fn what_phones_meant_is_what_the_server_has(city: &City) {
    for number in runs() {
        let phones = run(city, number);
        for phone in &phones {
            settled(city, number, phone);
        }
    }
    let findings = city.verify();
    assert_eq!(findings.broken, Vec::<String>::new());
}

fn run(city: &City, number: u64) -> Vec<Phone> {
    let mut chance = Chance(number);
    let mut phones: Vec<(Phone, f64)> =
        CARRIERS.iter().map(|(by, lng)| (Phone::new(by, &mut chance), *lng)).collect();
    let mut old: Vec<(usize, Vec<Value>)> = Vec::new();
    for _ in 0..10 {
        for (index, (phone, lng)) in phones.iter_mut().enumerate() {
            if chance.percent(60) {
                phone.types(city, *lng, &mut chance);
            }
            if chance.percent(50) {
                let sent = phone.sends(city, &mut chance);
                old.push((index, sent));
            }
            if chance.percent(10) {
                phone.is_killed();
            }
        }
        if chance.percent(10) && !old.is_empty() {
            // Something sent long ago arrives again, after what came later.
            let at = chance.among(old.len());
            let (index, items) = &old[at];
            phones[*index].0.asks(city, items);
        }
        if chance.percent(4) {
            // Days without signal: every login is over.
            city.advance(Duration::hours(i64::try_from(1 + chance.below(72)).unwrap()));
        }
    }
    let mut phones: Vec<Phone> = phones.into_iter().map(|(phone, _)| phone).collect();
    for phone in &mut phones {
        for _ in 0..1000 {
            if phone.queue.iter().all(|item| phone.through.contains(&id(item))) {
                break;
            }
            phone.sends(city, &mut chance);
        }
        assert_eq!(phone.through.len(), phone.queue.len(), "run {number}, {}", phone.by);
    }
    phones
}

/// What the phone meant is in the journal, once each, and in the order it was typed.
fn settled(city: &City, number: u64, phone: &Phone) {
    let mut of_flow: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
    for (command, flow, _) in &phone.meant {
        of_flow.entry(*flow).or_default().push(*command);
    }
    let tenant = domain::id::TenantId(tenant(city));
    let commands: HashMap<Uuid, Vec<Uuid>> = of_flow
        .keys()
        .map(|flow| {
            let (flow, store) = (*flow, city.store.clone());
            let chain = actix_web::rt::System::new().block_on(async move {
                store.read(move |db| persistence::journal::chain(db, tenant, flow, None)).await
            });
            (flow, chain.unwrap().iter().map(|entry| entry.command.0).collect())
        })
        .collect();
    for (flow, meant) in of_flow {
        let all = &commands[&flow];
        let ours: Vec<Uuid> = all.iter().filter(|one| meant.contains(one)).copied().collect();
        assert_eq!(ours, meant, "run {number}, {}: {flow}", phone.by);
    }
    for (command, _, told) in &phone.meant {
        let item = phone.queue.iter().find(|item| id(item) == *command).unwrap();
        if item["operation"] == "submit_report" {
            let path = format!("/api/v1/reports/{}", text(item, "/body/id"));
            assert_eq!(city.by(phone.by).get(&path).done()["text"], json!(told), "run {number}");
        }
    }
}

fn tenant(city: &City) -> Uuid {
    let code = crate::harness::seed::CITY;
    city.app.worlds.by_code(Some(code)).map(|world| world.tenant.id.0).unwrap()
}
