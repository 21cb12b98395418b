//! The arrows: `api → persistence → domain`, and those between the folders of each.

use std::collections::BTreeSet;

use domain::core::journal::FlowKind;

use crate::{harness::workspace_root, imports::Imports, tidy};

/// The dependencies a manifest names, of all kinds.
fn load_dependencies(member: &str) -> BTreeSet<String> {
    let manifest =
        std::fs::read_to_string(workspace_root().join(member).join("Cargo.toml")).unwrap();
    let mut found = BTreeSet::new();
    let mut within = false;
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            within = line == "[dependencies]" || line == "[build-dependencies]";
        } else if let (true, Some((name, _))) = (within, line.split_once('=')) {
            found.insert(name.trim().trim_end_matches(".workspace").to_owned());
        }
    }
    assert!(!found.is_empty() || member == "tests", "{member} depends on nothing?");
    found
}

fn expect_no_dependency(member: &str, forbidden: &[&str]) {
    let found = load_dependencies(member);
    for name in forbidden {
        let wrong =
            found.iter().find(|found| *found == name || found.starts_with(&format!("{name}-")));
        assert_eq!(wrong, None, "{member} must not depend on {name}");
    }
}

#[test]
fn the_domain_knows_neither_the_database_nor_the_web() {
    expect_no_dependency(
        "domain",
        &[
            "tokio",
            "diesel",
            "actix",
            "utoipa",
            "utoipa-actix-web",
            "persistence",
            "api",
            "tracing",
            "ureq",
            "getrandom",
            "reqwest",
        ],
    );
}

#[test]
fn the_database_knows_nothing_of_the_web() {
    expect_no_dependency(
        "persistence",
        &["actix", "utoipa", "api", "jsonwebtoken", "argon2", "ureq", "clap"],
    );
}

#[test]
fn the_web_knows_nothing_of_the_database() {
    expect_no_dependency(
        "api",
        &[
            "diesel",
            "diesel_migrations",
            "libsqlite3-sys",
            "pq-sys",
            "geo",
            "rstar",
            "tests",
            "bench",
        ],
    );
}

