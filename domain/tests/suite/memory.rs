//! What a case must remember and keep, checked independently of its own state.
#![expect(clippy::wildcard_enum_match_arm, reason = "most events change nothing of it")]

use std::collections::{HashMap, HashSet};

use domain::{
    Instant,
    core::id::{AreaId, PersonId},
    flows::{
        case::{
            Event, Outcome as End, Stage,
            lifecycle::{StageName, Verb, keeps_stage},
            state::{ApprovalRequest, ApprovalSubject, Breach, Case, Given, Moved},
            whistle::Happened,
        },
        change::Change,
        flow::Flow as _,
    },
    people::actor::Actor,
    rules::{
        obligation::{Duty, Move, Obligation, Outcome, Settled, Term},
        rulebook::Rules,
    },
};

use super::{ledger::calendar, world::minutes};

type Key = (Duty, AreaId, i64);

/// What a case must remember, kept independently of it.
pub(crate) struct Memory {
    rules: &'static Rules,
    opened: Case,
    /// The people who worked on it since it was last dispatched or whistled about.
    handlers: HashSet<PersonId>,
    /// When the clocks of this round began.
    round: Option<Instant>,
    reworked: bool,
    returns: u32,
    closed_at: Option<Instant>,
    /// The breaches, as their events say.
    breaches: Vec<Breach>,
    /// The number of measures taken about each debt.
    measures: HashMap<Key, u8>,
    suspensions: u32,
    /// The people who gave signatures, by request.
    signed: HashMap<i64, Vec<PersonId>>,
}

impl Memory {
    pub(crate) fn new(rules: &'static Rules, opened: &Case, closed_at: Option<Instant>) -> Self {
        Self {
            rules,
            opened: opened.clone(),
            handlers: HashSet::new(),
            round: None,
            reworked: false,
            returns: 0,
            closed_at,
            breaches: Vec::new(),
            measures: HashMap::new(),
            suspensions: 0,
            signed: HashMap::new(),
        }
    }

    /// While a case stands still, none of the commands that move it is accepted.
    pub(crate) fn check_standing(before: &Case, verb: Option<Verb>, at: Instant) {
        let still = before.standstill.as_ref().filter(|still| at < still.pause.until);
        if let (Some(still), Some(verb)) = (still, verb) {
            assert!(
                keeps_stage(before.stage.name(), verb),
                "{verb:?} before {}",
                still.pause.until
            );
        }
    }

    pub(crate) fn remember_event(&mut self, before: &Case, event: &Event, by: &Actor, at: Instant) {
        match event {
            Event::Dispatched { sign, handle, by: dispatcher, .. } => {
                assert_eq!((sign.started_at, handle.started_at), (at, at), "clocks start here");
                assert_eq!(*dispatcher, by.person);
                self.begin_round(Some(at));
            }
            Event::WhistleBlown { whistle } => {
                assert_eq!(whistle.summonses.iter().filter(|summons| summons.lead).count(), 1);
                assert_eq!(whistle.blown_at, at);
                self.begin_round(Some(at));
            }
            Event::Returned { reason, dispatcher, .. } => {
                assert!(!reason.as_str().is_empty());
                let assignment = before.stage.assignment().unwrap();
                assert!(!assignment.appointed, "what an arbiter appointed comes back");
                assert_eq!(*dispatcher, assignment.by);
                self.returns += 1;
                self.begin_round(None);
            }
            Event::Disputed { .. } => {
                assert!(self.returns > self.rules.conduct.returns, "in dispute too early");
            }
            Event::RulingAsked { .. } => {
                assert!(before.tally.reworks >= self.rules.conduct.reworks);
            }
            Event::Escalated { .. } | Event::CalledOff { .. } => self.begin_round(None),
            Event::Signed { .. } | Event::Started { .. } | Event::FedBack { .. } => {
                self.handlers.insert(by.person);
            }
            Event::Summoned { unit, happened, .. } => {
                self.remember_summons(before, *unit, happened, by);
            }
            Event::VerificationPassed { .. } | Event::Claimed { .. } => {
                self.check_verifier(before, by, at);
            }
            Event::VerificationFailed { .. } => {
                self.check_verifier(before, by, at);
                self.reworked = true;
            }
            Event::AnsweredInVain { .. } | Event::RuledAgain { .. } => self.reworked = true,
            Event::Closed { closing, .. } => {
                let ruled = before.stage.name() == StageName::Ruling;
                assert!(ruled || before.stage.name() == StageName::CalledBack);
                assert_eq!(closing.outcome == End::Ruled, ruled);
                self.closed_at = Some(at);
            }
            Event::Reopened { .. } => {
                let closed = self.closed_at.take().expect("only a closed case is reopened");
                assert!(at < closed + minutes(15 * 24 * 60), "reopened after the window");
                self.begin_round(None);
            }
            Event::Opened { .. } | Event::HandledOnTheSpot { .. } => panic!("a case opens once"),
            _ => self.remember_beside(before, event, by, at),
        }
    }

