//! Obligations: who owes what by when.
//!
//! They are derived from a flow's state, never set by hand. The inbox, the clocks, reminders and
//! punctuality read the same rows: what a change opened and what it settled.

use serde::{Deserialize, Serialize};

use crate::{
    Instant,
    actor::Permission,
    area::Unit,
    limit::Limit,
    named::named,
    rules::{self, Rules, Urgency},
};

named! {
    /// What is owed.
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
    }
}

impl Duty {
    /// What somebody needs to be allowed in order to do it; decides whose inbox shows it.
    pub const fn permission(self) -> Permission {
        match self {
            Self::Accept => Permission::AcceptReport,
            Self::Dispatch => Permission::DispatchCase,
            Self::Sign | Self::Handle => Permission::HandleCase,
            Self::SignWhistle | Self::Contact | Self::Arrive | Self::FeedBack => {
                Permission::AnswerWhistle
            }
            Self::Release | Self::Rate => Permission::ReleaseDepartment,
            Self::Verify => Permission::VerifyOnSite,
            Self::CallBack => Permission::CallBack,
            Self::Close => Permission::CloseCase,
        }
    }
}

/// A deadline with its working: computed once, when the clock started.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Term {
    /// The journal sequence of the command that started the clock; tells two rounds apart.
    pub no: i64,
    /// When the clock started.
    pub started_at: Instant,
    /// How long it runs.
    pub limit: Limit,
    /// When it is late.
    pub due_at: Instant,
    /// The edition of the rules it was computed by.
    pub rules: u32,
}

impl Term {
    /// Starts the clock of `duty` at `at`, by command number `no`.
    pub fn start(duty: Duty, urgency: Urgency, rules: &Rules, at: Instant, no: i64) -> Self {
        let limit = rules.limit(duty, urgency);
        Self { no, started_at: at, limit, due_at: rules::due(limit, at), rules: rules.version }
    }
}

/// One thing one unit owes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Obligation {
    /// What.
    pub duty: Duty,
    /// Who.
    pub owed_by: Unit,
    /// By when, and why then.
    pub term: Term,
}

impl Obligation {
    /// Whether both are the same debt.
    pub fn same(&self, other: &Self) -> bool {
        self.duty == other.duty
            && self.owed_by.id == other.owed_by.id
            && self.term.no == other.term.no
    }
}

named! {
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
    /// Which.
    pub obligation: Obligation,
    /// How.
    pub outcome: Outcome,
    /// When.
    pub at: Instant,
}
