//! Which file of a crate imports which, read from the source: `use` trees and paths in the code.
//!
//! An import counts for the file that defines the imported name, not for one that only re-exports
//! it, and a module that is imported counts by the names that are used through it. Code for tests
//! does not count.

use std::collections::{BTreeMap, BTreeSet};

use crate::{harness::workspace_root, tidy};

type Path = Vec<String>;

/// The imports between the files of one crate, by the names of their modules.
pub(crate) struct Imports(BTreeMap<String, BTreeSet<String>>);

impl Imports {
    /// Reads the sources of a member.
    pub(crate) fn read_member(member: &str) -> Self {
        let prefix = format!("{member}/src/");
        let mut files = BTreeMap::new();
        for (path, text) in tidy::load_sources() {
            let Some(name) = path.strip_prefix(&prefix) else { continue };
            let module: Path = match name.trim_end_matches(".rs") {
                "main" => continue,
                "lib" => Vec::new(),
                name => name.split('/').map(str::to_owned).collect(),
            };
            if module.last().is_none_or(|last| last != "tests") {
                files.insert(module, Source::parse_source(&text));
            }
        }
        assert!(
            files.len() > 40,
            "{} has only {} files",
            workspace_root().join(prefix).display(),
            files.len()
        );
        let handed_on: BTreeMap<&Path, BTreeMap<&str, Path>> = files
            .iter()
            .map(|(module, file)| (module, file.list_reexports(module, &files)))
            .collect();
        let mut imports = BTreeMap::new();
        for (module, file) in &files {
            let named = file.list_paths(module, &files);
            let found =
                named.into_iter().map(|path| find_defining_module(path, &files, &handed_on));
            let others = found.filter(|to| to != module).map(|to| to.join("::"));
            imports.insert(module.join("::"), others.collect());
        }
        Self(imports)
    }

    /// All pairs of importing and imported files.
    pub(crate) fn iter_pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(|(from, to)| to.iter().map(move |to| (from.as_str(), to.as_str())))
    }

    /// The circles: files each of which reaches each other by imports.
    pub(crate) fn find_circles(&self) -> Vec<Vec<&str>> {
        let reached: BTreeMap<&str, BTreeSet<&str>> =
            self.0.keys().map(|from| (from.as_str(), self.find_reachable(from))).collect();
        let mut circles: Vec<Vec<&str>> = Vec::new();
        for (from, to) in &reached {
            if to.contains(from) && !circles.iter().flatten().any(|known| known == from) {
                let back = |other: &&&str| reached.get(**other).is_some_and(|to| to.contains(from));
                circles.push(to.iter().filter(back).copied().collect());
            }
        }
        circles
    }

    fn find_reachable(&self, from: &str) -> BTreeSet<&str> {
        let (mut reached, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(file) = next.pop() {
            for to in self.0.get(file).into_iter().flatten() {
                if reached.insert(to.as_str()) {
                    next.push(to);
                }
            }
        }
        reached
    }
}

/// The module that defines the name of a path.
fn find_defining_module(
    mut path: Path,
    files: &BTreeMap<Path, Source>,
    handed_on: &BTreeMap<&Path, BTreeMap<&str, Path>>,
) -> Path {
    for _ in 0..10 {
        let mut module = path.clone();
        while !files.contains_key(&module) {
            module.pop();
        }
        let Some(item) = path.get(module.len()) else { return module };
        let Some(there) = handed_on.get(&module).and_then(|names| names.get(item.as_str())) else {
            return module;
        };
        path = there.iter().chain(path.iter().skip(module.len() + 1)).cloned().collect();
    }
    panic!("{path:?} is handed on in a circle");
}

/// One name of a `use` tree.
struct Leaf {
    within: Path,
    path: Path,
    /// The name it has here; none for a glob import.
    name: Option<String>,
    /// Whether it is re-exported.
    public: bool,
}

/// The imports of a file.
struct Source {
    uses: Vec<Leaf>,
    /// Paths in the code, with the inline modules they stand in.
    paths: Vec<(Path, Path)>,
    /// Every word of the code outside of `use`.
    words: BTreeSet<String>,
}

