//! Roles: what a person is, and what that allows.
//!
//! The permissions are a fixed list: each rule names the permission it needs. Which role has which
//! permissions is a table that a tenant may publish again, within bounds that keep powers apart:
//! the role that gives rights neither uses nor audits them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, LazyLock},
};

use serde::{Deserialize, Serialize};

use crate::core::{
    labelled_enum::labelled_enum,
    tabular_import::{At, Fault, Faults},
};

labelled_enum! {
    /// The roles a person can have over an area.
    Role {
        /// Walks a grid, reports, handles small things, verifies on the spot.
        GridWorker = "grid_worker", "网格员";
        /// Leads the workers of a grid.
        GridLeader = "grid_leader", "网格长";
        /// Accepts reports of a community and handles what it can.
        CommunityOfficer = "community_officer", "社区工作者";
        /// Accepts, dispatches, calls back and closes for a street.
        StreetDispatcher = "street_dispatcher", "街道调度员";
        /// Blows whistles, releases and rates departments.
        StreetLeader = "street_leader", "街道领导";
        /// Signs, handles, reports in and feeds back for a department.
        DepartmentOfficer = "department_officer", "部门经办人";
        /// Is responsible for a department.
        DepartmentHead = "department_head", "部门负责人";
        /// Dispatches the cases that streets send up.
        DistrictDispatcher = "district_dispatcher", "区级指挥中心";
        /// Calls residents back.
        Hotline = "hotline", "热线回访员";
        /// Inspects how cases are handled, also on the spot; urges and supervises.
        Inspector = "inspector", "督查员";
        /// Reads who did what with whose data; changes nothing.
        Auditor = "auditor", "审计员";
        /// Manages people and their grants; does not handle cases.
        Administrator = "administrator", "系统管理员";
        /// Another system that acts under its own account.
        Integrator = "integrator", "接入系统";
        /// Reports, follows own reports, answers the callback.
        Resident = "resident", "居民";
        /// A resident who helps.
        Volunteer = "volunteer", "志愿者";
    }
}

labelled_enum! {
    /// One thing that a role allows over an area.
    Permission {
        /// Report a problem.
        ReportProblem = "report_problem", "上报问题";
        /// File, refuse or join reports.
        AcceptReport = "accept_report", "受理上报";
        /// Know the reporter, unless the reporter asked for confidentiality.
        ReadReporter = "read_reporter", "查看上报人";
        /// Know even a confidential reporter.
        ReadConfidential = "read_confidential", "查看保密上报人";
        /// See cases and reports.
        ReadCases = "read_cases", "查看案卷";
        /// Dispatch a case, or send it up.
        DispatchCase = "dispatch_case", "派遣案卷";
        /// Sign, handle, return and feed back a dispatched case.
        HandleCase = "handle_case", "处置案卷";
        /// Summon departments to a case.
        BlowWhistle = "blow_whistle", "街道吹哨";
        /// Sign, contact, arrive and feed back as a summoned department.
        AnswerWhistle = "answer_whistle", "部门报到";
        /// Send back, release and rate summoned departments.
        ReleaseDepartment = "release_department", "放行与评价部门";
        /// Verify on the spot that it is solved.
        VerifyOnSite = "verify_on_site", "现场核查";
        /// Record the resident's answers: reached, solved, satisfied.
        CallBack = "call_back", "回访";
        /// Close a case.
        CloseCase = "close_case", "结案";
        /// Reopen a closed case within the window.
        ReopenCase = "reopen_case", "重新打开";
        /// Add a comment.
        Comment = "comment", "批注";
        /// Sign requests from below: extensions, standstills, appeals.
        DecideRequests = "decide_requests", "审批申请";
        /// Assign disputed cases, give final rulings, coordinate whistles.
        Arbitrate = "arbitrate", "裁定与协调";
        /// Urge, supervise, list.
        Supervise = "supervise", "督办";
        /// Answer a supervision of one's own unit.
        AnswerSupervision = "answer_supervision", "答复督办";
        /// Publish rules: deadlines, calendars, duty lists, whistles.
        ManageRules = "manage_rules", "维护规则";
        /// Create, change, merge, split and retire areas.
        ManageAreas = "manage_areas", "维护区划";
        /// Register people, grant, revoke and hand over.
        ManagePeople = "manage_people", "管理人员与授权";
        /// Know who holds which appointment, and who is on duty.
        ReadPeople = "read_people", "查看人员与在岗";
        /// Go on duty: be sent to places near by.
        GoOnDuty = "go_on_duty", "上岗值班";
        /// Read the record of what was done to personal data and rights.
        ReadAudit = "read_audit", "查看审计记录";
        /// See personal data unmasked, for a purpose, on the record.
        DisclosePersonal = "disclose_personal", "查看个人信息明文";
        /// Walk patrols, and record one's own track on them.
        Patrol = "patrol", "巡查";
        /// Plan patrols, and retire plans.
        ManagePatrols = "manage_patrols", "安排巡查";
        /// See where others walked on patrol, and where people on duty are; on the record.
        ReadTracks = "read_tracks", "查看巡查轨迹";
        /// Know the households of an area, their data masked.
        ReadHouseholds = "read_households", "查看家庭";
        /// Register households, and change their data.
        ManageHouseholds = "manage_households", "维护家庭信息";
        /// Visit households, plan and record visits, fill in forms.
        Visit = "visit", "入户走访";
        /// See the data of a household unmasked, for a purpose, on the record.
        DiscloseHouseholds = "disclose_households", "查看家庭信息明文";
        /// Organise visits to many households.
        ManageCampaigns = "manage_campaigns", "组织走访行动";
        /// See how much work the system demanded of workers.
        ReadBurden = "read_burden", "查看填报负担";
        /// Decide which outside servers receive events, and see the deliveries.
        ManageWebhooks = "manage_webhooks", "管理事件推送";
        /// Decide whether content of the public may be shown to others.
        ReviewContent = "review_content", "审核公众内容";
    }
}

