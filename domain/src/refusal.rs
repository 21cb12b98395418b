//! Refusals: a rule said no. The only error of the domain, with the facts that explain it.

use crate::{Instant, actor::Permission, id::AreaId};

/// Why a command was refused.
#[derive(Clone, PartialEq, Debug)]
pub enum Refusal {
    /// The command does not fit the state.
    WrongState {
        /// Which flow: `report`, `case`, `summons`, `person`.
        flow: &'static str,
        /// Its state.
        state: &'static str,
        /// What was asked.
        command: &'static str,
        /// What is possible in this state.
        possible: Vec<&'static str>,
    },
    /// No grant of the actor allows this over that area.
    NotPermitted {
        /// What would be needed.
        permission: Permission,
        /// Over which area, by name.
        area: String,
    },
    /// A dispatcher dispatches within the own area; sideways is the whistle, upwards escalation.
    OutsideJurisdiction {
        /// Who holds the case.
        holder: String,
        /// Whom the command names.
        unit: String,
    },
    /// Escalation has no level above.
    NoLevelAbove {
        /// Who holds the case.
        holder: String,
    },
    /// Only a street (or town) blows the whistle.
    NotAStreet {
        /// Who holds the case.
        holder: String,
    },
    /// A summons names something that is not a department serving this street.
    NotADepartment {
        /// Whom the command names.
        unit: String,
    },
    /// A department is named twice in one whistle, or is lead and co-operating at once.
    NamedTwice {
        /// Which.
        unit: String,
    },
    /// One whistle summons only so many departments.
    TooManyDepartments {
        /// The limit, the lead included.
        max: usize,
    },
    /// This department is not summoned in the current whistle.
    NotSummoned,
    /// The lead answers last: co-operating departments are still at work.
    CooperatingPending {
        /// Which.
        units: Vec<String>,
    },
    /// The summons was rated before.
    AlreadyRated,
    /// Who handled does not verify.
    HandlerVerifies,
    /// The three answers of a callback contradict each other.
    AnswersContradict {
        /// How.
        problem: &'static str,
    },
    /// The window for reopening is over.
    WindowOver {
        /// When it ended.
        ended_at: Instant,
    },
    /// The case named is not open for another report.
    NotJoinable {
        /// Its state.
        state: &'static str,
    },
    /// A case holds no more reports.
    TooManyReports {
        /// The limit.
        max: usize,
    },
    /// A case holds no more remarks; its steps go on.
    TooManyComments {
        /// The limit of entries in its journal up to which remarks are taken.
        max: i64,
    },
    /// The account name is taken or the person exists already.
    AlreadyExists {
        /// What exists.
        what: &'static str,
    },
    /// The person holds as many grants as allowed.
    TooManyGrants {
        /// The limit.
        max: usize,
    },
    /// No such grant is in force.
    NoSuchGrant,
    /// The place is in no area of this tenant.
    OutsideTenant,
    /// A report names neither a point nor an area.
    PlaceMissing,
    /// A unit cannot be the place of a report.
    NotATerritory {
        /// Its name.
        unit: String,
    },
    /// The client's time is too far from ours to be a clock that is merely wrong.
    ClientTime {
        /// What the client said.
        given: Instant,
        /// The earliest acceptable.
        earliest: Instant,
        /// The latest acceptable.
        latest: Instant,
    },
    /// A period that ends before it begins.
    EmptyPeriod,
    /// The catalogue has no such category.
    UnknownCategory {
        /// What was given.
        code: String,
    },
    /// An area named in a command does not exist.
    UnknownArea {
        /// Which.
        id: AreaId,
    },
}

impl Refusal {
    /// The stable machine code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::WrongState { .. } => "wrong_state",
            Self::NotPermitted { .. } => "not_permitted",
            Self::OutsideJurisdiction { .. } => "outside_jurisdiction",
            Self::NoLevelAbove { .. } => "no_level_above",
            Self::NotAStreet { .. } => "not_a_street",
            Self::NotADepartment { .. } => "not_a_department",
            Self::NamedTwice { .. } => "named_twice",
            Self::TooManyDepartments { .. } => "too_many_departments",
            Self::NotSummoned => "not_summoned",
            Self::CooperatingPending { .. } => "cooperating_pending",
            Self::AlreadyRated => "already_rated",
            Self::HandlerVerifies => "handler_verifies",
            Self::AnswersContradict { .. } => "answers_contradict",
            Self::WindowOver { .. } => "window_over",
            Self::NotJoinable { .. } => "not_joinable",
            Self::TooManyReports { .. } => "too_many_reports",
            Self::TooManyComments { .. } => "too_many_comments",
            Self::AlreadyExists { .. } => "already_exists",
            Self::TooManyGrants { .. } => "too_many_grants",
            Self::NoSuchGrant => "no_such_grant",
            Self::OutsideTenant => "outside_tenant",
            Self::PlaceMissing => "place_missing",
            Self::NotATerritory { .. } => "not_a_territory",
            Self::ClientTime { .. } => "client_time_out_of_range",
            Self::EmptyPeriod => "empty_period",
            Self::UnknownCategory { .. } => "unknown_category",
            Self::UnknownArea { .. } => "unknown_area",
        }
    }
}
