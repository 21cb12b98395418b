//! The results, as a table for people and a file for the repository.

use std::{fmt::Write, path::Path};

use crate::trouble::Done;

/// The direction of a budget.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Budget {
    /// At least so much.
    AtLeast,
    /// At most so much.
    AtMost,
}

/// One line: a measurement, with its budget when it has one.
#[derive(Clone, Debug)]
struct Row {
    what: String,
    budget: Option<(Budget, f64)>,
    measured: f64,
    unit: &'static str,
    detail: String,
}

/// All measurements so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Results {
    rows: Vec<Row>,
    tables: Vec<(String, Vec<[String; 6]>)>,
    about: Vec<String>,
}

/// A number as people read it.
pub(crate) fn format_number(value: f64) -> String {
    match value.abs() {
        size if size >= 1000.0 => {
            let whole = format!("{value:.0}");
            let groups: Vec<&str> = whole
                .as_bytes()
                .rchunks(3)
                .rev()
                .filter_map(|group| std::str::from_utf8(group).ok())
                .collect();
            groups.join(" ")
        }
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

impl Row {
    fn is_hit(&self) -> Option<bool> {
        let (budget, limit) = self.budget?;
        Some(match budget {
            Budget::AtLeast => self.measured >= limit,
            Budget::AtMost => self.measured <= limit,
        })
    }

    fn render_budget(&self) -> String {
        let sign = |budget| if budget == Budget::AtLeast { '≥' } else { '≤' };
        let text =
            |(budget, limit)| format!("{} {}{}", sign(budget), format_number(limit), self.unit);
        self.budget.map(text).unwrap_or_default()
    }

    fn render_verdict(&self) -> String {
        let Some((_, limit)) = self.budget else { return String::new() };
        let share = (self.measured / limit - 1.0) * 100.0;
        match self.is_hit() {
            Some(true) => "hit".to_owned(),
            Some(false) => format!("**missed**: {share:+.0} %"),
            None => String::new(),
        }
    }
}

impl Results {
    /// Empty results, for this machine with these versions.
    pub(crate) fn with_about(about: Vec<String>) -> Self {
        Self { about, ..Self::default() }
    }

    /// Adds a line about the circumstances.
    pub(crate) fn add_circumstance(&mut self, line: String) {
        self.about.push(line);
    }

    /// Adds a measurement that has a budget.
    pub(crate) fn add_against(
        &mut self,
        what: &str,
        (budget, limit, unit): (Budget, f64, &'static str),
        measured: f64,
        detail: String,
    ) {
        let what = what.to_owned();
        self.rows.push(Row { what, budget: Some((budget, limit)), measured, unit, detail });
    }

    /// Adds a measurement that has none.
    pub(crate) fn add_note(
        &mut self,
        what: &str,
        measured: f64,
        unit: &'static str,
        detail: String,
    ) {
        let what = what.to_owned();
        self.rows.push(Row { what, budget: None, measured, unit, detail });
    }

    /// Adds a table of details; its first line is the header.
    pub(crate) fn add_table(&mut self, title: &str, rows: Vec<[String; 6]>) {
        self.tables.push((title.to_owned(), rows));
    }

    /// How many budgets were missed.
    pub(crate) fn count_misses(&self) -> usize {
        self.rows.iter().filter(|row| row.is_hit() == Some(false)).count()
    }

    /// All results as Markdown, which a terminal shows as well.
    pub(crate) fn render_markdown(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        for line in &self.about {
            let _ = writeln!(text, "- {line}");
        }
        let _ = writeln!(text, "\n| what | budget | measured | verdict | beside it |");
        let _ = writeln!(text, "|---|---|---|---|---|");
        for row in &self.rows {
            let measured = format!("{}{}", format_number(row.measured), row.unit);
            let (budget, verdict) = (row.render_budget(), row.render_verdict());
            let _ = writeln!(
                text,
                "| {} | {budget} | {measured} | {verdict} | {} |",
                row.what, row.detail
            );
        }
        for (title, rows) in &self.tables {
            let _ = writeln!(text, "\n{title}\n");
            for (index, row) in rows.iter().enumerate() {
                let _ = writeln!(text, "| {} |", row.join(" | "));
                if index == 0 {
                    let _ = writeln!(text, "|---|---|---|---|---|---|");
                }
            }
        }
        text
    }

    /// Writes the file.
    pub(crate) fn save(&self, file: &Path) -> Done {
        let head = "# Results\n\nWritten by `make bench`; what is measured and how stands in \
                    README.md. Budgets are those of the design. Ratios within one run mean \
                    more than rates of different runs.\n\n";
        Ok(std::fs::write(file, format!("{head}{}", self.render_markdown()))?)
    }
}
