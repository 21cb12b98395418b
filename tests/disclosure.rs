//! Who reads which text of which event, in one committed table: a word of its own is planted in
//! every text of every event of every kind of flow, and looked for as every role, wherever the
//! product shows events.
//!
//! That none is forgotten follows from the types: the texts of all events are listed from what the
//! domain declares, and each has to be planted, or be one of those that no person chooses.

mod planting;
mod shapes;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write;

use actix_web::rt::System;
use domain::core::journal::{Entry, FlowKind};
use persistence::kernel::{journal, tenant};
use serde_json::{Value, json};

use self::{
    planting::{Secret, Story},
    shapes::{Standing, list_fields, visit_texts},
};
use crate::{
    harness::{City, on_both, read_text, seed},
    snapshot::expect_committed,
    webhook::{Receiver, register_webhook, run_pass},
};

on_both! {
    every_text_of_every_event_is_read_by_whom_the_table_says,
}

/// The readers, and their names in the table.
const READERS: &[(&str, &str)] = &[
    ("resident", "上报人"),
    ("neighbour", "并案上报人"),
    ("far_resident", "其他居民"),
    ("volunteer", "志愿者"),
    ("worker", "网格员"),
    ("grid_leader", "网格长"),
    ("community", "社区"),
    ("dispatcher", "街道调度"),
    ("leader", "街道领导"),
    ("lead", "被吹哨部门"),
    ("market", "改派部门"),
    ("far_department", "其他部门"),
    ("district", "区中心"),
    ("hotline", "热线"),
    ("inspector", "督查"),
    ("auditor", "审计"),
    ("admin", "管理员"),
    ("client", "接入系统"),
    ("far_dispatcher", "他处街道"),
    ("worker@9902", "外市"),
    ("", "未登录"),
];

/// The flows with a timeline, and the paths of their kinds.
const TIMELINES: [(FlowKind, &str); 5] = [
    (FlowKind::Report, "reports"),
    (FlowKind::Case, "cases"),
    (FlowKind::Patrol, "patrols"),
    (FlowKind::Household, "households"),
    (FlowKind::Visit, "visits"),
];

/// Texts that no person chooses, by the end of their place in an event.
const MADE: &[(&str, &str)] = &[
    (".number", "counted by the program"),
    (".path", "made of the codes of areas"),
    (".code", "of an area: a number of the state"),
    (".category", "a code of the catalogue"),
    (".sha256", "a digest"),
    (".digest", "a digest"),
    (".boundary", "a digest"),
];

/// Clocks that end on a named day, by no rule of the matrix: their rule has a fixed name.
const NAMED: &[&str] = &[
    "case.suspended.standstill.term.rule",
    "campaign.begun.campaign.grids.due.rule",
    "campaign.assigned.due.rule",
    "campaign.published.due.rule",
    "patrol.made.patrol.status[planned].term.rule",
    "patrol.measured.term.rule",
    "visit.planned.visit.status[planned].due.rule",
];

/// Where these places begin, nothing is filled in: an event holds a thing as it is made, and this
/// is added to it later, by other events.
const LATER: &[&str] = &[
    "campaign.begun.campaign.grids.unit.",
    "case.asked.ask.signatures.given.",
    "case.handled_on_the_spot.closing.answer.",
    "case.raised.raised.note",
    "case.summoned.happened[excused].replacement.arrival.",
    "case.summoned.happened[excused].replacement.rating.",
    "case.summoned.happened[excused].replacement.result",
    "case.summoned.happened[excused].replacement.step",
    "case.summoned.happened[excused].replacement.view.",
    "case.supervised.supervision.reply.",
    "case.whistle_blown.whistle.raised.",
    "case.whistle_blown.whistle.summonses.arrival.",
    "case.whistle_blown.whistle.summonses.rating.",
    "case.whistle_blown.whistle.summonses.result",
    "case.whistle_blown.whistle.summonses.step",
    "case.whistle_blown.whistle.summonses.view.",
    "content_review.opened.review.status[passed].",
    "content_review.opened.review.status[withheld].",
    "patrol.made.patrol.remarks.",
    "patrol.made.patrol.status[cancelled].",
    "patrol.made.patrol.status[finished].",
    "patrol.made.patrol.status[paused].",
    "patrol.made.patrol.status[started].term.",
    "person.registered.person.shift.",
    "report.submitted.report.sight.",
    "report.submitted.report.status[confirming].claim.",
    "report.submitted.report.status[refused].",
    "visit.planned.visit.status[cancelled].",
    "visit.planned.visit.status[done].",
    "visit.recorded.visit.status[cancelled].",
    "visit.recorded.visit.status[planned].",
];

