//! What is asked of those above, and clocks that are moved: more time, standstills, appeals.

use domain::{
    Instant,
    calendar::limit::{Limit, LimitUnit},
    flows::case::{lifecycle::Verb, state::ApprovalKind},
    rules::obligation::Duty,
};

use super::format_local;
use crate::http::problem::{Code, Problem};

pub(super) fn too_many_asks(max: usize) -> Problem {
    Problem::new(Code::TooManyAsks)
        .detail(
            format!("一个案卷最多有 {max} 件待审批的申请，已经满了；请先审批或撤回。"),
            format!(
                "A case can have at most {max} open requests, and this one does; first decide or \
                 withdraw some."
            ),
        )
        .with("max", max)
}

pub(super) fn too_many_supervisions(max: usize) -> Problem {
    Problem::new(Code::TooManySupervisions)
        .detail(
            format!("一个案卷最多督办 {max} 次，已经满了；请跟进已有的督办，或用批注补充。"),
            format!(
                "A case can be supervised at most {max} times, and this one was; follow up the \
                 existing supervisions, or add a comment."
            ),
        )
        .with("max", max)
}

pub(super) fn nothing_to_extend(duty: Option<Duty>) -> Problem {
    let problem = Problem::new(Code::NothingToExtend);
    let Some(duty) = duty else { return problem };
    let (label, name) = (duty.label(), duty.name());
    problem
        .detail(
            format!("“{label}”的时限没有在计时，不能延期；请查看 owed，选择正在计时的一项。"),
            format!(
                "The deadline of `{name}` is not running and cannot be extended; choose one of \
                 the running deadlines in `owed`."
            ),
        )
        .with("duty", name)
}

pub(super) fn asked_already(what: &'static str) -> Problem {
    let problem = Problem::new(Code::AskedAlready).with("what", what);
    if what == Verb::Raise.name() {
        return problem.detail(
            "这次吹哨已经提请过区级协调，不能再次提请；请等待，或按区级的安排办理。",
            "The district was already asked to coordinate this whistle and cannot be asked again; \
             wait, or follow the district's arrangements.",
        );
    }
    let label = ask_label(what);
    problem.detail(
        format!("同样的申请（{label}）还没有审批完；请等待结果，或由申请人撤回后重新提出。"),
        format!(
            "The same request (`{what}`) is still awaiting a decision; wait for it, or let the \
             requester withdraw it and ask again."
        ),
    )
}

pub(super) fn no_such_ask(no: i64) -> Problem {
    Problem::new(Code::NoSuchAsk)
        .detail(
            format!("没有编号为 {no} 的待审批申请；它可能已经审批、撤回或失效，请重新读取案卷。"),
            format!(
                "There is no open request with the number {no}; it may have been decided or \
                 withdrawn, or be void. Read the case again."
            ),
        )
        .with("no", no)
}

pub(super) fn no_such_supervision(no: i64) -> Problem {
    Problem::new(Code::NoSuchSupervision)
        .detail(
            format!("没有编号为 {no} 的待答复督办；它可能已经答复，请重新读取案卷。"),
            format!(
                "There is no supervision with the number {no} that awaits an answer; it may have \
                 been answered. Read the case again."
            ),
        )
        .with("no", no)
}

pub(super) fn overdue_problem(due_at: Instant) -> Problem {
    let due = format_local(due_at);
    Problem::new(Code::Overdue)
        .detail(
            format!("时限已于 {due} 到期，延期和挂账要在到期之前申请；请尽快办理，事后可以申诉。"),
            format!(
                "The deadline passed at {due}; an extension or a standstill must be requested \
                 before it. Finish the work soon; you can appeal afterwards."
            ),
        )
        .with("due_at", due_at)
}

pub(super) fn spent_problem(what: &'static str, times: u32) -> Problem {
    let problem = Problem::new(Code::Spent).with("what", what).with("times", times);
    let label = ask_label(what);
    if what == ApprovalKind::Appeal.name() {
        return problem.detail(
            "这条超期记录已经申诉过（撤回的也算），每条只能申诉一次；以审批结果为准。",
            "This breach was already appealed against (a withdrawn appeal counts too), and each \
             breach can be appealed against once; the decision on that appeal stands.",
        );
    }
    if times == 0 {
        return problem.detail(
            format!("现行规则不允许“{label}”；请按现有时限继续办理。"),
            format!(
                "The rules in force do not allow `{what}`; continue within the current deadline."
            ),
        );
    }
    problem.detail(
        format!("“{label}”按规则最多 {times} 次，已经用完；请按现有时限继续办理。"),
        format!(
            "The rules allow `{what}` at most {times} times, and they are used up; continue \
             within the current deadline."
        ),
    )
}

pub(super) fn too_much_time(most: Limit) -> Problem {
    let (zh, en) = render_amount(most);
    Problem::new(Code::TooMuchTime)
        .detail(
            format!("申请的时间要大于零，一次最多{zh}；请缩短后重新申请。"),
            format!(
                "The requested time must be more than zero and at most {en} at a time; request \
                 less."
            ),
        )
        .with("most", most)
}

pub(super) fn outside_window(earliest: Instant, latest: Instant) -> Problem {
    let (from, to) = (format_local(earliest), format_local(latest));
    Problem::new(Code::OutsideWindow)
        .detail(
            format!("时间应在 {from} 之后、不晚于 {to}；请重新选择。"),
            format!("The time must be after {from} and not later than {to}; choose another one."),
        )
        .with("earliest", earliest)
        .with("latest", latest)
}

pub(super) fn suspended_problem(until: Instant) -> Problem {
    let end = format_local(until);
    Problem::new(Code::Suspended)
        .detail(
            format!("案卷正在挂账，到 {end} 为止；请等到那时，或者先恢复办理。"),
            format!(
                "The case is at a standstill until {end}; wait until then, or resume it first."
            ),
        )
        .with("until", until)
}

pub(super) fn no_such_breach(no: i64) -> Problem {
    Problem::new(Code::NoSuchBreach)
        .detail(
            format!("案卷没有编号为 {no} 的超期记录；请重新读取案卷，核对编号。"),
            format!(
                "The case has no breach with the number {no}; read the case again and check the \
                 number."
            ),
        )
        .with("no", no)
}

/// What people call something that can be asked; its code when it has no name.
fn ask_label(what: &'static str) -> &'static str {
    ApprovalKind::parse(what).map_or(what, ApprovalKind::label)
}

/// So much time in Chinese and English.
fn render_amount(limit: Limit) -> (String, String) {
    let Limit { amount, unit } = limit;
    let counter = match unit {
        LimitUnit::SameDay => {
            return ("到当日结束".to_owned(), "until the end of the day".to_owned());
        }
        LimitUnit::Minute => "",
        LimitUnit::Hour | LimitUnit::Day | LimitUnit::WorkingHour | LimitUnit::WorkingDay => "个",
    };
    let (name, plural) = (unit.name().replace('_', " "), if amount == 1 { "" } else { "s" });
    (format!(" {amount} {counter}{}", unit.label()), format!("{amount} {name}{plural}"))
}
