//! A journal that this version cannot read, because a newer one wrote to it: that flow is named by
//! the check and by every read of it, and everything else goes on.

use actix_web::rt::System;
use api::integrations::{notification_worker, scheduler};
use chrono::Duration;
use domain::core::{
    id::{CommandId, TenantId},
    journal::{Entry, FlowKind},
};
use persistence::{kernel::journal, probe};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    harness::{
        City, Engine, Replica, build_settings, new_key, on_both, read_text, read_texts, seed,
    },
    ownership::sql_literal,
    webhook::{self, Receiver},
};

on_both! {
    an_unknown_event_is_named_by_the_check_and_by_its_reads,
    an_unknown_version_is_no_event_of_the_version_that_is_known,
    what_a_newer_version_wrote_is_not_decided_on,
    an_entry_in_the_middle_stops_only_its_timeline,
    a_flow_of_an_unknown_kind_is_named,
    everything_beside_what_cannot_be_read_goes_on,
}

fn tenant(city: &City) -> TenantId {
    city.app.worlds.find_by_code(Some(seed::CITY)).unwrap().tenant.id
}

/// The journal of a flow.
pub(crate) fn entries(city: &City, (kind, id): (FlowKind, &str)) -> Vec<Entry> {
    let (store, tenant, id) = (city.store.clone(), tenant(city), id.parse::<Uuid>().unwrap());
    let read = store.read(move |db| journal::load_chain(db, tenant, (kind, id), None));
    System::new().block_on(read).unwrap()
}

/// Bytes in SQL.
pub(crate) fn bytes(city: &City, hex: &str) -> String {
    match city.engine() {
        Engine::Sqlite => format!("x'{hex}'"),
        Engine::Postgres => format!("'\\x{hex}'::bytea"),
    }
}

/// Adds an entry to a journal as a newer version would have: it follows from the one before, and
/// stands at the end of the feed. `kind` is the name it is written under.
fn add(city: &City, flow: (FlowKind, &str), kind: &str, events: &Value) -> i64 {
    let last = entries(city, flow).pop().unwrap();
    let command = new_key();
    let entry = Entry {
        seq: last.seq + 1,
        command: CommandId(command.parse().unwrap()),
        before: last.hash,
        events: events.to_string(),
        ..last
    }
    .with_computed_hash();
    let sql = format!(
        "insert into journal (tenant_id, flow_id, seq, flow, command_id, part, name, digest, \
             actor_id, actor_name, at, events, hash, position) \
         select j.tenant_id, j.flow_id, j.seq + 1, '{kind}', {}, j.part, j.name, j.digest, \
             j.actor_id, j.actor_name, j.at, '{}', {}, f.position + 1 \
         from journal as j join feeds as f on f.tenant_id = j.tenant_id \
         where j.flow_id = {} and j.flow = '{}' and j.seq = {}; \
         update feeds set position = position + 1 where tenant_id = {};",
        sql_literal(city, &command),
        entry.events,
        bytes(city, &entry.hash.to_hex()),
        sql_literal(city, flow.1),
        flow.0.name(),
        last.seq,
        sql_literal(city, &tenant(city).to_string()),
    );
    probe::execute(&city.database.url, &sql).unwrap();
    entry.seq
}

/// The check names a flow; nothing else is wrong.
#[track_caller]
fn named(city: &City, kind: &str, id: &str) -> String {
    let mut broken = city.verify().broken;
    assert_eq!(broken.len(), 1, "{broken:#?}");
    let why = broken.remove(0);
    why.strip_prefix(&format!("{kind} {id}: ")).unwrap_or_else(|| panic!("{why}")).to_owned()
}

/// Refused with a problem that names the case.
#[track_caller]
fn names(case: &str, answer: crate::harness::Answer) {
    let problem = answer.expect_problem(500, "internal");
    assert_eq!((&problem["flow"], &problem["flow_id"]), (&json!("case"), &json!(case)));
    assert!(read_text(&problem, "/detail").contains(case), "{problem}");
}

