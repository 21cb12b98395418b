//! Published rules of real places (B.8), to be laid over the standard.
//!
//! A preset has only the rows its source states. Where a source speaks of ordinary matters, its
//! rows require the urgency 一般, so that urgent matters keep the standard's limits. What a source
//! says besides limits stands in [`Preset::remarks`], with the setting that expresses it.

use super::Matrix;

/// The rules of one place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Preset {
    /// Its name for machines.
    pub name: &'static str,
    /// Its title in Chinese.
    pub title: &'static str,
    /// The place whose rules they are.
    pub place: &'static str,
    /// What its source says besides limits, and how its words were interpreted.
    pub remarks: &'static [&'static str],
    /// The table, as [`Matrix::parse_csv`](super::Matrix::parse_csv) reads it.
    pub text: &'static str,
}

/// The standard: a row for every duty, so that no clock is ever without a limit.
pub const STANDARD: &str = include_str!("../../../data/presets/standard.csv");

/// The ranks of whistles that the tables use, with their labels.
pub const RANKS: &[(&str, &str)] = &[("advance", "工作推进哨"), ("hard", "攻坚克难哨")];

/// Why the rows of a preset require the urgency 一般.
const ORDINARY: &str = "The source speaks of ordinary matters: 紧急 and 非常紧急 keep the standard's \
                        handling limits.";

/// What closing means in a source: the unit's own end of the work.
const CLOSING: &str = "办结 is understood as handling with feedback (处置); verification, callback \
                       and closing keep clocks of their own.";

/// All presets shipped with this program.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "nanjing-gulou",
        title: "街道吹哨、部门报到",
        place: "南京市鼓楼区",
        remarks: &[
            "Who approves (推进哨: one of the street's leaders; 攻坚哨: 工委书记 and 办事处主任 \
             together) is the setting of whistle ranks.",
        ],
        text: include_str!("../../../data/presets/nanjing-gulou.csv"),
    },
    Preset {
        name: "beijing-2023",
        title: "12345 派单时限 (DB11/T 2021-2022)",
        place: "北京市",
        remarks: &[
            "应急 is the urgency 非常紧急. Water, power and gas are categories of the catalogue \
             delivered here; heat has none there, and another catalogue needs its own codes.",
        ],
        text: include_str!("../../../data/presets/beijing-2023.csv"),
    },
    Preset {
        name: "beijing-four-level",
        title: "四级响应 (征求意见稿)",
        place: "北京市",
        remarks: &[
            "From a draft that was not final.",
            CLOSING,
            "突发 is the urgency 非常紧急; 紧急 keeps the standard's 24 hours. Whatever is 一般 and \
             not 复杂 has the seven days of simple matters.",
            "Water, power and gas are categories of the catalogue delivered here; heat has none.",
        ],
        text: include_str!("../../../data/presets/beijing-four-level.csv"),
    },
    Preset {
        name: "shanghai-daning",
        title: "12345 工单办理时限",
        place: "上海市静安区大宁路街道",
        remarks: &[
            ORDINARY,
            CLOSING,
            "复杂 needs an approval: whoever may set the complexity of a matter gives it.",
        ],
        text: include_str!("../../../data/presets/shanghai-daning.csv"),
    },
    Preset {
        name: "shanghai-xiayang",
        title: "12345 工单先行联系与二次办理",
        place: "上海市青浦区夏阳街道",
        remarks: &[
            ORDINARY,
            CLOSING,
            "Every order is called back: the callback share of 100 %.",
            "The head of the unit takes part in the second handling: a required field of feedback.",
        ],
        text: include_str!("../../../data/presets/shanghai-xiayang.csv"),
    },
    Preset {
        name: "jinan",
        title: "12345 热线条例",
        place: "济南市",
        remarks: &[
            ORDINARY,
            CLOSING,
            "Every order is called back: the callback share of 100 %.",
            "Unsatisfied orders are handled again: the answer to a callback, not a limit.",
        ],
        text: include_str!("../../../data/presets/jinan.csv"),
    },
    Preset {
        name: "bengbu",
        title: "市长热线办理工作制度",
        place: "蚌埠市",
        remarks: &[
            ORDINARY,
            CLOSING,
            "The provincial and network channels are the channel 居民上报.",
            "Feedback on what was handed over by telephone is the duty 反馈 of the channel 热线: 紧急 \
             for general items, 非常紧急 for major emergencies. The source adds its log-in twice a \
             day, which is a habit, not a limit.",
        ],
        text: include_str!("../../../data/presets/bengbu.csv"),
    },
    Preset {
        name: "qinglong",
        title: "12345 工单办理时限",
        place: "贵州省晴隆县",
        remarks: &[
            ORDINARY,
            CLOSING,
            "Its days are read as natural days.",
            "At least 10 % are called back each month: the callback share.",
        ],
        text: include_str!("../../../data/presets/qinglong.csv"),
    },
    Preset {
        name: "pinggu-emergency",
        title: "联合执法应急哨",
        place: "北京市平谷区",
        remarks: &[
            "The ranks of the standard are replaced too: every whistle is answered in 30 minutes.",
            "Nobody leaves until it is solved (事不完人不撤): the release of a department (放行).",
        ],
        text: include_str!("../../../data/presets/pinggu-emergency.csv"),
    },
    Preset {
        name: "shenzhen",
        title: "民意速办分拨时限",
        place: "深圳市",
        remarks: &["非常紧急 is urgent too and has the same 30 minutes."],
        text: include_str!("../../../data/presets/shenzhen.csv"),
    },
    Preset {
        name: "yangzhou-guangling",
        title: "社区吹哨办结时限",
        place: "扬州市广陵区",
        remarks: &[ORDINARY, CLOSING, "The average of two to three days is a result, not a limit."],
        text: include_str!("../../../data/presets/yangzhou-guangling.csv"),
    },
];

/// The table with this name; `standard` is [`STANDARD`].
pub fn find_preset(name: &str) -> Option<&'static str> {
    if name == "standard" {
        return Some(STANDARD);
    }
    PRESETS.iter().find(|preset| preset.name == name).map(|preset| preset.text)
}

impl Matrix {
    /// The default deadlines of a tenant.
    pub fn standard() -> Self {
        // It is part of the program and a test reads it, so it cannot fail at run time.
        Self::parse_csv(STANDARD, |_| None).unwrap_or_default()
    }
}
