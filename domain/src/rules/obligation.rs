//! Obligations: who owes what by when.
//!
//! They are derived from a flow's state, never set by hand. The inbox, the scheduler, reminders and
//! punctuality read the same rows: what a change opened and what it settled.

use serde::{Deserialize, Serialize};

use crate::{
    Instant,
    area::tree::Unit,
    calendar::{
        book::{Calendar, Due, Pause},
        limit::Limit,
    },
    core::{disclosure::disclosed, labelled_enum::labelled_enum},
    people::actor::Permission,
};

labelled_enum! {
    /// The kind of an obligation.
    Duty {
        /// Decide on a report: file, join or refuse.
        Accept = "accept", "受理";
        /// Dispatch a filed case, or send it up.
        Dispatch = "dispatch", "派遣";
        /// Sign a dispatched case.
        Sign = "sign", "签收";
        /// Sign a whistle.
        SignWhistle = "sign_whistle", "签收哨令";
        /// Handle a dispatched case and feed back.
        Handle = "handle", "处置";
        /// Contact the street that blew the whistle.
        Contact = "contact", "联系";
        /// Arrive on the spot.
        Arrive = "arrive", "到场";
        /// Feed back on a whistle.
        FeedBack = "feed_back", "反馈";
        /// Release a department that fed back, or send it back to work.
        Release = "release", "放行";
        /// Rate a released department.
        Rate = "rate", "评价";
        /// Verify on the spot.
        Verify = "verify", "核查";
        /// Ask the resident.
        CallBack = "call_back", "回访";
        /// Close the case.
        Close = "close", "结案";
        /// Check on the spot whether a resident's report is true, before it is filed.
        Confirm = "confirm", "核实";
        /// Give or refuse a signature.
        Decide = "decide", "审批";
        /// Assign a disputed case, or rule on a contested summons.
        Arbitrate = "arbitrate", "裁定";
        /// Coordinate a whistle that the street cannot settle.
        Coordinate = "coordinate", "区级协调";
        /// Give the final ruling.
        Rule = "rule", "终审";
        /// Answer a supervision.
        AnswerSupervision = "answer_supervision", "答复督办";
        /// End a standstill; the system does it.
        Resume = "resume", "恢复办理";
        /// Walk an area, as planned.
        Patrol = "patrol", "巡查";
        /// Visit a household, or the households of a campaign; the deadline is set by the planner.
        Visit = "visit", "走访";
    }
}

impl Duty {
    /// The permission needed to fulfil it; decides whose inbox shows it.
    pub const fn permission(self) -> Permission {
        match self {
            Self::Accept => Permission::AcceptReport,
            Self::Dispatch => Permission::DispatchCase,
            Self::Sign | Self::Handle | Self::Resume => Permission::HandleCase,
            Self::SignWhistle | Self::Contact | Self::Arrive | Self::FeedBack => {
                Permission::AnswerWhistle
            }
            Self::Release | Self::Rate => Permission::ReleaseDepartment,
            Self::Verify | Self::Confirm => Permission::VerifyOnSite,
            Self::CallBack => Permission::CallBack,
            Self::Close => Permission::CloseCase,
            Self::Decide => Permission::DecideRequests,
            Self::Arbitrate | Self::Coordinate | Self::Rule => Permission::Arbitrate,
            Self::AnswerSupervision => Permission::AnswerSupervision,
            Self::Patrol => Permission::Patrol,
            Self::Visit => Permission::Visit,
        }
    }

    /// Whether the matrix of deadlines limits it.
    pub const fn has_limit(self) -> bool {
        !matches!(self, Self::Resume | Self::Patrol | Self::Visit)
    }

    /// Whether it is work on the case, whose clocks can be extended and stopped.
    pub const fn is_work(self) -> bool {
        matches!(
            self,
            Self::Sign
                | Self::Handle
                | Self::SignWhistle
                | Self::Contact
                | Self::Arrive
                | Self::FeedBack
        )
    }
}