#[test]
fn every_member_is_linted_alike() {
    for member in ["domain", "persistence", "api", "tests", "bench"] {
        let manifest =
            std::fs::read_to_string(workspace_root().join(member).join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[lints]\nworkspace = true"), "{member}");
    }
}

/// Every `.rs` file below a folder that contains `needle` outside its tests.
fn find_mentions(folder: &str, needle: &str) -> Vec<String> {
    crate::tidy::load_sources()
        .into_iter()
        .filter(|(path, _)| path.starts_with(folder) && !path.ends_with("tests.rs"))
        .filter(|(_, text)| text.split("#[cfg(test)]").next().unwrap_or_default().contains(needle))
        .map(|(path, _)| path)
        .collect()
}

#[test]
fn each_thing_is_done_in_one_place() {
    assert_eq!(find_mentions("api/src", "std::env::var"), ["api/src/app/config.rs"]);
    assert_eq!(find_mentions("api/src", "Utc::now()"), ["api/src/app/clock.rs"]);
    assert_eq!(find_mentions("api/src", "now_v7()"), ["api/src/app/clock.rs"]);
    assert_eq!(find_mentions("api/src", "Argon2::new"), ["api/src/app/password.rs"]);
    for needle in ["SystemTime", "Utc::now", "now_v7", "std::fs", "std::net", "std::env"] {
        assert_eq!(find_mentions("domain/src", needle), Vec::<String>::new(), "{needle}");
    }
    // The status of a failure is decided by the table of problems alone.
    for needle in ["BAD_REQUEST", "UNPROCESSABLE_ENTITY", "CONFLICT", "FORBIDDEN"] {
        let found = find_mentions("api/src", needle);
        let elsewhere: Vec<_> =
            found.iter().filter(|path| !path.starts_with("api/src/http/problem")).collect();
        assert!(elsewhere.is_empty(), "{needle}: {elsewhere:?}");
    }
}

/// A folder, and those below it that it imports.
type Folder = (&'static str, &'static [&'static str]);

/// The imports allowed between the folders of a crate: each imports those below it. A file at the
/// root of a crate stands above its folders. What a folder holds is said in the crate's `lib.rs`.
const FOLDERS: [(&str, &[Folder]); 3] = [
    (
        "domain",
        &[
            ("core", &[]),
            ("area", &["core"]),
            ("calendar", &["core"]),
            ("people", &["core", "area"]),
            ("rules", &["core", "area", "calendar", "people"]),
            ("flows", &["core", "area", "calendar", "people", "rules"]),
        ],
    ),
    (
        "persistence",
        &[
            ("kernel", &[]),
            ("integrations", &["kernel"]),
            ("people", &["kernel", "integrations"]),
            ("flows", &["kernel", "integrations", "people"]),
        ],
    ),
    (
        "api",
        &[
            ("http", &[]),
            ("app", &["http"]),
            ("engine", &["http", "app"]),
            ("privacy", &["http", "app", "engine"]),
            ("access", &["http", "app", "engine", "privacy"]),
            ("resources", &["http", "app", "engine", "privacy", "access"]),
            ("integrations", &["http", "app", "engine", "privacy", "access", "resources"]),
            ("mobile", &["http", "app", "engine", "privacy", "access", "resources"]),
            (
                "cli",
                &["http", "app", "engine", "privacy", "access", "resources", "integrations", ROOT],
            ),
        ],
    ),
];

/// The files at the root of a crate, beside its folders.
const ROOT: &str = "";

/// The most files that import each other in a circle.
const CIRCLE: usize = 6;

#[test]
fn a_folder_imports_only_folders_below_it() {
    for (member, folders) in FOLDERS {
        let files = Imports::read_member(member);
        for (from, to) in files.iter_pairs() {
            let (above, below) = (module_folder(from), module_folder(to));
            if above == below || above == ROOT {
                continue;
            }
            let allowed = folders.iter().find(|(name, _)| *name == above);
            let allowed = allowed.unwrap_or_else(|| panic!("{member}: no folder {above}")).1;
            assert!(allowed.contains(&below), "{member}: {from} must not import {to}");
        }
    }
}

/// What is written beside commits is named by the file of its table: the application hands a job to
/// the store and no closure over the database.
#[test]
fn the_application_writes_by_commits_and_named_jobs_alone() {
    let mut jobs = 0;
    for (path, text) in
        tidy::load_sources().into_iter().filter(|(path, _)| path.starts_with("api/src/"))
    {
        let code: String = text.chars().filter(|letter| !letter.is_whitespace()).collect();
        for (at, _) in code.match_indices("store.run(") {
            let asked = &code[at + "store.run(".len()..];
            assert!(
                !asked.starts_with("move|") && !asked.starts_with('|'),
                "{path}: a closure writes"
            );
            jobs += 1;
        }
    }
    assert!(jobs > 50, "only {jobs} jobs");
    // Nothing outside of persistence can make a job, nor write where it may read.
    for (path, text) in
        tidy::load_sources().into_iter().filter(|(path, _)| path.starts_with("persistence/src/"))
    {
        assert!(!text.contains("pub fn new(work"), "{path}: anybody makes a job");
        for (at, _) in text.match_indices("\npub fn ") {
            let function = &text[at + 1..];
            let body = function.split_once("\n}\n").map_or(function, |(body, _)| body);
            let head = body.split_once('{').map_or(body, |(head, _)| head);
            let writes = ["diesel::insert_into(", "diesel::update(", "diesel::delete("];
            let writes = writes.iter().any(|write| body.contains(write));
            let probes = path.ends_with("/probe.rs");
            assert!(probes || !(head.contains("db: &mut Db") && writes), "{path}: {head}");
        }
    }
}

/// Where an entry gets its number among those of its command: numbers picked by hand collide sooner
/// or later.
#[test]
fn only_the_commit_numbers_the_entries_of_a_command() {
    let allowed = [
        "domain/src/core/journal.rs",
        "persistence/src/batch.rs",
        "persistence/src/kernel/flow.rs",
    ];
    for (path, text) in tidy::load_sources() {
        if !path.contains("/src/") || allowed.contains(&path.as_str()) {
            continue;
        }
        assert!(!text.contains("take_part("), "{path} numbers an entry");
    }
    // Nor does a crate above make an entry by itself.
    let made = tidy::load_sources().into_iter().filter(|(path, _)| path.starts_with("api/src/"));
    for (path, text) in made {
        assert!(!text.contains("Entry {\n        tenant"), "{path} makes an entry");
    }
}

#[test]
fn every_kind_of_flow_but_areas_stands_in_both_tables() {
    let kinds = FlowKind::ALL.iter().filter(|kind| **kind != FlowKind::Areas);
    let kinds: BTreeSet<&str> = kinds.map(|kind| kind.name()).collect();
    let kept: BTreeSet<&str> = persistence::FLOWS.iter().map(|flow| flow.kind().name()).collect();
    let served = api::engine::table::FLOWS.iter().map(|flow| flow.kind().name());
    assert_eq!(kept, kinds);
    assert_eq!(served.collect::<BTreeSet<&str>>(), kinds);
}

#[test]
fn no_more_than_six_files_import_each_other() {
    for (member, _) in FOLDERS {
        for circle in Imports::read_member(member).find_circles() {
            assert!(circle.len() <= CIRCLE, "{member}: {} files: {circle:#?}", circle.len());
        }
    }
}

fn module_folder(module: &str) -> &str {
    module.split_once("::").map_or(ROOT, |(folder, _)| folder)
}
