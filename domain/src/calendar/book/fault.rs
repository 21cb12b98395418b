//! Faults of a calendar that a tenant wrote.

use serde::{Deserialize, Serialize};

use crate::core::{
    labelled_enum::labelled_enum,
    tabular_import::{At, Fault},
};

labelled_enum! {
    /// What is wrong.
    FaultCode {
        /// The text is not JSON.
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
        /// The year of an entry differs from its key.
        YearMismatch = "year_mismatch", "年度与键不一致";
        /// Two files are of the same year.
        YearTwice = "year_twice", "年度重复";
        /// A date is a day off and a working day.
        DateContradicts = "date_contradicts", "同一日期既放假又上班";
        /// A special day is given twice.
        DateTwice = "date_twice", "日期重复";
        /// Two schedules are for the same area.
        AreaTwice = "area_twice", "区域重复";
        /// A window closes at or before its opening.
        EmptyWindow = "empty_window", "时段为空或前后颠倒";
        /// Two windows of a day overlap.
        WindowsOverlap = "windows_overlap", "时段重叠";
        /// A season ends before it begins.
        SeasonBackwards = "season_backwards", "时令起止颠倒";
        /// Two seasons overlap.
        SeasonsOverlap = "seasons_overlap", "时令重叠";
        /// There is no working time at all.
        NoWorkingTime = "no_working_time", "没有任何工作时间";
    }
}

impl FaultCode {
    /// A fault without facts yet, at a JSON pointer into the input.
    pub(super) fn fault_at(self, pointer: impl Into<String>) -> Fault {
        let path = pointer.into().trim_start_matches('/').to_owned();
        Fault::new_with_label(At::Whole, path, (self.name(), self.label()))
    }
}

/// A fault if a list is longer than allowed.
pub(super) fn length_fault(at: impl Into<String>, given: usize, max: usize) -> Option<Fault> {
    (given > max)
        .then(|| FaultCode::TooMany.fault_at(at).with_fact("given", given).with_fact("max", max))
}
