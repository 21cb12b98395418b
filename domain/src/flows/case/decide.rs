//! What each command does to a case, and when it is refused.
#![expect(clippy::wildcard_enum_match_arm, reason = "most stages have nothing of it")]

use super::{
    Answer, Closing, Command, Event, Opening, Outcome, Stage, Work,
    lifecycle::{self, Verb},
    whistle::{Raised, SummonsCommand},
};
use crate::{
    area::{
        coordinate::Point,
        tree::{Area, AreaKind, Unit},
    },
    core::{
        id::{AreaId, PersonId, ReportId},
        text::{Code, Prose},
        time::{self, saturating_add},
    },
    flows::{
        case::state::{ApprovalKind, Case, Reporter},
        claim::Claim,
        flow::Context,
        lifecycle::refuse_unasked,
        media::{Attached, Attachment, MediaRole, find_evidence_category},
    },
    people::actor::Permission,
    rules::{
        admission, condition,
        obligation::{Duty, Term},
        refusal::Refusal,
        rulebook::Subject,
    },
};

pub(super) type Decision = Result<Vec<Event>, Refusal>;

impl Command {
    /// The verb of the life cycle table; none for the command that begins a case.
    pub fn verb(&self) -> Option<Verb> {
        Some(match self {
            Self::With { asked, .. } => return asked.verb(),
            Self::Open(_) | Self::Lapse { .. } | Self::Recompute => return None,
            Self::Join { .. } => Verb::Join,
            Self::Escalate { .. } => Verb::Escalate,
            Self::Dispatch { .. } => Verb::Dispatch,
            Self::Sign => Verb::Sign,
            Self::Start => Verb::Start,
            Self::Return { .. } => Verb::Return,
            Self::FeedBack { .. } => Verb::FeedBack,
            Self::Summons { .. } => Verb::Summons,
            Self::Claim => Verb::Claim,
            Self::Unclaim { .. } => Verb::Unclaim,
            Self::Verify { .. } => Verb::Verify,
            Self::CallBack(_) => Verb::CallBack,
            Self::Close { .. } => Verb::Close,
            Self::Reopen { .. } => Verb::Reopen,
            Self::Comment { .. } => Verb::Comment,
            Self::Unjoin { .. } => Verb::Unjoin,
            Self::Arbitrate { .. } => Verb::Arbitrate,
            Self::Rule { .. } => Verb::Rule,
            Self::CallOff { .. } => Verb::CallOff,
            Self::Raise { .. } => Verb::Raise,
            Self::Coordinate { .. } => Verb::Coordinate,
            Self::Ask { wish, .. } => match wish.kind() {
                ApprovalKind::Extension => Verb::Extend,
                ApprovalKind::Suspension => Verb::Suspend,
                ApprovalKind::Appeal => Verb::Appeal,
                ApprovalKind::Whistle => Verb::Whistle,
            },
            Self::Decide { .. } => Verb::Decide,
            Self::Withdraw { .. } => Verb::Withdraw,
            Self::Resume { .. } => Verb::Resume,
            Self::Supervise { .. } => Verb::Supervise,
            Self::Reply { .. } => Verb::Reply,
        })
    }
}

pub(super) fn open_case(opening: &Opening, cx: &Context<'_>) -> Decision {
    if let Some(category) = &opening.matter.category {
        cx.catalogue.require_category(category.as_str())?;
    }
    let about = Subject {
        area: opening.place.area.id,
        channel: Some(opening.channel),
        matter: &opening.matter,
        rank: None,
        redo: false,
    };
    let mut events = vec![Event::Opened {
        opening: Box::new(opening.clone()),
        number: cx.new_number('C', opening.id.0, cx.at),
        at: cx.at,
        dispatch: cx.start_term(Duty::Dispatch, &about),
    }];
    if let Some(result) = &opening.handled {
        let closing = new_closing(Outcome::SelfHandled, None, cx);
        events.push(Event::HandledOnTheSpot { result: result.clone(), closing });
    }
    Ok(events)
}