    fn remember_summons(&mut self, before: &Case, unit: AreaId, happened: &Happened, by: &Actor) {
        let whistle = before.stage.whistle().unwrap();
        let summons = whistle.find_summons(unit).unwrap();
        match happened {
            Happened::Signed
            | Happened::Contacted { .. }
            | Happened::Arrived { .. }
            | Happened::FedBack { .. } => {
                self.handlers.insert(by.person);
            }
            Happened::SentBack { .. } => self.reworked = true,
            Happened::Contested { .. } => {
                assert!(!summons.appointed, "what the district said is contested again");
            }
            // A department that takes the place has clocks of its own.
            Happened::Excused { replacement, .. } => self.reworked |= replacement.is_some(),
            Happened::Rated { .. } => assert!(summons.rating.is_none(), "rated twice"),
            Happened::StreetRated { .. } => assert!(summons.view.is_none(), "rated twice"),
            Happened::Released { .. } | Happened::Upheld { .. } => {}
        }
    }

    /// Remembers the events that keep the stage of the case.
    fn remember_beside(&mut self, before: &Case, event: &Event, by: &Actor, at: Instant) {
        let waiting = |no: i64| before.asks.iter().find(|ask| ask.no == no);
        match event {
            Event::Asked { ask } => self.remember_ask(before, ask, at),
            Event::Agreed { no, given, .. } | Event::Denied { no, given } => {
                self.remember_signature(waiting(*no).unwrap(), given, by, at);
            }
            Event::Withdrawn { no } => assert_eq!(waiting(*no).unwrap().by, by.person),
            Event::Extended { no, terms } => {
                let asked_at = waiting(*no).map_or(at, |ask| ask.at);
                self.check_signed(before, *no);
                assert!(terms.len() <= 1, "one clock, the one it was asked for");
                let most = usize::try_from(self.rules.conduct.extension.times).unwrap();
                for (was, is) in pair_terms(before, terms) {
                    assert!(asked_at < was.due_at, "more time for what was late already");
                    let given = |one: &&Move| matches!(one, Move::Extended { .. });
                    assert!(is.moves.iter().filter(given).count() <= most, "too often");
                }
            }
            Event::Suspended { no, terms, .. } => {
                self.check_signed(before, *no);
                self.suspensions += 1;
                assert!(self.suspensions <= self.rules.conduct.suspension.times);
                for (was, is) in pair_terms(before, terms) {
                    assert!(at < was.due_at, "a standstill does not undo what is late");
                    let Some(Move::Paused { pause }) = is.moves.last() else { panic!("no pause") };
                    let due = calendar().shift_by_pause(was.due_at, *pause, was.limit.unit).at;
                    assert_eq!(is.due_at, due, "moved by as much as it stands still");
                }
            }
            Event::Resumed { at: since, .. } => {
                let still = before.standstill.as_ref().expect("it stood still");
                assert_eq!(*since, at.min(still.pause.until));
            }
            Event::Exempted { no, breach, .. } => {
                self.check_signed(before, *no);
                let known = self.breaches.iter_mut().find(|known| known.no == *breach).unwrap();
                assert_eq!(known.exempted_at.replace(at), None, "excused once");
            }
            Event::Breached { breach } => self.remember_breach(before, breach, at),
            Event::Measured { duty, unit, term, what, taken, .. } => {
                let count = self.measures.entry((*duty, *unit, *term)).or_default();
                assert_eq!(*what, self.rules.measure_kind(*count).unwrap(), "in order");
                *count += 1;
                assert_eq!(taken, count, "each once");
                assert!(by.is_system());
            }
            Event::SupervisionAnswered { no, .. } => {
                let open = before.supervisions.iter().find(|one| one.no == *no).unwrap();
                assert!(open.reply.is_none() && open.term.is_some());
            }
            Event::Coordinated { .. } => {
                let raised = before.stage.whistle().unwrap().raised.as_ref().unwrap();
                assert!(raised.note.is_none(), "answered once");
            }
            _ => {}
        }
    }

