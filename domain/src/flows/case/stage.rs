//! The stages of a case with the data that exists only in them: the work, the people who did it,
//! and the outcome.

use serde::{Deserialize, Serialize};

use super::{lifecycle::StageName, whistle::Whistle};
use crate::{
    Instant,
    area::tree::Unit,
    core::{id::PersonId, labelled_enum::labelled_enum, text::Prose},
    flows::claim::Claim,
    rules::obligation::Term,
};

/// The stage of a case, with its data.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Stage {
    /// See [`StageName::Filed`].
    Filed {
        /// The holder's clock to dispatch.
        dispatch: Term,
    },
    /// See [`StageName::Disputed`].
    Disputed {
        /// The unit that decides who handles the case.
        arbiter: Unit,
        /// The arbiter's clock.
        arbitrate: Term,
    },
    /// See [`StageName::Dispatched`].
    Dispatched {
        /// The unit that has to sign.
        assignment: Assignment,
        /// The unit's clock to sign; the clock to handle runs as well.
        sign: Term,
    },
    /// See [`StageName::Signed`].
    Signed {
        /// The unit that signed.
        assignment: Assignment,
    },
    /// See [`StageName::Handling`].
    Handling {
        /// The unit that works on it.
        assignment: Assignment,
    },
    /// See [`StageName::Whistled`].
    Whistled {
        /// The whistle with its departments.
        whistle: Whistle,
    },
    /// See [`StageName::FedBack`].
    FedBack {
        /// The work that was done.
        work: Work,
        /// The grid's clock to verify.
        verify: Term,
        /// The last claim of the verification.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        claim: Option<Claim>,
    },
    /// See [`StageName::Verified`].
    Verified {
        /// The work that was done.
        work: Work,
        /// The holder's clock to call back.
        call_back: Term,
    },
    /// See [`StageName::CalledBack`].
    CalledBack {
        /// The work that was done.
        work: Work,
        /// What the resident said; none when the callbacks reached no one.
        answer: Option<Answer>,
        /// The holder's clock to close.
        close: Term,
    },
    /// See [`StageName::Ruling`].
    Ruling {
        /// The work, so far without success.
        work: Work,
        /// The unit that has to rule.
        over: Unit,
        /// The clock of that duty.
        rule: Term,
    },
    /// See [`StageName::Closed`].
    Closed {
        /// The work that was done.
        work: Work,
        /// How it ended.
        closing: Closing,
    },
}

/// A unit that was given the case.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Assignment {
    /// The unit, as it was at dispatch.
    pub unit: Unit,
    /// Its clock, from dispatch.
    pub handle: Term,
    /// The person who dispatched it there: whether that was right is a fact about the dispatcher.
    pub by: PersonId,
    /// The name of that person at that time.
    pub by_name: String,
    /// Whether an arbiter assigned it: it cannot be returned.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub appointed: bool,
    /// The people who acted for it.
    pub people: Vec<PersonId>,
    /// The result it reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Prose>,
}

/// The work that was done, by any of the three ways.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Work {
    /// By one unit.
    Unit {
        /// The unit, with its result.
        assignment: Assignment,
    },
    /// By departments together.
    Whistle {
        /// The whistle, with its departments and their results.
        whistle: Whistle,
    },
    /// By the reporter, on the spot (自行处置).
    OnTheSpot {
        /// The reporter, who must not verify.
        person: PersonId,
        /// What was done.
        result: Prose,
    },
}

labelled_enum! {
    /// How satisfied the resident is; independent of whether the case is solved.
    Satisfaction {
        /// The best of the three answers (满意).
        Satisfied = "satisfied", "满意";
        /// The answer in between (基本满意).
        FairlySatisfied = "fairly_satisfied", "基本满意";
        /// The worst of the three answers (不满意).
        Dissatisfied = "dissatisfied", "不满意";
    }
}

/// What the resident said.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// Whether it is solved.
    pub solved: bool,
    /// One of three degrees, asked apart from whether it is solved.
    pub satisfied: Satisfaction,
    /// The resident's other remarks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<Prose>,
}

labelled_enum! {
    /// The outcome of a case.
    Outcome {
        /// The resident says it is solved.
        Solved = "solved", "已解决";
        /// Verified on the spot; the callbacks reached no one.
        Unanswered = "unanswered", "核查通过、回访未接通";
        /// Verified on the spot; not in the sample of cases that are called back.
        Verified = "verified", "核查通过、未抽中回访";
        /// Too much rework, and ruled to be closed.
        Ruled = "ruled", "终审结案";
        /// Handled by the reporter on the spot.
        SelfHandled = "self_handled", "自行处置";
    }
}

