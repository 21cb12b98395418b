//! Every change, removal, repetition or reordering in a journal is detected.

use domain::{
    Instant,
    core::{
        id::{CommandId, PersonId, TenantId},
        journal::{Break, Entry, FlowKind, Hash, verify_chain},
    },
};
use uuid::Uuid;

use super::script::Script;

fn other_hash(hash: Hash) -> Hash {
    let mut bytes = hash.0;
    bytes[31] ^= 1;
    Hash(bytes)
}

fn other_id(id: Uuid) -> Uuid {
    Uuid::from_u128(id.as_u128() ^ 1)
}

fn next_millisecond(at: Instant) -> Instant {
    at + chrono::Duration::milliseconds(1)
}

/// One way to tamper with an entry; the content hash detects all of them.
type Tampering = (&'static str, fn(&mut Entry));

const CONTENT: &[Tampering] = &[
    ("tenant", |e| e.tenant = TenantId(other_id(e.tenant.0))),
    ("flow", |e| e.flow = FlowKind::Report),
    ("flow_id", |e| e.flow_id = other_id(e.flow_id)),
    ("command", |e| e.command = CommandId(other_id(e.command.0))),
    ("part", |e| e.part += 1),
    ("name", |e| e.name.push('s')),
    ("digest", |e| e.digest = other_hash(e.digest)),
    ("actor", |e| e.actor = PersonId(other_id(e.actor.0))),
    ("actor_name", |e| e.actor_name.push('甲')),
    ("at", |e| e.at = next_millisecond(e.at)),
    ("events", |e| e.events = e.events.replacen('}', " }", 1)),
    ("hash", |e| e.hash = other_hash(e.hash)),
    ("a letter moved from the actor's name to the events", |e| {
        let letter = e.actor_name.pop().unwrap();
        e.events.insert(0, letter);
    }),
];

#[test]
fn any_changed_field_of_any_entry_is_found_at_its_place() {
    let entries = Script::whistle_closed().chain.entries;
    assert!(entries.len() > 10);
    assert_eq!(verify_chain(&entries), Ok(entries.last().unwrap().hash));
    for index in 0..entries.len() {
        let seq = entries[index].seq;
        let tampered = |change: fn(&mut Entry)| {
            let mut entries = entries.clone();
            change(&mut entries[index]);
            verify_chain(&entries)
        };
        for (field, change) in CONTENT {
            assert_eq!(tampered(*change), Err(Break::Content { seq }), "{field} of {seq}");
        }
        let moved = tampered(|e| e.seq += 1);
        assert_eq!(moved, Err(Break::Order { expected: seq, found: seq + 1 }));
        assert_eq!(tampered(|e| e.before = other_hash(e.before)), Err(Break::Link { seq }));
    }
}

#[test]
fn a_resealed_entry_breaks_the_one_after_it() {
    let entries = Script::whistle_closed().chain.entries;
    for index in 0..entries.len() {
        let mut entries = entries.clone();
        let mut entry = entries[index].clone();
        entry.events = entry.events.replacen('}', " }", 1);
        entries[index] = entry.with_computed_hash();
        let found = verify_chain(&entries);
        match entries.get(index + 1) {
            Some(next) => assert_eq!(found, Err(Break::Link { seq: next.seq })),
            // A change of the last entry is detected only by a head that is stored elsewhere.
            None => assert_ne!(found, Ok(Script::whistle_closed().chain.entries[index].hash)),
        }
    }
}

#[test]
fn a_missing_repeated_or_swapped_entry_is_found() {
    let entries = Script::whistle_closed().chain.entries;
    for index in 0..entries.len() - 1 {
        let expected = entries[index].seq;
        let mut missing = entries.clone();
        missing.remove(index);
        let order = |found| Err(Break::Order { expected, found });
        assert_eq!(verify_chain(&missing), order(expected + 1));
        let mut swapped = entries.clone();
        swapped.swap(index, index + 1);
        assert_eq!(verify_chain(&swapped), order(expected + 1));
        let mut twice = entries.clone();
        twice.insert(index, entries[index].clone());
        let after = Break::Order { expected: expected + 1, found: expected };
        assert_eq!(verify_chain(&twice), Err(after));
    }
    let short = &entries[..entries.len() - 1];
    assert_eq!(
        verify_chain(short),
        Ok(short.last().unwrap().hash),
        "the head tells how long it was"
    );
    assert_ne!(short.last().unwrap().hash, entries.last().unwrap().hash);
    assert_eq!(verify_chain([]), Ok(Hash::default()));
}