/// What each role allows in a tenant that published nothing else.
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
                P::GoOnDuty,
                P::Patrol,
                P::ReadHouseholds,
                P::ManageHouseholds,
                P::Visit,
                P::DiscloseHouseholds,
            ],
        ),
        (
            Role::GridLeader,
            &[
                P::ReportProblem,
                P::ReadCases,
                P::HandleCase,
                P::VerifyOnSite,
                P::AnswerSupervision,
                P::Comment,
                P::ReadPeople,
                P::GoOnDuty,
                P::Patrol,
                P::ManagePatrols,
                P::ReadTracks,
                P::ReadHouseholds,
                P::ManageHouseholds,
                P::Visit,
                P::DiscloseHouseholds,
                P::ReadBurden,
            ],
        ),
        (
            Role::CommunityOfficer,
            &[
                P::ReportProblem,
                P::AcceptReport,
                P::ReadReporter,
                P::DisclosePersonal,
                P::ReadCases,
                P::DispatchCase,
                P::HandleCase,
                P::CallBack,
                P::CloseCase,
                P::AnswerSupervision,
                P::Comment,
                P::ReadPeople,
                P::GoOnDuty,
                P::Patrol,
                P::ManagePatrols,
                P::ReadTracks,
                P::ReadHouseholds,
                P::ManageHouseholds,
                P::Visit,
                P::DiscloseHouseholds,
                P::ManageCampaigns,
                P::ReadBurden,
                P::ReviewContent,
            ],
        ),
        (
            Role::StreetDispatcher,
            &[
                P::ReportProblem,
                P::AcceptReport,
                P::ReadReporter,
                P::ReadConfidential,
                P::DisclosePersonal,
                P::ReadCases,
                P::DispatchCase,
                P::CallBack,
                P::CloseCase,
                P::ReopenCase,
                P::AnswerSupervision,
                P::Comment,
                P::ReadPeople,
                P::ManagePatrols,
                P::ReadTracks,
                P::ReadHouseholds,
                P::ManageCampaigns,
                P::ReadBurden,
                P::ReviewContent,
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
                P::ReadPeople,
                P::ManagePatrols,
                P::ReadTracks,
                P::ReadHouseholds,
                P::Visit,
                P::ManageCampaigns,
                P::ReadBurden,
            ],
        ),
        (
            Role::DepartmentOfficer,
            &[
                P::ReadCases,
                P::HandleCase,
                P::AnswerWhistle,
                P::AnswerSupervision,
                P::Comment,
                P::GoOnDuty,
            ],
        ),
        (
            Role::DepartmentHead,
            &[
                P::ReadCases,
                P::HandleCase,
                P::AnswerWhistle,
                P::AnswerSupervision,
                P::Comment,
                P::ReadPeople,
            ],
        ),
        (
            Role::DistrictDispatcher,
            &[
                P::AcceptReport,
                P::ReadReporter,
                P::DisclosePersonal,
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
                P::ReadPeople,
                P::ManageCampaigns,
                P::ReadBurden,
                P::ReviewContent,
            ],
        ),
        (
            Role::Hotline,
            &[
                P::ReportProblem,
                P::ReadReporter,
                P::ReadConfidential,
                P::DisclosePersonal,
                P::ReadCases,
                P::CallBack,
                P::ReopenCase,
                P::Comment,
                P::ReviewContent,
            ],
        ),
        (
            Role::Inspector,
            &[
                P::ReadCases,
                P::VerifyOnSite,
                P::Supervise,
                P::Comment,
                P::ReadPeople,
                P::GoOnDuty,
                P::ReadBurden,
            ],
        ),
        (Role::Auditor, &[P::ReadCases, P::ReadPeople, P::ReadAudit]),
        (
            Role::Administrator,
            &[
                P::ManagePeople,
                P::ManageRules,
                P::ManageAreas,
                P::ReadPeople,
                P::DisclosePersonal,
                P::ManageWebhooks,
            ],
        ),
        (Role::Integrator, &[P::ReportProblem, P::ReadCases]),
        (Role::Resident, &[P::ReportProblem]),
        (Role::Volunteer, &[P::ReportProblem]),
    ]
};

