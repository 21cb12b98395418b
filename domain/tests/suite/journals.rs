//! Committed journals, by the version that wrote them: every later version reads each entry,
//! arrives at the same states, and finds the same hashes.
//!
//! `UPDATE=1 cargo test -p domain` adds histories for types and versions of events that none of
//! them contains, under the present version. Existing files are never rewritten: journals in real
//! installations are not rewritten either.

use std::{
    cell::LazyCell,
    collections::BTreeSet,
    fmt::Debug,
    fs,
    path::{Path, PathBuf},
};

use domain::{
    Instant,
    area::tree::history::{Record, Registry},
    core::{
        id::{CommandId, PersonId, TenantId},
        journal::{Entry, FlowKind, Hash, verify_chain},
    },
    flows::{
        areas,
        campaign::Campaign,
        case::{state::Case, whistle::Happened},
        content_review::Review,
        flow::Flow,
        form::Form,
        household::Household,
        media::Media,
        patrol::Patrol,
        patrol_plan::PatrolPlan,
        person::Person,
        policy::{Policy, PolicyKind},
        report::Report,
        stored_event::{
            JournalEvent, event_types, newest_version, read_events, tagged_variants, write_events,
        },
        visit::Visit,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{
    histories,
    table::updates,
    world::{TENANT, morning, person_id, request},
};

/// A line of a file: the entries of a flow in their order, and then its state after them.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Entry(Kept),
    State(Value),
}

/// An entry as stored; the hash before it stands in the line above.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    tenant: Uuid,
    flow: FlowKind,
    flow_id: Uuid,
    seq: i64,
    command: Uuid,
    part: i16,
    name: String,
    digest: String,
    actor: Uuid,
    actor_name: String,
    at: Instant,
    events: String,
    hash: String,
}

impl Kept {
    fn of(entry: &Entry) -> Self {
        Self {
            tenant: entry.tenant.0,
            flow: entry.flow,
            flow_id: entry.flow_id,
            seq: entry.seq,
            command: entry.command.0,
            part: entry.part,
            name: entry.name.clone(),
            digest: entry.digest.to_hex(),
            actor: entry.actor.0,
            actor_name: entry.actor_name.clone(),
            at: entry.at,
            events: entry.events.clone(),
            hash: entry.hash.to_hex(),
        }
    }

    fn entry(self, before: Hash) -> Entry {
        Entry {
            tenant: TenantId(self.tenant),
            flow: self.flow,
            flow_id: self.flow_id,
            seq: self.seq,
            command: CommandId(self.command),
            part: self.part,
            name: self.name,
            digest: Hash::from_hex(&self.digest).unwrap(),
            actor: PersonId(self.actor),
            actor_name: self.actor_name,
            at: self.at,
            events: self.events,
            before,
            hash: Hash::from_hex(&self.hash).unwrap(),
        }
    }
}

/// A flow from its beginning, with its final state.
struct History {
    entries: Vec<Entry>,
    state: Value,
}

/// A folder for each version, a file in it for each kind of flow.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals")
}

fn files(kind: FlowKind) -> Vec<PathBuf> {
    let versions = fs::read_dir(folder()).into_iter().flatten();
    let name = format!("{}.jsonl", kind.name());
    let files = versions.map(|version| version.unwrap().path().join(&name));
    files.filter(|file| file.is_file()).collect()
}

fn committed(kind: FlowKind) -> Vec<History> {
    let mut histories = Vec::new();
    for file in files(kind) {
        let (mut entries, mut before) = (Vec::new(), Hash::default());
        for line in fs::read_to_string(&file).unwrap().lines() {
            match serde_json::from_str(line).unwrap() {
                Line::Entry(kept) => {
                    let entry = kept.entry(before);
                    before = entry.hash;
                    entries.push(entry);
                }
                Line::State(state) => {
                    histories.push(History { entries: std::mem::take(&mut entries), state });
                    before = Hash::default();
                }
            }
        }
        assert!(entries.is_empty(), "{} ends without a state", file.display());
    }
    histories
}

/// Adds histories to the file of the present version.
fn add(kind: FlowKind, histories: &[History]) {
    const NOW: &str =
        concat!(env!("CARGO_PKG_VERSION_MAJOR"), ".", env!("CARGO_PKG_VERSION_MINOR"));
    let folder = folder().join(NOW);
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join(format!("{}.jsonl", kind.name()));
    let mut text = fs::read_to_string(&file).unwrap_or_default();
    for history in histories {
        let entries = history.entries.iter().map(|entry| Line::Entry(Kept::of(entry)));
        for line in entries.chain([Line::State(history.state.clone())]) {
            text += &serde_json::to_string(&line).unwrap();
            text.push('\n');
        }
    }
    fs::write(file, text).unwrap();
}

