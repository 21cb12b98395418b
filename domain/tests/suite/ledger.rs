//! Properties of every accepted command of every flow: kept beside a chain and checked after each
//! change.

use std::{
    collections::{HashMap, HashSet},
    fmt::Debug,
};

use domain::{
    Instant,
    calendar::{book::Calendar, limit::Limit},
    core::{
        id::AreaId,
        journal::{Hash, verify_chain},
    },
    flows::{
        change::{Change, Versioned},
        flow::{Flow, replay_events},
    },
    rules::{
        obligation::{Duty, Obligation, Outcome},
        rulebook::Rules,
        vocabulary::Urgency,
    },
};

use super::world::{Chain, WORLD};

type Key = (Duty, AreaId, i64);

fn obligation_key(obligation: &Obligation) -> Key {
    (obligation.duty, obligation.owed_by.id, obligation.term.no)
}

/// A chain with everything it ever owed.
pub(crate) struct Ledger<F: Flow> {
    pub(crate) chain: Chain<F>,
    history: Vec<F::Event>,
    /// The state from the events alone, as read back.
    replayed: Option<F>,
    opened: HashSet<Key>,
    settled: HashSet<Key>,
}

impl<F: Flow> Ledger<F> {
    pub(crate) fn with_rules(rules: &'static Rules) -> Self {
        let (opened, settled) = (HashSet::new(), HashSet::new());
        let (chain, history) = (Chain::with_rules(rules), Vec::new());
        Self { chain, history, replayed: None, opened, settled }
    }
}

/// The commands that start the clock of a duty: never signing, never opening a page.
fn list_starters(duty: Duty) -> &'static [&'static str] {
    match duty {
        Duty::Confirm => &["submit"],
        Duty::Accept => &["submit", "confirm", "unjoin"],
        Duty::Dispatch => &["open", "escalate", "return", "call_off", "reopen"],
        Duty::Sign => &["dispatch", "arbitrate"],
        Duty::Handle => &["dispatch", "arbitrate", "verify", "callback", "rule"],
        // After the last signature, or for a department that replaces another one.
        Duty::SignWhistle | Duty::Contact | Duty::Arrive => &["whistle", "decide", "summons_rule"],
        Duty::FeedBack => &[
            "whistle",
            "decide",
            "summons_rule",
            "summons_send_back",
            "verify",
            "callback",
            "rule",
        ],
        Duty::Release => &["summons_feedback"],
        Duty::Rate => &["summons_release"],
        Duty::Verify => &["feedback", "summons_release", "summons_rule"],
        Duty::CallBack => &["verify"],
        // A case that is not called back is closed after the verification.
        Duty::Close => &["callback", "verify"],
        Duty::Decide => &["extend", "suspend", "appeal", "whistle", "decide"],
        Duty::Arbitrate => &["return", "summons_contest"],
        Duty::Coordinate => &["raise"],
        Duty::Rule => &["verify", "callback"],
        // By the rules, when the same matter comes up again or the resident is not satisfied.
        Duty::AnswerSupervision => {
            &["supervise", "lapse", "callback", "join", "reopen", "whistle", "decide"]
        }
        Duty::Resume => &["suspend", "decide"],
        Duty::Patrol => &["plan"],
        Duty::Visit => &[],
    }
}

/// The commands that fulfil a duty; any other end lifts it.
pub(crate) fn list_doings(duty: Duty) -> &'static [&'static str] {
    match duty {
        Duty::Confirm => &["confirm"],
        Duty::Accept => &["file", "join", "refuse"],
        Duty::Dispatch => &["escalate", "dispatch", "whistle", "decide"],
        Duty::Sign => &["sign"],
        Duty::SignWhistle => &["summons_sign"],
        Duty::Handle => &["feedback"],
        Duty::FeedBack => &["summons_feedback"],
        Duty::Contact => &["summons_contact", "summons_arrive"],
        Duty::Arrive => &["summons_arrive"],
        Duty::Release => &["summons_release", "summons_send_back"],
        Duty::Rate => &["summons_rate"],
        Duty::Verify => &["verify"],
        Duty::CallBack => &["callback"],
        Duty::Close => &["close"],
        Duty::Decide => &["decide"],
        Duty::Arbitrate => &["arbitrate", "summons_rule"],
        Duty::Coordinate => &["coordinate"],
        Duty::Rule => &["rule"],
        Duty::AnswerSupervision => &["reply"],
        // No command fulfils it: it ends by time.
        Duty::Resume => &[],
        Duty::Patrol => &["finish"],
        Duty::Visit => &["record"],
    }
}

