//! How the second story shows time: its year, deadlines, clocks, breaches.

use chrono::{Datelike as _, Duration, NaiveDate, NaiveTime};
use domain::{Instant, calendar::limit::LimitUnit, core::time::to_local as on_clocks};
use serde_json::{Value, json};

use super::{
    super::{
        driver::{items_at, text_at},
        say,
    },
    format_instant,
};

/// The year of the second story: the first whose notice is not published and whose 国庆 is far enough
/// ahead.
pub(super) struct Year {
    national_day: NaiveDate,
}

impl Year {
    /// Picks the year by the calendar in force.
    pub(super) fn pick(now: Instant, calendar: &Value) -> Option<Self> {
        let published =
            |year: &i32| !items_at(calendar, &format!("/document/years/{year}/days")).is_empty();
        let years = (on_clocks(now).year()..=2099).filter(|year| !published(year));
        let days = years.filter_map(|year| NaiveDate::from_ymd_opt(year, 10, 1));
        let mut found = days.map(|national_day| Self { national_day });
        found.find(|year| year.instant_on(0, 0) > now)
    }

    /// An instant this many days after the Monday two weeks before the week of 国庆, at this hour.
    pub(super) fn instant_on(&self, days: i64, hour: i64) -> Instant {
        instant_of(self.date_on(days), hour)
    }

    fn date_on(&self, days: i64) -> NaiveDate {
        let weekday = i64::from(self.national_day.weekday().num_days_from_monday());
        self.national_day + Duration::days(days - 14 - weekday)
    }

    /// The morning after 国庆.
    pub(super) fn holiday_over(&self) -> Instant {
        instant_of(self.national_day + Duration::days(7), 9)
    }

    /// A possible notice: it is no official one, and leaves out the holidays of the lunar calendar.
    pub(super) fn notice(&self) -> Value {
        let (year, national) = (self.national_day.year(), self.national_day);
        let mut days = Vec::new();
        let mut day = |name: &str, date: NaiveDate, off: bool| {
            days.push(json!({ "name": name, "date": date, "isOffDay": off }));
        };
        for (name, month, length) in [("元旦", 1, 1), ("劳动节", 5, 5), ("国庆节", 10, 7)] {
            let first = NaiveDate::from_ymd_opt(year, month, 1).unwrap_or(national);
            (0..length).for_each(|n| day(name, first + Duration::days(n), true));
        }
        // The Sunday before and the Saturday after are worked.
        day("国庆节", self.date_on(13), false);
        let after = national + Duration::days(7);
        let saturday = (5 - i64::from(after.weekday().num_days_from_monday())).rem_euclid(7);
        day("国庆节", after + Duration::days(saturday), false);
        json!({ "year": year, "papers": [], "days": days })
    }

    /// The year in words, such as `2027 年`.
    pub(super) fn name(&self) -> String {
        format!("{} 年", self.national_day.year())
    }
}

/// An hour of a day in China's time zone.
fn instant_of(day: NaiveDate, hour: i64) -> Instant {
    day.and_time(NaiveTime::MIN).and_utc() + Duration::hours(hour - 8)
}

/// An instant as people read it, with its year and its day of the week.
pub(super) fn format_full_instant(instant: &str) -> String {
    const NAMES: [&str; 7] = ["一", "二", "三", "四", "五", "六", "日"];
    let Ok(at) = chrono::DateTime::parse_from_rfc3339(instant) else { return String::new() };
    let at = on_clocks(at.to_utc());
    let weekday = usize::try_from(at.weekday().num_days_from_monday()).unwrap_or_default();
    let name = NAMES.get(weekday).copied().unwrap_or_default();
    format!("{}（周{name}）{}", at.format("%Y-%m-%d"), at.format("%H:%M"))
}

/// The instant at a JSON pointer.
pub(super) fn instant_at(answer: &Value, pointer: &str) -> Option<Instant> {
    let at = chrono::DateTime::parse_from_rfc3339(&text_at(answer, pointer)).ok()?;
    Some(at.to_utc())
}

/// The entry of this duty in a list; null when there is none.
pub(super) fn find_duty<'a>(answer: &'a Value, pointer: &str, duty: &str) -> &'a Value {
    let all = items_at(answer, pointer);
    all.iter().find(|one| text_at(one, "/duty") == duty).unwrap_or(&Value::Null)
}

/// A deadline of a duty in words.
pub(super) fn render_deadline(answer: &Value, pointer: &str, duty: &str) -> String {
    let one = find_duty(answer, pointer, duty);
    let provisional = one.pointer("/term/provisional") == Some(&json!(true));
    format!(
        "{}须于 {} 前完成{}",
        text_at(one, "/duty_label"),
        format_full_instant(&text_at(one, "/term/due_at")),
        if provisional {
            "（暂定：当年节假日安排尚未公布）"
        } else {
            "（确定）"
        }
    )
}

