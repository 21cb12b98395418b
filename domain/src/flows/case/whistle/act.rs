//! What may be asked of a summons, and what can have happened to it.

#![expect(clippy::wildcard_enum_match_arm, reason = "most of what happens has nothing of it")]

use serde::{Deserialize, Serialize};

use super::{Arrival, Rating, Summons};
use crate::{
    area::{coordinate::Point, tree::Unit},
    core::{id::AreaId, text::Prose},
    flows::case::lifecycle::SummonsVerb,
    rules::obligation::{Duty, Obligation, Term},
};

/// What is asked of one summons.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum SummonsCommand {
    /// Sign for the whistle.
    Sign,
    /// Say how the street was contacted.
    Contact {
        /// How it was contacted, in words.
        note: Option<Prose>,
    },
    /// Say that the department is on the spot.
    Arrive {
        /// Where, when the phone knows.
        point: Option<Point>,
        /// In words, why the point does not show it.
        note: Option<Prose>,
    },
    /// Say what was done.
    FeedBack {
        /// What was done, in words.
        result: Prose,
    },
    /// Not good enough.
    SendBack {
        /// What is not good enough.
        reason: Prose,
    },
    /// Let it go.
    Release,
    /// Say how it was.
    Rate {
        /// Scores and a comment about the department.
        rating: Rating,
    },
    /// Say that the matter is not its own.
    Contest {
        /// Why the department says so.
        reason: Prose,
    },
    /// Say whose it is.
    Rule {
        /// Whether it is this department's.
        upheld: bool,
        /// Who takes its place; needed when it leads.
        replacement: Option<AreaId>,
        /// The reasons of the ruling.
        reason: Prose,
    },
    /// Say how the street was.
    RateStreet {
        /// Scores and a comment about the street.
        rating: Rating,
    },
}

impl SummonsCommand {
    /// Its name in the journal, where a case has signs and feedbacks of its own.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Sign => "summons_sign",
            Self::Contact { .. } => "summons_contact",
            Self::Arrive { .. } => "summons_arrive",
            Self::FeedBack { .. } => "summons_feedback",
            Self::SendBack { .. } => "summons_send_back",
            Self::Release => "summons_release",
            Self::Rate { .. } => "summons_rate",
            Self::Contest { .. } => "summons_contest",
            Self::Rule { .. } => "summons_rule",
            Self::RateStreet { .. } => "summons_rate_street",
        }
    }

    /// The verb in the table of steps.
    pub const fn verb(&self) -> SummonsVerb {
        match self {
            Self::Sign => SummonsVerb::Sign,
            Self::Contact { .. } => SummonsVerb::Contact,
            Self::Arrive { .. } => SummonsVerb::Arrive,
            Self::FeedBack { .. } => SummonsVerb::FeedBack,
            Self::SendBack { .. } => SummonsVerb::SendBack,
            Self::Release => SummonsVerb::Release,
            Self::Rate { .. } => SummonsVerb::Rate,
            Self::Contest { .. } => SummonsVerb::Contest,
            Self::Rule { .. } => SummonsVerb::Rule,
            Self::RateStreet { .. } => SummonsVerb::RateStreet,
        }
    }
}

/// What happened to one summons.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Happened {
    /// It was signed.
    Signed,
    /// The street was contacted.
    Contacted {
        /// How it was contacted, in words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<Prose>,
    },
    /// The department is on the spot.
    Arrived {
        /// When, where, who.
        arrival: Arrival,
    },
    /// The department says it is done.
    FedBack {
        /// What was done, in words.
        result: Prose,
        /// The street's clock.
        release: Term,
    },
    /// The street says it is not.
    SentBack {
        /// What was not good enough.
        reason: Prose,
        /// The department's new clock.
        feed_back: Term,
    },
    /// The street let it go.
    Released {
        /// The street's clock to rate.
        rate: Term,
    },
    /// The street said how it was.
    Rated {
        /// Scores and a comment about the department.
        rating: Rating,
    },
    /// It says the matter is not its own.
    Contested {
        /// Why the department says so.
        reason: Prose,
        /// The unit that decides.
        arbiter: Unit,
        /// The arbiter's clock.
        arbitrate: Term,
    },
    /// The district said that it is; its clocks went on meanwhile.
    Upheld {
        /// The reasons of the ruling.
        reason: Prose,
    },
    /// The district said that it is not.
    Excused {
        /// The reasons of the ruling.
        reason: Prose,
        /// Who takes its place.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replacement: Option<Box<Summons>>,
    },
    /// It said how the street was.
    StreetRated {
        /// Scores and a comment about the street.
        rating: Rating,
    },
}

impl Happened {
    /// Whether this is the doing of `obligation`, owed about the summons of `unit`.
    pub(in crate::flows::case) fn fulfils(&self, unit: AreaId, obligation: &Obligation) -> bool {
        let own = obligation.owed_by.id == unit;
        match self {
            Self::Signed => own && obligation.duty == Duty::SignWhistle,
            Self::Contacted { .. } => own && obligation.duty == Duty::Contact,
            // Who stands there has made contact.
            Self::Arrived { .. } => own && matches!(obligation.duty, Duty::Arrive | Duty::Contact),
            Self::FedBack { .. } => own && obligation.duty == Duty::FeedBack,
            // The street's clocks are told apart by the round they began in, so whichever ends
            // with this event is the one it fulfils.
            Self::SentBack { .. } | Self::Released { .. } => obligation.duty == Duty::Release,
            Self::Rated { .. } => obligation.duty == Duty::Rate,
            Self::Upheld { .. } | Self::Excused { .. } => obligation.duty == Duty::Arbitrate,
            Self::Contested { .. } | Self::StreetRated { .. } => false,
        }
    }

    /// The department that takes the place of an excused one.
    pub(in crate::flows::case) fn replacement(&self) -> Option<&Summons> {
        match self {
            Self::Excused { replacement, .. } => replacement.as_deref(),
            _ => None,
        }
    }
}
