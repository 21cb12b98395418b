//! What each command does to a case, and when it is refused.

use super::{
    Answer, Callback, Case, Closing, Command, Event, Opening, Outcome, Reporter, Stage, Work,
    lifecycle::{self, StageName, Verb},
    whistle::{self, Act, Call},
};
use crate::{
    actor::Permission,
    area::AreaKind,
    coordinate::Point,
    flow::Context,
    id::{AreaId, number},
    obligation::{Duty, Term},
    refusal::Refusal,
    rules::later,
    text::Prose,
};

type Decision = Result<Vec<Event>, Refusal>;

impl Command {
    /// The verb of the table; none for the command that begins a case.
    pub const fn verb(&self) -> Option<Verb> {
        Some(match self {
            Self::Open(_) => return None,
            Self::Join { .. } => Verb::Join,
            Self::Escalate { .. } => Verb::Escalate,
            Self::Dispatch { .. } => Verb::Dispatch,
            Self::Whistle(_) => Verb::Whistle,
            Self::Sign => Verb::Sign,
            Self::Start => Verb::Start,
            Self::Return { .. } => Verb::Return,
            Self::FeedBack { .. } => Verb::FeedBack,
            Self::Summons { .. } => Verb::Summons,
            Self::Verify { .. } => Verb::Verify,
            Self::CallBack(_) => Verb::CallBack,
            Self::Close { .. } => Verb::Close,
            Self::Reopen { .. } => Verb::Reopen,
            Self::Comment { .. } => Verb::Comment,
        })
    }
}

pub(super) fn decide(state: Option<&Case>, command: &Command, cx: &Context<'_>) -> Decision {
    match (state, command) {
        (None, Command::Open(opening)) => open(opening, cx),
        (None, _) => Err(refused("none", command, Vec::new())),
        (Some(case), Command::Open(_)) => {
            Err(refused(case.stage.name().name(), command, case.possible()))
        }
        (Some(case), command) => case.decide(command, cx),
    }
}

fn refused(state: &'static str, command: &Command, possible: Vec<&'static str>) -> Refusal {
    let command = command.verb().map_or("open", Verb::name);
    Refusal::WrongState { flow: "case", state, command, possible }
}

fn open(opening: &Opening, cx: &Context<'_>) -> Decision {
    if let Some(category) = &opening.matter.category {
        cx.catalogue.require(category.as_str())?;
    }
    let mut events = vec![Event::Opened {
        opening: Box::new(opening.clone()),
        number: number('C', opening.id.0, cx.at),
        at: cx.at,
        dispatch: cx.term(Duty::Dispatch, opening.matter.urgency),
    }];
    if let Some(result) = &opening.handled {
        let closing = closing(Outcome::SelfHandled, None, cx);
        events.push(Event::HandledOnTheSpot { result: result.clone(), closing });
    }
    Ok(events)
}

fn closing(outcome: Outcome, answer: Option<Answer>, cx: &Context<'_>) -> Closing {
    let window = chrono::Duration::days(i64::from(cx.rules.reopen_days));
    Closing { outcome, at: cx.at, reopen_until: later(cx.at, window), answer }
}

impl Case {
    fn decide(&self, command: &Command, cx: &Context<'_>) -> Decision {
        let stage = self.stage.name();
        let verb = command.verb();
        if verb.is_none_or(|verb| lifecycle::targets(stage, verb).is_empty()) {
            return Err(refused(stage.name(), command, self.possible()));
        }
        match command {
            // Opening was answered above: an existing case is never opened.
            Command::Open(_) => Err(refused(stage.name(), command, self.possible())),
            Command::Join { reporter } => self.join(*reporter),
            Command::Escalate { reason } => self.escalate(reason, cx),
            Command::Dispatch { unit, note } => self.dispatch(*unit, note.as_ref(), cx),
            Command::Whistle(call) => self.blow(call, cx),
            Command::Sign => self.as_handler(cx, Event::Signed { by: cx.by.person }),
            Command::Start => self.as_handler(cx, Event::Started { by: cx.by.person }),
            Command::Return { reason } => self.give_back(reason, cx),
            Command::FeedBack { result } => {
                let verify = self.term(Duty::Verify, cx);
                let by = cx.by.person;
                self.as_handler(cx, Event::FedBack { by, result: result.clone(), verify })
            }
            Command::Summons { unit, act } => self.summons(*unit, act, cx),
            Command::Verify { passed, note, point } => {
                self.verify(*passed, note.as_ref(), *point, cx)
            }
            Command::CallBack(callback) => self.call_back(callback, cx),
            Command::Close { note } => self.close(note.as_ref(), cx),
            Command::Reopen { reason } => self.reopen(reason, cx),
            Command::Comment { text } => self.comment(text, cx),
        }
    }