/// How long a duty may take, written down independently of the matrix.
fn list_limits(duty: Duty, urgency: Urgency) -> Vec<Limit> {
    vec![match (duty, urgency) {
        (Duty::Sign | Duty::SignWhistle, _) => Limit::hours(1),
        (Duty::Accept | Duty::Dispatch, _) | (Duty::Handle, Urgency::Critical) => Limit::hours(2),
        (Duty::Confirm, _) => Limit::hours(4),
        (Duty::Handle, Urgency::Urgent)
        | (Duty::Contact | Duty::Release | Duty::Verify | Duty::CallBack | Duty::Close, _) => {
            Limit::hours(24)
        }
        (Duty::Arrive, _) => return vec![Limit::working_days(3), Limit::working_days(5)],
        (Duty::Rate | Duty::Rule, _) => Limit::working_days(3),
        (Duty::Handle, Urgency::Normal) => Limit::working_days(5),
        (Duty::FeedBack, _) => Limit::working_days(7),
        (Duty::Decide | Duty::Arbitrate, _) => Limit::working_hours(8),
        (Duty::Coordinate, _) => Limit::working_days(2),
        (Duty::AnswerSupervision, _) => Limit::working_days(1),
        // As long as was requested.
        (Duty::Resume | Duty::Patrol | Duty::Visit, _) => return Vec::new(),
    }]
}

/// The calendar of the test tenant.
pub(crate) fn calendar() -> &'static Calendar {
    WORLD.rules.calendars.value.find_nearest(&[])
}

impl<F: Flow + PartialEq + Debug> Ledger<F>
where
    F::Event: PartialEq + Debug,
{
    /// Checks an accepted change and writes it; returns its events as read back.
    pub(crate) fn write_change(&mut self, change: &Change<F>, urgency: Urgency) -> Vec<F::Event> {
        let before = self.chain.stored.clone();
        let events = Self::check_entry(before.as_ref(), change);
        for event in &events {
            self.replayed = F::evolve(self.replayed.take(), event);
            assert!(self.replayed.is_some(), "an event that cannot follow");
        }
        assert_eq!(self.replayed.as_ref(), Some(&change.state), "replayed");
        self.history.extend(events.iter().cloned());
        Self::check_state(change);
        self.check_owed(before.map(|stored| stored.state), change, urgency);
        self.chain.commit(change);
        events
    }

    fn check_entry(before: Option<&Versioned<F>>, change: &Change<F>) -> Vec<F::Event> {
        let entry = &change.entry;
        assert_eq!(entry.seq, before.map_or(1, |stored| stored.seq + 1));
        assert_eq!(entry.before, before.map_or(Hash::default(), |stored| stored.head));
        assert_eq!(entry.hash, entry.compute_hash());
        assert_eq!((entry.flow, entry.flow_id), (F::KIND, change.state.id()));
        let events: Vec<F::Event> = serde_json::from_str(&entry.events).unwrap();
        assert!(!events.is_empty(), "an accepted command leaves a trace");
        assert_eq!(serde_json::to_string(&events).unwrap(), entry.events, "written again");
        events
    }

    fn check_state(change: &Change<F>) {
        let text = serde_json::to_string(&change.state).unwrap();
        let read: F = serde_json::from_str(&text).unwrap();
        assert_eq!(read, change.state, "read back from {text}");
    }

    fn check_owed(&mut self, before: Option<F>, change: &Change<F>, urgency: Urgency) {
        let owed = |state: &F| -> HashMap<Key, Obligation> {
            let all = state.obligations();
            let count = all.len();
            let map: HashMap<_, _> =
                all.into_iter().map(|one| (obligation_key(&one), one)).collect();
            assert_eq!(map.len(), count, "the same debt twice at once");
            map
        };
        let (old, new) = (before.as_ref().map(owed).unwrap_or_default(), owed(&change.state));
        let mut moved = HashSet::new();
        for (key, now) in &new {
            if let Some(before) = old.get(key).filter(|before| *before != now) {
                check_moved(before, now, &change.entry.name);
                assert!(self.opened.contains(key) && !self.settled.contains(key));
                moved.insert(*key);
            }
        }
        let told: HashSet<Key> = change.moved.iter().map(self::obligation_key).collect();
        assert_eq!(told, moved, "what moved");
        assert!(change.moved.iter().all(|one| new.get(&self::obligation_key(one)) == Some(one)));
        self.check_opened(&old, &new, change, urgency);
        self.check_settled(&old, &new, change);
    }

    fn check_opened(
        &mut self,
        old: &HashMap<Key, Obligation>,
        new: &HashMap<Key, Obligation>,
        change: &Change<F>,
        urgency: Urgency,
    ) {
        let entry = &change.entry;
        let opened: HashSet<Key> = change.opened.iter().map(obligation_key).collect();
        let expected: HashSet<Key> =
            new.keys().filter(|key| !old.contains_key(key)).copied().collect();
        assert_eq!(opened, expected, "what became owed");
        assert_eq!(opened.len(), change.opened.len());
        for obligation in &change.opened {
            let (duty, term) = (obligation.duty, &obligation.term);
            assert!(self.opened.insert(obligation_key(obligation)), "{duty:?} is opened again");
            assert!(list_starters(duty).contains(&&*entry.name), "{} opened {duty:?}", entry.name);
            assert_eq!((term.no, term.started_at), (entry.seq, entry.at));
            assert_eq!((term.rules, term.calendar, term.taken), (0, 0, 0));
            assert!(term.moves.is_empty() && term.next_at.is_some());
            if duty != Duty::Resume {
                assert!(
                    list_limits(duty, urgency).contains(&term.limit),
                    "{duty:?} {}",
                    term.limit
                );
                assert!(term.rule.starts_with("STD-"), "{}", term.rule);
                assert_eq!(
                    term.due_at,
                    calendar().compute_due(entry.at, term.limit).at,
                    "{duty:?}"
                );
                assert!(term.next_at <= Some(term.due_at), "somebody is reminded before");
            }
        }
    }

    fn check_settled(
        &mut self,
        old: &HashMap<Key, Obligation>,
        new: &HashMap<Key, Obligation>,
        change: &Change<F>,
    ) {
        let settled: HashSet<Key> =
            change.settled.iter().map(|s| obligation_key(&s.obligation)).collect();
        let expected: HashSet<Key> =
            old.keys().filter(|key| !new.contains_key(key)).copied().collect();
        assert_eq!(settled, expected, "what ended");
        assert_eq!(settled.len(), change.settled.len());
        for one in &change.settled {
            let (duty, name) = (one.obligation.duty, &*change.entry.name);
            assert!(
                self.opened.contains(&obligation_key(&one.obligation)),
                "{duty:?} was never owed"
            );
            assert!(
                self.settled.insert(obligation_key(&one.obligation)),
                "{duty:?} is settled again"
            );
            let done = list_doings(duty).contains(&name);
            let expected = find_outcome(done, one.at, one.obligation.term.due_at);
            assert_eq!((one.outcome, one.at), (expected, change.entry.at), "{duty:?} by {name}");
        }
    }

    /// Checks the whole chain once more from the beginning.
    pub(crate) fn check_history(&self) {
        let head = self.chain.stored.as_ref().map_or(Hash::default(), |stored| stored.head);
        assert_eq!(verify_chain(&self.chain.entries), Ok(head));
        let state = self.chain.stored.as_ref().map(|stored| &stored.state);
        assert_eq!(
            replay_events::<F>(&self.history).as_ref(),
            state,
            "replayed from the beginning"
        );
        let owed: HashSet<Key> =
            state.map(F::obligations).iter().flatten().map(obligation_key).collect();
        let open: HashSet<Key> = self.opened.difference(&self.settled).copied().collect();
        assert_eq!(open, owed, "opened and not settled is what is owed");
    }
}