impl Source {
    fn parse_source(text: &str) -> Self {
        let tokens = without_tests(&split_tokens(text));
        let token = |at: usize| tokens.get(at).map_or("", String::as_str);
        let mut file = Self { uses: Vec::new(), paths: Vec::new(), words: BTreeSet::new() };
        let (mut at, mut open): (usize, Vec<Option<String>>) = (0, Vec::new());
        while at < tokens.len() {
            let before = at.checked_sub(1).map_or("", token);
            match token(at) {
                "mod" if token(at + 2) == "{" => {
                    open.push(Some(token(at + 1).to_owned()));
                    at += 3;
                }
                "{" => {
                    open.push(None);
                    at += 1;
                }
                "}" => {
                    open.pop();
                    at += 1;
                }
                "use" if matches!(before, "" | ";" | "}" | "{" | "]" | ")" | "pub") => {
                    let within: Path = open.iter().flatten().cloned().collect();
                    let public = matches!(before, ")" | "pub");
                    at = parse_use_tree(&tokens, at + 1, &[], &mut |path, name| {
                        let within = within.clone();
                        file.uses.push(Leaf { within, path, name, public });
                    });
                }
                // A visibility (`pub(in …)`) is no import.
                "in" if before == "(" => at += 2,
                word if is_word(word) => {
                    file.words.insert(word.to_owned());
                    let mut path = vec![word.to_owned()];
                    while token(at + 1) == "::" && is_word(token(at + 2)) {
                        path.push(token(at + 2).to_owned());
                        at += 2;
                    }
                    let within = open.iter().flatten().cloned().collect();
                    if path.len() > 1 && before != "::" {
                        file.paths.push((within, path));
                    }
                    at += 1;
                }
                _ => at += 1,
            }
        }
        file
    }

    /// The names re-exported here although they are defined elsewhere.
    fn list_reexports(&self, module: &Path, files: &BTreeMap<Path, Self>) -> BTreeMap<&str, Path> {
        let public = self.uses.iter().filter(|leaf| leaf.public && leaf.within.is_empty());
        let of = |leaf| resolve_leaf(module, leaf, files);
        public.filter_map(|leaf| Some((leaf.name.as_deref()?, of(leaf)?))).collect()
    }

    /// Every path of this crate that is used, from the root.
    fn list_paths(&self, module: &Path, files: &BTreeMap<Path, Self>) -> Vec<Path> {
        let mut modules = BTreeMap::new();
        for leaf in &self.uses {
            if let (Some(name), Some(path)) = (&leaf.name, resolve_leaf(module, leaf, files))
                && files.contains_key(&path)
            {
                modules.insert(name.as_str(), path);
            }
        }
        let first: BTreeSet<&str> =
            self.paths.iter().filter_map(|(_, path)| path.first()).map(String::as_str).collect();
        let mut named = Vec::new();
        for leaf in &self.uses {
            let name = leaf.name.as_deref().unwrap_or_default();
            let unused = leaf.public && leaf.name.is_some() && !self.words.contains(name);
            let through = modules.contains_key(name) && first.contains(name);
            if !unused && !through {
                named.extend(resolve_leaf(module, leaf, files));
            }
        }
        for (within, path) in &self.paths {
            let here: Path = module.iter().chain(within).cloned().collect();
            let through = path.split_first().and_then(|(name, rest)| {
                Some(modules.get(name.as_str())?.iter().chain(rest).cloned().collect())
            });
            named.extend(resolve_path(&here, path, files).or(through));
        }
        named
    }
}

fn resolve_leaf(module: &Path, leaf: &Leaf, files: &BTreeMap<Path, Source>) -> Option<Path> {
    let here: Path = module.iter().chain(&leaf.within).cloned().collect();
    resolve_path(&here, &leaf.path, files)
}

/// A path from the root of its crate; none of another crate or of something in scope.
fn resolve_path(here: &Path, path: &Path, files: &BTreeMap<Path, Source>) -> Option<Path> {
    let (first, rest) = path.split_first()?;
    let mut from = here.clone();
    match first.as_str() {
        "crate" => return Some(rest.to_vec()),
        "self" => {}
        "super" => {
            from.pop();
        }
        _ => from.push(first.clone()),
    }
    if matches!(first.as_str(), "self" | "super") {
        let mut rest = rest;
        while let Some((up, others)) = rest.split_first()
            && up == "super"
        {
            from.pop();
            rest = others;
        }
        from.extend(rest.iter().cloned());
        return Some(from);
    }
    files.contains_key(&from).then(|| from.into_iter().chain(rest.iter().cloned()).collect())
}

