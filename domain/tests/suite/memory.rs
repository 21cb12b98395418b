//! What a case must remember and keep, held against it independently of its own state.

use std::collections::HashSet;

use domain::{
    Instant,
    actor::Actor,
    case::{Case, Event, Stage, lifecycle::StageName, whistle::Happened},
    flow::Flow as _,
    id::PersonId,
    obligation::{Duty, Obligation},
};

use super::world::minutes;

/// What a case must remember, kept independently of it.
pub(crate) struct Memory {
    opened: Case,
    /// Who worked on it since it was last dispatched or whistled about.
    handlers: HashSet<PersonId>,
    /// When the clocks of this round began.
    round: Option<Instant>,
    reworked: bool,
    returns: u32,
    closed_at: Option<Instant>,
}

impl Memory {
    pub(crate) fn of(opened: &Case, closed_at: Option<Instant>) -> Self {
        Self {
            opened: opened.clone(),
            handlers: HashSet::new(),
            round: None,
            reworked: false,
            returns: 0,
            closed_at,
        }
    }

    pub(crate) fn remember(&mut self, before: &Case, event: &Event, by: &Actor, at: Instant) {
        match event {
            Event::Dispatched { sign, handle, .. } => {
                assert_eq!((sign.started_at, handle.started_at), (at, at), "clocks start here");
                self.begin(Some(at));
            }
            Event::WhistleBlown { whistle } => {
                assert_eq!(whistle.summonses.iter().filter(|summons| summons.lead).count(), 1);
                assert_eq!(whistle.blown_at, at);
                self.begin(Some(at));
            }
            Event::Returned { reason, .. } => {
                assert!(!reason.as_str().is_empty());
                self.returns += 1;
                self.begin(None);
            }
            Event::Escalated { .. } => self.begin(None),
            Event::Signed { .. } | Event::Started { .. } | Event::FedBack { .. } => {
                self.handlers.insert(by.person);
            }
            Event::Summoned { happened, .. } => match happened {
                Happened::Signed
                | Happened::Contacted { .. }
                | Happened::Arrived { .. }
                | Happened::FedBack { .. } => {
                    self.handlers.insert(by.person);
                }
                Happened::SentBack { .. } => self.reworked = true,
                Happened::Released { .. } | Happened::Rated { .. } => {}
            },
            Event::VerificationPassed { .. } => self.check_verifier(by),
            Event::VerificationFailed { .. } => {
                self.check_verifier(by);
                self.reworked = true;
            }
            Event::AnsweredUnsolved { .. } => self.reworked = true,
            Event::Closed { .. } => {
                assert_eq!(before.stage.name(), StageName::CalledBack);
                self.closed_at = Some(at);
            }
            Event::Reopened { .. } => {
                let closed = self.closed_at.take().expect("only a closed case is reopened");
                assert!(at < closed + minutes(15 * 24 * 60), "reopened after the window");
                self.begin(None);
            }
            Event::Opened { .. } | Event::HandledOnTheSpot { .. } => panic!("a case opens once"),
            Event::Joined { .. }
            | Event::WhistleOver { .. }
            | Event::CallbackMissed { .. }
            | Event::Answered { .. }
            | Event::Commented { .. } => {}
        }
    }

    fn begin(&mut self, round: Option<Instant>) {
        (self.round, self.reworked) = (round, false);
        self.handlers.clear();
    }

    fn check_verifier(&self, by: &Actor) {
        assert!(!self.handlers.contains(&by.person), "{} verifies the own work", by.name);
    }

    pub(crate) fn check(&self, case: &Case, at: Instant) {
        let first = &self.opened;
        assert_eq!(
            (case.id, &case.number, case.filed_at),
            (first.id, &first.number, first.filed_at)
        );
        assert_eq!((&case.place, &case.matter), (&first.place, &first.matter));
        assert_eq!(case.tally.returns, self.returns);
        assert_eq!(case.stage.name() == StageName::Closed, self.closed_at.is_some());
        let owed = case.obligations();
        if let Stage::Closed { closing, .. } = &case.stage {
            assert!(owed.iter().all(|owed| owed.duty == Duty::Rate), "{owed:?}");
            assert_eq!(Some(closing.at), self.closed_at);
        } else {
            assert!(!owed.is_empty(), "somebody always owes the next step");
        }
        if let Some(whistle) = case.stage.whistle() {
            let leads = whistle.summonses.iter().filter(|summons| summons.lead).count();
            assert_eq!(leads, 1);
        }
        self.check_clocks(&owed, at);
    }

    /// In a round without rework, what a unit owes runs from dispatch, whatever was signed since.
    fn check_clocks(&self, owed: &[Obligation], at: Instant) {
        for Obligation { duty, term, .. } in owed {
            assert!(term.started_at <= at);
            let units = matches!(
                duty,
                Duty::Sign
                    | Duty::SignWhistle
                    | Duty::Handle
                    | Duty::Contact
                    | Duty::Arrive
                    | Duty::FeedBack
            );
            if units && !self.reworked {
                assert_eq!(Some(term.started_at), self.round, "{duty:?} since dispatch");
            }
        }
    }
}
