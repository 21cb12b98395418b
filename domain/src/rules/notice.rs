//! Notices: the kinds of notices, the preferences of a person, and the rules of a tenant about how
//! they are sent. [`crate::flows::notice`] says who gets which.
//!
//! Few notices are better than many: a unit finds what it owes in its inbox; a notice is for what
//! comes up or goes wrong, and for what reporters wait for (H.2, G).

use chrono::{DateTime, FixedOffset, NaiveTime, TimeZone};
use serde::{Deserialize, Serialize};

use crate::{
    Instant,
    core::{
        labelled_enum::labelled_enum,
        tabular_import::{At, Fault, Faults},
        text::{Code, Line, cut_text},
    },
};

labelled_enum! {
    /// The kind of a notice.
    NoticeKind {
        /// To a reporter: a case was opened for the report, or the report was joined to one.
        ReportAccepted = "report_accepted", "上报已受理";
        /// To a reporter: the report was refused, and where it belongs.
        ReportRefused = "report_refused", "上报未受理";
        /// To reporters: the work is done, and they will be asked whether it is solved.
        AnswerAsked = "answer_asked", "请评价办理结果";
        /// To reporters: the case ended.
        CaseClosed = "case_closed", "案卷已办结";
        /// To reporters: the case was reopened.
        CaseReopened = "case_reopened", "案卷重新办理";
        /// To a unit: it was given a case.
        CaseGiven = "case_given", "收到派遣";
        /// To a unit: a case came back to it.
        CaseReturned = "case_returned", "案卷被退回";
        /// To departments: a whistle was blown for them.
        Summoned = "summoned", "街道吹哨";
        /// To a unit: something will be late, or is.
        Late = "late", "时限提醒";
        /// To a unit: a superior asks for an answer.
        Supervised = "supervised", "督办";
        /// To administrators: a webhook was stopped.
        WebhookStopped = "webhook_stopped", "事件推送已停";
        /// To a person: an identity at a provider was linked to the account, or unlinked.
        IdentityChanged = "identity_changed", "登录方式变更";
    }
}

impl NoticeKind {
    /// Whether it is for people outside the administration.
    pub const fn is_for_reporters(self) -> bool {
        matches!(
            self,
            Self::ReportAccepted
                | Self::ReportRefused
                | Self::AnswerAsked
                | Self::CaseClosed
                | Self::CaseReopened
        )
    }
}

/// How and when a person wants to be notified.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Preferences {
    /// Kinds that appear only in the message list.
    pub muted: Vec<NoticeKind>,
    /// Whether text messages are sent.
    pub sms: bool,
    /// The hours in which nothing is sent; notices wait for their end.
    pub quiet: Option<Quiet>,
    /// The hour at which everything is sent together, once a day; without it, each at once.
    pub digest: Option<NaiveTime>,
}

/// Hours of the day in China (UTC+8); they may pass midnight.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quiet {
    /// The first minute of the quiet hours.
    pub from: NaiveTime,
    /// The minute at which they end, exclusive.
    pub until: NaiveTime,
}

/// The local time in all of China.
fn to_wall_clock(at: Instant) -> Option<DateTime<FixedOffset>> {
    Some(at.with_timezone(&FixedOffset::east_opt(8 * 3600)?))
}

/// The next moment at or after `at` with this local time.
fn next_occurrence(at: Instant, time: NaiveTime) -> Option<Instant> {
    let here = to_wall_clock(at)?;
    let mut day = here.date_naive();
    if here.time() > time {
        day = day.succ_opt()?;
    }
    let then = here.timezone().from_local_datetime(&day.and_time(time)).single()?;
    Some(then.to_utc())
}

impl Quiet {
    fn covers(&self, at: Instant) -> bool {
        let Some(time) = to_wall_clock(at).map(|here| here.time()) else { return false };
        if self.from <= self.until {
            self.from <= time && time < self.until
        } else {
            time >= self.from || time < self.until
        }
    }
}

impl Preferences {
    /// Whether this kind is sent beyond the message list.
    pub fn wants(&self, kind: NoticeKind) -> bool {
        !self.muted.contains(&kind)
    }

