//! What may be asked of a report, and what can have happened to it.

use serde::{Deserialize, Serialize};

use super::{Redirect, Report, Sight};
use crate::{
    Instant,
    area::{
        coordinate::{Point, RawPoint},
        tree::Unit,
    },
    core::{
        id::{CaseId, PatrolId, PersonId, ReportId},
        text::{Code, Line, Prose},
    },
    flows::{claim::Claim, media::Attachment, stored_event::JournalEvent},
    rules::{
        obligation::Term,
        vocabulary::{Channel, Demand, MeasureKind, Urgency},
    },
};

/// What a reporter wants to report.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Draft {
    /// The identity it will have.
    pub id: ReportId,
    /// By which way.
    pub channel: Channel,
    /// In a line; without it, the first words of the text.
    pub title: Option<Line>,
    /// What the reporter says, in full.
    pub text: Prose,
    /// The code in the catalogue, when the reporter knows.
    pub category: Option<Code>,
    /// How pressing it is.
    pub urgency: Urgency,
    /// What is wanted, when the reporter knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub demand: Option<Demand>,
    /// Where, already located; none when the point is outside the tenant.
    pub area: Option<crate::core::id::AreaId>,
    /// The point, as given.
    pub point: Option<RawPoint>,
    /// The address in words.
    pub address: Option<Line>,
    /// When it was typed, by the phone's clock.
    pub client_at: Option<Instant>,
    /// Whether handlers must not know who reported.
    pub confidential: bool,
    /// Whether who reported must stay unknown to everyone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub anonymous: bool,
    /// Whether a person to be reached is named with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub contact: bool,
    /// On which patrol, of the reporter's own and under way then; the caller looked that up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patrol: Option<PatrolId>,
    /// The files it names, whether or not they have arrived.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<Attachment>,
    /// What was done, when it was handled there and then, and the case to document it in.
    pub handled: Option<Handled>,
}

/// What a reporter did on the spot.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Handled {
    /// The identity of the case that documents it.
    pub case: CaseId,
    /// What was done.
    pub result: Prose,
}

/// What may be asked of a report.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Make a report.
    Submit(Box<Draft>),
    /// Open a case for it.
    File {
        /// The identity the case will have.
        case: CaseId,
        /// A better category.
        category: Option<Code>,
        /// A better title.
        title: Option<Line>,
        /// A better urgency.
        urgency: Option<Urgency>,
    },
    /// Add it to a case.
    Join {
        /// The case, which has to be open.
        case: CaseId,
    },
    /// Refuse the report (不予受理).
    Refuse {
        /// The reasons, which the reporter is told.
        reason: Prose,
        /// Where it belongs.
        redirect: Redirect,
    },
    /// Take the look on the spot.
    Claim,
    /// Give the look on the spot back.
    Unclaim {
        /// Who goes instead; without anybody, it is free.
        to: Option<PersonId>,
    },
    /// Say what was seen on the spot.
    Confirm {
        /// Whether it is as reported.
        real: bool,
        /// What was seen.
        note: Option<Prose>,
        /// Where the worker who looked stood.
        point: Option<Point>,
    },
    /// Take it out of its case. Only [`crate::flows::intake`] asks it.
    Unjoin,
    /// Compute a provisional deadline anew. Only the system asks it.
    Recompute,
    /// Take the next measure about a debt. Only the system asks it.
    Lapse {
        /// The number of its clock.
        term: i64,
    },
}

/// What can have happened to a report.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// It was said; the whole of it.
    Submitted {
        /// The report as it was made.
        report: Box<Report>,
    },
    /// A case was opened for it.
    Filed {
        /// The case that was opened.
        case: CaseId,
    },
    /// It was added to a case.
    Joined {
        /// The case that it was added to.
        case: CaseId,
    },
    /// It was refused.
    Refused {
        /// The reasons, which the reporter is told.
        reason: Prose,
        /// Where it belongs.
        redirect: Redirect,
    },
    /// A worker took the look on the spot.
    Claimed {
        /// Who took it, and until when others must not go.
        claim: Claim,
    },
    /// The worker who took the look on the spot gave it back.
    Unclaimed,
    /// A worker looked on the spot.
    Confirmed {
        /// What was seen.
        sight: Sight,
        /// Who has to decide.
        receiver: Unit,
        /// The clock of that.
        accept: Term,
    },
    /// It was taken out of its case.
    Unjoined {
        /// Who has to decide.
        receiver: Unit,
        /// The clock of that.
        accept: Term,
    },
    /// The clock was computed anew by a calendar that was published since.
    Recomputed {
        /// The clock as it is now.
        term: Term,
    },
    /// A measure about a debt was taken.
    Measured {
        /// What was done.
        what: MeasureKind,
        /// The clock as it is now.
        term: Term,
    },
}

impl JournalEvent for Event {}
