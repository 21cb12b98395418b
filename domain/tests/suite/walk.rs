//! Random histories: people of several roles give random commands at increasing times, and
//! everything that must always hold is checked after each of them.

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
};

use domain::{
    Instant,
    area::coordinate::{CoordType, RawPoint},
    core::{
        id::{CaseId, ReportId},
        journal::Entry,
        text::Code,
    },
    flows::{
        case::{
            Command, Event,
            lifecycle::{MOVES, STEPS, StageName, StepName, SummonsVerb, Verb, target_stages},
            state::Case,
        },
        change::{Change, Versioned},
        flow::Flow as _,
        intake::{self, Correction},
        report::{self, Draft, Handled, Redirect, Report, StatusName},
    },
    people::actor::{Actor, Permission},
    rules::{
        refusal::Refusal,
        rulebook::Rules,
        vocabulary::{Channel, Demand, MeasureKind, Urgency},
    },
};
use uuid::Uuid;

use super::{
    chance::{Dice, TENANTS, any_command, any_steps, new_cast, new_runner, sensible_command},
    ledger::Ledger,
    memory::Memory,
    script::lapse,
    world::{
        COMMUNITY, GRID, GRID_NEXT, all_areas, almighty, context_under, line, minutes, morning,
        request, system,
    },
};

struct CaseFile {
    ledger: Ledger<Case>,
    memory: Memory,
}

/// What was reached, over all random histories.
#[derive(Default)]
struct Reached {
    moves: BTreeSet<(StageName, Verb, StageName)>,
    steps: BTreeSet<(StepName, SummonsVerb, StepName)>,
    refusals: BTreeSet<&'static str>,
    statuses: BTreeSet<(StatusName, report::Verb, StatusName)>,
    measures: BTreeSet<MeasureKind>,
    commands: BTreeSet<String>,
}

struct Walk<'a> {
    rules: &'static Rules,
    at: Instant,
    cast: Vec<Actor>,
    cases: Vec<CaseFile>,
    reports: Vec<Ledger<Report>>,
    ids: u128,
    reached: &'a RefCell<Reached>,
}

impl<'a> Walk<'a> {
    fn new(rules: &'static Rules, reached: &'a RefCell<Reached>) -> Self {
        let (cases, reports) = (Vec::new(), Vec::new());
        Self { rules, at: morning(), cast: new_cast(), cases, reports, ids: 0, reached }
    }

    fn step(&mut self, seed: u64, gap: i64) {
        self.at += minutes(gap);
        let mut dice = Dice(seed);
        let sensible = dice.roll_percent(80);
        match dice.roll_below(12) {
            0 => self.submit_report(&mut dice),
            1 => self.decide_report(&mut dice),
            2 | 3 => self.pass_time(&mut dice),
            _ if sensible && self.first_open_case().is_none() => {
                if self.first_open_report().is_some() {
                    self.decide_report(&mut dice);
                } else {
                    self.submit_report(&mut dice);
                }
            }
            _ => self.move_case(&mut dice, sensible),
        }
        self.check_together();
    }

    fn note_refusal(&self, refusal: &Refusal) {
        self.reached.borrow_mut().refusals.insert(refusal.code());
    }

