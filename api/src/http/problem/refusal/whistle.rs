//! Whistles: what kind they are, and who came.

use crate::http::problem::{Code, Problem};

pub(super) fn unknown_rank(code: &str) -> Problem {
    Problem::new(Code::UnknownRank)
        .detail(
            format!("吹哨规则中没有哨级“{code}”；请从规则的 ranks 中选择。"),
            format!("The whistle rules have no rank `{code}`; choose one from their `ranks`."),
        )
        .with("rank", code)
}

pub(super) fn unknown_topic(code: &str) -> Problem {
    Problem::new(Code::UnknownTopic)
        .detail(
            format!("吹哨规则中没有事由“{code}”；请从规则的 topics 中选择。"),
            format!("The whistle rules have no topic `{code}`; choose one from their `topics`."),
        )
        .with("topic", code)
}

pub(super) fn arrival_unproven(distance_m: Option<f64>, most_m: u32) -> Problem {
    let problem = Problem::new(Code::ArrivalUnproven).with("most_m", most_m);
    let Some(metres) = distance_m else {
        return problem.detail(
            format!("没有定位，不能证明到场；请在现场 {most_m} 米内定位，或在 note 中说明。"),
            format!(
                "There is no position to prove the arrival; give one within {most_m} m of the \
                 spot, or explain in `note`."
            ),
        );
    };
    problem
        .detail(
            format!(
                "定位离现场 {metres:.0} 米，超过 {most_m} 米；请到场后定位，或在 note 中说明。"
            ),
            format!(
                "The position is {metres:.0} m from the spot, more than {most_m} m; give one \
                 after you arrive, or explain in `note`."
            ),
        )
        .with("distance_m", metres)
}
