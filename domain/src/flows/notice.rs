//! Notices: who is notified of what when something happens. Pure: derived from an event and the
//! state after it.

use crate::{
    area::tree::Unit,
    core::id::{AreaId, PersonId, ReportId},
    flows::{
        case::{self, state::Case},
        report::{self, Report},
    },
    people::actor::Permission,
    rules::{notice::NoticeKind, vocabulary::MeasureKind},
};

/// The recipient of a notice.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum To {
    /// One person, through the channels they chose.
    Person(PersonId),
    /// Everyone with this permission over the unit itself.
    Unit(AreaId, Permission),
}

/// A notice to send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice {
    /// The person or the unit it is for.
    pub to: To,
    /// What it is about.
    pub kind: NoticeKind,
    /// The number of the report or the case.
    pub number: String,
    /// The title of the report or the case.
    pub title: String,
    /// The text of the notice.
    pub text: String,
    /// The reports whose text it repeats: for a reporter the reporter's own, for a unit the first
    /// of the case.
    pub reports: Vec<ReportId>,
}

fn new_notice(
    to: To,
    kind: NoticeKind,
    (number, title): (&str, &str),
    text: String,
    reports: Vec<ReportId>,
) -> Notice {
    Notice { to, kind, number: number.to_owned(), title: title.to_owned(), text, reports }
}

/// The text of a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Said {
    /// What it is about.
    pub label: String,
    /// The number of the report or the case; empty where it is not disclosed.
    pub number: String,
    /// The title; empty where it is not disclosed.
    pub title: String,
    /// The text of the message.
    pub text: String,
}

impl Said {
    /// Says only that there is news.
    fn without_details(label: &str, number: &str) -> Self {
        let text = "有新进展，请登录查看。".to_owned();
        Self { label: label.to_owned(), number: number.to_owned(), title: String::new(), text }
    }
}

/// The text of a message in the reader's message list, and where other services carry it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Words {
    /// In the message list, which only its reader sees.
    pub inside: Said,
    /// Through other services: WeChat, WeCom.
    pub outside: Said,
}

impl Notice {
    /// The text of this notice; `reports` are those of [`Notice::reports`] that were found.
    ///
    /// A reporter is notified in the reporter's own words: those of others may not have passed a
    /// review. About a report whose reporter must not be known, the notice says only that there is
    /// news, and other services do not carry its text.
    pub fn render_words(&self, reports: &[&Report]) -> Words {
        let hidden =
            reports.len() < self.reports.len() || reports.iter().any(|report| report.is_hidden());
        let mut said = Said {
            label: self.kind.label().to_owned(),
            number: self.number.clone(),
            title: self.title.clone(),
            text: self.text.clone(),
        };
        match self.to {
            To::Person(_) if hidden => {
                let news = Said::without_details("您的上报", "");
                Words { inside: news.clone(), outside: news }
            }
            To::Person(_) => {
                if let Some(own) = reports.first() {
                    own.matter.title.as_str().clone_into(&mut said.title);
                }
                Words { inside: said.clone(), outside: said }
            }
            To::Unit(..) if hidden => {
                let outside = Said::without_details(self.kind.label(), &self.number);
                Words { inside: said, outside }
            }
            To::Unit(..) => Words { inside: said.clone(), outside: said },
        }
    }
}

/// The notices about an event of a report; `after` is its new state.
pub fn from_report_event(after: &Report, event: &report::Event) -> Vec<Notice> {
    let about = (after.number.as_str(), after.matter.title.as_str());
    let to = || To::Person(after.reporter);
    let (kind, text) = match event {
        report::Event::Filed { .. } => {
            (NoticeKind::ReportAccepted, "已立案，将按时限办理。".to_owned())
        }
        report::Event::Joined { .. } => (
            NoticeKind::ReportAccepted,
            "已有同一问题正在办理，已合并，办结后一并告知。".to_owned(),
        ),
        report::Event::Refused { reason, .. } => {
            (NoticeKind::ReportRefused, format!("未予受理：{}", reason.as_str()))
        }
        report::Event::Submitted { .. }
        | report::Event::Claimed { .. }
        | report::Event::Unclaimed
        | report::Event::Confirmed { .. }
        | report::Event::Unjoined { .. }
        | report::Event::Recomputed { .. }
        | report::Event::Measured { .. } => return Vec::new(),
    };
    vec![new_notice(to(), kind, about, text, vec![after.id])]
}