    fn next_id(&mut self) -> Uuid {
        self.ids += 1;
        Uuid::from_u128((0x0197_u128 << 112) | (self.ids.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }

    fn submit_report(&mut self, dice: &mut Dice) {
        let able = self.able_actors(|by| by.may_somewhere(Permission::ReportProblem, self.at));
        let by = self.choose_actor(dice, &able);
        let given = dice.any_point();
        let coord_type = dice.pick(&[CoordType::Wgs84, CoordType::Gcj02, CoordType::Bd09]);
        let raw = RawPoint { lng: given.lng, lat: given.lat, coord_type };
        let areas =
            if dice.roll_percent(70) { vec![GRID, GRID_NEXT, COMMUNITY] } else { all_areas() };
        let draft = Draft {
            id: ReportId(self.next_id()),
            channel: dice.pick(Channel::ALL),
            title: dice.roll_percent(50).then(|| line("路灯不亮")),
            text: dice.any_text(),
            category: if dice.roll_percent(50) {
                Code::try_from(dice.pick(&["A01", "A01", "Z9"])).ok()
            } else {
                None
            },
            urgency: dice.pick(&[Urgency::Normal, Urgency::Urgent, Urgency::Critical]),
            demand: dice.roll_percent(30).then(|| dice.pick(Demand::ALL)),
            area: dice.roll_percent(95).then(|| dice.pick(&areas)),
            point: dice.roll_percent(80).then_some(raw),
            address: dice.roll_percent(50).then(|| line("柳岸路 3 号")),
            client_at: dice
                .roll_percent(50)
                .then(|| self.at + minutes(dice.pick(&[-200_000, -60, 1, 5, 2_000]))),
            confidential: dice.roll_percent(30),
            anonymous: false,
            contact: false,
            patrol: None,
            media: Vec::new(),
            handled: dice
                .roll_percent(20)
                .then(|| Handled { case: CaseId(self.next_id()), result: dice.any_text() }),
        };
        let urgency = draft.urgency;
        match intake::submit_report(
            draft,
            request(self.ids),
            context_under(self.rules, &by, self.at),
        ) {
            Ok((report, case)) => {
                let mut ledger = Ledger::with_rules(self.rules);
                ledger.write_change(&report, urgency);
                self.reports.push(ledger);
                if let Some(case) = case {
                    self.open_case(&case);
                }
            }
            Err(refusal) => self.note_refusal(&refusal),
        }
    }

    fn decide_report(&mut self, dice: &mut Dice) {
        if self.reports.is_empty() {
            return self.submit_report(dice);
        }
        let index = self.some_report(dice);
        let stored = self.reports[index].chain.stored.clone().unwrap();
        let looks = stored.state.status.name() == StatusName::Confirming && dice.roll_percent(80);
        let look = match stored.state.claim() {
            _ if dice.roll_percent(30) => report::Command::Claim,
            Some(_) if dice.roll_percent(30) => report::Command::Unclaim { to: None },
            _ => confirm(),
        };
        let trial = if looks { look.clone() } else { super::report::refuse() };
        let candidates: Vec<Actor> = self.able_actors(|by| {
            let cx = context_under(self.rules, by, self.at);
            Report::decide(Some(&stored.state), &trial, &cx).is_ok()
        });
        let by = self.choose_actor(dice, &candidates);
        let asked = if looks {
            self.reports[index].chain.try_command(&by, self.at, &look)
        } else {
            self.receive_report(index, &stored, &by, dice)
        };
        match asked {
            Ok(change) => self.accept_decision(index, &stored.state, &change),
            Err(refusal) => {
                if let Refusal::WrongState { flow: "report", state, possible, .. } = &refusal {
                    let status = stored.state.status.name();
                    assert_eq!(
                        (*state, possible),
                        (status.name(), &report::possible_commands(status))
                    );
                }
                self.note_refusal(&refusal);
            }
        }
    }

    /// A decision about a report that is or was received.
    fn receive_report(
        &mut self,
        index: usize,
        stored: &Versioned<Report>,
        by: &Actor,
        dice: &mut Dice,
    ) -> Result<Change<Report>, Refusal> {
        let cx = context_under(self.rules, by, self.at);
        if stored.state.status.name() == StatusName::Joined && dice.roll_percent(90) {
            let file =
                |file: &CaseFile| Some(file.ledger.chain.state().id) == stored.state.status.case();
            let target = self.cases.iter().position(file).unwrap();
            let case = self.cases[target].ledger.chain.stored.clone().unwrap();
            return intake::unjoin_report(stored, &case, request(self.ids), cx).map(|(r, c)| {
                let report = stored.state.id;
                self.accept_change(target, &c, &Command::Unjoin { report }, by);
                r
            });
        }
        match dice.roll_below(5) {
            0 | 1 => {
                let case = CaseId(self.next_id());
                let correction = Correction {
                    category: dice.roll_percent(30).then(|| Code::try_from("A01").unwrap()),
                    title: dice.roll_percent(30).then(|| line("更准确的标题")),
                    urgency: dice.roll_percent(30).then_some(Urgency::Urgent),
                    ..Correction::default()
                };
                intake::file_report(stored, case, correction, request(self.ids), cx).map(
                    |(r, c)| {
                        self.open_case(&c);
                        r
                    },
                )
            }
            2 | 3 if !self.cases.is_empty() => {
                let target = self.some_case(dice);
                let case = self.cases[target].ledger.chain.stored.clone().unwrap();
                intake::join_report(stored, &case, request(self.ids), cx).map(|(r, c)| {
                    let reporter = c.state.reports.last().copied().unwrap();
                    assert_eq!(reporter.person, stored.state.reporter, "a joined reporter is told");
                    self.accept_change(target, &c, &Command::Join { reporter }, by);
                    r
                })
            }
            _ => {
                let (reason, redirect) = (dice.any_text(), dice.pick(Redirect::ALL));
                let refuse = report::Command::Refuse { reason, redirect };
                self.reports[index].chain.try_command(by, self.at, &refuse)
            }
        }
    }

    fn accept_decision(&mut self, index: usize, before: &Report, change: &Change<Report>) {
        let after = &change.state;
        let (from, to) = (before.status.name(), after.status.name());
        let verb = report::Verb::ALL.iter().find(|verb| verb.name() == change.entry.name);
        let verb = *verb.expect("a decision");
        assert!(report::MOVES.contains(&(from, verb, to)), "{from:?} {verb:?} {to:?}");
        let same =
            Report { status: before.status.clone(), sight: before.sight.clone(), ..after.clone() };
        assert_eq!(*before, same, "a decision changes the status and nothing else");
        assert_eq!(before.sight != after.sight, verb == report::Verb::Confirm);
        self.reached.borrow_mut().statuses.insert((from, verb, to));
        self.reports[index].write_change(change, before.matter.urgency);
    }

    /// Debts get their measures when it is time; mostly from the system.
    fn pass_time(&mut self, dice: &mut Dice) {
        let early = dice.roll_percent(5);
        let by = if dice.roll_percent(95) { system() } else { dice.pick(&self.cast) };
        let reports = self.reports.iter().enumerate();
        let due: Vec<(usize, i64)> = reports
            .flat_map(|(index, ledger)| {
                ledger.chain.state().obligations().into_iter().map(move |owed| (index, owed))
            })
            .filter(|(_, owed)| owed.term.next_at.is_some_and(|next| early || next <= self.at))
            .map(|(index, owed)| (index, owed.term.no))
            .collect();
        if !due.is_empty() && dice.roll_percent(20) {
            let (index, term) = dice.pick(&due);
            let urgency = self.reports[index].chain.state().matter.urgency;
            match self.reports[index].chain.try_command(
                &by,
                self.at,
                &report::Command::Lapse { term },
            ) {
                Ok(change) => _ = self.reports[index].write_change(&change, urgency),
                Err(refusal) => self.note_refusal(&refusal),
            }
        }
        for index in 0..self.cases.len() {
            self.lapse_obligation(index, &by, early, dice);
        }
    }

    fn lapse_obligation(&mut self, index: usize, by: &Actor, early: bool, dice: &mut Dice) {
        let case = self.cases[index].ledger.chain.state();
        let owed: Vec<_> = case.obligations();
        let due = |next: Option<Instant>| next.is_some_and(|next| next <= self.at);
        let some: Vec<_> = owed.iter().filter(|owed| early || due(owed.term.next_at)).collect();
        if some.is_empty() {
            return;
        }
        let owed = dice.pick(&some);
        let command = lapse(owed);
        match self.cases[index].ledger.chain.try_command(by, self.at, &command) {
            Ok(change) => {
                assert!(due(owed.term.next_at) && by.is_system(), "too early, or by somebody");
                self.accept_change(index, &change, &command, by);
            }
            Err(refusal) if by.is_system() => {
                assert!(!due(owed.term.next_at), "{refusal:?}: its time has come");
                assert_eq!(refusal, Refusal::NothingDue);
                self.note_refusal(&refusal);
            }
            Err(refusal) => assert!(matches!(refusal, Refusal::NotPermitted { .. })),
        }
    }

    fn first_open_case(&self) -> Option<usize> {
        let open = |file: &CaseFile| file.ledger.chain.state().stage.name() != StageName::Closed;
        self.cases.iter().position(open)
    }

    fn first_open_report(&self) -> Option<usize> {
        let open = |file: &Ledger<Report>| {
            let status = file.chain.state().status.name();
            matches!(status, StatusName::Received | StatusName::Confirming)
        };
        self.reports.iter().position(open)
    }

    /// Mostly the same case until it is closed, so that some get far.
    fn some_case(&self, dice: &mut Dice) -> usize {
        let first = self.first_open_case().filter(|_| dice.roll_percent(80));
        first.unwrap_or_else(|| dice.roll_below(self.cases.len()))
    }

    /// Mostly a report that is still to be decided.
    fn some_report(&self, dice: &mut Dice) -> usize {
        let first = self.first_open_report().filter(|_| dice.roll_percent(80));
        first.unwrap_or_else(|| dice.roll_below(self.reports.len()))
    }

    fn able_actors(&self, test: impl Fn(&Actor) -> bool) -> Vec<Actor> {
        self.cast.iter().filter(|by| test(by)).cloned().collect()
    }

    /// Mostly an actor who can give the command.
    fn choose_actor(&self, dice: &mut Dice, able: &[Actor]) -> Actor {
        let can = !able.is_empty() && dice.roll_percent(90);
        dice.pick(if can { able } else { &self.cast })
    }

    fn open_case(&mut self, change: &Change<Case>) {
        let mut ledger = Ledger::with_rules(self.rules);
        let case = &change.state;
        let events = ledger.write_change(change, case.matter.urgency);
        let on_the_spot = matches!(events.as_slice(), [_, Event::HandledOnTheSpot { .. }]);
        assert_eq!(case.stage.name() == StageName::Closed, on_the_spot);
        assert_eq!(case.filed_at, self.at);
        let closed_at = on_the_spot.then_some(self.at);
        let memory = Memory::new(self.rules, case, closed_at);
        self.cases.push(CaseFile { ledger, memory });
    }

    fn move_case(&mut self, dice: &mut Dice, sensible: bool) {
        if self.cases.is_empty() {
            return if self.reports.is_empty() {
                self.submit_report(dice);
            } else {
                self.decide_report(dice);
            };
        }
        let index = self.some_case(dice);
        let stored: Versioned<Case> = self.cases[index].ledger.chain.stored.clone().unwrap();
        let case = &stored.state;
        let command = if sensible {
            sensible_command(case, self.at, dice)
        } else {
            any_command(self.at, dice)
        };
        let asked = |by: &Actor| {
            Case::decide(Some(case), &command, &context_under(self.rules, by, self.at))
        };
        let able = self.able_actors(|by| asked(by).is_ok());
        // An actor who may do everything shows what else is in the way.
        let by = match (sensible, able.is_empty() && dice.roll_percent(60)) {
            (true, false) => self.choose_actor(dice, &able),
            (true, true) => almighty(17),
            (false, _) => dice.pick(&self.cast),
        };
        match self.cases[index].ledger.chain.try_command(&by, self.at, &command) {
            Ok(change) => self.accept_change(index, &change, &command, &by),
            Err(refusal) => {
                let again = self.cases[index].ledger.chain.try_command(&by, self.at, &command);
                assert_eq!(again.unwrap_err(), refusal, "deciding is pure");
                assert_eq!(self.cases[index].ledger.chain.stored.as_ref(), Some(&stored));
                check_refusal(case, &command, &refusal, self.at);
                self.note_refusal(&refusal);
            }
        }
    }

    fn accept_change(
        &mut self,
        index: usize,
        change: &Change<Case>,
        command: &Command,
        by: &Actor,
    ) {
        let file = &mut self.cases[index];
        let before = file.ledger.chain.state().clone();
        let events = file.ledger.write_change(change, before.matter.urgency);
        let after = &change.state;
        let verb = command.verb();
        let (from, to) = (before.stage.name(), after.stage.name());
        match verb {
            Some(verb) => {
                assert!(target_stages(from, verb).contains(&to), "{from:?} {verb:?} {to:?}");
            }
            None => assert_eq!(from, to, "the system moves no case"),
        }
        Memory::check_standing(&before, verb, self.at);
        Memory::check_late(change);
        let mut reached = self.reached.borrow_mut();
        for event in &events {
            file.memory.remember_event(&before, event, by, self.at);
            if let Event::Measured { what, .. } = event {
                reached.measures.insert(*what);
            }
        }
        file.memory.check_case(after, self.at);
        reached.commands.insert(change.entry.name.clone());
        reached.moves.extend(verb.map(|verb| (from, verb, to)));
        if let Command::Summons { unit, act } = command {
            let step = |case: &Case| {
                case.stage.whistle().unwrap().find_summons(*unit).unwrap().step.name()
            };
            reached.steps.insert((step(&before), act.verb(), step(after)));
        }
    }

    /// Properties that relate reports and cases.
    fn check_together(&self) {
        let mut answered: HashMap<ReportId, CaseId> = HashMap::new();
        for file in &self.cases {
            let case = file.ledger.chain.state();
            for reporter in &case.reports {
                let twice = answered.insert(reporter.report, case.id);
                assert_eq!(twice, None, "a report is in two cases, or twice in one");
            }
        }
        for ledger in &self.reports {
            let report = ledger.chain.state();
            assert_eq!(answered.remove(&report.id), report.status.case(), "both know each other");
        }
        assert!(answered.is_empty(), "every case comes from reports");
    }

    fn check_ledgers(&self) {
        self.cases.iter().for_each(|file| file.ledger.check_history());
        self.reports.iter().for_each(Ledger::check_history);
    }
}

/// The journals of cases and reports of so many random histories, the same every time.
pub(crate) fn random_journals(walks: u64) -> (Vec<Vec<Entry>>, Vec<Vec<Entry>>) {
    let (reached, mut cases, mut reports) = (RefCell::default(), Vec::new(), Vec::new());
    for (seed, rules) in (0..walks).flat_map(|seed| TENANTS.iter().map(move |one| (seed, one))) {
        let (mut walk, mut dice) = (Walk::new(rules, &reached), Dice(seed));
        for _ in 0..250 {
            let gap = dice.pick(&[0, 10, 60, 600, 6_000, 40_000]);
            let seed = u64::try_from(dice.roll_below(usize::MAX)).unwrap();
            walk.step(seed, gap);
        }
        cases.extend(walk.cases.into_iter().map(|file| file.ledger.chain.entries));
        reports.extend(walk.reports.into_iter().map(|ledger| ledger.chain.entries));
    }
    (cases, reports)
}

fn confirm() -> report::Command {
    report::Command::Confirm { real: true, note: None, point: None }
}

fn check_refusal(case: &Case, command: &Command, refusal: &Refusal, at: Instant) {
    if let Refusal::Suspended { until } = refusal {
        assert!(case.standstill.is_some() && at < *until);
    }
    if let Refusal::WrongState { flow: "case", state, command: name, possible } = refusal {
        assert_eq!(*state, case.stage.name().name());
        assert_eq!(*possible, case.possible_commands());
        assert_eq!(Some(*name), command.verb().map(Verb::name));
        assert!(!possible.contains(name), "{name} is refused and said to be possible");
    } else {
        let verb = command.verb().unwrap();
        assert!(
            !target_stages(case.stage.name(), verb).is_empty(),
            "{refusal:?} hides a wrong stage"
        );
    }
}

#[test]
fn everything_that_must_hold_holds_in_random_histories() {
    let reached = RefCell::new(Reached::default());
    let walked = new_runner(360).run(&(0..TENANTS.len(), any_steps(250)), |(tenant, steps)| {
        let mut walk = Walk::new(TENANTS[tenant], &reached);
        for (seed, gap) in steps {
            walk.step(seed, gap);
        }
        walk.check_ledgers();
        Ok(())
    });
    if let Err(failure) = walked {
        panic!("{failure}");
    }
    let reached = reached.into_inner();
    // Commands that keep the stage are in the matrix; here the moves count.
    let moves: BTreeSet<_> = MOVES
        .iter()
        .flat_map(|(from, verb, to)| to.iter().map(|to| (*from, *verb, *to)))
        .filter(|(from, _, to)| from != to)
        .collect();
    let missing: Vec<_> = moves.difference(&reached.moves).collect();
    assert!(missing.is_empty(), "the walks are too short: they never made {missing:?}");
    let steps: BTreeSet<_> =
        STEPS.iter().flat_map(|(from, verb, to)| to.iter().map(|to| (*from, *verb, *to))).collect();
    assert_eq!(reached.steps, steps, "steps of summoned departments");
    assert_eq!(reached.statuses, report::MOVES.iter().copied().collect(), "statuses of reports");
    let measures = [MeasureKind::Remind, MeasureKind::Urge, MeasureKind::Supervise];
    let measures = measures.into_iter().chain([MeasureKind::Report, MeasureKind::List]);
    assert_eq!(reached.measures, measures.collect());
    for verb in Verb::ALL.iter().filter(|verb| **verb != Verb::Summons) {
        assert!(reached.commands.contains(verb.name()), "{verb:?} was never done");
    }
    for code in [
        "wrong_state",
        "not_permitted",
        "handler_verifies",
        "claimed",
        "first_receiver",
        "window_over",
        "not_joinable",
        "suspended",
        "overdue",
        "spent",
        "signs_twice",
        "not_asker",
        "too_much_time",
        "outside_window",
        "nothing_to_extend",
        "asked_already",
        "appointed",
        "not_admitted",
        "lead_missing",
        "named_twice",
        "arrival_unproven",
        "nothing_raised",
        "nothing_due",
        "unknown_rank",
    ] {
        assert!(reached.refusals.contains(code), "{code} was never met: {:?}", reached.refusals);
    }
}
