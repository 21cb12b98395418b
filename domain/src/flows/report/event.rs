//! The commands and events of a report.

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

/// The content of a report to be submitted.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Draft {
    /// The identity it will have.
    pub id: ReportId,
    /// The channel through which it comes.
    pub channel: Channel,
    /// The title; without it, the first words of the text.
    pub title: Option<Line>,
    /// The text, in full.
    pub text: Prose,
    /// The code in the catalogue, when the reporter knows it.
    pub category: Option<Code>,
    /// How pressing it is.
    pub urgency: Urgency,
    /// The kind of demand, when the reporter knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub demand: Option<Demand>,
    /// The area of the place; none when the point is outside the tenant.
    pub area: Option<crate::core::id::AreaId>,
    /// The point, as given.
    pub point: Option<RawPoint>,
    /// The address in words.
    pub address: Option<Line>,
    /// When it was entered, by the phone's clock.
    pub client_at: Option<Instant>,
    /// Whether handlers must not know the reporter.
    pub confidential: bool,
    /// Whether the reporter must stay unknown to everyone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub anonymous: bool,
    /// Whether a contact is named with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub contact: bool,
    /// The patrol on which it was made: the reporter's own and under way then; the caller checked
    /// that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patrol: Option<PatrolId>,
    /// The attached files, whether or not they have arrived.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<Attachment>,
    /// What was done on the spot, and the case to document it in, where the reporter handled the
    /// matter.
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

/// The commands for a report.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Submits a report.
    Submit(Box<Draft>),
    /// Opens a case for it.
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
    /// Joins it to a case.
    Join {
        /// The case, which has to be open.
        case: CaseId,
    },
    /// Refuses the report (不予受理).
    Refuse {
        /// The reasons, which the reporter sees.
        reason: Prose,
        /// Where it belongs.
        redirect: Redirect,
    },
    /// Claims the check on the spot.
    Claim,
    /// Give the check on the spot back.
    Unclaim {
        /// Who goes instead; without anybody, it is free.
        to: Option<PersonId>,
    },
    /// Reports the result of the check.
    Confirm {
        /// Whether it is as reported.
        real: bool,
        /// What was seen.
        note: Option<Prose>,
        /// Where the worker stood.
        point: Option<Point>,
    },
    /// Takes it out of its case. Only [`crate::flows::intake`] gives this command.
    Unjoin,
    /// Recomputes a provisional deadline. Only the system gives this command.
    Recompute,
    /// Takes the next measure about a debt. Only the system gives this command.
    Lapse {
        /// The number of its clock.
        term: i64,
    },
}

/// The events of a report.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// It was submitted.
    Submitted {
        /// Its initial state.
        report: Box<Report>,
    },
    /// A case was opened for it.
    Filed {
        /// The case that was opened.
        case: CaseId,
    },
    /// It was joined to a case.
    Joined {
        /// The case that it was added to.
        case: CaseId,
    },
    /// It was refused.
    Refused {
        /// The reasons, which the reporter sees.
        reason: Prose,
        /// Where it belongs.
        redirect: Redirect,
    },
    /// A worker claimed the check on the spot.
    Claimed {
        /// The worker, and until when no one else may claim it.
        claim: Claim,
    },
    /// The worker who claimed the check on the spot gave it back.
    Unclaimed,
    /// A worker checked on the spot.
    Confirmed {
        /// The result of the check.
        sight: Sight,
        /// The unit that has to decide.
        receiver: Unit,
        /// The clock of that duty.
        accept: Term,
    },
    /// It was taken out of its case.
    Unjoined {
        /// The unit that has to decide.
        receiver: Unit,
        /// The clock of that duty.
        accept: Term,
    },
    /// The clock was recomputed by a calendar that was published since.
    Recomputed {
        /// The clock as it is now.
        term: Term,
    },
    /// A measure about a debt was taken.
    Measured {
        /// The kind of measure.
        what: MeasureKind,
        /// The clock as it is now.
        term: Term,
    },
}

impl JournalEvent for Event {}
