//! Actors: who asks, and what they may do where.
//!
//! A grant is a role over an area for a period; a role is a set of permissions, fixed in one
//! table. An actor is made only by authentication (or by a test): without one no command runs,
//! and without its [`Scope`] no list can be asked for.

use serde::{Deserialize, Serialize};

use crate::{
    Instant,
    area::{Path, Unit},
    id::{AreaId, PersonId, TenantId},
    named::named,
};

named! {
    /// What somebody is, over some area.
    Role {
        /// Walks a grid, reports, handles small things, verifies on the spot.
        GridWorker = "grid_worker", "网格员";
        /// Accepts reports of a community and handles what it can.
        CommunityOfficer = "community_officer", "社区工作者";
        /// Accepts, dispatches, calls back and closes for a street.
        StreetDispatcher = "street_dispatcher", "街道调度员";
        /// Blows the whistle, releases and rates departments.
        StreetLeader = "street_leader", "街道领导";
        /// Signs, handles, reports in and feeds back for a department.
        DepartmentOfficer = "department_officer", "部门经办人";
        /// Dispatches what streets send up.
        DistrictDispatcher = "district_dispatcher", "区级指挥中心";
        /// Calls residents back.
        Hotline = "hotline", "热线回访员";
        /// Manages people and their grants; does not handle cases.
        Administrator = "administrator", "系统管理员";
        /// Reports, follows the own reports, answers at the end.
        Resident = "resident", "居民";
    }
}

named! {
    /// One thing a role allows over an area.
    Permission {
        /// Report a problem.
        ReportProblem = "report_problem", "上报问题";
        /// File, refuse or join a report.
        AcceptReport = "accept_report", "受理上报";
        /// Know who reported, unless the reporter asked for confidentiality.
        ReadReporter = "read_reporter", "查看上报人";
        /// Know even a confidential reporter.
        ReadConfidential = "read_confidential", "查看保密上报人";
        /// See cases and reports.
        ReadCases = "read_cases", "查看案卷";
        /// Dispatch a case, or send it up.
        DispatchCase = "dispatch_case", "派遣案卷";
        /// Sign, handle, return and feed back a dispatched case.
        HandleCase = "handle_case", "处置案卷";
        /// Summon departments.
        BlowWhistle = "blow_whistle", "街道吹哨";
        /// Sign, contact, arrive and feed back as a summoned department.
        AnswerWhistle = "answer_whistle", "部门报到";
        /// Send back, release and rate summoned departments.
        ReleaseDepartment = "release_department", "放行与评价部门";
        /// Verify on the spot that it is solved.
        VerifyOnSite = "verify_on_site", "现场核查";
        /// Ask the resident: reached, solved, satisfied.
        CallBack = "call_back", "回访";
        /// Close a case.
        CloseCase = "close_case", "结案";
        /// Reopen a closed case within the window.
        ReopenCase = "reopen_case", "重新打开";
        /// Add a comment.
        Comment = "comment", "批注";
        /// Sign what those below ask for: more time, standstill, appeals.
        DecideRequests = "decide_requests", "审批申请";
        /// Say whose a contested case is, rule for good, coordinate whistles.
        Arbitrate = "arbitrate", "裁定与协调";
        /// Urge, supervise, list.
        Supervise = "supervise", "督办";
        /// Answer a supervision of the own unit.
        AnswerSupervision = "answer_supervision", "答复督办";
        /// Publish rules: deadlines, calendars, duty lists, whistles.
        ManageRules = "manage_rules", "维护规则";
        /// Register people, grant and revoke.
        ManagePeople = "manage_people", "管理人员与授权";
    }
}

