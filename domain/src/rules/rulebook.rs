//! Rules as data: everything a tenant decides for itself, compiled for queries.
//!
//! A value of [`Rules`] is an argument of every decision; nothing in the flows is a constant of a
//! city. It is built from the documents of [`crate::flows::policy`], each in its newest edition.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    Instant,
    calendar::{
        book::{Calendar, Calendars},
        limit::Limit,
    },
    core::{
        id::AreaId,
        tabular_import::{At, Fault},
        text::{Code, Line},
    },
    people::{privacy::Privacy, role::Powers},
    rules::{
        admission::Admissions,
        burden::Performance,
        duplicate::Duplicates,
        notice::Notices,
        obligation::Term,
        place::ReportDetails,
        responsibility::Responsibilities,
        sampling::{Percent, Sampling},
        sla,
        track_policy::Tracking,
        vocabulary::{Channel, MeasureKind, SupervisionKind},
        whistle_policy::Whistling,
    },
};

/// How a tenant handles cases: windows, counts and switches, but no deadlines.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HandlingRules {
    /// The number of days after closing in which a case can be reopened.
    pub reopen_days: u32,
    /// The number of callbacks without an answer after which the case may be closed.
    pub callback_attempts: u32,
    /// Which cases are called back.
    pub callback: Sampling,
    /// The number of hours a phone's clock may be ahead before its time is refused, not just
    /// marked.
    pub clock_ahead_hours: u32,
    /// The age in days up to which a report is accepted from a phone that finds a signal at last.
    pub report_age_days: u32,
    /// The most returns of a case; at one more an arbiter decides whose it is.
    pub returns: u32,
    /// The number of times a case may be handled again; if that is not enough, an arbiter gives the
    /// final ruling (终审).
    pub reworks: u32,
    /// Whether a case is handled again when it is solved but the resident is dissatisfied;
    /// otherwise it can be closed.
    pub redo_dissatisfied: bool,
    /// Whether the first receiver of a case leads it and must not return it (首接负责).
    pub first_receiver: bool,
    /// The minutes that a worker who claimed a check on the spot has for it before others may go.
    pub claim_minutes: u32,
    /// Whether residents' reports are checked on the spot before they are filed (核实).
    pub verify_before_filing: bool,
    /// What is suggested at intake as the same matter.
    pub duplicates: Duplicates,
    /// Extensions for a unit that has a case.
    pub extension: Extending,
    /// Standstills of a case.
    pub suspension: Suspending,
    /// The number of days after closing in which a breach can be appealed against.
    pub appeal_days: u32,
    /// The part of a deadline, in percent, after which its debtor is reminded.
    pub remind_percent: Percent,
    /// The measures about a late debt, one after another.
    pub measures: Vec<Measure>,
    /// The recommended number of households of a grid: 200–300 in most provinces, 300–500 in some.
    pub households: Households,
    /// The number that residents call about the work in their grid; part of every grid's public
    /// notice.
    pub supervision_phone: Option<Line>,
    /// What causes a supervision automatically, besides late debts.
    pub raising: Raising,
    /// How tracks are recorded and judged.
    pub tracking: Tracking,
    /// Functions that need a published reason: check-ins, mileage, rankings. All off.
    pub performance: Performance,
    /// Classes and sub-classes whose standard demands a photo of the result, and the original bytes
    /// of photos. None, unless a tenant says so.
    pub evidence: Vec<Code>,
}

/// A range of households.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Households {
    /// The smallest number.
    pub least: u32,
    /// The largest number.
    pub most: u32,
}

/// What causes a supervision automatically: the triggers 重复 and 不满意 of the sources [JN, WF, DC].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Raising {
    /// The number of reports of one matter, of whistles at one place about the same matter, or of
    /// reopenings, at which a supervision begins, and again at each multiple of it.
    pub repeats: u32,
    /// The degree of that supervision; none for no supervision.
    pub repeated: Option<SupervisionKind>,
    /// The degree of the supervision when the resident says it is not solved, or is dissatisfied;
    /// none for no supervision.
    pub unsatisfied: Option<SupervisionKind>,
}