/// The end of a case.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Closing {
    /// How the case ended.
    pub outcome: Outcome,
    /// When it was closed.
    pub at: Instant,
    /// Until when it can be reopened.
    pub reopen_until: Instant,
    /// What the resident said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
}

impl Stage {
    /// The name of the stage.
    pub const fn name(&self) -> StageName {
        match self {
            Self::Filed { .. } => StageName::Filed,
            Self::Disputed { .. } => StageName::Disputed,
            Self::Dispatched { .. } => StageName::Dispatched,
            Self::Signed { .. } => StageName::Signed,
            Self::Handling { .. } => StageName::Handling,
            Self::Whistled { .. } => StageName::Whistled,
            Self::FedBack { .. } => StageName::FedBack,
            Self::Verified { .. } => StageName::Verified,
            Self::CalledBack { .. } => StageName::CalledBack,
            Self::Ruling { .. } => StageName::Ruling,
            Self::Closed { .. } => StageName::Closed,
        }
    }

    /// The unit the case is dispatched to, during its work and afterwards.
    pub const fn assignment(&self) -> Option<&Assignment> {
        match self {
            Self::Dispatched { assignment, .. }
            | Self::Signed { assignment }
            | Self::Handling { assignment }
            | Self::FedBack { work: Work::Unit { assignment }, .. }
            | Self::Verified { work: Work::Unit { assignment }, .. }
            | Self::CalledBack { work: Work::Unit { assignment }, .. }
            | Self::Ruling { work: Work::Unit { assignment }, .. }
            | Self::Closed { work: Work::Unit { assignment }, .. } => Some(assignment),
            Self::Filed { .. }
            | Self::Disputed { .. }
            | Self::Whistled { .. }
            | Self::FedBack { .. }
            | Self::Verified { .. }
            | Self::CalledBack { .. }
            | Self::Ruling { .. }
            | Self::Closed { .. } => None,
        }
    }

    /// Whether departments are summoned and working; afterwards the whistle only stays on record.
    pub const fn is_whistle_on(&self) -> bool {
        matches!(self, Self::Whistled { .. })
    }

    /// The whistle of this round, while it is on and afterwards.
    pub const fn whistle(&self) -> Option<&Whistle> {
        match self {
            Self::Whistled { whistle }
            | Self::FedBack { work: Work::Whistle { whistle }, .. }
            | Self::Verified { work: Work::Whistle { whistle }, .. }
            | Self::CalledBack { work: Work::Whistle { whistle }, .. }
            | Self::Ruling { work: Work::Whistle { whistle }, .. }
            | Self::Closed { work: Work::Whistle { whistle }, .. } => Some(whistle),
            Self::Filed { .. }
            | Self::Disputed { .. }
            | Self::Dispatched { .. }
            | Self::Signed { .. }
            | Self::Handling { .. }
            | Self::FedBack { .. }
            | Self::Verified { .. }
            | Self::CalledBack { .. }
            | Self::Ruling { .. }
            | Self::Closed { .. } => None,
        }
    }

    /// The claim of the verification, if there is one.
    pub const fn claim(&self) -> Option<&Claim> {
        if let Self::FedBack { claim, .. } = self { claim.as_ref() } else { None }
    }

    /// The work, once it is done.
    pub const fn work(&self) -> Option<&Work> {
        match self {
            Self::FedBack { work, .. }
            | Self::Verified { work, .. }
            | Self::CalledBack { work, .. }
            | Self::Ruling { work, .. }
            | Self::Closed { work, .. } => Some(work),
            Self::Filed { .. }
            | Self::Disputed { .. }
            | Self::Dispatched { .. }
            | Self::Signed { .. }
            | Self::Handling { .. }
            | Self::Whistled { .. } => None,
        }
    }
}

impl Work {
    /// Every person who handled the case; none of them may verify.
    pub fn people(&self) -> Vec<PersonId> {
        match self {
            Self::Unit { assignment } => assignment.people.clone(),
            Self::Whistle { whistle } => {
                whistle.summonses.iter().flat_map(|summons| summons.people.clone()).collect()
            }
            Self::OnTheSpot { person, .. } => vec![*person],
        }
    }
}
