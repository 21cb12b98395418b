//! The faults of something a tenant wrote: one shape for documents and tables.
//!
//! Each fault has its place, as a JSON pointer into a document or as line and column of a table, a
//! code for programs and a sentence in Chinese and English for people.

use std::{borrow::Cow, fmt};

use crate::core::{boundary_fault, text};

/// The most characters of a given text that a fault repeats.
const SHOWN: usize = 60;

/// Where a fault is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum At {
    /// In the document as a whole, or in the header of its table.
    Whole,
    /// In the row with this index, counted from 0.
    Row(usize),
    /// In this line of a text, counted from 1.
    Line(u64),
}

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The row, the line or the whole.
    pub at: At,
    /// Of a row: the list it is in, as the document names it.
    pub list: &'static str,
    /// The column of the row or line, or the path in the whole, without the first slash; empty when
    /// there is no particular place.
    pub column: Cow<'static, str>,
    /// The stable machine code.
    pub code: &'static str,
    /// Its label in Chinese.
    label: &'static str,
    /// What was given and other facts that explain it, by name.
    facts: Vec<(&'static str, String)>,
    /// What would be right, in Chinese and English.
    right: Option<(String, String)>,
}

impl Fault {
    /// A fault with what was given, cut to a length that can be shown.
    pub fn new(
        at: At,
        (column, code): (impl Into<Cow<'static, str>>, &'static str),
        given: &str,
    ) -> Self {
        let fault = Self::new_with_label(at, column, (code, code_label(code)));
        if given.is_empty() { fault } else { fault.with_fact("given", given) }
    }

    /// A fault whose code has a name of its own.
    pub(crate) fn new_with_label(
        at: At,
        column: impl Into<Cow<'static, str>>,
        (code, label): (&'static str, &'static str),
    ) -> Self {
        let (list, column) = ("", column.into());
        Self { at, list, column, code, label, facts: Vec::new(), right: None }
    }

    /// With one more fact.
    #[must_use]
    pub fn with_fact(mut self, name: &'static str, value: impl ToString) -> Self {
        // The given text may be anything, so it is cut.
        self.facts.push((name, value.to_string().chars().take(SHOWN).collect()));
        self
    }

    /// Adds what would be right, in Chinese and English.
    #[must_use]
    pub fn with_expected(mut self, zh: impl Into<String>, en: impl Into<String>) -> Self {
        self.right = Some((zh.into(), en.into()));
        self
    }

    /// Sets the list of the document.
    #[must_use]
    pub fn in_list(mut self, list: &'static str) -> Self {
        self.list = list;
        self
    }

    /// Replaces the row by the line it came from.
    #[must_use]
    pub fn in_lines(mut self, lines: &[u64]) -> Self {
        if let At::Row(index) = self.at
            && let Some(line) = lines.get(index)
        {
            self.at = At::Line(*line);
        }
        self
    }

    /// Puts the column below `prefix`, which begins with a slash, as pointers do.
    #[must_use]
    pub(crate) fn under_prefix(mut self, prefix: &str) -> Self {
        let path = format!("{prefix}{}", prefix_slash(&self.column));
        self.column = path.trim_start_matches('/').to_owned().into();
        self
    }

    /// One of the facts.
    pub fn find_fact(&self, name: &str) -> Option<&str> {
        self.facts.iter().find(|(fact, _)| *fact == name).map(|(_, value)| value.as_str())
    }

    /// A JSON pointer into the document; empty for the whole of it and for a line of a table.
    pub fn pointer(&self) -> String {
        match self.at {
            At::Whole => prefix_slash(&self.column),
            At::Row(index) => format!("/{}/{index}{}", self.list, prefix_slash(&self.column)),
            At::Line(_) => String::new(),
        }
    }

    /// The message without the place, in Chinese and English.
    pub fn render_message(&self) -> (String, String) {
        let facts = |told: fn(&(&'static str, String)) -> String, comma: &str| {
            self.facts.iter().map(told).collect::<Vec<_>>().join(comma)
        };
        let zh_facts = facts(|(name, value)| format!("{}“{value}”", fact_label(name)), "，");
        let en_facts = facts(|(name, value)| format!("{name} “{value}”"), ", ");
        let (zh_right, en_right) = self.right.clone().unwrap_or_default();
        let parts = |parts: [(&str, &str); 3]| -> String {
            let given = parts.iter().filter(|(_, part)| !part.is_empty());
            given.flat_map(|(before, part)| [*before, *part]).collect()
        };
        let words = self.code.replace('_', " ");
        (
            parts([("", self.label), ("：", &zh_facts), ("；应为", &zh_right)]),
            parts([("", &words), (": ", &en_facts), ("; expected ", &en_right)]),
        )
    }

    /// The message with line and column of a table, in Chinese and English.
    pub fn render_table_message(&self) -> (String, String) {
        let (zh, en) = self.render_message();
        let line = match self.at {
            At::Whole => None,
            At::Row(index) => u64::try_from(index).ok().map(|index| index + 1),
            At::Line(line) => Some(line),
        };
        let (zh_place, en_place) = match (line, self.column.as_ref()) {
            (None, "") => ("整个表格".to_owned(), "The table".to_owned()),
            (None, column) => (format!("“{column}”列"), format!("Column {column}")),
            (Some(line), "") => (format!("第 {line} 行"), format!("Line {line}")),
            (Some(line), column) => {
                (format!("第 {line} 行“{column}”列"), format!("Line {line}, column {column}"))
            }
        };
        (format!("{zh_place}：{zh}"), format!("{en_place}: {en}"))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.render_table_message().1)
    }
}