/// The rules about extensions.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extending {
    /// The most extensions of one case.
    pub times: u32,
    /// The longest extension.
    pub most: Limit,
    /// The number of signatures: the holder's, then that of the level above.
    pub approvals: u8,
}

/// The rules about standstills.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suspending {
    /// The most standstills of one case.
    pub times: u32,
    /// The longest standstill, in days.
    pub days: u32,
    /// The number of signatures: the holder's, then that of the level above.
    pub approvals: u8,
}

/// One measure about a late debt.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    /// How long after the deadline; none for the deadline itself.
    pub after: Option<Limit>,
    /// The kind of measure.
    pub what: MeasureKind,
}

impl Default for HandlingRules {
    fn default() -> Self {
        let measure = |after, what| Measure { after, what };
        Self {
            reopen_days: 15,
            callback_attempts: 3,
            callback: Sampling::standard(),
            clock_ahead_hours: 24,
            report_age_days: 90,
            // 第三次退单、第三次返工即提级 [BYNE]: the first two are carried out.
            returns: 2,
            reworks: 2,
            // 不满意的退回重办 [JN, SH-XY].
            redo_dissatisfied: true,
            // 首接负责制 [BJ-JSJB 14].
            first_receiver: true,
            // 核查时限二小时 [SCG-FLOW].
            claim_minutes: 120,
            verify_before_filing: false,
            duplicates: Duplicates::standard(),
            // 静安大宁路街道: complex matters 15 working days instead of 5, approved.
            extension: Extending { times: 2, most: Limit::working_days(10), approvals: 1 },
            // Once, at most a year, approved at two levels [SCG-ADJ, VB].
            suspension: Suspending { times: 1, days: 365, approvals: 2 },
            appeal_days: 30,
            remind_percent: Percent::saturating_from(75),
            measures: vec![
                measure(None, MeasureKind::Urge),
                measure(Some(Limit::working_days(1)), MeasureKind::Supervise),
                measure(Some(Limit::working_days(3)), MeasureKind::Report),
                measure(Some(Limit::working_days(5)), MeasureKind::List),
            ],
            // 三次及以上 [BYNE].
            raising: Raising {
                repeats: 3,
                repeated: Some(SupervisionKind::Supervise),
                unsatisfied: Some(SupervisionKind::Supervise),
            },
            households: Households { least: 200, most: 300 },
            supervision_phone: None,
            tracking: Tracking::default(),
            performance: Performance::default(),
            evidence: Vec::new(),
        }
    }
}

impl HandlingRules {
    /// What is wrong with it.
    pub fn check(&self) -> Vec<Fault> {
        let numbers = [
            ("reopen_days", self.reopen_days, 0, 366),
            ("callback_attempts", self.callback_attempts, 1, 20),
            ("clock_ahead_hours", self.clock_ahead_hours, 0, 168),
            ("report_age_days", self.report_age_days, 1, 366),
            ("returns", self.returns, 0, 20),
            ("reworks", self.reworks, 0, 20),
            ("claim_minutes", self.claim_minutes, 0, 1440),
            ("raising/repeats", self.raising.repeats, 1, 100),
            ("extension/times", self.extension.times, 0, 10),
            ("extension/approvals", u32::from(self.extension.approvals), 0, 2),
            ("extension/most/amount", self.extension.most.amount, 1, Limit::MAX),
            ("suspension/times", self.suspension.times, 0, 10),
            ("suspension/days", self.suspension.days, 1, 366),
            ("suspension/approvals", u32::from(self.suspension.approvals), 0, 2),
            ("appeal_days", self.appeal_days, 0, 366),
            ("households/least", self.households.least, 0, self.households.most),
            ("households/most", self.households.most, 1, 100_000),
            ("measures", u32::try_from(self.measures.len()).unwrap_or(u32::MAX), 0, 10),
            ("evidence", u32::try_from(self.evidence.len()).unwrap_or(u32::MAX), 0, 200),
        ];
        let outside =
            numbers.into_iter().filter(|(_, n, least, most)| !(least..=most).contains(&n));
        let mut faults: Vec<Fault> = outside
            .map(|(name, given, least, most)| {
                let fault = Fault::new(At::Whole, (name, "out_of_range"), &given.to_string());
                fault.with_expected(format!(" {least} 到 {most}"), format!("{least} to {most}"))
            })
            .collect();
        let duplicates = self.duplicates.check().into_iter();
        faults.extend(duplicates.map(|fault| fault.under_prefix("/duplicates")));
        let tracking = self.tracking.check().into_iter();
        faults.extend(tracking.map(|fault| fault.under_prefix("/tracking")));
        faults.extend(self.performance.check());
        faults
    }
}

