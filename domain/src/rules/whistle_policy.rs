//! The policy about whistles: which ranks there are, who may blow them, who must sign first, and
//! their topics. Rank and topic are independent of each other.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::{
    area::tree::AreaKind,
    core::tabular_import::{At, Fault, Faults},
    people::actor::Role,
};

/// The most signatures a whistle needs.
pub const MAX_APPROVALS: usize = 2;

/// The ranks and topics of a tenant.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Whistling {
    /// The ranks, which say how weighty a whistle is.
    pub ranks: Vec<Rank>,
    /// The topics of whistles.
    pub topics: Vec<Topic>,
    /// The days within which a whistle at the same place about the same matter counts as repeated.
    pub repeat_window_days: u32,
    /// The radius of the same place, in metres.
    pub repeat_metres: u32,
    /// The distance in metres beyond which the arrival of a department is marked.
    pub arrival_metres: u32,
}

/// One rank of whistle (哨级).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rank {
    /// The code by which whistles and the matrix name it.
    pub code: String,
    /// Its label, for people.
    pub label: String,
    /// The roles that may blow it; one of them suffices.
    pub blowers: Vec<Role>,
    /// The signatures it needs, each by another person than the others and the person who blows it.
    #[serde(default)]
    pub approvals: Vec<Approval>,
    /// The level that blows it: a grid, a community or a street.
    pub level: AreaKind,
    /// Whether it is also sent to a leader of the district.
    pub to_district_leader: bool,
}

/// One signature that a whistle of the rank needs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// The roles that may give it; one of them suffices.
    pub roles: Vec<Role>,
    /// The index in the rank of the approval that must be given before; none for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<usize>,
}

/// The topic of a whistle.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// The code by which whistles name it.
    pub code: String,
    /// Its label, for people.
    pub label: String,
}

impl Whistling {
    /// As in Nanjing's 鼓楼区: one rank to push work on, blown by the leadership of a street; one for
    /// hard matters, signed by two leaders, that reaches a leader of the district. Besides, one for
    /// emergencies, which needs no signature. Topics are those of 北京市街道办事处条例.
    pub fn standard() -> Self {
        let leader = || vec![Role::StreetLeader];
        let signature = |after| Approval { roles: leader(), after };
        let prepared = vec![Role::StreetDispatcher, Role::StreetLeader];
        let rank = |code: &str, label: &str, blowers, approvals, to_district_leader| Rank {
            code: code.to_owned(),
            label: label.to_owned(),
            blowers,
            approvals,
            level: AreaKind::Street,
            to_district_leader,
        };
        let signatures = vec![signature(None), signature(Some(0))];
        let topic = |(code, label): (&str, &str)| Topic { code: code.into(), label: label.into() };
        let topics = [
            ("resident_demand", "群众诉求"),
            ("key_work", "重点工作"),
            ("joint_enforcement", "综合执法"),
            ("emergency", "应急处置"),
        ];
        Self {
            ranks: vec![
                rank("advance", "工作推进哨", leader(), Vec::new(), false),
                rank("hard", "攻坚克难哨", prepared, signatures, true),
                rank("urgent", "应急哨", leader(), Vec::new(), true),
            ],
            topics: topics.map(topic).to_vec(),
            repeat_window_days: 365,
            repeat_metres: 50,
            arrival_metres: 500,
        }
    }

    /// The rank with this code.
    pub fn find_rank(&self, code: &str) -> Option<&Rank> {
        self.ranks.iter().find(|rank| rank.code == code)
    }

    /// The topic with this code.
    pub fn find_topic(&self, code: &str) -> Option<&Topic> {
        self.topics.iter().find(|topic| topic.code == code)
    }