impl Role {
    /// What this role allows as shipped.
    pub fn permissions(self) -> &'static [Permission] {
        POLICY.iter().find(|(role, _)| *role == self).map_or(&[], |(_, permissions)| permissions)
    }

    /// Whether this role allows it as shipped; [`Powers`] says what it allows in a tenant.
    pub fn allows(self, permission: Permission) -> bool {
        self.permissions().contains(&permission)
    }

    /// Whether this is a role of system administration: its logins are held to stricter rules.
    pub fn is_administrative(self) -> bool {
        RESERVED.iter().any(|(_, holder)| *holder == self)
    }

    /// Whether the holder acts under a recorded name: staff, who act in office, and systems.
    /// Residents and volunteers have no name in permanent records.
    pub const fn is_office(self) -> bool {
        !matches!(self, Self::Resident | Self::Volunteer)
    }

    /// Whether the holder stands outside the administration and never gets more rights than to
    /// speak for themselves.
    pub const fn is_outsider(self) -> bool {
        matches!(self, Self::Resident | Self::Volunteer | Self::Integrator)
    }
}

/// Permissions that only one role may ever have: the role that gives rights neither uses nor audits
/// them (三权分立: system, security and audit administration are apart).
pub const RESERVED: &[(Permission, Role)] = &[
    (Permission::ManagePeople, Role::Administrator),
    (Permission::ManageRules, Role::Administrator),
    (Permission::ManageAreas, Role::Administrator),
    (Permission::ReadAudit, Role::Auditor),
];

/// Roles that no one holds at the same time, even over different areas.
pub const APART: &[(Role, Role)] = &[(Role::Administrator, Role::Auditor)];

/// The bound for the public: to speak for themselves. A right over an area gives access to the
/// matters of others; their own matters the public see and answer without one.
const PUBLIC: &[Permission] = &[Permission::ReportProblem, Permission::Comment];

/// The bound for outside systems, over the areas they were agreed for.
const SYSTEMS: &[Permission] =
    &[Permission::ReportProblem, Permission::ReadCases, Permission::Comment];

/// The bound for an administrator: nothing that is done to cases. Data of the people they manage is
/// shown unmasked only on the record, and the auditor reads that record.
const ADMINISTRATION: &[Permission] = &[
    Permission::ManagePeople,
    Permission::ManageRules,
    Permission::ManageAreas,
    Permission::ReadPeople,
    Permission::DisclosePersonal,
    Permission::ManageWebhooks,
];

/// The bound for an auditor: to read what was done. Auditors decide nothing.
const AUDITING: &[Permission] =
    &[Permission::ReadCases, Permission::ReadPeople, Permission::ReadAudit, Permission::ReadBurden];

/// What roles allow in a tenant: those it published, and [`POLICY`] for the others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Powers {
    allowed: BTreeMap<Role, BTreeSet<Permission>>,
}

impl Powers {
    /// The powers shipped with this program.
    pub fn built_in() -> Arc<Self> {
        static SHIPPED: LazyLock<Arc<Powers>> =
            LazyLock::new(|| Arc::new(Powers::from_roles(&Roles::default())));
        Arc::clone(&SHIPPED)
    }