fn prefix_slash(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("/{path}") }
}

/// The Chinese label of a fact.
fn fact_label(name: &'static str) -> &'static str {
    match name {
        "date" => "日期",
        "duty" => "事项",
        "first" => "先前在",
        "from" => "自",
        "given" => "所填",
        "key" => "键",
        "matter" => "条件",
        "max" => "上限",
        "min" => "下限",
        "name" => "名称",
        "other" => "另一处",
        "unit" => "单位",
        "until" => "至",
        "year" => "年度",
        other => other,
    }
}

/// The Chinese label of a fault code.
fn code_label(code: &'static str) -> &'static str {
    match code {
        "approval_cycle" => "审批顺序互相等待",
        "bad_date" => "日期无效",
        "backward" | "empty_period" => "结束早于开始",
        "bad_limit" => "时限无效",
        "bad_text" => "文字不符合要求",
        "column_twice" => "列重复",
        "control_character" => "含有控制字符",
        "duplicate_code" | "duplicate_id" => "编号重复",
        "empty" | "missing" => "内容不能为空",
        "field_count" => "列数不符",
        "lead_cooperates" => "主办单位不能同时协办",
        "lead_missing" => "缺少主办单位",
        "lead_twice" => "主办单位不止一个",
        "level_missing" => "缺少层级",
        "missing_column" => "缺少列",
        "named_twice" => "同一单位被重复列出",
        "no_fallback" => "缺少兜底的时限",
        "not_csv" => "不是有效的 CSV",
        "out_of_range" => "数值超出范围",
        "permission_missing" => "缺少必须保留的权限",
        "role_twice" => "角色重复",
        "separated" => "这项权限须与该角色分开",
        "tie" => "两条同样适用，分不出先后",
        "too_large" => "文件过大",
        "too_long" => "文字过长",
        "too_many_approvals" => "审批签字过多",
        "too_many_rows" => "条目过多",
        "unfit_role" => "角色不合适",
        "unknown_approval" => "所等待的审批不存在",
        "unknown_area" => "区域不存在",
        "unknown_category" => "事项类别不存在",
        "unknown_column" => "没有这一列",
        "unknown_kind" => "清单类型不存在",
        "unknown_level" => "层级不合适",
        "unknown_rank" => "哨级不存在",
        "unknown_unit" => "单位不存在",
        "bad_code" => "代码不符合规则",
        "unknown_parent" => "上级代码不存在",
        "missing_parent" => "缺少上级",
        "other_name" => "代码已属于另一个名称",
        "other_parent" => "上级与现有不同，请用划转",
        "other_kind" => "级别与现有不同",
        "wrong_level" => "上下级关系不对",
        "retired" => "已撤销，代码不能再用",
        "later" | "decided_already" => "生效日期早于已定的变更",
        "unknown_grid_kind" => "网格类型无效",
        "unknown_crs" => "坐标系无法识别或不一致",
        "unknown_geometry" => "不是多边形",
        "not_a_number" => "不是数字",
        "not_geojson" => "不是 GeoJSON",
        "missing_field" => "缺少内容",
        "wrong_type" => "类型不对",
        "unknown_value" => "没有这个值",
        "unknown_field" => "没有这个字段",
        "unknown_keyword" => "不支持的关键字",
        "too_deep" => "层次过深",
        "duplicate" => "重复",
        other => {
            boundary_fault::FaultCode::parse(other).map_or(other, boundary_fault::FaultCode::label)
        }
    }
}

/// What a text must be like, in Chinese and English.
pub(crate) fn expected_text(fault: &text::Fault) -> (String, String) {
    match fault {
        text::Fault::Empty => ("非空的文字".to_owned(), "non-empty text".to_owned()),
        text::Fault::TooLong { length, max } => (
            format!("最多 {max} 个字，现有 {length} 个"),
            format!("at most {max} characters instead of {length}"),
        ),
        text::Fault::Control { code } => (
            format!("不含控制字符（U+{code:04X}）的文字"),
            format!("text without control characters (U+{code:04X})"),
        ),
    }
}
