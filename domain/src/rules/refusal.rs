//! Refusals: a rule said no. The only error of the domain, with the facts that explain it.

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
    /// Who reported anonymously must stay unknown, and no contact is named with such a report.
    Anonymous,
    /// A report does not come by this way from this reporter.
    ForeignChannel {
        /// The way that was named.
        channel: Channel,
        /// The way it comes by.
        own: Channel,
    },
    /// The personal data was erased, and with it the place where it was kept.
    Erased,
    /// A person who holds an office stays in the record of it.
    InOffice,
    /// The purpose needs no consent, or does not exist.
    NoSuchPurpose {
        /// What was given.
        code: String,
    },
    /// A document that is to come into force has faults; nothing of it does.
    Unsound {
        /// All of them, up to a bound.
        faults: Vec<tabular_import::Fault>,
    },
    /// As many requests wait as one case may have.
    TooManyAsks {
        /// The most requests that wait at once.
        max: usize,
    },
    /// A case was supervised as often as it can be.
    TooManySupervisions {
        /// The most supervisions of one case.
        max: usize,
    },
    /// The same was asked and is not decided.
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
    /// Only the person who asked takes a question back.
    NotAsker,
    /// No clock of the work is running that could be extended or stopped.
    NothingToExtend {
        /// Of this duty; none: of any.
        duty: Option<Duty>,
    },
    /// It was due already: more time is asked for before that.
    Overdue {
        /// When it was due.
        due_at: Instant,
    },
    /// It was given as often as the rules allow.
    Spent {
        /// The kind of request, by name.
        what: &'static str,
        /// How often it was given.
        times: u32,
    },
    /// More time than the rules give at once.
    TooMuchTime {
        /// The most that is given at once.
        most: Limit,
    },
    /// An instant outside of what is possible.
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
    /// No such overdue fact.
    NoSuchBreach {
        /// The number that was given.
        no: i64,
    },
    /// Nothing is to be done about this debt now.
    NothingDue,
    /// Who is supervised must have to do with the case.
    NotInvolved {
        /// Who was named.
        unit: String,
    },
    /// An arbiter said that it is this unit's: it can be neither given back nor contested.
    Appointed {
        /// The unit, by name.
        unit: String,
    },
    /// Not on the list of what a community may be given.
    NotAdmitted {
        /// Which community or grid.
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
    /// Neither the point shows that the department is there nor do words say why not.
    ArrivalUnproven {
        /// How far away; none without a point.
        distance_m: Option<f64>,
        /// How far it may be.
        most_m: u32,
    },
    /// A whistle is never without a lead.
    LeadMissing,
    /// The district was not asked to coordinate, or did.
    NothingRaised,
    /// The report is not part of this case.
    NotJoined,
    /// The report a case was opened for stays with it.
    FirstReport,
    /// The command does not fit the state.
    WrongState {
        /// Which flow: `report`, `case`, `summons`, `person`.
        flow: &'static str,
        /// The name of the state it is in.
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
    /// The lead answers last: co-operating departments are still at work.
    CooperatingPending {
        /// The departments that are still at work, by name.
        units: Vec<String>,
    },
    /// The summons was rated before.
    AlreadyRated,
    /// Another worker went to look, and has some time for it.
    Claimed {
        /// The name of that worker.
        by: String,
        /// From when on others may.
        until: Instant,
    },
    /// The actor did not take the look on the spot that is to be given back.
    NotClaimed,
    /// A person who is to look on the spot may not look there.
    NotAVerifier {
        /// That person.
        id: PersonId,
    },
    /// The unit that was given a case first leads it and must not shift what is its own (首接负责).
    FirstReceiver {
        /// The unit that was given it first, by name.
        unit: String,
        /// The item of the list of responsibilities that names it; none: it named no other unit.
        item: Option<String>,
    },
    /// Who handled does not verify.
    HandlerVerifies,
    /// This reporter answered already, since it was verified last.
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
    /// A case holds no more reports.
    TooManyReports {
        /// The most reports of one case.
        max: usize,
    },
    /// A case holds no more remarks; its steps go on.
    TooManyComments {
        /// The limit of entries in its journal up to which remarks are taken.
        max: i64,
    },
    /// The account name is taken or the person exists already.
    AlreadyExists {
        /// The kind of thing that exists.
        what: &'static str,
    },
    /// The person holds as many grants as allowed.
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
    /// A program proves who it is by its secrets, never by a password.
    ProgramPassword,
    /// A role of programs, asked for a person who is none.
    ProgramRole,
    /// A person does not give or take rights of their own.
    OwnRights,
    /// Two roles that one person must not hold at the same time.
    RolesApart {
        /// The one that is held.
        held: Role,
        /// The one that was asked for.
        asked: Role,
    },
    /// An area would be left without an administrator who stays.
    LastAdministrator {
        /// The area, by name.
        area: String,
    },
    /// Work is open that no one else could do.
    OpenWork {
        /// The units that owe it, by name.
        units: Vec<String>,
    },
    /// The person is not on duty.
    NotOnDuty,
    /// A shift is longer than a person works.
    ShiftTooLong {
        /// The most hours.
        hours: i64,
    },
    /// The place is in no area of this tenant.
    OutsideTenant,
    /// A report names neither a point nor an area.
    PlaceMissing,
    /// A unit cannot be the place of a report.
    NotATerritory {
        /// The unit, by name.
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
        /// The identity that was named.
        id: AreaId,
    },
    /// The area is no more: nothing new happens there.
    AreaRetired {
        /// The area, by name.
        area: String,
        /// What became of it, by name.
        successors: Vec<String>,
    },
    /// The code is in no scheme of areas of its kind.
    BadAreaCode {
        /// What was given.
        code: String,
        /// What it looks like, in Chinese and English.
        expected: (&'static str, &'static str),
    },
    /// Such an area does not lie in such another one, or they are not of one kind.
    WrongLevel {
        /// The area that would lie there, by name.
        area: String,
        /// In which; empty for the root.
        parent: String,
    },
    /// Something still lies in an area that is to end.
    ChildrenLeft {
        /// The area that is to end, by name.
        area: String,
        /// How many areas lie in it.
        count: usize,
        /// One of them.
        example: String,
    },
    /// An area that is to end still owes something, and no area would answer for it.
    DutiesLeft {
        /// The area that is to end, by name.
        area: String,
        /// How much it owes.
        count: i64,
    },
    /// The day of effect is before what was decided already, or too far ahead.
    EffectOutside {
        /// The earliest possible day, where there is one.
        earliest: Option<NaiveDate>,
        /// The latest possible day.
        latest: NaiveDate,
    },
    /// A boundary is not sound.
    BadBoundary {
        /// What is wrong with it, up to a bound.
        faults: Vec<boundary::Fault>,
    },
    /// Only grids have a kind, and a notice.
    NotAGrid {
        /// The area, by name.
        area: String,
    },
    /// Only the worker who started a patrol may ask this of it.
    NotYourPatrol {
        /// Who started it.
        worker: String,
    },
    /// What is told so long afterwards says why (补录).
    LateUnexplained {
        /// After so many hours.
        hours: u32,
    },
    /// There is no such patrol of one's own.
    NoSuchPatrol {
        /// Which was named.
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
        /// Which area was named.
        area: String,
    },
    /// A household has as many of these as it can.
    TooMany {
        /// Of what: `members`, `pairings`, `needs`, `households`.
        what: &'static str,
        /// The most of them.
        max: usize,
    },
    /// The household has no such member.
    NoSuchMember,
    /// The person is not paired with the household in this way.
    NotPaired,
    /// Data of children under 14 is kept with the consent of a guardian only.
    GuardianConsentMissing,
    /// A visit on which no one was met brings no answers, opinions or needs.
    NobodyMet,
    /// A visit is for something.
    PurposeMissing,
    /// The household is not on the list of the campaign.
    NotOnList,
    /// The campaign lists no household.
    EmptyList,
    /// What a form was answered does not fit it.
    BadAnswers {
        /// Where the answers stand in what was asked, as a JSON pointer.
        under: &'static str,
        /// All that is wrong, up to a bound.
        faults: Vec<tabular_import::Fault>,
    },
    /// It is done only where the tenant turned it on, with a reason that is published.
    SwitchedOff {
        /// The switch that would have to be on.
        switch: crate::rules::vocabulary::Switch,
    },
    /// The standard of this category demands a photo of how it is afterwards.
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
