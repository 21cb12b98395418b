//! The commands and events of a summons.

#![expect(clippy::wildcard_enum_match_arm, reason = "most of what happens has nothing of it")]

use serde::{Deserialize, Serialize};

use super::{Arrival, Rating, Summons};
use crate::{
    area::{coordinate::Point, tree::Unit},
    core::{id::AreaId, text::Prose},
    flows::case::lifecycle::SummonsVerb,
    rules::obligation::{Duty, Obligation, Term},
};

/// The commands for one summons.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum SummonsCommand {
    /// Signs for the whistle.
    Sign,
    /// Reports that the street was contacted.
    Contact {
        /// How it was contacted.
        note: Option<Prose>,
    },
    /// Reports the arrival on the spot.
    Arrive {
        /// The position, when the phone knows it.
        point: Option<Point>,
        /// Why the point does not prove the arrival.
        note: Option<Prose>,
    },
    /// Reports the work as done.
    FeedBack {
        /// What was done.
        result: Prose,
    },
    /// Sends the department back to work.
    SendBack {
        /// What is not good enough.
        reason: Prose,
    },
    /// Releases the department.
    Release,
    /// Rates the department.
    Rate {
        /// Scores and a comment about the department.
        rating: Rating,
    },
    /// Says that the department is not responsible.
    Contest {
        /// Why the department says so.
        reason: Prose,
    },
    /// Rules on that.
    Rule {
        /// Whether this department is responsible.
        upheld: bool,
        /// The department that takes its place; needed when it leads.
        replacement: Option<AreaId>,
        /// The reasons of the ruling.
        reason: Prose,
    },
    /// Rates the street.
    RateStreet {
        /// Scores and a comment about the street.
        rating: Rating,
    },
}

impl SummonsCommand {
    /// Its name in the journal, where a case has commands `sign` and `feedback` of its own.
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

/// The events of one summons.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Happened {
    /// The department signed.
    Signed,
    /// The street was contacted.
    Contacted {
        /// How it was contacted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<Prose>,
    },
    /// The department arrived on the spot.
    Arrived {
        /// When, where and who.
        arrival: Arrival,
    },
    /// The department reported the work as done.
    FedBack {
        /// What was done.
        result: Prose,
        /// The street's clock.
        release: Term,
    },
    /// The street sent the department back to work.
    SentBack {
        /// What was not good enough.
        reason: Prose,
        /// The department's new clock.
        feed_back: Term,
    },
    /// The street released the department.
    Released {
        /// The street's clock to rate.
        rate: Term,
    },
    /// The street rated the department.
    Rated {
        /// Scores and a comment about the department.
        rating: Rating,
    },
    /// The department says that it is not responsible.
    Contested {
        /// Why the department says so.
        reason: Prose,
        /// The unit that decides.
        arbiter: Unit,
        /// The arbiter's clock.
        arbitrate: Term,
    },
    /// The district ruled that it is responsible; its clocks kept running meanwhile.
    Upheld {
        /// The reasons of the ruling.
        reason: Prose,
    },
    /// The district ruled that it is not responsible.
    Excused {
        /// The reasons of the ruling.
        reason: Prose,
        /// The department that takes its place.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replacement: Option<Box<Summons>>,
    },
    /// The department rated the street.
    StreetRated {
        /// Scores and a comment about the street.
        rating: Rating,
    },
}

impl Happened {
    /// Whether this event fulfils `obligation`, owed about the summons of `unit`.
    pub(in crate::flows::case) fn fulfils(&self, unit: AreaId, obligation: &Obligation) -> bool {
        let own = obligation.owed_by.id == unit;
        match self {
            Self::Signed => own && obligation.duty == Duty::SignWhistle,
            Self::Contacted { .. } => own && obligation.duty == Duty::Contact,
            // An arrival counts as contact, too.
            Self::Arrived { .. } => own && matches!(obligation.duty, Duty::Arrive | Duty::Contact),
            Self::FedBack { .. } => own && obligation.duty == Duty::FeedBack,
            // The street's clocks differ by the round they began in, so whichever ends with this
            // event is the one it fulfils.
            Self::SentBack { .. } | Self::Released { .. } => obligation.duty == Duty::Release,
            Self::Rated { .. } => obligation.duty == Duty::Rate,
            Self::Upheld { .. } | Self::Excused { .. } => obligation.duty == Duty::Arbitrate,
            Self::Contested { .. } | Self::StreetRated { .. } => false,
        }
    }

    /// The department that replaces an excused one.
    pub(in crate::flows::case) fn replacement(&self) -> Option<&Summons> {
        match self {
            Self::Excused { replacement, .. } => replacement.as_deref(),
            _ => None,
        }
    }
}