    fn term(&self, duty: Duty, cx: &Context<'_>) -> Term {
        cx.term(duty, self.matter.urgency)
    }

    fn require_holder(&self, permission: Permission, cx: &Context<'_>) -> Result<(), Refusal> {
        cx.require(permission, &self.holder.path, &self.holder.name)
    }

    fn reported_by(&self, cx: &Context<'_>) -> bool {
        self.reports.iter().any(|reporter| reporter.person == cx.by.person)
    }

    fn join(&self, reporter: Reporter) -> Decision {
        if self.reports.len() >= Self::MAX_REPORTS {
            return Err(Refusal::TooManyReports { max: Self::MAX_REPORTS });
        }
        Ok(vec![Event::Joined { reporter }])
    }

    fn escalate(&self, reason: &Prose, cx: &Context<'_>) -> Decision {
        self.require_holder(Permission::DispatchCase, cx)?;
        let above = cx.areas.parent(self.holder.id).filter(|area| area.kind != AreaKind::City);
        let to = above.ok_or(Refusal::NoLevelAbove { holder: self.holder.name.clone() })?.unit();
        let dispatch = self.term(Duty::Dispatch, cx);
        Ok(vec![Event::Escalated { to, reason: reason.clone(), dispatch }])
    }

    fn dispatch(&self, unit: AreaId, note: Option<&Prose>, cx: &Context<'_>) -> Decision {
        self.require_holder(Permission::DispatchCase, cx)?;
        let unit = cx.area(unit)?;
        if !self.holder.path.contains(&unit.path) {
            let (holder, unit) = (self.holder.name.clone(), unit.name.clone());
            return Err(Refusal::OutsideJurisdiction { holder, unit });
        }
        Ok(vec![Event::Dispatched {
            unit: unit.unit(),
            note: note.cloned(),
            sign: self.term(Duty::Sign, cx),
            handle: self.term(Duty::Handle, cx),
        }])
    }

    fn blow(&self, call: &Call, cx: &Context<'_>) -> Decision {
        self.require_holder(Permission::BlowWhistle, cx)?;
        let whistle = whistle::blow(&self.holder, self.matter.urgency, call, cx)?;
        Ok(vec![Event::WhistleBlown { whistle }])
    }

    /// Something the unit that has the case does.
    fn as_handler(&self, cx: &Context<'_>, event: Event) -> Decision {
        if let Some(assignment) = self.stage.assignment() {
            let unit = &assignment.unit;
            cx.require(Permission::HandleCase, &unit.path, &unit.name)?;
        }
        Ok(vec![event])
    }

    fn give_back(&self, reason: &Prose, cx: &Context<'_>) -> Decision {
        let unit = self.stage.assignment().map_or(&self.holder, |a| &a.unit).clone();
        let dispatch = self.term(Duty::Dispatch, cx);
        self.as_handler(cx, Event::Returned { unit, reason: reason.clone(), dispatch })
    }

    fn summons(&self, unit: AreaId, act: &Act, cx: &Context<'_>) -> Decision {
        let whistle = self.stage.whistle().ok_or(Refusal::NotSummoned)?;
        // After the whistle only the street's opinion is still asked for.
        let on = self.stage.name() == StageName::Whistled;
        if !on && !matches!(act, Act::Rate { .. }) && whistle.summons(unit).is_some() {
            return Err(Refusal::WrongState {
                flow: "summons",
                state: lifecycle::StepName::Released.name(),
                command: act.verb().name(),
                possible: vec![lifecycle::SummonsVerb::Rate.name()],
            });
        }
        let happened = whistle.decide(unit, act, self, cx)?;
        let by = cx.by.person;
        let mut events = vec![Event::Summoned { unit, by, happened: happened.clone() }];
        if on && whistle.after(unit, by, &happened).over() {
            events.push(Event::WhistleOver { verify: self.term(Duty::Verify, cx) });
        }
        Ok(events)
    }

