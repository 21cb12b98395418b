//! Refusals: a rule refused a command. The only error of the domain, with the facts that explain
//! it.

use chrono::NaiveDate;

use crate::{
    Instant,
    area::boundary,
    calendar::limit::Limit,
    core::{
        id::{AreaId, PatrolId, PersonId},
        tabular_import,
    },
    people::actor::{Permission, Role},
    rules::{obligation::Duty, vocabulary::Channel},
};

/// Why a command was refused.
#[derive(Clone, PartialEq, Debug)]
pub enum Refusal {
    /// An anonymous reporter must stay unknown: nothing is disclosed, and the report has neither a
    /// contact nor work done on the spot.
    Anonymous,
    /// The channel is not open to this reporter.
    ForeignChannel {
        /// The channel that was named.
        channel: Channel,
        /// The reporter's own channel.
        own: Channel,
    },
    /// The personal data was erased, and nothing can be stored in its place.
    Erased,
    /// A person who holds an office stays on record.
    InOffice,
    /// The purpose needs no consent, or does not exist.
    NoSuchPurpose {
        /// What was given.
        code: String,
    },
    /// A document to be published has faults; nothing of it takes effect.
    Unsound {
        /// All of them, up to a bound.
        faults: Vec<tabular_import::Fault>,
    },
    /// The case has the most requests that can wait at once.
    TooManyAsks {
        /// The most requests that wait at once.
        max: usize,
    },
    /// The case has the most supervisions it can have.
    TooManySupervisions {
        /// The most supervisions of one case.
        max: usize,
    },
    /// The same request is open already.
    AskedAlready {
        /// The kind of request, by name.
        what: &'static str,
    },
    /// No such request is open.
    NoSuchAsk {
        /// The number that was given.
        no: i64,
    },
    /// No such supervision waits for an answer.
    NoSuchSupervision {
        /// The number that was given.
        no: i64,
    },
    /// Each signature is given by another person, and not by the one who asked.
    SignsTwice,
    /// Only the person who opened a request withdraws it.
    NotAsker,
    /// No clock of the work is running that could be extended or stopped.
    NothingToExtend {
        /// The duty that was named; none for any.
        duty: Option<Duty>,
    },
    /// The deadline has passed: more time must be requested before it.
    Overdue {
        /// When it was due.
        due_at: Instant,
    },
    /// It was granted as often as the rules allow.
    Spent {
        /// The kind of request, by name.
        what: &'static str,
        /// How often it was granted.
        times: u32,
    },
    /// More time than the rules grant at once.
    TooMuchTime {
        /// The most that is granted at once.
        most: Limit,
    },
    /// An instant outside the possible range.
    OutsideWindow {
        /// The earliest that is possible.
        earliest: Instant,
        /// The latest that is possible.
        latest: Instant,
    },
    /// The case stands still.
    Suspended {
        /// Until when it stands still.
        until: Instant,
    },
    /// The case does not stand still.
    NotSuspended,
    /// No such breach.
    NoSuchBreach {
        /// The number that was given.
        no: i64,
    },
    /// No measure about this debt is due now.
    NothingDue,
    /// The supervised unit must be involved in the case.
    NotInvolved {
        /// The unit that was named.
        unit: String,
    },
    /// An arbiter assigned it to this unit: it can be neither returned nor contested.
    Appointed {
        /// The unit, by name.
        unit: String,
    },
    /// The matter is not on the list for communities.
    NotAdmitted {
        /// The community or grid.
        unit: String,
        /// The category of the matter, by code.
        category: String,
        /// The entry that forbids it, if one does.
        entry: Option<String>,
    },
    /// The tenant has no such rank of whistle.
    UnknownRank {
        /// What was given.
        code: String,
    },
    /// The tenant has no such topic of whistles.
    UnknownTopic {
        /// What was given.
        code: String,
    },
    /// Neither the position nor a note proves the arrival of the department.
    ArrivalUnproven {
        /// The distance; none without a position.
        distance_m: Option<f64>,
        /// The largest distance.
        most_m: u32,
    },
    /// A whistle always needs a lead.
    LeadMissing,
    /// The district was not asked to coordinate, or has done so already.
    NothingRaised,
    /// The report is not part of this case.
    NotJoined,
    /// The report a case was opened for stays with it.
    FirstReport,
    /// The command does not fit the state.
    WrongState {
        /// The name of the life cycle: that of a kind of flow, or `summons`.
        flow: &'static str,
        /// The name of the state it is in.
        state: &'static str,
        /// The name of the command.
        command: &'static str,
        /// The commands possible in this state.
        possible: Vec<&'static str>,
    },
    /// No grant of the actor allows this over that area.
    NotPermitted {
        /// The permission that is needed.
        permission: Permission,
        /// Over which area, by name.
        area: String,
    },
    /// A dispatcher dispatches within the dispatcher's own area; for other areas there are whistles
    /// and escalation.
    OutsideJurisdiction {
        /// The holder of the case.
        holder: String,
        /// The unit that the command names.
        unit: String,
    },
    /// Escalation has no level above.
    NoLevelAbove {
        /// The holder of the case.
        holder: String,
    },
    /// Only a street (or town) blows the whistle.
    NotAStreet {
        /// The holder of the case.
        holder: String,
    },
    /// A summons names something that is not a department serving this street.
    NotADepartment {
        /// The unit that the command names.
        unit: String,
    },
    /// A department is named twice in one whistle, or is lead and co-operating at once.
    NamedTwice {
        /// The unit, by name.
        unit: String,
    },
    /// One whistle summons only so many departments.
    TooManyDepartments {
        /// The limit, the lead included.
        max: usize,
    },
    /// This department is not summoned in the current whistle.
    NotSummoned,
    /// The lead feeds back last: co-operating departments are still at work.
    CooperatingPending {
        /// The departments that are still at work, by name.
        units: Vec<String>,
    },
    /// The summons was rated before.
    AlreadyRated,
    /// Another worker claimed the check, and has some time for it.
    Claimed {
        /// The name of that worker.
        by: String,
        /// From when others may claim it.
        until: Instant,
    },
    /// The actor did not take the check on the spot that is to be given back.
    NotClaimed,
    /// A person who is to check on the spot may not look there.
    NotAVerifier {
        /// The person who was named.
        id: PersonId,
    },
    /// The first receiver of a case leads it and must not return what is its own (首接负责).
    FirstReceiver {
        /// The first receiver, by name.
        unit: String,
        /// The item of the list of responsibilities that names it; none when it did not name
        /// another unit.
        item: Option<String>,
    },
    /// A person who handled the case must not verify it.
    HandlerVerifies,
    /// This reporter has answered already since the last verification.
    AlreadyAnswered,
    /// The three answers of a callback contradict each other.
    AnswersContradict {
        /// The contradiction, by its code.
        problem: &'static str,
    },
    /// The window for reopening is over.
    WindowOver {
        /// When it ended.
        ended_at: Instant,
    },
    /// The case named is not open for another report.
    NotJoinable {
        /// The stage of the case, by name.
        state: &'static str,
    },
    /// The case has the most reports it can have.
    TooManyReports {
        /// The most reports of one case.
        max: usize,
    },
    /// The case has the most remarks it can have; other commands are still possible.
    TooManyComments {
        /// The number of entries in its journal up to which remarks are accepted.
        max: i64,
    },
    /// The account name is taken or the object exists already.
    AlreadyExists {
        /// The kind of object.
        what: &'static str,
    },
    /// The person has the most grants possible.
    TooManyGrants {
        /// The most grants of one person.
        max: usize,
    },
    /// No such grant is in force.
    NoSuchGrant,
    /// A person named in a command does not exist.
    UnknownPerson {
        /// The identity that was named.
        id: PersonId,
    },
    /// A program authenticates by its secrets, never by a password.
    ProgramPassword,
    /// A role of programs was named for a person who is no program.
    ProgramRole,
    /// People do not give or take their own rights.
    OwnRights,
    /// Two roles that one person must not hold at the same time.
    RolesApart {
        /// The role that the person holds.
        held: Role,
        /// The role that was to be granted.
        asked: Role,
    },
    /// An area would be left without a permanent administrator.
    LastAdministrator {
        /// The area, by name.
        area: String,
    },
    /// Open work would be left that no one else could do.
    OpenWork {
        /// The units that owe it, by name.
        units: Vec<String>,
    },
    /// The person is not on duty.
    NotOnDuty,
    /// A shift is longer than allowed.
    ShiftTooLong {
        /// The most hours.
        hours: i64,
    },
    /// The place is in no area of this tenant.
    OutsideTenant,
    /// The point lies elsewhere than in the area that is named with it.
    OutsideArea {
        /// The name of the area.
        area: String,
        /// How far from it the point is, in metres.
        metres: u32,
        /// How far it may be.
        most: u32,
    },
    /// A report names neither a point nor an area.
    PlaceMissing,
    /// A unit cannot be the place of a report.
    NotATerritory {
        /// The unit, by name.
        unit: String,
    },
    /// The client's time is too far from the server's for a clock that is merely wrong.
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
        /// The identity that was named.
        id: AreaId,
    },
    /// The area is retired: nothing new happens there.
    AreaRetired {
        /// The area, by name.
        area: String,
        /// Its successors, by name.
        successors: Vec<String>,
    },
    /// The code fits no scheme for areas of its kind.
    BadAreaCode {
        /// What was given.
        code: String,
        /// The expected form, in Chinese and English.
        expected: (&'static str, &'static str),
    },
    /// Such an area cannot lie in such another one, or the areas are not of one kind.
    WrongLevel {
        /// The area that would lie there, by name.
        area: String,
        /// The area it would lie in; empty for the root.
        parent: String,
    },
    /// An area to be retired still contains others.
    ChildrenLeft {
        /// The area to be retired, by name.
        area: String,
        /// How many areas lie in it.
        count: usize,
        /// One of them.
        example: String,
    },
    /// An area to be retired still owes something, and no successor is named.
    DutiesLeft {
        /// The area to be retired, by name.
        area: String,
        /// The number of its open duties.
        count: i64,
    },
    /// The day of effect is before an earlier decision, or too far ahead.
    EffectOutside {
        /// The earliest possible day, where there is one.
        earliest: Option<NaiveDate>,
        /// The latest possible day.
        latest: NaiveDate,
    },
    /// A boundary has faults.
    BadBoundary {
        /// The faults, up to a bound.
        faults: Vec<boundary::Fault>,
    },
    /// Only grids have a purpose, and a public notice.
    NotAGrid {
        /// The area, by name.
        area: String,
    },
    /// Only the worker who started a patrol may give this command.
    NotYourPatrol {
        /// The worker who started it.
        worker: String,
    },
    /// A late entry needs a reason (补录).
    LateUnexplained {
        /// The hours after which an entry is late.
        hours: u32,
    },
    /// The actor has no such patrol.
    NoSuchPatrol {
        /// The identity that was named.
        id: PatrolId,
    },
    /// The patrol was not under way at that moment.
    NotOnPatrol {
        /// When it began.
        from: Instant,
        /// When it ended, or will.
        until: Instant,
    },
    /// Households lie in grids.
    NotInAGrid {
        /// The area that was named.
        area: String,
    },
    /// The list has its largest number of entries.
    TooMany {
        /// The name of the list, such as `members` or `needs`.
        what: &'static str,
        /// The largest number.
        max: usize,
    },
    /// The household has no such member.
    NoSuchMember,
    /// The person is not paired with the household in this way.
    NotPaired,
    /// Data of children under 14 is kept only with the consent of a guardian.
    GuardianConsentMissing,
    /// A visit on which no one was met has no answers and no opinions.
    NobodyMet,
    /// A visit needs a purpose.
    PurposeMissing,
    /// The household is not on the list of the campaign.
    NotOnList,
    /// The campaign lists no household.
    EmptyList,
    /// The answers do not fit the form.
    BadAnswers {
        /// Where the answers stand in the request, as a JSON pointer.
        under: &'static str,
        /// The faults, up to a bound.
        faults: Vec<tabular_import::Fault>,
    },
    /// The function is off unless the tenant turns it on, with a published reason.
    SwitchedOff {
        /// The switch that would have to be on.
        switch: crate::rules::vocabulary::Switch,
    },
    /// The standard of this category demands a photo of the result.
    EvidenceMissing {
        /// The category, or the class it belongs to.
        category: String,
    },
}