/// The notices about an event of a case; `after` is its new state.
pub fn from_case_event(after: &Case, event: &case::Event) -> Vec<Notice> {
    use case::Event as E;
    let about = (after.number.as_str(), after.matter.title.as_str());
    let reporters = |kind, text: &str| {
        let mut people: Vec<PersonId> = after.reports.iter().map(|one| one.person).collect();
        people.sort_unstable();
        people.dedup();
        let one = |person| {
            let own = after.reports.iter().filter(|one| one.person == person);
            let own = own.map(|one| one.report).collect();
            new_notice(To::Person(person), kind, about, text.to_owned(), own)
        };
        people.into_iter().map(one).collect()
    };
    let first: Vec<ReportId> = after.reports.first().map(|one| one.report).into_iter().collect();
    let unit = |unit: &Unit, permission, kind, text: String| {
        vec![new_notice(To::Unit(unit.id, permission), kind, about, text, first.clone())]
    };
    match event {
        E::VerificationPassed { .. } => {
            reporters(NoticeKind::AnswerAsked, "已处理并经现场核查，请告诉我们是否解决、是否满意。")
        }
        E::Closed { .. } => reporters(NoticeKind::CaseClosed, "已办结。"),
        E::Reopened { .. } => reporters(NoticeKind::CaseReopened, "已重新办理。"),
        E::Dispatched { unit: to, .. } => {
            let text = "派给本单位，请签收。".to_owned();
            unit(to, Permission::HandleCase, NoticeKind::CaseGiven, text)
        }
        E::Returned { unit: from, reason, .. } => {
            let text = format!("{}退回：{}", from.name, reason.as_str());
            unit(&after.holder, Permission::DispatchCase, NoticeKind::CaseReturned, text)
        }
        E::WhistleBlown { whistle } => {
            let one = |summons: &case::whistle::Summons| {
                let part = if summons.lead { "主办" } else { "协办" };
                let text = format!("{}吹哨，请报到（{part}）。", whistle.street.name);
                let to = To::Unit(summons.unit.id, Permission::AnswerWhistle);
                new_notice(to, NoticeKind::Summoned, about, text, first.clone())
            };
            whistle.summonses.iter().map(one).collect()
        }
        E::Measured { duty, unit, what, .. } => {
            let text = match what {
                MeasureKind::Remind => format!("即将到时限：{}。", duty.label()),
                MeasureKind::Urge
                | MeasureKind::Supervise
                | MeasureKind::Report
                | MeasureKind::List => format!("已超时限：{}（{}）。", duty.label(), what.label()),
            };
            let to = To::Unit(*unit, duty.permission());
            vec![new_notice(to, NoticeKind::Late, about, text, first.clone())]
        }
        E::Supervised { supervision } => {
            let kind = supervision.kind.label();
            let text = match &supervision.reason {
                Some(reason) => format!("{kind}：{}", reason.as_str()),
                None => format!("{kind}。"),
            };
            let permission = Permission::AnswerSupervision;
            unit(&supervision.addressee, permission, NoticeKind::Supervised, text)
        }
        E::Opened { .. }
        | E::HandledOnTheSpot { .. }
        | E::Joined { .. }
        | E::Escalated { .. }
        | E::Signed { .. }
        | E::Started { .. }
        | E::Disputed { .. }
        | E::FedBack { .. }
        | E::Summoned { .. }
        | E::WhistleOver { .. }
        | E::Claimed { .. }
        | E::Unclaimed
        | E::VerificationFailed { .. }
        | E::CallbackMissed { .. }
        | E::AnswerNoted { .. }
        | E::Answered { .. }
        | E::AnsweredInVain { .. }
        | E::NotSampled { .. }
        | E::RulingAsked { .. }
        | E::RuledAgain { .. }
        | E::Unjoined { .. }
        | E::CalledOff { .. }
        | E::Raised { .. }
        | E::Coordinated { .. }
        | E::Asked { .. }
        | E::Agreed { .. }
        | E::Denied { .. }
        | E::Withdrawn { .. }
        | E::Extended { .. }
        | E::Suspended { .. }
        | E::Resumed { .. }
        | E::Exempted { .. }
        | E::Breached { .. }
        | E::ReportedUp { .. }
        | E::SupervisionAnswered { .. }
        | E::Recomputed { .. }
        | E::Commented { .. }
        | E::Attached { .. } => Vec::new(),
    }
}