fn new_closing(outcome: Outcome, answer: Option<Answer>, cx: &Context<'_>) -> Closing {
    let window = chrono::Duration::days(i64::from(cx.rules.conduct.reopen_days));
    Closing { outcome, at: cx.at, reopen_until: saturating_add(cx.at, window), answer }
}

impl Case {
    /// Decides a command that names files. Where the standard of the category demands it, a photo
    /// must show what was done.
    pub(super) fn decide_with_media(
        &self,
        command: &Command,
        media: &[Attachment],
        cx: &Context<'_>,
    ) -> Decision {
        let mut events = self.decide(command, cx)?;
        let done = match command {
            Command::FeedBack { .. } => true,
            Command::Summons { unit, act: SummonsCommand::FeedBack { .. } } => {
                let summons = self.stage.whistle().and_then(|whistle| whistle.find_summons(*unit));
                summons.is_some_and(|summons| summons.lead)
            }
            _ => false,
        };
        let after = || media.iter().any(|one| one.role == MediaRole::After);
        if let Some(category) =
            find_evidence_category(&self.matter, cx).filter(|_| done && !after())
        {
            return Err(Refusal::EvidenceMissing { category: category.to_owned() });
        }
        let added = Attached::attach_new(&self.media, media, Self::MAX_MEDIA, cx)?;
        events.extend((!added.is_empty()).then_some(Event::Attached { media: added }));
        Ok(events)
    }

    fn decide(&self, command: &Command, cx: &Context<'_>) -> Decision {
        let stage = self.stage.name();
        if let Command::Lapse { duty, unit, term } = command {
            return self.take_measure(*duty, *unit, *term, cx);
        }
        if matches!(command, Command::Recompute) {
            return self.recompute_deadlines(cx);
        }
        if command.verb().is_some_and(|verb| !lifecycle::keeps_stage(stage, verb)) {
            self.require_moving(cx)?;
        }
        match command {
            // These were handled above.
            Command::Open(_)
            | Command::With { .. }
            | Command::Lapse { .. }
            | Command::Recompute => Err(refuse_unasked::<Self>(command)),
            Command::Join { reporter } => self.join_report(*reporter),
            Command::Escalate { reason } => self.escalate(reason, cx),
            Command::Dispatch { unit, note } => self.dispatch(*unit, note.as_ref(), cx),
            Command::Sign => self.decide_as_handler(cx, Event::Signed { by: cx.by.person }),
            Command::Start => self.decide_as_handler(cx, Event::Started { by: cx.by.person }),
            Command::Return { reason, proposed } => self.give_back(reason, *proposed, cx),
            Command::FeedBack { result } => {
                let verify = self.start_term(Duty::Verify, cx);
                let by = cx.by.person;
                self.decide_as_handler(cx, Event::FedBack { by, result: result.clone(), verify })
            }
            Command::Summons { unit, act } => self.decide_summons(*unit, act, cx),
            Command::Claim => self.claim_verification(cx),
            Command::Unclaim { to } => self.unclaim_verification(*to, cx),
            Command::Verify { passed, note, point } => {
                self.verify(*passed, note.as_ref(), *point, cx)
            }
            Command::CallBack(callback) => self.call_back(callback, cx),
            Command::Close { note } => self.close(note.as_ref(), cx),
            Command::Reopen { reason } => self.reopen(reason, cx),
            Command::Comment { text } => self.add_comment(text, cx),
            Command::Unjoin { report } => self.unjoin_report(*report),
            Command::Arbitrate { unit, reason } => self.arbitrate(*unit, reason, cx),
            Command::Rule { again, reason } => self.give_ruling(*again, reason, cx),
            Command::CallOff { reason } => self.call_off(reason, cx),
            Command::Raise { reason } => self.raise_to_district(reason, cx),
            Command::Coordinate { note } => self.coordinate(note, cx),
            Command::Ask { wish, reason } => self.open_ask(wish, reason, cx),
            Command::Decide { no, agree, note } => self.decide_ask(*no, *agree, note.as_ref(), cx),
            Command::Withdraw { no } => self.withdraw_ask(*no, cx),
            Command::Resume { reason } => self.resume(Some(reason), cx),
            Command::Supervise { kind, trigger, unit, reason } => {
                self.supervise(*kind, *trigger, *unit, reason, cx)
            }
            Command::Reply { no, text } => self.answer_supervision(*no, text, cx),
        }
    }