    fn remember_ask(&mut self, before: &Case, ask: &ApprovalRequest, at: Instant) {
        assert!(before.asks.iter().all(|known| known.no != ask.no), "a number of its own");
        assert!((1..=2).contains(&ask.signatures.len()));
        match &ask.wish {
            ApprovalSubject::Extension { .. } | ApprovalSubject::Suspension { .. } => {
                let own =
                    |owed: &Obligation| owed.owed_by.id == ask.unit.id && owed.term.due_at > at;
                assert!(
                    before.work_obligations().iter().any(own),
                    "asked when nothing was running"
                );
            }
            ApprovalSubject::Appeal { breach } => {
                let known = self.breaches.iter_mut().find(|known| known.no == *breach).unwrap();
                assert!(!std::mem::replace(&mut known.appealed, true), "appealed against once");
            }
            ApprovalSubject::Whistle { .. } => assert_eq!(before.stage.name(), StageName::Filed),
        }
    }

    fn remember_signature(
        &mut self,
        ask: &ApprovalRequest,
        given: &Given,
        by: &Actor,
        at: Instant,
    ) {
        assert_eq!((given.by, given.at), (by.person, at));
        assert_ne!(given.by, ask.by, "nobody signs the own question");
        let all = self.signed.entry(ask.no).or_default();
        assert!(!all.contains(&given.by), "one person, one signature");
        all.push(given.by);
    }

    /// A granted request has the signatures it needs, or needs none and was not open before.
    fn check_signed(&self, before: &Case, no: i64) {
        let needed = before.asks.iter().find(|ask| ask.no == no).map(|ask| ask.signatures.len());
        let given = self.signed.get(&no).map_or(0, Vec::len);
        assert_eq!(needed.unwrap_or_default(), given, "signatures");
    }

    fn remember_breach(&mut self, before: &Case, breach: &Breach, at: Instant) {
        assert_eq!(breach.no, i64::try_from(self.breaches.len()).unwrap() + 1, "numbered");
        let key = (breach.duty, breach.unit.id, breach.term);
        let known = |one: &Breach| (one.duty, one.unit.id, one.term) == key;
        assert!(!self.breaches.iter().any(known), "one fact about one debt");
        let owed = before.obligations();
        let owed = owed.iter().find(|owed| self::obligation_key(owed) == key).expect("it was owed");
        assert_eq!(owed.term.due_at, breach.due_at);
        assert!(owed.term.is_late(at) && breach.duty != Duty::Resume);
        assert!(!breach.appealed && breach.exempted_at.is_none());
        self.breaches.push(breach.clone());
    }

    fn begin_round(&mut self, round: Option<Instant>) {
        (self.round, self.reworked) = (round, false);
        self.handlers.clear();
    }