/// A debt stays the same: only its end moves, for a reason stored beside it, or one more measure
/// was taken.
fn check_moved(before: &Obligation, now: &Obligation, name: &str) {
    let (was, is) = (&before.term, &now.term);
    assert_eq!(before.owed_by, now.owed_by);
    assert_eq!((was.started_at, was.limit, was.rules), (is.started_at, is.limit, is.rules));
    assert_eq!(was.rule, is.rule);
    if was.taken != is.taken {
        assert_eq!((is.taken, name), (was.taken + 1, "lapse"), "each measure once");
        assert_eq!((was.due_at, &was.moves), (is.due_at, &is.moves), "a measure moves nothing");
        return;
    }
    assert!(
        ["extend", "suspend", "decide", "resume", "lapse", "recompute"].contains(&name),
        "{name}"
    );
    assert_eq!(is.due_at, is.compute_due(calendar()).at);
    let kept = was.moves.len().min(is.moves.len());
    assert!(is.moves.len() >= was.moves.len(), "what moved it stays known");
    if is.moves.len() > was.moves.len() {
        assert_eq!(was.moves[..kept], is.moves[..kept]);
        assert!(is.due_at >= was.due_at, "more time, never less");
    } else {
        assert!(is.due_at <= was.due_at, "it went on early");
    }
}

fn find_outcome(done: bool, at: Instant, due: Instant) -> Outcome {
    if !done {
        Outcome::Lifted
    } else if at >= due {
        Outcome::Late
    } else {
        Outcome::Met
    }
}