fn an_unknown_event_is_named_by_the_check_and_by_its_reads(city: &City) {
    let case = city.new_filed_case();
    let seq = add(city, (FlowKind::Case, &case), "case", &json!([{ "event": "teleported" }]));
    let why = named(city, "case", &case);
    assert_eq!(why, format!("entry {seq} cannot be read: there is no event \"teleported\""));
    let path = format!("/api/v1/cases/{case}");
    for read in ["", "/timeline", "/clocks", "/obligations"] {
        names(&case, city.client("community").get(&format!("{path}{read}")));
    }
    // Commands answer the same, and not that another caller was faster.
    names(&case, city.post_step("community", &case, "comment", &json!({ "text": "已到现场" })));
    let checked = city.client("community").get(&format!("{path}/verification")).expect_success();
    assert_eq!(checked["intact"], false);
    let broken = &checked["chains"][0]["broken"];
    assert_eq!((&broken["seq"], &broken["kind"]), (&json!(seq), &json!("unreadable")));
    // A caller who may not know of it does not learn that.
    city.client("far_worker").get(&path).expect_problem(404, "not_found");
}

fn an_unknown_version_is_no_event_of_the_version_that_is_known(city: &City) {
    let case = city.new_filed_case();
    let events = json!([{ "event": "commented", "version": 2, "text": "新版本" }]);
    let seq = add(city, (FlowKind::Case, &case), "case", &events);
    let why = named(city, "case", &case);
    let said = format!("entry {seq} cannot be read: there is no version 2 of the event");
    assert!(why.starts_with(&said), "{why}");
    names(&case, city.client("community").get(&format!("/api/v1/cases/{case}")));
    let told = city.client("community").get("/api/v1/events?limit=100").expect_success();
    assert!(!told.to_string().contains("新版本"), "{told}");
}

fn what_a_newer_version_wrote_is_not_decided_on(city: &City) {
    let case = city.new_filed_case();
    // The newer version wrote the state, too.
    let last = entries(city, (FlowKind::Case, &case)).pop().unwrap();
    let entry = Entry { events: json!([{ "event": "teleported" }]).to_string(), ..last }
        .with_computed_hash();
    let (id, hash) = (sql_literal(city, &case), bytes(city, &entry.hash.to_hex()));
    let sql = format!(
        "update journal set events = '{}', hash = {hash} \
         where flow_id = {id} and flow = 'case' and seq = {}; \
         update cases set head = {hash} where id = {id};",
        entry.events, entry.seq,
    );
    probe::execute(&city.database.url, &sql).unwrap();
    let older = Replica::open(city, build_settings(&city.database.url));
    let path = format!("/api/v1/cases/{case}");
    let asks = |method: &str, path: &str| {
        city.client("community").call(method, path).on_server(&older.base)
    };
    names(&case, asks("GET", &path).send());
    let comment = json!({ "text": "已到现场" });
    names(&case, asks("POST", &format!("{path}/comment")).json(&comment).send());
    named(city, "case", &case);
}

fn an_entry_in_the_middle_stops_only_its_timeline(city: &City) {
    let case = city.new_filed_case();
    city.take_step("community", &case, "comment", &json!({ "text": "已到现场" }));
    let chain = entries(city, (FlowKind::Case, &case));
    let (first, last) = (chain[0].clone(), chain[1].clone());
    let first = Entry { events: json!([{ "event": "teleported" }]).to_string(), ..first }
        .with_computed_hash();
    let last = Entry { before: first.hash, ..last }.with_computed_hash();
    for entry in [&first, &last] {
        let sql = format!(
            "update journal set events = '{}', hash = {} \
             where flow_id = {} and flow = 'case' and seq = {};",
            entry.events,
            bytes(city, &entry.hash.to_hex()),
            sql_literal(city, &case),
            entry.seq,
        );
        probe::execute(&city.database.url, &sql).unwrap();
    }
    let why = named(city, "case", &case);
    assert_eq!(why, "entry 1 cannot be read: there is no event \"teleported\"");
    names(&case, city.client("community").get(&format!("/api/v1/cases/{case}/timeline")));
    // Decided on the state before, which can be read.
    city.get_case("community", &case);
    city.take_step("community", &case, "comment", &json!({ "text": "继续办理" }));
}

