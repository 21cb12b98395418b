//! What is refused about households, visits and campaigns.

use domain::rules::vocabulary::Switch;

use crate::http::problem::{Code, Problem};

pub(super) fn not_in_a_grid(area: &str) -> Problem {
    Problem::new(Code::NotInAGrid)
        .detail(
            format!("“{area}”不是网格；家庭登记在网格里，请选择所在的网格。"),
            format!(
                "{area} is not a grid; a household is registered in a grid, choose the one it \
                 lies in."
            ),
        )
        .with("area", area)
}

pub(super) fn too_many(what: &'static str, max: usize) -> Problem {
    let zh = match what {
        "members" => "一户最多登记的成员数",
        "persons" => "一户最多的人数",
        "pairings" => "一户最多的结对人数",
        "needs" => "走访中最多转为上报的需求数",
        "households" => "一个行动最多的户数",
        "media" => "一次最多附带的照片等文件数",
        "unused" => "已上传而没有使用的文件数",
        "uploads" => "同时进行的分段上传数",
        "waiting_megabytes" => "尚未使用或尚未传完的文件兆字节数",
        other => other,
    };
    Problem::new(Code::TooMany)
        .detail(
            format!("{zh}是 {max}，已经超出；请减少后重试。"),
            format!(
                "At most {max} {what} are allowed, and there are more; reduce the number and try \
                 again."
            ),
        )
        .with("what", what)
        .with("max", max)
}

pub(super) fn switched_off(switch: Switch) -> Problem {
    Problem::new(Code::SwitchedOff)
        .detail(
            format!(
                "本市（县）没有开启“{}”；开启须在办理规则中写明理由并向社会公布。",
                switch.label()
            ),
            format!(
                "This city or county has not switched on `{}`; switching it on takes a reason in \
                 the handling rules that is published.",
                switch.name()
            ),
        )
        .with("switch", switch.name())
}