    /// When a notice that came up at `at` is sent.
    pub fn sending_time(&self, at: Instant) -> Instant {
        let at = self.digest.and_then(|time| next_occurrence(at, time)).unwrap_or(at);
        match self.quiet {
            Some(quiet) if quiet.covers(at) => next_occurrence(at, quiet.until).unwrap_or(at),
            _ => at,
        }
    }
}

/// The rules of a tenant about notices, as a document.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Notices {
    /// The subscribe messages of WeChat, by kind.
    pub wechat: Vec<Template>,
    /// Kinds that are also sent as text messages, to those who agreed.
    pub sms: Vec<NoticeKind>,
}

/// A subscribe message of a WeChat mini-program.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// The kind of notice.
    pub kind: NoticeKind,
    /// Its identity at WeChat.
    pub template_id: Line,
    /// The page it opens.
    #[serde(default)]
    pub page: Option<Line>,
    /// The values of its fields, by their names at WeChat.
    pub fields: Vec<Slot>,
}

/// A field of a template.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slot {
    /// Its name, such as `thing1`.
    pub name: Code,
    /// The value it shows.
    pub value: SlotValue,
}

labelled_enum! {
    /// The values a field can have.
    SlotValue {
        /// The number of the report or the case.
        Number = "number", "编号";
        /// The title of the report or the case.
        Title = "title", "标题";
        /// The kind of the notice.
        Kind = "kind", "事项";
        /// The text of the notice.
        Text = "text", "内容";
        /// When it happened.
        Time = "time", "时间";
    }
}

/// The most characters WeChat accepts in a field, by the prefix of its name; none for an unknown
/// field (F.4).
pub fn field_limit(name: &str) -> Option<usize> {
    let kind = name.trim_end_matches(|c: char| c.is_ascii_digit());
    Some(match kind {
        "thing" => 20,
        "number" | "letter" | "character_string" => 32,
        "symbol" | "phrase" => 5,
        "time" | "date" => 24,
        "name" | "amount" => 10,
        "car_number" => 8,
        "phone_number" => 17,
        _ => return None,
    })
}

/// A text that fits: cut between characters, with a mark that something is missing.
pub fn fit_text(text: &str, most: usize) -> String {
    // A field is one line and never empty.
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = line.trim();
    if line.is_empty() {
        return "无".to_owned();
    }
    if line.chars().count() <= most {
        return line.to_owned();
    }
    format!("{}…", cut_text(line, most.saturating_sub(1)))
}

impl Notices {
    /// The most templates.
    pub const MOST: usize = 50;

    /// Everything that is wrong with it.
    pub fn check(&self) -> Vec<Fault> {
        let mut faults = Faults::for_list("wechat");
        if self.wechat.len() > Self::MOST {
            let (zh, en) = (
                format!("最多 {} 个模板", Self::MOST),
                format!("at most {} templates", Self::MOST),
            );
            let given = self.wechat.len().to_string();
            faults
                .push(Fault::new(At::Whole, ("wechat", "too_many"), &given).with_expected(zh, en));
        }
        for (index, template) in self.wechat.iter().enumerate().take(Self::MOST) {
            let at = At::Row(index);
            if self.wechat.iter().take(index).any(|other| other.kind == template.kind) {
                let (zh, en) = ("每种消息一个模板", "one template for each kind of message");
                let fault = Fault::new(at, ("kind", "twice"), template.kind.name());
                faults.push(fault.with_expected(zh, en));
            }
            if !(1..=10).contains(&template.fields.len()) {
                let given = template.fields.len().to_string();
                let fault = Fault::new(at, ("fields", "out_of_range"), &given);
                faults.push(fault.with_expected("1 到 10 个字段", "1 to 10 fields"));
            }
            for (no, slot) in template.fields.iter().enumerate().take(10) {
                if field_limit(slot.name.as_str()).is_none() {
                    let column = format!("fields/{no}/name");
                    let fault = Fault::new(at, (column, "unknown_field"), slot.name.as_str());
                    faults.push(fault.with_expected(
                        "微信模板的字段名，例如 thing1、time2、character_string3",
                        "a field name of a WeChat template, such as thing1, time2, \
                         character_string3",
                    ));
                }
            }
        }
        faults.into_vec()
    }

    /// The template of a kind.
    pub fn find_template(&self, kind: NoticeKind) -> Option<&Template> {
        self.wechat.iter().find(|template| template.kind == kind)
    }
}

