//! What each event does to a case. Nothing here decides.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "an event that cannot follow is whatever no arm names"
)]

use super::{
    Assignment, Event, Opening, Stage, Work,
    whistle::{Happened, Whistle},
};
use crate::{
    Instant,
    area::tree::Unit,
    core::{
        id::{AreaId, PersonId},
        text::Prose,
    },
    flows::case::state::{ApprovalRequest, ApprovalSubject, Case, Moved, Tally},
    rules::obligation::{Duty, Term},
};

impl Case {
    pub(super) fn from_opening(
        opening: &Opening,
        number: &str,
        at: Instant,
        dispatch: &Term,
    ) -> Self {
        Self {
            id: opening.id,
            number: number.to_owned(),
            matter: opening.matter.clone(),
            place: opening.place.clone(),
            channel: opening.channel,
            filed_at: at,
            holder: opening.holder.clone(),
            stage: Stage::Filed { dispatch: dispatch.clone() },
            reports: vec![opening.reporter],
            units: Vec::new(),
            tally: Tally::default(),
            first: None,
            answerable: None,
            asks: Vec::new(),
            standstill: None,
            supervisions: Vec::new(),
            media: Vec::new(),
            breaches: Vec::new(),
            answers: Vec::new(),
        }
    }

    /// The case after one more event; none when the event cannot follow.
    pub(super) fn with_event(mut self, event: &Event) -> Option<Self> {
        if matches!(event, Event::VerificationPassed { .. }) {
            // A new verification starts a new round of answers.
            self.answers.clear();
        }
        if !self.apply_within_stage(event) {
            self = self.advance_stage(event)?;
        }
        self.drop_stale_requests();
        Some(self)
    }

    /// The first receiver answers for the case until another unit signs.
    fn note_receiver(&mut self, unit: &Unit) {
        self.first.get_or_insert_with(|| unit.clone());
        self.answerable.get_or_insert_with(|| unit.clone());
    }

    fn involve_unit(&mut self, unit: &Unit) {
        if !self.units.iter().any(|known| known.id == unit.id) {
            self.units.push(unit.clone());
        }
    }

    /// Removes the requests that end with a stage.
    fn drop_stale_requests(&mut self) {
        let extending =
            |ask: &ApprovalRequest| matches!(ask.wish, ApprovalSubject::Extension { .. });
        let owed =
            if self.asks.iter().any(extending) { self.work_obligations() } else { Vec::new() };
        let stage = &self.stage;
        let working = matches!(
            stage,
            Stage::Dispatched { .. }
                | Stage::Signed { .. }
                | Stage::Handling { .. }
                | Stage::Whistled { .. }
        );
        self.asks.retain(|ask| match ask.wish {
            ApprovalSubject::Extension { duty, .. } => {
                owed.iter().any(|owed| owed.owed_by.id == ask.unit.id && Some(owed.duty) == duty)
            }
            ApprovalSubject::Suspension { .. } => working,
            ApprovalSubject::Whistle { .. } => matches!(stage, Stage::Filed { .. }),
            ApprovalSubject::Appeal { .. } => true,
        });
        if !working {
            self.standstill = None;
        }
    }