/// The last breach in words, with its exemption.
pub(super) fn render_breach(answer: &Value) -> String {
    let Some(fact) = items_at(answer, "/breaches").last() else { return String::new() };
    let excused = text_at(fact, "/exempted_at");
    format!(
        "超期事实 {}：{} {}，应于 {}{}",
        fact.get("no").unwrap_or(&Value::Null),
        text_at(fact, "/unit/name"),
        text_at(fact, "/duty_label"),
        format_full_instant(&text_at(fact, "/due_at")),
        if excused.is_empty() { "" } else { "；事实保留，免责另记" }
    )
}

/// The limit of a term in words.
fn render_limit(term: &Value) -> String {
    let unit = LimitUnit::parse(&text_at(term, "/unit")).map_or("", LimitUnit::label);
    format!("{} {unit}", term.get("amount").unwrap_or(&Value::Null))
}

/// What moved a deadline, in words.
fn render_moves(term: &Value) -> String {
    let moves = items_at(term, "/moves").iter().map(|moved| {
        if text_at(moved, "/what") == "extended" {
            return format!("延期 {}", render_limit(moved));
        }
        let (from, until) = (text_at(moved, "/from"), text_at(moved, "/until"));
        format!("暂停 {} 至 {}", format_instant(&from), format_instant(&until))
    });
    let moves: Vec<String> = moves.collect();
    if moves.is_empty() { "无延期、无暂停".to_owned() } else { moves.join("，") }
}

/// Prints the working of every running clock.
pub(super) fn say_running(clocks: &Value) {
    for clock in items_at(clocks, "/running") {
        let term = clock.get("term").unwrap_or(&Value::Null);
        say(&format!(
            "       {} {}：{} 起算，规则 {}，{}（{}）",
            text_at(clock, "/unit/name"),
            text_at(clock, "/duty_label"),
            format_full_instant(&text_at(term, "/started_at")),
            text_at(term, "/rule"),
            render_limit(term),
            text_at(clock, "/method"),
        ));
        for day in items_at(clock, "/days") {
            let (kind, name) = (text_at(day, "/kind_label"), text_at(day, "/name"));
            let minutes = day.get("minutes").unwrap_or(&Value::Null);
            say(&format!("         {} {kind}{name} {minutes} 分钟", text_at(day, "/date")));
        }
        let due = format_full_instant(&text_at(term, "/due_at"));
        say(&format!("         {}；到期 {due}", render_moves(term)));
    }
}

/// Prints every obligation there was, with its outcome.
pub(super) fn say_all(clocks: &Value) {
    for one in items_at(clocks, "/all") {
        let term = one.get("term").unwrap_or(&Value::Null);
        let outcome = match text_at(one, "/outcome").as_str() {
            "met" => "按期",
            "late" => "超期",
            "lifted" => "解除",
            _ => "进行中",
        };
        say(&format!(
            "       {} {}：{} 起，{} {}，{}到期 {} → {outcome}",
            text_at(one, "/unit_name"),
            text_at(one, "/duty_label"),
            format_instant(&text_at(term, "/started_at")),
            text_at(term, "/rule"),
            render_limit(term),
            if items_at(term, "/moves").is_empty() {
                String::new()
            } else {
                format!("{}，", render_moves(term))
            },
            format_instant(&text_at(term, "/due_at")),
        ));
    }
}

#[cfg(test)]
mod tests {
    use domain::calendar::book::HolidayYear;

    use super::*;

    #[test]
    fn a_year_can_be_told_of_from_any_day() {
        let calendar = json!({ "document": { "years": { "2027": { "days": [1] } } } });
        let start = instant_of(NaiveDate::from_ymd_opt(2024, 1, 1).unwrap(), 3);
        for days in 0..10_000 {
            let now = start + Duration::days(days);
            let year = Year::pick(now, &calendar).unwrap();
            assert!(year.instant_on(0, 9) > now, "{now}");
            assert!(year.holiday_over() - now < Duration::days(3 * 366), "{now}");
            assert_ne!(year.national_day.year(), 2027);
            assert!(year.date_on(11) < year.national_day, "{now}");
            let notice = HolidayYear::parse(&year.notice().to_string()).unwrap();
            let made_up = notice.days.iter().filter(|day| !day.is_off_day);
            let weekdays: Vec<_> = made_up.map(|day| day.date.weekday()).collect();
            assert_eq!(weekdays, [chrono::Weekday::Sun, chrono::Weekday::Sat], "{now}");
        }
    }
}
