//! What is refused on patrols.

use domain::Instant;

use super::format_local;
use crate::http::problem::{Code, Problem};

pub(super) fn not_yours(worker: &str) -> Problem {
    Problem::new(Code::NotYourPatrol)
        .detail(
            format!("这次巡查由“{worker}”开始，只有本人可以操作。"),
            format!("{worker} started this patrol, and only that person can change it."),
        )
        .with("worker", worker)
}

pub(super) fn late_unexplained(hours: u32) -> Problem {
    Problem::new(Code::LateUnexplained)
        .detail(
            format!("事情已过去 {hours} 小时以上，属于补录；请在 late_reason 中说明原因。"),
            format!(
                "It is more than {hours} hours ago, so this is a late entry; give the reason in \
                 `late_reason`."
            ),
        )
        .with("hours", hours)
}

pub(super) fn not_on_patrol(from: Instant, until: Instant) -> Problem {
    let (begin, end) = (format_local(from), format_local(until));
    Problem::new(Code::NotOnPatrol)
        .detail(
            format!(
                "这次巡查从 {begin} 到 {end}，上报时间不在其中；请核对手机时间，或去掉 patrol_id。"
            ),
            format!(
                "The patrol lasted from {begin} to {end}, and the time of the report lies outside \
                 it; check the clock of the phone, or leave `patrol_id` out."
            ),
        )
        .with("from", from)
        .with("until", until)
}