/// The compiled rules of one tenant.
#[derive(Clone, Debug)]
pub struct Rules {
    /// How cases are handled.
    pub conduct: HandlingRules,
    /// How long each duty may take.
    pub deadlines: Edition<sla::Compiled>,
    /// When offices are open.
    pub calendars: Edition<Calendars>,
    /// Which unit leads which matters.
    pub responsibilities: Edition<Responsibilities>,
    /// Which matters communities may be given.
    pub admissions: Edition<Admissions>,
    /// Ranks and topics of whistles.
    pub whistling: Whistling,
    /// What each role allows.
    pub powers: Arc<Powers>,
    /// How personal data is treated.
    pub privacy: Edition<Privacy>,
    /// Templates of messages, and what is sent through which channel.
    pub notices: Edition<Notices>,
}

/// A value with the number of its edition.
#[derive(Clone, Debug)]
pub struct Edition<T> {
    /// Its number; 0 is the one shipped with this program.
    pub no: i64,
    /// What is in force.
    pub value: T,
}

impl<T> Edition<T> {
    /// The value shipped with this program.
    pub const fn built_in(value: T) -> Self {
        Self { no: 0, value }
    }
}

/// The facts that a deadline depends on.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The area of the matter.
    pub area: AreaId,
    /// The channel of the report.
    pub channel: Option<Channel>,
    /// The details of the matter.
    pub matter: &'a ReportDetails,
    /// The rank of the whistle, if one was blown.
    pub rank: Option<&'a str>,
    /// Whether it is handled again.
    pub redo: bool,
}

impl Rules {
    /// Recomputes the end of a moved clock, and its next measure.
    pub fn recompute_deadline(&self, mut term: Term, calendar: &Calendar) -> Term {
        let due = term.compute_due(calendar);
        term.due_at = due.at;
        term.calendar = self.calendars.no;
        term.provisional = due.provisional;
        term.next_at = self.next_measure(&term, calendar);
        term
    }

    /// When the next measure about a debt is to be taken: the reminder before it is late, then the
    /// measures one after another.
    pub fn next_measure(&self, term: &Term, calendar: &Calendar) -> Option<Instant> {
        let Some(index) = term.taken.checked_sub(1) else {
            let percent = u8::from(self.conduct.remind_percent);
            return Some(calendar.instant_at_percent(
                term.started_at,
                term.due_at,
                percent,
                term.limit.unit,
            ));
        };
        let measure = self.conduct.measures.get(usize::from(index))?;
        Some(measure.after.map_or(term.due_at, |after| calendar.add_limit(term.due_at, after).at))
    }

    /// The kind of measure number `taken` of a debt.
    pub fn measure_kind(&self, taken: u8) -> Option<MeasureKind> {
        match taken.checked_sub(1) {
            None => Some(MeasureKind::Remind),
            Some(index) => self.conduct.measures.get(usize::from(index)).map(|m| m.what),
        }
    }
}
