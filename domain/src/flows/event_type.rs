//! The types of events that are published, for webhooks, streams and the feed. A type is a kind of
//! flow and the name of an event in its journal.

use serde::{Deserialize, Serialize};

use crate::core::{
    journal::{Entry, FlowKind, Hash},
    labelled_enum::labelled_enum,
};

labelled_enum! {
    /// The type of an event.
    Happening {
        /// [`crate::flows::report::Event::Submitted`].
        ReportSubmitted = "report.submitted", "收到上报";
        /// [`crate::flows::report::Event::Filed`].
        ReportFiled = "report.filed", "上报已立案";
        /// [`crate::flows::report::Event::Joined`].
        ReportJoined = "report.joined", "并入已有案卷";
        /// [`crate::flows::report::Event::Refused`].
        ReportRefused = "report.refused", "不予受理";
        /// [`crate::flows::report::Event::Claimed`].
        ReportClaimed = "report.claimed", "认领现场核实";
        /// [`crate::flows::report::Event::Unclaimed`].
        ReportUnclaimed = "report.unclaimed", "退回现场核实";
        /// [`crate::flows::report::Event::Confirmed`].
        ReportConfirmed = "report.confirmed", "现场核实";
        /// [`crate::flows::report::Event::Unjoined`].
        ReportUnjoined = "report.unjoined", "移出案卷";
        /// [`crate::flows::report::Event::Recomputed`].
        ReportRecomputed = "report.recomputed", "重新计算时限";
        /// [`crate::flows::report::Event::Measured`].
        ReportMeasured = "report.measured", "时限提醒或催办";
        /// [`crate::flows::case::Event::Opened`].
        CaseOpened = "case.opened", "立案";
        /// [`crate::flows::case::Event::HandledOnTheSpot`].
        CaseHandledOnTheSpot = "case.handled_on_the_spot", "当场处置";
        /// [`crate::flows::case::Event::Joined`].
        CaseJoined = "case.joined", "并入上报";
        /// [`crate::flows::case::Event::Escalated`].
        CaseEscalated = "case.escalated", "上报上级";
        /// [`crate::flows::case::Event::Dispatched`].
        CaseDispatched = "case.dispatched", "派遣";
        /// [`crate::flows::case::Event::Signed`].
        CaseSigned = "case.signed", "签收";
        /// [`crate::flows::case::Event::Started`].
        CaseStarted = "case.started", "开始处置";
        /// [`crate::flows::case::Event::Returned`].
        CaseReturned = "case.returned", "退回";
        /// [`crate::flows::case::Event::Disputed`].
        CaseDisputed = "case.disputed", "进入裁定";
        /// [`crate::flows::case::Event::FedBack`].
        CaseFedBack = "case.fed_back", "反馈结果";
        /// [`crate::flows::case::Event::WhistleBlown`].
        CaseWhistleBlown = "case.whistle_blown", "吹哨";
        /// [`crate::flows::case::Event::Summoned`].
        CaseSummoned = "case.summoned", "部门报到进展";
        /// [`crate::flows::case::Event::WhistleOver`].
        CaseWhistleOver = "case.whistle_over", "哨响全部放行";
        /// [`crate::flows::case::Event::Claimed`].
        CaseClaimed = "case.claimed", "认领现场核查";
        /// [`crate::flows::case::Event::Unclaimed`].
        CaseUnclaimed = "case.unclaimed", "退回现场核查";
        /// [`crate::flows::case::Event::VerificationPassed`].
        CaseVerificationPassed = "case.verification_passed", "核查通过";
        /// [`crate::flows::case::Event::VerificationFailed`].
        CaseVerificationFailed = "case.verification_failed", "核查不通过";
        /// [`crate::flows::case::Event::CallbackMissed`].
        CaseCallbackMissed = "case.callback_missed", "回访未接通";
        /// [`crate::flows::case::Event::Answered`].
        CaseAnswered = "case.answered", "居民已答复";
        /// [`crate::flows::case::Event::AnswerNoted`].
        CaseAnswerNoted = "case.answer_noted", "并案上报人答复";
        /// [`crate::flows::case::Event::AnsweredInVain`].
        CaseAnsweredInVain = "case.answered_in_vain", "居民未认可";
        /// [`crate::flows::case::Event::Closed`].
        CaseClosed = "case.closed", "结案";
        /// [`crate::flows::case::Event::Reopened`].
        CaseReopened = "case.reopened", "重新打开";
        /// [`crate::flows::case::Event::NotSampled`].
        CaseNotSampled = "case.not_sampled", "免回访";
        /// [`crate::flows::case::Event::RulingAsked`].
        CaseRulingAsked = "case.ruling_asked", "提请终审";
        /// [`crate::flows::case::Event::RuledAgain`].
        CaseRuledAgain = "case.ruled_again", "终审再办";
        /// [`crate::flows::case::Event::Unjoined`].
        CaseUnjoined = "case.unjoined", "移出上报";
        /// [`crate::flows::case::Event::CalledOff`].
        CaseCalledOff = "case.called_off", "撤回哨声";
        /// [`crate::flows::case::Event::Raised`].
        CaseRaised = "case.raised", "提请区级协调";
        /// [`crate::flows::case::Event::Coordinated`].
        CaseCoordinated = "case.coordinated", "区级协调意见";
        /// [`crate::flows::case::Event::Asked`].
        CaseAsked = "case.asked", "提出申请";
        /// [`crate::flows::case::Event::Agreed`].
        CaseAgreed = "case.agreed", "同意申请";
        /// [`crate::flows::case::Event::Denied`].
        CaseDenied = "case.denied", "不同意申请";
        /// [`crate::flows::case::Event::Withdrawn`].
        CaseWithdrawn = "case.withdrawn", "撤回申请";
        /// [`crate::flows::case::Event::Extended`].
        CaseExtended = "case.extended", "延期";
        /// [`crate::flows::case::Event::Suspended`].
        CaseSuspended = "case.suspended", "挂账";
        /// [`crate::flows::case::Event::Resumed`].
        CaseResumed = "case.resumed", "恢复办理";
        /// [`crate::flows::case::Event::Exempted`].
        CaseExempted = "case.exempted", "免责";
        /// [`crate::flows::case::Event::Breached`].
        CaseBreached = "case.breached", "逾期";
        /// [`crate::flows::case::Event::Measured`].
        CaseMeasured = "case.measured", "时限提醒或催办";
        /// [`crate::flows::case::Event::ReportedUp`].
        CaseReportedUp = "case.reported_up", "逾期上报一级";
        /// [`crate::flows::case::Event::Supervised`].
        CaseSupervised = "case.supervised", "督办";
        /// [`crate::flows::case::Event::SupervisionAnswered`].
        CaseSupervisionAnswered = "case.supervision_answered", "答复督办";
        /// [`crate::flows::case::Event::Recomputed`].
        CaseRecomputed = "case.recomputed", "重新计算时限";
        /// [`crate::flows::case::Event::Commented`].
        CaseCommented = "case.commented", "批注";
        /// [`crate::flows::case::Event::Attached`].
        CaseAttached = "case.attached", "附上照片或文件";
        /// [`crate::flows::patrol::Event::Made`].
        PatrolMade = "patrol.made", "安排或临时巡查";
        /// [`crate::flows::patrol::Event::Started`].
        PatrolStarted = "patrol.started", "开始巡查";
        /// [`crate::flows::patrol::Event::Paused`].
        PatrolPaused = "patrol.paused", "暂停巡查";
        /// [`crate::flows::patrol::Event::Resumed`].
        PatrolResumed = "patrol.resumed", "继续巡查";
        /// [`crate::flows::patrol::Event::Finished`].
        PatrolFinished = "patrol.finished", "结束巡查";
        /// [`crate::flows::patrol::Event::Cancelled`].
        PatrolCancelled = "patrol.cancelled", "取消巡查";
        /// [`crate::flows::patrol::Event::Noted`].
        PatrolNoted = "patrol.noted", "巡查备注";
        /// [`crate::flows::patrol::Event::Measured`].
        PatrolMeasured = "patrol.measured", "时限提醒或催办";
    }
}