fn a_flow_of_an_unknown_kind_is_named(city: &City) {
    let case = city.new_filed_case();
    add(city, (FlowKind::Case, &case), "tunnel", &json!([{ "event": "dug" }]));
    let why = named(city, "tunnel", &case);
    assert!(why.contains("no such kind of flow"), "{why}");
    let other = city.new_filed_case();
    goes_on(city, &other);
    city.get_case("community", &case);
}

/// Feeds, messages, webhooks, phones and the scheduler handle this case as usual.
#[track_caller]
fn goes_on(city: &City, other: &str) {
    let receiver = Receiver::start();
    webhook::register_webhook(city, &receiver, &["case.commented"]);
    city.take_step("community", other, "comment", &json!({ "text": "已到现场" }));
    let told = city.client("community").get("/api/v1/events?limit=100").expect_success();
    assert!(told.to_string().contains(other), "{told}");
    let app = city.app.clone();
    System::new().block_on(async move {
        while notification_worker::run_pass(&app).await.expect("messages are made") > 0 {}
    });
    while webhook::run_pass(city) > 0 {}
    let told = receiver.list_requests();
    assert!(
        told.iter().any(|asked| asked.body_field("data").to_string().contains(other)),
        "{told:?}"
    );
    let listed = city.client("community").get("/api/v1/cases").expect_success();
    assert!(read_texts(&listed, "/id").contains(&other.to_owned()), "{listed}");
    let inbox = city.client("community").get("/api/v1/me/todos").expect_success();
    assert!(inbox.to_string().contains(other), "{inbox}");
    phone_has(city, other);
    city.advance(Duration::days(10));
    let app = city.app.clone();
    System::new()
        .block_on(async move { scheduler::run_pass(&app).await.expect("measures are taken") });
    let timeline =
        city.client("community").get(&format!("/api/v1/cases/{other}/timeline")).expect_success();
    let commands = read_texts(&timeline, "/command");
    assert!(commands.contains(&"lapse".to_owned()), "{commands:?}");
}

/// A phone that begins now is sent this case, and then its changes.
#[track_caller]
fn phone_has(city: &City, case: &str) {
    let (mut since, mut told) = (None::<String>, String::new());
    for _ in 0..40 {
        let path =
            since.map_or("/api/v1/sync".to_owned(), |since| format!("/api/v1/sync?since={since}"));
        let page = city.client("community").get(&path).expect_success();
        told += &page["items"].to_string();
        since = Some(read_text(&page, "/next"));
        if page["more"] == json!(false) {
            break;
        }
    }
    assert!(told.contains(case), "{told}");
    city.take_step("community", case, "comment", &json!({ "text": "手机也知道" }));
    let path = format!("/api/v1/sync?since={}", since.unwrap());
    let page = city.client("community").get(&path).expect_success();
    assert!(page["items"].to_string().contains(case), "{page}");
}

fn everything_beside_what_cannot_be_read_goes_on(city: &City) {
    let report = city.submit_report();
    let (case, other) = (city.file_report(&report), city.new_filed_case());
    let newer = city.submit_report_as("neighbour");
    add(city, (FlowKind::Case, &case), "case", &json!([{ "event": "teleported" }]));
    add(
        city,
        (FlowKind::Report, &newer),
        "report",
        &json!([{ "event": "submitted", "version": 9 }]),
    );
    let person = city.client("leader").id().to_string();
    add(city, (FlowKind::Person, &person), "person", &json!([{ "event": "cloned" }]));
    let broken = city.verify().broken;
    assert_eq!(broken.len(), 3, "{broken:#?}");
    // The report is readable, and says of its case what is known.
    city.client("resident").get(&format!("/api/v1/reports/{report}")).expect_success();
    goes_on(city, &other);
    // The debts of an unreadable flow are stepped over, and counted.
    let ready = city.client("").get("/readyz").expect_success();
    assert!(ready["clockwork"]["deferred"].as_u64().unwrap() >= 1, "{ready}");
    assert_eq!(city.verify().broken.len(), 3, "what could not be read is as it was");
}
