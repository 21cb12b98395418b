//! Answers of the reporters: of several, the first member of the public is called back, and no
//! reporter answers for another. The answers of the others are stored; when the deciding reporter
//! answers, the worst of all answers counts.

use super::{Answer, Callback, Event, Satisfaction, decide::Decision};
use crate::{
    core::id::ReportId,
    flows::{
        case::state::{Case, Reporter, ReporterAnswer},
        flow::Context,
    },
    people::actor::Permission,
    rules::{obligation::Duty, refusal::Refusal},
};

impl Case {
    /// The reporter whose answer decides: the first of the public; the first of all where only
    /// staff reported.
    fn deciding_reporter(&self) -> Option<&Reporter> {
        self.reports.iter().find(|one| !one.in_office).or(self.reports.first())
    }

    pub(super) fn call_back(&self, callback: &Callback, cx: &Context<'_>) -> Decision {
        let contradicts = |problem| Err(Refusal::AnswersContradict { problem });
        match (callback.reached, callback.solved, callback.satisfied) {
            (false, None, None) => self.miss_callback(cx),
            (false, _, _) => contradicts("nobody_reached_but_answered"),
            (true, Some(solved), Some(satisfied)) => {
                let answer = Answer { solved, satisfied, comment: callback.comment.clone() };
                self.decide_answer(self.resolve_report(callback.report, cx)?, answer, cx)
            }
            (true, _, _) => contradicts("reached_but_not_answered"),
        }
    }

    /// The call reached no one: only staff who may call back can say so. After enough attempts the
    /// stored answers of the others count.
    fn miss_callback(&self, cx: &Context<'_>) -> Decision {
        let area = &self.place.area;
        cx.require_permission(Permission::CallBack, &area.path, &area.name)?;
        let by = cx.by.person;
        let enough = self.tally.missed_callbacks + 1 >= cx.rules.conduct.callback_attempts;
        let worst = self.answers.iter().map(|one| &one.answer).max_by_key(|one| rate_badness(one));
        if let (true, Some(worst)) = (enough, worst) {
            let missed = Event::CallbackMissed { by, close: None };
            return Ok([vec![missed], self.settle_answer(worst.clone(), cx)].concat());
        }
        let close = enough.then(|| self.start_term(Duty::Close, cx));
        Ok(vec![Event::CallbackMissed { by, close }])
    }

    /// The report an answer is for: the one the caller names, otherwise the caller's own, otherwise
    /// that of the deciding reporter.
    fn resolve_report(
        &self,
        named: Option<ReportId>,
        cx: &Context<'_>,
    ) -> Result<ReportId, Refusal> {
        let own = || self.reports.iter().find(|one| one.person == cx.by.person);
        let found = if let Some(report) = named {
            self.reports.iter().find(|one| one.report == report)
        } else {
            own().or(self.deciding_reporter())
        };
        let reporter = found.ok_or(Refusal::NotJoined)?;
        if reporter.person != cx.by.person {
            let area = &self.place.area;
            cx.require_permission(Permission::CallBack, &area.path, &area.name)?;
        }
        Ok(reporter.report)
    }

    fn decide_answer(&self, report: ReportId, answer: Answer, cx: &Context<'_>) -> Decision {
        let by = cx.by.person;
        if self.deciding_reporter().is_some_and(|asked| asked.report != report) {
            if self.answers.iter().any(|one| one.report == report) {
                return Err(Refusal::AlreadyAnswered);
            }
            return Ok(vec![Event::AnswerNoted { by, report, answer }]);
        }
        if self.reports.len() < 2 {
            return Ok(self.settle_answer(answer, cx));
        }
        let others = self.answers.iter().filter(|one| one.report != report);
        let others = others.map(|one| &one.answer).max_by_key(|one| rate_badness(one));
        let worst =
            others.filter(|other| rate_badness(other) > rate_badness(&answer)).unwrap_or(&answer);
        let outcome = self.settle_answer(worst.clone(), cx);
        Ok([vec![Event::AnswerNoted { by, report, answer }], outcome].concat())
    }

    /// The events that follow from the answer that counts.
    fn settle_answer(&self, answer: Answer, cx: &Context<'_>) -> Vec<Event> {
        let by = cx.by.person;
        let again =
            cx.rules.conduct.redo_dissatisfied && answer.satisfied == Satisfaction::Dissatisfied;
        if answer.solved && !again {
            return vec![Event::Answered { by, answer, close: self.start_term(Duty::Close, cx) }];
        }
        let in_vain = Event::AnsweredInVain { by, answer, redo: self.start_redo_term(cx) };
        [Some(in_vain), self.ask_ruling(cx)].into_iter().flatten().collect()
    }

    /// Stores the answer of a reporter in place of an earlier one.
    pub(super) fn note_answer(&mut self, report: ReportId, answer: &Answer) {
        self.answers.retain(|one| one.report != report);
        self.answers.push(ReporterAnswer { report, answer: answer.clone() });
    }
}

/// Orders answers from good to bad: unsolved is worse than solved, whatever the satisfaction.
const fn rate_badness(answer: &Answer) -> (bool, Satisfaction) {
    (!answer.solved, answer.satisfied)
}