    /// The powers that follow from a document.
    pub fn from_roles(roles: &Roles) -> Self {
        let shipped =
            POLICY.iter().map(|(role, allowed)| (*role, allowed.iter().copied().collect()));
        let mut allowed: BTreeMap<_, BTreeSet<_>> = shipped.collect();
        for entry in &roles.roles {
            // A bound also applies to documents that were published before it existed.
            let within = entry.permissions.iter().copied();
            let within = within.filter(|permission| bar_reason(entry.role, *permission).is_none());
            allowed.insert(entry.role, within.collect());
        }
        Self { allowed }
    }

    /// Whether a role allows something.
    pub fn allows(&self, role: Role, permission: Permission) -> bool {
        self.allowed.get(&role).is_some_and(|allowed| allowed.contains(&permission))
    }

    /// What a role allows, in the order of [`Permission`].
    pub fn permissions_of(&self, role: Role) -> impl Iterator<Item = Permission> {
        self.allowed.get(&role).into_iter().flatten().copied()
    }
}

/// What roles allow, as a tenant publishes it: a role that is not named stays as shipped.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roles {
    /// The roles that differ from those shipped.
    #[serde(default)]
    pub roles: Vec<RoleEntry>,
}

/// One role and everything it allows.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleEntry {
    /// The role, each at most once.
    pub role: Role,
    /// Everything it allows; what is left out, it does not allow.
    pub permissions: Vec<Permission>,
}

impl Roles {
    /// Every role as shipped, to be read and published with changes.
    pub fn standard() -> Self {
        let entry = |(role, allowed): &(Role, &[Permission])| RoleEntry {
            role: *role,
            permissions: allowed.to_vec(),
        };
        Self { roles: POLICY.iter().map(entry).collect() }
    }

    /// What is wrong with it: a role named twice, a permission that only another role may have, or
    /// a change that would leave a tenant without anyone to manage it.
    pub fn check(&self) -> Vec<Fault> {
        let mut faults = Faults::for_list("roles");
        for (index, RoleEntry { role, permissions }) in self.roles.iter().enumerate() {
            let fault =
                |column: String, code| Fault::new(At::Row(index), (column, code), role.name());
            if self.roles.iter().take(index).any(|other| other.role == *role) {
                let (zh, en) = ("各不相同的角色", "each role only once");
                faults.push(fault("role".to_owned(), "role_twice").with_expected(zh, en));
            }
            for (at, permission) in permissions.iter().enumerate() {
                if let Some((zh, en)) = bar_reason(*role, *permission) {
                    let fault = fault(format!("permissions/{at}"), "separated");
                    faults.push(
                        fault.with_fact("permission", permission.name()).with_expected(zh, en),
                    );
                }
            }
            for (permission, _) in RESERVED.iter().filter(|(_, holder)| holder == role) {
                if !permissions.contains(permission) {
                    let (zh, en) = (
                        "保留这项权限（其他角色都不能有）",
                        "this permission to be kept (no other role can have it)",
                    );
                    let fault = fault("permissions".to_owned(), "permission_missing");
                    faults.push(
                        fault.with_fact("permission", permission.name()).with_expected(zh, en),
                    );
                }
            }
        }
        faults.into_vec()
    }
}

/// What would be right instead, where a role may never have a permission.
fn bar_reason(role: Role, permission: Permission) -> Option<(String, String)> {
    if let Some((_, holder)) = RESERVED.iter().find(|(reserved, _)| *reserved == permission)
        && *holder != role
    {
        let zh = format!("只有{}可以有这项权限", holder.label());
        return Some((zh, format!("only {} to have it", holder.name())));
    }
    let (allowed, zh, en): (&[Permission], _, _) = if !role.is_office() {
        (
            PUBLIC,
            "公众角色只办理自己的事项，只能有",
            "roles of the public act only for themselves and can have only",
        )
    } else if role.is_outsider() {
        (SYSTEMS, "本单位以外的系统只能有", "systems outside the administration can have only")
    } else if role == Role::Auditor {
        (
            AUDITING,
            "审计角色不办理案卷，只能有",
            "the auditor role handles no cases and can have only",
        )
    } else if role == Role::Administrator {
        (
            ADMINISTRATION,
            "授权角色不办理案卷，只能有",
            "the role that grants handles no cases and can have only",
        )
    } else {
        return None;
    };
    if allowed.contains(&permission) {
        return None;
    }
    let labels: Vec<&str> = allowed.iter().map(|one| one.label()).collect();
    let names: Vec<&str> = allowed.iter().map(|one| one.name()).collect();
    Some((format!("{zh}：{}", labels.join("、")), format!("{en}: {}", names.join(", "))))
}