#[cfg(test)]
mod tests {
    use chrono::Timelike;
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Instant {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    fn hour(hour: u32) -> NaiveTime {
        NaiveTime::from_hms_opt(hour, 0, 0).unwrap()
    }

    #[test]
    fn a_text_is_cut_between_characters_and_says_so() {
        assert_eq!(fit_text("路灯不亮", 20), "路灯不亮");
        assert_eq!(fit_text("一二三四五六七八九十一二三四五六七八九十甲", 20).chars().count(), 20);
        assert_eq!(fit_text("一二三四五六", 5), "一二三四…");
        assert_eq!(fit_text(" 第一行\n第二行 ", 20), "第一行 第二行");
        assert_eq!(fit_text("\n", 20), "无");
        assert_eq!(fit_text("😀😀😀", 2), "😀…");
    }

    #[test]
    fn fields_of_wechat_have_their_limits() {
        for (name, most) in
            [("thing1", 20), ("character_string12", 32), ("phrase3", 5), ("time2", 24)]
        {
            assert_eq!(field_limit(name), Some(most), "{name}");
        }
        assert_eq!(field_limit("title1"), None);
    }

    #[test]
    fn at_night_it_waits_for_the_morning() {
        let quiet = Quiet { from: hour(22), until: hour(7) };
        let wants = Preferences { quiet: Some(quiet), ..Preferences::default() };
        let morning = at("2026-10-02T07:00:00+08:00");
        assert_eq!(wants.sending_time(at("2026-10-01T23:00:00+08:00")), morning);
        assert_eq!(wants.sending_time(at("2026-10-02T06:59:00+08:00")), morning);
        let day = at("2026-10-02T12:00:00+08:00");
        assert_eq!(wants.sending_time(day), day);
    }

    #[test]
    fn a_digest_comes_once_a_day_and_not_at_night() {
        let digest = Preferences { digest: Some(hour(18)), ..Preferences::default() };
        let evening = at("2026-10-02T18:00:00+08:00");
        assert_eq!(digest.sending_time(at("2026-10-01T19:00:00+08:00")), evening);
        assert_eq!(digest.sending_time(at("2026-10-02T09:00:00+08:00")), evening);
        let quiet = Some(Quiet { from: hour(17), until: hour(8) });
        let both = Preferences { quiet, ..digest };
        assert_eq!(
            both.sending_time(at("2026-10-02T09:00:00+08:00")),
            at("2026-10-03T08:00:00+08:00")
        );
    }

    #[test]
    fn a_document_with_a_field_nobody_knows_or_a_kind_twice_is_refused() {
        let slot = Slot { name: Code::from_static("headline1"), value: SlotValue::Title };
        let one = Template {
            kind: NoticeKind::CaseClosed,
            template_id: Line::from_static("t"),
            page: None,
            fields: vec![slot],
        };
        let codes =
            |notices: &Notices| notices.check().iter().map(|fault| fault.code).collect::<Vec<_>>();
        let notices = Notices { wechat: vec![one.clone(), one], sms: Vec::new() };
        assert_eq!(codes(&notices), ["unknown_field", "twice", "unknown_field"]);
        assert!(Notices::default().check().is_empty());
    }

    proptest! {
        #[test]
        fn nothing_is_sent_early_nor_in_quiet_hours(
            minutes in 0_i64..100_000, from in 0_u32..24, until in 0_u32..24, digest in 0_u32..24,
        ) {
            let quiet = Quiet { from: hour(from), until: hour(until) };
            let wants = Preferences {
                quiet: Some(quiet), digest: Some(hour(digest)), ..Preferences::default()
            };
            let now = at("2026-01-01T00:00:00Z") + chrono::Duration::minutes(minutes);
            let sent = wants.sending_time(now);
            prop_assert!(sent >= now && !quiet.covers(sent));
            prop_assert!(sent - now <= chrono::Duration::days(2));
            prop_assert_eq!(sent.nanosecond(), 0);
        }

        #[test]
        fn what_fits_is_never_empty_nor_too_long(text in "\\PC{0,60}", most in 1_usize..40) {
            let cut = fit_text(&text, most);
            prop_assert!((1..=most.max(1)).contains(&cut.chars().count()));
        }
    }
}
