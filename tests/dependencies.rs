//! Crates that read from the network have at least the version that `deny.toml` names, with the
//! reason.

use crate::harness::workspace_root;

/// The crates that parse or decrypt bytes of strangers.
const STACK: [&str; 8] =
    ["actix-http", "httparse", "idna", "mio", "ring", "rustls", "rustls-webpki", "tokio"];

/// The least version of a crate, and why.
struct Least {
    name: String,
    version: Vec<u64>,
    reason: String,
}

fn parse_version(text: &str) -> Vec<u64> {
    text.split('.').map(|part| part.parse().unwrap_or_else(|_| panic!("{text}"))).collect()
}

fn find_between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split_once(before)?.1.split_once(after).map(|(found, _)| found)
}

fn load_minimums() -> Vec<Least> {
    let text = std::fs::read_to_string(workspace_root().join("deny.toml")).unwrap();
    let entry = |line: &str| {
        let (name, least) = find_between(line, "crate = \"", "\"")?.split_once(":<")?;
        let reason = find_between(line, "reason = \"", "\"")?.to_owned();
        Some(Least { name: name.to_owned(), version: parse_version(least), reason })
    };
    text.lines().filter_map(entry).collect()
}

/// Every version of every crate in the lock file.
fn load_locked_versions() -> Vec<(String, Vec<u64>)> {
    let text = std::fs::read_to_string(workspace_root().join("Cargo.lock")).unwrap();
    let package = |block: &str| {
        let name = find_between(block, "name = \"", "\"")?.to_owned();
        let text = find_between(block, "version = \"", "\"")?;
        let plain = text.split(['-', '+']).next().unwrap_or(text);
        Some((name, parse_version(plain)))
    };
    text.split("[[package]]").filter_map(package).collect()
}

#[test]
fn what_reads_from_the_network_is_new_enough() {
    let (least, locked) = (load_minimums(), load_locked_versions());
    for name in STACK {
        let known = least.iter().any(|one| one.name == name && !one.reason.is_empty());
        assert!(known, "deny.toml names no least version of {name}, or no reason");
    }
    for Least { name, version, reason } in &least {
        let found: Vec<_> = locked.iter().filter(|(other, _)| other == name).collect();
        assert!(!found.is_empty(), "{name} is not depended on: take it out of deny.toml");
        for (_, has) in found {
            assert!(has >= version, "{name} {has:?} is older than {version:?}: {reason}");
        }
    }
}