    fn check_verifier(&self, before: &Case, by: &Actor, at: Instant) {
        let claim = before.stage.claim().filter(|claim| at < claim.until);
        assert!(claim.is_none_or(|claim| claim.by == by.person), "{} goes as well", by.name);
        assert!(!self.handlers.contains(&by.person), "{} verifies the own work", by.name);
    }

    /// Every debt that ended late, done or lifted, is a breach of the case.
    pub(crate) fn check_late(change: &Change<Case>) {
        let case = &change.state;
        let late =
            |one: &&Settled| one.obligation.duty.has_limit() && one.obligation.term.is_late(one.at);
        for settled in change.settled.iter().filter(late) {
            assert_ne!(settled.outcome, Outcome::Met);
            let key = obligation_key(&settled.obligation);
            let known = |one: &Breach| (one.duty, one.unit.id, one.term) == key;
            let full = case.breaches.len() >= Case::MOST_BREACHES;
            assert!(full || case.breaches.iter().any(known), "late without a fact: {settled:?}");
        }
    }

    pub(crate) fn check_case(&self, case: &Case, at: Instant) {
        let first = &self.opened;
        assert_eq!(
            (case.id, &case.number, case.filed_at),
            (first.id, &first.number, first.filed_at)
        );
        assert_eq!((&case.place, &case.matter), (&first.place, &first.matter));
        assert_eq!(case.tally.returns, self.returns);
        assert_eq!(case.tally.suspensions, self.suspensions);
        assert_eq!(case.breaches, self.breaches, "facts stay as they were");
        assert_eq!(case.stage.name() == StageName::Closed, self.closed_at.is_some());
        let owed = case.obligations();
        if let Stage::Closed { closing, .. } = &case.stage {
            let after = |duty| matches!(duty, Duty::Rate | Duty::Decide | Duty::AnswerSupervision);
            assert!(owed.iter().all(|owed| after(owed.duty)), "{owed:?}");
            assert_eq!(Some(closing.at), self.closed_at);
        } else {
            let beside = |duty| {
                matches!(duty, Duty::Decide | Duty::AnswerSupervision | Duty::Resume | Duty::Rate)
            };
            let next = owed.iter().any(|owed| !beside(owed.duty));
            assert!(next, "somebody always owes the next step");
        }
        if let Some(whistle) = case.stage.whistle() {
            let leads = whistle.summonses.iter().filter(|summons| summons.lead).count();
            assert_eq!(leads, 1);
            let mut units: Vec<AreaId> = whistle.summonses.iter().map(|s| s.unit.id).collect();
            units.sort();
            units.dedup();
            assert_eq!(units.len(), whistle.summonses.len(), "each department once");
        }
        self.check_clocks(&owed, at);
    }

    /// In a round without rework, what a unit owes runs from dispatch, whatever was signed since.
    fn check_clocks(&self, owed: &[Obligation], at: Instant) {
        for owed in owed {
            assert!(owed.term.started_at <= at);
            let taken = self.measures.get(&obligation_key(owed)).copied().unwrap_or_default();
            assert_eq!(owed.term.taken, taken, "what is stored is what was taken");
            if owed.duty.is_work() && !self.reworked {
                let (start, duty) = (Some(owed.term.started_at), owed.duty);
                assert_eq!(start, self.round, "{duty:?} since dispatch");
            }
        }
    }
}

fn obligation_key(obligation: &Obligation) -> Key {
    (obligation.duty, obligation.owed_by.id, obligation.term.no)
}

/// Pairs of clocks before and after a move.
fn pair_terms<'a>(before: &Case, terms: &'a [Moved]) -> Vec<(Term, &'a Term)> {
    let owed = before.obligations();
    let was = |moved: &Moved| {
        let wanted = (moved.duty, moved.unit, moved.term.no);
        owed.iter().find(|owed| obligation_key(owed) == wanted).expect("it ran").term.clone()
    };
    terms.iter().map(|moved| (was(moved), &moved.term)).collect()
}
