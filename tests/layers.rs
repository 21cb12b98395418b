//! The arrows: `api → persistence → domain`.

use std::collections::BTreeSet;

use crate::harness::root;

/// The dependencies a manifest names, of whichever kind.
fn dependencies(member: &str) -> BTreeSet<String> {
    let manifest = std::fs::read_to_string(root().join(member).join("Cargo.toml")).unwrap();
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

fn lacks(member: &str, forbidden: &[&str]) {
    let found = dependencies(member);
    for name in forbidden {
        let wrong =
            found.iter().find(|found| *found == name || found.starts_with(&format!("{name}-")));
        assert_eq!(wrong, None, "{member} must not depend on {name}");
    }
}

#[test]
fn the_domain_knows_neither_the_database_nor_the_web() {
    lacks(
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
    lacks("persistence", &["actix", "utoipa", "api", "jsonwebtoken", "argon2", "ureq", "clap"]);
}

#[test]
fn the_web_knows_nothing_of_the_database() {
    lacks(
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
        let manifest = std::fs::read_to_string(root().join(member).join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[lints]\nworkspace = true"), "{member}");
    }
}

/// Every `.rs` file below a folder that contains `needle` outside its tests.
fn mentions(folder: &str, needle: &str) -> Vec<String> {
    crate::tidy::sources()
        .into_iter()
        .filter(|(path, _)| path.starts_with(folder) && !path.ends_with("tests.rs"))
        .filter(|(_, text)| text.split("#[cfg(test)]").next().unwrap_or_default().contains(needle))
        .map(|(path, _)| path)
        .collect()
}

#[test]
fn each_thing_is_done_in_one_place() {
    assert_eq!(mentions("api/src", "std::env::var"), ["api/src/app/config.rs"]);
    assert_eq!(mentions("api/src", "Utc::now()"), ["api/src/app/clock.rs"]);
    assert_eq!(mentions("api/src", "now_v7()"), ["api/src/app/clock.rs"]);
    assert_eq!(mentions("api/src", "Argon2::new"), ["api/src/app/password.rs"]);
    for needle in ["SystemTime", "Utc::now", "now_v7", "std::fs", "std::net", "std::env"] {
        assert_eq!(mentions("domain/src", needle), Vec::<String>::new(), "{needle}");
    }
    // The status of a failure is decided by the table of problems alone.
    for needle in ["BAD_REQUEST", "UNPROCESSABLE_ENTITY", "CONFLICT", "FORBIDDEN"] {
        let found = mentions("api/src", needle);
        let elsewhere: Vec<_> =
            found.iter().filter(|path| !path.starts_with("api/src/http/problem")).collect();
        assert!(elsewhere.is_empty(), "{needle}: {elsewhere:?}");
    }
}
