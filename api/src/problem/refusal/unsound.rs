//! A document that may not come into force: each of its faults, where it is, in both languages.

use domain::sheet::Fault;

use crate::problem::{Code, Problem};

/// Where the document stands in the body.
const DOCUMENT: &str = "/document";

pub(super) fn unsound(faults: Vec<Fault>) -> Problem {
    let count = faults.len();
    let problem = Problem::new(Code::Unsound)
        .detail(
            format!("查出 {count} 处错误，整份文件都没有生效；请按 errors 逐处修改后重新发布。"),
            format!("Faults found: {count}. Nothing is in force; correct them and publish again."),
        )
        .with("count", count);
    faults.into_iter().fold(problem, |problem, fault| {
        let (zh, en) = fault.told();
        let pointer = format!("{DOCUMENT}{}", fault.pointer());
        problem.error(pointer, fault.code, format!("{zh}。"), format!("{en}."))
    })
}