    /// Applies an event that keeps the stage; false for every other event.
    fn apply_within_stage(&mut self, event: &Event) -> bool {
        match event {
            Event::Commented { .. } | Event::Coordinated { .. } | Event::Raised { .. } => {
                return self.apply_coordination(event);
            }
            Event::Attached { media } => self.media.extend(media),
            Event::Joined { reporter } => self.reports.push(*reporter),
            Event::Unjoined { report } => {
                self.reports.retain(|one| one.report != *report);
                self.answers.retain(|one| one.report != *report);
            }
            Event::AnswerNoted { report, answer, .. } => self.note_answer(*report, answer),
            Event::Asked { ask } => {
                if let ApprovalSubject::Appeal { breach } = ask.wish {
                    for known in self.breaches.iter_mut().filter(|known| known.no == breach) {
                        known.appealed = true;
                    }
                }
                self.asks.push((**ask).clone());
            }
            Event::Agreed { no, given, next } => {
                for ask in self.asks.iter_mut().filter(|ask| ask.no == *no) {
                    ask.add_signature(given, next.as_ref());
                }
                self.asks.retain(|ask| ask.no != *no || ask.next_signature().is_some());
            }
            Event::Denied { no, .. } | Event::Withdrawn { no } => {
                self.asks.retain(|ask| ask.no != *no);
            }
            Event::Extended { terms, .. } => {
                self.tally.extensions += 1;
                self.replace_terms(terms);
            }
            Event::Suspended { standstill, terms, .. } => {
                self.tally.suspensions += 1;
                self.standstill = Some((**standstill).clone());
                self.replace_terms(terms);
            }
            Event::Resumed { terms, .. } => {
                self.standstill = None;
                self.replace_terms(terms);
            }
            Event::Recomputed { terms, .. } => self.replace_terms(terms),
            Event::Exempted { breach, at, .. } => {
                for known in self.breaches.iter_mut().filter(|known| known.no == *breach) {
                    known.appealed = true;
                    known.exempted_at = Some(*at);
                }
            }
            Event::Breached { breach } => self.breaches.push(breach.clone()),
            Event::Measured { duty, unit, term, taken, next_at, .. } => {
                if let Some(clock) = self.find_term_mut(*duty, *unit, *term) {
                    clock.taken = *taken;
                    clock.next_at = *next_at;
                }
            }
            Event::ReportedUp { to } => self.involve_unit(to),
            Event::Supervised { supervision } => self.supervisions.push((**supervision).clone()),
            Event::SupervisionAnswered { no, reply } => {
                for open in self.supervisions.iter_mut().filter(|one| one.no == *no) {
                    open.reply = Some(reply.clone());
                }
            }
            _ => return false,
        }
        true
    }

    fn apply_coordination(&mut self, event: &Event) -> bool {
        match (event, self.stage.whistle_mut()) {
            (Event::Raised { raised }, Some(whistle)) => whistle.raised = Some((**raised).clone()),
            (Event::Coordinated { note, .. }, Some(whistle)) => {
                if let Some(raised) = &mut whistle.raised {
                    raised.note = Some(note.clone());
                }
            }
            _ => {}
        }
        true
    }

    /// Replaces clocks by their moved versions.
    fn replace_terms(&mut self, terms: &[Moved]) {
        for moved in terms {
            if let Some(clock) = self.find_term_mut(moved.duty, moved.unit, moved.term.no) {
                *clock = moved.term.clone();
            }
        }
    }

    /// The clock of a debt.
    fn find_term_mut(&mut self, duty: Duty, unit: AreaId, no: i64) -> Option<&mut Term> {
        let asks = self.asks.iter_mut().flat_map(|ask| {
            ask.signatures.iter_mut().filter_map(|signature| {
                let over = signature.over.id;
                signature.term.as_mut().map(|term| (Duty::Decide, over, term))
            })
        });
        let supervisions = self.supervisions.iter_mut().filter_map(|supervision| {
            let unit = supervision.addressee.id;
            supervision.term.as_mut().map(|term| (Duty::AnswerSupervision, unit, term))
        });
        let (holder, place) = (self.holder.id, self.place.area.id);
        let stage = self.stage.terms_mut(holder, place);
        stage
            .into_iter()
            .chain(asks)
            .chain(supervisions)
            .find(|(what, who, term)| *what == duty && *who == unit && term.no == no)
            .map(|(_, _, term)| term)
    }

