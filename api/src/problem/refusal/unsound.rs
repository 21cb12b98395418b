//! A document that may not come into force: each of its faults, where it is, in both languages.

use domain::{calendar::FaultCode, policy::Fault};

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
        let (zh, en) = sentences(&fault);
        problem.error(pointer(&fault), fault.code, zh, en)
    })
}

/// Of the whole request. What is wrong with no column of a list has an empty last token.
fn pointer(fault: &Fault) -> String {
    format!("{DOCUMENT}{}", fault.pointer.trim_end_matches('/'))
}

/// The domain's words are English, and of calendars they begin with the Chinese ones.
fn sentences(fault: &Fault) -> (String, String) {
    let Fault { code, detail, .. } = fault;
    let calendar = FaultCode::parse(code).map(FaultCode::label);
    let facts = calendar.and_then(|label| detail.strip_prefix(label));
    let label = calendar.or_else(|| label(code)).unwrap_or(code);
    let Some(facts) = facts else {
        let detail = detail.trim_start_matches(": ");
        return (format!("{label}：{detail}。"), format!("{detail}."));
    };
    let (facts, words) = (facts.trim_start_matches(';').trim(), code.replace('_', " "));
    if facts.is_empty() {
        (format!("{label}。"), format!("{words}."))
    } else {
        (format!("{label}：{facts}。"), format!("{words}: {facts}."))
    }
}

/// What people call a fault; none when nobody gave it a name.
fn label(code: &str) -> Option<&'static str> {
    Some(match code {
        "approval_cycle" => "审批顺序互相等待",
        "backward" | "empty_period" => "结束早于开始",
        "bad_limit" => "时限无效",
        "bad_text" => "文字不符合要求",
        "control_character" => "含有控制字符",
        "duplicate_code" | "duplicate_id" => "编号重复",
        "empty" | "missing" => "内容不能为空",
        "lead_cooperates" => "主办单位不能同时协办",
        "level_missing" => "缺少层级",
        "named_twice" => "同一单位被重复列出",
        "no_fallback" => "缺少兜底的时限",
        "tie" => "两条同样适用，分不出先后",
        "too_long" => "文字过长",
        "too_many_approvals" => "审批签字过多",
        "too_many_rows" => "条目过多",
        "unfit_role" => "角色不合适",
        "unknown_approval" => "所等待的审批不存在",
        "unknown_area" => "区域不存在",
        "unknown_category" => "事项类别不存在",
        "unknown_level" => "层级不合适",
        "unknown_rank" => "哨级不存在",
        "unknown_unit" => "单位不存在",
        _ => return None,
    })
}
