//! A command that does not fit the state: what the state is, and what is possible in it.

use domain::{
    core::journal::FlowKind,
    flows::{
        case::lifecycle::{StepName, SummonsVerb},
        labels::labels_of,
    },
};

use crate::http::problem::{Code, Problem};

pub(super) fn wrong_state(
    flow: &'static str,
    state: &'static str,
    command: &'static str,
    possible: &[&'static str],
) -> Problem {
    let ((zh, en), asked) = (flow_names(flow), command_label(flow, command));
    let detail = if state == "none" {
        (
            format!("{zh}还不存在，不能“{asked}”。"),
            format!("This {en} does not exist yet; `{command}` is not possible."),
        )
    } else if possible.is_empty() {
        (
            format!(
                "{zh}当前是“{}”，不能“{asked}”，也没有其他可做的操作。",
                state_label(flow, state)
            ),
            format!(
                "This {en} is `{state}`; `{command}` is not possible, and no other command is."
            ),
        )
    } else {
        let labels: Vec<_> = possible.iter().map(|command| command_label(flow, command)).collect();
        let (labels, names) = (labels.join("、"), possible.join(", "));
        (
            format!(
                "{zh}当前是“{}”，不能“{asked}”；现在可以：{labels}。",
                state_label(flow, state)
            ),
            format!("This {en} is `{state}`; `{command}` is not possible. Possible now: {names}."),
        )
    };
    Problem::new(Code::WrongState)
        .detail(detail.0, detail.1)
        .with("flow", flow)
        .with("state", state)
        .with("command", command)
        .with("possible", possible)
}

fn flow_names(flow: &str) -> (&'static str, &'static str) {
    match flow {
        "summons" => ("这个部门的报到", "summons"),
        _ => FlowKind::parse(flow).map_or(("它", "thing"), |kind| labels_of(kind).names),
    }
}

/// What people call a state; its code when it has no name.
pub(super) fn state_label(flow: &str, state: &'static str) -> &'static str {
    let label = match flow {
        "summons" => StepName::parse(state).map(StepName::label),
        _ => FlowKind::parse(flow).and_then(|kind| (labels_of(kind).state)(state)),
    };
    label.unwrap_or(state)
}

/// What people call a command; its code when it has no name.
fn command_label(flow: &str, command: &'static str) -> &'static str {
    let label = match flow {
        "summons" => SummonsVerb::parse(command).map(SummonsVerb::label),
        _ => FlowKind::parse(flow).and_then(|kind| (labels_of(kind).command)(command)),
    };
    label.unwrap_or(command)
}
