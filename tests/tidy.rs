//! The rules of the code base that no compiler checks.

use std::path::Path;

use crate::harness::workspace_root;

/// Every Rust source of the workspace: its path from the root, and its text.
pub(crate) fn load_sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for member in ["domain", "persistence", "api", "tests", "bench"] {
        collect_sources(&workspace_root().join(member), &mut found);
    }
    assert!(found.len() > 80, "only {} sources", found.len());
    found.sort();
    found
}

fn collect_sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_none_or(|name| name != "target") {
                collect_sources(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name =
                path.strip_prefix(workspace_root()).unwrap().to_string_lossy().replace('\\', "/");
            found.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
}

/// Of two schemas with one name the API document would silently keep one.
#[test]
fn every_schema_has_a_name_of_its_own() {
    fn files(at: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files(&path, found);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                found.push(path);
            }
        }
    }
    let mut sources = Vec::new();
    files(&crate::harness::workspace_root().join("api/src"), &mut sources);
    let mut names = std::collections::BTreeSet::new();
    for path in sources {
        let text = std::fs::read_to_string(&path).unwrap();
        let mut schema = false;
        for line in text.lines() {
            if line.starts_with("#[derive(") {
                schema = line.contains("ToSchema");
            }
            let name = ["pub struct ", "pub enum "].iter().find_map(|word| line.strip_prefix(word));
            let name = name.filter(|_| std::mem::take(&mut schema));
            // `flow_view!` makes a schema of `XView of X as x, given (…)`.
            let view = line.split_once(" as ").filter(|(_, rest)| rest.contains(", given ("));
            let view = view.and_then(|(head, _)| head.trim_start().split_once(" of "));
            if let Some(name) = name.or(view.map(|(name, _)| name)) {
                let name: String = name.chars().take_while(char::is_ascii_alphanumeric).collect();
                assert!(names.insert(name.clone()), "{name} twice, lately in {}", path.display());
            }
        }
    }
    assert!(names.len() > 200, "{}", names.len());
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<_> =
        load_sources().into_iter().filter(|(_, text)| !text.starts_with("//! ")).collect();
    let silent: Vec<_> = silent.iter().map(|(path, _)| path).collect();
    assert!(silent.is_empty(), "these begin without `//! `: {silent:#?}");
}

#[test]
fn nothing_is_left_for_later() {
    // Written so that this file does not contain what it looks for.
    let forbidden: Vec<String> = [
        ("TO", "DO"),
        ("FIX", "ME"),
        ("XX", "X"),
        ("todo", "!("),
        ("unimplemented", "!("),
        ("dbg", "!("),
    ]
    .iter()
    .map(|(head, tail)| format!("{head}{tail}"))
    .collect();
    let mut found = Vec::new();
    for (path, text) in load_sources() {
        for (index, line) in text.lines().enumerate() {
            if forbidden.iter().any(|word| line.contains(word)) {
                found.push(format!("{path}:{}: {}", index + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn every_file_ends_with_one_line_break() {
    let mut wrong = Vec::new();
    for (path, text) in load_sources() {
        let clean = text.ends_with('\n') && !text.ends_with("\n\n") && !text.contains('\r');
        let trailing = text.lines().position(|line| line.ends_with([' ', '\t']));
        if !clean || trailing.is_some() {
            wrong.push((path, trailing.map(|line| line + 1)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// In the API document such comments are the only description of a field: "Which." says nothing.
#[test]
fn a_doc_comment_says_more_than_a_word_or_two() {
    const DOC: &str = "///";
    let of_a_word = |letter: char| letter.is_ascii_alphanumeric() || "'`_-".contains(letter);
    let chinese = |letter: char| ('\u{4e00}'..='\u{9fff}').contains(&letter);
    let (mut alone, mut short) = (0, Vec::new());
    for (path, text) in load_sources() {
        let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
        let goes_on = |at: Option<usize>| {
            at.and_then(|at| lines.get(at)).is_some_and(|line| line.starts_with(DOC))
        };
        for (index, line) in lines.iter().enumerate() {
            let Some(said) = line.strip_prefix(DOC) else { continue };
            // A line of several may be short.
            if goes_on(index.checked_sub(1)) || goes_on(index.checked_add(1)) {
                continue;
            }
            alone += 1;
            let words =
                said.split(|letter: char| !of_a_word(letter)).filter(|word| !word.is_empty());
            if words.count() <= 2 && !said.chars().any(chinese) {
                short.push(format!("{path}:{}: {}", index + 1, line.trim_end()));
            }
        }
    }
    assert!(alone > 1000, "only {alone} comments of one line");
    assert!(short.is_empty(), "these say too little: {short:#?}");
}

/// Irregular participles that a function might be called; regular ones end in `ed`.
const PARTICIPLES: [&str; 34] = [
    "begun", "bound", "broken", "brought", "built", "chosen", "done", "drawn", "found", "given",
    "held", "hidden", "kept", "known", "laid", "left", "lost", "made", "met", "proven", "said",
    "seen", "sent", "shown", "sold", "spent", "stood", "taken", "taught", "thought", "told",
    "undone", "woken", "written",
];

/// Verbs that end like a participle.
const VERBS: [&str; 6] = ["embed", "exceed", "feed", "need", "proceed", "seed"];

#[test]
fn no_public_function_is_called_by_a_bare_participle() {
    let mut bad = Vec::new();
    for (file, text) in load_sources() {
        for line in text.lines().map(str::trim).filter(|line| line.starts_with("pub")) {
            let Some((_, rest)) = line.split_once("fn ") else { continue };
            let ends = |letter: char| !letter.is_ascii_alphanumeric() && letter != '_';
            let name = rest.split(ends).next().unwrap_or_default();
            let regular = name.ends_with("ed") && !name.contains('_') && !VERBS.contains(&name);
            if regular || PARTICIPLES.contains(&name) {
                bad.push(format!("{file}: {name}"));
            }
        }
    }
    assert!(bad.is_empty(), "a function is a verb with an object: {bad:#?}");
}

#[test]
fn an_exception_has_a_reason() {
    for (path, text) in load_sources() {
        for (index, line) in text.lines().enumerate() {
            let exception = line.trim_start().starts_with("#[expect(")
                || line.trim_start().starts_with("#![expect(");
            let whole = text.lines().skip(index).take(12).collect::<Vec<_>>().join(" ");
            assert!(!exception || whole.contains("reason = "), "{path}:{}", index + 1);
            let silenced = line.trim_start().starts_with("#[allow(")
                || line.trim_start().starts_with("#![allow(");
            assert!(!silenced, "{path}:{}: expect, do not allow", index + 1);
        }
    }
}

#[test]
fn sizes_are_reported() {
    let mut sizes: Vec<(usize, String)> =
        load_sources().into_iter().map(|(path, text)| (text.lines().count(), path)).collect();
    sizes.sort_unstable_by(|one, other| other.cmp(one));
    for (lines, path) in sizes.iter().filter(|(lines, _)| *lines > 400) {
        println!("{lines:>5} {path}");
    }
}

#[test]
fn every_story_the_security_page_names_exists() {
    let page = std::fs::read_to_string(workspace_root().join("docs/security.md")).unwrap();
    let named = page.split('`').skip(1).step_by(2).filter_map(|code| code.split_once("::"));
    let named: Vec<_> = named.collect();
    assert!(named.len() > 40, "only {} stories", named.len());
    for (module, story) in named {
        let text = std::fs::read_to_string(workspace_root().join(format!("tests/{module}.rs")));
        let told = text.is_ok_and(|text| text.contains(&format!("fn {story}(")));
        assert!(told, "no story {module}::{story}");
    }
}