impl Refusal {
    /// The stable machine code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::ForeignChannel { .. } => "foreign_channel",
            Self::Erased => "erased",
            Self::InOffice => "in_office",
            Self::NoSuchPurpose { .. } => "no_such_purpose",
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
            Self::NotClaimed => "not_claimed",
            Self::NotAVerifier { .. } => "not_a_verifier",
            Self::Claimed { .. } => "claimed",
            Self::FirstReceiver { .. } => "first_receiver",
            Self::HandlerVerifies => "handler_verifies",
            Self::AnswersContradict { .. } => "answers_contradict",
            Self::AlreadyAnswered => "already_answered",
            Self::WindowOver { .. } => "window_over",
            Self::NotJoinable { .. } => "not_joinable",
            Self::TooManyReports { .. } => "too_many_reports",
            Self::TooManyComments { .. } => "too_many_comments",
            Self::AlreadyExists { .. } => "already_exists",
            Self::TooManyGrants { .. } => "too_many_grants",
            Self::NoSuchGrant => "no_such_grant",
            Self::UnknownPerson { .. } => "unknown_person",
            Self::ProgramPassword => "program_password",
            Self::ProgramRole => "program_role",
            Self::OwnRights => "own_rights",
            Self::RolesApart { .. } => "roles_apart",
            Self::LastAdministrator { .. } => "last_administrator",
            Self::OpenWork { .. } => "open_work",
            Self::NotOnDuty => "not_on_duty",
            Self::ShiftTooLong { .. } => "shift_too_long",
            Self::OutsideTenant => "outside_tenant",
            Self::OutsideArea { .. } => "outside_area",
            Self::PlaceMissing => "place_missing",
            Self::NotATerritory { .. } => "not_a_territory",
            Self::ClientTime { .. } => "client_time_out_of_range",
            Self::EmptyPeriod => "empty_period",
            Self::UnknownCategory { .. } => "unknown_category",
            Self::UnknownArea { .. } => "unknown_area",
            Self::AreaRetired { .. } => "area_retired",
            Self::BadAreaCode { .. } => "bad_area_code",
            Self::WrongLevel { .. } => "wrong_level",
            Self::ChildrenLeft { .. } => "children_left",
            Self::DutiesLeft { .. } => "duties_left",
            Self::EffectOutside { .. } => "effect_outside",
            Self::BadBoundary { .. } => "bad_boundary",
            Self::NotAGrid { .. } => "not_a_grid",
            Self::NotYourPatrol { .. } => "not_your_patrol",
            Self::LateUnexplained { .. } => "late_unexplained",
            Self::NoSuchPatrol { .. } => "no_such_patrol",
            Self::NotOnPatrol { .. } => "not_on_patrol",
            Self::Unsound { .. } => "unsound",
            Self::TooManyAsks { .. } => "too_many_asks",
            Self::TooManySupervisions { .. } => "too_many_supervisions",
            Self::AskedAlready { .. } => "asked_already",
            Self::NoSuchAsk { .. } => "no_such_ask",
            Self::NoSuchSupervision { .. } => "no_such_supervision",
            Self::SignsTwice => "signs_twice",
            Self::NotAsker => "not_asker",
            Self::NothingToExtend { .. } => "nothing_to_extend",
            Self::Overdue { .. } => "overdue",
            Self::Spent { .. } => "spent",
            Self::TooMuchTime { .. } => "too_much_time",
            Self::OutsideWindow { .. } => "outside_window",
            Self::Suspended { .. } => "suspended",
            Self::NotSuspended => "not_suspended",
            Self::NoSuchBreach { .. } => "no_such_breach",
            Self::NothingDue => "nothing_due",
            Self::NotInvolved { .. } => "not_involved",
            Self::Appointed { .. } => "appointed",
            Self::NotAdmitted { .. } => "not_admitted",
            Self::UnknownRank { .. } => "unknown_rank",
            Self::UnknownTopic { .. } => "unknown_topic",
            Self::ArrivalUnproven { .. } => "arrival_unproven",
            Self::LeadMissing => "lead_missing",
            Self::NothingRaised => "nothing_raised",
            Self::NotJoined => "not_joined",
            Self::FirstReport => "first_report",
            Self::NotInAGrid { .. } => "not_in_a_grid",
            Self::TooMany { .. } => "too_many",
            Self::NoSuchMember => "no_such_member",
            Self::NotPaired => "not_paired",
            Self::GuardianConsentMissing => "guardian_consent_missing",
            Self::NobodyMet => "nobody_met",
            Self::PurposeMissing => "purpose_missing",
            Self::NotOnList => "not_on_list",
            Self::EmptyList => "empty_list",
            Self::BadAnswers { .. } => "bad_answers",
            Self::SwitchedOff { .. } => "switched_off",
            Self::EvidenceMissing { .. } => "evidence_missing",
        }
    }
}
