//! Rules as data: everything a tenant decides for itself, compiled for being asked.
//!
//! A value of [`Rules`] is handed to every decision; nothing in the flows is a constant of a
//! city. It is made of the documents of [`crate::flows::policy`], each in its newest edition.

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

/// Windows, counts and permissions of a tenant that are no deadlines.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HandlingRules {
    /// Days after closing in which a case can be reopened.
    pub reopen_days: u32,
    /// Callbacks that reach no one before the case may be closed without an answer.
    pub callback_attempts: u32,
    /// Which cases are called back.
    pub callback: Sampling,
    /// A phone's clock may be ahead by so many hours before its time is refused, not just marked.
    pub clock_ahead_hours: u32,
    /// A report may be so many days old when a phone at last finds a signal.
    pub report_age_days: u32,
    /// So often a case may be given back before an arbiter decides whose it is.
    pub returns: u32,
    /// So often a case may be handled again; when that was in vain too, an arbiter rules for good
    /// (终审).
    pub reworks: u32,
    /// Whether a case is handled again when it is solved and the resident is dissatisfied all the
    /// same; otherwise it can be closed.
    pub redo_dissatisfied: bool,
    /// Whether the unit that was given a case first leads it and may not shift it (首接负责).
    pub first_receiver: bool,
    /// So many minutes the worker who claimed a look on the spot has for it before others may.
    pub claim_minutes: u32,
    /// Whether residents' reports are looked at on the spot before they are filed (核实).
    pub verify_before_filing: bool,
    /// What is suggested at intake as the same thing.
    pub duplicates: Duplicates,
    /// More time for a unit that has a case.
    pub extension: Extending,
    /// Time that does not count.
    pub suspension: Suspending,
    /// Days after closing in which an overdue fact can be appealed against.
    pub appeal_days: u32,
    /// The part of a deadline after which its owner is reminded.
    pub remind_percent: Percent,
    /// What is done about a debt that is late, one after another.
    pub measures: Vec<Measure>,
    /// How many households a grid should have: 200–300 as most provinces say, 300–500 as some.
    pub households: Households,
    /// Whom residents call about the work in their grid; part of every grid's public notice.
    pub supervision_phone: Option<Line>,
    /// What raises a supervision by itself, beside debts that are late.
    pub raising: Raising,
    /// How tracks are taken and judged.
    pub tracking: Tracking,
    /// What is done only with a published reason: check-ins, mileage, rankings. All off.
    pub performance: Performance,
    /// Classes and sub-classes whose standard demands a photo of how it is afterwards, and the
    /// bytes of photos as they were sent. None, unless a tenant says so.
    pub evidence: Vec<Code>,
}

/// A range of households.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Households {
    /// At least so many.
    pub least: u32,
    /// At most so many.
    pub most: u32,
}

/// What raises a supervision by itself: the triggers 重复 and 不满意 of the sources [JN, WF, DC].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Raising {
    /// Every so many reports of one matter, whistles at one place about the same, or reopenings.
    pub repeats: u32,
    /// How hard it is then supervised; none: not at all.
    pub repeated: Option<SupervisionKind>,
    /// How hard it is supervised when the resident says it is not solved, or is dissatisfied;
    /// none: not at all.
    pub unsatisfied: Option<SupervisionKind>,
}

/// How more time is given.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extending {
    /// How often for one case.
    pub times: u32,
    /// At most so much each time.
    pub most: Limit,
    /// How many have to agree: the holder, then the level above.
    pub approvals: u8,
}

/// How a clock is stopped.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suspending {
    /// How often for one case.
    pub times: u32,
    /// At most so many days.
    pub days: u32,
    /// How many have to agree: the holder, then the level above.
    pub approvals: u8,
}

/// One step of what is done about a debt that is late.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    /// So long after it was due; none for the instant itself.
    pub after: Option<Limit>,
    /// What is done then.
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
            // 第三次退单、第三次返工即提级 [BYNE]: two are gone through with.
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

/// The rules of one tenant, ready to be asked.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Windows and counts.
    pub conduct: HandlingRules,
    /// How long everything may take.
    pub deadlines: Edition<sla::Compiled>,
    /// When offices are open.
    pub calendars: Edition<Calendars>,
    /// Who leads what.
    pub responsibilities: Edition<Responsibilities>,
    /// What may be given to communities.
    pub admissions: Edition<Admissions>,
    /// Ranks and topics of whistles.
    pub whistling: Whistling,
    /// What roles allow.
    pub powers: Arc<Powers>,
    /// How people's data is treated.
    pub privacy: Edition<Privacy>,
    /// Templates of messages, and what is sent by which way.
    pub notices: Edition<Notices>,
}

/// Something in force, and which edition of it.
#[derive(Clone, Debug)]
pub struct Edition<T> {
    /// Its number; 0 is what this program comes with.
    pub no: i64,
    /// What is in force.
    pub value: T,
}

impl<T> Edition<T> {
    /// What this program comes with.
    pub const fn built_in(value: T) -> Self {
        Self { no: 0, value }
    }
}

/// What a clock is about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Where it happened.
    pub area: AreaId,
    /// By which way it came.
    pub channel: Option<Channel>,
    /// What it is.
    pub matter: &'a ReportDetails,
    /// The rank of the whistle, if one was blown.
    pub rank: Option<&'a str>,
    /// Whether it is handled again.
    pub redo: bool,
}

impl Rules {
    /// A clock after something moved it: its end and its next measure computed anew.
    pub fn recompute_deadline(&self, mut term: Term, calendar: &Calendar) -> Term {
        let due = term.compute_due(calendar);
        term.due_at = due.at;
        term.calendar = self.calendars.no;
        term.provisional = due.provisional;
        term.next_at = self.next_measure(&term, calendar);
        term
    }

    /// When the next measure about a debt is to be taken: the reminder before it is late, then
    /// one after another.
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

    /// What the measure number `taken` of a debt is.
    pub fn measure_kind(&self, taken: u8) -> Option<MeasureKind> {
        match taken.checked_sub(1) {
            None => Some(MeasureKind::Remind),
            Some(index) => self.conduct.measures.get(usize::from(index)).map(|m| m.what),
        }
    }
}