/// The types of events in an entry, each with its version. Steps of summoned departments and
/// published documents count by their own kinds.
fn types_in(entry: &Entry) -> BTreeSet<(String, u64)> {
    const INNER: [&str; 2] = ["/happened/what", "/policy/document/kind"];
    let events: Vec<Value> = serde_json::from_str(&entry.events).unwrap();
    let named = |event: &Value| {
        let name = event["event"].as_str().unwrap().to_owned();
        let inner = INNER.iter().find_map(|place| event.pointer(place)?.as_str());
        let name = inner.map_or(name.clone(), |inner| format!("{name}/{inner}"));
        (name, event["version"].as_u64().unwrap_or(1))
    };
    events.iter().map(named).collect()
}

/// What the committed journals of a kind of flow must contain: each type of event, in its newest
/// version.
fn wanted<E: JournalEvent>(kind: FlowKind) -> BTreeSet<(String, u64)> {
    let inner = |name: &str| -> Vec<&str> {
        match (kind, name) {
            (FlowKind::Case, "summoned") => tagged_variants::<Happened>("what").to_vec(),
            (FlowKind::Policy, "published") => {
                PolicyKind::ALL.iter().map(|one| one.name()).collect()
            }
            _ => Vec::new(),
        }
    };
    let mut wanted = BTreeSet::new();
    for name in event_types::<E>() {
        let (version, inner) = (newest_version::<E>(name), inner(name));
        if inner.is_empty() {
            wanted.insert(((*name).to_owned(), version));
        }
        wanted.extend(inner.iter().map(|inner| (format!("{name}/{inner}"), version)));
    }
    wanted
}

/// What no committed journal of a kind of flow contains.
fn lacking<E: JournalEvent>(kind: FlowKind) -> BTreeSet<(String, u64)> {
    let known = committed(kind);
    let known: BTreeSet<_> =
        known.iter().flat_map(|history| &history.entries).flat_map(types_in).collect();
    let wanted = wanted::<E>(kind);
    assert!(!wanted.is_empty(), "{} has no events", kind.name());
    wanted.difference(&known).cloned().collect()
}

/// The shortest beginnings of these journals that contain what is lacking.
fn shortest(mut lacking: BTreeSet<(String, u64)>, journals: &[Vec<Entry>]) -> Vec<Vec<Entry>> {
    let mut chosen = Vec::new();
    while let Some(one) = lacking.first().cloned() {
        let until = |journal: &Vec<Entry>| {
            let found = journal.iter().position(|entry| types_in(entry).contains(&one));
            found.map(|index| journal[..=index].to_vec())
        };
        let found = journals.iter().filter_map(until).min_by_key(Vec::len);
        let found = found.unwrap_or_else(|| panic!("no history has the event {one:?}"));
        for entry in &found {
            for one in types_in(entry) {
                lacking.remove(&one);
            }
        }
        chosen.push(found);
    }
    chosen
}

/// The state after the entries of a flow, read as from a database.
fn fold<F: Flow>(entries: &[Entry]) -> F {
    let mut state = None;
    for entry in entries {
        let events = read_events::<F::Event>(&entry.events);
        let events =
            events.unwrap_or_else(|why| panic!("{} {}: {why}", entry.flow.name(), entry.seq));
        for event in &events {
            state = F::evolve(state, event);
            assert!(state.is_some(), "{} cannot follow", entry.events);
        }
    }
    state.expect("a flow that began")
}

fn check_hashes(histories: &[History], kind: FlowKind) {
    assert!(!histories.is_empty(), "no journal of {} is committed", kind.name());
    for History { entries, .. } in histories {
        let last = entries.last().unwrap();
        assert_eq!(verify_chain(entries), Ok(last.hash), "{} {}", kind.name(), last.flow_id);
        assert!(entries.iter().all(|entry| entry.flow == kind && entry.flow_id == last.flow_id));
    }
}

fn check_states<F: Flow + PartialEq + Debug>() {
    let histories = committed(F::KIND);
    check_hashes(&histories, F::KIND);
    for History { entries, state } in &histories {
        let kept: F = serde_json::from_value(state.clone()).unwrap();
        assert_eq!(fold::<F>(entries), kept, "the state is not what it was");
        assert_eq!(kept.id(), entries[0].flow_id);
    }
}

/// Asserts that every type of event stands in a committed journal; under `UPDATE=1` it adds what is
/// lacking first.
fn check_complete<F: Flow>(journals: impl FnOnce() -> Vec<Vec<Entry>>) {
    let lacks = lacking::<F::Event>(F::KIND);
    if updates() && !lacks.is_empty() {
        let state = |entries: Vec<Entry>| {
            let state = serde_json::to_value(fold::<F>(&entries)).unwrap();
            History { entries, state }
        };
        let added = shortest(lacks, &journals());
        add(F::KIND, &added.into_iter().map(state).collect::<Vec<_>>());
    }
    check_lacks_nothing::<F::Event>(F::KIND);
}

