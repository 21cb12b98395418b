//! A command that does not fit the state: what the state is, and what is possible in it.

use domain::{
    core::journal::FlowKind,
    flows::{
        campaign,
        case::lifecycle::{StageName, StepName, SummonsVerb, Verb},
        household, patrol, patrol_plan,
        person::Standing,
        report, visit,
    },
};

use crate::http::{
    labels::of_visits,
    problem::{Code, Problem},
};

pub(super) fn wrong(
    flow: &'static str,
    state: &'static str,
    command: &'static str,
    possible: &[&'static str],
) -> Problem {
    let ((zh, en), asked) = (subject(flow), verb(flow, command));
    let detail = if state == "none" {
        (
            format!("{zh}还不存在，不能“{asked}”。"),
            format!("This {en} does not exist yet, so `{command}` is not possible."),
        )
    } else if possible.is_empty() {
        (
            format!("{zh}当前是“{}”，不能“{asked}”，也没有其他可做的操作。", label(flow, state)),
            format!("This {en} is `{state}`; `{command}` is not possible, and nothing else is."),
        )
    } else {
        let labels: Vec<_> = possible.iter().map(|command| verb(flow, command)).collect();
        let (labels, names) = (labels.join("、"), possible.join(", "));
        (
            format!("{zh}当前是“{}”，不能“{asked}”；现在可以：{labels}。", label(flow, state)),
            format!("This {en} is `{state}`, not fit for `{command}`; possible now: {names}."),
        )
    };
    Problem::new(Code::WrongState)
        .detail(detail.0, detail.1)
        .with("flow", flow)
        .with("state", state)
        .with("command", command)
        .with("possible", possible)
}

fn subject(flow: &str) -> (&'static str, &'static str) {
    match flow {
        "report" => ("这件上报", "report"),
        "case" => ("这个案卷", "case"),
        "summons" => ("这个部门的报到", "summons"),
        "person" => ("此人", "person"),
        "patrol" => ("这次巡查", "patrol"),
        "patrol_plan" => ("这个巡查计划", "plan of patrols"),
        "household" => ("这户", "household"),
        "visit" => ("这次走访", "visit"),
        "campaign" => ("这个行动", "campaign"),
        "form" => ("这张表", "form"),
        _ => ("它", "thing"),
    }
}

/// What people call a state; its code when nobody gave it a name.
pub(super) fn label(flow: &str, state: &'static str) -> &'static str {
    match flow {
        "report" => report::StatusName::parse(state).map(report::StatusName::label),
        "case" => StageName::parse(state).map(StageName::label),
        "summons" => StepName::parse(state).map(StepName::label),
        "person" => Standing::parse(state).map(Standing::label),
        "patrol" => patrol::StatusName::parse(state).map(patrol::StatusName::label),
        "patrol_plan" => patrol_plan::Standing::parse(state).map(patrol_plan::Standing::label),
        "household" => household::Standing::parse(state).map(household::Standing::label),
        "visit" => visit::StatusName::parse(state).map(visit::StatusName::label),
        "campaign" => campaign::StatusName::parse(state).map(campaign::StatusName::label),
        "form" => (state == "withdrawn").then_some("已停用"),
        _ => None,
    }
    .unwrap_or(state)
}

/// What people call a command; its code when nobody gave it a name.
fn verb(flow: &str, command: &'static str) -> &'static str {
    let step = || SummonsVerb::parse(command).map(SummonsVerb::label);
    match (flow, command) {
        ("report", "submit") => Some("上报"),
        ("report", _) => report::Verb::parse(command).map(report::Verb::label),
        ("case", "open") => Some("立案"),
        ("case", _) => Verb::parse(command).map(Verb::label).or_else(step),
        ("summons", _) => step(),
        ("person", "register") => Some("登记"),
        ("person", "grant") => Some("授权"),
        ("person", "revoke") => Some("收回授权"),
        ("person", "reset_password") => Some("重置密码"),
        ("person", "suspend") | ("patrol_plan", "retire") => Some("停用"),
        ("person", "reinstate") => Some("恢复"),
        ("person", "leave") => Some("离岗"),
        ("person", "take_over") => Some("接任"),
        ("patrol", "plan") => Some("安排巡查"),
        ("patrol", "begin") => Some("临时巡查"),
        ("patrol", "upload") => Some("上传轨迹"),
        ("patrol", _) => patrol::Verb::parse(command).map(patrol::Verb::label),
        ("patrol_plan", "create") => Some("新建"),
        ("patrol_plan", "amend") => Some("修改"),
        _ => FlowKind::parse(flow).and_then(|flow| of_visits(flow, command)),
    }
    .unwrap_or(command)
}