    /// The case after an event that may move it to another stage.
    fn advance_stage(mut self, event: &Event) -> Option<Self> {
        self.stage = match (self.stage, event) {
            (Stage::Filed { .. }, Event::HandledOnTheSpot { result, closing }) => {
                let person = self.reports.first().map(|reporter| reporter.person)?;
                let work = Work::OnTheSpot { person, result: result.clone() };
                Stage::Closed { work, closing: closing.clone() }
            }
            (Stage::Filed { .. }, Event::Escalated { to, dispatch, .. }) => {
                self.holder = to.clone();
                // Another level decides now: whistles that the level below wanted signed are
                // dropped.
                self.asks.retain(|ask| !matches!(ask.wish, ApprovalSubject::Whistle { .. }));
                Stage::Filed { dispatch: dispatch.clone() }
            }
            (stage @ (Stage::Filed { .. } | Stage::Disputed { .. }), Event::Dispatched { .. }) => {
                self.stage = stage;
                return self.apply_dispatch(event);
            }
            (stage @ Stage::Dispatched { .. }, Event::Signed { by }) => {
                let assignment = stage.into_assignment(*by, None)?;
                self.answerable = Some(assignment.unit.clone());
                Stage::Signed { assignment }
            }
            (stage @ Stage::Signed { .. }, Event::Started { by }) => {
                Stage::Handling { assignment: stage.into_assignment(*by, None)? }
            }
            (
                Stage::Dispatched { .. } | Stage::Signed { .. } | Stage::Handling { .. },
                Event::Returned { dispatch, .. },
            ) => {
                self.tally.returns += 1;
                Stage::Filed { dispatch: dispatch.clone() }
            }
            (Stage::Filed { .. }, Event::Disputed { arbiter, arbitrate }) => {
                let arbitrate = arbitrate.clone();
                self.stage = Stage::Disputed { arbiter: arbiter.clone(), arbitrate };
                self.involve_unit(arbiter);
                return Some(self);
            }
            (
                stage @ (Stage::Signed { .. } | Stage::Handling { .. }),
                Event::FedBack { by, result, verify },
            ) => Stage::FedBack {
                work: Work::Unit { assignment: stage.into_assignment(*by, Some(result))? },
                verify: verify.clone(),
                claim: None,
            },
            (Stage::Filed { .. }, Event::WhistleBlown { whistle }) => {
                self.tally.whistles += 1;
                self.stage = Stage::Whistled { whistle: whistle.clone() };
                for summons in &whistle.summonses {
                    self.involve_unit(&summons.unit);
                    if summons.lead {
                        self.note_receiver(&summons.unit);
                    }
                }
                return Some(self);
            }
            (mut stage, Event::Summoned { unit, by, happened }) => {
                let whistle = stage.whistle_mut()?;
                whistle.evolve(*unit, *by, happened);
                let lead = whistle.find_summons(*unit).filter(|summons| summons.lead);
                if let (Some(lead), Happened::Signed) = (lead, happened) {
                    self.answerable = Some(lead.unit.clone());
                }
                self.stage = stage;
                if let Some(replacement) = happened.replacement() {
                    self.involve_unit(&replacement.unit.clone());
                }
                return Some(self);
            }
            (Stage::Whistled { mut whistle }, Event::WhistleOver { verify }) => {
                // A request to the district without an answer is dropped.
                whistle.raised = whistle.raised.filter(|raised| raised.note.is_some());
                let (work, verify) = (Work::Whistle { whistle }, verify.clone());
                Stage::FedBack { work, verify, claim: None }
            }
            (Stage::Whistled { .. }, Event::CalledOff { dispatch, .. }) => {
                Stage::Filed { dispatch: dispatch.clone() }
            }
            (stage, event) => {
                return Self {
                    stage: stage.advance_after_feedback(event, &mut self.tally)?,
                    ..self
                }
                .into();
            }
        };
        Some(self)
    }

    fn apply_dispatch(mut self, event: &Event) -> Option<Self> {
        let Event::Dispatched { unit, sign, handle, by, by_name, appointed, .. } = event else {
            return None;
        };
        let assignment = Assignment {
            unit: unit.clone(),
            handle: handle.clone(),
            by: *by,
            by_name: by_name.clone(),
            appointed: *appointed,
            people: Vec::new(),
            result: None,
        };
        self.stage = Stage::Dispatched { assignment, sign: sign.clone() };
        self.involve_unit(unit);
        self.note_receiver(unit);
        Some(self)
    }
}

impl Stage {
    /// The stage after a verification, a callback or a closing.
    fn advance_after_feedback(self, event: &Event, tally: &mut Tally) -> Option<Self> {
        Some(match (self, event) {
            (Self::FedBack { work, verify, .. }, Event::Claimed { claim }) => {
                Self::FedBack { work, verify, claim: Some(claim.clone()) }
            }
            (Self::FedBack { work, verify, .. }, Event::Unclaimed) => {
                Self::FedBack { work, verify, claim: None }
            }
            (Self::FedBack { work, .. }, Event::VerificationPassed { call_back, .. }) => {
                tally.missed_callbacks = 0;
                Self::Verified { work, call_back: call_back.clone() }
            }
            (Self::Verified { work, .. }, Event::NotSampled { close }) => {
                Self::CalledBack { work, answer: None, close: close.clone() }
            }
            (Self::FedBack { work, .. }, Event::VerificationFailed { redo, .. })
            | (Self::Verified { work, .. }, Event::AnsweredInVain { redo, .. }) => {
                tally.reworks += 1;
                work.restart_stage(redo)?
            }
            (Self::Handling { assignment }, Event::RulingAsked { over, rule }) => Self::Ruling {
                work: Work::Unit { assignment },
                over: over.clone(),
                rule: rule.clone(),
            },
            (Self::Whistled { whistle }, Event::RulingAsked { over, rule }) => Self::Ruling {
                work: Work::Whistle { whistle },
                over: over.clone(),
                rule: rule.clone(),
            },
            (Self::Ruling { work, .. }, Event::RuledAgain { redo, .. }) => {
                work.restart_stage(redo)?
            }
            (Self::Verified { work, call_back }, Event::CallbackMissed { close, .. }) => {
                tally.missed_callbacks += 1;
                match close {
                    Some(close) => Self::CalledBack { work, answer: None, close: close.clone() },
                    None => Self::Verified { work, call_back },
                }
            }
            (Self::Verified { work, .. }, Event::Answered { answer, close, .. }) => {
                Self::CalledBack { work, answer: Some(answer.clone()), close: close.clone() }
            }
            (
                Self::CalledBack { work, .. } | Self::Ruling { work, .. },
                Event::Closed { closing, .. },
            ) => Self::Closed { work, closing: closing.clone() },
            (Self::Closed { .. }, Event::Reopened { dispatch, .. }) => {
                tally.reopenings += 1;
                Self::Filed { dispatch: dispatch.clone() }
            }
            _ => return None,
        })
    }