fn check_lacks_nothing<E: JournalEvent>(kind: FlowKind) {
    let lacks = lacking::<E>(kind);
    assert!(
        lacks.is_empty(),
        "no committed journal of {} has {lacks:?}; `UPDATE=1 cargo test -p domain` adds them",
        kind.name()
    );
}

/// The journal of a town's areas.
fn areas_entries(log: &[Vec<areas::Event>]) -> Vec<Entry> {
    let (mut entries, mut before) = (Vec::new(), Hash::default());
    for (number, events) in (1..).zip(log) {
        let request = request(number);
        let entry = Entry {
            tenant: TENANT,
            flow: FlowKind::Areas,
            flow_id: TENANT.0,
            seq: i64::try_from(number).unwrap(),
            command: request.command,
            part: 0,
            name: "change".to_owned(),
            digest: request.digest,
            actor: person_id(1),
            actor_name: "蒋管理".to_owned(),
            at: morning(),
            events: write_events(events),
            before,
            hash: Hash::default(),
        }
        .with_computed_hash();
        before = entry.hash;
        entries.push(entry);
    }
    entries
}

#[test]
fn every_committed_journal_is_read_as_it_was_written() {
    for kind in FlowKind::ALL {
        check_states_of(*kind);
    }
}

fn check_states_of(kind: FlowKind) {
    match kind {
        FlowKind::Report => check_states::<Report>(),
        FlowKind::Case => check_states::<Case>(),
        FlowKind::Person => check_states::<Person>(),
        FlowKind::Policy => check_states::<Policy>(),
        FlowKind::Patrol => check_states::<Patrol>(),
        FlowKind::PatrolPlan => check_states::<PatrolPlan>(),
        FlowKind::Household => check_states::<Household>(),
        FlowKind::Visit => check_states::<Visit>(),
        FlowKind::Campaign => check_states::<Campaign>(),
        FlowKind::Form => check_states::<Form>(),
        FlowKind::Media => check_states::<Media>(),
        FlowKind::ContentReview => check_states::<Review>(),
        FlowKind::Areas => check_areas(),
    }
}

fn check_areas() {
    let areas = committed(FlowKind::Areas);
    check_hashes(&areas, FlowKind::Areas);
    for History { entries, state } in &areas {
        let records: Vec<Record> = serde_json::from_value(state.clone()).unwrap();
        let registry = records.into_iter().fold(Registry::default(), |mut registry, record| {
            registry.put(record);
            registry
        });
        for entry in entries {
            for event in read_events::<areas::Event>(&entry.events).unwrap() {
                assert!(registry.reflects_event(&event), "the areas do not show {event:?}");
            }
        }
    }
}

#[test]
fn every_type_of_event_stands_in_a_committed_journal() {
    let walked = LazyCell::new(histories::of_cases);
    for kind in FlowKind::ALL {
        match kind {
            FlowKind::Report => check_complete::<Report>(|| walked.1.clone()),
            FlowKind::Case => check_complete::<Case>(|| walked.0.clone()),
            FlowKind::Person => check_complete::<Person>(histories::of_people),
            FlowKind::Policy => check_complete::<Policy>(histories::of_policies),
            FlowKind::Patrol => check_complete::<Patrol>(histories::of_patrols),
            FlowKind::PatrolPlan => check_complete::<PatrolPlan>(histories::of_plans),
            FlowKind::Household => check_complete::<Household>(histories::of_households),
            FlowKind::Visit => check_complete::<Visit>(histories::of_visits),
            FlowKind::Campaign => check_complete::<Campaign>(histories::of_campaigns),
            FlowKind::Form => check_complete::<Form>(histories::of_forms),
            FlowKind::Media => check_complete::<Media>(histories::of_media),
            FlowKind::ContentReview => check_complete::<Review>(histories::of_reviews),
            FlowKind::Areas => check_areas_complete(),
        }
    }
}

fn check_areas_complete() {
    if updates() && !lacking::<areas::Event>(FlowKind::Areas).is_empty() {
        let (log, registry) = super::areas::history();
        let state = serde_json::to_value(registry.iter().collect::<Vec<&Record>>()).unwrap();
        add(FlowKind::Areas, &[History { entries: areas_entries(&log), state }]);
    }
    check_lacks_nothing::<areas::Event>(FlowKind::Areas);
}

/// A file of a kind that is not checked would never be read.
#[test]
fn every_committed_file_is_the_journal_of_a_kind_of_flow() {
    for version in fs::read_dir(folder()).unwrap() {
        for file in fs::read_dir(version.unwrap().path()).unwrap() {
            let file = file.unwrap().path();
            let kind = file.file_stem().and_then(|stem| FlowKind::parse(stem.to_str().unwrap()));
            let named = kind.is_some_and(|kind| files(kind).contains(&file));
            assert!(named, "{} is no journal", file.display());
        }
    }
}
