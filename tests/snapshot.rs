//! Snapshots: what the program makes is compared with what is committed; `UPDATE=1` rewrites it.

use crate::harness::workspace_root;

/// Compares `made` with the committed `file`.
#[track_caller]
pub(crate) fn expect_committed(file: &str, made: &str) {
    let path = workspace_root().join(file);
    #[expect(clippy::disallowed_methods, reason = "asked for by whoever runs the tests")]
    let update = std::env::var("UPDATE").is_ok_and(|value| !value.is_empty() && value != "0");
    if update {
        std::fs::write(&path, made).expect("the snapshot can be written");
        return;
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    if known != made {
        let (line, (was, is)) = find_difference(&known, made);
        panic!(
            "{file} is not what the program makes; review and `UPDATE=1 make test` (or `make matrices`).\n\
             First difference in line {line}:\n  committed: {was}\n  made:      {is}"
        );
    }
}

fn find_difference<'a>(known: &'a str, made: &'a str) -> (usize, (&'a str, &'a str)) {
    let (mut known, mut made, mut line) = (known.lines(), made.lines(), 0);
    loop {
        line += 1;
        match (known.next(), made.next()) {
            (Some(was), Some(is)) if was == is => {}
            (None, None) => return (line, ("(the end)", "(the end)")),
            (was, is) => return (line, (was.unwrap_or("(the end)"), is.unwrap_or("(the end)"))),
        }
    }
}