    fn whistle_mut(&mut self) -> Option<&mut Whistle> {
        match self {
            Self::Whistled { whistle }
            | Self::FedBack { work: Work::Whistle { whistle }, .. }
            | Self::Verified { work: Work::Whistle { whistle }, .. }
            | Self::CalledBack { work: Work::Whistle { whistle }, .. }
            | Self::Ruling { work: Work::Whistle { whistle }, .. }
            | Self::Closed { work: Work::Whistle { whistle }, .. } => Some(whistle),
            _ => None,
        }
    }

    /// Every clock of the stage, with its duty and debtor.
    fn terms_mut(&mut self, holder: AreaId, place: AreaId) -> Vec<(Duty, AreaId, &mut Term)> {
        match self {
            Self::Filed { dispatch } => vec![(Duty::Dispatch, holder, dispatch)],
            Self::Disputed { arbiter, arbitrate } => vec![(Duty::Arbitrate, arbiter.id, arbitrate)],
            Self::Dispatched { assignment, sign } => vec![
                (Duty::Sign, assignment.unit.id, sign),
                (Duty::Handle, assignment.unit.id, &mut assignment.handle),
            ],
            Self::Signed { assignment } | Self::Handling { assignment } => {
                vec![(Duty::Handle, assignment.unit.id, &mut assignment.handle)]
            }
            Self::Whistled { whistle } | Self::Closed { work: Work::Whistle { whistle }, .. } => {
                whistle.terms_mut()
            }
            Self::FedBack { work, verify, .. } => work.terms_mut((Duty::Verify, place, verify)),
            Self::Verified { work, call_back } => {
                work.terms_mut((Duty::CallBack, holder, call_back))
            }
            Self::CalledBack { work, close, .. } => work.terms_mut((Duty::Close, holder, close)),
            Self::Ruling { work, over, rule } => work.terms_mut((Duty::Rule, over.id, rule)),
            Self::Closed { .. } => Vec::new(),
        }
    }

    /// The assignment, with one more person who acted and optionally a result.
    fn into_assignment(self, by: PersonId, result: Option<&Prose>) -> Option<Assignment> {
        let (Self::Dispatched { mut assignment, .. }
        | Self::Signed { mut assignment }
        | Self::Handling { mut assignment }) = self
        else {
            return None;
        };
        if !assignment.people.contains(&by) {
            assignment.people.push(by);
        }
        if result.is_some() {
            assignment.result = result.cloned();
        }
        Some(assignment)
    }
}

impl Work {
    fn terms_mut<'a>(
        &'a mut self,
        own: (Duty, AreaId, &'a mut Term),
    ) -> Vec<(Duty, AreaId, &'a mut Term)> {
        let mut clocks = match self {
            Self::Whistle { whistle } => whistle.terms_mut(),
            Self::Unit { .. } | Self::OnTheSpot { .. } => Vec::new(),
        };
        clocks.push(own);
        clocks
    }

    /// Back to work: the same unit, or the lead of the same whistle, with a new clock.
    fn restart_stage(self, redo: &Term) -> Option<Stage> {
        match self {
            Self::Unit { mut assignment } => {
                assignment.handle = redo.clone();
                Some(Stage::Handling { assignment })
            }
            Self::Whistle { mut whistle } => {
                whistle.restart_lead(redo);
                Some(Stage::Whistled { whistle })
            }
            Self::OnTheSpot { .. } => None,
        }
    }
}
