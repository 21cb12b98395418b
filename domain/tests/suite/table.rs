//! Tables for people: columns aligned where Chinese characters take two places, and compared with
//! the committed file.

/// The width of a text in a terminal.
fn text_width(text: &str) -> usize {
    let wide = |c: char| {
        matches!(u32::from(c),
            0x1100..=0x115F | 0x2E80..=0xA4CF | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF
            | 0xFE30..=0xFE4F | 0xFF00..=0xFF60 | 0xFFE0..=0xFFE6 | 0x1F300..=0x1FAFF)
    };
    text.chars().map(|c| if wide(c) { 2 } else { 1 }).sum()
}

/// The rows with their columns aligned.
pub(crate) fn align_rows(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widest = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| text_width(cell))
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(widest).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, place) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.push_str(&" ".repeat(place - text_width(cell) + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A row from borrowed cells.
pub(crate) fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

/// Whether committed files are to be written.
pub(crate) fn updates() -> bool {
    #[expect(clippy::disallowed_methods, reason = "whoever runs the tests asks for new files")]
    std::env::var("UPDATE").is_ok_and(|value| value == "1")
}

/// Compares with the committed file, or rewrites it under `UPDATE=1`.
pub(crate) fn check_snapshot(name: &str, text: &str) {
    let path = format!("{}/tests/{name}", env!("CARGO_MANIFEST_DIR"));
    if updates() {
        std::fs::write(&path, text).unwrap();
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        known == text,
        "{name} is not what the code does; look at the difference after \
         `UPDATE=1 cargo test -p domain`. It is now:\n{text}"
    );
}

#[test]
fn chinese_takes_two_places() {
    assert_eq!(text_width("网格 grid"), 9);
    let rows = [row(["网格", "x"]), row(["a", "y"])];
    assert_eq!(align_rows(&rows), "网格  x\na     y\n");
}