/// Every page below a path.
fn read_pages(city: &City, by: &str, path: &str, asking: &str) -> String {
    let (mut told, mut cursor) = (String::new(), String::new());
    loop {
        let answer = city.client(by).get(&format!("{path}{cursor}"));
        assert!(answer.status < 500, "{}", answer.text);
        told.push_str(&answer.text);
        let next = answer.body["next"].as_str().filter(|_| answer.body["more"] != false);
        let Some(next) = next.filter(|_| answer.status == 200) else { return told };
        cursor = format!("&{asking}={next}");
    }
}

fn parse_events(entry: &Entry) -> Vec<Value> {
    serde_json::from_str(&entry.events).expect("events are JSON")
}

/// The journal of the city.
fn read_journal(city: &City) -> Vec<Entry> {
    let store = city.store.clone();
    let tenants = System::new().block_on(store.read(tenant::load_all)).expect("they can be read");
    let tenant = tenants.iter().find(|tenant| tenant.code == seed::CITY).expect("the city").id;
    let read = store.read(move |db| journal::load_after(db, tenant, 0, 1_000_000));
    let entries = System::new().block_on(read).expect("it can be read");
    entries.into_iter().map(|(_, entry)| entry).collect()
}

/// The words each reader finds, by the letter of the way.
fn read_everything(
    city: &City,
    by: &str,
    flows: &HashSet<(FlowKind, uuid::Uuid)>,
    start: &str,
) -> Vec<(char, String)> {
    let mut timelines = String::new();
    for (kind, path) in TIMELINES {
        for (_, id) in flows.iter().filter(|(of, _)| *of == kind) {
            let answer = city.client(by).get(&format!("/api/v1/{path}/{id}/timeline"));
            assert!(matches!(answer.status, 200 | 401 | 403 | 404), "{}", answer.text);
            timelines.push_str(&answer.text);
        }
    }
    let stream = format!("/api/v1/events/stream?seconds=0&cursor={start}");
    let table = city.client(by).get("/api/v1/areas/table").text;
    vec![
        ('T', timelines),
        ('E', read_pages(city, by, "/api/v1/events?limit=100", "cursor")),
        ('S', city.client(by).get(&stream).text),
        ('Y', read_pages(city, by, "/api/v1/sync?limit=100", "since")),
        ('X', read_pages(city, by, "/api/v1/me/export?limit=100", "cursor") + &table),
        ('M', read_pages(city, by, "/api/v1/me/messages?limit=100", "cursor")),
    ]
}

/// The words that stand in a text.
fn find_words<'s>(secrets: &'s [Secret], text: &str) -> BTreeSet<&'s str> {
    let words = text.match_indices("zq").filter_map(|(at, _)| text.get(at..at + 7));
    let all: BTreeSet<&str> = words.collect();
    secrets.iter().map(|secret| secret.word.as_str()).filter(|word| all.contains(word)).collect()
}

/// For each word, the places where it stands in events, and who said it first.
fn locate_words(city: &City, entries: &[Entry]) -> BTreeMap<String, Standing> {
    let people = &city.seed_data().people;
    let account =
        |id| people.iter().find(|(_, login)| login.id == id).map(|(name, _)| name.clone());
    let mut stands: BTreeMap<String, Standing> = BTreeMap::new();
    for entry in entries {
        for event in parse_events(entry) {
            visit_texts(entry.flow, &event, &mut |place, text| {
                for (at, _) in text.match_indices("zq") {
                    let Some(word) = text.get(at..at + 7) else { continue };
                    let by = || account(entry.actor.0).unwrap_or_default();
                    let one = stands.entry(word.to_owned()).or_insert_with(|| Standing::new(by()));
                    one.places.insert(place.to_owned());
                }
            });
        }
    }
    stands
}

/// Fails for a text of an event that nothing was planted in.
fn require_planted(stands: &BTreeMap<String, Standing>) {
    let planted: BTreeSet<&String> = stands.values().flat_map(|one| &one.places).collect();
    let made =
        |place: &str| NAMED.contains(&place) || MADE.iter().any(|(end, _)| place.ends_with(end));
    let later = |place: &str| LATER.iter().any(|begin| place.starts_with(begin));
    let mut forgotten = Vec::new();
    let mut known = BTreeSet::new();
    for kind in FlowKind::ALL {
        for (place, _) in list_fields(*kind) {
            if !planted.contains(&place) && !made(&place) && !later(&place) {
                forgotten.push(place.clone());
            }
            assert!(!(planted.contains(&place) && later(&place)), "{place} is filled after all");
            known.insert(place);
        }
    }
    for begin in LATER {
        assert!(known.iter().any(|place| place.starts_with(begin)), "{begin} is no place");
    }
    for (end, _) in MADE {
        assert!(known.iter().any(|place| place.ends_with(end)), "{end} is no place");
    }
    assert_eq!(forgotten, Vec::<String>::new(), "no word was planted there");
}

