//! Areas that do not fit: codes, levels, days, boundaries, and what would be left lying.

use chrono::NaiveDate;
use domain::area::boundary::Fault;

use crate::http::problem::{Code, Problem};

pub(super) fn retired_problem(area: &str, successors: &[String]) -> Problem {
    let problem = Problem::new(Code::AreaRetired).with("area", area);
    if successors.is_empty() {
        return problem.detail(
            format!("“{area}”已经撤销，也没有承接区划；请选择现有的区划。"),
            format!("{area} is retired and no area succeeds it; choose an existing area."),
        );
    }
    problem
        .detail(
            format!("“{area}”已经撤销，由 {} 承接；请选择其中之一。", successors.join("、")),
            format!(
                "{area} is retired and succeeded by {}; choose one of these.",
                successors.join(", ")
            ),
        )
        .with("successors", successors)
}

pub(super) fn bad_code(code: &str, (zh, en): (&'static str, &'static str)) -> Problem {
    let code: String = code.chars().take(64).collect();
    Problem::new(Code::BadAreaCode)
        .detail(
            format!("代码“{code}”不符合规则；应为{zh}。"),
            format!("The code `{code}` does not follow the rules; expected {en}."),
        )
        .with("given", &code)
        .with("expected", en)
}

pub(super) fn wrong_level(area: &str, parent: &str) -> Problem {
    let problem = Problem::new(Code::WrongLevel).with("area", area).with("parent", parent);
    if parent.is_empty() {
        return problem.detail(
            format!("“{area}”是最高一级，不能这样变更；请选择它的下级。"),
            format!(
                "{area} is the highest area and cannot be changed in this way; choose an area \
                 below it."
            ),
        );
    }
    problem.detail(
        format!("“{area}”与“{parent}”的级别或隶属关系不符；请核对上下级。"),
        format!(
            "The levels of {area} and {parent} do not fit, or one does not belong to the other; \
             check which area lies in which."
        ),
    )
}

pub(super) fn children_left(area: &str, count: usize, example: &str) -> Problem {
    Problem::new(Code::ChildrenLeft)
        .detail(
            format!("“{area}”还有 {count} 个下级区划（如“{example}”）；请先划转、合并或撤销。"),
            format!(
                "{area} still contains {count} areas (such as {example}); first transfer, merge \
                 or retire them."
            ),
        )
        .with("area", area)
        .with("count", count)
}

pub(super) fn outside_area(area: &str, metres: u32, most: u32) -> Problem {
    Problem::new(Code::OutsideArea)
        .detail(
            format!("坐标距“{area}”{metres} 米，最多 {most} 米。"),
            format!("The point is {metres} m from “{area}”, at most {most} m are allowed."),
        )
        .with("area", area)
        .with("metres", metres)
        .with("most", most)
}

pub(super) fn duties_left(area: &str, count: i64) -> Problem {
    Problem::new(Code::DutiesLeft)
        .detail(
            format!("“{area}”还有 {count} 项未了事项；请指定承接区划，或先办结再撤销。"),
            format!(
                "{area} still has {count} open obligations; name a successor, or finish them \
                 before the area is retired."
            ),
        )
        .with("area", area)
        .with("count", count)
}

pub(super) fn effect_outside(earliest: Option<NaiveDate>, latest: NaiveDate) -> Problem {
    let problem = Problem::new(Code::EffectOutside).with("latest", latest);
    let Some(earliest) = earliest else {
        return problem.detail(
            format!("生效日期不能晚于 {latest}；请改为更早的日期。"),
            format!("The effective date must not be after {latest}; choose an earlier date."),
        );
    };
    problem
        .detail(
            format!("生效日期应在 {earliest} 到 {latest} 之间；更早的变更已经定下。"),
            format!(
                "The effective date must lie between {earliest} and {latest}; earlier changes are \
                 already decided."
            ),
        )
        .with("earliest", earliest)
}

pub(super) fn bad_boundary(faults: &[Fault]) -> Problem {
    let count = faults.len();
    let problem = Problem::new(Code::BadBoundary)
        .detail(
            format!("边界有 {count} 处错误；请按 errors 中的位置修改。"),
            format!("The boundary has faults ({count}); correct them at the places in `errors`."),
        )
        .with("count", count);
    faults.iter().fold(problem, |problem, fault| {
        let (code, polygon, ring) = (fault.code, fault.polygon, fault.ring);
        let pointer = format!("/boundary/coordinates/{polygon}/{ring}");
        let place = fault.at.map(|at| format!("{}, {}", at.lng, at.lat)).unwrap_or_default();
        let words = code.name().replace('_', " ");
        let (zh, en) = if place.is_empty() {
            (format!("{}。", code.label()), format!("{words}."))
        } else {
            (format!("{}，位置 {place}。", code.label()), format!("{words} at {place}."))
        };
        problem.error(pointer, code.name(), zh, en)
    })
}

pub(super) fn not_a_grid(area: &str) -> Problem {
    Problem::new(Code::NotAGrid)
        .detail(
            format!("“{area}”不是网格；请选择网格。"),
            format!("{area} is not a grid; choose a grid."),
        )
        .with("area", area)
}
