//! A document that may not come into force: each of its faults, where it is, in both languages.

use domain::core::tabular_import::Fault;

use crate::http::problem::{Code, Problem};

/// Where the document stands in the body.
const DOCUMENT: &str = "/document";

pub(super) fn unsound_document(faults: Vec<Fault>) -> Problem {
    let count = faults.len();
    let problem = Problem::new(Code::Unsound)
        .detail(
            format!("查出 {count} 处错误，整份文件都没有生效；请按 errors 逐处修改后重新发布。"),
            format!(
                "The document has faults ({count}), and no part of it is in force; correct each \
                 of those in `errors` and publish it again."
            ),
        )
        .with("count", count);
    add_faults(problem, DOCUMENT, faults)
}

/// Answers that do not fit their form.
pub(super) fn bad_answers(under: &'static str, faults: Vec<Fault>) -> Problem {
    let count = faults.len();
    let problem = Problem::new(Code::BadAnswers)
        .detail(
            format!("表单有 {count} 处需要填写或修改，见 errors；已知的内容不必重填。"),
            format!(
                "The form has places to fill in or correct ({count}), see `errors`; what is \
                 already known need not be filled in again."
            ),
        )
        .with("count", count);
    add_faults(problem, under, faults)
}

fn add_faults(problem: Problem, under: &str, faults: Vec<Fault>) -> Problem {
    faults.into_iter().fold(problem, |problem, fault| {
        let (zh, en) = fault.render_message();
        let pointer = format!("{under}{}", fault.pointer());
        problem.error(pointer, fault.code, format!("{zh}。"), format!("{en}."))
    })
}