    fn verify(
        &self,
        passed: bool,
        note: Option<&Prose>,
        point: Option<Point>,
        cx: &Context<'_>,
    ) -> Decision {
        let area = &self.place.area;
        cx.require(Permission::VerifyOnSite, &area.path, &area.name)?;
        let by = cx.by.person;
        if self.stage.work().is_some_and(|work| work.people().contains(&by)) {
            return Err(Refusal::HandlerVerifies);
        }
        let note = note.cloned();
        Ok(vec![if passed {
            let call_back = self.term(Duty::CallBack, cx);
            Event::VerificationPassed { by, note, point, call_back }
        } else {
            Event::VerificationFailed { by, note, point, redo: self.redo(cx) }
        }])
    }

    /// The clock of whoever has to do it again.
    fn redo(&self, cx: &Context<'_>) -> Term {
        match self.stage.work() {
            Some(Work::Whistle { .. }) => self.term(Duty::FeedBack, cx),
            Some(Work::Unit { .. } | Work::OnTheSpot { .. }) | None => self.term(Duty::Handle, cx),
        }
    }

    fn call_back(&self, callback: &Callback, cx: &Context<'_>) -> Decision {
        if !self.reported_by(cx) {
            let area = &self.place.area;
            cx.require(Permission::CallBack, &area.path, &area.name)?;
        }
        let by = cx.by.person;
        let contradicts = |problem| Err(Refusal::AnswersContradict { problem });
        match (callback.reached, callback.solved, callback.satisfied) {
            (false, None, None) => {
                let enough = self.tally.missed_callbacks + 1 >= cx.rules.callback_attempts;
                let close = enough.then(|| self.term(Duty::Close, cx));
                Ok(vec![Event::CallbackMissed { by, close }])
            }
            (false, _, _) => contradicts("nobody_reached_but_answered"),
            (true, Some(solved), Some(satisfied)) => {
                let answer = Answer { solved, satisfied, comment: callback.comment.clone() };
                Ok(vec![if solved {
                    Event::Answered { by, answer, close: self.term(Duty::Close, cx) }
                } else {
                    Event::AnsweredUnsolved { by, answer, redo: self.redo(cx) }
                }])
            }
            (true, _, _) => contradicts("reached_but_not_answered"),
        }
    }

    fn close(&self, note: Option<&Prose>, cx: &Context<'_>) -> Decision {
        self.require_holder(Permission::CloseCase, cx)?;
        let answer = match &self.stage {
            Stage::CalledBack { answer, .. } => answer.clone(),
            Stage::Filed { .. }
            | Stage::Dispatched { .. }
            | Stage::Signed { .. }
            | Stage::Handling { .. }
            | Stage::Whistled { .. }
            | Stage::FedBack { .. }
            | Stage::Verified { .. }
            | Stage::Closed { .. } => None,
        };
        let outcome = if answer.is_some() { Outcome::Solved } else { Outcome::Unanswered };
        let (by, note) = (cx.by.person, note.cloned());
        Ok(vec![Event::Closed { by, note, closing: closing(outcome, answer, cx) }])
    }

    fn reopen(&self, reason: &Prose, cx: &Context<'_>) -> Decision {
        if !self.reported_by(cx) {
            let area = &self.place.area;
            cx.require(Permission::ReopenCase, &area.path, &area.name)?;
        }
        if let Stage::Closed { closing, .. } = &self.stage
            && cx.at >= closing.reopen_until
        {
            return Err(Refusal::WindowOver { ended_at: closing.reopen_until });
        }
        let (by, dispatch) = (cx.by.person, self.term(Duty::Dispatch, cx));
        Ok(vec![Event::Reopened { by, reason: reason.clone(), dispatch }])
    }

    fn comment(&self, text: &Prose, cx: &Context<'_>) -> Decision {
        let involved = self.units.iter().chain([&self.place.area, &self.holder]);
        let may = self.reported_by(cx)
            || involved.into_iter().any(|u| cx.by.may(Permission::Comment, &u.path, cx.at));
        if !may {
            let area = self.place.area.name.clone();
            return Err(Refusal::NotPermitted { permission: Permission::Comment, area });
        }
        if cx.seq > Self::MAX_ENTRIES {
            return Err(Refusal::TooManyComments { max: Self::MAX_ENTRIES });
        }
        Ok(vec![Event::Commented { by: cx.by.person, text: text.clone() }])
    }
}
