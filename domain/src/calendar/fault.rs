//! Faults: what is wrong with a calendar somebody wrote, where, and the facts that explain it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::named::named;

named! {
    /// What is wrong.
    FaultCode {
        /// The text is no JSON.
        NotJson = "not_json", "不是有效的 JSON";
        /// A field is missing or of another type.
        WrongType = "wrong_type", "缺少字段或类型不符";
        /// A name is empty, too long, or has control characters.
        BadName = "bad_name", "名称无效";
        /// There is no such date.
        NotADate = "not_a_date", "日期无效";
        /// A number is too small or too large.
        OutOfRange = "out_of_range", "数值超出范围";
        /// A list is too long.
        TooMany = "too_many", "条目过多";
        /// A date is neither in the year nor in the December before it.
        OutsideYear = "outside_year", "日期不属于该年度";
        /// A year stands under the key of another.
        YearMismatch = "year_mismatch", "年度与键不一致";
        /// Two files are of the same year.
        YearTwice = "year_twice", "年度重复";
        /// A date is a day off and a working day.
        DateContradicts = "date_contradicts", "同一日期既放假又上班";
        /// A special day is given twice.
        DateTwice = "date_twice", "日期重复";
        /// Two schedules are for the same area.
        AreaTwice = "area_twice", "区域重复";
        /// A window closes when it opens, or before.
        EmptyWindow = "empty_window", "时段为空或前后颠倒";
        /// Two windows of a day share time.
        WindowsOverlap = "windows_overlap", "时段重叠";
        /// A season ends before it begins.
        SeasonBackwards = "season_backwards", "时令起止颠倒";
        /// Two seasons share days.
        SeasonsOverlap = "seasons_overlap", "时令重叠";
        /// Nobody ever works.
        NoWorkingTime = "no_working_time", "没有任何工作时间";
    }
}

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Fault {
    /// What.
    pub code: FaultCode,
    /// Where, as a JSON pointer into what was given.
    pub at: String,
    /// What was given and what would do.
    pub facts: BTreeMap<&'static str, String>,
}

impl Fault {
    /// A fault without facts yet.
    pub fn new(code: FaultCode, at: impl Into<String>) -> Self {
        Self { code, at: at.into(), facts: BTreeMap::new() }
    }

    /// With one more fact.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        // What was given may be anything; what is shown of it is short.
        self.facts.insert(name, value.to_string().chars().take(200).collect());
        self
    }

    /// The same one level further in.
    #[must_use]
    pub(super) fn under(mut self, prefix: &str) -> Self {
        self.at.insert_str(0, prefix);
        self
    }
}

/// A fault if a list is longer than allowed.
pub(super) fn too_many(at: impl Into<String>, given: usize, max: usize) -> Option<Fault> {
    let fault = || Fault::new(FaultCode::TooMany, at).with("given", given).with("max", max);
    (given > max).then(fault)
}