    /// What the deadlines of this case depend on.
    pub(super) fn subject(&self) -> Subject<'_> {
        Subject {
            area: self.place.area.id,
            channel: Some(self.channel),
            matter: &self.matter,
            rank: None,
            redo: false,
        }
    }

    pub(super) fn start_term(&self, duty: Duty, cx: &Context<'_>) -> Term {
        cx.start_term(duty, &self.subject())
    }

    fn require_holder(&self, permission: Permission, cx: &Context<'_>) -> Result<(), Refusal> {
        cx.require_permission(permission, &self.holder.path, &self.holder.name)
    }

    fn has_reporter(&self, cx: &Context<'_>) -> bool {
        self.reports.iter().any(|reporter| reporter.person == cx.by.person)
    }

    fn join_report(&self, reporter: Reporter) -> Decision {
        if self.reports.len() >= Self::MAX_REPORTS {
            return Err(Refusal::TooManyReports { max: Self::MAX_REPORTS });
        }
        Ok(vec![Event::Joined { reporter }])
    }

    fn escalate(&self, reason: &Prose, cx: &Context<'_>) -> Decision {
        self.require_holder(Permission::DispatchCase, cx)?;
        let above = cx.areas.parent(self.holder.id).filter(|area| area.kind != AreaKind::City);
        let to = above.ok_or(Refusal::NoLevelAbove { holder: self.holder.name.clone() })?.unit();
        let dispatch = self.start_term(Duty::Dispatch, cx);
        Ok(vec![Event::Escalated { to, reason: reason.clone(), dispatch }])
    }

    fn dispatch(&self, unit: AreaId, note: Option<&Prose>, cx: &Context<'_>) -> Decision {
        self.require_holder(Permission::DispatchCase, cx)?;
        let unit = cx.require_area(unit)?;
        if !cx.areas.unit_contains(&self.holder, unit) {
            let (holder, unit) = (self.holder.name.clone(), unit.name.clone());
            return Err(Refusal::OutsideJurisdiction { holder, unit });
        }
        self.require_admitted(unit, cx)?;
        Ok(vec![self.new_dispatch_event(unit, note, false, cx)])
    }

    fn new_dispatch_event(
        &self,
        unit: &Area,
        note: Option<&Prose>,
        appointed: bool,
        cx: &Context<'_>,
    ) -> Event {
        Event::Dispatched {
            unit: unit.unit(),
            note: note.cloned(),
            sign: self.start_term(Duty::Sign, cx),
            handle: self.start_term(Duty::Handle, cx),
            by: cx.by.person,
            by_name: cx.by.name.clone(),
            appointed,
        }
    }

    /// Refuses a community as the target unless the matter is on its list (社区事项准入).
    fn require_admitted(&self, unit: &Area, cx: &Context<'_>) -> Result<(), Refusal> {
        if !admission::is_guarded(unit.kind) {
            return Ok(());
        }
        let category = self.matter.category.as_ref().map(Code::as_str);
        let query = self.new_query(unit.id, cx);
        let verdict = cx.rules.admissions.value.find_verdict(&query);
        if verdict.refuses_dispatch() {
            return Err(Refusal::NotAdmitted {
                unit: unit.name.clone(),
                category: category.unwrap_or_default().to_owned(),
                entry: verdict.entry().map(|entry| entry.code.clone()),
            });
        }
        Ok(())
    }

    /// The arbiter assigns the case to a unit, which cannot return it [WF].
    fn arbitrate(&self, unit: AreaId, reason: &Prose, cx: &Context<'_>) -> Decision {
        let arbiter = match &self.stage {
            Stage::Disputed { arbiter, .. } => arbiter.clone(),
            _ => cx.find_arbiter(&self.holder),
        };
        cx.require_permission(Permission::Arbitrate, &arbiter.path, &arbiter.name)?;
        let unit = cx.require_area(unit)?;
        if !cx.areas.unit_contains(&arbiter, unit) {
            let (holder, unit) = (arbiter.name, unit.name.clone());
            return Err(Refusal::OutsideJurisdiction { holder, unit });
        }
        Ok(vec![self.new_dispatch_event(unit, Some(reason), true, cx)])
    }

    fn unjoin_report(&self, report: ReportId) -> Decision {
        if !self.reports.iter().any(|one| one.report == report) {
            return Err(Refusal::NotJoined);
        }
        if self.reports.len() < 2 || self.reports.first().is_some_and(|one| one.report == report) {
            return Err(Refusal::FirstReport);
        }
        Ok(vec![Event::Unjoined { report }])
    }

    fn call_off(&self, reason: &Prose, cx: &Context<'_>) -> Decision {
        self.require_holder(Permission::BlowWhistle, cx)?;
        let (by, dispatch) = (cx.by.person, self.start_term(Duty::Dispatch, cx));
        Ok(vec![Event::CalledOff { by, reason: reason.clone(), dispatch }])
    }

    fn raise_to_district(&self, reason: &Prose, cx: &Context<'_>) -> Decision {
        self.require_holder(Permission::BlowWhistle, cx)?;
        if self.stage.whistle().is_some_and(|whistle| whistle.raised.is_some()) {
            return Err(Refusal::AskedAlready { what: Verb::Raise.name() });
        }
        let raised = Raised {
            to: cx.find_arbiter(&self.holder),
            by: cx.by.person,
            reason: reason.clone(),
            term: self.start_term(Duty::Coordinate, cx),
            note: None,
        };
        Ok(vec![Event::Raised { raised: Box::new(raised) }])
    }

    fn coordinate(&self, note: &Prose, cx: &Context<'_>) -> Decision {
        let raised = self.stage.whistle().and_then(|whistle| whistle.raised.as_ref());
        let raised = raised.filter(|raised| raised.note.is_none()).ok_or(Refusal::NothingRaised)?;
        cx.require_permission(Permission::Arbitrate, &raised.to.path, &raised.to.name)?;
        Ok(vec![Event::Coordinated { by: cx.by.person, note: note.clone() }])
    }

    /// The arbiter gives the final ruling (终审).
    fn give_ruling(&self, again: bool, reason: &Prose, cx: &Context<'_>) -> Decision {
        if let Stage::Ruling { over, .. } = &self.stage {
            cx.require_permission(Permission::Arbitrate, &over.path, &over.name)?;
        }
        let by = cx.by.person;
        Ok(vec![if again {
            Event::RuledAgain { by, reason: reason.clone(), redo: self.start_redo_term(cx) }
        } else {
            let closing = new_closing(Outcome::Ruled, None, cx);
            Event::Closed { by, note: Some(reason.clone()), closing }
        }])
    }

    /// Asks for a ruling after too much rework.
    pub(super) fn ask_ruling(&self, cx: &Context<'_>) -> Option<Event> {
        let enough = self.tally.reworks >= cx.rules.conduct.reworks;
        let over = cx.find_arbiter(&self.holder);
        let rule = || self.start_term(Duty::Rule, cx);
        enough.then(|| Event::RulingAsked { over, rule: rule() })
    }

    /// An event that the unit that has the case causes.
    fn decide_as_handler(&self, cx: &Context<'_>, event: Event) -> Decision {
        if let Some(assignment) = self.stage.assignment() {
            let unit = &assignment.unit;
            cx.require_permission(Permission::HandleCase, &unit.path, &unit.name)?;
        }
        Ok(vec![event])
    }

    /// Returns the case. A return always has a reason, and raises a counter; after too many an
    /// arbiter decides (H.3.2).
    fn give_back(&self, reason: &Prose, proposed: Option<AreaId>, cx: &Context<'_>) -> Decision {
        let assignment = self.stage.assignment();
        let unit = assignment.map_or(&self.holder, |a| &a.unit).clone();
        if assignment.is_some_and(|assignment| assignment.appointed) {
            return Err(Refusal::Appointed { unit: unit.name });
        }
        let proposed = proposed.map(|id| cx.require_area(id)).transpose()?.map(Area::unit);
        let proposed = proposed.filter(|other| other.id != unit.id);
        let mut events = self.decide_as_handler(
            cx,
            Event::Returned {
                unit: unit.clone(),
                reason: reason.clone(),
                dispatch: self.start_term(Duty::Dispatch, cx),
                dispatcher: assignment.map_or(cx.by.person, |a| a.by),
                dispatcher_name: assignment.map(|a| a.by_name.clone()).unwrap_or_default(),
                proposed: proposed.clone(),
            },
        )?;
        self.require_shiftable(&unit, cx)?;
        if proposed.is_none() && self.is_first_receiver(&unit, cx) {
            return Err(Refusal::FirstReceiver { unit: unit.name, item: None });
        }
        if self.tally.returns + 1 > cx.rules.conduct.returns {
            let (arbiter, arbitrate) =
                (cx.find_arbiter(&self.holder), self.start_term(Duty::Arbitrate, cx));
            events.push(Event::Disputed { arbiter, arbitrate });
        }
        Ok(events)
    }

    /// Whether this unit received the case first, where the rules make that matter.
    fn is_first_receiver(&self, unit: &Unit, cx: &Context<'_>) -> bool {
        cx.rules.conduct.first_receiver
            && self.first.as_ref().is_some_and(|first| first.id == unit.id)
    }

    /// The first receiver must not return a case when the list of responsibilities makes it the
    /// lead for such matters there [BJ-JSJB 14].
    pub(super) fn require_shiftable(&self, unit: &Unit, cx: &Context<'_>) -> Result<(), Refusal> {
        if !self.is_first_receiver(unit, cx) {
            return Ok(());
        }
        let query = self.new_query(self.place.area.id, cx);
        let answer = cx.rules.responsibilities.value.find(&query, cx.areas);
        match answer.filter(|answer| answer.lead.id == unit.id) {
            Some(answer) => {
                let item = Some(answer.item.code.clone());
                Err(Refusal::FirstReceiver { unit: unit.name.clone(), item })
            }
            None => Ok(()),
        }
    }

    /// The query about this matter in an area, for lists.
    fn new_query(&self, area: AreaId, cx: &Context<'_>) -> condition::Query {
        let category = self.matter.category.as_ref().map(Code::as_str);
        let on = time::local_day(cx.at);
        condition::Query::new((category, cx.catalogue), (area, cx.areas), on)
    }

    fn decide_summons(&self, unit: AreaId, act: &SummonsCommand, cx: &Context<'_>) -> Decision {
        let whistle = self.stage.whistle().ok_or(Refusal::NotSummoned)?;
        let happened = whistle.decide(unit, act, self, cx)?;
        let by = cx.by.person;
        let mut events = vec![Event::Summoned { unit, by, happened: happened.clone() }];
        if self.stage.is_whistle_on() && whistle.with_event(unit, by, &happened).is_over() {
            events.push(Event::WhistleOver { verify: self.start_term(Duty::Verify, cx) });
        }
        Ok(events)
    }

    /// Refuses a person who must not verify there or who handled the case; returns the last claim.
    fn require_verifier(&self, cx: &Context<'_>) -> Result<Option<&Claim>, Refusal> {
        let area = &self.place.area;
        cx.require_permission(Permission::VerifyOnSite, &area.path, &area.name)?;
        if self.stage.work().is_some_and(|work| work.people().contains(&cx.by.person)) {
            return Err(Refusal::HandlerVerifies);
        }
        Ok(self.stage.claim())
    }

    fn claim_verification(&self, cx: &Context<'_>) -> Decision {
        let claim = Claim::take(self.require_verifier(cx)?, &self.place.area, cx)?;
        Ok(vec![Event::Claimed { claim }])
    }

    fn unclaim_verification(&self, to: Option<PersonId>, cx: &Context<'_>) -> Decision {
        let claim = self.require_verifier(cx)?;
        let Some(to) = to else {
            Claim::require_own(claim, cx)?;
            return Ok(vec![Event::Unclaimed]);
        };
        let claim = Claim::pass_on(claim, to, &self.place.area, cx)?;
        if self.stage.work().is_some_and(|work| work.people().contains(&to)) {
            return Err(Refusal::NotAVerifier { id: to });
        }
        Ok(vec![Event::Claimed { claim }])
    }

    fn verify(
        &self,
        passed: bool,
        note: Option<&Prose>,
        point: Option<Point>,
        cx: &Context<'_>,
    ) -> Decision {
        let claim = self.require_verifier(cx)?;
        Claim::require_free(claim, &self.place.area, cx)?;
        let (by, note) = (cx.by.person, note.cloned());
        if !passed {
            let failed =
                Event::VerificationFailed { by, note, point, redo: self.start_redo_term(cx) };
            return Ok([Some(failed), self.ask_ruling(cx)].into_iter().flatten().collect());
        }
        let call_back = self.start_term(Duty::CallBack, cx);
        let mut events = vec![Event::VerificationPassed { by, note, point, call_back }];
        let salt = cx.by.tenant.to_string();
        if !cx.rules.conduct.callback.selects_case(self.id.0, self.tally.reopenings, &salt) {
            events.push(Event::NotSampled { close: self.start_term(Duty::Close, cx) });
        }
        Ok(events)
    }

    /// The clock of the handlers for rework.
    pub(super) fn start_redo_term(&self, cx: &Context<'_>) -> Term {
        let duty = match self.stage.work() {
            Some(Work::Whistle { .. }) => Duty::FeedBack,
            Some(Work::Unit { .. } | Work::OnTheSpot { .. }) | None => Duty::Handle,
        };
        cx.start_term(duty, &Subject { redo: true, ..self.subject() })
    }

    fn close(&self, note: Option<&Prose>, cx: &Context<'_>) -> Decision {
        self.require_holder(Permission::CloseCase, cx)?;
        let answer = match &self.stage {
            Stage::CalledBack { answer, .. } => answer.clone(),
            _ => None,
        };
        let outcome = match &answer {
            Some(_) => Outcome::Solved,
            None if self.tally.missed_callbacks == 0 => Outcome::Verified,
            None => Outcome::Unanswered,
        };
        let (by, note) = (cx.by.person, note.cloned());
        Ok(vec![Event::Closed { by, note, closing: new_closing(outcome, answer, cx) }])
    }

    fn reopen(&self, reason: &Prose, cx: &Context<'_>) -> Decision {
        if !self.has_reporter(cx) {
            let area = &self.place.area;
            cx.require_permission(Permission::ReopenCase, &area.path, &area.name)?;
        }
        if let Stage::Closed { closing, .. } = &self.stage
            && cx.at >= closing.reopen_until
        {
            return Err(Refusal::WindowOver { ended_at: closing.reopen_until });
        }
        let (by, dispatch) = (cx.by.person, self.start_term(Duty::Dispatch, cx));
        Ok(vec![Event::Reopened { by, reason: reason.clone(), dispatch }])
    }

    fn add_comment(&self, text: &Prose, cx: &Context<'_>) -> Decision {
        let involved = self.units.iter().chain([&self.place.area, &self.holder]);
        let may = self.has_reporter(cx)
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