/// A deadline with its derivation: computed once, when the clock started, and moved only by the
/// entries of `moves`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Term {
    /// The journal sequence of the command that started the clock; distinguishes two rounds.
    pub no: i64,
    /// When the clock started.
    pub started_at: Instant,
    /// How long it runs.
    pub limit: Limit,
    /// When it is late.
    pub due_at: Instant,
    /// The row of the matrix of deadlines that decided.
    pub rule: String,
    /// The edition of that matrix; 0 is the one shipped with this program.
    pub rules: i64,
    /// The edition of the calendar it was computed by; 0 likewise.
    pub calendar: i64,
    /// Whether it depends on a year without a published notice.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub provisional: bool,
    /// What has moved it since, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moves: Vec<Move>,
    /// The number of measures that were taken: the reminder, then one after another once it is
    /// late.
    #[serde(default, skip_serializing_if = "is_none")]
    pub taken: u8,
    /// When the next measure is to be taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Instant>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks this way")]
fn is_none(taken: &u8) -> bool {
    *taken == 0
}

/// A move of a deadline.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "move", rename_all = "snake_case")]
pub enum Move {
    /// More time was granted (延期).
    Extended {
        /// How much more time.
        limit: Limit,
    },
    /// The clock was stopped (挂账).
    Paused {
        /// From when until when.
        pause: Pause,
    },
}

disclosed! {
    struct Term {
        Open: no, started_at, limit, due_at, rule, rules, calendar, provisional, moves, taken, next_at;
    }

    enum Move by "move" {
        Extended { Open: limit }
        Paused { Open: pause }
    }
}

impl Term {
    /// A clock that ends at a chosen time, not after a limit of the matrix. No measure is taken
    /// about it; whether it was late is recorded all the same.
    pub fn with_due_at(no: i64, started_at: Instant, due_at: Instant) -> Self {
        let days = (due_at - started_at).num_days().saturating_add(1);
        let days = u32::try_from(days).unwrap_or(1).clamp(1, Limit::MAX);
        Self {
            no,
            started_at,
            limit: Limit::days(days),
            due_at,
            rule: Self::NAMED.to_owned(),
            rules: 0,
            calendar: 0,
            provisional: false,
            moves: Vec::new(),
            taken: 0,
            next_at: None,
        }
    }

    /// The name of the rule where the time was chosen.
    pub const NAMED: &'static str = "named";

    /// When it is late by this calendar, with everything that moved it.
    pub fn compute_due(&self, calendar: &Calendar) -> Due {
        let mut due = calendar.compute_due(self.started_at, self.limit);
        for moved in &self.moves {
            let next = match moved {
                Move::Extended { limit } => calendar.add_limit(due.at, *limit),
                Move::Paused { pause } => calendar.shift_by_pause(due.at, *pause, self.limit.unit),
            };
            due = Due { at: next.at, provisional: due.provisional || next.provisional };
        }
        due
    }

    /// Whether it is late at this moment.
    pub fn is_late(&self, at: Instant) -> bool {
        at >= self.due_at
    }
}

/// One thing that one unit owes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Obligation {
    /// The duty that is owed.
    pub duty: Duty,
    /// The unit that owes it.
    pub owed_by: Unit,
    /// The deadline and its derivation.
    pub term: Term,
}

impl Obligation {
    /// Whether both are the same debt.
    pub fn is_same_debt(&self, other: &Self) -> bool {
        self.duty == other.duty
            && self.owed_by.id == other.owed_by.id
            && self.term.no == other.term.no
    }
}

labelled_enum! {
    /// How an obligation ended.
    Outcome {
        /// Done before it was late.
        Met = "met", "按期";
        /// Done, but late. It stays a fact.
        Late = "late", "超期";
        /// No longer owed: the case went another way.
        Lifted = "lifted", "解除";
    }
}

/// An obligation that ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settled {
    /// What was owed.
    pub obligation: Obligation,
    /// Met, late or lifted.
    pub outcome: Outcome,
    /// When it ended.
    pub at: Instant,
}