fn every_text_of_every_event_is_read_by_whom_the_table_says(city: &City) {
    let start = city.client("dispatcher").get("/api/v1/events?from_now=true").expect_success();
    let start = read_text(&start, "/next");
    let (ids, whole) = (Receiver::start(), Receiver::start());
    register_webhook(city, &ids, &[]);
    let hook = register_webhook(city, &whole, &[]);
    let approval = json!({ "approved": true, "url": hook["url"] });
    let approve = format!("/api/v1/webhooks/{}/approve", read_text(&hook, "/id"));
    city.client("hotline").post(&approve, &approval).expect_success();
    let story = Story::new(city);
    story.play();
    while run_pass(city) > 0 {}
    let secrets = story.secrets();
    let entries = read_journal(city);
    let stands = locate_words(city, &entries);
    require_planted(&stands);
    let flows = entries.iter().map(|entry| (entry.flow, entry.flow_id)).collect();
    let mut cells: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut columns = READERS.len();
    for (column, (by, _)) in READERS.iter().enumerate() {
        for (letter, text) in read_everything(city, by, &flows, &start) {
            for word in find_words(&secrets, &text) {
                let row = cells.entry(word).or_insert_with(|| vec![String::new(); columns + 2]);
                row[column].push(letter);
            }
        }
    }
    for receiver in [&ids, &whole] {
        let told: String = receiver
            .list_requests()
            .iter()
            .map(|one| String::from_utf8_lossy(&one.body).into_owned())
            .collect();
        assert!(told.contains("case.closed"), "it was told everything");
        for word in find_words(&secrets, &told) {
            let row = cells.entry(word).or_insert_with(|| vec![String::new(); READERS.len() + 2]);
            row[columns].push('W');
        }
        columns += 1;
    }
    expect_committed("docs/disclosure.md", &render_table(&secrets, &stands, &cells));
}

fn render_table(
    secrets: &[Secret],
    stands: &BTreeMap<String, Standing>,
    cells: &BTreeMap<&str, Vec<String>>,
) -> String {
    let declared = FlowKind::ALL.iter().flat_map(|kind| list_fields(*kind)).collect();
    let mut rows = BTreeSet::new();
    for Secret { word, what } in secrets {
        let standing = stands.get(word);
        let label = match (what, standing) {
            (Some(what), _) => format!("({what})"),
            (None, Some(standing)) => standing.render_label(&declared),
            (None, None) => panic!("{word} was planted and stands in no event"),
        };
        let none = vec![String::new(); READERS.len() + 2];
        let row = cells.get(word.as_str()).unwrap_or(&none).join(" | ");
        rows.insert(format!("| {label} | {row} |"));
    }
    let mut page = String::from(HEAD);
    let heads: Vec<&str> = READERS.iter().map(|(_, label)| *label).collect();
    let heads = format!("| | {} | 推送（标识） | 推送（全文） |", heads.join(" | "));
    let _ = write!(page, "\n{heads}\n|---{}|\n", "|---".repeat(READERS.len() + 2));
    for row in rows {
        let _ = writeln!(page, "{row}");
    }
    page
}

const HEAD: &str = "\
# Who reads what was said

For those who want to know who is told a text or a name that stands in an event. Made by \
`tests/disclosure.rs` from what the product tells (`make matrices` rewrites it): a word of its own was \
planted in every text of every event of every kind of flow, and looked for as every role.

Found in: T timeline · E events · S stream · Y sync · X export of one's own data, table of areas · M \
messages · W webhook, one that nobody approved (推送（标识）) and one that a reader approved \
(推送（全文）). Nothing: not told by any of these ways.

A row is a text: where it stands in events, what the domain declares of that place (`domain`'s \
`Disclosure`; nothing: open to all who may read the event), and who said it. The same place has several \
rows where texts there are read by different people, because they are of different cases. The reporter \
of every case (上报人) was joined by a second one (并案上报人); no review passed their words.
";