    /// Everything that is wrong; empty when it may be published. A role that does not exist is
    /// refused when the document is read.
    pub fn check(&self) -> Vec<Fault> {
        let mut faults = Faults::for_list("ranks");
        for (column, none) in [("ranks", self.ranks.is_empty()), ("topics", self.topics.is_empty())]
        {
            if none {
                faults.push(
                    Fault::new(At::Whole, (column, "empty"), "")
                        .with_expected("至少一条", "at least one entry"),
                );
            }
        }
        let ranks: Vec<&str> = self.ranks.iter().map(|rank| rank.code.as_str()).collect();
        check_unique_codes(&mut faults, &ranks);
        let mut topics = Faults::for_list("topics");
        let codes: Vec<&str> = self.topics.iter().map(|topic| topic.code.as_str()).collect();
        check_unique_codes(&mut topics, &codes);
        for (index, rank) in self.ranks.iter().enumerate() {
            rank.check(At::Row(index), &mut faults);
        }
        for (index, topic) in self.topics.iter().enumerate() {
            topics.check_code(At::Row(index), "code", &topic.code);
            topics.check_line(At::Row(index), "label", &topic.label);
        }
        check_bound(&mut faults, ("repeat_window_days", self.repeat_window_days), 3_660);
        check_bound(&mut faults, ("repeat_metres", self.repeat_metres), 5_000);
        check_bound(&mut faults, ("arrival_metres", self.arrival_metres), 5_000);
        faults.into_vec().into_iter().chain(topics.into_vec()).collect()
    }
}

fn check_unique_codes(faults: &mut Faults, codes: &[&str]) {
    let mut seen = HashSet::new();
    for (index, code) in codes.iter().enumerate() {
        if !seen.insert(code) {
            let fault = Fault::new(At::Row(index), ("code", "duplicate_code"), code);
            faults.push(fault.with_expected("各不相同的编号", "a code that no other row has"));
        }
    }
}

fn check_bound(faults: &mut Faults, (column, value): (&'static str, u32), most: u32) {
    if !(1..=most).contains(&value) {
        let fault = Fault::new(At::Whole, (column, "out_of_range"), &value.to_string());
        faults.push(fault.with_expected(format!(" 1 到 {most}"), format!("1 to {most}")));
    }
}

impl Rank {
    fn check(&self, at: At, faults: &mut Faults) {
        faults.check_code(at, "code", &self.code);
        faults.check_line(at, "label", &self.label);
        check_roles(faults, at, "blowers", &self.blowers);
        if !matches!(self.level, AreaKind::Grid | AreaKind::Community | AreaKind::Street) {
            let fault = Fault::new(at, ("level", "unknown_level"), self.level.name());
            faults.push(fault.with_expected("网格、社区或街道", "grid, community or street"));
        }
        if self.approvals.len() > MAX_APPROVALS {
            let given = self.approvals.len().to_string();
            let fault = Fault::new(at, ("approvals", "too_many_approvals"), &given);
            let zh = format!("最多 {MAX_APPROVALS} 个签字");
            faults.push(fault.with_expected(zh, format!("at most {MAX_APPROVALS} signatures")));
        }
        for (index, approval) in self.approvals.iter().enumerate() {
            check_roles(faults, at, "approvals", &approval.roles);
            self.check_order(at, index, faults);
        }
    }

    fn check_order(&self, at: At, index: usize, faults: &mut Faults) {
        let code = match self.approvals.get(index).and_then(|approval| approval.after) {
            Some(after) if after >= self.approvals.len() => "unknown_approval",
            _ if self.waits_for_itself(index) => "approval_cycle",
            Some(_) | None => return,
        };
        let fault = Fault::new(at, ("approvals", code), &index.to_string());
        let zh = "每个签字都能轮到的顺序";
        faults.push(fault.with_expected(zh, "an order in which every signature can be given"));
    }

    /// The place of this signature in the order of signatures, from 1.
    pub fn approval_depth(&self, index: usize) -> usize {
        let before = |index: &usize| self.approvals.get(*index).and_then(|a| a.after);
        std::iter::successors(Some(index), before).take(MAX_APPROVALS + 1).count()
    }

    fn waits_for_itself(&self, index: usize) -> bool {
        let before = |index: usize| self.approvals.get(index).and_then(|approval| approval.after);
        let chain = std::iter::successors(before(index), |before_it| before(*before_it));
        chain.take(self.approvals.len()).any(|found| found == index)
    }
}

/// Checks that at least one role is named, and that each is one that works on cases.
fn check_roles(faults: &mut Faults, at: At, column: &'static str, roles: &[Role]) {
    if roles.is_empty() {
        faults.push(
            Fault::new(at, (column, "empty"), "")
                .with_expected("至少一个角色", "at least one role"),
        );
    }
    for role in roles.iter().filter(|role| matches!(role, Role::Resident | Role::Administrator)) {
        let fault = Fault::new(at, (column, "unfit_role"), role.name());
        faults.push(fault.with_expected("办理案卷的角色", "a role that handles cases"));
    }
}