impl Happening {
    /// The type of an event of a flow, by its name in the journal.
    pub fn from_event(flow: FlowKind, event: &str) -> Option<Self> {
        let rest = |name: &'static str| name.strip_prefix(flow.name())?.strip_prefix('.');
        Self::ALL.iter().copied().find(|one| rest(one.name()) == Some(event))
    }
}

/// The identity of an event: the same at each delivery and for each receiver, so that a receiver
/// recognises a repeated delivery. `part` is its place in its entry, from 0.
pub fn event_id(entry: &Entry, part: usize) -> uuid::Uuid {
    let mut bytes = entry.hash.0.to_vec();
    bytes.extend_from_slice(&u64::try_from(part).unwrap_or(u64::MAX).to_be_bytes());
    Hash::digest(&bytes).to_uuid()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The names that serde gives the variants of the enumeration `Event` in a file.
    fn events(source: &str) -> BTreeSet<String> {
        let body = source.split("pub enum Event {").nth(1).unwrap().split("\n}").next().unwrap();
        let variants = body.lines().filter_map(|line| line.strip_prefix("    "));
        let variants = variants.filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()));
        variants
            .map(|line| {
                let name: String = line.chars().take_while(char::is_ascii_alphanumeric).collect();
                let mut snake = String::new();
                for (at, letter) in name.chars().enumerate() {
                    if letter.is_ascii_uppercase() && at > 0 {
                        snake.push('_');
                    }
                    snake.push(letter.to_ascii_lowercase());
                }
                snake
            })
            .collect()
    }

    #[test]
    fn every_event_of_the_flows_that_are_told_has_a_type() {
        for (kind, source) in [
            (FlowKind::Report, include_str!("report/event.rs")),
            (FlowKind::Case, include_str!("case/event.rs")),
            (FlowKind::Patrol, include_str!("patrol/event.rs")),
        ] {
            let prefix = format!("{}.", kind.name());
            let told = Happening::ALL.iter().filter_map(|one| one.name().strip_prefix(&prefix));
            let told: BTreeSet<String> = told.map(str::to_owned).collect();
            assert_eq!(told, events(source), "{}", kind.name());
        }
    }

    #[test]
    fn a_type_is_found_by_flow_and_event() {
        let found = |flow, event| Happening::from_event(flow, event);
        assert_eq!(found(FlowKind::Case, "closed"), Some(Happening::CaseClosed));
        assert_eq!(found(FlowKind::Patrol, "resumed"), Some(Happening::PatrolResumed));
        assert_eq!(found(FlowKind::Person, "registered"), None);
    }
}