/// Which role allows what: the whole policy, in one place.
pub const POLICY: &[(Role, &[Permission])] = {
    use Permission as P;
    &[
        (
            Role::GridWorker,
            &[
                P::ReportProblem,
                P::ReadCases,
                P::HandleCase,
                P::VerifyOnSite,
                P::AnswerSupervision,
                P::Comment,
            ],
        ),
        (
            Role::CommunityOfficer,
            &[
                P::ReportProblem,
                P::AcceptReport,
                P::ReadReporter,
                P::ReadCases,
                P::DispatchCase,
                P::HandleCase,
                P::CallBack,
                P::CloseCase,
                P::AnswerSupervision,
                P::Comment,
            ],
        ),
        (
            Role::StreetDispatcher,
            &[
                P::ReportProblem,
                P::AcceptReport,
                P::ReadReporter,
                P::ReadConfidential,
                P::ReadCases,
                P::DispatchCase,
                P::CallBack,
                P::CloseCase,
                P::ReopenCase,
                P::AnswerSupervision,
                P::Comment,
            ],
        ),
        (
            Role::StreetLeader,
            &[
                P::ReadCases,
                P::DispatchCase,
                P::BlowWhistle,
                P::ReleaseDepartment,
                P::DecideRequests,
                P::Supervise,
                P::AnswerSupervision,
                P::Comment,
            ],
        ),
        (
            Role::DepartmentOfficer,
            &[P::ReadCases, P::HandleCase, P::AnswerWhistle, P::AnswerSupervision, P::Comment],
        ),
        (
            Role::DistrictDispatcher,
            &[
                P::AcceptReport,
                P::ReadReporter,
                P::ReadCases,
                P::DispatchCase,
                P::CallBack,
                P::CloseCase,
                P::ReopenCase,
                P::DecideRequests,
                P::Arbitrate,
                P::Supervise,
                P::AnswerSupervision,
                P::Comment,
            ],
        ),
        (
            Role::Hotline,
            &[
                P::ReportProblem,
                P::ReadReporter,
                P::ReadConfidential,
                P::ReadCases,
                P::CallBack,
                P::ReopenCase,
                P::Comment,
            ],
        ),
        (Role::Administrator, &[P::ManagePeople, P::ManageRules]),
        (Role::Resident, &[P::ReportProblem]),
    ]
};

impl Role {
    /// What this role allows.
    pub fn permissions(self) -> &'static [Permission] {
        POLICY.iter().find(|(role, _)| *role == self).map_or(&[], |(_, permissions)| permissions)
    }

    /// Whether this role allows it.
    pub fn allows(self, permission: Permission) -> bool {
        self.permissions().contains(&permission)
    }
}

/// A role over an area for a period.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Grant {
    /// What.
    pub role: Role,
    /// Over which area, with everything in it.
    pub over: Unit,
    /// From when, inclusive.
    pub from: Instant,
    /// Until when, exclusive; without it, until revoked.
    pub until: Option<Instant>,
}

impl Grant {
    /// Whether it holds at this moment.
    pub fn holds(&self, at: Instant) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

/// Who asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Actor {
    /// The tenant the actor belongs to; nothing of another is ever seen.
    pub tenant: TenantId,
    /// Which person.
    pub person: PersonId,
    /// The name written into the journal.
    pub name: String,
    /// All grants, of the past and the future too.
    pub grants: Vec<Grant>,
}

impl Actor {
    /// The system itself: installs a tenant and its first administrator.
    pub fn system(tenant: TenantId, root: Unit) -> Self {
        let grant = |role| Grant { role, over: root.clone(), from: Instant::MIN_UTC, until: None };
        Self {
            tenant,
            person: PersonId(uuid::Uuid::nil()),
            name: "系统".to_owned(),
            grants: vec![grant(Role::Administrator)],
        }
    }

    /// Whether a grant that holds now allows `permission` over the area at `path`.
    pub fn may(&self, permission: Permission, path: &Path, at: Instant) -> bool {
        self.grants.iter().any(|grant| {
            grant.holds(at) && grant.role.allows(permission) && grant.over.path.contains(path)
        })
    }

    /// Whether this is the system itself, which nobody can log in as.
    pub fn is_system(&self) -> bool {
        self.person.0.is_nil()
    }

    /// Whether one of these roles is held now over the area at `path`.
    pub fn is_any(&self, roles: &[Role], path: &Path, at: Instant) -> bool {
        self.grants.iter().any(|grant| {
            grant.holds(at) && roles.contains(&grant.role) && grant.over.path.contains(path)
        })
    }

    /// Whether a grant that holds now allows `permission` anywhere.
    pub fn may_somewhere(&self, permission: Permission, at: Instant) -> bool {
        self.grants.iter().any(|grant| grant.holds(at) && grant.role.allows(permission))
    }

    /// What `permission` lets this actor see in lists.
    pub fn scope(&self, permission: Permission, at: Instant) -> Scope {
        let mut paths: Vec<Path> = Vec::new();
        let mut units: Vec<AreaId> = Vec::new();
        for grant in self.grants.iter().filter(|g| g.holds(at) && g.role.allows(permission)) {
            if !paths.contains(&grant.over.path) {
                paths.push(grant.over.path.clone());
            }
            if !units.contains(&grant.over.id) {
                units.push(grant.over.id);
            }
        }
        Scope { tenant: self.tenant, person: self.person, paths, units }
    }
}

/// What an actor may see in a list: the tenant, the areas, and what is their own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scope {
    /// Always: nothing crosses it.
    pub tenant: TenantId,
    /// The own reports are visible whatever the areas say.
    pub person: PersonId,
    /// Everything in these areas.
    pub paths: Vec<Path>,
    /// What involves these units, wherever it happened.
    pub units: Vec<AreaId>,
}
