//! The body of a problem.

#![expect(single_use_lifetimes, reason = "utoipa's derive writes them")]

use std::borrow::Cow;

use actix_web::web::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{Fault, Place, Problem, code::Row};
use crate::http::language::Language;

/// What every 4xx and 5xx answer carries (RFC 9457). The body alone is enough: clients that hide
/// the status find it here.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemView<'a> {
    /// Where this kind of problem is explained.
    #[serde(rename = "type")]
    #[schema(example = "/problems/wrong_state")]
    pub kind: &'static str,
    /// The stable machine code.
    #[schema(example = "wrong_state")]
    pub code: &'static str,
    /// The kind of problem, in the language of the answer.
    #[schema(example = "当前状态不能这样操作")]
    pub title: &'static str,
    /// The HTTP status.
    #[schema(example = 422)]
    pub status: u16,
    /// What is wrong this time and what would be right, in the language of the answer.
    #[schema(example = "这个案卷当前是“已派遣”，不能“结案”；现在可以：签收、退单。")]
    pub detail: &'a str,
    /// What is wrong in particular places of the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub errors: Vec<FaultView<'a>>,
    /// The id under which the server's log knows this request.
    #[schema(example = "0af7651916cd43dd8448eb211c80319c")]
    pub trace_id: &'a str,
    /// The facts of this problem, by name: `state`, `possible`, `permission`, `max`…
    #[serde(flatten)]
    pub members: Map<String, Value>,
}

/// One thing that is wrong, and where: exactly one of `pointer`, `parameter` and `header` says it.
#[derive(Serialize, ToSchema)]
#[schema(as = ProblemError)]
pub struct FaultView<'a> {
    /// Where in the body, as a JSON pointer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/place/lng")]
    pub pointer: Option<&'a str>,
    /// Which parameter of the query or the path.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "limit")]
    pub parameter: Option<&'a str>,
    /// The name of the header.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "If-Match")]
    pub header: Option<&'a str>,
    /// The stable machine code of this fault.
    #[schema(example = "missing_field")]
    pub code: &'static str,
    /// What is wrong and what would be right, in the language of the answer.
    pub message: &'a str,
}

/// The body of a problem in a language.
pub(crate) fn render_problem(problem: &Problem, language: Language, trace_id: &str) -> Bytes {
    let Row { name, status, title, help } = problem.0.code.row();
    let detail = match (&problem.0.detail, problem.0.faults.first()) {
        (Some((zh, en)), _) => Cow::Borrowed(language.pick((zh.as_ref(), en.as_ref()))),
        (None, Some(fault)) => fault.render_sentence(language),
        (None, None) => Cow::Borrowed(language.pick(help)),
    };
    let members = &problem.0.members;
    let view = ProblemView {
        kind: problem.0.code.uri(),
        code: name,
        title: language.pick(title),
        status: status.as_u16(),
        detail: &detail,
        errors: problem.0.faults.iter().map(|fault| fault.to_view(language)).collect(),
        trace_id,
        members: members.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect(),
    };
    // Texts and JSON values always serialize; a problem without a body is still its status.
    serde_json::to_vec(&view).unwrap_or_default().into()
}

impl Fault {
    /// The message with its place: what a client shows that only shows the detail.
    fn render_sentence(&self, language: Language) -> Cow<'_, str> {
        let FaultView { pointer, parameter, header, message, .. } = self.to_view(language);
        let place = pointer.map(|pointer| pointer.trim_start_matches('/'));
        match place.or(parameter).or(header).filter(|place| !place.is_empty()) {
            Some(place) => format!("{place}{}{message}", language.pick(("：", ": "))).into(),
            None => message.into(),
        }
    }

    fn to_view(&self, language: Language) -> FaultView<'_> {
        let (pointer, parameter, header) = match &self.place {
            Place::Body(pointer) => (Some(pointer.as_ref()), None, None),
            Place::Parameter(name) => (None, Some(name.as_ref()), None),
            Place::Header(name) => (None, None, Some(*name)),
        };
        let message = language.pick((self.message.0.as_ref(), self.message.1.as_ref()));
        FaultView { pointer, parameter, header, code: self.code, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::problem::Code;

    #[test]
    fn a_problem_is_complete_without_its_status_line() {
        let problem = Problem::new(Code::InvalidBody)
            .error("/place/lng", "missing_field", "缺少。", "It is missing.")
            .with("max", 5);
        let body = render_problem(&problem, Language::En, "abc");
        assert_eq!(
            std::str::from_utf8(&body).unwrap(),
            concat!(
                r#"{"type":"/problems/invalid_body","code":"invalid_body","#,
                r#""title":"The request body is not valid","status":400,"#,
                r#""detail":"place/lng: It is missing.","#,
                r#""errors":[{"pointer":"/place/lng","code":"missing_field","message":"It is missing."}],"#,
                r#""trace_id":"abc","max":5}"#
            )
        );
    }
}