/// Parses a tree of `use` from a token on; answers where it ends.
fn parse_use_tree(
    tokens: &[String],
    mut at: usize,
    above: &[String],
    found: &mut dyn FnMut(Path, Option<String>),
) -> usize {
    let token = |at: usize| tokens.get(at).map_or("", String::as_str);
    let mut path = above.to_vec();
    loop {
        match token(at) {
            "{" => {
                at += 1;
                while token(at) != "}" {
                    at = parse_use_tree(tokens, at, &path, found);
                    at += usize::from(token(at) == ",");
                }
                return at + 1;
            }
            "*" => {
                found(path, None);
                return at + 1;
            }
            "::" => at += 1,
            "self" if !path.is_empty() => at += 1,
            word if is_word(word) && word != "as" => {
                path.push(word.to_owned());
                at += 1;
            }
            _ => break,
        }
    }
    let mut name = path.last().cloned();
    if token(at) == "as" {
        name = Some(token(at + 1).to_owned());
        at += 2;
    }
    found(path, name);
    at
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Words, `::` and single characters; without comments and the content of strings.
fn split_tokens(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let char = |at: usize| chars.get(at).copied().unwrap_or_default();
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let (mut tokens, mut at) = (Vec::new(), 0);
    while at < chars.len() {
        match char(at) {
            '/' if char(at + 1) == '/' => {
                while at < chars.len() && char(at) != '\n' {
                    at += 1;
                }
            }
            '"' => {
                at += 1;
                while at < chars.len() && char(at) != '"' {
                    at += if char(at) == '\\' { 2 } else { 1 };
                }
                at += 1;
            }
            'r' if find_raw_end(&chars, at).is_some() => {
                at = find_raw_end(&chars, at).unwrap_or(at);
            }
            // A character, not a lifetime.
            '\'' if char(at + 1) == '\\' || char(at + 2) == '\'' => {
                at += if char(at + 1) == '\\' { 3 } else { 2 };
                while at < chars.len() && char(at) != '\'' {
                    at += 1;
                }
                at += 1;
            }
            ':' if char(at + 1) == ':' => {
                tokens.push("::".to_owned());
                at += 2;
            }
            c if is_part(c) => {
                let begin = at;
                while is_part(char(at)) {
                    at += 1;
                }
                // A byte string, or one of C.
                if char(at) == '"' && at - begin < 3 {
                    continue;
                }
                tokens.push(chars.get(begin..at).unwrap_or_default().iter().collect());
            }
            c => {
                if !c.is_whitespace() {
                    tokens.push(c.to_string());
                }
                at += 1;
            }
        }
    }
    tokens
}

/// Where a raw string ends that begins here.
fn find_raw_end(chars: &[char], at: usize) -> Option<usize> {
    let marks = chars.get(at + 1..)?.iter().take_while(|c| **c == '#').count();
    let begin = at + 1 + marks;
    if chars.get(begin) != Some(&'"') {
        return None;
    }
    let ends = |at: &usize| {
        chars.get(*at) == Some(&'"')
            && chars.get(at + 1..=at + marks).is_some_and(|rest| rest.iter().all(|c| *c == '#'))
    };
    (begin + 1..chars.len()).find(ends).map(|end| end + 1 + marks)
}

/// Without the items below `#[cfg(test)]`.
fn without_tests(tokens: &[String]) -> Vec<String> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let (mut kept, mut at) = (Vec::new(), 0);
    while let Some(token) = tokens.get(at) {
        if !tokens.get(at..).unwrap_or_default().iter().take(7).eq(MARK) {
            kept.push(token.clone());
            at += 1;
            continue;
        }
        at += MARK.len();
        let mut depth = 0_usize;
        while let Some(token) = tokens.get(at) {
            at += 1;
            match token.as_str() {
                "{" | "(" | "[" => depth += 1,
                "}" | ")" | "]" => depth -= 1,
                _ => {}
            }
            if depth == 0 && matches!(token.as_str(), "}" | ";") {
                break;
            }
        }
    }
    kept
}

#[test]
fn imports_are_read_from_trees_and_paths() {
    let text = r##"
        //! use crate::comments::Nothing;
        use crate::{a::{self, b::C}, d as e, f::*};
        pub use crate::handed::On;
        fn g() { let _ = ("use crate::string::No;", 'c', r#"crate::raw::No"#); crate::h::i(); e::j() }
        pub(in crate::seen) fn k<'a>() {}
        #[cfg(test)]
        mod tests { use crate::testing::Nothing; }
        mod inner { use super::l::M; }
    "##;
    let file = Source::parse_source(text);
    let uses: Vec<String> = file.uses.iter().map(|leaf| leaf.path.join("::")).collect();
    let trees =
        ["crate::a", "crate::a::b::C", "crate::d", "crate::f", "crate::handed::On", "super::l::M"];
    assert_eq!(uses, trees);
    let paths: Vec<String> = file.paths.iter().map(|(_, path)| path.join("::")).collect();
    assert_eq!(paths, ["crate::h::i", "e::j"]);
}
