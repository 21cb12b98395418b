//! The reporters of a matter at each entry of its journal. Reports join cases and leave them again;
//! what a person said as a reporter stays said as a reporter, and what a person did in office stays
//! done in office, whatever was joined or taken out since.

use domain::{
    core::{
        id::{PersonId, ReportId},
        journal::{Entry, FlowKind},
    },
    flows::{case, labels::labels_of, report, stored_event::read_events},
};

/// The commands that say which reports a case answers.
pub const TELLING: [&str; 3] = ["open", "join", "unjoin"];

/// A report of a matter, from one entry until before another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Tenure {
    report: ReportId,
    person: PersonId,
    from: i64,
    until: Option<i64>,
}

/// All reporters of a matter, and when they were.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reporters(Vec<Tenure>);

impl Reporters {
    /// The reporters of a report or a case, by entries that have all of [`TELLING`] among them;
    /// empty for any other flow.
    pub fn from_entries(entries: &[Entry]) -> Self {
        let mut all = Self::default();
        for entry in entries {
            if entry.flow == FlowKind::Report && entry.name == "submit" {
                all.add_report_entry(entry);
            }
            if entry.flow == FlowKind::Case && TELLING.contains(&entry.name.as_str()) {
                all.add_case_entry(entry);
            }
        }
        all
    }

    /// Reporters that are known from their reports, since the beginning of the flow.
    pub fn from_reports(reports: impl IntoIterator<Item = (ReportId, PersonId)>) -> Self {
        let mut all = Self::default();
        for (report, person) in reports {
            all.begin_tenure(report, person, 0);
        }
        all
    }

    fn add_report_entry(&mut self, entry: &Entry) {
        let events = read_events::<report::Event>(&entry.events).unwrap_or_default();
        for event in events {
            if let report::Event::Submitted { report } = event {
                self.begin_tenure(report.id, report.reporter, entry.seq);
            }
        }
    }

    fn add_case_entry(&mut self, entry: &Entry) {
        let events = read_events::<case::Event>(&entry.events).unwrap_or_default();
        for event in &events {
            if let case::Event::Opened { opening, .. } = event {
                self.begin_tenure(opening.reporter.report, opening.reporter.person, entry.seq);
            }
            if let case::Event::Joined { reporter } = event {
                self.begin_tenure(reporter.report, reporter.person, entry.seq);
            }
            if let case::Event::Unjoined { report } = event {
                let ending = self.0.iter_mut().filter(|one| one.report == *report);
                ending.for_each(|one| one.until = one.until.or(Some(entry.seq)));
            }
        }
    }

    fn begin_tenure(&mut self, report: ReportId, person: PersonId, from: i64) {
        self.0.push(Tenure { report, person, from, until: None });
    }

    /// The reports, each once.
    pub fn reports(&self) -> Vec<ReportId> {
        let mut reports: Vec<ReportId> = self.0.iter().map(|one| one.report).collect();
        reports.sort_unstable();
        reports.dedup();
        reports
    }

    /// The people who made the reports.
    pub fn people(&self) -> Vec<PersonId> {
        self.0.iter().map(|one| one.person).collect()
    }

    /// Only those who made these reports.
    #[must_use]
    pub fn filter_reports(mut self, reports: &[ReportId]) -> Self {
        self.0.retain(|one| reports.contains(&one.report));
        self
    }

    /// Whether one of them said an entry as a reporter.
    pub fn has_said(&self, entry: &Entry) -> bool {
        let reported = |one: &Tenure| {
            one.person == entry.actor
                && one.from <= entry.seq
                && one.until.is_none_or(|until| entry.seq < until)
        };
        is_sayable(entry) && self.0.iter().any(reported)
    }
}

/// Whether a reporter can give this command as one; everything else is done in office alone.
pub fn is_sayable(entry: &Entry) -> bool {
    (labels_of(entry.flow).is_said_by_reporters)(entry)
}
